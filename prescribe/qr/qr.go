// Package qr makes and checks evidence codes: the few lines of an approved prescription, signed, small enough
// for a QR code, and checked without asking anybody.
//
// A code is base64url (RFC 4648 §5, no padding) over payload and signature, one after the other. The payload is
// one CBOR array (RFC 8949 §4.2.1, deterministic); the last 64 bytes are the signature over Context and payload.
// The payload names key and algorithm; the key list must say the same of the key, so that a code can't choose. Codes
// made before SM2 (nine fields, their own context) name no algorithm: they are Ed25519. A code proves origin and
// integrity. It can't prove that it was not used or withdrawn since: only the issuer's server knows that.
package qr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"yuanzhen/internal/sig"
)

// Context keeps a signature under a code from being one under anything else.
const (
	Context = "yuanzhen evidence 2\n"
	before  = "yuanzhen evidence 1\n" // codes without an algorithm
)

const (
	maxLines = 5    // the law's limit for one prescription (RXE-07)
	maxCode  = 1023 // characters; a QR code of version 25 at level M still prints
)

// Evidence is what a code says.
type Evidence struct {
	_         struct{} `cbor:",toarray"`
	Number    string   `json:"number"`
	Hospital  string   `json:"hospital"`
	Doctor    string   `json:"doctor"`
	Initial   string   `json:"initial"` // first character of the patient's name
	BirthYear int      `json:"birth_year"`
	Lines     []Line   `json:"lines"`
	Issued    Day      `json:"issued"`
	Until     Day      `json:"until"`           // valid to the end of this day, +08:00
	Key       [16]byte `json:"-" cbor:"key_id"` // of the list of public keys
	Alg       string   `json:"alg"`
}

// evidence1 is a code from before there were two algorithms.
type evidence1 struct {
	_         struct{} `cbor:",toarray"`
	Number    string
	Hospital  string
	Doctor    string
	Initial   string
	BirthYear int
	Lines     []Line
	Issued    Day
	Until     Day
	Key       [16]byte
}

// Line is one medicine.
type Line struct {
	_    struct{} `cbor:",toarray"`
	Name string   `json:"name"`
	Use  string   `json:"use"` // dose, frequency and HL7 event timing: "5 mg × 1/d AC"
	Days int      `json:"days"`
}

// Day is a calendar day as the number 20261121.
type Day int

// China is the time zone in which prescriptions are valid for a day.
var China = time.FixedZone("+08:00", 8*60*60)

// DayOf is the day in China at an instant.
func DayOf(t time.Time) Day {
	y, m, d := t.In(China).Date()
	return Day(y*10000 + int(m)*100 + d)
}

func (d Day) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", int(d)/10000, int(d)/100%100, int(d)%100)
}

// MarshalText writes 2026-11-21.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Key is a public key of the list that verifiers keep.
type Key struct {
	ID          uuid.UUID  `json:"key_id"`
	Use         string     `json:"use,omitempty" enum:"sign,seal,log" doc:"a person's signatures, a hospital's seal, or the heads of its audit log"`
	Alg         string     `json:"alg" enum:"SM2,Ed25519"`
	Public      []byte     `json:"public_key"`
	Holder      string     `json:"holder"`
	HolderID    string     `json:"holder_id,omitempty"`
	Institution string     `json:"institution"`
	Certificate []byte     `json:"certificate,omitempty" doc:"X.509, DER"`
	From        time.Time  `json:"from"`
	To          time.Time  `json:"to"`
	RevokedAt   *time.Time `json:"revoked_at,omitempty"`
}

// Result of a check.
type Result string

const (
	Genuine    Result = "genuine"
	Forged     Result = "forged"      // not a code, or the signature does not fit
	UnknownKey Result = "unknown_key" // signed with a key that is not on the list
	Revoked    Result = "revoked"     // withdrawn, or signed when its key was no longer good
	Expired    Result = "expired"
	Used       Result = "used"
)

var (
	encoding, _ = cbor.CoreDetEncOptions().EncMode()
	decoding, _ = cbor.DecOptions{MaxArrayElements: 16, MaxNestedLevels: 4, MaxMapPairs: 16,
		IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid}.DecMode()
	text = base64.RawURLEncoding.Strict() // one way to write each code
)

