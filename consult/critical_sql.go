package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

func insertCritical(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, what string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO critical_value (id, teleconsult_id, practitioner_id, what, at) VALUES ($1, $2, $3, $4, $5)`,
		ids.New[criticalID](), id, who, what, now)
	return err
}

const criticalColumns = `
	SELECT c.id, c.teleconsult_id, c.what, d.id, d.name, d.title, c.at, c.escalated_at, coalesce(c.read_back, ''), coalesce(a.name, ''), c.read_at
	FROM critical_value c JOIN practitioner d ON d.id = c.practitioner_id LEFT JOIN account a ON a.id = c.read_account_id `

func scanCritical(row pgx.CollectableRow) (c CriticalValue, err error) {
	err = row.Scan(&c.ID, &c.teleconsult, &c.What, &c.By.ID, &c.By.Name, &c.By.Title, &c.At, &c.Told, &c.Back, &c.Reader, &c.ReadAt)
	return c, err
}

func selectCritical(ctx context.Context, tx tx, id ids.Teleconsult) ([]CriticalValue, error) {
	return collect(ctx, tx, scanCritical, criticalColumns+`WHERE c.teleconsult_id = $1 ORDER BY c.at`, id)
}

// selectUnread are those that were told before the time and that nobody has read back, nor the heads been told of.
func selectUnread(ctx context.Context, tx tx, before time.Time) ([]CriticalValue, error) {
	return collect(ctx, tx, scanCritical, criticalColumns+`WHERE c.read_at IS NULL AND c.escalated_at IS NULL AND c.at < $1 ORDER BY c.at`, before)
}

func putCriticalEscalated(ctx context.Context, tx tx, id criticalID, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE critical_value SET escalated_at = $2 WHERE id = $1 AND read_at IS NULL AND escalated_at IS NULL`, id, now)
	return tag.RowsAffected() == 1, err
}

func putReadBack(ctx context.Context, tx tx, id criticalID, words string, account ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE critical_value SET read_back = $2, read_account_id = $3, read_at = $4 WHERE id = $1 AND read_at IS NULL`, id, words, account, now)
	return tag.RowsAffected() == 1, err
}
