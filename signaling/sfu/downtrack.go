package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// DownTrack is one subscriber's copy of an UpTrack: the same packets with this connection's SSRC and payload type. The
// subscriber's peer makes it; pion binds and unbinds it as the connection negotiates (webrtc.TrackLocal), and writes nothing.
type DownTrack struct {
	// Set at construction.
	up   *UpTrack
	seat string // who publishes
	link *link
	line *webrtc.RTPTransceiver // owned by the peer

	// Owned by the shard.
	choice Choice
	paused bool          // nothing is wanted now
	going  bool          // the mapper was told what is
	wanted uint8         // the layer that would be best
	left   time.Duration // when the last packet was sent

	bound  *binding // nil until negotiated
	on     bool     // packets go out
	mapper *rtpmap.Mapper
	sent   []sent // ring by sequence number
	number uint64 // newest extended sequence number
	repair uint64 // that of the next RTX packet

	packets, octets uint32 // of sender reports
	reported        time.Duration
	reportNTP       uint32 // middle of the NTP time of the last one

	// Of sound.
	repeats      uint8         // how many frames before it each packet repeats
	asked        int           // as many as the loss asks for
	loss         float64       // what the line loses, remembered for a while
	reportedLoss float64       // by the last receiver report
	protected    time.Duration // when that was decided
}

// binding is what was negotiated; it is replaced, never changed.
type binding struct {
	ssrc, repairSSRC uint32 // repairSSRC is 0 without RTX
	kind, repairKind uint8  // payload types
	redKind          uint8  // of RED around kind, 0 without
	twcc, descriptor uint8  // extension ids, 0 without
}

// sent is a packet as it went out. One number goes out once: what repeats it is the same to the bit, or RTX. So no key is ever
// used twice on one nonce (RFC 7714 §8.4). It is small, for there are many and each is touched once.
type sent struct {
	source    uint32 // number in the layer's cache, its lower half
	repeated  uint32 // when last, in milliseconds
	timestamp uint32
	sequence  uint16
	number    uint16 // transport-wide
	picture   uint16
	tl0       uint8
	layer     uint8
	older     uint8 // frames before it that it repeats
	is        sentFlags
}

type sentFlags uint8

const (
	used      sentFlags = 1 << iota // the place is taken
	gone                            // it cannot be repeated
	marker                          // of RTP
	rewritten                       // picture and tl0 count
	untold                          // it has no transport-wide number
)

const (
	// So many packets can be repeated: 1 s of a picture at 5 Mbit/s, and of sound.
	sentPicture, sentSound = 512, 64
	// repeatPause keeps two requests for the same packet, sent before the first answer arrived, from costing twice.
	repeatPause = 15 * time.Millisecond
	// maxRepeats a tick on one link, 15 Mbit/s: asking costs little, being answered much.
	maxRepeats = 32
	// mendingPart is the share of the estimate that repeats may take, mendingAhead how much of it at once: a full line loses what is
	// repeated too.
	mendingPart, mendingAhead = 2, 250 * time.Millisecond
	// toldSound: on a thin line one of so many packets of sound has a transport-wide number. A browser answers each by a report of its
	// own, and these took more of the line than the sound.
	toldSound = 3
	// maxReplay packets are sent at once to a newcomer: since the last key frame, if that is not longer ago.
	maxReplay = 256
	// senderReportEvery is how often clocks are told (RFC 3550 §6.2 for sessions of two).
	senderReportEvery = time.Second
)

var errNoCodec = errors.New("the subscriber cannot play this codec")

// newDownTrack makes one that takes everything there is.
func newDownTrack(up *UpTrack, seat string, l *link) *DownTrack {
	return &DownTrack{up: up, seat: seat, link: l, choice: everything}
}

