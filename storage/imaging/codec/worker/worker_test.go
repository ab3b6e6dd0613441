package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame is the first of a file, with what the file's data set promises of it.
func frame(t *testing.T, name string) (syntax string, b []byte, promised codec.Shape) {
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
	promised.Width, promised.Height, promised.Components, _, err = f.Shape()
	if err != nil {
		t.Fatal(err)
	}
	return f.TransferSyntax, b, promised
}

func TestWorkersDecodeAsTheHouseDoes(t *testing.T) {
	p := New(2, "")
	defer p.Close()
	syntax, b, promised := frame(t, "transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm")
	want, err := codec.Decode(syntax, b)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			got, err := p.Decode(t.Context(), syntax, b, promised)
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
	p := New(1, "")
	defer p.Close()
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	huge := bytes.Clone(b)
	at := bytes.Index(huge, []byte{0xFF, 0xF7}) + 5 // rows and columns of the frame header
	copy(huge[at:], "\xff\xff\xff\xff")
	for name, bad := range map[string][]byte{"cut": b[:len(b)/2], "empty": nil, "of 65535 x 65535": huge, "text": []byte(strings.Repeat("x", 1000))} {
		if _, err := p.Decode(t.Context(), syntax, bad, promised); err == nil {
			t.Errorf("%s was decoded", name)
		}
		if _, err := p.Decode(t.Context(), syntax, b, promised); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if _, err := p.Decode(t.Context(), "1.2.3", b, promised); err == nil {
		t.Error("an unknown syntax was decoded")
	}
}

func TestAWorkerThatIsKilledIsReplaced(t *testing.T) {
	p := New(1, "")
	defer p.Close()
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b, promised); err != nil {
		t.Fatal(err)
	}
	w := <-p.slots
	if err := w.os.Kill(); err != nil {
		t.Fatal(err)
	}
	<-w.process.Done()
	p.slots <- w
	if _, err := p.Decode(t.Context(), syntax, b, promised); err == nil {
		t.Error("a dead worker decoded")
	}
	if _, err := p.Decode(t.Context(), syntax, b, promised); err != nil {
		t.Errorf("no new one came: %v", err)
	}
}

func TestAWorkerHasNothingToLose(t *testing.T) {
	p := New(1, "")
	defer p.Close()
	t.Setenv("YUANZHEN_MASTER_KEY", "secret")
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jpeg_ls_lossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b, promised); err != nil {
		t.Fatal(err)
	}
	w := <-p.slots
	defer func() { p.slots <- w }()
	limits, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(w.os.Pid), "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Max address space 2147483648", "Max file size 0", "Max open files 32", "Max cpu time 1000"} {
		if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), want) {
			t.Errorf("%q is not among its limits:\n%s", want, limits)
		}
	}
	if environ, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(w.os.Pid), "environ")); err == nil && bytes.Contains(environ, []byte("secret")) {
		t.Error("it knows the master key")
	}
}

func TestWhoDoesNotWaitIsLetGo(t *testing.T) {
	p := New(1, "")
	defer p.Close()
	w := <-p.slots
	defer func() { p.slots <- w }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Decode(ctx, "", nil, codec.Shape{}); err != context.Canceled {
		t.Error(err)
	}
}

// withTool is a pool of one worker that takes the program for OpenJPEG.
func withTool(t *testing.T, tool string) *Pool {
	t.Helper()
	p := New(1, tool)
	t.Cleanup(p.Close)
	return p
}

func openJPEG(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath(Tool)
	if err != nil {
		t.Fatalf("tools/need.sh installs it: %v", err)
	}
	return path
}

