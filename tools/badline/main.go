// Command badline is a bad line between two network interfaces: it carries Ethernet frames from one to the other with a
// rate, a delay and losses. tools/line.sh puts it between a browser and the platform.
//
//	badline -control /tmp/line.sock left right
//
// Each line written to the control socket sets both directions anew: "rate=64000 delay=200ms jitter=20ms loss=0.1". rate is in
// bit/s of IP packets, 0 is unlimited; delay is one way; loss is the part of packets lost, each by itself. Needs CAP_NET_RAW
// and CAP_NET_ADMIN in its network namespace; Linux only.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// line is what a packet meets on its way.
type line struct {
	rate          float64 // bit/s; 0: unlimited
	delay, jitter time.Duration
	loss          float64
}

// queueTime is how much may wait in front of the line before packets are dropped, as in the box of a home: more hides losses and
// ruins talk, less ruins downloads.
const queueTime = 600 * time.Millisecond

const (
	headerSize = 14 // of Ethernet, which a real thin line does not have
	frameSize  = 65536
)

func main() {
	control := flag.String("control", "", "unix socket that takes the settings")
	flag.Parse()
	if flag.NArg() != 2 || *control == "" {
		flag.Usage()
		os.Exit(2)
	}
	left, err := open(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	right, err := open(flag.Arg(1))
	if err != nil {
		log.Fatal(err)
	}
	var now atomic.Pointer[line]
	now.Store(&line{})
	go carry(left, right, &now)
	go carry(right, left, &now)
	if err := listen(*control, &now); err != nil {
		log.Fatal(err)
	}
}

// open gives a packet socket that hears and sends everything on the interface. Its offloads must be off (tools/line.sh): what
// passes has to be what would pass a wire, single packets with their checksums.
func open(name string) (int, error) {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, all)
	if err != nil {
		return 0, fmt.Errorf("packet socket: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: card.Index}); err != nil {
		return 0, fmt.Errorf("bind to %s: %w", name, err)
	}
	return fd, nil
}

// carry takes frames from one interface to the other. Each waits until the line is free, then for the delay.
func carry(from, to int, now *atomic.Pointer[line]) {
	type flight struct {
		frame []byte
		lands time.Time
	}
	air := make(chan flight, 1<<16)
	go func() {
		for f := range air {
			time.Sleep(time.Until(f.lands))
			_ = syscall.Sendto(to, f.frame, 0, nil) // an interface that is down loses it, as a wire would
		}
	}()
	var free, landed time.Time // when the line has sent what waits; when the last one lands: a line does not reorder
	buffer := make([]byte, frameSize)
	for {
		n, sender, err := syscall.Recvfrom(from, buffer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		if link, ok := sender.(*syscall.SockaddrLinklayer); ok && link.Pkttype == syscall.PACKET_OUTGOING {
			continue // what we sent ourselves
		}
		l, at := now.Load(), time.Now()
		if l.rate > 0 {
			if free.Before(at) {
				free = at
			}
			if free.Sub(at) > queueTime {
				continue
			}
			free = free.Add(time.Duration(float64(n-headerSize) * 8 / l.rate * float64(time.Second)))
			at = free
		}
		if l.loss > 0 && rand.Float64() < l.loss {
			continue
		}
		at = at.Add(l.delay)
		if l.jitter > 0 {
			at = at.Add(rand.N(l.jitter))
		}
		if at.Before(landed) {
			at = landed
		}
		landed = at
		select {
		case air <- flight{append([]byte(nil), buffer[:n]...), at}:
		default:
		}
	}
}

func listen(path string, now *atomic.Pointer[line]) error {
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		for s := bufio.NewScanner(c); s.Scan(); {
			set, err := parse(s.Text())
			if err != nil {
				fmt.Fprintln(c, err)
				continue
			}
			now.Store(&set)
			fmt.Fprintln(c, "ok")
		}
		c.Close()
	}
}

func parse(text string) (l line, err error) {
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "rate":
			l.rate, err = strconv.ParseFloat(value, 64)
		case "loss":
			l.loss, err = strconv.ParseFloat(value, 64)
		case "delay":
			l.delay, err = time.ParseDuration(value)
		case "jitter":
			l.jitter, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("no setting %q: rate, delay, jitter, loss", name)
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}
