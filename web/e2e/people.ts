// The demo people and how they sign in, through the same pages as everybody.
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'

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

export function address(): string {
  const given = process.env.YZ_ADDR
  if (!given) throw new Error('YZ_ADDR is not set: start `yuanzhen dev` and give its address')
  return given.replace(/\/$/, '')
}

/** The cast from YZ_CAST (a file or the JSON itself), else from the running demo. */
export async function cast(): Promise<Person[]> {
  const given = process.env.YZ_CAST
  if (given) return JSON.parse(given.trimStart().startsWith('[') ? given : await readFile(given, 'utf8'))
  const response = await fetch(`${address()}/api/v1/demo/cast`)
  if (!response.ok) throw new Error(`the demo cast answered ${response.status}`)
  return (await response.json()) as Person[]
}

export function named(people: Person[], login: string): Person {
  const found = people.find(({ sign_in }) => sign_in.login === login || sign_in.phone === login)
  if (!found) throw new Error(`nobody signs in as ${login}`)
  return found
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

/** Signs in at the workspace. A code counts once, so a second sign-in within 30 seconds waits for the next one. */
export async function enterWorkspace(page: Page, person: Person): Promise<void> {
  const { login = '', password = '', totp_secret = '' } = person.sign_in
  await page.goto(`${address()}/work`)
  await page.fill('input[name=login]', login)
  await page.fill('input[name=password]', password)
  for (let attempt = 0; attempt < 3; attempt++) {
    await page.fill('input[name=totp]', totp(totp_secret))
    await page.click('button[type=submit]')
    const done = await Promise.race([
      page.waitForSelector('.deskbar').then(() => true),
      page.waitForSelector('.notice.danger').then(() => false),
    ])
    if (done) return
    await page.waitForTimeout(30_000 - (Date.now() % 30_000) + 500)
  }
  throw new Error(`${login} could not sign in: ${await page.textContent('.notice.danger')}`)
}

/** Signs in by phone with the code from the simulated inbox, as a person at the demo would. */
export async function enterByPhone(page: Page, phone: string): Promise<void> {
  await page.goto(address())
  await page.fill('input[name=phone]', phone)
  await page.click('button[type=submit]')
  await page.click('[data-test=open-inbox]')
  const message = await page.textContent('[data-test=inbox] p')
  const code = /\d{6}/.exec(message ?? '')?.[0]
  if (!code) throw new Error(`no code in the inbox: ${message}`)
  await page.click('dialog button')
  await page.fill('input[name=code]', code)
  await page.click('button[type=submit]')
}

const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]

/** A number that passes GB 11643, different at every run. */
export function identityNumber(birth: string, sex: 'M' | 'F'): string {
  const order = String(Math.floor(Math.random() * 499) * 2 + (sex === 'M' ? 1 : 0)).padStart(3, '0')
  const body = `130534${birth.replace(/-/g, '')}${order}`
  const sum = weights.reduce((total, weight, at) => total + weight * Number(body[at]), 0)
  return body + '10X98765432'[sum % 11]
}
