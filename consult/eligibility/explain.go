package eligibility

import (
	"encoding/json"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/rule"
)

// Decision is the answer with all that is needed to explain and to replay it.
type Decision struct {
	Stage       Stage
	Verdict     rule.Outcome
	Reasons     []rule.Reason
	Ways        []Way    // out, for the person
	RuleSet     string   // version of the rules
	Policies    []string // <id>@<version> of every known policy, in order of precedence
	FactsSHA256 string   // of the facts document in canonical form (RFC 8785)
}

// MarshalJSON writes verdict and reasons as rule IDs, and the rest beside them.
func (d Decision) MarshalJSON() ([]byte, error) {
	ids := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		ids[i] = r.Rule
	}
	return json.Marshal(struct {
		Verdict     rule.Outcome  `json:"verdict"`
		Reasons     []string      `json:"reasons"`
		Explained   []rule.Reason `json:"explained,omitempty"`
		Ways        []Way         `json:"ways,omitempty"`
		Stage       Stage         `json:"stage,omitempty"`
		RuleSet     string        `json:"rule_set"`
		Policies    []string      `json:"policies,omitempty"`
		FactsSHA256 string        `json:"facts_sha256"`
	}{d.Verdict, ids, d.Reasons, d.Ways, d.Stage, d.RuleSet, d.Policies, d.FactsSHA256})
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
