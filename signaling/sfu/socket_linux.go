package sfu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket reads and sends many datagrams by one system call (recvmmsg, sendmmsg). Reading belongs to one goroutine;
// sending to whoever holds the shard.
//
// Its descriptor is not the runtime's to poll: there each datagram that arrives wakes a thread out of epoll, whether somebody
// waits for it or not. The reader blocks in the call itself, which makes one switch of one batch.
type socket struct {
	file   *os.File // of a blocking descriptor; counts those who use it
	raw    syscall.RawConn
	local  net.Addr
	closed atomic.Bool
	ip6    bool // an AF_INET6 socket, which takes IPv4 addresses mapped

	in    messages
	work  func(n int) bool
	err   error
	read  time.Time     // when the socket was last seen empty
	pause unix.Timespec // what rest sleeps
	// hurried readers take no rest: a handshake goes to and fro a dozen times. Who works sets it.
	hurried bool

	out      messages
	queued   int // datagrams in out
	heads    int // messages in out: a run of datagrams to one address is one
	sent     int
	segment  int  // size of the run that is being built
	run      int  // datagrams in it
	ended    bool // a shorter one has ended it
	control  []byte
	segments bool // the kernel cuts runs itself (UDP_SEGMENT)
	failed   uint64

	receive, transmit func(fd uintptr) // made once: a closure per call would allocate
}

// messages are what the two system calls take, with a buffer for each.
type messages struct {
	headers []message
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet6 // in an AF_INET socket the first bytes are a RawSockaddrInet4
	bytes   []byte
}

// message is the kernel's struct mmsghdr.
type message struct {
	unix.Msghdr
	size uint32
}

const (
	// maxRun is how many datagrams the kernel takes as one run, and maxRunBytes how long it may be (UDP_MAX_SEGMENTS, and a
	// UDP length field).
	maxRun      = 64
	maxRunBytes = 65000
)

func newMessages(n, size int) messages {
	m := messages{
		headers: make([]message, n), vectors: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet6, n), bytes: make([]byte, n*size),
	}
	for i := range m.headers {
		m.vectors[i].Base = &m.bytes[i*size]
		m.vectors[i].SetLen(size)
		h := &m.headers[i]
		h.Iov = &m.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&m.names[i]))
		h.Namelen = unix.SizeofSockaddrInet6
	}
	return m
}

// newSocket takes conn over.
func newSocket(conn *net.UDPConn) (*socket, error) {
	// Less than asked is what the system allows; it does.
	_, _ = conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer)
	s := &socket{local: conn.LocalAddr(), in: newMessages(maxBatch, maxPacket), out: newMessages(maxBatch, maxDatagram)}
	s.control = make([]byte, maxBatch*unix.CmsgSpace(2))
	s.receive, s.transmit = s.recvmmsg, s.sendmmsg
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reach the socket: %w", err)
	}
	err2 := raw.Control(func(fd uintptr) { err = s.take(int(fd)) })
	if err = errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("take the socket from the poller: %w", err)
	}
	if err = conn.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("take the socket from the poller: %w", err), s.close())
	}
	return s, nil
}

// take makes a descriptor of its own for the socket behind fd, which blocks.
func (s *socket) take(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	s.ip6 = domain == unix.AF_INET6
	_, no := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	s.segments = no == nil
	if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return err
	}
	if err = unix.SetNonblock(fd, false); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	s.file = os.NewFile(uintptr(fd), "media")
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return errors.Join(err, s.file.Close())
	}
	return nil
}

// close wakes the reader too.
func (s *socket) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	// A socket that is not connected says ENOTCONN, and wakes who waits all the same.
	err := s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	return errors.Join(err, s.file.Close())
}

// beat is the least time between two reads of a socket that was found empty. Of a lone visit nearly each datagram is read as
// it comes; the more there are, the more are read at once.
const beat = 2 * time.Millisecond

// rest waits for the next beat.
func (s *socket) rest() {
	if left := beat - time.Since(s.read); left > 0 && !s.hurried {
		s.pause = unix.NsecToTimespec(int64(left))
		_ = unix.Nanosleep(&s.pause, nil) // cut short by a signal it is shorter
	}
}

// recvmmsg reads batches until work says it has enough, or it fails.
func (s *socket) recvmmsg(fd uintptr) {
	for {
		s.rest()
		n, _, err := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&s.in.headers[0])), uintptr(len(s.in.headers)),
			unix.MSG_WAITFORONE, 0, 0)
		if s.closed.Load() {
			s.err = net.ErrClosed
			return
		}
		if err != 0 {
			s.err = err
			return
		}
		if n < maxBatch {
			s.read = time.Now()
		}
		if s.work(int(n)) {
			return
		}
	}
}

