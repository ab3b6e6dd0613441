import { describe, expect, it } from 'vitest'
import { Tiles, Unreadable } from './tiles'

type Made = { width: number; height: number; close: () => void }
const side = 256
const bytes = side * side * 4

/** A line on which each tile comes when it is let through. */
function line(budget = 4 * bytes) {
  const asked: string[] = []
  const closed: string[] = []
  const waiting = new Map<string, { done: (made: Made) => void; fail: (error: Error) => void }>()
  const late: (() => void)[] = []
  const tiles = new Tiles<{ id: string }, Made>(
    ({ id }, signal) => {
      asked.push(id)
      return new Promise((done, fail) => {
        waiting.set(id, { done, fail })
        signal.addEventListener('abort', () => fail(new Error('left')))
      })
    },
    () => {},
    budget,
    (deed) => late.push(deed),
  )
  const settled = () => new Promise((done) => setTimeout(done))
  return {
    tiles,
    asked,
    closed,
    want: (ids: string) => tiles.want([...ids].map((id) => ({ id }))),
    come: async (ids: string) => {
      for (const id of ids) waiting.get(id)?.done({ width: side, height: side, close: () => closed.push(id) })
      await settled()
    },
    fail: async (id: string, error: Error) => {
      waiting.get(id)?.fail(error)
      await settled()
    },
    retry: async () => {
      for (const deed of late.splice(0)) deed()
      await settled()
    },
    settled,
  }
}

describe('tiles of a slide', () => {
  it('are asked for five at a time, the most needed first', async () => {
    const { want, come, asked } = line()
    want('abcdefg')
    expect(asked.join('')).toBe('abcde')
    await come('b')
    expect(asked.join('')).toBe('abcdef')
  })
  it('that are not seen any more are left, and asked for again when they are', async () => {
    const { want, asked, settled, come, tiles } = line()
    want('abcde')
    want('ez')
    await settled()
    expect(asked.join('')).toBe('abcdez')
    await come('ez')
    want('a')
    await come('a')
    expect(tiles.of('a')).toBeDefined()
  })
  it('stay within the memory: what was not seen for longest goes', async () => {
    const { want, come, closed, tiles } = line()
    want('abcd')
    await come('abcd')
    want('a')
    tiles.of('a')
    want('ef')
    await come('ef')
    expect(closed.join('')).toBe('bc')
    expect(tiles.held()).toBe(4 * bytes)
    expect(tiles.of('b')).toBeUndefined()
    tiles.close()
    expect(closed.sort().join('')).toBe('abcdef')
  })
  it('that are seen stay, even if they are too many', async () => {
    const { want, come, closed, tiles } = line(2 * bytes)
    want('abc')
    await come('abc')
    expect(closed).toEqual([])
    expect(tiles.held()).toBe(3 * bytes)
  })
  it('that will not open are asked for once, and nothing stands for them', async () => {
    const { want, fail, asked, tiles } = line()
    want('a')
    await fail('a', new Unreadable())
    want('a')
    expect(asked).toEqual(['a'])
    expect(tiles.isBroken('a')).toBe(true)
    expect(tiles.of('a')).toBeUndefined()
  })
  it('are asked for again, after a while, when the line was down', async () => {
    const { want, fail, asked, retry, come, tiles } = line()
    want('a')
    await fail('a', new Error('no line'))
    expect(asked).toEqual(['a'])
    await retry()
    expect(asked).toEqual(['a', 'a'])
    await come('a')
    expect([tiles.of('a') !== undefined, tiles.isBroken('a')]).toEqual([true, false])
  })
  it('that come after the end are let go', async () => {
    const { want, come, closed, tiles } = line()
    want('a')
    tiles.close()
    await come('a')
    expect([closed, tiles.held()]).toEqual([[], 0]) // its request was left
  })
})
