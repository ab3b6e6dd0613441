package check

import (
	"fmt"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// A level of warning in pregnancy or lactation.
var levels = map[string]Severity{"contra": formulary.Contraindicated, "avoid": formulary.Major, "caution": formulary.Moderate}

var saferChoice = fault.Text{ZH: "换用孕期资料充分的药物。", EN: "Choose a drug with good data in pregnancy."}

// pregnancy: the drug's level; contra_t3 grows with the trimester. An open question is an alert only for drugs
// that are contraindicated all through, and for a patient who may be pregnant (12 to 55 years, not male).
func (r *run) pregnancy() {
	p := r.c.Patient
	for _, d := range r.new {
		evidence := "ingredients:" + d.ID + ":pregnancy=" + d.Pregnancy
		switch {
		case !d.systemic() || p.Pregnancy == "no":
		case p.Pregnancy != "yes":
			if d.Pregnancy == "contra" && p.Sex != "M" && (r.months < 0 || r.months >= 12*12 && r.months < 56*12) {
				rule := r.kb.Rules["R_PREG_UNKNOWN"]
				r.add(alert("pregnancy_unknown", rule.Severity,
					fault.Text{ZH: d.Name.ZH + "妊娠禁用，患者妊娠状态未知。", EN: d.Name.EN + " is contraindicated in pregnancy, and nobody has asked."},
					fault.Text{ZH: "请询问并记录是否妊娠。", EN: "Ask, and record the answer."}, []string{d.ID}, evidence, "rx_rules:"+rule.ID))
			}
		case d.Pregnancy == "":
			r.notChecked(d.Ingredient, fault.Text{ZH: "没有妊娠期资料。", EN: "there is no pregnancy data."}, saferChoice, evidence)
		case d.Pregnancy == "contra_t3" && p.Trimester == 0:
			r.notChecked(d.Ingredient, fault.Text{ZH: "此药的风险随孕期变化，孕期不明。", EN: "its risk grows through pregnancy, and the trimester is unknown."},
				fault.Text{ZH: "请补录孕期。", EN: "Add the trimester."}, evidence)
		default:
			severity := levels[d.Pregnancy]
			if d.Pregnancy == "contra_t3" {
				severity = Severity(p.Trimester) // moderate, major, contraindicated
			}
			if severity > 0 {
				r.add(alert("pregnancy", severity,
					fault.Text{ZH: d.Name.ZH + "：孕期" + word[severity].ZH + "。", EN: d.Name.EN + ": " + word[severity].EN + " in pregnancy."},
					saferChoice, []string{d.ID}, evidence, fmt.Sprintf("trimester %d", p.Trimester)))
			}
		}
	}
}

var word = [...]fault.Text{formulary.Moderate: {ZH: "慎用", EN: "use with care"}, formulary.Major: {ZH: "避免使用", EN: "avoid"}, formulary.Contraindicated: {ZH: "禁用", EN: "contraindicated"}}

// lactation: the drug's level for a breast-feeding mother.
func (r *run) lactation() {
	if r.c.Patient.Lactation != "yes" {
		return
	}
	safer := fault.Text{ZH: "换用哺乳期资料充分的药物，或暂停哺乳。", EN: "Choose a drug with good data in lactation, or pause feeding."}
	for _, d := range r.new {
		evidence := "ingredients:" + d.ID + ":lactation=" + d.Lactation
		switch severity := levels[d.Lactation]; {
		case !d.systemic():
		case d.Lactation == "":
			r.notChecked(d.Ingredient, fault.Text{ZH: "没有哺乳期资料。", EN: "there is no lactation data."}, safer, evidence)
		case severity > 0:
			r.add(alert("lactation", severity,
				fault.Text{ZH: d.Name.ZH + "：哺乳期" + word[severity].ZH + "。", EN: d.Name.EN + ": " + word[severity].EN + " while breast-feeding."},
				safer, []string{d.ID}, evidence))
		}
	}
}
