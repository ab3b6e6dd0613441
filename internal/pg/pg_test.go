package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgtest"
)

func TestUnclearIsWhatMayHaveBeenCommitted(t *testing.T) {
	address := pgtest.URL(t)
	db := pgtest.NewCut(t, address)
	if _, err := db.Exec(t.Context(), `CREATE TABLE kept (word text PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	const insert = `INSERT INTO kept (word) VALUES ($1)`
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	insertIn := func(word string) func(tx pgx.Tx) error {
		return func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), insert, word)
			return err
		}
	}
	batch := func(word string) *pgx.Batch {
		var b pgx.Batch
		b.Queue(insert, word)
		b.Queue(`SELECT 1`)
		return &b
	}
	refusal := errors.New("refused")
	for _, c := range []struct {
		name          string
		word          string // that is looked for
		cut           bool
		do            func() error
		unclear, kept bool
	}{
		{"the answer to COMMIT is lost", "first", true, func() error { return db.InTx(t.Context(), insertIn("first")) }, true, true},
		{"the answer to a batch is lost", "second", true, func() error { return db.InBatch(t.Context(), batch("second")) }, true, true},
		{"a transaction that is answered", "third", false, func() error { return db.InTx(t.Context(), insertIn("third")) }, false, true},
		{"a batch that is answered", "fourth", false, func() error { return db.InBatch(t.Context(), batch("fourth")) }, false, true},
		{"Postgres refuses a statement of a batch", "fifth", false, func() error {
			b := batch("fifth")
			b.Queue(insert, "first")
			return db.InBatch(t.Context(), b)
		}, false, false},
		{"the deed itself ends with an error", "sixth", false, func() error {
			return db.InTx(t.Context(), func(tx pgx.Tx) error { return errors.Join(insertIn("sixth")(tx), refusal) })
		}, false, false},
		{"the line breaks within the deed", "seventh", false, func() error {
			return db.InTx(t.Context(), func(tx pgx.Tx) error {
				return errors.Join(insertIn("seventh")(tx), tx.Conn().Close(t.Context()), refusal)
			})
		}, false, false},
		{"the time is over before COMMIT", "eighth", false, func() error {
			return db.InTx(gone, func(tx pgx.Tx) error { return insertIn("eighth")(tx) })
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.cut {
				db.After(c.word)
			}
			if err := c.do(); pg.Unclear(err) != c.unclear || (err == nil) != (c.kept && !c.cut) {
				t.Errorf("unclear: %v, want %v: %v", pg.Unclear(err), c.unclear, err)
			}
			var kept bool
			if err := db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM kept WHERE word = $1)`, c.word).Scan(&kept); err != nil || kept != c.kept {
				t.Errorf("kept: %v, want %v: %v", kept, c.kept, err)
			}
		})
	}
}
