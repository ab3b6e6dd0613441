package pgtest

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"yuanzhen/internal/pg"
)

// Cut is a pool on the database at address whose line breaks when told so.
type Cut struct {
	*pg.Pool
	after atomic.Pointer[string]
}

// NewCut connects to it.
func NewCut(t testing.TB, address string) *Cut {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cut{}
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		return &line{Conn: conn, of: c}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c.Pool = &pg.Pool{Pool: pool}
	return c
}

// After breaks the line once: of the transaction in which words are sent next, everything reaches the server, and its last
// answer, that it is done, doesn't come back.
func (c *Cut) After(words string) { c.after.Store(&words) }

type line struct {
	net.Conn
	of  *Cut
	cut atomic.Bool
}

func (l *line) Write(b []byte) (int, error) {
	if words := l.of.after.Load(); words != nil && bytes.Contains(b, []byte(*words)) && l.of.after.CompareAndSwap(words, nil) {
		l.cut.Store(true)
	}
	return l.Conn.Write(b)
}

// outside is the end of an answer after which no transaction is open (ReadyForQuery).
var outside = []byte{'Z', 0, 0, 0, 5, 'I'}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.cut.Load() && bytes.HasSuffix(b[:n], outside) {
		l.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
