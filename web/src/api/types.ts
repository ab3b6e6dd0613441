// The documents of /api/v1 as the pages read them. Field names are the server's.
import type { Phrase } from '../i18n/i18n'

export type Text = Phrase
export type Place = { id: string; name: string }
export type Role = 'patient' | 'doctor' | 'pharmacist' | 'coordinator' | 'administrator' | 'regulator'

export type Me = {
  account_id: string
  name: string
  kind: 'patient' | 'staff'
  phone_masked?: string
  practitioner_id?: string
  title?: string
  roles: { role: Role; place: Place }[]
  persons: Person[]
  session_expires: string
}

export type Relation = 'self' | 'child' | 'parent' | 'spouse' | 'other'

export type Person = {
  id: string
  name: string
  relation: Relation
  sex: 'M' | 'F'
  birth_date: string
  age: number
  id_masked: string
  realname_level: number
  guardian_verified: boolean
}

export type NewPerson = { relation: Relation; name: string; id_type: '01'; id_no: string; region?: string }

export type Condition = { icd10: string; name: Text; department: string; online: boolean }
export type Institution = {
  id: string
  name: string
  kind: string
  region: string
  address: string
  phone: string
  departments: string[]
}
export type Coded = { icd10: string; name: string }
export type CodeRow = { code: string; name: Text }

export type DocType = '门诊病历' | '住院病历' | '出院小结' | '诊断证明' | '检查报告'

export type Evidence = {
  id: string
  person_id: string
  icd10: string
  dx_date: string
  source: string
  institution_name: string
  doc_type: string
  verify: 'pending' | 'verified' | 'rejected' | 'self_declared'
  verified_at?: string
  note?: string
  file_name?: string
  content_type: string
  size: number
  /** Where it was found; only an upload has a file. */
  origin: 'upload' | 'hospital_record' | 'visit_record'
  /** Who signed it there. */
  doctor?: string
}
export type TakenIn = { taken: number; known: number; withdrawn: number; people: number }
export type EvidenceCase = Evidence & { person: Pick<Person, 'id' | 'name' | 'sex' | 'age'>; waiting_s: number }

export type Verdict = 'ALLOW' | 'ALLOW_COND' | 'REQUIRE' | 'REDIRECT_OFFLINE' | 'DENY' | 'EMERGENCY'
export type Reason = { rule: string; outcome: Verdict; message: Text; remedy: Text; citation: string }
export type Way = {
  kind: 'offline_site' | 'upload' | 'human_review' | 'emergency' | 'other_doctor'
  title: Text
  detail: Text
  phone?: string
  address?: string
}
export type Decision = {
  id: string
  stage: string
  verdict: Verdict
  reasons: Reason[]
  ways: Way[]
  /** What would change the answer: with all these changes the rules would say `then`. */
  prospect?: { changes: { rule: string; do: Text }[]; then: Verdict }
  rule_set: string
  facts_sha256: string
  at: string
}
export type DecisionRecord = Decision & {
  facts?: unknown
  institution?: string
  doctor?: string
  visit_id?: string
  rules_sha256: string
  policies: { ref: string; status: string; sha256: string }[]
  key_id: string
  finding: {
    signature: boolean
    facts: boolean
    rules: boolean
    policies: boolean
    verdict: boolean
    problems: string[]
  }
}
export type DecisionRow = {
  id: string
  at: string
  stage: string
  verdict: Verdict
  rules: string[]
  institution: string
  department: string
  icd10: string
}

export type HumanReview = {
  id: string
  decision_id: string
  verdict: Verdict
  rules: string[]
  name: string
  note: string
  asked_at: string
  due_at: string
  result?: 'upheld' | 'corrected'
  answer?: string
  answered_by?: string
  answered_at?: string
}

export type PolicyState =
  | 'draft'
  | 'simulated'
  | 'approved'
  | 'active'
  | 'suspended'
  | 'revoked'
  | 'rejected'
  | 'expired'
