package eligibility

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// patched is the baseline document with a patch.
func patched(t testing.TB, patch any) []byte {
	t.Helper()
	if patch == nil {
		patch = map[string]any{}
	}
	var baseline any
	if err := json.Unmarshal(read(t, "testdata/baseline.json"), &baseline); err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(merge(baseline, patch))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func law(t testing.TB) *RuleSet {
	t.Helper()
	set, err := National()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func fixtures(t testing.TB) Policies {
	t.Helper()
	p := LoadPolicies(os.DirFS("testdata/policies"))
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	return p
}

// answer is a decision as the cases write it.
func answer(d Decision) string {
	var ids []string
	for _, r := range d.Reasons {
		ids = append(ids, r.Rule)
	}
	return d.Verdict.String() + " " + strings.Join(ids, ", ")
}

type acceptance struct {
	ID, Title, Verdict string
	Patch              any
	Reasons            []string
}

func TestAcceptanceCases(t *testing.T) {
	files, _ := filepath.Glob("testdata/cases/*.json")
	if len(files) != 50 {
		t.Fatalf("%d case files, want 50", len(files))
	}
	var cases []acceptance // our own: period ends, leap days, edges of the zone, order
	if err := json.Unmarshal(read(t, "testdata/own_cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var c acceptance
		if err := json.Unmarshal(read(t, file), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	set, policies := law(t), fixtures(t)
	for _, c := range cases {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			d, err := set.Judge(patched(t, c.Patch), policies)
			if err != nil {
				t.Fatal(err)
			}
			if want := c.Verdict + " " + strings.Join(c.Reasons, ", "); answer(d) != want {
				t.Errorf("got  %s\nwant %s", answer(d), want)
			}
		})
	}
}

func TestStoriesOfTheRules(t *testing.T) {
	set := law(t)
	if n := len(set.Rules()); n != 37 {
		t.Fatalf("%d rules, want 37", n)
	}
	for _, r := range set.Rules() {
		for _, c := range r.Cases {
			t.Run(r.ID+" "+c.Story, func(t *testing.T) {
				if err := set.Tell(r, c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for _, f := range set.Lint() {
		t.Error(f)
	}
}

func TestEmergencyComesBeforeEverything(t *testing.T) {
	broken := LoadPolicies(fstest.MapFS{"x.yaml": {Data: []byte("no policy")}})
	missing := LoadPolicies(os.DirFS("testdata/nowhere"))
	for name, doc := range map[string]string{
		"nothing else is known":             `{"visit": {"red_flags": ["chest_pain"]}}`,
		"other facts are of the wrong type": `{"now": 7, "stage": [], "visit": {"red_flags": ["coma"], "severity": 3}}`,
		"a member stands twice":             `{"visit": {"red_flags": ["coma"]}, "visit": {"red_flags": []}}`,
		"a word that nobody lists":          `{"visit": {"red_flags": ["something is very wrong"]}}`,
	} {
		for _, policies := range []Policies{{}, broken, missing} {
			d, err := law(t).Decide([]byte(doc), policies)
			if err != nil || answer(d) != "EMERGENCY VIS-01" {
				t.Errorf("%s: got %s, %v", name, answer(d), err)
			}
			if len(d.Ways) != 1 || d.Ways[0].Kind != CallEmergency {
				t.Errorf("%s: the only way must be the emergency one, got %v", name, d.Ways)
			}
		}
	}
	for name, policies := range map[string]Policies{"broken": broken, "missing": missing} {
		if _, err := law(t).Decide(patched(t, nil), policies); !errors.Is(err, policies.Err()) {
			t.Errorf("%s policies: got %v, want their error", name, err)
		}
	}
}

func TestUnusableFactsNameTheirPlace(t *testing.T) {
	for path, patch := range map[string]string{
		"now is missing":                                 `{"now": null}`,
		"now is \"2026-06-15 10:00\"":                    `{"now": "2026-06-15 10:00"}`,
		"now is \"2026-06-15T10:00:00\"":                 `{"now": "2026-06-15T10:00:00"}`,
		"stage is \"lunch\"":                             `{"stage": "lunch"}`,
		"patient is a string":                            `{"patient": "Li"}`,
		"patient.birth_date is missing":                  `{"patient": null}`,
		"patient.birth_date is \"2026-02-30\"":           `{"patient": {"birth_date": "2026-02-30"}}`,
		"patient.birth_date is after today":              `{"patient": {"birth_date": "2026-06-16"}}`,
		"patient.region is a number":                     `{"patient": {"region": 310104}}`,
		"patient.realname_level is a boolean":            `{"patient": {"realname_level": true}}`,
		"patient.schemes[1] is null":                     `{"patient": {"schemes": ["a", null]}}`,
		"physician.session is an array":                  `{"physician": {"session": []}}`,
		"physician.level is":                             `{"physician": {"level": "doctor"}}`,
		"institution.online_catalogue[0] is a string":    `{"institution": {"online_catalogue": ["I10"]}}`,
		"online_catalogue[0].window_days is 1.5":         `{"institution": {"online_catalogue": [{"icd10_cat": "I10", "class": "chronic", "window_days": 1.5}]}}`,
		"online_catalogue[0].class is missing":           `{"institution": {"online_catalogue": [{"icd10_cat": "I10", "window_days": 1}]}}`,
		"institution.online_catalogue has I10 twice":     `{"institution": {"online_catalogue": [{"icd10_cat": "I10", "class": "chronic", "window_days": 1}, {"icd10_cat": "I10", "class": "common", "window_days": 2}]}}`,
		"visit.declared_kind is missing":                 `{"visit": null}`,
		"visit.red_flags is a string":                    `{"visit": {"red_flags": "chest_pain"}}`,
		"visit.physician_judgement is \"\"":              `{"visit": {"physician_judgement": ""}}`,
		"visit.intends_rx is a string":                   `{"visit": {"intends_rx": "yes"}}`,
		"evidence[0].verify is \"checked\"":              `{"evidence": [{"icd10": "I10", "dx_date": "2026-01-01", "source": "physical", "verify": "checked"}]}`,
		"evidence[0].dx_date is \"2025-2-3\"":            `{"evidence": [{"icd10": "I10", "dx_date": "2025-2-3", "source": "physical", "verify": "verified"}]}`,
		"evidence[0].icd10 is missing":                   `{"evidence": [{"dx_date": "2025-02-03", "source": "physical", "verify": "verified"}]}`,
		"consent.internet_care.valid is a number":        `{"consent": {"internet_care": {"valid": 1}}}`,
		"region.active_scenarios[0] is an object, not a": `{"region": {"active_scenarios": [{}]}}`,
	} {
		var p any
		if err := json.Unmarshal([]byte(patch), &p); err != nil {
			t.Fatal(err)
		}
		_, err := law(t).Decide(replaced(t, p), Policies{})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s\n got: %v\nwant: %s", patch, err, path)
		}
	}
	for _, doc := range []string{"", "null", "[]", "{", `{"a":}`, `{} x`, `{"a":01}`, `{"a":"` + "\n" + `"}`, strings.Repeat("[", 100)} {
		if _, err := law(t).Decide([]byte(doc), Policies{}); err == nil {
			t.Errorf("%q gave a verdict", doc)
		}
	}
}

// replaced is patched, but keeps the nulls of the patch.
func replaced(t *testing.T, patch any) []byte {
	var doc map[string]any
	if err := json.Unmarshal(patched(t, nil), &doc); err != nil {
		t.Fatal(err)
	}
	for k, v := range patch.(map[string]any) {
		members, isObject := v.(map[string]any)
		old, wasObject := doc[k].(map[string]any)
		if !isObject || !wasObject {
			doc[k] = v
			continue
		}
		for m, v := range members {
			old[m] = v
		}
	}
	b, _ := json.Marshal(doc)
	return b
}

func TestNothingStatedOpensNothing(t *testing.T) {
	doc := `{"now": "2026-06-15T10:00:00+08:00", "stage": "booking", "ignored": {"x": [1]},
		"patient": {"birth_date": "1966-03-01", "special_groups": null}, "visit": {"declared_kind": "follow_up"}, "guardian": null}`
	d, err := law(t).Decide([]byte(doc), fixtures(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "DENY IDX-01, IDX-02, LIC-01, LIC-02, LIC-03, LIC-04, DOC-01, DOC-02, DOC-03, DOC-04, MPP-04, CON-01, CON-02, VIS-03"
	if answer(d) != want {
		t.Errorf("got  %s\nwant %s", answer(d), want)
	}
}

func TestAge(t *testing.T) {
	for _, c := range []struct {
		birth, today string
		want         int
	}{
		{"2008-06-15", "2026-06-15", 17}, // the birthday itself
		{"2008-06-14", "2026-06-15", 18},
		{"2020-02-29", "2026-02-28", 5},
		{"2020-02-29", "2026-03-01", 6},
		{"2020-02-29", "2024-02-29", 3},
		{"2020-02-29", "2024-03-01", 4},
		{"2026-06-15", "2026-06-15", 0},
		{"1899-12-31", "2026-01-01", 126},
	} {
		birth, _ := ParseDay(c.birth)
		today, _ := ParseDay(c.today)
		if got := Age(birth, today); got != c.want {
			t.Errorf("born %s, on %s: %d, want %d", c.birth, c.today, got, c.want)
		}
	}
}

func TestRulesThatDoNotLoad(t *testing.T) {
	good := string(read(t, "rules/cn/IDX-01.yaml"))
	for want, change := range map[string][2]string{
		"undeclared reference":          {"patient.realname_level", "patient.realname"},
		"found no matching overload":    {"< 2", `< "2"`},
		"condition is double, not":      {"patient.realname_level < 2", "patient.realname_level"},
		"field colour not found":        {"phase: 1", "phase: 1\ncolour: red"},
		"has no rule IDX-01 of phase 2": {"phase: 1", "phase: 2"},
		"message and remedy need":       {"en: Please complete real-name verification first.", `en: ""`},
		"needs a case that passes and":  {"fires: true", "fires: false"},
		"unknown outcome":               {"REQUIRE", "MAYBE"},
		"holds rule IDX-09":             {"id: IDX-01", "id: IDX-09"},
		"condition may cost":            {"patient.realname_level < 2", strings.Repeat(`patient.region in patient.schemes || `, 50) + "true"},
	} {
		pack := NationalPack()
		pack.Files["IDX-01.yaml"] = strings.Replace(good, change[0], change[1], 1)
		if _, err := LoadRules(pack); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	pack := NationalPack()
	delete(pack.Files, "CON-02.yaml")
	if _, err := LoadRules(pack); err == nil || !strings.Contains(err.Error(), "no rule CON-02 of phase 5") {
		t.Errorf("a rule is missing: %v", err)
	}
}

func TestDecisionAsJSON(t *testing.T) {
	d, err := law(t).Decide(patched(t, nil), Policies{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(d)
	if !strings.HasPrefix(string(b), `{"verdict":"ALLOW","reasons":[],`) {
		t.Errorf("an empty list of reasons must be written: %s", b)
	}
	again, _ := law(t).Decide(patched(t, nil), fixtures(t))
	if d.FactsSHA256 != again.FactsSHA256 || len(d.FactsSHA256) != 64 {
		t.Errorf("the same facts must hash alike: %s, %s", d.FactsSHA256, again.FactsSHA256)
	}
}

func BenchmarkDecide(b *testing.B) {
	set, policies := law(b), fixtures(b)
	for _, name := range []string{"W01", "W13", "X26"} {
		var c struct{ Patch any }
		if err := json.Unmarshal(read(b, fmt.Sprintf("testdata/cases/%s.json", name)), &c); err != nil {
			b.Fatal(err)
		}
		doc := patched(b, c.Patch)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Decide(doc, policies); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Decisions share memory that is used again: each must see its own document only.
func TestManyAtOnce(t *testing.T) {
	set, policies := law(t), fixtures(t)
	var padded map[string]any
	if err := json.Unmarshal(patched(t, nil), &padded); err != nil {
		t.Fatal(err)
	}
	padded["ignored"] = strings.Split(strings.Repeat("x", 1000), "")
	large, _ := json.Marshal(padded)
	docs := map[string][]byte{
		"ALLOW ":                  patched(t, nil),
		"REQUIRE IDX-01":          patched(t, map[string]any{"patient": map[string]any{"realname_level": 0}}),
		"ALLOW_COND VIS-12":       patched(t, map[string]any{"visit": map[string]any{"declared_kind": "health_consult"}}),
		"EMERGENCY VIS-01":        []byte(`{"visit": {"red_flags": ["coma"]}}`),
		"REDIRECT_OFFLINE VIS-09": patched(t, map[string]any{"visit": map[string]any{"condition_changed": true}, "more": padded["ignored"]}),
	}
	var all sync.WaitGroup
	for want, doc := range docs {
		all.Go(func() {
			for range 200 {
				if d, err := set.Decide(doc, policies); err != nil || answer(d) != want {
					t.Errorf("got %s, %v; want %s", answer(d), err, want)
				}
				if d, err := set.Decide(large, policies); err != nil || answer(d) != "ALLOW " {
					t.Errorf("large: %s, %v", answer(d), err)
				}
				if _, err := set.Decide(doc[:len(doc)/2], policies); err == nil {
					t.Error("half a document gave a verdict")
				}
			}
		})
	}
	all.Wait()
}
