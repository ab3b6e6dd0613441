// Images on their way in: each file hashed, what is already there not sent again, one instance a request, so that a cut
// costs at most the file under way. Nothing is changed in the files; one that lacks its head gets it. After a crash the same files chosen again go on
// from what the server has: nothing but a count is kept in the browser.
import { asProblem, call, post, problemOf } from '../api/client'
import { NoPhoto } from './made'
import { beginningOf, type Head, leadOf, readHead } from './part10'
import { BadZip, largestFile, type Source, startSize } from './zip'

export type Why =
  | 'not_dicom'
  | 'unreadable'
  | 'no_photo'
  | 'conflict'
  | 'refused'
  | 'zip_broken'
  | 'zip_locked'
  | 'zip_large'
  | 'zip_nested'
  | 'too_large'
export type Refusal = { file: string; why: Why; detail: string }

export type StudyState = {
  /** Empty until the server has said which study it is. */
  uid: string
  /** Modality and date as the files say. */
  what: string
  total: number
  received: number
  /** Of the studies before it and its own: they go one after another. */
  bytesLeft: number
}

export type Upload = {
  /** `full`: the hospital has no room left; held until somebody has made some. */
  at: 'reading' | 'sending' | 'cut' | 'full' | 'done'
  files: number
  read: number
  /** Instances that the server has, those from before included. */
  received: number
  total: number
  had: number
  bytesLeft: number
  bytesPerSecond: number
  refused: Refusal[]
  studies: StudyState[]
  /** Images that a CD's table of contents lists and that were not among the files. */
  absent: number
  /** When done: what was sent or was there, to be found again in the receipt. */
  held: Held[]
}
export type Held = { study: string; sop_uid: string; sha256: string }

export type Sent =
  | { ok: true; study: string | undefined }
  | { ok: false; why: Why; detail: string }
  | { ok: false; why: 'full'; detail: string }
export type Server = {
  have: (instances: { sop_uid: string; sha256: string }[]) => Promise<{ missing: string[]; conflicts: string[] }>
  /** Sends one instance; throws when the line is down. `told` hears how many of its bytes have arrived. */
  send: (bytes: Blob, sha256: string, told: (bytes: number) => void, pause: Pause) => Promise<Sent>
  wait: (ms: number) => Promise<void>
  now: () => number
}

/** A hold on an upload, a person's or for want of room: what is under way arrives, then nothing goes out until it is let go. */
export class Pause {
  private held: { until: Promise<void>; release: () => void } | undefined

  get on(): boolean {
    return this.held !== undefined
  }
  set(on: boolean): void {
    if (on === this.on) return
    if (!on) {
      this.held?.release()
      this.held = undefined
      return
    }
    let release = () => {}
    const until = new Promise<void>((done) => {
      release = done
    })
    this.held = { until, release }
  }
  async pass(): Promise<void> {
    while (this.held) await this.held.until
  }
}

type Item = Head & { source: Source; sha256: string; stands: 'left' | 'had' | 'sent' | 'refused' }

