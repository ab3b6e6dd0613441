package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

func selectPlanning(ctx context.Context, tx tx, scope authz.Scope, doctor ids.Practitioner) (p planning, err error) {
	err = tx.QueryRow(ctx, `
		SELECT coalesce(bool_or(r.practitioner_id = @scope_practitioner), false),
		       coalesce(array_agg(r.institution_id ORDER BY r.kind <> 'primary', r.institution_id), '{}')
		FROM registration r
		WHERE r.practitioner_id = @doctor AND (r.practitioner_id = @scope_practitioner OR r.institution_id = ANY (@scope_places))`,
		scope.With(pgx.NamedArgs{"doctor": doctor})).Scan(&p.own, &p.places)
	return p, err
}

func doctorNamed(ctx context.Context, tx tx, id ids.Practitioner) (n Named[ids.Practitioner], err error) {
	err = tx.QueryRow(ctx, `SELECT id, name FROM practitioner WHERE id = $1`, id).Scan(&n.ID, &n.Name)
	return n, err
}

func selectTemplates(ctx context.Context, tx tx, doctor ids.Practitioner, places []ids.Institution) ([]Template, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (t Template, err error) {
		err = row.Scan(&t.ID, &t.Institution.ID, &t.Institution.Name, &t.Weekday, &t.Begins, &t.Ends, &t.Minutes, &t.Mode, &t.Purpose, &t.Department, &t.FeeFen, &t.Every, &t.Since, &t.Until)
		return t, err
	}, `
		SELECT t.id, i.id, i.name, t.weekday, t.begins, t.ends, t.minutes, t.mode, t.purpose, t.department, t.fee_fen, t.every, t.since::text, coalesce(t.until::text, '')
		FROM roster_template t JOIN institution i ON i.id = t.institution_id
		WHERE t.practitioner_id = $1 AND t.institution_id = ANY ($2) AND (t.until IS NULL OR t.until > t.since)
		ORDER BY t.weekday, t.begins`, doctor, texts(places))
}

// templateInTheWay finds another weekly session that the new one overlaps, or comes too close to at another place.
func templateInTheWay(ctx context.Context, tx tx, doctor ids.Practitioner, n NewTemplate) (*WeeklyBlock, error) {
	b := WeeklyBlock{Rule: "MPP-05"}
	err := tx.QueryRow(ctx, `
		SELECT t.weekday, t.begins, t.ends, t.purpose = 'duty'
		FROM roster_template t JOIN registration r ON r.practitioner_id = t.practitioner_id AND r.institution_id = t.institution_id
		JOIN registration h ON h.practitioner_id = t.practitioner_id AND h.institution_id = $2
		CROSS JOIN LATERAL (SELECT CASE WHEN t.institution_id = h.institution_id THEN 0 ELSE
			(CASE WHEN t.mode = 'online' OR r.kind = 'primary' THEN 450 ELSE r.way_min * 60 - 450 END
			+ CASE WHEN $7 = 'online' OR h.kind = 'primary' THEN 450 ELSE h.way_min * 60 - 450 END) / 60 END AS min) w
		WHERE t.practitioner_id = $1 AND t.weekday = $3 AND (t.until IS NULL OR t.until > greatest($4::date, t.since))
		  AND int4range(t.begins, t.ends) && int4range($5::int - w.min, $6::int + w.min)
		  AND ($8::int = 1 OR t.every = 1 OR (date_trunc('week', t.since)::date - date_trunc('week', $4::date)::date) % 14 = 0)
		ORDER BY t.begins LIMIT 1`, doctor, n.InstitutionID, n.Weekday, n.Since, n.Begins, n.Ends, n.Mode, n.Every).
		Scan(&b.Weekday, &b.Begins, &b.Ends, &b.Duty)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if b.Duty {
		b.Rule = "MPP-06"
	}
	return &b, err
}

