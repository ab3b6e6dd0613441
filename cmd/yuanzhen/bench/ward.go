package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

// ward is a world to prescribe and dispense in: visits that are running, each with a draft over a full chart, and two
// approved pharmacies with prescriptions to collect. These are another patient's: what was prescribed belongs to the chart
// that a save reads.
type ward struct {
	*prescribe.Service
	db      *pg.Pool
	policy  *authz.Policy
	doctors door
	drafts  []draft
	issued  draft // copied into what is collected
	shops   [2]*authz.Subject
}

type draft struct {
	id    ids.Prescription
	token string // of the prescriber
}

// door knows people by their token.
type door map[string]*authz.Subject

func (d door) Resolve(_ context.Context, token string) (*authz.Subject, error) { return d[token], nil }

const (
	httpRate    = 200 // checks a second over HTTP
	httpDrafts  = 100 // so that a draft is saved twice a second
	raceTokens  = 2000
	claimAtOnce = 8
)

func (w *ward) as(s *authz.Subject, action string) (context.Context, error) {
	scope, err := w.policy.Scope(s, action)
	return authz.WithScope(authz.WithSubject(context.Background(), s), scope), err
}

// order is the prescription of the measured case, as a doctor sends it.
func order(kb *formulary.Knowledge) (prescribe.Order, check.Case, error) {
	_, cases, err := check.ReadCases(kb, strings.NewReader(chronic))
	if err != nil {
		return prescribe.Order{}, check.Case{}, err
	}
	o := prescribe.Order{Type: "long", Diagnosis: []string{"I10"}}
	for i, item := range cases[0].Items {
		o.Items = append(o.Items, prescribe.Item{Line: i + 1, Ingredient: item.Ingredient, Dose: item.Dose.String(), Unit: item.Unit, PerDay: int(item.PerDay.Ratio().Float()), Days: int(item.Days), Provenance: "typed"})
	}
	return o, cases[0], nil
}

// openWard fills a database of its own.
func openWard(ctx context.Context, db *pg.Pool, kb *formulary.Knowledge) (*ward, error) {
	b, err := (&BookingCmd{Bookings: httpDrafts/2 + 1}).prepare(ctx, db)
	if err != nil {
		return nil, err
	}
	w := &ward{db: db, policy: b.policy, doctors: door{}, Service: &prescribe.Service{DB: db, Now: time.Now, Visits: b.Service,
		Keys: &keys.Service{Now: time.Now}, Live: silent{}, Knowledge: kb, VerifyURL: "/verify#"}}
	o, known, err := order(kb)
	if err != nil {
		return nil, err
	}
	people := make([]string, httpDrafts+1)
	for i := range people {
		people[i] = b.people[i].person.String()
	}
	if err := db.InTx(ctx, func(tx pgx.Tx) error { return chart(ctx, tx, people, known) }); err != nil {
		return nil, err
	}
	for i := range people {
		visit := ids.New[ids.Visit]()
		var doctor authz.Subject
		if err := db.QueryRow(ctx, `
			WITH v AS (INSERT INTO visit (id, account_id, person_id, slot_id, practitioner_id, institution_id, kind, department, icd10, complaint, severity, intends_rx,
			                              state, room, request_key, booked_at, started_at)
			           SELECT $1, $2, $3, s.id, s.practitioner_id, s.institution_id, 'follow_up', s.department, 'I10.x00', '', 'mild', true,
			                  'in_consult', 'bench ' || s.id, gen_random_uuid(), now(), now() FROM slot s WHERE s.id = $4 RETURNING practitioner_id)
			SELECT d.id, d.account_id FROM v JOIN practitioner d ON d.id = v.practitioner_id`,
			visit, b.people[i].subject.Account, b.people[i].person, b.slots[i]).Scan(&doctor.Practitioner, &doctor.Account); err != nil {
			return nil, err
		}
		if _, err := db.Exec(ctx, `INSERT INTO decision (id, person_id, visit_id, stage, verdict, reasons, ways, facts, facts_sha256, rule_set, rules_sha256, policies, ruling, signature, key_id, at)
			VALUES (gen_random_uuid(), $1, $2, 'start', 'ALLOW', '[]', '[]', $3, repeat('0', 64), 'bench', $4, '{}', $5, $6, $7, now())`,
			b.people[i].person, visit, sampleFacts, b.Rules.Hash(), []byte(sampleFacts[:1000]), make([]byte, ed25519.SignatureSize), b.keyID); err != nil {
			return nil, err
		}
		doctor.Memberships = []authz.Membership{{Role: authz.Doctor, Place: b.places[0]}}
		w.doctors[doctor.Account.String()] = &doctor
		asDoctor, err := w.as(&doctor, "prescription.write")
		if err != nil {
			return nil, err
		}
		p, err := w.Write(asDoctor, visit, o, uuid.NewString())
		if err != nil {
			return nil, fmt.Errorf("draft %d: %w", i, err)
		}
		w.drafts = append(w.drafts, draft{p.ID, doctor.Account.String()})
	}
	w.drafts, w.issued = w.drafts[:httpDrafts], w.drafts[httpDrafts]
	return w, w.openPharmacies(ctx)
}

