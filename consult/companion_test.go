package consult_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// secret is what the address of a link ends in.
func secret(t *testing.T, l consult.Link) string {
	t.Helper()
	_, fragment, _ := strings.Cut(l.URL, "#")
	_, secret, ok := strings.Cut(fragment, ".")
	if !ok || len(secret) < 26 || !bytes.HasPrefix(l.QR, []byte("\x89PNG")) {
		t.Fatalf("link %+v", l)
	}
	return secret
}

func (w *town) invite(s *authz.Subject, v ids.Visit, kind consult.LinkKind) consult.Link {
	w.t.Helper()
	l, err := w.Invite(w.as(s, "visit.invite"), w.ByVisit(v), kind)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// nobody is a request without a session, as who opens a link sends it.
func (w *town) nobody() context.Context { return w.as(nil, "link.use") }

func (w *town) daughter(v ids.Visit) (consult.Seated, ids.Link) {
	w.t.Helper()
	l := w.invite(w.wang, v, consult.CompanionLink)
	s, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(w.t, l), Name: "刘梅", Role: "family", Relation: "女儿"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s, l.ID
}

func TestACompanionComesByLinkAndWaitsForTheDoctor(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	seated, link := w.daughter(v.ID)
	if seated.Name != "刘梅 · 女儿" || seated.Role != "family" || !strings.Contains(seated.Doctor, "张建国") || seated.Phone == "" {
		t.Fatalf("seated %+v", seated)
	}
	ticket, err := w.SeatTicket(w.nobody(), seated.Token)
	if err != nil || ticket.Admitted || !strings.HasSuffix(ticket.Ticket, "family admitted=false") {
		t.Fatalf("%+v %v", ticket, err)
	}
	if _, err := w.Say(w.nobody(), w.BySeat(seated.Token), "妈妈昨天又头晕了", uuid.NewString()); code(err) != "not_admitted" {
		t.Fatalf("who waits at the door spoke: %v", err)
	}
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(w.rooms.said, "admit c-"+link.String()) {
		t.Fatalf("the room heard %v", w.rooms.said)
	}
	if ticket, err = w.SeatTicket(w.nobody(), seated.Token); err != nil || !ticket.Admitted {
		t.Fatalf("back after a reload: %+v %v", ticket, err)
	}
	list, err := w.Companions(w.as(w.wang, "visit.read"), w.ByVisit(v.ID))
	if err != nil || len(list) != 1 || list[0].State != "admitted" || list[0].Name != "刘梅" || list[0].Relation != "女儿" {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := w.RemoveCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	if _, err = w.SeatTicket(w.nobody(), seated.Token); code(err) != "seat_gone" {
		t.Fatalf("after removal: %v", err)
	}
	if _, err := w.Messages(w.nobody(), w.BySeat(seated.Token)); code(err) != "seat_gone" {
		t.Fatalf("after removal the chat was open: %v", err)
	}
	if n := one[int](w, `SELECT count(*) FROM audit_entry WHERE object = $1`, "link/"+link.String()); n != 4 { // offer, arrival, admit, remove
		t.Fatalf("%d audit entries", n)
	}
}

func TestALinkOpensOnce(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	l := w.invite(w.wang, v.ID, consult.CompanionLink)
	arrival := consult.Arrival{Secret: secret(t, l), Name: "刘梅", Role: "family"}
	outcomes := make([]string, 20)
	var done sync.WaitGroup
	for i := range outcomes {
		done.Go(func() {
			_, err := w.Arrive(w.nobody(), arrival)
			outcomes[i] = code(err)
		})
	}
	done.Wait()
	slices.Sort(outcomes)
	if outcomes[0] != "done" || outcomes[1] != "link_gone" || len(slices.Compact(outcomes)) != 2 {
		t.Fatalf("outcomes %v", outcomes)
	}
	if n := one[int](w, `SELECT count(*) FROM link WHERE strpos(encode(secret_hash, 'escape'), $1) > 0 OR strpos(link::text, $1) > 0`, arrival.Secret); n != 0 {
		t.Fatal("the secret lies in the database")
	}
}

func TestLinksThatDoNotOpen(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	late := w.invite(w.wang, v.ID, consult.CompanionLink)
	for _, c := range []struct {
		story string
		a     consult.Arrival
		wait  time.Duration
		want  string
	}{
		{"made up", consult.Arrival{Secret: "AAAAAAAAAAAAAAAAAAAAAAAAAA", Name: "x", Role: "family"}, 0, "link_gone"},
		{"no name", consult.Arrival{Secret: secret(t, late), Name: "  ", Role: "family"}, 0, "who_are_you"},
		{"no role", consult.Arrival{Secret: secret(t, late), Name: "刘梅"}, 0, "who_are_you"},
		{"a day late", consult.Arrival{Secret: secret(t, late), Name: "刘梅", Role: "family"}, 24 * time.Hour, "link_gone"},
	} {
		w.now = w.now.Add(c.wait)
		if _, err := w.Arrive(w.nobody(), c.a); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.story, err, c.want)
		}
	}
	if _, err := w.Invite(w.as(w.stranger, "visit.invite"), w.ByVisit(v.ID), consult.CompanionLink); code(err) != "not_found" {
		t.Errorf("a stranger invites: %v", err)
	}
	if _, err := w.Invite(w.as(w.wang, "visit.invite"), w.ByVisit(v.ID), consult.ColleagueLink); code(err) != "only_doctor_invites" {
		t.Errorf("the patient invites a second doctor: %v", err)
	}
}

