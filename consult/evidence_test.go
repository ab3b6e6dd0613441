package consult_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

var jpeg = append([]byte{0xFF, 0xD8, 0xFF, 0xE0}, make([]byte, 200)...)

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
	w.files.away = errors.New("store is down")
	if _, err := w.AddEvidence(w.as(w.wang, "evidence.add"), w.upload()); err == nil {
		t.Error("the store is down, and the upload was accepted")
	}
	if n := one[int](w, `SELECT count(*) FROM evidence`); n != 1 || len(w.files.kept) != 0 {
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
	if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", parts.FormDataContentType(), io.LimitReader(form, int64(form.Len()/2))); status != 400 {
		t.Errorf("half an upload: %d %v", status, p)
	}
	huge := io.MultiReader(strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"), bytes.NewReader(make([]byte, 11<<20)))
	if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", "multipart/form-data; boundary=x", huge); status != 413 {
		t.Errorf("11 MB: %d %v", status, p)
	}
	if status, p := w.request(server, "wang", "POST", "/api/v1/evidence", "application/json", strings.NewReader("{}")); status != 400 {
		t.Errorf("no form: %d %v", status, p)
	}
}
