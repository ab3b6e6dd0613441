// Package prescribe takes a prescription from draft to evidence code: written by the visit's doctor, checked on
// every save, stored as the exact bytes that the doctor then signs, reviewed by a pharmacist who signs too.
//
// Read prescription.go first: states, moves and content. rules.go has what the law asks of the signing doctor,
// case.go what the checks (check/) are told, sign.go and review.go the two signatures, verify.go the answer for everybody.
package prescribe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gowebpki/jcs"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"yuanzhen/consult"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/rule"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/qr"
)

// Service holds the deeds. All fields are set at construction.
type Service struct {
	DB        *pg.Pool
	Now       func() time.Time
	Visits    Visits
	Keys      *keys.Service
	Live      consult.Bus
	Knowledge *formulary.Knowledge // nil when it could not be read: then nothing is prescribed, and all else works
	Notices   consult.Notices      // nil where nobody is told
	Files     consult.Files        // papers of pharmacies and local documents
	VerifyURL string               // what a QR code holds before the evidence code: "https://…/verify#"
	Log       *audit.Log           // says when a signature was made
}

// Visits is what a prescription asks of the visit it is written in (consult.Service).
type Visits interface {
	// AskStanding asks in a batch how the visit stands; beyond the scope it stays empty.
	AskStanding(ctx context.Context, b *pgx.Batch, into *consult.Standing, id ids.Visit)
	// JudgeForSigning decides again, at this moment, whether this visit may be held online and these drugs be
	// prescribed in it, and keeps the decision. A refusal is fault.Refused.
	JudgeForSigning(ctx context.Context, tx tx, id ids.Visit, drugs []consult.Drug) (consult.Decision, error)
}

// State of a prescription.
type State string

const (
	Draft     State = "draft"
	Signed    State = "signed" // waits for the pharmacist
	Approved  State = "approved"
	Returned  State = "returned" // to the doctor, who writes the next version
	Refused   State = "refused"
	Void      State = "void"
	Expired   State = "expired"   // never stored: approved, and its day is over
	Dispensed State = "dispensed" // never stored: approved, and every part was handed out
)

// Move is one allowed change of state.
type Move struct {
	Deed           string
	From           []State // empty: the beginning
	To             State
	Who, Guard, Do string // for docs/states.md: who may, what must hold, what is recorded
}

// PrescriptionMoves is every change a prescription can make; whatever is not here is refused. Each is carried
// out by an UPDATE that names the state it leaves.
var PrescriptionMoves = []Move{
	{"write", nil, Draft, "the visit's doctor", "visit begun; nothing made by AI (RXE-01, RXE-02)", "content, checks, exact bytes"},
	{"save", []State{Draft}, Draft, "the prescriber", "as write", "content, checks, exact bytes"},
	{"correct", nil, Draft, "the prescriber", "the version before was returned or refused", "new version; the old one stays"},
	{"sign", []State{Draft}, Signed, "the prescriber", "RXE-01 to RXE-22; checks done; reasons for what interrupts", "signature, reasons, end of validity"},
	{"approve", []State{Signed}, Approved, "pharmacist", "RXR-02, RXR-03; nothing contraindicated (RXR-06)", "three checks, signature, evidence code"},
	{"return", []State{Signed}, Returned, "pharmacist", "RXR-05", "three checks, reason, signature"},
	{"refuse", []State{Signed}, Refused, "pharmacist", "RXR-06", "three checks, reason, signature"},
	{"cancel", []State{Draft, Signed, Approved}, Void, "the prescriber", "not dispensed", "time"},
}

func move(deed string) Move {
	return PrescriptionMoves[slices.IndexFunc(PrescriptionMoves, func(m Move) bool { return m.Deed == deed })]
}

