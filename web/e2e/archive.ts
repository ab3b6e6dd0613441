// A zip archive as PKWARE's APPNOTE describes it: local heads, then the table of contents.
import { deflateRawSync } from 'node:zlib'

export type Packed = {
  name: string
  data: Uint8Array
  /** Bit 0 is a password, bit 11 says that the name is UTF-8. */
  flags?: number
  /** The size that the table claims. */
  says?: number
}

export function zipped(files: readonly Packed[]): Buffer {
  const parts: Uint8Array[] = []
  const table: Uint8Array[] = []
  let at = 0
  for (const { name, data, flags = 0x800, says = data.length } of files) {
    const packed = deflateRawSync(data)
    const raw = Buffer.from(name)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50)
    local.writeUInt16LE(raw.length, 26)
    const row = Buffer.alloc(46)
    row.writeUInt32LE(0x02014b50)
    row.writeUInt16LE(flags, 8)
    row.writeUInt16LE(8, 10)
    row.writeUInt32LE(packed.length, 20)
    row.writeUInt32LE(says, 24)
    row.writeUInt16LE(raw.length, 28)
    row.writeUInt32LE(at, 42)
    parts.push(local, raw, packed)
    table.push(row, raw)
    at += local.length + raw.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(Buffer.concat(table).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, ...table, end])
}
