package codec

import (
	"errors"
	"fmt"
	"math"
)

// JPEG, ITU-T T.81: the lossless process (SOF3) of any precision, and the sequential DCT processes (SOF0, SOF1) with 8
// or 12 bits. Components are sampled alike, as DICOM's are but for colour that image/jpeg decodes.

type jpegComponent struct {
	id, quant  byte
	dc, ac     *huffman
	prediction int
}

type jpegFrame struct {
	pic        *Picture
	lossless   bool
	components []jpegComponent
	quants     [4][64]int
	dcs, acs   [4]*huffman
	restart    int
}

func decodeJPEG(frame []byte) (*Picture, error) {
	m := &markers{data: frame}
	f := &jpegFrame{}
	for {
		s, err := m.next()
		if err != nil {
			return nil, err
		}
		switch b := s.body; s.marker {
		case 0xC0, 0xC1, 0xC3:
			err = f.begin(b, s.marker == 0xC3)
		case 0xC2, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF:
			return nil, fmt.Errorf("JPEG: process SOF%d is not decoded", s.marker&15)
		case 0xC4:
			err = f.huffmanTables(b)
		case 0xDB:
			err = f.quantization(b)
		case 0xDD:
			if len(b) < 2 {
				return nil, errShort
			}
			f.restart = int(b[0])<<8 | int(b[1])
		case 0xDA:
			if err := f.scan(b, m); err != nil {
				return nil, err
			}
			return f.pic, nil
		case 0xD9:
			return nil, errShort
		}
		if err != nil {
			return nil, err
		}
	}
}

func (f *jpegFrame) begin(b []byte, lossless bool) (err error) {
	if len(b) < 6 || len(b) < 6+3*int(b[5]) || f.pic != nil || b[5] != 1 && b[5] != 3 {
		return errors.New("JPEG: a frame header that can't be read")
	}
	if !lossless && b[0] != 8 && b[0] != 12 {
		return fmt.Errorf("JPEG: %d bits", b[0])
	}
	f.lossless = lossless
	for c := b[6 : 6+3*int(b[5])]; len(c) > 0; c = c[3:] {
		if c[1] != b[7] || c[2] > 3 || b[5] == 3 && c[1] != 0x11 {
			return errors.New("JPEG: components sampled differently")
		}
		f.components = append(f.components, jpegComponent{id: c[0], quant: c[2]})
	}
	f.pic, err = newPicture(int(b[3])<<8|int(b[4]), int(b[1])<<8|int(b[2]), int(b[5]), int(b[0]))
	return err
}

func (f *jpegFrame) quantization(b []byte) error {
	for len(b) > 0 {
		wide, to := int(b[0]>>4), b[0]&15
		if b = b[1:]; wide > 1 || to > 3 || len(b) < 64*(wide+1) {
			return errors.New("JPEG: a quantization table that can't be read")
		}
		for i := range 64 {
			v := int(b[0])
			if wide == 1 {
				v = v<<8 | int(b[1])
			}
			f.quants[to][zigzag[i]] = v
			b = b[wide+1:]
		}
	}
	return nil
}

func (f *jpegFrame) huffmanTables(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 {
			return errShort
		}
		class, to, n := b[0]>>4, b[0]&15, 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if class > 1 || to > 3 || n > 256 || len(b) < 17+n {
			return errors.New("JPEG: a Huffman table that can't be read")
		}
		h, err := newHuffman(b[1:17], b[17:17+n])
		if err != nil {
			return err
		}
		if class == 0 {
			f.dcs[to] = h
		} else {
			f.acs[to] = h
		}
		b = b[17+n:]
	}
	return nil
}

// huffman finds the symbol of a code by its next 16 bits: 64 Ki entries of symbol and length.
type huffman struct{ codes [1 << 16]uint16 }

