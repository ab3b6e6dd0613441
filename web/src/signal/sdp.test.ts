import { describe, expect, it } from 'vitest'
import { askOfSound, keepSizes, relayed } from './sdp'

const answer = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=fmtp:63 111/111',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'a=rtpmap:96 VP8/90000',
  '',
].join('\r\n')

const plain = { packet: 20, redundant: false } as const

describe('what is asked of our sound', () => {
  it('silence is not sent', () => {
    expect(askOfSound(answer, plain)).toBe(answer.replace('useinbandfec=1', 'useinbandfec=1;usedtx=1'))
  })
  it('on a narrow line packets are longer', () => {
    expect(askOfSound(answer, { ...plain, packet: 60 })).toContain(
      'useinbandfec=1;usedtx=1\r\na=ptime:60\r\na=rtpmap:63',
    )
  })
  it('on a line that loses packets each repeats the one before', () => {
    expect(askOfSound(answer, { ...plain, redundant: true })).toContain('m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n')
    const without = answer.replace('a=fmtp:63 111/111\r\n', '')
    expect(askOfSound(without, { ...plain, redundant: true })).toBe(askOfSound(without, plain))
  })
  it('is asked once', () => {
    expect(askOfSound(askOfSound(answer, plain), plain)).toBe(askOfSound(answer, plain))
  })
  it('leaves an answer without Opus alone', () => {
    expect(askOfSound('answer', { packet: 60, redundant: true })).toBe('answer')
  })
})

it('an answer of a time when no size was sent pauses none that is sent now, and wakes none', () => {
  const sizes = [
    { rid: 's0', active: false },
    { rid: 's1', active: true },
  ]
  const held = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rid:s1 recv\r\na=simulcast:recv ~s0;~s1;~s2\r\n'
  expect(keepSizes(held, sizes)).toBe(held.replace('~s1', 's1'))
  expect(keepSizes(held.replaceAll('~', ''), sizes)).toBe(held.replace('~s1', 's1').replace('~s2', 's2'))
  expect(keepSizes(answer, sizes)).toBe(answer)
})

it('only what the server relays is offered', () => {
  const offered = [
    { mimeType: 'video/VP8' },
    { mimeType: 'video/rtx' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=640034' },
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=0' },
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=2' },
    { mimeType: 'video/AV1', sdpFmtpLine: 'level-idx=5;profile=1;tier=0' },
    { mimeType: 'video/flexfec-03' },
    { mimeType: 'audio/PCMU' },
    { mimeType: 'audio/red' },
  ]
  expect(relayed(offered)).toEqual([0, 1, 2, 5, 10].map((i) => offered[i]))
})
