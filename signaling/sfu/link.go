package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/sfu/rate"
)

// link is the media of one PeerConnection: what pion would send and receive if it were let. The peer makes and closes it;
// the shard owns all but what is set at construction.
type link struct {
	// Set at construction.
	shard *shard
	peer  *Peer
	api   *webrtc.API
	keys  *keyTap
	ssrc  uint32 // under which we report

	in, out *crypt // nil until DTLS is up
	held    bool   // nothing passes: the client is not admitted yet
	closed  bool

	known  []address               // from which the client may speak
	asked  []address               // to which a check was sent
	ufrags []string                // ours
	lines  map[string]*linkTCPConn // the same over TCP
	to     address                 // where we send: the selected path
	line   *linkTCPConn            // instead, when it is TCP
	far    net.Addr                // its other end
	path   bool                    // there is a selected path

	window   time.Duration // since when bytes are counted
	bytes    int
	arrivals arrivals
	reported time.Duration // last feedback about arrivals
	receiver time.Duration // last receiver report

	agreed *agreement
	flows  map[uint32]*stream
	tracks []*UpTrack

	finding time.Duration // since when found streams are counted
	found   int

	skew   int64 // our NTP time less the publisher's; counts when skewed
	skewed bool

	downs     []*DownTrack    // bound
	rtt       time.Duration   // as the last receiver report tells; 0 unknown
	number    uint16          // transport-wide sequence number of the next packet
	untold    int             // bytes sent since the last packet with such a number
	estimator *rate.Estimator // nil until something is bound
	ladder    *rate.Ladder    // likewise
	rung      rate.Rung
	pack      rate.Rung     // by which the sound for it should be made
	limit     rate.Rung     // the person's
	probing   time.Duration // until when padding is sent
	probeBits int
	decided   time.Duration
	repeats   int           // since the last tick
	mending   time.Duration // until when repeats take their share of the line
	estimated time.Duration // last tick of it
}

// stream is what an SSRC of the publisher is.
type stream struct {
	layer  *layer // nil when its track has ended
	repair bool   // RTX for it
	replays
}

const (
	// maxKnown addresses: a phone with Wi-Fi, mobile network, both families, and a relay in each.
	maxKnown = 8
	// maxAsked: checks go to as many candidates at once.
	maxAsked = 32
	// maxRate is what one connection may send us, in bytes per floodWindow: 50 Mbit/s.
	maxRate     = 50e6 / 8 / 10
	floodWindow = 100 * time.Millisecond
	// firstEstimate of a line is what most have: a picture of 360 lines and sound.
	firstEstimate  = 1_000_000
	estimatorEvery = time.Second
	// maxFlows is how many SSRCs are remembered of a connection: of all its tracks in all layers, each with RTX, twice over.
	maxFlows = 4 * MaxTracks * maxLayers
	// maxFound is how many streams that no offer declares, and changes of codec, are taken in a findWindow: with each, the picture begins anew. Three layers with RTX
	// and sound are seven, and a client may begin all of them anew at once, several times.
	maxFound   = 32
	findWindow = 10 * time.Second
)

// newLink makes a connection whose media are ours.
func (p *Peer) newLink() (*link, *webrtc.PeerConnection, error) {
	e := p.engine
	l := &link{
		shard: p.shard, peer: p, keys: &keyTap{}, held: p.held, lines: map[string]*linkTCPConn{}, flows: map[uint32]*stream{}, limit: rate.High,
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	l.ssrc = binary.BigEndian.Uint32(b[:])
	settings := e.settings
	settings.SetICEUDPMux(linkUDP{p.shard.mux, l})
	if e.tcpMux != nil {
		settings.SetICETCPMux(linkTCP{e.tcpMux, l})
	}
	if p.rights.Device {
		settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
		if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
			return nil, nil, fmt.Errorf("make connection: %w", err)
		}
	}
	l.keys.tap(&settings)
	l.api = webrtc.NewAPI(webrtc.WithMediaEngine(e.media), webrtc.WithInterceptorRegistry(e.interceptors), webrtc.WithSettingEngine(settings))
	pc, err := l.api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{e.cert}, BundlePolicy: webrtc.BundlePolicyMaxBundle,
		RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make connection: %w", err)
	}
	// What pion calls from here must not ask pion back: it calls under its locks, and waits for these calls while
	// it closes.
	dtls := pc.SCTP().Transport()
	dtls.ICETransport().OnSelectedCandidatePairChange(l.selected)
	dtls.OnStateChange(func(s webrtc.DTLSTransportState) {
		if s != webrtc.DTLSTransportStateConnected {
			return
		}
		in, out, err := l.keys.crypts()
		if err != nil {
			p.do(func() error { return err })
			return
		}
		l.up(in, out)
	})
	p.shard.lock()
	p.shard.links[l] = struct{}{}
	p.shard.opening++
	p.shard.unlock()
	return l, pc, nil
}

