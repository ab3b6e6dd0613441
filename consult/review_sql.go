package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// reviewFilter narrows what is read; zero members don't.
type reviewFilter struct {
	Review   ids.Review
	Decision ids.Decision
	Open     bool
}

// insertReview: an answer that concerned no hospital, because none had a free doctor, is reviewed by one that gives internet care.
func insertReview(ctx context.Context, tx tx, id ids.Review, decision ids.Decision, by ids.Account, note string, now, due time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO decision_review (id, decision_id, account_id, institution_id, note, asked_at, due_at)
		SELECT $1, n.id, $3, coalesce(n.institution_id, (SELECT i.id FROM institution i WHERE i.internet_service_registered ORDER BY i.code LIMIT 1)), $4, $5, $6
		FROM decision n WHERE n.id = $2`, id, decision, by, note, now, due)
	return err
}

// selectReviews keeps to the scope: own persons', those of the place.
func selectReviews(ctx context.Context, tx tx, scope authz.Scope, f reviewFilter) ([]Review, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (r Review, err error) {
		var verdict string
		err = row.Scan(&r.ID, &r.DecisionID, &verdict, &r.Rules, &r.Name, &r.Phone, &r.Note, &r.AskedAt, &r.DueAt, &r.Result, &r.Answer, &r.AnsweredBy, &r.AnsweredAt,
			&r.account, &r.person, &r.place)
		if err == nil {
			err = r.Verdict.UnmarshalText([]byte(verdict))
		}
		return r, err
	}, `
		SELECT w.id, w.decision_id, n.verdict, ARRAY (SELECT e ->> 'rule' FROM jsonb_array_elements(n.reasons) e), p.name, a.phone_sealed IS NOT NULL,
		       w.note, w.asked_at, w.due_at, coalesce(w.result, ''), coalesce(w.answer, ''), coalesce(b.name, ''), w.answered_at,
		       w.account_id, n.person_id, w.institution_id
		FROM decision_review w JOIN decision n ON n.id = w.decision_id JOIN person p ON p.id = n.person_id JOIN account a ON a.id = w.account_id
		LEFT JOIN account b ON b.id = w.answered_by
		WHERE (@scope_all OR w.institution_id = ANY (@scope_places)
		       OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = n.person_id))
		  AND (@review::uuid IS NULL OR w.id = @review) AND (@decision::uuid IS NULL OR w.decision_id = @decision) AND (NOT @open OR w.result IS NULL)
		ORDER BY w.due_at, w.id LIMIT 100`,
		scope.With(pgx.NamedArgs{"review": f.Review, "decision": f.Decision, "open": f.Open}))
}

func settleReview(ctx context.Context, tx tx, id ids.Review, a ReviewAnswer, by ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE decision_review SET result = $2, answer = $3, answered_by = $4, answered_at = $5 WHERE id = $1 AND result IS NULL`,
		id, a.Result, a.Answer, by, now)
	return tag.RowsAffected() == 1, err
}
