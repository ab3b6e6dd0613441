package consult_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"yuanzhen/consult"
	"yuanzhen/signaling/control"
)

func TestADoctorBringsAnInstrumentIntoTheRoomAndSendsItAway(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	doctor := w.as(w.doctor, "visit.host")
	at := w.ByVisit(v.ID)
	room := one[string](w, `SELECT room FROM visit WHERE id = $1`, v.ID)
	p, err := w.AddInstrument(doctor, at, "ultrasound", " 2 号超声 ")
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://visit.example/whip/" + room + "/i-" + p.ID.String() + "?source=ultrasound"; p.URL != want {
		t.Fatalf("address %s, want %s", p.URL, want)
	}
	if p.Name != "2 号超声" || p.Token != string(p.Seat)+" ultrasound admitted=true" || !bytes.HasPrefix(p.QR, []byte("\x89PNG")) {
		t.Fatalf("%+v", p)
	}
	if list, err := w.Instruments(doctor, at); err != nil || len(list) != 1 || list[0].ID != p.ID || list[0].Seat != p.Seat {
		t.Fatalf("%+v %v", list, err)
	}
	if again, err := w.AnotherInstrumentPass(doctor, at, p.ID); err != nil || again.Token != p.Token {
		t.Fatalf("%+v %v", again, err)
	}
	if err := w.RemoveInstrument(doctor, at, p.ID); err != nil || !slices.Contains(w.rooms.heard(), "remove "+string(p.Seat)) {
		t.Fatalf("%v, the room heard %v", err, w.rooms.heard())
	}
	if _, err := w.AnotherInstrumentPass(doctor, at, p.ID); code(err) != "not_found" {
		t.Fatalf("a pass for what was removed: %v", err)
	}
	if n := one[int](w, `SELECT count(*) FROM audit_entry WHERE object = $1`, "instrument/"+p.ID.String()); n != 3 {
		t.Fatalf("%d entries of adding, a ticket, removing", n)
	}
}

func TestWhoMayNotBringAnInstrument(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	seated, link := w.daughter(v.ID)
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddInstrument(w.nobody(), w.BySeat(seated.Token), "otoscope", "耳镜"); code(err) != "no_instruments" {
		t.Errorf("the daughter: %v", err)
	}
	if _, err := w.AddInstrument(w.as(w.stranger, "visit.host"), w.ByVisit(v.ID), "otoscope", "耳镜"); code(err) != "not_found" {
		t.Errorf("a stranger: %v", err)
	}
	doctor, at := w.as(w.doctor, "visit.host"), w.ByVisit(v.ID)
	for _, bad := range [][2]string{{"x_ray", "机器"}, {"otoscope", " "}, {"otoscope", strings.Repeat("长", 41)}} {
		if _, err := w.AddInstrument(doctor, at, bad[0], bad[1]); code(err) != "instrument_unnamed" {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for range 8 {
		if _, err := w.AddInstrument(doctor, at, "room_camera", "摄像头"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.AddInstrument(doctor, at, "room_camera", "摄像头"); code(err) != "too_many_instruments" {
		t.Errorf("the ninth: %v", err)
	}
}

func TestTheVillageDoctorBringsTheOtoscope(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	l := w.invite(w.wang, v.ID, consult.CompanionLink)
	seated, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(t, l), Name: "赵志远", Role: "village_doctor"})
	if err != nil {
		t.Fatal(err)
	}
	at := w.BySeat(seated.Token)
	if _, err := w.AddInstrument(w.nobody(), at, "otoscope", "耳镜"); code(err) != "not_admitted" {
		t.Fatalf("from outside the door: %v", err)
	}
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), l.ID); err != nil {
		t.Fatal(err)
	}
	p, err := w.AddInstrument(w.nobody(), at, "otoscope", "耳镜")
	if err != nil || !strings.HasSuffix(p.URL, "?source=otoscope") {
		t.Fatalf("%+v %v", p, err)
	}
	if err := w.RemoveInstrument(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), p.ID); err != nil {
		t.Fatalf("the doctor removes it: %v", err)
	}
}

func TestAnInstrumentNeitherStopsARecordingNorIsInIt(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(false)
	w.present("doctor", "patient", "i-ultrasound")
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder starts", func() bool { return w.state(v.ID) == "running" })
	if r.allowed(control.Seat("i-ultrasound")) {
		t.Fatal("the instrument's sound is recorded")
	}
}

func TestTheDoctorsOfATeleconsultBringInstruments(t *testing.T) {
	c := newCounty(t)
	one := c.scheduled()
	at := c.town.ByTeleconsult(one.ID)
	p, err := c.town.AddInstrument(c.as(c.asker, "teleconsult.enter"), at, "ultrasound", "县医院超声")
	if err != nil || !strings.Contains(p.URL, "/whip/t-") {
		t.Fatalf("%+v %v", p, err)
	}
	if list, err := c.town.Instruments(c.as(c.doctor, "teleconsult.enter"), at); err != nil || len(list) != 1 {
		t.Fatalf("the expert sees %+v %v", list, err)
	}
	if _, err := c.town.AddInstrument(c.as(c.stranger, "teleconsult.enter"), at, "ultrasound", "超声"); code(err) != "not_found" {
		t.Fatalf("a stranger: %v", err)
	}
	draft := c.town.ByTeleconsult(c.requested().ID)
	if _, err := c.town.AddInstrument(c.as(c.asker, "teleconsult.enter"), draft, "ultrasound", "超声"); code(err) != "teleconsult_moved_on" {
		t.Fatalf("before there is a room: %v", err)
	}
}
