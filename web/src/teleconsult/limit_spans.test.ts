import { expect, it } from 'vitest'
import { shown, whole } from './limit_spans'

it('a time is said in the unit that says it whole', () => {
  expect(shown(30, 0)).toEqual({ n: 30, unit: 'minute' })
  expect(shown(90, 0)).toEqual({ n: 90, unit: 'minute' })
  expect(shown(48 * 60, 0)).toEqual({ n: 48, unit: 'hour' })
  expect(shown(7 * 1440, 0)).toEqual({ n: 7, unit: 'day' })
  expect(shown(0, 3)).toEqual({ n: 3, unit: 'workday' })
})

it('what is typed is stored as it is shown, and nonsense as nothing', () => {
  expect(whole('30', 'minute')).toEqual([30, 0])
  expect(whole(' 2 ', 'day')).toEqual([2880, 0])
  expect(whole('3', 'workday')).toEqual([0, 3])
  for (const text of ['', '-1', '1.5', 'x', '1e3']) expect(whole(text, 'hour')).toEqual([0, 0])
})
