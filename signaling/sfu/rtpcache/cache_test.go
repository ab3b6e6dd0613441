package rtpcache

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func packet(n uint64, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n) + byte(i)
	}
	return b
}

func put(c *Cache[uint64], n uint64, size int) {
	b := c.Reserve(1500)
	copy(b, packet(n, size))
	c.Commit(n, size, n*3)
}

// What is found is what was put, whatever came between; and the newest is always found.
func TestWhatIsFoundIsWhatWasPut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New[uint64](8<<10, 16)
		sizes := map[uint64]int{}
		next := uint64(rapid.IntRange(1, 1<<20).Draw(t, "first"))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				c.Fit(rapid.IntRange(0, 64<<10).Draw(t, "bytes"), rapid.IntRange(0, 128).Draw(t, "packets"))
			case 1:
				clear(c.Reserve(1500)) // for a packet that turned out false
			case 2:
				next += uint64(rapid.IntRange(0, 40).Draw(t, "gap"))
			default:
				sizes[next] = rapid.IntRange(1, 1500).Draw(t, "size")
				put(c, next, sizes[next])
				if _, _, ok := c.Get(next); !ok {
					t.Fatalf("%d, just put, is not there", next)
				}
				next++
			}
		}
		for n := next - min(next, 300); n <= next; n++ {
			b, meta, ok := c.Get(n)
			if !ok {
				continue
			}
			if !bytes.Equal(b, packet(n, sizes[n])) || *meta != n*3 {
				t.Fatalf("%d is not what was put", n)
			}
		}
	})
}

func TestItHoldsWhatFits(t *testing.T) {
	c := New[uint64](64<<10, 64)
	for n := uint64(100); n < 150; n++ {
		put(c, n, 1000)
	}
	holds := func(first, last uint64) bool {
		size, ok := c.Span(first, last)
		if ok && size != 1000*int(last-first+1) {
			t.Fatalf("%d to %d have %d bytes", first, last, size)
		}
		return ok
	}
	if !holds(100, 149) || holds(99, 149) || holds(100, 150) {
		t.Fatal("100 to 149 and nothing else are there")
	}
	c.Fit(256<<10, 256)
	if !holds(100, 149) {
		t.Fatal("growing lost packets")
	}
	for n := uint64(150); n < 350; n++ {
		put(c, n, 1000)
	}
	if !holds(110, 349) {
		t.Fatal("it does not hold what it was fitted for")
	}
	if c.Reserve(1<<20) != nil {
		t.Fatal("it gave more than it has")
	}
	if c.Fit(200<<10, 128); c.Size() != 256<<10 || c.Packets() != 256 {
		t.Fatalf("for a little less it was copied to %d bytes, %d packets", c.Size(), c.Packets())
	}
	if c.Fit(64<<10, 64); c.Size() != 64<<10 || c.Packets() != 64 {
		t.Fatalf("it keeps %d bytes, %d packets for nobody", c.Size(), c.Packets())
	}
	if !holds(290, 349) {
		t.Fatal("shrinking lost the newest packets")
	}
}

func TestNothingAllocatesPerPacket(t *testing.T) {
	c := New[uint64](64<<10, 64)
	n := uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		put2(c, n)
		c.Get(n)
		n++
	}); got != 0 {
		t.Fatalf("%v allocations", got)
	}
}

func put2(c *Cache[uint64], n uint64) {
	b := c.Reserve(1500)
	b[0] = byte(n)
	c.Commit(n, 1200, n)
}
