// Package proof proves an issued prescription to anybody, years later and without asking its hospital: the text, each
// signature on it, the hospital's seal over all of them, and the place of each signature in the hospital's sealed log.
//
// What is signed are statements in canonical JSON (RFC 8785). The doctor's names the prescription's text by its hashes
// and repeats the act (algorithm, key, time, reasons for what was signed over); a second person's and the pharmacist's
// name the same text. The hospital seals the envelope that holds text, statements and signatures. A key counts by what
// it was when it signed: the time is that of the log, and a certificate that ended since does no harm.
package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gowebpki/jcs"
	"golang.org/x/text/unicode/norm"

	"yuanzhen/internal/sig"
	"yuanzhen/prescribe/qr"
)

// Formats. A reader that does not know a format does not guess.
const (
	EnvelopeFormat = "yuanzhen envelope 1"
	FileFormat     = "yuanzhen proof 1"
)

// Kinds of signatures.
const (
	Doctor = "signature" // over the doctor's statement; before there were statements, over the text itself
	Second = "second"
	Review = "review"
	Seal   = "seal"
)

// Signed is one signature and the exact text under it.
type Signed struct {
	What      string    `json:"what" enum:"signature,second,review"`
	Text      string    `json:"text"`
	Alg       string    `json:"alg" enum:"SM2,Ed25519"`
	Key       string    `json:"key"`
	At        time.Time `json:"at"`
	Signature []byte    `json:"signature"`
}

// Same says whether two are the same signature over the same text.
func (s Signed) Same(other Signed) bool {
	return s.What == other.What && s.Text == other.Text && s.Alg == other.Alg && s.Key == other.Key && s.At.Equal(other.At) &&
		bytes.Equal(s.Signature, other.Signature)
}

// Party is somebody with a name.
type Party struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Envelope is what the hospital seals when its pharmacist has approved.
type Envelope struct {
	Format       string    `json:"format"`
	ID           string    `json:"id"`
	No           string    `json:"no"`
	Version      int       `json:"version"`
	Institution  Party     `json:"institution"`
	Prescription string    `json:"prescription"` // canonical text
	Signed       []Signed  `json:"signed"`
	EvidenceCode string    `json:"evidence_code"`
	ValidUntil   time.Time `json:"valid_until"`
	IssuedAt     time.Time `json:"issued_at"`
	Alg          string    `json:"alg"` // of the seal
	Key          string    `json:"key"`
}

// File is the proof as it is handed out.
type File struct {
	Format   string    `json:"format"`
	Envelope string    `json:"envelope" doc:"exactly the bytes that the hospital sealed (RFC 8785)"`
	Seal     []byte    `json:"seal"`
	Times    []Witness `json:"times" doc:"each signature's place in the hospital's log; empty until the log is sealed, seconds later"`
}

// Findings of a proof. No faults: a whole prescription.
type Findings struct {
	Faults []string `json:"faults" doc:"field or signature, and what is wrong with it"`
	Notes  []string `json:"notes" doc:"what is lawful and worth knowing, such as a certificate that ended since"`
}

// Fault names what is wrong.
func (f *Findings) Fault(format string, args ...any) { f.add(&f.Faults, format, args) }

// Note says what is worth knowing.
func (f *Findings) Note(format string, args ...any) { f.add(&f.Notes, format, args) }

func (f *Findings) add(to *[]string, format string, args []any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(*to, line) {
		*to = append(*to, line)
	}
}

// Trust is what a verifier holds to be true.
type Trust struct {
	Keys []qr.Key
	Root []byte    // certificate of the authority, DER; none: the list of keys is believed as it is
	At   time.Time // now
}

// Canonical is the one way to write a value (RFC 8785, text in NFC).
func Canonical(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if plain = norm.NFC.Bytes(plain); bytes.IndexByte([]byte("{["), plain[0]) >= 0 {
		return jcs.Transform(plain)
	}
	return plain, nil
}

// Hash of the exact bytes, hex.
func Hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// act is what every signed statement repeats; statements from before name no key and their signer elsewhere.
type act struct {
	SHA256     string    `json:"sha256"`
	SM3        string    `json:"sm3"`
	Alg        string    `json:"alg"`
	Key        string    `json:"key"`
	At         time.Time `json:"at"`
	Signer     Party     `json:"signer"`
	Pharmacist Party     `json:"pharmacist"` // review 1
	Second     string    `json:"second"`     // second 1
	Doctor     Party     `json:"doctor"`     // the text itself
	Result     string    `json:"result"`
}

func (a act) holder() string {
	for _, id := range []string{a.Signer.ID, a.Pharmacist.ID, a.Second, a.Doctor.ID} {
		if id != "" {
			return id
		}
	}
	return ""
}

// CheckSigned judges one signature over a prescription's text; at is when the log says it was made. A text that is not
// kept, of an earlier draft, is nil.
func (t Trust) CheckSigned(f *Findings, s Signed, text []byte, at time.Time) {
	var said act
	if err := json.Unmarshal([]byte(s.Text), &said); err != nil {
		f.Fault("%s: no longer a document", s.What)
		return
	}
	t.Judge(f, s.What, "sign", said.holder(), s.Key, s.Alg, []byte(s.Text), s.Signature, at)
	if text != nil && s.Text == string(text) {
		return // signed as it is, before there were statements
	}
	if text != nil && said.SHA256 != Hash(text) {
		f.Fault("%s: signed for another text", s.What)
	}
	if said.Key == "" {
		return
	}
	if sum := sig.SM3(text); s.What == Doctor && said.SM3 != hex.EncodeToString(sum[:]) {
		f.Fault("%s: signed for another text (SM3)", s.What)
	}
	for field, same := range map[string]bool{"alg": said.Alg == s.Alg, "key": said.Key == s.Key, "at": said.At.Equal(s.At)} {
		if !same {
			f.Fault("%s.%s: differs from what was signed", s.What, field)
		}
	}
}

