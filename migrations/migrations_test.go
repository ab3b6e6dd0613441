package migrations_test

import (
	"testing"

	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/migrations"
)

func TestDownAndUpAgain(t *testing.T) {
	url := pgtest.URL(t)
	if _, to, err := migrations.Run(t.Context(), url, 0); err != nil || to != 0 {
		t.Fatalf("down: at %d, %v", to, err)
	}
	if from, to, err := migrations.Run(t.Context(), url, migrations.Latest); err != nil || from != 0 || to == 0 {
		t.Fatalf("up again: from %d to %d, %v", from, to, err)
	}
}
