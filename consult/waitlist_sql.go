package consult

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// insertWait is false for a place without the department, or a doctor who isn't registered there.
func insertWait(ctx context.Context, tx tx, id ids.WaitEntry, account ids.Account, n NewWait) (bool, error) {
	wish, err := json.Marshal(n.Wish)
	if err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO wait_entry (id, account_id, person_id, institution_id, practitioner_id, department, walk_in, wish, until, state)
		SELECT $1, $2, $3, d.institution_id, $5, d.name, $7, $8, $9, 'waiting' FROM institution_department d
		WHERE d.institution_id = $4 AND d.name = $6
		  AND ($5::uuid IS NULL OR EXISTS (SELECT FROM registration r WHERE r.institution_id = $4 AND r.practitioner_id = $5))`,
		id, account, n.PersonID, n.InstitutionID, n.PractitionerID, n.Department, n.WalkIn, wish, n.Until)
	return tag.RowsAffected() == 1, err
}

// selectWaits keeps to the scope: own entries; the place's; for a doctor, those that wait for them or anybody of their fields and places.
func selectWaits(ctx context.Context, tx tx, scope authz.Scope, only ids.WaitEntry, now time.Time) ([]WaitEntry, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (WaitEntry, error) {
		var e WaitEntry
		var born time.Time
		var wish []byte
		var hold ids.Hold
		var until *time.Time
		var slot struct {
			id           ids.Slot
			start, end   *time.Time
			fee          *int
			mode, inZone *string
		}
		err := row.Scan(&e.ID, &e.State, &e.WalkIn, &e.Person.ID, &e.Person.Name, &e.Person.Sex, &born, &e.Institution.ID, &e.Institution.Name,
			&e.Doctor.ID, &e.Doctor.Name, &e.Department, &e.Until, &e.JoinedAt, &e.Ahead, &e.VisitID, &e.account, &wish,
			&hold, &until, &slot.id, &slot.start, &slot.end, &slot.fee, &slot.mode, &slot.inZone)
		if err != nil {
			return e, err
		}
		e.Person.Age = ageOf(born, now)
		if !hold.IsZero() {
			e.Offer = &Held{ID: hold, Until: *until, Slot: Slot{ID: slot.id, Start: *slot.start, End: *slot.end, Institution: e.Institution,
				Department: e.Department, FeeFen: *slot.fee, Mode: *slot.mode, Zone: *slot.inZone}}
		}
		return e, json.Unmarshal(wish, &e.wish)
	}, `
		SELECT e.id, e.state, e.walk_in, p.id, p.name, p.sex, p.birth_date, i.id, i.name, d.id, coalesce(d.name, ''), e.department, e.until, e.joined_at,
		       (SELECT count(*) FROM wait_entry o WHERE o.institution_id = e.institution_id AND o.department = e.department AND o.walk_in = e.walk_in
		         AND o.state = 'waiting' AND o.until > @now AND o.joined_at < e.joined_at
		         AND (o.practitioner_id IS NULL OR e.practitioner_id IS NULL OR o.practitioner_id = e.practitioner_id)),
		       e.visit_id, e.account_id, e.wish, h.id, upper(h.during), s.id, lower(s.during), upper(s.during), s.fee_fen, s.mode, i.zone
		FROM wait_entry e JOIN person p ON p.id = e.person_id JOIN institution i ON i.id = e.institution_id
		LEFT JOIN practitioner d ON d.id = e.practitioner_id
		LEFT JOIN hold h ON h.wait_entry_id = e.id AND h.during @> now() AND e.state = 'waiting' LEFT JOIN slot s ON s.id = h.slot_id
		WHERE (@id::uuid IS NULL OR e.id = @id)
		  AND (EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = e.person_id)
		       OR e.institution_id = ANY (@scope_places)
		       OR EXISTS (SELECT FROM registration r JOIN practitioner q ON q.id = r.practitioner_id WHERE r.practitioner_id = @scope_practitioner
		                  AND r.institution_id = e.institution_id AND e.department = ANY (q.scope) AND (e.practitioner_id IS NULL OR e.practitioner_id = q.id)))
		  AND (@id::uuid IS NOT NULL OR e.state = 'waiting' AND e.until > @now)
		ORDER BY e.joined_at LIMIT 200`, scope.With(pgx.NamedArgs{"id": only, "now": now}))
}

type inLine struct {
	entry   ids.WaitEntry
	account ids.Account
	place   ids.Institution
}

// firstInLine is who joined first of those who want such a slot, have no offer now and have not been offered this one. A slot that begins
// before an offer would end is open to all at once.
func firstInLine(ctx context.Context, tx tx, slot ids.Slot, now time.Time) (*inLine, error) {
	var first inLine
	err := tx.QueryRow(ctx, `
		SELECT e.id, e.account_id, e.institution_id FROM slot s JOIN wait_entry e ON e.institution_id = s.institution_id AND e.department = s.department
			AND (e.practitioner_id IS NULL OR e.practitioner_id = s.practitioner_id)
		WHERE s.id = @slot AND e.state = 'waiting' AND NOT e.walk_in AND e.until > lower(s.during) AND lower(s.during) > @now::timestamptz + @life::interval
		  AND NOT EXISTS (SELECT FROM hold h WHERE h.wait_entry_id = e.id AND (h.slot_id = s.id OR h.during @> clock_timestamp()))
		ORDER BY e.joined_at, e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED`, pgx.NamedArgs{"slot": slot, "now": now, "life": offerFor}).Scan(&first.entry, &first.account, &first.place)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &first, err
}

// holdLeft is how long the slot is still held, by the database's clock; 0 if it isn't.
func holdLeft(ctx context.Context, tx tx, slot ids.Slot) (left time.Duration, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(max(upper(during) - clock_timestamp()), '0') FROM hold WHERE slot_id = $1 AND during @> clock_timestamp()`, slot).Scan(&left)
	return left, err
}

