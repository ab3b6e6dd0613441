// A visit, its room, what is said, written and recorded in it. Field names are the server's.
import type { Consents, Decision, Evidence, Severity, VisitKind } from './booking'
import type { Coded, Place, Text } from './common'
import type { Person } from './identity'
import type { RxState } from './prescribe'

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
  /** An emergency whose room stays open for who was in it. */
  helped?: boolean
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
