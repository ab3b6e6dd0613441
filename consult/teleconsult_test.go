package consult_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/storage/imaging"
	"yuanzhen/storage/storagetest"
)

// ct is read before a store changes the working directory.
var ct = func() []byte {
	b, err := os.ReadFile("../storage/imaging/testdata/ct-series-3/01.dcm")
	if err != nil {
		panic(err)
	}
	return b
}()

// county is the town with a county hospital that asks the cardiologist of hospital 0 about Wang, whose chart
// it keeps and whose CT it has stored.
type county struct {
	*town
	*consult.Teleconsults
	asker     *authz.Subject // doctor of the county hospital
	neighbour *authz.Subject // doctor of the county hospital who has nothing to do with it
	colleague *authz.Subject // doctor of the invited hospital
	elsewhere *authz.Subject // coordinator of the other hospital
	place     ids.Institution
	study     string
	image     imaging.Receipt
}

func newCounty(t *testing.T) *county {
	store := storagetest.New(t)
	w := newTown(t)
	c := &county{town: w, place: ids.New[ids.Institution]()}
	images := &imaging.Service{DB: w.DB, Objects: store, Now: w.Now, Log: slog.New(slog.DiscardHandler)}
	c.Teleconsults = &consult.Teleconsults{Service: w.Service, Images: images}
	w.exec(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until, internet_service_registered, platform_connected)
		VALUES ($1, 'county', '永宁县人民医院', 'county_hospital', '420116', '', '', '2030-01-01', false, true)`, c.place)
	c.asker, c.neighbour = c.physician(c.place, "赵志远"), c.physician(c.place, "周平")
	c.colleague = c.physician(w.hospital[0], "陈慧")
	c.elsewhere = w.member(authz.Coordinator, 1)
	for i, coordinator := range []*authz.Subject{w.staff, c.elsewhere} {
		w.exec(`INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, 'coordinator')`, coordinator.Account, w.hospital[i])
	}
	for _, invited := range w.hospital {
		c.agree(invited, "consult", "imaging", "pathology", "ecg")
	}
	w.exec(`UPDATE person SET institution_id = $2 WHERE id = $1`, w.person, c.place)
	receipt, err := images.Store(w.as(c.asker, "imaging.store"), c.place, bytes.NewReader(ct))
	if err != nil || !receipt.Stored {
		t.Fatalf("CT not stored: %+v, %v", receipt, err)
	}
	c.study, c.image = receipt.Study, receipt
	return c
}

// agree puts an agreement in force that both sides have signed.
func (c *county) agree(invited ids.Institution, kinds ...string) {
	c.exec(`INSERT INTO agreement (id, inviter_institution_id, invited_institution_id, kinds, terms, during, offered_by, offered_account_id, offered_at, accepted_account_id, accepted_at)
		VALUES ($1, $2, $3, $4, '远程医疗合作协议', '[2026-01-01,2027-01-01)', $3, $5, $7, $6, $7)`, uuid.New(), c.place, invited, kinds, c.staff.Account, c.doctor.Account, c.now)
}

// physician with a signing key, in the field since 2024: not yet three years.
func (c *county) physician(place ids.Institution, name string) *authz.Subject {
	s := &authz.Subject{Account: ids.New[ids.Account](), Practitioner: ids.New[ids.Practitioner](), Name: name,
		Memberships: []authz.Membership{{Role: authz.Doctor, Place: place}}}
	c.exec(`INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $3, '-', '\x00')`, s.Account, name, s.Account.String())
	c.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
		VALUES ($1, $2, 'physician', $3, '主治医师', 2, '执业医师', '{心血管内科}', true, 'passed', '2024-01-01')`, s.Practitioner, s.Account, name)
	c.exec(`INSERT INTO registration VALUES ($1, $2, $3, 'primary', '42', '[2020-01-01,2030-01-01)', true)`, ids.New[ids.Registration](), s.Practitioner, place)
	if err := c.town.DB.InTx(c.t.Context(), func(tx pgx.Tx) error { return c.town.Keys.Issue(c.t.Context(), tx, s.Practitioner, passphrase) }); err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *county) question() consult.NewTeleconsult {
	return consult.NewTeleconsult{Person: c.person, Department: "心血管内科", Question: "能否停药？", Summary: "高血压 4 年，胸片示心影增大。", Diagnosis: "高血压", Contact: "027-5550 6600", Urgency: "routine"}
}