// Item is one line. Name is the generic name of the formulary (RXE-11), whatever was sent.
type Item struct {
	Line       int        `json:"line" minimum:"1" maximum:"5"`
	Ingredient string     `json:"ingredient,omitempty" maxLength:"60"`
	Product    string     `json:"product,omitempty" maxLength:"60"`
	Name       fault.Text `json:"name,omitzero" required:"false"`
	Form       string     `json:"form,omitempty" maxLength:"10"`
	Route      string     `json:"route,omitempty" maxLength:"10"`
	Dose       string     `json:"dose,omitempty" maxLength:"20" doc:"of an ingredient, for one administration; a decimal number"`
	Unit       string     `json:"unit,omitempty" maxLength:"10" doc:"UCUM"`
	Units      string     `json:"units,omitempty" maxLength:"20" doc:"of a product, for one administration: tablets, sachets, puffs"`
	PerDay     int        `json:"per_day,omitempty" minimum:"0" maximum:"24"`
	PerWeek    int        `json:"per_week,omitempty" minimum:"0" maximum:"7"`
	Timing     string     `json:"timing,omitempty" enum:"before_meal,with_meal,after_meal,morning,bedtime" doc:"when in the day, where it matters"`
	Days       int        `json:"days" minimum:"1" maximum:"90"`
	Quantity   string     `json:"quantity,omitempty" maxLength:"40"`
	Provenance string     `json:"provenance" enum:"typed,catalogue_pick,copied,copied_confirmed,ai_generated" doc:"copied: from an earlier prescription or a favourite, and not signed before it is confirmed; ai_generated is refused (RXE-02)"`
}

// Order is what the doctor wants the patient to have.
type Order struct {
	Type       string   `json:"type" enum:"general,long,emergency,herbal" doc:"herbal: slices, on a form of their own (RXE-08); refused, because nobody here can check them"`
	Diagnosis  []string `json:"diagnosis" minItems:"1" maxItems:"10" doc:"ICD-10 (RXE-10)"`
	Items      []Item   `json:"items" minItems:"1" maxItems:"5"`
	DaysReason string   `json:"days_reason,omitempty" maxLength:"500" doc:"for more days than the type allows (RXE-15, RXE-17)"`
	ValidDays  int      `json:"valid_days,omitempty" minimum:"0" maximum:"3" doc:"days on which it may be claimed, the day of signing counted; 1 unless the doctor says more (RXE-22)"`
}

// Checked is what checks and law said of a draft.
type Checked struct {
	State string `json:"state" enum:"done,failed" doc:"failed: nothing was judged and nothing can be signed"`
	check.Result
	Reasons []rule.Reason `json:"reasons" doc:"what the law misses before this can be signed"`
}

// Prescription as screens show it.
type Prescription struct {
	ID           ids.Prescription               `json:"id"`
	No           string                         `json:"no"`
	Version      int                            `json:"version"`
	Supersedes   ids.Prescription               `json:"supersedes,omitzero"`
	State        State                          `json:"state" enum:"draft,signed,approved,returned,refused,void,expired,dispensed"`
	Person       consult.Patient                `json:"person"`
	Doctor       consult.Doctor                 `json:"doctor"`
	Institution  consult.Named[ids.Institution] `json:"institution"`
	VisitID      ids.Visit                      `json:"visit_id"`
	Check        Checked                        `json:"check"`
	Overrides    []Override                     `json:"overrides"`
	SHA256       string                         `json:"sha256"`
	Canonical    string                         `json:"canonical" doc:"exactly the bytes that are signed (RFC 8785)"`
	SignedAt     *time.Time                     `json:"signed_at,omitempty"`
	ValidUntil   *time.Time                     `json:"valid_until,omitempty"`
	Review       *Review                        `json:"review,omitempty"`
	EvidenceCode string                         `json:"evidence_code,omitempty"`
	QRURL        string                         `json:"qr_url,omitempty"`
	Seconds      []Second                       `json:"seconds" doc:"second persons' words on hard stops, for the text that stands now"`
	Parts        []Part                         `json:"parts" doc:"what may be collected, once it is approved"`
	PlanToldAt   *time.Time                     `json:"plan_confirmed_at,omitempty" doc:"when the patient confirmed a plan above 28 days (RXE-17)"`
	Reminders    []string                       `json:"reminders,omitempty" doc:"times at which the reader is reminded of the medicines"`
	Order

	row row
}

