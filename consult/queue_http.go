package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Service) queueRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/queue", Action: "queue.read",
		Summary: "The doctor's day"}, s.readQueue)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/chart", Action: "chart.read",
		Summary: "The chart of the visit's patient"}, s.readChart)
}

type queueOut struct{ Body Queue }

func (s *Service) readQueue(ctx context.Context, _ *struct{}) (*queueOut, error) {
	q, err := s.Queue(ctx)
	return &queueOut{q}, err
}

type chartOut struct{ Body Chart }

func (s *Service) readChart(ctx context.Context, in *VisitPath) (*chartOut, error) {
	c, err := s.Chart(ctx, in.ID)
	return &chartOut{c}, err
}
