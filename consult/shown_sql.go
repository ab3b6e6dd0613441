package consult

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

// insertShown adds a batch, unless there are as many as are kept. The consult's row orders those who send at once.
func insertShown(ctx context.Context, tx tx, id ids.Teleconsult, by ids.Practitioner, now time.Time, states []Shown) (bool, error) {
	if _, err := tx.Exec(ctx, `SELECT FROM teleconsult WHERE id = $1 FOR UPDATE`, id); err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_shown (teleconsult_id, n, practitioner_id, at, states)
		SELECT $1, 1 + count(*), $2, $3, $4 FROM teleconsult_shown WHERE teleconsult_id = $1 HAVING count(*) < $5`, id, by, now, states, maxShown)
	return tag.RowsAffected() == 1, err
}

// selectShown is everything in the order in which it was shown.
func selectShown(ctx context.Context, tx tx, id ids.Teleconsult) ([]Shown, error) {
	batches, err := collect(ctx, tx, func(row pgx.CollectableRow) (states []Shown, err error) {
		var at time.Time
		var by Doctor
		if err := row.Scan(&at, &states, &by.ID, &by.Name, &by.Title); err != nil {
			return nil, err
		}
		for i := range states {
			v := &states[i]
			v.At, v.By, v.Ago = at.Add(-time.Duration(v.Ago)*time.Millisecond), by, 0
		}
		return states, nil
	}, `SELECT s.at, s.states, p.id, p.name, p.title FROM teleconsult_shown s JOIN practitioner p ON p.id = s.practitioner_id
		WHERE s.teleconsult_id = $1 ORDER BY s.n`, id)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(batches...)
	slices.SortStableFunc(all, func(a, b Shown) int { return a.At.Compare(b.At) })
	if all == nil {
		all = []Shown{}
	}
	return all, nil
}
