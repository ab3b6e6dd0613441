package prescribe

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/sig"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// issue follows the pharmacist's approval: evidence code, envelope, the hospital's seal, and what may be collected.
// Without a valid seal nothing is issued.
func (s *Service) issue(ctx context.Context, tx tx, p Prescription) error {
	pen, err := s.Keys.Seal(ctx, tx, p.Institution.ID)
	if err != nil {
		return err
	}
	code, err := evidence(p, pen)
	if err != nil {
		return err
	}
	if err := putEvidence(ctx, tx, p.ID, code); err != nil {
		return err
	}
	p.row.EvidenceCode = &code
	e, err := envelopeOf(ctx, tx, p, pen)
	if err != nil {
		return err
	}
	sealed, err := proof.Canonical(e)
	if err != nil {
		return err
	}
	signature, err := pen.Write(sealed)
	if err != nil {
		return err
	}
	if err := insertSeal(ctx, tx, p, sealed, signature); err != nil {
		return err
	}
	if err := witness(ctx, tx, p, proof.Seal, signature); err != nil {
		return err
	}
	return insertParts(ctx, tx, p.ID, partsOf(p.Order, *p.SignedAt))
}

// envelopeOf gathers what the seal stands over, as it is stored at this moment.
func envelopeOf(ctx context.Context, tx tx, p Prescription, pen keys.Pen) (proof.Envelope, error) {
	marks, err := selectMarks(ctx, tx, p.ID)
	if err != nil {
		return proof.Envelope{}, err
	}
	return proof.Envelope{Format: proof.EnvelopeFormat, ID: p.ID.String(), No: p.No, Version: p.Version,
		Institution: proof.Party{ID: p.Institution.ID.String(), Name: p.Institution.Name}, Prescription: string(p.row.Canonical), Signed: signed(p, marks),
		EvidenceCode: *p.row.EvidenceCode, ValidUntil: p.row.ValidUntil.UTC(), IssuedAt: pen.At.UTC(), Alg: pen.Alg(), Key: pen.KeyID}, nil
}

// evidence makes the code that everybody can verify: the hospital's seal signs it.
func evidence(p Prescription, pen keys.Pen) (string, error) {
	key, err := uuid.Parse(pen.KeyID)
	if err != nil {
		return "", err
	}
	e := qr.Evidence{Number: p.No, Hospital: p.Institution.Name, Doctor: p.Doctor.Name, Initial: string([]rune(p.Person.Name)[:1]),
		BirthYear: p.row.BirthDate.Year(), Issued: qr.DayOf(*p.SignedAt), Until: qr.DayOf(*p.ValidUntil), Key: key, Alg: pen.Alg()}
	for _, i := range p.Items {
		e.Lines = append(e.Lines, qr.Line{Name: i.Name.ZH, Use: i.use(), Days: i.Days})
	}
	document, err := e.Document()
	if err != nil {
		return "", err
	}
	signature, err := pen.Write(document)
	if err != nil {
		return "", err
	}
	short, err := sig.Compact(signature.Alg, signature.Sig)
	if err != nil {
		return "", err
	}
	return qr.Code(document, short), nil
}

// ProofOf judges a signed prescription and, once it is issued, hands out what proves it without us. Of what was issued
// before there were seals there is no file.
func (s *Service) ProofOf(ctx context.Context, id ids.Prescription) (out Proof, err error) {
	p, err := s.Prescription(ctx, id)
	if err != nil {
		return out, err
	}
	return s.proofOf(ctx, p)
}

func (s *Service) proofOf(ctx context.Context, p Prescription) (out Proof, err error) {
	if out.Findings, err = s.Prove(ctx, p); err != nil {
		return out, err
	}
	seal, err := selectSeal(ctx, s.DB, p.ID)
	if err != nil || seal == nil {
		return out, err
	}
	out.File = &proof.File{Format: proof.FileFormat, Envelope: string(seal.Canonical), Seal: seal.Signature, Times: []proof.Witness{}}
	seen, err := s.Log.Witnesses(ctx, s.DB, "prescription/"+p.ID.String(), proof.Action)
	for _, w := range seen {
		out.File.Times = append(out.File.Times, proof.Witness(w))
	}
	return out, err
}

// signed is the prescriber's signature, and second persons' and the pharmacist's on the text that stands.
func signed(p Prescription, marks []mark) []proof.Signed {
	list := []proof.Signed{p.row.signed()}
	for _, m := range marks {
		one := m.signed()
		if m.Current && !slices.ContainsFunc(list, one.Same) { // one word on several hard stops
			list = append(list, one)
		}
	}
	return list
}
