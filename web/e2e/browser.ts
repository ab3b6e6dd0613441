// Chromium as the tests use it: a fresh profile each time, fake camera and microphone, nothing sent to the outside.
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export const shots = resolve('e2e/shots')

export function executable(): string {
  const found = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
    (path) => path && existsSync(path),
  )
  if (!found) throw new Error('no Chromium: install it (apt-get install chromium) or name it in CHROMIUM')
  return found
}

export const args = [
  '--no-sandbox',
  '--use-fake-device-for-media-stream=fps=15',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The trial's own certificate of the relay; pages of the house come over loopback without any.
  '--ignore-certificate-errors',
  '--no-first-run',
  '--disable-dev-shm-usage',
]

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable(),
    args,
  })
}

export const phone = { viewport: { width: 360, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
export const desk = { viewport: { width: 1366, height: 768 } }
export const reading = { viewport: { width: 1920, height: 1080 } }

type Size = typeof phone | typeof desk | typeof reading

/** A person with a browser of their own; page errors are kept so that a test can insist on none. */
export type Someone = { context: BrowserContext; page: Page; errors: string[] }

export async function someone(browser: Browser, size: Size, address?: string): Promise<Someone> {
  const context = await browser.newContext({
    ...size,
    ...(address ? { baseURL: address } : {}),
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    permissions: ['camera', 'microphone'],
  })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(`page: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Refused to/.test(message.text()))
      errors.push(`policy: ${message.text()}`)
  })
  return { context, page, errors }
}

export async function shot(page: Page, name: string, fullPage = false): Promise<void> {
  await mkdir(shots, { recursive: true })
  await page.screenshot({ path: `${shots}/${name}.png`, fullPage, animations: 'disabled' })
}
