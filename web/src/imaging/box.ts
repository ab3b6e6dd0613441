// A part of a picture in its own pixels, whole and inside.
export type Box = { x: number; y: number; width: number; height: number }
type Point = { x: number; y: number }

/** The box cut at the edges; undefined if nothing of it is inside, or it is none. */
export function clip({ x, y, width, height }: Box, columns: number, rows: number): Box | undefined {
  if (![x, y, width, height].every(Number.isFinite)) return undefined
  const [left, top] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))]
  const [right, bottom] = [Math.min(columns, Math.ceil(x + width)), Math.min(rows, Math.ceil(y + height))]
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : undefined
}

/** The box between two points that are given in parts of the picture's width and height. */
export function boxOf(a: Point, b: Point, columns: number, rows: number): Box | undefined {
  const [x, y] = [Math.min(a.x, b.x) * columns, Math.min(a.y, b.y) * rows]
  return clip({ x, y, width: Math.abs(a.x - b.x) * columns, height: Math.abs(a.y - b.y) * rows }, columns, rows)
}
