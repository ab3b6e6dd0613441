package consult

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skip2/go-qrcode"

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

// instrumentBringers are the roles that handle instruments: the doctor, a second one, and the village doctor at the patient's side.
var instrumentBringers = []string{"host", "colleague", "village_doctor"}

// atOpen finds a room that is open to instruments of who asks.
func (in Door) atOpen(ctx context.Context, tx tx) (venue, error) {
	v, err := in(ctx, tx)
	switch {
	case err != nil:
		return v, err
	case !slices.Contains(instrumentBringers, v.by.role):
		return v, fault.New(fault.Refused, "no_instruments", "只有医生或村医能接入设备。", "Only a doctor or the village doctor brings instruments.").
			WithRemedy("请在诊室里和医生说。", "Please ask the doctor in the room.")
	}
	return v, v.open
}

// AddInstrument makes a seat for a device and a pass to it.
func (s *Service) AddInstrument(ctx context.Context, in Door, kind, name string) (p InstrumentPass, err error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > 40 || !slices.Contains([]string{"ultrasound", "otoscope", "endoscope", "room_camera"}, kind) {
		return p, fault.New(fault.Invalid, "instrument_unnamed", "请写设备的名字，选它的种类。", "Please name the instrument and choose its kind.").
			WithRemedy("名字会显示给诊室里的人，例如“2 号超声”。", "Everybody in the room sees the name, for example “Ultrasound 2”.")
	}
	p.Instrument = Instrument{ID: ids.New[ids.Instrument](), Kind: kind, Name: name, Added: s.Now()}
	p.Seat = control.Seat(instrumentSeat + p.ID.String())
	var v venue
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = in.atOpen(ctx, tx); err != nil {
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
		return v.note(ctx, tx, "instrument/"+p.ID.String(), "add")
	})
	if err != nil {
		return p, err
	}
	return s.passFor(v, p.Instrument)
}

// AnotherInstrumentPass is for a device that did not begin in time, or lost the line for long.
func (s *Service) AnotherInstrumentPass(ctx context.Context, in Door, id ids.Instrument) (p InstrumentPass, err error) {
	var v venue
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = in.atOpen(ctx, tx); err != nil {
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
		return v.note(ctx, tx, "instrument/"+id.String(), "ticket")
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
	at, err := s.directAddress(pass, "/whip/"+string(v.room)+"/"+string(i.Seat), url.Values{"source": {i.Kind}})
	if err != nil {
		return InstrumentPass{}, err
	}
	p := InstrumentPass{Instrument: i, URL: at, Token: pass.Ticket, Expires: pass.Expires}
	p.QR, err = qrcode.Encode(p.URL+"\n"+p.Token, qrcode.Low, 640)
	return p, err
}

// Instruments lists the devices of a room, in order of their coming.
func (s *Service) Instruments(ctx context.Context, in Door) (list []Instrument, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if list, err = selectInstruments(ctx, tx, v); err != nil {
			return err
		}
		return v.note(ctx, tx, v.String(), "instruments")
	})
	return list, err
}

// RemoveInstrument sends a device away; its pass is worth nothing any more.
func (s *Service) RemoveInstrument(ctx context.Context, in Door, id ids.Instrument) error {
	var v venue
	err := s.inTx(ctx, func(tx tx) (err error) {
		if v, err = in.atOpen(ctx, tx); err != nil {
			return err
		}
		removed, err := removeInstrument(ctx, tx, v, id, s.Now())
		if err == nil && !removed {
			err = fault.Missing()
		}
		if err != nil {
			return err
		}
		return v.note(ctx, tx, "instrument/"+id.String(), "remove")
	})
	if err != nil {
		return err
	}
	return s.Rooms.Remove(ctx, v.room, control.Seat(instrumentSeat+id.String()))
}
