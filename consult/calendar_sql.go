package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

func insertFeed(ctx context.Context, tx tx, doctor ids.Practitioner, sum []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO calendar_feed (id, practitioner_id, token_hash, created_at) VALUES ($1, $2, $3, $4)`, ids.New[ids.Feed](), doctor, sum, now)
	return err
}

func revokeFeeds(ctx context.Context, tx tx, doctor ids.Practitioner, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE calendar_feed SET revoked_at = $2 WHERE practitioner_id = $1 AND revoked_at IS NULL`, doctor, now)
	return err
}

type feedDoctor struct {
	ID     ids.Practitioner
	places []ids.Institution
}

func doctorOfFeed(ctx context.Context, tx tx, sum []byte) (d feedDoctor, err error) {
	err = tx.QueryRow(ctx, `
		SELECT f.practitioner_id, ARRAY (SELECT r.institution_id FROM registration r WHERE r.practitioner_id = f.practitioner_id)
		FROM calendar_feed f WHERE f.token_hash = $1 AND f.revoked_at IS NULL`, sum).Scan(&d.ID, &d.places)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return d, err
}
