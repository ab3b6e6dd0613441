// Package pgtest gives each test a database of its own on a private cluster
// that the test process starts once.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgserver"
	"yuanzhen/migrations"
)

var (
	once    sync.Once
	cluster string // address of the maintenance database
	failure error
	count   atomic.Int64
)

// URL returns the address of a fresh database with all migrations applied. It
// is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	once.Do(func() { cluster, failure = start() })
	if failure != nil {
		t.Fatalf("PostgreSQL for the tests: %v", failure)
	}
	name := fmt.Sprintf("t%d", count.Add(1))
	exec(t, "CREATE DATABASE "+name+" TEMPLATE template_house")
	t.Cleanup(func() { exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return at(cluster, name)
}

// New is a pool on a fresh database.
func New(t testing.TB) *pg.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func start() (string, error) {
	ctx := context.Background()
	root := filepath.Join(os.TempDir(), "yuanzhen-pgtest-"+strconv.Itoa(os.Getuid()))
	sweep(root)
	server, err := pgserver.Start(ctx, pgserver.Options{
		Dir: filepath.Join(root, strconv.Itoa(os.Getpid())), NPM: npmFolders(), Temporary: true})
	if err != nil {
		return "", err
	}
	// It ends with this process; the next test process removes its folder.
	conn, err := pgx.Connect(ctx, at(server.URL, "postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE DATABASE template_house`); err != nil {
		return "", err
	}
	if _, _, err := migrations.Run(ctx, at(server.URL, "template_house"), migrations.Latest); err != nil {
		return "", err
	}
	return at(server.URL, "postgres"), nil
}

// sweep removes what earlier test processes left.
func sweep(root string) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
}

// npmFolders are the places where `make postgres` puts its binaries, seen from a package folder.
func npmFolders() []string {
	var found []string
	dir, _ := os.Getwd()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		found = append(found, filepath.Join(dir, "deploy", "postgres", "node_modules"))
	}
	return found
}

func exec(t testing.TB, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func at(address, database string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	u.Path = "/" + database
	return u.String()
}
