package bench

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// line is a county hospital's line to a server: so many bytes a second each way, shared by all connections, and the
// way there and back takes so long. It can be cut.
type line struct {
	net.Listener
	to   string
	rate float64 // bytes a second each way
	way  time.Duration

	mu   sync.Mutex
	free [2]time.Time          // when each way has room again; guarded by mu
	sent [2]int64              // bytes that went each way; guarded by mu
	open map[net.Conn]struct{} // guarded by mu
}

const (
	upward   = 0
	downward = 1
)

// lineTo opens a line to the address of an HTTP server.
func lineTo(base string, rate float64, way time.Duration) (*line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{Listener: listener, to: strings.TrimPrefix(base, "http://"), rate: rate, way: way, open: map[net.Conn]struct{}{}}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", l.to)
			if err != nil {
				near.Close()
				continue
			}
			l.mu.Lock()
			l.open[near], l.open[far] = struct{}{}, struct{}{}
			l.mu.Unlock()
			go l.carry(upward, near, far)
			go l.carry(downward, far, near)
		}
	}()
	return l, nil
}

type packet struct {
	bytes []byte
	at    time.Time // of arrival
}

// carry moves bytes one way; the two connections end together.
func (l *line) carry(way int, from, to net.Conn) {
	flight := make(chan packet, 1024)
	go func() {
		defer l.hangUp(from, to)
		for p := range flight {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.bytes); err != nil {
				return
			}
		}
	}()
	defer close(flight)
	for {
		b := make([]byte, 1460) // an Ethernet frame's worth
		n, err := from.Read(b)
		if n > 0 {
			l.mu.Lock()
			gone := time.Now()
			if l.free[way].After(gone) {
				gone = l.free[way]
			}
			gone = gone.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
			l.free[way], l.sent[way] = gone, l.sent[way]+int64(n)
			l.mu.Unlock()
			time.Sleep(time.Until(gone))
			flight <- packet{b[:n], gone.Add(l.way)}
		}
		if err != nil {
			return
		}
	}
}

func (l *line) hangUp(connections ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range connections {
		c.Close()
		delete(l.open, c)
	}
}

// cut ends all connections at once, with what is under way.
func (l *line) cut() {
	l.mu.Lock()
	all := make([]net.Conn, 0, len(l.open))
	for c := range l.open {
		all = append(all, c)
	}
	l.mu.Unlock()
	l.hangUp(all...)
}

func (l *line) base() string { return "http://" + l.Addr().String() }

// carried is how many bytes went both ways.
func (l *line) carried() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[upward] + l.sent[downward]
}

func (l *line) wentUp() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[upward]
}

// A county hospital's line: 2 Mbit/s each way, 200 ms there and back.
const (
	countyRate = 2e6 / 8
	countyTrip = 200 * time.Millisecond
)

// Opening is what it costs to open a series over a line as the viewer does: its metadata, then one preview with the line for
// itself, then the others over five connections.
type Opening struct {
	First, All           time.Duration // by the clock, through the proxy, from the first question on
	FirstBytes, AllBytes int64         // that the line carried both ways, with the heads of HTTP
	FirstTrips, AllTrips int           // there and back, one after the other: the others wait at the same time
}

// OnLine is how long bytes and trips take on a county's line if nothing of them overlaps, which is more than they take: of each packet
// of 1500 bytes 40 are TCP's and IP's, and the servers need no time.
func OnLine(bytes int64, trips int) time.Duration {
	return time.Duration(float64(bytes)*1500/1460/countyRate*float64(time.Second)) + time.Duration(trips)*countyTrip
}

const previewsAtOnce = 5 // of the six requests that a browser makes to one server

// openingTrips are those of a connection: its handshake, one more while TCP's first window of ten packets (RFC 6928) grows, one a question.
func openingTrips(questions int) int { return 2 + questions }

