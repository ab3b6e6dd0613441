package prescribe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// Proof of a stored prescription: what was looked at, what does not fit, and the file that proves it elsewhere.
type Proof struct {
	proof.Findings
	File *proof.File `json:"file,omitempty" doc:"once it is issued: proves the prescription without this server ('yuanzhen prescribe prove')"`
}

// Prove reads a signed prescription as it lies in the database and holds every stored field against the bytes that
// doctor, second person, pharmacist and hospital signed. Whoever changed one byte behind the house's back is told which
// field. It works years after a certificate ended: what counts is that the key was good when the log saw it sign.
func (s *Service) Prove(ctx context.Context, p Prescription) (proof.Findings, error) {
	return s.proveOn(ctx, s.DB, p)
}

func (s *Service) proveOn(ctx context.Context, db pg.DB, p Prescription) (f proof.Findings, err error) {
	f = proof.Findings{Faults: []string{}, Notes: []string{}}
	if p.row.SignedAt == nil {
		return f, movedOn(p) // a draft has nothing to prove
	}
	trust, err := s.trust(ctx, db)
	if err != nil {
		return f, err
	}
	times, err := selectTimes(ctx, db, p.ID)
	if err != nil {
		return f, err
	}
	marks, err := selectMarks(ctx, db, p.ID)
	if err != nil {
		return f, err
	}
	seal, err := selectSeal(ctx, db, p.ID)
	if err != nil {
		return f, err
	}
	if err := proveText(&f, p); err != nil {
		return f, err
	}
	if err := proveStatement(&f, p); err != nil {
		return f, err
	}
	proveState(&f, p, times)
	if err := s.proveParts(ctx, db, &f, p); err != nil {
		return f, err
	}
	doctor := p.row.signed()
	trust.CheckSigned(&f, doctor, p.row.Canonical, when(&f, doctor, times))
	for _, m := range marks {
		one, text := m.signed(), p.row.Canonical
		if !m.Current {
			text = nil
		}
		trust.CheckSigned(&f, one, text, when(&f, one, times))
		if err := proveMark(&f, p, m); err != nil {
			return f, err
		}
	}
	if p.row.EvidenceCode != nil {
		if e, result := qr.Verify(*p.row.EvidenceCode, trust.Keys, *p.row.SignedAt); result != qr.Genuine || e.Number != p.No {
			f.Fault("evidence_code: %s", result)
		}
	}
	switch {
	case seal != nil:
		trust.Judge(&f, proof.Seal, "seal", seal.InstitutionID.String(), seal.KeyID, seal.Alg, seal.Canonical, seal.Signature,
			when(&f, proof.Signed{What: proof.Seal, Text: string(seal.Canonical), Key: seal.KeyID, At: seal.At, Signature: seal.Signature}, times))
		proveEnvelope(&f, p, marks, *seal)
	case p.row.EvidenceCode != nil && p.row.Statement != nil:
		f.Fault("seal: missing")
	case p.row.EvidenceCode != nil:
		f.Note("seal: issued before hospitals had one")
	}
	slices.Sort(f.Faults)
	return f, nil
}

// trust is what the house believes: its own list of keys and its authority.
func (s *Service) trust(ctx context.Context, db pg.DB) (proof.Trust, error) {
	list, err := selectKeys(ctx, db)
	t := proof.Trust{Keys: list, At: s.Now()}
	if s.Keys.CA != nil {
		t.Root = s.Keys.CA.Root()
	}
	return t, err
}

// when the log saw a signature; of signatures from before the log took them, the stored time has to do.
func when(f *proof.Findings, s proof.Signed, times map[string]time.Time) time.Time {
	at, known := times[proof.Mark(s.What, s.Signature)]
	var said struct{ Key string }
	switch {
	case known && !at.Equal(s.At):
		f.Fault("%s.at: not the time in the log", s.What)
	case !known && json.Unmarshal([]byte(s.Text), &said) == nil && said.Key == "":
		return s.At
	case !known:
		f.Fault("%s: the log knows of no such signature", s.What)
		return s.At
	}
	return at
}

