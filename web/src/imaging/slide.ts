// A slide as VL Whole Slide Microscopy has it (PS3.3 A.32.8, C.7.6.17): one plane of gigapixels in levels of resolution, each
// cut into tiles that are frames. Which tiles are needed is a question of numbers; nothing here fetches or draws.
import { type Plane, type Point, type Sight, type Size, scaleOf, toImage } from './sight'
import { framed, type Instance, inOrder, items, numbersOf, sopOf, textOf } from './study'

const wholeSlide = '1.2.840.10008.5.1.4.1.1.77.1.6'

/** A tile: the frame it is, and where it lies in the pixels of its level; at the edges it is cut to the plane. */
export type Tile = { id: string; sop: string; frame: number; x: number; y: number; width: number; height: number }

export type Level = {
  columns: number
  rows: number
  /** Columns and rows of the finest level for one of this. */
  across: number
  down: number
  tileColumns: number
  tileRows: number
  instance: Instance
  /** Its objects: a concatenation has several. */
  sops: readonly string[]
  /** The tiles whose corner lies in a cell of the grid; none where a sparse level has nothing. */
  at: (column: number, row: number) => readonly Tile[]
}

/** The levels of one piece of glass, the coarsest first; columns and rows are those of the finest. */
export type Slide = { key: string; name: string; plane: Plane; levels: readonly Level[]; sop: string; planes: number }

export const isSlide = (instance: Instance): boolean => textOf(instance, '00080016') === wholeSlide

const whole = (instance: Instance, tag: string): number => numbersOf(instance, tag)[0] ?? 0
const kindOf = (instance: Instance): unknown => instance['00080008']?.Value?.[2]

/** A part of a level: a concatenation (PS3.3 C.7.6.16.2.2.4) cuts its frames into several objects. */
type Part = { instance: Instance; sop: string; offset: number; frames: number }

const partOf = (instance: Instance): Part => ({
  instance,
  sop: sopOf(instance),
  offset: whole(instance, '00209228'),
  frames: Math.max(1, Number(textOf(instance, '00280008') || 1)),
})

/** The slides of a series; `focus` chooses among focal planes, from 0. The label and the photo of the glass are none. */
export function slidesOf(instances: readonly Instance[], focus?: number): Slide[] {
  const levels = new Map<string, Map<string, Part[]>>()
  for (const instance of inOrder(instances)) {
    if (!isSlide(instance) || kindOf(instance) === 'LABEL' || kindOf(instance) === 'OVERVIEW') continue
    const glass = textOf(instance, '00200052')
    const parts = levels.get(glass) ?? new Map<string, Part[]>()
    levels.set(glass, parts)
    const key = textOf(instance, '00209161') || sopOf(instance)
    parts.set(key, [...(parts.get(key) ?? []), partOf(instance)])
  }
  return [...levels].flatMap(([key, objects]) => slideOf(key, [...objects.values()], focus) ?? [])
}

function slideOf(key: string, objects: readonly Part[][], focus: number | undefined): Slide | undefined {
  const matrix = ({ instance }: Part) => ({
    columns: whole(instance, '00480006') || whole(instance, '00280011'),
    rows: whole(instance, '00480007') || whole(instance, '00280010'),
  })
  const sizes = new Map<number, Part[]>() // of several objects of one resolution the first is shown
  for (const parts of objects) {
    const sorted = [...parts].sort((a, b) => a.offset - b.offset)
    const [first] = sorted
    if (first && matrix(first).columns > 0 && matrix(first).rows > 0 && !sizes.has(matrix(first).columns))
      sizes.set(matrix(first).columns, sorted)
  }
  const byWidth = [...sizes].sort(([a], [b]) => a - b).map(([, parts]) => parts)
  const [finest] = byWidth.at(-1) ?? []
  if (!finest) return undefined
  const full = matrix(finest)
  const planes = Math.max(1, whole(finest.instance, '00480303'))
  const levels = byWidth.map((parts) => {
    const { instance } = parts[0] as Part
    const { columns, rows } = matrix(parts[0] as Part)
    const shape = {
      columns,
      rows,
      across: full.columns / columns,
      down: full.rows / rows,
      tileColumns: Math.max(1, whole(instance, '00280011')),
      tileRows: Math.max(1, whole(instance, '00280010')),
      instance,
      sops: parts.map(({ sop }) => sop),
    }
    const of = Math.max(1, whole(instance, '00480303'))
    const plane = Math.min(of - 1, focus ?? Math.floor(of / 2))
    const sparse = parts.some(({ instance }) => items(instance, '52009230').some((one) => positionOf(one)))
    const isFull = textOf(instance, '00209311') === 'TILED_FULL' || !sparse
    return { ...shape, at: isFull ? inFull(shape, parts, plane) : inSparse(shape, parts, plane) }
  })
  const name = textOf(finest.instance, '00400512') // Container Identifier
  return {
    key,
    name,
    plane: { ...full, across: 1, down: 1, mm: scaleIn(finest.instance, full) },
    levels,
    sop: finest.sop,
    planes,
  }
}

