package consult_test

import (
	"math"
	"testing"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/signaling/control"
)

// A server or a media node that is killed says nothing of the lines that it loses.
func TestALineLostWithoutAWordIsAGapFromTheLastReportOn(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	room := control.Room(one[string](w, `SELECT room FROM visit WHERE id = $1`, v.ID))
	start := w.now
	tell := func(e control.Event, after time.Duration) {
		e.Room, e.Admitted, e.At = room, true, start.Add(after*time.Second)
		w.Heard(t.Context(), e)
	}
	report := &control.Quality{Seconds: 10, Mode: "360p", Path: "udp"}
	for _, seat := range []control.Seat{"patient", "doctor", "i-1", "recorder"} {
		tell(control.Event{Kind: control.SeatJoined, Seat: seat}, 0)
	}
	tell(control.Event{Kind: control.QualityReported, Seat: "patient", Quality: report}, 10)
	tell(control.Event{Kind: control.SeatJoined, Seat: "patient", Replaced: true}, 12) // from telephone to computer
	tell(control.Event{Kind: control.QualityReported, Seat: "patient", Quality: report}, 20)
	for _, seat := range []control.Seat{"patient", "doctor", "i-1", "recorder"} { // after the kill
		tell(control.Event{Kind: control.SeatJoined, Seat: seat}, 25)
	}
	tell(control.Event{Kind: control.SeatLeft, Seat: "doctor"}, 30)
	tell(control.Event{Kind: control.SeatJoined, Seat: "doctor"}, 40)

	q, err := w.CallQuality(w.as(w.doctor, "visit.read"), w.ByVisit(v.ID))
	if err != nil || len(q.Gaps) != 2 {
		t.Fatalf("%+v %v", q.Gaps, err)
	}
	for i, want := range []struct {
		seat string
		from time.Duration
	}{{"doctor", 0}, {"patient", 20}} { // the doctor's client had not reported yet
		g := q.Gaps[i]
		if g.Seat != want.seat || !g.From.Equal(start.Add(want.from*time.Second)) || g.To == nil || !g.To.Equal(start.Add(25*time.Second)) {
			t.Errorf("%s: %+v", want.seat, g)
		}
	}
	w.now = w.now.Add(time.Minute)
	calls, err := w.Calls(w.as(w.member("administrator", 0), "calls.read"))
	if err != nil || len(calls.Hours) != 1 || calls.Hours[0].Gaps != 2 || len(calls.Worst) != 1 || calls.Worst[0].Gaps != 1 {
		t.Fatalf("%+v %v", calls, err)
	}
}

func TestWhatTheLineWasLikeStaysWithTheVisit(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	room := control.Room(one[string](w, `SELECT room FROM visit WHERE id = $1`, v.ID))
	hear := func(kind control.EventKind, after time.Duration, q *control.Quality) {
		w.Heard(t.Context(), control.Event{Kind: kind, Room: room, Seat: "patient", Role: "guest", At: w.now.Add(after), Admitted: true, Quality: q})
	}
	start := w.now
	hear(control.SeatJoined, 0, nil)
	hear(control.QualityReported, 10*time.Second, &control.Quality{Seconds: 10, Mode: "360p", Path: "udp", RTTms: 100})
	hear(control.QualityReported, 20*time.Second, &control.Quality{Seconds: 30, Mode: "audio", Path: "relay", RTTms: 500, Loss: 0.2, Concealed: 0.04, Freezes: 2})
	hear(control.SeatReconnecting, 21*time.Second, nil)
	hear(control.SeatJoined, 25*time.Second, nil)
	hear(control.QualityReported, -time.Minute, &control.Quality{Seconds: 10, Mode: "text", Path: "udp"}) // from before the database came back
	w.Heard(t.Context(), control.Event{Kind: control.QualityReported, Room: "v-unknown", Seat: "patient", At: w.now, Admitted: true, Quality: &control.Quality{Seconds: 1, Mode: "x", Path: "udp"}})

	q, err := w.CallQuality(w.as(w.doctor, "visit.read"), w.ByVisit(v.ID))
	if err != nil || len(q.Seats) != 1 || len(q.Gaps) != 1 {
		t.Fatalf("%+v %v", q, err)
	}
	near := func(got, want float64) bool { return math.Abs(got-want) < 1e-6 }
	if s := q.Seats[0]; s.Seconds != 40 || !near(s.RTTms, 400) || !near(s.Loss, 0.15) || !near(s.Concealed, 0.03) || !near(s.Relay, 0.75) || !near(s.SoundOnly, 0.75) || s.Lowest != "audio" {
		t.Fatalf("%+v", s)
	}
	if g := q.Gaps[0]; !g.From.Equal(start.Add(21*time.Second)) || g.To == nil || g.To.Sub(g.From) != 4*time.Second {
		t.Fatalf("%+v", g)
	}
	if _, err := w.CallQuality(w.as(w.stranger, "visit.read"), w.ByVisit(v.ID)); code(err) != "not_found" {
		t.Fatalf("a stranger: %v", err)
	}

	admin, other := w.member("administrator", 0), w.member("administrator", 1)
	w.now = w.now.Add(time.Hour)
	calls, err := w.Calls(w.as(admin, "calls.read"))
	if err != nil || len(calls.Hours) != 1 || len(calls.Worst) != 1 {
		t.Fatalf("%+v %v", calls, err)
	}
	if h := calls.Hours[0]; h.Visits != 1 || h.Reports != 2 || h.Gaps != 1 || h.Relay != 0.5 || calls.Worst[0].ID.String() != v.ID.String() {
		t.Fatalf("%+v %+v", h, calls.Worst)
	}
	for who, ctx := range map[string]*authz.Subject{"of another hospital": other, "without the role": w.staff} {
		calls, err := w.Calls(w.as(ctx, "calls.read"))
		if err != nil || len(calls.Hours) != 0 || len(calls.Worst) != 0 {
			t.Fatalf("an administrator %s: %+v %v", who, calls, err)
		}
	}
	w.now = w.now.Add(24 * time.Hour)
	if calls, err = w.Calls(w.as(admin, "calls.read")); err != nil || len(calls.Hours) != 0 {
		t.Fatalf("a day later: %+v %v", calls, err)
	}
}
