package consult_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
)

// meanwhile does the deed while somebody else's change of the consult is about to be committed, and returns what came of it.
func (c *county) meanwhile(change string, args []any, deed func() error) string {
	c.t.Helper()
	ctx := c.t.Context()
	done := make(chan error, 1)
	if err := c.town.DB.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, change, args...); err != nil {
			return err
		}
		go func() { done <- deed() }()
		c.until("the deed waits for the change", func() bool {
			return one[int](c.town, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
		})
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	return code(<-done)
}

func TestADeedJudgesWhatItChanges(t *testing.T) {
	c := newCounty(t)
	id := c.handed().ID
	opines := c.as(c.doctor, "teleconsult.opine")
	written := c.must(c.WriteOpinion(opines, id, plain))
	c.exec(`UPDATE image_grant SET ended_at = now() WHERE teleconsult_id = $1`, id)
	for name, deed := range map[string]func() error{
		"sign": func() error {
			_, err := c.SignOpinion(opines, id, written.Opinion.SHA256, passphrase)
			return err
		},
		"invite the patient": func() error { _, err := c.InvitePatient(c.as(c.staff, "teleconsult.invite"), id); return err },
		"attach a study": func() error {
			_, err := c.Attach(c.as(c.asker, "teleconsult.request"), id, c.study, true)
			return err
		},
		"tell of a critical value": func() error { _, err := c.CallBack(opines, id, "气胸"); return err },
	} {
		c.exec(`UPDATE teleconsult SET state = 'in_progress' WHERE id = $1`, id)
		if got := c.meanwhile(`UPDATE teleconsult SET state = 'cancelled' WHERE id = $1`, []any{id}, deed); got != "teleconsult_moved_on" {
			t.Errorf("%s, while the consent is withdrawn: %s", name, got)
		}
	}
	if n := one[int](c.town, `SELECT count(*) FROM teleconsult WHERE state = 'cancelled'`); n != 1 {
		t.Error("the withdrawn consult goes on")
	}
	if n := one[int](c.town, `SELECT count(*) FROM image_grant WHERE ended_at IS NULL`); n != 0 {
		t.Errorf("%d grants were opened again", n)
	}
}

func TestASeatOnAnotherDeviceEndsWithItsHolder(t *testing.T) {
	c := newCounty(t)
	met := c.met()
	third := c.third()
	link, err := c.town.Invite(c.as(c.doctor, "teleconsult.enter"), c.town.ByTeleconsult(met.ID), consult.DeviceLink)
	if err != nil {
		t.Fatal(err)
	}
	phone, err := c.town.Arrive(c.town.nobody(), consult.Arrival{Secret: secret(t, link)})
	if err != nil || phone.Seat != "expert" {
		t.Fatalf("%+v %v", phone, err)
	}
	if _, err := c.town.SeatTicket(c.town.nobody(), phone.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := c.releases(met.ID, c.doctor, consult.Release{Reason: "conflict", Successor: third.Practitioner}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.town.SeatTicket(c.town.nobody(), phone.Token); code(err) != "seat_gone" {
		t.Errorf("who was released comes back by phone: %v", err)
	}
}

func TestASuccessorIsAskedAboutTheRecordingAnew(t *testing.T) {
	c := newCounty(t)
	met := c.met()
	r := &taper{}
	c.town.tape(c.town.Service, r)
	c.present("inviter", "expert")
	door := c.town.ByTeleconsult(met.ID)
	if _, err := c.town.AskRecording(c.as(c.asker, "teleconsult.enter"), door); err != nil {
		t.Fatal(err)
	}
	if _, err := c.town.AnswerRecording(c.as(c.doctor, "teleconsult.enter"), door, true, version); err != nil {
		t.Fatal(err)
	}
	c.until("the recorder starts", func() bool { return r.heard() != "" })
	third := c.third()
	c.now = c.now.Add(time.Minute)
	if _, err := c.releases(met.ID, c.doctor, consult.Release{Reason: "conflict", Successor: third.Practitioner}); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Minute)
	got, err := c.town.ReadRecording(c.as(third, "teleconsult.enter"), door)
	if err != nil || len(got.Answers) != 1 || got.Answers[0].Seat != "inviter" {
		t.Fatalf("%+v %v", got.Answers, err)
	}
	if got, err = c.town.AnswerRecording(c.as(third, "teleconsult.enter"), door, true, version); err != nil || len(got.Answers) != 2 {
		t.Errorf("%+v %v", got.Answers, err)
	}
}

func TestConsentIsToOneHospitalAndKind(t *testing.T) {
	c := newCounty(t)
	ask := c.as(c.asker, "teleconsult.request")
	for name, change := range map[string]func(*consult.NewTeleconsult){
		"another hospital": func(in *consult.NewTeleconsult) { in.Invited = c.hospital[1] },
		"another kind":     func(in *consult.NewTeleconsult) { in.Kind = "imaging" },
	} {
		in := c.question()
		in.Invited = c.hospital[0]
		draft := c.must(c.Request(ask, in, uuid.NewString()))
		c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, signed))
		in.Question = "能否减药？"
		if same := c.must(c.Rewrite(ask, draft.ID, in)); same.Consent == nil {
			t.Error("other words, and the consent is gone")
		}
		change(&in)
		if other := c.must(c.Rewrite(ask, draft.ID, in)); other.Consent != nil {
			t.Errorf("%s on the same consent", name)
		}
	}
}

