package signaling_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"yuanzhen/signaling"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

// Ignored is what alive leaves out.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/pion/srtp/v3.(*SessionSRTP).decrypt"),
		goleak.IgnoreAnyFunction("github.com/pion/srtp/v3.(*ReadStreamSRTP).Read"))
}

var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// house is a server with a desk that sells tickets.
type house struct {
	t      *testing.T
	server *signaling.Server
	desk   control.Desk
	url    string
	http   *httptest.Server // WHIP and WHEP; nil until asked for
	skip   atomic.Int64     // by how much its clocks are ahead

	mu     sync.Mutex
	events []control.Event
}

func open(t *testing.T) *house {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(h.skip.Load())) }
	h.server = signaling.New(signaling.Options{
		UDP: loopback, TCP: loopback, TicketKey: pub, AllowedOrigins: []string{"https://clinic.example"},
		Relay: signaling.RelayOptions{UDP: loopback, TCP: loopback}, Now: now,
		Events: func(e control.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		},
	})
	if err := h.server.Start(); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(h.server.Handler())
	h.url = "ws" + strings.TrimPrefix(web.URL, "http") + "/signal"
	h.desk = control.Desk{Key: priv, Now: now, ICEServers: h.server.ICEServers}
	t.Cleanup(func() {
		if err := h.server.Stop(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return h
}

func host(seat string) control.Claims {
	return control.Claims{Room: "room", Seat: control.Seat(seat), Name: seat, Role: "host", Admitted: true, Publish: true, Subscribe: true}
}

func waiting(seat string) control.Claims {
	c := host(seat)
	c.Role, c.Admitted = "guest", false
	return c
}

func (h *house) pass(c control.Claims) control.Pass {
	h.t.Helper()
	p, err := h.desk.Issue(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// dial takes a seat: it is in the room when this returns.
func (h *house) dial(ctx context.Context, c control.Claims) *signaltest.Client {
	h.t.Helper()
	client := h.dialWith(ctx, signaltest.Options{Ticket: h.pass(c).Ticket})
	await(h.t, ctx, client, "joined", nil)
	return client
}

func (h *house) dialWith(ctx context.Context, o signaltest.Options) *signaltest.Client {
	h.t.Helper()
	o.URL = h.url
	client, err := signaltest.Dial(ctx, o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = client.Close() }) // the server may have closed it before
	return client
}

func (h *house) eventKinds(seat control.Seat) []control.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []control.EventKind
	for _, e := range h.events {
		if e.Seat == seat {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a machine that does other things too
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func await(t *testing.T, ctx context.Context, c *signaltest.Client, kind string, match func(signaltest.Message) bool) signaltest.Message {
	t.Helper()
	m, err := c.Await(ctx, kind, match)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTwoSeatsHearAndSeeEachOtherAndAThirdComesLater(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Microphone, sfu.Camera), b.Publish(ctx, sfu.Microphone, sfu.Camera))
	for _, source := range []sfu.Source{sfu.Microphone, sfu.Camera} {
		must(t, a.AwaitPackets(ctx, "b", source, 30), b.AwaitPackets(ctx, "a", source, 30))
	}
	must(t, a.AwaitPointer(ctx, "b"), b.AwaitPointer(ctx, "a"))

	c := h.dial(ctx, host("c"))
	joined := await(t, ctx, c, "joined", nil)
	if len(joined.Seats) != 2 || len(joined.Seats[0].Tracks) != 2 {
		t.Fatalf("the third sees %+v", joined.Seats)
	}
	must(t, c.AwaitPackets(ctx, "a", sfu.Camera, 10), c.AwaitPackets(ctx, "b", sfu.Microphone, 10))
	must(t, c.Publish(ctx, sfu.Screen), a.AwaitPackets(ctx, "c", sfu.Screen, 10))

	snap := h.server.Snapshot()
	if snap.Rooms != 1 || snap.Seats != 3 || snap.Media.Peers != 3 || snap.Media.UpTracks != 5 || snap.Media.DownTracks != 10 {
		t.Fatalf("snapshot %+v", snap)
	}
	if snap.Media.KeyFrameRequests == 0 || snap.Media.PacketsOut < snap.Media.PacketsIn {
		t.Fatalf("snapshot %+v", snap.Media)
	}

	must(t, c.Send(map[string]any{"type": "leave"}))
	gone := await(t, ctx, a, "gone", nil)
	if gone.Reason != "left" || string(gone.Seat) != `"c"` {
		t.Fatalf("gone %+v", gone)
	}
	d := h.dial(ctx, host("d"))
	must(t, d.Publish(ctx, sfu.Screen), a.AwaitPackets(ctx, "d", sfu.Screen, 10))
	offers := await(t, ctx, a, "subscribe", func(m signaltest.Message) bool {
		return len(m.Tracks) > 0 && m.Tracks[len(m.Tracks)-1].Seat == "d"
	})
	if n := strings.Count(offers.SDP, "\nm="); n != 6 {
		t.Fatalf("the sections of who left are not used again: %d sections", n)
	}
}

func TestASenderIsToldWhatNobodyWatches(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	must(t, a.Publish(ctx, sfu.Camera))
	wanted := func(on bool) {
		t.Helper()
		await(t, ctx, a, "wanted", func(m signaltest.Message) bool {
			return m.Source == sfu.Camera && len(m.Layers) == 1 && m.Layers[0] == on
		})
	}
	wanted(false)
	b := h.dial(ctx, host("b"))
	must(t, b.AwaitPackets(ctx, "a", sfu.Camera, 5))
	wanted(true)
	track := sfu.TrackID("", "")
	await(t, ctx, b, "subscribe", func(m signaltest.Message) bool {
		i := slices.IndexFunc(m.Tracks, func(t sfu.OfferedTrack) bool { return t.Source == sfu.Camera })
		if i >= 0 {
			track = m.Tracks[i].ID
		}
		return i >= 0
	})
	must(t, b.Send(map[string]any{"type": "choose", "track": "of nobody", "paused": true}))
	must(t, b.Send(map[string]any{"type": "choose", "track": track, "paused": true}))
	for {
		before := b.Received("a", sfu.Camera)
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the pause has no effect")
		}
		if b.Received("a", sfu.Camera) == before {
			break
		}
	}
	n := b.Received("a", sfu.Camera)
	must(t, b.Send(map[string]any{"type": "choose", "track": track, "layer": 0}))
	must(t, b.AwaitPackets(ctx, "a", sfu.Camera, n+5))
}

func TestWhoSpeaksIsTold(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Microphone))
	m := await(t, ctx, b, "speaking", nil)
	if string(m.Seat) != `"a"` || !m.On {
		t.Fatalf("%+v", m)
	}
}

func TestAWaitingSeatSendsAndReceivesNothingUntilAdmitted(t *testing.T) {
	h, ctx := open(t), soon(t)
	early := h.dial(ctx, waiting("early")) // before anybody else
	joined := await(t, ctx, early, "joined", nil)
	if joined.View().Presence != control.Waiting || len(joined.Seats) != 0 {
		t.Fatalf("joined %+v", joined)
	}
	must(t, early.Send(map[string]any{"type": "publish", "offer": 1, "sdp": "", "sections": []any{}}))
	await(t, ctx, early, "error", func(m signaltest.Message) bool { return m.Code == "not_admitted" && m.ZH != "" && !m.Fatal })

	a := h.dial(ctx, host("a"))
	must(t, a.Publish(ctx, sfu.Microphone, sfu.Camera))
	if seen := await(t, ctx, a, "joined", nil).Seats; len(seen) != 1 || seen[0].Presence != control.Waiting {
		t.Fatalf("the host sees %+v", seen)
	}
	must(t, a.Send(map[string]any{"type": "app", "topic": "chat", "data": "for the admitted only", "keep": false}))
	await(t, ctx, a, "app", nil)

	// The connections are made, and what comes on them is thrown away.
	await(t, ctx, early, "prepare", nil)
	must(t, early.Publish(ctx, sfu.Microphone, sfu.Camera))
	for h.server.Snapshot().Media.Stray < 50 {
		select {
		case <-ctx.Done():
			t.Fatal("the connections were not made")
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(t, early.Send(map[string]any{"type": "app", "topic": "chat", "data": 1}), early.Send(map[string]any{"type": "ping"}))
	await(t, ctx, early, "pong", nil)
	packets, tracks := early.ReceivedAll()
	other, _ := a.ReceivedAll()
	media := h.server.Snapshot().Media
	if packets != 0 || tracks != 0 || other != 0 || media.PacketsOut != 0 || media.DataMessages != 0 {
		t.Fatalf("while waiting: %d packets on %d tracks, %d the other way, %+v", packets, tracks, other, media)
	}
	for _, m := range early.Messages() {
		if m.Type == "seat" || m.Type == "app" {
			t.Fatalf("a waiting seat was told %q", m.Type)
		}
	}
	for _, m := range a.Messages() {
		if m.Type == "seat" && len(m.View().Tracks) > 0 && m.View().Seat == "early" {
			t.Fatal("the tracks of a waiting seat are shown")
		}
	}

	must(t, h.server.Rooms().Admit(ctx, "room", "early"))
	admitted := await(t, ctx, early, "admitted", nil)
	if len(admitted.Seats) != 1 || admitted.Sequence != 1 {
		t.Fatalf("admitted %+v", admitted)
	}
	must(t, early.AwaitAdmission(ctx), early.AwaitPackets(ctx, "a", sfu.Camera, 10), a.AwaitPackets(ctx, "early", sfu.Microphone, 10))
}

func TestATrackBeginsWithoutAnotherOffer(t *testing.T) {
	h, ctx := open(t), soon(t)
	doctor := h.dial(ctx, host("doctor"))
	await(t, ctx, doctor, "joined", nil)
	patient := h.dial(ctx, waiting("patient"))
	first := await(t, ctx, patient, "subscribe", nil)
	if len(first.Tracks) != 2 || first.Tracks[0].Seat != "doctor" || first.Tracks[0].Source != sfu.Microphone || first.Tracks[1].Source != sfu.Camera {
		t.Fatalf("offered ahead: %+v", first.Tracks)
	}
	must(t, h.server.Rooms().Admit(ctx, "room", "patient"))
	await(t, ctx, patient, "admitted", nil)
	must(t, doctor.Publish(ctx, sfu.Microphone, sfu.Camera))
	must(t, patient.AwaitPackets(ctx, "doctor", sfu.Microphone, 10), patient.AwaitPackets(ctx, "doctor", sfu.Camera, 10))
	for _, m := range patient.Messages() {
		if m.Type == "subscribe" && m.Offer != first.Offer {
			t.Fatalf("another offer, with %+v", m.Tracks)
		}
	}
	// It ends and begins again, under other numbers.
	for _, pictures := range []bool{false, true} {
		must(t, patient.Send(map[string]any{"type": "line", "line": map[string]any{"pictures": pictures, "limit": "720p", "light": "good"}}))
		await(t, ctx, doctor, "seat", func(m signaltest.Message) bool {
			v := m.View()
			return v.Seat == "patient" && v.Line.Pictures == pictures
		})
	}
	seen := patient.Received("doctor", sfu.Camera)
	must(t, patient.AwaitPackets(ctx, "doctor", sfu.Camera, seen+10))
}

func TestAnAdmissionBeforeTheArrivalCounts(t *testing.T) {
	h, ctx := open(t), soon(t)
	ticket := h.pass(waiting("w"))
	must(t, h.server.Rooms().Admit(ctx, "room", "w"))
	w := h.dialWith(ctx, signaltest.Options{Ticket: ticket.Ticket})
	if p := await(t, ctx, w, "joined", nil).View().Presence; p != control.Live {
		t.Fatalf("presence %q", p)
	}
}

func TestRemovalEndsMediaAtOnceAndOldTickets(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Microphone), b.Publish(ctx, sfu.Microphone))
	must(t, a.AwaitPackets(ctx, "b", sfu.Microphone, 10), b.AwaitPackets(ctx, "a", sfu.Microphone, 10))
	old := h.pass(host("b"))
	time.Sleep(2 * time.Millisecond) // tickets count milliseconds
	must(t, h.server.Rooms().Remove(ctx, "room", "b"))
	if peers := h.server.Snapshot().Media.Peers; peers != 1 {
		t.Fatalf("%d peers after Remove returned", peers)
	}
	await(t, ctx, b, "removed", nil)
	must(t, b.AwaitEnd(ctx))
	before, fromB := b.Received("a", sfu.Microphone), a.Received("b", sfu.Microphone)
	time.Sleep(200 * time.Millisecond) // ten packets' time
	if after := b.Received("a", sfu.Microphone); after > before+1 || a.Received("b", sfu.Microphone) > fromB+1 {
		t.Fatalf("media went on after removal: %d then %d", before, after)
	}
	again := h.dialWith(ctx, signaltest.Options{Ticket: old.Ticket})
	await(t, ctx, again, "removed", nil)
	time.Sleep(2 * time.Millisecond)
	await(t, ctx, h.dial(ctx, host("b")), "joined", nil) // a ticket sold since lets in again
}

func TestBehindALockedDoorNobodyNewWaits(t *testing.T) {
	h, ctx := open(t), soon(t)
	rooms := h.server.Rooms()
	doctor := h.dial(ctx, host("doctor"))
	known := h.dial(ctx, waiting("known"))
	await(t, ctx, known, "joined", nil)
	must(t, rooms.Lock(ctx, "room", true))
	await(t, ctx, doctor, "lock", func(m signaltest.Message) bool { return m.Locked })

	stranger := h.dialWith(ctx, signaltest.Options{Ticket: h.pass(waiting("stranger")).Ticket})
	if m := await(t, ctx, stranger, "error", nil); m.Code != "room_locked" || !m.Fatal {
		t.Fatalf("got %+v", m)
	}
	must(t, stranger.AwaitEnd(ctx))
	for _, m := range doctor.Messages() {
		if m.Type == "seat" && m.View().Seat == "stranger" {
			t.Fatal("a stranger at the locked door was shown")
		}
	}

	// Who waited before stays, and who was admitted comes back.
	must(t, rooms.Admit(ctx, "room", "known"))
	await(t, ctx, known, "admitted", func(m signaltest.Message) bool { return m.Locked })
	again := h.dial(ctx, waiting("known"))
	await(t, ctx, again, "joined", func(m signaltest.Message) bool { return m.Locked })

	must(t, rooms.Lock(ctx, "room", false))
	await(t, ctx, doctor, "lock", func(m signaltest.Message) bool { return !m.Locked })
	await(t, ctx, h.dial(ctx, waiting("stranger")), "joined", nil)
}

func TestCloseEndsEverybody(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, w := h.dial(ctx, host("a")), h.dial(ctx, waiting("w"))
	must(t, a.Publish(ctx, sfu.Camera))
	await(t, ctx, w, "joined", nil)
	old := h.pass(host("a"))
	time.Sleep(2 * time.Millisecond)
	must(t, h.server.Rooms().Close(ctx, "room"))
	await(t, ctx, a, "closed", nil)
	await(t, ctx, w, "closed", nil)
	must(t, a.AwaitEnd(ctx), w.AwaitEnd(ctx))
	if snap := h.server.Snapshot(); snap.Seats != 0 || snap.Media.Peers != 0 {
		t.Fatalf("after close: %+v", snap)
	}
	await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: old.Ticket}), "closed", nil)
}

