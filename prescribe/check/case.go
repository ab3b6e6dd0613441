package check

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"yuanzhen/prescribe/formulary"
)

// Case is one draft prescription with the facts about patient and setting that the checks need.
// A fact that was not stated stays unstated; no check takes it for "no".
type Case struct {
	ID         string    `yaml:"id" json:"id,omitempty"`
	Context    Context   `yaml:"context" json:"context"`
	Patient    Patient   `yaml:"patient" json:"patient"`
	ActiveMeds []Active  `yaml:"active_meds" json:"active_meds,omitempty"`
	Allergies  []Allergy `yaml:"allergies" json:"allergies,omitempty"`
	Items      []Item    `yaml:"items" json:"items"`
	Unlisted   []string  `yaml:"unlisted" json:"unlisted,omitempty"` // medicines and allergens of the chart that the formulary does not hold

	Remarks map[string]yaml.Node `yaml:",inline" json:"-"` // title_…, expect, note: for people and tests
}

// Context is the setting in which the prescription is written. Facts that only some houses judge here
// (title, pharmacy, validity) may stay unstated.
type Context struct {
	Channel         string   `yaml:"channel" json:"channel,omitempty"`
	Type            string   `yaml:"rx_type" json:"rx_type,omitempty"`
	Renewal         bool     `yaml:"renewal" json:"renewal,omitempty"`
	Fulfil          string   `yaml:"fulfil" json:"fulfil,omitempty"`
	GuardianPresent bool     `yaml:"guardian_present" json:"guardian_present,omitempty"`
	Paediatrician   *bool    `yaml:"paediatric_doctor" json:"paediatric_doctor,omitempty"`
	PriorRecord     *bool    `yaml:"prior_record" json:"prior_record,omitempty"`
	PrescriberTitle string   `yaml:"prescriber_title" json:"prescriber_title,omitempty"`
	Author          string   `yaml:"author" json:"author,omitempty"`
	ValidDays       Whole    `yaml:"valid_days" json:"valid_days,omitempty"`
	PharmacyStatus  string   `yaml:"pharmacy_status" json:"pharmacy_status,omitempty"`
	TokenUsed       bool     `yaml:"token_used" json:"token_used,omitempty"`
	Promotion       bool     `yaml:"promotion" json:"promotion,omitempty"`
	LocalDays       Whole    `yaml:"local_days" json:"local_days,omitempty"` // most days of a long prescription by a local document on file (RXE-17)
	Diagnosis       []string `yaml:"diagnosis" json:"diagnosis,omitempty"`   // ICD-10 of this prescription; else the conditions count
}

// Patient as known today.
type Patient struct {
	AgeYears       *Whole            `yaml:"age_years" json:"age_years,omitempty"`
	AgeMonths      *Whole            `yaml:"age_months" json:"age_months,omitempty"` // for infants
	Sex            string            `yaml:"sex" json:"sex,omitempty"`
	WeightKg       formulary.Decimal `yaml:"weight_kg" json:"weight_kg,omitzero"`
	Pregnancy      Answer            `yaml:"pregnancy" json:"pregnancy,omitempty"`
	Trimester      Whole             `yaml:"trimester" json:"trimester,omitempty"`
	Lactation      Answer            `yaml:"lactation" json:"lactation,omitempty"`
	Lactating      Answer            `yaml:"lactating" json:"-"`     // read as lactation
	Breastfeeding  Answer            `yaml:"breastfeeding" json:"-"` // read as lactation
	Conditions     []string          `yaml:"conditions" json:"conditions,omitempty"`
	Creatinine     formulary.Decimal `yaml:"creatinine_umol_l" json:"creatinine_umol_l,omitzero"`
	CreatinineDays Whole             `yaml:"creatinine_days" json:"creatinine_days,omitempty"` // age of that value in days
}

