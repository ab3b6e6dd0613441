package consult_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/dicom"
)

// second is an expert of the other hospital with ten years of practice.
func (c *county) second() (*authz.Subject, consult.Invitee) {
	s := c.physician(c.hospital[1], "李明远")
	c.exec(`UPDATE practitioner SET independent_since = '2015-01-01' WHERE id = $1`, s.Practitioner)
	return s, consult.Invitee{PractitionerID: s.Practitioner, InstitutionID: c.hospital[1]}
}

// handed is a request that the cardiologist answers in writing, with further experts.
func (c *county) handed(further ...consult.Invitee) consult.Teleconsult {
	c.t.Helper()
	return c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), c.submitted().ID, c.doctor.Practitioner, further...))
}

// opines writes and signs.
func (c *county) opines(who *authz.Subject, t consult.Teleconsult, o consult.Opinion) consult.Teleconsult {
	c.t.Helper()
	ctx := c.as(who, "teleconsult.opine")
	written := c.must(c.WriteOpinion(ctx, t.ID, o))
	sum := ""
	if who == c.doctor {
		sum = written.Opinion.SHA256
	}
	for _, a := range written.Opinions {
		if a.Author.ID == who.Practitioner {
			sum = a.SHA256
		}
	}
	return c.must(c.SignOpinion(ctx, t.ID, sum, passphrase))
}

var plain = consult.Opinion{Findings: "心影增大", Advice: "继续用药"}

func TestWithoutAgreementNoRequest(t *testing.T) {
	c := newCounty(t)
	ask := c.as(c.asker, "teleconsult.request")
	c.exec(`UPDATE agreement SET during = '[2025-01-01,2026-06-15)' WHERE invited_institution_id = $1`, c.hospital[0])
	if one := c.must(c.Request(ask, c.question(), uuid.NewString())); one.Invited.ID != c.hospital[1] {
		t.Errorf("asked %v, with which the agreement ended yesterday", one.Invited)
	}
	in := c.question()
	in.Invited = c.hospital[0]
	if _, err := c.Request(ask, in, uuid.NewString()); code(err) != "no_agreement" {
		t.Errorf("expired (TCR-02): %v", err)
	}

	mine, other := c.member(authz.Administrator, 0), c.member(authz.Administrator, 0)
	county := &authz.Subject{Account: other.Account, Name: "院办", Memberships: []authz.Membership{{Role: authz.Administrator, Place: c.place}}}
	offer := consult.NewAgreement{Inviter: c.place, Invited: c.hospital[0], Kinds: []string{"consult"}, Terms: "目的、内容、流程、权责、风险分担见 2026-17 号协议", From: "2026-06-01", Until: "2027-05-31"}
	a, err := c.OfferAgreement(c.as(mine, "agreement.sign"), offer)
	if err != nil || a.State != "offered" || a.Until != "2027-05-31" {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := c.Request(ask, in, uuid.NewString()); code(err) != "no_agreement" {
		t.Errorf("signed by one side: %v", err)
	}
	if _, err := c.AcceptAgreement(c.as(mine, "agreement.sign"), a.ID); code(err) != "agreement_moved_on" {
		t.Errorf("accepted by the side that offers: %v", err)
	}
	if _, err := c.AcceptAgreement(c.as(c.member(authz.Administrator, 1), "agreement.sign"), a.ID); code(err) != "not_found" {
		t.Errorf("accepted by a third hospital: %v", err)
	}
	if a, err = c.AcceptAgreement(c.as(county, "agreement.sign"), a.ID); err != nil || a.State != "in_force" || len(a.Signers) != 2 {
		t.Fatalf("%+v %v", a, err)
	}
	c.must(c.Request(ask, in, uuid.NewString()))
	in.Kind = "ecg"
	if _, err := c.Request(ask, in, uuid.NewString()); code(err) != "no_agreement" {
		t.Errorf("a kind that it does not name: %v", err)
	}
	if list, err := c.Agreements(c.as(c.asker, "agreement.read")); err != nil || len(list) != 3 || list[2].State != "expired" || !slices.ContainsFunc(list, func(one consult.Agreement) bool { return one.ID == a.ID }) {
		t.Errorf("listed: %+v %v", list, err)
	}
	in.Kind = ""
	draft := c.must(c.Request(ask, in, uuid.NewString()))
	c.must(c.Attach(ask, draft.ID, c.study, true))
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, signed))
	if _, err := c.EndAgreement(c.as(county, "agreement.sign"), a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(ask, draft.ID); code(err) != "no_agreement" {
		t.Errorf("ended while the draft lay: %v", err)
	}

	c.exec(`UPDATE institution SET region = '810000' WHERE id = $1`, c.hospital[1])
	in.Invited = c.hospital[1]
	if _, err := c.Request(ask, in, uuid.NewString()); code(err) != "cross_border" {
		t.Errorf("a hospital beyond the border (TCR-13): %v", err)
	}
	offer.Invited = c.hospital[1]
	if _, err := c.OfferAgreement(c.as(county, "agreement.sign"), offer); code(err) != "cross_border" {
		t.Errorf("an agreement beyond the border: %v", err)
	}
	c.exec(`UPDATE institution SET region = '420102', licence_until = '2026-06-14' WHERE id = $1`, c.hospital[1])
	if _, err := c.Request(ask, in, uuid.NewString()); code(err) != "not_licensed" {
		t.Errorf("a hospital whose licence ended yesterday (TCR-01): %v", err)
	}
}

