package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/consult/eligibility"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgserver"
	"yuanzhen/migrations"
)

// BookingCmd measures booking and free times.
type BookingCmd struct {
	DatabaseURL string `env:"YUANZHEN_BENCH_DATABASE_URL" placeholder:"URL" help:"An empty database to use and fill; without it a private PostgreSQL with safe settings (fsync on) in a temporary folder."`
	Bookings    int    `default:"600" help:"Bookings a side."`
	Clients     int    `default:"8" help:"Who book at the same time."`
	Racing      int    `default:"1000" help:"Patients who race for ten slots."`
}

// bed is a world to measure in: one hospital of five places, doctors with open slots, patients with a checked record.
type bed struct {
	*consult.Service
	policy  *authz.Policy
	places  [5]ids.Institution
	doctors []ids.Practitioner
	people  []patient
	slots   []ids.Slot
	keyID   string // of the key that decisions are signed with
	now     time.Time
}

type patient struct {
	subject *authz.Subject
	person  ids.Person
}

type silent struct{}

func (silent) Publish(live.Event) {}

// Run measures and prints the table.
func (c *BookingCmd) Run(ctx context.Context) error {
	url, stop, err := database(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer stop()
	db, err := pg.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	b, err := c.prepare(ctx, db)
	if err != nil {
		return err
	}
	var version string
	if err := db.QueryRow(ctx, `SELECT version()`).Scan(&version); err != nil {
		return err
	}
	fmt.Printf("%s\n%.60s\n%d bookings a side, %d clients; synchronous_commit as PostgreSQL has it\n\n", machine(), version, c.Bookings, c.Clients)

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "measured\tresult\tgoal\t")
	verdict := func(what, result, goal string, met bool) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", what, result, goal, map[bool]string{true: "met", false: "MISSED"}[met])
	}

	// The two sides take turns, so that a noisy machine is noisy for both.
	const turns = 4
	var ours, theirs time.Duration
	for turn := range turns {
		from, n := turn*c.Bookings/turns, c.Bookings/turns
		hand, err := atOnce(c.Clients, n, func(i int) error { return b.byHand(ctx, from+i) })
		if err != nil {
			return fmt.Errorf("by hand: %w", err)
		}
		house, err := atOnce(c.Clients, n, func(i int) error { return b.book(c.Bookings + from + i) })
		if err != nil {
			return fmt.Errorf("booking: %w", err)
		}
		ours, theirs = ours+house, theirs+hand
	}
	rate := func(d time.Duration) float64 { return float64(c.Bookings) / d.Seconds() }
	fmt.Fprintf(table, "hand-written transaction, same inserts, same constraints\t%.0f/s\t\t\n", rate(theirs))
	ratio := rate(ours) / rate(theirs)
	verdict("bookings (judged, audited, reminders set)", fmt.Sprintf("%.0f/s = %.0f %%", rate(ours), 100*ratio), ">= 50 %", ratio >= 0.5)

	longest, won, err := b.race(2*c.Bookings, c.Racing)
	if err != nil {
		return err
	}
	verdict(fmt.Sprintf("%d patients race for 10 slots: winners", c.Racing), fmt.Sprint(won), "10", won == 10)
	verdict("… longest wait for the answer", ms(longest), "<= 2000 ms", longest <= 2*time.Second)

	free, open, err := b.month(ctx)
	if err != nil {
		return err
	}
	verdict(fmt.Sprintf("free slots of a month, a doctor with 5 places (%d open), p95", open), ms(free), "<= 10 ms", free <= 10*time.Millisecond)

	m, parties := schedule.Crowd()
	var spent []time.Duration
	for range 50 {
		begin := time.Now()
		schedule.Find(m, parties)
		spent = append(spent, time.Since(begin))
	}
	common := percentile(spent, 0.95)
	verdict("common time of 6 experts and a room over 4 weeks, p95", ms(common), "<= 50 ms", common <= 50*time.Millisecond)
	return nil
}

