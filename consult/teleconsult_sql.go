package consult

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
)

type teleconsultRow struct {
	ID               ids.Teleconsult
	State            string
	Kind             string
	Urgency          string
	Department       string
	Question         string
	Summary          string
	Diagnosis        string
	Labs             string
	Contact          string
	Liability        string
	PersonID         ids.Person
	PersonName       string
	Sex              string
	BirthDate        time.Time
	InviterID        ids.Practitioner
	InviterName      string
	InviterTitle     string
	InviterPlace     ids.Institution
	InviterPlaceName string
	InvitedPlace     ids.Institution
	InvitedPlaceName string
	ExpertID         ids.Practitioner
	ExpertName       *string
	ExpertTitle      *string
	Start            *time.Time
	End              *time.Time
	ConsentMethod    *string
	ConsentSignedBy  *string
	ConsentRelation  *string
	ConsentAt        *time.Time
	ConsentText      *ConsentText
	PatientInvitedAt *time.Time
	Reason           string
	Room             string
	RoomLocked       bool
	CreatedAt        time.Time
	SLADue           *time.Time `db:"sla_due"`
	ClockFrom        *time.Time
	PausedAt         *time.Time
	Needs            string
	NeedsAnswer      string
	EscalatedAt      *time.Time
	EscalatedWhy     string
	Live             bool
	OfficeSince      *time.Time
	OfficeToldAt     *time.Time
	InviterEnteredAt *time.Time
	ExpertEnteredAt  *time.Time
	Studies          []string
	PatientAccounts  []ids.Account
}

// selectTeleconsults reads one or all that the scope shows: to the two doctors, to the invited
// hospital once it was submitted, to the patient's own account from the draft on, to agree to it.
func selectTeleconsults(ctx context.Context, tx tx, scope authz.Scope, only ids.Teleconsult) ([]teleconsultRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.id, t.state, t.kind, t.urgency, t.department, t.question, t.summary, t.diagnosis, t.labs, t.contact, t.liability,
		       t.person_id, p.name AS person_name, p.sex, p.birth_date,
		       t.inviter_practitioner_id AS inviter_id, a.name AS inviter_name, a.title AS inviter_title,
		       t.inviter_institution_id AS inviter_place, h.name AS inviter_place_name,
		       t.invited_institution_id AS invited_place, i.name AS invited_place_name,
		       t.expert_practitioner_id AS expert_id, e.name AS expert_name, e.title AS expert_title,
		       lower(s.during) AS start, upper(s.during) AS "end",
		       t.consent_method, t.consent_signed_by, t.consent_relation, t.consent_at, t.consent_text, t.patient_invited_at,
		       t.reason, t.room, t.room_locked, t.created_at, t.sla_due,
		       t.clock_from, t.paused_at, t.needs, t.needs_answer, t.escalated_at, t.escalated_why, t.live, t.office_since, t.office_told_at, t.inviter_entered_at, t.expert_entered_at,
		       ARRAY(SELECT study_uid FROM teleconsult_study x WHERE x.teleconsult_id = t.id ORDER BY study_uid) AS studies,
		       ARRAY(SELECT account_id FROM proxy x WHERE x.person_id = t.person_id) AS patient_accounts
		FROM teleconsult t
		JOIN person p ON p.id = t.person_id
		JOIN practitioner a ON a.id = t.inviter_practitioner_id
		JOIN institution h ON h.id = t.inviter_institution_id
		JOIN institution i ON i.id = t.invited_institution_id
		LEFT JOIN practitioner e ON e.id = t.expert_practitioner_id
		LEFT JOIN slot s ON s.id = t.slot_id
		WHERE (@id::uuid IS NULL OR t.id = @id)
		  AND (@scope_all OR t.inviter_practitioner_id = @scope_practitioner OR t.expert_practitioner_id = @scope_practitioner
		       OR EXISTS (SELECT FROM teleconsult_further x WHERE x.teleconsult_id = t.id AND x.practitioner_id = @scope_practitioner)
		       OR (t.submitted_at IS NOT NULL AND t.invited_institution_id = ANY(@scope_places))
		       OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = t.person_id))
		ORDER BY t.state IN ('closed', 'declined', 'cancelled'), t.sla_due NULLS LAST, t.created_at DESC LIMIT 200`,
		scope.With(pgx.NamedArgs{"id": only}))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[teleconsultRow])
}

func teleconsultOfRequest(ctx context.Context, tx tx, doctor ids.Practitioner, key string) (id ids.Teleconsult, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM teleconsult WHERE inviter_practitioner_id = $1 AND request_key = $2`, doctor, key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, nil
	}
	return id, err
}

// keeperOf finds the hospital that keeps the person's chart, among those of the scope.
func keeperOf(ctx context.Context, tx tx, scope authz.Scope, person ids.Person) (place ids.Institution, err error) {
	err = tx.QueryRow(ctx, `SELECT institution_id FROM person WHERE id = @person AND institution_id = ANY(@scope_places)`,
		scope.With(pgx.NamedArgs{"person": person})).Scan(&place)
	if errors.Is(err, pgx.ErrNoRows) {
		return place, fault.Missing()
	}
	return place, err
}

