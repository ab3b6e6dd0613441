// Evidence codes read and checked in the browser, without asking anybody: base64url over one CBOR array (RFC 8949)
// and a 64-byte signature of SM2 or Ed25519. The format is that of the Go package prescribe/qr.
import type { VerifyKey } from '../api/types/prescribe'

const context = 'yuanzhen evidence 2\n'
/** Codes from before SM2: nine fields, no algorithm. */
const contextBefore = 'yuanzhen evidence 1\n'
const signatureSize = 64
const longest = 1023

export type Evidence = {
  number: string
  hospital: string
  doctor: string
  initial: string
  birthYear: number
  lines: { name: string; use: string; days: number }[]
  /** 2026-11-21, days in China. */
  issued: string
  until: string
  keyId: string
  alg: 'SM2' | 'Ed25519'
}

export type Checked =
  | { result: 'genuine' | 'expired' | 'revoked'; evidence: Evidence }
  | { result: 'forged' | 'unknown_key' }
  | { result: 'cannot_check'; evidence: Evidence }

type Cbor = number | string | Uint8Array | Cbor[]

/** The part of CBOR that codes use: unsigned integers, byte and text strings, arrays; all lengths definite. */
export function readCbor(bytes: Uint8Array): Cbor {
  let at = 0
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw new RangeError('the code ends too early')
    at += count
    return bytes.subarray(at - count, at)
  }
  const argument = (short: number): number => {
    if (short < 24) return short
    const width = { 24: 1, 25: 2, 26: 4 }[short]
    if (!width) throw new RangeError('a length this code does not use')
    return take(width).reduce((value, byte) => value * 256 + byte, 0)
  }
  const item = (depth: number): Cbor => {
    const [head = 0] = take(1)
    const size = argument(head & 31)
    switch (head >> 5) {
      case 0:
        return size
      case 2:
        return take(size)
      case 3:
        return new TextDecoder('utf-8', { fatal: true }).decode(take(size))
      case 4:
        if (depth > 3 || size > 16) throw new RangeError('too deep or too long')
        return Array.from({ length: size }, () => item(depth + 1))
      default:
        throw new RangeError('a type this code does not use')
    }
  }
  const value = item(0)
  if (at !== bytes.length) throw new RangeError('something follows the code')
  return value
}

const day = (value: number) =>
  `${Math.floor(value / 10000)}-${String(Math.floor(value / 100) % 100).padStart(2, '0')}-${String(value % 100).padStart(2, '0')}`
const number = (value: Cbor | undefined): number => {
  if (typeof value !== 'number') throw new TypeError('a number is missing')
  return value
}
const text = (value: Cbor | undefined): string => {
  if (typeof value !== 'string') throw new TypeError('a text is missing')
  return value
}
const list = (value: Cbor | undefined, length?: number): Cbor[] => {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length))
    throw new TypeError('a list is missing')
  return value
}
const uuid = (value: Cbor | undefined): string => {
  if (!(value instanceof Uint8Array) || value.length !== 16) throw new TypeError('a key id is missing')
  const hex = [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export function fromBase64(code: string): Uint8Array<ArrayBuffer> {
  const raw = atob(code.replace(/-/g, '+').replace(/_/g, '/'))
  return Uint8Array.from(raw, (char) => char.charCodeAt(0))
}

type Opened = { evidence: Evidence; document: Uint8Array<ArrayBuffer>; signature: Uint8Array<ArrayBuffer> }

/** Takes a code apart; undefined when it is none. Nothing in it is to be believed before the signature is checked. */
export function openCode(code: string): Opened | undefined {
  if (code.length > longest || !/^[\w-]+$/.test(code)) return undefined
  try {
    const raw = fromBase64(code)
    const payload = raw.slice(0, -signatureSize)
    const fields = list(readCbor(payload))
    const before = fields.length === 9
    const alg = before ? 'Ed25519' : text(list(fields, 10)[9])
    if (alg !== 'SM2' && alg !== 'Ed25519') return undefined
    const lines = list(fields[5]).map((one) => {
      const [name, use, days] = list(one, 3)
      return { name: text(name), use: text(use), days: number(days) }
    })
    const evidence: Evidence = {
      number: text(fields[0]),
      hospital: text(fields[1]),
      doctor: text(fields[2]),
      initial: text(fields[3]),
      birthYear: number(fields[4]),
      lines,
      issued: day(number(fields[6])),
      until: day(number(fields[7])),
      keyId: uuid(fields[8]),
      alg,
    }
    const head = new TextEncoder().encode(before ? contextBefore : context)
    const document = new Uint8Array(head.length + payload.length)
    document.set(head)
    document.set(payload, head.length)
    return { evidence, document, signature: raw.slice(-signatureSize) }
  } catch {
    return undefined
  }
}

const chinaDay = (at: string | Date) =>
  new Intl.DateTimeFormat('en-CA', {
    timeZone: 'Asia/Shanghai',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).format(new Date(at))

async function fits(key: VerifyKey, document: Uint8Array<ArrayBuffer>, signature: Uint8Array<ArrayBuffer>) {
  const bytes = fromBase64(key.public_key)
  if (key.alg === 'SM2') return (await import('./sm2')).verifySm2(bytes, document, signature)
  const imported = await crypto.subtle.importKey('raw', bytes, 'Ed25519', false, ['verify'])
  return crypto.subtle.verify('Ed25519', imported, signature, document)
}

/** Checks a code against the keys at hand. A browser that can't (no Ed25519, no line for SM2) says so and never guesses. */
export async function checkCode(code: string, keys: readonly VerifyKey[], now: Date): Promise<Checked> {
  const opened = openCode(code)
  if (!opened) return { result: 'forged' }
  const { evidence, document, signature } = opened
  const key = keys.find((one) => one.key_id.toLowerCase() === evidence.keyId)
  if (key?.alg !== 'SM2' && key?.alg !== 'Ed25519') return { result: 'unknown_key' }
  if (key.alg !== evidence.alg) return { result: 'forged' }
  try {
    if (!(await fits(key, document, signature))) return { result: 'forged' }
  } catch {
    return { result: 'cannot_check', evidence }
  }
  const { issued } = evidence
  if (
    issued < chinaDay(key.from) ||
    issued > chinaDay(key.to) ||
    (key.revoked_at !== undefined && issued > chinaDay(key.revoked_at))
  )
    return { result: 'revoked', evidence }
  return { result: chinaDay(now) > evidence.until ? 'expired' : 'genuine', evidence }
}

/** The code inside what was scanned or pasted: a bare code, or an address with the code behind #. */
export function codeIn(scanned: string): string {
  const plain = scanned.replace(/\s/g, '')
  const hash = plain.indexOf('#')
  return hash < 0 ? plain : plain.slice(hash + 1)
}
