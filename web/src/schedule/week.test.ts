import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { clock, day } from '../i18n/format'
import { addDays, base64, clockOf, minutesOf, monday } from './week'

describe('a week', () => {
  it('begins on Monday, over the year’s end too', () => {
    expect(monday('2026-11-27')).toBe('2026-11-23')
    expect(monday('2026-11-23')).toBe('2026-11-23')
    expect(monday('2027-01-03')).toBe('2026-12-28')
    expect(addDays('2026-12-28', 7)).toBe('2027-01-04')
  })
  it('reads clocks to midnight', () => {
    expect([minutesOf('9:00'), minutesOf('09:05'), minutesOf('24:00')]).toEqual([540, 545, 1440])
    expect([minutesOf('24:01'), minutesOf('9'), minutesOf('9:60'), minutesOf('')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect([clockOf(540), clockOf(1440)]).toEqual(['09:00', '24:00'])
  })
  it('sends bytes whole', async () => {
    const bytes = new Uint8Array(70_000).map((_, n) => n % 256)
    const text = await base64(new Blob([bytes]))
    expect(Uint8Array.from(atob(text), (char) => char.charCodeAt(0))).toEqual(bytes)
  })
})

describe('one formatter for screen and message', () => {
  const cases = JSON.parse(readFileSync('../consult/schedule/testdata/moments.json', 'utf8')) as {
    at: string
    zone: string
    text: string
  }[]
  it.each(cases)('$at in $zone is $text', ({ at, zone, text }) => {
    expect(`${day(at, zone)} ${clock(at, zone)}`).toBe(text)
  })
})
