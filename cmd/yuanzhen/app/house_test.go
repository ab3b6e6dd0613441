package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgtest"
)

var update = flag.Bool("update", false, "write testdata/access.txt anew")

// here is this folder, looked up before an object store changes the working directory.
var here = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{here}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// building is the whole house, running, with the demo's cast and a second connection to its database.
type building struct {
	t       testing.TB
	app     *app.App
	options app.Options
	db      *pg.Pool
	client  *http.Client
	cast    map[string]ids.Account
}

// open starts the house with the embedded store on a database of its own. One at a time in a process.
func open(t testing.TB, alter ...func(*app.Options)) *building {
	t.Helper()
	o := app.Options{Listen: "127.0.0.1:0", Data: t.TempDir(), Log: "warn", Demo: true, Version: "test"}
	for _, a := range alter {
		a(&o)
	}
	if o.DatabaseURL == "" {
		o.DatabaseURL = pgtest.URL(t)
	}
	t.Cleanup(func() {
		if err := os.Chdir(here); err != nil {
			t.Error(err)
		}
	})
	b := &building{t: t, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, ExpectContinueTimeout: 10 * time.Second}}, cast: map[string]ids.Account{}}
	var err error
	if b.app, err = app.New(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	b.options = o
	if err := b.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	if b.db, err = pg.Open(t.Context(), o.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.db.Close)
	people, err := b.app.Cast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		b.cast[p.Name] = p.ID
	}
	return b
}

// stop may be called before the test ends; then the end of the test does it no more.
func (b *building) stop() {
	if b.app == nil {
		return
	}
	b.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.app.Stop(ctx); err != nil {
		b.t.Error(err)
	}
	b.app = nil
}

func (b *building) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(context.Background(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *building) count(sql string, args ...any) (n int) {
	b.t.Helper()
	if err := b.db.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// session of a person of the cast, as sign-in would have made it; "" is nobody's.
func (b *building) session(name string) string {
	b.t.Helper()
	if name == "" {
		return ""
	}
	account, ok := b.cast[name]
	if !ok {
		b.t.Fatalf("%s is not in the cast", name)
	}
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	b.exec(`INSERT INTO session (id, token_hash, account_id, second_factor, expires_at) VALUES ($1, $2, $3, true, now() + interval '1 hour')`,
		uuid.NewString(), hash[:], account)
	return token
}

// hire adds somebody to the staff of a hospital of the cast.
func (b *building) hire(name, role, hospital string) {
	b.t.Helper()
	account := ids.New[ids.Account]()
	b.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $3, '-', '\x00')`, account, name, account.String())
	b.exec(`INSERT INTO membership (account_id, institution_id, role) SELECT $1, id, $3 FROM institution WHERE name = $2`, account, hospital, role)
	if role == authz.Pharmacist {
		b.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
			VALUES ($1, $2, 'pharmacist', $3, '主管药师', 2, '药师', '{药学}', true, 'passed', '2010-01-01')`, ids.New[ids.Practitioner](), account, name)
	}
	b.cast[name] = account
}

// request is one call of the API.
type request struct {
	who, method, path string
	contentType       string
	body              []byte
}

// answer of the house.
type answer struct {
	status int
	header http.Header
	body   []byte
	b      *building
	of     request
}

// problem is RFC 9457 as the house words it.
type problem struct {
	Type, Title, Code string
	Status            int
	Detail, Remedy    struct{ ZH, EN string }
	RequestID         string `json:"request_id"`
	Data              json.RawMessage
}

// send signs the person in anew for the request.
func (b *building) send(r request) answer {
	b.t.Helper()
	return b.sendAs(b.session(r.who), r)
}

func (b *building) sendAs(token string, r request) answer {
	b.t.Helper()
	a, err := b.try(context.Background(), token, r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return a
}

func (b *building) try(ctx context.Context, token string, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, r.method, b.app.Addr()+r.path, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if r.body != nil {
		q.Header.Set("Content-Type", r.contentType)
	}
	if r.method != http.MethodGet {
		q.Header.Set("Idempotency-Key", uuid.NewString())
	}
	response, err := b.client.Do(q)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header, b: b, of: r}
	if response.Header.Get("Content-Type") != "text/event-stream" {
		a.body, err = io.ReadAll(response.Body)
	}
	return a, err
}

// call sends JSON; want is the status that the test stands on.
func (b *building) call(who, method, path string, body any, want int) answer {
	b.t.Helper()
	a := b.send(jsonRequest(who, method, path, body))
	if a.status != want {
		b.t.Fatalf("%s %s by %s: %d %s, want %d", method, path, who, a.status, a.body, want)
	}
	return a
}

func jsonRequest(who, method, path string, body any) request {
	r := request{who: who, method: method, path: path}
	if body != nil {
		r.contentType = "application/json"
		r.body, _ = json.Marshal(body) // of maps and strings
	}
	return r
}

// object is JSON whose shape the test does not care to spell out.
type object = map[string]any

// get digs a value out of the answer: a.get("reasons", 0, "rule").
func (a answer) get(path ...any) any {
	a.b.t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.b.t.Fatalf("%s %s: %v in %.200s", a.of.method, a.of.path, err, a.body)
	}
	for _, p := range path {
		switch key := p.(type) {
		case string:
			o, _ := v.(object)
			v = o[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				a.b.t.Fatalf("%s %s: no %v in %.400s", a.of.method, a.of.path, path, a.body)
			}
			v = list[key]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	a.b.t.Helper()
	s, _ := a.get(path...).(string)
	if s == "" {
		a.b.t.Fatalf("%s %s: no text %v in %.400s", a.of.method, a.of.path, path, a.body)
	}
	return s
}

// problem holds an error to the house's form: code, sentences and remedy in both languages, request id.
func (a answer) problem() problem {
	a.b.t.Helper()
	var p problem
	err := json.Unmarshal(a.body, &p)
	if err != nil || a.header.Get("Content-Type") != "application/problem+json" || p.Status != a.status || p.Code == "" ||
		p.Detail.ZH == "" || p.Detail.EN == "" || p.Remedy.ZH == "" || p.Remedy.EN == "" || p.RequestID != a.header.Get("X-Request-Id") {
		a.b.t.Errorf("%s %s: not a whole problem (%v): %d %s %s", a.of.method, a.of.path, err, a.status, a.header.Get("Content-Type"), a.body)
	}
	for _, inner := range []string{"SQLSTATE", "pgx", "goroutine", ".go:", "yuanzhen/"} {
		if strings.Contains(string(a.body), inner) {
			a.b.t.Errorf("%s %s tells what is inside: %s", a.of.method, a.of.path, a.body)
		}
	}
	return p
}

// alive holds the house to still answering.
func (b *building) alive() {
	b.t.Helper()
	if a := b.sendAs("", request{method: "GET", path: "/healthz"}); a.status != http.StatusOK {
		b.t.Errorf("the server is not well: %d %s", a.status, a.body)
	}
}

func with(o object, more object) object {
	c := maps.Clone(o)
	maps.Copy(c, more)
	return c
}
