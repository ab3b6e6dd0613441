package consult_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// beside is another process of the house, on the same database and the same rooms, with a recorder of its own.
func (w *town) beside() (*consult.Service, *taper) {
	w.t.Helper()
	r := &taper{}
	s := &consult.Service{DB: w.DB, Now: w.Now, Log: w.Log, Rules: w.Rules, Signer: w.Signer, Keys: w.Keys, Rooms: w.rooms, Desk: w.Desk,
		Files: w.files, Live: w.events, Vault: w.Vault, Public: w.Public}
	w.tape(s, r)
	return s, r
}

// goes lets the recorder hear that it is sent out of the room.
func (w *town) goes(r *taper, last control.Part) {
	w.rooms.mu.Lock()
	defer w.rooms.mu.Unlock()
	w.rooms.removed = func(seat control.Seat) {
		if seat != "recorder" {
			return
		}
		w.rooms.mu.Lock()
		w.rooms.removed = nil // once
		w.rooms.mu.Unlock()
		if err := r.sentOut(last); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *town) leased(v ids.Visit) bool {
	return one[bool](w, `SELECT taped_by IS NOT NULL FROM recording WHERE visit_id = $1`, v)
}

const started = "start recorder recorder admitted=true"

func (w *town) joined(s *consult.Service, v ids.Visit, seat control.Seat) {
	room := control.Room(one[string](w, `SELECT room FROM visit WHERE id = $1`, v))
	s.Heard(w.t.Context(), control.Event{Kind: control.SeatJoined, Room: room, Seat: seat, Admitted: true, At: w.now})
}

// Events go to one process, answers to another: whoever hears of it, one records, and stops when somebody has not agreed.
func TestOfTwoProcessesOneRecordsAndStopsWhenTheOtherHearsOfANewcomer(t *testing.T) {
	w := newTown(t)
	v, first := w.agreed()
	third, idle := w.beside()
	w.joined(third, v.ID, "patient")
	if err := third.Tapes.Close(t.Context()); err != nil { // waits until it has looked
		t.Fatal(err)
	}
	if first.heard() != started || idle.heard() != "" {
		t.Fatalf("the first: %s; the third: %s", first.heard(), idle.heard())
	}

	other, second := w.beside()
	seated, link := w.daughter(v.ID)
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	daughter := control.Seat("c-" + link.String())
	w.present("doctor", "patient", "recorder", daughter)
	w.goes(first, part(0, 0, "patient", "one", w.now))
	w.joined(other, v.ID, daughter)
	w.until("the recorder is sent out", func() bool { return w.state(v.ID) == "asked" && !w.leased(v.ID) })
	if first.heard() != started+"; sent out" || second.heard() != "" {
		t.Fatalf("the first: %s; the second: %s", first.heard(), second.heard())
	}
	w.present("doctor", "patient", daughter)
	if _, err := other.AnswerRecording(w.nobody(), other.BySeat(seated.Token), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return w.state(v.ID) == "running" })
	if first.heard() != started+"; sent out" || second.heard() != started || second.take != 1 {
		t.Fatalf("the first: %s; the second: %s with take %d", first.heard(), second.heard(), second.take)
	}
}

