package cds

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

// Hooks that are served.
var Hooks = []string{"order-select", "order-sign"}

// Service is one entry of the discovery document.
type Service struct {
	ID          string            `json:"id"`
	Hook        string            `json:"hook"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Prefetch    map[string]string `json:"prefetch"`
}

// Discovery answers GET /cds-services.
type Discovery struct {
	Services []Service `json:"services"`
}

// Discover lists the services: one for each hook, both the same engine.
func Discover() Discovery {
	var d Discovery
	for _, hook := range Hooks {
		d.Services = append(d.Services, Service{ID: ServiceID(hook), Hook: hook, Title: "远诊处方核查 Yuanzhen prescription check",
			Description: "Interactions, doses, allergies, contraindications, pregnancy, kidneys, duplicates and the rules of law, with a source for each word.",
			Prefetch: map[string]string{
				"patient":      "Patient/{{context.patientId}}",
				"conditions":   "Condition?patient={{context.patientId}}&clinical-status=active",
				"allergies":    "AllergyIntolerance?patient={{context.patientId}}",
				"medications":  "MedicationStatement?patient={{context.patientId}}&status=active",
				"observations": "Observation?patient={{context.patientId}}&code=" + strings.Join([]string{loincWeight, loincCreatinine, loincCreatinine2, loincPregnancy, loincGestation}, ","),
			}})
	}
	return d
}

// ServiceID of a hook.
func ServiceID(hook string) string { return "yuanzhen-" + hook }

// Response to a hook. A clean prescription has no cards, and says in the extension that it was judged.
type Response struct {
	Cards     []Card `json:"cards"`
	Extension Judged `json:"extension"`
}

// Judged tells an empty list of cards from a question that nobody answered.
type Judged struct {
	Decision   string   `json:"urn:yuanzhen:decision"`
	Knowledge  string   `json:"urn:yuanzhen:knowledge"`
	NotCurated []string `json:"urn:yuanzhen:not-curated,omitempty"`
}

// Card is one finding.
type Card struct {
	UUID            string `json:"uuid"`
	Summary         string `json:"summary"`
	Detail          string `json:"detail"`
	Indicator       string `json:"indicator"`
	Source          Source `json:"source"`
	OverrideReasons []Code `json:"overrideReasons,omitempty"`
	Extension       struct {
		Alert check.Alert `json:"urn:yuanzhen:alert"`
	} `json:"extension"`
}

// Source of a card.
type Source struct {
	Label string `json:"label"`
	Topic Code   `json:"topic"`
}

// Code is CDS Hooks' Coding.
type Code struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

// Reasons for which a doctor may sign over an alert that interrupts.
var Reasons = []Code{
	{"urn:yuanzhen:override", "benefit_outweighs", "利大于弊 Benefit outweighs risk"},
	{"urn:yuanzhen:override", "tolerated_before", "以前用过，能耐受 Tolerated before"},
	{"urn:yuanzhen:override", "specialist_plan", "专科方案 Specialist plan"},
	{"urn:yuanzhen:override", "dose_adjusted", "已调剂量 Dose adjusted"},
	{"urn:yuanzhen:override", "will_monitor", "会监测 Will monitor"},
	{"urn:yuanzhen:override", "data_wrong", "资料有误 Data is wrong"},
	{"urn:yuanzhen:override", "asked_patient", "已问过病人 Asked the patient"},
}

// Answer turns a result into cards. What could not be checked is critical: CDS Hooks defines that as what should not
// be allowed to proceed.
func Answer(result check.Result) Response {
	out := Response{Cards: []Card{}, Extension: Judged{result.Decision, result.Knowledge, result.NotCurated}}
	for _, a := range result.Alerts {
		card := Card{
			UUID:      uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:yuanzhen:alert:"+result.ID+":"+a.Key)).String(), // the same finding, the same card
			Summary:   short(a.Text.ZH + " " + a.Text.EN),
			Detail:    a.Text.ZH + "\n\n" + a.Text.EN + "\n\n**" + a.Remedy.ZH + "** " + a.Remedy.EN + "\n\n" + strings.Join(a.Evidence, "; "),
			Indicator: map[string]string{"passive": "info", "interruptive": "warning", "hard_stop": "critical"}[a.Tier],
			Source:    Source{Label: "远诊处方集 Yuanzhen formulary " + result.Knowledge, Topic: Code{"urn:yuanzhen:alert-type", a.Type, a.Type}},
		}
		switch {
		case a.Type == check.NotChecked:
			card.Indicator = "critical"
		case a.Severity == formulary.Major:
			card.OverrideReasons = Reasons
		}
		card.Extension.Alert = a
		out.Cards = append(out.Cards, card)
	}
	return out
}

// Elsewhere is the response where no medicine was ordered: no card, and a decision that nobody takes for a pass.
func Elsewhere(version string) Response {
	return Response{Cards: []Card{}, Extension: Judged{Decision: "none", Knowledge: version}}
}

// Unanswered is the response where nothing could be judged: one critical card that says why.
func Unanswered(id, version string, why error) Response {
	text := fault.Text{ZH: "处方没有核查：请求中有一项看不懂。", EN: "The prescription was not checked: part of the request can't be read."}
	remedy := fault.Text{ZH: "请更正后再问；不要当作没有问题。", EN: "Correct it and ask again; do not take this for a pass."}
	if f := fault.As(why); f.Kind != fault.Internal {
		text, remedy = f.Say, f.Remedy
	}
	return Answer(check.Result{ID: id, Decision: "block", Knowledge: version, Alerts: []check.Alert{{
		Key: check.NotChecked, Type: check.NotChecked, About: []string{}, Severity: formulary.Contraindicated, Tier: "hard_stop",
		Text: text, Remedy: remedy, Evidence: []string{why.Error()},
	}}})
}

// short keeps a summary below CDS Hooks' 140 characters.
func short(s string) string {
	if utf8.RuneCountInString(s) < 140 {
		return s
	}
	return string([]rune(s)[:138]) + "…"
}

// RequestOf puts a case the way a client of CDS Hooks would ask it. now is the day of the question.
func RequestOf(kb *formulary.Knowledge, c check.Case, hook string, now time.Time) Request {
	r := Request{Hook: hook, HookInstance: cmp.Or(c.ID, uuid.NewString()), Context: Context{UserID: "Practitioner/example", PatientID: "example"}}
	r.Extension.Setting = c.Context
	about := &Reference{Reference: "Patient/example"}
	add := func(b *Bundle, one Resource) {
		one.Subject = about
		b.Entry = append(b.Entry, Entry{one})
	}
	for _, b := range []*Bundle{&r.Context.DraftOrders, &r.Prefetch.Conditions, &r.Prefetch.Allergies, &r.Prefetch.Medications, &r.Prefetch.Observations} {
		b.ResourceType, b.Type = "Bundle", "collection"
	}
	p := c.Patient
	who := Resource{ResourceType: "Patient", ID: "example", Gender: map[string]string{"M": "male", "F": "female"}[p.Sex]}
	switch {
	case p.AgeMonths != nil:
		who.BirthDate = time.Date(now.Year(), now.Month()-time.Month(*p.AgeMonths), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	case p.AgeYears != nil:
		who.BirthDate = time.Date(now.Year()-int(*p.AgeYears), now.Month(), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	r.Prefetch.Patient = &who
	for _, code := range p.Conditions {
		add(&r.Prefetch.Conditions, Resource{ResourceType: "Condition", Code: coded(SystemICD10, code)})
	}
	for _, a := range c.Allergies {
		one := Resource{ResourceType: "AllergyIntolerance", Code: coded(SystemIngredient, a.Ingredient)}
		if a.Group != "" {
			one.Code = coded(SystemGroup, a.Group)
		}
		if a.Severity != "" || a.Reaction != "" {
			one.Reaction = []Reaction{{Severity: a.Severity, Manifestation: []Concept{{Text: a.Reaction}}}}
		}
		add(&r.Prefetch.Allergies, one)
	}
	observed := func(code string, fill func(*Resource)) {
		one := Resource{ResourceType: "Observation", Status: "final", Code: coded(systemLOINC, code)}
		fill(&one)
		add(&r.Prefetch.Observations, one)
	}
	if !p.WeightKg.IsZero() {
		observed(loincWeight, func(o *Resource) { o.ValueQuantity = quantity(p.WeightKg, "kg") })
	}
	if !p.Creatinine.IsZero() {
		observed(loincCreatinine, func(o *Resource) {
			o.ValueQuantity = quantity(p.Creatinine, "umol/L")
			o.Effective = now.AddDate(0, 0, -int(p.CreatinineDays)).UTC().Format(time.DateOnly)
		})
	}
	for code, answer := range pregnancyAnswers {
		if answer == p.Pregnancy {
			observed(loincPregnancy, func(o *Resource) { o.ValueConcept = coded(systemLOINC, code) })
		}
	}
	if p.Trimester > 0 {
		weeks, _ := formulary.ParseDecimal([]string{"", "8", "20", "34"}[p.Trimester])
		observed(loincGestation, func(o *Resource) { o.ValueQuantity = quantity(weeks, "wk") })
	}
	if p.Lactation == "yes" || p.Lactation == "no" {
		feeding := p.Lactation == "yes"
		observed("", func(o *Resource) { o.Code, o.ValueBoolean = coded(SystemFact, "lactation"), &feeding })
	}
	for _, a := range c.ActiveMeds {
		left := int(a.RemainingDays)
		one := Resource{ResourceType: "MedicationStatement", Status: "active", Medication: medicineOf(kb, a.Ingredient, a.Product),
			Extension: []Extension{{URL: urlDaysLeft, Whole: &left}}}
		d := Dosage{Route: codedIf(SystemRoute, a.Route), Form: codedIf(SystemForm, a.Form)}
		switch {
		case a.Product != "":
			d.put(a.Units, "1", a.PerDay, formulary.Decimal{})
		case !a.DailyDose.IsZero():
			once, _ := formulary.ParseDecimal("1")
			d.put(a.DailyDose, a.Unit, once, formulary.Decimal{})
		}
		one.Dosage = []Dosage{d}
		add(&r.Prefetch.Medications, one)
	}
	for _, i := range c.Items {
		one := Resource{ResourceType: "MedicationRequest", Status: "draft", Intent: "order", Medication: medicineOf(kb, i.Ingredient, i.Product),
			Dispense: &DispenseWish{&Quantity{Value: json.Number(strconv.Itoa(int(i.Days))), Unit: "d", System: systemUCUM, Code: "d"}}}
		if i.Provenance != "" {
			one.Extension = []Extension{{URL: urlProvenance, Code: i.Provenance}}
		}
		d := Dosage{Route: codedIf(SystemRoute, i.Route), Form: codedIf(SystemForm, i.Form)}
		if i.Product != "" {
			d.put(i.Units, "1", i.PerDay, i.PerWeek)
		} else {
			d.put(i.Dose, i.Unit, i.PerDay, i.PerWeek)
		}
		one.Instruction = []Dosage{d}
		add(&r.Context.DraftOrders, one)
	}
	return r
}

func (d *Dosage) put(dose formulary.Decimal, unit string, perDay, perWeek formulary.Decimal) {
	if !dose.IsZero() {
		d.Doses = []DoseRate{{quantity(dose, unit)}}
	}
	often, of := perDay, "d"
	if perDay.Sign() == 0 {
		often, of = perWeek, "wk"
	}
	if often.Sign() > 0 {
		frequency, period := often.Ratio().Fraction()
		d.Timing = &struct {
			Repeat Repeat `json:"repeat"`
		}{Repeat{json.Number(frequency), json.Number(period), of}}
	}
}

func quantity(d formulary.Decimal, unit string) *Quantity {
	return &Quantity{Value: json.Number(d.String()), Unit: unit, System: systemUCUM, Code: unit}
}

func coded(system, code string) *Concept {
	return &Concept{Coding: []Coding{{System: system, Code: code}}}
}

func codedIf(system, code string) *Concept {
	if code == "" {
		return nil
	}
	return coded(system, code)
}

func medicineOf(kb *formulary.Knowledge, ingredient, product string) *Concept {
	if product != "" {
		c := coded(SystemProduct, product)
		c.Text = kb.Products[product].Name.ZH
		return c
	}
	c := coded(SystemIngredient, ingredient)
	i := kb.Ingredients[ingredient]
	c.Text = i.Name.ZH
	if i.ATC != "" {
		c.Coding = append(c.Coding, Coding{System: SystemATC, Code: i.ATC})
	}
	return c
}