// database is the one that was given, or a private one in a temporary folder, in the newest version.
func database(ctx context.Context, given string) (url string, stop func(), err error) {
	if given == "" {
		dir, err := os.MkdirTemp("", "yuanzhen-bench-")
		if err != nil {
			return "", nil, err
		}
		server, err := pgserver.Start(ctx, pgserver.Options{Dir: dir, NPM: []string{filepath.Join("deploy", "postgres", "node_modules")}})
		if err != nil {
			os.RemoveAll(dir)
			return "", nil, err
		}
		url, stop = server.URL, func() { server.Stop(); os.RemoveAll(dir) }
	} else {
		url, stop = given, func() {}
	}
	if _, _, err := migrations.Run(ctx, url, migrations.Latest); err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

const slotLength = 10 * time.Minute

// prepare fills the world: slots from tomorrow morning on, a slot each for all bookings and the race, over doctors enough.
func (c *BookingCmd) prepare(ctx context.Context, db *pg.Pool) (*bed, error) {
	rules, err := eligibility.National()
	if err != nil {
		return nil, err
	}
	policy, err := authz.Load()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	queue, err := jobs.New(db, log, nil)
	if err != nil {
		return nil, err
	}
	b := &bed{policy: policy, now: time.Now().Truncate(time.Hour)}
	public, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	b.Service = &consult.Service{DB: db, Now: time.Now, Log: log, Rules: rules, Signer: signer, Live: silent{}, Jobs: queue}
	b.keyID = eligibility.KeyID(public)
	var taken bool
	if err := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM institution)`).Scan(&taken); err != nil || taken {
		return nil, errors.Join(err, fmt.Errorf("the database is not empty: the measurement fills it, so give it one of its own"))
	}
	if err := b.KeepLaw(ctx); err != nil {
		return nil, err
	}
	return b, db.InTx(ctx, func(tx pgx.Tx) error { return b.fill(ctx, tx, 2*c.Bookings+10, 2*c.Bookings+c.Racing) })
}

func (b *bed) fill(ctx context.Context, tx pgx.Tx, slots, people int) error {
	run := func(sql string, args ...any) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	}
	var err error
	must := func(sql string, args ...any) {
		if err == nil {
			err = run(sql, args...)
		}
	}
	for i := range b.places {
		b.places[i] = ids.New[ids.Institution]()
		must(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until, internet_service_registered, mlps3_until, platform_connected)
			VALUES ($1, $2, $2, 'internet_hospital', '420102', '', '', '2100-01-01', true, '2100-01-01', true)`, b.places[i], fmt.Sprint("bench ", i))
		must(`INSERT INTO institution_department VALUES ($1, '心血管内科')`, b.places[i])
		must(`INSERT INTO online_catalogue VALUES ($1, 'I10', 'chronic', 365, '心血管内科', '高血压', 'Hypertension')`, b.places[i])
	}
	perDoctor := 60 // ten hours from the morning on
	for i := range 1 + (slots+perDoctor-1)/perDoctor {
		account, doctor := ids.New[ids.Account](), ids.New[ids.Practitioner]()
		b.doctors = append(b.doctors, doctor)
		must(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', '', $2, '-', '\x00')`, account, account.String())
		must(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since, online_since)
			VALUES ($1, $2, 'physician', $3, '', 3, '执业医师', '{心血管内科}', true, 'passed', '2010-01-01', '2019-01-01')`, doctor, account, fmt.Sprint("医师", i))
		for p, at := range b.places {
			must(`INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent)
				VALUES ($1, $2, $3, $4, '42', '[2020-01-01,2100-01-01)', true)`, ids.New[ids.Registration](), doctor, at, map[bool]string{true: "primary", false: "filed"}[p == 0])
		}
		begin := b.now.AddDate(0, 0, 1)
		for day := range map[bool]int{true: 30, false: 1}[i == 0] { // the first doctor has a month at all five places in turn
			at := begin.AddDate(0, 0, day)
			if err == nil {
				_, err = b.OfferSlots(ctx, tx, consult.Offer{Doctor: doctor, Place: b.places[day%5], Department: "心血管内科",
					Span: schedule.Span{Start: at, End: at.Add(time.Duration(map[bool]int{true: 24, false: perDoctor}[i == 0]) * slotLength)}, Length: slotLength, FeeFen: 2000})
			}
		}
	}
	for range people {
		p := patient{&authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Patient}}}, ids.New[ids.Person]()}
		b.people = append(b.people, p)
	}
	accounts, persons := make([]string, people), make([]string, people)
	for i, p := range b.people {
		accounts[i], persons[i] = p.subject.Account.String(), p.person.String()
	}
	must(`INSERT INTO account (id, kind, name) SELECT unnest($1::uuid[]), 'patient', ''`, accounts)
	must(`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level, region)
		SELECT p, '病人', 'F', '1960-01-01', uuid_send(p), '\x00', '', 2, '420102' FROM unnest($1::uuid[]) p`, persons)
	must(`INSERT INTO proxy SELECT a, p, 'self', false FROM unnest($1::uuid[], $2::uuid[]) AS x (a, p)`, accounts, persons)
	must(`INSERT INTO evidence (id, person_id, account_id, institution_id, icd10, dx_date, source, institution_name, doc_type, verify, verified_at,
			file_name, content_type, size, sha256, object_key, request_key, uploaded_at)
		SELECT gen_random_uuid(), p, a, $3, 'I10.x00', current_date - 30, 'physical', '', '门诊病历', 'verified', now(), '', 'image/png', 1,
		       decode(repeat('00', 32), 'hex'), p::text, gen_random_uuid(), now() FROM unnest($1::uuid[], $2::uuid[]) AS x (a, p)`, accounts, persons, b.places[0])
	if err != nil {
		return err
	}
	return b.find(ctx, tx)
}

// find reads the bookable slots outside the first doctor's month once, before anything is measured.
func (b *bed) find(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT id FROM slot WHERE practitioner_id <> $1 ORDER BY practitioner_id, lower(during)`, b.doctors[0])
	if err != nil {
		return err
	}
	b.slots, err = pgx.CollectRows(rows, pgx.RowTo[ids.Slot])
	return err
}

