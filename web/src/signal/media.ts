// The two connections of a seat: one that we offer and send on, one that the server offers and we receive on.
import { type Setting, settings, sizes } from './line'
import {
  type AdmittedMessage,
  type ClientMessage,
  type OfferedTrack,
  type PointerMessage,
  parse,
  type Side,
  type Source,
} from './protocol'
import { type Counters, nothingCounted } from './quality'
import { repeats } from './repeat'
import { askOfSound, keepSizes, relayed } from './sdp'
import { relayAfter, rememberWay, straight, tcpAfter } from './ways'

export type LocalTrack = { track: MediaStreamTrack; muted: boolean }
export type RemoteTrack = OfferedTrack & { track: MediaStreamTrack }

export type MediaEvents = {
  send: (message: ClientMessage) => void
  tracks: (tracks: RemoteTrack[]) => void
  pointer: (message: PointerMessage) => void
  /** The server's word of admission has come beside the socket. */
  admitted: (message: AdmittedMessage) => void
  state: (side: Side, state: RTCPeerConnectionState) => void
  /** A description could not be used: begin anew. */
  broken: () => void
}

/** Sound goes first: on a narrow line the browser takes from the picture what the sound needs. */
const order: readonly Source[] = ['microphone', 'camera', 'screen', 'screen_audio']

/** What lib.dom does not name: layers in time and space (WebRTC-SVC §5.1). */
type Encoding = RTCRtpEncodingParameters & { scalabilityMode?: string }

const encodings: Record<Source, Encoding[]> = {
  microphone: [{ priority: 'high', networkPriority: 'high', maxBitrate: 40_000 }],
  // The sizes of the ladder, of which only those are made that somebody watches. It begins at 360p and moves within seconds.
  // Layers in time would make five pictures a second fewer.
  camera: sizes.map((size, at) => ({
    rid: `s${at}`,
    active: size === '360p',
    scalabilityMode: 'L1T1',
    priority: 'low',
    networkPriority: 'low',
    maxBitrate: settings[size].picture?.bits ?? 0,
    scaleResolutionDownBy: 2 ** (sizes.length - 1 - at),
  })),
  screen: [{ priority: 'medium', networkPriority: 'medium', maxBitrate: 1_500_000 }],
  screen_audio: [{ priority: 'medium', networkPriority: 'medium', maxBitrate: 64_000 }],
}

/** A size that is sent beside a larger one goes to small tiles as well as to thin lines: not fewer pictures than these. */
const leastRate = 10

/**
 * Which sizes to make, the smallest first, given the largest that the line carries and what the others watch. Who watches a
 * larger one gets that largest; while nothing is known of the others, it alone is sent.
 */
export function layersOf(top: number, wanted: readonly boolean[] | undefined): boolean[] {
  const known = wanted?.length === sizes.length ? wanted : sizes.map((_, at) => at === top)
  return sizes.map((_, at) => known.some((on, i) => on && Math.min(i, top) === at))
}

/**
 * The largest size that a browser makes of a camera of so many pixels: of fewer than these libwebrtc leaves out the largest, and
 * says nothing (its kSimulcastFormats).
 */
export const madeOf = (pixels: number): number =>
  pixels === 0 || pixels >= 960 * 540 ? 2 : pixels >= 480 * 270 ? 1 : 0

export class Media {
  private readonly pub: RTCPeerConnection
  private readonly sub: RTCPeerConnection
  private readonly senders = new Map<Source, RTCRtpTransceiver>()
  private readonly channels = new Map<string, RTCDataChannel>()
  private offer = 0
  private answered = 0
  private again = false
  private restart = false
  private closed = false
  private setting: Setting = settings['360p']
  private copies = 0
  private repeat = (_: number): void => undefined
  private answer = ''
  /** The ways of each connection that were not tried yet, and since when it has been without an answer. */
  private readonly later = new Map<RTCPeerConnection, RTCIceCandidateInit[]>()
  private readonly asking = new Map<RTCPeerConnection, number>()
  private held = false
  private readonly watched = new Map<Source, readonly boolean[]>()
  private pubWork: Promise<void> = Promise.resolve()
  private subWork: Promise<void> = Promise.resolve()

