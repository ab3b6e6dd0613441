import { describe, expect, it } from 'vitest'
import { toScreen, whole } from './sight'
import {
  closest,
  cornersOf,
  fitting,
  focusOf,
  type Level,
  levelOf,
  powerOf,
  previewOf,
  type Slide,
  scaleBar,
  seen,
  sightOf,
  slidesOf,
  tileBytes,
  zoomFor,
} from './slide'
import type { Instance } from './study'

type Over = Record<string, [vr: string, ...values: unknown[]]>

/** A level: 256 x 256 tiles of a plane of so many columns and rows. */
const level = (sop: string, columns: number, rows: number, over: Over = {}): Instance => {
  const frames = Math.ceil(columns / 256) * Math.ceil(rows / 256)
  const plain: Over = {
    '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.77.1.6'],
    '00080018': ['UI', sop],
    '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'VOLUME', 'NONE'],
    '00200013': ['IS', 1],
    '00200052': ['UI', '1.2.9'],
    '00209311': ['CS', 'TILED_FULL'],
    '00280008': ['IS', frames],
    '00280010': ['US', 256],
    '00280011': ['US', 256],
    '00400512': ['LO', 'S26-1 A1'],
    '00480006': ['UL', columns],
    '00480007': ['UL', rows],
    '52009229': ['SQ', { '00289110': { vr: 'SQ', Value: [{ '00280030': { vr: 'DS', Value: [0.00025, 0.00025] } }] } }],
    ...over,
  }
  return Object.fromEntries(Object.entries(plain).map(([tag, [vr, ...Value]]) => [tag, { vr, Value }]))
}
/** Where a frame of a sparse level lies, its corner counted from 1 as DICOM does. */
const placed = (column: number, row: number, z = 0) => ({
  '0048021A': {
    vr: 'SQ',
    Value: [
      {
        '0040074A': { vr: 'DS', Value: [z] },
        '0048021E': { vr: 'SL', Value: [column] },
        '0048021F': { vr: 'SL', Value: [row] },
      },
    ],
  },
})
const pyramid = [level('1.3', 40_000, 30_000), level('1.1', 2500, 1875), level('1.2', 10_000, 7500)]
const one = (instances: Instance[], focus?: number): Slide => {
  const [slide] = slidesOf(instances, focus)
  if (!slide) throw new Error('no slide')
  return slide
}
const desk = { width: 1500, height: 900 }
const frames = (slide: Slide, n: number, column: number, row: number) =>
  slide.levels[n]?.at(column, row).map(({ sop, frame, width, height }) => ({ sop, frame, width, height }))

