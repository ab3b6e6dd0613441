package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
)

// planning is how far somebody reaches into a doctor's roster: the doctor into all of it, staff into what is at their places.
type planning struct {
	own    bool
	places []ids.Institution
}

func (p planning) has(place ids.Institution) bool { return slices.Contains(p.places, place) }

// Template is a weekly session at one place.
type Template struct {
	ID          ids.Template           `json:"id"`
	Institution Named[ids.Institution] `json:"institution"`
	Weekday     int                    `json:"weekday" minimum:"1" maximum:"7" doc:"Monday is 1"`
	Begins      int                    `json:"begins" minimum:"0" maximum:"1439" doc:"Minutes after midnight at the place"`
	Ends        int                    `json:"ends" minimum:"1" maximum:"1440"`
	Minutes     int                    `json:"minutes" minimum:"5" maximum:"240" doc:"Length of one slot"`
	Mode        string                 `json:"mode" enum:"online,on_site"`
	Purpose     string                 `json:"purpose" enum:"visit,duty" doc:"duty: the main place's own work; nothing else may be opened over it (MPP-06)"`
	Department  string                 `json:"department"`
	FeeFen      int                    `json:"fee_fen"`
	Every       int                    `json:"every" minimum:"1" maximum:"2" doc:"1: each week, 2: every other week from that of since on"`
	Since       string                 `json:"since" format:"date"`
	Until       string                 `json:"until,omitempty" format:"date" doc:"The first day it no longer holds"`
}

// NewTemplate adds a weekly session.
type NewTemplate struct {
	InstitutionID ids.Institution `json:"institution_id"`
	Weekday       int             `json:"weekday" minimum:"1" maximum:"7"`
	Begins        int             `json:"begins" minimum:"0" maximum:"1439"`
	Ends          int             `json:"ends" minimum:"1" maximum:"1440"`
	Minutes       int             `json:"minutes" minimum:"5" maximum:"240"`
	Mode          string          `json:"mode" enum:"online,on_site"`
	Purpose       string          `json:"purpose" enum:"visit,duty"`
	Department    string          `json:"department" minLength:"1" maxLength:"100"`
	FeeFen        int             `json:"fee_fen" minimum:"0" maximum:"1000000"`
	Every         int             `json:"every" minimum:"1" maximum:"2" doc:"1: each week, 2: every other week from that of since on"`
	Since         string          `json:"since" format:"date"`
}

// RosterView is one human's calendar as the viewer may see it, from a day on for a number of days.
type RosterView struct {
	Doctor     Named[ids.Practitioner] `json:"doctor"`
	Places     []Registration          `json:"places"`
	Templates  []Template              `json:"templates"`
	Exceptions []DayOff                `json:"exceptions"`
	Days       []RosterDay             `json:"days"`
	Sessions   []RosterSession         `json:"sessions"`
}

// RosterDay says what the calendar of the first place makes of a day.
type RosterDay struct {
	Day  string `json:"day" format:"date"`
	Kind string `json:"kind" enum:"ordinary,holiday,workday"`
	Name string `json:"name,omitempty"`
}

// DayOff is a day on which templates don't hold.
type DayOff struct {
	ID          ids.Exception          `json:"id"`
	Institution Named[ids.Institution] `json:"institution" doc:"Without id: at all places"`
	Day         string                 `json:"day" format:"date"`
	Reason      string                 `json:"reason"`
}

// RosterSession is a stretch of the calendar. One at a place that the viewer may not see is busy, and nothing more.
type RosterSession struct {
	Start       time.Time               `json:"start"`
	End         time.Time               `json:"end"`
	Busy        bool                    `json:"busy" doc:"Elsewhere: all that is told"`
	Institution *Named[ids.Institution] `json:"institution,omitempty"`
	Department  string                  `json:"department,omitempty"`
	Purpose     string                  `json:"purpose,omitempty"`
	Mode        string                  `json:"mode,omitempty"`
	Slots       int                     `json:"slots,omitempty"`
	Booked      int                     `json:"booked,omitempty"`
}

// Roster reads a doctor's calendar. The doctor sees all of it; a place sees its own part, and of the rest only when the doctor is busy.
func (s *Service) Roster(ctx context.Context, doctor ids.Practitioner, from string, days int) (v RosterView, err error) {
	begin, err := time.Parse(schedule.DayFormat, from)
	if err != nil {
		return v, badDay(err)
	}
	err = s.inTx(ctx, func(tx tx) error {
		p, err := s.mayPlan(ctx, tx, doctor, ids.Institution{})
		if err != nil {
			return err
		}
		v, err = s.roster(ctx, tx, p, doctor, begin, days)
		return err
	})
	return v, err
}

