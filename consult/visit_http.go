package consult

import (
	"context"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Routes adds everything between the first question and the signed record.
func (s *Service) Routes(api *httpapi.API) {
	s.rosterRoutes(api)
	s.registrationRoutes(api)
	s.planRoutes(api)
	s.bookingRoutes(api)
	s.calendarRoutes(api)
	s.decisionRoutes(api)
	s.policyRoutes(api)
	s.reviewRoutes(api)
	s.evidenceRoutes(api)
	s.queueRoutes(api)
	s.recordRoutes(api)
	s.roomRoutes(api, s.visitRooms())
	s.seatRoutes(api)
	s.recordingEndRoutes(api)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/calls", Action: "calls.read",
		Summary: "The lines of the last 24 hours, without names"}, s.readCalls)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits", Action: "visit.book", Status: 201,
		Summary: "Book a visit in a slot"}, s.book)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits", Action: "visit.read",
		Summary: "Visits within reach, the newest first"}, s.listVisits)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}", Action: "visit.read",
		Summary: "One visit"}, one(s.Visit))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/check-in", Action: "visit.check_in",
		Summary: "Take the place in line, with devices and network tested"}, s.checkIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/cancel", Action: "visit.cancel",
		Summary: "Cancel before it begins; the slot is free again"}, s.cancel)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/alarm", Action: "visit.alarm",
		Summary: "End the visit as an emergency"}, s.alarm)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/ticket", Action: "visit.join",
		Summary: "A ticket to the visit's room"}, s.ticket)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/admit", Action: "visit.admit",
		Summary: "Let the waiting patient in"}, one(s.Admit))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/judge", Action: "visit.judge",
		Summary: "Record the doctor's judgement; what may not go on online ends here"}, s.judgeIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/end", Action: "visit.end",
		Summary: "Conclude the visit; the record has to be signed"}, one(s.End))
}

// VisitPath names the visit; exported because huma reads embedded fields of exported types only.
type VisitPath struct {
	ID ids.Visit `path:"id"`
}

type visitOut struct{ Body Visit }

// one is a deed that needs nothing but the visit.
func one(deed func(context.Context, ids.Visit) (Visit, error)) func(context.Context, *VisitPath) (*visitOut, error) {
	return func(ctx context.Context, in *VisitPath) (*visitOut, error) {
		v, err := deed(ctx, in.ID)
		return &visitOut{v}, err
	}
}

// Consents given together with a question or booking.
type Consents struct {
	InternetCare bool `json:"internet_care"`
	SensitivePI  bool `json:"sensitive_pi"`
}

// Question is what the patient says of the visit they want.
type Question struct {
	PersonID  ids.Person `json:"person_id"`
	Kind      string     `json:"kind" enum:"follow_up,first_visit,health_consult,accompanied"`
	ICD10     string     `json:"icd10" pattern:"^([A-Z][0-9]{2}([.][0-9x][0-9]{0,3})?)?$"`
	RedFlags  []string   `json:"red_flags" required:"false" maxItems:"30"`
	Severity  string     `json:"severity" enum:"mild,moderate,severe"`
	IntendsRx bool       `json:"intends_rx"`
	Consents  Consents   `json:"consents"`
}

func (q Question) ask() Ask {
	return Ask{Person: q.PersonID, Kind: q.Kind, ICD10: q.ICD10, RedFlags: q.RedFlags, Severity: q.Severity, IntendsRx: q.IntendsRx,
		InternetCare: q.Consents.InternetCare, SensitivePI: q.Consents.SensitivePI, Stage: eligibility.Booking}
}

type bookIn struct {
	Key  string `header:"Idempotency-Key" required:"true" format:"uuid" doc:"The same wish sent twice is one visit"`
	Body struct {
		Question
		SlotID    ids.Slot `json:"slot_id"`
		Complaint string   `json:"complaint" maxLength:"2000" doc:"In the patient's words"`
	}
}

func (s *Service) book(ctx context.Context, in *bookIn) (*visitOut, error) {
	a := in.Body.ask()
	a.Slot = in.Body.SlotID
	v, err := s.Book(ctx, Booking{Ask: a, Complaint: in.Body.Complaint, RequestKey: in.Key})
	return &visitOut{v}, err
}

type listVisitsIn struct {
	PersonID ids.Person `query:"person_id"`
}

type visitsOut struct{ Body []Visit }

func (s *Service) listVisits(ctx context.Context, in *listVisitsIn) (*visitsOut, error) {
	list, err := s.Visits(ctx, in.PersonID)
	return &visitsOut{list}, err
}

type checkInIn struct {
	VisitPath
	Body LineTest
}

func (s *Service) checkIn(ctx context.Context, in *checkInIn) (*visitOut, error) {
	v, err := s.CheckIn(ctx, in.ID, in.Body)
	return &visitOut{v}, err
}

type cancelIn struct {
	VisitPath
	Body struct {
		Reason string `json:"reason" maxLength:"500"`
	}
}

func (s *Service) cancel(ctx context.Context, in *cancelIn) (*visitOut, error) {
	v, err := s.Cancel(ctx, in.ID, in.Body.Reason)
	return &visitOut{v}, err
}

type alarmIn struct {
	VisitPath
	Body struct {
		RedFlags []string `json:"red_flags" minItems:"1" maxItems:"30" doc:"Danger signs; any word counts"`
	}
}

func (s *Service) alarm(ctx context.Context, in *alarmIn) (*visitOut, error) {
	v, err := s.Alarm(ctx, in.ID, in.Body.RedFlags)
	return &visitOut{v}, err
}

type judgeIn struct {
	VisitPath
	Body Judgement
}

func (s *Service) judgeIn(ctx context.Context, in *judgeIn) (*visitOut, error) {
	v, err := s.Judge(ctx, in.ID, in.Body)
	return &visitOut{v}, err
}

type ticketOut struct{ Body Ticket }

func (s *Service) ticket(ctx context.Context, in *VisitPath) (*ticketOut, error) {
	t, err := s.Ticket(ctx, in.ID)
	return &ticketOut{t}, err
}
