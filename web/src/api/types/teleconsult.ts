// The consult between hospitals, its opinion, agreements, limits and studies. Field names are the server's.
import type { Place } from './common'
import type { Person } from './identity'

export type TeleconsultState =
  | 'draft'
  | 'with_office'
  | 'submitted'
  | 'needs_info'
  | 'triaged'
  | 'scheduled'
  | 'in_progress'
  | 'opinion_signed'
  | 'decided'
  | 'closed'
  | 'declined'
  | 'cancelled'
export type Urgency = 'routine' | 'urgent' | 'emergency'
export type Party = { practitioner: { id: string; name: string; title: string }; institution: Place }
export type Signed<Content> = {
  content: Content
  version: number
  sha256: string
  canonical: string
  signed_at?: string
  key_id?: string
}
export type Stance = 'agree' | 'dissent'
export type Opinion = { findings: string; advice: string; stance?: Stance }
export type Authored<Content> = Signed<Content> & { author: { id: string; name: string; title: string } }
export type TeleconsultKind = 'consult' | 'imaging' | 'pathology' | 'ecg'
export type CriticalValue = {
  id: string
  what: string
  by: { id: string; name: string; title: string }
  at: string
  escalated_at?: string
  read_back?: string
  read_by?: string
  read_at?: string
}

export type ReleaseReason = 'unreachable' | 'unwell' | 'away' | 'conflict' | 'other_field' | 'other'
export type Released = {
  expert: { id: string; name: string; title: string }
  reason: ReleaseReason
  note?: string
  by: string
  withdrew: boolean
  at: string
}

export type ConsentText = { version: string; zh: string; en: string }

export type Teleconsult = {
  id: string
  state: TeleconsultState
  kind: TeleconsultKind
  urgency: Urgency
  department: string
  question: string
  summary: string
  diagnosis: string
  labs: string
  contact: string
  person: Pick<Person, 'id' | 'name' | 'sex' | 'age'>
  inviter: Party
  invited: Place
  expert?: Party
  further: { id: string; name: string; title: string }[]
  released: Released[]
  start?: string
  end?: string
  studies: StudyRow[]
  consent?: { method: string; signed_by: string; relation: string; at: string; text?: ConsentText }
  /** What the patient is asked to agree to, while they have not. */
  consent_asked?: ConsentText
  patient_invited: boolean
  opinion?: Signed<Opinion>
  opinions: Authored<Opinion>[]
  addenda: Authored<{ text: string }>[]
  decision?: Signed<{ adopt: Adopt; plan: string }>
  reason?: string
  sla_due?: string
  paused: boolean
  needs?: string
  needs_answer?: string
  escalated_at?: string
  escalated_why?: string
  live: boolean
  missing: Missing[]
  critical: CriticalValue[]
  liability: string
  created_at: string
  office_since?: string
  countersigns: Countersign[]
}
export type Missing =
  | 'question'
  | 'summary'
  | 'diagnosis'
  | 'contact'
  | 'images_or_labs'
  | 'original_imaging'
  | 'original_pathology'
  | 'original_ecg'
export type TeleconsultStep = { deed: string; who: string; note: string; at: string }
export type Countersign = { signed: boolean; by: string; reason?: string; sha256: string; at: string }
export type CountersignMatter = {
  id: string
  state: TeleconsultState
  since: string
  due?: string
  told_at?: string
  kind: TeleconsultKind
  urgency: Urgency
  department: string
  question: string
  patient: string
  doctor: { id: string; name: string; title: string }
  own: boolean
  inviter: Place
  invited: Place
  consent: 'paper' | 'patient_device' | 'head_approval'
  consent_at: string
  missing: Missing[]
  studies: number
  sha256: string
}
export type CountersignRule = {
  place: Place
  version: number
  needed: boolean
  history: { version: number; needed: boolean; by: string; reason: string; at: string }[]
}
export type CountersignDesk = { rules: CountersignRule[]; cases: CountersignMatter[] }
export type Overdue = {
  id: string
  what: 'clock' | 'critical' | 'countersign'
  state: TeleconsultState
  kind: TeleconsultKind
  urgency: Urgency
  department: string
  inviter: Place
  invited: Place
  contact: string
  waits: string[]
  since: string
  told: string
  told_at?: string
  taken_by?: string
  taken_at?: string
  taken_words?: string
}
export type Limit = {
  kind: TeleconsultKind
  urgency: Urgency
  arrange_min: number
  finish_min: number
  finish_days: number
}
export type Limits = {
  place: Place
  version: number
  limits: Limit[]
  customary: Limit[]
  history: { version: number; by: string; reason: string; at: string }[]
}
export type KeptPackage = { institution: Place; sha256: string; size: number; kept_at: string }
export type Phrases = { findings: string[]; advice: string[] }
export type Agreement = {
  id: string
  state: 'offered' | 'in_force' | 'to_come' | 'expired' | 'ended'
  inviter: Place
  invited: Place
  kinds: TeleconsultKind[]
  terms: string
  from: string
  until: string
  offered_by: string
  signers: string[]
  ended_at?: string
}
export type NewAgreement = {
  inviter_id: string
  invited_id: string
  kinds: TeleconsultKind[]
  terms: string
  from: string
  until: string
}
export type Adopt = 'full' | 'partial' | 'none'
export type NewTeleconsult = {
  person_id: string
  kind: TeleconsultKind
  diagnosis: string
  labs: string
  contact: string
  department: string
  question: string
  summary: string
  urgency: Urgency
}
export type ExpertRow = { practitioner_id: string; name: string; title: string; places: string[] }
export type CommonTime = { start: string; end: string; free_at: string[] }

export type StudyRow = {
  person_id: string
  study_uid: string
  patient_name: string
  patient_sex: string
  patient_birth_date: string
  study_date: string
  description: string
  modalities: string[]
  series: { series_uid: string; description: string; modality: string; instances: number }[]
  instances: number
  bytes: number
  other_bytes: { from: string; objects: number; at: string }[]
}
