import { describe, expect, it } from 'vitest'
import { alongNormal, type Instance, inOrder, pictures, sopOf } from './study'

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
