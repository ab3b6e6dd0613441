package edge

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHoursMayGoOverMidnight(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse("15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		hours, now string
		want       bool
	}{
		{"", "03:00", true}, {"19:00-07:00", "03:00", true}, {"19:00-07:00", "19:00", true}, {"19:00-07:00", "07:00", false},
		{"19:00-07:00", "12:00", false}, {"12:00-13:30", "13:29", true}, {"12:00-13:30", "13:30", false},
	} {
		from, until, err := hours(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&agent{from: from, until: until}).open(at(c.now)); got != c.want {
			t.Errorf("%q at %s: %v", c.hours, c.now, got)
		}
	}
	for _, bad := range []string{"19", "19:00", "25:00-07:00", "19:00-7", "19:00-07:00-"} {
		if _, _, err := hours(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestOnlyWhatHasWhollyArrivedIsTaken(t *testing.T) {
	raw, err := os.ReadFile("../../../storage/imaging/testdata/ct-series-3/01.dcm")
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{Cmd: Cmd{Data: t.TempDir()}}
	for _, folder := range []string{"incoming", "queue", "refused"} {
		if err := os.Mkdir(filepath.Join(a.Data, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour)
	// A file from tomorrow was written before the clock was set back.
	for name, f := range map[string]struct {
		bytes []byte
		at    time.Time
	}{
		"whole": {raw, old}, "the same again": {raw, old}, "cut off": {raw[:len(raw)/2], old},
		"still growing": {raw[:len(raw)/3], time.Now()}, "from tomorrow": {append(raw[:len(raw):len(raw)], 0, 0), time.Now().Add(24 * time.Hour)},
	} {
		path := filepath.Join(a.Data, "incoming", name)
		if err := os.WriteFile(path, f.bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, f.at, f.at); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	queue, err := a.waiting()
	if err != nil || len(queue) != 2 || queue[0].size != int64(len(raw)) || queue[1].size != int64(len(raw))+2 {
		t.Errorf("queue: %+v, %v", queue, err)
	}
	if s := a.State(); s.Unfinished != 1 || s.Queued != 2 {
		t.Errorf("state: %+v", s)
	}
}

func TestALineIsNotFilledBeyondItsRate(t *testing.T) {
	const kbit = 800 // 100 kB a second
	began := time.Now()
	n, err := io.Copy(io.Discard, slowly{bytes.NewReader(make([]byte, 30_000)), t.Context(), kbit})
	if took := time.Since(began); err != nil || n != 30_000 || took < 250*time.Millisecond {
		t.Errorf("%d bytes in %v, %v", n, took, err)
	}
}
