// Just enough of a DICOM file (PS3.10) to name it before it is sent: the SOP instance in its file meta information.

const sopInstance = 0x0003 // (0002,0003) Media Storage SOP Instance UID

/** The SOP Instance UID of a Part 10 file; undefined when the file is none. Group 2 is always explicit little endian. */
export function sopOf(bytes: ArrayBuffer): string | undefined {
  const view = new DataView(bytes)
  if (bytes.byteLength < 140 || view.getUint32(128) !== 0x4449434d) return undefined // "DICM"
  let at = 132
  while (at + 8 <= bytes.byteLength && view.getUint16(at, true) === 0x0002) {
    const element = view.getUint16(at + 2, true)
    const kind = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5))
    const long = ['OB', 'OW', 'UN', 'UT', 'SQ'].includes(kind)
    if (long && at + 12 > bytes.byteLength) return undefined
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true)
    const start = at + (long ? 12 : 8)
    if (start + length > bytes.byteLength) return undefined
    if (element === sopInstance) {
      const uid = new TextDecoder().decode(new Uint8Array(bytes, start, length)).replace(/[\0 ]+$/, '')
      return /^[0-9.]{1,64}$/.test(uid) ? uid : undefined
    }
    at = start + length
  }
  return undefined
}