export type Predicate = {
  institutions?: string[]
  institution_provinces?: string[]
  departments?: string[]
  icd10_cats?: string[]
  age_lt?: number
  special_groups?: string[]
  schemes?: string[]
  regions?: string[]
  scenarios?: string[]
}
export type PolicyTerms = {
  id: string
  version: number
  title: string
  authority: { level: string; name: string; doc_no: string; doc_sha256?: string; disease_only?: boolean }
  effective_from: string
  effective_to: string
  predicate: Predicate
  physician: { min_title: number; min_years: number; min_online_years: number; whitelist: boolean }
  guardian_under: number
  max_severity: string
  rx_scope: string
  /** ATC codes of a symptomatic or listed scope. */
  drugs?: string[]
  /** Ids of the doctors on its whitelist. */
  doctors?: string[]
}
export type ListedDoctor = {
  id: string
  name: string
  title: string
  title_rank: number
  years: number
  online_years: number
  here: boolean
}
export type PolicyFile = { sha256: string; file_name: string; content_type: string; size: number; kept_at: string }
export type Shift = { key: string; passes: number; fails: number }
export type Simulated = {
  judged: number
  unusable: number
  same: number
  passes: number
  fails: number
  other: number
  diseases: Shift[]
  counties: Shift[]
  doctors: Shift[]
  examples: {
    decision: string
    disease: string
    county: string
    age: number
    kind: string
    before: { verdict: Verdict; reasons: string[] }
    after: { verdict: Verdict; reasons: string[] }
  }[]
}
export type Policy = {
  id: string
  state: PolicyState
  ref: string
  terms: PolicyTerms
  sha256: string
  institution?: string
  drafted_by: string
  drafted_at: string
  mine: boolean
  lacks: Text[]
  file?: PolicyFile
  doctors: ListedDoctor[]
  approvals: { name: string; at: string; mine: boolean }[]
  simulation?: {
    at: string
    by: string
    days: number
    rule_set: string
    took_ms: number
    result: Simulated
    doctors: Record<string, string>
  }
  events: { deed: string; state: PolicyState; name: string; reason?: string; at: string }[]
}
export type Rule = {
  id: string
  citation: string
  confidence: string
  jurisdiction: string
  in_force: { from: string; until?: string }
  phase: number
  applies_to: { stages: string[]; kinds?: string[] }
  condition: string
  outcome: Verdict
  message: Text
  remedy: Text
  pack: string
  cases: { story: string; fires: boolean }[]
}
/** A simulation of a draft rule pack. */
export type RuleTrial = NonNullable<Policy['simulation']> & { pack: string; sha256: string }
export type RuleBook = { version: string; sha256: string; rules: Rule[] }

export type VisitKind = 'follow_up' | 'first_visit' | 'health_consult'
export type Severity = 'mild' | 'moderate' | 'severe'
export type Consents = { internet_care: boolean; sensitive_pi: boolean }

export type EligibilityAsk = {
  person_id: string
  kind: VisitKind
  department: string
  icd10: string
  red_flags: string[]
  severity: Severity
  intends_rx: boolean
  practitioner_id?: string
  slot_id?: string
  consents: Consents
}

export type Slot = {
  id: string
  start: string
  end: string
  institution: Place
  department: string
  fee_fen: number
  mode?: 'online' | 'on_site'
  zone?: string
}
export type DoctorRow = {
  practitioner_id: string
  name: string
  title: string
  institution: Place
  department: string
  fee_fen: number
  earliest?: Slot
}

export type VisitState =
  | 'booked'
  | 'checked_in'
  | 'in_consult'
  | 'interrupted'
  | 'concluded'
  | 'terminated_offline'
  | 'no_show'
  | 'cancelled'
  | 'emergency'

export type Visit = {
  id: string
  state: VisitState
  kind: VisitKind
  person: Pick<Person, 'id' | 'name' | 'sex' | 'age'>
  doctor: { id: string; name: string; title: string }
  institution: Place
  /** Of the institution. */
  phone: string
  department: string
  start: string
  end: string
  fee_fen: number
  icd10: string
  complaint: string
  decision?: Decision
  line?: { ahead: number; minutes_low: number; minutes_high: number }
  prescriptions: { id: string; state: RxState }[]
  record_signed: boolean
  room_locked: boolean
  /** Seen in person instead, because a recording was refused. */
  recording_refused: boolean
  version: number
  waiting_s?: number
  slot_id?: string
  zone?: string
  token?: number
  called?: boolean
  overbooked?: boolean
  delay_min?: number
  moved_from?: string
  moved_reason?: string
  cancelled_by?: string
  refund_due?: boolean
}

export type NewVisit = {
  person_id: string
  slot_id: string
  kind: VisitKind
  icd10: string
  complaint: string
  red_flags: string[]
  severity: Severity
  intends_rx: boolean
  consents: Consents
}

export type DeviceReport = {
  device: { microphone: boolean; camera: boolean; speaker: boolean }
  network: { rtt_ms: number; up_kbps?: number; down_kbps?: number; path: string }
}

export type Ticket = {
  url: string
  room: string
  ticket: string
  ice_servers: { urls: string | string[]; username?: string; credential?: string }[]
  seat: { name: string; role: string }
  admitted: boolean
  expires: string
}

