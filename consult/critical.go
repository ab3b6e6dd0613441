package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// CriticalValue is a finding that endangers life, told to the asking hospital before the opinion is written. The asking doctor
// repeats it in their own words with what is done; until then it stays in red on both sides, and the consult can be neither decided nor closed.
type CriticalValue struct {
	ID     criticalID `json:"id"`
	What   string     `json:"what"`
	By     Doctor     `json:"by"`
	At     time.Time  `json:"at"`
	Told   *time.Time `json:"escalated_at,omitempty" doc:"when the heads of the asking hospital were told that nobody had read it back"`
	Back   string     `json:"read_back,omitempty"`
	Reader string     `json:"read_by,omitempty"`
	ReadAt *time.Time `json:"read_at,omitempty"`

	teleconsult ids.Teleconsult
}

type criticalID = ids.ID[CriticalValue]

// CallBack tells the asking side of a critical value at once.
func (s *Teleconsults) CallBack(ctx context.Context, id ids.Teleconsult, what string) (Teleconsult, error) {
	return s.deed(ctx, id, opinersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Scheduled, InProgress, OpinionSigned, Decided); err != nil {
			return err
		}
		who := authz.SubjectFrom(ctx).Practitioner
		if slices.ContainsFunc(t.Critical, func(c CriticalValue) bool { return c.What == what && c.By.ID == who && c.ReadAt == nil }) {
			return nil // pressed twice
		}
		if err := insertCritical(ctx, tx, id, who, what, s.Now()); err != nil {
			return err
		}
		if err := s.step(ctx, tx, id, "critical value", ""); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, "会诊发现危急值，请马上打开会诊并复述确认。", toInviter, toCoordinators)
	})
}

// ReadBack says the critical value again and what is done about it.
func (s *Teleconsults) ReadBack(ctx context.Context, id ids.Teleconsult, value criticalID, words string) (Teleconsult, error) {
	return s.deed(ctx, id, invitersDeed, func(tx tx, t Teleconsult) error {
		i := slices.IndexFunc(t.Critical, func(c CriticalValue) bool { return c.ID == value })
		if i < 0 {
			return fault.Missing()
		}
		done, err := putReadBack(ctx, tx, value, words, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return err
		}
		if !done {
			return fault.New(fault.Conflict, "already_read_back", "这个危急值已经复述过了。", "This critical value has been read back already.").
				WithRemedy("请看已有的复述。", "Please see what was said.")
		}
		if err := s.step(ctx, tx, id, "read back", ""); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, "申请方已复述确认危急值。", toExperts)
	})
}

// mustBeRead refuses to go on while a critical value waits.
func (t *Teleconsult) mustBeRead() error {
	if !slices.ContainsFunc(t.Critical, func(c CriticalValue) bool { return c.ReadAt == nil }) {
		return nil
	}
	return fault.New(fault.Refused, "critical_unread", "还有危急值没有复述确认。", "A critical value has not been read back yet.").
		WithRemedy("请先复述危急值并写下处理。", "Read the critical value back first, with what you do.")
}
