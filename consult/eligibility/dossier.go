package eligibility

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"yuanzhen/internal/rule"
)

// Ruling is what is signed of a decision: the answer, and the addresses of all it rests on.
type Ruling struct {
	ID          string          `json:"id"`
	At          time.Time       `json:"at"`
	Stage       Stage           `json:"stage"`
	Verdict     rule.Outcome    `json:"verdict"`
	Reasons     []string        `json:"reasons"`
	FactsSHA256 string          `json:"facts_sha256"`
	RuleSet     string          `json:"rule_set"`
	RulesSHA256 string          `json:"rules_sha256"`
	Policies    []PolicyVersion `json:"policies"`
}

// Ruling is the text to sign, in canonical form (RFC 8785).
func (d Decision) Ruling(id string, at time.Time) ([]byte, error) {
	text, err := json.Marshal(Ruling{id, at.UTC(), d.Stage, d.Verdict, ruleIDs(d.Reasons), d.FactsSHA256, d.RuleSet, d.RulesSHA256,
		append([]PolicyVersion{}, d.Policies...)})
	if err != nil {
		return nil, err
	}
	return Canonical(text)
}

// Dossier is a decision with everything that is needed to prove it and to judge it again without asking anybody.
type Dossier struct {
	Ruling    json.RawMessage   `json:"ruling"`
	Signature Signature         `json:"signature"`
	Facts     json.RawMessage   `json:"facts"`
	Rules     []Pack            `json:"rules"`
	Policies  []json.RawMessage `json:"policies"`
}

// Signature over the ruling. The key is the house's; whether it really is, its published list says.
type Signature struct {
	KeyID     string `json:"key_id"`
	Alg       string `json:"alg"` // Ed25519 (RFC 8032)
	Sig       []byte `json:"sig"`
	PublicKey []byte `json:"public_key"`
}

// KeyID names a public key by its hash.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Finding is what a check of a dossier has shown. What could not be checked is false.
type Finding struct {
	Ruling    Ruling   `json:"ruling"`
	Signature bool     `json:"signature"` // the ruling is what the key signed
	Facts     bool     `json:"facts"`     // the facts are those of the ruling
	Rules     bool     `json:"rules"`     // so are the rules,
	Policies  bool     `json:"policies"`  // and the policies
	Verdict   bool     `json:"verdict"`   // judged again: the same verdict, the same reasons in the same order
	Problems  []string `json:"problems"`
}

// Good reports whether everything was checked and holds.
func (f Finding) Good() bool { return f.Signature && f.Facts && f.Rules && f.Policies && f.Verdict }

// Check proves the signature, compares facts, rules and policies with the addresses in the ruling, and judges again.
// known spares the compiling of a rule set that is loaded already.
func (d Dossier) Check(known ...*RuleSet) (f Finding) {
	f.Problems = []string{}
	wrong := func(format string, args ...any) { f.Problems = append(f.Problems, fmt.Sprintf(format, args...)) }
	signed, err := Canonical(d.Ruling)
	if err == nil {
		err = json.Unmarshal(signed, &f.Ruling)
	}
	if err != nil {
		wrong("the ruling can't be read: %v", err)
		return f
	}
	switch key := ed25519.PublicKey(d.Signature.PublicKey); {
	case d.Signature.Alg != "Ed25519" || len(key) != ed25519.PublicKeySize || KeyID(key) != d.Signature.KeyID:
		wrong("signature: no Ed25519 key of the id %q", d.Signature.KeyID)
	case !ed25519.Verify(key, signed, d.Signature.Sig):
		wrong("signature: it does not fit the ruling")
	default:
		f.Signature = true
	}

	doc, err := parse(d.Facts)
	if err != nil {
		wrong("facts: %v", err)
		return f
	}
	defer doc.release()
	if f.Facts = doc.hash() == f.Ruling.FactsSHA256; !f.Facts {
		wrong("facts: their SHA-256 is %s, the ruling names %s", doc.hash(), f.Ruling.FactsSHA256)
	}

	var rules *RuleSet
	if i := slices.IndexFunc(known, func(s *RuleSet) bool {
		return s.Hash() == f.Ruling.RulesSHA256 && slices.EqualFunc(s.packs, d.Rules, samePack)
	}); i >= 0 {
		rules = known[i]
	} else if len(d.Rules) == 0 {
		wrong("rules: there are none in the file")
		return f
	} else if rules, err = LoadRules(d.Rules[0], d.Rules[1:]...); err != nil {
		wrong("rules: %v", err)
		return f
	}
	if f.Rules = rules.Hash() == f.Ruling.RulesSHA256 && rules.Version() == f.Ruling.RuleSet; !f.Rules {
		wrong("rules: they are %s (%s), the ruling names %s (%s)", rules.Version(), rules.Hash(), f.Ruling.RuleSet, f.Ruling.RulesSHA256)
	}

	policies, err := policiesOf(f.Ruling.Policies, d.Policies)
	if err != nil {
		wrong("policies: %v", err)
		return f
	}
	f.Policies = true

	again, err := rules.Decide(d.Facts, policies)
	if err != nil {
		wrong("verdict: %v", err)
		return f
	}
	if f.Verdict = again.Verdict == f.Ruling.Verdict && slices.Equal(ruleIDs(again.Reasons), f.Ruling.Reasons); !f.Verdict {
		wrong("verdict: judged again it is %v %v, the ruling says %v %v", again.Verdict, ruleIDs(again.Reasons), f.Ruling.Verdict, f.Ruling.Reasons)
	}
	return f
}

func samePack(a, b Pack) bool {
	if a.Name != b.Name || len(a.Files) != len(b.Files) {
		return false
	}
	for name, text := range a.Files {
		if other, ok := b.Files[name]; !ok || other != text {
			return false
		}
	}
	return true
}

// policiesOf puts the documents to the versions that a ruling names.
func policiesOf(versions []PolicyVersion, documents []json.RawMessage) (Policies, error) {
	byHash := map[string][]byte{}
	for _, doc := range documents {
		canonical, err := Canonical(doc)
		if err != nil {
			return Policies{}, err
		}
		sum := sha256.Sum256(canonical)
		byHash[hex.EncodeToString(sum[:])] = canonical
	}
	var list []*Policy
	for _, v := range versions {
		doc, there := byHash[v.SHA256]
		if !there {
			return Policies{}, fmt.Errorf("no document of %s with SHA-256 %s", v.Ref, v.SHA256)
		}
		p, err := ParsePolicy(doc, v.Status)
		if err != nil {
			return Policies{}, fmt.Errorf("%s: %w", v.Ref, err)
		}
		if p.Ref() != v.Ref || !bytes.Equal(p.Document(), doc) {
			return Policies{}, fmt.Errorf("the document named %s is that of %s", v.Ref, p.Ref())
		}
		list = append(list, p)
	}
	p := NewPolicies(list...)
	return p, p.Err()
}
