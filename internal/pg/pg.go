// Package pg is the one way to Postgres: a pool, a transaction with retry, and
// names for what the database refuses.
package pg

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is a pool or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Pool is a pgx pool; made by Open, closed by its owner.
type Pool struct{ *pgxpool.Pool }

// Open connects and checks that the database answers.
func Open(ctx context.Context, url string) (*Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.ConnectTimeout = 3 * time.Second
	cfg.ConnConfig.RuntimeParams["timezone"] = "Asia/Shanghai"
	cfg.ConnConfig.RuntimeParams["application_name"] = "yuanzhen"
	// A statement that waits longer than a person would is refused, not queued.
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "15s"
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "15s"
	cfg.MaxConns = max(cfg.MaxConns, 16)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return &Pool{pool}, nil
}

// InTx runs deed in one transaction and commits it. Serialization failures and
// deadlocks are tried again, three times in all: deed must not act outside tx.
func (p *Pool) InTx(ctx context.Context, deed func(tx pgx.Tx) error) error {
	var err error
	for range 3 {
		done := false // the deed is, and COMMIT goes out
		err = pgx.BeginFunc(ctx, p.Pool, func(tx pgx.Tx) error {
			err := deed(tx)
			if err == nil {
				err = ctx.Err()
			}
			done = err == nil
			return err
		})
		if done {
			err = unanswered(err)
		}
		if code := sqlState(err); code != "40001" && code != "40P01" {
			return err
		}
	}
	return err
}

// InBatch does the statements in one round trip and one transaction, without telling what they find.
func (p *Pool) InBatch(ctx context.Context, b *pgx.Batch) error {
	conn, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return unanswered(conn.SendBatch(ctx, b).Close())
}

// Unclear reports whether a transaction of InTx or InBatch that ended with err may have been committed all the same: the
// line broke, or the time ran out, after COMMIT was sent and before it was answered. What it names outside the database has to stay.
func Unclear(err error) bool {
	var e *unclear
	return errors.As(err, &e)
}

type unclear struct{ error }

func (e *unclear) Unwrap() error { return e.error }

// unanswered marks the error of a COMMIT, unless the server said that it undid the transaction. What ends a session (FATAL)
// may come after the commit; pgconn.SafeToRetry says yes also of a line that broke while the answer was awaited.
func unanswered(err error) error {
	var e *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, pgx.ErrTxCommitRollback):
		return err
	case errors.As(err, &e) && e.SeverityUnlocalized == "ERROR" && e.Code != "40003": // statement_completion_unknown
		return err
	}
	return &unclear{err}
}

// Violates reports whether err is Postgres refusing by the named constraint
// (unique, exclusion, check or foreign key).
func Violates(err error, constraint string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && len(e.Code) == 5 && e.Code[:2] == "23" && e.ConstraintName == constraint
}

// Intact reports whether a transaction that met err can go on: the refusal did not come from Postgres.
func Intact(err error) bool { return sqlState(err) == "" }

// Away reports whether err means that the database can't be reached or is stopping.
func Away(err error) bool {
	var connect *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) {
		return true
	}
	code := sqlState(err)
	return len(code) == 5 && (code[:2] == "08" || code[:2] == "57" || code[:2] == "53") // connection, operator intervention, resources
}

// Unfit reports whether err means a value from outside that Postgres can't hold: NUL or broken UTF-8 in a
// text, a number or date beyond range.
func Unfit(err error) bool {
	switch sqlState(err) {
	case "22021", "22P05", "22003", "22007", "22008":
		return true
	}
	return false
}

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
