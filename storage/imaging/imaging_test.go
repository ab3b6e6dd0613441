package imaging

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/codec/worker"
	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// files is read before a gateway changes the working directory.
var files = func() map[string][]byte {
	all := map[string][]byte{}
	root := os.DirFS("testdata")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".dcm") {
			all[path], err = fs.ReadFile(root, path)
		}
		return err
	})
	if err != nil {
		panic(err)
	}
	return all
}()

func series(folder string) [][]byte {
	var names []string
	for name := range files {
		if strings.HasPrefix(name, folder+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all [][]byte
	for _, n := range names {
		all = append(all, files[n])
	}
	return all
}

// house is a running imaging service with its people: a doctor of the county hospital, an expert and a colleague of
// elsewhere, a patient.
type house struct {
	t       testing.TB
	service *Service
	objects *counting
	url     string
	log     *bytes.Buffer
	now     time.Time
	county  ids.Institution
	people  map[string]*authz.Subject
	person  ids.Person
}

// counting counts the objects that lie in the store.
type counting struct {
	storage.Objects
	put, deleted atomic.Int32
	there        sync.Map // keys
	fail         error
	panics       atomic.Bool // once, when the next object has been put
}

func (c *counting) Put(ctx context.Context, key storage.Key, body io.Reader, size int64) error {
	if c.fail != nil {
		return c.fail
	}
	c.put.Add(1)
	c.there.Store(key, true)
	if c.panics.CompareAndSwap(true, false) {
		panic("Secret^Name")
	}
	return c.Objects.Put(ctx, key, body, size)
}

func (c *counting) Delete(ctx context.Context, key storage.Key) error {
	if _, was := c.there.LoadAndDelete(key); was {
		c.deleted.Add(1)
	}
	return c.Objects.Delete(ctx, key)
}

func (h *house) Resolve(_ context.Context, token string) (*authz.Subject, error) {
	return h.people[token], nil
}

func open(t testing.TB, objects storage.Objects) *house {
	db := pgtest.New(t)
	h := &house{t: t, objects: &counting{Objects: objects}, log: new(bytes.Buffer), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
		county: ids.New[ids.Institution](), people: map[string]*authz.Subject{}, person: ids.New[ids.Person]()}
	city := ids.New[ids.Institution]()
	for place, code := range map[ids.Institution]string{h.county: "C", city: "D"} {
		exec(t, db, `INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until)
			VALUES ($1, $2, $2, 'county_hospital', '330000', '', '', '2030-01-01')`, place, code)
	}
	for name, place := range map[string]ids.Institution{"county": h.county, "neighbour": h.county, "expert": city, "colleague": city} {
		sub := &authz.Subject{Account: ids.New[ids.Account](), Practitioner: ids.New[ids.Practitioner](),
			Memberships: []authz.Membership{{Role: authz.Doctor, Place: place}}}
		exec(t, db, `INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $2, 'x', 'x')`, sub.Account, name)
		exec(t, db, `INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
			VALUES ($1, $2, 'physician', $3, '', 1, '', '{}', true, 'passed', '2020-01-01')`, sub.Practitioner, sub.Account, name)
		h.people[name] = sub
	}
	patient := &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Patient}}}
	exec(t, db, `INSERT INTO account (id, kind, name) VALUES ($1, 'patient', 'patient')`, patient.Account)
	exec(t, db, `INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level)
		VALUES ($1, 'patient', 'M', '1960-01-01', 'x', 'x', '', 1)`, h.person)
	exec(t, db, `INSERT INTO proxy (account_id, person_id, relation) VALUES ($1, $2, 'self')`, patient.Account, h.person)
	h.people["patient"] = patient

	log := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	workers, taker := river.NewWorkers(), &Taker{}
	river.AddWorker(workers, taker)
	queue, err := jobs.New(db, slog.New(slog.DiscardHandler), workers)
	if err != nil {
		t.Fatal(err)
	}
	h.service = &Service{DB: db, Objects: h.objects, Now: func() time.Time { return h.now }, Log: log, Jobs: queue,
		Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Decoder: worker.New(2, tool(t, worker.Tool))}
	t.Cleanup(h.service.Decoder.Close)
	taker.Images = h.service
	if err := queue.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := queue.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	policy, err := authz.Load()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test", policy, h, db, log)
	h.service.Routes(api)
	server := httptest.NewServer(api.Edge(prometheus.NewRegistry(), mux))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func exec(t testing.TB, db *pg.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (h *house) call(who, method, path string, header map[string]string, body io.Reader) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+who)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{a.StatusCode, a.Header, b}
}

func (h *house) get(who, path, accept string) answer {
	h.t.Helper()
	return h.call(who, "GET", path, map[string]string{"Accept": accept}, nil)
}

// stow sends the files in one request, as dicomweb-client does: no quotes, a line break before the first boundary.
func (h *house) stow(who string, files ...[]byte) (answer, stowed) {
	h.t.Helper()
	var b bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&b, "\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n%s", f)
	}
	b.WriteString("\r\n--edge--")
	a := h.call(who, "POST", "/dicomweb/studies", map[string]string{"Content-Type": "multipart/related; type=application/dicom; boundary=edge"}, &b)
	var s stowed
	if a.header.Get("Content-Type") == jsonType {
		if err := json.Unmarshal(a.body, &s); err != nil {
			h.t.Fatal(err)
		}
	}
	return a, s
}

type stowed struct {
	Good struct{ Value []stowItem } `json:"00081199"`
	Bad  struct{ Value []stowItem } `json:"00081198"`
}

type stowItem struct {
	SOP    struct{ Value []string } `json:"00081155"`
	Reason struct{ Value []uint16 } `json:"00081197"`
	Say    struct{ Value []string } `json:"00000902"`
}

// parts reads a multipart answer.
func (h *house) parts(a answer) (headers []textproto.MIMEHeader, bodies [][]byte) {
	h.t.Helper()
	_, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		h.t.Fatalf("%v in %q", err, a.header.Get("Content-Type"))
	}
	m := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
	for {
		p, err := m.NextPart()
		if err == io.EOF {
			return headers, bodies
		}
		if err != nil {
			h.t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			h.t.Fatal(err)
		}
		headers, bodies = append(headers, p.Header), append(bodies, b)
	}
}

func uidsOf(t *testing.T, raw []byte) (study, series, sop string) {
	t.Helper()
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r := receiptOf(f)
	return r.Study, r.Series, r.SOP
}

func frameOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return frameIn(f, raw)
}

func frameIn(f *dicom.File, raw []byte) (b []byte) {
	for _, s := range f.Pixels.Frames[0] {
		b = append(b, raw[s.Offset:][:s.Length]...)
	}
	return b
}

func TestASeriesOnTheGateway(t *testing.T) { aSeries(t, storagetest.Gateway(t), "") }
func TestASeriesOnMinIO(t *testing.T) {
	server := storagetest.MinIO(t)
	aSeries(t, storagetest.S3(t, server), server.Endpoint+"/"+server.Bucket+"/")
}

