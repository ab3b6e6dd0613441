// Sends this device its own sound and pictures through the rooms, over one path at a time, and counts what came.
import { post } from '../api/client'
import type { NetworkCheck } from '../api/types/ops'
import { SignalClient } from '../signal/client'
import type { PathName, PathResult, Report } from './advice'

const connectWithin = 15_000
const measureFor = 4000
const probeBytes = 512 << 10

/** A description with the candidates of one protocol only. */
export function only(sdp: string, protocol: 'udp' | 'tcp'): string {
  return sdp
    .split('\r\n')
    .filter((line) => !line.startsWith('a=candidate:') || line.split(' ')[2]?.toLowerCase() === protocol)
    .join('\r\n')
}

function peerOver(path: PathName, servers: RTCIceServer[]): RTCPeerConnection {
  if (path === 'udp' || path === 'tcp') {
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
    const set = peer.setRemoteDescription.bind(peer)
    peer.setRemoteDescription = (description: RTCSessionDescriptionInit) =>
      set({ ...description, sdp: only(description.sdp ?? '', path) })
    return peer
  }
  return new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: 'relay', bundlePolicy: 'max-bundle' })
}

/** The relay's servers of one transport. */
export function relays(path: PathName, servers: RTCIceServer[]): RTCIceServer[] {
  const scheme = path === 'turn-tls' ? 'turns:' : 'turn:'
  const over = path === 'turn-udp' ? 'transport=udp' : 'transport=tcp'
  return servers.filter(({ urls }) => [urls].flat().every((url) => url.startsWith(scheme) && url.endsWith(over)))
}

/** A hum and a moving square: no permission is asked for, nothing of the room is heard. */
class Source {
  private readonly audio = new AudioContext()
  private readonly timer: ReturnType<typeof setInterval>
  readonly sound: MediaStreamTrack | undefined
  readonly picture: MediaStreamTrack | undefined

  constructor() {
    const tone = this.audio.createOscillator()
    const out = this.audio.createMediaStreamDestination()
    tone.connect(out)
    tone.start()
    void this.audio.resume()
    this.sound = out.stream.getAudioTracks()[0]
    const canvas = document.createElement('canvas')
    canvas.width = 160
    canvas.height = 120
    const draw = canvas.getContext('2d')
    let at = 0
    this.timer = setInterval(() => {
      if (!draw) return
      draw.fillStyle = '#005a6b'
      draw.fillRect(0, 0, 160, 120)
      draw.fillStyle = '#fff'
      at = (at + 7) % 140
      draw.fillRect(at, 40, 20, 40)
    }, 80)
    this.picture = canvas.captureStream(12).getVideoTracks()[0]
  }

  close(): void {
    clearInterval(this.timer)
    this.sound?.stop()
    this.picture?.stop()
    void this.audio.close()
  }
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** Two seats for one run: all its paths are tried with them, one after the other. */
export const offer = () => post<NetworkCheck>('/netcheck')

export async function probe(path: PathName, check: NetworkCheck): Promise<PathResult> {
  const none: PathResult = { name: path, ok: false, connect: 0, rtt: 0, jitter: 0, loss: 0, frames: 0 }
  const [from, to] = check.seats
  if (!from || !to) return none
  if (path.startsWith('turn') && relays(path, from.ice_servers).length === 0) return none
  const source = new Source()
  const screen = document.createElement('video')
  screen.muted = true
  screen.playsInline = true
  const began = performance.now()
  const seat = (pass: NetworkCheck['seats'][number], onTracks: (tracks: MediaStreamTrack[]) => void) =>
    new SignalClient({
      getTicket: async () => ({ url: check.socket, ticket: pass.ticket, ice_servers: relays(path, pass.ice_servers) }),
      onView: (view) => onTracks(view.tracks.map(({ track }) => track)),
      environment: { ...SignalClient.browser, straight: () => false, peer: (servers) => peerOver(path, servers) },
    })
  const sender = seat(from, () => undefined)
  const receiver = seat(to, (tracks) => {
    const shown = screen.srcObject instanceof MediaStream ? screen.srcObject.getTracks() : []
    if (tracks.length === shown.length && tracks.every((track) => shown.includes(track))) return
    screen.srcObject = new MediaStream(tracks)
    void screen.play().catch(() => undefined) // replaced by the next tracks
  })
  try {
    if (source.sound) sender.publish('microphone', source.sound)
    if (source.picture) sender.publish('camera', source.picture)
    sender.join()
    receiver.join()
    let first = await receiver.counters()
    while (first.framesDecoded === 0) {
      if (performance.now() - began > connectWithin) return none
      await pause(200)
      first = await receiver.counters()
    }
    const connect = performance.now() - began
    await pause(measureFor)
    const last = await receiver.counters()
    const got = last.packetsReceived - first.packetsReceived
    const lost = Math.max(0, last.packetsLost - first.packetsLost)
    return {
      name: path,
      ok: true,
      connect,
      rtt: last.rtt ?? 0,
      jitter: last.jitterMs,
      loss: lost / Math.max(1, lost + got),
      frames: last.framesDecoded - first.framesDecoded,
    }
  } finally {
    sender.leave()
    receiver.leave()
    source.close()
    screen.srcObject = null
  }
}

/** kbit/s down and up over the way that pages take. */
export async function throughput(): Promise<Pick<Report, 'down' | 'up'>> {
  const timed = async (ask: () => Promise<Response>): Promise<number | undefined> => {
    const began = performance.now()
    try {
      const response = await ask()
      if (!response.ok) return undefined
      await response.arrayBuffer()
      return (probeBytes * 8) / (performance.now() - began)
    } catch {
      return undefined
    }
  }
  const down = await timed(() => fetch(`/api/v1/netcheck/bytes?n=${probeBytes}`, { cache: 'no-store' }))
  const bytes = new Uint8Array(probeBytes)
  for (let at = 0; at < probeBytes; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  const up = await timed(() => fetch('/api/v1/netcheck/bytes', { method: 'POST', body: bytes }))
  return { down, up }
}
