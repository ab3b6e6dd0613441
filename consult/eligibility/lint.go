package eligibility

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
)

//go:embed testdata/baseline.json testdata/policies/*.yaml
var stage embed.FS

// Baseline is a complete facts document, an ordinary follow-up that is allowed; the stories of the rules are told over
// it, with policies made up for them.
func Baseline() ([]byte, Policies) {
	facts, err := stage.ReadFile("testdata/baseline.json")
	if err != nil {
		panic(err) // it is in the program
	}
	dir, err := fs.Sub(stage, "testdata/policies")
	if err != nil {
		panic(err) // only for an invalid path
	}
	return facts, LoadPolicies(dir)
}

// Patched is a facts document with a JSON merge patch (RFC 7386) over it.
func Patched(facts []byte, patch any) ([]byte, error) {
	var doc any
	if err := json.Unmarshal(facts, &doc); err != nil {
		return nil, err
	}
	if patch == nil {
		patch = map[string]any{}
	}
	return json.Marshal(merge(doc, patch))
}

// Tell runs one story of a rule. A story that fires also has to be cured by the rule's cure, if it has one.
func (s *RuleSet) Tell(r *Rule, c Case) error {
	baseline, policies := Baseline()
	facts, err := Patched(baseline, c.Patch)
	if err != nil {
		return err
	}
	d, err := s.Decide(facts, policies)
	if err != nil {
		return err
	}
	if fired := slices.Contains(d.fired, r); fired != c.Fires {
		return fmt.Errorf("fires: %v, the story says %v (%s %v)", fired, c.Fires, d.Verdict, ruleIDs(d.Reasons))
	}
	if !c.Fires || len(r.Cure) == 0 {
		return nil
	}
	var doc any
	if err := json.Unmarshal(facts, &doc); err != nil {
		return err
	}
	cured, err := r.cure(doc, d.policy)
	if err != nil {
		return err
	}
	if facts, err = json.Marshal(cured); err != nil {
		return err
	}
	d, err = s.Decide(facts, policies)
	if err == nil && slices.Contains(d.fired, r) {
		err = fmt.Errorf("the cure does not cure: it still fires")
	}
	return err
}

// Lint tells every story of the rule set and returns what does not hold.
func (s *RuleSet) Lint() (found []error) {
	for _, r := range s.Rules() {
		for _, c := range r.Cases {
			if err := s.Tell(r, c); err != nil {
				found = append(found, fmt.Errorf("%s (%s), %q: %w", r.ID, r.Pack, c.Story, err))
			}
		}
	}
	return found
}