func TestASecondDoctorComesByInvitationOnly(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	l := w.invite(w.doctor, v.ID, consult.ColleagueLink)
	if _, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(t, l), Name: "自称医生", Role: "family"}); code(err) != "doctor_sign_in" {
		t.Fatalf("without a session: %v", err)
	}
	if _, err := w.Arrive(w.as(w.staff, "link.use"), consult.Arrival{Secret: secret(t, l)}); code(err) != "doctor_sign_in" {
		t.Fatalf("staff who is no doctor: %v", err)
	}
	colleague := w.member("doctor", 1)
	colleague.Practitioner, colleague.Name = ids.New[ids.Practitioner](), "陈慧"
	w.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since, online_since)
		VALUES ($1, $2, 'physician', '陈慧', '主任医师', 4, '执业医师', '{心血管内科}', true, 'passed', '2000-01-01', '2019-01-01')`, colleague.Practitioner, colleague.Account)
	seated, err := w.Arrive(w.as(colleague, "link.use"), consult.Arrival{Secret: secret(t, l), Name: "别人"})
	if err != nil || seated.Name != "陈慧 · 主任医师" || seated.Role != "colleague" {
		t.Fatalf("%+v %v", seated, err)
	}
	if ticket, err := w.SeatTicket(w.nobody(), seated.Token); err != nil || ticket.Admitted {
		t.Fatalf("%+v %v", ticket, err)
	}
	if _, err := w.Ticket(w.as(colleague, "visit.join"), v.ID); code(err) != "not_found" {
		t.Fatalf("without the link: %v", err)
	}
}

func TestALockedRoomLetsNobodyNewWait(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	seated, link := w.daughter(v.ID)
	if err := w.Lock(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), true); err != nil {
		t.Fatal(err)
	}
	if v, err := w.Visit(w.as(w.doctor, "visit.read"), v.ID); err != nil || !v.RoomLocked {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := w.SeatTicket(w.nobody(), seated.Token); code(err) != "room_locked" {
		t.Fatalf("at the locked door: %v", err)
	}
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	if ticket, err := w.SeatTicket(w.nobody(), seated.Token); err != nil || !ticket.Admitted {
		t.Fatalf("let in by the doctor: %+v %v", ticket, err)
	}
	if ticket, err := w.Ticket(w.as(w.wang, "visit.join"), v.ID); err != nil || !ticket.Admitted {
		t.Fatalf("the patient: %+v %v", ticket, err)
	}
	if !slices.Contains(w.rooms.said, "lock true") {
		t.Fatalf("the room heard %v", w.rooms.said)
	}
}

func TestASeatMovesToAnotherDevice(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	first := w.invite(w.wang, v.ID, consult.DeviceLink)
	w.now = w.now.Add(3 * time.Minute)
	if _, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(t, first)}); code(err) != "link_gone" {
		t.Fatalf("after three minutes: %v", err)
	}
	move := func() consult.Seated {
		s, err := w.Arrive(w.nobody(), consult.Arrival{Secret: secret(t, w.invite(w.wang, v.ID, consult.DeviceLink)), Name: "别人"})
		if err != nil || s.Seat != "patient" || s.Name != "王秀英" || s.Role != "guest" {
			t.Fatalf("%+v %v", s, err)
		}
		return s
	}
	computer := move()
	if ticket, err := w.SeatTicket(w.nobody(), computer.Token); err != nil || ticket.Ticket != "patient guest admitted=true" {
		t.Fatalf("%+v %v", ticket, err)
	}
	if _, err := w.Say(w.nobody(), w.BySeat(computer.Token), "我在电脑上了", uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	tablet := move()
	if _, err := w.SeatTicket(w.nobody(), computer.Token); code(err) != "seat_gone" {
		t.Fatalf("the device before: %v", err)
	}
	w.exec(`UPDATE visit SET state = 'concluded', ended_at = now() WHERE id = $1`, v.ID)
	if _, err := w.SeatTicket(w.nobody(), tablet.Token); code(err) != "seat_gone" {
		t.Fatalf("after the visit: %v", err)
	}
}

func TestWhatIsSaidAndShownStaysWithTheVisit(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	seated, link := w.daughter(v.ID)
	if _, err := w.AdmitCompanion(w.as(w.doctor, "visit.host"), w.ByVisit(v.ID), link); err != nil {
		t.Fatal(err)
	}
	wang, doctor := w.as(w.wang, "visit.chat"), w.as(w.doctor, "visit.chat")
	key := uuid.NewString()
	var done sync.WaitGroup
	for range 8 { // the same message, sent again on a bad line
		done.Go(func() {
			if m, err := w.Say(wang, w.ByVisit(v.ID), " 血压 158/96 ", key); err != nil || m.Text != "血压 158/96" || m.Seat != "patient" {
				t.Errorf("%+v %v", m, err)
			}
		})
	}
	done.Wait()
	w.now = w.now.Add(time.Second)
	if _, err := w.Say(doctor, w.ByVisit(v.ID), "药还剩几天？", uuid.NewString()); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x00IEND\xaeB`\x82")
	m, err := w.Share(w.nobody(), w.BySeat(seated.Token), "药盒.png", png, uuid.NewString())
	if err != nil || m.File == nil || m.File.Name != "药盒.png" || m.File.ContentType != "image/png" || m.Name != "刘梅 · 女儿" {
		t.Fatalf("%+v %v", m, err)
	}
	w.exec(`UPDATE visit SET state = 'concluded', ended_at = now() WHERE id = $1`, v.ID)
	for who, ctx := range map[string]context.Context{"patient": wang, "doctor": doctor} {
		list, err := w.Messages(ctx, w.ByVisit(v.ID))
		if err != nil || len(list) != 3 || list[0].Text != "血压 158/96" || list[1].Role != "host" || list[2].ID != m.ID {
			t.Fatalf("%s reads %+v %v", who, list, err)
		}
		f, body, err := w.Shared(ctx, w.ByVisit(v.ID), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, png) || f.Size != int64(len(png)) {
			t.Fatalf("%s opens %q %v", who, got, err)
		}
	}
	if _, err := w.Say(wang, w.ByVisit(v.ID), "再见", uuid.NewString()); code(err) != "room_not_open" {
		t.Fatalf("after the end: %v", err)
	}
	for _, s := range []*authz.Subject{w.stranger, w.staff} {
		if _, err := w.Messages(w.as(s, "visit.chat"), w.ByVisit(v.ID)); code(err) != "not_found" {
			t.Fatalf("%s reads: %v", s.Name, err)
		}
		if _, _, err := w.Shared(w.as(s, "visit.chat"), w.ByVisit(v.ID), m.ID); code(err) != "not_found" {
			t.Fatalf("%s opens: %v", s.Name, err)
		}
	}
	if n := one[int](w, `SELECT count(*) FROM room_message m WHERE strpos(m::text, '158/96') + strpos(m::text, '药盒') > 0 OR strpos(encode(m.text_sealed, 'hex'), encode('158/96', 'hex')) > 0`); n != 0 {
		t.Fatal("words lie open in the database")
	}
	if n := one[int](w, `SELECT count(*) FROM audit_entry WHERE action = 'visit.chat'`); n != 3+2+2 {
		t.Fatalf("%d audit entries", n)
	}
}

