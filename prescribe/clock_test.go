package prescribe

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/qr"
)

// heard are the messages that left the house.
type heard struct{ accounts []ids.Account }

func (h *heard) Tell(_ context.Context, _ pgx.Tx, account ids.Account, text string) error {
	if strings.Contains(text, "赵") || strings.Contains(text, "氨氯地平") {
		panic("a message that names the patient or the medicine")
	}
	h.accounts = append(h.accounts, account)
	return nil
}

func (c *clinic) limits(n NewLimits) (Limits, error) {
	admin := &authz.Subject{Account: c.pharmacist.Account, Memberships: []authz.Membership{{Role: authz.Administrator, Place: c.place}}}
	return c.SetLimits(c.as(admin, "review.limit"), c.place, n)
}

func TestTheClockAsksTheNextAndNeverApproves(t *testing.T) {
	c := newClinic(t)
	told := &heard{}
	c.Notices = told
	if _, err := c.limits(NewLimits{DayMinutes: 20, NightMinutes: 60, Pharmacists: []NewStep{{c.novice.Practitioner, 2}}}); err != nil {
		t.Fatal(err)
	}
	p := c.signed(renewal())
	waiting := func() Waiting {
		t.Helper()
		queue, err := c.Queue(c.as(c.pharmacist, "prescription.review"))
		if err != nil || len(queue) != 1 {
			t.Fatalf("%+v, %v", queue, err)
		}
		return queue[0]
	}
	signed := c.now
	for _, moment := range []struct {
		after time.Duration
		step  int
		asked []ids.Account
	}{
		{15 * time.Minute, 0, nil},
		{16 * time.Minute, 1, []ids.Account{c.pharmacist.Account, c.novice.Account}}, // no lead is named: everybody
		{17 * time.Minute, 1, nil},
		{20 * time.Minute, 2, []ids.Account{c.novice.Account}},
		{9 * time.Hour, 2, nil},
	} {
		told.accounts, c.now = nil, signed.Add(moment.after)
		if err := c.Escalate(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := waiting()
		if w.State != Signed || w.Step != moment.step || !w.DueAt.Equal(signed.Add(20*time.Minute)) || !sameAccounts(told.accounts, moment.asked) {
			t.Errorf("after %s: %s at step %d, due %s, asked %d", moment.after, w.State, w.Step, w.DueAt, len(told.accounts))
		}
	}
	c.now = signed.Add(time.Hour)
	if p, err := c.review(p, pass()); err != nil || p.State != Approved {
		t.Fatalf("late, and by a human: %v", err)
	}
	told.accounts, c.now = nil, signed.Add(10*time.Hour)
	if err := c.Escalate(t.Context()); err != nil || len(told.accounts) != 0 {
		t.Errorf("what is reviewed asks nobody: %d, %v", len(told.accounts), err)
	}
}

func sameAccounts(a, b []ids.Account) bool {
	set := map[ids.Account]bool{}
	for _, one := range a {
		set[one] = true
	}
	for _, one := range b {
		if !set[one] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestAClockThatSkipsAStepAsksOnce(t *testing.T) {
	c := newClinic(t)
	told := &heard{}
	c.Notices = told
	c.signed(renewal())
	c.now = c.now.Add(time.Hour) // the house was down
	for range 2 {
		if err := c.Escalate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(told.accounts) != 2 {
		t.Errorf("two pharmacists, once each: %d messages", len(told.accounts))
	}
}

func TestLimitsHoldByDayAndByNight(t *testing.T) {
	l := Limits{DayMinutes: 10, NightMinutes: 30}
	for clock, want := range map[string]int{"08:00": 10, "21:59": 10, "22:00": 30, "07:59": 30, "00:30": 30} {
		at, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-21 "+clock, qr.China)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.limit(at); got != time.Duration(want)*time.Minute {
			t.Errorf("signed at %s: %s", clock, got)
		}
	}
}

func TestLimitsAreSetForTheOwnPharmacists(t *testing.T) {
	c := newClinic(t)
	if _, err := c.limits(NewLimits{DayMinutes: 10, NightMinutes: 30, Pharmacists: []NewStep{{c.doctor.Practitioner, 1}}}); code(err) != "not_a_pharmacist_here" {
		t.Errorf("a doctor on the list: %v", err)
	}
	set, err := c.limits(NewLimits{DayMinutes: 5, NightMinutes: 15, Pharmacists: []NewStep{{c.pharmacist.Practitioner, 1}, {c.novice.Practitioner, 0}}})
	if err != nil || set.DayMinutes != 5 || len(set.Pharmacists) != 2 {
		t.Fatalf("%+v, %v", set, err)
	}
	for _, p := range set.Pharmacists {
		if want := map[ids.Practitioner]int{c.pharmacist.Practitioner: 1}[p.ID]; p.Step != want {
			t.Errorf("%s at step %d", p.Name, p.Step)
		}
	}
	elsewhere := &authz.Subject{Account: c.novice.Account, Memberships: []authz.Membership{{Role: authz.Administrator, Place: ids.New[ids.Institution]()}}}
	if _, err := c.SetLimits(c.as(elsewhere, "review.limit"), c.place, NewLimits{DayMinutes: 1, NightMinutes: 1}); code(err) != "not_found" {
		t.Errorf("another hospital's administrator: %v", err)
	}
}

func TestThePharmacistSeesTheFactsThatWereChecked(t *testing.T) {
	c := newClinic(t)
	c.exec(`INSERT INTO allergy (person_id, substance, name_zh, name_en, severity, reaction) VALUES ($1, 'ag_penicillin', '青霉素类', 'penicillins', 'severe', '皮疹')`, c.person)
	c.signed(renewal())
	queue, err := c.Queue(c.as(c.pharmacist, "prescription.review"))
	if err != nil || len(queue) != 1 {
		t.Fatal(err)
	}
	pic := queue[0].Picture
	if pic.WeightKg != "70" || pic.Creatinine != "80" || pic.MeasuredD == 0 || len(pic.Medicines) != 1 || pic.Medicines[0].Name.ZH != "氨氯地平" ||
		pic.Medicines[0].Daily != "5 mg" || len(pic.Allergies) != 1 || pic.Allergies[0].Severity != "severe" || len(pic.Conditions) != 2 {
		t.Errorf("%+v", pic)
	}
}
