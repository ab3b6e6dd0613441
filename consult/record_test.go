package consult_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/keys"
)

var complete = consult.RecordText{ChiefComplaint: "血压高三年", PresentIllness: "规律服药", Assessment: "控制平稳", Plan: "续方 28 天",
	Diagnoses: []consult.Diagnosis{{ICD10: "I10.x00", Name: "写错的名字"}, {ICD10: "E78.500"}}}

func TestARecordIsSignedAsItWasShown(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	write, sign := w.as(w.doctor, "record.write"), w.as(w.doctor, "record.sign")
	if r, err := w.Record(w.as(w.doctor, "record.read"), v.ID); err != nil || r.Version != 0 || r.Diagnoses == nil {
		t.Fatalf("before the first word: %+v, %v", r, err)
	}
	first, err := w.WriteRecord(write, v.ID, complete, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteRecord(write, v.ID, complete, 0); code(err) != "record_moved_on" {
		t.Errorf("written from another window: %v", err)
	}
	second := complete
	second.Plan = "续方 14 天"
	r, err := w.WriteRecord(write, v.ID, second, first.Version)
	if err != nil || r.Version != 2 {
		t.Fatalf("second version: %+v, %v", r, err)
	}
	if sum := sha256.Sum256([]byte(r.Canonical)); hex.EncodeToString(sum[:]) != r.SHA256 || !strings.Contains(r.Canonical, "特发性高血压") {
		t.Errorf("what is stored is not what is hashed: %s", r.Canonical)
	}
	if _, err := w.SignRecord(sign, v.ID, first.SHA256, passphrase); code(err) != "record_moved_on" {
		t.Errorf("signed an older version than was seen: %v", err)
	}
	if _, err := w.SignRecord(sign, v.ID, r.SHA256, "guess"); code(err) != "wrong_passphrase" {
		t.Errorf("signed with a guessed passphrase: %v", err)
	}
	if r, err = w.SignRecord(sign, v.ID, r.SHA256, passphrase); err != nil {
		t.Fatal(err)
	}
	public, err := keys.PublicKeys(t.Context(), w.DB)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Verify(public[0], []byte(r.Canonical), r.Signature); err != nil {
		t.Error(err)
	}
	if _, err := w.WriteRecord(write, v.ID, complete, r.Version); code(err) != "record_signed" {
		t.Errorf("written after signing: %v", err)
	}
	if _, err := w.DB.Exec(t.Context(), `UPDATE record SET canonical = '{}' WHERE signed_at IS NOT NULL`); err == nil {
		t.Error("signed bytes were changed")
	}
	if c, err := w.Chart(w.as(w.doctor, "chart.read"), v.ID); err != nil || !slices.Equal(c.Visits[0].Diagnoses, []string{"I10.x00", "E78.500"}) {
		t.Errorf("chart: %+v, %v", c.Visits, err)
	}
}

func TestRecordsThatAreNotSigned(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	write, sign := w.as(w.doctor, "record.write"), w.as(w.doctor, "record.sign")
	if _, err := w.WriteRecord(write, v.ID, consult.RecordText{Diagnoses: []consult.Diagnosis{{ICD10: "Q99.999"}}}, 0); code(err) != "icd10_unknown" {
		t.Errorf("unknown code: %v", err)
	}
	version := 0
	for story, drop := range map[string]func(*consult.RecordText){
		"no complaint":  func(r *consult.RecordText) { r.ChiefComplaint = "" },
		"no diagnosis":  func(r *consult.RecordText) { r.Diagnoses = nil },
		"no assessment": func(r *consult.RecordText) { r.Assessment = "" },
		"no plan":       func(r *consult.RecordText) { r.Plan = "" },
	} {
		text := complete
		drop(&text)
		r, err := w.WriteRecord(write, v.ID, text, version)
		if err != nil {
			t.Fatal(err)
		}
		version = r.Version
		if _, err := w.SignRecord(sign, v.ID, r.SHA256, passphrase); code(err) != "record_incomplete" {
			t.Errorf("%s: %v", story, err)
		}
	}
	w.exec(`UPDATE visit SET state = 'concluded'`)
	if _, err := w.WriteRecord(write, v.ID, complete, version); code(err) != "visit_moved_on" {
		t.Errorf("written after the visit: %v", err)
	}
}

func TestAnEmergencyIsWrittenDownAfterwards(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	v, err := w.Alarm(w.as(w.doctor, "visit.alarm"), v.ID, []string{"说话时胸痛"})
	if err != nil {
		t.Fatal(err)
	}
	due := func() int {
		t.Helper()
		q, err := w.Queue(w.as(w.doctor, "queue.read"))
		if err != nil {
			t.Fatal(err)
		}
		return q.UnsignedRecords
	}
	if n := due(); n != 1 {
		t.Errorf("%d records are due", n)
	}
	r, err := w.WriteRecord(w.as(w.doctor, "record.write"), v.ID, complete, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignRecord(w.as(w.doctor, "record.sign"), v.ID, r.SHA256, passphrase); err != nil {
		t.Fatal(err)
	}
	if n := due(); n != 0 {
		t.Errorf("%d records are due after the signature", n)
	}
	if v, err = w.Visit(w.as(w.doctor, "visit.read"), v.ID); err != nil || v.State != consult.Emergency {
		t.Errorf("state %s, %v", v.State, err)
	}
}

// The line of an emergency breaks as others do: who was in the room comes back into it, as long as help may take.
func TestWhoWasInTheRoomOfAnEmergencyComesBack(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	seated, link := w.daughter(v.ID)
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	l := w.invite(w.doctor, v.ID, consult.ObserverLink)
	student, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(t, l), Name: "陈学"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), l.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Watch(w.nobody(), student.Token); err != nil {
		t.Fatal(err)
	}
	v, err = w.Alarm(w.as(w.doctor, "visit.alarm"), v.ID, []string{"说话时胸痛"})
	if err != nil || !v.Helped {
		t.Fatalf("%+v, %v", v, err)
	}
	tickets := func() (list []string) {
		for _, s := range []*authz.Subject{w.wang, w.doctor} {
			ticket, err := w.Ticket(w.as(s, "visit.join"), v.ID)
			list = append(list, ticket.Ticket, code(err))
		}
		ticket, err := w.SeatTicket(w.nobody(), seated.Token)
		return append(list, ticket.Ticket, code(err))
	}
	in := []string{"patient guest admitted=true", "done", "doctor host admitted=true", "done", "c-" + link.String() + " family admitted=true", "done"}
	if got := tickets(); !slices.Equal(got, in) {
		t.Errorf("came back: %q", got)
	}
	if _, err := w.Watch(w.nobody(), student.Token); code(err) != "seat_gone" {
		t.Errorf("who only watched: %v", err)
	}
	if _, err := w.Ticket(w.as(w.stranger, "visit.join"), v.ID); code(err) != "not_found" {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := w.Invite(w.as(w.wang, "visit.invite"), w.ByVisit(v.ID), consult.CompanionLink); code(err) != "visit_moved_on" {
		t.Errorf("somebody new was invited: %v", err)
	}
	w.now = v.End.Add(12*time.Hour - time.Minute)
	if got := tickets(); !slices.Equal(got, in) {
		t.Errorf("half a day later: %q", got)
	}
	w.now = w.now.Add(2 * time.Minute)
	if got := tickets(); !slices.Equal(got, []string{"", "room_not_open", "", "room_not_open", "", "seat_gone"}) {
		t.Errorf("later: %q", got)
	}
}

// Whoever has not been seen yet is to call, not to wait in an empty room.
func TestAnEmergencyBeforeTheVisitOpensNoRoom(t *testing.T) {
	w := newTown(t)
	v := w.booked()
	if _, err := w.CheckIn(w.as(w.wang, "visit.check_in"), v.ID, consult.LineTest{}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Alarm(w.as(w.wang, "visit.alarm"), v.ID, []string{"说话时胸痛"})
	if err != nil || got.Helped {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := w.Ticket(w.as(w.wang, "visit.join"), v.ID); code(err) != "room_not_open" {
		t.Errorf("ticket: %v", err)
	}
}

func TestICD10(t *testing.T) {
	for q, want := range map[string]string{"I10": "I10.x00", "高血压": "I10.x00", "asthma": "J45.000", "e11.9": "E11.900"} {
		found := consult.SearchICD10(q)
		if !slices.ContainsFunc(found, func(c consult.Code) bool { return c.Code == want }) {
			t.Errorf("%q: %v", q, found)
		}
	}
	all := map[string]bool{}
	for _, letter := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		for digit := range 10 {
			for _, c := range consult.SearchICD10(string(letter) + string(rune('0'+digit))) {
				if all[c.Code] = true; c.Name.ZH == "" || c.Name.EN == "" {
					t.Errorf("%s has no name", c.Code)
				}
			}
		}
	}
	if len(all) < 200 {
		t.Errorf("%d codes, want 200 or more", len(all))
	}
	if got := consult.SearchICD10("没有这个病"); got == nil || len(got) != 0 {
		t.Errorf("nothing found is an empty list: %v", got)
	}
}
