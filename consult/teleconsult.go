package consult

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
	"yuanzhen/storage/imaging"
)

// States of a teleconsult (Norms for Telemedicine Services 2018; regulation rules TCR-01..13).
const (
	Draft         State = "draft"          // the county doctor writes
	Submitted     State = "submitted"      // the invited hospital's move
	Scheduled     State = "scheduled"      // expert and time are set; images are open to the expert
	InProgress    State = "in_progress"    // they have met
	OpinionSigned State = "opinion_signed" // the asking doctor's move
	Decided       State = "decided"
	Closed        State = "closed"
	Declined      State = "declined"
)

// TeleconsultMoves is every change a teleconsult can make.
var TeleconsultMoves = []Move{
	{"request", nil, Draft, "asking doctor", "", ""},
	{"submit", []State{Draft}, Submitted, "asking doctor", "written consent (TCR-03)", "clock starts"},
	{"assign", []State{Submitted}, Scheduled, "coordinator of the invited hospital", "expert registered there, 3 years (TCR-05); both free (MPP-05)", "slot, grants"},
	{"decline", []State{Submitted}, Declined, "coordinator of the invited hospital", "a reason", "reason"},
	{"meet", []State{Scheduled}, InProgress, "expert", "the expert enters the room", "the patient is let in"},
	{"sign opinion", []State{Scheduled, InProgress}, OpinionSigned, "expert", "own signature (TCR-08)", "signed bytes"},
	{"decide", []State{OpinionSigned}, Decided, "asking doctor", "own signature (TCR-09)", "signed bytes"},
	{"close", []State{Decided}, Closed, "asking doctor", "", "grants end, room closes"},
	{"cancel", []State{Draft, Submitted, Scheduled}, Cancelled, "asking doctor", "", "reason; slot and grants end"},
}

// answerWithin is how long the invited hospital has (TCR-07, customary times).
var answerWithin = map[string]time.Duration{"routine": 48 * time.Hour, "urgent": 24 * time.Hour, "emergency": 12 * time.Hour}

const (
	consultLength = 30 * time.Minute
	lookAhead     = 7 * 24 * time.Hour
	proposals     = 6
	// imagesAfter is how long after the meeting the expert may still look, to write the opinion;
	// closing ends it at once.
	imagesAfter = 7 * 24 * time.Hour
	expertYears = 3 // TCR-05

	longestConsult  = 4 * time.Hour
	farthestConsult = 90 * 24 * time.Hour
)

// Teleconsults are the deeds of county hospital, coordinator and expert. It shares the
// visit's neighbours.
type Teleconsults struct {
	*Service
	Images *imaging.Service
}

// Teleconsult is a request on its way, as everybody in it sees it.
type Teleconsult struct {
	ID         ids.Teleconsult        `json:"id"`
	State      State                  `json:"state"`
	Urgency    string                 `json:"urgency"`
	Department string                 `json:"department"`
	Question   string                 `json:"question"`
	Summary    string                 `json:"summary"`
	Person     Patient                `json:"person"`
	Inviter    Party                  `json:"inviter"`
	Invited    Named[ids.Institution] `json:"invited"`
	Expert     *Party                 `json:"expert,omitempty"`
	Further    []Doctor               `json:"further" doc:"Further experts of an MDT"`
	Start      *time.Time             `json:"start,omitempty"`
	End        *time.Time             `json:"end,omitempty"`
	Studies    []imaging.Study        `json:"studies"`
	Consent    *GivenConsent          `json:"consent,omitempty"`
	PatientIn  bool                   `json:"patient_invited"`
	Opinion    *Document              `json:"opinion,omitempty"`
	Decision   *Document              `json:"decision,omitempty"`
	Reason     string                 `json:"reason,omitempty"`
	SLADue     *time.Time             `json:"sla_due,omitempty"`
	Liability  string                 `json:"liability"`
	CreatedAt  time.Time              `json:"created_at"`

	room control.Room
	row  teleconsultRow
}

// Party is a practitioner of an institution in a teleconsult.
type Party struct {
	Practitioner Doctor                 `json:"practitioner"`
	Institution  Named[ids.Institution] `json:"institution"`
}

// GivenConsent says who agreed, how and when (TCR-03).
type GivenConsent struct {
	Method   string    `json:"method"`
	SignedBy string    `json:"signed_by"`
	Relation string    `json:"relation"`
	At       time.Time `json:"at"`
}