func TestTheClockStandsWhileMoreIsAskedFor(t *testing.T) {
	c := newCounty(t)
	desk, ask := c.as(c.staff, "teleconsult.assign"), c.as(c.asker, "teleconsult.request")
	sent := c.submitted()
	due := *sent.SLADue
	c.now = c.now.Add(10 * time.Hour)
	back := c.must(c.AskForMore(desk, sent.ID, "缺肺功能报告"))
	if back.State != consult.NeedsInfo || !back.Paused || back.Needs != "缺肺功能报告" {
		t.Fatalf("%+v", back)
	}
	c.now = c.now.Add(100 * time.Hour)
	if err := c.EscalateOverdue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seen := c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), sent.ID)); seen.Escalated != nil {
		t.Error("escalated while the clock stood")
	}
	if _, err := c.Assign(desk, sent.ID, c.doctor.Practitioner, c.now.Add(time.Hour), c.now.Add(2*time.Hour)); code(err) != "teleconsult_moved_on" {
		t.Errorf("assigned while more is asked for: %v", err)
	}
	again := c.must(c.AnswerNeeds(ask, sent.ID, "已补传"))
	if again.State != consult.Submitted || again.Paused || !again.SLADue.Equal(due.Add(100*time.Hour)) || again.Answer != "已补传" {
		t.Errorf("due %v, want %v", again.SLADue, due.Add(100*time.Hour))
	}
	as := consult.Triaging{Department: "全科", Urgency: "urgent", Reason: "门诊已查"}
	c.must(c.Triage(desk, sent.ID, as))
	if _, err := c.Triage(desk, sent.ID, as); code(err) != "teleconsult_moved_on" {
		t.Errorf("triaged twice: %v", err)
	}
	steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), sent.ID)
	var deeds []string
	for _, s := range steps {
		deeds = append(deeds, s.Deed)
	}
	if want := []string{"request", "submit", "ask for more", "answer", "triage"}; err != nil || !slices.Equal(deeds, want) {
		t.Errorf("steps %v %v, want %v", deeds, err, want)
	}
}

