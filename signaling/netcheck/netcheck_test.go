package netcheck_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"yuanzhen/signaling"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/netcheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house serves network checks on loopback as the platform does, apart with rooms at an address of their own; bytes answers for throughput.
type house struct {
	relay, apart bool
	bytes        http.HandlerFunc
	offers       atomic.Int32 // given
}

func (h *house) open(t *testing.T) string {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	o := signaling.Options{UDP: loopback, TCP: loopback, TicketKey: pub}
	if h.relay {
		o.Relay = signaling.RelayOptions{UDP: loopback, TCP: loopback, TLS: loopback}
	}
	server := signaling.New(o)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	desk := control.Desk{Key: priv, Now: time.Now, ICEServers: server.ICEServers}
	mux := http.NewServeMux()
	socket := "/signal"
	if h.apart {
		rooms := httptest.NewServer(server.Handler())
		t.Cleanup(rooms.Close)
		socket = "ws" + strings.TrimPrefix(rooms.URL, "http") + socket
	} else {
		mux.Handle(socket, server.Handler())
	}
	mux.HandleFunc("POST /api/v1/netcheck", func(w http.ResponseWriter, _ *http.Request) {
		h.offers.Add(1)
		var seats []control.Pass
		for _, seat := range []control.Seat{"a", "b"} {
			p, err := desk.Issue(control.Claims{Room: control.Room(t.Name()), Seat: seat, Name: "x", Role: "probe", Admitted: true, Publish: true, Subscribe: true})
			if err != nil {
				t.Error(err)
			}
			seats = append(seats, p)
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"socket": socket, "seats": seats}); err != nil {
			t.Error(err)
		}
	})
	if h.bytes == nil {
		h.bytes = func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			if _, err := w.Write(make([]byte, 512<<10)); err != nil {
				t.Error(err)
			}
		}
	}
	mux.HandleFunc("/api/v1/netcheck/bytes", h.bytes)
	web := httptest.NewServer(mux)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return web.URL
}

func TestEachPathIsTriedByItself(t *testing.T) {
	t.Parallel()
	h := &house{relay: true}
	r, err := netcheck.Run(t.Context(), h.open(t), func(netcheck.Path) {})
	if err != nil {
		t.Fatal(err)
	}
	if n := h.offers.Load(); n != 1 {
		t.Errorf("one run took %d of the checks that the house allows", n)
	}
	if len(r.Paths) != 5 || r.DownKbps <= 0 || r.UpKbps <= 0 {
		t.Fatalf("%+v", r)
	}
	for _, p := range r.Paths {
		// Nobody vouches for the relay's own certificate: a client that checks it must not get through.
		if want := p.Name != "turn-tls"; p.OK != want {
			t.Errorf("%s: %+v", p.Name, p)
		}
		if p.OK && (p.ConnectMs <= 0 || p.Loss > 0.5) {
			t.Errorf("%s: %+v", p.Name, p)
		}
	}
	if a := r.Advice(); !strings.Contains(a[0].ZH, "证书") {
		t.Fatalf("advice %+v", a)
	}
}

func TestAHouseWithoutRelayAndAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := netcheck.Run(ctx, (&house{}).open(t), func(netcheck.Path) {})
	if err != nil || !r.Paths[0].OK || r.Paths[2].Why != "not offered" {
		t.Fatalf("%+v %v", r, err)
	}
	for _, address := range []string{"visit.example", "ftp://visit.example", "http://127.0.0.1:1"} {
		if _, err := netcheck.Run(ctx, address, func(netcheck.Path) {}); err == nil {
			t.Errorf("%s passed", address)
		}
	}
}

func TestRoomsAtAnAddressOfTheirOwnAndWhatWasFoundBeforeAnErrorIsKept(t *testing.T) {
	t.Parallel()
	h := &house{apart: true, bytes: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"detail":{"zh":"忙。","en":"Busy."},"remedy":{"zh":"请再试。","en":"Please try again."}}`)
	}}
	r, err := netcheck.Run(t.Context(), h.open(t), func(netcheck.Path) {})
	if len(r.Paths) != 5 || !r.Paths[0].OK || !r.Paths[1].OK {
		t.Errorf("%+v", r)
	}
	if err == nil || !strings.Contains(err.Error(), "请再试。") || !strings.Contains(err.Error(), "Please try again.") {
		t.Errorf("the error hides what to do: %v", err)
	}
}

func TestAdviceNamesWhatIsWrong(t *testing.T) {
	path := func(name string, change func(*netcheck.Path)) netcheck.Path {
		p := netcheck.Path{Name: name, OK: true, RTTms: 20}
		if change != nil {
			change(&p)
		}
		return p
	}
	all := func(change func(*netcheck.Path)) netcheck.Report {
		r := netcheck.Report{DownKbps: 9000, UpKbps: 9000}
		for _, n := range []string{"udp", "tcp", "turn-udp", "turn-tcp", "turn-tls"} {
			r.Paths = append(r.Paths, path(n, change))
		}
		return r
	}
	slow, unknown, cut := all(nil), all(nil), all(nil)
	slow.UpKbps = 300
	unknown.DownKbps, unknown.UpKbps = 0, 0
	cut.Paths = cut.Paths[:1]
	for _, c := range []struct {
		r    netcheck.Report
		want string
	}{
		{all(nil), "网络合格"},
		{all(func(p *netcheck.Path) { p.OK = false }), "完全过不去"},
		{all(func(p *netcheck.Path) { p.OK = !strings.HasSuffix(p.Name, "udp") }), "UDP 被挡"},
		{all(func(p *netcheck.Path) { p.OK = p.Name != "udp" }), "经过中继"},
		{all(func(p *netcheck.Path) { p.Loss = 0.1 }), "丢包 10%"},
		{all(func(p *netcheck.Path) { p.RTTms = 500 }), "往返 500"},
		{all(func(p *netcheck.Path) { p.JitterMs = 90 }), "抖动 90"},
		{slow, "带宽约 300"},
		{unknown, "带宽没有测成"},
		{cut, "没有测完"},
	} {
		if a := c.r.Advice(); !strings.Contains(a[0].ZH, c.want) || a[0].EN == "" {
			t.Errorf("want %s, got %+v", c.want, a)
		}
	}
}
