package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"yuanzhen/consult/eligibility"
)

// testEligibility puts every acceptance case through the API: facts and the folder of policies, as the command takes them.
func (b *building) testEligibility(t *testing.T) {
	b.t = t
	folder := filepath.Join(here, "..", "..", "..", "consult", "eligibility", "testdata")
	baseline, fixtures := eligibility.Baseline()
	var policies []string
	files, _ := filepath.Glob(filepath.Join(folder, "policies", "*.yaml"))
	for _, f := range files {
		policies = append(policies, string(readAt(t, f)))
	}
	rules, err := eligibility.National()
	if err != nil {
		t.Fatal(err)
	}
	cases, _ := filepath.Glob(filepath.Join(folder, "cases", "*.json"))
	if len(cases) != 50 || len(policies) != 6 {
		t.Fatalf("%d cases, %d policies", len(cases), len(policies))
	}
	decisions := b.count(`SELECT count(*) FROM decision`)
	session := b.session("孙丽")
	for _, f := range cases {
		var c struct {
			ID, Verdict string
			Patch       any
			Reasons     []string
		}
		if err := json.Unmarshal(readAt(t, f), &c); err != nil {
			t.Fatal(err)
		}
		facts, err := eligibility.Patched(baseline, c.Patch)
		if err != nil {
			t.Fatal(err)
		}
		a := b.sendAs(session, jsonRequest("", "POST", "/api/v1/eligibility/check", object{"facts": json.RawMessage(facts), "policies": policies}))
		var got, want eligibility.Answer
		if err := json.Unmarshal(a.body, &got); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s", c.ID, a.status, a.body)
		}
		if got.Verdict.String() != c.Verdict || !reflect.DeepEqual(got.Reasons, c.Reasons) {
			t.Errorf("%s: %v %v, want %s %v", c.ID, got.Verdict, got.Reasons, c.Verdict, c.Reasons)
		}
		d, err := rules.Judge(facts, fixtures) // what the command prints
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(d)
		if err == nil {
			err = json.Unmarshal(text, &want)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the API says %+v, the command %+v, %v", c.ID, got, want, err)
		}
	}
	for want, body := range map[string]any{
		"invalid":        object{"policies": []string{}},
		"facts_unusable": object{"facts": object{"now": 1}, "policies": []string{}},
		"check_unusable": object{"facts": json.RawMessage(baseline), "policies": []string{"id: x"}},
	} {
		if p := b.call("孙丽", "POST", "/api/v1/eligibility/check", body, 422).problem(); p.Code != want {
			t.Errorf("%s, want %s", p.Code, want)
		}
	}
	b.call("吴监", "POST", "/api/v1/eligibility/check", object{"facts": json.RawMessage(baseline)}, 200) // under the policies of the house
	if a := b.call("孙丽", "POST", "/api/v1/eligibility/check", object{"facts": object{"visit": object{"red_flags": []string{"coma"}}}, "policies": []string{"broken"}}, 200); a.text("verdict") != "EMERGENCY" {
		t.Errorf("an emergency comes before unusable policies: %s", a.body)
	}
	if n := b.count(`SELECT count(*) FROM decision`); n != decisions {
		t.Errorf("%d decisions were kept", n-decisions)
	}
}

func readAt(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
