package consult

import (
	"context"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/authz"
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

// AskStanding asks for it in a batch, within the scope; a visit of somebody else leaves it empty. The reading is recorded by
// the deed that it is for.
func (s *Service) AskStanding(ctx context.Context, b *pgx.Batch, into *Standing, id ids.Visit) {
	askStandingOf(b, into, authz.ScopeFrom(ctx), id)
	askEvidenceOf(b, id, func(e eligibility.Evidence) {
		if !into.Person.IsZero() && e.Verify == "verified" && e.Source == "physical" {
			into.Evidence = append(into.Evidence, e.ICD10)
		}
	})
}
