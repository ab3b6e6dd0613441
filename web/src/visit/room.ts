// A person's stay in a room, as the screens see it. The signalling client speaks the protocol; this keeps what is shown.
import { effect, signal, untracked } from '@preact/signals'
import { asProblem } from '../api/client'
import type { Ticket } from '../api/types/visit'
import { pick } from '../i18n/i18n'
import { type Options, SignalClient, TicketRefused, type View } from '../signal/client'
import type { LineView } from '../signal/line'
import type { AppMessage, Json, PointerMessage, Seat } from '../signal/protocol'
import type { Devices } from './devices'
import { soundOnly } from './reception'

export type Phase = 'idle' | 'connecting' | 'waiting' | 'live' | 'reconnecting' | 'ended' | 'refused'
export type Remote = {
  seat: string
  name: string
  role: string
  stream: MediaStream
  video: boolean
  screen: boolean
  lost: boolean
  /** What they say of their line; '' while nothing is known. */
  light: string
  /** The newest still, while no picture moves: an address of an image. */
  still: string | undefined
  /** Hears how tall the picture is shown, in pixels of the device. */
  sized: (height: number) => void
}

export type RoomView = {
  phase: Phase
  /** Our own seat, once the room gave us one. */
  seat: string
  remotes: Remote[]
  local: MediaStream | undefined
  mic: boolean
  camera: boolean
  /** Our screen is shown to the others. */
  sharing: boolean
  /** The line has just come back. */
  returned: boolean
  refusal: string
  /** Why there is no way in, in the house's or the room's word; 'removed' when the host took the seat away. */
  refusalCode: string
  /** Who waits to be let in. */
  waiting: { seat: string; name: string; role: string }[]
  /** Who only watches: the first part of their seats, and their names. */
  observers: { seat: string; name: string }[]
  locked: boolean
  /** The recorder sits in the room. */
  recording: boolean
  line: Omit<LineView, 'light'> & Pick<Remote, 'light'>
}

export const noRoom: RoomView = {
  phase: 'idle',
  seat: '',
  remotes: [],
  local: undefined,
  mic: true,
  camera: true,
  sharing: false,
  returned: false,
  refusal: '',
  refusalCode: '',
  waiting: [],
  observers: [],
  locked: false,
  recording: false,
  line: { light: '', sends: '360p', takes: '720p', soundOnly: false },
}

/** What the person is told about each state of the connection. A seat not yet admitted waits, also while its line is away. */
export function phaseOf(state: View['state']): Phase {
  switch (state.phase) {
    case 'reconnecting':
      return state.admitted ? 'reconnecting' : 'waiting'
    case 'removed':
      return 'ended'
    case 'error':
      return 'refused'
    default:
      return state.phase
  }
}

/** An alarm ends the visit, not the call: who is in it stays in it until they hang up. */
export const helping = ({ phase }: Pick<RoomView, 'phase'>) => phase === 'live' || phase === 'reconnecting'

/** Phones have no way to show their screen. */
export const canShareScreen = () => typeof navigator.mediaDevices?.getDisplayMedia === 'function'

/** Asking again is of no use when the server knows us and says no. */
const hopeless = [401, 403, 404, 409, 410, 422]
const returnedFor = 4000
/** The role of the seat that writes down what is said. It is nobody to look at. */
const recorder = 'recorder'
const observer = 'observer'

/** An observer has a seat for each person watched, o-…~seat: one line for all of them. */
export function observersOf(seats: readonly Pick<Seat, 'seat' | 'name' | 'role'>[]): { seat: string; name: string }[] {
  const found = new Map<string, string>()
  for (const { seat, name, role } of seats) if (role === observer) found.set(seat.split('~')[0] ?? seat, name)
  return [...found].map(([seat, name]) => ({ seat, name }))
}

export class Room {
  readonly view = signal<RoomView>(noRoom)
  private readonly client: SignalClient
  private readonly streams = new Map<string, MediaStream>()
  private readonly pointed = new Set<(message: PointerMessage) => void>()
  private readonly stills = new Map<string, string>()
  private latest: View | undefined
  private said: ReturnType<typeof setTimeout> | undefined
  private stays = 0 // raised by each leaving
  private unwatch: (() => void) | undefined
  /** What the person wants; what is shown as on also has its device. */
  private readonly wants = { mic: true, camera: true }

  constructor(
    getTicket: () => Promise<Ticket>,
    private readonly devices: Devices,
    environment?: Options['environment'],
  ) {
    this.client = new SignalClient({
      getTicket: async () => {
        try {
          return await getTicket()
        } catch (error) {
          const problem = asProblem(error)
          if (hopeless.includes(problem.status))
            throw new TicketRefused(problem.detail.zh, problem.detail.en, problem.code)
          throw error
        }
      },
      onView: (view) => this.show(view),
      onPointer: (message) => {
        for (const hear of this.pointed) hear(message)
      },
      onStill: (seat, picture) => {
        this.stills.set(seat, `data:image/jpeg;base64,${picture}`)
        this.redraw()
      },
      ...(environment ? { environment } : {}),
    })
  }

  /** Opens the devices, then joins; who leaves meanwhile does not come in afterwards. */
  async enter(): Promise<void> {
    const { stays } = this
    await this.devices.open()
    if (stays === this.stays) this.join()
  }

  join(): void {
    this.client.listenOnly(soundOnly.value)
    this.unwatch?.()
    const { stream, microphone, camera } = this.devices
    this.unwatch = effect(() => {
      for (const each of [stream, microphone, camera]) each.value // now, and when a device comes or goes
      untracked(() => this.publish())
    })
    this.client.join()
  }

