package imaging

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// object is a small object of its own, with more values over it and more bytes after it.
func object(t testing.TB, n int, more map[dicom.Tag]string, after string) []byte {
	t.Helper()
	values := map[dicom.Tag]string{dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.7", dicom.StudyInstanceUID: fmt.Sprintf("1.2.900.%d", n),
		dicom.SeriesInstanceUID: fmt.Sprintf("1.2.900.%d.1", n), dicom.SOPInstanceUID: fmt.Sprintf("1.2.900.%d.1.1", n), dicom.PatientID: "H"}
	for tag, v := range more {
		values[tag] = v
	}
	raw, err := dicom.Compose(values, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(raw, after...)
}

func us(v int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }

// picture is what a data set says of a picture.
func picture(rows, columns, bits int, more map[dicom.Tag]string) map[dicom.Tag]string {
	all := map[dicom.Tag]string{dicom.Rows: us(rows), dicom.Columns: us(columns), 0x00280002: us(1), 0x00280004: "MONOCHROME2",
		0x00280100: us(bits), 0x00280101: us(bits), 0x00280102: us(bits - 1), 0x00280103: us(0)}
	for tag, v := range more {
		all[tag] = v
	}
	return all
}

// as gives the object another transfer syntax.
func as(syntax string, raw []byte) []byte {
	if len(syntax)%2 == 1 {
		syntax += "\x00"
	}
	was, now := "\x02\x00\x10\x00UI\x14\x00"+dicom.ExplicitLE+"\x00", "\x02\x00\x10\x00UI"+us(len(syntax))+syntax
	out := bytes.Replace(raw, []byte(was), []byte(now), 1)
	out[140] += byte(len(now) - len(was)) // the length of the group
	return out
}

// beneath puts bytes into the preamble.
func beneath(preamble string, raw []byte) []byte {
	copy(raw, preamble)
	return raw
}

func fragments(all ...string) string {
	var b strings.Builder
	b.WriteString("\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\x00\x00\x00\x00")
	for _, f := range all {
		b.WriteString("\xfe\xff\x00\xe0")
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(f))))
		b.WriteString(f)
	}
	return b.String() + "\xfe\xff\xdd\xe0\x00\x00\x00\x00"
}

// tabled is fragments with a basic offset table.
func tabled(table string, all ...string) string {
	return strings.Replace(fragments(all...), "\xfe\xff\x00\xe0\x00\x00\x00\x00", "\xfe\xff\x00\xe0"+string(binary.LittleEndian.AppendUint32(nil, uint32(len(table))))+table, 1)
}

// lying says that its file meta information ends after some bytes.
func lying(raw []byte) []byte {
	raw[140] = 3
	return raw
}

// siz is a JPEG 2000 codestream of one component that ends after its head.
func siz(columns, rows, tile int) string {
	b := []byte("\xff\x4f\xff\x51\x00\x29\x00\x00")
	for _, n := range []int{columns, rows, 0, 0, tile, tile, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return string(b) + "\x00\x01\x07\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01\xff\x5c\x00\x13\x40" + strings.Repeat("\x48", 16) +
		"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\xff\x93 "
}

// long is an element of an implicit data set, whose length has 32 bits whatever its type.
func long(tag dicom.Tag, value string) string {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(tag))
	return string(binary.LittleEndian.AppendUint32(b, uint32(len(value)))) + value
}

// implicit is object in implicit little endian.
func implicit(t testing.TB, n int, after string) []byte {
	raw := object(t, n, nil, "")
	begin := bytes.Index(raw, []byte("\x08\x00\x05\x00CS"))
	out := as(dicom.ImplicitLE, raw[:begin:begin])
	for tag, v := range map[dicom.Tag]string{dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.7\x00", dicom.StudyInstanceUID: fmt.Sprintf("1.2.900.%d", n),
		dicom.SeriesInstanceUID: fmt.Sprintf("1.2.900.%d.1", n), dicom.SOPInstanceUID: fmt.Sprintf("1.2.900.%d.1.1", n)} {
		out = append(out, long(tag, v)...)
	}
	return append(out, after...)
}

// noise doesn't shrink when it is packed.
func noise(n int) string {
	b := make([]byte, n)
	for i, x := 0, uint32(2463534242); i < n; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = 'A' + byte(x>>16)%26
	}
	return string(b)
}

