package app

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// thinStreams has what was lost of a connection that says little (a room's words) sent again at even pauses: on a line that loses a fifth,
// pauses that double with each loss hold the word that lets somebody in back for ten seconds.
func thinStreams(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1) // the default works too
	})
}
