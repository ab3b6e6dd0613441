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
	"yuanzhen/storage/imaging"
)

// States of a teleconsult (Norms for Telemedicine Services 2018; regulation rules TCR-01..13).
const (
	Draft         State = "draft"          // the county doctor writes
	WithOffice    State = "with_office"    // the asking hospital's medical office is to countersign
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
// back, escalation, an expert who leaves, an addendum, a countersign after an emergency has gone out.
var TeleconsultMoves = []Move{
	{"request", nil, Draft, "asking doctor", "both are licensed hospitals of the mainland with an agreement in force (TCR-01, TCR-02, TCR-13)", "liability (TCR-10)"},
	{"submit", []State{Draft}, Submitted, "asking doctor", "nothing missing (TCR-06); written consent, or the head's approval in an emergency (TCR-03); the hospital needs no countersign, or it is an emergency", "clock starts; of an emergency: that the countersign is owed"},
	{"ask the office", []State{Draft}, WithOffice, "asking doctor", "as to submit; the hospital needs the countersign, and it is no emergency", "since when it waits"},
	{"countersign", []State{WithOffice}, Submitted, "medical office of the asking hospital", "not the doctor's own; what was shown is what goes out; agreement still in force", "signer, hash of the request; clock starts"},
	{"send back", []State{WithOffice}, Draft, "medical office of the asking hospital", "a reason; not the doctor's own", "reason"},
	{"take back", []State{WithOffice}, Draft, "asking doctor", "", ""},
	{"ask for more", []State{Submitted, Triaged}, NeedsInfo, "coordinator of the invited hospital", "what is missing", "clock stands"},
	{"answer", []State{NeedsInfo}, Submitted, "asking doctor", "nothing missing (TCR-06)", "answer; clock goes on"},
	{"triage", []State{Submitted, Triaged}, Triaged, "coordinator of the invited hospital", "department, urgency and kind; a reason for what differs; nothing missing for the kind (TCR-06)", "who, what it was and why; clock anew"},
	{"assign", []State{Submitted, Triaged}, Scheduled, "coordinator of the invited hospital", "experts registered, 3 years (TCR-05), each hospital of theirs with an agreement (TCR-02); all free (MPP-05)", "slots, grants; what is urgent keeps its clock"},
	{"hand over", []State{Submitted, Triaged}, InProgress, "coordinator of the invited hospital", "experts registered, 3 years (TCR-05), each hospital of theirs with an agreement (TCR-02)", "grants; the answer is in writing"},
	{"decline", []State{Submitted, NeedsInfo, Triaged}, Declined, "coordinator of the invited hospital", "a reason", "reason"},
	{"meet", []State{Scheduled}, InProgress, "asking doctor and expert", "both are in the room (TCR-04)", "who came when; the patient is let in"},
	{"write instead", []State{Scheduled}, InProgress, "asking doctor or expert", "", "the slots are free again"},
	{"sign opinion", []State{Scheduled, InProgress}, OpinionSigned, "experts", "own signature of each who was not released (TCR-08)", "signed bytes"},
	{"decide", []State{OpinionSigned}, Decided, "asking doctor", "own signature (TCR-09); critical values read back", "signed bytes"},
	{"close", []State{Decided}, Closed, "asking doctor", "critical values read back; both hospitals keep the package (TCR-11)", "hashes; grants end, room closes"},
	{"cancel", []State{Draft, WithOffice, Submitted, NeedsInfo, Triaged, Scheduled}, Cancelled, "asking doctor", "", "reason; slots and grants end"},
	{"withdraw consent", []State{Draft, WithOffice, Submitted, NeedsInfo, Triaged, Scheduled, InProgress}, Cancelled, "patient, or asking doctor for them", "consent was given; no opinion of the consult stands yet (PIPL art. 15)", "reason, when and by whom; slots and grants end"},
}

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
	Released   []Released             `json:"released" doc:"Experts who left without signing"`
	Start      *time.Time             `json:"start,omitempty"`
	End        *time.Time             `json:"end,omitempty"`
	Studies    []imaging.Study        `json:"studies"`
	Consent    *GivenConsent          `json:"consent,omitempty"`
	Asked      *ConsentText           `json:"consent_asked,omitempty" doc:"What the patient is asked to agree to, while they have not"`
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

	OfficeSince  *time.Time    `json:"office_since,omitempty" doc:"Since when it waits for the medical office; once it is handed in: since when the office owes its countersign"`
	Countersigns []Countersign `json:"countersigns" doc:"What the medical office of the asking hospital said, in order"`

	room control.Room
	row  teleconsultRow
}

// Party is a practitioner of an institution in a teleconsult.
type Party struct {
	Practitioner Doctor                 `json:"practitioner"`
	Institution  Named[ids.Institution] `json:"institution"`
}

// step writes down what has happened: both sides read it, and the package holds it.
func (s *Teleconsults) step(ctx context.Context, tx tx, id ids.Teleconsult, deed, note string) error {
	var account ids.Account
	if sub := authz.SubjectFrom(ctx); sub != nil {
		account = sub.Account
	}
	return insertStep(ctx, tx, id, deed, account, note, s.Now())
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
			if err == nil {
				err = s.asRead(ctx, tx, &t)
			}
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
	if err := s.asRead(ctx, tx, &t); err != nil {
		return Teleconsult{}, err
	}
	return t, t.audit(ctx, tx, "")
}