func sl(all ...int) string {
	var b []byte
	for _, n := range all {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

// palette is one whose descriptors are signed and wide.
func palette(entries int) string {
	var s string
	for i := range 3 {
		s += "\x28\x00" + us(0x1101+i) + "SL\x0c\x00" + sl(entries, 0, 8)
	}
	for i := range 3 {
		s += "\x28\x00" + us(0x1201+i) + "OW\x00\x00\x02\x00\x00\x00ab"
	}
	return s
}

// scans is a progressive JPEG of many scans over the whole picture, each some bytes of end-of-band runs.
func scans(columns, rows, n int) string {
	size := string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(rows)), uint16(columns)))
	head := "\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) + "\xff\xc2\x00\x0b\x08" + size + "\x01\x01\x11\x00" +
		"\xff\xc4\x00\x14\x00\x01" + strings.Repeat("\x00", 15) + "\x00" + // DC: one code, no difference
		"\xff\xc4\x00\x14\x10\x01" + strings.Repeat("\x00", 15) + "\xe0" // AC: one code, a run of 2^14 and more ends of band
	dc := "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + strings.Repeat("\x00", columns*rows/64/8+1)
	ac := "\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + strings.Repeat("\x00", 32)
	return head + dc + strings.Repeat(ac, n) + "\xff\xd9"
}

func native(pixels string) string {
	return "\xe0\x7f\x10\x00OW\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(pixels)))) + pixels
}

// resident is how much memory this process has now, in bytes: server, object store and test together.
func resident(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// spent is the processor time that this process and its decoders have taken: server, object store and test together, those
// decoders too that have ended. The database runs beside them and is not counted.
func spent(t testing.TB) (all time.Duration) {
	t.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(processes) == 0 {
		t.Fatalf("no processes in /proc: %v", err)
	}
	for _, p := range processes {
		text, err := os.ReadFile(p)
		if err != nil {
			continue // it has ended
		}
		name, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest) // from the state on, the third in proc(5)
		if strings.HasSuffix(name, "(postgres") || len(fields) < 15 || fields[1] != fmt.Sprint(os.Getpid()) {
			continue
		}
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime, in ticks of 10 ms
			var ticks int64
			if _, err := fmt.Sscan(f, &ticks); err != nil {
				t.Fatal(err)
			}
			all += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return all
}

// Each answer to a hostile file may take two seconds. They are counted in processor time, which other processes of a loaded machine
// don't take away; the clock has a wide limit, for what waits without working.
const (
	mayWork = drag * 2 * time.Second
	mayWait = time.Minute
)

// held asks for something and reports an answer that took too much time or memory.
func held(t *testing.T, what string, ask func()) {
	t.Helper()
	memory, processor, start := resident(t), spent(t), time.Now()
	ask()
	worked, waited, grown := spent(t)-processor, time.Since(start), resident(t)-memory
	if worked >= mayWork || waited > mayWait {
		t.Errorf("%s took %v of processor time and %v", what, worked, waited)
	}
	if grown > shadow*128<<20 {
		t.Errorf("%s grew by %d MB", what, grown>>20)
	}
	t.Logf("%s: %v of processor time, %v, %d MB", what, worked, waited, grown>>20)
}

// harmless asks for all there is of an object that was kept: no answer is a fault of the house, none takes long, and the object comes
// back as it was sent, apart from the preamble (PS3.10 §7.5).
func (h *house) harmless(t *testing.T, file []byte) {
	t.Helper()
	study, series, sop := uidsOf(t, file)
	at := "/dicomweb/studies/" + study + "/series/" + series + "/instances/" + sop
	for what, accepts := range map[string][]string{
		"": {"*/*", zipType, `multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1`}, "/metadata": {"*/*"},
		"/frames/1": {"*/*", octets, `multipart/related; type="application/octet-stream"`, `multipart/related; type="application/octet-stream"; transfer-syntax=*`, "image/*"},
		"/rendered": {"*/*", "image/png", "multipart/related"}, "/thumbnail": {"image/jpeg"}, "/rendered?window=0,1": {"image/jpeg"},
		"/bulkdata/7FE00010": {"*/*", octets}} {
		for _, accept := range accepts {
			var b answer
			held(t, fmt.Sprintf("%q as %q", what, accept), func() { b = h.get("county", at+what, accept) })
			if b.status >= 500 {
				t.Errorf("%q as %q: %d %s", what, accept, b.status, b.body)
			}
			if b.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%q as %q may be sniffed", what, accept)
			}
		}
	}
	whole := h.get("county", at, dicomType)
	if whole.status != 200 || len(whole.body) != len(file) || !bytes.Equal(whole.body[:128], make([]byte, 128)) || !bytes.Equal(whole.body[128:], file[128:]) ||
		whole.header.Get("Content-Disposition") != "attachment" || !strings.Contains(whole.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d bytes of %d served as %d %v", len(whole.body), len(file), whole.status, whole.header)
	}
}

