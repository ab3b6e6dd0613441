package httpapi

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
)

// CookieName is the browser's session cookie.
const CookieName = "yz_session"

// SeatHeader carries the token of the seat of who came into a room by link, or the name of the seat, where a browser has the
// token in a cookie of that name: a page that was reloaded needs no token, and scripts find none kept.
const (
	SeatHeader = "Yuanzhen-Seat"
	SeatCookie = "yz_seat_"
)

// Token finds the session token of a request: bearer first, then the cookie.
func Token(r *http.Request) string {
	if token, ok := bearer(r); ok {
		return token
	}
	if c, err := r.Cookie(CookieName); err == nil {
		return c.Value
	}
	return ""
}

func bearer(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// Edge wraps the whole mux: request id, who asks, cross-site requests refused
// where a cookie could open something, security headers, one log line, no panic past it. Paths are not logged, routes are.
func (a *API) Edge(metrics prometheus.Registerer, next http.Handler) http.Handler {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "yuanzhen_http_seconds", Help: "Time to answer, by route and status class.",
		Buckets: []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "class"})
	metrics.MustRegister(seconds)
	crossSite := http.NewCrossOriginProtection()
	crossSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problemOf(r.Context(), fault.New(fault.Forbidden, "cross_site", "请求来自别的网站，已拒绝。", "This request came from another site and was refused.").
			WithRemedy("请从本站页面操作。", "Please use the pages of this site.")).write(w)
	}))
	guarded := crossSite.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := uuid.NewString()
		ctx := audit.WithRequestID(r.Context(), id)
		out := &response{ResponseWriter: w}
		h := out.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		anyOrigin := forAnyOrigin(r)
		if anyOrigin {
			allowAnyOrigin(h, r)
		}
		if c, err := r.Cookie(SeatCookie + r.Header.Get(SeatHeader)); err == nil {
			r.Header.Set(SeatHeader, c.Value)
		}
		defer func() {
			if cause := recover(); cause != nil {
				a.log.ErrorContext(ctx, "panic", "cause", cause, "stack", string(debug.Stack()), "request", id)
				if out.status == 0 {
					problemOf(ctx, fault.As(nil)).write(out)
				}
			}
			route := r.Pattern
			if route == "" {
				route = "none"
			}
			class, level := strconv.Itoa(out.status/100)+"xx", slog.LevelDebug
			gone := r.Context().Err() != nil // the client hung up; nobody reads the answer
			if gone {
				class = "gone"
			}
			seconds.WithLabelValues(route, class).Observe(time.Since(start).Seconds())
			if out.status >= 500 && !gone {
				level = slog.LevelWarn
			}
			a.log.Log(ctx, level, "request", "route", route, "status", out.status, "ms", time.Since(start).Milliseconds(), "request", id)
		}()
		subject, err := a.subject(ctx, r)
		if err != nil {
			problemOf(ctx, err).write(out)
			return
		}
		ctx = authz.WithSubject(ctx, subject)
		served := r.WithContext(ctx)
		if _, ok := bearer(r); ok && anyOrigin { // its cookie opens nothing
			next.ServeHTTP(out, served)
		} else {
			guarded.ServeHTTP(out, served)
		}
		r.Pattern = served.Pattern
	})
}

// NoSuch answers for addresses under the API where no operation stands.
func (a *API) NoSuch(w http.ResponseWriter, r *http.Request) {
	problemOf(r.Context(), fault.Missing()).write(w)
}

func (a *API) subject(ctx context.Context, r *http.Request) (*authz.Subject, error) {
	token := Token(r)
	if token == "" {
		return nil, nil
	}
	return a.sessions.Resolve(ctx, token)
}

// response remembers the status and lets sockets and event streams through.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is for gorilla/websocket, which does not unwrap.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func written(w http.ResponseWriter) bool {
	r, ok := w.(*response)
	return ok && r.status != 0
}
