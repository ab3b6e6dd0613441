package bench

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/paper"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/sig"
	"yuanzhen/prescribe/proof"
)

// signing is a world to sign in: drafts of one doctor with five lines each.
type signing struct {
	db     *pg.Pool
	keys   *keys.Service
	doctor ids.Practitioner
	drafts []ids.Prescription
	text   map[string]any
}

const benchPassphrase = "bench passphrase"

// signRows measures signatures as they are made and stored, and what the passphrase costs beside them.
func (c *PrescribeCmd) signRows(ctx context.Context, verdict func(what, result, goal string, met bool), plain func(what, result string)) error {
	url, stop, err := database(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer stop()
	db, err := pg.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	vault, err := keys.NewVault(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		return err
	}
	ca, err := keys.NewSimulatedCA(vault)
	if err != nil {
		return err
	}
	s := &signing{db: db, keys: &keys.Service{Now: time.Now, CA: ca, Vault: vault}}
	if err := db.InTx(ctx, func(tx pgx.Tx) error { return s.fill(ctx, tx, c.Signatures) }); err != nil {
		return err
	}
	var unlocking []time.Duration
	var pen keys.Pen
	for range 5 {
		at := time.Now()
		if pen, err = s.keys.Unlock(ctx, db, s.doctor, benchPassphrase); err != nil {
			return err
		}
		unlocking = append(unlocking, time.Since(at))
	}
	spent, err := atOnce(c.Clients, len(s.drafts), func(i int) error { return s.sign(ctx, s.drafts[i], pen) })
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	rate := float64(len(s.drafts)) / spent.Seconds()
	verdict("signatures a second: canonical text, statement, SM2, stored, with its entry in the log", fmt.Sprintf("%.0f/s", rate), ">= 300/s", rate >= 300)
	plain("… before it, unlocking the key with its passphrase (argon2id, slow by intent)", ms(percentile(unlocking, 0.5)))
	return nil
}

// sign is the deed's work once the key is open: text and statement in canonical form, signature, row, entry in the log.
func (s *signing) sign(ctx context.Context, id ids.Prescription, pen keys.Pen) error {
	text, err := proof.Canonical(s.text)
	if err != nil {
		return err
	}
	sum := sig.SM3(text)
	statement, err := proof.Canonical(map[string]any{"format": "yuanzhen signature 1", "prescription": id, "sha256": proof.Hash(text), "sm3": hex.EncodeToString(sum[:]),
		"alg": pen.Alg(), "key": pen.KeyID, "at": pen.At.UTC(), "signer": map[string]any{"id": s.doctor, "name": "张建国"}, "overrides": []any{}, "risk": 1})
	if err != nil {
		return err
	}
	signature, err := pen.Write(statement)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE prescription SET state = 'signed', statement = $2, signature = $3, key_id = $4, signed_at = $5, valid_until = $6 WHERE id = $1 AND state = 'draft'`,
			id, statement, signature.Sig, signature.KeyID, signature.At, signature.At.Add(time.Hour))
		if err != nil || tag.RowsAffected() != 1 {
			return fmt.Errorf("draft %s: %d rows, %w", id, tag.RowsAffected(), err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: proof.Action, Object: "prescription/" + id.String(), Reason: proof.Mark(proof.Doctor, signature.Sig), At: signature.At})
	})
}

func (s *signing) fill(ctx context.Context, tx pgx.Tx, n int) error {
	place, person, account, visit, slot := ids.New[ids.Institution](), ids.New[ids.Person](), ids.New[ids.Account](), ids.New[ids.Visit](), ids.New[ids.Slot]()
	s.doctor = ids.New[ids.Practitioner]()
	line := map[string]any{"ingredient": "diltiazem", "name": map[string]string{"zh": "地尔硫䓬", "en": "diltiazem"}, "form": "sr", "route": "po", "dose": "90", "unit": "mg",
		"per_day": 1, "days": 28, "provenance": "typed"}
	s.text = map[string]any{"format": "yuanzhen prescription 1", "diagnosis": []string{"I10", "I48"}, "type": "long", "items": []any{line, line, line, line, line},
		"doctor": map[string]any{"id": s.doctor, "name": "张建国"}, "patient": map[string]any{"id": person, "name": "王秀英"}, "institution": map[string]any{"id": place}}
	text, err := proof.Canonical(s.text)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until) VALUES ($1, 'bench', 'bench', 'internet_hospital', '420102', '', '', '2100-01-01')`, []any{place}},
		{`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', '')`, []any{account}},
		{`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level) VALUES ($1, '', 'F', '1960-01-01', '\x01', '\x01', '', 2)`, []any{person}},
		{`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
		  VALUES ($1, $2, 'physician', '', '', 3, '', '{}', true, 'passed', '2010-01-01')`, []any{s.doctor, account}},
		{`INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent)
		  VALUES (gen_random_uuid(), $1, $2, 'primary', '42', '[2020-01-01,2100-01-01)', true)`, []any{s.doctor, place}},
		{`INSERT INTO slot (id, practitioner_id, institution_id, registration_id, department, during, fee_fen)
		  SELECT $1, $2, $3, r.id, '', '[2026-11-21 09:30+08,2026-11-21 10:30+08)', 0 FROM registration r WHERE r.practitioner_id = $2`, []any{slot, s.doctor, place}},
		{`INSERT INTO visit (id, account_id, person_id, slot_id, practitioner_id, institution_id, kind, department, icd10, complaint, severity, intends_rx, state, room, request_key, booked_at, started_at)
		  VALUES ($1, $2, $3, $4, $5, $6, 'follow_up', '', 'I10', '', 'mild', true, 'in_consult', 'bench', gen_random_uuid(), now(), now())`,
			[]any{visit, account, person, slot, s.doctor, place}},
	} {
		if _, err := tx.Exec(ctx, one.sql, one.args...); err != nil {
			return err
		}
	}
	for i := range n {
		id := ids.New[ids.Prescription]()
		s.drafts = append(s.drafts, id)
		if _, err := tx.Exec(ctx, `
			INSERT INTO prescription (id, no, version, visit_id, person_id, practitioner_id, institution_id, type, state, diagnosis, days_reason, items, checked,
			                          check_case, canonical, sha256, risk, written_at)
			VALUES ($1, $2, 1, $3, $4, $5, $6, 'long', 'draft', '{I10,I48}', '', $7::jsonb->'items', '{}', '{}', $7::text::bytea, $8, 1, now())`,
			id, fmt.Sprint("bench", i), visit, person, s.doctor, place, string(text), proof.Hash(text)); err != nil {
			return err
		}
	}
	return s.keys.Issue(ctx, tx, s.doctor, benchPassphrase)
}