var signed = consult.GivenConsent{Method: "paper", SignedBy: "王秀英", Relation: "本人"}

// at is the hour of today.
func (c *county) at(hour float64) time.Time {
	return time.Date(2026, 6, 15, 0, 0, 0, 0, c.now.Location()).Add(time.Duration(hour * float64(time.Hour)))
}

// must carries out a deed that has to succeed.
func (c *county) must(t consult.Teleconsult, err error) consult.Teleconsult {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return t
}

func (c *county) requested() consult.Teleconsult {
	c.t.Helper()
	return c.must(c.Request(c.as(c.asker, "teleconsult.request"), c.question(), uuid.NewString()))
}

// submitted has Wang's study and consent.
func (c *county) submitted() consult.Teleconsult {
	c.t.Helper()
	ctx := c.as(c.asker, "teleconsult.request")
	t := c.requested()
	c.must(c.Attach(ctx, t.ID, c.study, true))
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), t.ID, signed))
	return c.must(c.Submit(ctx, t.ID))
}

// scheduled is today from 14:00 to 14:30.
func (c *county) scheduled() consult.Teleconsult {
	c.t.Helper()
	return c.must(c.Assign(c.as(c.staff, "teleconsult.assign"), c.submitted().ID, c.doctor.Practitioner, c.at(14), c.at(14.5)))
}

// sees reports whether the subject may see the study now.
func (c *county) sees(s *authz.Subject) bool {
	c.t.Helper()
	ctx := c.as(s, "imaging.read")
	all, err := c.Images.Studies(ctx, c.town.DB, authz.ScopeFrom(ctx), c.study)
	if err != nil {
		c.t.Fatal(err)
	}
	return len(all) == 1
}

func TestFromRequestToClosedConsult(t *testing.T) {
	c := newCounty(t)
	asks := c.as(c.asker, "teleconsult.request")
	assigned := c.scheduled()
	id := assigned.ID
	if assigned.State != consult.Scheduled || assigned.Expert.Practitioner.ID != c.doctor.Practitioner || assigned.Studies[0].UID != c.study ||
		!assigned.SLADue.Equal(c.now.AddDate(0, 0, 3)) || assigned.Liability != "inviter" {
		t.Fatalf("assigned: %+v", assigned)
	}
	if !c.sees(c.doctor) || c.sees(c.colleague) || c.sees(c.wang) {
		t.Fatal("the images are open to the expert, and to nobody else outside the county hospital")
	}

	enter := func(s *authz.Subject) string {
		ticket, err := c.Enter(c.as(s, "teleconsult.enter"), id)
		if err != nil {
			return code(err)
		}
		return ticket.Ticket
	}
	if got := enter(c.wang); got != "not_invited" {
		t.Errorf("uninvited patient: %s", got)
	}
	c.must(c.InvitePatient(c.as(c.staff, "teleconsult.invite"), id))
	if !c.sees(c.wang) {
		t.Error("the invited patient does not see the own images")
	}
	for _, step := range []struct {
		who  *authz.Subject
		want string
	}{
		{c.asker, "inviter host admitted=true"},
		{c.wang, "patient guest admitted=false"},
		{c.doctor, "expert host admitted=true"},
		{c.wang, "patient guest admitted=true"},
	} {
		if got := enter(step.who); got != step.want {
			t.Errorf("ticket %q, want %q", got, step.want)
		}
	}
	if !slices.Contains(c.rooms.said, "admit patient") {
		t.Errorf("the patient who waits was not let in: %v", c.rooms.said)
	}

	opines := c.as(c.doctor, "teleconsult.opine")
	first := c.must(c.WriteOpinion(opines, id, consult.Opinion{Findings: "心影增大", Advice: "停药"}))
	second := c.must(c.WriteOpinion(opines, id, consult.Opinion{Findings: "心影增大", Advice: "继续用药，复查"}))
	if first.Opinion.Version != 1 || second.Opinion.Version != 2 {
		t.Errorf("versions %d, %d", first.Opinion.Version, second.Opinion.Version)
	}
	if seen := c.must(c.Teleconsult(c.as(c.asker, "teleconsult.read"), id)); seen.Opinion != nil {
		t.Error("the asking doctor reads an opinion that is not signed")
	}
	if _, err := c.SignOpinion(opines, id, first.Opinion.SHA256, passphrase); code(err) != "text_changed" {
		t.Errorf("an old version signed: %v", err)
	}
	if _, err := c.SignOpinion(opines, id, second.Opinion.SHA256, "wrong"); code(err) != "wrong_passphrase" {
		t.Errorf("signed without the passphrase: %v", err)
	}
	done := c.must(c.SignOpinion(opines, id, second.Opinion.SHA256, passphrase))
	if done.State != consult.OpinionSigned || done.Opinion.SignedAt == nil {
		t.Fatalf("opinion: %+v", done.Opinion)
	}
	c.mustVerify(id, "opinion")
	if !strings.Contains(done.Opinion.Canonical, c.study) {
		t.Error("the opinion does not say on which study it rests")
	}

	done = c.must(c.Decide(asks, id, "full", "继续用药，三个月复查", passphrase))
	if done.State != consult.Decided || done.Decision.Content["opinion_sha256"] != second.Opinion.SHA256 {
		t.Fatalf("decision: %+v", done.Decision)
	}
	c.mustVerify(id, "decision")
	if !c.sees(c.doctor) {
		t.Error("the images ended before the consult was closed")
	}
	done = c.must(c.Close(asks, id))
	if c.sees(c.doctor) || c.sees(c.wang) || !c.sees(c.asker) {
		t.Error("after the end only the hospital that stored the images may see them")
	}
	if got := enter(c.doctor); done.State != consult.Closed || got != "teleconsult_moved_on" || c.rooms.said[len(c.rooms.said)-1] != "close" {
		t.Errorf("closed: %s, ticket %q, rooms %v", done.State, got, c.rooms.said)
	}
}

