// Package turn is the embedded relay (RFC 8656) for networks that let nothing through but a connection to a
// known server. It relays to our own media address and port and to nothing else, so it is of no use as a way into the
// house or as a free proxy.
package turn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	pion "github.com/pion/turn/v5"

	"yuanzhen/signaling/gate"
)

const (
	// CredentialLife is how long a credential may open allocations.
	CredentialLife = 10 * time.Minute
	// MaxAllocations of one credential: two connections on two networks, and as many while a restart replaces them.
	MaxAllocations = 8

	realm = "yuanzhen"
)

// limits of connections over TCP and TLS: what a node's visits need and a hospital whose doctors share an address. An allocation
// lives for ten minutes unless it is refreshed (RFC 8656 §3.2); to get one takes four round trips, on a bad line with repeats.
var limits = gate.Limits{Most: 8000, MostOfOne: 1000, First: 10 * time.Second, Proof: 30 * time.Second, Idle: 10 * time.Minute}

// Options configure the relay. Ports may be 0.
type Options struct {
	UDP netip.AddrPort
	TCP netip.AddrPort // not listened on when invalid
	// TLS is for networks that let nothing through but what looks like HTTPS; best at port 443. Not listened on when invalid.
	TLS netip.AddrPort
	// Certificate is what TLS shows; one of our own making when nil, which browsers trust in a trial only.
	Certificate *tls.Certificate
	// Relay is the address that relayed packets leave from and that clients are told; that of UDP when invalid.
	Relay netip.Addr
	// PublicIP is told to clients as the relay's address; Relay when invalid.
	PublicIP netip.Addr
	// Peers are the media addresses and ports that may be relayed to; nothing else may.
	Peers []Peer
	// Secret makes credentials (the REST scheme coturn calls use-auth-secret); drawn at random when empty.
	Secret string
	Logger *slog.Logger // says which peer was refused, at debug; nil is silent
	Logs   logging.LoggerFactory
}

// Peer is a media socket: the address its ICE candidates announce, and the one at which it is reached from here.
// They differ behind a NAT that doesn't send back what comes from inside.
type Peer struct{ Announced, Actual netip.AddrPort }

// Server is a running relay.
type Server struct {
	// Set at construction.
	secret string
	peers  []Peer
	log    *slog.Logger
	udp    net.PacketConn
	tcp    *gate.Listener // nil when not listened on
	tls    *gate.Listener // likewise, below TLS
	public netip.Addr
	server *pion.Server

	mu          sync.Mutex
	allocations map[string]int // guarded by mu: how many a user has
}

// Start opens the sockets and serves until Close.
func Start(o Options) (*Server, error) {
	s := &Server{secret: o.Secret, log: o.Logger, allocations: map[string]int{}}
	if s.secret == "" {
		s.secret = rand.Text()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, p := range o.Peers {
		s.peers = append(s.peers, Peer{unmap(p.Announced), unmap(p.Actual)})
	}
	relay := o.Relay
	if !relay.IsValid() {
		relay = o.UDP.Addr()
	}
	s.public = o.PublicIP
	if !s.public.IsValid() {
		s.public = relay
	}
	certificate := o.Certificate
	var err error
	if o.TLS.IsValid() && certificate == nil {
		if certificate, err = selfMade(s.public); err != nil {
			return nil, fmt.Errorf("certificate for TURN: %w", err)
		}
	}
	if err := s.listen(o); err != nil {
		return nil, errors.Join(err, s.closeSockets())
	}
	gen := &generator{server: s, relay: relay.Unmap(), public: s.public.Unmap()}
	config := pion.ServerConfig{
		Realm:         realm,
		LoggerFactory: o.Logs,
		AuthHandler:   s.authenticate,
		QuotaHandler:  s.quota,
		EventHandler: pion.EventHandler{
			OnAllocationCreated: func(from, _ net.Addr, _, user, _ string, _ net.Addr, _ int) {
				s.count(user, 1)
				s.prove(from)
			},
			OnAllocationDeleted: func(_, _ net.Addr, _, user, _ string) { s.count(user, -1) },
		},
		PacketConnConfigs: []pion.PacketConnConfig{{
			PacketConn: s.udp, RelayAddressGenerator: gen, PermissionHandler: s.permit,
		}},
	}
	if o.Logs == nil {
		config.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	}
	listen := func(l net.Listener) {
		config.ListenerConfigs = append(config.ListenerConfigs, pion.ListenerConfig{Listener: l, RelayAddressGenerator: gen, PermissionHandler: s.permit})
	}
	if s.tcp != nil {
		listen(s.tcp)
	}
	if s.tls != nil {
		listen(tls.NewListener(s.tls, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}))
	}
	if s.server, err = pion.NewServer(config); err != nil {
		return nil, errors.Join(fmt.Errorf("start relay: %w", err), s.closeSockets())
	}
	return s, nil
}

