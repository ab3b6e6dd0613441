package formulary

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Decimal is an exact, non-negative number as it was written. The zero Decimal was not written at all.
type Decimal struct{ rat *big.Rat }

// A prescription never needs more digits; without a limit, 1e999999999 would eat the memory.
var decimalForm = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)

// ParseDecimal reads digits with at most one point: no sign, no exponent.
func ParseDecimal(s string) (Decimal, error) {
	if !decimalForm.MatchString(s) {
		return Decimal{}, fmt.Errorf("%q is not a plain decimal number", s)
	}
	rat, _ := new(big.Rat).SetString(s)
	return Decimal{rat}, nil
}

// IsZero reports that the number is absent, which is not the number 0.
func (d Decimal) IsZero() bool { return d.rat == nil }

// Sign is 0 for an absent number and for 0.
func (d Decimal) Sign() int { return d.Rat().Sign() }

// Rat is the number for calculation; the caller must not change it.
func (d Decimal) Rat() *big.Rat {
	if d.rat == nil {
		return new(big.Rat)
	}
	return d.rat
}

// Times is d taken by times; an absent number stays absent.
func (d Decimal) Times(by *big.Rat) Decimal {
	if d.rat == nil {
		return d
	}
	return Decimal{new(big.Rat).Mul(d.rat, by)}
}

func (d Decimal) String() string {
	if d.rat == nil {
		return ""
	}
	return plain(d.rat)
}

// MarshalText writes the number as it would be written by hand.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDecimal; an empty text is an absent number.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = Decimal{}
		return nil
	}
	*d, err = ParseDecimal(string(text))
	return err
}

// Amount is an exact quantity of a drug. Amounts of different kinds (mass, international units)
// have no order; the zero Amount is an amount nobody stated.
type Amount struct {
	base string   // the unit n counts
	n    *big.Rat // never changed after construction
}

// units is the closed subset of UCUM that a dose may be written in.
var units = map[string]struct {
	base string
	size *big.Rat
}{
	"kg": {"mg", big.NewRat(1_000_000, 1)}, "g": {"mg", big.NewRat(1000, 1)}, "mg": {"mg", big.NewRat(1, 1)},
	"ug": {"mg", big.NewRat(1, 1000)}, "ng": {"mg", big.NewRat(1, 1_000_000)},
	"L": {"mL", big.NewRat(1000, 1)}, "mL": {"mL", big.NewRat(1, 1)},
	"[iU]": {"[iU]", big.NewRat(1, 1)}, "[U]": {"[U]", big.NewRat(1, 1)}, "mmol": {"mmol", big.NewRat(1, 1)},
}

// KnownUnit reports whether a dose may be written in unit.
func KnownUnit(unit string) bool { _, ok := units[unit]; return ok }

// NewAmount is d counted in a known unit.
func NewAmount(d Decimal, unit string) (Amount, error) {
	u, ok := units[unit]
	if !ok {
		return Amount{}, fmt.Errorf("unknown unit %q", unit)
	}
	return Amount{u.base, new(big.Rat).Mul(d.Rat(), u.size)}, nil
}

// IsZero reports that nobody stated the amount.
func (a Amount) IsZero() bool { return a.n == nil }

// Times is a taken by times; an unstated amount stays unstated.
func (a Amount) Times(by *big.Rat) Amount {
	if a.n == nil {
		return a
	}
	return Amount{a.base, new(big.Rat).Mul(a.n, by)}
}

// Plus adds two amounts; the sum is unstated when either is, or when their kinds differ.
func (a Amount) Plus(b Amount) Amount {
	if a.n == nil || b.n == nil || a.base != b.base {
		return Amount{}
	}
	return Amount{a.base, new(big.Rat).Add(a.n, b.n)}
}

// Comparable reports that both amounts are stated and of one kind.
func (a Amount) Comparable(b Amount) bool { return a.n != nil && b.n != nil && a.base == b.base }

// Over reports a > b for comparable amounts, false for others.
func (a Amount) Over(b Amount) bool { return a.Comparable(b) && a.n.Cmp(b.n) > 0 }

// In writes the amount in unit, such as "0.125 mg"; in its own base unit if unit is of another kind.
func (a Amount) In(unit string) string {
	if a.n == nil {
		return "?"
	}
	u := units[unit]
	if u.base != a.base {
		unit, u = a.base, units[a.base]
	}
	return plain(new(big.Rat).Quo(a.n, u.size)) + " " + unit
}

// plain writes a number without trailing zeros; a weekly dose spread over days may need rounding.
func plain(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(r.FloatString(6), "0"), ".")
}
