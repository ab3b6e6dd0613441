package sfu

import "encoding/binary"

// rtpHeader is what a forwarder has to know of an RTP packet's header (RFC 3550 §5.1).
type rtpHeader struct {
	marker    bool
	kind      uint8 // payload type
	sequence  uint16
	timestamp uint32
	ssrc      uint32
	payload   int // where the payload begins
	end       int // and where it ends, without padding; known when padding is in clear
	padded    bool

	extensions [16][2]uint16 // by id: where the value begins and ends; both 0 when it is not there
}

// parse reads the header. It trusts no length.
func (h *rtpHeader) parse(b []byte) bool {
	if len(b) < 12 || b[0]>>6 != 2 {
		return false
	}
	h.marker, h.kind = b[1]&0x80 != 0, b[1]&0x7f
	h.sequence = binary.BigEndian.Uint16(b[2:])
	h.timestamp = binary.BigEndian.Uint32(b[4:])
	h.ssrc = binary.BigEndian.Uint32(b[8:])
	h.padded = b[0]&0x20 != 0
	h.extensions = [16][2]uint16{}
	at := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < at+4 {
			return false
		}
		profile := binary.BigEndian.Uint16(b[at:])
		end := at + 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
		if len(b) < end {
			return false
		}
		if !h.elements(b, at+4, end, profile) {
			return false
		}
		at = end
	}
	h.payload, h.end = at, len(b)
	return at <= len(b)
}

// elements reads the one-byte and two-byte forms of RFC 8285 §4.
func (h *rtpHeader) elements(b []byte, at, end int, profile uint16) bool {
	long := profile>>4 == 0x100
	if profile != 0xbede && !long {
		return true // something else: of no use to us
	}
	for at < end {
		if b[at] == 0 {
			at++
			continue
		}
		var id, size int
		if long {
			if at+2 > end {
				return false
			}
			id, size = int(b[at]), int(b[at+1])
			at += 2
		} else {
			id, size = int(b[at]>>4), int(b[at]&0x0f)+1
			at++
			if id == 15 {
				return true
			}
		}
		if at+size > end {
			return false
		}
		if id < len(h.extensions) {
			h.extensions[id] = [2]uint16{uint16(at), uint16(at + size)}
		}
		at += size
	}
	return true
}

// extension gives the value with that id; nil when it is not there or the id is 0 (not agreed).
func (h *rtpHeader) extension(b []byte, id uint8) []byte {
	if id == 0 || int(id) >= len(h.extensions) {
		return nil
	}
	x := h.extensions[id]
	if x[1] == 0 {
		return nil
	}
	return b[x[0]:x[1]]
}

// unpad finds where the payload ends in the decrypted packet.
func (h *rtpHeader) unpad(b []byte) bool {
	h.end = len(b)
	if !h.padded {
		return true
	}
	if h.payload == len(b) {
		return false
	}
	n := int(b[len(b)-1])
	if n == 0 || n > len(b)-h.payload {
		return false
	}
	h.end -= n
	return true
}

// Extension identifiers, by URI.
const (
	uriMID        = "urn:ietf:params:rtp-hdrext:sdes:mid"                                       // RFC 9143
	uriRID        = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"                             // RFC 8852
	uriRepairRID  = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"                    // RFC 8852
	uriTWCC       = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" // and its feedback
	uriAudioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"                               // RFC 6464
	uriDescriptor = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

// rtpExtensions are the ids agreed on a connection; 0 is not agreed.
type rtpExtensions struct{ mid, rid, repairRID, twcc, level, descriptor uint8 }

func (x *rtpExtensions) set(uri string, id int) {
	if id < 1 || id > 14 {
		return
	}
	switch uri {
	case uriMID:
		x.mid = uint8(id)
	case uriRID:
		x.rid = uint8(id)
	case uriRepairRID:
		x.repairRID = uint8(id)
	case uriTWCC:
		x.twcc = uint8(id)
	case uriAudioLevel:
		x.level = uint8(id)
	case uriDescriptor:
		x.descriptor = uint8(id)
	}
}

// unwrap extends a 16 bit number to the 64 bit one that is nearest to the newest.
func unwrap(newest uint64, n uint16) uint64 {
	return newest + uint64(int64(int16(n-uint16(newest))))
}
