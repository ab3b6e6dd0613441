package consult

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/rule"
)

// consentVersion is the version of the texts that patients agree to now; older ones don't count (CON-01).
const consentVersion = "2026-01"

// Ask is the question: may this go online, now, with this doctor?
type Ask struct {
	Person     ids.Person
	Slot       ids.Slot         // zero: the earliest open one,
	Doctor     ids.Practitioner // of this doctor if given,
	Department string           // in this department
	Kind       string
	ICD10      string
	RedFlags   []string
	Severity   string
	IntendsRx  bool

	InternetCare, SensitivePI bool // consents given together with the question

	Stage     eligibility.Stage
	Guardian  bool // a verified guardian is in the session
	Judgement *string
	Changed   bool
	account   ids.Account // whose relation to the person counts
}

// ask repeats a visit's question at a later stage.
func (v Visit) ask(stage eligibility.Stage) Ask {
	r := v.row
	return Ask{Person: r.PersonID, Slot: r.SlotID, Kind: r.Kind, Department: r.Department, ICD10: r.ICD10, Severity: r.Severity,
		IntendsRx: r.IntendsRx, Stage: stage, Guardian: r.GuardianPresent, Judgement: r.Judgement, Changed: r.ConditionChanged, account: r.AccountID}
}

// Decision is a stored answer of the eligibility check.
type Decision struct {
	ID          ids.Decision    `json:"id"`
	Stage       string          `json:"stage"`
	Verdict     rule.Outcome    `json:"verdict"`
	Reasons     []rule.Reason   `json:"reasons"`
	Ways        []Way           `json:"ways"`
	RuleSet     string          `json:"rule_set"`
	FactsSHA256 string          `json:"facts_sha256"`
	At          time.Time       `json:"at"`
	Facts       json.RawMessage `json:"facts,omitempty"`

	policies []string
}

// Way is a way out of a refusal, with the place to go to.
type Way struct {
	Kind    eligibility.WayKind `json:"kind"`
	Title   fault.Text          `json:"title"`
	Detail  fault.Text          `json:"detail"`
	Phone   string              `json:"phone,omitempty"`
	Address string              `json:"address,omitempty"`
}

// Eligibility answers a patient's question before booking and keeps the answer.
func (s *Service) Eligibility(ctx context.Context, a Ask) (d Decision, err error) {
	a.Stage = eligibility.Booking
	err = s.inTx(ctx, func(tx tx) error {
		if err := s.mayActFor(ctx, tx, a.Person); err != nil {
			return err
		}
		var slot slotRow
		if d, slot, err = s.judge(ctx, tx, a); err != nil {
			return err
		}
		return s.keep(ctx, tx, &d, a.Person, ids.Visit{}, slot.InstitutionID)
	})
	return d, err
}

// Decision reads a stored answer with the facts it rests on.
func (s *Service) Decision(ctx context.Context, id ids.Decision) (d Decision, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		row, err := selectDecision(ctx, tx, authz.ScopeFrom(ctx), id)
		if err != nil {
			return err
		}
		if d, err = row.decision(); err != nil {
			return err
		}
		d.Facts = row.Facts
		return audit.Write(ctx, tx, audit.Entry{Action: "decision.read", Object: "decision/" + id.String(), Person: row.PersonID})
	})
	return d, err
}

// JudgeForSigning asks whether a prescription may be signed in the visit now (RXE-01): the visit is
// running and the check passes with the facts of this moment. A decision that passes is kept in tx, with
// what it allows; a refusal is fault.Refused and is kept beside tx, because the caller will roll tx back.
func (s *Service) JudgeForSigning(ctx context.Context, tx tx, visit ids.Visit) (Decision, error) {
	v, err := s.find(ctx, tx, visit)
	if err != nil {
		return Decision{}, err
	}
	if v.State != InConsult && v.State != Interrupted {
		return Decision{}, movedOn(v)
	}
	d, _, err := s.judge(ctx, tx, v.ask(eligibility.Sign))
	if err != nil {
		return Decision{}, err
	}
	if d.Verdict.Passes() && v.Kind != eligibility.HealthConsult {
		return d, s.keep(ctx, tx, &d, v.Person.ID, v.ID, v.Institution.ID)
	}
	return d, cmp.Or(s.keepRefusal(ctx, v, d), notEligible(d))
}

// keepRefusal stores a decision whose deed was rolled back.
func (s *Service) keepRefusal(ctx context.Context, v Visit, d Decision) error {
	return s.inTx(ctx, func(tx tx) error { return s.keep(ctx, tx, &d, v.Person.ID, v.ID, v.Institution.ID) })
}

// judgeVisit asks about a visit and keeps the answer.
func (s *Service) judgeVisit(ctx context.Context, tx tx, v Visit, stage eligibility.Stage) (Decision, error) {
	d, slot, err := s.judge(ctx, tx, v.ask(stage))
	if err != nil {
		return Decision{}, err
	}
	return d, s.keep(ctx, tx, &d, v.Person.ID, v.ID, slot.InstitutionID)
}

