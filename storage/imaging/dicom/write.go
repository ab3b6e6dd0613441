package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Rewrite returns the file raw with the texts in set in place of what stood there: a demo study gets the name of a
// demo person. All text becomes UTF-8; the pixels stay byte for byte. Little endian files only.
func Rewrite(raw []byte, set map[Tag]string) ([]byte, error) {
	f, err := Read(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if f.Data.Order != binary.LittleEndian || Deflated(f.TransferSyntax) {
		return nil, errors.New("only little endian files can be rewritten")
	}
	e := encoder{explicit: f.TransferSyntax != ImplicitLE}
	if err := e.dataset(f.Data, charset{}, set); err != nil {
		return nil, err
	}
	if f.Pixels != nil {
		e.out = append(e.out, raw[f.Pixels.Element:]...)
	}
	changed := map[Tag]string{}
	if uid, ok := set[SOPInstanceUID]; ok {
		changed[MediaStorageSOPInstanceUID] = uid
	}
	head, err := fileHead(f.Meta, changed)
	return append(head, e.out...), err
}

// Compose makes a file in explicit little endian from values as they lie in such a file: texts in UTF-8, numbers in
// their bytes. pixels is of 16 bits a sample; nil makes an object without a picture.
func Compose(values map[Tag]string, pixels []byte) ([]byte, error) {
	head, err := fileHead(Dataset{Order: binary.LittleEndian}, map[Tag]string{TransferSyntaxUID: ExplicitLE,
		MediaStorageSOPClassUID: values[SOPClassUID], MediaStorageSOPInstanceUID: values[SOPInstanceUID]})
	if err != nil {
		return nil, err
	}
	e := encoder{out: head, explicit: true}
	if err := e.dataset(Dataset{Order: binary.LittleEndian}, charset{}, values); err != nil {
		return nil, err
	}
	if pixels != nil {
		err = e.element(Element{Tag: PixelData, VR: "OW", Value: pixels}, charset{}, nil)
	}
	return e.out, err
}

// fileHead is preamble, mark and file meta information (PS3.10 §7.1) with the texts in set in place of what stood there.
func fileHead(d Dataset, set map[Tag]string) ([]byte, error) {
	meta := encoder{explicit: true}
	if len(d.Elements) > 0 && uint16(d.Elements[0].Tag) == 0 { // its length is written anew below
		d.Elements = d.Elements[1:]
	}
	if err := meta.elements(d, charset{}, set); err != nil {
		return nil, err
	}
	out := append(make([]byte, 128), "DICM"...)
	out = append(out, 2, 0, 0, 0, 'U', 'L', 4, 0)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(meta.out)))
	return append(out, meta.out...), nil
}

// Explicit is the head of an implicit file, which f is, in explicit little endian: the same values, not a text is changed. Pixels of length
// bytes are to follow as they lie, where tag isn't 0.
func (f *File) Explicit(tag Tag, length uint32) ([]byte, error) {
	out, err := fileHead(f.Meta, map[Tag]string{TransferSyntaxUID: ExplicitLE})
	if err != nil {
		return nil, err
	}
	e := encoder{out: out, explicit: true, same: true}
	if err := e.elements(f.Data, charset{}, nil); err != nil {
		return nil, err
	}
	if tag != 0 {
		vr := VROf(tag)
		if tag == PixelData {
			vr = "OW" // PS3.5 A.1: what implicit pixels are
		}
		e.head(tag, vr)
		e.out = binary.LittleEndian.AppendUint32(append(e.out, 0, 0), length)
	}
	return e.out, nil
}

type encoder struct {
	out      []byte
	explicit bool
	gb       bool // texts in GB18030, else in UTF-8
	same     bool // texts and their character set as they are
}

// charset is the value of Specific Character Set.
func (e *encoder) charset() string {
	if e.gb {
		return "GB18030"
	}
	return "ISO_IR 192"
}