// Write makes the first version. The same request key brings the same prescription.
func (s *Service) Write(ctx context.Context, visit ids.Visit, o Order, requestKey string) (Prescription, error) {
	var id ids.Prescription
	err := s.inTx(ctx, func(tx tx) error {
		facts, err := s.mayWrite(ctx, tx, &pgx.Batch{}, visit)
		if err != nil {
			return err
		}
		if id, err = idOfRequest(ctx, tx, facts.Practitioner, requestKey); err != nil {
			return err
		}
		if !id.IsZero() {
			return audit.Write(ctx, tx, written(ctx, facts, visit, id)...)
		}
		id = ids.New[ids.Prescription]()
		k, err := selectKnown(ctx, tx, facts, id, s.Now().Truncate(time.Second))
		if err != nil {
			return err
		}
		c, err := s.compose(ctx, tx, facts, k, content{ID: id, Version: 1, VisitID: visit, WrittenAt: s.Now().Truncate(time.Second)}, o)
		if err != nil {
			return err
		}
		c.requestKey = &requestKey
		return s.keep(ctx, tx, facts, c)
	})
	if pg.Violates(err, "prescription_asked_once") {
		return s.Write(ctx, visit, o, requestKey) // the same wish is being written beside us; now it is there
	}
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// Save writes a draft anew; a returned or refused prescription gets its next version.
func (s *Service) Save(ctx context.Context, id ids.Prescription, o Order) (saved Prescription, err error) {
	var accounts []ids.Account
	next := content{}
	err = s.inTx(ctx, func(tx tx) error {
		saved = Prescription{} // of an attempt before
		old, err := s.ownOf(ctx, tx, filter{ID: id, Brief: true})
		if err != nil {
			return err
		}
		next = content{ID: old.ID, No: old.No, Version: old.Version, Supersedes: old.Supersedes, VisitID: old.VisitID, WrittenAt: s.Now().Truncate(time.Second)}
		facts, k, err := s.mayWriteOn(ctx, tx, old, next.WrittenAt)
		if err != nil {
			return err
		}
		correct := old.State == Returned || old.State == Refused
		if correct {
			next.ID, next.Version, next.Supersedes = ids.New[ids.Prescription](), old.Version+1, old.ID
		} else if old.State != Draft {
			if old, err = s.read(ctx, tx, id); err != nil { // where it is now, its parts say
				return err
			}
			return movedOn(old)
		}
		c, err := s.compose(ctx, tx, facts, k, next, o)
		if err != nil {
			return err
		}
		if correct {
			return s.keep(ctx, tx, facts, c)
		}
		var done bool
		if accounts, done, err = updateDraft(ctx, tx, facts, c); err != nil || !done {
			return orMovedOn(err, old)
		}
		saved = old.with(c)
		return nil
	})
	if pg.Violates(err, "prescription_supersedes_key") {
		return Prescription{}, fault.New(fault.Conflict, "already_corrected", "这张处方已有更正的新版本。", "This prescription has been corrected already.").
			WithRemedy("请打开新版本。", "Please open the new version.")
	}
	if err != nil {
		return Prescription{}, err
	}
	if saved.ID.IsZero() {
		return s.told(ctx, next.ID)
	}
	s.publish(saved, accounts)
	return saved, nil
}

// with is the draft once c is its content: what reading it again would give. A draft is saved with each change of a line.
func (p Prescription) with(c content) Prescription {
	if p.SHA256 != c.SHA256 {
		p.Seconds = []Second{} // those of the old text don't count
	}
	p.Order, p.Check, p.SHA256, p.Canonical = c.Order, c.Checked, c.SHA256, string(c.Canonical)
	return p
}

// Cancel makes a prescription void, by its prescriber.
func (s *Service) Cancel(ctx context.Context, id ids.Prescription) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.own(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := s.withdrawParts(ctx, tx, p); err != nil {
			return err
		}
		at := s.Now()
		if err := s.move(ctx, tx, p, "cancel", at); err != nil {
			return err
		}
		// The log knows that it is void, and since when, whatever the row says later (proveState).
		return audit.Write(ctx, tx, audit.Entry{Action: voided, Object: "prescription/" + id.String(), Person: p.Person.ID, Place: p.Institution.ID, At: at})
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// Prescription reads one.
func (s *Service) Prescription(ctx context.Context, id ids.Prescription) (p Prescription, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if p, err = s.read(ctx, tx, id); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	return p, err
}

// Prescriptions of a person, newest first, all versions.
func (s *Service) Prescriptions(ctx context.Context, person ids.Person) (list []Prescription, err error) {
	if person.IsZero() {
		return nil, fault.Missing()
	}
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = s.readAll(ctx, tx, filter{Person: person}); err != nil {
			return err
		}
		if len(list) == 0 {
			return personInReach(ctx, tx, authz.ScopeFrom(ctx), person)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescriptions/" + person.String(), Person: person, Place: list[0].Institution.ID})
	})
	return list, err
}

// Of is what visit and chart show (consult.Prescriptions).
func (s *Service) Of(ctx context.Context, db pg.DB, person ids.Person, visit ids.Visit) ([]consult.PrescriptionRef, error) {
	rows, err := selectPrescriptions(ctx, db, authz.System("prescription.refs"), filter{Person: person, Visit: visit})
	if err != nil {
		return nil, err
	}
	list := make([]consult.PrescriptionRef, 0, len(rows))
	for _, r := range rows {
		p, err := s.shown(r)
		if err != nil {
			return nil, err
		}
		list = append(list, consult.PrescriptionRef{ID: p.ID, VisitID: p.VisitID, No: p.No, State: string(p.State), Title: p.title(), At: r.WrittenAt})
	}
	return list, nil
}

// Returned counts what the pharmacist gave back and nobody has corrected yet.
func (s *Service) Returned(ctx context.Context, db pg.DB, doctor ids.Practitioner) (int, error) {
	return countReturned(ctx, db, doctor)
}

func (p Prescription) title() (names string) {
	for i, item := range p.Items {
		if i > 0 {
			names += "、"
		}
		names += item.Name.ZH
	}
	return names
}

// mayWrite asks how the visit stands, in one trip with what else is in the batch, and holds RXE-01 and half of RXE-02: only the
// visit's doctor writes, and only during the visit.
func (s *Service) mayWrite(ctx context.Context, tx tx, b *pgx.Batch, visit ids.Visit) (consult.Standing, error) {
	var facts consult.Standing
	s.Visits.AskStanding(ctx, b, &facts, visit)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return facts, err
	}
	if facts.Practitioner.IsZero() || facts.Practitioner != authz.SubjectFrom(ctx).Practitioner {
		return facts, fault.Missing()
	}
	if !facts.InConsult {
		return facts, notAllowed(notInConsult)
	}
	return facts, nil
}

