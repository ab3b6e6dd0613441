package prescribe

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

// parties are those a prescription names.
type parties struct {
	PersonName, Sex     string
	BirthDate           time.Time
	WeightKg            *string
	Pregnancy           *string // no, t1, t2, t3, unknown
	Lactating           *bool
	DoctorName, Title   string
	TitleRank           int // 1 resident … 4 chief
	PaediatricQualified bool
	InstitutionName     string
}

// known is all that a text stands on besides the visit.
type known struct {
	parties
	chart
}

// chart is what is known of the patient.
type chart struct {
	Allergies  []allergy
	Conditions []string
	Medicines  []medicine
	Prescribed []prescribed
	Creatinine *measured
}

type allergy struct{ Substance, Severity, Reaction string }

type medicine struct {
	Ingredient, DailyDose, Unit string
	Left                        int // days of supply
}

// prescribed is a line of another signed prescription whose days are not over.
type prescribed struct {
	Item json.RawMessage
	Left int
}

type measured struct {
	Value string
	Days  int // ago
}

var ranks = []string{"", "resident", "attending", "associate_chief", "chief"}

// caseOf puts a draft and everything known about patient and setting into the question for the checks. What the
// formulary does not hold is listed, so that nobody takes the silence for a check.
func (s *Service) caseOf(o Order, facts consult.Standing, k known, now time.Time) check.Case {
	months := check.Whole(age(k.BirthDate, now))
	years := months / 12
	c := check.Case{
		Context: check.Context{
			Channel: "online", Type: o.Type, Diagnosis: o.Diagnosis, Author: "human", PrescriberTitle: ranks[k.TitleRank],
			GuardianPresent: facts.GuardianPresent, Paediatrician: &k.PaediatricQualified,
			ValidDays: check.Whole(o.ValidDays),
			Renewal:   facts.Kind == "follow_up", // a follow-up that writes a current medicine again renews it
		},
		Patient: check.Patient{AgeYears: &years, AgeMonths: &months, Sex: k.Sex, Conditions: k.Conditions},
		Items:   items(o),
	}
	if facts.Kind == "follow_up" {
		prior := len(facts.Evidence) > 0
		c.Context.PriorRecord = &prior
	}
	if k.WeightKg != nil {
		c.Patient.WeightKg = decimal(*k.WeightKg)
	}
	if k.Pregnancy != nil {
		c.Patient.Pregnancy = check.Answer(*k.Pregnancy)
		if trimester, expecting := map[string]check.Whole{"t1": 1, "t2": 2, "t3": 3}[*k.Pregnancy]; expecting {
			c.Patient.Pregnancy, c.Patient.Trimester = "yes", trimester
		}
	}
	if k.Lactating != nil {
		c.Patient.Lactation = map[bool]check.Answer{true: "yes", false: "no"}[*k.Lactating]
	}
	if k.Creatinine != nil {
		c.Patient.Creatinine, c.Patient.CreatinineDays = decimal(k.Creatinine.Value), check.Whole(k.Creatinine.Days)
	}
	for _, a := range k.Allergies {
		one := check.Allergy{Severity: a.Severity, Reaction: a.Reaction}
		switch {
		case s.Knowledge.Groups[a.Substance] != nil:
			one.Group = a.Substance
		case s.Knowledge.Ingredients[a.Substance] != nil:
			one.Ingredient = a.Substance
		default:
			c.Unlisted = append(c.Unlisted, a.Substance)
			continue
		}
		c.Allergies = append(c.Allergies, one)
	}
	for _, m := range k.Medicines {
		if s.Knowledge.Ingredients[m.Ingredient] == nil {
			c.Unlisted = append(c.Unlisted, m.Ingredient)
			continue
		}
		c.ActiveMeds = append(c.ActiveMeds, check.Active{Ingredient: m.Ingredient, DailyDose: decimal(m.DailyDose), Unit: m.Unit, RemainingDays: check.Whole(m.Left)})
	}
	for _, p := range k.Prescribed {
		var i Item
		if err := json.Unmarshal(p.Item, &i); err != nil {
			c.Unlisted = append(c.Unlisted, "prescription")
			continue
		}
		c.ActiveMeds = append(c.ActiveMeds, i.active(p.Left))
	}
	return c
}

