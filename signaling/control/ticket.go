package control

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxLife is the longest time a ticket may be valid. It bounds how long a room has to
// remember whom it removed: an older ticket has lapsed by itself.
const MaxLife = 10 * time.Minute

// MaxTicket is the longest ticket Check reads, in bytes.
const MaxTicket = 2048

const (
	ticketPrefix = "yz1." // version and domain: these keys sign nothing else that begins so
	maxLabel     = 128    // bytes of a room, a seat, a role or a ticket number
	maxName      = 256    // bytes of a display name
	clockSkew    = 30 * time.Second
)

// Ticket faults. Check and Mint wrap them; compare with errors.Is.
var (
	ErrMalformed = errors.New("ticket is malformed")
	ErrSignature = errors.New("ticket is not signed by this house")
	ErrExpired   = errors.New("ticket has expired")
)

// Claims are what a ticket says: who may take which seat in which room, and what the
// seat may do there. They are written by the house that sells the ticket and never changed.
type Claims struct {
	Room      Room      `json:"room"`
	Seat      Seat      `json:"seat"`
	Name      string    `json:"name"`             // shown to the others in the room
	Role      string    `json:"role"`             // "host", "guest", "observer" or any other word; only a label
	Admitted  bool      `json:"admitted"`         // false: the seat waits until Rooms.Admit
	Publish   bool      `json:"publish"`          // may send tracks, pointer and app messages
	Subscribe bool      `json:"subscribe"`        // may receive them
	Direct    bool      `json:"direct,omitempty"` // may come by WHIP or WHEP, without a socket
	Issued    time.Time `json:"issued,omitzero"`  // millisecond precision
	Expires   time.Time `json:"expires,omitzero"`
	ID        string    `json:"jti"` // random, for the log
}

type wireClaims struct {
	Claims
	Issued  int64 `json:"iat"` // Unix milliseconds
	Expires int64 `json:"exp"`
}

// Mint signs claims. An empty ID is filled; Issued and Expires must be set and at most
// MaxLife apart. It fails with ErrMalformed when the claims could not pass Check.
func Mint(key ed25519.PrivateKey, c Claims) (string, error) {
	if c.ID == "" {
		c.ID = rand.Text()
	}
	if err := c.valid(); err != nil {
		return "", err
	}
	w := wireClaims{Claims: c, Issued: c.Issued.UnixMilli(), Expires: c.Expires.UnixMilli()}
	w.Claims.Issued, w.Claims.Expires = time.Time{}, time.Time{}
	body, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("mint ticket: %w", err)
	}
	signed := ticketPrefix + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed))), nil
}

// Check verifies a ticket at the time now and returns what it says. Errors wrap
// ErrMalformed, ErrSignature or ErrExpired.
func Check(pub ed25519.PublicKey, ticket string, now time.Time) (Claims, error) {
	if len(ticket) > MaxTicket || !strings.HasPrefix(ticket, ticketPrefix) {
		return Claims{}, ErrMalformed
	}
	dot := strings.LastIndexByte(ticket, '.')
	sig, err := base64.RawURLEncoding.Strict().DecodeString(ticket[dot+1:])
	if err != nil || dot < len(ticketPrefix) {
		return Claims{}, ErrMalformed
	}
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, []byte(ticket[:dot]), sig) {
		return Claims{}, ErrSignature
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(ticket[len(ticketPrefix):dot])
	if err != nil {
		return Claims{}, ErrMalformed
	}
	var w wireClaims
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c := w.Claims
	c.Issued, c.Expires = time.UnixMilli(w.Issued), time.UnixMilli(w.Expires)
	if err := c.valid(); err != nil {
		return Claims{}, err
	}
	if !now.Before(c.Expires) || c.Issued.After(now.Add(clockSkew)) {
		return Claims{}, ErrExpired
	}
	return c, nil
}

func (c Claims) valid() error {
	switch {
	case !label(string(c.Room)), !label(string(c.Seat)), !label(c.Role), !label(c.ID):
		return fmt.Errorf("%w: room, seat, role and number are 1 to %d bytes", ErrMalformed, maxLabel)
	case len(c.Name) > maxName:
		return fmt.Errorf("%w: name is longer than %d bytes", ErrMalformed, maxName)
	case !c.Expires.After(c.Issued), c.Expires.Sub(c.Issued) > MaxLife:
		return fmt.Errorf("%w: a ticket lives up to %s", ErrMalformed, MaxLife)
	}
	return nil
}

func label(s string) bool { return s != "" && len(s) <= maxLabel }
