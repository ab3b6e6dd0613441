package check

import (
	"fmt"
	"slices"
	"strings"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// ceiling is a limit that applies to this patient.
type ceiling struct {
	max      formulary.Amount
	severity Severity // just above it
	row      string
}

// step is the severity of an amount against the ceiling: twice when it is more than twice as much.
func (c ceiling) step(a formulary.Amount, twice Severity) Severity {
	switch {
	case a.Over(c.max.Times(formulary.NewRatio(2, 1))):
		return twice
	case a.Over(c.max):
		return c.severity
	}
	return 0
}

var stateDose = fault.Text{ZH: "请写明剂量和可换算的单位。", EN: "State the dose in a unit that can be converted."}

func (r *run) unknownDose(i *formulary.Ingredient, row string) {
	r.notChecked(i, fault.Text{ZH: "日剂量不明或单位无法换算。", EN: "its daily dose is unknown, or the unit can't be converted."}, stateDose, row)
}

// doses: the cumulative daily dose of each new ingredient against every limit that applies, the weekly drugs,
// and the single dose where the day's total has not been told already.
func (r *run) doses() {
	for _, p := range r.new {
		if p.site() != "" {
			continue
		}
		known := p.single.Comparable(p.None)
		if !known && (p.limitedAtOnce() || !r.syrup(p)) {
			r.unknownDose(p.Ingredient, "ingredients:"+p.ID+":dose_unit="+p.Unit)
		}
		told := r.dailyDose(p)
		if known {
			r.weekly(p)
		}
		if known && !told {
			r.singleDose(p)
		}
	}
}

// limitedAtOnce reports that some limit asks for the size of one dose.
func (p *part) limitedAtOnce() bool {
	return !p.SingleMax.IsZero() || slices.ContainsFunc(p.Limits, func(l formulary.Limit) bool { return !l.Amount.IsZero() })
}

// syrup reports that a solution to drink is written in millilitres, as people take it. Of one that has no limit nothing is
// left open; 5 mL of morphine or of insulin is no dose, limit or not.
func (r *run) syrup(p *part) bool {
	return p.form == "sol" && p.route == "po" && r.c.Items[p.item].Unit == "mL" && control(p) == ""
}

func (r *run) dailyDose(p *part) (told bool) {
	ceilings := r.dailyCeilings(p)
	total := r.intakeOf(p.Ingredient)
	var worst Alert
	for _, c := range ceilings {
		if !total.whole {
			r.unknownDose(p.Ingredient, c.row)
		}
		severity := c.step(total.known, formulary.Contraindicated)
		if severity < worst.Severity || severity == 0 {
			continue
		}
		is, may := total.known.In(p.Unit)+"/d", c.max.In(p.Unit)+"/d"
		found := alert("dose_daily_max", severity,
			fault.Text{ZH: p.Name.ZH + "每日合计" + is + "，超过上限" + may + "。", EN: p.Name.EN + ": " + is + " in all, over the limit of " + may + "."},
			fault.Text{ZH: "减至" + may + "以内。", EN: "Reduce to at most " + may + "."}, []string{p.ID}, c.row, is+" > "+may)
		if severity > worst.Severity || found.Evidence[0] < worst.Evidence[0] {
			worst = found
		}
	}
	if worst.Severity > 0 {
		r.add(worst)
	}
	return worst.Severity > 0
}

// dailyCeilings: children get the lowest of all of them, as do adults; each keeps its own severity.
func (r *run) dailyCeilings(p *part) []ceiling {
	var all []ceiling
	if !p.DailyMax.IsZero() {
		all = append(all, ceiling{p.DailyMax, formulary.Major, "ingredients:" + p.ID + ":adult_daily_max"})
	}
	weight := r.c.Patient.WeightKg
	switch row := "ingredients:" + p.ID + ":paed_max_per_kg_day"; {
	case r.months < 0 && (!p.PerKgDay.IsZero() || !p.ChildDailyCap.IsZero()):
		r.needsAge(p.Ingredient, row)
	case !r.child():
	default:
		if !p.PerKgDay.IsZero() && !weight.IsZero() { // a missing weight is told by R_CHILD_WEIGHT
			all = append(all, ceiling{p.PerKgDay.Times(weight.Ratio()), formulary.Major, row})
		}
		if !p.ChildDailyCap.IsZero() {
			all = append(all, ceiling{p.ChildDailyCap, formulary.Major, "ingredients:" + p.ID + ":paed_daily_cap"})
		}
	}
	for _, l := range p.Limits {
		if l.Kind == "max_daily" && r.applies(p, l) {
			all = append(all, ceiling{l.Amount, l.Severity, limitRow(l)})
		}
	}
	return all
}

func (r *run) singleDose(p *part) {
	var ceilings []ceiling
	if !p.SingleMax.IsZero() {
		ceilings = append(ceilings, ceiling{p.SingleMax, formulary.Moderate, "ingredients:" + p.ID + ":adult_single_max"})
	}
	for _, l := range p.Limits {
		if l.Kind == "max_single" && r.applies(p, l) {
			ceilings = append(ceilings, ceiling{l.Amount, l.Severity, limitRow(l)})
		}
	}
	for _, c := range ceilings {
		if severity := c.step(p.single, min(c.severity+1, formulary.Contraindicated)); severity > 0 {
			is, may := p.single.In(p.Unit), c.max.In(p.Unit)
			r.add(alert("dose_single_max", severity,
				fault.Text{ZH: p.Name.ZH + "单次" + is + "，超过上限" + may + "。", EN: p.Name.EN + ": " + is + " at once, over the limit of " + may + "."},
				fault.Text{ZH: "分次服用或减量。", EN: "Divide or reduce the dose."}, []string{p.ID}, c.row, is+" > "+may))
		}
	}
}

// weekly: drugs that are taken once a week, where "daily" is a deadly slip of the pen.
func (r *run) weekly(p *part) {
	once := p.weekly.Sign() > 0 && p.weekly.Ratio().Cmp(formulary.NewRatio(1, 1)) <= 0
	for _, l := range p.Limits {
		switch l.Kind {
		case "weekly_only":
		case "weekly_only_if_single_ge":
			if l.Amount.Over(p.single) {
				continue
			}
		default:
			continue
		}
		if !once {
			r.add(alert("weekly_only", l.Severity,
				fault.Text{ZH: p.Name.ZH + "：每周只用一次，处方写成了更频繁。", EN: p.Name.EN + " is taken once a week; this prescription says more often."},
				fault.Text{ZH: "改为每周一次，并告知患者固定在星期几。", EN: "Write once weekly, and agree on the day of the week."}, []string{p.ID}, l.Row, l.Source))
			continue
		}
		if l.Kind != "weekly_only" {
			continue
		}
		// The value of weekly_only is the most for one week.
		if severity := (ceiling{max: l.Amount, severity: formulary.Major}).step(p.single, formulary.Contraindicated); severity > 0 {
			is, may := p.single.In(p.Unit)+"/wk", l.Amount.In(p.Unit)+"/wk"
			r.add(alert("dose_weekly_max", severity,
				fault.Text{ZH: p.Name.ZH + "每周" + is + "，超过上限" + may + "。", EN: p.Name.EN + ": " + is + ", over the limit of " + may + "."},
				fault.Text{ZH: "减至" + may + "以内。", EN: "Reduce to at most " + may + "."}, []string{p.ID}, l.Row, is+" > "+may))
		}
	}
}

// durations: drugs that must not be taken, or handed out, for longer than some days.
func (r *run) durations() {
	for _, p := range r.new {
		for _, l := range p.Limits {
			if l.Days == 0 || p.days <= l.Days || p.site() != "" || !r.applies(p, l) {
				continue
			}
			kind, zh, en := "duration_max", "疗程", "taken for"
			if l.Kind == "max_dispense_d" {
				kind, zh, en = "dispense_max", "一次处方量", "handed out for"
			}
			r.add(alert(kind, l.Severity,
				fault.Text{ZH: fmt.Sprintf("%s：%s不超过%d天，处方为%d天。", p.Name.ZH, zh, l.Days, p.days),
					EN: fmt.Sprintf("%s is %s %d days at most; this says %d.", p.Name.EN, en, l.Days, p.days)},
				fault.Text{ZH: fmt.Sprintf("改为%d天以内。", l.Days), EN: fmt.Sprintf("Write at most %d days.", l.Days)},
				[]string{p.ID}, limitRow(l), fmt.Sprintf("%d d > %d d", p.days, l.Days)))
		}
	}
}

// applies reports that a limit holds for this route, age (from AgeMin, below AgeMax) and these conditions.
func (r *run) applies(p *part, l formulary.Limit) bool {
	if l.Route != p.route {
		return false
	}
	if len(l.ICD10) > 0 {
		if _, has := r.under(l.ICD10); !has {
			return false
		}
	}
	if l.AgeMin.IsZero() && l.AgeMax.IsZero() {
		return true
	}
	if r.months < 0 {
		r.needsAge(p.Ingredient, l.Row)
		return false
	}
	age := formulary.NewRatio(uint64(r.months), 12)
	return age.Cmp(l.AgeMin.Ratio()) >= 0 && (l.AgeMax.IsZero() || age.Cmp(l.AgeMax.Ratio()) < 0)
}

func limitRow(l formulary.Limit) string {
	row := l.Row
	if !l.AgeMin.IsZero() || !l.AgeMax.IsZero() {
		row += ":age " + l.AgeMin.String() + "–" + l.AgeMax.String()
	}
	if len(l.ICD10) > 0 {
		row += ":" + strings.Join(l.ICD10, "|")
	}
	return row + ":" + l.Source
}
