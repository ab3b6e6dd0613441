package prescribe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"
	"golang.org/x/text/unicode/norm"

	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/qr"
)

// Proof of a stored prescription: what was looked at, and what does not fit. Empty Faults is a whole prescription.
type Proof struct {
	Faults []string `json:"faults" doc:"field or signature, and what is wrong with it"`
	Notes  []string `json:"notes" doc:"what is lawful and worth knowing, such as a certificate that ended since"`
}

// Prove reads a signed prescription as it lies in the database and holds every stored field against the bytes that
// doctor, second person and pharmacist signed. Whoever changed one byte behind the house's back is told which field.
// It works years after a certificate ended: what counts is that the key was good when it signed.
func (s *Service) Prove(ctx context.Context, p Prescription) (Proof, error) {
	return s.proveOn(ctx, s.DB, p)
}

func (s *Service) proveOn(ctx context.Context, db pg.DB, p Prescription) (proof Proof, err error) {
	proof = Proof{Faults: []string{}, Notes: []string{}}
	if p.row.SignedAt == nil {
		return proof, movedOn(p) // a draft has nothing to prove
	}
	fault := func(format string, args ...any) { proof.Faults = append(proof.Faults, fmt.Sprintf(format, args...)) }
	list, err := keys.PublicKeys(ctx, db)
	if err != nil {
		return proof, err
	}
	r := p.row
	var signed map[string]json.RawMessage
	if err := json.Unmarshal(r.Canonical, &signed); err != nil {
		fault("canonical: no longer a document")
		return proof, nil
	}
	var alerts []map[string]any
	for _, a := range p.Check.Alerts {
		alerts = append(alerts, map[string]any{"key": a.Key, "severity": a.Severity})
	}
	if alerts == nil {
		alerts = []map[string]any{}
	}
	stored := map[string]any{
		"id": r.ID, "no": r.No, "version": r.Version, "supersedes": r.Supersedes, "visit": r.VisitID, "type": r.Type, "diagnosis": r.Diagnosis,
		"days_reason": r.DaysReason, "items": p.Items, "written_at": r.WrittenAt.UTC().Format(time.RFC3339),
		"check": map[string]any{"knowledge": p.Check.Knowledge, "decision": p.Check.Decision, "alerts": alerts},
	}
	for field, value := range stored {
		want, err := canon(value)
		if err != nil {
			return proof, err
		}
		if got, err := canon(signed[field]); err != nil || !bytes.Equal(got, want) {
			fault("%s: differs from what was signed", field)
		}
	}
	for field, id := range map[string]string{"patient": r.PersonID.String(), "doctor": r.PractitionerID.String(), "institution": r.InstitutionID.String()} {
		var of struct{ ID string }
		if json.Unmarshal(signed[field], &of) != nil || of.ID != id {
			fault("%s: differs from what was signed", field)
		}
	}
	if sum := sha256.Sum256(r.Canonical); hex.EncodeToString(sum[:]) != r.SHA256 {
		fault("sha256: differs from the signed bytes")
	}
	s.proveSignature(&proof, list, "signature", r.KeyID, p.Doctor.ID.String(), r.Canonical, r.Signature, r.SignedAt)
	marks, err := selectMarks(ctx, db, r.ID)
	if err != nil {
		return proof, err
	}
	for _, m := range marks {
		s.proveSignature(&proof, list, m.What, &m.KeyID, m.By.String(), m.Canonical, m.Signature, &m.At)
		var said map[string]any
		if json.Unmarshal(m.Canonical, &said) != nil {
			fault("%s: no longer a document", m.What)
			continue
		}
		var kept map[string]any
		if err := json.Unmarshal(m.Stored, &kept); err != nil {
			return proof, err
		}
		for field, value := range kept {
			if fmt.Sprint(said[field]) != fmt.Sprint(value) {
				fault("%s.%s: differs from what was signed", m.What, field)
			}
		}
	}
	if r.EvidenceCode != nil {
		published, err := selectKeys(ctx, db)
		if err != nil {
			return proof, err
		}
		if e, result := qr.Verify(*r.EvidenceCode, published, *r.SignedAt); result != qr.Genuine || e.Number != r.No {
			fault("evidence_code: %s", result)
		}
	}
	slices.Sort(proof.Faults)
	return proof, nil
}

// proveSignature: a key of ours, the signer's own, good at the time, over exactly these bytes.
func (s *Service) proveSignature(proof *Proof, list []keys.PublicKey, what string, keyID *string, holder string, document, signature []byte, at *time.Time) {
	if keyID == nil || at == nil {
		proof.Faults = append(proof.Faults, what+": missing")
		return
	}
	i := slices.IndexFunc(list, func(k keys.PublicKey) bool { return k.KeyID == *keyID })
	switch {
	case i < 0:
		proof.Faults = append(proof.Faults, what+": a key nobody knows")
	case list[i].PractitionerID.String() != holder:
		proof.Faults = append(proof.Faults, what+": somebody else's key")
	case keys.Verify(list[i], document, signature) != nil:
		proof.Faults = append(proof.Faults, what+": does not fit the signed bytes")
	case at.Before(list[i].From) || !at.Before(list[i].Until):
		proof.Faults = append(proof.Faults, what+": outside the certificate's time")
	case list[i].RevokedAt != nil && !at.Before(*list[i].RevokedAt):
		proof.Faults = append(proof.Faults, what+": after the certificate was revoked")
	case !s.Now().Before(list[i].Until) || list[i].RevokedAt != nil:
		proof.Notes = append(proof.Notes, what+": the certificate ended after it signed; the signature stands")
	}
}

func canon(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(plain) > 0 && strings.ContainsAny(string(plain[:1]), "{[") {
		return jcs.Transform(norm.NFC.Bytes(plain))
	}
	return norm.NFC.Bytes(plain), nil
}
