package consult

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
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

// LinkKind says for whom a link is.
type LinkKind string

const (
	// CompanionLink is for family, an interpreter or the village doctor at the patient's side. They say who they are.
	CompanionLink LinkKind = "companion"
	// ColleagueLink is for a second doctor: the room has one, and another only by the first one's invitation. It opens to a
	// doctor who is signed in.
	ColleagueLink LinkKind = "colleague"
	// DeviceLink is for the seat of who offers it, on another device. The seat moves; the old device hears "replaced".
	DeviceLink LinkKind = "device"
	// ObserverLink is for who watches and learns: they see and hear what is sent, without a name, a word or a paper, and send
	// nothing. Only who leads the room may bring them.
	ObserverLink LinkKind = "observer"
)

// linkLife is how long a link may be opened. A seat changes hands at once or not at all.
var linkLife = map[LinkKind]time.Duration{CompanionLink: 24 * time.Hour, ColleagueLink: 24 * time.Hour, ObserverLink: 24 * time.Hour, DeviceLink: 3 * time.Minute}

// maxLinks of one room bounds what one person can make others wait at the door; a device changes more often.
const maxLinks = 30

// Link is a way into one room that opens once: its secret is exchanged for a token of the seat and
// is then worth nothing. Both are kept as hashes.
type Link struct {
	ID      ids.Link  `json:"id"`
	Kind    LinkKind  `json:"kind"`
	URL     string    `json:"url" doc:"The secret is in the fragment, which browsers keep to themselves"`
	QR      []byte    `json:"qr" doc:"The address as a QR code, PNG"`
	Expires time.Time `json:"expires"`
}

// Companion is somebody in the room by link, as everybody of the matter sees them.
type Companion struct {
	ID       ids.Link     `json:"id"`
	Seat     control.Seat `json:"seat"`
	Name     string       `json:"name"`
	Role     string       `json:"role" enum:"family,interpreter,village_doctor,colleague,observer"`
	Relation string       `json:"relation,omitempty"`
	State    string       `json:"state" enum:"waiting,admitted,removed"`
	Arrived  time.Time    `json:"arrived_at"`
}

// Arrival is what who opens a link says of themselves. A device says nothing, a colleague is known by the session.
type Arrival struct {
	Secret   string `json:"secret" minLength:"1" maxLength:"64"`
	Name     string `json:"name,omitempty" maxLength:"40"`
	Role     string `json:"role,omitempty" enum:"family,interpreter,village_doctor"`
	Relation string `json:"relation,omitempty" maxLength:"20"`
}

// Seated is what an opened link gives. The token buys tickets until the matter ends or the host removes the seat.
type Seated struct {
	Token       string       `json:"token"`
	Kind        LinkKind     `json:"kind"`
	Seat        control.Seat `json:"seat"`
	Name        string       `json:"name"`
	Role        string       `json:"role"`
	Institution string       `json:"institution"`
	Phone       string       `json:"phone" doc:"Of the institution, for when the line does not carry sound"`
	Doctor      string       `json:"doctor"`
	Expires     time.Time    `json:"expires"`
}

var (
	linkGone = fault.New(fault.Gone, "link_gone", "这个链接已经用过、过期了，或者抄错了。", "This link was used, has expired, or is not complete.").
			WithRemedy("请让邀请您的人再发一个。", "Ask who invited you for a new one.")
	notSeated = fault.New(fault.Gone, "seat_gone", "您在这个诊室里没有座位了。", "You have no seat in this room any more.").
			WithRemedy("就诊可能已结束；需要时请让对方再邀请您。", "The visit may have ended; ask for a new invitation if you are still needed.")
	roomLocked = fault.New(fault.Refused, "room_locked", "医生锁上了诊室，暂时不让人进。", "The doctor has locked the room: nobody new is let in.").
			WithRemedy("请打电话给邀请您的人。", "Please call who invited you.")
	notBegun = fault.New(fault.Conflict, "visit_not_begun", "就诊还没有开始。", "The visit has not begun.").
			WithRemedy("请先接诊病人。", "Admit the patient first.")
)

func secretHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Invite offers a link. Everybody with a seat by right may bring a companion and move their own seat; a colleague or an observer only
// who leads.
func (s *Service) Invite(ctx context.Context, in Door, kind LinkKind) (l Link, err error) {
	secret := rand.Text()
	l = Link{ID: ids.New[ids.Link](), Kind: kind, Expires: s.Now().Add(linkLife[kind])}
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		seat := control.Seat("c-" + l.ID.String())
		switch {
		case v.over:
			return v.movedOn
		case kind == ColleagueLink && !v.host():
			return fault.New(fault.Refused, "only_doctor_invites", "只有接诊医生能请另一位医生。", "Only the doctor of the visit may invite another doctor.").
				WithRemedy("请在诊室里和医生说。", "Please ask the doctor in the room.")
		case kind == ObserverLink && !v.host():
			return hostOnly
		case kind == ObserverLink:
			seat = control.Seat(observerSeat + l.ID.String())
		case kind == DeviceLink:
			seat = v.by.seat
		}
		n, err := countLinks(ctx, tx, v.matter)
		if err == nil && n >= maxLinks {
			err = fault.New(fault.Limited, "too_many_links", "这个诊室发的链接太多了。", "Too many links were made for this room.").
				WithRemedy("请用已发的链接，或请对方打电话。", "Use those you have, or ask the other to call.")
		}
		if err != nil {
			return err
		}
		if err := insertLink(ctx, tx, l, v, seat, secretHash(secret), s.Now()); err != nil {
			return err
		}
		return v.note(ctx, tx, "link/"+l.ID.String(), string(kind))
	})
	if err != nil {
		return Link{}, err
	}
	l.URL = strings.TrimSuffix(s.Public, "/") + "/join#" + string(kind) + "." + secret
	l.QR, err = qrcode.Encode(l.URL, qrcode.Medium, 480)
	return l, err
}

// observerSeat begins the names of seats that only watch.
const observerSeat = "o-"

func isObserver(seat control.Seat) bool { return strings.HasPrefix(string(seat), observerSeat) }

// Arrive opens a link for good: of those who come with one secret one gets the seat.
func (s *Service) Arrive(ctx context.Context, a Arrival) (seated Seated, err error) {
	token := rand.Text()
	var came venue
	err = s.inTx(ctx, func(tx tx) error {
		l, err := linkBySecret(ctx, tx, secretHash(a.Secret), s.Now())
		if err != nil {
			return err
		}
		v, err := s.at(authz.WithScope(ctx, authz.System("link.use")), tx, l.matter())
		if err != nil {
			return err
		}
		if err := s.introduce(ctx, tx, &l, v, a); err != nil {
			return err
		}
		opened, err := openLink(ctx, tx, l, secretHash(token), s.Now())
		if err == nil && !opened {
			err = linkGone
		}
		if err != nil {
			return err
		}
		phone, err := institutionPhone(ctx, tx, v.institution.ID)
		if err != nil {
			return err
		}
		seated = Seated{Token: token, Kind: l.Kind, Seat: l.Seat, Name: l.shownName(), Role: *l.Role, Institution: v.institution.Name,
			Phone: phone, Doctor: v.lead, Expires: v.ends.Add(seatAfter)}
		if l.Kind == ObserverLink { // sits outside until let in: those who lead ask again who is there
			came = v
		}
		return audit.Write(ctx, tx, v.entry("link.use", "link/"+l.ID.String(), *l.Role))
	})
	if err == nil {
		s.tellRoom("", came)
	}
	return seated, err
}

// seatAfter is how long after the end of its slot a room's seats may still be asked for by link; what is over before ends
// them at once, but for an emergency, which may wait for help as long: of no use to who only watches.
const seatAfter = 12 * time.Hour

// introduce fills in who arrives.
func (s *Service) introduce(ctx context.Context, tx tx, l *linkRow, v venue, a Arrival) error {
	role, name := a.Role, strings.TrimSpace(a.Name)
	switch l.Kind {
	case DeviceLink:
		role, name, a.Relation = v.seats[l.Seat].role, v.seats[l.Seat].name, ""
	case ColleagueLink:
		subject := authz.SubjectFrom(ctx)
		if subject == nil || subject.Practitioner.IsZero() {
			return fault.New(fault.Unauthenticated, "doctor_sign_in", "请先用医生账号登录，再打开这个链接。", "Please sign in as a doctor, then open this link again.").
				WithRemedy("登录后链接仍然有效。", "The link is still good after you have signed in.")
		}
		title, err := physician(ctx, tx, subject.Practitioner)
		if err != nil {
			return err
		}
		l.PractitionerID = subject.Practitioner
		role, name, a.Relation = "colleague", subject.Name, title
	default:
		if l.Kind == ObserverLink {
			role, a.Relation = "observer", ""
		}
		if name == "" || role == "" || utf8.RuneCountInString(name) > 40 {
			return fault.New(fault.Invalid, "who_are_you", "请写上您的姓名，选您是谁。", "Please give your name and choose who you are.").
				WithRemedy("诊室里的人都会看到。", "Everybody in the room will see it.")
		}
	}
	l.Role, l.Name, l.Relation = &role, &name, strings.TrimSpace(a.Relation)
	return nil
}

