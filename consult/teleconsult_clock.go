package consult

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// limits are how long the invited hospital has, from the submission, to arrange and to finish (TCR-07). Of days counts those on
// which people work.
type limits struct {
	arrangeIn, finishIn time.Duration
	finishDays          int // instead of finishIn
}

const hour = time.Hour

// clocks are the limits by kind and urgency. Those of a consult are customary (TCR-07); those of readings are what reading centres
// promise: an ECG in an emergency within half an hour, a slide within days.
var clocks = map[string]map[string]limits{
	"consult":   {"routine": {48 * hour, 0, 3}, "urgent": {24 * hour, 24 * hour, 0}, "emergency": {12 * hour, 12 * hour, 0}},
	"imaging":   {"routine": {12 * hour, 24 * hour, 0}, "urgent": {2 * hour, 6 * hour, 0}, "emergency": {30 * time.Minute, hour, 0}},
	"pathology": {"routine": {48 * hour, 0, 5}, "urgent": {24 * hour, 48 * hour, 0}, "emergency": {hour, 2 * hour, 0}},
	"ecg":       {"routine": {2 * hour, 24 * hour, 0}, "urgent": {30 * time.Minute, 2 * hour, 0}, "emergency": {10 * time.Minute, 30 * time.Minute, 0}},
}

func (t *Teleconsult) limits() limits { return clocks[t.Kind][t.Urgency] }

func (l limits) arrange(from time.Time) time.Time { return from.Add(l.arrangeIn) }

func (l limits) finish(from time.Time) time.Time {
	if l.finishDays == 0 {
		return from.Add(l.finishIn)
	}
	at, calendar := from.In(china), workdays()
	for n := 0; n < l.finishDays; {
		at = at.AddDate(0, 0, 1)
		rule := calendar[at.Format(schedule.DayFormat)]
		if rule.Kind == "workday" || rule.Kind != "holiday" && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
			n++
		}
	}
	return at
}

var workdays = sync.OnceValue(schedule.China)

// lacks are the parts of a complete request that are not there yet (TCR-06), beside the consent: diagnosis, contact, images or
// results; for a reading, images of its kind as the machine made them, for a photograph of a film is not to be read from.
func (t *Teleconsult) lacks() []string {
	missing := []string{}
	for what, text := range map[string]string{"question": t.Question, "summary": t.Summary, "diagnosis": t.Diagnosis, "contact": t.Contact} {
		if text == "" {
			missing = append(missing, what)
		}
	}
	slices.Sort(missing)
	has := func(fits func(modality string) bool) bool {
		for _, study := range t.Studies {
			if slices.ContainsFunc(study.Modalities, fits) {
				return true
			}
		}
		return false
	}
	ecg, slide := func(m string) bool { return m == "ECG" }, func(m string) bool { return m == "SM" }
	taken := func(m string) bool {
		return !slices.Contains([]string{"OT", "SC", "XC", "DOC", "SR", "KO", "PR", "ECG", "SM"}, m)
	}
	switch {
	case t.Kind == "consult" && (len(t.Studies) > 0 || t.Labs != ""),
		t.Kind == "imaging" && has(taken), t.Kind == "pathology" && has(slide), t.Kind == "ecg" && has(ecg):
	case t.Kind == "consult":
		missing = append(missing, "images_or_labs")
	default:
		missing = append(missing, "original_"+t.Kind)
	}
	return missing
}

func (t *Teleconsult) mustBeComplete() error {
	missing := t.lacks()
	if len(missing) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "request_incomplete", "资料不全，还不能送出。", "The request is not complete yet.").
		WithRemedy("请补上缺的几项：诊断、联系电话，以及原始影像或检验结果。", "Please add what is missing: diagnosis, contact, and original images or results.").
		With(map[string][]string{"missing": missing})
}

// AskForMore sends the request back with what is missing; the clock stands until it is answered.
func (s *Teleconsults) AskForMore(ctx context.Context, id ids.Teleconsult, what string) (Teleconsult, error) {
	return s.moveAndTell(ctx, id, hospitalsDeed, "ask for more", what, "会诊申请要补资料，请在远诊里补上。", toInviter,
		func(tx tx, _ Teleconsult) error { return putNeeds(ctx, tx, id, what) })
}