// sendmmsg does not block (MSG_DONTWAIT), so the runtime need not know of it: telling it costs a thread switch whenever it
// takes longer than 20 µs, as 64 sends do.
func (s *socket) sendmmsg(fd uintptr) {
	for s.sent < s.heads {
		n, _, err := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.out.headers[s.sent])), uintptr(s.heads-s.sent),
			unix.MSG_DONTWAIT, 0, 0)
		if err == unix.EAGAIN && s.drains(fd) {
			continue
		}
		if err != 0 { // the first of them cannot be sent (no route, too long, nothing drains): the others may
			s.failed++
			if s.out.headers[s.sent].Control != nil {
				s.segments = false // on this path datagrams are fragmented, which excludes runs
			}
			n = 1
		}
		s.sent += int(n)
	}
}

// drains waits until a full socket has room, and says whether it has.
func (s *socket) drains(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(drainTime.Milliseconds()))
	return n > 0 && err == nil || err == unix.EINTR
}

// drainTime is how long a full socket is waited for: what is late by more is worth less than what comes after it.
const drainTime = 20 * time.Millisecond

// serve waits for datagrams and gives each batch of n to work, until that says it has enough.
func (s *socket) serve(work func(n int) bool) error {
	s.work = work
	for {
		s.err = nil
		if err := s.raw.Control(s.receive); err != nil {
			return net.ErrClosed
		}
		switch s.err {
		case nil:
			return nil
		case unix.EINTR, unix.ENOBUFS, unix.ENOMEM: // it passes
		case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH: // an ICMP answer to what we sent
		default:
			return s.err
		}
	}
}

// writeTo sends one datagram at once, beside what is queued.
func (s *socket) writeTo(b []byte, to netip.AddrPort) (int, error) {
	var at unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
	if s.ip6 {
		at = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	var err error
	if e := s.raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, at) }); e != nil {
		return 0, net.ErrClosed
	}
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	return len(b), nil
}

// datagram gives what came as number i of the last read, cut off at maxPacket.
func (s *socket) datagram(i int) []byte {
	return s.in.bytes[i*maxPacket : i*maxPacket+int(s.in.headers[i].size) : (i+1)*maxPacket]
}

// from tells who sent number i of the last read.
func (s *socket) from(i int) address {
	s.in.headers[i].Namelen = unix.SizeofSockaddrInet6 // the kernel has shortened it
	name := &s.in.names[i]
	if s.ip6 {
		return address{name.Addr, swap(name.Port)}
	}
	name4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
	a := address{port: swap(name4.Port)}
	a.ip[10], a.ip[11] = 0xff, 0xff
	copy(a.ip[12:], name4.Addr[:])
	return a
}

// swap turns a port in network order.
func swap(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// next gives the empty buffer of the next datagram to send.
func (s *socket) next() []byte {
	if s.queued == maxBatch {
		s.flush()
	}
	return s.out.bytes[s.queued*maxDatagram : s.queued*maxDatagram : (s.queued+1)*maxDatagram]
}

// send queues b, which was built in the buffer that next gave. Datagrams of one size to one address, the last may be
// shorter, make a run that crosses the kernel as one.
func (s *socket) send(b []byte, to *address) {
	i := s.queued
	s.vectors(i, b)
	s.queued++
	if s.segments && s.heads > 0 && !s.ended && s.run < maxRun && len(b) <= s.segment && (s.run+1)*s.segment <= maxRunBytes && s.last(to) {
		s.run++
		h := &s.out.headers[s.heads-1]
		h.SetIovlen(s.run)
		if s.run == 2 {
			s.cut(h)
		}
		s.ended = len(b) < s.segment
		return
	}
	h := &s.out.headers[s.heads]
	h.Namelen = s.name(s.heads, to)
	h.Iov = &s.out.vectors[i]
	h.SetIovlen(1)
	h.Control = nil
	h.SetControllen(0)
	s.heads++
	s.segment, s.run, s.ended = len(b), 1, false
}

func (s *socket) vectors(i int, b []byte) {
	s.out.vectors[i].Base = &b[0]
	s.out.vectors[i].SetLen(len(b))
}

// last says whether the newest message goes to that address.
func (s *socket) last(to *address) bool {
	name := &s.out.names[s.heads-1]
	if s.ip6 {
		return name.Port == swap(to.port) && name.Addr == to.ip
	}
	name4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
	return name4.Port == swap(to.port) && name4.Addr == [4]byte(to.ip[12:])
}

func (s *socket) name(i int, to *address) uint32 {
	name := &s.out.names[i]
	if s.ip6 {
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(to.port), Addr: to.ip}
		return unix.SizeofSockaddrInet6
	}
	name4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
	*name4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap(to.port), Addr: [4]byte(to.ip[12:])}
	return unix.SizeofSockaddrInet4
}

// cut tells the kernel where the run of a message is to be cut.
func (s *socket) cut(h *message) {
	space := unix.CmsgSpace(2)
	c := s.control[(s.heads-1)*space : s.heads*space]
	head := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
	head.Level, head.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	head.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(c[unix.CmsgLen(0):], uint16(s.segment))
	h.Control = &c[0]
	h.SetControllen(space)
}

// flush sends what is queued.
func (s *socket) flush() {
	if s.queued == 0 {
		return
	}
	s.sent = 0
	// Fails only when the socket is closed.
	_ = s.raw.Control(s.transmit)
	s.queued, s.heads, s.run = 0, 0, 0
}
