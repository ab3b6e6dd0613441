package formulary

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Two machine words and big numbers say the same, also where the words no longer hold the number.
func TestRatioIsExact(t *testing.T) {
	draw := func(t *rapid.T, name string) (Ratio, *big.Rat) {
		n := rapid.OneOf(rapid.Uint64Range(0, 1_000_000_000_000_000), rapid.Uint64()).Draw(t, name)
		d := rapid.OneOf(rapid.Uint64Range(1, 1_000_000), rapid.Uint64Min(1)).Draw(t, name+" d")
		return NewRatio(n, d), new(big.Rat).SetFrac(new(big.Int).SetUint64(n), new(big.Int).SetUint64(d))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, bigA := draw(t, "a")
		b, bigB := draw(t, "b")
		for what, pair := range map[string][2]*big.Rat{
			"a+b": {a.Plus(b).rat(), new(big.Rat).Add(bigA, bigB)}, "a·b": {a.Times(b).rat(), new(big.Rat).Mul(bigA, bigB)},
			"a·b·b": {a.Times(b).Times(b).rat(), new(big.Rat).Mul(bigA, new(big.Rat).Mul(bigB, bigB))},
		} {
			if pair[0].Cmp(pair[1]) != 0 {
				t.Fatalf("%s is %s, want %s", what, pair[0], pair[1])
			}
		}
		if b.Sign() > 0 && a.Over(b).rat().Cmp(new(big.Rat).Quo(bigA, bigB)) != 0 {
			t.Fatalf("a/b is %s", a.Over(b).rat())
		}
		if a.Cmp(b) != bigA.Cmp(bigB) {
			t.Fatalf("a against b: %d", a.Cmp(b))
		}
		want := bigA.FloatString(6)
		want = strings.TrimRight(strings.TrimRight(want, "0"), ".")
		if a.String() != want && !bigA.IsInt() {
			t.Fatalf("%s is written %s, want %s", bigA, a, want)
		}
	})
}
