// What the browser counted, turned into what a line did between two looks. Pure.
import type { Sample } from './ladder'

export type Path = 'none' | 'udp' | 'tcp' | 'relay'

/** Sums since the connections were made, over both of them. */
export type Counters = {
  /** Milliseconds, of a clock that does not go back. */
  at: number
  bytesSent: number
  bytesReceived: number
  packetsReceived: number
  packetsLost: number
  /** Packets of sound, those lost with them. */
  soundPackets: number
  /** Samples of sound played, and those made up for what did not come, silence left out. */
  heard: number
  madeUp: number
  freezes: number
  frozenMs: number
  /** The present moment: jitter of the sound received, round trip (ms), part lost of what we send as the other end reports it. */
  jitterMs: number
  rtt: number | undefined
  lossSent: number
  available: number | undefined
  path: Path
  framesDecoded: number
  framesSent: number
  audioEnergy: number
}

export const nothingCounted: Counters = {
  at: 0,
  bytesSent: 0,
  bytesReceived: 0,
  packetsReceived: 0,
  packetsLost: 0,
  soundPackets: 0,
  heard: 0,
  madeUp: 0,
  freezes: 0,
  frozenMs: 0,
  jitterMs: 0,
  rtt: undefined,
  lossSent: 0,
  available: undefined,
  path: 'none',
  framesDecoded: 0,
  framesSent: 0,
  audioEnergy: 0,
}

/** As the protocol words it, PROTOCOL.md §3. */
export type Quality = {
  seconds: number
  mode: string
  path: Path
  rtt_ms: number
  jitter_ms: number
  loss: number
  concealed: number
  freezes: number
  frozen_ms: number
  up_kbps: number
  down_kbps: number
  available: number
}

const grown = (now: number, before: number) => Math.max(0, now - before) // tracks come and go with their counts
const part = (some: number, all: number) => (all > 0 ? Math.min(1, some / all) : 0)
const tidy = (n: number, digits: number) => Number(n.toFixed(digits))

function received(now: Counters, before: Counters): { loss: number; concealed: number } {
  const lost = grown(now.packetsLost, before.packetsLost)
  return {
    loss: part(lost, lost + grown(now.packetsReceived, before.packetsReceived)),
    concealed: part(grown(now.madeUp, before.madeUp), grown(now.heard, before.heard)),
  }
}

/** What we send, as far as we are told of it. */
export const upward = (now: Counters): Sample => ({
  at: now.at,
  available: now.available,
  rtt: now.rtt,
  loss: Math.min(1, now.lossSent),
  concealed: 0,
})

/** What we receive. Nobody tells a receiver what the line could carry. */
export const downward = (now: Counters, before: Counters): Sample => ({
  at: now.at,
  rtt: now.rtt,
  ...received(now, before),
})

/** Milliseconds of sound for each of its packets: what one holds while somebody speaks, more in silence, of which few are sent. */
export function perPacket(now: Counters, before: Counters): number {
  const packets = grown(now.soundPackets, before.soundPackets)
  return packets > 0 ? grown(now.heard, before.heard) / 48 / packets : Number.POSITIVE_INFINITY
}

export function report(now: Counters, before: Counters, mode: string): Quality | undefined {
  const seconds = (now.at - before.at) / 1000
  if (!(seconds > 0) || seconds > 60) return undefined
  const { loss, concealed } = received(now, before)
  const kbps = (bytes: number) => tidy((bytes * 8) / 1000 / seconds, 1)
  return {
    seconds: tidy(seconds, 1),
    mode,
    path: now.path,
    rtt_ms: Math.min(60_000, Math.round(now.rtt ?? 0)),
    jitter_ms: Math.min(60_000, Math.round(now.jitterMs)),
    loss: tidy(loss, 4),
    concealed: tidy(concealed, 4),
    freezes: Math.min(1000, grown(now.freezes, before.freezes)),
    frozen_ms: Math.min(60_000, Math.round(grown(now.frozenMs, before.frozenMs))),
    up_kbps: kbps(grown(now.bytesSent, before.bytesSent)),
    down_kbps: kbps(grown(now.bytesReceived, before.bytesReceived)),
    available: tidy(Math.min(1e7, (now.available ?? 0) / 1000), 0),
  }
}
