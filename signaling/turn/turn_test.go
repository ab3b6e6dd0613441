package turn_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	pion "github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"yuanzhen/signaling/gate"
	"yuanzhen/signaling/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// udp opens a socket on loopback and returns it with its address.
func udp(t *testing.T) (net.PacketConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, netip.MustParseAddrPort(conn.LocalAddr().String())
}

func start(t *testing.T, media netip.AddrPort) *turn.Server {
	t.Helper()
	s, err := turn.Start(turn.Options{UDP: loopback, TCP: loopback, TLS: loopback, Peers: []turn.Peer{{Announced: media, Actual: media}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is pion's own TURN client with a credential, over UDP.
func client(t *testing.T, s *turn.Server, user, password string) *pion.Client {
	t.Helper()
	conn, _ := udp(t)
	return clientOver(t, conn, s.UDPAddr().String(), user, password)
}

func clientOver(t *testing.T, conn net.PacketConn, at, user, password string) *pion.Client {
	t.Helper()
	c, err := pion.NewClient(&pion.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: user, Password: password, Realm: "yuanzhen",
		RTO: 50 * time.Millisecond, LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	return c
}

func credential(t *testing.T, s *turn.Server) (user, password string) {
	t.Helper()
	user, password, err := turn.Credential(s.Secret(), "seat")
	if err != nil {
		t.Fatal(err)
	}
	return user, password
}

func TestMediaIsRelayedBothWays(t *testing.T) {
	for _, over := range []string{"UDP", "TCP", "TLS"} {
		t.Run("over "+over, func(t *testing.T) {
			media, at := udp(t)
			s := start(t, at)
			user, password := credential(t, s)
			relay, err := reached(t, s, over, user, password).Allocate()
			if err != nil {
				t.Fatal(err)
			}
			defer relay.Close()
			if _, err := relay.WriteTo([]byte("up"), net.UDPAddrFromAddrPort(at)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 16)
			if err := media.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, from, err := media.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "up" {
				t.Fatalf("got %q, %v", buf[:n], err)
			}
			got := ""
			for range 50 { // a datagram may be lost, such as one that meets the client's own change to a channel
				if _, err := media.WriteTo([]byte("down"), from); err != nil {
					t.Fatal(err)
				}
				if err := relay.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if n, _, err = relay.ReadFrom(buf); err == nil {
					got = string(buf[:n])
					break
				}
			}
			if got != "down" {
				t.Fatalf("got %q, %v", got, err)
			}
		})
	}
}

// reached is a client over one of the server's transports.
func reached(t *testing.T, s *turn.Server, over, user, password string) *pion.Client {
	t.Helper()
	if over == "UDP" {
		return client(t, s, user, password)
	}
	at := s.TCPAddr().String()
	dial := func() (net.Conn, error) { return net.Dial("tcp", at) }
	if over == "TLS" {
		at = s.TLSAddr().String()
		// The certificate is the server's own; that nobody vouches for it is what a trial is.
		dial = func() (net.Conn, error) { return tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true}) }
	}
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	stream := pion.NewSTUNConn(conn)
	t.Cleanup(func() { _ = stream.Close() })
	return clientOver(t, stream, at, user, password)
}

// What is not the relay's client is soon gone, over TCP and over TLS: who says nothing, who speaks TLS alone, whose bytes are no TURN
// and who has no credential. Whoever has an allocation keeps it.
func TestConnectionsWithoutAnAllocationAreSoonGone(t *testing.T) {
	before := turn.SetLimits(gate.Limits{Most: 100, MostOfOne: 100, First: 300 * time.Millisecond, Proof: 2 * time.Second, Idle: time.Minute})
	t.Cleanup(func() { turn.SetLimits(before) })
	_, media := udp(t)
	s := start(t, media)
	user, password := credential(t, s)
	var relays []net.PacketConn
	for _, over := range []string{"TCP", "TLS"} {
		relay, err := reached(t, s, over, user, password).Allocate()
		if err != nil {
			t.Fatal(err)
		}
		defer relay.Close()
		relays = append(relays, relay)
	}
	dial := func(at netip.AddrPort, say string) {
		t.Helper()
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
	}
	shaken, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer shaken.Close()
	for range 10 {
		for _, at := range []netip.AddrPort{s.TCPAddr(), s.TLSAddr()} {
			dial(at, "")
			dial(at, "\x16\x03\x01") // the beginning of a hello
		}
		dial(s.TLSAddr(), "GET / HTTP/1.1\r\n\r\n")                                   // no TLS: pion does not close it
		dial(s.TCPAddr(), "\x00\x01\x00\x00\x21\x12\xa4\x42"+strings.Repeat("x", 12)) // a binding request is answered, and no more
	}
	if open, _ := s.Connections(); open < 10 {
		t.Fatalf("%d connections", open)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		open, refused := s.Connections()
		if open == 2 && refused > 0 {
			t.Logf("%d were sent away late", refused)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, %d refused", open, refused)
		}
	}
	for _, relay := range relays {
		if _, err := relay.WriteTo([]byte("on"), net.UDPAddrFromAddrPort(media)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheSelfMadeCertificateIsForTheAddressTold(t *testing.T) {
	_, media := udp(t)
	s := start(t, media)
	conn, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname("127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if _, urls := s.URLs("turn.example"); len(urls) != 3 || !strings.HasPrefix(urls[2], "turns:turn.example:") {
		t.Fatalf("URLs %v", urls)
	}
}

func TestNothingElseIsRelayed(t *testing.T) {
	_, media := udp(t)
	s := start(t, media)
	user, password := credential(t, s)
	relay, err := client(t, s, user, password).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()

	t.Run("another port of the media address", func(t *testing.T) {
		secret, at := udp(t)
		for range 5 { // the permission is for the address; only the filter knows the port
			if _, err := relay.WriteTo([]byte("knock"), net.UDPAddrFromAddrPort(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := secret.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, _, err := secret.ReadFrom(make([]byte, 16)); err == nil {
			t.Fatalf("%d bytes came through", n)
		}
		// and nothing comes in from it
		to, err := net.ResolveUDPAddr("udp", relay.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := secret.WriteTo([]byte("inject"), to); err != nil {
			t.Fatal(err)
		}
		if err := relay.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, _, err := relay.ReadFrom(make([]byte, 16)); err == nil {
			t.Fatalf("%d bytes came in", n)
		}
	})
	// IANA special-purpose addresses of both families, and the ways to write an IPv4 address in IPv6.
	for _, peer := range []string{
		"0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.2", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
		"192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
		"255.255.255.255", "8.8.8.8",
		"::", "::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:127.0.0.2", "::127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b:1::a00:1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::1", "fc00::1", "fd00:ec2::254",
		"fe80::1", "ff02::1",
	} {
		t.Run(peer, func(t *testing.T) {
			addr := &net.UDPAddr{IP: net.ParseIP(peer), Port: int(media.Port())}
			// pion's client asks for a permission before its first packet to an address.
			if _, err := relay.WriteTo([]byte("x"), addr); err == nil {
				t.Fatalf("a permission for %s was given", peer)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	_, media := udp(t)
	s := start(t, media)
	user, password := credential(t, s)
	refused := func(name, user, password string) {
		t.Run(name, func(t *testing.T) {
			if relay, err := client(t, s, user, password).Allocate(); err == nil {
				_ = relay.Close()
				t.Fatal("an allocation was given")
			}
		})
	}
	refused("wrong password", user, "guess")
	refused("another seat's name", user+"2", password)
	otherUser, otherPassword, err := turn.Credential("another secret", "seat")
	if err != nil {
		t.Fatal(err)
	}
	refused("another house's credential", otherUser, otherPassword)
	refused("a time that is over", "1000000000"+user[strings.Index(user, ":"):], password)

	t.Run("one that runs out keeps its allocation and opens no other", func(t *testing.T) {
		media, at := udp(t)
		s := start(t, at)
		user := strconv.FormatInt(time.Now().Unix()+1, 10) + ":seat"
		mac := hmac.New(sha1.New, []byte(s.Secret()))
		mac.Write([]byte(user))
		password := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		relay, err := client(t, s, user, password).Allocate()
		if err != nil {
			t.Fatal(err)
		}
		defer relay.Close()
		time.Sleep(2100 * time.Millisecond) // credentials count seconds
		if _, err := relay.WriteTo([]byte("on"), net.UDPAddrFromAddrPort(at)); err != nil {
			t.Fatal(err)
		}
		if err := media.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := media.ReadFrom(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		if another, err := client(t, s, user, password).Allocate(); err == nil {
			_ = another.Close()
			t.Fatal("a credential that had run out opened an allocation")
		}
	})
	t.Run("the fifth allocation", func(t *testing.T) {
		for i := range turn.MaxAllocations + 1 {
			relay, err := client(t, s, user, password).Allocate()
			if i < turn.MaxAllocations && err != nil {
				t.Fatalf("allocation %d: %v", i+1, err)
			}
			if i == turn.MaxAllocations && (err == nil || !strings.Contains(err.Error(), "486")) {
				t.Fatalf("allocation %d: %v", i+1, err)
			}
			if err == nil {
				t.Cleanup(func() { _ = relay.Close() })
			}
		}
		if n := s.Allocations(); n != turn.MaxAllocations {
			t.Fatalf("%d allocations", n)
		}
	})
}
