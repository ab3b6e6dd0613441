import { describe, expect, it } from 'vitest'
import type { Mark } from './marks'
import { drawTopic, Marks, type MarksView, markTopic, noMarks } from './marks_store'

const on = { study: '1.2', series: '1.2.3', sop: '1.2.3.4', frame: 1 }
const points = [
  { x: 1, y: 2 },
  { x: 30, y: 2 },
]
const kept: Mark = {
  ...on,
  id: 'm1',
  rev: 1,
  tool: 'length',
  points,
  text: '',
  found: undefined,
  author: { id: 'p1', name: '李明远' },
}

describe('what somebody else draws', () => {
  it('stays until its kept version is here, however slow the line', async () => {
    let view: MarksView = noMarks
    let answer: (all: Mark[]) => void = () => {}
    const refuse = () => Promise.reject(new Error('nothing is stored here'))
    const marks = new Marks(
      {
        list: () => new Promise((done) => (answer = done)),
        put: refuse,
        remove: refuse,
        say: () => {},
        now: () => 0,
        later: () => () => {},
        name: () => 'new',
      },
      { id: 'p2', name: '赵志远' },
      (next) => {
        view = next
      },
    )
    marks.hear(drawTopic, 'seat 1', false, { ...on, tool: 'length', points, text: '' })
    expect([view.drafts.length, view.marks.length]).toEqual([1, 0])
    marks.hear(markTopic, 'seat 1', false, { id: 'm1', rev: 1 })
    expect([view.drafts.length, view.marks.length]).toEqual([1, 0])
    answer([kept])
    await new Promise((done) => setTimeout(done))
    expect([view.drafts.length, view.marks.length]).toEqual([0, 1])
  })
})
