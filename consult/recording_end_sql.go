package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

func selectRecordingRules(ctx context.Context, tx tx, scope authz.Scope, place ids.Institution) ([]RecordingRules, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[RecordingRules], `
		SELECT i.id, i.name, i.recording_required, i.recording_years FROM institution i
		WHERE i.kind <> 'pharmacy' AND (@scope_all OR i.id = ANY (@scope_places::uuid[])) AND (@place::uuid IS NULL OR i.id = @place::uuid)
		ORDER BY i.name`, scope.With(pgx.NamedArgs{"place": place}))
}

func putRecordingRules(ctx context.Context, tx tx, place ids.Institution, n NewRecordingRules) error {
	_, err := tx.Exec(ctx, `UPDATE institution SET recording_required = $2, recording_years = $3 WHERE id = $1`, place, n.Required, n.Years)
	return err
}

// timeOver: of recording r at institution i. The day after its last is left out: a visit may have ended past midnight.
const timeOver = `r.keep_until + 1 < (@now::timestamptz AT TIME ZONE i.zone)::date
	AND EXISTS (SELECT FROM recording_part p WHERE p.recording_id = r.id)`

const inScope = `(@scope_all OR r.institution_id = ANY (@scope_places::uuid[]))`

// erasedShown is how long what has ended stays on the list.
const erasedShown = 90 * 24 * time.Hour

// selectEnding lists what is due, held or ended lately; the oldest first. One alone unless id is zero, what was made on one day unless
// day is empty.
func selectEnding(ctx context.Context, tx tx, scope authz.Scope, now time.Time, me ids.Account, id ids.Recording, day string) ([]EndingRecording, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[EndingRecording], `
		SELECT r.id, CASE WHEN r.visit_id IS NULL THEN 'teleconsult' ELSE 'visit' END, i.name, d.name, coalesce(r.started_at, r.asked_at), to_char(r.keep_until, 'YYYY-MM-DD'),
		       CASE WHEN r.state = 'erased' THEN 'erased' WHEN r.held_by IS NOT NULL THEN 'held' WHEN r.end_second_by IS NOT NULL THEN 'ending'
		            WHEN r.end_by IS NOT NULL THEN 'agreed' WHEN `+timeOver+` THEN 'due' ELSE 'kept' END,
		       coalesce(r.end_by = @me, false), coalesce(a1.name, ''), coalesce(a2.name, ''), coalesce(h.name, ''), coalesce(r.held_why, ''),
		       coalesce(r.erased_parts, p.n), coalesce(r.erased_bytes, p.bytes), r.erased_at, coalesce(encode(r.erased_sha256, 'hex'), '')
		FROM recording r JOIN institution i ON i.id = r.institution_id
		LEFT JOIN visit v ON v.id = r.visit_id LEFT JOIN teleconsult t ON t.id = r.teleconsult_id
		JOIN practitioner d ON d.id = coalesce(v.practitioner_id, t.inviter_practitioner_id)
		LEFT JOIN account a1 ON a1.id = r.end_by LEFT JOIN account a2 ON a2.id = r.end_second_by LEFT JOIN account h ON h.id = r.held_by
		CROSS JOIN LATERAL (SELECT count(*)::int AS n, coalesce(sum(size), 0)::bigint AS bytes FROM recording_part WHERE recording_id = r.id) p
		WHERE `+inScope+` AND CASE
			WHEN @id::uuid IS NOT NULL THEN r.id = @id::uuid
			WHEN @day::text <> '' THEN (coalesce(r.started_at, r.asked_at) AT TIME ZONE i.zone)::date = nullif(@day::text, '')::date AND (p.n > 0 OR r.state = 'erased')
			ELSE r.held_by IS NOT NULL OR r.erased_at > @shown OR r.state <> 'erased' AND `+timeOver+` END
		ORDER BY r.erased_at NULLS FIRST, r.keep_until, r.id LIMIT 500`,
		scope.With(pgx.NamedArgs{"now": now, "me": me, "id": id, "day": day, "shown": now.Add(-erasedShown)}))
}

type agreed struct {
	ID            ids.Recording
	InstitutionID ids.Institution
	Word          string
}

// putAgreement writes down one's word on each; those on which one has none are left out.
func putAgreement(ctx context.Context, tx tx, scope authz.Scope, recordings []ids.Recording, by ids.Account, now time.Time) ([]agreed, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[agreed], `
		UPDATE recording r SET
			end_second_by = CASE WHEN r.end_by IS NULL THEN NULL ELSE @by::uuid END, end_second_at = CASE WHEN r.end_by IS NULL THEN NULL ELSE @now::timestamptz END,
			end_by = coalesce(r.end_by, @by), end_at = coalesce(r.end_at, @now)
		FROM institution i
		WHERE i.id = r.institution_id AND r.id = ANY (@ids::uuid[]) AND `+inScope+` AND `+timeOver+`
		  AND r.state <> 'erased' AND r.held_by IS NULL AND r.end_second_by IS NULL AND r.end_by IS DISTINCT FROM @by
		RETURNING r.id, r.institution_id, CASE WHEN r.end_second_by IS NULL THEN 'first' ELSE 'second' END`,
		scope.With(pgx.NamedArgs{"ids": recordings, "by": by, "now": now}))
}