// active is the line as a medicine that the patient takes.
func (i Item) active(left int) check.Active {
	often := formulary.NewRatio(uint64(i.PerDay), 1)
	if i.PerWeek > 0 {
		often = formulary.NewRatio(uint64(i.PerWeek), 7)
	}
	return check.Active{Ingredient: i.Ingredient, Product: i.Product, DailyDose: decimal(i.Dose).Times(often), Unit: i.Unit,
		Units: decimal(i.Units).Times(often), PerDay: decimal("1"), Route: i.Route, Form: i.Form, RemainingDays: check.Whole(left)}
}

// decimal reads a number of the database; one that can't be read stays unstated, which the checks tell.
func decimal(text string) formulary.Decimal {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	d, _ := formulary.ParseDecimal(text)
	return d
}

func items(o Order) []check.Item {
	var all []check.Item
	for _, i := range o.Items {
		all = append(all, check.Item{
			Ingredient: i.Ingredient, Product: i.Product, Dose: decimal(i.Dose), Unit: i.Unit, Units: decimal(i.Units),
			PerDay: decimal(fmt.Sprint(i.PerDay)), PerWeek: decimal(fmt.Sprint(i.PerWeek)), Days: check.Whole(i.Days),
			Route: i.Route, Form: i.Form, Provenance: i.Provenance,
		})
	}
	return all
}

// readable refuses an order whose own fields the checks can't read (RXE-11: structured dose, route, frequency, days).
func (s *Service) readable(o Order) error {
	asked := check.Case{Context: check.Context{Type: o.Type, Diagnosis: o.Diagnosis}, Items: items(o)}
	err := asked.Validate(s.Knowledge)
	for i, item := range o.Items {
		if err == nil && item.Line != i+1 {
			err = fmt.Errorf("items[%d].line: want %d", i, i+1)
		}
	}
	if err == nil {
		return nil
	}
	return fault.New(fault.Invalid, "prescription_unreadable", "处方里有一项看不懂："+err.Error()+"。", "One field of the prescription can't be read: "+err.Error()+".").
		WithRemedy("请从目录选药，并写明剂量、单位、频次和天数。", "Choose the medicine from the list and state dose, unit, frequency and days.")
}

// named puts the formulary's generic names into the order, whatever names were sent (RXE-11).
func (s *Service) named(o Order) Order {
	out := o
	out.ValidDays = max(o.ValidDays, 1)
	out.Items = make([]Item, len(o.Items))
	for i, item := range o.Items {
		if item.Product != "" {
			item.Name = s.Knowledge.Products[item.Product].Name
		} else {
			item.Name = s.Knowledge.Ingredients[item.Ingredient].Name
		}
		out.Items[i] = item
	}
	return out
}

// check asks the checks. A chart that they can't read is a state of its own, which blocks the signature.
func (s *Service) check(c check.Case) Checked {
	if err := c.Validate(s.Knowledge); err != nil {
		return Checked{State: "failed", Result: check.Result{Decision: "block", Knowledge: s.Knowledge.Version, Alerts: []check.Alert{{
			Key: check.NotChecked, Type: check.NotChecked, About: []string{}, Severity: formulary.Contraindicated, Tier: "hard_stop",
			Text:     fault.Text{ZH: "安全核查没有完成，病历中有无法读取的内容。", EN: "The checks did not run: something in the chart can't be read."},
			Remedy:   fault.Text{ZH: "请更正病历后重新保存处方。", EN: "Correct the chart and save the prescription again."},
			Evidence: []string{err.Error()},
		}}}}
	}
	return Checked{State: "done", Result: check.Run(s.Knowledge, c)}
}