func (b *bed) wish(p patient, slot ids.Slot) (context.Context, consult.Booking, error) {
	scope, err := b.policy.Scope(p.subject, "visit.book")
	ctx := authz.WithScope(authz.WithSubject(context.Background(), p.subject), scope)
	return ctx, consult.Booking{RequestKey: uuid.NewString(), Complaint: "续方", Ask: consult.Ask{Person: p.person, Slot: slot, Kind: "follow_up", ICD10: "I10.x00",
		Severity: "mild", IntendsRx: true, InternetCare: true, SensitivePI: true}}, err
}

func (b *bed) book(n int) error {
	deed, wish, err := b.wish(b.people[n], b.slots[n])
	if err != nil {
		return err
	}
	_, err = b.Book(deed, wish)
	return err
}

// byHand is what somebody would write who wants only the rows: the same inserts in one transaction, under the same constraints and triggers.
func (b *bed) byHand(ctx context.Context, n int) error {
	slot, p := b.slots[n], b.people[n]
	return pgx.BeginFunc(ctx, b.DB.Pool, func(tx pgx.Tx) error {
		visit := ids.New[ids.Visit]()
		for _, insert := range []struct {
			sql  string
			args []any
		}{
			{`INSERT INTO consent (id, person_id, account_id, kind, text_version, signed_at) VALUES (gen_random_uuid(), $1, $2, 'internet_care', '2026-01', now())`, []any{p.person, p.subject.Account}},
			{`INSERT INTO consent (id, person_id, account_id, kind, text_version, signed_at) VALUES (gen_random_uuid(), $1, $2, 'sensitive_pi', '2026-01', now())`, []any{p.person, p.subject.Account}},
			{`INSERT INTO visit (id, account_id, person_id, slot_id, practitioner_id, institution_id, kind, department, icd10, complaint, severity, intends_rx, state, room, request_key, booked_at)
				SELECT $1, $2, $3, s.id, s.practitioner_id, s.institution_id, 'follow_up', s.department, 'I10.x00', '续方', 'mild', true, 'booked', $5, gen_random_uuid(), now() FROM slot s WHERE s.id = $4`,
				[]any{visit, p.subject.Account, p.person, slot, uuid.NewString()}},
			{`INSERT INTO decision (id, person_id, visit_id, stage, verdict, reasons, ways, facts, facts_sha256, rule_set, rules_sha256, policies, ruling, signature, key_id, at)
				VALUES (gen_random_uuid(), $1, $2, 'booking', 'ALLOW', '[]', '[]', $3, repeat('0', 64), 'bench', $4, '{}', $5, $6, $7, now())`,
				[]any{p.person, visit, sampleFacts, b.Rules.Hash(), []byte(sampleFacts[:1000]), make([]byte, ed25519.SignatureSize), b.keyID}},
			{`INSERT INTO audit_entry (at, account_id, action, outcome, object, person_id) VALUES (clock_timestamp(), $1, 'decision.booking', 'done', '', $2)`, []any{p.subject.Account, p.person}},
			{`INSERT INTO river_job (args, kind, max_attempts, scheduled_at, state) VALUES ('{"visit": "00000000-0000-0000-0000-000000000000"}', 'visit_reminder', 25, now() + interval '1 day', 'scheduled')`, nil},
			{`INSERT INTO audit_entry (at, account_id, action, outcome, object, person_id) VALUES (clock_timestamp(), $1, 'visit.book', 'done', '', $2)`, []any{p.subject.Account, p.person}},
		} {
			if _, err := tx.Exec(ctx, insert.sql, insert.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// sampleFacts has the size of the facts that a decision keeps.
var sampleFacts = func() string {
	text := `{"filler": "`
	for len(text) < 2000 {
		text += "0123456789"
	}
	return text + `"}`
}()

// atOnce does n deeds, so many clients at the same time, and says how long all took. A client whose deed fails stops.
func atOnce(clients, n int, deed func(i int) error) (time.Duration, error) {
	var next atomic.Int64
	var done sync.WaitGroup
	failures := make(chan error, clients)
	begin := time.Now()
	for range clients {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := deed(i); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	done.Wait()
	spent := time.Since(begin)
	select {
	case err := <-failures:
		return spent, err
	default:
		return spent, nil
	}
}

// race lets everybody want one of ten slots at the same moment.
func (b *bed) race(from, racing int) (longest time.Duration, won int, err error) {
	var slots [10]ids.Slot
	copy(slots[:], b.slots[from:])
	var start, done sync.WaitGroup
	start.Add(1)
	waits, outcomes := make([]time.Duration, racing), make([]error, racing)
	for i := range racing {
		deed, wish, err := b.wish(b.people[from+i], slots[i%len(slots)])
		if err != nil {
			return 0, 0, err
		}
		done.Go(func() {
			start.Wait()
			begin := time.Now()
			_, outcomes[i] = b.Book(deed, wish)
			waits[i] = time.Since(begin)
		})
	}
	start.Done()
	done.Wait()
	for _, err := range outcomes {
		switch {
		case err == nil:
			won++
		case fault.As(err).Code != "slot_taken":
			return 0, 0, err
		}
	}
	return percentile(waits, 1), won, nil
}

// month asks for a doctor's open slots of a month, as the booking page does.
func (b *bed) month(ctx context.Context) (p95 time.Duration, open int, err error) {
	if _, err := b.DB.Exec(ctx, `ANALYZE`); err != nil {
		return 0, 0, err
	}
	var spent []time.Duration
	for range 300 {
		begin := time.Now()
		list, err := b.Slots(ctx, b.doctors[0], 31)
		if err != nil {
			return 0, 0, err
		}
		spent, open = append(spent, time.Since(begin)), len(list)
	}
	return percentile(spent, 0.95), open, nil
}
