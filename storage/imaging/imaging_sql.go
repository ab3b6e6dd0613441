package imaging

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/dicom"
)

// maySee keeps a statement on study s to what the asker may see at @now: the hospital's own staff, a practitioner or
// patient under a live grant, who has opened a living share link of it.
const maySee = `(@scope_all OR s.institution_id = ANY(@scope_places) OR EXISTS (
	SELECT FROM image_grant g WHERE g.study_id = s.id AND g.ended_at IS NULL AND g.during @> @now::timestamptz AND (
		g.practitioner_id = @scope_practitioner OR g.person_id IN (SELECT x.person_id FROM proxy x WHERE x.account_id = @scope_account)))
	OR s.id = (SELECT l.study_id FROM image_link l WHERE l.id = @scope_link::uuid AND l.revoked_at IS NULL AND l.expires_at > @now::timestamptz))`

// shown lists the studies that maySee opens one by one: where a search looks beside the asker's own hospitals.
const shown = `
	SELECT g.study_id FROM image_grant g WHERE g.ended_at IS NULL AND g.during @> @now::timestamptz AND (
		g.practitioner_id = @scope_practitioner OR g.person_id IN (SELECT x.person_id FROM proxy x WHERE x.account_id = @scope_account))
	UNION ALL SELECT l.study_id FROM image_link l WHERE l.id = @scope_link::uuid AND l.revoked_at IS NULL AND l.expires_at > @now::timestamptz`

// recorded writes the entry of a reading: it is durable before anything of what was read is answered.
func (s *Service) recorded(ctx context.Context, entry audit.Entry) error {
	var b pgx.Batch
	audit.Queue(ctx, &b, entry)
	if err := s.DB.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("audit %s: %w", entry.Action, err)
	}
	return nil
}

// known is what the institution has of an object that comes in: zero where it is new.
type known struct {
	SHA256  []byte // of the object under its UID
	Study   ids.Study
	Patient string // of the study, PatientID
	Series  seriesID
	Room    int64 // bytes that the institution may still hold
}

// known looks an object up, and where it is new notes the key under which it goes into the store next; "" notes nothing.
func (s *Service) known(ctx context.Context, place ids.Institution, r Receipt, key storage.Key) (k known, err error) {
	err = s.DB.QueryRow(ctx, `
		WITH underway AS (INSERT INTO image_underway (object_key, begun_at) SELECT $6, $7
			WHERE $6 <> '' AND NOT EXISTS (SELECT FROM instance WHERE institution_id = $1 AND sop_uid = $2))
		SELECT (SELECT sha256 FROM instance WHERE institution_id = $1 AND sop_uid = $2), s.id, coalesce(s.patient_id, ''), e.id, coalesce(h.quota, $5) - coalesce(h.bytes, 0)
		FROM (SELECT) one LEFT JOIN study s ON s.institution_id = $1 AND s.uid = $3 LEFT JOIN series e ON e.study_id = s.id AND e.uid = $4
			LEFT JOIN image_holding h ON h.institution_id = $1`,
		place, r.SOP, r.Study, r.Series, s.quota(), string(key), s.Now()).Scan(&k.SHA256, &k.Study, &k.Patient, &k.Series, &k.Room)
	if err != nil {
		return k, fmt.Errorf("look an object up: %w", err)
	}
	return k, nil
}

// Why a stored object is not kept after all; each undoes the whole transaction.
var (
	errFull         = errors.New("the institution holds as much as it may")
	errOtherPatient = errors.New("study is another patient's")
	errFaster       = errors.New("object was stored by somebody else at the same moment")
)

// keeping is how long an object's row may take: twice what a statement may, as a new study has several that wait for others.
const keeping = 30 * time.Second

type (
	seriesID   = ids.ID[Series]
	instanceID = ids.ID[instance]
)

