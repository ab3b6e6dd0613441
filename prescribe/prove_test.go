package prescribe

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
)

func (c *clinic) prove(p Prescription) Proof {
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

// Somebody with all rights on the database changes one byte of one stored field: the proof names the field.
func TestOneByteChanged(t *testing.T) {
	m := newMarket(t)
	m.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity) VALUES ($1, 'ag_arb', 'ARB', 'ARB', 'severe')`, m.person)
	p := m.write(renewal())
	p, err := m.AskSecond(m.as(m.doctor, "prescription.write"), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = m.GiveSecond(m.as(m.pharmacist, "prescription.second"), p.ID, Seconding{SHA256: p.SHA256, Agrees: true, Reason: "已核对", Passphrase: passphrase}); err != nil {
		t.Fatal(err)
	}
	if p, err = m.sign(p); err != nil {
		t.Fatal(err)
	}
	if p, err = m.review(p, pass()); err != nil {
		t.Fatal(err)
	}
	if proof := m.prove(p); len(proof.Faults) > 0 || len(proof.Notes) > 0 {
		t.Fatalf("untouched: %+v", proof)
	}
	other := m.staff("pharmacist", "别的药师", authz.Pharmacist, 2, 5)
	m.issueKey(other)
	for _, c := range []struct{ column, sql, says string }{
		{"no", `UPDATE prescription SET no = no || '1'`, "no:"},
		{"version", `UPDATE prescription SET version = 2`, "version:"},
		{"type", `UPDATE prescription SET type = 'general'`, "type:"},
		{"diagnosis", `UPDATE prescription SET diagnosis = '{I11}'`, "diagnosis:"},
		{"days_reason", `UPDATE prescription SET days_reason = 'x'`, "days_reason:"},
		{"items: a dose", `UPDATE prescription SET items = jsonb_set(items, '{0,dose}', '"6"')`, "items:"},
		{"items: a name", `UPDATE prescription SET items = jsonb_set(items, '{1,name,zh}', '"缬沙坦氢氯噻嗪丸"')`, "items:"},
		{"checked", `UPDATE prescription SET checked = jsonb_set(checked, '{decision}', '"clean"')`, "check:"},
		{"written_at", `UPDATE prescription SET written_at = written_at + interval '1 second'`, "written_at:"},
		{"canonical", `UPDATE prescription SET canonical = overlay(canonical placing '\x39'::bytea from position('"5"'::bytea in canonical) + 1 for 1)`, "signature: does not fit"},
		{"sha256", `UPDATE prescription SET sha256 = translate(sha256, '0123456789', '1234567890')`, "sha256:"},
		{"signature", `UPDATE prescription SET signature = set_byte(signature, 5, get_byte(signature, 5) # 1)`, "signature: does not fit"},
		{"key_id: another's", `UPDATE prescription SET key_id = (SELECT id FROM signing_key WHERE practitioner_id = '` + other.Practitioner.String() + `')`, "signature: somebody else's key"},
		{"signed_at: before the key", `UPDATE prescription SET signed_at = '2020-01-01'`, "signature: outside the certificate's time"},
		{"practitioner_id", `UPDATE prescription SET practitioner_id = '` + m.other.Practitioner.String() + `'`, "doctor:"},
		{"evidence_code", `UPDATE prescription SET evidence_code = overlay(evidence_code placing 'AAAA' from 40 for 4)`, "evidence_code: forged"},
		{"review result", `UPDATE prescription_review SET result = 'refuse', reason_code = 'other'`, "review.result:"},
		{"review note", `UPDATE prescription_review SET note = 'x'`, "review.note:"},
		{"review bytes", `UPDATE prescription_review SET canonical = overlay(canonical placing '\x20'::bytea from 10 for 1)`, "review: does not fit"},
		{"review signature", `UPDATE prescription_review SET signature = set_byte(signature, 5, get_byte(signature, 5) # 1)`, "review: does not fit"},
		{"second's reason", `UPDATE prescription_second SET reason = 'x'`, "second.reason:"},
		{"second's signature", `UPDATE prescription_second SET signature = set_byte(signature, 5, get_byte(signature, 5) # 1)`, "second: does not fit"},
		{"the key itself", `UPDATE signing_key SET public_key = set_byte(public_key, 5, get_byte(public_key, 5) # 1)`, "signature: does not fit"},
		{"revoked before it signed", `UPDATE signing_key SET revoked_at = valid_from`, "signature: after the certificate was revoked"},
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

func (c *clinic) proveIn(tx pgx.Tx, p Prescription) Proof {
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
	if proof := m.prove(p); len(proof.Faults) > 0 || len(proof.Notes) != 2 {
		t.Fatalf("%+v", proof)
	}
}
