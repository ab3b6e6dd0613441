package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// linkRow is a link as it opens or sells tickets.
type linkRow struct {
	ID             ids.Link
	VisitID        ids.Visit
	TeleconsultID  ids.Teleconsult
	Kind           LinkKind
	Seat           control.Seat
	PractitionerID ids.Practitioner
	Name           *string
	Role           *string
	Relation       string
	AdmittedAt     *time.Time
}

func (l linkRow) matter() matter { return matter{l.VisitID, l.TeleconsultID} }

const linkColumns = `id, visit_id, teleconsult_id, kind, seat, practitioner_id, name, role, relation, admitted_at`

// linkBySecret is an offered link that is still good.
func linkBySecret(ctx context.Context, tx tx, hash []byte, now time.Time) (linkRow, error) {
	return oneLink(ctx, tx, linkGone, `
		SELECT `+linkColumns+` FROM link
		WHERE secret_hash = $1 AND arrived_at IS NULL AND removed_at IS NULL AND expires_at > $2`, hash, now)
}

// linkByToken is an opened link whose seat was not taken away.
func linkByToken(ctx context.Context, tx tx, hash []byte) (linkRow, error) {
	return oneLink(ctx, tx, notSeated, `SELECT `+linkColumns+` FROM link WHERE token_hash = $1 AND removed_at IS NULL`, hash)
}

func oneLink(ctx context.Context, tx tx, none *fault.Error, sql string, args ...any) (linkRow, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return linkRow{}, err
	}
	l, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[linkRow])
	if errors.Is(err, pgx.ErrNoRows) {
		err = none
	}
	return l, err
}

func countLinks(ctx context.Context, tx tx, p matter) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM link WHERE room_of = $1`, p.id()).Scan(&n)
	return n, err
}

func insertLink(ctx context.Context, tx tx, l Link, v venue, seat control.Seat, hash []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO link (id, visit_id, teleconsult_id, institution_id, account_id, kind, seat, secret_hash, offered_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		l.ID, v.visit, v.teleconsult, v.institution.ID, v.by.account, string(l.Kind), string(seat), hash, now, l.Expires)
	return err
}

// openLink seats who came first. A device takes the seat from the devices before it.
func openLink(ctx context.Context, tx tx, l linkRow, token []byte, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE link SET token_hash = $2, arrived_at = $3, name = $4, role = $5, relation = $6, practitioner_id = $7
		WHERE id = $1 AND arrived_at IS NULL AND removed_at IS NULL`,
		l.ID, token, now, l.Name, l.Role, l.Relation, l.PractitionerID)
	if err != nil || tag.RowsAffected() == 0 || l.Kind != DeviceLink {
		return err == nil && tag.RowsAffected() == 1, err
	}
	_, err = tx.Exec(ctx, `UPDATE link SET removed_at = $4 WHERE room_of = $1 AND seat = $2 AND id <> $3 AND removed_at IS NULL`,
		l.matter().id(), string(l.Seat), l.ID, now)
	return true, err
}

func admitLink(ctx context.Context, tx tx, p matter, id ids.Link, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE link SET admitted_at = coalesce(admitted_at, $3)
		WHERE id = $1 AND room_of = $2 AND kind <> 'device' AND arrived_at IS NOT NULL AND removed_at IS NULL`, id, p.id(), now)
	return tag.RowsAffected() == 1, err
}

func removeLink(ctx context.Context, tx tx, p matter, id ids.Link, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE link SET removed_at = $3 WHERE id = $1 AND room_of = $2 AND kind <> 'device' AND arrived_at IS NOT NULL AND removed_at IS NULL`,
		id, p.id(), now)
	return tag.RowsAffected() == 1, err
}

// removeDevices ends every device that was lent a seat whose holder has changed.
func removeDevices(ctx context.Context, tx tx, p matter, seats []control.Seat, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE link SET removed_at = $3 WHERE room_of = $1 AND seat = ANY($2) AND kind = 'device' AND removed_at IS NULL`, p.id(), seats, now)
	return err
}

func selectCompanions(ctx context.Context, tx tx, p matter) ([]Companion, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (c Companion, err error) {
		err = row.Scan(&c.ID, &c.Seat, &c.Name, &c.Role, &c.Relation, &c.State, &c.Arrived)
		return c, err
	}, `
		SELECT id, seat, name, role, relation,
		       CASE WHEN removed_at IS NOT NULL THEN 'removed' WHEN admitted_at IS NOT NULL THEN 'admitted' ELSE 'waiting' END, arrived_at
		FROM link WHERE room_of = $1 AND kind <> 'device' AND arrived_at IS NOT NULL ORDER BY arrived_at, id`, p.id())
}

func putLock(ctx context.Context, tx tx, p matter, locked bool) error {
	sql := `UPDATE visit SET room_locked = $2, version = version + 1 WHERE id = $1`
	if p.visit.IsZero() {
		sql = `UPDATE teleconsult SET room_locked = $2 WHERE id = $1`
	}
	_, err := tx.Exec(ctx, sql, p.id(), locked)
	return err
}

func institutionPhone(ctx context.Context, tx tx, id ids.Institution) (phone string, err error) {
	err = tx.QueryRow(ctx, `SELECT phone FROM institution WHERE id = $1`, id).Scan(&phone)
	return phone, err
}

// physician is the title of a practitioner who is one.
func physician(ctx context.Context, tx tx, id ids.Practitioner) (title string, err error) {
	err = tx.QueryRow(ctx, `SELECT title FROM practitioner WHERE id = $1 AND kind = 'physician' AND NOT suspended`, id).Scan(&title)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.New(fault.Refused, "not_a_doctor", "这个链接是请医生的。", "This link is for a doctor.").
			WithRemedy("请用医生账号登录。", "Please sign in with a doctor's account.")
	}
	return title, err
}
