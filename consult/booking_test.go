package consult_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/pg"
)

// told keeps what people would have been texted, by account.
type told struct {
	mu   sync.Mutex
	said map[ids.Account][]string
}

func (n *told) Tell(_ context.Context, _ tx, account ids.Account, text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.said == nil {
		n.said = map[ids.Account][]string{}
	}
	n.said[account] = append(n.said[account], text)
	return nil
}

func (n *told) last(s *authz.Subject) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if list := n.said[s.Account]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// later keeps jobs that would be done at their time.
type later struct {
	mu   sync.Mutex
	list []jobs.Args
}

func (l *later) InsertAt(_ context.Context, _ tx, job jobs.Args, at ...time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range at {
		l.list = append(l.list, job)
	}
	return nil
}

// neighbour is another patient with a checked record.
func (w *town) neighbour(name string) (*authz.Subject, ids.Person) {
	subject, person := w.patient(name, "1960-01-01")
	w.record(person, "I10.x00", 30, "verified")
	return subject, person
}

func (w *town) wishOf(person ids.Person, slot ids.Slot) consult.Booking {
	b := w.wish(slot)
	b.Person = person
	return b
}

// invariants must hold whatever was cut where: SECURITY-GOALS "invariants in SQL".
func (w *town) invariants() {
	w.t.Helper()
	for what, sql := range map[string]string{
		"a slot with two visits":               `SELECT count(*) FROM (SELECT slot_id FROM visit WHERE state <> 'cancelled' AND overbook_reason IS NULL GROUP BY slot_id HAVING count(*) > 1) x`,
		"a visit without its decision":         `SELECT count(*) FROM visit v WHERE NOT EXISTS (SELECT FROM decision d WHERE d.visit_id = v.id)`,
		"a visit without its audit entry":      `SELECT count(*) FROM visit v WHERE NOT EXISTS (SELECT FROM audit_entry a WHERE a.object = 'visit/' || v.id AND a.action IN ('visit.book', 'visit.overbook'))`,
		"an audit entry of a visit that isn't": `SELECT count(*) FROM audit_entry a WHERE a.action IN ('visit.book', 'visit.overbook') AND NOT EXISTS (SELECT FROM visit v WHERE a.object = 'visit/' || v.id)`,
		"a decision for a visit that isn't":    `SELECT count(*) FROM decision d WHERE d.visit_id IS NOT NULL AND NOT EXISTS (SELECT FROM visit v WHERE v.id = d.visit_id)`,
		"a live visit in a withdrawn slot":     `SELECT count(*) FROM visit v JOIN slot s ON s.id = v.slot_id WHERE s.withdrawn_at IS NOT NULL AND v.state IN ('booked', 'checked_in')`,
		"half a series":                        `SELECT count(*) FROM (SELECT series_id FROM visit WHERE series_id IS NOT NULL GROUP BY series_id HAVING count(*) <> 3) x`,
		"a deed without its answer":            `SELECT count(*) FROM deed WHERE answer IS NULL`,
		"a doctor in two places": `SELECT count(*) FROM slot a JOIN slot b ON a.practitioner_id = b.practitioner_id AND a.id < b.id AND a.withdrawn_at IS NULL AND b.withdrawn_at IS NULL
			AND CASE WHEN a.institution_id = b.institution_id THEN a.during && b.during ELSE with_way(a.during, a.leg_s) && with_way(b.during, b.leg_s) END`,
		"a moved visit without its decision": `SELECT count(*) FROM visit v WHERE v.moved_from IS NOT NULL AND (SELECT count(*) FROM decision d WHERE d.visit_id = v.id) < 2`,
	} {
		if n := one[int](w, sql); n != 0 {
			w.t.Errorf("%s: %d", what, n)
		}
	}
}

// cutter is a line to Postgres that breaks after some messages to it: what a kill -9 between two statements leaves behind.
type cutter struct {
	net.Conn
	left *atomic.Int64
}