/** How wide and high a pixel is: as it says, or by the size of the glass that is imaged (0048,0001). */
function scaleIn(instance: Instance, { columns, rows }: Pick<Plane, 'columns' | 'rows'>): Plane['mm'] {
  const [down, across] = framed(instance, 1, '00289110', '00280030')
  if (down && across) return { across, down }
  const [wide, high] = [whole(instance, '00480001'), whole(instance, '00480002')]
  return wide > 0 && high > 0 ? { across: wide / columns, down: high / rows } : undefined
}

type Shape = Omit<Level, 'at'>

function tileAt(shape: Shape, { sop }: Part, frame: number, x: number, y: number): Tile {
  const width = Math.min(shape.tileColumns, shape.columns - x)
  const height = Math.min(shape.tileRows, shape.rows - y)
  return { id: `${sop}/${frame}`, sop, frame, x, y, width, height }
}

/** TILED_FULL (C.7.6.17.3): frames follow rows of tiles, then focal planes, then optical paths, of which the first is shown. */
function inFull(shape: Shape, parts: readonly Part[], plane: number): Level['at'] {
  const wide = Math.ceil(shape.columns / shape.tileColumns)
  const high = Math.ceil(shape.rows / shape.tileRows)
  return (column, row) => {
    if (column < 0 || row < 0 || column >= wide || row >= high) return []
    const n = (plane * high + row) * wide + column
    const part = parts.find(({ offset, frames }) => n >= offset && n < offset + frames)
    return part ? [tileAt(shape, part, n - part.offset + 1, column * shape.tileColumns, row * shape.tileRows)] : []
  }
}

/** Plane Position (Slide) of a frame: its corner in the plane, from 0, and its height in the glass. */
function positionOf(groups: Instance): { x: number; y: number; z: number } | undefined {
  const [place] = items(groups, '0048021A')
  const x = place && numbersOf(place, '0048021E')[0]
  const y = place && numbersOf(place, '0048021F')[0]
  if (!place || x === undefined || y === undefined) return undefined
  return { x: x - 1, y: y - 1, z: numbersOf(place, '0040074A')[0] ?? 0 }
}

const pathOf = (groups: Instance): string => {
  const [path] = items(groups, '00480207')
  return path ? textOf(path, '00480106') : ''
}

/** TILED_SPARSE: each frame says where it lies; they may overlap, and lie off the grid. */
function inSparse(shape: Shape, parts: readonly Part[], plane: number): Level['at'] {
  const all = parts.flatMap((part) =>
    items(part.instance, '52009230').flatMap((groups, n) => {
      const place = positionOf(groups)
      return place ? [{ part, frame: n + 1, ...place, path: pathOf(groups) }] : []
    }),
  )
  const heights = [...new Set(all.map(({ z }) => z))].sort((a, b) => a - b)
  const height = heights[Math.min(plane, heights.length - 1)]
  const path = all[0]?.path
  const cells = new Map<string, Tile[]>()
  for (const one of all) {
    if (one.z !== height || one.path !== path) continue
    if (one.x < 0 || one.y < 0 || one.x >= shape.columns || one.y >= shape.rows) continue
    const cell = `${Math.floor(one.x / shape.tileColumns)} ${Math.floor(one.y / shape.tileRows)}`
    const tile = tileAt(shape, one.part, one.frame, one.x, one.y)
    cells.set(cell, [...(cells.get(cell) ?? []), tile])
  }
  return (column, row) => cells.get(`${column} ${row}`) ?? []
}

export const levelOf = ({ levels }: Slide, sop: string): Level | undefined =>
  levels.find(({ sops }) => sops.includes(sop))

/** The two corners of what a level shows under a sight, in its own columns and rows. */
export function cornersOf(level: Level, plane: Plane, size: Size, sight: Sight): Point[] {
  const corner = (left: number, top: number) => {
    const { x, y } = toImage(plane, size, sight, { left, top })
    return { x: x / level.across, y: y / level.down }
  }
  return [corner(0, 0), corner(size.width, size.height)]
}

/** The sight that shows two corners of a level and no more than it must. */
export function sightOf(level: Level, plane: Plane, size: Size, [a, b]: readonly Point[]): Sight | undefined {
  if (!a || !b) return undefined
  const [wide, high] = [Math.abs(b.x - a.x) * level.across, Math.abs(b.y - a.y) * level.down]
  if (wide === 0 || high === 0) return undefined
  const zoom = Math.min(size.width / wide, size.height / high) / scaleOf(plane, size, 1)
  return { x: ((a.x + b.x) / 2) * level.across, y: ((a.y + b.y) / 2) * level.down, zoom, voi: undefined }
}

