package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// insertInstrument says whether there was room for one more. Two that come at the same moment may make it one too many, which
// harms nobody.
func insertInstrument(ctx context.Context, tx tx, i Instrument, v venue) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO instrument (id, institution_id, visit_id, teleconsult_id, kind, name, account_id, link_id, added_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
		WHERE (SELECT count(*) FROM instrument WHERE (visit_id = $3 OR teleconsult_id = $4) AND removed_at IS NULL) < $10`,
		i.ID, v.institution.ID, v.visit, v.teleconsult, i.Kind, i.Name, v.by.account, v.by.link, i.Added, maxInstruments)
	return tag.RowsAffected() == 1, err
}

func selectInstruments(ctx context.Context, tx tx, v venue) ([]Instrument, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (i Instrument, err error) {
		err = row.Scan(&i.ID, &i.Kind, &i.Name, &i.Added)
		i.Seat = control.Seat(instrumentSeat + i.ID.String())
		return i, err
	}, `SELECT id, kind, name, added_at FROM instrument
		WHERE (visit_id = $1 OR teleconsult_id = $2) AND removed_at IS NULL ORDER BY added_at, id`, v.visit, v.teleconsult)
}

func removeInstrument(ctx context.Context, tx tx, v venue, id ids.Instrument, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE instrument SET removed_at = $4 WHERE id = $3 AND (visit_id = $1 OR teleconsult_id = $2) AND removed_at IS NULL`,
		v.visit, v.teleconsult, id, now)
	return tag.RowsAffected() == 1, err
}