// chart gives everybody the same eight medicines, conditions and creatinine.
func chart(ctx context.Context, tx pgx.Tx, people []string, known check.Case) error {
	for _, m := range known.ActiveMeds {
		if _, err := tx.Exec(ctx, `INSERT INTO medicine (person_id, ingredient, name_zh, name_en, daily_dose, unit, until, source)
			SELECT unnest($1::uuid[]), $2, $2, $2, $3::text::numeric, $4, current_date + 3, 'hospital'`, people, m.Ingredient, m.DailyDose.String(), m.Unit); err != nil {
			return err
		}
	}
	for _, code := range known.Patient.Conditions {
		if _, err := tx.Exec(ctx, `INSERT INTO condition (person_id, icd10, name) SELECT unnest($1::uuid[]), $2, $2`, people, code); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO observation (person_id, kind, value, unit, at) SELECT unnest($1::uuid[]), 'creatinine', $2::text::numeric, 'umol/L', current_date`,
		people, known.Patient.Creatinine.String())
	return err
}

// openPharmacies approves two, and makes copies of one draft into prescriptions that wait to be collected.
func (w *ward) openPharmacies(ctx context.Context) error {
	var admins [3]ids.Account
	for i := range admins {
		admins[i] = ids.New[ids.Account]()
		if _, err := w.db.Exec(ctx, `INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', '', $2, '-', '\x00')`, admins[i], admins[i].String()); err != nil {
			return err
		}
	}
	for i := range w.shops {
		place := ids.New[ids.Institution]()
		w.shops[i] = &authz.Subject{Account: admins[i], Memberships: []authz.Membership{{Role: authz.Pharmacist, Place: place}}}
		if _, err := w.db.Exec(ctx, `INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until) VALUES ($1, $2, $2, 'pharmacy', '420102', '', '', '2100-01-01')`,
			place, fmt.Sprint("pharmacy ", i)); err != nil {
			return err
		}
		if _, err := w.db.Exec(ctx, `INSERT INTO pharmacy (institution_id, licence_no, business_scope, pharmacist, channels, documents, licence_until, state, applied_by, applied_at, first_by, first_at, second_by, second_at, checked_on)
			VALUES ($1, $2, '', '-', '{walk_in}', '[{"name": "-"}]', '2100-01-01', 'approved', $3, now(), $4, now(), $5, now(), current_date)`, place, fmt.Sprint("L", i), admins[0], admins[1], admins[2]); err != nil {
			return err
		}
	}
	if err := w.db.InTx(ctx, func(tx pgx.Tx) error {
		return w.Keys.Issue(ctx, tx, w.doctors[w.issued.token].Practitioner, uuid.NewString())
	}); err != nil {
		return err
	}
	return w.db.InTx(ctx, func(tx pgx.Tx) error {
		for _, insert := range []string{
			`INSERT INTO prescription (id, no, version, visit_id, person_id, practitioner_id, institution_id, type, state, diagnosis, days_reason, items, checked, check_case,
			                           canonical, sha256, risk, written_at, signature, key_id, signed_at, valid_until, evidence_code)
			 SELECT gen_random_uuid(), 'BENCH' || lpad(g::text, 20, '0'), 1, rx.visit_id, rx.person_id, rx.practitioner_id, rx.institution_id, rx.type, 'approved', rx.diagnosis, '', rx.items, '{}', '{}',
			        '\x7b7d', rx.sha256, 0, now(), '\x00', k.id, now(), now() + interval '1 day', 'BENCH' || g
			 FROM prescription rx JOIN signing_key k ON k.practitioner_id = rx.practitioner_id, generate_series(1, $2) g WHERE rx.id = $1`,
			`INSERT INTO prescription_part (id, prescription_id, part, not_before, not_after, state, token_hash)
			 SELECT gen_random_uuid(), id, 1, current_date - 1, now() + interval '1 day', 'ready', sha256(convert_to(no, 'UTF8')) FROM prescription WHERE id <> $1 AND state = 'approved' AND $2 > 0`,
			`INSERT INTO prescription_part_line (part_id, line, days, remain)
			 SELECT pt.id, (i->>'line')::int, (i->>'days')::int, (i->>'days')::int FROM prescription_part pt JOIN prescription rx ON rx.id = pt.prescription_id, jsonb_array_elements(rx.items) i WHERE rx.id <> $1 AND $2 > 0`,
		} {
			if _, err := tx.Exec(ctx, insert, w.issued.id, raceTokens); err != nil {
				return err
			}
		}
		return nil
	})
}