/** The focal plane of a frame; undefined where it can't be told, or where there is one alone. */
export function focusOf(instances: readonly Instance[], sop: string, frame: number): number | undefined {
  const count = Math.max(1, ...slidesOf(instances).map(({ planes }) => planes))
  if (count === 1) return undefined
  for (let focus = 0; focus < count; focus++)
    for (const slide of slidesOf(instances, focus)) {
      const level = levelOf(slide, sop)
      for (let row = 0; level && row * level.tileRows < level.rows; row++)
        for (let column = 0; column * level.tileColumns < level.columns; column++)
          if (level.at(column, row).some((tile) => tile.sop === sop && tile.frame === frame)) return focus
    }
  return undefined
}

/** Bytes of a decoded tile: four channels of one byte. */
export const tileBytes = ({ tileColumns, tileRows }: Level): number => tileColumns * tileRows * 4

/** The tiles of a level that are seen, nearest to the middle of the view first. */
export function seen(level: Level, plane: Plane, size: Size, sight: Sight): Tile[] {
  const from = toImage(plane, size, sight, { left: 0, top: 0 })
  const to = toImage(plane, size, sight, { left: size.width, top: size.height })
  const left = Math.max(0, from.x / level.across)
  const top = Math.max(0, from.y / level.down)
  const right = Math.min(level.columns, to.x / level.across)
  const bottom = Math.min(level.rows, to.y / level.down)
  if (right <= left || bottom <= top) return []
  const found: Tile[] = []
  // A tile off the grid reaches from its own cell into the next.
  for (let row = Math.floor(top / level.tileRows) - 1; row * level.tileRows < bottom; row++)
    for (let column = Math.floor(left / level.tileColumns) - 1; column * level.tileColumns < right; column++)
      for (const tile of level.at(column, row))
        if (tile.x + tile.width > left && tile.y + tile.height > top && tile.x < right && tile.y < bottom)
          found.push(tile)
  const away = ({ x, y, width, height }: Tile) =>
    Math.hypot(x + width / 2 - sight.x / level.across, y + height / 2 - sight.y / level.down)
  return found.sort((a, b) => away(a) - away(b))
}

/**
 * The level to read: whose pixels are nearest in size to the screen's, `ratio` of which make one of CSS; a coarser one
 * where the tiles seen would be more than `budget` bytes.
 */
export function fitting(slide: Slide, size: Size, sight: Sight, ratio: number, budget: number): number {
  const scale = scaleOf(slide.plane, size, sight.zoom) * ratio
  const off = ({ across }: Level) => Math.abs(Math.log2(scale * across))
  let best = 0
  slide.levels.forEach((level, n) => {
    if (off(level) <= off(slide.levels[best] as Level)) best = n
  })
  for (; best > 0; best--) {
    const level = slide.levels[best] as Level
    // Counted, not listed: at low zoom a fine level has more tiles in view than should be made to be counted.
    const wide = Math.min(level.columns, size.width / (scale / ratio) / level.across) / level.tileColumns + 1
    const high = Math.min(level.rows, size.height / (scale / ratio) / level.down) / level.tileRows + 1
    if (Math.ceil(wide) * Math.ceil(high) * tileBytes(level) <= budget) break
  }
  return best
}

/** A level that may be held as a whole beside what is read: the preview under everything, and the overview. */
export function previewOf(slide: Slide, budget: number): Level | undefined {
  const [level] = slide.levels
  if (!level) return undefined
  const cells = Math.ceil(level.columns / level.tileColumns) * Math.ceil(level.rows / level.tileRows)
  return cells * tileBytes(level) <= budget ? level : undefined
}

/** Magnification as microscopes say it: 40 is 0.25 µm for a pixel of the screen. Undefined without a scale. */
export function powerOf(slide: Slide, size: Size, zoom: number): number | undefined {
  const mm = slide.plane.mm?.across
  return mm && (scaleOf(slide.plane, size, zoom) / (mm * 1000)) * 10
}

/** The zoom that shows this magnification. */
export function zoomFor(slide: Slide, size: Size, power: number): number | undefined {
  const one = powerOf(slide, size, 1)
  return one && power / one
}

/** The closest look: a pixel of the finest level on four of the screen. */
export const closest = (slide: Slide, size: Size): number => Math.max(1, 4 / scaleOf(slide.plane, size, 1))

/** A scale bar of about `wish` pixels of the screen: a round length in µm and how wide it is drawn. */
export function scaleBar(
  slide: Slide,
  size: Size,
  zoom: number,
  wish = 120,
): { um: number; width: number } | undefined {
  const mm = slide.plane.mm?.across
  if (!mm) return undefined
  const perUm = scaleOf(slide.plane, size, zoom) / (mm * 1000)
  const most = wish / perUm
  const ten = 10 ** Math.floor(Math.log10(most))
  const um = ([5, 2, 1].find((n) => n * ten <= most) ?? 1) * ten
  return { um, width: um * perUm }
}
