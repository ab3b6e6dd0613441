package sfu

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// DownTrack is one subscriber's copy of an UpTrack: the same packets with this connection's SSRC and payload type.
// The subscriber's peer makes it; pion binds and unbinds it as the connection negotiates (webrtc.TrackLocal).
type DownTrack struct {
	// Set at construction.
	up     *UpTrack
	seat   string // who publishes
	counts *counts
	sender *webrtc.RTPSender // set by the peer before it is bound

	bound atomic.Pointer[binding]
}

// binding is what was negotiated; it is replaced, never changed.
type binding struct {
	ssrc        uint32
	payloadType uint8
	out         webrtc.TrackLocalWriter
}

var errNoCodec = errors.New("the subscriber cannot play this codec")

// Bind is called by pion when the subscriber has answered.
func (d *DownTrack) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, ok := match(d.up.codec(), t.CodecParameters())
	if !ok {
		return webrtc.RTPCodecParameters{}, errNoCodec
	}
	d.bound.Store(&binding{ssrc: uint32(t.SSRC()), payloadType: uint8(codec.PayloadType), out: t.WriteStream()})
	d.up.RequestKeyFrame()
	return codec, nil
}

// Unbind is called by pion when the track ends.
func (d *DownTrack) Unbind(webrtc.TrackLocalContext) error {
	d.bound.Store(nil)
	return nil
}

// ID is unique in the subscriber's connection.
func (d *DownTrack) ID() string { return d.up.ID }

// RID is empty: there are no layers.
func (d *DownTrack) RID() string { return "" }

// StreamID groups the tracks a browser plays in step: those of one seat, but a screen apart from a face.
func (d *DownTrack) StreamID() string {
	if d.up.Source == Screen || d.up.Source == ScreenAudio {
		return d.seat + "/screen"
	}
	return d.seat
}

// Kind is audio or video.
func (d *DownTrack) Kind() webrtc.RTPCodecType { return d.up.remote.Kind() }

// write sends one packet. Sequence numbers and timestamps are the publisher's, so that a gap stays a gap
// and the subscriber asks for it.
func (d *DownTrack) write(header rtp.Header, payload []byte) {
	b := d.bound.Load()
	if b == nil {
		return
	}
	header.SSRC, header.PayloadType = b.ssrc, b.payloadType
	n, err := b.out.WriteRTP(&header, payload)
	if err != nil {
		d.counts.packetsLost.Add(1)
		return
	}
	d.counts.packetsOut.Add(1)
	d.counts.bytesOut.Add(uint64(n))
}

// readRTCP serves the subscriber's reports until the track is removed: NACK is answered by the interceptor
// that this reading drives, requests for a key frame go on to the publisher.
func (d *DownTrack) readRTCP() {
	for {
		packets, _, err := d.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				d.up.RequestKeyFrame()
			}
		}
	}
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
