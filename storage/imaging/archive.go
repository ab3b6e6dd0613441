package imaging

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

const (
	// A table of contents of this size names some 50 000 files with the long paths of CDs; real ones reach 5 000.
	maxContents = 4 << 20
	// What all files together may inflate to, beside what their own size explains (dicom.MaxRatio): a small archive of
	// blank pictures is let through, overlapping files that are one bomb many times are not.
	freelyInflated = 64 << 20
)

var errBomb = errors.New("inflates beyond all measure")

// takeArchive stores each DICOM file of a zip archive; one without preamble or file meta information gets them, its data set unchanged.
// Names are neither read nor kept; what is no DICOM file is skipped before it is inflated.
func (s *Service) takeArchive(ctx context.Context, place ids.Institution, file *pieced, o *Outcome) error {
	contents := &budget{r: file, left: maxContents}
	z, err := zip.NewReader(contents, file.size)
	if file.err != nil {
		return file.err
	}
	if err != nil {
		say := fault.Text{ZH: "压缩包不完整或已损坏。", EN: "The archive is cut off or broken."}
		reason := notUnderstood
		if contents.left < 0 {
			say, reason = fault.Text{ZH: "压缩包里的文件太多。", EN: "The archive holds too many files."}, outOfResources
		}
		o.refuse(1, Receipt{Reason: reason, Say: say})
		return nil
	}
	contents.left = 1 << 62
	left := freelyInflated + dicom.MaxRatio*file.size
	for n, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := s.takeMember(ctx, place, f, &left)
		switch {
		case file.err != nil:
			return file.err
		case errors.Is(err, errNotDICOM):
			o.Skipped++
		case errors.Is(err, errNested):
			o.refuse(n+1, Receipt{Reason: notUnderstood, Say: fault.Text{ZH: "压缩包里还有一个压缩包，没有打开：请先解开再传。", EN: "This is an archive inside the archive and was not opened: unpack it first, then send it."}})
		case errors.Is(err, errBomb), errors.Is(err, errTooLarge):
			o.refuse(n+1, Receipt{Reason: outOfResources, Say: fault.Text{ZH: "解压后的大小超出安全上限。", EN: "It inflates beyond the safety limit."}})
			if left < 0 {
				return nil
			}
		case errors.Is(err, errBrokenMember):
			o.refuse(n+1, Receipt{Reason: notUnderstood, Say: fault.Text{ZH: "压缩包中的文件已损坏。", EN: "This file of the archive is broken."}})
		case err != nil:
			return err
		default:
			o.note(n+1, r)
		}
	}
	return nil
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

var (
	errNotDICOM     = errors.New("no DICOM file")
	errNested       = errors.New("an archive inside an archive")
	errBrokenMember = errors.New("file of an archive is broken")
)

func (s *Service) takeMember(ctx context.Context, place ids.Institution, f *zip.File, left *int64) (Receipt, error) {
	raw, err := f.OpenRaw()
	if err != nil {
		return Receipt{}, errBrokenMember
	}
	m := &member{in: raw, left: left, crc: f.CRC32}
	switch f.Method {
	case zip.Store:
		m.out = m.counted()
	case zip.Deflate:
		m.out = flate.NewReader(m.counted())
	default:
		return Receipt{}, errBrokenMember
	}
	in := bufio.NewReader(m)
	head, err := in.Peek(in.Size())
	if err != nil && err != io.EOF && !errors.Is(err, errBomb) {
		return Receipt{}, err
	}
	var lead []byte
	if len(head) < 132 || string(head[128:132]) != "DICM" {
		if isZip(head) {
			return Receipt{}, errNested
		}
		if lead = dicom.Lead(head); lead == nil {
			return Receipt{}, errNotDICOM
		}
	}
	file, err := spooled(io.MultiReader(bytes.NewReader(lead), in))
	if err != nil {
		return Receipt{}, err
	}
	defer file.Close()
	return s.Store(ctx, place, file)
}

// member reads one file of an archive, holding it to its checksum and to the limits while it flows.
type member struct {
	in       io.Reader
	out      io.Reader
	consumed int64
	inflated int64
	left     *int64
	sum, crc uint32
}

func (m *member) counted() io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := m.in.Read(b)
		m.consumed += int64(n)
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func (m *member) Read(b []byte) (int, error) {
	n, err := m.out.Read(b)
	m.inflated += int64(n)
	*m.left -= int64(n)
	m.sum = crc32.Update(m.sum, crc32.IEEETable, b[:n])
	switch {
	case *m.left < 0, m.inflated > 1<<20 && m.inflated/dicom.MaxRatio > m.consumed:
		return 0, errBomb
	case err == io.EOF && m.sum != m.crc:
		return 0, errBrokenMember
	case err != nil && err != io.EOF:
		return 0, fmt.Errorf("%w: %v", errBrokenMember, err)
	}
	return n, err
}

// budget lets through so many bytes of reading: a table of contents that doesn't end is refused before it is held.
type budget struct {
	r    io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errBomb
	}
	return b.r.ReadAt(p, off)
}
