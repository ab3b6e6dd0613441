package prescribe

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/qr"
)

// dayOf is the calendar day in China, as Postgres takes a date.
func dayOf(t time.Time) string { return t.In(qr.China).Format(time.DateOnly) }

func institutionByCode(ctx context.Context, tx tx, code string) (id ids.Institution, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM institution WHERE code = $1`, code).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, nil
	}
	return id, err
}

func insertInstitution(ctx context.Context, tx tx, id ids.Institution, a Application) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until)
		VALUES ($1, $2, $3, 'pharmacy', $4, $5, $6, $7)`, id, a.Code, a.Name, a.Region, a.Address, a.Phone, a.LicenceUntil)
	return err
}

func insertPharmacy(ctx context.Context, tx tx, id ids.Institution, a Application, by ids.Account, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO pharmacy (institution_id, licence_no, business_scope, pharmacist, channels, documents, licence_until, state, applied_by, applied_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'applied', $8, $9)
		ON CONFLICT (institution_id) DO UPDATE SET licence_no = excluded.licence_no, business_scope = excluded.business_scope, pharmacist = excluded.pharmacist,
			channels = excluded.channels, documents = excluded.documents, licence_until = excluded.licence_until, state = 'applied',
			applied_by = excluded.applied_by, applied_at = excluded.applied_at, first_by = NULL, first_at = NULL, second_by = NULL, second_at = NULL
		WHERE pharmacy.state IN ('refused', 'suspended') OR pharmacy.licence_until < $10::date`,
		id, a.LicenceNo, a.BusinessScope, a.Pharmacist, a.Channels, a.Documents, a.LicenceUntil, by, at, dayOf(at))
	return tag.RowsAffected() == 1, err
}

// approvePharmacy gives the approval that is next and tells which; none when this account can't, or the licence is over.
func approvePharmacy(ctx context.Context, tx tx, id ids.Institution, by ids.Account, at time.Time) (deed string, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE pharmacy SET
			first_by = coalesce(first_by, $2), first_at = coalesce(first_at, $3),
			second_by = CASE WHEN first_by IS NOT NULL THEN $2::uuid END, second_at = CASE WHEN first_by IS NOT NULL THEN $3::timestamptz END,
			state = CASE WHEN first_by IS NOT NULL THEN 'approved' ELSE 'applied' END,
			checked_on = CASE WHEN first_by IS NOT NULL THEN $4::date ELSE checked_on END
		WHERE institution_id = $1 AND state IN ('applied', 'suspended') AND applied_by <> $2 AND first_by IS DISTINCT FROM $2 AND licence_until >= $4::date
		RETURNING CASE WHEN state = 'approved' THEN 'second_approval' ELSE 'first_approval' END`, id, by, at, dayOf(at)).Scan(&deed)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return deed, err
}

func recheckPharmacy(ctx context.Context, tx tx, id ids.Institution, by ids.Account, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE pharmacy SET checked_on = $3::date
		WHERE institution_id = $1 AND state = 'approved' AND applied_by <> $2 AND licence_until >= $3::date`, id, by, dayOf(at))
	return tag.RowsAffected() == 1, err
}

func closePharmacy(ctx context.Context, tx tx, id ids.Institution) (deed string, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE pharmacy SET state = CASE state WHEN 'applied' THEN 'refused' ELSE 'suspended' END, first_by = NULL, first_at = NULL, second_by = NULL, second_at = NULL
		WHERE institution_id = $1 AND state IN ('applied', 'approved')
		RETURNING CASE state WHEN 'refused' THEN 'refuse' ELSE 'suspend' END`, id).Scan(&deed)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return deed, err
}

func insertPharmacyEvent(ctx context.Context, tx tx, id ids.Institution, by ids.Account, deed, note string, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO pharmacy_event (institution_id, account_id, deed, note, at) VALUES ($1, $2, $3, $4, $5)`, id, by, deed, note, at)
	return err
}

func selectPharmacies(ctx context.Context, db pg.DB, id ids.Institution, at time.Time) ([]Pharmacy, error) {
	rows, err := db.Query(ctx, `
		SELECT ph.institution_id AS id, i.name, i.address, i.phone, i.region, ph.licence_no, ph.business_scope, ph.pharmacist, ph.channels, ph.documents,
		       ph.licence_until, `+readingOf+`,
		       CASE WHEN ph.state <> 'approved' THEN ph.state WHEN ph.licence_until < $2::date THEN 'expired' WHEN `+claimsUntil+` < $2::date THEN 'unchecked'
		            WHEN `+recheckBy+` <= $2::date THEN 'due' ELSE 'approved' END AS state,
		       a.name AS applied_by, f.name AS first_by, s.name AS second_by,
		       coalesce((SELECT CASE e.deed WHEN 'apply' THEN '' ELSE e.note END FROM pharmacy_event e WHERE e.institution_id = ph.institution_id ORDER BY e.id DESC LIMIT 1), '') AS note
		FROM pharmacy ph
		JOIN institution i ON i.id = ph.institution_id
		JOIN account a ON a.id = ph.applied_by
		LEFT JOIN account f ON f.id = ph.first_by
		LEFT JOIN account s ON s.id = ph.second_by
		WHERE $1::uuid IS NULL OR ph.institution_id = $1::uuid
		ORDER BY ph.applied_at DESC, i.name LIMIT 500`, id, dayOf(at))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Pharmacy])
}

func selectOpenPharmacies(ctx context.Context, db pg.DB, at time.Time) ([]PublicPharmacy, error) {
	rows, err := db.Query(ctx, `
		SELECT ph.institution_id AS id, i.name, i.address, i.phone, ph.licence_no, ph.channels, ph.licence_until, `+readingOf+`
		FROM pharmacy ph JOIN institution i ON i.id = ph.institution_id
		WHERE ph.state = 'approved' AND ph.licence_until >= $1::date AND `+claimsUntil+` >= $1::date ORDER BY i.name LIMIT 500`, dayOf(at))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[PublicPharmacy])
}