// overHTTP saves drafts at an even rate, whatever the answers take: each save reads visit, people, evidence and chart, checks,
// and writes the new text. The wait counts from the moment at which the request was due.
func (w *ward) overHTTP(kb *formulary.Knowledge, seconds int) (p95 time.Duration, err error) {
	o, _, err := order(kb)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	mux := http.NewServeMux()
	api := httpapi.New(mux, "bench", w.policy, w.doctors, w.db, slog.New(slog.DiscardHandler))
	w.Routes(api)
	server := httptest.NewServer(api.Edge(prometheus.NewRegistry(), mux))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = httpDrafts
	save := func(d draft) error {
		request, err := http.NewRequest(http.MethodPut, server.URL+"/api/v1/prescriptions/"+d.id.String(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+d.token)
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("save answered %d %.300s", response.StatusCode, text)
		}
		return err
	}
	measure := func(n int) ([]time.Duration, error) {
		waits, failed := make([]time.Duration, n), make([]error, n)
		var done sync.WaitGroup
		begin := time.Now()
		for i := range n {
			due := begin.Add(time.Duration(i) * time.Second / httpRate)
			time.Sleep(time.Until(due))
			done.Go(func() {
				failed[i] = save(w.drafts[i%len(w.drafts)])
				waits[i] = time.Since(due)
			})
		}
		done.Wait()
		return waits, errors.Join(failed...)
	}
	if _, err := measure(httpRate); err != nil { // warm
		return 0, err
	}
	waits, err := measure(seconds * httpRate)
	if err != nil {
		return 0, err
	}
	return percentile(waits, 0.95), nil
}

// claim asks for a prescription as one of the two pharmacies; won is false when the other was first.
func (w *ward) claim(shop, token int) (won bool, err error) {
	ctx, err := w.as(w.shops[shop], "prescription.claim")
	if err != nil {
		return false, err
	}
	_, err = w.ClaimPart(ctx, prescribe.Claiming{Code: fmt.Sprintf("BENCH%020d", token+1), Channel: "walk_in"})
	if err != nil && fault.As(err).Code == "already_claimed" {
		return false, nil
	}
	return err == nil, err
}

// lapse ends all leases, as half an hour would.
func (w *ward) lapse(ctx context.Context) error {
	_, err := w.db.Exec(ctx, `UPDATE prescription_part SET state = 'ready', claimed_by = NULL, lease_until = NULL WHERE state = 'claimed'`)
	return err
}

// claims a second, with the pharmacy's right, the rules of the channel, the event and the audit entry.
func (w *ward) claims(ctx context.Context) (rate float64, err error) {
	spent, err := atOnce(claimAtOnce, raceTokens, func(i int) error {
		won, err := w.claim(i%2, i)
		if err == nil && !won {
			err = errors.New("a prescription that nobody had was refused")
		}
		return err
	})
	return float64(raceTokens) / spent.Seconds(), errors.Join(err, w.lapse(ctx))
}

// races lets both pharmacies want the same prescription at the same moment, round by round. Double counts races that both won or
// neither, and events beyond one a race.
func (w *ward) races(ctx context.Context, n int) (double int, err error) {
	var wrong atomic.Int64
	for from := 0; from < n && err == nil; from += raceTokens {
		tokens := min(raceTokens, n-from)
		before, counted := 0, 0
		const events = `SELECT count(*) FROM dispense_event WHERE deed = 'claim'`
		if err = w.db.QueryRow(ctx, events).Scan(&before); err != nil {
			return 0, err
		}
		_, err = atOnce(claimAtOnce/2, tokens, func(i int) error {
			var won [2]bool
			var failed [2]error
			var start, done sync.WaitGroup
			start.Add(1)
			for shop := range won {
				done.Go(func() {
					start.Wait()
					won[shop], failed[shop] = w.claim(shop, i)
				})
			}
			start.Done()
			done.Wait()
			if won[0] == won[1] {
				wrong.Add(1)
			}
			return errors.Join(failed[:]...)
		})
		if err == nil {
			err = w.db.QueryRow(ctx, events).Scan(&counted)
		}
		if counted-before != tokens {
			wrong.Add(1)
		}
		err = errors.Join(err, w.lapse(ctx))
	}
	return int(wrong.Load()), err
}
