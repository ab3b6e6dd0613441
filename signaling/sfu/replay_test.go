package sfu

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAPacketPassesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r replays
		passed := map[uint64]bool{}
		at := uint64(rapid.IntRange(firstNumber, 2*firstNumber).Draw(t, "first"))
		newest := uint64(0)
		for range rapid.IntRange(1, 400).Draw(t, "packets") {
			at += uint64(rapid.SampledFrom([]int{0, 1, 1, 1, 2, 70, 900, 1500}).Draw(t, "step"))
			n := at - min(at-firstNumber, uint64(rapid.SampledFrom([]int{0, 0, 0, 1, 5, 63, 64, 1023, 1024, 5000}).Draw(t, "behind")))
			got, fresh := r.number(uint16(n))
			if newest == 0 {
				at = got // the first number fixes the rest
				n = got
			}
			if got != n {
				t.Fatalf("%d was taken for %d", n, got)
			}
			want := !passed[n] && (newest == 0 || n > newest || newest-n < replayWindow)
			if fresh != want {
				t.Fatalf("%d after %d: fresh %v", n, newest, fresh)
			}
			if fresh {
				passed[n] = true
				newest = max(newest, n)
				r.note(n)
			}
		}
	})
}