func badDay(err error) error {
	return fault.New(fault.Invalid, "day_wrong", "日期不对。", "This is not a date.").WithRemedy("请写成 2026-11-27 的样子。", "Write it like 2026-11-27.").Because(err)
}

func (s *Service) roster(ctx context.Context, tx tx, p planning, doctor ids.Practitioner, begin time.Time, days int) (v RosterView, err error) {
	if v.Doctor, err = doctorNamed(ctx, tx, doctor); err != nil {
		return v, err
	}
	all, err := selectRegistrations(ctx, tx, authz.ScopeFrom(ctx), ids.Registration{}, s.Now())
	if err != nil {
		return v, err
	}
	v.Places = slices.DeleteFunc(all, func(r Registration) bool { return r.Doctor.ID != doctor })
	if v.Templates, err = selectTemplates(ctx, tx, doctor, p.places); err != nil {
		return v, err
	}
	if v.Exceptions, err = selectDaysOff(ctx, tx, doctor, p, begin); err != nil {
		return v, err
	}
	zone, calendar := china, schedule.Calendar{}
	if len(v.Places) > 0 {
		zone = place(v.Places[0].Zone)
		if calendar, err = calendarOf(ctx, tx, v.Places[0].Institution.ID); err != nil {
			return v, err
		}
	}
	for i := range days {
		day := begin.AddDate(0, 0, i).Format(schedule.DayFormat)
		d := RosterDay{Day: day, Kind: "ordinary"}
		if rule, ok := calendar[day]; ok && rule.Kind != "ordinary" {
			d.Kind, d.Name = rule.Kind, rule.Name
		}
		v.Days = append(v.Days, d)
	}
	y, m, d := begin.Date()
	window := schedule.Span{Start: time.Date(y, m, d, 0, 0, 0, 0, zone), End: time.Date(y, m, d+days, 0, 0, 0, 0, zone)}
	v.Sessions, err = selectSessions(ctx, tx, doctor, p, window)
	return v, err
}

// AddTemplate adds a weekly session. It may not overlap another of the doctor's sessions, wherever that is.
func (s *Service) AddTemplate(ctx context.Context, doctor ids.Practitioner, n NewTemplate, key string) (Template, error) {
	if _, err := time.Parse(schedule.DayFormat, n.Since); err != nil {
		return Template{}, badDay(err)
	}
	if n.Ends-n.Begins < n.Minutes {
		return Template{}, fault.New(fault.Invalid, "offer_empty", "这段时间放不下一个号。", "No slot fits into this time.").
			WithRemedy("请把时间放长，或把每个号放短。", "Make the time longer or the slots shorter.")
	}
	t, fresh, err := once(ctx, s, key, []any{doctor, n}, func(tx tx) (Template, error) {
		if _, err := s.mayPlan(ctx, tx, doctor, n.InstitutionID); err != nil {
			return Template{}, err
		}
		if busy, err := templateInTheWay(ctx, tx, doctor, n); err != nil || busy != nil {
			return Template{}, cmpErr(err, templateBusy(busy))
		}
		id, err := insertTemplate(ctx, tx, doctor, n)
		if pg.Violates(err, "roster_template_one_at_a_time") {
			return Template{}, templateBusy(nil).Because(err)
		}
		if err == nil && id.IsZero() {
			err = fault.New(fault.Refused, "duty_elsewhere", "本职工作时间只能设在主要执业机构。", "Duty hours belong to the main place.").
				WithRemedy("请选主要执业机构。", "Choose the main place.")
		}
		if err != nil {
			return Template{}, err
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: "roster.plan", Object: "roster_template/" + id.String(), Place: n.InstitutionID}); err != nil {
			return Template{}, err
		}
		list, err := selectTemplates(ctx, tx, doctor, []ids.Institution{n.InstitutionID})
		i := slices.IndexFunc(list, func(t Template) bool { return t.ID == id })
		if err != nil || i < 0 {
			return Template{}, cmpErr(err, fault.Missing())
		}
		return list[i], nil
	})
	if err == nil && fresh {
		s.tellRoster(doctor, n.InstitutionID)
	}
	return t, err
}