describe('a slide', () => {
  it('is one plane in levels, the coarsest first, without label and overview', () => {
    const photo = (sop: string, kind: string) =>
      level(sop, 300, 200, { '00080008': ['CS', 'ORIGINAL', 'PRIMARY', kind, 'NONE'] })
    const slide = one([...pyramid, photo('1.8', 'LABEL'), photo('1.9', 'OVERVIEW')])
    expect(slide.levels.map(({ columns, across }) => [columns, across])).toEqual([
      [2500, 16],
      [10_000, 4],
      [40_000, 1],
    ])
    expect(slide).toMatchObject({ sop: '1.3', name: 'S26-1 A1', planes: 1, plane: { columns: 40_000, rows: 30_000 } })
    expect(slide.plane.mm).toEqual({ across: 0.00025, down: 0.00025 })
    expect(slidesOf([level('1.1', 10, 10, { '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.2'] })])).toEqual([])
  })
  it('is two where a series holds two pieces of glass', () => {
    expect(slidesOf([...pyramid, level('2.1', 512, 512, { '00200052': ['UI', '1.2.10'] })]).length).toBe(2)
  })
  it('finds tiles of a full level by their number, cut at the edges', () => {
    const slide = one(pyramid)
    expect(frames(slide, 2, 0, 0)).toEqual([{ sop: '1.3', frame: 1, width: 256, height: 256 }])
    expect(frames(slide, 2, 156, 0)).toEqual([{ sop: '1.3', frame: 157, width: 64, height: 256 }])
    expect(frames(slide, 2, 156, 117)).toEqual([{ sop: '1.3', frame: 157 * 118, width: 64, height: 48 }])
    expect(frames(slide, 2, 157, 0)).toEqual([])
    expect(frames(slide, 2, 0, -1)).toEqual([])
  })
  it('reads on in the next object of a concatenation, and has a hole where one is missing', () => {
    const part = (sop: string, number: number, offset: number, count: number) =>
      level(sop, 1024, 512, {
        '00209161': ['UI', '1.7'],
        '00209162': ['US', number],
        '00209228': ['UL', offset],
        '00280008': ['IS', count],
      })
    const both = one([part('1.6', 2, 5, 3), part('1.5', 1, 0, 5)])
    expect(both.levels.length).toBe(1)
    expect(frames(both, 0, 0, 1)).toEqual([{ sop: '1.5', frame: 5, width: 256, height: 256 }])
    expect(frames(both, 0, 1, 1)).toEqual([{ sop: '1.6', frame: 1, width: 256, height: 256 }])
    expect(frames(one([part('1.6', 2, 5, 3)]), 0, 0, 0)).toEqual([])
  })
  it('shows the middle focal plane, or the one that was chosen', () => {
    const thick = [level('1.1', 512, 256, { '00480303': ['UL', 3], '00280008': ['IS', 6] })]
    expect(frames(one(thick), 0, 0, 0)).toMatchObject([{ frame: 3 }])
    expect(frames(one(thick, 2), 0, 1, 0)).toMatchObject([{ frame: 6 }])
    expect(one(thick).planes).toBe(3)
  })
  it('finds tiles of a sparse level where they lie, on the grid or not, and none where there are none', () => {
    const sparse = level('1.1', 2048, 2048, {
      '00209311': ['CS', 'TILED_SPARSE'],
      '00280008': ['IS', 3],
      '52009230': ['SQ', placed(257, 1), placed(1000, 900), placed(1, 1, 5)],
    })
    const slide = one([sparse])
    expect(frames(slide, 0, 1, 0)).toMatchObject([{ frame: 1 }])
    expect(frames(slide, 0, 3, 3)).toMatchObject([{ frame: 2 }])
    expect(frames(slide, 0, 2, 2)).toEqual([])
    expect(frames(slide, 0, 0, 0)).toEqual([]) // another focal plane
    const near = { ...whole(slide.plane), zoom: 16, x: 1200, y: 1000 }
    expect(seen(slide.levels[0] as never, slide.plane, desk, near).map(({ frame }) => frame)).toEqual([2])
  })
})

describe('what is fetched of a slide', () => {
  const slide = one(pyramid)
  const sight = (zoom: number) => ({ ...whole(slide.plane), zoom })
  it('is the level whose pixels are those of the screen', () => {
    expect(fitting(slide, desk, sight(1), 1, 48e6)).toBe(0)
    expect(fitting(slide, desk, sight(8), 1, 48e6)).toBe(1)
    expect(fitting(slide, desk, sight(33), 1, 48e6)).toBe(2)
    expect(fitting(slide, desk, sight(500), 1, 48e6)).toBe(2)
    expect(fitting(slide, desk, sight(8), 2, 48e6)).toBe(1)
  })
  it('never needs more than its budget, whatever the zoom', () => {
    for (let zoom = 1; zoom < 200; zoom *= 1.1)
      for (const ratio of [1, 2])
        for (const budget of [6e6, 34e6]) {
          const at = slide.levels[fitting(slide, desk, sight(zoom), ratio, budget)]
          if (!at || at === slide.levels[0]) continue
          expect(seen(at, slide.plane, desk, sight(zoom)).length * tileBytes(at)).toBeLessThanOrEqual(budget)
        }
  })
  it('is what is in view, the middle first', () => {
    const near = { ...sight(60), x: 10_000, y: 10_000 }
    const tiles = seen(slide.levels[2] as never, slide.plane, desk, near)
    expect(tiles[0]).toMatchObject({ x: 9984, y: 9984 })
    for (const tile of tiles) {
      const from = toScreen(slide.plane, desk, near, tile)
      const to = toScreen(slide.plane, desk, near, { x: tile.x + tile.width, y: tile.y + tile.height })
      expect(from.left < desk.width && from.top < desk.height && to.left > 0 && to.top > 0).toBe(true)
    }
    // and nothing of the view is without a tile
    const covered = tiles.reduce((sum, { width, height }) => sum + width * height, 0)
    const scale = 60 * Math.min(desk.width / 40_000, desk.height / 30_000)
    expect(covered).toBeGreaterThanOrEqual((desk.width * desk.height) / scale ** 2)
    expect(seen(slide.levels[2] as never, slide.plane, desk, { ...near, x: -1e5 })).toEqual([])
  })
  it('has a level to lie under everything only where it fits', () => {
    expect(previewOf(slide, 12e6)).toBeUndefined() // 80 tiles of 256 kB
    expect(previewOf(slide, 24e6)).toBe(slide.levels[0])
  })
})

