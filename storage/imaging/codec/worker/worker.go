// Package worker decodes frames in processes of its own, so that a hostile picture can take neither the server's memory
// nor its time: a worker has an empty environment, its memory, files and processor time are limited by the kernel, it
// has no network and no sight of processes and files where the kernel lets us take them away, and it is killed when a frame
// takes longer than it may.
//
// A worker is this very program, started again with one variable in its environment. Importing the package is enough:
// its init serves and ends the process before main begins, also in test binaries. For JPEG 2000 it runs OpenJPEG (Tool).
package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"yuanzhen/internal/child"
	"yuanzhen/storage/imaging/codec"
)

const (
	mark = "YUANZHEN_DECODER"
	// A mammogram of 4096 x 3328 takes some three seconds on a slow core.
	patience = 10 * time.Second
	// Address space, of which Go reserves far more than it uses: a frame of MaxSamples needs 400 MB at most.
	memory = 2 << 30
	// Processor seconds of a worker's whole life, which ends after so many frames.
	processor, frames = 1000, 500
	maxFrame          = 256 << 20
)

func init() {
	if os.Getenv(mark) == "" {
		return
	}
	for resource, most := range map[int]uint64{syscall.RLIMIT_AS: memory, syscall.RLIMIT_CPU: processor, syscall.RLIMIT_NOFILE: 32,
		syscall.RLIMIT_FSIZE: 0, syscall.RLIMIT_CORE: 0} {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			os.Exit(3)
		}
	}
	if err := confine(os.Args[1]); err != nil {
		os.Exit(4)
	}
	if err := serve(os.Stdin, os.Stdout, os.NewFile(sharedFrame, "frame"), os.Args[1], os.Args[2]); err != nil && err != io.EOF {
		os.Exit(1)
	}
	os.Exit(0)
}

// request and answer go through pipes, little endian; the frame lies in memory that both sides share.
type request struct {
	Syntax [64]byte // padded with zeros
	Size   uint32   // of the frame
}

type answer struct {
	Width, Height, Components, Bits uint32 // Width 0: what follows is a sentence
	Size                            uint32 // of the sentence
}