func TestTriageChangesARequestWithAReasonAndItsClock(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	desk, ask := c.as(c.staff, "teleconsult.assign"), c.as(c.asker, "teleconsult.request")
	send := func(alter func(*consult.NewTeleconsult)) consult.Teleconsult {
		t.Helper()
		in := c.question()
		in.Invited = c.hospital[0]
		alter(&in)
		draft := c.must(c.Request(ask, in, uuid.NewString()))
		c.must(c.Attach(ask, draft.ID, c.study, true))
		c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, signed))
		return c.must(c.Submit(ask, draft.ID))
	}
	begun := c.now
	one := send(func(n *consult.NewTeleconsult) { n.Urgency = "emergency" })
	as := consult.Triaging{Department: one.Department, Urgency: "routine"}
	if _, err := c.Triage(desk, one.ID, as); code(err) != "triage_reason" {
		t.Errorf("an emergency lowered without a reason: %v", err)
	}
	as.Reason = "病情平稳，电话核实"
	lowered := c.must(c.Triage(desk, one.ID, as))
	if lowered.Urgency != "routine" || !lowered.SLADue.Equal(begun.Add(48*time.Hour)) || !strings.Contains(notes.last(c.asker), "调整") {
		t.Errorf("due %v, told %q", lowered.SLADue, notes.last(c.asker))
	}
	c.now = begun.Add(40 * time.Hour)
	as = consult.Triaging{Department: one.Department, Urgency: "urgent", Kind: "imaging", Reason: "只需读片"}
	reading := c.must(c.Triage(desk, one.ID, as)) // two hours from now, which is past counted from the submission
	if reading.Kind != "imaging" || reading.Liability != "joint" || !reading.SLADue.Equal(c.now.Add(2*time.Hour)) {
		t.Errorf("%s %s, due %v", reading.Kind, reading.Liability, reading.SLADue)
	}
	as = consult.Triaging{Department: one.Department, Urgency: "urgent", Kind: "ecg", Reason: "改心电"}
	if _, err := c.Triage(desk, one.ID, as); code(err) != "request_incomplete" {
		t.Errorf("an ECG reading without one (TCR-06): %v", err)
	}
	as = consult.Triaging{Department: "骨科", Urgency: "urgent", Kind: "imaging", Reason: "转骨科"}
	if _, err := c.Triage(desk, one.ID, as); code(err) != "no_hospital" {
		t.Errorf("a department that is not there: %v", err)
	}
	steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), one.ID)
	if last := steps[len(steps)-1]; err != nil || last.Note != one.Department+" · routine · consult → "+one.Department+" · urgent · imaging：只需读片" {
		t.Errorf("%+v %v", last, err)
	}
	c.must(c.Assign(desk, one.ID, c.doctor.Practitioner, c.now.Add(time.Hour), c.now.Add(2*time.Hour)))
	if _, err := c.Triage(desk, one.ID, as); code(err) != "teleconsult_moved_on" {
		t.Errorf("after it was given to an expert: %v", err)
	}

	in := c.question()
	in.Urgency, in.Invited = "emergency", c.hospital[0]
	draft := c.must(c.Request(ask, in, uuid.NewString()))
	c.must(c.Attach(ask, draft.ID, c.study, true))
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, consult.GivenConsent{Method: "head_approval", SignedBy: "院长王建", Relation: "医院负责人"}))
	c.must(c.Submit(ask, draft.ID))
	if _, err := c.Triage(desk, draft.ID, consult.Triaging{Department: in.Department, Urgency: "urgent", Reason: "平稳"}); code(err) != "consent_of_emergency" {
		t.Errorf("lowered, and nobody has the patient's consent (TCR-03): %v", err)
	}
}

func TestADeclineOffersAnotherHospital(t *testing.T) {
	c := newCounty(t)
	desk, ask := c.as(c.staff, "teleconsult.assign"), c.as(c.asker, "teleconsult.request")
	in := c.question()
	in.Urgency, in.Invited = "urgent", c.hospital[0]
	draft := c.must(c.Request(ask, in, uuid.NewString()))
	c.must(c.Attach(ask, draft.ID, c.study, true))
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, signed))
	c.must(c.Submit(ask, draft.ID))
	c.must(c.Triage(desk, draft.ID, consult.Triaging{Department: in.Department, Urgency: "urgent"}))
	c.must(c.Decline(desk, draft.ID, "专家外出"))
	key := uuid.NewString()
	again := c.must(c.Again(ask, draft.ID, key))
	if again.ID == draft.ID || again.Invited.ID != c.hospital[1] || again.Question != in.Question || len(again.Studies) != 1 || again.Consent != nil || again.State != consult.Draft {
		t.Errorf("%+v", again)
	}
	if twice := c.must(c.Again(ask, draft.ID, key)); twice.ID != again.ID {
		t.Error("asked twice")
	}
	if _, err := c.Again(c.as(c.neighbour, "teleconsult.request"), draft.ID, uuid.NewString()); code(err) != "not_found" {
		t.Errorf("by a colleague: %v", err)
	}
	c.exec(`UPDATE agreement SET ended_at = now(), ended_account_id = offered_account_id WHERE invited_institution_id = $1`, c.hospital[1])
	if _, err := c.Again(ask, draft.ID, uuid.NewString()); code(err) != "no_agreement" {
		t.Errorf("no other hospital has an agreement: %v", err)
	}
}

