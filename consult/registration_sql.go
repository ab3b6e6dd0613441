package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

func insertFiling(ctx context.Context, tx tx, id ids.Filing, doctor ids.Practitioner, n NewFiling, object, contentType string, sum []byte, key string, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO filing (id, practitioner_id, institution_id, kind, during, way_min, state, file_name, content_type, size, sha256, object_key, request_key, submitted_at)
		SELECT $1, $2, i.id, $4, daterange($5::date, $6::date, '[]'), $7, 'submitted', $8, $9, $10, $11, $12, $13, $14
		FROM institution i WHERE i.id = $3 AND i.kind <> 'pharmacy'`,
		id, doctor, n.InstitutionID, n.Kind, n.From, n.Until, n.WayMin, n.FileName, contentType, len(n.Document), sum, object, key, now)
	return tag.RowsAffected() == 1, err
}

func filingOfRequest(ctx context.Context, tx tx, doctor ids.Practitioner, key string) (Filing, error) {
	var id ids.Filing
	err := tx.QueryRow(ctx, `SELECT id FROM filing WHERE practitioner_id = $1 AND request_key = $2`, doctor, key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Filing{}, nil
	}
	if err != nil {
		return Filing{}, err
	}
	return oneFiling(ctx, tx, authz.ScopeFrom(ctx), id)
}

func oneFiling(ctx context.Context, tx tx, scope authz.Scope, id ids.Filing) (Filing, error) {
	if id.IsZero() {
		return Filing{}, fault.Missing()
	}
	list, err := selectFilings(ctx, tx, scope, id)
	if err == nil && len(list) == 0 {
		err = fault.Missing()
	}
	if err != nil {
		return Filing{}, err
	}
	return list[0], nil
}

func selectFilings(ctx context.Context, tx tx, scope authz.Scope, only ids.Filing) ([]Filing, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (f Filing, err error) {
		err = row.Scan(&f.ID, &f.State, &f.Doctor.ID, &f.Doctor.Name, &f.Title, &f.Level, &f.Institution.ID, &f.Institution.Name, &f.Kind, &f.From, &f.Until,
			&f.WayMin, &f.FileName, &f.ContentType, &f.Note, &f.SubmittedAt, &f.DecidedAt, &f.objectKey)
		return f, err
	}, `
		SELECT f.id, f.state, d.id, d.name, d.title, d.level, i.id, i.name, f.kind, lower(f.during)::text, (upper(f.during) - 1)::text,
		       f.way_min, f.file_name, f.content_type, f.note, f.submitted_at, f.decided_at, f.object_key
		FROM filing f JOIN practitioner d ON d.id = f.practitioner_id JOIN institution i ON i.id = f.institution_id
		WHERE (f.practitioner_id = @scope_practitioner OR f.institution_id = ANY (@scope_places)) AND (@id::uuid IS NULL OR f.id = @id)
		ORDER BY f.state <> 'submitted', f.submitted_at DESC LIMIT 200`, scope.With(pgx.NamedArgs{"id": only}))
}

func settleFiling(ctx context.Context, tx tx, id ids.Filing, to State, note string, by ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE filing SET state = @to::text, note = @note,
		       decided_by = CASE WHEN @to <> 'withdrawn' THEN @by::uuid END, decided_at = CASE WHEN @to <> 'withdrawn' THEN @now::timestamptz END
		WHERE id = @id AND state = 'submitted'`, pgx.NamedArgs{"id": id, "to": string(to), "note": note, "by": by, "now": now})
	return tag.RowsAffected() == 1, err
}