// AnswerNeeds says what was added, or why it can't be; the clock goes on where it stood.
func (s *Teleconsults) AnswerNeeds(ctx context.Context, id ids.Teleconsult, answer string) (Teleconsult, error) {
	return s.moveAndTell(ctx, id, invitersDeed, "answer", answer, "补的资料到了，请继续安排会诊。", toCoordinators, func(tx tx, t Teleconsult) error {
		if err := t.mustBeComplete(); err != nil {
			return err
		}
		return putAnswer(ctx, tx, id, answer)
	})
}

// Triage takes the request on, in the department and with the urgency that the invited hospital sees. A longer clock than the asking
// doctor's is not to be had.
func (s *Teleconsults) Triage(ctx context.Context, id ids.Teleconsult, department, urgency string) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "triage", department+" · "+urgency, func(tx tx, t Teleconsult) error {
		in := NewTeleconsult{Kind: t.Kind, Department: department, Invited: t.Invited.ID}
		if _, err := s.hospitalFor(ctx, tx, in, t.Inviter.Institution.ID); err != nil {
			return err
		}
		due := clocks[t.Kind][urgency].arrange(*t.row.ClockFrom)
		if due.After(*t.SLADue) {
			return fault.New(fault.Invalid, "less_urgent", "不能把急的改成不急的。", "A request can't be made less urgent than it was sent.").
				WithRemedy("请按申请的紧急程度受理，或与申请医生商量后请其重新申请。", "Please take it as it was sent, or ask the doctor to send it anew.")
		}
		return putTriaged(ctx, tx, id, department, urgency, due)
	})
}

// Escalate makes an open request an emergency because the patient has got worse; those who answer for the invited hospital are told.
func (s *Teleconsults) Escalate(ctx context.Context, id ids.Teleconsult, why string) (Teleconsult, error) {
	return s.deed(ctx, id, hospitalsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Submitted, Triaged, Scheduled, InProgress); err != nil {
			return err
		}
		t.Urgency = "emergency"
		due := t.limits().finish(s.Now())
		if due.After(*t.SLADue) {
			due = *t.SLADue
		}
		if err := putEscalated(ctx, tx, id, why, due); err != nil {
			return err
		}
		if err := s.step(ctx, tx, id, "escalate", why); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, "会诊病人病情加重，已升级为急诊，请马上处理。", toCoordinators, toChiefs)
	})
}

// EscalateEvery is how often the house looks for teleconsults and critical values that wait too long.
const EscalateEvery = 30 * time.Second

// TeleconsultEscalation is the job that looks.
type TeleconsultEscalation struct{}

// Kind names the job.
func (TeleconsultEscalation) Kind() string { return "teleconsult_escalation" }

// readWithin is how long a critical value may stay unread before the heads are told. It is customary: guides ask for the call
// within ten minutes.
const readWithin = 10 * time.Minute

