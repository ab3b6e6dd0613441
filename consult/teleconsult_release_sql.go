package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

func insertReleased(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, r Release, by ids.Account, withdrew bool, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_released (teleconsult_id, practitioner_id, reason, note, account_id, withdrew, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		id, who, r.Reason, r.Note, by, withdrew, now)
	return err
}

func selectReleased(ctx context.Context, tx tx, id ids.Teleconsult) ([]Released, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (r Released, err error) {
		err = row.Scan(&r.Expert.ID, &r.Expert.Name, &r.Expert.Title, &r.Reason, &r.Note, &r.By, &r.Withdrew, &r.At)
		return r, err
	}, `
		SELECT d.id, d.name, d.title, x.reason, x.note, a.name, x.withdrew, x.at
		FROM teleconsult_released x JOIN practitioner d ON d.id = x.practitioner_id JOIN account a ON a.id = x.account_id
		WHERE x.teleconsult_id = $1 ORDER BY x.at, d.name`, id)
}

// dropFurther takes a further expert out; free: their time is free again.
func dropFurther(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, free bool, now time.Time) error {
	_, err := tx.Exec(ctx, `
		WITH gone AS (DELETE FROM teleconsult_further WHERE teleconsult_id = $1 AND practitioner_id = $2 RETURNING slot_id)
		UPDATE slot SET withdrawn_at = $4, withdrawn_reason = 'teleconsult' WHERE $3 AND id IN (SELECT slot_id FROM gone)`, id, who, free, now)
	return err
}

// promote makes a further expert the first, who keeps the time that is theirs already.
func promote(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, free bool, now time.Time) error {
	var slot ids.Slot
	err := tx.QueryRow(ctx, `DELETE FROM teleconsult_further WHERE teleconsult_id = $1 AND practitioner_id = $2 RETURNING slot_id`, id, who).Scan(&slot)
	if err != nil {
		return err
	}
	if !free {
		slot = ids.Slot{}
	}
	return replaceExpert(ctx, tx, id, who, slot, now)
}

// replaceExpert puts the expert in place of the first. With a slot, it takes the place of the first's, whose time is free again;
// without one, the time stands as it was.
func replaceExpert(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, slot ids.Slot, now time.Time) error {
	if !slot.IsZero() {
		_, err := tx.Exec(ctx, `
			UPDATE slot SET withdrawn_at = $2, withdrawn_reason = 'teleconsult' WHERE id = (SELECT slot_id FROM teleconsult WHERE id = $1)`, id, now)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET expert_practitioner_id = $2, slot_id = coalesce($3, slot_id) WHERE id = $1`, id, who, slot)
	return err
}
