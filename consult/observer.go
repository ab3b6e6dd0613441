package consult

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/signaling/control"
)

// Watching is what an observer is given: whom to watch by WHEP, by role alone. No name, word or paper of the room is in it, and
// the ticket opens nothing but receiving.
type Watching struct {
	URL        string              `json:"url" doc:"Of the room, by WHEP; a seat follows"`
	Ticket     string              `json:"ticket"`
	ICEServers []control.ICEServer `json:"ice_servers"`
	Seats      []WatchedSeat       `json:"seats"`
	Expires    time.Time           `json:"expires"`
}

// WatchedSeat is a seat that may send sound or pictures.
type WatchedSeat struct {
	Seat control.Seat `json:"seat"`
	Role string       `json:"role"`
}

// Watch sells an observer who was let in the right to receive, for a few minutes; what is received by then goes on.
func (s *Service) Watch(ctx context.Context, token string) (w Watching, err error) {
	var v venue
	var l linkRow
	err = s.inTx(ctx, func(tx tx) error {
		if v, l, err = s.bySeat(ctx, tx, token); err != nil {
			return err
		}
		switch {
		case l.Kind != ObserverLink:
			return notSeated
		case v.open != nil:
			return v.open
		case l.AdmittedAt == nil && v.locked:
			return roomLocked
		case l.AdmittedAt == nil:
			return notAdmitted
		}
		return audit.Write(ctx, tx, v.entry("link.use", v.String(), "watch"))
	})
	if err != nil {
		return w, err
	}
	present, err := s.Rooms.Seats(ctx, v.room)
	if err != nil {
		return w, err
	}
	pass, err := s.Desk.Issue(control.Claims{Room: v.room, Seat: l.Seat, Name: *l.Name, Role: *l.Role, Admitted: true, Subscribe: true, Direct: true})
	if err != nil {
		return w, err
	}
	w = Watching{Ticket: pass.Ticket, ICEServers: pass.ICEServers, Seats: []WatchedSeat{}, Expires: pass.Expires}
	if w.URL, err = s.directAddress(pass, "/whep/"+string(v.room)+"/", nil); err != nil {
		return w, err
	}
	for _, p := range present {
		if p.Presence == control.Waiting || p.Seat == recorderSeat || isObserver(p.Seat) {
			continue
		}
		w.Seats = append(w.Seats, WatchedSeat{p.Seat, p.Role})
	}
	slices.SortFunc(w.Seats, func(a, b WatchedSeat) int { return strings.Compare(string(a.Seat), string(b.Seat)) })
	return w, nil
}

// directAddress is where a device offers, or a viewer: at our own address, unless a media node of its own has the room.
func (s *Service) directAddress(pass control.Pass, path string, query url.Values) (string, error) {
	base := s.Public
	if pass.URL != "" { // of a socket, ws or wss
		base = "http" + strings.TrimPrefix(pass.URL, "ws")
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return u.ResolveReference(&url.URL{Path: path, RawQuery: query.Encode()}).String(), nil
}
