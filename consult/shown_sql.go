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

// selectShownBatches is the first most batches as they are stored.
func selectShownBatches(ctx context.Context, tx tx, id ids.Teleconsult, most int) ([]shownBatch, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (b shownBatch, err error) {
		err = row.Scan(&b.N, &b.By, &b.At, &b.States)
		b.At = b.At.UTC()
		return b, err
	}, `SELECT n, practitioner_id, at, states FROM teleconsult_shown WHERE teleconsult_id = $1 AND n <= $2 ORDER BY n`, id, most)
}

func selectBoundOpinions(ctx context.Context, tx tx, id ids.Teleconsult) ([]boundOpinion, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (o boundOpinion, err error) {
		err = row.Scan(&o.By.ID, &o.By.Name, &o.By.Title, &o.SignedAt, &o.canonical, &o.signature, &o.key.KeyID, &o.key.Alg, &o.key.Public)
		return o, err
	}, `SELECT p.id, p.name, p.title, d.signed_at, d.canonical, d.signature, k.id::text, k.alg, k.public_key
		FROM teleconsult_document d JOIN practitioner p ON p.id = d.practitioner_id JOIN signing_key k ON k.id = d.key_id
		WHERE d.teleconsult_id = $1 AND d.kind = 'opinion' AND d.signed_at IS NOT NULL ORDER BY d.signed_at, d.id`, id)
}
