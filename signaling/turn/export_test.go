package turn

import "yuanzhen/signaling/gate"

// SetLimits is for tests that don't wait for ten minutes.
func SetLimits(l gate.Limits) (before gate.Limits) {
	before, limits = limits, l
	return before
}
