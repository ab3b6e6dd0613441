package consult

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/rule"
	"yuanzhen/signaling/control"
)

// State of a visit.
type State string

const (
	Booked            State = "booked"
	CheckedIn         State = "checked_in"
	InConsult         State = "in_consult"
	Interrupted       State = "interrupted"
	Concluded         State = "concluded"
	TerminatedOffline State = "terminated_offline"
	Cancelled         State = "cancelled"
	Emergency         State = "emergency"
	NoShow            State = "no_show" // never stored: booked, and the time to check in is over
)

// Move is one allowed change of state.
type Move struct {
	Deed           string
	From           []State // empty: the beginning
	To             State
	Who, Guard, Do string // for docs/states.md: who may, what must hold, what is recorded
}

// VisitMoves is every change a visit can make; whatever is not here is refused. Each is carried out
// by an UPDATE that names the state it leaves.
var VisitMoves = []Move{
	{"book", nil, Booked, "patient, guardian", "decision at booking passes; slot free", "slot, consents, decision"},
	{"check in", []State{Booked}, CheckedIn, "patient, guardian", "until 15 min after the start", "devices, network, guardian present"},
	{"cancel", []State{Booked, CheckedIn}, Cancelled, "patient, coordinator", "not begun", "who, reason, refund; the slot goes to the first in line"},
	{"move", []State{Booked, CheckedIn}, Booked, "patient, coordinator", "not begun; decision with the new slot passes", "old slot, reason; it goes to the first in line"},
	{"admit", []State{CheckedIn, InConsult, Interrupted}, InConsult, "doctor", "decision at start passes", "decision, time of start"}, // again, if the room did not hear
	{"lose the line", []State{InConsult}, Interrupted, "the room", "a seat did not come back", ""},
	{"come back", []State{Interrupted}, InConsult, "the room", "both are in the room", ""},
	{"send offline", []State{InConsult, Interrupted}, TerminatedOffline, "doctor", "decision in the visit redirects or bars", "judgement, note, decision"},
	{"conclude", []State{InConsult, Interrupted}, Concluded, "doctor", "record signed", "time of end"},
	{"raise alarm", []State{Booked, CheckedIn, InConsult, Interrupted}, Emergency, "patient, doctor", "danger signs", "decision VIS-01; the record follows, the room stays open for who was in it"},
}

func move(deed string) Move {
	return VisitMoves[slices.IndexFunc(VisitMoves, func(m Move) bool { return m.Deed == deed })]
}

const (
	lateCheckIn  = 15 * time.Minute // after the start of the slot; then it is a no-show
	earlyCheckIn = 24 * time.Hour   // before it; a doctor who is free may admit early
)

// Visit is a patient with a doctor, as the screens of both show it.
type Visit struct {
	ID            ids.Visit              `json:"id"`
	State         State                  `json:"state"`
	Kind          string                 `json:"kind"`
	Person        Patient                `json:"person"`
	Doctor        Doctor                 `json:"doctor"`
	Institution   Named[ids.Institution] `json:"institution"`
	Phone         string                 `json:"phone" doc:"Of the institution"`
	Department    string                 `json:"department"`
	SlotID        ids.Slot               `json:"slot_id"`
	Start         time.Time              `json:"start"`
	End           time.Time              `json:"end"`
	FeeFen        int                    `json:"fee_fen"`
	ICD10         string                 `json:"icd10"`
	Complaint     string                 `json:"complaint"`
	Decision      Decision               `json:"decision"`
	Line          *Line                  `json:"line,omitempty"`
	Prescriptions []PrescriptionRef      `json:"prescriptions"`
	RecordSigned  bool                   `json:"record_signed"`
	RoomLocked    bool                   `json:"room_locked"`
	Refused       bool                   `json:"recording_refused" doc:"Seen in person instead, because a recording was refused"`
	Version       int                    `json:"version"`
	Zone          string                 `json:"zone" doc:"IANA zone of the place"`
	Token         int                    `json:"token,omitempty" doc:"Number of the day at doctor and department, from check-in on"`
	Called        bool                   `json:"called,omitempty" doc:"The number has been called"`
	Overbooked    bool                   `json:"overbooked,omitempty"`
	DelayMin      int                    `json:"delay_min,omitempty" doc:"The doctor said they are late by these minutes"`
	MovedFrom     *time.Time             `json:"moved_from,omitempty"`
	MovedReason   string                 `json:"moved_reason,omitempty" doc:"doctor_ill, or in words"`
	CancelledBy   string                 `json:"cancelled_by,omitempty" doc:"patient or hospital"`
	RefundDue     bool                   `json:"refund_due,omitempty" doc:"The fee goes back whole"`
	Helped        bool                   `json:"helped,omitempty" doc:"An emergency of a visit that had begun: who was in the room may come back into it"`

	account ids.Account
	room    control.Room
	row     visitRow
}