// mayWriteOn is mayWrite for a prescription that is there, with what is known of its patient on a day.
func (s *Service) mayWriteOn(ctx context.Context, tx tx, p Prescription, at time.Time) (facts consult.Standing, k known, err error) {
	var b pgx.Batch
	askKnown(&b, &k, consult.Standing{Person: p.Person.ID, Practitioner: p.Doctor.ID, Institution: p.Institution.ID}, p.ID, at)
	facts, err = s.mayWrite(ctx, tx, &b, p.VisitID)
	return facts, k, err
}

// written are the entries of a text upon a visit: what was read for it, and the deed.
func written(ctx context.Context, facts consult.Standing, visit ids.Visit, id ids.Prescription) []audit.Entry {
	read := audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "visit/" + visit.String(), Person: facts.Person, Place: facts.Institution}
	deed := read
	deed.Object = "prescription/" + id.String()
	return []audit.Entry{read, deed}
}

// content is a version while it is being written.
type content struct {
	ID         ids.Prescription
	No         string
	Version    int
	Supersedes ids.Prescription
	VisitID    ids.Visit
	WrittenAt  time.Time
	Order
	Permit    permit // by which a long prescription has more than 84 days
	Case      check.Case
	Checked   Checked
	Canonical []byte
	SHA256    string
	Risk      int

	requestKey *string
}

// compose completes a version: generic names, checks, law, and the bytes to sign. What the doctor mistyped is
// fault.Invalid and names the field.
func (s *Service) compose(ctx context.Context, tx tx, facts consult.Standing, k known, c content, o Order) (content, error) {
	_, err := s.knowledge()
	if err != nil {
		return c, err
	}
	if herbal := herbalPieces(o); herbal != nil {
		return c, notAllowed(*herbal)
	}
	if err := s.readable(o); err != nil {
		return c, err
	}
	if made := madeByAI(o); made != nil {
		return c, notAllowed(*made)
	}
	if c.No == "" {
		if c.No, err = nextNumber(ctx, tx, qr.DayOf(c.WrittenAt)); err != nil {
			return c, err
		}
	}
	c.Order = s.named(o)
	if national := s.Knowledge.Rules["R_DAYS_LONG_MAX"].Limit; o.Type == "long" && longest(o) > national {
		if c.Permit, err = selectPermit(ctx, tx, facts.Institution, s.Now()); err != nil {
			return c, err
		}
	}
	c.Case = s.caseOf(c.Order, facts, k, c.WrittenAt)
	c.Case.Context.LocalDays = check.Whole(c.Permit.MaxDays)
	c.Checked = s.check(c.Case)
	c.Checked.Reasons = s.law(c.Order, facts, k.parties)
	c.Risk = risk(c)
	if c.Canonical, err = canonical(c, facts, k.parties); err != nil {
		return c, err
	}
	sum := sha256.Sum256(c.Canonical)
	c.SHA256 = hex.EncodeToString(sum[:])
	return c, nil
}

