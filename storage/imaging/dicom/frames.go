package dicom

import (
	"encoding/binary"
	"strings"
)

// fragment is an item of encapsulated pixels (PS3.5 A.4) with its first two bytes; of the first one, the basic
// offset table, also its content.
type fragment struct {
	head  int64 // offset of the item itself, which offset tables count from
	span  Span
	begin [2]byte
	table []byte
}

// encapsulated reads past fragments; keep records where they lie.
func (p *parser) encapsulated(keep bool) ([]fragment, error) {
	var all []fragment
	for {
		start := p.pos
		tag, n, err := p.itemHead()
		if err != nil {
			return nil, err
		}
		if tag == sequenceEnd {
			return all, nil
		}
		if tag != item || n == undefined {
			return nil, p.problem(NotUnderstood, "(%s) among the fragments of the picture", tag)
		}
		f := fragment{head: start, span: Span{p.pos, int64(n)}}
		switch {
		case keep && len(all) == 0:
			f.table, err = p.take(int64(n), MaxValue)
		case n >= 2:
			var b []byte
			if b, err = p.take(2, 2); err == nil {
				f.begin = [2]byte(b)
				err = p.skip(int64(n) - 2)
			}
		default:
			err = p.skip(int64(n))
		}
		if err != nil {
			return nil, err
		}
		if keep {
			all = append(all, f)
		}
	}
}

// index finds each frame, from what the data set says about the picture.
func (p *parser) index(f *File) error {
	frames := f.Data.Int(NumberOfFrames, 1)
	if frames < 1 || frames > MaxItems {
		return p.problem(NotUnderstood, "the number of frames is not between 1 and %d", MaxItems)
	}
	if p.fragments == nil && p.pixels.Whole != (Span{}) {
		return p.native(f, int64(frames))
	}
	if Native(f.TransferSyntax) {
		return p.problem(NotUnderstood, "compressed fragments in an uncompressed transfer syntax")
	}
	if len(p.fragments) < 2 {
		return p.problem(NotUnderstood, "the picture has no fragments")
	}
	table, parts := p.fragments[0], p.fragments[1:]
	p.fragments = nil
	starts := offsets(f, table.table, frames)
	switch {
	case strings.HasPrefix(known[f.TransferSyntax], "video/"):
		if len(parts) == 1 { // one stream for all frames
			p.pixels.Whole = parts[0].span
		}
		return nil
	case frames == 1:
		starts = []int64{0}
	case starts != nil:
	case len(parts) == frames:
		for _, part := range parts {
			starts = append(starts, part.head-parts[0].head)
		}
	default: // neither table nor one fragment a frame: a new picture begins where a codestream does
		for _, part := range parts {
			if part.begin == [2]byte{0xFF, 0xD8} || part.begin == [2]byte{0xFF, 0x4F} {
				starts = append(starts, part.head-parts[0].head)
			}
		}
	}
	if len(starts) != frames || starts[0] != 0 {
		return p.problem(NotUnderstood, "%d frames are announced, %d found", frames, len(starts))
	}
	p.pixels.Frames = make([]Frame, 0, min(frames, len(parts)))
	for i := range starts {
		var frame Frame
		for len(parts) > 0 && (i+1 == frames || parts[0].head-table.span.Offset-table.span.Length < starts[i+1]) {
			frame = append(frame, parts[0].span)
			parts = parts[1:]
		}
		if frame == nil {
			return p.problem(NotUnderstood, "the offset table doesn't fit the fragments")
		}
		p.pixels.Frames = append(p.pixels.Frames, frame)
	}
	return nil
}

// offsets reads the extended offset table, else the basic one; nil when there is none of the right size.
func offsets(f *File, basic []byte, frames int) []int64 {
	var starts []int64
	if e := f.Data.Find(extendedOffsetTable); e != nil && len(e.Value) == 8*frames {
		for b := e.Value; len(b) > 0; b = b[8:] {
			starts = append(starts, int64(binary.LittleEndian.Uint64(b)))
		}
		return starts
	}
	if len(basic) != 4*frames {
		return nil
	}
	for b := basic; len(b) > 0; b = b[4:] {
		starts = append(starts, int64(binary.LittleEndian.Uint32(b)))
	}
	return starts
}

// native cuts the one block of uncompressed pixels.
func (p *parser) native(f *File, frames int64) error {
	block := p.pixels.Whole
	if !Native(f.TransferSyntax) {
		return p.problem(NotUnderstood, "uncompressed pixels in a compressed transfer syntax")
	}
	bits := frameBits(f.Data)
	if bits <= 0 || bits > 1<<40 {
		return p.problem(NotUnderstood, "the picture's rows, columns or bits are missing")
	}
	if (bits*frames+7)/8 > block.Length {
		return p.problem(NotUnderstood, "the picture wants %d bytes, %d are there", (bits*frames+7)/8, block.Length)
	}
	for i := range frames {
		begin, end := i*bits/8, ((i+1)*bits+7)/8
		if byteWords(f.Data, p.pixels.VR) {
			begin, end = begin&^1, min((end+1)&^1, block.Length)
		}
		p.pixels.Frames = append(p.pixels.Frames, Frame{{block.Offset + begin, end - begin}})
	}
	return nil
}

// frameBits is the size of an uncompressed frame, 0 where the data set says none that can be.
func frameBits(d Dataset) int64 {
	bits := int64(1)
	for _, factor := range []struct{ n, most int }{{d.Int(Rows, 0), 1 << 16}, {d.Int(Columns, 0), 1 << 16}, {d.Int(samplesPerPixel, 1), 1 << 16}, {d.Int(BitsAllocated, 0), 64}} {
		if factor.n < 1 || factor.n > factor.most {
			return 0 // two below zero would make a size again
		}
		bits *= int64(factor.n)
	}
	if d.Text(photometric) == "YBR_FULL_422" { // two pixels share their colour: PS3.3 C.7.6.3.1.2
		bits = bits / 3 * 2
	}
	return bits
}

// byteWords reports whether bytes of samples lie two to a big endian word, the second first.
func byteWords(d Dataset, vr string) bool {
	return d.Order == binary.BigEndian && vr == "OW" && d.Int(BitsAllocated, 0) <= 8
}
