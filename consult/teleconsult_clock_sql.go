package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

func putNeeds(ctx context.Context, tx tx, id ids.Teleconsult, what string) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET needs = $2, needs_answer = '' WHERE id = $1`, id, what)
	return err
}

func putAnswer(ctx context.Context, tx tx, id ids.Teleconsult, answer string) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET needs_answer = $2 WHERE id = $1`, id, answer)
	return err
}

// putTriaged sets the clock anew: of one that has not run out, the heads hear again when it does.
func putTriaged(ctx context.Context, tx tx, id ids.Teleconsult, in NewTeleconsult, urgency string, due, since, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult SET department = $2, urgency = $3, kind = $4, liability = $5, sla_due = $6, clock_from = $8,
		       escalated_at = CASE WHEN $6 > $7::timestamptz THEN NULL ELSE escalated_at END,
		       escalated_why = CASE $3 WHEN 'emergency' THEN escalated_why ELSE '' END WHERE id = $1`,
		id, in.Department, urgency, in.kind(), in.liability(), due, now, since)
	return err
}

// putEscalated sets the shorter clock, which begins where it became an emergency; whether the heads were told that one has run out stays
// as it is.
func putEscalated(ctx context.Context, tx tx, id ids.Teleconsult, why string, due, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE teleconsult SET urgency = 'emergency', escalated_why = $2, sla_due = $3,
		       clock_from = CASE urgency WHEN 'emergency' THEN clock_from ELSE $4 END WHERE id = $1`, id, why, due, now)
	return err
}

func putLive(ctx context.Context, tx tx, id ids.Teleconsult, on bool) error {
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET live = $2, inviter_entered_at = NULL, expert_entered_at = NULL WHERE id = $1`, id, on)
	return err
}

// putWritten takes the time away from a meeting that is answered in writing instead.
func putWritten(ctx context.Context, tx tx, id ids.Teleconsult, due time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE teleconsult_further SET slot_id = NULL WHERE teleconsult_id = $1`, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE teleconsult SET live = false, slot_id = NULL, sla_due = $2 WHERE id = $1`, id, due)
	return err
}

// putEntered notes the first time that a side came; true once both have.
func putEntered(ctx context.Context, tx tx, id ids.Teleconsult, inviter bool, now time.Time) (both bool, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE teleconsult SET inviter_entered_at = CASE WHEN $2 THEN coalesce(inviter_entered_at, $3) ELSE inviter_entered_at END,
		                       expert_entered_at = CASE WHEN $2 THEN expert_entered_at ELSE coalesce(expert_entered_at, $3) END
		WHERE id = $1 RETURNING inviter_entered_at IS NOT NULL AND expert_entered_at IS NOT NULL`, id, inviter, now).Scan(&both)
	return both, err
}

func selectOverdue(ctx context.Context, tx tx, now time.Time) ([]ids.Teleconsult, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Teleconsult], `
		SELECT id FROM teleconsult WHERE state IN ('submitted', 'triaged', 'scheduled', 'in_progress') AND escalated_at IS NULL AND sla_due < $1 ORDER BY sla_due`, now)
}

func putOverdue(ctx context.Context, tx tx, id ids.Teleconsult, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE teleconsult SET escalated_at = $2 WHERE id = $1 AND state IN ('submitted', 'triaged', 'scheduled', 'in_progress')
		   AND escalated_at IS NULL AND sla_due < $2`, id, now)
	return tag.RowsAffected() == 1, err
}

// selectAudience are the accounts of those who are to hear of it, each once.
func selectAudience(ctx context.Context, tx tx, id ids.Teleconsult, whom []audience) ([]ids.Account, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Account], `
		SELECT p.account_id FROM teleconsult t JOIN practitioner p ON p.id = t.inviter_practitioner_id WHERE t.id = $1 AND 0 = ANY($2::int[])
		UNION SELECT p.account_id FROM teleconsult t JOIN practitioner p ON p.id = t.expert_practitioner_id
		   OR p.id IN (SELECT practitioner_id FROM teleconsult_further WHERE teleconsult_id = t.id) WHERE t.id = $1 AND 1 = ANY($2::int[])
		UNION SELECT m.account_id FROM teleconsult t JOIN membership m ON m.institution_id = t.invited_institution_id
		   AND (m.role = 'coordinator' AND 2 = ANY($2::int[]) OR m.role = 'administrator' AND 3 = ANY($2::int[])) WHERE t.id = $1
		UNION SELECT m.account_id FROM teleconsult t JOIN membership m ON m.institution_id = t.inviter_institution_id
		   AND m.role = 'administrator' AND 4 = ANY($2::int[]) WHERE t.id = $1
		UNION SELECT p.account_id FROM teleconsult t JOIN practitioner p ON p.id = t.expert_practitioner_id WHERE t.id = $1 AND 5 = ANY($2::int[])`, id, whom)
}

func insertStep(ctx context.Context, tx tx, id ids.Teleconsult, deed string, account ids.Account, note string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_step (teleconsult_id, n, deed, account_id, note, at)
		SELECT $1, 1 + coalesce(max(n), 0), $2, $3, $4, $5 FROM teleconsult_step WHERE teleconsult_id = $1`, id, deed, account, note, now)
	return err
}

func selectSteps(ctx context.Context, tx tx, id ids.Teleconsult) ([]Step, error) {
	return collect(ctx, tx, pgx.RowToStructByPos[Step], `
		SELECT s.deed, coalesce(a.name, ''), s.note, s.at FROM teleconsult_step s LEFT JOIN account a ON a.id = s.account_id
		WHERE s.teleconsult_id = $1 ORDER BY s.n`, id)
}

func selectPhrases(ctx context.Context, tx tx, who ids.Practitioner) (p Phrases, err error) {
	err = tx.QueryRow(ctx, `
		SELECT coalesce(array_agg(phrase ORDER BY at, phrase) FILTER (WHERE field = 'findings'), '{}'),
		       coalesce(array_agg(phrase ORDER BY at, phrase) FILTER (WHERE field = 'advice'), '{}') FROM opinion_phrase WHERE practitioner_id = $1`, who).
		Scan(&p.Findings, &p.Advice)
	return p, err
}

func putPhrases(ctx context.Context, tx tx, who ids.Practitioner, p Phrases, now time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM opinion_phrase WHERE practitioner_id = $1`, who); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO opinion_phrase (practitioner_id, field, phrase, at)
		SELECT $1, f, p, $4::timestamptz + n * interval '1 microsecond' FROM (
		    SELECT 'findings' AS f, p, n FROM unnest($2::text[]) WITH ORDINALITY AS x(p, n) UNION ALL
		    SELECT 'advice', p, n FROM unnest($3::text[]) WITH ORDINALITY AS x(p, n)) all_of
		ON CONFLICT DO NOTHING`, who, p.Findings, p.Advice, now)
	return err
}
