package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// insertSlot returns the zero identifier if there is no registration that is valid to the end of the slot.
func insertSlot(ctx context.Context, tx tx, o Offer, span schedule.Span) (id ids.Slot, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO slot (id, practitioner_id, institution_id, registration_id, department, during, fee_fen, purpose)
		SELECT $1, r.practitioner_id, r.institution_id, r.id, $4, tstzrange($5, $6), $7, coalesce(nullif($8, ''), 'visit')
		FROM registration r
		WHERE r.practitioner_id = $2 AND r.institution_id = $3 AND r.during @> $6::timestamptz::date
		RETURNING id`,
		ids.New[ids.Slot](), o.Doctor, o.Place, o.Department, span.Start, span.End, o.FeeFen, o.Purpose).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

// slotRow is a slot as booking needs it.
type slotRow struct {
	ID             ids.Slot
	PractitionerID ids.Practitioner
	InstitutionID  ids.Institution
	Department     string
	Taken          bool
}

// findSlot finds the slot asked for; without one the earliest open slot of the doctor or department, or zero.
func findSlot(ctx context.Context, tx tx, a Ask, now time.Time) (slotRow, error) {
	rows, err := tx.Query(ctx, `
		SELECT s.id, s.practitioner_id, s.institution_id, s.department,
		       EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled') AS taken
		FROM slot s
		WHERE s.purpose = 'visit'
		  AND CASE WHEN @slot::uuid IS NOT NULL THEN s.id = @slot AND (@stage <> 'booking' OR s.withdrawn_at IS NULL AND upper(s.during) > @now)
		           ELSE s.department = @department AND (@doctor::uuid IS NULL OR s.practitioner_id = @doctor)
		                AND s.withdrawn_at IS NULL AND lower(s.during) > @now
		                AND NOT EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled') END
		ORDER BY lower(s.during) LIMIT 1`,
		pgx.NamedArgs{"slot": a.Slot, "stage": a.Stage, "now": now, "department": a.Department, "doctor": a.Doctor})
	if err != nil {
		return slotRow{}, err
	}
	slot, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[slotRow])
	if errors.Is(err, pgx.ErrNoRows) {
		if err = nil; !a.Slot.IsZero() {
			err = fault.Missing()
		}
	}
	return slot, err
}

// open is the condition under which a slot s can be booked at @now.
const open = `s.purpose = 'visit' AND s.withdrawn_at IS NULL AND upper(s.during) > @now::timestamptz + interval '5 minutes'
	AND NOT EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled')`

const slotColumns = `s.id, lower(s.during), upper(s.during), i.id, i.name, s.department, s.fee_fen`

func scanSlot(row pgx.CollectableRow) (s Slot, err error) {
	err = row.Scan(&s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen)
	return s, err
}

func selectSlots(ctx context.Context, tx tx, doctor ids.Practitioner, now, until time.Time) ([]Slot, error) {
	return collect(ctx, tx, scanSlot, `
		SELECT `+slotColumns+` FROM slot s JOIN institution i ON i.id = s.institution_id
		WHERE s.practitioner_id = @doctor AND lower(s.during) < @until AND `+open+`
		ORDER BY lower(s.during) LIMIT 500`, pgx.NamedArgs{"doctor": doctor, "now": now, "until": until})
}

func selectNearest(ctx context.Context, tx tx, taken ids.Slot, now time.Time) ([]Slot, error) {
	return collect(ctx, tx, scanSlot, `
		SELECT `+slotColumns+` FROM slot t JOIN slot s ON s.department = t.department AND s.id <> t.id JOIN institution i ON i.id = s.institution_id
		WHERE t.id = @taken AND `+open+`
		ORDER BY s.practitioner_id <> t.practitioner_id, abs(extract(epoch FROM lower(s.during) - lower(t.during))), lower(s.during)
		LIMIT 3`, pgx.NamedArgs{"taken": taken, "now": now})
}

func selectDoctors(ctx context.Context, tx tx, department string, now time.Time) ([]DoctorOffer, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (d DoctorOffer, err error) {
		s := &Slot{}
		err = row.Scan(&s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen, &d.PractitionerID, &d.Name, &d.Title)
		d.Institution, d.Department, d.FeeFen, d.Earliest = s.Institution, s.Department, s.FeeFen, s
		return d, err
	}, `
		SELECT `+slotColumns+`, d.id, d.name, d.title
		FROM practitioner d
		CROSS JOIN LATERAL (SELECT * FROM slot s WHERE s.practitioner_id = d.id AND (@department = '' OR s.department = @department) AND `+open+`
		                    ORDER BY lower(s.during) LIMIT 1) s
		JOIN institution i ON i.id = s.institution_id
		ORDER BY lower(s.during), d.name`, pgx.NamedArgs{"department": department, "now": now})
}

func selectConditions(ctx context.Context, tx tx) ([]FollowUpCondition, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (c FollowUpCondition, err error) {
		c.Online = true
		err = row.Scan(&c.ICD10, &c.Name.ZH, &c.Name.EN, &c.Department)
		return c, err
	}, `SELECT DISTINCT ON (icd10_cat) icd10_cat, name_zh, name_en, department FROM online_catalogue ORDER BY icd10_cat, institution_id`)
}

func selectInstitutions(ctx context.Context, tx tx) ([]InstitutionCard, error) {
	return collect(ctx, tx, pgx.RowToStructByName[InstitutionCard], `
		SELECT i.id, i.name, i.kind, i.region, i.address, i.phone,
		       ARRAY (SELECT d.name FROM institution_department d WHERE d.institution_id = i.id ORDER BY d.name) AS departments
		FROM institution i WHERE i.kind <> 'pharmacy' ORDER BY i.code`)
}
