// Marks on an image: what they measure, from their points alone, and how two editors of one mark agree.
import type { Plane, Point } from './sight'

export const tools = ['length', 'angle', 'ellipse', 'rectangle', 'arrow'] as const
export type Tool = (typeof tools)[number]

/** How many points a tool sets: the ends, the ends and the vertex between, two opposite corners, the tip and the tail. */
export const pointsOf: Record<Tool, number> = { length: 2, angle: 3, ellipse: 2, rectangle: 2, arrow: 2 }

/** Where a mark lies. */
export type On = { study: string; series: string; sop: string; frame: number }
/** An image to go to, and what lies there. */
export type Going = Pick<On, 'sop' | 'frame'> & { points?: readonly Point[]; tool?: Mark['tool'] }
/** A shape as it is drawn; `found` is what the pixels inside say. */
export type Shape = { tool: Tool; points: Point[]; text: string; found: Found | undefined }
export type Found = { mean: number; sd: number; unit: string }

/** A key image is a mark without points; of a slide with the two corners of what was seen. */
export type KeyImage = { tool: 'key'; points: Point[]; text: string; found: undefined }
export const keyImage: KeyImage = { tool: 'key', points: [], text: '', found: undefined }

export type Mark = On & {
  id: string
  /** Counts the versions, from 1; a change names the one it was made from. */
  rev: number
  tool: Tool | 'key'
  points: Point[]
  text: string
  found: Found | undefined
  author: { id: string; name: string }
}

export type Value = {
  what: 'length' | 'angle' | 'area'
  value: number
  unit: 'mm' | 'µm' | 'px' | '°' | 'mm²' | 'µm²' | 'px²'
}

/** Under the microscope a pixel is a few thousandths of a millimetre, in other images a tenth and more. */
export const microscopic = ({ mm }: Plane): boolean => mm !== undefined && mm.across < 0.02

/**
 * What a shape measures. Without a scale in the image it counts pixels and says so; under the microscope it counts µm,
 * from a millimetre on mm.
 */
export function measure(plane: Plane, { tool, points }: Pick<Shape, 'tool' | 'points'>): Value | undefined {
  const [a, b, c] = points
  if (!a || !b) return undefined
  const pixel = plane.mm ?? { across: plane.across, down: plane.down }
  const run = (from: Point, to: Point) => ({ x: (to.x - from.x) * pixel.across, y: (to.y - from.y) * pixel.down })
  const d = run(a, b)
  const small = microscopic(plane)
  switch (tool) {
    case 'length': {
      const value = Math.hypot(d.x, d.y)
      if (small && value < 1) return { what: 'length', value: value * 1000, unit: 'µm' }
      return { what: 'length', value, unit: plane.mm ? 'mm' : 'px' }
    }
    case 'angle': {
      if (!c) return undefined
      const [p, q] = [run(b, a), run(b, c)]
      const turn = Math.abs(Math.atan2(p.x * q.y - p.y * q.x, p.x * q.x + p.y * q.y))
      return { what: 'angle', value: (turn * 180) / Math.PI, unit: '°' }
    }
    case 'rectangle':
    case 'ellipse': {
      const value = Math.abs(d.x * d.y) * (tool === 'ellipse' ? Math.PI / 4 : 1)
      if (small && value < 1) return { what: 'area', value: value * 1e6, unit: 'µm²' }
      return { what: 'area', value, unit: plane.mm ? 'mm²' : 'px²' }
    }
    case 'arrow':
      return undefined
  }
}

/** Decoded samples of an image, row by row, and how they become values of the modality. */
export type Samples = {
  at: ArrayLike<number>
  columns: number
  rows: number
  slope: number
  intercept: number
  unit: string
}

/** Mean and standard deviation of the pixels whose middle lies inside; undefined where there are none. */
export function inside(samples: Samples, { tool, points }: Pick<Shape, 'tool' | 'points'>): Found | undefined {
  const [a, b] = points
  if (!a || !b || (tool !== 'ellipse' && tool !== 'rectangle')) return undefined
  const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)]
  const [top, bottom] = [Math.min(a.y, b.y), Math.max(a.y, b.y)]
  const middle = { x: (left + right) / 2, y: (top + bottom) / 2 }
  const half = { x: (right - left) / 2, y: (bottom - top) / 2 }
  let n = 0
  let sum = 0
  let squares = 0
  for (let row = Math.max(0, Math.floor(top)); row < Math.min(samples.rows, Math.ceil(bottom)); row++)
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(samples.columns, Math.ceil(right)); column++) {
      const [x, y] = [column + 0.5, row + 0.5]
      if (x < left || x > right || y < top || y > bottom) continue
      if (tool === 'ellipse' && ((x - middle.x) / half.x) ** 2 + ((y - middle.y) / half.y) ** 2 > 1) continue
      const value = (samples.at[row * samples.columns + column] ?? 0) * samples.slope + samples.intercept
      n++
      sum += value
      squares += value * value
    }
  if (n === 0) return undefined
  const mean = sum / n
  return { mean, sd: Math.sqrt(Math.max(0, squares / n - mean * mean)), unit: samples.unit }
}

/** A shape of sensible size in the middle of what is seen: where drawing begins without a mouse. */
export function placed(tool: Tool, middle: Point, reach: number): Shape {
  const at = (x: number, y: number): Point => ({ x: middle.x + x * reach, y: middle.y + y * reach })
  const points = tool === 'angle' ? [at(-1, 1), at(0, -1), at(1, 1)] : [at(-1, -1), at(1, 1)]
  return { tool, points, text: '', found: undefined }
}

export const same = (a: On, b: On) => a.sop === b.sop && a.frame === b.frame && a.series === b.series

/** The newer of each mark wins, in whatever order the versions arrive; what was removed stays so. */
export function merged(
  known: ReadonlyMap<string, Mark | Gone>,
  more: readonly (Mark | Gone)[],
): Map<string, Mark | Gone> {
  const next = new Map(known)
  for (const one of more) if ((next.get(one.id)?.rev ?? 0) < one.rev) next.set(one.id, one)
  return next
}

/** A mark that was taken away, at which version. */
export type Gone = { id: string; rev: number; gone: true }
export const isGone = (one: Mark | Gone): one is Gone => 'gone' in one