type hostile struct {
	name   string
	file   []byte
	reason string // "": it is stored, and harms nobody
}

func hostileFiles(t *testing.T) []hostile {
	nested := func(depth int) string {
		return strings.Repeat("\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", depth)
	}
	deflated := func(n int) []byte {
		head := object(t, 50, nil, "")
		begin := bytes.Index(head, []byte("\x08\x00\x05\x00CS"))
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(head[begin:])
		w.Write([]byte("\xe0\x7f\x10\x00OW\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(n)))))
		mega := func() []byte {
			from := b.Len()
			w.Write(make([]byte, 1<<20))
			w.Flush()
			return bytes.Clone(b.Bytes()[from:])
		}
		mega()
		again := mega() // after zeros alone: each further megabyte looks the same
		for range n>>20 - 2 {
			b.Write(again)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		meta := as(dicom.DeflatedLE, bytes.Clone(head[:begin]))
		return append(meta, b.Bytes()...)
	}
	const broken, much, mismatch, syntax = "C000", "A700", "A900", "C122"
	return []hostile{
		{"nothing at all", nil, broken},
		{"1000 nested sequences", object(t, 1, nil, nested(1000)), much},
		{"20 000 nested sequences", object(t, 2, nil, nested(20_000)), much},
		{"5000 items that are opened and never closed", object(t, 3, nil, "\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff"+strings.Repeat("\xfe\xff\x00\xe0\xff\xff\xff\xff", 5000)), broken},
		{"1 GiB in a megabyte", deflated(1 << 30), much},
		{"100 000 times the same private attribute", object(t, 4, nil, strings.Repeat("\x41\x00\x10\x10LO\x02\x00ab", 100_000)), much},
		{"90 000 times the same private attribute", object(t, 5, nil, strings.Repeat("\x41\x00\x10\x10LO\x02\x00ab", 90_000)), broken},
		{"a study beyond the folder", object(t, 6, map[dicom.Tag]string{dicom.StudyInstanceUID: "../../../x"}, ""), mismatch},
		{"a study with a statement", object(t, 7, map[dicom.Tag]string{dicom.StudyInstanceUID: "1.2';DROP TABLE study"}, ""), mismatch},
		{"a study of letters", object(t, 8, map[dicom.Tag]string{dicom.StudyInstanceUID: "study"}, ""), mismatch},
		{"a study of 65 digits", object(t, 9, map[dicom.Tag]string{dicom.StudyInstanceUID: strings.Repeat("1", 65)}, ""), mismatch},
		{"no study", object(t, 10, map[dicom.Tag]string{dicom.StudyInstanceUID: ""}, ""), mismatch},
		{"no object", object(t, 11, map[dicom.Tag]string{dicom.SOPInstanceUID: ""}, ""), mismatch},
		{"an invented transfer syntax", as("1.2.3.4.5", object(t, 12, nil, "")), syntax},
		{"a value of 4 GiB", object(t, 13, nil, "\x41\x00\x10\x10OB\x00\x00\xfe\xff\xff\xff"), much},
		{"a value of 15 MiB that isn't there", object(t, 14, nil, "\x41\x00\x10\x10OB\x00\x00\x00\x00\xf0\x00"), broken},
		{"pixels of 4 GiB that aren't there", object(t, 15, picture(16, 16, 8, nil), "\xe0\x7f\x10\x00OW\x00\x00\xfe\xff\xff\xff"), broken},
		{"pixels for a tenth of the picture", object(t, 16, picture(512, 512, 16, nil), native(strings.Repeat("x", 50_000))), broken},
		{"two million frames", object(t, 17, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "2000000"}), native("xx")), broken},
		{"frames below zero", object(t, 18, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "-5"}), native(strings.Repeat("x", 256))), broken},
		{"an offset table that lies", as(dicom.JPEG, object(t, 19, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "3"}), fragments("\xff\xd8"))), broken},
		{"a delimiter out of place", object(t, 20, nil, "\xfe\xff\xdd\xe0\x00\x00\x00\x00"), broken},
		{"a type that is none", object(t, 21, nil, "\x41\x00\x10\x10ZZ\x02\x00ab"), broken},
		{"35 MB of attributes", object(t, 22, nil, func() string {
			var b strings.Builder
			for i := range 35 {
				b.WriteString("\x41\x00" + us(0x1000+i) + "OB\x00\x00\x00\x00\x10\x00")
				b.WriteString(strings.Repeat("x", 1<<20))
			}
			return b.String()
		}()), much},
		{"an executable before the mark", beneath("MZ\x90\x00 this program cannot be run", object(t, 23, nil, "")), ""},
		{"a page before the mark", beneath("<script>alert(document.cookie)</script>", object(t, 24, nil, "")), ""},
		{"a name with a script", object(t, 25, map[dicom.Tag]string{dicom.PatientName: "<img src=x onerror=alert(1)>"}, ""), ""},
		{"a name with NUL and broken UTF-8", object(t, 26, map[dicom.Tag]string{dicom.PatientName: "a\x00b\xff\xfec"}, ""), ""},
		{"a JPEG of 65535 x 65535 in a frame of 16 x 16", as(dicom.JPEG, object(t, 27, picture(16, 16, 8, nil), fragments("\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9"))), ""},
		{"a JPEG-LS of 65535 x 65535 in a frame of 16 x 16", as("1.2.840.10008.1.2.4.80", object(t, 28, picture(16, 16, 8, nil), fragments("\xff\xd8\xff\xf7\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00"))), ""},
		{"a JPEG 2000 of 65535 x 65535 in a frame of 16 x 16", as("1.2.840.10008.1.2.4.90", object(t, 35, picture(16, 16, 8, nil), fragments(siz(65535, 65535, 65535)))), ""},
		{"a JPEG 2000 of 65,025 tiles that aren't there", as("1.2.840.10008.1.2.4.90", object(t, 36, picture(4080, 4080, 16, nil), fragments(siz(4080, 4080, 16)))), ""},
		{"a JPEG 2000 of 16 million tiles that aren't there", as("1.2.840.10008.1.2.4.201", object(t, 37, picture(4096, 4096, 8, nil), fragments(siz(4096, 4096, 1)))), ""},
		{"a JP2 file whose boxes never end", as("1.2.840.10008.1.2.4.91", object(t, 38, picture(16, 16, 8, nil), fragments("\x00\x00\x00\x08jP  \x00\x00\x00\x01free\x00\x00\x00\x00\x00\x00\x00\x00"))), ""},
		{"a lossless JPEG of nothing", as("1.2.840.10008.1.2.4.70", object(t, 29, picture(4096, 4096, 16, nil), fragments("\xff\xd8"))), ""},
		{"RLE segments outside the frame", as(dicom.RLE, object(t, 30, picture(16, 16, 8, nil), fragments("\x01\x00\x00\x00\xff\xff\xff\x7f"+strings.Repeat("\x00", 60)))), ""},
		{"RLE that ends early", as(dicom.RLE, object(t, 31, picture(4000, 4000, 8, nil), fragments("\x01\x00\x00\x00\x40\x00\x00\x00"+strings.Repeat("\x00", 56)+"\x81\x00"))), ""},
		{"a palette that lies about its length", object(t, 32, picture(16, 16, 8, map[dicom.Tag]string{0x00280004: "PALETTE COLOR", 0x00281101: us(0) + us(0) + us(16), 0x00281102: us(0) + us(0) + us(16), 0x00281103: us(0) + us(0) + us(16), 0x00281201: "ab", 0x00281202: "ab", 0x00281203: "ab"}), native(strings.Repeat("x", 256))), ""},
		{"a window and a slope beyond all numbers", object(t, 33, picture(16, 16, 16, map[dicom.Tag]string{0x00281050: "1e308", 0x00281051: "1e308", 0x00281052: "-1e308", 0x00281053: "1e308"}), native(strings.Repeat("x", 512))), ""},
		{"a character set of 65,000 names", object(t, 40, map[dicom.Tag]string{dicom.SpecificCharacterSet: strings.Repeat("\\", 65_000)}, ""), ""},
		{"a character set of 4 MB", implicit(t, 41, long(dicom.SpecificCharacterSet, strings.Repeat("\\", 4<<20))), much},
		{"60 items with a character set of 65,000 names each", object(t, 42, nil, "\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff"+
			strings.Repeat("\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\x00\x05\x00CS"+us(65_000)+strings.Repeat("\\", 65_000)+"\x10\x00\x10\x00PN\x02\x00a \xfe\xff\x0d\xe0\x00\x00\x00\x00", 60)+
			"\xfe\xff\xdd\xe0\x00\x00\x00\x00"), ""},
		{"a name of 4 MB", implicit(t, 43, long(dicom.PatientName, strings.Repeat("a", 4<<20))), much},
		{"a name of 60,000 letters", object(t, 44, map[dicom.Tag]string{dicom.PatientName: strings.Repeat("王", 20_000)}, ""), ""},
		{"60,000 letters that differ in every text that is searched", object(t, 45, map[dicom.Tag]string{dicom.PatientName: noise(60_000), dicom.PatientID: noise(60_000), dicom.AccessionNumber: noise(60_000),
			dicom.StudyDescription: noise(60_000), dicom.ReferringPhysician: noise(60_000), dicom.Modality: noise(60_000), dicom.SeriesDescription: noise(60_000), dicom.PatientSex: noise(60_000), dicom.StudyTime: noise(60_000)}, ""), ""},
		{"eight million empty values", implicit(t, 46, long(0x00181050, strings.Repeat("\\", 8<<20))), much},
		{"a million numbers and more in one attribute", implicit(t, 47, long(0x00189073, strings.Repeat("\x9a\x99\x99\x99\x99\x99\xb9\xbf", 1_100_000))), much},
		{"8 MB of letters that are written as six each", object(t, 48, nil, "\x40\x00\x60\xa1UT\x00\x00\x00\x00\x40\x00"+strings.Repeat("\x01", 4<<20)+"\x40\x00\x61\xa1UT\x00\x00\x00\x00\x40\x00"+strings.Repeat("<", 4<<20)), much},
		{"4 MB of escapes", object(t, 49, map[dicom.Tag]string{dicom.SpecificCharacterSet: "\\ISO 2022 IR 87"}, "\x40\x00\x60\xa1UT\x00\x00\x00\x00\x40\x00"+strings.Repeat("\x1b", 4<<20)), ""},
		{"15 MB of text with code extensions", object(t, 50, map[dicom.Tag]string{dicom.SpecificCharacterSet: "\\ISO 2022 IR 87"}, "\x40\x00\x60\xa1UT\x00\x00\x00\x00\xf0\x00"+strings.Repeat("a", 15<<20)), ""},
		{"a palette of fewer than no entries", object(t, 51, picture(16, 16, 8, map[dicom.Tag]string{0x00280004: "PALETTE COLOR"}), palette(-100_000)+native(strings.Repeat("x", 256))), ""},
		{"a window's table of fewer than no entries", object(t, 52, picture(16, 16, 8, nil), "\x28\x00\x10\x30SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff\x28\x00\x02\x30SL\x0c\x00"+
			sl(-100_000, 0, 8)+"\x28\x00\x06\x30OW\x00\x00\x02\x00\x00\x00ab\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"+native(strings.Repeat("x", 256))), ""},
		{"a picture of -16 x -16", object(t, 53, map[dicom.Tag]string{0x00280002: us(1), 0x00280100: us(8)}, "\x28\x00\x10\x00SS\x02\x00\xf0\xff\x28\x00\x11\x00SS\x02\x00\xf0\xff"+native(strings.Repeat("x", 256))), broken},
		{"a JPEG of 30,000 scans", as(dicom.JPEG, object(t, 54, picture(4096, 4096, 8, nil), fragments(scans(4096, 4096, 30_000)))), ""},
		{"a file without a preamble", object(t, 60, nil, "")[128:], broken},
		{"a group length that lies", lying(object(t, 61, nil, "")), ""},
		{"a file that says big endian and is not", as(dicom.ExplicitBE, object(t, 62, nil, "")), broken},
		{"a data set that is not deflated", as(dicom.DeflatedLE, object(t, 63, nil, "")), broken},
		{"attributes out of order", object(t, 64, nil, "\x10\x00\x40\x10LO\x02\x00ab\x08\x00\x90\x00PN\x02\x00ab"), ""},
		{"a patient who stands twice", object(t, 65, nil, "\x10\x00\x20\x00LO\x02\x00zz"), broken},
		{"odd lengths", object(t, 66, nil, "\x10\x00\x40\x10LO\x03\x00abc\x10\x00\xb0\x21LT\x01\x00x"), ""},
		{"an item beyond its sequence", object(t, 67, nil, "\x40\x00\x30\xa7SQ\x00\x00\x08\x00\x00\x00\xfe\xff\x00\xe0\x10\x00\x00\x00\x10\x00\x10\x00PN\x08\x00abcdefgh"), broken},
		{"an attribute beyond its item", object(t, 68, nil, "\x40\x00\x30\xa7SQ\x00\x00\x14\x00\x00\x00\xfe\xff\x00\xe0\x0c\x00\x00\x00\x10\x00\x10\x00PN\x08\x00abcdefgh"), broken},
		{"a sequence of 4 GiB", object(t, 69, nil, "\x40\x00\x30\xa7SQ\x00\x00\xfe\xff\xff\xff\xfe\xff\x00\xe0\xfe\xff\xff\xff\x10\x00\x10\x00PN\x02\x00ab"), broken},
		{"a sequence that is never closed", object(t, 70, nil, "\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\x00\x00\x00\x00"), broken},
		{"a private sequence of unknown type that nests", object(t, 71, nil, "\x41\x00\x10\x10UN\x00\x00\xff\xff\xff\xff"+strings.Repeat("\xfe\xff\x00\xe0\xff\xff\xff\xff\x41\x00\x10\x10\xff\xff\xff\xff", 5000)), much},
		{"a text of undefined length", object(t, 72, nil, "\x41\x00\x10\x10UT\x00\x00\xff\xff\xff\xff"), broken},
		{"60,000 items of nothing", object(t, 73, nil, "\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff"+strings.Repeat("\xfe\xff\x00\xe0\x00\x00\x00\x00", 60_000)+"\xfe\xff\xdd\xe0\x00\x00\x00\x00"), much},
		{"60,000 fragments of nothing", as(dicom.JPEG, object(t, 74, picture(16, 16, 8, nil), fragments(make([]string, 60_000)...))), much},
		{"a character set that none is", object(t, 75, map[dicom.Tag]string{dicom.SpecificCharacterSet: "ISO_IR 9999", dicom.PatientName: "\xcd\xf5\xd0\xe3"}, ""), ""},
		{"a GB18030 name in a file that says UTF-8", object(t, 76, map[dicom.Tag]string{dicom.SpecificCharacterSet: "ISO_IR 192", dicom.PatientName: "\xcd\xf5\xd0\xe3"}, ""), ""},
		{"an offset table that runs backwards", as(dicom.JPEG, object(t, 77, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "2"}),
			tabled("\x0a\x00\x00\x00\x00\x00\x00\x00", "\xff\xd8", "\xff\xd8"))), broken},
		{"an offset table beyond the pixels", as(dicom.JPEG, object(t, 78, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "2"}),
			tabled("\x00\x00\x00\x00\xff\xff\xff\xff", "\xff\xd8", "\xff\xd8"))), broken},
		{"an extended offset table below zero", as(dicom.JPEG, object(t, 79, picture(16, 16, 8, map[dicom.Tag]string{dicom.NumberOfFrames: "2"}),
			"\xe0\x7f\x01\x00OV\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"+fragments("\xff\xd8", "\xff\xd8"))), broken},
		{"an offset table longer than the frames", as(dicom.JPEG, object(t, 80, picture(16, 16, 8, nil), tabled(strings.Repeat("\xff", 4000), "\xff\xd8"))), ""},
		{"one fragment that is never closed", as(dicom.JPEG, object(t, 81, picture(16, 16, 8, nil), strings.TrimSuffix(fragments("\xff\xd8"), "\xfe\xff\xdd\xe0\x00\x00\x00\x00"))), broken},
		{"fragments under an uncompressed transfer syntax", object(t, 82, picture(16, 16, 8, nil), fragments("\xff\xd8")), broken},
		{"65,535 x 65,535 x 65,535 samples of 65,535 bits", object(t, 83, picture(65535, 65535, 65535, map[dicom.Tag]string{0x00280002: us(65535)}), native("xx")), broken},
		{"samples of no bits", object(t, 84, picture(16, 16, 0, nil), native(strings.Repeat("x", 256))), broken},
		{"more bits stored than there are", object(t, 85, picture(16, 16, 8, map[dicom.Tag]string{0x00280101: us(60_000), 0x00280102: us(0)}), native(strings.Repeat("x", 256))), ""},
		{"pairs of an odd number of pixels", object(t, 86, picture(3, 3, 8, map[dicom.Tag]string{0x00280002: us(3), 0x00280004: "YBR_FULL_422"}), native(strings.Repeat("x", 18))), ""},
		{"pairs of 16 bits", object(t, 87, picture(2, 2, 16, map[dicom.Tag]string{0x00280002: us(3), 0x00280004: "YBR_FULL_422"}), native(strings.Repeat("x", 16))), ""},
		{"a contour of 100,000 letters in an implicit file", implicit(t, 88, long(0x30060050, strings.Repeat("1\\", 50_000))), ""},
		{"a picture of 65535 x 1", object(t, 34, picture(65535, 1, 8, nil), native(strings.Repeat("x", 65536))), ""},
	}
}

