import { describe, expect, it } from 'vitest'
import { left, maySee, partIn, span, turnOf } from './states'

const place = { id: 'i', name: '清河县医院' }
const inviter = { practitioner: { id: 'd1', name: '赵强', title: '' }, institution: place }
const expert = { practitioner: { id: 'd2', name: '李明', title: '' }, institution: place }

describe('the part in a case', () => {
  it('is that of the person, not of the role', () => {
    const doctor = (practitioner_id: string) => ({ practitioner_id, roles: [{ role: 'doctor' as const, place }] })
    const further = [{ id: 'd4', name: '何晓', title: '' }]
    expect(partIn(doctor('d1'), { inviter, expert, further })).toBe('inviter')
    expect(partIn(doctor('d2'), { inviter, expert, further })).toBe('expert')
    expect(partIn(doctor('d4'), { inviter, expert, further })).toBe('expert')
    expect(partIn(doctor('d3'), { inviter, expert, further })).toBe('none')
    expect(partIn({ roles: [{ role: 'coordinator', place }] }, { inviter, further: [] })).toBe('coordinator')
  })
})

describe('the images of a consult', () => {
  it('are the expert’s to see until it is closed, and the asking hospital’s after', () => {
    expect(maySee('expert', 'in_progress')).toBe(true)
    expect(maySee('expert', 'decided')).toBe(true)
    expect(maySee('expert', 'closed')).toBe(false)
    expect(maySee('inviter', 'closed')).toBe(true)
  })
})

describe('the clock', () => {
  const now = Date.parse('2026-11-22T08:00:00Z')
  const one = { state: 'submitted' as const, paused: false, sla_due: '2026-11-22T08:42:30Z' }
  it('runs for the invited hospital and its experts alone', () => {
    expect(left(one, now)).toBe(42)
    expect(left({ ...one, sla_due: '2026-11-22T07:50:00Z' }, now)).toBe(-10)
    expect(left({ ...one, state: 'needs_info', paused: true }, now)).toBeUndefined()
    expect(left({ ...one, state: 'opinion_signed' }, now)).toBeUndefined()
    expect(left({ ...one, state: 'in_progress' }, now)).toBe(42)
    expect(turnOf({ state: 'declined' })).toBe('over')
    expect(turnOf({ state: 'with_office' })).toBe('inviter')
    expect(left({ ...one, state: 'with_office' }, now)).toBeUndefined()
  })
  it('is said in hours, then in days', () => {
    expect(span(42)).toEqual({ text: '0:42' })
    expect(span(-310)).toEqual({ text: '5:10' })
    expect(span(2880)).toEqual({ days: 2 })
  })
})