func TestJPEG2000(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // its own: tests of other packages decode at the same time
	p := withTool(t, openJPEG(t))
	raw, err := os.ReadFile("../../testdata/transfer-syntaxes/MR_small.dcm")
	if err != nil {
		t.Fatal(err)
	}
	f, err := dicom.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := raw[f.Pixels.Whole.Offset:][:f.Pixels.Whole.Length]
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
	same := func(p *codec.Picture, err error) bool {
		var got bytes.Buffer
		return err == nil && binary.Write(&got, binary.LittleEndian, p.Pix) == nil && bytes.Equal(got.Bytes(), want)
	}
	if !same(p.Decode(t.Context(), syntax, b, promised)) {
		t.Error("not the samples of MR_small.dcm")
	}
	box := func(kind string, b []byte) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(b))), kind...), b...)
	}
	wrapped := slices.Concat(box("jP  ", []byte("\r\n\x87\n")), box("ftyp", []byte("jp2 \x00\x00\x00\x00jp2 ")), box("jp2c", b))
	if !same(p.Decode(t.Context(), syntax, wrapped, promised)) {
		t.Error("wrapped into a JP2 file: not the samples of MR_small.dcm")
	}
	huge := bytes.Clone(b)
	copy(huge[8:], "\x00\x01\x00\x00\x00\x01\x00\x00")
	loop := slices.Concat(box("jP  ", nil), []byte("\x00\x00\x00\x01free\x00\x00\x00\x00\x00\x00\x00\x00"), box("jp2c", b))
	bad := map[string][]byte{"empty": nil, "of 65536 x 65536": huge, "text": []byte(strings.Repeat("x", 1000)), "a box of no length": loop,
		"a box beyond the end": slices.Concat(box("jP  ", nil), box("jp2c", b)[:200])}
	for cut := 100; cut < len(b)*9/10; cut += len(b)/7 + 1 {
		bad[fmt.Sprint("cut at ", cut)] = b[:cut]
	}
	for name, bad := range bad {
		if _, err := p.Decode(t.Context(), syntax, bad, promised); err == nil {
			t.Errorf("%s was decoded", name)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 { // an error or a picture, in time
		damaged := bytes.Clone(b)
		for range 4 {
			damaged[100+r.IntN(len(damaged)-100)] = byte(r.Uint32())
		}
		_, _ = p.Decode(t.Context(), syntax, damaged, promised)
	}
	promised.Width++
	if _, err := p.Decode(t.Context(), syntax, b, promised); err == nil || !strings.Contains(err.Error(), "in an object of 65") {
		t.Errorf("another size than its data set promises: %v", err)
	}
	promised.Width--
	if !same(p.Decode(t.Context(), syntax, b, promised)) {
		t.Error("after bad frames: not the samples of MR_small.dcm")
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "yuanzhen-*", ending)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if bare := New(1, ""); bare.Knows(syntax) || !p.Knows(syntax) || p.Knows("1.2.840.10008.1.2.4.92") {
		t.Error("what it says it knows is wrong")
	}
}

// script is a program that takes OpenJPEG's place.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// What runs in OpenJPEG's place tells of its limits and surroundings in the place of samples.
func TestTheToolHasNothingToLose(t *testing.T) {
	t.Setenv("YUANZHEN_MASTER_KEY", "secret")
	secret, made := filepath.Join(t.TempDir(), "secret"), filepath.Join(t.TempDir(), "made")
	if err := os.WriteFile(secret, []byte("of the house"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := withTool(t, script(t, `until [ "$(ulimit -t)" = 10 ]; do :; done
		{ for limit in -Ht -Hv -Hf -Hn -Hc; do echo "$limit $(ulimit $limit);"; done
		env; cat `+secret+`; touch `+made+`; truncate -s 0 `+secret+`
		for i in 1 2 3 4 5 6 7 8 9; do printf '%1000s' .; done; } 2>&1 | head -c 8192 >&4`))
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
	got, err := p.Decode(t.Context(), syntax, b, promised)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	_ = binary.Write(&said, binary.LittleEndian, got.Pix) // a bytes.Buffer takes everything
	words := strings.Join(strings.Fields(said.String()), " ")
	for _, want := range []string{"-Ht 10;", "-Hv 2097152;", "-Hf 0;", "-Hn 32;", "-Hc 0;"} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not among its limits: %s", want, words)
		}
	}
	_, err = os.Stat(made)
	left, _ := os.ReadFile(secret)
	if reads := strings.Contains(words, "of the house"); landlock() > 0 && (reads || err == nil || len(left) == 0) {
		t.Errorf("it reads: %v, makes: %v, leaves %q: %s", reads, err == nil, left, words)
	}
	if strings.Contains(words, "YUANZHEN_MASTER_KEY") || strings.Contains(words, mark) {
		t.Errorf("it knows too much: %s", words)
	}
}

// Where no namespaces are to be had, the rest does.
func TestTheToolRunsWithoutNamespaces(t *testing.T) {
	p := withTool(t, openJPEG(t))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := startAs(self, p.tool, 0)
	if err != nil {
		t.Fatal(err)
	}
	<-p.slots
	p.slots <- w
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b, promised); err != nil {
		t.Error(err)
	}
}

