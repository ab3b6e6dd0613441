package sfu

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
)

// shard is a UDP socket with all media of the rooms placed on it. Packets of media never reach pion: they are decrypted,
// kept, and sent on by the goroutine that reads the socket, batch by batch. It holds mu for a whole batch, so that no packet
// costs a lock; the few others who need it (signalling, the ticker, ICE-TCP lines) take it between batches.
type shard struct {
	// Set at construction.
	engine *Engine
	mux    *ice.UDPMuxDefault
	stop   chan struct{}    // closed to end tick
	done   chan struct{}    // closed when it has ended
	work   func(n int) bool // take: made once

	// Owned by the goroutine that reads.
	batch int            // datagrams of the last read
	at    int            // the next of them to hand to pion
	pion  [maxBatch]bool // which are pion's

	mu      sync.Mutex // guards what follows and all that is reached through it: links, layers, tracks
	socket  *socket    // reading excepted
	now     time.Duration
	links   map[*link]struct{}
	opening int // links whose keys are not agreed yet
	paths   map[address]path
	ufrags  map[string]struct{} // of our ICE agents
	fanout  []*layer            // those with pending packets
	counts  counts

	// Room to work in.
	header  rtpHeader
	scratch [maxPacket]byte
	report  [maxPacket]byte
	red     [maxPacket]byte
}

// tickEvery is how often requests for lost packets and reports are looked after.
const tickEvery = 20 * time.Millisecond

func (e *Engine) newShard(conn *net.UDPConn) (*shard, error) {
	socket, err := newSocket(conn)
	if err != nil {
		return nil, err
	}
	s := &shard{
		engine: e, socket: socket, links: map[*link]struct{}{}, paths: map[address]path{}, ufrags: map[string]struct{}{},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	s.work = s.take
	s.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: muxConn{s}, Logger: logger(e.logs, "udpmux")})
	go s.tick()
	return s, nil
}

// close ends the goroutines. All links are closed before.
func (s *shard) close() error {
	close(s.stop)
	<-s.done
	return s.mux.Close()
}

// lock takes the shard between batches; unlock sends what was queued meanwhile.
func (s *shard) lock() {
	s.mu.Lock()
	s.now = s.engine.since()
}

func (s *shard) unlock() {
	s.emit()
	s.mu.Unlock()
}

func (s *shard) tick() {
	defer close(s.done)
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		s.lock()
		for l := range s.links {
			l.tick()
		}
		s.unlock()
	}
}

// muxConn is the socket as pion's UDP mux sees it: without media.
type muxConn struct{ shard *shard }

var (
	_ ice.AddrPortReaderWriter = muxConn{}
	_ net.PacketConn           = muxConn{}
)

// ReadFromAddrPort gives the next datagram that is pion's (STUN and DTLS); the media that come with it are worked off. The
// mux's one goroutine calls it.
func (c muxConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	s := c.shard
	for {
		for s.at < s.batch {
			i := s.at
			s.at++
			if s.pion[i] {
				return copy(b, s.socket.datagram(i)), s.socket.from(i).addrPort(), nil
			}
		}
		if err := s.socket.serve(s.work); err != nil {
			return 0, netip.AddrPort{}, err
		}
	}
}

// ReadFrom is there for net.PacketConn.
func (c muxConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToAddrPort sends what pion has to say.
func (c muxConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.shard.socket.writeTo(b, to)
}

// WriteTo is there for net.PacketConn.
func (c muxConn) WriteTo(b []byte, to net.Addr) (int, error) {
	at, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not of UDP")
	}
	return c.WriteToAddrPort(b, at.AddrPort())
}

func (c muxConn) Close() error        { return c.shard.socket.close() }
func (c muxConn) LocalAddr() net.Addr { return c.shard.socket.local }

// A write never waits, and a read ends by Close.
func (c muxConn) SetDeadline(time.Time) error      { return nil }
func (c muxConn) SetReadDeadline(time.Time) error  { return nil }
func (c muxConn) SetWriteDeadline(time.Time) error { return nil }

// take works off a batch, and says whether some of it is pion's.
func (s *shard) take(n int) (pion bool) {
	s.at, s.batch = 0, n
	s.lock()
	defer s.unlock()
	s.socket.hurried = s.opening > 0
	for i := range n {
		b, from := s.socket.datagram(i), s.socket.from(i)
		kind := classify(b)
		s.pion[i] = false
		switch kind {
		case isSTUN:
			if s.pion[i] = s.admits(b, from); s.pion[i] {
				pion = true
				continue
			}
		case isDTLS:
			if s.pion[i] = s.paths[from].proven; s.pion[i] {
				pion = true
				continue
			}
		case isMedia:
			if at := s.paths[from]; at.proven {
				at.link.receive(b)
				continue
			}
		}
		s.counts.stray++
	}
	return pion
}

// admits says whether a STUN message may be for one of our ICE agents, which will look whether it is authentic.
func (s *shard) admits(b []byte, from address) bool {
	if _, ok := s.paths[from]; ok {
		return true
	}
	_, ok := s.ufrags[string(stunUser(b))]
	return ok
}

// emit sends on what has arrived: destination by destination, which keeps a key at hand and makes runs of datagrams to
// one address.
func (s *shard) emit() {
	for _, y := range s.fanout {
		y.drain()
	}
	clear(s.fanout) // or the last of a room would be held, and all that it ever knew
	s.fanout = s.fanout[:0]
	s.socket.flush()
}

// What a datagram is, by its first byte (RFC 7983 §7).
type datagramKind uint8

const (
	isUnknown datagramKind = iota
	isSTUN
	isDTLS
	isMedia
)

func classify(b []byte) datagramKind {
	switch {
	case len(b) < 12: // shorter than a header of any of them
	case b[0] < 4:
		return isSTUN
	case b[0] >= 20 && b[0] < 64:
		return isDTLS
	case b[0] >= 128 && b[0] < 192:
		return isMedia
	}
	return isUnknown
}

// isRTCP tells RTCP from RTP by the packet type (RFC 5761 §4).
func isRTCP(b []byte) bool { return b[1] >= 192 && b[1] < 224 }
