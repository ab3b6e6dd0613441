package formulary

import (
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Ratio is an exact, non-negative number. Doses fit into two machine words, so that a check allocates nothing for
// its arithmetic; what does not fit is carried on in big numbers, as exactly. The zero Ratio is 0.
type Ratio struct {
	n, d uint64   // lowest terms; d 0 stands for 1
	big  *big.Rat // instead of n and d, never changed after construction
}

// NewRatio is n/d; d must not be 0.
func NewRatio(n, d uint64) Ratio {
	g := gcd(n, d)
	return Ratio{n: n / g, d: d / g}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

func (r Ratio) den() uint64 { return max(r.d, 1) }

func (r Ratio) rat() *big.Rat {
	if r.big != nil {
		return r.big
	}
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(r.n), new(big.Int).SetUint64(r.den()))
}

func ratio(r *big.Rat) Ratio {
	if r.Num().IsUint64() && r.Denom().IsUint64() {
		return Ratio{n: r.Num().Uint64(), d: r.Denom().Uint64()}
	}
	return Ratio{big: r}
}

// times multiplies and reports whether the product fits.
func times(a, b uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	return lo, hi == 0
}

// Times is r·by.
func (r Ratio) Times(by Ratio) Ratio {
	if r.big == nil && by.big == nil {
		g, h := gcd(r.n, by.den()), gcd(by.n, r.den())
		n, fits := times(r.n/g, by.n/h)
		d, also := times(r.den()/h, by.den()/g)
		if fits && also {
			return Ratio{n: n, d: d}
		}
	}
	return ratio(new(big.Rat).Mul(r.rat(), by.rat()))
}

// Over is r/by; by must not be 0.
func (r Ratio) Over(by Ratio) Ratio {
	if by.big == nil {
		return r.Times(Ratio{n: by.den(), d: by.n})
	}
	return ratio(new(big.Rat).Quo(r.rat(), by.big))
}

// Plus is r+b.
func (r Ratio) Plus(b Ratio) Ratio {
	if r.big == nil && b.big == nil {
		left, fits := times(r.n, b.den())
		right, also := times(b.n, r.den())
		d, too := times(r.den(), b.den())
		n, carry := bits.Add64(left, right, 0)
		if fits && also && too && carry == 0 {
			return NewRatio(n, d)
		}
	}
	return ratio(new(big.Rat).Add(r.rat(), b.rat()))
}

// Cmp is -1, 0 or 1 as r is below, at or above b.
func (r Ratio) Cmp(b Ratio) int {
	if r.big != nil || b.big != nil {
		return r.rat().Cmp(b.rat())
	}
	hi, lo := bits.Mul64(r.n, b.den())
	bhi, blo := bits.Mul64(b.n, r.den())
	switch {
	case hi == bhi && lo == blo:
		return 0
	case hi < bhi || hi == bhi && lo < blo:
		return -1
	}
	return 1
}

// Sign is 0 for 0, else 1.
func (r Ratio) Sign() int {
	if r.big == nil && r.n == 0 {
		return 0
	}
	return 1
}

// Float is the nearest number of floating point, for estimates such as eGFR alone.
func (r Ratio) Float() float64 {
	if r.big == nil {
		return float64(r.n) / float64(r.den())
	}
	f, _ := r.big.Float64()
	return f
}

// String writes the number without trailing zeros; a weekly dose spread over days may need rounding to six places.
func (r Ratio) String() string {
	if r.big == nil && r.den() == 1 {
		return strconv.FormatUint(r.n, 10)
	}
	rat := r.rat()
	if rat.IsInt() {
		return rat.Num().String()
	}
	if hi, lo := bits.Mul64(r.n, 1_000_000); r.big == nil && hi < r.d-1 { // one below, so that rounding up fits too
		millionths, rest := bits.Div64(hi, lo, r.d)
		if rest >= r.d-rest {
			millionths++
		}
		digits := strconv.FormatUint(millionths%1_000_000+1_000_000, 10) // the 1 keeps leading zeros
		return strings.TrimRight(strings.TrimRight(strconv.FormatUint(millionths/1_000_000, 10)+"."+digits[1:], "0"), ".")
	}
	return strings.TrimRight(strings.TrimRight(rat.FloatString(6), "0"), ".")
}

// Fraction is numerator and denominator in lowest terms.
func (r Ratio) Fraction() (numerator, denominator string) {
	return r.rat().Num().String(), r.rat().Denom().String()
}
