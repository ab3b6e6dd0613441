package dicom

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"runtime"
	"strings"
	"sync"
)

// MaxPixels bounds a picture that the server draws: 4096 x 4096.
const MaxPixels = 1 << 24

// ErrNotDrawn says that this package has no decoder for the picture (what codec decodes, video and the like).
var ErrNotDrawn = errors.New("no decoder for this kind of picture")

// Window is the range of grey values that is spread over black to white (PS3.3 C.11.2.1.2), in modality units.
type Window struct{ Center, Width float64 }

// picture is what the data set says about its pixels.
type picture struct {
	rows, cols, samples, allocated, stored, high int
	signed, planar                               bool
	photometric                                  string
}

func pictureOf(d Dataset) (picture, error) {
	p := picture{
		rows: d.Int(Rows, 0), cols: d.Int(Columns, 0), samples: d.Int(samplesPerPixel, 1), allocated: d.Int(BitsAllocated, 0),
		signed: d.Int(pixelRepresentation, 0) == 1, planar: d.Int(planarConfiguration, 0) == 1,
		photometric: d.Text(photometric),
	}
	p.stored = d.Int(bitsStored, p.allocated)
	p.high = d.Int(highBit, p.stored-1)
	switch {
	case p.rows < 1 || p.cols < 1 || p.rows*p.cols > MaxPixels:
		return p, fmt.Errorf("a picture of %d x %d: %w", p.rows, p.cols, ErrNotDrawn)
	case p.allocated != 8 && p.allocated != 16 && p.allocated*p.samples != 1, p.samples != 1 && p.samples != 3,
		p.stored < 1 || p.stored > p.allocated, p.high < p.stored-1 || p.high >= p.allocated:
		return p, fmt.Errorf("%d samples of %d bits: %w", p.samples, p.allocated, ErrNotDrawn)
	}
	return p, nil
}

// Render draws frame n (from 0), whose bytes are data in the file's transfer syntax, for a screen of 8 bits. Without a
// window the file's own is used, else one from the darkest to the brightest pixel.
func (f *File) Render(n int, data []byte, window *Window) (image.Image, error) {
	d := f.Data
	p, err := pictureOf(d)
	if err != nil {
		return nil, err
	}
	switch {
	case Native(f.TransferSyntax):
		if data, err = f.LittleEndian(n, data); err != nil {
			return nil, err
		}
	case f.TransferSyntax == RLE:
		if data, err = p.unpack(data); err != nil {
			return nil, err
		}
		p.planar = true
	case f.TransferSyntax == JPEG || f.TransferSyntax == JPEGExt:
		if p.allocated != 8 {
			return nil, ErrNotDrawn
		}
		img, err := p.jpeg(data)
		if err != nil {
			return nil, err
		}
		grey, ok := img.(*image.Gray)
		if !ok {
			return img, nil
		}
		data = grey.Pix // rows follow each other without gaps in a decoded whole picture
		if grey.Stride != p.cols {
			data = make([]byte, 0, p.rows*p.cols)
			for y := range p.rows {
				data = append(data, grey.Pix[y*grey.Stride:][:p.cols]...)
			}
		}
	default:
		return nil, ErrNotDrawn
	}
	return p.draw(d, n, data, p.photometric == "YBR_FULL_422" && Native(f.TransferSyntax), window)
}

// Draw is Render for a frame that was decoded elsewhere into little endian samples of Bits Allocated, colour by pixel.
// A codec that transforms colours has turned them into RGB.
func (f *File) Draw(n int, samples []byte, window *Window) (image.Image, error) {
	p, err := pictureOf(f.Data)
	if err != nil {
		return nil, err
	}
	p.planar = false
	switch p.photometric {
	case "YBR_RCT", "YBR_ICT":
		p.photometric = "RGB"
	case "YBR_FULL_422":
		p.photometric = "YBR_FULL"
	}
	return p.draw(f.Data, n, samples, false, window)
}

