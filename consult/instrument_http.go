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

// The two ways to a room, each with what is asked there.
type (
	roomNewInstrument struct {
		RoomPath
		NewInstrument
	}
	roomInstrument struct {
		RoomPath
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
)

func (s *Service) instrumentRoutes(api *httpapi.API, d doorway) {
	instruments(s, api, d.base+"/{id}/instruments", d.host,
		func(in *RoomPath) Door { return d.door(in.ID) },
		func(in *roomNewInstrument) (Door, NewInstrument) { return d.door(in.ID), in.NewInstrument },
		func(in *roomInstrument) (Door, ids.Instrument) { return d.door(in.ID), in.Instrument })
}

func (s *Service) seatInstrumentRoutes(api *httpapi.API) {
	instruments(s, api, "/api/v1/seat/instruments", "link.use",
		func(in *SeatToken) Door { return s.BySeat(in.Token) },
		func(in *seatNewInstrument) (Door, NewInstrument) { return s.BySeat(in.Token), in.NewInstrument },
		func(in *seatInstrument) (Door, ids.Instrument) { return s.BySeat(in.Token), in.Instrument })
}

// instruments adds the deeds at one door.
func instruments[Place, New, One any](s *Service, api *httpapi.API, base, action string,
	place func(*Place) Door, added func(*New) (Door, NewInstrument), one func(*One) (Door, ids.Instrument)) {
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
