package prescribe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/proof"
)

// Review is what a pharmacist found.
type Review struct {
	Result     string    `json:"result" enum:"pass,return,refuse"`
	ReasonCode string    `json:"reason_code,omitempty"`
	Note       string    `json:"note,omitempty"`
	Pharmacist string    `json:"pharmacist"`
	At         time.Time `json:"at"`
}

// Reviewing is the pharmacist's act: three checks (RXR-03), the outcome, and the passphrase of the own key.
type Reviewing struct {
	Legality    bool   `json:"legality"`
	Form        bool   `json:"form"`
	Suitability bool   `json:"suitability"`
	Result      string `json:"result" enum:"pass,return,refuse"`
	ReasonCode  string `json:"reason_code,omitempty" enum:"diagnosis,dose,interaction,allergy,contraindication,duplicate,quantity,incomplete,other"`
	Note        string `json:"note,omitempty" maxLength:"1000"`
	Passphrase  string `json:"passphrase" maxLength:"200"`
}

// Waiting is a prescription in the pharmacist's queue.
type Waiting struct {
	Prescription
	WaitingS int       `json:"waiting_s"`
	Risk     string    `json:"risk" enum:"usual,raised,high"`
	DueAt    time.Time `json:"due_at" doc:"end of the institution's time limit; nothing passes by it"`
	Step     int       `json:"step" enum:"0,1,2" doc:"1: the group's lead was asked, 2: the head of pharmacy"`
	Picture  Picture   `json:"picture"`
}