func TestANewTicketOpensNoDoorForOlderOnes(t *testing.T) {
	h, ctx := open(t), soon(t)
	guest, before, removed := h.pass(host("guest")), h.pass(host("doctor")), h.pass(host("visitor"))
	time.Sleep(2 * time.Millisecond)
	rooms := h.server.Rooms()
	must(t, rooms.Close(ctx, "room"), rooms.Remove(ctx, "room", "visitor"))
	time.Sleep(2 * time.Millisecond)
	await(t, ctx, h.dial(ctx, host("doctor")), "joined", nil)
	await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: guest.Ticket}), "closed", nil)
	await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: before.Ticket}), "closed", nil)

	between := h.pass(host("visitor"))
	time.Sleep(2 * time.Millisecond)
	must(t, rooms.Remove(ctx, "room", "visitor"))
	time.Sleep(2 * time.Millisecond)
	await(t, ctx, h.dial(ctx, host("visitor")), "joined", nil)
	await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: between.Ticket}), "removed", nil)
	await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: removed.Ticket}), "closed", nil)
}

func TestALostSocketComesBackWithItsMediaAndMissedMessages(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Camera), b.AwaitPackets(ctx, "a", sfu.Camera, 5))
	must(t, a.Send(map[string]any{"type": "app", "topic": "chat", "data": "one"}))
	await(t, ctx, b, "app", nil)
	must(t, b.Drop(ctx))
	await(t, ctx, a, "seat", func(m signaltest.Message) bool { return m.View().Presence == control.Reconnecting })
	must(t, a.Send(map[string]any{"type": "app", "topic": "chat", "data": "two"}))
	await(t, ctx, a, "app", func(m signaltest.Message) bool { return m.Sequence == 2 })
	before := b.Received("a", sfu.Camera)
	must(t, b.AwaitPackets(ctx, "a", sfu.Camera, before+10)) // media flows while the socket is gone

	must(t, b.Resume(ctx, h.pass(host("b")).Ticket))
	if !await(t, ctx, b, "joined", nil).Resumed {
		t.Fatal("not resumed")
	}
	missed := await(t, ctx, b, "app", nil)
	if missed.Sequence != 2 || string(missed.Data) != `"two"` {
		t.Fatalf("missed message %+v", missed)
	}
	before = b.Received("a", sfu.Camera)
	must(t, b.Publish(ctx, sfu.Microphone), a.AwaitPackets(ctx, "b", sfu.Microphone, 5))
	must(t, b.AwaitPackets(ctx, "a", sfu.Camera, before+5))
	if got := fmt.Sprint(h.eventKinds("b")); got != "[joined reconnecting joined]" {
		t.Fatalf("events %s", got)
	}
}

