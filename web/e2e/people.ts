// The demo people and how they sign in, through the same pages as everybody.
import { createHmac } from 'node:crypto'
import type { Page } from 'playwright-core'
import type { House } from './house'

export type Person = {
  id: string
  name: string
  role: string
  place: string
  sign_in: {
    page: string
    phone?: string
    login?: string
    password?: string
    totp_secret?: string
    passphrase?: string
  }
  session: string
}

/** The patients of the cast and those who come with them, as charts, images and searches write them. */
export const patients = ['王秀英', '李强', '赵建华', '赵敏', '周大山', '周小军']
  .flatMap((name) => [name, `${name[0]}^${name.slice(1)}`])
  .concat(['wangxiuying', 'liqiang', 'zhaojianhua', 'zhaomin', 'zhoudashan'])

export async function cast(house: House): Promise<(name: string) => Person> {
  const response = await fetch(`${house.address}/api/v1/demo/cast?sessions=true`)
  if (!response.ok) throw new Error(`the demo cast answered ${response.status}`)
  const people = (await response.json()) as Person[]
  house.heard(people)
  return (name) => {
    const found = people.find((one) => one.name === name)
    if (!found) throw new Error(`nobody is called ${name}`)
    return found
  }
}

/** RFC 6238 with SHA-1, 6 digits, 30 seconds. */
export function totp(secret: string, at: number = Date.now()): string {
  const bits = [...secret.replace(/=+$/, '')]
    .map((char) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? [])
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)))
  const digest = createHmac('sha1', key).update(counter).digest()
  const offset = (digest[19] ?? 0) & 15
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** Login, password and the code of the moment. */
export async function enterWorkspace(page: Page, person: Person): Promise<void> {
  const { login = '', password = '', totp_secret = '' } = person.sign_in
  await page.goto('/staff')
  await page.fill('input[name=login]', login)
  await page.fill('input[name=password]', password)
  await page.fill('input[name=totp]', totp(totp_secret))
  await page.click('button[type=submit]')
  await page.waitForSelector('.deskbar')
}

/** Signs in by phone with the code from the simulated inbox, as a person at the demo would. */
/** To a screen by the bar, or by the menu of the bar that holds it. */
export async function toScreen(page: Page, href: string): Promise<void> {
  const link = page.locator(`.deskbar a[href="${href}"]`)
  await link.waitFor({ state: 'attached' })
  const menu = page.locator('.deskbar .menu', { has: page.locator(`a[href="${href}"]`) })
  if ((await menu.count()) > 0) await menu.locator('button').click()
  await link.click()
}

export async function enterByPhone(page: Page, phone: string): Promise<void> {
  await page.goto('/')
  await page.fill('input[name=phone]', phone)
  await page.click('button[type=submit]')
  await page.click('[data-test=open-inbox]')
  const message = await page.textContent('[data-test=inbox] p')
  const code = /\d{6}/.exec(message ?? '')?.[0]
  if (!code) throw new Error(`no code in the inbox: ${message}`)
  await page.click('dialog button')
  await page.fill('input[name=code]', code)
  await page.click('button[type=submit]')
  await page.waitForSelector('input[name=code]', { state: 'detached' }) // who leaves the page before is not signed in
}

/** Signs what the open dialog shows. */
export async function signWith(page: Page, person: Person): Promise<void> {
  await page.waitForSelector('[data-test=canonical]')
  await page.fill('dialog input[name=passphrase]', person.sign_in.passphrase ?? '')
  await page.click('[data-test=sign]')
}

const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]

/** A number that passes GB 11643. */
export function identityNumber(birth: string, sex: 'M' | 'F', order = 41): string {
  const last = String(order * 2 + (sex === 'M' ? 1 : 0)).padStart(3, '0')
  const body = `130534${birth.replace(/-/g, '')}${last}`
  const sum = weights.reduce((total, weight, at) => total + weight * Number(body[at]), 0)
  return body + '10X98765432'[sum % 11]
}
