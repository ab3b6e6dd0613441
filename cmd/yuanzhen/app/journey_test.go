package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/cmd/yuanzhen/demo"
	"yuanzhen/internal/authz"
)

// The cast of the two journeys.
const (
	patient, doctor, pharmacist, coordinator = "王秀英", "张建国", "刘芳", "孙丽"
	sick, county, expert                     = "周大山", "赵志远", "李明远"
	hospital, university                     = "清河市第一医院", "江城大学附属医院"
)

// journey remembers every request that went through, to be tried by strangers afterwards.
type journey struct {
	*building
	taken []request
}

func (j *journey) call(who, method, path string, body any, want int) answer {
	j.t.Helper()
	return j.send(jsonRequest(who, method, path, body), want)
}

func (j *journey) send(r request, want int) answer {
	j.t.Helper()
	a := j.building.send(r)
	if a.status != want {
		j.t.Fatalf("%s %s by %s: %d %s, want %d", r.method, r.path, r.who, a.status, a.body, want)
	}
	j.taken = append(j.taken, r)
	return a
}

var pixel, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

func upload(who, person string) request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{"person_id": person, "icd10": "I10.x00", "dx_date": time.Now().AddDate(0, -3, 0).Format(time.DateOnly),
		"institution_name": "永宁县人民医院", "doc_type": "门诊病历"} {
		form.WriteField(name, value)
	}
	part, _ := form.CreateFormFile("file", "record.png") // into memory
	part.Write(pixel)
	form.Close()
	return request{who: who, method: "POST", path: "/api/v1/evidence", contentType: form.FormDataContentType(), body: body.Bytes()}
}

func stow(who string, files ...[]byte) request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range files {
		part, _ := form.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/dicom"}}) // into memory
		part.Write(f)
	}
	form.Close()
	return request{who: who, method: "POST", path: "/dicomweb/studies", body: body.Bytes(),
		contentType: `multipart/related; type="application/dicom"; boundary=` + form.Boundary()}
}

// ask is Wang's question, as the booking page sends it.
func ask(person string) object {
	return object{"person_id": person, "kind": "follow_up", "department": "心血管内科", "icd10": "I10.x00", "red_flags": []string{}, "severity": "mild",
		"intends_rx": true, "consents": object{"internet_care": true, "sensitive_pi": true}}
}

func booking(person, slot string) object {
	b := with(ask(person), object{"slot_id": slot, "complaint": "头晕三天，想续方"})
	delete(b, "department")
	return b
}

// renewal is what Wang is prescribed.
var renewal = object{"type": "long", "diagnosis": []string{"I10.x00"}, "days_reason": "慢病稳定", "items": []object{{"line": 1, "ingredient": "amlodipine",
	"form": "tab", "route": "po", "dose": "5", "unit": "mg", "per_day": 1, "days": 28, "provenance": "catalogue_pick"}}}

// followUp is the first journey: from the record of an earlier diagnosis to the verified prescription.
func (j *journey) followUp() {
	t := j.t
	person := j.building.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	first := j.call(patient, "POST", "/api/v1/eligibility", with(ask(person), object{"kind": "first_visit"}), 200)
	if first.text("verdict") != "REDIRECT_OFFLINE" || first.text("ways", 0, "kind") == "" {
		t.Fatalf("a first visit: %s", first.body)
	}
	decision := j.call(patient, "POST", "/api/v1/eligibility", ask(person), 200)
	j.call(patient, "GET", "/api/v1/decisions/"+decision.text("id"), nil, 200)
	evidence := j.send(upload(patient, person), 201).text("id")
	j.call(patient, "GET", "/api/v1/evidence?person_id="+person, nil, 200)
	j.call(coordinator, "GET", "/api/v1/evidence/"+evidence+"/file", nil, 200)
	j.call(coordinator, "POST", "/api/v1/evidence/"+evidence+"/verify",
		object{"result": "verified", "icd10": "I10.x00", "dx_date": time.Now().AddDate(0, -3, 0).Format(time.DateOnly), "note": ""}, 200)
	if d := j.call(patient, "POST", "/api/v1/eligibility", ask(person), 200); !strings.HasPrefix(d.text("verdict"), "ALLOW") {
		t.Fatalf("with a checked record: %s", d.body)
	}
	visit := j.attend(person, 0)
	j.call(doctor, "GET", "/api/v1/evidence/"+evidence+"/file", nil, 200)
	draft := j.call(doctor, "POST", visit+"/prescriptions", renewal, 201)
	script := "/api/v1/prescriptions/" + draft.text("id")
	draft = j.call(doctor, "PUT", script, renewal, 200)
	j.call(doctor, "POST", script+"/sign", object{"sha256": draft.text("sha256"), "passphrase": demo.Passphrase}, 200)
	j.call(pharmacist, "GET", script, nil, 200)
	j.call(pharmacist, "POST", script+"/review", object{"legality": true, "form": true, "suitability": true, "result": "pass", "passphrase": demo.Passphrase}, 200)
	seen := j.call(patient, "GET", script, nil, 200)
	if png := j.call(patient, "GET", script+"/qr.png", nil, 200); http.DetectContentType(png.body) != "image/png" {
		t.Errorf("the QR picture is %s", http.DetectContentType(png.body))
	}
	j.call(patient, "GET", "/api/v1/prescriptions?person_id="+person, nil, 200)
	if v := j.building.call("", "POST", "/api/v1/verify", object{"code": seen.text("evidence_code")}, 200); v.text("result") != "genuine" {
		t.Errorf("verified by anybody: %s", v.body)
	}
	if ended := j.call(doctor, "POST", visit+"/end", nil, 200); ended.text("state") != "concluded" {
		t.Errorf("ended: %s", ended.body)
	}
	j.call(patient, "GET", visit+"/record", nil, 200)
}

