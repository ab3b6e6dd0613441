package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgtest"
)

func newLog(t *testing.T, db *pg.Pool) *Log {
	l, err := NewLog(db, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write21(t *testing.T, l *Log) {
	for i := range 21 {
		err := l.DB.InTx(t.Context(), func(tx pgx.Tx) error {
			return Write(t.Context(), tx, Entry{Action: "visit.read", Object: fmt.Sprintf("visit/%d", i)})
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%5 == 4 { // heads over trees of several sizes
			if n, err := l.Seal(t.Context()); err != nil || n != 5 {
				t.Fatalf("sealed %d, %v", n, err)
			}
		}
	}
}

func TestUntouchedLogVerifies(t *testing.T) {
	l := newLog(t, pgtest.New(t))
	write21(t, l)
	r, err := l.Verify(t.Context())
	if err != nil || !r.Good() || r.Sealed != 20 || r.Unsealed != 1 || r.Heads != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestEveryKindOfTamperingIsSeen(t *testing.T) {
	for name, sql := range map[string]string{
		"one word of one row":                   `UPDATE audit_entry SET reason = 'nothing' WHERE leaf = 7`,
		"who did it":                            `UPDATE audit_entry SET account_id = gen_random_uuid() WHERE leaf = 0`,
		"a row removed from the middle":         `DELETE FROM audit_entry WHERE leaf = 9`,
		"the last rows removed":                 `DELETE FROM audit_entry WHERE leaf >= 15`,
		"two rows swapped":                      `UPDATE audit_entry SET object = CASE leaf WHEN 3 THEN 'visit/4' ELSE 'visit/3' END WHERE leaf IN (3, 4)`,
		"a head rewritten":                      `UPDATE audit_head SET root = '\x00' WHERE size = 10`,
		"a head's signature taken from another": `UPDATE audit_head SET note = (SELECT note FROM audit_head WHERE size = 5) WHERE size = 10`,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, pgtest.New(t))
			write21(t, l)
			if _, err := l.DB.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
			if r, err := l.Verify(t.Context()); err != nil || r.Good() {
				t.Fatalf("not noticed: %+v, %v", r, err)
			}
		})
	}
}

func TestRowAndHashAlteredTogether(t *testing.T) {
	l := newLog(t, pgtest.New(t))
	write21(t, l)
	var e row
	rows, _ := l.DB.Query(t.Context(), `UPDATE audit_entry SET reason = 'forged' WHERE leaf = 6 RETURNING `+rowColumns)
	e, err := pgx.CollectOneRow(rows, pgx.RowToStructByName[row])
	if err != nil {
		t.Fatal(err)
	}
	hash := tlog.RecordHash(e.leaf())
	if _, err := l.DB.Exec(t.Context(), `UPDATE audit_hash SET hash = $1 WHERE index = leaf_index(6)`, hash[:]); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Verify(t.Context()); err != nil || r.Good() {
		t.Fatalf("a forger with the whole database was not noticed: %+v, %v", r, err)
	}
}

func TestEntryDiesWithItsDeed(t *testing.T) {
	l := newLog(t, pgtest.New(t))
	undone := fmt.Errorf("changed my mind")
	err := l.DB.InTx(t.Context(), func(tx pgx.Tx) error {
		if err := Write(t.Context(), tx, Entry{Action: "visit.book", Object: "visit/1"}); err != nil {
			return err
		}
		return undone
	})
	if err != undone {
		t.Fatal(err)
	}
	if n, err := l.Seal(context.Background()); err != nil || n != 0 {
		t.Fatalf("sealed %d entries of a deed that was not done, %v", n, err)
	}
}
