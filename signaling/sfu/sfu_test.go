package sfu

import (
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"yuanzhen/signaling/sfu/rate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

func engine(t *testing.T, o Options) *Engine {
	t.Helper()
	o.UDP = loopback
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// seat is a peer of the engine with a pion client at its other end, wired in process.
type seat struct {
	t      *testing.T
	peer   *Peer // set before seated is closed
	seated chan struct{}
	pub    *webrtc.PeerConnection
	sub    *webrtc.PeerConnection
	broken chan error
	ups    chan *UpTrack
	gone   chan *UpTrack

	mu    sync.Mutex
	media map[string]chan rtp.Packet // by track id
}

func client(t *testing.T, with ...func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	t.Helper()
	var s webrtc.SettingEngine
	s.LoggerFactory = silent{}
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	for _, set := range with {
		set(&s)
	}
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() }) // the server's goodbye may have closed it
	return pc
}

func sit(t *testing.T, e *Engine, r Rights) *seat {
	t.Helper()
	return sitIn(t, e, "room", r)
}

func sitIn(t *testing.T, e *Engine, room string, r Rights) *seat {
	t.Helper()
	s := &seat{
		t: t, pub: client(t), sub: client(t), broken: make(chan error, 1), ups: make(chan *UpTrack, 8), gone: make(chan *UpTrack, 8),
		media: map[string]chan rtp.Packet{}, seated: make(chan struct{}),
	}
	s.sub.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			select {
			case s.packets(track.ID()) <- *p:
			default:
			}
		}
	})
	s.peer = e.NewPeer(Seat{Room: room, Name: rand.Text(), Rights: r}, s)
	close(s.seated)
	t.Cleanup(func() {
		s.peer.Close()
		<-s.peer.Done()
	})
	return s
}

func (s *seat) packets(id string) chan rtp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.media[id] == nil {
		s.media[id] = make(chan rtp.Packet, 4096)
	}
	return s.media[id]
}

func (s *seat) check(err error) {
	if err != nil {
		s.t.Error(err)
	}
}

func (s *seat) Answered(_ uint64, sdp string) {
	s.check(s.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}))
}

func (s *seat) Offered(n uint64, sdp string, _ []OfferedTrack) {
	s.check(s.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}))
	answer, err := s.sub.CreateAnswer(nil)
	s.check(err)
	gathered := webrtc.GatheringCompletePromise(s.sub)
	s.check(s.sub.SetLocalDescription(answer))
	<-gathered
	<-s.seated // the peer offers before NewPeer has returned
	s.peer.Answer(n, s.sub.LocalDescription().SDP)
}

func (s *seat) Published(u *UpTrack)    { s.ups <- u }
func (s *seat) Unpublished(u *UpTrack)  { s.gone <- u }
func (s *seat) Data(Channel, []byte)    {}
func (s *seat) Speaking(bool)           {}
func (s *seat) Wanted(*UpTrack, Demand) {}
func (s *seat) Rung(rate.Rung)          {}
func (s *seat) Broken(err error)        { s.broken <- err }

// publish offers one track of a codec and returns it for writing.
func (s *seat) publish(source Source, mime string, clock uint32) *webrtc.TrackLocalStaticRTP {
	s.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: clock}, string(source), "s")
	if err != nil {
		s.t.Fatal(err)
	}
	tr, err := s.pub.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		s.t.Fatal(err)
	}
	offer, err := s.pub.CreateOffer(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pub)
	if err := s.pub.SetLocalDescription(offer); err != nil {
		s.t.Fatal(err)
	}
	<-gathered
	s.peer.Offer(1, s.pub.LocalDescription().SDP, []Section{{MID: tr.Mid(), Source: source}})
	return track
}

// until writes packets until the condition holds; it numbers them on.
func (s *seat) until(track *webrtc.TrackLocalStaticRTP, p *rtp.Packet, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			s.t.Fatal("it did not happen")
		}
		p.SequenceNumber++
		p.Timestamp += 960
		_ = track.WriteRTP(p) // goes nowhere until connected
		time.Sleep(5 * time.Millisecond)
	}
}

