package codec

import (
	"errors"
	"fmt"
	"math/bits"
)

// JPEG-LS, ITU-T T.87 (LOCO-I). Names follow the recommendation.

type lsParameters struct{ maxval, t1, t2, t3, reset int }

// defaults are those of C.2.4.1.1.
func (p *lsParameters) fill(precision, near int) {
	if p.maxval == 0 {
		p.maxval = 1<<precision - 1
	}
	clamp := func(i, j int) int {
		if i > p.maxval || i < j {
			return j
		}
		return i
	}
	t1, t2, t3 := 0, 0, 0
	if p.maxval >= 128 {
		factor := (min(p.maxval, 4095) + 128) / 256
		t1 = clamp(factor*(3-2)+2+3*near, near+1)
		t2 = clamp(factor*(7-3)+3+5*near, t1)
		t3 = clamp(factor*(21-4)+4+7*near, t2)
	} else {
		factor := 256 / (p.maxval + 1)
		t1 = clamp(max(2, 3/factor+3*near), near+1)
		t2 = clamp(max(3, 7/factor+5*near), t1)
		t3 = clamp(max(4, 21/factor+7*near), t2)
	}
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&p.t1, t1)
	set(&p.t2, t2)
	set(&p.t3, t3)
	set(&p.reset, 64)
}

func decodeJPEGLS(frame []byte) (*Picture, error) {
	m := &markers{data: frame}
	var pic *Picture
	var preset lsParameters
	done := 0 // components decoded
	for {
		s, err := m.next()
		if err != nil {
			return nil, err
		}
		b := s.body
		switch s.marker {
		case 0xF7: // SOF55
			if len(b) < 6 || len(b) < 6+3*int(b[5]) || pic != nil || b[5] != 1 && b[5] != 3 {
				return nil, errors.New("JPEG-LS: a frame header that can't be read")
			}
			if pic, err = newPicture(int(b[3])<<8|int(b[4]), int(b[1])<<8|int(b[2]), int(b[5]), int(b[0])); err != nil {
				return nil, err
			}
		case 0xF8: // LSE
			if len(b) < 11 || b[0] != 1 {
				return nil, errors.New("JPEG-LS: mapping tables and large pictures are not decoded")
			}
			word := func(i int) int { return int(b[i])<<8 | int(b[i+1]) }
			preset = lsParameters{word(1), word(3), word(5), word(7), word(9)}
		case 0xDD: // DRI
			for _, x := range b {
				if x != 0 {
					return nil, errors.New("JPEG-LS: restart intervals are not decoded")
				}
			}
		case 0xDA: // SOS
			n := 0
			if len(b) > 0 {
				n = int(b[0])
			}
			if pic == nil || len(b) < 1+2*n+3 || n < 1 || done+n > pic.Components {
				return nil, errors.New("JPEG-LS: a scan header that can't be read")
			}
			near, ilv := int(b[1+2*n]), b[2+2*n]
			if ilv > 2 || (ilv == 0) != (n == 1) || b[3+2*n]&15 != 0 {
				return nil, errors.New("JPEG-LS: a scan header that can't be read")
			}
			p := preset
			p.fill(pic.Bits, near)
			switch {
			case p.maxval >= 1<<pic.Bits, near > min(255, p.maxval/2), p.t1 < near+1, p.t2 < p.t1, p.t3 < p.t2, p.t3 > p.maxval, p.reset < 3:
				return nil, errors.New("JPEG-LS: coding parameters out of range")
			}
			scan := newLSScan(p, near, &lsBits{data: m.data[m.at:]})
			if err := scan.decode(pic, done, n, ilv == 2); err != nil {
				return nil, err
			}
			m.at += scan.in.at
			if scan.in.seen { // the first byte of the next marker has been read as the last of the scan
				m.at--
			}
			if done += n; done == pic.Components {
				return pic, nil
			}
		case 0xD9:
			return nil, errShort
		}
	}
}

// lsBits reads bits; the byte after 0xFF carries seven (A.1).
type lsBits struct {
	data []byte
	at   int
	hold uint64
	n    int // bits in hold
	seen bool
	over int // bits read beyond the end
}

func (b *lsBits) fillUp() {
	for b.n <= 48 {
		if b.at >= len(b.data) || b.seen && b.data[b.at] >= 0x80 { // a marker ends the scan
			b.over += 8
			b.hold <<= 8
			b.n += 8
			continue
		}
		x := b.data[b.at]
		b.at++
		if b.seen {
			b.hold = b.hold<<7 | uint64(x)
			b.n += 7
		} else {
			b.hold = b.hold<<8 | uint64(x)
			b.n += 8
		}
		b.seen = x == 0xFF
	}
}