// WeeklyBlock is the weekly session in the way: when, and by which rule.
type WeeklyBlock struct {
	Rule    string `json:"rule"`
	Weekday int    `json:"weekday"`
	Begins  int    `json:"begins"`
	Ends    int    `json:"ends"`
	Duty    bool   `json:"duty"`
}

func templateBusy(b *WeeklyBlock) *fault.Error {
	if b != nil && b.Duty {
		return fault.New(fault.Conflict, "primary_duty", "与主要执业机构的工作时间冲突（MPP-06）。", "It collides with the main place's duties (MPP-06).").
			WithRemedy("请换时间，或请主要执业机构放开这段时间。", "Choose another time, or ask the main place to release it.").With(b)
	}
	return fault.New(fault.Conflict, "doctor_elsewhere", "医师每周这段时间在别处已有安排，含路上时间（MPP-05）。", "The doctor is engaged elsewhere at this time each week, the way included (MPP-05).").
		WithRemedy("请避开灰色的“忙”，两地之间留出路上时间。", "Keep clear of what is marked busy, and leave time for the way.").With(b)
}

// EndTemplate ends a weekly session on a day; open slots from it after that day are taken off unless somebody has booked them.
func (s *Service) EndTemplate(ctx context.Context, id ids.Template, from string, key string) (Cleared, error) {
	if _, err := time.Parse(schedule.DayFormat, from); err != nil {
		return Cleared{}, badDay(err)
	}
	var doctor ids.Practitioner
	var at ids.Institution
	done, fresh, err := once(ctx, s, key, []any{id, from}, func(tx tx) (Cleared, error) {
		var err error
		if doctor, at, err = ownerOfTemplate(ctx, tx, id); err != nil {
			return Cleared{}, err
		}
		if _, err := s.mayPlan(ctx, tx, doctor, at); err != nil {
			return Cleared{}, err
		}
		if err := endTemplate(ctx, tx, id, from); err != nil {
			return Cleared{}, err
		}
		slots, err := withdrawSlots(ctx, tx, unbookedOf(id, from), "roster", s.Now())
		if err != nil {
			return Cleared{}, err
		}
		return Cleared{Slots: len(slots), Visits: []ClearedVisit{}}, audit.Write(ctx, tx, audit.Entry{Action: "roster.plan", Object: "roster_template/" + id.String(), Place: at, Reason: "end"})
	})
	if err == nil && fresh {
		s.tellRoster(doctor, at)
	}
	return done, err
}

// NewDayOff is a day without the templates, at one place or at all.
type NewDayOff struct {
	Day           string          `json:"day" format:"date"`
	InstitutionID ids.Institution `json:"institution_id" required:"false"`
	Reason        string          `json:"reason" maxLength:"200" required:"false"`
}

// TakeDayOff adds an exception. Booked visits of that day stay; CallIn is for a day that has begun to fill.
func (s *Service) TakeDayOff(ctx context.Context, doctor ids.Practitioner, n NewDayOff, key string) error {
	if _, err := time.Parse(schedule.DayFormat, n.Day); err != nil {
		return badDay(err)
	}
	_, fresh, err := once(ctx, s, key, []any{doctor, n}, func(tx tx) (nothing, error) {
		p, err := s.mayPlan(ctx, tx, doctor, n.InstitutionID)
		if err != nil {
			return nothing{}, err
		}
		if n.InstitutionID.IsZero() && !p.own {
			return nothing{}, fault.Missing() // a place decides for itself alone
		}
		if err := insertDayOff(ctx, tx, doctor, n); err != nil {
			return nothing{}, err
		}
		if _, err := withdrawSlots(ctx, tx, unbookedOn(doctor, n), "roster", s.Now()); err != nil {
			return nothing{}, err
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "roster.plan", Object: "practitioner/" + doctor.String(), Place: n.InstitutionID, Reason: "day off"})
	})
	if err == nil && fresh {
		s.tellRoster(doctor, n.InstitutionID)
	}
	return err
}

// UndoDayOff takes an exception back: its owner, or the place whose it is. The next publication opens the day.
func (s *Service) UndoDayOff(ctx context.Context, id ids.Exception, key string) error {
	var doctor ids.Practitioner
	var at ids.Institution
	_, fresh, err := once(ctx, s, key, []any{"undo", id}, func(tx tx) (nothing, error) {
		var err error
		if doctor, at, err = deleteDayOff(ctx, tx, id); err != nil {
			return nothing{}, err
		}
		p, err := s.mayPlan(ctx, tx, doctor, at)
		if err == nil && at.IsZero() && !p.own {
			err = fault.Missing()
		}
		if err != nil {
			return nothing{}, err
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "roster.plan", Object: "practitioner/" + doctor.String(), Place: at, Reason: "day off undone"})
	})
	if err == nil && fresh {
		s.tellRoster(doctor, at)
	}
	return err
}