// Patient is who is seen.
type Patient struct {
	ID   ids.Person `json:"id"`
	Name string     `json:"name"`
	Sex  string     `json:"sex"`
	Age  int        `json:"age"`
}

// Doctor is who sees.
type Doctor struct {
	ID    ids.Practitioner `json:"id"`
	Name  string           `json:"name"`
	Title string           `json:"title"`
}

// Line is the place in the waiting line, the rest in minutes from now.
type Line struct {
	Ahead       int `json:"ahead"`
	MinutesLow  int `json:"minutes_low"`
	MinutesHigh int `json:"minutes_high"`
}

// Booking is a wish for a visit in a slot.
type Booking struct {
	Ask
	Complaint  string
	RequestKey string // UUID; the same wish sent twice is one visit

	overbook string      // why it goes beside the visit that has the slot
	series   ids.Series  // one of several, all or none
	unheld   bool        // the account holds no slot: nothing to end
	made     *[]visitRow // where to read the visit, if its screen wants it
}

// Book makes the visit if the slot is free and the law allows it. A refusal is stored as a decision;
// of those who want one slot at the same time one wins.
func (s *Service) Book(ctx context.Context, b Booking) (Visit, error) {
	var v Visit
	var refused *Decision
	var lostBefore bool // seen in one statement with the request's own visit: nobody sent the same wish before
	account := authz.SubjectFrom(ctx).Account
	b.Stage, b.Guardian = eligibility.Booking, false
	err := s.inTx(ctx, func(tx tx) error {
		refused, lostBefore = nil, false
		before, err := standingOf(ctx, tx, account, b)
		switch {
		case err != nil:
			return err
		case !before.asked.IsZero():
			v, err = s.visit(ctx, tx, before.asked)
			return err
		case !before.acts:
			return fault.Missing()
		case before.lost && len(b.RedFlags) == 0: // danger signs are answered whatever became of the slot
			lostBefore = true
			return errTaken
		}
		b.unheld = !before.holds
		var made []visitRow
		b.made = &made
		_, place, no, err := s.bookOne(ctx, tx, account, b)
		switch {
		case err != nil:
			return err
		case no != nil:
			refused = no
			return s.keep(ctx, tx, no, b.Person, ids.Visit{}, place)
		case len(made) == 0:
			return fault.Missing()
		}
		v, err = s.shown(ctx, tx, made[0])
		return err
	})
	switch {
	case lostBefore:
		return Visit{}, s.slotTaken(ctx, b.Slot)
	case lost(err), pg.Violates(err, "visit_asked_once"):
		return s.taken(ctx, account, b)
	case err != nil:
		return Visit{}, err
	case refused != nil:
		return Visit{}, notEligible(*refused)
	}
	s.tell("visit.changed", v)
	s.tellDoctor(v)
	return v, nil
}

// tellDoctor lets the doctor's list ask again: who is only booked stands in nobody's line yet.
func (s *Service) tellDoctor(v Visit) {
	s.Live.Publish(live.Event{Kind: "queue.changed", ID: v.Doctor.ID.String(), Practitioners: []ids.Practitioner{v.Doctor.ID}, Places: []ids.Institution{v.Institution.ID}})
}

var errTaken = errors.New("slot taken")

// taken answers who came second: with the visit, if the one who came first was the same wish
// sent twice, else with the nearest times.
func (s *Service) taken(ctx context.Context, account ids.Account, b Booking) (Visit, error) {
	var first ids.Visit
	err := s.inTx(ctx, func(tx tx) (err error) {
		first, err = visitOfRequest(ctx, tx, account, b.RequestKey)
		return err
	})
	if err != nil {
		return Visit{}, err
	}
	if !first.IsZero() {
		return s.Visit(ctx, first)
	}
	return Visit{}, s.slotTaken(ctx, b.Slot)
}

func notEligible(d Decision) error {
	d.Facts = nil // they are read with the decision, where that is recorded
	return fault.New(fault.Refused, "not_eligible", "按规定，这次不能在线上进行。", "Under the rules this can't take place online.").
		WithRemedy("请看下面的理由和可以走的路。", "See the reasons and the ways out below.").
		With(map[string]Decision{"decision": d})
}

