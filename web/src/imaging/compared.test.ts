import { describe, expect, it } from 'vitest'
import { priorOf, relationOf } from './compared'
import type { Opened } from './opening'

const one = (study: string, series: string, date: string, modality = 'CT'): Opened => ({
  study,
  series,
  title: series,
  modality,
  date,
})

describe('what is put beside the series that is read', () => {
  const read = one('now', 'now.1', '20261120')
  it('is the newest earlier study that was made alike', () => {
    const all = [
      read,
      one('now', 'now.2', '20261120'),
      one('old', 'old.1', '20240101'),
      one('last', 'last.1', '20260101', 'MR'),
      one('last', 'last.2', '20260101'),
    ]
    expect(priorOf(read, all)?.series).toBe('last.2')
  })
  it('is an earlier one made otherwise rather than another series of the same day', () => {
    const all = [read, one('now', 'now.2', '20261120'), one('old', 'old.1', '20240101', 'DX')]
    expect(priorOf(read, all)?.series).toBe('old.1')
  })
  it('is what there is, and never the series itself', () => {
    expect(priorOf(read, [read, one('now', 'now.2', '20261120')])?.series).toBe('now.2')
    expect(priorOf(read, [read, one('now', 'now.9', '20261120', 'SR')])).toBeUndefined()
  })
  it('is named by when it was made', () => {
    expect(relationOf(one('old', 'old.1', '20240101'), read)).toBe('earlier')
    expect(relationOf(one('next', 'next.1', '20270101'), read)).toBe('later')
    expect(relationOf(one('now', 'now.2', '20261120'), read)).toBe('same')
    for (const day of ['', '20261120']) expect(relationOf(one('x', 'x.1', day), read)).toBe('other')
  })
})