func TestWhoseClockHasRunOutIsEscalatedOnceForEachStage(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	chief := c.member(authz.Administrator, 0)
	c.exec(`INSERT INTO membership VALUES ($1, $2, 'administrator')`, chief.Account, c.hospital[0])
	sent := c.submitted()
	escalate := func() {
		t.Helper()
		if err := c.EscalateOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	escalate()
	if n := notes.last(chief); n != "" {
		t.Fatalf("told in time: %s", n)
	}
	c.now = sent.SLADue.Add(time.Minute)
	escalate()
	escalate()
	for name, who := range map[string]*authz.Subject{"administrator": chief, "coordinator": c.staff, "asking doctor": c.asker} {
		if list := notes.said[who.Account]; len(list) != 1 || !strings.Contains(list[0], "超过时限") || strings.Contains(list[0], "王秀英") {
			t.Errorf("%s: %v", name, list)
		}
	}
	seen := c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), sent.ID))
	if seen.Escalated == nil || seen.State != consult.Submitted {
		t.Errorf("%+v", seen.Escalated)
	}
	handed := c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), sent.ID, c.doctor.Practitioner))
	if handed.Escalated != nil || !handed.SLADue.After(c.now) {
		t.Errorf("the answer's clock: %v", handed.SLADue)
	}
	c.now = handed.SLADue.Add(time.Minute)
	escalate()
	if n := len(notes.said[chief.Account]); n != 2 {
		t.Errorf("told %d times", n)
	}
	worse := c.must(c.Escalate(c.as(c.asker, "teleconsult.escalate"), sent.ID, "咯血"))
	if worse.Urgency != "emergency" || worse.Why != "咯血" {
		t.Errorf("%+v", worse)
	}
	if _, err := c.Escalate(c.as(c.neighbour, "teleconsult.escalate"), sent.ID, "咯血"); code(err) != "not_found" {
		t.Errorf("by a colleague: %v", err)
	}

	soon := c.must(c.Escalate(c.as(c.asker, "teleconsult.escalate"), c.submitted().ID, "咯血"))
	before := len(notes.said[chief.Account])
	c.now = soon.SLADue.Add(time.Minute)
	escalate()
	if n := len(notes.said[chief.Account]) - before; n != 1 {
		t.Errorf("an emergency's clock has run out: told %d times", n)
	}
}

func TestADaysClockCountsWorkingDays(t *testing.T) {
	c := newCounty(t)
	c.now = time.Date(2026, 6, 17, 15, 0, 0, 0, c.now.Location()) // Wednesday; Friday 19 is Dragon Boat, the weekend follows
	handed := c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), c.submitted().ID, c.doctor.Practitioner))
	if want := time.Date(2026, 6, 23, 15, 0, 0, 0, c.now.Location()); !handed.SLADue.Equal(want) {
		t.Errorf("due %v, want %v", handed.SLADue, want)
	}
}