// judge gathers the facts and asks the check.
func (s *Service) judge(ctx context.Context, tx tx, a Ask) (Decision, slotRow, error) {
	facts, slot, err := s.gather(ctx, tx, a)
	if err != nil {
		return Decision{}, slotRow{}, err
	}
	doc, err := json.Marshal(facts)
	if err != nil {
		return Decision{}, slotRow{}, err
	}
	answer, err := s.Rules.Decide(doc, s.Policies)
	if err != nil {
		return Decision{}, slotRow{}, err
	}
	d := Decision{ID: ids.New[ids.Decision](), Stage: a.Stage, Verdict: answer.Verdict, Reasons: answer.Reasons, RuleSet: answer.RuleSet,
		FactsSHA256: answer.FactsSHA256, At: s.Now(), Facts: doc, policies: answer.Policies}
	if d.Reasons == nil {
		d.Reasons = []rule.Reason{}
	}
	d.Ways, err = waysOut(ctx, tx, answer.Ways, facts)
	return d, slot, err
}

// keep stores the decision with its audit entry. The facts stay out of the answer.
func (s *Service) keep(ctx context.Context, tx tx, d *Decision, person ids.Person, visit ids.Visit, place ids.Institution) error {
	if err := insertDecision(ctx, tx, *d, person, visit, place); err != nil {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{Action: "decision." + d.Stage, Object: "decision/" + d.ID.String(), Person: person, Place: place, Reason: d.Verdict.String()})
}

// waysOut names the places to go to, nearest to the patient first.
func waysOut(ctx context.Context, tx tx, ways []eligibility.Way, f eligibility.Facts) ([]Way, error) {
	list := []Way{}
	for _, w := range ways {
		if w.Kind != eligibility.OfflineSite {
			list = append(list, Way{Kind: w.Kind, Title: w.Title, Detail: w.Detail})
			continue
		}
		sites, err := selectSites(ctx, tx, f.Patient.Region, f.Visit.Department)
		if err != nil {
			return nil, err
		}
		for _, site := range sites {
			name := fault.Text{ZH: "到" + site.Name + "就诊", EN: "Be seen in person at " + site.Name}
			list = append(list, Way{Kind: w.Kind, Title: name, Detail: w.Detail, Phone: site.Phone, Address: site.Address})
		}
	}
	return list, nil
}

// gather collects the facts from Postgres. The danger signs alone are enough for an answer, so that
// an emergency never waits for a free doctor.
func (s *Service) gather(ctx context.Context, tx tx, a Ask) (eligibility.Facts, slotRow, error) {
	now := s.Now()
	f := eligibility.Facts{Now: now, Stage: a.Stage, Visit: eligibility.Visit{DeclaredKind: a.Kind, Department: a.Department, Severity: a.Severity,
		Complaint: eligibility.Complaint{ICD10: a.ICD10}, RedFlags: a.RedFlags, IntendsRx: a.IntendsRx, PhysicianJudgement: a.Judgement, ConditionChanged: a.Changed}}
	if a.account.IsZero() {
		a.account = authz.SubjectFrom(ctx).Account
	}
	var err error
	if f.Patient, f.Guardian.Verified, err = patientFacts(ctx, tx, a.Person, a.account); err != nil {
		return f, slotRow{}, err
	}
	slot, err := findSlot(ctx, tx, a, now)
	if err != nil {
		return f, slotRow{}, err
	}
	if slot.ID.IsZero() {
		if len(a.RedFlags) > 0 {
			return f, slot, nil
		}
		return f, slot, fault.New(fault.Conflict, "no_open_slot", "这个科室近期没有可以约的医生。", "No doctor of this department has free times.").
			WithRemedy("请换一个科室，或过些时候再来。", "Choose another department, or come back later.")
	}
	f.Visit.Department = slot.Department
	if f.Physician, f.Institution, f.Slot.Overlap, err = slotFacts(ctx, tx, slot.ID, now); err != nil {
		return f, slot, err
	}
	if f.Institution.OnlineCatalogue, err = catalogueFacts(ctx, tx, slot.InstitutionID); err != nil {
		return f, slot, err
	}
	if f.Evidence, err = evidenceFacts(ctx, tx, a.Person); err != nil {
		return f, slot, err
	}
	var consents []string
	if !a.InternetCare || !a.SensitivePI { // not both are given together with the question
		if consents, err = selectConsents(ctx, tx, a.Person, now); err != nil {
			return f, slot, err
		}
	}
	f.Consent.InternetCare.Valid = a.InternetCare || slices.Contains(consents, "internet_care")
	f.Consent.SensitivePI.Valid = a.SensitivePI || slices.Contains(consents, "sensitive_pi")
	f.Region.ActiveScenarios, err = selectScenarios(ctx, tx, slot.InstitutionID, now)
	f.Guardian.Present = f.Guardian.Verified && a.Guardian
	f.Physician.Session.RealnameVerified = authz.SubjectFrom(ctx).Practitioner == slot.PractitionerID && authz.SubjectFrom(ctx).SecondFactor
	return f, slot, err
}
