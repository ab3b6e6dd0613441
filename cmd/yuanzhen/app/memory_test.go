package app

import (
	"fmt"
	"os"
	"strings"
	"testing"
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
