package app_test

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/signaling/control"
)

// Whatever comes in: a problem that says what is wrong and what to do, within two seconds, and the server lives.
func (b *building) testBadInput(t *testing.T) {
	b.t = t
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	b.call("", "POST", "/api/v1/auth/otp", object{"phone": "13900001234"}, 202)
	json := func(who, method, path, body string) request {
		return request{who: who, method: method, path: path, contentType: "application/json", body: []byte(body)}
	}
	typed := func(contentType string, r request) request {
		r.contentType = contentType
		return r
	}
	photo := func(content []byte) request {
		r := upload(patient, person)
		r.body = bytes.Replace(r.body, pixel, content, 1)
		return r
	}
	some := uuid.NewString()
	ask := `{"person_id":"` + person + `","kind":"follow_up","department":"心血管内科","icd10":"I10.x00","red_flags":[],"severity":"mild","intends_rx":true,"consents":{"internet_care":true,"sensitive_pi":true}}`
	neighbour := b.call(county, "POST", "/api/v1/patients/search", object{"q": ""}, 200).text(0, "id")
	question := `{"person_id":"` + neighbour + `","department":"呼吸内科","question":"?","summary":"a\u0000b","urgency":"routine"}`
	for _, c := range []struct {
		story  string
		r      request
		status int
		code   string
	}{
		{"wrong sign-in code", json("", "POST", "/api/v1/auth/otp/verify", `{"phone":"13900001234","code":"000000"}`), 422, "code_wrong"},
		{"another code at once", json("", "POST", "/api/v1/auth/otp", `{"phone":"13900001234"}`), 429, "code_too_soon"},
		{"wrong password", json("", "POST", "/api/v1/auth/password", `{"login":"zhang","password":"x","totp":"000000"}`), 401, "sign_in_wrong"},
		{"NUL in a login", json("", "POST", "/api/v1/auth/password", `{"login":"a\u0000b","password":"x","totp":"000000"}`), 400, "malformed"},
		{"half a JSON", json(patient, "POST", "/api/v1/eligibility", ask[:40]), 400, "malformed"},
		{"no JSON", json(patient, "POST", "/api/v1/eligibility", "hello"), 400, "malformed"},
		{"nothing", request{who: patient, method: "POST", path: "/api/v1/eligibility"}, 400, "malformed"},
		{"other types", json(patient, "POST", "/api/v1/eligibility", `{"person_id":7,"kind":[],"red_flags":"x"}`), 422, "invalid"},
		{"unknown field", json(patient, "POST", "/api/v1/eligibility", strings.Replace(ask, `{`, `{"admin":true,`, 1)), 422, "invalid"},
		{"a number beyond range", json(patient, "POST", "/api/v1/visits/"+some+"/check-in", `{"device":{"microphone":true,"camera":true,"speaker":true},"network":{"rtt_ms":1e999}}`), 400, "malformed"},
		{"20,000 deep", json(patient, "POST", "/api/v1/eligibility", strings.Repeat(`[`, 20000)), 400, "malformed"},
		{"20,000 deep, closed", json(patient, "POST", "/api/v1/eligibility", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat(`}`, 20000)), 400, "malformed"},
		{"2 MiB", json(patient, "POST", "/api/v1/eligibility", `{"department":"`+strings.Repeat("x", 2<<20)+`"}`), 413, "too_large"},
		{"not JSON by its type", typed("text/plain", json(patient, "POST", "/api/v1/eligibility", ask)), 415, "unsupported_type"},
		{"an id that is none", request{who: patient, method: "GET", path: "/api/v1/visits/1%20or%201=1"}, 422, "invalid"},
		{"an id that is none, of a file", request{who: patient, method: "GET", path: "/api/v1/evidence/x/file"}, 404, "not_found"},
		{"NUL in a text", json(county, "POST", "/api/v1/teleconsults", question), 400, "malformed"},
		{"NUL in a search", json(county, "POST", "/api/v1/patients/search", `{"q":"a\u0000b"}`), 400, "malformed"},
		{"no UTF-8 in a search", request{who: coordinator, method: "GET", path: "/api/v1/experts?q=%ff%fe"}, 400, "malformed"},
		{"no such page of the API", request{who: patient, method: "GET", path: "/api/v1/nothing"}, 404, "not_found"},
		{"no such deed", request{who: patient, method: "DELETE", path: "/api/v1/me"}, 404, "not_found"},
		{"a photo that is a script", photo([]byte("<script>alert(1)</script>")), 415, "file_type"},
		{"a photo of 12 MB", photo(bytes.Repeat(pixel, 12<<20/len(pixel))), 413, "too_large"},
		{"an upload cut short", typed("multipart/form-data; boundary=x", json(patient, "POST", "/api/v1/evidence", "--x\r\nContent-Disp")), 400, "malformed"},
		{"images as JSON", json(county, "POST", "/dicomweb/studies", `{}`), 400, "not_multipart"},
		{"images cut short", typed(`multipart/related; type="application/dicom"; boundary=x`, json(county, "POST", "/dicomweb/studies", "--x\r\nContent-Type: application/dicom\r\n\r\nabc")), 400, "upload_broken"},
		{"a study that is no UID", request{who: county, method: "GET", path: "/dicomweb/studies/..x/metadata"}, 400, "bad_uid"},
		{"a prescription code that is none", json("", "POST", "/api/v1/verify", `{"code":"\ud800"}`), 200, ""},
	} {
		start := time.Now()
		a := b.send(c.r)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: took %v", c.story, took)
		}
		if a.status != c.status {
			t.Errorf("%s: %d %.300s, want %d", c.story, a.status, a.body, c.status)
		}
		if c.code != "" {
			if p := a.problem(); p.Code != c.code {
				t.Errorf("%s: %s, want %s", c.story, p.Code, c.code)
			}
		}
		b.alive()
	}
	if a := b.sendAs("no such token", request{method: "GET", path: "/api/v1/me"}); a.status != 401 || a.problem().Code != "sign_in_first" {
		t.Errorf("an unknown session: %d %s", a.status, a.body)
	}
}

