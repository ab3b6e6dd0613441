package check

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"yuanzhen/prescribe/formulary"
)

func knowledge(t testing.TB) *formulary.Knowledge {
	t.Helper()
	kb, err := formulary.Default()
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// expectation of a case, as testdata/README.md matches it.
type expectation struct {
	Decision string
	Alerts   []struct {
		Type, Severity string
		About          []string
	}
	Absent []string
}

// misses tells how a result differs from what was expected.
func (e expectation) misses(got Result) (misses []string) {
	if got.Decision != e.Decision {
		misses = append(misses, "decision "+got.Decision+", want "+e.Decision)
	}
	expected := map[string]bool{}
	for _, want := range e.Alerts {
		i := slices.IndexFunc(got.Alerts, func(a Alert) bool {
			return a.Type == want.Type && a.Severity.String() == want.Severity && slices.Equal(a.About, want.About)
		})
		if i < 0 {
			misses = append(misses, "no "+want.Severity+" "+want.Type+" about "+strings.Join(want.About, ", "))
			continue
		}
		expected[got.Alerts[i].Key] = true
	}
	for _, a := range got.Alerts {
		if !expected[a.Key] && (a.Severity > formulary.Moderate || slices.Contains(e.Absent, a.Type)) {
			misses = append(misses, "unexpected "+a.Severity.String()+" "+a.Key)
		}
	}
	return misses
}

// run reads a file of cases and holds each result against its expectation.
func runCases(t *testing.T, raw []byte) {
	t.Helper()
	kb := knowledge(t)
	single, cases, err := ReadCases(kb, bytes.NewReader(raw))
	if err != nil || single {
		t.Fatalf("single %v, %v", single, err)
	}
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			var want expectation
			node := c.Remarks["expect"]
			if err := node.Decode(&want); err != nil || want.Decision == "" {
				t.Fatalf("expect: %+v, %v", want, err)
			}
			got := Run(kb, c)
			if misses := want.misses(got); misses != nil {
				t.Errorf("%s\n%s", strings.Join(misses, "\n"), text(t, got))
			}
			for _, a := range got.Alerts {
				if a.Text.ZH == "" || a.Text.EN == "" || a.Remedy.ZH == "" || a.Remedy.EN == "" || len(a.Evidence) == 0 {
					t.Errorf("%s lacks words or evidence: %+v", a.Key, a)
				}
			}
		})
	}
}

