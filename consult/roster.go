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
}

// Offer opens a stretch of a doctor's time at a place, cut into slots of one length.
type Offer struct {
	Doctor     ids.Practitioner
	Place      ids.Institution
	Department string
	schedule.Span
	Length  time.Duration
	FeeFen  int
	Purpose string // visit, or teleconsult
}

// OfferSlots puts the slots of an offer on the roster in the caller's transaction. The doctor must be
// registered at the place to the end of each (MPP-03) and, with the way, nowhere else at the time (MPP-05).
func (s *Service) OfferSlots(ctx context.Context, tx tx, o Offer) ([]ids.Slot, error) {
	spans := schedule.Cut([]schedule.Span{o.Span}, o.Length)
	if len(spans) == 0 {
		return nil, fault.New(fault.Invalid, "offer_empty", "这段时间放不下一个号。", "No slot fits into this time.").
			WithRemedy("请把时间放长，或把每个号放短。", "Make the time longer or the slots shorter.")
	}
	var slots []ids.Slot
	for _, span := range spans {
		id, err := insertSlot(ctx, tx, o, span)
		if pg.Violates(err, "slot_one_at_a_time") || pg.Violates(err, "slot_time_to_travel") {
			return nil, fault.New(fault.Conflict, "doctor_elsewhere", "医师这段时间在别处已有安排（含路上 15 分钟）。", "The doctor is elsewhere at this time, with 15 minutes for the way.").
				WithRemedy("请选择其他时间。", "Please choose another time.").Because(err)
		}
		if err != nil {
			return nil, err
		}
		if id.IsZero() {
			return nil, fault.New(fault.Refused, "doctor_not_registered", "医师在本机构没有有效的注册或备案。", "The doctor has no valid registration or filing here.").
				WithRemedy("请先办理多机构备案。", "File the doctor at this institution first.")
		}
		slots = append(slots, id)
	}
	return slots, nil
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

// Slots lists a doctor's open slots of the next days.
func (s *Service) Slots(ctx context.Context, doctor ids.Practitioner, days int) (list []Slot, err error) {
	now := s.Now()
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectSlots(ctx, tx, doctor, now, now.AddDate(0, 0, days))
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
