package sfu

import (
	"encoding/binary"
	"time"
)

// arrivals is when the packets of one connection came, by their transport-wide sequence number; the publisher's congestion
// control hears of it (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
type arrivals struct {
	ticks []uint32 // ring: time of arrival in units of deltaUnit, plus 1; 0 is not arrived
	next  uint64   // first number the next report tells of
	end   uint64   // one after the newest
	began bool
	count uint8 // of reports
}

const (
	arrivalsKept  = 1024
	deltaUnit     = 250 * time.Microsecond
	referenceUnit = 64 * time.Millisecond
	// fewArrivals wait for fewReportEvery, which is as long as browsers let them wait.
	fewArrivals, fewReportEvery = 8, 250 * time.Millisecond
	// maxReport is how many numbers a report tells of at most, so that it fits into a packet.
	maxReport = 400
	// firstNumber keeps extended numbers clear of 0 when early packets come in disorder.
	firstNumber = 1 << 16
)

func (a *arrivals) record(number uint16, since time.Duration) {
	if !a.began {
		a.began = true
		a.ticks = make([]uint32, arrivalsKept)
		a.next = firstNumber + uint64(number)
		a.end = a.next
	}
	n := unwrap(a.end, number)
	if n < a.next {
		return // told as lost: the publisher sends what was lost under a new number
	}
	if n >= a.next+arrivalsKept { // a leap: what lies before is not told of
		clear(a.ticks)
		a.next, a.end = n, n
	}
	for ; a.end <= n; a.end++ {
		a.ticks[a.end%arrivalsKept] = 0
	}
	a.ticks[n%arrivalsKept] = uint32(since/deltaUnit) + 1
}

// due says whether there is enough to report: the reports of little would take a third of a thin line.
func (a *arrivals) due(since time.Duration) bool {
	return a.next < a.end && (a.end-a.next >= fewArrivals || since >= fewReportEvery)
}

// report appends a feedback packet about what came since the last one.
func (a *arrivals) report(b []byte, sender, media uint32) []byte {
	for a.next < a.end && a.tick(a.next) == 0 { // it must begin with one that has come
		a.next++
	}
	count := min(a.end-a.next, maxReport)
	if count == 0 {
		return b
	}
	start := len(b)
	reference := (a.tick(a.next) - 1) / uint32(referenceUnit/deltaUnit)
	b = append(b, 0x80|15, 205, 0, 0)
	b = binary.BigEndian.AppendUint32(b, sender)
	b = binary.BigEndian.AppendUint32(b, media)
	b = binary.BigEndian.AppendUint16(b, uint16(a.next))
	b = binary.BigEndian.AppendUint16(b, uint16(count))
	b = append(b, byte(reference>>16), byte(reference>>8), byte(reference), a.count)
	a.count++

	// Symbols: 0 not arrived, 1 a delta of one byte, 2 of two.
	var symbols [maxReport]uint8
	var deltas [2 * maxReport]byte
	size, last := 0, int64(reference)*int64(referenceUnit/deltaUnit)
	for i := range count {
		tick := a.tick(a.next + i)
		if tick == 0 {
			continue
		}
		delta := int64(tick-1) - last
		switch {
		case delta >= 0 && delta <= 255:
			symbols[i] = 1
			deltas[size] = byte(delta)
			size++
		case delta >= -1<<15 && delta < 1<<15:
			symbols[i] = 2
			binary.BigEndian.PutUint16(deltas[size:], uint16(delta))
			size += 2
		default: // more than 8 s: in a report of its own
			count = i
		}
		if count == i {
			break
		}
		last = int64(tick - 1)
	}
	binary.BigEndian.PutUint16(b[start+14:], uint16(count))
	b = appendChunks(b, symbols[:count])
	b = append(b, deltas[:size]...)
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	a.next += count
	return b
}

func (a *arrivals) tick(n uint64) uint32 { return a.ticks[n%arrivalsKept] }

// appendChunks packs symbols: runs where they are long, else fourteen of one bit or seven of two bits a chunk.
func appendChunks(b []byte, symbols []uint8) []byte {
	for len(symbols) > 0 {
		run := 1
		for run < len(symbols) && symbols[run] == symbols[0] && run < 8191 {
			run++
		}
		if run >= 14 || run == len(symbols) {
			b = binary.BigEndian.AppendUint16(b, uint16(symbols[0])<<13|uint16(run))
			symbols = symbols[run:]
			continue
		}
		short := min(len(symbols), 14)
		for i, s := range symbols[:short] {
			if s == 2 {
				short = i
				break
			}
		}
		if short == 14 || short == len(symbols) {
			chunk := uint16(0x8000)
			for i, s := range symbols[:short] {
				chunk |= uint16(s) << (13 - i)
			}
			b = binary.BigEndian.AppendUint16(b, chunk)
			symbols = symbols[short:]
			continue
		}
		n := min(len(symbols), 7)
		chunk := uint16(0xc000)
		for i, s := range symbols[:n] {
			chunk |= uint16(s) << (12 - 2*i)
		}
		b = binary.BigEndian.AppendUint16(b, chunk)
		symbols = symbols[n:]
	}
	return b
}
