package main

import (
	"context"
	"testing"
	"time"

	"yuanzhen/cmd/yuanzhen/bench"
)

// A CT of 300 slices is opened on a county's line of 2 Mbit/s and 200 ms: the first slice within 3 s, all of them within 30 s. What
// the line has to carry decides, not the clock of a machine that may be busy with other things; the clock's time is printed.
func TestASeriesOpensOverACountysLine(t *testing.T) {
	server := start(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o, err := bench.OpenOverALine(ctx, server.base, 300)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what  string
		bytes int64
		trips int
		clock time.Duration
		goal  time.Duration
	}{
		{"the first slice", o.FirstBytes, o.FirstTrips, o.First, 3 * time.Second},
		{"all 300 previews", o.AllBytes, o.AllTrips, o.All, 30 * time.Second},
	} {
		takes := bench.OnLine(c.bytes, c.trips)
		t.Logf("%s: %d kB and %d trips are %.1f s on the line; by the clock %.1f s", c.what, c.bytes/1000, c.trips, takes.Seconds(), c.clock.Seconds())
		if takes > c.goal {
			t.Errorf("%s: more than %v", c.what, c.goal)
		}
	}
	if least := int64(300 * 1000); o.AllBytes < least {
		t.Errorf("%d bytes are no 300 pictures", o.AllBytes)
	}
}
