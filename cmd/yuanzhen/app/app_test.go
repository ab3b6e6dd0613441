package app_test

import "testing"

// One house serves all that leaves it well; each part stands in a file of its own.
func TestHouse(t *testing.T) {
	b := open(t)
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"access", b.testAccess},
		{"journeys", b.testJourneys},
		{"eligibility", b.testEligibility},
		{"bad input", b.testBadInput},
		{"corrupt images", b.testCorruptImages},
		{"bad tickets", b.testBadTickets},
		{"booking race", b.testBookingRace},
		{"other origins", b.testOtherOrigins},
	} {
		t.Run(part.name, part.test)
		b.t = t
	}
}
