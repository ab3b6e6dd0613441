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
	"yuanzhen/signaling/control"
)

// A room is a visit's or a teleconsult's. What happens in it (words and files, links, the lock, instruments, the recording, the
// line) belongs to the room and asks a Door whose it is.

// matter is the visit or the teleconsult whose people meet, one of the two.
type matter struct {
	visit       ids.Visit
	teleconsult ids.Teleconsult
}

// id is the one that is not zero: room_of in the tables.
func (p matter) id() any {
	if p.visit.IsZero() {
		return p.teleconsult
	}
	return p.visit
}

func (p matter) kind() string {
	if p.visit.IsZero() {
		return "teleconsult"
	}
	return "visit"
}

func (p matter) String() string {
	if p.visit.IsZero() {
		return "teleconsult/" + p.teleconsult.String()
	}
	return "visit/" + p.visit.String()
}

// occupant is who has a seat by right.
type occupant struct{ name, role string }

// venue is a room as everything that happens in it sees it.
type venue struct {
	matter
	room        control.Room
	person      ids.Person
	institution Named[ids.Institution] // keeps what is said and shown, and its key
	lead        string                 // the doctor whom who comes by link hears of
	seats       map[control.Seat]occupant
	meet        []control.Seat // without these nothing is recorded
	ends        time.Time      // of the appointed time
	begun       bool           // those who lead have met the patient, or each other
	over        bool           // nobody comes any more; of an emergency, nobody new
	open        error          // why nobody enters now
	locked      bool
	movedOn     error // the answer to a deed that comes too late
	changed     live.Event

	by author
}

// author is who speaks in a room, by session or by link.
type author struct {
	seat       control.Seat
	name, role string
	account    ids.Account
	link       ids.Link
}

// Door finds the room and who stands in it: ByVisit, ByTeleconsult or BySeat.
type Door func(ctx context.Context, tx tx) (venue, error)

// host reports whether who asks leads the room: lets in and sends away, locks, asks for a recording.
func (v venue) host() bool { return v.by.role == "host" }

func (v venue) entry(action, object, reason string) audit.Entry {
	return audit.Entry{Action: action, Object: object, Person: v.person, Place: v.institution.ID, Reason: reason}
}

// note records what was done in the room under the action that was asked for.
func (v venue) note(ctx context.Context, tx tx, object, reason string) error {
	return audit.Write(ctx, tx, v.entry(authz.ScopeFrom(ctx).Action, object, reason))
}

// tellRoom lets the open screens of everybody in the matter ask again.
func (s *Service) tellRoom(kind string, v venue) {
	e := v.changed
	if e.ID == "" {
		return
	}
	if kind != "" {
		e.Kind = kind
	}
	s.Live.Publish(e)
}

// at finds the room of a matter within the scope; nobody stands in it.
func (s *Service) at(ctx context.Context, tx tx, p matter) (venue, error) {
	if p.visit.IsZero() {
		return s.consultRoom(ctx, tx, p.teleconsult)
	}
	v, err := s.find(ctx, tx, p.visit)
	if err != nil {
		return venue{}, err
	}
	return venue{matter: p, room: v.room, person: v.Person.ID, institution: v.Institution, lead: v.Doctor.Name + " " + v.Doctor.Title,
		seats: map[control.Seat]occupant{patientSeat: {v.Person.Name, "guest"}, doctorSeat: {v.Doctor.Name, "host"}},
		meet:  []control.Seat{patientSeat, doctorSeat}, ends: v.End, begun: v.State == InConsult || v.State == Interrupted,
		over: slices.Contains([]State{Concluded, TerminatedOffline, Cancelled, Emergency, NoShow}, v.State), open: v.roomOpen(),
		locked: v.row.RoomLocked, movedOn: movedOn(v),
		changed: live.Event{Kind: "visit.changed", ID: v.ID.String(), Accounts: []ids.Account{v.account}, Practitioners: []ids.Practitioner{v.Doctor.ID}}}, nil
}

// sit puts who asks with a session into their seat.
func (v venue) sit(ctx context.Context, seat control.Seat) venue {
	v.by = author{seat: seat, name: v.seats[seat].name, role: v.seats[seat].role, account: authz.SubjectFrom(ctx).Account}
	return v
}

// ByVisit is the door of patient and doctor, within their scope.
func (s *Service) ByVisit(id ids.Visit) Door {
	return func(ctx context.Context, tx tx) (venue, error) {
		v, err := s.at(ctx, tx, matter{visit: id})
		if err != nil {
			return v, err
		}
		if slices.Contains(v.changed.Practitioners, authz.SubjectFrom(ctx).Practitioner) {
			return v.sit(ctx, doctorSeat), nil
		}
		return v.sit(ctx, patientSeat), nil
	}
}

// BySeat is the door of who came by link, once they are let in. An observer has no part in what is said.
func (s *Service) BySeat(token string) Door {
	return func(ctx context.Context, tx tx) (venue, error) {
		v, l, err := s.bySeat(ctx, tx, token)
		switch {
		case err != nil:
			return v, err
		case l.Kind == ObserverLink:
			return v, observerOnly
		case l.Kind != DeviceLink && l.AdmittedAt == nil:
			return v, notAdmitted
		}
		v.by = author{seat: l.Seat, name: l.shownName(), role: *l.Role, link: l.ID}
		return v, nil
	}
}

var (
	notAdmitted = fault.New(fault.Refused, "not_admitted", "医生还没有请您进来。", "The doctor has not let you in yet.").
			WithRemedy("请再等一下。", "Please wait a little.")
	observerOnly = fault.New(fault.Refused, "observer_only", "旁听的人只能看和听。", "An observer may only watch and listen.").
			WithRemedy("需要说话时，请医生另发邀请。", "Ask the doctor for another invitation if you need to speak.")
	hostOnly = fault.New(fault.Refused, "host_only", "这件事只有主持的医生能做。", "Only a doctor who leads the room can do this.").
			WithRemedy("请在诊室里和医生说。", "Please ask the doctor in the room.")
)
