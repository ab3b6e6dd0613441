// The way to a booked visit, one question a page. The draft is kept at every answer, so a reload or a lost line costs nothing.
import { signal } from '@preact/signals'
import type { Decision, EligibilityAsk, Severity, VisitKind } from '../api/types/booking'
import type { Condition } from '../api/types/common'
import type { DoctorRow, Slot } from '../api/types/schedule'
import type { NewVisit } from '../api/types/visit'

export const steps = [
  'who',
  'flags',
  'kind',
  'illness',
  'proof',
  'about',
  'consent',
  'answer',
  'doctor',
  'times',
  'confirm',
] as const
export type Step = (typeof steps)[number]

export const flags = ['chest_pain', 'stroke_signs', 'breathless', 'fainting', 'heavy_bleeding'] as const
export type Flag = (typeof flags)[number]

export type Draft = {
  person?: string
  flags?: Flag[]
  kind?: VisitKind
  condition?: Condition
  proof?: 'given' | 'none'
  complaint?: string
  severity?: Severity
  consents?: { internet_care: boolean; sensitive_pi: boolean }
  decision?: Decision
  doctor?: DoctorRow
  slot?: Slot
  held?: string // until when the slot is kept
}

const answered: Record<Step, (draft: Draft) => boolean> = {
  who: (d) => d.person !== undefined,
  flags: (d) => d.flags !== undefined && d.flags.length === 0,
  kind: (d) => d.kind !== undefined,
  illness: (d) => d.condition !== undefined,
  proof: (d) => d.proof !== undefined || d.kind !== 'follow_up',
  about: (d) => d.severity !== undefined,
  consent: (d) => d.consents?.internet_care === true && d.consents.sensitive_pi,
  answer: (d) => d.decision !== undefined && goesOn(d.decision),
  doctor: (d) => d.doctor !== undefined,
  times: (d) => d.slot !== undefined,
  confirm: () => false,
}

/** Only a follow-up is asked for proof of the earlier diagnosis. */
export function asks(step: Step, draft: Draft): boolean {
  return step !== 'proof' || draft.kind === 'follow_up'
}

export function goesOn(decision: Decision): boolean {
  return decision.verdict === 'ALLOW' || decision.verdict === 'ALLOW_COND'
}

/** The first question still open: where a person lands who comes back or follows a link. */
export function openStep(draft: Draft): Step {
  return steps.find((step) => asks(step, draft) && !answered[step](draft)) ?? 'confirm'
}

/** A step may be shown when everything asked before it has been answered. */
export function mayEnter(step: Step, draft: Draft): boolean {
  const upTo = steps.indexOf(step)
  return steps.slice(0, upTo).every((before) => !asks(before, draft) || answered[before](draft))
}

export function nextStep(step: Step, draft: Draft): Step {
  return steps.slice(steps.indexOf(step) + 1).find((later) => asks(later, draft)) ?? 'confirm'
}

/** Which question this is of how many, for the line above the heading. */
export function count(step: Step, draft: Draft): { at: number; of: number } {
  const shown = steps.filter((one) => asks(one, draft))
  return { at: shown.indexOf(step) + 1, of: shown.length }
}

/** What depends on a changed answer is asked again: a decision never outlives the facts it was made from. */
export function change(draft: Draft, answer: Partial<Draft>): Draft {
  const next: Draft = { ...draft, ...answer }
  const facts: (keyof Draft)[] = ['person', 'flags', 'kind', 'condition', 'proof', 'severity', 'consents']
  if (facts.some((fact) => fact in answer)) {
    delete next.decision
    delete next.doctor
    delete next.slot
    delete next.held
  }
  if ('person' in answer && answer.person !== draft.person) delete next.proof
  if ('condition' in answer && answer.condition?.icd10 !== draft.condition?.icd10) delete next.proof
  if ('doctor' in answer && answer.doctor?.practitioner_id !== draft.doctor?.practitioner_id) delete next.slot
  return next
}

export function question(draft: Draft): EligibilityAsk | undefined {
  const { person, kind, condition, severity, consents } = draft
  if (!person || !kind || !condition || !severity || !consents) return undefined
  return {
    person_id: person,
    kind,
    department: condition.department,
    icd10: condition.icd10,
    red_flags: draft.flags ?? [],
    severity,
    intends_rx: kind !== 'health_consult',
    consents,
  }
}

export function booking(draft: Draft): NewVisit | undefined {
  const asked = question(draft)
  if (!asked || !draft.slot) return undefined
  return {
    person_id: asked.person_id,
    slot_id: draft.slot.id,
    kind: asked.kind,
    icd10: asked.icd10,
    complaint: draft.complaint ?? '',
    red_flags: asked.red_flags,
    severity: asked.severity,
    intends_rx: asked.intends_rx,
    consents: asked.consents,
  }
}

const key = 'yz.draft'

function kept(): Draft {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(key) ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Draft) : {}
  } catch {
    return {}
  }
}

export const draft = signal<Draft>(kept())

export function answer(given: Partial<Draft>): Draft {
  draft.value = change(draft.value, given)
  sessionStorage.setItem(key, JSON.stringify(draft.value))
  return draft.value
}

export function startAgain(): void {
  draft.value = {}
  sessionStorage.removeItem(key)
}