// Queue lists what waits for review at the pharmacist's places: risk first, then age.
func (s *Service) Queue(ctx context.Context) (queue []Waiting, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err := s.readAll(ctx, tx, filter{State: Signed})
		if err != nil {
			return err
		}
		clocks, err := selectClocks(ctx, tx)
		if err != nil {
			return err
		}
		queue = make([]Waiting, len(list))
		for i, p := range list {
			clock := clocks[p.ID]
			picture, err := s.picture(p)
			if err != nil {
				return err
			}
			queue[i] = Waiting{p, int(s.Now().Sub(*p.SignedAt) / time.Second), riskName(p.row.Risk), p.SignedAt.Add(clock.limits().limit(*p.SignedAt)), clock.Step, picture}
			if err := s.record(ctx, tx, p.ID, p.Person.ID, p.Institution.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return queue, err
}

func riskName(points int) string {
	switch {
	case points >= 4:
		return "high"
	case points >= 1:
		return "raised"
	}
	return "usual"
}

// reviewer is the pharmacist as the house knows them.
type reviewer struct {
	Name      string
	Kind      string
	Suspended bool
	Since     time.Time // dispensing since
}

// Review records the pharmacist's three checks and moves the prescription on. Nothing passes by itself, and
// nothing passes that the checks, asked again now, contraindicate (RXR-04, RXR-06).
func (s *Service) Review(ctx context.Context, id ids.Prescription, act Reviewing) (Prescription, error) {
	deed := map[string]string{"pass": "approve", "return": "return", "refuse": "refuse"}[act.Result]
	pharmacist := authz.SubjectFrom(ctx).Practitioner
	err := s.inTx(ctx, func(tx tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != Signed {
			return movedOn(p)
		}
		who, err := selectReviewer(ctx, tx, pharmacist)
		if err != nil {
			return err
		}
		if err := qualified(who, pharmacist, p, s.Now()); err != nil {
			return err
		}
		if err := consistent(act); err != nil {
			return err
		}
		if err := s.whole(ctx, tx, p); err != nil {
			return err
		}
		if act.Result == "pass" {
			if err := s.stillFit(ctx, tx, p); err != nil {
				return err
			}
		}
		pen, err := s.Keys.Unlock(ctx, tx, pharmacist, act.Passphrase)
		if err != nil {
			return err
		}
		document, err := reviewDocument(p, act, pharmacist, who.Name, pen)
		if err != nil {
			return err
		}
		signature, err := pen.Write(document)
		if err != nil {
			return err
		}
		if err := insertReview(ctx, tx, p, pharmacist, act, document, signature); err != nil {
			return err
		}
		if err := witness(ctx, tx, p, proof.Review, signature); err != nil {
			return err
		}
		if act.Result == "pass" {
			if err := s.issue(ctx, tx, p); err != nil {
				return err
			}
		}
		if err := s.move(ctx, tx, p, deed, s.Now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescription/" + id.String(),
			Person: p.Person.ID, Place: p.Institution.ID, Reason: act.Result})
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// qualified holds RXR-02: a pharmacist with three years of dispensing, and never the prescriber.
func qualified(who reviewer, id ids.Practitioner, p Prescription, now time.Time) error {
	if who.Kind == "pharmacist" && !who.Suspended && id != p.Doctor.ID && !who.Since.After(now.AddDate(-3, 0, 0)) {
		return nil
	}
	return fault.New(fault.Refused, "reviewer_unqualified", "审方药师资质不符（须为药师、从事调剂满三年，且不是开方医师）。",
		"The reviewer must be a pharmacist with three years of dispensing, and not the prescriber.").
		WithRemedy("请由其他药师审核。", "Ask another pharmacist.")
}

func consistent(act Reviewing) error {
	all := act.Legality && act.Form && act.Suitability
	if act.Result == "pass" && all && act.ReasonCode == "" || act.Result != "pass" && act.ReasonCode != "" {
		return nil
	}
	return fault.New(fault.Invalid, "review_incomplete", "通过须三项审核都合格；退回或拒绝须写明原因。", "To pass, all three checks must hold; to return or refuse needs a reason.").
		WithRemedy("请完成三项审核或选择原因。", "Complete the three checks or choose a reason.")
}

// whole holds the stored prescription against what was signed, before anybody relies on it.
func (s *Service) whole(ctx context.Context, tx tx, p Prescription) error {
	proof, err := s.proveOn(ctx, tx, p)
	if err != nil || len(proof.Faults) == 0 {
		return err
	}
	return fault.New(fault.Refused, "record_altered", "处方在签名后被改动，不能审核。", "The prescription was altered after it was signed; it can't be reviewed.").
		WithRemedy("请停止使用并报告信息安全人员。", "Stop, and report it to information security.").
		With(map[string][]string{"faults": proof.Faults})
}

// stillFit asks the checks again with the chart of this moment.
func (s *Service) stillFit(ctx context.Context, tx tx, p Prescription) error {
	if s.Now().After(endOfDay(*p.SignedAt)) {
		return fault.New(fault.Gone, "prescription_expired", "处方已过有效期，不能通过。", "The prescription is past its day and can't be approved.").
			WithRemedy("请退回医师重新开具。", "Return it to the doctor.")
	}
	if _, err := s.knowledge(); err != nil {
		return err
	}
	k, err := selectKnown(ctx, tx, consult.Standing{Person: p.Person.ID, Practitioner: p.Doctor.ID, Institution: p.Institution.ID}, p.ID, s.Now())
	if err != nil {
		return err
	}
	var asked check.Case
	if err := json.Unmarshal(p.row.CheckCase, &asked); err != nil {
		return err
	}
	facts := consult.Standing{GuardianPresent: asked.Context.GuardianPresent}
	if asked.Context.Renewal {
		facts.Kind = "follow_up"
	}
	if asked.Context.PriorRecord != nil && *asked.Context.PriorRecord {
		facts.Evidence = p.Diagnosis
	}
	judged := s.caseOf(p.Order, facts, k, s.Now())
	judged.Context.LocalDays = asked.Context.LocalDays // what was signed under a local document stands when that ends
	result := s.check(judged)
	var blocking []check.Alert
	lifted := p.lifted()
	for _, a := range result.Alerts {
		if (a.Severity == formulary.Contraindicated || a.Type == check.NotChecked) && !(clinicalStop(a) && lifted[a.Key]) {
			blocking = append(blocking, a)
		}
	}
	if len(blocking) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "must_refuse", "存在配伍禁忌或禁用情形，药师不得通过。", "There is a contraindication; the pharmacist must not pass it.").
		WithRemedy("请退回医师更正。", "Return it to the doctor for correction.").
		With(map[string][]check.Alert{"alerts": blocking})
}

// reviewDocument is what the pharmacist signs (RFC 8785): the outcome, tied to the doctor's bytes by their hash.
func reviewDocument(p Prescription, act Reviewing, id ids.Practitioner, name string, pen keys.Pen) ([]byte, error) {
	return proof.Canonical(map[string]any{
		"format": "yuanzhen review 2", "prescription": p.ID, "no": p.No, "version": p.Version, "sha256": p.SHA256, "alg": pen.Alg(), "key": pen.KeyID,
		"signer": map[string]any{"id": id, "name": name}, "legality": act.Legality, "form": act.Form, "suitability": act.Suitability,
		"result": act.Result, "reason_code": act.ReasonCode, "note": act.Note, "at": pen.At.UTC(),
	})
}

// use is dose and frequency of a line, as short as a code needs.
func (i Item) use() string {
	when := eventTimings[i.Timing]
	often := fmt.Sprintf("%d/d", i.PerDay)
	if i.PerWeek > 0 {
		often = fmt.Sprintf("%d/wk", i.PerWeek)
	}
	if i.Product != "" {
		return i.Units + " × " + often + when
	}
	return i.Dose + " " + i.Unit + " × " + often + when
}

// eventTimings are HL7's codes (http://hl7.org/fhir/event-timing), short enough for the evidence code.
var eventTimings = map[string]string{"before_meal": " AC", "with_meal": " C", "after_meal": " PC", "morning": " MORN", "bedtime": " HS"}