// Publication asks to turn templates into slots.
type Publication struct {
	From   string `json:"from" format:"date"`
	Days   int    `json:"days" minimum:"1" maximum:"92"`
	DryRun bool   `json:"dry_run"`
}

// Published is what became of each session.
type Published struct {
	Slots    int                `json:"slots"`
	Sessions []PublishedSession `json:"sessions"`
}

// PublishedSession was opened, or says why not.
type PublishedSession struct {
	Day         string                 `json:"day" format:"date"`
	TemplateID  ids.Template           `json:"template_id"`
	Institution Named[ids.Institution] `json:"institution"`
	Start       time.Time              `json:"start"`
	End         time.Time              `json:"end"`
	Outcome     string                 `json:"outcome" enum:"opened,already,past,off,refused"`
	Slots       int                    `json:"slots"`
	Reason      *fault.Text            `json:"reason,omitempty"`
	Rule        string                 `json:"rule,omitempty"`
	Busy        *schedule.Span         `json:"busy,omitempty" doc:"What is in the way: when, and nothing more"`
}

// Publish opens the slots of the templates within reach, day by day, by the calendar of each place. A session that is refused says by
// which rule, and the others are opened all the same; one that is open already stays as it is.
func (s *Service) Publish(ctx context.Context, doctor ids.Practitioner, n Publication, key string) (done Published, err error) {
	begin, err := time.Parse(schedule.DayFormat, n.From)
	if err != nil {
		return done, badDay(err)
	}
	var p planning
	deed := func(tx tx) (Published, error) {
		var err error
		if p, err = s.mayPlan(ctx, tx, doctor, ids.Institution{}); err != nil {
			return Published{}, err
		}
		done, err := s.publish(ctx, tx, p, doctor, begin, n.Days)
		if err != nil {
			return done, err
		}
		for _, at := range p.places {
			if err := audit.Write(ctx, tx, audit.Entry{Action: "roster.publish", Object: "practitioner/" + doctor.String(), Place: at}); err != nil {
				return done, err
			}
		}
		return done, nil
	}
	if n.DryRun {
		err = s.inTx(ctx, func(tx tx) error {
			if done, err = deed(tx); err == nil {
				err = errRehearsed
			}
			return err
		})
		if err == errRehearsed {
			err = nil
		}
		return done, err
	}
	done, fresh, err := once(ctx, s, key, []any{doctor, n}, deed)
	if err == nil && fresh {
		s.tellRoster(doctor, p.places...)
	}
	return done, err
}

func (s *Service) publish(ctx context.Context, tx tx, p planning, doctor ids.Practitioner, begin time.Time, days int) (Published, error) {
	done := Published{Sessions: []PublishedSession{}}
	templates, err := selectTemplates(ctx, tx, doctor, p.places)
	if err != nil {
		return done, err
	}
	off, err := selectDaysOff(ctx, tx, doctor, planning{own: true}, begin)
	if err != nil {
		return done, err
	}
	open, err := sessionsOpen(ctx, tx, doctor, begin)
	if err != nil {
		return done, err
	}
	calendars, zones := map[ids.Institution]schedule.Calendar{}, map[ids.Institution]*time.Location{}
	for _, at := range p.places {
		if calendars[at], err = calendarOf(ctx, tx, at); err != nil {
			return done, err
		}
		if zones[at], err = zoneOf(ctx, tx, at); err != nil {
			return done, err
		}
	}
	// duty first: what the main place needs is never lost to a session elsewhere
	slices.SortStableFunc(templates, func(a, b Template) int { return len(a.Purpose) - len(b.Purpose) })
	for i := range days {
		day := begin.AddDate(0, 0, i)
		date := day.Format(schedule.DayFormat)
		for _, t := range templates {
			at := t.Institution.ID
			if !calendars[at].Has(t.weekly(), day) {
				continue
			}
			span := t.weekly().On(day, zones[at])
			one := PublishedSession{Day: date, TemplateID: t.ID, Institution: t.Institution, Start: span.Start, End: span.End}
			switch {
			case slices.ContainsFunc(off, func(d DayOff) bool { return d.Day == date && (d.Institution.ID.IsZero() || d.Institution.ID == at) }):
				one.Outcome = "off"
			case !span.End.After(s.Now()):
				one.Outcome = "past"
			case open[sessionKey{t.ID, date}]:
				one.Outcome = "already"
			default:
				if err := s.openSession(ctx, tx, doctor, t, span, &one); err != nil {
					return done, err
				}
			}
			done.Slots += one.Slots
			done.Sessions = append(done.Sessions, one)
		}
	}
	slices.SortStableFunc(done.Sessions, func(a, b PublishedSession) int { return a.Start.Compare(b.Start) })
	return done, nil
}

