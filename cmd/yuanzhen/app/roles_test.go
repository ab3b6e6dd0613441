package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

// Pages and jobs in one process, rooms in two others that have no database: a visit is carried by one of them, and moves to the other
// when that one stops.
func TestRolesInProcessesOfTheirOwn(t *testing.T) {
	b, media := apart(t)

	for _, m := range media {
		if !strings.Contains(metricsOf(t, m), "yuanzhen_media_rooms") {
			t.Error("a process with rooms tells nothing of them")
		}
	}
	if strings.Contains(metricsOf(t, b.app), "yuanzhen_media_") {
		t.Error("a process without rooms tells of them")
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	carried := func() string {
		a := b.call("", "POST", "/api/v1/demo/room", object{"seats": 2}, 200)
		address := a.text("socket")
		if media[address] == nil {
			t.Fatalf("the room is at %s, which is no media node", address)
		}
		var clients []*signaltest.Client
		for i := range 2 {
			c, err := signaltest.Dial(ctx, signaltest.Options{URL: address, Ticket: a.text("seats", i, "ticket")})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Await(ctx, "joined", nil); err != nil {
				t.Fatal(err)
			}
			if err := c.Publish(ctx, sfu.Microphone); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		if err := clients[0].AwaitPackets(ctx, "seat-2", sfu.Microphone, 5); err != nil {
			t.Fatal(err)
		}
		return address
	}
	first := carried()
	stopMedia(t, media, first)
	if second := carried(); second == first {
		t.Fatal("a room was placed on a node that has stopped")
	}
	if a := b.send(request{method: "GET", path: "/signal"}); a.status == 101 || a.status == 400 {
		t.Errorf("a process without media answers for rooms: %d", a.status)
	}
}

// apart is a house without rooms, and two media nodes by their addresses.
func apart(t *testing.T) (*building, map[string]*app.App) {
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
	b := open(t, func(o *app.Options) { o.NATSURL, o.Roles = bus.ClientURL(), []string{"api", "worker"} })
	media := map[string]*app.App{}
	for range 2 {
		m, err := app.New(t.Context(), &app.Options{Listen: "127.0.0.1:0", Log: "warn", Demo: true, NATSURL: bus.ClientURL(), Roles: []string{"media"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		address := "ws" + strings.TrimPrefix(m.Addr(), "http") + "/signal"
		media[address] = m
		t.Cleanup(func() { stopMedia(t, media, address) })
	}
	return b, media
}

// The process with the pages has no rooms: its recorder sits in the room of a media node, where everybody sees it.
func TestAVisitOnAMediaNodeIsRecorded(t *testing.T) {
	b, media := apart(t)
	j := &journey{building: b}
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	evidence := j.send(upload(patient, person), 201).text("id")
	j.call(coordinator, "POST", "/api/v1/evidence/"+evidence+"/verify",
		object{"result": "verified", "icd10": "I10.x00", "dx_date": time.Now().AddDate(0, -3, 0).Format(time.DateOnly), "note": ""}, 200)
	visit := j.attend(person, 0)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var screens []*signaltest.Client
	for _, who := range []string{doctor, patient} {
		ticket := j.call(who, "POST", visit+"/ticket", nil, 200)
		address := ticket.text("url")
		if media[address] == nil {
			t.Fatalf("the room is at %s, which is no media node", address)
		}
		c, err := signaltest.Dial(ctx, signaltest.Options{URL: address, Ticket: ticket.text("ticket")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.Await(ctx, "joined", nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Publish(ctx, sfu.Microphone); err != nil {
			t.Fatal(err)
		}
		screens = append(screens, c)
	}
	asked := j.call(doctor, "POST", visit+"/recording", nil, 200)
	j.call(patient, "POST", visit+"/recording/answer", object{"agree": true, "text_version": asked.text("text_version")}, 200)
	for _, c := range screens {
		if _, err := c.Await(ctx, "seat", func(m signaltest.Message) bool { return m.View().Seat == "recorder" }); err != nil {
			t.Fatal("no red light: ", err)
		}
	}
	for len(j.call(patient, "GET", visit+"/recording", nil, 200).get("takes").([]any)) < 2 {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("not both are written down")
		}
	}
	j.call(doctor, "POST", visit+"/end", nil, 200)
	if r := j.call(patient, "GET", visit+"/recording", nil, 200); r.text("state") != "done" {
		t.Fatalf("%s", r.body)
	}
}

func stopMedia(t *testing.T, media map[string]*app.App, address string) {
	t.Helper()
	m := media[address]
	if m == nil {
		return
	}
	delete(media, address)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Error(err)
	}
}
