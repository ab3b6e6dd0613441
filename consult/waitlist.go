package consult

import (
	"context"
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
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
)

// WaitEntry is a place on the waiting list for a freed slot, or in the pool of those who want any doctor now (walk-in). It keeps
// the whole wish, so that an offer is taken with one press.
type WaitEntry struct {
	ID          ids.WaitEntry           `json:"id"`
	State       string                  `json:"state" enum:"waiting,booked,left"`
	WalkIn      bool                    `json:"walk_in"`
	Person      Patient                 `json:"person"`
	Institution Named[ids.Institution]  `json:"institution"`
	Doctor      Named[ids.Practitioner] `json:"doctor" doc:"Without id: any of the department"`
	Department  string                  `json:"department"`
	Until       time.Time               `json:"until"`
	JoinedAt    time.Time               `json:"joined_at"`
	Ahead       int                     `json:"ahead" doc:"How many joined the same line before"`
	Offer       *Held                   `json:"offer,omitempty"`
	VisitID     ids.Visit               `json:"visit_id,omitempty"`

	account ids.Account
	wish    Wish
}

// Wish is what a patient wants of a visit, without the time.
type Wish struct {
	Kind      string `json:"kind" enum:"follow_up,first_visit,health_consult,accompanied"`
	ICD10     string `json:"icd10" pattern:"^([A-Z][0-9]{2}([.][0-9x][0-9]{0,3})?)?$"`
	Severity  string `json:"severity" enum:"mild,moderate,severe"`
	IntendsRx bool   `json:"intends_rx"`
	Complaint string `json:"complaint" maxLength:"2000"`
}

// NewWait joins the waiting list of a doctor or department, or the walk-in pool.
type NewWait struct {
	PersonID       ids.Person       `json:"person_id"`
	InstitutionID  ids.Institution  `json:"institution_id"`
	PractitionerID ids.Practitioner `json:"practitioner_id" required:"false" doc:"None: any doctor of the department"`
	Department     string           `json:"department" minLength:"1" maxLength:"100"`
	WalkIn         bool             `json:"walk_in"`
	Until          time.Time        `json:"until"`
	Wish           Wish             `json:"wish"`
	Consents       Consents         `json:"consents"`
}

// farthestWait is how long a wish stays on the list.
const farthestWait = 60 * 24 * time.Hour

// JoinWait puts the wish on the list. The law is asked when there is a slot to ask about.
func (s *Service) JoinWait(ctx context.Context, n NewWait, key string) (WaitEntry, error) {
	if now := s.Now(); !n.Until.After(now) || n.Until.Sub(now) > farthestWait {
		return WaitEntry{}, fault.New(fault.Invalid, "time_wrong", "候补最长 60 天。", "The list keeps a wish for up to 60 days.").WithRemedy("请改日期。", "Please change the date.")
	}
	account := authz.SubjectFrom(ctx).Account
	id, fresh, err := once(ctx, s, key, n, func(tx tx) (ids.WaitEntry, error) {
		if err := s.mayActFor(ctx, tx, n.PersonID); err != nil {
			return ids.WaitEntry{}, err
		}
		consents := &pgx.Batch{}
		putConsents(consents, Ask{Person: n.PersonID, InternetCare: n.Consents.InternetCare, SensitivePI: n.Consents.SensitivePI}, account, s.Now())
		if err := send(ctx, tx, consents); err != nil {
			return ids.WaitEntry{}, err
		}
		id := ids.New[ids.WaitEntry]()
		made, err := insertWait(ctx, tx, id, account, n)
		if err == nil && !made {
			err = fault.Missing()
		}
		if err != nil {
			return id, err
		}
		return id, audit.Write(ctx, tx, audit.Entry{Action: "wait.join", Object: "wait_entry/" + id.String(), Person: n.PersonID, Place: n.InstitutionID})
	})
	if pg.Violates(err, "wait_entry_once") {
		return WaitEntry{}, fault.New(fault.Conflict, "waiting_already", "已经在候补了。", "This person is already waiting here.").
			WithRemedy("有空出的时间会发短信。", "You get a message when a time becomes free.").Because(err)
	}
	if err != nil {
		return WaitEntry{}, err
	}
	e, err := s.waitEntry(ctx, id)
	if err == nil && fresh {
		s.tellWait(e)
	}
	return e, err
}