func (c *cutter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.left.Add(-1) == 0 {
		c.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}

// cutPool is a second server process on the same database, with one connection.
func (w *town) cutPool(left *atomic.Int64) *pg.Pool {
	w.t.Helper()
	config := w.DB.Config().Copy()
	config.MaxConns, config.MinConns = 1, 0
	dial := (&net.Dialer{}).DialContext
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &cutter{conn, left}, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(pool.Close)
	return &pg.Pool{Pool: pool}
}

// process is the service of another server process.
func (w *town) process(db *pg.Pool, now func() time.Time) *consult.Service {
	s := w.Service
	return &consult.Service{DB: db, Now: now, Log: s.Log, Rules: s.Rules, Signer: s.Signer, Keys: s.Keys, Rooms: s.Rooms, Desk: s.Desk, Files: s.Files, Live: s.Live, Vault: s.Vault}
}

// The line to the database is cut after each message of each deed in turn. What is left is the whole deed or nothing of it, and the same
// wish sent again makes it once.
func TestCutBetweenAnyTwoStatements(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 11, 12)
	substitute := w.substitute()
	w.slotsOf(substitute, 0, 11, 12)
	deeds := []struct {
		name string
		do   func(s *consult.Service, key string) error
		undo func()
	}{
		{"book", func(s *consult.Service, key string) error {
			b := w.wish(slots[0])
			b.RequestKey = key
			_, err := s.Book(w.as(w.wang, "visit.book"), b)
			return err
		}, func() {}},
		{"series", func(s *consult.Service, key string) error {
			b := w.wish(ids.Slot{})
			b.RequestKey = key
			_, err := s.BookSeries(w.as(w.wang, "visit.book"), b, slices.Clone(slots[1:4]))
			return err
		}, func() {}},
		{"hold", func(s *consult.Service, key string) error {
			_, err := s.HoldSlot(w.as(w.wang, "visit.hold"), slots[5], key)
			return err
		}, func() {}},
		{"move", func(s *consult.Service, key string) error {
			_, err := s.MoveVisit(w.as(w.wang, "visit.move"), one[ids.Visit](w, `SELECT id FROM visit WHERE series_id IS NULL`), slots[6], "改天", key)
			return err
		}, func() {}},
		{"sick day", func(s *consult.Service, key string) error {
			day := consult.Absence{PractitionerID: w.doctor.Practitioner, InstitutionID: w.hospital[0], From: w.now, Until: w.now.Add(12 * time.Hour), Substitute: substitute}
			_, err := s.CallIn(w.as(w.staff, "roster.absence"), day, key)
			return err
		}, func() {}},
	}
	for _, d := range deeds {
		key, cuts := uuid.NewString(), 0
		var left atomic.Int64
		for at := int64(1); ; at++ {
			left.Store(1 << 40)
			broken := w.process(w.cutPool(&left), w.Now)
			if _, err := broken.DB.Exec(t.Context(), `SELECT 1`); err != nil { // connected, prepared
				t.Fatal(err)
			}
			left.Store(at)
			err := d.do(broken, key)
			done := left.Load() > 0
			left.Store(1 << 40)
			broken.DB.Close()
			w.invariants()
			if t.Failed() {
				t.Fatalf("%s, cut after message %d: %v", d.name, at, err)
			}
			if done {
				if err != nil {
					t.Fatalf("%s, not cut: %v", d.name, err)
				}
				break
			}
			cuts++
		}
		if cuts < 5 {
			t.Errorf("%s was cut at %d places only", d.name, cuts)
		}
		if err := d.do(w.Service, key); err != nil {
			t.Errorf("%s again: %v", d.name, err)
		}
		w.invariants()
		t.Logf("%s: cut at %d places", d.name, cuts)
	}
	if n := one[int](w, `SELECT count(*) FROM visit WHERE state = 'booked' AND practitioner_id = $1`, substitute); n != 4 {
		t.Errorf("%d visits moved to the substitute, want 4", n)
	}
	if n := one[int](w, `SELECT count(*) FROM visit`); n != 4 {
		t.Errorf("%d visits made in all, want 4", n)
	}
}

