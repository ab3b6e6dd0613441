package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
)

// whose is the visit or teleconsult that meets in room $1, with the institution that answers for it.
const whose = `(SELECT id AS visit_id, NULL::uuid AS teleconsult_id, institution_id FROM visit WHERE room = $1
		UNION ALL SELECT NULL, id, inviter_institution_id FROM teleconsult WHERE room = $1) of`

func insertCallReport(ctx context.Context, db pg.DB, e control.Event) error {
	q := e.Quality
	_, err := db.Exec(ctx, `
		INSERT INTO call_report (visit_id, teleconsult_id, institution_id, seat, at, seconds, mode, path, rtt_ms, jitter_ms, loss, concealed, freezes, frozen_ms, up_kbps, down_kbps, available)
		SELECT visit_id, teleconsult_id, institution_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM `+whose+`
		ON CONFLICT DO NOTHING`,
		string(e.Room), string(e.Seat), e.At, q.Seconds, q.Mode, q.Path, q.RTTms, q.JitterMs, q.Loss, q.Concealed, q.Freezes, q.FrozenMs, q.UpKbps, q.DownKbps, q.Available)
	return err
}

func insertCallEvent(ctx context.Context, db pg.DB, e control.Event) error {
	_, err := db.Exec(ctx, `
		INSERT INTO call_event (visit_id, teleconsult_id, institution_id, seat, at, kind)
		SELECT visit_id, teleconsult_id, institution_id, $2, $3, $4 FROM `+whose+` ON CONFLICT DO NOTHING`,
		string(e.Room), string(e.Seat), e.At, string(e.Kind))
	return err
}

// still are the rungs on which no picture moves.
const still = `mode IN ('text', 'audio', 'still')`

func selectSeatQuality(ctx context.Context, tx tx, p matter) ([]SeatQuality, error) {
	return collect(ctx, tx, pgx.RowToStructByName[SeatQuality], `
		SELECT seat, sum(seconds)::float8 AS seconds, (sum(rtt_ms * seconds) / sum(seconds))::float8 AS rtt_ms,
		       (sum(loss * seconds) / sum(seconds))::float8 AS loss, (sum(concealed * seconds) / sum(seconds))::float8 AS concealed,
		       sum(freezes)::float8 AS freezes, (sum(up_kbps * seconds) / sum(seconds))::float8 AS up_kbps,
		       (sum(down_kbps * seconds) / sum(seconds))::float8 AS down_kbps,
		       (sum(CASE WHEN path = 'relay' THEN seconds ELSE 0 END) / sum(seconds))::float8 AS relay,
		       (sum(CASE WHEN `+still+` THEN seconds ELSE 0 END) / sum(seconds))::float8 AS sound_only,
		       (array_agg(mode ORDER BY array_position(ARRAY['text', 'audio', 'still', '180p', '360p', '720p'], mode)))[1] AS lowest
		FROM call_report WHERE room_of = $1 GROUP BY seat ORDER BY seat`, p.id())
}

// lostLine is an event e that tells of a gap: the line was lost, or somebody has come who, as far as the room knew, was there. A server or a
// node that was killed could not say that it lost them.
const lostLine = `(e.kind = 'reconnecting' OR e.kind = 'joined' AND e.seat !~ '^(recorder$|i-|o-)' AND 'joined' = (
		SELECT p.kind FROM call_event p WHERE p.room_of = e.room_of AND p.seat = e.seat AND p.at < e.at ORDER BY p.at DESC LIMIT 1))`

// selectGaps pairs each loss of the line with the next coming of the seat. A seat that left on purpose has no gap. One that nobody noticed
// begins with the last word of the seat.
func selectGaps(ctx context.Context, tx tx, p matter) ([]Gap, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (g Gap, err error) {
		err = row.Scan(&g.Seat, &g.From, &g.To)
		return g, err
	}, `
		SELECT e.seat,
		       CASE e.kind WHEN 'joined' THEN greatest(
		           (SELECT max(p.at) FROM call_event p WHERE p.room_of = e.room_of AND p.seat = e.seat AND p.at < e.at),
		           (SELECT max(r.at) FROM call_report r WHERE r.room_of = e.room_of AND r.seat = e.seat AND r.at < e.at)) ELSE e.at END AS since,
		       CASE e.kind WHEN 'joined' THEN e.at
		           ELSE (SELECT min(b.at) FROM call_event b WHERE b.room_of = e.room_of AND b.seat = e.seat AND b.kind = 'joined' AND b.at > e.at) END
		FROM call_event e WHERE e.room_of = $1 AND `+lostLine+` ORDER BY since`, p.id())
}

func selectCallHours(ctx context.Context, tx tx, scope authz.Scope, since time.Time) ([]CallHour, error) {
	return collect(ctx, tx, pgx.RowToStructByName[CallHour], `
		SELECT h.hour, count(DISTINCT r.room_of)::int AS visits, count(*)::int AS reports,
		       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.rtt_ms) AS rtt50, percentile_cont(0.95) WITHIN GROUP (ORDER BY r.rtt_ms) AS rtt95,
		       percentile_cont(0.95) WITHIN GROUP (ORDER BY r.loss) AS loss95, percentile_cont(0.95) WITHIN GROUP (ORDER BY r.concealed) AS concealed,
		       avg((r.path = 'relay')::int)::float8 AS relay, avg((r.path = 'tcp')::int)::float8 AS tcp, avg((r.`+still+`)::int)::float8 AS sound_only,
		       (SELECT count(*) FROM call_event e WHERE `+lostLine+` AND e.at >= h.hour AND e.at < h.hour + interval '1 hour' AND e.at >= @since
		          AND (@scope_all OR e.institution_id = ANY (@scope_places)))::int AS gaps
		FROM call_report r CROSS JOIN LATERAL (SELECT date_trunc('hour', r.at) AS hour) h
		WHERE r.at >= @since AND (@scope_all OR r.institution_id = ANY (@scope_places))
		GROUP BY h.hour ORDER BY h.hour`, scope.With(pgx.NamedArgs{"since": since}))
}

// selectBadCalls lists seats that lost words or the line, the worst first.
func selectBadCalls(ctx context.Context, tx tx, scope authz.Scope, since time.Time) ([]BadCall, error) {
	return collect(ctx, tx, pgx.RowToStructByName[BadCall], `
		SELECT * FROM (
			SELECT r.room_of AS id, max(r.at) AS at, i.name AS institution, r.seat, avg(r.rtt_ms)::float8 AS rtt_ms, avg(r.loss)::float8 AS loss,
			       avg(r.concealed)::float8 AS concealed, avg((r.path = 'relay')::int)::float8 AS relay, avg((r.`+still+`)::int)::float8 AS sound_only,
			       (SELECT count(*) FROM call_event e WHERE e.room_of = r.room_of AND e.seat = r.seat AND `+lostLine+` AND e.at >= @since)::int AS gaps
			FROM call_report r JOIN institution i ON i.id = r.institution_id
			WHERE r.at >= @since AND (@scope_all OR r.institution_id = ANY (@scope_places))
			GROUP BY r.room_of, r.seat, i.name
		) c WHERE c.loss > 0.03 OR c.concealed > 0.01 OR c.rtt_ms > 300 OR c.gaps > 0 OR c.sound_only > 0.5
		ORDER BY c.concealed DESC, c.gaps DESC, c.loss DESC, c.rtt_ms DESC LIMIT 20`, scope.With(pgx.NamedArgs{"since": since}))
}
