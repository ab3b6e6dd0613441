package edge

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"yuanzhen/internal/child"
	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

const (
	jpegLS              = "1.2.840.10008.1.2.4.80"
	pixelRepresentation = 0x00280103
	packing             = 5 * time.Minute // the longest that one file may be compressed for
)

// pack makes a lossless JPEG-LS copy of a grey image and returns where it lies and its digest, once every sample and every
// attribute (as DICOM JSON has them) has been compared with the original. Whatever speaks against it, the original goes as it came: then
// path and sum are returned. dcmcjpls makes the same bytes of the same file, so sending again finds them known.
func (a *agent) pack(ctx context.Context, path, sum string, at time.Time) (string, string, error) {
	before, err := read(path)
	if err != nil {
		return "", "", err
	}
	if !packable(before) {
		return path, sum, nil
	}
	to := filepath.Join(a.Data, "packing", sum)
	why := a.compress(ctx, path, to)
	if ctx.Err() != nil {
		return "", "", ctx.Err()
	}
	var packed string
	if why == nil {
		why = same(before, path, to)
	}
	if why == nil {
		_, packed, why = whole(to)
	}
	if why == nil {
		why = os.Chtimes(to, at, at)
	}
	if why != nil {
		a.log.Warn("sent as it came, not compressed", "why", why.Error())
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
		return path, sum, nil
	}
	return to, packed, nil
}

// compress runs dcmcjpls, which ends with us and after a time.
func (a *agent) compress(ctx context.Context, from, to string) error {
	cmd := exec.Command("dcmcjpls", "--encode-lossless", "--uid-never", from, to)
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	late := time.NewTimer(packing)
	defer late.Stop()
	select {
	case <-process.Done():
	case <-late.C:
		process.Stop(syscall.SIGKILL)
		return fmt.Errorf("dcmcjpls took longer than %v", packing)
	case <-ctx.Done():
		process.Stop(syscall.SIGKILL)
	}
	return nil // whether it went well is seen by what it wrote
}

func read(path string) (*dicom.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dicom.Read(f)
}

// packable reports whether the file is a native image in one grey, little endian: what compressing helps and can be compared.
func packable(f *dicom.File) bool {
	if f.Pixels == nil || f.Pixels.Tag != dicom.PixelData || f.TransferSyntax != dicom.ImplicitLE && f.TransferSyntax != dicom.ExplicitLE {
		return false
	}
	_, _, samples, allocated, err := f.Shape()
	return err == nil && samples == 1 && allocated > 1
}

// same compares the original with the copy: every attribute but the pixels' own type, every sample.
func same(before *dicom.File, original, copied string) error {
	after, err := read(copied)
	if err != nil {
		return err
	}
	if after.TransferSyntax != jpegLS || after.Pixels == nil || len(after.Pixels.Frames) != len(before.Pixels.Frames) || after.Size >= before.Size {
		return fmt.Errorf("%d bytes became %d in syntax %s", before.Size, after.Size, after.TransferSyntax)
	}
	was, err := attributes(before)
	if err != nil {
		return err
	}
	is, err := attributes(after)
	if err != nil {
		return err
	}
	if len(was) != len(is) {
		return fmt.Errorf("%d attributes became %d", len(was), len(is))
	}
	for tag, v := range was {
		if !bytes.Equal(v, is[tag]) {
			return fmt.Errorf("attribute (%s) changed", tag)
		}
	}
	from, err := os.Open(original)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Open(copied)
	if err != nil {
		return err
	}
	defer to.Close()
	for n := range before.Pixels.Frames {
		want, err := bytesOf(from, before.Pixels.Frames[n])
		if err != nil {
			return err
		}
		coded, err := bytesOf(to, after.Pixels.Frames[n])
		if err != nil {
			return err
		}
		p, err := codec.Decode(jpegLS, coded)
		if err != nil {
			return fmt.Errorf("frame %d: %w", n+1, err)
		}
		width := len(want) / len(p.Pix)
		if width*len(p.Pix) != len(want) || width < 1 || width > 2 {
			return fmt.Errorf("frame %d has %d samples of %d bytes", n+1, len(p.Pix), len(want))
		}
		for i, v := range p.Pix {
			stored := uint16(want[width*i])
			if width == 2 {
				stored = binary.LittleEndian.Uint16(want[2*i:])
			}
			if stored != v && (before.Data.Int(pixelRepresentation, 0) != 1 || stored != signed(v, p.Bits)) {
				return fmt.Errorf("frame %d: sample %d changed", n+1, i)
			}
		}
	}
	return nil
}

// signed is a sample of so many bits as 16 bits hold it where it is below zero.
func signed(v uint16, bits int) uint16 {
	return uint16(int16(v<<(16-bits)) >> (16 - bits))
}

// attributes is the data set by tag, without the pixels; values that JSON leaves out are put in.
func attributes(f *dicom.File) (map[string]json.RawMessage, error) {
	doc, _ := f.JSON()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, err
	}
	delete(all, dicom.PixelData.String())
	for _, e := range f.Data.Elements {
		if len(e.Value) > dicom.MaxInline {
			all[e.Tag.String()] = append(all[e.Tag.String()], e.Value...)
		}
	}
	return all, nil
}

func bytesOf(f *os.File, runs dicom.Frame) ([]byte, error) {
	var all []byte
	for _, run := range runs {
		part := make([]byte, run.Length)
		if _, err := f.ReadAt(part, run.Offset); err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}
