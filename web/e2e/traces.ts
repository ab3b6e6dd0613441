// What a journey leaves behind, outside the screens and the sealed records: the server's logs, every address that a browser
// asked for or stood at, what scripts can read in the browser afterwards, the names of files and objects. None of it may tell
// of a patient, or hold what opens a door.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'

type Trace = { where: string; text: string }
type Mark = { what: string; in: (text: string) => boolean }

/** Fields of answers that open a door to whoever has them. */
const doors = /^(token|secret|session|ticket|totp_secret|password|passphrase)$/

function secretsIn(value: unknown, into: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value))
    if (typeof inner === 'string') doors.test(name) && inner.length >= 8 && into.add(inner)
    else secretsIn(inner, into)
}

const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
/** GB 11643, by its check digit. */
const identity = (text: string) =>
  [...text.matchAll(/(?<![\w.-])\d{6}(?:19|20)\d{9}[\dXx](?![\w.-])/g)].some(
    ([digits]) =>
      '10X98765432'[weights.reduce((sum, weight, at) => sum + weight * Number(digits[at]), 0) % 11] ===
      digits[17]?.toUpperCase(),
  )
const phone = (text: string) => /(?<![\w.-])(?:\+?86)?1[3-9]\d{9}(?![\w.-])/.test(text)

/** As it stands, and as it reads once what addresses and JSON write otherwise is undone. */
function readings(text: string): string {
  const plain = text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString())
    .replace(/\\u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return `${text}\n${plain}`.toLowerCase()
}

export class Traces {
  private readonly all: Trace[] = []
  private readonly contexts = new Map<BrowserContext, string>()
  private readonly secrets = new Set<string>()
  private readonly names = new Set<string>()
  private addresses = 0

  /** Names, in every script, that nothing may tell. */
  hide(...names: string[]): void {
    for (const name of names) this.names.add(name)
  }

  /** What an answer hands out must stand nowhere. */
  handed(answer: unknown): void {
    secretsIn(answer, this.secrets)
  }

  watch(context: BrowserContext, who: string): void {
    this.contexts.set(context, who)
    const address = (what: string, text: string) => {
      this.addresses++
      this.all.push({ where: `${who}: ${what}`, text })
    }
    context.on('request', (request) => {
      address('an address asked for', request.url().replace(/#.*/, ''))
      address('a referrer', request.headers().referer ?? '')
    })
    context.on('response', async (response) => {
      if (!response.url().includes('/api/') || !response.headers()['content-type']?.includes('json')) return
      this.handed(await response.json().catch(() => undefined)) // the page may be gone
    })
    const follow = (page: Page) => {
      // The fragment stays in the browser. It may hold what a link opens, until the page has read it.
      page.on('framenavigated', (frame) => address('an address stood at', frame.url().replace(/#.*/, '')))
      page.on('websocket', (socket) => address('a socket', socket.url()))
      page.on('console', (message) => this.all.push({ where: `${who}: the console`, text: message.text() }))
    }
    for (const page of context.pages()) follow(page)
    context.on('page', follow)
  }

  /** Everything that tells what it may not, as sentences. `folder` is the platform's own, with its logs and objects. */
  async found(folder: string, address: string): Promise<{ told: string[]; looked: string }> {
    for (const [context, who] of this.contexts) await this.browser(context, who, address)
    let paths = 0
    for (const path of await readdir(folder, { recursive: true })) {
      if (/(^|\/)pg-[^/]+\/data\//.test(path)) continue // the cluster's own files are numbered
      this.all.push({ where: 'the name of a file or object', text: path })
      paths++
      if (/(^|\/)(log|server\.log)$/.test(path))
        for (const line of (await readFile(join(folder, path), 'utf8')).split('\n'))
          this.all.push({ where: path, text: line })
    }
    const marks: Mark[] = [
      { what: 'an identity number', in: identity },
      { what: 'a telephone number', in: phone },
      ...[...this.names].map((name) => ({ what: name, in: (text: string) => text.includes(name.toLowerCase()) })),
      ...[...this.secrets].map((secret) => ({
        what: `the secret ${secret.slice(0, 4)}…`,
        in: (text: string) => text.includes(secret.toLowerCase()),
      })),
    ]
    const told = new Set<string>()
    for (const { where, text } of this.all) {
      const read = readings(text)
      for (const mark of marks) if (mark.in(read)) told.add(`${where} tells ${mark.what}: ${text.slice(0, 200)}`)
    }
    return {
      told: [...told],
      looked: `${this.addresses} addresses, ${this.contexts.size} browsers, ${paths} files and objects, ${this.all.length} texts in all, for ${this.names.size} names and ${this.secrets.size} secrets`,
    }
  }

  /** What scripts of the house's pages can read in a browser. */
  private async browser(context: BrowserContext, who: string, address: string): Promise<void> {
    for (const cookie of await context.cookies())
      if (cookie.httpOnly) this.secrets.add(cookie.value)
      else this.all.push({ where: `${who}: a cookie`, text: `${cookie.name}=${cookie.value}` })
    for (const page of context.pages()) {
      if (!page.url().startsWith(`${address}/`))
        await page.goto(`${address}/healthz`) // what the tab keeps of the house is still there
      else this.all.push({ where: `${who}: the address bar`, text: page.url() })
      for (const [where, text] of await kept(page)) this.all.push({ where: `${who}: ${where}`, text })
    }
  }
}

/** localStorage, sessionStorage, IndexedDB and Cache Storage of a page, as texts. */
function kept(page: Page): Promise<[string, string][]> {
  return page.evaluate(async () => {
    const found: [string, string][] = []
    for (const [name, storage] of Object.entries({ localStorage, sessionStorage }))
      for (const [key, value] of Object.entries(storage)) found.push([name, `${key}=${value}`])
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((good, bad) => {
        request.onsuccess = () => good(request.result)
        request.onerror = () => bad(request.error)
      })
    for (const { name = '' } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name))
      for (const table of database.objectStoreNames) {
        const rows = database.transaction(table).objectStore(table)
        const [keys, values] = await Promise.all([done(rows.getAllKeys()), done(rows.getAll())])
        found.push([`IndexedDB ${name}/${table}`, JSON.stringify([keys, values])])
      }
      database.close()
    }
    for (const name of 'caches' in globalThis ? await caches.keys() : []) {
      const cache = await caches.open(name)
      for (const request of await cache.keys()) {
        const answer = await cache.match(request)
        const type = answer?.headers.get('content-type') ?? ''
        found.push([`Cache Storage ${name}`, request.url])
        if (/text|json/.test(type)) found.push([`Cache Storage ${name}`, (await answer?.text()) ?? ''])
      }
    }
    return found
  })
}