// putHold holds a recording or, without a reason, releases it; zero when there is none within reach that could be.
func putHold(ctx context.Context, tx tx, scope authz.Scope, id ids.Recording, by ids.Account, why string, now time.Time) (ids.Institution, error) {
	places, err := collect(ctx, tx, pgx.RowTo[ids.Institution], `
		UPDATE recording r SET end_by = NULL, end_at = NULL, end_second_by = NULL, end_second_at = NULL,
			held_why = nullif(@why::text, ''), held_by = CASE WHEN @why::text = '' THEN NULL ELSE @by::uuid END, held_at = CASE WHEN @why::text = '' THEN NULL ELSE @now::timestamptz END
		WHERE r.id = @id AND r.state <> 'erased' AND (r.held_by IS NULL) = (@why::text <> '') AND `+inScope+`
		RETURNING r.institution_id`, scope.With(pgx.NamedArgs{"id": id, "by": by, "why": why, "now": now}))
	if err != nil || len(places) == 0 {
		return ids.Institution{}, err
	}
	return places[0], nil
}

type dueRecordings struct {
	Place    string
	Count    int
	Accounts []ids.Account // the administrators' of the place
}

// putDue notes what has come due, once each.
func putDue(ctx context.Context, tx tx, now time.Time) ([]dueRecordings, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[dueRecordings], `
		WITH told AS (
			UPDATE recording r SET told_at = @now FROM institution i
			WHERE i.id = r.institution_id AND r.told_at IS NULL AND r.state <> 'erased' AND `+timeOver+` RETURNING r.institution_id)
		SELECT i.name, count(*)::int, ARRAY (SELECT m.account_id FROM membership m WHERE m.institution_id = i.id AND m.role = 'administrator')
		FROM told JOIN institution i ON i.id = told.institution_id GROUP BY i.id, i.name ORDER BY i.name`, pgx.NamedArgs{"now": now})
}

type erased struct {
	ID            ids.Recording
	PersonID      ids.Person
	InstitutionID ids.Institution
	Parts         int
	Bytes         int64
	SHA256        []byte
}

// putErased ends what two have agreed to, with its certificate.
func putErased(ctx context.Context, tx tx, now time.Time) ([]erased, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[erased], `
		WITH gone AS (
			SELECT r.id, p.n, p.bytes, p.sum FROM recording r JOIN institution i ON i.id = r.institution_id
			CROSS JOIN LATERAL (
				SELECT count(*)::int AS n, sum(size)::bigint AS bytes, sha256(string_agg(sha256, ''::bytea ORDER BY take, number)) AS sum
				FROM recording_part WHERE recording_id = r.id) p
			WHERE r.state <> 'erased' AND r.held_by IS NULL AND r.end_second_by IS NOT NULL AND `+timeOver+` FOR UPDATE OF r)
		UPDATE recording r SET state = 'erased', erased_at = @now, erased_parts = gone.n, erased_bytes = gone.bytes, erased_sha256 = gone.sum
		FROM gone WHERE r.id = gone.id
		RETURNING r.id, coalesce((SELECT person_id FROM visit WHERE id = r.visit_id), (SELECT person_id FROM teleconsult WHERE id = r.teleconsult_id)),
		          r.institution_id, r.erased_parts, r.erased_bytes, r.erased_sha256`, pgx.NamedArgs{"now": now})
}

// selectErasedObjects are the keys of what has ended and is not deleted yet.
func selectErasedObjects(ctx context.Context, db pg.DB) (map[ids.Recording][]string, error) {
	rows, err := db.Query(ctx, `
		SELECT r.id, array_agg(p.object_key ORDER BY p.take, p.number) FROM recording r JOIN recording_part p ON p.recording_id = r.id
		WHERE r.state = 'erased' GROUP BY r.id`)
	if err != nil {
		return nil, err
	}
	left := map[ids.Recording][]string{}
	var id ids.Recording
	var keys []string
	_, err = pgx.ForEachRow(rows, []any{&id, &keys}, func() error {
		left[id] = keys
		keys = nil
		return nil
	})
	return left, err
}

func deleteParts(ctx context.Context, db pg.DB, id ids.Recording) error {
	_, err := db.Exec(ctx, `DELETE FROM recording_part WHERE recording_id = $1`, id)
	return err
}
