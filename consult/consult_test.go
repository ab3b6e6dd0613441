package consult_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/consult/eligibility"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/signaling/control"
)

// town is a small world on a database of its own: two hospitals of one province, a cardiologist registered
// at both, Wang Xiuying with hypertension and a checked record of it, and staff.
type town struct {
	*consult.Service
	t        *testing.T
	now      time.Time
	policy   *authz.Policy
	rooms    *fakeRooms
	files    *memory
	events   *events
	hospital [2]ids.Institution
	doctor   *authz.Subject
	wang     *authz.Subject
	stranger *authz.Subject
	staff    *authz.Subject
	person   ids.Person
}

const passphrase = "a signing passphrase"

func newTown(t *testing.T) *town {
	rules, err := eligibility.National()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := authz.Load()
	if err != nil {
		t.Fatal(err)
	}
	vault, err := keys.NewVault(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, policy: policy, rooms: &fakeRooms{}, files: &memory{kept: map[string][]byte{}}, events: &events{},
		now: time.Date(2026, 6, 15, 10, 0, 0, 0, time.FixedZone("", 8*3600))}
	clock := func() time.Time { return w.now }
	w.Service = &consult.Service{DB: pgtest.New(t), Now: clock, Log: slog.New(slog.DiscardHandler), Rules: rules, Keys: &keys.Service{Now: clock},
		Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Rooms: w.rooms, Desk: desk{now: clock}, Files: w.files, Live: w.events, Vault: vault, Public: "https://visit.example"}
	if err := w.KeepLaw(t.Context()); err != nil {
		t.Fatal(err)
	}

	for i := range w.hospital {
		w.hospital[i] = ids.New[ids.Institution]()
		w.exec(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until, internet_service_registered, mlps3_until, platform_connected)
			VALUES ($1, $2, $3, 'internet_hospital', '420102', '解放大道 18 号', '027-5550 1200', '2030-01-01', true, '2030-01-01', true)`,
			w.hospital[i], fmt.Sprint("code", i), fmt.Sprint("医院", i))
		w.exec(`INSERT INTO institution_department VALUES ($1, '心血管内科'), ($1, '全科')`, w.hospital[i])
		w.exec(`INSERT INTO online_catalogue VALUES ($1, 'I10', 'chronic', 365, '心血管内科', '高血压', 'Hypertension')`, w.hospital[i])
	}
	w.doctor = w.member("doctor", 0)
	w.doctor.Practitioner, w.doctor.SecondFactor = ids.New[ids.Practitioner](), true
	w.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since, online_since)
		VALUES ($1, $2, 'physician', '张建国', '副主任医师', 3, '执业医师', '{心血管内科,全科}', true, 'passed', '2010-01-01', '2019-01-01')`,
		w.doctor.Practitioner, w.doctor.Account)
	for i, kind := range []string{"primary", "filed"} {
		w.exec(`INSERT INTO registration VALUES ($1, $2, $3, $4, '42', '[2020-01-01,2030-01-01)', true)`,
			ids.New[ids.Registration](), w.doctor.Practitioner, w.hospital[i], kind)
	}
	if err := w.DB.InTx(t.Context(), func(tx pgx.Tx) error { return w.Keys.Issue(t.Context(), tx, w.doctor.Practitioner, passphrase) }); err != nil {
		t.Fatal(err)
	}
	w.staff = w.member("coordinator", 0)
	w.wang, w.person = w.patient("王秀英", "1959-03-01")
	w.stranger, _ = w.patient("李强", "1981-07-12")
	w.record(w.person, "I10.x00", 60, "verified")
	return w
}

func (w *town) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.DB.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// one reads a single value.
func one[T any](w *town, sql string, args ...any) (v T) {
	w.t.Helper()
	if err := w.DB.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *town) member(role string, place int) *authz.Subject {
	s := &authz.Subject{Account: ids.New[ids.Account](), Name: role, Memberships: []authz.Membership{{Role: role, Place: w.hospital[place]}}}
	w.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $3, '-', '\x00')`, s.Account, role, s.Account.String())
	return s
}

func (w *town) patient(name, born string) (*authz.Subject, ids.Person) {
	s := &authz.Subject{Account: ids.New[ids.Account](), Name: name, Memberships: []authz.Membership{{Role: authz.Patient}}}
	person := ids.New[ids.Person]()
	w.exec(`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', $2)`, s.Account, name)
	w.exec(`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level, region)
		VALUES ($1, $2, 'F', $3, $4, '\x00', '420***', 2, '420102')`, person, name, born, person[:])
	w.exec(`INSERT INTO proxy VALUES ($1, $2, 'self', false)`, s.Account, person)
	return s, person
}

// record is a checked record of a diagnosis at a hospital, some days old.
func (w *town) record(person ids.Person, icd10 string, days int, verify string) {
	w.exec(`INSERT INTO evidence (id, person_id, account_id, institution_id, icd10, dx_date, source, institution_name, doc_type, verify, verified_at,
			file_name, content_type, size, sha256, object_key, request_key, uploaded_at)
		SELECT $1, $2, account_id, $3, $4, $5, 'physical', '医院0', '门诊病历', $6, CASE WHEN $6::text = 'verified' THEN now() END,
			'a.jpg', 'image/jpeg', 1, $7, $8, $9, now() FROM proxy WHERE person_id = $2 LIMIT 1`,
		ids.New[ids.Evidence](), person, w.hospital[0], icd10, w.now.AddDate(0, 0, -days), verify, make([]byte, 32), uuid.NewString(), uuid.NewString())
}

