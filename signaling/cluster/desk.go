package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"yuanzhen/internal/fault"
	"yuanzhen/signaling/control"
)

// Desk is the house's side: it places rooms, sells tickets to them and does its deeds where they are.
type Desk struct {
	// Set at construction.
	bus    *nats.Conn
	leases *store
	sells  control.Desk
	log    *slog.Logger
	subs   []*nats.Subscription
	stop   context.CancelFunc // of what Announce began; nil before
	work   sync.WaitGroup

	mu    sync.Mutex
	nodes map[string]*known // guarded by mu
	more  chan struct{}     // guarded by mu: closed and renewed with each beat
}

// known is a node as its beats show it.
type known struct {
	beat
	heard  time.Time
	placed int // rooms since the last beat, which does not know of them yet
}

// Rooms are the deeds of the house on all nodes.
func (d *Desk) Rooms() control.Rooms { return rooms{d} }

type rooms struct{ d *Desk }

// errNowhere says that no node can take a room.
var errNowhere = fault.New(fault.Unavailable, "no_media", "音视频服务暂时不可用。", "The rooms are away for a moment.").
	WithRemedy("请稍等，页面会自动重试。", "Please wait; the page tries again by itself.")

// Open listens to the nodes. events hears what happens in rooms; of several processes of the house, one hears each event.
func Open(ctx context.Context, bus *nats.Conn, sells control.Desk, events control.Events, log *slog.Logger) (*Desk, error) {
	leases, err := openStore(ctx, bus, bucketRooms, lease)
	if err != nil {
		return nil, err
	}
	d := &Desk{bus: bus, leases: leases, sells: sells, log: log, nodes: map[string]*known{}, more: make(chan struct{})}
	beats, err := bus.Subscribe(subjectBeat, d.hear)
	if err != nil {
		return nil, err
	}
	d.subs = append(d.subs, beats)
	told, err := bus.QueueSubscribe(subjectEvents, "house", func(m *nats.Msg) {
		var e control.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			log.Warn("an event of a room could not be read", "error", err)
			return
		}
		events(e)
	})
	if err != nil {
		d.Close()
		return nil, err
	}
	d.subs = append(d.subs, told)
	if err := errors.Join(bus.Publish(subjectHello, nil), bus.FlushTimeout(askTime)); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Announce writes down what media nodes have to know of the house, once, and again until the desk is closed: a bus that restarted has
// forgotten it. Every process of the house says the same.
func (d *Desk) Announce(ctx context.Context, h House) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	house, err := openStore(ctx, d.bus, bucketHouse, 0)
	if err != nil {
		return err
	}
	if err := house.put(ctx, keyHouse, body); err != nil {
		return err
	}
	run, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.work.Go(func() { d.announce(run, house, body) })
	return nil
}

func (d *Desk) announce(ctx context.Context, house *store, body []byte) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	losses, at := d.bus.Stats().Reconnects, time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := d.bus.Stats().Reconnects
		if !d.bus.IsConnected() || now == losses && time.Since(at) < announceEvery {
			continue
		}
		try, cancel := context.WithTimeout(ctx, askTime)
		err := house.put(try, keyHouse, body)
		cancel()
		if err == nil {
			losses, at = now, time.Now()
		} else if ctx.Err() == nil {
			d.log.Warn("the house is not announced to media nodes", "error", err)
		}
	}
}

// Close stops listening.
func (d *Desk) Close() {
	if d.stop != nil {
		d.stop()
	}
	d.work.Wait()
	for _, sub := range d.subs {
		_ = sub.Unsubscribe() // fails when the bus is away, which ends it too
	}
}

func (d *Desk) hear(m *nats.Msg) {
	var b beat
	if err := json.Unmarshal(m.Data, &b); err != nil {
		d.log.Warn("a beat could not be read", "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.Gone {
		delete(d.nodes, b.ID)
	} else {
		d.nodes[b.ID] = &known{beat: b, heard: time.Now()}
	}
	close(d.more)
	d.more = make(chan struct{})
}

// Issue implements what consult asks of a desk: a pass for the node that has the room.
func (d *Desk) Issue(c control.Claims) (control.Pass, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*askTime)
	defer cancel()
	node, r, err := d.ask(ctx, ask{Deed: "enter", Room: c.Room, Seat: c.Seat})
	if err != nil {
		return control.Pass{}, err
	}
	pass, err := d.sells.Issue(c)
	pass.URL, pass.ICEServers = node.URL, append(pass.ICEServers, r.ICEServers...)
	return pass, err
}

