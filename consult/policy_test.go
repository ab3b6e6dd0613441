package consult_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"yuanzhen/consult"
	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// office is a town whose hospital has three administrators: an author and two who approve.
type office struct {
	*town
	author, director, compliance *authz.Subject
	mu                           sync.Mutex
	told                         map[ids.Account][]string
}

func newOffice(t *testing.T) *office {
	o := &office{town: newTown(t), told: map[ids.Account][]string{}}
	o.author, o.director, o.compliance = o.member("administrator", 0), o.member("administrator", 0), o.member("administrator", 0)
	o.Notices = o
	if kept, err := o.KeepPolicyFile(o.as(o.author, "policy.draft"), "批文.pdf", approval); err != nil || kept.SHA256 != approvalHash {
		t.Fatal(kept, err)
	}
	return o
}

// approval is the document that gives leave, as it was scanned.
var (
	approval     = []byte("%PDF-1.7 鄂卫函〔2026〕18号")
	approvalHash = fmt.Sprintf("%x", sha256.Sum256(approval))
)

// Tell takes the place of text messages.
func (o *office) Tell(_ context.Context, _ pgx.Tx, account ids.Account, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told[account] = append(o.told[account], text)
	return nil
}

// palpitations is leave to see new palpitations of adults in the district online.
func palpitations(now time.Time) eligibility.Policy {
	return eligibility.Policy{ID: "QH-PALP", Title: "心慌首诊试点",
		Authority: eligibility.Authority{Level: "province", Name: "省卫生健康委", DocNo: "鄂卫函〔2026〕18号", DocSHA256: approvalHash},
		From:      now.AddDate(0, 0, -1), To: now.AddDate(0, 6, 0),
		Predicate: eligibility.Predicate{Categories: []string{"R00"}, Departments: []string{"心血管内科"}, Regions: []string{"420102"}},
		Physician: eligibility.DoctorTerms{MinTitle: 2, MinYears: 3}, GuardianUnder: 18, MaxSeverity: "mild", RxScope: "none"}
}

func (o *office) draft() consult.Policy {
	o.t.Helper()
	p, err := o.DraftPolicy(o.as(o.author, "policy.draft"), palpitations(o.now))
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func (o *office) simulated(p consult.Policy) consult.Policy {
	o.t.Helper()
	p, err := o.SimulatePolicy(o.as(o.author, "policy.simulate"), p.ID, 90)
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// active is the policy in force.
func (o *office) active() consult.Policy {
	o.t.Helper()
	p := o.simulated(o.draft())
	for _, who := range []*authz.Subject{o.director, o.compliance} {
		if _, err := o.ApprovePolicy(o.as(who, "policy.approve"), p.ID, p.SHA256); err != nil {
			o.t.Fatal(err)
		}
	}
	p, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), p.ID)
	if err != nil || p.State != consult.PolicyActive {
		o.t.Fatalf("%s, %v", p.State, err)
	}
	return p
}

// first is Wang's wish to be seen for new palpitations.
func (o *office) first(slot ids.Slot) consult.Booking {
	b := o.wish(slot)
	b.Kind, b.ICD10, b.IntendsRx = "first_visit", "R00.200", false
	return b
}

func rules(d consult.Decision) string {
	list := []string{d.Verdict.String()}
	for _, r := range d.Reasons {
		list = append(list, r.Rule)
	}
	return strings.Join(list, " ")
}

