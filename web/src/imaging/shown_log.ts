// The talk over the images, kept: what the presenter shows goes to the server every few seconds, and can be seen again.
import type { Seen, Shown, Tied } from './share'
import type { Voi } from './sight'

/** As the server keeps it; `ago` is what it is sent with, `at` and `by` are what it comes back with. */
type State = Omit<Seen, 'voi'> & { voi?: Voi }
export type ShownState = State & { ago: number; beside?: State & Tied }
export type Replayed = Omit<ShownState, 'ago'> & { at: string; by: { id: string; name: string } }
/** The talk, and what the signatures over it say: the server checks them each time it is read. */
export type Talk = {
  states: Replayed[]
  bound: { by: { id: string; name: string }; signed_at: string; verdict: 'holds' | 'changed' | 'unbound' }[]
}

export type LogPort = {
  send: (states: ShownState[]) => Promise<void>
  now: () => number
  later: (deed: () => void, ms: number) => () => void
}

const apart = 250 // ms: a scroll through a series is told by four images a second
const every = 3000 // ms between batches
const most = 100 // states of a batch
const oldest = 600_000 // ms: what a dead line kept back longer is not sent

/** Records one presenter. A batch that does not arrive goes with the next; a refusal ends the recording and is told. */
export class ShownLog {
  private waiting: { at: number; shown: Shown }[] = []
  private stop: (() => void) | undefined
  private sending = false
  private ended = false

  constructor(
    private readonly port: LogPort,
    private readonly onRefused: (error: unknown) => void,
  ) {}

  add(shown: Shown): void {
    if (this.ended) return
    const at = this.port.now()
    const last = this.waiting.at(-1)
    // Within the same instant the latest counts: where a movement comes to rest is what was meant.
    if (last && at - last.at < apart) last.shown = shown
    else this.waiting.push({ at, shown })
    this.stop ??= this.port.later(() => void this.flush(), every)
  }

  async flush(): Promise<void> {
    this.stop?.()
    this.stop = undefined
    if (this.sending || this.ended) return
    const now = this.port.now()
    const batch = this.waiting.filter(({ at }) => now - at <= oldest).slice(0, most)
    this.waiting = this.waiting.filter((one) => now - one.at <= oldest && !batch.includes(one))
    if (batch.length === 0) return
    this.sending = true
    try {
      await this.port.send(batch.map(({ at, shown }) => stateOf(shown, Math.round(now - at))))
    } catch (error) {
      const status = (error as { status?: number }).status ?? 0
      if (status >= 400 && status < 500 && status !== 429) {
        this.ended = true
        this.onRefused(error)
      } else this.waiting = [...batch, ...this.waiting]
    } finally {
      this.sending = false
    }
    if (this.waiting.length > 0 && !this.ended) this.stop ??= this.port.later(() => void this.flush(), every)
  }
}

const kept = ({ study, series, sop, frame, zoom, x, y, voi }: Seen): State => ({
  ...{ study, series, sop, frame, zoom, x, y },
  ...(voi ? { voi } : {}),
})

function stateOf({ beside, ...seen }: Shown, ago: number): ShownState {
  if (!beside) return { ago, ...kept(seen) }
  const { scroll, window, way } = beside
  return { ago, ...kept(seen), beside: { ...kept(beside), scroll, window, way } }
}

const longest = 3000 // ms of a rest as it is replayed: who has seen an image goes on

/** When each state comes in the replay, in ms from its beginning, and how long the replay is. */
export function schedule(all: readonly Pick<Replayed, 'at'>[]): { begins: number[]; length: number } {
  const begins: number[] = []
  let at = 0
  all.forEach((one, n) => {
    const before = all[n - 1]
    if (before) at += Math.min(longest, Math.max(0, new Date(one.at).getTime() - new Date(before.at).getTime()))
    begins.push(at)
  })
  return { begins, length: all.length > 0 ? at + longest : 0 }
}

/** The state that stands at a time of the replay. */
export function stateAt(begins: readonly number[], ms: number): number {
  let found = 0
  begins.forEach((begin, n) => {
    if (begin <= ms) found = n
  })
  return found
}
