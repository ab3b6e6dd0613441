package prescribe

import (
	"slices"
	"strings"

	"yuanzhen/consult"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/rule"
	"yuanzhen/prescribe/formulary"
)

// law is what the rules on prescription content ask beyond the checks (which hold RXE-04, -06, -07, -09, -12, -14,
// -18 and -20 as alerts). Each answer names its rule.
func (s *Service) law(o Order, facts consult.Standing, ps parties) []rule.Reason {
	reasons := append([]rule.Reason{}, unconfirmed(o)...)
	add := func(r *rule.Reason) {
		if r != nil {
			reasons = append(reasons, *r)
		}
	}
	add(otherDiagnosis(o, facts))
	add(s.highRisk(o))
	add(daysWithoutReason(o, s.Knowledge))
	add(s.notChronic(o))
	add(juniorWritesLong(o, ps))
	return reasons
}

// notAllowed refuses with the reasons of the law.
func notAllowed(reasons ...rule.Reason) error {
	return fault.New(fault.Refused, "prescription_not_allowed", "按规定，现在不能这样开处方。", "Under the rules this can't be prescribed now.").
		WithRemedy("请看下面的理由。", "See the reasons below.").
		With(map[string][]rule.Reason{"reasons": reasons})
}

var notInConsult = rule.Reason{Rule: "RXE-01", Outcome: rule.Deny,
	Message: fault.Text{ZH: "当前不可开具处方：不在就诊中。", EN: "Prescribing is not allowed now: the visit isn't running."},
	Remedy:  fault.Text{ZH: "请在就诊中开具。", EN: "Prescribe during the visit."}, Citation: "互联网诊疗管理办法(试行) 第18条"}

// madeByAI: a person fills in drug, dose, frequency and quantity (RXE-02).
func madeByAI(o Order) *rule.Reason {
	if !slices.ContainsFunc(o.Items, func(i Item) bool { return i.Provenance == "ai_generated" }) {
		return nil
	}
	return &rule.Reason{Rule: "RXE-02", Outcome: rule.Deny,
		Message: fault.Text{ZH: "严禁人工智能自动生成处方。", EN: "AI-generated prescriptions are banned."},
		Remedy:  fault.Text{ZH: "请由医生本人逐项填写。", EN: "The doctor fills in each line."}, Citation: "互联网诊疗监管细则(试行) 第21条"}
}

// herbalPieces: slices have a form of their own, never beside other medicines (RXE-08). The formulary holds none, so that
// nothing of them could be checked, and what is not checked is not prescribed.
func herbalPieces(o Order) *rule.Reason {
	if o.Type != "herbal" {
		return nil
	}
	return &rule.Reason{Rule: "RXE-08", Outcome: rule.Deny,
		Message: fault.Text{ZH: "中药饮片须单独开方；这里没有饮片资料，配伍和剂量核查不了，不能在线开具。", EN: "Herbal slices need a form of their own; there is no data about them here, nothing can be checked, and they are not prescribed online."},
		Remedy:  fault.Text{ZH: "请患者线下就诊开饮片；中成药在目录里的可以开。", EN: "Have the patient seen in person for slices; listed patent medicines can be prescribed."}, Citation: "处方管理办法 第6条"}
}

// otherDiagnosis: a follow-up treats what was diagnosed before (RXE-03), compared by ICD-10 category.
func otherDiagnosis(o Order, facts consult.Standing) *rule.Reason {
	known := func(code string) bool {
		return slices.ContainsFunc(facts.Evidence, func(e string) bool { return category(e) == category(code) })
	}
	if facts.Kind != "follow_up" || !slices.ContainsFunc(o.Diagnosis, func(code string) bool { return !known(code) }) {
		return nil
	}
	return &rule.Reason{Rule: "RXE-03", Outcome: rule.Deny,
		Message: fault.Text{ZH: "处方诊断须与既往诊断一致。", EN: "The diagnosis must match the earlier one."},
		Remedy:  fault.Text{ZH: "请改用已核实的诊断，或建议线下就诊。", EN: "Use the verified diagnosis, or send the patient to be seen in person."}, Citation: "互联网诊疗管理办法(试行) 第16、18条"}
}

