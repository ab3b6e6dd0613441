package consult

import (
	"cmp"
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
	NeedsInfo     State = "needs_info"     // the asking doctor's move; the clock stands
	Triaged       State = "triaged"        // taken on; expert and time are to be set
	Scheduled     State = "scheduled"      // expert and time are set; images are open to the expert
	InProgress    State = "in_progress"    // they have met, or the expert answers in writing
	OpinionSigned State = "opinion_signed" // by every expert; the asking doctor's move
	Decided       State = "decided"
	Closed        State = "closed"
	Declined      State = "declined"
)

// TeleconsultMoves is every change a teleconsult can make. What leaves the state as it is stands beside the table: going live and
// back, escalation, an addendum.
var TeleconsultMoves = []Move{
	{"request", nil, Draft, "asking doctor", "both are licensed hospitals of the mainland with an agreement in force (TCR-01, TCR-02, TCR-13)", "liability (TCR-10)"},
	{"submit", []State{Draft}, Submitted, "asking doctor", "nothing missing (TCR-06); written consent, or the head's approval in an emergency (TCR-03)", "clock starts"},
	{"ask for more", []State{Submitted, Triaged}, NeedsInfo, "coordinator of the invited hospital", "what is missing", "clock stands"},
	{"answer", []State{NeedsInfo}, Submitted, "asking doctor", "nothing missing (TCR-06)", "answer; clock goes on"},
	{"triage", []State{Submitted}, Triaged, "coordinator of the invited hospital", "department and urgency", "who"},
	{"assign", []State{Submitted, Triaged}, Scheduled, "coordinator of the invited hospital", "experts registered, 3 years (TCR-05); all free (MPP-05)", "slots, grants"},
	{"hand over", []State{Submitted, Triaged}, InProgress, "coordinator of the invited hospital", "experts registered, 3 years (TCR-05)", "grants; the answer is in writing"},
	{"decline", []State{Submitted, NeedsInfo, Triaged}, Declined, "coordinator of the invited hospital", "a reason", "reason"},
	{"meet", []State{Scheduled}, InProgress, "asking doctor and expert", "both are in the room (TCR-04)", "who came when; the patient is let in"},
	{"write instead", []State{Scheduled}, InProgress, "asking doctor or expert", "", "the slots are free again"},
	{"sign opinion", []State{Scheduled, InProgress}, OpinionSigned, "experts", "own signature of each (TCR-08)", "signed bytes"},
	{"decide", []State{OpinionSigned}, Decided, "asking doctor", "own signature (TCR-09); critical values read back", "signed bytes"},
	{"close", []State{Decided}, Closed, "asking doctor", "both hospitals keep the package (TCR-11)", "hashes; grants end, room closes"},
	{"cancel", []State{Draft, Submitted, NeedsInfo, Triaged, Scheduled}, Cancelled, "asking doctor", "", "reason; slots and grants end"},
}

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
	Kind       string                 `json:"kind" enum:"consult,imaging,pathology,ecg" doc:"A consult, or a reading by a third party"`
	Urgency    string                 `json:"urgency"`
	Department string                 `json:"department"`
	Question   string                 `json:"question"`
	Summary    string                 `json:"summary"`
	Diagnosis  string                 `json:"diagnosis"`
	Labs       string                 `json:"labs"`
	Contact    string                 `json:"contact" doc:"Telephone of the asking side"`
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
	Opinions   []Authored             `json:"opinions" doc:"Of the further experts, each with agree or dissent; a draft only to its author"`
	Addenda    []Authored             `json:"addenda"`
	Decision   *Document              `json:"decision,omitempty"`
	Reason     string                 `json:"reason,omitempty"`
	SLADue     *time.Time             `json:"sla_due,omitempty"`
	Paused     bool                   `json:"paused" doc:"The clock stands until the asking doctor has answered"`
	Needs      string                 `json:"needs,omitempty" doc:"What the invited hospital misses"`
	Answer     string                 `json:"needs_answer,omitempty"`
	Escalated  *time.Time             `json:"escalated_at,omitempty"`
	Why        string                 `json:"escalated_why,omitempty"`
	Live       bool                   `json:"live" doc:"People meet in its room; else the expert answers in writing"`
	Missing    []string               `json:"missing" doc:"What a request still lacks before it can go out"`
	Critical   []CriticalValue        `json:"critical"`
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
	Method   string    `json:"method" doc:"paper, patient_device, or head_approval: an emergency whose patient can't agree (Civil Code art. 1220)"`
	SignedBy string    `json:"signed_by"`
	Relation string    `json:"relation"`
	At       time.Time `json:"at"`
}

