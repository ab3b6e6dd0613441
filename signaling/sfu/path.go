package sfu

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// A link's view of the muxes. Through it the link learns from which addresses its client speaks: those to which ICE
// answers a check with success, which it does only when the check proved to know the password.

// linkUDP is the shard's UDP mux as the ICE agent of one link sees it.
type linkUDP struct {
	*ice.UDPMuxDefault
	link *link
}

func (m linkUDP) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	c, err := m.UDPMuxDefault.GetConn(ufrag, addr)
	if err != nil {
		return nil, err
	}
	fast, ok := c.(ice.AddrPortReaderWriter)
	if !ok {
		_ = c.Close()
		return nil, net.ErrClosed // never: muxConn is one
	}
	m.link.expect(ufrag)
	return &linkUDPConn{c, fast, m.link}, nil
}

func (m linkUDP) RemoveConnByUfrag(ufrag string) {
	m.link.expectNoMore(ufrag)
	m.UDPMuxDefault.RemoveConnByUfrag(ufrag)
}

// GetListenAddresses leaves out the machine's own when there are others: no client is there.
func (m linkUDP) GetListenAddresses() []net.Addr {
	var out []net.Addr
	all := m.UDPMuxDefault.GetListenAddresses()
	for _, a := range all {
		if u, ok := a.(*net.UDPAddr); !ok || !u.IP.IsLoopback() {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

type linkUDPConn struct {
	net.PacketConn
	fast ice.AddrPortReaderWriter
	link *link
}

func (c *linkUDPConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.fast.ReadFromAddrPort(b)
	c.link.keys.heard(b[:n])
	return n, from, err
}

func (c *linkUDPConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.note(b, to)
	return c.fast.WriteToAddrPort(b, to)
}

func (c *linkUDPConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if a, ok := to.(*net.UDPAddr); ok {
		c.note(b, a.AddrPort())
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *linkUDPConn) note(b []byte, to netip.AddrPort) {
	switch {
	case isSuccess(b):
		c.link.learn(addressOf(to), true)
	case isRequest(b):
		c.link.learn(addressOf(to), false)
	}
}

// linkTCP is the TCP mux likewise.
type linkTCP struct {
	*ice.TCPMuxDefault
	link *link
}

func (m linkTCP) GetConnByUfrag(ufrag string, ip6 bool, local net.IP) (net.PacketConn, error) {
	c, err := m.TCPMuxDefault.GetConnByUfrag(ufrag, ip6, local)
	if err != nil {
		return nil, err
	}
	return &linkTCPConn{c, m.link}, nil
}

// linkTCPConn keeps media from pion on lines of ICE-TCP, where each packet has a length before it (RFC 4571).
type linkTCPConn struct {
	net.PacketConn
	link *link
}

func (c *linkTCPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || classify(b[:n]) != isMedia {
			c.link.keys.heard(b[:n])
			return n, from, err
		}
		s := c.link.shard
		s.lock()
		c.link.receive(b[:n])
		s.unlock()
	}
}

func (c *linkTCPConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if isSuccess(b) {
		c.link.learnLine(c, to)
		c.link.shard.engine.tcp.Prove(to)
	}
	return c.PacketConn.WriteTo(b, to)
}

const (
	stunRequest, stunSuccess = 0x0001, 0x0101 // binding
	stunCookie               = 0x2112a442
	stunHeader               = 20
	stunUsername             = 0x0006
)

// isSuccess recognizes a STUN binding success response, isRequest a request (RFC 8489 §5).
func isSuccess(b []byte) bool {
	return len(b) >= stunHeader && binary.BigEndian.Uint16(b) == stunSuccess
}

func isRequest(b []byte) bool {
	return len(b) >= stunHeader && binary.BigEndian.Uint16(b) == stunRequest
}

// stunUser gives the part of a check's user name that we have chosen, which comes first (RFC 8445 §7.2.2); nil when it is no
// check. What it does not know is not worth pion's parsing.
func stunUser(b []byte) []byte {
	if !isRequest(b) || binary.BigEndian.Uint32(b[4:]) != stunCookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return nil
	}
	for b = b[stunHeader:]; len(b) >= 4; {
		kind, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(b) {
			return nil
		}
		if kind == stunUsername {
			user, _, _ := bytes.Cut(b[4:4+size], []byte(":"))
			return user
		}
		b = b[padded:]
	}
	return nil
}