func category(icd10 string) string { return icd10[:min(3, len(icd10))] }

// highRisk: injections other than antidiabetic ones (ATC A10), abortion drugs (G03XB) and anabolic hormones are
// not prescribed online (RXE-05).
func (s *Service) highRisk(o Order) *rule.Reason {
	for _, item := range o.Items {
		if item.Product != "" {
			continue
		}
		i := s.Knowledge.Ingredients[item.Ingredient]
		injected := item.Form == "inj" || slices.Contains([]string{"iv", "im", "sc", "id"}, item.Route) ||
			item.Route == "" && item.Form == "" && slices.Contains([]string{"iv", "im", "sc"}, i.MainRoute)
		anabolic := slices.ContainsFunc(i.RetailBans, func(b formulary.RetailBan) bool { return b.Reason == "anabolic_catalogue" })
		if injected && !strings.HasPrefix(i.ATC, "A10") || strings.HasPrefix(i.ATC, "G03XB") || anabolic {
			return &rule.Reason{Rule: "RXE-05", Outcome: rule.Deny,
				Message: fault.Text{ZH: i.Name.ZH + "属高风险用药，不得线上开具。", EN: i.Name.EN + " is a high-risk drug and is not prescribed online."},
				Remedy:  fault.Text{ZH: "请患者线下就诊。", EN: "Have the patient seen in person."}, Citation: "互联网医院管理办法(试行) 第21条"}
		}
	}
	return nil
}

// daysWithoutReason: more days than the type's norm need a written reason (RXE-13 to RXE-15, RXE-17).
func daysWithoutReason(o Order, kb *formulary.Knowledge) *rule.Reason {
	norm := kb.Rules[map[string]string{"general": "R_DAYS_GENERAL", "emergency": "R_DAYS_EMERGENCY", "long": "R_DAYS_LONG_DEFAULT"}[o.Type]]
	if strings.TrimSpace(o.DaysReason) != "" || !slices.ContainsFunc(o.Items, func(i Item) bool { return i.Days > norm.Limit }) {
		return nil
	}
	return &rule.Reason{Rule: "RXE-15", Outcome: rule.Require,
		Message: fault.Text{ZH: norm.Name.ZH + "；延长用量须注明理由。", EN: norm.Name.EN + "; state the reason for more."},
		Remedy:  fault.Text{ZH: "请减少天数，或填写理由。", EN: "Write fewer days, or the reason."}, Citation: "处方管理办法 第19条；长期处方管理规范(试行)"}
}

// notChronic: a long prescription is for a listed chronic condition (RXE-16).
func (s *Service) notChronic(o Order) *rule.Reason {
	listed := slices.ContainsFunc(s.Knowledge.Chronic, func(c formulary.Chronic) bool {
		return slices.ContainsFunc(o.Diagnosis, func(code string) bool { return formulary.HasPrefix(code, c.ICD10) })
	})
	if o.Type != "long" || listed {
		return nil
	}
	return &rule.Reason{Rule: "RXE-16", Outcome: rule.Deny,
		Message: fault.Text{ZH: "诊断不在长期处方病种内。", EN: "The diagnosis is not one for a long prescription."},
		Remedy:  fault.Text{ZH: "请改开一般处方。", EN: "Write a general prescription."}, Citation: "长期处方管理规范(试行)"}
}

// juniorWritesLong: long prescriptions are written from the intermediate title up (RXE-19).
func juniorWritesLong(o Order, ps parties) *rule.Reason {
	if o.Type != "long" || ps.TitleRank >= 2 {
		return nil
	}
	return &rule.Reason{Rule: "RXE-19", Outcome: rule.Deny,
		Message: fault.Text{ZH: "长期处方须由中级以上职称医师开具。", EN: "Long prescriptions need a doctor of intermediate title or above."},
		Remedy:  fault.Text{ZH: "请改开一般处方，或转上级医师。", EN: "Write a general prescription, or ask a senior doctor."}, Citation: "长期处方管理规范(试行) 第16条"}
}
