package dicom

import (
	"bufio"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

const undefined = 0xFFFFFFFF

// Read reads a whole file from r. The error is a *Problem when the file is at fault, and then the file is what could be
// understood before; else it is r's own. A head, the bytes before File.Pixels.Element, is a file without pixels.
func Read(r io.Reader) (*File, error) {
	return ReadAsking(r, func() error { return nil })
}

// ReadAsking is Read that asks may once, before a head takes more memory than LightElements and LightMetadata; its error ends the reading.
func ReadAsking(r io.Reader, may func() error) (*File, error) {
	in := &input{r: r, sum: sha256.New()}
	p := &parser{src: bufio.NewReaderSize(in, 32<<10), order: binary.LittleEndian, explicit: true, may: may}
	f, err := p.file(in)
	if err != nil {
		if in.err != nil { // the sender's line broke, the file may be good
			return nil, in.err
		}
		return f, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, in.err
	}
	f.Size = in.n
	in.sum.Sum(f.SHA256[:0])
	return f, nil
}

// input counts and digests the file as it came, and remembers r's own error.
type input struct {
	r   io.Reader
	n   int64
	sum hash.Hash
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n += int64(n)
	in.sum.Write(p[:n])
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

type parser struct {
	src      *bufio.Reader
	pos      int64
	order    binary.ByteOrder
	explicit bool
	signed   bool // Pixel Representation was 1 in the last data set that had one

	elements, items, metadata, spelled int          // used up so far
	may                                func() error // nil when it was asked
	pixels                             *Pixels
	fragments                          []fragment
}

func (p *parser) problem(reason Reason, format string, args ...any) error {
	return &Problem{Reason: reason, Offset: p.pos, Say: fmt.Sprintf(format, args...)}
}

func (p *parser) file(in *input) (*File, error) {
	f := &File{}
	prefix, err := p.take(132, 132)
	if err != nil || string(prefix[128:]) != "DICM" {
		return f, p.problem(NotUnderstood, "no DICOM file: the mark DICM is missing after the preamble")
	}
	f.Data.Order = binary.LittleEndian
	if f.Meta, err = p.meta(); err != nil {
		return f, err
	}
	f.Begin = p.pos
	f.TransferSyntax = f.Meta.Text(TransferSyntaxUID)
	switch f.TransferSyntax {
	case "":
		return f, p.problem(NotUnderstood, "file meta information names no transfer syntax")
	case ImplicitLE:
		p.explicit = false
	case ExplicitBE:
		p.order = binary.BigEndian
	case DeflatedLE, jpipDeflated, jpipHTDeflated:
		p.src = bufio.NewReaderSize(&inflater{r: flate.NewReader(p.src), in: in, p: p}, 32<<10)
	default:
		if known[f.TransferSyntax] == "" {
			return f, p.problem(UnknownSyntax, "the transfer syntax is registered for no file")
		}
	}
	if f.Data, err = p.dataset(0, -1); err != nil {
		return f, err
	}
	if p.pixels != nil {
		if err := p.index(f); err != nil {
			return f, err
		}
		f.Pixels = p.pixels
	}
	f.spelled = p.spelled + 48*p.elements
	return f, nil
}

// meta reads the file meta information.
func (p *parser) meta() (Dataset, error) {
	d := Dataset{Order: binary.LittleEndian}
	for {
		head, err := p.src.Peek(2)
		if err != nil || p.order.Uint16(head) != 2 {
			break
		}
		e, _, err := p.element(0)
		if err != nil {
			return d, err
		}
		d.Elements = append(d.Elements, e)
	}
	return d, d.sort(p)
}

// inflater holds a deflated data set to the limits while it flows.
type inflater struct {
	r  io.Reader
	in *input
	p  *parser
	n  int64
}

func (i *inflater) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	i.n += int64(n)
	if i.n > MaxInflated || i.n > 1<<20 && i.n/MaxRatio > i.in.n {
		return 0, i.p.problem(TooMuch, "the deflated data set inflates beyond all measure")
	}
	return n, err
}

// take reads n bytes, refusing more than limit. Memory grows with the bytes that arrive, not with n.
func (p *parser) take(n int64, limit int64) ([]byte, error) {
	if n > limit {
		return nil, p.problem(TooMuch, "a value of %d bytes, at most %d are taken", n, limit)
	}
	b := make([]byte, 0, min(n, 64<<10))
	for int64(len(b)) < n { // each time at most as much again as has arrived
		part := int(min(n-int64(len(b)), int64(max(len(b), 64<<10))))
		b = slices.Grow(b, part)
		m, err := io.ReadFull(p.src, b[len(b):len(b)+part])
		p.pos += int64(m)
		if err != nil {
			return nil, p.short(err)
		}
		b = b[:len(b)+part]
	}
	return b, nil
}

func (p *parser) skip(n int64) error {
	m, err := io.CopyN(io.Discard, p.src, n)
	p.pos += m
	return p.short(err)
}

func (p *parser) short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return p.problem(NotUnderstood, "the file ends in the middle of a value")
	}
	if _, ours := errors.AsType[*Problem](err); err == nil || ours {
		return err
	}
	return p.problem(NotUnderstood, "the deflated data set is broken")
}

