package signaling

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
)

const (
	// resumeWindow is how long a seat whose socket was lost is expected back.
	resumeWindow = 30 * time.Second
	maxSeats     = 256
	// maxPrepared of those who wait have connections: in a visit one, in a consult a few.
	maxPrepared = 8
	// Kept messages and log together stay below maxQueue, so that a newcomer is not dropped as a slow reader.
	maxKept     = 128 << 10 // bytes of the latest message of each topic
	maxTopics   = 256
	maxLog      = 64 << 10 // bytes of messages repeated to who comes back
	maxLogCount = 256
	maxRetired  = 8 // of a seat: the pages that somebody has left open on their devices
)

// room is made by the hub with the first ticket or deed and forgotten by its sweep. One mutex guards it; nothing
// waits while holding it: sockets and peers have queues of their own.
type room struct {
	hub  *hub
	name control.Room

	mu       sync.Mutex
	seats    []*seat                    // in order of arrival
	admitted map[control.Seat]bool      // by deed, kept for tickets sold before it
	removed  map[control.Seat]time.Time // tickets up to then are refused
	closed   time.Time                  // likewise, for everybody
	locked   bool                       // nobody new may wait
	empty    time.Time                  // since when; zero while a seat is taken
	dead     bool                       // forgotten by the hub: look it up again
	changed  bool                       // its memory, since the hub was asked last

	sequence uint64
	kept     []appMessage // latest of each topic that asked for it
	log      []appMessage // the last ones, for who comes back
	said     map[control.Seat]said
	retired  map[control.Seat][]string // the last sessions whose seat another page has taken, or that were lost
}

// said is the last app message that was posted of a seat's page, which says again what it may have said into a lost line. It
// numbers them upwards and says them in that order, so one number tells which the room has had.
type said struct {
	page   string
	number uint64
}

func newRoom(h *hub, name control.Room, now time.Time) *room {
	return &room{
		hub: h, name: name, empty: now,
		admitted: map[control.Seat]bool{}, removed: map[control.Seat]time.Time{}, said: map[control.Seat]said{},
		retired: map[control.Seat][]string{},
	}
}

func (r *room) find(id control.Seat) *seat {
	for _, s := range r.seats {
		if s.id() == id {
			return s
		}
	}
	return nil
}

func (r *room) holds(s *seat) bool { return r.find(s.id()) == s }

func (r *room) each(f func(*seat)) {
	for _, s := range r.seats {
		f(s)
	}
}

// enter seats a connection whose ticket is good. The second result is a last word instead, "removed" or "closed" or a
// refusal. Called with mu held.
func (r *room) enter(c control.Claims, m fromClient, cn *conn, now time.Time) (*seat, any) {
	if !c.Issued.After(r.closed) {
		return nil, plainMessage{"closed"}
	}
	if at, ok := r.removed[c.Seat]; ok && !c.Issued.After(at) {
		return nil, plainMessage{"removed"}
	}

	s := r.find(c.Seat)
	resumed := s != nil && m.Session != "" && s.session == m.Session
	replaced := s != nil && s.conn != nil && !resumed
	if replaced && slices.Contains(r.retired[c.Seat], m.Session) {
		return nil, errReplaced.message() // it slept when it was said
	}
	switch {
	case resumed:
		if s.conn != nil {
			s.conn.end(nil)
		}
		s.claims = c
	case s != nil:
		if s.conn != nil {
			s.conn.end(errReplaced.message())
		}
		since := s.since
		r.retire(s)
		r.detach(s)
		s = newSeat(r, c, now)
		s.since = since
		r.seats = append(r.seats, s)
	case r.locked && !c.Admitted && !r.admitted[c.Seat]:
		return nil, errLocked.message()
	case len(r.seats) >= maxSeats:
		return nil, errFull.message()
	default:
		s = newSeat(r, c, now)
		r.seats = append(r.seats, s)
	}
	r.empty = time.Time{}
	s.conn = cn
	// The page may not hear its new session, and come with this one again: that is no other page.
	if list, ok := r.retired[c.Seat]; ok && m.Session != "" {
		r.retired[c.Seat] = slices.DeleteFunc(list, func(session string) bool { return session == m.Session })
	}
	admit := !s.admitted && (c.Admitted || r.admitted[c.Seat])
	s.admitted = s.admitted || admit
	joined := joinedMessage{
		Type: "joined", Version: Version, Seat: s.view(), Session: s.session, Resumed: resumed, Sequence: r.sequence,
		Rights: rightsView{c.Publish, c.Subscribe}, Seats: []seatView{},
	}
	if s.admitted {
		joined.Seats, joined.Locked = r.others(s), r.locked
	}
	s.send(joined)
	if s.admitted {
		seen := uint64(0)
		if resumed {
			seen = m.Seen
		}
		if admit {
			s.from = r.sequence
		}
		r.catchUp(s, seen, resumed)
	}
	switch {
	case admit:
		r.startMedia(s)
	case resumed && s.peer != nil:
		s.peer.Repeat()
	}
	r.prepare()
	r.tell(s)
	r.hub.joined(r, s, replaced, now)
	return s, nil
}

