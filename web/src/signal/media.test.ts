import { describe, expect, it } from 'vitest'
import { sizeFor } from './line'
import { layersOf, madeOf } from './media'

describe('the sizes of a picture', () => {
  it.each([
    ['the largest alone, while nothing is known of the others', 1, undefined, '010'],
    ['what each of the others watches', 2, [true, false, true], '101'],
    ['the largest that the line carries, for who would take more', 1, [true, false, true], '110'],
    ['one size, when that is all the line carries', 0, [false, true, true], '100'],
    ['nothing that nobody watches', 2, [false, false, false], '000'],
    ['the largest, when the answer took the sizes away', 2, [true], '001'],
  ] as const)('%s', (_, top, wanted, sent) => {
    expect(
      layersOf(top, wanted)
        .map((on) => (on ? '1' : '0'))
        .join(''),
    ).toBe(sent)
  })

  it.each([
    ['1280 × 720', 1280 * 720, 2],
    ['640 × 480', 640 * 480, 1],
    ['320 × 240', 320 * 240, 0],
    ['nobody knows', 0, 2],
  ] as const)('made of a camera of %s', (_, pixels, largest) => {
    expect(madeOf(pixels)).toBe(largest)
  })

  it.each([
    ['all of it, before the tile is drawn', undefined, '720p', 2],
    ['a thumbnail', 90, '720p', 0],
    ['a tile a little taller than the small size', 210, '720p', 0],
    ['a tile of half a screen', 400, '720p', 1],
    ['a stage', 900, '720p', 2],
    ['a stage on a thin line', 900, '180p', 0],
    ['a stage on a line that takes no picture', 900, 'audio', 0],
  ] as const)('chosen for %s', (_, height, takes, size) => {
    expect(sizeFor(height, takes)).toBe(size)
  })
})