// Visit reads one visit.
func (s *Service) Visit(ctx context.Context, id ids.Visit) (v Visit, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err = s.visit(ctx, tx, id)
		return err
	})
	return v, err
}

// Visits lists visits within the scope, of one person unless person is zero.
func (s *Service) Visits(ctx context.Context, person ids.Person) (list []Visit, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = s.visits(ctx, tx, filter{Person: person}); err != nil {
			return err
		}
		var read []audit.Entry
		for _, v := range list {
			read = append(read, audit.Entry{Action: "visit.read", Object: "visit/" + v.ID.String(), Person: v.Person.ID, Place: v.Institution.ID, Reason: "list"})
		}
		return audit.Write(ctx, tx, read...)
	})
	return list, err
}

// visit reads one visit within the scope and records the reading, or the deed that has been done.
func (s *Service) visit(ctx context.Context, tx tx, id ids.Visit) (Visit, error) {
	v, err := s.find(ctx, tx, id)
	if err != nil {
		return Visit{}, err
	}
	return v, audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "visit/" + id.String(), Person: v.Person.ID, Place: v.Institution.ID})
}

// find is visit for a deed that records itself when it is done.
func (s *Service) find(ctx context.Context, tx tx, id ids.Visit) (Visit, error) {
	if id.IsZero() { // would filter nothing
		return Visit{}, fault.Missing()
	}
	list, err := s.visits(ctx, tx, filter{Visit: id})
	if err != nil {
		return Visit{}, err
	}
	if len(list) == 0 {
		return Visit{}, fault.Missing()
	}
	return list[0], nil
}

