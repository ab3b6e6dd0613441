package check

import (
	"math"
	"strconv"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// egfr by CKD-EPI 2021 in mL/min/1.73 m²: adults only. Creatinine 88.4 µmol/L is 1 mg/dL.
func egfr(female bool, years int, creatinine float64) float64 {
	kappa, alpha, factor := 0.9, -0.302, 1.0
	if female {
		kappa, alpha, factor = 0.7, -0.241, 1.012
	}
	ratio := creatinine / 88.4 / kappa
	return 142 * math.Pow(min(ratio, 1), alpha) * math.Pow(max(ratio, 1), -1.2) * math.Pow(0.9938, float64(years)) * factor
}

// renal: of a drug's rows the one with the lowest threshold above the patient's eGFR. For children there is no rule.
func (r *run) renal() {
	p := r.c.Patient
	if r.child() {
		return
	}
	measured := !p.Creatinine.IsZero()
	rate, said := 0.0, ""
	if measured && r.months >= 0 && p.Sex != "" {
		rate = egfr(p.Sex == "F", r.months/12, p.Creatinine.Ratio().Float())
		said = strconv.FormatFloat(rate, 'f', 0, 64)
	}
	for _, d := range r.new {
		if !d.systemic() || len(d.Renal) == 0 {
			continue
		}
		if unknown := r.kb.Rules["R_RENAL_UNKNOWN"]; r.months >= 65*12 && (!measured || int(p.CreatinineDays) > unknown.Limit) {
			r.rule(unknown, d.ID)
		}
		if !measured {
			continue
		}
		if r.months < 0 || p.Sex == "" {
			r.notChecked(d.Ingredient, fault.Text{ZH: "缺年龄或性别，无法由肌酐估算肾功能。", EN: "without age and sex the eGFR can't be computed."},
				fault.Text{ZH: "请补录年龄和性别。", EN: "Add age and sex."}, d.Renal[0].Row)
			continue
		}
		r.renalRow(d, rate, said)
	}
}

var renalSeverity = map[string]Severity{"monitor": formulary.Moderate, "reduce": formulary.Moderate, "avoid": formulary.Major, "contra": formulary.Contraindicated}

func (r *run) renalRow(d *part, rate float64, said string) {
	var row *formulary.Renal
	for i := range d.Renal {
		next := &d.Renal[i]
		if rate >= float64(next.Below) {
			continue
		}
		if row == nil || next.Below < row.Below || next.Below == row.Below && renalSeverity[next.Action] > renalSeverity[row.Action] {
			row = next
		}
	}
	if row == nil {
		return
	}
	severity, advice := renalSeverity[row.Action], renalAdvice[row.Action]
	below := strconv.Itoa(row.Below)
	evidence := append(make([]string, 0, 4), row.Row, row.Source, "eGFR "+said+" < "+below)
	if !row.DailyMax.IsZero() {
		total := r.intakeOf(d.Ingredient)
		if !total.whole {
			r.unknownDose(d.Ingredient, row.Row)
		}
		if !total.known.Over(row.DailyMax) {
			return
		}
		limit := row.DailyMax.In(d.Unit)
		severity = formulary.Major
		advice = fault.Text{ZH: "日剂量减至" + limit + "以内", EN: "reduce to at most " + limit + " a day"}
		evidence = append(evidence, total.known.In(d.Unit)+"/d > "+limit+"/d")
	}
	r.add(alert("renal", severity,
		fault.Text{ZH: d.Name.ZH + "：eGFR约" + said + "，低于" + below + "，" + advice.ZH + "。",
			EN: d.Name.EN + ": eGFR about " + said + ", below " + below + ": " + advice.EN + "."},
		fault.Text{ZH: advice.ZH + "。", EN: advice.EN + "."}, []string{d.ID}, evidence...))
}

var renalAdvice = map[string]fault.Text{
	"monitor": {ZH: "监测肾功能", EN: "monitor kidney function"}, "reduce": {ZH: "按说明书减量", EN: "reduce the dose by the label"},
	"avoid": {ZH: "避免使用", EN: "avoid"}, "contra": {ZH: "禁用，换药", EN: "contraindicated, choose another drug"},
}
