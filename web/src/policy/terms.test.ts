import { describe, expect, it } from 'vitest'
import type { PolicyTerms } from '../api/types/policy'
import { difference, factRows, lastDay, midnight, older, words } from './terms'

const terms: PolicyTerms = {
  id: 'QH-PALP',
  version: 1,
  title: '心慌首诊试点',
  authority: { level: 'province', name: '省卫生健康委', doc_no: '鄂卫函〔2026〕18号', doc_sha256: 'a'.repeat(64) },
  effective_from: '2026-12-01T00:00:00+08:00',
  effective_to: '2027-06-01T00:00:00+08:00',
  predicate: { icd10_cats: ['R00'], departments: ['心血管内科'] },
  physician: { min_title: 2, min_years: 3, min_online_years: 0, whitelist: false },
  guardian_under: 18,
  max_severity: 'mild',
  rx_scope: 'none',
}

describe('terms of a policy', () => {
  it('the end is exclusive: the last day is the one before', () => {
    expect(lastDay(terms).toISOString().slice(0, 10)).toBe('2027-05-31')
    expect(midnight('2027-05-31', 1)).toBe('2027-06-01T00:00:00+08:00')
    expect(midnight('2028-02-28', 1)).toBe('2028-02-29T00:00:00+08:00')
  })
  it('reads lists as people type them', () => {
    expect(words('R00, I10、 E11；J45')).toEqual(['R00', 'I10', 'E11', 'J45'])
    expect(words('  ')).toEqual([])
  })
  it('shows only what two versions say differently', () => {
    expect(difference(terms, terms)).toEqual([])
    const next = {
      ...terms,
      version: 2,
      max_severity: 'moderate',
      physician: { ...terms.physician, whitelist: true },
      doctors: ['d1', 'd2'],
    }
    const zhang = { id: 'd1', name: '张建国', title: '', title_rank: 3, years: 9, online_years: 3, here: true }
    expect(difference(terms, next, [zhang]).map(({ key, was, now }) => [key, was, now])).toEqual([
      ['whitelist', '—', '张建国、d2'],
      ['max_severity', '轻', '中'],
    ])
    expect(difference(next, terms).map(({ key }) => key)).toEqual(['max_severity', 'whitelist'])
  })
  it('says which drugs a limited scope means', () => {
    const limited = { ...terms, rx_scope: 'symptomatic', drugs: ['N02BE', 'R05'] }
    expect(difference(terms, limited).map(({ was, now }) => [was, now])).toEqual([
      ['不开处方', '只开对症药: N02BE、R05'],
    ])
  })
  it('compares with the version just before', () => {
    const all = [3, 1, 2].map((version) => ({ terms: { ...terms, version } }))
    expect(older(all, all[0] as (typeof all)[number])?.terms.version).toBe(2)
    expect(older(all, all[1] as (typeof all)[number])).toBeUndefined()
  })
  it('turns facts into rows', () => {
    const facts = {
      stage: 'booking',
      evidence: [{ icd10: 'I10' }],
      visit: { red_flags: [], physician_judgement: null },
      a: ['x', 'y'],
    }
    expect(factRows(facts)).toEqual([
      { name: 'stage', value: 'booking' },
      { name: 'evidence[1].icd10', value: 'I10' },
      { name: 'a', value: 'x、y' },
    ])
  })
})