func TestHostileFilesAreRefusedBesideGoodOnes(t *testing.T) {
	h := open(t, storagetest.New(t))
	spool := t.TempDir() // what is made on the disk from here on is made here
	t.Setenv("TMPDIR", spool)
	n := 1000
	for _, c := range hostileFiles(t) {
		t.Run(c.name, func(t *testing.T) {
			n++
			good := object(t, n, nil, "")
			lay := h.lying()
			var a answer
			var s stowed
			held(t, "storing", func() { a, s = h.stow("county", c.file, good) })
			if c.reason == "" {
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			} else if a.status != 202 || len(s.Bad.Value) != 1 || fmt.Sprintf("%04X", s.Bad.Value[0].Reason.Value[0]) != c.reason || !strings.Contains(s.Bad.Value[0].Say.Value[0], "Part 1: ") {
				t.Fatalf("%d %.300s, want %s", a.status, a.body, c.reason)
			}
			if more := h.lying() - lay; c.reason != "" && more != 1 {
				t.Errorf("%d objects lie there more, want the good one alone", more)
			}
			if left, err := os.ReadDir(spool); err != nil || len(left) != 0 {
				t.Errorf("%d files are left on the disk, %v", len(left), err)
			}
			if b := h.get("county", fmt.Sprintf("/dicomweb/studies/1.2.900.%d", n), ""); b.status != 200 {
				t.Errorf("the good one beside it: %d", b.status)
			}
			if c.reason != "" {
				return
			}
			h.harmless(t, c.file)
		})
	}
}