// NewTeleconsult is what the county doctor writes.
type NewTeleconsult struct {
	Person     ids.Person      `json:"person_id"`
	Invited    ids.Institution `json:"institution_id,omitzero" doc:"Invited hospital; by default the first that has the department"`
	Department string          `json:"department" minLength:"1" maxLength:"40"`
	Question   string          `json:"question" minLength:"1" maxLength:"2000"`
	Summary    string          `json:"summary" minLength:"1" maxLength:"8000"`
	Urgency    string          `json:"urgency" enum:"routine,urgent,emergency"`
}

// Request begins a teleconsult. The same request sent twice is one.
func (s *Teleconsults) Request(ctx context.Context, in NewTeleconsult, requestKey string) (Teleconsult, error) {
	doctor := authz.SubjectFrom(ctx).Practitioner
	var t Teleconsult
	err := s.inTx(ctx, func(tx tx) error {
		id, err := teleconsultOfRequest(ctx, tx, doctor, requestKey)
		if err != nil {
			return err
		}
		if id.IsZero() {
			id = ids.New[ids.Teleconsult]()
			home, err := keeperOf(ctx, tx, authz.ScopeFrom(ctx), in.Person)
			if err != nil {
				return err
			}
			if in.Invited, err = hospitalFor(ctx, tx, in.Invited, in.Department, home); err != nil {
				return err
			}
			if err := insertTeleconsult(ctx, tx, id, doctor, home, in, "t-"+rand.Text(), requestKey, s.Now()); err != nil {
				return err
			}
		}
		t, err = s.teleconsult(ctx, tx, id)
		return err
	})
	if pg.Violates(err, "teleconsult_asked_once") { // the same request, at the same moment, was faster
		return s.Request(ctx, in, requestKey)
	}
	return t, err
}

// Rewrite changes a draft. Its patient stays: studies and consent are theirs.
func (s *Teleconsults) Rewrite(ctx context.Context, id ids.Teleconsult, in NewTeleconsult) (Teleconsult, error) {
	return s.deed(ctx, id, invitersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Draft); err != nil {
			return err
		}
		if in.Person != t.Person.ID {
			return fault.New(fault.Conflict, "other_patient", "会诊申请不能换成另一位患者。", "A request can't change its patient.").
				WithRemedy("请为另一位患者新建申请。", "Please begin a new request for the other patient.")
		}
		invited, err := hospitalFor(ctx, tx, in.Invited, in.Department, t.Inviter.Institution.ID)
		if err != nil {
			return err
		}
		in.Invited = invited
		return updateTeleconsult(ctx, tx, id, in)
	})
}

// Attach adds a study after the doctor compared its patient with the one in the request.
func (s *Teleconsults) Attach(ctx context.Context, id ids.Teleconsult, study string, confirmed bool) (Teleconsult, error) {
	return s.deed(ctx, id, invitersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Draft, Submitted, Scheduled, InProgress); err != nil {
			return err
		}
		if !confirmed {
			return fault.New(fault.Invalid, "patient_not_confirmed", "请先核对影像里的病人。", "Please compare the patient in the images first.").
				WithRemedy("核对姓名、性别、出生日期，再点“对”。", "Compare name, sex and birth date, then confirm.")
		}
		found, err := s.Images.Confirm(ctx, tx, authz.ScopeFrom(ctx), study, t.Person.ID)
		if err != nil {
			return err
		}
		if found.InstitutionID != t.Inviter.Institution.ID { // the asking hospital can open only its own
			return fault.Missing()
		}
		if err := putTeleconsultStudy(ctx, tx, id, study); err != nil {
			return err
		}
		return s.grant(ctx, tx, t, []string{study})
	})
}

