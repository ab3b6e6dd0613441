package prescribe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"yuanzhen/consult"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

type tx = pgx.Tx

func (s *Service) inTx(ctx context.Context, deed func(tx tx) error) error {
	return s.DB.InTx(ctx, deed)
}

// row is a prescription with the names on it.
type row struct {
	ID              ids.Prescription
	No              string
	Version         int
	Supersedes      ids.Prescription
	VisitID         ids.Visit
	PersonID        ids.Person
	PersonName      string
	Sex             string
	BirthDate       time.Time
	PractitionerID  ids.Practitioner
	DoctorName      string
	Title           string
	InstitutionID   ids.Institution
	InstitutionName string
	Type            string
	State           State
	Diagnosis       []string
	DaysReason      string
	ValidDays       int
	LongDocument    ids.LongDocument
	Items           json.RawMessage
	Checked         json.RawMessage
	CheckCase       json.RawMessage
	Overrides       json.RawMessage
	Canonical       []byte
	SHA256          string
	Risk            int
	WrittenAt       time.Time
	Statement       []byte
	Signature       []byte
	KeyID           *string
	Alg             *string
	SignedAt        *time.Time
	ValidUntil      *time.Time
	EvidenceCode    *string
	VoidedAt        *time.Time
	Result          *string
	ReasonCode      *string
	Note            *string
	Pharmacist      string
	ReviewedAt      *time.Time
	Seconds         json.RawMessage
	Parts           json.RawMessage
	ConfirmedAt     *time.Time
	Reminders       []string
}

// signed is the prescriber's signature; of a signed row.
func (r row) signed() proof.Signed {
	text := r.Statement
	if text == nil {
		text = r.Canonical
	}
	s := proof.Signed{What: proof.Doctor, Text: string(text), At: r.SignedAt.UTC(), Signature: r.Signature}
	if r.KeyID != nil {
		s.Key = *r.KeyID
	}
	if r.Alg != nil {
		s.Alg = *r.Alg
	}
	return s
}

// filter is a question within the scope: one prescription, what waits for review or for a second
// person, a doctor's paused plans, or a person's prescriptions, of all visits or of one.
type filter struct {
	ID     ids.Prescription
	Person ids.Person
	Visit  ids.Visit
	State  State
	Paused ids.Practitioner // whose plans were paused by a red answer
	Asking bool             // drafts that ask for a second person
	Brief  bool             // without what a new text replaces and what only a signed one has
}

// only is the condition of one question. Each is a statement of its own, so that its plan is kept: planning this select anew
// costs more than running it.
func (f filter) only() string {
	switch {
	case !f.ID.IsZero():
		return "rx.id = @id"
	case f.Asking:
		return `rx.state = 'draft' AND EXISTS (SELECT FROM prescription_second c
		       WHERE c.prescription_id = rx.id AND c.sha256 = rx.sha256 AND c.answered_at IS NULL)`
	case !f.Paused.IsZero():
		return `rx.practitioner_id = @paused AND rx.state = 'approved'
		       AND EXISTS (SELECT FROM prescription_part pt WHERE pt.prescription_id = rx.id AND pt.paused_at IS NOT NULL AND pt.state = 'ready')`
	case f.State == Signed:
		return "rx.state = 'signed'"
	}
	return "rx.person_id = @person AND (@visit::uuid IS NULL OR rx.visit_id = @visit)" // of nobody: none
}

func selectPrescriptions(ctx context.Context, db pg.DB, scope authz.Scope, f filter) ([]row, error) {
	sql, args := f.question(scope)
	rows, err := db.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[row])
}

