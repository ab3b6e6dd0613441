// What is handed in before a visit, and what is decided over it. Field names are the server's.
import type { Text } from './common'
import type { Person } from './identity'

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

export type VisitKind = 'follow_up' | 'first_visit' | 'health_consult' | 'accompanied'
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
