package eligibility

import (
	"math"
	"time"
	"unicode/utf8"
)

// Day is a calendar date, counted in days from 1970-01-01.
type Day int

// DayOf is the calendar date of t where t's location is.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

const secondsPerDay = 24 * 60 * 60

// ParseDay reads YYYY-MM-DD.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	return DayOf(t), err
}

// Date is midnight of the day in UTC.
func (d Day) Date() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

func (d Day) String() string { return d.Date().Format(time.DateOnly) }

func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d *Day) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDay(string(b))
	return err
}

// shanghai is the zone of all calendar days here, whatever offset a time is written with.
// The name is not looked up: its history of other offsets (until 1991) has no place in the rules.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

func localDay(t time.Time) Day { return DayOf(t.In(shanghai)) }

// Age in whole years turns over on the day after the birthday: it is the greatest N ≥ 0 such
// that today is later than the N-th anniversary of birth, and 0 if there is none. The
// anniversary of 29 February falls on the 28th in common years.
func Age(birth, today Day) int {
	y, m, d := birth.Date().Date()
	n := today.Date().Year() - y
	anniversary := time.Date(y+n, m, d, 0, 0, 0, 0, time.UTC)
	if anniversary.Month() != m {
		anniversary = time.Date(y+n, m, d-1, 0, 0, 0, 0, time.UTC)
	}
	if today <= DayOf(anniversary) {
		n--
	}
	return max(n, 0)
}

// category of an ICD-10 code is its first three characters, "" if it has fewer.
func category(code string) string {
	end := 0
	for range 3 {
		r, size := utf8.DecodeRuneInString(code[end:])
		if r == utf8.RuneError && size == 0 {
			return ""
		}
		end += size
	}
	return code[:end]
}

// records is what the evidence comes to: of the records that count (from a physical
// institution, not dated after today) how many are verified and pending, and
// of the verified ones how many share the complaint's category and how old the newest is.
type records struct {
	verified, pending, ofCategory, newestAge int
}

func count(evidence []Evidence, category3 string, today Day) records {
	r := records{newestAge: math.MaxInt}
	for _, e := range evidence {
		switch {
		case e.Source != "physical" || e.DxDate > today:
		case e.Verify == "pending":
			r.pending++
		case e.Verify == "verified":
			r.verified++
			if category3 != "" && category(e.ICD10) == category3 {
				r.ofCategory++
				r.newestAge = min(r.newestAge, int(today-e.DxDate))
			}
		}
	}
	return r
}
