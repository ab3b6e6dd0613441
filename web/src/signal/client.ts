// A seat in a room: one socket that comes back by itself, two media connections, and one view of it all for the screens.
import { browser, type Environment } from './environment'
import { Line, type LineView, sizeFor, sizes } from './line'
import { type LocalTrack, Media, type RemoteTrack } from './media'
import {
  type AppMessage,
  type ClientMessage,
  type ErrorMessage,
  type Json,
  type PointerMessage,
  parse,
  type Seat,
  type ServerMessage,
  type Source,
  VERSION,
} from './protocol'
import { type Counters, nothingCounted } from './quality'
import { prepareRepeats } from './repeat'
import { isStill, Pieces } from './stills'

export type Ticket = { url: string; ticket: string; ice_servers: RTCIceServer[] }

/** Thrown by getTicket when asking again is of no use: the person has no way in any more. */
export class TicketRefused extends Error {
  constructor(
    readonly zh: string,
    readonly en: string,
    /** The house's word for why. */
    readonly code = 'ticket',
  ) {
    super(en)
  }
}

export type State =
  | { phase: 'idle' }
  | { phase: 'connecting' }
  | { phase: 'waiting' }
  | { phase: 'live' }
  | { phase: 'reconnecting'; admitted: boolean }
  | { phase: 'ended'; by: 'self' | 'host' }
  | { phase: 'removed' }
  | { phase: 'error'; code: string; zh: string; en: string }

export type Track = RemoteTrack & {
  muted: boolean
  /** No packet for some time though it is not muted: the other side has lost the line, or we have. */
  stalled: boolean
}

export type View = {
  state: State
  self: Seat | undefined
  rights: { publish: boolean; subscribe: boolean }
  seats: Seat[]
  tracks: Track[]
  /** Nobody new may wait at the door. */
  locked: boolean
  line: LineView
}

const nowhere: View = {
  state: { phase: 'idle' },
  self: undefined,
  rights: { publish: false, subscribe: false },
  seats: [],
  tracks: [],
  locked: false,
  line: { light: 'good', sends: '360p', takes: '720p', soundOnly: false },
}

export type Options = {
  /** Called for every connection, the repeated ones too: a restarted server knows only new tickets. */
  getTicket: () => Promise<Ticket>
  onView: (view: View) => void
  onPointer?: (message: PointerMessage) => void
  /** A still picture of a seat's camera, JPEG in base64. */
  onStill?: (seat: string, picture: string) => void
  /** A refusal that leaves the connection as it was, such as a message that is too long. */
  onRefusal?: (refusal: ErrorMessage) => void
  environment?: Environment
}

const socketOpen = 1 // WebSocket.OPEN
const tick = 500
const silence = 1500 // without a word or a packet for so long, the line counts as lost: it is shown within 2 s
const dead = 5000 // and the socket is given up,
const deadLate = 15_000 // or later while the line lives, or we only wait: the words are being sent again, and a new socket takes longer
const joinTime = 8000 // four round trips, of which a bad line loses some
const askTime = 8000 // for a ticket
const seldom = 2000 // between pings where something else tells that the line lives
const throttled = 5000 // between two looks: a browser keeps the timers of a hidden page for up to a minute
const relayLife = 8 * 60_000 // what a ticket says of relays opens them for ten minutes
const tripsKept = 8 // of words that go twice a second
const maxBackoff = 2000
const maxOutbox = 64 // said again at once, together with what a new socket begins with: the server takes 100 words at once
const maxSaid = 20_000 // characters of data: more is refused, or ends the socket, each time that it is said
/** After these the client does not come back by itself. */
const final: readonly string[] = ['version', 'malformed', 'replaced', 'room_locked', 'room_full', 'no_right']
/** After these the media begin anew. */
const fresh: readonly string[] = ['bad_description', 'media_failed']
/** A ticket that is refused so often in a row will not get better. */
const maxRefusals = 3

type Link =
  | { at: 'none' }
  | { at: 'asking'; since: number }
  | { at: 'joining'; socket: WebSocket; since: number }
  | { at: 'joined'; socket: WebSocket; admitted: boolean; since: number }
  | { at: 'pausing'; until: number }

type Said = { topic: string; data: Json; keep: boolean; number: number }

