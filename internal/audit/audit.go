// Package audit keeps the record of who read or wrote what, when and why.
//
// An entry is written in the transaction of the deed it records: no deed without
// entry, no entry without deed. A sealer numbers the entries and folds them into a
// Merkle tree (golang.org/x/mod/sumdb/tlog, RFC 9162 §2.1) whose heads are signed;
// whoever alters, adds or removes a row afterwards breaks the proof.
//
// Entries name things by id and carry no medical data and no names.
package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Entry is one line of the record. Actor, session and request id come from the context.
type Entry struct {
	Action string          // the route's action, or the system's deed: "visit.admit"
	Object string          // kind/id: "visit/0190…"
	Person ids.Person      // whose data, if a patient's
	Place  ids.Institution // who is liable
	Reason string          // coded or short; no medical data
	At     time.Time       // of a deed that carries its own time, such as a signature; zero: the database's clock
}

// Write records deeds in their own transaction, in order.
func Write(ctx context.Context, tx pgx.Tx, entries ...Entry) error {
	return write(ctx, tx, "done", entries...)
}

// Denied records a refused attempt.
func Denied(ctx context.Context, db pg.DB, e Entry) error { return write(ctx, db, "denied", e) }

// Queue is Write in a batch of the deed's transaction.
func Queue(ctx context.Context, b *pgx.Batch, entries ...Entry) {
	b.Queue(insert, columns(ctx, "done", entries)...)
}

func write(ctx context.Context, db pg.DB, outcome string, entries ...Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if _, err := db.Exec(ctx, insert, columns(ctx, outcome, entries)...); err != nil {
		return fmt.Errorf("audit %s: %w", entries[0].Action, err)
	}
	return nil
}

const insert = `
	INSERT INTO audit_entry (at, account_id, session_id, action, outcome, object, person_id, institution_id, reason, request_id)
	SELECT coalesce(e.at, clock_timestamp()), $1, $2, e.action, $3, e.object, nullif(e.person, '')::uuid, nullif(e.place, '')::uuid, e.reason, $4
	FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[]) WITH ORDINALITY AS e (action, object, person, place, reason, at, n)
	ORDER BY e.n`

func columns(ctx context.Context, outcome string, entries []Entry) []any {
	var account ids.Account
	var session ids.Session
	if s := authz.SubjectFrom(ctx); s != nil {
		account, session = s.Account, s.Session
	}
	var actions, objects, persons, places, reasons []string
	var times []*time.Time
	for _, e := range entries {
		at := &e.At
		if e.At.IsZero() {
			at = nil
		}
		times = append(times, at)
		actions, objects, reasons = append(actions, e.Action), append(objects, e.Object), append(reasons, e.Reason)
		persons, places = append(persons, e.Person.String()), append(places, e.Place.String())
	}
	return []any{account, session, outcome, RequestID(ctx), actions, objects, persons, places, reasons, times}
}

type requestKey struct{}

// WithRequestID names the request in every entry it leaves.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID is the request's name, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// row is an entry as it is sealed: every column but its place in the tree.
type row struct {
	ID            int64
	At            time.Time
	AccountID     ids.Account
	SessionID     ids.Session
	Action        string
	Outcome       string
	Object        string
	PersonID      ids.Person
	InstitutionID ids.Institution
	Reason        string
	RequestID     string
}

const rowColumns = `id, at, account_id, session_id, action, outcome, object, person_id, institution_id, reason, request_id`

// leaf is what the tree hashes: each column on its own line, quoted, so that no
// value can pretend to be two.
func (r row) leaf() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "yuanzhen audit 1\n%d\n%s\n", r.ID, r.At.UTC().Format("2006-01-02T15:04:05.000000Z"))
	for _, s := range []string{r.AccountID.String(), r.SessionID.String(), r.Action, r.Outcome, r.Object,
		r.PersonID.String(), r.InstitutionID.String(), r.Reason, r.RequestID} {
		fmt.Fprintf(&b, "%q\n", s)
	}
	return []byte(b.String())
}
