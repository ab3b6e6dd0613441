package signaling

import (
	"strings"
	"testing"
	"time"
)

func TestDepthIsCountedOutsideStrings(t *testing.T) {
	for name, c := range map[string]struct {
		raw string
		ok  bool
	}{
		"32 deep":                      {strings.Repeat("[", 32) + strings.Repeat("]", 32), true},
		"33 deep":                      {strings.Repeat("[", 33) + strings.Repeat("]", 33), false},
		"side by side":                 {"[" + strings.Repeat("{},", 99) + "{}]", true},
		"brackets in a string":         {`{"a":"` + strings.Repeat("[", 99) + `"}`, true},
		"an escaped quote in a string": {`{"a":"\"` + strings.Repeat("[", 99) + `"}`, true},
		"after an escaped backslash":   {`["\\",` + strings.Repeat("[", 40), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkDepth([]byte(c.raw)); (err == nil) != c.ok {
				t.Fatal(err)
			}
		})
	}
}

func TestABucketAllowsItsRateAndNoMore(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	b := newBucket(100, now)
	taken := 0
	for ms := range 10_000 { // asks 1000 times a second for 10 s
		if b.take(now.Add(time.Duration(ms) * time.Millisecond)) {
			taken++
		}
	}
	if taken < 1090 || taken > 1100 {
		t.Fatalf("%d in ten seconds, want 100 at once and 100 a second", taken)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"join","version":1,"ticket":"yz1.x.y","session":"","seen":3}`))
	f.Add([]byte(`{"type":"publish","offer":1,"sdp":"v=0","sections":[{"mid":"0","source":"camera"}]}`))
	f.Add([]byte(`{"type":"candidate","side":"publish","candidate":{"candidate":"","sdpMid":null}}`))
	f.Add([]byte(`{"type":"app","topic":"t","data":{"a":["\"["]},"keep":true}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decode(raw)
		if err != nil || len(m.Data) == 0 {
			return
		}
		if checkDepth(m.Data) != nil || len(m.Data) > len(raw) {
			t.Fatalf("data % x of % x", m.Data, raw)
		}
	})
}
