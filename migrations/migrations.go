// Package migrations holds the database's history: numbered SQL files, up and
// down, embedded into the binary and run under an advisory lock. The job queue's
// own tables (River) come with them.
package migrations

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/tern/v2/migrate"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// Latest asks Run for the newest version.
const Latest = -1

// Run takes the database to the wanted version, up or down, and returns from
// which and to which version it went. Other processes that start at the same
// time wait for the advisory lock that the migrator holds.
func Run(ctx context.Context, url string, want int32) (from, to int32, err error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return 0, 0, err
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Release()
	m, err := migrate.NewMigrator(ctx, conn.Conn(), "public.schema_version")
	if err != nil {
		return 0, 0, err
	}
	if err := m.LoadMigrations(files); err != nil {
		return 0, 0, err
	}
	if want == Latest {
		want = int32(len(m.Migrations))
	}
	if from, err = m.GetCurrentVersion(ctx); err != nil {
		return 0, 0, err
	}
	if from > int32(len(m.Migrations)) {
		return from, from, fmt.Errorf("the database is at version %d, this program knows %d: run a newer program", from, len(m.Migrations))
	}
	if err := m.MigrateTo(ctx, want); err != nil {
		return from, from, fmt.Errorf("migrate from %d to %d: %w", from, want, err)
	}
	return from, want, jobTables(ctx, pool, want == 0)
}

func jobTables(ctx context.Context, pool *pgxpool.Pool, remove bool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	direction, opts := rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{}
	if remove {
		direction, opts = rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1}
	}
	if _, err = m.Migrate(ctx, direction, opts); err != nil {
		return fmt.Errorf("tables of the job queue: %w", err)
	}
	return nil
}
