package prescribe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// pharmacistsAt are the pharmacists d who work at institution i, with the step st at which they are asked.
const pharmacistsAt = `
	practitioner d JOIN registration r ON r.practitioner_id = d.id AND r.during @> current_date
	LEFT JOIN review_step st ON st.practitioner_id = d.id AND st.institution_id = r.institution_id
	WHERE r.institution_id = i.id AND d.kind = 'pharmacist' AND NOT d.suspended`

func selectLimits(ctx context.Context, db pg.DB, scope authz.Scope, place ids.Institution) ([]Limits, error) {
	rows, err := db.Query(ctx, `
		SELECT i.id AS institution_id, i.name AS institution, coalesce(l.day_minutes, @day) AS day_minutes, coalesce(l.night_minutes, @night) AS night_minutes,
		       (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('id', d.id, 'name', d.name, 'title', d.title, 'step', coalesce(st.step, 0))), '[]')
		          FROM `+pharmacistsAt+`) AS pharmacists
		FROM institution i LEFT JOIN review_limit l ON l.institution_id = i.id
		WHERE i.kind <> 'pharmacy' AND (@scope_all OR i.id = ANY (@scope_places::uuid[])) AND (@place::uuid IS NULL OR i.id = @place::uuid)
		ORDER BY i.name`, scope.With(pgx.NamedArgs{"day": dayLimit, "night": nightLimit, "place": place}))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Limits])
}

func putLimits(ctx context.Context, tx tx, place ids.Institution, n NewLimits, by ids.Account, at time.Time) error {
	if _, err := tx.Exec(ctx, `
		INSERT INTO review_limit (institution_id, day_minutes, night_minutes, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (institution_id) DO UPDATE SET day_minutes = $2, night_minutes = $3, set_by = $4, set_at = $5`,
		place, n.DayMinutes, n.NightMinutes, by, at); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM review_step WHERE institution_id = $1`, place); err != nil {
		return err
	}
	for _, p := range n.Pharmacists {
		if p.Step == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO review_step (institution_id, practitioner_id, step) VALUES ($1, $2, $3)
			ON CONFLICT (institution_id, practitioner_id) DO UPDATE SET step = $3`, place, p.ID, p.Step); err != nil {
			return err
		}
	}
	return nil
}

// waitingClock is a prescription in the queue, its limits, and the step at which somebody was asked last.
type waitingClock struct {
	ID            ids.Prescription
	InstitutionID ids.Institution
	Institution   string
	SignedAt      time.Time
	DayMinutes    int
	NightMinutes  int
	Step          int
}

func (w waitingClock) limits() Limits {
	return Limits{DayMinutes: w.DayMinutes, NightMinutes: w.NightMinutes}
}

// selectClocks are the clocks of everything that waits.
func selectClocks(ctx context.Context, db pg.DB) (map[ids.Prescription]waitingClock, error) {
	rows, err := db.Query(ctx, `
		SELECT rx.id, rx.institution_id, i.name AS institution, rx.signed_at, coalesce(l.day_minutes, $1) AS day_minutes,
		       coalesce(l.night_minutes, $2) AS night_minutes,
		       coalesce((SELECT max(e.step) FROM review_escalation e WHERE e.prescription_id = rx.id), 0) AS step
		FROM prescription rx JOIN institution i ON i.id = rx.institution_id LEFT JOIN review_limit l ON l.institution_id = rx.institution_id
		WHERE rx.state = 'signed'`, dayLimit, nightLimit)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[waitingClock])
	all := map[ids.Prescription]waitingClock{}
	for _, w := range list {
		all[w.ID] = w
	}
	return all, err
}

// selectAsked are the people of a step; where it names none, all pharmacists of the institution.
func selectAsked(ctx context.Context, tx tx, place ids.Institution, step int) ([]ids.Account, error) {
	rows, err := tx.Query(ctx, `
		WITH here AS (SELECT DISTINCT at.account_id, at.step FROM institution i, LATERAL (SELECT d.account_id, st.step FROM `+pharmacistsAt+`) at WHERE i.id = $1)
		SELECT account_id FROM here WHERE step = $2 OR NOT EXISTS (SELECT FROM here WHERE step = $2)`, place, step)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[ids.Account])
}

// insertEscalation records a step while the prescription still waits; false when it doesn't, or the step is recorded.
func insertEscalation(ctx context.Context, tx tx, id ids.Prescription, step, asked int, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO review_escalation (prescription_id, step, at, asked)
		SELECT rx.id, $2, $3, $4 FROM prescription rx WHERE rx.id = $1 AND rx.state = 'signed' ON CONFLICT DO NOTHING`, id, step, at, asked)
	return tag.RowsAffected() == 1, err
}