// asRead leaves of the studies what the reader may see at this moment. Of others they learn what the signed package needs: how many
// there are, of what kind and day. The invited hospital's coordinator judges whether a request is complete and whom it needs: until
// it is over they see what the request names.
func (s *Teleconsults) asRead(ctx context.Context, tx tx, t *Teleconsult) (err error) {
	open := t.Studies
	if t.over() || !slices.Contains(authz.ScopeFrom(ctx).Places(), t.Invited.ID) {
		if open, err = s.open(ctx, tx, *t); err != nil {
			return err
		}
	}
	shown := []imaging.Study{}
	for _, study := range t.Studies {
		if !slices.ContainsFunc(open, func(o imaging.Study) bool { return o.ID == study.ID }) {
			study = imaging.Study{InstitutionID: study.InstitutionID, StudyDate: study.StudyDate, Modalities: study.Modalities, Series: []imaging.Series{}}
		}
		if !asks(ctx, t.Inviter.Practitioner.ID) {
			study.Others = []imaging.OtherBytes{}
		}
		shown = append(shown, study)
	}
	t.Studies = shown
	return nil
}

// open are the studies that the reader may look at now: the asking doctor's own, and what a grant opens.
func (s *Teleconsults) open(ctx context.Context, tx tx, t Teleconsult) ([]imaging.Study, error) {
	if len(t.Studies) == 0 || asks(ctx, t.Inviter.Practitioner.ID) {
		return t.Studies, nil
	}
	all, err := s.Images.Studies(ctx, tx, authz.ScopeFrom(ctx), studyUIDs(t.Studies)...)
	return slices.DeleteFunc(all, func(o imaging.Study) bool { return o.InstitutionID != t.Inviter.Institution.ID }), err
}

// looked is teleconsult for what was drawn on the images and said over them: who may not look at them any more finds nothing.
func (s *Teleconsults) looked(ctx context.Context, tx tx, id ids.Teleconsult) error {
	t, err := s.find(ctx, tx, id)
	if err != nil {
		return err
	}
	open, err := s.open(ctx, tx, t)
	if err != nil {
		return err
	}
	if len(open) == 0 && (len(t.Studies) > 0 || t.over() && !asks(ctx, t.Inviter.Practitioner.ID)) {
		return fault.Missing()
	}
	return t.audit(ctx, tx, "")
}

func (t *Teleconsult) over() bool { return t.mustBe(Closed, Declined, Cancelled) == nil }

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
		Reason: r.Reason, SLADue: r.SLADue, Liability: r.Liability, CreatedAt: r.CreatedAt, OfficeSince: r.OfficeSince, Studies: []imaging.Study{}, room: control.Room(r.Room), row: r}
	if r.ConsentAt != nil {
		t.Consent = &GivenConsent{*r.ConsentMethod, *r.ConsentSignedBy, *r.ConsentRelation, *r.ConsentAt, r.ConsentText}
	} else if t.State == Draft {
		asked := t.consentText()
		t.Asked = &asked
	}
	if !r.ExpertID.IsZero() {
		t.Expert = &Party{Doctor{r.ExpertID, *r.ExpertName, *r.ExpertTitle}, t.Invited}
	}
	var err error
	if t.Further, err = selectFurther(ctx, tx, r.ID); err != nil {
		return t, err
	}
	if t.Released, err = selectReleased(ctx, tx, r.ID); err != nil {
		return t, err
	}
	if t.Countersigns, err = selectCountersigns(ctx, tx, r.ID); err != nil {
		return t, err
	}
	if !asks(ctx, r.InviterID) {
		withoutOfficeWords(t.Countersigns, nil)
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

// held finds a consult whose deed is the asker's, and keeps everybody else from changing it until the transaction ends: what a deed judges
// is what it changes.
func (s *Teleconsults) held(ctx context.Context, tx tx, id ids.Teleconsult, whose party) (t Teleconsult, err error) {
	if t, err = s.find(ctx, tx, id); err != nil {
		return t, err
	}
	if !t.isTheirs(ctx, whose) {
		return t, fault.Missing()
	}
	if err := lockTeleconsult(ctx, tx, id); err != nil {
		return t, err
	}
	if t, err = s.find(ctx, tx, id); err == nil && !t.isTheirs(ctx, whose) {
		err = fault.Missing()
	}
	return t, err
}

// deed changes a teleconsult without moving it on.
func (s *Teleconsults) deed(ctx context.Context, id ids.Teleconsult, whose party, do func(tx tx, t Teleconsult) error) (Teleconsult, error) {
	var t Teleconsult
	err := s.inTx(ctx, func(tx tx) (err error) {
		if t, err = s.held(ctx, tx, id, whose); err != nil {
			return err
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
	if t.OfficeSince != nil || len(t.Countersigns) > 0 { // the medical office's list
		e.Places = append(e.Places, t.Inviter.Institution.ID)
	}
	if t.Expert != nil {
		e.Practitioners = append(e.Practitioners, t.Expert.Practitioner.ID)
	}
	for _, one := range t.Further {
		e.Practitioners = append(e.Practitioners, one.ID)
	}
	s.Live.Publish(e)
}
