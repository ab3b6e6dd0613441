package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// visitRow is a visit with all that its screens name.
type visitRow struct {
	ID               ids.Visit
	State            string
	Kind             string
	AccountID        ids.Account
	PersonID         ids.Person
	PersonName       string
	Sex              string
	BirthDate        time.Time
	PractitionerID   ids.Practitioner
	DoctorName       string
	Title            string
	InstitutionID    ids.Institution
	InstitutionName  string
	Phone            string
	SlotID           ids.Slot
	Department       string
	Start            time.Time
	End              time.Time
	FeeFen           int
	ICD10            string `db:"icd10"`
	Complaint        string
	Severity         string
	IntendsRx        bool
	Judgement        *string
	ConditionChanged bool
	GuardianPresent  bool
	Room             string
	RoomLocked       bool
	RecordingRefused bool
	Version          int
	CheckedInAt      *time.Time
	StartedAt        *time.Time
	RecordSigned     bool
	Zone             string
	Token            int
	CalledAt         *time.Time
	SkippedAt        *time.Time
	Overbooked       bool
	DelayMin         int
	MovedFrom        *time.Time
	MovedReason      string
	CancelledBy      string
	RefundDue        bool
	decisionRow
}

// filter narrows what a list shows; zero members don't.
type filter struct {
	Visit  ids.Visit
	Person ids.Person
	Today  bool // the doctor's queue: waiting, running, and still to come within a day
}

func selectVisits(ctx context.Context, tx tx, scope authz.Scope, f filter, now time.Time) (list []visitRow, err error) {
	b := &pgx.Batch{}
	askVisits(b, &list, scope, f, now)
	return list, send(ctx, tx, b)
}

func askVisits(b *pgx.Batch, list *[]visitRow, scope authz.Scope, f filter, now time.Time) {
	only := "true"
	if !f.Visit.IsZero() {
		only = "v.id = @visit" // a statement of its own: its plan is kept
	}
	ask(b, list, pgx.RowToStructByName[visitRow], `
		SELECT v.id, v.state, v.kind, v.account_id, v.person_id, p.name AS person_name, p.sex, p.birth_date,
		       v.practitioner_id, d.name AS doctor_name, d.title, v.institution_id, i.name AS institution_name, i.phone,
		       v.slot_id, v.department, lower(s.during) AS start, upper(s.during) AS "end", s.fee_fen,
		       v.icd10, v.complaint, v.severity, v.intends_rx, v.judgement, v.condition_changed, v.guardian_present,
		       v.room, v.room_locked, v.recording_refused, v.version, v.checked_in_at, v.started_at,
		       EXISTS (SELECT FROM record c WHERE c.visit_id = v.id AND c.signed_at IS NOT NULL) AS record_signed,
		       i.zone, coalesce(v.token, 0) AS token, v.called_at, v.skipped_at, v.overbook_reason IS NOT NULL AS overbooked,
		       coalesce((SELECT l.minutes FROM doctor_delay l WHERE l.practitioner_id = v.practitioner_id AND l.institution_id = v.institution_id
		                 AND l.day = (lower(s.during) AT TIME ZONE i.zone)::date), 0) AS delay_min,
		       (SELECT lower(m.during) FROM slot m WHERE m.id = v.moved_from) AS moved_from, coalesce(v.moved_reason, '') AS moved_reason,
		       coalesce(v.cancelled_by, '') AS cancelled_by, v.refund_due,
		       `+decisionColumns+`
		FROM visit v
		JOIN slot s ON s.id = v.slot_id
		JOIN person p ON p.id = v.person_id
		JOIN practitioner d ON d.id = v.practitioner_id
		JOIN institution i ON i.id = v.institution_id
		CROSS JOIN LATERAL (SELECT * FROM decision WHERE visit_id = v.id ORDER BY at DESC, id DESC LIMIT 1) n
		WHERE `+visitInScope+`
		  AND `+only+`
		  AND (@person::uuid IS NULL OR v.person_id = @person)
		  AND (NOT @today OR v.state IN ('checked_in', 'in_consult', 'interrupted')
		       OR v.state = 'booked' AND lower(s.during) BETWEEN @now::timestamptz - interval '15 minutes' AND @now::timestamptz + interval '1 day')
		ORDER BY CASE WHEN @today THEN coalesce(v.skipped_at, lower(s.during)) END, lower(s.during) DESC, v.id
		LIMIT 200`,
		scope.With(pgx.NamedArgs{"visit": f.Visit, "person": f.Person, "today": f.Today, "now": now}))
}

