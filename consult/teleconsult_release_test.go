package consult_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// third is a cardiologist of the invited hospital who may lead.
func (c *county) third() *authz.Subject {
	s := c.physician(c.hospital[0], "何晓")
	c.exec(`UPDATE practitioner SET independent_since = '2015-01-01' WHERE id = $1`, s.Practitioner)
	return s
}

func (c *county) releases(id ids.Teleconsult, who *authz.Subject, r consult.Release) (consult.Teleconsult, error) {
	return c.ReleaseExpert(c.as(c.staff, "teleconsult.assign"), id, who.Practitioner, r)
}

func TestAnExpertWhoNeverSignsIsReleasedAndTheOthersAnswerIsWhole(t *testing.T) {
	c := newCounty(t)
	notes := &told{}
	c.town.Notices = notes
	second, invitee := c.second()
	one := c.handed(invitee)
	if _, err := c.releases(one.ID, second, consult.Release{Reason: "other"}); code(err) != "note_missing" {
		t.Errorf("other, in no words: %v", err)
	}
	c.opines(c.doctor, one, plain)
	if _, err := c.releases(one.ID, c.doctor, consult.Release{Reason: "away"}); code(err) != "opinion_signed" {
		t.Errorf("who has signed: %v", err)
	}
	if _, err := c.releases(one.ID, c.colleague, consult.Release{Reason: "away"}); code(err) != "not_found" {
		t.Errorf("who is no expert of it: %v", err)
	}
	for name, ctx := range map[string]context.Context{"coordinator elsewhere": c.as(c.elsewhere, "teleconsult.assign"), "a colleague": c.as(c.colleague, "teleconsult.assign")} {
		if _, err := c.ReleaseExpert(ctx, one.ID, second.Practitioner, consult.Release{Reason: "away"}); code(err) != "not_found" {
			t.Errorf("%s: %v", name, err)
		}
	}
	done, err := c.releases(one.ID, second, consult.Release{Reason: "unreachable", Note: "三次电话未接"})
	if err != nil || done.State != consult.OpinionSigned || len(done.Further) != 0 || len(done.Released) != 1 {
		t.Fatalf("%s %+v %v", done.State, done.Released, err)
	}
	if r := done.Released[0]; r.Expert.ID != second.Practitioner || r.Reason != "unreachable" || r.Withdrew || r.By != c.staff.Name {
		t.Errorf("%+v", r)
	}
	if c.sees(second) || !c.sees(c.doctor) {
		t.Error("the released expert sees the images, or the other does not")
	}
	if _, err := c.Teleconsult(c.as(second, "teleconsult.read"), one.ID); code(err) != "not_found" {
		t.Errorf("the released expert reads on: %v", err)
	}
	if said := notes.said[second.Account]; len(said) != 1 || strings.Contains(said[0], "王秀英") {
		t.Errorf("the released expert was told %v", said)
	}
	if _, err := c.releases(one.ID, second, consult.Release{Reason: "away"}); code(err) != "teleconsult_moved_on" {
		t.Errorf("twice: %v", err)
	}
	_, err = c.town.DB.Exec(t.Context(), `INSERT INTO teleconsult_released VALUES ($1, $2, 'away', '', $3, false, now())`, one.ID, c.doctor.Practitioner, c.staff.Account)
	if err == nil {
		t.Error("the database let a signer go")
	}

	ask := c.as(c.asker, "teleconsult.request")
	c.must(c.Decide(ask, one.ID, "full", "继续用药", passphrase))
	c.must(c.Close(ask, one.ID))
	parcel, err := c.OpenPackage(c.as(c.asker, "teleconsult.package"), one.ID)
	var whole struct {
		Released []consult.Released
		Steps    []consult.Step
	}
	if err != nil || json.Unmarshal(parcel, &whole) != nil || len(whole.Released) != 1 || whole.Released[0].Note != "三次电话未接" ||
		!slices.ContainsFunc(whole.Steps, func(s consult.Step) bool { return s.Deed == "release" && strings.Contains(s.Note, "李明远") }) {
		t.Errorf("the package says %+v, %v", whole, err)
	}
	if page, err := c.Report(c.as(c.asker, "teleconsult.read"), one.ID); err != nil || !bytes.HasPrefix(page, []byte("%PDF-")) {
		t.Errorf("report: %v", err)
	}
}

