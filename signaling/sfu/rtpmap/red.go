package rtpmap

import "encoding/binary"

// MaxBlocks is how many older frames are read from or put into one RED packet.
const MaxBlocks = 8

// Limits of what a RED block can say of itself: how much older it is than the packet, in units of the codec's clock, and its size.
const (
	maxBlockAge  = 1 << 14
	maxBlockSize = 1 << 10
)

// Block is an older frame in a RED packet.
type Block struct {
	Age  uint32 // by how much it is older than the packet's timestamp, in units of the codec's clock
	Data []byte
}

// ReadRED takes a RED payload apart (RFC 2198 §3): the older frames are appended to room, the oldest first, of more than
// MaxBlocks only the newest; primary is the packet's own. The slices lie in the payload.
func ReadRED(room []Block, payload []byte) (older []Block, primary []byte, ok bool) {
	at, size := 0, 0
	for {
		if len(payload) <= at {
			return nil, nil, false
		}
		if payload[at]&0x80 == 0 { // F: no header follows
			at++
			break
		}
		if len(payload) < at+4 {
			return nil, nil, false
		}
		size += int(binary.BigEndian.Uint32(payload[at:]) & (maxBlockSize - 1))
		at += 4
	}
	if len(payload) <= at+size {
		return nil, nil, false
	}
	headers := at / 4
	for i := range headers {
		word := binary.BigEndian.Uint32(payload[4*i:])
		n := int(word & (maxBlockSize - 1))
		if headers-i <= MaxBlocks {
			room = append(room, Block{word >> 10 & (maxBlockAge - 1), payload[at : at+n]})
		}
		at += n
	}
	return room, payload[at:], true
}

// Fits says whether a frame can stand in a RED packet as an older one.
func (b Block) Fits() bool {
	return b.Age < maxBlockAge && len(b.Data) > 0 && len(b.Data) < maxBlockSize
}

// AppendRED writes a RED payload: older frames that fit, the oldest first, and the packet's own, all of one payload type.
func AppendRED(room []byte, kind uint8, older []Block, primary []byte) []byte {
	for _, b := range older {
		room = binary.BigEndian.AppendUint32(room, uint32(0x80|kind)<<24|b.Age<<10|uint32(len(b.Data)))
	}
	room = append(room, kind)
	for _, b := range older {
		room = append(room, b.Data...)
	}
	return append(room, primary...)
}