func TestAnAnswerInWritingTurnsLiveAndBack(t *testing.T) {
	c := newCounty(t)
	one := c.handed()
	enter := func(s *authz.Subject) string {
		_, err := c.Enter(c.as(s, "teleconsult.enter"), one.ID)
		return code(err)
	}
	if one.State != consult.InProgress || one.Live || one.Start != nil || !c.sees(c.doctor) {
		t.Fatalf("%+v", one)
	}
	if got := enter(c.doctor); got != "not_live" {
		t.Errorf("enters a closed room: %s", got)
	}
	c.must(c.InvitePatient(c.as(c.asker, "teleconsult.invite"), one.ID))
	if got := c.must(c.GoLive(c.as(c.doctor, "teleconsult.live"), one.ID, true)); !got.Live {
		t.Fatal("not live")
	}
	if ticket, err := c.Enter(c.as(c.wang, "teleconsult.enter"), one.ID); err != nil || ticket.Admitted {
		t.Errorf("the patient is in before the doctors: %+v %v", ticket, err)
	}
	for _, who := range []*authz.Subject{c.doctor, c.asker} {
		if got := enter(who); got != "done" {
			t.Errorf("%s: %s", who.Name, got)
		}
	}
	if ticket, err := c.Enter(c.as(c.wang, "teleconsult.enter"), one.ID); err != nil || !ticket.Admitted {
		t.Errorf("the patient waits although both are there: %+v %v", ticket, err)
	}
	c.must(c.GoLive(c.as(c.asker, "teleconsult.live"), one.ID, false))
	if got := enter(c.asker); got != "not_live" || !slices.Contains(c.rooms.heard(), "close") {
		t.Errorf("after going back: %s, %v", got, c.rooms.heard())
	}
	for _, who := range []*authz.Subject{c.neighbour, c.colleague} {
		if _, err := c.GoLive(c.as(who, "teleconsult.live"), one.ID, true); code(err) != "not_found" {
			t.Errorf("%s: %v", who.Name, err)
		}
	}
	if done := c.opines(c.doctor, one, plain); done.State != consult.OpinionSigned {
		t.Errorf("answered without a call: %s", done.State)
	}

	// A meeting that was set becomes an answer in writing: everybody's time is free again.
	met := c.scheduled()
	written := c.must(c.GoLive(c.as(c.asker, "teleconsult.live"), met.ID, false))
	if n := countOf(c, `SELECT count(*) FROM slot WHERE purpose = 'teleconsult' AND withdrawn_at IS NULL`); n != 0 || written.State != consult.InProgress || written.Start != nil {
		t.Errorf("%d calendars still kept, %+v", n, written)
	}
}

func TestTheMeetingBeginsWhenBothSidesAreThere(t *testing.T) {
	c := newCounty(t)
	one := c.scheduled()
	state := func(who *authz.Subject) consult.State {
		if _, err := c.Enter(c.as(who, "teleconsult.enter"), one.ID); err != nil {
			t.Fatal(err)
		}
		return c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), one.ID)).State
	}
	if s := state(c.doctor); s != consult.Scheduled {
		t.Errorf("without a doctor beside the patient (TCR-04): %s", s)
	}
	if s := state(c.asker); s != consult.InProgress {
		t.Errorf("both are there: %s", s)
	}
}

func TestEachExpertSignsAndDissentIsKept(t *testing.T) {
	c := newCounty(t)
	second, invitee := c.second()
	one := c.handed(invitee)
	if !c.sees(second) {
		t.Error("the second expert does not see the images")
	}
	opines := c.as(second, "teleconsult.opine")
	other := consult.Opinion{Findings: "心影正常大小", Advice: "停药观察", Stance: "dissent"}
	early := c.must(c.WriteOpinion(opines, one.ID, other))
	if stance, ok := early.Opinions[0].Content["stance"]; ok {
		t.Errorf("%v with an opinion that is not signed", stance)
	}
	if seen := c.must(c.Teleconsult(c.as(c.doctor, "teleconsult.read"), one.ID)); len(seen.Opinions) != 0 {
		t.Error("the first expert reads a draft of the second")
	}
	half := c.opines(c.doctor, one, plain)
	if half.State != consult.InProgress {
		t.Errorf("one of two has signed: %s", half.State)
	}
	if _, err := c.WriteOpinion(c.as(c.doctor, "teleconsult.opine"), one.ID, plain); code(err) != "opinion_signed" {
		t.Errorf("changed after the signature: %v", err)
	}
	if _, err := c.SignOpinion(opines, one.ID, early.Opinions[0].SHA256, passphrase); code(err) != "first_has_signed" {
		t.Errorf("signed what was written before the first opinion: %v", err)
	}
	if _, err := c.WriteOpinion(opines, one.ID, plain); code(err) != "stance_missing" {
		t.Errorf("neither agrees nor dissents: %v", err)
	}
	done := c.opines(second, one, other)
	if first := done.Opinions[0].Content["first_sha256"]; first != done.Opinion.SHA256 {
		t.Errorf("the dissent is from %v", first)
	}
	if done.State != consult.OpinionSigned || len(done.Opinions) != 1 || done.Opinions[0].Content["stance"] != "dissent" || done.Opinions[0].SignedAt == nil {
		t.Fatalf("%s %+v", done.State, done.Opinions)
	}
	decided := c.must(c.Decide(c.as(c.asker, "teleconsult.request"), one.ID, "partial", "减量，一月复查", passphrase))
	if further, _ := json.Marshal(decided.Decision.Content["further_sha256"]); !bytes.Contains(further, []byte(done.Opinions[0].SHA256)) {
		t.Errorf("the decision does not name the dissent: %s", further)
	}

	added := c.must(c.Addend(opines, one.ID, "补看旧片，结论不变", passphrase))
	if len(added.Addenda) != 1 || added.Addenda[0].SignedAt == nil || added.State != consult.Decided {
		t.Errorf("%+v", added.Addenda)
	}
	added = c.must(c.Addend(opines, one.ID, "再补一句", passphrase))
	if len(added.Addenda) != 2 || added.Addenda[0].Content["text"] != "补看旧片，结论不变" {
		t.Errorf("%+v", added.Addenda)
	}
	c.now = c.now.Add(8 * 24 * time.Hour)
	if _, err := c.Addend(opines, one.ID, "太晚", passphrase); code(err) != "addendum_late" {
		t.Errorf("after 8 days: %v", err)
	}
}

