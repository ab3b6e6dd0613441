// DICOM files for the journeys, made from one real CT slice: as many slices as wanted, each to be told by its pixels.
import { readFile } from 'node:fs/promises'

export const source = '../storage/imaging/testdata/ct-series-3/01.dcm' // implicit little endian, 512 x 512
export const stamp = 64 // columns and rows of the square in the corner that names the slice
export const spacing = 0.810547 // mm

/** Where the value of an implicit little endian element lies. */
function find(file: Buffer, group: number, element: number): { at: number; length: number } {
  const tag = Buffer.alloc(4)
  tag.writeUInt16LE(group)
  tag.writeUInt16LE(element, 2)
  const from = file.indexOf(tag, 300)
  if (from < 0) throw new Error(`no element ${group.toString(16)},${element.toString(16)}`)
  return { at: from + 8, length: file.readUInt32LE(from + 4) }
}

const text = (file: Buffer, group: number, element: number) => {
  const { at, length } = find(file, group, element)
  return file.toString('latin1', at, at + length).replace(/[\0 ]+$/, '')
}

/** What the square of a slice says: its number, as values of the modality that a window can tell apart. */
export const huOf = (slice: number) => -1000 + slice * 10

export type Slice = { sop: string; bytes: Buffer }

/** `count` slices of one series, 1 mm apart. */
export async function slices(count: number): Promise<Slice[]> {
  const original = await readFile(source)
  const sop = text(original, 0x0008, 0x0018)
  const pixels = find(original, 0x7fe0, 0x0010).at
  const slope = Number(text(original, 0x0028, 0x1053))
  const intercept = Number(text(original, 0x0028, 0x1052))
  const place = find(original, 0x0020, 0x0032)
  const number = find(original, 0x0020, 0x0013)
  return Array.from({ length: count }, (_, n) => {
    const named = sop.slice(0, -4) + String(1000 + n)
    const bytes = Buffer.from(original.toString('latin1').replaceAll(sop, named), 'latin1')
    const at = `-120\\-120\\${n}`
    bytes.write(at.slice(0, place.length).padEnd(place.length), place.at, 'latin1')
    bytes.write(
      String(n + 1)
        .slice(0, number.length)
        .padEnd(number.length),
      number.at,
      'latin1',
    )
    const raw = Math.round((huOf(n) - intercept) / slope)
    for (let row = 0; row < stamp; row++)
      for (let column = 0; column < stamp; column++) bytes.writeInt16LE(raw, pixels + 2 * (row * 512 + column))
    return { sop: named, bytes }
  })
}