// insertTemplate returns zero for duty at a place that isn't the main one.
func insertTemplate(ctx context.Context, tx tx, doctor ids.Practitioner, n NewTemplate) (id ids.Template, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO roster_template (id, practitioner_id, institution_id, weekday, begins, ends, minutes, mode, purpose, department, fee_fen, since, every)
		SELECT $1, r.practitioner_id, r.institution_id, $4, $5, $6, $7, $8, $9, $10, $11, $12::date, $13
		FROM registration r WHERE r.practitioner_id = $2 AND r.institution_id = $3 AND ($9 = 'visit' OR r.kind = 'primary')
		RETURNING id`, ids.New[ids.Template](), doctor, n.InstitutionID, n.Weekday, n.Begins, n.Ends, n.Minutes, n.Mode, n.Purpose, n.Department, n.FeeFen, n.Since, n.Every).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

func ownerOfTemplate(ctx context.Context, tx tx, id ids.Template) (doctor ids.Practitioner, at ids.Institution, err error) {
	err = tx.QueryRow(ctx, `SELECT practitioner_id, institution_id FROM roster_template WHERE id = $1`, id).Scan(&doctor, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return doctor, at, err
}

func endTemplate(ctx context.Context, tx tx, id ids.Template, from string) error {
	_, err := tx.Exec(ctx, `UPDATE roster_template SET until = least(until, greatest($2::date, since)) WHERE id = $1`, id, from)
	return err
}

const unbooked = `NOT EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled')
	AND NOT EXISTS (SELECT FROM hold h WHERE h.slot_id = s.id AND h.during @> now())`

func unbookedOf(id ids.Template, from string) which {
	return which{`s.template_id = @template AND (lower(s.during) AT TIME ZONE i.zone)::date >= @day::date AND ` + unbooked,
		pgx.NamedArgs{"template": id, "day": from}}
}

func unbookedOn(doctor ids.Practitioner, n NewDayOff) which {
	return which{`s.practitioner_id = @doctor AND (@place::uuid IS NULL OR s.institution_id = @place) AND (lower(s.during) AT TIME ZONE i.zone)::date = @day::date AND ` + unbooked,
		pgx.NamedArgs{"doctor": doctor, "place": n.InstitutionID, "day": n.Day}}
}

func selectDaysOff(ctx context.Context, tx tx, doctor ids.Practitioner, p planning, from time.Time) ([]DayOff, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (d DayOff, err error) {
		err = row.Scan(&d.ID, &d.Institution.ID, &d.Institution.Name, &d.Day, &d.Reason)
		return d, err
	}, `
		SELECT e.id, i.id, coalesce(i.name, ''), e.day::text, CASE WHEN $2 OR e.institution_id = ANY ($3) THEN e.reason ELSE '' END
		FROM roster_exception e LEFT JOIN institution i ON i.id = e.institution_id
		WHERE e.practitioner_id = $1 AND e.day >= $4::date AND ($2 OR e.institution_id IS NULL OR e.institution_id = ANY ($3))
		ORDER BY e.day`, doctor, p.own, texts(p.places), from.Format(schedule.DayFormat))
}

func insertDayOff(ctx context.Context, tx tx, doctor ids.Practitioner, n NewDayOff) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO roster_exception (id, practitioner_id, institution_id, day, reason) VALUES ($1, $2, $3, $4::date, $5)
		ON CONFLICT (practitioner_id, institution_id, day) DO UPDATE SET reason = excluded.reason`,
		ids.New[ids.Exception](), doctor, n.InstitutionID, n.Day, n.Reason)
	return err
}