// aSeries is the imaging half of the consult: stored in the county, seen whole by its doctor. The door is the bucket's for
// strangers, where it has one.
func aSeries(t *testing.T, bucket storage.Bucket, door string) {
	h := open(t, storage.New(bucket, storagetest.NewKeys()))
	ct := series("ct-series-3")
	ct[0] = bytes.Clone(ct[0])
	copy(ct[0], "MZ an executable hides here")
	a, s := h.stow("county", ct...)
	if a.status != 200 || len(s.Good.Value) != 3 || len(s.Bad.Value) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	study, seriesUID, _ := uidsOf(t, ct[0])
	at := "/dicomweb/studies/" + study

	t.Run("objects come back byte for byte apart from the preamble", func(t *testing.T) {
		a := h.get("county", at, `multipart/related; type="application/dicom"`)
		headers, bodies := h.parts(a)
		if len(bodies) != 3 {
			t.Fatalf("%d parts", len(bodies))
		}
		for i, b := range bodies {
			_, _, sop := uidsOf(t, b)
			n := slices.IndexFunc(ct, func(f []byte) bool { _, _, u := uidsOf(t, f); return u == sop })
			if !bytes.Equal(b[128:], ct[n][128:]) || !bytes.Equal(b[:128], make([]byte, 128)) {
				t.Errorf("part %d differs", i)
			}
			if headers[i].Get("Content-Length") != fmt.Sprint(len(b)) || !strings.HasPrefix(headers[i].Get("Content-Type"), dicomType) {
				t.Errorf("part %d: %v", i, headers[i])
			}
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("headers %v", a.header)
		}
	})
	t.Run("frames are the pixels, as a viewer asks for them", func(t *testing.T) {
		for _, f := range ct {
			_, _, sop := uidsOf(t, f)
			a := h.get("county", at+"/series/"+seriesUID+"/instances/"+sop+"/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*")
			headers, bodies := h.parts(a)
			if a.status != 200 || len(bodies) != 1 || !bytes.Equal(bodies[0], frameOf(t, f)) {
				t.Fatalf("%d, %d parts", a.status, len(bodies))
			}
			if got := headers[0].Get("Content-Type"); got != octets+"; transfer-syntax="+dicom.ExplicitLE {
				t.Errorf("part says %q", got)
			}
		}
	})
	t.Run("metadata of the series, packed, with absolute addresses that work", func(t *testing.T) {
		a := h.get("county", at+"/series/"+seriesUID+"/metadata", jsonType)
		var all []map[string]struct {
			VR, BulkDataURI string
			Value           []any
		}
		if err := json.Unmarshal(a.body, &all); err != nil || len(all) != 3 {
			t.Fatalf("%v, %d", err, len(all))
		}
		if all[0]["00280010"].Value[0] != 512.0 || all[0]["00080060"].Value[0] != "CT" {
			t.Errorf("%v", all[0]["00280010"])
		}
		link := all[0]["7FE00010"].BulkDataURI
		if b := h.get("county", strings.TrimPrefix(link, h.url), octets); b.status != 200 || len(b.body) != 512*512*2 {
			t.Errorf("%s: %d, %d bytes", link, b.status, len(b.body))
		}
	})
	t.Run("drawn as JPEG, with and without a window", func(t *testing.T) {
		_, _, sop := uidsOf(t, ct[1])
		for _, q := range []string{"", "?window=40,400,linear&quality=80"} {
			a := h.get("county", at+"/series/"+seriesUID+"/instances/"+sop+"/rendered"+q, "image/jpeg")
			img, err := jpeg.Decode(bytes.NewReader(a.body))
			if err != nil || img.Bounds().Dx() != 512 {
				t.Fatalf("%d %v", a.status, err)
			}
		}
	})
	t.Run("the study is listed and found", func(t *testing.T) {
		var list []Study
		if err := json.Unmarshal(h.get("county", "/api/v1/imaging/studies", "").body, &list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0].UID != study || list[0].Instances != 3 || list[0].Bytes != int64(3*len(ct[0])) || list[0].Series[0].Modality != "CT" {
			t.Errorf("%+v", list)
		}
		var found []map[string]attribute
		a := h.get("county", "/dicomweb/studies?PatientName=janct*&00080061=CT&StudyDate=20030101-20031231&includefield=all", jsonType)
		if err := json.Unmarshal(a.body, &found); err != nil || len(found) != 1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := found[0]["00201208"].Value[0]; got != 3.0 {
			t.Errorf("instances %v", got)
		}
	})
	t.Run("the same again, and other bytes under its UID, put no object into the store", func(t *testing.T) {
		put := h.objects.put.Load()
		if a, s := h.stow("county", ct...); a.status != 200 || len(s.Good.Value) != 3 {
			t.Errorf("again: %d %s", a.status, a.body)
		}
		other, err := dicom.Rewrite(ct[0], map[dicom.Tag]string{dicom.StudyDescription: "other"})
		if err != nil {
			t.Fatal(err)
		}
		if a, s := h.stow("county", other); a.status != 409 || s.Bad.Value[0].Reason.Value[0] != duplicate {
			t.Errorf("other bytes: %d %s", a.status, a.body)
		}
		if more := h.objects.put.Load() - put; more != 0 {
			t.Errorf("%d objects more", more)
		}
	})
	t.Run("the store itself tells a stranger nothing, and its keys tell nothing of the study", func(t *testing.T) {
		rows, err := h.service.DB.Query(t.Context(), `SELECT object_key FROM instance`)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(keys) != 3 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, key := range append(keys, "") {
			if door == "" {
			} else if a, err := http.Get(door + key); err != nil {
				t.Error(err)
			} else if a.Body.Close(); a.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %d", key, a.StatusCode)
			}
			if strings.Contains(key, study) || strings.Contains(strings.ToUpper(key), "JANCT") {
				t.Errorf("key %q", key)
			}
		}
	})
}

// toldOf is what the list says of other bytes that came for the study.
func (h *house) toldOf(who, study string) []OtherBytes {
	h.t.Helper()
	var all []Study
	if a := h.get(who, "/api/v1/imaging/studies", ""); json.Unmarshal(a.body, &all) != nil {
		h.t.Fatalf("%s", a.body)
	}
	at := slices.IndexFunc(all, func(s Study) bool { return s.UID == study })
	if at < 0 {
		h.t.Fatalf("%s doesn't see the study", who)
	}
	return all[at].Others
}

