package worker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"yuanzhen/storage/imaging/codec"
)

// Tool is OpenJPEG's opj_decompress, of 2.5.0 or later for high throughput (HTJ2K). What it does in C a hostile frame may
// turn against it, so a worker starts it for one frame, and it inherits what the worker may not: memory, files, network,
// the sight of other processes. It writes no file either: it reads the frame from memory that server and worker share and
// writes into a pipe. Only the pipe's name has to lie in the file system, since the tool chooses what it writes by the
// ending; it lies in a folder that is there as long as the frame takes.
const Tool = "opj_decompress"

const (
	sharedFrame = 3 // file descriptors of the tool; the first is also the worker's
	planes      = 4
	ending      = "planes.rawl"
)

// lay makes the folder of one frame; the caller removes it.
func lay(folder string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	return os.Symlink(fmt.Sprint("/proc/self/fd/", planes), filepath.Join(folder, ending))
}

// decompress runs the tool on the frame of in, which is also in memory.
func decompress(tool, folder string, frame []byte, in *os.File) (*codec.Picture, error) {
	c, err := codec.FindCodestream(frame)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command(tool, "-i", fmt.Sprint("/proc/self/fd/", sharedFrame), "-o", filepath.Join(folder, ending))
	cmd.Env = []string{}
	cmd.ExtraFiles = []*os.File{in, w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // init runs on the main thread, which lives as long as the worker
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, err
	}
	seconds := uint64(patience.Seconds())
	limited := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds}, nil)
	out := make([]byte, c.Size()+1)
	n, err := io.ReadFull(r, out)
	r.Close() // who writes more is ended by it
	if ended := cmd.Wait(); limited != nil || ended != nil || err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("JPEG 2000: %w", errors.Join(limited, ended, err))
	}
	return c.Picture(out[:n])
}