// Consent records the patient's written agreement: on paper, or on the patient's own device.
func (s *Teleconsults) Consent(ctx context.Context, id ids.Teleconsult, c GivenConsent) (Teleconsult, error) {
	return s.deed(ctx, id, patientsDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Draft); err != nil {
			return err
		}
		return putTeleconsultConsent(ctx, tx, id, c, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

// Submit hands the request to the invited hospital; its clock starts.
func (s *Teleconsults) Submit(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	return s.move(ctx, id, invitersDeed, "submit", func(tx tx, t Teleconsult) error {
		if t.Consent == nil {
			return fault.New(fault.Refused, "consent_missing", "还没有患者的书面同意，不能提交。", "The patient's written consent is missing.").
				WithRemedy("请患者在手机上签，或拍下签好的纸质同意书。", "Let the patient sign on a phone, or record the signed paper.")
		}
		now := s.Now()
		return putSubmitted(ctx, tx, id, now, now.Add(answerWithin[t.Urgency]))
	})
}

// Expert is somebody the coordinator may assign.
type Expert struct {
	ID     ids.Practitioner `json:"practitioner_id"`
	Name   string           `json:"name"`
	Title  string           `json:"title"`
	Places []string         `json:"places"`
}

// Experts lists physicians of the department who are registered at the invited hospital
// and have three years of independent practice (TCR-05).
func (s *Teleconsults) Experts(ctx context.Context, id ids.Teleconsult) (list []Expert, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		list, err = s.whoMay(ctx, tx, t, s.Now())
		return err
	})
	return list, err
}

func (s *Teleconsults) whoMay(ctx context.Context, tx tx, t Teleconsult, at time.Time) ([]Expert, error) {
	return selectExperts(ctx, tx, t.Invited.ID, t.Department, s.Now().AddDate(-expertYears, 0, 0), at)
}

// mayTake finds the expert among whoMay, or says why not.
func (s *Teleconsults) mayTake(ctx context.Context, tx tx, t Teleconsult, who ids.Practitioner, at time.Time) (Expert, error) {
	known, err := s.whoMay(ctx, tx, t, at)
	if err != nil {
		return Expert{}, err
	}
	if i := slices.IndexFunc(known, func(e Expert) bool { return e.ID == who }); i >= 0 {
		return known[i], nil
	}
	return Expert{}, fault.New(fault.Refused, "expert_not_registered", "这位医师不能在本院接这次会诊：未备案、专业不符或不满 3 年。",
		"This physician can't take this consult here: not registered, other field, or under 3 years.").
		WithRemedy("请从名单里选，或先办理备案。", "Choose from the list, or file the registration first.")
}

// Proposal is a time at which everybody is free, at every place where they practise.
type Proposal struct {
	schedule.Span
	FreeAt []string `json:"free_at"`
}

// Times finds the next times that suit expert and asking doctor at all their places.
func (s *Teleconsults) Times(ctx context.Context, id ids.Teleconsult, who ids.Practitioner) (list []Proposal, err error) {
	begin := s.Now().Add(5 * time.Minute).Truncate(5 * time.Minute)
	end := begin.Add(lookAhead)
	err = s.inTx(ctx, func(tx tx) error {
		list = []Proposal{}
		t, err := s.teleconsult(ctx, tx, id)
		if err != nil {
			return err
		}
		expert, err := s.mayTake(ctx, tx, t, who, begin)
		if err != nil {
			return err
		}
		hours := []schedule.Span{{Start: begin, End: end}}
		if t.Urgency == "routine" {
			hours = workingHours(begin, end)
		}
		var people [][]schedule.Span
		for _, each := range []ids.Practitioner{who, t.Inviter.Practitioner.ID} {
			busy, err := selectBusy(ctx, tx, each, begin, end)
			if err != nil {
				return err
			}
			people = append(people, schedule.Free(hours, busy, schedule.Buffer))
		}
		for _, span := range schedule.Cut(schedule.Common(people...), consultLength) {
			if list = append(list, Proposal{span, expert.Places}); len(list) == proposals {
				break
			}
		}
		return nil
	})
	return list, err
}

// workingHours are 8:00 to 20:00 of each day, local time.
func workingHours(begin, end time.Time) []schedule.Span {
	var hours []schedule.Span
	year, month, day := begin.In(china).Date()
	for d := time.Date(year, month, day, 8, 0, 0, 0, china); d.Before(end); d = d.AddDate(0, 0, 1) {
		span := schedule.Span{Start: d, End: d.Add(12 * time.Hour)}
		if span.Start.Before(begin) {
			span.Start = begin
		}
		if span.Length() > 0 {
			hours = append(hours, span)
		}
	}
	return hours
}

