package sfu

import (
	"encoding/binary"
	"slices"
	"time"

	"yuanzhen/signaling/sfu/rtpcache"
	"yuanzhen/signaling/sfu/rtpmap"
)

const (
	// keyFramePause is the least time between two key frame requests to one publisher: a key frame is five to ten times a
	// normal one, and a weak line can't send more of them.
	keyFramePause = 500 * time.Millisecond
	// maxLayers of simulcast: browsers send up to three.
	maxLayers = 3

	// maxGap is how many packets may be missing at once for it to make sense to ask for them; beyond, only a key frame helps.
	maxGap = 128
	// A missing packet is asked for at the first tick and then in growing pauses until it would come too late.
	nackPause = 40 * time.Millisecond
	nackTries = 8
	// latestSound: who takes longer to answer is not asked for sound, nor sent it again; what is repeated would be played by nobody.
	latestSound = 250 * time.Millisecond
	// lateBy is how many packets behind the newest one may come.
	lateBy = 1024

	receiverReportEvery = time.Second
	arrivalReportEvery  = 100 * time.Millisecond
)

// layer is one RTP stream of an up track: all of it, or one size of simulcast. The shard owns it.
type layer struct {
	// Set at construction.
	track *UpTrack
	index uint8 // 0 is the smallest

	ssrc   uint32 // 0 until known
	repair uint32 // SSRC of its RTX, 0 without

	cache      *rtpcache.Cache[meta]
	descriptor rtpmap.Descriptor
	pending    []uint64 // came with this batch
	unsent     int      // their bytes
	began      bool
	start      time.Duration // when it did
	newest     uint64        // extended sequence number
	key        uint64        // first packet of the newest key frame; 0 if there was none
	keyStamp   uint32

	missing []gap
	answer  time.Duration // how long the publisher takes to repeat a packet; 0 while unknown

	wanted bool          // a key frame is asked for and the request not yet sent
	asked  time.Duration // when the last request was sent

	// What receiver reports tell (RFC 3550 §6.4.1, A.3, A.8).
	first, received                uint64
	expectedBefore, receivedBefore uint64
	transit                        uint32
	jitter                         uint32 // times 16
	sender                         rtpmap.Report
	senderAt                       time.Duration

	// What it carries, for the size of the cache.
	bytes, packets int
	measured       time.Duration
	rate, pace     int           // bit/s and packets/s when last measured
	heard          time.Duration // last packet
}

// meta is what is kept of a packet beside its bytes.
type meta struct {
	timestamp  uint32
	payload    uint16    // where it begins
	descriptor [2]uint16 // the dependency descriptor's place
	look       rtpmap.Look
}

// extension gives the dependency descriptor, nil if there is none.
func (m *meta) extension(b []byte) []byte {
	if m.descriptor[1] == 0 {
		return nil
	}
	return b[m.descriptor[0]:m.descriptor[1]]
}

type gap struct {
	number uint64
	due    time.Duration
	since  time.Duration // when it was asked for first
	tries  uint8
}

// Sizes of a new cache, which are the least; fit makes them what the stream and its subscribers' lines need.
const (
	audioBytes, audioPackets = 8 << 10, 64
	videoBytes, videoPackets = 64 << 10, 128
	// maxCache bounds it: 1 s at 8 Mbit/s.
	maxCacheBytes, maxCachePackets = 1 << 20, 1 << 10
	// A packet is kept for keepLeast and two round trips: one until the first request for it is here, and one for the request
	// that follows when the answer got lost. While a round trip is unknown, keepUnknown; never longer than keepMost, when it
	// would be played by nobody.
	keepLeast, keepUnknown, keepMost = 300 * time.Millisecond, time.Second, 2500 * time.Millisecond
	// fitAhead is more than passes until a young stream is looked at again: until then it keeps all there is, and most round trips
	// are known before that is much.
	fitAhead = 300 * time.Millisecond
)

func newLayer(u *UpTrack, index int) *layer {
	y := &layer{track: u, index: uint8(index)}
	y.restart()
	return y
}

// replace begins anew with another SSRC. What went out of the old one is not repeated, and its numbers are not used again.
func (y *layer) replace() {
	y.restart()
	for _, d := range y.track.downs {
		d.forget(y.index)
	}
}

func (y *layer) restart() {
	bytes, packets := y.least()
	*y = layer{
		track: y.track, index: y.index, cache: rtpcache.New[meta](bytes, packets),
		asked: -keyFramePause, measured: y.track.link.shard.now,
	}
}

// least is the size of the smallest cache.
func (y *layer) least() (bytes, packets int) {
	if y.track.kind == "audio" {
		return audioBytes, audioPackets
	}
	return videoBytes, videoPackets
}

