package check

import (
	"slices"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// gaps lists what the data leaves open for the new drugs. These are no alerts: some limits are missing on purpose
// (insulin is titrated), but nobody should take the silence for a check.
func (r *run) gaps() {
	for _, p := range r.new {
		if p.site() != "" {
			continue
		}
		if p.DailyMax.IsZero() {
			r.open = append(r.open, p.ID+": adult_daily_max")
		}
		if r.child() && p.PerKgDay.IsZero() && p.ChildDailyCap.IsZero() {
			r.open = append(r.open, p.ID+": paed_max_per_kg_day")
		}
		if p.route != p.MainRoute {
			r.open = append(r.open, p.ID+": dose limits for route "+p.route)
		}
	}
	for _, name := range r.c.Unlisted {
		r.add(alert(NotChecked, formulary.Major, fault.Text{ZH: "病历里有药物或过敏原不在处方集中，未能核查。", EN: "The chart names a medicine or an allergen that the formulary does not hold; it was not checked."},
			fault.Text{ZH: "请在病历中改用处方集里的名称。", EN: "Name it in the chart as the formulary does."}, nil, name))
	}
	// Also beside other alerts: a note on an interaction would else pass for a judged age.
	if r.months < 0 && !slices.ContainsFunc(r.alerts, func(a Alert) bool { return a.Type == NotChecked }) {
		r.add(alert(NotChecked, formulary.Major, fault.Text{ZH: "患者年龄不明，儿童相关规则未能核查。", EN: "The age is unknown; the rules for children were not checked."},
			fault.Text{ZH: "请补录年龄。", EN: "Add the age."}, nil, "patient.age_years"))
	}
}