func TestWhoComesBackIsToldNothingFromBeforeItCame(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	say := func(number uint64, topic string, keep bool) {
		t.Helper()
		must(t, a.Send(map[string]any{"type": "app", "topic": topic, "data": number, "keep": keep}))
		await(t, ctx, a, "app", func(m signaltest.Message) bool { return m.Sequence == number })
	}
	say(1, "chat", false)
	say(2, "viewer", true)
	say(3, "chat", false)
	b, c := h.dial(ctx, host("b")), h.dial(ctx, waiting("c"))
	await(t, ctx, b, "app", nil)
	must(t, b.Drop(ctx), c.Drop(ctx), h.server.Rooms().Admit(ctx, "room", "c"))
	say(4, "chat", false)
	for seat, back := range map[string]struct {
		client *signaltest.Client
		claims control.Claims
		want   string
	}{
		"admitted, it had the kept one":      {b, host("b"), "[4]"},
		"admitted while the socket was lost": {c, waiting("c"), "[2 4]"},
	} {
		must(t, back.client.Resume(ctx, h.pass(back.claims).Ticket))
		if !await(t, ctx, back.client, "joined", nil).Resumed {
			t.Fatal("not resumed")
		}
		await(t, ctx, back.client, "app", func(m signaltest.Message) bool { return m.Sequence == 4 })
		var told []uint64
		for _, m := range back.client.Messages() {
			if m.Type == "app" {
				told = append(told, m.Sequence)
			}
		}
		if fmt.Sprint(told) != back.want {
			t.Errorf("%s: told %v, not %s", seat, told, back.want)
		}
	}
}

