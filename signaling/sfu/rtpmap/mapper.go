package rtpmap

// Layer names what a receiver gets: which simulcast stream (0 is the smallest), and in it up to which spatial and
// temporal layer.
type Layer struct{ Stream, Spatial, Temporal uint8 }

// Top is more than any layer: all there are.
const Top = 7

// Verdict says what becomes of a packet.
type Verdict uint8

const (
	// Drop: the receiver does not get it and does not miss it.
	Drop Verdict = iota
	// Forward it as Out says.
	Forward
	// Fill: the packet is not wanted but came too late to be left out of the count. Send padding (or nothing: the receiver
	// then takes it for lost) with the sequence number and timestamp of Out.
	Fill
)

// Packet is an arrived packet. At is where on the receiver's timeline it would stand if the stream had just changed
// (Mapper.Elapsed or Offset give it); it counts only then.
type Packet struct {
	Stream    uint8
	Sequence  uint16
	Timestamp uint32
	At        uint32
	Look      *Look
}

// Out is what the receiver sees. Picture and TL0 are for Look.Rewrite when Rewritten says so.
type Out struct {
	Sequence  uint16
	Timestamp uint32
	Marker    bool
	Switched  bool // the first packet of another stream, or after a pause
	Rewritten bool
	Picture   uint16
	TL0       uint8
}

const (
	// maxSpans remembers 2 s of a stream of which every second picture is dropped at 30 pictures/s, and some more.
	maxSpans = 128
	// maxAge in packets: who asks for an older one gets nothing. It keeps 16 bit numbers unambiguous.
	maxAge = 1 << 14
)

// span is a run of source packets that became a run of outgoing ones: out = source - delta.
type span struct {
	first, count   uint16 // source sequence numbers [first, first+count)
	delta          uint16
	picture        uint16 // likewise for picture ids
	tl0            uint8
	stream         uint8
	joins          bool // begins with a change of streams or after a pause
	timestampDelta uint32
}

// holds says whether a source number lies in the span.
func (s *span) holds(sequence uint16) bool { return sequence-s.first < s.count }

// change says that from a picture on the receiver got other layers; late packets are judged by what held then.
type change struct {
	timestamp uint32
	layer     Layer
}

// Mapper makes one unbroken outgoing stream of what one receiver gets of one source. It decides by whole pictures.
type Mapper struct {
	codec  Codec
	want   Layer
	paused bool
	now    Layer // valid while on
	on     bool  // a stream is being forwarded

	last      uint16 // newest source sequence number of the stream that is on, forwarded or not
	picture   uint32 // its timestamp
	changes   [8]change
	changed   int  // index of the newest change
	anyDrop   bool // droppedID counts
	droppedID uint16
	dropStamp uint32 // timestamp of the newest packet left out

	sent   bool   // something was
	out    uint16 // newest outgoing sequence number
	stamp  uint32 // newest outgoing timestamp
	outID  uint16 // newest outgoing picture id
	outTL0 uint8

	spans []span // a ring, head is the newest; it grows to maxSpans
	head  int
}

// New makes a mapper whose first packet gets the sequence number. It forwards nothing before Want.
func New(c Codec, first uint16) *Mapper {
	return &Mapper{codec: c, paused: true, out: first - 1}
}

// Want says what the receiver should get; it comes about where the codec allows it: less of a stream with the next
// picture, more of it or another stream with the next key frame or switching point. After Pause it resumes.
func (m *Mapper) Want(l Layer) { m.want, m.paused = l, false }

// Wanted is what Want last said.
func (m *Mapper) Wanted() Layer { return m.want }

// Now is what the receiver gets, if it gets anything.
func (m *Mapper) Now() (Layer, bool) { return m.now, m.on }

// Pause stops at once. After the next Want, a key frame begins anew.
func (m *Mapper) Pause() { m.on, m.paused = false, true }

// NeedsKey says whether the mapper waits for a key frame and of which stream: the caller asks the publisher for it.
func (m *Mapper) NeedsKey() (stream uint8, needed bool) {
	switch {
	case m.paused:
		return m.want.Stream, false
	case !m.on, m.now.Stream != m.want.Stream:
		return m.want.Stream, true
	}
	return m.want.Stream, (m.codec == VP9 || m.codec == AV1) && m.want.Spatial > m.now.Spatial
}

// Elapsed gives Packet.At from the time since the last packet that was sent, in ticks of the codec's clock.
func (m *Mapper) Elapsed(ticks uint32) uint32 { return m.stamp + ticks }

// Last gives the newest sequence number and timestamp that were sent, for reports.
func (m *Mapper) Last() (sequence uint16, timestamp uint32, sent bool) { return m.out, m.stamp, m.sent }

// TimestampDelta is what to subtract from the timestamps of the stream that is on, for sender reports.
func (m *Mapper) TimestampDelta() (delta uint32, on bool) {
	if !m.on || len(m.spans) == 0 {
		return 0, false
	}
	return m.spans[m.head].timestampDelta, true
}

