package cds

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

var now = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

func knowledge(t *testing.T) *formulary.Knowledge {
	t.Helper()
	kb, err := formulary.Default()
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// Every case asked through CDS Hooks, as bytes on the wire, is judged as the command judges it.
func TestEveryCaseThroughHooks(t *testing.T) {
	kb := knowledge(t)
	for _, name := range []string{"cases.yaml", "stories.yaml"} {
		raw, err := os.ReadFile("../check/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		_, cases, err := check.ReadCases(kb, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if len(c.Unlisted) > 0 {
				continue // names outside the formulary are a test of their own, below
			}
			t.Run(c.ID, func(t *testing.T) {
				wire, err := json.Marshal(RequestOf(kb, c, "order-sign", now))
				if err != nil {
					t.Fatal(err)
				}
				var asked Request
				if err := json.Unmarshal(wire, &asked); err != nil {
					t.Fatal(err)
				}
				again, err := asked.Case(kb, now)
				if err != nil {
					t.Fatalf("%v\n%s", err, wire)
				}
				want, got := check.Run(kb, c), check.Run(kb, again)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("through hooks %+v\nby command %+v\n%s", got, want, wire)
				}
				answer := Answer(got)
				if len(answer.Cards) != len(want.Alerts) || answer.Extension.Decision != want.Decision {
					t.Errorf("%d cards for %d alerts", len(answer.Cards), len(want.Alerts))
				}
				for _, card := range answer.Cards {
					if n := utf8.RuneCountInString(card.Summary); n == 0 || n >= 140 || card.Detail == "" || card.Indicator == "" {
						t.Errorf("card %+v", card)
					}
				}
			})
		}
	}
}

