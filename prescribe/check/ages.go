package check

import (
	"fmt"

	"yuanzhen/internal/fault"
)

// ages: a drug that has a least age. Years are whole, so a patient of 0 years counts from birth unless months are given.
func (r *run) ages() {
	for _, p := range r.new {
		if !p.systemic() || p.MinAgeMonths == 0 {
			continue
		}
		row := fmt.Sprintf("ingredients:%s:paed_min_age_months=%d", p.ID, p.MinAgeMonths)
		if r.months < 0 {
			r.needsAge(p.Ingredient, row)
			continue
		}
		if r.months >= p.MinAgeMonths {
			continue
		}
		r.add(alert("age_min", levels[p.MinAgeLevel],
			fault.Text{ZH: fmt.Sprintf("%s：%s以下%s。", p.Name.ZH, monthsZH(p.MinAgeMonths), word[levels[p.MinAgeLevel]].ZH),
				EN: fmt.Sprintf("%s: %s under %s.", p.Name.EN, word[levels[p.MinAgeLevel]].EN, monthsEN(p.MinAgeMonths))},
			fault.Text{ZH: "换用适合该年龄的药物。", EN: "Choose a drug fit for this age."}, []string{p.ID}, row))
	}
}

func monthsZH(m int) string {
	if m%12 == 0 {
		return fmt.Sprintf("%d岁", m/12)
	}
	return fmt.Sprintf("%d个月", m)
}

func monthsEN(m int) string {
	if m%12 == 0 {
		return fmt.Sprintf("%d years", m/12)
	}
	return fmt.Sprintf("%d months", m)
}
