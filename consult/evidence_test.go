package consult_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg/pgtest"
)

var jpeg = []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9")

func (w *town) upload() consult.NewEvidence {
	return consult.NewEvidence{Person: w.person, ICD10: "E11.900", DxDate: "2026-05-01", InstitutionName: "永宁县人民医院",
		DocType: "出院小结", FileName: "IMG_0001.jpg", File: jpeg, RequestKey: uuid.NewString()}
}

func TestFromPhotoToEvidence(t *testing.T) {
	w := newTown(t)
	add, verify := w.as(w.wang, "evidence.add"), w.as(w.staff, "evidence.verify")
	n := w.upload()
	e, err := w.AddEvidence(add, n)
	if err != nil || e.Verify != "pending" || e.ContentType != "image/jpeg" {
		t.Fatalf("uploaded: %+v, %v", e, err)
	}
	if again, err := w.AddEvidence(add, n); err != nil || again.ID != e.ID || len(w.files.kept) != 1 {
		t.Errorf("sent twice: %v, %v, %d files", again.ID, err, len(w.files.kept))
	}
	queue, err := w.EvidenceQueue(verify)
	if err != nil || len(queue) != 1 || queue[0].Person.Name != "王秀英" {
		t.Fatalf("queue: %+v, %v", queue, err)
	}
	_, file, err := w.EvidenceFile(w.as(w.staff, "evidence.read"), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(file); !bytes.Equal(b, jpeg) {
		t.Error("the file is not what was uploaded")
	}
	check := consult.EvidenceCheck{Result: "verified", ICD10: "E11.900", DxDate: "2026-04-30"}
	if _, err := w.VerifyEvidence(verify, e.ID, consult.EvidenceCheck{Result: "rejected", ICD10: "E11.900", DxDate: "2026-04-30"}); code(err) != "reason_missing" {
		t.Errorf("rejected without a word: %v", err)
	}
	if e, err = w.VerifyEvidence(verify, e.ID, check); err != nil || e.Verify != "verified" || e.DxDate != "2026-04-30" {
		t.Fatalf("verified: %+v, %v", e, err)
	}
	if _, err := w.VerifyEvidence(verify, e.ID, check); code(err) != "evidence_settled" {
		t.Errorf("verified twice: %v", err)
	}
	if list, err := w.Evidence(w.as(w.wang, "evidence.read"), w.person); err != nil || len(list) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, err := w.Evidence(w.as(w.stranger, "evidence.read"), w.person); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a stranger's list: %v, %v", list, err)
	}
	if _, _, err := w.EvidenceFile(w.as(w.stranger, "evidence.read"), e.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a stranger opened the file: %v", err)
	}
	if _, err := w.VerifyEvidence(w.as(w.member("coordinator", 1), "evidence.verify"), e.ID, check); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital settled it: %v", err)
	}
	if w.events.seen["evidence.changed"] != 2 {
		t.Errorf("screens were told %d times", w.events.seen["evidence.changed"])
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	w := newTown(t)
	for want, change := range map[string]func(*consult.NewEvidence){
		"dx_date_wrong":       func(n *consult.NewEvidence) { n.DxDate = "2026-06-16" },
		"icd10_unknown":       func(n *consult.NewEvidence) { n.ICD10 = "X" },
		"doc_type_unknown":    func(n *consult.NewEvidence) { n.DocType = "照片" },
		"institution_missing": func(n *consult.NewEvidence) { n.InstitutionName = "" },
		"file_name_long":      func(n *consult.NewEvidence) { n.FileName = strings.Repeat("病", 201) },
		"file_missing":        func(n *consult.NewEvidence) { n.File = nil },
		"file_type":           func(n *consult.NewEvidence) { n.File = []byte("<html><script>alert(1)</script>") },
		"file_too_large":      func(n *consult.NewEvidence) { n.File = append(slices.Clone(jpeg), make([]byte, 10<<20)...) },
		"not_found":           func(n *consult.NewEvidence) { n.Person = ids.New[ids.Person]() },
	} {
		n := w.upload()
		change(&n)
		if _, err := w.AddEvidence(w.as(w.wang, "evidence.add"), n); code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	long := w.upload() // characters are counted, not bytes
	long.InstitutionName, long.FileName = strings.Repeat("医", 200), strings.Repeat("病", 200)
	if _, err := w.AddEvidence(w.as(w.wang, "evidence.add"), long); err != nil {
		t.Error(err)
	}
	w.files.away = errors.New("store is down")
	if _, err := w.AddEvidence(w.as(w.wang, "evidence.add"), w.upload()); err == nil {
		t.Error("the store is down, and the upload was accepted")
	}
	if n := one[int](w, `SELECT count(*) FROM evidence`); n != 2 || len(w.files.kept) != 1 {
		t.Errorf("left behind: %d rows, %d files", n, len(w.files.kept))
	}
}

// door signs everybody in by a token that is their account.
type door map[string]*authz.Subject

func (d door) Resolve(_ context.Context, token string) (*authz.Subject, error) { return d[token], nil }

func (w *town) serve() *httptest.Server {
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test", w.policy, door{"wang": w.wang, "doctor": w.doctor, "stranger": w.stranger, "staff": w.staff}, w.DB, slog.New(slog.DiscardHandler))
	w.Routes(api)
	server := httptest.NewServer(api.Edge(prometheus.NewRegistry(), mux))
	w.t.Cleanup(server.Close)
	return server
}

func (w *town) request(server *httptest.Server, who, method, path, contentType string, body io.Reader) (int, map[string]any) {
	w.t.Helper()
	r, _ := http.NewRequestWithContext(w.t.Context(), method, server.URL+path, body)
	r.Header.Set("Authorization", "Bearer "+who)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Idempotency-Key", uuid.NewString())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var object map[string]any
	if json.Unmarshal(text, &object) != nil {
		object = map[string]any{"list": string(text)}
	}
	return response.StatusCode, object
}

// The journey over HTTP, with the words of the contract.
func TestOverHTTP(t *testing.T) {
	w := newTown(t)
	server := w.serve()
	slot := w.slots(0, 10.5, 1)[0]
	call := func(who, method, path, body string) (int, map[string]any) {
		return w.request(server, who, method, path, "application/json", strings.NewReader(body))
	}
	question := `"person_id": "` + w.person.String() + `", "kind": "follow_up", "icd10": "I10", "red_flags": [], "severity": "mild", "intends_rx": true,
		"consents": {"internet_care": true, "sensitive_pi": true}`

	if status, d := call("wang", "POST", "/api/v1/eligibility", `{`+question+`, "department": "心血管内科"}`); status != 200 || d["verdict"] != "ALLOW" || len(d["ways"].([]any)) != 0 {
		t.Fatalf("eligibility: %d %v", status, d)
	}
	if status, d := call("wang", "POST", "/api/v1/eligibility", `{`+strings.Replace(question, `"red_flags": []`, `"red_flags": ["chest_pain"]`, 1)+`, "department": ""}`); status != 200 || d["verdict"] != "EMERGENCY" {
		t.Fatalf("emergency: %d %v", status, d)
	}
	status, v := call("wang", "POST", "/api/v1/visits", `{`+question+`, "slot_id": "`+slot.String()+`", "complaint": "想续降压药"}`)
	if status != 201 || v["state"] != "booked" {
		t.Fatalf("book: %d %v", status, v)
	}
	if status, p := call("wang", "POST", "/api/v1/visits", `{`+question+`, "slot_id": "`+slot.String()+`", "complaint": "x"}`); status != 409 || p["code"] != "slot_taken" || p["data"].(map[string]any)["nearest"] == nil {
		t.Fatalf("slot taken: %d %v", status, p)
	}
	first := strings.Replace(question, "follow_up", "first_visit", 1)
	if status, p := call("wang", "POST", "/api/v1/visits", `{`+first+`, "slot_id": "`+w.slots(0, 15, 1)[0].String()+`", "complaint": "x"}`); status != 422 || p["code"] != "not_eligible" || p["data"].(map[string]any)["decision"] == nil {
		t.Fatalf("not eligible: %d %v", status, p)
	}
	path := "/api/v1/visits/" + v["id"].(string)
	for _, step := range []struct {
		who, method, path, body string
		status                  int
		key                     string
		want                    any
	}{
		{"stranger", "GET", path, "", 404, "code", "not_found"},
		{"wang", "POST", path + "/admit", "", 403, "code", "not_your_role"},
		{"wang", "POST", path + "/check-in", `{"device": {"microphone": true, "camera": true, "speaker": true}, "network": {"rtt_ms": 40}}`, 200, "state", "checked_in"},
		{"wang", "POST", path + "/ticket", "", 200, "admitted", false},
		{"doctor", "GET", "/api/v1/queue", "", 200, "unsigned_records", 0.0},
		{"doctor", "POST", path + "/admit", "", 200, "state", "in_consult"},
		{"doctor", "GET", path + "/chart", "", 200, "allergies", nil},
		{"doctor", "POST", path + "/judge", `{"judgement": "confirmed_followup", "condition_changed": false, "note": ""}`, 200, "state", "in_consult"},
		{"doctor", "PUT", path + "/record", `{"chief_complaint": "血压高", "present_illness": "", "assessment": "平稳", "plan": "续方", "diagnoses": [{"icd10": "I10.x00"}], "version": 0}`, 200, "version", 1.0},
		{"doctor", "POST", path + "/end", "", 409, "code", "record_unsigned"},
		{"wang", "GET", "/api/v1/decisions/" + v["decision"].(map[string]any)["id"].(string), "", 200, "stage", "booking"},
		{"wang", "GET", "/api/v1/decisions/not-an-id", "", 422, "code", "invalid"},
		{"staff", "GET", "/api/v1/evidence/queue", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/conditions", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/institutions", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/icd10?q=高血压", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/doctors?department=心血管内科", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/doctors/" + w.doctor.Practitioner.String() + "/slots?days=7", "", 200, "list", nil},
		{"nobody", "GET", "/api/v1/visits", "", 401, "code", "sign_in_first"},
		{"wang", "GET", "/api/v1/visits", "", 200, "list", nil},
	} {
		status, got := call(step.who, step.method, step.path, step.body)
		if status != step.status || step.want != nil && got[step.key] != step.want || got[step.key] == nil {
			t.Errorf("%s %s %s: %d %v", step.who, step.method, step.path, status, got)
		}
	}

	form := &bytes.Buffer{}
	parts := multipart.NewWriter(form)
	for name, value := range map[string]string{"person_id": w.person.String(), "icd10": "E11.900", "dx_date": "2026-05-01", "institution_name": "县医院", "doc_type": "门诊病历"} {
		parts.WriteField(name, value)
	}
	file, _ := parts.CreateFormFile("file", "../../etc/IMG.jpg")
	file.Write(jpeg)
	parts.Close()
	status, e := w.request(server, "wang", "POST", "/api/v1/evidence", parts.FormDataContentType(), bytes.NewReader(form.Bytes()))
	if status != 201 || e["verify"] != "pending" || e["file_name"] != "IMG.jpg" {
		t.Fatalf("upload: %d %v", status, e)
	}
	for length := range form.Len() - 4 { // the last four are "--" and the end of the line
		if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", parts.FormDataContentType(), bytes.NewReader(form.Bytes()[:length])); status != 400 {
			t.Fatalf("%d bytes of an upload of %d: %d %v", length, form.Len(), status, p)
		}
	}
	huge := io.MultiReader(strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"), bytes.NewReader(make([]byte, 11<<20)))
	if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", "multipart/form-data; boundary=x", huge); status != 413 {
		t.Errorf("11 MB: %d %v", status, p)
	}
	if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", "application/json", strings.NewReader("{}")); status != 400 {
		t.Errorf("no form: %d %v", status, p)
	}
}