  constructor(
    makePeer: (servers: RTCIceServer[]) => RTCPeerConnection,
    private relays: RTCIceServer[],
    private ways: 'straight' | 'tcp' | 'all',
    private readonly events: MediaEvents,
  ) {
    const servers = ways === 'all' ? relays : []
    this.pub = this.watch(makePeer(servers), 'publish')
    this.sub = this.watch(makePeer(servers), 'subscribe')
    this.sub.ondatachannel = ({ channel }) => {
      this.channels.set(channel.label, channel)
      channel.onmessage = ({ data }) => {
        const message = typeof data === 'string' ? parse<PointerMessage | AdmittedMessage>(data) : undefined
        if (!message) return
        if ('seat' in message) this.events.pointer(message)
        else if (message.type === 'admitted') this.events.admitted(message)
      }
    }
  }

  close(): void {
    this.closed = true
    this.pub.close()
    this.sub.close()
  }

  /** Makes connections on which nothing is sent yet. */
  hold(): void {
    this.held = true
  }

  /** Begins to send. */
  release(tracks: ReadonlyMap<Source, LocalTrack>): void {
    if (!this.held) return
    this.held = false
    this.setTracks(tracks)
  }

  /** Sends exactly these tracks; what is already sent under a source is replaced without negotiation. */
  setTracks(tracks: ReadonlyMap<Source, LocalTrack>): void {
    this.queuePub(async () => {
      let changed = false
      for (const source of order) {
        const local = tracks.get(source)
        const known = this.senders.get(source)
        if (!local && known && known.direction !== 'inactive') {
          await known.sender.replaceTrack(null)
          known.direction = 'inactive'
          changed = true
        } else if (local && known) {
          await known.sender.replaceTrack(this.held ? null : local.track)
          changed = changed || known.direction === 'inactive'
          known.direction = 'sendonly'
        } else if (local) {
          this.senders.set(source, this.addSender(source, local.track))
          changed = true
        }
      }
      await this.tune()
      if (changed) await this.negotiate()
    })
  }

  private addSender(source: Source, track: MediaStreamTrack): RTCRtpTransceiver {
    if (source === 'screen') track.contentHint = 'detail'
    const transceiver = this.pub.addTransceiver(this.held ? track.kind : track, {
      direction: 'sendonly',
      sendEncodings: encodings[source],
    })
    if (source === 'microphone') {
      this.repeat = repeats(transceiver.sender)
      this.repeat(this.copies)
    }
    const codecs = relayed(globalThis.RTCRtpSender?.getCapabilities?.(track.kind)?.codecs ?? [])
    if (codecs.length > 0) transceiver.setCodecPreferences?.(codecs)
    if (track.kind === 'video') {
      const parameters = transceiver.sender.getParameters()
      // A face that moves is worth more than a sharp still; letters on a screen must stay readable.
      parameters.degradationPreference = source === 'screen' ? 'maintain-resolution' : 'maintain-framerate'
      // Browsers without the preference keep their own.
      transceiver.sender.setParameters(parameters).catch(() => undefined)
    }
    return transceiver
  }

  /** Offers; while an offer is unanswered, once more after the answer. */
  private async negotiate(): Promise<void> {
    if (this.offer !== this.answered) {
      this.again = true
      return
    }
    await this.sendOffer()
  }

  private async sendOffer(): Promise<void> {
    this.again = false
    // With the restart and not before: told of other relays, a browser makes a restart of the next offer, and that may be one which
    // only it hears of.
    if (this.restart || this.offer === 0) this.tellRelays(this.pub)
    const description = await this.pub.createOffer({ iceRestart: this.restart })
    this.restart = false
    await this.pub.setLocalDescription(description)
    this.offer++
    const sections = [...this.senders]
      .filter(([, t]) => t.mid !== null && t.direction !== 'inactive')
      .map(([source, t]) => ({ mid: t.mid ?? '', source }))
    this.events.send({ type: 'publish', offer: this.offer, sdp: description.sdp ?? '', sections })
  }