// firstWalkIn locks the first of the pool that the doctor may see; two doctors never get the same.
func firstWalkIn(ctx context.Context, tx tx, doctor ids.Practitioner, now time.Time) (*WaitEntry, error) {
	var e WaitEntry
	var wish []byte
	err := tx.QueryRow(ctx, `
		SELECT e.id, e.account_id, e.person_id, e.institution_id, e.department, e.wish FROM wait_entry e
		JOIN registration r ON r.institution_id = e.institution_id AND r.practitioner_id = $1 AND r.during @> $2::timestamptz::date
		JOIN practitioner d ON d.id = r.practitioner_id AND e.department = ANY (d.scope)
		WHERE e.walk_in AND e.state = 'waiting' AND e.until > $2 AND (e.practitioner_id IS NULL OR e.practitioner_id = $1)
		ORDER BY e.joined_at LIMIT 1 FOR UPDATE OF e SKIP LOCKED`, doctor, now).
		Scan(&e.ID, &e.account, &e.Person.ID, &e.Institution.ID, &e.Department, &wish)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &e, json.Unmarshal(wish, &e.wish)
}

func leaveWait(ctx context.Context, tx tx, id ids.WaitEntry) error {
	_, err := tx.Exec(ctx, `UPDATE wait_entry SET state = 'left' WHERE id = $1 AND state = 'waiting'`, id)
	return err
}

func putWaitBooked(ctx context.Context, tx tx, id ids.WaitEntry, visit ids.Visit) error {
	_, err := tx.Exec(ctx, `UPDATE wait_entry SET state = 'booked', visit_id = $2 WHERE id = $1`, id, visit)
	return err
}

// slotOffered is a slot for patients that is on the roster.
func slotOffered(ctx context.Context, tx tx, slot ids.Slot) (s slotRow, err error) {
	err = tx.QueryRow(ctx, `SELECT id, practitioner_id, institution_id, department FROM slot WHERE id = $1 AND purpose = 'visit' AND withdrawn_at IS NULL`, slot).
		Scan(&s.ID, &s.PractitionerID, &s.InstitutionID, &s.Department)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return s, err
}