// What a row has beyond the draft's own facts; a brief answer leaves it empty, and reads no table for it.
const (
	rest = `rx.checked, rx.check_case, rx.canonical, rx.statement, rx.signature, rx.key_id::text AS key_id, sk.alg,
		       v.result, v.reason_code, v.note, coalesce(ph.name, '') AS pharmacist, v.at AS reviewed_at, plan.confirmed_at,
		       (SELECT m.times FROM medicine_reminder m WHERE m.prescription_id = rx.id AND m.account_id = @scope_account::uuid) AS reminders,
		       (SELECT coalesce(jsonb_agg(jsonb_build_object('alert', o.alert, 'reason_code', o.reason_code, 'text', o.text) ORDER BY o.alert), '[]')
		          FROM prescription_override o WHERE o.prescription_id = rx.id) AS overrides,
		       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', pt.id, 'part', pt.part, 'not_before', pt.not_before, 'not_after', pt.not_after, 'state', pt.state,
		                 'pharmacy', coalesce(pi.name, ''), 'claimed_at', pt.claimed_at, 'lease_until', pt.lease_until, 'coded', pt.token_hash IS NOT NULL,
		                 'checked_in_at', pt.checked_in_at, 'paused_at', pt.paused_at, 'answers', pt.answers, 'recalls',
		                 (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('lot', rc.lot, 'reason', rc.reason)), '[]') FROM dispense_event de
		                    JOIN trace_code tc ON tc.event_id = de.id JOIN recall rc ON rc.lot = tc.lot WHERE de.part_id = pt.id),
		                 'lines', (SELECT jsonb_agg(jsonb_build_object('line', pl.line, 'days', pl.days, 'remain', pl.remain) ORDER BY pl.line)
		                             FROM prescription_part_line pl WHERE pl.part_id = pt.id)) ORDER BY pt.part), '[]')
		          FROM prescription_part pt LEFT JOIN institution pi ON pi.id = pt.claimed_by WHERE pt.prescription_id = rx.id) AS parts`
	noRest = `'{}'::jsonb AS checked, '{}'::jsonb AS check_case, ''::bytea AS canonical, ''::bytea AS statement, ''::bytea AS signature, NULL AS key_id,
		       NULL AS alg, NULL AS result, NULL AS reason_code, NULL AS note, '' AS pharmacist, NULL::timestamptz AS reviewed_at,
		       NULL::timestamptz AS confirmed_at, NULL::text[] AS reminders, '[]'::jsonb AS overrides, '[]'::jsonb AS parts`
)

// question is the statement and its arguments.
func (f filter) question(scope authz.Scope) (string, pgx.NamedArgs) {
	more := rest
	if f.Brief {
		more = noRest
	}
	return `
		SELECT rx.id, rx.no, rx.version, rx.supersedes, rx.visit_id, rx.person_id, p.name AS person_name, p.sex, p.birth_date,
		       rx.practitioner_id, d.name AS doctor_name, d.title, rx.institution_id, i.name AS institution_name,
		       rx.type, rx.state, rx.diagnosis, rx.days_reason, rx.valid_days, rx.long_document, rx.items,
		       rx.sha256, rx.risk, rx.written_at, rx.signed_at, rx.valid_until, rx.evidence_code, rx.voided_at,
		       (SELECT coalesce(jsonb_agg(jsonb_build_object('alert', c.alert, 'asked_at', c.asked_at, 'by', coalesce(sp.name, ''), 'agrees', c.agrees,
		                 'reason', coalesce(c.reason, ''), 'answered_at', c.answered_at) ORDER BY c.alert), '[]')
		          FROM prescription_second c LEFT JOIN practitioner sp ON sp.id = c.second_id
		         WHERE c.prescription_id = rx.id AND c.sha256 = rx.sha256) AS seconds,
		       ` + more + `
		FROM prescription rx
		JOIN person p ON p.id = rx.person_id
		JOIN practitioner d ON d.id = rx.practitioner_id
		JOIN institution i ON i.id = rx.institution_id
		LEFT JOIN signing_key sk ON sk.id = rx.key_id
		LEFT JOIN prescription_review v ON v.prescription_id = rx.id
		LEFT JOIN practitioner ph ON ph.id = v.pharmacist_id
		LEFT JOIN prescription_plan plan ON plan.prescription_id = rx.id
		WHERE (@scope_all OR rx.institution_id = ANY (@scope_places::uuid[]) OR rx.practitioner_id = @scope_practitioner::uuid
		       OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account::uuid AND x.person_id = rx.person_id))
		  AND ` + f.only() + `
		ORDER BY CASE WHEN rx.state = 'signed' AND @queue THEN rx.risk END DESC, CASE WHEN rx.state = 'signed' AND @queue THEN rx.signed_at END, rx.id DESC
		LIMIT 200`,
		scope.With(pgx.NamedArgs{"id": f.ID, "person": f.Person, "visit": f.Visit, "paused": f.Paused, "queue": f.State == Signed})
}

