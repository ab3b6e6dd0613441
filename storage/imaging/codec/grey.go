package codec

import (
	"encoding/binary"
	"image"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// luminance is the quantisation of the standard's example (ITU-T T.81 table K.1), by rows: quality 50.
var luminance = [64]int{
	16, 11, 10, 16, 24, 40, 51, 61,
	12, 12, 14, 19, 26, 58, 60, 55,
	14, 13, 16, 24, 40, 57, 69, 56,
	14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77,
	24, 35, 55, 64, 81, 104, 113, 92,
	49, 64, 78, 87, 103, 121, 120, 101,
	72, 92, 95, 98, 112, 100, 103, 99,
}

// zigzagged is where a coefficient, counted by rows, stands in a block.
var zigzagged = func() (order [64]uint8) {
	for at, i := range zigzag {
		order[i] = uint8(at)
	}
	return order
}()

// A token is a symbol of the Huffman codes (9 bits: those of AC from dcac on), and above it the value's own bits, as many as the
// symbol's low four bits say.
type token uint32

const (
	dcac  = 256
	zeros = 0xF0 // the symbol of sixteen zeros
)

var tokens = sync.Pool{New: func() any { return new([]token) }}

// EncodeGrey is the picture as baseline JPEG (ITU-T T.81), quality from 1 to 100 as libjpeg scales it; it is at most 65,535 pixels
// wide and high. Previews and drawings of grey pictures are most of what a viewer asks for: package image/jpeg takes two to three
// times the time, and 4 % more bytes with the tables of the standard's examples. The tables here are made for this picture, so
// up to 4 bytes a pixel are held while it is written.
func EncodeGrey(img *image.Gray, quality int) []byte {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	var steps [64]byte
	var shares [64]float32 // of a transformed value: what makes it a whole number of steps
	for i, at := range zigzagged {
		step := min(max((luminance[i]*scale+50)/100, 1), 255)
		steps[at] = byte(step)
		shares[i] = float32(1 / (float64(step) * 8 * stretched(i/8) * stretched(i%8)))
	}

	// Bands of the picture are coded at the same time: each is a restart interval (ITU-T T.81 B.2.4.4), which begins at a byte of
	// its own and knows of no block before. How many there are is the picture's, so that each machine makes the same bytes of it.
	across, down := (width+7)/8, (height+7)/8
	rows := min(bandRows, math.MaxUint16/across)
	bands := make([]band, (down+rows-1)/rows)
	each := func(do func(b *band, i int)) {
		var working sync.WaitGroup
		for i := range bands {
			working.Go(func() { do(&bands[i], i) })
		}
		working.Wait()
	}
	each(func(b *band, i int) {
		b.kept = tokens.Get().(*[]token)
		b.transform(img, 8*rows*i, min(8*rows*(i+1), height), &shares)
	})
	var often [2 * dcac]int
	for i := range bands {
		for symbol, n := range bands[i].often {
			often[symbol] += int(n)
		}
	}

	out := make([]byte, 0, width*height/8+1024)
	segment := func(marker byte, body ...byte) {
		out = append(out, 0xFF, marker)
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(body)+2)), body...)
	}
	out = append(out, 0xFF, 0xD8)
	segment(0xE0, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0)
	segment(0xDB, append([]byte{0}, steps[:]...)...)
	segment(0xC0, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 1, 1, 0x11, 0)
	var codes [2 * dcac]code
	for class := range 2 {
		lengths, symbols := shortest(often[class*dcac:][:dcac])
		spell(codes[class*dcac:], lengths, symbols)
		segment(0xC4, slices.Concat([]byte{byte(class << 4)}, lengths[1:], symbols)...)
	}
	if len(bands) > 1 {
		segment(0xDD, byte(rows*across>>8), byte(rows*across))
	}
	segment(0xDA, 1, 1, 0, 0, 63, 0)
	each(func(b *band, _ int) {
		b.write(&codes)
		tokens.Put(b.kept)
	})
	for i, b := range bands {
		if i > 0 {
			out = append(out, 0xFF, 0xD0+byte((i-1)%8))
		}
		out = append(out, b.coded...)
	}
	return append(out, 0xFF, 0xD9)
}

