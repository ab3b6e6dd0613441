package consult

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Feed is a doctor's secret address for calendar programs (RFC 5545 over HTTP). Whoever has it reads when and where the doctor works;
// nothing of any patient is in it. A new one ends the old.
type Feed struct {
	Path      string    `json:"path" doc:"Shown once; only its hash is kept"`
	CreatedAt time.Time `json:"created_at"`
}

// OpenFeed makes a new address for the doctor who asks.
func (s *Service) OpenFeed(ctx context.Context) (Feed, error) {
	token := rand.Text()
	sum := sha256.Sum256([]byte(token))
	doctor, now := authz.SubjectFrom(ctx).Practitioner, s.Now()
	err := s.inTx(ctx, func(tx tx) error {
		if err := revokeFeeds(ctx, tx, doctor, now); err != nil {
			return err
		}
		if err := insertFeed(ctx, tx, doctor, sum[:], now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "calendar.feed", Object: "practitioner/" + doctor.String(), Reason: "open"})
	})
	return Feed{"/api/v1/calendars/" + token + ".ics", now}, err
}

// CloseFeed ends the address of the doctor who asks.
func (s *Service) CloseFeed(ctx context.Context) error {
	doctor := authz.SubjectFrom(ctx).Practitioner
	return s.inTx(ctx, func(tx tx) error {
		if err := revokeFeeds(ctx, tx, doctor, s.Now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "calendar.feed", Object: "practitioner/" + doctor.String(), Reason: "close"})
	})
}

// ICS is the calendar behind an address: the last week and the coming 13.
func (s *Service) ICS(ctx context.Context, token string) ([]byte, error) {
	sum := sha256.Sum256([]byte(token))
	var doc []byte
	err := s.inTx(ctx, func(tx tx) error {
		doctor, err := doctorOfFeed(ctx, tx, sum[:])
		if err != nil {
			return err
		}
		now := s.Now()
		sessions, err := selectSessions(ctx, tx, doctor.ID, planning{own: true, places: doctor.places}, schedule.Span{Start: now.AddDate(0, 0, -7), End: now.AddDate(0, 0, 91)})
		doc = icalendar(doctor.ID, sessions, now)
		return err
	})
	return doc, err
}

var sessionTitles = map[string]string{"visit": "出诊 Clinic", "teleconsult": "会诊 Consult", "duty": "本职 Duty"}