type sessionKey struct {
	template ids.Template
	day      string
}

func (s *Service) openSession(ctx context.Context, tx tx, doctor ids.Practitioner, t Template, span schedule.Span, one *PublishedSession) error {
	length := time.Duration(t.Minutes) * time.Minute
	if t.Purpose == "duty" {
		length = span.Length() // one piece: nobody books it
	}
	for span.Start.Before(s.Now()) {
		span.Start = span.Start.Add(length)
	}
	slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: doctor, Place: t.Institution.ID, Department: t.Department, Span: span, Length: length,
		FeeFen: t.FeeFen, Purpose: t.Purpose, Mode: t.Mode, Template: t.ID})
	if kind := fault.KindOf(err); err != nil && (kind == fault.Conflict || kind == fault.Refused || kind == fault.Invalid) && pg.Intact(err) {
		f := fault.As(err)
		one.Outcome, one.Reason = "refused", &f.Say
		switch b := f.Detail.(type) {
		case *Block:
			one.Rule, one.Busy = b.Rule, b.Busy
		case Block:
			one.Rule = b.Rule
		}
		return nil
	}
	one.Outcome, one.Slots = "opened", len(slots)
	return err
}

func (t Template) weekly() schedule.Weekly {
	w := schedule.Weekly{Weekday: t.Weekday, Begins: t.Begins, Ends: t.Ends, Every: t.Every}
	w.Since, _ = time.Parse(schedule.DayFormat, t.Since) // Postgres wrote them
	w.Until, _ = time.Parse(schedule.DayFormat, t.Until) // "": none
	return w
}

// CalendarDay is what a place makes of a day.
type CalendarDay struct {
	Day     string `json:"day" format:"date"`
	Kind    string `json:"kind" enum:"holiday,workday,ordinary"`
	Follows int    `json:"follows" minimum:"0" maximum:"7" doc:"Of a workday: the weekday whose sessions it has; 0: none"`
	Name    string `json:"name" maxLength:"50"`
}

// SetCalendarDay changes a day of the place's calendar. What is published already stays.
func (s *Service) SetCalendarDay(ctx context.Context, at ids.Institution, d CalendarDay, key string) error {
	if _, err := time.Parse(schedule.DayFormat, d.Day); err != nil {
		return badDay(err)
	}
	_, _, err := once(ctx, s, key, []any{at, d}, func(tx tx) (nothing, error) {
		if !slices.Contains(authz.ScopeFrom(ctx).Places(), at) {
			return nothing{}, fault.Missing()
		}
		if err := putCalendarDay(ctx, tx, at, d); err != nil {
			return nothing{}, err
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "calendar.set", Object: "calendar_day/" + d.Day, Place: at})
	})
	return err
}

// Calendar lists the days of a year that are not what their weekday says.
func (s *Service) Calendar(ctx context.Context, at ids.Institution, year int) (list []CalendarDay, err error) {
	list = []CalendarDay{}
	err = s.inTx(ctx, func(tx tx) error {
		c, err := calendarOf(ctx, tx, at)
		for day, rule := range c {
			if t, _ := time.Parse(schedule.DayFormat, day); t.Year() == year {
				list = append(list, CalendarDay{day, rule.Kind, rule.Follows, rule.Name})
			}
		}
		return err
	})
	slices.SortFunc(list, func(a, b CalendarDay) int { return map[bool]int{true: -1, false: 1}[a.Day < b.Day] })
	return list, err
}

func (s *Service) tellRoster(doctor ids.Practitioner, places ...ids.Institution) {
	s.Live.Publish(live.Event{Kind: "roster.changed", ID: doctor.String(), Practitioners: []ids.Practitioner{doctor}, Places: places})
}
