package prescribe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/rule"
	"yuanzhen/internal/sig"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// Override is the doctor's reason for signing over an alert that interrupts.
type Override struct {
	Alert      string `json:"alert" maxLength:"200" doc:"the alert's key"`
	ReasonCode string `json:"reason_code" enum:"benefit_outweighs,tolerated_before,specialist_plan,dose_adjusted,will_monitor,data_wrong,asked_patient"`
	Text       string `json:"text" minLength:"1" maxLength:"500"`
}

// Signing is the doctor's act: the hash of what was on the screen, and the passphrase of the doctor's own key.
type Signing struct {
	SHA256     string     `json:"sha256" pattern:"^[0-9a-f]{64}$"`
	Passphrase string     `json:"passphrase" maxLength:"200"`
	Overrides  []Override `json:"overrides,omitempty" maxItems:"50"`
}

// Sign signs exactly what the doctor saw. Visit, checks and law are asked again at this moment; where an answer
// differs from what was on the screen, nothing is signed.
func (s *Service) Sign(ctx context.Context, id ids.Prescription, act Signing) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.own(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != Draft {
			return movedOn(p)
		}
		facts, k, err := s.mayWriteOn(ctx, tx, p, p.row.WrittenAt)
		if err != nil {
			return err
		}
		kb, err := s.knowledge()
		if err != nil {
			return err
		}
		if _, err := s.Visits.JudgeForSigning(ctx, tx, p.VisitID, drugs(kb, p.Order)); err != nil {
			return err
		}
		now, err := s.compose(ctx, tx, facts, k, content{ID: p.ID, No: p.No, Version: p.Version, Supersedes: p.Supersedes,
			VisitID: p.VisitID, WrittenAt: p.row.WrittenAt}, p.Order)
		if err != nil {
			return err
		}
		if act.SHA256 != p.SHA256 || !bytes.Equal(now.Canonical, p.row.Canonical) {
			return fault.New(fault.Conflict, "not_what_was_shown", "处方或患者资料在您查看后有变化，没有签名。", "The prescription or the chart has changed since you looked; nothing was signed.").
				WithRemedy("请重新保存，看过后再签。", "Please save again, look, and sign.")
		}
		if err := signable(now.Checked, p.Order, act.Overrides, p.lifted()); err != nil {
			return err
		}
		pen, err := s.Keys.Unlock(ctx, tx, p.Doctor.ID, act.Passphrase)
		if err != nil {
			return err
		}
		until := validity(p.Order, pen.At)
		statement, err := statementOf(p, act.Overrides, until, pen)
		if err != nil {
			return err
		}
		signature, err := pen.Write(statement)
		if err != nil {
			return err
		}
		if err := insertOverrides(ctx, tx, id, act.Overrides); err != nil {
			return err
		}
		if signed, err := putSignature(ctx, tx, id, p.SHA256, statement, signature, until); err != nil || !signed {
			return orMovedOn(err, p)
		}
		if err := audit.Write(ctx, tx, written(ctx, facts, p.VisitID, id)...); err != nil {
			return err
		}
		return witness(ctx, tx, p, proof.Doctor, signature)
	})
	if refused := (*consult.Refusal)(nil); errors.As(err, &refused) {
		err = cmp.Or(refused.Keep(ctx), refused.Unwrap())
	}
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// statementOf is what the doctor signs (RFC 8785): the hashes of the text that was shown, and the act itself, down to
// the reasons for what was signed over and what the checks were asked and answered.
func statementOf(p Prescription, overrides []Override, until time.Time, pen keys.Pen) ([]byte, error) {
	if overrides == nil {
		overrides = []Override{}
	}
	slices.SortFunc(overrides, func(a, b Override) int { return cmp.Compare(a.Alert, b.Alert) })
	said := map[string]any{"format": "yuanzhen signature 1", "prescription": p.ID, "no": p.No, "sha256": proof.Hash(p.row.Canonical),
		"alg": pen.Alg(), "key": pen.KeyID, "at": pen.At.UTC(), "signer": map[string]any{"id": p.Doctor.ID, "name": p.Doctor.Name},
		"valid_until": until.UTC(), "overrides": overrides, "risk": p.row.Risk}
	sum := sig.SM3(p.row.Canonical)
	said["sm3"] = hex.EncodeToString(sum[:])
	for name, stored := range map[string]json.RawMessage{"checked_sha256": p.row.Checked, "case_sha256": p.row.CheckCase} {
		one, err := proof.Canonical(stored)
		if err != nil {
			return nil, err
		}
		said[name] = proof.Hash(one)
	}
	return proof.Canonical(said)
}

// witness puts a signature into the audit log, in the deed's transaction: the log says when, whatever a row says later.
func witness(ctx context.Context, tx tx, p Prescription, what string, signature keys.Signature) error {
	return audit.Write(ctx, tx, audit.Entry{Action: proof.Action, Object: "prescription/" + p.ID.String(), Person: p.Person.ID, Place: p.Institution.ID,
		Reason: proof.Mark(what, signature.Sig), At: signature.At})
}

// signable: the checks ran, nothing blocks, each alert that interrupts has its reason, and each clinical hard stop the
// word of a second person.
func signable(c Checked, o Order, overrides []Override, lifted map[string]bool) error {
	if !rule.Worst(c.Reasons).Passes() {
		return notAllowed(c.Reasons...)
	}
	given := map[string]bool{}
	for _, v := range overrides {
		known := slices.ContainsFunc(c.Alerts, func(a check.Alert) bool { return a.Key == v.Alert && a.Severity == formulary.Major })
		if !known || given[v.Alert] || strings.TrimSpace(v.Text) == "" {
			return fault.New(fault.Invalid, "override_unknown", "理由没有对应的警示，或没有写明。", "A reason fits no alert, is given twice, or is empty.").
				WithRemedy("请重新看警示。", "Please look at the alerts again.").With(map[string]string{"alert": v.Alert})
		}
		given[v.Alert] = true
	}
	var blocking, unanswered []check.Alert
	for _, a := range c.Alerts {
		switch {
		case clinicalStop(a) && lifted[a.Key]:
		case a.Severity == formulary.Contraindicated, a.Type == check.NotChecked:
			blocking = append(blocking, a)
		case a.Severity == formulary.Major && !given[a.Key] && !(strings.HasPrefix(a.Type, "R_DAYS_") && o.DaysReason != ""):
			unanswered = append(unanswered, a)
		}
	}
	if c.State != "done" || len(blocking) > 0 {
		return fault.New(fault.Refused, "prescription_blocked", "有必须先解决的警示，不能签名。", "There are alerts that must be solved first.").
			WithRemedy("请按提示修改处方或补全资料；临床禁忌须请第二人确认，法规限制和未核查的不能跳过。", "Change the prescription or complete the chart. A clinical hard stop needs a second person; rules of law and what was not checked can't be passed.").
			With(map[string][]check.Alert{"alerts": blocking})
	}
	if len(unanswered) > 0 {
		return fault.New(fault.Invalid, "reasons_missing", "还有警示没有写理由。", "Some alerts still need a reason.").
			WithRemedy("请逐条选择理由并说明。", "Choose a reason for each and explain it.").
			With(map[string][]check.Alert{"alerts": unanswered})
	}
	return nil
}

// endOfDay is the last second of the day in China, by which validity is counted (RXE-22).
func endOfDay(t time.Time) time.Time {
	y, m, d := t.In(qr.China).Date()
	return time.Date(y, m, d+1, 0, 0, -1, 0, qr.China)
}