func TestBothHospitalsKeepThePackage(t *testing.T) {
	c := newCounty(t)
	one := c.opines(c.doctor, c.handed(), plain)
	ask := c.as(c.asker, "teleconsult.request")
	if _, err := c.Report(c.as(c.wang, "teleconsult.read"), one.ID); code(err) != "not_decided" {
		t.Errorf("a report before the decision: %v", err)
	}
	c.must(c.Decide(ask, one.ID, "full", "继续用药", passphrase))
	c.must(c.Close(ask, one.ID))
	receipts, err := c.Packages(c.as(c.asker, "teleconsult.package"), one.ID)
	if err != nil || len(receipts) != 2 || receipts[0].SHA256 != receipts[1].SHA256 || receipts[0].Institution.ID == receipts[1].Institution.ID {
		t.Fatalf("%+v %v", receipts, err)
	}
	var copies [][]byte
	for _, who := range []*authz.Subject{c.asker, c.staff, c.doctor} {
		parcel, err := c.OpenPackage(c.as(who, "teleconsult.package"), one.ID)
		if err != nil {
			t.Fatalf("%s: %v", who.Name, err)
		}
		sum := sha256.Sum256(parcel)
		if hex.EncodeToString(sum[:]) != receipts[0].SHA256 {
			t.Error("not the bytes of the receipt")
		}
		copies = append(copies, parcel)
	}
	var whole struct {
		Consent   consult.GivenConsent
		Documents []struct{ Kind, Canonical, Signature string }
		Steps     []consult.Step
	}
	if err := json.Unmarshal(copies[0], &whole); err != nil || whole.Consent.SignedBy != "王秀英" || len(whole.Documents) != 2 || whole.Documents[1].Kind != "decision" || len(whole.Steps) < 5 {
		t.Errorf("%+v %v", whole, err)
	}
	for _, who := range []*authz.Subject{c.neighbour, c.elsewhere} {
		if _, err := c.OpenPackage(c.as(who, "teleconsult.package"), one.ID); code(err) != "not_found" {
			t.Errorf("%s: %v", who.Name, err)
		}
	}
	for _, who := range []*authz.Subject{c.wang, c.asker, c.doctor} {
		page, err := c.Report(c.as(who, "teleconsult.read"), one.ID)
		if err != nil || !bytes.HasPrefix(page, []byte("%PDF-")) {
			t.Errorf("%s: %d bytes, %v", who.Name, len(page), err)
		}
	}
	if _, err := c.Report(c.as(c.stranger, "teleconsult.read"), one.ID); code(err) != "not_found" {
		t.Errorf("a stranger's report: %v", err)
	}
}

