package eligibility

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Policy is one version of a first-visit policy: an authority's leave to see some patients
// online for the first time. A policy that is read wrongly could open what it should keep
// closed, so reading is strict. Its JSON is the policy file, status aside: what is in it
// never changes once it is made, its status does.
type Policy struct {
	ID            string      `json:"id"`
	Version       int         `json:"version"`
	Status        string      `json:"-"`
	Title         string      `json:"title"`
	Authority     Authority   `json:"authority"`
	From          time.Time   `json:"effective_from"`
	To            time.Time   `json:"effective_to"` // exclusive
	Predicate     Predicate   `json:"predicate"`
	Physician     DoctorTerms `json:"physician"`
	GuardianUnder int         `json:"guardian_under"`    // years, 0 = never
	MaxSeverity   string      `json:"max_severity"`      // mild, moderate, severe, any
	RxScope       string      `json:"rx_scope"`          // all, symptomatic, none, list:<id>
	Drugs         []string    `json:"drugs,omitempty"`   // what symptomatic and list:<id> mean: ATC codes, or the beginnings of a level
	Doctors       []string    `json:"doctors,omitempty"` // on its whitelist, by practitioner id

	Approvers []string `json:"-"` // as a policy file names them; kept with its state

	always bool // in force at all times: assumed by a simulation
}

// Authority is who gives leave, and by which document.
type Authority struct {
	Level       string `json:"level"` // national, province, city
	Name        string `json:"name"`
	DocNo       string `json:"doc_no"`
	DocSHA256   string `json:"doc_sha256,omitempty"`   // of the document's file, hex
	DiseaseOnly bool   `json:"disease_only,omitempty"` // the document itself names diseases and no other limit (EXC-07)
}

// DoctorTerms are what the policy asks of the doctor.
type DoctorTerms struct {
	MinTitle       float64 `json:"min_title"`
	MinYears       float64 `json:"min_years"`
	MinOnlineYears float64 `json:"min_online_years"`
	Whitelist      bool    `json:"whitelist"`
}

// Ref names the version: FX-PILOT@1.
func (p *Policy) Ref() string { return p.ID + "@" + strconv.Itoa(p.Version) }

// Name is the number of the document that gives leave, or the reference if the file has none.
func (p *Policy) Name() string { return cmp.Or(p.Authority.DocNo, p.Ref()) }

// Document is the policy in canonical form (RFC 8785), without its status. It is a policy file in JSON,
// which is YAML too.
func (p *Policy) Document() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings, numbers and times of years that were parsed
	}
	doc, err := Canonical(text)
	if err != nil {
		panic(err) // it has just been written
	}
	return doc
}

// Hash is the SHA-256 of the document in hex: the address of the version.
func (p *Policy) Hash() string {
	sum := sha256.Sum256(p.Document())
	return hex.EncodeToString(sum[:])
}

// PolicyVersion names a policy as a decision found it.
type PolicyVersion struct {
	Ref    string `json:"ref"`
	Status string `json:"status"`
	SHA256 string `json:"sha256"`
}

// Predicate says whom a policy is about. Every member present must hold; an empty list and an
// absent AgeLT match everyone.
type Predicate struct {
	Institutions  []string `json:"institutions,omitempty"`
	Provinces     []string `json:"institution_provinces,omitempty"`
	Departments   []string `json:"departments,omitempty"`
	Categories    []string `json:"icd10_cats,omitempty"`
	AgeLT         *int     `json:"age_lt,omitempty"`
	SpecialGroups []string `json:"special_groups,omitempty"`
	Schemes       []string `json:"schemes,omitempty"`
	Regions       []string `json:"regions,omitempty"`
	Scenarios     []string `json:"scenarios,omitempty"`
}

// statuses says which policies are known; the others are invisible to the check.
var statuses = map[string]bool{
	"active": true, "suspended": true, "revoked": true, "expired": true,
	"draft": false, "approved": false, "rejected": false,
}

// levels of authority, the highest first.
var levels = []string{"national", "province", "city"}

// Policies are the policies a decision knows. The zero value is none.
type Policies struct {
	known    []*Policy // in the order in which one decides alone
	versions []PolicyVersion
	err      error
}

// LoadPolicies reads every *.yaml directly in dir. If one of them is unusable no policy is:
// Err says why, and a decision with these Policies is refused, but for an emergency.
func LoadPolicies(dir fs.FS) Policies {
	list, err := ReadPolicies(dir)
	if err != nil {
		return Policies{err: err}
	}
	return NewPolicies(list...)
}

