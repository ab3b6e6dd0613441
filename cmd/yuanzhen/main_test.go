package main

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult/eligibility"
)

// TestMain lets the test binary be the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("YUANZHEN_BE_THE_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func yuanzhen(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "YUANZHEN_BE_THE_PROGRAM=1")
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

const cases = "../../consult/eligibility/testdata"

func TestEligibilityCheck(t *testing.T) {
	baseline, err := os.ReadFile(filepath.Join(cases, "baseline.json"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(facts string) (string, string, int) {
		return yuanzhen(t, facts, "eligibility", "check", "--facts", "-", "--policies", filepath.Join(cases, "policies"), "--json")
	}
	out, _, code := check(string(baseline))
	var answer struct {
		Verdict string
		Reasons []string
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || answer.Verdict != "ALLOW" || answer.Reasons == nil {
		t.Fatalf("exit %d: %s %v", code, out, err)
	}
	out, complaint, code := check(`{"now": 1}`)
	if code == 0 || out != "" || !strings.Contains(complaint, "now") {
		t.Fatalf("unusable facts: exit %d, said %q, complained %q", code, out, complaint)
	}
	out, _, code = check(`{"visit": {"red_flags": ["chest_pain"]}}`)
	if code != 0 || !strings.Contains(out, "EMERGENCY") {
		t.Fatalf("an emergency must be told whatever else is wrong: exit %d, %s", code, out)
	}
	_, complaint, code = yuanzhen(t, string(baseline), "eligibility", "check", "--facts", "-", "--policies", t.TempDir()+"/none", "--json")
	if code == 0 || complaint == "" {
		t.Fatal("a folder of policies that is not there must be said")
	}
}

// Every visible case through the command: verdict and order of reasons.
func TestEligibilityCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(cases, "cases", "*.json"))
	if err != nil || len(files) != 50 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	baseline, _ := eligibility.Baseline()
	for _, file := range files {
		var c struct {
			ID, Verdict string
			Patch       any
			Reasons     []string
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		facts, err := eligibility.Patched(baseline, c.Patch)
		if err != nil {
			t.Fatal(err)
		}
		out, complaint, code := yuanzhen(t, string(facts), "eligibility", "check", "--facts", "-", "--policies", filepath.Join(cases, "policies"), "--json")
		var got struct {
			Verdict string
			Reasons []string
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Verdict != c.Verdict || !slices.Equal(got.Reasons, c.Reasons) || got.Reasons == nil {
			t.Errorf("%s: exit %d, %s %s, want %s %v", c.ID, code, out, complaint, c.Verdict, c.Reasons)
		}
	}
}

func TestEligibilityRules(t *testing.T) {
	out, complaint, code := yuanzhen(t, "", "eligibility", "rules", "lint")
	if code != 0 || !strings.Contains(out, "37 rules") {
		t.Fatalf("lint: exit %d: %s %s", code, out, complaint)
	}
	if out, _, code = yuanzhen(t, "", "eligibility", "rules", "show", "vis-11"); code != 0 || !strings.Contains(out, "第十六条") {
		t.Fatalf("show: exit %d: %s", code, out)
	}
	if _, complaint, code = yuanzhen(t, "", "eligibility", "rules", "show", "VIS-99"); code == 0 || !strings.Contains(complaint, "VIS-99") {
		t.Fatalf("show of nothing: exit %d: %s", code, complaint)
	}
	pack := filepath.Join(t.TempDir(), "31")
	rule, err := os.ReadFile(filepath.Join(cases, "..", "rules", "cn", "DOC-02.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	local := strings.NewReplacer("id: DOC-02", "id: SH-DOC-01", `"00"`, `"31"`, "independent_years < 3", "independent_years < 20").Replace(string(rule))
	if err := errors.Join(os.Mkdir(pack, 0o755), os.WriteFile(filepath.Join(pack, "SH-DOC-01.yaml"), []byte(local), 0o644)); err != nil {
		t.Fatal(err)
	}
	if out, _, code = yuanzhen(t, "", "eligibility", "rules", "list", "--rules", pack); code != 0 || !strings.Contains(out, "SH-DOC-01") {
		t.Fatalf("list: exit %d: %s", code, out)
	}
	if _, complaint, code = yuanzhen(t, "", "eligibility", "rules", "lint", "--rules", pack); code == 0 || !strings.Contains(complaint, "stories do not hold") {
		t.Fatalf("lint of a pack whose story is wrong: exit %d: %s", code, complaint)
	}
	baseline, _ := eligibility.Baseline()
	out, _, code = yuanzhen(t, string(baseline), "eligibility", "check", "--facts", "-", "--policies", filepath.Join(cases, "policies"), "--rules", pack, "--json")
	if code != 0 || !strings.Contains(out, `"reasons":["SH-DOC-01"]`) {
		t.Fatalf("check with a pack: exit %d: %s", code, out)
	}

	facts, err := eligibility.Patched(baseline, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Repeat(`{"id": "a", "facts": `+string(facts)+"}\n", 3)
	out, complaint, code = yuanzhen(t, lines, "eligibility", "simulate", "--decisions", "-", "--draft-rules", pack)
	if code != 0 || !strings.Contains(out, "3 judged: 0 newly pass, 3 newly fail") {
		t.Fatalf("simulate rules: exit %d: %s %s", code, out, complaint)
	}
	if out, complaint, code = yuanzhen(t, lines, "eligibility", "simulate", "--decisions", "-", "--draft", filepath.Join(cases, "policies", "fx-epi.yaml")); code != 0 || !strings.Contains(out, "3 unchanged") {
		t.Fatalf("simulate a policy: exit %d: %s %s", code, out, complaint)
	}
	if _, complaint, code = yuanzhen(t, "{}\n", "eligibility", "simulate", "--decisions", "-", "--draft-rules", pack); code == 0 || !strings.Contains(complaint, "line 1") {
		t.Fatalf("simulate nothing: exit %d: %s", code, complaint)
	}
	if _, complaint, code = yuanzhen(t, lines, "eligibility", "simulate", "--decisions", "-"); code == 0 || !strings.Contains(complaint, "--draft") {
		t.Fatalf("simulate without a draft: exit %d: %s", code, complaint)
	}
}

func TestEligibilityVerify(t *testing.T) {
	set, err := eligibility.National()
	if err != nil {
		t.Fatal(err)
	}
	facts, policies := eligibility.Baseline()
	d, err := set.Decide(facts, policies)
	if err != nil {
		t.Fatal(err)
	}
	ruling, err := d.Ruling("0190aaaa-0000-7000-8000-00000000beef", time.Date(2026, 6, 15, 2, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dossier := eligibility.Dossier{Ruling: ruling, Facts: facts, Rules: set.Packs(), Signature: eligibility.Signature{
		KeyID: eligibility.KeyID(public), Alg: "Ed25519", Sig: ed25519.Sign(private, ruling), PublicKey: public}}
	for _, p := range policies.All() {
		dossier.Policies = append(dossier.Policies, p.Document())
	}
	text, err := json.Marshal(dossier)
	if err != nil {
		t.Fatal(err)
	}
	out, complaint, code := yuanzhen(t, string(text), "eligibility", "verify", "-", "--json")
	if code != 0 || !strings.Contains(out, `"good":true,"key":"unconfirmed"`) {
		t.Fatalf("exit %d: %s %s", code, out, complaint)
	}
	keys := filepath.Join(t.TempDir(), "keys.json")
	list, err := json.Marshal([]map[string]any{{"key_id": eligibility.KeyID(public), "public_key": []byte(public)}})
	if err == nil {
		err = os.WriteFile(keys, list, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, complaint, code = yuanzhen(t, string(text), "eligibility", "verify", "-", "--keys", keys); code != 0 || !strings.Contains(out, "in the house's list") {
		t.Fatalf("exit %d: %s %s", code, out, complaint)
	}
	if err := os.WriteFile(keys, []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _, code = yuanzhen(t, string(text), "eligibility", "verify", "-", "--keys", keys); code == 0 || !strings.Contains(out, "NOT in the house's list") {
		t.Fatalf("a key nobody published: exit %d: %s", code, out)
	}
	altered := strings.Replace(string(text), `"severity": "mild"`, `"severity": "severe"`, 1)
	altered = strings.Replace(altered, `"severity":"mild"`, `"severity":"severe"`, 1)
	if out, _, code = yuanzhen(t, altered, "eligibility", "verify", "-"); code == 0 || altered == string(text) || !strings.Contains(out, "facts: NOT PROVED") {
		t.Fatalf("altered facts: exit %d: %s", code, out)
	}
	if _, complaint, code = yuanzhen(t, "{", "eligibility", "verify", "-"); code == 0 || !strings.Contains(complaint, "not a decision") {
		t.Fatalf("half a file: exit %d: %s", code, complaint)
	}
}

func TestPrescribeCheck(t *testing.T) {
	one := "id: A\ncontext: {channel: online}\npatient: {age_years: 66, sex: M, conditions: [I48], creatinine_umol_l: 85}\n" +
		"active_meds:\n  - {ingredient: warfarin, daily_dose: 3, unit: mg}\nitems:\n  - {ingredient: ibuprofen, dose: 300, unit: mg, per_day: 2, days: 7}\n"
	out, complaint, code := yuanzhen(t, one, "prescribe", "check", "--case", "-", "--json")
	if code != 0 || !strings.Contains(out, `"decision":"override"`) || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit %d: %s %s", code, out, complaint)
	}
	out, complaint, code = yuanzhen(t, strings.Replace(one, "ibuprofen", "snakeoil", 1), "prescribe", "check", "--case", "-", "--json")
	if code == 0 || out != "" || !strings.Contains(complaint, "snakeoil") {
		t.Fatalf("unknown medicine: exit %d, said %q, complained %q", code, out, complaint)
	}
	out, _, code = yuanzhen(t, one, "prescribe", "check", "--case", "-", "--hook", "order-sign")
	if code != 0 || !strings.Contains(out, `"hook":"order-sign"`) || !strings.Contains(out, "MedicationRequest") {
		t.Fatalf("as CDS Hooks: exit %d: %s", code, out)
	}
}

// A hospital lays its own limit over the knowledge: the report names it, the check follows it, and a folder that was
// altered afterwards is refused.
func TestPrescribeImport(t *testing.T) {
	from, into := t.TempDir(), filepath.Join(t.TempDir(), "formulary")
	rows := "ingredient,kind,value,unit,route,age_min_years,age_max_years,icd10_prefixes,severity,src,note\namlodipine,max_daily,5,mg,po,80,,,major,HOSPITAL_2026_7,\n"
	if err := os.WriteFile(filepath.Join(from, "dose_limits.csv"), []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	out, complaint, code := yuanzhen(t, "", "prescribe", "import", "--from", from, "--into", into)
	if code != 0 || !strings.Contains(out, "added    dose_limits amlodipine") || !strings.Contains(out, "1 changes") {
		t.Fatalf("exit %d: %s %s", code, out, complaint)
	}
	one := "{patient: {age_years: 82, sex: M, conditions: [I10]}, items: [{ingredient: amlodipine, dose: 10, unit: mg, per_day: 1, days: 7}]}"
	if out, _, _ = yuanzhen(t, one, "prescribe", "check", "--case", "-", "--json", "--formulary", into); !strings.Contains(out, "HOSPITAL_2026_7") {
		t.Fatalf("the own limit is not followed: %s", out)
	}
	if out, _, code = yuanzhen(t, "", "prescribe", "import", "--from", from, "--into", into, "--formulary", into); code != 0 || !strings.Contains(out, "0 changes") {
		t.Fatalf("once more: exit %d: %s", code, out)
	}
	if err := os.WriteFile(filepath.Join(into, "renal.csv"), []byte("target_type\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, complaint, code = yuanzhen(t, one, "prescribe", "check", "--case", "-", "--json", "--formulary", into); code == 0 || out != "" || !strings.Contains(complaint, "renal.csv") {
		t.Fatalf("altered knowledge: exit %d: %s %s", code, out, complaint)
	}
}

// A proof file that was handed out once is proved by the command alone, and every way in which it may not hold is named.
func TestPrescribeProve(t *testing.T) {
	const kept = "../../prescribe/proof/testdata/"
	dir := t.TempDir()
	published, err := os.ReadFile(kept + "keys.json")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := os.ReadFile(kept + "issued.proof.json")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	prove := func(file, keys, at string) (string, string, int) {
		t.Helper()
		return yuanzhen(t, "", "prescribe", "prove", file, "--keys", keys, "--ca", kept+"ca.pem", "--at", at)
	}
	const today, later = "2026-11-21T12:00:00+08:00", "2041-01-01T00:00:00Z"
	if out, complaint, code := prove(kept+"issued.proof.json", kept+"keys.json", today); code != 0 || strings.Contains(out, "note") || !strings.Contains(out, "SM2") {
		t.Fatalf("exit %d: %s%s", code, out, complaint)
	}
	if out, complaint, code := prove(kept+"issued.proof.json", kept+"keys.json", later); code != 0 || strings.Count(out, "the signature stands") != 3 {
		t.Errorf("years later: exit %d: %s%s", code, out, complaint)
	}
	lists := 0
	with := func(use string, change func(map[string]any)) string {
		t.Helper()
		var list []map[string]any
		if err := json.Unmarshal(published, &list); err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			if k["use"] == use {
				change(k)
			}
		}
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		lists++
		return put(fmt.Sprintf("keys%d.json", lists), text)
	}
	for _, c := range []struct {
		story, says string
		keys        string
		file        []byte
	}{
		{"the seal was revoked before", "seal: after the certificate was revoked", with("seal", func(k map[string]any) { k["revoked_at"] = "2026-11-20T00:00:00Z" }), issued},
		{"the doctor's key was revoked before", "signature: after the certificate was revoked", with("sign", func(k map[string]any) { k["revoked_at"] = "2026-11-20T00:00:00Z" }), issued},
		{"the seal's certificate was over", "seal: outside the certificate's time", with("seal", func(k map[string]any) { k["to"] = "2026-11-20T00:00:00Z" }), issued},
		{"another hospital's list", "seal: a key nobody knows", put("none.json", []byte("[]")), issued},
		{"a key put under the hospital's name", "seal: its certificate is for another key", with("seal", func(k map[string]any) {
			k["public_key"] = "BEbRCG9uXJOER/BSgNtwfCeae0WcOPGeTZowrS2t+fKK9F/B3Fs3dza1fpfn4FY8zKJMl/RA4dE35ZQdhNLrQ8k="
		}), issued},
		{"one byte of the text", "seal: does not fit the signed bytes", kept + "keys.json", []byte(strings.Replace(string(issued), "amlodipine", "amlodipinf", 1))},
		{"one byte of the seal", "seal: does not fit the signed bytes", kept + "keys.json", []byte(strings.Replace(string(issued), `"seal": "MEYC`, `"seal": "MEYD`, 1))},
	} {
		out, complaint, code := prove(put("altered.json", c.file), c.keys, today)
		if code == 0 || !strings.Contains(out, c.says) || !strings.Contains(complaint, "not proved") {
			t.Errorf("%s: exit %d: %s%s, want %s", c.story, code, out, complaint, c.says)
		}
	}
	if _, complaint, code := prove(put("half.json", issued[:40]), kept+"keys.json", today); code == 0 || !strings.Contains(complaint, "proof file") {
		t.Errorf("half a file: exit %d: %s", code, complaint)
	}
}

func TestProductionRefusesSimulators(t *testing.T) {
	settings := []string{"--data", t.TempDir()}
	for _, next := range []struct{ names, flag, value string }{
		{"YUANZHEN_DATABASE_URL", "--database-url", "postgres://127.0.0.1:1/x"},
		{"YUANZHEN_S3_ENDPOINT", "--s3-endpoint", "http://127.0.0.1:1"},
		{"YUANZHEN_MASTER_KEY", "--master-key", "x"},
		{"YUANZHEN_SMS_URL", "--sms-url", "https://127.0.0.1:1/sms"},
		{"YUANZHEN_REALNAME_URL", "--realname-url", "https://127.0.0.1:1/realname"},
		{"YUANZHEN_CA_URL", "--ca-url", "https://127.0.0.1:1/ca"},
		{"YUANZHEN_PUBLIC_URL", "", ""},
	} {
		_, complaint, code := yuanzhen(t, "", append([]string{"serve"}, settings...)...)
		if code == 0 || !strings.Contains(complaint, next.names) {
			t.Fatalf("want %s named, got exit %d, %q", next.names, code, complaint)
		}
		settings = append(settings, next.flag+"="+next.value)
		if next.flag == "--s3-endpoint" {
			settings = append(settings, "--s3-access-key=a", "--s3-secret-key=b")
		}
		if next.flag == "--ca-url" {
			settings = append(settings, "--ca-root=ca.pem")
		}
	}
}

func TestHelpAndCompletionCoverEverySubcommand(t *testing.T) {
	help, _, code := yuanzhen(t, "", "--help")
	script, _, completed := yuanzhen(t, "", "completion", "bash")
	if code != 0 || completed != 0 {
		t.Fatalf("exit %d, %d", code, completed)
	}
	for _, name := range []string{"dev", "serve", "migrate", "seed", "eligibility", "prescribe", "audit", "demo", "version"} {
		if !strings.Contains(help, name) || !strings.Contains(script, name) {
			t.Errorf("%s is missing in help or completion", name)
		}
	}
	if out, err := exec.Command("bash", "-c", script+"\nCOMP_WORDS=(yuanzhen prescribe ver); COMP_CWORD=2; _yuanzhen; echo ${COMPREPLY[@]}").CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "verify" {
		t.Errorf("bash completes %q, %v", out, err)
	}
}
