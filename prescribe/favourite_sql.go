package prescribe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

func selectFavourites(ctx context.Context, db pg.DB, doctor ids.Practitioner) ([]Favourite, error) {
	rows, err := db.Query(ctx, `SELECT id, line FROM favourite WHERE practitioner_id = $1 ORDER BY kept_at DESC, id DESC`, doctor)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Favourite])
}

func insertFavourite(ctx context.Context, tx tx, id ids.Favourite, doctor ids.Practitioner, line Item, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO favourite (id, practitioner_id, line, kept_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, id, doctor, line, at)
	return err
}

func countFavourites(ctx context.Context, tx tx, doctor ids.Practitioner) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM favourite WHERE practitioner_id = $1`, doctor).Scan(&n)
	return n, err
}

func deleteFavourite(ctx context.Context, tx tx, id ids.Favourite, doctor ids.Practitioner) (bool, error) {
	tag, err := tx.Exec(ctx, `DELETE FROM favourite WHERE id = $1 AND practitioner_id = $2`, id, doctor)
	return tag.RowsAffected() == 1, err
}