// One broken file harms no other in the same upload, and each broken file gets its reason.
func (b *building) testCorruptImages(t *testing.T) {
	b.t = t
	folder := filepath.Join(here, "..", "..", "..", "storage", "imaging", "testdata")
	good := file(t, "..", "..", "..", "storage", "imaging", "testdata", "ct-series-3", "01.dcm")
	entries, err := os.ReadDir(filepath.Join(folder, "corrupt"))
	if err != nil {
		t.Fatal(err)
	}
	bad := [][]byte{[]byte("not DICOM at all"), good[:len(good)/2], append(make([]byte, 128), "DICM"...)}
	for _, e := range entries {
		if !e.IsDir() {
			bad = append(bad, file(t, "..", "..", "..", "storage", "imaging", "testdata", "corrupt", e.Name()))
		}
	}
	for n, broken := range bad {
		a := b.send(stow(county, broken, good))
		if a.status != 202 && a.status != 200 {
			t.Errorf("file %d: %d %.300s", n, a.status, a.body)
			continue
		}
		stored, _ := a.get("00081199", "Value").([]any)
		failed, _ := a.get("00081198", "Value").([]any)
		if len(stored)+len(failed) != 2 || len(stored) == 0 || n < 3 && len(failed) != 1 {
			t.Errorf("file %d: %d stored, %d failed: %.300s", n, len(stored), len(failed), a.body)
		}
		for range failed {
			a.text("00081198", "Value", 0, "00000902", "Value", 0)
		}
		b.alive()
	}
}