const lockOne = `SELECT FROM prescription WHERE id = $1 FOR UPDATE`

func lock(ctx context.Context, tx tx, id ids.Prescription) error {
	_, err := tx.Exec(ctx, lockOne, id)
	return err
}

// lockPrescriptions locks one and reads it, as it stands once the lock is held, in one trip.
func lockPrescriptions(ctx context.Context, tx tx, scope authz.Scope, f filter) (list []row, err error) {
	var b pgx.Batch
	b.Queue(lockOne, f.ID)
	sql, args := f.question(scope)
	queue(&b, &list, pgx.RowToStructByName, sql, args)
	err = tx.SendBatch(ctx, &b).Close()
	return list, err
}

// personInReach tells somebody for whom nothing was prescribed from somebody else's patient: fault.NotFound.
func personInReach(ctx context.Context, tx tx, scope authz.Scope, person ids.Person) error {
	var reached bool
	err := tx.QueryRow(ctx, `
		SELECT @scope_all OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account::uuid AND x.person_id = @person::uuid)
		       OR EXISTS (SELECT FROM visit v WHERE v.person_id = @person::uuid AND v.state <> 'cancelled'
		                  AND (v.practitioner_id = @scope_practitioner::uuid OR v.institution_id = ANY (@scope_places::uuid[])))`,
		scope.With(pgx.NamedArgs{"person": person})).Scan(&reached)
	if err == nil && !reached {
		err = fault.Missing()
	}
	return err
}

func idOfRequest(ctx context.Context, tx tx, doctor ids.Practitioner, key string) (id ids.Prescription, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM prescription WHERE practitioner_id = $1 AND request_key = $2`, doctor, key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, nil
	}
	return id, err
}

func nextNumber(ctx context.Context, tx tx, day qr.Day) (string, error) {
	var n int64
	err := tx.QueryRow(ctx, `SELECT nextval('prescription_no')`).Scan(&n)
	return fmt.Sprintf("RX%d-%06d", day, n), err
}

func insertPrescription(ctx context.Context, tx tx, facts consult.Standing, c content) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO prescription (id, no, version, supersedes, visit_id, person_id, practitioner_id, institution_id, type, state, diagnosis,
		                          days_reason, items, checked, check_case, canonical, sha256, risk, written_at, request_key,
		                          valid_days, long_document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		c.ID, c.No, c.Version, c.Supersedes, c.VisitID, facts.Person, facts.Practitioner, facts.Institution, c.Type, c.Diagnosis,
		c.DaysReason, c.Items, c.Checked, c.Case, c.Canonical, c.SHA256, c.Risk, c.WrittenAt, c.requestKey, c.ValidDays, c.Permit.ID)
	return err
}

// updateDraft writes a draft's new text and its entries in one trip, and says whose screens show it. Done is false when it is no
// draft any more: then nothing of it may stay.
func updateDraft(ctx context.Context, tx tx, facts consult.Standing, c content) (accounts []ids.Account, done bool, err error) {
	var b pgx.Batch
	b.Queue(`
		UPDATE prescription SET type = $2, diagnosis = $3, days_reason = $4, items = $5, checked = $6, check_case = $7, canonical = $8,
		                        sha256 = $9, risk = $10, written_at = $11, valid_days = $12, long_document = $13
		WHERE id = $1 AND state = 'draft'`,
		c.ID, c.Type, c.Diagnosis, c.DaysReason, c.Items, c.Checked, c.Case, c.Canonical, c.SHA256, c.Risk, c.WrittenAt, c.ValidDays, c.Permit.ID).
		Exec(func(tag pgconn.CommandTag) error {
			done = tag.RowsAffected() == 1
			return nil
		})
	audit.Queue(ctx, &b, written(ctx, facts, c.VisitID, c.ID)...)
	queue(&b, &accounts, pgx.RowTo, accountsOfPerson, facts.Person)
	err = tx.SendBatch(ctx, &b).Close()
	return accounts, done, err
}

func putSignature(ctx context.Context, tx tx, id ids.Prescription, sha256 string, statement []byte, sig keys.Signature, until time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE prescription SET state = 'signed', statement = $7, signature = $3, key_id = $4, signed_at = $5, valid_until = $6
		WHERE id = $1 AND sha256 = $2 AND state = 'draft'`, id, sha256, sig.Sig, sig.KeyID, sig.At, until, statement)
	return tag.RowsAffected() == 1, err
}

