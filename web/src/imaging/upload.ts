// Images on their way in: each file hashed, what is already there not sent again, one instance a request, so that a cut
// costs at most the file under way. Nothing is changed in the files.
import { post } from '../api/client'
import { sopOf } from './part10'

export type Refusal = { file: string; why: 'not_dicom' | 'conflict' | 'refused'; detail: string }
export type Upload = {
  at: 'reading' | 'sending' | 'cut' | 'done'
  files: number
  read: number
  /** Instances that the server has, those from before included. */
  received: number
  total: number
  had: number
  bytesLeft: number
  bytesPerSecond: number
  refused: Refusal[]
  studies: string[]
}

export type Sent = { ok: true; study: string | undefined } | { ok: false; why: Refusal['why']; detail: string }
export type Server = {
  missing: (instances: { sop_uid: string; sha256: string }[]) => Promise<string[]>
  /** Sends one instance; throws when the line is down. */
  send: (bytes: ArrayBuffer) => Promise<Sent>
  wait: (ms: number) => Promise<void>
  now: () => number
}

type Item = { file: File; sop: string; sha256: string }

const hex = (digest: ArrayBuffer) =>
  [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const asked = 500 // instances a have-list
const retryAfter = 2000 // ms

/** Reads, compares and sends; tells after every step; comes back by itself after a cut. */
export async function upload(files: readonly File[], server: Server, tell: (state: Upload) => void): Promise<Upload> {
  let state: Upload = {
    at: 'reading',
    files: files.length,
    read: 0,
    received: 0,
    total: 0,
    had: 0,
    bytesLeft: 0,
    bytesPerSecond: 0,
    refused: [],
    studies: [],
  }
  const set = (change: Partial<Upload>) => {
    state = { ...state, ...change }
    tell(state)
  }
  const items: Item[] = []
  for (const file of files) {
    const bytes = await file.arrayBuffer()
    const sop = sopOf(bytes)
    if (sop) items.push({ file, sop, sha256: hex(await crypto.subtle.digest('SHA-256', bytes)) })
    else set({ refused: [...state.refused, { file: file.name, why: 'not_dicom', detail: '' }] })
    set({ read: state.read + 1 })
  }
  set({ at: 'sending', total: items.length })

  let left = await patiently(
    server,
    () => stillMissing(items, server),
    () => set({ at: 'cut' }),
  )
  set({ at: 'sending', had: items.length - left.length, received: items.length - left.length, bytesLeft: sum(left) })
  const began = server.now()
  let sent = 0
  while (left.length > 0) {
    const [item, ...rest] = left as [Item, ...Item[]]
    let answer: Sent
    try {
      answer = await server.send(await item.file.arrayBuffer())
    } catch {
      set({ at: 'cut' })
      await server.wait(retryAfter)
      // The answer may be lost and the image safe: ask what is missing rather than send twice.
      left = await patiently(
        server,
        () => stillMissing(left, server),
        () => set({ at: 'cut' }),
      )
      set({
        at: 'sending',
        received: state.total - state.refused.filter(({ why }) => why !== 'not_dicom').length - left.length,
        bytesLeft: sum(left),
      })
      continue
    }
    left = rest
    sent += item.file.size
    const seconds = Math.max(0.001, (server.now() - began) / 1000)
    const progress = { bytesLeft: sum(left), bytesPerSecond: sent / seconds }
    if (answer.ok) {
      const { study } = answer
      set({
        ...progress,
        received: state.received + 1,
        studies: study && !state.studies.includes(study) ? [...state.studies, study] : state.studies,
      })
    } else
      set({
        ...progress,
        refused: [...state.refused, { file: item.file.name, why: answer.why, detail: answer.detail }],
      })
  }
  set({ at: 'done' })
  return state
}

const sum = (items: readonly Item[]) => items.reduce((total, { file }) => total + file.size, 0)

async function stillMissing(items: readonly Item[], server: Server): Promise<Item[]> {
  const missing = new Set<string>()
  for (let from = 0; from < items.length; from += asked) {
    const part = items.slice(from, from + asked).map(({ sop, sha256 }) => ({ sop_uid: sop, sha256 }))
    for (const sop of await server.missing(part)) missing.add(sop)
  }
  return items.filter(({ sop }) => missing.has(sop))
}

async function patiently<T>(server: Server, ask: () => Promise<T>, onCut: () => void): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const status = (error as { status?: number }).status ?? 0
      if (status > 0 && status < 500) throw error // the server knows us and says no: waiting does not help
      onCut()
      await server.wait(retryAfter)
    }
  }
}

/** The half of a detail in the reader's language, without the number of a part: each request carries one file. */
export function detailIn(lang: 'zh' | 'en', detail: string): string {
  const [zh = '', en = zh] = detail.split(' / ')
  return (lang === 'zh' ? zh : en).replace(/^(第 ?\d+ ?个文件：|Part \d+: )/, '')
}

type StowItem = {
  '00081155'?: { Value?: string[] }
  '00081190'?: { Value?: string[] }
  '00081197'?: { Value?: number[] }
  '00000902'?: { Value?: string[] }
}
type StowAnswer = {
  '00081199'?: { Value?: StowItem[] }
  '00081198'?: { Value?: StowItem[] }
  '00081190'?: { Value?: string[] }
}

/** One instance as a STOW-RS request (PS3.18 §10.5) on the browser's fetch, kept by the named institution. */
export const stow = (institution: string): Server => ({
  missing: async (instances) =>
    (await post<{ missing: string[] }>(`/imaging/uploads/have?institution=${institution}`, { instances })).missing,
  send: async (bytes) => {
    const boundary = `yz-${crypto.randomUUID()}`
    const body = new Blob([
      `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`,
      bytes,
      `\r\n--${boundary}--\r\n`,
    ])
    const response = await fetch(`/dicomweb/studies?institution=${institution}`, {
      method: 'POST',
      headers: {
        'Content-Type': `multipart/related; type="application/dicom"; boundary=${boundary}`,
        Accept: 'application/dicom+json',
      },
      body,
    })
    if (response.status >= 500 || response.status === 429) throw new Error(`storing answered ${response.status}`)
    return readStow(response.status, await response.json().catch(() => ({})))
  },
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
  now: () => performance.now(),
})

export function readStow(status: number, answer: StowAnswer): Sent {
  const good = answer['00081199']?.Value?.[0]
  if (good && status < 300) {
    const url = good['00081190']?.Value?.[0] ?? answer['00081190']?.Value?.[0] ?? ''
    return { ok: true, study: /\/studies\/([0-9.]+)/.exec(url)?.[1] }
  }
  const bad = answer['00081198']?.Value?.[0]
  const reason = bad?.['00081197']?.Value?.[0]
  const detail = bad?.['00000902']?.Value?.[0] ?? ''
  // PS3.18 I.2.2: 0x0111 is a duplicate SOP instance, other bytes under the same number.
  return { ok: false, why: reason === 0x0111 ? 'conflict' : 'refused', detail: detail || `${status}` }
}
