package consult

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
	Prospect    *Prospect       `json:"prospect,omitempty" doc:"What would change the answer"`
	RuleSet     string          `json:"rule_set"`
	FactsSHA256 string          `json:"facts_sha256"`
	At          time.Time       `json:"at"`
	Facts       json.RawMessage `json:"facts,omitempty"`

	answer eligibility.Decision
	doctor ids.Practitioner
}

// Prospect is what would change the answer: with all these changes the check would say Then.
type Prospect struct {
	Changes []eligibility.Change `json:"changes"`
	Then    rule.Outcome         `json:"then"`
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

// DecisionRecord is a stored answer with all it rests on, and what a check of it has shown just now.
type DecisionRecord struct {
	Decision
	Institution string      `json:"institution,omitempty"`
	Doctor      string      `json:"doctor,omitempty"`
	VisitID     ids.Visit   `json:"visit_id,omitzero"`
	RulesSHA256 string      `json:"rules_sha256"`
	Policies    []PolicyRef `json:"policies" doc:"Every policy that was known, in order of precedence"`
	KeyID       string      `json:"key_id"`
	Finding     Finding     `json:"finding"`
	dossier     eligibility.Dossier
}

// PolicyRef names a policy as the decision found it.
type PolicyRef struct {
	Ref    string `json:"ref"`
	Status string `json:"status"`
	SHA256 string `json:"sha256"`
}

// Finding is what the check of a dossier has shown; what could not be checked is false.
type Finding struct {
	Signature bool     `json:"signature"`
	Facts     bool     `json:"facts"`
	Rules     bool     `json:"rules"`
	Policies  bool     `json:"policies"`
	Verdict   bool     `json:"verdict" doc:"Judged again: the same verdict, the same reasons in the same order"`
	Problems  []string `json:"problems"`
}

// Decision reads a stored answer with all it rests on, proves it and judges again.
func (s *Service) Decision(ctx context.Context, id ids.Decision) (r DecisionRecord, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		row, err := selectDecision(ctx, tx, authz.ScopeFrom(ctx), id)
		if err != nil {
			return err
		}
		if r, err = s.record(ctx, tx, row); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "decision.read", Object: "decision/" + id.String(), Person: row.PersonID})
	})
	if err == nil {
		f := r.dossier.Check(s.Rules)
		r.Finding = Finding{f.Signature, f.Facts, f.Rules, f.Policies, f.Verdict, f.Problems}
	}
	return r, err
}

// Dossier is the decision as a file that `yuanzhen eligibility verify` proves without asking anybody.
func (s *Service) Dossier(ctx context.Context, id ids.Decision) (eligibility.Dossier, error) {
	r, err := s.Decision(ctx, id)
	if err == nil && r.KeyID == "" {
		err = fault.New(fault.Gone, "decision_unsigned", "这份判定早于签名功能，不能导出。", "This decision is older than signing; it can't be exported.").
			WithRemedy("请在页面上查看。", "Please read it on screen.")
	}
	return r.dossier, err
}

// record puts a stored decision and what it rests on together.
func (s *Service) record(ctx context.Context, tx tx, row storedDecision) (r DecisionRecord, err error) {
	if r.Decision, err = row.decision(); err != nil {
		return r, err
	}
	r.Facts, r.Institution, r.Doctor, r.VisitID = row.Facts, row.Institution, row.Doctor, row.VisitID
	r.KeyID, r.RulesSHA256, r.Policies = row.KeyID, row.RulesSHA256, []PolicyRef{}
	if row.KeyID == "" {
		return r, nil
	}
	r.dossier = eligibility.Dossier{Ruling: row.Ruling, Facts: row.Facts, Policies: []json.RawMessage{},
		Signature: eligibility.Signature{KeyID: row.KeyID, Alg: "Ed25519", Sig: row.Signature, PublicKey: row.PublicKey}}
	if err := json.Unmarshal(row.Packs, &r.dossier.Rules); err != nil {
		return r, err
	}
	var ruling eligibility.Ruling
	if err := json.Unmarshal(row.Ruling, &ruling); err != nil {
		return r, err
	}
	hashes := []string{}
	for _, p := range ruling.Policies {
		r.Policies, hashes = append(r.Policies, PolicyRef(p)), append(hashes, p.SHA256)
	}
	r.dossier.Policies, err = selectPolicyDocuments(ctx, tx, hashes)
	return r, err
}

// DecisionKeys lists every key that decisions were signed with, so that old ones still verify.
func (s *Service) DecisionKeys(ctx context.Context) (list []DecisionKey, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectDecisionKeys(ctx, tx)
		return err
	})
	return list, err
}