func TestACriticalValueIsReadBack(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	chief := c.member(authz.Administrator, 0)
	c.exec(`INSERT INTO membership VALUES ($1, $2, 'administrator')`, chief.Account, c.place)
	one := c.handed()
	ask, opines := c.as(c.asker, "teleconsult.request"), c.as(c.doctor, "teleconsult.opine")
	told := c.must(c.CallBack(opines, one.ID, "主动脉夹层"))
	if told = c.must(c.CallBack(opines, one.ID, "主动脉夹层")); len(told.Critical) != 1 || !strings.Contains(notes.last(c.asker), "危急值") || strings.Contains(notes.last(c.asker), "夹层") {
		t.Fatalf("%+v, said %q", told.Critical, notes.last(c.asker))
	}
	c.opines(c.doctor, one, plain)
	if _, err := c.Decide(ask, one.ID, "full", "转诊", passphrase); code(err) != "critical_unread" {
		t.Errorf("decided over an unread critical value: %v", err)
	}
	c.now = c.now.Add(11 * time.Minute)
	for range 2 {
		if err := c.EscalateOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list := notes.said[chief.Account]; len(list) != 1 || !strings.Contains(list[0], "危急值") {
		t.Errorf("the head of the asking hospital: %v", list)
	}
	value := told.Critical[0].ID
	if _, err := c.ReadBack(c.as(c.neighbour, "teleconsult.request"), one.ID, value, "夹层，转院"); code(err) != "not_found" {
		t.Errorf("by a colleague: %v", err)
	}
	read := c.must(c.ReadBack(ask, one.ID, value, "主动脉夹层；已联系转院"))
	if read.Critical[0].ReadAt == nil || read.Critical[0].Reader != "赵志远" {
		t.Errorf("%+v", read.Critical)
	}
	if _, err := c.ReadBack(ask, one.ID, value, "再说一遍"); code(err) != "already_read_back" {
		t.Errorf("twice: %v", err)
	}
	c.must(c.Decide(ask, one.ID, "full", "转诊", passphrase))
}

func TestAReadingRestsOnOriginalsAndBothAnswerForIt(t *testing.T) {
	c := newCounty(t)
	ask := c.as(c.asker, "teleconsult.request")
	for kind, want := range map[string]string{"imaging": "", "ecg": "original_ecg", "pathology": "original_pathology"} {
		in := c.question()
		in.Kind = kind
		one := c.must(c.Request(ask, in, uuid.NewString()))
		one = c.must(c.Attach(ask, one.ID, c.study, true))
		if one.Liability != "joint" || strings.Join(one.Missing, " ") != want {
			t.Errorf("%s: liability %s (TCR-10), missing %v", kind, one.Liability, one.Missing)
		}
	}
}

// A photograph of a film, or a screenshot, is not to be read from; of skin it is what is asked about.
func TestWhoReadsImagesGetsMoreThanScreenshots(t *testing.T) {
	c := newCounty(t)
	ask := c.as(c.asker, "teleconsult.request")
	captured, err := dicom.Rewrite(ct, map[dicom.Tag]string{dicom.Modality: "SC", dicom.StudyInstanceUID: "1.2.3.1", dicom.SeriesInstanceUID: "1.2.3.1.1", dicom.SOPInstanceUID: "1.2.3.1.1.1"})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := c.Images.Store(c.as(c.asker, "imaging.store"), c.place, bytes.NewReader(captured))
	if err != nil || !kept.Stored {
		t.Fatalf("%+v, %v", kept, err)
	}
	c.exec(`INSERT INTO institution_department (institution_id, name) SELECT id, '放射科' FROM institution WHERE id = ANY($1)`, c.hospital[:])
	for department, want := range map[string]string{"放射科": "original_imaging", "心血管内科": ""} {
		in := c.question()
		in.Department, in.Labs = department, "血常规正常"
		one := c.must(c.Request(ask, in, uuid.NewString()))
		one = c.must(c.Attach(ask, one.ID, kept.Study, true))
		if strings.Join(one.Missing, " ") != want {
			t.Errorf("%s, a screenshot alone: missing %v, want %q", department, one.Missing, want)
		}
		c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), one.ID, signed))
		if _, err := c.Submit(ask, one.ID); want != "" && code(err) != "request_incomplete" {
			t.Errorf("%s goes out: %v", department, err)
		}
		if one = c.must(c.Attach(ask, one.ID, c.study, true)); len(one.Missing) != 0 {
			t.Errorf("%s, with the CT: missing %v", department, one.Missing)
		}
	}
}

