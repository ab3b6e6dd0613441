package imaging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
)

// taught lists the objects of a study of the asker's hospital. A grant doesn't do: what goes out for teaching is for
// the hospital to decide that answers for it.
func (s *Service) taught(ctx context.Context, uid string) (all []instance, err error) {
	return all, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		_, place, person, err := s.shareable(ctx, tx, uid)
		if err != nil {
			return err
		}
		if all, err = s.named(ctx, tx, authz.ScopeFrom(ctx), path{study: uid}, false); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "study/" + uid, Person: person, Place: place, Reason: "planned"})
	})
}

func (s *Service) insertTeaching(ctx context.Context, t Teaching, seen []string) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		study, place, person, err := s.shareable(ctx, tx, t.Study)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO image_teaching (id, institution_id, study_id, series, seen, objects, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.ID, place, study, t.Series, seen, t.Objects, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return fmt.Errorf("let a study out: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "study/" + t.Study, Person: person, Place: place,
			Reason: fmt.Sprintf("teaching/%s: %d series, %d looked through, %d objects", t.ID, len(t.Series), len(seen), t.Objects)})
	})
}

// fetchTeaching lists the objects that an export lets out: those that were there when it was made.
func (s *Service) fetchTeaching(ctx context.Context, id teachingID) (all []instance, err error) {
	return all, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		var study string
		var series []string
		var made time.Time
		err := tx.QueryRow(ctx, `
			SELECT s.uid, t.series, t.made_at FROM image_teaching t JOIN study s ON s.id = t.study_id
			WHERE t.id = @id AND t.institution_id = ANY(@scope_places)`,
			authz.ScopeFrom(ctx).With(pgx.NamedArgs{"id": id})).Scan(&study, &series, &made)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.Missing()
		} else if err != nil {
			return fmt.Errorf("find what was let out: %w", err)
		}
		if s.Now().After(made.Add(teachingLife)) {
			return teachingGone
		}
		if all, err = s.named(ctx, tx, authz.ScopeFrom(ctx), path{study: study}, true); err != nil {
			return err
		}
		person, place := all[0].PersonID, all[0].InstitutionID
		all = slices.DeleteFunc(all, func(i instance) bool {
			return !slices.Contains(series, i.Series) || !i.teachable() || i.StoredAt.After(made)
		})
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "teaching/" + id.String(), Person: person, Place: place,
			Reason: fmt.Sprintf("fetched %d objects", len(all))})
	})
}
