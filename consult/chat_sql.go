package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

type messageRow struct {
	ID            ids.Message
	InstitutionID ids.Institution
	Seat          string
	Name          string
	Role          string
	At            time.Time
	TextSealed    []byte
	ContentType   *string
	Size          *int64
	ObjectKey     *string
}

func selectMessages(ctx context.Context, tx tx, p matter, one ids.Message) ([]messageRow, error) {
	return collect(ctx, tx, pgx.RowToStructByName[messageRow], `
		SELECT id, institution_id, seat, name, role, at, text_sealed, content_type, size, object_key
		FROM room_message WHERE room_of = @room_of AND (@one::uuid IS NULL OR id = @one) ORDER BY at, id`,
		pgx.NamedArgs{"room_of": p.id(), "one": one})
}

func countMessages(ctx context.Context, tx tx, p matter) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM room_message WHERE room_of = $1`, p.id()).Scan(&n)
	return n, err
}

// messageOfRequest finds what an earlier sending of the same message has made.
func messageOfRequest(ctx context.Context, tx tx, p matter, key string) (id ids.Message, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM room_message WHERE room_of = $1 AND request_key = $2`, p.id(), key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

func insertMessage(ctx context.Context, tx tx, id ids.Message, v venue, sealed []byte, file *storedFile, key string, now time.Time) error {
	var contentType, object *string
	var size *int64
	var sum []byte
	if file != nil {
		contentType, object, size, sum = &file.contentType, &file.key, &file.size, file.sha256
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO room_message (id, visit_id, teleconsult_id, institution_id, account_id, link_id, seat, name, role, at, text_sealed, content_type, size, sha256, object_key, request_key)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		id, v.visit, v.teleconsult, v.institution.ID, v.by.account, v.by.link, string(v.by.seat), v.by.name, v.by.role, now, sealed, contentType, size, sum, object, key)
	return err
}