  leave(): void {
    this.stays++
    this.unwatch?.()
    this.unwatch = undefined
    this.client.stopScreen()
    this.client.leave()
    clearTimeout(this.said)
    this.streams.clear()
    this.stills.clear()
    this.latest = undefined
    this.view.value = { ...noRoom, ...this.on() }
  }

  setMic(on: boolean): void {
    this.wants.mic = on
    this.client.mute('microphone', !on)
    this.view.value = { ...this.view.value, ...this.on() }
    if (on && !this.view.value.mic) void this.devices.open()
  }

  setCamera(on: boolean): void {
    this.wants.camera = on
    this.client.mute('camera', !on)
    this.view.value = { ...this.view.value, ...this.on() }
    if (on && !this.view.value.camera) void this.devices.open()
  }

  /** Shows our screen to the others until it is stopped, here or in the browser's own bar. Who chooses no screen shows none. */
  async shareScreen(on: boolean): Promise<void> {
    const sharing = (sharing: boolean) => {
      this.view.value = { ...this.view.value, sharing }
    }
    if (!on) {
      this.client.stopScreen()
      sharing(false)
      return
    }
    const track = await this.client.shareScreen().catch(() => undefined)
    track?.addEventListener('ended', () => sharing(false))
    sharing(track !== undefined)
  }

  /** Takes no pictures, now and in the next call on this device. */
  listenOnly(only: boolean): void {
    soundOnly.value = only
    this.client.listenOnly(only)
  }

  /** What is on: wanted, and with a device behind it, unless none was asked for yet. */
  private on(): Pick<RoomView, 'mic' | 'camera'> {
    const { stream, microphone, camera } = this.devices
    const tracks = stream.value?.getTracks() ?? []
    const has = (kind: string) => tracks.some((track) => track.kind === kind)
    return {
      mic: this.wants.mic && (microphone.value === 'untried' || has('audio')),
      camera: this.wants.camera && (camera.value === 'untried' || has('video')),
    }
  }

  /** Sends the tracks that there are now, and no others. */
  private publish(): void {
    const local = this.devices.stream.value
    this.client.publish('microphone', local?.getAudioTracks()[0])
    this.client.publish('camera', local?.getVideoTracks()[0])
    if (!this.wants.mic) this.client.mute('microphone', true)
    if (!this.wants.camera) this.client.mute('camera', true)
    this.view.value = { ...this.view.value, ...this.on(), local }
  }

  say(topic: string, data: Json, keep = false): void {
    this.client.app(topic, data, keep)
  }

  onSaid(prefix: string, hear: (message: AppMessage) => void): () => void {
    return this.client.onApp(prefix, hear)
  }

  point(text: string): boolean {
    return this.client.point(text)
  }

  onPointed(hear: (message: PointerMessage) => void): () => void {
    this.pointed.add(hear)
    return () => this.pointed.delete(hear)
  }

  private redraw(): void {
    if (this.latest) this.show(this.latest)
  }

  private show(view: View): void {
    this.latest = view
    const before = this.view.value
    const phase = phaseOf(view.state)
    const back = before.phase === 'reconnecting' && phase === 'live'
    if (back) {
      clearTimeout(this.said)
      this.said = setTimeout(() => {
        this.view.value = { ...this.view.value, returned: false }
      }, returnedFor)
    }
    const away = phase !== 'live' // of no line anything is known
    const remotes = this.remotes(view, away)
    this.view.value = {
      ...before,
      phase,
      seat: view.self?.seat ?? before.seat,
      remotes,
      returned: back || (before.returned && phase === 'live'),
      refusal: view.state.phase === 'error' ? pick(view.state) : '',
      refusalCode: view.state.phase === 'error' ? view.state.code : view.state.phase === 'removed' ? 'removed' : '',
      waiting: view.seats
        .filter((seat) => seat.presence === 'waiting')
        .map(({ seat, name, role }) => ({ seat, name, role })),
      observers: observersOf(view.seats),
      locked: view.locked,
      recording: view.seats.some((seat) => seat.role === recorder && seat.presence !== 'waiting'),
      line: away ? { ...view.line, light: '' } : view.line,
    }
  }

  /** One stream a seat, kept while the seat stays, so that a picture on screen never restarts. */
  private remotes(view: View, away: boolean): Remote[] {
    const others = view.seats.filter(
      (seat) =>
        seat.seat !== view.self?.seat &&
        seat.presence !== 'waiting' &&
        seat.role !== recorder &&
        seat.role !== observer,
    )
    for (const seat of this.streams.keys()) if (!others.some((one) => one.seat === seat)) this.streams.delete(seat)
    return others.map((seat) => {
      const tracks = view.tracks.filter((track) => track.seat === seat.seat)
      const screen = tracks.some((track) => track.source === 'screen')
      const lost = seat.presence === 'reconnecting' || tracks.some((track) => track.stalled && track.kind === 'audio')
      const wanted = tracks.filter((track) => !screen || track.source !== 'camera').map(({ track }) => track)
      const stream = this.streams.get(seat.seat) ?? new MediaStream()
      this.streams.set(seat.seat, stream)
      for (const track of stream.getTracks()) if (!wanted.includes(track)) stream.removeTrack(track)
      for (const track of wanted) if (!stream.getTracks().includes(track)) stream.addTrack(track)
      return {
        seat: seat.seat,
        name: seat.name,
        role: seat.role,
        stream,
        screen,
        light: away || lost ? '' : seat.line.light,
        sized: (height: number) => {
          for (const { id, kind } of tracks) if (kind === 'video') this.client.fit(id, height)
        },
        still: tracks.some((track) => track.kind === 'video' && !track.stalled)
          ? undefined
          : this.stills.get(seat.seat),
        video: tracks.some((track) => track.kind === 'video' && !track.muted && !track.stalled),
        lost,
      }
    })
  }
}
