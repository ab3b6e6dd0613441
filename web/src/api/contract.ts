// Holds the pages' documents against the server's own description (schema.d.ts, made by `npm run api`): a field that the
// server does not know stops the build.
import type { components } from './schema'
import type * as booking from './types/booking'
import type * as common from './types/common'
import type * as identity from './types/identity'
import type * as ops from './types/ops'
import type * as policy from './types/policy'
import type * as prescribe from './types/prescribe'
import type * as schedule from './types/schedule'
import type * as teleconsult from './types/teleconsult'
import type * as visit from './types/visit'

type S = components['schemas']

/** Fields of `Ours` that the server does not have; never when it has them all. */
type Strange<Ours, Theirs> = Exclude<keyof Ours, keyof Theirs>
type Known<Ours, Theirs> = [Strange<Ours, Theirs>] extends [never] ? true : Strange<Ours, Theirs>
/** What we send has every field that the server insists on, in its type. */
type Sendable<Ours, Theirs> = Ours extends Omit<Theirs, '$schema'> ? true : false

/** Read: every field stands in the server's answer. */
export type Read = [
  Known<identity.Me, S['IdentityMe']>,
  Known<identity.Person, S['IdentityPerson']>,
  Known<common.Institution, S['ConsultInstitutionCard']>,
  Known<common.Condition, S['ConsultFollowUpCondition']>,
  Known<booking.Evidence, S['ConsultEvidence']>,
  Known<booking.EvidenceCase, S['ConsultQueuedEvidence']>,
  Known<booking.Decision, S['ConsultDecision']>,
  Known<booking.Way, S['ConsultWay']>,
  Known<booking.DecisionRecord, S['ConsultDecisionRecord']>,
  Known<booking.DecisionRow, S['ConsultListedDecision']>,
  Known<booking.HumanReview, S['ConsultReview']>,
  Known<policy.Policy, S['ConsultPolicy']>,
  Known<policy.ListedDoctor, S['ConsultListedDoctor']>,
  Known<policy.PolicyFile, S['ConsultPolicyFile']>,
  Known<policy.RuleTrial, S['ConsultRuleTrial']>,
  Known<policy.Simulated, S['EligibilitySimulated']>,
  Known<policy.Rule, S['EligibilityRule']>,
  Known<schedule.Slot, S['ConsultSlot']>,
  Known<schedule.DoctorRow, S['ConsultDoctorOffer']>,
  Known<visit.Visit, S['ConsultQueuedVisit']>,
  Known<visit.Queue, S['ConsultQueue']>,
  Known<visit.Chart, S['ConsultChart']>,
  Known<visit.VisitRecord, S['ConsultRecord']>,
  Known<visit.Ticket, S['ConsultTicket']>,
  Known<visit.RoomLink, S['ConsultLink']>,
  Known<visit.Seated, S['ConsultSeated']>,
  Known<visit.Companion, S['ConsultCompanion']>,
  Known<visit.VisitMessage, S['ConsultMessage']>,
  Known<visit.VisitRecording, S['ConsultRecording']>,
  Known<visit.VisitRecording['takes'][number], S['ConsultTake']>,
  Known<visit.RecordingRules, S['ConsultRecordingRules']>,
  Known<visit.EndingRecording, S['ConsultEndingRecording']>,
  Known<ops.NetworkCheck, S['AppNetworkCheck']>,
  Known<ops.CallQuality, S['ConsultCallQuality']>,
  Known<ops.Calls['hours'][number], S['ConsultCallHour']>,
  Known<ops.Calls['worst'][number], S['ConsultBadCall']>,
  Known<teleconsult.Teleconsult, S['ConsultTeleconsult']>,
  Known<teleconsult.Countersign, S['ConsultCountersign']>,
  Known<teleconsult.CountersignMatter, S['ConsultCountersignMatter']>,
  Known<teleconsult.CountersignRule, S['ConsultCountersignRule']>,
  Known<teleconsult.CriticalValue, S['ConsultCriticalValue']>,
  Known<teleconsult.TeleconsultStep, S['ConsultStep']>,
  Known<teleconsult.KeptPackage, S['ConsultKeptPackage']>,
  Known<teleconsult.Phrases, S['ConsultPhrases']>,
  Known<teleconsult.Agreement, S['ConsultAgreement']>,
  Known<teleconsult.StudyRow, S['ImagingStudy']>,
  Known<prescribe.FormularyRow, S['PrescribeFormularyRow']>,
  Known<prescribe.RxItem, S['PrescribeItem']>,
  Known<prescribe.RxCheck, S['PrescribeChecked']>,
  Known<prescribe.Proof, S['PrescribeProof']>,
  Known<prescribe.VerifyKey, S['QrKey']>,
  Known<identity.Certificate, S['KeysCertificate']>,
  Known<identity.CertificateHouse, S['KeysHouse']>,
  Known<prescribe.Alert, S['CheckAlert']>,
  Known<schedule.Filing, S['ConsultFiling']>,
  Known<schedule.Registration, S['ConsultRegistration']>,
  Known<schedule.Template, S['ConsultTemplate']>,
  Known<schedule.RosterView, S['ConsultRosterView']>,
  Known<schedule.RosterSession, S['ConsultRosterSession']>,
  Known<schedule.PublishedSession, S['ConsultPublishedSession']>,
  Known<schedule.Cleared, S['ConsultCleared']>,
  Known<schedule.ClearedVisit, S['ConsultClearedVisit']>,
  Known<schedule.RosterImport, S['ConsultImport']>,
  Known<schedule.Held, S['ConsultHeld']>,
  Known<schedule.WaitEntry, S['ConsultWaitEntry']>,
  Known<schedule.Numbers, S['ConsultNumbers']>,
  Known<schedule.Candidate, S['ConsultCandidate']>,
  Known<schedule.MeetingFinding, S['ConsultMeetingFinding']>,
  Known<prescribe.Favourite, S['PrescribeFavourite']>,
  Known<prescribe.Prescription, S['PrescribePrescription']>,
  Known<prescribe.RxWaiting, S['PrescribeWaiting']>,
  Known<prescribe.ReviewLimits, S['PrescribeLimits']>,
]

/** Sent: the server takes it as it is. */
export type Send = [
  Sendable<visit.NewVisit, S['BookInBody']>,
  Sendable<booking.EligibilityAsk, S['AskInBody']>,
  Sendable<identity.NewPerson, S['IdentityNewPerson']>,
  Sendable<visit.DeviceReport, S['ConsultLineTest']>,
  Sendable<prescribe.NewPrescription, S['PrescribeOrder']>,
  Sendable<prescribe.Override, S['PrescribeOverride']>,
  Sendable<schedule.NewFiling, S['ConsultNewFiling']>,
  Sendable<schedule.NewTemplate, S['ConsultNewTemplate']>,
  Sendable<schedule.NewWait, S['ConsultNewWait']>,
  Sendable<teleconsult.NewTeleconsult, S['ConsultNewTeleconsult']>,
  Sendable<teleconsult.NewAgreement, S['ConsultNewAgreement']>,
  Sendable<policy.PolicyTerms, S['EligibilityPolicy']>,
]

type All<Checks extends readonly unknown[]> = Exclude<Checks[number], true>
const agreed: [All<Read>, All<Send>] extends [never, never] ? true : [All<Read>, All<Send>] = true
export default agreed
