package consult

import (
	"cmp"
	"context"
	"crypto/rand"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// GivenConsent says who agreed, how and when (TCR-03).
type GivenConsent struct {
	Method   string    `json:"method" doc:"paper, patient_device, or head_approval: an emergency whose patient can't agree (Civil Code art. 1220)"`
	SignedBy string    `json:"signed_by"`
	Relation string    `json:"relation"`
	At       time.Time `json:"at"`

	Text *ConsentText `json:"text,omitempty" doc:"What was read on the patient's device"`
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
		// It names who receives what for which purpose: another hospital or kind is another consent (PIPL art. 23).
		keep := t.Consent == nil || invited == t.Invited.ID && in.kind() == t.Kind && (t.Consent.Method != "head_approval" || in.Urgency == "emergency")
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
		_, err := s.Images.Confirm(ctx, tx, authz.ScopeFrom(ctx), study, t.Inviter.Institution.ID, t.Person.ID) // it can open only its own
		if err != nil {
			return err
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
		if c.Method == "patient_device" && !authz.SubjectFrom(ctx).Practitioner.IsZero() {
			return fault.New(fault.Refused, "not_the_patients_device", "这要病人自己在手机上点同意，不能由医生代记。", "This is for the patient to say on their own phone; a doctor can't record it for them.").
				WithRemedy("请病人登录后在“我的就诊”里点同意，或签纸质同意书。", "Let the patient sign in and agree under My visits, or sign on paper.")
		}
		if c.Text != nil {
			asked := t.consentText()
			if c.Text.Version != asked.Version {
				return fault.New(fault.Conflict, "consent_text_changed", "医生刚改了申请，请您看的内容变了。", "The doctor has just changed the request, and with it what you are asked.").
					WithRemedy("请再读一遍，再决定同不同意。", "Please read it again, then decide.")
			}
			c.Text = &asked
		}
		return putTeleconsultConsent(ctx, tx, id, c, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

// WithdrawConsent ends the consult because the patient no longer agrees (PIPL art. 15): nobody outside the own hospital may look at
// the images from that moment. What was done on the consent stays as it is.
func (s *Teleconsults) WithdrawConsent(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	t, err := s.move(ctx, id, patientsDeed, "withdraw consent", reason, func(tx tx, t Teleconsult) error {
		if t.Consent == nil {
			return fault.New(fault.Conflict, "no_consent", "还没有同意书，没有可撤回的。", "No consent has been given, so there is none to withdraw.").
				WithRemedy("不想会诊，请医生撤回申请。", "If no consult is wanted, let the doctor take the request back.")
		}
		if err := s.end(ctx, tx, id, reason); err != nil {
			return err
		}
		whom := []audience{toInviter, toExperts}
		if t.SLADue != nil { // it was handed in
			whom = append(whom, toCoordinators)
		}
		if err := s.tellPeople(ctx, tx, t, "患者撤回了会诊同意，会诊已取消，影像不能再看。", whom...); err != nil {
			return err
		}
		return t.audit(ctx, tx, "consent withdrawn")
	})
	if err == nil {
		s.closeRoom(ctx, t.room)
	}
	return t, err
}

// Submit hands the request to the invited hospital, or first to the own medical office where that has to countersign.
func (s *Teleconsults) Submit(ctx context.Context, id ids.Teleconsult) (Teleconsult, error) {
	return s.deed(ctx, id, invitersDeed, func(tx tx, t Teleconsult) error {
		if err := t.mustBe(teleconsultMove("submit").From...); err != nil {
			return err
		}
		if t.Consent == nil {
			return fault.New(fault.Refused, "consent_missing", "还没有患者的书面同意，不能提交。", "The patient's written consent is missing.").
				WithRemedy("请患者在手机上签，或拍下签好的纸质同意书。", "Let the patient sign on a phone, or record the signed paper.")
		}
		if err := t.mustBeComplete(); err != nil {
			return err
		}
		needed, err := countersignNeeded(ctx, tx, t.Inviter.Institution.ID)
		if err != nil {
			return err
		}
		if !needed {
			return s.goOut(ctx, tx, t, "submit", "")
		}
		if t.Urgency != "emergency" {
			if err := s.mayGoOut(ctx, tx, t); err != nil {
				return err
			}
			if err := s.moveOn(ctx, tx, t, "ask the office", ""); err != nil {
				return err
			}
			return s.tellPeople(ctx, tx, t, "有会诊申请等医务部门会签，请打开远诊查看。", toOwnChiefs)
		}
		if err := s.goOut(ctx, tx, t, "submit", ""); err != nil {
			return err
		}
		if err := owe(ctx, tx, id, s.Now()); err != nil {
			return err
		}
		if err := s.step(ctx, tx, id, "go ahead", ""); err != nil {
			return err
		}
		return s.tellPeople(ctx, tx, t, "急诊会诊申请已经送出，请医务部门在 24 小时内补会签。", toOwnChiefs)
	})
}

// mayGoOut asks again what was so when the draft was begun: the agreement may have ended since.
func (s *Teleconsults) mayGoOut(ctx context.Context, tx tx, t Teleconsult) error {
	in := NewTeleconsult{Kind: t.Kind, Department: t.Department, Invited: t.Invited.ID}
	_, err := s.hospitalFor(ctx, tx, in, t.Inviter.Institution.ID)
	return err
}

// goOut hands the request to the invited hospital; its clock starts.
func (s *Teleconsults) goOut(ctx context.Context, tx tx, t Teleconsult, deed, note string) error {
	if err := s.mayGoOut(ctx, tx, t); err != nil {
		return err
	}
	limit, err := s.limitsOf(ctx, tx, t)
	if err != nil {
		return err
	}
	if err := s.moveOn(ctx, tx, t, deed, note); err != nil {
		return err
	}
	return putClock(ctx, tx, t.ID, s.Now(), limit.arrange(s.Now()))
}

// Cancel takes the request back; slot and grants end, the room closes.
func (s *Teleconsults) Cancel(ctx context.Context, id ids.Teleconsult, reason string) (Teleconsult, error) {
	t, err := s.move(ctx, id, invitersDeed, "cancel", reason, func(tx tx, _ Teleconsult) error { return s.end(ctx, tx, id, reason) })
	if err == nil {
		s.closeRoom(ctx, t.room)
	}
	return t, err
}

func (s *Teleconsults) end(ctx context.Context, tx tx, id ids.Teleconsult, reason string) error {
	if err := withdrawSlot(ctx, tx, id, s.Now()); err != nil {
		return err
	}
	if err := s.Images.EndGrants(ctx, tx, id); err != nil {
		return err
	}
	return putReason(ctx, tx, id, reason)
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