// What a client says in codes that nobody here knows is never silence.
func TestWhatHooksCannotRead(t *testing.T) {
	kb := knowledge(t)
	_, cases, err := check.ReadCases(kb, strings.NewReader("{id: x, patient: {age_years: 50, sex: M, conditions: [I10]}, items: [{ingredient: amlodipine, dose: 5, unit: mg, per_day: 1, days: 7}]}"))
	if err != nil {
		t.Fatal(err)
	}
	unknown := Resource{ResourceType: "MedicationStatement", Medication: &Concept{Text: "银杏叶片"}}
	for _, story := range []struct {
		name   string
		change func(*Request)
		ok     bool // the case is read, with a finding
	}{
		{"a current medicine without a code", func(r *Request) {
			r.Prefetch.Medications.Entry = append(r.Prefetch.Medications.Entry, Entry{unknown})
		}, true},
		{"an allergy in words", func(r *Request) {
			r.Prefetch.Allergies.Entry = []Entry{{Resource{Code: &Concept{Text: "花生"}}}}
		}, true},
		{"a condition in words", func(r *Request) {
			r.Prefetch.Conditions.Entry = append(r.Prefetch.Conditions.Entry, Entry{Resource{Code: &Concept{Text: "痛风"}}})
		}, true},
		{"allergies that nobody sent", func(r *Request) { r.Prefetch.Allergies = Bundle{} }, true},
		{"current medicines that nobody sent", func(r *Request) { r.Prefetch.Medications = Bundle{} }, true},
		{"an order nobody knows", func(r *Request) { r.Context.DraftOrders.Entry[0].Resource.Medication = coded("urn:other", "1") }, false},
		{"a dose in words", func(r *Request) { r.Context.DraftOrders.Entry[0].Resource.Instruction = nil }, false},
		{"a route of another system", func(r *Request) {
			r.Context.DraftOrders.Entry[0].Resource.Instruction[0].Route = coded("http://snomed.info/sct", "26643006")
		}, false},
		{"a period of months", func(r *Request) {
			r.Context.DraftOrders.Entry[0].Resource.Instruction[0].Timing.Repeat.PeriodUnit = "mo"
		}, false},
		{"no orders", func(r *Request) { r.Context.DraftOrders.Entry = nil }, false},
		{"a weight in pounds", func(r *Request) {
			r.Prefetch.Observations.Entry = []Entry{{Resource{Code: coded(systemLOINC, loincWeight), ValueQuantity: &Quantity{Value: "150", Code: "[lb_av]"}}}}
		}, false},
	} {
		t.Run(story.name, func(t *testing.T) {
			r := RequestOf(kb, cases[0], "order-select", now)
			story.change(&r)
			c, err := r.Case(kb, now)
			if !story.ok {
				if err == nil {
					t.Fatalf("it was read: %+v", c)
				}
				if answer := Unanswered("x", kb.Version, err); len(answer.Cards) != 1 || answer.Cards[0].Indicator != "critical" || answer.Extension.Decision != "block" {
					t.Fatalf("%+v", answer)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			answer := Answer(check.Run(kb, c))
			if answer.Extension.Decision != "override" || len(answer.Cards) != 1 || answer.Cards[0].Indicator != "critical" || answer.Cards[0].OverrideReasons != nil {
				t.Fatalf("%+v", answer)
			}
		})
	}
}

func TestLaboratoryOrdersAreNotOurs(t *testing.T) {
	order := func(kind string) Entry { return Entry{Resource{ResourceType: kind}} }
	for _, story := range []struct {
		name   string
		orders []Entry
		want   bool
	}{
		{"a laboratory order", []Entry{order("ServiceRequest")}, true},
		{"a medicine among them", []Entry{order("ServiceRequest"), order("MedicationRequest")}, false},
		{"a medicine under another name", []Entry{{Resource{ResourceType: "MedicationOrder", Medication: &Concept{Text: "阿司匹林"}}}}, false},
		{"nothing at all", nil, false},
	} {
		if got := (Request{Context: Context{DraftOrders: Bundle{Entry: story.orders}}}).Elsewhere(); got != story.want {
			t.Errorf("%s: %v", story.name, got)
		}
	}
	if r := Elsewhere("v"); len(r.Cards) != 0 || r.Extension.Decision != "none" {
		t.Errorf("%+v", r)
	}
}

func TestInternationalCodes(t *testing.T) {
	kb := knowledge(t)
	for system, code := range map[string]string{SystemATC: "C08CA01", SystemRxNorm: "17767"} {
		if i := kb.Coded(system, code); i == nil || i.ID != "amlodipine" {
			t.Errorf("%s %s: %v", system, code, i)
		}
	}
	if kb.Coded(SystemATC, "") != nil || kb.Coded(SystemATC, "X") != nil {
		t.Error("no code names no ingredient")
	}
	mgdl := Resource{Code: coded(systemLOINC, loincCreatinine2), ValueQuantity: &Quantity{Value: "1.0", Code: "mg/dL"}}
	var c check.Case
	if err := observe(&c, mgdl, now); err != nil || c.Patient.Creatinine.String() != "88.4" {
		t.Errorf("1 mg/dL is %s µmol/L, %v", c.Patient.Creatinine, err)
	}
}

func TestDiscovery(t *testing.T) {
	d := Discover()
	if len(d.Services) != 2 || d.Services[0].Hook != "order-select" || d.Services[1].Hook != "order-sign" || d.Services[0].Prefetch["patient"] == "" {
		t.Fatalf("%+v", d)
	}
}

func FuzzRequest(f *testing.F) {
	kb, err := formulary.Default()
	if err != nil {
		f.Fatal(err)
	}
	_, cases, err := check.ReadCases(kb, strings.NewReader("{id: x, patient: {age_years: 50, sex: F, pregnancy: yes, trimester: 2, weight_kg: 60, creatinine_umol_l: 90, conditions: [I10]}, allergies: [{group: ag_arb, severity: mild}], active_meds: [{ingredient: warfarin, daily_dose: 3, unit: mg, remaining_days: 2}], items: [{product: valsartan_hctz, units: 1, per_day: 1, days: 7, route: po, form: tab}]}"))
	if err != nil {
		f.Fatal(err)
	}
	wire, _ := json.Marshal(RequestOf(kb, cases[0], "order-sign", now))
	f.Add(wire)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Request
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		c, err := r.Case(kb, now)
		if err != nil {
			Unanswered(r.HookInstance, kb.Version, errors.New(err.Error()))
			return
		}
		Answer(check.Run(kb, c))
	})
}