func newHuffman(counts, symbols []byte) (*huffman, error) {
	h, code := &huffman{}, 0
	for length := 1; length <= 16; length++ {
		for range counts[length-1] {
			if code >= 1<<length {
				return nil, errors.New("JPEG: a Huffman table with too many codes")
			}
			for i := range 1 << (16 - length) {
				h.codes[code<<(16-length)|i] = uint16(symbols[0])<<8 | uint16(length)
			}
			symbols = symbols[1:]
			code++
		}
		code <<= 1
	}
	return h, nil
}

// jpegBits reads bits; 0xFF is followed by a zero that is none of them (F.1.2.3).
type jpegBits struct {
	data []byte
	at   int
	hold uint64
	n    int
	over int
}

func (b *jpegBits) fillUp() {
	for b.n <= 48 {
		b.n += 8
		if b.at >= len(b.data) || b.data[b.at] == 0xFF && (b.at+1 >= len(b.data) || b.data[b.at+1] != 0) {
			b.over += 8
			b.hold <<= 8
			continue
		}
		b.hold = b.hold<<8 | uint64(b.data[b.at])
		if b.data[b.at] == 0xFF {
			b.at++
		}
		b.at++
	}
}

func (b *jpegBits) bits(n int) int {
	if b.n < n {
		b.fillUp()
	}
	b.n -= n
	return int(b.hold >> b.n & (1<<n - 1))
}

func (b *jpegBits) symbol(h *huffman) (int, error) {
	if b.n < 16 {
		b.fillUp()
	}
	code := h.codes[b.hold>>(b.n-16)&0xFFFF]
	if code == 0 {
		return 0, errors.New("JPEG: a code that is none")
	}
	b.n -= int(code & 0xFF)
	if b.over > b.n {
		return 0, errShort
	}
	return int(code >> 8), nil
}

// signed reads the n bits that tell a value of n bits' size (F.1.2.1.1).
func (b *jpegBits) signed(n int) int {
	if n == 0 {
		return 0
	}
	v := b.bits(n)
	if v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v
}

// restarted drops what is left of a byte and passes the marker.
func (b *jpegBits) restarted() error {
	b.hold, b.n, b.over = 0, 0, 0
	for b.at+1 < len(b.data) {
		if b.data[b.at] == 0xFF && b.data[b.at+1] >= 0xD0 && b.data[b.at+1] <= 0xD7 {
			b.at += 2
			return nil
		}
		b.at++
	}
	return errShort
}

func (f *jpegFrame) scan(b []byte, m *markers) error {
	if f.pic == nil || len(b) < 4 || len(b) < 4+2*int(b[0]) || int(b[0]) != len(f.components) {
		return errors.New("JPEG: a scan that can't be read")
	}
	n := int(b[0])
	for i := range n {
		c, tables := &f.components[i], b[2+2*i]
		if b[1+2*i] != c.id || tables>>4 > 3 || tables&15 > 3 {
			return errors.New("JPEG: a scan that can't be read")
		}
		if c.dc, c.ac = f.dcs[tables>>4], f.acs[tables&15]; c.dc == nil || !f.lossless && c.ac == nil {
			return errors.New("JPEG: a Huffman table is missing")
		}
	}
	in := &jpegBits{data: m.data[m.at:]}
	if f.lossless {
		return f.losslessScan(in, int(b[1+2*n]), int(b[3+2*n]&15))
	}
	return f.dctScan(in)
}