func TestTheToolEndsWithItsWorker(t *testing.T) {
	p := withTool(t, script(t, `echo here >&4; exec sleep 1000`))
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
	if _, err := p.Decode(t.Context(), "1.2.3", nil, promised); err == nil { // so that there is a worker
		t.Fatal("an unknown syntax was decoded")
	}
	w := <-p.slots
	p.slots <- w
	decoded := make(chan error)
	go func() {
		_, err := p.Decode(t.Context(), syntax, b, promised)
		decoded <- err
	}()
	var tool int
	for tool == 0 {
		time.Sleep(10 * time.Millisecond)
		children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.os.Pid))
		if err != nil || len(children) == 0 {
			t.Fatal("the worker is gone", err)
		}
		for _, c := range children {
			if text, err := os.ReadFile(c); err == nil {
				_, _ = fmt.Sscan(string(text), &tool) // nothing before it is started
			}
		}
	}
	fd, err := unix.PidfdOpen(tool, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := w.os.Kill(); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000); n != 1 {
		t.Errorf("it lives on: %v", err)
	}
	if err := <-decoded; !errors.Is(err, ErrGivenUp) {
		t.Error(err)
	}
}

func TestWhoTakesTooLongIsGivenUp(t *testing.T) {
	p := withTool(t, script(t, `while :; do :; done`))
	syntax, b, promised := frame(t, "transfer-syntaxes/MR_small_jp2klossless.dcm")
	if _, err := p.Decode(t.Context(), syntax, b, promised); err == nil {
		t.Error("decoded")
	}
	if _, err := p.Decode(t.Context(), "1.2.840.10008.1.2.4.80", nil, promised); err == nil || errors.Is(err, ErrGivenUp) {
		t.Errorf("no new worker came: %v", err)
	}
}

// Samples of 8 to 16 bits, signed and not, grey and coloured, come back as they went in, JPEG 2000 and HTJ2K alike.
func TestEveryDepthAndSign(t *testing.T) {
	p := withTool(t, openJPEG(t))
	const side = 40
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.rawl"), filepath.Join(dir, "out.j2c")
	run := func(program string, options ...string) []byte {
		t.Helper()
		if said, err := exec.Command(program, options...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v, tools/need.sh installs it: %v %s", program, options, err, said)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, bits := range []int{8, 10, 12, 16} {
		for _, components := range []int{1, 3} {
			var planes [2][]byte // by component, unsigned and signed
			var shifted []byte   // signed ones and half their range
			want := make([][2]uint16, side*side*components)
			for i := range want {
				low := uint16(r.Uint32() >> (32 - bits))
				signed := uint16(int16(low<<(16-bits)) >> (16 - bits))
				want[i%(side*side)*components+i/(side*side)] = [2]uint16{low, signed}
				for at := range (bits + 7) / 8 {
					planes[0], planes[1] = append(planes[0], byte(low>>(8*at))), append(planes[1], byte(signed>>(8*at)))
					shifted = append(shifted, byte((low^1<<(bits-1))>>(8*at)))
				}
			}
			for sign, letter := range []string{"u", "s"} {
				if err := os.WriteFile(in, planes[sign], 0o600); err != nil {
					t.Fatal(err)
				}
				streams := map[string][]byte{"1.2.840.10008.1.2.4.90": run("opj_compress", "-i", in, "-o", out, "-n", "3", "-F", fmt.Sprintf("%d,%d,%d,%d,%s", side, side, components, bits, letter))}
				if components == 1 && bits != 8 { // it reads unsigned samples of two bytes; signed ones are coded as those less half their range
					yuv := filepath.Join(dir, "in.yuv")
					if err := os.WriteFile(yuv, [][]byte{planes[0], shifted}[sign], 0o600); err != nil {
						t.Fatal(err)
					}
					b := run("ojph_compress", "-i", yuv, "-o", out, "-dims", fmt.Sprintf("{%d,%d}", side, side), "-num_comps", "1", "-signed", "false", "-bit_depth", fmt.Sprint(bits), "-downsamp", "{1,1}", "-reversible", "true")
					b[42] |= byte(sign) << 7
					streams["1.2.840.10008.1.2.4.201"] = b
				}
				for syntax, b := range streams {
					got, err := p.Decode(t.Context(), syntax, b, codec.Shape{Width: side, Height: side, Components: components})
					if err != nil {
						t.Errorf("%s, %d%s x %d: %v", syntax, bits, letter, components, err)
						continue
					}
					for i, v := range got.Pix {
						if v != want[i][sign] {
							t.Errorf("%s, %d%s x %d: sample %d is %#x, want %#x", syntax, bits, letter, components, i, v, want[i][sign])
							break
						}
					}
				}
			}
		}
	}
}
