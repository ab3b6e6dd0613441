package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"yuanzhen/signaling/control"
)

// Media is the media server of a node.
type Media interface {
	Rooms() control.Rooms
	ICEServers(control.Room, control.Seat) []control.ICEServer
	// Occupied lists the rooms in which a seat is taken, and how many seats that are.
	Occupied() (rooms []control.Room, seats int)
	// Evict tells everybody in a room to come back, for it lives elsewhere now.
	Evict(control.Room)
	// Memory is what a room remembers, whether it is here, and whether somebody sits in it. Remember makes it here unless somebody
	// does; Changed lists those to be written down.
	Memory(control.Room) (m control.Memory, here, occupied bool)
	Remember(control.Room, control.Memory)
	Changed() []control.Room
}

// Node is this process as a media node. Join makes it, Leave ends it.
type Node struct {
	// Set at construction.
	id, url string
	bus     *nats.Conn
	media   Media
	leases  *store
	memory  *store
	log     *slog.Logger
	subs    []*nats.Subscription
	stop    context.CancelFunc
	work    sync.WaitGroup

	full  atomic.Bool
	meter meter
}

// Join makes the process known. url is that of its socket, as browsers reach it.
func Join(ctx context.Context, bus *nats.Conn, media Media, url string, log *slog.Logger) (*Node, error) {
	leases, err := openStore(ctx, bus, bucketRooms, lease)
	if err != nil {
		return nil, err
	}
	memory, err := openStore(ctx, bus, bucketMemory, memoryLife)
	if err != nil {
		return nil, err
	}
	n := &Node{id: rand.Text(), url: url, bus: bus, media: media, leases: leases, memory: memory, log: log}
	run, stop := context.WithCancel(context.Background())
	n.stop = stop
	for subject, hear := range map[string]nats.MsgHandler{
		subjectNode(n.id): func(m *nats.Msg) { n.answer(run, m) },
		subjectHello:      func(*nats.Msg) { n.beat(false) },
	} {
		sub, err := bus.Subscribe(subject, hear)
		if err != nil {
			n.end()
			return nil, err
		}
		n.subs = append(n.subs, sub)
	}
	n.beat(false)
	if err := bus.FlushTimeout(askTime); err != nil {
		n.end()
		return nil, err
	}
	n.work.Go(func() { n.run(run) })
	return n, nil
}

func (n *Node) end() {
	n.stop()
	for _, sub := range n.subs {
		_ = sub.Unsubscribe() // fails when the bus is away, which ends it too
	}
	n.work.Wait()
}

// Drain takes no new rooms; it is heard before it returns. Rooms move when their seats come back with new tickets.
func (n *Node) Drain() error {
	n.writeChanged(context.Background())
	n.full.Store(true)
	n.beat(false)
	return n.bus.FlushTimeout(askTime)
}

// Leave says goodbye. The rooms are closed by then.
func (n *Node) Leave() {
	n.end()
	n.beat(true)
	_ = n.bus.FlushTimeout(askTime) // who does not hear it notices the silence
}

// Event tells the house what happened in a room.
func (n *Node) Event(e control.Event) { n.say(subjectEvents, e) }

func (n *Node) say(subject string, what any) {
	body, err := json.Marshal(what)
	if err == nil {
		err = n.bus.Publish(subject, body)
	}
	if err != nil {
		n.log.Warn("not said on the bus", "subject", subject, "error", err)
	}
}

