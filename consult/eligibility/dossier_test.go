package eligibility

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// dossier is a decision of the pilot, signed by a key made up for it.
func dossier(t *testing.T, patch any) Dossier {
	t.Helper()
	set, policies := law(t), fixtures(t)
	facts := patched(t, patch)
	d, err := set.Decide(facts, policies)
	if err != nil {
		t.Fatal(err)
	}
	ruling, err := d.Ruling("0190aaaa-0000-7000-8000-00000000beef", time.Date(2026, 6, 15, 10, 0, 0, 0, shanghai))
	if err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := private.Public().(ed25519.PublicKey)
	file := Dossier{Ruling: ruling, Facts: facts, Rules: set.Packs(), Signature: Signature{KeyID(public), "Ed25519", ed25519.Sign(private, ruling), public}}
	for _, p := range policies.All() {
		file.Policies = append(file.Policies, p.Document())
	}
	return file
}

var firstVisit = map[string]any{"visit": map[string]any{"declared_kind": "first_visit"}, "evidence": nil}

func TestADossierProvesItself(t *testing.T) {
	for _, patch := range []any{nil, firstVisit, map[string]any{"visit": map[string]any{"red_flags": []any{"coma"}}}} {
		file := dossier(t, patch)
		text, err := json.MarshalIndent(file, "", "  ") // as it lies on a disk
		if err != nil {
			t.Fatal(err)
		}
		var again Dossier
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		for _, known := range [][]*RuleSet{nil, {law(t)}} {
			if f := again.Check(known...); !f.Good() || len(f.Problems) != 0 {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestAnAlteredDossierIsFound(t *testing.T) {
	for name, alter := range map[string]func(*Dossier){
		"verdict: judged again": func(d *Dossier) { // signed anew by somebody else's key
			d.Ruling = []byte(strings.Replace(string(d.Ruling), "REDIRECT_OFFLINE", "ALLOW", 1))
			private := ed25519.NewKeyFromSeed(append(make([]byte, 31), 1))
			public := private.Public().(ed25519.PublicKey)
			d.Signature = Signature{KeyID(public), "Ed25519", ed25519.Sign(private, d.Ruling), public}
		},
		"it does not fit the ruling": func(d *Dossier) { d.Ruling = []byte(strings.Replace(string(d.Ruling), "VIS-11", "VIS-12", 1)) },
		"facts: their SHA-256":       func(d *Dossier) { d.Facts = patched(t, nil) },
		"rules: they are": func(d *Dossier) {
			d.Rules[0].Files["VIS-11.yaml"] = strings.Replace(d.Rules[0].Files["VIS-11.yaml"], "policy.in_force == 0", "policy.in_force == 1", 1)
		},
		"rules: rule file VIS-11.yaml": func(d *Dossier) { d.Rules[0].Files["VIS-11.yaml"] = "x" },
		"rules: there are none":        func(d *Dossier) { d.Rules = nil },
		"no document of FX-RARE@1":     func(d *Dossier) { d.Policies = d.Policies[2:] },
		"no Ed25519 key of the id":     func(d *Dossier) { d.Signature.PublicKey[0] ^= 1 },
		"the ruling can't be read":     func(d *Dossier) { d.Ruling = []byte(`{"id": "a", "id": "b"}`) },
	} {
		var file Dossier
		text, err := json.Marshal(dossier(t, firstVisit))
		if err == nil {
			err = json.Unmarshal(text, &file)
		}
		if err != nil {
			t.Fatal(err)
		}
		alter(&file)
		if f := file.Check(law(t)); f.Good() || !strings.Contains(strings.Join(f.Problems, "; "), name) {
			t.Errorf("%s: found %v", name, f.Problems)
		}
	}
}

// Every single changed byte of the signed ruling is noticed.
func TestOneByteOfARuling(t *testing.T) {
	file := dossier(t, firstVisit)
	ruling := file.Ruling
	for i := range ruling {
		for _, bit := range []byte{1, 0x20} {
			changed := append([]byte{}, ruling...)
			changed[i] ^= bit
			file.Ruling = changed
			if f := file.Check(law(t)); f.Signature {
				t.Fatalf("byte %d changed, and the signature fits: %s", i, changed)
			}
		}
	}
}

func TestSimulation(t *testing.T) {
	set := law(t)
	draft, err := ParsePolicy([]byte(`{"id": "NEW", "version": 1, "title": "", "authority": {"level": "province"}, "effective_from": "2030-01-01T00:00:00+08:00",
		"effective_to": "2030-06-01T00:00:00+08:00", "predicate": {"icd10_cats": ["R00"]}, "physician": {"min_years": 3}, "guardian_under": 18, "max_severity": "mild", "rx_scope": "all"}`), "draft")
	if err != nil {
		t.Fatal(err)
	}
	stricter, err := LoadRules(NationalPack(), local(localRule("SH-DOC-01", "condition: physician.independent_years < 20")))
	if err != nil {
		t.Fatal(err)
	}
	s := Simulate(Law{set, Policies{}}, Law{set, Policies{}.Replacing(draft.Assumed())})
	r := Simulate(Law{set, Policies{}}, Law{stricter, Policies{}})
	palpitations := map[string]any{"visit": map[string]any{"declared_kind": "first_visit", "complaint": map[string]any{"icd10": "R00.200"}}}
	severe := map[string]any{"visit": map[string]any{"declared_kind": "first_visit", "complaint": map[string]any{"icd10": "R00.200"}, "severity": "severe"}}
	for _, sim := range []*Simulation{s, r} {
		for range 7 {
			sim.Add(Past{"new", patched(t, palpitations), "d1"})
		}
		sim.Add(Past{"severe", patched(t, severe), "d1"})
		sim.Add(Past{"old", patched(t, nil), "d2"})
		sim.Add(Past{"danger", []byte(`{"visit": {"red_flags": ["coma"]}}`), ""})
		sim.Add(Past{"broken", []byte(`{`), ""})
		sim.Add(Past{"half", []byte(`{"stage": "booking"}`), ""})
	}
	got := s.Result()
	if got.String() != "12 judged: 7 newly pass, 0 newly fail, 1 otherwise, 2 unchanged, 2 unusable" {
		t.Error(got)
	}
	if len(got.Diseases) != 1 || got.Diseases[0] != (Shift{"R00", 7, 0}) || got.Counties[0] != (Shift{"310104", 7, 0}) || got.Doctors[0] != (Shift{"d1", 7, 0}) {
		t.Errorf("groups %+v", got)
	}
	if len(got.Examples) != 6 || got.Examples[0].After.Reasons[0] != "EXC-05:NEW@1" || got.Examples[0].Age != 60 || got.Examples[5].After.Reasons[0] != "EXC-04" {
		t.Errorf("examples %+v", got.Examples)
	}
	if got := r.Result(); got.String() != "12 judged: 0 newly pass, 1 newly fail, 8 otherwise, 1 unchanged, 2 unusable" || got.Doctors[0] != (Shift{"d2", 0, 1}) {
		t.Errorf("a stricter rule: %s, %+v", got, got.Doctors)
	}
}

// Replaying a hundred thousand decisions: B/op is what one of them costs, and nothing of it is kept.
func BenchmarkSimulate(b *testing.B) {
	set, policies := law(b), fixtures(b)
	docs := [][]byte{patched(b, nil), patched(b, firstVisit), patched(b, map[string]any{"now": "2026-07-01T00:00:00+08:00"})}
	s := Simulate(Law{set, Policies{}}, Law{set, policies})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Add(Past{"id", docs[i%len(docs)], "d"})
	}
}
