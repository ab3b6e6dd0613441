package queue_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"yuanzhen/signaling/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAllThatWasPutIsTakenOnceAndInOrder(t *testing.T) {
	q := queue.New[int]()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 10_000 {
			q.Put(i)
		}
		q.Close()
	})
	next := 0
	for items := q.Take(); items != nil; items = q.Take() {
		for _, v := range items {
			if v != next {
				t.Fatalf("took %d, want %d", v, next)
			}
			next++
		}
	}
	wg.Wait()
	if next != 10_000 {
		t.Fatalf("took %d of 10000", next)
	}
}

func TestAClosedQueueTakesNothingMore(t *testing.T) {
	q := queue.New[string]()
	q.Put("before")
	q.Close()
	if q.Put("after") {
		t.Fatal("put after close")
	}
	if got := q.Take(); len(got) != 1 || got[0] != "before" {
		t.Fatalf("took %v", got)
	}
	if got := q.Take(); got != nil {
		t.Fatalf("took %v after the end", got)
	}
}