func (n *Node) run(ctx context.Context) {
	tick, renew := time.NewTicker(beatEvery), time.NewTicker(renewEvery)
	defer tick.Stop()
	defer renew.Stop()
	losses := n.bus.Stats().Reconnects
	for {
		select {
		case <-tick.C:
			n.beat(false)
			if now := n.bus.Stats().Reconnects; now != losses { // it may have forgotten everything
				losses = now
				n.renew(ctx)
			}
			n.writeChanged(ctx)
		case <-renew.C:
			n.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) beat(gone bool) {
	_, seats := n.media.Occupied()
	n.say(subjectBeat, beat{ID: n.id, URL: n.url, Load: n.meter.share(), Seats: seats, Full: n.full.Load(), Gone: gone})
}

// meter measures this process.
type meter struct {
	mu    sync.Mutex
	at    time.Time
	used  time.Duration
	value float64
}

// share is how much of the cores was used in the last second.
func (m *meter) share() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, used := time.Now(), time.Duration(u.Utime.Nano()+u.Stime.Nano())
	if since := now.Sub(m.at); since >= beatEvery/2 {
		if !m.at.IsZero() {
			m.value = min(1, float64(used-m.used)/float64(since)/float64(runtime.GOMAXPROCS(0)))
		}
		m.at, m.used = now, used
	}
	return m.value
}

// renew keeps the leases of the rooms that are in use. A room whose lease another node has is given up: the house took this node
// for lost.
func (n *Node) renew(ctx context.Context) {
	rooms, _ := n.media.Occupied()
	for _, room := range rooms {
		if err := n.keep(ctx, room); err != nil && ctx.Err() == nil {
			n.log.Warn("lease of a room not renewed", "error", err)
		}
	}
}

func (n *Node) keep(ctx context.Context, room control.Room) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	entry, err := n.leases.get(ctx, key(room))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		err = n.leases.create(ctx, key(room), []byte(n.id))
	case err != nil:
	case string(entry.Value()) != n.id:
		n.media.Evict(room)
	case time.Since(entry.Created()) > renewAfter:
		err = n.leases.update(ctx, key(room), []byte(n.id), entry.Revision())
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil // somebody was faster: look again next time
	}
	if err != nil {
		return err
	}
	return n.repeat(ctx, room)
}

// writeChanged writes down what rooms remember, where it has changed. What could not be written is tried again with the next
// renewal of the room's lease.
func (n *Node) writeChanged(ctx context.Context) {
	for _, room := range n.media.Changed() {
		if err := n.write(ctx, room); err != nil && ctx.Err() == nil {
			n.log.Warn("what a room remembers was not written down", "error", err)
		}
	}
}

func (n *Node) write(ctx context.Context, room control.Room) error {
	m, here, _ := n.media.Memory(room)
	if !here {
		return nil
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return n.memory.put(ctx, key(room), body)
}

// repeat writes a room's memory again before it lapses, or when it is missing.
func (n *Node) repeat(ctx context.Context, room control.Room) error {
	entry, err := n.memory.get(ctx, key(room))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return n.write(ctx, room)
	case err != nil:
		return err
	case time.Since(entry.Created()) > memoryLife/3:
		return n.write(ctx, room)
	}
	return nil
}

// recall gives a room in which nobody sits here what it remembered elsewhere: it may have been there meanwhile. Where that can't be
// read the room is not entered, for its lock and who was removed would be forgotten.
func (n *Node) recall(ctx context.Context, room control.Room) error {
	if _, _, occupied := n.media.Memory(room); occupied {
		return nil
	}
	entry, err := n.memory.get(ctx, key(room))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	var m control.Memory
	if err == nil {
		err = json.Unmarshal(entry.Value(), &m)
	}
	if err != nil {
		return fmt.Errorf("what the room remembers: %w", err)
	}
	n.media.Remember(room, m)
	return nil
}

// answer does what the house asks.
func (n *Node) answer(ctx context.Context, m *nats.Msg) {
	var a ask
	var r reply
	err := json.Unmarshal(m.Data, &a)
	if err == nil {
		r, err = n.do(ctx, a)
	}
	if err != nil {
		r.Error = err.Error()
	}
	body, err := json.Marshal(r)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil {
		n.log.Warn("the house got no answer", "error", err)
	}
}

func (n *Node) do(ctx context.Context, a ask) (r reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := n.recall(ctx, a.Room); err != nil {
		return r, err
	}
	rooms := n.media.Rooms()
	switch a.Deed {
	case "enter":
		r.ICEServers = n.media.ICEServers(a.Room, a.Seat)
	case "admit":
		err = rooms.Admit(ctx, a.Room, a.Seat)
	case "remove":
		err = rooms.Remove(ctx, a.Room, a.Seat)
	case "lock":
		err = rooms.Lock(ctx, a.Room, a.Locked)
	case "close":
		err = rooms.Close(ctx, a.Room)
	case "seats":
		r.Seats, err = rooms.Seats(ctx, a.Room)
	default:
		return r, errors.New("unknown deed " + a.Deed)
	}
	if err == nil && a.Deed != "enter" && a.Deed != "seats" {
		err = n.write(ctx, a.Room)
	}
	return r, err
}
