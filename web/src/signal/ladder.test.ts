import { describe, expect, it } from 'vitest'
import {
  afresh,
  fitting,
  type Ladder,
  least,
  lightOf,
  need,
  type Rung,
  rungs,
  type Sample,
  start,
  step,
} from './ladder'

const calm: Omit<Sample, 'at'> = { loss: 0, concealed: 0, rtt: 60 }

/** A line of so many seconds, measured every two; returns the rung after each measurement. */
function ride(from: Ladder, seconds: number, line: (second: number, rung: Rung) => Omit<Sample, 'at'>) {
  let ladder = from
  const seen: Rung[] = []
  for (let second = 2; second <= seconds; second += 2) {
    ladder = step(ladder, { at: from.since + second * 1000, ...line(second, ladder.rung) })
    seen.push(ladder.rung)
  }
  return { ladder, seen }
}

/** A line of a fixed width: what does not fit is lost, and the estimate says so. */
const narrow = (bits: number) => (_: number, rung: Rung) => ({
  ...calm,
  available: bits,
  loss: Math.max(0, 1 - bits / Math.max(1, need[rung])) * 0.8,
})

describe('going down', () => {
  it.each([
    [2_000_000, '720p'],
    [500_000, '360p'],
    [200_000, '180p'],
    [64_000, 'still'],
    [32_000, 'audio'],
  ] as const)('a line of %d bit/s ends at %s within six seconds', (bits, rung) => {
    expect(ride(start('720p', 0), 6, narrow(bits)).ladder.rung).toBe(rung)
  })
  it('one bad measurement changes nothing', () => {
    const { seen } = ride(start('360p', 0), 8, (second) => (second === 4 ? { ...calm, loss: 0.5 } : calm))
    expect(seen.slice(0, 3)).toEqual(['360p', '360p', '360p'])
  })
  it('loss at random leaves a small picture while every word is heard', () => {
    const { ladder } = ride(start('720p', 0), 40, () => ({ ...calm, loss: 0.15, concealed: 0.01 }))
    expect(ladder.rung).toBe('180p')
  })
  it('sound never pays for picture: lost words take the picture away', () => {
    const { ladder } = ride(start('360p', 0), 20, (_, rung) => ({
      ...calm,
      concealed: rung === 'audio' || rung === 'still' ? 0 : 0.06,
    }))
    expect(['audio', 'still']).toContain(ladder.rung)
  })
  it('a growing queue counts as too much sent', () => {
    expect(ride(start('360p', 0), 4, () => ({ ...calm, rtt: 3000 })).ladder.rung).toBe('180p')
  })
  it('where sound does not get through either, only words are left', () => {
    expect(ride(start('audio', 0), 4, () => ({ ...calm, concealed: 0.5, loss: 0.7 })).ladder.rung).toBe('text')
  })
})