// Waits lists entries within the scope: the account's own, or those of the place, or those a doctor could take.
func (s *Service) Waits(ctx context.Context) (list []WaitEntry, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = selectWaits(ctx, tx, authz.ScopeFrom(ctx), ids.WaitEntry{}, s.Now()); err != nil {
			return err
		}
		var read []audit.Entry
		for _, e := range list {
			read = append(read, audit.Entry{Action: "wait.read", Object: "wait_entry/" + e.ID.String(), Person: e.Person.ID, Place: e.Institution.ID})
		}
		return audit.Write(ctx, tx, read...)
	})
	return list, err
}

func (s *Service) waitEntry(ctx context.Context, id ids.WaitEntry) (e WaitEntry, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err := selectWaits(ctx, tx, authz.ScopeFrom(ctx), id, s.Now())
		if err == nil && len(list) == 0 {
			err = fault.Missing()
		}
		if err == nil {
			e = list[0]
		}
		return err
	})
	return e, err
}

// LeaveWait takes a wish off the list; a slot that is offered to it goes to the next.
func (s *Service) LeaveWait(ctx context.Context, id ids.WaitEntry, key string) error {
	var offered *inLine
	var left WaitEntry
	_, fresh, err := once(ctx, s, key, id, func(tx tx) (nothing, error) {
		e, err := s.waitIn(ctx, tx, id)
		if left = e; err != nil {
			return nothing{}, err
		}
		if err := leaveWait(ctx, tx, id); err != nil {
			return nothing{}, err
		}
		if e.Offer != nil {
			if _, err := releaseHold(ctx, tx, e.Offer.ID, e.account); err != nil {
				return nothing{}, err
			}
			if offered, err = s.offerFreed(ctx, tx, e.Offer.Slot.ID); err != nil {
				return nothing{}, err
			}
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "wait.leave", Object: "wait_entry/" + id.String(), Person: e.Person.ID, Place: e.Institution.ID})
	})
	if err == nil && fresh {
		s.tellWait(left)
	}
	s.tellOffered(offered, err)
	return err
}

func (s *Service) waitIn(ctx context.Context, tx tx, id ids.WaitEntry) (WaitEntry, error) {
	list, err := selectWaits(ctx, tx, authz.ScopeFrom(ctx), id, s.Now())
	if err == nil && (len(list) == 0 || list[0].State != "waiting") {
		err = fault.Missing()
	}
	if err != nil {
		return WaitEntry{}, err
	}
	return list[0], nil
}

// OfferLapse is a job: when an offer's time is over, the slot goes to the next in line.
type OfferLapse struct {
	Slot ids.Slot `json:"slot"`
}

func (OfferLapse) Kind() string { return "offer_lapse" }

// PassOn works an OfferLapse.
func (s *Service) PassOn(ctx context.Context, o OfferLapse) error {
	var offered *inLine
	err := s.inTx(ctx, func(tx tx) error {
		left, err := holdLeft(ctx, tx, o.Slot)
		if err != nil {
			return err
		}
		if left > 0 && s.Jobs != nil { // the clock that woke us is ahead of the database's
			return s.Jobs.InsertAt(ctx, tx, o, s.Now().Add(left+time.Second))
		}
		offered, err = s.offerFreed(ctx, tx, o.Slot)
		return err
	})
	s.tellOffered(offered, err)
	return err
}

// tellOffered lets the screens of who has been offered a slot ask again, once that is committed.
func (s *Service) tellOffered(offered *inLine, err error) {
	if offered != nil && err == nil {
		s.Live.Publish(live.Event{Kind: "wait.changed", ID: offered.entry.String(), Accounts: []ids.Account{offered.account}, Places: []ids.Institution{offered.place}})
	}
}