// The recorder can't be sent out of the room: its process finds in the database that it has to stop.
func TestConsentWithdrawnInAnotherProcessStopsTheRecorder(t *testing.T) {
	w := newTown(t)
	v, first := w.agreed()
	w.KeepTapes()
	other, second := w.beside()
	if _, err := other.AnswerRecording(w.as(w.wang, "recording.answer"), other.ByVisit(v.ID), false, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder stops", func() bool { return strings.HasSuffix(first.heard(), "; stop") && !w.leased(v.ID) })
	if first.heard() != started+"; stop" || second.heard() != "" || w.state(v.ID) != "refused" {
		t.Fatalf("the first: %s; the second: %s; %s", first.heard(), second.heard(), w.state(v.ID))
	}
}

func TestAVisitEndedInAnotherProcessHasItsRecordingWhole(t *testing.T) {
	w := newTown(t)
	v, first := w.agreed()
	w.KeepTapes()
	other, second := w.beside()
	other.KeepTapes()
	w.sign(v.ID)
	w.goes(first, part(0, 0, "patient", "last words", w.now))
	if _, err := other.End(w.as(w.doctor, "visit.end"), v.ID); err != nil {
		t.Fatal(err)
	}
	if first.heard() != started+"; sent out" || second.heard() != "" {
		t.Fatalf("the first: %s; the second: %s", first.heard(), second.heard())
	}
	got, err := w.ReadRecording(w.as(w.wang, "recording.read"), w.ByVisit(v.ID))
	if err != nil || got.State != "done" || len(got.Takes) != 1 || got.Takes[0].Size != int64(len("last words")) || w.leased(v.ID) {
		t.Fatalf("%+v %v", got, err)
	}
}

// An alarm ends a visit without the check; the other process hears of it first.
func TestARecordingWhoseVisitEndsByAnAlarmIsDoneWhenItsProcessHasLetGo(t *testing.T) {
	w := newTown(t)
	v, first := w.agreed()
	other, _ := w.beside()
	if _, err := other.Alarm(w.as(w.doctor, "visit.alarm"), v.ID, []string{"chest_pain"}); err != nil {
		t.Fatal(err)
	}
	w.goes(first, part(0, 0, "patient", "one", w.now))
	w.joined(other, v.ID, "patient")
	w.until("it is done", func() bool { return w.state(v.ID) == "done" })
	if w.leased(v.ID) || !one[bool](w, `SELECT ended_at IS NOT NULL FROM recording WHERE visit_id = $1`, v.ID) {
		t.Error("it has no end")
	}
}

// The first process stalls, and goes on when another has taken over: it keeps nothing more and stops.
func TestARecordingIsTakenOverFromAProcessThatSaysNothing(t *testing.T) {
	w := newTown(t)
	v, first := w.agreed()
	if err := first.keep(part(0, 0, "patient", "one", w.now)); err != nil {
		t.Fatal(err)
	}
	other, second := w.beside()
	other.KeepTapes()
	w.until("another takes over", func() bool { return second.heard() == started })
	if second.take != 1 {
		t.Errorf("the next take is %d", second.take)
	}
	kept := len(w.files.keys())
	if err := first.keep(part(0, 1, "patient", "late", w.now)); err == nil || len(w.files.keys()) != kept {
		t.Errorf("a part of who has lost the recording: %v, %d objects and %d before", err, len(w.files.keys()), kept)
	}
	w.KeepTapes()
	w.until("the first stops", func() bool { return first.heard() == started+"; stop" })
	if second.heard() != started || w.state(v.ID) != "running" {
		t.Fatalf("the second: %s; %s", second.heard(), w.state(v.ID))
	}

	// A process that stops leaves it at once.
	third, fourth := w.beside()
	third.KeepTapes()
	holder := one[string](w, `SELECT taped_by FROM recording WHERE visit_id = $1`, v.ID)
	if err := w.Tapes.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Tapes.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !one[bool](w, `SELECT taped_by IS DISTINCT FROM $2 OR taped_until < clock_timestamp() FROM recording WHERE visit_id = $1`, v.ID, holder) {
		t.Error("it is left to nobody until its lease has lapsed")
	}
	w.until("the third takes over", func() bool { return fourth.heard() == started })
}

// The last media node is gone while a visit is recorded: who looks for the room waits for one. The doctor who ends the visit hears that it has not
// ended, and the process stops all the same, its recorder first.
func TestAProcessStopsThoughNoMediaNodeHasTheRoom(t *testing.T) {
	w := newTown(t)
	v, r := w.agreed()
	w.KeepTapes()
	w.sign(v.ID)
	waiting := w.rooms.lose()
	w.joined(w.Service, v.ID, "c-1")
	<-waiting
	soon, cancel := context.WithTimeout(w.as(w.doctor, "visit.end"), time.Second)
	defer cancel()
	if _, err := w.End(soon, v.ID); code(err) != "recording_busy" {
		t.Errorf("the visit: %v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- w.Tapes.Close(context.Background()) }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the process does not stop")
	}
	if r.heard() != started+"; stop" || w.state(v.ID) != "running" {
		t.Errorf("the recorder: %s; %s", r.heard(), w.state(v.ID))
	}
	// The lease has lapsed: another process goes on where there is a media node.
	w.rooms.mu.Lock()
	w.rooms.waiting = nil
	w.rooms.mu.Unlock()
	other, second := w.beside()
	other.KeepTapes()
	w.until("another goes on", func() bool { return second.heard() == started })
}

func TestALongPlaythroughKeepsNoOtherVisitFromEnding(t *testing.T) {
	w := newTown(t)
	v, r := w.agreed()
	r.played = make(chan struct{})
	if err := r.keep(part(0, 0, "patient", "long", w.now)); err != nil {
		t.Fatal(err)
	}
	w.sign(v.ID)
	ended := make(chan error, 1)
	end := func(v ids.Visit) { _, err := w.End(w.as(w.doctor, "visit.end"), v); ended <- err }
	go end(v.ID)
	w.until("the first is played through", func() bool { return strings.HasSuffix(r.heard(), "stop") })

	subject, person := w.neighbour("吴刚")
	w.wang, w.person = subject, person
	next, err := w.Book(w.as(subject, "visit.book"), w.wishOf(person, w.slots(0, 10.25, 1)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CheckIn(w.as(subject, "visit.check_in"), next.ID, consult.LineTest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admit(w.as(w.doctor, "visit.admit"), next.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(next.ID)); err != nil {
		t.Fatal(err)
	}
	w.sign(next.ID)
	go end(next.ID)
	if err := <-ended; err != nil || w.state(next.ID) != "done" || w.state(v.ID) == "done" {
		t.Errorf("%v, the other is %s, the first %s", err, w.state(next.ID), w.state(v.ID))
	}
	close(r.played)
	if err := <-ended; err != nil || w.state(v.ID) != "done" {
		t.Errorf("%v, the first is %s", err, w.state(v.ID))
	}
}