// Active is a medicine the patient takes already: an ingredient with its daily dose, or a product.
type Active struct {
	Ingredient    string            `yaml:"ingredient" json:"ingredient,omitempty"`
	Product       string            `yaml:"product" json:"product,omitempty"`
	DailyDose     formulary.Decimal `yaml:"daily_dose" json:"daily_dose,omitzero"`
	Unit          string            `yaml:"unit" json:"unit,omitempty"`
	Units         formulary.Decimal `yaml:"units" json:"units,omitzero"`
	PerDay        formulary.Decimal `yaml:"per_day" json:"per_day,omitzero"`
	Route         string            `yaml:"route" json:"route,omitempty"`
	Form          string            `yaml:"form" json:"form,omitempty"`
	RemainingDays Whole             `yaml:"remaining_days" json:"remaining_days,omitempty"`
}

// Allergy to an ingredient or to a group of the formulary. An unstated severity counts as severe.
type Allergy struct {
	Ingredient string `yaml:"ingredient" json:"ingredient,omitempty"`
	Group      string `yaml:"group" json:"group,omitempty"`
	Reaction   string `yaml:"reaction" json:"reaction,omitempty"`
	Severity   string `yaml:"severity" json:"severity,omitempty"`
}

// Item is one line: an ingredient with a dose and its unit, or a product with units (tablets, sachets, puffs),
// per administration; per_day administrations a day, or per_week a week.
type Item struct {
	Ingredient string            `yaml:"ingredient" json:"ingredient,omitempty"`
	Product    string            `yaml:"product" json:"product,omitempty"`
	Dose       formulary.Decimal `yaml:"dose" json:"dose,omitzero"`
	Unit       string            `yaml:"unit" json:"unit,omitempty"`
	Units      formulary.Decimal `yaml:"units" json:"units,omitzero"`
	PerDay     formulary.Decimal `yaml:"per_day" json:"per_day,omitzero"`
	PerWeek    formulary.Decimal `yaml:"per_week" json:"per_week,omitzero"`
	Days       Whole             `yaml:"days" json:"days"`
	Route      string            `yaml:"route" json:"route,omitempty"`
	Form       string            `yaml:"form" json:"form,omitempty"`
	Provenance string            `yaml:"provenance" json:"provenance,omitempty"`
}

// Whole is a whole number; the YAML reader alone would cut 7.5 days to 7.
type Whole int

// UnmarshalYAML refuses everything but digits.
func (w *Whole) UnmarshalYAML(node *yaml.Node) error {
	n, err := strconv.Atoi(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a whole number", node.Line, node.Value)
	}
	*w = Whole(n)
	return nil
}

// Answer is yes, no, unknown, or not asked ("").
type Answer string

// UnmarshalText reads an answer; true and false are yes and no.
func (a *Answer) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "true":
		*a = "yes"
	case "false":
		*a = "no"
	default:
		*a = Answer(s)
	}
	return nil
}

// maxCases is the most bytes that one reading may cost: ten thousand cases.
const maxCases = 16 << 20

// ReadCases reads one case, or a file with a top-level list of cases; single tells which.
// Unknown fields, ingredients, products, units and values are errors that name the field.
// JSON is read too, being YAML.
func ReadCases(kb *formulary.Knowledge, in io.Reader) (single bool, cases []Case, err error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxCases+1))
	if err != nil {
		return false, nil, err
	}
	if len(raw) > maxCases {
		return false, nil, fmt.Errorf("longer than %d bytes", maxCases)
	}
	var shape struct {
		Cases yaml.Node `yaml:"cases"`
	}
	if err := yaml.Unmarshal(raw, &shape); err != nil {
		return false, nil, err
	}
	single = shape.Cases.IsZero()
	if single {
		cases = make([]Case, 1)
		err = strictly(raw, &cases[0])
	} else {
		var file struct {
			Format string `yaml:"format"`
			Cases  []Case `yaml:"cases"`
		}
		err = strictly(raw, &file)
		cases = file.Cases
	}
	if err != nil {
		return single, nil, err
	}
	for i := range cases {
		if err := cases[i].Validate(kb); err != nil {
			if !single {
				err = fmt.Errorf("cases[%d] %s: %w", i, cases[i].ID, err)
			}
			return single, nil, err
		}
	}
	return single, cases, nil
}

func strictly(raw []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	return nil
}

