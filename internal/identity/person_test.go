package identity

import (
	"testing"
	"time"
)

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestResidentID(t *testing.T) {
	today := day("2026-06-15")
	for _, c := range []struct {
		story, number string
		ok            bool
		sex, born     string
	}{
		{"sample of the standard", "11010519491231002X", true, "F", "1949-12-31"},
		{"lower-case x is meant as X", "11010519491231002x", true, "F", "1949-12-31"},
		{"second sample", "440524188001010014", true, "M", "1880-01-01"},
		{"wrong check character", "110105194912310021", false, "", ""},
		{"30 February", "110105194902300027", false, "", ""},
		{"old number of 15 digits", "110105491231002", false, "", ""},
		{"born tomorrow", "110105202606160029", false, "", ""},
	} {
		t.Run(c.story, func(t *testing.T) {
			got, err := ParseResidentID(c.number, today)
			if (err == nil) != c.ok {
				t.Fatalf("%v", err)
			}
			if c.ok && (got.Sex != c.sex || got.BirthDate.Format(time.DateOnly) != c.born) {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestAgeTurnsOverOnTheDayAfterTheBirthday(t *testing.T) {
	for _, c := range []struct {
		born, on string
		age      int
	}{
		{"2020-06-15", "2026-06-15", 5}, {"2020-06-15", "2026-06-16", 6},
		{"2020-02-29", "2026-02-28", 5}, {"2020-02-29", "2026-03-01", 6}, {"2020-02-29", "2024-02-29", 3}, {"2020-02-29", "2024-03-01", 4},
		{"2026-06-15", "2026-06-15", 0},
	} {
		if got := Age(day(c.born), day(c.on)); got != c.age {
			t.Errorf("born %s, on %s: %d, want %d", c.born, c.on, got, c.age)
		}
	}
}
