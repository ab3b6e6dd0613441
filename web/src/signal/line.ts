// A seat's line: measured every two seconds, taken down and up the ladder, said to the others, reported to the house.
import { afresh, type Ladder, type Light, least, most, moves, type Rung, rungs, start, step } from './ladder'
import type { Media } from './media'
import type { ClientMessage, Seat } from './protocol'
import { type Counters, downward, perPacket, report, upward } from './quality'
import type { Packing } from './sdp'
import { Camera } from './stills'
import { rememberWay } from './ways'

export type LineView = {
  light: Light
  /** What we send now, and the most that we can take. */
  sends: Rung
  takes: Rung
  soundOnly: boolean
}

/** How sound is made: bit/s, and how much goes in a packet. */
type Sound = { sound: number; packet: Packing['packet'] }

/** What the encoders are told on each rung: bit/s, lines of the picture, pictures a second. */
export type Setting = Sound & { picture: { bits: number; height: number; rate: number } | undefined }

export const settings: Record<Rung, Setting> = {
  '720p': { sound: 32_000, picture: { bits: 1_200_000, height: 720, rate: 24 }, packet: 20 },
  '360p': { sound: 32_000, picture: { bits: 400_000, height: 360, rate: 20 }, packet: 20 },
  '180p': { sound: 24_000, picture: { bits: 90_000, height: 180, rate: 5 }, packet: 20 },
  still: { sound: 16_000, picture: undefined, packet: 60 },
  audio: { sound: 12_000, picture: undefined, packet: 60 },
  text: { sound: 8_000, picture: undefined, packet: 120 },
}

/**
 * Where a line carries little but sound, what goes in so many packets more has to be the smaller: three times 6 kbit/s, which is the
 * least that Opus takes, are with their headers no more than twice 8, and those no more than once 12 in shorter packets.
 */
const repeated: Partial<Record<Rung, Record<number, Sound>>> = {
  still: { 2: { sound: 8_000, packet: 120 } },
  audio: { 1: { sound: 8_000, packet: 120 }, 2: { sound: 6_000, packet: 120 } },
  text: { 2: { sound: 6_000, packet: 120 } },
}

/** The rungs that are sizes of the camera's picture, the smallest first. */
export const sizes = ['180p', '360p', '720p'] as const

/** A size of the ladder is good for tiles a little taller than itself; beyond, the next one is worth its bits. */
const stretch = 1.2

/** The size, counted from the smallest, for a tile so tall on a line that takes so much. */
export function sizeFor(height: number | undefined, takes: Rung): number {
  const fits = sizes.findIndex((size) => (settings[size].picture?.height ?? 0) * stretch >= (height ?? 0))
  const carried = rungs.indexOf(takes) - rungs.indexOf(sizes[0])
  const most = sizes.length - 1
  return Math.max(0, Math.min(height === undefined || fits < 0 ? most : fits, carried))
}

const every = 2000
const lossy = 0.01 // of the packets: from here on sound is repeated
const lossless = 0.003
const lossyTwice = 0.12 // from here on once more
const calm = 20_000 // ms without loss until it is not
const shortest = settings['720p'].packet
const longest = settings.text.packet
const rarer = 1.25 // how much longer than before packets of sound may look at each measurement: silence only makes them rare
const spare = 40 // ms that sound is kept beyond the packets that may mend a gap
const reportEvery = 10_000
const remembered = 'yz.rung'

/** What a seat says of a line that carries sound, and stills only bit by bit; `audio` is said by who wants nothing else. */
const dripped = 'drip'
const worse = (a: Light, b: Light): Light =>
  a === 'poor' || b === 'poor' ? 'poor' : a === 'fair' || b === 'fair' ? 'fair' : 'good'
const rungOf = (word: string): Rung | undefined => rungs.find((rung) => rung === word)

const longTrip = 300 // ms there and back: such lines seldom carry a picture

