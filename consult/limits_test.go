package consult_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

func TestAHospitalSetsItsOwnClocks(t *testing.T) {
	c := newCounty(t)
	chief := c.chief(false)
	ctx := c.as(chief, "teleconsult.limit")
	before := c.submitted()
	list, err := c.LimitsOf(ctx)
	if err != nil || len(list) != 1 || list[0].Place.ID != c.hospital[0] || list[0].Version != 0 || !slices.Equal(list[0].Limits, list[0].Customary) {
		t.Fatalf("%+v %v", list, err)
	}
	with := func(alter func(l *consult.Limit), kind, urgency string) consult.SetLimits {
		limits := slices.Clone(list[0].Customary)
		i := slices.IndexFunc(limits, func(l consult.Limit) bool { return l.Kind == kind && l.Urgency == urgency })
		alter(&limits[i])
		return consult.SetLimits{Version: 0, Reason: "科室人手增加", Limits: limits}
	}
	for story, set := range map[string]consult.SetLimits{
		"an emergency slower than the default":        with(func(l *consult.Limit) { l.FinishMin = 721 }, "consult", "emergency"),
		"an emergency in working days":                with(func(l *consult.Limit) { l.FinishMin, l.FinishDays = 0, 1 }, "consult", "emergency"),
		"urgent slower than routine":                  with(func(l *consult.Limit) { l.ArrangeMin, l.FinishMin = 800, 1500 }, "imaging", "urgent"),
		"arranged after it is finished":               with(func(l *consult.Limit) { l.ArrangeMin = 3000; l.FinishDays = 2 }, "pathology", "routine"),
		"finished in minutes and days":                with(func(l *consult.Limit) { l.FinishMin = 60 }, "pathology", "routine"),
		"one is missing":                              with(func(l *consult.Limit) { l.Kind = "consult" }, "ecg", "routine"),
		"faster than routine of the same day's count": with(func(l *consult.Limit) { l.FinishDays = 0; l.FinishMin = 23 * 60; l.ArrangeMin = 23 * 60 }, "consult", "routine"),
	} {
		if _, err := c.SetLimits(ctx, c.hospital[0], set); code(err) != "limit_wrong" {
			t.Errorf("%s: %v", story, err)
		}
	}
	quick := with(func(l *consult.Limit) { l.ArrangeMin, l.FinishDays = 24*60, 2 }, "consult", "routine")
	for name, place := range map[string]ids.Institution{"another hospital": c.hospital[1], "the county's": c.place} {
		if _, err := c.SetLimits(ctx, place, quick); code(err) != "not_found" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !authz.ScopeFrom(c.as(c.staff, "teleconsult.limit")).Empty() {
		t.Error("a coordinator sets limits")
	}
	c.now = c.now.Add(time.Minute)
	set, err := c.SetLimits(ctx, c.hospital[0], quick)
	if err != nil || set.Version != 1 || len(set.History) != 1 || set.History[0].By != chief.Name || set.History[0].Reason != "科室人手增加" || !slices.Equal(set.Limits, quick.Limits) {
		t.Fatalf("%+v %v", set, err)
	}
	if _, err := c.SetLimits(ctx, c.hospital[0], quick); code(err) != "limits_moved_on" {
		t.Errorf("over a version that was not shown: %v", err)
	}
	after := c.submitted()
	if !after.SLADue.Equal(c.now.Add(24 * time.Hour)) {
		t.Errorf("by the new limits due %v", after.SLADue)
	}
	// What was handed in before goes on as it was promised.
	handed := c.must(c.HandOver(c.as(c.staff, "teleconsult.assign"), before.ID, c.doctor.Practitioner))
	if want := before.CreatedAt.AddDate(0, 0, 3); !handed.SLADue.Equal(want) {
		t.Errorf("due %v, want %v", handed.SLADue, want)
	}
	_, err = c.town.DB.Exec(t.Context(), `INSERT INTO teleconsult_limit VALUES ($1, 1, 'consult', 'emergency', 720, 721, 0)`, c.hospital[0])
	if err == nil || !strings.Contains(err.Error(), "check") {
		t.Errorf("the database lets an emergency be slow: %v", err)
	}
}
