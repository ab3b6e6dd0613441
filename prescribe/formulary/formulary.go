// Package formulary holds what the house knows about medicines: ingredients, products, dose limits,
// interactions and the rules of law, as data with a source on every row (data/README.md, data/SOURCES.md).
//
// The data is a draft that a pharmacist of the hospital has to review and sign before it is used for care.
// An empty cell means "not curated", never "safe"; the types keep that difference.
package formulary

import (
	"fmt"

	"yuanzhen/internal/fault"
)

// Severity orders alerts; the zero Severity is no finding.
type Severity int

const (
	Moderate        Severity = iota + 1 // shown beside the order
	Major                               // needs a reason
	Contraindicated                     // can't be signed
)

var severityNames = [...]string{"", "moderate", "major", "contraindicated"}

func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name of the three.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severityNames {
		if i > 0 && name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q", text)
}

// Knowledge is one version of all tables, with every reference resolved. It is read-only after Read.
type Knowledge struct {
	Version     string // hash over all tables: the same version gives the same answers
	Ingredients map[string]*Ingredient
	Products    map[string]*Product
	Groups      map[string]*Group // cross-reactivity groups of allergies
	Rules       map[string]*Rule
	Chronic     []Chronic

	texts     map[string]fault.Text // by kind and code
	crossings map[[2]string]Crossing
	searched  []entry
	readings  map[rune][]string       // pinyin without tones
	trade     map[string][]fault.Text // by ingredient or product
	usual     map[string][]Use        // by ingredient or product
	coded     map[string]*Ingredient  // by system and code of ATC and RxNorm; nil where a code names several
}

// Ingredient is an active ingredient with everything that hangs on it.
type Ingredient struct {
	ID        string
	Name      fault.Text // Chinese name and INN
	ATC       string
	RxCUI     string
	Forms     []string
	MainRoute string // the dose range and the maxima hold for this route
	Unit      string
	None      Amount // nothing of it, in Unit
	UsualLow  Amount // usual daily range of an adult
	UsualHigh Amount
	DailyMax  Amount // an alert ceiling for an adult, not a recommended dose
	SingleMax Amount
	Pregnancy string // contra, avoid, contra_t3, caution, ok
	Lactation string // contra, avoid, caution, ok

	Antibacterial string // nonrestricted, restricted, special
	Chronic       bool   // fit for a long prescription
	MinAgeMonths  int    // 0 if none is curated
	MinAgeLevel   string // contra, avoid
	PerKgDay      Amount // a child's limit for each kilogram
	ChildDailyCap Amount
	Essential     bool // on the National Essential Medicines List 2026

	Sources    []string
	Limits     []Limit
	Renal      []Renal
	Against    []Contraindication
	Groups     []string                       // allergy groups
	With       map[*Ingredient][]*Interaction // in the order of the table
	Twins      map[*Ingredient][]Duplicate    // classes in which the two double each other
	Control    []Control
	RetailBans []RetailBan
}

// Product is a fixed combination. Chinese patent medicines may hide Western ingredients.
type Product struct {
	ID         string
	Name       fault.Text
	Components []Component
	Others     string // what is inside and not in this formulary
	Kind       string // fdc, cold, tcm_with_western
}

// Component is an ingredient and its strength in one tablet, sachet or puff.
type Component struct {
	Ingredient *Ingredient
	Strength   Amount
}

// Use is a usual way to take a medicine, offered to the doctor as a choice: Unit is empty for a product, whose Dose
// counts tablets, sachets or puffs.
type Use struct {
	Dose, Unit      string
	PerDay, PerWeek int // one of the two
	Source          string
}

// Limit is an extra limit by age, condition or duration.
type Limit struct {
	Row, Kind, Route string
	Amount           Amount // of max_daily, max_single, weekly_only, weekly_only_if_single_ge
	Days             int    // of max_duration_d, max_dispense_d
	AgeMin, AgeMax   Decimal
	ICD10            []string
	Severity         Severity
	Source, Note     string
}

// Renal is what to do below an eGFR (mL/min/1.73 m²).
type Renal struct {
	Row      string
	Below    int
	Action   string // monitor, reduce, avoid, contra
	DailyMax Amount
	Source   string
}

// Contraindication is a drug against diagnoses.
type Contraindication struct {
	Row      string
	ICD10    []string
	Severity Severity
	Tier     string
	Reason   fault.Text
	AgeMax   int // years, below which it holds; 0 for any age
	Source   string
}

// Interaction is one row; Specific counts how many of its two sides name an ingredient, not a class.
type Interaction struct {
	Row             string
	Severity        Severity
	Tier            string
	Because, Remedy fault.Text  // the rest of the sentence after the two names; what to do
	CapOf           *Ingredient // DOSE_CAP: up to Cap a day the pair is tolerable
	Cap             Amount
	Qualifier       string
	Evidence        []string // the row and its sources, without room to grow
	Specific        int
}

// Duplicate is a class in which two different ingredients do the same work twice.
type Duplicate struct {
	Class    string
	Name     fault.Text
	Severity Severity
	Note     string
}

// Group is a set of ingredients that share an allergy.
type Group struct {
	ID      string
	Name    fault.Text
	Members []string
}

// Crossing says that an allergy to one group may reach another.
type Crossing struct {
	Row      string
	Severity Severity
	Basis    string
}

// Control is a class of specially managed drugs and the presentations it covers.
type Control struct{ Row, Scope, Class, Since, Source string }

// RetailBan is a reason why an ingredient may not be sold by online retail.
type RetailBan struct{ Row, Reason, Source string }

// Rule is a rule of law or of the house about prescriptions.
type Rule struct {
	ID         string
	Name       fault.Text
	Value      string
	Limit      int // Value where it is a number
	Severity   Severity
	Overriders string
	Source     string
}

// Chronic is a condition that may have a long prescription.
type Chronic struct {
	ICD10                string
	Name                 fault.Text
	DefaultDays, MaxDays int
	Condition            string
}

// Text is the wording of a code of codes.csv.
func (k *Knowledge) Text(kind, code string) fault.Text { return k.texts[kind+":"+code] }

// Usual are the usual uses of an ingredient or product, in the order of the table.
func (k *Knowledge) Usual(id string) []Use { return k.usual[id] }

// Coded is the one ingredient that a code of ATC (http://www.whocc.no/atc) or RxNorm names, or nil.
func (k *Knowledge) Coded(system, code string) *Ingredient { return k.coded[system+" "+code] }

// Crossing from an allergy group to another, if one is known.
func (k *Knowledge) Crossing(from, to string) (Crossing, bool) {
	c, ok := k.crossings[[2]string{from, to}]
	return c, ok
}

// HasPrefix reports that an ICD-10 code falls under a prefix; the point is only for the eye.
func HasPrefix(code, prefix string) bool {
	at := 0
	for i := range len(prefix) {
		if prefix[i] == '.' {
			continue
		}
		if at < len(code) && code[at] == '.' {
			at++
		}
		if at == len(code) || code[at] != prefix[i] {
			return false
		}
		at++
	}
	return true
}