// CheckFacts judges a document that concerns nobody here. policies are files, as text in a JSON string or as an object; nil
// means those that the house knows now. Nothing is kept.
func (s *Service) CheckFacts(ctx context.Context, facts []byte, policies []json.RawMessage) (eligibility.Decision, error) {
	var known eligibility.Policies
	if policies == nil {
		if err := s.inTx(ctx, func(tx tx) (err error) {
			known, err = s.policies(ctx, tx)
			return err
		}); err != nil {
			return eligibility.Decision{}, err
		}
	} else {
		known = eligibility.PoliciesOf(policies)
	}
	d, err := s.Rules.Judge(facts, known)
	if err != nil && fault.KindOf(err) == fault.Internal {
		err = fault.New(fault.Invalid, "check_unusable", "资料或政策不能使用："+err.Error(), "Facts or policies can't be used: "+err.Error()).
			WithRemedy("请改正后再试。", "Please correct them and try again.")
	}
	return d, err
}

// ListedDecision is a decision as the regulator's list shows it: no name, no facts.
type ListedDecision struct {
	ID          ids.Decision `json:"id"`
	At          time.Time    `json:"at"`
	Stage       string       `json:"stage"`
	Verdict     string       `json:"verdict"`
	Rules       []string     `json:"rules" doc:"That fired, in order"`
	Institution string       `json:"institution"`
	Department  string       `json:"department"`
	ICD10       string       `json:"icd10" db:"icd10"`
}

// DecisionFilter narrows the list; zero members don't.
type DecisionFilter struct {
	Verdict string
	Rule    string
	Before  time.Time
}

// Decisions lists what was decided within the scope, the newest first.
func (s *Service) Decisions(ctx context.Context, f DecisionFilter) (list []ListedDecision, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = listDecisions(ctx, tx, authz.ScopeFrom(ctx), f); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "decision.read", Object: "decision", Reason: "list"})
	})
	return list, err
}

// Drug is one line of a prescription as a policy's scope is asked about it.
type Drug struct {
	Name        fault.Text
	Ingredients []string // ATC code of each active part; "" where a part has none
}

// JudgeForSigning asks whether a prescription of these drugs may be signed in the visit now (RXE-01, EXC-06): the visit is
// running, the check passes with the facts of this moment, and the policy that gives leave covers each drug. A decision that
// passes is kept in tx, with what it allows; the error of one that does not is a Refusal, which the caller keeps after it has rolled tx
// back.
func (s *Service) JudgeForSigning(ctx context.Context, tx tx, visit ids.Visit, drugs []Drug) (Decision, error) {
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
	if d.Verdict.Passes() {
		if refused := outsideScope(d.answer.Policy(), drugs); refused != nil {
			beside := audit.Entry{Action: "decision.rx_scope", Object: "visit/" + visit.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: refused.Code}
			return d, &Refusal{refused, func(ctx context.Context) error { return s.keepRefusal(ctx, v, d, beside) }}
		}
	}
	if d.Verdict.Passes() && v.Kind != eligibility.HealthConsult {
		return d, s.keep(ctx, tx, &d, v.Person.ID, v.ID, v.Institution.ID)
	}
	return d, &Refusal{notEligible(d), func(ctx context.Context) error { return s.keepRefusal(ctx, v, d) }}
}

// Refusal is a judgement against a deed whose transaction is the caller's. What was decided outlasts the deed: Keep stores it
// when the transaction has ended, for a second one beside it could wait for a connection that the first one holds.
type Refusal struct {
	error
	Keep func(context.Context) error
}

// Unwrap gives what the person is told.
func (r *Refusal) Unwrap() error { return r.error }

