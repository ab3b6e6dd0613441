package consult

import (
	"context"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
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

// Enter sells the seat of whoever asks. The room is open from the assignment until the
// consult is closed; the patient waits in it for the expert.
func (s *Teleconsults) Enter(ctx context.Context, id ids.Teleconsult) (Ticket, error) {
	sub := authz.SubjectFrom(ctx)
	var t Teleconsult
	met := false
	err := s.inTx(ctx, func(tx tx) (err error) {
		if t, err = s.teleconsult(ctx, tx, id); err != nil {
			return err
		}
		if err := t.mustBe(Scheduled, InProgress, OpinionSigned, Decided); err != nil {
			return err
		}
		if met = sub.Practitioner == t.Expert.Practitioner.ID && t.State == Scheduled; met {
			if _, err = moveTeleconsult(ctx, tx, id, Scheduled, InProgress, s.Now()); err == nil {
				t, err = s.find(ctx, tx, id)
			}
		}
		return err
	})
	if err != nil {
		return Ticket{}, err
	}
	c := control.Claims{Room: t.room, Admitted: true, Publish: true, Subscribe: true, Role: "host"}
	switch {
	case sub.Practitioner == t.Expert.Practitioner.ID:
		c.Seat, c.Name = "expert", t.Expert.Practitioner.Name
		s.admitPatient(ctx, t) // again at each ticket, if the room did not hear
	case sub.Practitioner == t.Inviter.Practitioner.ID:
		c.Seat, c.Name = "inviter", t.Inviter.Practitioner.Name
	case t.hasFurther(sub.Practitioner):
		c.Seat, c.Name = control.Seat("expert-"+sub.Practitioner.String()), sub.Name
	case t.PatientIn:
		c.Seat, c.Name, c.Role, c.Admitted = patientSeat, t.Person.Name, "guest", t.State != Scheduled
	default:
		return Ticket{}, fault.New(fault.Forbidden, "not_invited", "这次会诊还没有请您进入。", "You have not been asked into this consult.").
			WithRemedy("请问您的医生。", "Please ask your doctor.")
	}
	if met {
		s.tellAll(t)
	}
	pass, err := s.Desk.Issue(c)
	if err != nil {
		return Ticket{}, err
	}
	return Ticket{URL: socketOf(pass), Room: t.room, Ticket: pass.Ticket, ICEServers: pass.ICEServers,
		Seat: TicketSeat{c.Name, c.Role}, Admitted: c.Admitted, Expires: pass.Expires}, nil
}

func (s *Teleconsults) admitPatient(ctx context.Context, t Teleconsult) {
	if !t.PatientIn {
		return
	}
	if err := s.Rooms.Admit(ctx, t.room, patientSeat); err != nil {
		s.Log.WarnContext(ctx, "patient not admitted to the consult", "teleconsult", t.ID.String(), "error", err)
	}
}

// endRoom closes the room after the consult; no ticket is sold any more.
func (s *Teleconsults) endRoom(ctx context.Context, t Teleconsult) {
	if err := s.Rooms.Close(ctx, t.room); err != nil {
		s.Log.WarnContext(ctx, "room not closed", "teleconsult", t.ID.String(), "error", err)
	}
}