// mustVerify checks the stored signature over the stored bytes with the signer's public key.
func (c *county) mustVerify(id ids.Teleconsult, kind string) {
	c.t.Helper()
	var canonical, signature []byte
	var sum string
	var key keys.PublicKey
	err := c.town.DB.QueryRow(c.t.Context(), `
		SELECT d.canonical, d.sha256, d.signature, k.public_key, k.alg FROM teleconsult_document d JOIN signing_key k ON k.id = d.key_id
		WHERE d.teleconsult_id = $1 AND d.kind = $2 AND d.signed_at IS NOT NULL`, id, kind).Scan(&canonical, &sum, &signature, &key.Public, &key.Alg)
	if err != nil {
		c.t.Fatal(err)
	}
	hash := sha256.Sum256(canonical)
	if hex.EncodeToString(hash[:]) != sum || keys.Verify(key, canonical, signature) != nil {
		c.t.Errorf("%s: the signature does not hold", kind)
	}
	_, err = c.town.DB.Exec(c.t.Context(), `UPDATE teleconsult_document SET canonical = '{}' WHERE teleconsult_id = $1 AND kind = $2 AND signed_at IS NOT NULL`, id, kind)
	if err == nil {
		c.t.Errorf("%s: a signed text could be altered", kind)
	}
}

