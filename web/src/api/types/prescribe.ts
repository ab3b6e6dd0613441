// Prescriptions: written, checked, reviewed, dispensed, verified; the pharmacies and papers they need. Field names are the server's.
import type { Reason } from './booking'
import type { Place, Text } from './common'
import type { Person } from './identity'

export type FormularyRow = {
  ingredient?: string
  product?: string
  name: Text
  atc: string
  forms: string[]
  route: string
  unit: string
  daily_low?: string
  daily_high?: string
  max_daily?: string
  contains?: string[]
  /** The trade name that was asked for. */
  as?: Text
  usual?: UsualUse[]
}
/** A usual way to take it, offered as a choice. */
/** `source` is that of the row; S_CURATOR: from knowledge, held against no label. */
export type UsualUse = Pick<RxItem, 'dose' | 'unit' | 'units' | 'per_day' | 'per_week'> & { source?: string }
export type Favourite = { id: string; line: RxItem }

export type Timing = 'before_meal' | 'with_meal' | 'after_meal' | 'morning' | 'bedtime'
export type RxItem = {
  line: number
  ingredient?: string
  product?: string
  name?: Text
  form?: string
  route?: string
  dose?: string
  unit?: string
  units?: string
  per_day?: number
  per_week?: number
  timing?: Timing
  days: number
  quantity?: string
  provenance: 'typed' | 'catalogue_pick' | 'copied' | 'copied_confirmed'
}

export type RxState = 'draft' | 'signed' | 'approved' | 'returned' | 'refused' | 'void' | 'expired' | 'dispensed'
export type RxType = 'general' | 'long' | 'emergency' | 'herbal'
export type Tier = 'hard_stop' | 'interruptive' | 'passive'

export type Alert = {
  key: string
  type: string
  about: string[]
  severity: 'moderate' | 'major' | 'contraindicated'
  tier: Tier
  text: Text
  remedy: Text
  evidence: string[]
}
export type OverrideReason =
  | 'benefit_outweighs'
  | 'tolerated_before'
  | 'specialist_plan'
  | 'dose_adjusted'
  | 'will_monitor'
  | 'data_wrong'
  | 'asked_patient'
