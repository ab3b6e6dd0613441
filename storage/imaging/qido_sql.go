package imaging

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/dicom"
)

// lists says, for each level, what a line is and its place in the order, how many objects it has, and which of them
// lends its words.
var lists = [...]struct{ from, columns, order, count, words string }{
	studies: {`study s`, `s.id, NULL::uuid, NULL::uuid, s.study_date, NULL::int, '', NULL::int, ''`, `s.study_date DESC, s.id DESC`,
		`(SELECT count(*) FROM series x JOIN instance o ON o.series_id = x.id WHERE x.study_id = s.id)`,
		`(SELECT ` + named("o") + ` FROM series x JOIN instance o ON o.series_id = x.id WHERE x.study_id = s.id LIMIT 1)`},
	seriesLevel: {`study s JOIN series e ON e.study_id = s.id`, `s.id, e.id, NULL::uuid, s.study_date, e.number, e.uid, NULL::int, ''`, `s.study_date DESC, s.id DESC, e.number, e.uid`,
		`(SELECT count(*) FROM instance o WHERE o.series_id = e.id)`,
		`(SELECT ` + named("o") + ` FROM instance o WHERE o.series_id = e.id LIMIT 1)`},
	instances: {`study s JOIN series e ON e.study_id = s.id JOIN instance i ON i.series_id = e.id`, `s.id, e.id, i.id, s.study_date, e.number, e.uid, i.number, i.sop_uid`,
		`s.study_date DESC, s.id DESC, e.number, e.uid, i.number, i.sop_uid`, `1`, named("i")},
}

// named is an object's UID and, where they aren't large, its words.
func named(of string) string {
	return fmt.Sprintf(`ARRAY[convert_to(%s.sop_uid, 'UTF8'), %s]`, of, lean(of))
}

// find runs the query within the scope; more reports that the limit cut the answer. Which lines they are is settled
// first, so that nothing is counted for lines that offset skips. Unless the query names a few, it is looked for hospital
// by hospital, and among what is shown to the asker, because each of these has an index in the order of the answer and
// is left when enough is found.
func (s *Service) find(ctx context.Context, q query) (found []result, more bool, err error) {
	args := pgx.NamedArgs{"now": s.Now(), "limit": q.limit + 1, "offset": q.offset, "reach": q.offset + q.limit + 1, "words": q.all || len(q.include) > 0 || q.level == instances}
	where := []string{maySee}
	for n, m := range q.match {
		where = append(where, m.where(fmt.Sprintf("m%d", n), args))
	}
	list := lists[q.level]
	lines := `SELECT ` + list.columns + ` FROM ` + list.from + ` WHERE ` + strings.Join(where, " AND ")
	mode := pgx.QueryExecModeCacheStatement
	if !slices.ContainsFunc(q.match, match.pins) {
		lines = `
			SELECT l.* FROM institution h, LATERAL (
				` + lines + ` AND s.institution_id = h.id ORDER BY ` + list.order + ` LIMIT @reach) l
			WHERE @scope_all OR h.id = ANY(@scope_places)
			UNION ALL (
				` + lines + ` AND s.id = ANY(ARRAY(` + shown + `)) AND NOT (@scope_all OR s.institution_id = ANY(@scope_places))
				ORDER BY ` + list.order + ` LIMIT @reach)`
		mode = pgx.QueryExecModeCacheDescribe // planned anew with each question's values: which index serves a name depends on the name
	}
	statement := `
		WITH line (study, series, instance, day, series_number, series_uid, number, sop) AS MATERIALIZED (
			` + lines + ` ORDER BY 4 DESC, 1 DESC, 5, 6, 7, 8 LIMIT @limit OFFSET @offset)
		SELECT s.uid, s.patient_name, s.patient_id, s.patient_sex, s.patient_birth_date, s.study_date, s.description,
			s.study_time, s.accession, s.referring, s.own_id, s.timezone,
			ARRAY(SELECT DISTINCT x.modality FROM series x WHERE x.study_id = s.id ORDER BY 1),
			(SELECT count(*) FROM series x WHERE x.study_id = s.id),
			` + list.count + `,
			coalesce(e.uid, ''), coalesce(e.modality, ''), coalesce(e.description, ''), coalesce(e.series_date, ''), coalesce(e.step_date, ''), coalesce(e.step_time, ''), e.requests, e.number,
			i.number, coalesce(i.sop_uid, ''), coalesce(i.sop_class, ''),
			s.institution_id, CASE WHEN @words THEN ` + list.words + ` END
		FROM line JOIN study s ON s.id = line.study LEFT JOIN series e ON e.id = line.series LEFT JOIN instance i ON i.id = line.instance
		ORDER BY ` + list.order
	rows, err := s.DB.Query(ctx, statement, mode, authz.ScopeFrom(ctx).With(args))
	if err != nil {
		return nil, false, fmt.Errorf("search images: %w", err)
	}
	found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f result, err error) {
		st := &f.study
		var words [][]byte
		err = row.Scan(&st.UID, &st.PatientName, &st.PatientID, &st.PatientSex, &st.PatientBirthDate, &st.StudyDate, &st.Description,
			&f.time, &f.accession, &f.referring, &f.ownID, &f.zone, &st.Modalities, &f.seriesCount, &st.Instances,
			&f.seriesUID, &f.modality, &f.description, &f.serieday, &f.stepDate, &f.stepTime, &f.requests, &f.seriesNumber, &f.instanceNumber, &f.sop, &f.class, &f.of.InstitutionID, &words)
		if len(words) == 2 {
			f.of.SOP, f.of.DICOMJSON = string(words[0]), words[1]
		}
		return f, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("search images: %w", err)
	}
	err = s.recorded(ctx, audit.Entry{Action: "imaging.read", Object: "search", Reason: fmt.Sprintf("found %d", min(len(found), q.limit))})
	if more = len(found) > q.limit; more {
		found = found[:q.limit]
	}
	return found, more, err
}