// retire notes the session of a seat that is given up, for its page may sleep: should it wake when another page has the seat, it
// does not throw that out.
func (r *room) retire(s *seat) {
	if s.session == "" {
		return
	}
	list := append(r.retired[s.id()], s.session)
	r.retired[s.id()] = list[max(0, len(list)-maxRetired):]
}

// startMedia lets the media of an admitted seat pass.
func (r *room) startMedia(s *seat) {
	if s.peer != nil {
		s.peer.Release()
		return
	}
	r.connect(s)
}

// connect makes the connections of a seat, with m-lines for what the others will publish, and at the others for what it will.
func (r *room) connect(s *seat) {
	expect := []sfu.OfferedTrack{}
	r.each(func(other *seat) {
		if other != s {
			expect = append(expect, other.expected(s)...)
		}
	})
	s.peer = r.hub.engine.NewPeer(sfu.Seat{Room: string(r.name), Name: s.name, Rights: s.rights(), Held: !s.admitted, Expect: expect}, media{s})
	r.subscribe(s)
	r.each(func(other *seat) {
		if other != s && other.peer != nil && !other.direct {
			other.peer.Expect(s.expected(other))
		}
	})
}

// prepare makes the connections of those who wait while somebody is in the room who may let them in: on a bad line that takes
// many seconds, and so they pass before anybody looks at the clock. Media pass with the admission.
func (r *room) prepare() {
	if !slices.ContainsFunc(r.seats, func(s *seat) bool { return s.admitted && s.conn != nil && s.claims.Publish }) {
		return
	}
	prepared := 0
	for _, s := range r.seats {
		if s.admitted || s.conn == nil {
			continue
		}
		if prepared++; prepared > maxPrepared {
			return
		}
		if s.peer == nil {
			r.connect(s)
			s.send(plainMessage{"prepare"})
		}
	}
}

// subscribe gives a seat the tracks of the others.
func (r *room) subscribe(s *seat) {
	r.each(func(other *seat) {
		if other == s {
			return
		}
		for _, up := range other.tracks {
			if s.takes(up) {
				s.peer.Subscribe(up, string(other.id()))
			}
		}
	})
}

// describe notes what a seat says of its line. Who wants no pictures is sent none, and the others are told, so that a
// picture nobody watches need not be sent at all.
func (r *room) describe(s *seat, line lineView) {
	before := s.line.Pictures
	s.line = line
	if before != line.Pictures {
		r.each(func(other *seat) {
			for _, up := range other.tracks {
				switch {
				case other == s || up.Kind() != "video":
				case line.Pictures:
					s.peer.Subscribe(up, string(other.id()))
				default:
					s.peer.Unsubscribe(up)
				}
			}
		})
	}
	r.tell(s)
}

func (r *room) admit(id control.Seat) {
	r.admitted[id], r.changed = true, true
	s := r.find(id)
	if s == nil || s.admitted {
		return
	}
	s.admitted, s.from = true, r.sequence
	word := admittedMessage{Type: "admitted", Seats: r.others(s), Sequence: r.sequence, Locked: r.locked}
	s.send(word)
	if raw, err := json.Marshal(word); err == nil && s.peer != nil {
		s.peer.Insist(string(raw)) // the socket's TCP waits seconds for what a bad line loses
	}
	r.catchUp(s, 0, false)
	r.startMedia(s)
	r.prepare()
	r.tell(s)
}

func (r *room) lock(locked bool) {
	if r.locked != locked {
		r.locked, r.changed = locked, true
		r.broadcast(nil, lockMessage{"lock", locked})
	}
}

func (r *room) others(s *seat) []seatView {
	views := []seatView{}
	r.each(func(other *seat) {
		if other != s {
			views = append(views, other.view())
		}
	})
	return views
}

