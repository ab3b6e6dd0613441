package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// openEvery is how often a bucket that does not answer is opened again.
const openEvery = 500 * time.Millisecond

// store is a bucket that comes back: buckets live in the memory of the bus and are gone when it has restarted. What stood there is
// written again by the nodes and the house.
type store struct {
	// Set at construction.
	bus  *nats.Conn
	name string
	life time.Duration

	mu    sync.Mutex
	kv    jetstream.KeyValue // guarded by mu
	tried time.Time          // guarded by mu
}

func openStore(ctx context.Context, bus *nats.Conn, name string, life time.Duration) (*store, error) {
	kv, err := bucket(ctx, bus, name, life)
	return &store{bus: bus, name: name, life: life, kv: kv}, err
}

func (s *store) get(ctx context.Context, key string) (entry jetstream.KeyValueEntry, err error) {
	err = s.with(ctx, func(kv jetstream.KeyValue) error { entry, err = kv.Get(ctx, key); return err })
	return entry, err
}

func (s *store) put(ctx context.Context, key string, value []byte) error {
	return s.with(ctx, func(kv jetstream.KeyValue) error { _, err := kv.Put(ctx, key, value); return err })
}

func (s *store) create(ctx context.Context, key string, value []byte) error {
	return s.with(ctx, func(kv jetstream.KeyValue) error { _, err := kv.Create(ctx, key, value); return err })
}

func (s *store) update(ctx context.Context, key string, value []byte, revision uint64) error {
	return s.with(ctx, func(kv jetstream.KeyValue) error { _, err := kv.Update(ctx, key, value, revision); return err })
}

// with does something with the bucket, and once more when it had to be opened again.
func (s *store) with(ctx context.Context, do func(jetstream.KeyValue) error) error {
	s.mu.Lock()
	kv := s.kv
	s.mu.Unlock()
	err := do(kv)
	if err == nil || errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyExists) || ctx.Err() != nil {
		return err
	}
	again, reopened := s.reopen(ctx, kv)
	if reopened != nil {
		return errors.Join(err, reopened)
	}
	if again == kv {
		return err
	}
	return do(again)
}

// reopen gives the bucket in place of the one that did not answer; the same when it was opened just now.
func (s *store) reopen(ctx context.Context, failed jetstream.KeyValue) (jetstream.KeyValue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kv != failed || time.Since(s.tried) < openEvery {
		return s.kv, nil
	}
	s.tried = time.Now()
	kv, err := bucket(ctx, s.bus, s.name, s.life)
	if err != nil {
		return nil, err
	}
	s.kv = kv
	return kv, nil
}
