package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// liveHold is the account's own hold on the slot, zero if there is none now.
func liveHold(ctx context.Context, tx tx, account ids.Account, slot ids.Slot) (h Held, err error) {
	s := &h.Slot
	err = tx.QueryRow(ctx, `
		SELECT h.id, upper(h.during), `+slotColumns+` FROM hold h JOIN slot s ON s.id = h.slot_id JOIN institution i ON i.id = s.institution_id
		WHERE h.account_id = $1 AND h.slot_id = $2 AND h.during @> clock_timestamp()`, account, slot).
		Scan(&h.ID, &h.Until, &s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen, &s.Mode, &s.Zone)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return h, err
}

// letGo ends the account's earlier choices, offers aside, and counts what it held within a day.
func letGo(ctx context.Context, tx tx, account ids.Account) (n int, err error) {
	err = tx.QueryRow(ctx, `
		WITH ended AS (
			UPDATE hold SET during = tstzrange(lower(during), clock_timestamp())
			WHERE account_id = $1 AND wait_entry_id IS NULL AND during @> clock_timestamp())
		SELECT count(*) FROM hold WHERE account_id = $1 AND wait_entry_id IS NULL AND lower(during) > clock_timestamp() - interval '1 day'`, account).Scan(&n)
	return n, err
}

// insertHold is false if the slot can't be booked at all. The trigger hold_takes_slot locks the slot first, so of those who want it at once one is first.
func insertHold(ctx context.Context, tx tx, account ids.Account, slot ids.Slot, life time.Duration, entry ids.WaitEntry, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO hold (id, slot_id, account_id, during, wait_entry_id)
		SELECT @id, s.id, @account, tstzrange(c.at, c.at + @life::interval), @entry::uuid FROM slot s CROSS JOIN (SELECT clock_timestamp() AS at) c
		WHERE s.id = @slot AND `+open,
		pgx.NamedArgs{"id": ids.New[ids.Hold](), "slot": slot, "account": account, "life": life, "entry": entry, "now": now})
	return tag.RowsAffected() == 1, err
}

func releaseHold(ctx context.Context, tx tx, id ids.Hold, account ids.Account) (slot ids.Slot, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE hold SET during = tstzrange(lower(during), least(upper(during), clock_timestamp())) WHERE id = $1 AND account_id = $2 RETURNING slot_id`, id, account).Scan(&slot)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return slot, err
}

// endOwnHold ends the account's hold on a slot that it has now booked, and takes the person off the waiting list the slot was offered by.
func endOwnHold(b *pgx.Batch, account ids.Account, slot ids.Slot, person ids.Person, visit ids.Visit) {
	b.Queue(`
		WITH ended AS (
			UPDATE hold SET during = tstzrange(lower(during), clock_timestamp())
			WHERE account_id = $1 AND slot_id = $2 AND during @> clock_timestamp() RETURNING wait_entry_id)
		UPDATE wait_entry SET state = 'booked', visit_id = $4
		WHERE id IN (SELECT wait_entry_id FROM ended) AND person_id = $3 AND state = 'waiting'`, account, slot, person, visit)
}

func reminderDue(ctx context.Context, tx tx, visit ids.Visit, start time.Time) (account ids.Account, zone string, due bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT v.account_id, i.zone FROM visit v JOIN slot s ON s.id = v.slot_id JOIN institution i ON i.id = v.institution_id
		WHERE v.id = $1 AND v.state = 'booked' AND lower(s.during) = $2`, visit, start).Scan(&account, &zone)
	if errors.Is(err, pgx.ErrNoRows) {
		return account, zone, false, nil
	}
	return account, zone, err == nil, err
}

type bookingStanding struct {
	asked ids.Visit // what an earlier sending of the same wish has made
	acts  bool      // the account may act for the person
	lost  bool      // the slot has gone to another account; most who race for one learn it here
	holds bool      // the account holds the slot
}

// standingOf is the first look, before all else.
func standingOf(ctx context.Context, tx tx, account ids.Account, b Booking) (s bookingStanding, err error) {
	err = tx.QueryRow(ctx, `
		SELECT (SELECT id FROM visit WHERE account_id = $1 AND request_key = $2),
		       EXISTS (SELECT FROM proxy WHERE account_id = $1 AND person_id = $3),
		       EXISTS (SELECT FROM visit v WHERE v.slot_id = $4 AND v.state <> 'cancelled')
		       OR EXISTS (SELECT FROM hold h WHERE h.slot_id = $4 AND h.account_id <> $1 AND h.during @> clock_timestamp()),
		       EXISTS (SELECT FROM hold h WHERE h.slot_id = $4 AND h.account_id = $1 AND h.during @> clock_timestamp())`,
		account, b.RequestKey, b.Person, b.Slot).Scan(&s.asked, &s.acts, &s.lost, &s.holds)
	return s, err
}