// peak is how much memory the process takes at most while it works, beyond what it has before.
func peak(t *testing.T, work func()) int64 {
	t.Helper()
	debug.FreeOSMemory()
	before, most := resident(t), int64(0)
	done, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(seen)
		for tick := time.NewTicker(2 * time.Millisecond); ; {
			most = max(most, resident(t))
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	work()
	close(done)
	<-seen
	return most - before
}

// onDisk keeps files where they don't count as memory, which the collector lets double.
func onDisk(t *testing.T, files ...[]byte) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for n, f := range files {
		paths = append(paths, filepath.Join(dir, fmt.Sprint(n)))
		if err := os.WriteFile(paths[n], f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// poured sends files in one request, without holding it.
func (h *house) poured(paths ...string) (status int) {
	var parts []io.Reader
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			h.t.Error(err)
			return 0
		}
		defer f.Close()
		parts = append(parts, strings.NewReader("\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n"), f)
	}
	parts = append(parts, strings.NewReader("\r\n--edge--"))
	return h.drained("POST", "/dicomweb/studies", map[string]string{"Content-Type": "multipart/related; type=application/dicom; boundary=edge"}, io.MultiReader(parts...))
}

// drained reads an answer past.
func (h *house) drained(method, path string, header map[string]string, body io.Reader) (status int) {
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer county")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Error(err)
		return 0
	}
	defer a.Body.Close()
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		h.t.Error(err)
	}
	return a.StatusCode
}

