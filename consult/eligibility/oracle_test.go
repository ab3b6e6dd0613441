package eligibility

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// oracle is a second reading of testdata/README.md, sections 3 and 4, that shares nothing with the engine but the
// types of facts and policies.
func oracle(f *Facts, policies []*Policy) (reasons []string) {
	say := func(id string, fires bool) bool {
		if fires {
			reasons = append(reasons, id)
		}
		return fires
	}
	if say("VIS-01", len(f.Visit.RedFlags) > 0) {
		return reasons
	}
	local := f.Now.In(time.FixedZone("", 8*3600))
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	birth := f.Patient.BirthDate.Date()
	age := 0
	for n := 1; n < 200; n++ {
		day := birth.Day()
		if birth.Month() == time.February && day == 29 && time.Date(birth.Year()+n, 2, 29, 0, 0, 0, 0, time.UTC).Month() != time.February {
			day = 28
		}
		if !today.After(time.Date(birth.Year()+n, birth.Month(), day, 0, 0, 0, 0, time.UTC)) {
			break
		}
		age = n
	}
	cat := func(code string) string {
		if r := []rune(code); len(r) >= 3 {
			return string(r[:3])
		}
		return ""
	}
	p, d, i, v := f.Patient, f.Physician, f.Institution, f.Visit
	live := f.Stage == "start" || f.Stage == "in_visit"
	say("IDX-01", p.RealnameLevel < 2)
	say("IDX-02", p.IDType == "01" && !p.IDChecksumOK)
	say("IDX-03", f.Session.PatientImpersonation)
	say("LIC-01", !i.LicenceValid || !i.InternetServiceRegistered)
	say("LIC-02", !slices.Contains(i.LicensedDepartments, v.Department))
	say("LIC-03", !i.MLPS3Valid)
	say("LIC-04", !i.PlatformConnected || i.UploadBacklogHours > 24)
	say("IDX-04", live && !d.Session.RealnameVerified)
	say("DOC-01", !d.NationalRegisterFound || d.Level != "执业医师" || d.Suspended || d.Assessment == "failed")
	say("DOC-02", d.IndependentYears < 3)
	say("DOC-03", !d.ScopeOK)
	say("DOC-04", !d.InstitutionConsent)
	here := slices.Contains(d.RegisteredProvinces, i.Province)
	say("MPP-02", here && d.RegistrationHere == "none")
	say("MPP-04", !here)
	say("MPP-05", f.Slot.Overlap)
	say("MIN-01", age < 18 && !f.Guardian.Verified)
	say("MIN-02", live && age < 6 && !f.Guardian.Present)
	say("MIN-03", age < 6 && v.IntendsRx && !d.PaediatricQualified && !v.PaediatricDoctorAtSide)
	say("CON-01", !f.Consent.InternetCare.Valid)
	say("CON-02", !f.Consent.SensitivePI.Valid)

	judged := ""
	if v.PhysicianJudgement != nil {
		judged = *v.PhysicianJudgement
	}
	verified, pending, matching, newest := 0, 0, 0, 0
	for _, e := range f.Evidence {
		days := int(today.Sub(e.DxDate.Date()).Hours() / 24)
		if e.Source != "physical" || days < 0 {
			continue
		}
		if e.Verify == "pending" {
			pending++
		}
		if e.Verify != "verified" {
			continue
		}
		verified++
		if cat(v.Complaint.ICD10) != "" && cat(e.ICD10) == cat(v.Complaint.ICD10) {
			if matching == 0 || days < newest {
				newest = days
			}
			matching++
		}
	}
	entry := slices.IndexFunc(i.OnlineCatalogue, func(c Catalogue) bool { return c.Category == cat(v.Complaint.ICD10) })
	switch {
	case v.ConditionChanged || judged == "unsuitable":
		say("VIS-09", true)
		return reasons
	case v.DeclaredKind == "health_consult":
		say("VIS-12", true)
		return reasons
	case v.DeclaredKind == "accompanied":
		say("VIS-07", !v.AttendingPhysicianPresent || !v.PatientAtPhysicalInstitution)
		return reasons
	case v.DeclaredKind == "first_visit":
	case judged == "judged_first":
		say("VIS-08", true)
	case verified == 0 && pending > 0:
		say("VIS-04", true)
		return reasons
	case verified == 0:
		say("VIS-03", true)
		return reasons
	case matching == 0:
		say("VIS-05", true)
	case entry < 0:
		say("VIS-10", true)
		return reasons
	default:
		say("VIS-06", newest > i.OnlineCatalogue[entry].WindowDays)
		return reasons
	}

	listed := func(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }
	shared := func(list, ours []string) bool {
		for _, o := range ours {
			if slices.Contains(list, o) {
				return true
			}
		}
		return len(list) == 0
	}
	var candidates, inForce []*Policy
	for _, q := range policies {
		if !slices.Contains([]string{"active", "suspended", "revoked", "expired"}, q.Status) {
			continue
		}
		w := q.Predicate
		region := len(w.Regions) == 0
		for _, r := range w.Regions {
			region = region || strings.HasPrefix(p.Region, r)
		}
		if listed(w.Institutions, i.ID) && listed(w.Provinces, i.Province) && listed(w.Departments, v.Department) &&
			listed(w.Categories, cmp.Or(cat(v.Complaint.ICD10), "no category")) && (w.AgeLT == nil || age < *w.AgeLT) && shared(w.SpecialGroups, p.SpecialGroups) &&
			shared(w.Schemes, p.Schemes) && region && shared(w.Scenarios, f.Region.ActiveScenarios) {
			candidates = append(candidates, q)
			if q.Status == "active" && q.From.UnixNano() <= f.Now.UnixNano() && f.Now.UnixNano() < q.To.UnixNano() {
				inForce = append(inForce, q)
			}
		}
	}
	if len(inForce) == 0 {
		say("VIS-11", true)
		say("EXC-01", len(candidates) > 0)
		return reasons
	}
	rank := map[string]int{"national": 0, "province": 1, "city": 2}
	best := inForce[0]
	for _, q := range inForce[1:] {
		a, b := rank[q.Authority.Level], rank[best.Authority.Level]
		switch {
		case a != b:
			if a < b {
				best = q
			}
		case !q.From.Equal(best.From):
			if q.From.After(best.From) {
				best = q
			}
		case q.ID != best.ID:
			if q.ID < best.ID {
				best = q
			}
		case q.Version > best.Version:
			best = q
		}
	}
	guardian := f.Guardian.Present
	if f.Stage == "booking" {
		guardian = f.Guardian.Verified
	}
	grade := map[string]int{"mild": 1, "moderate": 2, "severe": 3, "any": 3}
	name := fmt.Sprintf("%s@%d", best.ID, best.Version)
	n := len(reasons)
	say("EXC-02", best.Physician.Whitelist && !slices.Contains(d.Whitelists, name) || d.TitleRank < best.Physician.MinTitle ||
		d.IndependentYears < best.Physician.MinYears || d.OnlineFollowUpYears < best.Physician.MinOnlineYears)
	say("EXC-03", age < best.GuardianUnder && !guardian)
	say("EXC-04", grade[v.Severity] > grade[best.MaxSeverity])
	say("EXC-05:"+name, len(reasons) == n)
	say("EXC-06", v.IntendsRx && best.RxScope != "all")
	return reasons
}

