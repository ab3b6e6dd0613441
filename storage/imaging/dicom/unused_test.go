package dicom

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestOnlyTheBitsOfASampleAreUsed(t *testing.T) {
	of := func(allocated, stored, high, signed int) Dataset {
		var all []Element
		for _, e := range []struct {
			tag Tag
			n   int
		}{{BitsAllocated, allocated}, {bitsStored, stored}, {highBit, high}, {pixelRepresentation, signed}} {
			all = append(all, Element{Tag: e.tag, VR: "US", Value: binary.LittleEndian.AppendUint16(nil, uint16(e.n))})
		}
		return Dataset{Elements: all, Order: binary.LittleEndian}
	}
	for _, c := range []struct {
		story    string
		data     Dataset
		in, want []uint16
	}{
		{"an overlay above 12 bits", of(16, 12, 11, 0), []uint16{0x1ABC, 0xFFFF, 0x8000}, []uint16{0x0ABC, 0x0FFF, 0}},
		{"an overlay above 12 signed bits", of(16, 12, 11, 1), []uint16{0x1ABC, 0xF7FF, 0x0800}, []uint16{0xFABC, 0x07FF, 0xF800}},
		{"an overlay below 12 bits", of(16, 12, 15, 0), []uint16{0xABC1, 0xFFFF}, []uint16{0xABC0, 0xFFF0}},
		{"above and below", of(16, 8, 11, 0), []uint16{0xFFFF}, []uint16{0x0FF0}},
		{"above 7 bits of 8", of(8, 7, 6, 0), []uint16{0xFF81}, []uint16{0x7F01}},
		{"all bits are used", of(16, 16, 15, 0), []uint16{0xFFFF}, []uint16{0xFFFF}},
		{"more bits than there are", of(16, 17, 16, 0), []uint16{0xFFFF}, []uint16{0xFFFF}},
	} {
		bytesOf := func(all []uint16) (b []byte) {
			for _, v := range all {
				b = binary.LittleEndian.AppendUint16(b, v)
			}
			return b
		}
		got, err := io.ReadAll(Used(iotest.OneByteReader(bytes.NewReader(bytesOf(c.in))), c.data))
		if err != nil || !bytes.Equal(got, bytesOf(c.want)) {
			t.Errorf("%s: %x, want %x, %v", c.story, got, bytesOf(c.want), err)
		}
	}
	long := strings.Repeat("\xFF\xFF\xFF\xFF", 10000) + "\xFF" // a byte too many stays
	got, err := io.ReadAll(Used(strings.NewReader(long), of(32, 24, 23, 0)))
	if want := append(bytes.Repeat([]byte{0xFF, 0xFF, 0xFF, 0}, 10000), 0xFF); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := io.ReadAll(Used(iotest.ErrReader(io.ErrClosedPipe), of(16, 12, 11, 0))); err != io.ErrClosedPipe {
		t.Errorf("a store that is away: %v", err)
	}
}