func TestAPolicyFromDraftToKillSwitch(t *testing.T) {
	o := newOffice(t)
	slots := o.slots(0, 10.5, 3)
	ask := func() string {
		d, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.first(slots[0]).Ask)
		if err != nil {
			t.Fatal(err)
		}
		return rules(d)
	}
	if got := ask(); got != "REDIRECT_OFFLINE VIS-11" {
		t.Fatalf("without a policy: %s", got)
	}
	p := o.draft()
	if p.Ref != "QH-PALP@1" || p.State != consult.PolicyDraft || p.Institution != "医院0" || len(p.Lacks) != 0 {
		t.Fatalf("drafted %+v", p)
	}
	if _, err := o.ApprovePolicy(o.as(o.director, "policy.approve"), p.ID, p.SHA256); code(err) != "policy_moved_on" {
		t.Errorf("approved before it was simulated: %v", err)
	}
	p = o.simulated(p)
	if r := p.Simulation.Result; r.Judged != 1 || r.Passes != 1 || r.Diseases[0].Key != "R00" || r.Counties[0].Key != "420102" || p.Simulation.Doctors[r.Doctors[0].Key] != "张建国" {
		t.Errorf("simulated %+v", p.Simulation)
	}
	if got := ask(); got != "REDIRECT_OFFLINE VIS-11" {
		t.Errorf("a simulated policy lets somebody in: %s", got)
	}
	approve := func(who *authz.Subject) (consult.Policy, error) {
		return o.ApprovePolicy(o.as(who, "policy.approve"), p.ID, p.SHA256)
	}
	if _, err := approve(o.author); code(err) != "own_policy" {
		t.Errorf("the author approves: %v", err)
	}
	if _, err := o.ApprovePolicy(o.as(o.director, "policy.approve"), p.ID, strings.Repeat("0", 64)); code(err) != "policy_moved_on" {
		t.Errorf("other words approved: %v", err)
	}
	if p, err := approve(o.director); err != nil || p.State != consult.PolicySimulated || len(p.Approvals) != 1 {
		t.Fatalf("the first approval: %+v, %v", p, err)
	}
	if _, err := approve(o.director); code(err) != "approved_already" {
		t.Errorf("one person twice: %v", err)
	}
	if _, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), p.ID); code(err) != "policy_moved_on" {
		t.Errorf("activated with one approval: %v", err)
	}
	if p, err := approve(o.compliance); err != nil || p.State != consult.PolicyApproved {
		t.Fatalf("the second approval: %+v, %v", p, err)
	}
	if got := ask(); got != "REDIRECT_OFFLINE VIS-11" {
		t.Errorf("an approved policy lets somebody in: %s", got)
	}
	if p, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), p.ID); err != nil || p.State != consult.PolicyActive {
		t.Fatalf("activated: %+v, %v", p, err)
	}
	if got := ask(); got != "ALLOW_COND EXC-05:QH-PALP@1" {
		t.Fatalf("in force: %s", got)
	}
	v, err := o.Book(o.as(o.wang, "visit.book"), o.first(slots[0]))
	if err != nil {
		t.Fatal(err)
	}
	followUp, err := o.Book(o.as(o.wang, "visit.book"), o.wish(slots[1]))
	if err != nil {
		t.Fatal(err)
	}

	if _, err := o.EndPolicy(o.as(o.author, "policy.suspend"), p.ID, "suspend", " "); code(err) != "reason_missing" {
		t.Errorf("suspended without a reason: %v", err)
	}
	if p, err := o.EndPolicy(o.as(o.director, "policy.suspend"), p.ID, "suspend", "不良事件"); err != nil || p.State != consult.PolicySuspended || len(p.Events) != 6 {
		t.Fatalf("suspended: %+v, %v", p, err)
	}
	if got := ask(); got != "REDIRECT_OFFLINE VIS-11 EXC-01" {
		t.Errorf("after the kill switch: %s", got)
	}
	if v, err = o.Visit(o.as(o.wang, "visit.read"), v.ID); err != nil || v.State != consult.Booked || rules(v.Decision) != "REDIRECT_OFFLINE VIS-11 EXC-01" || len(v.Decision.Ways) == 0 {
		t.Errorf("the booked visit was judged again: %s %s, %v", v.State, rules(v.Decision), err)
	}
	if told := o.told[o.wang.Account]; len(told) != 1 || !strings.Contains(told[0], "6月15日 10:30") || strings.Contains(told[0], "心") {
		t.Errorf("the patient was told %q", told)
	}
	if w, _ := o.Visit(o.as(o.wang, "visit.read"), followUp.ID); rules(w.Decision) != "ALLOW" {
		t.Errorf("a visit that rests on no policy was touched: %s", rules(w.Decision))
	}
	if _, err := o.CheckIn(o.as(o.wang, "visit.check_in"), v.ID, consult.LineTest{}); code(err) != "not_eligible" {
		t.Errorf("check-in to a visit that may not begin: %v", err)
	}
	if _, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), p.ID); code(err) != "policy_moved_on" {
		t.Errorf("a suspended version came back: %v", err)
	}
}