// weight of each outcome, and what each rule asks for: the column "Outcome" of the tables.
func verdictOf(reasons []string) string {
	order := []string{"ALLOW", "ALLOW_COND", "REQUIRE", "REDIRECT_OFFLINE", "DENY", "EMERGENCY"}
	groups := map[string]string{
		"EMERGENCY": "VIS-01", "DENY": "IDX-03 LIC-01 LIC-02 LIC-03 LIC-04 IDX-04 DOC-01 DOC-02 DOC-03 DOC-04 MPP-02 MPP-04",
		"REDIRECT_OFFLINE": "VIS-09 VIS-10 VIS-11 EXC-01 EXC-04",
		"REQUIRE":          "IDX-01 IDX-02 MPP-05 MIN-01 MIN-02 MIN-03 CON-01 CON-02 VIS-07 VIS-04 VIS-03 VIS-06 EXC-02 EXC-03",
		"ALLOW_COND":       "VIS-12 VIS-08 VIS-05 EXC-05 EXC-06",
	}
	worst := 0
	for _, r := range reasons {
		for outcome, rules := range groups {
			if strings.Contains(rules, r[:6]) {
				worst = max(worst, slices.Index(order, outcome))
			}
		}
	}
	return order[worst]
}

var (
	icd       = rapid.SampledFrom([]string{"I10.x00", "E11.900", "J06.900", "I10", "I1", "", "L23.900", "E34.300", "J45.900", "R00.200"})
	place     = rapid.SampledFrom([]string{"H-BCH", "H-01", "H-42", ""})
	province  = rapid.SampledFrom([]string{"11", "31", "42", ""})
	dept      = rapid.SampledFrom([]string{"心血管内科", "儿童生长发育", "全科", "呼吸内科", ""})
	home      = rapid.SampledFrom([]string{"420106", "310104", "540423", "4201", ""})
	group     = rapid.SampledFrom([]string{"homebound", "rare_registry"})
	scheme    = rapid.SampledFrom([]string{"family_doctor_contract", "medical_alliance"})
	scenario  = rapid.SampledFrom([]string{"PHE-FX1", "PHE-FX2"})
	grade     = rapid.SampledFrom([]string{"mild", "moderate", "severe"})
	mostly    = rapid.SampledFrom(append(slices.Repeat([]bool{true}, 15), false))
	rarely    = rapid.SampledFrom([]bool{false, false, false, false, false, false, false, true})
	years     = rapid.SampledFrom([]float64{0, 0.5, 1, 2.9, 3, 5, 12})
	declared  = rapid.SampledFrom([]string{FollowUp, FollowUp, FirstVisit, FirstVisit, HealthConsult, Accompanied})
	stageWord = rapid.SampledFrom([]string{Booking, Start, InVisit, Sign})
)

