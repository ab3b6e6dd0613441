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
	"testing"
	"time"

	"go.uber.org/goleak"

	"yuanzhen/signaling"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/netcheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house serves network checks on loopback as the platform does.
func house(t *testing.T, relay bool) string {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	o := signaling.Options{UDP: loopback, TCP: loopback, TicketKey: pub}
	if relay {
		o.Relay = signaling.RelayOptions{UDP: loopback, TCP: loopback, TLS: loopback}
	}
	server := signaling.New(o)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	desk := control.Desk{Key: priv, Now: time.Now, ICEServers: server.ICEServers}
	mux := http.NewServeMux()
	mux.Handle("/signal", server.Handler())
	mux.HandleFunc("POST /api/v1/netcheck", func(w http.ResponseWriter, _ *http.Request) {
		var seats []control.Pass
		for _, seat := range []control.Seat{"a", "b"} {
			p, err := desk.Issue(control.Claims{Room: control.Room(t.Name()), Seat: seat, Name: "x", Role: "probe", Admitted: true, Publish: true, Subscribe: true})
			if err != nil {
				t.Error(err)
			}
			seats = append(seats, p)
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"socket": "/signal", "seats": seats}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /api/v1/netcheck/bytes", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(make([]byte, 512<<10)); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /api/v1/netcheck/bytes", func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
	})
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
	r, err := netcheck.Run(t.Context(), house(t, true), func(netcheck.Path) {})
	if err != nil {
		t.Fatal(err)
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
	r, err := netcheck.Run(ctx, house(t, false), func(netcheck.Path) {})
	if err != nil || !r.Paths[0].OK || r.Paths[2].Why != "not offered" {
		t.Fatalf("%+v %v", r, err)
	}
	for _, address := range []string{"visit.example", "ftp://visit.example", "http://127.0.0.1:1"} {
		if _, err := netcheck.Run(ctx, address, func(netcheck.Path) {}); err == nil {
			t.Errorf("%s passed", address)
		}
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
	slow := all(nil)
	slow.UpKbps = 300
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
	} {
		if a := c.r.Advice(); !strings.Contains(a[0].ZH, c.want) || a[0].EN == "" {
			t.Errorf("want %s, got %+v", c.want, a)
		}
	}
}
