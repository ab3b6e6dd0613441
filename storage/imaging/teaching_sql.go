package imaging

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
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

func (s *Service) insertTeaching(ctx context.Context, t Teaching) (Teaching, error) {
	return t, s.DB.InTx(ctx, func(tx pgx.Tx) error {
		study, place, person, err := s.shareable(ctx, tx, t.Study)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO image_teaching (id, institution_id, study_id, series, review, seen, objects, made_by, made_at) VALUES ($1, $2, $3, $4, $5, '{}', $6, $7, $8)`,
			t.ID, place, study, t.Series, t.Review, t.Objects, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return fmt.Errorf("let a study out: %w", err)
		}
		if t, err = s.teaching(ctx, tx, t.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "study/" + t.Study, Person: person, Place: place,
			Reason: fmt.Sprintf("teaching/%s: asked, %d series, %d to be looked through, %d objects", t.ID, len(t.Series), len(t.Review), t.Objects)})
	})
}

// teachings are those of the scope's hospitals.
func (s *Service) teachings(ctx context.Context) (list []Teaching, err error) {
	return list, s.DB.InTx(ctx, func(tx pgx.Tx) (err error) {
		list, err = s.selectTeachings(ctx, tx, teachingID{})
		return err
	})
}

func (s *Service) teaching(ctx context.Context, tx pgx.Tx, id teachingID) (Teaching, error) {
	if id.IsZero() { // would filter nothing
		return Teaching{}, fault.Missing()
	}
	list, err := s.selectTeachings(ctx, tx, id)
	if err != nil {
		return Teaching{}, err
	}
	if len(list) == 0 {
		return Teaching{}, fault.Missing()
	}
	return list[0], nil
}

func (s *Service) selectTeachings(ctx context.Context, tx pgx.Tx, only teachingID) ([]Teaching, error) {
	rows, err := tx.Query(ctx, `
		SELECT t.id, s.uid, t.series, t.review, t.seen, t.masks, t.objects, t.made_by, a.name, t.made_at, coalesce(b.name, ''), t.reviewed_at
		FROM image_teaching t JOIN study s ON s.id = t.study_id JOIN account a ON a.id = t.made_by LEFT JOIN account b ON b.id = t.reviewed_by
		WHERE (@id::uuid IS NULL OR t.id = @id) AND t.institution_id = ANY(@scope_places) ORDER BY t.made_at DESC LIMIT 100`,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"id": only}))
	if err != nil {
		return nil, fmt.Errorf("find what was let out: %w", err)
	}
	return pgx.AppendRows([]Teaching{}, rows, func(row pgx.CollectableRow) (t Teaching, err error) {
		var asker ids.Account
		var reviewed *time.Time
		err = row.Scan(&t.ID, &t.Study, &t.Series, &t.Review, &t.seen, &t.masks, &t.Objects, &asker, &t.Asked, &t.AskedAt, &t.Reviewer, &reviewed)
		t.Mine = asker == authz.SubjectFrom(ctx).Account
		switch {
		case reviewed != nil:
			t.State, t.Until = "ready", reviewed.Add(teachingLife)
		case len(t.Review) == 0:
			t.State, t.Until = "ready", t.AskedAt.Add(teachingLife)
		default:
			t.State, t.Until = "asked", t.AskedAt.Add(teachingWaits)
		}
		if reviewed != nil && len(t.out()) == 0 {
			t.State = "refused"
		} else if s.Now().After(t.Until) {
			t.State = "ended"
		}
		return t, err
	})
}

// settleTeaching writes down what the second person lets out.
func (s *Service) settleTeaching(ctx context.Context, id teachingID, verdicts []TeachingVerdict) (t Teaching, err error) {
	return t, s.DB.InTx(ctx, func(tx pgx.Tx) (err error) {
		if t, err = s.teaching(ctx, tx, id); err != nil {
			return err
		}
		switch {
		case t.Mine:
			return secondPerson
		case t.State == "ended":
			return teachingGone
		case t.State != "asked":
			return alreadyReviewed
		}
		all, err := s.named(ctx, tx, authz.ScopeFrom(ctx), path{study: t.Study}, false)
		if err != nil {
			return err
		}
		seen, masks := []string{}, map[string][]dicom.Box{}
		for _, v := range verdicts {
			if !slices.Contains(t.Review, v.UID) {
				return fault.Missing()
			}
			seen = append(seen, v.UID)
			if len(v.Masks) == 0 {
				continue
			}
			if slices.ContainsFunc(all, func(i instance) bool { return i.Series == v.UID && i.teachable() && !s.maskable(i) }) {
				return maskImpossible.With(map[string]string{"series_uid": v.UID})
			}
			masks[v.UID] = v.Masks
		}
		tag, err := tx.Exec(ctx, `
			UPDATE image_teaching SET seen = $2, masks = $3, reviewed_by = $4, reviewed_at = $5 WHERE id = $1 AND reviewed_at IS NULL`,
			id, seen, masks, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return alreadyReviewed // somebody was faster
		}
		if t, err = s.teaching(ctx, tx, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "teaching/" + id.String(), Person: all[0].PersonID, Place: all[0].InstitutionID,
			Reason: fmt.Sprintf("looked through: %d of %d series let out, %d blanked", len(seen), len(t.Review), len(masks))})
	})
}

// fetchTeaching lists the objects that an export lets out: those that were there when it was asked for.
func (s *Service) fetchTeaching(ctx context.Context, id teachingID) (t Teaching, all []instance, err error) {
	return t, all, s.DB.InTx(ctx, func(tx pgx.Tx) (err error) {
		if t, err = s.teaching(ctx, tx, id); err != nil {
			return err
		}
		switch t.State {
		case "ended":
			return teachingGone
		case "asked":
			return reviewFirst
		case "refused":
			return nothingToTeach
		}
		if all, err = s.named(ctx, tx, authz.ScopeFrom(ctx), path{study: t.Study}, true); err != nil {
			return err
		}
		person, place, out := all[0].PersonID, all[0].InstitutionID, t.out()
		all = slices.DeleteFunc(all, func(i instance) bool {
			return !slices.Contains(out, i.Series) || !i.teachable() || i.StoredAt.After(t.AskedAt)
		})
		return audit.Write(ctx, tx, audit.Entry{Action: "imaging.teach", Object: "teaching/" + id.String(), Person: person, Place: place,
			Reason: fmt.Sprintf("fetched %d objects", len(all))})
	})
}
