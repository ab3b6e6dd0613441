package check

import (
	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// contraindications: a drug against the patient's diagnoses; one alert for each drug, the most severe.
func (r *run) contraindications() {
	for _, p := range r.new {
		if !p.systemic() {
			continue
		}
		for _, row := range p.Against {
			code, has := r.under(row.ICD10)
			if !has {
				continue
			}
			if row.AgeMax > 0 && r.months < 0 {
				r.needsAge(p.Ingredient, row.Row)
				continue
			}
			if row.AgeMax > 0 && r.months >= row.AgeMax*12 {
				continue
			}
			remedy := fault.Text{ZH: "换药，或由专科医师评估后写明理由。", EN: "Choose another drug, or have a specialist weigh it and write the reason."}
			if row.Severity == formulary.Contraindicated {
				remedy = fault.Text{ZH: "换药。", EN: "Choose another drug."}
			}
			r.add(alert("contraindication", row.Severity,
				fault.Text{ZH: p.Name.ZH + "：患者有" + row.Reason.ZH + "（" + code + "）。", EN: p.Name.EN + ": the patient has " + row.Reason.EN + " (" + code + ")."},
				remedy, []string{p.ID}, row.Row, row.Source))
		}
	}
}

func (r *run) needsAge(i *formulary.Ingredient, row string) {
	r.notChecked(i, fault.Text{ZH: "此药的限制与年龄有关，患者年龄不明。", EN: "its limits depend on the patient's age, which is unknown."},
		fault.Text{ZH: "请补录年龄。", EN: "Add the age."}, row)
}
