// What several rooms speak of. Field names are the server's.
import type { Phrase } from '../../i18n/i18n'

export type Text = Phrase
export type Place = { id: string; name: string }
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