func TestANewPageReplacesTheOldOne(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, old := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, old.Publish(ctx, sfu.Microphone), a.AwaitPackets(ctx, "b", sfu.Microphone, 5))
	page := h.dial(ctx, host("b"))
	await(t, ctx, old, "error", func(m signaltest.Message) bool { return m.Code == "replaced" && m.Fatal })
	must(t, old.AwaitEnd(ctx))
	before := a.Received("b", sfu.Microphone)
	must(t, page.Publish(ctx, sfu.Microphone), a.AwaitPackets(ctx, "b", sfu.Microphone, before+10))
	seats, err := h.server.Rooms().Seats(ctx, "room")
	must(t, err)
	if len(seats) != 2 || seats[1].Presence != control.Live {
		t.Fatalf("seats %+v", seats)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var replaced []bool
	for _, e := range h.events {
		if e.Seat == "b" {
			replaced = append(replaced, e.Replaced)
		}
	}
	if !slices.Equal(replaced, []bool{false, true}) {
		t.Errorf("of those who joined as b replaced another: %v", replaced)
	}
}

func TestAPageThatSleptDoesNotThrowOutTheDeviceInUse(t *testing.T) {
	for name, sleep := range map[string]func(h *house, a *signaltest.Client){
		"for a moment": func(h *house, a *signaltest.Client) {},
		"until its seat was lost": func(h *house, a *signaltest.Client) {
			h.skip.Store(int64(31 * time.Second))
			await(h.t, soon(h.t), a, "gone", func(m signaltest.Message) bool { return m.Reason == "lost" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, ctx := open(t), soon(t)
			a, page := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
			old := await(t, ctx, page, "joined", nil).Session
			drop := func(c *signaltest.Client) {
				t.Helper()
				must(t, c.Drop(ctx))
				for presence := control.Live; presence != control.Reconnecting; time.Sleep(time.Millisecond) {
					seats, err := h.server.Rooms().Seats(ctx, "room")
					must(t, err)
					presence = seats[1].Presence
				}
			}
			drop(page)
			sleep(h, a)
			device := h.dial(ctx, host("b"))
			must(t, page.Resume(ctx, h.pass(host("b")).Ticket))
			await(t, ctx, page, "error", func(m signaltest.Message) bool { return m.Code == "replaced" && m.Fatal })
			must(t, page.AwaitEnd(ctx), device.Send(map[string]any{"type": "ping"}))
			await(t, ctx, device, "pong", nil)

			// The device is away: the page comes in. Its line is bad, so that it does not hear its new session, and comes again.
			drop(device)
			must(t, page.Resume(ctx, h.pass(host("b")).Ticket))
			if await(t, ctx, page, "joined", nil).Resumed {
				t.Error("resumed a seat that another page had taken")
			}
			await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: h.pass(host("b")).Ticket, Session: old}), "joined", nil)

			// And now the device wakes.
			must(t, device.Resume(ctx, h.pass(host("b")).Ticket))
			await(t, ctx, device, "error", func(m signaltest.Message) bool { return m.Code == "replaced" })
			await(t, ctx, h.dialWith(ctx, signaltest.Options{Ticket: h.pass(host("b")).Ticket}), "joined", nil) // at the person's wish
		})
	}
}

