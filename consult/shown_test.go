package consult_test

import (
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// showing is Wang's CT from a moment ago.
func (c *county) showing(ago int, zoom float64) consult.Shown {
	return consult.Shown{Ago: ago, Study: c.study, Series: c.image.Series, SOP: c.image.SOP, Frame: 1, Zoom: zoom, X: 256, Y: 256,
		VOI: &consult.Window{Center: -600, Width: 1500}}
}

func (c *county) shows(who *authz.Subject, id ids.Teleconsult, states ...consult.Shown) error {
	_, err := c.KeepShown(c.as(who, "teleconsult.mark"), id, states)
	return err
}

func TestWhatWasPresentedIsSeenAgainInItsOrder(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	if err := c.shows(c.doctor, id, c.showing(300_000, 1), c.showing(100_000, 2)); err != nil {
		t.Fatal(err)
	}
	if err := c.shows(c.asker, id, c.showing(200_000, 3)); err != nil { // sent later, shown in between
		t.Fatal(err)
	}
	opines := c.as(c.doctor, "teleconsult.opine")
	written := c.must(c.WriteOpinion(opines, id, consult.Opinion{Findings: "结节 81 mm", Advice: "复查"}))
	c.must(c.SignOpinion(opines, id, written.Opinion.SHA256, passphrase))
	if err := c.shows(c.doctor, id, c.showing(0, 1)); code(err) != "teleconsult_moved_on" {
		t.Errorf("kept after the signature: %v", err)
	}
	all, err := c.AllShown(c.as(c.asker, "teleconsult.read"), id)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, want := range []struct {
		zoom float64
		by   ids.Practitioner
	}{{1, c.doctor.Practitioner}, {3, c.asker.Practitioner}, {2, c.doctor.Practitioner}} {
		if v := all[i]; v.Zoom != want.zoom || v.By.ID != want.by || v.VOI == nil || v.VOI.Width != 1500 || v.Ago != 0 {
			t.Errorf("%d: %+v", i, v)
		}
	}
	if between := all[2].At.Sub(all[0].At); between != 200*time.Second {
		t.Errorf("%s between the first and the last", between)
	}
}

func TestOnlyItsDoctorsKeepWhatTheyShowOfItsStudies(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	for _, who := range []*authz.Subject{c.staff, c.neighbour, c.colleague, c.stranger} {
		if ctx := c.as(who, "teleconsult.mark"); !authz.ScopeFrom(ctx).Empty() {
			if _, err := c.KeepShown(ctx, id, []consult.Shown{c.showing(0, 1)}); code(err) != "not_found" {
				t.Errorf("shown by %s: %v", who.Name, err)
			}
		}
	}
	other := c.showing(0, 1)
	other.Study = "1.2.3"
	if err := c.shows(c.doctor, id, c.showing(0, 1), other); code(err) != "not_found" {
		t.Errorf("of another study: %v", err)
	}
	if err := c.shows(c.doctor, id, c.showing(0, 0)); code(err) != "bad_shown" {
		t.Errorf("from nowhere: %v", err)
	}
	if err := c.shows(c.doctor, id); code(err) != "bad_shown" {
		t.Errorf("nothing: %v", err)
	}
	if all, err := c.AllShown(c.as(c.doctor, "teleconsult.read"), id); err != nil || len(all) != 0 {
		t.Errorf("something was kept: %+v, %v", all, err)
	}
}
