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
  const calm = {
    phase: 'live',
    remotes: [{ name: '王秀英', lost: false }],
    returned: false,
    mic: true,
    line: { sends: '360p', takes: '720p', soundOnly: false },
  } as const
  const said = [
    [{ ...calm, phase: 'reconnecting', mic: false }, '正在接回，请别挂断。'],
    [{ ...calm, remotes: [{ name: '王秀英', lost: true }] }, '对方的网断了，正在接回。'],
    [
      {
        ...calm,
        remotes: [
          { name: '王秀英', lost: true },
          { name: '李强', lost: false },
          { name: '孙丽', lost: true },
        ],
      },
      '王秀英、孙丽的网断了，正在接回。',
    ],
    [{ ...calm, returned: true }, '接上了。'],
    [{ ...calm, mic: false }, '您的麦克风关着'],
    [calm, '线路正常'],
    [{ ...calm, line: { ...calm.line, sends: '180p' } }, '网络一般：画面放慢，声音照常'],
    [{ ...calm, line: { ...calm.line, takes: 'still' } }, '网络弱：隔几秒一张照片，声音照常'],
    [{ ...calm, line: { ...calm.line, sends: 'audio' } }, '网络弱：先保住声音，不传画面'],
    [{ ...calm, line: { ...calm.line, takes: 'audio', soundOnly: true } }, '只听声音，不收画面'],
    [{ ...calm, line: { ...calm.line, takes: 'text' } }, '声音传不过去：请写文字，或打电话'],
  ] as const
  it.each(said)('%j', (view, text) => {
    lang.value = 'zh'
    expect(lineSentence(view).text).toBe(text)
  })
  it('marks trouble only when there is trouble', () => {
    expect(said.map(([view]) => lineSentence(view).trouble)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ])
  })
  it('counts minutes and hours', () => {
    expect([0, 65, 3723].map(lasting)).toEqual(['00:00', '01:05', '1:02:03'])
  })
})