func TestAFurtherExpertsHospitalHasAnAgreementToo(t *testing.T) {
	c := newCounty(t)
	_, invitee := c.second()
	desk := c.as(c.staff, "teleconsult.assign")
	sent := c.submitted()
	for _, step := range []struct{ change, want string }{
		{`UPDATE institution SET region = '810000' WHERE id = $1`, "cross_border"},
		{`UPDATE institution SET region = '420102', licence_until = '2026-06-14' WHERE id = $1`, "not_licensed"},
		{`UPDATE institution SET licence_until = '2030-01-01' WHERE id = $1`, ""},
		{`UPDATE agreement SET kinds = '{ecg}' WHERE invited_institution_id = $1`, "no_agreement"},
	} {
		c.exec(step.change, c.hospital[1])
		if step.want == "" {
			continue
		}
		if _, err := c.HandOver(desk, sent.ID, c.doctor.Practitioner, invitee); code(err) != step.want {
			t.Errorf("after %s: %v, want %s", step.change, err, step.want)
		}
		if _, err := c.Assign(desk, sent.ID, c.doctor.Practitioner, c.at(14), c.at(14.5), invitee); code(err) != step.want {
			t.Errorf("at a meeting, after %s: %v, want %s", step.change, err, step.want)
		}
	}
	c.exec(`UPDATE agreement SET kinds = '{consult}' WHERE invited_institution_id = $1`, c.hospital[1])
	c.must(c.HandOver(desk, sent.ID, c.doctor.Practitioner, invitee))
}

func TestTheClockOfAnEmergencyIsNotMovedByAMeeting(t *testing.T) {
	c := newCounty(t)
	desk, ask := c.as(c.staff, "teleconsult.assign"), c.as(c.asker, "teleconsult.escalate")
	day := c.now.AddDate(0, 0, 4)
	far := func(one consult.Teleconsult) consult.Teleconsult {
		t.Helper()
		day = day.Add(2 * time.Hour)
		return c.must(c.Assign(desk, one.ID, c.doctor.Practitioner, day, day.Add(30*time.Minute)))
	}
	worse := c.must(c.Escalate(ask, c.submitted().ID, "咯血"))
	if got := far(worse); !got.SLADue.Equal(c.now.Add(12 * time.Hour)) {
		t.Errorf("an emergency is due %v after it was made one", got.SLADue.Sub(c.now))
	}
	routine := far(c.submitted())
	if !routine.SLADue.Equal(*routine.End) {
		t.Errorf("a routine consult is due %v, its meeting ends %v", routine.SLADue, routine.End)
	}
	written := c.must(c.GoLive(c.as(c.doctor, "teleconsult.enter"), routine.ID, false))
	if !written.SLADue.Before(*routine.End) || !written.SLADue.After(c.now) {
		t.Errorf("in writing instead it is due %v", written.SLADue)
	}
}

func TestTheAnswersClockBeginsWhereItBecameAnEmergency(t *testing.T) {
	c := newCounty(t)
	desk := c.as(c.staff, "teleconsult.assign")
	escalated, triaged := c.submitted(), c.submitted()
	c.now = c.now.Add(24 * time.Hour)
	c.must(c.Escalate(c.as(c.asker, "teleconsult.escalate"), escalated.ID, "咯血"))
	c.must(c.Triage(desk, triaged.ID, consult.Triaging{Department: "心血管内科", Urgency: "emergency", Reason: "病情加重"}))
	began := c.now
	c.now = c.now.Add(time.Hour)
	c.must(c.Escalate(c.as(c.asker, "teleconsult.escalate"), escalated.ID, "还在咯血")) // again: the clock goes on
	for _, one := range []consult.Teleconsult{escalated, triaged} {
		if got := c.must(c.HandOver(desk, one.ID, c.doctor.Practitioner)); !got.SLADue.Equal(began.Add(12 * time.Hour)) {
			t.Errorf("due %v after it became an emergency", got.SLADue.Sub(began))
		}
	}
}

