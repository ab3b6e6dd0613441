package eligibility

import (
	"cmp"
	"fmt"
	"slices"

	"yuanzhen/internal/rule"
)

// Law is what a decision is made under.
type Law struct {
	Rules    *RuleSet
	Policies Policies
}

// Past is a stored decision as a simulation reads it.
type Past struct {
	ID     string
	Facts  []byte
	Doctor string // who was asked for; "" if nobody
}

// Simulation replays stored decisions under another law, one after the other: what it keeps does not grow with their
// number. Both answers are made anew, so that nothing but the difference of the two laws shows. Not for concurrent use.
type Simulation struct {
	before, after Law
	result        Simulated
	by            [3]map[string]*Shift
}

// Simulated is who would newly pass or fail.
type Simulated struct {
	Judged   int       `json:"judged"`
	Unusable int       `json:"unusable"` // facts that can't be judged any more
	Same     int       `json:"same"`     // verdict and reasons
	Passes   int       `json:"passes"`   // newly
	Fails    int       `json:"fails"`    // newly
	Other    int       `json:"other"`    // other reasons or another verdict, and neither newly passes nor fails
	Diseases []Shift   `json:"diseases"` // by category; only where somebody newly passes or fails
	Counties []Shift   `json:"counties"` // by the patient's region, GB/T 2260
	Doctors  []Shift   `json:"doctors"`
	Examples []Example `json:"examples"`
}

// Shift counts the newly passing and failing of one group.
type Shift struct {
	Key    string `json:"key"`
	Passes int    `json:"passes"`
	Fails  int    `json:"fails"`
}

// Example is one decision that would come out otherwise.
type Example struct {
	Decision string  `json:"decision"`
	Disease  string  `json:"disease"`
	County   string  `json:"county"`
	Age      int     `json:"age"`
	Kind     string  `json:"kind"`
	Before   Outcome `json:"before"`
	After    Outcome `json:"after"`
}

// Outcome is an answer in short.
type Outcome struct {
	Verdict rule.Outcome `json:"verdict"`
	Reasons []string     `json:"reasons"`
}

const (
	examplesEach = 5    // of each kind of change
	groupsAtMost = 5000 // counties of the country: 2,844; what comes later is counted in the sums only
)

// Simulate begins a simulation of the change from one law to another.
func Simulate(before, after Law) *Simulation {
	s := &Simulation{before: before, after: after, result: Simulated{Examples: []Example{}}}
	for i := range s.by {
		s.by[i] = map[string]*Shift{}
	}
	return s
}

// Assumed is the policy as if it were in force at all times: a draft is simulated over days before it begins.
func (p *Policy) Assumed() *Policy {
	c := *p
	c.Status, c.always = "active", true
	return &c
}

// Add judges one past decision under both laws.
func (s *Simulation) Add(past Past) {
	doc, err := parse(past.Facts)
	if err != nil {
		s.result.Judged++
		s.result.Unusable++
		return
	}
	defer doc.release()
	s.result.Judged++
	before, err := s.before.Rules.decide(doc, s.before.Policies, past.Doctor)
	after, err2 := s.after.Rules.decide(doc, s.after.Policies, past.Doctor)
	if err != nil || err2 != nil {
		s.result.Unusable++
		return
	}
	passed, passes := before.Verdict.Passes(), after.Verdict.Passes()
	var count *int
	switch same := before.Verdict == after.Verdict && slices.EqualFunc(before.Reasons, after.Reasons, func(a, b rule.Reason) bool { return a.Rule == b.Rule }); {
	case same:
		s.result.Same++
		return
	case !passed && passes:
		count = &s.result.Passes
	case passed && !passes:
		count = &s.result.Fails
	default:
		count = &s.result.Other
	}
	*count++
	f, err := decode(doc.node)
	if err != nil { // an emergency, whose other facts are of no use
		f = &Facts{}
	}
	if *count <= examplesEach {
		s.result.Examples = append(s.result.Examples, Example{past.ID, category(f.Visit.Complaint.ICD10), f.Patient.Region, Age(f.Patient.BirthDate, localDay(f.Now)),
			f.Visit.DeclaredKind, Outcome{before.Verdict, ruleIDs(before.Reasons)}, Outcome{after.Verdict, ruleIDs(after.Reasons)}})
	}
	if passed == passes {
		return
	}
	for i, key := range [3]string{category(f.Visit.Complaint.ICD10), f.Patient.Region, past.Doctor} {
		shift := s.by[i][key]
		if shift == nil {
			if len(s.by[i]) >= groupsAtMost {
				continue
			}
			shift = &Shift{Key: key}
			s.by[i][key] = shift
		}
		if passes {
			shift.Passes++
		} else {
			shift.Fails++
		}
	}
}

// Result is what was found so far, the largest groups first.
func (s *Simulation) Result() Simulated {
	r := s.result
	for i, to := range [3]*[]Shift{&r.Diseases, &r.Counties, &r.Doctors} {
		*to = []Shift{}
		for _, shift := range s.by[i] {
			*to = append(*to, *shift)
		}
		slices.SortFunc(*to, func(a, b Shift) int {
			return cmp.Or(cmp.Compare(b.Passes+b.Fails, a.Passes+a.Fails), cmp.Compare(a.Key, b.Key))
		})
	}
	return r
}

// String says in one line what a simulation has found.
func (r Simulated) String() string {
	return fmt.Sprintf("%d judged: %d newly pass, %d newly fail, %d otherwise, %d unchanged, %d unusable", r.Judged, r.Passes, r.Fails, r.Other, r.Same, r.Unusable)
}
