package eligibility

import (
	"encoding/json"
	"maps"
	"strings"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/rule"
)

// Decision is the answer with all that is needed to explain and to replay it.
type Decision struct {
	Stage       Stage
	Verdict     rule.Outcome
	Reasons     []rule.Reason
	Ways        []Way // out, for the person
	Prospect    *Prospect
	RuleSet     string // version of the rules
	RulesSHA256 string
	Policies    []PolicyVersion // every known policy, in order of precedence
	FactsSHA256 string          // of the facts document in canonical form (RFC 8785)

	fired  []*Rule
	policy *Policy // that decided alone
}

// Policy is the one that decided alone, nil where none was needed.
func (d Decision) Policy() *Policy { return d.policy }

// Answer is a decision as the command and the API print it.
type Answer struct {
	Verdict     rule.Outcome    `json:"verdict"`
	Reasons     []string        `json:"reasons"` // rule IDs in the order of evaluation
	Explained   []rule.Reason   `json:"explained,omitempty"`
	Ways        []Way           `json:"ways,omitempty"`
	Prospect    *Prospect       `json:"prospect,omitempty"`
	Stage       Stage           `json:"stage,omitempty"`
	RuleSet     string          `json:"rule_set"`
	RulesSHA256 string          `json:"rules_sha256"`
	Policies    []PolicyVersion `json:"policies,omitempty"`
	FactsSHA256 string          `json:"facts_sha256"`
}

// Answer is the decision in that form.
func (d Decision) Answer() Answer {
	return Answer{d.Verdict, ruleIDs(d.Reasons), d.Reasons, d.Ways, d.Prospect, d.Stage, d.RuleSet, d.RulesSHA256, d.Policies, d.FactsSHA256}
}

// MarshalJSON writes verdict and reasons as rule IDs, and the rest beside them.
func (d Decision) MarshalJSON() ([]byte, error) { return json.Marshal(d.Answer()) }

// ruleIDs is never nil: no reason is written [].
func ruleIDs(reasons []rule.Reason) []string {
	ids := make([]string, len(reasons))
	for i, r := range reasons {
		ids[i] = r.Rule
	}
	return ids
}

// Prospect is what would change the answer: with all these changes the check would say Then.
type Prospect struct {
	Changes []Change     `json:"changes"`
	Then    rule.Outcome `json:"then"`
}

// Change is what one rule waits for.
type Change struct {
	Rule string     `json:"rule"`
	Do   fault.Text `json:"do"`
}

// Judge is Decide with the prospect of a refusal that something can cure.
func (s *RuleSet) Judge(facts []byte, policies Policies) (Decision, error) {
	d, err := s.Decide(facts, policies)
	if err != nil || d.Verdict.Passes() || d.Verdict == rule.Emergency {
		return d, err
	}
	d.Prospect, err = s.prospect(facts, policies, d)
	return d, err
}

// rounds of curing: a cured rule may let another one speak, three times at most (identity, record, policy).
const rounds = 4

