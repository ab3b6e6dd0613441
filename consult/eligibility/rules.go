package eligibility

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
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
	ID           string       `json:"id"`
	Citation     string       `json:"citation"`                 // instrument and article
	Confidence   string       `json:"confidence"`               // read, partial, recalled: how far the wording was checked; policy: ours, not law
	Jurisdiction string       `json:"jurisdiction"`             // GB/T 2260 prefix, 00 = the whole country
	InForce      InForce      `json:"in_force" yaml:"in_force"` //
	Phase        int          `json:"phase"`                    // of the algorithm
	AppliesTo    Applies      `json:"applies_to" yaml:"applies_to"`
	Condition    string       `json:"condition"`              // CEL over the schema; the rule fires when it is true
	Outcome      rule.Outcome `json:"outcome"`                // what the rule asks for when it fires
	Reclassifies bool         `json:"reclassifies,omitempty"` // a follow-up becomes a first visit
	Instead      *Instead     `json:"instead,omitempty"`
	Message      fault.Text   `json:"message"`
	Remedy       fault.Text   `json:"remedy"`
	Ways         []WayKind    `json:"ways,omitempty"`
	// Cure is a merge patch over the facts after which the rule no longer fires: what the remedy comes to.
	// {complaint}, {today}, {department}, {province} and {policy} are filled in. Empty: nothing cures it.
	Cure  map[string]any `json:"cure,omitempty"`
	Cases []Case         `json:"cases"`
	Pack  string         `json:"pack" yaml:"-"` // that the file came with

	fires cel.Program
}

// InForce is [From, Until) in local days. Of a rule of the national pack From is shown, not tested: it also
// answers for earlier days, because leaving a rule out opens what it keeps closed.
type InForce struct {
	From  Day  `json:"from"`
	Until *Day `json:"until,omitempty"`
}

// Applies says at which stages a rule is asked, and for which declared kinds of visit (none: for all).
type Applies struct {
	Stages []Stage  `json:"stages"`
	Kinds  []string `json:"kinds,omitempty"`
}

// Instead puts a local rule in the place of the wider ones of its id. Without it the stricter wins; only a
// document of a higher authority can say otherwise.
type Instead struct {
	Authority string `json:"authority"` // national, province, city: higher than the rule's own jurisdiction
	Document  string `json:"document"`
}

// Case is a small story that the tests run: a merge patch over the baseline facts.
type Case struct {
	Story string         `json:"story"`
	Patch map[string]any `json:"patch,omitempty"`
	Fires bool           `json:"fires"`
}

// RuleSet is a complete, type-checked set of rules: the national pack and the local ones laid over
// it. It is immutable and safe for concurrent use.
type RuleSet struct {
	packs   []Pack
	rules   map[string][]*Rule // of one id: the wider jurisdiction first
	order   [len(phases)][]string
	bends   bool // a local rule adds to phases 6 or 7, where the first that fires decides
	version string
	hash    string
}

// Version names the rule set by its packs and the beginning of its hash.
func (s *RuleSet) Version() string { return s.version }

// Hash is the SHA-256 of the packs, in hex: the rule set's address.
func (s *RuleSet) Hash() string { return s.hash }

// Packs are the files the rule set was read from.
func (s *RuleSet) Packs() []Pack { return s.packs }

// With is the rule set with a local pack over it, or in the place of the one of its name.
func (s *RuleSet) With(pack Pack) (*RuleSet, error) {
	if pack.Name == s.packs[0].Name {
		return nil, fmt.Errorf("%s is the name of the country's own rules", pack.Name)
	}
	local := slices.DeleteFunc(slices.Clone(s.packs[1:]), func(p Pack) bool { return p.Name == pack.Name })
	return LoadRules(s.packs[0], append(local, pack)...)
}

// Rules lists the rules in the order of evaluation.
func (s *RuleSet) Rules() []*Rule {
	var list []*Rule
	for _, phase := range s.order {
		for _, id := range phase {
			list = append(list, s.rules[id]...)
		}
	}
	return list
}

