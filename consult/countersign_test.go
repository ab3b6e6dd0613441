package consult_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// needsCountersign is set by the county hospital's office.
func (c *county) needsCountersign(office *authz.Subject, needed bool) consult.CountersignDesk {
	c.t.Helper()
	rules := c.deskOf(office).Rules
	d, err := c.SetCountersigning(c.as(office, "countersign.give"), c.place, consult.SetCountersigning{Version: rules[0].Version, Needed: needed, Reason: "院务会 6 月 2 日"})
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

func (c *county) deskOf(office *authz.Subject) consult.CountersignDesk {
	c.t.Helper()
	d, err := c.Desk(c.as(office, "countersign.give"))
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// emergency goes out with what the head of the hospital approved.
func (c *county) emergency() consult.Teleconsult {
	c.t.Helper()
	ctx := c.as(c.asker, "teleconsult.request")
	one := c.requested()
	text := c.question()
	text.Urgency, text.Invited, text.Labs = "emergency", one.Invited.ID, "肌钙蛋白 2.1"
	c.must(c.Rewrite(ctx, one.ID, text))
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), one.ID, consult.GivenConsent{Method: "head_approval", SignedBy: "袁敏", Relation: "院长"}))
	return c.must(c.Submit(ctx, one.ID))
}

func TestARequestWaitsForTheMedicalOfficeBeforeItGoesOut(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	office, colleague := c.chief(true), c.chief(true)
	if free := c.submitted(); free.State != consult.Submitted || free.OfficeSince != nil {
		t.Fatalf("without a setting: %s", free.State)
	}
	if d := c.needsCountersign(office, true); len(d.Rules) != 1 || !d.Rules[0].Needed || d.Rules[0].Version != 1 || d.Rules[0].History[0].By != office.Name || len(d.Cases) != 0 {
		t.Fatalf("%+v", d)
	}
	asked := c.submitted()
	if asked.State != consult.WithOffice || asked.SLADue != nil || asked.OfficeSince == nil || !asked.OfficeSince.Equal(c.now) {
		t.Fatalf("%s, clock %v, since %v", asked.State, asked.SLADue, asked.OfficeSince)
	}
	if !strings.Contains(notes.last(office), "会签") || strings.Contains(notes.last(office), "王秀英") {
		t.Errorf("the office was told %q", notes.last(office))
	}
	if _, err := c.Teleconsult(c.as(c.staff, "teleconsult.read"), asked.ID); code(err) != "not_found" {
		t.Errorf("the invited hospital reads it already: %v", err)
	}
	for name, deed := range map[string]func() error{
		"a study": func() error {
			_, err := c.Attach(c.as(c.asker, "teleconsult.request"), asked.ID, c.study, true)
			return err
		},
		"the text": func() error {
			_, err := c.Rewrite(c.as(c.asker, "teleconsult.request"), asked.ID, c.question())
			return err
		},
		"the consent": func() error {
			_, err := c.Consent(c.as(c.asker, "teleconsult.consent"), asked.ID, signed)
			return err
		},
	} {
		if err := deed(); code(err) != "teleconsult_moved_on" {
			t.Errorf("%s changes under the office's eyes: %v", name, err)
		}
	}

	m := c.deskOf(office).Cases[0]
	if m.ID != asked.ID || m.Patient != "王**" || m.Doctor.Name != "赵志远" || m.Invited.ID != asked.Invited.ID || m.Consent != "paper" || len(m.Missing) != 0 || m.Studies != 1 || m.Due != nil || m.Own {
		t.Errorf("%+v", m)
	}
	shown, err := json.Marshal(m)
	if err != nil || strings.Contains(string(shown), "王秀英") || strings.Contains(string(shown), asked.Summary) || strings.Contains(string(shown), c.study) {
		t.Errorf("the office is shown more than it needs: %s %v", shown, err)
	}
	if _, err := c.Teleconsult(c.as(office, "teleconsult.read"), asked.ID); code(err) != "not_found" {
		t.Errorf("the office opens the case: %v", err)
	}

	c.now = c.now.Add(5 * time.Hour)
	sign := c.as(office, "countersign.give")
	if _, err := c.Countersign(sign, asked.ID, strings.Repeat("0", 64)); code(err) != "request_changed" {
		t.Errorf("another text: %v", err)
	}
	d, err := c.Countersign(sign, asked.ID, m.SHA256)
	if err != nil || len(d.Cases) != 0 {
		t.Fatalf("%+v %v", d.Cases, err)
	}
	if _, err := c.Countersign(c.as(colleague, "countersign.give"), asked.ID, m.SHA256); code(err) != "countersign_settled" {
		t.Errorf("twice: %v", err)
	}
	out := c.must(c.Teleconsult(c.as(c.staff, "teleconsult.read"), asked.ID))
	if out.State != consult.Submitted || out.OfficeSince != nil || !out.SLADue.Equal(c.now.Add(48*time.Hour)) {
		t.Errorf("%s, the clock runs until %v", out.State, out.SLADue)
	}
	if want := (consult.Countersign{Signed: true, By: office.Name, SHA256: m.SHA256, At: out.Countersigns[0].At}); len(out.Countersigns) != 1 || out.Countersigns[0] != want || !want.At.Equal(c.now) {
		t.Errorf("%+v", out.Countersigns)
	}
	if n := one[int](c.town, `SELECT count(*) FROM audit_entry WHERE action = 'countersign.give' AND object = $1 AND reason = $2 AND account_id = $3`,
		"teleconsult/"+asked.ID.String(), "signed "+m.SHA256, office.Account); n != 1 {
		t.Errorf("%d audit entries of the countersign", n)
	}
}

