package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Service) callRoutes(api *httpapi.API, d doorway) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/quality", Action: d.read,
		Summary: "What the lines of the room were like, with their gaps"}, found(d, s.CallQuality))
}

type callsOut struct{ Body Calls }

func (s *Service) readCalls(ctx context.Context, _ *struct{}) (*callsOut, error) {
	c, err := s.Calls(ctx)
	return &callsOut{c}, err
}