// outsideScope says which drug the policy does not let a doctor prescribe, nil if it lets all. What can't be told is not let.
func outsideScope(p *eligibility.Policy, drugs []Drug) *fault.Error {
	if p == nil {
		return nil
	}
	if p.RxScope == "none" {
		return fault.New(fault.Refused, "policy_without_rx", "这次首诊所依据的政策不允许开处方（"+p.Name()+"）。",
			"The policy that this first visit rests on allows no prescription ("+p.Name()+").").
			WithRemedy("请写明建议；需要用药请患者到医院。", "Write your advice; for medicine the patient has to come in person.")
	}
	scope := fault.Text{ZH: "药品清单", EN: "list of drugs"}
	if p.RxScope == "symptomatic" {
		scope = fault.Text{ZH: "对症药", EN: "symptomatic drugs"}
	}
	for _, drug := range drugs {
		switch about := map[string]string{"drug": drug.Name.ZH, "policy": p.Ref(), "scope": p.RxScope}; p.Covers(drug.Ingredients) {
		case eligibility.Outside:
			return fault.New(fault.Refused, "drug_outside_policy", drug.Name.ZH+"不在首诊政策 "+p.Name()+" 允许的"+scope.ZH+"内，不能开。",
				drug.Name.EN+" is not among the "+scope.EN+" of policy "+p.Name()+" and can't be prescribed.").
				WithRemedy("请换用政策允许的药，或去掉这一项；需要这种药请患者到医院。", "Choose a drug that the policy allows, or take it out; for this one the patient has to come in person.").With(about)
		case eligibility.Unchecked:
			return fault.New(fault.Refused, "drug_not_checked", drug.Name.ZH+"是否属于首诊政策 "+p.Name()+" 允许的"+scope.ZH+"，无法核对，不能开。",
				"Whether "+drug.Name.EN+" is among the "+scope.EN+" of policy "+p.Name()+" can't be checked, so it can't be prescribed.").
				WithRemedy("请换用有 ATC 编码且在政策清单里的药，或去掉这一项。", "Choose a drug with an ATC code that the policy lists, or take it out.").With(about)
		}
	}
	return nil
}

// keepRefusal stores a decision whose deed was rolled back.
func (s *Service) keepRefusal(ctx context.Context, v Visit, d Decision, why ...audit.Entry) error {
	return s.inTx(ctx, func(tx tx) error { return s.keep(ctx, tx, &d, v.Person.ID, v.ID, v.Institution.ID, why...) })
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
	facts, slot, known, err := s.gather(ctx, tx, a)
	if err != nil {
		return Decision{}, slotRow{}, err
	}
	answer, doc, err := s.answer(ctx, tx, facts, known, slot.PractitionerID)
	if err != nil {
		return Decision{}, slotRow{}, err
	}
	d := Decision{ID: ids.New[ids.Decision](), Stage: a.Stage, Verdict: answer.Verdict, Reasons: answer.Reasons, RuleSet: answer.RuleSet,
		FactsSHA256: answer.FactsSHA256, At: s.Now(), Facts: doc, Prospect: (*Prospect)(answer.Prospect), answer: answer, doctor: slot.PractitionerID}
	if d.Reasons == nil {
		d.Reasons = []rule.Reason{}
	}
	d.Ways, err = waysOut(ctx, tx, answer.Ways, facts)
	return d, slot, err
}

// answer asks the check under the policies as they are known, which also say on whose whitelist the doctor stands. A policy that
// gives leave is held until the deed is committed, so that its suspension either comes first or finds the visit that rests on it.
// doc is what was judged.
func (s *Service) answer(ctx context.Context, tx tx, f eligibility.Facts, known []knownPolicy, doctor ids.Practitioner) (d eligibility.Decision, doc []byte, err error) {
	for {
		policies, err := s.parsed(ctx, tx, known)
		if err != nil {
			return d, nil, err
		}
		if !doctor.IsZero() {
			f.Physician.Whitelists = policies.Listing(doctor.String())
		}
		if doc, err = json.Marshal(f); err != nil {
			return d, nil, err
		}
		if d, err = s.Rules.Judge(doc, policies); err != nil {
			return d, nil, err
		}
		leave, found := leaveOf(d.Reasons)
		if !found {
			return d, doc, nil
		}
		if held, err := holdPolicy(ctx, tx, leave); err != nil || held {
			return d, doc, err
		}
		if known, err = selectKnownPolicies(ctx, tx); err != nil { // it has changed since: judge anew
			return d, nil, err
		}
	}
}

// leaveOf finds the policy that gives leave: FX-PILOT@1 of EXC-05:FX-PILOT@1.
func leaveOf(reasons []rule.Reason) (ref string, found bool) {
	for _, r := range reasons {
		if ref, found = strings.CutPrefix(r.Rule, "EXC-05:"); found {
			return ref, true
		}
	}
	return "", false
}

// KeepLaw stores the rule set and the public key of decisions, by which they can be proved later. It comes
// before the first decision. A local rule pack comes into force only if these very files were simulated.
func (s *Service) KeepLaw(ctx context.Context) error {
	return s.inTx(ctx, func(tx tx) error {
		if err := simulated(ctx, tx, s.Rules); err != nil {
			return err
		}
		if err := putRuleSet(ctx, tx, s.Rules, s.Now()); err != nil {
			return err
		}
		return putDecisionKey(ctx, tx, s.Signer.Public().(ed25519.PublicKey), s.Now())
	})
}

