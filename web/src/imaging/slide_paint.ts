// The tiles of a slide: as pixels, and on a canvas.
import { ask } from './archive'
import { type Plane, type Sight, type Size, toScreen } from './sight'
import type { Level, Tile } from './slide'
import { archiveFrame, textOf } from './study'
import { type Tiles, Unreadable } from './tiles'

const jpegBaseline = '1.2.840.10008.1.2.4.50'

/** A frame as pixels: a JPEG by the browser itself, the rest by the decoders of the viewer. */
export async function tilePixels(
  study: string,
  series: string,
  level: Level,
  tile: Tile,
  signal: AbortSignal,
  got: (bytes: number) => void,
) {
  const made = await (async () => {
    if (textOf(level.instance, '00083002') !== jpegBaseline) {
      const { frameOf } = await import('./stack')
      const image = await frameOf(archiveFrame(study, series, tile.sop, tile.frame), level.instance).catch(() => {
        throw new Unreadable()
      })
      got(image.width * image.height * 4)
      return image
    }
    const at = `/studies/${study}/series/${series}/instances/${tile.sop}/frames/${tile.frame}`
    const response = await ask(at, 'image/jpeg', signal)
    if (response.status >= 400 && response.status < 500 && response.status !== 429) throw new Unreadable()
    if (!response.ok) throw new Error(`the tile answered ${response.status}`)
    const blob = await response.blob()
    got(blob.size)
    return createImageBitmap(blob, { colorSpaceConversion: 'none' }).catch(() => {
      throw new Unreadable()
    })
  })()
  if (made.width === level.tileColumns && made.height === level.tileRows) return made
  made.close()
  throw new Unreadable()
}

type Seen = {
  plane: Plane
  size: Size
  sight: Sight
  tiles: Tiles<Tile, ImageBitmap>
  /** A coarse level that lies under everything, and its tiles. */
  preview: Level | undefined
  under: readonly Tile[]
}
type Corner = Pick<Tile, 'x' | 'y'>

function put(
  to: CanvasRenderingContext2D,
  tiles: Seen['tiles'],
  level: Level,
  tile: Tile,
  where: (level: Level, at: Corner) => { left: number; top: number },
) {
  const from = where(level, tile)
  const end = where(level, { x: tile.x + tile.width, y: tile.y + tile.height })
  const box = [from.left, from.top, end.left - from.left, end.top - from.top] as const
  const image = tiles.of(tile.id)
  if (image) to.drawImage(image, 0, 0, tile.width, tile.height, ...box)
  return box
}

/** Draws what is seen: `visible` of the level that is read, of which `missing` are not here yet. */
export function paint(
  context: CanvasRenderingContext2D,
  ratio: number,
  seen: Seen & { level: Level; visible: readonly Tile[]; missing: readonly Tile[] },
): void {
  const { plane, size, sight, tiles, preview, under, level, visible, missing } = seen
  const place = (one: Level, { x, y }: Corner) => toScreen(plane, size, sight, { x: x * one.across, y: y * one.down })
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, size.width, size.height)
  const from = toScreen(plane, size, sight, { x: 0, y: 0 })
  const end = toScreen(plane, size, sight, { x: plane.columns, y: plane.rows })
  context.fillStyle = '#fff' // where a slide has no tiles there is bare glass
  context.fillRect(from.left, from.top, end.left - from.left, end.top - from.top)
  if (preview) for (const tile of under) put(context, tiles, preview, tile, place)
  else
    for (const tile of missing) {
      const box = put(context, tiles, level, tile, place)
      context.fillStyle = '#59636b'
      context.fillRect(...box)
    }
  for (const tile of visible) {
    const [left, top, width, height] = put(context, tiles, level, tile, place)
    if (!tiles.isBroken(tile.id)) continue
    context.fillStyle = '#2b343b' // nothing stands for a tile that does not open, the preview neither
    context.fillRect(left, top, width, height)
    context.strokeStyle = '#ffc857'
    context.beginPath()
    context.moveTo(left, top)
    context.lineTo(left + width, top + height)
    context.moveTo(left + width, top)
    context.lineTo(left, top + height)
    context.stroke()
  }
}

export function paintOverview(context: CanvasRenderingContext2D, { plane, tiles, preview, under }: Seen): void {
  if (!preview) return
  const by = context.canvas.width / plane.columns
  context.fillStyle = '#fff'
  context.fillRect(0, 0, context.canvas.width, context.canvas.height)
  for (const tile of under)
    put(context, tiles, preview, tile, (one, { x, y }) => ({ left: x * one.across * by, top: y * one.down * by }))
}
