// Package cluster spreads rooms over several media nodes. A room lives on one node; clients talk to that node directly.
//
// Nodes and the house speak over NATS: nodes say once a second how they are (media.beat), do what the house asks of a room
// (media.node.ID), and tell what happens in rooms (media.events). Which node has which room stands in the key-value bucket
// media_rooms, as a lease: the house takes it for the least loaded node when the first ticket is sold, and the node renews it while
// somebody sits there. When a node drains or is lost, the next ticket for its rooms moves the lease by compare-and-set, so two of the
// house's processes never place a room twice. What a room remembers (its lock, who was removed or let in, the kept messages) stands in the
// bucket media_memory: a deed before it is answered, the rest within a second; the node that gets the room reads it. All buckets live in the
// memory of the bus; after it was away nodes and house look after them at once.
package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"yuanzhen/signaling/control"
)

const (
	beatEvery = time.Second
	// lostAfter without a beat a node is taken to be lost; often NATS knows it at once.
	lostAfter = 3 * time.Second
	// lease outlives every person's ticket (control.Desk sells them for 2 minutes), so that who comes with an old ticket still finds the
	// room there. A device's lives longer; it comes into rooms where people sit, whose leases are renewed.
	lease = 3 * time.Minute
	// renewAfter of its life a lease is renewed.
	renewAfter = lease / 3
	// renewEvery is how often a node looks after its leases.
	renewEvery = 10 * time.Second
	askTime    = 2 * time.Second
	// memoryLife is how long what a room remembers outlives the last word of its node; a node repeats it at a third of that.
	memoryLife = 30 * time.Minute
	// announceEvery is how often the house says again what nodes have to know of it, besides after each loss of the bus.
	announceEvery = time.Minute

	subjectBeat   = "media.beat"
	subjectHello  = "media.hello"
	subjectEvents = "media.events"
	bucketRooms   = "media_rooms"
	bucketMemory  = "media_memory"
	bucketHouse   = "media_house"
	keyHouse      = "house"
)

func subjectNode(id string) string { return "media.node." + id }

// beat is what a node says of itself.
type beat struct {
	ID    string  `json:"id"`
	URL   string  `json:"url"`   // of its socket
	Load  float64 `json:"load"`  // share of its cores in use, 0 to 1
	Seats int     `json:"seats"` // taken
	Full  bool    `json:"full"`  // takes no new rooms: it drains
	Gone  bool    `json:"gone"`
}

// ask is what the house wants of a node.
type ask struct {
	Deed   string       `json:"deed"` // "enter", "admit", "remove", "lock", "close", "seats"
	Room   control.Room `json:"room"`
	Seat   control.Seat `json:"seat,omitempty"`
	Locked bool         `json:"locked,omitempty"`
}

type reply struct {
	Error      string              `json:"error,omitempty"`
	Seats      []control.SeatState `json:"seats,omitempty"`
	ICEServers []control.ICEServer `json:"ice_servers,omitempty"`
}

// House is what media nodes have to know of the house.
type House struct {
	TicketKey []byte   `json:"ticket_key"` // the public half, Ed25519
	Origins   []string `json:"origins"`    // of its pages
}

// key names a room in the bucket; the room's name itself is nobody's business.
func key(room control.Room) string {
	h := sha256.Sum256([]byte(room))
	return hex.EncodeToString(h[:16])
}

// bucket opens a key-value bucket, with three copies where the bus is a cluster.
func bucket(ctx context.Context, bus *nats.Conn, name string, life time.Duration) (jetstream.KeyValue, error) {
	js, err := jetstream.New(bus)
	if err != nil {
		return nil, err
	}
	config := jetstream.KeyValueConfig{Bucket: name, TTL: life, Storage: jetstream.MemoryStorage, Replicas: 3}
	kv, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if kv, err = js.CreateKeyValue(ctx, config); err != nil && ctx.Err() == nil {
			config.Replicas = 1
			kv, err = js.CreateOrUpdateKeyValue(ctx, config)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bus (JetStream must be on): %w", err)
	}
	return kv, nil
}

// Find waits until a process of the house has announced it.
func Find(ctx context.Context, bus *nats.Conn) (House, error) {
	var h House
	kv, err := bucket(ctx, bus, bucketHouse, 0)
	if err != nil {
		return h, err
	}
	watch, err := kv.Watch(ctx, keyHouse)
	if err != nil {
		return h, err
	}
	defer func() { _ = watch.Stop() }()
	for {
		select {
		case entry := <-watch.Updates():
			if entry != nil {
				return h, json.Unmarshal(entry.Value(), &h)
			}
		case <-ctx.Done():
			return h, fmt.Errorf("no process with the role api has announced itself on the bus: %w", ctx.Err())
		}
	}
}