export class SignalClient {
  private view: View = nowhere
  private readonly env: Environment
  private link: Link = { at: 'none' }
  private servers: RTCIceServer[] = []
  private served = 0 // when they were told
  private media: Media | undefined
  private generation = 0 // of the media: their tracks are new even where the words are the same
  private session = ''
  private seen = 0
  private heard = 0
  private attempts = 0
  private refusals = 0
  private wasAdmitted = false
  private asked: { at: number; said: number }[] = [] // when the pings left that are not answered yet, and what was said before
  private pinged = 0
  private trips: number[] = [] // of the last words, there and back, ms
  private prepared = false // we wait, and connections can be made
  private readonly local = new Map<Source, LocalTrack>()
  private remote: RemoteTrack[] = []
  /** How tall each track is shown, and the size that we chose of it. */
  private readonly heights = new Map<string, number>()
  private readonly chosen = new Map<string, number>()
  private readonly flow = new Map<string, { packets: number; at: number }>()
  private looked = 0 // when the line was looked at last
  private troubled = 0
  private restarted = 0
  private readonly page: string // names us to the room, which passes over what it has had of us
  private number = 0 // of the last app message
  private said = 0 // the last number that was put on this socket
  private outbox: Said[] = [] // what may not have arrived
  private readonly kept = new Map<string, AppMessage>()
  private readonly listeners = new Set<{ prefix: string; hear: (message: AppMessage) => void }>()
  private timer: ReturnType<typeof setInterval> | undefined
  private sleepless: (() => void) | undefined
  private shown = ''
  private readonly pieces = new Pieces()
  private readonly line = new Line({
    media: () => this.media,
    send: (message) => {
      if (this.link.at === 'joined' && (this.link.admitted || this.prepared)) this.send(message)
    },
    trip: () => (this.trips.length > 0 ? Math.min(...this.trips) : undefined),
    others: () => this.view.seats,
    camera: () => {
      const camera = this.local.get('camera')
      return camera && !camera.muted && camera.track.readyState === 'live' ? camera.track : undefined
    },
    piece: (text) => this.media?.say('reliable', text) ?? false,
    changed: () => this.refresh(),
  })

  static readonly browser: Environment = browser

  constructor(private readonly options: Options) {
    this.env = options.environment ?? browser
    this.page = this.env.random().toString(36).slice(2, 14)
    // Before there are media: the first senders are made as soon as those are.
    prepareRepeats()
  }

  current(): View {
    return this.view
  }

  join(): void {
    if (this.timer !== undefined) return
    this.wasAdmitted = false
    this.attempts = 0
    this.refusals = 0
    this.timer = setInterval(() => void this.watch(), tick)
    this.sleepless = this.env.awake((what) => this.wake(what))
    this.show({ ...nowhere, state: { phase: 'connecting' } })
    void this.connect()
  }

  leave(): void {
    if (this.timer === undefined) return
    this.send({ type: 'leave' })
    this.finish({ phase: 'ended', by: 'self' })
  }

  /** Sends a track under a source, in place of the one before; undefined takes it away. It may be called at any time. */
  publish(source: Source, track: MediaStreamTrack | undefined): void {
    if (track) {
      const muted = this.local.get(source)?.muted ?? false
      track.enabled = !muted
      this.local.set(source, { track, muted })
    } else {
      this.local.delete(source)
    }
    this.sendTracks()
  }

  mute(source: Source, muted: boolean): void {
    const local = this.local.get(source)
    if (!local) return
    local.track.enabled = !muted
    local.muted = muted
    this.send({ type: 'mute', source, muted })
  }