// Two processes whose clocks are a minute apart hold, book and let go the same slots: the database's clock decides, each slot has one owner.
func TestClocksAMinuteApart(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 11, 4)
	early := w.process(w.DB, func() time.Time { return w.now.Add(-30 * time.Second) })
	late := w.process(w.DB, func() time.Time { return w.now.Add(30 * time.Second) })
	type who struct {
		s       *consult.Service
		subject *authz.Subject
		person  ids.Person
	}
	var all []who
	for i := range 8 {
		subject, person := w.neighbour(fmt.Sprint("病人", i))
		all = append(all, who{[]*consult.Service{early, late}[i%2], subject, person})
	}
	var done sync.WaitGroup
	var booked atomic.Int64
	for _, one := range all {
		for _, slot := range slots {
			hold, book := w.as(one.subject, "visit.hold"), w.as(one.subject, "visit.book")
			done.Go(func() {
				_, err := one.s.HoldSlot(hold, slot, uuid.NewString())
				if err != nil {
					return
				}
				_, err = one.s.Book(book, w.wishOf(one.person, slot))
				if err == nil {
					booked.Add(1)
				} else if c := code(err); c != "slot_taken" {
					t.Errorf("booking a held slot: %v", err)
				}
			})
		}
	}
	done.Wait()
	w.invariants()
	if n := one[int](w, `SELECT count(*) FROM visit`); n != int(booked.Load()) || n > len(slots) {
		t.Errorf("%d visits, %d said so", n, booked.Load())
	}
	// A hold lapses at one instant for both, however far ahead or behind their own clocks are.
	other := w.slots(0, 14, 1)[0]
	h, err := early.HoldSlot(w.as(all[0].subject, "visit.hold"), other, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Book(w.as(all[1].subject, "visit.book"), w.wishOf(all[1].person, other)); code(err) != "slot_taken" {
		t.Errorf("booked over a live hold: %v", err)
	}
	w.exec(`UPDATE hold SET during = tstzrange(lower(during) - interval '10 minutes', upper(during) - interval '10 minutes') WHERE id = $1`, h.ID)
	if _, err := late.Book(w.as(all[1].subject, "visit.book"), w.wishOf(all[1].person, other)); err != nil {
		t.Errorf("the hold is over: %v", err)
	}
}

// A thousand people want ten slots: ten have one each, nobody has two, and everybody else is told.
func TestAThousandWantTenSlots(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 11, 10)
	type who struct {
		ctx  context.Context
		wish consult.Booking
	}
	all := make([]who, 1000)
	for i := range all {
		subject, person := w.neighbour(fmt.Sprint("病人", i))
		all[i] = who{w.as(subject, "visit.book"), w.wishOf(person, slots[i%len(slots)])}
	}
	outcomes := make([]string, len(all))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, p := range all {
		done.Go(func() {
			start.Wait()
			_, err := w.Book(p.ctx, p.wish)
			outcomes[i] = code(err)
		})
	}
	start.Done()
	done.Wait()
	count := map[string]int{}
	for _, o := range outcomes {
		count[o]++
	}
	if count["done"] != 10 || count["slot_taken"] != 990 {
		t.Fatalf("outcomes: %v", count)
	}
	w.invariants()
}

