import { describe, expect, it } from 'vitest'
import { askOfSound } from './sdp'

const answer = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=rtpmap:96 VP8/90000',
  '',
].join('\r\n')

describe('what is asked of our sound', () => {
  it('silence is not sent', () => {
    expect(askOfSound(answer, false)).toBe(answer.replace('useinbandfec=1', 'useinbandfec=1;usedtx=1'))
  })
  it('on a narrow line packets are longer', () => {
    expect(askOfSound(answer, true)).toContain('useinbandfec=1;usedtx=1\r\na=ptime:60\r\nm=video')
  })
  it('is asked once', () => {
    expect(askOfSound(askOfSound(answer, false), false)).toBe(askOfSound(answer, false))
  })
  it('leaves an answer without Opus alone', () => {
    expect(askOfSound('answer', true)).toBe('answer')
  })
})