func TestPacketsArriveAsTheyWereSent(t *testing.T) {
	e := engine(t, Options{})
	both := Rights{Publish: true, Subscribe: true}
	for _, c := range []struct {
		source Source
		mime   string
		clock  uint32
		frame  byte // a whole key frame begins with it
	}{
		{Microphone, webrtc.MimeTypeOpus, 48000, 0x78},
		{Camera, webrtc.MimeTypeVP8, 90000, 0x10},
		{Screen, webrtc.MimeTypeH264, 90000, 0x65},
		{Camera, webrtc.MimeTypeVP9, 90000, 0x0c},
		{Camera, webrtc.MimeTypeAV1, 90000, 0x18},
	} {
		t.Run(c.mime, func(t *testing.T) {
			a, b := sit(t, e, both), sit(t, e, both)
			track := a.publish(c.source, c.mime, c.clock)
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 65500}, Payload: []byte{c.frame, 2, 3, 4}}
			var up *UpTrack
			a.until(track, p, func() bool {
				select {
				case up = <-a.ups:
					return true
				default:
					return false
				}
			})
			b.peer.Subscribe(up, "a")
			a.until(track, p, func() bool { return len(b.packets(up.ID)) > 50 })
			// with padding, across the wrap of the sequence number
			p.PaddingSize, p.Padding = 7, true
			a.until(track, p, func() bool { return len(b.packets(up.ID)) > 100 })
			last := -1
			for range 100 {
				got := <-b.packets(up.ID)
				if string(got.Payload) != string(p.Payload) {
					t.Fatalf("payload % x", got.Payload)
				}
				if n := int(got.SequenceNumber); last >= 0 && n != (last+1)&0xffff {
					t.Fatalf("%d after %d", n, last)
				}
				last = int(got.SequenceNumber)
			}
			if got := e.Snapshot(); got.UpTracks != 1 || got.DownTracks != 1 || got.PacketsLost != 0 {
				t.Fatalf("snapshot %+v", got)
			}
			b.peer.Unsubscribe(up)
			a.until(track, p, func() bool { return e.Snapshot().DownTracks == 0 })
			a.peer.Close()
			<-a.peer.Done()
			if got := e.Snapshot(); got.UpTracks != 0 || got.Peers != 1 {
				t.Fatalf("snapshot after close %+v", got)
			}
		})
	}
}

func TestRoomsAreSpreadOverShards(t *testing.T) {
	e := engine(t, Options{Shards: 2})
	if a := e.UDPAddrs(); len(a) != 2 || a[0] == a[1] {
		t.Fatalf("%v", a)
	}
	both := Rights{Publish: true, Subscribe: true}
	rooms := []string{"a"}
	for name := 'b'; len(rooms) < 2; name++ {
		if e.shard(string(name)) != e.shard("a") {
			rooms = append(rooms, string(name))
		}
	}
	var first *UpTrack
	for _, room := range rooms {
		a, b := sitIn(t, e, room, both), sitIn(t, e, room, both)
		track := a.publish(Microphone, webrtc.MimeTypeOpus, 48000)
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte("sound")}
		var up *UpTrack
		a.until(track, p, func() bool {
			select {
			case up = <-a.ups:
				return true
			default:
				return false
			}
		})
		b.peer.Subscribe(up, "a")
		a.until(track, p, func() bool { return len(b.packets(up.ID)) > 20 })
		if first == nil {
			first = up
			continue
		}
		b.peer.Subscribe(first, "somebody of another room")
		if err := <-b.broken; !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
}

// Connections to the ICE-TCP port on which nobody proves to be a client are soon gone; a call there goes on.
func TestLinesOfStrangersAreSoonGone(t *testing.T) {
	before := lines
	t.Cleanup(func() { lines = before })
	lines.First, lines.Proof = 300*time.Millisecond, 2*time.Second
	e := engine(t, Options{TCP: loopback})
	both := Rights{Publish: true, Subscribe: true}
	a, b := sit(t, e, both), sit(t, e, both)
	a.pub = client(t, func(s *webrtc.SettingEngine) { s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4}) })
	track := a.publish(Microphone, webrtc.MimeTypeOpus, 48000)
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte("sound")}
	var up *UpTrack
	a.until(track, p, func() bool {
		select {
		case up = <-a.ups:
			return true
		default:
			return false
		}
	})
	b.peer.Subscribe(up, "a")
	var strangers []net.Conn
	for i := range 30 {
		c, err := net.Dial("tcp", e.TCPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		strangers = append(strangers, c)
		// Nothing, or the beginning of a packet whose end never comes.
		if _, err := c.Write(make([]byte, i%4)); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Snapshot().Lines; got < 2 {
		t.Fatalf("%d lines", got)
	}
	var gone atomic.Int32
	for _, c := range strangers {
		go func() {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				gone.Add(1)
			}
		}()
	}
	a.until(track, p, func() bool { return int(gone.Load()) == len(strangers) })
	if got := e.Snapshot(); got.Lines == 0 || got.Lines > 4 || got.LinesRefused == 0 { // pion's client keeps lines in reserve
		t.Fatalf("%+v", got)
	}
	n := len(b.packets(up.ID))
	a.until(track, p, func() bool { return len(b.packets(up.ID)) > n+50 })
}