// bandRows of blocks are worth a goroutine.
const bandRows = 16

// band is some rows of the picture.
type band struct {
	kept  *[]token
	often [2 * dcac]int32 // each symbol
	coded []byte
}

// transform does the rows from top, a multiple of 8, to bottom.
func (b *band) transform(img *image.Gray, top, bottom int, shares *[64]float32) {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	all, before := slices.Grow((*b.kept)[:0], (bottom-top)*width/4), int32(0)
	var piece [64]byte
	for y := top; y < bottom; y += 8 {
		for x := 0; x < width; x += 8 {
			from, stride := img.Pix[y*img.Stride+x:], img.Stride
			if x+8 > width || y+8 > height { // beyond the edge the last pixels go on
				for i := range piece {
					piece[i] = img.Pix[min(y+i/8, height-1)*img.Stride+min(x+i%8, width-1)]
				}
				from, stride = piece[:], 8
			}
			all, before = transformed(all, before, from, stride, shares)
		}
	}
	*b.kept = all
	for _, t := range all {
		b.often[t&(2*dcac-1)]++
	}
}

// write spells the tokens.
func (b *band) write(codes *[2 * dcac]code) {
	out := make([]byte, 0, len(*b.kept)+64)
	var held uint64 // its lowest bits wait to be written
	var wait uint32 // so many
	put := func(b byte) {
		if out = append(out, b); b == 0xFF {
			out = append(out, 0) // ITU-T T.81 B.1.1.5
		}
	}
	for _, t := range *b.kept {
		c, more := codes[t&(2*dcac-1)], uint32(t&15)
		held = held<<(c.length+more) | uint64(c.bits<<more|uint32(t/(2*dcac)))
		if wait += c.length + more; wait < 32 {
			continue
		}
		wait -= 32
		four := uint32(held >> wait)
		if ones := ^four; (ones-0x01010101)&^ones&0x80808080 == 0 { // none of the four is 0xFF
			out = binary.BigEndian.AppendUint32(out, four)
			continue
		}
		for shift := 24; shift >= 0; shift -= 8 {
			put(byte(four >> shift))
		}
	}
	for ; wait >= 8; wait -= 8 {
		put(byte(held >> (wait - 8)))
	}
	if wait > 0 { // the last byte is filled with ones
		put(byte(held<<(8-wait)) | (1<<(8-wait) - 1))
	}
	b.coded = out
}

// stretched is by how much the transform leaves a row's k-th value too large.
func stretched(k int) float64 {
	if k == 0 {
		return 1
	}
	return math.Sqrt2 * math.Cos(float64(k)*math.Pi/16)
}

// transformed appends the tokens of a block of 8 x 8 pixels: the discrete cosine transform by Arai, Agui and Nakajima (1988), which
// leaves each value stretched, and the division into steps. The first value is told as the difference from the block's before.
func transformed(all []token, before int32, pixels []byte, stride int, shares *[64]float32) ([]token, int32) {
	var f, turned [64]float32
	for y := range 8 {
		p, r := (*[8]byte)(pixels[y*stride:]), (*[8]float32)(f[y*8:])
		for x := range r {
			r[x] = float32(p[x])
		}
	}
	transformRows(&f, &turned)
	transformRows(&turned, &f)
	f[0] -= 64 * 128       // grey is counted from the middle
	const rounds = 3 << 22 // added to a small float32, it leaves the nearest whole number in the lowest bits
	var values [64]int32
	filled := uint64(0)
	for i, at := range zigzagged {
		v := int32(math.Float32bits(f[i]*shares[i]+rounds)<<10) >> 10
		values[at&63] = v
		filled |= uint64(uint32(v|-v)>>31) << (at & 63)
	}
	all = append(all, tokenOf(0, values[0]-before))
	last := 0
	for left := filled &^ 1; left != 0; left &= left - 1 {
		k := bits.TrailingZeros64(left)
		run := k - last - 1
		for ; run > 15; run -= 16 {
			all = append(all, dcac+zeros)
		}
		all = append(all, tokenOf(token(dcac+run<<4), values[k&63]))
		last = k
	}
	if last < 63 {
		all = append(all, dcac)
	}
	return all, values[0]
}

