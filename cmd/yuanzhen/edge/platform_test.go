package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A large file for which the platform has no room is good: it waits, and its next try is an upload of its own.
func TestALargeFileWithoutRoomWaits(t *testing.T) {
	const where, full = "/api/v1/imaging/uploads/1", `{"reason":"A700","detail":{"zh":"满","en":"full"},"full":true}`
	for _, c := range []struct {
		refused string
		waits   bool
	}{{full, true}, {strings.Replace(full, "true", "false", 1), false}} {
		h := http.NewServeMux()
		h.HandleFunc("POST /api/v1/imaging/uploads", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", where)
			w.WriteHeader(http.StatusCreated)
		})
		h.HandleFunc("PATCH "+where, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		h.HandleFunc("GET "+where, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"state":"done","refused":[%s]}`, c.refused)
		})
		server := httptest.NewServer(h)
		p := &platform{base: server.URL, client: server.Client()}
		path := filepath.Join(t.TempDir(), "sum.dcm")
		why, err := p.resume(t.Context(), item{path: path, size: 3}, strings.NewReader("abc"))
		server.Close()
		if (err != nil) != c.waits || (why == "") != c.waits {
			t.Errorf("full %v: refused %q, error %v", c.waits, why, err)
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".dcm") + ".tus"); !os.IsNotExist(err) {
			t.Errorf("the ended upload is still noted: %v", err)
		}
	}
}
