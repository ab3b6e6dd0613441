package prescribe

import (
	"context"
	"time"

	"yuanzhen/internal/ids"
)

func putReminder(ctx context.Context, tx tx, rx ids.Prescription, account ids.Account, times []string, next, until, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO medicine_reminder (prescription_id, account_id, times, next_at, until, set_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (prescription_id, account_id) DO UPDATE SET times = $3, next_at = $4, until = $5, set_at = $6`, rx, account, times, next, until, at)
	return err
}

func deleteReminder(ctx context.Context, tx tx, rx ids.Prescription, account ids.Account) error {
	_, err := tx.Exec(ctx, `DELETE FROM medicine_reminder WHERE prescription_id = $1 AND account_id = $2`, rx, account)
	return err
}

func moveReminder(ctx context.Context, tx tx, rx ids.Prescription, account ids.Account, next time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE medicine_reminder SET next_at = $3 WHERE prescription_id = $1 AND account_id = $2`, rx, account, next)
	return err
}

// dueReminder is one that has come; Lasts is false when the prescription is void, or the account acts no more for the person.
type dueReminder struct {
	PrescriptionID ids.Prescription
	AccountID      ids.Account
	Times          []string
	NextAt, Until  time.Time
	Lasts          bool
}

func dueReminders(ctx context.Context, tx tx, at time.Time) ([]dueReminder, error) {
	return collect[dueReminder](ctx, tx, `
		SELECT m.prescription_id, m.account_id, m.times, m.next_at, m.until,
		       rx.state = 'approved' AND EXISTS (SELECT FROM proxy x WHERE x.account_id = m.account_id AND x.person_id = rx.person_id) AS lasts
		FROM medicine_reminder m JOIN prescription rx ON rx.id = m.prescription_id
		WHERE m.next_at <= $1 ORDER BY m.next_at LIMIT 100 FOR UPDATE OF m SKIP LOCKED`, at)
}
