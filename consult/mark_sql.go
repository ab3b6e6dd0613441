package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// imageAttached reports whether the image lies in a study of the request, where its hospital keeps it.
func imageAttached(ctx context.Context, tx tx, id ids.Teleconsult, place ids.Institution, m Mark) (there bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT FROM teleconsult_study x
			JOIN study s ON s.uid = x.study_uid AND s.institution_id = $2
			JOIN series e ON e.study_id = s.id AND e.uid = $4
			JOIN instance i ON i.series_id = e.id AND i.sop_uid = $5
			WHERE x.teleconsult_id = $1 AND x.study_uid = $3 AND ($6 = 1 OR $6 <= jsonb_array_length(i.frame_index)))`,
		id, place, m.Study, m.Series, m.SOP, m.Frame).Scan(&there)
	return there, err
}

// putMark stores the version after m.Rev and reports whether it was still the newest.
func putMark(ctx context.Context, tx tx, id ids.Teleconsult, m Mark, by ids.Practitioner, now time.Time) (bool, error) {
	switch {
	case m.Gone:
		tag, err := tx.Exec(ctx, `
			UPDATE teleconsult_mark SET rev = rev + 1, removed = true, practitioner_id = $4, changed_at = $5
			WHERE teleconsult_id = $1 AND id = $2 AND rev = $3 AND NOT removed`, id, m.ID, m.Rev, by, now)
		return tag.RowsAffected() == 1, err
	case m.Rev > 0:
		tag, err := tx.Exec(ctx, `
			UPDATE teleconsult_mark SET rev = rev + 1, study_uid = $4, series_uid = $5, sop_uid = $6, frame = $7, tool = $8, points = $9,
				text = $10, found = $11, practitioner_id = $12, changed_at = $13
			WHERE teleconsult_id = $1 AND id = $2 AND rev = $3 AND NOT removed`,
			id, m.ID, m.Rev, m.Study, m.Series, m.SOP, m.Frame, m.Tool, m.Points, m.Text, m.Found, by, now)
		return tag.RowsAffected() == 1, err
	}
	if m.Points == nil {
		m.Points = []Point{}
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_mark (id, teleconsult_id, rev, study_uid, series_uid, sop_uid, frame, tool, points, text, found, practitioner_id, changed_at, removed)
		SELECT $2, $1, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, false
		WHERE (SELECT count(*) FROM teleconsult_mark WHERE teleconsult_id = $1) < $13
		ON CONFLICT (id) DO NOTHING`,
		id, m.ID, m.Study, m.Series, m.SOP, m.Frame, m.Tool, m.Points, m.Text, m.Found, by, now, maxMarks)
	return tag.RowsAffected() == 1, err
}

const markColumns = `SELECT m.id, m.rev, m.study_uid, m.series_uid, m.sop_uid, m.frame, m.tool, m.points, m.text, m.found, m.removed, p.id, p.name, p.title
	FROM teleconsult_mark m JOIN practitioner p ON p.id = m.practitioner_id WHERE m.teleconsult_id = $1`

func scanMark(row pgx.CollectableRow) (m Mark, err error) {
	m.Author = new(Doctor)
	err = row.Scan(&m.ID, &m.Rev, &m.Study, &m.Series, &m.SOP, &m.Frame, &m.Tool, &m.Points, &m.Text, &m.Found, &m.Gone, &m.Author.ID, &m.Author.Name, &m.Author.Title)
	return m, err
}

func selectMarks(ctx context.Context, tx tx, id ids.Teleconsult) ([]Mark, error) {
	return collect(ctx, tx, scanMark, markColumns+` ORDER BY m.id`, id)
}

// selectMark reads one; a mark that is another consult's, or that there was no room for, is not there.
func selectMark(ctx context.Context, tx tx, id ids.Teleconsult, mark ids.Mark) (Mark, error) {
	list, err := collect(ctx, tx, scanMark, markColumns+` AND m.id = $2`, id, mark)
	if err == nil && len(list) == 0 {
		err = fault.Missing()
	}
	if err != nil {
		return Mark{}, err
	}
	return list[0], nil
}

type signedOpinion struct {
	Place       ids.Institution // whose images they are
	Expert      string
	Institution string
	At          time.Time
}

func selectSignedOpinion(ctx context.Context, tx tx, id ids.Teleconsult) (o signedOpinion, err error) {
	err = tx.QueryRow(ctx, `
		SELECT t.inviter_institution_id, p.name, i.name, d.signed_at
		FROM teleconsult t
		JOIN teleconsult_document d ON d.teleconsult_id = t.id AND d.kind = 'opinion' AND d.practitioner_id = t.expert_practitioner_id AND d.signed_at IS NOT NULL
		JOIN practitioner p ON p.id = d.practitioner_id
		JOIN institution i ON i.id = t.invited_institution_id
		WHERE t.id = $1`, id).Scan(&o.Place, &o.Expert, &o.Institution, &o.At)
	return o, err
}
