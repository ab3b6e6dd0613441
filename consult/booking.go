package consult

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
)

const (
	holdFor     = 10 * time.Minute // to look everything over and pay
	offerFor    = 30 * time.Minute // for the first in line to answer a message
	holdsADay   = 20               // an account; a dealer needs more
	seriesAtAll = 12               // visits in one series
)

// bookOne makes one visit in the caller's transaction: judged, in a slot that is free or held for this account, with its consents, its
// decision, its audit entry and its reminders. refused is the decision that speaks against it; nothing was made then.
func (s *Service) bookOne(ctx context.Context, tx tx, account ids.Account, b Booking) (id ids.Visit, place ids.Institution, refused *Decision, err error) {
	d, slot, err := s.judge(ctx, tx, b.Ask)
	if err != nil {
		return id, place, nil, err
	}
	deeds := &pgx.Batch{} // all that is written, in one round trip
	putConsents(deeds, b.Ask, account, s.Now())
	if !d.Verdict.Passes() {
		return id, slot.InstitutionID, &d, send(ctx, tx, deeds)
	}
	if slot.Taken && b.overbook == "" {
		return id, place, nil, errTaken
	}
	id = ids.New[ids.Visit]()
	insertVisit(deeds, id, account, slot, b, control.Room("v-"+rand.Text()), s.Now())
	deed := audit.Entry{Action: "visit.book", Object: "visit/" + id.String(), Person: b.Person, Place: slot.InstitutionID}
	if b.overbook != "" {
		deed.Action, deed.Reason = "visit.overbook", b.overbook
	}
	if err := s.keepIn(ctx, deeds, &d, b.Person, id, slot.InstitutionID, deed); err != nil {
		return id, place, nil, err
	}
	if !b.unheld {
		endOwnHold(deeds, account, slot.ID, b.Person, id)
	}
	if b.made != nil {
		askVisits(deeds, b.made, authz.ScopeFrom(ctx), filter{Visit: id}, s.Now())
	}
	if err := send(ctx, tx, deeds); err != nil {
		return id, place, nil, err
	}
	return id, slot.InstitutionID, nil, s.remind(ctx, tx, id, slot.Start)
}

// lost reports whether err means that somebody else has the slot, or that it is gone.
func lost(err error) bool {
	return errors.Is(err, errTaken) || pg.Violates(err, "visit_one_a_slot") || pg.Violates(err, "visit_slot_held") || pg.Violates(err, "visit_slot_open")
}

// Held is a slot kept for the account until a clock time; the database's clock says when that is over.
type Held struct {
	ID    ids.Hold  `json:"id"`
	Slot  Slot      `json:"slot"`
	Until time.Time `json:"until"`
}

// HoldSlot keeps an open slot while the patient looks everything over. The account's earlier choice is let go; one account
// can't keep several, nor try too many.
func (s *Service) HoldSlot(ctx context.Context, slot ids.Slot, key string) (Held, error) {
	account := authz.SubjectFrom(ctx).Account
	h, _, err := once(ctx, s, key, slot, func(tx tx) (Held, error) {
		if h, err := liveHold(ctx, tx, account, slot); err != nil || !h.ID.IsZero() {
			return h, err
		}
		n, err := letGo(ctx, tx, account)
		if err != nil {
			return Held{}, err
		}
		if n >= holdsADay {
			return Held{}, fault.New(fault.Limited, "holds_many", "今天选过的时间太多了。", "Too many times were tried today.").
				WithRemedy("请直接预约，或打医院电话。", "Please book directly, or ring the hospital.")
		}
		if open, err := insertHold(ctx, tx, account, slot, holdFor, ids.WaitEntry{}, s.Now()); err != nil || !open {
			return Held{}, cmpErr(err, errTaken)
		}
		return liveHold(ctx, tx, account, slot)
	})
	if errors.Is(err, errTaken) || pg.Violates(err, "hold_one_a_slot") || pg.Violates(err, "hold_slot_booked") || pg.Violates(err, "hold_slot_open") {
		return Held{}, s.slotTaken(ctx, slot)
	}
	return h, err
}

