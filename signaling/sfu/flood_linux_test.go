package sfu

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// A call goes on while strangers from many addresses send as much as a gigabit line carries, and then as much as this machine can send:
// of the call's packets no more get lost than the kernel had no room for, nothing is remembered of the strangers, and each
// of their packets is counted.
func TestACallGoesOnUnderAFlood(t *testing.T) {
	e := engine(t, Options{})
	both := Rights{Publish: true, Subscribe: true}
	a, b := sit(t, e, both), sit(t, e, both)
	track := a.publish(Microphone, webrtc.MimeTypeOpus, 48000)
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte("sound")}
	var up *UpTrack
	a.until(track, p, func() bool {
		select {
		case up = <-a.ups:
			return true
		default:
			return false
		}
	})
	b.peer.Subscribe(up, "a")
	a.until(track, p, func() bool { return len(b.packets(up.ID)) > 20 })
	s := e.shard("room")
	port := e.UDPAddrs()[0].Port()

	for _, flood := range []struct {
		name string
		rate int // packets a second; 0 is as many as can be
	}{{"150,000 a second", 150_000}, {"all that can be sent", 0}} {
		t.Run(flood.name, func(t *testing.T) {
			for len(b.packets(up.ID)) > 0 {
				<-b.packets(up.ID)
			}
			before, dropped, heap := e.Snapshot(), drops(t, port), heapOf()
			s.lock()
			paths, ufrags, links := len(s.paths), len(s.ufrags), len(s.links)
			s.unlock()
			var sent atomic.Int64
			began := time.Now()
			stop := make(chan struct{})
			var work sync.WaitGroup
			work.Go(func() { strangers(t, port, flood.rate, &sent, stop) })
			said := 0
			for time.Since(began) < 2*time.Second {
				said++
				p.SequenceNumber++
				p.Timestamp += 240
				p.Payload = []byte("word " + strconv.Itoa(said))
				if err := track.WriteRTP(p); err != nil {
					t.Error(err)
				}
				time.Sleep(5 * time.Millisecond)
			}
			close(stop)
			work.Wait()
			took := time.Since(began)
			p.Payload = []byte("after")
			heard, afterwards := map[string]bool{}, 0
			a.until(track, p, func() bool { // the call goes on, and so what was under way has arrived
				for len(b.packets(up.ID)) > 0 {
					if word := string((<-b.packets(up.ID)).Payload); word != "after" {
						heard[word] = true
					} else {
						afterwards++
					}
				}
				return afterwards > 50
			})

			after, full := e.Snapshot(), drops(t, port)-dropped
			counted := after.Stray - before.Stray
			share := float64(full) / float64(full+counted+uint64(said))
			lost := 1 - float64(len(heard))/float64(said)
			t.Logf("%.0f packets a second; the kernel had no room for %.2f %%, of the call %.2f %% were lost",
				float64(sent.Load())/took.Seconds(), 100*share, 100*lost)
			if lost > 1.5*share+0.04 {
				t.Errorf("%d of %d packets of the call arrived", len(heard), said)
			}
			if all := counted + full; all < uint64(sent.Load())*99/100 || counted > uint64(sent.Load())+100 {
				t.Errorf("%d were sent, %d counted and %d dropped by the kernel", sent.Load(), counted, full)
			}
			if after.Forged != before.Forged || after.Unclaimed != before.Unclaimed {
				t.Errorf("before %+v, after %+v", before, after)
			}
			s.lock()
			if len(s.paths) > paths+4 || len(s.ufrags) != ufrags || len(s.links) != links { // the call's own may change
				t.Errorf("%d addresses, %d names and %d links are known; before %d, %d and %d", len(s.paths), len(s.ufrags), len(s.links), paths, ufrags, links)
			}
			s.unlock()
			if grown := heapOf() - heap; grown > 4<<20 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
		})
	}
}

// strangers send from 64 addresses what is like nothing, like STUN, DTLS, RTP and RTCP. A socket of ours sends batches as one, and so
// fast enough.
func strangers(t *testing.T, port uint16, rate int, sent *atomic.Int64, stop chan struct{}) {
	var sockets []*socket
	for i := range byte(64) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 7, 7, i+1)})
		if err != nil {
			t.Error(err)
			return
		}
		s, err := newSocket(conn)
		if err != nil {
			t.Error(err)
			return
		}
		defer s.close()
		sockets = append(sockets, s)
	}
	to := addressOf(loopback)
	to.port = port
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 64<<10)
	_, _ = random.Read(noise) // never fails
	shapes := [][]byte{nil, []byte("\x00\x01\x00\x1c\x21\x12\xa4\x42id of twelve\x00\x06\x00\x09nobody:me\x00\x00\x00\x80\x28\x00\x04none"),
		[]byte("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x01"), []byte("\x80\x6f"), []byte("\x81\xc9\x00\x07"), []byte("\x01\x01\x00\x00\x21\x12\xa4\x42")}
	began := time.Now()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		for rate > 0 && float64(sent.Load()) > time.Since(began).Seconds()*float64(rate) {
			time.Sleep(100 * time.Microsecond)
		}
		s, shape := sockets[n%len(sockets)], shapes[n%len(shapes)]
		for i := range maxBatch {
			from := (n*maxBatch + i) * 67 % (len(noise) - 200)
			b := append(s.next(), shape...)
			if n%len(shapes) != 1 { // the rest of a request would make it none
				b = append(b, noise[from:from+160]...)
			}
			s.send(b, &to)
		}
		s.flush()
		sent.Add(maxBatch - int64(s.failed))
		s.failed = 0
	}
}

// drops says how many datagrams the kernel had no room for at a UDP port.
func drops(t *testing.T, port uint16) uint64 {
	t.Helper()
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		words := strings.Fields(line)
		if len(words) > 12 && strings.HasSuffix(words[1], fmt.Sprintf(":%04X", port)) {
			n, err := strconv.ParseUint(words[12], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no socket at port %d", port)
	return 0
}

func heapOf() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
