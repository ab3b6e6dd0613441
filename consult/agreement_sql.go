package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// mainland are the provinces whose law this is (GB/T 2260): not Taiwan (71), Hong Kong (81), Macao (82).
const mainland = `'^(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5])'`

type partnerRow struct {
	ID                       ids.Institution
	Inland, Licensed, Agreed bool
}

// partnership says of hospital i whether it may take part in what hospital a asks for.
const partnership = `i.region ~ ` + mainland + ` AND a.region ~ ` + mainland + `, i.licence_until >= @today::date AND a.licence_until >= @today::date,
	EXISTS (SELECT FROM agreement g WHERE g.inviter_institution_id = a.id AND g.invited_institution_id = i.id AND @kind = ANY(g.kinds)
	        AND g.accepted_at IS NOT NULL AND g.ended_at IS NULL AND g.during @> @today::date) AS agreed`

// selectPartner finds the hospital to ask, the one with an agreement first; a zero one if none has the department.
func selectPartner(ctx context.Context, tx tx, in NewTeleconsult, except []ids.Institution, asking ids.Institution, today string) (p partnerRow, err error) {
	err = tx.QueryRow(ctx, `
		SELECT i.id, `+partnership+`
		FROM institution i JOIN institution_department d ON d.institution_id = i.id AND d.name = @department JOIN institution a ON a.id = @asking
		WHERE i.kind = 'internet_hospital' AND i.id <> ALL(@except) AND (@invited::uuid IS NULL OR i.id = @invited)
		  AND EXISTS (SELECT FROM membership m WHERE m.institution_id = i.id AND m.role = 'coordinator')
		ORDER BY agreed DESC, i.id LIMIT 1`,
		pgx.NamedArgs{"department": in.Department, "except": except, "invited": in.Invited, "asking": asking, "today": today, "kind": in.kind()}).
		Scan(&p.ID, &p.Inland, &p.Licensed, &p.Agreed)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	return p, err
}

// selectPartnership is of a hospital that is there.
func selectPartnership(ctx context.Context, tx tx, id, asking ids.Institution, kind, today string) (p partnerRow, err error) {
	err = tx.QueryRow(ctx, `SELECT i.id, `+partnership+` FROM institution i JOIN institution a ON a.id = @asking WHERE i.id = @id`,
		pgx.NamedArgs{"id": id, "asking": asking, "today": today, "kind": kind}).Scan(&p.ID, &p.Inland, &p.Licensed, &p.Agreed)
	return p, err
}

// selectAgreements reads one or all of the scope's hospitals; those in force first.
func selectAgreements(ctx context.Context, tx tx, scope authz.Scope, only agreementID, today string) ([]Agreement, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (a Agreement, err error) {
		err = row.Scan(&a.ID, &a.State, &a.Inviter.ID, &a.Inviter.Name, &a.Invited.ID, &a.Invited.Name, &a.Kinds, &a.Terms, &a.From, &a.Until, &a.Offered, &a.Signers, &a.EndedAt)
		return a, err
	}, `
		SELECT g.id, CASE WHEN g.ended_at IS NOT NULL THEN 'ended' WHEN upper(g.during) <= @today::date THEN 'expired' WHEN g.accepted_at IS NULL THEN 'offered'
		                  WHEN lower(g.during) > @today::date THEN 'to_come' ELSE 'in_force' END AS state,
		       a.id, a.name, b.id, b.name, g.kinds, g.terms, lower(g.during)::text, (upper(g.during) - 1)::text, g.offered_by,
		       ARRAY(SELECT name FROM account x WHERE x.id IN (g.offered_account_id, g.accepted_account_id) ORDER BY x.id <> g.offered_account_id), g.ended_at
		FROM agreement g JOIN institution a ON a.id = g.inviter_institution_id JOIN institution b ON b.id = g.invited_institution_id
		WHERE (@id::uuid IS NULL OR g.id = @id) AND (@scope_all OR a.id = ANY(@scope_places) OR b.id = ANY(@scope_places))
		ORDER BY g.ended_at IS NOT NULL, upper(g.during) <= @today::date, g.offered_at DESC LIMIT 200`,
		scope.With(pgx.NamedArgs{"id": only, "today": today}))
}

// mayAgree reports whether both are hospitals of the mainland.
func mayAgree(ctx context.Context, tx tx, n NewAgreement) (fit bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT count(*) = 2 FROM institution WHERE id IN ($1, $2) AND kind <> 'pharmacy' AND region ~ `+mainland, n.Inviter, n.Invited).Scan(&fit)
	return fit, err
}

func insertAgreement(ctx context.Context, tx tx, id agreementID, n NewAgreement, side ids.Institution, account ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO agreement (id, inviter_institution_id, invited_institution_id, kinds, terms, during, offered_by, offered_account_id, offered_at)
		VALUES ($1, $2, $3, $4, $5, daterange($6::date, $7::date, '[]'), $8, $9, $10)`, id, n.Inviter, n.Invited, n.Kinds, n.Terms, n.From, n.Until, side, account, now)
	return err
}

func acceptAgreement(ctx context.Context, tx tx, id agreementID, account ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE agreement SET accepted_account_id = $2, accepted_at = $3 WHERE id = $1 AND accepted_at IS NULL AND ended_at IS NULL AND offered_account_id <> $2`,
		id, account, now)
	return tag.RowsAffected() == 1, err
}

func endAgreement(ctx context.Context, tx tx, id agreementID, account ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE agreement SET ended_account_id = $2, ended_at = $3 WHERE id = $1 AND ended_at IS NULL`, id, account, now)
	return tag.RowsAffected() == 1, err
}