func insertTeleconsult(ctx context.Context, tx tx, id ids.Teleconsult, doctor ids.Practitioner, home ids.Institution, in NewTeleconsult, room, key string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult (id, inviter_practitioner_id, inviter_institution_id, invited_institution_id, person_id, department,
		                         question, summary, urgency, state, room, request_key, created_at, kind, liability, diagnosis, labs, contact)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', $10, $11, $12, $13, $14, $15, $16, coalesce(nullif($17, ''), i.phone) FROM institution i WHERE i.id = $3`,
		id, doctor, home, in.Invited, in.Person, in.Department, in.Question, in.Summary, in.Urgency, room, key, now,
		in.kind(), in.liability(), in.Diagnosis, in.Labs, in.Contact)
	return err
}

func updateTeleconsult(ctx context.Context, tx tx, id ids.Teleconsult, in NewTeleconsult, keepConsent bool) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult t SET department = $2, question = $3, summary = $4, urgency = $5, invited_institution_id = $6,
		       kind = $7, liability = $8, diagnosis = $9, labs = $10,
		       contact = coalesce(nullif($11, ''), (SELECT phone FROM institution WHERE id = t.inviter_institution_id)),
		       consent_method = CASE WHEN $12 THEN consent_method END, consent_signed_by = CASE WHEN $12 THEN consent_signed_by END,
		       consent_relation = CASE WHEN $12 THEN consent_relation END, consent_at = CASE WHEN $12 THEN consent_at END,
		       consent_account_id = CASE WHEN $12 THEN consent_account_id END, consent_text = CASE WHEN $12 THEN consent_text END
		WHERE id = $1`, id, in.Department, in.Question, in.Summary, in.Urgency, in.Invited, in.kind(), in.liability(), in.Diagnosis, in.Labs, in.Contact, keepConsent)
	return err
}

// moveTeleconsult leaves the state it names; false if somebody was faster. The clock stands while more is asked for, and runs on
// from where it stood.
func moveTeleconsult(ctx context.Context, tx tx, id ids.Teleconsult, from, to State, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE teleconsult SET state = $3, closed_at = CASE WHEN $3 = 'closed' THEN $4::timestamptz ELSE closed_at END,
		       paused_at = CASE WHEN $3 = 'needs_info' THEN $4::timestamptz END,
		       office_since = CASE WHEN $3 = 'with_office' THEN $4::timestamptz WHEN state = 'with_office' OR $3 = 'cancelled' THEN NULL ELSE office_since END,
		       clock_from = clock_from + coalesce($4::timestamptz - paused_at, '0'), sla_due = sla_due + coalesce($4::timestamptz - paused_at, '0')
		WHERE id = $1 AND state = $2`, id, from, to, now)
	return tag.RowsAffected() == 1, err
}

func putTeleconsultStudy(ctx context.Context, tx tx, id ids.Teleconsult, study string) error {
	_, err := tx.Exec(ctx, `INSERT INTO teleconsult_study (teleconsult_id, study_uid) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, study)
	return err
}

func putTeleconsultConsent(ctx context.Context, tx tx, id ids.Teleconsult, c GivenConsent, account ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult SET consent_method = $2, consent_signed_by = $3, consent_relation = $4, consent_at = $5, consent_account_id = $6,
		       consent_text = $7
		WHERE id = $1`, id, c.Method, c.SignedBy, c.Relation, now, account, c.Text)
	return err
}

func putClock(ctx context.Context, tx tx, id ids.Teleconsult, now, due time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET submitted_at = $2, clock_from = $2, sla_due = $3 WHERE id = $1`, id, now, due)
	return err
}

func putReason(ctx context.Context, tx tx, id ids.Teleconsult, reason string) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET reason = $2 WHERE id = $1`, id, reason)
	return err
}

func putPatientInvited(ctx context.Context, tx tx, id ids.Teleconsult, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET patient_invited_at = coalesce(patient_invited_at, $2) WHERE id = $1`, id, now)
	return err
}

// putExpert starts the clock of the answer; a meeting is live, an answer in writing is not.
func putExpert(ctx context.Context, tx tx, id ids.Teleconsult, expert ids.Practitioner, slot ids.Slot, due time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult SET expert_practitioner_id = $2, slot_id = $3, live = $3::uuid IS NOT NULL, sla_due = $4, escalated_at = NULL
		WHERE id = $1`, id, expert, slot, due)
	return err
}

