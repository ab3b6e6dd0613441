package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) reviewRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/decisions/{id}/review", Action: "review.ask", Status: 201,
		Summary: "Ask people to look at a decision (PIPL Art. 24); asked twice it is one"}, s.askReview)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/decisions/{id}/reviews", Action: "decision.read",
		Summary: "The review of a decision and its answer; none if nobody asked"}, s.readReviews)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/reviews", Action: "review.answer",
		Summary: "Reviews that wait for an answer, the most urgent first"}, s.listReviews)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/reviews/{id}/answer", Action: "review.answer",
		Summary: "Answer a review; the verdict itself can't be changed"}, s.answerReview)
}

type askReviewIn struct {
	ID   ids.Decision `path:"id"`
	Body struct {
		Note string `json:"note" maxLength:"1000" doc:"What seems wrong, in the patient's words"`
	}
}

type reviewOut struct{ Body Review }

func (s *Service) askReview(ctx context.Context, in *askReviewIn) (*reviewOut, error) {
	r, err := s.AskReview(ctx, in.ID, in.Body.Note)
	return &reviewOut{r}, err
}

type reviewsOut struct{ Body []Review }

func (s *Service) readReviews(ctx context.Context, in *decisionIn) (*reviewsOut, error) {
	list, err := s.ReviewsOf(ctx, in.ID)
	return &reviewsOut{list}, err
}

func (s *Service) listReviews(ctx context.Context, _ *struct{}) (*reviewsOut, error) {
	list, err := s.Reviews(ctx)
	return &reviewsOut{list}, err
}

type answerReviewIn struct {
	ID   ids.Review `path:"id"`
	Body ReviewAnswer
}

func (s *Service) answerReview(ctx context.Context, in *answerReviewIn) (*reviewOut, error) {
	r, err := s.AnswerReview(ctx, in.ID, in.Body)
	return &reviewOut{r}, err
}
