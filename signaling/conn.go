package signaling

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxQueue         = 256 << 10 // bytes that may wait for a slow reader before it is dropped
	writeTime        = 5 * time.Second
	pingEvery        = 5 * time.Second
	readTime         = 15 * time.Second // three pings: a dead line is noticed
	worthCompressing = 512              // bytes: most messages are smaller, and gain little
	closingGrace     = time.Second      // for the last messages to leave, and for the other side to hear them
)

// conn is one WebSocket after its ticket was accepted. The handler's goroutine reads; write is the only
// goroutine that writes, started and awaited by the handler.
type conn struct {
	socket *websocket.Conn

	mu     sync.Mutex
	queue  [][]byte // guarded by mu
	bytes  int      // guarded by mu: in queue
	ending bool     // guarded by mu: close when the queue is empty
	wake   chan struct{}
	gone   chan struct{} // closed when write has ended
}

func newConn(ws *websocket.Conn) *conn {
	return &conn{socket: ws, wake: make(chan struct{}, 1), gone: make(chan struct{})}
}

// send queues a message. A reader that lets too much wait is dropped.
func (c *conn) send(message any) {
	raw, err := json.Marshal(message)
	if err != nil {
		return // our own types always encode; app data was checked when it came
	}
	c.sendRaw(raw)
}

func (c *conn) sendRaw(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(raw)
}

// put appends to the queue. Its caller holds mu.
func (c *conn) put(raw []byte) {
	if c.ending {
		return
	}
	if c.bytes += len(raw); c.bytes > maxQueue {
		c.queue, c.ending = nil, true
		_ = c.socket.Close() // write may hang in it
	} else {
		c.queue = append(c.queue, raw)
	}
	c.notify()
}

// end sends what is queued and a last message, after which nothing comes, then closes the socket. last may be nil.
func (c *conn) end(last any) {
	raw, err := json.Marshal(last)
	c.mu.Lock()
	defer c.mu.Unlock()
	if last != nil && err == nil {
		c.put(raw)
	}
	c.ending = true
	c.notify()
}

func (c *conn) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// listen gives the reader until the next pong or message, unless the connection ends.
func (c *conn) listen() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return websocket.ErrCloseSent
	}
	return c.socket.SetReadDeadline(time.Now().Add(readTime))
}

// linger waits until the last message is out and the other side has closed. A socket closed while something unread lies in it
// is reset, and with it goes what the other side has not read yet: the reason why it was closed.
func (c *conn) linger() {
	<-c.gone
	linger(c.socket)
}

func linger(ws *websocket.Conn) {
	_ = ws.SetReadDeadline(time.Now().Add(closingGrace))
	for {
		if _, _, err := ws.NextReader(); err != nil {
			return
		}
	}
}

// write sends the queue and pings until the connection ends; then it says goodbye, which ends the reader.
func (c *conn) write() {
	defer close(c.gone)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-c.wake:
		case <-ping.C:
			if err := c.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)); err != nil {
				_ = c.socket.Close()
				return
			}
			continue
		}
		c.mu.Lock()
		queue, ending := c.queue, c.ending
		c.queue, c.bytes = nil, 0
		c.mu.Unlock()
		for _, raw := range queue {
			if c.emit(raw) != nil {
				_ = c.socket.Close()
				return
			}
		}
		if ending {
			c.close()
			return
		}
	}
}

func (c *conn) emit(raw []byte) error {
	if err := c.socket.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	c.socket.EnableWriteCompression(len(raw) >= worthCompressing)
	return c.socket.WriteMessage(websocket.TextMessage, raw)
}

// close says goodbye and leaves the reader a moment to hear the other side's.
func (c *conn) close() {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.socket.WriteControl(websocket.CloseMessage, bye, time.Now().Add(closingGrace))
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.socket.SetReadDeadline(time.Now().Add(closingGrace))
}

// bucket allows rate messages a second and as many at once. It is owned by the reading goroutine.
type bucket struct {
	rate, level float64
	last        time.Time
}

func newBucket(rate float64, now time.Time) *bucket {
	return &bucket{rate: rate, level: rate, last: now}
}

func (b *bucket) take(now time.Time) bool {
	b.level = min(b.rate, b.level+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}
