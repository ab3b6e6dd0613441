package imaging

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

const (
	// A slice of CT has half a megabyte; larger objects, of which many clients may send some at once, go by the disk.
	spoolInMemory = 2 << 20
	// One object. The largest ultrasound loops of daily work have some 300 MB.
	maxObject = 1 << 30
)

// spool is one object on its way in, to be read more than once: in memory, or in a file that has no name any more
// when spooled returns, so that nothing of it outlives the process.
type spool struct {
	io.ReadSeeker
	file   *os.File
	memory *bytes.Buffer // back to spools when closed
}

// spools are kept because a buffer that grows to a slice's size leaves twice as much behind.
var spools = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// spooled reads r to its end. More than maxObject is errTooLarge.
func spooled(r io.Reader) (*spool, error) {
	head := spools.Get().(*bytes.Buffer)
	head.Reset()
	n, err := io.CopyN(head, r, spoolInMemory)
	if err == io.EOF {
		return &spool{ReadSeeker: bytes.NewReader(head.Bytes()), memory: head}, nil
	}
	defer spools.Put(head)
	if err != nil {
		return nil, err
	}
	f, err := unnamed()
	if err != nil {
		return nil, err
	}
	s := &spool{ReadSeeker: f, file: f}
	if _, err = head.WriteTo(f); err == nil {
		var more int64
		more, err = io.Copy(f, io.LimitReader(r, maxObject-n+1))
		if n+more > maxObject {
			err = errTooLarge
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// aside keeps on the disk what write makes, to be sent from there: a slow line holds no memory then.
func aside(write func(io.Writer) error) (*os.File, error) {
	f, err := unnamed()
	if err != nil {
		return nil, err
	}
	if err = write(f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unnamed is a file without a name, so that nothing of it outlives the process.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "yuanzhen-object-")
	if err != nil {
		return nil, fmt.Errorf("spool object: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("spool object: %w", err)
	}
	return f, nil
}

// Close gives memory or disk back.
func (s *spool) Close() error {
	if s.memory != nil {
		spools.Put(s.memory)
		s.memory, s.ReadSeeker = nil, nil
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