// canonical is the document that is signed (RFC 8785): doses as strings, text in NFC.
func canonical(c content, facts consult.Standing, ps parties) ([]byte, error) {
	type alert struct {
		Key      string         `json:"key"`
		Severity check.Severity `json:"severity"`
	}
	alerts := make([]alert, 0, len(c.Checked.Alerts))
	for _, a := range c.Checked.Alerts {
		alerts = append(alerts, alert{a.Key, a.Severity})
	}
	document := map[string]any{
		"format": "yuanzhen prescription 1", "id": c.ID, "no": c.No, "version": c.Version, "supersedes": c.Supersedes, "visit": c.VisitID,
		"institution": map[string]any{"id": facts.Institution, "name": ps.InstitutionName},
		"doctor":      map[string]any{"id": facts.Practitioner, "name": ps.DoctorName, "title": ps.Title},
		"patient":     map[string]any{"id": facts.Person, "name": ps.PersonName, "sex": ps.Sex, "birth_date": ps.BirthDate.Format(time.DateOnly)},
		"type":        c.Type, "diagnosis": c.Diagnosis, "items": c.Items, "days_reason": c.DaysReason,
		"check":      map[string]any{"knowledge": c.Checked.Knowledge, "decision": c.Checked.Decision, "alerts": alerts},
		"written_at": c.WrittenAt.UTC().Format(time.RFC3339),
	}
	if c.ValidDays > 1 { // what is not said is one day
		document["valid_days"] = c.ValidDays
	}
	if !c.Permit.ID.IsZero() {
		document["long_document"] = map[string]any{"id": c.Permit.ID, "title": c.Permit.Title, "number": c.Permit.Number}
	}
	plain, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(norm.NFC.Bytes(plain))
}

// risk orders the pharmacist's queue: signed over an alert, then child or pregnant, then long.
func risk(c content) (points int) {
	if c.Checked.Decision == "override" {
		points += 4
	}
	p := c.Case.Patient
	if p.Pregnancy == "yes" || p.AgeYears != nil && *p.AgeYears < 14 {
		points += 2
	}
	if c.Type == "long" {
		points++
	}
	return points
}

func (s *Service) keep(ctx context.Context, tx tx, facts consult.Standing, c content) error {
	if err := insertPrescription(ctx, tx, facts, c); err != nil {
		return err
	}
	return audit.Write(ctx, tx, written(ctx, facts, c.VisitID, c.ID)...)
}

// own reads a prescription for a change by its prescriber and locks it.
func (s *Service) own(ctx context.Context, tx tx, id ids.Prescription) (Prescription, error) {
	return s.ownOf(ctx, tx, filter{ID: id})
}

func (s *Service) ownOf(ctx context.Context, tx tx, f filter) (Prescription, error) {
	rows, err := lockPrescriptions(ctx, tx, authz.ScopeFrom(ctx), f)
	if err != nil {
		return Prescription{}, err
	}
	if len(rows) == 0 {
		return Prescription{}, fault.Missing()
	}
	p, err := s.shown(rows[0])
	if err == nil && p.Doctor.ID != authz.SubjectFrom(ctx).Practitioner {
		err = fault.Missing()
	}
	return p, err
}

func (s *Service) read(ctx context.Context, db pg.DB, id ids.Prescription) (Prescription, error) {
	list, err := s.readAll(ctx, db, filter{ID: id})
	if err != nil {
		return Prescription{}, err
	}
	if len(list) == 0 {
		return Prescription{}, fault.Missing()
	}
	return list[0], nil
}

