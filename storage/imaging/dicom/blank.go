package dicom

import (
	"fmt"
	"io"
	"strconv"
)

// Box is a part of a picture, in columns and rows from the upper left corner.
type Box struct {
	X      int `json:"x" minimum:"0" maximum:"65535"`
	Y      int `json:"y" minimum:"0" maximum:"65535"`
	Width  int `json:"width" minimum:"1" maximum:"65535"`
	Height int `json:"height" minimum:"1" maximum:"65535"`
}

// Blankable reports whether Blank takes the pixels, of so many frames, of an object in the transfer syntax whose attributes value
// gives, once they are as Plain says: whole bytes for each sample, none of them shared by two pixels, and no more than an
// element holds.
func Blankable(syntax string, frames int, value func(Tag) string) bool {
	number := func(t Tag) int {
		n, _ := strconv.Atoi(value(t)) // 0 where there is none
		return n
	}
	bits, samples := number(BitsAllocated), max(number(samplesPerPixel), 1)
	if Native(syntax) && value(photometric) == "YBR_FULL_422" || syntax == JPEG && bits != 8 {
		return false
	}
	return (bits == 8 || bits == 16) && (samples == 1 || samples == 3) &&
		int64(frames)*int64(number(Rows))*int64(number(Columns))*int64(samples*bits/8) < 1<<32-2
}

// Blank copies uncompressed little endian pixels, length bytes of whole frames, and blackens what lies in the boxes of each
// frame: zero, and no colour where colour is apart from light. A box over the edge is cut there.
func Blank(w io.Writer, pixels io.Reader, length int64, d Dataset, boxes []Box) error {
	p, err := pictureOf(d)
	if err != nil {
		return err
	}
	if p.photometric == "YBR_FULL_422" {
		return fmt.Errorf("pixels that share their colour: %w", ErrNotDrawn)
	}
	width := p.allocated / 8
	pixel, rows := p.samples*width, p.rows
	if p.planar && p.samples > 1 { // three planes, one below the other
		pixel, rows = width, p.rows*p.samples
	}
	line := make([]byte, p.cols*pixel)
	for n := 0; length >= int64(len(line)); n++ {
		if _, err := io.ReadFull(pixels, line); err != nil {
			return err
		}
		for _, b := range boxes {
			y := n % rows % p.rows
			if y < b.Y || y >= b.Y+b.Height || b.X >= p.cols {
				continue
			}
			covered := line[b.X*pixel : min(b.X+b.Width, p.cols)*pixel]
			clear(covered)
			for i := width - 1; p.photometric == "YBR_FULL" && i < len(covered); i += width {
				if plane := n % rows / p.rows; plane > 0 || i/width%(pixel/width) > 0 { // Cb and Cr: half their range is none
					covered[i] = 0x80
				}
			}
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		length -= int64(len(line))
	}
	_, err = io.CopyN(w, pixels, length) // padding to an even length
	return err
}