// icalendar writes RFC 5545: lines end in CRLF and are folded at 75 octets, instants are UTC.
func icalendar(doctor ids.Practitioner, sessions []RosterSession, now time.Time) []byte {
	var b bytes.Buffer
	line := func(name, value string) {
		text := name + ":" + value
		for len(text) > 75 {
			cut := 75
			for !utf8.RuneStart(text[cut]) {
				cut--
			}
			b.WriteString(text[:cut] + "\r\n")
			text = " " + text[cut:]
		}
		b.WriteString(text + "\r\n")
	}
	escape := strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r", "", "\n", `\n`).Replace
	const utc = "20060102T150405Z"
	line("BEGIN", "VCALENDAR")
	line("VERSION", "2.0")
	line("PRODID", "-//Yuanzhen//Roster//ZH")
	line("METHOD", "PUBLISH")
	line("REFRESH-INTERVAL;VALUE=DURATION", "PT1H")
	line("X-WR-CALNAME", "远诊 排班")
	for _, s := range sessions {
		line("BEGIN", "VEVENT")
		line("UID", fmt.Sprintf("%s-%s@yuanzhen", s.Start.UTC().Format(utc), doctor))
		line("DTSTAMP", now.UTC().Format(utc))
		line("DTSTART", s.Start.UTC().Format(utc))
		line("DTEND", s.End.UTC().Format(utc))
		title := sessionTitles[s.Purpose]
		if s.Institution != nil {
			title += " " + s.Institution.Name
			line("LOCATION", escape(s.Institution.Name))
		}
		if s.Slots > 0 && s.Purpose == "visit" {
			title += fmt.Sprintf(" %d/%d", s.Booked, s.Slots)
		}
		line("SUMMARY", escape(title))
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return b.Bytes()
}

// csvHead are the columns of a roster as a file: one session a line; every is 1 each week, 2 every other week from that of since on.
var csvHead = []string{"weekday", "begins", "ends", "minutes", "mode", "purpose", "department", "fee_yuan", "since", "every"}

// ExportRoster writes a doctor's weekly sessions at a place as CSV, with the byte order mark that spreadsheets want to see.
func (s *Service) ExportRoster(ctx context.Context, doctor ids.Practitioner, at ids.Institution) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	err := s.inTx(ctx, func(tx tx) error {
		if _, err := s.mayPlan(ctx, tx, doctor, at); err != nil {
			return err
		}
		list, err := selectTemplates(ctx, tx, doctor, []ids.Institution{at})
		if err != nil {
			return err
		}
		rows := [][]string{csvHead}
		for _, t := range list {
			if t.Until == "" {
				rows = append(rows, []string{strconv.Itoa(t.Weekday), clockOf(t.Begins), clockOf(t.Ends), strconv.Itoa(t.Minutes), t.Mode, t.Purpose, guarded(t.Department),
					fmt.Sprintf("%d.%02d", t.FeeFen/100, t.FeeFen%100), t.Since, strconv.Itoa(t.Every)})
			}
		}
		return w.WriteAll(rows)
	})
	return b.Bytes(), err
}