func TestTheMedicalOfficeSendsARequestBack(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	office := c.chief(true)
	c.needsCountersign(office, true)
	one := c.submitted()
	m := c.deskOf(office).Cases[0]
	if d, err := c.RefuseCountersign(c.as(office, "countersign.give"), one.ID, m.SHA256, "先请本院心内科会诊"); err != nil || len(d.Cases) != 0 {
		t.Fatalf("%+v %v", d.Cases, err)
	}
	ask := c.as(c.asker, "teleconsult.request")
	back := c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), one.ID))
	if back.State != consult.Draft || back.OfficeSince != nil || len(back.Countersigns) != 1 || back.Countersigns[0].Reason != "先请本院心内科会诊" || back.Consent == nil {
		t.Fatalf("%s %+v", back.State, back.Countersigns)
	}
	if !strings.Contains(notes.last(c.asker), "退回") {
		t.Errorf("the doctor was told %q", notes.last(c.asker))
	}
	text := c.question()
	text.Labs, text.Invited = "肌钙蛋白阴性", back.Invited.ID
	c.must(c.Rewrite(ask, one.ID, text))
	again := c.must(c.Submit(ask, one.ID))
	if next := c.deskOf(office).Cases[0]; again.State != consult.WithOffice || next.SHA256 == m.SHA256 {
		t.Errorf("%s, the other text has the same hash", again.State)
	}
	if taken := c.must(c.TakeBack(ask, one.ID)); taken.State != consult.Draft || len(c.deskOf(office).Cases) != 0 {
		t.Errorf("taken back: %s", taken.State)
	}
	if _, err := c.TakeBack(ask, one.ID); code(err) != "teleconsult_moved_on" {
		t.Errorf("taken back twice: %v", err)
	}
	c.must(c.Submit(ask, one.ID))
	if gone := c.must(c.Cancel(ask, one.ID, "病人转院")); gone.State != consult.Cancelled || len(c.deskOf(office).Cases) != 0 {
		t.Errorf("cancelled: %s", gone.State)
	}
}

