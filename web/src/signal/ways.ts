// Which ways to the server are tried. At first the straight one alone, UDP to the server itself: what relays and TCP need to be set
// up fills a thin line before the straight way has been answered. The others follow where it stays without an answer.

/** Milliseconds without an answer until TCP to the server is tried too, and until relays are. */
export const tcpAfter = 2000
export const relayAfter = 5000

const remembered = 'yz.way'

/** Whether the last call of this device went straight, or nothing is known of it; and a connection can be told of relays later. */
export function straightFirst(): boolean {
  if (!('setConfiguration' in (globalThis.RTCPeerConnection?.prototype ?? {}))) return false
  return !['tcp', 'relay'].includes(globalThis.localStorage?.getItem(remembered) ?? '')
}

export function rememberWay(way: 'udp' | 'tcp' | 'relay' | 'none'): void {
  if (way !== 'none') globalThis.localStorage?.setItem(remembered, way)
}

/** Takes the candidates of TCP out of a description. All media go over the transport of its first section. */
export function straight(sdp: string): { sdp: string; others: RTCIceCandidateInit[] } {
  const others: RTCIceCandidateInit[] = []
  const rest = sdp.replace(/^a=(candidate:\S+ \d+ tcp [^\r\n]*)\r?\n/gim, (_, candidate: string) => {
    others.push({ candidate, sdpMLineIndex: 0 })
    return ''
  })
  return { sdp: rest, others }
}