// A room's door stays shut for a ticket that is over, forged, or missing, and says why.
func (b *building) testBadTickets(t *testing.T) {
	b.t = t
	vault, err := keys.OpenVault(b.options.Data)
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sold := func(key ed25519.PrivateKey, ago time.Duration) string {
		desk := control.Desk{Key: key, Now: func() time.Time { return time.Now().Add(-ago) }}
		pass, err := desk.Issue(control.Claims{Room: "v-some", Seat: "patient", Name: "李强", Role: "guest", Publish: true, Subscribe: true})
		if err != nil {
			t.Fatal(err)
		}
		return `{"type":"join","version":1,"ticket":"` + pass.Ticket + `"}`
	}
	for story, first := range map[string]string{
		"expired": sold(vault.Signer("ticket"), time.Hour), "signed by somebody else": sold(foreign, 0), "none": `{"type":"join","version":1,"ticket":""}`,
		"no JSON": "hello", "another message first": `{"type":"publish","offer":1,"sdp":"v=0"}`,
	} {
		socket, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(b.app.Addr(), "http")+"/signal", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := socket.WriteMessage(websocket.TextMessage, []byte(first)); err != nil {
			t.Fatal(err)
		}
		socket.SetReadDeadline(time.Now().Add(3 * time.Second))
		var said struct{ Type, Code string }
		if err := socket.ReadJSON(&said); err != nil || said.Type != "error" || said.Code == "" {
			t.Errorf("%s: %+v, %v", story, said, err)
		}
		if _, _, err := socket.ReadMessage(); err == nil {
			t.Errorf("%s: the socket stays open", story)
		}
		socket.Close()
		b.alive()
	}
}

// A hundred patients press the same free slot at the same moment.
func (b *building) testBookingRace(t *testing.T) {
	b.t = t
	const n = 100
	slots := b.call(patient, "GET", "/api/v1/doctors/"+b.doctorID(doctor)+"/slots", nil, 200)
	slot := slots.text(5, "id")
	type racer struct {
		token string
		body  request
	}
	racers := make([]racer, n)
	for i := range racers {
		account, person := ids.New[ids.Account](), ids.New[ids.Person]()
		name := "病人" + account.String()
		b.exec(`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', $2)`, account, name)
		b.exec(`INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level, region) VALUES ($1, $2, 'F', '1960-01-01', $3, '\x00', '4201**', 2, '420102')`,
			person, name, person[:])
		b.exec(`INSERT INTO proxy (account_id, person_id, relation) VALUES ($1, $2, 'self')`, account, person)
		b.exec(`INSERT INTO evidence (id, person_id, account_id, institution_id, icd10, dx_date, source, institution_name, doc_type, verify, verified_at,
				file_name, content_type, size, sha256, object_key, request_key, uploaded_at)
			SELECT $1, $2, $3, id, 'I10.x00', current_date - 60, 'physical', name, '门诊病历', 'verified', now(), 'a.jpg', 'image/jpeg', 1, $4, $5, $6, now()
			FROM institution WHERE name = $7`, ids.New[ids.Evidence](), person, account, make([]byte, 32), uuid.NewString(), uuid.NewString(), hospital)
		b.cast[name] = account
		racers[i] = racer{b.session(name), jsonRequest(name, "POST", "/api/v1/visits", booking(person.String(), slot))}
	}
	outcomes, start := make(chan answer, n), make(chan struct{})
	for _, r := range racers {
		go func() {
			<-start
			a, err := b.try(t.Context(), r.token, r.body)
			if err != nil {
				t.Error(err)
			}
			outcomes <- a
		}()
	}
	close(start)
	won, lost := 0, 0
	for range racers {
		switch a := <-outcomes; {
		case a.status == 201:
			won++
		case a.status == 409 && a.problem().Code == "slot_taken" && a.text("data", "nearest", 0, "id") != slot:
			lost++
		default:
			t.Errorf("%d %.300s", a.status, a.body)
		}
	}
	if won != 1 || lost != n-1 {
		t.Errorf("%d won, %d were told of times nearby", won, lost)
	}
	if held := b.count(`SELECT count(*) FROM visit WHERE slot_id = $1`, slot); held != 1 {
		t.Errorf("%d visits hold the slot", held)
	}
}

func (b *building) doctorID(name string) (id string) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), `SELECT id::text FROM practitioner WHERE name = $1`, name).Scan(&id); err != nil {
		b.t.Fatal(err)
	}
	return id
}