func TestAPatientMayTakeConsentBack(t *testing.T) {
	c := newCounty(t)
	withdraws, by := c.as(c.wang, "teleconsult.consent"), c.as(c.asker, "teleconsult.consent")
	draft := c.requested()
	if _, err := c.WithdrawConsent(withdraws, draft.ID, "再想想"); code(err) != "no_consent" {
		t.Errorf("none was given: %v", err)
	}
	for _, stage := range []struct {
		name string
		who  context.Context
		made func() consult.Teleconsult
	}{
		{"submitted, by the patient", withdraws, c.submitted},
		{"scheduled, by the patient", withdraws, c.scheduled},
		{"scheduled, on the patient's word to the doctor", by, c.scheduled},
		{"in progress, by the patient", withdraws, func() consult.Teleconsult { return c.handed() }},
	} {
		t.Run(stage.name, func(t *testing.T) {
			id, before := stage.made().ID, c.now
			ended := c.must(c.WithdrawConsent(stage.who, id, "不想让外院看"))
			if ended.State != consult.Cancelled || ended.Reason != "不想让外院看" || c.rooms.said[len(c.rooms.said)-1] != "close" {
				t.Errorf("%s, %q, rooms %v", ended.State, ended.Reason, c.rooms.said)
			}
			if n := one[int](c.town, `SELECT count(*) FROM image_grant WHERE teleconsult_id = $1 AND ended_at IS NULL`, id); n != 0 {
				t.Errorf("%d grants go on", n)
			}
			if n := one[int](c.town, `SELECT count(*) FROM audit_entry WHERE object = $1 AND reason = 'consent withdrawn' AND action = 'teleconsult.consent'`, "teleconsult/"+id.String()); n != 1 {
				t.Errorf("%d entries of the audit log", n)
			}
			steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), id)
			if last := steps[len(steps)-1]; err != nil || last.Deed != "withdraw consent" || last.Note != "不想让外院看" || last.At.Before(before.Truncate(time.Microsecond)) {
				t.Errorf("%+v, %v", last, err)
			}
			if _, err := c.WithdrawConsent(stage.who, id, "再说一次"); code(err) != "teleconsult_moved_on" {
				t.Errorf("twice: %v", err)
			}
		})
	}
	if c.sees(c.doctor) {
		t.Error("the expert still sees the images")
	}
	if n := one[int](c.town, `SELECT count(*) FROM slot WHERE withdrawn_at IS NULL`); n != 0 {
		t.Errorf("%d slots still hold the expert", n)
	}
	for name, who := range map[string]*authz.Subject{"coordinator": c.staff, "expert": c.doctor, "stranger": c.stranger, "colleague": c.neighbour} {
		ctx := c.as(who, "teleconsult.consent")
		if authz.ScopeFrom(ctx).Empty() {
			continue
		}
		if _, err := c.WithdrawConsent(ctx, draft.ID, "不行"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("by the %s: %v", name, err)
		}
	}
}

func TestOnlyAnEmergencyGoesWithoutThePatientsConsent(t *testing.T) {
	c := newCounty(t)
	ask, consents := c.as(c.asker, "teleconsult.request"), c.as(c.asker, "teleconsult.consent")
	head := consult.GivenConsent{Method: "head_approval", SignedBy: "院长王建", Relation: "医院负责人"}
	one := c.requested()
	if _, err := c.Consent(consents, one.ID, head); code(err) != "not_an_emergency" {
		t.Errorf("routine: %v", err)
	}
	in := c.question()
	in.Urgency = "emergency"
	c.must(c.Rewrite(ask, one.ID, in))
	if _, err := c.Consent(c.as(c.wang, "teleconsult.consent"), one.ID, head); code(err) != "not_an_emergency" {
		t.Errorf("by the patient: %v", err)
	}
	if got := c.must(c.Consent(consents, one.ID, head)); got.Consent == nil || got.Consent.Method != "head_approval" {
		t.Fatalf("%+v", got.Consent)
	}
	if got := c.must(c.Rewrite(ask, one.ID, c.question())); got.Consent != nil {
		t.Error("no emergency any more, and the approval still stands")
	}
}

func TestADoctorKeepsPhrases(t *testing.T) {
	c := newCounty(t)
	ctx := c.as(c.doctor, "teleconsult.phrase")
	want := consult.Phrases{Findings: []string{"两肺纹理清晰", "心影不大"}, Advice: []string{"三个月后复查"}}
	if got, err := c.KeepPhrases(ctx, want); err != nil || !slices.Equal(got.Findings, want.Findings) || !slices.Equal(got.Advice, want.Advice) {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := c.Phrases(c.as(c.asker, "teleconsult.phrase")); err != nil || len(got.Findings) != 0 {
		t.Errorf("another doctor's: %+v %v", got, err)
	}
}
