package consult

import (
	"context"
	"fmt"
	"slices"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
)

// Cleared is what became of slots that were taken off the roster, and of those who had booked them.
type Cleared struct {
	Slots        int            `json:"slots"`
	Visits       []ClearedVisit `json:"visits"`
	Teleconsults int            `json:"teleconsults" doc:"Scheduled in that time; the coordinator sets them anew by hand"`

	rosters map[ids.Practitioner][]ids.Institution // on which slots were
}

// ClearedVisit went to another time, or was cancelled with its fee due back.
type ClearedVisit struct {
	ID        ids.Visit `json:"id"`
	Person    string    `json:"person"`
	Was       time.Time `json:"was"`
	MovedTo   *Slot     `json:"moved_to,omitempty"`
	Doctor    string    `json:"doctor,omitempty" doc:"Whose time it is now"`
	RefundDue bool      `json:"refund_due"`

	account ids.Account
	doctors []ids.Practitioner
}

// Absence is a doctor who falls ill, at one place.
type Absence struct {
	PractitionerID ids.Practitioner `json:"practitioner_id"`
	InstitutionID  ids.Institution  `json:"institution_id"`
	From           time.Time        `json:"from"`
	Until          time.Time        `json:"until"`
	Substitute     ids.Practitioner `json:"substitute_id" required:"false" doc:"Whose open times the patients are moved to; none: cancelled and refunded"`
	DryRun         bool             `json:"dry_run" doc:"Say what would happen, and do nothing"`
}

// errRehearsed rolls a dry run back.
var errRehearsed = fault.New(fault.Conflict, "dry_run", "只是预演。", "This was a dry run.")

// CallIn clears the time of a doctor who falls ill. Patients go to the substitute's nearest open time of that day where the rules allow it, the
// rest is cancelled and refunded; all in one transaction, and everybody is told.
func (s *Service) CallIn(ctx context.Context, a Absence, key string) (done Cleared, err error) {
	if !a.From.Before(a.Until) || a.Until.Sub(a.From) > 31*24*time.Hour {
		return Cleared{}, fault.New(fault.Invalid, "time_wrong", "时间不对：起要早于止，最长 31 天。", "The time is wrong: from before until, at most 31 days.").
			WithRemedy("请改时间。", "Please correct it.")
	}
	deed := func(tx tx) (Cleared, error) {
		if _, err := s.mayPlan(ctx, tx, a.PractitionerID, a.InstitutionID); err != nil {
			return Cleared{}, err
		}
		n, err := countTeleconsults(ctx, tx, a)
		if err != nil {
			return Cleared{}, err
		}
		var substitute *ids.Practitioner
		if !a.Substitute.IsZero() {
			substitute = &a.Substitute
		}
		done, err := s.clearSlots(ctx, tx, duringAbsence(a), "doctor_ill", substitute)
		done.Teleconsults = n
		if err != nil {
			return Cleared{}, err
		}
		return done, audit.Write(ctx, tx, audit.Entry{Action: "roster.absence", Object: "practitioner/" + a.PractitionerID.String(), Place: a.InstitutionID})
	}
	if a.DryRun {
		err = s.inTx(ctx, func(tx tx) error {
			if done, err = deed(tx); err == nil {
				err = errRehearsed
			}
			return err
		})
		if err == errRehearsed {
			err = nil
		}
		return done, err
	}
	done, fresh, err := once(ctx, s, key, a, deed)
	for again := 0; lost(err) && again < 2; again++ { // a patient was faster with one of the substitute's times: another is found
		done, fresh, err = once(ctx, s, key, a, deed)
	}
	if err == nil && fresh {
		s.tellCleared(done)
	}
	return done, err
}

