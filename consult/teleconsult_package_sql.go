package consult

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

func insertPackage(ctx context.Context, tx tx, id ids.Teleconsult, place ids.Institution, key, sum string, size int, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO teleconsult_package (teleconsult_id, institution_id, object_key, sha256, size, kept_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, place, key, sum, size, now)
	return err
}

func selectPackages(ctx context.Context, tx tx, id ids.Teleconsult) ([]KeptPackage, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (k KeptPackage, err error) {
		err = row.Scan(&k.Institution.ID, &k.Institution.Name, &k.SHA256, &k.Size, &k.At, &k.key)
		return k, err
	}, `
		SELECT i.id, i.name, p.sha256, p.size, p.kept_at, p.object_key FROM teleconsult_package p JOIN institution i ON i.id = p.institution_id
		WHERE p.teleconsult_id = $1 ORDER BY p.kept_at, i.name`, id)
}