func TestHolds(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 11, 3)
	neighbour, person := w.neighbour("李强二")
	hold := w.as(w.wang, "visit.hold")
	key := uuid.NewString()
	h, err := w.HoldSlot(hold, slots[0], key)
	if err != nil || h.Slot.ID != slots[0] || time.Until(h.Until) > 10*time.Minute {
		t.Fatalf("hold: %+v, %v", h, err)
	}
	if again, err := w.HoldSlot(hold, slots[0], key); err != nil || again.ID != h.ID {
		t.Errorf("the same deed again: %+v, %v", again, err)
	}
	if _, err := w.HoldSlot(hold, slots[1], key); code(err) != "key_reused" {
		t.Errorf("the key for something else: %v", err)
	}
	if _, err := w.HoldSlot(w.as(neighbour, "visit.hold"), slots[0], uuid.NewString()); code(err) != "slot_taken" {
		t.Errorf("held by two: %v", err)
	}
	if _, err := w.Book(w.as(neighbour, "visit.book"), w.wishOf(person, slots[0])); code(err) != "slot_taken" {
		t.Errorf("booked over a hold: %v", err)
	}
	if list, err := w.Slots(w.as(neighbour, "catalogue.read"), w.doctor.Practitioner, 7); err != nil || len(list) != 2 {
		t.Errorf("open slots: %d, %v", len(list), err)
	}
	if list, err := w.Slots(w.as(w.wang, "catalogue.read"), w.doctor.Practitioner, 7); err != nil || len(list) != 3 {
		t.Errorf("open to who holds one: %d, %v", len(list), err)
	}
	if _, err := w.HoldSlot(hold, slots[1], uuid.NewString()); err != nil {
		t.Errorf("another choice: %v", err)
	}
	if _, err := w.HoldSlot(w.as(neighbour, "visit.hold"), slots[0], uuid.NewString()); err != nil {
		t.Errorf("the first choice was let go: %v", err)
	}
	if err := w.LetGo(w.as(neighbour, "visit.hold"), one[ids.Hold](w, `SELECT id FROM hold WHERE slot_id = $1 AND account_id = $2 AND during @> clock_timestamp()`, slots[1], w.wang.Account), uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("let go of somebody else's: %v", err)
	}
	if _, err := w.Book(w.as(w.wang, "visit.book"), w.wish(slots[1])); err != nil {
		t.Errorf("booked the own hold: %v", err)
	}
	w.exec(`INSERT INTO hold SELECT gen_random_uuid(), $1, $2, tstzrange(now() - n * interval '2 minutes' - interval '1 minute', now() - n * interval '2 minutes') FROM generate_series(1, 20) n`, slots[2], w.wang.Account)
	if _, err := w.HoldSlot(hold, slots[2], uuid.NewString()); code(err) != "holds_many" {
		t.Errorf("a dealer's day: %v", err)
	}
	// Postgres itself refuses a visit in a slot that somebody else holds, whatever the code forgot.
	w.exec(`UPDATE visit SET state = 'cancelled'`)
	if _, err := w.DB.Exec(t.Context(), `UPDATE visit SET slot_id = $1`, slots[0]); !pg.Violates(err, "visit_slot_held") {
		t.Errorf("got %v", err)
	}
}

func TestSeriesAllOrNone(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 11, 4)
	neighbour, person := w.neighbour("李强二")
	if _, err := w.Book(w.as(neighbour, "visit.book"), w.wishOf(person, slots[2])); err != nil {
		t.Fatal(err)
	}
	if _, err := w.BookSeries(w.as(w.wang, "visit.book"), w.wish(ids.Slot{}), slices.Clone(slots[:3])); code(err) != "slot_taken" {
		t.Fatalf("one is taken: %v", err)
	}
	if n := one[int](w, `SELECT count(*) FROM visit WHERE person_id = $1`, w.person); n != 0 {
		t.Fatalf("%d of a series that failed", n)
	}
	wish := w.wish(ids.Slot{})
	list, err := w.BookSeries(w.as(w.wang, "visit.book"), wish, []ids.Slot{slots[3], slots[0], slots[1]})
	if err != nil || len(list) != 3 || !list[0].Start.Before(list[2].Start) {
		t.Fatalf("series: %v, %v", list, err)
	}
	if _, err := w.BookSeries(w.as(w.wang, "visit.book"), w.wish(ids.Slot{}), []ids.Slot{slots[0], slots[0]}); code(err) != "series_wrong" {
		t.Errorf("the same slot twice: %v", err)
	}
}

func TestMovingAVisit(t *testing.T) {
	w := newTown(t)
	notes := &told{}
	w.Notices = notes
	slots := w.slots(0, 11, 3)
	v, err := w.Book(w.as(w.wang, "visit.book"), w.wish(slots[0]))
	if err != nil {
		t.Fatal(err)
	}
	moved, err := w.MoveVisit(w.as(w.staff, "visit.move"), v.ID, slots[1], "设备检修", uuid.NewString())
	if err != nil || moved.MovedFrom == nil || !moved.MovedFrom.Equal(v.Start) || moved.MovedReason != "设备检修" || !moved.Start.After(v.Start) {
		t.Fatalf("moved: %+v, %v", moved, err)
	}
	if text := notes.last(w.wang); !strings.Contains(text, "6月15日 星期一 11:00") || !strings.Contains(text, "11:15") {
		t.Errorf("told: %q", text)
	}
	if _, err := w.MoveVisit(w.as(w.stranger, "visit.move"), v.ID, slots[2], "", uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("by a stranger: %v", err)
	}
	w.exec(`DELETE FROM evidence`)
	if _, err := w.MoveVisit(w.as(w.wang, "visit.move"), v.ID, slots[2], "", uuid.NewString()); code(err) != "not_eligible" {
		t.Errorf("judged anew: %v", err)
	}
	if n := one[int](w, `SELECT count(*) FROM decision WHERE visit_id = $1`, v.ID); n != 3 {
		t.Errorf("%d decisions kept, want booking, move, refused move", n)
	}
}

