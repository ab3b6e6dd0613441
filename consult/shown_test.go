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
	return consult.Shown{Ago: ago, Seen: consult.Seen{Study: c.study, Series: c.image.Series, SOP: c.image.SOP, Frame: 1, Zoom: zoom, X: 256, Y: 256,
		VOI: &consult.Window{Center: -600, Width: 1500}}}
}

func (c *county) shows(who *authz.Subject, id ids.Teleconsult, states ...consult.Shown) error {
	_, err := c.KeepShown(c.as(who, "teleconsult.mark"), id, states)
	return err
}

func (c *county) replayed(id ids.Teleconsult) consult.Replay {
	c.t.Helper()
	r, err := c.Replay(c.as(c.asker, "teleconsult.read"), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func TestAnOpinionIsSignedOverTheTalk(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	show := func(who *authz.Subject, states ...consult.Shown) {
		t.Helper()
		if err := c.shows(who, id, states...); err != nil {
			t.Fatal(err)
		}
	}
	show(c.doctor, c.showing(5000, 1), c.showing(2000, 2))
	show(c.asker, c.showing(1000, 3))
	opines := c.as(c.doctor, "teleconsult.opine")
	opinion := consult.Opinion{Findings: "结节 81 mm", Advice: "复查"}
	written := c.must(c.WriteOpinion(opines, id, opinion))
	show(c.doctor, c.showing(0, 4))
	if _, err := c.SignOpinion(opines, id, written.Opinion.SHA256, passphrase); code(err) != "talk_went_on" {
		t.Fatalf("signed over less than was shown: %v", err)
	}
	written = c.must(c.WriteOpinion(opines, id, opinion))
	c.must(c.SignOpinion(opines, id, written.Opinion.SHA256, passphrase))
	bound := c.replayed(id).Bound
	if len(bound) != 1 || bound[0].By.ID != c.doctor.Practitioner || bound[0].Batches != 3 || bound[0].Verdict != "holds" || bound[0].SignedAt.IsZero() {
		t.Fatalf("%+v", bound)
	}
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := c.town.DB.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(sql, err)
		}
	}
	run(`CREATE TABLE shown_kept AS SELECT * FROM teleconsult_shown`)
	// Whoever gets at the tables: one step changed, one batch left out, another's name on it, a time moved.
	for what, sql := range map[string]string{
		"a step was changed":       `UPDATE teleconsult_shown SET states = jsonb_set(states, '{1,zoom}', '2.5') WHERE teleconsult_id = $1 AND n = 1`,
		"a step was left out":      `UPDATE teleconsult_shown SET states = states - 1 WHERE teleconsult_id = $1 AND n = 1`,
		"a batch was left out":     `DELETE FROM teleconsult_shown WHERE teleconsult_id = $1 AND n = 2`,
		"another presented it":     `UPDATE teleconsult_shown s SET practitioner_id = t.practitioner_id FROM teleconsult_shown t WHERE s.teleconsult_id = $1 AND s.n = 2 AND t.teleconsult_id = $1 AND t.n = 1`,
		"it was another time":      `UPDATE teleconsult_shown SET at = at + interval '1 ms' WHERE teleconsult_id = $1 AND n = 3`,
		"two batches were swapped": `UPDATE teleconsult_shown SET n = n + 10 WHERE teleconsult_id = $1 AND n = 1`,
	} {
		run(sql, id)
		if b := c.replayed(id).Bound; len(b) != 1 || b[0].Verdict != "changed" {
			t.Errorf("%s: %+v", what, b)
		}
		run(`DELETE FROM teleconsult_shown`)
		run(`INSERT INTO teleconsult_shown SELECT * FROM shown_kept`)
	}
	if b := c.replayed(id).Bound; len(b) != 1 || b[0].Verdict != "holds" {
		t.Errorf("put back as it was: %+v", b)
	}
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
	all := c.replayed(id).States
	if len(all) != 3 {
		t.Fatalf("%+v", all)
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

func TestWhatStoodBesideIsSeenAgainToo(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	state := c.showing(0, 2)
	state.Beside = &consult.Beside{Seen: c.showing(0, 3).Seen, Scroll: true, Way: consult.Tie{By: "offset", MM: 4.5}}
	if err := c.shows(c.doctor, id, c.showing(1000, 1), state); err != nil {
		t.Fatal(err)
	}
	all := c.replayed(id).States
	if len(all) != 2 || all[0].Beside != nil {
		t.Fatalf("%+v", all)
	}
	if b := all[1].Beside; b == nil || b.Zoom != 3 || b.VOI == nil || *b.VOI != *state.Beside.VOI || !b.Scroll || b.Window || b.Way != state.Beside.Way {
		t.Errorf("%+v", b)
	}
	foreign, nowhere := *state.Beside, *state.Beside
	foreign.Study, nowhere.Zoom = "1.2.3", 0
	for beside, want := range map[*consult.Beside]string{&foreign: "not_found", &nowhere: "bad_shown"} {
		state.Beside = beside
		if err := c.shows(c.doctor, id, state); code(err) != want {
			t.Errorf("%+v: %v, want %s", beside, err, want)
		}
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
	if all := c.replayed(id).States; len(all) != 0 {
		t.Errorf("something was kept: %+v", all)
	}
}
