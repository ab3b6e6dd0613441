package signaling

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"slices"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/whip"
)

const (
	// A viewer is kept waiting for the first track of a seat that is about to publish, and then for its others.
	firstTrackTime = 2 * time.Second
	otherTrackTime = 250 * time.Millisecond
)

// direct seats those who come by WHIP and WHEP.
type direct struct{ *Server }

var _ whip.Rooms = direct{}

// WHIP serves WHIP and WHEP; mount it at /whip/ and /whep/.
func (s *Server) WHIP() http.Handler { return s.whip }

// Permit implements whip.Rooms: a ticket for just this room and seat, or the bench secret for any.
func (d direct) Permit(token string, room control.Room, seat control.Seat) (control.Claims, error) {
	if secret := d.options.BenchSecret; secret != "" && subtle.ConstantTimeCompare([]byte(token), []byte(secret)) == 1 {
		if seat == "" {
			seat = control.Seat(rand.Text())
		}
		return control.Claims{
			Room: room, Seat: seat, Name: string(seat), Role: "bench", Admitted: true, Publish: true, Subscribe: true, Direct: true,
			Issued: d.options.Now(),
		}, nil
	}
	c, err := control.Check(d.options.TicketKey, token, d.options.Now())
	if err == nil && (c.Room != room || seat != "" && c.Seat != seat) {
		err = control.ErrSignature // of another room: as good as none
	}
	if err != nil {
		d.refused.Add(1)
	}
	return c, err
}

// Publish implements whip.Rooms.
func (d direct) Publish(c control.Claims, e whip.Ear) (place whip.Place, err error) {
	d.hub.in(c.Room, func(r *room) {
		var s *seat
		if s, err = r.seatDirect(c, c.Seat, "", sfu.Rights{Publish: true, Device: true}, e); err == nil {
			place = s.place()
		}
	})
	return place, err
}

// View implements whip.Rooms.
func (d direct) View(ctx context.Context, c control.Claims, of control.Seat, kinds []string, e whip.Ear) (whip.Place, []*sfu.UpTrack, error) {
	deadline := time.NewTimer(firstTrackTime)
	defer deadline.Stop()
	for late, some := false, false; ; {
		var place whip.Place
		var ups []*sfu.UpTrack
		var more chan struct{}
		var err error
		d.hub.in(c.Room, func(r *room) {
			publisher := r.find(of)
			if publisher == nil || publisher.viewing != "" {
				err = whip.Absent
				return
			}
			ups = slices.Clone(publisher.tracks)
			if enough(ups, kinds) || late && len(ups) > 0 {
				var s *seat
				if s, err = r.seatDirect(c, c.Seat+"~"+of, of, sfu.Rights{Device: true}, e); err == nil {
					place = s.place()
				}
				return
			}
			if publisher.more == nil {
				publisher.more = make(chan struct{})
			}
			more = publisher.more
		})
		switch {
		case err != nil || more == nil:
			return place, ups, err
		case late:
			return place, nil, whip.Nothing
		case len(ups) > 0 && !some:
			some = true
			deadline.Reset(otherTrackTime)
		}
		select {
		case <-more:
		case <-deadline.C:
			late = true
		case <-ctx.Done():
			return place, nil, ctx.Err()
		}
	}
}

// enough says whether there is a track for each kind.
func enough(ups []*sfu.UpTrack, kinds []string) bool {
	for _, kind := range kinds {
		if !slices.ContainsFunc(ups, func(up *sfu.UpTrack) bool { return up.Kind() == kind }) {
			return false
		}
	}
	return true
}

// seatDirect takes a seat without a socket. It replaces who sat there. Called with mu held.
func (r *room) seatDirect(c control.Claims, id, viewing control.Seat, rights sfu.Rights, e whip.Ear) (*seat, error) {
	now := r.hub.now()
	if at, removed := r.removed[c.Seat]; !c.Issued.After(r.closed) || removed && !c.Issued.After(at) {
		return nil, whip.Ended
	}
	old := r.find(id)
	if old == nil && len(r.seats) >= maxSeats {
		return nil, whip.Full
	}
	s := newSeat(r, c, now)
	s.claims.Seat, s.holder = id, c.Seat
	s.direct, s.admitted, s.session, s.viewing = true, true, "", viewing
	if old != nil {
		if old.conn != nil {
			old.conn.end(errReplaced.message())
		}
		s.since = old.since
		r.detach(old)
	}
	r.empty = time.Time{}
	r.seats = append(r.seats, s)
	s.peer = r.hub.engine.NewPeer(sfu.Seat{Room: string(r.name), Name: s.name, Rights: rights}, directMedia{media{s}, e})
	r.tell(s)
	r.hub.event(control.SeatJoined, r, s, now)
	return s, nil
}

func (s *seat) place() whip.Place {
	return whip.Place{Peer: s.peer, Leave: func() { s.leave("left") }}
}

// leave gives up a direct seat, if it is still taken.
func (s *seat) leave(reason string) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if s.room.holds(s) {
		s.room.giveUp(s, reason, s.room.hub.now())
	} else {
		s.peer.Close() // it was replaced
	}
}

// directMedia hears the peer of a direct seat: answers go to the session, tracks to the room.
type directMedia struct {
	media
	ear whip.Ear
}

// Answered implements sfu.Handler.
func (m directMedia) Answered(offer uint64, sdp string) { m.ear.Answered(offer, sdp) }

// Broken implements sfu.Handler: the seat ends with its connection.
func (m directMedia) Broken(err error) {
	m.ear.Broken(err)
	m.seat.leave("lost")
}
