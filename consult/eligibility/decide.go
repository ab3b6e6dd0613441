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

// In phase 6 the first line that matches decides; the lines below it are not looked at. The rules say for which
// declared kind they are asked.
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

// Decide answers for a facts document. An error means no verdict: the facts or the policies are
// unusable. Danger signs come before everything, also when the rest is missing or unusable.
func (s *RuleSet) Decide(facts []byte, policies Policies) (Decision, error) {
	doc, err := parse(facts)
	if err != nil {
		return Decision{}, err
	}
	defer doc.release()
	d, err := s.decide(doc, policies, "")
	d.FactsSHA256 = doc.hash()
	return d, err
}

// decide is Decide for a document that has been read, without its hash. A simulation names the doctor: stored facts know no
// whitelist of a draft.
func (s *RuleSet) decide(doc *document, policies Policies, doctor string) (Decision, error) {
	run := run{set: s, evaluation: &evaluation{Facts: &Facts{Visit: Visit{RedFlags: redFlags(doc.node)}}}}
	if !run.asks("VIS-01") {
		f, err := decode(doc.node)
		if err := errors.Join(doc.flaw, err, policies.err, run.err); err != nil {
			return Decision{}, err
		}
		if doctor != "" {
			f.Physician.Whitelists = append(f.Physician.Whitelists, policies.Listing(doctor)...)
		}
		run.evaluation = newEvaluation(f)
		run.gates()
		run.visit(policies)
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
		RulesSHA256: s.hash,
		Policies:    policies.versions,
		fired:       run.fired,
		policy:      run.exception.policy,
	}, nil
}

// run is one evaluation in progress.
type run struct {
	*evaluation
	set     *RuleSet
	wide    bool // ask only who would be asked without the local additions
	reasons []rule.Reason
	fired   []*Rule
	err     error // of a condition; there is no verdict then
}

// asks evaluates the rules of an id, the national one and those of the place, and reports whether one fired. Of
// several that fire the strictest is told.
func (r *run) asks(id string) bool {
	variants := r.set.rules[id]
	first := 0
	for i, v := range variants { // a document of a higher authority puts the wider rules aside
		if v.Instead != nil && v.asksAt(r.evaluation) && strings.HasPrefix(r.place(), v.Jurisdiction) {
			first = i
		}
	}
	var strictest *Rule
	for i, v := range variants[first:] {
		if i > 0 && (r.wide || v.Instead != nil) || !v.asksAt(r.evaluation) {
			continue
		}
		fires, _, err := v.fires.Eval(r.evaluation)
		if err != nil {
			r.err = errors.Join(r.err, fmt.Errorf("rule %s: %w", id, err))
			return false
		}
		if fires != types.True {
			continue
		}
		r.fired = append(r.fired, v)
		if strictest == nil || v.Outcome > strictest.Outcome {
			strictest = v
		}
	}
	if strictest == nil {
		return false
	}
	r.reasons = append(r.reasons, strictest.reason(r.exception.policy))
	return true
}

// asksAt: the stage restricts the rules that name it; an emergency is asked before the stage is known. A local
// rule is asked unless the visit is known to take place elsewhere.
func (r *Rule) asksAt(e *evaluation) bool {
	switch {
	case r.Phase == 0:
		return true
	case !slices.Contains(r.AppliesTo.Stages, e.Stage),
		len(r.AppliesTo.Kinds) > 0 && !slices.Contains(r.AppliesTo.Kinds, e.Visit.DeclaredKind),
		r.InForce.Until != nil && e.today >= *r.InForce.Until:
		return false
	case r.Jurisdiction == "00":
		return true
	}
	place := e.place()
	return e.today >= r.InForce.From && (strings.HasPrefix(place, r.Jurisdiction) || strings.HasPrefix(r.Jurisdiction, place))
}

// gates is phases 1 to 5.
func (r *run) gates() {
	for _, phase := range r.set.order[1:6] {
		for _, id := range phase {
			r.asks(id)
		}
	}
}

// visit is phases 6 and 7. Where the first that fires decides, a local rule that fires early could spare the
// visit a stricter one below: both ways are gone, and the stricter wins.
func (r *run) visit(policies Policies) {
	if !r.set.bends {
		r.branch(policies)
		return
	}
	wide, local := *r, *r
	wide.evaluation, local.evaluation = new(*r.evaluation), new(*r.evaluation)
	wide.reasons, wide.fired = slices.Clone(r.reasons), slices.Clone(r.fired)
	wide.wide = true
	wide.branch(policies)
	local.branch(policies)
	if rule.Worst(wide.reasons) > rule.Worst(local.reasons) {
		local = wide
	}
	err := errors.Join(wide.err, local.err)
	*r = local
	r.err = err
}

func (r *run) branch(policies Policies) {
	if r.kind() {
		r.firstVisit(policies)
	}
}

// kind is phase 6. It reports whether the visit is a first visit, for which phase 7 decides.
func (r *run) kind() (first bool) {
	for _, id := range r.set.order[6] {
		if r.asks(id) {
			return r.set.rules[id][0].Reclassifies
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
