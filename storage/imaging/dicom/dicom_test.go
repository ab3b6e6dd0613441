package dicom

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const testdata = "../testdata"

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, raw []byte) *File {
	t.Helper()
	f, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// frame is frame n's bytes, by the index.
func frame(f *File, raw []byte, n int) []byte {
	var out []byte
	for _, s := range f.Pixels.Frames[n] {
		out = append(out, raw[s.Offset:s.Offset+s.Length]...)
	}
	return out
}

func TestFramesAreFound(t *testing.T) {
	for name, want := range map[string]struct {
		frames, length int // length 0: compressed, begins with a codestream's mark
	}{
		"ct-series-3/01.dcm":                                        {1, 512 * 512 * 2},
		"mr-series/brain_002.dcm":                                   {1, 256 * 256 * 2},
		"colour/SC_ybr_full_422_uncompressed.dcm":                   {1, 100 * 100 * 2},
		"other/seg_image_ct_binary_overlap.dcm":                     {8, 16 * 16 / 8},
		"multiframe/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm": {8, 0},
		"multiframe/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm":  {2, 0},
		"transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm":   {1, 0},
		"transfer-syntaxes/MR_small_jp2klossless.dcm":               {1, 0},
		"transfer-syntaxes/JPEGLSNearLossless_16.dcm":               {1, 0},
	} {
		raw := load(t, name)
		f := parse(t, raw)
		if len(f.Pixels.Frames) != want.frames {
			t.Errorf("%s: %d frames, want %d", name, len(f.Pixels.Frames), want.frames)
			continue
		}
		for i := range f.Pixels.Frames {
			b := frame(f, raw, i)
			if want.length != 0 && len(b) != want.length {
				t.Errorf("%s frame %d: %d bytes, want %d", name, i, len(b), want.length)
			}
			if want.length == 0 && b[0] != 0xFF {
				t.Errorf("%s frame %d begins with % x", name, i, b[:2])
			}
		}
	}
}

func TestOneImageInFourSyntaxesDrawsTheSame(t *testing.T) {
	var first image.Image
	for _, name := range []string{"MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm"} {
		raw := load(t, "transfer-syntaxes/"+name)
		f := parse(t, raw)
		img, err := f.Render(0, frame(f, raw, 0), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if first == nil {
			first = img
			continue
		}
		if !bytes.Equal(img.(*image.Gray).Pix, first.(*image.Gray).Pix) {
			t.Errorf("%s draws differently", name)
		}
	}
}

func TestDrawing(t *testing.T) {
	t.Run("air is black and bone white in a lung window; MONOCHROME1 is the other way round", func(t *testing.T) {
		raw := load(t, "ct-series-3/02.dcm")
		f := parse(t, raw)
		lung := &Window{-600, 1500}
		img, err := f.Render(0, frame(f, raw, 0), lung)
		if err != nil {
			t.Fatal(err)
		}
		pix := img.(*image.Gray).Pix
		if pix[0] != 0 {
			t.Errorf("corner outside the field of view is %d", pix[0])
		}
		white := bytes.Count(pix, []byte{255})
		if white < 1000 || white > len(pix)*2/3 {
			t.Errorf("%d white pixels of %d", white, len(pix))
		}
		inverted, err := Rewrite(raw, map[Tag]string{photometric: "MONOCHROME1"})
		if err != nil {
			t.Fatal(err)
		}
		g := parse(t, inverted)
		other, err := g.Render(0, frame(g, inverted, 0), lung)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range other.(*image.Gray).Pix {
			if v != 255-pix[i] {
				t.Fatalf("pixel %d: %d and %d", i, pix[i], v)
			}
		}
	})
	t.Run("colour: palette, JPEG, RLE and subsampled YBR", func(t *testing.T) {
		for _, name := range []string{"colour/examples_palette.dcm", "transfer-syntaxes/SC_rgb_jpeg_dcmtk.dcm", "colour/SC_rgb_rle_2frame.dcm", "colour/SC_ybr_full_422_uncompressed.dcm"} {
			raw := load(t, name)
			f := parse(t, raw)
			img, err := f.Render(0, frame(f, raw, 0), nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			// the three SC files show the same bars; the top one is pure red
			if r, g, b, _ := img.At(50, 2).RGBA(); strings.Contains(name, "SC_") && (r>>8 < 250 || g>>8 > 5 || b>>8 > 5) {
				t.Errorf("%s: top bar is %d %d %d", name, r>>8, g>>8, b>>8)
			}
		}
	})
	t.Run("what can't be drawn is said so", func(t *testing.T) {
		raw := load(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
		f := parse(t, raw)
		if _, err := f.Render(0, frame(f, raw, 0), nil); !errors.Is(err, ErrNotDrawn) {
			t.Error(err)
		}
	})
	t.Run("pairs of pixels that share a colour are drawn where there are pairs, of bytes", func(t *testing.T) {
		for name, c := range map[string]struct {
			columns, allocated string
			drawn              bool
		}{"4 columns": {"\x04\x00", "\x08\x00", true}, "3 columns": {"\x03\x00", "\x08\x00", false}, "16 bits": {"\x04\x00", "\x10\x00", false}} {
			f := parse(t, file(ExplicitLE, element(samplesPerPixel, "US", "\x03\x00"), element(photometric, "CS", "YBR_FULL_422"), element(Rows, "US", "\x03\x00"),
				element(Columns, "US", c.columns), element(BitsAllocated, "US", c.allocated), element(PixelData, "OW", strings.Repeat("x", 48))))
			if _, err := f.Render(0, []byte(strings.Repeat("x", int(f.Pixels.Frames[0][0].Length))), nil); (err == nil) != c.drawn || err != nil && !errors.Is(err, ErrNotDrawn) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("a panic in a part of a picture is the caller's", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("it was lost")
			}
		}()
		inParts(1<<20, func(from, _ int) { _ = []byte{}[from:][0] })
	})
	t.Run("a frame that is too short or broken is an error", func(t *testing.T) {
		for _, name := range []string{"MR_small.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm"} {
			raw := load(t, "transfer-syntaxes/"+name)
			f := parse(t, raw)
			b := frame(f, raw, 0)
			for cut := 0; cut < len(b)-64; cut += len(b)/50 + 1 {
				if _, err := f.Render(0, b[:cut], nil); err == nil {
					t.Errorf("%s cut at %d of %d was drawn", name, cut, len(b))
				}
			}
		}
	})
}

func TestNamesInTheirScripts(t *testing.T) {
	for name, want := range map[string]string{
		"charset/chrX1.dcm":  `{"Alphabetic":"Wang^XiaoDong","Ideographic":"王^小東"}`,
		"charset/chrH31.dcm": `{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}`,
		"charset/chrI2.dcm":  `{"Alphabetic":"Hong^Gildong","Ideographic":"洪^吉洞","Phonetic":"홍^길동"}`,
	} {
		if got := nameOf(t, parse(t, load(t, name))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for label, c := range map[string]struct{ charset, bytes, want string }{
		"GB18030":                   {"GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东"},
		"GB18030, four bytes":       {"GB18030", "Li=\xc0\xee^\x95\x34\xb2\x34", "李^𠮶"},
		"GBK":                       {"GBK", "Zhang=\xd5\xc5^\xe4\xb4", "张^浯"},
		"GB2312 by escape":          {`\ISO 2022 IR 58`, "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "张^小东"},
		"nothing declared, GB":      {"", "Zhang=\xd5\xc5^\xb7\xe5", "张^峰"},
		"nothing declared, UTF-8":   {"", "Zhang=张^峰", "张^峰"},
		"second byte is 0x5C":       {"GB18030", "A=\xd5\x5c", "誠"},
		"Latin-1":                   {"ISO_IR 100", "A=M\xfcller", "Müller"},
		"JIS X 0212":                {`\ISO 2022 IR 159`, "A=\x1b$(D\x30\x21\x1b(B", "丂"},
		"half width and kanji":      {`ISO 2022 IR 13\ISO 2022 IR 87`, "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J", "山田^太郎"},
		"Cyrillic":                  {"ISO_IR 144", "A=\xbb\xee\xda^\xd0", "Люк^а"},
		"Greek":                     {"ISO_IR 126", "A=\xc4\xe9\xef", "Διο"},
		"UTF-8 under another name":  {"ISO_IR_192", "A=王", "王"},
		"Latin-1 under another":     {"ISO-IR 100", "A=M\xfcller", "Müller"},
		"broken bytes stay visible": {"ISO_IR 192", "A=\xff\xfe", "�"},
	} {
		f := parse(t, file(ExplicitLE, element(SpecificCharacterSet, "CS", c.charset), element(PatientName, "PN", c.bytes)))
		var name struct{ Ideographic string }
		if err := json.Unmarshal([]byte(nameOf(t, f)), &name); err != nil || name.Ideographic != c.want {
			t.Errorf("%s: %q, want %q (%v)", label, name.Ideographic, c.want, err)
		}
	}
}

func nameOf(t *testing.T, f *File) string {
	t.Helper()
	doc, _ := f.JSON()
	var d map[string]struct{ Value []json.RawMessage }
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return string(d[PatientName.String()].Value[0])
}

func TestJSON(t *testing.T) {
	f := parse(t, file(ExplicitBE,
		bigEndian(0x00080008, "CS", "ORIGINAL\\\\AXIAL"),
		bigEndian(0x00181312, "DS", " 1.50 \\+2e1\\n/a "),
		bigEndian(0x00280010, "US", "\x01\x00"),
		bigEndian(0x00280009, "AT", "\x00\x18\x10\x63"),
		bigEndian(0x00281201, "OW", "\x01\x02\x03\x04")))
	doc, _ := f.JSON()
	want := `{"00080008":{"vr":"CS","Value":["ORIGINAL",null,"AXIAL"]},"00181312":{"vr":"DS","Value":[1.5,20,"n/a"]},` +
		`"00280009":{"vr":"AT","Value":["00181063"]},"00280010":{"vr":"US","Value":[256]},"00281201":{"vr":"OW","InlineBinary":"AgEEAw=="}}`
	if string(doc) != want {
		t.Errorf("%s\nwant %s", doc, want)
	}

	raw := load(t, "other/encapsulated_pdf.dcm")
	f = parse(t, raw)
	doc, bulk := f.JSON()
	at := bulk["00420011"]
	if !strings.Contains(string(doc), `"00420011":{"vr":"OB","BulkDataURI":"bulkdata/00420011"}`) || !bytes.HasPrefix(raw[at.Offset:at.Offset+at.Length], []byte("%PDF")) {
		t.Errorf("the document is not found through the bulk index: %v", bulk)
	}
}

func TestRewrite(t *testing.T) {
	for _, name := range []string{"ct-series-3/01.dcm", "mr-series/brain_010.dcm", "transfer-syntaxes/MR_small_RLE.dcm", "other/test-SR.dcm", "charset/chrH31.dcm"} {
		raw := load(t, name)
		before := parse(t, raw)
		out, err := Rewrite(raw, map[Tag]string{PatientName: "Li^Xiuying=李^秀英", PatientID: "YZ-1", SOPInstanceUID: "2.25.7"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f := parse(t, out)
		if f.Data.Text(PatientName) != "Li^Xiuying=李^秀英" || f.Data.Text(SOPInstanceUID) != "2.25.7" || f.Meta.Text(MediaStorageSOPInstanceUID) != "2.25.7" {
			t.Errorf("%s: now %q %q", name, f.Data.Text(PatientName), f.Data.Text(SOPInstanceUID))
		}
		if before.Pixels != nil && !bytes.Equal(frame(before, raw, 0), frame(f, out, 0)) {
			t.Errorf("%s: pixels changed", name)
		}
		again, err := Rewrite(out, nil)
		if err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: writing what was written changes it: %v", name, err)
		}
		a, _ := before.JSON()
		b, _ := f.JSON()
		for _, tag := range []string{"00080020", "00280030", "0040A730"} { // what was not named stays
			if pick(t, a, tag) != pick(t, b, tag) {
				t.Errorf("%s: %s changed", name, tag)
			}
		}
	}
}

func pick(t *testing.T, doc []byte, tag string) string {
	t.Helper()
	var d map[string]json.RawMessage
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatal(err)
	}
	return string(d[tag])
}

// Hostile files. None may take more than moments or memory that its own size doesn't explain.

func TestHostileFiles(t *testing.T) {
	nest := func(depth int) string {
		return strings.Repeat(element(0x00081140, "SQ", undefinedLength)+itemOpen, depth)
	}
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	picture := element(Rows, "US", "\x10\x00") + element(Columns, "US", "\x10\x00") + element(BitsAllocated, "US", "\x08\x00")
	for name, c := range map[string]struct {
		file   []byte
		reason Reason
	}{
		"empty":                                  {nil, NotUnderstood},
		"text":                                   {[]byte(strings.Repeat("not a picture ", 100)), NotUnderstood},
		"no transfer syntax":                     {append(make([]byte, 128), "DICM"...), NotUnderstood},
		"invented transfer syntax":               {file("1.2.3.4.5"), UnknownSyntax},
		"a transfer syntax of streams":           {file("1.2.840.10008.1.2.7.1"), UnknownSyntax},
		"65 sequences deep":                      {file(ExplicitLE, nest(65)), TooMuch},
		"20 000 sequences deep":                  {file(ExplicitLE, nest(20_000)), TooMuch},
		"5 000 opened items that never close":    {file(ExplicitLE, element(0x00081140, "SQ", undefinedLength), strings.Repeat(itemOpen, 5000)), NotUnderstood},
		"60 000 empty items":                     {file(ExplicitLE, element(0x00081140, "SQ", undefinedLength), strings.Repeat("\xfe\xff\x00\xe0\x00\x00\x00\x00", 60_000)), TooMuch},
		"a value of 4 GiB":                       {file(ExplicitLE, "\x09\x00\x10\x10OB\x00\x00\xfe\xff\xff\xff"), TooMuch},
		"a value of 15 MiB that isn't there":     {file(ExplicitLE, "\x09\x00\x10\x10OB\x00\x00\x00\x00\xf0\x00"), NotUnderstood},
		"pixels of 4 GiB that aren't there":      {file(ExplicitLE, picture, "\xe0\x7f\x10\x00OW\x00\x00\xfe\xff\xff\xff"), NotUnderstood},
		"pixels shorter than the picture":        {file(ExplicitLE, picture, element(PixelData, "OW", strings.Repeat("x", 100))), NotUnderstood},
		"a picture without rows":                 {file(ExplicitLE, element(PixelData, "OW", "xx")), NotUnderstood},
		"the same tag 100 000 times":             {file(ExplicitLE, strings.Repeat(element(0x00091010, "LO", "ab"), 99_999)), NotUnderstood},
		"200 000 attributes":                     {file(ExplicitLE, many(200_000, func(i int) string { return element(Tag(0x00110000+i+1), "US", "\x00\x00") })), TooMuch},
		"70 MiB of attributes":                   {file(ExplicitLE, many(70, func(i int) string { return element(Tag(0x00110010+i), "OB", strings.Repeat("x", 1<<20)) })), TooMuch},
		"an element beyond its item":             {file(ExplicitLE, sequence(0x00081140, "\xfe\xff\x00\xe0\x04\x00\x00\x00"+element(0x00081150, "UI", "1.2.3.4.5.6"))), NotUnderstood},
		"a type that is none":                    {file(ExplicitLE, "\x08\x00\x16\x00ZZ\x04\x001.2 "), NotUnderstood},
		"a delimiter out of place":               {file(ExplicitLE, "\xfe\xff\xdd\xe0\x00\x00\x00\x00"), NotUnderstood},
		"two million frames":                     {file(ExplicitLE, element(NumberOfFrames, "IS", "2000000"), picture, element(PixelData, "OW", "xx")), NotUnderstood},
		"more frames than fragments":             {file(JPEG, element(NumberOfFrames, "IS", "5 "), picture, pixelsOf("", "\xff\xd8")), NotUnderstood},
		"an offset table that lies":              {file(JPEG, element(NumberOfFrames, "IS", "2 "), picture, pixelsOf("\x00\x00\x00\x00\xff\xff\x00\x00", "\xff\xd8", "\xff\xd8")), NotUnderstood},
		"fragments without end":                  {file(JPEG, picture, strings.TrimSuffix(pixelsOf("", "\xff\xd8"), sequenceClose)), NotUnderstood},
		"raw pixels where compressed were meant": {file(JPEG, picture, element(PixelData, "OW", strings.Repeat("x", 256))), NotUnderstood},
		"a deflate bomb of 32 MiB":               {file(DeflatedLE, deflated(element(0x00080018, "UI", "1.2"), 32<<20)), TooMuch},
		"a broken deflate stream":                {file(DeflatedLE, "\xff\xff\xff\xff\xff\xff"), NotUnderstood},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Read(bytes.NewReader(c.file))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			p, ok := errors.AsType[*Problem](err)
			if !ok || p.Reason != c.reason {
				t.Errorf("%v, want reason %04X", err, uint16(c.reason))
			}
			if took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 200<<20 { // all that was ever allocated; 64 MiB of values, grown by doubling, take 140
				t.Errorf("allocated %d MiB", grown>>20)
			}
		})
	}
}

// A bomb is given up by what it inflates to, long before its end.
func TestABombIsGivenUpBeforeItBursts(t *testing.T) {
	raw := file(DeflatedLE, deflated(element(0x00080018, "UI", "1.2"), 256<<20))
	read := &counted{r: bytes.NewReader(raw)}
	if _, err := Read(read); err == nil {
		t.Error("it was read")
	}
	if read.n > 64<<10 { // of 256 kB
		t.Errorf("%d bytes of %d were inflated", read.n, len(raw))
	}
}

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}

func TestAFileCutAnywhereIsRefusedOrWhole(t *testing.T) {
	for _, name := range []string{"transfer-syntaxes/MR_small.dcm", "transfer-syntaxes/MR_small_RLE.dcm", "transfer-syntaxes/image_dfl.dcm"} {
		raw := load(t, name)
		for cut := 0; cut < len(raw); cut += 31 {
			f, err := Read(bytes.NewReader(raw[:cut]))
			if err == nil && f.Pixels != nil && name != "transfer-syntaxes/image_dfl.dcm" && len(raw)-cut > 200 {
				t.Errorf("%s cut at %d of %d passed for a picture", name, cut, len(raw))
			}
		}
	}
}

func TestABrokenLineIsNotTheFilesFault(t *testing.T) {
	raw := load(t, "transfer-syntaxes/MR_small.dcm")
	for _, after := range []int64{10, 1000, 5000, 9000} {
		_, err := Read(io.MultiReader(io.LimitReader(bytes.NewReader(raw), after), iotest.ErrReader(io.ErrClosedPipe)))
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d bytes: %v", after, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	err := filepath.WalkDir(testdata, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".dcm" || strings.Contains(path, "series") {
			return err
		}
		raw, err := os.ReadFile(path)
		if len(raw) < 64<<10 {
			f.Add(raw)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		start := time.Now()
		defer func() {
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		}()
		file, err := Read(bytes.NewReader(raw))
		if err != nil {
			if _, ok := errors.AsType[*Problem](err); !ok {
				t.Fatalf("not a problem of the file: %v", err)
			}
			return
		}
		if file.Size != int64(len(raw)) {
			t.Fatalf("size %d of %d", file.Size, len(raw))
		}
		doc, bulk := file.JSON()
		if !json.Valid(doc) {
			t.Fatalf("not JSON: %s", doc)
		}
		if file.TransferSyntax != DeflatedLE {
			for path, s := range bulk {
				if s.Offset < 0 || s.Offset+s.Length > file.Size {
					t.Fatalf("bulk %s lies outside the file", path)
				}
			}
			if file.Pixels != nil {
				for i := range min(len(file.Pixels.Frames), 3) {
					_, _ = file.Render(i, frame(file, raw, i), nil) // must not panic; many don't draw
				}
			}
		}
		if out, err := Rewrite(raw, map[Tag]string{PatientName: "X"}); err == nil {
			if again, err := Read(bytes.NewReader(out)); err != nil || again.Data.Text(PatientName) != "X" {
				t.Fatalf("what was written can't be read: %v", err)
			}
		}
	})
}

// FuzzDrawing draws frames under heads that have nothing to do with them.
func FuzzDrawing(f *testing.F) {
	rle := "\x01\x00\x00\x00\x40\x00\x00\x00" + strings.Repeat("\x00", 56) + "\xf1\x07\xf1\x09"
	for _, seed := range []struct {
		head  string // rows, columns, samples, bits allocated and stored, high bit, sign, planes; what a window's table says of itself
		kind  uint8
		frame uint8
		data  string
	}{
		{"\x04\x08\x01\x10\x0c\x0b\x01\x00", 0, 1, strings.Repeat("\x12\x34", 32)},
		{"\x03\x03\x03\x08\x08\x07\x00\x00", 5, 0, strings.Repeat("x", 18)}, // pairs of an odd number of pixels
		{"\x02\x02\x03\x10\x10\x0f\x00\x00", 5, 0, strings.Repeat("x", 16)}, // pairs of 16 bits
		{"\x02\x02\x03\x10\x0c\x0b\x00\x01", 4, 0, strings.Repeat("x", 24)},
		{"\x05\x05\x01\x01\x01\x00\x00\x00", 0, 3, "\xff\x00\xff\x00"},
		{"\x04\x08\x01\x08\x08\x07\x08\x00", 2, 0, strings.Repeat("x", 32)},
		{"\x04\x08\x01\x08\x08\x07\x01\x00\x20\x00\x00\x80\x08\x00", 0, 0, strings.Repeat("x", 32)},
		{"\x04\x08\x01\x08\x08\x07\x00\x00", 24, 0, rle},
		{"\x04\x04\x01\x20\x20\x1f\x00\x00", 24, 0, rle},
		{"\x04\x08\x01\x10\x10\x0f\x01\x00", 16, 0, strings.Repeat("\x80\x01", 32)},
		{"\x03\x03\x03\x08\x08\x07\x00\x00", 13, 0, strings.Repeat("x", 19)},
	} {
		f.Add([]byte(seed.head), seed.kind, seed.frame, []byte(seed.data))
	}
	f.Fuzz(func(t *testing.T, head []byte, kind, frame uint8, data []byte) {
		if len(head) < 8 {
			return
		}
		order := []binary.ByteOrder{binary.LittleEndian, binary.BigEndian, binary.LittleEndian, binary.LittleEndian}[kind/8%4]
		syntax := []string{ImplicitLE, ExplicitBE, DeflatedLE, RLE, JPEG}[kind/8%5]
		number := func(tag Tag, n byte) Element {
			b := make([]byte, 2)
			order.PutUint16(b, uint16(n))
			return Element{Tag: tag, VR: "US", Value: b}
		}
		d := Dataset{Order: order}
		for i, tag := range []Tag{Rows, Columns, samplesPerPixel, BitsAllocated, bitsStored, highBit, pixelRepresentation, planarConfiguration} {
			d.put(number(tag, head[i]))
		}
		d.put(text(photometric, []string{"MONOCHROME2", "MONOCHROME1", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", ""}[kind%8]))
		for i := range Tag(3) { // the frame again, described by the head
			value := append(bytes.Clone(head), 0, 0, 0, 0, 0, 0)
			d.put(Element{Tag: redPaletteDescriptor + i, VR: "US", Value: value[2:8]})
			d.put(Element{Tag: redPalette + i, VR: "OW", Value: data})
		}
		lut := Dataset{Order: order}
		lut.put(Element{Tag: lutDescriptor, VR: "SS", Value: append(bytes.Clone(head[8:]), 0, 0, 0, 0, 0, 0)[:6]})
		lut.put(Element{Tag: lutData, VR: "OW", Value: data})
		d.put(Element{Tag: voiLUTSequence, VR: "SQ", Items: []Dataset{lut}})
		file := &File{Data: d, TransferSyntax: syntax, Pixels: &Pixels{Tag: PixelData, VR: []string{"OB", "OW"}[frame%2]}}
		for _, window := range []*Window{nil, {1, 2}} {
			for how, draw := range map[string]func(int, []byte, *Window) (image.Image, error){"as it lies": file.Render, "decoded": file.Draw} {
				img, err := draw(int(frame), data, window)
				if err == nil && img.Bounds() != image.Rect(0, 0, int(head[1]), int(head[0])) {
					t.Errorf("%s: %v of %d x %d", how, img.Bounds(), head[1], head[0])
				}
			}
		}
		for what, samples := range map[string]func() ([]byte, error){
			"little endian": func() ([]byte, error) { return file.LittleEndian(int(frame), data) },
			"of a JPEG":     func() ([]byte, error) { return file.Samples(data) },
		} {
			if out, err := samples(); err == nil && len(out) > 255*255*255*32 {
				t.Errorf("%s: %d bytes", what, len(out))
			}
		}
	})
}

// Small files by hand.

const (
	itemOpen        = "\xfe\xff\x00\xe0\xff\xff\xff\xff"
	sequenceClose   = "\xfe\xff\xdd\xe0\x00\x00\x00\x00"
	undefinedLength = "\xff\xff\xff\xff" // as a value: no value, undefined length
)

// file is a Part 10 file in the syntax with the given elements.
func file(syntax string, elements ...string) []byte {
	out := append(make([]byte, 128), "DICM"...)
	out = append(out, element(TransferSyntaxUID, "UI", syntax)...)
	return append(out, strings.Join(elements, "")...)
}

func element(t Tag, vr, value string) string { return build(binary.LittleEndian, t, vr, value) }

func bigEndian(t Tag, vr, value string) string { return build(binary.BigEndian, t, vr, value) }

func build(order binary.AppendByteOrder, t Tag, vr, value string) string {
	b := order.AppendUint16(nil, t.group())
	b = order.AppendUint16(b, uint16(t))
	b = append(b, vr...)
	if value == undefinedLength {
		return string(append(b, "\x00\x00"+value...))
	}
	value = string(padded(vr, []byte(value)))
	switch vr {
	case "OB", "OW", "SQ", "UN", "UT":
		b = order.AppendUint32(append(b, 0, 0), uint32(len(value)))
	default:
		b = order.AppendUint16(b, uint16(len(value)))
	}
	return string(b) + value
}

func sequence(t Tag, items string) string {
	return element(t, "SQ", undefinedLength) + items + sequenceClose
}

func pixelsOf(fragments ...string) string {
	var b strings.Builder
	b.WriteString(element(PixelData, "OB", undefinedLength))
	for _, f := range fragments {
		b.WriteString("\xfe\xff\x00\xe0")
		b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(f))))
		b.WriteString(f)
	}
	return b.String() + sequenceClose
}

// deflated is head followed by elements of zeros, n bytes in all, compressed as far as deflate goes.
func deflated(head string, n int) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, head)
	io.WriteString(w, "\xe0\x7f\x10\x00OW\x00\x00"+string(binary.LittleEndian.AppendUint32(nil, uint32(n))))
	zeros := make([]byte, 1<<20)
	for range n / len(zeros) {
		w.Write(zeros)
	}
	w.Close()
	return b.String()
}

func BenchmarkRead(b *testing.B) {
	raw := load(b, "ct-series-3/01.dcm")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := Read(bytes.NewReader(raw))
		if err != nil {
			b.Fatal(err)
		}
		f.JSON()
	}
}

