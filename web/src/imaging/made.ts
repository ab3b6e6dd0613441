// Photos and documents become objects of a study before they are sent: a photo upright and without what the telephone
// wrote beside it (place, device, time), a PDF as it is. The same file makes the same object again, so that an upload
// that was cut goes on.
/** Whom the files are about, as the case says. */
export type Subject = { name: string; sex: 'M' | 'F' }

const photoClass = '1.2.840.10008.5.1.4.1.1.77.1.4' // VL Photographic Image Storage
const pdfClass = '1.2.840.10008.5.1.4.1.1.104.1' // Encapsulated PDF Storage
const explicitLittle = '1.2.840.10008.1.2.1'
const jpegBaseline = '1.2.840.10008.1.2.4.50'
const writer = '2.25.183749270918532605447189263540917263548'
const largestSide = 4096 // pixels: what the server draws
const quality = 0.92

export class NoPhoto extends Error {}

export type Kind = 'photo' | 'pdf'

/** By content, not by name. */
export async function kindOf(file: Blob): Promise<Kind | undefined> {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer())
  const text = String.fromCharCode(...head)
  if (text.startsWith('%PDF-')) return 'pdf'
  const jpeg = head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff
  const others = text.startsWith('\x89PNG\r\n') || (text.startsWith('RIFF') && text.endsWith('WEBP'))
  return jpeg || others || text.slice(4, 8) === 'ftyp' ? 'photo' : undefined // ftyp: HEIC, where the browser reads it
}

const long = new Set(['OB', 'SQ'])

/** An explicit little endian element (PS3.5 §7.1.2); `value` of text is padded to an even length. */
function element(tag: number, vr: string, value: string | Uint8Array, undefinedLength = false): Uint8Array[] {
  const raw = typeof value === 'string' ? new TextEncoder().encode(value) : value
  const pad = raw.length % 2 ? [new Uint8Array([vr === 'UI' || vr === 'OB' ? 0 : 0x20])] : []
  const length = undefinedLength ? 0xffffffff : raw.length + pad.length
  const head = new Uint8Array(long.has(vr) ? 12 : 8)
  const view = new DataView(head.buffer)
  view.setUint16(0, tag >>> 16, true)
  view.setUint16(2, tag & 0xffff, true)
  head.set([vr.charCodeAt(0), vr.charCodeAt(1)], 4)
  if (long.has(vr)) view.setUint32(8, length, true)
  else view.setUint16(6, length, true)
  return [head, raw, ...pad]
}

const short = (value: number) => new Uint8Array([value & 255, value >> 8])
const size = (parts: readonly Uint8Array[]) => parts.reduce((sum, one) => sum + one.length, 0)

/** A Part 10 file of these elements, in their order. */
function file(sopClass: string, sop: string, syntax: string, body: readonly Uint8Array[]): Blob {
  const meta = [
    ...element(0x00020001, 'OB', new Uint8Array([0, 1])),
    ...element(0x00020002, 'UI', sopClass),
    ...element(0x00020003, 'UI', sop),
    ...element(0x00020010, 'UI', syntax),
    ...element(0x00020012, 'UI', writer),
  ]
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, size(meta), true)
  const mark = new TextEncoder().encode('DICM')
  return new Blob([new Uint8Array(128), mark, ...element(0x00020000, 'UL', length), ...meta, ...body] as BlobPart[])
}

/** 128 bits as a UID (PS3.5 B.2). */
async function uidOf(...of: (string | ArrayBuffer)[]): Promise<string> {
  const whole = await new Blob(of).arrayBuffer()
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole)).subarray(0, 16)
  return `2.25.${digest.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)}`
}

