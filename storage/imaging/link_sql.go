package imaging

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

const linkColumns = `l.id, s.uid, l.made_at, l.expires_at, l.uses, l.most_uses, l.revoked_at, ''`

// shareable is the study of the asker's hospital under the UID.
func (s *Service) shareable(ctx context.Context, tx pgx.Tx, uid string) (study ids.Study, place ids.Institution, person ids.Person, err error) {
	err = tx.QueryRow(ctx, `SELECT id, institution_id, person_id FROM study s WHERE uid = @uid AND institution_id = ANY(@scope_places) ORDER BY stored_at LIMIT 1`,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"uid": uid})).Scan(&study, &place, &person)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return study, place, person, err
}

func (s *Service) insertLink(ctx context.Context, l Link) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		study, place, person, err := s.shareable(ctx, tx, l.Study)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO image_link (id, institution_id, study_id, secret_hash, made_by, made_at, expires_at, most_uses)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			l.ID, place, study, hashed(l.Secret), authz.SubjectFrom(ctx).Account, l.MadeAt, l.Expires, l.Most)
		if err != nil {
			return fmt.Errorf("make link: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.share", Object: "study/" + l.Study, Person: person, Place: place, Reason: "link/" + l.ID.String()})
	})
}

func (s *Service) links(ctx context.Context, uid string) (all []Link, err error) {
	return all, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		study, place, person, err := s.shareable(ctx, tx, uid)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT `+linkColumns+` FROM image_link l JOIN study s ON s.id = l.study_id WHERE s.id = $1 ORDER BY l.made_at DESC`, study)
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Link]); err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.share", Object: "study/" + uid, Person: person, Place: place, Reason: "listed links"})
	})
}

func (s *Service) revoke(ctx context.Context, id linkID) (l Link, err error) {
	return l, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE image_link l SET revoked_at = coalesce(l.revoked_at, @now) FROM study s
			WHERE l.id = @id AND s.id = l.study_id AND l.institution_id = ANY(@scope_places) RETURNING `+linkColumns,
			authz.ScopeFrom(ctx).With(pgx.NamedArgs{"id": id, "now": s.Now()}))
		if err != nil {
			return fmt.Errorf("revoke link: %w", err)
		}
		if l, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Link]); errors.Is(err, pgx.ErrNoRows) {
			return fault.Missing()
		} else if err != nil {
			return fmt.Errorf("revoke link: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.share", Object: "link/" + id.String(), Reason: "revoked"})
	})
}

// exchange counts a use of the link and keeps the token that it gives.
func (s *Service) exchange(ctx context.Context, secret, token string) (l Link, err error) {
	return l, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE image_link l SET uses = l.uses + 1 FROM study s
			WHERE l.secret_hash = $1 AND s.id = l.study_id AND l.revoked_at IS NULL AND l.expires_at > $2 AND l.uses < l.most_uses
			RETURNING `+linkColumns, hashed(secret), s.Now())
		if err != nil {
			return fmt.Errorf("open link: %w", err)
		}
		if l, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Link]); errors.Is(err, pgx.ErrNoRows) {
			return linkGone
		} else if err != nil {
			return fmt.Errorf("open link: %w", err)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO image_link_opening (token_hash, link_id, opened_at) VALUES ($1, $2, $3)`, hashed(token), l.ID, s.Now()); err != nil {
			return fmt.Errorf("open link: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.shared", Object: "link/" + l.ID.String(), Reason: fmt.Sprintf("use %d of %d", l.Uses, l.Most)})
	})
}

// openedLink is the living link behind a token. Revoked, lapsed and unknown are the same.
func (s *Service) openedLink(ctx context.Context, token string) (id linkID, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT l.id FROM image_link_opening o JOIN image_link l ON l.id = o.link_id
		WHERE o.token_hash = $1 AND l.revoked_at IS NULL AND l.expires_at > $2 AND o.opened_at > $3`,
		hashed(token), s.Now(), s.Now().Add(-openingLife)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = openFirst
	}
	return id, err
}
