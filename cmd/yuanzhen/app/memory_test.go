package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What only the start has read of the binary is let go, and the process runs on.
func TestTheStartIsForgotten(t *testing.T) {
	mapped := func() (kB int) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "RssFile:")
		if n, err := fmt.Sscanf(rest, "%d kB", &kB); n != 1 {
			t.Fatal(err)
		}
		return kB
	}
	before := mapped()
	if err := forgetStart(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(); after > before*2/3 {
		t.Errorf("%d kB of files are mapped, %d kB before", after, before)
	}
}

// What joins have left goes back to the system, and not before they are over.
func TestWhatJoinsHaveLeftIsGivenBack(t *testing.T) {
	was := debug.SetGCPercent(mediaGC)
	defer debug.SetGCPercent(was)
	var kept []byte
	leave := func(n int) {
		for range n {
			kept = make([]byte, 1<<20)
			for i := 0; i < len(kept); i += 4096 {
				kept[i] = 1
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		go (&App{log: slog.New(slog.DiscardHandler)}).stayLean(ctx)
		synctest.Wait()
		leave(30)
		var before, joining, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 3 {
			leave(30)
			time.Sleep(giveBackEvery)
			synctest.Wait()
		}
		if runtime.ReadMemStats(&joining); joining.NumForcedGC != before.NumForcedGC {
			t.Error("collected between two joins")
		}
		time.Sleep(giveBackEvery)
		synctest.Wait()
		if runtime.ReadMemStats(&after); after.NumForcedGC == joining.NumForcedGC {
			t.Error("nothing was collected when all had joined")
		}
		if n := (after.HeapSys - after.HeapReleased - after.HeapAlloc) >> 20; n > 8 {
			t.Errorf("%d MB that nobody uses stay with the process", n)
		}
		stop()
		synctest.Wait()
	})
	runtime.KeepAlive(kept)
}

// A socket's reader has a P of its own, however often a house is started in the process.
func TestReadersLeaveRoom(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	t.Setenv("GOMAXPROCS", "")
	runtime.SetDefaultGOMAXPROCS()
	usual := runtime.GOMAXPROCS(0)
	for range 2 {
		makeRoom(3)
		if got := runtime.GOMAXPROCS(0); got != usual+3 {
			t.Errorf("%d, want %d", got, usual+3)
		}
	}
	t.Setenv("GOMAXPROCS", "1")
	makeRoom(1)
	if got := runtime.GOMAXPROCS(0); got != usual+3 {
		t.Errorf("who sets GOMAXPROCS is not heard: %d", got)
	}
}
