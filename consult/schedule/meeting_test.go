package schedule

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func at(day, hour, minute int) time.Time {
	return time.Date(2026, 6, day, hour, minute, 0, 0, time.UTC)
}

func TestFind(t *testing.T) {
	window := Span{at(15, 8, 0), at(17, 18, 0)} // Monday to Wednesday
	days := []Span{{at(15, 8, 0), at(15, 18, 0)}, {at(16, 8, 0), at(16, 18, 0)}, {at(17, 8, 0), at(17, 18, 0)}}
	m := Meeting{Window: window, Length: time.Hour, Step: 10 * time.Minute, N: 3, Zone: time.UTC}
	party := func(name string, busy ...Span) Party { return Party{Name: name, Hours: days, Busy: busy} }
	for _, c := range []struct {
		story   string
		parties []Party
		times   []string
		why     []string
	}{
		{"nobody is busy: this morning, and noon is kept free", []Party{party("a"), party("b")},
			[]string{"Mon 08:00", "Mon 09:00", "Mon 10:00"}, nil},
		{"who comes straight from something else is asked later", []Party{party("a", Span{at(15, 7, 0), at(15, 8, 30)}), party("b")},
			[]string{"Mon 09:00", "Mon 10:00", "Mon 11:00"}, nil},
		{"one is away until Wednesday: without them on Monday", []Party{party("a", Span{at(15, 0, 0), at(18, 0, 0)}), party("b")},
			nil, []string{"[a] busy without Mon 08:00"}},
		{"a filing that begins too late, and ends within the window", []Party{party("a"), {Name: "b", Hours: days, Barred: []Barred{{Span{at(15, 0, 0), at(17, 17, 30)}, "X"}}}},
			nil, []string{"[b] barred X until Wed 17:30 without Mon 08:00"}},
		{"two who are never free together", []Party{party("a", Span{at(15, 8, 0), at(16, 18, 0)}), party("b", Span{at(17, 8, 0), at(17, 18, 0)}), party("c")},
			nil, []string{"[a] without Mon 08:00", "[b] without Wed 08:00"}},
		{"two at once have to go", []Party{party("a", Span{at(15, 0, 0), at(18, 0, 0)}), party("b", Span{at(15, 0, 0), at(18, 0, 0)}), party("c")},
			nil, []string{"[a b] without Mon 08:00", "[a] busy", "[b] busy"}},
	} {
		found := Find(m, c.parties)
		var times, why []string
		for _, p := range found.Times {
			times = append(times, p.Start.Format("Mon 15:04"))
		}
		for _, b := range found.Blockers {
			text := fmt.Sprint(b.Names)
			if b.Why != "" {
				text += " " + b.Why
			}
			if b.Barred != "" {
				text += " " + b.Barred
			}
			if !b.Until.IsZero() {
				text += " until " + b.Until.Format("Mon 15:04")
			}
			if b.Without != nil {
				text += " without " + b.Without.Start.Format("Mon 15:04")
			}
			why = append(why, text)
		}
		slices.Sort(why)
		slices.Sort(c.why)
		if !slices.Equal(times, c.times) || !slices.Equal(why, c.why) {
			t.Errorf("%s:\n got %q %q\nwant %q %q", c.story, times, why, c.times, c.why)
		}
	}
}

func TestChinaIsWhole(t *testing.T) {
	c := China()
	for day, want := range map[string]int{
		"2026-06-15": 1, "2026-06-21": 0, "2026-10-10": 3, "2026-01-04": 5, "2026-12-31": 4, "2027-01-01": 0, "2027-01-02": 6, "2027-02-06": 0,
	} {
		d, err := time.Parse(DayFormat, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Weekday(d); got != want {
			t.Errorf("%s has the sessions of weekday %d, want %d", day, got, want)
		}
	}
	for day, rule := range c {
		if (rule.Kind == "workday") != (rule.Follows > 0) || rule.Kind != "workday" && rule.Kind != "holiday" || rule.Name == "" {
			t.Errorf("%s: %+v", day, rule)
		}
	}
	for _, bad := range []string{"day,kind,follows,name\n2026-13-01,holiday,,x\n", "day,kind,follows,name\n2026-01-01,workday,x,x\n", "day\n"} {
		if _, err := readCalendar(bad); err == nil {
			t.Errorf("read %q", bad)
		}
	}
}

// A session keeps its hours on the wall when the zone changes its offset, at midnight and over the year's end.
func TestSessionsOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	shanghai := time.FixedZone("", 8*3600)
	for _, c := range []struct {
		day          string
		zone         *time.Location
		begins, ends int
		want         string
	}{
		{"2026-12-31", shanghai, 23*60 + 30, 1440, "2026-12-31T15:30Z 2026-12-31T16:00Z"},
		{"2027-01-01", shanghai, 0, 30, "2026-12-31T16:00Z 2026-12-31T16:30Z"},
		{"2027-01-01", shanghai, 30, 60, "2026-12-31T16:30Z 2026-12-31T17:00Z"},
		{"2026-03-28", berlin, 9 * 60, 600, "2026-03-28T08:00Z 2026-03-28T09:00Z"},
		{"2026-03-29", berlin, 9 * 60, 600, "2026-03-29T07:00Z 2026-03-29T08:00Z"}, // summer time began at two
	} {
		day, _ := time.Parse(DayFormat, c.day)
		s := Weekly{Begins: c.begins, Ends: c.ends}.On(day, c.zone)
		const f = "2006-01-02T15:04Z"
		if got := s.Start.UTC().Format(f) + " " + s.End.UTC().Format(f); got != c.want {
			t.Errorf("%s: %s, want %s", c.day, got, c.want)
		}
	}
}

// testdata/moments.json holds this formatter and the one of the pages to the same words.
func TestMoment(t *testing.T) {
	text, err := os.ReadFile("testdata/moments.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ At, Zone, Text string }
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for _, c := range list {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := Moment(at, zone); got != c.Text {
			t.Errorf("%s in %s: %q, want %q", c.At, c.Zone, got, c.Text)
		}
	}
}

// Six experts over four weeks, each with twelve engagements a day, and room and patient: `go test -bench Find`.
func BenchmarkFind(b *testing.B) {
	m, parties := Crowd()
	for b.Loop() {
		if f := Find(m, parties); len(f.Times) == 0 {
			b.Fatal("no time")
		}
	}
}
