package sfu

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/queue"
	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// rig is a shard without pion: links whose keys the test knows, and a clock that the test moves.
type rig struct {
	t testing.TB
	*shard
	keys byte
}

// end is a link with the client's side of it.
type end struct {
	rig     *rig
	link    *link
	conn    *net.UDPConn
	in, out *srtp.Context
}

func newRig(t testing.TB) *rig {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	socket, err := newSocket(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := socket.close(); err != nil {
			t.Error(err)
		}
	})
	e := &Engine{start: time.Now()}
	return &rig{t: t, shard: &shard{engine: e, socket: socket, links: map[*link]struct{}{}, paths: map[address]path{}, now: time.Hour}}
}

// at runs f as the owner of the shard does, without the real clock.
func (r *rig) at(after time.Duration, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now += after
	f()
	r.emit()
}

func (r *rig) connect(profile srtp.ProtectionProfile) *end {
	r.t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	keys := func() (key, salt []byte) {
		r.keys++
		keyLen, _ := profile.KeyLen()
		saltLen, _ := profile.SaltLen()
		key, salt = make([]byte, keyLen), make([]byte, saltLen)
		key[0], salt[0] = r.keys, r.keys
		return key, salt
	}
	theirs := func(key, salt []byte) *srtp.Context {
		c, err := srtp.CreateContext(key, salt, profile, srtp.SRTPNoReplayProtection())
		if err != nil {
			r.t.Fatal(err)
		}
		return c
	}
	ours := func(key, salt []byte) *crypt {
		c, err := newCrypt(key, salt, profile)
		if err != nil {
			r.t.Fatal(err)
		}
		return c
	}
	e := &end{rig: r, conn: conn}
	l := &link{
		shard: r.shard, peer: &Peer{shard: r.shard, tasks: queue.New[func() error]()}, ssrc: 77, lines: map[string]*linkTCPConn{}, flows: map[uint32]*stream{},
		to: addressOf(addrPort(conn.LocalAddr())), path: true, limit: rate.High,
	}
	key, salt := keys()
	e.out, l.in = theirs(key, salt), ours(key, salt)
	key, salt = keys()
	e.in, l.out = theirs(key, salt), ours(key, salt)
	e.link = l
	r.links[l] = struct{}{}
	r.paths[l.to] = path{l, true}
	return e
}

const (
	rigVP8, rigRTX, rigOpus, rigRED, rigAV1 = 96, 97, 111, 63, 104
	rigTWCC, rigRID, rigRRID, rigDescriptor = 3, 10, 11, 12
)

// publish agrees on a camera of VP8 and a microphone. Simulcast streams name themselves.
func (e *end) publish(rids ...string) { e.publishAs(2000, rids...) }

// publishAs declares that SSRC for the microphone.
func (e *end) publishAs(microphone uint32, rids ...string) {
	a := &agreement{extensions: rtpExtensions{twcc: rigTWCC, rid: rigRID, repairRID: rigRRID, descriptor: rigDescriptor}}
	a.formats[rigVP8] = &format{codec: rtpmap.VP8, kind: "video", nack: true, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}}
	a.formats[rigRTX] = &format{kind: "video", repair: true, apt: rigVP8, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000}}
	a.formats[rigOpus] = &format{codec: rtpmap.Opus, kind: "audio", RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000}}
	a.formats[rigRED] = &format{kind: "audio", red: true, apt: rigOpus, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mimeRED, ClockRate: 48000}}
	a.formats[rigAV1] = &format{codec: rtpmap.AV1, kind: "video", RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1, ClockRate: 90000}}
	camera := &mediaSection{mid: "1", source: Camera, kind: "video", kinds: []uint8{rigVP8, rigRTX}, rids: rids}
	if len(rids) == 0 {
		camera.flows = []flow{{ssrc: 1000, repair: 1001}}
	}
	a.sections = []*mediaSection{{mid: "0", source: Microphone, kind: "audio", kinds: []uint8{rigOpus}, flows: []flow{{ssrc: microphone}}}, camera}
	e.link.agree(a)
}

