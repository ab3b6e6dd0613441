package recorder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/rtp/codecs/av1/obu"
	"github.com/pion/rtp/codecs/vp9"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"yuanzhen/signaling/control"
)

const (
	// lateAudio and lateVideo are how many packets a hole is waited for: what was asked for again comes within a second.
	lateAudio = 50
	lateVideo = 300
	// latest is the same in the track's own time: of a picture at few frames a second, or of a silence (DTX), as many packets take much longer.
	latest = 2 * time.Second
	// waitForPicture is how long a take waits for the picture before it begins with sound alone.
	waitForPicture = 2 * time.Second
	// keyPause is the least time between two requests for a key frame, keyEvery the longest without one: after it a player
	// can begin.
	keyPause = time.Second
	keyEvery = 20 * time.Second
)

// take is a seat's file while it is written. All fields are guarded by the recording's mu.
type take struct {
	number  int
	seat    control.Seat
	begun   time.Time // of the first frame, by our clock: what binds seats together
	video   *Video    // nil while there is none
	headed  bool      // the header went out: what it says stays
	frames  []frame
	parts   int
	size    uint64 // of what the segment holds so far
	cues    []cue
	lastAt  time.Duration
	ended   bool
	pending bool // a picture is announced and not there yet
}

// flush takes what there is as the next parts of the file: the head by itself, then a part a time, in as many clusters as it needs. When the take has ended the
// index follows, and the head once more in place of the first.
func (t *take) flush(last bool) (parts []control.Part) {
	t.ended = t.ended || last
	waiting := !t.headed && t.pending && time.Since(t.begun) < waitForPicture && !t.ended
	if waiting || len(t.frames) == 0 && !t.headed {
		return nil
	}
	if !t.headed {
		t.headed = true
		head, begin := header(t.video, nil)
		t.size = uint64(len(head) - begin)
		parts = append(parts, t.part(head))
	}
	if len(t.frames) > 0 {
		var data []byte
		for _, frames := range spans(t.frames) {
			t.index(frames, t.size+uint64(len(data)))
			t.lastAt = max(t.lastAt, frames[len(frames)-1].at)
			data = append(data, cluster(frames)...)
		}
		t.frames = nil
		t.size += uint64(len(data))
		parts = append(parts, t.part(data))
	}
	if !t.ended || len(t.cues) == 0 {
		return parts
	}
	data := cues(t.cuesTrack(), t.cues)
	parts = append(parts, t.part(data))
	head, _ := header(t.video, &ending{cues: t.size, size: t.size + uint64(len(data)), length: t.lastAt})
	again := t.part(head)
	again.Number = 0
	return append(parts, again)
}

// cuesTrack is the one whose frames a player begins at.
func (t *take) cuesTrack() byte {
	if t.video == nil {
		return audioTrack
	}
	return videoTrack
}

// index notes where a player may begin in the cluster of these frames, which comes at that place: at its first key frame.
func (t *take) index(frames []frame, place uint64) {
	for _, f := range frames {
		if f.key && f.track == t.cuesTrack() {
			t.cues = append(t.cues, cue{f.at, place})
			return
		}
	}
}

func (t *take) part(data []byte) control.Part {
	t.parts++
	return control.Part{Take: t.number, Seat: t.seat, Number: t.parts - 1, Type: t.mediaType(), Start: t.begun, End: t.begun.Add(t.lastAt), Data: data}
}

func (t *take) mediaType() string {
	switch {
	case t.video == nil:
		return "audio/webm"
	case t.video.webm():
		return "video/webm"
	}
	return "video/x-matroska"
}

// takeOf is the running take of a seat. Called with mu held.
func (c *recording) takeOf(seat control.Seat) *take {
	t := c.takes[seat]
	if t == nil || t.ended {
		c.setAside(t)
		t = &take{number: c.next, seat: seat, begun: time.Now()}
		c.next++
		c.takes[seat] = t
	}
	return t
}

// endTake closes a seat's file: what comes later begins another.
func (c *recording) endTake(seat control.Seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.takes[seat]; t != nil {
		t.ended = true
	}
}

// receive reads a track to its end. Pictures of a screen are not of the process record's two people and are left out.
func (c *recording) receive(sub *webrtc.PeerConnection, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	var o offered
	c.mu.Lock()
	for _, tr := range sub.GetTransceivers() {
		if tr.Receiver() == r {
			o = c.offers[tr.Mid()]
		}
	}
	wanted := (o.Source == "microphone" || o.Source == "camera") && c.allowed(o.Seat)
	if wanted && o.Kind == "video" {
		c.takeOf(o.Seat).pending = true
	}
	c.work.Go(func() {
		switch {
		case !wanted:
			drain(t)
		case o.Kind == "audio":
			c.listen(t, o.Seat)
		default:
			c.watch(sub, t, o.Seat)
		}
	})
	c.mu.Unlock()
}

