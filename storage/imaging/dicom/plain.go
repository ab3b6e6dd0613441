package dicom

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

const (
	lossyCompression       Tag = 0x00282110
	lossyCompressionRatio  Tag = 0x00282112
	lossyCompressionMethod Tag = 0x00282114
)

// lossyMethods of the transfer syntaxes that may lose something, and whether they always do (PS3.3 C.7.6.1.1.5.1).
var lossyMethods = map[string]struct {
	method string
	always bool
}{
	JPEG:                      {"ISO_10918_1", true},
	JPEGExt:                   {"ISO_10918_1", true},
	"1.2.840.10008.1.2.4.81":  {"ISO_14495_1", false},
	"1.2.840.10008.1.2.4.91":  {"ISO_15444_1", false},
	"1.2.840.10008.1.2.4.203": {"ISO_15444_15", false},
}

// Plain is the head of the file for its pictures in explicit little endian: frames that were compressed as Samples,
// LittleEndian or a decoder of codec gives them, others with their words turned. stored is how many bytes all compressed frames
// have. What was lost once stays said (PS3.3 C.7.6.1.1.5), and is said where a syntax may lose and the file is
// silent. f itself stays as it is.
func (f *File) Plain(stored int64) *File {
	plain := &File{Meta: f.Meta, Data: f.Data.littleEndian(), TransferSyntax: ExplicitLE, Pixels: f.Pixels}
	if Native(f.TransferSyntax) {
		return plain
	}
	d := &plain.Data
	samples := d.Int(samplesPerPixel, 1)
	if samples > 1 {
		switch kind := d.Text(photometric); {
		case kind == "YBR_RCT" || kind == "YBR_ICT" || f.TransferSyntax == JPEG || f.TransferSyntax == JPEGExt:
			d.put(text(photometric, "RGB"))
		case kind == "YBR_FULL_422":
			d.put(text(photometric, "YBR_FULL"))
		}
		planes := byte(0)
		if f.TransferSyntax == RLE && d.Int(planarConfiguration, 0) == 1 {
			planes = 1
		}
		d.put(Element{Tag: planarConfiguration, VR: "US", Value: []byte{planes, 0}})
	}
	said := d.Text(lossyCompression)
	if lossy, ok := lossyMethods[f.TransferSyntax]; ok && (lossy.always || said != "00") {
		ratios, methods := d.Texts(lossyCompressionRatio), d.Texts(lossyCompressionMethod)
		if !slices.Contains(methods, lossy.method) { // one value of each for every time that something was lost
			methods = append(methods, lossy.method)
		}
		if len(ratios) < len(methods) {
			ratio := float64(plain.PlainFrame()) * float64(d.Int(NumberOfFrames, 1)) / float64(max(stored, 1))
			ratios = append(ratios, strconv.FormatFloat(ratio, 'f', 2, 64))
		}
		d.put(text(lossyCompression, "01"))
		d.put(text(lossyCompressionRatio, strings.Join(ratios, `\`)))
		d.put(text(lossyCompressionMethod, strings.Join(methods, `\`)))
	}
	return plain
}

// PlainFrame is the size in bytes of a frame that Plain is the head of.
func (f *File) PlainFrame() int64 { return frameBits(f.Data) / 8 }

// PixelElement is the beginning of the pixel element of Plain, up to its value of so many bytes.
func (f *File) PixelElement(length int64) []byte {
	vr := "OB"
	if f.Data.Int(BitsAllocated, 8) > 8 {
		vr = "OW"
	}
	return binary.LittleEndian.AppendUint32([]byte{0xE0, 0x7F, 0x10, 0x00, vr[0], vr[1], 0, 0}, uint32(length))
}

// put sets an element in its place.
func (d *Dataset) put(e Element) {
	if old := d.Find(e.Tag); old != nil {
		*old = e
		return
	}
	at, _ := slices.BinarySearchFunc(d.Elements, e, byTag)
	d.Elements = slices.Insert(d.Elements, at, e)
}

// littleEndian is a copy of the data set with numbers in little endian and without what says where compressed frames lie.
func (d Dataset) littleEndian() Dataset {
	out := Dataset{Order: binary.LittleEndian}
	for _, e := range d.Elements {
		if e.Tag == extendedOffsetTable || e.Tag == extendedOffsetLengths {
			continue
		}
		if d.Order == binary.BigEndian {
			width := max(size(e.VR), WordOf(e.VR))
			if e.VR == "AT" { // two numbers
				width = 2
			}
			e.Value = bytes.Clone(e.Value)
			Swap(e.Value, width)
			items := e.Items
			e.Items = nil
			for _, it := range items {
				e.Items = append(e.Items, it.littleEndian())
			}
		}
		out.Elements = append(out.Elements, e)
	}
	return out
}
