package consult

import (
	"context"
	"slices"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/signaling/control"
)

// InvitePatient lets the patient into the room and to the images shown in it.
func (s *Teleconsults) InvitePatient(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	return s.deed(ctx, id, hospitalsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		if err := putPatientInvited(ctx, tx, id, s.Now()); err != nil {
			return err
		}
		t.PatientIn = true
		return s.grant(ctx, tx, t, studyUIDs(t.Studies))
	})
}

// Seats of a teleconsult's room; each further expert has one of their own.
const (
	expertSeat  control.Seat = "expert"
	inviterSeat control.Seat = "inviter"
)

func furtherSeat(who ids.Practitioner) control.Seat {
	return expertSeat + "-" + control.Seat(who.String())
}

// consultRoom is the room of a teleconsult within the scope. The asking doctor and the experts lead it together; the hospital that
// asks keeps what is said in it, as it keeps the chart.
func (s *Service) consultRoom(ctx context.Context, tx tx, id ids.Teleconsult) (venue, error) {
	if id.IsZero() { // would filter nothing
		return venue{}, fault.Missing()
	}
	rows, err := selectTeleconsults(ctx, tx, authz.ScopeFrom(ctx), id)
	if err == nil && len(rows) == 0 {
		err = fault.Missing()
	}
	if err != nil {
		return venue{}, err
	}
	r := rows[0]
	further, err := selectFurther(ctx, tx, id)
	if err != nil {
		return venue{}, err
	}
	t := Teleconsult{State: State(r.State)}
	v := venue{matter: matter{teleconsult: id}, room: control.Room(r.Room), person: r.PersonID,
		institution: Named[ids.Institution]{r.InviterPlace, r.InviterPlaceName}, lead: r.InviterName + " " + r.InviterTitle,
		seats: map[control.Seat]occupant{inviterSeat: {r.InviterName, "host"}}, meet: []control.Seat{inviterSeat, expertSeat},
		open: t.mustBe(Scheduled, InProgress, OpinionSigned, Decided), begun: t.mustBe(InProgress, OpinionSigned, Decided) == nil && r.bothEntered(),
		over: t.mustBe(Closed, Declined, Cancelled) == nil, locked: r.RoomLocked, movedOn: t.mustBe(),
		changed: live.Event{Kind: "teleconsult.changed", ID: id.String(), Accounts: r.PatientAccounts, Practitioners: []ids.Practitioner{r.InviterID}}}
	if v.open == nil && !r.Live {
		v.open = notLive
	}
	if r.SLADue != nil { // before it is handed in, it is no business of the invited hospital
		v.changed.Places = []ids.Institution{r.InvitedPlace}
	}
	if !r.ExpertID.IsZero() {
		v.seats[expertSeat], v.ends = occupant{*r.ExpertName, "host"}, *r.SLADue
		if r.End != nil {
			v.ends = *r.End
		}
		v.changed.Practitioners = append(v.changed.Practitioners, r.ExpertID)
	}
	for _, d := range further {
		v.seats[furtherSeat(d.ID)] = occupant{d.Name, "host"}
		v.changed.Practitioners = append(v.changed.Practitioners, d.ID)
	}
	if r.PatientInvitedAt != nil {
		v.seats[patientSeat] = occupant{r.PersonName, "guest"}
	}
	return v, nil
}

var notLive = fault.New(fault.Conflict, "not_live", "这次会诊现在是书面会诊，会诊室没有开。", "This consult is answered in writing now; its room is closed.").
	WithRemedy("要当面谈，请医生点“转成视频”。", "To talk, let one of the doctors turn it live.")

func (r teleconsultRow) bothEntered() bool {
	return r.InviterEnteredAt != nil && r.ExpertEnteredAt != nil
}

// ByTeleconsult is the door of the asking doctor, the experts and the invited patient, within their scope.
func (s *Service) ByTeleconsult(id ids.Teleconsult) Door {
	return func(ctx context.Context, tx tx) (venue, error) {
		v, err := s.consultRoom(ctx, tx, id)
		if err != nil {
			return v, err
		}
		seat := patientSeat
		if who := authz.SubjectFrom(ctx).Practitioner; !who.IsZero() {
			switch slices.Index(v.changed.Practitioners, who) {
			case 0:
				seat = inviterSeat
			case 1:
				seat = expertSeat
			default:
				seat = furtherSeat(who)
			}
		}
		if v.seats[seat] == (occupant{}) {
			return v, fault.New(fault.Forbidden, "not_invited", "这次会诊还没有请您进入。", "You have not been asked into this consult.").
				WithRemedy("请问您的医生。", "Please ask your doctor.")
		}
		return v.sit(ctx, seat), nil
	}
}

// Enter sells the seat of whoever asks. The room is open from the assignment until the consult is closed, while it is live. It is
// under way when the asking doctor, who accompanies the patient (TCR-04), and an expert have both come; the patient waits for that.
func (s *Teleconsults) Enter(ctx context.Context, id ids.Teleconsult) (Ticket, error) {
	var t Teleconsult
	var v venue
	met := false
	err := s.inTx(ctx, func(tx tx) (err error) {
		if t, err = s.teleconsult(ctx, tx, id); err != nil {
			return err
		}
		if v, err = s.ByTeleconsult(id)(ctx, tx); err != nil {
			return err
		}
		if v.open != nil {
			return v.open
		}
		if !v.host() || v.begun {
			return nil
		}
		if v.begun, err = putEntered(ctx, tx, id, v.by.seat == inviterSeat, s.Now()); err != nil {
			return err
		}
		if err := s.step(ctx, tx, id, "enter", ""); err != nil {
			return err
		}
		if met = v.begun; met && t.State == Scheduled {
			return s.moveOn(ctx, tx, t, "meet", "")
		}
		return nil
	})
	if err != nil {
		return Ticket{}, err
	}
	if v.host() && v.begun {
		s.admitPatient(ctx, t) // again at each ticket, if the room did not hear
	}
	if met {
		s.tellRoom("", v)
	}
	return s.sell(control.Claims{Room: v.room, Seat: v.by.seat, Name: v.by.name, Role: v.by.role, Admitted: v.host() || v.begun, Publish: true, Subscribe: true})
}

func (s *Teleconsults) admitPatient(ctx context.Context, t Teleconsult) {
	if !t.PatientIn {
		return
	}
	if err := s.Rooms.Admit(ctx, t.room, patientSeat); err != nil {
		s.Log.WarnContext(ctx, "patient not admitted to the consult", "teleconsult", t.ID.String(), "error", err)
	}
}