// Assign sets expert and time, and the further experts of an MDT. The slots are the proof that none of them is elsewhere; the
// images open to them until a week after the meeting.
func (s *Teleconsults) Assign(ctx context.Context, id ids.Teleconsult, expert ids.Practitioner, start, end time.Time, further ...Invitee) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "assign", func(tx tx, t Teleconsult) error {
		if !start.Before(end) || end.Sub(start) > longestConsult || end.Before(s.Now()) || start.After(s.Now().Add(farthestConsult)) {
			return fault.New(fault.Invalid, "time_wrong", "会诊时间不对。", "This is not a usable time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		if _, err := s.mayTake(ctx, tx, t, expert, end); err != nil {
			return err
		}
		busy, err := selectBusy(ctx, tx, t.Inviter.Practitioner.ID, start, end)
		if err != nil {
			return err
		}
		if len(busy) > 0 {
			return fault.New(fault.Conflict, "inviter_busy", "邀请医师这个时间另有安排。", "The asking doctor is engaged at this time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: expert, Place: t.Invited.ID, Department: t.Department,
			Span: schedule.Span{Start: start, End: end}, Length: end.Sub(start), Purpose: "teleconsult"})
		if err != nil {
			return err
		}
		if err := putExpert(ctx, tx, id, expert, slots[0]); err != nil {
			return err
		}
		for _, one := range further {
			slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: one.PractitionerID, Place: one.InstitutionID, Department: t.Department,
				Span: schedule.Span{Start: start, End: end}, Length: end.Sub(start), Purpose: "teleconsult"})
			if err != nil {
				return err
			}
			if err := insertFurther(ctx, tx, id, one.PractitionerID, slots[0]); err != nil {
				return err
			}
		}
		if t, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		return s.grant(ctx, tx, t, studyUIDs(t.Studies))
	})
}

// grant opens studies to the expert, once there is one, and to the patient, once invited.
func (s *Teleconsults) grant(ctx context.Context, tx tx, t Teleconsult, uids []string) error {
	if len(uids) == 0 || t.Expert == nil {
		return nil
	}
	g := imaging.Grant{Teleconsult: t.ID, Place: t.Inviter.Institution.ID, Studies: uids, Purpose: "teleconsult", From: s.Now(), Until: t.End.Add(imagesAfter)}
	expert, patient := g, g
	expert.Practitioner, patient.Person = t.Expert.Practitioner.ID, t.Person.ID
	err := s.Images.GrantStudies(ctx, tx, expert)
	for _, one := range t.Further {
		if err == nil {
			expert.Practitioner = one.ID
			err = s.Images.GrantStudies(ctx, tx, expert)
		}
	}
	if err == nil && t.PatientIn {
		err = s.Images.GrantStudies(ctx, tx, patient)
	}
	return err
}

// Decline refuses the request with a reason; the asking doctor may ask another hospital.
func (s *Teleconsults) Decline(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "decline", func(tx tx, _ Teleconsult) error { return putReason(ctx, tx, id, reason) })
}

// Cancel takes the request back; slot and grants end, the room closes.
func (s *Teleconsults) Cancel(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	t, err := s.move(ctx, id, invitersDeed, "cancel", func(tx tx, t Teleconsult) error {
		if err := withdrawSlot(ctx, tx, id, s.Now()); err != nil {
			return err
		}
		if err := s.Images.EndGrants(ctx, tx, id); err != nil {
			return err
		}
		return putReason(ctx, tx, id, reason)
	})
	if err == nil {
		s.closeRoom(ctx, t.room)
	}
	return t, err
}

// Close ends the consult: the expert's right to the images lapses, the room closes.
func (s *Teleconsults) Close(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	t, err := s.Teleconsult(ctx, id)
	if err == nil && !t.isTheirs(ctx, invitersDeed) {
		err = fault.Missing()
	}
	if err == nil {
		err = t.mustBe(Decided)
	}
	if err == nil {
		err = s.finishRecording(ctx, matter{teleconsult: id})
	}
	if err != nil {
		return t, err
	}
	t, err = s.move(ctx, id, invitersDeed, "close", func(tx tx, t Teleconsult) error { return s.Images.EndGrants(ctx, tx, id) })
	if err == nil {
		s.closeRoom(ctx, t.room)
	}
	return t, err
}

func studyUIDs(studies []imaging.Study) []string {
	uids := []string{}
	for _, study := range studies {
		uids = append(uids, study.UID)
	}
	return uids
}

// Teleconsult reads one.
func (s *Teleconsults) Teleconsult(ctx context.Context, id ids.Teleconsult) (t Teleconsult, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		t, err = s.teleconsult(ctx, tx, id)
		return err
	})
	return t, err
}

