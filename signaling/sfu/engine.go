// Package sfu forwards media between the seats of a room. It knows transports and tracks; who may sit in
// which room, and who waits, is decided by its caller, who makes a Peer only for an admitted seat.
//
// A published track has one goroutine that reads it and writes to the subscribers' down tracks through an
// immutable slice: no room, no lock and no queue lies between, so audio never waits for video.
package sfu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// Options say where media is received. Ports may be 0.
type Options struct {
	UDP netip.AddrPort // the one UDP socket of all media
	TCP netip.AddrPort // ICE over TCP (RFC 6544), for networks without UDP; not listened on when invalid
	// PublicIPs are announced instead of the addresses listened on (at most one a family).
	PublicIPs []netip.Addr
	// SHA1Profile also offers AES128_CM_HMAC_SHA1_80, for browsers from before 2022. Off, media is AEAD only.
	SHA1Profile bool
	// Logs receives what pion has to say; nil is silent. It must not log SDP or addresses above trace.
	Logs logging.LoggerFactory
}

// Engine owns the sockets and makes peers.
type Engine struct {
	api    *webrtc.API
	cert   webrtc.Certificate
	udp    net.PacketConn
	tcp    net.Listener // nil when not listened on
	udpMux ice.UDPMux
	tcpMux ice.TCPMux
	counts counts

	mu     sync.Mutex
	peers  map[*Peer]struct{} // guarded by mu: those that run
	closed bool               // guarded by mu
}

// tcpBuffer is how much a slow ICE-TCP line may lag before packets are dropped: 2 s at 1 Mbit/s. Without it
// one slow line would hold up everybody who listens to the same track.
const tcpBuffer = 256 << 10

// New opens the sockets.
func New(o Options) (*Engine, error) {
	e := &Engine{peers: map[*Peer]struct{}{}}
	media := &webrtc.MediaEngine{}
	if err := registerCodecs(media); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	chain := &interceptor.Registry{}
	if err := registerInterceptors(media, chain); err != nil {
		return nil, fmt.Errorf("register interceptors: %w", err)
	}
	if err := e.listen(o); err != nil {
		return nil, errors.Join(err, e.closeSockets())
	}
	settings, err := e.settings(o)
	if err != nil {
		return nil, errors.Join(err, e.closeSockets())
	}
	if e.cert, err = newCertificate(); err != nil {
		return nil, errors.Join(fmt.Errorf("make DTLS certificate: %w", err), e.closeSockets())
	}
	e.api = webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(chain),
		webrtc.WithSettingEngine(settings))
	return e, nil
}

func (e *Engine) listen(o Options) error {
	var err error
	var lc net.ListenConfig
	if e.udp, err = lc.ListenPacket(context.Background(), "udp", o.UDP.String()); err != nil {
		return fmt.Errorf("listen for media on UDP %s: %w", o.UDP, err)
	}
	e.udpMux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: e.udp, Logger: logger(o.Logs, "udpmux")})
	if !o.TCP.IsValid() {
		return nil
	}
	if e.tcp, err = lc.Listen(context.Background(), "tcp", o.TCP.String()); err != nil {
		return fmt.Errorf("listen for media on TCP %s: %w", o.TCP, err)
	}
	e.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: e.tcp, Logger: logger(o.Logs, "tcpmux"), ReadBufferSize: 32, WriteBufferSize: tcpBuffer,
		FirstStunBindTimeout: handshake, AliveDurationForConnFromStun: handshake,
	})
	return nil
}

func (e *Engine) settings(o Options) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: silent{}}
	if o.Logs != nil {
		s.LoggerFactory = o.Logs
	}
	s.SetICEUDPMux(e.udpMux)
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if e.tcpMux != nil {
		s.SetICETCPMux(e.tcpMux)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(o.UDP.Addr().IsLoopback())
	s.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	profiles := []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM}
	if o.SHA1Profile {
		profiles = append(profiles, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	}
	s.SetSRTPProtectionProfiles(profiles...)
	s.SetReceiveMTU(maxPacket)
	s.SetSCTPMaxMessageSize(maxPointer)
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), handshake)
	})
	if len(o.PublicIPs) > 0 {
		external := make([]string, len(o.PublicIPs))
		for i, ip := range o.PublicIPs {
			external[i] = ip.Unmap().String()
		}
		if err := s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: external, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		}); err != nil {
			return s, fmt.Errorf("announce %v: %w", o.PublicIPs, err)
		}
	}
	return s, nil
}

// UDPAddr is where media arrives.
func (e *Engine) UDPAddr() netip.AddrPort { return addrPort(e.udp.LocalAddr()) }

// TCPAddr is where media arrives over TCP; invalid when not listened on.
func (e *Engine) TCPAddr() netip.AddrPort {
	if e.tcp == nil {
		return netip.AddrPort{}
	}
	return addrPort(e.tcp.Addr())
}

// Close closes all peers and the sockets, and returns when every goroutine has ended.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	peers := slices.Collect(maps.Keys(e.peers))
	e.mu.Unlock()
	for _, p := range peers {
		p.Close()
	}
	for _, p := range peers {
		<-p.Done()
	}
	return e.closeSockets()
}

// adopt counts a peer that starts to run; it refuses when the engine is closed.
func (e *Engine) adopt(p *Peer) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.peers[p] = struct{}{}
	e.counts.peers.Add(1)
	return !e.closed
}

func (e *Engine) disown(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
	e.counts.peers.Add(-1)
}

func (e *Engine) closeSockets() error {
	var errs []error
	if e.udpMux != nil {
		errs = append(errs, e.udpMux.Close())
	}
	if e.tcpMux != nil {
		errs = append(errs, e.tcpMux.Close())
	}
	if e.udp != nil {
		if err := e.udp.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Snapshot counts what the engine carries. Gauges first, then totals since the start.
type Snapshot struct {
	Peers, UpTracks, DownTracks   int64
	PacketsIn, BytesIn            uint64
	PacketsOut, BytesOut          uint64
	PacketsLost                   uint64 // could not be written to a subscriber
	KeyFrameRequests              uint64 // sent to publishers
	PointerMessages, PointerDrops uint64
}

type counts struct {
	peers, ups, downs         atomic.Int64
	packetsIn, bytesIn        atomic.Uint64
	packetsOut, bytesOut      atomic.Uint64
	packetsLost               atomic.Uint64
	keyFrames                 atomic.Uint64
	pointers, pointersDropped atomic.Uint64
}

// Snapshot reads the counters.
func (e *Engine) Snapshot() Snapshot {
	c := &e.counts
	return Snapshot{
		Peers: c.peers.Load(), UpTracks: c.ups.Load(), DownTracks: c.downs.Load(),
		PacketsIn: c.packetsIn.Load(), BytesIn: c.bytesIn.Load(),
		PacketsOut: c.packetsOut.Load(), BytesOut: c.bytesOut.Load(), PacketsLost: c.packetsLost.Load(),
		KeyFrameRequests: c.keyFrames.Load(),
		PointerMessages:  c.pointers.Load(), PointerDrops: c.pointersDropped.Load(),
	}
}