func insertOverrides(ctx context.Context, tx tx, id ids.Prescription, overrides []Override) error {
	for _, o := range overrides {
		if _, err := tx.Exec(ctx, `INSERT INTO prescription_override (prescription_id, alert, reason_code, text) VALUES ($1, $2, $3, $4)`,
			id, o.Alert, o.ReasonCode, o.Text); err != nil {
			return err
		}
	}
	return nil
}

func movePrescription(ctx context.Context, tx tx, id ids.Prescription, from, to State, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE prescription SET state = $3, voided_at = CASE WHEN $3 = 'void' THEN $4::timestamptz END
		WHERE id = $1 AND state = $2`, id, from, to, at)
	return tag.RowsAffected() == 1, err
}

func putEvidence(ctx context.Context, tx tx, id ids.Prescription, code string) error {
	_, err := tx.Exec(ctx, `UPDATE prescription SET evidence_code = $2 WHERE id = $1 AND state = 'signed'`, id, code)
	return err
}

func insertReview(ctx context.Context, tx tx, p Prescription, pharmacist ids.Practitioner, act Reviewing, document []byte, sig keys.Signature) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO prescription_review (prescription_id, prescriber_id, pharmacist_id, legality, form, suitability, result, reason_code,
		                                 note, canonical, signature, key_id, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		p.ID, p.Doctor.ID, pharmacist, act.Legality, act.Form, act.Suitability, act.Result, act.ReasonCode, act.Note, document, sig.Sig, sig.KeyID, sig.At)
	return err
}

func selectReviewer(ctx context.Context, tx tx, id ids.Practitioner) (reviewer, error) {
	rows, err := tx.Query(ctx, `SELECT name, kind, suspended, independent_since AS since FROM practitioner WHERE id = $1`, id)
	if err != nil {
		return reviewer{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[reviewer])
}

// selectKeys lists every key ever made, doctors' and pharmacists' as well as seals, so that old signatures still verify.
func selectKeys(ctx context.Context, db pg.DB) ([]qr.Key, error) {
	rows, err := db.Query(ctx, `
		SELECT k.id, CASE WHEN k.institution_id IS NULL THEN 'sign' ELSE 'seal' END AS use, k.alg, k.public_key AS public,
		       coalesce(d.name, own.name, '') AS holder, coalesce(k.practitioner_id, k.institution_id)::text AS holder_id,
		       coalesce(own.name, i.name, '') AS institution, k.certificate, k.valid_from AS "from", k.valid_until AS "to", k.revoked_at
		FROM signing_key k
		LEFT JOIN institution own ON own.id = k.institution_id
		LEFT JOIN practitioner d ON d.id = k.practitioner_id
		LEFT JOIN LATERAL (SELECT r.institution_id FROM registration r WHERE r.practitioner_id = d.id ORDER BY r.kind = 'primary' DESC, r.id LIMIT 1) r ON true
		LEFT JOIN institution i ON i.id = r.institution_id
		ORDER BY k.id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[qr.Key])
}

