import { describe, expect, it } from 'vitest'
import { only, relays } from './probe'

const sdp = [
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=candidate:1 1 udp 2130706431 10.0.0.1 4000 typ host',
  'a=candidate:2 1 tcp 1671430143 10.0.0.1 4001 typ host tcptype passive',
  'a=mid:0',
].join('\r\n')

describe('one path at a time', () => {
  it('keeps the candidates of one protocol', () => {
    expect(only(sdp, 'udp')).not.toContain('tcptype')
    expect(only(sdp, 'tcp')).not.toContain(' udp ')
    expect(only(sdp, 'tcp')).toContain('a=mid:0')
  })
  it('keeps the relays of one transport', () => {
    const servers = [
      { urls: ['stun:h:1'] },
      { urls: ['turn:h:1?transport=udp'], username: 'u' },
      { urls: 'turn:h:2?transport=tcp', username: 't' },
      { urls: ['turns:h:3?transport=tcp'], username: 's' },
    ]
    const of = (path: Parameters<typeof relays>[0]) => relays(path, servers).map(({ username }) => username)
    expect([of('turn-udp'), of('turn-tcp'), of('turn-tls')]).toEqual([['u'], ['t'], ['s']])
  })
})
