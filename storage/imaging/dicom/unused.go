package dicom

import "io"

// Used reads uncompressed little endian pixels with the bits cleared that are not of the samples: nobody sees them in a picture, and
// overlays that lie in them (retired since 2004) often are text, such as a name. Bits above a signed sample repeat its sign, as many
// programs read whole words.
func Used(pixels io.Reader, d Dataset) io.Reader {
	allocated := d.Int(BitsAllocated, 0)
	stored := d.Int(bitsStored, allocated)
	high := d.Int(highBit, stored-1)
	switch {
	case allocated != 8 && allocated != 16 && allocated != 32 && allocated != 64, stored < 1, stored >= allocated, high < stored-1, high >= allocated:
		return pixels
	}
	return &used{in: pixels, width: allocated / 8, below: high + 1 - stored, high: high, signed: d.Int(pixelRepresentation, 0) == 1}
}

type used struct {
	in          io.Reader
	width       int // bytes of a sample
	below, high int // how many bits lie below it, and which is its highest
	signed      bool

	buffer [8 << 10]byte
	ready  []byte // part of buffer
}

func (u *used) Read(b []byte) (int, error) {
	if len(u.ready) == 0 {
		n, err := io.ReadFull(u.in, u.buffer[:])
		if n == 0 {
			return 0, err // io.EOF, or the store's own
		}
		u.ready = u.buffer[:n]
		for at := 0; at+u.width <= n; at += u.width {
			u.clear(u.buffer[at:][:u.width])
		}
	}
	n := copy(b, u.ready)
	u.ready = u.ready[n:]
	return n, nil
}

func (u *used) clear(sample []byte) {
	var v uint64
	for i, b := range sample {
		v |= uint64(b) << (8 * i)
	}
	over := 63 - u.high
	if u.signed {
		v = uint64(int64(v<<over) >> over)
	} else {
		v = v << over >> over
	}
	v = v >> u.below << u.below
	for i := range sample {
		sample[i] = byte(v >> (8 * i))
	}
}
