package consult

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// doorway is where the rooms of visits, or those of teleconsults, are met in the API: their address, the actions asked for, the door.
type doorway struct {
	base                                         string
	read, chat, invite, host, ask, answer, watch string
	door                                         func(ids.Room) Door
}

func (s *Service) visitRooms() doorway {
	return doorway{"/api/v1/visits", "visit.read", "visit.chat", "visit.invite", "visit.host", "recording.ask", "recording.answer", "recording.read",
		func(id ids.Room) Door { return s.ByVisit(ids.Visit(id)) }}
}

func (s *Service) consultRooms() doorway {
	const enter = "teleconsult.enter"
	return doorway{"/api/v1/teleconsults", enter, enter, enter, enter, enter, enter, enter,
		func(id ids.Room) Door { return s.ByTeleconsult(ids.Teleconsult(id)) }}
}

// roomRoutes adds what happens in a room, whosever it is.
func (s *Service) roomRoutes(api *httpapi.API, d doorway) {
	s.chatRoutes(api, d)
	s.companionRoutes(api, d)
	s.recordingRoutes(api, d)
	s.callRoutes(api, d)
	s.instrumentRoutes(api, d)
}

// seatRoutes adds the same for who came by link.
func (s *Service) seatRoutes(api *httpapi.API) {
	s.seatChatRoutes(api)
	s.linkRoutes(api)
	s.seatRecordingRoutes(api)
	s.seatInstrumentRoutes(api)
}

// RoomPath names the visit or the teleconsult; exported because huma reads embedded fields of exported types only.
type RoomPath struct {
	ID ids.Room `path:"id"`
}

// inPath and inSeat find the door of a request whose body is read by hand.
func (d doorway) inPath(r *http.Request) (Door, error) {
	id, err := ids.Parse[ids.Room](r.PathValue("id"))
	if err != nil {
		return nil, fault.Missing().Because(err)
	}
	return d.door(id), nil
}

func (s *Service) inSeat(r *http.Request) (Door, error) {
	return s.BySeat(r.Header.Get(httpapi.SeatHeader)), nil
}

// found is a deed that needs nothing but the door.
func found[T any](d doorway, deed func(context.Context, Door) (T, error)) func(context.Context, *RoomPath) (*bodyOut[T], error) {
	return func(ctx context.Context, in *RoomPath) (*bodyOut[T], error) {
		is, err := deed(ctx, d.door(in.ID))
		return &bodyOut[T]{is}, err
	}
}

type bodyOut[T any] struct{ Body T }

func uuidParam(name string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}
}