func TestTheWaitingList(t *testing.T) {
	w := newTown(t)
	notes, jobs := &told{}, &later{}
	w.Notices, w.Jobs = notes, jobs
	slot := w.slots(0, 12, 1)[0]
	owner, ownerPerson := w.neighbour("占号人")
	v, err := w.Book(w.as(owner, "visit.book"), w.wishOf(ownerPerson, slot))
	if err != nil {
		t.Fatal(err)
	}
	join := func(s *authz.Subject, person ids.Person) consult.WaitEntry {
		t.Helper()
		e, err := w.JoinWait(w.as(s, "wait.join"), consult.NewWait{PersonID: person, InstitutionID: w.hospital[0], PractitionerID: w.doctor.Practitioner, Department: "心血管内科",
			Until: w.now.AddDate(0, 0, 7), Wish: consult.Wish{Kind: "follow_up", ICD10: "I10.x00", Severity: "mild", Complaint: "续方"},
			Consents: consult.Consents{InternetCare: true, SensitivePI: true}}, uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	second, secondPerson := w.neighbour("第二人")
	first := join(w.wang, w.person)
	next := join(second, secondPerson)
	if next.Ahead != 1 {
		t.Errorf("ahead: %d", next.Ahead)
	}
	if _, err := w.JoinWait(w.as(w.wang, "wait.join"), consult.NewWait{PersonID: w.person, InstitutionID: w.hospital[0], PractitionerID: w.doctor.Practitioner, Department: "心血管内科",
		Until: w.now.AddDate(0, 0, 7), Wish: consult.Wish{Kind: "follow_up", Severity: "mild"}}, uuid.NewString()); code(err) != "waiting_already" {
		t.Errorf("twice on the list: %v", err)
	}
	if _, err := w.Cancel(w.as(owner, "visit.cancel"), v.ID, "好了"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notes.last(w.wang), "6月15日 星期一 12:00") || notes.last(second) != "" {
		t.Fatalf("offered to: first %q, second %q", notes.last(w.wang), notes.last(second))
	}
	if _, err := w.Book(w.as(owner, "visit.book"), w.wishOf(ownerPerson, slot)); code(err) != "slot_taken" {
		t.Errorf("past the line: %v", err)
	}
	if _, err := w.TakeOffer(w.as(second, "wait.take"), next.ID, uuid.NewString()); code(err) != "offer_over" {
		t.Errorf("took what was offered to another: %v", err)
	}
	// A job that wakes early, by a clock ahead of the database's, sleeps again instead of ending the line.
	before := len(jobs.list)
	if err := w.PassOn(t.Context(), consult.OfferLapse{Slot: slot}); err != nil || notes.last(second) != "" || len(jobs.list) != before+1 {
		t.Errorf("woken early: %v, %q, %d jobs", err, notes.last(second), len(jobs.list)-before)
	}
	// The first does not answer: the job at the offer's end passes it on.
	w.exec(`UPDATE hold SET during = tstzrange(lower(during) - interval '1 hour', clock_timestamp()) WHERE wait_entry_id = $1`, first.ID)
	for _, job := range jobs.list {
		if lapse, ok := job.(consult.OfferLapse); ok {
			if err := w.PassOn(t.Context(), lapse); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.TakeOffer(w.as(w.wang, "wait.take"), first.ID, uuid.NewString()); code(err) != "offer_over" {
		t.Errorf("too late: %v", err)
	}
	key := uuid.NewString()
	got, err := w.TakeOffer(w.as(second, "wait.take"), next.ID, key)
	if err != nil || !got.Start.Equal(v.Start) {
		t.Fatalf("the second takes it: %+v, %v", got, err)
	}
	if again, err := w.TakeOffer(w.as(second, "wait.take"), next.ID, key); err != nil || again.ID != got.ID {
		t.Errorf("again: %v", err)
	}
	if list, err := w.Waits(w.as(w.staff, "wait.read")); err != nil || len(list) != 1 || list[0].ID != first.ID {
		t.Errorf("still waiting: %v, %v", list, err)
	}
	// Squeezing in is the coordinator's right, with a reason, and beside the doctor who is waited for.
	other := w.slotsOf(w.substitute(), 0, 15, 1)[0]
	if _, err := w.SqueezeIn(w.as(w.staff, "visit.overbook"), first.ID, other, "病情需要", uuid.NewString()); code(err) != "slot_unfit" {
		t.Errorf("squeezed in with another doctor: %v", err)
	}
	visit, err := w.SqueezeIn(w.as(w.staff, "visit.overbook"), first.ID, slot, "病情需要", uuid.NewString())
	if err != nil || !visit.Overbooked || !strings.Contains(notes.last(w.wang), "加了号：6月15日 星期一 12:00") {
		t.Fatalf("squeezed in: %+v, %v, told %q", visit, err, notes.last(w.wang))
	}
	third, thirdPerson := w.neighbour("第三人")
	gone := join(third, thirdPerson)
	key = uuid.NewString()
	told := w.events.seen["wait.changed"]
	for range 2 { // the second time is the same press
		if err := w.LeaveWait(w.as(third, "wait.leave"), gone.ID, key); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.events.seen["wait.changed"] - told; n != 1 {
		t.Errorf("that one has left the list was told %d times", n)
	}
	if r := one[string](w, `SELECT reason FROM audit_entry WHERE action = 'visit.overbook'`); r != "病情需要" {
		t.Errorf("audit: %q", r)
	}
	if _, err := w.policy.Scope(w.wang, "visit.overbook"); err != nil {
		t.Fatal(err)
	}
	if scope, _ := w.policy.Scope(w.wang, "visit.overbook"); !scope.Empty() {
		t.Error("a patient may squeeze in")
	}
	w.invariants()
}

func TestTheWalkInPool(t *testing.T) {
	w := newTown(t)
	if _, err := w.TakeWalkIn(w.as(w.doctor, "wait.take_walk_in"), uuid.NewString()); code(err) != "pool_empty" {
		t.Errorf("nobody waits: %v", err)
	}
	for _, p := range []struct {
		s      *authz.Subject
		person ids.Person
	}{{w.stranger, one[ids.Person](w, `SELECT person_id FROM proxy WHERE account_id = $1`, w.stranger.Account)}, {w.wang, w.person}} {
		if _, err := w.JoinWait(w.as(p.s, "wait.join"), consult.NewWait{PersonID: p.person, InstitutionID: w.hospital[0], Department: "心血管内科", WalkIn: true,
			Until: w.now.Add(4 * time.Hour), Wish: consult.Wish{Kind: "follow_up", ICD10: "I10.x00", Severity: "mild"}, Consents: consult.Consents{InternetCare: true, SensitivePI: true}}, uuid.NewString()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.TakeWalkIn(w.as(w.doctor, "wait.take_walk_in"), uuid.NewString()); code(err) != "not_eligible" {
		t.Errorf("the first has no record: %v", err)
	}
	v, err := w.TakeWalkIn(w.as(w.doctor, "wait.take_walk_in"), uuid.NewString())
	if err != nil || v.Person.ID != w.person || v.Doctor.ID != w.doctor.Practitioner {
		t.Fatalf("the second is taken: %+v, %v", v, err)
	}
	w.invariants()
}

// Who checks in the evening before gets a number of the visit's day, and is on that day's display.
func TestCheckedInTheEveningBefore(t *testing.T) {
	w := newTown(t)
	v, err := w.Book(w.as(w.wang, "visit.book"), w.wish(w.slots(0, 34, 1)[0])) // ten in the morning, tomorrow
	if err == nil {
		v, err = w.CheckIn(w.as(w.wang, "visit.check_in"), v.ID, consult.LineTest{})
	}
	if err != nil || v.Token != 1 {
		t.Fatalf("checked in: %+v, %v", v, err)
	}
	show := w.as(w.staff, "queue.display")
	if list, err := w.Display(show, w.hospital[0]); err != nil || len(list) != 0 {
		t.Errorf("on today's display: %+v, %v", list, err)
	}
	w.now = w.now.AddDate(0, 0, 1)
	if list, err := w.Display(show, w.hospital[0]); err != nil || len(list) != 1 || !slices.Equal(list[0].Waiting, []int{1}) {
		t.Errorf("on the display of its day: %+v, %v", list, err)
	}
}

func TestNumbersAndCalls(t *testing.T) {
	w := newTown(t)
	slots := w.slots(0, 10.5, 3)
	var visits []consult.Visit
	subjects := []*authz.Subject{w.wang}
	persons := []ids.Person{w.person}
	for _, name := range []string{"乙", "丙"} {
		s, p := w.neighbour(name)
		subjects, persons = append(subjects, s), append(persons, p)
	}
	for i, s := range subjects {
		v, err := w.Book(w.as(s, "visit.book"), w.wishOf(persons[i], slots[i]))
		if err == nil {
			v, err = w.CheckIn(w.as(s, "visit.check_in"), v.ID, consult.LineTest{})
		}
		if err != nil || v.Token != i+1 || v.Line.Ahead != i {
			t.Fatalf("number %d: %+v %+v, %v", i+1, v.Token, v.Line, err)
		}
		visits = append(visits, v)
	}
	call := w.as(w.doctor, "queue.call")
	if v, err := w.Call(call, visits[0].ID, uuid.NewString()); err != nil || !v.Called {
		t.Fatalf("called: %+v, %v", v, err)
	}
	if list, err := w.Display(w.as(w.staff, "queue.display"), w.hospital[0]); err != nil || len(list) != 1 || !slices.Equal(list[0].Called, []int{1}) || !slices.Equal(list[0].Waiting, []int{2, 3}) {
		t.Errorf("display: %+v, %v", list, err)
	}
	if v, err := w.Skip(call, visits[0].ID, uuid.NewString()); err != nil || v.Called || v.Token != 1 || v.Line.Ahead != 2 {
		t.Errorf("passed over: %+v, %v", v.Line, err)
	}
	if v, err := w.Visit(w.as(subjects[1], "visit.read"), visits[1].ID); err != nil || v.Line.Ahead != 0 {
		t.Errorf("the second is first: %+v, %v", v.Line, err)
	}
	if _, err := w.Call(w.as(w.member("coordinator", 1), "queue.call"), visits[1].ID, uuid.NewString()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital called: %v", err)
	}
	notes := &told{}
	w.Notices = notes
	if err := w.SayLate(w.as(w.doctor, "roster.late"), w.doctor.Practitioner, consult.Delay{InstitutionID: w.hospital[0], Minutes: 20}, uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	if v, err := w.Visit(w.as(w.wang, "visit.read"), visits[0].ID); err != nil || v.DelayMin != 20 || !strings.Contains(notes.last(w.wang), "20 分钟") {
		t.Errorf("late: %d %q, %v", v.DelayMin, notes.last(w.wang), err)
	}
}

// A deed that is sent twice at once is done once.
func TestADeedSentTwiceIsDoneOnce(t *testing.T) {
	w := newTown(t)
	slot := w.slots(0, 11, 1)[0]
	key := uuid.NewString()
	seen := make([]ids.Hold, 8)
	var done sync.WaitGroup
	for i := range seen {
		done.Go(func() {
			h, err := w.HoldSlot(w.as(w.wang, "visit.hold"), slot, key)
			if err != nil {
				t.Error(err)
			}
			seen[i] = h.ID
		})
	}
	done.Wait()
	if len(slices.Compact(seen)) != 1 || one[int](w, `SELECT count(*) FROM hold`) != 1 {
		t.Errorf("holds: %v", seen)
	}
	if _, err := w.HoldSlot(w.as(w.wang, "visit.hold"), slot, "not a uuid"); code(err) != "key_missing" {
		t.Errorf("no key: %v", err)
	}
	var f *fault.Error
	if _, err := w.HoldSlot(w.as(w.wang, "visit.hold"), ids.New[ids.Slot](), uuid.NewString()); !errors.As(err, &f) {
		t.Errorf("no such slot: %v", err)
	}
}