func TestMediaFindsANewPath(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Microphone), b.Publish(ctx, sfu.Microphone))
	must(t, a.AwaitPackets(ctx, "b", sfu.Microphone, 5), b.AwaitPackets(ctx, "a", sfu.Microphone, 5))
	must(t, b.RestartICE(ctx))
	before := b.Received("a", sfu.Microphone)
	must(t, b.AwaitPackets(ctx, "a", sfu.Microphone, before+50))
	heard := a.Received("b", sfu.Microphone)
	must(t, a.AwaitPackets(ctx, "b", sfu.Microphone, heard+50))
}

// Sound, because it stays whatever a loaded machine makes of the line.
func TestMediaOverTCPAndOverTheRelay(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	must(t, a.Publish(ctx, sfu.Microphone))
	t.Run("ICE over TCP", func(t *testing.T) {
		b := h.dialWith(ctx, signaltest.Options{Ticket: h.pass(host("tcp")).Ticket, TCPOnly: true})
		must(t, b.Publish(ctx, sfu.Microphone), b.AwaitPackets(ctx, "a", sfu.Microphone, 20), a.AwaitPackets(ctx, "tcp", sfu.Microphone, 20))
	})
	for _, transport := range []string{"udp", "tcp"} {
		t.Run("relay over "+transport, func(t *testing.T) {
			pass := h.pass(host("relay-" + transport))
			var servers []webrtc.ICEServer
			for _, s := range pass.ICEServers {
				for _, u := range s.URLs {
					if strings.HasSuffix(u, "transport="+transport) {
						servers = append(servers, webrtc.ICEServer{URLs: []string{u}, Username: s.Username, Credential: s.Credential})
					}
				}
			}
			b := h.dialWith(ctx, signaltest.Options{Ticket: pass.Ticket, RelayOnly: true, ICEServers: servers})
			must(t, b.Publish(ctx, sfu.Microphone), b.AwaitPackets(ctx, "a", sfu.Microphone, 20))
			must(t, a.AwaitPackets(ctx, control.Seat("relay-"+transport), sfu.Microphone, 20))
			if h.server.Snapshot().Relays < 2 {
				t.Fatalf("media did not go through the relay: %+v", h.server.Snapshot())
			}
		})
	}
}

func TestAppMessagesAreOrderedAndTheLatestIsKept(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	await(t, ctx, a, "joined", nil)
	await(t, ctx, b, "joined", nil)
	for i := range 20 {
		must(t, a.Send(map[string]any{"type": "app", "topic": "viewer/slice", "data": i, "keep": true}))
		must(t, b.Send(map[string]any{"type": "app", "topic": "chat", "data": i}))
	}
	last := func(m signaltest.Message) bool { return m.Sequence == 40 }
	await(t, ctx, a, "app", last)
	await(t, ctx, b, "app", last)
	apps := func(c *signaltest.Client) (all []string) {
		for _, m := range c.Messages() {
			if m.Type == "app" {
				all = append(all, fmt.Sprint(m.Sequence, m.Topic, m.From, string(m.Data)))
			}
		}
		return all
	}
	if x, y := apps(a), apps(b); len(x) != 40 || strings.Join(x, "\n") != strings.Join(y, "\n") {
		t.Fatalf("not the same order:\n%v\n%v", x, y)
	}
	late := h.dial(ctx, host("late"))
	kept := await(t, ctx, late, "app", nil)
	if kept.Topic != "viewer/slice" || string(kept.Data) != "19" {
		t.Fatalf("kept %+v", kept)
	}
	must(t, a.Send(map[string]any{"type": "app", "topic": "big", "data": strings.Repeat("x", 17<<10)}))
	await(t, ctx, a, "error", func(m signaltest.Message) bool { return m.Code == "bad_app" && !m.Fatal })
	for i := range 9 { // 9 × 16 KiB is more than a room keeps
		must(t, a.Send(map[string]any{"type": "app", "topic": fmt.Sprint("k", i), "data": strings.Repeat("x", 15<<10), "keep": true}))
	}
	await(t, ctx, a, "error", func(m signaltest.Message) bool { return m.Code == "keep_full" })
}

