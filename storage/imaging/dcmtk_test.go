package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/png"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// dcmtk runs one of its programs, which tools/need.sh installs, from a file to a file.
func dcmtk(t *testing.T, from []byte, program string, options ...string) []byte {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(in, from, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := osexec.Command(program, append(options, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", program, err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tool is where a program lies that tools/need.sh installs.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := osexec.LookPath(name)
	if err != nil {
		t.Fatalf("tools/need.sh installs it: %v", err)
	}
	return path
}

const jpeg2000, htj2k = "1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20" // and a digit

// inJPEG2000 is an uncompressed little endian file in JPEG 2000 (dcmtk writes none), made by opj_compress or ojph_compress
// into the transfer syntax. Frames of the latter are also given as its own decoder has them.
func inJPEG2000(t *testing.T, raw []byte, syntax, program string, options []string) (file []byte, decoded [][]byte) {
	t.Helper()
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	columns, rows, samples, allocated, err := f.Shape()
	if err != nil {
		t.Fatal(err)
	}
	bits, signed, dir := f.Data.Int(0x00280101, allocated), f.Data.Int(0x00280103, 0) == 1, t.TempDir()
	in, out, back := filepath.Join(dir, "in.rawl"), filepath.Join(dir, "out.j2c"), filepath.Join(dir, "back.yuv")
	run := func(program string, options ...string) {
		t.Helper()
		if said, err := osexec.Command(program, options...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v %s", program, options, err, said)
		}
	}
	var streams []string
	for _, runs := range f.Pixels.Frames {
		frame := bytes.Clone(raw[runs[0].Offset:][:columns*rows*samples*allocated/8])
		more := []string{"-F", fmt.Sprintf("%d,%d,%d,%d,%c", columns, rows, samples, bits, map[bool]rune{true: 's', false: 'u'}[signed])}
		switch {
		case program == "ojph_compress" && samples == 3:
			in, back, more = filepath.Join(dir, "in.ppm"), filepath.Join(dir, "back.ppm"), nil
			frame = append(fmt.Appendf(nil, "P6\n%d %d\n255\n", columns, rows), frame...)
		case program == "ojph_compress":
			in, more = filepath.Join(dir, "in.yuv"), []string{"-dims", fmt.Sprintf("{%d,%d}", columns, rows), "-num_comps", "1", "-signed", "false", "-bit_depth", fmt.Sprint(bits), "-downsamp", "{1,1}"}
			if signed {
				turn(frame)
			}
		case samples == 3: // by plane
			frame = byPlane(frame)
		}
		if err := os.WriteFile(in, frame, 0o600); err != nil {
			t.Fatal(err)
		}
		run(program, append(append([]string{"-i", in, "-o", out}, more...), options...)...)
		stream, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if program == "ojph_compress" {
			run("ojph_expand", "-i", out, "-o", back)
			theirs, err := os.ReadFile(back)
			if err != nil {
				t.Fatal(err)
			}
			theirs = theirs[len(theirs)-columns*rows*samples*allocated/8:]
			if signed { // it reads no signed samples; unsigned ones less half their range are coded alike (T.800 annex G.1)
				turn(theirs)
				stream[42] |= 0x80
			}
			decoded = append(decoded, theirs)
		}
		streams = append(streams, string(stream)+strings.Repeat("\x00", len(stream)%2))
	}
	says := map[dicom.Tag]string{}
	irreversible := slices.Contains(options, "-I") || slices.Contains(options, "false")
	if irreversible {
		says[0x00282110] = "01"
	}
	if samples == 3 { // PS3.5 §8.2.4
		says[0x00280004] = map[bool]string{true: "YBR_ICT", false: "YBR_RCT"}[irreversible]
		if slices.Contains(options, "-mct") {
			says[0x00280004] = "RGB"
		}
	}
	if raw, err = dicom.Rewrite(raw[:f.Pixels.Element], says); err != nil {
		t.Fatal(err)
	}
	return as(syntax, append(raw, fragments(streams...)...)), decoded
}

// turn takes 16-bit samples from signed to unsigned, or back, by half their range.
func turn(frame []byte) {
	for i := 1; i < len(frame); i += 2 {
		frame[i] ^= 0x80
	}
}

// byPlane sorts 8-bit colours by pixel into planes.
func byPlane(frame []byte) []byte {
	out := make([]byte, len(frame))
	for i, v := range frame {
		out[i%3*len(frame)/3+i/3] = v
	}
	return out
}

// addressed is a file as an object of its own in study 1.2.950.
func addressed(t *testing.T, raw []byte, n int) []byte {
	t.Helper()
	raw, err := dicom.Rewrite(raw, map[dicom.Tag]string{dicom.StudyInstanceUID: "1.2.950", dicom.SeriesInstanceUID: "1.2.950.1",
		dicom.SOPInstanceUID: fmt.Sprint("1.2.950.1.", n), dicom.PatientID: "H"})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What the server sends as uncompressed samples is what dcmtk decodes, whoever compressed it how; of JPEG 2000, which dcmtk
// doesn't read, the uncompressed samples themselves where it is lossless, what OpenJPH decodes where it is lossy HTJ2K, and
// within a bound of the uncompressed samples where it is lossy JPEG 2000.
func TestFramesAreThoseOfDcmtk(t *testing.T) {
	ct := dcmtk(t, files["transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm"], "dcmdjpls")
	us := dcmtk(t, files["multiframe/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm"], "dcmdjpeg")
	h := open(t, storagetest.New(t))
	type way struct {
		program string
		options []string
		back    string  // the program that undoes it; of JPEG 2000 the transfer syntax
		mean    float64 // how far samples may be off
		most    int     // frames of what is tried with it; 0: all, 1-bit images too
	}
	ways := []way{
		{"dcmconv", []string{"+te"}, "dcmconv", 0, 0},
		{"dcmconv", []string{"+ti"}, "dcmconv", 0, 0},
		{"dcmconv", []string{"+tb"}, "dcmconv", 0, 0},
		{"dcmconv", []string{"+td"}, "dcmconv", 0, 0},
		{"dcmconv", []string{"+te", "-e"}, "dcmconv", 0, 0},
		{"dcmconv", []string{"+te", "+g", "+p", "2048", "512"}, "dcmconv", 0, 0},
		{"dcmcrle", nil, "dcmdrle", 0, 8},
		{"dcmcjpls", []string{"+el"}, "dcmdjpls", 0, 8},
		{"dcmcjpls", []string{"+el", "+fs", "8", "+ot"}, "dcmdjpls", 0, 8},
		{"dcmcjpls", []string{"+el", "+fs", "8", "-ot"}, "dcmdjpls", 0, 1},
		{"dcmcjpls", []string{"+el", "+in"}, "dcmdjpls", 0, 8},
		{"dcmcjpeg", []string{"+e1"}, "dcmdjpeg", 0, 8},
		{"dcmcjpeg", []string{"+el"}, "dcmdjpeg", 0, 8},
		{"dcmcjpeg", []string{"+eb", "+un"}, "dcmdjpeg", 0.5, 8}, // inverse DCTs round as they like,
		{"dcmcjpeg", []string{"+ee", "+un"}, "dcmdjpeg", 0.5, 8},
		{"dcmcjpeg", []string{"+eb", "+un", "+fs", "4"}, "dcmdjpeg", 0.5, 8},
		{"dcmcjpeg", []string{"+eb", "+un", "+cr"}, "dcmdjpeg", 0.5, 8},
		{"opj_compress", nil, jpeg2000 + "0", 0, 8},
		{"opj_compress", []string{"-t", "100,70", "-n", "3", "-p", "RPCL", "-SOP", "-EPH"}, jpeg2000 + "0", 0, 8},
		{"opj_compress", []string{"-mct", "0"}, jpeg2000 + "1", 0, 8},
		{"opj_compress", []string{"-I", "-r", "6"}, jpeg2000 + "1", 6, 8},
		{"ojph_compress", []string{"-reversible", "true", "-prog_order", "LRCP"}, htj2k + "1", 0, 8},
		{"ojph_compress", []string{"-reversible", "true", "-prog_order", "RPCL", "-num_decomps", "5"}, htj2k + "2", 0, 8},
		{"ojph_compress", []string{"-reversible", "false", "-qstep", "0.001"}, htj2k + "3", 0.5, 8}, // and so do inverse wavelets
	}
	n := 0
	for name, base := range map[string]struct {
		raw    []byte
		frames int
	}{"CT": {ct, 1}, "colour loop": {us, 8}, "1-bit": {files["other/seg_image_ct_binary_overlap.dcm"], 0}, "slide": {files["other/sm_image_dots.dcm"], 25}, "palette": {files["colour/examples_palette.dcm"], 1}} {
		for _, w := range ways {
			if w.most > 0 && (base.frames == 0 || base.frames > w.most) {
				continue
			}
			n++
			label := fmt.Sprint(name, " ", w.program, w.options)
			var file, want []byte
			var lossy [][]byte
			if strings.HasPrefix(w.back, "1.2.") {
				want = dcmtk(t, addressed(t, base.raw, n), "dcmconv", "+te")
				file, lossy = inJPEG2000(t, want, w.back, w.program, w.options)
			} else {
				file = dcmtk(t, addressed(t, base.raw, n), w.program, w.options...)
				back := map[string][]string{"dcmconv": {"+te"}}
				want = dcmtk(t, file, w.back, back[w.back]...)
			}
			if a, _ := h.stow("county", file); a.status != 200 {
				t.Errorf("%s: %d %s", label, a.status, a.body)
				continue
			}
			g, err := dicom.Read(bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			_, _, sop := uidsOf(t, file)
			at := "/dicomweb/studies/1.2.950/series/1.2.950.1/instances/" + sop
			for _, k := range []int{1, len(g.Pixels.Frames)} {
				run := g.Pixels.Frames[k-1][0]
				stored := want[run.Offset:][:run.Length]
				if w.mean > 0 && lossy != nil {
					stored = lossy[k-1]
				}
				a := h.get("county", fmt.Sprint(at, "/frames/", k), octets)
				if a.status != 200 || len(a.body) != len(stored) {
					t.Errorf("%s frame %d: %d, %d bytes, want %d", label, k, a.status, len(a.body), len(stored))
					continue
				}
				if w.mean == 0 && !bytes.Equal(a.body, stored) {
					t.Errorf("%s frame %d differs", label, k)
				}
				if off := apart(g, a.body, stored); off > max(w.mean, map[bool]float64{true: 4}[w.mean > 0 && name != "CT"]) { // and colour is blown up as they like
					t.Errorf("%s frame %d is %.2f off", label, k, off)
				}
				if d := h.get("county", fmt.Sprint(at, "/frames/", k, "/rendered"), "image/png"); d.status != 200 {
					t.Errorf("%s frame %d is not drawn: %d %s", label, k, d.status, d.body)
				}
			}
			if b := h.get("county", at+"/bulkdata/7FE00010", "*/*"); b.status != 200 {
				t.Errorf("%s: its pixels as bulk data: %d", label, b.status)
			}
		}
	}
}

// apart is the mean difference of two frames' samples.
func apart(f *dicom.File, a, b []byte) float64 {
	sum, width := 0, 1
	if f.Data.Int(dicom.BitsAllocated, 8) == 16 {
		width = 2
	}
	for i := 0; i+width <= len(a); i += width {
		x, y := int(a[i]), int(b[i])
		if width == 2 {
			x, y = int(binary.LittleEndian.Uint16(a[i:])), int(binary.LittleEndian.Uint16(b[i:]))
		}
		sum += max(x-y, y-x)
	}
	return float64(sum) * float64(width) / float64(len(a))
}

// Metadata says what an object is, in little endian; what it points at must be read the same way.
func TestBulkDataAreLittleEndian(t *testing.T) {
	h := open(t, storagetest.New(t))
	ecg := files["other/ecg12_synthetic.dcm"]
	ct := dcmtk(t, files["transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm"], "dcmdjpls")
	bytewise := files["colour/examples_palette.dcm"]
	for n, c := range []struct {
		raw  []byte
		tags string
	}{{ecg, "54000100.1.54001010"}, {ct, "7FE00010"}, {bytewise, "7FE00010"}} {
		little := addressed(t, c.raw, 2*n)
		big := dcmtk(t, addressed(t, c.raw, 2*n+1), "dcmconv", "+tb")
		if a, _ := h.stow("county", little, big); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		at := func(n int) string {
			return fmt.Sprint("/dicomweb/studies/1.2.950/series/1.2.950.1/instances/1.2.950.1.", n)
		}
		if !strings.Contains(string(h.get("county", at(2*n+1)+"/metadata", "").body), "/bulkdata/"+c.tags) {
			t.Errorf("metadata don't point at %s", c.tags)
		}
		want := h.get("county", at(2*n)+"/bulkdata/"+c.tags, octets)
		got := h.get("county", at(2*n+1)+"/bulkdata/"+c.tags, octets)
		if got.status != 200 || len(want.body) < 1000 || !bytes.Equal(got.body, want.body) {
			t.Errorf("%s: %d, %d bytes, want %d", c.tags, got.status, len(got.body), len(want.body))
		}
		_, bodies := h.parts(h.get("county", at(2*n+1)+"/bulkdata/"+c.tags, `multipart/related; type="application/octet-stream"`))
		if len(bodies) != 1 || !bytes.Equal(bodies[0], want.body) {
			t.Errorf("%s in parts differs", c.tags)
		}
		part := h.call("county", "GET", at(2*n+1)+"/bulkdata/"+c.tags, map[string]string{"Accept": octets, "Range": "bytes=301-777"}, nil)
		if part.status != 206 || !bytes.Equal(part.body, want.body[301:778]) {
			t.Errorf("%s, a range: %d", c.tags, part.status)
		}
	}
}

// MONOCHROME1, a table of grey values and a palette look as dcmtk draws them.
func TestDrawnAsDcmtkDraws(t *testing.T) {
	h := open(t, storagetest.New(t))
	grey := dcmtk(t, files["transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm"], "dcmdjpls")
	byTable := filepath.Join(t.TempDir(), "table")
	var entries []string
	for i := range 4096 { // dcmtk 3.6.7 draws noise beyond the ends of a table
		entries = append(entries, fmt.Sprint(i*i/256))
	}
	if err := os.WriteFile(byTable, grey, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := osexec.Command("dcmodify", "-nb", "-i", `(0028,3010)[0].(0028,3002)=4096\64512\16`,
		"-i", "(0028,3010)[0].(0028,3006)="+strings.Join(entries, `\`), byTable).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	table, err := os.ReadFile(byTable)
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range []struct {
		name    string
		raw     []byte
		set     map[dicom.Tag]string
		options []string
		query   string
	}{
		{"a window", grey, nil, []string{"+Ww", "40", "400"}, "?window=40,400"},
		{"MONOCHROME1", grey, map[dicom.Tag]string{0x00280004: "MONOCHROME1"}, []string{"+Ww", "40", "400"}, "?window=40,400"},
		{"a table of greys", table, nil, []string{"+Wl", "1"}, ""},
		{"palette", files["colour/examples_palette.dcm"], nil, nil, ""},
		{"YBR in pairs", files["colour/SC_ybr_full_422_uncompressed.dcm"], nil, nil, ""},
		{"RLE in colour", files["colour/SC_rgb_rle_2frame.dcm"], nil, nil, ""},
	} {
		raw := addressed(t, c.raw, n)
		if c.set != nil {
			var err error
			if raw, err = dicom.Rewrite(raw, c.set); err != nil {
				t.Fatal(err)
			}
		}
		if a, _ := h.stow("county", raw); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		a := h.get("county", fmt.Sprint("/dicomweb/studies/1.2.950/series/1.2.950.1/instances/1.2.950.1.", n, "/rendered", c.query), "image/png")
		ours, err := png.Decode(bytes.NewReader(a.body))
		if err != nil {
			t.Fatal(c.name, a.status, err)
		}
		theirs, err := png.Decode(bytes.NewReader(dcmtk(t, raw, "dcmj2pnm", append(c.options, "+on")...)))
		if err != nil {
			t.Fatal(err)
		}
		worst := 0
		for y := range ours.Bounds().Dy() {
			for x := range ours.Bounds().Dx() {
				r, g, b, _ := ours.At(x, y).RGBA()
				r2, g2, b2, _ := theirs.At(x, y).RGBA()
				for _, d := range []int{int(r>>8) - int(r2>>8), int(g>>8) - int(g2>>8), int(b>>8) - int(b2>>8)} {
					worst = max(worst, d, -d)
				}
			}
		}
		if ours.Bounds() != theirs.Bounds() || worst > 2 {
			t.Errorf("%s: %v and %v, up to %d apart", c.name, ours.Bounds(), theirs.Bounds(), worst)
		}
	}
}
