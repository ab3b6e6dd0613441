import type { Me } from '../api/types/identity'
import type { ReleaseReason, Teleconsult, TeleconsultState } from '../api/types/teleconsult'
import type { Tone } from '../visit/states'

export const stateTone: Record<TeleconsultState, Tone> = {
  draft: 'plain',
  with_office: 'info',
  submitted: 'info',
  needs_info: 'warn',
  triaged: 'info',
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
export function partIn(
  me: Pick<Me, 'practitioner_id' | 'roles'>,
  one: Pick<Teleconsult, 'inviter' | 'expert' | 'further'>,
): Part {
  if (me.practitioner_id !== undefined && one.inviter.practitioner.id === me.practitioner_id) return 'inviter'
  if (me.practitioner_id !== undefined && one.expert?.practitioner.id === me.practitioner_id) return 'expert'
  if (one.further.some(({ id }) => id === me.practitioner_id)) return 'expert'
  return me.roles.some(({ role }) => role === 'coordinator') ? 'coordinator' : 'none'
}

const meeting: readonly TeleconsultState[] = ['scheduled', 'in_progress', 'opinion_signed', 'decided']

/** Until the consult is closed, people may meet in its room. */
export const roomOpen = (one: Pick<Teleconsult, 'live' | 'state'>) => one.live && meeting.includes(one.state)

/** The expert's right to the images ends with the consult; the asking hospital keeps its own. */
export const maySee = (part: Part, state: TeleconsultState) =>
  part === 'inviter' || !(state === 'closed' || state === 'cancelled' || state === 'declined')

/** Whose move it is, the sections of the board. */
export type Turn = 'hospital' | 'inviter' | 'experts' | 'over'

export function turnOf(one: Pick<Teleconsult, 'state'>): Turn {
  switch (one.state) {
    case 'submitted':
    case 'triaged':
      return 'hospital'
    case 'draft':
    case 'with_office':
    case 'needs_info':
    case 'opinion_signed':
    case 'decided':
      return 'inviter'
    case 'scheduled':
    case 'in_progress':
      return 'experts'
    default:
      return 'over'
  }
}

/** Minutes until the answer is due, below zero when it is late; undefined where no clock runs. */
export function left(one: Pick<Teleconsult, 'state' | 'paused' | 'sla_due'>, now: number): number | undefined {
  const runs = turnOf(one) === 'hospital' || turnOf(one) === 'experts'
  return one.sla_due && runs && !one.paused ? Math.floor((Date.parse(one.sla_due) - now) / 60_000) : undefined
}

/** 0:42, 5:10, 3 days; late ones count up. */
export function span(minutes: number): { days: number } | { text: string } {
  const n = Math.abs(minutes)
  return n >= 2880
    ? { days: Math.floor(n / 1440) }
    : { text: `${Math.floor(n / 60)}:${String(n % 60).padStart(2, '0')}` }
}

/** The opinion of the person who reads: of the first expert, or of a further one. */
export function ownOpinion(one: Pick<Teleconsult, 'expert' | 'opinion' | 'opinions'>, me: string | undefined) {
  return one.expert?.practitioner.id === me ? one.opinion : one.opinions.find(({ author }) => author.id === me)
}

/** Why an expert leaves before signing. */
export const reasons: readonly ReleaseReason[] = ['unreachable', 'unwell', 'away', 'conflict', 'other_field', 'other']
