package prescribe

import (
	"context"

	"github.com/skip2/go-qrcode"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// Verification is the answer for everybody: is this code genuine, and does it still hold. No medicine, no patient.
type Verification struct {
	Result      qr.Result `json:"result" enum:"genuine,forged,used,revoked,expired,unknown_key"`
	Institution string    `json:"institution,omitempty"`
	IssuedOn    string    `json:"issued_on,omitempty"`
	Offline     bool      `json:"offline"`
}

// VerificationKeys is the list that verifiers keep: signatures, seals, and the log that says when.
func (s *Service) VerificationKeys(ctx context.Context) ([]qr.Key, error) {
	list, err := selectKeys(ctx, s.DB)
	return append(list, proof.LogKey(s.Log.Signer.Name(), s.Log.Public)), err
}

// Verify checks the signature as anybody could, then asks what only the issuer knows.
func (s *Service) Verify(ctx context.Context, code string) (v Verification, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err := selectKeys(ctx, tx)
		if err != nil {
			return err
		}
		evidence, result := qr.Verify(code, list, s.Now())
		v.Result = result
		if result == qr.Forged || result == qr.UnknownKey {
			return nil
		}
		issued, err := selectIssued(ctx, tx, code)
		if err != nil {
			return err
		}
		if issued.ID.IsZero() {
			v.Result = qr.Forged // our key, and not our prescription
			return nil
		}
		switch {
		case issued.State == Void:
			v.Result = qr.Revoked
		case issued.Collected:
			v.Result = qr.Used
		}
		v.Institution, v.IssuedOn = evidence.Hospital, evidence.Issued.String()
		return audit.Write(ctx, tx, audit.Entry{Action: "prescription.verify", Object: "prescription/" + issued.ID.String(),
			Person: issued.PersonID, Place: issued.InstitutionID, Reason: string(v.Result)})
	})
	return v, err
}

// QR draws the evidence code of an approved prescription.
func (s *Service) QR(ctx context.Context, id ids.Prescription) ([]byte, error) {
	p, err := s.Prescription(ctx, id)
	if err != nil {
		return nil, err
	}
	if p.EvidenceCode == "" {
		return nil, fault.New(fault.Conflict, "not_approved", "处方还没有通过审核，没有取药码。", "The prescription isn't approved; it has no code.").
			WithRemedy("请等药师审核。", "Please wait for the pharmacist.")
	}
	return qrcode.Encode(s.VerifyURL+p.EvidenceCode, qrcode.Low, 720)
}
