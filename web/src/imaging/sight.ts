// What of an image is on the screen. Everything is said in columns and rows of the image, counted from the corner of
// the first pixel as DICOM's SCOORD does (PS3.3 C.18.6), so that it means the same on every screen.

export type Voi = { center: number; width: number }
export type Point = { x: number; y: number }
export type Size = { width: number; height: number }
export type Place = { left: number; top: number }

/** `x`, `y` stand in the middle of the view; zoom 1 fits the image; without a window the image's own holds. */
export type Sight = Point & { zoom: number; voi: Voi | undefined }

/** An image as a plane: its grid, and how wide and high one pixel is drawn, in millimetres where `mm` is known. */
export type Plane = { columns: number; rows: number; across: number; down: number; mm: Pixel | undefined }
export type Pixel = { across: number; down: number }

export const nearest = 0.2
export const farthest = 20

export const whole = (plane: Plane): Sight => ({ x: plane.columns / 2, y: plane.rows / 2, zoom: 1, voi: undefined })

/** Pixels of the screen for one unit of `across` and `down`. */
export const scaleOf = (plane: Plane, { width, height }: Size, zoom: number): number =>
  zoom * Math.min(width / (plane.columns * plane.across), height / (plane.rows * plane.down))

export function toScreen(plane: Plane, size: Size, sight: Sight, at: Point): Place {
  const scale = scaleOf(plane, size, sight.zoom)
  return {
    left: size.width / 2 + (at.x - sight.x) * plane.across * scale,
    top: size.height / 2 + (at.y - sight.y) * plane.down * scale,
  }
}

export function toImage(plane: Plane, size: Size, sight: Sight, at: Place): Point {
  const scale = scaleOf(plane, size, sight.zoom)
  return {
    x: sight.x + (at.left - size.width / 2) / (plane.across * scale),
    y: sight.y + (at.top - size.height / 2) / (plane.down * scale),
  }
}

export const zoomed = (sight: Sight, zoom: number, most = farthest): Sight => ({
  ...sight,
  zoom: Math.min(most, Math.max(nearest, zoom)),
})

/** Zoomed around a place of the screen: what lies there stays there. */
export function zoomedAt(plane: Plane, size: Size, sight: Sight, at: Place, zoom: number, most = farthest): Sight {
  const fixed = toImage(plane, size, sight, at)
  const next = zoomed(sight, zoom, most)
  const moved = toImage(plane, size, next, at)
  return {
    ...next,
    x: within(next.x + fixed.x - moved.x, plane.columns),
    y: within(next.y + fixed.y - moved.y, plane.rows),
  }
}

const within = (value: number, most: number) => Math.min(most, Math.max(0, value))

/** The view moved by pixels of the screen; the image never leaves it altogether. */
export function dragged(plane: Plane, size: Size, sight: Sight, dx: number, dy: number): Sight {
  const { x, y } = toImage(plane, size, sight, { left: size.width / 2 - dx, top: size.height / 2 - dy })
  return { ...sight, x: within(x, plane.columns), y: within(y, plane.rows) }
}

/** What another image of the series shows under the same sight: where the grid differs, all of it. */
export const carried = (sight: Sight, from: Plane, to: Plane): Sight =>
  from.columns === to.columns && from.rows === to.rows ? sight : { ...whole(to), voi: sight.voi }