// offerFreed holds a slot that has become free for the first in line who has not been offered it yet, and tells them, in the
// transaction that freed it. Nobody in line: it is simply open, and nobody is returned. After the commit tellOffered lets their screens know.
func (s *Service) offerFreed(ctx context.Context, tx tx, slot ids.Slot) (*inLine, error) {
	first, err := firstInLine(ctx, tx, slot, s.Now())
	if err != nil || first == nil {
		return nil, err
	}
	open, err := insertHold(ctx, tx, first.account, slot, offerFor, first.entry, s.Now())
	if err != nil || !open {
		return nil, err
	}
	h, err := liveHold(ctx, tx, first.account, slot)
	if err != nil {
		return nil, err
	}
	if s.Jobs != nil {
		if err := s.Jobs.InsertAt(ctx, tx, OfferLapse{slot}, h.Until.Add(time.Second)); err != nil {
			return nil, err
		}
	}
	zone := place(h.Slot.Zone)
	return first, s.notify(ctx, tx, first.account, fmt.Sprintf("【远诊】您候补的时间空出来了：%s。为您保留到 %s，请打开页面确认。",
		schedule.Moment(h.Slot.Start, zone), h.Until.In(zone).Format("15:04")))
}

// TakeOffer books the offered slot with the wish that is on the list.
func (s *Service) TakeOffer(ctx context.Context, id ids.WaitEntry, key string) (Visit, error) {
	return s.bookWaiting(ctx, id, key, func(_ tx, e WaitEntry) (ids.Slot, string, error) {
		if e.Offer == nil || e.account != authz.SubjectFrom(ctx).Account {
			return ids.Slot{}, "", fault.New(fault.Gone, "offer_over", "为您保留的时间过了。", "The time kept for you is over.").
				WithRemedy("您还在候补；下次空出来会再发短信。", "You are still on the list; the next free time will be offered again.")
		}
		return e.Offer.Slot.ID, "", nil
	})
}

// SqueezeIn books a waiting patient into a slot that is taken already: a right of the coordinator, with a reason that stays in the audit log.
func (s *Service) SqueezeIn(ctx context.Context, id ids.WaitEntry, slot ids.Slot, reason, key string) (Visit, error) {
	return s.bookWaiting(ctx, id, key, func(tx tx, e WaitEntry) (ids.Slot, string, error) {
		to, err := slotOffered(ctx, tx, slot)
		switch {
		case err != nil:
		case to.InstitutionID != e.Institution.ID || !slices.Contains(authz.ScopeFrom(ctx).Places(), to.InstitutionID):
			err = fault.Missing()
		case to.Department != e.Department || !e.Doctor.ID.IsZero() && to.PractitionerID != e.Doctor.ID:
			err = fault.New(fault.Invalid, "slot_unfit", "这个号不是他候补的科室或医师。", "This slot is not of the department or doctor that the patient waits for.").
				WithRemedy("请选他候补的医师的号。", "Choose a slot of the doctor they wait for.")
		}
		return slot, reason, err
	})
}

// TakeWalkIn gives the first of the walk-in pool to the doctor who asks: a slot from now on under one of the doctor's registrations,
// and the visit in it. The calendar's constraint says whether the doctor is free.
func (s *Service) TakeWalkIn(ctx context.Context, key string) (Visit, error) {
	doctor := authz.SubjectFrom(ctx).Practitioner
	var refused *Decision
	var first *WaitEntry
	id, fresh, err := once(ctx, s, key, "walk-in", func(tx tx) (ids.Visit, error) {
		var err error
		refused = nil
		if first, err = firstWalkIn(ctx, tx, doctor, s.Now()); err != nil {
			return ids.Visit{}, err
		}
		if first == nil {
			return ids.Visit{}, fault.New(fault.Conflict, "pool_empty", "现在没有等候接诊的人。", "Nobody waits in the pool now.").WithRemedy("有人来会提示。", "You will see when somebody comes.")
		}
		begin := s.Now().Truncate(time.Second)
		slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: doctor, Place: first.Institution.ID, Department: first.Department, Span: schedule.Span{Start: begin, End: begin.Add(walkInLength)},
			Length: walkInLength, FeeFen: walkInFee})
		if err != nil {
			return ids.Visit{}, err
		}
		id, no, err := s.bookEntry(ctx, tx, *first, slots[0], "", key)
		if refused = no; err != nil {
			return id, err
		}
		return id, s.notify(ctx, tx, first.account, "【远诊】有医师现在接诊您，请马上打开页面候诊。")
	})
	if refused != nil && err != nil { // the law sends them elsewhere: the decision is kept, and the pool goes on
		err = cmpErr(s.inTx(ctx, func(tx tx) error {
			if err := leaveWait(ctx, tx, first.ID); err != nil {
				return err
			}
			if err := s.notify(ctx, tx, first.account, "【远诊】这次按规定不能在线上接诊，请打开页面看理由和可以走的路。"); err != nil {
				return err
			}
			return s.keep(ctx, tx, refused, first.Person.ID, ids.Visit{}, first.Institution.ID)
		}), err)
		s.tellWait(*first)
	}
	return s.bookedEntry(ctx, id, fresh, err)
}