// ReadPolicies reads every *.yaml directly in dir, whatever its status.
func ReadPolicies(dir fs.FS) (list []*Policy, err error) {
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("policies unusable: %w", err)
	}
	var names []string
	var texts [][]byte
	for _, file := range files {
		if file.IsDir() || !strings.HasSuffix(file.Name(), ".yaml") {
			continue
		}
		text, err := fs.ReadFile(dir, file.Name())
		if err != nil {
			return nil, fmt.Errorf("policies unusable: %w", err)
		}
		names, texts = append(names, file.Name()), append(texts, text)
	}
	return readPolicies(names, texts)
}

// PoliciesOf reads policies that came in a request: each a file's text in a JSON string, or an object of the same form.
func PoliciesOf(sent []json.RawMessage) Policies {
	var names []string
	var texts [][]byte
	for i, one := range sent {
		text := []byte(one)
		var file string
		if json.Unmarshal(one, &file) == nil {
			text = []byte(file)
		}
		names, texts = append(names, fmt.Sprintf("policies[%d]", i)), append(texts, text)
	}
	list, err := readPolicies(names, texts)
	if err != nil {
		return Policies{err: err}
	}
	return NewPolicies(list...)
}

func readPolicies(names []string, texts [][]byte) (list []*Policy, err error) {
	seen := map[string]string{}
	for i, text := range texts {
		policy, err := ParsePolicy(text, "")
		if err != nil {
			return nil, fmt.Errorf("policy %s unusable: %w", names[i], err)
		}
		if other, twice := seen[policy.Ref()]; twice {
			return nil, fmt.Errorf("policies unusable: %s stands in %s and in %s", policy.Ref(), other, names[i])
		}
		seen[policy.Ref()] = names[i]
		list = append(list, policy)
	}
	return list, nil
}

// NewPolicies takes those that are known by their status.
func NewPolicies(list ...*Policy) (p Policies) {
	for _, policy := range list {
		if statuses[policy.Status] {
			p.known = append(p.known, policy)
		}
	}
	slices.SortFunc(p.known, precedence)
	for i, policy := range p.known {
		if i > 0 && policy.Ref() == p.known[i-1].Ref() {
			return Policies{err: fmt.Errorf("policies unusable: %s stands twice", policy.Ref())}
		}
		p.versions = append(p.versions, PolicyVersion{policy.Ref(), policy.Status, policy.Hash()})
	}
	return p
}

// All are the policies that are known, in the order in which one decides alone.
func (p Policies) All() []*Policy { return p.known }

// Err is nil if the folder is usable.
func (p Policies) Err() error { return p.err }

// precedence: highest authority, then latest beginning, smallest id, highest version.
func precedence(a, b *Policy) int {
	return cmp.Or(
		cmp.Compare(slices.Index(levels, a.Authority.Level), slices.Index(levels, b.Authority.Level)),
		b.From.Compare(a.From),
		cmp.Compare(a.ID, b.ID),
		cmp.Compare(b.Version, a.Version),
	)
}

// Replacing is p with a version in the place of every other version of the same policy.
func (p Policies) Replacing(policy *Policy) Policies {
	if p.err != nil {
		return p
	}
	rest := slices.DeleteFunc(slices.Clone(p.known), func(o *Policy) bool { return o.ID == policy.ID })
	return NewPolicies(append(rest, policy)...)
}