// tokenOf is the value, after what the symbol says besides its size (ITU-T T.81 tables F.1, F.2).
func tokenOf(symbol token, v int32) token {
	size := bits.Len32(uint32(max(v, -v)))
	low := uint32(v+v>>31) & (1<<size - 1) // negative ones count from their complement
	return symbol | token(size) | token(low*2*dcac)
}

// transformRows does each row, and leaves it as a column.
func transformRows(from, to *[64]float32) {
	for i := range 8 {
		a := (*[8]float32)(from[i*8:])
		s0, d0, s1, d1, s2, d2, s3, d3 := a[0]+a[7], a[0]-a[7], a[1]+a[6], a[1]-a[6], a[2]+a[5], a[2]-a[5], a[3]+a[4], a[3]-a[4]
		even, odd := s0+s3, s1+s2
		turned := (s1 - s2 + s0 - s3) * (math.Sqrt2 / 2)
		low, middle, high := d3+d2, (d2+d1)*(math.Sqrt2/2), d1+d0
		shared := (low - high) * 0.382683433 // sin π/8
		low, high = 0.541196100*low+shared, 1.306562965*high+shared
		up, across := d0+middle, d0-middle
		to[i], to[32+i], to[16+i], to[48+i] = even+odd, even-odd, s0-s3+turned, s0-s3-turned
		to[8+i], to[24+i], to[40+i], to[56+i] = up+high, across-low, across+low, up-high
	}
}

// shortest makes the lengths of a Huffman code of at most 16 bits, none of which is all ones (ITU-T T.81 K.2): how many codes are
// of each length, and the symbols from the shortest on.
func shortest(often []int) (lengths [17]byte, symbols []byte) {
	var weight, length, next [257]int
	var left []int // by weight, the seldomest last
	copy(weight[:], often)
	weight[256] = 1 // takes the code of all ones
	for i, n := range weight {
		if next[i] = -1; n > 0 {
			left = append(left, i)
		}
	}
	slices.SortStableFunc(left, func(a, b int) int { return weight[b] - weight[a] })
	for len(left) > 1 {
		a, b := left[len(left)-1], left[len(left)-2] // the two seldomest become one
		weight[a] += weight[b]
		left = left[:len(left)-2]
		at, _ := slices.BinarySearchFunc(left, weight[a], func(i, n int) int { return n - weight[i] })
		left = slices.Insert(left, at, a)
		i := a
		for length[i]++; next[i] >= 0; length[i]++ {
			i = next[i]
		}
		next[i] = b
		for i = b; i >= 0; i = next[i] {
			length[i]++
		}
	}
	var count [258]int
	most := 0
	for _, n := range length {
		count[n]++
		most = max(most, n)
	}
	for i := most; i > 16; i-- { // of two too long ones the stem becomes one, and a shorter one stems the other
		for count[i] > 0 {
			j := i - 2
			for count[j] == 0 {
				j--
			}
			count[i], count[i-1] = count[i]-2, count[i-1]+1
			count[j+1], count[j] = count[j+1]+2, count[j]-1
		}
	}
	longest := 16
	for count[longest] == 0 {
		longest--
	}
	count[longest]-- // that of all ones
	for i := range lengths[1:] {
		lengths[i+1] = byte(count[i+1])
	}
	for n := 1; n <= most; n++ {
		for symbol, l := range length[:256] {
			if l == n {
				symbols = append(symbols, byte(symbol))
			}
		}
	}
	return lengths, symbols
}

type code struct{ bits, length uint32 }

// spell gives each symbol its code (ITU-T T.81 C.2).
func spell(codes []code, lengths [17]byte, symbols []byte) {
	next := uint32(0)
	for length := uint32(1); length <= 16; length++ {
		for range lengths[length] {
			codes[symbols[0]] = code{next, length}
			symbols = symbols[1:]
			next++
		}
		next <<= 1
	}
}
