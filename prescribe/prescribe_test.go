package prescribe

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/consult"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/internal/rule"
	"yuanzhen/prescribe/cds"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/qr"
)

// clinic is one hospital with two doctors, two pharmacists and a patient in a follow-up visit.
type clinic struct {
	*Service
	t             *testing.T
	db            *pg.Pool
	now           time.Time
	place         ids.Institution
	doctor, other *authz.Subject
	pharmacist    *authz.Subject
	novice        *authz.Subject
	family        *authz.Subject
	person        ids.Person
	visit         ids.Visit
	facts         consult.Standing
	judged        []rule.Reason
	mu            sync.Mutex
	published     []live.Event
	policy        *authz.Policy
}

func (c *clinic) AskStanding(_ context.Context, _ *pgx.Batch, into *consult.Standing, id ids.Visit) {
	if id == c.visit {
		*into = c.facts
	}
}

func (c *clinic) JudgeForSigning(context.Context, tx, ids.Visit, []consult.Drug) (consult.Decision, error) {
	if len(c.judged) > 0 {
		return consult.Decision{}, notAllowed(c.judged...)
	}
	return consult.Decision{}, nil
}

func (c *clinic) Publish(e live.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published = append(c.published, e)
}

const passphrase = "open sesame"

func newClinic(t *testing.T) *clinic {
	t.Helper()
	kb, err := formulary.Default()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.Load()
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{t: t, db: pgtest.New(t), now: time.Date(2026, 11, 21, 10, 0, 0, 0, qr.China), policy: policy,
		place: ids.New[ids.Institution](), person: ids.New[ids.Person](), visit: ids.New[ids.Visit]()}
	clock := func() time.Time { return c.now }
	vault, err := keys.NewVault(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := keys.NewSimulatedCA(vault)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.NewLog(c.db, vault.Signer("audit"))
	if err != nil {
		t.Fatal(err)
	}
	c.Service = &Service{DB: c.db, Now: clock, Visits: c, Keys: &keys.Service{Now: clock, CA: ca, Vault: vault}, Live: c, Knowledge: kb,
		VerifyURL: "https://example.org/verify#", Log: log}
	c.exec(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until) VALUES ($1, 'H1', '清河市第一医院', 'internet_hospital', '420100', '', '', '2030-01-01')`, c.place)
	c.doctor = c.staff("physician", "张建国", authz.Doctor, 3, 9)
	c.other = c.staff("physician", "陈慧", authz.Doctor, 2, 9)
	c.pharmacist = c.staff("pharmacist", "刘芳", authz.Pharmacist, 2, 5)
	c.novice = c.staff("pharmacist", "新药师", authz.Pharmacist, 1, 1)
	c.issueKey(c.doctor)
	c.issueKey(c.pharmacist)
	if err := c.db.InTx(t.Context(), func(tx pgx.Tx) error { return c.Keys.IssueSeal(t.Context(), tx, c.place) }); err != nil {
		t.Fatal(err)
	}
	account := ids.New[ids.Account]()
	c.family = &authz.Subject{Account: account, Memberships: []authz.Membership{{Role: authz.Patient}}}
	c.exec(`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', '赵敏')`, account)
	c.exec(`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level, weight_kg) VALUES ($1, '赵建华', 'M', '1958-03-02', '\x01', '\x01', '', 2, 70)`, c.person)
	c.exec(`INSERT INTO proxy (account_id, person_id, relation) VALUES ($1, $2, 'parent')`, account, c.person)
	c.exec(`INSERT INTO condition (person_id, icd10, name) VALUES ($1, 'I10', '高血压'), ($1, 'E78.5', '血脂异常')`, c.person)
	c.exec(`INSERT INTO observation (person_id, kind, value, unit, at) VALUES ($1, 'creatinine', 80, 'umol/L', '2026-10-01')`, c.person)
	c.exec(`INSERT INTO medicine (person_id, ingredient, name_zh, name_en, daily_dose, unit, until, source) VALUES ($1, 'amlodipine', '氨氯地平', 'amlodipine', 5.0, 'mg', '2026-11-24', 'hospital')`, c.person)
	slot := ids.New[ids.Slot]()
	c.exec(`INSERT INTO slot (id, practitioner_id, institution_id, registration_id, department, during, fee_fen)
	        SELECT $1, $2, $3, r.id, '心血管内科', '[2026-11-21 09:30+08,2026-11-21 10:30+08)', 0 FROM registration r WHERE r.practitioner_id = $2`, slot, c.doctor.Practitioner, c.place)
	c.exec(`INSERT INTO visit (id, account_id, person_id, slot_id, practitioner_id, institution_id, kind, department, icd10, complaint, severity, intends_rx, state, room, request_key, booked_at, started_at)
	        VALUES ($1, $2, $3, $4, $5, $6, 'follow_up', '心血管内科', 'I10', '', 'mild', true, 'in_consult', 'r', gen_random_uuid(), now(), now())`, c.visit, account, c.person, slot, c.doctor.Practitioner, c.place)
	c.facts = consult.Standing{Person: c.person, Practitioner: c.doctor.Practitioner, Institution: c.place, InConsult: true, Kind: "follow_up", Evidence: []string{"I10.x00", "E78.500"}}
	return c
}

func (c *clinic) exec(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.db.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clinic) staff(kind, name, role string, rank, years int) *authz.Subject {
	c.t.Helper()
	s := &authz.Subject{Account: ids.New[ids.Account](), Practitioner: ids.New[ids.Practitioner](), Name: name, Memberships: []authz.Membership{{Role: role, Place: c.place}}}
	c.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $2, '', '')`, s.Account, name)
	c.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
	        VALUES ($1, $2, $3, $4, '', $5, '', '{}', true, 'passed', $6)`, s.Practitioner, s.Account, kind, name, rank, c.now.AddDate(-years, 0, 0))
	c.exec(`INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent) VALUES (gen_random_uuid(), $1, $2, 'primary', '42', '[2020-01-01,2030-01-01)', true)`, s.Practitioner, c.place)
	return s
}

