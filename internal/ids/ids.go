// Package ids gives every kind of thing its own identifier type, so that a
// patient's id can't be handed over where a visit's is wanted.
//
// Identifiers are UUID version 7 (RFC 9562 §5.7): they sort by time of creation.
// The zero identifier stands for "none" and is stored as SQL NULL.
package ids

import (
	"database/sql/driver"
	"fmt"

	"github.com/google/uuid"
)

// ID is an identifier of one kind of thing K. K is never instantiated.
type ID[K any] [16]byte

type (
	account      struct{}
	person       struct{}
	practitioner struct{}
	institution  struct{}
	registration struct{}
	session      struct{}
	slot         struct{}
	visit        struct{}
	evidence     struct{}
	decision     struct{}
	record       struct{}
	consent      struct{}
	prescription struct{}
	teleconsult  struct{}
	study        struct{}
	grant        struct{}
	filing       struct{}
	template     struct{}
	exception    struct{}
	hold         struct{}
	waitEntry    struct{}
	series       struct{}
	feed         struct{}
	link         struct{}
	instrument   struct{}
	message      struct{}
	policy       struct{}
	recording    struct{}
	review       struct{}
	part         struct{}
	favourite    struct{}
	mark         struct{}
	room         struct{}
	longDocument struct{}
)

type (
	Account      = ID[account]      // who signs in
	Person       = ID[person]       // a patient, also one who never signs in
	Practitioner = ID[practitioner] // physician or pharmacist
	Institution  = ID[institution]  // place of practice
	Registration = ID[registration] // a practitioner's registration or filing at an institution
	Session      = ID[session]
	Slot         = ID[slot]
	Visit        = ID[visit]
	Evidence     = ID[evidence]
	Decision     = ID[decision]
	Record       = ID[record]
	Consent      = ID[consent]
	Prescription = ID[prescription]
	Teleconsult  = ID[teleconsult]
	Study        = ID[study]
	Grant        = ID[grant]
	Filing       = ID[filing]    // an application for a registration
	Template     = ID[template]  // a weekly session of a roster
	Exception    = ID[exception] // a day off the roster
	Hold         = ID[hold]
	WaitEntry    = ID[waitEntry]
	Series       = ID[series]
	Feed         = ID[feed]       // a calendar's secret address
	Link         = ID[link]       // a way into a visit's room that opens once
	Instrument   = ID[instrument] // sends into a room by WHIP
	Recording    = ID[recording]
	Favourite    = ID[favourite]    // a line that a doctor keeps to begin from
	Message      = ID[message]      // said or shown in a visit's room
	Policy       = ID[policy]       // one version of a first-visit policy
	Review       = ID[review]       // a human review of a decision
	Part         = ID[part]         // what may be collected once of a prescription
	LongDocument = ID[longDocument] // a local document that permits more than 84 days
	Mark         = ID[mark]         // drawn on an image of a teleconsult
	Room         = ID[room]         // a visit or a teleconsult, where either may meet
)

// New makes a fresh identifier: ids.New[ids.Visit]().
func New[T ~[16]byte]() T {
	return T(uuid.Must(uuid.NewV7()))
}

// Parse reads the canonical 36-character form and nothing else.
func Parse[T ~[16]byte](s string) (T, error) {
	u, err := parse([]byte(s))
	return T(u), err
}

func parse(b []byte) ([16]byte, error) {
	if len(b) != 36 {
		return [16]byte{}, fmt.Errorf("not an identifier: want 36 characters, got %d", len(b))
	}
	u, err := uuid.ParseBytes(b)
	return [16]byte(u), err
}

// IsZero reports whether the identifier names nothing.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

// String is the canonical lower-case form, "" for the zero identifier.
func (id ID[K]) String() string {
	if id.IsZero() {
		return ""
	}
	return uuid.UUID(id).String()
}

func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

func (id *ID[K]) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID[K]{}
		return nil
	}
	u, err := parse(b)
	if err != nil {
		return err
	}
	*id = u
	return nil
}

// Value stores the zero identifier as NULL.
func (id ID[K]) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id.String(), nil
}

// Scan reads a uuid column; NULL becomes the zero identifier.
func (id *ID[K]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID[K]{}
		return nil
	case string:
		return id.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == 16 {
			copy(id[:], v)
			return nil
		}
		return id.UnmarshalText(v)
	case [16]byte:
		*id = v
		return nil
	}
	return fmt.Errorf("ids: can't read an identifier from %T", src)
}