func withdrawSlot(ctx context.Context, tx tx, id ids.Teleconsult, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE slot SET withdrawn_at = $2, withdrawn_reason = 'teleconsult' WHERE id IN (SELECT slot_id FROM teleconsult WHERE id = $1 UNION SELECT slot_id FROM teleconsult_further WHERE teleconsult_id = $1)`, id, now)
	return err
}

// selectExperts lists physicians fit for a consult at the place: registered there at the time,
// in the field, independent since the given day or longer.
func selectExperts(ctx context.Context, tx tx, place ids.Institution, department string, since, at time.Time) ([]Expert, error) {
	rows, err := tx.Query(ctx, `
		SELECT p.id, p.name, p.title,
		       ARRAY(SELECT i.name FROM registration x JOIN institution i ON i.id = x.institution_id
		             WHERE x.practitioner_id = p.id AND x.during @> $4::date ORDER BY x.kind <> 'primary', i.name) AS places
		FROM practitioner p
		JOIN registration r ON r.practitioner_id = p.id AND r.institution_id = $1 AND r.during @> $4::date AND r.institution_consent
		WHERE p.kind = 'physician' AND p.level = '执业医师' AND NOT p.suspended AND p.national_register_found
		  AND ($2 = '' OR $2 = ANY(p.scope)) AND p.independent_since <= $3
		ORDER BY p.title_rank DESC, p.name`, place, department, since, at)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Expert])
}

// selectBusy is when the practitioner is engaged, at whatever place, in slots of their own or asking an expert.
func selectBusy(ctx context.Context, tx tx, who ids.Practitioner, begin, end time.Time) ([]schedule.Span, error) {
	rows, err := tx.Query(ctx, `
		SELECT lower(during), upper(during) FROM slot s
		WHERE withdrawn_at IS NULL AND during && tstzrange($2, $3) AND (practitioner_id = $1
		      OR EXISTS (SELECT FROM teleconsult t WHERE t.slot_id = s.id AND t.inviter_practitioner_id = $1))
		ORDER BY during`, who, begin, end)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schedule.Span])
}

func insertDocument(ctx context.Context, tx tx, id ids.Teleconsult, kind string, author ids.Practitioner, canonical []byte, sum string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_document (id, teleconsult_id, kind, version, practitioner_id, canonical, sha256, written_at)
		VALUES (gen_random_uuid(), $1, $2, 1 + (SELECT coalesce(max(version), 0) FROM teleconsult_document WHERE teleconsult_id = $1 AND kind = $2 AND practitioner_id = $3), $3, $4, $5, $6)`,
		id, kind, author, canonical, sum, now)
	return err
}

func putDocumentSignature(ctx context.Context, tx tx, id ids.Teleconsult, kind string, signer ids.Practitioner, version int, s keys.Signature) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult_document SET signature = $5, key_id = $6, signed_at = $7
		WHERE teleconsult_id = $1 AND kind = $2 AND practitioner_id = $3 AND version = $4 AND signed_at IS NULL`, id, kind, signer, version, s.Sig, s.KeyID, s.At)
	return err
}

type documentRow struct {
	Kind   string
	Author Doctor
	Document
	signature []byte
}

// selectDocuments reads the newest version of each author's opinion and of the decision, and every addendum, the oldest first.
func selectDocuments(ctx context.Context, tx tx, id ids.Teleconsult) ([]documentRow, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (d documentRow, err error) {
		var canonical []byte
		err = row.Scan(&d.Kind, &d.Author.ID, &d.Author.Name, &d.Author.Title, &d.Version, &d.SHA256, &canonical, &d.SignedAt, &d.KeyID, &d.signature)
		if err != nil {
			return d, err
		}
		d.Canonical = string(canonical)
		var whole struct{ Content map[string]any }
		err = json.Unmarshal(canonical, &whole)
		d.Content = whole.Content
		return d, err
	}, `
		SELECT kind, id, name, title, version, sha256, canonical, signed_at, key_id, signature FROM (
		    SELECT DISTINCT ON (x.kind, x.practitioner_id, CASE x.kind WHEN 'addendum' THEN x.version END)
		           x.kind, d.id, d.name, d.title, x.version, x.sha256, x.canonical, x.signed_at, coalesce(x.key_id::text, '') AS key_id, x.signature, x.written_at
		    FROM teleconsult_document x JOIN practitioner d ON d.id = x.practitioner_id WHERE x.teleconsult_id = $1
		    ORDER BY x.kind, x.practitioner_id, CASE x.kind WHEN 'addendum' THEN x.version END, x.version DESC) newest
		ORDER BY written_at, kind DESC, version`, id)
}

func lockTeleconsult(ctx context.Context, tx tx, id ids.Teleconsult) error {
	_, err := tx.Exec(ctx, `SELECT FROM teleconsult WHERE id = $1 FOR UPDATE`, id)
	return err
}

type patientRow struct {
	ID        ids.Person
	Name      string
	Sex       string
	BirthDate time.Time
	IDMasked  string `db:"id_masked"`

	InstitutionID ids.Institution
}

func selectPatients(ctx context.Context, tx tx, scope authz.Scope, query string) ([]patientRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, name, sex, birth_date, id_masked, institution_id FROM person
		WHERE institution_id = ANY(@scope_places) AND starts_with(name, @query) ORDER BY name LIMIT 20`,
		scope.With(pgx.NamedArgs{"query": query}))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[patientRow])
}
