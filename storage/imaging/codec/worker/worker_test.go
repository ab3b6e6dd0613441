package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func frame(t *testing.T, name string) (syntax string, b []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Pixels.Frames[0] {
		b = append(b, raw[s.Offset:][:s.Length]...)
	}
	return f.TransferSyntax, b
}

func TestWorkersDecodeAsTheHouseDoes(t *testing.T) {
	p := New(2)
	defer p.Close()
	syntax, b := frame(t, "transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm")
	want, err := codec.Decode(syntax, b)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			got, err := p.Decode(t.Context(), syntax, b)
			if err != nil || got.Width != 512 || !equal(got.Pix, want.Pix) {
				t.Errorf("not the same picture: %v", err)
			}
		})
	}
	all.Wait()
}

func equal(a, b []uint16) bool {
	var x, y bytes.Buffer
	_ = binary.Write(&x, binary.LittleEndian, a) // a bytes.Buffer takes everything
	_ = binary.Write(&y, binary.LittleEndian, b)
	return bytes.Equal(x.Bytes(), y.Bytes())
}

func TestABadFrameIsAnErrorAndTheNextIsDecoded(t *testing.T) {
	p := New(1)
	defer p.Close()
	syntax, b := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	huge := bytes.Clone(b)
	at := bytes.Index(huge, []byte{0xFF, 0xF7}) + 5 // rows and columns of the frame header
	copy(huge[at:], "\xff\xff\xff\xff")
	for name, bad := range map[string][]byte{"cut": b[:len(b)/2], "empty": nil, "of 65535 x 65535": huge, "text": []byte(strings.Repeat("x", 1000))} {
		if _, err := p.Decode(t.Context(), syntax, bad); err == nil {
			t.Errorf("%s was decoded", name)
		}
		if _, err := p.Decode(t.Context(), syntax, b); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if _, err := p.Decode(t.Context(), "1.2.3", b); err == nil {
		t.Error("an unknown syntax was decoded")
	}
}

func TestAWorkerThatIsKilledIsReplaced(t *testing.T) {
	p := New(1)
	defer p.Close()
	syntax, b := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b); err != nil {
		t.Fatal(err)
	}
	w := <-p.slots
	if err := w.os.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.process.Done()
	p.slots <- w
	if _, err := p.Decode(t.Context(), syntax, b); err == nil {
		t.Error("a dead worker decoded")
	}
	if _, err := p.Decode(t.Context(), syntax, b); err != nil {
		t.Errorf("no new one came: %v", err)
	}
}

func TestAWorkerHasNothingToLose(t *testing.T) {
	p := New(1)
	defer p.Close()
	t.Setenv("YUANZHEN_MASTER_KEY", "secret")
	syntax, b := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b); err != nil {
		t.Fatal(err)
	}
	w := <-p.slots
	defer func() { p.slots <- w }()
	limits, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(w.os.Pid), "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Max address space 2147483648", "Max file size 0", "Max open files 16", "Max cpu time 1000"} {
		if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), want) {
			t.Errorf("%q is not among its limits:\n%s", want, limits)
		}
	}
	if environ, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(w.os.Pid), "environ")); err == nil && bytes.Contains(environ, []byte("secret")) {
		t.Error("it knows the master key")
	}
}

func TestWhoDoesNotWaitIsLetGo(t *testing.T) {
	p := New(1)
	defer p.Close()
	w := <-p.slots
	defer func() { p.slots <- w }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Decode(ctx, "", nil); err != context.Canceled {
		t.Error(err)
	}
}
