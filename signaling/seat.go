package signaling

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/sfu/rate"
)

const (
	// maxDataRate is how many messages a second a seat may send on its data channels: a pointer's at 60 Hz, and pieces of pictures.
	maxDataRate = 80
	// qualityEvery is the shortest time between two reports of a seat that are passed on; clients report every 10 s.
	qualityEvery = 5 * time.Second
)

// seat is a person's place in a room from the first arrival until it is given up. It is made by room.enter; all
// fields after claims are guarded by the room's mutex.
type seat struct {
	room *room

	claims   control.Claims
	session  string // proves to be the same page when it comes back; empty when it must begin anew
	name     string // of its tracks
	since    time.Time
	admitted bool
	from     uint64    // the number of the last app message before it was admitted
	conn     *conn     // nil while the socket is lost
	lost     time.Time // when it was
	peer     *sfu.Peer // nil until admitted or prepared; a seat that waits alone has no transport at all
	tracks   []*sfu.UpTrack
	muted    map[sfu.Source]bool
	line     lineView
	words    *bucket   // on its data channels
	reported time.Time // when its last quality report was passed on

	// Of a seat that came by WHIP or WHEP: it has no socket, and lasts as long as its peer.
	direct  bool
	holder  control.Seat  // of the ticket; the seat of a viewer has a name of its own
	viewing control.Seat  // whom it watches; empty unless it came by WHEP
	more    chan struct{} // closed and renewed when a track is added; nil while nobody waits for one
}

func newSeat(r *room, c control.Claims, now time.Time) *seat {
	return &seat{
		room: r, claims: c, session: rand.Text(), name: rand.Text(), since: now,
		muted: map[sfu.Source]bool{}, line: lineView{Pictures: true}, words: newBucket(maxDataRate, now),
	}
}

func (s *seat) rights() sfu.Rights {
	return sfu.Rights{Publish: s.claims.Publish, Subscribe: s.claims.Subscribe}
}

func (s *seat) id() control.Seat { return s.claims.Seat }

func (s *seat) presence() control.Presence {
	switch {
	case s.conn == nil && !s.direct:
		return control.Reconnecting
	case !s.admitted:
		return control.Waiting
	}
	return control.Live
}

func (s *seat) view() seatView {
	v := seatView{Seat: s.id(), Name: s.claims.Name, Role: s.claims.Role, Presence: s.presence(), Tracks: []trackView{}, Line: s.line}
	for _, up := range s.tracks {
		v.Tracks = append(v.Tracks, trackView{ID: up.ID, Source: up.Source, Kind: up.Kind(), Muted: s.muted[up.Source]})
	}
	return v
}

// expected are the tracks that the seat will publish, as far as another takes them.
func (s *seat) expected(by *seat) (list []sfu.OfferedTrack) {
	if !s.claims.Publish || s.direct {
		return nil
	}
	for _, source := range []sfu.Source{sfu.Microphone, sfu.Camera} {
		if by.line.Pictures || source.Kind() != "video" {
			list = append(list, sfu.OfferedTrack{ID: sfu.TrackID(s.name, source), Seat: string(s.id()), Source: source, Kind: source.Kind()})
		}
	}
	return list
}

// takes says whether the track is sent to the seat.
func (s *seat) takes(up *sfu.UpTrack) bool { return s.line.Pictures || up.Kind() != "video" }

func (s *seat) send(message any) {
	if s.conn != nil {
		s.conn.send(message)
	}
}

// handle does what a message asks. It returns a refusal to be sent back, nil when all is well.
func (s *seat) handle(m fromClient, now time.Time) *refusal {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	if !s.room.holds(s) {
		return nil
	}
	switch m.Type {
	case "ping":
		s.send(plainMessage{"pong"})
		return nil
	case "leave":
		s.room.giveUp(s, "left", now)
		return nil
	case "publish", "answer", "candidate", "restart", "line": // what connections are made with, and for
		if s.peer == nil {
			return errNotAdmitted
		}
		return s.act(m, now)
	case "mute", "app", "choose", "quality":
		if !s.admitted {
			return errNotAdmitted
		}
		return s.act(m, now)
	}
	return errMalformed
}