// Bind is called by pion when the subscriber has answered.
func (d *DownTrack) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, ok := match(d.up.codec(), t.CodecParameters())
	if !ok {
		if len(t.CodecParameters()) == 0 {
			return webrtc.RTPCodecParameters{}, errNoCodec
		}
		return t.CodecParameters()[0], nil // it cannot be played; an error would end the connection's other tracks too
	}
	b := &binding{ssrc: uint32(t.SSRC()), kind: uint8(codec.PayloadType)}
	for _, c := range t.CodecParameters() {
		if strings.EqualFold(c.MimeType, webrtc.MimeTypeRTX) && c.SDPFmtpLine == fmt.Sprintf("apt=%d", codec.PayloadType) {
			b.repairSSRC, b.repairKind = uint32(t.SSRCRetransmission()), uint8(c.PayloadType)
		}
		if strings.EqualFold(c.MimeType, mimeRED) && strings.HasPrefix(c.SDPFmtpLine, fmt.Sprintf("%d/", codec.PayloadType)) {
			b.redKind = uint8(c.PayloadType)
		}
	}
	var x rtpExtensions
	for _, e := range t.HeaderExtensions() {
		x.set(e.URI, e.ID)
	}
	b.twcc, b.descriptor = x.twcc, x.descriptor
	var first [4]byte
	_, _ = rand.Read(first[:]) // never fails
	d.link.shard.lock()
	defer d.link.shard.unlock()
	if d.link.closed {
		return codec, nil
	}
	d.bound = b
	// In the lower half, so that a first packet that gets lost does not confuse who counts roll-overs (RFC 3711 §3.3.1).
	d.number = firstNumber + uint64(binary.BigEndian.Uint16(first[:])>>1)
	d.mapper = rtpmap.New(d.up.format.codec, uint16(d.number))
	d.repair = firstNumber + uint64(binary.BigEndian.Uint16(first[2:])>>1)
	d.link.downs = append(d.link.downs, d)
	if d.link.estimator == nil {
		d.link.estimator = rate.NewEstimator(firstEstimate)
		d.link.ladder = rate.NewLadder(rate.Alone, rate.Low, d.link.shard.now)
		d.link.rung, d.link.pack = rate.Low, rate.Low
	}
	d.begin()
	return codec, nil
}

// Unbind is called by pion when the track ends.
func (d *DownTrack) Unbind(webrtc.TrackLocalContext) error {
	d.link.shard.lock()
	defer d.link.shard.unlock()
	d.stop()
	return nil
}

// ID is unique in the subscriber's connection.
func (d *DownTrack) ID() string { return d.up.ID }

// RID is empty: the subscriber sees one stream, whichever layer it comes from.
func (d *DownTrack) RID() string { return "" }

// StreamID groups the tracks a browser plays in step: those of one seat, but a screen apart from a face.
func (d *DownTrack) StreamID() string { return streamOf(d.seat, d.up.Source) }

func streamOf(seat string, source Source) string {
	if source == Screen || source == ScreenAudio {
		return seat + "/screen"
	}
	return seat
}

// Kind is audio or video.
func (d *DownTrack) Kind() webrtc.RTPCodecType { return webrtc.NewRTPCodecType(d.up.kind) }

// begin starts to send when all is there for it: first what a decoder needs to begin, if the publisher sent that a
// moment ago.
func (d *DownTrack) begin() {
	if d.on || d.bound == nil || !d.link.ready() || d.up.ended {
		return
	}
	d.on = true
	kept := sentPicture
	if d.up.kind == "audio" {
		kept = sentSound
	}
	d.sent = make([]sent, kept)
	d.choose()
	d.replay(d.up.layers[d.mapper.Wanted().Stream])
	d.decide()
}

// replay sends what has come since the layer's last key frame, if that is not more than the line carries in a second.
func (d *DownTrack) replay(y *layer) {
	if d.paused || d.up.kind != "video" || y.key == 0 || y.newest-y.key >= maxReplay {
		return
	}
	if size, ok := y.cache.Span(y.key, y.newest); ok && size*8 <= d.link.estimate() {
		for n := y.key; n <= y.newest; n++ {
			d.forward(y, n)
		}
	}
}

// stop ends it for good.
func (d *DownTrack) stop() {
	d.on = false
	d.link.downs = slices.DeleteFunc(d.link.downs, func(x *DownTrack) bool { return x == d })
}

// tick tells the clocks.
func (d *DownTrack) tick() {
	if s := d.link.shard; d.on && s.now-d.reported >= senderReportEvery {
		d.report()
	}
}

