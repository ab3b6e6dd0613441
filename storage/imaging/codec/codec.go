// Package codec decodes compressed frames that the standard library has no decoder for: JPEG-LS (ITU-T T.87), lossless
// JPEG and 12-bit JPEG (T.81). Of JPEG 2000 (T.800, T.814) it reads the size; package worker has it decoded by OpenJPEG.
//
// Frames come from outside and nobody vouches for them. A decoder looks at the size in the frame's own header before it
// allocates, reads no byte twice, and ends with an error where bits are missing. It may still take long or much memory
// for a large picture: Pool runs it in a process of its own.
package codec

import (
	"errors"
	"fmt"
)

// MaxSamples bounds a decoded frame: 4096 x 4096 in three colours.
const MaxSamples = 3 << 24

// Shape is the size of a frame.
type Shape struct{ Width, Height, Components int }

// Picture is a decoded frame.
type Picture struct {
	Shape
	Bits int      // of a sample as coded
	Pix  []uint16 // by pixel, then component; what of JPEG 2000 is signed as two's complement
}

// ErrUnknown says that no decoder here knows the transfer syntax.
var ErrUnknown = errors.New("no decoder for this transfer syntax")

// decoders by transfer syntax UID (PS3.6 A-2).
var decoders = map[string]func([]byte) (*Picture, error){
	"1.2.840.10008.1.2.4.51": decodeJPEG,
	"1.2.840.10008.1.2.4.57": decodeJPEG,
	"1.2.840.10008.1.2.4.70": decodeJPEG,
	"1.2.840.10008.1.2.4.80": decodeJPEGLS,
	"1.2.840.10008.1.2.4.81": decodeJPEGLS,
}

// Knows reports whether frames in the transfer syntax can be decoded.
func Knows(syntax string) bool { return decoders[syntax] != nil }

// Decode decodes one frame.
func Decode(syntax string, frame []byte) (*Picture, error) {
	decode := decoders[syntax]
	if decode == nil {
		return nil, ErrUnknown
	}
	return decode(frame)
}

// check refuses sizes that no frame has, before anything is allocated.
func (s Shape) check(bits int) error {
	switch {
	case s.Width < 1 || s.Height < 1 || s.Width > 1<<16 || s.Height > 1<<16 || s.Width*s.Height > MaxSamples/s.Components:
		return fmt.Errorf("a picture of %d x %d", s.Width, s.Height)
	case bits < 2 || bits > 16:
		return fmt.Errorf("samples of %d bits", bits)
	}
	return nil
}

func newPicture(width, height, components, bits int) (*Picture, error) {
	s := Shape{width, height, components}
	if err := s.check(bits); err != nil {
		return nil, err
	}
	return &Picture{s, bits, make([]uint16, width*height*components)}, nil
}

var errShort = errors.New("the frame ends early")

// segment is a marker of a JPEG or JPEG-LS stream with its parameters.
type segment struct {
	marker byte
	body   []byte
}

// markers walks the segments of a stream. Entropy-coded data are handed out by rest.
type markers struct {
	data []byte
	at   int
}

// next is the following segment; markers without parameters have an empty body.
func (m *markers) next() (segment, error) {
	for m.at < len(m.data) && m.data[m.at] != 0xFF { // what lies between entropy-coded data and the next marker
		m.at++
	}
	for m.at < len(m.data) && m.data[m.at] == 0xFF { // fill bytes: T.81 B.1.1.2
		m.at++
	}
	if m.at >= len(m.data) {
		return segment{}, errShort
	}
	s := segment{marker: m.data[m.at]}
	m.at++
	if s.marker == 0xD8 || s.marker == 0xD9 || s.marker == 0 || s.marker >= 0xD0 && s.marker <= 0xD7 {
		return s, nil
	}
	if m.at+2 > len(m.data) {
		return s, errShort
	}
	n := int(m.data[m.at])<<8 | int(m.data[m.at+1])
	if n < 2 || m.at+n > len(m.data) {
		return s, errShort
	}
	s.body = m.data[m.at+2 : m.at+n]
	m.at += n
	return s, nil
}
