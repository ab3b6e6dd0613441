package sfu

import (
	"net/netip"
)

const (
	// maxPacket is the largest datagram read: Ethernet's MTU, which browsers stay well under.
	maxPacket = 1500
	// maxDatagram is the room for one that we send: with our header extensions, the number RTX puts before the payload, and
	// the authentication tag.
	maxDatagram = maxPacket + 64
	// maxBatch is how many datagrams are read or sent by one system call.
	maxBatch = 64
	// socketBuffer is asked of the kernel for both directions: 20 ms of a fully loaded gigabit line.
	socketBuffer = 4 << 20
)

// address is a UDP address as the kernel gives it, fit for a map's key. An IPv4 address is mapped into IPv6.
type address struct {
	ip   [16]byte
	port uint16
}

func addressOf(a netip.AddrPort) address { return address{a.Addr().As16(), a.Port()} }

func (a address) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.ip).Unmap(), a.port)
}
