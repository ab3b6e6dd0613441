// Doctors’ times: where they are registered, what they plan, who waits for one. Field names are the server's.
import type { Consents, Severity, VisitKind } from './booking'
import type { Place, Text } from './common'
import type { Person } from './identity'

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
