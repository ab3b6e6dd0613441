package consult_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// met is a consult whose doctors have both entered, the patient invited.
func (c *county) met() consult.Teleconsult {
	c.t.Helper()
	one := c.scheduled()
	c.must(c.InvitePatient(c.as(c.asker, "teleconsult.invite"), one.ID))
	for _, who := range []*authz.Subject{c.asker, c.doctor} {
		if _, err := c.Enter(c.as(who, "teleconsult.enter"), one.ID); err != nil {
			c.t.Fatal(err)
		}
	}
	return one
}

func TestWhatIsSaidInAConsultStaysWithIt(t *testing.T) {
	c := newCounty(t)
	one := c.met()
	door := c.town.ByTeleconsult(one.ID)
	enter := func(s *authz.Subject) context.Context { return c.as(s, "teleconsult.enter") }
	for _, s := range []struct {
		who        *authz.Subject
		seat, role string
	}{{c.asker, "inviter", "host"}, {c.doctor, "expert", "host"}, {c.wang, "patient", "guest"}} {
		m, err := c.town.Say(enter(s.who), door, "我是"+s.seat, uuid.NewString())
		if err != nil || string(m.Seat) != s.seat || m.Role != s.role {
			t.Fatalf("%+v %v", m, err)
		}
		c.now = c.now.Add(time.Second)
	}
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x00IEND\xaeB`\x82")
	m, err := c.town.Share(enter(c.asker), door, "心电图.png", png, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.town.Messages(enter(c.wang), door)
	if err != nil || len(list) != 4 || list[3].File == nil {
		t.Fatalf("%+v %v", list, err)
	}
	_, file, err := c.town.Shared(enter(c.doctor), door, m.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, png) {
		t.Fatalf("%q %v", got, err)
	}
	for _, s := range []*authz.Subject{c.stranger, c.neighbour, c.colleague} {
		if _, err := c.town.Messages(enter(s), door); code(err) != "not_found" {
			t.Errorf("%s reads: %v", s.Name, err)
		}
	}
	if n := countOf(c, `SELECT count(*) FROM audit_entry WHERE action = 'teleconsult.chat'`); n != 4+1+1 {
		t.Errorf("%d entries", n)
	}
	c.exec(`UPDATE teleconsult SET state = 'closed', closed_at = now() WHERE id = $1`, one.ID)
	if _, err := c.town.Say(enter(c.asker), door, "再见", uuid.NewString()); code(err) != "teleconsult_moved_on" {
		t.Errorf("after the end: %v", err)
	}
	if list, err := c.town.Messages(enter(c.asker), door); err != nil || len(list) != 4 {
		t.Errorf("kept: %d %v", len(list), err)
	}
}

func countOf(c *county, sql string, args ...any) int { return one[int](c.town, sql, args...) }

func TestAPatientWhoIsNotInvitedHasNoDoor(t *testing.T) {
	c := newCounty(t)
	door := c.town.ByTeleconsult(c.scheduled().ID)
	if _, err := c.town.Messages(c.as(c.wang, "teleconsult.enter"), door); code(err) != "not_invited" {
		t.Fatal(err)
	}
}

func TestOneOfThoseWhoLeadAConsultLetsInSendsAwayAndLocks(t *testing.T) {
	c := newCounty(t)
	one := c.met()
	door := c.town.ByTeleconsult(one.ID)
	asker, wang := c.as(c.asker, "teleconsult.enter"), c.as(c.wang, "teleconsult.enter")
	l, err := c.town.Invite(wang, door, consult.CompanionLink)
	if err != nil {
		t.Fatal(err)
	}
	seated, err := c.town.Arrive(c.nobody(), consult.Arrival{Secret: secret(t, l), Name: "刘梅", Role: "family", Relation: "女儿"})
	if err != nil || !strings.HasPrefix(seated.Doctor, "赵志远") || seated.Institution != "永宁县人民医院" {
		t.Fatalf("%+v %v", seated, err)
	}
	for deed, err := range map[string]error{
		"admit":    second(c.town.AdmitCompanion(wang, door, l.ID)),
		"remove":   second(c.town.RemoveCompanion(wang, door, l.ID)),
		"lock":     c.town.Lock(wang, door, true),
		"observe":  second(c.town.Invite(wang, door, consult.ObserverLink)),
		"watching": second(c.town.Watch(c.nobody(), seated.Token)),
	} {
		if want := map[bool]string{true: "seat_gone", false: "host_only"}[deed == "watching"]; code(err) != want {
			t.Errorf("the patient's %s: %v", deed, err)
		}
	}
	if err := c.town.Lock(asker, door, true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.town.SeatTicket(c.nobody(), seated.Token); code(err) != "room_locked" {
		t.Fatalf("at the locked door: %v", err)
	}
	if _, err := c.town.AdmitCompanion(c.as(c.doctor, "teleconsult.enter"), door, l.ID); err != nil {
		t.Fatal(err)
	}
	if ticket, err := c.town.SeatTicket(c.nobody(), seated.Token); err != nil || !ticket.Admitted {
		t.Fatalf("%+v %v", ticket, err)
	}
	if _, err := c.town.RemoveCompanion(asker, door, l.ID); err != nil || !slices.Contains(c.rooms.heard(), "remove c-"+l.ID.String()) {
		t.Fatalf("%v, the room heard %v", err, c.rooms.heard())
	}
	if _, err := c.town.Messages(c.nobody(), c.town.BySeat(seated.Token)); code(err) != "seat_gone" {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnObserverSeesRolesAndNoName(t *testing.T) {
	c := newCounty(t)
	one := c.met()
	door, asker := c.town.ByTeleconsult(one.ID), c.as(c.asker, "teleconsult.enter")
	l, err := c.town.Invite(asker, door, consult.ObserverLink)
	if err != nil {
		t.Fatal(err)
	}
	seated, err := c.town.Arrive(c.nobody(), consult.Arrival{Secret: secret(t, l), Name: "进修医生", Role: "family", Relation: "女儿"})
	if err != nil || seated.Role != "observer" || string(seated.Seat) != "o-"+l.ID.String() {
		t.Fatalf("%+v %v", seated, err)
	}
	watch := func() (consult.Watching, error) { return c.town.Watch(c.nobody(), seated.Token) }
	if _, err := watch(); code(err) != "not_admitted" {
		t.Fatalf("before being let in: %v", err)
	}
	if _, err := c.town.SeatTicket(c.nobody(), seated.Token); code(err) != "observer_only" {
		t.Fatalf("a seat that speaks: %v", err)
	}
	if _, err := c.town.AdmitCompanion(asker, door, l.ID); err != nil {
		t.Fatal(err)
	}
	c.rooms.sit([]control.SeatState{
		{Seat: "patient", Name: "王秀英", Role: "guest", Presence: control.Live}, {Seat: "expert", Name: "张建国", Role: "host", Presence: control.Live},
		{Seat: "c-1", Name: "刘梅", Role: "family", Presence: control.Waiting}, {Seat: "recorder", Role: "recorder", Presence: control.Live},
		{Seat: seated.Seat + "~expert", Name: "进修医生", Role: "observer", Presence: control.Live}})
	got, err := watch()
	if err != nil || len(got.Seats) != 2 || got.Seats[0] != (consult.WatchedSeat{Seat: "expert", Role: "host"}) || !strings.Contains(got.URL, "/whep/t-") {
		t.Fatalf("%+v %v", got, err)
	}
	told, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"王秀英", "张建国", "刘梅"} {
		if bytes.Contains(told, []byte(name)) {
			t.Errorf("the observer is told of %s", name)
		}
	}
	in := c.town.BySeat(seated.Token)
	for deed, err := range map[string]error{
		"read":   second(c.town.Messages(c.nobody(), in)),
		"write":  second(c.town.Say(c.nobody(), in, "你好", uuid.NewString())),
		"record": second(c.town.ReadRecording(c.nobody(), in)),
		"bring":  second(c.town.AddInstrument(c.nobody(), in, "ultrasound", "超声")),
	} {
		if code(err) != "observer_only" {
			t.Errorf("%s: %v", deed, err)
		}
	}
	if _, err := c.town.RemoveCompanion(asker, door, l.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := watch(); code(err) != "seat_gone" {
		t.Fatalf("after being sent away: %v", err)
	}
}

func TestAConsultIsRecordedOnceItsDoctorsHaveAgreedAndTheLineIsKept(t *testing.T) {
	c := newCounty(t)
	one := c.met()
	r := &taper{}
	c.town.Tapes = &consult.Tapes{Recorder: r, URL: func() string { return "ws://" }, Inspect: func(f io.Reader) (consult.Inspected, error) {
		b, err := io.ReadAll(f)
		return consult.Inspected{Frames: len(b)}, err
	}}
	t.Cleanup(func() {
		if err := c.town.Tapes.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.exec(`UPDATE institution SET recording_required = true`)
	c.present("inviter", "expert", "patient")
	door := c.town.ByTeleconsult(one.ID)
	asker, expert, wang := c.as(c.asker, "teleconsult.enter"), c.as(c.doctor, "teleconsult.enter"), c.as(c.wang, "teleconsult.enter")
	if _, err := c.town.AskRecording(wang, door); code(err) != "host_only" {
		t.Fatalf("the patient asks: %v", err)
	}
	asked, err := c.town.AskRecording(asker, door)
	if err != nil || asked.Required {
		t.Fatalf("nobody is sent home from a consult: %+v %v", asked, err)
	}
	for _, ctx := range []context.Context{expert, wang} {
		if r.heard() != "" {
			t.Fatalf("before all agreed: %s", r.heard())
		}
		if _, err := c.town.AnswerRecording(ctx, door, true, version); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string { return oneText(c, `SELECT state FROM recording WHERE teleconsult_id = $1`, one.ID) }
	c.until("the recorder starts", func() bool { return state() == "running" })
	if err := r.keep(part(0, 0, "expert", "fine", c.now)); err != nil {
		t.Fatal(err)
	}
	room := control.Room(oneText(c, `SELECT room FROM teleconsult WHERE id = $1`, one.ID))
	c.town.Heard(t.Context(), control.Event{Kind: control.QualityReported, Room: room, Seat: "expert", Admitted: true, At: c.now,
		Quality: &control.Quality{Seconds: 10, Mode: "360p", Path: "relay", RTTms: 80, Loss: 0.01}})
	if q, err := c.town.CallQuality(asker, door); err != nil || len(q.Seats) != 1 || q.Seats[0].Relay != 1 {
		t.Fatalf("%+v %v", q, err)
	}
	if got, err := c.town.ReadRecording(wang, door); err != nil || len(got.Takes) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if _, _, err := c.town.Play(c.as(c.stranger, "teleconsult.enter"), door, 0, true); code(err) != "not_found" {
		t.Fatal(err)
	}
	// The patient changes their mind: it stops, and the consult goes on.
	if _, err := c.town.AnswerRecording(wang, door, false, version); err != nil {
		t.Fatal(err)
	}
	c.until("the recorder stops", func() bool { return strings.HasSuffix(r.heard(), "stop") && state() == "refused" })
	if got, err := c.Teleconsult(c.as(c.asker, "teleconsult.read"), one.ID); err != nil || got.State != consult.InProgress {
		t.Fatalf("%+v %v", got.State, err)
	}
	c.exec(`UPDATE teleconsult SET state = 'decided' WHERE id = $1`, one.ID)
	c.must(c.Close(c.as(c.asker, "teleconsult.request"), one.ID))
	if state() != "done" {
		t.Fatalf("the recording is %s", state())
	}
	_, file, err := c.town.Play(asker, door, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(file); err != nil || string(b) != "fine" {
		t.Fatal(errors.Join(err, errors.New(string(b))))
	}
}

func oneText(c *county, sql string, id ids.Teleconsult) string { return one[string](c.town, sql, id) }
