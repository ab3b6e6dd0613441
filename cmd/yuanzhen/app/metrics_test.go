package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"yuanzhen/cmd/yuanzhen/app"
)

// A process with rooms alone tells who was sent away and what was thrown away, without a name or an address.
func TestMetricsOfMedia(t *testing.T) {
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := app.New(t.Context(), &app.Options{Listen: "127.0.0.1:0", Log: "warn", Roles: []string{"media"}, MediaUDP: port, BenchSecret: "a secret for measuring"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	stray, err := net.Dial("udp", port)
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	for range 3 {
		if _, err := stray.Write([]byte("\x80\x60 media of nobody")); err != nil {
			t.Fatal(err)
		}
	}
	socket := func() *websocket.Conn {
		t.Helper()
		ws, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(m.Addr(), "http")+"/signal", nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		t.Cleanup(func() { _ = ws.Close() })
		return ws
	}
	if err := socket().WriteMessage(websocket.TextMessage, []byte(`{"type":"join","version":1,"ticket":"yz1.x.y"}`)); err != nil {
		t.Fatal(err)
	}
	if err := socket().Close(); err != nil { // without a word
		t.Fatal(err)
	}
	socket() // neither
	want := []string{
		`yuanzhen_media_dropped_packets_total{cause="stray"} 3`, `yuanzhen_media_dropped_packets_total{cause="over_budget"} 0`,
		`yuanzhen_media_refused_sockets_total{cause="bad_ticket"} 1`, `yuanzhen_media_refused_sockets_total{cause="no_ticket"} 1`,
		`yuanzhen_media_ticketless_sockets 1`, `yuanzhen_media_received_bytes_total 0`, `yuanzhen_media_rooms 0`,
		`yuanzhen_media_refused_tcp_connections_total{to="relay"} 0`,
	}
	var text, lacks string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, lacks = metricsOf(t, m), ""
		for _, line := range want {
			if !strings.Contains(text, "\n"+line+"\n") {
				lacks = line
			}
		}
		if lacks == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not in\n%s", lacks, text)
		}
	}
}

func TestMetricsOfAWholeHouse(t *testing.T) {
	b := open(t)
	if text := metricsOf(t, b.app); !strings.Contains(text, "\nyuanzhen_media_rooms 0\n") {
		t.Fatalf("no room is told of in\n%s", text)
	}
}

func metricsOf(t *testing.T, a *app.App) string {
	t.Helper()
	response, err := http.Get(a.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %v", response.Status, err)
	}
	return string(body)
}