// sealed is the hospital's seal as it is stored.
type sealed struct {
	InstitutionID ids.Institution
	Canonical     []byte
	Signature     []byte
	KeyID         string
	Alg           string
	At            time.Time
}

func insertSeal(ctx context.Context, tx tx, p Prescription, document []byte, sig keys.Signature) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO prescription_seal (prescription_id, institution_id, canonical, signature, key_id, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.ID, p.Institution.ID, document, sig.Sig, sig.KeyID, sig.At)
	return err
}

// selectSeal is nil for what is not issued, or was before there were seals.
func selectSeal(ctx context.Context, db pg.DB, id ids.Prescription) (*sealed, error) {
	rows, err := db.Query(ctx, `
		SELECT s.institution_id, s.canonical, s.signature, s.key_id::text AS key_id, coalesce(k.alg, '') AS alg, s.at
		FROM prescription_seal s LEFT JOIN signing_key k ON k.id = s.key_id WHERE s.prescription_id = $1`, id)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[sealed])
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// selectTimes is when the log saw each signature on a prescription, by proof.Mark.
func selectTimes(ctx context.Context, db pg.DB, id ids.Prescription) (map[string]time.Time, error) {
	rows, err := db.Query(ctx, `SELECT CASE action WHEN $2 THEN reason ELSE action END, at FROM audit_entry WHERE object = $1 AND action IN ($2, $3)`,
		"prescription/"+id.String(), proof.Action, voided)
	if err != nil {
		return nil, err
	}
	times := map[string]time.Time{}
	var mark string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&mark, &at}, func() error {
		times[mark] = at
		return nil
	})
	return times, err
}

