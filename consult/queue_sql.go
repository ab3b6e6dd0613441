package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

func countDay(ctx context.Context, tx tx, doctor ids.Practitioner, now time.Time) (done, unsigned int, err error) {
	err = tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE v.state = 'concluded' AND v.ended_at::date = $2::date),
		       count(*) FILTER (WHERE (v.state IN ('in_consult', 'interrupted') OR v.state = 'emergency' AND v.started_at IS NOT NULL)
		                        AND NOT EXISTS (SELECT FROM record c WHERE c.visit_id = v.id AND c.signed_at IS NOT NULL))
		FROM visit v WHERE v.practitioner_id = $1`, doctor, now).Scan(&done, &unsigned)
	return done, unsigned, err
}

// accountsInLine lists who waits for a doctor.
func accountsInLine(ctx context.Context, tx tx, doctor ids.Practitioner) ([]ids.Account, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Account],
		`SELECT DISTINCT account_id FROM visit WHERE practitioner_id = $1 AND state = 'checked_in'`, doctor)
}

// paceAhead counts who comes first, and how many minutes one of the doctor's visits takes: the
// quarter that is shortest and the quarter that is longest of the last 50, 8 and 15 while there are fewer than 5.
func paceAhead(ctx context.Context, tx tx, v Visit) (ahead, short, long int, err error) {
	err = tx.QueryRow(ctx, `
		WITH last AS (
			SELECT extract(epoch FROM ended_at - started_at) / 60 AS minutes FROM visit
			WHERE practitioner_id = $1 AND state = 'concluded' ORDER BY ended_at DESC LIMIT 50)
		SELECT (SELECT count(*) FROM visit o JOIN slot t ON t.id = o.slot_id
		        WHERE o.practitioner_id = $1 AND o.institution_id = $2 AND o.state IN ('checked_in', 'in_consult', 'interrupted')
		          AND (o.state <> 'checked_in' OR (coalesce(o.skipped_at, lower(t.during)), o.id) < ($3, $4))),
		       CASE WHEN count(*) < 5 THEN 8 ELSE ceil(percentile_cont(0.25) WITHIN GROUP (ORDER BY minutes)) END::int,
		       CASE WHEN count(*) < 5 THEN 15 ELSE ceil(percentile_cont(0.75) WITHIN GROUP (ORDER BY minutes)) END::int
		FROM last`, v.Doctor.ID, v.Institution.ID, v.turn(), v.ID).Scan(&ahead, &short, &long)
	return ahead, short, long, err
}

func selectChart(ctx context.Context, tx tx, p Patient, now time.Time) (c Chart, err error) {
	c = Chart{Person: ChartPatient{Patient: p}, Prescriptions: []PrescriptionRef{}}
	err = tx.QueryRow(ctx, `
		SELECT to_char(birth_date, 'YYYY-MM-DD'), id_masked, weight_kg, pregnancy, lactating FROM person WHERE id = $1`, p.ID).
		Scan(&c.Person.BirthDate, &c.Person.IDMasked, &c.Person.WeightKg, &c.Person.Pregnancy, &c.Person.Lactating)
	if err != nil {
		return c, err
	}
	if c.Allergies, err = collect(ctx, tx, func(row pgx.CollectableRow) (a Allergy, err error) {
		err = row.Scan(&a.Substance, &a.Name.ZH, &a.Name.EN, &a.Severity, &a.Reaction)
		return a, err
	}, `SELECT substance, name_zh, name_en, severity, reaction FROM allergy WHERE person_id = $1 ORDER BY severity DESC, substance`, p.ID); err != nil {
		return c, err
	}
	if c.Conditions, err = collect(ctx, tx, pgx.RowToStructByName[Condition],
		`SELECT icd10, name FROM condition WHERE person_id = $1 ORDER BY since, icd10`, p.ID); err != nil {
		return c, err
	}
	if c.Medicines, err = collect(ctx, tx, func(row pgx.CollectableRow) (m Medicine, err error) {
		err = row.Scan(&m.Ingredient, &m.Name.ZH, &m.Name.EN, &m.DailyDose, &m.Unit, &m.RemainingDays, &m.Source)
		return m, err
	}, `SELECT ingredient, name_zh, name_en, trim_scale(daily_dose)::text, unit, greatest(until - $2::date, 0), source
		FROM medicine WHERE person_id = $1 ORDER BY until DESC, ingredient`, p.ID, now); err != nil {
		return c, err
	}
	if c.Observations, err = collect(ctx, tx, func(row pgx.CollectableRow) (o Observation, err error) {
		err = row.Scan(&o.Kind, &o.Value, &o.Unit, &o.At, &o.Low, &o.High)
		if o.Name = observationNames[o.Kind]; o.Name.ZH == "" {
			o.Name = fault.Text{ZH: o.Kind, EN: o.Kind}
		}
		return o, err
	}, `SELECT kind, value, unit, at, low, high FROM observation WHERE person_id = $1 ORDER BY at DESC, kind LIMIT 100`, p.ID); err != nil {
		return c, err
	}
	c.Visits, err = collect(ctx, tx, pgx.RowToStructByName[ChartVisit], `
		SELECT v.id, v.state, lower(s.during) AS start, v.department, d.name AS doctor_name,
		       coalesce((SELECT c.diagnoses FROM record c WHERE c.visit_id = v.id AND c.signed_at IS NOT NULL), '{}') AS diagnoses
		FROM visit v JOIN slot s ON s.id = v.slot_id JOIN practitioner d ON d.id = v.practitioner_id
		WHERE v.person_id = $1 AND v.state <> 'cancelled' ORDER BY lower(s.during) DESC LIMIT 50`, p.ID)
	return c, err
}

// collect is never nil, so that a list is written as [] also when it is empty.
func collect[T any](ctx context.Context, tx tx, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]T{}, rows, scan)
}

func selectDecisions(ctx context.Context, tx tx, visit ids.Visit) ([]Decision, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (Decision, error) {
		r, err := pgx.RowToStructByName[decisionRow](row)
		if err != nil {
			return Decision{}, err
		}
		return r.decision()
	}, `SELECT `+decisionColumns+` FROM decision n WHERE n.visit_id = $1 ORDER BY n.at, n.id`, visit)
}

// putToken gives the visit the next number of its slot's day at doctor and department, if it has none: also to who checks in the evening before.
func putToken(ctx context.Context, tx tx, v Visit) error {
	if v.row.Token > 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		WITH slot_day AS (SELECT ($5::timestamptz AT TIME ZONE $6)::date AS day),
		next AS (
			INSERT INTO token_counter (institution_id, department, practitioner_id, day, last) SELECT $2, $3, $4, day, 1 FROM slot_day
			ON CONFLICT (institution_id, department, practitioner_id, day) DO UPDATE SET last = token_counter.last + 1 RETURNING day, last)
		UPDATE visit SET token = next.last, token_day = next.day FROM next WHERE id = $1`,
		v.ID, v.Institution.ID, v.Department, v.Doctor.ID, v.Start, v.Zone)
	return err
}

