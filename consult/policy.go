package consult

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
)

// States of a version of a first-visit policy. Expired is never stored: in force, and its period is over.
const (
	PolicyDraft     State = "draft"     // written; nothing depends on it
	PolicySimulated State = "simulated" // replayed over past decisions; waits for two approvals
	PolicyApproved  State = "approved"  // by two people other than its author
	PolicyActive    State = "active"    // in force within its period
	PolicySuspended State = "suspended" // the kill switch was thrown
	PolicyRevoked   State = "revoked"
	PolicyRejected  State = "rejected" // never came into force
	PolicyExpired   State = "expired"
)

// PolicyMoves is every change a version can make (EXC-07). Its words never change: who wants others drafts the next version.
var PolicyMoves = []Move{
	{"draft", nil, PolicyDraft, "administrator", "the words are well-formed; own place only", "the words, their hash; an older draft is rejected"},
	{"simulate", []State{PolicyDraft, PolicySimulated}, PolicySimulated, "administrator", "", "who would newly pass or fail, of these words under these rules"},
	{"simulate again", []State{PolicyApproved}, PolicyApproved, "administrator", "the rules have changed since", "as simulate"},
	{"approve", []State{PolicySimulated}, PolicyApproved, "two administrators, not the author", "simulated; document, level, period and limits fit (EXC-07)", "who, and the hash that was read; the second approval moves it"},
	{"activate", []State{PolicyApproved}, PolicyActive, "administrator", "simulation and two approvals of these words; document kept; rules unchanged since", "an older version in force is revoked"},
	{"suspend", []State{PolicyActive}, PolicySuspended, "administrator", "a reason", "no new visit from now on; booked ones are judged again, their patients told"},
	{"revoke", []State{PolicyApproved, PolicyActive, PolicySuspended}, PolicyRevoked, "administrator", "a reason", "as suspend"},
	{"reject", []State{PolicyDraft, PolicySimulated, PolicyApproved}, PolicyRejected, "administrator", "a reason", "reason"},
}

func policyMove(deed string) Move {
	return PolicyMoves[slices.IndexFunc(PolicyMoves, func(m Move) bool { return m.Deed == deed })]
}

// approvalsNeeded by EXC-07: such as the medical director and compliance.
const approvalsNeeded = 2

// Policy is one version of a first-visit policy with its life, as the workbench shows it.
type Policy struct {
	ID          ids.Policy         `json:"id"`
	State       State              `json:"state"`
	Ref         string             `json:"ref"`
	Terms       eligibility.Policy `json:"terms"`
	SHA256      string             `json:"sha256"`
	Institution string             `json:"institution,omitempty" doc:"That answers for it; empty: the whole house"`
	DraftedBy   string             `json:"drafted_by" doc:"Empty: imported from the operator's folder"`
	DraftedAt   time.Time          `json:"drafted_at"`
	Mine        bool               `json:"mine" doc:"Drafted by who asks: somebody else has to approve"`
	Lacks       []fault.Text       `json:"lacks" doc:"What EXC-07 still asks for"`
	File        *PolicyFile        `json:"file,omitempty" doc:"The approval document, if the house keeps it"`
	Doctors     []ListedDoctor     `json:"doctors" doc:"On its whitelist"`
	Approvals   []PolicyApproval   `json:"approvals"`
	Simulation  *PolicySimulation  `json:"simulation,omitempty" doc:"The newest of these words"`
	Events      []PolicyEvent      `json:"events"`

	place ids.Institution
	by    ids.Account
}

// ListedDoctor is a doctor on a whitelist, or who may be put on one, with what a policy asks of a doctor.
type ListedDoctor struct {
	ID          ids.Practitioner `json:"id"`
	Name        string           `json:"name"`
	Title       string           `json:"title"`
	TitleRank   int              `json:"title_rank"`
	Years       int              `json:"years" doc:"Of independent practice, full ones"`
	OnlineYears int              `json:"online_years" doc:"Of online follow-up, full ones"`
	Here        bool             `json:"here" doc:"Registered today at a place of who asks"`
}

