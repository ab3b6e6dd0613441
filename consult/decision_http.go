package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) decisionRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/eligibility", Action: "eligibility.ask",
		Summary: "May this visit go online, now, with this doctor? The answer is kept"}, s.askEligibility)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/decisions/{id}", Action: "decision.read",
		Summary: "A decision with the facts it rests on (PIPL Art. 24)"}, s.readDecision)
}

type askIn struct {
	Body struct {
		Question
		Department     string           `json:"department" maxLength:"100"`
		PractitionerID ids.Practitioner `json:"practitioner_id" required:"false"`
		SlotID         ids.Slot         `json:"slot_id" required:"false"`
	}
}

type decisionOut struct{ Body Decision }

func (s *Service) askEligibility(ctx context.Context, in *askIn) (*decisionOut, error) {
	a := in.Body.ask()
	a.Department, a.Doctor, a.Slot = in.Body.Department, in.Body.PractitionerID, in.Body.SlotID
	d, err := s.Eligibility(ctx, a)
	d.Facts = nil
	return &decisionOut{d}, err
}

type decisionIn struct {
	ID ids.Decision `path:"id"`
}

func (s *Service) readDecision(ctx context.Context, in *decisionIn) (*decisionOut, error) {
	d, err := s.Decision(ctx, in.ID)
	return &decisionOut{d}, err
}