// fit makes the cache what it must hold at that rate, per second.
func (y *layer) fit(bytes, packets float64) {
	keep := keepLeast
	for _, d := range y.track.downs {
		if rtt := d.link.roundTrip(); rtt > 0 {
			keep = max(keep, keepLeast+2*rtt)
		} else {
			keep = max(keep, min(keepUnknown, y.track.link.shard.now-y.start+fitAhead))
		}
	}
	seconds := min(keep, keepMost).Seconds()
	leastBytes, leastPackets := y.least()
	y.cache.Fit(max(min(int(bytes*seconds), maxCacheBytes), leastBytes), max(min(int(packets*seconds), maxCachePackets), leastPackets))
}

// accept takes a decrypted packet, whose bytes are where the cache's next Commit expects them.
func (y *layer) accept(h *rtpHeader, plain []byte, repaired bool) {
	u := y.track
	s := u.link.shard
	f := u.link.agreed.formats[h.kind]
	if f == nil || f.repair {
		s.counts.unclaimed++
		return
	}
	red := f.red
	if red {
		if f = u.link.agreed.formats[f.apt]; f == nil {
			s.counts.unclaimed++
			return
		}
	}
	if !u.speaks(f) {
		return
	}
	n := y.count(h, s.now, repaired)
	if n == 0 {
		return
	}
	y.heard = s.now
	x := &u.link.agreed.extensions
	if level := h.extension(plain, x.level); len(level) > 0 && !repaired {
		u.hear(level[0] & 0x7f)
	}
	if red {
		y.unpack(n, h, plain[h.payload:h.end], f)
		return
	}
	m := meta{timestamp: h.timestamp, payload: uint16(h.payload), look: f.codec.Look(plain[h.payload:h.end], h.marker)}
	if d := h.extension(plain, x.descriptor); len(d) > 0 && len(d) < 256 && f.codec == rtpmap.AV1 {
		m.descriptor = h.extensions[x.descriptor]
		y.descriptor.Read(d, &m.look)
	}
	y.commit(n, h.end, m)
	if m.look.Key && (y.key == 0 || h.timestamp != y.keyStamp) && n > y.key {
		y.key, y.keyStamp, y.wanted = n, h.timestamp, false
	}
}

// commit makes what lies in the cache's room packet n, and has it sent on.
func (y *layer) commit(n uint64, size int, m meta) {
	y.cache.Commit(n, size, m)
	y.bytes += size
	y.packets++
	if len(y.track.downs) == 0 {
		return
	}
	if s := y.track.link.shard; len(y.pending) == 0 {
		s.fanout = append(s.fanout, y)
	}
	y.pending = append(y.pending, n)
	y.unsent += size
}

// reserve gives room for a packet in the cache. What would fall out of it before it was sent on is sent on now: a burst may be
// larger than a cache that fits the stream.
func (y *layer) reserve(n int) []byte {
	if y.unsent+2*maxPacket > y.cache.Size() || len(y.pending) >= y.cache.Packets() {
		y.drain()
	}
	return y.cache.Reserve(n)
}

// drain sends on what is pending.
func (y *layer) drain() {
	for _, d := range y.track.downs {
		for _, n := range y.pending {
			d.forward(y, n)
		}
	}
	y.pending, y.unsent = y.pending[:0], 0
}

// count gives the packet its extended number, 0 when it is of no use, and notes what is missing.
func (y *layer) count(h *rtpHeader, now time.Duration, repaired bool) uint64 {
	if !y.began {
		if repaired {
			return 0
		}
		y.began, y.start = true, now
		y.newest = firstNumber + uint64(h.sequence)
		y.first = y.newest
		y.received = 1
		y.transit = y.clock(now) - h.timestamp
		return y.newest
	}
	n := unwrap(y.newest, h.sequence)
	if n > y.newest {
		y.misses(y.newest+1, n, now)
		y.newest = n
	} else {
		if y.newest-n >= lateBy {
			return 0
		}
		if _, _, again := y.cache.Get(n); again {
			return 0
		}
		y.found(n, now)
	}
	if !repaired {
		y.received++
		transit := y.clock(now) - h.timestamp
		d := int32(transit - y.transit)
		y.transit = transit
		y.jitter += uint32(max(d, -d)) - (y.jitter+8)>>4
	}
	return n
}

// clock is the time in units of the codec's clock.
func (y *layer) clock(now time.Duration) uint32 {
	return uint32(int64(now) / 1000 * int64(y.track.format.ClockRate) / 1e6)
}

func (y *layer) misses(from, to uint64, now time.Duration) {
	if !y.track.format.nack || y.track.kind == "audio" && y.answer > latestSound {
		return
	}
	if to-from > maxGap || len(y.missing)+int(to-from) > maxGap {
		y.missing = y.missing[:0]
		y.ask()
		return
	}
	for n := from; n < to; n++ {
		y.missing = append(y.missing, gap{number: n, due: now})
	}
}

