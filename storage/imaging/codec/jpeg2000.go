package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// JPEG2000 reports whether frames in the transfer syntax are JPEG 2000 codestreams of one picture each: Part 1 (ITU-T
// T.800) and high throughput (T.814). Part 2 (….92, ….93) is not among them: a codestream there may hold several frames.
func JPEG2000(syntax string) bool {
	switch syntax {
	case "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
		"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203":
		return true
	}
	return false
}

// Codestream is what JPEG 2000 says of a picture before its data, and the data. Made by FindCodestream.
type Codestream struct {
	Shape
	Bits   int
	Signed bool
	Bytes  []byte
}

var errNoCodestream = errors.New("no JPEG 2000 codestream")

// FindCodestream reads the size that leads a frame's codestream (T.800 A.5.1). It cuts the codestream out of the file
// that some equipment wraps it into (T.800 annex I), although PS3.5 A.4.4 wants it bare; what colours that file speaks of
// is not asked, the data set says it.
func FindCodestream(frame []byte) (*Codestream, error) {
	b := frame
	if len(b) >= 8 && string(b[4:8]) == "jP  " {
		b = nil
		for rest := frame; len(rest) >= 8; {
			head, n := uint64(8), uint64(binary.BigEndian.Uint32(rest))
			if n == 1 && len(rest) >= 16 {
				head, n = 16, binary.BigEndian.Uint64(rest[8:])
			} else if n == 0 { // to the end
				n = uint64(len(rest))
			}
			if n < head || n > uint64(len(rest)) {
				return nil, errShort
			}
			if string(rest[4:8]) == "jp2c" {
				b = rest[head:n]
				break
			}
			rest = rest[n:]
		}
	}
	if len(b) < 45 || string(b[:4]) != "\xFF\x4F\xFF\x51" {
		return nil, errNoCodestream
	}
	at := func(i int) int { return int(binary.BigEndian.Uint32(b[i:])) }
	components := int(binary.BigEndian.Uint16(b[40:]))
	if components != 1 && components != 3 || len(b) < 42+3*components {
		return nil, fmt.Errorf("a picture of %d components", components)
	}
	for i := range components { // precision less one, with the sign in front; sampling across and down
		if c := b[42+3*i:]; c[0] != b[42] || c[1] != 1 || c[2] != 1 {
			return nil, errors.New("components that differ in depth or size")
		}
	}
	c := &Codestream{Shape{at(8) - at(16), at(12) - at(20), components}, int(b[42]&0x7F) + 1, b[42]>>7 == 1, b}
	return c, c.check(c.Bits)
}

// Size is the length in bytes of what Picture takes.
func (c *Codestream) Size() int { return c.Width * c.Height * c.Components * ((c.Bits + 7) / 8) }

// Picture puts together what opj_decompress writes as raw: the components one after the other, their samples in one byte
// or two of the machine's order. Signed samples come out as 16 bits, however few they have.
func (c *Codestream) Picture(planes []byte) (*Picture, error) {
	p, err := newPicture(c.Width, c.Height, c.Components, c.Bits)
	if err != nil {
		return nil, err
	}
	if len(planes) != c.Size() {
		return nil, errShort
	}
	n, spare := c.Width*c.Height, 16-c.Bits
	for i := range n * c.Components {
		var v uint16
		if c.Bits > 8 {
			v = binary.NativeEndian.Uint16(planes[2*i:])
		} else {
			v = uint16(planes[i])
		}
		if c.Signed {
			v = uint16(int16(v<<spare) >> spare)
		}
		p.Pix[i%n*c.Components+i/n] = v
	}
	return p, nil
}
