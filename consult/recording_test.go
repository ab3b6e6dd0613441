package consult_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// taper stands in for the recorder: it says what it is told and hands on the parts a test gives it.
type taper struct {
	mu      sync.Mutex
	said    []string
	keep    func(control.Part) error
	ended   func(error)
	allowed func(control.Seat) bool
	take    int
	fails   error
	url     string
	played  chan struct{} // a file that is "long" is played until this is closed
}

func (r *taper) Record(_ context.Context, url string, ticket func() (string, error), first int, allowed func(control.Seat) bool, keep func(control.Part) error, ended func(error)) (control.Recording, error) {
	t, err := ticket()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil || err != nil {
		return nil, errors.Join(r.fails, err)
	}
	r.said = append(r.said, "start "+t)
	r.keep, r.ended, r.allowed, r.take, r.url = keep, ended, allowed, first, url
	return r, nil
}

// sentOut is what a recorder does that is taken out of its room: it keeps its last part and ends.
func (r *taper) sentOut(last control.Part) error {
	r.mu.Lock()
	r.said = append(r.said, "sent out")
	keep, ended := r.keep, r.ended
	r.mu.Unlock()
	err := keep(last)
	ended(err)
	return err
}

func (r *taper) Stop(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, "stop")
	return nil
}

func (r *taper) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.said, "; ")
}

// taped is a begun visit with both in the room, and a recorder.
func (w *town) taped(required bool) (consult.Visit, *taper) {
	w.t.Helper()
	r := &taper{}
	w.tape(w.Service, r)
	w.exec(`UPDATE institution SET recording_required = $1`, required)
	v := w.begun()
	w.present("doctor", "patient")
	return v, r
}

// tape gives a service the recorder.
func (w *town) tape(s *consult.Service, r *taper) {
	s.Tapes = &consult.Tapes{Recorder: r, URL: func() string { return "ws://" }, Inspect: func(f io.Reader) (consult.Inspected, error) {
		b, err := io.ReadAll(f)
		if bytes.HasPrefix(b, []byte("long")) {
			<-r.played
		}
		if err != nil || bytes.Contains(b, []byte("broken")) {
			return consult.Inspected{}, errors.Join(err, errors.New("does not play"))
		}
		found := consult.Inspected{Frames: len(b)}
		if bytes.HasPrefix(b, []byte("open ")) {
			found.Head, found.Index = []byte("shut "), []byte(" index")
		}
		return found, nil
	}}
	w.t.Cleanup(func() {
		if err := s.Tapes.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
}

// agreed is a visit that is recorded.
func (w *town) agreed() (consult.Visit, *taper) {
	w.t.Helper()
	v, r := w.taped(false)
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		w.t.Fatal(err)
	}
	w.until("the recorder starts", func() bool { return w.state(v.ID) == "running" })
	w.present("doctor", "patient", "recorder")
	return v, r
}

func (w *town) present(seats ...control.Seat) {
	var states []control.SeatState
	for _, s := range seats {
		states = append(states, control.SeatState{Seat: s, Presence: control.Live})
	}
	w.rooms.sit(states)
}

func (w *town) until(what string, done func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s did not happen", what)
		}
	}
}

func (w *town) state(v ids.Visit) string {
	return one[string](w, `SELECT state FROM recording WHERE visit_id = $1`, v)
}

