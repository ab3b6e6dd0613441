// The built pages behind answers written by hand: screens in states that a running hospital reaches only with effort.
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, resolve } from 'node:path'

const dist = resolve('dist')
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; img-src 'self' data: blob:; " +
  "media-src 'self' blob:; connect-src 'self'; frame-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
const types: Record<string, string> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.html': 'text/html; charset=utf-8',
}

/** An answer that is a refusal. */
export class Refused {
  constructor(readonly status: number) {}
}
export const refuse = (status: number) => new Refused(status)

export type Answers = Record<string, unknown | ((body: unknown) => unknown)>

export async function serve(answers: Answers): Promise<{ address: string; server: Server; answers: Answers }> {
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/healthz') return void response.end('ok')
    if (pathname === '/api/v1/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('event: heartbeat\ndata: {}\n\n')
      return
    }
    if (pathname.startsWith('/api/')) {
      const key = `${request.method} ${pathname.slice('/api/v1'.length)}`
      const found = answers[key + search] ?? answers[key]
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const raw = Buffer.concat(chunks).toString()
        const body: unknown = raw.startsWith('{') ? JSON.parse(raw) : undefined
        const no = found instanceof Refused ? found.status : found === undefined ? 404 : 200
        const value =
          found instanceof Refused
            ? undefined
            : typeof found === 'function'
              ? (found as (body: unknown) => unknown)(body)
              : found
        response.writeHead(no, { 'Content-Type': no === 200 ? 'application/json' : 'application/problem+json' })
        response.end(
          JSON.stringify(
            value ?? {
              code: 'not_found',
              detail: { zh: `没有 ${key}`, en: `no ${key}` },
              remedy: { zh: '', en: '' },
              request_id: 'fixture',
            },
          ),
        )
      })
      return
    }
    const file = extname(pathname)
      ? pathname
      : pathname.startsWith('/staff')
        ? '/workspace.html'
        : pathname.startsWith('/verify')
          ? '/verify.html'
          : '/patient.html'
    readFile(dist + file)
      .then((bytes) => {
        const headers: Record<string, string> = { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }
        if (file.endsWith('.html')) headers['Content-Security-Policy'] = policy
        response.writeHead(200, headers)
        response.end(bytes)
      })
      .catch(() => {
        response.writeHead(404)
        response.end()
      })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const port = (server.address() as { port: number }).port
  return { address: `http://127.0.0.1:${port}`, server, answers }
}
