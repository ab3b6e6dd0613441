import { describe, expect, it } from 'vitest'
import { Repeater } from './red'

const opus = 111
const step = 2880 // 60 ms at 48 kHz

/** A packet as RFC 2198 §3 has it: older frames with their ages, then the newest. */
function red(newest: number[], ...older: [age: number, data: number[]][]): Uint8Array {
  const headers = older.flatMap(([age, { length }]) => [
    0x80 | opus,
    age >> 6,
    ((age & 63) << 2) | (length >> 8),
    length & 255,
  ])
  return Uint8Array.from([...headers, opus, ...older.flatMap(([, data]) => data), ...newest])
}

/** What the encoder makes of frames that are sent one after the other: each with the one before it. */
const made = (frames: number[][]): Uint8Array[] =>
  frames.map((frame, n) => (n === 0 ? red(frame) : red(frame, [step, frames[n - 1] ?? []])))

describe('a packet of sound', () => {
  const frames = [[1], [2, 2], Array.from({ length: 300 }, () => 3), [4], []]
  it('repeats two frames when asked to', () => {
    const repeater = new Repeater()
    repeater.depth = 2
    const out = made(frames).map((packet, n) => repeater.repeat(packet, 0xffffffff - step + n * step))
    expect(out.slice(0, 2)).toEqual(made(frames).slice(0, 2))
    for (let n = 2; n < frames.length; n++) {
      const [a = [], b = [], c = []] = frames.slice(n - 2)
      expect(out[n]).toEqual(red(c, [2 * step, a], [step, b]))
    }
  })
  it('stays as the browser made it when not, but what went before is known at once', () => {
    const repeater = new Repeater()
    const packets = made(frames)
    for (const depth of [0, 1]) {
      repeater.depth = depth
      for (const [n, packet] of packets.slice(0, 2).entries()) expect(repeater.repeat(packet, n * step)).toBe(packet)
    }
    repeater.depth = 2
    expect(repeater.repeat(packets[2] ?? red([]), 2 * step)).toHaveLength(300 + 3 + 9)
  })
  it('does not repeat what is longer ago or longer than a block can say', () => {
    for (const [first, at] of [
      [[1], (1 << 14) - step],
      [Array.from({ length: 1024 }, () => 1), 0],
    ] as const) {
      const repeater = new Repeater()
      repeater.depth = 2
      repeater.repeat(red([...first]), 0)
      repeater.repeat(red([2], [step, [...first]]), at + step)
      const third = red([3], [step, [2]])
      expect(repeater.repeat(third, at + 2 * step)).toBe(third)
    }
  })
  it('that is none is left alone', () => {
    const repeater = new Repeater()
    repeater.depth = 2
    for (const bad of [[], [0x80 | opus], [0x80 | opus, 0, 0, 9, opus, 1], [255, 255, 255, 255]]) {
      const packet = Uint8Array.from(bad)
      expect(repeater.repeat(packet, 0)).toBe(packet)
    }
  })
})
