import { describe, expect, it } from 'vitest'
import { boxOf, clip } from './box'

describe('a box that is blanked', () => {
  it('covers every pixel that was touched, whichever corner the drag began at', () => {
    const box = { x: 51, y: 76, width: 52, height: 26 }
    expect(boxOf({ x: 0.1, y: 0.15 }, { x: 0.2, y: 0.199 }, 512, 512)).toEqual(box)
    expect(boxOf({ x: 0.2, y: 0.199 }, { x: 0.1, y: 0.15 }, 512, 512)).toEqual(box)
  })
  it('is cut at the edges of the picture', () => {
    expect(boxOf({ x: -0.5, y: 0.5 }, { x: 0.5, y: 1.5 }, 100, 60)).toEqual({ x: 0, y: 30, width: 50, height: 30 })
  })
  it('is none outside, without extent, or of letters', () => {
    expect(clip({ x: 100, y: 0, width: 10, height: 10 }, 100, 60)).toBeUndefined()
    expect(clip({ x: 1, y: 1, width: 0, height: 10 }, 100, 60)).toBeUndefined()
    expect(clip({ x: Number.NaN, y: 1, width: 5, height: 10 }, 100, 60)).toBeUndefined()
  })
})
