package eligibility

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gowebpki/jcs"
)

// The canonical form is checked against another implementation of RFC 8785.
func TestCanonicalForm(t *testing.T) {
	for _, doc := range []string{
		`{"b": [1, true, null, "x"], "a": {}}`,
		`{"1e21": 1e21, "1e20": 1e20, "small": 1e-7, "0": -0, "n": -12.5e-3, "third": 0.3333333333333333}`,
		`{"escapes": "\u0001\b\t\n\f\r\"\\\/ \u2028 \u00e9 é 心 \ud83d\ude00"}`,
		"{\"\uE000\": 1, \"\U0001F600\": 2, \"\U0001F601\": 3, \"z\": 4, \"\": 5, \"za\": 6}",
		string(read(t, "testdata/baseline.json")),
	} {
		want, err := jcs.Transform([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		n, err := parse([]byte(doc))
		if err != nil || n.flaw != nil {
			t.Fatal(err, n)
		}
		if got := n.canonical(nil); string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestFlawsThatIJSONForbids(t *testing.T) {
	for name, doc := range map[string]string{
		"doubled member":                `{"a": 1, "a": 1}`,
		"doubled by an escape":          `{"a": 1, "\u0061": 1}`,
		"half a pair":                   `"\ud83d x"`,
		"second half alone":             `"\ude00"`,
		"broken UTF-8":                  "\"\xff\"",
		"number beyond a double":        `1e999`,
		"doubled in an unknown section": `{"x": {"a": 1, "a": 1}}`,
	} {
		if n, err := parse([]byte(doc)); err != nil || n.flaw == nil {
			t.Errorf("%s: %v, error %v", name, n, err)
		}
	}
}

// FuzzFacts: any bytes end in a verdict or an error; what is read is JSON to
// encoding/json too; and the order of members changes neither verdict nor hash.
func FuzzFacts(f *testing.F) {
	files, _ := filepath.Glob("testdata/cases/*.json")
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Add(read(f, "testdata/baseline.json"))
	f.Add([]byte(`{"visit": {"red_flags": ["x"]}, "n": [1e5, -0.5, "\ud83d\ude00"]}`))
	set, policies := law(f), fixtures(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := set.Decide(doc, policies)
		n, bad := parse(doc)
		if (bad == nil) != json.Valid(doc) && !tooDeep(bad) {
			t.Fatalf("parse says %v, encoding/json %v", bad, json.Valid(doc))
		}
		if err != nil || bad != nil || n.flaw != nil {
			return
		}
		again, err := set.Decide(n.canonical(nil), policies)
		if err != nil || answer(again) != answer(d) || again.FactsSHA256 != d.FactsSHA256 {
			t.Fatalf("%s, in canonical form %s, %v", answer(d), answer(again), err)
		}
	})
}

func tooDeep(err error) bool { return err != nil && strings.Contains(err.Error(), "nested too deeply") }

// FuzzPolicy: any bytes end in a policy that a second reading confirms, or an error.
func FuzzPolicy(f *testing.F) {
	files, _ := filepath.Glob("testdata/policies/*.yaml")
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text, "")
		if err == nil && (p.ID == "" || !p.From.Before(p.To)) {
			t.Fatalf("accepted %+v", p)
		}
	})
}

func TestPoliciesThatAreUnusable(t *testing.T) {
	good := string(read(t, "testdata/policies/fx-epi.yaml"))
	for want, change := range map[string][2]string{
		"predicate.region is not a known member":                     {"  regions:", "  region:"},
		"physician.min_titel is not a known member":                  {"min_title", "min_titel"},
		`status has no word "on"`:                                    {"status: active", "status: on"},
		`max_severity has no word "critical"`:                        {"max_severity: mild", "max_severity: critical"},
		`rx_scope has no word "list:"`:                               {"rx_scope: symptomatic", `rx_scope: "list:"`},
		`authority.level has no word "county"`:                       {"level: province", "level: county"},
		"id is missing":                                              {"id: FX-EPI\n", ""},
		"guardian_under is missing":                                  {"guardian_under: 18\n", ""},
		"predicate is missing":                                       {"predicate:", "predicates:"},
		"effective_to is not later than":                             {"2026-07-01T", "2026-06-01T"},
		"effective_from is !!timestamp":                              {`"2026-06-01T00:00:00+08:00"`, "2026-06-01T00:00:00+08:00"},
		`predicate.institution_provinces is !!int "42", not !!str`:   {`institution_provinces: ["42"]`, `institution_provinces: [42]`},
		`predicate.regions "" is not 2, 4 or 6 digits`:               {`regions: ["42"]`, `regions: [""]`},
		`predicate.scenarios is not a list`:                          {`scenarios: ["PHE-FX1"]`, `scenarios: PHE-FX1`},
		"physician.whitelist is not true or false":                   {"whitelist: false", "whitelist: False"},
		`physician.min_years is !!str "three", not !!int or !!float`: {"min_years: 3", "min_years: three"},
		"physician.min_years is not a decimal number":                {"min_years: 3", "min_years: .nan"},
		`version is !!float "2.5", not !!int`:                        {"version: 2", "version: 2.5"},
		"version is not a decimal integer":                           {"version: 2", "version: 0x2"},
		"version stands twice":                                       {"version: 2", "version: 2\nversion: 3"},
		"more than one document":                                     {"rx_scope: symptomatic", "rx_scope: symptomatic\n---\nid: x"},
		"predicate is an alias or anchor":                            {"predicate:", "predicate: &p"},
		"FX-EPI@2 stands in a.yaml and in b.yaml":                    {"title:", "titel:"},
		"predicate.age_lt is !!str":                                  {"  scenarios:", "  age_lt: \"18\"\n  scenarios:"},
		"did not find expected":                                      {"predicate:", "predicate: ["},
	} {
		dir := fstest.MapFS{
			"a.yaml":     {Data: []byte(good)},
			"b.yaml":     {Data: []byte(strings.Replace(good, change[0], change[1], 1))},
			"notes.md":   {Data: []byte("not a policy")},
			"old/c.yaml": {Data: []byte("not directly in the folder")},
		}
		if want[:4] != "FX-E" {
			delete(dir, "a.yaml")
		}
		if p := LoadPolicies(dir); p.Err() == nil || !strings.Contains(p.Err().Error(), want) {
			t.Errorf("got %v, want %q", p.Err(), want)
		}
	}
	if p := LoadPolicies(os.DirFS("testdata/nowhere")); p.Err() == nil {
		t.Error("a folder that is not there was read as empty")
	}
	if p := LoadPolicies(fstest.MapFS{}); p.Err() != nil {
		t.Errorf("an empty folder holds no policies, and that is fine: %v", p.Err())
	}
}