  published(offer: number, sdp: string): void {
    this.queuePub(async () => {
      if (offer !== this.offer || offer === this.answered) return
      this.answer = this.described(this.pub, sdp)
      await this.pub.setRemoteDescription(this.asked())
      this.answered = offer
      if (this.again) await this.sendOffer()
    })
  }

  private asked(): RTCSessionDescriptionInit {
    const sound = askOfSound(this.answer, { packet: this.setting.packet, redundant: this.copies > 0 })
    return { type: 'answer', sdp: keepSizes(sound, this.senders.get('camera')?.sender.getParameters().encodings ?? []) }
  }

  offered(offer: number, sdp: string, tracks: readonly OfferedTrack[]): void {
    this.queueSub(async () => {
      await this.sub.setRemoteDescription({ type: 'offer', sdp: this.described(this.sub, sdp) })
      const answer = await this.sub.createAnswer()
      await this.sub.setLocalDescription(answer)
      this.events.send({ type: 'answer', offer, sdp: answer.sdp ?? '' })
      const byMid = new Map(this.sub.getTransceivers().map((t) => [t.mid, t.receiver.track]))
      this.events.tracks(
        tracks.flatMap((t) => {
          const track = byMid.get(t.mid)
          return track ? [{ ...t, track }] : []
        }),
      )
    })
  }

  /** The socket is back after a loss: an offer on its way may have been lost with it. */
  resumed(): void {
    this.queuePub(async () => {
      if (this.offer !== this.answered) await this.sendOffer()
    })
  }

  /** What opens relays from now on, for the next restart. */
  renew(relays: RTCIceServer[]): void {
    this.relays = relays
  }

  /** Relays are among the ways that are tried. */
  relayed(): boolean {
    return this.ways === 'all'
  }

  private tellRelays(pc: RTCPeerConnection): void {
    if (this.relayed()) pc.setConfiguration?.({ ...pc.getConfiguration(), iceServers: this.relays })
  }

  /** Looks for a new path after the network changed. */
  restartIce(): void {
    this.tellRelays(this.sub)
    this.events.send({ type: 'restart', side: 'subscribe' })
    this.queuePub(async () => {
      if (this.senders.size === 0) return
      this.restart = true
      await this.negotiate()
    })
  }

  /** What of the server's description is tried now. */
  private described(pc: RTCPeerConnection, sdp: string): string {
    if (this.ways !== 'straight') return sdp
    const { sdp: first, others } = straight(sdp)
    this.later.set(pc, others)
    return first
  }

  /** Tries further ways where the straight one has had no answer; called every so often. */
  async widen(now: number): Promise<void> {
    for (const pc of this.later.keys()) {
      const lives = pc.connectionState === 'connected' || (await answered(pc))
      if (this.closed || this.ways === 'all') return
      if (lives) {
        this.asking.delete(pc)
        continue
      }
      const since = this.asking.get(pc) ?? now
      this.asking.set(pc, since)
      if (now - since >= relayAfter) this.tryRelays()
      else if (now - since >= tcpAfter && this.ways === 'straight') await this.tryTcp()
    }
  }

  private async tryTcp(): Promise<void> {
    this.ways = 'tcp'
    // A connection that is being described anew takes them from its next description.
    const adding = [...this.later].flatMap(([pc, all]) => all.map((one) => pc.addIceCandidate(one)))
    await Promise.allSettled(adding)
  }

  private tryRelays(): void {
    this.ways = 'all'
    rememberWay('relay')
    this.restartIce()
  }

  /** Sends on a data channel; false when it is not open or lags. */
  say(label: 'pointer' | 'reliable', text: string): boolean {
    const channel = this.channels.get(label)
    if (channel?.readyState !== 'open' || channel.bufferedAmount > 4096) return false
    channel.send(text)
    return true
  }

