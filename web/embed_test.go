package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	"patient.html":         {Data: []byte("patient")},
	"workspace.html":       {Data: []byte("workspace")},
	"verify.html":          {Data: []byte("verify")},
	"icon.svg":             {Data: []byte("<svg/>")},
	"assets/app-1a2b.js":   {Data: []byte("export {}")},
	"assets/codec-77.wasm": {Data: []byte("\x00asm")},
}

func ask(t *testing.T, h http.Handler, method, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func TestEachAddressFallsToItsEntry(t *testing.T) {
	h := handler(built, "")
	for target, want := range map[string]string{
		"/": "patient", "/visits/0190": "patient", "/staff": "workspace", "/staff/cases/7": "workspace",
		"/verify": "verify", "/stafford": "patient", "/../staff": "workspace", "/shared": "workspace", "/sharedby": "patient",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: got %d %q, want the %s entry", target, w.Code, w.Body.String(), want)
		}
		if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "unsafe-inline") || csp == "" {
			t.Errorf("%s: policy %q", target, csp)
		}
		if w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: an entry must be asked for again after a release", target)
		}
	}
}

func TestAssetsCarryTypeAndCaching(t *testing.T) {
	h := handler(built, "")
	for target, want := range map[string][2]string{
		"/assets/app-1a2b.js":   {"text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/codec-77.wasm": {"application/wasm", "public, max-age=31536000, immutable"},
		"/icon.svg":             {"image/svg+xml", "public, max-age=3600"},
	} {
		r := ask(t, h, http.MethodGet, target)
		got := [2]string{r.Header.Get("Content-Type"), r.Header.Get("Cache-Control")}
		if r.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: got %d %q, want %q", target, r.StatusCode, got, want)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: sniffing is allowed", target)
		}
	}
}

func TestWhoTakesGzipGetsIt(t *testing.T) {
	h := handler(built, "")
	for _, target := range []string{"/", "/assets/app-1a2b.js", "/assets/codec-77.wasm"} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%s: headers %v", target, w.Header())
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		plain := ask(t, h, http.MethodGet, target)
		want, err := io.ReadAll(plain.Body)
		if err != nil {
			t.Fatal(err)
		}
		if plain.Header.Get("Content-Encoding") != "" || string(got) != string(want) {
			t.Errorf("%s: unpacked %q, plain %q", target, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	h := handler(built, "")
	for _, c := range []struct {
		name, method, target string
		want                 int
	}{
		{"a file that is not there", http.MethodGet, "/assets/gone.js", http.StatusNotFound},
		{"an entry by its file name", http.MethodGet, "/patient.html", http.StatusNotFound},
		{"a deed on a page", http.MethodPost, "/", http.StatusMethodNotAllowed},
	} {
		if got := ask(t, h, c.method, c.target).StatusCode; got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	if got := ask(t, handler(fstest.MapFS{}, ""), http.MethodGet, "/").StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("pages not built: got %d, want 503", got)
	}
}
