package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

func selectCandidates(ctx context.Context, tx tx, query string) ([]Candidate, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (c Candidate, err error) {
		var places []ids.Institution
		var names []string
		err = row.Scan(&c.ID, &c.Name, &c.Title, &places, &names)
		for i := range places {
			c.Places = append(c.Places, Named[ids.Institution]{places[i], names[i]})
		}
		return c, err
	}, `
		SELECT d.id, d.name, d.title, array_agg(i.id ORDER BY r.kind <> 'primary', i.name), array_agg(i.name ORDER BY r.kind <> 'primary', i.name)
		FROM practitioner d JOIN registration r ON r.practitioner_id = d.id JOIN institution i ON i.id = r.institution_id
		WHERE d.kind = 'physician' AND NOT d.suspended AND starts_with(d.name, $1) GROUP BY d.id ORDER BY d.title_rank DESC, d.name LIMIT 20`, query)
}

// invited reads the expert's name, and when the registration at the place bars them: before it begins, after it ends, or always.
func invited(ctx context.Context, tx tx, e Invitee, window schedule.Span) (p schedule.Party, err error) {
	var place string
	var begins, ends *time.Time
	err = tx.QueryRow(ctx, `
		SELECT d.name, i.name, lower(r.during)::timestamp AT TIME ZONE i.zone, upper(r.during)::timestamp AT TIME ZONE i.zone
		FROM practitioner d CROSS JOIN institution i LEFT JOIN registration r ON r.practitioner_id = d.id AND r.institution_id = i.id AND r.institution_consent
		WHERE d.id = $1 AND i.id = $2 AND d.kind = 'physician'`, e.PractitionerID, e.InstitutionID).Scan(&p.Name, &place, &begins, &ends)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, fault.Missing()
	}
	bar := func(s schedule.Span) { p.Barred = append(p.Barred, schedule.Barred{Span: s, Why: place}) }
	switch {
	case err != nil:
	case ends == nil:
		bar(window)
	default:
		if begins != nil && begins.After(window.Start) {
			bar(schedule.Span{Start: window.Start, End: *begins})
		}
		if ends.Before(window.End) {
			bar(schedule.Span{Start: *ends, End: window.End})
		}
	}
	return p, err
}

func selectRoomBusy(ctx context.Context, tx tx, county ids.Institution, not ids.Teleconsult, window schedule.Span) ([]schedule.Span, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[schedule.Span], `
		SELECT lower(s.during), upper(s.during) FROM teleconsult t JOIN slot s ON s.id = t.slot_id
		WHERE t.inviter_institution_id = $1 AND t.id <> $2 AND s.withdrawn_at IS NULL AND s.during && tstzrange($3, $4) ORDER BY 1`,
		county, not, window.Start, window.End)
}

func selectPatientBusy(ctx context.Context, tx tx, person ids.Person, window schedule.Span) ([]schedule.Span, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[schedule.Span], `
		SELECT lower(s.during), upper(s.during) FROM visit v JOIN slot s ON s.id = v.slot_id
		WHERE v.person_id = $1 AND v.state IN ('booked', 'checked_in', 'in_consult', 'interrupted') AND s.during && tstzrange($2, $3) ORDER BY 1`,
		person, window.Start, window.End)
}

func insertFurther(ctx context.Context, tx tx, id ids.Teleconsult, who ids.Practitioner, slot ids.Slot) error {
	_, err := tx.Exec(ctx, `INSERT INTO teleconsult_further (teleconsult_id, practitioner_id, slot_id) VALUES ($1, $2, $3)`, id, who, slot) // a zero id is NULL
	return err
}

func selectFurther(ctx context.Context, tx tx, id ids.Teleconsult) ([]Doctor, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[Doctor], `
		SELECT d.id, d.name, d.title FROM teleconsult_further x JOIN practitioner d ON d.id = x.practitioner_id WHERE x.teleconsult_id = $1 ORDER BY d.name`, id)
}
