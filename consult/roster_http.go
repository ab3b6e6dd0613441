package consult

import (
	"context"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) rosterRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/conditions", Action: "catalogue.read",
		Summary: "Diseases that are followed up online"}, s.listConditions)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/institutions", Action: "catalogue.read",
		Summary: "Hospitals with departments, address and phone"}, s.listInstitutions)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/icd10", Action: "catalogue.read",
		Summary: "Search common ICD-10 codes by code or name"}, s.searchICD10)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/doctors", Action: "catalogue.read",
		Summary: "Doctors that can be booked, the soonest first"}, s.listDoctors)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/doctors/{id}/slots", Action: "catalogue.read",
		Summary: "A doctor's open slots"}, s.listSlots)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/roster", Action: "roster.offer", Status: 201,
		Summary: "Open a stretch of a doctor's time for booking"}, s.offerSlots)
}

// FollowUpCondition is a disease that some hospital follows up online.
type FollowUpCondition struct {
	ICD10      string     `json:"icd10"`
	Name       fault.Text `json:"name"`
	Department string     `json:"department"`
	Online     bool       `json:"online"`
}

type conditionsOut struct{ Body []FollowUpCondition }

func (s *Service) listConditions(ctx context.Context, _ *struct{}) (*conditionsOut, error) {
	list, err := s.Conditions(ctx)
	return &conditionsOut{list}, err
}

// InstitutionCard is a hospital as patients see it.
type InstitutionCard struct {
	ID          ids.Institution `json:"id"`
	Name        string          `json:"name"`
	Kind        string          `json:"kind"`
	Region      string          `json:"region"`
	Address     string          `json:"address"`
	Phone       string          `json:"phone"`
	Departments []string        `json:"departments"`
}

type institutionsOut struct{ Body []InstitutionCard }

func (s *Service) listInstitutions(ctx context.Context, _ *struct{}) (*institutionsOut, error) {
	list, err := s.Institutions(ctx)
	return &institutionsOut{list}, err
}

type searchIn struct {
	Q string `query:"q" maxLength:"50"`
}

type codesOut struct{ Body []Code }

func (s *Service) searchICD10(_ context.Context, in *searchIn) (*codesOut, error) {
	return &codesOut{SearchICD10(in.Q)}, nil
}

type doctorsIn struct {
	Department string     `query:"department" maxLength:"100"`
	PersonID   ids.Person `query:"person_id" doc:"Reserved; the list is the same for everybody"`
}

type doctorsOut struct{ Body []DoctorOffer }

func (s *Service) listDoctors(ctx context.Context, in *doctorsIn) (*doctorsOut, error) {
	list, err := s.Doctors(ctx, in.Department)
	return &doctorsOut{list}, err
}

type slotsIn struct {
	ID   ids.Practitioner `path:"id"`
	Days int              `query:"days" default:"7" minimum:"1" maximum:"60"`
}

type slotsOut struct{ Body []Slot }

func (s *Service) listSlots(ctx context.Context, in *slotsIn) (*slotsOut, error) {
	list, err := s.Slots(ctx, in.ID, in.Days)
	return &slotsOut{list}, err
}

type offerIn struct {
	Body struct {
		PractitionerID ids.Practitioner `json:"practitioner_id"`
		InstitutionID  ids.Institution  `json:"institution_id"`
		Department     string           `json:"department" minLength:"1" maxLength:"100"`
		Start          time.Time        `json:"start"`
		End            time.Time        `json:"end"`
		Minutes        int              `json:"minutes" minimum:"5" maximum:"240" doc:"Length of one slot"`
		FeeFen         int              `json:"fee_fen" minimum:"0" maximum:"1000000"`
	}
}

type offerOut struct {
	Body struct {
		Slots []ids.Slot `json:"slots"`
	}
}

func (s *Service) offerSlots(ctx context.Context, in *offerIn) (*offerOut, error) {
	b := in.Body
	if b.End.Sub(b.Start) > 24*time.Hour {
		return nil, fault.New(fault.Invalid, "offer_too_long", "一次最多排 24 小时。", "At most 24 hours at a time.").
			WithRemedy("请分几次排。", "Please split it.")
	}
	slots, err := s.offer(ctx, Offer{Doctor: b.PractitionerID, Place: b.InstitutionID, Department: b.Department,
		Span: schedule.Span{Start: b.Start, End: b.End}, Length: time.Duration(b.Minutes) * time.Minute, FeeFen: b.FeeFen})
	out := &offerOut{}
	out.Body.Slots = slots
	return out, err
}