// bits reads n of at most 32.
func (b *lsBits) bits(n int) int {
	if b.n < n {
		b.fillUp()
	}
	b.n -= n
	return int(b.hold >> b.n & (1<<n - 1))
}

// zeros counts the zeros before the next one, at most limit, and reads past them and it.
func (b *lsBits) zeros(limit int) int {
	total := 0
	for {
		if b.n < 32 {
			b.fillUp()
		}
		window := b.hold << (64 - b.n)
		n := min(bits.LeadingZeros64(window), b.n)
		if total+n >= limit {
			b.n -= limit - total
			b.bits(1)
			return limit
		}
		if n < b.n {
			b.n -= n + 1
			return total + n
		}
		total, b.n = total+n, 0
	}
}

// ended reports that more was read than is there.
func (b *lsBits) ended() bool { return b.over > b.n }

type lsContext struct{ a, b, c, n int }

type lsScan struct {
	lsParameters
	in                *lsBits
	near, step        int // step = 2*NEAR+1
	rang, qbpp, limit int
	regular           [365]lsContext
	run               [2]lsContext // b counts negative errors (Nn)
	quantized         []int8       // of a difference, from -maxval on
}

func newLSScan(p lsParameters, near int, in *lsBits) *lsScan {
	s := &lsScan{lsParameters: p, in: in, near: near, step: 2*near + 1}
	s.rang = (p.maxval+2*near)/s.step + 1
	s.qbpp = bits.Len(uint(s.rang - 1))
	bpp := max(2, bits.Len(uint(p.maxval)))
	s.limit = 2 * (bpp + max(8, bpp))
	a := max(2, (s.rang+32)/64)
	for i := range s.regular {
		s.regular[i] = lsContext{a: a, n: 1}
	}
	for i := range s.run {
		s.run[i] = lsContext{a: a, n: 1}
	}
	s.quantized = make([]int8, 2*p.maxval+1)
	for i := range s.quantized {
		s.quantized[i] = s.quantize(i - p.maxval)
	}
	return s
}

func (s *lsScan) quantize(d int) int8 {
	size, sign := d, int8(1)
	if d < 0 {
		size, sign = -d, -1
	}
	switch {
	case size <= s.near:
		return 0
	case size < s.t1:
		return sign
	case size < s.t2:
		return 2 * sign
	case size < s.t3:
		return 3 * sign
	}
	return 4 * sign
}

func (s *lsScan) context(ra, rb, rc, rd int) int {
	q := s.quantized[s.maxval:]
	at := func(d int) int {
		if d < 0 {
			return int(s.quantized[s.maxval+d])
		}
		return int(q[d])
	}
	return 81*at(rd-rb) + 9*at(rb-rc) + at(rc-ra)
}

// runLengths is J of A.2.1.
var runLengths = [32]int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// decode reads one scan into the components first … first+n-1, line by line or, for together, sample by sample.
func (s *lsScan) decode(pic *Picture, first, n int, together bool) error {
	w := pic.Width
	lines := make([][2][]int, n) // of each component the line above and this one, with a sample more on either side
	for c := range lines {
		lines[c] = [2][]int{make([]int, w+2), make([]int, w+2)}
	}
	runs := make([]int, n) // RUNindex of each
	for y := range pic.Height {
		for c := range lines {
			l := &lines[c]
			l[0], l[1] = l[1], l[0]
			l[0][w+1] = l[0][w]
			l[1][0] = l[0][1]
		}
		if together {
			if err := s.lineTogether(lines, w, &runs[0]); err != nil {
				return err
			}
		} else {
			for c := range lines {
				if err := s.line(lines[c][0], lines[c][1], w, &runs[c]); err != nil {
					return err
				}
			}
		}
		if s.in.ended() {
			return errShort
		}
		for c := range lines {
			for x, v := range lines[c][1][1 : w+1] {
				pic.Pix[(y*w+x)*pic.Components+first+c] = uint16(v)
			}
		}
	}
	return nil
}

func (s *lsScan) line(above, cur []int, w int, runIndex *int) error {
	for x := 1; x <= w; {
		ra, rb, rc, rd := cur[x-1], above[x], above[x-1], above[x+1]
		if q := s.context(ra, rb, rc, rd); q != 0 {
			cur[x] = s.sample(q, ra, rb, rc)
			x++
			continue
		}
		n, err := s.runLength(w-x+1, runIndex)
		if err != nil {
			return err
		}
		for range n {
			cur[x] = ra
			x++
		}
		if x <= w {
			rb, kind := above[x], 0
			if abs(ra-rb) <= s.near {
				kind = 1
			}
			e := s.interruption(kind, *runIndex)
			switch {
			case kind == 1:
				cur[x] = s.reconstruct(ra, e)
			case ra > rb:
				cur[x] = s.reconstruct(rb, -e)
			default:
				cur[x] = s.reconstruct(rb, e)
			}
			*runIndex = max(*runIndex-1, 0)
			x++
		}
	}
	return nil
}

