// What WebRTC really did, counted by getStats on every connection that a page ever made.
import assert from 'node:assert/strict'
import type { BrowserContext, Page } from 'playwright-core'
import { type House, until } from './house'

/** Keeps every RTCPeerConnection that the pages of this context make. */
export async function watchMedia(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const kept: RTCPeerConnection[] = []
    Object.assign(globalThis, { keptPeers: kept })
    const Original = globalThis.RTCPeerConnection
    globalThis.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(configuration)
        kept.push(this)
      }
    }
  })
}

export type Counts = {
  /** Decoded frames of each video track received. */
  frames: number[]
  /** Energy heard of each audio track received, RTCInboundRtpStreamStats.totalAudioEnergy. */
  energy: number[]
  packetsSent: number
  packetsReceived: number
  framesSent: number
  /** The far end of each selected pair, and every far end that was ever offered: protocol:address:port. */
  selected: string[]
  offered: string[]
  /** Round trip over the selected pair, ms. */
  rtt: number[]
}

/** Counts over all connections, or only those made after the first `since`. */
export function counts(page: Page, since = 0): Promise<Counts> {
  return page.evaluate(async (since) => {
    type Entry = Record<string, unknown>
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    const total: Counts = {
      frames: [],
      energy: [],
      packetsSent: 0,
      packetsReceived: 0,
      framesSent: 0,
      selected: [],
      offered: [],
      rtt: [],
    }
    for (const peer of keptPeers.slice(since)) {
      if (peer.connectionState === 'closed') continue
      const all = new Map<string, Entry>()
      ;(await peer.getStats()).forEach((one: Entry) => {
        all.set(String(one.id), one)
      })
      const end = (one: Entry | undefined) => `${one?.protocol}:${one?.address}:${one?.port}`
      for (const one of all.values()) {
        if (one.type === 'inbound-rtp') {
          total.packetsReceived += Number(one.packetsReceived ?? 0)
          if (one.kind === 'video') total.frames.push(Number(one.framesDecoded ?? 0))
          else total.energy.push(Number(one.totalAudioEnergy ?? 0))
        } else if (one.type === 'outbound-rtp') {
          total.packetsSent += Number(one.packetsSent ?? 0)
          total.framesSent += Number(one.framesSent ?? 0)
        } else if (one.type === 'remote-candidate') total.offered.push(end(one))
        else if (one.type === 'transport') {
          const pair = all.get(String(one.selectedCandidatePairId))
          if (!pair) continue
          total.selected.push(end(all.get(String(pair.remoteCandidateId))))
          total.rtt.push(Math.round(Number(pair.currentRoundTripTime ?? 0) * 1000))
        }
      }
    }
    return total
  }, since)
}

/** What one picture was, as getStats of one page tells it. */
export type Picture = {
  id: string
  codec: string
  rid: string
  mode: string
  frames: number
  height: number
  freezes: number
  /** Time without a new picture that counted as freezes, s. */
  frozen: number
  /** The section that carries it, and the track that is drawn. */
  mid: string
  track: string
}

export const pictures = (page: Page, type: 'inbound-rtp' | 'outbound-rtp'): Promise<Picture[]> =>
  page.evaluate(async (type) => {
    type Entry = Record<string, unknown>
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    const found: Picture[] = []
    for (const peer of keptPeers) {
      if (peer.connectionState === 'closed') continue
      const all = new Map<string, Entry>()
      ;(await peer.getStats()).forEach((one: Entry) => {
        all.set(String(one.id), one)
      })
      for (const one of all.values())
        if (one.type === type && one.kind === 'video')
          found.push({
            id: String(one.id),
            codec: String(all.get(String(one.codecId))?.mimeType ?? '').replace('video/', ''),
            rid: String(one.rid ?? ''),
            mode: String(one.scalabilityMode ?? ''),
            frames: Number(one.framesDecoded ?? one.framesSent ?? 0),
            height: Number(one.frameHeight ?? 0),
            freezes: Number(one.freezeCount ?? 0),
            frozen: Number(one.totalFreezesDuration ?? 0),
            mid: String(one.mid ?? ''),
            track: String(one.trackIdentifier ?? ''),
          })
    }
    return found
  }, type)

/** Every connection a page has: its state, its sections as negotiated, and each stream over them; one line each. */
export const sections = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const { keptPeers = [] } = globalThis as unknown as { keptPeers?: RTCPeerConnection[] }
    const lines: string[] = []
    for (const [i, peer] of keptPeers.entries()) {
      if (peer.connectionState === 'closed') continue
      lines.push(`connection ${i}: ${peer.connectionState}, ${peer.iceConnectionState}, ${peer.signalingState}`)
      for (const { mid, direction, currentDirection, sender, receiver } of peer.getTransceivers()) {
        const [sent, heard] = [sender.track, receiver.track].map(
          (one) => one && `${one.kind} ${one.readyState} ${one.muted}`,
        )
        lines.push(`${i} mid ${mid}: ${direction}, now ${currentDirection}; sends ${sent}; receives ${heard}`)
      }
      const wanted =
        /^(kind|mid|rid|ssrc|active|codecId|packets|frames(Sent|Encoded|Received|Decoded)|key|pli|nack|quality)/
      ;(await peer.getStats()).forEach((one: Record<string, unknown>) => {
        if (one.type !== 'inbound-rtp' && one.type !== 'outbound-rtp') return
        const kept = Object.entries(one).filter(([name]) => wanted.test(name))
        lines.push(`${i} ${one.type} ${JSON.stringify(Object.fromEntries(kept))}`)
      })
    }
    return lines
  })

/** How many connections the page made so far. */
export const made = (page: Page): Promise<number> =>
  page.evaluate(() => (globalThis as unknown as { keptPeers: unknown[] }).keptPeers.length)

/** Waits until pictures and sound of that many others flow and go on flowing. */
export async function flowing(page: Page, others: number, ms = 40_000): Promise<Counts> {
  const enough = (now: Counts, before?: Counts) =>
    now.frames.filter((n, i) => n > 30 + (before?.frames[i] ?? 0)).length >= others &&
    now.energy.filter((n, i) => n > (before?.energy[i] ?? 0)).length >= others
  let now: Counts | undefined
  const ask = async (before?: Counts) => {
    const found = until(
      `pictures and sound of ${others}`,
      async () => {
        now = await counts(page)
        return enough(now, before) && now
      },
      ms,
    )
    return found.catch((error: Error) => {
      throw new Error(`${error.message}; before ${JSON.stringify(before)}, now ${JSON.stringify(now)}`)
    })
  }
  return ask(await ask())
}

/** Every connection ends at the server's media ports, and no other far end was ever known. */
export function throughServer(house: House, all: Counts[]): void {
  const server = [`udp:127.0.0.1:${house.udp}`, `tcp:127.0.0.1:${house.tcp}`]
  for (const { selected, offered } of all) {
    assert.ok(selected.length >= 2, 'one connection to send, one to receive')
    for (const end of [...selected, ...offered]) assert.ok(server.includes(end), `${end} is not the server (${server})`)
  }
}