const (
	walkInLength = 15 * time.Minute
	walkInFee    = 2000 // fen; as the demo's slots
)

func (s *Service) bookWaiting(ctx context.Context, id ids.WaitEntry, key string, choose func(tx, WaitEntry) (ids.Slot, string, error)) (Visit, error) {
	var refused *Decision
	var person ids.Person
	var at ids.Institution
	visit, fresh, err := once(ctx, s, key, id, func(tx tx) (ids.Visit, error) {
		refused = nil
		e, err := s.waitIn(ctx, tx, id)
		if err != nil {
			return ids.Visit{}, err
		}
		slot, overbook, err := choose(tx, e)
		if err != nil {
			return ids.Visit{}, err
		}
		person, at = e.Person.ID, e.Institution.ID
		visit, no, err := s.bookEntry(ctx, tx, e, slot, overbook, key)
		if refused = no; err != nil || overbook == "" {
			return visit, err
		}
		v, err := s.find(ctx, tx, visit)
		if err != nil {
			return visit, err
		}
		return visit, s.notify(ctx, tx, e.account, fmt.Sprintf("【远诊】医院为您加了号：%s，%s医师。同一时间还有一位病人，可能要多等一会儿。", schedule.Moment(v.Start, place(v.Zone)), v.Doctor.Name))
	})
	if refused != nil && err != nil {
		err = cmpErr(s.inTx(ctx, func(tx tx) error { return s.keep(ctx, tx, refused, person, ids.Visit{}, at) }), err)
	}
	return s.bookedEntry(ctx, visit, fresh, err)
}

// bookEntry books an entry's wish into the slot and takes it off the list.
func (s *Service) bookEntry(ctx context.Context, tx tx, e WaitEntry, slot ids.Slot, overbook, key string) (ids.Visit, *Decision, error) {
	b := Booking{Complaint: e.wish.Complaint, RequestKey: uuid.NewSHA1(uuid.UUID(e.ID), []byte(key)).String(), overbook: overbook, Ask: Ask{Person: e.Person.ID, Slot: slot,
		Kind: e.wish.Kind, ICD10: e.wish.ICD10, Severity: e.wish.Severity, IntendsRx: e.wish.IntendsRx, Stage: eligibility.Booking, account: e.account}}
	visit, _, refused, err := s.bookOne(ctx, tx, e.account, b)
	if err == nil && refused != nil {
		err = notEligible(*refused)
	}
	if err != nil {
		return visit, refused, err
	}
	return visit, nil, putWaitBooked(ctx, tx, e.ID, visit)
}

func (s *Service) bookedEntry(ctx context.Context, id ids.Visit, fresh bool, err error) (Visit, error) {
	if lost(err) {
		return Visit{}, fault.New(fault.Conflict, "slot_taken", "这个时间刚刚被别人约走了。", "This time has just been taken.").
			WithRemedy("您还在候补。", "You are still on the list.").Because(err)
	}
	if err != nil {
		return Visit{}, err
	}
	v, err := s.Visit(ctx, id)
	if err == nil && fresh {
		s.tell("visit.changed", v)
		s.tellQueue(ctx, v)
	}
	return v, err
}

func (s *Service) tellWait(e WaitEntry) {
	s.Live.Publish(live.Event{Kind: "wait.changed", ID: e.ID.String(), Accounts: []ids.Account{e.account}, Places: []ids.Institution{e.Institution.ID}})
}
