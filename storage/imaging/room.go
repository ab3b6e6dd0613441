package imaging

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"golang.org/x/sync/semaphore"

	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/dicom"
)

// What is rare and takes much memory waits for room, which all requests share: hostile files in many of them take no more than in one. An
// ordinary slice, its words and its picture never ask.
const (
	room       = 64 << 20
	alone      = 80 << 20 // what one that takes more than half of it may add to the process, garbage included, before the collector hurries
	largeThing = 16 << 20 // a frame or picture that takes more asks
	largeWords = 1 << 20  // DICOM JSON that takes more asks
	keptPacked = 32 << 10 // packed DICOM JSON that takes more is read from the database by itself
)

var taken = semaphore.NewWeighted(room)

// patience is how long room is waited for, a few of the largest. Slower under the race detector.
var patience = time.Minute

var noRoom = fault.New(fault.Unavailable, "memory_busy", "很大的影像正在处理中，没有轮到这一个。", "Very large images are being worked on; this one's turn didn't come.").
	WithRemedy("请过一分钟再试。", "Please try again in a minute.")

// makeRoom waits until so many bytes may be taken, all there is where it is more, and returns what gives them back. Nobody who holds room may
// ask for more.
func makeRoom(ctx context.Context, bytes int64) (giveBack func(), err error) {
	bytes = min(bytes, room)
	waiting, enough := context.WithTimeout(ctx, patience)
	defer enough()
	if err := taken.Acquire(waiting, bytes); err != nil {
		return nil, noRoom.Because(err)
	}
	if bytes <= room/2 {
		return func() { taken.Release(bytes) }, nil
	}
	// Nobody else holds as much. Meanwhile garbage is collected before it doubles what lives; else the next one would find it, too.
	was := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(was, inUse()+alone))
	return func() {
		debug.SetMemoryLimit(was)
		debug.FreeOSMemory()
		taken.Release(bytes)
	}, nil
}

// inUse is what a memory limit counts.
func inUse() int64 {
	all := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(all)
	return int64(all[0].Value.Uint64() - all[1].Value.Uint64())
}

// words lets use write to out from an object's packed DICOM JSON. Large ones are read now, one at a time, and what is written waits on the disk
// for a slow line.
func (s *Service) words(ctx context.Context, i instance, out io.Writer, use func(out io.Writer, packed []byte) error) error {
	if i.DICOMJSON != nil && unpackedSize(i.DICOMJSON) <= largeWords {
		return use(out, i.DICOMJSON)
	}
	giveBack, err := makeRoom(ctx, room)
	if err != nil {
		return err
	}
	return later(out, giveBack, func(out io.Writer) error {
		packed, err := s.packed(ctx, i)
		if err != nil {
			return err
		}
		return use(out, packed)
	})
}

// later makes something on the disk, gives the room for it back, and sends it.
func later(out io.Writer, giveBack func(), write func(io.Writer) error) error {
	file, err := func() (*os.File, error) {
		defer giveBack()
		return aside(write)
	}()
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(out, file)
	return err
}

// rebased copies DICOM JSON with its BulkDataURIs made absolute. The quotes around the name can't occur inside a JSON string, so no text of a
// patient is touched. buffer is worked with; the mark has to fit into it.
func rebased(out io.Writer, in io.Reader, at string, buffer []byte) error {
	mark, full := []byte(bulkMark+dicom.BulkPrefix), []byte(bulkMark+at+dicom.BulkPrefix)
	for have := 0; ; {
		n, err := in.Read(buffer[have:])
		if err != nil && err != io.EOF {
			return fmt.Errorf("stored DICOM JSON: %w", err)
		}
		have += n
		sent := 0
		for found := bytes.Index(buffer[:have], mark); found >= 0; found = bytes.Index(buffer[sent:have], mark) {
			if _, err := out.Write(buffer[sent : sent+found]); err != nil {
				return err
			}
			if _, err := out.Write(full); err != nil {
				return err
			}
			sent += found + len(mark)
		}
		end := have // what may be the beginning of a mark waits for the rest
		if err == nil {
			end = max(sent, have-len(mark)+1)
		}
		if _, werr := out.Write(buffer[sent:end]); werr != nil || err == io.EOF {
			return werr
		}
		have = copy(buffer, buffer[end:have])
	}
}

const bulkMark = `"BulkDataURI":"`

// unpackedSize is what a gzip member says of itself at its end (RFC 1952 §2.3.1); the house has packed it.
func unpackedSize(packed []byte) int64 {
	if len(packed) < 4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
}

// attributesOf reads packed DICOM JSON attribute by attribute, in the order of their tags.
func attributesOf(packed io.Reader, each func(tag string, value json.RawMessage) error) error {
	d := json.NewDecoder(packed)
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("stored DICOM JSON: %w", err)
	}
	for d.More() {
		tag, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return fmt.Errorf("stored DICOM JSON: %w", err)
		}
		if err := each(tag.(string), value); err != nil {
			return err
		}
	}
	return nil
}
