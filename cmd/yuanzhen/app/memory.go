package app

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
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
	// ballast, in bytes, is counted as living and never touched, so it takes no memory: its part may lie as garbage however little lives.
	// Without it each join to a node with few rooms begins a collection, and waits beside it.
	ballast = 128 << 20
	// giveBackEvery is how often is looked whether joins have left something.
	giveBackEvery = 3 * time.Second
	// calm, in bytes, and an eighth of what lives are allocated between two looks by reports and clocks, without any join.
	calm = 2 << 20
)

// stayLean keeps a process with the role media alone at what it works with, until ctx ends: what its start alone has read of the binary
// (code of all roles, two thirds of it) is let go once, and what joins have left is given back when they are over.
func (a *App) stayLean(ctx context.Context) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mediaGC)
		untouched := make([]byte, ballast)
		defer runtime.KeepAlive(untouched)
	}
	if err := forgetStart(); err != nil {
		a.log.Warn("what only the start has read stays in memory", "error", err.Error())
	}
	heap := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(giveBackEvery)
	defer ticker.Stop()
	for seen, given := uint64(0), uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(heap)
		taken, live := heap[0].Value.Uint64(), heap[1].Value.Uint64()
		if few := calm + (live-min(live, ballast))/8; taken-seen < few && taken-given > few {
			debug.FreeOSMemory() // collects too
			given = taken
		}
		seen = taken
	}
}

// makeRoom gives the runtime a P more for each media socket. Who reads one rests and waits in system calls, and keeps its P meanwhile: the
// runtime takes it back from calls that outlast two of its looks, 10 ms apart, and these last 2 ms. With as many readers as Ps nothing
// else would run until one of them waits for a lock, least of all a handshake.
func makeRoom(sockets int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.SetDefaultGOMAXPROCS()
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + sockets)
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
