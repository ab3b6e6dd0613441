// What each state of a visit means to the patient: a heading, a sentence, a next step.
import type { RxState } from '../api/types/prescribe'
import type { Visit, VisitState } from '../api/types/visit'

export type Tone = 'ok' | 'info' | 'warn' | 'danger' | 'plain'

export const stateTone: Record<VisitState, Tone> = {
  booked: 'info',
  checked_in: 'info',
  in_consult: 'ok',
  interrupted: 'warn',
  concluded: 'plain',
  terminated_offline: 'warn',
  no_show: 'warn',
  cancelled: 'plain',
  emergency: 'danger',
}

export const rxTone: Record<RxState, Tone> = {
  draft: 'plain',
  signed: 'info',
  approved: 'ok',
  returned: 'info',
  refused: 'warn',
  void: 'plain',
  expired: 'warn',
  dispensed: 'plain',
}

const open: readonly VisitState[] = ['booked', 'checked_in', 'in_consult', 'interrupted']

export const isOpen = (visit: Visit) => open.includes(visit.state)

/** Open visits, soonest first. */
export function due(visits: readonly Visit[]): Visit[] {
  return visits.filter(isOpen).sort((a, b) => a.start.localeCompare(b.start))
}