// up is called once, when DTLS has agreed on keys with who has proved to be the one of the description.
func (l *link) up(in, out *crypt) {
	l.shard.lock()
	defer l.shard.unlock()
	if l.closed {
		return
	}
	l.shard.opening--
	l.in, l.out = in, out
	l.begin()
}

// begin starts what can start.
func (l *link) begin() {
	if !l.ready() {
		return
	}
	for _, d := range l.downs {
		d.begin()
	}
}

// estimate is what the line carries, in bit/s, as far as is known.
func (l *link) estimate() int {
	if l.estimator == nil {
		return firstEstimate
	}
	return l.estimator.Estimate()
}

// lag is how many bytes of stills may wait for the line; less than none where it carries words alone.
func (l *link) lag() int {
	l.shard.lock()
	defer l.shard.unlock()
	switch {
	case l.ladder == nil || l.rung >= rate.Stills:
		return dataLag
	case l.rung == rate.Sound:
		return dripLag
	}
	return -1
}

// roundTrip is how long the client takes to answer; 0 while unknown.
func (l *link) roundTrip() time.Duration {
	if l.rtt > 0 || l.estimator == nil {
		return l.rtt
	}
	return l.estimator.RTT()
}

// ready says whether packets can be sent.
func (l *link) ready() bool { return l.out != nil && l.path && !l.held && !l.closed }

// selected is told the path that ICE has chosen.
func (l *link) selected(pair *webrtc.ICECandidatePair) {
	ip, err := netip.ParseAddr(pair.Remote.Address)
	if err != nil {
		return // mDNS names are resolved before a pair is made
	}
	to := netip.AddrPortFrom(ip, pair.Remote.Port)
	l.shard.lock()
	defer l.shard.unlock()
	if l.closed {
		return
	}
	if pair.Local.Protocol == webrtc.ICEProtocolTCP {
		line := l.lines[to.String()]
		if line == nil {
			return
		}
		l.line, l.far = line, net.TCPAddrFromAddrPort(to)
	} else {
		l.line, l.to = nil, addressOf(to)
	}
	first := !l.path
	l.path = true
	if first {
		l.begin()
	}
}

// path is what is known of an address.
type path struct {
	link   *link
	proven bool // the client has proved to speak from there; else a check was sent to it
}

// learn notes an address.
func (l *link) learn(a address, proven bool) {
	s := l.shard
	s.lock()
	defer s.unlock()
	old, ok := s.paths[a]
	if l.closed || ok && (old.proven && !proven || old == path{l, proven}) {
		return
	}
	if ok {
		old.link.unlearn(a)
	}
	list, most := &l.asked, maxAsked
	if proven {
		list, most = &l.known, maxKnown
	}
	if len(*list) == most {
		l.unlearn((*list)[0])
	}
	*list = append(*list, a)
	s.paths[a] = path{l, proven}
}

func (l *link) unlearn(a address) {
	delete(l.shard.paths, a)
	not := func(x address) bool { return x == a }
	l.known, l.asked = slices.DeleteFunc(l.known, not), slices.DeleteFunc(l.asked, not)
}

// expect notes a user name that checks for this link will bear.
func (l *link) expect(ufrag string) {
	s := l.shard
	s.lock()
	defer s.unlock()
	if !l.closed && !slices.Contains(l.ufrags, ufrag) {
		s.ufrags[ufrag] = struct{}{}
		l.ufrags = append(l.ufrags, ufrag)
	}
}

func (l *link) expectNoMore(ufrag string) {
	s := l.shard
	s.lock()
	defer s.unlock()
	delete(s.ufrags, ufrag)
	l.ufrags = slices.DeleteFunc(l.ufrags, func(u string) bool { return u == ufrag })
}