// forward sends packet n of a layer on, if the subscriber gets that layer.
func (d *DownTrack) forward(y *layer, n uint64) {
	if !d.on || d.paused {
		return
	}
	b, m, ok := y.cache.Get(n)
	if !ok {
		return
	}
	p := rtpmap.Packet{Stream: y.index, Sequence: uint16(n), Timestamp: m.timestamp, Look: &m.look}
	if m.look.Key && d.up.kind == "video" {
		p.At = d.at(y, m)
	}
	out, verdict := d.mapper.Map(p)
	if verdict != rtpmap.Forward {
		return
	}
	e := d.place(out.Sequence)
	if e.is&used != 0 && int16(out.Sequence-e.sequence) <= 0 {
		return // it went out before, or is too old to know
	}
	*e = sent{
		source: uint32(n), timestamp: out.Timestamp, sequence: out.Sequence, picture: out.Picture, tl0: out.TL0, layer: y.index, is: used,
	}
	if out.Marker {
		e.is |= marker
	}
	if out.Rewritten {
		e.is |= rewritten
	}
	switch {
	case d.bound.twcc == 0, d.up.kind == "audio" && d.link.rung < rate.Low && uint32(out.Sequence)%toldSound != 0:
		e.is |= untold
	default:
		e.number = d.link.number
		d.link.number++
	}
	e.older = d.older(y, n, len(b)-int(m.payload), m.timestamp)
	kind, payload, _ := d.payload(y, n, e.older) // what older has just counted is there
	d.number = max(d.number, unwrap(d.number, e.sequence))
	if !d.send(packet{kind, d.bound.ssrc, unwrap(d.number, e.sequence), false}, payload, m.extension(b), m, e) {
		if d.up.kind == "video" {
			d.skip() // what depends on it is of no use
		}
		return
	}
	d.packets++
	d.octets += uint32(len(payload))
	d.left = d.link.shard.now
}

func (d *DownTrack) place(sequence uint16) *sent { return &d.sent[int(sequence)&(len(d.sent)-1)] }

// at is where a key frame of a layer lies on the subscriber's timeline: by the clocks of the publisher's reports, else by ours.
func (d *DownTrack) at(y *layer, m *meta) uint32 {
	now, on := d.mapper.Now()
	if delta, ok := d.mapper.TimestampDelta(); ok && on && now.Stream != y.index {
		if x := d.up.layers[now.Stream]; x.sender.NTP != 0 && y.sender.NTP != 0 {
			return m.timestamp + rtpmap.Offset(x.sender, y.sender, d.up.format.ClockRate) - delta
		}
	}
	return d.mapper.Elapsed(y.clock(d.link.shard.now - d.left))
}

// packet is what distinguishes the first time that something is sent from the others.
type packet struct {
	kind   uint8
	ssrc   uint32
	number uint64 // extended sequence number
	repair bool   // RTX: the number it repeats stands before the payload
}

// header begins a packet. A dependency descriptor goes with it where it was agreed on.
func (d *DownTrack) header(b []byte, p packet, e *sent, descriptor []byte) []byte {
	kind := p.kind
	if e.is&marker != 0 {
		kind |= 0x80
	}
	if d.bound.descriptor == 0 {
		descriptor = nil
	}
	first := byte(0x80)
	if e.is&untold == 0 || descriptor != nil {
		first |= 0x10
	}
	b = append(b, first, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(p.number))
	b = binary.BigEndian.AppendUint32(b, e.timestamp)
	b = binary.BigEndian.AppendUint32(b, p.ssrc)
	switch {
	case descriptor != nil:
		b = d.described(b, e, descriptor)
	case e.is&untold == 0:
		b = append(b, 0xbe, 0xde, 0, 1, d.bound.twcc<<4|1, byte(e.number>>8), byte(e.number), 0)
	}
	return b
}