func (s *lsScan) lineTogether(lines [][2][]int, w int, runIndex *int) error {
	for x := 1; x <= w; {
		flat := true
		var q [3]int
		for c := range lines {
			above, cur := lines[c][0], lines[c][1]
			q[c] = s.context(cur[x-1], above[x], above[x-1], above[x+1])
			flat = flat && q[c] == 0
		}
		if !flat {
			for c := range lines {
				above, cur := lines[c][0], lines[c][1]
				cur[x] = s.sample(q[c], cur[x-1], above[x], above[x-1])
			}
			x++
			continue
		}
		n, err := s.runLength(w-x+1, runIndex)
		if err != nil {
			return err
		}
		for range n {
			for c := range lines {
				lines[c][1][x] = lines[c][1][x-1]
			}
			x++
		}
		if x <= w {
			for c := range lines {
				ra, rb := lines[c][1][x-1], lines[c][0][x]
				e := s.interruption(0, *runIndex)
				if rb < ra {
					e = -e
				}
				lines[c][1][x] = s.reconstruct(rb, e)
			}
			*runIndex = max(*runIndex-1, 0)
			x++
		}
	}
	return nil
}

// sample decodes one sample in context q (A.4 to A.6).
func (s *lsScan) sample(q, ra, rb, rc int) int {
	sign := 1
	if q < 0 {
		q, sign = -q, -1
	}
	c := &s.regular[q]
	px := ra + rb - rc
	if rc >= max(ra, rb) {
		px = min(ra, rb)
	} else if rc <= min(ra, rb) {
		px = max(ra, rb)
	}
	px = min(max(px+sign*c.c, 0), s.maxval)
	k := 0
	for c.n<<k < c.a && k < 16 {
		k++
	}
	m := s.golomb(k, s.limit)
	e := m >> 1
	if s.near == 0 && k == 0 && 2*c.b <= -c.n {
		if m&1 == 0 {
			e = -e - 1
		}
	} else if m&1 == 1 {
		e = -e - 1
	}
	c.b += e * s.step
	c.a += abs(e)
	if c.n == s.reset {
		c.a >>= 1
		if c.b >= 0 {
			c.b >>= 1
		} else {
			c.b = -((1 - c.b) >> 1)
		}
		c.n >>= 1
	}
	c.n++
	if c.b <= -c.n {
		c.b = max(c.b+c.n, 1-c.n)
		c.c = max(c.c-1, -128)
	} else if c.b > 0 {
		c.b = min(c.b-c.n, 0)
		c.c = min(c.c+1, 127)
	}
	return s.reconstruct(px, sign*e)
}

func (s *lsScan) golomb(k, limit int) int {
	most := limit - s.qbpp - 1
	n := s.in.zeros(most)
	if n < most {
		return n<<k | s.in.bits(k)
	}
	return s.in.bits(s.qbpp) + 1
}

func (s *lsScan) reconstruct(px, e int) int {
	v := px + e*s.step
	if v < -s.near {
		v += s.rang * s.step
	} else if v > s.maxval+s.near {
		v -= s.rang * s.step
	}
	return min(max(v, 0), s.maxval)
}

// runLength reads how many samples repeat, at most left (A.7.1).
func (s *lsScan) runLength(left int, index *int) (int, error) {
	n := 0
	for n < left && s.in.bits(1) == 1 {
		full := 1 << runLengths[*index]
		if full <= left-n {
			*index = min(*index+1, 31)
		}
		n += min(full, left-n)
		if s.in.ended() {
			return 0, errShort
		}
		if n == left {
			return n, nil
		}
	}
	if n == left {
		return n, nil
	}
	n += s.in.bits(runLengths[*index])
	if n > left {
		return 0, fmt.Errorf("JPEG-LS: a run beyond the end of its line")
	}
	return n, nil
}

// interruption decodes the error of the sample that ends a run (A.7.2).
func (s *lsScan) interruption(kind, index int) int {
	c := &s.run[kind]
	t := c.a
	if kind == 1 {
		t += c.n >> 1
	}
	k := 0
	for c.n<<k < t && k < 16 {
		k++
	}
	m := s.golomb(k, s.limit-runLengths[index]-1)
	odd := (m + kind) & 1
	e := (m + kind + odd) / 2
	if (k != 0 || 2*c.b >= c.n) == (odd == 1) {
		e = -e
	}
	if e < 0 {
		c.b++
	}
	c.a += (m + 1 - kind) >> 1
	if c.n == s.reset {
		c.a >>= 1
		c.n >>= 1
		c.b >>= 1
	}
	c.n++
	return e
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}