// EscalateOverdue tells the coordinators and administrators of the invited hospital, and the asking doctor, of each consult whose
// clock has run out, once for arranging and once for finishing; and the asking hospital's administrators of each critical value
// that nobody has read back.
func (s *Teleconsults) EscalateOverdue(ctx context.Context) error {
	ctx = authz.WithScope(ctx, authz.System("teleconsult.escalate"))
	var overdue []ids.Teleconsult
	var unread []CriticalValue
	err := s.inTx(ctx, func(tx tx) (err error) {
		if overdue, err = selectOverdue(ctx, tx, s.Now()); err != nil {
			return err
		}
		unread, err = selectUnread(ctx, tx, s.Now().Add(-readWithin))
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range overdue { // the others are told all the same
		if err := s.escalateOne(ctx, id, func(tx tx, t Teleconsult) (bool, error) {
			done, err := putOverdue(ctx, tx, id, s.Now())
			if err != nil || !done {
				return false, err // answered meanwhile, or another node was faster
			}
			if err := s.step(ctx, tx, id, "overdue", ""); err != nil {
				return false, err
			}
			return true, s.tellPeople(ctx, tx, t, "会诊超过时限还没有完成，请马上处理。", toCoordinators, toChiefs, toInviter)
		}); err != nil {
			failed = append(failed, err)
		}
	}
	for _, c := range unread {
		if err := s.escalateOne(ctx, c.teleconsult, func(tx tx, t Teleconsult) (bool, error) {
			done, err := putCriticalEscalated(ctx, tx, c.ID, s.Now())
			if err != nil || !done {
				return false, err
			}
			if err := s.step(ctx, tx, t.ID, "critical unread", ""); err != nil {
				return false, err
			}
			return true, s.tellPeople(ctx, tx, t, "有危急值超过 10 分钟没有人复述确认，请马上处理。", toInviter, toOwnChiefs, toCoordinators)
		}); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (s *Teleconsults) escalateOne(ctx context.Context, id ids.Teleconsult, do func(tx tx, t Teleconsult) (bool, error)) error {
	var t Teleconsult
	done := false
	err := s.inTx(ctx, func(tx tx) (err error) {
		if t, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if done, err = do(tx, t); err != nil || !done {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "teleconsult.escalate", Object: "teleconsult/" + id.String(), Person: t.Person.ID, Place: t.Invited.ID})
	})
	if err != nil {
		return fmt.Errorf("escalate teleconsult %s: %w", id, err)
	}
	if done {
		s.tellAll(t)
	}
	return nil
}

// audience of a message about a teleconsult, which says nothing of the patient.
type audience int

const (
	toInviter      audience = iota // the asking doctor
	toExperts                      // all experts
	toCoordinators                 // of the invited hospital
	toChiefs                       // administrators of the invited hospital
	toOwnChiefs                    // administrators of the asking hospital
	toFirst                        // the first expert
)

func (s *Teleconsults) tellPeople(ctx context.Context, tx tx, t Teleconsult, text string, whom ...audience) error {
	if s.Notices == nil {
		return nil
	}
	accounts, err := selectAudience(ctx, tx, t.ID, whom)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if err := s.Notices.Tell(ctx, tx, account, "【远诊】"+text); err != nil {
			return err
		}
	}
	return nil
}

// moveAndTell is a move whose other side hears of it by message, in its transaction.
func (s *Teleconsults) moveAndTell(ctx context.Context, id ids.Teleconsult, whose party, name, note, text string, whom audience, do func(tx tx, t Teleconsult) error) (Teleconsult, error) {
	return s.move(ctx, id, whose, name, note, func(tx tx, t Teleconsult) error {
		if err := do(tx, t); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, text, whom)
	})
}

// GoLive opens the room of a consult that is answered in writing, at one press: the others are told that somebody waits for them.
// Off closes it again; a meeting that was set frees everybody's time.
func (s *Teleconsults) GoLive(ctx context.Context, id ids.Teleconsult, on bool) (Teleconsult, error) {
	t, err := s.deed(ctx, id, doctorsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		if t.Live == on {
			return nil
		}
		if t.State == Scheduled { // live: to be written instead
			if err := withdrawSlot(ctx, tx, id, s.Now()); err != nil {
				return err
			}
			if err := s.moveOn(ctx, tx, t, "write instead", ""); err != nil {
				return err
			}
			return putWritten(ctx, tx, id)
		}
		if err := putLive(ctx, tx, id, on); err != nil {
			return err
		}
		if !on {
			return s.step(ctx, tx, id, "go back", "")
		}
		if err := s.step(ctx, tx, id, "go live", ""); err != nil {
			return err
		}
		whom := toExperts
		if !asks(ctx, t.Inviter.Practitioner.ID) {
			whom = toInviter
		}
		return s.tellPeople(ctx, tx, t, "会诊转成视频了，对方在会诊室等您。", whom)
	})
	if err == nil && !t.Live {
		s.closeRoom(ctx, t.room)
	}
	return t, err
}

// Step is one thing that happened.
type Step struct {
	Deed string    `json:"deed"`
	Who  string    `json:"who" doc:"Empty: the house itself"`
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}

// Steps lists what has happened, in order.
func (s *Teleconsults) Steps(ctx context.Context, id ids.Teleconsult) (list []Step, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if _, err := s.teleconsult(ctx, tx, id); err != nil {
			return err
		}
		list, err = selectSteps(ctx, tx, id)
		return err
	})
	return list, err
}
