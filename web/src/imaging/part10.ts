// Just enough of a DICOM file (PS3.10) to name it and its study before it is sent. What cannot be read here is left to
// the server, which reads everything.

export type Head = {
  sop: string
  /** Undefined where the data set is written in a way that only the server reads: big endian or deflated. */
  study: string | undefined
  modality: string
  /** 2004-01-19, or empty. */
  date: string
  /** A CD's table of contents (DICOMDIR): the SOP Instance UIDs that it lists. */
  listed: string[] | undefined
}

const mediaDirectory = '1.2.840.10008.1.3.10'
const implicit = '1.2.840.10008.1.2'
const unread = new Set(['1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99']) // big endian, deflated
const longForm = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'])
const unknownLength = 0xffffffff
const [item, itemEnd, sequenceEnd] = [0xfffee000, 0xfffee00d, 0xfffee0dd]
const deepest = 16 // items in items, before the study's number: more than any camera or scanner writes

const tagAt = (view: DataView, at: number) => view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true)

/** One element: where its value begins and how long it is (PS3.5 §7.1). */
function element(view: DataView, at: number, explicit: boolean) {
  if (!explicit) return { tag: tagAt(view, at), start: at + 8, length: view.getUint32(at + 4, true) }
  const kind = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5))
  return longForm.has(kind)
    ? { tag: tagAt(view, at), start: at + 12, length: view.getUint32(at + 8, true) }
    : { tag: tagAt(view, at), start: at + 8, length: view.getUint16(at + 6, true) }
}

/** Where a sequence of unknown length ends (PS3.5 §7.5). */
function afterItems(view: DataView, from: number, explicit: boolean, depth: number): number {
  for (let at = from; ; ) {
    const tag = tagAt(view, at)
    const length = view.getUint32(at + 4, true)
    at += 8
    if (tag === sequenceEnd) return at
    if (tag !== item || depth > deepest) throw new RangeError('no item')
    if (length !== unknownLength) {
      at += length
      continue
    }
    while (tagAt(view, at) !== itemEnd) at = after(view, element(view, at, explicit), explicit, depth + 1)
    at += 8
  }
}

const after = (view: DataView, { start, length }: { start: number; length: number }, explicit: boolean, depth = 0) =>
  length === unknownLength ? afterItems(view, start, explicit, depth) : start + length

/** The wanted texts of a data set whose elements begin at `at`; it is read up to the last of them. */
function texts(view: DataView, from: number, explicit: boolean, wanted: readonly number[]): Map<number, string> {
  const found = new Map<number, string>()
  const last = Math.max(...wanted)
  try {
    for (let at = from; at < view.byteLength; ) {
      const one = element(view, at, explicit)
      if (one.tag > last) break
      if (wanted.includes(one.tag) && one.start + one.length <= view.byteLength)
        found.set(one.tag, textOf(view, one.start, one.length))
      at = after(view, one, explicit)
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

/** What a Part 10 file says of itself; undefined when it is none. Group 2 is always explicit little endian. */
export function headOf(bytes: ArrayBuffer): Head | undefined {
  const view = new DataView(bytes)
  if (bytes.byteLength < 140 || view.getUint32(128) !== 0x4449434d) return undefined // "DICM"
  const meta = texts(view, 132, true, [0x00020002, 0x00020003, 0x00020010])
  const syntax = meta.get(0x00020010) ?? ''
  let body = new Map<number, string>()
  if (!unread.has(syntax)) {
    let at = 132
    while (at + 12 <= bytes.byteLength && view.getUint16(at, true) === 2)
      at = after(view, element(view, at, true), true)
    body = texts(view, at, syntax !== implicit, [0x00080018, 0x00080020, 0x00080060, 0x0020000d])
  }
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