// keep stores the decision, signed, with its audit entry and those of the deeds it goes with. The facts stay out of the answer.
func (s *Service) keep(ctx context.Context, tx tx, d *Decision, person ids.Person, visit ids.Visit, place ids.Institution, deeds ...audit.Entry) error {
	b := &pgx.Batch{}
	if err := s.keepIn(ctx, b, d, person, visit, place, deeds...); err != nil {
		return err
	}
	return send(ctx, tx, b)
}

// keepIn is keep together with what else a batch does.
func (s *Service) keepIn(ctx context.Context, b *pgx.Batch, d *Decision, person ids.Person, visit ids.Visit, place ids.Institution, deeds ...audit.Entry) error {
	ruling, err := d.answer.Ruling(d.ID.String(), d.At)
	if err != nil {
		return err
	}
	signed := signedRuling{ruling, ed25519.Sign(s.Signer, ruling), eligibility.KeyID(s.Signer.Public().(ed25519.PublicKey))}
	if err := insertDecision(b, *d, signed, person, visit, place); err != nil {
		return err
	}
	decided := audit.Entry{Action: "decision." + d.Stage, Object: "decision/" + d.ID.String(), Person: person, Place: place, Reason: d.Verdict.String()}
	audit.Queue(ctx, b, append([]audit.Entry{decided}, deeds...)...)
	return nil
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

// gather collects the facts and the state of the policies from Postgres, in one round trip. The danger signs alone are enough for an
// answer, so that an emergency never waits for a free doctor.
func (s *Service) gather(ctx context.Context, tx tx, a Ask) (eligibility.Facts, slotRow, []knownPolicy, error) {
	now := s.Now()
	f := eligibility.Facts{Now: now, Stage: a.Stage, Visit: eligibility.Visit{DeclaredKind: a.Kind, Department: a.Department, Severity: a.Severity,
		Complaint: eligibility.Complaint{ICD10: a.ICD10}, RedFlags: a.RedFlags, IntendsRx: a.IntendsRx, PhysicianJudgement: a.Judgement, ConditionChanged: a.Changed}}
	if a.account.IsZero() {
		a.account = authz.SubjectFrom(ctx).Account
	}
	if a.Slot.IsZero() {
		var err error
		if a.Slot, err = earliestSlot(ctx, tx, a, now); err != nil {
			return f, slotRow{}, nil, err
		}
		if a.Slot.IsZero() && len(a.RedFlags) == 0 {
			return f, slotRow{}, nil, fault.New(fault.Conflict, "no_open_slot", "这个科室近期没有可以约的医生。", "No doctor of this department has free times.").
				WithRemedy("请换一个科室，或过些时候再来。", "Choose another department, or come back later.")
		}
	}
	var slot slotRow
	var consents []string
	var known []knownPolicy
	questions := &pgx.Batch{}
	askPatient(questions, &f.Patient, &f.Guardian.Verified, a.Person, a.account)
	askPolicies(questions, &known)
	if !a.Slot.IsZero() {
		askSlot(questions, &slot, a.Slot, a.Stage, now)
		askStanding(questions, &f.Physician, &f.Institution, &f.Slot.Overlap, a.Slot, now)
		askCatalogue(questions, &f.Institution.OnlineCatalogue, a.Slot)
		askEvidence(questions, &f.Evidence, a.Person, a.Slot)
		if !a.InternetCare || !a.SensitivePI { // not both are given together with the question
			askConsents(questions, &consents, a.Person, now)
		}
		askScenarios(questions, &f.Region.ActiveScenarios, a.Slot, now)
	}
	if err := send(ctx, tx, questions); err != nil || a.Slot.IsZero() {
		return f, slot, known, err
	}
	if slot.ID.IsZero() {
		return f, slot, nil, fault.Missing()
	}
	f.Visit.Department = slot.Department
	f.Consent.InternetCare.Valid = a.InternetCare || slices.Contains(consents, "internet_care")
	f.Consent.SensitivePI.Valid = a.SensitivePI || slices.Contains(consents, "sensitive_pi")
	f.Guardian.Present = f.Guardian.Verified && a.Guardian
	if asking := authz.SubjectFrom(ctx); asking != nil { // else the house itself asks
		f.Physician.Session.RealnameVerified = asking.Practitioner == slot.PractitionerID && asking.SecondFactor
	}
	return f, slot, known, nil
}
