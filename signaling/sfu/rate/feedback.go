// Package rate finds out what a receiver's line carries and what of a visit should go over it: sound first, then as much
// picture as there is room for.
//
// The package is pure: no clock, no lock, no goroutine; nothing allocates per packet. Times are durations since any
// moment the caller chooses, the same for all calls. A value is used by one goroutine at a time.
package rate

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrFeedback marks a transport-wide feedback that cannot be read.
var ErrFeedback = errors.New("transport-wide feedback cannot be read")

const (
	feedbackHeader = 20
	referenceUnit  = 64 * time.Millisecond
	deltaUnit      = 250 * time.Microsecond
)

// ReadFeedback reads a whole RTCP packet of transport-wide congestion control (PT 205, FMT 15;
// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1) and calls each for its packets in order of sequence. Arrival is
// on the receiver's clock, which wraps after 12 days. A feedback that ends early calls each for none.
func ReadFeedback(raw []byte, each func(sequence uint16, received bool, arrival time.Duration)) error {
	if len(raw) < feedbackHeader || raw[0]>>6 != 2 || raw[0]&0x1f != 15 || raw[1] != 205 {
		return ErrFeedback
	}
	base, count := binary.BigEndian.Uint16(raw[12:]), int(binary.BigEndian.Uint16(raw[14:]))
	deltas, size := feedbackHeader, 0
	for n := 0; n < count; deltas += 2 {
		if len(raw) < deltas+2 {
			return ErrFeedback
		}
		c := chunk(binary.BigEndian.Uint16(raw[deltas:]))
		for i := 0; i < c.len() && n < count; i++ {
			size += int(c.symbol(i))
			n++
		}
	}
	if len(raw) < deltas+size {
		return ErrFeedback
	}
	reference := int32(uint32(raw[16])<<24|uint32(raw[17])<<16|uint32(raw[18])<<8) >> 8
	at := time.Duration(reference) * referenceUnit
	for n, where := 0, feedbackHeader; n < count; where += 2 {
		c := chunk(binary.BigEndian.Uint16(raw[where:]))
		for i := 0; i < c.len() && n < count; i++ {
			s := c.symbol(i)
			switch s {
			case 1:
				at += time.Duration(raw[deltas]) * deltaUnit
			case 2:
				at += time.Duration(int16(binary.BigEndian.Uint16(raw[deltas:]))) * deltaUnit
			}
			deltas += int(s)
			each(base+uint16(n), s > 0, at)
			n++
		}
	}
	return nil
}

// chunk is a run of one symbol, or a vector of them. A symbol is how many bytes its delta has: 0 when the packet was
// not received; the reserved 3 counts as that.
type chunk uint16

func (c chunk) len() int {
	switch {
	case c>>15 == 0:
		return int(c & 0x1fff)
	case c>>14&1 == 0:
		return 14
	}
	return 7
}

func (c chunk) symbol(i int) uint8 {
	var s chunk
	switch {
	case c>>15 == 0:
		s = c >> 13 & 3
	case c>>14&1 == 0:
		s = c >> (13 - i) & 1
	default:
		s = c >> (12 - 2*i) & 3
	}
	if s == 3 {
		return 0
	}
	return uint8(s)
}
