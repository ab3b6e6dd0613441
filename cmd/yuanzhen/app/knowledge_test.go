package app_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/cmd/yuanzhen/demo"
	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/prescribe/formulary"
)

// A house whose drug knowledge is gone or altered opens all the same and says so: nothing is checked, written, signed or
// approved, while visits, records and what was issued before go on.
func TestPrescribingStopsWithoutKnowledge(t *testing.T) {
	database, data := pgtest.URL(t), t.TempDir()
	settled := func(o *app.Options) { o.DatabaseURL, o.Data = database, data }
	b := open(t, settled)
	j := &journey{building: b}
	j.followUp()
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	issued := "/api/v1/prescriptions/" + b.call(patient, "GET", "/api/v1/prescriptions?person_id="+person, nil, 200).text(0, "id")
	visit := j.attend(person, 0)
	draft := j.call(doctor, "POST", visit+"/prescriptions", renewal, 201)
	b.stop()

	folder := filepath.Join(t.TempDir(), "formulary")
	tables, err := formulary.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range tables.Files() {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("whole", func(t *testing.T) {
		b := open(t, settled, func(o *app.Options) { o.FormularyDir = folder })
		if b.call("", "GET", "/readyz", nil, 200).get("formulary", "ok") != true {
			t.Error("a whole folder is not taken")
		}
		b.call(doctor, "GET", "/api/v1/formulary?q="+url.QueryEscape("氨氯地平"), nil, 200)
	})
	damage := map[string]func(file string) error{
		"altered": func(file string) error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, []byte(strings.Replace(string(text), "major", "minor", 1)), 0o644)
		},
		"removed": os.Remove,
	}
	for _, how := range []string{"altered", "removed"} {
		if err := damage[how](filepath.Join(folder, "interactions.csv")); err != nil {
			t.Fatal(err)
		}
		t.Run(how, func(t *testing.T) {
			b := open(t, settled, func(o *app.Options) { o.FormularyDir = folder })
			j := &journey{building: b}
			if ready := b.call("", "GET", "/readyz", nil, 200); ready.get("ready") != true || ready.get("formulary", "ok") != false {
				t.Errorf("ready: %s", ready.body)
			}
			stopped := func(who, method, path string, body any) {
				t.Helper()
				if p := b.call(who, method, path, body, 503).problem(); p.Code != "knowledge_missing" {
					t.Errorf("%s %s: %+v", method, path, p)
				}
			}
			again := j.attend(person, 1) // behind the visit of the draft
			stopped(doctor, "GET", "/api/v1/formulary?q="+url.QueryEscape("氨氯地平"), nil)
			stopped(doctor, "POST", "/api/v1/prescriptions/check", object{"patient": object{"age_years": 66, "sex": "M"}, "items": []object{}})
			stopped(doctor, "POST", again+"/prescriptions", renewal)
			stopped(doctor, "PUT", "/api/v1/prescriptions/"+draft.text("id"), renewal)
			stopped(doctor, "POST", "/api/v1/prescriptions/"+draft.text("id")+"/sign", object{"sha256": draft.text("sha256"), "passphrase": demo.Passphrase})
			card := b.call(doctor, "POST", "/cds-services/yuanzhen-order-sign", object{"hook": "order-sign", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
				"context": object{"userId": "Practitioner/1", "patientId": "1", "draftOrders": object{"resourceType": "Bundle", "type": "collection"}}}, 200)
			if card.text("cards", 0, "indicator") != "critical" || !strings.Contains(card.text("cards", 0, "summary"), "暂停开方") {
				t.Errorf("a hook is answered %s", card.body)
			}
			b.call(doctor, "POST", again+"/end", nil, 200)

			seen := b.call(patient, "GET", issued, nil, 200)
			if v := b.call("", "POST", "/api/v1/verify", object{"code": seen.text("evidence_code")}, 200); v.text("result") != "genuine" {
				t.Errorf("verified: %s", v.body)
			}
			claim := func(channel string) request {
				code := b.call(patient, "POST", issued+"/code", object{"part": 1}, 200).text("code")
				return jsonRequest("马兰", "POST", "/api/v1/claims", object{"code": code, "channel": channel})
			}
			if a := b.send(claim("online_retail")); a.status != 503 {
				t.Errorf("sold online unchecked: %d %s", a.status, a.body)
			}
			won := b.send(claim("walk_in"))
			if won.status != 200 {
				t.Fatalf("collected in person: %d %s", won.status, won.body)
			}
			b.call("马兰", "POST", "/api/v1/claims/"+won.text("part_id")+"/release", nil, 204)
		})
	}
}