describe('going up', () => {
  it('stills need no line without loss, only one that loses no words', () => {
    const lossy = (concealed: number) =>
      ride(start('audio', 0), 120, () => ({ ...calm, rtt: 500, loss: 0.12, concealed }))
    expect(lossy(0.004).ladder.rung).toBe('still')
    expect(lossy(0.02).ladder.rung).toBe('still')
    expect(lossy(0.05).ladder.rung).toBe('audio')
  })
  it('needs eight good seconds', () => {
    const { seen } = ride(start('audio', 0), 12, () => calm)
    expect(seen).toEqual(['audio', 'audio', 'audio', 'audio', 'still', 'still'])
  })
  it('reaches the top on a good line within a minute and a half', () => {
    const wide = (_: number, rung: Rung) => ({ ...calm, available: need[rung] * 2 })
    expect(ride(start('text', 0), 90, wide).ladder.rung).toBe('720p')
  })
  it('does not try a picture for which the browser sees no room', () => {
    const { ladder } = ride(start('180p', 0), 120, () => ({ ...calm, available: 150_000 }))
    expect(ladder.rung).toBe('180p')
  })
  it('waits twice as long after each attempt that failed', () => {
    // Without an estimate: the line carries stills, and every picture that moves is lost again.
    const tries: number[] = []
    let before: Rung = 'still'
    ride(start('still', 0), 200, (second, rung) => {
      if (rung === '180p' && before === 'still') tries.push(second)
      before = rung
      return rung === '180p' ? { ...calm, loss: 0.5, concealed: 0.04 } : calm
    })
    const gaps = tries.slice(1).map((second, n) => second - (tries[n] ?? 0))
    expect(gaps.length).toBeGreaterThan(1)
    for (let n = 1; n < gaps.length; n++) expect(gaps[n]).toBeGreaterThan((gaps[n - 1] ?? 0) * 1.4)
  })
  it('comes back from the last rung when sound is heard again', () => {
    expect(ride(start('text', 0), 12, () => calm).ladder.rung).toBe('audio')
  })
  it('words alone are left when sound gets through, though not every word is heard', () => {
    const poor = () => ({ ...calm, concealed: 0.05, loss: 0.12 })
    expect(ride(start('text', 0), 6, poor).ladder.rung).toBe('audio')
    expect(ride(start('text', 0), 120, poor).ladder.rung).toBe('audio')
    expect(ride(start('text', 0), 120, () => ({ ...calm, concealed: 0.2 })).ladder.rung).toBe('text')
  })
  it('sound that was heard and lost again is waited for longer', () => {
    const { seen } = ride(start('text', 0), 60, (_, rung) => ({ ...calm, concealed: rung === 'audio' ? 0.5 : 0 }))
    const tries = seen.filter((rung, n) => rung === 'audio' && seen[n - 1] === 'text').length
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThan(4)
  })
})

describe('on new connections', () => {
  const trying: Ladder = { ...start('180p', 0), trying: true, bad: 1, goodSince: 0, failed: '360p', patience: 32_000 }
  it('keeps what it learnt of the line', () => {
    expect(afresh(trying)).toMatchObject({ rung: '180p', failed: '360p', patience: 32_000 })
  })
  it('one bad measurement changes nothing again, and the gap is no good time', () => {
    const bad = step(afresh(trying), { ...calm, at: 60_000, loss: 0.5 })
    expect(bad.rung).toBe('180p')
    const good = step(afresh({ ...trying, failed: undefined }), { ...calm, at: 60_000, available: 2_000_000 })
    expect(good.rung).toBe('180p')
  })
})

describe('whatever is measured', () => {
  it('moves by what the ladder has, up by one rung only', () => {
    let seed = 7
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed / 2_147_483_647
    }
    let ladder = start('360p', 0)
    for (let n = 1; n < 20_000; n++) {
      const sample: Sample = {
        at: n * 2000,
        loss: random() ** 3,
        concealed: random() ** 4,
        rtt: random() < 0.1 ? undefined : random() * 4000,
        available: random() < 0.3 ? undefined : random() * 3_000_000,
      }
      const next = step(ladder, sample)
      expect(rungs.indexOf(next.rung)).toBeGreaterThanOrEqual(0)
      expect(rungs.indexOf(next.rung)).toBeLessThanOrEqual(rungs.indexOf(ladder.rung) + 1)
      expect(next.patience).toBeLessThanOrEqual(120_000)
      ladder = next
    }
  })
})

describe('the words for it', () => {
  it('the light says what a person hears', () => {
    expect(lightOf({ at: 0, ...calm })).toBe('good')
    expect(lightOf({ at: 0, ...calm, loss: 0.05 })).toBe('fair')
  })
  it.each([
    ['3 % lost', { loss: 0.03 }, 'good'],
    ['more than 3 % lost', { loss: 0.031 }, 'fair'],
    ['300 ms there and back', { rtt: 300 }, 'good'],
    ['more than 300 ms there and back', { rtt: 301 }, 'fair'],
  ])('warns from what the rule names (TCR-12): %s', (_, worse, light) => {
    expect(lightOf({ at: 0, ...calm, ...worse })).toBe(light)
  })
  it('says when words are lost', () => {
    expect(lightOf({ at: 0, ...calm, concealed: 0.05 })).toBe('poor')
  })
  it('finds what fits, and never less than sound', () => {
    expect([0, 30_000, 50_000, 200_000, 5_000_000].map(fitting)).toEqual(['audio', 'audio', 'still', '180p', '720p'])
  })
  it('takes the least of several', () => {
    expect(least('720p', 'still', '360p')).toBe('still')
  })
})
