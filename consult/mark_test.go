package consult_test

import (
	"errors"
	"sync"
	"testing"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// drawn is a length on Wang's CT.
func (c *county) drawn(x float64) consult.Mark {
	return consult.Mark{ID: ids.New[ids.Mark](), Study: c.study, Series: c.image.Series, SOP: c.image.SOP, Frame: 1, Tool: "length",
		Points: []consult.Point{{X: 10, Y: 20}, {X: x, Y: 20}}}
}

func (c *county) draws(who *authz.Subject, id ids.Teleconsult, m consult.Mark) (consult.Mark, error) {
	return c.PutMark(c.as(who, "teleconsult.mark"), id, m)
}

func TestMarksAreOrderedByTheirVersions(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	m := c.drawn(50)
	first, err := c.draws(c.asker, id, m)
	if err != nil || first.Rev != 1 || first.Author.ID != c.asker.Practitioner {
		t.Fatalf("drawn: %+v, %v", first, err)
	}
	if again, err := c.draws(c.asker, id, m); err != nil || again.Rev != 1 {
		t.Errorf("sent twice: %+v, %v", again, err)
	}

	// Two change the same version: one is told, with what the other made of it, and neither is lost.
	mine, theirs := first, first
	mine.Points, theirs.Points = []consult.Point{{X: 1, Y: 1}, {X: 2, Y: 2}}, []consult.Point{{X: 3, Y: 3}, {X: 4, Y: 4}}
	var both sync.WaitGroup
	results := make([]error, 2)
	for n, change := range []struct {
		who *authz.Subject
		m   consult.Mark
	}{{c.asker, mine}, {c.doctor, theirs}} {
		both.Go(func() { _, results[n] = c.draws(change.who, id, change.m) })
	}
	both.Wait()
	told := 0
	for _, err := range results {
		if err == nil {
			continue
		}
		told++
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Code != "mark_changed" {
			t.Fatalf("the second: %v", err)
		}
		current := f.Detail.(map[string]consult.Mark)["current"]
		if current.Rev != 2 || current.Points[0].X != 1 && current.Points[0].X != 3 {
			t.Errorf("the second is shown %+v", current)
		}
	}
	if told != 1 {
		t.Errorf("%d of two were told of the conflict", told)
	}

	gone, err := c.RemoveMark(c.as(c.doctor, "teleconsult.mark"), id, m.ID, 2)
	if err != nil || !gone.Gone || gone.Rev != 3 {
		t.Fatalf("removed: %+v, %v", gone, err)
	}
	if again, err := c.RemoveMark(c.as(c.doctor, "teleconsult.mark"), id, m.ID, 2); err != nil || again.Rev != 3 {
		t.Errorf("removed twice: %+v, %v", again, err)
	}
	late := first
	late.Rev = 2
	if _, err := c.draws(c.asker, id, late); code(err) != "mark_changed" {
		t.Errorf("a removed mark changed: %v", err)
	}
	list, err := c.Marks(c.as(c.asker, "teleconsult.read"), id)
	if err != nil || len(list) != 1 || !list[0].Gone {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestMarksLieOnTheImagesOfTheirConsult(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	for name, change := range map[string]func(*consult.Mark){
		"of another study":        func(m *consult.Mark) { m.Study = "1.2.3" },
		"of another series":       func(m *consult.Mark) { m.Series = "1.2.3" },
		"on an unknown image":     func(m *consult.Mark) { m.SOP = "1.2.3" },
		"on a frame that is none": func(m *consult.Mark) { m.Frame = 2 },
	} {
		m := c.drawn(50)
		change(&m)
		if _, err := c.draws(c.asker, id, m); code(err) != "not_found" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*consult.Mark){
		"without points": func(m *consult.Mark) { m.Points = nil },
		"far away":       func(m *consult.Mark) { m.Points[1].X = 1e9 },
		"unknown tool":   func(m *consult.Mark) { m.Tool = "laser" },
		"half a region":  func(m *consult.Mark) { m.Tool, m.Points = "key", m.Points[:1] },
	} {
		m := c.drawn(50)
		change(&m)
		if _, err := c.draws(c.asker, id, m); code(err) != "bad_mark" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, who := range []*authz.Subject{c.staff, c.neighbour, c.colleague, c.stranger} {
		if ctx := c.as(who, "teleconsult.mark"); !authz.ScopeFrom(ctx).Empty() {
			if _, err := c.PutMark(ctx, id, c.drawn(50)); code(err) != "not_found" {
				t.Errorf("drawn by %s: %v", who.Name, err)
			}
		}
	}
	if _, err := c.draws(c.doctor, c.submitted().ID, c.drawn(50)); code(err) != "not_found" {
		t.Errorf("before anybody was asked: %v", err)
	}
}

func TestMarksOfASignedOpinionLieInTheStudy(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	key := c.drawn(0)
	key.Tool, key.Points = "key", nil
	removed := c.drawn(99)
	for _, m := range []consult.Mark{c.drawn(110), key, removed} {
		if _, err := c.draws(c.doctor, id, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.RemoveMark(c.as(c.doctor, "teleconsult.mark"), id, removed.ID, 1); err != nil {
		t.Fatal(err)
	}
	job := consult.KeepMarks{Teleconsult: id}
	if err := c.KeepMarks(t.Context(), job); err == nil {
		t.Error("kept before anybody signed")
	}
	opines := c.as(c.doctor, "teleconsult.opine")
	written := c.must(c.WriteOpinion(opines, id, consult.Opinion{Findings: "结节 81 mm", Advice: "复查"}))
	signed := c.must(c.SignOpinion(opines, id, written.Opinion.SHA256, passphrase))
	if _, err := c.draws(c.doctor, id, c.drawn(5)); code(err) != "teleconsult_moved_on" {
		t.Errorf("drawn after the signature: %v", err)
	}
	for range 2 { // a job may be done twice
		if err := c.KeepMarks(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]int{}
	for _, s := range c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), signed.ID)).Studies[0].Series {
		kept[s.Modality] += s.Instances
	}
	if kept["SR"] != 1 || kept["KO"] != 1 || kept["PR"] != 1 {
		t.Errorf("in the study: %v", kept)
	}
}
