package imaging

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
)

// lists says, for each level, what a line is, what its one object is taken from, and how lines are ordered.
var lists = [...]struct{ from, count, order string }{
	studies: {
		`study s LEFT JOIN LATERAL (SELECT '' AS uid, '' AS modality, '' AS description, '' AS series_date, NULL::int AS number) e ON true
			JOIN LATERAL (SELECT o.* FROM series x JOIN instance o ON o.series_id = x.id WHERE x.study_id = s.id LIMIT 1) i ON true`,
		`(SELECT count(*) FROM instance o JOIN series x ON o.series_id = x.id WHERE x.study_id = s.id)`,
		`s.study_date DESC, s.id DESC`},
	seriesLevel: {
		`study s JOIN series e ON e.study_id = s.id JOIN LATERAL (SELECT * FROM instance o WHERE o.series_id = e.id LIMIT 1) i ON true`,
		`(SELECT count(*) FROM instance o WHERE o.series_id = e.id)`,
		`s.study_date DESC, s.id DESC, e.number, e.uid`},
	instances: {
		`study s JOIN series e ON e.study_id = s.id JOIN instance i ON i.series_id = e.id`,
		`1`,
		`s.study_date DESC, s.id DESC, e.number, e.uid, i.number, i.sop_uid`},
}

// find runs the query within the scope; more reports that the limit cut the answer.
func (s *Service) find(ctx context.Context, q query) (found []result, more bool, err error) {
	args := pgx.NamedArgs{"now": s.Now(), "limit": q.limit + 1, "offset": q.offset}
	where := []string{maySee}
	for n, m := range q.match {
		where = append(where, m.where(fmt.Sprintf("m%d", n), args))
	}
	list := lists[q.level]
	statement := `
		SELECT s.uid, s.patient_name, s.patient_id, s.patient_sex, s.patient_birth_date, s.study_date, s.description,
			s.study_time, s.accession, s.referring,
			ARRAY(SELECT DISTINCT x.modality FROM series x WHERE x.study_id = s.id ORDER BY 1),
			(SELECT count(*) FROM series x WHERE x.study_id = s.id), ` + list.count + `,
			e.uid, e.modality, e.description, e.series_date, e.number, i.number, i.sop_uid, i.sop_class, i.dicom_json
		FROM ` + list.from + `
		WHERE ` + strings.Join(where, " AND ") + `
		ORDER BY ` + list.order + ` LIMIT @limit OFFSET @offset`
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, authz.ScopeFrom(ctx).With(args))
		if err != nil {
			return fmt.Errorf("search images: %w", err)
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f result, err error) {
			st := &f.study
			err = row.Scan(&st.UID, &st.PatientName, &st.PatientID, &st.PatientSex, &st.PatientBirthDate, &st.StudyDate, &st.Description,
				&f.time, &f.accession, &f.referring, &st.Modalities, &f.seriesCount, &st.Instances,
				&f.seriesUID, &f.modality, &f.description, &f.serieday, &f.seriesNumber, &f.instanceNumber, &f.sop, &f.class, &f.doc)
			return f, err
		})
		if err != nil {
			return fmt.Errorf("search images: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.read", Object: "search", Reason: fmt.Sprintf("found %d", min(len(found), q.limit))})
	})
	if more = len(found) > q.limit; more {
		found = found[:q.limit]
	}
	return found, more, err
}

// named is fault.NotFound unless the asker may see the study that the path names, and the series in it.
func (s *Service) named(ctx context.Context, p path) error {
	var there bool
	err := s.DB.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM study s JOIN series e ON e.study_id = s.id
			WHERE s.uid = @study AND (@series = '' OR e.uid = @series) AND `+maySee+`)`,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"now": s.Now(), "study": p.study, "series": p.series})).Scan(&there)
	if err == nil && !there {
		err = fault.Missing()
	}
	return err
}

// where is the condition for one key; its values become arguments named after arg.
func (m match) where(arg string, args pgx.NamedArgs) string {
	switch m.key.kind {
	case exact:
		args[arg] = m.values
		return m.key.sql + " = ANY(@" + arg + ")"
	case modality:
		args[arg] = m.values
		return "EXISTS (SELECT FROM series x WHERE x.study_id = s.id AND x.modality = ANY(@" + arg + "))"
	}
	var any []string
	for n, v := range m.values {
		one := fmt.Sprintf("%s_%d", arg, n)
		switch from, to, ranged := strings.Cut(v, "-"); {
		case m.key.kind == name:
			args[one] = strings.ToLower(pattern(v))
			for group := range 3 {
				any = append(any, fmt.Sprintf("lower(split_part(%s, '=', %d)) LIKE @%s", m.key.sql, group+1, one))
			}
		case m.key.kind == text && strings.ContainsAny(v, "*?"):
			args[one] = pattern(v)
			any = append(any, m.key.sql+" LIKE @"+one)
		case m.key.kind == span && ranged:
			args[one], args[one+"t"] = from, to
			any = append(any, fmt.Sprintf("(%[1]s <> '' AND (@%[2]s::text = '' OR %[1]s >= @%[2]s) AND (@%[2]st::text = '' OR left(%[1]s, length(@%[2]st)) <= @%[2]st))", m.key.sql, one))
		default:
			args[one] = v
			any = append(any, m.key.sql+" = @"+one)
		}
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// pattern is a DICOM wildcard (PS3.4 C.2.2.2.4) as LIKE has it.
func pattern(v string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`, "*", "%", "?", "_").Replace(v)
}