// Each deed is one party's; everybody else meets "not there", or has no such action at all.
func TestOnlyTheRightPartyMayAct(t *testing.T) {
	c := newCounty(t)
	deeds := []struct {
		name, action string
		may          []*authz.Subject
		do           func(context.Context, ids.Teleconsult) (consult.Teleconsult, error)
	}{
		{"read", "teleconsult.read", []*authz.Subject{c.asker, c.doctor, c.staff, c.wang}, c.Teleconsult},
		{"rewrite", "teleconsult.request", []*authz.Subject{c.asker}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Rewrite(ctx, id, c.question())
		}},
		{"attach", "teleconsult.request", []*authz.Subject{c.asker}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Attach(ctx, id, c.study, true)
		}},
		{"consent", "teleconsult.consent", []*authz.Subject{c.asker, c.wang}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Consent(ctx, id, signed)
		}},
		{"submit", "teleconsult.request", []*authz.Subject{c.asker}, c.Submit},
		{"cancel", "teleconsult.request", []*authz.Subject{c.asker}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Cancel(ctx, id, "不需要了")
		}},
		{"assign", "teleconsult.assign", []*authz.Subject{c.staff}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Assign(ctx, id, c.doctor.Practitioner, c.at(16), c.at(16.5))
		}},
		{"decline", "teleconsult.assign", []*authz.Subject{c.staff}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Decline(ctx, id, "无此专科")
		}},
		{"invite", "teleconsult.invite", []*authz.Subject{c.staff, c.asker}, c.InvitePatient},
		{"opine", "teleconsult.opine", []*authz.Subject{c.doctor}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.WriteOpinion(ctx, id, consult.Opinion{Findings: "无", Advice: "无"})
		}},
		{"sign opinion", "teleconsult.opine", []*authz.Subject{c.doctor}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.SignOpinion(ctx, id, strings.Repeat("0", 64), passphrase)
		}},
		{"decide", "teleconsult.request", []*authz.Subject{c.asker}, func(ctx context.Context, id ids.Teleconsult) (consult.Teleconsult, error) {
			return c.Decide(ctx, id, "none", "不采纳", passphrase)
		}},
		{"close", "teleconsult.request", []*authz.Subject{c.asker}, c.Close},
	}
	people := map[string]*authz.Subject{"asking doctor": c.asker, "expert": c.doctor, "coordinator": c.staff, "patient": c.wang, "colleague of the asking doctor": c.neighbour,
		"colleague of the expert": c.colleague, "coordinator elsewhere": c.elsewhere, "stranger": c.stranger}
	scheduled := c.scheduled()
	for _, d := range deeds {
		for name, who := range people {
			if slices.Contains(d.may, who) {
				continue
			}
			ctx := c.as(who, d.action)
			if authz.ScopeFrom(ctx).Empty() {
				continue // refused at the edge
			}
			if _, err := d.do(ctx, scheduled.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s by %s: %s, want not found", d.name, name, code(err))
			}
		}
		for _, who := range d.may {
			if _, err := d.do(c.as(who, d.action), scheduled.ID); d.name != "cancel" && err != nil && fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s by the right party: %s", d.name, code(err))
			}
		}
		if d.name == "cancel" { // ended the consult: the rest is tried on a fresh one, at the same time
			scheduled = c.scheduled()
		}
	}
	draft := c.requested()
	if _, err := c.Teleconsult(c.as(c.staff, "teleconsult.read"), draft.ID); code(err) != "not_found" {
		t.Errorf("the invited hospital reads a draft: %s", code(err))
	}
	if _, err := c.Teleconsult(c.as(c.asker, "teleconsult.read"), ids.Teleconsult{}); code(err) != "not_found" {
		t.Errorf("no id means any: %s", code(err))
	}
}

