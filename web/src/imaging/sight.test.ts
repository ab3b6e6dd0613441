import { describe, expect, it } from 'vitest'
import { carried, dragged, type Plane, toImage, toScreen, whole, zoomed, zoomedAt } from './sight'

const plane = (over: Partial<Plane> = {}): Plane => ({
  columns: 512,
  rows: 256,
  across: 0.5,
  down: 1,
  mm: undefined,
  ...over,
})
const wide = { width: 1200, height: 600 }
const tall = { width: 360, height: 500 }

describe('an image on the screen', () => {
  it('fits with the shape of its pixels', () => {
    const all = whole(plane()) // 256 mm square
    expect(toScreen(plane(), wide, all, { x: 0, y: 0 })).toEqual({ left: 300, top: 0 })
    expect(toScreen(plane(), wide, all, { x: 512, y: 256 })).toEqual({ left: 900, top: 600 })
  })
  it.each([wide, tall])('has the same anatomy under a point on a screen of %o', (size) => {
    const sight = { ...whole(plane()), x: 100, y: 80, zoom: 2.5 }
    const at = { x: 150.25, y: 91.5 }
    const back = toImage(plane(), size, sight, toScreen(plane(), size, sight, at))
    expect(back.x).toBeCloseTo(at.x, 9)
    expect(back.y).toBeCloseTo(at.y, 9)
  })
  it('follows the hand, and never leaves the view', () => {
    const sight = dragged(plane(), wide, whole(plane()), 60, 0)
    expect(toScreen(plane(), wide, sight, { x: 256, y: 128 })).toEqual({ left: 660, top: 300 })
    expect(dragged(plane(), wide, sight, 99999, -99999)).toMatchObject({ x: 0, y: 256 })
  })
  it('zooms within reason', () => {
    expect(zoomed(whole(plane()), 1000).zoom).toBe(20)
    expect(zoomed(whole(plane()), 0).zoom).toBe(0.2)
  })
  it('zooms around what lies under the hand', () => {
    const at = { left: 700, top: 200 }
    const before = toImage(plane(), wide, whole(plane()), at)
    const sight = zoomedAt(plane(), wide, whole(plane()), at, 3)
    expect(sight.zoom).toBe(3)
    expect(toImage(plane(), wide, sight, at).x).toBeCloseTo(before.x)
    expect(toImage(plane(), wide, sight, at).y).toBeCloseTo(before.y)
    expect(zoomedAt(plane(), wide, whole(plane()), at, 300, 90).zoom).toBe(90)
  })
  it('is carried to the next slice, and shown whole where the grid differs', () => {
    const sight = { ...whole(plane()), x: 10, voi: { center: 40, width: 400 } }
    expect(carried(sight, plane(), plane())).toBe(sight)
    expect(carried(sight, plane(), plane({ rows: 300 }))).toEqual({ ...whole(plane({ rows: 300 })), voi: sight.voi })
  })
})