// paperRow measures a sheet of five lines with seal and QR, one after the other.
func (c *PrescribeCmd) paperRow(verdict func(what, result, goal string, met bool)) error {
	now := time.Now()
	sheet := paper.Sheet{Hospital: "云岭县人民医院互联网医院", Kind: "长期处方", Patient: "欧阳建国", Sex: "男", Age: "68岁", Department: "心血管内科",
		Diagnosis: []string{"I10 高血压", "I48 心房颤动"}, Issued: now, ValidUntil: now, Doctor: "张建国 主任医师", Pharmacist: "刘芳", SignedAt: now, ReviewedAt: now,
		SealedAt: now, SealAlg: sig.SM2, Code: "https://visit.example.org/verify#" + strings.Repeat("im9RSDIwMjYxMTIy", 40), Words: []string{"处方药须凭处方在药师指导下购买和使用。"}}
	for _, name := range []string{"地尔硫䓬", "缬沙坦氢氯噻嗪片", "奈玛特韦片/利托那韦片组合包装", "门冬胰岛素30注射液", "布地奈德福莫特罗粉吸入剂"} {
		sheet.Lines = append(sheet.Lines, paper.Line{Name: name, Quantity: "28片", Use: "每次 90 mg，每日 1 次，口服，共 28 天"})
	}
	var spent []time.Duration
	bytes := 0
	for i := range 60 {
		sheet.No = fmt.Sprintf("RX20261121-%06d", i)
		at := time.Now()
		pdf, err := sheet.PDF()
		if err != nil {
			return err
		}
		spent, bytes = append(spent, time.Since(at)), len(pdf)
	}
	p95 := percentile(spent[1:], 0.95)
	verdict(fmt.Sprintf("a prescription on paper (PDF, A5, five lines, QR, seal; %d kB), p95", bytes/1000), ms(p95), "<= 100 ms", p95 <= 100*time.Millisecond)
	return nil
}