/** A slice of the same series, after the others, whose compressed pixels are rubbish: it is stored, and no decoder reads it. */
export async function unreadableSlice(after: number): Promise<Slice> {
  const original = await readFile(source)
  const sop = `${text(original, 0x0008, 0x0018).slice(0, -4)}9999`
  const element = (group: number, number: number, vr: string, value: Buffer | string) => {
    const raw = Buffer.from(value as string)
    const even = raw.length % 2 ? Buffer.concat([raw, Buffer.from(vr === 'UI' || vr === 'OB' ? '\0' : ' ')]) : raw
    const long = vr === 'OB' || vr === 'OW'
    const head = Buffer.alloc(long ? 12 : 8)
    head.writeUInt16LE(group)
    head.writeUInt16LE(number, 2)
    head.write(vr, 4)
    if (long) head.writeUInt32LE(0xffffffff, 8)
    else head.writeUInt16LE(even.length, 6)
    return Buffer.concat([head, even])
  }
  const short = (value: number) => Buffer.from([value & 255, value >> 8])
  const item = (value: Buffer) => {
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0])
    head.writeUInt32LE(value.length, 4)
    return Buffer.concat([head, value])
  }
  const baseline = '1.2.840.10008.1.2.4.50'
  const ct = '1.2.840.10008.5.1.4.1.1.2'
  const meta = Buffer.concat([
    element(0x0002, 0x0002, 'UI', ct),
    element(0x0002, 0x0003, 'UI', sop),
    element(0x0002, 0x0010, 'UI', baseline),
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(meta.length)
  const copied = (group: number, number: number, vr: string) =>
    element(group, number, vr, text(original, group, number))
  const frame = item(Buffer.from('these bytes are no picture, whoever tries to read them'))
  const end = Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])
  const bytes = Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x0002, 0x0000, 'UL', length),
    meta,
    element(0x0008, 0x0016, 'UI', ct),
    element(0x0008, 0x0018, 'UI', sop),
    element(0x0008, 0x0060, 'CS', 'CT'),
    copied(0x0010, 0x0010, 'PN'),
    copied(0x0010, 0x0020, 'LO'),
    copied(0x0020, 0x000d, 'UI'),
    copied(0x0020, 0x000e, 'UI'),
    element(0x0020, 0x0013, 'IS', String(after + 1)),
    element(0x0020, 0x0032, 'DS', `-120\\-120\\${after}`),
    copied(0x0020, 0x0037, 'DS'),
    element(0x0028, 0x0002, 'US', short(1)),
    element(0x0028, 0x0004, 'CS', 'MONOCHROME2'),
    element(0x0028, 0x0010, 'US', short(512)),
    element(0x0028, 0x0011, 'US', short(512)),
    element(0x0028, 0x0100, 'US', short(8)),
    element(0x0028, 0x0101, 'US', short(8)),
    element(0x0028, 0x0102, 'US', short(7)),
    element(0x0028, 0x0103, 'US', short(0)),
    element(0x7fe0, 0x0010, 'OB', Buffer.concat([item(Buffer.alloc(0)), frame, end])),
  ])
  return { sop, bytes }
}

/** A study of another day: the same slices as objects of their own, `step` mm apart, in the coordinates `reference`. */
export async function ofAnotherDay(
  slices: readonly Slice[],
  { day, number, step, reference }: { day: string; number: number; step: number; reference?: number },
): Promise<Slice[]> {
  const original = await readFile(source)
  const other = (uid: string, ending: number) => uid.slice(0, -4) + String(ending)
  const [study, series, frame] = [
    text(original, 0x0020, 0x000d),
    text(original, 0x0020, 0x000e),
    text(original, 0x0020, 0x0052),
  ]
  return slices.map(({ sop, bytes }, n) => {
    const named = other(sop, number * 1000 + n)
    let renamed = bytes
      .toString('latin1')
      .replaceAll(sop, named)
      .replaceAll(study, other(study, number * 1000))
      .replaceAll(series, other(series, number * 1000 + 1))
    if (reference) renamed = renamed.replaceAll(frame, other(frame, reference))
    const file = Buffer.from(renamed, 'latin1')
    const date = file.indexOf(Buffer.from([0x08, 0, 0x20, 0, 8, 0, 0, 0]))
    if (date > 0) file.write(day, date + 8, 'latin1')
    const was = `-120\\-120\\${n}`
    const at = file.indexOf(was, 0, 'latin1')
    file.write(`-120\\-120\\${n * step}`.padEnd(was.length), at, 'latin1')
    return { sop: named, bytes: file }
  })
}

/** A cine of 40 frames, 21 MB: too large for one request. */
export async function cine(): Promise<Slice> {
  const frames = 40
  const [first] = await slices(1)
  if (!first) throw new Error('no slice')
  const sop = `${first.sop.slice(0, -4)}8888`
  const bytes = Buffer.from(first.bytes.toString('latin1').replaceAll(first.sop, sop), 'latin1')
  const number = Buffer.from([0x28, 0, 0x08, 0, 2, 0, 0, 0, 0x34, 0x30]) // (0028,0008) Number of Frames: 40
  const rows = find(bytes, 0x0028, 0x0010).at - 8
  const pixels = find(bytes, 0x7fe0, 0x0010)
  const frame = bytes.subarray(pixels.at, pixels.at + pixels.length)
  const head = Buffer.concat([bytes.subarray(0, rows), number, bytes.subarray(rows, pixels.at)])
  head.writeUInt32LE(frames * pixels.length, head.length - 4)
  return { sop, bytes: Buffer.concat([head, ...Array.from({ length: frames }, () => frame)]) }
}
