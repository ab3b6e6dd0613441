package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var day = time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)

// spans reads "09:00-10:00 14:00-15:30".
func spans(t *testing.T, s string) (list []Span) {
	for _, part := range strings.Fields(s) {
		var h1, m1, h2, m2 int
		if _, err := fmt.Sscanf(part, "%d:%d-%d:%d", &h1, &m1, &h2, &m2); err != nil {
			t.Fatal(err)
		}
		at := func(h, m int) time.Time { return day.Add(time.Duration(h*60+m) * time.Minute) }
		list = append(list, Span{at(h1, m1), at(h2, m2)})
	}
	return list
}

func text(list []Span) string {
	var parts []string
	for _, s := range list {
		parts = append(parts, s.Start.Format("15:04")+"-"+s.End.Format("15:04"))
	}
	return strings.Join(parts, " ")
}

func TestFree(t *testing.T) {
	for name, c := range map[string]struct {
		roster, busy string
		buffer       time.Duration
		want         string
	}{
		"nothing booked": {"09:00-12:00", "", Buffer, "09:00-12:00"},
		"a ward round in the middle, with the way": {"09:00-12:00", "10:00-10:30", Buffer, "09:00-09:45 10:45-12:00"},
		"the way only reaches in":                  {"09:00-12:00", "08:00-08:50", Buffer, "09:05-12:00"},
		"exactly the way before":                   {"09:00-12:00", "08:00-08:45", Buffer, "09:00-12:00"},
		"busy all day":                             {"09:00-12:00", "08:00-13:00", 0, ""},
		"roster written in two pieces that touch":  {"10:30-12:00 09:00-10:30", "10:00-11:00", 0, "09:00-10:00 11:00-12:00"},
		"an empty entry in the roster":             {"09:00-09:00 10:00-11:00", "", 0, "10:00-11:00"},
		"two that overlap each other":              {"09:00-12:00", "09:30-10:30 10:00-11:00", 0, "09:00-09:30 11:00-12:00"},
	} {
		if got := text(Free(spans(t, c.roster), spans(t, c.busy), c.buffer)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCommon(t *testing.T) {
	for name, c := range map[string]struct {
		people []string
		want   string
	}{
		"expert free at both places":               {[]string{"09:00-12:00 14:00-17:00", "11:00-15:00"}, "11:00-12:00 14:00-15:00"},
		"three, of whom one is never free":         {[]string{"09:00-12:00", "09:00-12:00", ""}, ""},
		"one ends when the other begins":           {[]string{"09:00-10:00", "10:00-11:00"}, ""},
		"one alone":                                {[]string{"10:00-11:00 09:00-10:00"}, "09:00-11:00"},
		"nobody is asked, nobody has said \"yes\"": {nil, ""},
	} {
		var people [][]Span
		for _, p := range c.people {
			people = append(people, spans(t, p))
		}
		if got := text(Common(people...)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCutAndNearest(t *testing.T) {
	slots := Cut(spans(t, "09:00-09:50 14:00-14:20"), 20*time.Minute)
	if got := text(slots); got != "09:00-09:20 09:20-09:40 14:00-14:20" {
		t.Errorf("cut: %s", got)
	}
	if got := text(Nearest(slots, day.Add(9*time.Hour+10*time.Minute), 2)); got != "09:00-09:20 09:20-09:40" {
		t.Errorf("nearest, of two equals the earlier first: %s", got)
	}
	if got := Nearest(slots, day, 9); len(got) != 3 {
		t.Errorf("asked for more than there are: %v", got)
	}
	if got := Cut(slots, 0); got != nil {
		t.Errorf("a length of zero has no slots: %v", got)
	}
}

func anySpans(t *rapid.T, label string) []Span {
	minute := rapid.IntRange(0, 24*60)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		a, b := minute.Draw(t, "from"), minute.Draw(t, "to")
		return Span{day.Add(time.Duration(min(a, b)) * time.Minute), day.Add(time.Duration(max(a, b)) * time.Minute)}
	}), 0, 8).Draw(t, label)
}

func covered(list []Span, at time.Time) bool {
	for _, s := range list {
		if !at.Before(s.Start) && at.Before(s.End) {
			return true
		}
	}
	return false
}

// Minute by minute: what is free is in the roster, and neither busy nor within the buffer of it.
func TestFreeNeverOverlapsBusy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roster, busy := anySpans(t, "roster"), anySpans(t, "busy")
		buffer := time.Duration(rapid.IntRange(0, 30).Draw(t, "buffer")) * time.Minute
		free := Free(roster, busy, buffer)
		for i, f := range free {
			for _, b := range busy {
				if f.Overlaps(Span{b.Start.Add(-buffer), b.End.Add(buffer)}) && b.Length() > 0 {
					t.Fatalf("%v overlaps %v", f, b)
				}
			}
			if f.Length() <= 0 || i > 0 && f.Start.Before(free[i-1].End) {
				t.Fatalf("empty or out of order: %v", free)
			}
		}
		for at := day; at.Before(day.Add(24 * time.Hour)); at = at.Add(time.Minute) {
			inBusy := false
			for _, b := range busy {
				inBusy = inBusy || Span{b.Start.Add(-buffer), b.End.Add(buffer)}.Overlaps(Span{at, at.Add(time.Minute)})
			}
			if want := covered(roster, at) && !inBusy; covered(free, at) != want {
				t.Fatalf("at %v: free is %v, want %v", at, !want, want)
			}
		}
	})
}

func TestCommonIsWhereEverybodyIsFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anySpans(t, "a"), anySpans(t, "b"), anySpans(t, "c")
		common := Common(a, b, c)
		for at := day; at.Before(day.Add(24 * time.Hour)); at = at.Add(time.Minute) {
			if want := covered(a, at) && covered(b, at) && covered(c, at); covered(common, at) != want {
				t.Fatalf("at %v: %v, want %v", at, !want, want)
			}
		}
	})
}