// visitInScope: own persons, the doctor's patients, the coordinator's place.
const visitInScope = `(@scope_all OR v.institution_id = ANY (@scope_places) OR v.practitioner_id = @scope_practitioner
		       OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = v.person_id))`

// visitOfRequest finds what an earlier sending of the same wish has made.
func visitOfRequest(ctx context.Context, tx tx, account ids.Account, key string) (id ids.Visit, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM visit WHERE account_id = $1 AND request_key = $2`, account, key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

func insertVisit(batch *pgx.Batch, id ids.Visit, account ids.Account, slot slotRow, b Booking, room control.Room, now time.Time) {
	batch.Queue(`
		INSERT INTO visit (id, account_id, person_id, slot_id, practitioner_id, institution_id, kind, department, icd10, complaint,
		                   severity, intends_rx, state, room, request_key, booked_at, overbook_reason, series_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'booked', $13, $14, $15, nullif($16, ''), $17)`,
		id, account, b.Person, slot.ID, slot.PractitionerID, slot.InstitutionID, b.Kind, slot.Department, b.ICD10, b.Complaint,
		b.Severity, b.IntendsRx, string(room), b.RequestKey, now, b.overbook, b.series)
}

// moveVisit changes the state if it still is from.
func moveVisit(ctx context.Context, tx tx, id ids.Visit, from, to State, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE visit SET state = @to::text, version = version + 1,
		       checked_in_at = CASE WHEN @to = 'checked_in' THEN @now ELSE checked_in_at END,
		       started_at = CASE WHEN @to = 'in_consult' THEN coalesce(started_at, @now) ELSE started_at END,
		       ended_at = CASE WHEN @to IN ('concluded', 'terminated_offline', 'cancelled', 'emergency') THEN @now::timestamptz ELSE ended_at END
		WHERE id = @id AND state = @from`,
		pgx.NamedArgs{"id": id, "from": string(from), "to": string(to), "now": now})
	return tag.RowsAffected() == 1, err
}

// moveRoom moves the visit that meets in the room, if it is in the state from.
func moveRoom(ctx context.Context, tx tx, room string, from, to State) (id ids.Visit, err error) {
	err = tx.QueryRow(ctx, `UPDATE visit SET state = $3, version = version + 1 WHERE room = $1 AND state = $2 RETURNING id`,
		room, string(from), string(to)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

// putLineTest also notes that a verified guardian is here, when it is one who checks in.
func putLineTest(ctx context.Context, tx tx, id ids.Visit, account ids.Account, measured []byte) error {
	_, err := tx.Exec(ctx, `
		UPDATE visit v SET line_test = $3, guardian_present = EXISTS (
			SELECT FROM proxy x WHERE x.account_id = $2 AND x.person_id = v.person_id AND x.guardian_verified)
		WHERE v.id = $1`, id, account, measured)
	return err
}

func putCancelled(ctx context.Context, tx tx, id ids.Visit, by, reason string, refund bool) error {
	_, err := tx.Exec(ctx, `UPDATE visit SET note = $3, cancelled_by = $2, refund_due = $4 WHERE id = $1`, id, by, reason, refund)
	return err
}

func putJudgement(ctx context.Context, tx tx, id ids.Visit, j Judgement) error {
	_, err := tx.Exec(ctx, `UPDATE visit SET judgement = $2, condition_changed = $3, note = $4, version = version + 1 WHERE id = $1`,
		id, j.Judgement, j.ConditionChanged, j.Note)
	return err
}
