package consult

import (
	"context"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/ids"
)

// Standing is what the neighbour who prescribes has to know of a visit.
type Standing struct {
	Person          ids.Person
	Practitioner    ids.Practitioner // who sees the patient, and alone may prescribe
	Institution     ids.Institution
	InConsult       bool   // begun, not ended
	Kind            string // follow_up, first_visit, …
	GuardianPresent bool
	Evidence        []string // ICD-10 of verified earlier diagnoses
}

// Standing reads it within the scope; a visit of somebody else is fault.NotFound.
func (s *Service) Standing(ctx context.Context, tx tx, id ids.Visit) (Standing, error) {
	v, err := s.visit(ctx, tx, id)
	if err != nil {
		return Standing{}, err
	}
	var records []eligibility.Evidence
	b := &pgx.Batch{}
	askEvidence(b, &records, v.Person.ID, v.SlotID)
	if err := send(ctx, tx, b); err != nil {
		return Standing{}, err
	}
	standing := Standing{Person: v.Person.ID, Practitioner: v.Doctor.ID, Institution: v.Institution.ID, Kind: v.Kind,
		InConsult: v.State == InConsult || v.State == Interrupted, GuardianPresent: v.row.GuardianPresent}
	for _, r := range records {
		if r.Verify == "verified" && r.Source == "physical" {
			standing.Evidence = append(standing.Evidence, r.ICD10)
		}
	}
	return standing, nil
}
