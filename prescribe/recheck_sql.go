package prescribe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Of pharmacy ph: the day by which its papers are read again, six months after the last time, and the last day on which
// it may claim without that, after thirty days of grace.
const (
	recheckBy   = `(ph.checked_on + interval '6 months')::date`
	claimsUntil = `(ph.checked_on + interval '6 months 30 days')::date`
	readingOf   = `ph.checked_on, ` + recheckBy + ` AS recheck_by, ` + claimsUntil + ` AS claims_until`
)

// selectRechecks are the approved pharmacies that stand at a step of which nobody was told: from two weeks before the day.
func selectRechecks(ctx context.Context, db pg.DB, at time.Time) ([]recheck, error) {
	rows, err := db.Query(ctx, `
		SELECT d.* FROM (
			SELECT ph.institution_id AS id, i.name, `+readingOf+`,
			       CASE WHEN `+claimsUntil+` < $1::date THEN 3 WHEN `+recheckBy+` <= $1::date THEN 2 ELSE 1 END AS step
			FROM pharmacy ph JOIN institution i ON i.id = ph.institution_id
			WHERE ph.state = 'approved' AND ph.licence_until >= $1::date AND `+recheckBy+` - 14 <= $1::date) d
		WHERE NOT EXISTS (SELECT FROM pharmacy_reminder r WHERE r.institution_id = d.id AND r.checked_on = d.checked_on AND r.step >= d.step)
		ORDER BY d.name`, dayOf(at))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[recheck])
}

// selectRecheckers are the administrators of the hospitals, who read the papers, and the people of the pharmacy.
func selectRecheckers(ctx context.Context, tx tx, pharmacy ids.Institution) ([]ids.Account, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT m.account_id FROM membership m JOIN institution i ON i.id = m.institution_id
		WHERE m.institution_id = $1 OR m.role = 'administrator' AND i.kind <> 'pharmacy'`, pharmacy)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ids.Account])
}

// insertPharmacyReminder records a step of a reading that still is the last; false when it isn't, or the step is recorded.
func insertPharmacyReminder(ctx context.Context, tx tx, d recheck, told int, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO pharmacy_reminder (institution_id, checked_on, step, at, told)
		SELECT ph.institution_id, ph.checked_on, $3, $4, $5 FROM pharmacy ph
		WHERE ph.institution_id = $1 AND ph.checked_on = $2::date AND ph.state = 'approved' ON CONFLICT DO NOTHING`,
		d.ID, d.CheckedOn, d.Step, at, told)
	return tag.RowsAffected() == 1, err
}