// opening opens the series over the line.
func (l *line) opening(ctx context.Context, token, metadata string, previews []string) (o Opening, err error) {
	a := &archive{"over the line", l.base() + "/dicomweb", token, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: previewsAtOnce, DisableCompression: true}}, 0}
	defer a.client.CloseIdleConnections()
	begin, before := time.Now(), l.carried()
	if _, _, err = a.get(ctx, metadata, "application/dicom+json", "gzip"); err != nil {
		return o, err
	}
	if _, _, err = a.get(ctx, previews[0], "image/jpeg", ""); err != nil {
		return o, err
	}
	o.First, o.FirstBytes, o.FirstTrips = time.Since(begin), l.carried()-before, openingTrips(2)
	rest := len(previews) - 1
	_, err = atOnce(previewsAtOnce, rest, func(i int) error {
		_, _, err := a.get(ctx, previews[i+1], "image/jpeg", "")
		return err
	})
	o.All, o.AllBytes = time.Since(begin), l.carried()-before
	o.AllTrips = o.FirstTrips + openingTrips((rest+previewsAtOnce-1)/previewsAtOnce)
	return o, err
}

// OpenOverALine stores a CT series on the demo's server at base and opens it over a county hospital's line.
func OpenOverALine(ctx context.Context, base string, slices int) (o Opening, err error) {
	token, err := countyDoctor(ctx, base)
	if err != nil {
		return o, err
	}
	files, err := ctSeries("4", slices)
	if err != nil {
		return o, err
	}
	a := &archive{"ours", base + "/dicomweb", token, http.DefaultClient, 0}
	if _, err := atOnce(4, slices, func(i int) error { return a.stow(ctx, files[i]) }); err != nil {
		return o, fmt.Errorf("store: %w", err)
	}
	county, err := lineTo(base, countyRate, countyTrip/2)
	if err != nil {
		return o, err
	}
	defer county.Close()
	metadata, previews := viewerAsks("4", slices)
	return county.opening(ctx, token, metadata, previews)
}

// viewerAsks are the addresses that web/src/imaging/previews.ts asks for when it opens a series of ctSeries.
func viewerAsks(n string, slices int) (metadata string, previews []string) {
	series := "/studies/" + benchUID(n) + "/series/" + benchUID(n) + ".1"
	for i := range slices {
		previews = append(previews, fmt.Sprintf("%s/instances/%s.1.%d/rendered?quality=40&viewport=512,512", series, benchUID(n), i+1))
	}
	return series + "/metadata", previews
}

// cutEvery sends files as one archive by tus over a line that is cut again and again, and says by how much more went
// over the line than there was to send.
func (l *line) cutEvery(ctx context.Context, every time.Duration, token string, files [][]byte) (again float64, cuts int, err error) {
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	for n, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%06d", n), Method: zip.Store})
		if err != nil {
			return 0, 0, err
		}
		if _, err := w.Write(f); err != nil {
			return 0, 0, err
		}
	}
	if err := z.Close(); err != nil {
		return 0, 0, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(method, path string, body io.Reader, header map[string]string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, method, l.base()+path, body)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for k, v := range header {
			r.Header.Set(k, v)
		}
		a, err := client.Do(r)
		if err == nil {
			a.Body.Close()
		}
		return a, err
	}
	a, err := call("POST", "/api/v1/imaging/uploads", nil, map[string]string{"Upload-Length": strconv.Itoa(whole.Len())})
	if err != nil {
		return 0, 0, err
	}
	if a.StatusCode != http.StatusCreated {
		return 0, 0, fmt.Errorf("begin an upload: status %d", a.StatusCode)
	}
	at, before := a.Header.Get("Location"), l.wentUp()
	for offset := 0; offset < whole.Len(); {
		knife := time.AfterFunc(every, func() { cuts++; l.cut() })
		_, sent := call("PATCH", at, bytes.NewReader(whole.Bytes()[offset:]), map[string]string{
			"Upload-Offset": strconv.Itoa(offset), "Content-Type": "application/offset+octet-stream"})
		knife.Stop()
		for try := 0; ; try++ { // how far it is
			a, err := call("HEAD", at, nil, nil)
			if err == nil {
				if offset, err = strconv.Atoi(a.Header.Get("Upload-Offset")); err != nil {
					return 0, cuts, err
				}
				break
			}
			if try == 10 {
				return 0, cuts, errors.Join(sent, err)
			}
		}
	}
	return float64(l.wentUp()-before)/float64(whole.Len()) - 1, cuts, nil
}
