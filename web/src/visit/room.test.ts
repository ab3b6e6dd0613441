import { describe, expect, it } from 'vitest'
import { lang } from '../i18n/i18n'
import { lasting, lineSentence } from './call'
import { phaseOf } from './room'

describe('the state of the connection, for people', () => {
  it('keeps a person who was not admitted in the waiting room while the line is away', () => {
    expect(phaseOf({ phase: 'reconnecting', admitted: false })).toBe('waiting')
    expect(phaseOf({ phase: 'reconnecting', admitted: true })).toBe('reconnecting')
  })
  it('ends for who was removed, and says no for an error', () => {
    expect(phaseOf({ phase: 'removed' })).toBe('ended')
    expect(phaseOf({ phase: 'error', code: 'room_full', zh: '满', en: 'full' })).toBe('refused')
  })
})

describe('the sentence about the line', () => {
  const calm = { phase: 'live', peerLost: false, returned: false, mic: true } as const
  const said = [
    [{ ...calm, phase: 'reconnecting', mic: false }, '正在接回，请别挂断。'],
    [{ ...calm, peerLost: true }, '对方的网断了，正在接回。'],
    [{ ...calm, returned: true }, '接上了。'],
    [{ ...calm, mic: false }, '您的麦克风关着'],
    [calm, '线路正常'],
  ] as const
  it.each(said)('%j', (view, text) => {
    lang.value = 'zh'
    expect(lineSentence(view).text).toBe(text)
  })
  it('marks trouble only when there is trouble', () => {
    expect(said.map(([view]) => lineSentence(view).trouble)).toEqual([true, true, false, false, false])
  })
  it('counts minutes and hours', () => {
    expect([0, 65, 3723].map(lasting)).toEqual(['00:00', '01:05', '1:02:03'])
  })
})