func TestARequestGoesOutWhole(t *testing.T) {
	c := newCounty(t)
	ctx := c.as(c.asker, "teleconsult.request")
	draft := c.requested()
	if _, err := c.Submit(ctx, draft.ID); code(err) != "consent_missing" {
		t.Errorf("without consent (TCR-03): %s", code(err))
	}
	if _, err := c.Attach(ctx, draft.ID, c.study, false); code(err) != "patient_not_confirmed" {
		t.Errorf("without comparing the patient: %s", code(err))
	}
	if _, err := c.Attach(ctx, draft.ID, "1.2.3", true); code(err) != "not_found" {
		t.Errorf("a study that nobody stored: %s", code(err))
	}
	byPhone := consult.GivenConsent{Method: "patient_device", SignedBy: "王秀英", Relation: "本人"}
	if _, err := c.Consent(c.as(c.asker, "teleconsult.consent"), draft.ID, byPhone); code(err) != "not_the_patients_device" {
		t.Errorf("the doctor agrees on the patient's phone: %v", err)
	}
	byPhone.Text = &consult.ConsentText{Version: draft.Asked.Version}
	elsewhere := c.question()
	elsewhere.Kind = "imaging"
	c.must(c.Rewrite(ctx, draft.ID, elsewhere))
	if _, err := c.Consent(c.as(c.wang, "teleconsult.consent"), draft.ID, byPhone); code(err) != "consent_text_changed" {
		t.Errorf("the patient agrees to another purpose than they read: %v", err)
	}
	byPhone.Text.Version = c.must(c.Rewrite(ctx, draft.ID, c.question())).Asked.Version
	agreed := c.must(c.Consent(c.as(c.wang, "teleconsult.consent"), draft.ID, byPhone))
	if text := agreed.Consent.Text; text == nil || text.Version != draft.Asked.Version || !strings.Contains(text.ZH, agreed.Invited.Name+agreed.Department) || agreed.Asked != nil {
		t.Errorf("kept of what the patient read: %+v, still asked %+v", text, agreed.Asked)
	}
	if _, err := c.Submit(ctx, draft.ID); code(err) != "request_incomplete" {
		t.Errorf("without images or results (TCR-06): %s", code(err))
	}
	bare := c.question()
	bare.Diagnosis = ""
	c.must(c.Attach(ctx, draft.ID, c.study, true))
	if missing := c.must(c.Rewrite(ctx, draft.ID, bare)).Missing; !slices.Equal(missing, []string{"diagnosis"}) {
		t.Errorf("missing: %v", missing)
	}
	if _, err := c.Submit(ctx, draft.ID); code(err) != "request_incomplete" {
		t.Errorf("without a diagnosis (TCR-06): %s", code(err))
	}
	c.must(c.Rewrite(ctx, draft.ID, c.question()))
	sent := c.must(c.Submit(ctx, draft.ID))
	if !sent.SLADue.Equal(c.now.Add(48 * time.Hour)) {
		t.Errorf("to be arranged by %v (TCR-07)", sent.SLADue)
	}
	if _, err := c.Submit(ctx, draft.ID); code(err) != "teleconsult_moved_on" {
		t.Errorf("submitted twice: %s", code(err))
	}
	if _, err := c.Rewrite(ctx, sent.ID, c.question()); code(err) != "teleconsult_moved_on" {
		t.Errorf("changed after it was handed in: %s", code(err))
	}

	for story, alter := range map[string]func(*consult.NewTeleconsult){
		"a hospital that does not exist":       func(n *consult.NewTeleconsult) { n.Invited = ids.New[ids.Institution]() },
		"the own hospital":                     func(n *consult.NewTeleconsult) { n.Invited = c.place },
		"a hospital without coordinator":       func(n *consult.NewTeleconsult) { n.Department = "骨科" },
		"a patient of another hospital's care": func(n *consult.NewTeleconsult) { _, n.Person = c.patient("外院病人", "1970-01-01") },
	} {
		in := c.question()
		alter(&in)
		if _, err := c.Request(ctx, in, uuid.NewString()); code(err) != "no_hospital" && code(err) != "not_found" {
			t.Errorf("%s: %v", story, err)
		}
	}
	other := c.requested()
	in := c.question()
	in.Invited, in.Question = c.hospital[1], "换一家医院问"
	if other = c.must(c.Rewrite(ctx, other.ID, in)); other.Invited.ID != c.hospital[1] || other.Question != in.Question {
		t.Errorf("rewritten: %+v", other)
	}
	in.Person = ids.New[ids.Person]()
	if _, err := c.Rewrite(ctx, other.ID, in); code(err) != "other_patient" {
		t.Errorf("patient exchanged: %s", code(err))
	}
}

func TestTheSameRequestTwiceIsOneConsult(t *testing.T) {
	c := newCounty(t)
	key := uuid.NewString()
	seen := make([]ids.Teleconsult, 10)
	var done sync.WaitGroup
	for i := range seen {
		done.Go(func() {
			r, err := c.Request(c.as(c.asker, "teleconsult.request"), c.question(), key)
			if err != nil {
				t.Error(err)
			}
			seen[i] = r.ID
		})
	}
	done.Wait()
	if len(slices.Compact(seen)) != 1 {
		t.Errorf("consults: %v", seen)
	}
}

