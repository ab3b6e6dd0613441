import { beforeEach, describe, expect, it } from 'vitest'
import type { Decision } from '../api/types/booking'
import {
  answer,
  asks,
  booking,
  change,
  count,
  type Draft,
  draft,
  mayEnter,
  nextStep,
  openStep,
  question,
  startAgain,
  steps,
} from './wizard'

const hypertension = {
  icd10: 'I10',
  name: { zh: '高血压', en: 'Hypertension' },
  department: '心血管内科',
  online: true,
}
const decision = (verdict: Decision['verdict']): Decision => ({
  id: 'd1',
  stage: 'booking',
  verdict,
  reasons: [],
  ways: [],
  rule_set: 'cn-12',
  facts_sha256: '00',
  at: '2026-11-21T10:00:00Z',
})
const full: Draft = {
  person: 'p1',
  flags: [],
  kind: 'follow_up',
  condition: hypertension,
  proof: 'given',
  complaint: '头晕',
  severity: 'mild',
  consents: { internet_care: true, sensitive_pi: true },
}

describe('the way to a booked visit', () => {
  it('opens at the first unanswered question', () => {
    expect(openStep({})).toBe('who')
    expect(openStep({ person: 'p1' })).toBe('flags')
    expect(openStep(full)).toBe('answer')
    expect(openStep({ ...full, decision: decision('ALLOW') })).toBe('doctor')
  })
  it('never passes a danger sign, whatever else is answered', () => {
    expect(openStep({ ...full, flags: ['chest_pain'] })).toBe('flags')
    expect(mayEnter('doctor', { ...full, flags: ['chest_pain'], decision: decision('ALLOW') })).toBe(false)
  })
  it.each(['REQUIRE', 'REDIRECT_OFFLINE', 'DENY', 'EMERGENCY'] as const)(
    'does not show doctors after %s',
    (verdict) => {
      expect(mayEnter('doctor', { ...full, decision: decision(verdict) })).toBe(false)
    },
  )
  it('asks for proof of a follow-up only', () => {
    expect(asks('proof', full)).toBe(true)
    expect(nextStep('illness', { ...full, kind: 'first_visit' })).toBe('about')
    expect(count('about', full).of).toBe(count('about', { ...full, kind: 'first_visit' }).of + 1)
  })
  it('throws a decision away when a fact changes', () => {
    const decided: Draft = { ...full, decision: decision('ALLOW') }
    expect(change(decided, { severity: 'severe' }).decision).toBeUndefined()
    expect(change(decided, { complaint: '头晕三天' }).decision).toBeDefined()
  })
  it('asks for proof again when the person or the illness changes', () => {
    expect(change(full, { person: 'p2' }).proof).toBeUndefined()
    expect(change(full, { condition: { ...hypertension, icd10: 'E11' } }).proof).toBeUndefined()
    expect(change(full, { person: 'p1' }).proof).toBe('given')
  })
  it('does not ask the rules before both consents are given', () => {
    const { consents: _, ...open } = full
    expect(question(open)).toBeUndefined()
    expect(question(full)?.intends_rx).toBe(true)
  })
  it('books with the facts that were judged', () => {
    const slot = { id: 's1', start: '', end: '', institution: { id: 'i', name: '' }, department: '', fee_fen: 2000 }
    expect(booking(full)).toBeUndefined()
    expect(booking({ ...full, slot })).toMatchObject({ person_id: 'p1', slot_id: 's1', icd10: 'I10', severity: 'mild' })
  })
  it('ends at confirm, in order, with no step twice', () => {
    expect(new Set(steps).size).toBe(steps.length)
    expect(nextStep('confirm', full)).toBe('confirm')
  })
})

describe('the draft', () => {
  beforeEach(startAgain)
  it('is kept at every answer', () => {
    answer({ person: 'p1' })
    expect(JSON.parse(sessionStorage.getItem('yz.draft') ?? '{}')).toEqual({ person: 'p1' })
    expect(draft.value.person).toBe('p1')
  })
})