  states(): RTCPeerConnectionState[] {
    return [this.sub.connectionState, ...(this.senders.size > 0 ? [this.pub.connectionState] : [])]
  }

  /** Packets received of each remote track, by section. */
  async received(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const report of await list(this.sub)) {
      if (report.type !== 'inbound-rtp') continue
      const inbound = report as RTCInboundRtpStreamStats
      if (inbound.mid !== undefined) counts.set(inbound.mid, inbound.packetsReceived ?? 0)
    }
    return counts
  }

  /** Tells the encoders what the line carries, and in how many packets more each frame of sound is sent, for it loses so much. */
  apply(setting: Setting, copies: number): void {
    const packing = this.setting.packet !== setting.packet || this.copies > 0 !== copies > 0
    this.setting = setting
    this.copies = copies
    this.repeat(copies)
    this.queuePub(async () => {
      await this.tune()
      // Between the browser and itself: to the server nothing changes, and the line has better to do. While an offer is
      // unanswered, its answer brings it.
      if (!packing || this.answer === '' || this.offer !== this.answered) return
      await this.pub.setLocalDescription(await this.pub.createOffer())
      await this.pub.setRemoteDescription(this.asked())
    })
  }

  /** How long sound is kept before it is played, so that what mends a gap comes in time; undefined lets the browser choose. */
  keepSound(ms: number | undefined): void {
    for (const { receiver } of this.sub.getTransceivers()) {
      if (receiver.track.kind === 'audio') (receiver as Receiver).jitterBufferTarget = ms ?? null
    }
  }

  /** What the others together watch of a track of ours, of each size. */
  wanted(source: Source, layers: readonly boolean[]): void {
    this.watched.set(source, layers)
    this.queuePub(() => this.tune())
  }

  /** The camera goes out in sizes, so that one thin line does not make everybody's picture small. */
  layered(): boolean {
    return (this.senders.get('camera')?.sender.getParameters().encodings?.length ?? 0) > 1
  }

  private async tune(): Promise<void> {
    for (const [source, { sender }] of this.senders) {
      if (source !== 'microphone' && source !== 'camera') continue
      const parameters = sender.getParameters()
      const all = parameters.encodings ?? []
      const [encoding] = all
      if (!encoding) continue
      const { sound, picture } = this.setting
      if (source === 'microphone') encoding.maxBitrate = sound
      else {
        const { width = 0, height: lines = 480 } = sender.track?.getSettings() ?? {}
        const top = Math.max(
          0,
          Math.min(
            sizes.findLastIndex((size) => settings[size].picture?.height === picture?.height),
            madeOf(width * lines),
          ),
        )
        const on = all.length === 1 ? [true] : layersOf(top, this.watched.get(source))
        for (const [at, one] of all.entries()) {
          const smaller = settings[sizes[at] ?? '180p'].picture
          const is = all.length === 1 || at >= top || !smaller ? picture : { ...smaller, rate: leastRate }
          one.active = is !== undefined && picture !== undefined && on[at] === true
          if (!is) continue
          one.maxBitrate = is.bits
          one.maxFramerate = is.rate
          one.scaleResolutionDownBy = Math.max(1, lines / is.height)
        }
      }
      // A browser that refuses a figure keeps its own; the next measurement shows what became of it.
      await sender.setParameters(parameters).catch(() => undefined)
    }
  }

  /** Sums over both connections. */
  async counters(now: number): Promise<Counters> {
    const sum = { ...nothingCounted, at: now }
    const sending = await list(this.pub)
    for (const one of [...(await list(this.sub)), ...sending]) count(sum, one)
    sum.available = pairOf(sending)?.availableOutgoingBitrate
    return { ...sum, ...(await this.path()) }
  }

  private async path(): Promise<Pick<Counters, 'rtt' | 'path'>> {
    const all = await list(this.sub)
    const reports = new Map(all.map((r) => [r.id, r]))
    const pair = pairOf(all)
    const local = pair && (reports.get(pair.localCandidateId) as (RTCStats & LocalCandidate) | undefined)
    if (!pair || !local) return { rtt: undefined, path: 'none' }
    const seconds = pair.currentRoundTripTime
    return {
      rtt: seconds === undefined ? undefined : Math.round(seconds * 1000),
      path: local.candidateType === 'relay' ? 'relay' : local.protocol === 'tcp' ? 'tcp' : 'udp',
    }
  }

  private watch(pc: RTCPeerConnection, side: Side): RTCPeerConnection {
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) this.events.send({ type: 'candidate', side, candidate: candidate.toJSON() })
    }
    pc.onconnectionstatechange = () => {
      if (!this.closed) this.events.state(side, pc.connectionState)
    }
    return pc
  }

  private queuePub(task: () => Promise<void>): void {
    this.pubWork = this.pubWork.then(() => this.guarded(task))
  }

  private queueSub(task: () => Promise<void>): void {
    this.subWork = this.subWork.then(() => this.guarded(task))
  }

  private async guarded(task: () => Promise<void>): Promise<void> {
    if (this.closed) return
    try {
      await task()
    } catch {
      if (!this.closed) this.events.broken()
    }
  }
}