// byFour does it four times at once.
func byFour(do func(n int)) {
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() { do(n) })
	}
	clients.Wait()
}

// What one hostile file may take, all of them may, in one request and in four at once.
func TestHostileFilesAtOnceTakeNoMoreThanOne(t *testing.T) {
	was := patience
	patience *= drag
	t.Cleanup(func() { patience = was })
	h := open(t, storagetest.New(t))
	all := func() []string {
		var files [][]byte
		for _, c := range hostileFiles(t) {
			files = append(files, c.file)
		}
		return onDisk(t, files...)
	}()
	blob := func(tag string, n int) string {
		return "\x40\x00" + tag + "UT\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) + noise(n)
	}
	const words = 12 << 20 / (shadow * shadow) // the race detector looks at each letter
	wordy := func(n int) []byte {
		return object(t, n, map[dicom.Tag]string{dicom.StudyInstanceUID: "1.2.901", dicom.SeriesInstanceUID: "1.2.901.1"}, blob("\x60\xa1", words)+blob("\x61\xa1", words))
	}
	plate := picture(4096, 4096, 16, map[dicom.Tag]string{dicom.StudyInstanceUID: "1.2.902", dicom.SeriesInstanceUID: "1.2.902.1"})
	grey := strings.Repeat("\x00", 100) + noise(156)
	large := onDisk(t, wordy(910), wordy(911),
		object(t, 920, plate, native(strings.Repeat(grey, 2*4096*4096/256))),
		object(t, 921, plate, native(strings.Repeat(grey, 2*4096*4096/256))))
	const most = 128 << 20
	grew := func(what string, work func()) {
		t.Helper()
		n := peak(t, work)
		t.Logf("%s: %d MB", what, n>>20)
		if n > shadow*most {
			t.Errorf("%s grew by %d MB", what, n>>20)
		}
	}
	grew("one request", func() {
		if status := h.poured(all...); status != 202 {
			t.Errorf("%d", status)
		}
	})
	grew("four requests", func() {
		byFour(func(int) {
			if status := h.poured(all...); status != 202 {
				t.Errorf("%d", status)
			}
		})
	})
	grew("four requests of large heads and plates", func() {
		byFour(func(int) {
			if status := h.poured(large...); status != 200 {
				t.Errorf("%d", status)
			}
		})
	})
	for what, path := range map[string]string{"metadata": "/dicomweb/studies/1.2.901/metadata", "a search for everything": "/dicomweb/studies/1.2.901/instances?includefield=all"} {
		grew("four times "+what, func() {
			byFour(func(int) {
				if status := h.drained("GET", path, nil, nil); status != 200 {
					t.Errorf("%d", status)
				}
			})
		})
	}
	grew("four drawings of a plate", func() {
		byFour(func(n int) {
			path := fmt.Sprintf("/dicomweb/studies/1.2.902/series/1.2.902.1/instances/1.2.900.%d.1.1/rendered?quality=%d", 920+n%2, 80+n)
			if status := h.drained("GET", path, map[string]string{"Accept": "image/jpeg"}, nil); status != 200 {
				t.Errorf("%d", status)
			}
		})
	})
}

