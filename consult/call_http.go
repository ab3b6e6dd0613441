package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Service) callRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/quality", Action: "visit.read",
		Summary: "What the line of the visit was like, with its gaps"}, s.readCallQuality)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/calls", Action: "calls.read",
		Summary: "The lines of the last 24 hours, without names"}, s.readCalls)
}

type callQualityOut struct{ Body CallQuality }

func (s *Service) readCallQuality(ctx context.Context, in *VisitPath) (*callQualityOut, error) {
	q, err := s.CallQuality(ctx, in.ID)
	return &callQualityOut{q}, err
}

type callsOut struct{ Body Calls }

func (s *Service) readCalls(ctx context.Context, _ *struct{}) (*callsOut, error) {
	c, err := s.Calls(ctx)
	return &callsOut{c}, err
}