// The expert, at two hospitals, and the asking doctor must both be free.
func TestATimeThatSuitsBoth(t *testing.T) {
	c := newCounty(t)
	ctx := c.as(c.staff, "teleconsult.assign")
	sent := c.submitted()
	c.slots(1, 11, 4) // the expert sees patients at the other hospital until noon
	experts, err := c.Experts(ctx, sent.ID)
	if err != nil || len(experts) != 1 || experts[0].ID != c.doctor.Practitioner || len(experts[0].Places) != 2 {
		t.Fatalf("experts: %+v, %v (the colleague has less than three years, TCR-05)", experts, err)
	}
	times, err := c.Times(ctx, sent.ID, c.doctor.Practitioner)
	if err != nil || len(times) != 6 || len(times[0].FreeAt) != 2 {
		t.Fatalf("times: %+v, %v", times, err)
	}
	for _, p := range times {
		if p.Start.Before(c.now) || p.End.After(c.at(11)) && p.Start.Before(c.at(12)) {
			t.Errorf("proposed %v to %v", p.Start, p.End)
		}
	}
	for _, step := range []struct {
		story string
		who   ids.Practitioner
		start time.Time
		end   time.Time
		want  string
	}{
		{"while the expert is at the other hospital", c.doctor.Practitioner, c.at(11.5), c.at(12), "doctor_elsewhere"},
		{"a physician under three years", c.colleague.Practitioner, c.at(15), c.at(15.5), "expert_not_registered"},
		{"a physician of elsewhere", c.neighbour.Practitioner, c.at(15), c.at(15.5), "expert_not_registered"},
		{"ends before it begins", c.doctor.Practitioner, c.at(15.5), c.at(15), "time_wrong"},
		{"is over", c.doctor.Practitioner, c.at(8), c.at(9), "time_wrong"},
		{"in a hundred years", c.doctor.Practitioner, c.at(15).AddDate(100, 0, 0), c.at(15.5).AddDate(100, 0, 0), "time_wrong"},
		{"a proposed one", c.doctor.Practitioner, times[0].Start, times[0].End, "done"},
		{"again", c.doctor.Practitioner, times[1].Start, times[1].End, "teleconsult_moved_on"},
	} {
		if _, err := c.Assign(ctx, sent.ID, step.who, step.start, step.end); code(err) != step.want {
			t.Errorf("%s: %s, want %s", step.story, code(err), step.want)
		}
	}
	if next, err := c.Times(ctx, c.submitted().ID, c.doctor.Practitioner); err != nil || next[0].Start.Before(times[0].End) {
		t.Errorf("the same time is offered twice: %+v, %v", next, err)
	}
}

func TestAStudyThatComesLaterIsOpenToo(t *testing.T) {
	c := newCounty(t)
	asks := c.as(c.asker, "teleconsult.request")
	in := c.question()
	in.Labs = "肌钙蛋白正常"
	id := c.must(c.Request(asks, in, uuid.NewString())).ID
	c.must(c.Consent(c.as(c.asker, "teleconsult.consent"), id, signed))
	c.must(c.Submit(asks, id))
	c.must(c.Assign(c.as(c.staff, "teleconsult.assign"), id, c.doctor.Practitioner, c.at(14), c.at(14.5)))
	c.must(c.InvitePatient(c.as(c.asker, "teleconsult.invite"), id))
	if c.sees(c.doctor) || c.sees(c.wang) {
		t.Fatal("a study is open that belongs to no consult")
	}
	c.must(c.Attach(asks, id, c.study, true))
	if !c.sees(c.doctor) || !c.sees(c.wang) {
		t.Error("the study is not open to expert and patient")
	}
	c.now = c.at(14.5).Add(7*24*time.Hour + time.Minute)
	if c.sees(c.doctor) {
		t.Error("the right to the images did not lapse by the clock")
	}
	if cancelled := c.must(c.Cancel(asks, id, "转院")); cancelled.State != consult.Cancelled || cancelled.Reason != "转院" {
		t.Errorf("cancelled: %+v", cancelled)
	}
	if n := one[int](c.town, `SELECT count(*) FROM slot WHERE withdrawn_at IS NULL`); n != 0 {
		t.Errorf("%d slots still hold the expert", n)
	}
}

func TestListsShowWhatIsOnesOwnAndSayWhoRead(t *testing.T) {
	c := newCounty(t)
	c.requested()
	c.submitted()
	for _, who := range []struct {
		name string
		sub  *authz.Subject
		want int
	}{{"asking doctor", c.asker, 2}, {"coordinator", c.staff, 1}, {"patient", c.wang, 2}, {"expert before the assignment", c.doctor, 0},
		{"coordinator elsewhere", c.elsewhere, 0}, {"stranger", c.stranger, 0}} {
		before := one[int](c.town, `SELECT count(*) FROM audit_entry WHERE person_id = $1`, c.person)
		list, err := c.List(c.as(who.sub, "teleconsult.read"))
		if err != nil || len(list) != who.want {
			t.Errorf("%s: %d consults, %v; want %d", who.name, len(list), err, who.want)
		}
		if n := one[int](c.town, `SELECT count(*) FROM audit_entry WHERE person_id = $1`, c.person) - before; n != who.want {
			t.Errorf("%s: %d readings recorded, want %d", who.name, n, who.want)
		}
	}
	found, err := c.PatientsOf(c.as(c.asker, "patient.search"), "王")
	if err != nil || len(found) != 1 || found[0].ID != c.person {
		t.Errorf("search: %+v, %v", found, err)
	}
	if found, err := c.PatientsOf(c.as(c.doctor, "patient.search"), "王"); err != nil || len(found) != 0 {
		t.Errorf("patients of another hospital: %+v, %v", found, err)
	}
}