func few(g *rapid.Generator[string]) *rapid.Generator[[]string] { return rapid.SliceOfN(g, 0, 2) }

// instants around which days, ages and periods turn.
var instants = func() (list []time.Time) {
	for _, s := range []string{"2026-01-01T00:00:00+08:00", "2026-06-01T00:00:00+08:00", "2026-07-01T00:00:00+08:00", "2027-01-01T00:00:00+08:00",
		"2028-02-28T00:00:00+08:00", "2028-02-29T00:00:00+08:00", "2028-03-01T00:00:00+08:00", "2026-02-28T00:00:00+08:00", "2026-03-01T00:00:00+08:00", "2026-06-15T10:00:00+08:00"} {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		list = append(list, t)
	}
	return list
}()

var instant = rapid.Custom(func(t *rapid.T) time.Time {
	at := rapid.SampledFrom(instants).Draw(t, "instant")
	shift := rapid.SampledFrom([]time.Duration{0, -1, 1, -time.Second, time.Second, 8 * time.Hour, 16*time.Hour - 1, 24*time.Hour - 1}).Draw(t, "shift")
	zone := rapid.SampledFrom([]int{0, 8, -11, 14}).Draw(t, "zone")
	return at.Add(shift).In(time.FixedZone("", zone*3600))
})