// dataset reads elements until end, an item delimiter or (at depth 0) the pixels or the end of the file.
// end < 0 means that a delimiter ends it.
func (p *parser) dataset(depth int, end int64) (Dataset, error) {
	d := Dataset{Order: p.order}
	for end < 0 || p.pos < end {
		if depth == 0 {
			if _, err := p.src.Peek(1); err == io.EOF {
				break
			}
		}
		e, last, err := p.element(depth)
		if err != nil {
			slices.SortStableFunc(d.Elements, byTag)
			return d, err
		}
		if last {
			break
		}
		d.Elements = append(d.Elements, e)
	}
	if end >= 0 && p.pos > end {
		return d, p.problem(NotUnderstood, "an element reaches beyond the item that holds it")
	}
	return d, d.sort(p)
}

func byTag(a, b Element) int { return cmp.Compare(a.Tag, b.Tag) }

// sort puts elements that came out of order into it; the same tag twice is refused, since nobody could say which holds.
func (d *Dataset) sort(p *parser) error {
	slices.SortStableFunc(d.Elements, byTag)
	for i := 1; i < len(d.Elements); i++ {
		if d.Elements[i].Tag == d.Elements[i-1].Tag {
			return p.problem(NotUnderstood, "the attribute (%s) stands twice in one data set", d.Elements[i].Tag)
		}
	}
	return nil
}

// element reads one element; last means that it was a delimiter or the pixels, which are recorded apart.
func (p *parser) element(depth int) (e Element, last bool, err error) {
	start := p.pos
	tag, vr, length, err := p.head()
	if err != nil {
		return e, false, err
	}
	if p.elements++; p.elements > MaxElements {
		return e, false, p.problem(TooMuch, "more than %d attributes", MaxElements)
	}
	e = Element{Tag: tag, VR: vr, Offset: p.pos}
	pixel := tag == PixelData || tag == floatPixelData || tag == doublePixelData
	switch {
	case tag == itemEnd && depth > 0:
		return e, true, nil
	case tag.group() == 0xFFFE:
		return e, false, p.problem(NotUnderstood, "a delimiter (%s) where an attribute is wanted", tag)
	case depth == 0 && pixel:
		p.pixels = &Pixels{Element: start, Tag: tag, VR: vr}
		if length == undefined {
			p.fragments, err = p.encapsulated(true)
			return e, true, err
		}
		p.pixels.Whole = Span{p.pos, int64(length)} // cut into frames by index
		return e, true, p.skip(int64(length))
	case vr == "SQ", vr == "UN" && length == undefined: // PS3.5 §6.2.2 note 4: such a UN is an implicit sequence
		if depth == MaxDepth {
			return e, false, p.problem(TooMuch, "sequences nested deeper than %d", MaxDepth)
		}
		if vr == "UN" && p.explicit {
			order, explicit := p.order, p.explicit
			p.order, p.explicit = binary.LittleEndian, false
			defer func() { p.order, p.explicit = order, explicit }()
		}
		e.VR = "SQ"
		e.Items, err = p.sequence(depth+1, length)
		return e, false, err
	case length == undefined && (vr == "OB" || vr == "OW"):
		e.icon = true
		_, err = p.encapsulated(false)
		return e, false, err
	case length == undefined:
		return e, false, p.problem(NotUnderstood, "undefined length for a value of type %s", vr)
	}
	if p.metadata += int(length); p.metadata > MaxMetadata {
		return e, false, p.problem(TooMuch, "more than %d bytes of attributes", MaxMetadata)
	}
	if p.may != nil && (p.metadata > LightMetadata || p.elements > LightElements) {
		if err := p.may(); err != nil {
			return e, false, err
		}
		p.may = nil
	}
	if length > MaxShort && short(vr) {
		return e, false, p.problem(TooMuch, "a text of %d bytes, at most %d are taken of type %s", length, MaxShort, vr)
	}
	if e.Value, err = p.take(int64(length), MaxValue); err == nil {
		err = p.spell(e)
	}
	if tag == pixelRepresentation && len(e.Value) == 2 {
		p.signed = p.order.Uint16(e.Value) == 1
	}
	return e, false, err
}

// short reports whether a type is a text that no explicit file could carry longer than MaxShort. Numbers as text are not among
// them: implicit files write whole contours so.
func short(vr string) bool {
	switch vr {
	case "AE", "AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM", "UI":
		return true
	}
	return false
}

