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
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/call", Action: "queue.call",
		Summary: "Call the number of a waiting patient; again to recall"}, s.callIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/skip", Action: "queue.call",
		Summary: "Pass over a patient who does not come; the number is kept"}, s.skipIn)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/institutions/{id}/numbers", Action: "queue.display",
		Summary: "Numbers for the display in the corridor"}, s.readNumbers)
}

type queueOut struct{ Body Queue }

func (s *Service) readQueue(ctx context.Context, _ *struct{}) (*queueOut, error) {
	q, err := s.Queue(ctx)
	return &queueOut{q}, err
}

type callVisitIn struct {
	Once
	VisitPath
}

func (s *Service) callIn(ctx context.Context, in *callVisitIn) (*visitOut, error) {
	v, err := s.Call(ctx, in.ID, in.Key)
	return &visitOut{v}, err
}

func (s *Service) skipIn(ctx context.Context, in *callVisitIn) (*visitOut, error) {
	v, err := s.Skip(ctx, in.ID, in.Key)
	return &visitOut{v}, err
}

type numbersOut struct{ Body []Numbers }

func (s *Service) readNumbers(ctx context.Context, in *PlacePath) (*numbersOut, error) {
	list, err := s.Display(ctx, in.ID)
	return &numbersOut{list}, err
}

type chartOut struct{ Body Chart }

func (s *Service) readChart(ctx context.Context, in *VisitPath) (*chartOut, error) {
	c, err := s.Chart(ctx, in.ID)
	return &chartOut{c}, err
}