// draw draws native samples; shared says that two pixels share their colour.
func (p picture) draw(d Dataset, n int, data []byte, shared bool, window *Window) (image.Image, error) {
	need := (p.rows*p.cols*p.samples*p.allocated + 7) / 8
	if shared = shared && p.samples == 3; shared {
		if p.cols%2 != 0 || p.allocated != 8 { // PS3.3 C.7.6.3.1.2 knows none
			return nil, fmt.Errorf("%d columns of %d bits in pairs: %w", p.cols, p.allocated, ErrNotDrawn)
		}
		need = need / 3 * 2
	}
	if len(data) < need {
		return nil, fmt.Errorf("frame has %d bytes, want %d", len(data), need)
	}
	switch {
	case p.samples == 3:
		return p.colours(data, shared)
	case p.photometric == "PALETTE COLOR":
		return p.palette(d, data)
	}
	return p.greys(d, n, data, window), nil
}

// Shape is what the data set says of each frame.
func (f *File) Shape() (columns, rows, samples, allocated int, err error) {
	p, err := pictureOf(f.Data)
	return p.cols, p.rows, p.samples, p.allocated, err
}

// Grey reports whether frames are drawn in grey.
func (f *File) Grey() bool { return strings.HasPrefix(f.Data.Text(photometric), "MONOCHROME") }

// value is the stored value of a raw sample.
func (p picture) value(raw uint16) int {
	v := int(raw>>(p.high+1-p.stored)) & (1<<p.stored - 1)
	if p.signed && v>>(p.stored-1) == 1 {
		v -= 1 << p.stored
	}
	return v
}

// raw is sample i.
func (p picture) raw(data []byte, i int) uint16 {
	switch p.allocated {
	case 1:
		return uint16(data[i/8] >> (i % 8) & 1) // PS3.5 §8.1.1: the first pixel is the lowest bit
	case 8:
		return uint16(data[i])
	}
	return binary.LittleEndian.Uint16(data[2*i:])
}

func (p picture) greys(d Dataset, n int, data []byte, window *Window) image.Image {
	slope, intercept := 1.0, 0.0
	if v := frameNumbers(d, n, rescaleSlope); len(v) > 0 && v[0] != 0 {
		slope = v[0]
	}
	if v := frameNumbers(d, n, rescaleIntercept); len(v) > 0 {
		intercept = v[0]
	}
	shade := p.shading(d, n, data, window, slope, intercept)
	img := image.NewGray(image.Rect(0, 0, p.cols, p.rows))
	inParts(len(img.Pix), func(from, to int) {
		var table [1 << 16]uint16 // of each raw value that occurs, its grey and one: some thousand of the 65,536
		note := func(raw uint16) {
			g := math.Round(255 * min(max(shade(float64(p.value(raw))*slope+intercept), 0), 1))
			if p.photometric == "MONOCHROME1" {
				g = 255 - g
			}
			table[raw] = uint16(byte(g)) + 1
		}
		if p.allocated == 16 { // most pictures, so without asking at each pixel
			for i := from; i < to; i++ {
				raw := binary.LittleEndian.Uint16(data[2*i:])
				if table[raw] == 0 {
					note(raw)
				}
				img.Pix[i] = byte(table[raw] - 1)
			}
			return
		}
		for i := from; i < to; i++ {
			raw := p.raw(data, i)
			if table[raw] == 0 {
				note(raw)
			}
			img.Pix[i] = byte(table[raw] - 1)
		}
	})
	return img
}

