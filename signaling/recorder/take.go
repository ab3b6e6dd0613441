package recorder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"yuanzhen/signaling/control"
)

const (
	// lateAudio and lateVideo are how many packets a hole is waited for: what was asked for again comes within a second.
	lateAudio = 50
	lateVideo = 300
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

// flush takes what there is as the next parts of the file: the head by itself, then a cluster a time. When the take has ended the
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
		data := cluster(t.frames) // puts the frames in order
		t.index()
		t.lastAt = max(t.lastAt, t.frames[len(t.frames)-1].at)
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

// index notes where a player may begin in the cluster that comes next: at its first key frame.
func (t *take) index() {
	for _, f := range t.frames {
		if f.key && f.track == t.cuesTrack() {
			t.cues = append(t.cues, cue{f.at, t.size})
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
	case t.video.Codec == "V_VP8":
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
	rate  uint32
	first uint32        // timestamp
	base  time.Duration // of it, in the take
	take  *take
}

// at places a frame. A track that is new in the take is placed by its arrival.
func (k *clock) at(t *take, timestamp uint32) time.Duration {
	if k.take != t {
		k.take, k.first, k.base = t, timestamp, time.Since(t.begun)
	}
	at := k.base + time.Duration(int64(int32(timestamp-k.first))*int64(time.Second)/int64(k.rate))
	return max(0, at)
}

func (c *recording) listen(t *webrtc.TrackRemote, seat control.Seat) {
	builder := samplebuilder.New(lateAudio, &codecs.OpusPacket{}, 48000)
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
	h264 := t.Codec().MimeType == webrtc.MimeTypeH264
	var unpack rtp.Depacketizer = &codecs.VP8Packet{}
	if h264 {
		unpack = &codecs.H264Packet{IsAVC: true}
	}
	builder := samplebuilder.New(lateVideo, unpack, 90000)
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
		look, key := lookVP8(data)
		if h264 {
			look, key = lookH264(data)
		}
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
		take := c.takeOf(seat)
		switch {
		case take.video == nil && take.headed && look != nil: // the file says that it has sound only: another one begins
			take.ended = true
			take = c.takeOf(seat)
			take.video = look
		case take.video == nil && look != nil:
			take.video = look
		case take.video == nil:
			broken = true // the new take wants a key frame first
			ask()
			return
		}
		take.add(frame{track: videoTrack, at: clock.at(take, timestamp), key: key, data: data})
	})
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
