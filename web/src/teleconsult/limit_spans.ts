// Times to arrange and to finish as a person says them: a number and a unit.
export const units = ['minute', 'hour', 'day', 'workday'] as const
export type Unit = (typeof units)[number]

const long = { minute: 1, hour: 60, day: 1440 }

/** The largest unit that says it whole; 24 and 48 hours stay hours, as they are spoken of. */
export function shown(minutes: number, days: number): { n: number; unit: Unit } {
  if (days > 0) return { n: days, unit: 'workday' }
  if (minutes % 1440 === 0 && minutes > 2880) return { n: minutes / 1440, unit: 'day' }
  return minutes % 60 === 0 ? { n: minutes / 60, unit: 'hour' } : { n: minutes, unit: 'minute' }
}

/** Minutes and working days, one of them 0; what is no whole number is 0 of both, which the server refuses. */
export function whole(text: string, unit: Unit): [minutes: number, days: number] {
  const n = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0
  return unit === 'workday' ? [0, n] : [n * long[unit], 0]
}