// proveText holds the stored columns against the canonical text, and that against its hash.
func proveText(f *proof.Findings, p Prescription) error {
	r := p.row
	var signed map[string]json.RawMessage
	if err := json.Unmarshal(r.Canonical, &signed); err != nil {
		f.Fault("canonical: no longer a document")
		return nil
	}
	alerts := []map[string]any{}
	for _, a := range p.Check.Alerts {
		alerts = append(alerts, map[string]any{"key": a.Key, "severity": a.Severity})
	}
	columns := map[string]any{
		"id": r.ID, "no": r.No, "version": r.Version, "supersedes": r.Supersedes, "visit": r.VisitID, "type": r.Type, "diagnosis": r.Diagnosis,
		"days_reason": r.DaysReason, "items": p.Items, "written_at": r.WrittenAt.UTC().Format(time.RFC3339Nano),
		"check": map[string]any{"knowledge": p.Check.Knowledge, "decision": p.Check.Decision, "alerts": alerts},
	}
	if signed["valid_days"] != nil || r.ValidDays != 1 {
		columns["valid_days"] = r.ValidDays
	}
	var under struct{ ID ids.LongDocument }
	if json.Unmarshal(signed["long_document"], &under); under.ID != r.LongDocument { // none: zero
		f.Fault("long_document: differs from what was signed")
	}
	stored, err := proof.Canonical(columns)
	if err != nil {
		return err
	}
	if err := differ(f, "", r.Canonical, stored); err != nil {
		return err
	}
	for field, id := range map[string]string{"patient": r.PersonID.String(), "doctor": r.PractitionerID.String(), "institution": r.InstitutionID.String()} {
		var of struct{ ID string }
		if json.Unmarshal(signed[field], &of) != nil || of.ID != id {
			f.Fault("%s: differs from what was signed", field)
		}
	}
	if proof.Hash(r.Canonical) != r.SHA256 {
		f.Fault("sha256: differs from the signed bytes")
	}
	return nil
}

// proveStatement holds what belongs to the doctor's act against the statement; of what was signed before there were
// statements, the text alone is signed.
func proveStatement(f *proof.Findings, p Prescription) error {
	r := p.row
	if r.Statement == nil {
		return nil
	}
	stored := map[string]any{"prescription": r.ID, "no": r.No, "valid_until": r.ValidUntil.UTC(), "overrides": p.Overrides, "risk": r.Risk}
	for name, raw := range map[string]json.RawMessage{"checked_sha256": r.Checked, "case_sha256": r.CheckCase} {
		one, err := proof.Canonical(raw)
		if err != nil {
			return err
		}
		stored[name] = proof.Hash(one)
	}
	columns, err := proof.Canonical(stored)
	if err != nil {
		return err
	}
	return differ(f, "signature.", r.Statement, columns)
}

// voided is the log's entry of a cancellation.
const voided = "prescription.void"

// proveState holds the state, which alone moves after the signature, against who moved it: the pharmacist with a signed
// result, the prescriber with a cancellation that the log knows.
func proveState(f *proof.Findings, p Prescription, times map[string]time.Time) {
	r := p.row
	want := Signed
	if r.Result != nil {
		want = map[string]State{"pass": Approved, "return": Returned, "refuse": Refused}[*r.Result]
	}
	at, void := times[voided]
	if void {
		want = Void
	}
	if r.State != want {
		f.Fault("state: %s, where signatures and log say %s", r.State, want)
	}
	if void != (r.VoidedAt != nil) || void && !r.VoidedAt.Equal(at) {
		f.Fault("voided_at: not the time in the log")
	}
}

