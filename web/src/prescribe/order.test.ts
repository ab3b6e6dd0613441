import { describe, expect, it } from 'vitest'
import type { Alert, FormularyRow, RxCheck, RxItem } from '../api/types'
import { blocked, byTier, needsReason } from './alerts'
import { add, change, complete, copyLine, emptyOrder, remove, toSend } from './order'

const amlodipine: FormularyRow = {
  ingredient: 'amlodipine',
  name: { zh: '氨氯地平', en: 'Amlodipine' },
  atc: 'C08CA01',
  forms: ['tab'],
  route: 'po',
  unit: 'mg',
  daily_low: '5',
  daily_high: '10',
}
const combined: FormularyRow = {
  product: 'valsartan_amlodipine',
  name: { zh: '缬沙坦氨氯地平片', en: 'Valsartan/amlodipine' },
  atc: '',
  forms: [],
  route: 'po',
  unit: '1',
}

describe('writing a prescription', () => {
  it('does not guess a dose', () => {
    const order = add(emptyOrder, amlodipine)
    expect(order.lines[0]).toMatchObject({
      line: 1,
      ingredient: 'amlodipine',
      dose: '',
      unit: 'mg',
      provenance: 'catalogue_pick',
    })
    expect(complete(order)).toBe(false)
    expect(complete(change(order, 1, { dose: '5' }))).toBe(true)
  })
  it.each(['', '5mg', 'five', '-5', '.5', '5.'])('does not take %j for a dose', (dose) => {
    expect(complete(change(add(emptyOrder, amlodipine), 1, { dose }))).toBe(false)
  })
  it('counts a combined product in units', () => {
    expect(add(emptyOrder, combined).lines[0]).toMatchObject({ product: 'valsartan_amlodipine', units: '1' })
  })
  it('numbers lines anew when one goes', () => {
    const order = remove(add(add(emptyOrder, amlodipine), combined), 1)
    expect(order.lines.map(({ line, product }) => [line, product])).toEqual([[1, 'valsartan_amlodipine']])
  })
  it('keeps to five lines', () => {
    const order = Array.from({ length: 7 }).reduce<typeof emptyOrder>((so) => add(so, amlodipine), emptyOrder)
    expect(order.lines).toHaveLength(5)
  })
  it('marks copied lines as confirmed one by one', () => {
    const old: RxItem = {
      line: 3,
      ingredient: 'amlodipine',
      route: 'po',
      dose: '5',
      unit: 'mg',
      per_day: 1,
      days: 28,
      provenance: 'catalogue_pick',
    }
    expect(copyLine(emptyOrder, old).lines).toEqual([{ ...old, line: 1, provenance: 'copied_confirmed' }])
  })
  it('sends what the server knows and nothing of the screen', () => {
    const sent = toSend(change(add(emptyOrder, amlodipine), 1, { dose: '5' }), ['I10'])
    expect(sent).toEqual({
      type: 'long',
      diagnosis: ['I10'],
      items: [
        {
          line: 1,
          ingredient: 'amlodipine',
          form: 'tab',
          route: 'po',
          dose: '5',
          unit: 'mg',
          per_day: 1,
          days: 28,
          provenance: 'catalogue_pick',
        },
      ],
    })
  })
})

describe('alerts', () => {
  const alert = (tier: Alert['tier']): Alert => ({
    key: tier,
    type: 'ddi',
    about: [],
    severity: 'major',
    tier,
    text: { zh: tier, en: tier },
    remedy: { zh: '', en: '' },
    evidence: [],
  })
  const check = (alerts: Alert[], state: RxCheck['state'] = 'done'): RxCheck => ({
    state,
    decision: 'info',
    knowledge: '1',
    alerts,
    reasons: [],
  })
  it('stand with the stops first', () => {
    expect(byTier([alert('passive'), alert('interruptive'), alert('hard_stop')]).map(({ tier }) => tier)).toEqual([
      'hard_stop',
      'interruptive',
      'passive',
    ])
  })
  it('ask for a reason only where they interrupt', () => {
    expect(needsReason(check([alert('passive'), alert('interruptive')])).map(({ key }) => key)).toEqual([
      'interruptive',
    ])
  })
  it('block on a stop, and when the check did not run', () => {
    expect(blocked(check([alert('passive')]))).toBe(false)
    expect(blocked(check([alert('hard_stop')]))).toBe(true)
    expect(blocked(check([], 'failed'))).toBe(true)
  })
  it('block while the law misses something', () => {
    const reason = {
      rule: 'RXE-10',
      outcome: 'REQUIRE' as const,
      message: { zh: '', en: '' },
      remedy: { zh: '', en: '' },
      citation: '',
    }
    expect(blocked({ ...check([]), reasons: [reason] })).toBe(true)
  })
})
