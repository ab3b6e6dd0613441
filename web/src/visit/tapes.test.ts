import { describe, expect, it } from 'vitest'
import type { EndingRecording } from '../api/types/visit'
import { mayAgree } from './tapes_page'

const one = (id: string, state: EndingRecording['state'], mine = false): EndingRecording => ({
  id,
  state,
  mine,
  kind: 'visit',
  institution: '清河市第一医院',
  doctor: '张建国',
  recorded_at: '2023-06-01T02:00:00Z',
  keep_until: '2026-06-01',
  parts: 3,
  bytes: 9000,
})

describe('recordings whose time is over', () => {
  it('asks for a word only where one is to be given', () => {
    const list = [
      one('k', 'kept'),
      one('a', 'due'),
      one('b', 'agreed'),
      one('c', 'agreed', true),
      one('d', 'ending'),
      one('e', 'held'),
      one('f', 'erased'),
    ]
    expect(mayAgree(list).map(({ id }) => id)).toEqual(['a', 'b'])
  })
})
