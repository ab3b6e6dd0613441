// The disease policies, the rules they are judged by, and what a change of either would do. Field names are the server's.
import type { Verdict } from './booking'
import type { Text } from './common'

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