func (c *clinic) issueKey(s *authz.Subject) {
	c.t.Helper()
	if err := c.db.InTx(c.t.Context(), func(tx pgx.Tx) error { return c.Keys.Issue(c.t.Context(), tx, s.Practitioner, passphrase) }); err != nil {
		c.t.Fatal(err)
	}
}

// as is the context of a subject whom the access table lets do the action.
func (c *clinic) as(s *authz.Subject, action string) context.Context {
	c.t.Helper()
	scope, err := c.policy.Scope(s, action)
	if err != nil || scope.Empty() {
		c.t.Fatalf("%s: scope %+v, %v", action, scope, err)
	}
	return authz.WithScope(authz.WithSubject(c.t.Context(), s), scope)
}

// serve opens the door to the routes, for the clinic's people by their role and for others.
func (c *clinic) serve(others sessions) (address string) {
	c.t.Helper()
	people := sessions{"doctor": c.doctor, "pharmacist": c.pharmacist, "family": c.family}
	maps.Copy(people, others)
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test", c.policy, people, c.db, slog.New(slog.DiscardHandler))
	c.Routes(api)
	if _, err := api.Document(); err != nil {
		c.t.Fatal(err)
	}
	server := httptest.NewServer(api.Edge(prometheus.NewRegistry(), mux))
	c.t.Cleanup(server.Close)
	return server.URL
}

func renewal() Order {
	return Order{Type: "long", Diagnosis: []string{"I10"}, Items: []Item{
		{Line: 1, Ingredient: "amlodipine", Dose: "5", Unit: "mg", PerDay: 1, Days: 28, Provenance: "copied_confirmed"},
		{Line: 2, Product: "valsartan_hctz", Units: "1", PerDay: 1, Days: 28, Provenance: "catalogue_pick"},
	}}
}