func (e *end) track(s Source) *UpTrack {
	for _, u := range e.link.tracks {
		if u.Source == s {
			return u
		}
	}
	e.rig.t.Fatalf("no track of %s", s)
	return nil
}

// subscribe gives the end a copy of a track under SSRC ssrc; RTX has the next.
func (e *end) subscribe(u *UpTrack, ssrc uint32, repair bool) *DownTrack {
	d := newDownTrack(u, "", e.link)
	b := &binding{ssrc: ssrc, kind: 120, twcc: rigTWCC}
	if repair {
		b.repairSSRC, b.repairKind = ssrc+1, 121
	}
	e.rig.at(0, func() {
		u.downs = append(u.downs, d)
		codec := rtpmap.VP8
		if u.kind == "audio" {
			codec = rtpmap.Opus
		}
		d.bound, d.mapper, d.number, d.repair = b, rtpmap.New(codec, 100), firstNumber+100, firstNumber+7
		e.link.downs = append(e.link.downs, d)
		d.begin()
	})
	return d
}

// seal makes what the client sends.
func (e *end) seal(p *rtp.Packet) []byte {
	e.rig.t.Helper()
	raw, err := p.Marshal()
	if err != nil {
		e.rig.t.Fatal(err)
	}
	b, err := e.out.EncryptRTP(nil, raw, nil)
	if err != nil {
		e.rig.t.Fatal(err)
	}
	return b
}

func (e *end) send(p *rtp.Packet) { e.deliver(e.seal(p)) }

func (e *end) deliver(b []byte) {
	e.rig.at(0, func() { e.link.receive(append([]byte(nil), b...)) })
}

func (e *end) sendRTCP(p ...rtcp.Packet) {
	e.rig.t.Helper()
	raw, err := rtcp.Marshal(p)
	if err != nil {
		e.rig.t.Fatal(err)
	}
	b, err := e.out.EncryptRTCP(nil, raw, nil)
	if err != nil {
		e.rig.t.Fatal(err)
	}
	e.deliver(b)
}

// got is what has arrived at the client, in order: encrypted packets.
func (e *end) got() [][]byte {
	e.rig.t.Helper()
	var all [][]byte
	for {
		b := make([]byte, 2*maxPacket)
		// Loopback delivers within the sender's call: what is there now is all.
		_ = e.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, err := e.conn.Read(b)
		if err != nil {
			return all
		}
		all = append(all, b[:n])
	}
}

// media and reports are what has arrived, decrypted.
func (e *end) received() (media []*rtp.Packet, reports []rtcp.Packet) {
	e.rig.t.Helper()
	for _, b := range e.got() {
		if isRTCP(b) {
			plain, err := e.in.DecryptRTCP(nil, b, nil)
			if err != nil {
				e.rig.t.Fatal(err)
			}
			ps, err := rtcp.Unmarshal(plain)
			if err != nil {
				e.rig.t.Fatal(err)
			}
			reports = append(reports, ps...)
			continue
		}
		plain, err := e.in.DecryptRTP(nil, b, nil)
		if err != nil {
			e.rig.t.Fatal(err)
		}
		p := &rtp.Packet{}
		if err := p.Unmarshal(plain); err != nil {
			e.rig.t.Fatal(err)
		}
		media = append(media, p)
	}
	return media, reports
}

// vp8 is a packet of a picture: a key frame or not, its first packet or a later one.
func vp8(sequence uint16, timestamp uint32, key, first, last bool) *rtp.Packet {
	b := []byte{0, 1, byte(sequence >> 8), byte(sequence)}
	if first {
		b[0] = 0x10
	}
	if key {
		b[1] = 0
	}
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: rigVP8, SSRC: 1000, SequenceNumber: sequence, Timestamp: timestamp, Marker: last},
		Payload: append(b, make([]byte, 100)...),
	}
}

func rtx(p *rtp.Packet, sequence uint16) *rtp.Packet {
	again := *p
	again.PayloadType, again.SSRC, again.SequenceNumber = rigRTX, 1001, sequence
	again.Payload = append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)
	return &again
}
