// Just enough of a DICOM file (PS3.10) to name it and its study before it is sent. What cannot be read here is left to
// the server, which reads everything.

export type Head = {
  sop: string
  /** Undefined where the file doesn't name one. */
  study: string | undefined
  modality: string
  /** 2004-01-19, or empty. */
  date: string
  /** A CD's table of contents (DICOMDIR): the SOP Instance UIDs that it lists. */
  listed: string[] | undefined
}

const mediaDirectory = '1.2.840.10008.1.3.10'
const implicit = '1.2.840.10008.1.2'
const explicitLittle = '1.2.840.10008.1.2.1'
const bigEndian = '1.2.840.10008.1.2.2'
const deflated = '1.2.840.10008.1.2.1.99'
const longForm = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])
const unknownLength = 0xffffffff
const [item, itemEnd, sequenceEnd] = [0xfffee000, 0xfffee00d, 0xfffee0dd]
const mark = 0x4449434d // "DICM"
const deflatedHead = 1 << 20 // bytes: more than any data set has before the study's number
const deepest = 16 // items in items, before the study's number: more than any camera or scanner writes

/** How a data set is written. */
type Writing = { explicit: boolean; little: boolean }
const metaWriting: Writing = { explicit: true, little: true }

const tagAt = (view: DataView, at: number, little: boolean) =>
  view.getUint16(at, little) * 0x10000 + view.getUint16(at + 2, little)

/** One element: where its value begins and how long it is (PS3.5 §7.1). */
function element(view: DataView, at: number, { explicit, little }: Writing) {
  const tag = tagAt(view, at, little)
  if (!explicit) return { tag, start: at + 8, length: view.getUint32(at + 4, little) }
  const kind = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5))
  return longForm.has(kind)
    ? { tag, start: at + 12, length: view.getUint32(at + 8, little) }
    : { tag, start: at + 8, length: view.getUint16(at + 6, little) }
}

/** Where a sequence of unknown length ends (PS3.5 §7.5). */
function afterItems(view: DataView, from: number, writing: Writing, depth: number): number {
  for (let at = from; ; ) {
    const tag = tagAt(view, at, writing.little)
    const length = view.getUint32(at + 4, writing.little)
    at += 8
    if (tag === sequenceEnd) return at
    if (tag !== item || depth > deepest) throw new RangeError('no item')
    if (length !== unknownLength) {
      at += length
      continue
    }
    while (tagAt(view, at, writing.little) !== itemEnd) at = after(view, element(view, at, writing), writing, depth + 1)
    at += 8
  }
}

const after = (view: DataView, { start, length }: { start: number; length: number }, writing: Writing, depth = 0) =>
  length === unknownLength ? afterItems(view, start, writing, depth) : start + length

/** The wanted texts of a data set whose elements begin at `at`; it is read up to the last of them. */
function texts(view: DataView, from: number, writing: Writing, wanted: readonly number[]): Map<number, string> {
  const found = new Map<number, string>()
  const last = Math.max(...wanted)
  try {
    for (let at = from; at < view.byteLength; ) {
      const one = element(view, at, writing)
      if (one.tag > last) break
      if (wanted.includes(one.tag) && one.start + one.length <= view.byteLength)
        found.set(one.tag, textOf(view, one.start, one.length))
      at = after(view, one, writing)
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error // beyond the last byte: what was found until there counts
  }
  return found
}

const textOf = (view: DataView, start: number, length: number) =>
  new TextDecoder()
    .decode(new Uint8Array(view.buffer, view.byteOffset + start, length))
    .replace(/[\0 ]+$/, '')
    .trim()

const uid = (value: string | undefined) => (value && /^[0-9.]{1,64}$/.test(value) ? value : undefined)

const isPart10 = (view: DataView) => view.byteLength >= 132 && view.getUint32(128) === mark

/** What a Part 10 file says of itself; undefined when it is none. Group 2 is always explicit little endian. */
export function headOf(bytes: ArrayBuffer, inflated?: ArrayBuffer): Head | undefined {
  const view = new DataView(bytes)
  if (bytes.byteLength < 140 || !isPart10(view)) return undefined
  const meta = texts(view, 132, metaWriting, [0x00020002, 0x00020003, 0x00020010])
  const syntax = meta.get(0x00020010) ?? ''
  const writing = { explicit: syntax !== implicit, little: syntax !== bigEndian }
  const wanted = [0x00080018, 0x00080020, 0x00080060, 0x0020000d]
  const body = inflated
    ? texts(new DataView(inflated), 0, writing, wanted)
    : syntax === deflated
      ? new Map<number, string>()
      : texts(view, bodyOf(view), writing, wanted)
  const sop = uid(body.get(0x00080018)) ?? uid(meta.get(0x00020003))
  if (!sop) return undefined
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(body.get(0x00080020) ?? '') ?? []
  return {
    sop,
    study: uid(body.get(0x0020000d)),
    modality: (body.get(0x00080060) ?? '').slice(0, 16),
    date: year ? `${year}-${month}-${day}` : '',
    listed: meta.get(0x00020002) === mediaDirectory ? listedIn(view) : undefined,
  }
}

/** Where the data set begins, behind the file meta information. */
function bodyOf(view: DataView): number {
  let at = 132
  while (at + 12 <= view.byteLength && view.getUint16(at, true) === 2)
    at = after(view, element(view, at, metaWriting), metaWriting)
  return at
}

/** headOf also where the data set is deflated: its numbers, not those of the file meta information, are the object's. */
export async function readHead(bytes: ArrayBuffer): Promise<Head | undefined> {
  const head = headOf(bytes)
  if (!head) return undefined
  const view = new DataView(bytes)
  if (texts(view, 132, metaWriting, [0x00020010]).get(0x00020010) !== deflated) return head
  const inflate = new DecompressionStream('deflate-raw') as ReadableWritablePair<Uint8Array, Uint8Array>
  const body = new Blob([bytes.slice(bodyOf(view))]).stream() as ReadableStream<Uint8Array>
  const first = await firstOf(body.pipeThrough(inflate), deflatedHead)
  return headOf(bytes, await first.arrayBuffer())
}

/** The first bytes of a stream, at least so many where it has them; the rest is not read, nor is it told that it is broken. */
export async function firstOf(stream: ReadableStream<Uint8Array>, most: number): Promise<Blob> {
  const reader = stream.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  try {
    while (size < most) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      size += value.length
    }
  } catch {
    // what was read until there counts
  }
  await reader.cancel().catch(() => {})
  return new Blob(parts as BlobPart[])
}