// reads holds what a deed has answered against what the doctor reads afterwards.
func (c *clinic) reads(answered Prescription) {
	c.t.Helper()
	read, err := c.Prescription(c.as(c.doctor, "prescription.read"), answered.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	got, _ := json.Marshal(answered) // plain values
	want, _ := json.Marshal(read)
	if string(got) != string(want) {
		c.t.Errorf("answered %s\nread %s", got, want)
	}
}

func (c *clinic) write(o Order) Prescription {
	c.t.Helper()
	p, err := c.Write(c.as(c.doctor, "prescription.write"), c.visit, o, uuid.NewString())
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *clinic) sign(p Prescription, overrides ...Override) (Prescription, error) {
	return c.Sign(c.as(c.doctor, "prescription.sign"), p.ID, Signing{SHA256: p.SHA256, Passphrase: passphrase, Overrides: overrides})
}

func (c *clinic) signed(o Order) Prescription {
	c.t.Helper()
	p, err := c.sign(c.write(o))
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

func pass() Reviewing {
	return Reviewing{Legality: true, Form: true, Suitability: true, Result: "pass", Passphrase: passphrase}
}

func (c *clinic) review(p Prescription, act Reviewing) (Prescription, error) {
	return c.Review(c.as(c.pharmacist, "prescription.review"), p.ID, act)
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Code
}

func (c *clinic) verify(code string) Verification {
	c.t.Helper()
	v, err := c.Verify(c.as(nil, "prescription.verify"), code)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

func TestFromDraftToEvidenceCode(t *testing.T) {
	c := newClinic(t)
	p := c.write(renewal())
	if p.State != Draft || p.Check.State != "done" || p.Check.Decision != "clean" || p.Version != 1 || len(p.Check.Reasons) > 0 {
		t.Fatalf("draft: %+v", p.Check)
	}
	if p.Items[0].Name.ZH != "氨氯地平" || p.Items[1].Name.ZH != "缬沙坦氢氯噻嗪片" {
		t.Errorf("generic names: %+v", p.Items)
	}
	p, err := c.sign(p)
	if err != nil {
		t.Fatal(err)
	}
	if p.State != Signed || !p.ValidUntil.Equal(time.Date(2026, 11, 21, 23, 59, 59, 0, qr.China)) {
		t.Fatalf("signed: %s, valid until %s", p.State, p.ValidUntil)
	}
	queue, err := c.Queue(c.as(c.pharmacist, "prescription.review"))
	if err != nil || len(queue) != 1 || queue[0].ID != p.ID || queue[0].Risk != "raised" {
		t.Fatalf("queue: %+v, %v", queue, err)
	}
	if p, err = c.review(p, pass()); err != nil {
		t.Fatal(err)
	}
	if p.State != Approved || p.Review.Pharmacist != "刘芳" || len(p.EvidenceCode) >= 1024 {
		t.Fatalf("approved: %+v", p)
	}

	list, err := c.VerificationKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	evidence, result := qr.Verify(p.EvidenceCode, list, c.now)
	if result != qr.Genuine || evidence.Number != p.No || evidence.Doctor != "张建国" || evidence.Initial != "赵" || evidence.Lines[0].Use != "5 mg × 1/d" {
		t.Errorf("offline: %s %+v", result, evidence)
	}
	if v := c.verify(p.EvidenceCode); v.Result != qr.Genuine || v.Institution != "清河市第一医院" || v.IssuedOn != "2026-11-21" {
		t.Errorf("online: %+v", v)
	}
	if v := c.verify(p.EvidenceCode[:len(p.EvidenceCode)-4] + "AAAA"); v.Result != qr.Forged {
		t.Errorf("altered: %+v", v)
	}
	png, err := c.QR(c.as(c.family, "prescription.read"), p.ID)
	if err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("QR: %d bytes, %v", len(png), err)
	}

	c.now = c.now.AddDate(0, 0, 1)
	late, err := c.Prescription(c.as(c.family, "prescription.read"), p.ID)
	if err != nil || late.State != Expired {
		t.Errorf("next day: %s, %v", late.State, err)
	}
	if v := c.verify(p.EvidenceCode); v.Result != qr.Expired {
		t.Errorf("next day online: %+v", v)
	}
	c.now = c.now.AddDate(0, 0, -1)
	if p, err = c.Cancel(c.as(c.doctor, "prescription.write"), p.ID); err != nil || p.State != Void {
		t.Fatalf("cancel: %s, %v", p.State, err)
	}
	if v := c.verify(p.EvidenceCode); v.Result != qr.Forged {
		t.Errorf("a void prescription shows no code: %+v", v)
	}
	if v := c.verify(*p.row.EvidenceCode); v.Result != qr.Revoked {
		t.Errorf("void online: %+v", v)
	}

	var entries int
	if err := c.db.QueryRow(t.Context(), `SELECT count(DISTINCT action) FROM audit_entry WHERE object = 'prescription/' || $1::text AND person_id = $2`, p.ID.String(), c.person).Scan(&entries); err != nil || entries != 7 {
		t.Errorf("audit has %d actions (write, sign, signature, review, read, verify, void), %v", entries, err)
	}
	if last := c.published[len(c.published)-1]; last.Kind != "prescription.changed" || len(last.Accounts) != 1 || len(last.Places) != 1 {
		t.Errorf("published %+v", last)
	}
}

func TestWhatTheDoctorMayNotWrite(t *testing.T) {
	for _, story := range []struct {
		name   string
		change func(*clinic, *Order)
		code   string
		rule   string
	}{
		{"not in the visit", func(c *clinic, _ *Order) { c.facts.InConsult = false }, "prescription_not_allowed", "RXE-01"},
		{"another doctor's visit", func(c *clinic, _ *Order) { c.facts.Practitioner = c.other.Practitioner }, "not_found", ""},
		{"a line made by AI", func(_ *clinic, o *Order) { o.Items[0].Provenance = "ai_generated" }, "prescription_not_allowed", "RXE-02"},
		{"a medicine nobody knows", func(_ *clinic, o *Order) { o.Items[0].Ingredient = "panacea" }, "prescription_unreadable", ""},
		{"a dose in words", func(_ *clinic, o *Order) { o.Items[0].Dose = "遵医嘱" }, "prescription_unreadable", ""},
		{"no frequency", func(_ *clinic, o *Order) { o.Items[0].PerDay = 0 }, "prescription_unreadable", ""},
		{"lines out of order", func(_ *clinic, o *Order) { o.Items[1].Line = 5 }, "prescription_unreadable", ""},
		{"a diagnosis in words", func(_ *clinic, o *Order) { o.Diagnosis = []string{"高血压"} }, "prescription_unreadable", ""},
	} {
		t.Run(story.name, func(t *testing.T) {
			c, o := newClinic(t), renewal()
			story.change(c, &o)
			_, err := c.Write(c.as(c.doctor, "prescription.write"), c.visit, o, uuid.NewString())
			if code(err) != story.code {
				t.Fatalf("%v, want %s", err, story.code)
			}
			if story.rule != "" && !slices.Contains(ruleIDs(err), story.rule) {
				t.Errorf("reasons %v, want %s", ruleIDs(err), story.rule)
			}
		})
	}
}

func ruleIDs(err error) (all []string) {
	detail, _ := fault.As(err).Detail.(map[string][]rule.Reason)
	for _, r := range detail["reasons"] {
		all = append(all, r.Rule)
	}
	return all
}

func alertKeys(err error) (all []string) {
	detail, _ := fault.As(err).Detail.(map[string][]check.Alert)
	for _, a := range detail["alerts"] {
		all = append(all, a.Key)
	}
	return all
}

func TestWhatCannotBeSigned(t *testing.T) {
	for _, story := range []struct {
		name   string
		change func(*clinic, *Order)
		code   string
		about  string // a rule or an alert among the reasons
	}{
		{"a diagnosis nobody verified", func(_ *clinic, o *Order) { o.Diagnosis = []string{"E11"} }, "prescription_not_allowed", "RXE-03"},
		{"an injection", func(_ *clinic, o *Order) {
			o.Items[1] = Item{Line: 2, Ingredient: "enoxaparin", Dose: "40", Unit: "mg", PerDay: 1, Days: 7, Provenance: "typed"}
		}, "prescription_not_allowed", "RXE-05"},
		{"eight days without a reason", func(_ *clinic, o *Order) { o.Type = "general"; o.Items[0].Days, o.Items[1].Days = 8, 7 }, "prescription_not_allowed", "RXE-15"},
		{"a long prescription for a cold", func(c *clinic, o *Order) {
			c.facts.Evidence = []string{"J00"}
			o.Diagnosis = []string{"J00"}
		}, "prescription_not_allowed", "RXE-16"},
		{"a long prescription by a resident", func(c *clinic, _ *Order) {
			c.exec(`UPDATE practitioner SET title_rank = 1 WHERE id = $1`, c.doctor.Practitioner)
		}, "prescription_not_allowed", "RXE-19"},
		{"the visit is no longer allowed online", func(c *clinic, _ *Order) {
			c.judged = []rule.Reason{{Rule: "VIS-01", Outcome: rule.Emergency}}
		}, "prescription_not_allowed", "VIS-01"},
		{"a copied line that nobody confirmed", func(_ *clinic, o *Order) { o.Items[0].Provenance = "copied" }, "prescription_not_allowed", "RXE-02"},
		{"a controlled drug", func(_ *clinic, o *Order) {
			o.Items[1] = Item{Line: 2, Ingredient: "alprazolam", Dose: "0.4", Unit: "mg", PerDay: 1, Days: 7, Provenance: "typed"}
		}, "prescription_blocked", "R_CTRL_ONLINE:alprazolam"},
		{"a chart with a medicine nobody knows", func(c *clinic, _ *Order) {
			c.exec(`INSERT INTO medicine (person_id, ingredient, name_zh, name_en, daily_dose, unit, until, source) VALUES ($1, 'herb', '草药', 'herb', 1, 'g', '2027-01-01', 'declared')`, c.person)
		}, "prescription_blocked", "not_checked"},
		{"a chart that can't be read", func(c *clinic, _ *Order) {
			c.exec(`UPDATE condition SET icd10 = 'hypertension' WHERE person_id = $1 AND icd10 = 'I10'`, c.person)
		}, "prescription_blocked", "not_checked"},
		{"an alert without a reason", func(c *clinic, _ *Order) {
			c.exec(`UPDATE medicine SET until = '2026-12-20' WHERE person_id = $1`, c.person)
		}, "reasons_missing", "R_EARLY_REFILL:amlodipine"},
	} {
		t.Run(story.name, func(t *testing.T) {
			c, o := newClinic(t), renewal()
			story.change(c, &o)
			p := c.write(o)
			_, err := c.sign(p)
			if code(err) != story.code {
				t.Fatalf("%v, want %s; %+v", err, story.code, p.Check)
			}
			if !slices.Contains(append(ruleIDs(err), alertKeys(err)...), story.about) {
				t.Errorf("reasons %v %v, want %s", ruleIDs(err), alertKeys(err), story.about)
			}
			if again, err := c.Prescription(c.as(c.doctor, "prescription.read"), p.ID); err != nil || again.State != Draft {
				t.Errorf("it is %s, %v", again.State, err)
			}
		})
	}
}

func TestSigningOverAnAlert(t *testing.T) {
	c := newClinic(t)
	c.exec(`UPDATE medicine SET until = '2026-12-20' WHERE person_id = $1`, c.person)
	p := c.write(renewal())
	reason := Override{Alert: "R_EARLY_REFILL:amlodipine", ReasonCode: "benefit_outweighs", Text: "出差一个月"}
	for _, bad := range [][]Override{
		{reason, {Alert: "ddi:a+b", ReasonCode: "data_wrong", Text: "x"}},
		{reason, reason},
		{{Alert: reason.Alert, ReasonCode: "data_wrong", Text: " "}},
	} {
		if _, err := c.sign(p, bad...); code(err) != "override_unknown" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	p, err := c.sign(p, reason)
	if err != nil || len(p.Overrides) != 1 || p.Overrides[0] != reason || p.row.Risk != 5 {
		t.Fatalf("%+v, risk %d, %v", p.Overrides, p.row.Risk, err)
	}
}

func TestExactlyWhatWasShownIsSigned(t *testing.T) {
	c := newClinic(t)
	p := c.write(renewal())
	o := renewal()
	o.Items[0].Dose = "10"
	newer, err := c.Save(c.as(c.doctor, "prescription.write"), p.ID, o)
	if err != nil || newer.ID != p.ID || newer.SHA256 == p.SHA256 {
		t.Fatalf("draft --save--> draft: %v", err)
	}
	c.reads(newer)
	if _, err := c.sign(p); code(err) != "not_what_was_shown" {
		t.Errorf("the older text: %v", err)
	}
	if _, err := c.Sign(c.as(c.doctor, "prescription.sign"), p.ID, Signing{SHA256: newer.SHA256, Passphrase: "guess"}); code(err) != "wrong_passphrase" {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := c.Sign(c.as(c.other, "prescription.sign"), p.ID, Signing{SHA256: newer.SHA256, Passphrase: passphrase}); code(err) != "not_found" {
		t.Errorf("another doctor: %v", err)
	}
	c.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity) VALUES ($1, 'ag_arb', 'ARB', 'ARB', 'severe')`, c.person)
	if _, err := c.sign(newer); code(err) != "not_what_was_shown" {
		t.Errorf("an allergy was added meanwhile: %v", err)
	}
	newer, err = c.Save(c.as(c.doctor, "prescription.write"), p.ID, o)
	if err != nil || newer.Check.Decision != "block" {
		t.Fatalf("%+v, %v", newer.Check, err)
	}
	if _, err := c.sign(newer); code(err) != "prescription_blocked" || !slices.Contains(alertKeys(err), "allergy:valsartan") {
		t.Errorf("the allergy blocks: %v", err)
	}
}

func TestSignedIsSignedOnceAndForEver(t *testing.T) {
	c := newClinic(t)
	p := c.write(renewal())
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for range 8 {
		wg.Go(func() {
			_, err := c.sign(p)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else if code(err) != "prescription_moved_on" {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("signed %d times", won)
	}
	for _, sql := range []string{
		`UPDATE prescription SET items = '[{}]' WHERE id = $1`, `UPDATE prescription SET canonical = '\x00' WHERE id = $1`,
		`UPDATE prescription SET signature = '\x00' WHERE id = $1`, `DELETE FROM prescription WHERE id = $1`,
	} {
		if _, err := c.db.Exec(t.Context(), sql, p.ID); err == nil || !strings.Contains(err.Error(), "written once") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := c.Save(c.as(c.doctor, "prescription.write"), p.ID, renewal()); code(err) != "prescription_moved_on" {
		t.Errorf("signed --save-->: %v", err)
	}
	list, err := keys.PublicKeys(t.Context(), c.db)
	if err != nil {
		t.Fatal(err)
	}
	p, err = c.Prescription(c.as(c.doctor, "prescription.read"), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	k := list[slices.IndexFunc(list, func(k keys.PublicKey) bool { return k.KeyID == *p.row.KeyID })]
	if k.PractitionerID != c.doctor.Practitioner || k.Alg != "SM2" || keys.Verify(k, p.row.Statement, p.row.Signature) != nil {
		t.Error("the doctor's own key signed exactly the stored statement")
	}
	if keys.Verify(k, append(p.row.Statement, ' '), p.row.Signature) == nil {
		t.Error("one byte more still verifies")
	}
	if !bytes.Contains(p.row.Statement, []byte(`"sha256":"`+p.SHA256+`"`)) {
		t.Errorf("the statement is about something else than was shown: %s", p.row.Statement)
	}
}

func TestTheSameWishIsOnePrescription(t *testing.T) {
	c := newClinic(t)
	key := uuid.NewString()
	ctx := c.as(c.doctor, "prescription.write")
	var wg sync.WaitGroup
	got := make(chan string, 6)
	for range 6 {
		wg.Go(func() {
			p, err := c.Write(ctx, c.visit, renewal(), key)
			got <- fmt.Sprint(p.ID, err)
		})
	}
	wg.Wait()
	close(got)
	first := <-got
	for next := range got {
		if next != first {
			t.Errorf("%s and %s", first, next)
		}
	}
}

func TestReturnedPrescriptionGetsItsNextVersion(t *testing.T) {
	c := newClinic(t)
	p := c.signed(renewal())
	back := Reviewing{Legality: true, Form: true, Result: "return", ReasonCode: "dose", Note: "请减量", Passphrase: passphrase}
	p, err := c.review(p, back)
	if err != nil || p.State != Returned || p.Review.ReasonCode != "dose" || p.EvidenceCode != "" {
		t.Fatalf("signed --return--> %s, %v", p.State, err)
	}
	if n, err := c.Returned(t.Context(), c.db, c.doctor.Practitioner); err != nil || n != 1 {
		t.Errorf("%d returned, %v", n, err)
	}
	next, err := c.Save(c.as(c.doctor, "prescription.write"), p.ID, renewal())
	if err != nil || next.State != Draft || next.Version != 2 || next.No != p.No || next.Supersedes != p.ID {
		t.Fatalf("returned --correct--> %+v, %v", next, err)
	}
	if _, err := c.Save(c.as(c.doctor, "prescription.write"), p.ID, renewal()); code(err) != "already_corrected" {
		t.Errorf("a second correction: %v", err)
	}
	if n, err := c.Returned(t.Context(), c.db, c.doctor.Practitioner); err != nil || n != 0 {
		t.Errorf("%d returned after the correction, %v", n, err)
	}
	list, err := c.Prescriptions(c.as(c.family, "prescription.read"), c.person)
	if err != nil || len(list) != 2 || list[0].ID != next.ID {
		t.Errorf("both versions stay: %d, %v", len(list), err)
	}
	refs, err := c.Of(t.Context(), c.db, c.person, c.visit)
	if err != nil || len(refs) != 2 || refs[0].Title != "氨氯地平、缬沙坦氢氯噻嗪片" {
		t.Errorf("refs: %+v, %v", refs, err)
	}
}

func TestAnApprovedPrescriptionIsAMedicineTheNextOneMeets(t *testing.T) {
	c := newClinic(t)
	first, err := c.review(c.signed(renewal()), pass())
	if err != nil {
		t.Fatal(err)
	}
	o := Order{Type: "general", Diagnosis: []string{"I10"}, Items: []Item{{Line: 1, Ingredient: "enalapril", Dose: "10", Unit: "mg", PerDay: 1, Days: 7, Provenance: "typed"}}}
	met := func(p Prescription) bool {
		return slices.ContainsFunc(p.Check.Alerts, func(a check.Alert) bool { return a.Key == "ddi:enalapril+valsartan" })
	}
	if p := c.write(o); !met(p) {
		t.Errorf("enalapril beside yesterday's valsartan: %+v", p.Check.Alerts)
	}
	if p := c.write(renewal()); !slices.ContainsFunc(p.Check.Alerts, func(a check.Alert) bool { return a.Key == "R_EARLY_REFILL:valsartan" }) {
		t.Errorf("the same again on the same day: %+v", p.Check.Alerts)
	}
	if _, err := c.Cancel(c.as(c.doctor, "prescription.write"), first.ID); err != nil {
		t.Fatal(err)
	}
	if p := c.write(o); met(p) {
		t.Error("a void prescription is no medicine")
	}
}

func TestWhatThePharmacistMayNot(t *testing.T) {
	c := newClinic(t)
	p := c.signed(renewal())
	incomplete, silent := pass(), pass()
	incomplete.Suitability = false
	silent.Result = "refuse"
	for name, act := range map[string]Reviewing{"pass with a check missing": incomplete, "refuse without a reason": silent} {
		if _, err := c.review(p, act); code(err) != "review_incomplete" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Review(c.as(c.novice, "prescription.review"), p.ID, pass()); code(err) != "reviewer_unqualified" {
		t.Errorf("one year of dispensing: %v", err)
	}
	self := &authz.Subject{Account: c.doctor.Account, Practitioner: c.doctor.Practitioner, Memberships: []authz.Membership{{Role: authz.Pharmacist, Place: c.place}}}
	if _, err := c.Review(c.as(self, "prescription.review"), p.ID, pass()); code(err) != "reviewer_unqualified" {
		t.Errorf("the prescriber: %v", err)
	}
	elsewhere := &authz.Subject{Practitioner: c.pharmacist.Practitioner, Memberships: []authz.Membership{{Role: authz.Pharmacist, Place: ids.New[ids.Institution]()}}}
	if _, err := c.Review(c.as(elsewhere, "prescription.review"), p.ID, pass()); code(err) != "not_found" {
		t.Errorf("another hospital: %v", err)
	}
	if _, err := c.Review(c.as(c.pharmacist, "prescription.review"), c.write(renewal()).ID, pass()); code(err) != "prescription_moved_on" {
		t.Errorf("draft --approve-->: %v", err)
	}
	c.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity) VALUES ($1, 'amlodipine', '', '', 'mild')`, c.person)
	if _, err := c.review(p, pass()); code(err) != "must_refuse" {
		t.Errorf("an allergy came to light: %v", err)
	}
	c.exec(`DELETE FROM allergy`)
	c.now = c.now.AddDate(0, 0, 1)
	if _, err := c.review(p, pass()); code(err) != "prescription_expired" {
		t.Errorf("past its day: %v", err)
	}
	refused := Reviewing{Legality: true, Form: true, Result: "refuse", ReasonCode: "other", Passphrase: passphrase}
	if p, err := c.review(p, refused); err != nil || p.State != Refused {
		t.Errorf("signed --refuse--> %s, %v", p.State, err)
	}
	if _, err := c.review(p, refused); code(err) != "prescription_moved_on" {
		t.Errorf("refused --refuse-->: %v", err)
	}
}

func TestPostgresHoldsWhatTheCodeForgot(t *testing.T) {
	c := newClinic(t)
	draft, signed := c.write(renewal()), c.signed(renewal())
	for story, sql := range map[string]string{
		"approved without evidence code": `UPDATE prescription SET state = 'approved' WHERE id = '` + signed.ID.String() + `'`,
		"signed without signature":       `UPDATE prescription SET state = 'signed' WHERE id = '` + draft.ID.String() + `'`,
		"six lines":                      `UPDATE prescription SET items = '[1,2,3,4,5,6]' WHERE id = '` + draft.ID.String() + `'`,
		"no diagnosis":                   `UPDATE prescription SET diagnosis = '{}' WHERE id = '` + draft.ID.String() + `'`,
		"the prescriber reviews": `INSERT INTO prescription_review SELECT id, practitioner_id, practitioner_id, true, true, true, 'pass', '', '', '', '', key_id, now()
			FROM prescription WHERE id = '` + signed.ID.String() + `'`,
		"passed with a check missing": `INSERT INTO prescription_review SELECT id, practitioner_id, '` + c.pharmacist.Practitioner.String() + `', true, false, true, 'pass', '', '', '', '', key_id, now()
			FROM prescription WHERE id = '` + signed.ID.String() + `'`,
	} {
		if _, err := c.db.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: allowed", story)
		}
	}
}

// sessions resolves a token to the subject of that name.
type sessions map[string]*authz.Subject

func (s sessions) Resolve(_ context.Context, token string) (*authz.Subject, error) {
	return s[token], nil
}

func TestOverHTTP(t *testing.T) {
	c := newClinic(t)
	stranger := &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Patient}}}
	c.exec(`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', '路人')`, stranger.Account)
	address := c.serve(sessions{"stranger": stranger})
	call := func(token, method, path string, body, into any) int {
		t.Helper()
		sent, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, address+path, bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", uuid.NewString())
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if into != nil {
			if err := json.NewDecoder(res.Body).Decode(into); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("%s %s: %v", method, path, err)
			}
		}
		return res.StatusCode
	}

	var rows []FormularyRow
	if status := call("doctor", "GET", "/api/v1/formulary?q="+"%E6%B0%A8%E6%B0%AF%E5%9C%B0%E5%B9%B3", nil, &rows); status != 200 || rows[0].Ingredient != "amlodipine" || rows[0].MaxDaily != "10 mg" {
		t.Fatalf("formulary: %d %+v", status, rows)
	}
	var p map[string]any
	if status := call("doctor", "POST", "/api/v1/visits/"+c.visit.String()+"/prescriptions", renewal(), &p); status != 201 || p["state"] != "draft" {
		t.Fatalf("write: %d %v", status, p)
	}
	path := "/api/v1/prescriptions/" + p["id"].(string)
	if status := call("doctor", "POST", "/api/v1/visits/"+c.visit.String()+"/prescriptions", renewal(), nil); status != 201 {
		t.Fatalf("a second one, so that a lost id would show: %d", status)
	}
	var again map[string]any
	if status := call("doctor", "PUT", path, map[string]any{"type": p["type"], "diagnosis": p["diagnosis"], "items": p["items"]}, &again); status != 200 {
		t.Fatalf("what was read can be sent back: %d %v", status, again)
	}
	if again["id"] != p["id"] {
		t.Fatalf("PUT %s answered %s", path, again["id"])
	}
	if status := call("doctor", "POST", path+"/sign", Signing{SHA256: again["sha256"].(string), Passphrase: passphrase}, &p); status != 200 || p["state"] != "signed" {
		t.Fatalf("sign: %d %v", status, p)
	}
	var queue []map[string]any
	if status := call("pharmacist", "GET", "/api/v1/review/queue", nil, &queue); status != 200 || len(queue) != 1 || queue[0]["risk"] != "raised" {
		t.Fatalf("queue: %d %v", status, queue)
	}
	if status := call("pharmacist", "POST", path+"/review", pass(), &p); status != 200 || p["state"] != "approved" {
		t.Fatalf("review: %d %v", status, p)
	}
	if status := call("family", "GET", path, nil, &p); status != 200 {
		t.Fatalf("family reads: %d", status)
	}
	var v Verification
	if status := call("", "POST", "/api/v1/verify", map[string]any{"code": p["evidence_code"]}, &v); status != 200 || v.Result != qr.Genuine {
		t.Fatalf("verify: %d %+v", status, v)
	}
	var list []qr.Key
	if status := call("", "GET", "/api/v1/verify/keys", nil, &list); status != 200 {
		t.Fatalf("keys: %d", status)
	}
	if _, result := qr.Verify(p["evidence_code"].(string), list, c.now); result != qr.Genuine {
		t.Errorf("with the list over HTTP: %s", result)
	}
	if status := call("family", "GET", path+"/qr.png", nil, nil); status != 200 {
		t.Errorf("qr: %d", status)
	}

	for _, denied := range []struct {
		token, method, path string
		body                any
		status              int
	}{
		{"stranger", "GET", path, nil, 404}, {"stranger", "GET", path + "/qr.png", nil, 404}, {"", "GET", path, nil, 401},
		{"family", "POST", path + "/cancel", nil, 403}, {"family", "GET", "/api/v1/review/queue", nil, 403},
		{"doctor", "POST", path + "/review", pass(), 403}, {"pharmacist", "POST", path + "/sign", Signing{SHA256: strings.Repeat("0", 64)}, 403},
		{"doctor", "POST", "/api/v1/visits/" + c.visit.String() + "/prescriptions", map[string]any{"type": "forever"}, 422},
		{"doctor", "POST", "/api/v1/visits/" + ids.New[ids.Visit]().String() + "/prescriptions", renewal(), 404},
	} {
		if status := call(denied.token, denied.method, denied.path, denied.body, nil); status != denied.status {
			t.Errorf("%s %s %s: %d, want %d", denied.token, denied.method, denied.path, status, denied.status)
		}
	}
}