// text is s, which is UTF-8, as it is written.
func (e *encoder) text(vr string, s string) []byte {
	if !e.gb || !isText(vr) {
		return []byte(s)
	}
	b, err := encoding.ReplaceUnsupported(simplifiedchinese.GB18030.NewEncoder()).String(s)
	if err != nil {
		panic(err) // what is no UTF-8 is replaced
	}
	return []byte(b)
}

// dataset writes d with set in its place among the tags.
func (e *encoder) dataset(d Dataset, parent charset, set map[Tag]string) error {
	with := make(map[Tag]string, len(set)+1)
	for t, s := range set {
		with[t] = s
	}
	with[SpecificCharacterSet] = e.charset()
	return e.elements(d, d.charset(&parent), with)
}

func (e *encoder) elements(d Dataset, c charset, set map[Tag]string) error {
	all := make([]Element, 0, len(d.Elements)+len(set))
	for _, el := range d.Elements {
		if _, replaced := set[el.Tag]; !replaced && uint16(el.Tag) != 0 { // group lengths would be wrong now
			all = append(all, el)
		}
	}
	for t, s := range set {
		all = append(all, Element{Tag: t, VR: VROf(t), Value: padded(VROf(t), e.text(VROf(t), s))})
	}
	sorted := Dataset{Elements: all}
	if err := sorted.sort(&parser{}); err != nil {
		return err
	}
	for _, el := range sorted.Elements {
		if err := e.element(el, c, set); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) element(el Element, c charset, set map[Tag]string) error {
	value := el.Value
	switch _, replaced := set[el.Tag]; {
	case el.icon:
		return nil // its bytes were not kept; a file without its icon is whole
	case el.VR == "SQ":
		in := encoder{}
		for _, it := range el.Items {
			one := encoder{explicit: e.explicit, gb: e.gb, same: e.same}
			if err := one.elements(it, it.charset(&c), e.charsetOf(it)); err != nil {
				return err
			}
			in.out = append(in.out, 0xFE, 0xFF, 0x00, 0xE0)
			in.out = binary.LittleEndian.AppendUint32(in.out, uint32(len(one.out)))
			in.out = append(in.out, one.out...)
		}
		value = in.out
	case replaced || e.same:
	case isText(el.VR):
		value = padded(el.VR, e.text(el.VR, c.decode(el.Value)))
	}
	if !e.explicit {
		e.head(el.Tag, "")
		e.out = binary.LittleEndian.AppendUint32(e.out, uint32(len(value)))
		e.out = append(e.out, value...)
		return nil
	}
	if e.same && len(value) > 0xFFFE {
		switch el.VR {
		case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UR", "UT", "UV":
		default: // PS3.5 §6.2.2: what is too long for its type in explicit files
			el.VR = "UN"
		}
	}
	e.head(el.Tag, el.VR)
	switch el.VR {
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		e.out = append(e.out, 0, 0)
		e.out = binary.LittleEndian.AppendUint32(e.out, uint32(len(value)))
	default:
		if len(value) > 0xFFFE {
			return fmt.Errorf("attribute (%s) is too long for its type", el.Tag)
		}
		e.out = binary.LittleEndian.AppendUint16(e.out, uint16(len(value)))
	}
	e.out = append(e.out, value...)
	return nil
}

func (e *encoder) head(t Tag, vr string) {
	e.out = binary.LittleEndian.AppendUint16(e.out, t.group())
	e.out = binary.LittleEndian.AppendUint16(e.out, uint16(t))
	e.out = append(e.out, vr...)
}

// charsetOf replaces an item's own declaration, if it has one.
func (e *encoder) charsetOf(d Dataset) map[Tag]string {
	if e.same || d.Find(SpecificCharacterSet) == nil {
		return nil
	}
	return map[Tag]string{SpecificCharacterSet: e.charset()}
}

func isText(vr string) bool {
	switch vr {
	case "SH", "LO", "ST", "LT", "UC", "UT", "PN":
		return true
	}
	return false
}

// padded to an even length: UIDs with NUL, texts with a space (PS3.5 §6.2).
func padded(vr string, b []byte) []byte {
	if len(b)%2 == 0 {
		return b
	}
	if vr == "UI" {
		return append(b, 0)
	}
	return append(b, ' ')
}