func TestWhoMaySee(t *testing.T) {
	h := open(t, storagetest.New(t))
	ct := series("ct-series-3")
	h.stow("county", ct...)
	study, seriesUID, sop := uidsOf(t, ct[0])
	at := "/dicomweb/studies/" + study
	every := []string{at, at + "/metadata", at + "/series/" + seriesUID, at + "/series/" + seriesUID + "/metadata",
		at + "/series/" + seriesUID + "/instances/" + sop, at + "/series/" + seriesUID + "/instances/" + sop + "/metadata",
		at + "/series/" + seriesUID + "/instances/" + sop + "/frames/1", at + "/series/" + seriesUID + "/instances/" + sop + "/rendered",
		at + "/series/" + seriesUID + "/instances/" + sop + "/frames/1/rendered", at + "/series/" + seriesUID + "/instances/" + sop + "/bulkdata/7FE00010",
		at + "/series", at + "/instances", at + "/series/" + seriesUID + "/instances",
		at + "/thumbnail", at + "/series/" + seriesUID + "/thumbnail", at + "/series/" + seriesUID + "/instances/" + sop + "/thumbnail",
		at + "/series/" + seriesUID + "/instances/" + sop + "/frames/1/thumbnail", at + "?accept=application/zip"}
	lists := []string{"/dicomweb/studies", "/dicomweb/series", "/dicomweb/instances", "/api/v1/imaging/studies"}
	sees := func(t *testing.T, who string, may bool) {
		t.Helper()
		for _, path := range every {
			a := h.get(who, path, "")
			if want := map[bool]int{true: 200, false: 404}[may]; a.status != want {
				t.Errorf("%s %s: %d, want %d", who, path, a.status, want)
			}
			if !may { // the same answer as for a study that never was
				b := h.get(who, strings.Replace(path, study, "1.2.3", 1), "")
				if b.status != a.status || problem(a).Code != problem(b).Code || problem(a).Detail != problem(b).Detail {
					t.Errorf("%s %s differs from an unknown study", who, path)
				}
			}
		}
		for _, path := range lists {
			a := h.get(who, path, "")
			if a.status != 200 || (strings.TrimSpace(string(a.body)) != "[]") != may {
				t.Errorf("%s %s: %d %.80s", who, path, a.status, a.body)
			}
		}
	}
	teleconsult := ids.New[ids.Teleconsult]()
	grant := func(g Grant) {
		t.Helper()
		g.Teleconsult, g.Place, g.Studies, g.Purpose = teleconsult, h.county, []string{study}, "teleconsult"
		if err := h.service.DB.InTx(t.Context(), func(tx pgx.Tx) error { return h.service.GrantStudies(t.Context(), tx, g) }); err != nil {
			t.Fatal(err)
		}
	}
	sees(t, "county", true)
	for _, who := range []string{"expert", "colleague", "patient"} {
		sees(t, who, false)
	}
	grant(Grant{Practitioner: h.people["expert"].Practitioner, From: h.now, Until: h.now.Add(time.Hour)})
	grant(Grant{Person: h.person, From: h.now, Until: h.now.Add(time.Hour)})
	t.Run("a grant opens it to the expert and the invited patient, to nobody else", func(t *testing.T) {
		sees(t, "expert", true)
		sees(t, "patient", true)
		sees(t, "colleague", false)
	})
	t.Run("that other bytes came is between those who hold it and who sent them", func(t *testing.T) {
		if _, err := h.service.Store(authz.WithSubject(t.Context(), h.people["county"]), h.county, bytes.NewReader(append(slices.Clone(ct[0]), 0, 0))); err != nil {
			t.Fatal(err)
		}
		if mine, theirs := h.toldOf("neighbour", study), h.toldOf("expert", study); len(mine) != 1 || len(theirs) != 0 {
			t.Errorf("the hospital is told %+v, the expert %+v", mine, theirs)
		}
	})
	t.Run("an expert may look, not store into it", func(t *testing.T) {
		if a := h.call("patient", "POST", "/dicomweb/studies", nil, nil); a.status != 403 {
			t.Errorf("patient stores: %d", a.status)
		}
	})
	t.Run("it lapses by the clock", func(t *testing.T) {
		h.now = h.now.Add(time.Hour)
		sees(t, "expert", false)
		sees(t, "county", true)
	})
	t.Run("it ends with the consult", func(t *testing.T) {
		grant(Grant{Practitioner: h.people["expert"].Practitioner, From: h.now, Until: h.now.Add(time.Hour)})
		sees(t, "expert", true)
		if err := h.service.DB.InTx(t.Context(), func(tx pgx.Tx) error { return h.service.EndGrants(t.Context(), tx, teleconsult) }); err != nil {
			t.Fatal(err)
		}
		sees(t, "expert", false)
	})
	t.Run("a study that isn't there can't be granted", func(t *testing.T) {
		err := h.service.DB.InTx(t.Context(), func(tx pgx.Tx) error {
			return h.service.GrantStudies(t.Context(), tx, Grant{Teleconsult: teleconsult, Place: h.county, Studies: []string{study, "1.2.3"},
				Practitioner: h.people["expert"].Practitioner, From: h.now, Until: h.now.Add(time.Hour)})
		})
		if fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
	t.Run("each reading left its entry, a scroll one", func(t *testing.T) {
		count := func(who, where string, args ...any) (n int) {
			t.Helper()
			err := h.service.DB.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE account_id = $1 AND action = 'imaging.read' AND `+where,
				append([]any{h.people[who].Account}, args...)...).Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := count("county", `object = $2`, "series/"+seriesUID)
		h.now = h.now.Add(10 * time.Minute)
		for range 20 {
			h.get("county", every[6], "*/*")
		}
		if n := count("county", `object = $2`, "series/"+seriesUID) - before; n != 1 {
			t.Errorf("20 frames in a minute left %d entries", n)
		}
		if n := count("expert", `outcome = 'denied'`); n == 0 {
			t.Error("a refused look left no entry")
		}
		if n := count("county", `outcome = 'done' AND object = $2`, "study/"+study); n == 0 {
			t.Error("reading the study left no entry")
		}
	})
	t.Run("nothing of the patient is in the log", func(t *testing.T) {
		for _, secret := range []string{"JANCT000", `"99000"`, study} {
			if strings.Contains(h.log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

func problem(a answer) httpapi.Problem {
	var p httpapi.Problem
	_ = json.Unmarshal(a.body, &p) // a zero problem fails the comparison
	return p
}

func TestWhatIsStored(t *testing.T) {
	h := open(t, storagetest.New(t))
	good := files["transfer-syntaxes/CT_small.dcm"]
	_, _, goodSOP := uidsOf(t, good)

	t.Run("a broken file beside a good one: the good one is kept, the broken one named", func(t *testing.T) {
		broken := files["transfer-syntaxes/MR_small.dcm"]
		_, _, brokenSOP := uidsOf(t, broken)
		a, s := h.stow("county", good, broken[:len(broken)-2000], []byte("no DICOM at all"))
		if a.status != 202 || len(s.Good.Value) != 1 || s.Good.Value[0].SOP.Value[0] != goodSOP || len(s.Bad.Value) != 2 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if b := s.Bad.Value[0]; b.SOP.Value[0] != brokenSOP || b.Reason.Value[0] != notUnderstood || !strings.Contains(b.Say.Value[0], "Part 2") {
			t.Errorf("%+v", b)
		}
		if b := s.Bad.Value[1]; b.SOP.Value != nil || !strings.Contains(b.Say.Value[0], "Part 3") {
			t.Errorf("%+v", b)
		}
	})
	t.Run("the same bytes again: success, nothing written", func(t *testing.T) {
		put := h.objects.put.Load()
		if a, _ := h.stow("county", good); a.status != 200 || h.objects.put.Load() != put {
			t.Errorf("%d, %d objects more", a.status, h.objects.put.Load()-put)
		}
	})
	t.Run("stored by two at once: one object, both are told that it is there", func(t *testing.T) {
		before := h.objects.put.Load() - h.objects.deleted.Load()
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				if a, _ := h.stow("county", files["transfer-syntaxes/MR_small_implicit.dcm"]); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		both.Wait()
		if n := h.objects.put.Load() - h.objects.deleted.Load() - before; n != 1 {
			t.Errorf("%d objects lie there", n)
		}
	})
	t.Run("other bytes under the same UID: conflict, the first is kept", func(t *testing.T) {
		other, err := dicom.Rewrite(good, map[dicom.Tag]string{dicom.StudyDescription: "other"})
		if err != nil {
			t.Fatal(err)
		}
		put := h.objects.put.Load()
		a, s := h.stow("county", other)
		if a.status != 409 || s.Bad.Value[0].Reason.Value[0] != duplicate || h.objects.put.Load() != put {
			t.Fatalf("%d %s", a.status, a.body)
		}
		first, second := sha256.Sum256(good), sha256.Sum256(other)
		for _, sum := range [][32]byte{first, second} {
			if !strings.Contains(s.Bad.Value[0].Say.Value[0], hex.EncodeToString(sum[:4])) {
				t.Errorf("%q does not name %x", s.Bad.Value[0].Say.Value[0], sum[:4])
			}
		}
		study, ser, sop := uidsOf(t, good)
		if b := h.get("county", "/dicomweb/studies/"+study+"/series/"+ser+"/instances/"+sop, dicomType); !bytes.Equal(b.body[128:], good[128:]) {
			t.Error("not the first bytes")
		}
		// Who holds the first is told too: once a sender, however it came and how often.
		for range 2 {
			h.stow("county", other)
			body := fmt.Sprintf(`{"instances":[{"sop_uid":%q,"sha256":%q}]}`, sop, hex.EncodeToString(second[:]))
			h.call("neighbour", "POST", "/api/v1/imaging/uploads/have", map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
		}
		third := sha256.Sum256([]byte("third"))
		body := fmt.Sprintf(`{"instances":[{"sop_uid":%q,"sha256":%q}]}`, sop, hex.EncodeToString(third[:]))
		h.call("neighbour", "POST", "/api/v1/imaging/uploads/have", map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
		if got := h.toldOf("county", study); len(got) != 2 || got[0].From != "county" || got[1].From != "neighbour" || got[0].Objects != 1 || got[1].Objects != 1 || !got[0].At.Equal(h.now) {
			t.Errorf("who holds the first is told %+v", got)
		}
		rows, err := h.service.DB.Query(t.Context(), `SELECT outcome || ' ' || object || ' ' || reason FROM audit_entry WHERE institution_id = $1 AND reason LIKE '0111%' ORDER BY at`, h.county)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if want := "denied study/" + study + " 0111: other bytes for 1 objects, the first kept"; err != nil || !slices.Equal(entries, []string{want, want}) {
			t.Errorf("audit: %q, %v", entries, err)
		}
	})
	t.Run("another patient under a known study is refused", func(t *testing.T) {
		other, err := dicom.Rewrite(good, map[dicom.Tag]string{dicom.PatientID: "someone else", dicom.SOPInstanceUID: "1.2.3.4"})
		if err != nil {
			t.Fatal(err)
		}
		if a, s := h.stow("county", other); a.status != 409 || s.Bad.Value[0].Reason.Value[0] != noMatch {
			t.Errorf("%d %s", a.status, a.body)
		}
		if h.objects.put.Load()-h.objects.deleted.Load() != 2 {
			t.Errorf("%d objects lie there, want 2", h.objects.put.Load()-h.objects.deleted.Load())
		}
	})
	t.Run("UIDs that are none are refused", func(t *testing.T) {
		for _, uid := range []string{"", "../../../x", "1.2';DROP", strings.Repeat("1", 65), "1.2.a"} {
			bad, err := dicom.Rewrite(good, map[dicom.Tag]string{dicom.StudyInstanceUID: uid, dicom.SOPInstanceUID: "1.2.99"})
			if err != nil {
				t.Fatal(err)
			}
			if a, s := h.stow("county", bad); a.status != 409 || s.Bad.Value[0].Reason.Value[0] != noMatch {
				t.Errorf("%q: %d %s", uid, a.status, a.body)
			}
		}
		for _, path := range []string{"/dicomweb/studies/1.2%2f..%2f/metadata", "/dicomweb/studies/abc", "/dicomweb/studies/" + strings.Repeat("1", 65)} {
			if a := h.get("county", path, ""); a.status != 400 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
	})
	t.Run("a request that is no STOW is said so", func(t *testing.T) {
		for name, c := range map[string]struct {
			kind, body string
			status     int
		}{
			"not multipart": {"application/json", "{}", 400},
			"no boundary":   {`multipart/related; type="application/dicom"`, "", 400},
			"of JSON":       {`multipart/related; type="application/dicom+json"; boundary=x`, "--x--", 415},
			"no parts":      {`multipart/related; type="application/dicom"; boundary=x`, "--x--", 400},
			"broken off":    {`multipart/related; type="application/dicom"; boundary=x`, "--x\r\nContent-Type: application/dicom\r\n\r\nabc", 400},
			"another study": {`multipart/related; type="application/dicom"; boundary=x`, "--x\r\n\r\n" + string(good) + "\r\n--x--", 409},
		} {
			path := "/dicomweb/studies"
			if c.status == 409 {
				path += "/1.2.3"
			}
			if a := h.call("county", "POST", path, map[string]string{"Content-Type": c.kind}, strings.NewReader(c.body)); a.status != c.status {
				t.Errorf("%s: %d, want %d: %s", name, a.status, c.status, a.body)
			}
		}
	})
	t.Run("a dead object store: 503 and no row", func(t *testing.T) {
		h.objects.fail = fault.New(fault.Unavailable, "object_store_away", "", "")
		defer func() { h.objects.fail = nil }()
		mr := files["colour/examples_palette.dcm"]
		a, _ := h.stow("county", mr)
		study, _, _ := uidsOf(t, mr)
		if b := h.get("county", "/dicomweb/studies/"+study, ""); a.status != 503 || b.status != 404 {
			t.Errorf("%d, then %d", a.status, b.status)
		}
	})
	t.Run("a panic over one object: that one is refused, nothing of it left, the others are kept, nothing of the patient logged", func(t *testing.T) {
		one, two := object(t, 700, map[dicom.Tag]string{dicom.PatientName: "Secret^Name"}, ""), object(t, 701, nil, "")
		h.objects.panics.Store(true)
		lay := h.objects.put.Load() - h.objects.deleted.Load()
		a, s := h.stow("county", one, two)
		if a.status != 202 || len(s.Good.Value) != 1 || len(s.Bad.Value) != 1 || s.Bad.Value[0].Reason.Value[0] != ourFailure {
			t.Errorf("%d %s", a.status, a.body)
		}
		if n := h.objects.put.Load() - h.objects.deleted.Load() - lay; n != 1 {
			t.Errorf("%d objects lie there", n)
		}
		if log := h.log.String(); !strings.Contains(log, "panic while an object was stored") || strings.Contains(log, "Secret") {
			t.Errorf("%s", log)
		}
		if a, _ := h.stow("county", one, two); a.status != 200 {
			t.Errorf("again: %d %s", a.status, a.body)
		}
	})
	t.Run("more objects than one request may have: those in time are kept, who sends learns from which on none was", func(t *testing.T) {
		var b strings.Builder
		part := func(kind, body string) { fmt.Fprintf(&b, "--x\r\nContent-Type: %s\r\n\r\n%s\r\n", kind, body) }
		part(dicomType, string(object(t, 702, nil, "")))
		for range maxParts + 10 {
			part("text/plain", "")
		}
		b.WriteString("--x--")
		a := h.call("county", "POST", "/dicomweb/studies", map[string]string{"Content-Type": `multipart/related; type="application/dicom"; boundary=x`}, strings.NewReader(b.String()))
		var s stowed
		if err := json.Unmarshal(a.body, &s); err != nil {
			t.Fatal(err)
		}
		if a.status != 202 || len(s.Good.Value) != 1 || len(s.Bad.Value) != maxParts {
			t.Fatalf("%d: %d kept, %d not", a.status, len(s.Good.Value), len(s.Bad.Value))
		}
		if last := s.Bad.Value[maxParts-1]; last.Reason.Value[0] != outOfResources || !strings.Contains(last.Say.Value[0], "Part 5001: At most 5000 objects") {
			t.Errorf("%+v", last)
		}
	})
	t.Run("have tells what is missing, what is known with other bytes, and what is held", func(t *testing.T) {
		sum := sha256.Sum256(good)
		body := fmt.Sprintf(`{"instances":[{"sop_uid":%q,"sha256":%q},{"sop_uid":"1.2.3","sha256":%q},{"sop_uid":%q,"sha256":%q}]}`,
			goodSOP, hex.EncodeToString(sum[:]), strings.Repeat("0", 64), goodSOP, strings.Repeat("0", 64))
		a := h.call("county", "POST", "/api/v1/imaging/uploads/have", map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
		if want := fmt.Sprintf(`{"missing":["1.2.3"],"conflicts":[%q],"held":[{"sop_uid":%q,"sha256":%q}]}`, goodSOP, goodSOP, hex.EncodeToString(sum[:])); string(bytes.TrimSpace(a.body)) != want {
			t.Errorf("%d %s, want %s", a.status, a.body, want)
		}
	})
}

func TestEverySoundFileIsServed(t *testing.T) {
	h := open(t, storagetest.New(t))
	for name, raw := range files {
		if strings.HasPrefix(name, "corrupt/") || strings.Contains(name, "series") {
			continue
		}
		study, ser, sop := uidsOf(t, raw)
		if sop == "" || ser == "" || study == "" {
			continue // a test file without UIDs can't be addressed
		}
		a, _ := h.stow("county", raw)
		if a.status != 200 && !strings.Contains(string(a.body), "0111") && !strings.Contains(string(a.body), `[273]`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
			continue
		}
		at := "/dicomweb/studies/" + study + "/series/" + ser + "/instances/" + sop
		if b := h.get("county", at+"/metadata", jsonType); b.status != 200 || !json.Valid(b.body) {
			t.Errorf("%s metadata: %d", name, b.status)
		}
		f, err := dicom.Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if a.status != 200 || f.Pixels == nil {
			continue
		}
		b := h.get("county", at+"/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*")
		headers, bodies := h.parts(b)
		inflated := raw
		if f.TransferSyntax == dicom.DeflatedLE {
			var whole bytes.Buffer
			if err := dicom.Inflate(&whole, bytes.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
			inflated = whole.Bytes()
		}
		want := frameIn(f, inflated)
		if f.TransferSyntax == dicom.ExplicitBE {
			want = frameOf(t, files["transfer-syntaxes/MR_small.dcm"])
		}
		if b.status != 200 || !bytes.Equal(bodies[0], want) {
			t.Errorf("%s frame: %d", name, b.status)
		}
		if syntax := parseMedia(headers[0].Get("Content-Type")).params["transfer-syntax"]; !dicom.Native(f.TransferSyntax) && syntax != f.TransferSyntax {
			t.Errorf("%s says %s", name, syntax)
		}
		if d := h.get("county", at+"/rendered", "image/png"); d.status != 200 {
			t.Errorf("%s is not drawn: %d %s", name, d.status, d.body)
		}
		if strings.Contains(name, "/MR_small") { // one picture, in eight syntaxes without loss
			if d := h.get("county", at+"/frames/1", octets); d.status != 200 || !bytes.Equal(d.body, frameOf(t, files["transfer-syntaxes/MR_small.dcm"])) {
				t.Errorf("%s as samples: %d", name, d.status)
			}
		}
	}
}

func TestWithoutOpenJPEGItsFramesAreServedAsTheyAre(t *testing.T) {
	h := open(t, storagetest.New(t))
	h.service.Decoder = worker.New(1, "")
	t.Cleanup(h.service.Decoder.Close)
	file := files["transfer-syntaxes/MR_small_jp2klossless.dcm"]
	if a, _ := h.stow("county", file); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	study, series, sop := uidsOf(t, file)
	at := "/dicomweb/studies/" + study + "/series/" + series + "/instances/" + sop
	for what, want := range map[string]int{"/rendered": 406, "/thumbnail": 406, "/frames/1": 406, "/frames/1?accept=image/jp2": 200} {
		if a := h.get("county", at+what, map[bool]string{true: octets, false: "image/png"}[strings.HasPrefix(what, "/frames")]); a.status != want {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

func TestAcceptForms(t *testing.T) {
	h := open(t, storagetest.New(t))
	ct, jls, rle := files["transfer-syntaxes/CT_small.dcm"], files["transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm"], files["multiframe/CT0012.not_fragmented_bot_rle.dcm"]
	pdf, deflated := files["other/encapsulated_pdf.dcm"], files["transfer-syntaxes/image_dfl.dcm"]
	for _, f := range [][]byte{ct, jls, rle, pdf, deflated} {
		if a, _ := h.stow("county", f); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	study := func(raw []byte) string {
		uid, _, _ := uidsOf(t, raw)
		return "/dicomweb/studies/" + uid
	}
	at := func(raw []byte) string {
		_, ser, sop := uidsOf(t, raw)
		return study(raw) + "/series/" + ser + "/instances/" + sop
	}
	const parts = "multipart/related"
	for _, c := range []struct {
		path, accept string
		status       int
		kind         string // of the answer
	}{
		{at(ct), "", 200, parts},
		{at(ct), "*/*", 200, parts},
		{at(ct), `multipart/related; type="application/dicom"; transfer-syntax=*`, 200, parts},
		{at(ct), dicomType, 200, dicomType},
		{at(ct), "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80", 406, "application/problem+json"},
		{at(ct), "text/html", 406, "application/problem+json"},
		{at(ct) + "/frames/1", "", 200, parts},
		{at(ct) + "/frames/1", octets, 200, octets},
		{at(ct) + "/frames/1", "text/plain;q=1, application/octet-stream;q=0.5", 200, octets},
		{at(ct) + "/frames/1", "image/jpeg", 406, "application/problem+json"},
		{at(ct) + "/frames/1", octets + ";q=0", 406, "application/problem+json"},
		{at(ct) + "/frames/1", octets + ";q=0, */*", 406, "application/problem+json"},
		{at(ct) + "/rendered", "image/jpeg;q=0, image/*", 200, "image/png"},
		{at(ct) + "/metadata", "application/dicom+xml", 406, "application/problem+json"},
		{at(ct) + "/metadata", `multipart/related; type="application/dicom+xml"`, 406, "application/problem+json"},
		{"/dicomweb/studies", "application/dicom+xml", 406, "application/problem+json"},
		{"/dicomweb/studies", "application/dicom+xml, application/*;q=0.1", 200, jsonType},
		{"/dicomweb/studies?accept=application/dicom+json", "text/html", 200, jsonType},
		{"/dicomweb/studies?accept=application/dicom%2Bjson;q=1", "text/html", 200, jsonType},
		{"/dicomweb/studies?limit=1&accept=application/dicom+xml", "", 406, "application/problem+json"},
		{at(ct) + "?accept=multipart/related;type=application/dicom", "text/html", 200, parts},
		{at(ct) + "?accept=multipart%2Frelated%3B+type%3D%22application%2Fdicom%22", "text/html", 200, parts},
		{at(rle) + "/frames/1,2/rendered", "image/jpeg", 406, "application/problem+json"},
		{at(rle) + "/frames/1,2/rendered", "image/png, multipart/related;q=0.1", 200, parts + `; type="image/jpeg"`},
		{at(rle) + "/frames/1,3/rendered", "", 404, "application/problem+json"},
		{at(ct) + "/frames/2", "", 404, "application/problem+json"},
		{at(ct) + "/frames/0", "", 404, "application/problem+json"},
		{at(ct) + "/frames/x", "", 400, "application/problem+json"},
		{at(jls) + "/frames/1", "multipart/related; type=image/jls", 200, parts},
		{at(jls) + "/frames/1", "multipart/related; type=\"image/x-jls\", */*", 200, parts},
		{at(jls) + "/frames/1", octets, 200, octets},
		{at(jls) + "/frames/1", `multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1`, 200, parts},
		{at(jls) + "/frames/1", "image/jpeg", 406, "application/problem+json"},
		{at(jls) + "/frames/1", octets + "; transfer-syntax=1.2.840.10008.1.2.4.80", 200, octets},
		{at(jls) + "/rendered", "image/jpeg", 200, "image/jpeg"},
		{at(jls) + "/rendered", "", 200, "image/jpeg"},
		{at(jls) + "/rendered", "image/webp, image/png;q=0.5", 200, "image/png"},
		{at(jls) + "/thumbnail", "", 200, "image/jpeg"},
		{at(rle) + "/frames/2/thumbnail", "image/*", 200, "image/jpeg"},
		{at(rle) + "/frames/3/thumbnail", "image/*", 404, "application/problem+json"},
		{study(jls) + "/thumbnail", "", 200, "image/jpeg"},
		{at(ct), "multipart/related; type=application/dicom", 200, parts},
		{at(ct), "text/html, application/dicom;q=0.1", 200, dicomType},
		{at(ct), zipType, 200, zipType},
		{study(ct), zipType, 200, zipType},
		{study(ct), dicomType, 200, dicomType},
		{at(ct) + "/metadata", "application/json", 200, jsonType},
		{at(ct) + "/bulkdata/7FE00010", octets, 200, octets},
		{at(ct) + "/bulkdata/7FE00010", "", 200, parts},
		{at(ct) + "/bulkdata/00100010", "", 404, "application/problem+json"},
		{at(pdf) + "/bulkdata/00420011", "", 200, "application/pdf"},
		{at(pdf) + "/bulkdata/00420011", "application/pdf", 200, "application/pdf"},
		{at(pdf) + "/bulkdata/00420011", octets, 200, octets},
		{at(pdf) + "/rendered", "", 404, "application/problem+json"},
		{at(deflated), dicomType, 200, dicomType + "; transfer-syntax=1.2.840.10008.1.2.1"},
		{at(deflated), dicomType + "; transfer-syntax=*", 200, dicomType + "; transfer-syntax=1.2.840.10008.1.2.1.99"},
		{at(rle) + "/frames/1,2", `multipart/related; type="application/octet-stream"`, 200, parts},
		{at(rle) + "/frames/2/rendered", "image/png", 200, "image/png"},
		{at(ct) + "/rendered?window=a,b", "image/jpeg", 400, "application/problem+json"},
	} {
		a := h.get("county", c.path, c.accept)
		if a.status != c.status || !strings.HasPrefix(a.header.Get("Content-Type"), c.kind) {
			t.Errorf("%s, Accept %q: %d %s, want %d %s", c.path[len(c.path)-12:], c.accept, a.status, a.header.Get("Content-Type"), c.status, c.kind)
		}
	}
	t.Run("RLE decoded for who can't: two frames of samples", func(t *testing.T) {
		_, bodies := h.parts(h.get("county", at(rle)+"/frames/1,2", `multipart/related; type="application/octet-stream"`))
		if len(bodies) != 2 || len(bodies[0]) != 512*512*2 || bytes.Equal(bodies[0], bodies[1]) {
			t.Errorf("%d parts", len(bodies))
		}
	})
	t.Run("decoded for who can't: the samples of the uncompressed file", func(t *testing.T) {
		want := frameOf(t, files["transfer-syntaxes/MR_small.dcm"])
		for n, name := range []string{"MR_small_bigendian", "MR_small_implicit", "MR_small_RLE", "MR_small_jpeg_ls_lossless"} {
			raw := files["transfer-syntaxes/"+name+".dcm"]
			if n > 0 { // they share their UIDs
				var err error
				if raw, err = dicom.Rewrite(raw, map[dicom.Tag]string{dicom.SOPInstanceUID: fmt.Sprint("1.2.77.", n)}); err != nil {
					t.Fatal(err)
				}
			}
			if a, _ := h.stow("county", raw); a.status != 200 {
				t.Fatalf("%s: %d %s", name, a.status, a.body)
			}
			if b := h.get("county", at(raw)+"/frames/1", octets); !bytes.Equal(b.body, want) {
				t.Errorf("%s: %d, %d bytes", name, b.status, len(b.body))
			}
		}
	})
	t.Run("two frames drawn are two pictures", func(t *testing.T) {
		for accept, kind := range map[string]string{"": "image/jpeg", `multipart/related; type="image/png"`: "image/png"} {
			headers, bodies := h.parts(h.get("county", at(rle)+"/frames/2,1/rendered", accept))
			if len(bodies) != 2 || headers[1].Get("Content-Type") != kind {
				t.Fatalf("%q: %v", accept, headers)
			}
			for i, n := range []string{"2", "1"} {
				if one := h.get("county", at(rle)+"/frames/"+n+"/rendered", kind); !bytes.Equal(one.body, bodies[i]) {
					t.Errorf("%q: part %d is not frame %s", accept, i+1, n)
				}
			}
		}
	})
	t.Run("a zip archive of the objects, without names", func(t *testing.T) {
		a := h.get("county", study(ct), zipType)
		z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
		if err != nil || len(z.File) != 1 || z.File[0].Name != "000001.dcm" {
			t.Fatal(err)
		}
		in, err := z.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(in); err != nil || !bytes.Equal(b[128:], ct[128:]) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	})
	t.Run("a deflated object is inflated for who names no syntax, and is the same data set", func(t *testing.T) {
		f, err := dicom.Read(bytes.NewReader(h.get("county", at(deflated), dicomType).body))
		if err != nil || f.TransferSyntax != dicom.ExplicitLE || f.Pixels == nil {
			t.Fatal(err)
		}
		was, err := dicom.Read(bytes.NewReader(deflated))
		if err != nil {
			t.Fatal(err)
		}
		a, _ := f.JSON()
		b, _ := was.JSON()
		if !bytes.Equal(a, b) {
			t.Error("its attributes changed")
		}
	})
	t.Run("an implicit object in explicit little endian, for who asks: the same data set, the same pixels", func(t *testing.T) {
		raw := files["transfer-syntaxes/MR_small_implicit.dcm"]
		rewritten, err := dicom.Rewrite(raw, map[dicom.Tag]string{dicom.SOPInstanceUID: "1.2.78", dicom.StudyInstanceUID: "1.2.78.1", dicom.SeriesInstanceUID: "1.2.78.2"})
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := h.stow("county", rewritten); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		was, err := dicom.Read(bytes.NewReader(rewritten))
		if err != nil {
			t.Fatal(err)
		}
		alone := h.get("county", at(rewritten), dicomType+"; transfer-syntax="+dicom.ExplicitLE)
		_, parted := h.parts(h.get("county", at(rewritten), `multipart/related; type="application/dicom"; transfer-syntax=`+dicom.ExplicitLE))
		for _, b := range [][]byte{alone.body, parted[0]} {
			f, err := dicom.Read(bytes.NewReader(b))
			if err != nil || f.TransferSyntax != dicom.ExplicitLE {
				t.Fatal(err)
			}
			before, _ := was.JSON()
			after, _ := f.JSON()
			if !bytes.Equal(before, after) || !bytes.Equal(frameOf(t, b), frameOf(t, rewritten)) {
				t.Error("it changed")
			}
		}
		if b := h.get("county", at(rewritten), dicomType); !bytes.Equal(b.body[128:], rewritten[128:]) {
			t.Error("who asks for no syntax doesn't get what is stored")
		}
		if part := h.call("county", "GET", at(rewritten), map[string]string{"Accept": dicomType + "; transfer-syntax=" + dicom.ExplicitLE, "Range": "bytes=128-131"}, nil); string(part.body) != "DICM" {
			t.Errorf("range: %d %q", part.status, part.body)
		}
	})
	t.Run("a series in two syntaxes is not sent as one of them", func(t *testing.T) {
		lossless, err := dicom.Rewrite(files["transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm"], map[dicom.Tag]string{dicom.SOPInstanceUID: "1.2.79.2", dicom.StudyInstanceUID: "1.2.79", dicom.SeriesInstanceUID: "1.2.79.1", dicom.InstanceNumber: "2"})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := dicom.Rewrite(files["transfer-syntaxes/MR_small.dcm"], map[dicom.Tag]string{dicom.SOPInstanceUID: "1.2.79.1.1", dicom.StudyInstanceUID: "1.2.79", dicom.SeriesInstanceUID: "1.2.79.1", dicom.InstanceNumber: "1"})
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := h.stow("county", plain, lossless); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for syntax, want := range map[string]int{dicom.ExplicitLE: 406, "*": 200} {
			if a := h.get("county", study(plain), `multipart/related; type="application/dicom"; transfer-syntax=`+syntax); a.status != want {
				t.Errorf("%s: %d", syntax, a.status)
			}
		}
	})
	t.Run("drawn into the box that was asked for, in its shape", func(t *testing.T) {
		for query, want := range map[string]image.Point{"": {512, 512}, "?viewport=100,200": {100, 100}, "?viewport=9,4096": {9, 9}, "?viewport=4096,4096": {512, 512}} {
			img, err := jpeg.Decode(bytes.NewReader(h.get("county", at(jls)+"/rendered"+query, "image/jpeg").body))
			if err != nil || img.Bounds().Size() != want {
				t.Errorf("%s: %v, want %v (%v)", query, img.Bounds().Size(), want, err)
			}
		}
		for _, query := range []string{"viewport=1", "viewport=0,5", "viewport=5000,5", "quality=0", "quality=x", "window=1,0"} {
			if a := h.get("county", at(jls)+"/rendered?"+query, "image/jpeg"); a.status != 400 {
				t.Errorf("%s: %d", query, a.status)
			}
		}
	})
	t.Run("range, HEAD and ETag", func(t *testing.T) {
		object := h.call("county", "GET", at(ct), map[string]string{"Accept": dicomType, "Range": "bytes=100-199"}, nil)
		if want := append(make([]byte, 28), ct[128:200]...); object.status != 206 || !bytes.Equal(object.body, want) {
			t.Errorf("range of an object: %d, % x", object.status, object.body)
		}
		path := at(ct) + "/frames/1"
		whole := h.get("county", path, octets)
		part := h.call("county", "GET", path, map[string]string{"Accept": octets, "Range": "bytes=100-199"}, nil)
		if part.status != 206 || !bytes.Equal(part.body, whole.body[100:200]) {
			t.Errorf("range: %d", part.status)
		}
		for _, known := range []string{whole.header.Get("ETag"), "*"} {
			if again := h.call("county", "GET", path, map[string]string{"Accept": octets, "If-None-Match": known}, nil); again.status != 304 {
				t.Errorf("ETag %s: %d", known, again.status)
			}
		}
		for path, accepts := range map[string][]string{at(ct): {dicomType, "*/*", zipType}, path: {octets, "*/*"}, at(jls) + "/frames/1": {octets, "image/jls", "*/*"},
			at(pdf) + "/bulkdata/00420011": {"application/pdf", octets, `multipart/related; type="application/pdf"`, `multipart/related; type="application/octet-stream"`},
			at(ct) + "/rendered":           {"image/jpeg", "image/png"}} {
			tags := map[string]string{}
			for _, accept := range accepts {
				a := h.get("county", path, accept)
				tag := a.header.Get("ETag")
				if other, known := tags[tag]; known || tag == "" || !slices.Contains(a.header.Values("Vary"), "Accept") {
					t.Errorf("%s: %q has the tag of %q, varies by %v", path[len(path)-12:], accept, other, a.header.Values("Vary"))
				}
				tags[tag] = accept
			}
		}
		if head := h.call("county", "HEAD", at(ct), map[string]string{"Accept": dicomType}, nil); head.status != 200 || head.header.Get("Content-Length") != fmt.Sprint(len(ct)) {
			t.Errorf("HEAD: %d %v", head.status, head.header)
		}
	})
}

// Whatever a client's way to write it, each resource answers in a form that it asked for.
func TestEveryResourceInEveryWriting(t *testing.T) {
	h := open(t, storagetest.New(t))
	raw := files["transfer-syntaxes/CT_small.dcm"]
	if a, _ := h.stow("county", raw); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	study, ser, sop := uidsOf(t, raw)
	inStudy, inSeries := "/dicomweb/studies/"+study, "/dicomweb/studies/"+study+"/series/"+ser
	at := inSeries + "/instances/" + sop
	const parts = "multipart/related"
	for kind, paths := range map[string][]string{
		dicomType:    {inStudy, inSeries, at},
		octets:       {at + "/frames/1", at + "/bulkdata/7FE00010"},
		jsonType:     {inStudy + "/metadata", inSeries + "/metadata", at + "/metadata", "/dicomweb/studies", "/dicomweb/series", "/dicomweb/instances", inStudy + "/series", inStudy + "/instances", inSeries + "/instances"},
		"image/jpeg": {at + "/rendered", at + "/frames/1/rendered", at + "/thumbnail", inSeries + "/thumbnail", inStudy + "/thumbnail", at + "/frames/1/thumbnail"},
	} {
		inParts := kind == dicomType || kind == octets
		for _, path := range paths {
			asked := map[string]string{"": "", "*/*": "", kind: kind, "text/html, " + kind + ";q=0.5": kind, strings.ToUpper(kind): kind, kind + " , */*;q=0.1": kind}
			if inParts {
				for _, m := range []string{`multipart/related; type="` + kind + `"`, "multipart/related; type=" + kind, "multipart/related;type=" + kind + ";q=0.9, image/png;q=0.1",
					`multipart/related; type="` + kind + `"; transfer-syntax=*`, `multipart/related; type="` + kind + `"; transfer-syntax=1.2.840.10008.1.2.1`,
					`image/jls, multipart/related; type="` + kind + `"`, "multipart/related"} {
					asked[m] = parts
				}
				asked[""], asked["*/*"] = parts, parts
			} else {
				asked[""], asked["*/*"] = kind, kind
			}
			for accept, want := range asked {
				for _, way := range []string{"header", "parameter"} {
					to, header := path, map[string]string{"Accept": accept}
					if way == "parameter" && accept != "" {
						to, header = path+"?accept="+url.QueryEscape(accept), map[string]string{"Accept": "text/html"}
					}
					a := h.call("county", "GET", to, header, nil)
					got := a.header.Get("Content-Type")
					if a.status != 200 || !strings.HasPrefix(got, want) {
						t.Errorf("%s, %s %q: %d %s, want %s", path[len(path)-20:], way, accept, a.status, got, want)
						continue
					}
					if want == parts {
						headers, bodies := h.parts(a)
						if len(bodies) != 1 || !strings.HasPrefix(headers[0].Get("Content-Type"), kind) || !strings.Contains(got, `type="`+kind+`"`) {
							t.Errorf("%s, %q: %d parts of %v in %s", path[len(path)-20:], accept, len(bodies), headers, got)
						}
					}
				}
			}
		}
	}
}

func TestSearch(t *testing.T) {
	h := open(t, storagetest.New(t))
	for n, name := range []string{"Wang^Xiaodong=王^小东", "王^芳", "Zhang^Feng=张^峰", "100%_real", "=曾^单"} {
		raw, err := dicom.Rewrite(files["transfer-syntaxes/CT_small.dcm"], map[dicom.Tag]string{dicom.PatientName: name, dicom.PatientID: fmt.Sprint("P", n),
			dicom.StudyInstanceUID: fmt.Sprint("1.2.", n), dicom.SeriesInstanceUID: fmt.Sprint("1.3.", n), dicom.SOPInstanceUID: fmt.Sprint("1.4.", n),
			dicom.StudyDate: fmt.Sprint("2026110", n+1), dicom.StudyID: fmt.Sprint("S-", n), timezone: "+0800",
			dicom.StepStartDate: fmt.Sprint("2026110", n+1), dicom.StepStartTime: fmt.Sprintf("0%d3000", n)})
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := h.stow("county", raw); a.status != 200 {
			t.Fatalf("%s", a.body)
		}
	}
	asked := func(items ...string) string {
		var b strings.Builder
		b.WriteString("\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff")
		for _, it := range items {
			b.WriteString("\xfe\xff\x00\xe0\xff\xff\xff\xff" + it + "\xfe\xff\x0d\xe0\x00\x00\x00\x00")
		}
		return b.String() + "\xfe\xff\xdd\xe0\x00\x00\x00\x00"
	}
	if a, _ := h.stow("county", object(t, 9, map[dicom.Tag]string{dicom.StudyInstanceUID: "1.2.9", dicom.PatientID: "P9"},
		asked("\x40\x00\x09\x00SH\x06\x00SPS-1 ", "\x40\x00\x09\x00SH\x06\x00SPS-2 \x40\x00\x01\x10SH\x04\x00RP-2"))); a.status != 200 {
		t.Fatalf("%s", a.body)
	}
	find := func(path string) (uids []string, a answer) {
		t.Helper()
		a = h.get("county", "/dicomweb/"+path, jsonType)
		var found []map[string]attribute
		if err := json.Unmarshal(a.body, &found); a.status == 200 && err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			uids = append(uids, f["0020000D"].Value[0].(string))
		}
		return uids, a
	}
	for query, want := range map[string]string{
		"studies?PatientName=WANG*":                                          "1.2.1 1.2.0",
		"studies?PatientName=wangfang":                                       "1.2.1",
		"studies?PatientName=Wang%5EFa?g":                                    "1.2.1",
		"studies?PatientName=zengdan":                                        "1.2.4",
		"studies?PatientName=ceng*":                                          "",
		"studies?PatientName=fang":                                           "",
		"studies?PatientName=fang&fuzzymatching=true":                        "1.2.1",
		"studies?PatientName=feng+zhang&fuzzymatching=true":                  "1.2.2",
		"studies?PatientName=%E7%8E%8B%E5%B0%8F%E4%B8%9C&fuzzymatching=true": "1.2.0", // 王小东
		"studies?PatientName=%25&fuzzymatching=true":                         "1.2.3",
		"studies?PatientName=*&fuzzymatching=true&limit=1":                   "1.2.4",
		"studies?PatientName=%E7%8E%8B*":                                     "1.2.1 1.2.0", // 王*
		"studies?00100010=%E5%BC%A0%5E%E5%B3%B0":                             "1.2.2",       // 张^峰
		"studies?PatientName=*%25*":                                          "1.2.3",
		"studies?PatientName=100%25_rea?":                                    "1.2.3",
		"studies?PatientID=P2":                                               "1.2.2",
		"studies?StudyDate=20261102-20261103":                                "1.2.2 1.2.1",
		"studies?StudyDate=20261103-20261104":                                "1.2.3 1.2.2",
		"studies?StudyDate=20261104-":                                        "1.2.4 1.2.3",
		"studies?StudyDate=-20261101":                                        "1.2.0",
		"studies?StudyDate=20261104":                                         "1.2.3",
		"studies?StudyInstanceUID=1.2.0%5C1.2.3":                             "1.2.3 1.2.0",
		"studies?StudyInstanceUID=1.2.0,1.2.3":                               "1.2.3 1.2.0",
		"studies?ModalitiesInStudy=MR":                                       "",
		"studies?ModalitiesInStudy=MR,CT&limit=2&offset=2":                   "1.2.2 1.2.1",
		"studies?fuzzymatching=true&PatientID=P0&includefield=00081030":      "1.2.0",
		"studies?StudyID=S-3":                                                "1.2.3",
		"studies?00200010=S-*&limit=1":                                       "1.2.4",
		"studies?ModalitiesInStudy=&limit=1":                                 "1.2.4", // without a value: everything
		"studies?ModalitiesInStudy=*&limit=1":                                "1.2.4",
		"studies?ModalitiesInStudy=C?&limit=1":                               "1.2.4",
		"studies?StudyInstanceUID=&PatientID=P2":                             "1.2.2",
		"series?Modality=&SeriesNumber=*&PatientID=P2":                       "1.2.2",
		"series?Modality=*&limit=1":                                          "1.2.4",
		"instances?InstanceNumber=&SOPInstanceUID=1.4.2":                     "1.2.2",
		"series?PerformedProcedureStepStartDate=20261102-20261103":           "1.2.2 1.2.1",
		"series?PerformedProcedureStepStartTime=0200-0300":                   "1.2.2",
		"series?RequestAttributesSequence.ScheduledProcedureStepID=SPS*":     "1.2.9",
		"series?00400275.00401001=RP-2":                                      "1.2.9",
		"series?00400275.00401001=RP-3":                                      "",
		"series?PatientID=P1&Modality=CT":                                    "1.2.1",
		"instances?SOPInstanceUID=1.4.2":                                     "1.2.2",
		"studies/1.2.3/series":                                               "1.2.3",
		"studies/1.2.3/series/1.3.3/instances?InstanceNumber=1":              "1.2.3",
	} {
		uids, a := find(query)
		if got := strings.Join(uids, " "); got != want {
			t.Errorf("%s: %q, want %q (%d %.200s)", query, got, want, a.status, a.body)
		}
	}
	for path, want := range map[string]map[string]string{ // PS3.18 tables 10.6.3-3 to 10.6.3-5, what is known
		"studies?PatientID=P3":   {"00200010": "S-3", "00080056": "ONLINE", "00080201": "+0800", "00201206": "1", "00201208": "1"},
		"series?PatientID=P3":    {"00080201": "+0800", "00400244": "20261104", "00400245": "033000", "00201209": "1"},
		"series?PatientID=P9":    {"00400275": "map[00400009:map[Value:[SPS-1] vr:SH] 00401001:map[vr:SH]] map[00400009:map[Value:[SPS-2] vr:SH] 00401001:map[Value:[RP-2] vr:SH]]"},
		"instances?PatientID=P3": {"00080056": "ONLINE", "00080201": "+0800", "00280010": "128", "00280100": "16"},
	} {
		_, a := find(path)
		var found []map[string]attribute
		if err := json.Unmarshal(a.body, &found); err != nil || len(found) != 1 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
			continue
		}
		for tag, value := range want {
			if got := strings.Trim(fmt.Sprint(found[0][tag].Value), "[]"); got != strings.Trim(value, "[]") {
				t.Errorf("%s: %s is %q, want %q", path, tag, got, value)
			}
		}
	}
	for _, query := range []string{"studies?Nonsense=1", "studies?ScheduledProcedureStepID=1", "series?00400275.00100010=x", "studies?00400275.00401001=RP-2", "studies?00420011=1", "studies?SOPInstanceUID=1.2", "studies?limit=-1", "studies?offset=x", "studies?PatientID=a%00b", "studies?PatientName=%ff",
		"studies?PatientID=100%", "studies?PatientID=P0;x", "studies?PatientName=%zz&limit=1"} {
		if _, a := find(query); a.status != 400 {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	if _, a := find("studies?limit=2"); !strings.HasPrefix(a.header.Get("Warning"), "299 ") {
		t.Error("a cut answer doesn't say so")
	}
}

func TestOwnershipIsConfirmedOnce(t *testing.T) {
	h := open(t, storagetest.New(t))
	h.stow("county", files["transfer-syntaxes/CT_small.dcm"])
	study, _, _ := uidsOf(t, files["transfer-syntaxes/CT_small.dcm"])
	other := ids.New[ids.Person]()
	exec(t, h.service.DB, `INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level)
		VALUES ($1, 'other', 'F', '1970-01-01', 'y', 'y', '', 1)`, other)
	policy, err := authz.Load()
	if err != nil {
		t.Fatal(err)
	}
	confirm := func(who string, place ids.Institution, person ids.Person) error {
		scope, err := policy.Scope(h.people[who], "imaging.read")
		if err != nil {
			t.Fatal(err)
		}
		return h.service.DB.InTx(t.Context(), func(tx pgx.Tx) error {
			_, err := h.service.Confirm(t.Context(), tx, scope, study, place, person)
			return err
		})
	}
	if err := confirm("expert", h.county, h.person); fault.KindOf(err) != fault.NotFound {
		t.Errorf("by a stranger: %v", err)
	}
	for range 2 {
		if err := confirm("county", h.county, h.person); err != nil {
			t.Error(err)
		}
	}
	if err := confirm("county", h.county, other); fault.KindOf(err) != fault.Conflict {
		t.Errorf("for another person: %v", err)
	}

	// Another hospital holds it too, and the doctor practises at both.
	h.now = h.now.Add(time.Hour)
	if a, _ := h.stow("expert", files["transfer-syntaxes/CT_small.dcm"]); a.status != 200 {
		t.Fatalf("%d", a.status)
	}
	city := h.people["expert"].Memberships[0].Place
	h.people["both"] = &authz.Subject{Account: h.people["expert"].Account, Practitioner: h.people["expert"].Practitioner,
		Memberships: []authz.Membership{{Role: authz.Doctor, Place: h.county}, {Role: authz.Doctor, Place: city}}}
	for _, place := range []ids.Institution{h.county, city} {
		if err := confirm("both", place, h.person); err != nil {
			t.Errorf("of two copies: %v", err)
		}
	}
	var confirmed int
	if err := h.service.DB.QueryRow(t.Context(), `SELECT count(*) FROM study WHERE person_id = $1`, h.person).Scan(&confirmed); err != nil || confirmed != 2 {
		t.Errorf("%d copies are confirmed, %v", confirmed, err)
	}
}

func TestTwoHospitalsHoldOneStudy(t *testing.T) {
	h := open(t, storagetest.New(t))
	ct := series("ct-series-3")
	h.stow("county", ct...)
	h.stow("expert", ct[0]) // part of it
	study, seriesUID, first := uidsOf(t, ct[0])
	_, _, last := uidsOf(t, ct[2])
	county, city := "?institution="+h.county.String(), "?institution="+h.people["expert"].Memberships[0].Place.String()
	if err := h.service.DB.InTx(t.Context(), func(tx pgx.Tx) error {
		return h.service.GrantStudies(t.Context(), tx, Grant{Practitioner: h.people["expert"].Practitioner, From: h.now, Until: h.now.Add(time.Hour),
			Teleconsult: ids.New[ids.Teleconsult](), Place: h.county, Studies: []string{study}, Purpose: "teleconsult"})
	}); err != nil {
		t.Fatal(err)
	}
	other, err := dicom.Rewrite(ct[1], map[dicom.Tag]string{dicom.SeriesInstanceUID: "1.3.9", dicom.SOPInstanceUID: "1.4.9"})
	if err != nil {
		t.Fatal(err)
	}
	h.stow("county", other)
	at, in := "/dicomweb/studies/"+study, "/series/"+seriesUID
	for _, c := range []struct {
		name, path string
		status     int
		objects    int
	}{
		{"the whole study: the own copy", at + "/metadata", 200, 1},
		{"the other's, by name", at + "/metadata" + county, 200, 4},
		{"the own, by name", at + "/metadata" + city, 200, 1},
		{"a series that both hold", at + in + "/metadata", 200, 1},
		{"the other's of it", at + in + "/metadata" + county, 200, 3},
		{"a series that only the other holds", at + "/series/1.3.9/metadata", 200, 1},
		{"an object that both hold", at + in + "/instances/" + first + "/metadata", 200, 1},
		{"an object that only the other holds", at + in + "/instances/" + last + "/metadata", 200, 1},
		{"not in the own", at + in + "/instances/" + last + "/metadata" + city, 404, 0},
		{"not in that series", at + "/series/1.3.9/instances/" + last + "/metadata", 404, 0},
		{"of a hospital that nobody knows", at + "/metadata?institution=x", 404, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.get("expert", c.path, jsonType)
			var all []json.RawMessage
			if a.status == 200 {
				if err := json.Unmarshal(a.body, &all); err != nil {
					t.Fatal(err)
				}
			}
			if a.status != c.status || len(all) != c.objects {
				t.Errorf("%d with %d objects, want %d with %d", a.status, len(all), c.status, c.objects)
			}
		})
	}
	if a := h.get("expert", at+in+"/instances/"+last+"/frames/1", ""); a.status != 200 {
		t.Errorf("its frame: %d", a.status)
	}
	if a := h.get("colleague", at+"/metadata"+county, jsonType); a.status != 404 {
		t.Errorf("who has no grant, by name: %d", a.status)
	}
}