// keep records a stored object, with its study and series where k doesn't know them. Only what is new is written: a row
// of the study that each slice touched would make them wait for one another. The object is there already: a sender who hangs
// up now doesn't break the commit off.
func (s *Service) keep(ctx context.Context, place ids.Institution, f *dicom.File, k known, key storage.Key) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	var account ids.Account
	if sub := authz.SubjectFrom(ctx); sub != nil {
		account = sub.Account
	}
	head := int64(0)
	frames := []dicom.Frame{}
	if f.Pixels != nil {
		head, frames = f.Pixels.Element, append(frames, f.Pixels.Frames...)
	}
	doc, bulk := metadata(f)
	d := f.Data
	var rows pgx.Batch // the object and its entry: one round trip, one transaction
	rows.Queue(`DELETE FROM image_underway WHERE object_key = $1`, string(key))
	rows.Queue(`
		INSERT INTO instance (id, institution_id, series_id, sop_uid, sop_class, number, sha256, size, transfer_syntax, object_key,
			dicom_json, head, frame_index, bulk_index, stored_by, stored_at)
		VALUES (@id, @place, @series, @uid, @class, @number, @sha256, @size, @syntax, @key, @json, @head, @frames, @bulk, @account, @now)`,
		pgx.NamedArgs{"id": ids.New[instanceID](), "place": place, "series": &k.Series, "uid": d.Text(dicom.SOPInstanceUID),
			"class": d.Text(dicom.SOPClassUID), "number": number(d, dicom.InstanceNumber), "sha256": f.SHA256[:], "size": f.Size,
			"syntax": f.TransferSyntax, "key": string(key), "json": doc, "head": head, "frames": frames, "bulk": bulk,
			"account": account, "now": s.Now()})
	audit.Queue(ctx, &rows, audit.Entry{Action: "imaging.store", Object: "instance/" + d.Text(dicom.SOPInstanceUID), Place: place})
	rows.Queue(count, pgx.NamedArgs{"size": f.Size, "quota": s.quota(), "place": place, "house": ours(ctx)})
	var err error
	if patient := clean(d.Text(dicom.PatientID)); k.Series.IsZero() {
		err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
			if k.Study.IsZero() {
				if err := s.keepStudy(ctx, tx, place, d, account, &k); err != nil {
					return err
				}
			}
			if k.Patient != patient {
				return errOtherPatient
			}
			if err := keepSeries(ctx, tx, place, d, &k); err != nil {
				return err
			}
			return tx.SendBatch(ctx, &rows).Close()
		})
	} else if k.Patient != patient {
		return errOtherPatient
	} else {
		err = s.DB.InBatch(ctx, &rows)
	}
	switch {
	case pg.Violates(err, "instance_institution_id_sop_uid_key"):
		return errFaster
	case pg.Violates(err, "image_holding_full"):
		return errFull
	}
	if err != nil && !errors.Is(err, errOtherPatient) {
		err = fmt.Errorf("keep instance: %w", err)
	}
	return err
}

