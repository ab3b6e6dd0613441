package app_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/internal/pg/pgserver"
	"yuanzhen/storage/storagetest"
)

// line forwards TCP to an engine behind an address that stays, and can be cut and mended.
type line struct {
	listener net.Listener
	mu       sync.Mutex
	target   string // "" while it is cut
	open     map[net.Conn]bool
	all      sync.WaitGroup
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, target: target, open: map[net.Conn]bool{}}
	l.all.Go(l.accept)
	t.Cleanup(func() { listener.Close(); l.cut(); l.all.Wait() })
	return l
}

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		target := l.target
		l.mu.Unlock()
		far, err := net.Dial("tcp", target)
		if target == "" || err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		l.open[near], l.open[far] = true, true
		l.mu.Unlock()
		for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
			l.all.Go(func() {
				io.Copy(to, from)
				from.Close()
				to.Close()
			})
		}
	}
}

func (l *line) cut() {
	l.lead("")
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.Close()
	}
	clear(l.open)
}

func (l *line) lead(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
}

// away holds a request to a 503 with its sentences, within three seconds.
func (b *building) away(t *testing.T, r request, code string) {
	t.Helper()
	token := "a token"
	if r.who != "" {
		token = r.who
	}
	start := time.Now()
	a := b.sendAs(token, r)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("%s %s: answered after %v", r.method, r.path, took)
	}
	if a.status != http.StatusServiceUnavailable || a.problem().Code != code || a.header.Get("Retry-After") == "" {
		t.Errorf("%s %s: %d %.300s", r.method, r.path, a.status, a.body)
	}
}

// back waits until the request is answered well again.
func (b *building) back(t *testing.T, r request, want int) answer {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		a := b.sendAs(r.who, r)
		if a.status == want {
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s not well 5 s after the return: %d %.300s", r.method, r.path, a.status, a.body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func hostOf(t *testing.T, address string) (*url.URL, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u, u.Host
}

// A database that stops, and a store that is gone: refused clearly and fast, nothing half-written, well by itself.
func TestEnginesAway(t *testing.T) {
	folder := t.TempDir()
	start := func() *pgserver.Server {
		s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: folder})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	database := start()
	t.Cleanup(func() { database.Stop() })
	databaseURL, host := hostOf(t, database.URL)
	toDatabase := newLine(t, host)
	databaseURL.Host = toDatabase.listener.Addr().String()
	store := storagetest.MinIO(t)
	_, host = hostOf(t, store.Endpoint)
	toStore := newLine(t, host)
	storeAt := host

	b := open(t, func(o *app.Options) {
		o.DatabaseURL = databaseURL.String()
		o.S3Endpoint, o.S3AccessKey, o.S3SecretKey, o.S3Bucket = "http://"+toStore.listener.Addr().String(), store.AccessKey, store.SecretKey, store.Bucket
	})
	wang, zhao := b.session(patient), b.session(county)
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	ct := file(t, "..", "..", "..", "storage", "imaging", "testdata", "ct-series-3", "01.dcm")
	paper, images, me := upload(wang, person), stow(zhao, ct), request{who: wang, method: "GET", path: "/api/v1/me"}
	defer func() { b.t = t }()
	ready := func(want int) {
		t.Helper()
		if a := b.back(t, request{method: "GET", path: "/readyz"}, want); a.get("ready") != (want == 200) {
			t.Errorf("readyz: %s", a.body)
		}
		b.alive()
	}

	t.Run("store", func(t *testing.T) {
		b.t = t
		toStore.cut()
		b.away(t, paper, "object_store_away")
		b.away(t, images, "object_store_away")
		ready(503)
		if n := b.count(`SELECT (SELECT count(*) FROM evidence) + (SELECT count(*) FROM instance) + (SELECT count(*) FROM study)`); n != 0 {
			t.Errorf("%d rows without an object", n)
		}
		b.back(t, me, 200) // what needs no file goes on
		toStore.lead(storeAt)
		evidence := b.back(t, paper, 201).text("id")
		b.back(t, images, 200)
		ready(200)
		toStore.cut()
		b.away(t, request{who: wang, method: "GET", path: "/api/v1/evidence/" + evidence + "/file"}, "object_store_away")
		toStore.lead(storeAt)
		b.back(t, request{who: wang, method: "GET", path: "/api/v1/evidence/" + evidence + "/file"}, 200)
	})
	t.Run("database", func(t *testing.T) {
		b.t = t
		database.Stop()
		toDatabase.cut()
		for _, r := range []request{me, paper, images, {who: zhao, method: "GET", path: "/dicomweb/studies"},
			jsonRequest(wang, "POST", "/api/v1/eligibility", ask(person)), jsonRequest("", "POST", "/api/v1/auth/otp", object{"phone": "13900005678"}),
			jsonRequest("", "POST", "/api/v1/verify", object{"code": "YZ1.x"}), {method: "GET", path: "/api/v1/institutions"}} {
			b.away(t, r, "database_away")
		}
		ready(503)
		database = start()
		_, host := hostOf(t, database.URL)
		toDatabase.lead(host)
		b.back(t, me, 200)
		ready(200)
		b.db.Reset() // the test's own connections are those of before
		if n := b.count(`SELECT (SELECT count(*) FROM evidence) + (SELECT count(*) FROM instance)`); n != 2 {
			t.Errorf("%d rows, want those of before", n)
		}
		b.back(t, upload(wang, person), 201)
	})
}