func TestNobodyElseCountersigns(t *testing.T) {
	c := newCounty(t)
	office := c.chief(true)
	c.needsCountersign(office, true)
	one := c.submitted()
	sum := c.deskOf(office).Cases[0].SHA256
	both := *c.asker // the asking doctor answers for the hospital too
	both.Memberships = append(slices.Clone(c.asker.Memberships), authz.Membership{Role: authz.Administrator, Place: c.place})
	if m := c.deskOf(&both).Cases[0]; !m.Own {
		t.Error("the own request is not shown as such")
	}
	for name, x := range map[string]struct {
		who  *authz.Subject
		want string
	}{
		"the asking doctor":                     {c.asker, "not_found"},
		"the asking doctor as an administrator": {&both, "own_request"},
		"a doctor of the hospital":              {c.neighbour, "not_found"},
		"an administrator of the invited one":   {c.chief(false), "not_found"},
		"an administrator of a third":           {c.member(authz.Administrator, 1), "not_found"},
		"the coordinator of the invited one":    {c.staff, "not_found"},
		"the patient":                           {c.wang, "not_found"},
	} {
		ctx := c.as(x.who, "countersign.give")
		if _, err := c.Countersign(ctx, one.ID, sum); code(err) != x.want {
			t.Errorf("%s signs: %v", name, err)
		}
		if _, err := c.RefuseCountersign(ctx, one.ID, sum, "不同意"); code(err) != x.want {
			t.Errorf("%s refuses: %v", name, err)
		}
		if d, err := c.Desk(ctx); err != nil || x.want == "not_found" && len(d.Cases) != 0 {
			t.Errorf("%s sees %+v, %v", name, d.Cases, err)
		}
		if x.want == "not_found" {
			if _, err := c.SetCountersigning(ctx, c.place, consult.SetCountersigning{Version: 1, Reason: "不要了"}); code(err) != "not_found" {
				t.Errorf("%s sets the hospital's rule: %v", name, err)
			}
		}
	}
	ctx := c.as(office, "countersign.give")
	if _, err := c.Countersign(ctx, ids.New[ids.Teleconsult](), sum); code(err) != "not_found" {
		t.Errorf("unknown: %v", err)
	}
	if _, err := c.Countersign(ctx, c.requested().ID, sum); code(err) != "not_found" {
		t.Errorf("a draft that was never handed in: %v", err)
	}
	if _, err := c.SetCountersigning(ctx, c.place, consult.SetCountersigning{Version: 0, Reason: "不要了"}); code(err) != "countersigning_moved_on" {
		t.Errorf("an older version: %v", err)
	}
	if _, err := c.town.DB.Exec(t.Context(), `INSERT INTO teleconsult_countersign VALUES ($1, 1, true, '', $2, $3, now())`, one.ID, sum, c.asker.Account); err == nil {
		t.Error("the database let the doctor countersign his own request")
	}
}

func TestAnEmergencyGoesOutAtOnceAndIsCountersignedAfterwards(t *testing.T) {
	c := newCounty(t)
	c.town.Notices = &told{}
	office := c.chief(true)
	c.needsCountersign(office, true)
	one, other := c.emergency(), c.emergency()
	if one.State != consult.Submitted || !one.SLADue.Equal(c.now.Add(12*time.Hour)) || one.OfficeSince == nil {
		t.Fatalf("%s, clock %v", one.State, one.SLADue)
	}
	cases := c.deskOf(office).Cases
	if len(cases) != 2 || cases[0].Due == nil || !cases[0].Due.Equal(c.now.Add(24*time.Hour)) {
		t.Fatalf("%+v", cases)
	}
	// The office is late; the experts are not kept waiting.
	c.now = c.now.Add(30 * time.Hour)
	c.must(c.Triage(c.as(c.staff, "teleconsult.assign"), one.ID, consult.Triaging{Department: one.Department, Urgency: "emergency"}))
	for _, m := range c.deskOf(office).Cases {
		if !m.Due.Before(c.now) {
			t.Errorf("owed until %v", m.Due)
		}
		sign, object := c.as(office, "countersign.give"), m.ID == other.ID
		var err error
		if object {
			_, err = c.RefuseCountersign(sign, m.ID, m.SHA256, "应先转院")
		} else {
			_, err = c.Countersign(sign, m.ID, m.SHA256)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for id, x := range map[ids.Teleconsult]struct {
		state consult.State
		deed  string
	}{one.ID: {consult.Triaged, "countersign after"}, other.ID: {consult.Submitted, "object"}} {
		now := c.must(c.Teleconsult(c.as(c.staff, "teleconsult.read"), id))
		steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), id)
		if now.State != x.state || now.OfficeSince != nil || len(now.Countersigns) != 1 || err != nil || steps[len(steps)-1].Deed != x.deed {
			t.Errorf("%s %+v, steps %+v %v", now.State, now.Countersigns, steps, err)
		}
	}
	if n := len(c.deskOf(office).Cases); n != 0 {
		t.Errorf("%d are owed still", n)
	}
}

