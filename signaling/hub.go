package signaling

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/queue"
	"yuanzhen/signaling/sfu"
)

// hub keeps the rooms. Its lock is never held together with a room's.
type hub struct {
	// Set at construction.
	engine *sfu.Engine
	now    func() time.Time
	log    *slog.Logger
	events *queue.Queue[control.Event]

	mu    sync.Mutex
	rooms map[control.Room]*room // guarded by mu
}

var _ control.Rooms = (*hub)(nil)

// in runs f on the room, which is made if need be, with the room's lock held.
func (h *hub) in(name control.Room, f func(*room)) {
	for {
		r := h.room(name)
		r.mu.Lock()
		if !r.dead {
			defer r.mu.Unlock()
			f(r)
			return
		}
		r.mu.Unlock() // forgotten between the two locks
	}
}

func (h *hub) room(name control.Room) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[name]
	if r == nil {
		r = newRoom(h, name, h.now())
		h.rooms[name] = r
	}
	return r
}

func (h *hub) all() []*room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.rooms))
}

// occupied lists the rooms in which a seat is taken, and how many seats that are.
func (h *hub) occupied() (rooms []control.Room, seats int) {
	for _, r := range h.all() {
		r.mu.Lock()
		if len(r.seats) > 0 {
			rooms = append(rooms, r.name)
			seats += len(r.seats)
		}
		r.mu.Unlock()
	}
	return rooms, seats
}

// memory is what a room remembers, whether it is here, and whether somebody sits in it.
func (h *hub) memory(name control.Room) (m control.Memory, here, occupied bool) {
	h.mu.Lock()
	r := h.rooms[name]
	h.mu.Unlock()
	if r == nil {
		return m, false, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory(h.now()), !r.dead, len(r.seats) > 0
}

// remember makes a room with what it remembered elsewhere, unless somebody sits in it here.
func (h *hub) remember(name control.Room, m control.Memory) {
	h.in(name, func(r *room) {
		if len(r.seats) == 0 {
			r.remember(m)
		}
	})
}

// changed lists the rooms whose memory has changed since it was asked last.
func (h *hub) changed() (names []control.Room) {
	for _, r := range h.all() {
		r.mu.Lock()
		if r.changed {
			names = append(names, r.name)
			r.changed = false
		}
		r.mu.Unlock()
	}
	return names
}

// evict tells everybody in a room to come back, and forgets it: what it remembers is newer elsewhere.
func (h *hub) evict(name control.Room) {
	defer h.forget(name)
	h.in(name, func(r *room) {
		for _, s := range slices.Clone(r.seats) {
			if s.conn != nil {
				s.conn.end(errGoingAway.message())
			}
			r.giveUp(s, "lost", h.now())
		}
		r.dead = true
	})
}

// forget drops a room that is dead.
func (h *hub) forget(name control.Room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms, name)
}

// tidy forgets rooms that nobody needs. Seats and rooms lapse by their times; this only cleans up.
func (h *hub) tidy() {
	for _, r := range h.all() {
		if r.tidy(h.now()) {
			h.mu.Lock()
			if h.rooms[r.name] == r {
				delete(h.rooms, r.name)
			}
			h.mu.Unlock()
		}
	}
}

func (h *hub) event(kind control.EventKind, r *room, s *seat, now time.Time) {
	e := control.Event{Kind: kind, Room: r.name, At: now}
	if s != nil {
		e.Seat, e.Role, e.Admitted = s.id(), s.claims.Role, s.admitted
	}
	h.events.Put(e)
}

func (h *hub) joined(r *room, s *seat, replaced bool, now time.Time) {
	h.events.Put(control.Event{Kind: control.SeatJoined, Room: r.name, Seat: s.id(), Role: s.claims.Role, Admitted: s.admitted, Replaced: replaced, At: now})
}

func (h *hub) quality(s *seat, q control.Quality, now time.Time) {
	h.events.Put(control.Event{Kind: control.QualityReported, Room: s.room.name, Seat: s.id(), Role: s.claims.Role, Admitted: true, At: now, Quality: &q})
}

// Admit implements control.Rooms.
func (h *hub) Admit(ctx context.Context, name control.Room, id control.Seat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.in(name, func(r *room) { r.admit(id) })
	return nil
}

// Remove implements control.Rooms: when it returns nil, the seat's transports are closed.
func (h *hub) Remove(ctx context.Context, name control.Room, id control.Seat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var peers []*sfu.Peer
	h.in(name, func(r *room) { peers = r.remove(id, h.now()) })
	return closed(ctx, peers...)
}

// Lock implements control.Rooms.
func (h *hub) Lock(ctx context.Context, name control.Room, locked bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.in(name, func(r *room) { r.lock(locked) })
	return nil
}

// Close implements control.Rooms: when it returns nil, all transports of the room are closed.
func (h *hub) Close(ctx context.Context, name control.Room) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var peers []*sfu.Peer
	h.in(name, func(r *room) { peers = r.end(h.now()) })
	return closed(ctx, peers...)
}

func closed(ctx context.Context, peers ...*sfu.Peer) error {
	for _, p := range peers {
		select {
		case <-p.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Seats implements control.Rooms. Asking about a room that nobody has entered does not make it.
func (h *hub) Seats(ctx context.Context, name control.Room) ([]control.SeatState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	r := h.rooms[name]
	h.mu.Unlock()
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []control.SeatState
	r.each(func(s *seat) {
		states = append(states, control.SeatState{
			Seat: s.id(), Name: s.claims.Name, Role: s.claims.Role, Presence: s.presence(), Since: s.since,
		})
	})
	return states, nil
}
