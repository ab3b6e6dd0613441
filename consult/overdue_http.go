package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Teleconsults) overdueRoutes(api *httpapi.API) {
	const base = "/api/v1/overdue-consults"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: "teleconsult.oversee",
		Summary: "Consults that wait too long at the own hospitals, and who was told when (TCR-07)"}, s.overdue)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/take-up", Action: "teleconsult.oversee",
		Summary: "Say that one sees to it, and how"}, s.takeUp)
}

type overdueOut struct{ Body []Overdue }

func (s *Teleconsults) overdue(ctx context.Context, _ *struct{}) (*overdueOut, error) {
	list, err := s.Overdue(ctx)
	return &overdueOut{list}, err
}

func (s *Teleconsults) takeUp(ctx context.Context, in *reasonIn) (*overdueOut, error) {
	list, err := s.TakeUp(ctx, in.ID, in.Body.Reason)
	return &overdueOut{list}, err
}
