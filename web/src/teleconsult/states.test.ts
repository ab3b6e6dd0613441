import { describe, expect, it } from 'vitest'
import { maySee, missing, partIn } from './states'

const place = { id: 'i', name: '清河县医院' }
const inviter = { practitioner: { id: 'd1', name: '赵强', title: '' }, institution: place }
const expert = { practitioner: { id: 'd2', name: '李明', title: '' }, institution: place }

describe('the part in a case', () => {
  it('is that of the person, not of the role', () => {
    const doctor = (practitioner_id: string) => ({ practitioner_id, roles: [{ role: 'doctor' as const, place }] })
    expect(partIn(doctor('d1'), { inviter, expert })).toBe('inviter')
    expect(partIn(doctor('d2'), { inviter, expert })).toBe('expert')
    expect(partIn(doctor('d3'), { inviter, expert })).toBe('none')
    expect(partIn({ roles: [{ role: 'coordinator', place }] }, { inviter })).toBe('coordinator')
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

describe('a draft', () => {
  it('needs images and consent before it goes out', () => {
    expect(missing({ studies: [] })).toEqual(['s.images', 's.consent'])
    expect(
      missing({
        studies: [{ study_uid: '1' } as never],
        consent: { method: 'paper', signed_by: '周大山', relation: '本人', at: '' },
      }),
    ).toEqual([])
  })
})