// List is what the scope shows, by whose move it is: open ones first, the most pressing first.
func (s *Teleconsults) List(ctx context.Context) (list []Teleconsult, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list = []Teleconsult{}
		rows, err := selectTeleconsults(ctx, tx, authz.ScopeFrom(ctx), ids.Teleconsult{})
		if err != nil {
			return err
		}
		for _, r := range rows {
			t, err := s.told(ctx, tx, r)
			if err != nil {
				return err
			}
			list = append(list, t)
			if err := t.audit(ctx, tx, "list"); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// teleconsult reads one within the scope and records the reading, or the deed that has been done.
func (s *Teleconsults) teleconsult(ctx context.Context, tx tx, id ids.Teleconsult) (Teleconsult, error) {
	t, err := s.find(ctx, tx, id)
	if err != nil {
		return Teleconsult{}, err
	}
	return t, t.audit(ctx, tx, "")
}

func (t *Teleconsult) audit(ctx context.Context, tx tx, reason string) error {
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "teleconsult/" + t.ID.String(),
		Person: t.Person.ID, Place: t.Inviter.Institution.ID, Reason: reason})
}

// find is teleconsult for a deed that records itself when it is done.
func (s *Teleconsults) find(ctx context.Context, tx tx, id ids.Teleconsult) (Teleconsult, error) {
	if id.IsZero() { // would filter nothing
		return Teleconsult{}, fault.Missing()
	}
	rows, err := selectTeleconsults(ctx, tx, authz.ScopeFrom(ctx), id)
	if err != nil {
		return Teleconsult{}, err
	}
	if len(rows) == 0 {
		return Teleconsult{}, fault.Missing()
	}
	return s.told(ctx, tx, rows[0])
}

func (s *Teleconsults) told(ctx context.Context, tx tx, r teleconsultRow) (Teleconsult, error) {
	t := Teleconsult{
		ID: r.ID, State: State(r.State), Urgency: r.Urgency, Department: r.Department, Question: r.Question, Summary: r.Summary,
		Person:  Patient{r.PersonID, r.PersonName, r.Sex, ageOf(r.BirthDate, s.Now())},
		Inviter: Party{Doctor{r.InviterID, r.InviterName, r.InviterTitle}, Named[ids.Institution]{r.InviterPlace, r.InviterPlaceName}},
		Invited: Named[ids.Institution]{r.InvitedPlace, r.InvitedPlaceName}, Start: r.Start, End: r.End, PatientIn: r.PatientInvitedAt != nil,
		Reason: r.Reason, SLADue: r.SLADue, Liability: r.Liability, CreatedAt: r.CreatedAt, Studies: []imaging.Study{}, room: control.Room(r.Room), row: r}
	if r.ConsentAt != nil {
		t.Consent = &GivenConsent{*r.ConsentMethod, *r.ConsentSignedBy, *r.ConsentRelation, *r.ConsentAt}
	}
	if !r.ExpertID.IsZero() {
		t.Expert = &Party{Doctor{r.ExpertID, *r.ExpertName, *r.ExpertTitle}, t.Invited}
	}
	var err error
	if t.Further, err = selectFurther(ctx, tx, r.ID); err != nil {
		return t, err
	}
	if len(r.Studies) > 0 {
		// What the request names, everybody in it may know of; the pictures themselves need a grant.
		all, err := s.Images.Studies(ctx, tx, authz.System("teleconsult.read"), r.Studies...)
		if err != nil {
			return t, err
		}
		for _, study := range all {
			if study.InstitutionID == r.InviterPlace {
				t.Studies = append(t.Studies, study)
			}
		}
	}
	if t.Opinion, err = selectDocument(ctx, tx, r.ID, "opinion"); err != nil {
		return t, err
	}
	if t.Opinion != nil && t.Opinion.SignedAt == nil && !asks(ctx, r.ExpertID) {
		t.Opinion = nil // a draft is its author's
	}
	t.Decision, err = selectDocument(ctx, tx, r.ID, "decision")
	return t, err
}

// hasFurther reports whether the practitioner is one of the further experts.
func (t *Teleconsult) hasFurther(who ids.Practitioner) bool {
	return slices.ContainsFunc(t.Further, func(d Doctor) bool { return !who.IsZero() && d.ID == who })
}