// standingIn: is the doctor an assistant, registered at how many other places, and at home in the place's province?
func standingIn(ctx context.Context, tx tx, doctor ids.Practitioner, place ids.Institution, now time.Time) (assistant bool, elsewhere int, here bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT d.level = '执业助理医师', count(r.id) FILTER (WHERE r.institution_id <> i.id AND r.during @> $3::date),
		       coalesce(bool_or(r.kind IN ('primary', 'registered') AND r.province = left(i.region, 2) AND r.during @> $3::date), false)
		FROM practitioner d CROSS JOIN institution i LEFT JOIN registration r ON r.practitioner_id = d.id
		WHERE d.id = $1 AND i.id = $2 GROUP BY d.level`, doctor, place, now).Scan(&assistant, &elsewhere, &here)
	return assistant, elsewhere, here, err
}

// putRegistration makes the registration or extends it, and gives the doctor the role at the place.
func putRegistration(ctx context.Context, tx tx, f Filing) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent, way_min)
		SELECT $1, $2, i.id, $4, left(i.region, 2), daterange($5::date, $6::date, '[]'), true, $7 FROM institution i WHERE i.id = $3
		ON CONFLICT (practitioner_id, institution_id) DO UPDATE
		SET kind = excluded.kind, province = excluded.province, during = excluded.during, institution_consent = true, way_min = excluded.way_min`,
		ids.New[ids.Registration](), f.Doctor.ID, f.Institution.ID, f.Kind, f.From, f.Until, f.WayMin)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO membership (account_id, institution_id, role) SELECT account_id, $2, 'doctor' FROM practitioner WHERE id = $1
		ON CONFLICT DO NOTHING`, f.Doctor.ID, f.Institution.ID)
	return err
}

func selectRegistrations(ctx context.Context, tx tx, scope authz.Scope, only ids.Registration, now time.Time) ([]Registration, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (r Registration, err error) {
		err = row.Scan(&r.ID, &r.Doctor.ID, &r.Doctor.Name, &r.Title, &r.Institution.ID, &r.Institution.Name, &r.Departments, &r.Kind, &r.From, &r.Until, &r.DaysLeft, &r.WayMin, &r.Zone)
		return r, err
	}, `
		SELECT r.id, d.id, d.name, d.title, i.id, i.name,
		       ARRAY (SELECT x.name FROM institution_department x WHERE x.institution_id = i.id AND x.name = ANY (d.scope) ORDER BY x.name),
		       r.kind, lower(r.during)::text, (upper(r.during) - 1)::text, upper(r.during) - 1 - (@now AT TIME ZONE i.zone)::date, r.way_min, i.zone
		FROM registration r JOIN practitioner d ON d.id = r.practitioner_id JOIN institution i ON i.id = r.institution_id
		WHERE d.kind = 'physician' AND (r.practitioner_id = @scope_practitioner OR r.institution_id = ANY (@scope_places)) AND (@id::uuid IS NULL OR r.id = @id)
		ORDER BY r.kind <> 'primary', d.name, i.name LIMIT 500`, scope.With(pgx.NamedArgs{"id": only, "now": now}))
}

// ending is a registration whose end has to be told.
type ending struct {
	ID            ids.Registration
	InstitutionID ids.Institution
	Doctor        string
	Place         string
	Until         string
	Left          int
	Accounts      []ids.Account // the doctor's, and the administrators' of the place
}

func putWarnings(ctx context.Context, tx tx, now time.Time) ([]ending, error) {
	return collect(ctx, tx, pgx.RowToStructByName[ending], `
		WITH due AS (
			SELECT r.id, upper(r.during) - 1 AS until, upper(r.during) - 1 - ($1::timestamptz AT TIME ZONE i.zone)::date AS left_days
			FROM registration r JOIN institution i ON i.id = r.institution_id
			WHERE NOT upper_inf(r.during) AND upper(r.during) - 1 - ($1::timestamptz AT TIME ZONE i.zone)::date BETWEEN 0 AND 30),
		told AS (
			INSERT INTO registration_warning (registration_id, until, days, told_at)
			SELECT id, until, CASE WHEN left_days <= 7 THEN 7 ELSE 30 END, $1 FROM due ON CONFLICT DO NOTHING RETURNING registration_id)
		SELECT r.id, r.institution_id, d.name AS doctor, i.name AS place, due.until::text AS until, due.left_days AS "left",
		       ARRAY (SELECT d.account_id UNION SELECT m.account_id FROM membership m WHERE m.institution_id = i.id AND m.role = 'administrator') AS accounts
		FROM told JOIN due ON due.id = told.registration_id JOIN registration r ON r.id = due.id
		JOIN practitioner d ON d.id = r.practitioner_id JOIN institution i ON i.id = r.institution_id
		ORDER BY due.until, r.id`, now)
}

func shortenRegistration(ctx context.Context, tx tx, id ids.Registration, last string) error {
	_, err := tx.Exec(ctx, `UPDATE registration SET during = daterange(lower(during), $2::date, '[]') WHERE id = $1`, id, last)
	return err
}

// which are slots to be cleared, as a condition on slot s with registration r and institution i.
type which struct {
	sql  string
	args pgx.NamedArgs
}

// uncovered: the slot ends past the registration or the licence. A slot that ends at midnight still belongs to its day.
const uncovered = `NOT r.during @> ((upper(s.during) - interval '1 microsecond') AT TIME ZONE i.zone)::date
	OR i.licence_until < ((upper(s.during) - interval '1 microsecond') AT TIME ZONE i.zone)::date`

func beyondRegistration(id ids.Registration) which {
	return which{`r.id = @registration AND (` + uncovered + `)`, pgx.NamedArgs{"registration": id}}
}

func lapsed() which { return which{uncovered, pgx.NamedArgs{}} }
