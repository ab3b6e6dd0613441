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
)

// linkLife is how long a link may be opened. A seat changes hands at once or not at all.
var linkLife = map[LinkKind]time.Duration{CompanionLink: 24 * time.Hour, ColleagueLink: 24 * time.Hour, DeviceLink: 3 * time.Minute}

// maxLinks of one visit bounds what one person can make others wait at the door; a device changes more often.
const maxLinks = 30

// Link is a way into the room of one visit that opens once: its secret is exchanged for a token of the seat and
// is then worth nothing. Both are kept as hashes.
type Link struct {
	ID      ids.Link  `json:"id"`
	Kind    LinkKind  `json:"kind"`
	URL     string    `json:"url" doc:"The secret is in the fragment, which browsers keep to themselves"`
	QR      []byte    `json:"qr" doc:"The address as a QR code, PNG"`
	Expires time.Time `json:"expires"`
}

// Companion is somebody in the room by link, as everybody in the visit sees them.
type Companion struct {
	ID       ids.Link     `json:"id"`
	Seat     control.Seat `json:"seat"`
	Name     string       `json:"name"`
	Role     string       `json:"role" enum:"family,interpreter,village_doctor,colleague"`
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

// Seated is what an opened link gives. The token buys tickets until the visit ends or the host removes the seat.
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

// Invite offers a link. Patient and doctor may bring a companion and move their own seat; a colleague only the doctor.
func (s *Service) Invite(ctx context.Context, id ids.Visit, kind LinkKind) (l Link, err error) {
	secret := rand.Text()
	l = Link{ID: ids.New[ids.Link](), Kind: kind, Expires: s.Now().Add(linkLife[kind])}
	err = s.inTx(ctx, func(tx tx) error {
		v, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		host := authz.SubjectFrom(ctx).Practitioner == v.Doctor.ID
		seat := control.Seat("c-" + l.ID.String())
		switch {
		case slices.Contains([]State{Concluded, TerminatedOffline, Cancelled, Emergency, NoShow}, v.State):
			return movedOn(v)
		case kind == ColleagueLink && !host:
			return fault.New(fault.Refused, "only_doctor_invites", "只有接诊医生能请另一位医生。", "Only the doctor of the visit may invite another doctor.").
				WithRemedy("请在诊室里和医生说。", "Please ask the doctor in the room.")
		case kind == DeviceLink && host:
			seat = doctorSeat
		case kind == DeviceLink:
			seat = patientSeat
		}
		n, err := countLinks(ctx, tx, id)
		if err == nil && n >= maxLinks {
			err = fault.New(fault.Limited, "too_many_links", "这次就诊发的链接太多了。", "Too many links were made for this visit.").
				WithRemedy("请用已发的链接，或请对方打电话。", "Use those you have, or ask the other to call.")
		}
		if err != nil {
			return err
		}
		if err := insertLink(ctx, tx, l, v, seat, authz.SubjectFrom(ctx).Account, secretHash(secret), s.Now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "visit.invite", Object: "link/" + l.ID.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: string(kind)})
	})
	if err != nil {
		return Link{}, err
	}
	l.URL = strings.TrimSuffix(s.Public, "/") + "/join#" + string(kind) + "." + secret
	l.QR, err = qrcode.Encode(l.URL, qrcode.Medium, 480)
	return l, err
}

// Arrive opens a link for good: of those who come with one secret one gets the seat.
func (s *Service) Arrive(ctx context.Context, a Arrival) (seated Seated, err error) {
	token := rand.Text()
	err = s.inTx(ctx, func(tx tx) error {
		l, err := linkBySecret(ctx, tx, secretHash(a.Secret), s.Now())
		if err != nil {
			return err
		}
		v, err := s.find(authz.WithScope(ctx, authz.System("link.use")), tx, l.VisitID)
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
		phone, err := institutionPhone(ctx, tx, v.Institution.ID)
		if err != nil {
			return err
		}
		seated = Seated{Token: token, Kind: l.Kind, Seat: l.Seat, Name: l.shownName(), Role: *l.Role, Institution: v.Institution.Name,
			Phone: phone, Doctor: v.Doctor.Name + " " + v.Doctor.Title, Expires: v.End.Add(seatAfter)}
		return audit.Write(ctx, tx, audit.Entry{Action: "link.use", Object: "link/" + l.ID.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: *l.Role})
	})
	return seated, err
}

// seatAfter is how long after the end of its slot a visit's seats may still be asked for by link; a visit that is
// over before ends them at once.
const seatAfter = 12 * time.Hour

