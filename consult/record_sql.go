package consult

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
)

// newestRecord is version 0 while nothing is written.
func newestRecord(ctx context.Context, tx tx, visit ids.Visit) (r Record, err error) {
	var canonical []byte
	var key *string
	err = tx.QueryRow(ctx, `
		SELECT version, sha256, canonical, written_at, signed_at, key_id::text, signature
		FROM record WHERE visit_id = $1 ORDER BY version DESC LIMIT 1`, visit).
		Scan(&r.Version, &r.SHA256, &canonical, &r.WrittenAt, &r.SignedAt, &key, &r.Signature)
	if errors.Is(err, pgx.ErrNoRows) {
		r.Diagnoses = []Diagnosis{}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if key != nil {
		r.KeyID = *key
	}
	var doc recordDocument
	r.Canonical, err = string(canonical), json.Unmarshal(canonical, &doc)
	r.RecordText = doc.Text
	return r, err
}

func insertRecord(ctx context.Context, tx tx, v Visit, version int, canonical []byte, sum string, codes []string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO record (id, visit_id, version, practitioner_id, institution_id, canonical, sha256, diagnoses, written_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		ids.New[ids.Record](), v.ID, version, v.Doctor.ID, v.Institution.ID, canonical, sum, codes, now)
	return err
}

func signRecord(ctx context.Context, tx tx, visit ids.Visit, version int, s keys.Signature) error {
	_, err := tx.Exec(ctx, `UPDATE record SET signature = $3, key_id = $4, signed_at = $5 WHERE visit_id = $1 AND version = $2 AND signed_at IS NULL`,
		visit, version, s.Sig, s.KeyID, s.At)
	return err
}