func putCalled(ctx context.Context, tx tx, id ids.Visit, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE visit SET called_at = $2, version = version + 1 WHERE id = $1`, id, now)
	return err
}

// putSkipped puts the visit behind the last who waits, however late their slots are.
func putSkipped(ctx context.Context, tx tx, v Visit, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE visit SET called_at = NULL, version = version + 1, skipped_at = greatest($4::timestamptz, 1 * interval '1 millisecond' + (
			SELECT max(coalesce(o.skipped_at, lower(t.during))) FROM visit o JOIN slot t ON t.id = o.slot_id
			WHERE o.practitioner_id = $2 AND o.institution_id = $3 AND o.state = 'checked_in'))
		WHERE id = $1`, v.ID, v.Doctor.ID, v.Institution.ID, now)
	return err
}

func putDelay(ctx context.Context, tx tx, doctor ids.Practitioner, d Delay, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO doctor_delay (practitioner_id, institution_id, day, minutes, said_at)
		SELECT $1, i.id, ($4::timestamptz AT TIME ZONE i.zone)::date, $3, $4 FROM institution i WHERE i.id = $2
		ON CONFLICT (practitioner_id, institution_id, day) DO UPDATE SET minutes = excluded.minutes, said_at = excluded.said_at`, doctor, d.InstitutionID, d.Minutes, now)
	return err
}

func accountsToday(ctx context.Context, tx tx, doctor ids.Practitioner, at ids.Institution, now time.Time) ([]ids.Account, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Account], `
		SELECT DISTINCT v.account_id FROM visit v JOIN slot s ON s.id = v.slot_id JOIN institution i ON i.id = v.institution_id
		WHERE v.practitioner_id = $1 AND v.institution_id = $2 AND v.state IN ('booked', 'checked_in') AND upper(s.during) > $3
		  AND (lower(s.during) AT TIME ZONE i.zone)::date = ($3::timestamptz AT TIME ZONE i.zone)::date`, doctor, at, now)
}

func selectCalls(ctx context.Context, tx tx, at ids.Institution, now time.Time) ([]Numbers, error) {
	return collect(ctx, tx, pgx.RowToStructByName[Numbers], `
		SELECT d.name AS doctor, v.department,
		       coalesce(array_agg(v.token ORDER BY v.started_at) FILTER (WHERE v.state IN ('in_consult', 'interrupted')), '{}') AS now,
		       coalesce(array_agg(v.token ORDER BY v.called_at DESC) FILTER (WHERE v.state = 'checked_in' AND v.called_at IS NOT NULL), '{}') AS called,
		       coalesce(array_agg(v.token ORDER BY coalesce(v.skipped_at, lower(s.during)), v.id) FILTER (WHERE v.state = 'checked_in' AND v.called_at IS NULL), '{}') AS waiting,
		       coalesce(max(l.minutes), 0) AS delay_min
		FROM visit v JOIN slot s ON s.id = v.slot_id JOIN practitioner d ON d.id = v.practitioner_id JOIN institution i ON i.id = v.institution_id
		LEFT JOIN doctor_delay l ON l.practitioner_id = d.id AND l.institution_id = i.id AND l.day = v.token_day
		WHERE v.institution_id = $1 AND v.token_day = ($2::timestamptz AT TIME ZONE i.zone)::date AND v.state IN ('checked_in', 'in_consult', 'interrupted')
		GROUP BY d.id, d.name, v.department ORDER BY v.department, d.name`, at, now)
}
