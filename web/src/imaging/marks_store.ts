// The marks of a consult as one person holds them. The server keeps them and orders their versions: a change names the
// version it was made from, and of two changes of one version the second is told, with what the first made of it. The
// room only makes it quick: what somebody is drawing, and that a version is new.
import { Problem } from '../api/client'
import { type Gone, isGone, type KeyImage, type Mark, merged, type On, type Shape, tools } from './marks'
import type { Point } from './sight'

export type Draft = On & { seat: string; shape: Shape }
/** What we wanted of a mark that somebody else changed first, or removed. Nothing of it is lost until we say so. */
export type Clash = { mine: Mark; theirs: Mark | Gone; name: string }
export type MarksView = { marks: readonly Mark[]; drafts: readonly Draft[]; clash: Clash | undefined }
export const noMarks: MarksView = { marks: [], drafts: [], clash: undefined }

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type MarksPort = {
  list: () => Promise<(Mark | Gone)[]>
  /** Stores the version after `rev`; a Problem 409 carries the current one. */
  put: (mark: Mark) => Promise<Mark>
  remove: (mark: Mark) => Promise<Gone>
  say: (topic: string, data: Json) => void
  now: () => number
  later: (deed: () => void, ms: number) => () => void
  /** An address for a new mark. */
  name: () => string
}

export const markTopic = 'mark/changed'
export const drawTopic = 'mark/drawing'
const drawEvery = 66 // ms: at most 15 a second
const drawLife = 5000 // ms without a word: the line broke, or the hand rests
const retryAfter = 2000 // ms

export class Marks {
  private known: ReadonlyMap<string, Mark | Gone> = new Map()
  private drafts: Draft[] = []
  private readonly fading = new Map<string, () => void>()
  private clash: Clash | undefined
  private waiting: { on: On; shape: Shape | undefined } | undefined
  private stopWaiting: (() => void) | undefined
  private saidAt = Number.NEGATIVE_INFINITY
  private closed = false

  constructor(
    private readonly port: MarksPort,
    private readonly me: { id: string; name: string },
    private readonly onView: (view: MarksView) => void,
  ) {}

  /** Asks for all marks: on coming in, after a break, when the server says that something changed. */
  async refresh(): Promise<void> {
    const all = await this.port.list().catch(() => undefined)
    if (!all || this.closed) return
    this.known = merged(this.known, all)
    this.tell()
  }

  hear(topic: string, from: string, own: boolean, data: unknown): void {
    if (topic === markTopic) {
      if (own) return
      const drawn = this.drafts.find(({ seat }) => seat === from)
      // What was drawn stays until the kept version is here: a mark does not blink on a slow line.
      void this.refresh().then(() => {
        if (drawn && this.drafts.includes(drawn)) this.drop(from)
      })
    } else if (topic === drawTopic && !own) {
      const draft = readDraft(from, data)
      this.drop(from)
      if (draft) {
        this.drafts = [...this.drafts, draft]
        this.fading.set(
          from,
          this.port.later(() => this.drop(from), drawLife),
        )
      }
    } else return
    this.tell()
  }

  /** Our shape as it grows, for the others to see; undefined when it was given up. */
  draw(on: On, shape: Shape | undefined): void {
    this.waiting = { on, shape }
    if (this.stopWaiting) return
    const wait = Math.max(0, this.saidAt + drawEvery - this.port.now())
    if (wait === 0) this.flush()
    else this.stopWaiting = this.port.later(() => this.flush(), wait)
  }

  /** A new mark, or the next version of one. Shown at once as ours; the server's word replaces it. */
  async put(changed: Mark | undefined, on: On, { tool, points, text, found }: Shape | KeyImage): Promise<void> {
    const id = changed?.id ?? this.port.name()
    const mine: Mark = { ...on, id, rev: changed?.rev ?? 0, tool, points, text, found, author: this.me }
    await this.store(mine, () => this.port.put(mine))
  }

  async remove(mark: Mark): Promise<void> {
    await this.store(mark, () => this.port.remove(mark))
  }

  /** What becomes of our change after somebody else's came first. */
  async settle(way: 'mine' | 'both' | 'theirs'): Promise<void> {
    const { clash } = this
    if (!clash) return
    this.clash = undefined
    this.tell()
    if (way === 'theirs') return
    const again: Mark =
      way === 'mine' && !isGone(clash.theirs)
        ? { ...clash.mine, rev: clash.theirs.rev }
        : { ...clash.mine, rev: 0, id: this.port.name() }
    await this.store(again, () => this.port.put(again))
  }

  close(): void {
    this.closed = true
    this.stopWaiting?.()
    for (const stop of this.fading.values()) stop()
  }

  private async store(mine: Mark, deed: () => Promise<Mark | Gone>): Promise<void> {
    for (;;) {
      try {
        const stored = await deed()
        this.known = merged(this.known, [stored])
        this.port.say(markTopic, { id: stored.id, rev: stored.rev })
        break
      } catch (error) {
        if (this.closed) return
        const current = error instanceof Problem && error.status === 409 ? readCurrent(error) : undefined
        if (current) {
          this.known = merged(this.known, [current.mark])
          this.clash = { mine, theirs: current.mark, name: current.name }
          break
        }
        if (!(error instanceof Problem) || (!error.offline && error.status < 500)) throw error
        // The line is down, or the answer lost: the same version again is the same deed.
        await new Promise<void>((done) => this.port.later(done, retryAfter))
      }
    }
    this.tell()
  }

  private drop(seat: string): void {
    this.fading.get(seat)?.()
    this.fading.delete(seat)
    const left = this.drafts.filter((one) => one.seat !== seat)
    if (left.length === this.drafts.length) return
    this.drafts = left
    this.tell()
  }

  private flush(): void {
    this.stopWaiting = undefined
    if (!this.waiting) return
    const { on, shape } = this.waiting
    this.waiting = undefined
    this.saidAt = this.port.now()
    this.port.say(
      drawTopic,
      shape ? { ...on, tool: shape.tool, points: shape.points.map(({ x, y }) => ({ x, y })), text: shape.text } : null,
    )
  }

  private tell(): void {
    if (this.closed) return
    const marks = [...this.known.values()].filter((one): one is Mark => !isGone(one))
    this.onView({ marks, drafts: this.drafts, clash: this.clash })
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isPoint = (value: unknown): value is Point =>
  isObject(value) && Number.isFinite(value.x) && Number.isFinite(value.y)
const text = (value: unknown): value is string => typeof value === 'string' && value.length <= 500

export function readDraft(seat: string, value: unknown): Draft | undefined {
  if (!isObject(value)) return undefined
  const { study, series, sop, frame, points } = value
  const tool = tools.find((one) => one === value.tool)
  if (!tool || !text(study) || !text(series) || !text(sop) || typeof frame !== 'number') return undefined
  if (!Array.isArray(points) || points.length > 3 || !points.every(isPoint) || !text(value.text)) return undefined
  return { seat, study, series, sop, frame, shape: { tool, points, text: value.text, found: undefined } }
}

/** What the server holds of a mark whose change came too late. */
function readCurrent(problem: Problem): { mark: Mark | Gone; name: string } | undefined {
  const current = problem.given('current')
  if (!isObject(current) || typeof current.id !== 'string' || typeof current.rev !== 'number') return undefined
  const author = isObject(current.author) && typeof current.author.name === 'string' ? current.author.name : ''
  return { mark: current as unknown as Mark | Gone, name: author }
}
