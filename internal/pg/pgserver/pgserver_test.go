package pgserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/pg/pgserver"
)

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var answer string
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestDataOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	start := func() *pgserver.Server {
		s, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir, Temporary: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := start()
	conn, err := pgx.Connect(t.Context(), first.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `CREATE TABLE note AS SELECT 'kept' AS text`); err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())

	attached, err := pgserver.Attach(dir)
	if err != nil || attached == nil || attached.URL != first.URL {
		t.Fatalf("a second program does not find the running server: %+v, %v", attached, err)
	}
	attached.Stop() // must leave it alone
	if query(t, first.URL, `SELECT text FROM note`) != "kept" {
		t.Fatal("the server was stopped by a guest")
	}
	first.Stop()
	if attached, err = pgserver.Attach(dir); err != nil || attached != nil {
		t.Fatalf("found a server that has ended: %+v, %v", attached, err)
	}

	second := start()
	defer second.Stop()
	if query(t, second.URL, `SELECT text FROM note`) != "kept" {
		t.Fatal("data lost")
	}
}

func TestDataOfAnotherMajorVersionIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "pg-9", "data")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "pg_upgrade") {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "PG_VERSION")); err != nil {
		t.Fatal("the old data was touched")
	}
}

func TestMissingBinariesSayWhatToDo(t *testing.T) {
	t.Setenv("YUANZHEN_PG_BIN", t.TempDir())
	if _, err := pgserver.Find(nil); err == nil || !strings.Contains(err.Error(), "YUANZHEN_PG_BIN") {
		t.Fatalf("%v", err)
	}
}