// Pack is a folder of rule files, one rule a file.
type Pack struct {
	Name  string            `json:"name"`
	Files map[string]string `json:"files"`
}

// ReadPack takes the *.yaml directly in dir.
func ReadPack(name string, dir fs.FS) (Pack, error) {
	p := Pack{name, map[string]string{}}
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		return p, fmt.Errorf("rule pack %s: %w", name, err)
	}
	for _, f := range files {
		if f.IsDir() || !strings.HasSuffix(f.Name(), ".yaml") {
			continue
		}
		text, err := fs.ReadFile(dir, f.Name())
		if err != nil {
			return p, fmt.Errorf("rule pack %s: %w", name, err)
		}
		p.Files[f.Name()] = string(text)
	}
	if len(p.Files) == 0 {
		return p, fmt.Errorf("rule pack %s: no *.yaml in it", name)
	}
	return p, nil
}

//go:embed rules/cn/*.yaml
var national embed.FS

// NationalPack is the law of the whole country.
func NationalPack() Pack {
	dir, err := fs.Sub(national, "rules/cn")
	if err != nil {
		panic(err) // only for an invalid path
	}
	p, err := ReadPack("cn", dir)
	if err != nil {
		panic(err) // the files are in the program
	}
	return p
}

// National is the rule set of the whole country, compiled once.
var National = sync.OnceValues(func() (*RuleSet, error) { return LoadRules(NationalPack()) })

// LoadRules compiles the national pack with local ones laid over it. Of the national pack every rule of the
// algorithm has to be there and no other. A local rule either has the id of a national one and is asked beside it
// (or, with instead, in its place), or an id of its own in phases 1 to 5, where it is asked after the national
// rules. A condition that reads an unknown fact, has another type than bool or could cost more than maxCost
// does not load.
func LoadRules(country Pack, local ...Pack) (*RuleSet, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	set := &RuleSet{packs: append([]Pack{country}, local...), rules: map[string][]*Rule{}}
	hash, names := sha256.New(), []string{}
	for at, pack := range set.packs {
		if slices.Contains(names, pack.Name) {
			return nil, fmt.Errorf("two rule packs are called %s", pack.Name)
		}
		names = append(names, pack.Name)
		for _, file := range slices.Sorted(maps.Keys(pack.Files)) {
			text := pack.Files[file]
			fmt.Fprintf(hash, "%s/%s %d\n%s", pack.Name, file, len(text), text)
			r, err := parseRule([]byte(text), env)
			if err == nil && r.ID != strings.TrimSuffix(file, ".yaml") {
				err = fmt.Errorf("holds rule %s", r.ID)
			}
			if err == nil {
				r.Pack = pack.Name
				err = set.take(r, at > 0)
			}
			if err != nil {
				return nil, fmt.Errorf("rule file %s of pack %s: %w", file, pack.Name, err)
			}
		}
		if at > 0 {
			continue
		}
		for phase, ids := range phases {
			for _, id := range ids {
				if set.rules[id] == nil {
					return nil, fmt.Errorf("rule pack %s: no rule %s of phase %d", pack.Name, id, phase)
				}
			}
			set.order[phase] = slices.Clone(ids)
		}
	}
	set.hash = hex.EncodeToString(hash.Sum(nil))
	set.version = strings.Join(names, "+") + "@" + set.hash[:16]
	return set, nil
}

