package prescribe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// selectPaper is zero if the house keeps no paper of that hash.
func selectPaper(ctx context.Context, tx tx, sha256 string) (keptPaper, error) {
	list, err := collect[keptPaper](ctx, tx, `SELECT content_type, size, object_key FROM policy_file WHERE sha256 = $1`, sha256)
	if err != nil || len(list) == 0 {
		return keptPaper{}, err
	}
	return list[0], nil
}

func insertLongDocument(ctx context.Context, tx tx, id ids.LongDocument, n NewLongDocument, by ids.Account, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO long_document (id, institution_id, title, number, issuer, max_days, valid_from, valid_until, sha256, filed_by, filed_at)
		SELECT $1, i.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM institution i WHERE i.id = $2`,
		id, n.Institution, n.Title, n.Number, n.Issuer, n.MaxDays, n.ValidFrom, n.ValidUntil, n.SHA256, by, at)
	return err
}

func approveLongDocument(ctx context.Context, tx tx, id ids.LongDocument, by ids.Account, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE long_document SET approved_by = $2, approved_at = $3
		WHERE id = $1 AND approved_at IS NULL AND withdrawn_at IS NULL AND filed_by <> $2`, id, by, at)
	return tag.RowsAffected() == 1, err
}

func withdrawLongDocument(ctx context.Context, tx tx, id ids.LongDocument, by ids.Account, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE long_document SET withdrawn_by = $2, withdrawn_at = $3 WHERE id = $1 AND withdrawn_at IS NULL`, id, by, at)
	return tag.RowsAffected() == 1, err
}

func selectLongDocuments(ctx context.Context, db pg.DB, places []ids.Institution, id ids.LongDocument, at time.Time) ([]LongDocument, error) {
	rows, err := db.Query(ctx, `
		SELECT d.id, d.institution_id, i.name AS institution, d.title, d.number, d.issuer, d.max_days, d.valid_from, d.valid_until, d.sha256,
		       CASE WHEN d.withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN d.valid_until < $3::date THEN 'expired'
		            WHEN d.approved_at IS NULL THEN 'filed' WHEN d.valid_from > $3::date THEN 'waiting' ELSE 'valid' END AS state,
		       f.name AS filed_by, a.name AS approved_by, w.name AS withdrawn_by
		FROM long_document d JOIN institution i ON i.id = d.institution_id JOIN account f ON f.id = d.filed_by
		LEFT JOIN account a ON a.id = d.approved_by LEFT JOIN account w ON w.id = d.withdrawn_by
		WHERE d.institution_id = ANY ($1::uuid[]) AND ($2::uuid IS NULL OR d.id = $2::uuid) ORDER BY d.id DESC LIMIT 200`, texts(places), id, dayOf(at))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[LongDocument])
}

// permit is the document under which a hospital may write more than 84 days on a day: of several the one with most days.
type permit struct {
	ID      ids.LongDocument
	Title   string
	Number  string
	MaxDays int
}

func selectPermit(ctx context.Context, tx tx, place ids.Institution, at time.Time) (permit, error) {
	list, err := collect[permit](ctx, tx, `
		SELECT id, title, number, max_days FROM long_document
		WHERE institution_id = $1 AND approved_at IS NOT NULL AND withdrawn_at IS NULL AND $2::date BETWEEN valid_from AND valid_until
		ORDER BY max_days DESC, id LIMIT 1`, place, dayOf(at))
	if err != nil || len(list) == 0 {
		return permit{}, err
	}
	return list[0], nil
}
