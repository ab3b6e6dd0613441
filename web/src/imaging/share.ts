// Looking at the same image: one presenter, the others follow. Only state travels, in image coordinates; each side
// loads its own pixels. The room's order of messages decides who presents, so all sides agree without asking.

import type { Way } from './linked'
import type { On } from './marks'
import type { Sight } from './sight'

/** An image as somebody looks at it. */
export type Seen = On & Sight

/** How what stands beside goes along: in slice and window, `way` says how far apart. */
export type Tied = { scroll: boolean; window: boolean; way: Way }

/** What the presenter shows: an image and, where two stand side by side, the other one. */
export type Shown = Seen & { beside?: (Seen & Tied) | undefined }

export type Leader = { seat: string; name: string }
export type Pointed = { seat: string; sop: string; frame: number; x: number; y: number; until: number }

export type ShareView = {
  leader: Leader | undefined
  leading: boolean
  following: boolean
  /** What the presenter shows; the follower's viewer goes there. */
  shown: Shown | undefined
  pointers: Pointed[]
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type Port = {
  say: (topic: string, data: Json, keep: boolean) => void
  point: (text: string) => boolean
  now: () => number
  later: (deed: () => void, ms: number) => () => void
}

export const leadTopic = 'view/lead'
export const stateTopic = 'view/state'
const stateEvery = 66 // ms: at most 15 a second
const pointEvery = 50 // ms: at most 20 a second
const pointerLife = 2000 // ms

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const finite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const text = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= 128

function readSeen(value: Record<string, unknown>): Seen | undefined {
  const { study, series, sop, frame, zoom, x, y } = value
  if (!text(study) || !text(series) || !text(sop) || !finite(frame) || !finite(zoom) || !finite(x) || !finite(y))
    return undefined
  if (zoom <= 0) return undefined
  const seen = { study, series, sop, frame, zoom, x, y }
  if (value.voi === null || value.voi === undefined) return { ...seen, voi: undefined } // the image's own window
  if (!isObject(value.voi)) return undefined
  const { center, width } = value.voi
  return finite(center) && finite(width) && width > 0 ? { ...seen, voi: { center, width } } : undefined
}

function readWay(value: unknown): Way | undefined {
  if (!isObject(value)) return undefined
  const { by, mm = 0, slices = 0 } = value // the replay leaves zeros out
  if (by === 'position' || by === 'none') return { by }
  if (by === 'offset') return finite(mm) ? { by, mm } : undefined
  if (by === 'slices') return finite(slices) ? { by, slices } : undefined
  return undefined
}

/** A state as it arrives; undefined when any of it is not well formed. */
export function readShown(value: unknown): Shown | undefined {
  const seen = isObject(value) ? readSeen(value) : undefined
  if (!seen || !isObject(value) || value.beside === null || value.beside === undefined) return seen
  if (!isObject(value.beside)) return undefined
  const other = readSeen(value.beside)
  const { scroll, window } = value.beside
  const way = readWay(value.beside.way)
  if (!other || !way || typeof scroll !== 'boolean' || typeof window !== 'boolean') return undefined
  return { ...seen, beside: { ...other, scroll, window, way } }
}

const sightOf = ({ voi, ...seen }: Seen) => ({ ...seen, voi: voi ? { ...voi } : null })
const said = ({ beside, ...seen }: Shown): Json => ({
  ...sightOf(seen),
  ...(beside ? { beside: { ...sightOf(beside), scroll: beside.scroll, window: beside.window, way: beside.way } } : {}),
})

export class Share {
  private self = ''
  private name = ''
  private seats: string[] = []
  private leader: Leader | undefined
  private shown: Shown | undefined
  private following = true
  private pointers: Pointed[] = []
  private waiting: Shown | undefined
  private stopWaiting: (() => void) | undefined
  private sentAt = Number.NEGATIVE_INFINITY
  private pointing: { sop: string; frame: number; x: number; y: number } | undefined
  private stopPointing: (() => void) | undefined
  private pointedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly port: Port,
    private readonly onView: (view: ShareView) => void,
  ) {}

  /** Who we are and who is in the room; a presenter who left presents no more. */
  people(self: string, name: string, seats: string[]): void {
    const same = self === this.self && name === this.name && seats.join() === this.seats.join()
    this.self = self
    this.name = name
    this.seats = seats
    if (!same) this.tell()
  }

  hear(topic: string, from: string, data: unknown): void {
    if (topic === leadTopic) {
      const taken = isObject(data) && typeof data.name === 'string' ? { seat: from, name: data.name } : undefined
      if (!taken && this.leader && this.leader.seat !== from) return // nobody stops another's presentation
      this.leader = taken
      if (taken && taken.seat !== this.self) this.following = true
    } else if (topic === stateTopic) {
      if (from === this.self || from !== this.leader?.seat) return
      const shown = readShown(data)
      if (!shown) return
      this.shown = shown
    } else return
    this.tell()
  }

  heardPointer(seat: string, raw: string): void {
    let value: unknown
    try {
      value = JSON.parse(raw)
    } catch {
      return
    }
    if (!isObject(value) || !text(value.sop) || !finite(value.frame) || !finite(value.x) || !finite(value.y)) return
    const { sop, frame, x, y } = value
    this.pointers = [
      ...this.pointers.filter((one) => one.seat !== seat),
      { seat, sop, frame, x, y, until: this.port.now() + pointerLife },
    ]
    this.port.later(() => this.tell(), pointerLife + 10)
    this.tell()
  }

  lead(): void {
    this.port.say(leadTopic, { name: this.name }, true)
  }

  release(): void {
    if (this.leading()) this.port.say(leadTopic, null, true)
  }

  /** Our own viewer moved. The presenter's state goes out, the latest wins; a follower who moves looks on their own. */
  moved(shown: Shown): void {
    if (!this.leading()) {
      if (this.leaderHere() && this.following) {
        this.following = false
        this.tell()
      }
      return
    }
    this.waiting = shown
    if (this.stopWaiting) return
    const wait = Math.max(0, this.sentAt + stateEvery - this.port.now())
    if (wait === 0) this.flush()
    else this.stopWaiting = this.port.later(() => this.flush(), wait)
  }

  follow(on: boolean): void {
    this.following = on
    this.tell()
  }

  /** Our own pointer moved. The latest place always goes out: where it comes to rest is what is meant. */
  point(at: { sop: string; frame: number; x: number; y: number }): void {
    this.pointing = { ...at, x: Math.round(at.x * 10) / 10, y: Math.round(at.y * 10) / 10 }
    if (this.stopPointing) return
    const wait = Math.max(0, this.pointedAt + pointEvery - this.port.now())
    if (wait === 0) this.flushPoint()
    else this.stopPointing = this.port.later(() => this.flushPoint(), wait)
  }

  private flushPoint(): void {
    this.stopPointing = undefined
    if (!this.pointing) return
    this.pointedAt = this.port.now()
    this.port.point(JSON.stringify(this.pointing))
    this.pointing = undefined
  }

  private flush(): void {
    this.stopWaiting = undefined
    if (!this.waiting || !this.leading()) return
    this.sentAt = this.port.now()
    this.port.say(stateTopic, said(this.waiting), true)
    this.waiting = undefined
  }

  private leaderHere(): Leader | undefined {
    const { leader } = this
    return leader && (leader.seat === this.self || this.seats.includes(leader.seat)) ? leader : undefined
  }

  private leading(): boolean {
    return this.self !== '' && this.leaderHere()?.seat === this.self
  }

  private tell(): void {
    const leader = this.leaderHere()
    const leading = this.leading()
    const now = this.port.now()
    this.pointers = this.pointers.filter((one) => one.until > now)
    this.onView({
      leader,
      leading,
      following: leader !== undefined && !leading && this.following,
      shown: leader && !leading ? this.shown : undefined,
      pointers: this.pointers,
    })
  }
}

export const noShare: ShareView = {
  leader: undefined,
  leading: false,
  following: false,
  shown: undefined,
  pointers: [],
}