func BenchmarkRender(b *testing.B) {
	raw := load(b, "ct-series-3/01.dcm")
	f := parse(b, raw)
	data := frame(f, raw, 0)
	for b.Loop() {
		if _, err := f.Render(0, data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTextsComeOutOfTheJSONAsTheyWere(t *testing.T) {
	const said = "\"a\\b\"\x01\x1f<script>&王秀英\u2028\x7f"
	var w writer
	w.quote(said)
	var back string
	if err := json.Unmarshal(w.out, &back); err != nil || back != said || bytes.ContainsAny(w.out, "<>&") {
		t.Errorf("%s is %q, %v", w.out, back, err)
	}
}

func TestScansOfAJPEGAreCounted(t *testing.T) {
	for story, x := range map[string]struct {
		data string
		want int
	}{
		"nothing":                           {"", 0},
		"a comment that looks like a scan":  {"\xff\xd8\xff\xfe\x00\x06\xff\xda\x00\x02\xff\xda\x00\x02ab\xff\xd9", 1},
		"stuffed bytes and restart markers": {"\xff\xd8\xff\xda\x00\x02\xff\x00\xda\xff\xd0\xff\xff\xda\x00\x02x\xff\xd9", 2},
		"more than are decoded":             {"\xff\xd8" + strings.Repeat("\xff\xda\x00\x02", 1000), maxScans + 1},
	} {
		if n := jpegScans([]byte(x.data)); n != x.want {
			t.Errorf("%s: %d scans, want %d", story, n, x.want)
		}
	}
}

// What PS3.6 registers for files and nothing here decodes is read, and not drawn.
func TestRegisteredTransferSyntaxesAreRead(t *testing.T) {
	for _, last := range []string{"1.98", "8.1", "4.52", "4.53", "4.54", "4.55", "4.56", "4.58", "4.59", "4.60", "4.61", "4.62", "4.63", "4.64", "4.65", "4.66",
		"4.94", "4.95", "4.100.1", "4.101.1", "4.102.1", "4.103.1", "4.104.1", "4.105.1", "4.106.1", "4.204", "4.205"} {
		syntax := "1.2.840.10008.1.2." + last
		head := element(Rows, "US", "\x02\x00") + element(Columns, "US", "\x02\x00") + element(BitsAllocated, "US", "\x08\x00")
		if Deflated(syntax) {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, flate.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, head)
			w.Close()
			head = b.String()
		} else {
			head += pixelsOf("", "\x01\x00\x00\x00")
		}
		f, err := Read(bytes.NewReader(file(syntax, head)))
		if err != nil || f.Data.Int(Columns, 0) != 2 || FrameType(syntax) == "" {
			t.Errorf("%s: %v", syntax, err)
			continue
		}
		if _, err := f.Render(0, []byte{1, 0, 0, 0}, nil); !errors.Is(err, ErrNotDrawn) {
			t.Errorf("%s is drawn: %v", syntax, err)
		}
	}
}