// inParts does n pixels in parts at the same time, each worth a goroutine. What panics there panics here, where it ends one
// answer and not the process.
func inParts(n int, do func(from, to int)) {
	parts := max(1, min(runtime.GOMAXPROCS(0), n>>16))
	var working sync.WaitGroup
	panics := make([]any, parts)
	for i := range parts {
		working.Go(func() {
			defer func() { panics[i] = recover() }()
			do(n*i/parts, n*(i+1)/parts)
		})
	}
	working.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// shading maps a modality value to 0 (black) … 1 (white).
func (p picture) shading(d Dataset, n int, data []byte, window *Window, slope, intercept float64) func(float64) float64 {
	if window == nil {
		c, w := frameNumbers(d, n, windowCenter), frameNumbers(d, n, windowWidth)
		if len(c) > 0 && len(w) > 0 && w[0] >= 1 {
			window = &Window{c[0], w[0]}
		} else if lut := voiLUT(d); lut != nil {
			return lut
		}
	}
	if window == nil {
		var mu sync.Mutex
		low, high := uint16(math.MaxUint16), uint16(0) // guarded by mu; raw values, moved so that they are in order of what they mean
		up, sign := 15-p.high, uint16(0)
		if p.signed {
			sign = 1 << 15
		}
		inParts(p.rows*p.cols, func(from, to int) {
			l, h := uint16(math.MaxUint16), uint16(0)
			if p.allocated == 16 {
				for i := from; i < to; i++ {
					v := binary.LittleEndian.Uint16(data[2*i:])<<up ^ sign
					l, h = min(l, v), max(h, v)
				}
			} else {
				for i := from; i < to; i++ {
					v := p.raw(data, i)<<up ^ sign
					l, h = min(l, v), max(h, v)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			low, high = min(low, l), max(high, h)
		})
		a, b := float64(p.value((low^sign)>>up))*slope+intercept, float64(p.value((high^sign)>>up))*slope+intercept
		window = &Window{(a+b)/2 + 0.5, max(math.Abs(b-a), 1) + 1}
	}
	c, w := window.Center-0.5, max(window.Width-1, 1e-9)
	return func(x float64) float64 { return (x-c)/w + 0.5 }
}

// voiLUT is the first table of the VOI LUT Sequence (PS3.3 C.11.2.1.1), nil when there is none that can be used.
func voiLUT(d Dataset) func(float64) float64 {
	e := d.Find(voiLUTSequence)
	if e == nil || len(e.Items) == 0 {
		return nil
	}
	t, ok := tableOf(e.Items[0], lutDescriptor, lutData)
	if !ok {
		return nil
	}
	if t.first >= 1<<15 && d.Int(pixelRepresentation, 0) == 1 { // signed, though its type says otherwise
		t.first -= 1 << 16
	}
	return func(x float64) float64 { return t.at(int(x)) }
}

// table is a look-up table of the standard's kind: values below first take the first entry, those beyond the last.
type table struct {
	first   int
	entries []uint16
	top     float64
}

func tableOf(d Dataset, descriptor, data Tag) (table, bool) {
	desc, e := d.Numbers(descriptor), d.Find(data)
	if len(desc) != 3 || e == nil {
		return table{}, false
	}
	if !(math.Abs(desc[0]) <= 1<<16 && math.Abs(desc[1]) <= 1<<16) { // whatever type says so
		return table{}, false
	}
	n := int(desc[0])
	if n < 0 { // an implicit file with signed pixels, yet counts are never signed
		n += 1 << 16
	}
	if n == 0 {
		n = 1 << 16
	}
	t := table{first: int(desc[1]), top: math.Exp2(desc[2]) - 1}
	switch {
	case desc[2] < 1 || desc[2] > 16:
		return t, false
	case len(e.Value) >= 2*n:
		for b := e.Value[:2*n]; len(b) > 0; b = b[2:] {
			t.entries = append(t.entries, d.Order.Uint16(b))
		}
	case len(e.Value) >= n && desc[2] <= 8: // two entries a word
		for _, b := range e.Value[:n] {
			t.entries = append(t.entries, uint16(b))
		}
	}
	return t, len(t.entries) > 0
}

func (t table) at(x int) float64 {
	return float64(t.entries[min(max(x-t.first, 0), len(t.entries)-1)]) / t.top
}

func (p picture) palette(d Dataset, data []byte) (image.Image, error) {
	var channel [3]table
	for i := range channel {
		var ok bool
		if channel[i], ok = tableOf(d, redPaletteDescriptor+Tag(i), redPalette+Tag(i)); !ok {
			return nil, fmt.Errorf("palette is missing: %w", ErrNotDrawn)
		}
	}
	img := image.NewRGBA(image.Rect(0, 0, p.cols, p.rows))
	for i := range p.rows * p.cols {
		v := p.value(p.raw(data, i))
		for c := range channel {
			img.Pix[4*i+c] = byte(255 * min(channel[c].at(v), 1))
		}
		img.Pix[4*i+3] = 255
	}
	return img, nil
}

func (p picture) colours(data []byte, shared bool) (image.Image, error) {
	img := image.NewRGBA(image.Rect(0, 0, p.cols, p.rows))
	n := p.rows * p.cols
	down := p.allocated - 8 // 16-bit colour loses its lower byte
	for i := range n {
		var c [3]byte
		for s := range c {
			at := 3*i + s
			if p.planar {
				at = s*n + i
			}
			if shared { // Y Y Cb Cr for two pixels
				at = [3]int{i/2*4 + i%2, i/2*4 + 2, i/2*4 + 3}[s]
			}
			c[s] = byte(p.raw(data, at) >> down)
		}
		if p.photometric != "RGB" {
			if p.photometric != "YBR_FULL" && p.photometric != "YBR_FULL_422" {
				return nil, ErrNotDrawn
			}
			c[0], c[1], c[2] = color.YCbCrToRGB(c[0], c[1], c[2])
		}
		copy(img.Pix[4*i:], []byte{c[0], c[1], c[2], 255})
	}
	return img, nil
}

// jpeg decodes an 8-bit frame after its own header has confirmed the size that the data set promised.
func (p picture) jpeg(data []byte) (image.Image, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotDrawn, err)
	}
	if c.Width != p.cols || c.Height != p.rows {
		return nil, fmt.Errorf("JPEG of %d x %d in a frame of %d x %d", c.Width, c.Height, p.cols, p.rows)
	}
	if n := jpegScans(data); n > maxScans {
		return nil, fmt.Errorf("a JPEG of more than %d scans: %w", maxScans, ErrNotDrawn)
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if ycc, ok := img.(*image.YCbCr); ok && p.photometric == "RGB" && !marked(data) {
		img = unturned(ycc)
	}
	return img, err
}

// maxScans bounds how often a JPEG may go over its picture. Encoders write one scan, three, or about ten of a progressive picture;
// each costs the time of a whole decoding and some bytes.
const maxScans = 64

// jpegScans counts the scans of a JPEG, up to one more than are decoded.
func jpegScans(data []byte) (n int) {
	for at := 2; at+4 <= len(data) && n <= maxScans; {
		if data[at] != 0xFF || data[at+1] == 0xFF || data[at+1] < 0xC0 || data[at+1] >= 0xD0 && data[at+1] <= 0xD7 {
			at++ // of what a scan codes, or fill
			continue
		}
		switch data[at+1] {
		case 0xD8, 0xD9: // no length follows
			at += 2
			continue
		case 0xDA:
			n++
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
	}
	return n
}

// marked reports whether a JPEG says itself what its colours are: in a JFIF or Adobe segment before the picture.
func marked(data []byte) bool {
	for at := 2; at+4 <= len(data) && data[at] == 0xFF && data[at+1] != 0xDA; at += 2 + int(binary.BigEndian.Uint16(data[at+2:])) {
		if data[at+1] == 0xE0 || data[at+1] == 0xEE {
			return true
		}
	}
	return false
}

// unturned is a picture whose components are red, green and blue as they lie.
func unturned(ycc *image.YCbCr) image.Image {
	img := image.NewRGBA(ycc.Rect)
	for y := ycc.Rect.Min.Y; y < ycc.Rect.Max.Y; y++ {
		for x := ycc.Rect.Min.X; x < ycc.Rect.Max.X; x++ {
			c := ycc.YCbCrAt(x, y)
			img.SetRGBA(x, y, color.RGBA{c.Y, c.Cb, c.Cr, 255})
		}
	}
	return img
}

// Samples is an 8-bit JPEG frame as samples, colour by pixel in red, green and blue.
func (f *File) Samples(data []byte) ([]byte, error) {
	p, err := pictureOf(f.Data)
	if err != nil || p.allocated != 8 {
		return nil, cmp.Or(err, ErrNotDrawn)
	}
	img, err := p.jpeg(data)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, p.rows*p.cols*p.samples)
	for y := range p.rows {
		for x := range p.cols {
			if grey, ok := img.(*image.Gray); ok {
				out = append(out, grey.Pix[grey.PixOffset(x, y)])
				continue
			}
			r, g, b, _ := img.At(x, y).RGBA()
			out = append(out, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	if len(out) != cap(out) {
		return nil, fmt.Errorf("a JPEG of %d samples, want %d", len(out), cap(out))
	}
	return out, nil
}

// unpack decodes RLE (PS3.5 annex G): a byte plane per segment, most significant first. The result has one plane per
// sample, little endian.
func (p picture) unpack(data []byte) ([]byte, error) {
	n, width := p.rows*p.cols, p.allocated/8
	if len(data) < 64 || int(binary.LittleEndian.Uint32(data)) != p.samples*width {
		return nil, errors.New("RLE header doesn't fit the picture")
	}
	out := make([]byte, n*p.samples*width)
	for s := range p.samples * width {
		start, end := int(binary.LittleEndian.Uint32(data[4+4*s:])), len(data)
		if s+1 < p.samples*width {
			end = int(binary.LittleEndian.Uint32(data[8+4*s:]))
		}
		if start < 64 || start > end || end > len(data) {
			return nil, errors.New("RLE segments lie outside the frame")
		}
		// segment s is byte width-1-s%width of sample s/width
		plane, at := out[s/width*n*width+width-1-s%width:], 0
		for in := data[start:end]; at < n && len(in) > 1; {
			run := int(int8(in[0]))
			switch {
			case run >= 0: // that many bytes and one follow as they are
				if len(in) < run+2 {
					return nil, errors.New("RLE segment ends early")
				}
				for _, b := range in[1 : min(run+1, n-at)+1] {
					plane[at*width] = b
					at++
				}
				in = in[run+2:]
			case run == -128:
				in = in[1:]
			default:
				for range min(1-run, n-at) {
					plane[at*width] = in[1]
					at++
				}
				in = in[2:]
			}
		}
		if at < n {
			return nil, errors.New("RLE segment ends early")
		}
	}
	return out, nil
}

// frameNumbers finds an attribute of frame n: in the data set, or in the functional groups of an enhanced object
// (PS3.3 C.7.6.16), the frame's own before the shared ones.
func frameNumbers(d Dataset, n int, tag Tag) []float64 {
	if v := d.Numbers(tag); v != nil {
		return v
	}
	for _, group := range []struct {
		tag   Tag
		index int
	}{{perFrameGroups, n}, {sharedGroups, 0}} {
		e := d.Find(group.tag)
		if e == nil || group.index >= len(e.Items) {
			continue
		}
		for _, macro := range e.Items[group.index].Elements {
			if len(macro.Items) > 0 {
				if v := macro.Items[0].Numbers(tag); v != nil {
					return v
				}
			}
		}
	}
	return nil
}

// LittleEndian is frame n, native or RLE, as uncompressed little endian samples, colour by pixel: explicit little endian,
// which every viewer reads. Frames of 1-bit images begin at a byte each.
func (f *File) LittleEndian(n int, data []byte) ([]byte, error) {
	d := f.Data
	if f.TransferSyntax == RLE {
		p, err := pictureOf(d)
		if err != nil {
			return nil, err
		}
		planes, err := p.unpack(data)
		if err != nil || p.samples == 1 || p.planar {
			return planes, err
		}
		width := p.allocated / 8
		out := make([]byte, 0, len(planes))
		for i := 0; i < len(planes)/p.samples; i += width {
			for s := range p.samples {
				out = append(out, planes[s*len(planes)/p.samples+i:][:width]...)
			}
		}
		return out, nil
	}
	allocated, size := d.Int(BitsAllocated, 8), frameBits(d)
	begin := int64(n) * size // in bits
	switch {
	case d.Order == binary.BigEndian && allocated > 8:
		data = bytes.Clone(data)
		Swap(data, allocated/8)
	case f.Pixels != nil && byteWords(d, f.Pixels.VR):
		data = bytes.Clone(data)
		Swap(data, 2)
		data = data[min(int(begin/8%2), len(data)):]
	}
	if shift := begin % 8; shift != 0 {
		data = bytes.Clone(data)
		for i := range data {
			data[i] >>= shift
			if i+1 < len(data) {
				data[i] |= data[i+1] << (8 - shift)
			}
		}
	}
	return data[:min(int((size+7)/8), len(data))], nil
}
