import { describe, expect, it } from 'vitest'
import { counterpart, Link, type Reader, wayBetween } from './linked'
import type { Voi } from './sight'
import type { Instance, Picture } from './study'

const axial = [1, 0, 0, 0, 1, 0]
const upsideDown = [1, 0, 0, 0, -1, 0]
const sagittal = [0, 1, 0, 0, 0, -1]

/** Slices from `from` mm on, `step` apart. */
const series = (
  count: number,
  { from = 0, step = 1, reference = '1.2.3', orientation = axial as number[] | null } = {},
): Picture[] =>
  Array.from({ length: count }, (_, n) => {
    const across = orientation === sagittal
    const at = from + n * step
    const instance: Instance = {
      '00200052': { vr: 'UI', Value: [reference] },
      ...(orientation
        ? {
            '00200037': { vr: 'DS', Value: orientation },
            '00200032': { vr: 'DS', Value: across ? [at, 0, 0] : [0, 0, at] },
          }
        : {}),
    }
    return { sop: `1.${n}`, frame: 1, imageId: `${n}`, instance }
  })

describe('two series', () => {
  it('of one frame of reference belong together by position, whatever their spacing', () => {
    const [now, before] = [series(100), series(21, { from: -2, step: 5 })]
    const way = wayBetween({ pictures: now, index: 3 }, { pictures: before, index: 9 })
    expect(way).toEqual({ by: 'position' })
    expect(counterpart(way, { pictures: now, index: 0 }, before, false)).toBe(0)
    expect(counterpart(way, { pictures: now, index: 13 }, before, false)).toBe(3)
    expect(counterpart(way, { pictures: before, index: 3 }, now, true)).toBe(13)
    expect(counterpart(way, { pictures: now, index: 99 }, before, false)).toBe(20)
  })
  it('of two frames of reference keep the distance at which they were tied', () => {
    const [now, before] = [series(50), series(50, { from: 300, step: 2, reference: '1.2.4' })]
    const way = wayBetween({ pictures: now, index: 10 }, { pictures: before, index: 20 })
    expect(way).toEqual({ by: 'offset', mm: 330 })
    expect(counterpart(way, { pictures: now, index: 14 }, before, false)).toBe(22)
    expect(counterpart(way, { pictures: before, index: 22 }, now, true)).toBe(14)
  })
  it('are tied the right way round when one was taken head first and the other feet first', () => {
    const [now, before] = [series(50), series(50, { reference: '1.2.4', orientation: upsideDown })]
    const way = wayBetween({ pictures: now, index: 10 }, { pictures: before, index: 12 })
    expect(counterpart(way, { pictures: now, index: 20 }, before, false)).toBe(22)
    expect(counterpart(way, { pictures: before, index: 22 }, now, true)).toBe(20)
  })
  it('of no frame of reference do not count as one', () => {
    const nowhere = { reference: '' }
    expect(
      wayBetween({ pictures: series(5, nowhere), index: 0 }, { pictures: series(5, nowhere), index: 0 }),
    ).toMatchObject({ by: 'offset' })
  })
  it('without positions keep a number of slices, and stop at the ends', () => {
    const [now, before] = [series(30), series(10, { orientation: null })]
    const way = wayBetween({ pictures: now, index: 14 }, { pictures: before, index: 4 })
    expect(way).toEqual({ by: 'slices', slices: -10 })
    expect(counterpart(way, { pictures: now, index: 16 }, before, false)).toBe(6)
    expect(counterpart(way, { pictures: now, index: 2 }, before, false)).toBe(0)
    expect(counterpart(way, { pictures: before, index: 9 }, now, true)).toBe(19)
  })
  it('cut in other directions do not belong together', () => {
    const [now, before] = [series(30), series(30, { orientation: sagittal })]
    const way = wayBetween({ pictures: now, index: 0 }, { pictures: before, index: 0 })
    expect(way).toEqual({ by: 'none' })
    expect(counterpart(way, { pictures: now, index: 5 }, before, false)).toBeUndefined()
  })
})

class Hand implements Reader {
  at = 0
  seen: Voi | undefined
  constructor(readonly pictures: Picture[]) {
    this.at = Math.floor((pictures.length - 1) / 2)
  }
  index = () => this.at
  voi = () => this.seen
  go = (index: number, voi: Voi | undefined) => {
    this.at = index
    this.seen = voi
  }
}

describe('a link', () => {
  const lung = { center: -600, width: 1500 }
  const tied = () => {
    const link = new Link(() => {})
    const [main, beside] = [new Hand(series(100)), new Hand(series(21, { step: 5 }))]
    link.join('main', main)
    link.join('beside', beside)
    return { link, main, beside }
  }
  it('brings the earlier study to the slice that is read, then scrolls both', () => {
    const { link, main, beside } = tied()
    expect(beside.at).toBe(10)
    main.at = 25
    link.moved('main')
    expect(beside.at).toBe(5)
    beside.at = 8
    link.moved('beside')
    expect(main.at).toBe(40)
  })
  it('leaves the window alone until it is asked for', () => {
    const { link, main, beside } = tied()
    main.seen = lung
    link.moved('main')
    expect(beside.seen).toBeUndefined()
    link.tie(true, true)
    expect(beside.seen).toBe(lung)
    link.tie(true, false)
    main.seen = undefined
    link.moved('main')
    expect(beside.seen).toBe(lung)
  })
  it('untied moves nothing, and counts from where both stand when tied again', () => {
    const link = new Link(() => {})
    const [main, beside] = [new Hand(series(40)), new Hand(series(40, { reference: '1.2.4' }))]
    link.join('main', main)
    link.join('beside', beside)
    link.tie(false, false)
    beside.at = 25
    link.moved('beside')
    expect(main.at).toBe(19)
    link.tie(true, false)
    expect([main.at, beside.at, link.way]).toEqual([19, 25, { by: 'offset', mm: 6 }])
    main.at = 20
    link.moved('main')
    expect(beside.at).toBe(26)
  })
  it('led by a presenter moves nothing by itself, and goes on as the presenter tied it', () => {
    const { link, main, beside } = tied()
    link.lead({ scroll: true, window: false, way: { by: 'offset', mm: 20 } })
    main.at = 25
    link.moved('main')
    expect(beside.at).toBe(10)
    main.at = 30
    link.free('main')
    expect([beside.at, link.way]).toEqual([10, { by: 'offset', mm: 20 }])
    main.at = 35
    link.moved('main')
    expect(beside.at).toBe(11)
  })
  it('with one side gone is none', () => {
    const { link, main, beside } = tied()
    const again = new Hand(series(10))
    const leave = link.join('beside', again)
    leave()
    main.at = 3
    link.moved('main')
    expect([again.at, beside.at]).toEqual([9, 10])
  })
})
