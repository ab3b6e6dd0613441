// Package sfu forwards media between the seats of a room. It knows transports and tracks; who may sit in
// which room, and who waits, is decided by its caller, who makes a Peer only for an admitted seat.
//
// The transport is pion's: session descriptions, ICE, DTLS, data channels. Media do not pass through it: see shard.
package sfu

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/gate"
)

// Options say where media is received. Ports may be 0.
type Options struct {
	UDP netip.AddrPort // where media arrive over UDP
	// Shards is how many UDP sockets there are, each with a core's worth of work, on ports that follow one another; 0 is one. All
	// of a room are on the same.
	Shards int
	TCP    netip.AddrPort // ICE over TCP (RFC 6544), for networks without UDP; not listened on when invalid
	// PublicIPs are announced instead of the addresses listened on (at most one a family).
	PublicIPs []netip.Addr
	// SHA1Profile also offers AES128_CM_HMAC_SHA1_80, for browsers from before 2022. Off, media is AEAD only.
	SHA1Profile bool
	// Logs receives what pion has to say; nil is silent. It must not log SDP or addresses above trace.
	Logs logging.LoggerFactory
}

// Engine owns the sockets and makes peers.
type Engine struct {
	media        *webrtc.MediaEngine
	interceptors *interceptor.Registry // empty: packets do not pass there
	settings     webrtc.SettingEngine  // of each connection, but for its keys and muxes
	cert         webrtc.Certificate
	shards       []*shard
	tcp          *gate.Listener // nil when not listened on
	tcpMux       *ice.TCPMuxDefault
	logs         logging.LoggerFactory
	start        time.Time

	peerCount, upCount, downCount, data, dataDropped atomic.Int64

	mu     sync.Mutex
	peers  map[*Peer]struct{} // guarded by mu: those that run
	closed bool               // guarded by mu
}

// tcpBuffer is how much a slow ICE-TCP line may lag before packets are dropped: 2 s at 1 Mbit/s. Without it
// one slow line would hold up everybody who listens to the same track.
const tcpBuffer = 256 << 10

// lines are the limits of ICE-TCP: what a node's visits need and a hospital whose doctors share an address. A check on a line can be
// answered as soon as the client's description is here, which on a bad line follows by some seconds; after that checks come
// every few seconds, and at least every half minute on lines held in reserve.
var lines = gate.Limits{Most: 8000, MostOfOne: 1000, First: handshakeTime, Proof: 30 * time.Second, Idle: 2 * time.Minute}

// New opens the sockets.
func New(o Options) (*Engine, error) {
	e := &Engine{
		peers: map[*Peer]struct{}{}, media: &webrtc.MediaEngine{}, interceptors: &interceptor.Registry{}, logs: o.Logs, start: time.Now(),
	}
	if err := register(e.media); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	var err error
	if e.cert, err = newCertificate(); err != nil {
		return nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	if err := e.listen(o); err != nil {
		return nil, errors.Join(err, e.closeSockets())
	}
	if e.settings, err = e.newSettings(o); err != nil {
		return nil, errors.Join(err, e.closeSockets())
	}
	return e, nil
}

// since is the monotonic time that media work by.
func (e *Engine) since() time.Duration { return time.Since(e.start) }

func (e *Engine) listen(o Options) error {
	for i := range max(o.Shards, 1) {
		at := o.UDP
		if at.Port() != 0 {
			at = netip.AddrPortFrom(at.Addr(), at.Port()+uint16(i))
		}
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return fmt.Errorf("listen for media on UDP %s: %w", at, err)
		}
		s, err := e.newShard(conn)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for media on UDP %s: %w", at, err), conn.Close())
		}
		e.shards = append(e.shards, s)
	}
	if !o.TCP.IsValid() {
		return nil
	}
	var lc net.ListenConfig
	tcp, err := lc.Listen(context.Background(), "tcp", o.TCP.String())
	if err != nil {
		return fmt.Errorf("listen for media on TCP %s: %w", o.TCP, err)
	}
	e.tcp = gate.Listen(tcp, lines)
	e.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: e.tcp, Logger: logger(o.Logs, "tcpmux"), ReadBufferSize: 32, WriteBufferSize: tcpBuffer,
		FirstStunBindTimeout: handshakeTime, AliveDurationForConnFromStun: handshakeTime,
	})
	return nil
}

