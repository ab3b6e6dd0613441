package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

func selectLimit(ctx context.Context, tx tx, t Teleconsult, now time.Time) (l Limit, found bool, err error) {
	l = Limit{Kind: t.Kind, Urgency: t.Urgency}
	err = tx.QueryRow(ctx, `
		SELECT l.arrange_min, l.finish_min, l.finish_days FROM teleconsult_limits v JOIN teleconsult_limit l USING (institution_id, version)
		WHERE v.institution_id = $1 AND l.kind = $2 AND l.urgency = $3 AND v.at <= coalesce((SELECT submitted_at FROM teleconsult WHERE id = $4), $5)
		ORDER BY v.version DESC LIMIT 1`, t.Invited.ID, t.Kind, t.Urgency, t.ID, now).Scan(&l.ArrangeMin, &l.FinishMin, &l.FinishDays)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, false, nil
	}
	return l, err == nil, err
}

// selectLimits reads one or all Internet hospitals of the scope.
func selectLimits(ctx context.Context, tx tx, scope authz.Scope, only ids.Institution) ([]Limits, error) {
	list, err := collect(ctx, tx, func(row pgx.CollectableRow) (l Limits, err error) {
		l.Customary = customary
		return l, row.Scan(&l.Place.ID, &l.Place.Name)
	}, `
		SELECT id, name FROM institution WHERE kind = 'internet_hospital' AND (@id::uuid IS NULL OR id = @id) AND (@scope_all OR id = ANY(@scope_places)) ORDER BY name`,
		scope.With(pgx.NamedArgs{"id": only}))
	if err != nil {
		return nil, err
	}
	for i := range list {
		l := &list[i]
		l.History, err = collect(ctx, tx, pgx.RowToStructByPos[LimitsVersion], `
			SELECT v.version, a.name, v.reason, v.at FROM teleconsult_limits v JOIN account a ON a.id = v.account_id
			WHERE v.institution_id = $1 ORDER BY v.version DESC LIMIT 50`, l.Place.ID)
		if err != nil {
			return nil, err
		}
		if len(l.History) == 0 {
			l.Limits = customary
			continue
		}
		l.Version = l.History[0].Version
		l.Limits, err = collect(ctx, tx, pgx.RowToStructByPos[Limit], `
			SELECT kind, urgency, arrange_min, finish_min, finish_days FROM teleconsult_limit WHERE institution_id = $1 AND version = $2
			ORDER BY array_position($3::text[], kind), array_position($4::text[], urgency)`, l.Place.ID, l.Version, limitKinds, limitUrgencies)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func insertLimits(ctx context.Context, tx tx, place ids.Institution, set SetLimits, by ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO teleconsult_limits (institution_id, version, reason, account_id, at) VALUES ($1, $2, $3, $4, $5)`,
		place, set.Version+1, set.Reason, by, now)
	if err != nil {
		return err
	}
	for _, l := range set.Limits {
		_, err := tx.Exec(ctx, `
			INSERT INTO teleconsult_limit (institution_id, version, kind, urgency, arrange_min, finish_min, finish_days) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			place, set.Version+1, l.Kind, l.Urgency, l.ArrangeMin, l.FinishMin, l.FinishDays)
		if err != nil {
			return err
		}
	}
	return nil
}
