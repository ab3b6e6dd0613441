package signaling_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"yuanzhen/signaling"
	"yuanzhen/signaling/control"
)

// BenchmarkWaitingSeat is what a patient costs who waits alone: B/seat is all memory in use, with the client's end of the socket, which lives
// in this process too. `-benchtime 9000x` opens so many; each takes two of the process's files. Pings are not answered here,
// so all must be seated within 15 s.
func BenchmarkWaitingSeat(b *testing.B) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	server := signaling.New(signaling.Options{UDP: loopback, TicketKey: pub})
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	url := "ws" + strings.TrimPrefix(web.URL, "http") + "/signal"
	desk := control.Desk{Key: priv, Now: time.Now}
	dialer := websocket.Dialer{ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{}}
	sockets := make([]*websocket.Conn, b.N)
	sit := func(i int) error {
		c := waiting("patient")
		c.Room = control.Room(fmt.Sprint("visit-", i))
		pass, err := desk.Issue(c)
		if err != nil {
			return err
		}
		if sockets[i], _, err = dialer.Dial(url, nil); err != nil {
			return err
		}
		return sockets[i].WriteJSON(map[string]any{"type": "join", "version": 1, "ticket": pass.Ticket})
	}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what finalizers and pools held is gone
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := inUse()
	b.ResetTimer()
	var work sync.WaitGroup
	next := make(chan int)
	for range 16 {
		work.Go(func() {
			for i := range next {
				if err := sit(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	work.Wait()
	for server.Snapshot().Waiting < b.N && !b.Failed() && b.Elapsed() < 15*time.Second {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	after := inUse()
	if n := server.Snapshot().Waiting; n != b.N {
		b.Errorf("%d of %d are seated", n, b.N)
	}
	b.ReportMetric((float64(after)-float64(before))/float64(b.N), "B/seat")
	for _, ws := range sockets {
		if ws != nil {
			_ = ws.Close()
		}
	}
	if err := server.Stop(); err != nil {
		b.Fatal(err)
	}
	web.Close()
}