/** What a file is, by its first bytes: `bare` is a DICOM file without preamble or file meta information. */
export type Beginning = 'part10' | 'bare' | 'zip' | 'other'

export function beginningOf(bytes: ArrayBuffer): Beginning {
  const view = new DataView(bytes)
  if (isPart10(view)) return 'part10'
  if (bytes.byteLength >= 4 && [0x504b0304, 0x504b0506].includes(view.getUint32(0))) return 'zip'
  return leadOf(bytes) ? 'bare' : 'other'
}

/**
 * What a file lacks before its first byte to be a Part 10 file (PS3.10 §7.1), judged by its beginning. The server leads
 * the members of an archive the same way (storage/imaging/dicom/lead.go): the same object however it comes.
 */
export function leadOf(bytes: ArrayBuffer): Blob | undefined {
  const view = new DataView(bytes)
  if (bytes.byteLength < 12 || isPart10(view)) return undefined
  const preamble = new Uint8Array(128)
  if (view.getUint32(0) === mark) return new Blob([preamble])
  const little = view.getUint16(0) !== 0x0008
  const group = view.getUint16(0, little)
  const explicit = /^[A-Z]{2}$/.test(String.fromCharCode(view.getUint8(4), view.getUint8(5)))
  if (view.getUint16(2, little) > 0x18) return undefined
  if (group === 2 && explicit) return new Blob([preamble, 'DICM'])
  if (group !== 8 || (!explicit && (!little || view.getUint32(4, true) > 1024))) return undefined
  const body = texts(view, 0, { explicit, little }, [0x00080016, 0x00080018])
  const sopClass = uid(body.get(0x00080016))
  const sop = uid(body.get(0x00080018))
  if (!sopClass || !sop) return undefined
  const meta = [
    ...written(0x0002, 'UI', sopClass),
    ...written(0x0003, 'UI', sop),
    ...written(0x0010, 'UI', explicit ? (little ? explicitLittle : bigEndian) : implicit),
  ]
  const length = new DataView(new ArrayBuffer(4))
  length.setUint32(
    0,
    meta.reduce((sum, part) => sum + part.length, 0),
    true,
  )
  return new Blob([preamble, 'DICM', ...written(0, 'UL', new Uint8Array(length.buffer)), ...meta] as BlobPart[])
}

/** An element of group 2. */
function written(tag: number, vr: string, value: string | Uint8Array): Uint8Array[] {
  const raw = typeof value === 'string' ? new TextEncoder().encode(value) : value
  const even = new Uint8Array(raw.length + (raw.length % 2))
  even.set(raw)
  const head = new Uint8Array([2, 0, tag, 0, vr.charCodeAt(0), vr.charCodeAt(1), even.length, 0])
  return [head, even]
}

/** (0004,1511) Referenced SOP Instance UID in File, wherever it stands: a DICOMDIR is explicit little endian (PS3.10 §8.6). */
function listedIn(view: DataView): string[] {
  const all = new Set<string>()
  for (let at = 132; at + 8 <= view.byteLength; at++) {
    if (view.getUint32(at) !== 0x04001115 || view.getUint16(at + 4) !== 0x5549) continue // "UI"
    const length = view.getUint16(at + 6, true)
    const found = at + 8 + length <= view.byteLength ? uid(textOf(view, at + 8, length)) : undefined
    if (found) all.add(found)
  }
  return [...all]
}
