package schedule

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DayFormat is a calendar day as it is written (ISO 8601).
const DayFormat = "2006-01-02"

// Weekly is a session that comes round each week, or every other, at one place.
type Weekly struct {
	Weekday      int       // ISO 8601: Monday is 1
	Begins, Ends int       // minutes after midnight; Ends may be 1440
	Since, Until time.Time // calendar days, by their date alone; Until is the first day without, zero if there is none
	Every        int       // 2: in the week of Since and every other week from then on
}

// On is the session's stretch of the day in the zone, by the clock on the wall: it keeps its hours when the zone changes its offset.
func (w Weekly) On(day time.Time, zone *time.Location) Span {
	y, m, d := day.Date()
	return Span{time.Date(y, m, d, 0, w.Begins, 0, 0, zone), time.Date(y, m, d, 0, w.Ends, 0, 0, zone)}
}

// DayRule says that a day is not what its weekday says.
type DayRule struct {
	Kind    string // holiday, workday, ordinary
	Follows int    // of a workday: whose sessions it has; 0: none
	Name    string
}

// Calendar holds the days that differ from their weekday, by DayFormat.
type Calendar map[string]DayRule

//go:embed cn.csv
var cnDays string

// China is the national calendar that is compiled in; its sources stand in cn.csv.
func China() Calendar {
	c, err := readCalendar(cnDays)
	if err != nil {
		panic(err) // compiled in, and read by a test
	}
	return c
}

func readCalendar(text string) (Calendar, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.FieldsPerRecord = '#', 4
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	c := Calendar{}
	for _, row := range rows[1:] {
		if _, err := time.Parse(DayFormat, row[0]); err != nil {
			return nil, err
		}
		rule := DayRule{Kind: row[1], Name: row[3]}
		if row[2] != "" {
			if rule.Follows, err = strconv.Atoi(row[2]); err != nil {
				return nil, fmt.Errorf("%s: %w", row[0], err)
			}
		}
		c[row[0]] = rule
	}
	return c, nil
}

// Weekday is the weekday whose sessions the day has: 0 on a holiday, and on a make-up day that follows none.
func (c Calendar) Weekday(day time.Time) int {
	switch rule := c[day.Format(DayFormat)]; rule.Kind {
	case "holiday":
		return 0
	case "workday":
		return rule.Follows
	}
	return (int(day.Weekday())+6)%7 + 1
}

// Has reports whether the session takes place on the day.
func (c Calendar) Has(w Weekly, day time.Time) bool {
	date := day.Format(DayFormat)
	return c.Weekday(day) == w.Weekday && date >= w.Since.Format(DayFormat) && (w.Until.IsZero() || date < w.Until.Format(DayFormat)) &&
		(w.Every < 2 || (week(day)-week(w.Since))%w.Every == 0)
}

// week counts weeks by the calendar day alone; they begin on Monday (ISO 8601).
func week(day time.Time) int {
	y, m, d := day.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)) / (7 * 24 * time.Hour))
}