// as is a request of the subject under the action, as the edge would admit it.
func (w *town) as(s *authz.Subject, action string) context.Context {
	w.t.Helper()
	scope, err := w.policy.Scope(s, action)
	if err != nil {
		w.t.Fatal(err)
	}
	return authz.WithScope(authz.WithSubject(w.t.Context(), s), scope)
}

// slots opens a quarter of an hour each, from the hour of today on.
func (w *town) slots(place int, hour float64, n int) []ids.Slot {
	w.t.Helper()
	slots, err := w.offer(place, hour, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return slots
}

func (w *town) offer(place int, hour float64, n int) (slots []ids.Slot, err error) {
	start := time.Date(2026, 6, 15, 0, 0, 0, 0, w.now.Location()).Add(time.Duration(hour * float64(time.Hour)))
	err = w.DB.InTx(w.t.Context(), func(tx pgx.Tx) error {
		slots, err = w.OfferSlots(w.t.Context(), tx, consult.Offer{Doctor: w.doctor.Practitioner, Place: w.hospital[place], Department: "心血管内科",
			Span: schedule.Span{Start: start, End: start.Add(time.Duration(n) * 15 * time.Minute)}, Length: 15 * time.Minute, FeeFen: 3000})
		return err
	})
	return slots, err
}

func (w *town) wish(slot ids.Slot) consult.Booking {
	return consult.Booking{RequestKey: uuid.NewString(), Complaint: "想续降压药", Ask: consult.Ask{Person: w.person, Slot: slot,
		Kind: "follow_up", ICD10: "I10.x00", Severity: "mild", IntendsRx: true, InternetCare: true, SensitivePI: true}}
}

// booked is Wang's visit in a fresh slot.
func (w *town) booked() consult.Visit {
	w.t.Helper()
	v, err := w.Book(w.as(w.wang, "visit.book"), w.wish(w.slots(0, 10.5, 1)[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// begun is Wang's visit with the doctor.
func (w *town) begun() consult.Visit {
	w.t.Helper()
	v := w.booked()
	if _, err := w.CheckIn(w.as(w.wang, "visit.check_in"), v.ID, consult.LineTest{}); err != nil {
		w.t.Fatal(err)
	}
	v, err := w.Admit(w.as(w.doctor, "visit.admit"), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func code(err error) string {
	if err == nil {
		return "done"
	}
	return fault.As(err).Code
}

type fakeRooms struct {
	mu      sync.Mutex
	said    []string
	seats   []control.SeatState
	removed func(control.Seat) // nil: nobody hears it
	waiting chan struct{}      // not nil: no media node has the rooms, and who asks for them waits
}

func (r *fakeRooms) Seats(ctx context.Context, _ control.Room) ([]control.SeatState, error) {
	r.mu.Lock()
	seats, waiting := r.seats, r.waiting
	r.mu.Unlock()
	if waiting != nil {
		waiting <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return seats, nil
}

// lose takes the media nodes away; who asks for a room says so.
func (r *fakeRooms) lose() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = make(chan struct{}, 8)
	return r.waiting
}

func (r *fakeRooms) sit(seats []control.SeatState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seats = seats
}

func (r *fakeRooms) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

func (r *fakeRooms) Admit(_ context.Context, room control.Room, seat control.Seat) error {
	return r.say("admit " + string(seat))
}

func (r *fakeRooms) Close(_ context.Context, room control.Room) error { return r.say("close") }

func (r *fakeRooms) Remove(_ context.Context, _ control.Room, seat control.Seat) error {
	r.mu.Lock()
	removed := r.removed
	r.mu.Unlock()
	if removed != nil {
		removed(seat)
	}
	return r.say("remove " + string(seat))
}

func (r *fakeRooms) Lock(_ context.Context, _ control.Room, locked bool) error {
	return r.say(fmt.Sprint("lock ", locked))
}

func (r *fakeRooms) say(s string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, s)
	return nil
}

type desk struct {
	now func() time.Time
	url string
}

func (d desk) Issue(c control.Claims) (control.Pass, error) {
	return control.Pass{URL: d.url, Ticket: fmt.Sprintf("%s %s admitted=%v", c.Seat, c.Role, c.Admitted), Expires: d.now().Add(time.Minute)}, nil
}

// memory keeps files; away makes it fail as a store that is down.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
	away error
}

func (m *memory) Put(_ context.Context, place ids.Institution, body io.Reader, size int64) (string, error) {
	b, err := io.ReadAll(body)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil || err != nil || int64(len(b)) != size {
		return "", fmt.Errorf("not stored: %v %v", m.away, err)
	}
	key := place.String() + "/" + uuid.NewString()
	m.kept[key] = b
	return key, nil
}

func (m *memory) Get(_ context.Context, key string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return io.NopCloser(bytes.NewReader(m.kept[key])), nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
	return nil
}

// keys are what is kept.
func (m *memory) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.kept))
}

type events struct {
	mu   sync.Mutex
	seen map[string]int
}

func (e *events) Publish(ev live.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil {
		e.seen = map[string]int{}
	}
	e.seen[ev.Kind]++
}