func TestTheFirstExpertIsReleasedToASuccessorAlone(t *testing.T) {
	c := newCounty(t)
	third := c.third()
	one := c.handed()
	if _, err := c.releases(one.ID, c.doctor, consult.Release{Reason: "unwell"}); code(err) != "lead_needs_successor" {
		t.Errorf("the last signer: %v", err)
	}
	for name, who := range map[string]*authz.Subject{"under three years": c.colleague, "themself": c.doctor, "of the asking hospital": c.neighbour} {
		if _, err := c.releases(one.ID, c.doctor, consult.Release{Reason: "unwell", Successor: who.Practitioner}); code(err) != "expert_not_registered" {
			t.Errorf("succeeded by one %s: %v", name, err)
		}
	}
	c.now = one.SLADue.Add(20 * 24 * time.Hour) // long overdue: the successor sees the images all the same
	next, err := c.releases(one.ID, c.doctor, consult.Release{Reason: "unwell", Successor: third.Practitioner})
	if err != nil || next.State != consult.InProgress || next.Expert.Practitioner.ID != third.Practitioner || len(next.Released) != 1 {
		t.Fatalf("%+v %v", next.Expert, err)
	}
	if !c.sees(third) || c.sees(c.doctor) {
		t.Error("the images did not go over to the successor")
	}
	if _, err := c.WriteOpinion(c.as(c.doctor, "teleconsult.opine"), one.ID, plain); code(err) != "not_found" {
		t.Errorf("the released expert writes on: %v", err)
	}
	if _, err := c.releases(one.ID, third, consult.Release{Reason: "away", Successor: c.doctor.Practitioner}); code(err) != "expert_not_registered" {
		t.Errorf("who was released comes back: %v", err)
	}
	ctx := c.as(third, "teleconsult.opine")
	written := c.must(c.WriteOpinion(ctx, one.ID, plain))
	if done := c.must(c.SignOpinion(ctx, one.ID, written.Opinion.SHA256, passphrase)); done.State != consult.OpinionSigned {
		t.Errorf("%s", done.State)
	}
}

func TestAFurtherExpertTakesTheFirstsPlaceAndTime(t *testing.T) {
	c := newCounty(t)
	third := c.third()
	staff := c.as(c.staff, "teleconsult.assign")
	one := c.must(c.Assign(staff, c.submitted().ID, c.doctor.Practitioner, c.at(14), c.at(14.5), consult.Invitee{PractitionerID: third.Practitioner, InstitutionID: c.hospital[0]}))
	kept := func(who *authz.Subject) int {
		return countOf(c, `SELECT count(*) FROM slot WHERE withdrawn_at IS NULL AND practitioner_id = $1`, who.Practitioner)
	}
	if err := c.Withdraw(c.as(c.neighbour, "teleconsult.opine"), one.ID, consult.Release{Reason: "away"}); code(err) != "not_found" {
		t.Errorf("by a colleague: %v", err)
	}
	if err := c.Withdraw(c.as(c.doctor, "teleconsult.opine"), one.ID, consult.Release{Reason: "conflict"}); err != nil {
		t.Fatal(err)
	}
	after := c.must(c.Teleconsult(c.as(c.staff, "teleconsult.read"), one.ID))
	if after.State != consult.Scheduled || after.Expert.Practitioner.ID != third.Practitioner || len(after.Further) != 0 || !after.Start.Equal(c.at(14)) {
		t.Fatalf("%+v", after)
	}
	if !after.Released[0].Withdrew || after.Released[0].By != c.doctor.Name {
		t.Errorf("%+v", after.Released)
	}
	if kept(c.doctor) != 0 || kept(third) != 1 {
		t.Errorf("times kept: first %d, successor %d", kept(c.doctor), kept(third))
	}
	fresh := c.physician(c.hospital[0], "孟然")
	c.exec(`UPDATE practitioner SET independent_since = '2015-01-01' WHERE id = $1`, fresh.Practitioner)
	if after, err := c.releases(one.ID, third, consult.Release{Reason: "away", Successor: fresh.Practitioner}); err != nil || !after.Start.Equal(c.at(14)) || kept(third) != 0 || kept(fresh) != 1 {
		t.Errorf("somebody new, with the time kept: %+v %v", after.Start, err)
	}
	c.must(c.Cancel(c.as(c.asker, "teleconsult.request"), one.ID, "转院"))
	if kept(fresh) != 0 {
		t.Error("the successor's time is kept for a cancelled consult")
	}
}