var (
	channels = []string{"", "online", "offline"}
	types    = []string{"", "general", "long", "emergency"}
	// How the medicine reaches the patient: sold online and sent, sent by the hospital, or handed over in person.
	fulfilments = []string{"", "online_retail", "hospital_delivery", "hospital_pickup", "pharmacy_pickup", "walk_in_pharmacy", "walk_in", "hospital"}
	titles      = []string{"", "resident", "attending", "associate_chief", "chief"}
	pharmacies  = []string{"", "approved", "expired", "suspended", "unapproved"}
	authors     = []string{"", "human", "ai"}
	provenances = []string{"", "typed", "catalogue_pick", "copied", "copied_confirmed", "ai_generated"}
	reactions   = []string{"", "mild", "moderate", "severe"}
	answers     = []string{"", "yes", "no", "unknown"}
	icd10       = regexp.MustCompile(`^[A-Z][0-9][0-9A-Z](\.?[0-9A-Za-z+*]{1,10})?$`)
)

// The most of each in one case: far above any patient, and low enough that all pairs of them cost milliseconds.
const (
	maxItems   = 50
	maxActive  = 300
	maxAllergy = 300
	maxCodes   = 500
)

// Validate reports the first field that the knowledge can't read, and folds the spellings of lactation into one.
func (c *Case) Validate(kb *formulary.Knowledge) error {
	v := validator{kb: kb}
	for key := range c.Remarks {
		if key != "expect" && key != "note" && !strings.HasPrefix(key, "title_") {
			v.fail(key, "unknown field")
		}
	}
	v.most("items", len(c.Items), maxItems)
	v.most("active_meds", len(c.ActiveMeds), maxActive)
	v.most("allergies", len(c.Allergies), maxAllergy)
	v.most("patient.conditions", len(c.Patient.Conditions), maxCodes)
	v.most("context.diagnosis", len(c.Context.Diagnosis), maxCodes)
	v.most("unlisted", len(c.Unlisted), maxActive+maxAllergy+maxCodes)
	if v.err != nil {
		return v.err
	}
	x, p := &c.Context, &c.Patient
	v.oneOf("context.channel", x.Channel, channels)
	if x.Type == "herbal" {
		v.fail("context.rx_type", "herbal slices need a form of their own (RXE-08), and the formulary holds none: nothing can be checked")
	}
	v.oneOf("context.rx_type", x.Type, types)
	v.oneOf("context.fulfil", x.Fulfil, fulfilments)
	v.oneOf("context.prescriber_title", x.PrescriberTitle, titles)
	v.oneOf("context.author", x.Author, authors)
	v.oneOf("context.pharmacy_status", x.PharmacyStatus, pharmacies)
	v.within("context.valid_days", x.ValidDays, 0, 366)
	v.within("context.local_days", x.LocalDays, 0, 90)
	v.codes("context.diagnosis", x.Diagnosis)

	if p.AgeYears != nil {
		v.within("patient.age_years", *p.AgeYears, 0, 150)
	}
	if p.AgeMonths != nil {
		v.within("patient.age_months", *p.AgeMonths, 0, 150*12)
	}
	if p.AgeYears != nil && p.AgeMonths != nil && *p.AgeMonths/12 != *p.AgeYears {
		v.fail("patient.age_months", "does not agree with age_years")
	}
	v.oneOf("patient.sex", p.Sex, []string{"", "M", "F"})
	v.oneOf("patient.pregnancy", string(p.Pregnancy), answers)
	v.within("patient.trimester", p.Trimester, 0, 3)
	if p.Pregnancy == "yes" && p.Sex == "M" {
		v.fail("patient.pregnancy", "yes, and sex M")
	}
	v.oneOf("patient.lactation", string(p.Lactation), answers)
	v.oneOf("patient.lactating", string(p.Lactating), answers)
	v.oneOf("patient.breastfeeding", string(p.Breastfeeding), answers)
	p.Lactation = Answer(first(string(p.Lactation), string(p.Lactating), string(p.Breastfeeding)))
	p.Lactating, p.Breastfeeding = "", ""
	v.codes("patient.conditions", p.Conditions)
	v.positive("patient.weight_kg", p.WeightKg, !p.WeightKg.IsZero())
	v.positive("patient.creatinine_umol_l", p.Creatinine, !p.Creatinine.IsZero())
	v.within("patient.creatinine_days", p.CreatinineDays, 0, 36500)

	for i, a := range c.ActiveMeds {
		at := fmt.Sprintf("active_meds[%d].", i)
		v.medicine(at, a.Ingredient, a.Product, a.Route, a.Form)
		v.within(at+"remaining_days", a.RemainingDays, 0, 3650)
		if !a.DailyDose.IsZero() {
			v.unit(at+"unit", a.Unit)
		}
	}
	for i, a := range c.Allergies {
		at := fmt.Sprintf("allergies[%d].", i)
		switch {
		case (a.Ingredient == "") == (a.Group == ""):
			v.fail(at+"ingredient", "needs an ingredient or a group, one of them")
		case a.Ingredient != "":
			v.medicine(at, a.Ingredient, "", "", "")
		case kb.Groups[a.Group] == nil:
			v.fail(at+"group", "unknown group %q", a.Group)
		}
		v.oneOf(at+"severity", a.Severity, reactions)
	}
	if len(c.Items) == 0 {
		v.fail("items", "at least one is needed")
	}
	for i, item := range c.Items {
		at := fmt.Sprintf("items[%d].", i)
		v.medicine(at, item.Ingredient, item.Product, item.Route, item.Form)
		if item.Product != "" {
			v.positive(at+"units", item.Units, true)
			if !item.Dose.IsZero() || item.Unit != "" {
				v.fail(at+"dose", "a product is counted in units")
			}
		} else {
			v.positive(at+"dose", item.Dose, true)
			v.unit(at+"unit", item.Unit)
			if !item.Units.IsZero() {
				v.fail(at+"units", "an ingredient needs a dose and its unit")
			}
		}
		if (item.PerDay.Sign() > 0) == (item.PerWeek.Sign() > 0) {
			v.fail(at+"per_day", "needs a number a day or a week, one of them")
		}
		v.within(at+"days", item.Days, 1, 3650)
		v.oneOf(at+"provenance", item.Provenance, provenances)
	}
	return v.err
}

