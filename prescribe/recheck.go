package prescribe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/ids"
)

// The papers of an approved pharmacy are read again every six months (RXR-09). Administrators and the pharmacy are told
// two weeks before, on the day, and when the thirty days of grace are over: from then on it claims nothing new. What it
// holds by then it hands out.

// RecheckEvery is how often the house looks whose papers are due.
const RecheckEvery = time.Hour

// Rechecking is the job that looks.
type Rechecking struct{}

// Kind names the job.
func (Rechecking) Kind() string { return "pharmacy_recheck" }

// recheckWord of a step: what is told about a pharmacy with a day.
var recheckWord = [...]string{
	1: "【远诊】药店“%s”的证件须在 %s 前复核，请管理员到药店名录办理。",
	2: "【远诊】药店“%s”的证件复核已到期。%s 之后仍没有复核，就不能再取用新的处方。请管理员到药店名录办理。",
	3: "【远诊】药店“%s”的证件没有按时复核，%s 之后不能再取用新的处方；已经取用的照常发药。请管理员到药店名录办理。",
}

// RemindOfRechecks tells, once at each step, about every pharmacy whose papers are to be read again.
func (s *Service) RemindOfRechecks(ctx context.Context) error {
	due, err := selectRechecks(ctx, s.DB, s.Now())
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range due {
		if err := s.remindOfRecheck(ctx, d); err != nil { // the others are told all the same
			failed = append(failed, fmt.Errorf("remind of pharmacy %s: %w", d.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (s *Service) remindOfRecheck(ctx context.Context, d recheck) error {
	return s.inTx(ctx, func(tx tx) error {
		accounts, err := selectRecheckers(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		told, err := insertPharmacyReminder(ctx, tx, d, len(accounts), s.Now())
		if err != nil || !told {
			return err // read meanwhile, or another node was faster
		}
		day := d.RecheckBy
		if d.Step > 1 {
			day = d.ClaimsUntil
		}
		if err := s.tell(ctx, tx, fmt.Sprintf(recheckWord[d.Step], d.Name, day.Format(time.DateOnly)), accounts...); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "pharmacy.remind", Object: "pharmacy/" + d.ID.String(), Place: d.ID, Reason: fmt.Sprintf("step %d", d.Step)})
	})
}

// recheck is a pharmacy of which nobody was told yet at this step.
type recheck struct {
	ID          ids.Institution
	Name        string
	CheckedOn   time.Time
	RecheckBy   time.Time
	ClaimsUntil time.Time
	Step        int
}
