package consult

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skip2/go-qrcode"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// Instrument is a device that sends into a room by WHIP (RFC 9725): an ultrasound, an otoscope, an endoscope, a camera of the
// room. It is a seat of its own, with its name shown; who has brought it may send it away.
type Instrument struct {
	ID    ids.Instrument `json:"id"`
	Seat  control.Seat   `json:"seat"`
	Kind  string         `json:"kind" enum:"ultrasound,otoscope,endoscope,room_camera"`
	Name  string         `json:"name"`
	Added time.Time      `json:"added_at"`
}

// InstrumentPass is what somebody types into the device, or lets it scan. It is shown once; another one may be had at any time.
type InstrumentPass struct {
	Instrument
	URL     string    `json:"url" doc:"Where the device sends its offer, by WHIP"`
	Token   string    `json:"token" doc:"The bearer token"`
	QR      []byte    `json:"qr" doc:"Address and token, a line each, as a QR code, PNG"`
	Expires time.Time `json:"expires" doc:"The device must have begun by then; what it sends goes on"`
}

// instrumentSeat begins the names of seats that are devices, not persons.
const instrumentSeat = "i-"

func isInstrument(seat control.Seat) bool { return strings.HasPrefix(string(seat), instrumentSeat) }

// maxInstruments of one room at a time: more is no examination.
const maxInstruments = 8

// venue is a room as instruments see it, of a visit or of a teleconsult.
type venue struct {
	room        control.Room
	visit       ids.Visit
	teleconsult ids.Teleconsult
	person      ids.Person
	institution ids.Institution
	by          author
	mayBring    bool
	open        error // why nobody enters now
	object      string
}

// Venue finds the room and who asks: AtVisit or AtTeleconsult.
type Venue func(ctx context.Context, tx tx) (venue, error)

// instrumentBringers are the roles that handle instruments: the doctor, a second one, and the village doctor at the patient's side.
var instrumentBringers = []string{"host", "colleague", "village_doctor"}

// AtVisit is the room of a visit, by either of its doors.
func (s *Service) AtVisit(in Door) Venue {
	return func(ctx context.Context, tx tx) (venue, error) {
		v, a, err := in(ctx, tx)
		return venue{room: v.room, visit: v.ID, person: v.Person.ID, institution: v.Institution.ID, by: a,
			mayBring: slices.Contains(instrumentBringers, a.role), open: v.roomOpen(), object: "visit/" + v.ID.String()}, err
	}
}

// AtTeleconsult is the room of a teleconsult: the asking doctor and the experts bring instruments.
func (s *Teleconsults) AtTeleconsult(id ids.Teleconsult) Venue {
	return func(ctx context.Context, tx tx) (venue, error) {
		t, err := s.find(ctx, tx, id)
		if err != nil {
			return venue{}, err
		}
		sub := authz.SubjectFrom(ctx)
		in := asks(ctx, t.Inviter.Practitioner.ID) || t.Expert != nil && asks(ctx, t.Expert.Practitioner.ID) || t.hasFurther(sub.Practitioner)
		return venue{room: t.room, teleconsult: t.ID, person: t.Person.ID, institution: t.Inviter.Institution.ID, by: author{account: sub.Account},
			mayBring: in, open: t.mustBe(Scheduled, InProgress, OpinionSigned, Decided), object: "teleconsult/" + t.ID.String()}, nil
	}
}

// atOpen finds a room that is open to instruments of who asks.
func (at Venue) atOpen(ctx context.Context, tx tx) (venue, error) {
	v, err := at(ctx, tx)
	switch {
	case err != nil:
		return v, err
	case !v.mayBring:
		return v, fault.New(fault.Refused, "no_instruments", "只有医生或村医能接入设备。", "Only a doctor or the village doctor brings instruments.").
			WithRemedy("请在诊室里和医生说。", "Please ask the doctor in the room.")
	}
	return v, v.open
}

func (v venue) audit(ctx context.Context, tx tx, i ids.Instrument, reason string) error {
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "instrument/" + i.String(), Person: v.person, Place: v.institution, Reason: reason})
}

