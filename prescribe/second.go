package prescribe

import (
	"context"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/proof"
)

// Second is the word of a second authorised person about one hard stop of exactly one text.
type Second struct {
	Alert      string     `json:"alert"`
	AskedAt    time.Time  `json:"asked_at"`
	By         string     `json:"by,omitempty"`
	Agrees     *bool      `json:"agrees,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	AnsweredAt *time.Time `json:"answered_at,omitempty"`
}

// Seconding answers every hard stop of a draft at once.
type Seconding struct {
	SHA256     string `json:"sha256" pattern:"^[0-9a-f]{64}$"`
	Agrees     bool   `json:"agrees"`
	Reason     string `json:"reason" minLength:"1" maxLength:"500"`
	Passphrase string `json:"passphrase" maxLength:"200"`
}

// clinicalStop is a hard stop that a second person may lift: a rule of law is none, and neither is what was not checked.
func clinicalStop(a check.Alert) bool {
	return a.Severity == formulary.Contraindicated && a.Type != check.NotChecked && !isLaw(a.Type)
}

func isLaw(kind string) bool { return len(kind) > 2 && kind[:2] == "R_" }

// lifted are the hard stops that a second person agreed to, for the text that stands now.
func (p Prescription) lifted() map[string]bool {
	all := map[string]bool{}
	for _, s := range p.Seconds {
		all[s.Alert] = s.Agrees != nil && *s.Agrees
	}
	return all
}

// AskSecond puts a draft with hard stops before the hospital's pharmacists and doctors.
func (s *Service) AskSecond(ctx context.Context, id ids.Prescription) (Prescription, error) {
	err := s.inTx(ctx, func(tx tx) error {
		p, err := s.own(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != Draft {
			return movedOn(p)
		}
		stops := 0
		for _, a := range p.Check.Alerts {
			if clinicalStop(a) {
				stops++
				if err := insertSecond(ctx, tx, p, a.Key, s.Now()); err != nil {
					return err
				}
			}
		}
		if stops == 0 {
			return fault.New(fault.Conflict, "nothing_to_second", "没有需要第二人确认的警示。", "There is no hard stop to be seconded.").
				WithRemedy("法规限制和未核查的内容不能由他人放行。", "Rules of law and what was not checked can't be lifted by anybody.")
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// Seconds lists the drafts that ask for a second person at the reader's places, oldest first.
func (s *Service) Seconds(ctx context.Context) (list []Prescription, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = s.readAll(ctx, tx, filter{Asking: true}); err != nil {
			return err
		}
		for _, p := range list {
			if err := s.record(ctx, tx, p.ID, p.Person.ID, p.Institution.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// GiveSecond records the second person's reason, signed with the own key. Never the prescriber's.
func (s *Service) GiveSecond(ctx context.Context, id ids.Prescription, act Seconding) (Prescription, error) {
	second := authz.SubjectFrom(ctx).Practitioner
	err := s.inTx(ctx, func(tx tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.Doctor.ID == second || second.IsZero() {
			return fault.New(fault.Refused, "second_is_another", "第二人须是开方医师以外的药师或医师。", "The second person is a pharmacist or doctor other than the prescriber.").
				WithRemedy("请由他人确认。", "Ask somebody else.")
		}
		if p.State != Draft || p.SHA256 != act.SHA256 || len(p.Seconds) == 0 {
			return movedOn(p)
		}
		pen, err := s.Keys.Unlock(ctx, tx, second, act.Passphrase)
		if err != nil {
			return err
		}
		document, err := secondDocument(p, act, second, pen)
		if err != nil {
			return err
		}
		signature, err := pen.Write(document)
		if err != nil {
			return err
		}
		answered, err := answerSecond(ctx, tx, p, second, act, document, signature)
		if err != nil || !answered {
			return orMovedOn(err, p)
		}
		if err := witness(ctx, tx, p, proof.Second, signature); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescription/" + id.String(),
			Person: p.Person.ID, Place: p.Institution.ID, Reason: map[bool]string{true: "agree", false: "disagree"}[act.Agrees]})
	})
	if err != nil {
		return Prescription{}, err
	}
	return s.told(ctx, id)
}

// secondDocument is what the second person signs (RFC 8785): the word on each hard stop that still waits for one, of
// exactly this text.
func secondDocument(p Prescription, act Seconding, second ids.Practitioner, pen keys.Pen) ([]byte, error) {
	asked := map[string]any{}
	for _, one := range p.Seconds {
		if one.AnsweredAt == nil {
			asked[one.Alert] = one.AskedAt.UTC()
		}
	}
	return proof.Canonical(map[string]any{"format": "yuanzhen second 2", "prescription": p.ID, "sha256": act.SHA256, "alg": pen.Alg(), "key": pen.KeyID,
		"at": pen.At.UTC(), "signer": map[string]any{"id": second}, "asked": asked, "agrees": act.Agrees, "reason": act.Reason})
}