// described writes extensions in the two-byte form (RFC 8285 §4.3), for a descriptor may have more than 16 bytes.
func (d *DownTrack) described(b []byte, e *sent, descriptor []byte) []byte {
	start := len(b)
	b = append(b, 0x10, 0, 0, 0)
	if e.is&untold == 0 {
		b = append(b, d.bound.twcc, 2, byte(e.number>>8), byte(e.number))
	}
	b = append(b, d.bound.descriptor, byte(len(descriptor)))
	b = append(b, descriptor...)
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

// send builds a packet with a payload, and says whether it went.
func (d *DownTrack) send(p packet, payload, descriptor []byte, m *meta, e *sent) bool {
	room := d.header(d.link.shard.socket.next(), p, e, descriptor)
	header := len(room)
	if p.repair {
		room = binary.BigEndian.AppendUint16(room, e.sequence)
	}
	at := len(room)
	room = append(room, payload...)
	if e.is&rewritten != 0 {
		m.look.Rewrite(room[at:], e.picture, e.tl0)
	}
	return d.seal(room, header, p, e)
}

// seal encrypts and sends.
func (d *DownTrack) seal(room []byte, header int, p packet, e *sent) bool {
	l := d.link
	s := l.shard
	out, err := l.out.seal(room, header, p.ssrc, p.number)
	if err != nil || !l.transmit(out) {
		s.counts.packetsLost++
		return false
	}
	if l.estimator != nil {
		if e.is&untold != 0 {
			l.untold += len(out) + rate.UDPHeaders
		} else {
			l.estimator.Sent(e.number, len(out)+l.untold, s.now)
			l.untold = 0
		}
	}
	s.counts.packetsOut++
	s.counts.bytesOut += uint64(len(out))
	return true
}

// repeat sends a packet again that the subscriber misses.
func (d *DownTrack) repeat(sequence uint16) {
	s := d.link.shard
	s.counts.nacksReceived++
	if !d.on {
		return
	}
	e, now := d.place(sequence), uint32(s.now/time.Millisecond)
	if e.is&(used|gone) != used || e.sequence != sequence || now-e.repeated < uint32(repeatPause/time.Millisecond) {
		return
	}
	if d.link.repeats == maxRepeats || d.link.mending > s.now+mendingAhead || d.up.kind == "audio" && d.link.roundTrip() > latestSound {
		return
	}
	y := d.up.layers[e.layer]
	n := y.newest - uint64(uint32(y.newest)-e.source)
	kind, payload, ok := d.payload(y, n, e.older)
	if !ok {
		return
	}
	cached, m, _ := y.cache.Get(n)
	e.repeated = now
	d.link.repeats++
	takes := time.Duration((len(payload)+soundHeaders)*8) * time.Second / time.Duration(d.link.estimate()/mendingPart)
	d.link.mending = max(d.link.mending, s.now) + takes
	s.counts.repeats++
	if d.bound.repairSSRC == 0 {
		d.send(packet{kind, d.bound.ssrc, unwrap(d.number, sequence), false}, payload, m.extension(cached), m, e)
		return
	}
	again := *e
	if d.bound.twcc != 0 {
		again.is &^= untold
		again.number = d.link.number
		d.link.number++
	}
	d.send(packet{d.bound.repairKind, d.bound.repairSSRC, d.repair, true}, payload, m.extension(cached), m, &again)
	d.repair++
}

// forget is called when a layer begins anew.
func (d *DownTrack) forget(layer uint8) {
	if !d.on {
		return
	}
	for i := range d.sent {
		if e := &d.sent[i]; e.layer == layer {
			e.is |= gone
		}
	}
	if now, on := d.mapper.Now(); on && now.Stream == layer {
		d.skip()
	}
}

// skip goes on with the next key frame.
func (d *DownTrack) skip() {
	d.mapper.Pause()
	d.going = false
	d.decide()
}

// match finds the codec in what the subscriber accepts: the same fmtp if there is, else the same name (H264 profiles
// differ in their spelling between browsers, decoders do not mind).
func match(want webrtc.RTPCodecCapability, offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	var near *webrtc.RTPCodecParameters
	for i, c := range offered {
		if !strings.EqualFold(c.MimeType, want.MimeType) {
			continue
		}
		if c.SDPFmtpLine == want.SDPFmtpLine {
			return c, true
		}
		if near == nil {
			near = &offered[i]
		}
	}
	if near == nil {
		return webrtc.RTPCodecParameters{}, false
	}
	return *near, true
}