// proveParts holds what may be collected, and when, against the order that was signed, and what remains against what
// pharmacies wrote down as handed out.
func (s *Service) proveParts(ctx context.Context, db pg.DB, f *proof.Findings, p Prescription) error {
	if p.row.EvidenceCode == nil {
		return nil
	}
	handed, err := selectHanded(ctx, db, p.ID)
	if err != nil {
		return err
	}
	want := partsOf(p.Order, *p.row.SignedAt)
	if len(p.Parts) != len(want) {
		f.Fault("parts: %d, where %d were signed", len(p.Parts), len(want))
		return nil
	}
	for i, part := range p.Parts {
		name := fmt.Sprintf("part %d", want[i].Part)
		for field, same := range map[string]bool{"part": part.Part == want[i].Part, "not_before": part.NotBefore == want[i].NotBefore,
			"not_after": part.NotAfter.Equal(want[i].NotAfter), "lines": len(part.Lines) == len(want[i].Lines)} {
			if !same {
				f.Fault("%s.%s: differs from what was signed", name, field)
			}
		}
		for n, line := range part.Lines[:min(len(part.Lines), len(want[i].Lines))] {
			if signed := want[i].Lines[n]; line.Line != signed.Line || line.Days != signed.Days {
				f.Fault("%s.lines: differs from what was signed", name)
			}
			if line.Remain != line.Days-handed[handedLine{part.ID, line.Line}] {
				f.Fault("%s.remain: not what the hand-overs leave", name)
			}
		}
	}
	return nil
}

// proveMark holds the columns beside a second person's or a pharmacist's signature against what they signed.
func proveMark(f *proof.Findings, p Prescription, m mark) error {
	if err := differ(f, m.What+".", m.Canonical, m.Stored); err != nil {
		return err
	}
	if m.PrescriberID != p.Doctor.ID {
		f.Fault("%s.prescriber_id: not the prescriber", m.What)
	}
	var said struct {
		Signer, Pharmacist proof.Party
		Second             string // who signed; the last two before statements named their key
		Asked              map[string]time.Time
	}
	if json.Unmarshal(m.Canonical, &said) != nil {
		return nil // named where the signature is checked
	}
	if by := m.By.String(); by != said.Signer.ID && by != said.Pharmacist.ID && by != said.Second {
		f.Fault("%s: stored as somebody else's", m.What)
	}
	if said.Asked != nil && !said.Asked[m.Alert].Equal(m.AskedAt) {
		f.Fault("%s.asked: differs from what was signed", m.What)
	}
	return nil
}

// differ names each field of stored that the signed document says otherwise; both are JSON objects.
func differ(f *proof.Findings, prefix string, document, stored []byte) error {
	var said, kept map[string]json.RawMessage
	if json.Unmarshal(document, &said) != nil {
		return nil // named where the signature is checked
	}
	if err := json.Unmarshal(stored, &kept); err != nil {
		return fmt.Errorf("stored beside the signed document: %w", err)
	}
	for field, value := range kept {
		want, err := proof.Canonical(value)
		if err != nil {
			return err
		}
		if got, err := proof.Canonical(said[field]); said[field] == nil || err != nil || !bytes.Equal(got, want) {
			f.Fault("%s%s: differs from what was signed", prefix, field)
		}
	}
	return nil
}

// proveEnvelope holds what is stored now against what the hospital sealed.
func proveEnvelope(f *proof.Findings, p Prescription, marks []mark, seal sealed) {
	var e proof.Envelope
	if json.Unmarshal(seal.Canonical, &e) != nil {
		f.Fault("seal: no longer a document")
		return
	}
	code := ""
	if p.row.EvidenceCode != nil {
		code = *p.row.EvidenceCode
	}
	for field, same := range map[string]bool{
		"id": e.ID == p.ID.String(), "no": e.No == p.No, "version": e.Version == p.Version, "canonical": e.Prescription == string(p.row.Canonical),
		"evidence_code": e.EvidenceCode == code, "valid_until": e.ValidUntil.Equal(*p.row.ValidUntil),
		"institution": e.Institution.ID == seal.InstitutionID.String() && seal.InstitutionID == p.Institution.ID,
		"at":          e.IssuedAt.Equal(seal.At), "key": e.Key == seal.KeyID, "alg": e.Alg == seal.Alg,
	} {
		if !same {
			f.Fault("seal.%s: differs from what was sealed", field)
		}
	}
	stored := signed(p, marks)
	for _, s := range e.Signed {
		if !slices.ContainsFunc(stored, s.Same) {
			f.Fault("seal.%s: what was sealed is not stored, or was altered", s.What)
		}
	}
	for _, s := range stored {
		if !slices.ContainsFunc(e.Signed, s.Same) {
			f.Fault("seal.%s: what is stored was not sealed", s.What)
		}
	}
}
