package prescribe

import (
	"context"
	"fmt"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/rule"
)

// Favourite is a line that a doctor keeps to begin from; whose it is, and nobody else's. Taken into a prescription it
// is a copy, and a copy is confirmed line by line.
type Favourite struct {
	ID   ids.Favourite `json:"id"`
	Line Item          `json:"line"`
}

const mostFavourites = 100 // a list that fits a search; more is a second formulary that nobody keeps

// Favourites are the doctor's own, newest first. A line whose medicine has left the formulary is left out.
func (s *Service) Favourites(ctx context.Context) ([]Favourite, error) {
	if _, err := s.knowledge(); err != nil {
		return nil, err
	}
	kept, err := selectFavourites(ctx, s.DB, authz.SubjectFrom(ctx).Practitioner)
	if err != nil {
		return nil, err
	}
	list := []Favourite{}
	for _, f := range kept {
		f.Line.Line, f.Line.Provenance = 1, "copied"
		if o := (Order{Type: "general", Diagnosis: []string{"I10"}, Items: []Item{f.Line}}); s.readable(o) == nil {
			f.Line = s.named(o).Items[0]
			list = append(list, f)
		}
	}
	return list, nil
}

// KeepFavourite adds a line to the doctor's own; the same line is kept once.
func (s *Service) KeepFavourite(ctx context.Context, line Item) error {
	if _, err := s.knowledge(); err != nil {
		return err
	}
	line.Line = 1
	o := Order{Type: "general", Diagnosis: []string{"I10"}, Items: []Item{line}} // type and diagnosis are no part of a line
	if err := s.readable(o); err != nil {
		return err
	}
	if made := madeByAI(o); made != nil {
		return notAllowed(*made)
	}
	line.Line, line.Name, line.Provenance = 0, fault.Text{}, ""
	return s.inTx(ctx, func(tx tx) error {
		doctor := authz.SubjectFrom(ctx).Practitioner
		if err := insertFavourite(ctx, tx, ids.New[ids.Favourite](), doctor, line, s.Now()); err != nil {
			return err
		}
		n, err := countFavourites(ctx, tx, doctor)
		if err == nil && n > mostFavourites {
			err = fault.New(fault.Conflict, "too_many_favourites", fmt.Sprintf("常用药最多 %d 条。", mostFavourites), fmt.Sprintf("At most %d favourites are kept.", mostFavourites)).
				WithRemedy("请先去掉不用的。", "Remove one first.")
		}
		return err
	})
}

// DropFavourite removes one of the doctor's own.
func (s *Service) DropFavourite(ctx context.Context, id ids.Favourite) error {
	return s.inTx(ctx, func(tx tx) error {
		dropped, err := deleteFavourite(ctx, tx, id, authz.SubjectFrom(ctx).Practitioner)
		if err == nil && !dropped {
			err = fault.Missing()
		}
		return err
	})
}

// unconfirmed: what was copied, from an earlier prescription or a favourite, is confirmed line by line (RXE-02).
func unconfirmed(o Order) (reasons []rule.Reason) {
	for _, item := range o.Items {
		if item.Provenance == "copied" {
			reasons = append(reasons, rule.Reason{Rule: "RXE-02", Outcome: rule.Require,
				Message: fault.Text{ZH: fmt.Sprintf("第 %d 行%s是照抄的，还没有确认。", item.Line, item.Name.ZH), EN: fmt.Sprintf("Line %d, %s, was copied and is not confirmed yet.", item.Line, item.Name.EN)},
				Remedy:  fault.Text{ZH: "请逐行核对后确认。", EN: "Read each line and confirm it."}, Citation: "互联网诊疗监管细则(试行) 第21条"})
		}
	}
	return reasons
}