// Map judges a packet and says how it goes out. Packets may come in any order, but each once: under one key a
// sequence number must not go out twice with different bytes (the replay window of SRTP sees to that on the way in).
func (m *Mapper) Map(p Packet) (Out, Verdict) {
	if m.on && p.Stream == m.now.Stream {
		switch ahead := int16(p.Sequence - m.last); {
		case ahead > 0 && ahead < maxAge:
			return m.next(p, uint16(ahead))
		case ahead <= 0 && ahead > -maxAge:
			return m.late(p)
		}
		m.on = false // the publisher began anew
	}
	if p.Look.Media && p.Look.Key && !m.paused && m.welcome(p.Stream) {
		return m.join(p), Forward
	}
	return Out{}, Drop
}

// welcome says whether a key frame of the stream brings the receiver to what it wants or nearer to it.
func (m *Mapper) welcome(stream uint8) bool {
	switch {
	case !m.on:
		return stream <= m.want.Stream
	case m.now.Stream < m.want.Stream:
		return m.now.Stream < stream && stream <= m.want.Stream
	}
	return m.want.Stream <= stream && stream < m.now.Stream
}

// join makes a key frame the first of what follows.
func (m *Mapper) join(p Packet) Out {
	l := p.Look
	m.on = true
	m.now = Layer{p.Stream, m.want.Spatial, m.want.Temporal} // all layers begin with a key frame
	for i := range m.changes {
		m.changes[i] = change{p.Timestamp, m.now}
	}
	m.anyDrop = false
	s := span{stream: p.Stream, joins: true, first: p.Sequence, delta: p.Sequence - (m.out + 1)}
	if m.sent {
		at := p.At
		if int32(at-m.stamp) <= 0 {
			at = m.stamp + 1
		}
		s.timestampDelta = p.Timestamp - at
		s.picture = l.Picture - (m.outID + 1)
		s.tl0 = l.TL0 - (m.outTL0 + 1)
	}
	m.push(s)
	m.last, m.picture = p.Sequence, p.Timestamp
	out := m.advance(p)
	out.Switched = true
	return out
}

// next takes a packet that is newer than all before; those between them are on their way or lost.
func (m *Mapper) next(p Packet, ahead uint16) (Out, Verdict) {
	m.last = p.Sequence
	l := p.Look
	if l.Media {
		if int32(p.Timestamp-m.picture) > 0 {
			m.picture = p.Timestamp
			m.lower(p.Timestamp)
		}
		m.raise(p)
	}
	wanted := l.Media && l.Spatial <= m.now.Spatial && l.Temporal <= m.now.Temporal
	if !wanted && m.spans[m.head].count == 0 && m.dropStamp == p.Timestamp {
		m.leaveOut(p, ahead) // what is missing lies inside a picture that is left out
		return Out{}, Drop
	}
	if missing := ahead - 1; missing > 0 {
		m.extend(missing)
		m.out += missing
	}
	if wanted {
		return m.advance(p), Forward
	}
	m.leaveOut(p, 1)
	return Out{}, Drop
}

// lower takes away layers that are no longer wanted, which a picture's beginning allows.
func (m *Mapper) lower(timestamp uint32) {
	if m.now.Stream != m.want.Stream {
		return
	}
	m.change(timestamp, Layer{m.now.Stream, min(m.now.Spatial, m.want.Spatial), min(m.now.Temporal, m.want.Temporal)})
}

// raise adds a layer where this packet allows it.
func (m *Mapper) raise(p Packet) {
	l := p.Look
	if !l.Start || m.now.Stream != m.want.Stream {
		return
	}
	up := m.now
	if l.Key {
		up.Spatial, up.Temporal = m.want.Spatial, m.want.Temporal
	}
	if l.Switch && l.Temporal == up.Temporal+1 && l.Temporal <= m.want.Temporal && l.Spatial <= up.Spatial {
		up.Temporal++
	}
	m.change(p.Timestamp, up)
}

func (m *Mapper) change(timestamp uint32, to Layer) {
	if to != m.now {
		m.now = to
		m.changed = (m.changed + 1) % len(m.changes)
		m.changes[m.changed] = change{timestamp, to}
	}
}

// had is what the receiver got at the time of a picture.
func (m *Mapper) had(timestamp uint32) Layer {
	for i := range m.changes {
		c := m.changes[(m.changed+len(m.changes)-i)%len(m.changes)]
		if int32(timestamp-c.timestamp) >= 0 {
			return c.layer
		}
	}
	return Layer{}
}

// advance sends the newest packet.
func (m *Mapper) advance(p Packet) Out {
	m.extend(1)
	m.out++
	out := m.as(&m.spans[m.head], p)
	if !m.sent || int32(out.Timestamp-m.stamp) > 0 {
		m.stamp = out.Timestamp
	}
	if p.Look.PictureAt > 0 {
		m.outID = out.Picture
	}
	if p.Look.TL0At > 0 {
		m.outTL0 = out.TL0
	}
	m.sent = true
	return out
}

