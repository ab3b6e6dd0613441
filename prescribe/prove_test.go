package prescribe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/prescribe/proof"
)

func (c *clinic) prove(p Prescription) proof.Findings {
	c.t.Helper()
	rows, err := selectPrescriptions(c.t.Context(), c.db, authz.System("test"), filter{ID: p.ID})
	if err != nil || len(rows) != 1 {
		c.t.Fatal(len(rows), err)
	}
	now, err := c.shown(rows[0])
	if err != nil {
		c.t.Fatal(err)
	}
	proof, err := c.Prove(c.t.Context(), now)
	if err != nil {
		c.t.Fatal(err)
	}
	return proof
}

// signedByAll is an issued prescription with everything that may be stored of one: a second person's word on a hard stop, a
// reason for what was signed over, a pharmacist's review, the hospital's seal.
func signedByAll(t *testing.T) (*market, Prescription) {
	t.Helper()
	m := newMarket(t)
	m.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity) VALUES ($1, 'ag_arb', 'ARB', 'ARB', 'severe')`, m.person)
	m.exec(`UPDATE medicine SET until = '2026-12-09'`) // an early refill, which the doctor signs over with a reason
	p := m.write(renewal())
	p, err := m.AskSecond(m.as(m.doctor, "prescription.write"), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = m.GiveSecond(m.as(m.pharmacist, "prescription.second"), p.ID, Seconding{SHA256: p.SHA256, Agrees: true, Reason: "已核对", Passphrase: passphrase}); err != nil {
		t.Fatal(err)
	}
	if p, err = m.sign(p, Override{Alert: "R_EARLY_REFILL:amlodipine", ReasonCode: "benefit_outweighs", Text: "出差一个月"}); err != nil {
		t.Fatal(err)
	}
	if p, err = m.review(p, pass()); err != nil {
		t.Fatal(err)
	}
	if proof := m.prove(p); len(proof.Faults) > 0 || len(proof.Notes) > 0 {
		t.Fatalf("untouched: %+v", proof)
	}
	return m, p
}

// Somebody with all rights on the database changes one byte of one stored field: the proof names the field.
func TestOneByteChanged(t *testing.T) {
	m, p := signedByAll(t)
	other := m.staff("pharmacist", "别的药师", authz.Pharmacist, 2, 5)
	m.issueKey(other)
	shop := m.place // another institution with a seal of its own
	m.exec(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until) VALUES (gen_random_uuid(), 'H2', '别的医院', 'internet_hospital', '420100', '', '', '2030-01-01')`)
	if err := m.db.QueryRow(t.Context(), `SELECT id FROM institution WHERE code = 'H2'`).Scan(&shop); err != nil {
		t.Fatal(err)
	}
	if err := m.db.InTx(t.Context(), func(tx pgx.Tx) error { return m.Keys.IssueSeal(t.Context(), tx, shop) }); err != nil {
		t.Fatal(err)
	}
	m.exec(`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level) VALUES (gen_random_uuid(), '另一人', 'M', '1958-03-02', '\x02', '\x02', '', 2)`)
	for _, c := range []struct{ column, sql, says string }{
		{"no", `UPDATE prescription SET no = no || '1'`, "no:"},
		{"version", `UPDATE prescription SET version = 2`, "version:"},
		{"supersedes", `UPDATE prescription SET supersedes = gen_random_uuid()`, "supersedes:"},
		{"visit_id", `UPDATE prescription SET visit_id = gen_random_uuid()`, "visit:"},
		{"type", `UPDATE prescription SET type = 'general'`, "type:"},
		{"diagnosis", `UPDATE prescription SET diagnosis = '{I11}'`, "diagnosis:"},
		{"days_reason", `UPDATE prescription SET days_reason = 'x'`, "days_reason:"},
		{"valid_days", `UPDATE prescription SET valid_days = 3`, "valid_days:"},
		{"long_document", `UPDATE prescription SET long_document = gen_random_uuid()`, "long_document:"},
		{"items: a dose", `UPDATE prescription SET items = jsonb_set(items, '{0,dose}', '"6"')`, "items:"},
		{"items: a name", `UPDATE prescription SET items = jsonb_set(items, '{1,name,zh}', '"缬沙坦氢氯噻嗪丸"')`, "items:"},
		{"checked: the decision", `UPDATE prescription SET checked = jsonb_set(checked, '{decision}', '"clean"')`, "check:"},
		{"checked: what was said", `UPDATE prescription SET checked = jsonb_set(checked, '{alerts,0,about}', '["x"]')`, "signature.checked_sha256:"},
		{"check_case", `UPDATE prescription SET check_case = jsonb_set(check_case, '{patient,sex}', '"F"')`, "signature.case_sha256:"},
		{"risk", `UPDATE prescription SET risk = risk + 1`, "signature.risk:"},
		{"written_at", `UPDATE prescription SET written_at = written_at + interval '1 second'`, "written_at:"},
		{"canonical", `UPDATE prescription SET canonical = overlay(canonical placing '\x39'::bytea from position('"5"'::bytea in canonical) + 1 for 1)`, "signature: signed for another text"},
		{"sha256", `UPDATE prescription SET sha256 = translate(sha256, '0123456789', '1234567890')`, "sha256:"},
		{"statement", `UPDATE prescription SET statement = overlay(statement placing '\x20'::bytea from 10 for 1)`, "signature: does not fit"},
		{"statement taken away", `UPDATE prescription SET statement = NULL`, "signature: does not fit"},
		{"signature", `UPDATE prescription SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1)`, "signature: does not fit"},
		{"key_id: another's", `UPDATE prescription SET key_id = (SELECT id FROM signing_key WHERE practitioner_id = '` + other.Practitioner.String() + `')`, "signature: somebody else's key"},
		{"key_id: nobody's", `UPDATE prescription SET key_id = gen_random_uuid()`, "signature: a key nobody knows"},
		{"signed_at", `UPDATE prescription SET signed_at = signed_at - interval '1 microsecond'`, "signature.at: not the time in the log"},
		{"valid_until", `UPDATE prescription SET valid_until = valid_until + interval '1 day'`, "signature.valid_until:"},
		{"person_id", `UPDATE prescription SET person_id = (SELECT id FROM person WHERE name = '另一人')`, "patient:"},
		{"practitioner_id", `UPDATE prescription SET practitioner_id = '` + m.other.Practitioner.String() + `'`, "doctor:"},
		{"institution_id", `UPDATE prescription SET institution_id = '` + shop.String() + `'`, "institution:"},
		{"evidence_code", `UPDATE prescription SET evidence_code = overlay(evidence_code placing 'AAAA' from 40 for 4)`, "evidence_code: forged"},
		{"evidence_code taken away", `UPDATE prescription SET state = 'signed', evidence_code = NULL`, "seal.evidence_code:"},
		{"override", `UPDATE prescription_override SET reason_code = 'data_wrong'`, "signature.overrides:"},
		{"override's words", `UPDATE prescription_override SET text = 'x'`, "signature.overrides:"},
		{"override taken away", `DELETE FROM prescription_override`, "signature.overrides:"},
		{"review: a check", `UPDATE prescription_review SET form = false, result = 'refuse', reason_code = 'other'`, "review.form:"},
		{"review result", `UPDATE prescription_review SET result = 'refuse', reason_code = 'other'`, "review.result:"},
		{"review reason", `UPDATE prescription_review SET result = 'refuse', reason_code = 'other'`, "review.reason_code:"},
		{"review note", `UPDATE prescription_review SET note = 'x'`, "review.note:"},
		{"review at", `UPDATE prescription_review SET at = at + interval '1 second'`, "review.at: not the time in the log"},
		{"reviewer", `UPDATE prescription_review SET pharmacist_id = '` + other.Practitioner.String() + `'`, "review: stored as somebody else's"},
		{"review's prescriber", `UPDATE prescription_review SET prescriber_id = '` + other.Practitioner.String() + `'`, "review.prescriber_id:"},
		{"review bytes", `UPDATE prescription_review SET canonical = overlay(canonical placing '\x20'::bytea from 10 for 1)`, "review: does not fit"},
		{"review signature", `UPDATE prescription_review SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1)`, "review: does not fit"},
		{"review key", `UPDATE prescription_review SET key_id = (SELECT id FROM signing_key WHERE institution_id = '` + shop.String() + `')`, "review: somebody else's key"},
		{"review taken away", `DELETE FROM prescription_review`, "seal.review: what was sealed is not stored"},
		{"second's reason", `UPDATE prescription_second SET reason = 'x'`, "second.reason:"},
		{"second's word", `UPDATE prescription_second SET agrees = false`, "second.agrees:"},
		{"second's text", `UPDATE prescription_second SET sha256 = repeat('0', 64)`, "second.sha256:"},
		{"second's alert", `UPDATE prescription_second SET alert = alert || 'x'`, "second.asked:"},
		{"second asked", `UPDATE prescription_second SET asked_at = asked_at - interval '1 second'`, "second.asked:"},
		{"second answered", `UPDATE prescription_second SET answered_at = answered_at + interval '1 second'`, "second.at: not the time in the log"},
		{"second person", `UPDATE prescription_second SET second_id = '` + other.Practitioner.String() + `'`, "second: stored as somebody else's"},
		{"second's prescriber", `UPDATE prescription_second SET prescriber_id = '` + other.Practitioner.String() + `'`, "second.prescriber_id:"},
		{"second's bytes", `UPDATE prescription_second SET canonical = overlay(canonical placing '\x58'::bytea from position('"reason":"'::bytea in canonical) + 10 for 1)`, "second: does not fit"},
		{"second's signature", `UPDATE prescription_second SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1)`, "second: does not fit"},
		{"second's key", `UPDATE prescription_second SET key_id = (SELECT id FROM signing_key WHERE practitioner_id = '` + other.Practitioner.String() + `')`, "second: somebody else's key"},
		{"seal's institution", `UPDATE prescription_seal SET institution_id = '` + shop.String() + `'`, "seal.institution:"},
		{"seal's bytes", `UPDATE prescription_seal SET canonical = overlay(canonical placing '\x20'::bytea from 10 for 1)`, "seal: does not fit"},
		{"seal's signature", `UPDATE prescription_seal SET signature = set_byte(signature, 9, get_byte(signature, 9) # 1)`, "seal: does not fit"},
		{"seal's key: another hospital's", `UPDATE prescription_seal SET key_id = (SELECT id FROM signing_key WHERE institution_id = '` + shop.String() + `')`, "seal: somebody else's key"},
		{"seal's key: a doctor's", `UPDATE prescription_seal SET key_id = (SELECT key_id FROM prescription)`, "seal: somebody else's key"},
		{"seal's time", `UPDATE prescription_seal SET at = at + interval '1 second'`, "seal.at:"},
		{"seal taken away", `DELETE FROM prescription_seal`, "seal: missing"},
		{"the log", `UPDATE audit_entry SET at = at - interval '1 year' WHERE action = 'prescription.signature'`, "signature: outside the certificate's time"},
		{"the log forgets", `DELETE FROM audit_entry WHERE action = 'prescription.signature'`, "seal: the log knows of no such signature"},
		{"state", `UPDATE prescription SET state = 'refused'`, "state: refused, where signatures and log say approved"},
		{"a part's days", `UPDATE prescription_part_line SET days = 90`, "part 1.lines:"},
		{"a part's first day", `UPDATE prescription_part SET not_before = not_before - 1`, "part 1.not_before:"},
		{"a part's last day", `UPDATE prescription_part SET not_after = not_after + interval '1 day'`, "part 1.not_after:"},
		{"what remains", `UPDATE prescription_part_line SET remain = 27`, "part 1.remain:"},
		{"a part taken away", `DELETE FROM prescription_part`, "parts: 0, where 1 were signed"},
		{"a key", `UPDATE signing_key SET public_key = set_byte(public_key, 5, get_byte(public_key, 5) # 1)`, "signature: does not fit"},
		{"a key's algorithm", `UPDATE signing_key SET alg = 'Ed25519'`, "signature.alg: differs from what was signed"},
		{"a key's time", `UPDATE signing_key SET valid_until = valid_until + interval '1 day'`, "seal: its certificate is for another time"},
		{"a key's certificate", `UPDATE signing_key SET certificate = set_byte(certificate, 60, get_byte(certificate, 60) # 1)`, "seal: its certificate is"},
		{"a key's certificate taken away", `UPDATE signing_key SET certificate = NULL`, "seal: its key has no certificate"},
		{"expired before it signed", `UPDATE signing_key SET valid_until = valid_from`, "signature: outside the certificate's time"},
		{"revoked before it signed", `UPDATE signing_key SET revoked_at = valid_from WHERE practitioner_id IS NOT NULL`, "signature: after the certificate was revoked"},
		{"revoked before it sealed", `UPDATE signing_key SET revoked_at = valid_from WHERE institution_id IS NOT NULL`, "seal: after the certificate was revoked"},
	} {
		t.Run(c.column, func(t *testing.T) {
			m.t = t
			tx, err := m.db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback(t.Context())
			// replica: triggers and foreign keys are off, as for somebody who owns the machine
			for _, sql := range []string{`SET LOCAL session_replication_role = replica`, c.sql} {
				if _, err := tx.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			proof := m.proveIn(tx, p)
			if !strings.Contains(strings.Join(proof.Faults, "\n"), c.says) {
				t.Fatalf("faults %q, want %s", proof.Faults, c.says)
			}
		})
	}
}