// NewTeleconsult is what the county doctor writes.
type NewTeleconsult struct {
	Person     ids.Person      `json:"person_id"`
	Invited    ids.Institution `json:"institution_id,omitzero" doc:"Invited hospital; by default the first that has the department and an agreement"`
	Kind       string          `json:"kind,omitempty" enum:"consult,imaging,pathology,ecg" default:"consult"`
	Department string          `json:"department" minLength:"1" maxLength:"40"`
	Question   string          `json:"question" minLength:"1" maxLength:"2000"`
	Summary    string          `json:"summary" minLength:"1" maxLength:"8000"`
	Diagnosis  string          `json:"diagnosis,omitempty" maxLength:"500" doc:"Needed to submit"`
	Labs       string          `json:"labs,omitempty" maxLength:"8000" doc:"Results that are no images"`
	Contact    string          `json:"contact,omitempty" maxLength:"40" doc:"By default the hospital's telephone"`
	Urgency    string          `json:"urgency" enum:"routine,urgent,emergency"`
}

func (n NewTeleconsult) kind() string { return cmp.Or(n.Kind, "consult") }

// liability: a consult advises the asking hospital, which answers for the treatment; of a reading both answer (TCR-10).
func (n NewTeleconsult) liability() string {
	if n.kind() == "consult" {
		return "inviter"
	}
	return "joint"
}

// Request begins a teleconsult. The same request sent twice is one.
func (s *Teleconsults) Request(ctx context.Context, in NewTeleconsult, requestKey string) (Teleconsult, error) {
	return s.begin(ctx, requestKey, func(tx tx, id ids.Teleconsult) error {
		home, err := keeperOf(ctx, tx, authz.ScopeFrom(ctx), in.Person)
		if err != nil {
			return err
		}
		if in.Invited, err = s.hospitalFor(ctx, tx, in, home); err != nil {
			return err
		}
		return insertTeleconsult(ctx, tx, id, authz.SubjectFrom(ctx).Practitioner, home, in, "t-"+rand.Text(), requestKey, s.Now())
	})
}

// Again takes a request that was declined to another hospital: its text and studies, as a draft. Consent is asked anew, for it
// names who sees the record.
func (s *Teleconsults) Again(ctx context.Context, declined ids.Teleconsult, requestKey string) (Teleconsult, error) {
	return s.begin(ctx, requestKey, func(tx tx, id ids.Teleconsult) error {
		t, err := s.find(ctx, tx, declined)
		if err != nil {
			return err
		}
		if !t.isTheirs(ctx, invitersDeed) {
			return fault.Missing()
		}
		if err := t.mustBe(Declined); err != nil {
			return err
		}
		home := t.Inviter.Institution.ID
		in := NewTeleconsult{Person: t.Person.ID, Kind: t.Kind, Department: t.Department, Question: t.Question, Summary: t.Summary,
			Diagnosis: t.Diagnosis, Labs: t.Labs, Contact: t.Contact, Urgency: t.Urgency}
		if in.Invited, err = s.hospitalFor(ctx, tx, in, home, t.Invited.ID); err != nil {
			return err
		}
		if err := insertTeleconsult(ctx, tx, id, t.Inviter.Practitioner.ID, home, in, "t-"+rand.Text(), requestKey, s.Now()); err != nil {
			return err
		}
		for _, study := range t.Studies {
			if err := putTeleconsultStudy(ctx, tx, id, study.UID); err != nil {
				return err
			}
		}
		return nil
	})
}