const hex = (digest: ArrayBuffer) =>
  [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const asked = 500 // instances a have-list
const retryAfter = 2000 // ms
const roomAfter = 30_000 // ms: so often one image is offered to a hospital that had no room

/** Reads, compares and sends; tells after every step; comes back by itself after a cut. */
export async function upload(
  sources: readonly Source[],
  server: Server,
  pause: Pause,
  tell: (state: Upload) => void,
): Promise<Upload> {
  const items: Item[] = []
  const refused: Refusal[] = []
  const listed = new Set<string>()
  let at: Upload['at'] = 'reading'
  let read = 0
  let partly = 0 // bytes of the file under way that have arrived
  let sent = 0 // bytes
  let spent = 0 // ms of sending; pauses and cuts don't count
  const now = (next: Upload['at'] = at): Upload => {
    at = next
    return snapshot({ at, read, files: sources.length, refused, bytesPerSecond: spent > 0 ? (sent * 1000) / spent : 0 })
  }
  const say = (next?: Upload['at']) => tell(now(next))
  const snapshot = (known: Pick<Upload, 'at' | 'files' | 'read' | 'refused' | 'bytesPerSecond'>): Upload => {
    const there = items.filter(({ stands }) => stands === 'had' || stands === 'sent')
    const studies: StudyState[] = []
    let bytesLeft = 0
    for (const one of items) {
      const uid = one.study ?? ''
      let state = studies.find((study) => study.uid === uid)
      if (!state) {
        state = { uid, what: [one.modality, one.date].filter(Boolean).join(' '), total: 0, received: 0, bytesLeft }
        studies.push(state)
      }
      state.total++
      if (one.stands === 'left') bytesLeft += one.source.size
      else if (one.stands !== 'refused') state.received++
      state.bytesLeft = bytesLeft
    }
    const known_sops = new Set(items.map(({ sop }) => sop))
    return {
      ...known,
      refused: [...refused],
      received: there.length,
      total: items.length,
      had: items.filter(({ stands }) => stands === 'had').length,
      bytesLeft: Math.max(0, bytesLeft - partly),
      studies,
      absent: at === 'reading' ? 0 : [...listed].filter((sop) => !known_sops.has(sop)).length,
      held: at === 'done' ? there.map(({ study, sop, sha256 }) => ({ study: study ?? '', sop_uid: sop, sha256 })) : [],
    }
  }
  const refuse = (file: string, why: Why, detail = '') => refused.push({ file, why, detail })

  const seen = new Set<string>()
  for (const source of sources) {
    await pause.pass()
    try {
      const whole = await dicomOf(source)
      if (typeof whole === 'string') refuse(source.name, whole)
      else {
        const bytes = await whole.file.arrayBuffer()
        const head = await readHead(bytes)
        if (!head) refuse(source.name, 'not_dicom')
        else if (head.listed) for (const sop of head.listed) listed.add(sop)
        else {
          const sha256 = hex(await crypto.subtle.digest('SHA-256', bytes))
          // A folder may hold the same file twice: it is one image.
          if (!seen.has(head.sop + sha256)) items.push({ ...head, source: whole.source, sha256, stands: 'left' })
          seen.add(head.sop + sha256)
        }
      }
    } catch (error) {
      // A scratched disc; the files beside it are read on.
      refuse(
        source.name,
        error instanceof NoPhoto ? 'no_photo' : error instanceof BadZip ? `zip_${error.why}` : 'unreadable',
      )
    }
    read++
    say('reading')
  }
  // One study after another, so that the first is whole while the next ones arrive.
  const order = [...new Set(items.map(({ study }) => study))]
  items.sort((a, b) => order.indexOf(a.study) - order.indexOf(b.study))

  const left = () => items.filter(({ stands }) => stands === 'left')
  /** What of `those` the server has already is not sent; what it knows with other bytes is told. */
  const compare = async (those: readonly Item[], stands: 'had' | 'sent') => {
    for (let from = 0; from < those.length; from += asked) {
      const part = those.slice(from, from + asked)
      const list = part.map(({ sop, sha256 }) => ({ sop_uid: sop, sha256 }))
      const { missing, conflicts } = await patiently(
        server,
        () => server.have(list),
        () => say('cut'),
      )
      for (const one of part) {
        if (conflicts.includes(one.sop)) {
          one.stands = 'refused'
          refuse(one.source.name, 'conflict')
        } else if (!missing.includes(one.sop)) one.stands = stands
      }
    }
    say('sending')
  }
  await compare(items, 'had')
  /** Nothing goes out until somebody lets it go, but for one image now and then: perhaps room was made. */
  const noRoom = async () => {
    partly = 0
    pause.set(true)
    say('full')
    await Promise.race([pause.pass(), server.wait(roomAfter)])
    pause.set(false)
  }

  for (let item = left()[0]; item; item = left()[0]) {
    await pause.pass()
    let bytes: Blob
    try {
      bytes = await item.source.read()
      await bytes.slice(0, 1).arrayBuffer()
    } catch {
      item.stands = 'refused' // the disc was taken out, the folder moved
      refuse(item.source.name, 'unreadable')
      say()
      continue
    }
    const began = server.now()
    try {
      const answer = await server.send(
        bytes,
        item.sha256,
        (arrived) => {
          partly = arrived
          say()
        },
        pause,
      )
      spent += Math.max(1, server.now() - began)
      if (!answer.ok && answer.why === 'full') {
        await noRoom()
        continue
      }
      sent += item.source.size
      if (answer.ok) {
        item.stands = 'sent'
        item.study ??= answer.study
      } else {
        item.stands = 'refused'
        refuse(item.source.name, answer.why, answer.detail)
      }
      partly = 0
      say('sending')
    } catch (error) {
      if (isFull(error)) {
        await noRoom()
        continue
      }
      partly = 0
      if (saysNoToOne(error)) {
        item.stands = 'refused'
        const { detail, remedy } = asProblem(error)
        refuse(item.source.name, 'refused', `${detail.zh}${remedy.zh} / ${detail.en} ${remedy.en}`)
        say('sending')
        continue
      }
      if (saysNo(error)) throw error
      say('cut')
      await server.wait(retryAfter)
      // The answer may be lost and the image safe: ask what is missing rather than send twice.
      await compare(left(), 'sent')
    }
  }
  const end = now('done')
  tell(end)
  return end
}

const statusOf = (error: unknown): number => (error as { status?: number }).status ?? 0

/** No room is left for the image (RFC 4918 §11.5). */
const isFull = (error: unknown): boolean => statusOf(error) === 507

/** The server knows us and says no: waiting does not help. A lack of room is such a no, 429 is not. */
function saysNo(error: unknown): boolean {
  const status = brokeOff(error) ? 0 : statusOf(error)
  return (status >= 400 && status < 500 && status !== 429) || status === 507
}

/** Of this file: it is malformed, too large or of a kind that is not taken. The others may still be. */
const saysNoToOne = (error: unknown): boolean => !brokeOff(error) && [400, 413, 415, 422].includes(statusOf(error))

/** The server saw the line break before the file's end, and could still say so. */
const brokeOff = (error: unknown): boolean => (error as { code?: string }).code === 'upload_broken'

/** The file as it will be sent, judged by its first bytes: no film and no archive is read whole. */
async function dicomOf(source: Source): Promise<{ source: Source; file: Blob } | Why> {
  const start = await (source.start ?? source.read)()
  const first = await start.slice(0, startSize).arrayBuffer()
  const begins = beginningOf(first)
  if (begins === 'zip') return 'zip_nested'
  if (begins === 'other') return 'not_dicom'
  if (source.size > largestFile) return 'too_large'
  const file = source.start ? await source.read() : start
  const lead = begins === 'bare' && leadOf(first)
  if (!lead) return { source, file }
  return {
    source: { ...source, read: async () => new Blob([lead, await source.read()]) },
    file: new Blob([lead, file]),
  }
}

async function patiently<T>(server: Server, ask: () => Promise<T>, onCut: () => void): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (saysNo(error)) throw error
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

const mostByStow = 16e6 // bytes; what is larger goes in parts that can be carried on inside a file
const partSize = 8 << 20 // bytes of one PATCH: the line tells every so often how far it is
const takingEvery = 1000 // ms

/** The browser's way to the archive of the named institution: STOW-RS (PS3.18 §10.5) for a slice, tus 1.0 above 16 MB. */
export function toServer(institution: string): Server {
  const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))
  return {
    have: (instances) => post(`/imaging/uploads/have?institution=${institution}`, { instances }),
    send: (bytes, sha256, told, pause) =>
      bytes.size <= mostByStow
        ? stow(institution, bytes)
        : tus(institution, bytes, sha256, told, () => pause.pass(), wait),
    wait,
    now: () => performance.now(),
  }
}

