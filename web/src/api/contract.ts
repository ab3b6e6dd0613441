// Holds the pages' documents against the server's own description (schema.d.ts, made by `npm run api`): a field that the
// server does not know stops the build.
import type { components } from './schema'
import type * as ours from './types'

type S = components['schemas']

/** Fields of `Ours` that the server does not have; never when it has them all. */
type Strange<Ours, Theirs> = Exclude<keyof Ours, keyof Theirs>
type Known<Ours, Theirs> = [Strange<Ours, Theirs>] extends [never] ? true : Strange<Ours, Theirs>
/** What we send has every field that the server insists on, in its type. */
type Sendable<Ours, Theirs> = Ours extends Omit<Theirs, '$schema'> ? true : false

/** Read: every field stands in the server's answer. */
export type Read = [
  Known<ours.Me, S['IdentityMe']>,
  Known<ours.Person, S['IdentityPerson']>,
  Known<ours.Institution, S['ConsultInstitutionCard']>,
  Known<ours.Condition, S['ConsultFollowUpCondition']>,
  Known<ours.Evidence, S['ConsultEvidence']>,
  Known<ours.EvidenceCase, S['ConsultQueuedEvidence']>,
  Known<ours.Decision, S['ConsultDecision']>,
  Known<ours.Way, S['ConsultWay']>,
  Known<ours.DecisionRecord, S['ConsultDecisionRecord']>,
  Known<ours.DecisionRow, S['ConsultListedDecision']>,
  Known<ours.HumanReview, S['ConsultReview']>,
  Known<ours.Policy, S['ConsultPolicy']>,
  Known<ours.ListedDoctor, S['ConsultListedDoctor']>,
  Known<ours.PolicyFile, S['ConsultPolicyFile']>,
  Known<ours.RuleTrial, S['ConsultRuleTrial']>,
  Known<ours.Simulated, S['EligibilitySimulated']>,
  Known<ours.Rule, S['EligibilityRule']>,
  Known<ours.Slot, S['ConsultSlot']>,
  Known<ours.DoctorRow, S['ConsultDoctorOffer']>,
  Known<ours.Visit, S['ConsultQueuedVisit']>,
  Known<ours.Queue, S['ConsultQueue']>,
  Known<ours.Chart, S['ConsultChart']>,
  Known<ours.VisitRecord, S['ConsultRecord']>,
  Known<ours.Ticket, S['ConsultTicket']>,
  Known<ours.RoomLink, S['ConsultLink']>,
  Known<ours.Seated, S['ConsultSeated']>,
  Known<ours.Companion, S['ConsultCompanion']>,
  Known<ours.VisitMessage, S['ConsultMessage']>,
  Known<ours.VisitRecording, S['ConsultRecording']>,
  Known<ours.VisitRecording['takes'][number], S['ConsultTake']>,
  Known<ours.RecordingRules, S['ConsultRecordingRules']>,
  Known<ours.EndingRecording, S['ConsultEndingRecording']>,
  Known<ours.NetworkCheck, S['AppNetworkCheck']>,
  Known<ours.CallQuality, S['ConsultCallQuality']>,
  Known<ours.Calls['hours'][number], S['ConsultCallHour']>,
  Known<ours.Calls['worst'][number], S['ConsultBadCall']>,
  Known<ours.Teleconsult, S['ConsultTeleconsult']>,
  Known<ours.Countersign, S['ConsultCountersign']>,
  Known<ours.CountersignMatter, S['ConsultCountersignMatter']>,
  Known<ours.CountersignRule, S['ConsultCountersignRule']>,
  Known<ours.CriticalValue, S['ConsultCriticalValue']>,
  Known<ours.TeleconsultStep, S['ConsultStep']>,
  Known<ours.KeptPackage, S['ConsultKeptPackage']>,
  Known<ours.Phrases, S['ConsultPhrases']>,
  Known<ours.Agreement, S['ConsultAgreement']>,
  Known<ours.StudyRow, S['ImagingStudy']>,
  Known<ours.FormularyRow, S['PrescribeFormularyRow']>,
  Known<ours.RxItem, S['PrescribeItem']>,
  Known<ours.RxCheck, S['PrescribeChecked']>,
  Known<ours.Proof, S['PrescribeProof']>,
  Known<ours.VerifyKey, S['QrKey']>,
  Known<ours.Certificate, S['KeysCertificate']>,
  Known<ours.CertificateHouse, S['KeysHouse']>,
  Known<ours.Alert, S['CheckAlert']>,
  Known<ours.Filing, S['ConsultFiling']>,
  Known<ours.Registration, S['ConsultRegistration']>,
  Known<ours.Template, S['ConsultTemplate']>,
  Known<ours.RosterView, S['ConsultRosterView']>,
  Known<ours.RosterSession, S['ConsultRosterSession']>,
  Known<ours.PublishedSession, S['ConsultPublishedSession']>,
  Known<ours.Cleared, S['ConsultCleared']>,
  Known<ours.ClearedVisit, S['ConsultClearedVisit']>,
  Known<ours.RosterImport, S['ConsultImport']>,
  Known<ours.Held, S['ConsultHeld']>,
  Known<ours.WaitEntry, S['ConsultWaitEntry']>,
  Known<ours.Numbers, S['ConsultNumbers']>,
  Known<ours.Candidate, S['ConsultCandidate']>,
  Known<ours.MeetingFinding, S['ConsultMeetingFinding']>,
  Known<ours.Favourite, S['PrescribeFavourite']>,
  Known<ours.Prescription, S['PrescribePrescription']>,
  Known<ours.RxWaiting, S['PrescribeWaiting']>,
  Known<ours.ReviewLimits, S['PrescribeLimits']>,
]

/** Sent: the server takes it as it is. */
export type Send = [
  Sendable<ours.NewVisit, S['BookInBody']>,
  Sendable<ours.EligibilityAsk, S['AskInBody']>,
  Sendable<ours.NewPerson, S['IdentityNewPerson']>,
  Sendable<ours.DeviceReport, S['ConsultLineTest']>,
  Sendable<ours.NewPrescription, S['PrescribeOrder']>,
  Sendable<ours.Override, S['PrescribeOverride']>,
  Sendable<ours.NewFiling, S['ConsultNewFiling']>,
  Sendable<ours.NewTemplate, S['ConsultNewTemplate']>,
  Sendable<ours.NewWait, S['ConsultNewWait']>,
  Sendable<ours.NewTeleconsult, S['ConsultNewTeleconsult']>,
  Sendable<ours.NewAgreement, S['ConsultNewAgreement']>,
  Sendable<ours.PolicyTerms, S['EligibilityPolicy']>,
]

type All<Checks extends readonly unknown[]> = Exclude<Checks[number], true>
const agreed: [All<Read>, All<Send>] extends [never, never] ? true : [All<Read>, All<Send>] = true
export default agreed