// tell shows the admitted seats what s looks like now.
func (r *room) tell(s *seat) { r.broadcast(s, seatMessage{"seat", s.view()}) }

// broadcast sends to all admitted seats but one.
func (r *room) broadcast(except *seat, message any) {
	raw, err := json.Marshal(message)
	if err != nil {
		return
	}
	r.each(func(s *seat) {
		if s != except && s.admitted && s.conn != nil {
			s.conn.sendRaw(raw)
		}
	})
}

// disconnected notes that a seat's socket ended; a newer socket may have replaced it before.
func (r *room) disconnected(s *seat, cn *conn, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.holds(s) || s.conn != cn {
		return
	}
	s.conn, s.lost = nil, now
	r.tell(s)
	r.hub.event(control.SeatReconnecting, r, s, now)
}

// giveUp ends a seat for the reason given and says so to the others.
func (r *room) giveUp(s *seat, reason string, now time.Time) {
	if s.conn != nil {
		s.conn.end(nil)
	}
	r.detach(s)
	r.broadcast(s, goneMessage{"gone", s.id(), reason})
	r.hub.event(control.SeatLeft, r, s, now)
	if len(r.seats) == 0 {
		r.empty = now
	}
}

// detach takes a seat and its tracks out of the room and closes its transports.
func (r *room) detach(s *seat) {
	r.seats = slices.DeleteFunc(r.seats, func(x *seat) bool { return x == s })
	for _, up := range s.tracks {
		r.withdraw(s, up)
	}
	s.tracks = nil
	r.abandon(s)
	r.each(func(other *seat) {
		if other.peer != nil && !other.direct {
			other.peer.Forget(string(s.id()))
		}
	})
	if s.peer != nil {
		s.peer.Close()
	}
}

// track finds a track by its id, nil when it is gone.
func (r *room) track(id string) *sfu.UpTrack {
	for _, s := range r.seats {
		for _, up := range s.tracks {
			if up.ID == id {
				return up
			}
		}
	}
	return nil
}

// abandon ends those who watch a seat by WHEP, which knows no other way to say that nothing comes any more.
func (r *room) abandon(s *seat) {
	r.each(func(other *seat) {
		if other.viewing == s.id() && other.peer != nil {
			other.peer.Close()
		}
	})
}

func (r *room) withdraw(s *seat, up *sfu.UpTrack) {
	r.each(func(other *seat) {
		if other != s && other.peer != nil && !other.direct {
			other.peer.Unsubscribe(up)
		}
	})
}

// remove gives up by deed a seat and those from which its holder watches. It returns the peers to wait for.
func (r *room) remove(id control.Seat, now time.Time) []*sfu.Peer {
	r.removed[id], r.changed = now, true
	delete(r.admitted, id)
	delete(r.said, id)
	delete(r.retired, id)
	var peers []*sfu.Peer
	for _, s := range slices.Clone(r.seats) {
		if s.id() != id && s.holder != id {
			continue
		}
		s.send(plainMessage{"removed"})
		r.giveUp(s, "removed", now)
		if s.peer != nil {
			peers = append(peers, s.peer)
		}
	}
	return peers
}

// end closes the room by deed and returns the peers to wait for.
func (r *room) end(now time.Time) []*sfu.Peer {
	var peers []*sfu.Peer
	for _, s := range slices.Clone(r.seats) {
		s.send(plainMessage{"closed"})
		if s.conn != nil {
			s.conn.end(nil)
		}
		r.detach(s)
		if s.peer != nil {
			peers = append(peers, s.peer)
		}
	}
	r.closed, r.empty, r.locked, r.changed = now, now, false, true
	r.kept, r.log, r.sequence = nil, nil, 0
	clear(r.admitted)
	clear(r.said)
	clear(r.retired)
	r.hub.event(control.RoomClosed, r, nil, now)
	return peers
}

// tidy gives up seats that did not come back and says whether the room may be forgotten.
func (r *room) tidy(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range slices.Clone(r.seats) {
		if s.conn == nil && !s.direct && now.Sub(s.lost) > resumeWindow {
			r.retire(s)
			r.giveUp(s, "lost", now)
		}
	}
	r.dead = len(r.seats) == 0 && now.Sub(r.empty) > control.MaxLife
	return r.dead
}

