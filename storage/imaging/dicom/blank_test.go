package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

func TestWhatLiesInABoxIsBlankInEachFrame(t *testing.T) {
	short := func(n byte) []byte { return []byte{n, 0} }
	of := func(samples, bits, planar byte, kind string) Dataset {
		return Dataset{Elements: []Element{{Tag: samplesPerPixel, VR: "US", Value: short(samples)}, {Tag: photometric, VR: "CS", Value: []byte(kind)},
			{Tag: planarConfiguration, VR: "US", Value: short(planar)}, {Tag: Rows, VR: "US", Value: short(2)}, {Tag: Columns, VR: "US", Value: short(3)},
			{Tag: BitsAllocated, VR: "US", Value: short(bits)}}, Order: binary.LittleEndian}
	}
	box := []Box{{X: 1, Y: 1, Width: 9, Height: 1}} // over the edge
	for _, c := range []struct {
		story    string
		data     Dataset
		in, want string
	}{
		{"two grey frames and a byte of padding", of(1, 8, 0, "MONOCHROME2"), "abcdefghijkl.", "abcd\x00\x00ghij\x00\x00."},
		{"16 bits", of(1, 16, 0, "MONOCHROME2"), "AaBbCcDdEeFf", "AaBbCcDd\x00\x00\x00\x00"},
		{"colours by pixel", of(3, 8, 0, "RGB"), "rgbrgbrgbRGBRGBRGB", "rgbrgbrgbRGB\x00\x00\x00\x00\x00\x00"},
		{"light and colour by pixel", of(3, 8, 0, "YBR_FULL"), "ybrybrybrYBRYBRYBR", "ybrybrybrYBR\x00\x80\x80\x00\x80\x80"},
		{"light and colour by plane", of(3, 8, 1, "YBR_FULL"), "yyyYYYbbbBBBrrrRRR", "yyyY\x00\x00bbbB\x80\x80rrrR\x80\x80"},
		{"colours by plane", of(3, 8, 1, "RGB"), "rrrRRRgggGGGbbbBBB", "rrrR\x00\x00gggG\x00\x00bbbB\x00\x00"},
	} {
		var out bytes.Buffer
		if err := Blank(&out, bytes.NewReader([]byte(c.in)), int64(len(c.in)), c.data, box); err != nil || out.String() != c.want {
			t.Errorf("%s: %q %v", c.story, out.String(), err)
		}
	}
	if err := Blank(io.Discard, bytes.NewReader(nil), 0, of(3, 8, 0, "YBR_FULL_422"), box); !errors.Is(err, ErrNotDrawn) {
		t.Errorf("shared colours: %v", err)
	}
	if err := Blank(io.Discard, bytes.NewReader([]byte("abc")), 12, of(1, 8, 0, "MONOCHROME2"), box); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("pixels that break off: %v", err)
	}
}