const recordHead = "病案号,身份证号,姓名,诊断日期,ICD-10,资料种类,科室,签名医师,作废\n"

// What the patient's own hospital has signed makes a follow-up, at that hospital only, and everybody sees where it was found.
func TestFoundInTheHospitalsOwnRecords(t *testing.T) {
	w := newTown(t)
	w.exec(`DELETE FROM evidence`)
	w.exec(`UPDATE person SET id_lookup = $2 WHERE id = $1`, w.person, w.Vault.Lookup("resident_id", "11010519491231002X"))
	here, there := w.slots(0, 10.5, 1)[0], w.slots(1, 14, 1)[0]
	ask := func(slot ids.Slot) (string, consult.Decision) {
		d, err := w.Eligibility(w.as(w.wang, "eligibility.ask"), w.wish(slot).Ask)
		if err != nil {
			t.Fatal(err)
		}
		return rules(d), d
	}
	take := func(lines ...string) (consult.TakenIn, error) {
		return w.TakeInRecords(w.as(w.staff, "evidence.take_in"), ids.Institution{}, []byte(recordHead+strings.Join(lines, "\n")))
	}
	if got, _ := ask(here); got != "REQUIRE VIS-03" {
		t.Fatalf("nothing is known: %s", got)
	}
	old, newer := "M-1,11010519491231002X,王秀英,2024-06-01,I10.x00,门诊病历,心血管内科,刘洋,", "M-2,11010519491231002x, 王秀英 ,2026-05-20,I10.x00,住院病历,心血管内科,刘洋,否"
	unknown := "M-3,440524188001010014,赵某,2026-05-20,E11.900,门诊病历,内分泌科,刘洋,"
	if done, err := take(old); err != nil || done != (consult.TakenIn{Taken: 1, People: 1}) {
		t.Fatalf("%+v, %v", done, err)
	}
	if got, _ := ask(here); got != "REQUIRE VIS-06" {
		t.Errorf("the record is two years old: %s", got)
	}
	if done, err := take(old, newer, unknown); err != nil || done != (consult.TakenIn{Taken: 2, Known: 1, People: 1}) {
		t.Fatalf("%+v, %v", done, err)
	}
	got, d := ask(here)
	if got != "ALLOW" {
		t.Fatalf("found at this hospital: %s", got)
	}
	stored, err := w.Decision(w.as(w.member("regulator", 1), "decision.read"), d.ID)
	id := one[ids.Evidence](w, `SELECT id FROM hospital_record WHERE record_no = 'M-2'`)
	if facts := strings.ReplaceAll(string(stored.Facts), " ", ""); err != nil || !stored.Finding.Verdict || !strings.Contains(facts, `"origin":"hospital_record"`) || !strings.Contains(facts, id.String()) {
		t.Errorf("the decision doesn't say where it was found: %s, %v", facts, err)
	}
	if got, _ := ask(there); got != "REQUIRE VIS-03" {
		t.Errorf("another hospital's record: %s", got)
	}
	v, err := w.Book(w.as(w.wang, "visit.book"), w.wish(here))
	if err != nil {
		t.Fatal(err)
	}
	for story, ctx := range map[string]context.Context{"patient": w.as(w.wang, "evidence.read"), "doctor": w.as(w.doctor, "evidence.read"), "coordinator": w.as(w.staff, "evidence.read")} {
		list, err := w.Evidence(ctx, w.person)
		if err != nil || len(list) != 2 || list[0].Origin != consult.FromHospital || list[0].DocType != "住院病历" || list[0].Doctor != "刘洋" || list[0].InstitutionName != "医院0" {
			t.Errorf("%s reads %+v, %v", story, list, err)
		}
	}
	if list, err := w.Evidence(w.as(w.stranger, "evidence.read"), w.person); code(err) != "not_found" {
		t.Errorf("a stranger reads %+v, %v", list, err)
	}
	if list, err := w.Evidence(w.as(w.member("coordinator", 1), "evidence.read"), w.person); code(err) != "not_found" {
		t.Errorf("another hospital reads %+v, %v", list, err)
	}
	if chart, err := w.Chart(w.as(w.doctor, "chart.read"), v.ID); err != nil || len(chart.Evidence) != 2 || chart.Evidence[0].Origin != consult.FromHospital {
		t.Errorf("beside the picture: %+v, %v", chart.Evidence, err)
	}
	if _, _, err := w.EvidenceFile(w.as(w.doctor, "evidence.read"), id); code(err) != "not_found" {
		t.Errorf("it has no file: %v", err)
	}
	// What was wrong is withdrawn, and judged no more.
	if done, err := take(strings.TrimSuffix(newer, "否") + "是"); err != nil || done != (consult.TakenIn{Withdrawn: 1, People: 1}) {
		t.Errorf("withdrawn: %+v, %v", done, err)
	}
	if got, _ := ask(w.slots(0, 11, 1)[0]); got != "REQUIRE VIS-06" {
		t.Errorf("after it was withdrawn: %s", got)
	}
	if n := one[int](w, `SELECT count(*) FROM audit_entry WHERE action = 'evidence.take_in' AND person_id = $1`, w.person); n != 3 {
		t.Errorf("%d entries about the person", n)
	}
	for _, sql := range []string{`DELETE FROM hospital_record`, `UPDATE hospital_record SET icd10 = 'I11' WHERE record_no = 'M-1'`, `UPDATE hospital_record SET withdrawn_at = NULL, withdrawn_by = NULL WHERE record_no = 'M-2'`} {
		if _, err := w.DB.Exec(t.Context(), sql); err == nil {
			t.Errorf("done: %s", sql)
		}
	}
}

