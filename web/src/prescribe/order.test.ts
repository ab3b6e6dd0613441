import { describe, expect, it } from 'vitest'
import type { Alert, FormularyRow, RxCheck, RxItem } from '../api/types/prescribe'
import { blocked, byTier, needsReason } from './alerts'
import { add, change, choose, complete, confirm, copy, edit, emptyOrder, remove, toSend } from './order'

const amlodipine: FormularyRow = {
  ingredient: 'amlodipine',
  name: { zh: '氨氯地平', en: 'Amlodipine' },
  atc: 'C08CA01',
  forms: ['tab'],
  route: 'po',
  unit: 'mg',
  daily_low: '5',
  daily_high: '10',
  usual: [{ dose: '5', unit: 'mg', per_day: 1 }],
}
const dosed = (order: typeof emptyOrder) => change(order, 1, { dose: '5', per_day: 1 })
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
    expect(order.lines[0]?.per_day).toBeUndefined()
    expect(complete(change(order, 1, { dose: '5' }))).toBe(false)
    expect(complete(dosed(order))).toBe(true)
  })
  it('takes a usual use only by choice', () => {
    const order = change(add(emptyOrder, amlodipine), 1, { per_week: 3 })
    const { per_week, dose, per_day } = choose(order, 1, { dose: '5', unit: 'mg', per_day: 1 }).lines[0] ?? {}
    expect([dose, per_day, per_week]).toEqual(['5', 1, undefined])
    const sourced = choose(order, 1, { dose: '5', unit: 'mg', per_day: 1, source: 'S_CURATOR' })
    expect(sourced.lines[0]).not.toHaveProperty('source')
  })
  it.each(['', '5mg', 'five', '-5', '.5', '5.'])('does not take %j for a dose', (dose) => {
    expect(complete(change(dosed(add(emptyOrder, amlodipine)), 1, { dose }))).toBe(false)
  })
  it('counts a combined product in units', () => {
    expect(add(emptyOrder, combined).lines[0]).toMatchObject({ product: 'valsartan_amlodipine', units: '' })
  })
  it('numbers lines anew when one goes', () => {
    const order = remove(add(add(emptyOrder, amlodipine), combined), 1)
    expect(order.lines.map(({ line, product }) => [line, product])).toEqual([[1, 'valsartan_amlodipine']])
  })
  it('keeps to five lines', () => {
    const order = Array.from({ length: 7 }).reduce<typeof emptyOrder>((so) => add(so, amlodipine), emptyOrder)
    expect(order.lines).toHaveLength(5)
  })
  it('copies all lines at once and has each confirmed by itself', () => {
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
    const order = copy(emptyOrder, [old, { ...old, line: 4 }])
    expect(order.lines.map(({ line, provenance }) => [line, provenance])).toEqual([
      [1, 'copied'],
      [2, 'copied'],
    ])
    expect(confirm(order, 2).lines.map(({ provenance }) => provenance)).toEqual(['copied', 'copied_confirmed'])
    expect(edit(confirm(order, 1), 1, { dose: '10' }).lines[0]).toMatchObject({ dose: '10', provenance: 'copied' })
  })
  it('sends what the server knows and nothing of the screen', () => {
    const sent = toSend(dosed(add(emptyOrder, amlodipine)), ['I10'])
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