// post orders an app message and sends it to all who may receive, the sender too. One that the room has had is passed over.
func (r *room) post(s *seat, m fromClient, now time.Time) *refusal {
	if m.Topic == "" || len(m.Topic) > maxTopic || len(m.Data) == 0 || len(m.Data) > maxAppData || len(m.Page) > maxWord {
		return errBadApp
	}
	if last := r.said[s.id()]; m.Page != "" && m.Page == last.page && m.Number <= last.number {
		return nil
	}
	msg := appMessage{
		Type: "app", Sequence: r.sequence + 1, Topic: m.Topic, From: s.id(), At: now.UnixMilli(), Data: m.Data, Keep: m.Keep,
		Page: m.Page, Number: m.Number,
	}
	if m.Keep && !r.keep(msg) {
		return errKeepFull
	}
	if m.Page != "" {
		r.said[s.id()] = said{m.Page, m.Number}
	}
	r.sequence++
	r.log = append(r.log, msg)
	for size := sizeOf(r.log); size > maxLog || len(r.log) > maxLogCount; {
		size -= r.log[0].size()
		r.log = r.log[1:]
	}
	raw, err := json.Marshal(msg)
	if err != nil {
		return errBadApp
	}
	r.each(func(to *seat) {
		if to.admitted && to.conn != nil && (to == s || to.claims.Subscribe) {
			to.conn.sendRaw(raw)
		}
	})
	return nil
}

// keep remembers the latest of a topic; null data forgets it. It says whether there was room.
func (r *room) keep(msg appMessage) bool {
	next := slices.DeleteFunc(slices.Clone(r.kept), func(k appMessage) bool { return k.Topic == msg.Topic })
	if string(msg.Data) != "null" {
		next = append(next, msg)
	}
	if len(next) > maxTopics || sizeOf(next) > maxKept {
		return false
	}
	r.kept, r.changed = next, true
	return true
}

// memory is what another media node needs to go on with the room. Removals older than any ticket are left out.
func (r *room) memory(now time.Time) control.Memory {
	m := control.Memory{Locked: r.locked, Closed: r.closed, Sequence: r.sequence, Removed: map[control.Seat]time.Time{}}
	for seat := range r.admitted {
		m.Admitted = append(m.Admitted, seat)
	}
	for seat, at := range r.removed {
		if now.Sub(at) < control.MaxLife {
			m.Removed[seat] = at
		}
	}
	for _, msg := range r.kept {
		if raw, err := json.Marshal(msg); err == nil {
			m.Kept = append(m.Kept, raw)
		}
	}
	return m
}

// remember takes over what the room remembered elsewhere.
func (r *room) remember(m control.Memory) {
	r.locked, r.closed, r.sequence = m.Locked, m.Closed, m.Sequence
	r.kept, r.log, r.changed = nil, nil, false
	clear(r.admitted)
	clear(r.removed)
	for _, seat := range m.Admitted {
		r.admitted[seat] = true
	}
	for seat, at := range m.Removed {
		r.removed[seat] = at
	}
	for _, raw := range m.Kept {
		var msg appMessage
		if json.Unmarshal(raw, &msg) == nil {
			r.kept = append(r.kept, msg)
		}
	}
}

// catchUp sends what a seat has not seen: to a newcomer the latest of each kept topic, to one that resumes also
// the messages it missed since it was let in. Order of sequence is kept.
func (r *room) catchUp(s *seat, seen uint64, resumed bool) {
	if !s.claims.Subscribe {
		return
	}
	missed := slices.Clone(r.kept)
	if resumed {
		for _, msg := range r.log {
			if msg.Sequence > s.from {
				missed = append(missed, msg)
			}
		}
	}
	slices.SortFunc(missed, func(a, b appMessage) int { return int(a.Sequence) - int(b.Sequence) })
	for _, msg := range missed {
		if msg.Sequence > seen {
			seen = msg.Sequence
			s.send(msg)
		}
	}
}

// pass gives a message to the other seats on their channels of that name.
func (r *room) pass(s *seat, c sfu.Channel, data []byte) {
	raw, err := json.Marshal(dataMessage{s.id(), string(data)})
	if err != nil {
		return
	}
	r.each(func(other *seat) {
		if other != s && other.admitted && other.peer != nil {
			other.peer.Send(c, string(raw))
		}
	})
}

func (m appMessage) size() int { return len(m.Topic) + len(m.Data) + len(m.From) + len(m.Page) + 110 }

func sizeOf(ms []appMessage) int {
	n := 0
	for _, m := range ms {
		n += m.size()
	}
	return n
}
