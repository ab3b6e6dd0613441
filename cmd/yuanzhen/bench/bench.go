// Package bench measures the house on the machine it runs on, beside what the same machine does without it.
package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Cmd is the table of measurements; each lives in a file of its own.
type Cmd struct {
	SFU       SFUCmd       `cmd:"" name:"sfu" help:"Rooms: CPU a packet, loss, latency, time to the first packet, memory."`
	Booking   BookingCmd   `cmd:"" help:"Bookings a second beside hand-written SQL, a race for ten slots, free slots of a month, common time."`
	Imaging   ImagingCmd   `cmd:"" help:"Images stored, searched, read and drawn, beside the object store alone and another DICOMweb server."`
	Prescribe PrescribeCmd `cmd:"" help:"Prescription checks a second on one core, with ten times the interactions, and over HTTP; claims a second, and races for one; signatures a second; milliseconds a sheet of paper."`
}

// machine names what the figures were taken on.
func machine() string {
	model := runtime.GOARCH
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + strings.Join(strings.Fields(string(text))[:1], "")
	}
	return fmt.Sprintf("%d × %s, %s/%s, %s%s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version(), load)
}

// percentile of durations; they are sorted in place.
func percentile(list []time.Duration, p float64) time.Duration {
	slices.Sort(list)
	return list[min(len(list)-1, int(p*float64(len(list))))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