func TestAnAppMessageThatIsSaidAgainIsPostedOnce(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	say := func(page string, number int) {
		t.Helper()
		must(t, b.Send(map[string]any{"type": "app", "topic": "chat", "data": fmt.Sprint(page, number), "page": page, "number": number}))
	}
	say("p", 1)
	say("p", 2)
	await(t, ctx, b, "app", func(m signaltest.Message) bool { return m.Page == "p" && m.Number == 2 })
	must(t, b.Drop(ctx), b.Resume(ctx, h.pass(host("b")).Ticket)) // the page takes up its seat
	await(t, ctx, b, "joined", nil)
	say("p", 2)
	say("p", 3)
	await(t, ctx, b, "app", nil)
	_ = b.Close()
	b = h.dial(ctx, host("b")) // it had to begin anew
	say("p", 3)
	say("p", 4)
	await(t, ctx, b, "app", nil)
	say("q", 1) // another page
	say("", 0)  // and a client that does not count
	say("", 0)
	await(t, ctx, a, "app", func(m signaltest.Message) bool { return m.Sequence == 7 })
	var said []string
	for _, m := range a.Messages() {
		if m.Type == "app" {
			said = append(said, string(m.Data))
		}
	}
	if got := strings.Join(said, " "); got != `"p1" "p2" "p3" "p4" "q1" "0" "0"` {
		t.Errorf("posted: %s", got)
	}
	say("longer than a word", 1)
	await(t, ctx, b, "error", func(m signaltest.Message) bool { return m.Code == "bad_app" })
}

func TestMuteIsShown(t *testing.T) {
	h, ctx := open(t), soon(t)
	a, b := h.dial(ctx, host("a")), h.dial(ctx, host("b"))
	must(t, a.Publish(ctx, sfu.Microphone), b.AwaitPackets(ctx, "a", sfu.Microphone, 1))
	must(t, a.Send(map[string]any{"type": "mute", "source": "microphone", "muted": true}))
	await(t, ctx, b, "seat", func(m signaltest.Message) bool {
		v := m.View()
		return v.Seat == "a" && len(v.Tracks) == 1 && v.Tracks[0].Muted
	})
}

func TestWhoWantsNoPicturesIsSentNone(t *testing.T) {
	h, ctx := open(t), soon(t)
	doctor, patient := h.dial(ctx, host("doctor")), h.dial(ctx, host("patient"))
	must(t, doctor.Publish(ctx, "microphone", "camera"))
	must(t, patient.AwaitPackets(ctx, "doctor", "camera", 5), patient.AwaitPackets(ctx, "doctor", "microphone", 5))
	line := func(pictures bool) {
		must(t, patient.Send(map[string]any{"type": "line", "line": map[string]any{"pictures": pictures, "limit": "audio", "light": "poor"}}))
		await(t, ctx, doctor, "seat", func(m signaltest.Message) bool {
			v := m.View()
			return v.Seat == "patient" && v.Line.Light == "poor" && v.Line.Limit == "audio" && v.Line.Pictures == pictures
		})
	}
	var offer uint64
	for _, m := range patient.Messages() {
		offer = max(offer, m.Offer)
	}
	line(false)
	await(t, ctx, patient, "subscribe", func(m signaltest.Message) bool { return m.Offer > offer })
	// A picture that begins later is not sent either; the sound is.
	must(t, doctor.Publish(ctx, "screen"))
	heard, shown := patient.Received("doctor", "microphone"), patient.Received("doctor", "camera")
	must(t, patient.AwaitPackets(ctx, "doctor", "microphone", heard+20))
	if screen, camera := patient.Received("doctor", "screen"), patient.Received("doctor", "camera"); screen != 0 || camera != shown {
		t.Fatalf("pictures nobody asked for: %d packets of the screen, %d more of the camera", screen, camera-shown)
	}
	line(true)
	must(t, patient.AwaitPackets(ctx, "doctor", "screen", 5))
	seen := patient.Received("doctor", "camera")
	must(t, patient.AwaitPackets(ctx, "doctor", "camera", seen+5))

	must(t, patient.Send(map[string]any{"type": "line", "line": map[string]any{"light": "purple"}}))
	if m := await(t, ctx, patient, "error", nil); m.Code != "malformed" {
		t.Fatalf("got %+v", m)
	}
}