// PolicyApproval is one of the two.
type PolicyApproval struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	Mine bool      `json:"mine"`
}

// PolicyEvent is one move.
type PolicyEvent struct {
	Deed   string    `json:"deed"`
	State  State     `json:"state"`
	Name   string    `json:"name" doc:"Empty: the operator's folder"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// PolicySimulation is a replay of the stored decisions of the last days.
type PolicySimulation struct {
	At      time.Time             `json:"at"`
	By      string                `json:"by"`
	Days    int                   `json:"days"`
	RuleSet string                `json:"rule_set"`
	TookMS  int                   `json:"took_ms"`
	Result  eligibility.Simulated `json:"result"`
	Doctors map[string]string     `json:"doctors" doc:"Names of the doctors in the result"`
	rules   string
}

// knownPolicies are what decisions are judged under, read once and kept until a state changes.
type knownPolicies struct {
	key      string
	policies eligibility.Policies
}

// policies reads which versions are known and in which state.
func (s *Service) policies(ctx context.Context, tx tx) (eligibility.Policies, error) {
	rows, err := selectKnownPolicies(ctx, tx)
	if err != nil {
		return eligibility.Policies{}, err
	}
	return s.parsed(ctx, tx, rows)
}

// parsed has the words of the known versions; they are parsed only when what is known has changed.
func (s *Service) parsed(ctx context.Context, tx tx, rows []knownPolicy) (eligibility.Policies, error) {
	var key strings.Builder
	for _, r := range rows {
		key.WriteString(r.SHA256 + r.State)
	}
	if known := s.known.Load(); known != nil && known.key == key.String() {
		return known.policies, nil
	}
	var list []*eligibility.Policy
	for _, r := range rows {
		document, err := selectPolicyDocument(ctx, tx, r.ID)
		if err != nil {
			return eligibility.Policies{}, err
		}
		p, err := eligibility.ParsePolicy(document, r.State)
		if err != nil {
			return eligibility.Policies{}, fmt.Errorf("policy %s: %w", r.ID, err)
		}
		list = append(list, p)
	}
	policies := eligibility.NewPolicies(list...)
	s.known.Store(&knownPolicies{key.String(), policies})
	return policies, policies.Err()
}

// Policies lists every version within the scope, the newest first.
func (s *Service) Policies(ctx context.Context) (list []Policy, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = s.policyVersions(ctx, tx, ids.Policy{})
		return err
	})
	return list, err
}

// PolicyDoctors finds doctors of the places in the scope that a whitelist could name, by name.
func (s *Service) PolicyDoctors(ctx context.Context, name string) (list []ListedDoctor, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectListable(ctx, tx, authz.ScopeFrom(ctx).Places(), name, s.Now())
		return err
	})
	return list, err
}

// Policy reads one version.
func (s *Service) Policy(ctx context.Context, id ids.Policy) (p Policy, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		p, err = s.policy(ctx, tx, id)
		return err
	})
	return p, err
}

func (s *Service) policy(ctx context.Context, tx tx, id ids.Policy) (Policy, error) {
	if id.IsZero() { // would filter nothing
		return Policy{}, fault.Missing()
	}
	list, err := s.policyVersions(ctx, tx, id)
	if err != nil {
		return Policy{}, err
	}
	if len(list) == 0 {
		return Policy{}, fault.Missing()
	}
	return list[0], nil
}

func (s *Service) policyVersions(ctx context.Context, tx tx, id ids.Policy) ([]Policy, error) {
	me := authz.SubjectFrom(ctx).Account
	rows, err := selectPolicies(ctx, tx, authz.ScopeFrom(ctx), id)
	if err != nil {
		return nil, err
	}
	list := make([]Policy, len(rows))
	for i, r := range rows {
		terms, err := eligibility.ParsePolicy(r.Document, "draft")
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", r.ID, err)
		}
		p := Policy{ID: r.ID, State: State(r.State), Ref: terms.Ref(), Terms: *terms, SHA256: r.SHA256, Institution: r.Institution, DraftedBy: r.DraftedBy, DraftedAt: r.DraftedAt,
			Mine: r.AccountID == me, Lacks: terms.Lacks(), place: r.InstitutionID, by: r.AccountID}
		if p.State == PolicyActive && !s.Now().Before(terms.To) {
			p.State = PolicyExpired
		}
		file, err := selectPolicyFile(ctx, tx, terms.Authority.DocSHA256)
		switch {
		case err != nil:
			return nil, err
		case file.SHA256 != "":
			p.File = &file
		case len(terms.Authority.DocSHA256) == 64: // else EXC-07 has said so
			p.Lacks = append(p.Lacks, fault.Text{ZH: "批文原件还没有存进来，请上传。", EN: "The approval document itself is not kept here; upload it."})
		}
		if p.Doctors, err = selectListed(ctx, tx, terms.Doctors, authz.ScopeFrom(ctx).Places(), s.Now()); err != nil {
			return nil, err
		}
		if p.Lacks == nil {
			p.Lacks = []fault.Text{}
		}
		if p.Approvals, err = selectApprovals(ctx, tx, r.ID, me); err != nil {
			return nil, err
		}
		if p.Events, err = selectPolicyEvents(ctx, tx, r.ID); err != nil {
			return nil, err
		}
		if p.Simulation, err = selectSimulation(ctx, tx, r.ID); err != nil {
			return nil, err
		}
		list[i] = p
	}
	return list, nil
}

// DraftPolicy writes the next version of a policy, or the first of a new one; the version in terms is not looked at. A policy
// opens the doors of the institution that answers for it, and no other's.
func (s *Service) DraftPolicy(ctx context.Context, terms eligibility.Policy) (p Policy, err error) {
	place, err := answeringPlace(authz.ScopeFrom(ctx).Places(), terms.Predicate.Institutions)
	if err != nil {
		return Policy{}, err
	}
	terms.Predicate.Institutions = []string{place.String()}
	if !terms.Physician.Whitelist {
		terms.Doctors = nil
	}
	if terms.RxScope == "all" || terms.RxScope == "none" {
		terms.Drugs = nil
	}
	for _, code := range terms.Drugs {
		if !eligibility.ATC.MatchString(code) {
			return Policy{}, fault.New(fault.Invalid, "policy_unusable", "药品编码“"+code+"”不是 ATC 编码。", "The drug code "+strconv.Quote(code)+" is no ATC code.").
				WithRemedy("例如 R05D（镇咳药）或 N02BE01。", "Such as R05D (cough suppressants) or N02BE01.")
		}
	}
	err = s.inTx(ctx, func(tx tx) error {
		doctors, err := selectListed(ctx, tx, terms.Doctors, []ids.Institution{place}, s.Now())
		if err != nil {
			return err
		}
		if len(doctors) < len(terms.Doctors) || slices.ContainsFunc(doctors, func(d ListedDoctor) bool { return !d.Here }) {
			return fault.New(fault.Invalid, "doctor_not_here", "名单上有人不是本机构登记的医师。", "Somebody on the list is no doctor registered at this institution.").
				WithRemedy("请从本机构的医师里选，每人一次。", "Choose among the doctors of this institution, each once.")
		}
		last, err := lastVersion(ctx, tx, terms.ID)
		if err != nil {
			return err
		}
		ofHouse, err := livesForHouse(ctx, tx, terms.ID) // one hospital's version would end what opens doors in all
		if err != nil {
			return err
		}
		if ofHouse || last.Version > 0 && last.InstitutionID != place && !last.InstitutionID.IsZero() {
			return fault.New(fault.Conflict, "policy_id_taken", "这个政策编号已被使用。", "This policy id is taken.").
				WithRemedy("请换一个编号。", "Please choose another id.")
		}
		terms.Version = last.Version + 1
		parsed, err := eligibility.ParsePolicy(terms.Document(), string(PolicyDraft))
		if err != nil {
			return fault.New(fault.Invalid, "policy_unusable", "政策内容有误："+err.Error(), "The policy can't be used: "+err.Error()).
				WithRemedy("请改正后再保存。", "Please correct it and save again.")
		}
		if m := policyMove("reject"); last.State == string(PolicyDraft) || last.State == string(PolicySimulated) {
			if err := s.movePolicy(ctx, tx, last.ID, State(last.State), m, parsed.Ref()); err != nil {
				return err
			}
		}
		id := ids.New[ids.Policy]()
		author := authz.SubjectFrom(ctx).Account
		if err := insertPolicy(ctx, tx, id, *parsed, PolicyDraft, place, author, s.Now()); err != nil {
			return err
		}
		if err := s.policyMoved(ctx, tx, id, "draft", PolicyDraft, ""); err != nil {
			return err
		}
		p, err = s.policy(ctx, tx, id)
		return err
	})
	if pg.Violates(err, "policy_policy_id_version_key") {
		err = fault.New(fault.Conflict, "policy_moved_on", "别人刚保存了这个政策的新版本。", "Somebody has just saved a version of this policy.").
			WithRemedy("请刷新后再改。", "Please refresh and edit again.")
	}
	s.tellPolicy(p, err)
	return p, err
}

// answeringPlace is the one place that the policy is about: of several that the scope covers the one it names.
func answeringPlace(places []ids.Institution, named []string) (ids.Institution, error) {
	for _, own := range places {
		if len(named) == 0 || len(named) == 1 && named[0] == own.String() {
			return own, nil
		}
	}
	return ids.Institution{}, fault.New(fault.Invalid, "policy_of_others", "政策只能适用于您管理的一个机构。", "A policy is about one institution of yours.").
		WithRemedy("请去掉其他机构。", "Please take the other institutions out.")
}

// policyDeed carries out one move of a version within the scope. guard may hold the move back by returning stay.
func (s *Service) policyDeed(ctx context.Context, id ids.Policy, deed, reason string, guard func(tx tx, p Policy) error) (p Policy, err error) {
	m := policyMove(deed)
	err = s.inTx(ctx, func(tx tx) error {
		if err := lockPolicy(ctx, tx, id); err != nil {
			return err
		}
		if p, err = s.policy(ctx, tx, id); err != nil {
			return err
		}
		if !slices.Contains(m.From, p.State) {
			return policyMovedOn(p.State)
		}
		err := guard(tx, p)
		if err == nil {
			err = s.movePolicy(ctx, tx, id, p.State, m, reason)
		} else if errors.Is(err, errStays) {
			err = s.policyMoved(ctx, tx, id, deed, p.State, reason)
		}
		if err != nil {
			return err
		}
		p, err = s.policy(ctx, tx, id)
		return err
	})
	s.tellPolicy(p, err)
	return p, err
}

// errStays: the deed is done and recorded, and the state stays what it was.
var errStays = errors.New("the state stays")

func policyMovedOn(now State) error {
	return fault.New(fault.Conflict, "policy_moved_on", "这个政策的状态已经变了。", "This policy has moved on.").
		WithRemedy("请刷新页面，看现在到了哪一步。", "Please refresh to see where it is now.").With(map[string]State{"state": now})
}

// movePolicy changes the state and records it.
func (s *Service) movePolicy(ctx context.Context, tx tx, id ids.Policy, from State, m Move, reason string) error {
	moved, err := movePolicy(ctx, tx, id, from, m.To)
	if err == nil && !moved {
		err = policyMovedOn(from)
	}
	if pg.Violates(err, "policy_activation") {
		err = fault.New(fault.Refused, "policy_not_approved", "没有模拟和两人审批，政策不能生效。", "No policy comes into force without simulation and two approvals.").
			WithRemedy("请先模拟，再由两位同事审批。", "Please simulate it, and let two colleagues approve it.")
	}
	if pg.Violates(err, "policy_document_kept") {
		err = fault.New(fault.Refused, "policy_lacks", "批文原件还没有存进来。", "The approval document itself is not kept here.").
			WithRemedy("请上传批文原件。", "Please upload it.")
	}
	if err != nil {
		return err
	}
	return s.policyMoved(ctx, tx, id, m.Deed, m.To, reason)
}

// policyMoved records a deed. Nobody is the operator, by the folder of policies.
func (s *Service) policyMoved(ctx context.Context, tx tx, id ids.Policy, deed string, now State, reason string) error {
	var by ids.Account
	if subject := authz.SubjectFrom(ctx); subject != nil {
		by = subject.Account
	}
	if err := insertPolicyEvent(ctx, tx, id, deed, now, by, reason, s.Now()); err != nil {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{Action: "policy." + deed, Object: "policy/" + id.String(), Reason: string(now)})
}

// SimulatePolicy replays the stored decisions of the last days with the version in force, and without it.
func (s *Service) SimulatePolicy(ctx context.Context, id ids.Policy, days int) (Policy, error) {
	deed := "simulate"
	if p, err := s.Policy(ctx, id); err == nil && p.State == PolicyApproved {
		deed = "simulate again"
	}
	return s.policyDeed(ctx, id, deed, "", func(tx tx, p Policy) error {
		if p.by.IsZero() { // it is about every hospital, and so would be the answer
			return fault.New(fault.Refused, "policy_imported", "运维目录导入的草稿管全平台，不能由一个机构启用。", "A draft of the operator's folder is about every hospital; none of them brings it into force.").
				WithRemedy("请“改成新版本”，以本机构的名义存一份，再模拟、审批。", "Draft the next version of it for your institution, and simulate that.")
		}
		began := time.Now() // how long it takes is no matter of the house's clock
		known, err := s.policies(ctx, tx)
		if err != nil {
			return err
		}
		sim := eligibility.Simulate(eligibility.Law{Rules: s.Rules, Policies: known},
			eligibility.Law{Rules: s.Rules, Policies: known.Replacing(p.Terms.Assumed())})
		now := s.Now()
		if err := eachDecision(ctx, tx, p.place, now.AddDate(0, 0, -days), now, sim.Add); err != nil {
			return err
		}
		result, err := json.Marshal(sim.Result())
		if err != nil {
			return err
		}
		return insertSimulation(ctx, tx, p, s.Rules.Hash(), days, result, time.Since(began), authz.SubjectFrom(ctx).Account, now)
	})
}

// Replay judges the stored decisions of the last days, all of the house, under its law of now and under another.
func (s *Service) Replay(ctx context.Context, days int, change func(eligibility.Law) eligibility.Law) (result eligibility.Simulated, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		known, err := s.policies(ctx, tx)
		if err != nil {
			return err
		}
		before := eligibility.Law{Rules: s.Rules, Policies: known}
		after := change(before)
		if err := after.Policies.Err(); err != nil {
			return err
		}
		sim := eligibility.Simulate(before, after)
		if err := eachDecision(ctx, tx, ids.Institution{}, s.Now().AddDate(0, 0, -days), s.Now(), sim.Add); err != nil {
			return err
		}
		result = sim.Result()
		return nil
	})
	return result, err
}

// ApprovePolicy is one of the two approvals. sha256 is of the words that the approver has read.
func (s *Service) ApprovePolicy(ctx context.Context, id ids.Policy, sha256 string) (Policy, error) {
	p, err := s.policyDeed(ctx, id, "approve", "", func(tx tx, p Policy) error {
		switch {
		case p.SHA256 != sha256:
			return fault.New(fault.Conflict, "policy_moved_on", "您看的不是这个版本。", "This is not the version you have read.").
				WithRemedy("请刷新后再看一遍。", "Please refresh and read it again.")
		case p.Mine:
			return fault.New(fault.Refused, "own_policy", "起草人不能审批自己的政策。", "Nobody approves what they drafted.").
				WithRemedy("请另外两位同事审批。", "Two colleagues have to approve it.")
		case len(p.Lacks) > 0:
			return fault.New(fault.Refused, "policy_lacks", p.Lacks[0].ZH, p.Lacks[0].EN).
				WithRemedy("请补全后保存为新版本。", "Please complete it and save it as a new version.").With(map[string][]fault.Text{"lacks": p.Lacks})
		}
		n, err := insertApproval(ctx, tx, p, authz.SubjectFrom(ctx).Account, s.Now())
		if err == nil && n < approvalsNeeded {
			err = errStays
		}
		return err
	})
	if pg.Violates(err, "policy_approved_once") {
		err = fault.New(fault.Conflict, "approved_already", "您已经审批过了，还需要另一位同事。", "You have approved it already; another colleague is needed.").
			WithRemedy("请另一位同事审批。", "Ask another colleague.")
	}
	return p, err
}

// ActivatePolicy brings an approved version into force; an older version in force is revoked.
func (s *Service) ActivatePolicy(ctx context.Context, id ids.Policy) (Policy, error) {
	var replaced []ids.Policy
	p, err := s.policyDeed(ctx, id, "activate", "", func(tx tx, p Policy) error {
		switch {
		case p.Simulation == nil || p.Simulation.rules != s.Rules.Hash():
			return fault.New(fault.Refused, "simulate_again", "模拟之后规则变了，请再模拟一次。", "The rules have changed since the simulation.").
				WithRemedy("请再模拟一次，看过结果再启用。", "Please simulate again and look at the result.")
		case len(p.Lacks) > 0:
			return fault.New(fault.Refused, "policy_lacks", p.Lacks[0].ZH, p.Lacks[0].EN).
				WithRemedy("请补全后再启用。", "Please complete it first.").With(map[string][]fault.Text{"lacks": p.Lacks})
		case !s.Now().Before(p.Terms.To):
			return fault.New(fault.Refused, "policy_over", "这个政策的有效期已过。", "The period of this policy is over.").
				WithRemedy("请按新的批文起草新版本。", "Please draft a new version by a new document.")
		}
		var err error
		if replaced, err = activeVersions(ctx, tx, p.Terms.ID); err != nil {
			return err
		}
		for _, old := range replaced {
			if err := s.movePolicy(ctx, tx, old, PolicyActive, policyMove("revoke"), p.Ref); err != nil {
				return err
			}
			if err := s.rejudgeLater(ctx, tx, old); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.rejudgeNow(ctx, replaced...)
	}
	return p, err
}

// EndPolicy suspends, revokes or rejects a version. What was in force lets nobody in from the commit on; booked visits
// that rest on it are judged again.
func (s *Service) EndPolicy(ctx context.Context, id ids.Policy, deed, reason string) (Policy, error) {
	if strings.TrimSpace(reason) == "" {
		return Policy{}, fault.New(fault.Invalid, "reason_missing", "请写明原因。", "Please give a reason.").
			WithRemedy("一句话即可；同事和监管会看到。", "A sentence will do; colleagues and the regulator read it.")
	}
	wasActive := false
	p, err := s.policyDeed(ctx, id, deed, reason, func(tx tx, p Policy) error {
		if wasActive = p.State == PolicyActive; !wasActive {
			return nil
		}
		return s.rejudgeLater(ctx, tx, id)
	})
	if err == nil && wasActive {
		err = s.rejudgeNow(ctx, id)
	}
	return p, err
}

// Rejudge is the job of judging the booked visits again that rest on a policy (River).
type Rejudge struct {
	Policy ids.Policy `json:"policy"`
}

// Kind names the job.
func (Rejudge) Kind() string { return "policy_rejudge" }

// Rejudger works it.
type Rejudger struct {
	river.WorkerDefaults[Rejudge]
	Consult *Service
}

// Work judges again; done twice it changes nothing more.
func (r *Rejudger) Work(ctx context.Context, job *river.Job[Rejudge]) error {
	return r.Consult.rejudge(ctx, job.Args.Policy)
}

// rejudgeLater leaves the duty with the deed's transaction, so that no crash forgets it.
func (s *Service) rejudgeLater(ctx context.Context, tx tx, policy ids.Policy) error {
	if s.Jobs == nil {
		return nil
	}
	return s.Jobs.InsertAt(ctx, tx, Rejudge{policy}, s.Now())
}

// rejudgeNow does it at once where there are no jobs.
func (s *Service) rejudgeNow(ctx context.Context, policies ...ids.Policy) error {
	if s.Jobs != nil {
		return nil
	}
	for _, p := range policies {
		if err := s.rejudge(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// rejudge judges every visit again that waits for its beginning and rests on the policy. A visit that may no longer go on
// stays booked, so that the patient sees why, and a doctor can't begin it; its patient is told.
func (s *Service) rejudge(ctx context.Context, policy ids.Policy) error {
	ctx = authz.WithScope(ctx, authz.System("visit.rejudge"))
	var visits []ids.Visit
	err := s.inTx(ctx, func(tx tx) (err error) {
		visits, err = selectVisitsUnder(ctx, tx, policy)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range visits {
		var v Visit
		err := s.inTx(ctx, func(tx tx) error {
			if v, err = s.find(ctx, tx, id); err != nil {
				return err
			}
			if v.State != Booked && v.State != CheckedIn { // it has begun or ended meanwhile
				return nil
			}
			d, err := s.judgeVisit(ctx, tx, v, eligibility.Booking)
			if err != nil || d.Verdict.Passes() {
				return err
			}
			return s.notify(ctx, tx, v.account, fmt.Sprintf("【远诊】您 %s 的网上就诊不能照常进行：所依据的政策已停用。没有扣您的钱，请打开页面看现在可以怎么办。",
				v.Start.In(china).Format("1月2日 15:04")))
		})
		if err != nil {
			return fmt.Errorf("judge visit %s again: %w", id, err)
		}
		s.tell("visit.changed", v)
		s.tellQueue(ctx, v)
	}
	return nil
}

// ImportPolicies takes the operator's folder: each version that the house does not know. One whose file says active comes into
// force only if it meets EXC-07 and names two approvers; else it is a draft, and an administrator has to take it up. The
// words of a known version must not have changed, and its state is what was done with it here.
func (s *Service) ImportPolicies(ctx context.Context, list []*eligibility.Policy) (drafts []string, err error) {
	ctx = authz.WithScope(ctx, authz.System("policy.import"))
	err = s.inTx(ctx, func(tx tx) error {
		drafts = nil
		for _, p := range list {
			known, err := hashOfVersion(ctx, tx, p.ID, p.Version)
			if err != nil {
				return err
			}
			if known != "" {
				if known != p.Hash() {
					return fmt.Errorf("policy %s has other words than when it was taken in: raise its version", p.Ref())
				}
				continue
			}
			state := State(p.Status)
			switch {
			case state == PolicyActive && (len(p.Lacks()) > 0 || len(p.Approvers) < approvalsNeeded),
				state == PolicyApproved, state == PolicyDraft:
				state = PolicyDraft
				drafts = append(drafts, p.Ref())
			case state == PolicyExpired:
				state = PolicyRevoked
			}
			id := ids.New[ids.Policy]()
			if err := insertPolicy(ctx, tx, id, *p, state, ids.Institution{}, ids.Account{}, s.Now()); err != nil {
				return err
			}
			if err := s.policyMoved(ctx, tx, id, "import", state, strings.Join(p.Approvers, ", ")); err != nil {
				return err
			}
		}
		return nil
	})
	return drafts, err
}

// tellPolicy lets the workbenches ask again.
func (s *Service) tellPolicy(p Policy, err error) {
	if err == nil && !p.place.IsZero() {
		s.Live.Publish(live.Event{Kind: "policy.changed", ID: p.ID.String(), Places: []ids.Institution{p.place}})
	}
}
