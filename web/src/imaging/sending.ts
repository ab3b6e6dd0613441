// Uploads under way outlive the page that began them: who looks at another case and comes back finds them going on.
// For who closes the browser a count is kept, no name and no number of a study: it says what to choose again.
import { signal } from '@preact/signals'
import { asProblem, type Problem } from '../api/client'
import { type Making, sourcesIn } from './chosen'
import { type Checked, receiptOf } from './receipt'
import { Pause, toServer, type Upload, upload } from './upload'

export type Broken = { received: number; total: number }

const noteOf = (id: string) => `yz.upload.${id}`

/** How far an upload was when the browser went; undefined when none was broken off. */
export function brokenOff(id: string): Broken | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(noteOf(id)) ?? 'null')
    const { received, total } = (kept ?? {}) as Partial<Broken>
    return typeof received === 'number' && typeof total === 'number' ? { received, total } : undefined
  } catch {
    return undefined
  }
}

export class Sending {
  readonly state = signal<Upload | undefined>(undefined)
  readonly paused = signal(false)
  readonly problem = signal<Problem | undefined>(undefined)
  readonly receipts = signal<Checked[]>([])
  readonly busy = signal(false)
  private readonly pause = new Pause()

  constructor(
    private readonly id: string,
    private readonly institution: string,
  ) {}

  hold(on: boolean): void {
    this.pause.set(on)
    this.paused.value = on
  }

  /** Sends the files of a choice and fetches the receipts; returns the studies that arrived. */
  async send(choice: () => Promise<readonly File[]>, making?: Making): Promise<string[]> {
    if (this.busy.value) return []
    this.busy.value = true
    this.problem.value = undefined
    this.receipts.value = []
    this.hold(false)
    const stay = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', stay)
    try {
      const { sources, refused } = await sourcesIn(await choice(), making)
      const tell = (state: Upload) => {
        this.state.value = { ...state, refused: [...refused, ...state.refused] }
        this.paused.value = this.pause.on
        if (state.at === 'sending' || state.at === 'cut' || state.at === 'full')
          localStorage.setItem(noteOf(this.id), JSON.stringify({ received: state.received, total: state.total }))
      }
      const end = await upload(sources, toServer(this.institution), this.pause, tell)
      localStorage.removeItem(noteOf(this.id))
      const studies = [...new Set(end.held.map(({ study }) => study))].filter((study) => study !== '')
      for (const study of studies)
        this.receipts.value = [...this.receipts.value, await receiptOf(study, this.institution, end.held)]
      return studies
    } catch (error) {
      this.problem.value = asProblem(error)
      return []
    } finally {
      removeEventListener('beforeunload', stay)
      this.busy.value = false
    }
  }
}

const underWay = new Map<string, Sending>()

/** The upload of this case into this institution; one at a time. */
export function sendingOf(id: string, institution: string): Sending {
  const key = `${id} ${institution}`
  const known = underWay.get(key) ?? new Sending(id, institution)
  underWay.set(key, known)
  return known
}
