// Package gate is a TCP listener that silence cannot fill. The relay and ICE-TCP share it: pion reads from what it accepts
// without an end, and either stands open to everybody.
package gate

import (
	"container/list"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a listener.
type Limits struct {
	Most      int           // connections at once; the oldest that has proved nothing makes room for another
	MostOfOne int           // of one IPv4 address or IPv6 network of 64 bits
	First     time.Duration // until the first byte
	Proof     time.Duration // until Prove
	Idle      time.Duration // between bytes, give or take an eighth
}

// Listener lets connections in.
type Listener struct {
	net.Listener
	limits  Limits
	refused atomic.Uint64

	mu      sync.Mutex
	conns   map[netip.AddrPort]*conn // guarded by mu: by remote address
	of      map[netip.Addr]int       // guarded by mu: how many, by origin
	unknown list.List                // guarded by mu: of *conn that have proved nothing, the oldest first
	closed  bool                     // guarded by mu
}

// conn is an accepted connection.
type conn struct {
	net.Conn
	gate   *Listener
	remote netip.AddrPort
	proof  *time.Timer   // closes it
	place  *list.Element // guarded by gate.mu: in unknown
	put    time.Time     // when the deadline was set; owned by who reads
}

// Listen puts l behind a gate.
func Listen(l net.Listener, limits Limits) *Listener {
	return &Listener{Listener: l, limits: limits, conns: map[netip.AddrPort]*conn{}, of: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(raw); c != nil {
			return c, nil
		}
		l.refused.Add(1)
		_ = raw.Close() // nothing was said
	}
}

func (l *Listener) admit(raw net.Conn) *conn {
	remote := addrPort(raw.RemoteAddr())
	if raw.SetReadDeadline(time.Now().Add(l.limits.First)) != nil {
		return nil
	}
	l.mu.Lock()
	if l.closed || l.of[origin(remote)] >= l.limits.MostOfOne {
		l.mu.Unlock()
		return nil
	}
	var oldest *conn
	if len(l.conns) >= l.limits.Most {
		front := l.unknown.Front()
		if front == nil {
			l.mu.Unlock()
			return nil
		}
		oldest = front.Value.(*conn)
		l.forget(oldest)
		l.refused.Add(1)
	}
	c := &conn{Conn: raw, gate: l, remote: remote}
	l.conns[remote] = c
	l.of[origin(remote)]++
	c.place = l.unknown.PushBack(c)
	c.proof = time.AfterFunc(l.limits.Proof, c.expire)
	l.mu.Unlock()
	if oldest != nil {
		_ = oldest.Conn.Close() // ends its reader, who closes it again
	}
	return c
}

// forget is called with mu held.
func (l *Listener) forget(c *conn) {
	if c.place != nil {
		l.unknown.Remove(c.place)
		c.place = nil
	}
	if l.conns[c.remote] != c {
		return
	}
	delete(l.conns, c.remote)
	at := origin(c.remote)
	if l.of[at]--; l.of[at] == 0 {
		delete(l.of, at)
	}
}

// Close ends the connections too: whoever waits for their readers does not wait for the clients.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	open := slices.Collect(maps.Values(l.conns))
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // its reader closes it again
	}
	return err
}

// Prove notes that who is at that address has shown that it belongs here. Addresses of no connection are passed over.
func (l *Listener) Prove(remote net.Addr) {
	at := addrPort(remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[at]; c != nil && c.place != nil {
		l.unknown.Remove(c.place)
		c.place = nil
		c.proof.Stop()
	}
}

// Count tells how many connections there are, and how many were refused or closed because there were too many, or because they
// proved nothing in time.
func (l *Listener) Count() (open int, refused uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns), l.refused.Load()
}

func (c *conn) expire() {
	c.gate.mu.Lock()
	late := c.place != nil
	c.gate.mu.Unlock()
	if late {
		c.gate.refused.Add(1)
		_ = c.Close()
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		if now := time.Now(); now.Sub(c.put) > c.gate.limits.Idle/8 {
			c.put = now
			_ = c.Conn.SetReadDeadline(now.Add(c.gate.limits.Idle)) // fails when it is closed, which the next read tells
		}
	}
	return n, err
}

// SetReadDeadline implements net.Conn: who asks for none gets ours.
func (c *conn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		t = time.Now().Add(c.gate.limits.Idle)
	}
	return c.Conn.SetReadDeadline(t)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.gate.mu.Lock()
	c.gate.forget(c)
	c.gate.mu.Unlock()
	c.proof.Stop()
	return c.Conn.Close()
}

// origin is what one client may have many addresses of: a network of 64 bits in IPv6.
func origin(a netip.AddrPort) netip.Addr {
	ip := a.Addr()
	if ip.Is4() {
		return ip
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ip
	}
	return p.Addr()
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
