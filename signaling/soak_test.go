package signaling_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/load"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

// How long the soak runs; tools/soak.sh gives it ten minutes.
var soakFor = flag.Duration("soak", 20*time.Second, "how long TestASoakLeavesNothingBehind comes and goes")

const (
	soakPeople = 8 // at once, in two rooms
	// What the heap may have grown by at the end, whatever was done: the pools of the libraries and what the house remembers of
	// closed rooms. A join takes some 200 kB of it while it lasts.
	soakGrowth = 1 << 20
)

// People and instruments come into rooms, send, receive, lose the line, come back, move their path, and go, politely or not;
// hosts admit, remove, lock and close. At the end there is as much of everything as in the beginning.
func TestASoakLeavesNothingBehind(t *testing.T) {
	h, f := open(t), factory(t)
	ctx := t.Context()
	s := &soak{house: h, factory: f, web: h.web()}
	s.run(t, ctx, 3*time.Second) // everything once: pools, timers and lazy parts are there from now on
	goroutines, heap := s.rest(t, ctx, 0, 0)
	begin := s.joins.Load()
	s.run(t, ctx, *soakFor)
	left, grown := s.rest(t, ctx, goroutines, heap+soakGrowth)
	t.Logf("%s: %d joins, %d packets received, %d seats lost and %d resumed; goroutines %d at first, %d at last; heap %.1f MB, %.1f MB",
		*soakFor, s.joins.Load()-begin, s.packets.Load(), s.lost.Load(), s.resumed.Load(), goroutines, left, mb(heap), mb(grown))
	if s.packets.Load() == 0 || s.resumed.Load() == 0 {
		t.Error("nothing was received, or nobody came back: the soak tested nothing")
	}
	if left > goroutines {
		t.Errorf("%d goroutines at first, %d at last:\n%s", goroutines, left, stacks())
	}
	if grown > heap+soakGrowth {
		t.Errorf("the heap grew from %.1f to %.1f MB", mb(heap), mb(grown))
	}
}

type soak struct {
	house   *house
	factory *load.Factory
	web     string

	room                          atomic.Int64 // rooms are new from time to time
	joins, packets, lost, resumed atomic.Int64
}

// run lets everybody come and go for a while.
func (s *soak) run(t *testing.T, ctx context.Context, d time.Duration) {
	t.Helper()
	running, stop := context.WithTimeout(ctx, d)
	defer stop()
	var people sync.WaitGroup
	for n := range soakPeople {
		people.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(n), 7))
			for turn := 0; running.Err() == nil; turn++ {
				stay, cancel := context.WithTimeout(ctx, 3*time.Minute) // of a machine that does other things too
				if err := s.stay(stay, dice, n, turn); err != nil {
					t.Errorf("seat %d, turn %d: %v", n, turn, err)
					stop()
				}
				cancel()
			}
		})
	}
	people.Wait()
}

// stay is one person's or instrument's time in a room.
func (s *soak) stay(ctx context.Context, dice *rand.Rand, n, turn int) error {
	room := control.Room(fmt.Sprintf("soak-%d-%d", n%2, s.room.Load()/(4*soakPeople)))
	s.room.Add(1)
	claims := control.Claims{Room: room, Seat: control.Seat(fmt.Sprintf("p%d-%d", n, turn)), Name: "p", Role: "host", Admitted: true, Publish: true, Subscribe: true}
	if n == 0 {
		return s.direct(ctx, claims)
	}
	guest := dice.IntN(4) == 0
	if guest {
		claims.Role, claims.Admitted = "guest", false
	}
	client, err := s.join(ctx, claims)
	if err != nil {
		return ended(err)
	}
	defer func() { _ = client.Close() }() // the server may have closed it before
	if guest {
		if err := s.house.server.Rooms().Admit(ctx, room, claims.Seat); err != nil {
			return err
		}
		if _, err := client.Await(ctx, "admitted", nil); err != nil {
			return ended(err)
		}
	}
	if err := client.Publish(ctx, sfu.Microphone, sfu.Camera); err != nil {
		return ended(err)
	}
	s.receive(ctx, client, dice)
	switch deed := dice.IntN(8); deed {
	case 0: // as when the page is gone
		s.lost.Add(1)
		return nil
	case 1:
		if err := client.Drop(ctx); err != nil {
			return ended(err)
		}
		pass, err := s.house.desk.Issue(claims)
		if err == nil {
			err = client.Resume(ctx, pass.Ticket)
		}
		if err == nil {
			_, err = client.Await(ctx, "joined", nil)
		}
		if err != nil {
			return ended(err)
		}
		s.resumed.Add(1)
		s.receive(ctx, client, dice)
	case 2:
		if err := client.RestartICE(ctx); err != nil {
			return ended(err)
		}
		s.receive(ctx, client, dice)
	case 3:
		return s.house.server.Rooms().Remove(ctx, room, claims.Seat)
	case 4:
		return errors.Join(s.house.server.Rooms().Lock(ctx, room, true), s.house.server.Rooms().Lock(ctx, room, false))
	case 5:
		return s.house.server.Rooms().Close(ctx, room)
	}
	return ended(client.Send(map[string]string{"type": "leave"}))
}

