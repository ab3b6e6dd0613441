package sfu

import (
	"slices"
	"time"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// Redundancy (RFC 2198) is a matter of one line: what comes in RED is taken apart and mends its own gaps, what goes out is put
// into RED as far as that line loses packets. In between, sound is plain.

// unpack takes the frames of RED packet n. Those before it that did not come are now there.
func (y *layer) unpack(n uint64, h *rtpHeader, payload []byte, f *format) {
	s := y.track.link.shard
	var room [rtpmap.MaxBlocks]rtpmap.Block
	// Where the packet lies is where the cache puts what comes next.
	older, primary, ok := rtpmap.ReadRED(room[:0], append(s.scratch[:0], payload...))
	if !ok {
		s.counts.malformed++
		return
	}
	for i, b := range older {
		// Each packet repeats those before it, one by one.
		k := n - uint64(len(older)-i)
		if k < y.first || len(b.Data) == 0 {
			continue
		}
		if _, _, here := y.cache.Get(k); here {
			continue
		}
		y.missing = slices.DeleteFunc(y.missing, func(g gap) bool { return g.number == k })
		s.counts.restored++
		y.place(k, h.timestamp-b.Age, b.Data, false, f)
	}
	y.place(n, h.timestamp, primary, h.marker, f)
}

// place puts a frame into the cache.
func (y *layer) place(n uint64, timestamp uint32, frame []byte, marker bool, f *format) {
	copy(y.reserve(len(frame)), frame)
	y.commit(n, len(frame), meta{timestamp: timestamp, look: f.codec.Look(frame, marker)})
}

const (
	// From these shares of lost packets on, a packet repeats one, two, three before it. Of independent losses a tenth, two repeats
	// leave one in a thousand unmended.
	lossOfOne, lossOfTwo, lossOfThree = 0.005, 0.06, 0.25
	// lossFades is how long a line is remembered to lose: bursts come again.
	lossFades = 15 * time.Second
	// maxRedundant is the most that such a packet may hold, in bytes, so that it is never cut on its way.
	maxRedundant = 1000
	// leastRepeated bit/s are taken to carry small sound three times over, whatever the estimate: words and stills that fill a line for a
	// moment bring the estimate down for many seconds, in which a line that loses by itself would lose every frame but once.
	leastRepeated = 26_000
	// soundHeaders are bytes of IP, UDP, RTP with its extension, and the seal of SRTP on each packet.
	soundHeaders = rate.UDPHeaders + 12 + 8 + 16
)

// protect decides how many frames before it each packet of sound repeats: as many as the loss asks for and the line carries. What a
// full line loses, repeats would only add to. And it decides how small the sound must be for all that the loss asks for to fit.
func (l *link) protect() {
	whole, frames, heard, asked := 0, 0, 0, 0 // bit/s of all sound, and of its frames alone; how many sounds; the most repeats
	for _, d := range l.downs {
		if d.up.kind != "audio" || !d.on || d.paused {
			continue
		}
		y := d.up.layers[0]
		frames += y.rate
		whole += y.rate + y.pace*soundHeaders*8
		heard++
		if d.bound.redKind != 0 {
			asked = max(asked, d.asks())
		}
	}
	budget := l.estimate() * 9 / 10
	most, room := rtpmap.MaxBlocks, budget
	if l.estimator != nil && !l.estimator.Full() {
		room = max(room, leastRepeated)
	}
	if frames > 0 {
		most = max(0, (room-whole)/frames)
	}
	for _, d := range l.downs {
		if d.bound.redKind != 0 {
			d.repeats = uint8(min(d.asked, most))
		}
	}
	l.pack = l.packing(budget, max(heard, 1), asked)
}

// packing is the rung by which the sound should be made: its line's, or below pictures as far beneath that as repeats need.
func (l *link) packing(budget, heard, asked int) rate.Rung {
	if l.rung >= rate.Low {
		return l.rung
	}
	if l.rung == rate.Stills {
		budget -= rate.Alone[rate.Stills] - rate.Alone[rate.Sound]
	}
	for r := l.rung; r > rate.Text; r-- {
		takes := heard * (soundAt[r].whole + asked*soundAt[r].frames)
		if r > l.pack {
			takes += takes / 5 // not to and fro
		}
		if takes <= budget {
			return r
		}
	}
	return rate.Text
}

// soundAt is what a speaker makes of a rung below pictures, in bit/s: Opus at 12 and 16 kbit/s in packets of 60 ms; beneath, at 8 in
// packets of 120 ms.
var soundAt = [rate.Low]struct{ frames, whole int }{rate.Sound: {12_000, 20_500}, rate.Stills: {16_000, 24_500}}

// asks is how many frames the loss of the line asks to be repeated.
func (d *DownTrack) asks() int {
	loss, now := d.reportedLoss, d.link.shard.now
	if d.bound.twcc != 0 && d.link.estimator != nil {
		loss, _ = d.link.estimator.Loss()
	}
	d.loss = max(loss, d.loss-d.loss*float64(now-d.protected)/float64(lossFades))
	d.protected = now
	switch {
	case d.loss < lossOfOne:
		d.asked = 0
	case d.loss < lossOfTwo:
		d.asked = 1
	case d.loss < lossOfThree:
		d.asked = 2
	default:
		d.asked = 3
	}
	return d.asked
}

// older counts the frames that packet n will repeat.
func (d *DownTrack) older(y *layer, n uint64, frame int, timestamp uint32) uint8 {
	size := frame
	for i := range d.repeats {
		b, ok := d.block(y, n-uint64(i)-1, timestamp)
		if size += 4 + len(b.Data); !ok || size > maxRedundant {
			return i
		}
	}
	return d.repeats
}

func (d *DownTrack) block(y *layer, n uint64, timestamp uint32) (rtpmap.Block, bool) {
	cached, m, ok := y.cache.Get(n)
	if !ok || !m.look.Media {
		return rtpmap.Block{}, false
	}
	b := rtpmap.Block{Age: timestamp - m.timestamp, Data: cached[m.payload:]}
	return b, b.Fits()
}

// payload gives what goes out of packet n: the same each time. It says no when a frame that it repeated is not there any more.
func (d *DownTrack) payload(y *layer, n uint64, older uint8) (kind uint8, payload []byte, ok bool) {
	cached, m, ok := y.cache.Get(n)
	if !ok {
		return 0, nil, false
	}
	if older == 0 {
		return d.bound.kind, cached[m.payload:], true
	}
	var room [rtpmap.MaxBlocks]rtpmap.Block
	blocks := room[:older]
	for i := range blocks {
		if blocks[i], ok = d.block(y, n-uint64(older)+uint64(i), m.timestamp); !ok {
			return 0, nil, false
		}
	}
	return d.bound.redKind, rtpmap.AppendRED(d.link.shard.red[:0], d.bound.kind, blocks, cached[m.payload:]), true
}