// visits reads what the scope shows.
func (s *Service) visits(ctx context.Context, tx tx, f filter) ([]Visit, error) {
	rows, err := selectVisits(ctx, tx, authz.ScopeFrom(ctx), f, s.Now())
	if err != nil {
		return nil, err
	}
	list := make([]Visit, len(rows))
	for i, r := range rows {
		if list[i], err = s.shown(ctx, tx, r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// shown turns a row into what screens show.
func (s *Service) shown(ctx context.Context, tx tx, r visitRow) (Visit, error) {
	now := s.Now()
	v := Visit{
		ID: r.ID, State: State(r.State), Kind: r.Kind,
		Person:      Patient{r.PersonID, r.PersonName, r.Sex, ageOf(r.BirthDate, now)},
		Doctor:      Doctor{r.PractitionerID, r.DoctorName, r.Title},
		Institution: Named[ids.Institution]{r.InstitutionID, r.InstitutionName},
		Phone:       r.Phone, Department: r.Department, SlotID: r.SlotID, Start: r.Start, End: r.End, FeeFen: r.FeeFen, ICD10: r.ICD10, Complaint: r.Complaint,
		RecordSigned: r.RecordSigned, RoomLocked: r.RoomLocked, Refused: r.RecordingRefused, Version: r.Version, Prescriptions: []PrescriptionRef{},
		Zone: r.Zone, Token: r.Token, Called: r.CalledAt != nil, Overbooked: r.Overbooked, DelayMin: r.DelayMin, MovedFrom: r.MovedFrom, MovedReason: r.MovedReason,
		CancelledBy: r.CancelledBy, RefundDue: r.RefundDue,
		Helped:  State(r.State) == Emergency && r.StartedAt != nil && now.Before(r.End.Add(seatAfter)),
		account: r.AccountID, room: control.Room(r.Room), row: r,
	}
	var err error
	if v.Decision, err = r.decisionRow.decision(); err != nil {
		return Visit{}, err
	}
	if v.State == Booked && now.After(v.Start.Add(lateCheckIn)) {
		v.State = NoShow
	}
	if v.State == CheckedIn {
		if v.Line, err = s.line(ctx, tx, v); err != nil {
			return Visit{}, err
		}
	}
	if s.Scripts != nil {
		list, err := s.Scripts.Of(ctx, tx, v.Person.ID, v.ID)
		if err != nil {
			return Visit{}, err
		}
		v.Prescriptions = append(v.Prescriptions, list...)
	}
	return v, nil
}

func ageOf(birth, now time.Time) int {
	return eligibility.Age(eligibility.DayOf(birth), eligibility.DayOf(now.In(china)))
}

// act carries out one move of a visit within the scope: guard and record run in the
// transaction of the move, and so does what follows from it; screens are told after it.
func (s *Service) act(ctx context.Context, id ids.Visit, deed string, guard func(tx tx, v Visit) error, then ...func(tx tx, v Visit) error) (Visit, error) {
	var v Visit
	m := move(deed)
	err := s.inTx(ctx, func(tx tx) (err error) {
		if v, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if !slices.Contains(m.From, v.State) {
			return movedOn(v)
		}
		if err := guard(tx, v); err != nil {
			return err
		}
		moved, err := moveVisit(ctx, tx, id, v.State, m.To, s.Now())
		if err == nil && !moved {
			return movedOn(v)
		}
		if err != nil {
			return err
		}
		if v, err = s.visit(ctx, tx, id); err != nil {
			return err
		}
		for _, follow := range then {
			if err := follow(tx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.tell("visit.changed", v)
		s.tellQueue(ctx, v)
	}
	return v, err
}

func movedOn(v Visit) error {
	return fault.New(fault.Conflict, "visit_moved_on", "这次就诊的状态已经变了。", "This visit has moved on.").
		WithRemedy("请刷新页面，看现在到了哪一步。", "Please refresh to see where it is now.").
		With(map[string]State{"state": v.State})
}

// tell lets the screens of patient and doctor ask again.
func (s *Service) tell(kind string, v Visit) {
	if v.ID.IsZero() {
		return
	}
	s.Live.Publish(live.Event{Kind: kind, ID: v.ID.String(),
		Accounts: []ids.Account{v.account}, Practitioners: []ids.Practitioner{v.Doctor.ID}})
}

// tellQueue lets the doctor's list and everybody who waits for the doctor ask again: one move
// changes every place in line. Without the database, pages still ask when they come back.
func (s *Service) tellQueue(ctx context.Context, v Visit) {
	if v.ID.IsZero() {
		return
	}
	e := live.Event{Kind: "queue.changed", ID: v.Doctor.ID.String(), Practitioners: []ids.Practitioner{v.Doctor.ID}, Places: []ids.Institution{v.Institution.ID}}
	err := s.inTx(ctx, func(tx tx) (err error) {
		e.Accounts, err = accountsInLine(ctx, tx, v.Doctor.ID)
		return err
	})
	if err != nil {
		s.Log.WarnContext(ctx, "the line was not told", "error", err)
	}
	s.Live.Publish(e)
}

// LineTest is what the waiting page measured.
type LineTest struct {
	Device struct {
		Microphone bool `json:"microphone"`
		Camera     bool `json:"camera"`
		Speaker    bool `json:"speaker"`
	} `json:"device"`
	Network struct {
		RTTms    float64 `json:"rtt_ms" minimum:"0" doc:"Round trip in milliseconds"`
		UpKbps   float64 `json:"up_kbps,omitempty" minimum:"0"`
		DownKbps float64 `json:"down_kbps,omitempty" minimum:"0"`
		Path     string  `json:"path,omitempty" maxLength:"20" doc:"udp, tcp or relay"`
	} `json:"network"`
}

// CheckIn takes the place in line, and a number of the day. Both are kept whatever happens to the phone.
func (s *Service) CheckIn(ctx context.Context, id ids.Visit, test LineTest) (Visit, error) {
	return s.act(ctx, id, "check in", func(tx tx, v Visit) error {
		if s.Now().Before(v.Start.Add(-earlyCheckIn)) {
			return fault.New(fault.Conflict, "too_early", "还没到候诊的时间。", "It is too early to wait for this visit.").
				WithRemedy("请在就诊前 24 小时内再来。", "Please come within 24 hours of its start.")
		}
		if !v.Decision.Verdict.Passes() { // judged again since it was booked, and refused; perhaps it may go on now
			if d, err := s.judgeVisit(ctx, tx, v, eligibility.Booking); err != nil || !d.Verdict.Passes() {
				return cmp.Or(err, notEligible(d))
			}
		}
		measured, err := json.Marshal(test)
		if err != nil {
			return err
		}
		if err := putToken(ctx, tx, v); err != nil {
			return err
		}
		return putLineTest(ctx, tx, id, authz.SubjectFrom(ctx).Account, measured)
	})
}

// Cancel gives the slot to the first in line, or back to all. The fee is due back if the visit's time had not come, and whenever the hospital cancels.
func (s *Service) Cancel(ctx context.Context, id ids.Visit, reason string) (Visit, error) {
	var offered *inLine
	v, err := s.act(ctx, id, "cancel", func(tx tx, v Visit) error {
		by := "hospital"
		if s.byPatient(ctx) {
			by = "patient"
		}
		return putCancelled(ctx, tx, id, by, reason, v.FeeFen > 0 && (by == "hospital" || s.Now().Before(v.Start)))
	}, func(tx tx, v Visit) (err error) {
		offered, err = s.offerFreed(ctx, tx, v.row.SlotID)
		return err
	})
	s.tellOffered(offered, err)
	if err == nil {
		s.closeRoom(ctx, v.room)
	}
	return v, err
}

// Admit lets the patient in. The check runs again with the facts of this moment; what it
// refuses is stored, and the visit stays where it was.
func (s *Service) Admit(ctx context.Context, id ids.Visit) (Visit, error) {
	v, err := s.decided(ctx, id, "admit", eligibility.Start)
	if err == nil {
		err = s.Rooms.Admit(ctx, v.room, patientSeat)
	}
	return v, err
}

// decided is act behind a decision that is kept also when it refuses.
func (s *Service) decided(ctx context.Context, id ids.Visit, deed string, stage eligibility.Stage) (Visit, error) {
	var refused *Decision
	v, err := s.act(ctx, id, deed, func(tx tx, v Visit) error {
		refused = nil
		d, err := s.judgeVisit(ctx, tx, v, stage)
		if err == nil && !d.Verdict.Passes() {
			refused = &d
			return notEligible(d)
		}
		return err
	})
	if refused != nil && err != nil {
		if lost := s.keepRefusal(ctx, v, *refused); lost != nil {
			return v, lost
		}
		s.tell("visit.changed", v)
	}
	return v, err
}

// Judgement is what the receiving doctor finds in the visit.
type Judgement struct {
	Judgement        string `json:"judgement" enum:"confirmed_followup,judged_first,unsuitable"`
	ConditionChanged bool   `json:"condition_changed"`
	Note             string `json:"note,omitempty" maxLength:"2000"`
}

// Judge records the doctor's finding and asks again what the law says. If it redirects or
// bars, the visit ends here with reasons and ways out.
func (s *Service) Judge(ctx context.Context, id ids.Visit, j Judgement) (v Visit, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		m := move("send offline")
		if !slices.Contains(m.From, v.State) {
			return movedOn(v)
		}
		if err := putJudgement(ctx, tx, id, j); err != nil {
			return err
		}
		v.row.Judgement, v.row.ConditionChanged = &j.Judgement, j.ConditionChanged
		d, err := s.judgeVisit(ctx, tx, v, eligibility.InVisit)
		if err != nil {
			return err
		}
		if d.Verdict == rule.RedirectOffline || d.Verdict == rule.Deny {
			if moved, err := moveVisit(ctx, tx, id, v.State, m.To, s.Now()); err != nil || !moved {
				return errors.Join(err, movedOn(v))
			}
		}
		v, err = s.visit(ctx, tx, id)
		return err
	})
	if err == nil {
		s.tell("visit.changed", v)
		if v.State == TerminatedOffline {
			s.tellQueue(ctx, v)
			s.closeRoom(ctx, v.room)
		}
	}
	return v, err
}

// End concludes the visit. The record has to be signed.
func (s *Service) End(ctx context.Context, id ids.Visit) (Visit, error) {
	signed := func(v Visit) error {
		if v.RecordSigned {
			return nil
		}
		return fault.New(fault.Conflict, "record_unsigned", "病历还没有签名，不能结束。", "The record isn't signed yet.").
			WithRemedy("请先完成并签署病历。", "Please complete and sign the record first.")
	}
	v, err := s.Visit(ctx, id)
	if err == nil && !slices.Contains(move("conclude").From, v.State) {
		err = movedOn(v)
	}
	if err == nil {
		err = signed(v)
	}
	if err == nil {
		err = s.mustHaveAsked(ctx, v.ID)
	}
	if err == nil {
		err = s.finishRecording(ctx, matter{visit: v.ID})
	}
	if err != nil {
		return v, err
	}
	v, err = s.act(ctx, id, "conclude", func(_ tx, v Visit) error { return signed(v) })
	if err == nil {
		s.closeRoom(ctx, v.room)
	}
	return v, err
}

// Alarm ends the visit as an emergency. flags are danger signs in words; any word counts. The room stays open
// for who was in it, also after a reload or on another line, so that the doctor can stay until help is there.
func (s *Service) Alarm(ctx context.Context, id ids.Visit, flags []string) (Visit, error) {
	return s.act(ctx, id, "raise alarm", func(tx tx, v Visit) error {
		a := v.ask(eligibility.InVisit)
		a.RedFlags = flags
		d, _, err := s.judge(ctx, tx, a)
		if err != nil {
			return err
		}
		return s.keep(ctx, tx, &d, v.Person.ID, id, v.Institution.ID)
	})
}