// act does what takes a peer.
func (s *seat) act(m fromClient, now time.Time) *refusal {
	switch m.Type {
	case "answer":
		s.peer.Answer(m.Offer, m.SDP)
		return nil
	case "candidate":
		if m.Side != sfu.Publish && m.Side != sfu.Subscribe {
			return errMalformed
		}
		if m.Candidate != nil {
			s.peer.Candidate(m.Side, *m.Candidate)
		}
		return nil
	case "restart":
		s.peer.RestartICE()
		return nil
	case "choose":
		if up := s.room.track(m.Track); up != nil {
			s.peer.Choose(up, m.choice())
		}
		return nil
	case "line":
		if m.Line == nil || !m.Line.valid() {
			return errMalformed
		}
		s.room.describe(s, *m.Line)
		return nil
	case "quality":
		if m.Quality == nil || !m.Quality.Valid() {
			return errMalformed
		}
		if now.Sub(s.reported) >= qualityEvery {
			s.reported = now
			s.room.hub.quality(s, *m.Quality, now)
		}
		return nil
	}
	if !s.claims.Publish {
		return errNoRight
	}
	switch m.Type {
	case "publish":
		s.peer.Offer(m.Offer, m.SDP, m.Sections)
	case "mute":
		if m.Source.Kind() == "" {
			return errMalformed
		}
		s.muted[m.Source] = m.Muted
		s.room.tell(s)
	case "app":
		return s.room.post(s, m, now)
	}
	return nil
}

// media hears the seat's peer and passes it on to the room.
type media struct{ *seat }

var _ sfu.Handler = media{}

func (m media) locked(f func()) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if m.room.holds(m.seat) {
		f()
	}
}

func (m media) Answered(offer uint64, sdp string) {
	m.locked(func() { m.send(publishedMessage{"published", offer, sdp}) })
}

func (m media) Offered(offer uint64, sdp string, tracks []sfu.OfferedTrack) {
	m.locked(func() {
		if tracks == nil {
			tracks = []sfu.OfferedTrack{}
		}
		m.send(subscribeMessage{"subscribe", offer, sdp, tracks})
	})
}

func (m media) Published(up *sfu.UpTrack) {
	m.locked(func() {
		m.tracks = append(m.tracks, up)
		m.room.each(func(other *seat) {
			if other != m.seat && other.peer != nil && !other.direct && other.takes(up) {
				other.peer.Subscribe(up, string(m.id()))
			}
		})
		if m.more != nil {
			close(m.more)
			m.more = nil
		}
		m.room.tell(m.seat)
	})
}

func (m media) Unpublished(up *sfu.UpTrack) {
	m.locked(func() {
		m.tracks = slices.DeleteFunc(m.tracks, func(t *sfu.UpTrack) bool { return t == up })
		m.room.withdraw(m.seat, up)
		if len(m.tracks) == 0 {
			m.room.abandon(m.seat)
		}
		m.room.tell(m.seat)
	})
}

func (m media) Data(c sfu.Channel, data []byte) {
	m.locked(func() {
		if m.admitted && m.words.take(m.room.hub.now()) {
			m.room.pass(m.seat, c, data)
		}
	})
}

func (m media) Speaking(on bool) {
	m.locked(func() { m.room.broadcast(nil, speakingMessage{"speaking", m.id(), on}) })
}

func (m media) Wanted(up *sfu.UpTrack, d sfu.Demand) {
	m.locked(func() { m.send(wantedMessage{"wanted", up.Source, d.Layers, d.Rung.String()}) })
}

func (m media) Rung(r rate.Rung) {
	m.locked(func() { m.send(rungMessage{"rung", r.String()}) })
}

// Broken ends the socket; the client comes back and begins anew.
func (m media) Broken(err error) {
	m.locked(func() {
		why := errMedia
		switch {
		case errors.Is(err, sfu.ErrRefused):
			why = errNoRight
		case errors.Is(err, sfu.ErrBadDescription):
			why = errBadMedia
		}
		m.room.hub.log.Info("media of a seat ended", "code", why.code)
		m.session = ""
		for _, up := range m.tracks {
			m.room.withdraw(m.seat, up)
		}
		m.tracks = nil
		m.room.abandon(m.seat)
		if m.conn != nil {
			last := why.message()
			last.Fatal = true
			m.conn.end(last)
		}
	})
}