func serve(in io.Reader, out io.Writer, shared *os.File, tool, folder string) error {
	w := bufio.NewWriter(out)
	for {
		var q request
		if err := binary.Read(in, binary.LittleEndian, &q); err != nil {
			return err
		}
		frame := make([]byte, q.Size)
		if _, err := shared.ReadAt(frame, 0); err != nil {
			return err
		}
		syntax := string(bytes.TrimRight(q.Syntax[:], "\x00"))
		var p *codec.Picture
		var err error
		if tool != "" && codec.JPEG2000(syntax) {
			p, err = decompress(tool, folder, frame, shared)
		} else {
			p, err = codec.Decode(syntax, frame)
		}
		if err != nil {
			err = errors.Join(binary.Write(w, binary.LittleEndian, answer{Size: uint32(len(err.Error()))}), write(w, []byte(err.Error())))
		} else {
			err = errors.Join(binary.Write(w, binary.LittleEndian, answer{uint32(p.Width), uint32(p.Height), uint32(p.Components), uint32(p.Bits), 0}),
				binary.Write(w, binary.LittleEndian, p.Pix))
		}
		if err := errors.Join(err, w.Flush()); err != nil {
			return err
		}
	}
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// Pool keeps workers at hand. Made by New, ended by Close.
type Pool struct {
	slots chan *running
	tool  string
}

// running is a worker; nil in a slot is one not started yet. Owned by who took it out of its slot.
type running struct {
	process *child.Process
	os      *os.Process
	in      io.WriteCloser
	out     *bufio.Reader
	shared  *os.File // holds the frame that is being decoded
	folder  string   // is there while a frame of JPEG 2000 is decoded
	left    int      // frames until it is replaced
}

// New makes a pool of at most n workers, each started when it is first wanted. tool is where opj_decompress lies; "" where
// it is not installed, and then JPEG 2000 is not decoded.
func New(n int, tool string) *Pool {
	p := &Pool{make(chan *running, n), tool}
	for range n {
		p.slots <- nil
	}
	return p
}

// Knows reports whether frames in the transfer syntax can be decoded.
func (p *Pool) Knows(syntax string) bool {
	return codec.Knows(syntax) || p.tool != "" && codec.JPEG2000(syntax)
}

// ErrGivenUp says that a frame took too much time or memory.
var ErrGivenUp = errors.New("the decoder gave up")

// Decode decodes one frame of the shape that its data set promises. It waits for a free worker as long as ctx lets it.
func (p *Pool) Decode(ctx context.Context, syntax string, frame []byte, promised codec.Shape) (*codec.Picture, error) {
	if len(frame) > maxFrame || len(syntax) > 64 {
		return nil, ErrGivenUp
	}
	if codec.JPEG2000(syntax) {
		c, err := codec.FindCodestream(frame)
		if err == nil && c.Shape != promised {
			err = otherShape(c.Shape, promised)
		}
		if err != nil {
			return nil, err
		}
		frame = c.Bytes
	}
	var w *running
	select {
	case w = <-p.slots:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { p.slots <- w }()
	if w == nil {
		var err error
		if w, err = start(p.tool); err != nil {
			return nil, fmt.Errorf("start decoder: %w", err)
		}
	}
	process := w.os
	timer := time.AfterFunc(patience, func() { process.Kill() })
	picture, said, err := w.decode(syntax, frame, promised)
	if !timer.Stop() && err == nil { // killed after its answer
		err = io.ErrUnexpectedEOF
	}
	if w.left--; err != nil || w.left == 0 {
		w.end()
		w = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrGivenUp, err)
	}
	return picture, said
}

func otherShape(is, promised codec.Shape) error {
	return fmt.Errorf("a frame of %d x %d x %d in an object of %d x %d x %d", is.Width, is.Height, is.Components, promised.Width, promised.Height, promised.Components)
}

// decode tells the frame's own fault by said; err means that the worker is lost.
func (w *running) decode(syntax string, frame []byte, promised codec.Shape) (p *codec.Picture, said, err error) {
	if codec.JPEG2000(syntax) {
		if err := lay(w.folder); err != nil {
			return nil, nil, err
		}
		defer os.RemoveAll(w.folder)
	}
	defer w.shared.Truncate(0)
	q := request{Size: uint32(len(frame))}
	copy(q.Syntax[:], syntax)
	if _, err := w.shared.WriteAt(frame, 0); err != nil {
		return nil, nil, err
	}
	if err := binary.Write(w.in, binary.LittleEndian, q); err != nil {
		return nil, nil, err
	}
	var a answer
	if err := binary.Read(w.out, binary.LittleEndian, &a); err != nil {
		return nil, nil, err
	}
	if a.Width == 0 {
		sentence := make([]byte, min(a.Size, 200))
		if _, err := io.ReadFull(w.out, sentence); err != nil || a.Size > 200 {
			return nil, nil, io.ErrUnexpectedEOF
		}
		return nil, errors.New(string(sentence)), nil
	}
	is := codec.Shape{Width: int(a.Width), Height: int(a.Height), Components: int(a.Components)}
	if a.Width > 1<<16 || a.Height > 1<<16 || a.Components > 3 || is.Width*is.Height*is.Components > codec.MaxSamples {
		return nil, nil, errors.New("a picture beyond all measure")
	}
	p = &codec.Picture{Shape: is, Bits: int(a.Bits), Pix: make([]uint16, is.Width*is.Height*is.Components)}
	if err = binary.Read(w.out, binary.LittleEndian, p.Pix); err == nil && is != promised {
		return nil, otherShape(is, promised), nil
	}
	return p, nil, err
}

func start(tool string) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Without a network and other processes first; kernels that let no user make namespaces refuse, and then the rest has to do.
	w, err := startAs(self, tool, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET|syscall.CLONE_NEWPID)
	if err != nil {
		w, err = startAs(self, tool, 0)
	}
	return w, err
}

func startAs(self, tool string, flags uintptr) (w *running, err error) {
	fd, err := unix.MemfdCreate("frame", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w = &running{shared: os.NewFile(uintptr(fd), "frame"), folder: filepath.Join(os.TempDir(), "yuanzhen-"+rand.Text()), left: frames}
	defer func() {
		if err != nil {
			w.shared.Close()
		}
	}()
	cmd := exec.Command(self, tool, w.folder)
	cmd.ExtraFiles = []*os.File{w.shared}
	cmd.Env = []string{mark + "=1", "GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if w.in, err = cmd.StdinPipe(); err != nil {
		return w, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	if w.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		return w, err
	}
	w.os, w.out = cmd.Process, bufio.NewReaderSize(out, 64<<10)
	return w, nil
}

func (w *running) end() {
	w.in.Close()
	w.process.Stop(syscall.SIGKILL)
	w.shared.Close()
}

// Close ends the workers; a frame being decoded is waited for.
func (p *Pool) Close() {
	for range cap(p.slots) {
		if w := <-p.slots; w != nil {
			w.end()
		}
	}
}