// attend is a visit of Wang's from the booking to the signed record, with so many in line before her; it answers the visit's path.
func (j *journey) attend(person string, ahead float64) string {
	t := j.t
	slot := j.building.call(patient, "GET", "/api/v1/doctors?department="+url.QueryEscape("心血管内科"), nil, 200).text(0, "earliest", "id")
	visit := "/api/v1/visits/" + j.call(patient, "POST", "/api/v1/visits", booking(person, slot), 201).text("id")
	j.call(patient, "GET", visit, nil, 200)
	waiting := j.call(patient, "POST", visit+"/check-in", object{"device": object{"microphone": true, "camera": true, "speaker": true},
		"network": object{"rtt_ms": 20, "path": "udp"}}, 200)
	if waiting.get("line", "ahead") != ahead {
		t.Errorf("%v are ahead: %v", ahead, waiting.get("line"))
	}
	if ticket := j.call(patient, "POST", visit+"/ticket", nil, 200); ticket.get("admitted") != false {
		t.Error("the patient is admitted before the doctor said so")
	}
	j.call(doctor, "GET", visit, nil, 200)
	j.call(doctor, "POST", visit+"/admit", nil, 200)
	j.call(doctor, "POST", visit+"/ticket", nil, 200)
	j.call(doctor, "GET", visit+"/chart", nil, 200)
	j.call(doctor, "POST", visit+"/judge", object{"judgement": "confirmed_followup", "condition_changed": false}, 200)
	record := j.call(doctor, "PUT", visit+"/record", object{"chief_complaint": "头晕三天", "present_illness": "血压平稳", "assessment": "高血压", "plan": "续方",
		"diagnoses": []object{{"icd10": "I10.x00", "name": "高血压"}}, "version": 0}, 200)
	j.call(doctor, "POST", visit+"/record/sign", object{"sha256": record.text("sha256"), "passphrase": demo.Passphrase}, 200)
	return visit
}

