import { describe, expect, it } from 'vitest'
import { type Counters, downward, nothingCounted, perPacket, report } from './quality'

const before: Counters = {
  ...nothingCounted,
  at: 1000,
  bytesSent: 1000,
  packetsReceived: 100,
  packetsLost: 5,
  soundPackets: 50,
  heard: 48_000,
}
const now: Counters = {
  ...before,
  at: 11_000,
  bytesSent: 26_000,
  bytesReceived: 50_000,
  packetsReceived: 1000,
  packetsLost: 105,
  soundPackets: 550,
  heard: 528_000,
  madeUp: 9600,
  freezes: 2,
  frozenMs: 700,
  rtt: 412.4,
  path: 'relay',
}

describe('what a line did in ten seconds', () => {
  it('is a difference of sums', () => {
    expect(report(now, before, 'audio')).toEqual({
      seconds: 10,
      mode: 'audio',
      path: 'relay',
      rtt_ms: 412,
      jitter_ms: 0,
      loss: 0.1,
      concealed: 0.02,
      freezes: 2,
      frozen_ms: 700,
      up_kbps: 20,
      down_kbps: 40,
      available: 0,
    })
  })
  it('is never less than nothing, though tracks went away with their sums', () => {
    const gone = report({ ...nothingCounted, at: 12_000 }, now, '360p')
    expect(gone).toMatchObject({ loss: 0, concealed: 0, up_kbps: 0, down_kbps: 0 })
  })
  it('is not told over no time at all, or after the device slept', () => {
    expect(report(now, now, 'audio')).toBeUndefined()
    expect(report({ ...now, at: 200_000 }, before, 'audio')).toBeUndefined()
  })
  it('says how much sound a packet holds, but not while none comes', () => {
    expect(perPacket(now, before)).toBe(20)
    expect(perPacket(now, now)).toBe(Number.POSITIVE_INFINITY)
  })
  it('is a measurement for the ladder', () => {
    expect(downward(now, before)).toEqual({ at: 11_000, rtt: 412.4, loss: 0.1, concealed: 0.02 })
  })
})