// found takes a packet off those that are missing, and learns how long the publisher takes to answer.
func (y *layer) found(n uint64, now time.Duration) {
	i := slices.IndexFunc(y.missing, func(g gap) bool { return g.number == n })
	if i < 0 {
		return
	}
	if g := y.missing[i]; g.tries > 0 {
		if took := now - g.since; y.answer == 0 {
			y.answer = took
		} else {
			y.answer += (took - y.answer) / 4
		}
	}
	y.missing = slices.Delete(y.missing, i, i+1)
}

// ask asks the publisher for a key frame. Requests that come together become one.
func (y *layer) ask() {
	if y.track.kind != "video" || y.ssrc == 0 {
		return
	}
	y.wanted = true
	y.request()
}

func (y *layer) request() {
	l := y.track.link
	s := l.shard
	if !y.wanted || !l.ready() || s.now-y.asked < keyFramePause {
		return // tick tries again
	}
	y.wanted, y.asked = false, s.now
	s.counts.keyFrames++
	b := append(s.report[:0], 0x80|1, 206, 0, 2) // PLI, RFC 4585 §6.3.1
	b = binary.BigEndian.AppendUint32(b, l.ssrc)
	b = binary.BigEndian.AppendUint32(b, y.ssrc)
	l.sendRTCP(b)
}

// tick asks again for what is missing and fits the cache.
func (y *layer) tick() {
	s := y.track.link.shard
	y.request()
	if len(y.missing) > 0 {
		y.nack()
	}
	if elapsed := s.now - y.measured; elapsed >= time.Second || elapsed >= 200*time.Millisecond && y.first+200 > y.newest {
		perSecond := float64(time.Second) / float64(elapsed)
		y.fit(float64(y.bytes)*perSecond, float64(y.packets)*perSecond)
		y.rate, y.pace = int(float64(y.bytes*8)*perSecond), int(float64(y.packets)*perSecond)
		y.bytes, y.packets, y.measured = 0, 0, s.now
	}
}

// nack asks for the missing packets that are due (RFC 4585 §6.2.1).
func (y *layer) nack() {
	l := y.track.link
	s := l.shard
	b := append(s.report[:0], 0x80|1, 205, 0, 0)
	b = binary.BigEndian.AppendUint32(b, l.ssrc)
	b = binary.BigEndian.AppendUint32(b, y.ssrc)
	head := len(b)
	kept := y.missing[:0]
	var pid uint64
	var blp uint16
	for _, g := range y.missing {
		if g.tries == nackTries || y.newest-g.number >= lateBy {
			continue // given up
		}
		if g.due <= s.now {
			if g.tries == 0 {
				g.since = s.now
			}
			g.tries++
			g.due = s.now + max(time.Duration(g.tries)*nackPause, y.answer*5/4)
			s.counts.nacksSent++
			switch {
			case pid != 0 && g.number-pid <= 16:
				blp |= 1 << (g.number - pid - 1)
			default:
				if pid != 0 {
					b = binary.BigEndian.AppendUint16(b, uint16(pid))
					b = binary.BigEndian.AppendUint16(b, blp)
				}
				pid, blp = g.number, 0
			}
		}
		kept = append(kept, g)
	}
	y.missing = kept
	if pid == 0 {
		return
	}
	b = binary.BigEndian.AppendUint16(b, uint16(pid))
	b = binary.BigEndian.AppendUint16(b, blp)
	binary.BigEndian.PutUint16(b[2:], uint16((len(b)-head)/4+2))
	l.sendRTCP(b)
}

// block appends a report block about the stream (RFC 3550 §6.4.1).
func (y *layer) block(b []byte, now time.Duration) []byte {
	expected := y.newest - y.first + 1
	lost := int64(expected) - int64(y.received)
	interval, arrived := expected-y.expectedBefore, y.received-y.receivedBefore
	y.expectedBefore, y.receivedBefore = expected, y.received
	fraction := uint64(0)
	if interval > arrived {
		fraction = min((interval-arrived)<<8/interval, 255)
	}
	lost = min(max(lost, -0x800000), 0x7fffff)
	b = binary.BigEndian.AppendUint32(b, y.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(fraction)<<24|uint32(lost)&0xffffff)
	b = binary.BigEndian.AppendUint32(b, uint32(y.newest-firstNumber))
	b = binary.BigEndian.AppendUint32(b, y.jitter>>4)
	if y.sender.NTP == 0 {
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(y.sender.NTP>>16))
	return binary.BigEndian.AppendUint32(b, uint32((now-y.senderAt)*65536/time.Second))
}