// losslessScan is annex H. The predictor is one of seven; down is the point transform.
func (f *jpegFrame) losslessScan(in *jpegBits, predictor, down int) error {
	if predictor < 1 || predictor > 7 || down >= f.pic.Bits {
		return errors.New("JPEG: a predictor that is none")
	}
	w, n := f.pic.Width, f.pic.Components
	above, cur := make([]int, w*n), make([]int, w*n)
	first := true // the line begins anew: predicted from its left alone
	left := f.restart
	for y := range f.pic.Height {
		above, cur = cur, above
		for x := range w {
			if f.restart > 0 && left == 0 {
				if err := in.restarted(); err != nil {
					return err
				}
				if left, first = f.restart, true; x != 0 {
					return errors.New("JPEG: a restart within a line")
				}
			}
			left--
			for c := range n {
				i, p := x*n+c, 0
				switch {
				case first && x == 0:
					p = 1 << (f.pic.Bits - down - 1)
				case first:
					p = cur[i-n]
				case x == 0:
					p = above[i]
				default:
					a, b, d := cur[i-n], above[i], above[i-n]
					p = [...]int{0, a, b, d, a + b - d, a + (b-d)>>1, b + (a-d)>>1, (a + b) >> 1}[predictor]
				}
				size, err := in.symbol(f.components[c].dc)
				if err != nil {
					return err
				}
				difference := 1 << 15
				if size > 16 {
					return errors.New("JPEG: a difference of more than 16 bits")
				} else if size < 16 {
					difference = in.signed(size)
				}
				cur[i] = (p + difference) & 0xFFFF
				f.pic.Pix[y*w*n+i] = uint16(cur[i] << down)
			}
		}
		first = false
		if in.over > in.n {
			return errShort
		}
	}
	return nil
}

func (f *jpegFrame) dctScan(in *jpegBits) error {
	w, h, n := f.pic.Width, f.pic.Height, f.pic.Components
	left := f.restart
	var block [64]int
	for by := 0; by < h; by += 8 {
		for bx := 0; bx < w; bx += 8 {
			if f.restart > 0 && left == 0 {
				if err := in.restarted(); err != nil {
					return err
				}
				left = f.restart
				for c := range f.components {
					f.components[c].prediction = 0
				}
			}
			left--
			for c := range f.components {
				if err := f.block(in, &f.components[c], &block); err != nil {
					return err
				}
				top := 1<<f.pic.Bits - 1
				for y := range min(8, h-by) {
					for x := range min(8, w-bx) {
						f.pic.Pix[((by+y)*w+bx+x)*n+c] = uint16(min(max(block[8*y+x]+(top+1)/2, 0), top))
					}
				}
			}
		}
	}
	return nil
}

// block decodes 64 coefficients (F.2.2) and turns them into samples around zero.
func (f *jpegFrame) block(in *jpegBits, c *jpegComponent, out *[64]int) error {
	quant := &f.quants[c.quant]
	size, err := in.symbol(c.dc)
	if err != nil {
		return err
	}
	if size > 15 {
		return errors.New("JPEG: a coefficient of more than 15 bits")
	}
	c.prediction += in.signed(size)
	var v [64]float64
	v[0] = float64(c.prediction * quant[0])
	for k := 1; k < 64; k++ {
		rs, err := in.symbol(c.ac)
		if err != nil {
			return err
		}
		run, size := rs>>4, rs&15
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errors.New("JPEG: coefficients beyond the block")
		}
		v[zigzag[k]] = float64(in.signed(size) * quant[zigzag[k]])
	}
	inverseDCT(&v)
	for i, x := range v {
		out[i] = int(math.Round(x))
	}
	return nil
}

// cosines holds C(u)/2 * cos((2x+1)uπ/16) (A.3.3).
var cosines = func() (t [8][8]float64) {
	for x := range 8 {
		for u := range 8 {
			t[x][u] = math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
			if u == 0 {
				t[x][u] = math.Sqrt2 / 4
			}
		}
	}
	return t
}()

func inverseDCT(v *[64]float64) {
	var half [64]float64
	for y := range 8 {
		for x := range 8 {
			sum := 0.0
			for u := range 8 {
				sum += v[8*y+u] * cosines[x][u]
			}
			half[8*y+x] = sum
		}
	}
	for x := range 8 {
		for y := range 8 {
			sum := 0.0
			for u := range 8 {
				sum += half[8*u+x] * cosines[y][u]
			}
			v[8*y+x] = sum
		}
	}
}

var zigzag = [64]int{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}
