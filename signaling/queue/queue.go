// Package queue is a first-in-first-out line whose Put never waits. It lets a part that holds a lock hand
// work to a goroutine without either waiting for the other.
package queue

import "sync"

// Queue is an unbounded line; whoever puts bounds how much. The zero value is not ready: use New.
type Queue[T any] struct {
	ready chan struct{} // holds one token while there is something to take

	mu     sync.Mutex
	items  []T // guarded by mu
	closed bool
}

// New returns an empty queue.
func New[T any]() *Queue[T] { return &Queue[T]{ready: make(chan struct{}, 1)} }

// Put adds v at the end and says whether the queue was still open.
func (q *Queue[T]) Put(v T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.items = append(q.items, v)
	q.wake()
	return true
}

// Take waits for something and returns all that is there, in order. It returns nil once the
// queue is closed and empty. One goroutine may take.
func (q *Queue[T]) Take() []T {
	for range q.ready {
		q.mu.Lock()
		items, closed := q.items, q.closed
		q.items = nil
		if closed {
			q.wake()
		}
		q.mu.Unlock()
		if len(items) > 0 || closed {
			return items
		}
	}
	return nil
}

// Close ends the line: what is in it can still be taken, nothing more is put.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

func (q *Queue[T]) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