// SlotTaken is what a refusal tells: which slot is gone, of a series too, and the nearest open ones.
type SlotTaken struct {
	SlotID  ids.Slot `json:"slot_id"`
	Nearest []Slot   `json:"nearest"`
}

// slotTaken is the refusal with the nearest times. Of many who lose one slot at the same moment one asks for all: what is open is the
// same for everybody.
func (s *Service) slotTaken(ctx context.Context, slot ids.Slot) error {
	list, err, _ := s.losing.Do(slot.String(), func() (any, error) { return s.nearest(context.WithoutCancel(ctx), slot) })
	if err != nil {
		return err
	}
	nearest, _ := list.([]Slot)
	return fault.New(fault.Conflict, "slot_taken", "这个时间刚刚被别人约走了。", "This time has just been taken.").
		WithRemedy("请从旁边的时间里选一个，您填的都在。", "Please choose one of the times nearby; your answers are kept.").
		With(SlotTaken{slot, nearest})
}

// LetGo gives a hold back before it lapses; a declined offer goes to the next in line.
func (s *Service) LetGo(ctx context.Context, id ids.Hold, key string) error {
	var offered *inLine
	_, _, err := once(ctx, s, key, id, func(tx tx) (nothing, error) {
		slot, err := releaseHold(ctx, tx, id, authz.SubjectFrom(ctx).Account)
		if err != nil {
			return nothing{}, err
		}
		offered, err = s.offerFreed(ctx, tx, slot)
		return nothing{}, err
	})
	s.tellOffered(offered, err)
	return err
}

// BookSeries books one visit a slot, all or none. The first refusal or lost slot undoes the rest and names the slot.
func (s *Service) BookSeries(ctx context.Context, b Booking, slots []ids.Slot) ([]Visit, error) {
	account := authz.SubjectFrom(ctx).Account
	slices.SortFunc(slots, func(a, b ids.Slot) int { return slices.Compare(a[:], b[:]) }) // everybody locks in one order
	if len(slices.Compact(slots)) != len(slots) || len(slots) > seriesAtAll {
		return nil, fault.New(fault.Invalid, "series_wrong", "一组预约要是 2 到 12 个不同的时间。", "A series is 2 to 12 different times.").
			WithRemedy("请重新选时间。", "Please choose the times again.")
	}
	b.Stage, b.series = eligibility.Booking, ids.New[ids.Series]()
	base := uuid.MustParse(b.RequestKey)
	var at ids.Slot
	made, _, err := once(ctx, s, b.RequestKey, []any{b.Ask, b.Complaint, slots}, func(tx tx) ([]ids.Visit, error) {
		if err := s.mayActFor(ctx, tx, b.Person); err != nil {
			return nil, err
		}
		var made []ids.Visit
		for i, slot := range slots {
			at, b.Slot, b.RequestKey = slot, slot, uuid.NewSHA1(base, fmt.Append(nil, i)).String()
			id, _, no, err := s.bookOne(ctx, tx, account, b)
			if err == nil && no != nil {
				err = notEligible(*no)
			}
			if err != nil {
				return nil, err
			}
			made = append(made, id)
		}
		return made, nil
	})
	if lost(err) {
		return nil, s.slotTaken(ctx, at)
	}
	if err != nil {
		return nil, err
	}
	visits := make([]Visit, len(made))
	for i, id := range made {
		if visits[i], err = s.Visit(ctx, id); err != nil {
			return nil, err
		}
		s.tell("visit.changed", visits[i])
	}
	slices.SortFunc(visits, func(a, b Visit) int { return a.Start.Compare(b.Start) })
	s.tellQueue(ctx, visits[0])
	return visits, nil
}