func (s *Server) listen(o Options) error {
	var err error
	var lc net.ListenConfig
	if s.udp, err = lc.ListenPacket(context.Background(), "udp", o.UDP.String()); err != nil {
		return fmt.Errorf("listen for TURN on UDP %s: %w", o.UDP, err)
	}
	for _, l := range []struct {
		name string
		at   netip.AddrPort
		to   **gate.Listener
	}{{"TCP", o.TCP, &s.tcp}, {"TLS", o.TLS, &s.tls}} {
		if !l.at.IsValid() {
			continue
		}
		plain, err := lc.Listen(context.Background(), "tcp", l.at.String())
		if err != nil {
			return fmt.Errorf("listen for TURN on %s %s: %w", l.name, l.at, err)
		}
		*l.to = gate.Listen(plain, limits)
	}
	return nil
}

// selfMade is a certificate for a trial, good for the address that clients are told.
func selfMade(ip netip.Addr) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: realm},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{ip.AsSlice()},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Close ends all allocations and the sockets.
func (s *Server) Close() error { return s.server.Close() }

func (s *Server) closeSockets() error {
	var errs []error
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	for _, l := range s.gates() {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// gates are the listeners that there are.
func (s *Server) gates() []*gate.Listener {
	return slices.DeleteFunc([]*gate.Listener{s.tcp, s.tls}, func(l *gate.Listener) bool { return l == nil })
}

// prove notes that a client over TCP or TLS has an allocation.
func (s *Server) prove(from net.Addr) {
	for _, l := range s.gates() {
		l.Prove(from)
	}
}

// Connections counts those over TCP and TLS, and those that were refused or closed without an allocation.
func (s *Server) Connections() (open int, refused uint64) {
	for _, l := range s.gates() {
		n, r := l.Count()
		open, refused = open+n, refused+r
	}
	return open, refused
}

// UDPAddr is where clients ask for an allocation.
func (s *Server) UDPAddr() netip.AddrPort { return addrPort(s.udp.LocalAddr()) }

// TCPAddr is the same over TCP; invalid when not listened on.
func (s *Server) TCPAddr() netip.AddrPort {
	if s.tcp == nil {
		return netip.AddrPort{}
	}
	return addrPort(s.tcp.Addr())
}

// TLSAddr is the same over TLS; invalid when not listened on.
func (s *Server) TLSAddr() netip.AddrPort {
	if s.tls == nil {
		return netip.AddrPort{}
	}
	return addrPort(s.tls.Addr())
}

// Allocations counts those in force.
func (s *Server) Allocations() int { return s.server.AllocationCount() }

// URLs are the stun:, turn: and turns: URLs of this server, for a host that clients can reach.
func (s *Server) URLs(host string) (stun, turn []string) {
	udp := net.JoinHostPort(host, strconv.Itoa(int(s.UDPAddr().Port())))
	stun, turn = []string{"stun:" + udp}, []string{"turn:" + udp + "?transport=udp"}
	if tcp := s.TCPAddr(); tcp.IsValid() {
		turn = append(turn, "turn:"+net.JoinHostPort(host, strconv.Itoa(int(tcp.Port())))+"?transport=tcp")
	}
	if tls := s.TLSAddr(); tls.IsValid() {
		turn = append(turn, "turns:"+net.JoinHostPort(host, strconv.Itoa(int(tls.Port())))+"?transport=tcp")
	}
	return stun, turn
}

// Secret is what Credential needs to make credentials for this server.
func (s *Server) Secret() string { return s.secret }

// Credential makes a name and password for one holder, good for CredentialLife, here and on any server that shares
// the secret. The holder must not contain a colon.
func Credential(secret, holder string) (username, password string, err error) {
	return pion.GenerateLongTermTURNRESTCredentials(secret, holder, CredentialLife)
}

// authenticate answers for a name of the form "expiry:holder". An allocation needs a credential that is still good; to
// keep one that it has, its holder may go on using the name, else every relayed call would end after CredentialLife.
func (s *Server) authenticate(a *pion.RequestAttributes) (string, []byte, bool) {
	expiry, _, _ := strings.Cut(a.Username, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || (time.Now().Unix() > seconds && (a.Method == stun.MethodAllocate || !s.holds(a.Username))) {
		return "", nil, false
	}
	mac := hmac.New(sha1.New, []byte(s.secret))
	mac.Write([]byte(a.Username))
	password := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// The quota is one credential's, so the whole name with its time is the user.
	return a.Username, pion.GenerateAuthKey(a.Username, a.Realm, password), true
}

func (s *Server) holds(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allocations[user] > 0
}

func (s *Server) quota(user, _ string, _ net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allocations[user] < MaxAllocations
}

func (s *Server) count(user string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allocations[user] += n; s.allocations[user] <= 0 {
		delete(s.allocations, user)
	}
}

// permit is asked for every permission and channel. pion tells only the IP; generator's filter checks the port too.
func (s *Server) permit(_ net.Addr, peer net.IP) bool {
	ip, ok := netip.AddrFromSlice(peer)
	ok = ok && slices.ContainsFunc(s.peers, func(p Peer) bool { return p.Announced.Addr() == ip.Unmap() })
	if !ok {
		s.log.Debug("turn: peer refused", "peer", peer)
	}
	return ok
}

// generator opens a relay socket whose traffic is filtered, and refuses TCP allocations (RFC 6062): media is UDP.
type generator struct {
	server        *Server
	relay, public netip.Addr
}

var errNoTCP = errors.New("TCP allocations are not offered")

func (g *generator) Validate() error { return nil }

func (g *generator) AllocatePacketConn(c pion.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(context.Background(), c.Network, netip.AddrPortFrom(g.relay, 0).String())
	if err != nil {
		return nil, nil, fmt.Errorf("open relay socket: %w", err)
	}
	told := netip.AddrPortFrom(g.public, addrPort(conn.LocalAddr()).Port())
	return filter{conn, g.server}, net.UDPAddrFromAddrPort(told), nil
}

func (g *generator) AllocateListener(pion.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

func (g *generator) AllocateConn(pion.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// filter lets packets pass only to and from the media sockets.
type filter struct {
	net.PacketConn
	server *Server
}

// WriteTo drops what goes elsewhere, as if the network had lost it: the client must not learn what is there.
func (f filter) WriteTo(b []byte, to net.Addr) (int, error) {
	announced := addrPort(to)
	for _, p := range f.server.peers {
		if p.Announced == announced {
			return f.PacketConn.WriteTo(b, net.UDPAddrFromAddrPort(p.Actual))
		}
	}
	return len(b), nil
}

func (f filter) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := f.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		actual := addrPort(from)
		for _, p := range f.server.peers {
			if p.Actual == actual {
				return n, net.UDPAddrFromAddrPort(p.Announced), nil
			}
		}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if udp, ok := a.(*net.UDPAddr); ok {
		return unmap(udp.AddrPort())
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return unmap(ap)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
