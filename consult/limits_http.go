package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Teleconsults) limitRoutes(api *httpapi.API) {
	const base = "/api/v1/consult-limits"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: "teleconsult.limit", Summary: "How long the own hospitals give themselves for teleconsults (TCR-07)"}, s.limits)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: base + "/{institution}", Action: "teleconsult.limit", Summary: "Set the hospital's own limits, as a new version"}, s.setLimits)
}

type limitsOut struct{ Body []Limits }

func (s *Teleconsults) limits(ctx context.Context, _ *struct{}) (*limitsOut, error) {
	list, err := s.LimitsOf(ctx)
	return &limitsOut{list}, err
}

type setLimitsIn struct {
	Institution ids.Institution `path:"institution"`
	Body        SetLimits
}

type setLimitsOut struct{ Body Limits }

func (s *Teleconsults) setLimits(ctx context.Context, in *setLimitsIn) (*setLimitsOut, error) {
	l, err := s.SetLimits(ctx, in.Institution, in.Body)
	return &setLimitsOut{l}, err
}
