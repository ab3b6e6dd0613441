package eligibility

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// localRule is a rule file of a local pack; words replaces the defaults line by line.
func localRule(id string, words ...string) string {
	file := `id: ` + id + `
citation: 《上海市互联网诊疗管理规定》第九条
confidence: recalled
jurisdiction: "31"
in_force: {from: "2026-06-01"}
phase: 3
applies_to: {stages: [booking, start, in_visit, sign]}
condition: physician.independent_years < 5
outcome: DENY
message: {zh: 本市要求独立执业满 5 年。, en: Five years of independent practice here.}
remedy: {zh: 请另选一位医生。, en: Choose another doctor.}
ways: [other_doctor]
cure: {physician: {independent_years: 5}}
cases:
  - story: twelve years
    fires: false
  - story: four years
    patch: {physician: {independent_years: 4}}
    fires: true
`
	for _, w := range words {
		name, _, _ := strings.Cut(w, ":")
		lines := strings.Split(file, "\n")
		replaced := false
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines[i], replaced = w, true
			}
		}
		file = strings.Join(lines, "\n")
		if !replaced {
			file += w + "\n"
		}
	}
	return file
}

func local(files ...string) Pack {
	p := Pack{"sh", map[string]string{}}
	for _, f := range files {
		id, _, _ := strings.Cut(strings.TrimPrefix(f, "id: "), "\n")
		p.Files[id+".yaml"] = f
	}
	return p
}

func TestLocalRules(t *testing.T) {
	four := map[string]any{"physician": map[string]any{"independent_years": 4}}
	with := func(patches ...map[string]any) map[string]any {
		all := map[string]any{}
		for _, p := range patches {
			all = merge(all, p).(map[string]any)
		}
		return all
	}
	elsewhere := map[string]any{"institution": map[string]any{"province": "33"}, "physician": map[string]any{"registered_provinces": []any{"33"}}}
	in := func(region string) map[string]any {
		return map[string]any{"institution": map[string]any{"region": region}}
	}
	at := func(now string) map[string]any { return map[string]any{"now": now} }
	two := map[string]any{"physician": map[string]any{"independent_years": 2}}
	old := map[string]any{"evidence": []any{map[string]any{"icd10": "I10.x00", "dx_date": "2026-01-01", "source": "physical", "verify": "verified"}}}
	relaxed := localRule("DOC-02", "condition: physician.independent_years < 2", `instead: {authority: national, document: 国卫办医〔2026〕1号}`)
	for _, c := range []struct {
		story string
		pack  Pack
		patch map[string]any
		want  string
	}{
		{"a rule of its own, after the national ones of the phase", local(localRule("SH-DOC-01")), with(four, map[string]any{"slot": map[string]any{"overlap": true}}), "DENY MPP-05, SH-DOC-01"},
		{"who has the years passes", local(localRule("SH-DOC-01")), nil, "ALLOW "},
		{"another province has no such rule", local(localRule("SH-DOC-01")), with(four, elsewhere), "ALLOW "},
		{"a day before it comes into force", local(localRule("SH-DOC-01")), with(four, at("2026-05-31T23:59:59+08:00")), "ALLOW "},
		{"on the first day, in Shanghai", local(localRule("SH-DOC-01")), with(four, at("2026-05-31T16:00:00Z")), "DENY SH-DOC-01"},
		{"on the last day", local(localRule("SH-DOC-01", `in_force: {from: "2026-06-01", until: "2026-06-16"}`)), four, "DENY SH-DOC-01"},
		{"past it", local(localRule("SH-DOC-01", `in_force: {from: "2026-06-01", until: "2026-06-15"}`)), four, "ALLOW "},
		{"a city of the province, known by the province only: the rule is asked", local(localRule("SH-DOC-01", `jurisdiction: "3101"`)), four, "DENY SH-DOC-01"},
		{"another city", local(localRule("SH-DOC-01", `jurisdiction: "3101"`)), with(four, in("310230"), map[string]any{}), "ALLOW "},
		{"a county of the city", local(localRule("SH-DOC-01", `jurisdiction: "3101"`)), with(four, in("310104")), "DENY SH-DOC-01"},
		{"only for first visits", local(localRule("SH-DOC-01", "applies_to: {stages: [booking], kinds: [first_visit]}")), four, "ALLOW "},
		{"stricter beside the national rule: told once", local(localRule("DOC-02")), four, "DENY DOC-02"},
		{"the national rule still stands", local(localRule("DOC-02", "condition: physician.independent_years < 1")), two, "DENY DOC-02"},
		{"a document of a higher authority relaxes it there", local(relaxed), two, "ALLOW "},
		{"and nowhere else", local(relaxed), with(two, elsewhere), "DENY DOC-02"},
		{"nor where the place is not known", local(relaxed), with(two, map[string]any{"institution": map[string]any{"province": ""}, "physician": map[string]any{"registered_provinces": []any{""}}}), "DENY DOC-02"},
		{"a stricter window for records", local(localRule("VIS-06", "phase: 6", "condition: records.newest_age_days > 90", "outcome: REQUIRE", "applies_to: {stages: [booking, sign], kinds: [follow_up]}")), old, "REQUIRE VIS-06"},
		{"a local line that fires early does not spare the stricter one below", local(localRule("VIS-03", "phase: 6", "condition: records.verified < 9", "outcome: REQUIRE")),
			map[string]any{"institution": map[string]any{"online_catalogue": []any{}}}, "REDIRECT_OFFLINE VIS-10"},
	} {
		t.Run(c.story, func(t *testing.T) {
			set, err := LoadRules(NationalPack(), c.pack)
			if err != nil {
				t.Fatal(err)
			}
			d, err := set.Decide(patched(t, any(c.patch)), fixtures(t))
			if err != nil || answer(d) != c.want {
				t.Errorf("got %s, %v, want %s", answer(d), err, c.want)
			}
		})
	}
}

