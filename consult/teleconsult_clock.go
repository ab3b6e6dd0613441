package consult

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// lacks are the parts of a complete request that are not there yet (TCR-06), beside the consent: diagnosis, contact, images or
// results; for a reading, images of its kind as the machine made them, for a photograph of a film is not to be read from. A consult of
// a department that reads images needs more than screenshots and photographs too, where it brings any.
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
	original := func(m string) bool { return !slices.Contains([]string{"OT", "SC", "XC", "SR", "KO", "PR"}, m) }
	switch {
	case t.Kind == "consult" && radiological(t.Department) && len(t.Studies) > 0 && !has(original): // screenshots, photographs of a film
		missing = append(missing, "original_imaging")
	case t.Kind == "consult" && (len(t.Studies) > 0 || t.Labs != ""),
		t.Kind == "imaging" && has(taken), t.Kind == "pathology" && has(slide), t.Kind == "ecg" && has(ecg):
	case t.Kind == "consult":
		missing = append(missing, "images_or_labs")
	default:
		missing = append(missing, "original_"+t.Kind)
	}
	return missing
}

// radiological reports whether the department reads what machines have taken: 医学影像科 and its parts (诊疗科目名录, 32).
func radiological(department string) bool {
	return slices.ContainsFunc([]string{"放射", "影像", "超声", "核医学"}, func(part string) bool { return strings.Contains(department, part) })
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

// Triaging is where the invited hospital puts a request.
type Triaging struct {
	Department string `json:"department" minLength:"1" maxLength:"40"`
	Urgency    string `json:"urgency" enum:"routine,urgent,emergency"`
	Kind       string `json:"kind,omitempty" enum:"consult,imaging,pathology,ecg" doc:"By default as it was asked for"`
	Reason     string `json:"reason,omitempty" maxLength:"500" doc:"Needed for whatever differs from what was asked for"`
}

// Triage takes the request on, or puts it elsewhere before it is given to an expert. What differs from what stood there needs a
// reason, which the asking doctor is told of; steps keep what it was. The clock is recomputed from when it began to run.
func (s *Teleconsults) Triage(ctx context.Context, id ids.Teleconsult, in Triaging) (Teleconsult, error) {
	return s.deed(ctx, id, hospitalsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(teleconsultMove("triage").From...); err != nil {
			return err
		}
		was := []string{t.Department, t.Urgency, t.Kind}
		now := []string{in.Department, in.Urgency, cmp.Or(in.Kind, t.Kind)}
		changed, note := !slices.Equal(was, now), strings.Join(now, " · ")
		switch reason := strings.TrimSpace(in.Reason); {
		case !changed && t.State == Triaged:
			return t.mustBe() // it is there already
		case changed && utf8.RuneCountInString(reason) < 2:
			return fault.New(fault.Invalid, "triage_reason", "和申请写的不一样，要写明为什么改。", "It differs from what was asked for: please say why.").
				WithRemedy("请写一句原因，申请医生会看到。", "Write the reason; the asking doctor reads it.")
		case changed:
			note = strings.Join(was, " · ") + " → " + note + "：" + reason
		}
		if in.Urgency != "emergency" && t.Consent.Method == "head_approval" {
			return fault.New(fault.Refused, "consent_of_emergency", "这次申请由医院负责人代替患者同意，只有急诊可以；改成不急的要先有患者同意。",
				"The head of the hospital approved in place of the patient, which only an emergency allows.").
				WithRemedy("请保持急诊，或请申请医生取得患者同意后重新申请。", "Keep it an emergency, or let the doctor get the patient's consent and ask anew.")
		}
		t.Department, t.Urgency, t.Kind = now[0], now[1], now[2]
		if err := t.mustBeComplete(); err != nil { // of another kind other originals are needed
			return err
		}
		request := NewTeleconsult{Kind: t.Kind, Department: t.Department, Invited: t.Invited.ID}
		if _, err := s.hospitalFor(ctx, tx, request, t.Inviter.Institution.ID); err != nil {
			return err
		}
		due, since := *t.SLADue, *t.row.ClockFrom
		if was[1] != now[1] || was[2] != now[2] {
			limit, err := s.limitsOf(ctx, tx, t)
			if err != nil {
				return err
			}
			due, since = limit.anew(since, due, s.Now())
		}
		if err := putTriaged(ctx, tx, id, request, t.Urgency, due, since, s.Now()); err != nil {
			return err
		}
		if changed {
			if err := s.tellPeople(ctx, tx, t, "会诊申请的科室、类别或紧急程度被调整，请打开会诊查看。", toInviter); err != nil {
				return err
			}
		}
		return s.moveOn(ctx, tx, t, "triage", note)
	})
}

