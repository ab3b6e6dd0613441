package app

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"
)

const (
	// mediaGC is how much garbage a process with the role media alone lets lie, in percent of what lives (GOGC). Forwarding makes none, so
	// a small heap costs nothing there; joining does, and pays for the memory of everybody who stays.
	mediaGC = 30
	// giveBackEvery is how long what joins have left may stay with the process.
	giveBackEvery = 3 * time.Second
)

// stayLean keeps a process with the role media alone at what it works with, until ctx ends: what its start alone has read of the binary
// (code of all roles, two thirds of it) is let go once, and what joins have left is given back whenever the collector tells that there
// was some.
func (a *App) stayLean(ctx context.Context) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mediaGC)
	}
	if err := forgetStart(); err != nil {
		a.log.Warn("what only the start has read stays in memory", "error", err.Error())
	}
	cycles := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	ticker := time.NewTicker(giveBackEvery)
	defer ticker.Stop()
	for seen := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if metrics.Read(cycles); cycles[0].Value.Uint64() > seen {
			debug.FreeOSMemory() // collects too
			metrics.Read(cycles)
			seen = cycles[0].Value.Uint64()
		}
	}
}

// forgetStart unmaps the pages of the process's own binary that nobody writes (code, constants): those in use come back from the page
// cache when they are touched (madvise(2), MADV_DONTNEED of a file's mapping).
func forgetStart() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the binary: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("read what is mapped: %w", err)
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uintptr
		var rights string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &rights); n < 3 || rights[1] == 'w' || !strings.HasSuffix(lines.Text(), " "+self) {
			continue
		}
		if _, _, no := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); no != 0 {
			return fmt.Errorf("let go of %x-%x: %w", from, to, no)
		}
	}
	return lines.Err()
}
