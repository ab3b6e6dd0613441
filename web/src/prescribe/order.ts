// A prescription as it is written: lines from the formulary or copied from an earlier one, each confirmed by the doctor.
import type { FormularyRow, NewPrescription, Prescription, RxItem, RxType, UsualUse } from '../api/types/prescribe'

export const mostLines = 5

export type Line = RxItem & { range?: { low: string; high: string }; usual?: UsualUse[] }
/** `validDays`: on how many days it may be claimed, the day of signing counted. */
export type Order = { type: RxType; lines: Line[]; daysReason: string; validDays: number }

const numbered = (lines: Line[]): Line[] => lines.map((line, index) => ({ ...line, line: index + 1 }))

/** A new line with nothing guessed but route, unit and days: the doctor writes dose and frequency, or chooses a usual one. */
export function add(order: Order, row: FormularyRow): Order {
  const what = row.product
    ? { product: row.product, units: '' }
    : { ingredient: row.ingredient ?? '', dose: '', unit: row.unit }
  const range = row.daily_low && row.daily_high ? { range: { low: row.daily_low, high: row.daily_high } } : {}
  const line: Line = {
    line: 0,
    ...what,
    ...range,
    ...(row.usual ? { usual: row.usual } : {}),
    name: row.name,
    ...(row.forms[0] ? { form: row.forms[0] } : {}),
    route: row.route,
    days: order.type === 'long' ? 28 : order.type === 'emergency' ? 3 : 7,
    provenance: 'catalogue_pick',
  }
  return { ...order, lines: numbered([...order.lines, line].slice(0, mostLines)) }
}

export function change(order: Order, at: number, edit: Partial<Line>): Order {
  return { ...order, lines: order.lines.map((line) => (line.line === at ? { ...line, ...edit } : line)) }
}

export function remove(order: Order, at: number): Order {
  return { ...order, lines: numbered(order.lines.filter((line) => line.line !== at)) }
}

/** Dose and frequency of a usual use, by the doctor's choice. */
export function choose(order: Order, at: number, use: UsualUse): Order {
  return {
    ...order,
    lines: order.lines.map((line) => {
      if (line.line !== at) return line
      const { per_day: _, per_week: __, ...rest } = line
      const { source: ___, ...said } = use
      return { ...rest, ...said }
    }),
  }
}

/** Lines of an earlier prescription or a favourite: copies, each of which the law wants confirmed by itself. */
export function copy(order: Order, from: RxItem[]): Order {
  const copies = from.map((item) => ({ ...item, provenance: 'copied' as const }))
  return { ...order, lines: numbered([...order.lines, ...copies].slice(0, mostLines)) }
}

export const confirm = (order: Order, at: number): Order => change(order, at, { provenance: 'copied_confirmed' })

/** A copied line that is changed has to be confirmed again. */
export function edit(order: Order, at: number, to: Partial<Line>): Order {
  const copied = order.lines.some(({ line, provenance }) => line === at && provenance === 'copied_confirmed')
  return change(order, at, copied ? { ...to, provenance: 'copied' } : to)
}

const decimal = /^\d+(\.\d+)?$/

export function completeLine({ dose, units, per_day, per_week, days }: Line): boolean {
  return decimal.test(units ?? dose ?? '') && (per_day || per_week || 0) > 0 && days > 0
}

/** Herbal slices are refused by the server; nothing of them is sent. */
export const complete = (order: Order): boolean =>
  order.type !== 'herbal' && order.lines.length > 0 && order.lines.every(completeLine)

export function toSend(order: Order, diagnosis: string[]): NewPrescription {
  const items = order.lines.map(({ range: _, name: __, usual: ___, ...item }) => item)
  return {
    type: order.type,
    diagnosis,
    items,
    ...(order.daysReason ? { days_reason: order.daysReason } : {}),
    ...(order.validDays > 1 ? { valid_days: order.validDays } : {}),
  }
}

export function fromPrescription(prescription: Prescription): Order {
  return {
    type: prescription.type,
    lines: prescription.items,
    daysReason: prescription.days_reason ?? '',
    validDays: prescription.valid_days ?? 1,
  }
}

export const emptyOrder: Order = { type: 'long', lines: [], daysReason: '', validDays: 1 }
