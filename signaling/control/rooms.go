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
	// Close ends the room for everybody; tickets issued before this moment are refused.
	Close(ctx context.Context, room Room) error
	// Seats lists the seats taken now, in order of arrival.
	Seats(ctx context.Context, room Room) ([]SeatState, error)
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
}

// EventKind is the word for what happened.
type EventKind string

const (
	SeatJoined       EventKind = "joined"       // the seat came, or came back
	SeatReconnecting EventKind = "reconnecting" // its socket was lost; it is expected back
	SeatLeft         EventKind = "left"         // it left, was removed, or did not come back in time
	RoomClosed       EventKind = "closed"
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
	Ticket     string      `json:"ticket"`
	ICEServers []ICEServer `json:"ice_servers"`
	Expires    time.Time   `json:"expires"`
}

// Desk sells passes. The house builds one with the private half of the key the media server checks.
type Desk struct {
	Key  ed25519.PrivateKey
	Life time.Duration // of a ticket; MaxLife at most, 2 minutes when zero
	// ICEServers gives the STUN and TURN servers with credentials for one seat.
	ICEServers func(Room, Seat) []ICEServer
	Now        func() time.Time
}

// Issue signs a pass for the claims. Issued and Expires are set here.
func (d Desk) Issue(c Claims) (Pass, error) {
	life := d.Life
	if life == 0 {
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