func TestLocalRulesThatDoNotLoad(t *testing.T) {
	for want, file := range map[string]string{
		"the national pack is 00":                    localRule("SH-DOC-01", `jurisdiction: "00"`),
		"belongs to phases 1 to 5":                   localRule("SH-VIS-01", "phase: 6"),
		"phase 0: a rule of its own":                 localRule("VIS-01", "phase: 0"),
		"must be those of the wider rule":            localRule("DOC-02", "phase: 4"),
		"reclassifies must be those":                 localRule("VIS-05", "phase: 6"),
		"instead needs the document of an authority": localRule("DOC-02", `instead: {authority: city, document: x}`),
		"above jurisdiction 31":                      localRule("DOC-02", `instead: {authority: province, document: x}`),
		"id \"sh-1\" is not letters and a number":    localRule("sh-1"),
		"until is not later":                         localRule("SH-DOC-01", `in_force: {from: "2026-06-01", until: "2026-06-01"}`),
		"undeclared reference to 'physician'":        localRule("SH-DOC-01", "condition: physician.favorite"),
		"applies_to has an unknown word":             localRule("SH-DOC-01", "applies_to: {stages: [lunch]}"),
		"only phase 0 says EMERGENCY":                localRule("SH-DOC-01", "outcome: EMERGENCY"),
	} {
		if _, err := LoadRules(NationalPack(), local(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := LoadRules(NationalPack(), Pack{"cn", nil}); err == nil {
		t.Error("two packs of one name")
	}
}

func TestALocalPackIsLinted(t *testing.T) {
	set, err := LoadRules(NationalPack(), local(localRule("SH-DOC-01"), localRule("SH-DOC-02", "condition: physician.independent_years < 4", "cure: {physician: {scope_ok: true}}")))
	if err != nil {
		t.Fatal(err)
	}
	found := set.Lint()
	if len(found) != 1 || !strings.Contains(found[0].Error(), `SH-DOC-02 (sh), "four years": fires: false, the story says true`) {
		t.Errorf("found %v", found)
	}
	if set.Version() == law(t).Version() || !strings.HasPrefix(set.Version(), "cn+sh@") {
		t.Errorf("version %s", set.Version())
	}
}

// Whatever a pack says, without a document of a higher authority it opens nothing.
func TestALocalPackNeverOpens(t *testing.T) {
	outcomes := []string{"ALLOW_COND", "REQUIRE", "REDIRECT_OFFLINE", "DENY"}
	conditions := []string{"true", "records.verified == 0", "physician.independent_years < 5", "visit.intends_rx", "policy.in_force > 0", "patient.age < 18"}
	var sets []*RuleSet
	for i, base := range law(t).Rules()[1:] {
		file := localRule(base.ID, fmt.Sprint("phase: ", base.Phase), "condition: "+conditions[i%len(conditions)], "outcome: "+outcomes[i%len(outcomes)], `in_force: {from: "2000-01-01"}`)
		if base.Reclassifies {
			file += "reclassifies: true\n"
		}
		set, err := LoadRules(NationalPack(), local(file))
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	check(t, 2, func(t *rapid.T) {
		f, p := anyFacts.Draw(t, "facts"), NewPolicies(anyPolicies.Draw(t, "policies")...)
		f.Institution.Province = "31"
		alone := decided(t, mustLaw(), f, p)
		set := rapid.SampledFrom(sets).Draw(t, "pack")
		if with := decided(t, set, f, p); with.Verdict < alone.Verdict {
			t.Fatalf("%s becomes %s under %v", answer(alone), answer(with), set.Packs()[1])
		}
	})
}

func mustLaw() *RuleSet {
	set, err := National()
	if err != nil {
		panic(err)
	}
	return set
}

// The cost of a decision grows with the number of rules, not faster: ns/rule stays level.
func BenchmarkManyRules(b *testing.B) {
	doc, policies := patched(b, nil), fixtures(b)
	for _, more := range []int{0, 37, 111, 333} {
		pack := Pack{"many", map[string]string{}}
		for i := range more {
			id := fmt.Sprintf("X%s-%02d", string(rune('A'+i/100)), i%100)
			pack.Files[id+".yaml"] = localRule(id, "condition: physician.independent_years < 1")
		}
		set := mustLaw()
		if more > 0 {
			var err error
			if set, err = LoadRules(NationalPack(), pack); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(37+more), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Decide(doc, policies); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(37+more), "ns/rule")
		})
	}
}