func (c *clinic) proveIn(tx pgx.Tx, p Prescription) proof.Findings {
	c.t.Helper()
	rows, err := selectPrescriptions(c.t.Context(), tx, authz.System("test"), filter{ID: p.ID})
	if err != nil || len(rows) != 1 {
		c.t.Fatal(len(rows), err)
	}
	now, err := c.shown(rows[0])
	if err != nil {
		c.t.Fatal(err)
	}
	proof, err := c.proveOn(c.t.Context(), tx, now)
	if err != nil {
		c.t.Fatal(err)
	}
	return proof
}

// Years later, certificates over and one revoked since: the signatures stand, and the proof says what ended.
func TestSignaturesOutliveCertificates(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	m.exec(`UPDATE signing_key SET revoked_at = $2 WHERE practitioner_id = $1`, m.doctor.Practitioner, m.now.Add(time.Hour))
	m.now = m.now.AddDate(12, 0, 0)
	if proof := m.prove(p); len(proof.Faults) > 0 || len(proof.Notes) != 3 {
		t.Fatalf("%+v", proof)
	}
}

// Nobody has to remember a new column: each of each table that hangs on a prescription is altered by one byte, one after the
// other, and either the proof has a fault or the column stands here with the reason why it proves nothing.
func TestEveryStoredColumnIsProved(t *testing.T) {
	m, p := signedByAll(t)
	unproved := map[string]string{
		"prescription.id":          "who asks by it finds nothing",
		"prescription.request_key": "how the first version was asked for, not what it says",

		"signing_key.salt":           "opens the private key; a signature that stands needs none",
		"signing_key.wrapped_key":    "the private key",
		"signing_key.revoked_reason": "a word beside the time, which is proved",

		"prescription_part.id":            "a name inside the house; lines and hand-overs hang on it",
		"prescription_part.state":         "moved by pharmacies, each time with an entry in the log",
		"prescription_part.token_hash":    "of the code that the patient shows; another code only fails",
		"prescription_part.claimed_by":    "moved by pharmacies",
		"prescription_part.channel":       "moved by pharmacies",
		"prescription_part.claimed_at":    "moved by pharmacies",
		"prescription_part.lease_until":   "moved by pharmacies",
		"prescription_part.checked_in_at": "the patient's answers before a part, after the signature",
		"prescription_part.answers":       "the patient's answers",
		"prescription_part.paused_at":     "by the patient's answers",

		"medicine_reminder": "the patient's own wish",
		"prescription_plan": "the patient's own word, after the signature",
		"review_escalation": "who was asked to hurry",
		"dispense_event":    "by pharmacies, written once; what remains is held against it",
	}
	proved := map[string]bool{"prescription": true, "prescription_override": true, "prescription_review": true, "prescription_second": true,
		"prescription_seal": true, "prescription_part": true, "prescription_part_line": true, "signing_key": true}
	tables, err := m.db.Query(t.Context(), `
		SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
		WHERE contype = 'f' AND confrelid IN ('prescription'::regclass, 'prescription_part'::regclass)`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(tables, pgx.RowTo[string])
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if !proved[name] && unproved[name] == "" {
			t.Errorf("%s hangs on a prescription: prove it, or say why not", name)
		}
	}
	alter := map[string]string{ // one byte less or more, by type; of what is empty, one byte
		"uuid":                     `coalesce(overlay(%[1]s::text placing translate(left(%[1]s::text, 1), '0123456789abcdef', '123456789abcdef0') from 1 for 1)::uuid, gen_random_uuid())`,
		"text":                     `CASE WHEN coalesce(%[1]s, '') = '' THEN 'x' ELSE overlay(%[1]s placing chr(ascii(left(%[1]s, 1)) # 1) from 1 for 1) END`,
		"integer":                  `coalesce(%[1]s, 0) + 1`,
		"boolean":                  `NOT coalesce(%[1]s, false)`,
		"date":                     `coalesce(%[1]s, '2020-01-01') + 1`,
		"timestamp with time zone": `coalesce(%[1]s + interval '1 microsecond', '2020-01-01')`,
		"bytea":                    `coalesce(set_byte(%[1]s, length(%[1]s) / 2, get_byte(%[1]s, length(%[1]s) / 2) # 1), '\x00')`,
		"jsonb":                    `regexp_replace(coalesce(%[1]s, '{}')::text, '[a-z0-9]"', 'x"')::jsonb`,
		"ARRAY":                    `ARRAY['x'] || %[1]s[2:]`,
	}
	columns, err := m.db.Query(t.Context(), `
		SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = ANY ($1) ORDER BY table_name, ordinal_position`, slices.Collect(maps.Keys(proved)))
	if err != nil {
		t.Fatal(err)
	}
	type column struct{ Table, Name, Type string }
	all, err := pgx.CollectRows(columns, pgx.RowToStructByPos[column])
	if err != nil || len(all) < 60 {
		t.Fatal(len(all), err)
	}
	for _, c := range all {
		if unproved[c.Table+"."+c.Name] != "" {
			continue
		}
		t.Run(c.Table+"."+c.Name, func(t *testing.T) {
			m.t = t
			if alter[c.Type] == "" {
				t.Fatalf("say how one byte of %s is altered", c.Type)
			}
			tx, err := m.db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback(t.Context())
			for _, sql := range []string{
				`SET LOCAL session_replication_role = replica`,
				`DO $$ DECLARE c record; BEGIN
					FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = '` + c.Table + `'::regclass AND contype IN ('c', 'p', 'u') LOOP
						EXECUTE format('ALTER TABLE ` + c.Table + ` DROP CONSTRAINT %I CASCADE', c.conname);
					END LOOP; END $$`,
				`UPDATE ` + c.Table + ` SET ` + c.Name + ` = ` + fmt.Sprintf(alter[c.Type], c.Name),
			} {
				if _, err := tx.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			if rows, err := selectPrescriptions(t.Context(), tx, authz.System("test"), filter{ID: p.ID}); err != nil || len(rows) == 0 {
				return // of somebody or some place that is nobody: nothing is shown, nothing proved
			}
			if proof := m.proveIn(tx, p); len(proof.Faults) == 0 {
				t.Fatal("altered, and proved all the same")
			}
		})
	}
}
