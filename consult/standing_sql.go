package consult

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// AskStanding asks for it in a batch, within the scope; a visit of somebody else leaves it empty. No more is read than the
// neighbour needs: a draft is saved with each change of a line. The reading is recorded by the deed that it is for.
func (s *Service) AskStanding(ctx context.Context, b *pgx.Batch, into *Standing, id ids.Visit) {
	b.Queue(`
		SELECT v.person_id, v.practitioner_id, v.institution_id, v.state IN ('in_consult', 'interrupted'), v.kind, v.guardian_present,
		       ARRAY (SELECT e.icd10 FROM (`+evidenceOf("v.person_id", "v.institution_id")+`) e WHERE e.verify = 'verified' AND e.source = 'physical')
		FROM visit v WHERE v.id = @visit AND `+visitInScope,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"visit": id})).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&into.Person, &into.Practitioner, &into.Institution, &into.InConsult, &into.Kind, &into.GuardianPresent, &into.Evidence)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
}