// consult is the second journey: a county doctor asks an expert about a CT.
func (j *journey) consult() {
	t := j.t
	series := [][]byte{}
	for n := range 3 {
		series = append(series, file(t, "..", "..", "..", "storage", "imaging", "testdata", "ct-series-3", fmt.Sprintf("%02d.dcm", n+1)))
	}
	stored := j.building.send(stow(county, series...))
	if stored.status != 200 {
		t.Fatalf("stored: %d %s", stored.status, stored.body)
	}
	at, _ := url.Parse(stored.text("00081199", "Value", 0, "00081190", "Value", 0)) // …/studies/S/series/E/instances/I
	path := strings.Split(at.Path, "/")
	uid, one := path[3], at.Path
	study := strings.Join(path[:4], "/")

	person := j.building.call(county, "POST", "/api/v1/patients/search", object{"q": "周"}, 200).text(0, "id")
	question := object{"person_id": person, "department": "呼吸内科", "question": "右上叶结节性质？", "summary": "咳嗽两周，CT 见右上叶结节。", "diagnosis": "肺结节", "urgency": "routine"}
	base := "/api/v1/teleconsults/" + j.call(county, "POST", "/api/v1/teleconsults", question, 201).text("id")
	j.call(county, "PUT", base, question, 200)
	j.call(county, "POST", base+"/studies", object{"study_uid": uid, "patient_confirmed": true}, 200)
	j.call(sick, "GET", base, nil, 200)
	j.call(sick, "POST", base+"/consent", object{"method": "patient_device", "signed_by": sick, "relation": "本人"}, 200)
	j.call(county, "POST", base+"/consent", object{"method": "paper", "signed_by": sick, "relation": "本人"}, 200)
	j.call(county, "POST", base+"/submit", nil, 200)
	j.call(coordinator, "GET", base, nil, 200)
	j.call(coordinator, "POST", base+"/needs", object{"reason": "缺既往 CT"}, 200)
	j.call(county, "POST", base+"/answer", object{"reason": "没有旧片"}, 200)
	j.call(coordinator, "POST", base+"/triage", object{"department": "呼吸内科", "urgency": "routine"}, 200)
	who := ""
	for _, e := range j.call(coordinator, "GET", base+"/experts", nil, 200).get().([]any) {
		if e := e.(object); e["name"] == expert {
			who = e["practitioner_id"].(string)
		}
	}
	free := j.call(coordinator, "GET", base+"/times?practitioner_id="+who, nil, 200)
	if a := j.building.send(request{who: expert, method: "GET", path: study + "/metadata"}); a.status != 404 {
		t.Errorf("the expert sees the images before the assignment: %d", a.status)
	}
	j.call(coordinator, "POST", base+"/assign", object{"practitioner_id": who, "start": free.text(0, "start"), "end": free.text(0, "end")}, 200)
	j.call(coordinator, "POST", base+"/invite-patient", nil, 200)
	j.call(county, "POST", base+"/ticket", nil, 200)
	if ticket := j.call(sick, "POST", base+"/ticket", nil, 200); ticket.get("admitted") != false {
		t.Error("the patient is in the consult before the expert")
	}
	j.call(expert, "POST", base+"/ticket", nil, 200)
	pictures := []string{study + "/metadata", study + "/series", study + "/instances", study, strings.Join(path[:6], "/") + "/metadata", strings.Join(path[:6], "/") + "/instances",
		strings.Join(path[:6], "/"), one, one + "/metadata", one + "/frames/1", one + "/rendered", one + "/frames/1/rendered"}
	for _, picture := range pictures {
		j.call(expert, "GET", picture, nil, 200)
	}
	j.call(sick, "GET", one+"/rendered", nil, 200)
	told := j.call(expert, "POST", base+"/critical", object{"reason": "少量气胸"}, 200)
	j.call(county, "POST", base+"/critical/"+told.text("critical", 0, "id")+"/read-back", object{"words": "少量气胸，已吸氧"}, 200)
	j.call(county, "POST", base+"/escalate", object{"reason": "气促加重"}, 200)
	j.call(expert, "POST", base+"/live", object{"on": false}, 200)
	j.call(county, "POST", base+"/live", object{"on": true}, 200)
	opinion := j.call(expert, "PUT", base+"/opinion", object{"findings": "右上叶磨玻璃结节 8 mm", "advice": "三个月后复查"}, 200)
	j.call(expert, "POST", base+"/opinion/sign", object{"sha256": opinion.text("opinion", "sha256"), "passphrase": demo.Passphrase}, 200)
	j.call(county, "POST", base+"/decision", object{"adopt": "full", "plan": "三个月后复查 CT", "passphrase": demo.Passphrase}, 200)
	j.call(expert, "POST", base+"/addenda", object{"text": "同意上述处理", "passphrase": demo.Passphrase}, 200)
	if closed := j.call(county, "POST", base+"/close", nil, 200); closed.text("state") != "closed" {
		t.Errorf("closed: %s", closed.body)
	}
	for _, who := range []string{county, expert, coordinator} {
		j.call(who, "GET", base+"/packages", nil, 200)
		j.call(who, "GET", base+"/package", nil, 200)
	}
	for _, who := range []string{county, expert, sick} {
		j.call(who, "GET", base+"/steps", nil, 200)
		j.call(who, "GET", base+"/report.pdf", nil, 200)
	}
	for _, picture := range pictures {
		for _, who := range []string{expert, sick} {
			if a := j.building.send(request{who: who, method: "GET", path: picture}); a.status != 404 {
				t.Errorf("%s by %s after the end: %d", picture, who, a.status)
			}
		}
	}
	for _, picture := range pictures { // strangers try what the county doctor still may
		j.call(county, "GET", picture, nil, 200)
	}
}

// strangers have the role, and nothing to do with the matter.
var strangers = map[string]string{patient: "李强", sick: "李强", doctor: county, county: "陈慧", expert: "陈慧",
	coordinator: "江城协调员", pharmacist: "江城药师"}

var (
	anID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anUID = regexp.MustCompile(`[0-9]+(\.[0-9]+){5,}`)
)

// elsewhere is the request with ids that name nothing.
func (r request) elsewhere() request {
	made := map[string]string{}
	id := func(old []byte) []byte {
		if made[string(old)] == "" {
			made[string(old)] = uuid.Must(uuid.NewV7()).String()
		}
		return []byte(made[string(old)])
	}
	uid := func(old []byte) []byte { return append(old[:len(old)-1:len(old)], "7.7"...) }
	both := func(b []byte) []byte { return anUID.ReplaceAllFunc(anID.ReplaceAllFunc(b, id), uid) }
	r.path, r.body = string(both([]byte(r.path))), both(r.body)
	return r
}

