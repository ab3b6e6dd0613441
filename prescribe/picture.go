package prescribe

import (
	"encoding/json"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/check"
)

// Picture is what the checks were told of the patient, so that the pharmacist judges by the same facts: unknown stays
// empty and is shown as unknown.
type Picture struct {
	Allergies  []PictureAllergy  `json:"allergies"`
	Medicines  []PictureMedicine `json:"medicines"`
	Conditions []string          `json:"conditions" doc:"ICD-10"`
	WeightKg   string            `json:"weight_kg,omitempty"`
	Creatinine string            `json:"creatinine_umol_l,omitempty"`
	MeasuredD  int               `json:"creatinine_days,omitempty" doc:"age of the creatinine in days"`
	Pregnancy  string            `json:"pregnancy,omitempty" enum:"yes,no,unknown"`
	Lactation  string            `json:"lactation,omitempty" enum:"yes,no,unknown"`
	Unlisted   []string          `json:"unlisted" doc:"in the chart, not in the formulary: nothing was checked about it"`
}

// PictureAllergy to a substance or a group.
type PictureAllergy struct {
	Name     fault.Text `json:"name"`
	Severity string     `json:"severity,omitempty"`
	Reaction string     `json:"reaction,omitempty"`
}

// PictureMedicine is one the patient takes already.
type PictureMedicine struct {
	Name  fault.Text `json:"name"`
	Daily string     `json:"daily,omitempty" doc:"a day, with its unit"`
	Left  int        `json:"left" doc:"days of supply"`
}

// picture reads the case that was checked when the prescription was signed.
func (s *Service) picture(p Prescription) (Picture, error) {
	var c check.Case
	if err := json.Unmarshal(p.row.CheckCase, &c); err != nil {
		return Picture{}, err
	}
	pic := Picture{Allergies: []PictureAllergy{}, Medicines: []PictureMedicine{}, Conditions: c.Patient.Conditions, WeightKg: c.Patient.WeightKg.String(),
		Creatinine: c.Patient.Creatinine.String(), MeasuredD: int(c.Patient.CreatinineDays), Pregnancy: string(c.Patient.Pregnancy),
		Lactation: string(c.Patient.Lactation), Unlisted: c.Unlisted}
	for _, a := range c.Allergies {
		name := s.nameOf(a.Ingredient, "")
		if a.Group != "" {
			name = fault.Text{ZH: a.Group, EN: a.Group}
			if s.Knowledge != nil && s.Knowledge.Groups[a.Group] != nil {
				name = s.Knowledge.Groups[a.Group].Name
			}
		}
		pic.Allergies = append(pic.Allergies, PictureAllergy{name, a.Severity, a.Reaction})
	}
	for _, m := range c.ActiveMeds {
		daily := m.DailyDose.String()
		if daily != "" {
			daily += " " + m.Unit
		} else if daily = m.Units.String(); daily != "" {
			daily += " ×"
		}
		pic.Medicines = append(pic.Medicines, PictureMedicine{s.nameOf(m.Ingredient, m.Product), daily, int(m.RemainingDays)})
	}
	if pic.Conditions == nil {
		pic.Conditions = []string{}
	}
	if pic.Unlisted == nil {
		pic.Unlisted = []string{}
	}
	return pic, nil
}

// nameOf is the generic name; the id where the knowledge is lost or has no such medicine any more.
func (s *Service) nameOf(ingredient, product string) fault.Text {
	if s.Knowledge != nil {
		if p := s.Knowledge.Products[product]; p != nil {
			return p.Name
		}
		if i := s.Knowledge.Ingredients[ingredient]; i != nil {
			return i.Name
		}
	}
	return fault.Text{ZH: ingredient + product, EN: ingredient + product}
}
