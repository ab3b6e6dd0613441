package formulary

import (
	"fmt"
	"math/big"
	"regexp"
)

// Decimal is an exact, non-negative number as it was written. The zero Decimal was not written at all.
type Decimal struct {
	number Ratio
	stated bool
}

// A prescription never needs more digits; without a limit, 1e999999999 would eat the memory.
var decimalForm = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)

// ParseDecimal reads digits with at most one point: no sign, no exponent.
func ParseDecimal(s string) (Decimal, error) {
	if !decimalForm.MatchString(s) {
		return Decimal{}, fmt.Errorf("%q is not a plain decimal number", s)
	}
	rat, _ := new(big.Rat).SetString(s)
	return Decimal{ratio(rat), true}, nil
}

// IsZero reports that the number is absent, which is not the number 0.
func (d Decimal) IsZero() bool { return !d.stated }

// Sign is 0 for an absent number and for 0.
func (d Decimal) Sign() int { return d.number.Sign() }

// Ratio is the number for calculation.
func (d Decimal) Ratio() Ratio { return d.number }

// Times is d taken by times; an absent number stays absent.
func (d Decimal) Times(by Ratio) Decimal {
	if !d.stated {
		return d
	}
	return Decimal{d.number.Times(by), true}
}

func (d Decimal) String() string {
	if !d.stated {
		return ""
	}
	return d.number.String()
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
	base string // the unit n counts; empty when nobody stated it
	n    Ratio
}

// units is the closed subset of UCUM that a dose may be written in.
var units = map[string]struct {
	base string
	size Ratio
}{
	"kg": {"mg", NewRatio(1_000_000, 1)}, "g": {"mg", NewRatio(1000, 1)}, "mg": {"mg", NewRatio(1, 1)},
	"ug": {"mg", NewRatio(1, 1000)}, "ng": {"mg", NewRatio(1, 1_000_000)},
	"L": {"mL", NewRatio(1000, 1)}, "mL": {"mL", NewRatio(1, 1)},
	"[iU]": {"[iU]", NewRatio(1, 1)}, "[U]": {"[U]", NewRatio(1, 1)}, "mmol": {"mmol", NewRatio(1, 1)},
}

// KnownUnit reports whether a dose may be written in unit.
func KnownUnit(unit string) bool { _, ok := units[unit]; return ok }

// NewAmount is d counted in a known unit.
func NewAmount(d Decimal, unit string) (Amount, error) {
	u, ok := units[unit]
	if !ok {
		return Amount{}, fmt.Errorf("unknown unit %q", unit)
	}
	return Amount{u.base, d.number.Times(u.size)}, nil
}

// IsZero reports that nobody stated the amount.
func (a Amount) IsZero() bool { return a.base == "" }

// Times is a taken by times; an unstated amount stays unstated.
func (a Amount) Times(by Ratio) Amount {
	if a.IsZero() {
		return a
	}
	return Amount{a.base, a.n.Times(by)}
}

// Plus adds two amounts; the sum is unstated when either is, or when their kinds differ.
func (a Amount) Plus(b Amount) Amount {
	if !a.Comparable(b) {
		return Amount{}
	}
	return Amount{a.base, a.n.Plus(b.n)}
}

// Comparable reports that both amounts are stated and of one kind.
func (a Amount) Comparable(b Amount) bool { return a.base != "" && a.base == b.base }

// Over reports a > b for comparable amounts, false for others.
func (a Amount) Over(b Amount) bool { return a.Comparable(b) && a.n.Cmp(b.n) > 0 }

// In writes the amount in unit, such as "0.125 mg"; in its own base unit if unit is of another kind.
func (a Amount) In(unit string) string {
	if a.IsZero() {
		return "?"
	}
	u := units[unit]
	if u.base != a.base {
		unit, u = a.base, units[a.base]
	}
	return a.n.Over(u.size).String() + " " + unit
}