func TestFilesThatAreNotShared(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	door := w.ByVisit(v.ID)
	for _, c := range []struct {
		story string
		ctx   context.Context
		file  []byte
		want  string
	}{
		{"empty", w.as(w.wang, "visit.chat"), nil, "file_missing"},
		{"a script", w.as(w.wang, "visit.chat"), []byte("<script>alert(1)</script>"), "file_type"},
		{"11 MB", w.as(w.wang, "visit.chat"), append([]byte("%PDF-1.4"), make([]byte, 11<<20)...), "file_too_large"},
		{"by a stranger", w.as(w.stranger, "visit.chat"), []byte("%PDF-1.4"), "not_found"},
	} {
		if _, err := w.Share(c.ctx, door, "x", c.file, uuid.NewString()); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.story, err, c.want)
		}
	}
	w.files.away = io.ErrClosedPipe
	if _, err := w.Share(w.as(w.wang, "visit.chat"), door, "x", []byte("%PDF-1.4"), uuid.NewString()); err == nil {
		t.Error("the store was away, and the file was said to be kept")
	}
	if n := one[int](w, `SELECT count(*) FROM room_message`); n != 0 || len(w.files.kept) != 0 {
		t.Fatalf("%d messages, %d files", n, len(w.files.kept))
	}
}
