package app_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/internal/pg/pgtest"
)

// Stop, which SIGTERM calls: a running request ends well, an open event stream is hung up, no goroutine stays.
func TestStopLeavesNothing(t *testing.T) {
	database := pgtest.URL(t)
	before := goleak.IgnoreCurrent()
	b := open(t, func(o *app.Options) { o.DatabaseURL = database })
	person := b.call(patient, "GET", "/api/v1/me", nil, 200).text("persons", 0, "id")
	b.call(patient, "POST", "/api/v1/auth/otp", object{"phone": "13900007654"}, 202)
	screen := b.listen(t, patient)

	paper := upload(patient, person)
	paper.body = bytes.Replace(paper.body, pixel, append(pixel, make([]byte, 256<<10)...), 1) // more than lies in buffers on the way
	body, write := io.Pipe()
	q, err := http.NewRequestWithContext(context.Background(), paper.method, b.app.Addr()+paper.path, body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+b.session(patient))
	q.Header.Set("Content-Type", paper.contentType)
	q.Header.Set("Idempotency-Key", uuid.NewString())
	q.Header.Set("Expect", "100-continue") // so nothing is sent before the handler reads
	status := make(chan int, 1)
	go func() {
		response, err := b.client.Do(q)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		status <- response.StatusCode
	}()
	if _, err := write.Write(paper.body[:len(paper.body)/2]); err != nil {
		t.Fatal(err)
	}

	stopped := make(chan struct{})
	start := time.Now()
	address := b.app.Addr()
	go func() { b.stop(); close(stopped) }()
	for { // until the door is shut
		probe, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			break
		}
		probe.Close()
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case <-stopped:
		write.Close()
		t.Fatalf("stopped while a request was running: %d", <-status)
	case <-time.After(200 * time.Millisecond):
	}
	if _, err := write.Write(paper.body[len(paper.body)/2:]); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if got := <-status; got != http.StatusCreated {
		t.Errorf("the running request: %d", got)
	}
	<-stopped
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopped after %v", took)
	}
	if n := b.count(`SELECT count(*) FROM evidence`); n != 1 {
		t.Errorf("%d records, want the one whose upload was running", n)
	}
	select {
	case <-screen.done:
	case <-time.After(time.Second):
		t.Error("the event stream was not hung up")
	}
	b.db.Close()
	goleak.VerifyNone(t, before)
}