var anyFacts = rapid.Custom(func(t *rapid.T) *Facts {
	flag := func(g *rapid.Generator[bool], name string) bool { return g.Draw(t, name) }
	now := instant.Draw(t, "now")
	day := func(most int, name string) Day { return localDay(now) - Day(rapid.IntRange(0, most).Draw(t, name)) }
	f := &Facts{Now: now, Stage: stageWord.Draw(t, "stage")}
	f.Patient = Patient{BirthDate: day(30000, "born"), IDType: rapid.SampledFrom([]string{"01", "01", "03"}).Draw(t, "id"),
		IDChecksumOK: flag(mostly, "checksum"), RealnameLevel: rapid.SampledFrom([]float64{2, 2, 3, 3, 1}).Draw(t, "real name"),
		Region: home.Draw(t, "home"), SpecialGroups: few(group).Draw(t, "groups"), Schemes: few(scheme).Draw(t, "schemes")}
	if rapid.Bool().Draw(t, "child") { // born on or about an anniversary of today
		years := rapid.SampledFrom([]int{0, 1, 6, 8, 18}).Draw(t, "years")
		f.Patient.BirthDate = min(DayOf(localDay(now).Date().AddDate(-years, 0, rapid.IntRange(-2, 1).Draw(t, "days"))), localDay(now))
	}
	if leap, _ := ParseDay("2008-02-29"); rapid.IntRange(0, 9).Draw(t, "leap") == 0 {
		f.Patient.BirthDate = leap
	}
	f.Guardian = Guardian{flag(mostly, "guardian"), flag(rapid.Bool(), "beside")}
	f.Physician = Physician{NationalRegisterFound: flag(mostly, "register"), Level: rapid.SampledFrom([]string{"执业医师", "执业医师", "执业医师", "执业助理医师", ""}).Draw(t, "level"),
		Suspended: flag(rarely, "suspended"), Assessment: rapid.SampledFrom([]string{"passed", "passed", "none", "failed"}).Draw(t, "assessment"),
		IndependentYears: years.Draw(t, "years alone"), OnlineFollowUpYears: years.Draw(t, "years online"), TitleRank: rapid.SampledFrom([]float64{1, 2, 3, 4}).Draw(t, "title"),
		ScopeOK: flag(mostly, "scope"), InstitutionConsent: flag(mostly, "agrees"), RegistrationHere: rapid.SampledFrom([]string{"filed", "primary", "registered", "none"}).Draw(t, "registration"),
		RegisteredProvinces: rapid.SliceOfN(province, 0, 3).Draw(t, "provinces"), PaediatricQualified: flag(rapid.Bool(), "paediatric"),
		Whitelists: few(rapid.SampledFrom([]string{"A@1", "A@2", "B@1"})).Draw(t, "whitelists"), Session: PhysicianSession{flag(mostly, "session")}}
	f.Institution = Institution{ID: place.Draw(t, "place"), Province: province.Draw(t, "province"), LicenceValid: flag(mostly, "licence"), InternetServiceRegistered: flag(mostly, "internet"),
		LicensedDepartments: []string{"心血管内科", "儿童生长发育", "全科"}, MLPS3Valid: flag(mostly, "mlps"), PlatformConnected: flag(mostly, "platform"),
		UploadBacklogHours: rapid.SampledFrom([]float64{0, 0, 24, 24.01}).Draw(t, "backlog"),
		OnlineCatalogue:    []Catalogue{{"I10", "chronic", 365}, {"J06", "common", 90}}}
	var judgement *string
	if j := rapid.SampledFrom([]string{"", "", "", ConfirmedFollowUp, JudgedFirst, Unsuitable}).Draw(t, "judgement"); j != "" {
		judgement = &j
	}
	f.Visit = Visit{DeclaredKind: declared.Draw(t, "kind"), Department: dept.Draw(t, "department"), Complaint: Complaint{icd.Draw(t, "complaint")}, Severity: grade.Draw(t, "severity"),
		IntendsRx: flag(rapid.Bool(), "rx"), PhysicianJudgement: judgement, ConditionChanged: flag(rarely, "changed"), AttendingPhysicianPresent: flag(rapid.Bool(), "attending"),
		PatientAtPhysicalInstitution: flag(rapid.Bool(), "in hospital"), PaediatricDoctorAtSide: flag(rapid.Bool(), "at side")}
	f.Slot.Overlap = flag(rarely, "overlap")
	for range rapid.IntRange(0, 3).Draw(t, "records") {
		f.Evidence = append(f.Evidence, Evidence{ICD10: icd.Draw(t, "code"),
			DxDate: localDay(now) - Day(rapid.SampledFrom([]int{-1, 0, 1, 89, 90, 91, 364, 365, 366}).Draw(t, "age")),
			Source: rapid.SampledFrom([]string{"physical", "physical", "physical", "online"}).Draw(t, "source"),
			Verify: rapid.SampledFrom([]string{"verified", "verified", "pending", "rejected", "self_declared"}).Draw(t, "verify")})
	}
	f.Consent = Consent{Signed{flag(mostly, "care")}, Signed{flag(mostly, "data")}}
	f.Session.PatientImpersonation = flag(rarely, "impersonation")
	f.Region.ActiveScenarios = few(scenario).Draw(t, "scenarios")
	return f
})