func text(t testing.TB, r Result) string {
	t.Helper()
	out, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAcceptanceCases(t *testing.T) {
	raw, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(raw, []byte("\n  - id:")); n != 40 {
		t.Fatalf("%d cases in the file", n)
	}
	runCases(t, raw)
}

func TestStories(t *testing.T) {
	raw, err := os.ReadFile("testdata/stories.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runCases(t, raw)
}

func TestEveryRuleHasItsJudge(t *testing.T) {
	for id := range knowledge(t).Rules {
		if (judges[id] != nil) == (elsewhere[id] != "") {
			t.Errorf("%s: judged here and elsewhere, or nowhere", id)
		}
	}
	for id := range judges {
		if knowledge(t).Rules[id] == nil {
			t.Errorf("%s is judged and stands in no table", id)
		}
	}
}

// A wrong field is named, and nothing is judged.
func TestUnreadableCases(t *testing.T) {
	const item = "items: [{ingredient: aspirin, dose: 100, unit: mg, per_day: 1, days: 7}]\n"
	for _, c := range []struct{ story, text, says string }{
		{"an ingredient nobody knows", "items: [{ingredient: asprin, dose: 100, unit: mg, per_day: 1, days: 7}]", `items[0].ingredient: unknown ingredient "asprin"`},
		{"a product nobody knows", "items: [{product: panacea, units: 1, per_day: 1, days: 7}]", `items[0].product: unknown product "panacea"`},
		{"a unit nobody knows", "items: [{ingredient: aspirin, dose: 100, unit: drops, per_day: 1, days: 7}]", `items[0].unit: unknown unit "drops"`},
		{"a dose in words", "items: [{ingredient: aspirin, dose: 遵医嘱, unit: mg, per_day: 1, days: 7}]", "is not a plain decimal"},
		{"a negative dose", "items: [{ingredient: aspirin, dose: -100, unit: mg, per_day: 1, days: 7}]", "is not a plain decimal"},
		{"a dose of nothing", "items: [{ingredient: aspirin, dose: 0, unit: mg, per_day: 1, days: 7}]", "items[0].dose: a number above 0"},
		{"a dose with an exponent", "items: [{ingredient: aspirin, dose: 1e3, unit: mg, per_day: 1, days: 7}]", "is not a plain decimal"},
		{"no frequency", "items: [{ingredient: aspirin, dose: 100, unit: mg, days: 7}]", "items[0].per_day"},
		{"no days", "items: [{ingredient: aspirin, dose: 100, unit: mg, per_day: 1}]", "items[0].days"},
		{"a product with a dose", "items: [{product: vc_yinqiao, units: 1, dose: 5, unit: mg, per_day: 1, days: 7}]", "items[0].dose"},
		{"nothing prescribed", "patient: {sex: M}", "items: at least one"},
		{"a misspelt field", item + "alergies: []", "alergies: unknown field"},
		{"a misspelt field further in", item + "patient: {wieght_kg: 20}", "wieght_kg"},
		{"a channel nobody knows", item + "context: {channel: pigeon}", `context.channel: unknown value "pigeon"`},
		{"a type nobody knows", item + "context: {rx_type: forever}", `context.rx_type: unknown value "forever"`},
		{"herbal slices", item + "context: {rx_type: herbal}", "context.rx_type: herbal slices need a form of their own"},
		{"an answer that is none", item + "patient: {pregnancy: perhaps}", `patient.pregnancy: unknown value "perhaps"`},
		{"a pregnant man", item + "patient: {sex: M, pregnancy: yes}", "patient.pregnancy: yes, and sex M"},
		{"a fourth trimester", item + "patient: {trimester: 4}", "patient.trimester"},
		{"a condition in words", item + "patient: {conditions: [asthma]}", "patient.conditions[0]"},
		{"an allergy group nobody knows", item + "allergies: [{group: ag_nuts}]", `allergies[0].group: unknown group "ag_nuts"`},
		{"an age of 200", item + "patient: {age_years: 200}", "patient.age_years"},
		{"half a year", item + "patient: {age_years: 0.5}", "is not a whole number"},
		{"two documents", item + "---\n" + item, "more than one document"},
		{"more lines than anybody reads", "items: [" + strings.Repeat("{ingredient: aspirin, dose: 100, unit: mg, per_day: 1, days: 7}, ", 51) + "]", "items: 51 are more than 50"},
		{"no document", "", "EOF"},
		{"the second of two cases", "cases:\n- {id: a, " + strings.TrimSpace(item) + "}\n- {id: b, items: []}", "cases[1] b: items"},
	} {
		t.Run(c.story, func(t *testing.T) {
			_, cases, err := ReadCases(knowledge(t), strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) || cases != nil {
				t.Fatalf("want an error with %q, got %v", c.says, err)
			}
		})
	}
	single, cases, err := ReadCases(knowledge(t), strings.NewReader(`{"id":"j","items":[{"ingredient":"aspirin","dose":"0.1","unit":"g","per_day":1,"days":7}]}`))
	if err != nil || !single || len(cases) != 1 || cases[0].Items[0].Dose.String() != "0.1" {
		t.Errorf("JSON is YAML: %v %v", cases, err)
	}
}

// CKD-EPI 2021, worked by hand; 88.4 µmol/L is 1 mg/dL.
func TestEGFR(t *testing.T) {
	for _, c := range []struct {
		female     bool
		years      int
		creatinine float64
		want       float64
	}{{false, 50, 88.4, 91.7}, {true, 50, 88.4, 68.6}, {true, 30, 44.2, 129.3}} {
		if got := egfr(c.female, c.years, c.creatinine); got < c.want-0.1 || got > c.want+0.1 {
			t.Errorf("%+v: %.2f", c, got)
		}
	}
}