// SeatTicket sells the seat of an opened link. A companion waits in it until the doctor admits.
func (s *Service) SeatTicket(ctx context.Context, token string) (t Ticket, err error) {
	var v venue
	var l linkRow
	err = s.inTx(ctx, func(tx tx) error {
		if v, l, err = s.bySeat(ctx, tx, token); err != nil {
			return err
		}
		return audit.Write(ctx, tx, v.entry("link.use", v.String(), "ticket"))
	})
	if err == nil {
		err = v.open
	}
	if err != nil {
		return Ticket{}, err
	}
	admitted := l.AdmittedAt != nil
	switch {
	case l.Kind == DeviceLink:
		admitted = *l.Role == "host" || v.begun || v.over
	case v.locked && !admitted:
		return Ticket{}, roomLocked
	case l.Kind == ObserverLink:
		return Ticket{}, observerOnly
	}
	return s.sell(control.Claims{Room: v.room, Seat: l.Seat, Name: l.shownName(), Role: *l.Role, Admitted: admitted, Publish: true, Subscribe: true})
}

// bySeat finds the room that the token has a seat in.
func (s *Service) bySeat(ctx context.Context, tx tx, token string) (v venue, l linkRow, err error) {
	if l, err = linkByToken(ctx, tx, secretHash(token)); err != nil {
		return v, l, err
	}
	v, err = s.at(authz.WithScope(ctx, authz.System("link.use")), tx, l.matter())
	if err == nil && (v.over && (v.open != nil || l.Kind == ObserverLink) || s.Now().After(v.ends.Add(seatAfter))) {
		err = notSeated
	}
	return v, l, err
}

// Companions lists who came by link, in order of arrival.
func (s *Service) Companions(ctx context.Context, in Door) (list []Companion, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if list, err = selectCompanions(ctx, tx, v.matter); err != nil {
			return err
		}
		return v.note(ctx, tx, v.String(), "companions")
	})
	return list, err
}

// AdmitCompanion lets somebody who waits by link into the running room.
func (s *Service) AdmitCompanion(ctx context.Context, in Door, link ids.Link) (Companion, error) {
	c, v, err := s.settle(ctx, in, link, "admit", func(tx tx, v venue) (bool, error) {
		if !v.begun {
			return false, notBegun
		}
		return admitLink(ctx, tx, v.matter, link, s.Now())
	})
	if err == nil {
		err = s.Rooms.Admit(ctx, v.room, c.Seat)
	}
	return c, err
}

// RemoveCompanion sends somebody away who waits or takes part by link; the same link and token don't bring them back.
func (s *Service) RemoveCompanion(ctx context.Context, in Door, link ids.Link) (Companion, error) {
	c, v, err := s.settle(ctx, in, link, "remove", func(tx tx, v venue) (bool, error) { return removeLink(ctx, tx, v.matter, link, s.Now()) })
	if err == nil {
		err = s.Rooms.Remove(ctx, v.room, c.Seat)
	}
	return c, err
}

func (s *Service) settle(ctx context.Context, in Door, link ids.Link, deed string, move func(tx, venue) (bool, error)) (c Companion, v venue, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = in(ctx, tx); err != nil {
			return err
		}
		if !v.host() {
			return hostOnly
		}
		moved, err := move(tx, v)
		if err != nil {
			return err
		}
		list, err := selectCompanions(ctx, tx, v.matter)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(c Companion) bool { return c.ID == link })
		if at < 0 {
			return fault.Missing()
		}
		if c = list[at]; !moved {
			return v.movedOn
		}
		return v.note(ctx, tx, "link/"+link.String(), deed)
	})
	if err == nil {
		s.tellRoom("", v)
	}
	return c, v, err
}

// Lock closes the room's door or opens it: behind a closed door nobody new may wait.
func (s *Service) Lock(ctx context.Context, in Door, locked bool) error {
	var v venue
	err := s.inTx(ctx, func(tx tx) (err error) {
		if v, err = in(ctx, tx); err != nil {
			return err
		}
		switch {
		case !v.host():
			return hostOnly
		case !v.begun:
			return notBegun
		}
		if err := putLock(ctx, tx, v.matter, locked); err != nil {
			return err
		}
		return v.note(ctx, tx, v.String(), "lock")
	})
	if err == nil {
		err = s.Rooms.Lock(ctx, v.room, locked)
		s.tellRoom("", v)
	}
	return err
}

// shownName is what the room shows: the name, and in the companion's own words what they are to the patient.
func (l linkRow) shownName() string {
	if l.Relation == "" {
		return *l.Name
	}
	return *l.Name + " · " + l.Relation
}
