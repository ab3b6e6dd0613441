package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Service) callRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/quality", Action: "visit.read",
		Summary: "What the line of the visit was like, with its gaps"}, s.readCallQuality)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/lines", Action: "lines.read",
		Summary: "The lines of the last 24 hours, without names"}, s.readLines)
}

type callQualityOut struct{ Body CallQuality }

func (s *Service) readCallQuality(ctx context.Context, in *VisitPath) (*callQualityOut, error) {
	q, err := s.CallQuality(ctx, in.ID)
	return &callQualityOut{q}, err
}

type linesOut struct{ Body Lines }

func (s *Service) readLines(ctx context.Context, _ *struct{}) (*linesOut, error) {
	c, err := s.Lines(ctx)
	return &linesOut{c}, err
}
