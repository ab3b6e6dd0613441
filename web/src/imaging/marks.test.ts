import { describe, expect, it } from 'vitest'
import { type Gone, inside, type Mark, measure, merged, placed } from './marks'
import type { Plane } from './sight'

const plane: Plane = { columns: 4, rows: 4, across: 1, down: 1, mm: { across: 0.5, down: 2 } }
const unscaled: Plane = { ...plane, mm: undefined }

describe('a measurement', () => {
  it('is in millimetres of pixels that are no squares', () => {
    const line = {
      tool: 'length',
      points: [
        { x: 0, y: 0 },
        { x: 6, y: 2 },
      ],
    } as const
    expect(measure(plane, { ...line, points: [...line.points] })).toEqual({ what: 'length', value: 5, unit: 'mm' })
    expect(measure(unscaled, { ...line, points: [...line.points] })?.unit).toBe('px')
  })
  it('of an angle counts at its vertex, in space', () => {
    const points = [
      { x: 4, y: 0 },
      { x: 0, y: 0 },
      { x: 0, y: 1 },
    ]
    expect(measure(plane, { tool: 'angle', points })?.value).toBeCloseTo(90, 9)
    const half = [
      { x: 4, y: 0 },
      { x: 0, y: 0 },
      { x: 4, y: 1 },
    ]
    expect(measure(plane, { tool: 'angle', points: half })?.value).toBeCloseTo(45, 9)
  })
  it('of a region is its area', () => {
    const points = [
      { x: 4, y: 2 },
      { x: 0, y: 0 },
    ]
    expect(measure(plane, { tool: 'rectangle', points })).toEqual({ what: 'area', value: 8, unit: 'mm²' })
    expect(measure(plane, { tool: 'ellipse', points })?.value).toBeCloseTo(2 * Math.PI, 9)
  })
  it('is in µm under the microscope, from a millimetre on in mm', () => {
    const slide: Plane = { columns: 40_000, rows: 30_000, across: 1, down: 1, mm: { across: 0.00025, down: 0.00025 } }
    const of = (tool: 'length' | 'rectangle', x: number, y: number) =>
      measure(slide, {
        tool,
        points: [
          { x: 0, y: 0 },
          { x, y },
        ],
      })
    expect(of('length', 300, 400)).toEqual({ what: 'length', value: 125, unit: 'µm' })
    expect(of('length', 4800, 6400)).toEqual({ what: 'length', value: 2, unit: 'mm' })
    expect(of('rectangle', 400, 400)).toMatchObject({ what: 'area', unit: 'µm²' })
    expect(of('rectangle', 400, 400)?.value).toBeCloseTo(10_000, 6)
    expect(of('rectangle', 8000, 4000)).toEqual({ what: 'area', value: 2, unit: 'mm²' })
  })
  it('needs its points', () => {
    expect(
      measure(plane, {
        tool: 'angle',
        points: [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
      }),
    ).toBeUndefined()
    expect(measure(plane, placed('arrow', { x: 2, y: 2 }, 1))).toBeUndefined()
  })
})

describe('the pixels of a region', () => {
  const samples = {
    at: [0, 0, 0, 0, 0, 10, 20, 0, 0, 30, 40, 0, 0, 0, 0, 0],
    columns: 4,
    rows: 4,
    slope: 2,
    intercept: -1000,
    unit: 'HU',
  }
  it('are those whose middle lies inside, in the values of the modality', () => {
    const points = [
      { x: 3, y: 3 },
      { x: 1, y: 1 },
    ]
    expect(inside(samples, { tool: 'rectangle', points })).toEqual({ mean: -950, sd: Math.sqrt(500), unit: 'HU' })
    expect(inside(samples, { tool: 'ellipse', points })?.mean).toBe(-950)
  })
  it('are cut at the border, and none are none', () => {
    const off = [
      { x: -5, y: -5 },
      { x: 0.4, y: 0.4 },
    ]
    expect(inside(samples, { tool: 'rectangle', points: off })).toBeUndefined()
    const over = [
      { x: 2, y: 2 },
      { x: 99, y: 99 },
    ]
    expect(inside(samples, { tool: 'rectangle', points: over })?.mean).toBe(-980)
  })
})

describe('versions of marks', () => {
  const mark = (id: string, rev: number, text = ''): Mark => ({
    id,
    rev,
    text,
    tool: 'length',
    points: [],
    found: undefined,
    author: { id: '1', name: '李明远' },
    study: '1',
    series: '2',
    sop: '3',
    frame: 1,
  })
  const gone = (id: string, rev: number): Gone => ({ id, rev, gone: true })
  it('come to the same in whatever order they arrive', () => {
    const all = [mark('a', 1), mark('b', 1), mark('a', 2, 'new'), gone('b', 2), mark('c', 1)]
    const orders = [all, [...all].reverse(), [all[2], all[4], all[3], all[0], all[1]] as typeof all]
    const ends = orders.map((order) => [...order.reduce((known, one) => merged(known, [one]), new Map())].sort())
    expect(ends[1]).toEqual(ends[0])
    expect(ends[2]).toEqual(ends[0])
    expect(new Map(ends[0] as [string, Mark][]).get('a')?.text).toBe('new')
  })
})
