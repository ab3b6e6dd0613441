package consult

import (
	"context"
	"net/http"
	"strings"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) companionRoutes(api *httpapi.API, d doorway) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/links", Action: d.invite, Status: 201,
		Summary: "A link into the room that opens once: for a companion, a colleague, an observer, or one's own other device"},
		func(ctx context.Context, in *inviteIn) (*bodyOut[Link], error) {
			l, err := s.Invite(ctx, d.door(in.ID), in.Body.Kind)
			return &bodyOut[Link]{l}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/companions", Action: d.read,
		Summary: "Who came into the room by link"}, found(d, s.Companions))
	companion := func(deed func(context.Context, Door, ids.Link) (Companion, error)) func(context.Context, *companionIn) (*bodyOut[Companion], error) {
		return func(ctx context.Context, in *companionIn) (*bodyOut[Companion], error) {
			c, err := deed(ctx, d.door(in.ID), in.Link)
			return &bodyOut[Companion]{c}, err
		}
	}
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/companions/{link}/admit", Action: d.host,
		Summary: "Let a companion in"}, companion(s.AdmitCompanion))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/companions/{link}/remove", Action: d.host,
		Summary: "Send a companion away"}, companion(s.RemoveCompanion))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/lock", Action: d.host,
		Summary: "Close the room's door, or open it"}, func(ctx context.Context, in *lockIn) (*bodyOut[Locked], error) {
		return &bodyOut[Locked]{in.Body}, s.Lock(ctx, d.door(in.ID), in.Body.Locked)
	})
}

func (s *Service) linkRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat", Action: "link.use", Status: 201,
		Summary: "Open a link: its secret for a token of the seat, once; a browser also keeps it in a cookie by the seat's name"}, s.arrive)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/ticket", Action: "link.use",
		Summary: "A ticket to the room, by the token of a seat"}, func(ctx context.Context, in *SeatToken) (*bodyOut[Ticket], error) {
		t, err := s.SeatTicket(ctx, in.Token)
		return &bodyOut[Ticket]{t}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/watch", Action: "link.use",
		Summary: "Whom an observer may watch now, by WHEP, and the token for it"}, func(ctx context.Context, in *SeatToken) (*bodyOut[Watching], error) {
		w, err := s.Watch(ctx, in.Token)
		return &bodyOut[Watching]{w}, err
	})
}

type inviteIn struct {
	RoomPath
	Body struct {
		Kind LinkKind `json:"kind" enum:"companion,colleague,device,observer"`
	}
}

type companionIn struct {
	RoomPath
	Link ids.Link `path:"link"`
}

// Locked says how the door is.
type Locked struct {
	Locked bool `json:"locked"`
}

type lockIn struct {
	RoomPath
	Body Locked
}

type arriveIn struct{ Body Arrival }

type arriveOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      Seated
}

func (s *Service) arrive(ctx context.Context, in *arriveIn) (*arriveOut, error) {
	seated, err := s.Arrive(ctx, in.Body)
	return &arriveOut{http.Cookie{Name: httpapi.SeatCookie + string(seated.Seat), Value: seated.Token, Path: "/api/v1/seat", Expires: seated.Expires,
		HttpOnly: true, Secure: strings.HasPrefix(s.Public, "https:"), SameSite: http.SameSiteStrictMode}, seated}, err
}

// SeatToken is how who came by link shows it; exported because huma reads embedded fields of exported types only.
type SeatToken struct {
	Token string `header:"Yuanzhen-Seat" maxLength:"64" doc:"The token of a seat, or its name where a cookie has the token"`
}