func drain(t *webrtc.TrackRemote) {
	buf := make([]byte, 1500)
	for {
		if _, _, err := t.Read(buf); err != nil {
			return
		}
	}
}

// clock turns a track's timestamps into times since the take began.
type clock struct {
	rate uint32
	last uint32        // timestamp of the last frame
	base time.Duration // of it, in the take
	take *take
}

// at places a frame. A track that is new in the take is placed by its arrival, later frames by the one before: half of the numbers that
// timestamps have are passed in 6.6 hours of pictures.
func (k *clock) at(t *take, timestamp uint32) time.Duration {
	if k.take != t {
		k.take, k.last, k.base = t, timestamp, time.Since(t.begun)
	}
	k.base += time.Duration(int64(int32(timestamp-k.last)) * int64(time.Second) / int64(k.rate))
	k.last = timestamp
	return max(0, k.base)
}

// build puts packets together to frames. A frame is given when the packet after it is there: the last one before a pause comes after it.
func build(late uint16, unpack rtp.Depacketizer, rate uint32) *samplebuilder.SampleBuilder {
	return samplebuilder.New(late, unpack, rate, samplebuilder.WithMaxTimeDelay(latest))
}

func (c *recording) listen(t *webrtc.TrackRemote, seat control.Seat) {
	builder := build(lateAudio, &codecs.OpusPacket{}, 48000)
	clock := clock{rate: 48000}
	c.samples(t, builder, func(data []byte, timestamp uint32, _ bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		take := c.takeOf(seat)
		take.add(frame{track: audioTrack, at: clock.at(take, timestamp), key: true, data: data})
	})
}

// watch writes the picture. It begins with a key frame, and a hole is followed by one.
func (c *recording) watch(sub *webrtc.PeerConnection, t *webrtc.TrackRemote, seat control.Seat) {
	var unpack rtp.Depacketizer
	var lookAt func([]byte) (*Video, bool)
	switch mime := t.Codec().MimeType; mime {
	case webrtc.MimeTypeVP8:
		unpack, lookAt = &codecs.VP8Packet{}, lookVP8
	case webrtc.MimeTypeH264:
		unpack, lookAt = &codecs.H264Packet{IsAVC: true}, lookH264
	case webrtc.MimeTypeVP9:
		unpack, lookAt = &vp9Packet{}, lookVP9
	case webrtc.MimeTypeAV1:
		unpack, lookAt = &codecs.AV1Depacketizer{}, lookAV1
	default:
		c.log.Warn("a recording goes without its picture: no file of ours holds its codec", "codec", mime)
		drain(t)
		return
	}
	builder := build(lateVideo, unpack, 90000)
	clock := clock{rate: 90000}
	var asked, keyed time.Time
	broken := true
	ask := func() {
		if now := time.Now(); now.Sub(asked) >= keyPause {
			asked = now
			_ = sub.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}) // asked again if it got lost
		}
	}
	ask()
	c.samples(t, builder, func(data []byte, timestamp uint32, hole bool) {
		look, key := lookAt(data)
		broken = (broken || hole) && !key
		if broken || time.Since(keyed) > keyEvery {
			ask()
		}
		if key {
			keyed = time.Now()
		}
		if broken {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		take := c.takeFor(seat, look)
		if take == nil {
			broken = true
			ask()
			return
		}
		take.add(frame{track: videoTrack, at: clock.at(take, timestamp), key: key, data: data})
	})
}

// takeFor is where the next picture of a seat belongs, look being nil for one that is no key frame; nil when one has to come first. Called
// with mu held.
func (c *recording) takeFor(seat control.Seat, look *Video) *take {
	t := c.takeOf(seat)
	switch {
	case look == nil && t.video == nil:
		return nil
	case look == nil:
		return t
	case t.video == nil && t.headed || t.video != nil && t.video.Codec != look.Codec:
		// The file says that it has sound only, or pictures of another codec: another one begins.
		t.ended = true
		t = c.takeOf(seat)
	}
	if t.video == nil {
		t.video = look
	}
	return t
}

// setAside keeps an ended take until it is flushed, though its seat goes on in another. Called with mu held.
func (c *recording) setAside(t *take) {
	if t != nil {
		c.takes[control.Seat(fmt.Sprintf("\x00%d", t.number))] = t
	}
}

func (t *take) add(f frame) { t.frames = append(t.frames, f) }

// samples reads whole frames of a track until it ends.
func (c *recording) samples(t *webrtc.TrackRemote, builder *samplebuilder.SampleBuilder, take func(data []byte, timestamp uint32, hole bool)) {
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		builder.Push(p)
		for s := builder.Pop(); s != nil; s = builder.Pop() {
			if len(s.Data) > 0 {
				take(s.Data, s.PacketTimestamp, s.PrevDroppedPackets > 0)
			}
		}
	}
}

