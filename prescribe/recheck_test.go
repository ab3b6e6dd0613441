package prescribe

import (
	"slices"
	"testing"
	"time"

	"yuanzhen/internal/ids"
)

// Six months after the approval the papers are due; administrators and the pharmacy are told once at each step; after the
// grace nothing new is claimed, and what is held is handed out.
func TestPapersAreReadEverySixMonths(t *testing.T) {
	m := newMarket(t) // approved on 2026-11-21
	told := &heard{}
	m.Notices = told
	for i := range m.admins {
		m.exec(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, 'administrator')`, m.admins[i].Account, m.place)
	}
	m.exec(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, 'pharmacist')`, m.shops[0].Account, m.ids[0])
	everybody := []ids.Account{m.admins[0].Account, m.admins[1].Account, m.admins[2].Account, m.shops[0].Account}
	if _, err := m.ClosePharmacy(m.as(m.admins[0], "pharmacy.close"), m.ids[1], "停业"); err != nil { // is told nothing
		t.Fatal(err)
	}
	shop := func() Pharmacy {
		t.Helper()
		ph, err := m.pharmacy(t.Context(), m.ids[0])
		if err != nil || ph.RecheckBy == nil {
			t.Fatalf("%+v, %v", ph, err)
		}
		return ph
	}
	day := func(date string) {
		t.Helper()
		at, err := time.ParseInLocation("2006-01-02 15:04", date+" 09:00", m.now.Location())
		if err != nil {
			t.Fatal(err)
		}
		m.now = at
	}
	if ph := shop(); ph.RecheckBy.Format(time.DateOnly) != "2027-05-21" || ph.ClaimsUntil.Format(time.DateOnly) != "2027-06-20" {
		t.Fatalf("%+v", ph.Reading)
	}
	for _, moment := range []struct {
		day, state string
		asked      []ids.Account
		public     int
	}{
		{"2027-05-06", "approved", nil, 1},
		{"2027-05-07", "approved", everybody, 1},
		{"2027-05-08", "approved", nil, 1},
		{"2027-05-21", "due", everybody, 1},
		{"2027-06-20", "due", nil, 1},
		{"2027-06-21", "unchecked", everybody, 0},
		{"2027-06-22", "unchecked", nil, 0},
	} {
		day(moment.day)
		told.accounts = nil
		for range 2 { // two nodes look
			if err := m.RemindOfRechecks(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		open, err := m.OpenPharmacies(t.Context())
		if ph := shop(); err != nil || ph.State != moment.state || len(open) != moment.public || !sameAccounts(told.accounts, moment.asked) || len(told.accounts) != len(moment.asked) {
			t.Errorf("%s: %s, %d on the public list, %d told, %v", moment.day, ph.State, len(open), len(told.accounts), err)
		}
	}
	if _, err := m.RecheckPharmacy(m.as(m.admins[0], "pharmacy.approve"), m.ids[0], "看过"); code(err) != "cannot_recheck" {
		t.Errorf("by who applied: %v", err)
	}
	ph, err := m.RecheckPharmacy(m.as(m.admins[1], "pharmacy.approve"), m.ids[0], "许可证、注册证原件都看过")
	if err != nil || ph.State != "approved" || ph.RecheckBy.Format(time.DateOnly) != "2027-12-22" || ph.Note != "许可证、注册证原件都看过" {
		t.Fatalf("%+v, %v", ph, err)
	}
	if open, err := m.OpenPharmacies(t.Context()); err != nil || len(open) != 1 || open[0].CheckedOn.Format(time.DateOnly) != "2027-06-22" {
		t.Errorf("%+v, %v", open, err)
	}
	if _, err := m.RecheckPharmacy(m.as(m.admins[1], "pharmacy.approve"), m.ids[1], "看过"); code(err) != "cannot_recheck" {
		t.Errorf("a suspended one: %v", err)
	}
	day("2028-01-02") // its licence has ended: that is another matter than the recheck
	told.accounts = nil
	if err := m.RemindOfRechecks(t.Context()); err != nil || len(told.accounts) != 0 {
		t.Errorf("%d told, %v", len(told.accounts), err)
	}
	if _, err := m.RecheckPharmacy(m.as(m.admins[1], "pharmacy.approve"), m.ids[0], "看过"); code(err) != "cannot_recheck" {
		t.Errorf("with a licence that ended: %v", err)
	}
}

// The grace ends in the middle of a lease: the held part is shown, scanned again and handed out; a new one is refused with
// the reason, and another pharmacy takes it.
func TestAMissedRecheckEndsNoLease(t *testing.T) {
	m := newMarket(t)
	p := m.approved(renewal())
	held := m.code(p, 1)
	claim, err := m.claimBy(0, held)
	if err != nil {
		t.Fatal(err)
	}
	m.exec(`UPDATE pharmacy SET checked_on = $2::date WHERE institution_id = $1`, m.ids[0], dayOf(m.now.AddDate(0, -8, 0)))
	if again, err := m.claimBy(0, held); err != nil || again.PartID != claim.PartID {
		t.Fatalf("the same code again: %v", err)
	}
	if list, err := m.Claims(m.as(m.shops[0], "prescription.claim")); err != nil || len(list) != 1 {
		t.Errorf("%d held, %v", len(list), err)
	}
	lines := []HandOut{}
	for i, line := range claim.Lines {
		lines = append(lines, HandOut{Line: line.Line, Days: line.Remain, Lot: "L1", Trace: []string{"8" + string(rune('0'+i))}})
	}
	if done, err := m.hand(0, claim.PartID, lines...); err != nil || done.State != "dispensed" {
		t.Fatalf("%+v, %v", done, err)
	}
	m.exec(`UPDATE medicine SET until = '2026-01-01'`)
	next := renewal()
	next.Items = slices.Clone(next.Items[:1])
	next.Items[0].Ingredient, next.Items[0].Dose = "atorvastatin", "20"
	fresh := m.code(m.approved(next), 1)
	if _, err := m.claimBy(0, fresh); code(err) != "recheck_missed" {
		t.Errorf("a new one: %v", err)
	}
	if _, err := m.claimBy(1, fresh); err != nil {
		t.Errorf("another pharmacy: %v", err)
	}
}