// Every visible case by HTTP and by CDS Hooks over HTTP, as the command answers it.
func TestEveryCaseByHTTP(t *testing.T) {
	c := newClinic(t)
	address := c.serve(nil)
	raw, err := os.ReadFile("check/testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, cases, err := check.ReadCases(c.Knowledge, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string, body, answer any) int {
		t.Helper()
		text, ok := body.([]byte)
		if !ok {
			text, _ = json.Marshal(body)
		}
		request, err := http.NewRequest("POST", address+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer doctor")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	var all struct{ Results []check.Result }
	if status := ask("/api/v1/prescriptions/check", raw, &all); status != 200 || len(all.Results) != len(cases) {
		t.Fatalf("%d, %d results", status, len(all.Results))
	}
	for i, one := range cases {
		want := check.Run(c.Knowledge, one)
		if !reflect.DeepEqual(all.Results[i], want) {
			t.Errorf("%s by HTTP: %+v, want %+v", one.ID, all.Results[i], want)
		}
		for _, hook := range cds.Hooks {
			var answer cds.Response
			if status := ask("/cds-services/"+cds.ServiceID(hook), cds.RequestOf(c.Knowledge, one, hook, c.now), &answer); status != 200 || answer.Extension.Decision != want.Decision || len(answer.Cards) != len(want.Alerts) {
				t.Errorf("%s by %s: %d %+v", one.ID, hook, status, answer)
			}
			for k, card := range answer.Cards {
				if !reflect.DeepEqual(card.Extension.Alert, want.Alerts[k]) {
					t.Errorf("%s by %s: %+v", one.ID, hook, card)
				}
			}
		}
	}
	var problem struct{ Code string }
	if status := ask("/api/v1/prescriptions/check", []byte("{items: [{ingredient: panacea}]}"), &problem); status != 422 || problem.Code != "case_unreadable" {
		t.Errorf("a drug nobody knows: %d %s", status, problem.Code)
	}
	if status := ask("/cds-services/yuanzhen-order-sign", []byte(`{"hook":"order-select"}`), &problem); status != 422 {
		t.Errorf("another hook's question: %d", status)
	}
}

// Without its knowledge the house prescribes nothing and says why; what was issued is read, verified and withdrawn as ever.
func TestKnowledgeMissing(t *testing.T) {
	c := newClinic(t)
	other := renewal()
	other.Items = []Item{{Line: 1, Ingredient: "rosuvastatin", Dose: "10", Unit: "mg", PerDay: 1, Days: 28, Provenance: "typed"}}
	waiting, draft := c.signed(renewal()), c.write(renewal())
	approved, err := c.review(c.signed(other), pass())
	if err != nil {
		t.Fatal(err)
	}
	c.Knowledge = nil
	_, err = c.Write(c.as(c.doctor, "prescription.write"), c.visit, renewal(), uuid.NewString())
	_, saving := c.Save(c.as(c.doctor, "prescription.write"), draft.ID, renewal())
	_, signing := c.sign(draft)
	_, passing := c.review(waiting, pass())
	_, searching := c.searchFormulary(t.Context(), &searchIn{Q: "氨氯"})
	for what, err := range map[string]error{"write": err, "save": saving, "sign": signing, "pass": passing, "search": searching} {
		if code(err) != "knowledge_missing" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if p, err := c.Prescription(c.as(c.family, "prescription.read"), approved.ID); err != nil || p.State != Approved {
		t.Errorf("read: %v", err)
	}
	if v := c.verify(approved.EvidenceCode); v.Result != qr.Genuine {
		t.Errorf("verify: %+v", v)
	}
	if _, err := c.review(waiting, Reviewing{Result: "return", ReasonCode: "other", Passphrase: passphrase}); err != nil {
		t.Errorf("return: %v", err)
	}
	if _, err := c.Cancel(c.as(c.doctor, "prescription.write"), approved.ID); err != nil {
		t.Errorf("cancel: %v", err)
	}
	request, err := http.NewRequest("POST", c.serve(nil)+"/cds-services/yuanzhen-order-sign", strings.NewReader(`{"hook":"order-sign"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer pharmacist")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer cds.Response
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Cards) != 1 || answer.Cards[0].Indicator != "critical" {
		t.Errorf("CDS Hooks: %+v, %v", answer, err)
	}
}
