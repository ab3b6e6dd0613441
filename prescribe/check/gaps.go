package check

import (
	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// gaps lists what the data leaves open for the new drugs. These are no alerts: some limits are missing on purpose
// (insulin is titrated), but nobody should take the silence for a check.
func (r *run) gaps() {
	for _, p := range r.new {
		if !p.systemic() {
			continue
		}
		for column, missing := range map[string]bool{
			"adult_daily_max":                  p.DailyMax.IsZero(),
			"paed_max_per_kg_day":              r.child() && p.PerKgDay.IsZero() && p.ChildDailyCap.IsZero(),
			"dose limits for route " + p.route: p.route != p.MainRoute,
		} {
			if missing {
				r.open[p.ID+": "+column] = true
			}
		}
	}
	if r.months < 0 && len(r.alerts) == 0 {
		r.add(alert(NotChecked, formulary.Major, fault.Text{ZH: "患者年龄不明，儿童相关规则未能核查。", EN: "The age is unknown; the rules for children were not checked."},
			fault.Text{ZH: "请补录年龄。", EN: "Add the age."}, nil, "patient.age_years"))
	}
}