// validator keeps the first fault, which is the one worth reading.
type validator struct {
	kb  *formulary.Knowledge
	err error
}

func (v *validator) fail(field, format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf("%s: "+format, append([]any{field}, args...)...)
	}
}

func (v *validator) within(field string, n, low, high Whole) {
	if n < low || n > high {
		v.fail(field, "%d is not between %d and %d", n, low, high)
	}
}

func (v *validator) most(field string, n, most int) {
	if n > most {
		v.fail(field, "%d are more than %d", n, most)
	}
}

func (v *validator) positive(field string, d formulary.Decimal, needed bool) {
	if needed && d.Sign() <= 0 {
		v.fail(field, "a number above 0 is needed")
	}
}

func (v *validator) unit(field, unit string) {
	if !formulary.KnownUnit(unit) {
		v.fail(field, "unknown unit %q", unit)
	}
}

func (v *validator) codes(field string, codes []string) {
	for i, code := range codes {
		if !icd10.MatchString(code) {
			v.fail(fmt.Sprintf("%s[%d]", field, i), "%q is not an ICD-10 code", code)
		}
	}
}

func (v *validator) medicine(at, ingredient, product, route, form string) {
	switch {
	case (ingredient == "") == (product == ""):
		v.fail(at+"ingredient", "needs an ingredient or a product, one of them")
	case ingredient != "" && v.kb.Ingredients[ingredient] == nil:
		v.fail(at+"ingredient", "unknown ingredient %q", ingredient)
	case product != "" && v.kb.Products[product] == nil:
		v.fail(at+"product", "unknown product %q", product)
	}
	if route != "" {
		v.oneOf(at+"route", route, formulary.Routes)
	}
	if form != "" {
		v.oneOf(at+"form", form, formulary.Forms)
	}
}

func (v *validator) oneOf(field, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		v.fail(field, "unknown value %q", value)
	}
}

func first(answers ...string) string {
	for _, a := range answers {
		if a != "" {
			return a
		}
	}
	return ""
}
