package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Teleconsults) countersignRoutes(api *httpapi.API) {
	const base, action = "/api/v1/countersigns", "countersign.give"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: action,
		Summary: "Requests of the own hospitals that wait for the medical office, and whether they have to"}, s.countersignDesk)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: base + "/rules/{institution}", Action: action,
		Summary: "Set whether the hospital's requests need the countersign, as a new version"}, s.setCountersigning)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/sign", Action: action,
		Summary: "Countersign the request as it was shown; it goes out"}, s.countersign)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/refuse", Action: action,
		Summary: "Give the request back to its doctor, with a reason"}, s.refuseCountersign)
}

type countersignDeskOut struct{ Body CountersignDesk }

func (s *Teleconsults) countersignDesk(ctx context.Context, _ *struct{}) (*countersignDeskOut, error) {
	d, err := s.Desk(ctx)
	return &countersignDeskOut{d}, err
}

type setCountersigningIn struct {
	Institution ids.Institution `path:"institution"`
	Body        SetCountersigning
}

func (s *Teleconsults) setCountersigning(ctx context.Context, in *setCountersigningIn) (*countersignDeskOut, error) {
	d, err := s.SetCountersigning(ctx, in.Institution, in.Body)
	return &countersignDeskOut{d}, err
}

type countersignIn struct {
	TeleconsultPath
	Body struct {
		SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the request that was shown"`
	}
}

func (s *Teleconsults) countersign(ctx context.Context, in *countersignIn) (*countersignDeskOut, error) {
	d, err := s.Countersign(ctx, in.ID, in.Body.SHA256)
	return &countersignDeskOut{d}, err
}

type refuseCountersignIn struct {
	TeleconsultPath
	Body struct {
		SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the request that was shown"`
		Reason string `json:"reason" minLength:"2" maxLength:"500" doc:"The doctor reads it"`
	}
}

func (s *Teleconsults) refuseCountersign(ctx context.Context, in *refuseCountersignIn) (*countersignDeskOut, error) {
	d, err := s.RefuseCountersign(ctx, in.ID, in.Body.SHA256, in.Body.Reason)
	return &countersignDeskOut{d}, err
}
