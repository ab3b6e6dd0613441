package consult

import (
	"context"
	"slices"
	"strings"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Invitee is an expert at the place under whose registration they take part.
type Invitee struct {
	PractitionerID ids.Practitioner `json:"practitioner_id"`
	InstitutionID  ids.Institution  `json:"institution_id"`
}

// Candidate is a physician who could be asked, with all places where they practise; what they do there stays unsaid.
type Candidate struct {
	ID     ids.Practitioner         `json:"practitioner_id"`
	Name   string                   `json:"name"`
	Title  string                   `json:"title"`
	Places []Named[ids.Institution] `json:"places"`
}

// Candidates finds physicians by the beginning of their name.
func (s *Teleconsults) Candidates(ctx context.Context, query string) (list []Candidate, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectCandidates(ctx, tx, query)
		return err
	})
	return list, err
}

// MeetingWish asks for a time that suits many.
type MeetingWish struct {
	Experts []Invitee `json:"experts" minItems:"1" maxItems:"12"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Minutes int       `json:"minutes" minimum:"10" maximum:"240"`
	Room    bool      `json:"room" doc:"The county hospital's consulting room, one consult at a time"`
	Patient bool      `json:"patient" doc:"The patient takes part"`
}

// MeetingFinding are times, the best first, or else the reasons why there is none.
type MeetingFinding struct {
	Times []MeetingTime    `json:"times"`
	Why   []MeetingBlocker `json:"why"`
}

// MeetingTime suits everybody. Tight: who comes from something else within half an hour, or goes on to it.
type MeetingTime struct {
	schedule.Span
	Tight []string `json:"tight"`
}

// MeetingBlocker says whose time stands in the way, and what would be possible without them.
type MeetingBlocker struct {
	Names   []string       `json:"names"`
	Say     fault.Text     `json:"say"`
	Without *schedule.Span `json:"without,omitempty"`
}

const (
	longestWindow = 62 * 24 * time.Hour
	meetingTimes  = 6
	meetingStep   = 10 * time.Minute
)

// CommonTimes ranks the times that suit all experts (each within the registration at their place), the asking doctor and, if wished, the county
// hospital's room and the patient. Of calendars at other places it uses busy times alone. Without any, it says why.
func (s *Teleconsults) CommonTimes(ctx context.Context, id ids.Teleconsult, wish MeetingWish) (found MeetingFinding, err error) {
	window := schedule.Span{Start: wish.From, End: wish.Until}
	if now := s.Now(); window.Start.Before(now) {
		window.Start = now.Add(5 * time.Minute).Truncate(5 * time.Minute)
	}
	if window.Length() <= 0 || window.Length() > longestWindow {
		return found, fault.New(fault.Invalid, "time_wrong", "时间范围不对：要在以后，最长 62 天。", "The window is wrong: it must lie ahead and be 62 days at most.").
			WithRemedy("请改时间范围。", "Please correct it.")
	}
	var parties []schedule.Party
	err = s.inTx(ctx, func(tx tx) error {
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		hours := []schedule.Span{window}
		if t.Urgency == "routine" {
			hours = workingHours(window.Start, window.End)
		}
		parties, err = s.parties(ctx, tx, t, wish, window, hours)
		return err
	})
	if err != nil {
		return found, err
	}
	answer := schedule.Find(schedule.Meeting{Window: window, Length: time.Duration(wish.Minutes) * time.Minute, Step: meetingStep, N: meetingTimes, Zone: china}, parties)
	found = MeetingFinding{Times: []MeetingTime{}, Why: []MeetingBlocker{}}
	for _, p := range answer.Times {
		found.Times = append(found.Times, MeetingTime{p.Span, append([]string{}, p.Tight...)})
	}
	for _, b := range answer.Blockers {
		found.Why = append(found.Why, MeetingBlocker{b.Names, sayBlocker(b), b.Without})
	}
	return found, nil
}

func (s *Teleconsults) parties(ctx context.Context, tx tx, t Teleconsult, wish MeetingWish, window schedule.Span, hours []schedule.Span) ([]schedule.Party, error) {
	var parties []schedule.Party
	for _, e := range wish.Experts {
		p, err := invited(ctx, tx, e, window)
		if err != nil {
			return nil, err
		}
		if p.Busy, err = selectBusy(ctx, tx, e.PractitionerID, window.Start, window.End); err != nil {
			return nil, err
		}
		p.Hours, p.Buffer = hours, schedule.Buffer
		if slices.ContainsFunc(parties, func(other schedule.Party) bool { return other.Name == p.Name }) {
			return nil, expertTwice
		}
		parties = append(parties, p)
	}
	asker := schedule.Party{Name: t.Inviter.Practitioner.Name, Hours: hours, Buffer: schedule.Buffer}
	var err error
	if asker.Busy, err = selectBusy(ctx, tx, t.Inviter.Practitioner.ID, window.Start, window.End); err != nil {
		return nil, err
	}
	parties = append(parties, asker)
	if wish.Room {
		room := schedule.Party{Name: t.Inviter.Institution.Name + "会诊室", Hours: hours}
		if room.Busy, err = selectRoomBusy(ctx, tx, t.Inviter.Institution.ID, t.ID, window); err != nil {
			return nil, err
		}
		parties = append(parties, room)
	}
	if wish.Patient {
		patient := schedule.Party{Name: t.Person.Name, Hours: hours, Buffer: schedule.Buffer}
		if patient.Busy, err = selectPatientBusy(ctx, tx, t.Person.ID, window); err != nil {
			return nil, err
		}
		parties = append(parties, patient)
	}
	return parties, nil
}

// sayBlocker puts a blocker into a sentence with what would be possible without it.
func sayBlocker(b schedule.Blocker) fault.Text {
	zh, en := strings.Join(b.Names, "、"), strings.Join(b.Names, " and ")
	switch {
	case b.Why == "barred" && !b.Until.IsZero():
		zh += "到" + dayZH(b.Until) + "之前在" + b.Barred + "没有有效的备案"
		en += " has no filing at " + b.Barred + " until " + b.Until.In(china).Format("2 January")
	case b.Why == "barred":
		zh += "在" + b.Barred + "没有有效的备案"
		en += " has no filing at " + b.Barred
	case b.Why == "busy":
		zh += "在这段时间里没有空"
		en += " has no free time in this window"
	default:
		zh += "的时间与其他人凑不到一起"
		en += " is never free together with the others"
	}
	if b.Without == nil {
		return fault.Text{ZH: zh + "；只去掉他也凑不齐。", EN: en + "; leaving them out alone does not help."}
	}
	return fault.Text{ZH: zh + "；不等的话：" + schedule.Moment(b.Without.Start, china) + "。",
		EN: en + "; without them: " + b.Without.Start.In(china).Format("Monday 2 January 15:04") + "."}
}

func dayZH(at time.Time) string { return at.In(china).Format("1月2日") }