func (t *Teleconsult) mustBe(states ...State) error {
	if slices.Contains(states, t.State) {
		return nil
	}
	return fault.New(fault.Conflict, "teleconsult_moved_on", "这次会诊的状态已经变了。", "This consult has moved on.").
		WithRemedy("请刷新页面，看现在轮到谁。", "Please refresh to see whose move it is.").
		With(map[string]State{"state": t.State})
}

// party says whose deed it is. What the scope shows to many, only some may change.
type party int

const (
	invitersDeed party = iota
	expertsDeed
	hospitalsDeed // the invited hospital's coordinator, or the asking doctor
	patientsDeed  // the patient's own account, or the asking doctor
)

// isTheirs reports whether the deed is the asker's; if not, the answer is the one for "not there".
func (t *Teleconsult) isTheirs(ctx context.Context, whose party) bool {
	switch {
	case whose == expertsDeed:
		return t.Expert != nil && asks(ctx, t.Expert.Practitioner.ID)
	case whose == hospitalsDeed && slices.Contains(authz.ScopeFrom(ctx).Places(), t.Invited.ID):
		return true
	case whose == patientsDeed && authz.SubjectFrom(ctx).Practitioner.IsZero():
		return true // of whom the scope has shown it as their own
	}
	return whose != expertsDeed && asks(ctx, t.Inviter.Practitioner.ID)
}

// asks reports whether the practitioner is the one who asks.
func asks(ctx context.Context, who ids.Practitioner) bool {
	sub := authz.SubjectFrom(ctx)
	return sub != nil && !who.IsZero() && sub.Practitioner == who
}

// deed changes a teleconsult without moving it on.
func (s *Teleconsults) deed(ctx context.Context, id ids.Teleconsult, whose party, do func(tx tx, t Teleconsult) error) (Teleconsult, error) {
	var t Teleconsult
	err := s.inTx(ctx, func(tx tx) (err error) {
		if t, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if !t.isTheirs(ctx, whose) {
			return fault.Missing()
		}
		if err := do(tx, t); err != nil {
			return err
		}
		t, err = s.teleconsult(ctx, tx, id)
		return err
	})
	if err == nil {
		s.tellAll(t)
	}
	return t, err
}

// move carries out one move of TeleconsultMoves.
func (s *Teleconsults) move(ctx context.Context, id ids.Teleconsult, whose party, name string, do func(tx tx, t Teleconsult) error) (Teleconsult, error) {
	m := TeleconsultMoves[slices.IndexFunc(TeleconsultMoves, func(m Move) bool { return m.Deed == name })]
	return s.deed(ctx, id, whose, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(m.From...); err != nil {
			return err
		}
		if err := do(tx, t); err != nil {
			return err
		}
		moved, err := moveTeleconsult(ctx, tx, id, t.State, m.To, s.Now())
		if err == nil && !moved {
			return t.mustBe() // somebody was faster
		}
		return err
	})
}

func (s *Teleconsults) tellAll(t Teleconsult) {
	e := live.Event{Kind: "teleconsult.changed", ID: t.ID.String(), Practitioners: []ids.Practitioner{t.Inviter.Practitioner.ID},
		Accounts: t.row.PatientAccounts}
	if t.SLADue != nil { // before it is handed in, it is no business of the invited hospital
		e.Places = []ids.Institution{t.Invited.ID}
	}
	if t.Expert != nil {
		e.Practitioners = append(e.Practitioners, t.Expert.Practitioner.ID)
	}
	s.Live.Publish(e)
}

// PatientsOf finds patients of the asker's own hospital by name.
func (s *Teleconsults) PatientsOf(ctx context.Context, query string) (list []ChartPerson, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		rows, err := selectPatients(ctx, tx, authz.ScopeFrom(ctx), query)
		if err != nil {
			return err
		}
		list = []ChartPerson{}
		for _, r := range rows {
			list = append(list, ChartPerson{Patient{r.ID, r.Name, r.Sex, ageOf(r.BirthDate, s.Now())}, r.IDMasked, r.BirthDate.Format(time.DateOnly)})
			entry := audit.Entry{Action: "patient.search", Object: "person/" + r.ID.String(), Person: r.ID, Place: r.InstitutionID, Reason: "list"}
			if err := audit.Write(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// ChartPerson is a patient as a search shows them.
type ChartPerson struct {
	Patient
	IDMasked  string `json:"id_masked"`
	BirthDate string `json:"birth_date"`
}