// MoveVisit changes the time of a visit that has not begun, and with it doctor and liable place if the slot is another's. It is
// judged anew; the old slot goes to the first in line.
func (s *Service) MoveVisit(ctx context.Context, id ids.Visit, to ids.Slot, reason, key string) (Visit, error) {
	var before Visit
	var refused *Decision
	var offered *inLine
	_, fresh, err := once(ctx, s, key, []any{id, to, reason}, func(tx tx) (nothing, error) {
		var err error
		refused = nil
		if before, err = s.find(ctx, tx, id); err != nil {
			return nothing{}, err
		}
		if m := move("move"); !slices.Contains(m.From, before.State) || before.row.SlotID == to {
			return nothing{}, movedOn(before)
		}
		a := before.ask(eligibility.Booking)
		a.Slot, a.Guardian = to, false
		d, slot, err := s.judge(ctx, tx, a)
		if err != nil {
			return nothing{}, err
		}
		if !d.Verdict.Passes() {
			refused = &d
			return nothing{}, notEligible(d)
		}
		if slot.Taken {
			return nothing{}, errTaken
		}
		if places := authz.ScopeFrom(ctx).Places(); !s.byPatient(ctx) && !slices.Contains(places, slot.InstitutionID) {
			return nothing{}, fault.Missing()
		}
		if moved, err := rebook(ctx, tx, id, to, reason, s.Now()); err != nil || !moved {
			return nothing{}, cmpErr(err, movedOn(before))
		}
		deeds := &pgx.Batch{}
		if err := s.keepIn(ctx, deeds, &d, before.Person.ID, id, slot.InstitutionID); err != nil {
			return nothing{}, err
		}
		endOwnHold(deeds, before.account, to, before.Person.ID, id)
		if err := send(ctx, tx, deeds); err != nil {
			return nothing{}, err
		}
		if err := s.remind(ctx, tx, id, slot.Start); err != nil {
			return nothing{}, err
		}
		if !s.byPatient(ctx) {
			zone, err := zoneOf(ctx, tx, slot.InstitutionID)
			if err != nil {
				return nothing{}, err
			}
			if err := s.notify(ctx, tx, before.account, fmt.Sprintf("【远诊】您%s的就诊改到%s。不方便可以免费取消。",
				schedule.Moment(before.Start, zone), schedule.Moment(slot.Start, zone))); err != nil {
				return nothing{}, err
			}
		}
		if offered, err = s.offerFreed(ctx, tx, before.row.SlotID); err != nil {
			return nothing{}, err
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "visit.move", Object: "visit/" + id.String(), Person: before.Person.ID, Place: slot.InstitutionID})
	})
	if lost(err) {
		return Visit{}, s.slotTaken(ctx, to)
	}
	if refused != nil && err != nil {
		return Visit{}, cmpErr(s.keepRefusal(ctx, before, *refused), err)
	}
	if err != nil {
		return Visit{}, err
	}
	s.tellOffered(offered, nil)
	v, err := s.Visit(ctx, id)
	if err == nil && fresh {
		s.tell("visit.changed", before)
		s.tellQueue(ctx, before)
		s.tell("visit.changed", v)
		s.tellQueue(ctx, v)
	}
	return v, err
}

// byPatient reports whether the deed is done from the patient's side.
func (s *Service) byPatient(ctx context.Context) bool {
	return authz.SubjectFrom(ctx).Holds(authz.Patient, ids.Institution{})
}

// Reminder is a job: the message before a visit. It is dropped if the visit was moved or cancelled since.
type Reminder struct {
	Visit ids.Visit `json:"visit"`
	Start time.Time `json:"start"`
}

func (Reminder) Kind() string { return "visit_reminder" }

var reminders = []time.Duration{24 * time.Hour, 30 * time.Minute}

func (s *Service) remind(ctx context.Context, tx tx, id ids.Visit, start time.Time) error {
	if s.Jobs == nil {
		return nil
	}
	var at []time.Time
	for _, before := range reminders {
		if when := start.Add(-before); when.After(s.Now()) {
			at = append(at, when)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return s.Jobs.InsertAt(ctx, tx, Reminder{id, start}, at...)
}

// Remind works a Reminder.
func (s *Service) Remind(ctx context.Context, r Reminder) error {
	return s.inTx(ctx, func(tx tx) error {
		account, zone, due, err := reminderDue(ctx, tx, r.Visit, r.Start)
		if err != nil || !due {
			return err
		}
		return s.notify(ctx, tx, account, fmt.Sprintf("【远诊】提醒：您的就诊在%s。请提前 10 分钟打开页面候诊。", schedule.Moment(r.Start, place(zone))))
	})
}
