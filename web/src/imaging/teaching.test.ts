import { describe, expect, it } from 'vitest'
import { type Part, ready } from './teaching'

const part = (series_uid: string, review: boolean): Part => ({
  series_uid,
  modality: 'CT',
  description: '',
  objects: 3,
  left_out: 0,
  review,
})

describe('what may go out for teaching', () => {
  const parts = [part('1', false), part('2', true)]
  it('is nothing until something is chosen', () => {
    expect(ready(parts, {})).toBe(false)
    expect(ready(parts, { '2': { out: false, seen: true } })).toBe(false)
  })
  it('goes without a look where no text is to be feared', () => {
    expect(ready(parts, { '1': { out: true, seen: false } })).toBe(true)
  })
  it('waits for the look through every series that needs one', () => {
    expect(ready(parts, { '1': { out: true, seen: false }, '2': { out: true, seen: false } })).toBe(false)
    expect(ready(parts, { '1': { out: true, seen: false }, '2': { out: true, seen: true } })).toBe(true)
  })
})
