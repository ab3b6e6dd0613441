package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The house lets nobody in and is too busy for throughput: the paths are printed all the same, and what to do.
func TestNetcheckPrintsWhatItFoundAndWhatToDo(t *testing.T) {
	busy := `{"detail":{"zh":"忙。","en":"Busy."},"remedy":{"zh":"请再试。","en":"Please try again."}}`
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/netcheck", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"socket":"ws://127.0.0.1:1/signal","seats":[{"ticket":"a"},{"ticket":"b"}]}`)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, busy)
	})
	house := httptest.NewServer(mux)
	defer house.Close()
	out, complaint, code := yuanzhen(t, "", "netcheck", house.URL)
	for _, want := range []string{"udp", "turn-tls", "不通 no", "请网管放行"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not printed:\n%s", want, out)
		}
	}
	if code == 0 || !strings.Contains(complaint, "忙。请再试。 Busy. Please try again.") {
		t.Errorf("exit %d, complained %q", code, complaint)
	}
	if _, complaint, code = yuanzhen(t, "", "netcheck", "visit.example.org"); code == 0 || !strings.Contains(complaint, "请写成") {
		t.Errorf("no address: exit %d, complained %q", code, complaint)
	}
}
