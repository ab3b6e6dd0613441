import { describe, expect, it } from 'vitest'
import type { Shown } from './share'
import { ShownLog, type ShownState, schedule, stateAt } from './shown_log'

const shown = (sop: string): Shown => ({
  study: '1',
  series: '2',
  sop,
  frame: 1,
  zoom: 1,
  x: 256,
  y: 256,
  voi: { center: -600, width: 1500 },
})

function desk(answers: (Error | 'ok')[] = []) {
  const sent: ShownState[][] = []
  const refused: unknown[] = []
  let time = 0
  let due: (() => void) | undefined
  const log = new ShownLog(
    {
      send: async (states) => {
        const answer = answers.shift() ?? 'ok'
        if (answer !== 'ok') throw answer
        sent.push(states)
      },
      now: () => time,
      later: (deed) => {
        due = deed
        return () => {
          due = undefined
        }
      },
    },
    (error) => refused.push(error),
  )
  const tick = async (ms: number) => {
    time += ms
    const deed = due
    due = undefined
    deed?.()
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }
  return { log, sent, refused, tick, wait: (ms: number) => (time += ms) }
}

describe('what a presenter shows', () => {
  it('is sent in batches with the time since, a fast movement by where it rests', async () => {
    const { log, sent, tick, wait } = desk()
    for (const sop of ['1', '2', '3']) {
      log.add(shown(sop))
      wait(100)
    }
    wait(900)
    log.add(shown('4'))
    await tick(800)
    expect(sent.map((batch) => batch.map(({ sop, ago }) => [sop, ago]))).toEqual([
      [
        ['3', 2000],
        ['4', 800],
      ],
    ])
  })
  it('is sent with what stands beside it', async () => {
    const { log, sent, tick } = desk()
    const tied = { scroll: true, window: true, way: { by: 'slices', slices: 3 } } as const
    log.add({ ...shown('1'), beside: { ...shown('9'), voi: undefined, ...tied } })
    await tick(5000)
    const { voi: _, ...without } = shown('9')
    expect(sent).toEqual([[{ ago: 5000, ...shown('1'), beside: { ...without, ...tied } }]])
  })
  it('goes with the next batch when the line was down, its time still right', async () => {
    const { log, sent, tick } = desk([new Error('down')])
    log.add(shown('1'))
    await tick(5000)
    expect(sent).toEqual([])
    await tick(5000)
    expect(sent[0]?.map(({ sop, ago }) => [sop, ago])).toEqual([['1', 10_000]])
  })
  it('is recorded no more once the server says no, and that is told', async () => {
    const no = Object.assign(new Error('signed'), { status: 409 })
    const { log, sent, refused, tick } = desk([no])
    log.add(shown('1'))
    await tick(5000)
    log.add(shown('2'))
    await tick(5000)
    expect(sent).toEqual([])
    expect(refused).toEqual([no])
  })
})

describe('the replay', () => {
  const at = (second: number) => ({ at: new Date(1_764_000_000_000 + second * 1000).toISOString() })
  it('keeps the pace and shortens long rests', () => {
    const { begins, length } = schedule([at(0), at(1), at(61), at(62.5)])
    expect(begins).toEqual([0, 1000, 4000, 5500])
    expect(length).toBe(8500)
    expect([0, 999, 1000, 4200, 99_999].map((ms) => stateAt(begins, ms))).toEqual([0, 0, 1, 2, 3])
  })
  it('of nothing has no length', () => expect(schedule([])).toEqual({ begins: [], length: 0 }))
})
