// Package eligibility answers one question: may this visit go online, now, with this doctor?
//
// It reads a facts document and a folder of first-visit policies, and nothing else: no
// database, no clock, no network. The same facts and policies always give the same answer, with
// every reason in a fixed order.
//
// The law is data: a rule is a file under rules/ with its citation, a condition in CEL over the facts
// (schema.go), texts, and cases that the tests run. What is Go is the algorithm
// that orders the rules (this file), the reading of facts (facts.go) and of policies (policy.go).
package eligibility

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"

	"yuanzhen/internal/rule"
)

// phases is the order of evaluation. Phase 0 is the only one that stops the others; phases
// 1 to 5 ask every rule.
//
//	0 emergency · 1 identity · 2 institution · 3 practitioner · 4 minors · 5 consent
//	6 kind of visit · 7 exceptions for first visits
var phases = [...][]string{
	{"VIS-01"},
	{"IDX-01", "IDX-02", "IDX-03"},
	{"LIC-01", "LIC-02", "LIC-03", "LIC-04"},
	{"IDX-04", "DOC-01", "DOC-02", "DOC-03", "DOC-04", "MPP-02", "MPP-04", "MPP-05"},
	{"MIN-01", "MIN-02", "MIN-03"},
	{"CON-01", "CON-02"},
	{"VIS-09", "VIS-12", "VIS-07", "VIS-08", "VIS-04", "VIS-03", "VIS-05", "VIS-10", "VIS-06"},
	{"VIS-11", "EXC-01", "EXC-02", "EXC-03", "EXC-04", "EXC-05", "EXC-06"},
}

// kinds is phase 6: for each declared kind the rules in order, of which the first that fires
// decides and the others are not asked.
//
//	#   if                                                          report   phase 7?
//	1   condition changed, or judged unsuitable                     VIS-09   no
//	2   health consult                                              VIS-12   no
//	3   accompanied, attending doctor beside, patient in hospital   –        no
//	4   accompanied otherwise                                       VIS-07   no
//	5   first visit                                                 –        yes
//	6   follow-up, judged a first visit                             VIS-08   yes
//	7   no verified record counts, but a pending one does           VIS-04   no
//	8   no verified record counts                                   VIS-03   no
//	9   no verified record has the category of the complaint        VIS-05   yes
//	10  the category is not in the online catalogue                 VIS-10   no
//	11  the newest record of the category is beyond its window      VIS-06   no
//	12  otherwise                                                   –        no
var kinds = map[string][]string{
	HealthConsult: {"VIS-09", "VIS-12"},
	Accompanied:   {"VIS-09", "VIS-07"},
	FirstVisit:    {"VIS-09"},
	FollowUp:      {"VIS-09", "VIS-08", "VIS-04", "VIS-03", "VIS-05", "VIS-10", "VIS-06"},
}

// Decide answers for a facts document. An error means no verdict: the facts or the policies are
// unusable. Danger signs come before everything, also when the rest is missing or unusable.
func (s *RuleSet) Decide(facts []byte, policies Policies) (Decision, error) {
	doc, err := parse(facts)
	if err != nil {
		return Decision{}, err
	}
	defer doc.release()
	run := run{set: s, evaluation: &evaluation{Facts: &Facts{Visit: Visit{RedFlags: redFlags(doc.node)}}}}
	if !run.asks("VIS-01") {
		f, err := decode(doc.node)
		if err := errors.Join(doc.flaw, err, policies.err, run.err); err != nil {
			return Decision{}, err
		}
		run.evaluation = newEvaluation(f)
		run.gates()
		if run.kind() {
			run.firstVisit(policies)
		}
	}
	if run.err != nil {
		return Decision{}, run.err
	}
	return Decision{
		Stage:       run.Stage,
		Verdict:     rule.Worst(run.reasons),
		Reasons:     run.reasons,
		Ways:        run.ways(),
		RuleSet:     s.version,
		Policies:    policies.versions,
		FactsSHA256: doc.hash(),
	}, nil
}

// run is one evaluation in progress.
type run struct {
	*evaluation
	set     *RuleSet
	reasons []rule.Reason
	fired   []*Rule
	err     error // of a condition; there is no verdict then
}

// asks evaluates a rule and reports whether it fired.
func (r *run) asks(id string) bool {
	asked := r.set.rules[id]
	if !asked.asksAt(r.evaluation) {
		return false
	}
	fires, _, err := asked.fires.Eval(r.evaluation)
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("rule %s: %w", id, err))
		return false
	}
	if fires != types.True {
		return false
	}
	r.fired = append(r.fired, asked)
	r.reasons = append(r.reasons, asked.reason(r.exception.policy))
	return true
}

// asksAt: the stage restricts the rules that name it; an emergency is asked before the stage is known.
func (r *Rule) asksAt(e *evaluation) bool {
	return (r.Phase == 0 || slices.Contains(r.Stages, e.Stage)) &&
		(r.InForce.Until == nil || e.today < *r.InForce.Until)
}

// gates is phases 1 to 5.
func (r *run) gates() {
	for _, phase := range phases[1:6] {
		for _, id := range phase {
			r.asks(id)
		}
	}
}

// kind is phase 6. It reports whether the visit is a first visit, for which phase 7 decides.
func (r *run) kind() (first bool) {
	for _, id := range kinds[r.Visit.DeclaredKind] {
		if r.asks(id) {
			return r.set.rules[id].Reclassifies
		}
	}
	return r.Visit.DeclaredKind == FirstVisit
}

// firstVisit is phase 7. One policy in force decides alone, even if it turns the visit down.
func (r *run) firstVisit(policies Policies) {
	r.exception = policies.exception(r.Facts, r.age, r.category)
	if r.exception.policy == nil {
		r.asks("VIS-11")
		r.asks("EXC-01")
		return
	}
	doctor, guardian, severity := r.asks("EXC-02"), r.asks("EXC-03"), r.asks("EXC-04")
	r.exception.met = !doctor && !guardian && !severity
	r.asks("EXC-05")
	r.asks("EXC-06")
}

// reason is the rule as it is told. EXC-05 carries the policy that gives leave.
func (r *Rule) reason(policy *Policy) rule.Reason {
	told := rule.Reason{Rule: r.ID, Outcome: r.Outcome, Message: r.Message, Remedy: r.Remedy, Citation: r.Citation}
	if r.ID == "EXC-05" {
		told.Rule += ":" + policy.Ref()
		told.Message.ZH = strings.ReplaceAll(told.Message.ZH, "{policy}", policy.Name())
		told.Message.EN = strings.ReplaceAll(told.Message.EN, "{policy}", policy.Name())
	}
	return told
}