// A loop of ultrasound may be this large; it goes by the disk.
func TestALargeObjectIsNotHeldInMemory(t *testing.T) {
	h := open(t, storagetest.New(t))
	before := resident(t)
	head := "--edge\r\nContent-Type: application/dicom\r\n\r\n" + string(object(t, 1, picture(16, 16, 8, nil), "")) + "\xe0\x7f\x10\x00OW\x00\x00\x00\x00\x00\x10"
	body := io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, 256<<20), strings.NewReader("\r\n--edge--"))
	a := h.call("county", "POST", "/dicomweb/studies", map[string]string{"Content-Type": "multipart/related; type=application/dicom; boundary=edge"}, body)
	if a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if grown := resident(t) - before; grown > shadow*128<<20 {
		t.Errorf("grew by %d MB", grown>>20)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Files that broken software wrote, and sound ones of every transfer syntax of which half arrived.
func TestBrokenFilesHarmNobodyBesideThem(t *testing.T) {
	h := open(t, storagetest.New(t))
	const broken, mismatch = "C000", "A900"
	refused := map[string]string{ // the others are kept as they are
		"ExplVR_BigEndNoMeta": broken, "ExplVR_LitEndNoMeta": broken, "no_meta": broken, "rtstruct": broken, // no preamble
		"MR_truncated": broken, "rtplan_truncated": broken, "meta_missing_tsyntax": broken,
		"SC_rgb_jpeg": broken, "nested_priv_SQ": broken, // implicit where it says explicit; pixels without rows
		"JPEGLSNearLossless_08": mismatch, "UN_sequence": mismatch, "chrSQEncoding": mismatch, "empty_charset_LEI": mismatch,
		"no_meta_group_length": mismatch, "priv_SQ": mismatch, // no study
	}
	n := 5000
	beside := func(t *testing.T, file []byte) (a answer, s stowed) {
		n++
		good := object(t, n, nil, "")
		held(t, "storing", func() { a, s = h.stow("county", file, good) })
		if b := h.get("county", fmt.Sprintf("/dicomweb/studies/1.2.900.%d", n), ""); b.status != 200 {
			t.Errorf("the good one beside it: %d", b.status)
		}
		return a, s
	}
	for name, file := range files {
		switch {
		case strings.HasPrefix(name, "corrupt/"):
			t.Run(name, func(t *testing.T) {
				a, s := beside(t, file)
				want, named := refused[strings.TrimSuffix(strings.TrimPrefix(name, "corrupt/"), ".dcm")]
				if !named {
					if a.status != 200 {
						t.Fatalf("%d %.300s", a.status, a.body)
					}
					h.harmless(t, file)
				} else if a.status != 202 || len(s.Bad.Value) != 1 || fmt.Sprintf("%04X", s.Bad.Value[0].Reason.Value[0]) != want || !strings.Contains(s.Bad.Value[0].Say.Value[0], "Part 1: ") {
					t.Errorf("%d %.300s, want %s", a.status, a.body, want)
				}
			})
		case strings.HasPrefix(name, "transfer-syntaxes/"):
			t.Run("half of "+name, func(t *testing.T) {
				if a, s := beside(t, file[:len(file)/2]); a.status != 202 || len(s.Bad.Value) != 1 || !strings.Contains(s.Bad.Value[0].Say.Value[0], "Part 1: ") {
					t.Errorf("%d %.300s", a.status, a.body)
				}
			})
		}
	}
}
