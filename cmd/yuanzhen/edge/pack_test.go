package edge

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

// loaded reads test files, before anything changes.
func loaded(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../storage/imaging/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func packer(t *testing.T) *agent {
	t.Helper()
	a := &agent{Cmd: Cmd{Data: t.TempDir(), Compress: true}, log: slog.New(slog.DiscardHandler)}
	for _, folder := range []string{"incoming", "packing", "queue", "refused"} {
		if err := os.Mkdir(filepath.Join(a.Data, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// arrives puts a file where storescp would, an hour ago, and lets the agent take it.
func (a *agent) arrives(t *testing.T, raw []byte) []item {
	t.Helper()
	path := filepath.Join(a.Data, "incoming", "one")
	at := time.Now().Add(-time.Hour)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	if err := a.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	queue, err := a.waiting()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"incoming", "packing"} {
		if left, err := os.ReadDir(filepath.Join(a.Data, folder)); err != nil || len(left) != 0 {
			t.Errorf("%d files left in %s, %v", len(left), folder, err)
		}
	}
	return queue
}

func TestGreyImagesAreCompressedWithoutLoss(t *testing.T) {
	for _, name := range []string{"ct-series-3/01.dcm", "mr-series/brain_010.dcm", "transfer-syntaxes/MR_small_implicit.dcm", "transfer-syntaxes/CT_small.dcm"} {
		a, raw := packer(t), loaded(t, name)
		queue := a.arrives(t, raw)
		if len(queue) != 1 || queue[0].size >= int64(len(raw)) {
			t.Errorf("%s: %d bytes became %+v", name, len(raw), queue)
			continue
		}
		sent, err := os.ReadFile(queue[0].path)
		if err != nil {
			t.Fatal(err)
		}
		was, err := dicom.Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		is, err := dicom.Read(bytes.NewReader(sent))
		if err != nil || is.TransferSyntax != jpegLS || is.Data.Text(dicom.SOPInstanceUID) != was.Data.Text(dicom.SOPInstanceUID) {
			t.Fatalf("%s: %v %s", name, err, is.TransferSyntax)
		}
		var coded []byte
		for _, run := range is.Pixels.Frames[0] {
			coded = append(coded, sent[run.Offset:][:run.Length]...)
		}
		p, err := codec.Decode(jpegLS, coded)
		if err != nil {
			t.Fatal(err)
		}
		run := was.Pixels.Frames[0][0]
		for i, v := range p.Pix {
			if got := raw[run.Offset:][2*i]; got != byte(v) {
				t.Fatalf("%s: sample %d is %d, was %d", name, i, byte(v), got)
			}
		}
		if again := a.arrives(t, raw); len(again) != 1 || again[0].sum != queue[0].sum {
			t.Errorf("%s, sent again by the modality, is another file", name)
		}
	}
}

func TestWhatCanNotBeCompressedGoesAsItCame(t *testing.T) {
	for _, name := range []string{"colour/SC_rgb_rle_2frame.dcm", "transfer-syntaxes/MR_small_bigendian.dcm", "other/test-SR.dcm", "other/encapsulated_pdf.dcm",
		"transfer-syntaxes/MR_small_jp2klossless.dcm", "other/sm_image_dots.dcm"} {
		raw := loaded(t, name)
		if queue := packer(t).arrives(t, raw); len(queue) != 1 || queue[0].size != int64(len(raw)) {
			t.Errorf("%s: %+v", name, queue)
		}
	}
	raw := loaded(t, "ct-series-3/01.dcm")
	for name, program := range map[string]string{"missing": "", "one that fails": "exit 1", "one that writes something else": `cp "$3" "$4"`,
		"one that changes a pixel": `/usr/bin/dcmcjpls "$1" "$2" "$3" "$4.x" && printf '\377' | dd of="$4.x" bs=1 seek=100000 conv=notrunc 2>/dev/null; mv "$4.x" "$4"`} {
		bin := t.TempDir()
		if program != "" {
			if err := os.WriteFile(filepath.Join(bin, "dcmcjpls"), []byte("#!/bin/sh\n"+program+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bin+":/bin")
		if program == "" {
			t.Setenv("PATH", bin)
		}
		if queue := packer(t).arrives(t, raw); len(queue) != 1 || queue[0].size != int64(len(raw)) {
			t.Errorf("a dcmcjpls that is %s: %+v", name, queue)
		}
	}
}
