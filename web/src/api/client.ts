// One way to talk to the server: JSON in, JSON out, problem+json (RFC 9457) as a typed error a person can act on.
import type { Text } from './types/common'

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: Text,
    readonly remedy: Text,
    readonly requestId: string,
    readonly extra: Record<string, unknown> = {},
  ) {
    super(`${status} ${code}`)
  }

  /** What the server added for the program, such as the nearest free times. */
  given(name: string): unknown {
    const data = this.extra.data
    return typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[name] : undefined
  }

  /** The line is down or the server did not answer: what was typed is still here and the deed may be tried again. */
  get offline(): boolean {
    return this.status === 0
  }
}

const noLine = () =>
  new Problem(
    0,
    'offline',
    { zh: '现在没有网，还没有发出去。', en: 'No connection. Nothing was sent.' },
    { zh: '您填的都在。有网后再点一次。', en: 'Your answers are kept. Try again when connected.' },
    '',
  )

const isText = (value: unknown): value is Text =>
  typeof value === 'object' && value !== null && typeof (value as Text).zh === 'string'

const text = (value: unknown, otherwise: Text): Text =>
  isText(value) ? value : typeof value === 'string' && value !== '' ? { zh: value, en: value } : otherwise

export async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => ({}))
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  const { code, detail, remedy, request_id, ...extra } = fields
  return new Problem(
    response.status,
    typeof code === 'string' ? code : `http_${response.status}`,
    text(detail, { zh: '我们出了问题，您填的都在。', en: 'Our fault. Your answers are safe.' }),
    text(remedy, { zh: '请过一会儿再试。', en: 'Please try again in a while.' }),
    typeof request_id === 'string' ? request_id : (response.headers.get('X-Request-Id') ?? ''),
    extra,
  )
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export type Ask = {
  body?: unknown
  form?: FormData
  signal?: AbortSignal
  once?: string
  headers?: Record<string, string>
}

/**
 * Sends one request and reads one answer. `once` is the idempotency key of a deed: keep it while the same deed is
 * repeated, so that a lost answer never does it twice.
 */
export async function call<T>(method: Method, path: string, ask: Ask = {}): Promise<T> {
  const headers: Record<string, string> = { ...ask.headers, Accept: 'application/json' }
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET') headers['Idempotency-Key'] = ask.once ?? crypto.randomUUID()
  const init: RequestInit = { method, headers, credentials: 'same-origin' }
  if (ask.form) init.body = ask.form
  else if (ask.body !== undefined) init.body = JSON.stringify(ask.body)
  if (ask.signal) init.signal = ask.signal
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, init)
  } catch (cause) {
    if (ask.signal?.aborted) throw cause
    throw noLine()
  }
  if (!response.ok) throw await problemOf(response)
  if (response.status === 204) return undefined as T
  return (await response.json().catch(() => undefined)) as T
}

/** A file of the server, whole. */
export async function file(path: string, headers: Record<string, string> = {}): Promise<Blob> {
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, { headers, credentials: 'same-origin' })
  } catch {
    throw noLine()
  }
  if (!response.ok) throw await problemOf(response)
  return response.blob()
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, signal ? { signal } : {})
export const post = <T>(path: string, body: unknown = {}, once?: string) =>
  call<T>('POST', path, once ? { body, once } : { body })
export const put = <T>(path: string, body: unknown) => call<T>('PUT', path, { body })

/** Query string of the stated values only. */
export function query(values: Record<string, string | number | undefined>): string {
  const stated = Object.entries(values).filter(
    (pair): pair is [string, string | number] => pair[1] !== undefined && pair[1] !== '',
  )
  return stated.length === 0 ? '' : `?${new URLSearchParams(stated.map(([k, v]) => [k, String(v)]))}`
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem(
    -1,
    'page',
    { zh: '页面出了问题，您填的都在。', en: 'The page had a problem. Your answers are safe.' },
    { zh: '请刷新页面再试。', en: 'Please reload the page and try again.' },
    '',
    { cause: String(error) },
  )
}
