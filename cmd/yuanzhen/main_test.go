package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
}

func TestProductionRefusesSimulators(t *testing.T) {
	settings := []string{"--data", t.TempDir()}
	for _, next := range []struct{ names, flag, value string }{
		{"YUANZHEN_DATABASE_URL", "--database-url", "postgres://127.0.0.1:1/x"},
		{"YUANZHEN_S3_ENDPOINT", "--s3-endpoint", "http://127.0.0.1:1"},
		{"YUANZHEN_MASTER_KEY", "--master-key", "x"},
		{"YUANZHEN_SMS_URL", "--sms-url", "https://127.0.0.1:1/sms"},
		{"YUANZHEN_REALNAME_URL", "--realname-url", "https://127.0.0.1:1/realname"},
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
