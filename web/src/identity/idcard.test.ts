import { describe, expect, it } from 'vitest'
import { checkId, spellId } from './idcard'

describe('resident identity number', () => {
  it('reads birth, sex and region from a good number', () => {
    expect(checkId('11010519491231002X')).toEqual({ ok: true, birth: '1949-12-31', sex: 'F', region: '110105' })
    expect(checkId('440524188001010014')).toEqual({ ok: true, birth: '1880-01-01', sex: 'M', region: '440524' })
  })
  it('takes spaces and a small x as people type them', () => {
    expect(checkId('110105 19491231 002x').ok).toBe(true)
  })
  const wrong: [string, string, string][] = [
    ['a number with one digit missing', '1101051949123100X', 'length'],
    ['a letter inside', '11010519491231O02X', 'characters'],
    ['the 31st of June', '110105194906310021', 'birth'],
    ['29 February of a common year', '110105190002290021', 'birth'],
    ['two digits swapped', '110105194912310200', 'check'],
    ['a wrong check character', '110105194912310021', 'check'],
  ]
  it.each(wrong)('names the fault of %s', (_, id, why) => {
    expect(checkId(id)).toEqual({ ok: false, why })
  })
  it('refuses a birth in the future', () => {
    expect(checkId('11010519491231002X', new Date('1949-12-30'))).toEqual({ ok: false, why: 'birth' })
  })
  it('spells the number in groups', () => {
    expect(spellId('11010519491231002x')).toBe('110105 19491231 002X')
  })
})
