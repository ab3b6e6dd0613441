package prescribe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/prescribe/qr"
)

// The clock of a prescription that waits for review. When four fifths of the time are over the group's lead is asked, at
// the end the head of pharmacy; a step that names nobody asks all pharmacists of the hospital. Nothing else happens: a
// prescription never passes by waiting.

const (
	dayLimit   = 10 // minutes, where an institution set nothing
	nightLimit = 30
	nightFrom  = 22 // o'clock in China
	nightTo    = 8
)

// EscalateEvery is how often the house looks for prescriptions that wait too long.
const EscalateEvery = 30 * time.Second

// Escalation is the job that looks.
type Escalation struct{}

// Kind names the job.
func (Escalation) Kind() string { return "review_escalation" }

// Limits of an institution, in minutes, and the pharmacists who may be asked.
type Limits struct {
	InstitutionID ids.Institution `json:"institution_id"`
	Institution   string          `json:"institution"`
	DayMinutes    int             `json:"day_minutes"`
	NightMinutes  int             `json:"night_minutes" doc:"from 22 to 8 o'clock"`
	Pharmacists   []Asked         `json:"pharmacists"`
}

// Asked is a pharmacist of the institution, and the step at which they are asked.
type Asked struct {
	ID    ids.Practitioner `json:"id"`
	Name  string           `json:"name"`
	Title string           `json:"title"`
	Step  int              `json:"step" enum:"0,1,2" doc:"0: only reviews; 1: lead of the group; 2: head of pharmacy"`
}

// NewLimits is what an administrator sets.
type NewLimits struct {
	DayMinutes   int       `json:"day_minutes" minimum:"1" maximum:"240"`
	NightMinutes int       `json:"night_minutes" minimum:"1" maximum:"720"`
	Pharmacists  []NewStep `json:"pharmacists" maxItems:"200"`
}

// NewStep puts a pharmacist at a step.
type NewStep struct {
	ID   ids.Practitioner `json:"id"`
	Step int              `json:"step" minimum:"0" maximum:"2"`
}

// limit is how long a prescription signed at that time may wait.
func (l Limits) limit(signed time.Time) time.Duration {
	if hour := signed.In(qr.China).Hour(); hour >= nightFrom || hour < nightTo {
		return time.Duration(l.NightMinutes) * time.Minute
	}
	return time.Duration(l.DayMinutes) * time.Minute
}

// step is where the clock stands: 0 in time, 1 four fifths over, 2 all.
func (l Limits) step(signed, now time.Time) int {
	limit, waited := l.limit(signed), now.Sub(signed)
	switch {
	case waited >= limit:
		return 2
	case waited >= limit*4/5:
		return 1
	}
	return 0
}

// ReviewLimits reads the limits of the reader's institutions.
func (s *Service) ReviewLimits(ctx context.Context) ([]Limits, error) {
	return selectLimits(ctx, s.DB, authz.ScopeFrom(ctx), ids.Institution{})
}

// SetLimits sets those of one institution, from the next minute on also for what waits already.
func (s *Service) SetLimits(ctx context.Context, place ids.Institution, n NewLimits) (set Limits, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		known, err := selectLimits(ctx, tx, authz.ScopeFrom(ctx), place)
		if err != nil {
			return err
		}
		if len(known) == 0 || place.IsZero() {
			return fault.Missing()
		}
		works := map[ids.Practitioner]bool{}
		for _, p := range known[0].Pharmacists {
			works[p.ID] = true
		}
		for _, p := range n.Pharmacists {
			if !works[p.ID] {
				return fault.New(fault.Invalid, "not_a_pharmacist_here", "名单里有人不是本院药师。", "Somebody on the list is no pharmacist of this hospital.").
					WithRemedy("请从名单里选。", "Choose from the list.")
			}
		}
		if err := putLimits(ctx, tx, place, n, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "review_limit/" + place.String(), Place: place}); err != nil {
			return err
		}
		known, err = selectLimits(ctx, tx, authz.ScopeFrom(ctx), place)
		if err == nil {
			set = known[0]
		}
		return err
	})
	return set, err
}

// Escalate asks the next people about every prescription whose clock has reached a step they were not asked at, once each.
func (s *Service) Escalate(ctx context.Context) error {
	waiting, err := selectClocks(ctx, s.DB)
	if err != nil {
		return err
	}
	var failed []error
	for _, w := range waiting {
		step := w.limits().step(w.SignedAt, s.Now())
		if step <= w.Step {
			continue
		}
		if err := s.escalate(ctx, w, step); err != nil { // the others are asked all the same
			failed = append(failed, fmt.Errorf("escalate prescription %s: %w", w.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (s *Service) escalate(ctx context.Context, w waitingClock, step int) error {
	asked := false
	err := s.inTx(ctx, func(tx tx) error {
		accounts, err := selectAsked(ctx, tx, w.InstitutionID, step)
		if err != nil {
			return err
		}
		if asked, err = insertEscalation(ctx, tx, w.ID, step, len(accounts), s.Now()); err != nil || !asked {
			return err // reviewed meanwhile, or another node was faster
		}
		minutes, limit := int(s.Now().Sub(w.SignedAt)/time.Minute), int(w.limits().limit(w.SignedAt)/time.Minute)
		if err := s.tell(ctx, tx, fmt.Sprintf("【远诊】%s有一张处方等审核已 %d 分钟（限 %d 分钟），请到审方台。", w.Institution, minutes, limit), accounts...); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "prescription.escalate", Object: "prescription/" + w.ID.String(), Place: w.InstitutionID, Reason: fmt.Sprintf("step %d", step)})
	})
	if err == nil && asked {
		s.Live.Publish(live.Event{Kind: "prescription.changed", ID: w.ID.String(), Places: []ids.Institution{w.InstitutionID}})
	}
	return err
}