// Admit implements control.Rooms.
func (r rooms) Admit(ctx context.Context, room control.Room, seat control.Seat) error {
	_, _, err := r.d.ask(ctx, ask{Deed: "admit", Room: room, Seat: seat})
	return err
}

// Remove implements control.Rooms.
func (r rooms) Remove(ctx context.Context, room control.Room, seat control.Seat) error {
	_, _, err := r.d.ask(ctx, ask{Deed: "remove", Room: room, Seat: seat})
	return err
}

// Lock implements control.Rooms.
func (r rooms) Lock(ctx context.Context, room control.Room, locked bool) error {
	_, _, err := r.d.ask(ctx, ask{Deed: "lock", Room: room, Locked: locked})
	return err
}

// Close implements control.Rooms.
func (r rooms) Close(ctx context.Context, room control.Room) error {
	_, _, err := r.d.ask(ctx, ask{Deed: "close", Room: room})
	return err
}

// Seats implements control.Rooms.
func (r rooms) Seats(ctx context.Context, room control.Room) ([]control.SeatState, error) {
	_, answer, err := r.d.ask(ctx, ask{Deed: "seats", Room: room})
	return answer.Seats, err
}

// ask finds the node of a room and asks it. A node that is not there any more is passed over, and the room placed anew.
func (d *Desk) ask(ctx context.Context, a ask) (beat, reply, error) {
	var r reply
	body, err := json.Marshal(a)
	if err != nil {
		return beat{}, r, err
	}
	for {
		node, err := d.place(ctx, a.Room)
		if err != nil {
			return beat{}, r, err
		}
		try, cancel := context.WithTimeout(ctx, askTime)
		m, err := d.bus.RequestWithContext(try, subjectNode(node.ID), body)
		cancel()
		switch {
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			d.forget(node.ID)
			continue
		case err != nil:
			return node, r, fmt.Errorf("ask the room's node: %w", err)
		}
		if err := json.Unmarshal(m.Data, &r); err != nil {
			return node, r, fmt.Errorf("answer of the room's node: %w", err)
		}
		if r.Error != "" {
			return node, r, errors.New("the room's node: " + r.Error)
		}
		return node, r, nil
	}
}

// forget takes a node for lost until it is heard again.
func (d *Desk) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.nodes, id)
}

// place finds the node that has a room, or gives it one.
func (d *Desk) place(ctx context.Context, room control.Room) (beat, error) {
	for {
		entry, err := d.leases.get(ctx, key(room))
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return beat{}, errNowhere.Because(err)
		}
		if err == nil {
			if node, ok := d.node(string(entry.Value())); ok {
				if time.Since(entry.Created()) < renewAfter {
					return node, nil
				}
				if d.leases.update(ctx, key(room), entry.Value(), entry.Revision()) == nil {
					return node, nil
				}
				continue // somebody was faster
			}
		}
		best, err := d.best(ctx)
		if err != nil {
			return beat{}, err
		}
		if entry == nil {
			err = d.leases.create(ctx, key(room), []byte(best.ID))
		} else {
			err = d.leases.update(ctx, key(room), []byte(best.ID), entry.Revision())
		}
		if err == nil {
			return best, nil
		}
		if ctx.Err() != nil {
			return beat{}, errNowhere.Because(err)
		}
	}
}

// node gives a node that is there and keeps its rooms.
func (d *Desk) node(id string) (beat, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.nodes[id]
	if n == nil || n.Full || time.Since(n.heard) > lostAfter {
		return beat{}, false
	}
	return n.beat, true
}

// best waits for a node that takes rooms and chooses the one with the least load. A seat counts for a thousandth of a node.
func (d *Desk) best(ctx context.Context) (beat, error) {
	for {
		d.mu.Lock()
		var best *known
		weight := func(n *known) float64 { return n.Load + float64(n.Seats+2*n.placed)/1000 }
		for _, n := range d.nodes {
			if !n.Full && time.Since(n.heard) <= lostAfter && (best == nil || weight(n) < weight(best)) {
				best = n
			}
		}
		more := d.more
		if best != nil {
			best.placed++
			b := best.beat
			d.mu.Unlock()
			return b, nil
		}
		d.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return beat{}, errNowhere.Because(ctx.Err())
		}
	}
}
