package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/storage/imaging"
)

const (
	consultLength = 30 * time.Minute
	lookAhead     = 7 * 24 * time.Hour
	proposals     = 6
	// imagesAfter is how long after the meeting the expert may still look, to write the opinion;
	// closing ends it at once.
	imagesAfter = 7 * 24 * time.Hour
	expertYears = 3 // TCR-05

	longestConsult  = 4 * time.Hour
	farthestConsult = 90 * 24 * time.Hour
)

// Expert is somebody the coordinator may assign.
type Expert struct {
	ID     ids.Practitioner `json:"practitioner_id"`
	Name   string           `json:"name"`
	Title  string           `json:"title"`
	Places []string         `json:"places"`
}

// Experts lists physicians of the department who are registered at the invited hospital
// and have three years of independent practice (TCR-05).
func (s *Teleconsults) Experts(ctx context.Context, id ids.Teleconsult) (list []Expert, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		list, err = s.whoMay(ctx, tx, t, s.Now())
		return err
	})
	return list, err
}

func (s *Teleconsults) whoMay(ctx context.Context, tx tx, t Teleconsult, at time.Time) ([]Expert, error) {
	return s.fit(ctx, tx, t.Invited.ID, t.Department, at)
}

// fit are the physicians with three years of independent practice who are registered at the place at the time; of any field if the department is empty.
func (s *Teleconsults) fit(ctx context.Context, tx tx, place ids.Institution, department string, at time.Time) ([]Expert, error) {
	return selectExperts(ctx, tx, place, department, s.Now().AddDate(-expertYears, 0, 0), at)
}

// mayTake finds the expert among whoMay, or says why not.
func (s *Teleconsults) mayTake(ctx context.Context, tx tx, t Teleconsult, who ids.Practitioner, at time.Time) (Expert, error) {
	known, err := s.whoMay(ctx, tx, t, at)
	if err != nil {
		return Expert{}, err
	}
	if i := slices.IndexFunc(known, func(e Expert) bool { return e.ID == who }); i >= 0 {
		return known[i], nil
	}
	return Expert{}, expertUnfit
}

var (
	expertUnfit = fault.New(fault.Refused, "expert_not_registered", "这位医师不能接这次会诊：未备案、专业不符或不满 3 年。",
		"This physician can't take this consult: not registered, other field, or under 3 years.").
		WithRemedy("请从名单里选，或先办理备案。", "Choose from the list, or file the registration first.")
	expertTwice = fault.New(fault.Invalid, "expert_twice", "同一位专家选了两次。", "An expert was chosen twice.").WithRemedy("请去掉一个。", "Please take one out.")
)

// Proposal is a time at which everybody is free, at every place where they practise.
type Proposal struct {
	schedule.Span
	FreeAt []string `json:"free_at"`
}

// Times finds the next times that suit expert and asking doctor at all their places.
func (s *Teleconsults) Times(ctx context.Context, id ids.Teleconsult, who ids.Practitioner) (list []Proposal, err error) {
	begin := s.Now().Add(5 * time.Minute).Truncate(5 * time.Minute)
	end := begin.Add(lookAhead)
	err = s.inTx(ctx, func(tx tx) error {
		list = []Proposal{}
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		expert, err := s.mayTake(ctx, tx, t, who, begin)
		if err != nil {
			return err
		}
		hours := []schedule.Span{{Start: begin, End: end}}
		if t.Urgency == "routine" {
			hours = workingHours(begin, end)
		}
		var people [][]schedule.Span
		for _, each := range []ids.Practitioner{who, t.Inviter.Practitioner.ID} {
			busy, err := selectBusy(ctx, tx, each, begin, end)
			if err != nil {
				return err
			}
			people = append(people, schedule.Free(hours, busy, schedule.Buffer))
		}
		for _, span := range schedule.Cut(schedule.Common(people...), consultLength) {
			if list = append(list, Proposal{span, expert.Places}); len(list) == proposals {
				break
			}
		}
		return nil
	})
	return list, err
}

// workingHours are 8:00 to 20:00 of each day, local time.
func workingHours(begin, end time.Time) []schedule.Span {
	var hours []schedule.Span
	year, month, day := begin.In(china).Date()
	for d := time.Date(year, month, day, 8, 0, 0, 0, china); d.Before(end); d = d.AddDate(0, 0, 1) {
		span := schedule.Span{Start: d, End: d.Add(12 * time.Hour)}
		if span.Start.Before(begin) {
			span.Start = begin
		}
		if span.Length() > 0 {
			hours = append(hours, span)
		}
	}
	return hours
}