// begin makes a draft, once for a request key.
func (s *Teleconsults) begin(ctx context.Context, requestKey string, insert func(tx tx, id ids.Teleconsult) error) (t Teleconsult, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		id, err := teleconsultOfRequest(ctx, tx, authz.SubjectFrom(ctx).Practitioner, requestKey)
		if err != nil {
			return err
		}
		if id.IsZero() {
			id = ids.New[ids.Teleconsult]()
			if err := insert(tx, id); err != nil {
				return err
			}
			if err := s.step(ctx, tx, id, "request", ""); err != nil {
				return err
			}
		}
		t, err = s.teleconsult(ctx, tx, id)
		return err
	})
	if pg.Violates(err, "teleconsult_asked_once") { // the same request, at the same moment, was faster
		return s.begin(ctx, requestKey, insert)
	}
	return t, err
}

// step writes down what has happened: both sides read it, and the package holds it.
func (s *Teleconsults) step(ctx context.Context, tx tx, id ids.Teleconsult, deed, note string) error {
	var account ids.Account
	if sub := authz.SubjectFrom(ctx); sub != nil {
		account = sub.Account
	}
	return insertStep(ctx, tx, id, deed, account, note, s.Now())
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
		invited, err := s.hospitalFor(ctx, tx, in, t.Inviter.Institution.ID)
		if err != nil {
			return err
		}
		in.Invited = invited
		keep := t.Consent == nil || t.Consent.Method != "head_approval" || in.Urgency == "emergency"
		return updateTeleconsult(ctx, tx, id, in, keep)
	})
}

