package imaging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/storage"
)

const uploadColumns = `id, institution_id, account_id, length, received, state, outcome`

func (s *Service) insertUpload(ctx context.Context, u Upload) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO image_upload (id, institution_id, account_id, length, state, touched_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		u.ID, u.Place, u.Account, u.Length, u.State, s.Now())
	if err != nil {
		return fmt.Errorf("begin upload: %w", err)
	}
	return nil
}

// upload finds the sender's own upload, at a hospital where it still may store.
func (s *Service) upload(ctx context.Context, id uploadID) (u Upload, err error) {
	scope := authz.ScopeFrom(ctx)
	rows, err := s.DB.Query(ctx, `SELECT `+uploadColumns+` FROM image_upload WHERE id = @id AND state <> 'ended' AND account_id = @account AND institution_id = ANY(@scope_places)`,
		scope.With(pgx.NamedArgs{"id": id, "account": scope.Subject.Account}))
	if err != nil {
		return u, fmt.Errorf("find upload: %w", err)
	}
	u, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Upload])
	if errors.Is(err, pgx.ErrNoRows) {
		return u, fault.Missing()
	}
	return u, err
}

func (s *Service) insertPiece(ctx context.Context, id uploadID, p piece) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO image_upload_piece (object_key, upload_id, begins, size) VALUES ($1, $2, $3, $4)`, string(p.Key), id, p.Begins, p.Size)
	if err != nil {
		return fmt.Errorf("begin piece: %w", err)
	}
	return nil
}

// advance counts a piece whose bytes lie in the store. u is the upload as it is with it; when it is whole, the job of
// taking it goes with it.
func (s *Service) advance(ctx context.Context, u Upload, p piece) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `UPDATE image_upload SET received = $3, state = $4, touched_at = $5 WHERE id = $1 AND received = $2 AND state = 'receiving'`,
			u.ID, p.Begins, u.Received, u.State, s.Now())
		if err != nil {
			return fmt.Errorf("advance upload: %w", err)
		}
		if done.RowsAffected() == 0 {
			return uploadElsewhere
		}
		if _, err := tx.Exec(ctx, `UPDATE image_upload_piece SET whole = true WHERE object_key = $1`, string(p.Key)); err != nil {
			return fmt.Errorf("keep piece: %w", err)
		}
		if u.State != "taking" {
			return nil
		}
		if err := s.Jobs.Insert(ctx, tx, Take{u.ID}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.store", Object: "upload/" + u.ID.String(), Place: u.Place})
	})
}

// wholeUpload is the upload with its pieces in order; one that is gone is none, and done.
func (s *Service) wholeUpload(ctx context.Context, id uploadID) (u Upload, pieces []piece, err error) {
	rows, err := s.DB.Query(ctx, `SELECT `+uploadColumns+` FROM image_upload WHERE id = $1`, id)
	if err != nil {
		return u, nil, fmt.Errorf("find upload: %w", err)
	}
	if u, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Upload]); errors.Is(err, pgx.ErrNoRows) {
		return u, nil, nil
	} else if err != nil {
		return u, nil, err
	}
	pieces, err = s.pieces(ctx, `SELECT object_key, begins, size FROM image_upload_piece WHERE upload_id = $1 AND whole ORDER BY begins`, id)
	return u, pieces, err
}

func (s *Service) pieces(ctx context.Context, statement string, id uploadID) ([]piece, error) {
	rows, err := s.DB.Query(ctx, statement, id)
	if err != nil {
		return nil, fmt.Errorf("list pieces: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p piece, err error) {
		return p, row.Scan((*string)(&p.Key), &p.Begins, &p.Size)
	})
}

func (s *Service) touchUpload(ctx context.Context, id uploadID) error {
	_, err := s.DB.Exec(ctx, `UPDATE image_upload SET touched_at = $2 WHERE id = $1`, id, s.Now())
	return err
}

func (s *Service) finishUpload(ctx context.Context, u Upload) error {
	_, err := s.DB.Exec(ctx, `UPDATE image_upload SET state = 'done', outcome = $2, touched_at = $3 WHERE id = $1 AND state = 'taking'`, u.ID, u.Outcome, s.Now())
	if err != nil {
		return fmt.Errorf("finish upload: %w", err)
	}
	return nil
}

// endUpload makes an upload unknown to its sender and stops who still sends.
func (s *Service) endUpload(ctx context.Context, id uploadID) error {
	done, err := s.DB.Exec(ctx, `UPDATE image_upload SET state = 'ended' WHERE id = $1 AND state <> 'taking'`, id)
	if err != nil {
		return fmt.Errorf("end upload: %w", err)
	}
	if done.RowsAffected() == 0 {
		return uploadTaken
	}
	return nil
}

// clearPieces removes the objects of an upload.
func (s *Service) clearPieces(ctx context.Context, id uploadID) error {
	all, err := s.pieces(ctx, `SELECT object_key, begins, size FROM image_upload_piece WHERE upload_id = $1`, id)
	if err != nil {
		return err
	}
	return s.dropPieces(ctx, all)
}

// dropPieces removes objects, each before its row.
func (s *Service) dropPieces(ctx context.Context, all []piece) error {
	keys := make([]string, 0, len(all))
	for _, p := range all {
		if err := s.Objects.Delete(ctx, p.Key); err != nil {
			return err
		}
		keys = append(keys, string(p.Key))
	}
	if _, err := s.DB.Exec(ctx, `DELETE FROM image_upload_piece WHERE object_key = ANY($1)`, keys); err != nil {
		return fmt.Errorf("clear pieces: %w", err)
	}
	return nil
}

// strayAge is how long an object's row may take, far longer than both together; then its writer was killed.
const strayAge = 24 * time.Hour

// clearStrays removes the objects that never got their row.
func (s *Service) clearStrays(ctx context.Context) error {
	rows, err := s.DB.Query(ctx, `SELECT object_key FROM image_underway WHERE begun_at < $1 ORDER BY begun_at LIMIT 1000`, s.Now().Add(-strayAge))
	if err != nil {
		return fmt.Errorf("find objects without a row: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[storage.Key])
	if err != nil {
		return fmt.Errorf("find objects without a row: %w", err)
	}
	for _, key := range keys {
		if err := s.dropStray(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) dropStray(ctx context.Context, key storage.Key) error {
	if err := s.Objects.Delete(ctx, key); err != nil {
		return err
	}
	if _, err := s.DB.Exec(ctx, `DELETE FROM image_underway WHERE object_key = $1`, string(key)); err != nil {
		return fmt.Errorf("clear an object without a row: %w", err)
	}
	return nil
}

// untouched finds uploads whose taker has died, before or after it was done, and those that may be forgotten.
func (s *Service) untouched(ctx context.Context) (orphans, old []uploadID, err error) {
	find := func(where string, args ...any) ([]uploadID, error) {
		rows, err := s.DB.Query(ctx, `SELECT id FROM image_upload WHERE `+where+` ORDER BY touched_at LIMIT 100`, args...)
		if err != nil {
			return nil, fmt.Errorf("find uploads: %w", err)
		}
		return pgx.CollectRows(rows, pgx.RowTo[uploadID])
	}
	if orphans, err = find(`touched_at < $1 AND state = 'taking' OR state = 'done' AND EXISTS (SELECT FROM image_upload_piece p WHERE p.upload_id = image_upload.id)`, s.Now().Add(-takerLife)); err != nil {
		return nil, nil, err
	}
	old, err = find(`state = 'ended' OR touched_at < $1 AND state <> 'taking'`, s.Now().Add(-uploadLife))
	return orphans, old, err
}

func (s *Service) forgetUpload(ctx context.Context, id uploadID) error {
	_, err := s.DB.Exec(ctx, `DELETE FROM image_upload u WHERE id = $1 AND NOT EXISTS (SELECT FROM image_upload_piece p WHERE p.upload_id = u.id)`, id)
	if err != nil {
		return fmt.Errorf("forget upload: %w", err)
	}
	return nil
}
