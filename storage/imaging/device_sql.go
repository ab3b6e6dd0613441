package imaging

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

const deviceColumns = `
	SELECT d.account_id, d.institution_id, a.name, d.made_at, s.revoked_at, d.seen_at, d.state, ''
	FROM image_device d JOIN account a ON a.id = d.account_id JOIN session s ON s.id = d.session_id
	WHERE d.institution_id = ANY(@scope_places)`

func (s *Service) devices(ctx context.Context, scope authz.Scope) ([]Device, error) {
	rows, err := s.DB.Query(ctx, deviceColumns+` ORDER BY s.revoked_at IS NOT NULL, d.made_at DESC`, scope.Args())
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Device])
}

// insertDevice makes a machine's account, its membership and the session that is its token: 256 random bits, kept as a
// hash. A session resolves to it as to anybody, so each request asks whether it still holds.
func (s *Service) insertDevice(ctx context.Context, place ids.Institution, name string) (Device, error) {
	d := Device{ID: ids.New[ids.Account](), Institution: place, Name: name, MadeAt: s.Now(), Token: rand.Text() + rand.Text()}
	session := ids.New[ids.Session]()
	return d, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		var rows pgx.Batch
		rows.Queue(`INSERT INTO account (id, kind, name, created_at) VALUES ($1, 'device', $2, $3)`, d.ID, clean(name), d.MadeAt)
		rows.Queue(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, $3)`, d.ID, place, authz.Device)
		rows.Queue(`INSERT INTO session (id, token_hash, account_id, second_factor, created_at, expires_at) VALUES ($1, $2, $3, false, $4, 'infinity')`,
			session, hashed(d.Token), d.ID, d.MadeAt)
		rows.Queue(`INSERT INTO image_device (account_id, institution_id, session_id, made_by, made_at) VALUES ($1, $2, $3, $4, $5)`,
			d.ID, place, session, authz.SubjectFrom(ctx).Account, d.MadeAt)
		audit.Queue(ctx, &rows, audit.Entry{Action: "imaging.manage", Object: "device/" + d.ID.String(), Place: place, Reason: "made"})
		if err := tx.SendBatch(ctx, &rows).Close(); err != nil {
			return fmt.Errorf("make device: %w", err)
		}
		return nil
	})
}

func (s *Service) endDevice(ctx context.Context, scope authz.Scope, id ids.Account) (d Device, err error) {
	return d, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		args := scope.With(pgx.NamedArgs{"id": id, "now": s.Now()})
		_, err := tx.Exec(ctx, `
			UPDATE session s SET revoked_at = @now FROM image_device d
			WHERE s.id = d.session_id AND d.account_id = @id AND d.institution_id = ANY(@scope_places) AND s.revoked_at IS NULL`, args)
		if err != nil {
			return fmt.Errorf("end device: %w", err)
		}
		if d, err = one[Device](ctx, tx, deviceColumns+` AND d.account_id = @id`, args); err != nil {
			return fmt.Errorf("end device: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.manage", Object: "device/" + id.String(), Place: d.Institution, Reason: "revoked"})
	})
}

func (s *Service) noteDevice(ctx context.Context, id ids.Account, state DeviceState) error {
	done, err := s.DB.Exec(ctx, `UPDATE image_device SET seen_at = $2, state = $3 WHERE account_id = $1`, id, s.Now(), state)
	if err != nil {
		return fmt.Errorf("note device: %w", err)
	}
	if done.RowsAffected() == 0 {
		return fault.Missing()
	}
	return nil
}