func (l *link) learnLine(c *linkTCPConn, to net.Addr) {
	s := l.shard
	s.lock()
	defer s.unlock()
	name := addrPort(to).String()
	if l.closed || l.lines[name] == c {
		return
	}
	if len(l.lines) == maxKnown {
		clear(l.lines)
	}
	l.lines[name] = c
}

// close takes the link out of the shard. The connection is closed already.
func (l *link) close() {
	s := l.shard
	s.lock()
	defer s.unlock()
	if l.out == nil && !l.closed {
		s.opening--
	}
	l.closed = true
	for _, a := range slices.Concat(l.known, l.asked) {
		delete(s.paths, a)
	}
	for _, u := range l.ufrags {
		delete(s.ufrags, u)
	}
	delete(s.links, l)
	for _, u := range l.tracks {
		u.end()
	}
	l.tracks, l.downs = nil, nil
}

// receive takes a packet of media that came from the client, or says to.
func (l *link) receive(b []byte) {
	s := l.shard
	if l.in == nil || l.held {
		s.counts.stray++
		return
	}
	if s.now-l.window >= floodWindow {
		l.window, l.bytes = s.now, 0
	}
	if l.bytes += len(b); l.bytes > maxRate {
		s.counts.flooded++
		return
	}
	if isRTCP(b) {
		l.receiveRTCP(b)
		return
	}
	l.receiveRTP(b)
}

func (l *link) receiveRTP(b []byte) {
	s, h := l.shard, &l.shard.header
	if l.agreed == nil || len(b) > maxPacket || !h.parse(b) {
		s.counts.malformed++
		return
	}
	st := l.flows[h.ssrc]
	room, number := s.scratch[:0], firstNumber+uint64(h.sequence)
	if st != nil {
		var fresh bool
		if number, fresh = st.number(h.sequence); !fresh {
			s.counts.replayed++
			return
		}
		if st.layer != nil && !st.repair {
			room = st.layer.reserve(len(b))[:0]
		}
	}
	plain, err := l.in.open(room, b, h.payload, h.ssrc, number)
	if err != nil {
		s.refuse(err)
		return
	}
	if !h.unpad(plain) {
		s.counts.malformed++
		return
	}
	if x := h.extension(plain, l.agreed.extensions.twcc); len(x) == 2 {
		l.arrivals.record(binary.BigEndian.Uint16(x), s.now)
	}
	s.counts.packetsIn++
	s.counts.bytesIn += uint64(len(plain))
	if st == nil || st.layer == nil {
		if st = l.find(h, plain); st == nil {
			s.counts.unclaimed++
			return
		}
		var fresh bool
		if number, fresh = st.number(h.sequence); !fresh {
			s.counts.replayed++
			return
		}
		if !st.repair {
			room = st.layer.reserve(len(plain))[:len(plain)]
			copy(room, plain)
			plain = room
		}
	}
	st.note(number)
	if st.repair {
		if plain = l.repaired(st.layer, plain); plain == nil {
			return
		}
	}
	st.layer.accept(h, plain, st.repair)
}

// refuse counts a packet that could not be decrypted.
func (s *shard) refuse(err error) {
	if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) {
		s.counts.forged++
		return
	}
	s.counts.replayed++
}

// repaired turns an RTX packet into the one it repeats (RFC 4588 §4), nil if it repeats none; the cache has room for it then.
func (l *link) repaired(y *layer, plain []byte) []byte {
	h := &l.shard.header
	f := l.agreed.formats[h.kind]
	if f == nil || !f.repair || h.end-h.payload < 2 { // padding alone probes the line
		return nil
	}
	room := y.reserve(len(plain))
	h.sequence = binary.BigEndian.Uint16(plain[h.payload:])
	h.kind, h.ssrc = f.apt, y.ssrc
	copy(room, plain[:h.payload])
	n := h.payload + copy(room[h.payload:], plain[h.payload+2:h.end])
	h.end = n
	return room[:n]
}