// direct is an instrument's: it sends by WHIP and watches itself by WHEP. When the room is closed in the midst of it, its
// connection never comes up: it gives up after a while.
func (s *soak) direct(ctx context.Context, c control.Claims) error {
	target := func(seat string, publish bool) (load.Target, error) {
		c := c
		c.Seat, c.Role, c.Direct, c.Publish, c.Subscribe = control.Seat(seat), "instrument", true, publish, !publish
		pass, err := s.house.desk.Issue(c)
		return load.Target{Base: s.web, Token: pass.Ticket}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	send, err := target("probe", true)
	if err != nil {
		return err
	}
	probe, err := s.factory.Publish(ctx, send, "/whip/"+string(c.Room)+"/probe?source=ultrasound")
	if err != nil {
		return nil
	}
	defer probe.Close()
	s.joins.Add(1)
	see, err := target("wall", false)
	if err != nil {
		return err
	}
	wall, err := s.factory.View(ctx, see, "/whep/"+string(c.Room)+"/probe")
	if err != nil {
		return nil
	}
	defer wall.Close()
	s.joins.Add(1)
	for range 20 {
		if wall.Packets.Load() > 50 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.packets.Add(wall.Packets.Load())
	_ = probe.Delete(ctx) // the server may have ended it before
	return nil
}

func (s *soak) join(ctx context.Context, c control.Claims) (*signaltest.Client, error) {
	pass, err := s.house.desk.Issue(c)
	if err != nil {
		return nil, err
	}
	client, err := signaltest.Dial(ctx, signaltest.Options{URL: s.house.url, Ticket: pass.Ticket})
	if err != nil {
		return nil, err
	}
	if _, err := client.Await(ctx, "joined", nil); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s.joins.Add(1)
	return client, nil
}

// receive stays up to a second, less when there is much to receive. Others come and go: there may be nothing.
func (s *soak) receive(ctx context.Context, client *signaltest.Client, dice *rand.Rand) {
	before, _ := client.ReceivedAll()
	got := before
	for range 1 + dice.IntN(20) {
		if got, _ = client.ReceivedAll(); got > before+100 || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.packets.Add(got - before)
}

// ended forgives what others did meanwhile: the room was closed, locked, or the seat removed.
func ended(err error) error {
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// rest closes all rooms and waits until no more goroutines and no larger a heap are left than given; 0 for as few as there come to
// be. Timers of connections that are gone hold them for a while: what does not go in three minutes does not go.
func (s *soak) rest(t *testing.T, ctx context.Context, goroutines int, heap uint64) (int, uint64) {
	t.Helper()
	rooms, _ := s.house.server.Occupied()
	for _, room := range rooms {
		must(t, s.house.server.Rooms().Close(ctx, room))
	}
	least := 1 << 30
	for calm := 0; calm < 20; calm++ {
		http.DefaultClient.CloseIdleConnections()
		if n := alive(); n < least {
			least, calm = n, 0
		}
		if goroutines > 0 && least <= goroutines {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	if _, seats := s.house.server.Occupied(); seats != 0 {
		t.Errorf("%d seats are taken in closed rooms", seats)
	}
	s.house.mu.Lock()
	s.house.events = nil
	s.house.mu.Unlock()
	var m runtime.MemStats
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Second) {
		for range 3 { // what lies in pools goes with the second
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		if heap == 0 || m.HeapAlloc <= heap || time.Now().After(end) {
			break
		}
	}
	return least, m.HeapAlloc
}

// alive counts goroutines, but for those that pion's client leaves behind when it is closed while its session begins: a packet of a
// new stream waits for ever for a reader (pion/srtp v3.0.12, SessionSRTP.decrypt), or the reader of a stream for a packet. The
// server's media pass no session of pion's.
func alive() int {
	all := stacks()
	return runtime.NumGoroutine() - strings.Count(all, "pion/srtp/v3.(*SessionSRTP).decrypt(") - strings.Count(all, "pion/srtp/v3.(*ReadStreamSRTP).Read(")
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

func mb(n uint64) float64 { return float64(n) / (1 << 20) }
