package consult

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

func duringAbsence(a Absence) which {
	return which{`s.practitioner_id = @doctor AND s.institution_id = @place AND s.during && tstzrange(@from, @until)`,
		pgx.NamedArgs{"doctor": a.PractitionerID, "place": a.InstitutionID, "from": a.From, "until": a.Until}}
}

// withdrawn is a slot that came off a doctor's roster at a place.
type withdrawn struct {
	ID     ids.Slot
	Doctor ids.Practitioner
	Place  ids.Institution
}

// withdrawSlots takes slots to come off the roster; an expert's consult stays for its coordinator.
func withdrawSlots(ctx context.Context, tx tx, w which, reason string, now time.Time) ([]withdrawn, error) {
	args := pgx.NamedArgs{"now": now, "why": reason}
	maps.Copy(args, w.args)
	return collect(ctx, tx, pgx.RowToStructByPos[withdrawn], `
		UPDATE slot t SET withdrawn_at = @now, withdrawn_reason = @why
		WHERE t.withdrawn_at IS NULL AND t.id IN (
			SELECT s.id FROM slot s JOIN registration r ON r.id = s.registration_id JOIN institution i ON i.id = s.institution_id
			WHERE s.withdrawn_at IS NULL AND s.purpose <> 'teleconsult' AND upper(s.during) > @now AND (`+w.sql+`)
			ORDER BY s.id FOR NO KEY UPDATE OF s)
		RETURNING t.id, t.practitioner_id, t.institution_id`, args)
}

type clearedRow struct {
	ID             ids.Visit
	AccountID      ids.Account
	PersonID       ids.Person
	PersonName     string
	PractitionerID ids.Practitioner
	DoctorName     string
	InstitutionID  ids.Institution
	Department     string
	Kind           string
	ICD10          string `db:"icd10"`
	Severity       string
	IntendsRx      bool
	FeeFen         int
	Start          time.Time
	Zone           string
}

// selectCleared are the visits in these slots that have not begun.
func selectCleared(ctx context.Context, tx tx, slots []withdrawn) ([]clearedRow, error) {
	list := make([]string, len(slots))
	for i, s := range slots {
		list[i] = s.ID.String()
	}
	return collect(ctx, tx, pgx.RowToStructByName[clearedRow], `
		SELECT v.id, v.account_id, v.person_id, p.name AS person_name, v.practitioner_id, d.name AS doctor_name, v.institution_id, v.department,
		       v.kind, v.icd10, v.severity, v.intends_rx, s.fee_fen, lower(s.during) AS start, i.zone
		FROM visit v JOIN slot s ON s.id = v.slot_id JOIN person p ON p.id = v.person_id JOIN practitioner d ON d.id = v.practitioner_id
		JOIN institution i ON i.id = v.institution_id
		WHERE v.slot_id = ANY ($1) AND v.state IN ('booked', 'checked_in') ORDER BY lower(s.during), v.id FOR UPDATE OF v`, list)
}

func nearestOf(ctx context.Context, tx tx, doctor ids.Practitioner, v clearedRow, now time.Time) (*Slot, string, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+slotColumns+`, d.name FROM slot s JOIN institution i ON i.id = s.institution_id JOIN practitioner d ON d.id = s.practitioner_id
		WHERE s.practitioner_id = @doctor AND s.institution_id = @place AND s.department = @department AND `+open+`
		  AND (lower(s.during) AT TIME ZONE i.zone)::date = (@start::timestamptz AT TIME ZONE i.zone)::date
		ORDER BY abs(extract(epoch FROM lower(s.during) - @start::timestamptz)), lower(s.during) LIMIT 1`,
		pgx.NamedArgs{"doctor": doctor, "place": v.InstitutionID, "department": v.Department, "now": now, "start": v.Start})
	if err != nil {
		return nil, "", err
	}
	var name string
	slot, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (s Slot, err error) {
		err = row.Scan(&s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen, &s.Mode, &s.Zone, &name)
		return s, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "", nil
	}
	return &slot, name, err
}

// rebook puts a visit that has not begun into another slot: the doctor and the liable place are that slot's, and the doctor's seat is on
// no other device any more. False if it has moved on.
func rebook(ctx context.Context, tx tx, id ids.Visit, slot ids.Slot, reason string, now time.Time) (bool, error) {
	if err := removeDevices(ctx, tx, matter{visit: id}, []control.Seat{doctorSeat}, now); err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE visit v SET slot_id = s.id, practitioner_id = s.practitioner_id, institution_id = s.institution_id, department = s.department,
		       moved_from = v.slot_id, moved_reason = $3, state = 'booked', version = version + 1,
		       checked_in_at = NULL, token = NULL, token_day = NULL, called_at = NULL, skipped_at = NULL, overbook_reason = NULL
		FROM slot s WHERE v.id = $1 AND s.id = $2 AND v.state IN ('booked', 'checked_in')`, id, slot, reason)
	return tag.RowsAffected() == 1, err
}

func cancelByHospital(ctx context.Context, tx tx, id ids.Visit, reason string, refund bool, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE visit SET state = 'cancelled', version = version + 1, ended_at = $4, note = $2, cancelled_by = 'hospital', refund_due = $3
		WHERE id = $1`, id, reason, refund, now)
	return err
}

func countTeleconsults(ctx context.Context, tx tx, a Absence) (n int, err error) {
	err = tx.QueryRow(ctx, `
		SELECT count(*) FROM slot WHERE practitioner_id = $1 AND institution_id = $2 AND purpose = 'teleconsult' AND withdrawn_at IS NULL
		  AND during && tstzrange($3, $4)`, a.PractitionerID, a.InstitutionID, a.From, a.Until).Scan(&n)
	return n, err
}
