import { describe, expect, it } from 'vitest'
import { isWithheld, priorOf, relationOf } from './compared'
import type { Opened } from './opening'
import type { Shown } from './share'

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

describe('what a presenter shows beside', () => {
  const all = [one('now', 'now.1', '20261120'), one('old', 'old.1', '20240101')]
  const seen = { study: 'now', series: 'now.1', sop: '1', frame: 1, zoom: 1, x: 0, y: 0, voi: undefined }
  const beside = (study: string, series: string): Shown => ({
    ...seen,
    beside: { ...seen, study, series, scroll: true, window: false, way: { by: 'position' } },
  })
  it('is withheld when it does not lie with our consult, or when the archive refuses it', () => {
    expect(isWithheld(beside('old', 'old.1'), all, undefined)).toBe(false)
    expect(isWithheld(beside('old', 'old.1'), all, 'old.1')).toBe(true)
    for (const [study, series] of [
      ['old', 'old.2'],
      ['other', 'old.1'],
    ] as const)
      expect(isWithheld(beside(study, series), all, undefined)).toBe(true)
  })
  it('is not withheld when it is nothing', () => {
    expect(isWithheld(seen, all, 'old.1')).toBe(false)
    expect(isWithheld(undefined, all, undefined)).toBe(false)
  })
})