func (s *RuleSet) prospect(facts []byte, policies Policies, now Decision) (*Prospect, error) {
	var doc any
	if err := json.Unmarshal(facts, &doc); err != nil {
		return nil, err
	}
	p := &Prospect{Then: now.Verdict}
	cured := map[*Rule]bool{}
	for range rounds {
		before := len(p.Changes)
		for _, r := range now.fired {
			if r.Outcome <= rule.AllowCond && !r.Reclassifies || len(r.Cure) == 0 || cured[r] {
				continue
			}
			cured[r] = true
			changed, err := r.cure(doc, now.policy)
			if err != nil {
				return nil, err
			}
			doc = changed
			p.Changes = append(p.Changes, Change{r.ID, r.Remedy})
		}
		if len(p.Changes) == before {
			break
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		if now, err = s.Decide(text, policies); err != nil {
			return nil, err
		}
		if p.Then = now.Verdict; p.Then.Passes() {
			break
		}
	}
	if len(p.Changes) == 0 {
		return nil, nil
	}
	return p, nil
}

// cure applies the rule's cure to a facts document.
func (r *Rule) cure(doc any, policy *Policy) (any, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	read, err := parse(text)
	if err != nil {
		return nil, err
	}
	defer read.release()
	f, err := decode(read.node)
	if err != nil {
		return nil, err
	}
	ref := ""
	if policy != nil {
		ref = policy.Ref()
	}
	words := strings.NewReplacer("{complaint}", f.Visit.Complaint.ICD10, "{today}", localDay(f.Now).String(),
		"{department}", f.Visit.Department, "{province}", f.Institution.Province, "{policy}", ref)
	return merge(doc, filled(r.Cure, words)), nil
}

// filled puts the words into the strings of a value.
func filled(value any, words *strings.Replacer) any {
	switch v := value.(type) {
	case string:
		return words.Replace(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = filled(item, words)
		}
		return list
	case map[string]any:
		members := map[string]any{}
		for name, member := range v {
			members[name] = filled(member, words)
		}
		return members
	}
	return value
}

// merge applies a JSON merge patch (RFC 7386). The target is not changed.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := target.(map[string]any)
	merged := maps.Clone(old)
	if merged == nil {
		merged = map[string]any{}
	}
	for k, v := range changes {
		if v == nil {
			delete(merged, k)
		} else {
			merged[k] = merge(merged[k], v)
		}
	}
	return merged
}

// WayKind names a way out of a refusal.
type WayKind string

const (
	CallEmergency WayKind = "emergency"
	Upload        WayKind = "upload"
	OtherDoctor   WayKind = "other_doctor"
	OfflineSite   WayKind = "offline_site"
	HumanReview   WayKind = "human_review"
)

// Way is something the person can do instead.
type Way struct {
	Kind   WayKind    `json:"kind"`
	Title  fault.Text `json:"title"`
	Detail fault.Text `json:"detail"`
}

var ways = map[WayKind]Way{
	CallEmergency: {CallEmergency,
		fault.Text{ZH: "马上打 120", EN: "Call 120 now"},
		fault.Text{ZH: "说清您在哪里，或请身边的人送您去最近的急诊。", EN: "Say where you are, or have someone take you to the nearest emergency department."}},
	Upload: {Upload,
		fault.Text{ZH: "上传实体医院的病历", EN: "Upload a record from a hospital you visited"},
		fault.Text{ZH: "门诊病历、出院小结或诊断证明，拍照即可。", EN: "An outpatient note, discharge summary or diagnosis certificate; a photo will do."}},
	OtherDoctor: {OtherDoctor,
		fault.Text{ZH: "换一位医生或时间", EN: "Choose another doctor or time"},
		fault.Text{ZH: "您填的内容都会保留。", EN: "What you have filled in is kept."}},
	OfflineSite: {OfflineSite,
		fault.Text{ZH: "到实体医院就诊", EN: "Be seen in person"},
		fault.Text{ZH: "可以预约附近的线下门诊。", EN: "You can book a clinic near you."}},
	HumanReview: {HumanReview,
		fault.Text{ZH: "请人工复核", EN: "Ask a person to review this"},
		fault.Text{ZH: "对自动判定有疑问，可以要求说明并由工作人员复核（个人信息保护法第二十四条）。", EN: "You may ask for an explanation and for review by a person (Personal Information Protection Law, Article 24)."}},
}

// ways collects what the fired rules point to, the most pressing first. An emergency has one
// way only; every other refusal can be reviewed by a person.
func (r *run) ways() (list []Way) {
	pointed := map[WayKind]bool{}
	for _, fired := range r.fired {
		for _, way := range fired.Ways {
			pointed[way] = true
		}
	}
	outcome := rule.Worst(r.reasons)
	pointed[HumanReview] = !outcome.Passes() && outcome != rule.Emergency
	for _, kind := range []WayKind{CallEmergency, Upload, OtherDoctor, OfflineSite, HumanReview} {
		if pointed[kind] {
			list = append(list, ways[kind])
		}
	}
	return list
}
