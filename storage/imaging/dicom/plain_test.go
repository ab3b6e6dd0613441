package dicom

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestABigEndianHeadSaysTheSameInLittleEndian(t *testing.T) {
	read := func(name string) *File {
		f, err := Read(bytes.NewReader(load(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	big, little := read("transfer-syntaxes/MR_small_bigendian.dcm"), read("transfer-syntaxes/MR_small.dcm")
	big.Data.put(Element{Tag: 0x00081140, VR: "SQ", Items: []Dataset{{Order: binary.BigEndian, Elements: []Element{
		{Tag: 0x00280009, VR: "AT", Value: []byte{0x00, 0x18, 0x10, 0x63}}, {Tag: 0x00720072, VR: "FL", Value: []byte{1, 2, 3, 4}}}}}})
	before := big.Data.Int(Rows, 0)
	plain := big.Plain(0)
	if plain.TransferSyntax != ExplicitLE || plain.Data.Order != binary.LittleEndian || big.Data.Int(Rows, 0) != before {
		t.Fatalf("%s, and the file itself has %d rows, had %d", plain.TransferSyntax, big.Data.Int(Rows, 0), before)
	}
	inner := plain.Data.Find(0x00081140).Items[0].Elements
	if !bytes.Equal(inner[0].Value, []byte{0x18, 0x00, 0x63, 0x10}) || !bytes.Equal(inner[1].Value, []byte{4, 3, 2, 1}) {
		t.Errorf("in a sequence: % x, % x", inner[0].Value, inner[1].Value)
	}
	same := 0
	for _, e := range little.Data.Elements {
		if is := plain.Data.Find(e.Tag); is != nil && uint16(e.Tag) != 0 && size(e.VR) > 0 {
			if same++; !bytes.Equal(is.Value, e.Value) {
				t.Errorf("(%s) is % x, want % x", e.Tag, is.Value, e.Value)
			}
		}
	}
	if same < 8 {
		t.Errorf("only %d numbers compared", same)
	}
}

func TestWhatWasLostStaysSaid(t *testing.T) {
	short := func(tag Tag, n byte) Element { return Element{Tag: tag, VR: "US", Value: []byte{n, 0}} }
	for _, c := range []struct {
		syntax, kind, said, ratio, method string
		want                              string // colours, lossy, ratio, method
	}{
		{JPEG, "YBR_FULL_422", "", "", "", "RGB 01 15.00 ISO_10918_1"},
		{JPEG, "YBR_FULL_422", "01", "12.5", "ISO_10918_1", "RGB 01 12.5 ISO_10918_1"},
		{JPEG, "RGB", "00", "", "", "RGB 01 15.00 ISO_10918_1"},
		{"1.2.840.10008.1.2.4.91", "YBR_ICT", "01", "12.5", "ISO_10918_1", `RGB 01 12.5\15.00 ISO_10918_1\ISO_15444_1`},
		{"1.2.840.10008.1.2.4.91", "YBR_RCT", "00", "", "", "RGB 00  "},
		{"1.2.840.10008.1.2.4.203", "YBR_FULL", "", "", "", "YBR_FULL 01 15.00 ISO_15444_15"},
		{"1.2.840.10008.1.2.4.90", "YBR_RCT", "", "", "", "RGB   "},
		{RLE, "YBR_FULL", "", "", "", "YBR_FULL   "},
	} {
		f := &File{TransferSyntax: c.syntax, Data: Dataset{Order: binary.LittleEndian, Elements: []Element{short(samplesPerPixel, 3), text(photometric, c.kind),
			text(NumberOfFrames, "5"), short(Rows, 10), short(Columns, 10), short(BitsAllocated, 8), text(lossyCompression, c.said),
			text(lossyCompressionRatio, c.ratio), text(lossyCompressionMethod, c.method), {Tag: extendedOffsetTable, VR: "OV", Value: make([]byte, 40)}}}}
		p := f.Plain(100)
		got := strings.Join([]string{p.Data.Text(photometric), p.Data.Text(lossyCompression), strings.Join(p.Data.Texts(lossyCompressionRatio), `\`),
			strings.Join(p.Data.Texts(lossyCompressionMethod), `\`)}, " ")
		if got != c.want || p.Data.Int(planarConfiguration, 9) != 0 || p.Data.Find(extendedOffsetTable) != nil || p.PlainFrame() != 300 {
			t.Errorf("%s %s %q: %q, want %q", c.syntax, c.kind, c.said, got, c.want)
		}
	}
}