// guarded keeps a spreadsheet from taking a name for a formula.
func guarded(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func clockOf(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// Import is what became of a file: each line that can't be taken says why, and then nothing is.
type Import struct {
	Rows   int        `json:"rows"`
	Added  int        `json:"added"`
	Errors []RowError `json:"errors"`
}

// RowError is one line of a file that can't be taken.
type RowError struct {
	Line   int        `json:"line" doc:"Of the file, the heading is 1"`
	Reason fault.Text `json:"reason"`
}

// maxRoster is 1000 lines of a file with some room.
const maxRoster = 256 << 10

// ImportRoster adds the weekly sessions of a CSV file (UTF-8 with or without byte order mark, or GB 18030, as spreadsheets in China write it):
// all lines or none. A dry run says what would happen.
func (s *Service) ImportRoster(ctx context.Context, doctor ids.Practitioner, at ids.Institution, file []byte, dry bool, key string) (done Import, err error) {
	rows, err := readRows(file)
	if err != nil {
		return done, err
	}
	deed := func(tx tx) (Import, error) {
		done := Import{Rows: len(rows), Errors: []RowError{}}
		if _, err := s.mayPlan(ctx, tx, doctor, at); err != nil {
			return done, err
		}
		for i, row := range rows {
			n, why := templateOf(row)
			if why == nil {
				n.InstitutionID = at
				busy, err := templateInTheWay(ctx, tx, doctor, n)
				if err != nil {
					return done, err
				}
				if busy != nil {
					why = &templateBusy(busy).Say
				} else if id, err := insertTemplate(ctx, tx, doctor, n); err != nil {
					return done, err
				} else if id.IsZero() {
					why = &fault.Text{ZH: "本职工作时间只能设在主要执业机构。", EN: "Duty hours belong to the main place."}
				}
			}
			if why != nil {
				done.Errors = append(done.Errors, RowError{i + 2, *why})
				continue
			}
			done.Added++
		}
		return done, audit.Write(ctx, tx, audit.Entry{Action: "roster.import", Object: "practitioner/" + doctor.String(), Place: at})
	}
	var rehearsed Import
	trial := func(tx tx) (Import, error) {
		var err error
		if rehearsed, err = deed(tx); err == nil && (dry || len(rehearsed.Errors) > 0) {
			err = errRehearsed
		}
		return rehearsed, err
	}
	done, fresh, err := once(ctx, s, key, []any{doctor, at, file, dry}, trial)
	if err == errRehearsed {
		if !dry {
			rehearsed.Added = 0
		}
		return rehearsed, nil
	}
	if err == nil && fresh {
		s.tellRoster(doctor, at)
	}
	return done, err
}

func readRows(file []byte) ([][]string, error) {
	wrong := fault.New(fault.Invalid, "csv_wrong", "文件读不懂：要 CSV，第一行是 "+strings.Join(csvHead, ",")+"，最多 1000 行。",
		"The file can't be read: it must be CSV with the heading "+strings.Join(csvHead, ",")+", at most 1000 lines.").
		WithRemedy("先导出一份，照着改。", "Export one first and change that.")
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	if !utf8.Valid(file) {
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(file)
		if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
			return nil, wrong
		}
		file = text
	}
	r := csv.NewReader(bytes.NewReader(file))
	r.FieldsPerRecord = -1 // a line that is too short is told with its number
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 || len(rows) > 1001 || !slices.Equal(rows[0], csvHead) {
		return nil, wrong.Because(err)
	}
	return rows[1:], nil
}

func templateOf(row []string) (n NewTemplate, why *fault.Text) {
	if len(row) != len(csvHead) {
		return n, &fault.Text{ZH: fmt.Sprintf("要 %d 列，只有 %d 列。", len(csvHead), len(row)), EN: fmt.Sprintf("Needs %d columns, has %d.", len(csvHead), len(row))}
	}
	bad := func(column int) *fault.Text {
		return &fault.Text{ZH: fmt.Sprintf("%s 不对：%q。", csvHead[column], row[column]), EN: fmt.Sprintf("%s is wrong: %q.", csvHead[column], row[column])}
	}
	var err error
	if n.Weekday, err = strconv.Atoi(row[0]); err != nil || n.Weekday < 1 || n.Weekday > 7 {
		return n, bad(0)
	}
	var ok bool
	if n.Begins, ok = minutesOf(row[1]); !ok || n.Begins > 1439 {
		return n, bad(1)
	}
	if n.Ends, ok = minutesOf(row[2]); !ok || n.Ends <= n.Begins {
		return n, bad(2)
	}
	if n.Minutes, err = strconv.Atoi(row[3]); err != nil || n.Minutes < 5 || n.Minutes > 240 || n.Minutes > n.Ends-n.Begins {
		return n, bad(3)
	}
	if n.Mode = row[4]; n.Mode != "online" && n.Mode != "on_site" {
		return n, bad(4)
	}
	if n.Purpose = row[5]; n.Purpose != "visit" && n.Purpose != "duty" {
		return n, bad(5)
	}
	if n.Department = strings.TrimPrefix(row[6], "'"); n.Department == "" || utf8.RuneCountInString(n.Department) > 100 {
		return n, bad(6)
	}
	yuan, err := strconv.ParseFloat(row[7], 64)
	if err != nil || !(yuan >= 0 && yuan <= 10000) {
		return n, bad(7)
	}
	n.FeeFen = int(yuan*100 + 0.5)
	if n.Since = row[8]; n.Since == "" {
		return n, bad(8)
	}
	if _, err := time.Parse(schedule.DayFormat, n.Since); err != nil {
		return n, bad(8)
	}
	if n.Every, err = strconv.Atoi(row[9]); err != nil || n.Every < 1 || n.Every > 2 {
		return n, bad(9)
	}
	return n, nil
}

// minutesOf reads 9:00, 09:00 or 24:00.
func minutesOf(clock string) (int, bool) {
	h, m, ok := strings.Cut(clock, ":")
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	at := hour*60 + minute
	return at, ok && errH == nil && errM == nil && hour >= 0 && minute >= 0 && minute < 60 && len(m) == 2 && at <= 1440
}
