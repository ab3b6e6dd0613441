import { w } from './verify_words'

/** The dose in a code, "5 mg × 1/d", in plain words; another form stays as it is. */
export function plainUse(use: string): string {
  const [, dose = '', n = '', per] = /^(.+) × (\d+)\/(d|wk)$/.exec(use) ?? []
  const amount = /^[\d.]+$/.test(dose) ? w('use.units', { n: dose }) : dose.replace(' ', '\u00a0')
  if (per === 'd') return w('use.day', { amount, n })
  if (per === 'wk') return w('use.week', { amount, n })
  return use
}