func TestKeyFrameRequestsAreMerged(t *testing.T) {
	e := engine(t, Options{})
	a := sit(t, e, Rights{Publish: true})
	track := a.publish(Camera, webrtc.MimeTypeVP8, 90000)
	p := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{0x10}}
	var up *UpTrack
	a.until(track, p, func() bool {
		select {
		case up = <-a.ups:
			return true
		default:
			return false
		}
	})
	start := time.Now()
	for range 1000 {
		up.RequestKeyFrame()
	}
	if n := e.Snapshot().KeyFrameRequests; n != 1 {
		t.Fatalf("%d requests of 1000", n)
	}
	// What was asked in the pause is sent after it, once.
	a.until(track, p, func() bool { return e.Snapshot().KeyFrameRequests == 2 })
	if time.Since(start) < keyFramePause {
		t.Fatal("the second was sent too early")
	}
	a.until(track, p, func() bool { return time.Since(start) > 2*keyFramePause+100*time.Millisecond })
	if n := e.Snapshot().KeyFrameRequests; n != 2 {
		t.Fatalf("%d requests, nobody asked for a third", n)
	}
}

func TestWithoutRightsThereIsNoTransport(t *testing.T) {
	e := engine(t, Options{})
	a := sit(t, e, Rights{})
	a.publish(Camera, webrtc.MimeTypeVP8, 90000)
	if err := <-a.broken; !strings.Contains(err.Error(), ErrRefused.Error()) {
		t.Fatal(err)
	}
	if a.peer.pub.pc != nil || a.peer.sub.pc != nil {
		t.Fatal("a connection was made")
	}
}

func TestATrackUnderAFalseNameIsNotForwarded(t *testing.T) {
	e := engine(t, Options{})
	a := sit(t, e, Rights{Publish: true})
	track := a.publish(Microphone, webrtc.MimeTypeVP8, 90000) // a picture that says it is sound
	p := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{0x10}}
	end := time.Now().Add(time.Second)
	a.until(track, p, func() bool { return time.Now().After(end) })
	if len(a.ups) != 0 || e.Snapshot().UpTracks != 0 {
		t.Fatal("it was published")
	}
}

func TestAFloodEndsItsOwnPeerOnly(t *testing.T) {
	e := engine(t, Options{})
	a, b := sit(t, e, Rights{Publish: true}), sit(t, e, Rights{Publish: true})
	hold := make(chan struct{})
	a.peer.do(func() error { <-hold; return nil })
	for range maxTasks + 2 {
		a.peer.do(func() error { return nil })
	}
	close(hold)
	if err := <-a.broken; err != errFlood {
		t.Fatal(err)
	}
	<-a.peer.Done()
	if e.Snapshot().Peers != 1 || len(b.broken) != 0 {
		t.Fatal("another peer was hurt")
	}
}

func TestMediaIsEncryptedWithAEADOnly(t *testing.T) {
	for name, c := range map[string]struct {
		sha1 bool
		want webrtc.PeerConnectionState
	}{
		"by default an old profile finds no agreement": {false, webrtc.PeerConnectionStateFailed},
		"it may be let in": {true, webrtc.PeerConnectionStateConnected},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, Options{SHA1Profile: c.sha1})
			a := sit(t, e, Rights{Publish: true})
			var s webrtc.SettingEngine
			s.LoggerFactory = silent{}
			s.SetIncludeLoopbackCandidate(true)
			s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
			s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
			s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80)
			media := &webrtc.MediaEngine{}
			if err := media.RegisterDefaultCodecs(); err != nil {
				t.Fatal(err)
			}
			old, err := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
			if err != nil {
				t.Fatal(err)
			}
			defer old.GracefulClose()
			a.pub = old
			reached := make(chan webrtc.PeerConnectionState, 8)
			old.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { reached <- s })
			a.publish(Microphone, webrtc.MimeTypeOpus, 48000)
			for {
				select {
				case s := <-reached:
					if s == c.want || (c.want == webrtc.PeerConnectionStateFailed && s == webrtc.PeerConnectionStateClosed) {
						return
					}
					if s == webrtc.PeerConnectionStateConnected {
						t.Fatal("connected")
					}
				case <-time.After(15 * time.Second):
					t.Fatalf("%s was not reached", c.want)
				}
			}
		})
	}
}

