package imaging

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// count adds an object to what the institution holds, as the last statement of the transaction that keeps it: from here
// to the commit others wait. Beyond the limit the constraint image_holding_full undoes it all.
const count = `
	UPDATE image_holding SET bytes = bytes + @size, allowed = CASE WHEN @house THEN greatest(allowed, bytes + @size) ELSE coalesce(quota, @quota) END
	WHERE institution_id = @place`

// quota is what the platform gives each institution.
func (s *Service) quota() int64 {
	if s.Quota > 0 {
		return s.Quota
	}
	return math.MaxInt64
}

// room is how many bytes the institution may still store. An upload under way counts whole from its beginning: two that fit one by
// one and not together would both be let in, and the second refused when all its bytes have come.
func (s *Service) room(ctx context.Context, place ids.Institution) (left int64, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT coalesce(h.quota, $2) - coalesce(h.bytes, 0)
			- (SELECT coalesce(sum(CASE WHEN state = 'receiving' AND touched_at < $3 THEN received ELSE length END), 0)::bigint FROM image_upload WHERE institution_id = $1 AND state IN ('receiving', 'taking'))
		FROM (SELECT) one LEFT JOIN image_holding h ON h.institution_id = $1`, place, s.quota(), s.Now().Add(-uploadQuiet)).Scan(&left)
	if err != nil {
		return 0, fmt.Errorf("room for images: %w", err)
	}
	return left, nil
}

const holdingColumns = `SELECT n.id, n.name, coalesce(h.bytes, 0), coalesce(h.quota, @quota), h.quota IS NOT NULL, h.set_at
	FROM institution n LEFT JOIN image_holding h ON h.institution_id = n.id`

func (s *Service) holdings(ctx context.Context, scope authz.Scope) (all []Holding, err error) {
	return all, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, holdingColumns+` WHERE n.id = ANY(@scope_places) ORDER BY n.name`, scope.With(pgx.NamedArgs{"quota": s.quota()}))
		if err != nil {
			return fmt.Errorf("list holdings: %w", err)
		}
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Holding]); err != nil {
			return fmt.Errorf("list holdings: %w", err)
		}
		return nil
	})
}

func (s *Service) setQuota(ctx context.Context, scope authz.Scope, place ids.Institution, quota int64) (h Holding, err error) {
	if !slices.Contains(scope.Places(), place) {
		return h, fault.Missing()
	}
	return h, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO image_holding (institution_id, quota, set_by, set_at) VALUES ($1, nullif($2::bigint, 0), $3, $4)
			ON CONFLICT (institution_id) DO UPDATE SET quota = excluded.quota, set_by = excluded.set_by, set_at = excluded.set_at`,
			place, quota, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return fmt.Errorf("set quota: %w", err)
		}
		if h, err = one[Holding](ctx, tx, holdingColumns+` WHERE n.id = @id`, pgx.NamedArgs{"id": place, "quota": s.quota()}); err != nil {
			return fmt.Errorf("set quota: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.manage", Object: "institution/" + place.String(), Place: place, Reason: fmt.Sprintf("quota %d", quota)})
	})
}

// one reads the one row of a query; none is fault.NotFound.
func one[T any](ctx context.Context, db pg.DB, sql string, args pgx.NamedArgs) (v T, err error) {
	rows, err := db.Query(ctx, sql, args)
	if err != nil {
		return v, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err == nil && len(all) == 0 {
		err = fault.Missing()
	}
	if err != nil {
		return v, err
	}
	return all[0], nil
}