func TestACriticalValueOutlivesItsConsult(t *testing.T) {
	c := newCounty(t)
	c.town.Notices = &told{}
	chief := c.chief(true)
	ask, opines := c.as(c.asker, "teleconsult.request"), c.as(c.doctor, "teleconsult.opine")
	gone := c.handed()
	c.must(c.CallBack(opines, gone.ID, "主动脉夹层"))
	c.must(c.WithdrawConsent(c.as(c.wang, "teleconsult.consent"), gone.ID, "不想让外院看"))
	c.now = c.now.Add(11 * time.Minute)
	if list, err := c.Overdue(c.as(chief, "teleconsult.oversee")); err != nil || len(list) != 1 || list[0].What != "critical" {
		t.Errorf("of a withdrawn consult: %+v %v", list, err)
	}

	late := c.handed()
	c.opines(c.doctor, late, plain)
	c.must(c.Decide(ask, late.ID, "full", "门诊随访", passphrase))
	told := c.must(c.CallBack(opines, late.ID, "再看：少量气胸"))
	if _, err := c.Close(ask, late.ID); code(err) != "critical_unread" {
		t.Errorf("closed over an unread critical value: %v", err)
	}
	c.must(c.ReadBack(ask, late.ID, told.Critical[0].ID, "少量气胸；今天复查"))
	c.must(c.Close(ask, late.ID))
}

func TestARefusalAfterTheEndMovesNothing(t *testing.T) {
	w := newTown(t)
	v, _ := w.taped(true)
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE visit SET state = 'emergency', ended_at = now() WHERE id = $1`, v.ID)
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), false, version); code(err) != "recording_not_asked" {
		t.Errorf("refused after an alarm: %v", err)
	}
	if got, err := w.Visit(w.as(w.wang, "visit.read"), v.ID); err != nil || got.State != consult.Emergency || got.RefundDue {
		t.Errorf("%s, refund %v, %v", got.State, got.RefundDue, err)
	}
}

func TestWhereRecordingIsDemandedNoVisitEndsUnanswered(t *testing.T) {
	w := newTown(t)
	v, _ := w.taped(true)
	w.sign(v.ID)
	end := func() error { _, err := w.End(w.as(w.doctor, "visit.end"), v.ID); return err }
	if err := end(); code(err) != "recording_missing" {
		t.Fatalf("nobody was asked: %v", err)
	}
	if _, err := w.AskRecording(w.as(w.doctor, "recording.ask"), w.ByVisit(v.ID)); err != nil {
		t.Fatal(err)
	}
	if err := end(); code(err) != "recording_unanswered" {
		t.Fatalf("the patient has not answered: %v", err)
	}
	if _, err := w.AnswerRecording(w.as(w.wang, "recording.answer"), w.ByVisit(v.ID), true, version); err != nil {
		t.Fatal(err)
	}
	if err := end(); code(err) != "recording_unplayable" { // it runs now, and nothing has come yet
		t.Error(err)
	}
}

func TestARecordingIsKeptFromItsEnd(t *testing.T) {
	c := newCounty(t)
	met := c.met()
	r := &taper{}
	c.town.tape(c.town.Service, r)
	c.present("inviter", "expert")
	door := c.town.ByTeleconsult(met.ID)
	for _, who := range []*authz.Subject{c.asker, c.doctor} {
		if _, err := c.town.AskRecording(c.as(who, "teleconsult.enter"), door); err != nil {
			t.Fatal(err)
		}
	}
	until := func() time.Time { return one[time.Time](c.town, `SELECT keep_until::timestamptz FROM recording`) }
	before := until()
	c.until("the recorder starts", func() bool { return r.heard() != "" })
	if err := r.keep(part(0, 0, "expert", "fine", c.now)); err != nil {
		t.Fatal(err)
	}
	c.exec(`UPDATE teleconsult SET state = 'decided' WHERE id = $1`, met.ID)
	c.now = c.now.AddDate(0, 0, 24)
	c.must(c.Close(c.as(c.asker, "teleconsult.request"), met.ID))
	if got := until().Sub(before); got != 24*24*time.Hour {
		t.Errorf("kept %v longer", got)
	}
}