  /** Opens another camera ("user" is the front one) and sends it. The camera before is closed: phones can't open two. */
  async switchCamera(facing: 'user' | 'environment'): Promise<MediaStreamTrack> {
    this.local.get('camera')?.track.stop()
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: 640, height: 480 } })
    const [track] = stream.getVideoTracks()
    if (!track) throw new Error('no camera')
    this.publish('camera', track)
    return track
  }

  /** Asks the person which screen and sends it until they stop it, here or in the browser's own bar. */
  async shareScreen(): Promise<MediaStreamTrack> {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 10 }, audio: true })
    const [track] = stream.getVideoTracks()
    if (!track) throw new Error('no screen')
    const [sound] = stream.getAudioTracks()
    track.addEventListener('ended', () => this.stopScreen())
    this.publish('screen', track)
    if (sound) this.publish('screen_audio', sound)
    return track
  }

  stopScreen(): void {
    for (const source of ['screen', 'screen_audio'] as const) {
      this.local.get(source)?.track.stop()
      this.publish(source, undefined)
    }
  }

  /**
   * Sends to all in the room, ourselves too, in one order. With keep, the latest of the topic is shown to who comes
   * later; data null forgets it. What is said while the line is away, known to us or not, is sent when it is back.
   */
  app(topic: string, data: Json, keep = false): void {
    const message = { topic, data, keep, number: ++this.number }
    if (keep) this.outbox = this.outbox.filter((m) => !(m.keep && m.topic === topic))
    this.outbox.push(message)
    if (this.outbox.length > maxOutbox) this.outbox.shift()
    if (this.link.at === 'joined' && this.link.admitted) this.say(message)
  }

  private say(message: Said): void {
    this.said = message.number
    this.send({ type: 'app', page: this.page, ...message })
    if (JSON.stringify(message.data).length > maxSaid) this.outbox = this.outbox.filter((m) => m !== message)
  }

  /** What we said up to this number has arrived: the server takes words in their order. */
  private arrived(number: number): void {
    this.outbox = this.outbox.filter((m) => m.number > number)
  }

  /** Hears the topics that begin so, the kept ones first. Returns how to stop. */
  onApp(prefix: string, hear: (message: AppMessage) => void): () => void {
    const listener = { prefix, hear }
    this.listeners.add(listener)
    for (const message of this.kept.values()) if (message.topic.startsWith(prefix)) hear(message)
    return () => this.listeners.delete(listener)
  }

  /** Sends on the lossy channel, for what is old a moment later; false when it could not. At most 60 a second. */
  point(text: string): boolean {
    return this.media?.say('pointer', text) ?? false
  }

  /** Receives no pictures, or as many as the line carries. */
  listenOnly(soundOnly: boolean): void {
    this.line.listenOnly(soundOnly)
    this.refresh()
  }

  /** Says how tall a track is shown, in pixels of the device: no larger size of it is sent to us. */
  fit(track: string, height: number): void {
    if (this.heights.get(track) === height) return
    this.heights.set(track, height)
    this.choose()
  }

  /**
   * What the others send now: a line may be ready for what its seat does not send yet, or no more. Sound that comes is heard
   * before the seat's word of it, which a bad line keeps for seconds.
   */
  private sent(): (RemoteTrack & { muted: boolean })[] {
    return this.remote.flatMap((track) => {
      const seat = this.view.seats.find((s) => s.seat === track.seat)
      const sent = seat?.tracks.find((t) => t.id === track.id)
      if (sent) return [{ ...track, muted: sent.muted }]
      const flow = this.flow.get(track.mid)
      const comes = flow !== undefined && flow.packets > 0 && this.env.now() - flow.at <= silence
      return seat && track.kind === 'audio' && comes ? [{ ...track, muted: false }] : []
    })
  }

  /** Chooses of each camera the size that its tile and our line can take. */
  private choose(): void {
    if (this.link.at !== 'joined' || !this.link.admitted) return
    const sent = this.sent()
    for (const id of this.chosen.keys()) if (!sent.some((t) => t.id === id)) this.chosen.delete(id)
    for (const { id, source } of sent) {
      if (source !== 'camera') continue
      const layer = sizeFor(this.heights.get(id), this.line.view().takes)
      if (layer === (this.chosen.get(id) ?? sizes.length - 1)) continue
      this.chosen.set(id, layer)
      this.send({ type: 'choose', track: id, paused: false, layer })
    }
  }

  /** What was sent and received so far. */
  async counters(): Promise<Counters> {
    return this.media ? this.media.counters(this.env.now()) : nothingCounted
  }

  private async connect(): Promise<void> {
    const asking: Link = { at: 'asking', since: this.env.now() }
    this.link = asking
    let ticket: Ticket
    try {
      ticket = await this.options.getTicket()
    } catch (err) {
      if (this.link !== asking) return
      if (err instanceof TicketRefused) this.finish({ phase: 'error', code: err.code, zh: err.zh, en: err.en })
      else this.pause()
      return
    }
    if (this.link !== asking) return
    this.serve(ticket)
    const socket = this.env.socket(ticket.url)
    this.link = { at: 'joining', socket, since: this.env.now() }
    const mine = () => (this.link.at === 'joining' || this.link.at === 'joined') && this.link.socket === socket
    socket.onopen = () => {
      if (!mine()) return
      const again = this.session ? { session: this.session, seen: this.seen } : {}
      this.put(socket, { type: 'join', version: VERSION, ticket: ticket.ticket, ...again })
    }
    socket.onmessage = ({ data }) => {
      const message = typeof data === 'string' ? parse<ServerMessage>(data) : undefined
      if (message && mine()) this.hear(message)
    }
    socket.onclose = () => {
      if (mine()) this.reconnect()
    }
  }

  private serve(ticket: Ticket): void {
    this.servers = ticket.ice_servers
    this.served = this.env.now()
    this.media?.renew(this.servers)
  }

  /** Looks for a new path. Who goes by relays first asks anew for what opens them, when that is too old. */
  private async restartIce(): Promise<void> {
    const { media } = this
    if (media?.relayed() && this.env.now() - this.served > relayLife)
      await this.options.getTicket().then(
        (ticket) => this.serve(ticket),
        () => undefined, // the path there is may do; if not, the connections fail and all begins anew
      )
    if (media === this.media) media?.restartIce()
  }

  /** The socket is gone: at once the first time, then after a pause that grows to two seconds. */
  private reconnect(): void {
    this.drop()
    if (this.attempts === 0) {
      this.attempts = 1
      void this.connect()
    } else this.pause()
    this.refresh()
  }

  private pause(): void {
    const longest = Math.min(maxBackoff, 250 * 2 ** this.attempts)
    this.attempts++
    this.link = { at: 'pausing', until: this.env.now() + longest * (0.5 + this.env.random() / 2) }
    this.refresh()
  }

  private drop(): void {
    this.asked = []
    this.said = 0
    if (this.link.at === 'joining' || this.link.at === 'joined') {
      const { socket } = this.link
      socket.onopen = socket.onmessage = socket.onclose = null
      socket.close()
    }
    this.link = { at: 'none' }
  }

  private hear(message: ServerMessage): void {
    this.heard = this.env.now()
    switch (message.type) {
      case 'joined':
        this.joined(message)
        break
      case 'prepare':
        this.prepared = true
        this.line.begin() // before anything is sent to us
        this.sendTracks()
        break
      case 'pong': {
        const { at, said } = this.asked.shift() ?? { at: this.heard, said: 0 }
        this.trips = [...this.trips, this.heard - at].slice(-tripsKept)
        this.arrived(said)
        if (this.prepared && this.link.at === 'joined' && !this.link.admitted) this.line.act() // before anything is sent to us
        return
      }
      case 'admitted':
        this.view = { ...this.view, seats: message.seats, locked: message.locked }
        if (this.link.at !== 'joined' || this.link.admitted) break // it had come beside the socket
        this.link = { ...this.link, admitted: true }
        this.begin()
        break
      case 'seat':
        this.seat(message.seat)
        this.line.act()
        break
      case 'gone':
        this.pieces.forget(message.seat)
        this.view = { ...this.view, seats: this.view.seats.filter((s) => s.seat !== message.seat) }
        break
      case 'lock':
        this.view = { ...this.view, locked: message.locked }
        break
      case 'published':
        this.media?.published(message.offer, message.sdp)
        return
      case 'subscribe':
        this.chosen.clear() // a track that went and came back begins with all
        this.ready().offered(message.offer, message.sdp, message.tracks)
        return
      case 'wanted':
        if (message.source === 'microphone') this.line.hearable(message.rung)
        else this.media?.wanted(message.source, message.layers)
        return
      case 'app':
        this.deliver(message)
        return
      case 'removed':
        this.finish({ phase: 'removed' })
        return
      case 'closed':
        this.finish({ phase: 'ended', by: 'host' })
        return
      case 'error':
        this.refused(message)
        return
      default:
        return
    }
    this.refresh()
  }

  private joined(message: Extract<ServerMessage, { type: 'joined' }>): void {
    if (this.link.at !== 'joining') return
    const admitted = message.seat.presence === 'live'
    this.link = { at: 'joined', socket: this.link.socket, admitted, since: this.env.now() }
    this.attempts = 0
    this.refusals = 0
    this.session = message.session
    if (!message.resumed) {
      this.forget()
      this.seen = 0
      this.kept.clear()
    }
    this.view = {
      ...this.view,
      self: message.seat,
      rights: message.rights,
      seats: message.seats,
      locked: message.locked,
    }
    if (admitted) this.begin()
  }

  /** We are admitted, for the first time or again. */
  private begin(): void {
    this.wasAdmitted = true
    if (this.media) {
      this.media.release(this.local)
      this.media.resumed()
    } else this.sendTracks()
    this.line.begin()
    for (const message of this.outbox) this.say(message)
    // What is not muted too: the server keeps what was said, and may not have heard that it changed.
    if (this.view.rights.publish)
      for (const [source, { muted }] of this.local) this.send({ type: 'mute', source, muted })
  }

  private seat(seat: Seat): void {
    if (seat.seat === this.view.self?.seat) {
      this.view = { ...this.view, self: seat }
      return
    }
    const known = this.view.seats.some((s) => s.seat === seat.seat)
    const seats = known ? this.view.seats.map((s) => (s.seat === seat.seat ? seat : s)) : [...this.view.seats, seat]
    this.view = { ...this.view, seats }
  }

  private deliver(message: AppMessage): void {
    this.seen = message.seq
    if (message.page === this.page) this.arrived(message.number ?? 0)
    if (message.keep) {
      this.kept.delete(message.topic)
      if (message.data !== null) this.kept.set(message.topic, message)
    }
    for (const { prefix, hear } of this.listeners) if (message.topic.startsWith(prefix)) hear(message)
  }

  private refused(message: ErrorMessage): void {
    if (!message.fatal) {
      this.options.onRefusal?.(message)
      return
    }
    const hopeless = message.code === 'ticket_invalid' && ++this.refusals >= maxRefusals
    if (hopeless || final.includes(message.code)) {
      this.finish({ phase: 'error', code: message.code, zh: message.zh, en: message.en })
      return
    }
    if (fresh.includes(message.code)) this.startAnew()
    this.reconnect()
  }

  private sendTracks(): void {
    if (this.link.at !== 'joined' || !(this.link.admitted || this.prepared) || !this.view.rights.publish) return
    if (this.local.size > 0 || this.media) this.ready().setTracks(this.local)
  }

  private ready(): Media {
    if (this.media) return this.media
    this.media = new Media(this.env.peer, this.servers, this.env.straight() ? 'straight' : 'all', {
      send: (message) => this.send(message),
      tracks: (tracks) => {
        this.remote = tracks
        this.refresh()
      },
      pointer: (message) => this.pointed(message),
      admitted: (message) => {
        // A copy that comes later than the socket's would bring back seats that have changed since.
        if (this.link.at === 'joined' && !this.link.admitted) this.hear(message)
      },
      state: () => void this.watch(),
      broken: () => {
        this.startAnew()
        this.reconnect()
      },
    })
    if (this.link.at === 'joined' && !this.link.admitted) this.media.hold()
    this.line.tune()
    return this.media
  }

  private pointed(message: PointerMessage): void {
    if (!isStill(message.data)) {
      this.options.onPointer?.(message)
      return
    }
    const picture = this.pieces.add(message.seat, message.data)
    if (picture) this.options.onStill?.(message.seat, picture)
  }

  /** Gives the media up; the next join makes new ones. */
  private startAnew(): void {
    this.session = ''
    this.forget()
  }

  private forget(): void {
    this.prepared = false
    this.media?.close()
    this.media = undefined
    this.generation++
    this.remote = []
    this.heights.clear()
    this.chosen.clear()
    this.flow.clear()
    this.troubled = 0
    this.line.forget()
  }

  /** The network changed or the page woke up: waiting would be a waste. */
  private wake(what: 'network' | 'page'): void {
    if (this.link.at === 'pausing') {
      void this.connect()
      return
    }
    if (this.link.at !== 'joined') return
    const now = this.env.now()
    if (now - Math.max(this.heard, this.packet()) > seldom + silence) this.reconnect()
    else if (what === 'network' || !this.beside(now)) void this.restartIce()
  }

  /** Runs twice a second and whenever a media connection changes its state. */
  private async watch(): Promise<void> {
    const now = this.env.now()
    const slept = this.looked > 0 && now - this.looked > throttled
    this.looked = now
    switch (this.link.at) {
      case 'pausing':
        if (now >= this.link.until) void this.connect()
        break
      case 'asking':
        if (now - this.link.since > askTime) this.pause()
        break
      case 'joining':
        if (now - this.link.since > joinTime) this.reconnect()
        break
      case 'joined':
        // Who did not look does not know how long nothing came.
        if (!slept && now - this.heard > (this.beside(now) || !this.link.admitted ? deadLate : dead)) this.reconnect()
        else this.ping(now)
        this.heal(now)
        await this.media?.widen(now)
        break
      default:
        break
    }
    await this.measure(now)
    if (this.link.at === 'joined' && this.link.admitted) await this.line.measure(now)
    this.refresh()
  }

  /** A word that a thin line loses holds up all words behind it: where something else tells that the line lives, few are sent. */
  private ping(now: number): void {
    const lives = this.link.at === 'joined' && this.link.admitted ? now - this.packet() <= silence : this.beside(now)
    if (lives && now - this.pinged < seldom) return
    this.pinged = now
    this.asked.push({ at: now, said: this.said })
    this.send({ type: 'ping' })
  }

  private heal(now: number): void {
    const states = this.media?.states() ?? []
    if (states.includes('failed')) {
      this.startAnew()
      this.reconnect()
    } else if (!states.includes('disconnected')) {
      this.troubled = 0
    } else {
      this.troubled ||= now
      if (now - this.troubled > silence && now - this.restarted > dead) {
        this.restarted = now
        void this.restartIce()
      }
    }
  }

  private async measure(now: number): Promise<void> {
    for (const [mid, packets] of (await this.media?.received()) ?? []) {
      if (this.flow.get(mid)?.packets !== packets) this.flow.set(mid, { packets, at: now })
    }
  }

  /** The line lives, whatever becomes of the words: packets come, or the browsers' own checks of the connections are answered. */
  private beside(now: number): boolean {
    const states = this.media?.states() ?? []
    return now - this.packet() <= silence || (states.length > 0 && states.every((state) => state === 'connected'))
  }

  /** When the last packet came. */
  private packet(): number {
    return Math.max(0, ...[...this.flow.values()].map((f) => f.at))
  }

  /** Our own line: neither words nor packets come, or a connection says so. */
  private lineLost(now: number): boolean {
    if (this.link.at !== 'joined') return true
    const quiet = now - Math.max(this.heard, this.link.since, this.packet()) > silence
    if (!this.link.admitted) return quiet && !this.beside(now)
    const states = this.media?.states() ?? []
    return quiet || states.some((s) => s === 'disconnected' || s === 'failed')
  }

  private refresh(): void {
    if (this.timer === undefined) return
    const now = this.env.now()
    this.choose()
    const admitted = this.wasAdmitted
    const lost = this.lineLost(now)
    let state: State
    if (this.link.at === 'joined' && !lost) state = this.link.admitted ? { phase: 'live' } : { phase: 'waiting' }
    else if (this.view.self) state = { phase: 'reconnecting', admitted }
    else state = { phase: 'connecting' }
    const tracks = this.sent().map((track): Track => {
      const flow = this.flow.get(track.mid)
      return { ...track, stalled: !track.muted && flow !== undefined && now - flow.at > silence }
    })
    this.show({ ...this.view, state, tracks, line: this.line.view() })
  }

  /** Shows only what changed: the screens redraw on every call. */
  private show(view: View): void {
    this.view = view
    const tracks = view.tracks.map((t) => [t.id, t.mid, t.muted, t.stalled])
    const shown = JSON.stringify([
      view.state,
      view.self,
      view.rights,
      view.seats,
      view.locked,
      view.line,
      tracks,
      this.generation,
    ])
    if (shown === this.shown) return
    this.shown = shown
    this.options.onView(view)
  }

  private finish(state: State): void {
    clearInterval(this.timer)
    this.timer = undefined
    this.sleepless?.()
    this.drop()
    this.startAnew()
    this.line.end()
    this.outbox = []
    this.kept.clear()
    this.seen = 0
    this.show({ ...nowhere, state })
  }

  private send(message: ClientMessage): void {
    if (this.link.at === 'joined') this.put(this.link.socket, message)
  }

  private put(socket: WebSocket, message: ClientMessage): void {
    if (socket.readyState === socketOpen) socket.send(JSON.stringify(message))
  }
}