// as tells how a packet of a span goes out.
func (m *Mapper) as(s *span, p Packet) Out {
	l := p.Look
	out := Out{
		Sequence: p.Sequence - s.delta, Timestamp: p.Timestamp - s.timestampDelta, Marker: l.Marker,
		Picture: l.Picture - s.picture, TL0: l.TL0 - s.tl0,
		Rewritten: s.picture != 0 && l.PictureAt > 0 || s.tl0 != 0 && l.TL0At > 0,
	}
	if l.PictureLen == 1 {
		out.Picture &= 0x7f
	} else {
		out.Picture &= 0x7fff
	}
	// Without the layers above, the last packet of the highest one left ends the picture.
	if l.End && l.Spatial == m.now.Spatial {
		out.Marker = true
	}
	return out
}

// leaveOut takes the newest n packets out of the count.
func (m *Mapper) leaveOut(p Packet, n uint16) {
	s := m.spans[m.head]
	m.dropStamp = p.Timestamp
	next := span{
		stream: s.stream, first: p.Sequence + 1, delta: s.delta + n, picture: s.picture, tl0: s.tl0,
		timestampDelta: s.timestampDelta, joins: s.joins && s.count == 0,
	}
	// VP8 counts pictures without gaps; VP9 says by the difference of numbers which picture it needs, so gaps stay.
	if l := p.Look; m.codec == VP8 && l.Media && l.PictureAt > 0 && (!m.anyDrop || m.droppedID != l.Picture) {
		next.picture++
		m.anyDrop, m.droppedID = true, l.Picture
	}
	if s.count == 0 {
		m.spans[m.head] = next
		return
	}
	m.push(next)
}

// late takes a packet that others have overtaken.
func (m *Mapper) late(p Packet) (Out, Verdict) {
	for i := range len(m.spans) {
		s := &m.spans[(m.head+len(m.spans)-i)%len(m.spans)]
		if !s.holds(p.Sequence) {
			if s.joins {
				break
			}
			continue
		}
		had, l := m.had(p.Timestamp), p.Look
		if !l.Media || l.Spatial > had.Spatial || l.Temporal > had.Temporal {
			return m.as(s, p), Fill
		}
		return m.as(s, p), Forward
	}
	return Out{}, Drop
}

// Source finds which packet went out with a sequence number: of which stream, and its number there. A receiver that
// misses the number gets that packet again, as Again says.
func (m *Mapper) Source(sequence uint16) (stream uint8, source uint16, ok bool) {
	s := m.find(sequence)
	if s == nil {
		return 0, 0, false
	}
	return s.stream, sequence + s.delta, true
}

// Again tells how the packet that Source found goes out once more. It changes nothing.
func (m *Mapper) Again(sequence uint16, p Packet) (Out, bool) {
	s := m.find(sequence)
	if s == nil || s.stream != p.Stream || sequence+s.delta != p.Sequence {
		return Out{}, false
	}
	return m.as(s, p), true
}

// find gives the span of an outgoing sequence number.
func (m *Mapper) find(sequence uint16) *span {
	if !m.sent || m.out-sequence >= maxAge {
		return nil
	}
	for i := range len(m.spans) {
		s := &m.spans[(m.head+len(m.spans)-i)%len(m.spans)]
		if s.holds(sequence + s.delta) {
			return s
		}
	}
	return nil
}

// extend adds n packets to the newest span; it keeps the newest maxAge.
func (m *Mapper) extend(n uint16) {
	s := &m.spans[m.head]
	s.count += n
	if s.count > maxAge {
		s.first += s.count - maxAge
		s.count = maxAge
	}
}

// push adds a span; the oldest makes room. The ring grows from one span, which is all that a receiver of everything
// needs.
func (m *Mapper) push(s span) {
	if len(m.spans) == maxSpans {
		m.head = (m.head + 1) % maxSpans
		m.spans[m.head] = s
		return
	}
	m.spans = append(m.spans, s)
	m.head = len(m.spans) - 1
}

// Report is a sender report's pair of clocks (RFC 3550 §6.4.1): the same moment as NTP time and as RTP timestamp.
type Report struct {
	NTP uint64 // 32.32 fixed point seconds
	RTP uint32
}

// Offset gives what to add to a timestamp of stream b to have it on the timeline of stream a, by a report of each. Rate is the
// clock's, 90000 for video.
func Offset(a, b Report, rate uint32) uint32 {
	d := int64(b.NTP - a.NTP) // wraps in 2036 as NTP does
	ticks := uint32(d>>32*int64(rate) + int64(uint64(uint32(d))*uint64(rate)>>32))
	return a.RTP + ticks - b.RTP
}