// Escalate makes an open request an emergency because the patient has got worse; those who answer for the invited hospital are told.
func (s *Teleconsults) Escalate(ctx context.Context, id ids.Teleconsult, why string) (Teleconsult, error) {
	return s.deed(ctx, id, hospitalsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Submitted, Triaged, Scheduled, InProgress); err != nil {
			return err
		}
		t.Urgency = "emergency"
		limit, err := s.limitsOf(ctx, tx, t)
		if err != nil {
			return err
		}
		due := limit.finish(s.Now())
		if due.After(*t.SLADue) {
			due = *t.SLADue
		}
		if err := putEscalated(ctx, tx, id, why, due, s.Now()); err != nil {
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
// clock has run out, once for arranging and once for finishing; the asking hospital's administrators of each critical value
// that nobody has read back; and its medical office of each countersign it owes, before it is due and once it is late.
func (s *Teleconsults) EscalateOverdue(ctx context.Context) error {
	ctx = authz.WithScope(ctx, authz.System("teleconsult.escalate"))
	var overdue, owing []ids.Teleconsult
	var unread []CriticalValue
	err := s.inTx(ctx, func(tx tx) (err error) {
		if overdue, err = selectOverdue(ctx, tx, s.Now()); err != nil {
			return err
		}
		if owing, err = selectOwing(ctx, tx, s.Now()); err != nil {
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
			names, err := s.tellNamed(ctx, tx, t, "会诊超过时限还没有完成，请马上处理。", toCoordinators, toChiefs, toInviter)
			if err != nil {
				return false, err
			}
			return true, s.step(ctx, tx, id, "overdue", names)
		}); err != nil {
			failed = append(failed, err)
		}
	}
	for _, id := range owing {
		if err := s.remindOwing(ctx, id); err != nil {
			failed = append(failed, err)
		}
	}
	for _, c := range unread {
		if err := s.escalateOne(ctx, c.teleconsult, func(tx tx, t Teleconsult) (bool, error) {
			done, err := putCriticalEscalated(ctx, tx, c.ID, s.Now())
			if err != nil || !done {
				return false, err
			}
			names, err := s.tellNamed(ctx, tx, t, "有危急值超过 10 分钟没有人复述确认，请马上处理。", toInviter, toOwnChiefs, toCoordinators)
			if err != nil {
				return false, err
			}
			return true, s.step(ctx, tx, t.ID, "critical unread", names)
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
	_, err := s.tellNamed(ctx, tx, t, text, whom...)
	return err
}

// tellNamed is tellPeople, and says who was told.
func (s *Teleconsults) tellNamed(ctx context.Context, tx tx, t Teleconsult, text string, whom ...audience) (names string, err error) {
	if s.Notices == nil {
		return "", nil
	}
	accounts, err := selectAudience(ctx, tx, t.ID, whom)
	if err != nil {
		return "", err
	}
	for _, account := range accounts {
		if err := s.Notices.Tell(ctx, tx, account, "【远诊】"+text); err != nil {
			return "", err
		}
	}
	list, err := selectNames(ctx, tx, accounts)
	return strings.Join(list, "、"), err
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
			limit, err := s.limitsOf(ctx, tx, t)
			if err != nil {
				return err
			}
			due := limit.finish(*t.row.ClockFrom) // no longer the end of the meeting
			if due.Before(s.Now()) || due.After(*t.SLADue) {
				due = *t.SLADue
			}
			return putWritten(ctx, tx, id, due)
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
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		if list, err = selectSteps(ctx, tx, id); err == nil && !asks(ctx, t.Inviter.Practitioner.ID) {
			withoutOfficeWords(nil, list)
		}
		return err
	})
	return list, err
}
