// What WebRTC really did, counted by getStats on every connection of a page.
import type { BrowserContext, Page } from 'playwright-core'

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
  framesDecoded: number
  framesSent: number
  audioEnergy: number
  /** Addresses of the other ends that carry media: always the server's, never another browser's. */
  remotes: string[]
  locals: string[]
}

export function counts(page: Page): Promise<Counts> {
  return page.evaluate(async () => {
    const kept = (globalThis as unknown as { keptPeers: RTCPeerConnection[] }).keptPeers
    const total = { framesDecoded: 0, framesSent: 0, audioEnergy: 0, remotes: [] as string[], locals: [] as string[] }
    for (const peer of kept) {
      if (peer.connectionState === 'closed') continue
      const report = await peer.getStats()
      const all = new Map<string, Record<string, unknown>>()
      report.forEach((one: { id: string }) => {
        all.set(one.id, one as unknown as Record<string, unknown>)
      })
      for (const one of all.values()) {
        if (one.type === 'inbound-rtp' && one.kind === 'video') total.framesDecoded += Number(one.framesDecoded ?? 0)
        if (one.type === 'inbound-rtp' && one.kind === 'audio') total.audioEnergy += Number(one.totalAudioEnergy ?? 0)
        if (one.type === 'outbound-rtp' && one.kind === 'video') total.framesSent += Number(one.framesSent ?? 0)
        if (one.type === 'candidate-pair' && one.state === 'succeeded' && one.nominated) {
          const remote = all.get(String(one.remoteCandidateId))
          const local = all.get(String(one.localCandidateId))
          total.remotes.push(`${remote?.protocol}:${remote?.port}`)
          total.locals.push(`${local?.protocol}:${local?.port}`)
        }
      }
    }
    return total
  })
}

/** Counts again until enough arrived, at most `seconds`. */
export async function flowing(page: Page, want: { frames: number; energy: number }, seconds = 30): Promise<Counts> {
  let last = await counts(page)
  for (let waited = 0; waited < seconds * 2; waited++) {
    if (last.framesDecoded >= want.frames && last.audioEnergy > want.energy) break
    await page.waitForTimeout(500)
    last = await counts(page)
  }
  return last
}

/** True when no browser's own port is the far end of another browser's connection. */
export function throughServer(all: Counts[]): boolean {
  const own = new Set(all.flatMap(({ locals }) => locals))
  return all.every(({ remotes }) => remotes.length > 0 && remotes.every((remote) => !own.has(remote)))
}
