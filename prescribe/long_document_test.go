package prescribe

import (
	"slices"
	"testing"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

func ninety() Order {
	o := plan()
	o.Items[0].Days = 90
	return o
}

func (m *market) filed() NewLongDocument {
	return NewLongDocument{Institution: m.place, Title: "关于长期处方的通知", Number: "鄂卫发〔2026〕9号", Issuer: "省卫生健康委", MaxDays: 90,
		ValidFrom: "2026-11-01", ValidUntil: "2026-12-31", SHA256: m.paper()}
}

func TestNinetyDaysNeedALocalDocument(t *testing.T) {
	m := newMarket(t)
	blocked := func() bool { return slices.Contains(alertKeys(second(m.sign(m.write(ninety())))), "R_DAYS_LONG_MAX") }
	if !blocked() {
		t.Fatal("90 days without a document")
	}
	d, err := m.FileLongDocument(m.as(m.admins[0], "long_document.keep"), m.filed())
	if err != nil || d.State != "filed" || !blocked() {
		t.Fatalf("filed and not approved: %+v, %v", d, err)
	}
	approve := func(i int) error {
		var err error
		d, err = m.ApproveLongDocument(m.as(m.admins[i], "long_document.keep"), d.ID)
		return err
	}
	id := d.ID
	if err := approve(0); code(err) != "cannot_approve" {
		t.Errorf("by who filed it: %v", err)
	}
	d.ID = id
	if err := approve(1); err != nil || d.State != "valid" {
		t.Fatalf("%+v, %v", d, err)
	}
	p := m.approved(ninety())
	if len(p.Parts) != 3 || p.Parts[2].Lines[0].Days != 30 || p.row.LongDocument != d.ID {
		t.Fatalf("%+v", p.Parts)
	}
	if f := m.prove(p); len(f.Faults) > 0 {
		t.Errorf("faults %v", f.Faults)
	}
	o := ninety()
	o.Items[0].Ingredient, o.Items[0].Dose = "indapamide", "1.5"
	draft := m.write(o)
	if _, err := m.WithdrawLongDocument(m.as(m.admins[2], "long_document.keep"), d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.sign(draft); code(err) != "not_what_was_shown" {
		t.Errorf("withdrawn between writing and signing: %v", err)
	}
	if !blocked() {
		t.Error("90 days under a withdrawn document")
	}
	if f := m.prove(p); len(f.Faults) > 0 {
		t.Errorf("what was signed under it stands: %v", f.Faults)
	}
}

func TestWhoKeepsLocalDocuments(t *testing.T) {
	m := newMarket(t)
	wrong := m.filed()
	wrong.ValidUntil = "2026-10-01"
	if _, err := m.FileLongDocument(m.as(m.admins[0], "long_document.keep"), wrong); code(err) != "dates_wrong" {
		t.Errorf("it ends before it begins: %v", err)
	}
	wrong = m.filed()
	wrong.SHA256 = ids.New[ids.Account]().String()
	if _, err := m.FileLongDocument(m.as(m.admins[0], "long_document.keep"), wrong); code(err) != "paper_missing" {
		t.Errorf("without its paper: %v", err)
	}
	stranger := &authz.Subject{Account: m.admins[1].Account, Memberships: []authz.Membership{{Role: authz.Administrator, Place: m.ids[0]}}}
	if _, err := m.FileLongDocument(m.as(stranger, "long_document.keep"), m.filed()); code(err) != "not_found" {
		t.Errorf("for a hospital that isn't theirs: %v", err)
	}
	d, err := m.FileLongDocument(m.as(m.admins[0], "long_document.keep"), m.filed())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ApproveLongDocument(m.as(stranger, "long_document.keep"), d.ID); code(err) != "not_found" {
		t.Errorf("approved by a stranger: %v", err)
	}
	if list, err := m.LongDocuments(m.as(stranger, "long_document.keep")); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := m.ApproveLongDocument(m.as(m.admins[1], "long_document.keep"), d.ID); err != nil {
		t.Fatal(err)
	}
	m.now = time.Date(2027, 1, 1, 9, 0, 0, 0, m.now.Location())
	if list, err := m.LongDocuments(m.as(m.admins[1], "long_document.keep")); err != nil || len(list) != 1 || list[0].State != "expired" {
		t.Errorf("%+v, %v", list, err)
	}
	if got := alertKeys(second(m.sign(m.write(ninety())))); !slices.Contains(got, "R_DAYS_LONG_MAX") {
		t.Errorf("after its last day: %v", got)
	}
}

func second[T any](_ T, err error) error { return err }

// The doctor may let a prescription be claimed on three days, the day of signing counted (RXE-22).
func TestThreeDays(t *testing.T) {
	m := newMarket(t)
	o := renewal()
	o.ValidDays = 3
	p := m.approved(o)
	if until := p.ValidUntil.In(m.now.Location()).Format("2006-01-02 15:04"); until != "2026-11-23 23:59" || !p.Parts[0].NotAfter.Equal(*p.ValidUntil) {
		t.Fatalf("until %s, part %s", until, p.Parts[0].NotAfter)
	}
	if f := m.prove(p); len(f.Faults) > 0 {
		t.Errorf("faults %v", f.Faults)
	}
	m.now = m.now.AddDate(0, 0, 2)
	if _, err := m.claimBy(0, m.code(p, 1)); err != nil {
		t.Errorf("on the third day: %v", err)
	}
}

func TestHerbalSlicesAreRefused(t *testing.T) {
	c := newClinic(t)
	o := renewal()
	o.Type = "herbal"
	if _, err := c.Write(c.as(c.doctor, "prescription.write"), c.visit, o, ids.New[ids.Account]().String()); !slices.Equal(ruleIDs(err), []string{"RXE-08"}) {
		t.Fatal(err)
	}
}

// What another doctor has signed and no pharmacist has seen yet is a medicine that the next prescription meets.
func TestWhatWaitsForReviewIsMet(t *testing.T) {
	c := newClinic(t)
	c.signed(renewal())
	if got := alertKeys(second(c.sign(c.write(renewal())))); !slices.Contains(got, "R_EARLY_REFILL:amlodipine") {
		t.Errorf("the same again: %v", got)
	}
}