/** A way into the room that opens once; qr is a PNG in base64. */
export type RoomLink = {
  id: string
  kind: 'companion' | 'colleague' | 'device' | 'observer'
  url: string
  qr: string
  expires: string
}
export type Seated = {
  token: string
  kind: RoomLink['kind']
  seat: string
  name: string
  role: string
  institution: string
  phone: string
  doctor: string
  expires: string
}
/** Whom an observer may watch, by role alone. */
export type Watching = {
  url: string
  ticket: string
  ice_servers: RTCIceServer[]
  seats: { seat: string; role: string }[]
  expires: string
}
/** A device that sends into the room by WHIP. */
export type Instrument = {
  id: string
  seat: string
  kind: 'ultrasound' | 'otoscope' | 'endoscope' | 'room_camera'
  name: string
  added_at: string
}
/** Shown once; qr is a PNG in base64. */
export type InstrumentPass = Instrument & { url: string; token: string; qr: string; expires: string }
export type Companion = {
  id: string
  seat: string
  name: string
  role: 'family' | 'interpreter' | 'village_doctor' | 'colleague' | 'observer'
  relation?: string
  state: 'waiting' | 'admitted' | 'removed'
  arrived_at: string
}
export type VisitMessage = {
  id: string
  seat: string
  name: string
  role: string
  at: string
  text?: string
  file?: { name: string; content_type: string; size: number }
}

export type VisitRecording = {
  id: string
  state: 'asked' | 'running' | 'refused' | 'done' | 'damaged' | 'erased'
  text: Text
  text_version: string
  required: boolean
  trouble: boolean
  started_at?: string
  ended_at?: string
  keep_until: string
  answers: { seat: string; name: string; role: string; agreed: boolean }[]
  takes: { take: number; seat: string; type: string; offset_ms: number; length_ms: number; size: number }[]
}
/** What an institution has decided about recordings. */
export type RecordingRules = { institution_id: string; institution: string; required: boolean; years: number }

/** A recording and how near its end is: kept while its time runs, agreed by one administrator, ending by two. */
export type EndingRecording = {
  id: string
  kind: 'visit' | 'teleconsult'
  institution: string
  doctor: string
  recorded_at: string
  keep_until: string
  state: 'kept' | 'due' | 'agreed' | 'ending' | 'held' | 'erased'
  mine: boolean
  first?: string
  second?: string
  held_by?: string
  held_why?: string
  parts: number
  bytes: number
  erased_at?: string
  sha256?: string
}
export type CallQuality = {
  seats: {
    seat: string
    seconds: number
    rtt_ms: number
    loss: number
    concealed: number
    freezes: number
    up_kbps: number
    down_kbps: number
    relay: number
    sound_only: number
    lowest: string
  }[]
  gaps: { seat: string; from: string; to?: string }[]
}
export type Calls = {
  since: string
  hours: {
    hour: string
    visits: number
    reports: number
    rtt_p50_ms: number
    rtt_p95_ms: number
    loss_p95: number
    concealed_p95: number
    relay: number
    tcp: number
    sound_only: number
    gaps: number
  }[]
  worst: {
    id: string
    at: string
    institution: string
    seat: string
    rtt_ms: number
    loss: number
    concealed: number
    relay: number
    sound_only: number
    gaps: number
  }[]
}

export type NetworkCheck = {
  socket: string
  seats: Pick<Ticket, 'ticket' | 'ice_servers' | 'expires'>[]
  expires: string
}

export type Queue = { visits: Visit[]; done: number; unsigned_records: number; returned_prescriptions: number }
export type Judgement = 'confirmed_followup' | 'judged_first' | 'unsuitable'

export type Chart = {
  person: Person & { weight_kg?: number; pregnancy?: string }
  allergies: { substance: string; name: Text; severity: string; reaction: string }[]
  conditions: Coded[]
  medicines: {
    ingredient: string
    name: Text
    daily_dose: string
    unit: string
    remaining_days: number
    source: string
  }[]
  observations: { kind: string; name: Text; value: number; unit: string; at: string; low?: number; high?: number }[]
  visits: {
    id: string
    state: VisitState
    start: string
    department: string
    doctor_name: string
    diagnoses: string[]
  }[]
  prescriptions: { id: string; visit_id: string; no: string; state: RxState; title: string; at: string }[]
  evidence: Evidence[]
  decisions: Decision[]
}

export type VisitRecord = {
  chief_complaint: string
  present_illness: string
  assessment: string
  plan: string
  diagnoses: Coded[]
  version: number
  signed_at?: string
  sha256?: string
  canonical?: string
  signature?: string
}

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

