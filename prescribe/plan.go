package prescribe

import (
	"context"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/qr"
)

const (
	partDays  = 28 // RXE-16: a long prescription hands out four weeks at a time
	earlyDays = 3  // a later part may be collected this many days before the last one is used up
	lateDays  = 10 // and until so many days after
)

// Part of a prescription: what may be collected once. Waiting and expired are computed.
type Part struct {
	ID          ids.Part   `json:"id"`
	Part        int        `json:"part"`
	NotBefore   string     `json:"not_before" format:"date"`
	NotAfter    time.Time  `json:"not_after"`
	State       string     `json:"state" enum:"waiting,ready,claimed,dispensed,void,paused,expired"`
	Pharmacy    string     `json:"pharmacy,omitempty" doc:"who claimed it"`
	ClaimedAt   *time.Time `json:"claimed_at,omitempty"`
	LeaseUntil  *time.Time `json:"lease_until,omitempty"`
	Coded       bool       `json:"coded" doc:"a claim code is out; a new one ends it"`
	CheckedInAt *time.Time `json:"checked_in_at,omitempty"`
	PausedAt    *time.Time `json:"paused_at,omitempty"`
	Answers     *CheckIn   `json:"answers,omitempty" doc:"what the patient said before this part"`
	Lines       []PartLine `json:"lines"`
	Recalls     []Recalled `json:"recalls,omitempty" doc:"lots handed out that were called back"`
}

// PartLine is what a line of the prescription has in this part, in days of supply.
type PartLine struct {
	Line   int `json:"line"`
	Days   int `json:"days"`
	Remain int `json:"remain"`
}

// Recalled is a lot that was called back after it was handed out.
type Recalled struct {
	Lot    string `json:"lot"`
	Reason string `json:"reason"`
}

func (p Part) today(now time.Time) string {
	switch {
	case p.State == "claimed" && p.LeaseUntil != nil && now.After(*p.LeaseUntil):
		p.State = "ready"
	case p.State != "ready":
		return p.State
	}
	switch {
	case p.PausedAt != nil:
		return "paused"
	case now.After(p.NotAfter):
		return "expired"
	case dayOf(now) < p.NotBefore:
		return "waiting"
	}
	return p.State
}

func longest(o Order) (days int) {
	for _, i := range o.Items {
		days = max(days, i.Days)
	}
	return days
}

// planned: above 28 days a long prescription is a plan of several parts.
func planned(o Order) bool { return o.Type == "long" && longest(o) > partDays }

// validity is the end of the day of issue, or of the second or third day if the doctor says so (RXE-22); a plan ends with
// its last part.
func validity(o Order, signed time.Time) time.Time {
	parts := partsOf(o, signed)
	return parts[len(parts)-1].NotAfter
}

// partsOf divides an order: one part, or up to three of 28 days (30 under a local document), each with its own earliest and latest day.
func partsOf(o Order, signed time.Time) (parts []Part) {
	size := longest(o)
	if planned(o) {
		size = max(partDays, (longest(o)+2)/3) // up to 90 days by a local document: still three parts
	}
	for done := 0; done < longest(o); done += size {
		p := Part{ID: ids.New[ids.Part](), Part: len(parts) + 1, NotBefore: dayOf(signed), NotAfter: endOfDay(signed.AddDate(0, 0, max(o.ValidDays, 1)-1))}
		if done > 0 {
			due := signed.In(qr.China).AddDate(0, 0, done)
			p.NotBefore, p.NotAfter = dayOf(due.AddDate(0, 0, -earlyDays)), endOfDay(due.AddDate(0, 0, lateDays))
		}
		for _, i := range o.Items {
			if days := min(i.Days-done, size); days > 0 {
				p.Lines = append(p.Lines, PartLine{Line: i.Line, Days: days, Remain: days})
			}
		}
		parts = append(parts, p)
	}
	return parts
}

// ConfirmPlan is the patient's own word to more than 28 days (RXE-17).
func (s *Service) ConfirmPlan(ctx context.Context, id ids.Prescription) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != Approved || !planned(p.Order) {
			return movedOn(p)
		}
		if err := insertPlan(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// CheckIn is what the patient says before a later part. A pressure of 0 was not measured.
type CheckIn struct {
	Part         int  `json:"part" minimum:"2" maximum:"3"`
	NewSymptoms  bool `json:"new_symptoms" doc:"worse, or something new such as chest pain, fainting, bleeding"`
	NewMedicines bool `json:"new_medicines"`
	Pregnant     bool `json:"pregnant" doc:"is or may be"`
	SideEffects  bool `json:"side_effects"`
	Systolic     int  `json:"systolic,omitempty" minimum:"0" maximum:"300" doc:"mm[Hg], if measured"`
}

// red: an answer that a doctor has to hear before more is handed out. 180 mm[Hg] is grade 3 hypertension.
func (c CheckIn) red() bool {
	return c.NewSymptoms || c.NewMedicines || c.Pregnant || c.SideEffects || c.Systolic >= 180 || c.Systolic > 0 && c.Systolic < 90
}

// CheckInPart records the answers before a later part; a red one pauses this part and those after it until the
// prescriber goes on, and the patient is offered a visit.
func (s *Service) CheckInPart(ctx context.Context, id ids.Prescription, c CheckIn) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != Approved {
			return movedOn(p)
		}
		kept, err := putCheckIn(ctx, tx, id, c, c.red(), s.Now())
		if err != nil {
			return err
		}
		if !kept {
			return fault.New(fault.Conflict, "no_check_in", "这一期现在不用填：还没到时间，或已经填过、已取药。", "There is nothing to answer for this part now: it is too early, answered, or collected.").
				WithRemedy("请看下一期的日期。", "Please look at the dates.")
		}
		if c.red() {
			if err := s.tellPaused(ctx, tx, p); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// tellPaused sends word to the prescriber, who has to look, and to the patient's people, who have to book.
func (s *Service) tellPaused(ctx context.Context, tx tx, p Prescription) error {
	doctor, err := accountOfPractitioner(ctx, tx, p.Doctor.ID)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, tx, "【远诊】您有一份长期处方因患者的回答暂停了，请到门诊工作台查看。", doctor); err != nil {
		return err
	}
	family, err := accountsOf(ctx, tx, p.Person.ID)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, "【远诊】您的回答要让医生看一看，下一期药先不要取。请打开处方页面约一次复诊。", family...)
}

func (s *Service) tell(ctx context.Context, tx tx, text string, accounts ...ids.Account) error {
	if s.Notices == nil {
		return nil
	}
	for _, account := range accounts {
		if err := s.Notices.Tell(ctx, tx, account, text); err != nil {
			return err
		}
	}
	return nil
}

// PausedPlans lists the prescriber's own plans that a red answer paused.
func (s *Service) PausedPlans(ctx context.Context) (list []Prescription, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = s.readAll(ctx, tx, filter{Paused: authz.SubjectFrom(ctx).Practitioner}); err != nil {
			return err
		}
		for _, p := range list {
			if err := s.record(ctx, tx, p.ID, p.Person.ID, p.Institution.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// GoOn lets a paused plan go on, by its prescriber, who has spoken with the patient; the patient answers anew.
func (s *Service) GoOn(ctx context.Context, id ids.Prescription) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.own(ctx, tx, id)
		if err != nil {
			return err
		}
		went, err := unpause(ctx, tx, id)
		if err != nil || !went {
			return orMovedOn(err, p)
		}
		family, err := accountsOf(ctx, tx, p.Person.ID)
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, "【远诊】医生看过了，长期处方可以接着取。取药前请再答几个问题。", family...); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}
