// A platform of our own for one journey: the real binary on an empty data folder, ended by its process id.
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const host = process.env.HOUSE_HOST ?? '127.0.0.1'
const startTime = 120_000 // ms; the first start makes a database cluster

export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, ms = 30_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`)
    await new Promise((done) => setTimeout(done, 100))
  }
}

const freeUdp = () =>
  new Promise<number>((done, fail) => {
    const socket = createSocket('udp4').once('error', fail)
    socket.bind(0, host, () => {
      const { port } = socket.address()
      socket.close(() => done(port))
    })
  })

const freeTcp = () =>
  new Promise<number>((done, fail) => {
    const server = createServer().once('error', fail)
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

export type Answer = { status: number; body: unknown }

export class House {
  address = ''
  /** Told of every answer of the API that a program got. */
  heard: (answer: unknown) => void = () => {}
  private child: ChildProcess | undefined

  private constructor(
    readonly folder: string,
    readonly udp: number,
    readonly tcp: number,
  ) {}

  static async open(): Promise<House> {
    const folder = await mkdtemp(join(tmpdir(), 'yuanzhen-journey-'))
    const house = new House(folder, await freeUdp(), await freeTcp())
    await house.start()
    return house
  }

  /** Starts the server; after a crash again on the same data, address and media ports. Returns the milliseconds it took. */
  async start(): Promise<number> {
    const began = Date.now()
    const ready = join(this.folder, 'ready')
    await rm(ready, { force: true })
    const log = openSync(join(this.folder, 'log'), 'a')
    const screen = openSync(join(this.folder, 'screen'), 'a') // of the demo: it shows who its people are
    const flags = {
      data: join(this.folder, 'data'),
      listen: this.address ? new URL(this.address).host : `${host}:0`,
      store: process.env.STORE ?? 'gateway',
      'media-udp': `${host}:${this.udp}`,
      'media-tcp': `${host}:${this.tcp}`,
      'ready-file': ready,
    }
    const child = spawn(
      resolve(process.env.YUANZHEN_BIN ?? '../bin/yuanzhen'),
      ['dev', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
      { stdio: ['ignore', screen, log] },
    )
    this.child = child
    await writeFile(join(this.folder, 'pid'), String(child.pid))
    this.address = await until(
      'the platform is up',
      async () => {
        if (child.exitCode !== null) throw new Error(`the platform did not start:\n${await this.log()}`)
        return (await readFile(ready, 'utf8').catch(() => '')).trim() || undefined
      },
      startTime,
    )
    return Date.now() - began
  }

  /** As when the power goes: nothing is said, nothing written. */
  crash(): Promise<void> {
    return this.end('SIGKILL')
  }

  async close(): Promise<void> {
    await this.end('SIGTERM')
    await rm(this.folder, { recursive: true, force: true })
  }

  log(): Promise<string> {
    return readFile(join(this.folder, 'log'), 'utf8')
  }

  /** An API call without a browser, as a program with a session would make it. */
  async call(session: string, method: string, path: string, body?: object | FormData): Promise<Answer> {
    const form = body instanceof FormData
    const response = await fetch(this.address + path, {
      method,
      headers: {
        Authorization: `Bearer ${session}`,
        'Idempotency-Key': crypto.randomUUID(),
        ...(form ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body ? { body: form ? body : JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    const answer: unknown = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text
    this.heard(answer)
    return { status: response.status, body: answer }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }
}