func TestTheOfficeIsRemindedOfWhatItOwesAndItsHeadsHearWhenItIsLate(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	office, theirs := c.chief(true), c.chief(false)
	c.needsCountersign(office, true)
	c.submitted() // waits for the office before it goes out: owes nothing yet
	asked := c.emergency()
	begun := len(notes.said[office.Account])
	// after is when the house looks, so long after the request has gone out.
	after := func(d time.Duration) []string {
		t.Helper()
		c.now = asked.OfficeSince.Add(d)
		for range 2 { // on two nodes
			if err := c.EscalateOverdue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return notes.said[office.Account][begun:]
	}
	owed := func() consult.CountersignMatter {
		t.Helper()
		cases := c.deskOf(office).Cases
		return cases[slices.IndexFunc(cases, func(m consult.CountersignMatter) bool { return m.ID == asked.ID })]
	}
	late := func(who *authz.Subject) []consult.Overdue {
		t.Helper()
		list, err := c.Overdue(c.as(who, "teleconsult.oversee"))
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(list, func(o consult.Overdue) bool { return o.What != "countersign" })
	}
	if said := after(18*time.Hour - time.Minute); len(said) != 0 || owed().Told != nil {
		t.Fatalf("reminded too early: %v", said)
	}
	if said := after(18 * time.Hour); len(said) != 1 || !strings.Contains(said[0], "补会签") || strings.Contains(said[0], "王秀英") || !owed().Told.Equal(c.now) {
		t.Fatalf("before it is due: %v", said)
	}
	if n := len(late(office)); n != 0 {
		t.Errorf("%d late in time", n)
	}
	if said := after(24*time.Hour - time.Minute); len(said) != 1 {
		t.Errorf("reminded twice: %v", said)
	}
	if said := after(24*time.Hour + time.Minute); len(said) != 2 || !strings.Contains(said[1], "超过 24 小时") || notes.last(c.asker) != said[1] {
		t.Fatalf("late: %v, the doctor %q", said, notes.last(c.asker))
	}
	if said := after(100 * time.Hour); len(said) != 2 {
		t.Errorf("told again: %v", said)
	}
	list := late(office)
	if len(list) != 1 || !list[0].Since.Equal(asked.OfficeSince.Add(24*time.Hour)) || list[0].ToldAt == nil || !strings.Contains(list[0].Told, office.Name) ||
		!slices.Equal(list[0].Waits, []string{office.Name}) {
		t.Errorf("%+v", list)
	}
	if n := len(late(theirs)); n != 0 {
		t.Errorf("the invited hospital's heads see %d", n)
	}
	if _, err := c.TakeUp(c.as(office, "teleconsult.oversee"), asked.ID, "明天再说"); code(err) != "not_found" {
		t.Errorf("taken up in place of signed: %v", err)
	}
	steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), asked.ID)
	deeds := []string{}
	for _, step := range steps {
		deeds = append(deeds, step.Deed)
	}
	if err != nil || !slices.Equal(deeds[len(deeds)-4:], []string{"go ahead", "overdue", "remind the office", "office late"}) {
		t.Errorf("%v %v", deeds, err)
	}
	audited := `SELECT count(*) FROM audit_entry WHERE action = 'teleconsult.escalate' AND object = $1`
	if n := one[int](c.town, audited, "teleconsult/"+asked.ID.String()); n != 3 { // its own clock ran out as well
		t.Errorf("%d audit entries", n)
	}
	if _, err := c.Countersign(c.as(office, "countersign.give"), asked.ID, owed().SHA256); err != nil {
		t.Fatal(err)
	}
	if n := len(late(office)); n != 0 {
		t.Errorf("%d late once it is signed", n)
	}

	// The house was down all the time between: what is late is said, what is past is not.
	asked = c.emergency()
	begun = len(notes.said[office.Account])
	if said := after(30 * time.Hour); len(said) != 1 || !strings.Contains(said[0], "超过 24 小时") {
		t.Errorf("after a day of silence: %v", said)
	}
	// An answer in time is not followed by a reminder.
	asked = c.emergency()
	m := owed()
	if _, err := c.RefuseCountersign(c.as(office, "countersign.give"), m.ID, m.SHA256, "应先转院"); err != nil {
		t.Fatal(err)
	}
	begun = len(notes.said[office.Account])
	if said := after(30 * time.Hour); len(said) != 0 {
		t.Errorf("reminded of what is settled: %v", said)
	}
}

