package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
)

// askRecording begins the room's recording, or asks again after a refusal. What runs goes on.
func askRecording(ctx context.Context, tx tx, id ids.Recording, v venue, now time.Time) (recording ids.Recording, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO recording (id, visit_id, teleconsult_id, institution_id, state, text_version, asked_at, keep_until)
		SELECT $1, $2, $3, i.id, 'asked', $5, $6, ($6::timestamptz + make_interval(years => i.recording_years))::date FROM institution i WHERE i.id = $4
		ON CONFLICT (room_of) DO UPDATE SET text_version = excluded.text_version,
			state = CASE WHEN recording.state = 'refused' THEN 'asked' ELSE recording.state END
		RETURNING id`, id, v.visit, v.teleconsult, v.institution.ID, recordingText.Version, now).Scan(&recording)
	return recording, err
}

func selectRecording(ctx context.Context, tx tx, p matter) (r Recording, err error) {
	err = tx.QueryRow(ctx, `
		SELECT id, state, trouble, started_at, ended_at, to_char(keep_until, 'YYYY-MM-DD'), coalesce(ending_until > clock_timestamp(), false)
		FROM recording WHERE room_of = $1`, p.id()).
		Scan(&r.ID, &r.State, &r.Trouble, &r.Started, &r.Ended, &r.Until, &r.ending)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return r, err
}

// recordingRequired: at a consult of doctors nobody is turned away.
func recordingRequired(ctx context.Context, tx tx, v venue) (required bool, err error) {
	err = tx.QueryRow(ctx, `SELECT recording_required AND NOT $2 FROM institution WHERE id = $1`, v.institution.ID, v.visit.IsZero()).Scan(&required)
	return required, err
}

func insertAnswer(ctx context.Context, tx tx, recording ids.Recording, a author, agreed bool, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO recording_answer (id, recording_id, seat, name, role, account_id, link_id, agreed, text_version, text_sha256, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		ids.New[ids.Message](), recording, string(a.seat), a.name, a.role, a.account, a.link, agreed, recordingText.Version, recordingTextHash(), now)
	return err
}

// selectAnswers is the newest answer of each seat to this version of the text. What an expert said who has left does not bind who
// sits there now.
func selectAnswers(ctx context.Context, tx tx, recording ids.Recording, version string) ([]RecordAnswer, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[RecordAnswer], `
		SELECT DISTINCT ON (seat) seat, name, role, agreed FROM recording_answer
		WHERE recording_id = $1 AND text_version = $2 AND (seat <> $3 OR NOT EXISTS (SELECT FROM teleconsult_released l
		      JOIN recording r ON r.teleconsult_id = l.teleconsult_id WHERE r.id = $1 AND l.at >= recording_answer.at))
		ORDER BY seat, at DESC, id DESC`, recording, version, string(expertSeat))
}

func refuseRecording(ctx context.Context, tx tx, id ids.Recording) error {
	_, err := tx.Exec(ctx, `UPDATE recording SET state = 'refused' WHERE id = $1 AND state IN ('asked', 'running')`, id)
	return err
}

// putRefusal: seen in person instead, all paid back.
func putRefusal(ctx context.Context, tx tx, visit ids.Visit) error {
	_, err := tx.Exec(ctx, `UPDATE visit SET recording_refused = true, refund_due = (SELECT fee_fen > 0 FROM slot WHERE id = slot_id), note = 'recording refused' WHERE id = $1`, visit)
	return err
}

// openTape: recordings that may still run.
const openTape = `state IN ('asked', 'running', 'refused')`

// claimTape gets or renews the lease of a recording, unless another process has it. Leases go by the clock of the database.
func claimTape(ctx context.Context, db pg.DB, p matter, me string) (mine bool, err error) {
	done, err := db.Exec(ctx, `
		UPDATE recording SET taped_by = $2, taped_until = clock_timestamp() + $3::interval
		WHERE room_of = $1 AND `+openTape+` AND (taped_by IS NULL OR taped_by = $2 OR taped_until < clock_timestamp())`, p.id(), me, tapeLease)
	return done.RowsAffected() == 1, err
}

// keptTape is a recording to be looked at: this process's, or one whose lease has lapsed.
type keptTape struct {
	ID            ids.Recording
	VisitID       ids.Visit
	TeleconsultID ids.Teleconsult
	Keep          bool // runs, and is to go on
}

func (k keptTape) matter() matter { return matter{visit: k.VisitID, teleconsult: k.TeleconsultID} }

// keepTapes renews this process's leases.
func keepTapes(ctx context.Context, db pg.DB, me string) ([]keptTape, error) {
	rows, err := db.Query(ctx, `
		WITH mine AS (
			UPDATE recording SET taped_until = clock_timestamp() + $2::interval WHERE taped_by = $1 AND `+openTape+`
			RETURNING id, visit_id, teleconsult_id, state = 'running' AND NOT coalesce(ending_until > clock_timestamp(), false))
		SELECT * FROM mine UNION ALL
		SELECT id, visit_id, teleconsult_id, false FROM recording WHERE taped_by <> $1 AND taped_until < clock_timestamp() AND `+openTape, me, tapeLease)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[keptTape])
}

// lapseTapes leaves this process's recordings to the others at once.
func lapseTapes(ctx context.Context, db pg.DB, me string) error {
	_, err := db.Exec(ctx, `UPDATE recording SET taped_until = clock_timestamp() WHERE taped_by = $1`, me)
	return err
}

// releaseTape gives a recording back to whoever looks at it next.
func releaseTape(ctx context.Context, db pg.DB, id ids.Recording, me string) error {
	_, err := db.Exec(ctx, `UPDATE recording SET taped_by = NULL, taped_until = NULL, ending_until = NULL WHERE id = $1 AND taped_by = $2`, id, me)
	return err
}

// holdOff: nobody begins to record for a while.
func holdOff(ctx context.Context, db pg.DB, p matter) error {
	_, err := db.Exec(ctx, `UPDATE recording SET ending_until = clock_timestamp() + $2::interval WHERE room_of = $1 AND `+openTape, p.id(), endingTime)
	return err
}

// pauseRecording: what another process records is to stop.
func pauseRecording(ctx context.Context, db pg.DB, id ids.Recording) error {
	_, err := db.Exec(ctx, `UPDATE recording SET state = 'asked' WHERE id = $1 AND state = 'running'`, id)
	return err
}

// noteRecording writes down what settleRecording has brought about and, where nothing runs, releases the lease. A recording whose visit is over
// is done.
func (s *Service) noteRecording(ctx context.Context, r Recording, running, open, trouble bool) (changed bool, err error) {
	err = s.DB.QueryRow(ctx, `
		UPDATE recording SET
			started_at = CASE WHEN @running THEN coalesce(started_at, @now) ELSE started_at END,
			ended_at = CASE WHEN NOT @open AND started_at IS NOT NULL THEN coalesce(ended_at, @now::timestamptz) ELSE ended_at END,
			trouble = @trouble,
			taped_by = CASE WHEN @running THEN taped_by END, taped_until = CASE WHEN @running THEN taped_until END,
			state = CASE WHEN state = 'refused' THEN state WHEN @running THEN 'running'
			             WHEN NOT @open AND started_at IS NOT NULL THEN 'done' ELSE 'asked' END
		WHERE id = @id AND `+openTape+` AND taped_by = @me
		RETURNING state <> @state OR trouble <> @told`,
		pgx.NamedArgs{"id": r.ID, "running": running, "open": open, "trouble": trouble, "now": s.Now(), "me": s.Tapes.me(), "state": r.State, "told": r.Trouble}).Scan(&changed)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return changed, err
}

func endRecording(ctx context.Context, db pg.DB, id ids.Recording, state string, now time.Time) error {
	_, err := db.Exec(ctx, `
		UPDATE recording SET state = $2, ended_at = coalesce(ended_at, $3), keep_until = keep_until + (coalesce(ended_at, $3)::date - asked_at::date), taped_by = NULL, taped_until = NULL, ending_until = NULL WHERE id = $1`, id, state, now)
	return err
}

// checkFailed notes that the recording did not play, and says whether that was known before.
func checkFailed(ctx context.Context, db pg.DB, id ids.Recording) (before bool, err error) {
	err = db.QueryRow(ctx, `
		UPDATE recording r SET check_failed = true FROM (SELECT id, check_failed FROM recording WHERE id = $1) old
		WHERE r.id = old.id RETURNING old.check_failed`, id).Scan(&before)
	return before, err
}

// putPart keeps a part of a recording whose lease me has; old is the object of the one that it replaces, the part's own where the lease is another's,
// else "".
func putPart(ctx context.Context, db pg.DB, id ids.Recording, me string, p control.Part, key string, sum []byte) (old string, err error) {
	err = db.QueryRow(ctx, `
		WITH old AS (SELECT object_key FROM recording_part WHERE recording_id = $1 AND take = $2 AND number = $3), put AS (
			INSERT INTO recording_part (recording_id, take, number, seat, media_type, start_at, end_at, object_key, size, sha256)
			SELECT id, $2, $3, $4::text, $5::text, $6::timestamptz, $7::timestamptz, $8::text, $9::bigint, $10::bytea
			FROM recording WHERE id = $1 AND taped_by = $11
			ON CONFLICT (recording_id, take, number) DO UPDATE SET end_at = $7, object_key = $8, size = $9, sha256 = $10 RETURNING object_key)
		SELECT CASE WHEN EXISTS (SELECT FROM put) THEN coalesce((SELECT object_key FROM old), '') ELSE $8 END`,
		id, p.Take, p.Number, string(p.Seat), p.Type, p.Start, p.End, key, len(p.Data), sum, me).Scan(&old)
	return old, err
}

func selectTakes(ctx context.Context, tx tx, id ids.Recording) ([]Take, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[Take], `
		SELECT take, min(seat), min(media_type),
		       (extract(epoch FROM min(start_at) - (SELECT min(start_at) FROM recording_part WHERE recording_id = $1)) * 1000)::bigint,
		       (extract(epoch FROM max(end_at) - min(start_at)) * 1000)::bigint, sum(size)::bigint
		FROM recording_part WHERE recording_id = $1 GROUP BY take ORDER BY take`, id)
}

type storedPart struct {
	ObjectKey string
	Size      int64
	SHA256    []byte `db:"sha256"`
}

// selectParts are a take's parts from the first on without a hole: one that is missing ends the file.
func selectParts(ctx context.Context, tx tx, id ids.Recording, take int) ([]storedPart, error) {
	return collect(ctx, tx, pgx.RowToStructByName[storedPart], `
		SELECT object_key, size, sha256 FROM (
			SELECT object_key, size, sha256, number, row_number() OVER (ORDER BY number) - 1 AS place
			FROM recording_part WHERE recording_id = $1 AND take = $2) p
		WHERE number = place ORDER BY number`, id, take)
}

// span is how far a take reaches.
type span struct {
	Place      ids.Institution
	Parts      int
	Start, End time.Time
}

func selectSpan(ctx context.Context, db pg.DB, id ids.Recording, take int) (s span, err error) {
	err = db.QueryRow(ctx, `
		SELECT r.institution_id, count(*)::int, min(p.start_at), max(p.end_at) FROM recording r JOIN recording_part p ON p.recording_id = r.id
		WHERE r.id = $1 AND p.take = $2 GROUP BY r.institution_id`, id, take).Scan(&s.Place, &s.Parts, &s.Start, &s.End)
	return s, err
}

// recordedMatter finds whose room it is; zero when it is nobody's or nobody was asked about a recording.
func recordedMatter(ctx context.Context, db pg.DB, room control.Room) (p matter, err error) {
	err = db.QueryRow(ctx, `
		SELECT visit_id, teleconsult_id FROM recording WHERE state IN ('asked', 'running', 'refused')
		  AND room_of IN (SELECT id FROM visit WHERE room = $1 UNION ALL SELECT id FROM teleconsult WHERE room = $1)`, string(room)).Scan(&p.visit, &p.teleconsult)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return p, err
}
