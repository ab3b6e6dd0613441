import type { Me, Teleconsult, TeleconsultState } from '../api/types'
import type { Tone } from '../visit/states'

export const stateTone: Record<TeleconsultState, Tone> = {
  draft: 'plain',
  submitted: 'info',
  scheduled: 'info',
  in_progress: 'ok',
  opinion_signed: 'warn',
  decided: 'info',
  closed: 'plain',
  declined: 'warn',
  cancelled: 'plain',
}

export type Part = 'inviter' | 'expert' | 'coordinator' | 'none'

/** The part a signed-in person plays in a case. */
export function partIn(me: Pick<Me, 'practitioner_id' | 'roles'>, one: Pick<Teleconsult, 'inviter' | 'expert'>): Part {
  if (me.practitioner_id !== undefined && one.inviter.practitioner.id === me.practitioner_id) return 'inviter'
  if (me.practitioner_id !== undefined && one.expert?.practitioner.id === me.practitioner_id) return 'expert'
  return me.roles.some(({ role }) => role === 'coordinator') ? 'coordinator' : 'none'
}

/** While the consult runs, people may meet in its room. */
export const roomOpen = (one: Teleconsult) =>
  one.state === 'scheduled' || one.state === 'in_progress' || one.state === 'opinion_signed'

/** The expert's right to the images ends with the consult; the asking hospital keeps its own. */
export const maySee = (part: Part, state: TeleconsultState) =>
  part === 'inviter' || !(state === 'closed' || state === 'cancelled' || state === 'declined')

/** What a draft still misses before it can go out, as keys of the words. */
export function missing(one: Pick<Teleconsult, 'studies' | 'consent'>): ('s.images' | 's.consent')[] {
  return [
    ...(one.studies.length === 0 ? (['s.images'] as const) : []),
    ...(one.consent ? [] : (['s.consent'] as const)),
  ]
}