// Attach adds a study after the doctor compared its patient with the one in the request.
func (s *Teleconsults) Attach(ctx context.Context, id ids.Teleconsult, study string, confirmed bool) (Teleconsult, error) {
	return s.deed(ctx, id, invitersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(Draft, Submitted, NeedsInfo, Triaged, Scheduled, InProgress); err != nil {
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
		if c.Method == "head_approval" && (t.Urgency != "emergency" || !asks(ctx, t.Inviter.Practitioner.ID)) {
			return fault.New(fault.Invalid, "not_an_emergency", "只有急诊会诊，才能由医院负责人批准代替患者同意。", "Only in an emergency may the head of the hospital approve in place of the patient.").
				WithRemedy("请先取得患者或近亲属的书面同意。", "Please get the written consent of the patient or a close relative.")
		}
		return putTeleconsultConsent(ctx, tx, id, c, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

// Submit hands the request to the invited hospital; its clock starts.
func (s *Teleconsults) Submit(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	return s.move(ctx, id, invitersDeed, "submit", "", func(tx tx, t Teleconsult) error {
		if t.Consent == nil {
			return fault.New(fault.Refused, "consent_missing", "还没有患者的书面同意，不能提交。", "The patient's written consent is missing.").
				WithRemedy("请患者在手机上签，或拍下签好的纸质同意书。", "Let the patient sign on a phone, or record the signed paper.")
		}
		if err := t.mustBeComplete(); err != nil {
			return err
		}
		in := NewTeleconsult{Kind: t.Kind, Department: t.Department, Invited: t.Invited.ID}
		if _, err := s.hospitalFor(ctx, tx, in, t.Inviter.Institution.ID); err != nil { // the agreement may have ended since
			return err
		}
		return putClock(ctx, tx, id, s.Now(), t.limits().arrange(s.Now()))
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
	return s.fit(ctx, tx, t.Invited.ID, t.Department, at)
}

// fit are the physicians with three years of independent practice who are registered at the place at the time; of any field if the department is empty.
func (s *Teleconsults) fit(ctx context.Context, tx tx, place ids.Institution, department string, at time.Time) ([]Expert, error) {
	return selectExperts(ctx, tx, place, department, s.Now().AddDate(-expertYears, 0, 0), at)
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
	return Expert{}, expertUnfit
}

var (
	expertUnfit = fault.New(fault.Refused, "expert_not_registered", "这位医师不能接这次会诊：未备案、专业不符或不满 3 年。",
		"This physician can't take this consult: not registered, other field, or under 3 years.").
		WithRemedy("请从名单里选，或先办理备案。", "Choose from the list, or file the registration first.")
	expertTwice = fault.New(fault.Invalid, "expert_twice", "同一位专家选了两次。", "An expert was chosen twice.").WithRemedy("请去掉一个。", "Please take one out.")
)

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
	return s.move(ctx, id, hospitalsDeed, "assign", "", func(tx tx, t Teleconsult) error {
		if !start.Before(end) || end.Sub(start) > longestConsult || end.Before(s.Now()) || start.After(s.Now().Add(farthestConsult)) {
			return fault.New(fault.Invalid, "time_wrong", "会诊时间不对。", "This is not a usable time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		busy, err := selectBusy(ctx, tx, t.Inviter.Practitioner.ID, start, end)
		if err != nil {
			return err
		}
		if len(busy) > 0 {
			return fault.New(fault.Conflict, "inviter_busy", "邀请医师这个时间另有安排。", "The asking doctor is engaged at this time.").
				WithRemedy("请从推荐的时间里选一个。", "Please choose one of the proposed times.")
		}
		return s.put(ctx, tx, t, expert, &schedule.Span{Start: start, End: end}, further)
	})
}

// HandOver gives the request to experts who answer in writing, when they can within the clock: nobody's time is kept free. One
// press turns it live.
func (s *Teleconsults) HandOver(ctx context.Context, id ids.Teleconsult, expert ids.Practitioner, further ...Invitee) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "hand over", "", func(tx tx, t Teleconsult) error { return s.put(ctx, tx, t, expert, nil, further) })
}

// put sets the experts, who have to be fit for it, keeps their time free if there is one, starts the clock of the answer and opens
// the images.
func (s *Teleconsults) put(ctx context.Context, tx tx, t Teleconsult, expert ids.Practitioner, at *schedule.Span, further []Invitee) error {
	day := s.Now()
	if at != nil {
		day = at.End
	}
	if _, err := s.mayTake(ctx, tx, t, expert, day); err != nil {
		return err
	}
	keep := func(who ids.Practitioner, place ids.Institution) (slot ids.Slot, err error) {
		if at == nil {
			return slot, nil
		}
		slots, err := s.OfferSlots(ctx, tx, Offer{Doctor: who, Place: place, Department: t.Department, Span: *at, Length: at.End.Sub(at.Start), Purpose: "teleconsult"})
		if err != nil {
			return slot, err
		}
		return slots[0], nil
	}
	slot, err := keep(expert, t.Invited.ID)
	if err != nil {
		return err
	}
	due := t.limits().finish(*t.row.ClockFrom)
	if at != nil && at.End.After(due) { // both sides have found no earlier time
		due = at.End
	}
	if err := putExpert(ctx, tx, t.ID, expert, slot, due); err != nil {
		return err
	}
	for _, one := range further {
		if one.PractitionerID == expert {
			return expertTwice
		}
		fit, err := s.fit(ctx, tx, one.InstitutionID, "", day)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(fit, func(e Expert) bool { return e.ID == one.PractitionerID }) {
			return expertUnfit
		}
		if slot, err = keep(one.PractitionerID, one.InstitutionID); err != nil {
			return err
		}
		err = insertFurther(ctx, tx, t.ID, one.PractitionerID, slot)
		if pg.Violates(err, "teleconsult_further_pkey") {
			return expertTwice
		}
		if err != nil {
			return err
		}
	}
	if t, err = s.find(ctx, tx, t.ID); err != nil {
		return err
	}
	return s.grant(ctx, tx, t, studyUIDs(t.Studies))
}

// grant opens studies to the expert, once there is one, and to the patient, once invited.
func (s *Teleconsults) grant(ctx context.Context, tx tx, t Teleconsult, uids []string) error {
	if len(uids) == 0 || t.Expert == nil {
		return nil
	}
	g := imaging.Grant{Teleconsult: t.ID, Place: t.Inviter.Institution.ID, Studies: uids, Purpose: "teleconsult", From: s.Now(), Until: t.lastDay().Add(imagesAfter)}
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

// lastDay is when the meeting ends, or the answer in writing is due.
func (t *Teleconsult) lastDay() time.Time {
	if t.End != nil {
		return *t.End
	}
	return *t.SLADue
}

// Decline refuses the request with a reason; the asking doctor may ask another hospital.
func (s *Teleconsults) Decline(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	return s.move(ctx, id, hospitalsDeed, "decline", reason, func(tx tx, _ Teleconsult) error { return putReason(ctx, tx, id, reason) })
}

// Cancel takes the request back; slot and grants end, the room closes.
func (s *Teleconsults) Cancel(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	t, err := s.move(ctx, id, invitersDeed, "cancel", reason, func(tx tx, t Teleconsult) error {
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
		ID: r.ID, State: State(r.State), Kind: r.Kind, Urgency: r.Urgency, Department: r.Department, Question: r.Question, Summary: r.Summary,
		Diagnosis: r.Diagnosis, Labs: r.Labs, Contact: r.Contact, Paused: r.PausedAt != nil, Needs: r.Needs, Answer: r.NeedsAnswer,
		Escalated: r.EscalatedAt, Why: r.EscalatedWhy, Live: r.Live, Missing: []string{}, Critical: []CriticalValue{},
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
	if t.State == Draft || t.State == NeedsInfo {
		t.Missing = t.lacks()
	}
	if err := s.documents(ctx, tx, &t); err != nil {
		return t, err
	}
	t.Critical, err = selectCritical(ctx, tx, r.ID)
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
	invitersDeed  party = iota
	expertsDeed         // the expert who was assigned first
	opinersDeed         // each expert, of an MDT too
	doctorsDeed         // each expert, or the asking doctor
	hospitalsDeed       // the invited hospital's coordinator, or the asking doctor
	patientsDeed        // the patient's own account, or the asking doctor
)

// isTheirs reports whether the deed is the asker's; if not, the answer is the one for "not there".
func (t *Teleconsult) isTheirs(ctx context.Context, whose party) bool {
	switch {
	case whose == expertsDeed:
		return t.Expert != nil && asks(ctx, t.Expert.Practitioner.ID)
	case whose == opinersDeed, whose == doctorsDeed:
		who := authz.SubjectFrom(ctx).Practitioner
		return t.Expert != nil && asks(ctx, t.Expert.Practitioner.ID) || t.hasFurther(who) || whose == doctorsDeed && asks(ctx, t.Inviter.Practitioner.ID)
	case whose == hospitalsDeed && slices.Contains(authz.ScopeFrom(ctx).Places(), t.Invited.ID):
		return true
	case whose == patientsDeed && authz.SubjectFrom(ctx).Practitioner.IsZero():
		return true // of whom the scope has shown it as their own
	}
	return asks(ctx, t.Inviter.Practitioner.ID)
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

// move carries out one move of TeleconsultMoves. note is what its step says.
func (s *Teleconsults) move(ctx context.Context, id ids.Teleconsult, whose party, name, note string, do func(tx tx, t Teleconsult) error) (Teleconsult, error) {
	return s.deed(ctx, id, whose, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(teleconsultMove(name).From...); err != nil {
			return err
		}
		if err := do(tx, t); err != nil {
			return err
		}
		return s.moveOn(ctx, tx, t, name, note)
	})
}

func teleconsultMove(deed string) Move {
	return TeleconsultMoves[slices.IndexFunc(TeleconsultMoves, func(m Move) bool { return m.Deed == deed })]
}

// moveOn leaves the state in which the deed found the consult.
func (s *Teleconsults) moveOn(ctx context.Context, tx tx, t Teleconsult, deed, note string) error {
	moved, err := moveTeleconsult(ctx, tx, t.ID, t.State, teleconsultMove(deed).To, s.Now())
	if err != nil {
		return err
	}
	if !moved {
		return t.mustBe() // somebody was faster
	}
	return s.step(ctx, tx, t.ID, deed, note)
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
	for _, one := range t.Further {
		e.Practitioners = append(e.Practitioners, one.ID)
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