async function stow(institution: string, bytes: Blob): Promise<Sent> {
  const boundary = `yz-${crypto.randomUUID()}`
  const body = new Blob([`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, bytes, `\r\n--${boundary}--\r\n`])
  const response = await fetch(`/dicomweb/studies?institution=${institution}`, {
    method: 'POST',
    headers: {
      'Content-Type': `multipart/related; type="application/dicom"; boundary=${boundary}`,
      Accept: 'application/dicom+json',
    },
    body,
  })
  if (response.headers.get('Content-Type')?.includes('problem+json')) throw await problemOf(response)
  if ((response.status >= 500 && response.status !== 507) || response.status === 429)
    throw new Error(`storing answered ${response.status}`)
  return readStow(response.status, await response.json().catch(() => ({})))
}

type Took = {
  state: 'receiving' | 'taking' | 'done'
  stored: number
  studies: string[]
  refused: { reason: string; detail: { zh: string; en: string }; full?: boolean }[]
}

/** A large file, carried on where it stood even after the browser was closed: its digest leads to the upload's number. */
async function tus(
  institution: string,
  bytes: Blob,
  sha256: string,
  told: (bytes: number) => void,
  pass: () => Promise<void>,
  wait: (ms: number) => Promise<void>,
): Promise<Sent> {
  const note = `yz.upload.file.${sha256}`
  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: Blob) => {
    const init: RequestInit = { method, headers: { 'Tus-Resumable': '1.0.0', ...headers } }
    if (body) init.body = body
    const response = await fetch(path, init)
    if ((response.status >= 500 && response.status !== 507) || response.status === 429)
      throw new Error(`the upload answered ${response.status}`)
    return response
  }
  let place = localStorage.getItem(note)
  let offset = 0
  if (place) {
    const known = await ask('HEAD', place)
    if (known.ok) offset = Number(known.headers.get('Upload-Offset'))
    else place = null // cleared away after days, or another person's
  }
  if (!place) {
    const begun = await ask('POST', `/api/v1/imaging/uploads?institution=${institution}`, {
      'Upload-Length': String(bytes.size),
    })
    if (!begun.ok) throw await problemOf(begun)
    place = begun.headers.get('Location') ?? ''
    localStorage.setItem(note, place)
  }
  while (offset < bytes.size) {
    told(offset)
    await pass()
    const moved = await ask(
      'PATCH',
      place,
      { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) },
      bytes.slice(offset, offset + partSize),
    )
    // 409: another window has sent on; the next attempt asks where it stands.
    if (moved.status === 409) throw new Error('the upload stands elsewhere')
    if (!moved.ok) throw await problemOf(moved)
    offset = Number(moved.headers.get('Upload-Offset'))
  }
  told(bytes.size)
  for (;;) {
    const took = await call<Took>('GET', place.slice('/api/v1'.length))
    if (took.state !== 'done') {
      await wait(takingEvery)
      continue
    }
    localStorage.removeItem(note)
    const [no] = took.refused
    if (!no) return { ok: true, study: took.studies[0] }
    // The room was given away while it came: held until there is some, as if it had not been begun.
    if (no.full) return { ok: false, why: 'full', detail: '' }
    return {
      ok: false,
      why: no.reason === '0111' ? 'conflict' : 'refused',
      detail: `${no.detail.zh} / ${no.detail.en}`,
    }
  }
}

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
  const why = status === 507 ? 'full' : reason === 0x0111 ? 'conflict' : 'refused'
  return { ok: false, why, detail: detail || `${status}` }
}