export type Override = { alert: string; reason_code: OverrideReason; text: string }
export type RxCheck = {
  decision: 'clean' | 'info' | 'override' | 'block'
  state: 'done' | 'failed'
  knowledge: string
  alerts: Alert[]
  reasons: Reason[]
  not_curated?: string[]
}
export type Prescription = {
  id: string
  no: string
  version: number
  state: RxState
  type: RxType
  person: Pick<Person, 'id' | 'name' | 'sex' | 'age'>
  doctor: { id: string; name: string; title: string }
  institution: Place
  visit_id: string
  diagnosis: string[]
  items: RxItem[]
  check: RxCheck
  overrides: Override[]
  sha256: string
  canonical: string
  signed_at?: string
  valid_until?: string
  /** On how many days it may be claimed, the day of signing counted. */
  valid_days?: number
  review?: {
    result: 'pass' | 'return' | 'refuse'
    reason_code?: string
    note?: string
    pharmacist?: string
    at: string
  }
  evidence_code?: string
  qr_url?: string
  days_reason?: string
  seconds: Second[]
  parts: RxPart[]
  plan_confirmed_at?: string
  /** Times at which the reader is reminded. */
  reminders?: string[]
}
/** What the checks were told of the patient; what nobody stated is missing. */
export type RxPicture = {
  allergies: { name: Text; severity?: string; reaction?: string }[]
  medicines: { name: Text; daily?: string; left: number }[]
  conditions: string[]
  weight_kg?: string
  creatinine_umol_l?: string
  creatinine_days?: number
  pregnancy?: 'yes' | 'no' | 'unknown'
  lactation?: 'yes' | 'no' | 'unknown'
  unlisted: string[]
}
/** A prescription in the pharmacist's queue, with its clock. */
export type RxWaiting = Prescription & {
  waiting_s: number
  risk: 'usual' | 'raised' | 'high'
  due_at: string
  step: 0 | 1 | 2
  picture: RxPicture
}
export type ReviewLimits = {
  institution_id: string
  institution: string
  day_minutes: number
  night_minutes: number
  pharmacists: { id: string; name: string; title: string; step: 0 | 1 | 2 }[]
}
export type Second = { alert: string; asked_at: string; by?: string; agrees?: boolean; reason?: string }
export type RxCheckIn = {
  part: number
  new_symptoms: boolean
  new_medicines: boolean
  pregnant: boolean
  side_effects: boolean
  systolic?: number
}
export type RxPart = {
  paused_at?: string
  answers?: RxCheckIn
  id: string
  part: number
  not_before: string
  not_after: string
  state: 'waiting' | 'ready' | 'claimed' | 'dispensed' | 'void' | 'paused' | 'expired'
  pharmacy?: string
  coded: boolean
  checked_in_at?: string
  lines: { line: number; days: number; remain: number }[]
  recalls?: { lot: string; reason: string }[]
}
export type ClaimCode = { code: string; png: string; part: number }
export type Channel = 'walk_in' | 'online_retail' | 'hospital_pickup'
export type Claim = {
  part_id: string
  no: string
  part: number
  state: 'claimed' | 'dispensed' | 'ready'
  lease_until: string
  patient: string
  sex: 'M' | 'F'
  age: number
  diagnosis: string[]
  doctor: string
  hospital: string
  evidence_code: string
  lines: (RxItem & { remain: number })[]
}
export type PublicPharmacy = {
  id: string
  name: string
  address: string
  phone: string
  licence_no: string
  channels: Channel[]
  licence_until: string
  checked_on?: string
  recheck_by?: string
  claims_until?: string
}
export type Pharmacy = PublicPharmacy & {
  region: string
  business_scope: string
  pharmacist: string
  documents: { name: string; number: string; until: string; sha256?: string }[]
  state: 'applied' | 'approved' | 'due' | 'unchecked' | 'refused' | 'suspended' | 'expired'
  applied_by: string
  first_by?: string
  second_by?: string
  note: string
}
/** A local document that permits long prescriptions of more than 84 days. */
export type LongDocument = {
  id: string
  institution_id: string
  institution: string
  title: string
  number: string
  issuer: string
  max_days: number
  valid_from: string
  valid_until: string
  state: 'filed' | 'waiting' | 'valid' | 'expired' | 'withdrawn'
  filed_by: string
  approved_by?: string
}
export type RxQuality = {
  prescriptions: number
  interrupting: number
  overridden: number
  seconded: number
  reasons: { code: OverrideReason; n: number }[]
  reviewed: number
  review_median_s: number
  review_p95_s: number
  returns: { code: ReviewReason; n: number }[]
  suspicious: {
    no: string
    doctor: string
    signed_at: string
    seconds: number
    instant: boolean
    same: boolean
    copied: boolean
    unproven: boolean
  }[]
}
export type NewPrescription = {
  type: RxType
  diagnosis: string[]
  items: RxItem[]
  days_reason?: string
  valid_days?: number
}
export type ReviewReason =
  | 'diagnosis'
  | 'dose'
  | 'interaction'
  | 'allergy'
  | 'contraindication'
  | 'duplicate'
  | 'quantity'
  | 'incomplete'
  | 'other'
export type Review = {
  legality: boolean
  form: boolean
  suitability: boolean
  result: 'pass' | 'return' | 'refuse'
  reason_code?: ReviewReason
  note?: string
  passphrase: string
}

export type Proof = {
  faults: string[]
  notes: string[]
  file?: { format: string; envelope: string; seal: string; times: unknown[] }
}

export type VerifyKey = {
  key_id: string
  use?: string
  alg: string
  public_key: string
  holder: string
  institution: string
  from: string
  to: string
  revoked_at?: string
}
export type ProofAnswer = {
  result: VerifyAnswer['result']
  evidence_code?: string
  faults: string[]
  notes: string[]
}
export type VerifyAnswer = {
  result: 'genuine' | 'forged' | 'used' | 'revoked' | 'expired' | 'unknown_key'
  institution?: string
  issued_on?: string
}