func TestASuspendedPolicyStopsTheVisitAtItsStart(t *testing.T) {
	o := newOffice(t)
	p := o.active()
	v, err := o.Book(o.as(o.wang, "visit.book"), o.first(o.slots(0, 10.5, 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.CheckIn(o.as(o.wang, "visit.check_in"), v.ID, consult.LineTest{}); err != nil {
		t.Fatal(err)
	}
	o.exec(`UPDATE policy SET state = 'suspended'`) // on another node, before its job has run
	if _, err := o.Admit(o.as(o.doctor, "visit.admit"), v.ID); code(err) != "not_eligible" {
		t.Fatalf("admitted under a suspended policy: %v", err)
	}
	if v, err = o.Visit(o.as(o.wang, "visit.read"), v.ID); err != nil || rules(v.Decision) != "REDIRECT_OFFLINE VIS-11 EXC-01" || v.Decision.Stage != "start" {
		t.Errorf("%s, %v", rules(v.Decision), err)
	}
	o.exec(`UPDATE visit SET state = 'checked_in'`)
	if err := (&consult.Rejudger{Consult: o.Service}).Work(t.Context(), &river.Job[consult.Rejudge]{Args: consult.Rejudge{Policy: p.ID}}); err != nil {
		t.Fatal(err)
	}
	if len(o.told) != 0 {
		t.Errorf("who had been refused already was told again: %v", o.told)
	}
}

func TestANewVersionTakesThePlaceOfTheOld(t *testing.T) {
	o := newOffice(t)
	first := o.active()
	terms := first.Terms
	terms.Physician.MinTitle = 4
	again, err := o.DraftPolicy(o.as(o.director, "policy.draft"), terms)
	if err != nil || again.Ref != "QH-PALP@2" || again.SHA256 == first.SHA256 {
		t.Fatalf("second version %+v, %v", again, err)
	}
	terms.Physician.MinTitle = 1
	third, err := o.DraftPolicy(o.as(o.director, "policy.draft"), terms)
	if err != nil || third.Ref != "QH-PALP@3" {
		t.Fatal(err)
	}
	if p, _ := o.Policy(o.as(o.author, "policy.read"), again.ID); p.State != consult.PolicyRejected || p.Events[1].Reason != "QH-PALP@3" {
		t.Errorf("the older draft: %+v", p)
	}
	third = o.simulated(third)
	for _, who := range []*authz.Subject{o.author, o.compliance} {
		if _, err := o.ApprovePolicy(o.as(who, "policy.approve"), third.ID, third.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.ActivatePolicy(o.as(o.director, "policy.activate"), third.ID); err != nil {
		t.Fatal(err)
	}
	if p, _ := o.Policy(o.as(o.author, "policy.read"), first.ID); p.State != consult.PolicyRevoked {
		t.Errorf("the version before is %s", p.State)
	}
	list, err := o.Policies(o.as(o.author, "policy.read"))
	if err != nil || len(list) != 3 {
		t.Fatalf("%d versions, %v", len(list), err)
	}
	o.now = o.now.AddDate(0, 7, 0)
	if p, _ := o.Policy(o.as(o.author, "policy.read"), third.ID); p.State != consult.PolicyExpired {
		t.Errorf("after its period it is %s", p.State)
	}
}

func TestWhatAPolicyLacks(t *testing.T) {
	o := newOffice(t)
	for want, change := range map[string]func(*eligibility.Policy){
		"number of the approval document": func(p *eligibility.Policy) { p.Authority.DocNo = "" },
		"file of the approval document":   func(p *eligibility.Policy) { p.Authority.DocSHA256 = "x" },
		"of a province or higher":         func(p *eligibility.Policy) { p.Authority.Level = "city" },
		"without limits":                  func(p *eligibility.Policy) { p.RxScope = "all" },
		"itself is not kept":              func(p *eligibility.Policy) { p.Authority.DocSHA256 = strings.Repeat("b", 64) },
		"list of drugs is missing":        func(p *eligibility.Policy) { p.RxScope = "symptomatic" },
		"no doctor on its list":           func(p *eligibility.Policy) { p.Physician.Whitelist = true },
		"twelve months at most":           func(p *eligibility.Policy) { p.To = p.From.AddDate(1, 0, 0).Add(time.Second) },
		"Diseases alone":                  func(p *eligibility.Policy) { p.Predicate = eligibility.Predicate{Categories: []string{"R00"}} },
		"names no disease":                func(p *eligibility.Policy) { p.Predicate = eligibility.Predicate{} },
	} {
		terms := palpitations(o.now)
		change(&terms)
		p, err := o.DraftPolicy(o.as(o.author, "policy.draft"), terms)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Lacks) != 1 || !strings.Contains(p.Lacks[0].EN, want) {
			t.Errorf("%s: lacks %v", want, p.Lacks)
		}
		p = o.simulated(p)
		if _, err := o.ApprovePolicy(o.as(o.director, "policy.approve"), p.ID, p.SHA256); code(err) != "policy_lacks" {
			t.Errorf("%s: approved, %v", want, err)
		}
	}
	leap := palpitations(time.Date(2028, 3, 1, 0, 0, 0, 0, o.now.Location())) // begins on 29 February
	leap.To = time.Date(2029, 2, 28, 0, 0, 0, 0, o.now.Location())
	if p, err := o.DraftPolicy(o.as(o.author, "policy.draft"), leap); err != nil || len(p.Lacks) != 0 {
		t.Errorf("a year from 29 February: %v, %v", p.Lacks, err)
	}
	for want, change := range map[string]func(*eligibility.Policy){
		"policy_unusable": func(p *eligibility.Policy) { p.To = p.From },
		"doctor_not_here": func(p *eligibility.Policy) {
			p.Physician.Whitelist, p.Doctors = true, []string{ids.New[ids.Practitioner]().String()}
		},
		"policy_of_others": func(p *eligibility.Policy) { p.Predicate.Institutions = []string{o.hospital[1].String()} },
	} {
		terms := palpitations(o.now)
		change(&terms)
		if _, err := o.DraftPolicy(o.as(o.author, "policy.draft"), terms); code(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What the code forgets, Postgres refuses.
func TestNoWayAroundApproval(t *testing.T) {
	o := newOffice(t)
	p := o.simulated(o.draft())
	for story, sql := range map[string]string{
		"in force without approval":     `UPDATE policy SET state = 'active'`,
		"other words":                   `UPDATE policy SET document = '{}', sha256 = encode(sha256('{}'), 'hex')`,
		"another period":                `UPDATE policy SET during = '[2026-01-01,2036-01-01)'`,
		"removed":                       `DELETE FROM policy`,
		"the author approves":           `INSERT INTO policy_approval SELECT id, drafted_by, drafted_by, sha256, now() FROM policy`,
		"approved with a false author":  `INSERT INTO policy_approval SELECT id, drafted_by, (SELECT id FROM account WHERE id <> drafted_by LIMIT 1), sha256, now() FROM policy`,
		"history rewritten":             `UPDATE policy_event SET reason = 'x'`,
		"a simulation polished":         `UPDATE policy_simulation SET result = '{}'`,
		"an impossible state":           `UPDATE policy SET state = 'blessed'`,
		"a second version of that name": `INSERT INTO policy SELECT gen_random_uuid(), policy_id, version, institution_id, document, sha256, during, state, drafted_by, drafted_at FROM policy`,
	} {
		if _, err := o.DB.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: done", story)
		}
	}
	if got, _ := o.Policy(o.as(o.author, "policy.read"), p.ID); got.State != consult.PolicySimulated || got.SHA256 != p.SHA256 {
		t.Errorf("now %+v", got)
	}
}

// Each move is tried from each state: what the table has succeeds, the rest is a conflict.
func TestPolicyMoves(t *testing.T) {
	o := newOffice(t)
	p := o.active()
	end := func(deed string) func(ids.Policy) error {
		return func(id ids.Policy) error {
			action := map[string]string{"suspend": "policy.suspend", "revoke": "policy.suspend", "reject": "policy.draft"}[deed]
			_, err := o.EndPolicy(o.as(o.author, action), id, deed, "理由")
			return err
		}
	}
	simulate := func(id ids.Policy) error {
		_, err := o.SimulatePolicy(o.as(o.author, "policy.simulate"), id, 30)
		return err
	}
	third := o.member("administrator", 0)
	deeds := map[string]func(ids.Policy) error{
		"simulate": simulate, "simulate again": simulate, "suspend": end("suspend"), "revoke": end("revoke"), "reject": end("reject"),
		"approve": func(id ids.Policy) error {
			_, err := o.ApprovePolicy(o.as(third, "policy.approve"), id, p.SHA256)
			third = o.member("administrator", 0)
			return err
		},
		"activate": func(id ids.Policy) error {
			_, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), id)
			return err
		},
	}
	states := []consult.State{consult.PolicyDraft, consult.PolicySimulated, consult.PolicyApproved, consult.PolicyActive,
		consult.PolicySuspended, consult.PolicyRevoked, consult.PolicyRejected}
	for _, m := range consult.PolicyMoves[1:] {
		for _, from := range states {
			to, want := from, "policy_moved_on"
			if slices.Contains(m.From, from) {
				to, want = m.To, "done"
			}
			if strings.HasPrefix(m.Deed, "simulate") && (from == consult.PolicyDraft || from == consult.PolicySimulated || from == consult.PolicyApproved) {
				want = "done" // one deed on screen, two rows of the table
				if to = from; from == consult.PolicyDraft {
					to = consult.PolicySimulated
				}
			}
			t.Run(fmt.Sprintf("%s --%s--> %s", from, m.Deed, to), func(t *testing.T) {
				o.t = t
				o.exec(`UPDATE policy SET state = $1`, string(from))
				if err := deeds[m.Deed](p.ID); code(err) != want {
					t.Errorf("%v, want %s", err, want)
				}
				if got := one[string](o.town, `SELECT state FROM policy`); got != string(to) {
					t.Errorf("now %s, want %s", got, to)
				}
			})
		}
	}
}

// Bookings and the kill switch at the same moment: a visit that rests on the policy either was refused, or is judged again.
func TestTheKillSwitchMissesNobody(t *testing.T) {
	o := newOffice(t)
	p := o.active()
	slots := o.slots(0, 11, 12)
	var done sync.WaitGroup
	for i, slot := range slots {
		subject, person := o.patient(fmt.Sprint("病人", i), "1960-01-01")
		b := o.first(slot)
		b.Person = person
		ctx := o.as(subject, "visit.book")
		done.Go(func() {
			if _, err := o.Book(ctx, b); err != nil && code(err) != "not_eligible" {
				t.Error(err)
			}
		})
	}
	ctx := o.as(o.author, "policy.suspend")
	done.Go(func() {
		if _, err := o.EndPolicy(ctx, p.ID, "suspend", "停"); err != nil {
			t.Error(err)
		}
	})
	done.Wait()
	booked := one[int](o.town, `SELECT count(*) FROM visit`)
	still := one[int](o.town, `SELECT count(*) FROM visit v WHERE (SELECT verdict FROM decision WHERE visit_id = v.id ORDER BY at DESC, id DESC LIMIT 1) = 'ALLOW_COND'`)
	if still != 0 || len(o.told) != booked {
		t.Errorf("of %d booked %d still rest on the policy, %d were told", booked, still, len(o.told))
	}
}

func TestTheOperatorsFolder(t *testing.T) {
	o := newOffice(t)
	good := palpitations(o.now)
	good.Version, good.Status, good.Approvers = 1, "active", []string{"郑岩", "何静"}
	alone := good
	alone.ID, alone.Approvers = "QH-ALONE", []string{"郑岩"}
	ended := good
	ended.ID, ended.Status = "QH-OLD", "expired"
	drafts, err := o.ImportPolicies(t.Context(), []*eligibility.Policy{&good, &alone, &ended})
	if err != nil || strings.Join(drafts, " ") != "QH-ALONE@1" {
		t.Fatalf("drafts %v, %v", drafts, err)
	}
	states := one[string](o.town, `SELECT string_agg(policy_id || ' ' || state, ', ' ORDER BY policy_id) FROM policy`)
	if states != "QH-ALONE draft, QH-OLD revoked, QH-PALP active" {
		t.Errorf("states %s", states)
	}
	d, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.first(o.slots(0, 10.5, 1)[0]).Ask)
	if err != nil || rules(d) != "ALLOW_COND EXC-05:QH-PALP@1" {
		t.Errorf("%s, %v", rules(d), err)
	}
	p, err := o.Policies(o.as(o.author, "policy.read"))
	if err != nil || len(p) != 3 {
		t.Fatalf("the workbench shows %d, %v", len(p), err)
	}
	if _, err := o.EndPolicy(o.as(o.author, "policy.suspend"), ids.Policy(p[slices.IndexFunc(p, func(p consult.Policy) bool { return p.Ref == "QH-PALP@1" })].ID), "suspend", "停"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ImportPolicies(t.Context(), []*eligibility.Policy{&good}); err != nil { // the next start
		t.Fatal(err)
	}
	if got := one[string](o.town, `SELECT state FROM policy WHERE policy_id = 'QH-PALP'`); got != "suspended" {
		t.Errorf("a restart has thrown the kill switch back: %s", got)
	}
	good.GuardianUnder = 0
	if _, err := o.ImportPolicies(t.Context(), []*eligibility.Policy{&good}); err == nil || !strings.Contains(err.Error(), "raise its version") {
		t.Errorf("other words under the same version: %v", err)
	}
}

func TestADecisionIsProved(t *testing.T) {
	o := newOffice(t)
	p := o.active()
	v, err := o.Book(o.as(o.wang, "visit.book"), o.first(o.slots(0, 10.5, 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	regulator := o.member("regulator", 1)
	r, err := o.Decision(o.as(regulator, "decision.read"), v.Decision.ID)
	if err != nil || r.Finding.Problems == nil || len(r.Finding.Problems) != 0 || !r.Finding.Signature || !r.Finding.Verdict {
		t.Fatalf("finding %+v, %v", r.Finding, err)
	}
	if r.Policies[0].SHA256 != p.SHA256 || r.Doctor != "张建国" || r.Institution != "医院0" || r.VisitID != v.ID {
		t.Errorf("record %+v", r)
	}
	if _, err := o.EndPolicy(o.as(o.author, "policy.suspend"), p.ID, "suspend", "停"); err != nil {
		t.Fatal(err)
	}
	dossier, err := o.Dossier(o.as(o.wang, "decision.read"), v.Decision.ID) // the law of that day, not of now
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(dossier)
	if err != nil {
		t.Fatal(err)
	}
	var file eligibility.Dossier
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if f := file.Check(); !f.Good() || f.Ruling.Reasons[0] != "EXC-05:QH-PALP@1" {
		t.Errorf("offline: %+v", f)
	}
	if _, err := o.Dossier(o.as(o.stranger, "decision.read"), v.Decision.ID); code(err) != "not_found" {
		t.Errorf("a stranger: %v", err)
	}
	list, err := o.Decisions(o.as(regulator, "decision.read"), consult.DecisionFilter{Rule: "EXC-05"})
	if err != nil || len(list) != 1 || list[0].ID != v.Decision.ID || list[0].ICD10 != "R00.200" {
		t.Errorf("the regulator's list: %+v, %v", list, err)
	}
	o.exec(`ALTER TABLE decision DISABLE TRIGGER decision_is_written_once`)
	o.exec(`UPDATE decision SET facts = jsonb_set(facts, '{visit,severity}', '"severe"') WHERE id = $1`, v.Decision.ID)
	if r, err := o.Decision(o.as(regulator, "decision.read"), v.Decision.ID); err != nil || r.Finding.Facts || r.Finding.Verdict {
		t.Errorf("facts altered in the database: %+v, %v", r.Finding, err)
	}
	if keys, err := o.DecisionKeys(o.as(o.wang, "decision.verify")); err != nil || len(keys) != 1 || keys[0].KeyID != r.KeyID {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

// A refusal tells what would change it.
func TestWhatWouldChangeTheAnswer(t *testing.T) {
	w := newTown(t)
	w.exec(`DELETE FROM evidence`)
	ask := w.wish(w.slots(0, 10.5, 1)[0]).Ask
	ask.InternetCare = false
	d, err := w.Eligibility(w.as(w.wang, "eligibility.ask"), ask)
	if err != nil || d.Prospect == nil || d.Prospect.Then.String() != "ALLOW" || len(d.Prospect.Changes) != 2 || d.Prospect.Changes[0].Rule != "CON-01" {
		t.Fatalf("%s, %+v, %v", rules(d), d.Prospect, err)
	}
	stored, err := w.Decision(w.as(w.wang, "decision.read"), d.ID)
	if err != nil || stored.Prospect == nil || len(stored.Prospect.Changes) != 2 || !stored.Finding.Verdict {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

// RXE-01, EXC-06: under a policy without prescriptions none is signed; under one with, it may be.
func TestPrescribingUnderAPolicy(t *testing.T) {
	o := newOffice(t)
	p := o.active()
	v, err := o.Book(o.as(o.wang, "visit.book"), o.first(o.slots(0, 10.5, 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.CheckIn(o.as(o.wang, "visit.check_in"), v.ID, consult.LineTest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Admit(o.as(o.doctor, "visit.admit"), v.ID); err != nil {
		t.Fatal(err)
	}
	sign := func(drugs ...consult.Drug) error {
		ctx := o.as(o.doctor, "prescription.sign")
		return kept(ctx, o.DB.InTx(ctx, func(tx pgx.Tx) error {
			_, err := o.JudgeForSigning(ctx, tx, v.ID, drugs)
			return err
		}))
	}
	drug := func(zh, en string, atc ...string) consult.Drug {
		return consult.Drug{Name: fault.Text{ZH: zh, EN: en}, Ingredients: atc}
	}
	paracetamol, amlodipine := drug("对乙酰氨基酚", "paracetamol", "N02BE01"), drug("氨氯地平", "amlodipine", "C08CA01")
	if err := sign(paracetamol); code(err) != "policy_without_rx" || !strings.Contains(err.Error(), "鄂卫函〔2026〕18号") {
		t.Errorf("signed: %v", err)
	}
	terms := p.Terms
	terms.RxScope, terms.Drugs = "symptomatic", []string{"N02BE", "R05"}
	next, err := o.DraftPolicy(o.as(o.director, "policy.draft"), terms)
	if err != nil {
		t.Fatal(err)
	}
	next = o.simulated(next)
	for _, who := range []*authz.Subject{o.author, o.compliance} {
		if _, err := o.ApprovePolicy(o.as(who, "policy.approve"), next.ID, next.SHA256); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.ActivatePolicy(o.as(o.author, "policy.activate"), next.ID); err != nil {
		t.Fatal(err)
	}
	if err := sign(paracetamol); err != nil {
		t.Errorf("a symptomatic drug: %v", err)
	}
	for story, c := range map[string]struct {
		want  string
		drugs []consult.Drug
	}{
		"one of two is another":            {"drug_outside_policy", []consult.Drug{paracetamol, amlodipine}},
		"a part of the combination is":     {"drug_outside_policy", []consult.Drug{drug("复方", "combined", "N02BE01", "C08CA01")}},
		"a part has no code":               {"drug_not_checked", []consult.Drug{drug("中成药", "patent", "N02BE01", "")}},
		"nothing is known of it":           {"drug_not_checked", []consult.Drug{drug("新药", "new")}},
		"the class above the list's is no": {"drug_outside_policy", []consult.Drug{drug("镇痛药", "analgesic", "N02B")}},
	} {
		last := c.drugs[len(c.drugs)-1].Name
		err := sign(c.drugs...)
		if f := fault.As(err); code(err) != c.want || !strings.Contains(f.Say.ZH, last.ZH) || !strings.Contains(f.Say.EN, last.EN) ||
			!strings.Contains(f.Say.ZH, "鄂卫函〔2026〕18号") || f.Remedy.ZH == "" {
			t.Errorf("%s: %v", story, err)
		}
	}
	if n := one[int](o.town, `SELECT count(*) FROM decision WHERE stage = 'sign'`); n != 7 {
		t.Errorf("%d decisions at signing kept", n)
	}
	if n := one[int](o.town, `SELECT count(*) FROM audit_entry WHERE action = 'decision.rx_scope'`); n != 6 {
		t.Errorf("%d refusals in the audit", n)
	}
}

// A person may ask people to look; the answer is in words, and nobody can allow what the law refuses.
func TestHumanReview(t *testing.T) {
	o := newOffice(t)
	slots := o.slots(0, 10.5, 1)
	d, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.first(slots[0]).Ask)
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.AskReview(o.as(o.wang, "review.ask"), d.ID, "我在别的医院看过")
	if err != nil || r.Name != "王秀英" || r.Result != "" || !r.DueAt.Equal(o.now.Add(24*time.Hour)) {
		t.Fatalf("asked: %+v, %v", r, err)
	}
	if again, err := o.AskReview(o.as(o.wang, "review.ask"), d.ID, "再问"); err != nil || again.ID != r.ID || again.Note != "我在别的医院看过" {
		t.Errorf("asked twice: %+v, %v", again, err)
	}
	if _, err := o.AskReview(o.as(o.stranger, "review.ask"), d.ID, ""); code(err) != "not_found" {
		t.Errorf("a stranger: %v", err)
	}
	passed, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.wish(slots[0]).Ask)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.AskReview(o.as(o.wang, "review.ask"), passed.ID, ""); code(err) != "no_review" {
		t.Errorf("what passed: %v", err)
	}
	list, err := o.Reviews(o.as(o.staff, "review.answer"))
	if err != nil || len(list) != 1 || list[0].Rules[0] != "VIS-11" {
		t.Fatalf("queue %+v, %v", list, err)
	}
	if other, err := o.Reviews(o.as(o.member("coordinator", 1), "review.answer")); err != nil || len(other) != 0 {
		t.Errorf("another hospital sees %d, %v", len(other), err)
	}
	answer := consult.ReviewAnswer{Result: "upheld", Answer: "这是第一次看心慌，要到医院当面看。"}
	if r, err = o.AnswerReview(o.as(o.staff, "review.answer"), r.ID, answer); err != nil || r.AnsweredBy != "coordinator" {
		t.Fatalf("answered %+v, %v", r, err)
	}
	if _, err := o.AnswerReview(o.as(o.staff, "review.answer"), r.ID, answer); code(err) != "review_answered" {
		t.Errorf("answered twice: %v", err)
	}
	if list, err = o.ReviewsOf(o.as(o.wang, "decision.read"), d.ID); err != nil || len(list) != 1 || list[0].Answer != answer.Answer || len(o.told[o.wang.Account]) != 1 {
		t.Errorf("the patient reads %+v, %v; told %v", list, err, o.told)
	}
	if list, err = o.ReviewsOf(o.as(o.stranger, "decision.read"), d.ID); err != nil || len(list) != 0 {
		t.Errorf("a stranger reads %+v, %v", list, err)
	}
	if stored, err := o.Decision(o.as(o.wang, "decision.read"), d.ID); err != nil || rules(stored.Decision) != "REDIRECT_OFFLINE VIS-11" {
		t.Errorf("the decision is now %s, %v", rules(stored.Decision), err)
	}
}

// EXC-02: only doctors on the list see patients under a policy with one; the list is a part of the version.
func TestOnlyDoctorsOnTheList(t *testing.T) {
	o := newOffice(t)
	slot := o.slots(0, 10.5, 1)[0]
	other := ids.New[ids.Practitioner]()
	o.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
		VALUES ($1, $2, 'physician', '周敏', '主治医师', 2, '执业医师', '{心血管内科}', true, 'passed', '2020-01-01')`, other, o.member("doctor", 0).Account)
	o.exec(`INSERT INTO registration VALUES ($1, $2, $3, 'primary', '42', '[2020-01-01,2030-01-01)', true)`, ids.New[ids.Registration](), other, o.hospital[0])
	list, err := o.PolicyDoctors(o.as(o.author, "policy.draft"), "")
	if err != nil || len(list) != 2 || !slices.ContainsFunc(list, func(d consult.ListedDoctor) bool { return d.ID == other && d.TitleRank == 2 && d.Years == 6 }) {
		t.Fatalf("to choose from: %+v, %v", list, err)
	}
	if list, err = o.PolicyDoctors(o.as(o.author, "policy.draft"), "周"); err != nil || len(list) != 1 {
		t.Errorf("by name: %+v, %v", list, err)
	}
	inForce := func(terms eligibility.Policy) consult.Policy {
		t.Helper()
		p, err := o.DraftPolicy(o.as(o.author, "policy.draft"), terms)
		if err != nil {
			t.Fatal(err)
		}
		p = o.simulated(p)
		for _, who := range []*authz.Subject{o.director, o.compliance} {
			if _, err := o.ApprovePolicy(o.as(who, "policy.approve"), p.ID, p.SHA256); err != nil {
				t.Fatal(err)
			}
		}
		if p, err = o.ActivatePolicy(o.as(o.author, "policy.activate"), p.ID); err != nil {
			t.Fatal(err)
		}
		return p
	}
	ask := func() string {
		d, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.first(slot).Ask)
		if err != nil {
			t.Fatal(err)
		}
		return rules(d)
	}
	if got := ask(); got != "REDIRECT_OFFLINE VIS-11" {
		t.Fatal(got)
	}
	terms := palpitations(o.now)
	terms.Physician.Whitelist, terms.Doctors = true, []string{other.String()}
	p := inForce(terms)
	if len(p.Doctors) != 1 || p.Doctors[0].Name != "周敏" || p.Simulation.Result.Passes != 0 || p.Simulation.Result.Other != 1 {
		t.Errorf("the list without Zhang: %+v, %+v", p.Doctors, p.Simulation.Result)
	}
	if got := ask(); got != "REQUIRE EXC-02" {
		t.Errorf("not on the list: %s", got)
	}
	terms.Doctors = append(terms.Doctors, o.doctor.Practitioner.String())
	if p = inForce(terms); p.Simulation.Result.Passes != 2 { // stored facts know no list of a draft
		t.Errorf("simulated with Zhang on the list: %+v", p.Simulation.Result)
	}
	if got := ask(); got != "ALLOW_COND EXC-05:QH-PALP@2" {
		t.Errorf("on the list: %s", got)
	}
	terms.Doctors = terms.Doctors[:1]
	inForce(terms)
	if got := ask(); got != "REQUIRE EXC-02" {
		t.Errorf("taken off by the next version: %s", got)
	}
}

// The approval document is kept once, and read by who reads the policy.
func TestTheApprovalDocument(t *testing.T) {
	o := newOffice(t)
	before := len(o.files.kept)
	draft := o.as(o.author, "policy.draft")
	var at sync.WaitGroup
	for range 4 { // sent again, by several at once
		at.Go(func() {
			if kept, err := o.KeepPolicyFile(draft, "again.pdf", approval); err != nil || kept.FileName != "批文.pdf" {
				t.Errorf("%+v, %v", kept, err)
			}
		})
		at.Go(func() {
			if _, err := o.KeepPolicyFile(draft, "new.pdf", []byte("%PDF-1.7 another")); err != nil {
				t.Error(err)
			}
		})
	}
	at.Wait()
	if len(o.files.kept) != before+1 {
		t.Errorf("%d files lie in the store, %d before", len(o.files.kept), before)
	}
	for want, file := range map[string][]byte{"file_missing": nil, "file_type": []byte("<html>"), "file_too_large": append([]byte("%PDF-1.7"), make([]byte, 10<<20)...)} {
		if _, err := o.KeepPolicyFile(draft, "x.pdf", file); code(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	o.files.away = errors.New("store is down")
	if _, err := o.KeepPolicyFile(draft, "x.pdf", []byte("%PDF-1.7 third")); err == nil || one[int](o.town, `SELECT count(*) FROM policy_file`) != 2 {
		t.Errorf("the store is down: %v", err)
	}
	o.files.away = nil
	p := o.draft()
	for _, who := range []*authz.Subject{o.director, o.member("regulator", 1)} {
		f, file, err := o.PolicyFile(o.as(who, "policy.read"), p.ID)
		if err != nil || f.FileName != "批文.pdf" {
			t.Fatal(f, err)
		}
		if text, err := io.ReadAll(file); err != nil || !bytes.Equal(text, approval) {
			t.Errorf("%q, %v", text, err)
		}
	}
	if _, _, err := o.PolicyFile(o.as(o.member("administrator", 1), "policy.read"), p.ID); code(err) != "not_found" {
		t.Errorf("another hospital's administrator: %v", err)
	}
	terms := palpitations(o.now)
	terms.Authority.DocSHA256 = strings.Repeat("c", 64)
	p, err := o.DraftPolicy(draft, terms)
	if err != nil || p.File != nil || len(p.Lacks) != 1 {
		t.Fatalf("without its file: %+v, %v", p.Lacks, err)
	}
	if _, _, err := o.PolicyFile(o.as(o.director, "policy.read"), p.ID); code(err) != "not_found" {
		t.Errorf("there is none: %v", err)
	}
	o.exec(`INSERT INTO policy_simulation SELECT $2, id, sha256, $3, 30, '{}', 0, drafted_by, now() FROM policy WHERE id = $1`, p.ID, ids.New[ids.Policy](), o.Rules.Hash())
	for _, who := range []*authz.Subject{o.director, o.compliance} {
		o.exec(`INSERT INTO policy_approval SELECT id, $2, drafted_by, sha256, now() FROM policy WHERE id = $1`, p.ID, who.Account)
	}
	if _, err := o.DB.Exec(t.Context(), `UPDATE policy SET state = 'active' WHERE id = $1`, p.ID); err == nil {
		t.Error("in force without its document")
	}
}

// What the operator's folder opens is about every hospital: one of them can't end or replace it, nor look into the others.
func TestOneHospitalIsNotTheHouse(t *testing.T) {
	o := newOffice(t)
	good := palpitations(o.now)
	good.Version, good.Status, good.Approvers = 1, "active", []string{"郑岩", "何静"}
	waiting := good
	waiting.ID, waiting.Status = "QH-WAIT", "draft"
	if _, err := o.ImportPolicies(t.Context(), []*eligibility.Policy{&good, &waiting}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.DraftPolicy(o.as(o.author, "policy.draft"), palpitations(o.now)); code(err) != "policy_id_taken" {
		t.Errorf("a hospital's version over the house's: %v", err)
	}
	id := one[ids.Policy](o.town, `SELECT id FROM policy WHERE policy_id = 'QH-WAIT'`)
	if _, err := o.SimulatePolicy(o.as(o.author, "policy.simulate"), id, 90); code(err) != "policy_imported" {
		t.Errorf("one hospital simulates over all: %v", err)
	}
	terms := palpitations(o.now)
	terms.ID = "QH-WAIT"
	if p, err := o.DraftPolicy(o.as(o.author, "policy.draft"), terms); err != nil || p.Ref != "QH-WAIT@2" || p.Institution != "医院0" {
		t.Errorf("taken up: %+v, %v", p, err)
	}
}

// strictName is a province's rule: real name with a live face before anybody is seen online.
func strictName(condition string) eligibility.Pack {
	return eligibility.Pack{Name: "hubei", Files: map[string]string{"HB-01.yaml": `id: HB-01
citation: 鄂卫规〔2026〕1号 第3条
confidence: read
jurisdiction: "42"
in_force: {from: 2026-01-01}
phase: 1
applies_to: {stages: [booking, start, in_visit, sign]}
condition: ` + condition + `
outcome: REQUIRE
message: {zh: 请先完成人脸核验。, en: Please pass the face check first.}
remedy: {zh: 打开实名认证，按提示做。, en: Open the real-name page and follow it.}
ways: [human_review]
cure: {patient: {realname_level: 3}}
cases:
  - story: checked by face
    patch: {institution: {province: "42", region: "420102"}, patient: {realname_level: 3}}
    fires: false
  - story: checked by number and name only
    patch: {institution: {province: "42", region: "420102"}, patient: {realname_level: 2}}
    fires: true
`}}
}

// A draft rule pack is simulated on screen over the own decisions, and only what was simulated comes into force.
func TestDraftRulesAreSimulatedBeforeTheyAreInForce(t *testing.T) {
	o := newOffice(t)
	house := func(pack eligibility.Pack) *consult.Service {
		rules, err := o.Rules.With(pack)
		if err != nil {
			t.Fatal(err)
		}
		return &consult.Service{DB: o.DB, Now: o.Now, Rules: rules, Signer: o.Signer}
	}
	good := strictName("patient.realname_level < 3")
	for place, hour := range []float64{10.5, 14} {
		if _, err := o.Eligibility(o.as(o.wang, "eligibility.ask"), o.wish(o.slots(place, hour, 1)[0]).Ask); err != nil {
			t.Fatal(err)
		}
	}
	if err := house(good).KeepLaw(t.Context()); err == nil || !strings.Contains(err.Error(), "never simulated") {
		t.Fatalf("in force unseen: %v", err)
	}
	simulate := o.as(o.author, "policy.simulate")
	for want, pack := range map[string]eligibility.Pack{
		"undeclared reference": strictName("patient.face < 3"),
		"the story says":       strictName("patient.realname_level < 2"),
		"holds no rule":        {Name: "hubei"},
		"country's own rules":  {Name: "cn", Files: good.Files},
	} {
		if _, err := o.TryRules(simulate, pack, 30); code(err) != "rules_unusable" || !strings.Contains(fault.As(err).Say.EN, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	trial, err := o.TryRules(simulate, good, 30)
	if err != nil || trial.Result.Judged != 1 || trial.Result.Fails != 1 || trial.Doctors[trial.Result.Doctors[0].Key] != "张建国" {
		t.Fatalf("the own decision: %+v, %v", trial, err)
	}
	if err := house(good).KeepLaw(t.Context()); err != nil {
		t.Errorf("simulated, and refused: %v", err)
	}
	changed := strictName("patient.realname_level < 3 && true")
	if err := house(changed).KeepLaw(t.Context()); err == nil {
		t.Error("other words came into force on the simulation of these")
	}
	rules, _ := o.Rules.With(changed)
	result, err := o.Replay(t.Context(), 30, func(law eligibility.Law) eligibility.Law {
		return eligibility.Law{Rules: rules, Policies: law.Policies}
	})
	if err != nil || result.Judged != 2 || result.Fails != 2 {
		t.Fatalf("the operator's: %+v, %v", result, err)
	}
	if err := o.KeepTrial(t.Context(), changed, rules, 30, result, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := house(changed).KeepLaw(t.Context()); err != nil {
		t.Errorf("simulated by the command, and refused: %v", err)
	}
	list, err := o.RuleTrials(o.as(o.director, "policy.read"))
	if err != nil || len(list) != 2 || list[0].By != "" || list[0].Result.Fails != 2 || len(list[0].Result.Examples) != 0 || len(list[1].Result.Examples) != 1 {
		t.Errorf("trials %+v, %v", list, err)
	}
	if list, err = o.RuleTrials(o.as(o.member("administrator", 1), "policy.read")); err != nil || len(list) != 1 {
		t.Errorf("another hospital reads %d, %v", len(list), err)
	}
}
