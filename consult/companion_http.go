package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) companionRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/links", Action: "visit.invite", Status: 201,
		Summary: "A link into the room that opens once: for a companion, a colleague, or one's own other device"}, s.invite)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/companions", Action: "visit.read",
		Summary: "Who came into the room by link"}, s.listCompanions)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/companions/{link}/admit", Action: "visit.host",
		Summary: "Let a companion in"}, companion(s.AdmitCompanion))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/companions/{link}/remove", Action: "visit.host",
		Summary: "Send a companion away"}, companion(s.RemoveCompanion))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/lock", Action: "visit.host",
		Summary: "Close the room's door, or open it"}, s.lock)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat", Action: "link.use", Status: 201,
		Summary: "Open a link: its secret for a token of the seat, once"}, s.arrive)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/ticket", Action: "link.use",
		Summary: "A ticket to the room, by the token of a seat"}, s.seatTicket)
}

type inviteIn struct {
	VisitPath
	Body struct {
		Kind LinkKind `json:"kind" enum:"companion,colleague,device"`
	}
}

type linkOut struct{ Body Link }

func (s *Service) invite(ctx context.Context, in *inviteIn) (*linkOut, error) {
	l, err := s.Invite(ctx, in.ID, in.Body.Kind)
	return &linkOut{l}, err
}

type companionsOut struct{ Body []Companion }

func (s *Service) listCompanions(ctx context.Context, in *VisitPath) (*companionsOut, error) {
	list, err := s.Companions(ctx, in.ID)
	return &companionsOut{list}, err
}

type companionIn struct {
	VisitPath
	Link ids.Link `path:"link"`
}

type companionOut struct{ Body Companion }

func companion(deed func(context.Context, ids.Visit, ids.Link) (Companion, error)) func(context.Context, *companionIn) (*companionOut, error) {
	return func(ctx context.Context, in *companionIn) (*companionOut, error) {
		c, err := deed(ctx, in.ID, in.Link)
		return &companionOut{c}, err
	}
}

type lockIn struct {
	VisitPath
	Body struct {
		Locked bool `json:"locked"`
	}
}

func (s *Service) lock(ctx context.Context, in *lockIn) (*visitOut, error) {
	v, err := s.Lock(ctx, in.ID, in.Body.Locked)
	return &visitOut{v}, err
}

type arriveIn struct{ Body Arrival }

type seatedOut struct{ Body Seated }

func (s *Service) arrive(ctx context.Context, in *arriveIn) (*seatedOut, error) {
	seated, err := s.Arrive(ctx, in.Body)
	return &seatedOut{seated}, err
}

// SeatToken is how who came by link shows it; exported because huma reads embedded fields of exported types only.
type SeatToken struct {
	Token string `header:"Yuanzhen-Seat" maxLength:"64" doc:"The token of a seat"`
}

func (s *Service) seatTicket(ctx context.Context, in *SeatToken) (*ticketOut, error) {
	t, err := s.SeatTicket(ctx, in.Token)
	return &ticketOut{t}, err
}