func TestQualityGoesToTheHouseAndNotToOtherSeats(t *testing.T) {
	h, ctx := open(t), soon(t)
	doctor, patient := h.dial(ctx, host("doctor")), h.dial(ctx, host("patient"))
	report := map[string]any{"seconds": 10, "mode": "audio", "path": "relay", "rtt_ms": 400, "loss": 0.1, "concealed": 0.02}
	must(t, patient.Send(map[string]any{"type": "quality", "quality": report}))
	must(t, patient.Send(map[string]any{"type": "quality", "quality": report})) // too soon after the first
	must(t, patient.Send(map[string]any{"type": "app", "topic": "after", "data": 1}))
	await(t, ctx, doctor, "app", nil)
	heard := func() (found []control.Quality) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range h.events {
			if e.Kind == control.QualityReported && e.Seat == "patient" {
				found = append(found, *e.Quality)
			}
		}
		return found
	}
	for len(heard()) == 0 {
		select {
		case <-ctx.Done():
			t.Fatal("no report was heard")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if got := heard(); len(got) != 1 || got[0].Mode != "audio" || got[0].RTTms != 400 || got[0].Path != "relay" {
		t.Fatalf("heard %+v", got)
	}
	for _, m := range doctor.Messages() {
		if m.Type == "quality" {
			t.Fatal("another seat was told")
		}
	}
	report["loss"] = 1.5
	must(t, patient.Send(map[string]any{"type": "quality", "quality": report}))
	if m := await(t, ctx, patient, "error", nil); m.Code != "malformed" {
		t.Fatalf("got %+v", m)
	}
}

func TestAWatcherMayOnlyWatch(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	must(t, a.Publish(ctx, sfu.Camera))
	c := host("watcher")
	c.Role, c.Publish = "observer", false
	w := h.dial(ctx, c)
	must(t, w.AwaitPackets(ctx, "a", sfu.Camera, 5))
	must(t, w.Send(map[string]any{"type": "app", "topic": "chat", "data": 1}))
	await(t, ctx, w, "error", func(m signaltest.Message) bool { return m.Code == "no_right" })
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if w.Publish(short, sfu.Camera) == nil {
		t.Fatal("a watcher published")
	}
}

func TestBadInputClosesThatSocketOnly(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	await(t, ctx, a, "joined", nil)
	lines := func(n int, line string) string { return "v=0\r\n" + strings.Repeat(line+"\r\n", n) }
	publish := func(sdp string) string {
		raw, err := json.Marshal(map[string]any{"type": "publish", "offer": 1, "sdp": sdp, "sections": []any{}})
		must(t, err)
		return string(raw)
	}
	for name, c := range map[string]struct{ raw, code string }{
		"not JSON":                 {"{", "malformed"},
		"unknown word":             {`{"type":"fly"}`, "malformed"},
		"nested 33 deep":           {`{"type":"app","topic":"x","data":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "malformed"},
		"wrong type of a field":    {`{"type":"mute","source":7}`, "malformed"},
		"more than 64 KiB":         {`{"type":"app","data":"` + strings.Repeat("x", 64<<10) + `"}`, ""},
		"a description of rubbish": {publish("hello"), "bad_description"},
		"65 media sections":        {publish(lines(65, "m=audio 9 UDP/TLS/RTP/SAVPF 111")), "bad_description"},
		"101 candidates":           {publish(lines(1, "m=audio 9 RTP 1") + lines(101, "a=candidate:1 1 udp 1 10.0.0.1 9 typ host")), "bad_description"},
	} {
		t.Run(name, func(t *testing.T) {
			b := h.dial(ctx, host("b"))
			await(t, ctx, b, "joined", nil)
			must(t, b.SendRaw([]byte(c.raw)), b.AwaitEnd(ctx))
			if c.code != "" && lastOf(b).Code != c.code {
				t.Fatalf("last message %+v", lastOf(b))
			}
		})
	}
	t.Run("101 messages at once", func(t *testing.T) {
		b := h.dial(ctx, host("flood"))
		for range 150 {
			if b.SendRaw([]byte(`{"type":"ping"}`)) != nil {
				break
			}
		}
		must(t, b.AwaitEnd(ctx))
	})
	t.Run("101 candidates one by one", func(t *testing.T) {
		b := h.dial(ctx, host("candidates"))
		for range 101 {
			must(t, b.Send(map[string]any{"type": "candidate", "side": "publish", "candidate": map[string]any{"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host"}}))
			time.Sleep(time.Millisecond)
		}
		must(t, b.AwaitEnd(ctx))
	})
	must(t, a.Send(map[string]any{"type": "ping"}))
	await(t, ctx, a, "pong", nil)
}

func lastOf(c *signaltest.Client) signaltest.Message {
	all := c.Messages()
	return all[len(all)-1]
}

func TestASlowReaderIsDropped(t *testing.T) {
	h, ctx := open(t), soon(t)
	a := h.dial(ctx, host("a"))
	await(t, ctx, a, "joined", nil)
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, network, at string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, at)
		if tcp, ok := c.(*net.TCPConn); ok {
			err = errors.Join(err, tcp.SetReadBuffer(4096)) // the kernel reads little ahead
		}
		return c, err
	}}
	slow, resp, err := dialer.DialContext(ctx, h.url, nil)
	must(t, err)
	resp.Body.Close()
	defer slow.Close()
	must(t, slow.WriteJSON(map[string]any{"type": "join", "version": 1, "ticket": h.pass(host("slow")).Ticket}))
	await(t, ctx, a, "seat", func(m signaltest.Message) bool { return m.View().Seat == "slow" })
	data := strings.Repeat("x", 15<<10)
	for lost := false; !lost; { // fills the kernel's buffers, then the queue
		must(t, ctx.Err(), a.Send(map[string]any{"type": "app", "topic": "t", "data": data}))
		time.Sleep(11 * time.Millisecond) // below the message limit
		for _, m := range a.Messages() {
			lost = lost || m.Type == "seat" && m.View().Seat == "slow" && m.View().Presence == control.Reconnecting
		}
	}
}

func TestDoorsThatStayShut(t *testing.T) {
	h, ctx := open(t), soon(t)
	good := h.pass(host("a")).Ticket
	for name, c := range map[string]struct{ join, code string }{
		"no join first":   {`{"type":"ping"}`, "malformed"},
		"other version":   {`{"type":"join","version":2,"ticket":"` + good + `"}`, "version"},
		"forged ticket":   {`{"type":"join","version":1,"ticket":"` + good[:len(good)-4] + `AAAA"}`, "ticket_invalid"},
		"no ticket":       {`{"type":"join","version":1}`, "ticket_invalid"},
		"not even a word": {`[]`, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, resp, err := websocket.DefaultDialer.DialContext(ctx, h.url, nil)
			must(t, err)
			resp.Body.Close()
			defer ws.Close()
			must(t, ws.WriteMessage(websocket.TextMessage, []byte(c.join)))
			var m signaltest.Message
			must(t, ws.ReadJSON(&m))
			if m.Code != c.code || !m.Fatal {
				t.Fatalf("got %+v", m)
			}
		})
	}
	t.Run("a foreign page", func(t *testing.T) {
		_, resp, err := websocket.DefaultDialer.DialContext(ctx, h.url, http.Header{"Origin": {"https://evil.example"}})
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Fatalf("foreign origin: %v %v", resp, err)
		}
	})
	t.Run("an allowed page", func(t *testing.T) {
		ws, resp, err := websocket.DefaultDialer.DialContext(ctx, h.url, http.Header{"Origin": {"https://clinic.example"}})
		must(t, err)
		resp.Body.Close()
		must(t, ws.Close())
	})
	if h.server.Snapshot().TicketsRefused != 5 {
		t.Fatalf("refused %d", h.server.Snapshot().TicketsRefused)
	}
}

func TestStopTellsClientsToComeBack(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(nil)
	must(t, err)
	ctx := soon(t)
	s := signaling.New(signaling.Options{UDP: loopback, TicketKey: pub})
	must(t, s.Start())
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	pass, err := control.Desk{Key: priv, Now: time.Now}.Issue(host("a"))
	must(t, err)
	a, err := signaltest.Dial(ctx, signaltest.Options{URL: "ws" + strings.TrimPrefix(web.URL, "http"), Ticket: pass.Ticket})
	must(t, err)
	defer a.Close()
	must(t, a.Publish(ctx, sfu.Camera))
	must(t, s.Stop())
	await(t, ctx, a, "error", func(m signaltest.Message) bool { return m.Code == "going_away" })
}

// Ten thousand strangers connect while two people talk: the oldest go, the memory they cost is bounded, they are counted, and neither the
// talk nor a newcomer with a ticket suffers.
func TestSocketsWithoutATicketAreCheapAndSoonGone(t *testing.T) {
	const most = 4096 // as many are let stand
	h, ctx := open(t), soon(t)
	talker, listener := h.dial(ctx, host("talker")), h.dial(ctx, host("listener"))
	must(t, talker.Publish(ctx, sfu.Microphone))
	must(t, listener.AwaitPackets(ctx, "talker", sfu.Microphone, 20))
	strangers := descriptors(t, 10_000, most)
	at := strings.TrimSuffix(strings.TrimPrefix(h.url, "ws://"), "/signal")
	before := memory()
	began := time.Now()
	conns := make([]net.Conn, strangers)
	for i := range conns {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		must(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET /signal HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", at)
		must(t, err)
		conns[i] = c
	}
	var full signaling.Snapshot
	for full = h.server.Snapshot(); full.Strangers+int(full.TicketsMissing) < strangers; full = h.server.Snapshot() {
		must(t, ctx.Err())
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(began)
	each := (memory() - before) / int64(full.Strangers)
	joining := time.Now()
	h.dial(ctx, host("newcomer"))
	joined := time.Since(joining)
	t.Logf("%d sockets without a ticket in %s, of which %d stand, %d bytes each; a ticket holder joins in %s", strangers, took, full.Strangers, each, joined)
	if full.Strangers > most || strangers > most && full.Strangers < most/2 {
		t.Fatalf("%d stand", full.Strangers)
	}
	if each > 20<<10 {
		t.Fatal("too dear")
	}
	if joined > 5*time.Second {
		t.Fatal("a ticket holder has to wait for them")
	}
	for got := h.server.Snapshot(); got.Sockets > 3; got = h.server.Snapshot() {
		must(t, ctx.Err())
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the last was gone after %s", time.Since(began))
	if got := h.server.Snapshot(); got.TicketsMissing != uint64(strangers) || got.Strangers != 0 {
		t.Fatalf("%+v", got)
	}
	if flow := listener.FlowOf("talker", sfu.Microphone); flow.Lost > flow.Packets/20 {
		t.Fatalf("of the talk was lost: %+v", flow)
	}
}

// descriptors says how many of the wanted connections this process may hold, both ends of them, of which it serves so many at once.
func descriptors(t *testing.T, wanted, served int) int {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)) // as high as it may be: the runtime has raised it
	const others = 1000
	free := int(min(limit.Cur, 1<<20)) - others
	n := min(wanted, max(free-served, free/2))
	if n < wanted {
		t.Logf("%d descriptors are allowed, so %d sockets instead of %d", limit.Cur, n, wanted)
	}
	if n < 1000 {
		t.Fatalf("raise the limit of open files (ulimit -n), %d are too few to test", limit.Cur)
	}
	return n
}

// memory is what this process holds in heap and stacks, in bytes.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// A message is as long as what it unpacks to.
func TestACompressedMessageIsNotLongerThanOthers(t *testing.T) {
	h, ctx := open(t), soon(t)
	dialer := websocket.Dialer{EnableCompression: true}
	ws, resp, err := dialer.DialContext(ctx, h.url, nil)
	must(t, err)
	defer ws.Close()
	resp.Body.Close()
	if !strings.Contains(resp.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		t.Fatalf("not agreed on: %v", resp.Header)
	}
	must(t, ws.WriteJSON(map[string]any{"type": "join", "version": 1, "ticket": h.pass(host("a")).Ticket}))
	for joined := false; !joined; {
		var m signaltest.Message
		must(t, ws.ReadJSON(&m))
		joined = m.Type == "joined"
	}
	if ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"`+strings.Repeat(" ", 20<<20)+`}`)) != nil {
		return // it has hung up before the end
	}
	must(t, ws.SetReadDeadline(time.Now().Add(15*time.Second)))
	for {
		var m signaltest.Message
		if err := ws.ReadJSON(&m); err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("20 MB were taken")
			}
			return
		}
		if m.Type == "pong" {
			t.Fatal("20 MB were answered")
		}
	}
}
