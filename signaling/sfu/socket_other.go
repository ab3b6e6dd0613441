//go:build !linux

package sfu

import (
	"net"
	"net/netip"
)

// socket is the portable form of the batched one: a datagram a call.
type socket struct {
	conn    *net.UDPConn
	local   net.Addr
	in      [maxPacket]byte
	size    int
	sender  address
	out     [maxDatagram]byte
	failed  uint64
	hurried bool // of no use here
}

// newSocket takes conn over.
func newSocket(conn *net.UDPConn) (*socket, error) {
	// Less than asked is what the system allows; it does.
	_, _ = conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)
	return &socket{conn: conn, local: conn.LocalAddr()}, nil
}

func (s *socket) serve(work func(n int) bool) error {
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(s.in[:])
		if err != nil {
			return err
		}
		s.size, s.sender = n, addressOf(from)
		if work(1) {
			return nil
		}
	}
}

func (s *socket) datagram(int) []byte { return s.in[:s.size] }

func (s *socket) from(int) address { return s.sender }

func (s *socket) next() []byte { return s.out[:0] }

func (s *socket) send(b []byte, to *address) {
	if _, err := s.conn.WriteToUDPAddrPort(b, to.addrPort()); err != nil {
		s.failed++
	}
}

func (s *socket) flush() {}

func (s *socket) writeTo(b []byte, to netip.AddrPort) (int, error) {
	return s.conn.WriteToUDPAddrPort(b, to)
}

func (s *socket) close() error { return s.conn.Close() }