// A record signed after a visit here is found too, and as an online one it never makes a follow-up (VIS-03).
func TestOwnOnlineRecordsAreFoundAndDoNotCount(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	r, err := w.WriteRecord(w.as(w.doctor, "record.write"), v.ID, consult.RecordText{ChiefComplaint: "血压高", Assessment: "平稳", Plan: "续方",
		Diagnoses: []consult.Diagnosis{{ICD10: "I10.x00"}, {ICD10: "E11.900"}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	find := func() (online int) {
		list, err := w.Evidence(w.as(w.wang, "evidence.read"), w.person)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Origin == consult.FromVisit && e.Source == "online" && e.Doctor == "张建国" {
				online++
			}
		}
		return online
	}
	if find() != 0 {
		t.Error("found before it was signed")
	}
	if _, err := w.SignRecord(w.as(w.doctor, "record.sign"), v.ID, r.SHA256, passphrase); err != nil {
		t.Fatal(err)
	}
	if n := find(); n != 2 {
		t.Errorf("%d diagnoses of the signed record found", n)
	}
	w.exec(`DELETE FROM evidence`)
	d, err := w.Eligibility(w.as(w.wang, "eligibility.ask"), w.wish(w.slots(0, 14, 1)[0]).Ask)
	if err != nil || rules(d) != "REQUIRE VIS-03" {
		t.Fatalf("%s, %v", rules(d), err)
	}
	stored, err := w.Decision(w.as(w.wang, "decision.read"), d.ID)
	if err != nil || strings.Count(string(stored.Facts), "visit_record") != 2 {
		t.Errorf("the facts say nothing of it: %s, %v", stored.Facts, err)
	}
}

func TestRecordFilesThatAreRefused(t *testing.T) {
	w := newTown(t)
	w.exec(`UPDATE person SET id_lookup = $2 WHERE id = $1`, w.person, w.Vault.Lookup("resident_id", "11010519491231002X"))
	good := "M-1,11010519491231002X,王秀英,2026-05-20,I10.x00,门诊病历,心血管内科,刘洋,"
	take := func(place ids.Institution, text string) error {
		_, err := w.TakeInRecords(w.as(w.staff, "evidence.take_in"), place, []byte(text))
		return err
	}
	for story, c := range map[string]struct{ line, why string }{
		"no number":               {strings.Replace(good, "M-1", " ", 1), "缺病案号"},
		"a false ID number":       {strings.Replace(good, "002X", "0021", 1), "校验"},
		"nobody signed it":        {strings.Replace(good, "刘洋", "", 1), "签名医师"},
		"of tomorrow":             {strings.Replace(good, "2026-05-20", "2026-06-16", 1), "日期"},
		"no such code":            {strings.Replace(good, "I10.x00", "QQ", 1), "诊断编码"},
		"another kind of paper":   {strings.Replace(good, "门诊病历", "化验单", 1), "资料种类"},
		"an unknown word":         {good + "也许", "作废"},
		"twice":                   {good + "\n" + good, "重复"},
		"another person's number": {strings.Replace(good, "王秀英", "李强", 1), "对不上"},
		"withdrawn, never here":   {good + "是", "从未导入"},
	} {
		text := recordHead + "M-0,440524188001010014,赵某,2026-05-20,E11.900,门诊病历,内分泌科,刘洋,\n" + c.line
		err := take(ids.Institution{}, text)
		if code(err) != "records_wrong" || !strings.Contains(fault.As(err).Say.ZH, c.why) || strings.Contains(fmt.Sprint(fault.As(err)), "11010519491231") {
			t.Errorf("%s: %v", story, err)
		}
	}
	for want, text := range map[string]string{"records_unreadable": "no,heading\n1,2", "records_too_many": recordHead + strings.Repeat(good+"\n", 20_001)} {
		if err := take(ids.Institution{}, text); code(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := take(w.hospital[1], recordHead+good); code(err) != "not_found" {
		t.Errorf("for another hospital: %v", err)
	}
	if n := one[int](w, `SELECT count(*) FROM hospital_record`); n != 0 {
		t.Errorf("%d lines of refused files were taken in", n)
	}
	if err := take(ids.Institution{}, "\ufeff"+recordHead+good); err != nil {
		t.Fatal(err)
	}
	if err := take(ids.Institution{}, recordHead+strings.Replace(good, "2026-05-20", "2026-05-21", 1)); code(err) != "records_wrong" {
		t.Errorf("the same number with another date: %v", err)
	}
}

// A file whose row may be there stays: it would be an evidence that can't be opened.
func TestAnUploadWhoseCommitWasNotAnswered(t *testing.T) {
	w := newTown(t)
	cut := pgtest.NewCut(t, w.DB.Config().ConnString())
	w.DB = cut.Pool
	add, n := w.as(w.wang, "evidence.add"), w.upload()
	cut.After("evidence.add")
	if _, err := w.AddEvidence(add, n); err == nil {
		t.Fatal("nothing was said of the broken line")
	}
	if len(w.files.kept) != 1 {
		t.Errorf("%d files are kept", len(w.files.kept))
	}
	e, err := w.AddEvidence(add, n)
	if err != nil || e.Verify != "pending" || len(w.files.kept) != 1 {
		t.Errorf("sent again: %+v, %v, %d files", e, err, len(w.files.kept))
	}
}

// The same upload sent several times at once is one record.
func TestTheSameUploadAtOnce(t *testing.T) {
	w := newTown(t)
	add, n := w.as(w.wang, "evidence.add"), w.upload()
	var at sync.WaitGroup
	for range 6 {
		at.Go(func() {
			if _, err := w.AddEvidence(add, n); err != nil {
				t.Error(err)
			}
		})
	}
	at.Wait()
	if rows := one[int](w, `SELECT count(*) FROM evidence WHERE verify = 'pending'`); rows != 1 || len(w.files.kept) != 1 {
		t.Errorf("%d rows, %d files", rows, len(w.files.kept))
	}
}
