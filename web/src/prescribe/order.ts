// A prescription as it is written: lines from the formulary or copied from an earlier one, each confirmed by the doctor.
import type { FormularyRow, NewPrescription, Prescription, RxItem, RxType } from '../api/types'

export const mostLines = 5

export type Line = RxItem & { range?: { low: string; high: string } }
export type Order = { type: RxType; lines: Line[]; daysReason: string }

const numbered = (lines: Line[]): Line[] => lines.map((line, index) => ({ ...line, line: index + 1 }))

/** A new line with nothing guessed but route, unit and days: the doctor writes the dose. */
export function add(order: Order, row: FormularyRow): Order {
  const what = row.product
    ? { product: row.product, units: '1' }
    : { ingredient: row.ingredient ?? '', dose: '', unit: row.unit }
  const range = row.daily_low && row.daily_high ? { range: { low: row.daily_low, high: row.daily_high } } : {}
  const line: Line = {
    line: 0,
    ...what,
    ...range,
    name: row.name,
    ...(row.forms[0] ? { form: row.forms[0] } : {}),
    route: row.route,
    per_day: 1,
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

/** Copied lines count only one by one: the law wants a confirmation of each. */
export function copyLine(order: Order, from: RxItem): Order {
  const { line: _, ...item } = from
  return {
    ...order,
    lines: numbered(
      [...order.lines, { ...item, line: 0, provenance: 'copied_confirmed' as const }].slice(0, mostLines),
    ),
  }
}

const decimal = /^\d+(\.\d+)?$/

export function complete(order: Order): boolean {
  return (
    order.lines.length > 0 &&
    order.lines.every(
      ({ dose, units, per_day, per_week, days }) =>
        decimal.test(units ?? dose ?? '') && (per_day ?? per_week ?? 0) > 0 && days > 0,
    )
  )
}

export function toSend(order: Order, diagnosis: string[]): NewPrescription {
  const items = order.lines.map(({ range: _, name: __, ...item }) => item)
  return { type: order.type, diagnosis, items, ...(order.daysReason ? { days_reason: order.daysReason } : {}) }
}

export function fromPrescription(prescription: Prescription): Order {
  return { type: prescription.type, lines: prescription.items, daysReason: prescription.days_reason ?? '' }
}

export const emptyOrder: Order = { type: 'long', lines: [], daysReason: '' }