// Document is the exact bytes to sign.
func (e Evidence) Document() ([]byte, error) {
	if len(e.Lines) == 0 || len(e.Lines) > maxLines {
		return nil, fmt.Errorf("evidence code: %d lines, 1 to %d fit", len(e.Lines), maxLines)
	}
	context, form := Context, any(e)
	if e.Alg == "" {
		context, form = before, evidence1{Number: e.Number, Hospital: e.Hospital, Doctor: e.Doctor, Initial: e.Initial, BirthYear: e.BirthYear,
			Lines: e.Lines, Issued: e.Issued, Until: e.Until, Key: e.Key}
	}
	payload, err := encoding.Marshal(form)
	if err != nil {
		return nil, fmt.Errorf("evidence code: %w", err)
	}
	if n := text.EncodedLen(len(payload) + sig.CompactSize); n > maxCode {
		return nil, fmt.Errorf("evidence code: %d characters, %d fit", n, maxCode)
	}
	return append([]byte(context), payload...), nil
}

// Code joins a document and its compact signature (sig.Compact).
func Code(document, signature []byte) string {
	return text.EncodeToString(append(bytes.Clone(document[len(Context):]), signature...))
}

// open takes a code apart and trusts nothing.
func open(code string) (e Evidence, document, signature []byte, err error) {
	if len(code) > maxCode || strings.ContainsAny(code, "\r\n") { // the decoder would skip line ends
		return e, nil, nil, errors.New("too long, or more than one line")
	}
	raw, err := text.DecodeString(code)
	if err != nil {
		return e, nil, nil, err
	}
	if len(raw) <= sig.CompactSize {
		return e, nil, nil, errors.New("too short")
	}
	cut := len(raw) - sig.CompactSize
	if raw[0] == 0x89 { // an array of nine
		var old evidence1
		err = decoding.Unmarshal(raw[:cut], &old)
		e = Evidence{Number: old.Number, Hospital: old.Hospital, Doctor: old.Doctor, Initial: old.Initial, BirthYear: old.BirthYear,
			Lines: old.Lines, Issued: old.Issued, Until: old.Until, Key: old.Key}
	} else if err = decoding.Unmarshal(raw[:cut], &e); err == nil && e.Alg == "" {
		err = errors.New("no algorithm")
	}
	if err != nil {
		return e, nil, nil, err
	}
	document, err = e.Document()
	if err != nil || !bytes.Equal(document[len(Context):], raw[:cut]) {
		return e, nil, nil, errors.New("not in the deterministic form")
	}
	return e, document, raw[cut:], nil
}

// Verify checks a code against a list of keys at an instant. The evidence may be shown unless the result is
// Forged or UnknownKey.
func Verify(code string, keys []Key, at time.Time) (Evidence, Result) {
	e, document, signature, err := open(code)
	if err != nil {
		return Evidence{}, Forged
	}
	alg := e.Alg
	if alg == "" {
		alg = sig.Ed25519
	}
	for _, k := range keys {
		if [16]byte(k.ID) != e.Key {
			continue
		}
		if _, err := sig.PublicKey(k.Alg, k.Public); err != nil {
			return Evidence{}, UnknownKey
		}
		switch {
		case k.Alg != alg || sig.VerifyCompact(k.Alg, k.Public, document, signature) != nil:
			return Evidence{}, Forged
		case e.Issued < DayOf(k.From) || e.Issued > DayOf(k.To) || k.RevokedAt != nil && e.Issued > DayOf(*k.RevokedAt):
			return e, Revoked
		case DayOf(at) > e.Until:
			return e, Expired
		}
		return e, Genuine
	}
	return Evidence{}, UnknownKey
}

// ReadKeys reads a list of keys as GET /api/v1/verify/keys answers it.
func ReadKeys(in io.Reader) ([]Key, error) {
	var keys []Key
	if err := json.NewDecoder(in).Decode(&keys); err != nil {
		return nil, fmt.Errorf("list of keys: %w", err)
	}
	return keys, nil
}