// holds reports whether the policy is about this visit, dates and status aside.
func (p *Predicate) holds(f *Facts, age int, category string) bool {
	lists := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	shares := func(list, values []string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	return lists(p.Institutions, f.Institution.ID) &&
		lists(p.Provinces, f.Institution.Province) &&
		lists(p.Departments, f.Visit.Department) &&
		(len(p.Categories) == 0 || category != "" && slices.Contains(p.Categories, category)) &&
		(p.AgeLT == nil || age < *p.AgeLT) &&
		shares(p.SpecialGroups, f.Patient.SpecialGroups) &&
		shares(p.Schemes, f.Patient.Schemes) &&
		(len(p.Regions) == 0 || slices.ContainsFunc(p.Regions, func(r string) bool { return strings.HasPrefix(f.Patient.Region, r) })) &&
		shares(p.Scenarios, f.Region.ActiveScenarios)
}

func (p *Policy) inForce(now time.Time) bool {
	return p.Status == "active" && (p.always || !now.Before(p.From) && now.Before(p.To))
}

// exception is what phase 7 is told about the policies.
type exception struct {
	candidates, inForce int
	policy              *Policy // that decides alone; nil if none is in force
	met                 bool    // none of its conditions turned the visit down
}

func (p Policies) exception(f *Facts, age int, category string) (e exception) {
	for _, policy := range p.known {
		if !policy.Predicate.holds(f, age, category) {
			continue
		}
		e.candidates++
		if policy.inForce(f.Now) {
			if e.inForce++; e.policy == nil {
				e.policy = policy
			}
		}
	}
	return e
}

// ParsePolicy reads one policy file. status, if given, is told apart from the file, which then need not have one.
func ParsePolicy(file []byte, status string) (*Policy, error) {
	if !utf8.Valid(file) {
		return nil, errors.New("not UTF-8")
	}
	var doc, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(file))
	if err := in.Decode(&doc); err != nil {
		return nil, err
	}
	if err := in.Decode(&more); err != io.EOF {
		return nil, errors.New("more than one document")
	}
	var err error
	top := section{err: &err}
	top.open(doc.Content[0])
	authority, predicate, physician := top.section("authority"), top.section("predicate"), top.section("physician")
	known := func(s string) bool { _, ok := statuses[s]; return ok }
	if status == "" {
		status = top.word("status", known)
	} else if !known(status) {
		top.fail("status", fmt.Sprintf("has no word %q", status))
	}
	p := &Policy{
		ID:      top.string("id"),
		Version: top.integer("version"),
		Status:  status,
		Title:   top.shown("title"),
		Authority: Authority{
			Level:       authority.word("level", func(s string) bool { return slices.Contains(levels, s) }),
			Name:        authority.shown("name"),
			DocNo:       authority.shown("doc_no"),
			DocSHA256:   authority.shown("doc_sha256"),
			DiseaseOnly: authority.shown("disease_only") == "true",
		},
		From: top.time("effective_from"),
		To:   top.time("effective_to"),
		Predicate: Predicate{
			Institutions:  predicate.strings("institutions"),
			Provinces:     predicate.strings("institution_provinces"),
			Departments:   predicate.strings("departments"),
			Categories:    predicate.strings("icd10_cats"),
			SpecialGroups: predicate.strings("special_groups"),
			Schemes:       predicate.strings("schemes"),
			Regions:       predicate.strings("regions"),
			Scenarios:     predicate.strings("scenarios"),
		},
		Physician: DoctorTerms{
			MinTitle:       physician.number("min_title"),
			MinYears:       physician.number("min_years"),
			MinOnlineYears: physician.number("min_online_years"),
			Whitelist:      physician.bool("whitelist"),
		},
		GuardianUnder: top.integer("guardian_under"),
		MaxSeverity:   top.word("max_severity", func(s string) bool { return s == "any" || slices.Contains(severities, s) }),
		RxScope:       top.word("rx_scope", isRxScope),
		Drugs:         top.names("drugs"),
		Doctors:       top.names("doctors"),
		Approvers:     top.names("approvers"),
	}
	if predicate.has("age_lt") {
		n := predicate.integer("age_lt")
		p.Predicate.AgeLT = &n
	}
	for _, region := range p.Predicate.Regions {
		if !regionPrefix.MatchString(region) {
			predicate.fail("regions", strconv.Quote(region)+" is not 2, 4 or 6 digits")
		}
	}
	if !p.From.Before(p.To) {
		top.fail("effective_to", "is not later than effective_from")
	}
	predicate.refuseOthers()
	physician.refuseOthers()
	return p, err
}

// regionPrefix: GB/T 2260 province, prefecture or county.
var regionPrefix = regexp.MustCompile(`^([0-9]{2}){1,3}$`)

// ATC is a code of any level of the Anatomical Therapeutic Chemical classification: R, R05, R05D, R05DA, R05DA09.
var ATC = regexp.MustCompile(`^[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?$`)

// Cover is what a policy says of a drug.
type Cover int

const (
	Unchecked Cover = iota // it can't be told: the drug has a part without a code, or the policy names no drugs
	Outside
	Within
)

// Covers reports whether a drug with these active ingredients (ATC codes, "" where one has none) is in the prescription scope.
func (p *Policy) Covers(ingredients []string) Cover {
	switch {
	case p.RxScope == "all":
		return Within
	case p.RxScope == "none":
		return Outside
	case len(p.Drugs) == 0 || len(ingredients) == 0 || slices.Contains(ingredients, ""):
		return Unchecked
	}
	for _, code := range ingredients {
		if !slices.ContainsFunc(p.Drugs, func(d string) bool { return ATC.MatchString(d) && strings.HasPrefix(code, d) }) {
			return Outside
		}
	}
	return Within
}

// Listing are the versions whose whitelist names the doctor, as the fact physician.whitelists has them.
func (p Policies) Listing(doctor string) []string {
	refs := []string{}
	for _, policy := range p.known {
		if slices.Contains(policy.Doctors, doctor) {
			refs = append(refs, policy.Ref())
		}
	}
	return refs
}

