package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) planRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/rosters/{id}", Action: "roster.plan",
		Summary: "A doctor's calendar; what is at other places shows as busy"}, s.readRoster)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/rosters/{id}/templates", Action: "roster.plan", Status: 201,
		Summary: "Add a weekly session at a place"}, s.addTemplateIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/roster-templates/{id}/end", Action: "roster.plan",
		Summary: "End a weekly session from a day on; booked slots stay"}, s.endTemplateIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/rosters/{id}/days-off", Action: "roster.plan", Status: 201,
		Summary: "Take a day out of the weekly sessions"}, s.takeDayOffIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/days-off/{id}/undo", Action: "roster.plan", Status: 204,
		Summary: "Take a day off back; publish again to open the day"}, s.undoDayOffIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/rosters/{id}/publish", Action: "roster.plan",
		Summary: "Open the slots of the weekly sessions; each that is refused says why"}, s.publishIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/absences", Action: "roster.absence",
		Summary: "A doctor falls ill: patients are moved to a substitute or cancelled with refund, and told"}, s.callInIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/rosters/{id}/late", Action: "roster.late", Status: 204,
		Summary: "Say that the doctor is late today"}, s.sayLateIn)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/institutions/{id}/calendar", Action: "catalogue.read",
		Summary: "Holidays and make-up working days of a year at a place"}, s.readCalendar)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/institutions/{id}/calendar", Action: "calendar.set", Status: 204,
		Summary: "Change a day of the place's calendar"}, s.setCalendarDayIn)
}

// DoctorPath names the doctor.
type DoctorPath struct {
	ID ids.Practitioner `path:"id"`
}

type rosterIn struct {
	DoctorPath
	From string `query:"from" required:"true" format:"date"`
	Days int    `query:"days" default:"7" minimum:"1" maximum:"92"`
}

type rosterOut struct{ Body RosterView }

func (s *Service) readRoster(ctx context.Context, in *rosterIn) (*rosterOut, error) {
	v, err := s.Roster(ctx, in.ID, in.From, in.Days)
	return &rosterOut{v}, err
}

type addTemplateIn struct {
	Once
	DoctorPath
	Body NewTemplate
}

type templateOut struct{ Body Template }

func (s *Service) addTemplateIn(ctx context.Context, in *addTemplateIn) (*templateOut, error) {
	t, err := s.AddTemplate(ctx, in.ID, in.Body, in.Key)
	return &templateOut{t}, err
}

type endTemplateIn struct {
	Once
	ID   ids.Template `path:"id"`
	Body struct {
		From string `json:"from" format:"date" doc:"The first day without"`
	}
}

func (s *Service) endTemplateIn(ctx context.Context, in *endTemplateIn) (*clearedOut, error) {
	done, err := s.EndTemplate(ctx, in.ID, in.Body.From, in.Key)
	return &clearedOut{done}, err
}

type dayOffIn struct {
	Once
	DoctorPath
	Body NewDayOff
}

func (s *Service) takeDayOffIn(ctx context.Context, in *dayOffIn) (*struct{}, error) {
	return nil, s.TakeDayOff(ctx, in.ID, in.Body, in.Key)
}

type undoDayOffIn struct {
	Once
	ID ids.Exception `path:"id"`
}

func (s *Service) undoDayOffIn(ctx context.Context, in *undoDayOffIn) (*struct{}, error) {
	return nil, s.UndoDayOff(ctx, in.ID, in.Key)
}

type publishIn struct {
	Once
	DoctorPath
	Body Publication
}

type publishOut struct{ Body Published }

func (s *Service) publishIn(ctx context.Context, in *publishIn) (*publishOut, error) {
	done, err := s.Publish(ctx, in.ID, in.Body, in.Key)
	return &publishOut{done}, err
}

type callInIn struct {
	Once
	Body Absence
}

func (s *Service) callInIn(ctx context.Context, in *callInIn) (*clearedOut, error) {
	done, err := s.CallIn(ctx, in.Body, in.Key)
	return &clearedOut{done}, err
}

type sayLateIn struct {
	Once
	DoctorPath
	Body Delay
}

func (s *Service) sayLateIn(ctx context.Context, in *sayLateIn) (*struct{}, error) {
	return nil, s.SayLate(ctx, in.ID, in.Body, in.Key)
}

// PlacePath names the institution.
type PlacePath struct {
	ID ids.Institution `path:"id"`
}

type calendarIn struct {
	PlacePath
	Year int `query:"year" required:"true" minimum:"2020" maximum:"2100"`
}

type calendarOut struct{ Body []CalendarDay }

func (s *Service) readCalendar(ctx context.Context, in *calendarIn) (*calendarOut, error) {
	list, err := s.Calendar(ctx, in.ID, in.Year)
	return &calendarOut{list}, err
}

type setCalendarDayIn struct {
	Once
	PlacePath
	Body CalendarDay
}

func (s *Service) setCalendarDayIn(ctx context.Context, in *setCalendarDayIn) (*struct{}, error) {
	return nil, s.SetCalendarDay(ctx, in.ID, in.Body, in.Key)
}