func (s *Service) readAll(ctx context.Context, db pg.DB, f filter) ([]Prescription, error) {
	rows, err := selectPrescriptions(ctx, db, authz.ScopeFrom(ctx), f)
	if err != nil {
		return nil, err
	}
	list := make([]Prescription, len(rows))
	for i, r := range rows {
		if list[i], err = s.shown(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// shown turns a row into what screens show.
func (s *Service) shown(r row) (Prescription, error) {
	p := Prescription{
		ID: r.ID, No: r.No, Version: r.Version, Supersedes: r.Supersedes, State: r.State, VisitID: r.VisitID,
		Person:      consult.Patient{ID: r.PersonID, Name: r.PersonName, Sex: r.Sex, Age: age(r.BirthDate, s.Now()) / 12},
		Doctor:      consult.Doctor{ID: r.PractitionerID, Name: r.DoctorName, Title: r.Title},
		Institution: consult.Named[ids.Institution]{ID: r.InstitutionID, Name: r.InstitutionName},
		Overrides:   []Override{}, SHA256: r.SHA256, Canonical: string(r.Canonical), SignedAt: r.SignedAt, ValidUntil: r.ValidUntil, PlanToldAt: r.ConfirmedAt, Reminders: r.Reminders,
		Order: Order{Type: r.Type, Diagnosis: r.Diagnosis, DaysReason: r.DaysReason, ValidDays: r.ValidDays}, row: r,
	}
	for what, into := range map[*json.RawMessage]any{&r.Items: &p.Items, &r.Checked: &p.Check, &r.Overrides: &p.Overrides, &r.Seconds: &p.Seconds, &r.Parts: &p.Parts} {
		if err := json.Unmarshal(*what, into); err != nil {
			return p, fmt.Errorf("prescription %s: %w", r.ID, err)
		}
	}
	if r.Result != nil {
		p.Review = &Review{*r.Result, *r.ReasonCode, *r.Note, r.Pharmacist, *r.ReviewedAt}
	}
	for i := range p.Parts {
		p.Parts[i].State = p.Parts[i].today(s.Now())
	}
	if p.State == Approved {
		p.EvidenceCode, p.QRURL = *r.EvidenceCode, "/api/v1/prescriptions/"+p.ID.String()+"/qr.png"
		switch {
		case len(p.Parts) > 0 && !slices.ContainsFunc(p.Parts, func(part Part) bool { return part.State != "dispensed" }):
			p.State = Dispensed
		case s.Now().After(*p.ValidUntil):
			p.State = Expired
		}
	}
	return p, nil
}

// move carries out one deed of the table; somebody else may have been first.
func (s *Service) move(ctx context.Context, tx tx, p Prescription, deed string, at time.Time) error {
	m := move(deed)
	if !slices.Contains(m.From, p.State) {
		return movedOn(p)
	}
	moved, err := movePrescription(ctx, tx, p.ID, p.State, m.To, at)
	if err != nil || !moved {
		return orMovedOn(err, p)
	}
	return nil
}

func orMovedOn(err error, p Prescription) error {
	if err != nil {
		return err
	}
	return movedOn(p)
}

func movedOn(p Prescription) error {
	return fault.New(fault.Conflict, "prescription_moved_on", "这张处方的状态已经变了。", "This prescription has moved on.").
		WithRemedy("请刷新后再看。", "Please refresh and look again.").
		With(map[string]State{"state": p.State})
}

func (s *Service) record(ctx context.Context, tx tx, id ids.Prescription, person ids.Person, place ids.Institution) error {
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescription/" + id.String(), Person: person, Place: place})
}

// told reads the prescription after a deed and lets the screens of patient, doctor and pharmacy ask again.
func (s *Service) told(ctx context.Context, id ids.Prescription) (Prescription, error) {
	p, err := s.read(ctx, s.DB, id)
	if err != nil {
		return p, err
	}
	accounts, err := accountsOf(ctx, s.DB, p.Person.ID)
	if err == nil {
		s.publish(p, accounts)
	}
	return p, err
}

func (s *Service) publish(p Prescription, accounts []ids.Account) {
	s.Live.Publish(live.Event{Kind: "prescription.changed", ID: p.ID.String(), Accounts: accounts,
		Practitioners: []ids.Practitioner{p.Doctor.ID}, Places: []ids.Institution{p.Institution.ID}})
}

// knowledge is what the checks stand on; without it prescribing stops and says so.
func (s *Service) knowledge() (*formulary.Knowledge, error) {
	if s.Knowledge == nil {
		return nil, fault.New(fault.Unavailable, "knowledge_missing", "药品知识库没有读到或已损坏，不能核查，暂停开方。",
			"The drug knowledge is missing or damaged; nothing can be checked, so prescribing is stopped.").
			WithRemedy("请联系管理员重新导入处方集；看诊、病历和已开的处方不受影响。", "Ask the administrator to import the formulary again. Visits, records and issued prescriptions are not affected.")
	}
	return s.Knowledge, nil
}

// age in whole months.
func age(birth, now time.Time) int {
	now = now.In(qr.China)
	months := (now.Year()-birth.Year())*12 + int(now.Month()-birth.Month())
	if now.Day() < birth.Day() {
		months--
	}
	return months
}
