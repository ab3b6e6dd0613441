// Package cds is the checks' face for other systems: CDS Hooks 2.0 (cds-hooks.hl7.org/2.0) with FHIR R4 inside.
// order-select and order-sign ask the same engine the same question as every other way in.
//
// What a request leaves unsaid stays unsaid in the case, and what it says in codes that the formulary does not hold
// becomes a finding (not_checked): a client never mistakes "not understood" for "fine".
package cds

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

// Systems of codes. The formulary's own names come first; ATC and RxNorm are read where they name one ingredient.
const (
	SystemIngredient = "urn:yuanzhen:ingredient"
	SystemProduct    = "urn:yuanzhen:product"
	SystemGroup      = "urn:yuanzhen:allergy-group"
	SystemRoute      = "urn:yuanzhen:route"
	SystemForm       = "urn:yuanzhen:form"
	SystemFact       = "urn:yuanzhen:fact" // facts without an international code: lactation
	SystemATC        = "http://www.whocc.no/atc"
	SystemRxNorm     = "http://www.nlm.nih.gov/research/umls/rxnorm"
	SystemICD10      = "http://hl7.org/fhir/sid/icd-10"
	systemLOINC      = "http://loinc.org"
	systemUCUM       = "http://unitsofmeasure.org"
	urlProvenance    = "urn:yuanzhen:provenance"
	urlDaysLeft      = "urn:yuanzhen:days-left"
)

// LOINC codes of the facts that the checks ask for, and LOINC's answers about pregnancy.
const (
	loincWeight      = "29463-7"
	loincCreatinine  = "14682-9" // µmol/L
	loincCreatinine2 = "2160-0"  // mg/dL
	loincPregnancy   = "82810-3"
	loincGestation   = "11884-4" // weeks
)

var pregnancyAnswers = map[string]check.Answer{"LA15173-0": "yes", "LA26683-5": "no", "LA4489-6": "unknown"}

// Request is what a client sends, with all that it would otherwise have to be asked for in prefetch.
type Request struct {
	Hook         string   `json:"hook"`
	HookInstance string   `json:"hookInstance"`
	Context      Context  `json:"context"`
	Prefetch     Prefetch `json:"prefetch"`
	// Extension says what only a Chinese prescription needs to state: channel, type, renewal, guardian.
	Extension struct {
		Setting check.Context `json:"urn:yuanzhen:setting"`
	} `json:"extension"`
}

// Context of order-select and order-sign.
type Context struct {
	UserID      string   `json:"userId"`
	PatientID   string   `json:"patientId"`
	EncounterID string   `json:"encounterId,omitempty"`
	Selections  []string `json:"selections,omitempty"` // order-select: which drafts are new; all drafts are judged
	DraftOrders Bundle   `json:"draftOrders"`
}

// Prefetch holds the chart. Keys are those of the discovery document.
type Prefetch struct {
	Patient      *Resource `json:"patient,omitempty"`
	Conditions   Bundle    `json:"conditions"`
	Allergies    Bundle    `json:"allergies"`
	Medications  Bundle    `json:"medications"`
	Observations Bundle    `json:"observations"`
}

// Bundle of FHIR.
type Bundle struct {
	ResourceType string  `json:"resourceType"`
	Type         string  `json:"type,omitempty"`
	Entry        []Entry `json:"entry,omitempty"`
}

// Entry of a bundle.
type Entry struct {
	Resource Resource `json:"resource"`
}

// Resource holds the members that are read of Patient, Condition, AllergyIntolerance, Observation, MedicationRequest
// and MedicationStatement.
type Resource struct {
	ResourceType  string          `json:"resourceType"`
	ID            string          `json:"id,omitempty"`
	Status        string          `json:"status,omitempty"`
	Intent        string          `json:"intent,omitempty"`
	Subject       *Reference      `json:"subject,omitempty"`
	Gender        string          `json:"gender,omitempty"`
	BirthDate     string          `json:"birthDate,omitempty"`
	Code          *Concept        `json:"code,omitempty"`
	Effective     string          `json:"effectiveDateTime,omitempty"`
	ValueQuantity *Quantity       `json:"valueQuantity,omitempty"`
	ValueConcept  *Concept        `json:"valueCodeableConcept,omitempty"`
	ValueBoolean  *bool           `json:"valueBoolean,omitempty"`
	Reaction      []Reaction      `json:"reaction,omitempty"`
	Medication    *Concept        `json:"medicationCodeableConcept,omitempty"`
	Instruction   []Dosage        `json:"dosageInstruction,omitempty"`
	Dosage        []Dosage        `json:"dosage,omitempty"`
	Dispense      *DispenseWish   `json:"dispenseRequest,omitempty"`
	Extension     []Extension     `json:"extension,omitempty"`
	Contained     json.RawMessage `json:"contained,omitempty"`
}