// sign writes and signs the visit's record.
func (w *town) sign(v ids.Visit) {
	w.t.Helper()
	r, err := w.WriteRecord(w.as(w.doctor, "record.write"), v, complete, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.SignRecord(w.as(w.doctor, "record.sign"), v, r.SHA256, passphrase); err != nil {
		w.t.Fatal(err)
	}
}

const version = "recording-2026-12"

func part(take, number int, seat control.Seat, data string, from time.Time) control.Part {
	return control.Part{Take: take, Number: number, Seat: seat, Type: "audio/webm", Start: from, End: from.Add(time.Duration(number+1) * 3 * time.Second), Data: []byte(data)}
}

func TestARecordingRunsWhileEverybodyAgreesAndIsFoundFromItsVisit(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(false)
	wang, doctor := w.as(w.wang, "recording.answer"), w.as(w.doctor, "recording.ask")
	if _, err := w.AnswerRecording(wang, w.ByVisit(v.ID), true, version); code(err) != "recording_not_asked" {
		t.Fatalf("an answer without a question: %v", err)
	}
	asked, err := w.AskRecording(doctor, w.ByVisit(v.ID))
	if err != nil || asked.State != "asked" || asked.Text.ZH == "" || len(asked.Answers) != 1 || !asked.Answers[0].Agreed {
		t.Fatalf("%+v %v", asked, err)
	}
	if _, err := w.AnswerRecording(wang, w.ByVisit(v.ID), true, "recording-2020-01"); code(err) != "recording_text_old" {
		t.Fatalf("consent to an old text: %v", err)
	}
	if r.heard() != "" {
		t.Fatalf("without the patient's consent: %s", r.heard())
	}
	if _, err := w.AnswerRecording(wang, w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder starts", func() bool { return r.heard() == "start recorder recorder admitted=true" && w.state(v.ID) == "running" })
	if !r.allowed("patient") || !r.allowed("doctor") || r.allowed("c-1") {
		t.Fatal("who may be written down is not who has agreed")
	}
	for i, data := range []string{"one", "two"} {
		if err := r.keep(part(0, i, "patient", data, w.now)); err != nil {
			t.Fatal(err)
		}
	}

	// A daughter comes who was not asked: it stops, and goes on when she has agreed.
	seated, link := w.daughter(v.ID)
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	w.present("doctor", "patient", control.Seat("c-"+link.String()))
	room := control.Room(one[string](w, `SELECT room FROM visit WHERE id = $1`, v.ID))
	w.Heard(t.Context(), control.Event{Kind: control.SeatJoined, Room: room, Seat: control.Seat("c-" + link.String()), Admitted: true, At: w.now})
	w.until("the recorder stops", func() bool { return strings.HasSuffix(r.heard(), "; stop") && w.state(v.ID) == "asked" })
	if _, err := w.AnswerRecording(w.nobody(), w.BySeat(seated.Token), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool {
		return strings.HasSuffix(r.heard(), "stop; start recorder recorder admitted=true") && w.state(v.ID) == "running"
	})
	if r.take != 1 {
		t.Fatalf("the next take is %d", r.take)
	}
	if err := r.keep(part(1, 0, "doctor", "three", w.now.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}

	// At its end the head is written anew: the old one is gone from the store.
	kept := len(w.files.keys())
	if err := r.keep(part(0, 0, "patient", "ONE", w.now)); err != nil {
		t.Fatal(err)
	}
	if n := len(w.files.keys()); n != kept {
		t.Fatalf("%d objects, before the new head %d", n, kept)
	}
	if err := r.keep(part(0, 0, "patient", "one", w.now)); err != nil {
		t.Fatal(err)
	}

	// After a crash the parts are there: found from the visit by patient and doctor, by nobody else.
	for who, s := range map[string]context.Context{"patient": w.as(w.wang, "recording.read"), "doctor": w.as(w.doctor, "recording.read")} {
		got, err := w.ReadRecording(s, w.ByVisit(v.ID))
		if err != nil || len(got.Takes) != 2 || got.Takes[1].OffsetMs != 60_000 || got.Takes[0].LengthMs != 6000 || got.Until != "2029-06-15" {
			t.Fatalf("%s: %+v %v", who, got, err)
		}
		_, file, err := w.Play(s, w.ByVisit(v.ID), 0, true)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(file); err != nil || string(b) != "onetwo" {
			t.Fatalf("%s plays %q %v", who, b, err)
		}
		if at, err := file.Seek(-2, io.SeekEnd); err != nil || at != 4 {
			t.Fatal(at, err)
		}
		if b, err := io.ReadAll(file); err != nil || string(b) != "wo" {
			t.Fatalf("%s jumps to %q %v", who, b, err)
		}
	}
	for _, s := range []string{"stranger", "staff"} {
		subject := map[string]context.Context{"stranger": w.as(w.stranger, "recording.read"), "staff": w.as(w.staff, "recording.read")}[s]
		if _, err := w.ReadRecording(subject, w.ByVisit(v.ID)); code(err) != "not_found" {
			t.Fatalf("%s: %v", s, err)
		}
		if _, _, err := w.Play(subject, w.ByVisit(v.ID), 0, true); code(err) != "not_found" {
			t.Fatalf("%s plays: %v", s, err)
		}
	}
	if got, err := w.ReadRecording(w.nobody(), w.BySeat(seated.Token)); err != nil || got.State != "running" || len(got.Takes) != 0 {
		t.Fatalf("the companion: %+v %v", got, err)
	}
	if n := one[int](w, `SELECT count(*) FROM audit_entry WHERE action = 'recording.read' AND reason = 'play'`); n != 2 {
		t.Fatalf("%d playings recorded", n)
	}
}

func TestWithdrawingStopsTheRecording(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(false)
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder starts", func() bool { return w.state(v.ID) == "running" })
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), false, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder stops", func() bool { return strings.HasSuffix(r.heard(), "stop") })
	now, err := w.Visit(w.as(w.wang, "visit.read"), v.ID)
	if err != nil || w.state(v.ID) != "refused" || now.State != consult.InConsult || now.RefundDue {
		t.Fatalf("%s %+v %v", w.state(v.ID), now.State, err)
	}
	if n := one[int](w, `SELECT count(*) FROM recording_answer`); n != 3 {
		t.Fatalf("%d answers: none may be lost", n)
	}
}

func TestWhereRecordingIsDemandedARefusalLeadsToTheClinicWithTheMoneyBack(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(true)
	if asked, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil || !asked.Required {
		t.Fatalf("%+v %v", asked, err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), false, version); err != nil {
		t.Fatal(err)
	}
	now, err := w.Visit(w.as(w.wang, "visit.read"), v.ID)
	if err != nil || now.State != consult.TerminatedOffline || !now.Refused || !now.RefundDue {
		t.Fatalf("%+v %v", now, err)
	}
	if !slices.Contains(w.rooms.heard(), "close") || r.heard() != "" {
		t.Fatalf("the room heard %v, the recorder %q", w.rooms.heard(), r.heard())
	}
}

func TestARecordingIsPlayedBeforeTheVisitCloses(t *testing.T) {
	for _, c := range []struct {
		story, data string
		first, then string
		state       string
	}{
		{"it plays", "fine", "done", "visit_moved_on", "done"},
		{"it does not", "broken", "recording_unplayable", "done", "damaged"},
	} {
		t.Run(c.story, func(t *testing.T) {
			w := newTown(t)
			v, r := w.taped(false)
			if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
				t.Fatal(err)
			}
			w.until("the recorder starts", func() bool { return w.state(v.ID) == "running" })
			if err := r.keep(part(0, 0, "patient", c.data, w.now)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); code(err) != "record_unsigned" || strings.Contains(r.heard(), "stop") {
				t.Fatalf("unsigned: %v, the recorder %s", err, r.heard())
			}
			w.sign(v.ID)
			if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); code(err) != c.first {
				t.Fatalf("first: %v", err)
			}
			if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); code(err) != c.then {
				t.Fatalf("then: %v", err)
			}
			if got := w.state(v.ID); got != c.state {
				t.Fatalf("the recording is %s", got)
			}
		})
	}
}