// selectAbout reads what the paper names: the chart's words for the signed codes, else the catalogue's.
func selectAbout(ctx context.Context, db pg.DB, p Prescription) (about, error) {
	rows, err := db.Query(ctx, `
		SELECT v.department, pe.weight_kg::text AS weight_kg, s.at AS sealed_at, k.alg AS seal_alg, s.key_id::text AS seal_key,
		       ARRAY(SELECT concat_ws(' ', code, coalesce(
		               (SELECT c.name FROM condition c WHERE c.person_id = rx.person_id AND (c.icd10 = code OR starts_with(c.icd10, code)) ORDER BY c.icd10 LIMIT 1),
		               (SELECT o.name_zh FROM online_catalogue o WHERE o.institution_id = rx.institution_id AND starts_with(code, o.icd10_cat) ORDER BY o.icd10_cat LIMIT 1)))
		             FROM unnest(rx.diagnosis) WITH ORDINALITY AS d (code, n) ORDER BY n) AS diagnosis
		FROM prescription rx JOIN visit v ON v.id = rx.visit_id JOIN person pe ON pe.id = rx.person_id
		LEFT JOIN prescription_seal s ON s.prescription_id = rx.id LEFT JOIN signing_key k ON k.id = s.key_id
		WHERE rx.id = $1`, p.ID)
	if err != nil {
		return about{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[about])
}

// issued is what the verifier may learn of, and the audit must know.
type issued struct {
	ID            ids.Prescription
	State         State
	PersonID      ids.Person
	InstitutionID ids.Institution
	Collected     bool // every part was handed out
}

func selectIssued(ctx context.Context, tx tx, code string) (issued, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, state, person_id, institution_id, NOT EXISTS (SELECT FROM prescription_part p WHERE p.prescription_id = rx.id AND p.state <> 'dispensed') AS collected
		FROM prescription rx WHERE evidence_code = $1`, code)
	if err != nil {
		return issued{}, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[issued])
	if err != nil || len(found) == 0 {
		return issued{}, err
	}
	return found[0], nil
}

func countReturned(ctx context.Context, db pg.DB, doctor ids.Practitioner) (n int, err error) {
	err = db.QueryRow(ctx, `
		SELECT count(*) FROM prescription rx WHERE rx.practitioner_id = $1 AND rx.state = 'returned'
		   AND NOT EXISTS (SELECT FROM prescription next WHERE next.supersedes = rx.id)`, doctor).Scan(&n)
	return n, err
}

const accountsOfPerson = `SELECT account_id FROM proxy WHERE person_id = $1`

func accountsOf(ctx context.Context, db pg.DB, person ids.Person) ([]ids.Account, error) {
	rows, err := db.Query(ctx, accountsOfPerson, person)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ids.Account])
}

func accountOfPractitioner(ctx context.Context, tx tx, id ids.Practitioner) (account ids.Account, err error) {
	err = tx.QueryRow(ctx, `SELECT account_id FROM practitioner WHERE id = $1`, id).Scan(&account)
	return account, err
}

// selectKnown reads in one trip what askKnown asks for.
func selectKnown(ctx context.Context, tx tx, facts consult.Standing, but ids.Prescription, at time.Time) (k known, err error) {
	var b pgx.Batch
	askKnown(&b, &k, facts, but, at)
	err = tx.SendBatch(ctx, &b).Close()
	return k, err
}

// askKnown asks for the parties and what is known of the patient on a day: allergies, conditions, medicines in
// supply and prescribed but for the one that is judged, also what still waits for its pharmacist, and the newest creatinine.
func askKnown(b *pgx.Batch, k *known, facts consult.Standing, but ids.Prescription, at time.Time) {
	b.Queue(`
		SELECT p.name AS person_name, p.sex, p.birth_date, p.weight_kg::text AS weight_kg, p.pregnancy, p.lactating,
		       d.name AS doctor_name, d.title, d.title_rank, d.paediatric_qualified, i.name AS institution_name
		FROM person p, practitioner d, institution i WHERE p.id = $1 AND d.id = $2 AND i.id = $3`,
		facts.Person, facts.Practitioner, facts.Institution).Query(func(rows pgx.Rows) (err error) {
		k.parties, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[parties])
		return err
	})
	queue(b, &k.Allergies, pgx.RowToStructByName, `SELECT substance, severity, reaction FROM allergy WHERE person_id = $1 ORDER BY substance`, facts.Person)
	queue(b, &k.Medicines, pgx.RowToStructByName, `
		SELECT ingredient, daily_dose::text AS daily_dose, unit, until - $2::date AS left FROM medicine
		WHERE person_id = $1 AND until >= $2::date ORDER BY ingredient, source`, facts.Person, at)
	queue(b, &k.Prescribed, pgx.RowToStructByName, `
		SELECT item, (rx.signed_at::date + (item->>'days')::int) - $2::date AS left
		FROM prescription rx, jsonb_array_elements(rx.items) item
		WHERE rx.person_id = $1 AND rx.state IN ('signed', 'approved') AND rx.signed_at::date + (item->>'days')::int > $2::date
		  AND rx.id <> $3
		ORDER BY rx.id, item->>'line'`, facts.Person, at, but)
	b.Queue(`
		SELECT value::text AS value, greatest($2::date - at::date, 0) AS days FROM observation
		WHERE person_id = $1 AND kind = 'creatinine' AND unit = 'umol/L' ORDER BY at DESC LIMIT 1`, facts.Person, at).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[measured])
		if len(found) > 0 {
			k.Creatinine = found[0]
		}
		return err
	})
	queue(b, &k.Conditions, pgx.RowTo, `SELECT icd10 FROM condition WHERE person_id = $1 ORDER BY icd10`, facts.Person)
}

// queue adds a question to a batch, whose answer is read into a list when the batch closes.
func queue[T any](b *pgx.Batch, into *[]T, read pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, read)
		return err
	})
}

func collect[T any](ctx context.Context, tx tx, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}
