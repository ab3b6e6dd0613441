package prescribe

import (
	"testing"
	"time"

	"yuanzhen/prescribe/qr"
)

func TestRemindersComeToWhoAskedAndEndWithTheMedicines(t *testing.T) {
	m := newMarket(t)
	told := &heard{}
	m.Notices = told
	p := m.approved(renewal()) // 28 days from 10:00 on
	patient := m.as(m.family, "prescription.collect")
	remind := func(day, hour, minute int) int {
		t.Helper()
		told.accounts, m.now = nil, time.Date(2026, 11, day, hour, minute, 0, 0, qr.China)
		if err := m.Remind(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(told.accounts)
	}
	if n := remind(21, 20, 0); n != 0 {
		t.Errorf("nobody asked, %d told", n)
	}
	m.now = time.Date(2026, 11, 21, 10, 0, 0, 0, qr.China)
	p, err := m.SetReminder(patient, p.ID, []string{"20:00", "08:00", "20:00"})
	if err != nil || len(p.Reminders) != 2 || p.Reminders[0] != "08:00" {
		t.Fatalf("%v, %v", p.Reminders, err)
	}
	for _, moment := range []struct {
		name              string
		day, hour, minute int
		told              int
	}{
		{"too early", 21, 19, 59, 0},
		{"in the evening", 21, 20, 0, 1},
		{"once", 21, 20, 1, 0},
		{"next morning, a little late", 22, 8, 30, 1},
		{"hours late is too late", 23, 3, 0, 0},
		{"and the rhythm goes on", 23, 8, 0, 1},
		{"on the last day", 21 + 28, 20, 0, 0}, // 08:00 of this day was missed by hours
		{"after the last day", 21 + 29, 8, 0, 0},
	} {
		if n := remind(moment.day, moment.hour, moment.minute); n != moment.told {
			t.Errorf("%s: %d told, want %d", moment.name, n, moment.told)
		}
	}
	m.now = time.Date(2026, 11, 25, 10, 0, 0, 0, qr.China)
	if p, err = m.SetReminder(patient, p.ID, []string{"12:00"}); err != nil || len(p.Reminders) != 1 {
		t.Fatalf("%v, %v", p.Reminders, err)
	}
	if other, err := m.Prescription(m.as(m.doctor, "prescription.read"), p.ID); err != nil || other.Reminders != nil {
		t.Errorf("the doctor sees %v, %v", other.Reminders, err)
	}
	if p, err = m.DropReminder(patient, p.ID); err != nil || p.Reminders != nil {
		t.Errorf("ended: %v, %v", p.Reminders, err)
	}
	if n := remind(25, 12, 0); n != 0 {
		t.Errorf("after it was ended, %d told", n)
	}
}

func TestRemindersAreRefused(t *testing.T) {
	m := newMarket(t)
	told := &heard{}
	m.Notices = told
	patient := m.as(m.family, "prescription.collect")
	p := m.signed(renewal())
	if _, err := m.SetReminder(patient, p.ID, []string{"08:00"}); code(err) != "prescription_moved_on" {
		t.Errorf("not approved yet: %v", err)
	}
	p, err := m.review(p, pass())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.SetReminder(patient, p.ID, []string{"8 Uhr"}); code(err) != "time_wrong" {
		t.Errorf("no time: %v", err)
	}
	if _, err := m.SetReminder(patient, p.ID, []string{"12:00"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Cancel(m.as(m.doctor, "prescription.write"), p.ID); err != nil {
		t.Fatal(err)
	}
	m.now = m.now.Add(2 * time.Hour)
	if err := m.Remind(t.Context()); err != nil || len(told.accounts) != 0 {
		t.Errorf("a void prescription reminds nobody: %d, %v", len(told.accounts), err)
	}
}