var anyPolicies = rapid.Custom(func(t *rapid.T) (list []*Policy) {
	seen := map[string]bool{}
	for range rapid.IntRange(0, 5).Draw(t, "policies") {
		from := rapid.SampledFrom(instants).Draw(t, "from")
		p := &Policy{ID: rapid.SampledFrom([]string{"A", "B", "a"}).Draw(t, "id"), Version: rapid.IntRange(1, 2).Draw(t, "version"),
			Status:    rapid.SampledFrom([]string{"active", "active", "active", "active", "suspended", "revoked", "expired", "draft", "approved", "rejected"}).Draw(t, "status"),
			Authority: Authority{Level: rapid.SampledFrom(levels).Draw(t, "level")}, From: from,
			To: from.Add(rapid.SampledFrom([]time.Duration{1, time.Second, 30 * 24 * time.Hour, 365 * 24 * time.Hour}).Draw(t, "for")),
			Predicate: Predicate{Institutions: few(place).Draw(t, "institutions"), Provinces: few(province).Draw(t, "in provinces"), Departments: few(dept).Draw(t, "departments"),
				SpecialGroups: rapid.SliceOfN(group, 0, 1).Draw(t, "of groups"), Schemes: rapid.SliceOfN(scheme, 0, 1).Draw(t, "of schemes"),
				Regions: rapid.SliceOfN(rapid.SampledFrom([]string{"42", "3101", "540423"}), 0, 1).Draw(t, "of regions"), Scenarios: rapid.SliceOfN(scenario, 0, 1).Draw(t, "of scenarios"),
				Categories: rapid.SliceOfN(rapid.SampledFrom([]string{"I10", "J06", "E11", ""}), 0, 2).Draw(t, "categories")},
			Physician:     DoctorTerms{rapid.SampledFrom([]float64{0, 2, 4}).Draw(t, "min title"), years.Draw(t, "min years"), years.Draw(t, "min online"), rapid.Bool().Draw(t, "whitelist")},
			GuardianUnder: rapid.SampledFrom([]int{0, 6, 18}).Draw(t, "guardian under"), MaxSeverity: rapid.SampledFrom([]string{"mild", "moderate", "severe", "any"}).Draw(t, "max severity"),
			RxScope: rapid.SampledFrom([]string{"all", "symptomatic", "none", "list:x"}).Draw(t, "rx")}
		if rapid.Bool().Draw(t, "limits age") {
			n := rapid.SampledFrom([]int{0, 6, 18}).Draw(t, "age below")
			p.Predicate.AgeLT = &n
		}
		if rapid.Bool().Draw(t, "opens wide") { // else most match nobody
			p.Predicate = Predicate{Institutions: p.Predicate.Institutions}
		}
		if !seen[p.Ref()] {
			seen[p.Ref()] = true
			list = append(list, p)
		}
	}
	return list
})

// Every answer of the engine is that of the second reading: verdict, rules and their order.
func TestTwoReadingsAgree(t *testing.T) {
	set := law(t)
	reached := map[string]int{}
	check(t, 20, func(t *rapid.T) {
		f, policies := anyFacts.Draw(t, "facts"), anyPolicies.Draw(t, "policies")
		doc, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		known := NewPolicies(policies...)
		if known.Err() != nil {
			t.Fatal(known.Err())
		}
		d, err := set.Decide(doc, known)
		if err != nil {
			t.Fatal(err)
		}
		want := oracle(f, policies)
		if got, want := answer(d), verdictOf(want)+" "+strings.Join(want, ", "); got != want {
			t.Fatalf("got  %s\nwant %s\n%s", got, want, doc)
		}
		for _, r := range want {
			reached[r[:6]]++
		}
	})
	t.Logf("rules reached: %d of 36 (VIS-01 has a test of its own)", len(reached))
}

// check runs a property on hundreds of random inputs.
func check(t *testing.T, hundreds int, property func(*rapid.T)) {
	t.Helper()
	for range hundreds {
		rapid.Check(t, property)
	}
}

