package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// selectForOffice are the requests of the scope's hospitals that wait for their medical office, or went out before it.
func selectForOffice(ctx context.Context, tx tx, scope authz.Scope) ([]ids.Teleconsult, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Teleconsult], `
		SELECT id FROM teleconsult WHERE office_since IS NOT NULL AND inviter_institution_id = ANY(@scope_places) ORDER BY office_since, id LIMIT 200`, scope.Args())
}

// lockForOffice reports whether the request is one that the office of the scope's hospitals may have been asked about.
func lockForOffice(ctx context.Context, tx tx, scope authz.Scope, id ids.Teleconsult) (theirs bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT true FROM teleconsult WHERE id = @id AND inviter_institution_id = ANY(@scope_places)
		   AND (office_since IS NOT NULL OR EXISTS (SELECT FROM teleconsult_step s WHERE s.teleconsult_id = teleconsult.id AND s.deed IN ('ask the office', 'go ahead')))
		FOR UPDATE`, scope.With(pgx.NamedArgs{"id": id})).Scan(&theirs)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return theirs, err
}

// countersignNeeded is the setting in force; a hospital that has set none needs none.
func countersignNeeded(ctx context.Context, tx tx, place ids.Institution) (needed bool, err error) {
	err = tx.QueryRow(ctx, `SELECT needed FROM teleconsult_countersigning WHERE institution_id = $1 ORDER BY version DESC LIMIT 1`, place).Scan(&needed)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return needed, err
}

// selectCountersignRules reads one or all hospitals of the scope.
func selectCountersignRules(ctx context.Context, tx tx, scope authz.Scope, only ids.Institution) ([]CountersignRule, error) {
	list, err := collect(ctx, tx, func(row pgx.CollectableRow) (r CountersignRule, err error) {
		return r, row.Scan(&r.Place.ID, &r.Place.Name)
	}, `
		SELECT id, name FROM institution WHERE kind <> 'pharmacy' AND (@id::uuid IS NULL OR id = @id) AND id = ANY(@scope_places) ORDER BY name`,
		scope.With(pgx.NamedArgs{"id": only}))
	if err != nil {
		return nil, err
	}
	for i := range list {
		r := &list[i]
		r.History, err = collect(ctx, tx, pgx.RowToStructByPos[CountersignVersion], `
			SELECT v.version, v.needed, a.name, v.reason, v.at FROM teleconsult_countersigning v JOIN account a ON a.id = v.account_id
			WHERE v.institution_id = $1 ORDER BY v.version DESC LIMIT 50`, r.Place.ID)
		if err != nil {
			return nil, err
		}
		if len(r.History) > 0 {
			r.Version, r.Needed = r.History[0].Version, r.History[0].Needed
		}
	}
	return list, nil
}

func insertCountersigning(ctx context.Context, tx tx, place ids.Institution, set SetCountersigning, by ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO teleconsult_countersigning (institution_id, version, needed, reason, account_id, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		place, set.Version+1, set.Needed, set.Reason, by, now)
	return err
}

func insertCountersign(ctx context.Context, tx tx, id ids.Teleconsult, c Countersign, by ids.Account) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_countersign (teleconsult_id, n, signed, reason, sha256, account_id, at)
		SELECT $1, 1 + coalesce(max(n), 0), $2, $3, $4, $5, $6 FROM teleconsult_countersign WHERE teleconsult_id = $1`, id, c.Signed, c.Reason, c.SHA256, by, c.At)
	return err
}

func selectCountersigns(ctx context.Context, tx tx, id ids.Teleconsult) ([]Countersign, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[Countersign], `
		SELECT c.signed, a.name, c.reason, c.sha256, c.at FROM teleconsult_countersign c JOIN account a ON a.id = c.account_id
		WHERE c.teleconsult_id = $1 ORDER BY c.n`, id)
}

// owe notes that a request has gone out before the office.
func owe(ctx context.Context, tx tx, id ids.Teleconsult, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET office_since = $2 WHERE id = $1`, id, now)
	return err
}

// owing holds of what has gone out before the office, and of which it has not been told what is to be told now: that it is soon due,
// or late.
const owing = `office_since IS NOT NULL AND state <> 'with_office'
		   AND (office_told_at IS NULL AND office_since + @owe::interval - @early::interval <= @now
		        OR office_told_at < office_since + @owe::interval AND office_since + @owe::interval <= @now)`

func owingArgs(id ids.Teleconsult, now time.Time) pgx.NamedArgs {
	return pgx.NamedArgs{"id": id, "now": now, "owe": oweCountersign, "early": remindOffice}
}

func selectOwing(ctx context.Context, tx tx, now time.Time) ([]ids.Teleconsult, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Teleconsult], `SELECT id FROM teleconsult WHERE `+owing+` ORDER BY office_since`, owingArgs(ids.Teleconsult{}, now))
}

// putOfficeTold notes that the office is told now, and whether that is after the time it had.
func putOfficeTold(ctx context.Context, tx tx, id ids.Teleconsult, now time.Time) (late, done bool, err error) {
	err = tx.QueryRow(ctx, `UPDATE teleconsult SET office_told_at = @now WHERE id = @id AND `+owing+` RETURNING office_since + @owe::interval <= @now`,
		owingArgs(id, now)).Scan(&late)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, false, nil
	}
	return late, err == nil, err
}

func settleOffice(ctx context.Context, tx tx, id ids.Teleconsult) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET office_since = NULL WHERE id = $1`, id)
	return err
}
