package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Slot is a time in which a doctor can be booked at a place of practice.
type Slot struct {
	ID          ids.Slot               `json:"id"`
	Start       time.Time              `json:"start"`
	End         time.Time              `json:"end"`
	Institution Named[ids.Institution] `json:"institution"`
	Department  string                 `json:"department"`
	FeeFen      int                    `json:"fee_fen"`
	Mode        string                 `json:"mode" enum:"online,on_site"`
	Zone        string                 `json:"zone" doc:"IANA zone of the place"`
}

// Offer opens a stretch of a doctor's time at a place, cut into slots of one length.
type Offer struct {
	Doctor     ids.Practitioner
	Place      ids.Institution
	Department string
	schedule.Span
	Length   time.Duration
	FeeFen   int
	Purpose  string       // visit, teleconsult, or duty; visit if empty
	Mode     string       // online or on_site; online if empty
	Template ids.Template // zero: opened by hand
}

// OfferSlots puts the slots of an offer on the roster in the caller's transaction. The doctor must be
// registered at the place, and the place licensed, to the end of the last (MPP-03, LIC-01); with the way between two places nothing else may
// stand in the doctor's calendar (MPP-05), least of all the main place's own work (MPP-06). What stands there is
// shown as busy, never as what it is.
func (s *Service) OfferSlots(ctx context.Context, tx tx, o Offer) ([]ids.Slot, error) {
	spans := schedule.Cut([]schedule.Span{o.Span}, o.Length)
	if len(spans) == 0 {
		return nil, fault.New(fault.Invalid, "offer_empty", "这段时间放不下一个号。", "No slot fits into this time.").
			WithRemedy("请把时间放长，或把每个号放短。", "Make the time longer or the slots shorter.")
	}
	o.Span = schedule.Span{Start: spans[0].Start, End: spans[len(spans)-1].End}
	why, err := blockOf(ctx, tx, o)
	if err != nil {
		return nil, err
	}
	if why != nil {
		return nil, why.fault()
	}
	slots, err := insertSlots(ctx, tx, o)
	if pg.Violates(err, "slot_one_at_a_time") || pg.Violates(err, "slot_time_to_travel") {
		return nil, (&Block{Rule: "MPP-05"}).fault().Because(err) // somebody was faster; whose time it is shows on the next look
	}
	if err != nil {
		return nil, err
	}
	if len(slots) == 0 {
		return nil, fault.New(fault.Refused, "doctor_not_registered", "医师在本机构没有到这一天仍有效的注册或备案，或机构许可到期（MPP-03）。",
			"The doctor has no registration or filing here that lasts to this day, or the licence ends before (MPP-03).").
			WithRemedy("请先办理多机构备案。", "File the doctor at this institution first.").With(Block{Rule: "MPP-03"})
	}
	return slots, nil
}

// Block is what stands in the way of a slot: the rule, and when the doctor is busy. Where and with what stays with the other place.
type Block struct {
	Rule string         `json:"rule"`
	Busy *schedule.Span `json:"busy,omitempty"`

	duty, here bool
	zone       *time.Location
}

func (b *Block) fault() *fault.Error {
	zh, en := "", ""
	if b.Busy != nil {
		zh = "：" + schedule.Moment(b.Busy.Start, b.zone) + "-" + b.Busy.End.In(b.zone).Format("15:04") + " 忙"
		en = ": busy " + b.Busy.Start.In(b.zone).Format("Mon 2 Jan 15:04") + "-" + b.Busy.End.In(b.zone).Format("15:04")
	}
	if b.duty {
		return fault.New(fault.Conflict, "primary_duty", "与主要执业机构的工作时间冲突"+zh+"（MPP-06）。", "It collides with the main place's duties"+en+" (MPP-06).").
			WithRemedy("请换时间，或请主要执业机构放开这段时间。", "Choose another time, or ask the main place to release it.").With(b)
	}
	if b.here {
		return fault.New(fault.Conflict, "doctor_elsewhere", "医师这段时间在本机构已有安排"+zh+"（MPP-05）。", "The doctor already has something here at this time"+en+" (MPP-05).").
			WithRemedy("请选择其他时间。", "Please choose another time.").With(b)
	}
	return fault.New(fault.Conflict, "doctor_elsewhere", "医师这段时间在别处已有安排，含路上时间"+zh+"（MPP-05）。", "The doctor is elsewhere at this time, the way included"+en+" (MPP-05).").
		WithRemedy("请选择其他时间。", "Please choose another time.").With(b)
}

// offer is OfferSlots for a place within the scope.
func (s *Service) offer(ctx context.Context, o Offer) (slots []ids.Slot, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if !slices.Contains(authz.ScopeFrom(ctx).Places(), o.Place) {
			return fault.Missing()
		}
		if slots, err = s.OfferSlots(ctx, tx, o); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "roster.offer", Object: "practitioner/" + o.Doctor.String(), Place: o.Place})
	})
	return slots, err
}

// DoctorOffer is a doctor as the booking page lists them.
type DoctorOffer struct {
	PractitionerID ids.Practitioner       `json:"practitioner_id"`
	Name           string                 `json:"name"`
	Title          string                 `json:"title"`
	Institution    Named[ids.Institution] `json:"institution"`
	Department     string                 `json:"department"`
	FeeFen         int                    `json:"fee_fen"`
	Earliest       *Slot                  `json:"earliest,omitempty"`
}

// Doctors lists who can be booked in a department, the soonest first.
func (s *Service) Doctors(ctx context.Context, department string) (list []DoctorOffer, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectDoctors(ctx, tx, department, s.Now())
		return err
	})
	return list, err
}

// Slots lists a doctor's open slots of the next days, with what the account that asks holds itself: who goes back finds their choice.
func (s *Service) Slots(ctx context.Context, doctor ids.Practitioner, days int) (list []Slot, err error) {
	now := s.Now()
	var account ids.Account
	if asking := authz.SubjectFrom(ctx); asking != nil {
		account = asking.Account
	}
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectSlots(ctx, tx, doctor, account, now, now.AddDate(0, 0, days))
		return err
	})
	return list, err
}

// nearest are three open slots beside one that is taken: of the same doctor first.
func (s *Service) nearest(ctx context.Context, taken ids.Slot) (list []Slot, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectNearest(ctx, tx, taken, s.Now())
		return err
	})
	return list, err
}

// Conditions merges the catalogues of all institutions.
func (s *Service) Conditions(ctx context.Context) (list []FollowUpCondition, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectConditions(ctx, tx)
		return err
	})
	return list, err
}

// Institutions lists the hospitals.
func (s *Service) Institutions(ctx context.Context) (list []InstitutionCard, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectInstitutions(ctx, tx)
		return err
	})
	return list, err
}
