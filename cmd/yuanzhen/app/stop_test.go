package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

// Stop, which SIGTERM calls: a running request ends well, an open event stream is hung up, no goroutine stays.
func TestStopLeavesNothing(t *testing.T) {
	database := pgtest.URL(t)
	before := goleak.IgnoreCurrent()
	b := open(t, func(o *app.Options) { o.DatabaseURL = database })
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	b.call(patient, "POST", "/api/v1/auth/otp", object{"phone": "13900007654"}, 202)
	screen := b.listen(t, patient)

	paper := upload(patient, person)
	paper.body = bytes.Replace(paper.body, pixel, append(pixel, make([]byte, 256<<10)...), 1) // more than lies in buffers on the way
	body, write := io.Pipe()
	q, err := http.NewRequestWithContext(context.Background(), paper.method, b.app.Addr()+paper.path, body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+b.session(patient))
	q.Header.Set("Content-Type", paper.contentType)
	q.Header.Set("Idempotency-Key", uuid.NewString())
	q.Header.Set("Expect", "100-continue") // so nothing is sent before the handler reads
	status := make(chan int, 1)
	go func() {
		response, err := b.client.Do(q)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		status <- response.StatusCode
	}()
	if _, err := write.Write(paper.body[:len(paper.body)/2]); err != nil {
		t.Fatal(err)
	}

	stopped := make(chan struct{})
	start := time.Now()
	address := b.app.Addr()
	go func() { b.stop(); close(stopped) }()
	for { // until the door is shut
		probe, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			break
		}
		probe.Close()
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case <-stopped:
		write.Close()
		t.Fatalf("stopped while a request was running: %d", <-status)
	case <-time.After(200 * time.Millisecond):
	}
	if _, err := write.Write(paper.body[len(paper.body)/2:]); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if got := <-status; got != http.StatusCreated {
		t.Errorf("the running request: %d", got)
	}
	<-stopped
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopped after %v", took)
	}
	if n := b.count(`SELECT count(*) FROM evidence`); n != 1 {
		t.Errorf("%d records, want the one whose upload was running", n)
	}
	select {
	case <-screen.done:
	case <-time.After(time.Second):
		t.Error("the event stream was not hung up")
	}
	b.db.Close()
	goleak.VerifyNone(t, before)
}

// Stop of a media node whose door is kept open by a line that says nothing: its people are elsewhere before that ends, nobody is sent to
// it any more, and no sound is away for 2 s.
func TestStopMovesRoomsBeforeItShutsTheDoor(t *testing.T) {
	bus := townBus(t)
	b := open(t, func(o *app.Options) { o.NATSURL, o.Roles = bus, []string{"api", "worker"} })
	nodes := map[string]*app.App{} // by their sockets
	for range 2 {
		m, err := app.New(t.Context(), &app.Options{Listen: "127.0.0.1:0", Log: "warn", Demo: true, NATSURL: bus, Roles: []string{"media"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := "ws" + strings.TrimPrefix(m.Addr(), "http") + "/signal"
		nodes[at] = m
		t.Cleanup(func() {
			if nodes[at] != nil {
				stop(t, m)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if policy := b.send(request{method: "GET", path: "/"}).header.Get("Content-Security-Policy"); !strings.Contains(policy, "http://127.0.0.1:*") {
		t.Errorf("pages may not ask media nodes by WHEP: %s", policy)
	}

	// enter seats two in a room of their own who hear each other. A door that has just been shut is tried no longer than a page would.
	enter := func() (at string, clients [2]*signaltest.Client) {
		t.Helper()
		for began := time.Now(); ; {
			room := b.call("", "POST", "/api/v1/demo/room", object{"seats": 2}, 200)
			at = room.text("socket")
			var err error
			for i := range clients {
				var c *signaltest.Client
				if c, err = signaltest.Dial(ctx, signaltest.Options{URL: at, Ticket: room.text("seats", i, "ticket")}); err != nil {
					break
				}
				clients[i] = c
				t.Cleanup(func() { c.Close() })
				if _, err = c.Await(ctx, "joined", nil); err != nil {
					break
				}
				if err = c.Publish(ctx, sfu.Microphone); err != nil {
					break
				}
			}
			if err == nil {
				break
			}
			if time.Since(began) > 2*time.Second {
				t.Fatalf("nobody gets in: %v", err)
			}
		}
		for i, other := range []string{"seat-2", "seat-1"} {
			if err := clients[i].AwaitPackets(ctx, control.Seat(other), sfu.Microphone, 10); err != nil {
				t.Fatal(err)
			}
		}
		return at, clients
	}
	left, before := enter()
	q, err := http.NewRequestWithContext(ctx, http.MethodOptions, nodes[left].Addr()+"/whep/room/seat", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := b.client.Do(q); err != nil || a.Body.Close() != nil || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a page may not watch at a media node: %v %v", a, err)
	}

	m := nodes[left]
	delete(nodes, left)
	silent, err := net.Dial("tcp", strings.TrimPrefix(m.Addr(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	start := time.Now()
	go func() { stop(t, m); close(stopped) }()
	defer func() { silent.Close(); <-stopped }()
	for i := range before {
		if err := before[i].AwaitEnd(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("told to come back after %v", took)
	}
	at, after := enter()
	if at == left {
		t.Error("a room was placed on the node that stops")
	}
	for i, other := range []control.Seat{"seat-2", "seat-1"} {
		silence := after[i].FlowOf(other, sfu.Microphone).First.Sub(before[i].FlowOf(other, sfu.Microphone).Last)
		if silence <= 0 || silence > 2*time.Second {
			t.Errorf("%s was not heard for %v", other, silence)
		}
		t.Logf("%s was not heard for %v", other, silence)
	}
}

// A process with all roles on a bus goes the same way, and ends well though there is no other node.
func TestStopOfAllRolesOnABus(t *testing.T) {
	bus := townBus(t)
	b := open(t, func(o *app.Options) { o.NATSURL = bus })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	room := b.call("", "POST", "/api/v1/demo/room", object{"seats": 1}, 200)
	c, err := signaltest.Dial(ctx, signaltest.Options{URL: room.text("socket"), Ticket: room.text("seats", 0, "ticket")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Await(ctx, "joined", nil); err != nil {
		t.Fatal(err)
	}
	b.stop()
	if _, err := c.Await(ctx, "error", func(m signaltest.Message) bool { return m.Code == "going_away" }); err != nil {
		t.Error(err)
	}
}

// townBus is a bus of its own for several processes.
func townBus(t *testing.T) (address string) {
	t.Helper()
	bus, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	bus.Start()
	t.Cleanup(func() { bus.Shutdown(); bus.WaitForShutdown() })
	if !bus.ReadyForConnections(20 * time.Second) {
		t.Fatal("the bus did not come up")
	}
	return bus.ClientURL()
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
}