// find tells what a new SSRC is: by the names it bears, else by its payload type if only one m-line has that (RFC 8843 §9.2).
func (l *link) find(h *rtpHeader, plain []byte) *stream {
	x := &l.agreed.extensions
	f := l.agreed.formats[h.kind]
	if f == nil {
		return nil
	}
	section := l.section(string(h.extension(plain, x.mid)), h.kind)
	if section == nil {
		return nil
	}
	rid, repair := string(h.extension(plain, x.rid)), f.repair
	if r := h.extension(plain, x.repairRID); len(r) > 0 {
		rid = string(r)
	}
	index := 0
	if len(section.rids) > 0 {
		if index = slices.Index(section.rids, rid); index < 0 {
			return nil
		}
	}
	if !l.mayFind() {
		return nil
	}
	y := l.track(section).layers[index]
	for _, old := range l.flows {
		if old.layer == y && old.repair == repair {
			old.layer = nil
		}
	}
	if repair {
		y.repair = h.ssrc
	} else {
		if y.ssrc != 0 && y.ssrc != h.ssrc {
			y.replace()
		}
		y.ssrc = h.ssrc
	}
	return l.flow(h.ssrc, y, repair)
}

// mayFind counts a stream that is found or changes its codec, and says whether it may.
func (l *link) mayFind() bool {
	if now := l.shard.now; now-l.finding >= findWindow {
		l.finding, l.found = now, 0
	}
	l.found++
	return l.found <= maxFound
}

func (l *link) section(mid string, kind uint8) *mediaSection {
	var found *mediaSection
	for _, s := range l.agreed.sections {
		switch {
		case mid != "":
			if s.mid == mid {
				return s
			}
		case slices.Contains(s.kinds, kind):
			if found != nil {
				return nil
			}
			found = s
		}
	}
	return found
}

// track gives the track of an m-line.
func (l *link) track(section *mediaSection) *UpTrack {
	for _, u := range l.tracks {
		if u.section == section {
			return u
		}
	}
	u := newUpTrack(l, section)
	l.tracks = append(l.tracks, u)
	return u
}

// agree takes what an offer and its answer have agreed on, and gives the tracks that have ended by it.
func (l *link) agree(a *agreement) (ended []*UpTrack) {
	l.shard.lock()
	defer l.shard.unlock()
	l.agreed = a
	for _, u := range slices.Clone(l.tracks) {
		i := slices.IndexFunc(a.sections, func(s *mediaSection) bool { return s.continues(u.section) })
		if i >= 0 {
			u.section = a.sections[i]
			continue
		}
		l.drop(u)
		ended = append(ended, u)
	}
	for _, s := range a.sections {
		l.declare(s)
	}
	return ended
}

// declare notes the SSRCs that the offer names.
func (l *link) declare(section *mediaSection) {
	for _, f := range section.flows {
		y := l.track(section).layers[0]
		y.ssrc, y.repair = f.ssrc, f.repair
		l.flow(f.ssrc, y, false)
		if f.repair != 0 {
			l.flow(f.repair, y, true)
		}
	}
}

// flow notes what an SSRC is; what was seen of it before stays seen.
func (l *link) flow(ssrc uint32, y *layer, repair bool) *stream {
	st := l.flows[ssrc]
	if st == nil {
		if len(l.flows) >= maxFlows {
			maps.DeleteFunc(l.flows, func(_ uint32, st *stream) bool { return st.layer == nil })
		}
		st = &stream{}
		l.flows[ssrc] = st
	}
	st.layer, st.repair = y, repair
	return st
}

// drop ends a track.
func (l *link) drop(u *UpTrack) {
	l.tracks = slices.DeleteFunc(l.tracks, func(x *UpTrack) bool { return x == u })
	for _, st := range l.flows {
		if st.layer != nil && st.layer.track == u {
			st.layer = nil
		}
	}
	u.end()
}

// continues says whether the m-line carries the same streams as before.
func (s *mediaSection) continues(old *mediaSection) bool {
	return s.mid == old.mid && s.source == old.source && slices.Equal(s.flows, old.flows) && slices.Equal(s.rids, old.rids)
}

// transmit sends what was built in the socket's next buffer, and says whether it went.
func (l *link) transmit(b []byte) bool {
	if l.line == nil {
		l.shard.socket.send(b, &l.to)
		return true
	}
	_, err := l.line.WriteTo(b, l.far)
	return err == nil
}