// serveCases signs in the two sides by name.
func (c *county) serveCases() *httptest.Server {
	mux := http.NewServeMux()
	api := httpapi.New(mux, "test", c.policy, door{"asker": c.asker, "coordinator": c.staff, "expert": c.doctor, "patient": c.wang}, c.town.DB, slog.New(slog.DiscardHandler))
	c.Teleconsults.Routes(api)
	server := httptest.NewServer(api.Edge(prometheus.NewRegistry(), mux))
	c.t.Cleanup(server.Close)
	return server
}

func TestWhyTheOfficeRefusedIsTheAskingHospitalsOwn(t *testing.T) {
	c := newCounty(t)
	c.town.Notices = &told{}
	office := c.chief(true)
	c.needsCountersign(office, true)
	refuse := func(why string) {
		t.Helper()
		m := c.deskOf(office).Cases[0]
		if _, err := c.RefuseCountersign(c.as(office, "countersign.give"), m.ID, m.SHA256, why); err != nil {
			t.Fatal(err)
		}
	}
	back := c.submitted()
	refuse("本院欠费未清，先结账")
	c.must(c.Submit(c.as(c.asker, "teleconsult.request"), back.ID))
	if _, err := c.Countersign(c.as(office, "countersign.give"), back.ID, c.deskOf(office).Cases[0].SHA256); err != nil {
		t.Fatal(err)
	}
	out := c.emergency()
	refuse("本院 ICU 有床，不该外请")
	for _, id := range []ids.Teleconsult{back.ID, out.ID} {
		c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), id, c.doctor.Practitioner))
	}
	server := c.serveCases()
	// read is all that the person can read of the case.
	read := func(who string, id ids.Teleconsult) (all string) {
		t.Helper()
		for _, path := range []string{"/" + id.String() + "/steps", "/" + id.String(), ""} {
			status, object := c.request(server, who, "GET", "/api/v1/teleconsults"+path, "application/json", nil)
			if status != 200 {
				t.Fatalf("%s reads %s: %d %v", who, path, status, object)
			}
			text, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			all += string(text)
		}
		return all
	}
	for id, x := range map[ids.Teleconsult]struct{ why, deed string }{back.ID: {"欠费未清", "send back"}, out.ID: {"ICU 有床", "object"}} {
		if n := strings.Count(read("asker", id), x.why); n != 3 {
			t.Errorf("%s: the asking doctor reads it %d times, want in the steps, the case and the list", x.deed, n)
		}
		for _, who := range []string{"coordinator", "expert", "patient"} {
			if all := read(who, id); strings.Contains(all, x.why) || !strings.Contains(all, x.deed) {
				t.Errorf("%s, %s: %s", x.deed, who, all)
			}
		}
	}
	// Both hospitals keep the same bytes, so they hold that the office objected, and not why.
	c.must(c.Decide(c.as(c.asker, "teleconsult.request"), c.opines(c.doctor, out, plain).ID, "full", "继续用药", passphrase))
	c.must(c.Close(c.as(c.asker, "teleconsult.request"), out.ID))
	for _, who := range []*authz.Subject{c.asker, c.staff} {
		parcel, err := c.OpenPackage(c.as(who, "teleconsult.package"), out.ID)
		if err != nil || strings.Contains(string(parcel), "ICU") || !strings.Contains(string(parcel), `"object"`) {
			t.Errorf("%s: %s %v", who.Name, parcel, err)
		}
	}
	if n := strings.Count(read("asker", out.ID), "ICU 有床"); n != 3 {
		t.Errorf("once it is closed the asking doctor reads it %d times", n)
	}
}