// A browser's first word is two packets, which a thin line cuts: the server begins. An instrument begins itself, and says so once:
// ICE has proved its address.
func TestWhoBeginsAHandshake(t *testing.T) {
	for _, c := range []struct {
		name string
		Rights
		hellos int32
		asked  bool
	}{
		{"a browser", Rights{Publish: true}, 0, true},
		{"an instrument", Rights{Publish: true, Device: true}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sit(t, engine(t, Options{}), c.Rights)
			var hellos, answers atomic.Int32
			a.pub = client(t, func(s *webrtc.SettingEngine) {
				s.SetDTLSClientHelloMessageHook(func(m handshake.MessageClientHello) handshake.Message {
					hellos.Add(1)
					return &m
				})
				s.SetDTLSServerHelloMessageHook(func(m handshake.MessageServerHello) handshake.Message {
					answers.Add(1)
					return &m
				})
			})
			connected := make(chan struct{})
			a.pub.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
				if s == webrtc.PeerConnectionStateConnected {
					close(connected)
				}
			})
			a.publish(Microphone, webrtc.MimeTypeOpus, 48000)
			<-connected
			if hellos.Load() != c.hellos || (answers.Load() > 0) != c.asked {
				t.Errorf("%d hellos, %d answers to one", hellos.Load(), answers.Load())
			}
		})
	}
}

func TestPublicAddressesAreAnnouncedInstead(t *testing.T) {
	e := engine(t, Options{PublicIPs: []netip.Addr{netip.MustParseAddr("203.0.113.7")}})
	offered := make(chan string, 1)
	p := e.NewPeer(Seat{Room: "room", Rights: Rights{Subscribe: true}}, offers{offered})
	defer func() { p.Close(); <-p.Done() }()
	sdp := <-offered
	if !strings.Contains(sdp, " 203.0.113.7 ") || strings.Contains(sdp, " 127.0.0.1 ") {
		t.Fatalf("candidates in\n%s", sdp)
	}
}

type offers struct{ sdp chan string }

func (offers) Answered(uint64, string)                        {}
func (o offers) Offered(_ uint64, s string, _ []OfferedTrack) { o.sdp <- s }
func (offers) Published(*UpTrack)                             {}
func (offers) Unpublished(*UpTrack)                           {}
func (offers) Data(Channel, []byte)                           {}
func (offers) Speaking(bool)                                  {}
func (offers) Wanted(*UpTrack, Demand)                        {}
func (offers) Rung(rate.Rung)                                 {}
func (offers) Broken(error)                                   {}

// A client that lost its socket, or whose network changed before it had answered, gets the same offer: with the same part in the handshake.
func TestAnOfferIsRepeatedAsItWasTold(t *testing.T) {
	o := offers{make(chan string, 4)}
	p := engine(t, Options{}).NewPeer(Seat{Room: "room", Rights: Rights{Subscribe: true}}, o)
	first := <-o.sdp
	if !strings.Contains(first, "a=setup:active") {
		t.Errorf("the server leaves the handshake to the client:\n%s", first)
	}
	for name, again := range map[string]func(){"repeated": p.Repeat, "asked for a new path": p.RestartICE} {
		again()
		if sdp := <-o.sdp; sdp != first {
			t.Errorf("%s:\n%s\nfirst:\n%s", name, sdp, first)
		}
	}
	p.Close()
	<-p.Done()
}

func FuzzOffer(f *testing.F) {
	f.Add("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n")
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n" +
		"a=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n" +
		"a=fingerprint:sha-256 " + strings.Repeat("00:", 31) + "00\r\na=rtpmap:96 VP8/90000\r\n")
	e, err := New(Options{UDP: loopback})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = e.Close() })
	f.Fuzz(func(t *testing.T, sdp string) {
		p := e.NewPeer(Seat{Room: "room", Rights: Rights{Publish: true}}, offers{})
		p.Offer(1, sdp, []Section{{MID: "0", Source: Camera}})
		answered := make(chan struct{})
		if !p.tasks.Put(func() error { close(answered); return nil }) {
			return
		}
		select {
		case <-answered:
		case <-p.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("hung")
		}
		p.Close()
		<-p.Done()
	})
}

// pion closes a connection under locks that its callbacks need as well: whoever asks pion back from a callback waits
// for ever, in a moment of some microseconds. The moments are tried one after the other.
func TestAPeerThatLeavesWhileItsConnectionIsMadeIsGone(t *testing.T) {
	e := engine(t, Options{})
	for i := range 60 {
		s := sit(t, e, Rights{Publish: true})
		connected := make(chan struct{})
		s.pub.OnICEConnectionStateChange(func(c webrtc.ICEConnectionState) {
			if c == webrtc.ICEConnectionStateConnected {
				close(connected)
			}
		})
		s.publish(Microphone, webrtc.MimeTypeOpus, 48000)
		<-connected
		time.Sleep(time.Duration(i) * 500 * time.Microsecond)
		s.peer.Close()
		select {
		case <-s.peer.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("a peer that left %d × 0.5 ms after ICE still closes", i)
		}
	}
}