// decided is the answer for facts made in a test; there always is one.
func decided(t *rapid.T, set *RuleSet, f *Facts, p Policies) Decision {
	doc, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Judge(doc, p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// plain is decided without the prospect.
func plain(t *rapid.T, set *RuleSet, f *Facts, p Policies) Decision {
	doc, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Decide(doc, p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatHoldsForAllFacts(t *testing.T) {
	set := law(t)
	place := map[string]int{}
	for i, r := range set.Rules() {
		place[r.ID] = i
	}
	check(t, 2, func(t *rapid.T) {
		f, p := anyFacts.Draw(t, "facts"), NewPolicies(anyPolicies.Draw(t, "policies")...)
		d := decided(t, set, f, p)

		// The order of phases, each rule once, and a verdict that the reasons bear out.
		last := -1
		for _, r := range d.Reasons {
			at := place[r.Rule[:6]]
			if at <= last {
				t.Fatalf("%s is out of order in %s", r.Rule, answer(d))
			}
			last = at
		}
		if want := verdictOf(ruleIDs(d.Reasons)); d.Verdict.String() != want {
			t.Fatalf("%s, its reasons come to %s", answer(d), want)
		}
		// Who is refused is told a way. What the prospect promises is what the check then says (it may be worse:
		// a record of a disease that is not followed up online).
		if !d.Verdict.Passes() && len(d.Ways) == 0 {
			t.Fatalf("%s shows no way out", answer(d))
		}
		if d.Prospect != nil && (d.Verdict.Passes() || len(d.Prospect.Changes) == 0) {
			t.Fatalf("%s with prospect %+v", answer(d), d.Prospect)
		}
		if again := decided(t, set, f, p); answer(again) != answer(d) || again.FactsSHA256 != d.FactsSHA256 {
			t.Fatalf("the same question, another answer: %s, %s", answer(d), answer(again))
		}

		// A danger sign always wins.
		danger := *f
		danger.Visit.RedFlags = []string{rapid.StringN(1, 8, -1).Draw(t, "sign")}
		if got := answer(decided(t, set, &danger, p)); got != "EMERGENCY VIS-01" {
			t.Fatalf("with a danger sign: %s", got)
		}
		// Taking an assurance away never helps.
		for name, take := range map[string]func(*Facts){
			"consent to care":  func(f *Facts) { f.Consent.InternetCare.Valid = false },
			"consent to data":  func(f *Facts) { f.Consent.SensitivePI.Valid = false },
			"guardian":         func(f *Facts) { f.Guardian = Guardian{} },
			"real name":        func(f *Facts) { f.Patient.RealnameLevel = 0 },
			"licence":          func(f *Facts) { f.Institution.LicenceValid = false },
			"platform":         func(f *Facts) { f.Institution.PlatformConnected = false },
			"years":            func(f *Facts) { f.Physician.IndependentYears, f.Physician.OnlineFollowUpYears = 0, 0 },
			"whitelist":        func(f *Facts) { f.Physician.Whitelists = nil },
			"register":         func(f *Facts) { f.Physician.NationalRegisterFound = false },
			"doctor's session": func(f *Facts) { f.Physician.Session.RealnameVerified = false },
			"mildness":         func(f *Facts) { f.Visit.Severity = "severe" },
		} {
			less := *f
			take(&less)
			if got := plain(t, set, &less, p); got.Verdict < d.Verdict {
				t.Fatalf("without %s %s becomes %s", name, answer(d), answer(got))
			}
		}
	})
}

// A document of which a part is left out or of another type never goes unanswered: a verdict that its reasons bear out, or a
// fault that names the place. Left out, what the house and the guardian vouch for never opens what was closed.
func TestAnyPartOfADocumentGetsAnAnswer(t *testing.T) {
	set := law(t)
	check(t, 20, func(t *rapid.T) {
		f, policies := anyFacts.Draw(t, "facts"), NewPolicies(anyPolicies.Draw(t, "policies")...)
		doc, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		whole := plain(t, set, f, policies)
		var members map[string]any
		if err := json.Unmarshal(doc, &members); err != nil {
			t.Fatal(err)
		}
		section := rapid.SampledFrom([]string{"now", "stage", "patient", "guardian", "physician", "institution", "visit", "slot", "consent", "session", "region", "evidence"}).Draw(t, "section")
		value := rapid.SampledFrom([]any{nil, "x", 1.5, true, []any{}, map[string]any{}, []any{nil}}).Draw(t, "value")
		if inner, ok := members[section].(map[string]any); ok && rapid.Bool().Draw(t, "inside") && len(inner) > 0 {
			names := make([]string, 0, len(inner))
			for name := range inner {
				names = append(names, name)
			}
			slices.Sort(names)
			inner[rapid.SampledFrom(names).Draw(t, "member")] = value
		} else {
			members[section] = value
		}
		if doc, err = json.Marshal(members); err != nil {
			t.Fatal(err)
		}
		d, err := set.Decide(doc, policies)
		if err != nil {
			if !strings.Contains(err.Error(), "facts unusable: ") {
				t.Fatalf("%v for %s", err, doc)
			}
			return
		}
		if want := verdictOf(ruleIDs(d.Reasons)); d.RuleSet == "" || d.Verdict.String() != want {
			t.Fatalf("%s, its reasons come to %s, for %s", answer(d), want, doc)
		}
		if vouched := slices.Contains([]string{"guardian", "physician", "institution", "consent"}, section); vouched && members[section] == nil && d.Verdict < whole.Verdict {
			t.Fatalf("without %s %s becomes %s", section, answer(whole), answer(d))
		}
	})
}
