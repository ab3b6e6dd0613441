package consult

import (
	"context"
	"strings"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// Seats of a visit's room.
const (
	patientSeat control.Seat = "patient"
	doctorSeat  control.Seat = "doctor"
)

// Ticket is the way into the room.
type Ticket struct {
	URL        string              `json:"url"`
	Room       control.Room        `json:"room"`
	Ticket     string              `json:"ticket"`
	ICEServers []control.ICEServer `json:"ice_servers"`
	Seat       TicketSeat          `json:"seat"`
	Admitted   bool                `json:"admitted"`
	Expires    time.Time           `json:"expires"`
}

// TicketSeat says who one is in the room.
type TicketSeat struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// Ticket sells the seat of whoever asks. The patient waits in it until the doctor admits; once
// the visit has begun a new ticket is admitted, so that everybody is back after a restart.
func (s *Service) Ticket(ctx context.Context, id ids.Visit) (Ticket, error) {
	v, err := s.Visit(ctx, id)
	if err != nil {
		return Ticket{}, err
	}
	if err := v.roomOpen(); err != nil {
		return Ticket{}, err
	}
	begun := v.State != CheckedIn
	c := control.Claims{Room: v.room, Seat: patientSeat, Name: v.Person.Name, Role: "guest", Admitted: begun, Publish: true, Subscribe: true}
	if authz.SubjectFrom(ctx).Practitioner == v.Doctor.ID {
		c.Seat, c.Name, c.Role, c.Admitted = doctorSeat, v.Doctor.Name, "host", true
	}
	return s.sell(c)
}

func (s *Service) sell(c control.Claims) (Ticket, error) {
	pass, err := s.Desk.Issue(c)
	if err != nil {
		return Ticket{}, err
	}
	return Ticket{URL: socketOf(pass), Room: c.Room, Ticket: pass.Ticket, ICEServers: pass.ICEServers,
		Seat: TicketSeat{c.Name, c.Role}, Admitted: c.Admitted, Expires: pass.Expires}, nil
}

// socketOf is where the room of a pass is entered: at our own address, unless a media node of its own has it.
func socketOf(p control.Pass) string {
	if p.URL != "" {
		return p.URL
	}
	return "/signal"
}

// closeRoom ends the room after the visit or teleconsult; that it is closed a moment later harms nobody, because no ticket is
// sold for what has ended.
func (s *Service) closeRoom(ctx context.Context, room control.Room) {
	if err := s.Rooms.Close(ctx, room); err != nil {
		s.Log.WarnContext(ctx, "room not closed", "room", string(room), "error", err)
	}
}

// Heard follows what happens in rooms: a begun visit is interrupted while a seat is gone
// for good, and goes on when it is back. The media server calls it, one event at a time.
func (s *Service) Heard(ctx context.Context, e control.Event) {
	s.noteCall(ctx, e)
	if s.Tapes != nil && e.Seat != recorderSeat && e.Kind != control.QualityReported {
		if p, err := recordedMatter(ctx, s.DB, e.Room); err != nil {
			s.Log.WarnContext(ctx, "recording not looked for", "error", err)
		} else if p != (matter{}) {
			s.followRecording(p)
		}
	}
	if e.Seat != patientSeat && e.Seat != doctorSeat { // a visit is between these two, whoever else comes and goes
		return
	}
	deed := map[control.EventKind]string{control.SeatLeft: "lose the line", control.SeatJoined: "come back"}[e.Kind]
	if deed == "" || !strings.HasPrefix(string(e.Room), "v-") {
		return
	}
	if deed == "come back" && !s.bothIn(ctx, e.Room) {
		return
	}
	m := move(deed)
	ctx = authz.WithScope(ctx, authz.System("visit.line"))
	var v Visit
	err := s.inTx(ctx, func(tx tx) error {
		id, err := moveRoom(ctx, tx, string(e.Room), m.From[0], m.To)
		if err != nil || id.IsZero() {
			return err
		}
		v, err = s.visit(ctx, tx, id)
		return err
	})
	if err != nil {
		s.Log.WarnContext(ctx, "visit did not follow its room", "error", err)
		return
	}
	s.tell("visit.changed", v)
}

// bothIn reports whether patient and doctor are in the room.
func (s *Service) bothIn(ctx context.Context, room control.Room) bool {
	seats, err := s.Rooms.Seats(ctx, room)
	if err != nil {
		s.Log.WarnContext(ctx, "seats not known", "error", err)
		return false
	}
	in := map[control.Seat]bool{}
	for _, seat := range seats {
		in[seat.Seat] = seat.Presence == control.Live
	}
	return in[patientSeat] && in[doctorSeat]
}
