package consult

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

const evidenceColumns = `e.id, e.person_id, e.icd10, to_char(e.dx_date, 'YYYY-MM-DD') AS dx_date, e.source, e.institution_name, e.doc_type, e.verify,
	e.verified_at, e.note, e.file_name, e.content_type, e.size, e.object_key, e.institution_id, e.account_id, 'upload' AS origin, '' AS doctor`

// evidenceInScope: own persons; the patients of a doctor's visits; the place that checks.
const evidenceInScope = `(@scope_all OR e.institution_id = ANY (@scope_places)
	OR EXISTS (SELECT FROM visit v WHERE v.person_id = e.person_id AND v.practitioner_id = @scope_practitioner AND v.state <> 'cancelled')
	OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = e.person_id))`

type evidenceFilter struct {
	Person ids.Person
	ID     ids.Evidence
}

// selectEvidence reads what was uploaded, and for a person also what the hospitals know themselves.
func selectEvidence(ctx context.Context, tx tx, scope authz.Scope, f evidenceFilter) ([]Evidence, error) {
	list, err := collect(ctx, tx, pgx.RowToStructByName[Evidence], `
		SELECT `+evidenceColumns+` FROM evidence e
		WHERE `+evidenceInScope+` AND (@person::uuid IS NULL OR e.person_id = @person) AND (@id::uuid IS NULL OR e.id = @id)
		ORDER BY e.uploaded_at DESC, e.id LIMIT 100`, scope.With(pgx.NamedArgs{"person": f.Person, "id": f.ID}))
	if err != nil || f.Person.IsZero() {
		return list, err
	}
	found, err := collect(ctx, tx, pgx.RowToStructByName[Evidence], `
		SELECT f.id, f.person_id, f.icd10, to_char(f.dx_date, 'YYYY-MM-DD') AS dx_date, f.source, i.name AS institution_name, f.doc_type, 'verified' AS verify,
		       f.at AS verified_at, '' AS note, '' AS file_name, '' AS content_type, 0 AS size, '' AS object_key, f.institution_id, NULL::uuid AS account_id, f.origin, f.doctor
		FROM (SELECT h.id, p.id AS person_id, h.icd10, h.dx_date, 'physical' AS source, h.doc_type, h.taken_in_at AS at, h.institution_id, 'hospital_record' AS origin, h.doctor
		      FROM hospital_record h JOIN person p ON p.id_lookup = h.id_lookup WHERE p.id = @person AND h.withdrawn_at IS NULL
		      UNION ALL
		      SELECT r.id, v.person_id, x.icd10, (r.signed_at AT TIME ZONE 'Asia/Shanghai')::date, 'online', '网上病历', r.signed_at, v.institution_id, 'visit_record', d.name
		      FROM visit v JOIN record r ON r.visit_id = v.id AND r.signed_at IS NOT NULL JOIN practitioner d ON d.id = r.practitioner_id
		      CROSS JOIN LATERAL unnest(r.diagnoses) x (icd10)
		      WHERE v.person_id = @person) f
		JOIN institution i ON i.id = f.institution_id
		WHERE @scope_all OR f.institution_id = ANY (@scope_places)
		   OR EXISTS (SELECT FROM visit v WHERE v.person_id = @person AND v.practitioner_id = @scope_practitioner AND v.institution_id = f.institution_id AND v.state <> 'cancelled')
		   OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = @person)
		ORDER BY f.dx_date DESC, f.id LIMIT 100`, scope.With(pgx.NamedArgs{"person": f.Person}))
	return append(list, found...), err
}

// askEvidence asks for the evidence of a person who wants a slot.
func askEvidence(b *pgx.Batch, list *[]eligibility.Evidence, person ids.Person, slot ids.Slot) {
	ask(b, list, func(row pgx.CollectableRow) (e eligibility.Evidence, err error) {
		var at time.Time
		err = row.Scan(&e.Origin, &e.Record, &e.ICD10, &at, &e.Source, &e.Verify)
		e.DxDate = eligibility.DayOf(at)
		return e, err
	}, evidenceOf("$1", "(SELECT institution_id FROM slot WHERE id = $2)"), person, slot)
}

// evidenceOf is what a person uploaded, and of what the place itself has signed the newest of each category: its own records of
// visits in person, and of visits here. Another place's records stay there (CON-04). Person and place are expressions.
func evidenceOf(person, place string) string {
	return `
		SELECT 'upload' AS origin, id::text AS record, icd10, dx_date, source, verify FROM evidence WHERE person_id = ` + person + `
		UNION ALL
		(SELECT DISTINCT ON (left(h.icd10, 3)) 'hospital_record', h.id::text, h.icd10, h.dx_date, 'physical', 'verified'
		 FROM hospital_record h JOIN person p ON p.id_lookup = h.id_lookup
		 WHERE p.id = ` + person + ` AND h.institution_id = ` + place + ` AND h.withdrawn_at IS NULL
		 ORDER BY left(h.icd10, 3), h.dx_date DESC, h.id)
		UNION ALL
		(SELECT DISTINCT ON (left(x.icd10, 3)) 'visit_record', r.id::text, x.icd10, (r.signed_at AT TIME ZONE 'Asia/Shanghai')::date, 'online', 'verified'
		 FROM visit was JOIN record r ON r.visit_id = was.id AND r.signed_at IS NOT NULL CROSS JOIN LATERAL unnest(r.diagnoses) x (icd10)
		 WHERE was.person_id = ` + person + ` AND was.institution_id = ` + place + `
		 ORDER BY left(x.icd10, 3), r.signed_at DESC, r.id)
		ORDER BY origin, record, icd10`
}