/** What a line that looks bad before anything was sent begins with: a picture that is too much takes the sound with it for seconds. */
function cautious(trip: number | undefined): Rung | undefined {
  const net = (globalThis.navigator as { connection?: { effectiveType?: string } } | undefined)?.connection
  return (trip ?? 0) > longTrip || (net?.effectiveType ?? '').includes('2g') ? 'still' : undefined
}

/**
 * Where this device begins to send: not above what it had at the end of the last call, and not at the top. Nor with words alone: that
 * sound does not get through is found out, not remembered.
 */
function firstRung(trip: number | undefined): Rung {
  const last = most('audio', rungOf(globalThis.localStorage?.getItem(remembered) ?? '') ?? '360p')
  return least('360p', cautious(trip) ?? '360p', last)
}

/**
 * What to send, given what our line carries and what the others say of theirs. Who takes no pictures does not hold the
 * others back: the server leaves them out. Nor does who takes a small one, where it is sent in several sizes. What the server knows of
 * the thinnest of their lines counts beside: one that loses nothing does not know itself that pictures are held back before it.
 */
export function sending(
  up: Rung,
  others: readonly Pick<Seat, 'line' | 'presence'>[],
  layered = false,
  thinnest: Rung = '720p',
): { rung: Rung; stills: 'drip' | 'walk' | undefined } {
  const here = others.filter(({ presence }) => presence !== 'waiting')
  const watching = here.filter(({ line }) => line.pictures)
  const limits = watching.map(({ line }) => rungOf(line.limit) ?? '720p')
  const rung = watching.length === 0 ? least(up, 'audio') : least(up, layered ? most(...limits) : least(...limits))
  const dripping = here.some(({ line }) => line.limit === dripped)
  const held = watching.length > 0 && ((rung === up && !moves(up)) || !moves(thinnest))
  const still = held || here.some(({ line }) => line.limit === 'still')
  if (up === 'text' || !(dripping || still)) return { rung, stills: undefined }
  const thin = dripping || up === 'audio' || thinnest === 'audio' || thinnest === 'text'
  return { rung, stills: thin ? 'drip' : 'walk' }
}

/** What our sound has to be for the thinnest line that hears it, by the server's word for that line. */
const ears: Record<string, Rung> = { text: 'text', sound: 'audio', stills: 'still', low: '180p' }

/** Sound is repeated since loss was seen, until there was none for a while. */
type Repeating = { loss: number; at: number }

const repeating = (before: Repeating | undefined, { loss, at }: Repeating): Repeating | undefined => {
  if (loss > lossy) return { loss: Math.max(loss, (before?.loss ?? 0) * 0.9), at }
  if (before && loss > lossless) return { ...before, at }
  return before && at - before.at < calm ? before : undefined
}

export type LineParts = {
  media: () => Media | undefined
  send: (message: ClientMessage) => void
  others: () => readonly Seat[]
  /** The camera's track while it is on and not muted. */
  camera: () => MediaStreamTrack | undefined
  /** Sends a piece of a still picture. */
  piece: (text: string) => boolean
  /** The shortest way of a word to the server and back so far, ms. */
  trip: () => number | undefined
  changed: () => void
}

export class Line {
  private up: Ladder | undefined
  private down: Ladder | undefined
  private before: Counters | undefined
  private reported: Counters | undefined
  private applied = ''
  private said = ''
  private asking = false
  private soundOnly = false
  private redundant: Repeating | undefined
  private kept: Repeating | undefined
  private copies = 0
  private packet: number = longest // ms of sound in one that arrives
  private thinnest: Rung = '720p'
  private readonly stills: Camera

  constructor(private readonly parts: LineParts) {
    this.stills = new Camera(parts.piece)
  }

  view(): LineView {
    const takes = this.takes()
    return {
      light: worse(this.up?.light ?? 'good', this.down?.light ?? 'good'),
      sends: this.sending().rung,
      takes: this.soundOnly ? least('audio', takes) : takes,
      soundOnly: this.soundOnly,
    }
  }

  private takes(): Rung {
    return this.down?.rung ?? cautious(this.parts.trip()) ?? '720p'
  }

  private layered(): boolean {
    return this.parts.media()?.layered() ?? false
  }

