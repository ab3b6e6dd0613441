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

// ProofVerification is what a proof file proves, and whether what it proves still holds.
type ProofVerification struct {
	Result       qr.Result `json:"result" enum:"genuine,forged,used,revoked,expired,unknown_key"`
	EvidenceCode string    `json:"evidence_code,omitempty" doc:"of a file without faults: the few lines to show"`
	proof.Findings
}

// VerifyProof checks a proof file as the command does, with keys, certificates and log of the house; then it asks what only
// the issuer knows. Who holds the file holds the prescription: nothing is told that is not in it, and nothing is kept.
func (s *Service) VerifyProof(ctx context.Context, file proof.File) (v ProofVerification, err error) {
	trust, err := s.trust(ctx, s.DB)
	if err != nil {
		return v, err
	}
	trust.Keys = append(trust.Keys, proof.LogKey(s.Log.Signer.Name(), s.Log.Public))
	e, findings := trust.Check(file)
	if v.Findings = findings; len(v.Faults) > 0 {
		v.Result = qr.Forged
		return v, nil
	}
	now, err := s.Verify(ctx, e.EvidenceCode)
	v.Result, v.EvidenceCode = now.Result, e.EvidenceCode
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