func (r request) namesSomething() bool {
	return anID.Match(append([]byte(r.path), r.body...)) || anUID.MatchString(r.path)
}

func (b *building) testJourneys(t *testing.T) {
	b.t = t
	b.hire(strangers[coordinator], authz.Coordinator, university)
	b.hire(strangers[pharmacist], authz.Pharmacist, university)
	wang, li := b.listen(t, patient), b.listen(t, strangers[patient])
	j := &journey{building: b}
	t.Run("follow-up", func(t *testing.T) { b.t = t; j.followUp() })
	t.Run("expert consult", func(t *testing.T) { b.t = t; j.consult() })
	t.Run("events", func(t *testing.T) {
		if wang.seen() == 0 {
			t.Error("the patient's screen heard nothing")
		}
		if n := li.seen(); n != 0 {
			t.Errorf("a stranger's screen heard %d changes", n)
		}
	})
	t.Run("strangers", func(t *testing.T) { b.t = t; j.testStrangers(t) })
	t.Run("audit", func(t *testing.T) { b.t = t; b.testAuditLog(t) })
}

// A stranger of the same role meets one answer, whether the thing is somebody else's or nowhere, and leaves an entry.
func (j *journey) testStrangers(t *testing.T) {
	tried := 0
	for _, r := range j.taken {
		if !r.namesSomething() {
			continue
		}
		tried++
		r.who = strangers[r.who]
		foreign, unknown := j.building.send(r), j.building.send(r.elsewhere())
		name := r.method + " " + r.path + " by " + r.who
		if foreign.status != 403 && foreign.status != 404 {
			t.Errorf("%s: %d %.300s", name, foreign.status, foreign.body)
			continue
		}
		foreign.problem()
		if unknown.status != foreign.status || unknown.withoutRequest() != foreign.withoutRequest() {
			t.Errorf("%s: what is somebody else's can be told from what is not there:\n%s\n%s", name, foreign.body, unknown.body)
		}
		for _, a := range []answer{foreign, unknown} {
			if n := j.count(`SELECT count(*) FROM audit_entry WHERE outcome = 'denied' AND request_id = $1 AND account_id = $2`,
				a.header.Get("X-Request-Id"), j.cast[r.who]); n != 1 {
				t.Errorf("%s: %d denied entries", name, n)
			}
		}
	}
	if tried < 55 {
		t.Errorf("only %d requests were tried", tried)
	}
	t.Logf("%d requests of the journeys tried by strangers", tried)
}

// withoutRequest is the answer but for what differs from request to request.
func (a answer) withoutRequest() string {
	var p object
	if json.Unmarshal(a.body, &p) != nil {
		return string(a.body)
	}
	delete(p, "request_id")
	b, _ := json.Marshal(p) // was JSON
	return string(b)
}

// stream is an open screen's event stream.
type stream struct {
	mu      sync.Mutex
	changes int
	done    chan struct{} // closed when it has ended
}

func (s *stream) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

func (b *building) listen(t *testing.T, who string) *stream {
	t.Helper()
	ctx, hangUp := context.WithCancel(context.Background())
	q, err := http.NewRequestWithContext(ctx, "GET", b.app.Addr()+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+b.session(who))
	response, err := b.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if lines.Text() == "event: change" {
				s.mu.Lock()
				s.changes++
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { hangUp(); <-s.done; response.Body.Close() })
	return s
}

// The log verifies after all this, through the path of `yuanzhen audit verify`; one altered word and it does not.
func (b *building) testAuditLog(t *testing.T) {
	options := app.Options{Data: b.options.Data, DatabaseURL: b.options.DatabaseURL}
	log, stop, err := app.AuditLog(t.Context(), &options)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, err := log.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := log.Verify(t.Context())
	if err != nil || !report.Good() || report.Sealed < 200 {
		t.Fatalf("after the journeys: %+v, %v", report, err)
	}
	t.Logf("%d entries under %d heads", report.Sealed, report.Heads)
	const row = ` WHERE id = (SELECT min(id) FROM audit_entry WHERE action = 'visit.admit' AND outcome = 'done')`
	b.exec(`UPDATE audit_entry SET reason = 'forged'` + row)
	if report, err := log.Verify(t.Context()); err != nil || report.Good() {
		t.Errorf("an altered row was not noticed: %+v, %v", report, err)
	}
	b.exec(`UPDATE audit_entry SET reason = ''` + row)
	if report, err := log.Verify(t.Context()); err != nil || !report.Good() {
		t.Errorf("put right again: %+v, %v", report, err)
	}
}
