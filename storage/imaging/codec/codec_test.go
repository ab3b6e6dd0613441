package codec_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

func load(t testing.TB, name string) (*dicom.File, []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return f, raw
}

func frame(f *dicom.File, raw []byte, n int) (b []byte) {
	for _, s := range f.Pixels.Frames[n] {
		b = append(b, raw[s.Offset:][:s.Length]...)
	}
	return b
}

func decoded(t testing.TB, name string, n int) *codec.Picture {
	t.Helper()
	f, raw := load(t, name)
	p, err := codec.Decode(f.TransferSyntax, frame(f, raw, n))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func samples(p *codec.Picture) []byte {
	var b []byte
	for _, v := range p.Pix {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

func TestLosslessIsLossless(t *testing.T) {
	mr, raw := load(t, "transfer-syntaxes/MR_small.dcm")
	if got := samples(decoded(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm", 0)); !bytes.Equal(got, frame(mr, raw, 0)) {
		t.Error("JPEG-LS: not the samples of MR_small.dcm")
	}
	rle, raw := load(t, "multiframe/CT0012.not_fragmented_bot_rle.dcm")
	for n := range 2 {
		want, err := rle.LittleEndian(0, frame(rle, raw, n))
		if err != nil {
			t.Fatal(err)
		}
		if got := samples(decoded(t, "multiframe/CT0012.not_fragmented_bot_jpeg_ls.80.dcm", n)); !bytes.Equal(got, want) {
			t.Errorf("JPEG-LS, frame %d: not the samples that RLE has", n)
		}
	}
	// the pixels of CT1_UNC.explicit_little_endian.dcm of the same source, which is too large to be here
	sum := sha256.Sum256(samples(decoded(t, "transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm", 0)))
	if got := hex.EncodeToString(sum[:]); got != "1add6ede29758c6f0c68f01749ddc6c907e68a312be4eb9da8489e376e0bbd34" {
		t.Errorf("JPEG-LS: CT1_UNC comes out as %s", got)
	}
}

// The same bone scan lossless, with 12-bit JPEG: the lossy one stays close to the lossless one.
func TestLossyStaysClose(t *testing.T) {
	exact, lossy := decoded(t, "transfer-syntaxes/JPEG-LL.dcm", 0), decoded(t, "transfer-syntaxes/JPGExtended.dcm", 0)
	if exact.Width != lossy.Width || exact.Height != lossy.Height || slices.Max(exact.Pix) < 100 {
		t.Fatalf("%d x %d and %d x %d, brightest %d", exact.Width, exact.Height, lossy.Width, lossy.Height, slices.Max(exact.Pix))
	}
	sum := 0
	for i, v := range exact.Pix {
		d := int(v) - int(lossy.Pix[i])
		sum += d * d
	}
	if mean := float64(sum) / float64(len(exact.Pix)); mean > 25 {
		t.Errorf("mean square error %.1f", mean)
	}
}

func TestNearLossless(t *testing.T) {
	p := decoded(t, "transfer-syntaxes/JPEGLSNearLossless_16.dcm", 0) // rows of 1, 10, 100 … as pydicom has them
	if p.Width != 10 || p.Height != 50 || p.Bits != 16 {
		t.Fatalf("%d x %d, %d bits", p.Width, p.Height, p.Bits)
	}
	rows := map[uint16]bool{}
	for y := range p.Height {
		rows[p.Pix[y*p.Width]] = true
		for _, v := range p.Pix[y*p.Width:][:p.Width] {
			if v != p.Pix[y*p.Width] {
				t.Fatalf("row %d is not of one value: %v", y, p.Pix[y*p.Width:][:p.Width])
			}
		}
	}
	if len(rows) < 5 {
		t.Errorf("only %d values", len(rows))
	}
}

var kinds = []string{"transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm", "transfer-syntaxes/JPEGLSNearLossless_16.dcm", "transfer-syntaxes/JPGExtended.dcm", "transfer-syntaxes/JPEG-LL.dcm"}

func TestFramesCutAnywhereOrDamagedAreErrorsOrPictures(t *testing.T) {
	for _, name := range kinds {
		f, raw := load(t, name)
		b := frame(f, raw, 0)
		for cut := 0; cut < len(b)*9/10; cut += len(b)/40 + 1 {
			if _, err := codec.Decode(f.TransferSyntax, b[:cut]); err == nil {
				t.Errorf("%s cut at %d of %d was decoded", name, cut, len(b))
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 60 { // must neither panic nor hang
			damaged := bytes.Clone(b)
			for range 4 {
				damaged[r.IntN(len(damaged))] = byte(r.Uint32())
			}
			_, _ = codec.Decode(f.TransferSyntax, damaged)
		}
	}
	if _, err := codec.Decode("1.2.840.10008.1.2.1", nil); !errors.Is(err, codec.ErrUnknown) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range append(kinds, "transfer-syntaxes/MR_small_jp2klossless.dcm") {
		file, raw := load(f, name)
		if b := frame(file, raw, 0); len(b) < 16<<10 {
			f.Add(file.TransferSyntax, b)
		}
	}
	f.Fuzz(func(t *testing.T, syntax string, b []byte) {
		start := time.Now()
		if c, err := codec.FindCodestream(b); err == nil && (len(c.Bytes) > len(b) || c.Size() < 1 || c.Size() > 2*codec.MaxSamples) {
			t.Errorf("%d bytes of %d, for %d samples", len(c.Bytes), len(b), c.Size())
		}
		p, err := codec.Decode(syntax, b)
		if err == nil && len(p.Pix) != p.Width*p.Height*p.Components {
			t.Errorf("%d samples for %d x %d x %d", len(p.Pix), p.Width, p.Height, p.Components)
		}
		if took := time.Since(start); took > 10*time.Second { // what a worker is given
			t.Errorf("took %v", took)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm", "transfer-syntaxes/JPEG-LL.dcm", "multiframe/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"} {
		f, raw := load(b, name)
		data := frame(f, raw, 0)
		b.Run(filepath.Base(name), func(b *testing.B) {
			for b.Loop() {
				if _, err := codec.Decode(f.TransferSyntax, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
