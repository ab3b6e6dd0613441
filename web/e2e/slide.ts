// A slide made for the journeys: 40,000 x 30,000 pixels in three levels of JPEG tiles, each tile of a colour that says
// where it lies. 3.6 GB of pixels in about 40 MB of file.
import type { Page } from 'playwright-core'

export const side = 256 // columns and rows of a tile
export const full = { columns: 40_000, rows: 30_000 }
export const levels = [2500, 10_000, 40_000].map((columns) => ({ columns, rows: (columns / 4) * 3 }))
const kinds = 8 // colours repeat after so many tiles each way

/** The colour of a tile: which level it is of, and where. */
export const colourOf = (level: number, column: number, row: number): [number, number, number] => [
  40 + (column % kinds) * 26,
  40 + (row % kinds) * 26,
  60 + level * 70,
]

type Element = { group: number; element: number; vr: string; value: Buffer }

const el = (tag: number, vr: string, value: Buffer | string | number[]): Element => {
  let bytes: Buffer
  if (typeof value === 'string') bytes = Buffer.from(value)
  else if (Array.isArray(value)) {
    const size = vr === 'US' ? 2 : 4
    bytes = Buffer.alloc(size * value.length)
    for (const [n, one] of value.entries()) bytes.writeUIntLE(one, n * size, size)
  } else bytes = value
  if (bytes.length % 2) bytes = Buffer.concat([bytes, Buffer.from(vr === 'UI' || vr === 'OB' ? '\0' : ' ')])
  return { group: tag >>> 16, element: tag & 0xffff, vr, value: bytes }
}
const sequence = (tag: number, items: Element[][]): Element =>
  el(tag, 'SQ', Buffer.concat(items.map((one) => item(encoded(one)))))

function encoded(all: Element[]): Buffer {
  return Buffer.concat(
    all.flatMap(({ group, element, vr, value }) => {
      const long = ['OB', 'OW', 'SQ', 'UN'].includes(vr)
      const head = Buffer.alloc(long ? 12 : 8)
      head.writeUInt16LE(group)
      head.writeUInt16LE(element, 2)
      head.write(vr, 4)
      if (long) head.writeUInt32LE(value.length, 8)
      else head.writeUInt16LE(value.length, 6)
      return [head, value]
    }),
  )
}

function item(value: Buffer): Buffer {
  const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0])
  head.writeUInt32LE(value.length, 4)
  return Buffer.concat([head, value])
}

/** The tiles' pictures, drawn and packed by a browser; by level, row and column as far as colours differ. */
async function pictures(page: Page): Promise<Buffer[][]> {
  const colours = levels.map((_, level) =>
    Array.from({ length: kinds * kinds }, (_, n) => colourOf(level, n % kinds, Math.floor(n / kinds))),
  )
  const made = await page.evaluate(
    async ({ colours, side }) => {
      const canvas = new OffscreenCanvas(side, side)
      const context = canvas.getContext('2d')
      if (!context) return []
      const all: string[][] = []
      for (const level of colours) {
        const some: string[] = []
        for (const [red, green, blue] of level) {
          context.fillStyle = `rgb(${red},${green},${blue})`
          context.fillRect(0, 0, side, side)
          // Cells of tissue: dark rings away from the middle, where the colour is read.
          context.strokeStyle = 'rgb(60,20,90)'
          for (let n = 0; n < 24; n++) {
            context.beginPath()
            context.arc((n % 6) * 43 + 20, Math.floor(n / 6) * 70 + 15, 9, 0, 7)
            context.stroke()
          }
          const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 })
          const bytes = new Uint8Array(await blob.arrayBuffer())
          some.push(btoa(String.fromCharCode(...bytes)))
        }
        all.push(some)
      }
      return all
    },
    { colours, side },
  )
  return made.map((level) => level.map((text) => Buffer.from(text, 'base64')))
}

