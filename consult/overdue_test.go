package consult_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
)

// chief is an administrator whom messages reach: of a hospital of the town, or of the county's.
func (c *county) chief(county bool) *authz.Subject {
	place := c.hospital[0]
	if county {
		place = c.place
	}
	s := c.member(authz.Administrator, 0)
	s.Memberships = []authz.Membership{{Role: authz.Administrator, Place: place}}
	c.exec(`INSERT INTO membership VALUES ($1, $2, 'administrator')`, s.Account, place)
	return s
}

func TestWhoAnswersForTheHospitalSeesWhatIsOverdueAndTakesItUp(t *testing.T) {
	c := newCounty(t)
	c.town.Notices = &told{}
	chief, second, county := c.chief(false), c.chief(false), c.chief(true)
	late := func(who *authz.Subject) []consult.Overdue {
		t.Helper()
		list, err := c.Overdue(c.as(who, "teleconsult.oversee"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	one := c.submitted()
	take := func(who *authz.Subject) (string, []consult.Overdue) {
		list, err := c.TakeUp(c.as(who, "teleconsult.oversee"), one.ID, "已电话催放射科")
		return code(err), list
	}
	if n := len(late(chief)); n != 0 {
		t.Fatalf("%d overdue in time", n)
	}
	if got, _ := take(chief); got != "not_found" {
		t.Errorf("taken up in time: %s", got)
	}
	c.now = one.SLADue.Add(90 * time.Minute)
	list := late(chief)
	if len(list) != 1 || list[0].What != "clock" || !list[0].Since.Equal(*one.SLADue) || list[0].ToldAt != nil || !slices.Equal(list[0].Waits, []string{c.staff.Name}) {
		t.Fatalf("%+v", list)
	}
	if err := c.EscalateOverdue(context.Background()); err != nil {
		t.Fatal(err)
	}
	if list = late(chief); list[0].ToldAt == nil || !strings.Contains(list[0].Told, c.staff.Name) || !strings.Contains(list[0].Told, c.asker.Name) {
		t.Errorf("told %q at %v", list[0].Told, list[0].ToldAt)
	}
	for name, who := range map[string]*authz.Subject{"of the asking hospital": county, "of another": c.member(authz.Administrator, 1)} {
		if got, _ := take(who); got != "not_found" || len(late(who)) != 0 {
			t.Errorf("an administrator %s: %s", name, got)
		}
	}
	if scope := authz.ScopeFrom(c.as(c.staff, "teleconsult.oversee")); !scope.Empty() {
		t.Error("a coordinator oversees")
	}
	if got, list := take(chief); got != "done" || list[0].TakenBy != chief.Name || list[0].Words != "已电话催放射科" {
		t.Errorf("%s %+v", got, list)
	}
	if got, _ := take(second); got != "taken_up" {
		t.Errorf("by another as well: %s", got)
	}
	steps, err := c.Steps(c.as(c.asker, "teleconsult.read"), one.ID)
	if last := steps[len(steps)-1]; err != nil || last.Deed != "take up" || last.Who != chief.Name {
		t.Errorf("the asking doctor reads %+v %v", last, err)
	}
	handed := c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), one.ID, c.doctor.Practitioner))
	if n := len(late(chief)); n != 0 {
		t.Errorf("%d overdue with the answer's new clock", n)
	}
	c.now = handed.SLADue.Add(time.Hour)
	if list = late(chief); len(list) != 1 || list[0].TakenAt != nil || list[0].ToldAt != nil || !slices.Equal(list[0].Waits, []string{"张建国"}) {
		t.Errorf("the next stage: %+v", list)
	}

	c.must(c.CallBack(c.as(c.doctor, "teleconsult.opine"), one.ID, "主动脉夹层"))
	c.now = c.now.Add(11 * time.Minute)
	if list = late(county); len(list) != 1 || list[0].What != "critical" || !slices.Equal(list[0].Waits, []string{c.asker.Name}) {
		t.Fatalf("a critical value that nobody has read back: %+v", list)
	}
	if got, list := take(county); got != "done" || list[0].TakenBy != county.Name {
		t.Errorf("%s %+v", got, list)
	}
	if list = late(chief); len(list) != 1 || list[0].TakenAt != nil {
		t.Errorf("the other hospital's taking up counts: %+v", list)
	}
}
