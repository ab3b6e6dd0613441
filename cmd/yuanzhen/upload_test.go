package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanzhen/storage/imaging/dicom"
)

// running is the whole platform as a process on a data folder.
type running struct {
	t    *testing.T
	base string
	cmd  *exec.Cmd
}

func start(t *testing.T, data string) *running {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	cmd := exec.Command(os.Args[0], "dev", "--listen", "127.0.0.1:0", "--data", data, "--ready-file", ready, "--log", "warn")
	cmd.Env = append(os.Environ(), "YUANZHEN_BE_THE_PROGRAM=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, cmd: cmd}
	t.Cleanup(r.kill)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if address, err := os.ReadFile(ready); err == nil && bytes.HasSuffix(address, []byte("\n")) {
			r.base = strings.TrimSpace(string(address))
			return r
		}
		if time.Now().After(deadline) {
			t.Fatal("the platform did not come up")
		}
	}
}

// kill is kill -9; its engines die with it.
func (r *running) kill() {
	if r.cmd.ProcessState == nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	}
}

func (r *running) call(ctx context.Context, session, method, path string, body io.Reader, header ...string) (*http.Response, []byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+session)
	q.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a, b, err
}

// uploadState is what the server says of an upload.
type uploadState struct {
	State            string
	Received, Stored int
}

func (r *running) upload(session, at string) (s uploadState) {
	r.t.Helper()
	a, b, err := r.call(r.t.Context(), session, "GET", at, nil)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil || a.StatusCode != 200 {
		r.t.Fatalf("%v %s: %v", a, b, err)
	}
	return s
}

// A loop of ultrasound is half sent when the server is killed; the sender is killed too and remembers the address only.
func TestAnUploadGoesOnAfterKill9OfBothSides(t *testing.T) {
	data := t.TempDir()
	server := start(t, data)
	var cast []struct{ Name, Session string }
	_, b, err := server.call(t.Context(), "", "GET", "/api/v1/demo/cast?sessions=true", nil)
	if err == nil {
		err = json.Unmarshal(b, &cast)
	}
	session := ""
	for _, p := range cast {
		if p.Name == "赵志远" {
			session = p.Session
		}
	}
	if err != nil || session == "" {
		t.Fatalf("no county doctor: %v", err)
	}
	const frames, side = 24, 1024
	us := func(v uint16) string { return string(binary.LittleEndian.AppendUint16(nil, v)) }
	file, err := dicom.Compose(map[dicom.Tag]string{dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.3.1", dicom.StudyInstanceUID: "1.2.900", dicom.SeriesInstanceUID: "1.2.900.1",
		dicom.SOPInstanceUID: "1.2.900.1.1", dicom.Modality: "US", dicom.NumberOfFrames: fmt.Sprint(frames), dicom.Rows: us(side), dicom.Columns: us(side),
		0x00280002: us(1), 0x00280004: "MONOCHROME2", 0x00280100: us(8), 0x00280101: us(8), 0x00280102: us(7), 0x00280103: us(0)}, bytes.Repeat([]byte("ultrasound loop "), frames*side*side/16))
	if err != nil {
		t.Fatal(err)
	}
	a, b, err := server.call(t.Context(), session, "POST", "/api/v1/imaging/uploads", nil, "Upload-Length", fmt.Sprint(len(file)))
	if err != nil || a.StatusCode != 201 {
		t.Fatalf("%v %s", err, b)
	}
	at := a.Header.Get("Location")

	// The line stands still after two thirds; the server is killed while it waits for more. A piece has 4 MiB: more than
	// one and what is on its way is never lost.
	sent, most := len(file)*2/3, 5<<20
	still, goOn := io.Pipe()
	sender := make(chan error)
	go func() {
		_, _, err := server.call(t.Context(), session, "PATCH", at, io.MultiReader(bytes.NewReader(file[:sent]), still), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
		sender <- err
	}()
	for deadline := time.Now().Add(time.Minute); server.upload(session, at).Received < sent-most; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing becomes durable")
		}
	}
	server.kill()
	goOn.CloseWithError(io.ErrClosedPipe)
	if err := <-sender; err == nil {
		t.Fatal("the sender did not notice")
	}

	server = start(t, data)
	a, _, err = server.call(t.Context(), session, "HEAD", at, nil)
	if err != nil {
		t.Fatal(err)
	}
	from, err := strconv.Atoi(a.Header.Get("Upload-Offset"))
	if err != nil || from < sent-most {
		t.Errorf("%d of %d bytes are there, %d were sent", from, len(file), sent)
	}
	if a, b, err := server.call(t.Context(), session, "PATCH", at, bytes.NewReader(file[from:]), "Upload-Offset", fmt.Sprint(from), "Content-Type", "application/offset+octet-stream"); err != nil || a.StatusCode != 204 {
		t.Fatalf("go on: %v %s", err, b)
	}
	state := server.upload(session, at)
	for deadline := time.Now().Add(2 * time.Minute); state.State != "done"; state = server.upload(session, at) {
		if time.Now().After(deadline) {
			t.Fatalf("still %s", state.State)
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, b, err = server.call(t.Context(), session, "GET", "/dicomweb/studies/1.2.900/series/1.2.900.1/instances/1.2.900.1.1", nil, "Accept", "application/dicom")
	if state.Stored != 1 || err != nil || !bytes.Equal(b, file) {
		t.Errorf("stored %d; %d bytes come back of %d: %v", state.Stored, len(b), len(file), err)
	}
}
