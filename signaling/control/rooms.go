// Package control is the seam between the rooms and the house around them: the ticket that
// opens a seat, the deeds the house may do to a room, and the events it hears.
//
// A room is not stored. It exists from the first valid ticket or deed, and until it is closed or
// has been empty for MaxLife. After a restart of the media server, clients come back with
// tickets the house issues anew, and the rooms are there again.
package control

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"time"
)

// Room names a room. The house chooses it; it must not be guessable nor say anything about persons.
type Room string

// Seat names a person's place in a room. One seat holds one connection: a newer one replaces it.
type Seat string

// Rooms are the deeds of the house. They take effect before they return, are idempotent, and do not
// need the room or the seat to be there yet: what they say is remembered for MaxLife, so
// that a ticket sold a moment earlier can't undo them.
type Rooms interface {
	// Admit lets a waiting seat take part. It proceeds by itself.
	Admit(ctx context.Context, room Room, seat Seat) error
	// Remove closes the seat's socket and transports; tickets issued before this moment are refused.
	Remove(ctx context.Context, room Room, seat Seat) error
	// Lock closes the door or opens it. Behind a closed door nobody new may wait; seats that are admitted come back as before.
	Lock(ctx context.Context, room Room, locked bool) error
	// Close ends the room for everybody; tickets issued before this moment are refused.
	Close(ctx context.Context, room Room) error
	// Seats lists the seats taken now, in order of arrival.
	Seats(ctx context.Context, room Room) ([]SeatState, error)
}

// Memory is what a room remembers of deeds and of what was said to be kept: enough to go on with on another media node.
type Memory struct {
	Locked   bool               `json:"locked,omitempty"`
	Closed   time.Time          `json:"closed,omitzero"` // tickets up to then are refused
	Admitted []Seat             `json:"admitted,omitempty"`
	Removed  map[Seat]time.Time `json:"removed,omitempty"` // likewise, of one seat
	Sequence uint64             `json:"seq,omitempty"`
	Kept     []json.RawMessage  `json:"kept,omitempty"` // the latest message of each topic that asked for it
}

// SeatState is a seat as Rooms.Seats reports it.
type SeatState struct {
	Seat     Seat
	Name     string
	Role     string
	Presence Presence
	Since    time.Time // of the first arrival
}

// Presence says how a seat takes part.
type Presence string

const (
	Waiting      Presence = "waiting"      // connected, not admitted: sends and receives nothing
	Live         Presence = "live"         // admitted and connected
	Reconnecting Presence = "reconnecting" // lost the socket a short time ago; media may still flow
)

// Event is something that happened in a room.
type Event struct {
	Kind EventKind
	Room Room
	Seat Seat // empty for Closed
	Role string
	At   time.Time
	// Admitted says whether the seat took part at that moment.
	Admitted bool
	Replaced bool     // of SeatJoined only: it came on another page or device while the earlier one was still there
	Quality  *Quality // of QualityReported only
}

// Quality is what a client measured since its last report. It is the client's word: fit for statistics and for finding a
// bad line, for nothing that must be true.
type Quality struct {
	Seconds   float64 `json:"seconds"`   // measured over; above 0, at most 60
	Mode      string  `json:"mode"`      // what the client sends and receives, a word of its own of up to 16 bytes
	Path      string  `json:"path"`      // "udp", "tcp", "relay" or "none"
	RTTms     float64 `json:"rtt_ms"`    // round trip
	JitterMs  float64 `json:"jitter_ms"` // of the sound received
	Loss      float64 `json:"loss"`      // of packets received, 0 to 1
	Concealed float64 `json:"concealed"` // of the sound heard, 0 to 1: made up for what did not come
	Freezes   float64 `json:"freezes"`   // times the picture stood still
	FrozenMs  float64 `json:"frozen_ms"` // for how long
	UpKbps    float64 `json:"up_kbps"`   // sent
	DownKbps  float64 `json:"down_kbps"` // received
	Available float64 `json:"available"` // what the browser thinks it could send, kbit/s; 0 unknown
}

// Valid reports whether the figures can be figures of a call.
func (q Quality) Valid() bool {
	for _, x := range []struct{ value, max float64 }{{q.Seconds, 60}, {q.RTTms, 60_000}, {q.JitterMs, 60_000}, {q.Loss, 1}, {q.Concealed, 1},
		{q.Freezes, 1000}, {q.FrozenMs, 60_000}, {q.UpKbps, 1e6}, {q.DownKbps, 1e6}, {q.Available, 1e7}} {
		if !(x.value >= 0 && x.value <= x.max) { // NaN is neither
			return false
		}
	}
	return q.Seconds > 0 && q.Mode != "" && len(q.Mode) <= 16 && slices.Contains([]string{"udp", "tcp", "relay", "none"}, q.Path)
}

// EventKind is the word for what happened.
type EventKind string

const (
	SeatJoined       EventKind = "joined"       // the seat came, or came back
	SeatReconnecting EventKind = "reconnecting" // its socket was lost; it is expected back
	SeatLeft         EventKind = "left"         // it left, was removed, or did not come back in time
	RoomClosed       EventKind = "closed"
	QualityReported  EventKind = "quality"
)

// Events hears what happens, one call at a time and in order, outside all locks of the rooms.
// Nothing is repeated after a crash: what must not be lost has to be asked again from Rooms.Seats.
type Events func(Event)

// ICEServer is an RTCIceServer as a browser takes it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Pass is all a client needs to come in.
type Pass struct {
	URL        string      `json:"url,omitempty"` // of the socket, when it is not on the house's own address
	Ticket     string      `json:"ticket"`
	ICEServers []ICEServer `json:"ice_servers"`
	Expires    time.Time   `json:"expires"`
}

// Desk sells passes. The house builds one with the private half of the key the media server checks.
type Desk struct {
	Key  ed25519.PrivateKey
	Life time.Duration // of a ticket; MaxLife at most, 2 minutes when zero. Tickets of devices live for MaxLife.
	// ICEServers gives the STUN and TURN servers with credentials for one seat.
	ICEServers func(Room, Seat) []ICEServer
	Now        func() time.Time
}

// Issue signs a pass for the claims. Issued and Expires are set here.
func (d Desk) Issue(c Claims) (Pass, error) {
	life := d.Life
	switch {
	case c.Direct: // a person types it into a device
		life = MaxLife
	case life == 0:
		life = 2 * time.Minute
	}
	c.Issued = d.Now()
	c.Expires = c.Issued.Add(life)
	ticket, err := Mint(d.Key, c)
	if err != nil {
		return Pass{}, err
	}
	p := Pass{Ticket: ticket, Expires: c.Expires, ICEServers: []ICEServer{}}
	if d.ICEServers != nil {
		p.ICEServers = append(p.ICEServers, d.ICEServers(c.Room, c.Seat)...)
	}
	return p, nil
}
