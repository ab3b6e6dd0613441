package eligibility

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"gopkg.in/yaml.v3"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/rule"
)

// Rule is one rule of law, read from a file of its own.
type Rule struct {
	ID           string
	Citation     string       // instrument and article
	Confidence   string       // read, partial, recalled: how far the wording was checked; policy: ours, not law
	Jurisdiction string       // GB/T 2260 prefix, 00 = the whole country
	InForce      InForce      `yaml:"in_force"`
	Phase        int          // of the algorithm
	Stages       []Stage      // at which the rule is asked
	Condition    string       // CEL over the schema; the rule fires when it is true
	Outcome      rule.Outcome // what the rule asks for when it fires
	Reclassifies bool         // a follow-up becomes a first visit
	Message      fault.Text
	Remedy       fault.Text
	Ways         []WayKind
	Cases        []Case

	fires cel.Program
}

// InForce is [From, Until). From is shown, not tested: a rule also answers for earlier
// days, because leaving a rule out opens what it keeps closed.
type InForce struct {
	From  Day
	Until *Day
}

// Case is a small story that the tests run: a merge patch over the baseline facts.
type Case struct {
	Story string
	Patch map[string]any
	Fires bool
}

// RuleSet is a complete, type-checked set of rules. It is immutable and safe for concurrent use.
type RuleSet struct {
	rules   map[string]*Rule
	version string
}

// Version names the rule set by the hash of its files.
func (s *RuleSet) Version() string { return s.version }

// Rules lists the rules in the order of evaluation.
func (s *RuleSet) Rules() []*Rule {
	var list []*Rule
	for _, phase := range phases {
		for _, id := range phase {
			list = append(list, s.rules[id])
		}
	}
	return list
}

//go:embed rules/cn/*.yaml
var national embed.FS

// National is the rule set of the whole country, compiled once.
var National = sync.OnceValues(func() (*RuleSet, error) {
	dir, err := fs.Sub(national, "rules/cn")
	if err != nil {
		return nil, err
	}
	return LoadRules("cn", dir)
})

// LoadRules reads the *.yaml of dir, one rule a file. Every rule of the algorithm has to be there
// and no other; a condition that reads an unknown fact, has another type than bool
// or could cost more than maxCost does not load.
func LoadRules(name string, dir fs.FS) (*RuleSet, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(dir, "*.yaml") // sorted
	if err != nil {
		return nil, err
	}
	set := &RuleSet{rules: map[string]*Rule{}}
	hash := sha256.New()
	for _, file := range files {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%s %d\n%s", file, len(text), text)
		r, err := parseRule(text, env)
		if err == nil && r.ID != strings.TrimSuffix(path.Base(file), ".yaml") {
			err = fmt.Errorf("holds rule %s", r.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("rule file %s: %w", file, err)
		}
		set.rules[r.ID] = r
	}
	known := 0
	for phase, ids := range phases {
		for _, id := range ids {
			if r := set.rules[id]; r == nil || r.Phase != phase {
				return nil, fmt.Errorf("rule set %s: no rule %s of phase %d", name, id, phase)
			}
			known++
		}
	}
	if known != len(set.rules) {
		return nil, fmt.Errorf("rule set %s: %d rules that the algorithm does not know", name, len(set.rules)-known)
	}
	set.version = name + "@" + hex.EncodeToString(hash.Sum(nil)[:8])
	return set, nil
}

func parseRule(text []byte, env *cel.Env) (*Rule, error) {
	var r Rule
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	passing := func(c Case) bool { return !c.Fires }
	firing := func(c Case) bool { return c.Fires }
	switch {
	case r.Citation == "" || r.Jurisdiction == "" || r.InForce.From == 0:
		return nil, fmt.Errorf("citation, jurisdiction or in_force.from is missing")
	case !slices.Contains([]string{"read", "partial", "recalled", "policy"}, r.Confidence):
		return nil, fmt.Errorf("confidence has no word %q", r.Confidence)
	case r.Message.ZH == "" || r.Message.EN == "" || r.Remedy.ZH == "" || r.Remedy.EN == "":
		return nil, fmt.Errorf("message and remedy need zh and en")
	case len(r.Stages) == 0 || r.Outcome == rule.Allow:
		return nil, fmt.Errorf("stages or outcome is missing")
	case !slices.ContainsFunc(r.Cases, passing) || !slices.ContainsFunc(r.Cases, firing):
		return nil, fmt.Errorf("needs a case that passes and one that fires")
	}
	for _, w := range r.Ways {
		if _, known := ways[w]; !known {
			return nil, fmt.Errorf("ways has no word %q", w)
		}
	}
	ast, issues := env.Compile(r.Condition)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("condition is %s, not bool", ast.OutputType())
	}
	if cost, err := env.EstimateCost(ast, sizes{}); err != nil || cost.Max > maxCost {
		return nil, fmt.Errorf("condition may cost %d, limit %d (%v)", cost.Max, maxCost, err)
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	r.fires = program
	return &r, err
}

// maxCost bounds a condition when it is loaded, so that nothing has to be counted when it runs: the
// dearest rule today is estimated at a fifth of it. There are no macros, hence no loops.
const maxCost = 1000

// environment declares the schema and nothing else.
func environment() (*cel.Env, error) {
	options := []cel.EnvOption{cel.ClearMacros(), cel.CrossTypeNumericComparisons(true)}
	for name, v := range schema {
		options = append(options, cel.Variable(name, v.typ))
	}
	return cel.NewEnv(options...)
}

// sizes tells the cost estimator what to expect: lists of at most 100 words of at most 20 characters.
type sizes struct{}

func (sizes) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	if n.Type().IsExactType(cel.StringType) {
		return &checker.SizeEstimate{Max: 20}
	}
	return &checker.SizeEstimate{Max: 100}
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