// clearSlots takes slots off the roster and looks after their patients: moved to the substitute where the check passes, else cancelled by
// the hospital with the fee due back. The slot's row is locked first, so a booking is either seen here or comes too late.
func (s *Service) clearSlots(ctx context.Context, tx tx, w which, reason string, substitute *ids.Practitioner) (Cleared, error) {
	done := Cleared{Visits: []ClearedVisit{}, rosters: map[ids.Practitioner][]ids.Institution{}}
	slots, err := withdrawSlots(ctx, tx, w, reason, s.Now())
	if err != nil {
		return done, err
	}
	done.Slots = len(slots)
	for _, one := range slots {
		if !slices.Contains(done.rosters[one.Doctor], one.Place) {
			done.rosters[one.Doctor] = append(done.rosters[one.Doctor], one.Place)
		}
	}
	visits, err := selectCleared(ctx, tx, slots)
	if err != nil {
		return done, err
	}
	for _, v := range visits {
		c := ClearedVisit{ID: v.ID, Person: v.PersonName, Was: v.Start, account: v.AccountID, doctors: []ids.Practitioner{v.PractitionerID}}
		zone := place(v.Zone)
		if substitute != nil {
			if c.MovedTo, c.Doctor, err = s.moveToNearest(ctx, tx, v, *substitute); err != nil {
				return done, err
			}
		}
		text := ""
		if c.MovedTo != nil {
			c.doctors = append(c.doctors, *substitute)
			text = fmt.Sprintf("【远诊】%s医师临时不能出诊，您%s的就诊改为%s，由%s医师接诊。不方便可以免费取消。",
				v.DoctorName, schedule.Moment(v.Start, zone), schedule.Moment(c.MovedTo.Start, zone), c.Doctor)
		} else {
			c.RefundDue = v.FeeFen > 0
			if err := cancelByHospital(ctx, tx, v.ID, reason, c.RefundDue, s.Now()); err != nil {
				return done, err
			}
			text = fmt.Sprintf("【远诊】抱歉，您%s的就诊由医院取消，费用会退回。请打开页面另选时间。", schedule.Moment(v.Start, zone))
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: "visit.cleared", Object: "visit/" + v.ID.String(), Person: v.PersonID, Place: v.InstitutionID, Reason: reason}); err != nil {
			return done, err
		}
		if err := s.notify(ctx, tx, v.AccountID, text); err != nil {
			return done, err
		}
		done.Visits = append(done.Visits, c)
	}
	return done, nil
}

// moveToNearest moves a visit to the substitute's open time nearest to its own on that day; none if there is none, or the check refuses.
func (s *Service) moveToNearest(ctx context.Context, tx tx, v clearedRow, substitute ids.Practitioner) (*Slot, string, error) {
	slot, doctor, err := nearestOf(ctx, tx, substitute, v, s.Now())
	if err != nil || slot == nil {
		return nil, "", err
	}
	d, _, err := s.judge(ctx, tx, Ask{Person: v.PersonID, Slot: slot.ID, Kind: v.Kind, ICD10: v.ICD10, Severity: v.Severity, IntendsRx: v.IntendsRx,
		Stage: eligibility.Booking, account: v.AccountID})
	if err != nil || !d.Verdict.Passes() {
		return nil, "", err
	}
	if _, err := rebook(ctx, tx, v.ID, slot.ID, "doctor_ill", s.Now()); err != nil {
		return nil, "", err
	}
	if err := s.remind(ctx, tx, v.ID, slot.Start); err != nil {
		return nil, "", err
	}
	return slot, doctor, s.keep(ctx, tx, &d, v.PersonID, v.ID, slot.Institution.ID)
}

// tellCleared lets all concerned screens ask again.
func (s *Service) tellCleared(done Cleared) {
	for doctor, places := range done.rosters {
		s.tellRoster(doctor, places...)
	}
	for _, v := range done.Visits {
		s.Live.Publish(live.Event{Kind: "visit.changed", ID: v.ID.String(), Accounts: []ids.Account{v.account}, Practitioners: v.doctors})
		for _, d := range v.doctors {
			s.Live.Publish(live.Event{Kind: "queue.changed", ID: d.String(), Practitioners: []ids.Practitioner{d}})
		}
	}
}

// notify queues a message to an account in the deed's transaction.
func (s *Service) notify(ctx context.Context, tx tx, account ids.Account, text string) error {
	if s.Notices == nil {
		return nil
	}
	return s.Notices.Tell(ctx, tx, account, text)
}

// mayPlan reads how far the scope reaches into a doctor's roster at a place; zero place: any. Unknown and foreign are the same.
func (s *Service) mayPlan(ctx context.Context, tx tx, doctor ids.Practitioner, at ids.Institution) (planning, error) {
	p, err := selectPlanning(ctx, tx, authz.ScopeFrom(ctx), doctor)
	if err == nil && (len(p.places) == 0 || !at.IsZero() && !p.has(at)) {
		err = fault.Missing()
	}
	return p, err
}