export type RevokeReason = 'key_compromise' | 'ended'
export type Certificate = {
  key_id: string
  seal: boolean
  holder: string
  institution_id?: string
  alg: 'SM2' | 'Ed25519'
  issuer?: string
  serial?: string
  state: 'valid' | 'ended' | 'revoked'
  from: string
  until: string
  revoked_at?: string
  revoked_reason?: '' | 'superseded' | RevokeReason
}
export type CertificateHouse = { places: { id: string; name: string }[]; certificates: Certificate[] }

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
  consent?: { method: string; signed_by: string; relation: string; at: string }
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
export type Countersign = { signed: boolean; by: string; reason?: string; sha256: string; at: string }
export type CountersignMatter = {
  id: string
  state: TeleconsultState
  since: string
  due?: string
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
export type Overdue = {
  id: string
  what: 'clock' | 'critical'
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
}

export type Change = { kind: ChangeKind; id: string }
export type ChangeKind =
  | 'visit.changed'
  | 'queue.changed'
  | 'message.added'
  | 'evidence.changed'
  | 'prescription.changed'
  | 'teleconsult.changed'
  | 'teleconsult.marked'
  | 'filing.changed'
  | 'roster.changed'
  | 'wait.changed'
  | 'policy.changed'
  | 'review.changed'

export type RegistrationKind = 'primary' | 'filed' | 'registered'

export type Filing = {
  id: string
  state: 'submitted' | 'confirmed' | 'refused' | 'withdrawn'
  doctor: Place
  title: string
  level: string
  institution: Place
  kind: RegistrationKind
  from: string
  until: string
  way_min: number
  file_name: string
  content_type: string
  note?: string
  submitted_at: string
  decided_at?: string
}

export type Registration = {
  id: string
  doctor: Place
  title: string
  institution: Place
  departments: string[]
  kind: RegistrationKind
  from: string
  until: string
  days_left: number
  way_min: number
  zone: string
}

export type NewFiling = {
  institution_id: string
  kind: RegistrationKind
  from: string
  until: string
  way_min: number
  file_name: string
  document: string
}

export type SlotMode = 'online' | 'on_site'
export type SlotPurpose = 'visit' | 'duty'

export type Template = {
  id: string
  institution: Place
  weekday: number
  begins: number
  ends: number
  minutes: number
  mode: SlotMode
  purpose: SlotPurpose
  department: string
  fee_fen: number
  /** 1: each week; 2: every other week, from that of since on. */
  every: number
  since: string
  until?: string
}
export type NewTemplate = Omit<Template, 'id' | 'institution' | 'until'> & { institution_id: string }

export type RosterSession = {
  start: string
  end: string
  busy: boolean
  institution?: Place
  department?: string
  purpose?: string
  mode?: string
  slots?: number
  booked?: number
}
export type RosterView = {
  doctor: Place
  places: Registration[]
  templates: Template[]
  exceptions: { id: string; institution: Place; day: string; reason: string }[]
  days: { day: string; kind: 'ordinary' | 'holiday' | 'workday'; name?: string }[]
  sessions: RosterSession[]
}
export type PublishedSession = {
  day: string
  template_id: string
  institution: Place
  start: string
  end: string
  outcome: 'opened' | 'already' | 'past' | 'off' | 'refused'
  slots: number
  reason?: Text
  rule?: string
  busy?: { start: string; end: string }
}
export type Published = { slots: number; sessions: PublishedSession[] }
export type ClearedVisit = {
  id: string
  person: string
  was: string
  moved_to?: Slot
  doctor?: string
  refund_due: boolean
}
export type Cleared = { slots: number; visits: ClearedVisit[]; teleconsults: number }
export type RosterImport = { rows: number; added: number; errors: { line: number; reason: Text }[] }

export type Held = { id: string; slot: Slot; until: string }
export type WaitEntry = {
  id: string
  state: 'waiting' | 'booked' | 'left'
  walk_in: boolean
  person: Pick<Person, 'id' | 'name' | 'sex' | 'age'>
  institution: Place
  doctor: { id?: string; name: string }
  department: string
  until: string
  joined_at: string
  ahead: number
  offer?: Held
  visit_id?: string
}
export type NewWait = {
  person_id: string
  institution_id: string
  practitioner_id?: string
  department: string
  walk_in: boolean
  until: string
  wish: { kind: VisitKind; icd10: string; severity: Severity; intends_rx: boolean; complaint: string }
  consents: Consents
}
export type Numbers = {
  doctor: string
  department: string
  now: number[]
  called: number[]
  waiting: number[]
  delay_min: number
}
export type Candidate = { practitioner_id: string; name: string; title: string; places: Place[] }
export type MeetingFinding = {
  times: { start: string; end: string; tight: string[] }[]
  why: { names: string[]; say: Text; without?: { start: string; end: string } }[]
}
