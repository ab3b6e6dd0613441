package dicom

import (
	"fmt"
	"io"
)

// Box is a part of a picture, in columns and rows from the upper left corner.
type Box struct {
	X      int `json:"x" minimum:"0" maximum:"65535"`
	Y      int `json:"y" minimum:"0" maximum:"65535"`
	Width  int `json:"width" minimum:"1" maximum:"65535"`
	Height int `json:"height" minimum:"1" maximum:"65535"`
}

// Blankable reports whether Blank takes the uncompressed pixels of an object whose attributes value gives: whole bytes for each
// sample, none of them shared by two pixels.
func Blankable(value func(Tag) string) bool {
	bits, samples := value(BitsAllocated), value(samplesPerPixel)
	return (bits == "8" || bits == "16") && (samples == "" || samples == "1" || samples == "3") && value(photometric) != "YBR_FULL_422"
}

// Blank copies uncompressed pixels, length bytes of whole frames, and zeroes what lies in the boxes of each frame. A box over the
// edge is cut there.
func Blank(w io.Writer, pixels io.Reader, length int64, d Dataset, boxes []Box) error {
	p, err := pictureOf(d)
	if err != nil {
		return err
	}
	if p.photometric == "YBR_FULL_422" {
		return fmt.Errorf("pixels that share their colour: %w", ErrNotDrawn)
	}
	pixel := p.samples * p.allocated / 8
	rows := p.rows
	if p.planar && p.samples > 1 { // three planes, one below the other
		pixel, rows = p.allocated/8, p.rows*p.samples
	}
	line := make([]byte, p.cols*pixel)
	for n := 0; length >= int64(len(line)); n++ {
		if _, err := io.ReadFull(pixels, line); err != nil {
			return err
		}
		for _, b := range boxes {
			if y := n % rows % p.rows; y >= b.Y && y < b.Y+b.Height && b.X < p.cols {
				clear(line[b.X*pixel : min(b.X+b.Width, p.cols)*pixel])
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