// Reference to another resource.
type Reference struct {
	Reference string `json:"reference"`
}

// Concept is FHIR's CodeableConcept.
type Concept struct {
	Coding []Coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// Coding is one code of a concept.
type Coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

// Quantity keeps the digits as they were written: doses are exact.
type Quantity struct {
	Value  json.Number `json:"value"`
	Unit   string      `json:"unit,omitempty"`
	System string      `json:"system,omitempty"`
	Code   string      `json:"code,omitempty"`
}

// Reaction of an allergy.
type Reaction struct {
	Manifestation []Concept `json:"manifestation,omitempty"`
	Severity      string    `json:"severity,omitempty"`
}

// Dosage of an order or of what is taken.
type Dosage struct {
	Timing *struct {
		Repeat Repeat `json:"repeat"`
	} `json:"timing,omitempty"`
	Route *Concept   `json:"route,omitempty"`
	Form  *Concept   `json:"method,omitempty"`
	Doses []DoseRate `json:"doseAndRate,omitempty"`
}

// Repeat is frequency times in period.
type Repeat struct {
	Frequency  json.Number `json:"frequency,omitempty"`
	Period     json.Number `json:"period,omitempty"`
	PeriodUnit string      `json:"periodUnit,omitempty"`
}

// DoseRate is the dose of one administration.
type DoseRate struct {
	Quantity *Quantity `json:"doseQuantity,omitempty"`
}

// DispenseWish says for how many days.
type DispenseWish struct {
	Duration *Quantity `json:"expectedSupplyDuration,omitempty"`
}

// Extension of FHIR.
type Extension struct {
	URL   string `json:"url"`
	Code  string `json:"valueCode,omitempty"`
	Whole *int   `json:"valueInteger,omitempty"`
}

func extended(list []Extension, url string) (e Extension) {
	if i := slices.IndexFunc(list, func(e Extension) bool { return e.URL == url }); i >= 0 {
		return list[i]
	}
	return e
}

// Elsewhere says that something was ordered and none of it is a medicine: laboratory orders are not ours to judge.
func (r Request) Elsewhere() bool {
	return len(r.Context.DraftOrders.Entry) > 0 && !slices.ContainsFunc(r.Context.DraftOrders.Entry, func(e Entry) bool {
		return e.Resource.ResourceType == "MedicationRequest" || e.Resource.Medication != nil
	})
}

// Case is the question in the request. now is the day to which ages and supplies are counted.
func (r Request) Case(kb *formulary.Knowledge, now time.Time) (check.Case, error) {
	c := check.Case{ID: r.HookInstance, Context: r.Extension.Setting}
	if p := r.Prefetch.Patient; p != nil {
		c.Patient.Sex = map[string]string{"male": "M", "female": "F"}[p.Gender]
		if p.BirthDate != "" {
			birth, err := time.Parse(time.DateOnly, p.BirthDate)
			if err != nil {
				return c, fmt.Errorf("prefetch.patient.birthDate: %q is not a full date", p.BirthDate)
			}
			months := check.Whole((now.Year()-birth.Year())*12 + int(now.Month()-birth.Month()))
			if now.Day() < birth.Day() {
				months--
			}
			years := months / 12
			c.Patient.AgeYears, c.Patient.AgeMonths = &years, &months
		}
	}
	for name, sent := range map[string]Bundle{"conditions": r.Prefetch.Conditions, "allergies": r.Prefetch.Allergies, "medications": r.Prefetch.Medications} {
		if sent.ResourceType == "" && sent.Entry == nil {
			c.Unlisted = append(c.Unlisted, "prefetch."+name+" was not sent") // not asked is not "none"
		}
	}
	slices.Sort(c.Unlisted)
	for _, e := range r.Prefetch.Conditions.Entry {
		if code := codeOf(e.Resource.Code, SystemICD10); code != "" {
			c.Patient.Conditions = append(c.Patient.Conditions, code)
		} else {
			c.Unlisted = append(c.Unlisted, "condition "+label(e.Resource.Code))
		}
	}
	for _, e := range r.Prefetch.Allergies.Entry {
		allergy(kb, &c, e.Resource)
	}
	for _, e := range r.Prefetch.Observations.Entry {
		if err := observe(&c, e.Resource, now); err != nil {
			return c, err
		}
	}
	for _, e := range r.Prefetch.Medications.Entry {
		taken, err := active(kb, e.Resource)
		if err != nil {
			return c, err
		}
		if taken.Ingredient == "" && taken.Product == "" {
			c.Unlisted = append(c.Unlisted, label(e.Resource.Medication))
			continue
		}
		c.ActiveMeds = append(c.ActiveMeds, taken)
	}
	for i, e := range r.Context.DraftOrders.Entry {
		if e.Resource.ResourceType != "MedicationRequest" {
			continue // laboratory orders and the like are not ours to judge
		}
		item, err := ordered(kb, e.Resource)
		if err != nil {
			return c, fmt.Errorf("context.draftOrders.entry[%d]: %w", i, err)
		}
		c.Items = append(c.Items, item)
	}
	return c, c.Validate(kb)
}

func codeOf(c *Concept, system string) string {
	if c != nil {
		for _, code := range c.Coding {
			if code.System == system {
				return code.Code
			}
		}
	}
	return ""
}

func label(c *Concept) string {
	switch {
	case c == nil:
		return "?"
	case c.Text != "":
		return c.Text
	case len(c.Coding) > 0:
		return c.Coding[0].System + " " + c.Coding[0].Code
	}
	return "?"
}

// medicine finds ingredient or product of a concept; both empty when the formulary does not hold it.
func medicine(kb *formulary.Knowledge, c *Concept) (ingredient, product string) {
	if code := codeOf(c, SystemProduct); kb.Products[code] != nil {
		return "", code
	}
	if code := codeOf(c, SystemIngredient); kb.Ingredients[code] != nil {
		return code, ""
	}
	for _, system := range []string{SystemATC, SystemRxNorm} {
		if i := kb.Coded(system, codeOf(c, system)); i != nil {
			return i.ID, ""
		}
	}
	return "", ""
}

func allergy(kb *formulary.Knowledge, c *check.Case, r Resource) {
	a := check.Allergy{Group: codeOf(r.Code, SystemGroup)}
	if a.Group == "" {
		a.Ingredient, _ = medicine(kb, r.Code)
	}
	if kb.Groups[a.Group] == nil && a.Ingredient == "" {
		c.Unlisted = append(c.Unlisted, "allergy "+label(r.Code))
		return
	}
	for _, reaction := range r.Reaction {
		a.Severity = reaction.Severity
		for _, m := range reaction.Manifestation {
			a.Reaction = m.Text
		}
	}
	c.Allergies = append(c.Allergies, a)
}

func observe(c *check.Case, r Resource, now time.Time) (err error) {
	p := &c.Patient
	switch code := codeOf(r.Code, systemLOINC); code {
	case loincWeight:
		if err = inUnit(r, "kg"); err == nil {
			p.WeightKg, err = number(r.ValueQuantity)
		}
	case loincCreatinine, loincCreatinine2:
		p.Creatinine, err = number(r.ValueQuantity)
		if err == nil && r.ValueQuantity.Code == "mg/dL" {
			p.Creatinine = p.Creatinine.Times(formulary.NewRatio(884, 10))
		} else if err == nil {
			err = inUnit(r, "umol/L")
		}
		if at, wrong := time.Parse(time.DateOnly, r.Effective[:min(10, len(r.Effective))]); err == nil && wrong == nil {
			p.CreatinineDays = check.Whole(max(now.Sub(at)/(24*time.Hour), 0))
		}
	case loincPregnancy:
		p.Pregnancy = pregnancyAnswers[codeOf(r.ValueConcept, systemLOINC)]
	case loincGestation:
		weeks, wrong := number(r.ValueQuantity)
		switch w := weeks.Ratio().Float(); {
		case wrong != nil:
			err = wrong
		case w < 14:
			p.Trimester = 1
		case w < 28:
			p.Trimester = 2
		default:
			p.Trimester = 3
		}
	}
	if codeOf(r.Code, SystemFact) == "lactation" && r.ValueBoolean != nil {
		p.Lactation = map[bool]check.Answer{true: "yes", false: "no"}[*r.ValueBoolean]
	}
	if err != nil {
		err = fmt.Errorf("prefetch.observations %s: %w", label(r.Code), err)
	}
	return err
}

func inUnit(r Resource, want string) error {
	if r.ValueQuantity == nil || r.ValueQuantity.Code != want {
		return fmt.Errorf("want a quantity with the UCUM code %s", want)
	}
	return nil
}

func number(q *Quantity) (formulary.Decimal, error) {
	if q == nil {
		return formulary.Decimal{}, fmt.Errorf("a quantity is missing")
	}
	return formulary.ParseDecimal(q.Value.String())
}

// dose of one administration: UCUM code, or "1" for tablets, sachets and puffs of a product.
func (d Dosage) dose() (value formulary.Decimal, unit string, err error) {
	if len(d.Doses) == 0 || d.Doses[0].Quantity == nil {
		return value, "", nil
	}
	value, err = number(d.Doses[0].Quantity)
	return value, d.Doses[0].Quantity.Code, err
}

// often is how often in a day or in a week; both unstated when no timing is given.
func (d Dosage) often() (perDay, perWeek formulary.Decimal, err error) {
	if d.Timing == nil {
		return perDay, perWeek, nil
	}
	repeat := d.Timing.Repeat
	frequency, err := formulary.ParseDecimal(repeat.Frequency.String())
	if err != nil {
		return perDay, perWeek, fmt.Errorf("timing.repeat.frequency: %w", err)
	}
	period, err := formulary.ParseDecimal(repeat.Period.String())
	if err != nil || period.Sign() == 0 {
		return perDay, perWeek, fmt.Errorf("timing.repeat.period: want a number above 0")
	}
	often := frequency.Times(formulary.NewRatio(1, 1).Over(period.Ratio()))
	switch repeat.PeriodUnit {
	case "h":
		return often.Times(formulary.NewRatio(24, 1)), perWeek, nil
	case "d":
		return often, perWeek, nil
	case "wk":
		return perDay, often, nil
	}
	return perDay, perWeek, fmt.Errorf("timing.repeat.periodUnit: want h, d or wk, not %q", repeat.PeriodUnit)
}

func (d Dosage) routeAndForm() (route, form string, err error) {
	route, form = codeOf(d.Route, SystemRoute), codeOf(d.Form, SystemForm)
	if d.Route != nil && route == "" {
		return "", "", fmt.Errorf("route %s: want a code of %s", label(d.Route), SystemRoute)
	}
	return route, form, nil
}

func ordered(kb *formulary.Knowledge, r Resource) (i check.Item, err error) {
	if i.Ingredient, i.Product = medicine(kb, r.Medication); i.Ingredient == "" && i.Product == "" {
		return i, fmt.Errorf("medicine %s: the formulary does not hold it", label(r.Medication))
	}
	if len(r.Instruction) != 1 {
		return i, fmt.Errorf("dosageInstruction: want one, structured")
	}
	d := r.Instruction[0]
	if i.Dose, i.Unit, err = d.dose(); err != nil {
		return i, err
	}
	if i.Product != "" {
		i.Units, i.Dose, i.Unit = i.Dose, formulary.Decimal{}, strings.TrimPrefix(i.Unit, "1")
	}
	if i.PerDay, i.PerWeek, err = d.often(); err != nil {
		return i, err
	}
	if i.Route, i.Form, err = d.routeAndForm(); err != nil {
		return i, err
	}
	if r.Dispense == nil || r.Dispense.Duration == nil || r.Dispense.Duration.Code != "d" {
		return i, fmt.Errorf("dispenseRequest.expectedSupplyDuration: want days (d)")
	}
	days, err := r.Dispense.Duration.Value.Int64()
	if err != nil {
		return i, fmt.Errorf("dispenseRequest.expectedSupplyDuration: want whole days")
	}
	i.Days, i.Provenance = check.Whole(days), extended(r.Extension, urlProvenance).Code
	return i, nil
}

func active(kb *formulary.Knowledge, r Resource) (a check.Active, err error) {
	a.Ingredient, a.Product = medicine(kb, r.Medication)
	if left := extended(r.Extension, urlDaysLeft).Whole; left != nil {
		a.RemainingDays = check.Whole(*left)
	}
	list := append(r.Dosage, r.Instruction...)
	if len(list) == 0 {
		return a, nil
	}
	d := list[0]
	dose, unit, err := d.dose()
	if err != nil {
		return a, err
	}
	perDay, perWeek, err := d.often()
	if err != nil {
		return a, err
	}
	if !perWeek.IsZero() {
		perDay = perWeek.Times(formulary.NewRatio(1, 7))
	}
	if a.Route, a.Form, err = d.routeAndForm(); err != nil {
		return a, err
	}
	switch {
	case a.Product != "":
		a.Units, a.PerDay = dose, perDay
	case !perDay.IsZero() && unit != "":
		a.DailyDose, a.Unit = dose.Times(perDay.Ratio()), unit
	}
	return a, nil
}
