package consult

import (
	"context"
	"slices"
	"strings"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// Released is an expert who has left a consult without signing: let go by the coordinator, or by their own wish. Nobody leaves
// silently: it stands in the case, in the report and in the package. Who has signed stays.
type Released struct {
	Expert   Doctor    `json:"expert"`
	Reason   string    `json:"reason" enum:"unreachable,unwell,away,conflict,other_field,other"`
	Note     string    `json:"note,omitempty"`
	By       string    `json:"by"`
	Withdrew bool      `json:"withdrew" doc:"By their own wish"`
	At       time.Time `json:"at"`
}

// Release says why an expert leaves, and who leads in place of the first.
type Release struct {
	Reason    string           `json:"reason" enum:"unreachable,unwell,away,conflict,other_field,other" doc:"conflict: of interest; other needs a note"`
	Note      string           `json:"note,omitempty" maxLength:"500"`
	Successor ids.Practitioner `json:"successor_id,omitzero" doc:"In place of the first expert: a further one, or a new one; by default a further one who is fit, those who have signed before the others"`
}

var (
	noteMissing = fault.New(fault.Invalid, "note_missing", "选“其他”要写明原因。", "Other needs to be put in words.").
			WithRemedy("请写一句原因。", "Please write the reason.")
	leadNeedsSuccessor = fault.New(fault.Refused, "lead_needs_successor", "会诊至少要有一位能负责的专家，现在没有人接替。", "A consult needs an expert who answers for it, and nobody takes over.").
				WithRemedy("请协调员从可派的专家里选一位接替。", "Let the coordinator name a successor from the list of experts.")
)

// ReleaseExpert lets an expert go who has not signed, by the coordinator of the invited hospital. If all others have signed, the
// opinion is complete.
func (s *Teleconsults) ReleaseExpert(ctx context.Context, id ids.Teleconsult, who ids.Practitioner, r Release) (Teleconsult, error) {
	return s.leave(ctx, id, hospitalsDeed, who, r)
}

// Withdraw is ReleaseExpert by the expert, who sees the consult no longer. Whom they leave it to is not theirs to say.
func (s *Teleconsults) Withdraw(ctx context.Context, id ids.Teleconsult, r Release) error {
	r.Successor = ids.Practitioner{}
	_, err := s.leave(ctx, id, opinersDeed, authz.SubjectFrom(ctx).Practitioner, r)
	return err
}

func (s *Teleconsults) leave(ctx context.Context, id ids.Teleconsult, whose party, who ids.Practitioner, r Release) (after Teleconsult, err error) {
	if r.Note = strings.TrimSpace(r.Note); r.Reason == "other" && r.Note == "" {
		return after, noteMissing
	}
	var before Teleconsult
	var empty []control.Seat
	err = s.inTx(ctx, func(tx tx) error {
		if before, err = s.held(ctx, tx, id, whose); err != nil { // who signs at this moment has signed, or is gone
			return err
		}
		if empty, err = s.release(ctx, tx, before, who, r); err != nil {
			return err
		}
		if err := before.audit(ctx, tx, r.Reason); err != nil {
			return err
		}
		if whose == hospitalsDeed { // who has withdrawn has no right to read on
			after, err = s.find(ctx, tx, id)
		}
		return err
	})
	if err != nil {
		return after, err
	}
	s.tellAll(before) // who has left hears of it too
	if !after.ID.IsZero() {
		s.tellAll(after)
	}
	for _, seat := range empty {
		if err := s.Rooms.Remove(ctx, before.room, seat); err != nil {
			s.Log.WarnContext(ctx, "expert not removed from the consult", "teleconsult", id.String(), "error", err)
		}
	}
	return after, nil
}

// release takes the expert out and says which seats of the room are nobody's now.
func (s *Teleconsults) release(ctx context.Context, tx tx, t Teleconsult, who ids.Practitioner, r Release) (empty []control.Seat, err error) {
	if err := t.mustBe(Scheduled, InProgress); err != nil {
		return nil, err
	}
	experts := t.experts()
	i := slices.IndexFunc(experts, func(d Doctor) bool { return d.ID == who })
	if i < 0 {
		return nil, fault.Missing()
	}
	if t.hasSigned(who) {
		return nil, fault.New(fault.Conflict, "opinion_signed", "这位专家的意见已经签名，不能再退出。", "This expert's opinion is signed; who has signed stays.").
			WithRemedy("有新的想法，请写补充意见。", "For second thoughts, write an addendum.")
	}
	if err := s.tellPeople(ctx, tx, t, "会诊的专家有变动，请打开会诊查看。", toInviter, toExperts, toCoordinators); err != nil {
		return nil, err
	}
	left, note := slices.Delete(slices.Clone(experts), i, i+1), experts[i].Name+" · "+r.Reason
	begun := t.Start != nil && !t.Start.After(s.Now()) // what has begun stays in the calendars as it was
	if i > 0 {
		empty = append(empty, furtherSeat(who))
		err = dropFurther(ctx, tx, t.ID, who, !begun, s.Now())
	} else {
		var next Doctor
		if next, err = s.succeed(ctx, tx, t, left, r.Successor, begun); err == nil {
			note += " → " + next.Name
			err = s.tellPeople(ctx, tx, t, "请您负责一次会诊，请打开会诊查看。", toFirst)
			empty = append(empty, expertSeat)
			if t.hasFurther(next.ID) {
				empty = append(empty, furtherSeat(next.ID)) // they come back as the first
			} else {
				left = append(left, next)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	deed := "release"
	if asks(ctx, who) {
		deed = "withdraw"
	}
	if err := insertReleased(ctx, tx, t.ID, who, r, authz.SubjectFrom(ctx).Account, deed == "withdraw", s.Now()); err != nil {
		return nil, err
	}
	if err := s.step(ctx, tx, t.ID, deed, note); err != nil {
		return nil, err
	}
	if err := s.Images.EndGrants(ctx, tx, t.ID, who); err != nil {
		return nil, err
	}
	if err := removeDevices(ctx, tx, matter{teleconsult: t.ID}, empty, s.Now()); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(left, func(d Doctor) bool { return !t.hasSigned(d.ID) }) {
		return empty, nil
	}
	return empty, s.complete(ctx, tx, t)
}

// succeed puts another in the first expert's place: a further one, or somebody new, who then has their time kept and sees the images.
func (s *Teleconsults) succeed(ctx context.Context, tx tx, t Teleconsult, further []Doctor, wanted ids.Practitioner, begun bool) (Doctor, error) {
	fit, err := s.whoMay(ctx, tx, t, t.lastDay(s.Now()))
	if err != nil {
		return Doctor{}, err
	}
	may := func(who ids.Practitioner) bool {
		return slices.ContainsFunc(fit, func(e Expert) bool { return e.ID == who }) && t.Expert.Practitioner.ID != who &&
			!slices.ContainsFunc(t.Released, func(r Released) bool { return r.Expert.ID == who })
	}
	if wanted.IsZero() {
		for _, signed := range []bool{true, false} {
			if i := slices.IndexFunc(further, func(d Doctor) bool { return t.hasSigned(d.ID) == signed && may(d.ID) }); i >= 0 {
				return further[i], promote(ctx, tx, t.ID, further[i].ID, !begun, s.Now())
			}
		}
		return Doctor{}, leadNeedsSuccessor
	}
	if !may(wanted) {
		return Doctor{}, expertUnfit
	}
	if i := slices.IndexFunc(further, func(d Doctor) bool { return d.ID == wanted }); i >= 0 {
		return further[i], promote(ctx, tx, t.ID, wanted, !begun, s.Now())
	}
	var slot ids.Slot
	if t.Start != nil && !begun {
		if slot, err = s.keepTime(ctx, tx, t, wanted, t.Invited.ID, schedule.Span{Start: *t.Start, End: *t.End}); err != nil {
			return Doctor{}, err
		}
	}
	if err := replaceExpert(ctx, tx, t.ID, wanted, slot, s.Now()); err != nil {
		return Doctor{}, err
	}
	i := slices.IndexFunc(fit, func(e Expert) bool { return e.ID == wanted })
	next := Doctor{fit[i].ID, fit[i].Name, fit[i].Title}
	t.Expert = &Party{next, t.Invited}
	if err := s.grant(ctx, tx, t, studyUIDs(t.Studies)); err != nil {
		return next, err
	}
	return next, nil
}

// experts are all who sign, the first expert first.
func (t *Teleconsult) experts() []Doctor {
	if t.Expert == nil {
		return nil
	}
	return append([]Doctor{t.Expert.Practitioner}, t.Further...)
}

func (t *Teleconsult) hasSigned(who ids.Practitioner) bool {
	d := t.opinionOf(who)
	return d != nil && d.SignedAt != nil
}