// shard is where a room's media are.
func (e *Engine) shard(room string) *shard {
	h := fnv.New32a()
	_, _ = h.Write([]byte(room))
	return e.shards[int(h.Sum32()%uint32(len(e.shards)))]
}

func (e *Engine) newSettings(o Options) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: silent{}}
	if o.Logs != nil {
		s.LoggerFactory = o.Logs
	}
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if e.tcpMux != nil {
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	interfaces, err := stdnet.NewNet() // once: each agent would ask the kernel for all interfaces, and keep the answer
	if err != nil {
		return s, fmt.Errorf("look at the network interfaces: %w", err)
	}
	s.SetNet(interfaces)
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
	s.SetSCTPMaxMessageSize(maxData)
	s.SetDTLSInsecureSkipHelloVerify(true) // ICE has proved the client's address before
	s.SetDTLSRetransmissionInterval(handshakeAgain)
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), dtlsTime)
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

// UDPAddrs are where media arrive, one a shard.
func (e *Engine) UDPAddrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(e.shards))
	for i, s := range e.shards {
		addrs[i] = addrPort(s.socket.local)
	}
	return addrs
}

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
	e.peerCount.Add(1)
	return !e.closed
}

func (e *Engine) disown(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
	e.peerCount.Add(-1)
}

func (e *Engine) closeSockets() error {
	var errs []error
	for _, s := range e.shards {
		errs = append(errs, s.close())
	}
	if e.tcpMux != nil {
		errs = append(errs, e.tcpMux.Close())
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
	Peers, UpTracks, DownTracks int64
	PacketsIn, BytesIn          uint64
	PacketsOut, BytesOut        uint64
	PacketsLost                 uint64 // could not be written to a subscriber
	KeyFrameRequests            uint64 // sent to publishers
	Repeats                     uint64 // packets sent again to who missed them
	Restored                    uint64 // packets of sound that did not come, found in later ones
	NACKsSent, NACKsReceived    uint64 // packets asked for, of publishers and by subscribers
	// Packets that were thrown away: of nobody we know; not what they say to be; decrypted to nonsense; seen before or too old;
	// of no track; beyond what one connection may send.
	Stray, Malformed, Forged, Replayed, Unclaimed, Flooded uint64
	DataMessages, DataDrops                                uint64
	Lines                                                  int    // of ICE-TCP
	LinesRefused                                           uint64 // too many, or no valid check on them in time
}

// counts are a shard's part of the totals.
type counts struct {
	packetsIn, bytesIn, packetsOut, bytesOut, packetsLost  uint64
	keyFrames, repeats, restored, nacksSent, nacksReceived uint64
	stray, malformed, forged, replayed, unclaimed, flooded uint64
}

// Snapshot reads the counters.
func (e *Engine) Snapshot() Snapshot {
	t := Snapshot{
		Peers: e.peerCount.Load(), UpTracks: e.upCount.Load(), DownTracks: e.downCount.Load(),
		DataMessages: uint64(e.data.Load()), DataDrops: uint64(e.dataDropped.Load()),
	}
	if e.tcp != nil {
		t.Lines, t.LinesRefused = e.tcp.Count()
	}
	for _, s := range e.shards {
		s.mu.Lock()
		c := s.counts
		c.packetsLost += s.socket.failed
		s.mu.Unlock()
		t.PacketsIn += c.packetsIn
		t.BytesIn += c.bytesIn
		t.PacketsOut += c.packetsOut
		t.BytesOut += c.bytesOut
		t.PacketsLost += c.packetsLost
		t.KeyFrameRequests += c.keyFrames
		t.Repeats += c.repeats
		t.Restored += c.restored
		t.NACKsSent += c.nacksSent
		t.NACKsReceived += c.nacksReceived
		t.Stray += c.stray
		t.Malformed += c.malformed
		t.Forged += c.forged
		t.Replayed += c.replayed
		t.Unclaimed += c.unclaimed
		t.Flooded += c.flooded
	}
	return t
}