export type Slide = { study: string; series: string; objects: { sop: string; bytes: Buffer }[] }

/** `broken` names a tile of the finest level, by column and row, whose bytes are no picture. */
export async function slide(page: Page, broken: readonly [number, number]): Promise<Slide> {
  const root = '1.2.826.0.1.3680043.8.498.77'
  const [study, series] = [root, `${root}.1`]
  const tiles = await pictures(page)
  const objects = levels.map(({ columns, rows }, level) => {
    const sop = `${series}.${level + 1}`
    const [wide, high] = [Math.ceil(columns / side), Math.ceil(rows / side)]
    const rubbish = item(Buffer.from('these bytes are no picture, whoever tries to read them'))
    const fragments = (tiles[level] ?? []).map((one) =>
      item(one.length % 2 ? Buffer.concat([one, Buffer.alloc(1)]) : one),
    )
    const frames = Array.from({ length: wide * high }, (_, n) => {
      const [column, row] = [n % wide, Math.floor(n / wide)]
      if (level === levels.length - 1 && column === broken[0] && row === broken[1]) return rubbish
      return fragments[(row % kinds) * kinds + (column % kinds)] as Buffer
    })
    const micrometres = String(0.00025 * (full.columns / columns)) // mm: 0.25 µm in the finest, as at 40×
    const meta = encoded([
      el(0x00020002, 'UI', '1.2.840.10008.5.1.4.1.1.77.1.6'),
      el(0x00020003, 'UI', sop),
      el(0x00020010, 'UI', '1.2.840.10008.1.2.4.50'),
    ])
    const data = encoded([
      el(0x00080008, 'CS', level === 2 ? 'ORIGINAL\\PRIMARY\\VOLUME\\NONE' : 'DERIVED\\PRIMARY\\VOLUME\\RESAMPLED'),
      el(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.77.1.6'),
      el(0x00080018, 'UI', sop),
      el(0x00080020, 'DA', '20261120'),
      el(0x00080060, 'CS', 'SM'),
      el(0x0008103e, 'LO', 'HE'),
      el(0x00100010, 'PN', 'Zhou^Dashan'),
      el(0x00100020, 'LO', 'ZDS-77'),
      el(0x0020000d, 'UI', study),
      el(0x0020000e, 'UI', series),
      el(0x00200013, 'IS', String(level + 1)),
      el(0x00200052, 'UI', `${root}.9`),
      el(0x00209311, 'CS', 'TILED_FULL'),
      el(0x00280002, 'US', [3]),
      el(0x00280004, 'CS', 'YBR_FULL_422'),
      el(0x00280006, 'US', [0]),
      el(0x00280008, 'IS', String(wide * high)),
      el(0x00280010, 'US', [side]),
      el(0x00280011, 'US', [side]),
      el(0x00280100, 'US', [8]),
      el(0x00280101, 'US', [8]),
      el(0x00280102, 'US', [7]),
      el(0x00280103, 'US', [0]),
      el(0x00400512, 'LO', 'S26-0077 A1'),
      el(0x00480006, 'UL', [columns]),
      el(0x00480007, 'UL', [rows]),
      sequence(0x52009229, [[sequence(0x00289110, [[el(0x00280030, 'DS', `${micrometres}\\${micrometres}`)]])]]),
    ])
    const pixels = Buffer.alloc(12)
    pixels.writeUInt16LE(0x7fe0)
    pixels.writeUInt16LE(0x0010, 2)
    pixels.write('OB', 4)
    pixels.writeUInt32LE(0xffffffff, 8)
    const bytes = Buffer.concat([
      Buffer.alloc(128),
      Buffer.from('DICM'),
      encoded([el(0x00020000, 'UL', [meta.length])]),
      meta,
      data,
      pixels,
      item(Buffer.alloc(0)),
      ...frames,
      Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
    ])
    return { sop, bytes }
  })
  return { study, series, objects }
}