// introduce fills in who arrives.
func (s *Service) introduce(ctx context.Context, tx tx, l *linkRow, v Visit, a Arrival) error {
	role, name := a.Role, strings.TrimSpace(a.Name)
	switch l.Kind {
	case DeviceLink:
		role, name, a.Relation = "guest", v.Person.Name, ""
		if l.Seat == doctorSeat {
			role, name = "host", v.Doctor.Name
		}
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
	var v Visit
	var l linkRow
	err = s.inTx(ctx, func(tx tx) error {
		if v, l, err = s.bySeat(ctx, tx, token); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "link.use", Object: "visit/" + v.ID.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: "ticket"})
	})
	if err != nil {
		return Ticket{}, err
	}
	if err := v.roomOpen(); err != nil {
		return Ticket{}, err
	}
	admitted := l.AdmittedAt != nil
	switch {
	case l.Kind == DeviceLink:
		admitted = l.Seat == doctorSeat || v.State != CheckedIn
	case v.row.RoomLocked && !admitted:
		return Ticket{}, roomLocked
	}
	return s.sell(control.Claims{Room: v.room, Seat: l.Seat, Name: l.shownName(), Role: *l.Role, Admitted: admitted, Publish: true, Subscribe: true})
}

// bySeat finds the visit whose room the token has a seat in.
func (s *Service) bySeat(ctx context.Context, tx tx, token string) (v Visit, l linkRow, err error) {
	if l, err = linkByToken(ctx, tx, secretHash(token)); err != nil {
		return v, l, err
	}
	v, err = s.find(authz.WithScope(ctx, authz.System("link.use")), tx, l.VisitID)
	if err == nil && (s.Now().After(v.End.Add(seatAfter)) || slices.Contains([]State{Concluded, TerminatedOffline, Cancelled, Emergency, NoShow}, v.State)) {
		err = notSeated
	}
	return v, l, err
}

// Companions lists who came by link, in order of arrival.
func (s *Service) Companions(ctx context.Context, id ids.Visit) (list []Companion, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if _, err := s.visit(ctx, tx, id); err != nil {
			return err
		}
		list, err = selectCompanions(ctx, tx, id)
		return err
	})
	return list, err
}

// AdmitCompanion lets somebody who waits by link into the running visit.
func (s *Service) AdmitCompanion(ctx context.Context, id ids.Visit, link ids.Link) (Companion, error) {
	c, v, err := s.settle(ctx, id, link, "admit", func(tx tx, v Visit) (bool, error) {
		if v.State != InConsult && v.State != Interrupted {
			return false, notBegun
		}
		return admitLink(ctx, tx, id, link, s.Now())
	})
	if err == nil {
		err = s.Rooms.Admit(ctx, v.room, c.Seat)
	}
	return c, err
}

// RemoveCompanion sends somebody away who waits or takes part by link; the same link and token don't bring them back.
func (s *Service) RemoveCompanion(ctx context.Context, id ids.Visit, link ids.Link) (Companion, error) {
	c, v, err := s.settle(ctx, id, link, "remove", func(tx tx, v Visit) (bool, error) { return removeLink(ctx, tx, id, link, s.Now()) })
	if err == nil {
		err = s.Rooms.Remove(ctx, v.room, c.Seat)
	}
	return c, err
}

func (s *Service) settle(ctx context.Context, id ids.Visit, link ids.Link, deed string, move func(tx, Visit) (bool, error)) (c Companion, v Visit, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		moved, err := move(tx, v)
		if err != nil {
			return err
		}
		list, err := selectCompanions(ctx, tx, id)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(c Companion) bool { return c.ID == link })
		if at < 0 {
			return fault.Missing()
		}
		if c = list[at]; !moved {
			return movedOn(v)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "visit.host", Object: "link/" + link.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: deed})
	})
	if err == nil {
		s.tell("visit.changed", v)
	}
	return c, v, err
}

// Lock closes the room's door or opens it: behind a closed door nobody new may wait.
func (s *Service) Lock(ctx context.Context, id ids.Visit, locked bool) (v Visit, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if v.State != InConsult && v.State != Interrupted {
			return notBegun
		}
		if err := putLock(ctx, tx, id, locked); err != nil {
			return err
		}
		v, err = s.visit(ctx, tx, id)
		return err
	})
	if err == nil {
		err = s.Rooms.Lock(ctx, v.room, locked)
		s.tell("visit.changed", v)
	}
	return v, err
}

// shownName is what the room shows: the name, and in the companion's own words what they are to the patient.
func (l linkRow) shownName() string {
	if l.Relation == "" {
		return *l.Name
	}
	return *l.Name + " · " + l.Relation
}