// take adds a rule where the algorithm has a place for it.
func (s *RuleSet) take(r *Rule, local bool) error {
	phase := slices.IndexFunc(phases[:], func(ids []string) bool { return slices.Contains(ids, r.ID) })
	same := s.rules[r.ID]
	switch {
	case !local && phase != r.Phase:
		return fmt.Errorf("the algorithm has no rule %s of phase %d", r.ID, r.Phase)
	case local != (r.Jurisdiction != "00"):
		return fmt.Errorf("jurisdiction %s: the national pack is 00, a local one a province, city or county", r.Jurisdiction)
	case local && (r.Phase < 1 || r.Phase > 7 || phase < 0 && r.Phase > 5):
		return fmt.Errorf("phase %d: a rule of its own belongs to phases 1 to 5", r.Phase)
	case len(same) > 0 && (same[0].Phase != r.Phase || same[0].Reclassifies != r.Reclassifies):
		return fmt.Errorf("phase and reclassifies must be those of the wider rule %s", r.ID)
	case slices.ContainsFunc(same, func(o *Rule) bool { return o.Jurisdiction == r.Jurisdiction && o.Pack == r.Pack }):
		return fmt.Errorf("stands twice")
	case r.Instead != nil && (r.Instead.Document == "" || !higher(r.Instead.Authority, r.Jurisdiction)):
		return fmt.Errorf("instead needs the document of an authority above jurisdiction %s", r.Jurisdiction)
	}
	if len(same) == 0 && local {
		s.order[r.Phase] = append(s.order[r.Phase], r.ID)
	}
	s.rules[r.ID] = append(same, r)
	slices.SortStableFunc(s.rules[r.ID], func(a, b *Rule) int { return cmp.Compare(a.reach(), b.reach()) })
	s.bends = s.bends || local && r.Phase > 5 && r.Instead == nil
	return nil
}

// reach: the whole country 0, a province 2, a city 4, a county 6.
func (r *Rule) reach() int {
	if r.Jurisdiction == "00" {
		return 0
	}
	return len(r.Jurisdiction)
}

// higher reports whether the authority stands above who makes rules for the jurisdiction.
func higher(authority, jurisdiction string) bool {
	level := slices.Index(levels, authority)
	return level >= 0 && level < len(jurisdiction)/2
}

// ruleID: letters of a chapter, and a number. A local one is free in its letters.
var ruleID = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*-[0-9]{2}$`)

func parseRule(text []byte, env *cel.Env) (*Rule, error) {
	var r Rule
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&r); err != nil {
		return nil, err
	}
	passing := func(c Case) bool { return !c.Fires }
	firing := func(c Case) bool { return c.Fires }
	known := func(all ...string) func(string) bool {
		return func(s string) bool { return !slices.Contains(all, s) }
	}
	switch {
	case !ruleID.MatchString(r.ID):
		return nil, fmt.Errorf("id %q is not letters and a number, such as VIS-11", r.ID)
	case r.Citation == "" || !regionPrefix.MatchString(r.Jurisdiction) || r.InForce.From == 0:
		return nil, fmt.Errorf("citation, jurisdiction (GB/T 2260 prefix) or in_force.from is missing")
	case r.InForce.Until != nil && *r.InForce.Until <= r.InForce.From:
		return nil, fmt.Errorf("in_force.until is not later than from")
	case !slices.Contains([]string{"read", "partial", "recalled", "policy"}, r.Confidence):
		return nil, fmt.Errorf("confidence has no word %q", r.Confidence)
	case r.Message.ZH == "" || r.Message.EN == "" || r.Remedy.ZH == "" || r.Remedy.EN == "":
		return nil, fmt.Errorf("message and remedy need zh and en")
	case len(r.AppliesTo.Stages) == 0 || r.Outcome == rule.Allow:
		return nil, fmt.Errorf("applies_to.stages or outcome is missing")
	case slices.ContainsFunc(r.AppliesTo.Stages, known(Booking, Start, InVisit, Sign)),
		slices.ContainsFunc(r.AppliesTo.Kinds, known(FollowUp, FirstVisit, HealthConsult, Accompanied)):
		return nil, fmt.Errorf("applies_to has an unknown word in %v", r.AppliesTo)
	case r.Outcome == rule.Emergency && r.Phase != 0:
		return nil, fmt.Errorf("only phase 0 says EMERGENCY")
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