// keepStudy records a new study, or finds the one that somebody else has recorded a moment ago.
func (s *Service) keepStudy(ctx context.Context, tx pgx.Tx, place ids.Institution, d dicom.Dataset, account ids.Account, k *known) error {
	uid, name := d.Text(dicom.StudyInstanceUID), clean(d.Text(dicom.PatientName))
	_, err := tx.Exec(ctx, `
		INSERT INTO study (id, institution_id, uid, patient_name, patient_pinyin, patient_id, patient_sex, patient_birth_date,
			study_date, study_time, accession, description, referring, own_id, timezone, stored_by, stored_at)
		VALUES (@id, @place, @uid, @patient_name, @pinyin, @patient_id, @sex, @birth, @date, @time, @accession, @description, @referring, @own, @zone,
			@account, @now)
		ON CONFLICT (institution_id, uid) DO NOTHING`,
		pgx.NamedArgs{"id": ids.New[ids.Study](), "place": place, "uid": uid, "patient_name": name, "pinyin": pinyinOf(name),
			"patient_id": clean(d.Text(dicom.PatientID)), "sex": clean(d.Text(dicom.PatientSex)),
			"birth": date(d.Text(dicom.PatientBirthDate)), "date": date(d.Text(dicom.StudyDate)), "time": clean(d.Text(dicom.StudyTime)),
			"accession": clean(d.Text(dicom.AccessionNumber)), "description": clean(d.Text(dicom.StudyDescription)),
			"referring": clean(d.Text(dicom.ReferringPhysician)), "own": clean(d.Text(dicom.StudyID)), "zone": clean(d.Text(timezone)), "account": account, "now": s.Now()})
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO image_holding (institution_id) VALUES ($1) ON CONFLICT DO NOTHING`, place)
	}
	if err == nil {
		err = tx.QueryRow(ctx, `SELECT id, patient_id FROM study WHERE institution_id = $1 AND uid = $2`, place, uid).Scan(&k.Study, &k.Patient)
	}
	if err != nil {
		return fmt.Errorf("keep study: %w", err)
	}
	return nil
}

func keepSeries(ctx context.Context, tx pgx.Tx, place ids.Institution, d dicom.Dataset, k *known) error {
	uid := d.Text(dicom.SeriesInstanceUID)
	_, err := tx.Exec(ctx, `
		INSERT INTO series (id, institution_id, study_id, uid, modality, number, description, series_date, step_date, step_time, requests)
		VALUES (@id, @place, @study, @uid, @modality, @number, @description, @date, @step_date, @step_time, @requests)
		ON CONFLICT (study_id, uid) DO NOTHING`,
		pgx.NamedArgs{"id": ids.New[seriesID](), "place": place, "study": k.Study, "uid": uid,
			"modality": clean(d.Text(dicom.Modality)), "number": number(d, dicom.SeriesNumber),
			"description": clean(d.Text(dicom.SeriesDescription)), "date": date(d.Text(dicom.SeriesDate)),
			"step_date": date(d.Text(dicom.StepStartDate)), "step_time": clean(d.Text(dicom.StepStartTime)), "requests": requestsIn(d)})
	if err == nil {
		err = tx.QueryRow(ctx, `SELECT id FROM series WHERE study_id = $1 AND uid = $2`, k.Study, uid).Scan(&k.Series)
	}
	if err != nil {
		return fmt.Errorf("keep series: %w", err)
	}
	return nil
}

// request is what asked for a series.
type request struct {
	Step      string `json:"step"`      // Scheduled Procedure Step ID
	Procedure string `json:"procedure"` // Requested Procedure ID
}

// maxRequests of one series are searched by: who makes one series for many steps has a handful of them.
const maxRequests = 16

func requestsIn(d dicom.Dataset) []request {
	all := []request{}
	if e := d.Find(dicom.RequestAttributes); e != nil {
		for _, it := range e.Items[:min(len(e.Items), maxRequests)] {
			all = append(all, request{clean(it.Text(dicom.ScheduledStepID)), clean(it.Text(dicom.RequestedProcedureID))})
		}
	}
	return all
}

// packers are kept because a new one costs a megabyte.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// metadata is the file's DICOM JSON, compressed, with the transfer syntax that frames are served in (0008,3002).
func metadata(f *dicom.File) (doc []byte, bulk map[string]dicom.Span) {
	plain, bulk := f.JSON()
	var b bytes.Buffer
	w := packers.Get().(*gzip.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	fmt.Fprintf(w, `{"00083002":{"vr":"UI","Value":[%q]},`, f.TransferSyntax)
	w.Write(plain[1:]) // a bytes.Buffer takes everything
	w.Close()
	return b.Bytes(), bulk
}

// maxFound is how many letters of a text are looked for: no type of DICOM that is searched holds more, and an index of Postgres
// refuses a row of some kilobytes, and with it all objects of the request. The object itself keeps its whole text.
const maxFound = 256

// clean makes text fit for Postgres, which has no NUL.
func clean(s string) string {
	letters := []rune(strings.ReplaceAll(s, "\x00", ""))
	return string(letters[:min(len(letters), maxFound)])
}

// date is a DICOM date, or nothing when it is none: dates are compared as text.
func date(s string) string {
	if _, err := time.Parse("20060102", s); err != nil {
		return ""
	}
	return s
}

func number(d dicom.Dataset, t dicom.Tag) *int {
	const none = -1 << 31
	if n := d.Int(t, none); n != none {
		return &n
	}
	return nil
}

// Missing tells which of the objects the institution does not hold, which it holds with other bytes, and which with these.
func (s *Service) Missing(ctx context.Context, place ids.Institution, sops []string, sums [][]byte) (missing, conflicts []string, held []Held, err error) {
	rows, err := s.DB.Query(ctx, `
		SELECT w.sop_uid, coalesce(encode(i.sha256, 'hex'), ''), coalesce(i.sha256 = w.sha256, false)
		FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS w (sop_uid, sha256, n)
		LEFT JOIN instance i ON i.institution_id = $1 AND i.sop_uid = w.sop_uid ORDER BY w.n`, place, sops, sums)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("compare objects: %w", err)
	}
	missing, conflicts, held = []string{}, []string{}, []Held{}
	var h Held
	var same bool
	_, err = pgx.ForEachRow(rows, []any{&h.SOPUID, &h.SHA256, &same}, func() error {
		switch {
		case same:
			held = append(held, h)
		case h.SHA256 != "":
			conflicts = append(conflicts, h.SOPUID)
		default:
			missing = append(missing, h.SOPUID)
		}
		return nil
	})
	if err == nil && len(conflicts) > 0 {
		err = s.noteConflicts(ctx, place, sops, sums)
	}
	return missing, conflicts, held, err
}

// noteConflicts keeps which objects came with other bytes than are held, once an object and sender: the sender is told by the answer, who
// holds the first reads it beside the study and in the audit log.
func (s *Service) noteConflicts(ctx context.Context, place ids.Institution, sops []string, sums [][]byte) error {
	if ours(ctx) { // the job that stores has failed and is looked into
		return nil
	}
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH noted AS (
				INSERT INTO image_conflict (institution_id, sop_uid, sha256, study_id, account_id, at)
				SELECT $1, i.sop_uid, w.sha256, e.study_id, $4, $5
				FROM unnest($2::text[], $3::bytea[]) AS w (sop_uid, sha256)
				JOIN instance i ON i.institution_id = $1 AND i.sop_uid = w.sop_uid AND i.sha256 <> w.sha256 JOIN series e ON e.id = i.series_id
				ON CONFLICT DO NOTHING RETURNING study_id)
			SELECT s.uid, s.person_id, count(*) FROM noted n JOIN study s ON s.id = n.study_id GROUP BY s.id ORDER BY s.uid`,
			place, sops, sums, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return fmt.Errorf("note conflicts: %w", err)
		}
		var entries []audit.Entry
		e, objects := audit.Entry{Action: "imaging.store", Place: place}, 0
		_, err = pgx.ForEachRow(rows, []any{&e.Object, &e.Person, &objects}, func() error {
			e.Object = "study/" + e.Object
			e.Reason = fmt.Sprintf("%04X: other bytes for %d objects, the first kept", duplicate, objects)
			entries = append(entries, e)
			s.Log.WarnContext(ctx, "other bytes under known UIDs refused", "institution", place.String(), "objects", objects)
			return nil
		})
		if err != nil {
			return fmt.Errorf("note conflicts: %w", err)
		}
		for _, e := range entries {
			if err := audit.Denied(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Studies lists what the scope may see, newest first, at most 200; with UIDs, only those. It records no audit entry:
// the caller's deed does, in its transaction.
func (s *Service) Studies(ctx context.Context, db pg.DB, scope authz.Scope, uids ...string) ([]Study, error) {
	if uids == nil {
		uids = []string{}
	}
	rows, err := db.Query(ctx, `
		SELECT s.id, s.institution_id, s.uid, s.person_id, s.patient_name, s.patient_id, s.patient_sex, s.patient_birth_date,
			s.study_date, s.description, n.modalities, n.series, n.instances, n.bytes,
			CASE WHEN @scope_all OR s.institution_id = ANY(@scope_places) THEN (
				SELECT coalesce(json_agg(json_build_object('from', c.name, 'objects', c.objects, 'at', c.at) ORDER BY c.at, c.name), '[]')
				FROM (SELECT a.name, count(*) AS objects, max(x.at) AS at
					FROM image_conflict x JOIN account a ON a.id = x.account_id WHERE x.study_id = s.id GROUP BY a.id) c)
			ELSE '[]' END
		FROM study s, LATERAL (
			SELECT array_agg(DISTINCT e.modality) AS modalities, sum(e.instances)::int AS instances, sum(e.bytes)::bigint AS bytes,
				json_agg(json_build_object('series_uid', e.uid, 'description', e.description, 'modality', e.modality, 'instances', e.instances)
					ORDER BY e.number, e.uid) AS series
			FROM (SELECT e.uid, e.description, e.modality, e.number, count(*) AS instances, sum(i.size) AS bytes
				FROM series e JOIN instance i ON i.series_id = e.id WHERE e.study_id = s.id GROUP BY e.id) e) n
		WHERE `+maySee+` AND (cardinality(@uids::text[]) = 0 OR s.uid = ANY(@uids))
		ORDER BY s.study_date DESC, s.id DESC LIMIT 200`,
		scope.With(pgx.NamedArgs{"now": s.Now(), "uids": uids}))
	if err != nil {
		return nil, fmt.Errorf("list studies: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Study])
}

// list is Studies with its audit entry.
func (s *Service) list(ctx context.Context) (all []Study, err error) {
	if all, err = s.Studies(ctx, s.DB, authz.ScopeFrom(ctx)); err != nil {
		return nil, err
	}
	return all, s.recorded(ctx, audit.Entry{Action: "imaging.read", Object: "studies", Reason: fmt.Sprintf("listed %d", len(all))})
}

// Confirm records whose the study is that place holds, on the word of a doctor who compared name, sex and birth date. It is
// fault.Conflict when it is already another person's, fault.NotFound when the scope may not see it there.
func (s *Service) Confirm(ctx context.Context, tx pgx.Tx, scope authz.Scope, uid string, place ids.Institution, person ids.Person) (Study, error) {
	all, err := s.Studies(ctx, tx, scope, uid)
	if err != nil {
		return Study{}, err
	}
	i := slices.IndexFunc(all, func(st Study) bool { return st.InstitutionID == place }) // another hospital may hold it as well
	if i < 0 {
		return Study{}, fault.Missing()
	}
	study := all[i]
	done, err := tx.Exec(ctx, `UPDATE study SET person_id = $2 WHERE id = $1 AND (person_id IS NULL OR person_id = $2)`, study.ID, person)
	if err != nil {
		return Study{}, fmt.Errorf("confirm study: %w", err)
	}
	if done.RowsAffected() == 0 {
		return Study{}, fault.New(fault.Conflict, "study_of_another_person", "这份影像已确认属于另一位患者。", "This study has been confirmed as another patient's.").
			WithRemedy("请核对姓名、性别和出生日期，换一份影像。", "Please compare name, sex and birth date, and choose another study.")
	}
	study.PersonID = person
	return study, audit.Write(ctx, tx, audit.Entry{Action: "imaging.confirm", Object: "study/" + uid, Person: person, Place: study.InstitutionID})
}

// GrantStudies opens the studies; given again, it changes the time. Every study must be there, else fault.NotFound.
func (s *Service) GrantStudies(ctx context.Context, tx pgx.Tx, g Grant) error {
	grants := make([]string, len(g.Studies))
	for i := range grants {
		grants[i] = ids.New[ids.Grant]().String()
	}
	done, err := tx.Exec(ctx, `
		INSERT INTO image_grant (id, institution_id, study_id, practitioner_id, person_id, teleconsult_id, purpose, during)
		SELECT w.id, s.institution_id, s.id, @practitioner, @person, @teleconsult, @purpose, tstzrange(@from, @until)
		FROM unnest(@ids::uuid[], @uids::text[]) AS w (id, uid) JOIN study s ON s.uid = w.uid AND s.institution_id = @place
		ON CONFLICT (study_id, teleconsult_id, practitioner_id, person_id) DO UPDATE SET during = excluded.during, ended_at = NULL`,
		pgx.NamedArgs{"ids": grants, "practitioner": g.Practitioner, "person": g.Person, "teleconsult": g.Teleconsult, "purpose": g.Purpose,
			"from": g.From, "until": g.Until, "place": g.Place, "uids": g.Studies})
	if err != nil {
		return fmt.Errorf("grant studies: %w", err)
	}
	if done.RowsAffected() != int64(len(g.Studies)) {
		return fault.Missing()
	}
	return audit.Write(ctx, tx, audit.Entry{Action: "imaging.grant", Object: "teleconsult/" + g.Teleconsult.String(), Person: g.Person, Place: g.Place,
		Reason: fmt.Sprintf("%d studies until %s", len(g.Studies), g.Until.UTC().Format(time.RFC3339))})
}

// EndGrants closes every grant of the consult now, or those of the practitioners.
func (s *Service) EndGrants(ctx context.Context, tx pgx.Tx, t ids.Teleconsult, of ...ids.Practitioner) error {
	done, err := tx.Exec(ctx, `
		UPDATE image_grant SET ended_at = $2 WHERE teleconsult_id = $1 AND ended_at IS NULL AND (coalesce(cardinality($3::uuid[]), 0) = 0 OR practitioner_id = ANY($3))`, t, s.Now(), of)
	if err != nil {
		return fmt.Errorf("end grants: %w", err)
	}
	return audit.Write(ctx, tx, audit.Entry{Action: "imaging.grant.end", Object: "teleconsult/" + t.String(),
		Reason: fmt.Sprintf("%d grants", done.RowsAffected())})
}

// path names studies, a series or an object in a URL. Empty parts stand for all.
type path struct {
	study, series, sop string
	place              ids.Institution // whose copy; zero: whichever the asker may see
	frames             []int           // from 1, those that a glance is of; nil: all
	lean               bool            // large DICOM JSON is left out: words reads it when it is needed
}

// instance is an object as WADO-RS needs it.
type instance struct {
	InstitutionID  ids.Institution
	PersonID       ids.Person
	SeriesID       seriesID
	Study          string
	Series         string
	SOP            string
	SHA256         []byte
	Size           int64
	TransferSyntax string
	ObjectKey      storage.Key
	DICOMJSON      []byte
	Head           int64
	FrameIndex     []dicom.Frame
	BulkIndex      map[string]dicom.Span
	StoredAt       time.Time
	Frames         int

	explicit bool // to be sent in explicit little endian, which it isn't
}

// read finds what the path names, within the scope, and records the reading. glance is for single pictures: of those
// only the first of an account, a series and a minute is recorded (see image_view), and their words are not read.
func (s *Service) read(ctx context.Context, p path, glance bool) ([]instance, error) {
	scope := authz.ScopeFrom(ctx)
	who := scope.Link() // who came by it has no account
	if scope.Subject != nil {
		who = scope.Subject.Account.String()
	}
	all, err := s.named(ctx, s.DB, scope, p, glance)
	if err != nil || glance && s.glances.has(who, all[0].SeriesID, s.Now()) {
		return all, err
	}
	entry := audit.Entry{Action: "imaging.read", Object: p.object(), Person: all[0].PersonID, Place: all[0].InstitutionID}
	if scope.Link() != "" {
		entry.Reason = "link/" + scope.Link()
	}
	if !glance {
		return all, s.recorded(ctx, entry)
	}
	entry.Object = "series/" + all[0].Series
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		if scope.Link() == "" {
			seen, err := tx.Exec(ctx, `
				INSERT INTO image_view (account_id, series_id, minute) VALUES ($1, $2, date_trunc('minute', $3::timestamptz))
				ON CONFLICT DO NOTHING`, scope.Subject.Account, all[0].SeriesID, s.Now())
			if err != nil {
				return fmt.Errorf("record view: %w", err)
			}
			if seen.RowsAffected() == 0 {
				return nil
			}
		}
		return audit.Write(ctx, tx, entry)
	})
	if err == nil {
		s.glances.note(who, all[0].SeriesID, s.Now())
	}
	return all, err
}

// named finds what the path names, within the scope; nothing is fault.NotFound.
func (s *Service) named(ctx context.Context, db pg.DB, scope authz.Scope, p path, glance bool) ([]instance, error) {
	words, index := `i.dicom_json`, `i.frame_index`
	switch {
	case glance:
		words = `NULL::bytea`
	case p.lean:
		words = lean("i")
	}
	if glance && p.frames != nil { // a slide has ten thousands: a tile is not to wait for all of them
		index = `(SELECT jsonb_agg(i.frame_index -> n - 1 ORDER BY o) FROM unnest(@frames::int[]) WITH ORDINALITY w (n, o))`
	}
	where, copies := `TRUE`, ``
	if p.series != "" {
		where = `e.uid = @series`
	}
	if p.sop != "" {
		where += ` AND i.institution_id = s.institution_id AND i.sop_uid = @sop` // by its index, not among all of the series
	}
	if p.series != "" || p.sop != "" { // a copy may hold only part of the study
		copies = ` AND EXISTS (SELECT FROM series e JOIN instance i ON i.series_id = e.id WHERE e.study_id = s.id AND ` + where + `)`
	}
	if !p.place.IsZero() {
		copies += ` AND s.institution_id = @place`
	}
	rows, err := db.Query(ctx, `
		WITH chosen AS ( -- two hospitals may hold what is asked for: the asker's own copy comes first
			SELECT s.id, s.institution_id, s.person_id, s.uid FROM study s WHERE s.uid = @study AND `+maySee+copies+`
			ORDER BY s.institution_id = ANY(@scope_places) DESC, s.stored_at LIMIT 1)
		SELECT s.institution_id, s.person_id, e.id, s.uid, e.uid, i.sop_uid, i.sha256, i.size, i.transfer_syntax, i.object_key,
			`+words+`, i.head, `+index+`, i.bulk_index, i.stored_at, jsonb_array_length(i.frame_index)
		FROM chosen s JOIN series e ON e.study_id = s.id JOIN instance i ON i.series_id = e.id
		WHERE `+where+`
		ORDER BY e.number, e.uid, i.number, i.sop_uid`,
		scope.With(pgx.NamedArgs{"now": s.Now(), "study": p.study, "series": p.series, "sop": p.sop, "place": p.place, "frames": p.frames}))
	if err != nil {
		return nil, fmt.Errorf("find objects: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (instance, error) {
		i, err := pgx.RowToStructByPos[instance](row)
		if glance && p.frames != nil {
			found := i.FrameIndex
			i.FrameIndex = make([]dicom.Frame, i.Frames) // a frame keeps its number
			for at, n := range p.frames {
				if n <= i.Frames && at < len(found) {
					i.FrameIndex[n-1] = found[at]
				}
			}
		}
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("find objects: %w", err)
	}
	if len(all) == 0 {
		return nil, fault.Missing()
	}
	return all, nil
}

// lean is an object's packed DICOM JSON where it isn't large.
func lean(of string) string {
	return fmt.Sprintf(`CASE WHEN octet_length(%[1]s.dicom_json) <= %[2]d THEN %[1]s.dicom_json END`, of, keptPacked)
}

// packed is an object's packed DICOM JSON, where lean may have left it out.
func (s *Service) packed(ctx context.Context, i instance) (doc []byte, err error) {
	if i.DICOMJSON != nil {
		return i.DICOMJSON, nil
	}
	if err := s.DB.QueryRow(ctx, `SELECT dicom_json FROM instance WHERE institution_id = $1 AND sop_uid = $2`, i.InstitutionID, i.SOP).Scan(&doc); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return doc, nil
}

// glances remembers which views of this minute stand in the audit log already, so that a scroll asks the database for
// its pictures alone. Another node that doesn't remember finds the row.
type glances struct {
	mu     sync.Mutex
	minute time.Time        // guarded by mu
	seen   map[glanced]bool // guarded by mu
}

type glanced struct {
	who    string // account or link
	series seriesID
}

func (g *glances) has(who string, e seriesID, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.minute.Equal(now.Truncate(time.Minute)) && g.seen[glanced{who, e}]
}

func (g *glances) note(who string, e seriesID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if minute := now.Truncate(time.Minute); !g.minute.Equal(minute) {
		g.minute, g.seen = minute, map[glanced]bool{}
	}
	g.seen[glanced{who, e}] = true
}

// object names the path in the audit log, by the narrowest UID.
func (p path) object() string {
	switch {
	case p.sop != "":
		return "instance/" + p.sop
	case p.series != "":
		return "series/" + p.series
	}
	return "study/" + p.study
}

// held lists what the institution holds of the study; nothing of it is fault.NotFound.
func (s *Service) held(ctx context.Context, place ids.Institution, study string) (all []heldInstance, err error) {
	return all, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT i.sop_uid, encode(i.sha256, 'hex'), i.size, i.stored_at
			FROM study s JOIN series e ON e.study_id = s.id JOIN instance i ON i.series_id = e.id
			WHERE s.institution_id = $1 AND s.uid = $2 ORDER BY i.sop_uid`, place, study)
		if err != nil {
			return fmt.Errorf("list held objects: %w", err)
		}
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[heldInstance]); err != nil {
			return fmt.Errorf("list held objects: %w", err)
		}
		if len(all) == 0 {
			return fault.Missing()
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.store", Object: "study/" + study, Place: place, Reason: "receipt"})
	})
}

// marked reads the institution's own images of a study, for a report of the house about them.
func (s *Service) marked(ctx context.Context, place ids.Institution, study string, sops []string) ([]instance, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT s.institution_id, s.person_id, e.id, s.uid, e.uid, i.sop_uid, i.sha256, i.size, i.transfer_syntax, i.object_key,
			i.dicom_json, i.head, i.frame_index, i.bulk_index, i.stored_at, jsonb_array_length(i.frame_index)
		FROM study s JOIN series e ON e.study_id = s.id JOIN instance i ON i.series_id = e.id
		WHERE s.institution_id = $1 AND s.uid = $2 AND i.sop_uid = ANY($3)`, place, study, sops)
	if err != nil {
		return nil, fmt.Errorf("find marked images: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[instance])
}