func isRxScope(s string) bool {
	id, list := strings.CutPrefix(s, "list:")
	return s == "all" || s == "symptomatic" || s == "none" || list && id != ""
}

// section reads one mapping of a policy file. The first failure is kept.
type section struct {
	path    string
	members map[string]*yaml.Node
	asked   map[string]bool
	err     *error
}

func (s *section) fail(name, what string) {
	if *s.err == nil {
		*s.err = fmt.Errorf("%s%s %s", s.path, name, what)
	}
}

// open takes the members of a plain mapping.
func (s *section) open(n *yaml.Node) {
	s.members, s.asked = map[string]*yaml.Node{}, map[string]bool{}
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		s.fail("", "is not a plain mapping")
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		switch {
		case name.ShortTag() != "!!str" || name.Kind != yaml.ScalarNode:
			s.fail(name.Value, "is not a plain name")
		case s.members[name.Value] != nil:
			s.fail(name.Value, "stands twice")
		case value.Kind == yaml.AliasNode || value.Anchor != "":
			s.fail(name.Value, "is an alias or anchor")
		}
		s.members[name.Value] = value
	}
}

func (s *section) section(name string) *section {
	sub := &section{path: s.path + name + ".", err: s.err}
	if n := s.want(name); n != nil {
		sub.open(n)
	}
	return sub
}

// refuseOthers fails if there is a member that nothing has asked for.
func (s *section) refuseOthers() {
	for name := range s.members {
		if !s.asked[name] {
			s.fail(name, "is not a known member")
		}
	}
}

func (s *section) has(name string) bool {
	if s.asked != nil {
		s.asked[name] = true
	}
	return s.members[name] != nil
}

// want finds a required member.
func (s *section) want(name string) *yaml.Node {
	if !s.has(name) {
		s.fail(name, "is missing")
	}
	return s.members[name]
}

// scalar is the text of a scalar that resolves to one of the tags. n may be nil.
func (s *section) scalar(name string, n *yaml.Node, tags ...string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.ShortTag()) {
		s.fail(name, fmt.Sprintf("is %s %q, not %s", n.ShortTag(), n.Value, strings.Join(tags, " or ")))
		return ""
	}
	return n.Value
}

func (s *section) string(name string) string {
	v := s.scalar(name, s.want(name), "!!str")
	if v == "" {
		s.fail(name, "is empty")
	}
	return v
}

// shown is the text of a member that does not affect the verdict, "" if there is none.
func (s *section) shown(name string) string {
	if n := s.members[name]; n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// names are the different texts of a list that does not affect the verdict.
func (s *section) names(name string) (list []string) {
	n := s.members[name]
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range n.Content {
		if item.Kind == yaml.ScalarNode && item.Value != "" && !slices.Contains(list, item.Value) {
			list = append(list, item.Value)
		}
	}
	return list
}

func (s *section) word(name string, known func(string) bool) string {
	v := s.string(name)
	if !known(v) {
		s.fail(name, fmt.Sprintf("has no word %q", v))
	}
	return v
}

func (s *section) time(name string) time.Time {
	t, err := parseTime(s.string(name))
	if err != nil {
		s.fail(name, "is not an RFC 3339 time")
	}
	return t
}

func (s *section) integer(name string) int {
	v := s.scalar(name, s.want(name), "!!int")
	n, err := strconv.Atoi(v)
	if err != nil || strconv.Itoa(n) != v {
		s.fail(name, "is not a decimal integer")
	}
	return n
}

// strings reads an optional list of strings.
func (s *section) strings(name string) (list []string) {
	if !s.has(name) {
		return nil
	}
	n := s.members[name]
	if n.Kind != yaml.SequenceNode {
		s.fail(name, "is not a list")
		return nil
	}
	for _, item := range n.Content {
		list = append(list, s.scalar(name, item, "!!str"))
	}
	return list
}

// number reads an optional number, 0 if absent.
func (s *section) number(name string) float64 {
	if !s.has(name) {
		return 0
	}
	f, err := strconv.ParseFloat(s.scalar(name, s.members[name], "!!int", "!!float"), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		s.fail(name, "is not a decimal number")
	}
	return f
}

// bool reads an optional boolean, false if absent.
func (s *section) bool(name string) bool {
	if !s.has(name) {
		return false
	}
	v := s.scalar(name, s.members[name], "!!bool")
	if v != "true" && v != "false" {
		s.fail(name, "is not true or false")
	}
	return v == "true"
}
