package consult

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

const evidenceColumns = `e.id, e.person_id, e.icd10, to_char(e.dx_date, 'YYYY-MM-DD') AS dx_date, e.source, e.institution_name, e.doc_type, e.verify,
	e.verified_at, e.note, e.file_name, e.content_type, e.size, e.object_key, e.institution_id, e.account_id`

// evidenceInScope: own persons; the patients of a doctor's visits; the place that checks.
const evidenceInScope = `(@scope_all OR e.institution_id = ANY (@scope_places)
	OR EXISTS (SELECT FROM visit v WHERE v.person_id = e.person_id AND v.practitioner_id = @scope_practitioner AND v.state <> 'cancelled')
	OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = e.person_id))`

type evidenceFilter struct {
	Person ids.Person
	ID     ids.Evidence
}

func selectEvidence(ctx context.Context, tx tx, scope authz.Scope, f evidenceFilter) ([]Evidence, error) {
	return collect(ctx, tx, pgx.RowToStructByName[Evidence], `
		SELECT `+evidenceColumns+` FROM evidence e
		WHERE `+evidenceInScope+` AND (@person::uuid IS NULL OR e.person_id = @person) AND (@id::uuid IS NULL OR e.id = @id)
		ORDER BY e.uploaded_at DESC, e.id LIMIT 100`, scope.With(pgx.NamedArgs{"person": f.Person, "id": f.ID}))
}

// personInReach tells somebody who has no record from somebody else's patient: fault.NotFound.
func personInReach(ctx context.Context, tx tx, scope authz.Scope, person ids.Person) error {
	var reached bool
	err := tx.QueryRow(ctx, `
		SELECT @scope_all OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = @person)
		       OR EXISTS (SELECT FROM visit v WHERE v.person_id = @person AND v.state <> 'cancelled'
		                  AND (v.practitioner_id = @scope_practitioner OR v.institution_id = ANY (@scope_places)))`,
		scope.With(pgx.NamedArgs{"person": person})).Scan(&reached)
	if err == nil && !reached {
		err = fault.Missing()
	}
	return err
}

func oneEvidence(ctx context.Context, tx tx, scope authz.Scope, id ids.Evidence) (Evidence, error) {
	if id.IsZero() { // would filter nothing
		return Evidence{}, fault.Missing()
	}
	list, err := selectEvidence(ctx, tx, scope, evidenceFilter{ID: id})
	if err != nil {
		return Evidence{}, err
	}
	if len(list) == 0 {
		return Evidence{}, fault.Missing()
	}
	return list[0], nil
}

// evidenceOfRequest finds what an earlier sending of the same upload has made.
func evidenceOfRequest(ctx context.Context, tx tx, account ids.Account, key string) (Evidence, error) {
	rows, err := tx.Query(ctx, `SELECT `+evidenceColumns+` FROM evidence e WHERE e.account_id = $1 AND e.request_key = $2`, account, key)
	if err != nil {
		return Evidence{}, err
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Evidence])
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return e, err
}

// checkingPlace is an institution that follows the disease up online, else any that gives internet care.
func checkingPlace(ctx context.Context, tx tx, icd10 string) (place ids.Institution, err error) {
	err = tx.QueryRow(ctx, `
		SELECT i.id FROM institution i
		LEFT JOIN online_catalogue c ON c.institution_id = i.id AND c.icd10_cat = left($1, 3)
		WHERE i.internet_service_registered
		ORDER BY c.icd10_cat IS NULL, i.code LIMIT 1`, icd10).Scan(&place)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.New(fault.Unavailable, "nobody_checks", "现在没有医院可以审核资料。", "No hospital can check records at present.").
			WithRemedy("请稍后再试。", "Please try again later.")
	}
	return place, err
}

func insertEvidence(ctx context.Context, tx tx, id ids.Evidence, n NewEvidence, account ids.Account, place ids.Institution, key, contentType string, sum []byte, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO evidence (id, person_id, account_id, institution_id, icd10, dx_date, source, institution_name, doc_type, verify,
		                      file_name, content_type, size, sha256, object_key, request_key, uploaded_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'physical', $7, $8, 'pending', $9, $10, $11, $12, $13, $14, $15)`,
		id, n.Person, account, place, n.ICD10, n.DxDate, n.InstitutionName, n.DocType, n.FileName, contentType, len(n.File), sum, key, n.RequestKey, now)
	return err
}

func selectEvidenceQueue(ctx context.Context, tx tx, scope authz.Scope, now time.Time) ([]QueuedEvidence, error) {
	type row struct {
		Evidence
		Name      string
		Sex       string
		BirthDate time.Time
		WaitingS  int
	}
	rows, err := tx.Query(ctx, `
		SELECT `+evidenceColumns+`, p.name, p.sex, p.birth_date, extract(epoch FROM @now::timestamptz - e.uploaded_at)::int AS waiting_s
		FROM evidence e JOIN person p ON p.id = e.person_id
		WHERE e.verify = 'pending' AND (@scope_all OR e.institution_id = ANY (@scope_places))
		ORDER BY e.uploaded_at, e.id LIMIT 100`, scope.With(pgx.NamedArgs{"now": now}))
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
	list := make([]QueuedEvidence, len(found))
	for i, r := range found {
		list[i] = QueuedEvidence{r.Evidence, Patient{r.PersonID, r.Name, r.Sex, ageOf(r.BirthDate, now)}, r.WaitingS}
	}
	return list, err
}

func settleEvidence(ctx context.Context, tx tx, id ids.Evidence, c EvidenceCheck, by ids.Account, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE evidence SET verify = $2, icd10 = $3, dx_date = $4, note = $5, verified_by = $6, verified_at = $7
		WHERE id = $1 AND verify = 'pending'`, id, c.Result, c.ICD10, c.DxDate, c.Note, by, now)
	return tag.RowsAffected() == 1, err
}