// lookVP8 finds a key frame and its size (RFC 6386 §9.1).
func lookVP8(b []byte) (*Video, bool) {
	if len(b) < 10 || b[0]&1 != 0 || !bytes.Equal(b[3:6], []byte{0x9d, 0x01, 0x2a}) {
		return nil, false
	}
	return &Video{Codec: "V_VP8", Width: uint64(binary.LittleEndian.Uint16(b[6:]) & 0x3fff), Height: uint64(binary.LittleEndian.Uint16(b[8:]) & 0x3fff)}, true
}

// lookH264 finds a key frame with its parameter sets among length-prefixed units (ISO/IEC 14496-15 §5.3.3). The size is in
// the parameter sets, where players read it; the container's is a hint.
func lookH264(b []byte) (*Video, bool) {
	var sps, pps []byte
	key := false
	for len(b) > 4 {
		n := int(binary.BigEndian.Uint32(b))
		if n <= 0 || n > len(b)-4 {
			break
		}
		unit := b[4 : 4+n]
		switch unit[0] & 0x1f {
		case 7:
			sps = unit
		case 8:
			pps = unit
		case 5:
			key = true
		}
		b = b[4+n:]
	}
	if !key || len(sps) < 4 || pps == nil {
		return nil, key
	}
	private := append([]byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}, byte(len(sps)>>8), byte(len(sps)))
	private = append(private, sps...)
	private = append(private, 1, byte(len(pps)>>8), byte(len(pps)))
	private = append(private, pps...)
	return &Video{Codec: "V_MPEG4/ISO/AVC", Private: private, Width: 640, Height: 480}, true
}

// vp9Packet forgets a packet before the next: pion's gathers the references of all.
type vp9Packet struct{ codecs.VP9Packet }

func (p *vp9Packet) Unmarshal(b []byte) ([]byte, error) {
	p.VP9Packet = codecs.VP9Packet{}
	return p.VP9Packet.Unmarshal(b)
}

// lookVP9 finds a key frame and its size (VP9 bitstream §6.2).
func lookVP9(b []byte) (*Video, bool) {
	var h vp9.Header
	if h.Unmarshal(b) != nil || h.FrameSize == nil {
		return nil, false
	}
	return &Video{Codec: "V_VP9", Width: uint64(h.Width()), Height: uint64(h.Height())}, true
}

// lookAV1 finds the sequence header that begins a key frame (AV1 bitstream §5.3, §5.5). The file repeats it (AV1 in Matroska, "CodecPrivate").
func lookAV1(b []byte) (*Video, bool) {
	const sequenceHeader = 1
	for len(b) > 1 {
		head := 1 + int(b[0]>>2&1) // with an extension or without
		size, n, err := obu.ReadLeb128(b[min(head, len(b)):])
		end := head + int(n) + int(size)
		if err != nil || b[0]&2 == 0 || size > uint(len(b)) || end > len(b) {
			break
		}
		if b[0]>>3&15 == sequenceHeader {
			return sequenceAV1(b[head+int(n):end], b[:end]), true
		}
		b = b[end:]
	}
	return nil, false
}

// sequenceAV1 reads a sequence header as far as its size. Where it tells times, which no browser does, the size stays a hint.
func sequenceAV1(content, unit []byte) *Video {
	at := 0
	bits := func(n int) (v uint64) {
		for range n {
			v <<= 1
			if at/8 < len(content) {
				v |= uint64(content[at/8] >> (7 - at%8) & 1)
			}
			at++
		}
		return v
	}
	v := &Video{Codec: "V_AV1", Width: 640, Height: 480}
	profile, level, tier := bits(3), uint64(31), uint64(0) // 31: any
	bits(1)
	if reduced := bits(1) == 1; reduced {
		level = bits(5)
		v.Width, v.Height = sizeAV1(bits)
	} else if times := bits(1) == 1; !times {
		delays := bits(1)
		for i := range bits(5) + 1 { // operating points, the whole first
			bits(12)
			l, t := bits(5), uint64(0)
			if l > 7 {
				t = bits(1)
			}
			if delays == 1 && bits(1) == 1 {
				bits(4)
			}
			if i == 0 {
				level, tier = l, t
			}
		}
		v.Width, v.Height = sizeAV1(bits)
	}
	const chroma420 = 0x0c // of 8 bits, as browsers send
	v.Private = append([]byte{0x81, byte(profile<<5 | level), byte(tier<<7) | chroma420, 0}, unit...)
	return v
}

func sizeAV1(bits func(int) uint64) (width, height uint64) {
	w, h := bits(4)+1, bits(4)+1
	return bits(int(w)) + 1, bits(int(h)) + 1
}