// The list and the case, what was drawn and what was said over the images go with the images themselves.
func TestWhoseGrantHasEndedLearnsOfTheStudiesWhatThePackageSays(t *testing.T) {
	c := newCounty(t)
	id := c.scheduled().ID
	if _, err := c.PutMark(c.as(c.doctor, "teleconsult.mark"), id, c.drawn(10)); err != nil {
		t.Fatal(err)
	}
	if err := c.shows(c.doctor, id, c.showing(0, 1)); err != nil {
		t.Fatal(err)
	}
	type view struct {
		name         string
		who          *authz.Subject
		reads, named bool // the case; whose images they are
		looks        bool // at marks and talk
	}
	look := func(when string, views ...view) {
		t.Helper()
		for _, v := range views {
			ctx := c.as(v.who, "teleconsult.read")
			one, err := c.Teleconsult(ctx, id)
			if (err == nil) != v.reads || err != nil && code(err) != "not_found" {
				t.Errorf("%s, %s reads: %v", when, v.name, err)
			}
			list, err := c.List(ctx)
			if err != nil || (len(list) == 1) != v.reads {
				t.Errorf("%s, %s lists %d, %v", when, v.name, len(list), err)
			}
			for _, one := range append(list, one) {
				for _, study := range one.Studies {
					whole := study.UID == c.study && study.PatientName != "" && study.PatientID != "" && study.Instances == 1 && len(study.Series) == 1
					bare := study.UID == "" && study.ID.IsZero() && study.PatientName+study.PatientID+study.PatientSex+study.PatientBirthDate+study.Description == "" && study.Instances == 0 && len(study.Series) == 0
					if v.named && !whole || !v.named && !bare {
						t.Errorf("%s, %s is told %+v", when, v.name, study)
					}
					if study.StudyDate == "" || !slices.Equal(study.Modalities, []string{"CT"}) {
						t.Errorf("%s, %s isn't told the kind and the day: %+v", when, v.name, study)
					}
				}
				if v.reads && len(one.Studies) != 1 {
					t.Errorf("%s, %s is told of %d studies", when, v.name, len(one.Studies))
				}
			}
			marks, err := c.Marks(ctx, id)
			if (err == nil) != v.looks || err != nil && code(err) != "not_found" || v.looks && len(marks) != 1 {
				t.Errorf("%s, %s reads %d marks, %v", when, v.name, len(marks), err)
			}
			talk, err := c.Replay(ctx, id)
			if (err == nil) != v.looks || err != nil && code(err) != "not_found" || v.looks && len(talk.States) != 1 {
				t.Errorf("%s, %s reads %d steps of the talk, %v", when, v.name, len(talk.States), err)
			}
		}
	}
	strangers := []view{{"a colleague of the expert", c.colleague, false, false, false}, {"a colleague of the asking doctor", c.neighbour, false, false, false},
		{"another hospital's coordinator", c.elsewhere, false, false, false}, {"a stranger", c.stranger, false, false, false}}
	look("under way", append(strangers, view{"the asking doctor", c.asker, true, true, true}, view{"the expert", c.doctor, true, true, true},
		view{"the coordinator", c.staff, true, true, false})...)
	opined := c.must(c.WriteOpinion(c.as(c.doctor, "teleconsult.opine"), id, consult.Opinion{Findings: "心影增大", Advice: "复查"}))
	c.must(c.SignOpinion(c.as(c.doctor, "teleconsult.opine"), id, opined.Opinion.SHA256, passphrase))
	asks := c.as(c.asker, "teleconsult.request")
	c.must(c.Decide(asks, id, "full", "复查", passphrase))
	c.must(c.Close(asks, id))
	look("closed", append(strangers, view{"the asking doctor", c.asker, true, true, true}, view{"the former expert", c.doctor, true, false, false},
		view{"the coordinator", c.staff, true, false, false})...)
}
