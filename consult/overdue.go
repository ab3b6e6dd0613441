package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
)

// Overdue is a teleconsult that waits too long, as those who answer for the hospital see it: the invited hospital where its clock
// has run out (TCR-07), the asking one where nobody has read a critical value back, or its medical office owes its countersign. It says nothing of the patient.
type Overdue struct {
	ID         ids.Teleconsult        `json:"id"`
	What       string                 `json:"what" enum:"clock,critical,countersign"`
	State      State                  `json:"state"`
	Kind       string                 `json:"kind"`
	Urgency    string                 `json:"urgency"`
	Department string                 `json:"department"`
	Inviter    Named[ids.Institution] `json:"inviter"`
	Invited    Named[ids.Institution] `json:"invited"`
	Contact    string                 `json:"contact" doc:"Telephone of the asking side"`
	Waits      []string               `json:"waits" doc:"Whose move it is: the coordinators, the experts who have not signed, the asking doctor, or the medical office"`
	Since      time.Time              `json:"since" doc:"When it was due"`
	Told       string                 `json:"told" doc:"Who was told by message; empty: not yet"`
	ToldAt     *time.Time             `json:"told_at,omitempty"`
	TakenBy    string                 `json:"taken_by,omitempty"`
	TakenAt    *time.Time             `json:"taken_at,omitempty"`
	Words      string                 `json:"taken_words,omitempty"`

	person ids.Person
	place  ids.Institution // whose it is
	doctor ids.Practitioner
}

// Overdue lists what waits too long at the hospitals of the scope, the longest first.
func (s *Teleconsults) Overdue(ctx context.Context) (list []Overdue, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectLate(ctx, tx, authz.ScopeFrom(ctx), ids.Teleconsult{}, s.Now())
		return err
	})
	return list, err
}

// TakeUp says that somebody who answers for the hospital sees to it, and how. It moves nothing by itself: the coordinators and the
// asking doctor hear of it, and both sides read it in the case. A countersign is not taken up but given.
func (s *Teleconsults) TakeUp(ctx context.Context, id ids.Teleconsult, words string) (list []Overdue, err error) {
	var late Overdue
	err = s.inTx(ctx, func(tx tx) error {
		if id.IsZero() { // would filter nothing
			return fault.Missing()
		}
		if err := lockTeleconsult(ctx, tx, id); err != nil { // of two who take it up at once, the second hears of the first
			return err
		}
		found, err := selectLate(ctx, tx, authz.ScopeFrom(ctx), id, s.Now())
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(o Overdue) bool { return o.What == "countersign" })
		if len(found) == 0 {
			return fault.Missing()
		}
		for _, late = range found {
			if late.TakenAt == nil {
				break
			}
		}
		if late.TakenAt != nil {
			return fault.New(fault.Conflict, "taken_up", late.TakenBy+"已经接手了。", late.TakenBy+" has taken it up already.").
				WithRemedy("请看接手的人写了什么，有需要直接联系。", "Read what they wrote, and call them if need be.")
		}
		if err := s.step(ctx, tx, id, "take up", words); err != nil {
			return err
		}
		t := Teleconsult{ID: id}
		if err := s.tellPeople(ctx, tx, t, "等得太久的会诊，医院管理者已接手，请打开会诊查看。", toCoordinators, toInviter); err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "teleconsult/" + id.String(), Person: late.person, Place: late.place})
		if err != nil {
			return err
		}
		list, err = selectLate(ctx, tx, authz.ScopeFrom(ctx), ids.Teleconsult{}, s.Now())
		return err
	})
	if err == nil {
		s.Live.Publish(live.Event{Kind: "teleconsult.changed", ID: id.String(), Practitioners: []ids.Practitioner{late.doctor},
			Places: []ids.Institution{late.Inviter.ID, late.Invited.ID}})
	}
	return list, err
}
