// A zip archive as a folder of files: its table of contents is read at once, each file when it is wanted. So an archive
// goes the same way as a folder: known before it is sent, file by file, carried on after a cut.
// The format is PKWARE's APPNOTE 6.3; Zip64 and encryption are told, not read.

import { firstOf } from './part10'

export type Source = {
  name: string
  size: number
  read: () => Promise<Blob>
  /** Its first bytes, where reading it means to unpack all of it. */
  start?: () => Promise<Blob>
}

export class BadZip extends Error {
  constructor(readonly why: 'broken' | 'locked' | 'large') {
    super(why)
  }
}

export const startSize = 4096 // bytes: what tells a DICOM file from others, also one that lacks its head
const largestTable = 16e6 // bytes of the table of contents: 100,000 files
export const largestFile = 1 << 30 // as the server takes them
const mostInflated = 100 // times its own size, beyond 64 MB: no picture packs like that

const viewOf = async (blob: Blob) => new DataView(await blob.arrayBuffer())

export async function isZip(file: Blob): Promise<boolean> {
  if (file.size < 22) return false
  const mark = (await viewOf(file.slice(0, 4))).getUint32(0)
  return mark === 0x504b0304 || mark === 0x504b0506 // PK 3 4, or PK 5 6 of an empty one
}

export async function unzip(file: Blob): Promise<Source[]> {
  const tail = await viewOf(file.slice(Math.max(0, file.size - 65_557)))
  let end = tail.byteLength - 22
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--
  if (end < 0) throw new BadZip('broken')
  const count = tail.getUint16(end + 10, true)
  const size = tail.getUint32(end + 12, true)
  const offset = tail.getUint32(end + 16, true)
  if (count === 0xffff || size > largestTable || offset === 0xffffffff) throw new BadZip('large')
  if (offset + size > file.size) throw new BadZip('broken')
  const table = await viewOf(file.slice(offset, offset + size))
  try {
    return entries(file, table, count)
  } catch (error) {
    throw error instanceof RangeError ? new BadZip('broken') : error
  }
}

function entries(file: Blob, table: DataView, count: number): Source[] {
  const found: Source[] = []
  for (let n = 0, at = 0; n < count; n++) {
    if (table.getUint32(at, true) !== 0x02014b50) throw new BadZip('broken')
    const flags = table.getUint16(at + 8, true)
    const method = table.getUint16(at + 10, true)
    const packed = table.getUint32(at + 20, true)
    const size = table.getUint32(at + 24, true)
    const names = table.getUint16(at + 28, true)
    const begins = table.getUint32(at + 42, true)
    const raw = new Uint8Array(table.buffer, table.byteOffset + at + 46, names)
    at += 46 + names + table.getUint16(at + 30, true) + table.getUint16(at + 32, true)
    // Bit 11 says UTF-8; Windows in Chinese writes its own code page and says nothing.
    const name = new TextDecoder(flags & 0x800 ? 'utf-8' : 'gb18030').decode(raw)
    if (name.endsWith('/')) continue
    if (flags & 1) throw new BadZip('locked')
    const entry = { begins, packed, size, method }
    found.push({ name, size, read: () => inflated(file, entry), start: () => started(file, entry) })
  }
  return found
}

type Entry = { begins: number; packed: number; size: number; method: number }

async function packedOf(file: Blob, { begins, packed }: Entry): Promise<Blob> {
  if (begins + 30 > file.size) throw new BadZip('broken')
  const head = await viewOf(file.slice(begins, begins + 30))
  if (head.getUint32(0, true) !== 0x04034b50) throw new BadZip('broken')
  const from = begins + 30 + head.getUint16(26, true) + head.getUint16(28, true)
  return file.slice(from, from + packed)
}

async function started(file: Blob, entry: Entry): Promise<Blob> {
  const bytes = await packedOf(file, entry)
  if (entry.method === 0) return bytes.slice(0, startSize)
  if (entry.method !== 8) throw new BadZip('broken')
  const inflate = new DecompressionStream('deflate-raw') as ReadableWritablePair<Uint8Array, Uint8Array>
  return firstOf((bytes.stream() as ReadableStream<Uint8Array>).pipeThrough(inflate), startSize)
}

async function inflated(file: Blob, entry: Entry): Promise<Blob> {
  const { packed, size, method } = entry
  if (size > largestFile || size > 64e6 + packed * mostInflated) throw new BadZip('large')
  const bytes = await packedOf(file, entry)
  if (method === 0) return bytes
  if (method !== 8) throw new BadZip('broken')
  let out = 0
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, to) => {
      out += chunk.length
      if (out > size)
        to.error(new BadZip('broken')) // more than its table says
      else to.enqueue(chunk)
    },
  })
  const inflate = new DecompressionStream('deflate-raw') as ReadableWritablePair<Uint8Array, Uint8Array>
  const stream = bytes.stream() as ReadableStream<Uint8Array>
  return new Response(stream.pipeThrough(inflate).pipeThrough(counted)).blob()
}
