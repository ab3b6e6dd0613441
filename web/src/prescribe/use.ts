import type { RxItem } from '../api/types/prescribe'
import { w } from './verify_words'
import { w as rx } from './words'

/** When in the day, by HL7's event timing. */
const eventTiming = {
  AC: 'timing.before_meal',
  C: 'timing.with_meal',
  PC: 'timing.after_meal',
  MORN: 'timing.morning',
  HS: 'timing.bedtime',
} as const

/** The use in a code, "5 mg × 1/d AC", in plain words; another form stays as it is. */
export function plainUse(use: string): string {
  const [, dose = '', n = '', per, timing] = /^(.+) × (\d+)\/(d|wk)(?: (AC|C|PC|MORN|HS))?$/.exec(use) ?? []
  if (!per) return use
  const amount = /^[\d.]+$/.test(dose) ? w('use.units', { n: dose }) : dose.replace(' ', '\u00a0')
  const when = among(eventTiming, timing)
  return w(per === 'd' ? 'use.day' : 'use.week', { amount, n }) + (when ? rx('line.comma') + rx(when) : '')
}

const unitWord = {
  mg: 'unit.mg',
  ug: 'unit.ug',
  g: 'unit.g',
  mL: 'unit.mL',
  '[iU]': 'unit.iu',
  '[U]': 'unit.iu',
} as const
const formWord = {
  tab: 'form.tab',
  sl: 'form.tab',
  sr: 'form.tab',
  cap: 'form.cap',
  gran: 'form.gran',
  inh: 'form.inh',
  spray: 'form.inh',
  pat: 'form.pat',
  sup: 'form.sup',
} as const

const among = <T extends object>(words: T, key: string | undefined): T[keyof T] | undefined =>
  key !== undefined && key in words ? words[key as keyof T] : undefined

/** How to take it, as one would say it at the counter: 每天 2 次，每次 1 片，饭后吃，共 28 天。 Only what is written is said. */
export function sayUse(item: RxItem): string {
  const word = among(formWord, item.form)
  const unit = among(unitWord, item.unit)
  const amount = item.units
    ? `${item.units}\u00a0${rx(word ?? 'line.units')}`
    : `${item.dose ?? ''}\u00a0${unit ? rx(unit) : (item.unit ?? '')}`
  const often = item.per_week ? rx('line.week', { n: item.per_week }) : rx('line.day', { n: item.per_day ?? 1 })
  const taken = !item.route || item.route === 'po' // what is not swallowed is not eaten
  return [
    often,
    rx('line.each', { amount }),
    item.timing && rx(taken ? 'line.eat' : 'line.apply', { when: rx(`timing.${item.timing}`) }),
    rx('line.for', { n: item.days }),
  ]
    .filter(Boolean)
    .join(rx('line.comma'))
}
