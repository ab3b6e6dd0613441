package consult

import (
	"context"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/rule"
)

// Review is a person's wish that people look at what was decided automatically (PIPL Art. 24). Whoever answers can't change the
// verdict: the law refuses, not the machine. Facts that were wrong are mended where they are kept (a record verified, a guardian
// checked), and the patient asks again.
type Review struct {
	ID         ids.Review   `json:"id"`
	DecisionID ids.Decision `json:"decision_id"`
	Verdict    rule.Outcome `json:"verdict"`
	Rules      []string     `json:"rules" doc:"That fired, in order"`
	Name       string       `json:"name" doc:"Of the patient"`
	Phone      bool         `json:"phone" doc:"The asker can be told by text message"`
	Note       string       `json:"note"`
	AskedAt    time.Time    `json:"asked_at"`
	DueAt      time.Time    `json:"due_at"`
	Result     string       `json:"result,omitempty" enum:"upheld,corrected"`
	Answer     string       `json:"answer,omitempty"`
	AnsweredBy string       `json:"answered_by,omitempty"`
	AnsweredAt *time.Time   `json:"answered_at,omitempty"`

	account ids.Account
	person  ids.Person
	place   ids.Institution
}

// reviewWithin is our word to the patient; no law names a time.
const reviewWithin = 24 * time.Hour

// AskReview asks for it once a decision. An emergency is not discussed, and what passed needs none.
func (s *Service) AskReview(ctx context.Context, id ids.Decision, note string) (r Review, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		row, err := selectDecision(ctx, tx, authz.ScopeFrom(ctx), id)
		if err != nil {
			return err
		}
		d, err := row.decision()
		if err != nil {
			return err
		}
		if d.Verdict.Passes() || d.Verdict == rule.Emergency {
			return fault.New(fault.Refused, "no_review", "这个结果不需要复核。", "There is nothing to review in this answer.").
				WithRemedy("请按页面上的下一步做。", "Please follow the next step on the page.")
		}
		now := s.Now()
		if err := insertReview(ctx, tx, ids.New[ids.Review](), id, authz.SubjectFrom(ctx).Account, note, now, now.Add(reviewWithin)); err != nil {
			return err
		}
		if r, err = s.oneReview(ctx, tx, reviewFilter{Decision: id}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "review.ask", Object: "decision/" + id.String(), Person: row.PersonID, Place: r.place})
	})
	if pg.Violates(err, "decision_review_decision_id_key") { // asked already: the same answer
		err = s.inTx(ctx, func(tx tx) error {
			r, err = s.oneReview(ctx, tx, reviewFilter{Decision: id})
			return err
		})
		return r, err
	}
	s.tellReview(r, err)
	return r, err
}

// ReviewsOf reads the review of a decision within the scope: one, or none.
func (s *Service) ReviewsOf(ctx context.Context, id ids.Decision) (list []Review, err error) {
	if id.IsZero() { // would filter nothing
		return nil, fault.Missing()
	}
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectReviews(ctx, tx, authz.ScopeFrom(ctx), reviewFilter{Decision: id})
		return err
	})
	return list, err
}

// Reviews lists what waits for an answer at the places of the scope, the most urgent first.
func (s *Service) Reviews(ctx context.Context) (list []Review, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = selectReviews(ctx, tx, authz.ScopeFrom(ctx), reviewFilter{Open: true}); err != nil {
			return err
		}
		for _, r := range list {
			if err := audit.Write(ctx, tx, audit.Entry{Action: "review.answer", Object: "decision/" + r.DecisionID.String(), Person: r.person, Place: r.place, Reason: "queue"}); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// ReviewAnswer is what a person found: the decision stands, or facts were mended and the patient may ask again.
type ReviewAnswer struct {
	Result string `json:"result" enum:"upheld,corrected"`
	Answer string `json:"answer" minLength:"1" maxLength:"1000" doc:"In words the patient understands"`
}

// AnswerReview answers once; the patient is told.
func (s *Service) AnswerReview(ctx context.Context, id ids.Review, a ReviewAnswer) (r Review, err error) {
	if strings.TrimSpace(a.Answer) == "" {
		return Review{}, fault.New(fault.Invalid, "answer_missing", "请写一句答复。", "Please write an answer.").
			WithRemedy("用患者听得懂的话。", "In words the patient understands.")
	}
	if id.IsZero() { // would filter nothing
		return Review{}, fault.Missing()
	}
	err = s.inTx(ctx, func(tx tx) error {
		if r, err = s.oneReview(ctx, tx, reviewFilter{Review: id}); err != nil {
			return err
		}
		answered, err := settleReview(ctx, tx, id, a, authz.SubjectFrom(ctx).Account, s.Now())
		if err == nil && !answered {
			err = fault.New(fault.Conflict, "review_answered", "已经有人答复了。", "Somebody has answered already.").
				WithRemedy("请刷新列表。", "Please refresh the list.")
		}
		if err != nil {
			return err
		}
		if r, err = s.oneReview(ctx, tx, reviewFilter{Review: id}); err != nil {
			return err
		}
		if err := s.notify(ctx, tx, r.account, "【远诊】您要求的人工复核有了答复，请打开页面查看。"); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "review.answer", Object: "decision/" + r.DecisionID.String(), Person: r.person, Place: r.place, Reason: a.Result})
	})
	s.tellReview(r, err)
	return r, err
}

func (s *Service) oneReview(ctx context.Context, tx tx, f reviewFilter) (Review, error) {
	list, err := selectReviews(ctx, tx, authz.ScopeFrom(ctx), f)
	if err != nil {
		return Review{}, err
	}
	if len(list) == 0 {
		return Review{}, fault.Missing()
	}
	return list[0], nil
}

func (s *Service) tellReview(r Review, err error) {
	if err == nil {
		s.Live.Publish(live.Event{Kind: "review.changed", ID: r.DecisionID.String(), Accounts: []ids.Account{r.account}, Places: []ids.Institution{r.place}})
	}
}