// spell holds values to what they take once they are written out: a million empty values are a megabyte here, and many times that
// as DICOM JSON.
func (p *parser) spell(e Element) error {
	if strings.HasPrefix(e.VR, "O") || e.VR == "UN" {
		return nil
	}
	values, letters := 1, 0
	if n := size(e.VR); n > 0 {
		values = len(e.Value) / n
		letters = values * map[string]int{"US": 6, "SS": 7, "UL": 11, "SL": 12, "AT": 11, "FL": 16}[e.VR]
		if n == 8 {
			letters = values * 25
		}
	} else {
		for _, b := range e.Value {
			switch {
			case b == '\\':
				values++
				letters += 5 // ,null
			case b < ' ' || b >= 0x80 || b == '<' || b == '>' || b == '&' || b == '"':
				letters += 6 // as \u003c
			default:
				letters++
			}
		}
	}
	if values > MaxValues {
		return p.problem(TooMuch, "more than %d values in one attribute", MaxValues)
	}
	if p.spelled += letters; p.spelled > MaxSpelled {
		return p.problem(TooMuch, "attributes that take more than %d bytes once they are written out", MaxSpelled)
	}
	return nil
}

// head reads tag, type and length (PS3.5 §7.1).
func (p *parser) head() (tag Tag, vr string, length uint32, err error) {
	b, err := p.take(8, 8)
	if err != nil {
		return 0, "", 0, err
	}
	tag = Tag(p.order.Uint16(b))<<16 | Tag(p.order.Uint16(b[2:]))
	if tag.group() == 0xFFFE { // items and delimiters never carry a type
		return tag, "", p.order.Uint32(b[4:]), nil
	}
	if !p.explicit {
		vr = VROf(tag)
		if p.signed && signedIf(tag) {
			vr = "SS"
		}
		return tag, vr, p.order.Uint32(b[4:]), nil
	}
	vr = string(b[4:6])
	switch vr {
	case "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US":
		return tag, vr, uint32(p.order.Uint16(b[6:])), nil
	case "OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV":
		b, err = p.take(4, 4)
		if err != nil {
			return 0, "", 0, err
		}
		return tag, vr, p.order.Uint32(b), nil
	}
	return 0, "", 0, p.problem(NotUnderstood, "the attribute (%s) has no valid type", tag)
}

func (p *parser) sequence(depth int, length uint32) ([]Dataset, error) {
	end := int64(-1)
	if length != undefined {
		end = p.pos + int64(length)
	}
	var items []Dataset
	for end < 0 || p.pos < end {
		tag, n, err := p.itemHead()
		if err != nil {
			return nil, err
		}
		if tag == sequenceEnd && end < 0 {
			return items, nil
		}
		if tag != item {
			return nil, p.problem(NotUnderstood, "(%s) where an item of a sequence is wanted", tag)
		}
		itemsEnd := int64(-1)
		if n != undefined {
			itemsEnd = p.pos + int64(n)
		}
		d, err := p.dataset(depth, itemsEnd)
		if err != nil {
			return nil, err
		}
		items = append(items, d)
	}
	if end >= 0 && p.pos > end {
		return nil, p.problem(NotUnderstood, "an item reaches beyond its sequence")
	}
	return items, nil
}

func (p *parser) itemHead() (Tag, uint32, error) {
	if p.items++; p.items > MaxItems {
		return 0, 0, p.problem(TooMuch, "more than %d items", MaxItems)
	}
	b, err := p.take(8, 8)
	if err != nil {
		return 0, 0, err
	}
	return Tag(p.order.Uint16(b))<<16 | Tag(p.order.Uint16(b[2:])), p.order.Uint32(b[4:]), nil
}

// Inflate copies a deflated file with its data set inflated: the bytes that the offsets of such a File point into.
func Inflate(w io.Writer, r io.ReadSeeker) error {
	return inflate(w, r, func(_ Dataset, begin int64) error {
		at, err := r.Seek(0, io.SeekCurrent)
		if err == nil {
			_, err = r.Seek(0, io.SeekStart)
		}
		if err == nil {
			_, err = io.CopyN(w, r, begin)
		}
		if err == nil {
			_, err = r.Seek(at, io.SeekStart)
		}
		return err
	})
}

// Undeflate copies a deflated file as explicit little endian: the same data set, not a byte of it changed.
func Undeflate(w io.Writer, r io.Reader) error {
	return inflate(w, r, func(meta Dataset, _ int64) error {
		head, err := fileHead(meta, map[Tag]string{TransferSyntaxUID: ExplicitLE})
		if err == nil {
			_, err = w.Write(head)
		}
		return err
	})
}

// inflate lets head write what stands before the data set, which begins at a byte of r.
func inflate(w io.Writer, r io.Reader, head func(meta Dataset, begin int64) error) error {
	in := &input{r: r, sum: sha256.New()}
	p := &parser{src: bufio.NewReader(in), order: binary.LittleEndian, explicit: true}
	if _, err := p.take(132, 132); err != nil {
		return err
	}
	meta, err := p.meta()
	if err != nil {
		return err
	}
	if err := head(meta, p.pos); err != nil {
		return err
	}
	_, err = io.Copy(w, &inflater{r: flate.NewReader(p.src), in: in, p: p})
	return err
}