// there is fault.NotFound unless the asker may see the study that the path names, and the series in it.
func (s *Service) there(ctx context.Context, p path) error {
	var found bool
	err := s.DB.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM study s JOIN series e ON e.study_id = s.id
			WHERE s.uid = @study AND (@series = '' OR e.uid = @series) AND `+maySee+`)`,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"now": s.Now(), "study": p.study, "series": p.series})).Scan(&found)
	if err == nil && !found {
		err = fault.Missing()
	}
	return err
}

// pins reports whether the key names a few studies by itself.
func (m match) pins() bool {
	switch m.key.tag {
	case dicom.StudyInstanceUID, dicom.SeriesInstanceUID, dicom.SOPInstanceUID:
		return !m.wild()
	case dicom.PatientID, dicom.AccessionNumber:
		return !m.wild()
	}
	return false
}

func (m match) wild() bool { return strings.ContainsAny(strings.Join(m.values, ""), "*?") }

// where is the condition for one key; its values become arguments named after arg.
func (m match) where(arg string, args pgx.NamedArgs) string {
	if m.key.among == "" {
		return m.condition(arg, args)
	}
	return "EXISTS (SELECT FROM " + m.key.among + " " + m.condition(arg, args) + ")"
}

func (m match) condition(arg string, args pgx.NamedArgs) string {
	if m.key.kind == exact {
		if !m.wild() {
			args[arg] = m.values
			return m.key.sql + " = ANY(@" + arg + ")"
		}
		patterns := make([]string, len(m.values))
		for i, v := range m.values {
			patterns[i] = pattern(v)
		}
		args[arg] = patterns
		return m.key.sql + " LIKE ANY(@" + arg + ")"
	}
	var any []string
	for n, v := range m.values {
		one := fmt.Sprintf("%s_%d", arg, n)
		switch from, to, ranged := strings.Cut(v, "-"); {
		case m.key.kind == name && m.fuzzy:
			var all []string
			for i, word := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune("^=*?, ", r) }) {
				w := fmt.Sprintf("%s_%d", one, i)
				args[w] = "%" + strings.ToLower(pattern(word)) + "%"
				sought := fmt.Sprintf("replace(lower(%s), '^', '')", m.key.sql)
				if m.key.tag == dicom.PatientName {
					sought = "s.patient_sought"
				}
				all = append(all, fmt.Sprintf("%s LIKE @%s", sought, w))
			}
			if len(all) == 0 {
				all = []string{"true"}
			}
			any = append(any, "("+strings.Join(all, " AND ")+")")
		case m.key.kind == name:
			args[one] = strings.ToLower(pattern(v))
			for group := range 3 {
				any = append(any, fmt.Sprintf("lower(split_part(%s, '=', %d)) LIKE @%s", m.key.sql, group+1, one))
			}
			if sound := sounds(v); sound != "" && m.key.tag == dicom.PatientName {
				args[one+"s"] = pattern(sound)
				any = append(any, fmt.Sprintf("s.patient_pinyin <> '' AND s.patient_pinyin LIKE @%ss", one))
			}
		case m.key.kind == text && strings.ContainsAny(v, "*?"):
			args[one] = pattern(v)
			any = append(any, m.key.sql+" LIKE @"+one)
		case m.key.kind == span && ranged:
			args[one], args[one+"t"] = from, to
			if m.key.tag != dicom.StudyTime && m.key.tag != dicom.StepStartTime && len(to) == 8 { // a day is kept as eight digits or none
				any = append(any, fmt.Sprintf("(%[1]s <> '' AND %[1]s BETWEEN @%[2]s AND @%[2]st)", m.key.sql, one))
				break
			}
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
