import { describe, expect, it } from 'vitest'
import { addressOf, stateOf } from './links'
import {
  alongNormal,
  bytesOf,
  dateOf,
  type Instance,
  inOrder,
  memoryBudget,
  pictures,
  planeOf,
  sopOf,
  textOf,
  windowOf,
} from './study'

const slice = (sop: string, number: number, z?: number, frames?: number): Instance => ({
  '00080018': { vr: 'UI', Value: [sop] },
  '00200013': { vr: 'IS', Value: [number] },
  ...(z === undefined
    ? {}
    : { '00200032': { vr: 'DS', Value: [-100, -100, z] }, '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] } }),
  ...(frames ? { '00280008': { vr: 'IS', Value: [frames] } } : {}),
})
const sops = (instances: Instance[]) => instances.map(sopOf)

describe('the order of slices', () => {
  it('is that of the anatomy, not of the numbers', () => {
    expect(sops(inOrder([slice('a', 1, 30), slice('b', 2, 10), slice('c', 3, 20)]))).toEqual(['b', 'c', 'a'])
  })
  it('is that of the numbers where one slice has no place, or two share one', () => {
    expect(sops(inOrder([slice('a', 3, 30), slice('b', 1), slice('c', 2, 20)]))).toEqual(['b', 'c', 'a'])
    expect(sops(inOrder([slice('a', 2, 10), slice('b', 1, 10)]))).toEqual(['b', 'a'])
  })
  it('measures along the normal of the slices', () => {
    expect(alongNormal(slice('a', 1, 42))).toBe(42)
    expect(alongNormal(slice('a', 1))).toBeUndefined()
  })
  it('steps through every frame', () => {
    const steps = pictures('1.2', '1.3', [slice('a', 1, undefined, 3), slice('b', 2)])
    expect(steps.map(({ sop, frame }) => [sop, frame])).toEqual([
      ['a', 1],
      ['a', 2],
      ['a', 3],
      ['b', 1],
    ])
    expect(steps[2]?.imageId).toMatch(/^wadors:.*\/dicomweb\/studies\/1\.2\/series\/1\.3\/instances\/a\/frames\/3$/)
  })
})

describe('what a frame says of itself', () => {
  const us = (tag: string, ...Value: unknown[]) => ({ [tag]: { vr: 'US', Value } })
  const grid = { ...us('00280010', 256), ...us('00280011', 512) }
  const group = (macro: string, inner: Instance) => ({ [macro]: { vr: 'SQ', Value: [inner] } })
  it('is its grid and the millimetres of its pixels, rows first in the file', () => {
    expect(planeOf({ instance: { ...grid, ...us('00280030', 0.7, 0.5) }, frame: 1 })).toEqual({
      columns: 512,
      rows: 256,
      across: 0.5,
      down: 0.7,
      mm: { across: 0.5, down: 0.7 },
    })
  })
  it('has no millimetres from the spacing at a detector', () => {
    expect(planeOf({ instance: { ...grid, ...us('00181164', 0.1, 0.1) }, frame: 1 }).mm).toBeUndefined()
  })
  it('may stand in the groups of its frame, or in those of all', () => {
    const instance = {
      ...grid,
      '52009229': { vr: 'SQ', Value: [group('00289110', us('00280030', 2, 2))] },
      '52009230': { vr: 'SQ', Value: [{}, group('00289132', { ...us('00281050', 50), ...us('00281051', 350) })] },
    }
    expect(planeOf({ instance, frame: 2 }).mm).toEqual({ across: 2, down: 2 })
    expect(windowOf({ instance, frame: 2 })).toEqual({ center: 50, width: 350 })
    expect(windowOf({ instance, frame: 1 })).toBeUndefined()
  })
  it('is so many bytes in memory', () => {
    expect(bytesOf({ instance: { ...grid, ...us('00280100', 12) } })).toBe(512 * 256 * 2)
    expect(bytesOf({ instance: { ...grid, ...us('00280100', 8), ...us('00280002', 3) } })).toBe(512 * 256 * 4)
    expect(memoryBudget(4)).toBe(512e6)
    expect(memoryBudget(0.5)).toBe(128e6)
  })
})

describe('a text of DICOM JSON', () => {
  it('is the name in characters where there are some, without the carets', () => {
    const of = (value: unknown) => textOf({ '00100010': { vr: 'PN', Value: [value] } }, '00100010')
    expect(of({ Alphabetic: 'Zhou^Dashan', Ideographic: '周^大山' })).toBe('周 大山')
    expect(of({ Alphabetic: 'Zhou^Dashan^^' })).toBe('Zhou Dashan')
    expect(of(12)).toBe('12')
    expect(textOf({}, '00100010')).toBe('')
  })
})

describe('a share link', () => {
  const link = { id: '1', study_uid: '1.2', made_at: '2026-11-27T00:00:00Z', expires_at: '2026-11-28T00:00:00Z' }
  const now = new Date('2026-11-27T12:00:00Z')
  it.each([
    ['lives', { uses: 4, most_uses: 5 }],
    ['used', { uses: 5, most_uses: 5 }],
    ['revoked', { uses: 0, most_uses: 5, revoked_at: '2026-11-27T11:00:00Z' }],
    ['lapsed', { uses: 0, most_uses: 5, expires_at: '2026-11-27T12:00:00Z' }],
  ] as const)('%s', (state, rest) => expect(stateOf({ ...link, ...rest }, now)).toBe(state))
  it('keeps its secret behind #', () => {
    const { hash, pathname, search } = new URL(addressOf('S3CRET'))
    expect([pathname, search, hash]).toEqual(['/shared', '', '#S3CRET'])
  })
})

describe('a date of DICOM', () => {
  it('is said as one, and nothing else is', () => {
    expect(['20261120', '', '2026.11.20', '202611'].map(dateOf)).toEqual(['2026-11-20', '', '', ''])
  })
})