/** Whether the other end of a way has said anything. */
const answered = async (pc: RTCPeerConnection): Promise<boolean> =>
  (await list(pc)).some(
    (one) => one.type === 'candidate-pair' && ((one as RTCIceCandidatePairStats).responsesReceived ?? 0) > 0,
  )

/** What lib.dom does not name. */
type Receiver = RTCRtpReceiver & { jitterBufferTarget?: number | null }
type Selected = RTCStats & { selected?: boolean }
type LocalCandidate = { candidateType: RTCIceCandidateType; protocol?: string }

async function list(pc: RTCPeerConnection): Promise<RTCStats[]> {
  const all: RTCStats[] = []
  const report = await pc.getStats()
  report.forEach((value: RTCStats) => {
    all.push(value)
  })
  return all
}

/** The pair of candidates in use. */
function pairOf(all: readonly RTCStats[]): RTCIceCandidatePairStats | undefined {
  const transport = all.find((one) => one.type === 'transport') as RTCTransportStats | undefined
  const is = transport
    ? (one: RTCStats) => one.id === transport.selectedCandidatePairId
    : (one: RTCStats) => one.type === 'candidate-pair' && (one as Selected).selected === true // Firefox
  return all.find(is) as RTCIceCandidatePairStats | undefined
}

/** Adds one report of the browser to the sums. */
function count(sum: Counters, report: RTCStats): void {
  if (report.type === 'inbound-rtp') {
    const one = report as RTCInboundRtpStreamStats & { freezeCount?: number; totalFreezesDuration?: number }
    sum.bytesReceived += one.bytesReceived ?? 0
    sum.packetsReceived += one.packetsReceived ?? 0
    sum.packetsLost += one.packetsLost ?? 0
    sum.framesDecoded += one.framesDecoded ?? 0
    sum.audioEnergy += one.totalAudioEnergy ?? 0
    sum.freezes += one.freezeCount ?? 0
    sum.frozenMs += (one.totalFreezesDuration ?? 0) * 1000
    if (one.kind !== 'audio') return
    sum.soundPackets += (one.packetsReceived ?? 0) + (one.packetsLost ?? 0)
    const silent = one.silentConcealedSamples ?? 0
    sum.heard += Math.max(0, (one.totalSamplesReceived ?? 0) - silent)
    sum.madeUp += Math.max(0, (one.concealedSamples ?? 0) - silent)
    sum.jitterMs = Math.max(sum.jitterMs, (one.jitter ?? 0) * 1000)
  } else if (report.type === 'outbound-rtp') {
    const one = report as RTCOutboundRtpStreamStats
    sum.bytesSent += one.bytesSent ?? 0
    sum.framesSent += one.framesSent ?? 0
  } else if (report.type === 'remote-inbound-rtp') {
    sum.lossSent = Math.max(sum.lossSent, (report as RTCStats & { fractionLost?: number }).fractionLost ?? 0)
  }
}
