package consult_test

import (
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/fault"
)

// An MDT of two experts at two hospitals: a common time, then none because one is not filed yet, and what would be possible without them.
func TestAnMDTFindsItsTime(t *testing.T) {
	c := newCounty(t)
	tele := c.submitted()
	second := c.physician(c.town.hospital[1], "李明远")
	board := c.town.as(c.town.staff, "teleconsult.assign")
	wish := consult.MeetingWish{From: c.town.now, Until: c.town.now.AddDate(0, 0, 5), Minutes: 30, Room: true, Patient: true, Experts: []consult.Invitee{
		{PractitionerID: c.town.doctor.Practitioner, InstitutionID: c.town.hospital[0]}, {PractitionerID: second.Practitioner, InstitutionID: c.town.hospital[1]}}}
	found, err := c.CommonTimes(board, tele.ID, wish)
	if err != nil || len(found.Times) == 0 || len(found.Why) != 0 {
		t.Fatalf("found: %+v, %v", found, err)
	}
	c.exec(`UPDATE registration SET during = '[2026-07-03,2030-01-01)' WHERE practitioner_id = $1`, second.Practitioner)
	wish.Until = c.town.now.AddDate(0, 0, 30)
	if found, err = c.CommonTimes(board, tele.ID, wish); err != nil || len(found.Times) == 0 || found.Times[0].Start.Before(time.Date(2026, 7, 3, 0, 0, 0, 0, c.town.now.Location())) {
		t.Errorf("after the filing begins: %+v, %v", found, err)
	}
	wish.Until = c.town.now.AddDate(0, 0, 5)
	found, err = c.CommonTimes(board, tele.ID, wish)
	if err != nil || len(found.Times) != 0 || len(found.Why) == 0 {
		t.Fatalf("not filed yet: %+v, %v", found, err)
	}
	if say := found.Why[0].Say; found.Why[0].Without == nil || !strings.Contains(say.ZH, "李明远在医院1没有有效的备案；不等的话：6月15日 星期一") || !strings.Contains(say.EN, "without them: Monday 15 June") {
		t.Errorf("said: %+v", found.Why[0])
	}
	wish.Until = time.Date(2026, 7, 3, 8, 15, 0, 0, c.town.now.Location())
	if found, err = c.CommonTimes(board, tele.ID, wish); err != nil || len(found.Why) == 0 || !strings.Contains(found.Why[0].Say.ZH, "到7月3日之前") {
		t.Errorf("filed on the last morning, too late: %+v, %v", found.Why, err)
	}
	if _, err := c.CommonTimes(c.town.as(c.elsewhere, "teleconsult.assign"), tele.ID, wish); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another hospital's coordinator: %v", err)
	}
	c.exec(`UPDATE registration SET during = '[2020-01-01,2030-01-01)' WHERE practitioner_id = $1`, second.Practitioner)
	start := c.town.now.Add(2 * time.Hour)
	mdt := func() (consult.Teleconsult, error) {
		return c.Assign(board, tele.ID, c.town.doctor.Practitioner, start, start.Add(30*time.Minute), consult.Invitee{PractitionerID: second.Practitioner, InstitutionID: c.town.hospital[1]})
	}
	if _, err := mdt(); code(err) != "expert_not_registered" {
		t.Errorf("a further expert of two years' practice (TCR-05): %v", err)
	}
	c.exec(`UPDATE practitioner SET independent_since = '2015-01-01' WHERE id = $1`, second.Practitioner)
	assigned, err := mdt()
	if err != nil || len(assigned.Further) != 1 || assigned.Further[0].Name != "李明远" {
		t.Fatalf("assigned: %+v, %v", assigned.Further, err)
	}
	if n := one[int](c.town, `SELECT count(*) FROM slot WHERE purpose = 'teleconsult'`); n != 2 {
		t.Errorf("%d calendars are kept free, want 2", n)
	}
	if _, err := c.Teleconsult(c.town.as(second, "teleconsult.read"), tele.ID); err != nil {
		t.Errorf("the second expert reads it: %v", err)
	}
	if ticket, err := c.Enter(c.town.as(second, "teleconsult.enter"), tele.ID); err != nil || !ticket.Admitted {
		t.Errorf("the second expert enters: %+v, %v", ticket, err)
	}
	if list, err := c.Candidates(board, "李"); err != nil || len(list) != 1 || list[0].Places[0].ID != c.town.hospital[1] {
		t.Errorf("candidates: %+v, %v", list, err)
	}
	if _, err := c.Cancel(c.town.as(c.asker, "teleconsult.request"), tele.ID, "好转"); err != nil {
		t.Fatal(err)
	}
	if n := one[int](c.town, `SELECT count(*) FROM slot WHERE purpose = 'teleconsult' AND withdrawn_at IS NULL`); n != 0 {
		t.Errorf("%d calendars still kept", n)
	}
}
