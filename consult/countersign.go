package consult

import (
	"context"
	"slices"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// A request goes out in the name of the asking hospital, so its medical office (医务科) countersigns it, where the hospital has set
// that it must (regulation rules 5.3). The office are the hospital's administrators; nobody countersigns a request of their own. An
// emergency goes out at once and is countersigned afterwards: care never waits for a signature.

// oweCountersign is how long the office has for a request that has gone out before it.
const oweCountersign = 24 * time.Hour

// remindOffice is how long before that it is reminded: late enough that most have signed unasked, early enough for a working day to
// begin in between. It is customary.
const remindOffice = 6 * time.Hour

// officeSteps are what the medical office says and hears. That they happened both sides read; their words are the asking hospital's own.
var officeSteps = []string{"send back", "object", "remind the office", "office late"}

// Countersign is what the medical office said of a request.
type Countersign struct {
	Signed bool      `json:"signed"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty" doc:"Why not; only the asking doctor is shown it"`
	SHA256 string    `json:"sha256" doc:"Of the request in canonical form (RFC 8785)"`
	At     time.Time `json:"at"`
}

// CountersignDesk is what lies before the medical office of the hospitals in the scope.
type CountersignDesk struct {
	Rules []CountersignRule   `json:"rules"`
	Cases []CountersignMatter `json:"cases" doc:"The longest waiting first"`
}

// CountersignRule says whether a hospital's requests need the countersign.
type CountersignRule struct {
	Place   Named[ids.Institution] `json:"place"`
	Version int                    `json:"version" doc:"0: the hospital has set nothing, and needs none"`
	Needed  bool                   `json:"needed"`
	History []CountersignVersion   `json:"history" doc:"The newest first"`
}

// CountersignVersion says who set a version, when and why.
type CountersignVersion struct {
	Version int       `json:"version"`
	Needed  bool      `json:"needed"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// SetCountersigning is a new version in place of the one that was shown.
type SetCountersigning struct {
	Version int    `json:"version" minimum:"0" doc:"The one that was shown"`
	Needed  bool   `json:"needed"`
	Reason  string `json:"reason" minLength:"2" maxLength:"500"`
}

// CountersignMatter is a request as the office sees it: what it needs to answer for it, no summary, results or images, and of the
// patient no whole name (ADR 18: who reads a case stays as it is).
type CountersignMatter struct {
	ID         ids.Teleconsult        `json:"id"`
	State      State                  `json:"state"`
	Since      time.Time              `json:"since"`
	Due        *time.Time             `json:"due,omitempty" doc:"Of what has gone out already: until when it is to be countersigned"`
	Told       *time.Time             `json:"told_at,omitempty" doc:"When the office was last reminded of what it owes"`
	Kind       string                 `json:"kind"`
	Urgency    string                 `json:"urgency"`
	Department string                 `json:"department"`
	Question   string                 `json:"question"`
	Patient    string                 `json:"patient" doc:"The name, masked"`
	Doctor     Doctor                 `json:"doctor"`
	Own        bool                   `json:"own" doc:"The asker's own request, which somebody else countersigns"`
	Inviter    Named[ids.Institution] `json:"inviter"`
	Invited    Named[ids.Institution] `json:"invited"`
	Consent    string                 `json:"consent" enum:"paper,patient_device,head_approval"`
	ConsentAt  time.Time              `json:"consent_at"`
	Missing    []string               `json:"missing" doc:"What the request lacks (TCR-06)"`
	Studies    int                    `json:"studies"`
	SHA256     string                 `json:"sha256" doc:"Of the request in canonical form (RFC 8785)"`
}

// withoutOfficeWords takes out what only the asking hospital may read of its office's answers.
func withoutOfficeWords(said []Countersign, steps []Step) {
	for i := range said {
		said[i].Reason = ""
	}
	for i := range steps {
		if slices.Contains(officeSteps, steps[i].Deed) {
			steps[i].Note = ""
		}
	}
}

// masked leaves of a name what tells two patients of a day apart: 周**.
func masked(name string) string {
	letters := []rune(name)
	return string(letters[:min(1, len(letters))]) + strings.Repeat("*", max(0, len(letters)-1))
}

// request is what goes out, as the package keeps it.
func (t *Teleconsult) request() map[string]any {
	return map[string]any{"person": t.Person, "department": t.Department, "urgency": t.Urgency, "question": t.Question, "summary": t.Summary,
		"diagnosis": t.Diagnosis, "labs": t.Labs, "contact": t.Contact, "studies": studyUIDs(t.Studies)}
}

// requestSum is the hash of what the office answers for.
func (t *Teleconsult) requestSum() (string, error) {
	_, sum, err := canonicalBytes(map[string]any{"type": "teleconsult.request", "teleconsult": t.ID, "kind": t.Kind, "liability": t.Liability,
		"request": t.request(), "inviter": t.Inviter, "invited": t.Invited, "consent": t.Consent})
	return sum, err
}

func (s *Teleconsults) forOffice(ctx context.Context, t Teleconsult) (m CountersignMatter, err error) {
	m = CountersignMatter{ID: t.ID, State: t.State, Since: *t.OfficeSince, Kind: t.Kind, Urgency: t.Urgency, Department: t.Department, Question: t.Question,
		Patient: masked(t.Person.Name), Doctor: t.Inviter.Practitioner, Own: asks(ctx, t.Inviter.Practitioner.ID), Inviter: t.Inviter.Institution, Invited: t.Invited,
		Consent: t.Consent.Method, ConsentAt: t.Consent.At, Missing: t.lacks(), Studies: len(t.Studies)}
	if t.State != WithOffice {
		due := m.Since.Add(oweCountersign)
		m.Due, m.Told = &due, t.row.OfficeToldAt
	}
	m.SHA256, err = t.requestSum()
	return m, err
}

// house reads a request whole for a deed that shows only part of it; the scope of the asker was asked before.
func (s *Teleconsults) house(ctx context.Context, tx tx, id ids.Teleconsult) (Teleconsult, error) {
	return s.find(authz.WithScope(ctx, authz.System(authz.ScopeFrom(ctx).Action)), tx, id)
}

// Desk lists what waits for the medical office, and what it still owes.
func (s *Teleconsults) Desk(ctx context.Context) (d CountersignDesk, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		d, err = s.desk(ctx, tx)
		return err
	})
	return d, err
}

func (s *Teleconsults) desk(ctx context.Context, tx tx) (d CountersignDesk, err error) {
	scope := authz.ScopeFrom(ctx)
	d.Cases = []CountersignMatter{}
	if d.Rules, err = selectCountersignRules(ctx, tx, scope, ids.Institution{}); err != nil {
		return d, err
	}
	waiting, err := selectForOffice(ctx, tx, scope)
	if err != nil {
		return d, err
	}
	for _, id := range waiting {
		t, err := s.house(ctx, tx, id)
		if err != nil {
			return d, err
		}
		m, err := s.forOffice(ctx, t)
		if err != nil {
			return d, err
		}
		d.Cases = append(d.Cases, m)
		if err := t.audit(ctx, tx, "list"); err != nil {
			return d, err
		}
	}
	return d, nil
}

// SetCountersigning sets whether a hospital's requests need the countersign. What lies with the office stays there.
func (s *Teleconsults) SetCountersigning(ctx context.Context, place ids.Institution, set SetCountersigning) (d CountersignDesk, err error) {
	moved := fault.New(fault.Conflict, "countersigning_moved_on", "别人先改了会签的设置。", "Somebody else has changed the setting first.").
		WithRemedy("请看现在的，再改。", "Look at it as it is now, then change it.")
	err = s.inTx(ctx, func(tx tx) error {
		if place.IsZero() { // would filter nothing
			return fault.Missing()
		}
		rules, err := selectCountersignRules(ctx, tx, authz.ScopeFrom(ctx), place)
		switch {
		case err != nil:
			return err
		case len(rules) == 0:
			return fault.Missing()
		case rules[0].Version != set.Version:
			return moved
		}
		if err := insertCountersigning(ctx, tx, place, set, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "institution/" + place.String(), Place: place, Reason: set.Reason}); err != nil {
			return err
		}
		d, err = s.desk(ctx, tx)
		return err
	})
	if pg.Violates(err, "teleconsult_countersigning_pkey") { // at the same moment
		return d, moved
	}
	return d, err
}

// Countersign sends the request out in the hospital's name, with sum the hash of what was shown; the invited hospital's clock starts.
// Of an emergency that has gone out it settles what was owed.
func (s *Teleconsults) Countersign(ctx context.Context, id ids.Teleconsult, sum string) (CountersignDesk, error) {
	return s.answerOf(ctx, id, sum, "")
}

// RefuseCountersign gives the request back to the doctor with a reason. An emergency that has gone out goes on; the objection stays
// with it.
func (s *Teleconsults) RefuseCountersign(ctx context.Context, id ids.Teleconsult, sum, reason string) (CountersignDesk, error) {
	return s.answerOf(ctx, id, sum, reason)
}

// answerOf is the office's answer; without a reason it signs.
func (s *Teleconsults) answerOf(ctx context.Context, id ids.Teleconsult, sum, reason string) (d CountersignDesk, err error) {
	var t Teleconsult
	err = s.inTx(ctx, func(tx tx) error {
		theirs, err := lockForOffice(ctx, tx, authz.ScopeFrom(ctx), id) // of two who answer at once, the second hears of the first
		if err != nil {
			return err
		}
		if !theirs {
			return fault.Missing()
		}
		if t, err = s.house(ctx, tx, id); err != nil {
			return err
		}
		if t.OfficeSince == nil {
			return fault.New(fault.Conflict, "countersign_settled", "这份申请现在不等会签。", "This request does not wait for a countersign now.").
				WithRemedy("同事可能已经处理，或医生拿回去改了；请看现在的列表。", "A colleague may have answered, or the doctor has taken it back; look at the list as it is now.")
		}
		if asks(ctx, t.Inviter.Practitioner.ID) {
			return fault.New(fault.Refused, "own_request", "自己的申请不能自己会签。", "Nobody countersigns a request of their own.").
				WithRemedy("请医务部门的另一位同事会签。", "Let a colleague of the medical office do it.")
		}
		shown, err := t.requestSum()
		if err != nil {
			return err
		}
		if shown != sum {
			return fault.New(fault.Conflict, "request_changed", "申请的内容刚刚变了。", "The request has just changed.").
				WithRemedy("请看现在的内容，再决定。", "Read it as it is now, then decide.")
		}
		said := Countersign{Signed: reason == "", Reason: reason, SHA256: sum, At: s.Now()}
		if err := insertCountersign(ctx, tx, id, said, authz.SubjectFrom(ctx).Account); err != nil {
			return err
		}
		switch {
		case t.State == WithOffice && said.Signed:
			err = s.goOut(ctx, tx, t, "countersign", "SHA-256 "+sum)
		case t.State == WithOffice:
			if err = s.moveOn(ctx, tx, t, "send back", reason); err == nil {
				err = s.tellPeople(ctx, tx, t, "会诊申请被医务部门退回，请打开申请看原因。", toInviter)
			}
		default:
			deed, note := "countersign after", "SHA-256 "+sum
			if !said.Signed {
				deed, note = "object", reason
			}
			if err = settleOffice(ctx, tx, id); err == nil {
				err = s.step(ctx, tx, id, deed, note)
			}
			if err == nil && !said.Signed {
				err = s.tellPeople(ctx, tx, t, "医务部门对已送出的急诊会诊申请有不同意见，请打开申请查看。", toInviter)
			}
		}
		if err != nil {
			return err
		}
		what := map[bool]string{true: "signed ", false: "refused "}[said.Signed]
		if err := t.audit(ctx, tx, what+sum); err != nil {
			return err
		}
		if t, err = s.house(ctx, tx, id); err != nil {
			return err
		}
		d, err = s.desk(ctx, tx)
		return err
	})
	if err == nil {
		s.tellAll(t)
	}
	return d, err
}

// remindOwing reminds the medical office of what it owes before it is due, and says once that it is late, to the asking doctor as well.
func (s *Teleconsults) remindOwing(ctx context.Context, id ids.Teleconsult) error {
	return s.escalateOne(ctx, id, func(tx tx, t Teleconsult) (bool, error) {
		late, done, err := putOfficeTold(ctx, tx, id, s.Now())
		if err != nil || !done {
			return false, err // answered meanwhile, or another node was faster
		}
		deed, text, whom := "remind the office", "急诊会诊申请还没有补会签，离 24 小时的期限不到 6 小时，请打开远诊会签。", []audience{toOwnChiefs}
		if late {
			deed, text, whom = "office late", "急诊会诊申请超过 24 小时没有补会签，请医院管理者马上处理。", []audience{toOwnChiefs, toInviter}
		}
		names, err := s.tellNamed(ctx, tx, t, text, whom...)
		if err != nil {
			return false, err
		}
		return true, s.step(ctx, tx, id, deed, names)
	})
}

// TakeBack lets the doctor change a request that waits for the office, or make it an emergency.
func (s *Teleconsults) TakeBack(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	return s.move(ctx, id, invitersDeed, "take back", "", func(tx, Teleconsult) error { return nil })
}
