// Package rtpmap reads from a packet what a forwarder has to know (is it the start of a key frame, which layer
// is it of) and rewrites what a receiver counts: sequence numbers, timestamps, picture numbers. Dropped layers, pauses and
// changes between simulcast streams then look to the receiver like one unbroken stream.
//
// The package is pure: no clock, no lock, no goroutine; nothing allocates per packet. A value is used by one
// goroutine at a time.
package rtpmap

import "strings"

// Codec says how payloads are read.
type Codec uint8

// The codecs. Opaque stands for all whose packets are forwarded as they are: each may be a start.
const (
	Opaque Codec = iota
	Opus
	VP8
	VP9
	H264
	AV1
)

// CodecOf finds the codec of a MIME type such as "video/VP8".
func CodecOf(mime string) Codec {
	switch strings.ToLower(mime) {
	case "audio/opus":
		return Opus
	case "video/vp8":
		return VP8
	case "video/vp9":
		return VP9
	case "video/h264":
		return H264
	case "video/av1":
		return AV1
	}
	return Opaque
}

// Look is what one packet says about its frame. The zero Look is a packet without media, such as padding.
type Look struct {
	Media bool // it carries media; what does not is never forwarded
	Key   bool // decoding may begin with this packet
	Start bool // first packet of a frame (of one spatial layer)
	End   bool // last packet of a frame (of one spatial layer)
	// Marker is the RTP marker: the last packet of a picture with all its layers.
	Marker bool

	Spatial, Temporal uint8
	// Switch: who received the lower temporal layers alone may receive this one from here on.
	Switch bool

	Picture    uint16 // VP8 and VP9 picture id; meaning only if PictureAt > 0
	TL0        uint8  // VP8 and VP9 TL0PICIDX; meaning only if TL0At > 0
	PictureAt  uint8  // where in the payload the picture id begins, 0 when there is none
	PictureLen uint8  // its bytes: 1 (7 bits) or 2 (15 bits)
	TL0At      uint8  // where the TL0PICIDX is, 0 when there is none
}

// Look reads a payload. What it cannot understand is a Look without Media. For AV1 the layers are in the
// dependency descriptor: see Descriptor.
func (c Codec) Look(payload []byte, marker bool) Look {
	l := Look{Marker: marker}
	if len(payload) == 0 {
		return l
	}
	ok := true
	switch c {
	case VP8:
		ok = l.vp8(payload)
	case VP9:
		ok = l.vp9(payload)
	case H264:
		ok = l.h264(payload)
	case AV1:
		l.av1(payload)
	default:
		l.Key, l.Start, l.End = true, true, true
	}
	if !ok {
		return Look{Marker: marker}
	}
	l.Media = true
	return l
}

// vp8 reads the payload descriptor of RFC 7741 §4.2.
func (l *Look) vp8(p []byte) bool {
	at := 1
	temporal := true
	if p[0]&0x80 != 0 { // X
		if len(p) < 2 {
			return false
		}
		x := p[1]
		at = 2
		if x&0x80 != 0 && !l.picture(p, &at) { // I
			return false
		}
		if x&0x40 != 0 { // L
			if len(p) <= at {
				return false
			}
			l.TL0At, l.TL0 = uint8(at), p[at]
			at++
		}
		if x&0x30 != 0 { // T or K
			if len(p) <= at {
				return false
			}
			if x&0x20 != 0 {
				l.Temporal, temporal = p[at]>>6, p[at]&0x20 != 0 // TID, Y
			}
			at++
		}
	}
	if len(p) <= at {
		return false
	}
	l.Start = p[0]&0x10 != 0 && p[0]&0x07 == 0 // S, PID 0
	l.End = l.Marker
	l.Key = l.Start && p[at]&1 == 0 // P of the frame header, §4.3
	l.Switch = l.Temporal == 0 || temporal
	return true
}

// vp9 reads the payload descriptor of RFC 9628 §4.2.
func (l *Look) vp9(p []byte) bool {
	const i, inter, layers, flexible, begin, end = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04
	d, at := p[0], 1
	if d&i != 0 && !l.picture(p, &at) {
		return false
	}
	l.Switch = true
	if d&layers != 0 {
		if len(p) <= at {
			return false
		}
		b := p[at]
		at++
		l.Temporal, l.Spatial = b>>5, b>>1&7
		l.Switch = l.Temporal == 0 || b&0x10 != 0 // U
		if d&flexible == 0 {
			if len(p) <= at {
				return false
			}
			l.TL0At, l.TL0 = uint8(at), p[at]
			at++
		}
	}
	if len(p) <= at {
		return false
	}
	l.Start, l.End = d&begin != 0, d&end != 0
	l.Key = l.Start && d&inter == 0 && l.Spatial == 0
	return true
}

// picture reads a picture id of 7 or 15 bits, which VP8 and VP9 write alike.
func (l *Look) picture(p []byte, at *int) bool {
	if len(p) <= *at {
		return false
	}
	l.PictureAt, l.PictureLen, l.Picture = uint8(*at), 1, uint16(p[*at]&0x7f)
	if p[*at]&0x80 != 0 {
		if len(p) <= *at+1 {
			return false
		}
		l.PictureLen, l.Picture = 2, l.Picture<<8|uint16(p[*at+1])
	}
	*at += int(l.PictureLen)
	return true
}

// h264 reads the NAL unit headers of RFC 6184 §5: single units, STAP-A and FU-A. A decoder may begin where a sequence
// parameter set or an IDR slice begins.
func (l *Look) h264(p []byte) bool {
	const idr, sps, stapA, fuA = 5, 7, 24, 28
	key := func(nal byte) bool { return nal&0x1f == idr || nal&0x1f == sps }
	l.End, l.Switch = l.Marker, true
	switch p[0] & 0x1f {
	case stapA:
		l.Start = true
		for at := 1; at < len(p); {
			if len(p) < at+3 {
				return false
			}
			size := int(p[at])<<8 | int(p[at+1])
			if size == 0 || len(p) < at+2+size {
				return false
			}
			l.Key = l.Key || key(p[at+2])
			at += 2 + size
		}
		return len(p) > 1
	case fuA:
		if len(p) < 3 {
			return false
		}
		l.Start = p[1]&0x80 != 0
		l.Key = l.Start && key(p[1])
	default:
		l.Start = true
		l.Key = key(p[0])
	}
	return true
}

// av1 reads the aggregation header (RTP payload format for AV1 §4.4): N says that a coded video sequence begins, Z that
// the packet continues a unit of the one before.
func (l *Look) av1(p []byte) {
	const continues, sequence = 0x80, 0x08
	l.Start = p[0]&continues == 0
	l.Key = l.Start && p[0]&sequence != 0
	l.End, l.Switch = l.Marker, true
}

// Rewrite writes picture numbers over those of a payload that l was read from; a number it does not have is left out.
func (l *Look) Rewrite(payload []byte, picture uint16, tl0 uint8) {
	if at := int(l.PictureAt); at > 0 && len(payload) > at+int(l.PictureLen)-1 {
		if l.PictureLen == 2 {
			payload[at], payload[at+1] = 0x80|byte(picture>>8)&0x7f, byte(picture)
		} else {
			payload[at] = byte(picture) & 0x7f
		}
	}
	if at := int(l.TL0At); at > 0 && len(payload) > at {
		payload[at] = tl0
	}
}

// Silent says that an Opus payload is a silence descriptor of DTX (RFC 6716 §2.1.9: frames of 0 or 1 byte after the TOC).
func Silent(opus []byte) bool { return len(opus) <= 2 }
