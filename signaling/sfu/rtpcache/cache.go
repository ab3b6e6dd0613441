// Package rtpcache keeps the last packets of one RTP stream in one block of bytes, so that a lost one can be sent
// again and a newcomer gets what a decoder needs to begin. Nothing allocates per packet: Fit, called now and
// then, gives it the size that the stream's rate asks for.
//
// The package is pure: no clock, no lock, no goroutine. A Cache is used by one goroutine at a time.
package rtpcache

import "math/bits"

// Cache holds packets by extended sequence number (RFC 3550 §6.4.1); M is what the owner wants to know of each.
type Cache[M any] struct {
	bytes   []byte
	written uint64 // bytes ever written, gaps at the end of the block included
	given   uint64 // value of written at the end of what was reserved last
	slots   []slot[M]
}

type slot[M any] struct {
	sequence uint64
	at       uint64 // value of written at its first byte
	size     int
	meta     M
}

// New makes a cache of that many bytes and packets (a power of two).
func New[M any](size, packets int) *Cache[M] {
	return &Cache[M]{bytes: make([]byte, size), slots: make([]slot[M], packets)}
}

// Size and Packets are what it holds.
func (c *Cache[M]) Size() int    { return len(c.bytes) }
func (c *Cache[M]) Packets() int { return len(c.slots) }

// Reserve gives room for a packet of at most n bytes, at the cost of the oldest. It holds until Reserve is called again; Commit
// makes it a packet. A cache smaller than n gives nothing.
func (c *Cache[M]) Reserve(n int) []byte {
	size := uint64(len(c.bytes))
	if uint64(n) > size {
		return nil
	}
	at := c.written % size
	if at+uint64(n) > size {
		c.written += size - at
		at = 0
	}
	c.given = c.written + uint64(n)
	return c.bytes[at : at+uint64(n) : at+uint64(n)]
}

// Commit says that the first n bytes of what was reserved last are the packet of that number.
func (c *Cache[M]) Commit(sequence uint64, n int, meta M) {
	c.slots[sequence&uint64(len(c.slots)-1)] = slot[M]{sequence: sequence, at: c.written, size: n, meta: meta}
	c.written += uint64(n)
}

// Get finds a packet. Bytes and meta hold until the next Reserve.
func (c *Cache[M]) Get(sequence uint64) ([]byte, *M, bool) {
	s := &c.slots[sequence&uint64(len(c.slots)-1)]
	if s.size == 0 || s.sequence != sequence || c.given-s.at > uint64(len(c.bytes)) {
		return nil, nil, false
	}
	at := s.at % uint64(len(c.bytes))
	return c.bytes[at : at+uint64(s.size)], &s.meta, true
}

// Span says whether all packets from first to last are there, and how many bytes they have.
func (c *Cache[M]) Span(first, last uint64) (size int, ok bool) {
	if last-first >= uint64(len(c.slots)) {
		return 0, false
	}
	for n := first; n <= last; n++ {
		b, _, ok := c.Get(n)
		if !ok {
			return 0, false
		}
		size += len(b)
	}
	return size, true
}

// Fit makes it a cache of that many bytes and packets. Bytes are rounded up to pages and packets to a power of two. Nothing changes
// where it would be less than an eighth more, or not down to two thirds: that is not worth the copy. Of what it holds the
// newest stays.
func (c *Cache[M]) Fit(size, packets int) {
	size, packets = max((size+page-1)/page*page, page), round(packets)
	if size-len(c.bytes) < size/8 && size > len(c.bytes)*2/3 {
		size = len(c.bytes)
	}
	if packets > len(c.slots)/4 {
		packets = max(packets, len(c.slots))
	}
	if size == len(c.bytes) && packets == len(c.slots) {
		return
	}
	old := *c
	*c = Cache[M]{bytes: make([]byte, size), slots: make([]slot[M], packets)}
	newest := uint64(0)
	for _, s := range old.slots {
		newest = max(newest, s.sequence)
	}
	for n := newest - min(newest, uint64(len(old.slots)-1)); n <= newest; n++ {
		if b, meta, ok := old.Get(n); ok {
			if room := c.Reserve(len(b)); room != nil {
				copy(room, b)
				c.Commit(n, len(b), *meta)
			}
		}
	}
}

const page = 16 << 10

func round(n int) int {
	if n < 1 {
		return 1
	}
	return 1 << bits.Len(uint(n-1))
}
