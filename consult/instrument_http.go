package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// NewInstrument is what somebody says of a device; exported because huma reads embedded fields of exported types only.
type NewInstrument struct {
	Body struct {
		Kind string `json:"kind" enum:"ultrasound,otoscope,endoscope,room_camera"`
		Name string `json:"name" minLength:"1" maxLength:"40" doc:"Everybody in the room sees it"`
	}
}

// InstrumentPath is the part of the address that names the device.
type InstrumentPath struct {
	Instrument ids.Instrument `path:"instrument"`
}

type instrumentsOut struct{ Body []Instrument }

type instrumentPassOut struct{ Body InstrumentPass }

// The three doors to a room, each with what is asked there.
type (
	visitNewInstrument struct {
		VisitPath
		NewInstrument
	}
	visitInstrument struct {
		VisitPath
		InstrumentPath
	}
	seatNewInstrument struct {
		SeatToken
		NewInstrument
	}
	seatInstrument struct {
		SeatToken
		InstrumentPath
	}
	teleconsultNewInstrument struct {
		TeleconsultPath
		NewInstrument
	}
	teleconsultInstrument struct {
		TeleconsultPath
		InstrumentPath
	}
)

func (s *Service) instrumentRoutes(api *httpapi.API) {
	visit := func(id ids.Visit) Venue { return s.AtVisit(s.ByVisit(id)) }
	seat := func(token string) Venue { return s.AtVisit(s.BySeat(token)) }
	instruments(s, api, "/api/v1/visits/{id}/instruments", "visit.host",
		func(in *VisitPath) Venue { return visit(in.ID) },
		func(in *visitNewInstrument) (Venue, NewInstrument) { return visit(in.ID), in.NewInstrument },
		func(in *visitInstrument) (Venue, ids.Instrument) { return visit(in.ID), in.Instrument })
	instruments(s, api, "/api/v1/seat/instruments", "link.use",
		func(in *SeatToken) Venue { return seat(in.Token) },
		func(in *seatNewInstrument) (Venue, NewInstrument) { return seat(in.Token), in.NewInstrument },
		func(in *seatInstrument) (Venue, ids.Instrument) { return seat(in.Token), in.Instrument })
}

func (s *Teleconsults) instrumentRoutes(api *httpapi.API) {
	instruments(s.Service, api, "/api/v1/teleconsults/{id}/instruments", "teleconsult.enter",
		func(in *TeleconsultPath) Venue { return s.AtTeleconsult(in.ID) },
		func(in *teleconsultNewInstrument) (Venue, NewInstrument) {
			return s.AtTeleconsult(in.ID), in.NewInstrument
		},
		func(in *teleconsultInstrument) (Venue, ids.Instrument) { return s.AtTeleconsult(in.ID), in.Instrument })
}

// instruments adds the deeds at one door.
func instruments[Place, New, One any](s *Service, api *httpapi.API, base, action string,
	place func(*Place) Venue, added func(*New) (Venue, NewInstrument), one func(*One) (Venue, ids.Instrument)) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: action, Summary: "Instruments that send into the room"},
		func(ctx context.Context, in *Place) (*instrumentsOut, error) {
			list, err := s.Instruments(ctx, place(in))
			return &instrumentsOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base, Action: action, Status: 201,
		Summary: "A seat for an instrument, with the address and the token that it sends to by WHIP"},
		func(ctx context.Context, in *New) (*instrumentPassOut, error) {
			at, is := added(in)
			p, err := s.AddInstrument(ctx, at, is.Body.Kind, is.Body.Name)
			return &instrumentPassOut{p}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{instrument}/ticket", Action: action,
		Summary: "Another token for an instrument, for when the first was not used in time"},
		func(ctx context.Context, in *One) (*instrumentPassOut, error) {
			at, id := one(in)
			p, err := s.AnotherInstrumentPass(ctx, at, id)
			return &instrumentPassOut{p}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{instrument}/remove", Action: action, Summary: "Send an instrument away"},
		func(ctx context.Context, in *One) (*instrumentsOut, error) {
			at, id := one(in)
			if err := s.RemoveInstrument(ctx, at, id); err != nil {
				return nil, err
			}
			list, err := s.Instruments(ctx, at)
			return &instrumentsOut{list}, err
		})
}