// AddInstrument makes a seat for a device and a pass to it.
func (s *Service) AddInstrument(ctx context.Context, at Venue, kind, name string) (p InstrumentPass, err error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > 40 || !slices.Contains([]string{"ultrasound", "otoscope", "endoscope", "room_camera"}, kind) {
		return p, fault.New(fault.Invalid, "instrument_unnamed", "请写设备的名字，选它的种类。", "Please name the instrument and choose its kind.").
			WithRemedy("名字会显示给诊室里的人，例如“2 号超声”。", "Everybody in the room sees the name, for example “Ultrasound 2”.")
	}
	p.Instrument = Instrument{ID: ids.New[ids.Instrument](), Kind: kind, Name: name, Added: s.Now()}
	p.Seat = control.Seat(instrumentSeat + p.ID.String())
	var v venue
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = at.atOpen(ctx, tx); err != nil {
			return err
		}
		added, err := insertInstrument(ctx, tx, p.Instrument, v)
		if err == nil && !added {
			err = fault.New(fault.Limited, "too_many_instruments", "这个诊室的设备太多了。", "There are too many instruments in this room.").
				WithRemedy("请先去掉一台。", "Please remove one first.")
		}
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, p.ID, "add")
	})
	if err != nil {
		return p, err
	}
	return s.passFor(v, p.Instrument)
}

// AnotherInstrumentPass is for a device that did not begin in time, or lost the line for long.
func (s *Service) AnotherInstrumentPass(ctx context.Context, at Venue, id ids.Instrument) (p InstrumentPass, err error) {
	var v venue
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = at.atOpen(ctx, tx); err != nil {
			return err
		}
		list, err := selectInstruments(ctx, tx, v)
		if err != nil {
			return err
		}
		found := slices.IndexFunc(list, func(i Instrument) bool { return i.ID == id })
		if found < 0 {
			return fault.Missing()
		}
		p.Instrument = list[found]
		return v.audit(ctx, tx, id, "ticket")
	})
	if err != nil {
		return p, err
	}
	return s.passFor(v, p.Instrument)
}

func (s *Service) passFor(v venue, i Instrument) (InstrumentPass, error) {
	pass, err := s.Desk.Issue(control.Claims{Room: v.room, Seat: i.Seat, Name: i.Name, Role: i.Kind, Admitted: true, Publish: true, Direct: true})
	if err != nil {
		return InstrumentPass{}, err
	}
	at, err := s.whipAddress(pass, v.room, i)
	if err != nil {
		return InstrumentPass{}, err
	}
	p := InstrumentPass{Instrument: i, URL: at, Token: pass.Ticket, Expires: pass.Expires}
	p.QR, err = qrcode.Encode(p.URL+"\n"+p.Token, qrcode.Low, 640)
	return p, err
}

// whipAddress is where a device offers: at our own address, unless a media node of its own has the room.
func (s *Service) whipAddress(pass control.Pass, room control.Room, i Instrument) (string, error) {
	base := s.Public
	if pass.URL != "" { // of a socket, ws or wss
		base = "http" + strings.TrimPrefix(pass.URL, "ws")
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u = u.ResolveReference(&url.URL{Path: "/whip/" + string(room) + "/" + string(i.Seat), RawQuery: url.Values{"source": {i.Kind}}.Encode()})
	return u.String(), nil
}

// Instruments lists the devices of a room, in order of their coming.
func (s *Service) Instruments(ctx context.Context, at Venue) (list []Instrument, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := at(ctx, tx)
		if err != nil {
			return err
		}
		if list, err = selectInstruments(ctx, tx, v); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: v.object, Person: v.person, Place: v.institution, Reason: "instruments"})
	})
	return list, err
}

// RemoveInstrument sends a device away; its pass is worth nothing any more.
func (s *Service) RemoveInstrument(ctx context.Context, at Venue, id ids.Instrument) error {
	var v venue
	err := s.inTx(ctx, func(tx tx) (err error) {
		if v, err = at.atOpen(ctx, tx); err != nil {
			return err
		}
		removed, err := removeInstrument(ctx, tx, v, id, s.Now())
		if err == nil && !removed {
			err = fault.Missing()
		}
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, id, "remove")
	})
	if err != nil {
		return err
	}
	return s.Rooms.Remove(ctx, v.room, control.Seat(instrumentSeat+id.String()))
}