type knownPerson struct {
	id       ids.Person
	name     string
	accounts []ids.Account
}

// peopleOf finds who of the records is registered here, by the lookup of the ID number.
func peopleOf(ctx context.Context, tx tx, records []HospitalRecord) (map[string]knownPerson, error) {
	lookups := make([][]byte, len(records))
	for i, r := range records {
		lookups[i] = r.lookup
	}
	rows, err := tx.Query(ctx, `
		SELECT p.id_lookup, p.id, p.name, ARRAY (SELECT x.account_id FROM proxy x WHERE x.person_id = p.id)
		FROM person p WHERE p.id_lookup = ANY ($1)`, lookups)
	if err != nil {
		return nil, err
	}
	people := map[string]knownPerson{}
	var lookup []byte
	var p knownPerson
	_, err = pgx.ForEachRow(rows, []any{&lookup, &p.id, &p.name, &p.accounts}, func() error {
		people[string(lookup)] = knownPerson{p.id, p.name, slices.Clone(p.accounts)}
		return nil
	})
	return people, err
}

// putRecords writes what is new and withdraws what the file withdraws. wrong are lines that say otherwise than when they were taken in.
func putRecords(ctx context.Context, tx tx, place ids.Institution, records []HospitalRecord, by ids.Account, now time.Time) (done TakenIn, wrong []WrongLine, err error) {
	n := len(records)
	id, no, lookup, icd10, date := make([]string, n), make([]string, n), make([][]byte, n), make([]string, n), make([]string, n)
	kind, department, doctor, withdrawn, line := make([]string, n), make([]string, n), make([]string, n), make([]bool, n), make([]int, n)
	for i, r := range records {
		id[i], no[i], lookup[i], icd10[i], date[i] = ids.New[ids.Evidence]().String(), r.No, r.lookup, r.ICD10, r.DxDate
		kind[i], department[i], doctor[i], withdrawn[i], line[i] = r.DocType, r.Department, r.Doctor, r.Withdrawn, r.line
	}
	args := pgx.NamedArgs{"place": place, "id": id, "no": no, "lookup": lookup, "icd10": icd10, "date": date, "kind": kind, "department": department,
		"doctor": doctor, "withdrawn": withdrawn, "line": line, "by": by, "now": now}
	const sent = `unnest(@id::uuid[], @no::text[], @lookup::bytea[], @icd10::text[], @date::date[], @kind::text[], @department::text[], @doctor::text[],
		@withdrawn::bool[], @line::int[]) AS f (id, no, lookup, icd10, date, kind, department, doctor, withdrawn, line)`
	tag, err := tx.Exec(ctx, `
		INSERT INTO hospital_record (id, institution_id, record_no, id_lookup, icd10, dx_date, doc_type, department, doctor, taken_in_by, taken_in_at)
		SELECT f.id, @place, f.no, f.lookup, f.icd10, f.date, f.kind, f.department, f.doctor, @by, @now FROM `+sent+`
		WHERE NOT f.withdrawn ORDER BY f.no, f.icd10 ON CONFLICT (institution_id, record_no, icd10) DO NOTHING`, args)
	if err != nil {
		return done, nil, err
	}
	done.Taken = int(tag.RowsAffected())
	differ, err := collect(ctx, tx, pgx.RowTo[int], `
		SELECT f.line FROM `+sent+` LEFT JOIN hospital_record h ON h.institution_id = @place AND h.record_no = f.no AND h.icd10 = f.icd10
		WHERE h.id IS NULL OR (h.id_lookup, h.dx_date, h.doc_type, h.department, h.doctor) IS DISTINCT FROM (f.lookup, f.date, f.kind, f.department, f.doctor)
		   OR NOT f.withdrawn AND h.withdrawn_at IS NOT NULL
		ORDER BY f.line`, args)
	if err != nil {
		return done, nil, err
	}
	for _, at := range differ {
		wrong = append(wrong, WrongLine{at, fault.Text{ZH: "与以前导入的内容不同，或已经作废，或从未导入。要更正，先作废旧的，再用新的病案号导入。",
			EN: "it differs from what was taken in, was withdrawn, or never was here. To correct a record withdraw it and send it under a new number."}})
	}
	if tag, err = tx.Exec(ctx, `
		UPDATE hospital_record h SET withdrawn_by = @by, withdrawn_at = @now FROM `+sent+`
		WHERE h.institution_id = @place AND h.record_no = f.no AND h.icd10 = f.icd10 AND f.withdrawn AND h.withdrawn_at IS NULL`, args); err != nil {
		return done, nil, err
	}
	done.Withdrawn = int(tag.RowsAffected())
	done.Known = n - done.Taken - done.Withdrawn
	return done, wrong, nil
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
