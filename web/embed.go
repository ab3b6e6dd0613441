// Package web holds the built pages (patient, workspace, verification) and serves them.
//
// `npm ci && npm run build` in this folder fills dist; a binary built without that step serves a sentence that says so.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy allows only what we serve ourselves, and the sockets of media nodes. 'wasm-unsafe-eval' lets the DICOM codecs compile; nothing else runs as code
// that did not come as a file of ours.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; " +
	"img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'%s; frame-src 'self' blob:; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// notBuilt is what a person reads when the binary carries no pages.
const notBuilt = "<!doctype html><meta charset=utf-8><title>远诊</title><h1>远诊</h1>" +
	"<p>页面还没有打包：请在 web 目录运行 npm ci && npm run build，再编译一次。</p>" +
	"<p lang=en>The pages are not built: run npm ci && npm run build in web, then build again.</p>"

// Handler serves the pages and their assets. Any address without a file extension falls to the entry it lies under:
// /staff and /shared to the workspace, /verify to the verification page, all else to the patient pages. sockets are where pages may connect besides
// (sources of a content security policy), empty when rooms are at the same address.
func Handler(sockets string) http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("web: embedded folder dist is missing: " + err.Error())
	}
	return handler(files, sockets)
}

func handler(files fs.FS, sockets string) http.Handler {
	if sockets != "" {
		sockets = " " + sockets
	}
	small := &packed{files: files, policy: fmt.Sprintf(policy, sockets)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		switch {
		case path.Ext(name) == "":
			page(w, r, small, entry(name))
		case strings.HasPrefix(name, "assets/"):
			// Names carry a hash of their bytes, so a copy never goes stale.
			asset(w, r, small, name, "public, max-age=31536000, immutable")
		case path.Ext(name) == ".html":
			http.NotFound(w, r)
		default:
			asset(w, r, small, name, "public, max-age=3600")
		}
	})
}

func entry(name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "staff", "shared":
		return "workspace.html"
	case "verify":
		return "verify.html"
	default:
		return "patient.html"
	}
}

func page(w http.ResponseWriter, r *http.Request, files *packed, name string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", files.policy)
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=(), payment=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if _, err := fs.Stat(files.files, name); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(notBuilt)) // a reader who left is not our error
		return
	}
	files.serve(w, r, name)
}

func asset(w http.ResponseWriter, r *http.Request, files *packed, name, caching string) {
	if _, err := fs.Stat(files.files, name); err != nil {
		http.NotFound(w, r)
		return
	}
	if kind := contentType(name); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.Header().Set("Cache-Control", caching)
	files.serve(w, r, name)
}

// packed serves files gzipped to who takes gzip, each compressed once: at 64 kbit/s that is the difference between 5 and 15
// seconds to the first page.
type packed struct {
	files  fs.FS
	policy string
	once   sync.Map // name -> func() []byte
}

func (p *packed) serve(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Add("Vary", "Accept-Encoding")
	if !compressible(name) || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		plain, err := fs.ReadFile(p.files, name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(plain))
		return
	}
	pack, _ := p.once.LoadOrStore(name, sync.OnceValue(func() []byte {
		plain, err := fs.ReadFile(p.files, name)
		if err != nil {
			return nil
		}
		var out bytes.Buffer
		z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
		_, _ = z.Write(plain)                                   // a buffer takes all
		_ = z.Close()
		return out.Bytes()
	}))
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(len(pack.(func() []byte)())))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(pack.(func() []byte)()) // a reader who left is not our error
}

func compressible(name string) bool {
	switch path.Ext(name) {
	case ".html", ".js", ".mjs", ".css", ".svg", ".json", ".wasm":
		return true
	default:
		return false
	}
}

// contentType does not ask the operating system: a bare machine has no mime.types, and a module script with a wrong type
// does not run.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}