func deleteDayOff(ctx context.Context, tx tx, id ids.Exception) (doctor ids.Practitioner, at ids.Institution, err error) {
	err = tx.QueryRow(ctx, `DELETE FROM roster_exception WHERE id = $1 RETURNING practitioner_id, institution_id`, id).Scan(&doctor, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return doctor, at, err
}

// calendarOf is the national calendar with the place's own changes.
func calendarOf(ctx context.Context, tx tx, at ids.Institution) (schedule.Calendar, error) {
	c := schedule.China()
	rows, err := tx.Query(ctx, `SELECT day::text, kind, coalesce(follows, 0), name FROM calendar_day WHERE institution_id = $1`, at)
	if err != nil {
		return nil, err
	}
	var day string
	var rule schedule.DayRule
	_, err = pgx.ForEachRow(rows, []any{&day, &rule.Kind, &rule.Follows, &rule.Name}, func() error {
		c[day] = rule
		return nil
	})
	return c, err
}

func putCalendarDay(ctx context.Context, tx tx, at ids.Institution, d CalendarDay) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO calendar_day (institution_id, day, kind, follows, name) VALUES ($1, $2::date, $3, nullif($4, 0), $5)
		ON CONFLICT (institution_id, day) DO UPDATE SET kind = excluded.kind, follows = excluded.follows, name = excluded.name`,
		at, d.Day, d.Kind, d.Follows, d.Name)
	return err
}

func zoneOf(ctx context.Context, tx tx, at ids.Institution) (*time.Location, error) {
	var zone string
	err := tx.QueryRow(ctx, `SELECT zone FROM institution WHERE id = $1`, at).Scan(&zone)
	return place(zone), err
}

// sessionsOpen are the templates' sessions that have slots on the roster.
func sessionsOpen(ctx context.Context, tx tx, doctor ids.Practitioner, from time.Time) (map[sessionKey]bool, error) {
	open := map[sessionKey]bool{}
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT s.template_id, (lower(s.during) AT TIME ZONE i.zone)::date::text FROM slot s JOIN institution i ON i.id = s.institution_id
		WHERE s.practitioner_id = $1 AND s.withdrawn_at IS NULL AND s.template_id IS NOT NULL AND lower(s.during) >= $2::timestamptz - interval '1 day'`, doctor, from)
	if err != nil {
		return nil, err
	}
	var key sessionKey
	_, err = pgx.ForEachRow(rows, []any{&key.template, &key.day}, func() error {
		open[key] = true
		return nil
	})
	return open, err
}

// selectSessions joins slots that follow each other at a place into stretches. Of other places the viewer learns that the doctor is busy.
func selectSessions(ctx context.Context, tx tx, doctor ids.Practitioner, p planning, window schedule.Span) ([]RosterSession, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (r RosterSession, err error) {
		var at Named[ids.Institution]
		err = row.Scan(&r.Start, &r.End, &r.Busy, &at.ID, &at.Name, &r.Department, &r.Purpose, &r.Mode, &r.Slots, &r.Booked)
		if !at.ID.IsZero() {
			r.Institution = &at
		}
		return r, err
	}, `
		WITH own AS (
			SELECT s.during, s.institution_id = ANY ($2) AS seen, s.institution_id, s.department, s.purpose, s.mode, s.template_id,
			       EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled') AS booked
			FROM slot s WHERE s.practitioner_id = $1 AND s.withdrawn_at IS NULL AND s.during && tstzrange($3, $4)),
		marked AS (
			SELECT *, CASE WHEN lag(upper(during)) OVER w = lower(during) THEN 0 ELSE 1 END AS first FROM own
			WINDOW w AS (PARTITION BY seen, CASE WHEN seen THEN (institution_id, department, purpose, mode) END ORDER BY during)),
		stretches AS (
			SELECT *, sum(first) OVER (PARTITION BY seen, CASE WHEN seen THEN (institution_id, department, purpose, mode) END ORDER BY during) AS n FROM marked)
		SELECT min(lower(during)), max(upper(during)), NOT seen, i.id, coalesce(i.name, ''), coalesce(min(department) FILTER (WHERE seen), ''),
		       coalesce(min(purpose) FILTER (WHERE seen), ''), coalesce(min(mode) FILTER (WHERE seen), ''),
		       count(*) FILTER (WHERE seen), count(*) FILTER (WHERE seen AND booked)
		FROM stretches LEFT JOIN institution i ON i.id = stretches.institution_id AND seen
		GROUP BY seen, i.id, i.name, CASE WHEN seen THEN (stretches.institution_id, department, purpose, mode) END, n
		ORDER BY 1`, doctor, texts(p.places), window.Start, window.End)
}