describe('the scale of a slide', () => {
  const slide = one(pyramid)
  it('is said as microscopes say it', () => {
    const zoom = zoomFor(slide, desk, 40) ?? 0
    expect(powerOf(slide, desk, zoom)).toBeCloseTo(40)
    expect(toScreen(slide.plane, desk, { ...whole(slide.plane), zoom }, { x: 20_001, y: 0 }).left).toBeCloseTo(751)
    expect(closest(slide, desk)).toBeCloseTo(zoom * 4)
  })
  it('is a bar of a round length that is as long as it says', () => {
    for (const zoom of [1, 3, 10, 33, 100]) {
      const bar = scaleBar(slide, desk, zoom)
      if (!bar) throw new Error('no bar')
      expect(bar.width).toBeGreaterThan(40)
      expect(bar.width).toBeLessThanOrEqual(120)
      const columns = bar.um / 0.25
      const end = toScreen(slide.plane, desk, { ...whole(slide.plane), zoom }, { x: 20_000 + columns, y: 0 }).left
      expect(end - 750).toBeCloseTo(bar.width)
    }
  })
  it('is that of the glass that is imaged where no pixel says its size', () => {
    const wide = level('1.1', 4000, 2000, {
      '52009229': ['SQ'],
      '00480001': ['FL', 2],
      '00480002': ['FL', 1.5],
    })
    expect(one([wide]).plane.mm).toEqual({ across: 0.0005, down: 0.00075 })
  })
  it('is not made up where the slide has none', () => {
    const bare = one([level('1.1', 512, 512, { '52009229': ['SQ'] })])
    expect([scaleBar(bare, desk, 1), powerOf(bare, desk, 1), zoomFor(bare, desk, 40)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
  it('is seen again from the corners of what was seen, in whatever level they count', () => {
    const slide = one(pyramid)
    const sight = { x: 12_345, y: 6789, zoom: 7.5, voi: undefined }
    for (const level of slide.levels) {
      const again = sightOf(level, slide.plane, desk, cornersOf(level, slide.plane, desk, sight))
      expect([again?.x, again?.y, again?.zoom].map((value) => Math.round((value ?? 0) * 1e6) / 1e6)).toEqual([
        12_345, 6789, 7.5,
      ])
    }
    // In a window of another shape all of it is seen.
    const finest = levelOf(slide, '1.3') as Level
    const corners = cornersOf(finest, slide.plane, desk, sight)
    const narrow = { width: 360, height: 500 }
    const there = sightOf(finest, slide.plane, narrow, corners)
    if (!there) throw new Error('no sight')
    for (const corner of corners) {
      const { left, top } = toScreen(slide.plane, narrow, there, corner)
      expect(left).toBeGreaterThanOrEqual(-1e-6)
      expect(left).toBeLessThanOrEqual(360 + 1e-6)
      expect(top).toBeGreaterThanOrEqual(-1e-6)
      expect(top).toBeLessThanOrEqual(500 + 1e-6)
    }
    expect(sightOf(finest, slide.plane, desk, [])).toBeUndefined()
  })
  it('of several focal planes says in which a frame lies', () => {
    const thick = [level('1.3', 1024, 512, { '00480303': ['UL', 3], '00280008': ['IS', 24] })]
    expect([1, 8, 9, 24].map((frame) => focusOf(thick, '1.3', frame))).toEqual([0, 0, 1, 2])
    expect(focusOf(pyramid, '1.3', 1)).toBeUndefined()
  })
})