/** Upright, in pixels only: nothing of what a camera writes into a file goes along. */
async function developed(photo: Blob): Promise<{ jpeg: ArrayBuffer; columns: number; rows: number }> {
  let picture: ImageBitmap
  try {
    picture = await createImageBitmap(photo, { imageOrientation: 'from-image' })
  } catch {
    throw new NoPhoto('the browser does not read it')
  }
  const scale = Math.min(1, largestSide / Math.max(picture.width, picture.height))
  const columns = Math.max(1, Math.round(picture.width * scale))
  const rows = Math.max(1, Math.round(picture.height * scale))
  const canvas = document.createElement('canvas')
  canvas.width = columns
  canvas.height = rows
  const context = canvas.getContext('2d')
  if (!context) throw new NoPhoto('no canvas')
  context.fillStyle = '#fff' // under what is transparent
  context.fillRect(0, 0, columns, rows)
  context.drawImage(picture, 0, 0, columns, rows)
  picture.close()
  const made = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', quality))
  if (!made) throw new NoPhoto('no picture')
  return { jpeg: await made.arrayBuffer(), columns, rows }
}

/** The file as an object of the case's own study. */
export async function made(original: Blob, kind: Kind, id: string, about: Subject): Promise<Blob> {
  const photo = kind === 'photo' ? await developed(original) : undefined
  const bytes = photo?.jpeg ?? (await original.arrayBuffer())
  const sopClass = kind === 'pdf' ? pdfClass : photoClass
  const sop = await uidOf(`${id} ${kind} `, bytes)
  const { name, sex } = about
  const head = [
    ...element(0x00080005, 'CS', 'ISO_IR 192'),
    ...(kind === 'photo' ? element(0x00080008, 'CS', 'DERIVED\\PRIMARY') : []),
    ...element(0x00080016, 'UI', sopClass),
    ...element(0x00080018, 'UI', sop),
    ...element(0x00080020, 'DA', ''),
    ...element(0x00080030, 'TM', ''),
    ...element(0x00080050, 'SH', ''),
    ...element(0x00080060, 'CS', kind === 'pdf' ? 'DOC' : 'XC'),
    ...element(0x00080064, 'CS', kind === 'pdf' ? 'WSD' : 'DI'),
    ...element(0x00080070, 'LO', 'Yuanzhen'),
    ...element(0x00080090, 'PN', ''),
    ...element(0x00100010, 'PN', name),
    ...element(0x00100020, 'LO', ''),
    ...element(0x00100030, 'DA', ''),
    ...element(0x00100040, 'CS', sex),
    ...element(0x0020000d, 'UI', await uidOf(`${id} study`)),
    ...element(0x0020000e, 'UI', await uidOf(`${id} ${kind} series`)),
    ...element(0x00200010, 'SH', ''),
    ...element(0x00200011, 'IS', kind === 'pdf' ? '2' : '1'),
    ...element(0x00200013, 'IS', ''),
  ]
  if (!photo)
    return file(sopClass, sop, explicitLittle, [
      ...head,
      ...element(0x00280301, 'CS', 'YES'), // a document names its patient
      ...element(0x00420010, 'ST', ''),
      ...element(0x00420011, 'OB', new Uint8Array(bytes)),
      ...element(0x00420012, 'LO', 'application/pdf'),
    ])
  const { columns, rows } = photo
  const pixels = new Uint8Array(bytes)
  const odd = pixels.length % 2
  const fragments = new Uint8Array(8 + 8 + pixels.length + odd + 8)
  const view = new DataView(fragments.buffer)
  view.setUint32(0, 0xe000fffe, true) // an empty offset table, the picture, the end (PS3.5 A.4)
  view.setUint32(8, 0xe000fffe, true)
  view.setUint32(12, pixels.length + odd, true)
  fragments.set(pixels, 16)
  view.setUint32(16 + pixels.length + odd, 0xe0ddfffe, true)
  return file(sopClass, sop, jpegBaseline, [
    ...head,
    ...element(0x00280002, 'US', short(3)),
    ...element(0x00280004, 'CS', 'YBR_FULL_422'),
    ...element(0x00280006, 'US', short(0)),
    ...element(0x00280010, 'US', short(rows)),
    ...element(0x00280011, 'US', short(columns)),
    ...element(0x00280100, 'US', short(8)),
    ...element(0x00280101, 'US', short(8)),
    ...element(0x00280102, 'US', short(7)),
    ...element(0x00280103, 'US', short(0)),
    ...element(0x00280301, 'CS', 'YES'),
    ...element(0x00282110, 'CS', '01'), // lossy, as the camera made it
    ...element(0x7fe00010, 'OB', fragments, true),
  ])
}
