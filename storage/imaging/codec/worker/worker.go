// Package worker decodes frames in processes of its own, so that a hostile picture can take neither the server's memory
// nor its time: a worker has an empty environment, its memory, files and processor time are limited by the kernel, it
// has no network where the kernel lets us take it away, and it is killed when a frame takes longer than it may.
//
// A worker is this very program, started again with one variable in its environment. Importing the package is enough:
// its init serves and ends the process before main begins, also in test binaries.
package worker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

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
	for resource, most := range map[int]uint64{syscall.RLIMIT_AS: memory, syscall.RLIMIT_CPU: processor, syscall.RLIMIT_NOFILE: 16,
		syscall.RLIMIT_FSIZE: 0, syscall.RLIMIT_CORE: 0} {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			os.Exit(3)
		}
	}
	if err := serve(os.Stdin, os.Stdout); err != nil && err != io.EOF {
		os.Exit(1)
	}
	os.Exit(0)
}

// request and answer go before their bytes on the pipe, little endian.
type request struct {
	Syntax [64]byte // padded with zeros
	Size   uint32
}

type answer struct {
	Width, Height, Components, Bits uint32 // Width 0: what follows is a sentence
	Size                            uint32 // of the sentence
}

func serve(in io.Reader, out io.Writer) error {
	buffered := bufio.NewReader(in)
	w := bufio.NewWriter(out)
	for {
		var q request
		if err := binary.Read(buffered, binary.LittleEndian, &q); err != nil {
			return err
		}
		frame := make([]byte, q.Size)
		if _, err := io.ReadFull(buffered, frame); err != nil {
			return err
		}
		syntax := q.Syntax[:]
		for len(syntax) > 0 && syntax[len(syntax)-1] == 0 {
			syntax = syntax[:len(syntax)-1]
		}
		p, err := codec.Decode(string(syntax), frame)
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
type Pool struct{ slots chan *running }

// running is a worker; nil in a slot is one not started yet. Owned by who took it out of its slot.
type running struct {
	process *child.Process
	os      *os.Process
	in      io.WriteCloser
	out     *bufio.Reader
	left    int // frames until it is replaced
}

// New makes a pool of at most n workers, each started when it is first wanted.
func New(n int) *Pool {
	p := &Pool{slots: make(chan *running, n)}
	for range n {
		p.slots <- nil
	}
	return p
}

// ErrGivenUp says that a frame took too much time or memory.
var ErrGivenUp = errors.New("the decoder gave up")

// Decode decodes one frame. It waits for a free worker as long as ctx lets it.
func (p *Pool) Decode(ctx context.Context, syntax string, frame []byte) (*codec.Picture, error) {
	if len(frame) > maxFrame || len(syntax) > 64 {
		return nil, ErrGivenUp
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
		if w, err = start(); err != nil {
			return nil, fmt.Errorf("start decoder: %w", err)
		}
	}
	process := w.os
	timer := time.AfterFunc(patience, func() { process.Kill() })
	picture, said, err := w.decode(syntax, frame)
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

// decode tells the frame's own fault by said; err means that the worker is lost.
func (w *running) decode(syntax string, frame []byte) (p *codec.Picture, said, err error) {
	q := request{Size: uint32(len(frame))}
	copy(q.Syntax[:], syntax)
	if err := errors.Join(binary.Write(w.in, binary.LittleEndian, q), write(w.in, frame)); err != nil {
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
	if n := uint64(a.Width) * uint64(a.Height) * uint64(a.Components); a.Width > 1<<16 || a.Height > 1<<16 || a.Components > 3 || n > codec.MaxSamples {
		return nil, nil, errors.New("a picture beyond all measure")
	}
	p = &codec.Picture{Width: int(a.Width), Height: int(a.Height), Components: int(a.Components), Bits: int(a.Bits),
		Pix: make([]uint16, a.Width*a.Height*a.Components)}
	return p, nil, binary.Read(w.out, binary.LittleEndian, p.Pix)
}

func start() (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Without a network first; kernels that let no user make namespaces refuse, and then the rest has to do.
	w, err := startAs(self, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	if err != nil {
		w, err = startAs(self, 0)
	}
	return w, err
}

func startAs(self string, flags uintptr) (*running, error) {
	cmd := exec.Command(self)
	cmd.Env = []string{mark + "=1", "GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, err
	}
	return &running{process: process, os: cmd.Process, in: in, out: bufio.NewReaderSize(out, 64<<10), left: frames}, nil
}

func (w *running) end() {
	w.in.Close()
	w.process.Stop(syscall.SIGKILL)
}

// Close ends the workers; a frame being decoded is waited for.
func (p *Pool) Close() {
	for range cap(p.slots) {
		if w := <-p.slots; w != nil {
			w.end()
		}
	}
}