// Assign sets expert and time, and the further experts of an MDT. The slots are the proof that none of them is elsewhere; the
// images open to them until a week after the meeting.
func (s *Teleconsults) Assign(ctx context.Context, id ids.Teleconsult, expert ids.Practitioner, start, end time.Time, further ...Invitee) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "assign", "", func(tx tx, t Teleconsult) error {
		if !start.Before(end) || end.Sub(start) > longestConsult || end.Before(s.Now()) || start.After(s.Now().Add(farthestConsult)) {
			return fault.New(fault.Invalid, "time_wrong", "会诊时间不对。", "This is not a usable time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		busy, err := selectBusy(ctx, tx, t.Inviter.Practitioner.ID, start, end)
		if err != nil {
			return err
		}
		if len(busy) > 0 {
			return fault.New(fault.Conflict, "inviter_busy", "邀请医师这个时间另有安排。", "The asking doctor is engaged at this time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		return s.put(ctx, tx, t, expert, &schedule.Span{Start: start, End: end}, further)
	})
}

// HandOver gives the request to experts who answer in writing, when they can within the clock: nobody's time is kept free. One
// press turns it live.
func (s *Teleconsults) HandOver(ctx context.Context, id ids.Teleconsult, expert ids.Practitioner, further ...Invitee) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "hand over", "", func(tx tx, t Teleconsult) error { return s.put(ctx, tx, t, expert, nil, further) })
}

// put sets the experts, who have to be fit for it, keeps their time free if there is one, starts the clock of the answer and opens
// the images.
func (s *Teleconsults) put(ctx context.Context, tx tx, t Teleconsult, expert ids.Practitioner, at *schedule.Span, further []Invitee) error {
	day := s.Now()
	if at != nil {
		day = at.End
	}
	if _, err := s.mayTake(ctx, tx, t, expert, day); err != nil {
		return err
	}
	keep := func(who ids.Practitioner, place ids.Institution) (slot ids.Slot, err error) {
		if at == nil {
			return slot, nil
		}
		return s.keepTime(ctx, tx, t, who, place, *at)
	}
	slot, err := keep(expert, t.Invited.ID)
	if err != nil {
		return err
	}
	limit, err := s.limitsOf(ctx, tx, t)
	if err != nil {
		return err
	}
	due := limit.finish(*t.row.ClockFrom)
	if at != nil && at.End.After(due) && t.Urgency == "routine" { // what is urgent is late then, and the heads hear of it (TCR-07)
		due = at.End
	}
	if err := putExpert(ctx, tx, t.ID, expert, slot, due); err != nil {
		return err
	}
	for _, one := range further {
		if one.PractitionerID == expert {
			return expertTwice
		}
		fit, err := s.fit(ctx, tx, one.InstitutionID, "", day)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(fit, func(e Expert) bool { return e.ID == one.PractitionerID }) {
			return expertUnfit
		}
		if err := s.mayJoin(ctx, tx, t, one.InstitutionID); err != nil {
			return err
		}
		if slot, err = keep(one.PractitionerID, one.InstitutionID); err != nil {
			return err
		}
		err = insertFurther(ctx, tx, t.ID, one.PractitionerID, slot)
		if pg.Violates(err, "teleconsult_further_pkey") {
			return expertTwice
		}
		if err != nil {
			return err
		}
	}
	if t, err = s.find(ctx, tx, t.ID); err != nil {
		return err
	}
	return s.grant(ctx, tx, t, studyUIDs(t.Studies))
}

// keepTime keeps an expert's time free at the place where they take part.
func (s *Teleconsults) keepTime(ctx context.Context, tx tx, t Teleconsult, who ids.Practitioner, place ids.Institution, at schedule.Span) (ids.Slot, error) {
	slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: who, Place: place, Department: t.Department, Span: at, Length: at.End.Sub(at.Start), Purpose: "teleconsult"})
	if err != nil {
		return ids.Slot{}, err
	}
	return slots[0], nil
}

// grant opens studies to the expert, once there is one, and to the patient, once invited.
func (s *Teleconsults) grant(ctx context.Context, tx tx, t Teleconsult, uids []string) error {
	if len(uids) == 0 || t.Expert == nil {
		return nil
	}
	g := imaging.Grant{Teleconsult: t.ID, Place: t.Inviter.Institution.ID, Studies: uids, Purpose: "teleconsult", From: s.Now(), Until: t.lastDay(s.Now()).Add(imagesAfter)}
	expert, patient := g, g
	expert.Practitioner, patient.Person = t.Expert.Practitioner.ID, t.Person.ID
	err := s.Images.GrantStudies(ctx, tx, expert)
	for _, one := range t.Further {
		if err == nil {
			expert.Practitioner = one.ID
			err = s.Images.GrantStudies(ctx, tx, expert)
		}
	}
	if err == nil && t.PatientIn {
		err = s.Images.GrantStudies(ctx, tx, patient)
	}
	return err
}

// lastDay is when the meeting ends, or the answer in writing is due; now if that is past.
func (t *Teleconsult) lastDay(now time.Time) time.Time {
	last := *t.SLADue
	if t.End != nil {
		last = *t.End
	}
	if last.Before(now) {
		return now
	}
	return last
}

// Decline refuses the request with a reason; the asking doctor may ask another hospital.
func (s *Teleconsults) Decline(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "decline", reason, func(tx tx, _ Teleconsult) error { return putReason(ctx, tx, id, reason) })
}
