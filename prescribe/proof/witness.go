package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"yuanzhen/internal/sig"
	"yuanzhen/prescribe/qr"
)

// Witness is one entry of the hospital's audit log with its place in the tree (audit.Witness).
type Witness struct {
	Entry string   `json:"entry" doc:"the entry, line by line as it is hashed"`
	Leaf  int64    `json:"leaf" doc:"its place in the tree"`
	Path  [][]byte `json:"path" doc:"hashes from the leaf to the root (RFC 9162, section 2.1.3)"`
	Head  string   `json:"head" doc:"signed note over size and root of the tree"`
}

// Action in the log of an entry that witnesses a signature; its reason is Mark.
const Action = "prescription.signature"

// times is when the log saw each signature on the object, by Mark. An entry that is not in the log is a fault.
func (t Trust) times(f *Findings, list []Witness, object string) map[string]time.Time {
	times := map[string]time.Time{}
	for _, w := range list {
		at, mark, err := t.read(w, object)
		if err != nil {
			f.Fault("times: %v", err)
			continue
		}
		times[mark] = at
	}
	return times
}

// read checks that an entry stands in a signed tree (RFC 9162, section 2.1.3) and is about the object.
func (t Trust) read(w Witness, object string) (at time.Time, mark string, err error) {
	text, err := t.openHead(w.Head)
	if err != nil {
		return at, "", err
	}
	size, root, err := headOf(text)
	if err != nil {
		return at, "", err
	}
	var path tlog.RecordProof
	for _, h := range w.Path {
		if len(h) != tlog.HashSize {
			return at, "", errors.New("a hash of another length")
		}
		path = append(path, tlog.Hash(h))
	}
	if err := tlog.CheckRecord(path, size, root, w.Leaf, tlog.RecordHash([]byte(w.Entry))); err != nil {
		return at, "", errors.New("an entry that is not in the log")
	}
	// id, time, account, session, action, outcome, object, person, institution, reason, request: audit's leaf.
	lines := strings.Split(w.Entry, "\n")
	if len(lines) != 13 || lines[0] != "yuanzhen audit 1" {
		return at, "", errors.New("an entry of another format")
	}
	said := func(n int) string { s, _ := strconv.Unquote(lines[n]); return s }
	if said(5) != Action || said(7) != object {
		return at, "", errors.New("an entry about something else")
	}
	at, err = time.Parse("2006-01-02T15:04:05.000000Z", lines[2])
	return at, said(10), err
}

// openHead believes a head that is signed by a key of the list whose use is the log.
func (t Trust) openHead(head string) (string, error) {
	for _, k := range t.Keys {
		if k.Use != "log" || k.Alg != sig.Ed25519 || len(k.Public) != ed25519.PublicKeySize {
			continue
		}
		public := append([]byte{1}, k.Public...) // 1 is note's algorithm byte for Ed25519
		sum := sha256.Sum256(append([]byte(k.Holder+"\n"), public...))
		verifier, err := note.NewVerifier(fmt.Sprintf("%s+%08x+%s", k.Holder, binary.BigEndian.Uint32(sum[:4]), base64.StdEncoding.EncodeToString(public)))
		if err != nil {
			continue
		}
		if n, err := note.Open([]byte(head), note.VerifierList(verifier)); err == nil {
			return n.Text, nil
		}
	}
	return "", errors.New("a head of a log nobody knows")
}

// headOf reads name, size and root, a line each.
func headOf(text string) (size int64, root tlog.Hash, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 3 {
		return 0, root, errors.New("a head of another format")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return 0, root, err
	}
	root, err = tlog.ParseHash(lines[2])
	return size, root, err
}

// LogKey is the log's entry in the list of keys.
func LogKey(name string, public ed25519.PublicKey) qr.Key {
	return qr.Key{ID: uuid.NewSHA1(uuid.NameSpaceOID, public), Use: "log", Alg: sig.Ed25519, Public: slices.Clone(public), Holder: name,
		From: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
}