// Judge holds a signature against the list: a known key of its holder, good at the time, over exactly these bytes.
func (t Trust) Judge(f *Findings, what, use, holder, keyID, alg string, document, signature []byte, at time.Time) {
	i := slices.IndexFunc(t.Keys, func(k qr.Key) bool { return k.ID.String() == keyID })
	if i < 0 {
		f.Fault("%s: a key nobody knows", what)
		return
	}
	k := t.Keys[i]
	if k.HolderID != holder || k.Use != use {
		f.Fault("%s: somebody else's key", what)
	}
	if k.Alg != alg {
		f.Fault("%s: another algorithm than the key's", what)
	}
	if sig.Verify(k.Alg, k.Public, document, signature) != nil {
		f.Fault("%s: does not fit the signed bytes", what)
	}
	switch {
	case k.Certificate != nil && t.Root != nil:
		if err := sig.CheckCertificate(k.Certificate, t.Root, sig.Certified{Alg: k.Alg, Public: k.Public, Holder: k.HolderID, From: k.From, Until: k.To}); err != nil {
			f.Fault("%s: its certificate is %v", what, err)
		}
	case k.Certificate == nil && k.Alg == sig.SM2:
		f.Fault("%s: its key has no certificate", what)
	case k.Certificate == nil:
		f.Note("%s: its key is from before there were certificates", what)
	}
	switch {
	case at.Before(k.From) || !at.Before(k.To):
		f.Fault("%s: outside the certificate's time", what)
	case k.RevokedAt != nil && !at.Before(*k.RevokedAt):
		f.Fault("%s: after the certificate was revoked", what)
	case !t.At.Before(k.To) || k.RevokedAt != nil:
		f.Note("%s: the certificate ended after it signed; the signature stands", what)
	}
}

// Check judges a whole file. The envelope is returned as far as it could be read; it is to be believed when there are
// no faults.
func (t Trust) Check(file File) (e Envelope, f Findings) {
	f = Findings{Faults: []string{}, Notes: []string{}}
	defer func() { slices.Sort(f.Faults) }()
	sealed := []byte(file.Envelope)
	if file.Format != FileFormat {
		f.Fault("format: not %q", FileFormat)
		return e, f
	}
	if err := json.Unmarshal(sealed, &e); err != nil || e.Format != EnvelopeFormat {
		f.Fault("envelope: no longer a document of the format %q", EnvelopeFormat)
		return e, f
	}
	if again, err := Canonical(e); err != nil || !bytes.Equal(again, sealed) {
		f.Fault("envelope: not in the canonical form")
	}
	object := "prescription/" + e.ID
	times := t.times(&f, file.Times, object)
	at, known := times[Mark(Seal, file.Seal)]
	if !known {
		at = e.IssuedAt
		f.Note("%s: its place in the log is not in the file; judged at the time it says", Seal)
	} else if !at.Equal(e.IssuedAt) {
		f.Fault("envelope.issued_at: not the time in the log")
	}
	t.Judge(&f, Seal, "seal", e.Institution.ID, e.Key, e.Alg, sealed, file.Seal, at)
	text := []byte(e.Prescription)
	var said struct {
		ID, No              string
		Version             int
		Institution, Doctor Party
	}
	if err := json.Unmarshal(text, &said); err != nil {
		f.Fault("prescription: no longer a document")
	}
	for field, same := range map[string]bool{"id": said.ID == e.ID, "no": said.No == e.No, "version": said.Version == e.Version,
		"institution": said.Institution == e.Institution} {
		if !same {
			f.Fault("envelope.%s: differs from the prescription", field)
		}
	}
	found := map[string]string{}
	for _, s := range e.Signed {
		at, known := times[Mark(s.What, s.Signature)]
		if !known {
			at = s.At
			f.Note("%s: its place in the log is not in the file; judged at the time it says", s.What)
		} else if !at.Equal(s.At) {
			f.Fault("%s.at: not the time in the log", s.What)
		}
		t.CheckSigned(&f, s, text, at)
		var who act
		json.Unmarshal([]byte(s.Text), &who) // a fault of it was named above
		found[s.What] = who.holder()
		if s.What == Review && who.Result != "pass" {
			f.Fault("%s: did not approve", Review)
		}
		if s.What != Doctor && who.holder() == said.Doctor.ID {
			f.Fault("%s: by the prescriber", s.What)
		}
	}
	if found[Doctor] == "" || found[Doctor] != said.Doctor.ID {
		f.Fault("%s: not the prescriber's", Doctor)
	}
	if found[Review] == "" {
		f.Fault("%s: missing", Review)
	}
	if evidence, result := qr.Verify(e.EvidenceCode, t.Keys, e.IssuedAt); result != qr.Genuine && result != qr.Expired || evidence.Number != e.No {
		f.Fault("evidence_code: %s", result)
	}
	return e, f
}

// Mark is how the log names a signature.
func Mark(what string, signature []byte) string { return what + " " + Hash(signature) }

// Read reads a proof file, bare or as the server answers it.
func Read(in io.Reader) (File, error) {
	var read struct {
		File
		Inner *File `json:"file"`
	}
	if err := json.NewDecoder(in).Decode(&read); err != nil {
		return File{}, fmt.Errorf("proof file: %w", err)
	}
	if read.Inner != nil {
		return *read.Inner, nil
	}
	return read.File, nil
}