// A recorder was killed in its first take and its second was written by another. At the end of the visit the first gets what its own recorder would
// have given it; one with a hole does not.
func TestTheTakeOfAKilledRecorderIsClosed(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(false)
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("the recorder starts", func() bool { return w.state(v.ID) == "running" })
	for _, p := range []control.Part{
		part(0, 0, "patient", "open ", w.now), part(0, 1, "patient", "words", w.now),
		part(1, 0, "doctor", "open ", w.now), part(1, 2, "doctor", "lost", w.now),
		part(2, 0, "doctor", "whole", w.now),
	} {
		if err := r.keep(p); err != nil {
			t.Fatal(err)
		}
	}
	w.sign(v.ID)
	if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); err != nil {
		t.Fatal(err)
	}
	read := w.as(w.wang, "recording.read")
	for take, want := range []string{"shut words index", "open ", "whole"} {
		_, file, err := w.Play(read, w.ByVisit(v.ID), take, true)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(file); err != nil || string(b) != want {
			t.Fatalf("take %d plays %q %v", take, b, err)
		}
	}
	got, err := w.ReadRecording(read, w.ByVisit(v.ID))
	if err != nil || got.State != "done" || got.Takes[0].LengthMs != 6000 || got.Takes[0].Size != int64(len("shut words index")) {
		t.Fatalf("%+v %v", got, err)
	}
	if parts, objects := one[int](w, `SELECT count(*) FROM recording_part`), len(w.files.keys()); parts != 6 || objects < parts {
		t.Fatalf("%d parts, %d objects", parts, objects)
	}
}

func TestARecordingThatStartedAndHasNothingDoesNotPass(t *testing.T) {
	w := newTown(t)
	v, _ := w.agreed()
	w.sign(v.ID)
	if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); code(err) != "recording_unplayable" {
		t.Fatalf("first: %v", err)
	}
	if _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); err != nil || w.state(v.ID) != "damaged" {
		t.Fatalf("then: %v, %s", err, w.state(v.ID))
	}
}

// A room of a media node is recorded there, not at the process's own rooms.
func TestTheRecorderGoesWhereTheRoomIs(t *testing.T) {
	w := newTown(t)
	w.Desk = desk{func() time.Time { return w.now }, "wss://media2.example/signal"}
	if _, r := w.agreed(); r.url != "wss://media2.example/signal" {
		t.Fatalf("it records at %q", r.url)
	}
}

func TestARecorderThatFailsIsSaid(t *testing.T) {
	w := newTown(t)
	v, r := w.taped(false)
	r.fails = errors.New("no room")
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	w.until("the trouble is said", func() bool { return one[bool](w, `SELECT trouble FROM recording WHERE visit_id = $1`, v.ID) })
	if got := w.state(v.ID); got != "asked" {
		t.Fatal(fmt.Sprint("the recording is ", got))
	}
}