  listenOnly(soundOnly: boolean): void {
    this.soundOnly = soundOnly
    this.act()
  }

  /** The server sees a line full before its seat can say so: all words of that seat go over the same line. */
  hearable(rung: string): void {
    this.thinnest = ears[rung] ?? '720p'
    this.act()
  }

  /** We are in the room, perhaps again: the others know nothing of our line any more. */
  begin(): void {
    this.said = ''
    this.act()
  }

  /** New connections: what was measured on the old ones counts no more, what was learnt of the line does. */
  forget(): void {
    this.before = undefined
    this.reported = undefined
    this.applied = ''
    this.thinnest = '720p'
    this.up = this.up && afresh(this.up)
    this.down = this.down && afresh(this.down)
  }

  end(): void {
    this.forget()
    this.stills.stop()
    this.up = undefined
    this.down = undefined
  }

  async measure(now: number): Promise<void> {
    const media = this.parts.media()
    if (!media || this.asking || now - (this.before?.at ?? 0) < every) return
    this.asking = true
    try {
      const counters = await media.counters(now)
      const before = this.before
      this.before = counters
      const up = upward(counters)
      this.up = step(this.up ?? start(firstRung(this.parts.trip()), now), up)
      this.redundant = repeating(this.redundant, up)
      if (before) {
        const down = downward(counters, before)
        this.down = step(this.down ?? start(this.takes(), now), down)
        this.kept = repeating(this.kept, down)
        // Each packet repeats the one or two before it: they have to come before they are played.
        this.packet = Math.max(shortest, Math.min(longest, this.packet * rarer, perPacket(counters, before)))
        media.keepSound(this.kept && spare + Math.round(this.packet) * (this.kept.loss > 0.06 ? 3 : 2))
      }
      this.report(counters)
      this.act()
    } finally {
      this.asking = false
    }
  }

  private report(now: Counters): void {
    this.reported ??= now
    if (now.at - this.reported.at < reportEvery) return
    const quality = report(now, this.reported, this.view().sends)
    this.reported = now
    if (quality) this.parts.send({ type: 'quality', quality })
    globalThis.localStorage?.setItem(remembered, this.up?.rung ?? '360p')
    rememberWay(now.path)
  }

  /** Carries out what was decided, where it changed. */
  act(): void {
    const { light, takes } = this.view()
    const limit = takes === 'audio' && !this.soundOnly ? dripped : takes
    const line = { pictures: !this.soundOnly && moves(takes), limit, light }
    const words = JSON.stringify(line)
    if (words !== this.said) {
      this.said = words
      this.parts.send({ type: 'line', line })
      this.parts.changed()
    }
    if (this.tune()) this.parts.changed()
    const { stills } = this.sending()
    const camera = this.parts.camera()
    // A line whose sound goes three times over has little room.
    if (stills && camera) this.stills.start(camera, stills === 'drip' || this.copies > 1)
    else this.stills.stop()
  }

  /** Tells the encoders what was decided, where it changed; new connections know nothing of it. */
  tune(): boolean {
    const media = this.parts.media()
    const { rung } = this.sending()
    const heard = least(rung, this.thinnest)
    this.copies = this.redundant ? (this.twice() ? 2 : 1) : 0
    const { sound, packet } = repeated[heard]?.[this.copies] ?? settings[heard]
    const applied = `${rung} ${sound} ${this.copies}`
    if (!media || applied === this.applied) return false
    this.applied = applied
    media.apply({ ...settings[rung], sound, packet }, this.copies)
    return true
  }

  /** Whether each frame of our sound goes in two packets more: the line loses two in a row so often, and still carries sound. */
  private twice(): boolean {
    return this.up?.rung !== 'text' && (this.redundant?.loss ?? 0) > (this.copies > 1 ? lossyTwice / 2 : lossyTwice)
  }

  private sending(): ReturnType<typeof sending> {
    return sending(this.up?.rung ?? firstRung(this.parts.trip()), this.parts.others(), this.layered(), this.thinnest)
  }
}
