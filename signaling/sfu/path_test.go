package sfu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/srtp/v3"
	"pgregory.net/rapid"
)

const gcm = srtp.ProtectionProfileAeadAes128Gcm

func TestWhatIsMissingIsAskedForAndSentAgain(t *testing.T) {
	for name, repair := range map[string]bool{"as RTX": true, "without RTX the same bytes": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, b := r.connect(gcm), r.connect(gcm)
			a.publish()
			b.subscribe(a.track(Camera), 5000, repair)
			for n := uint16(10); n < 20; n++ {
				if n != 15 {
					a.send(vp8(n, uint32(n/5)*3000, n == 10, n%5 == 0, n%5 == 4))
				}
			}
			r.at(tickEvery, a.link.tick)
			_, reports := a.received()
			var nack *rtcp.TransportLayerNack
			for _, p := range reports {
				if n, ok := p.(*rtcp.TransportLayerNack); ok {
					nack = n
				}
			}
			if nack == nil || len(nack.Nacks) != 1 || nack.Nacks[0].PacketID != 15 || nack.Nacks[0].LostPackets != 0 || nack.MediaSSRC != 1000 {
				t.Fatalf("%+v", reports)
			}
			a.send(rtx(vp8(15, 9000, false, true, false), 1))
			before := b.got()
			if len(before) != 10 {
				t.Fatalf("%d packets", len(before))
			}
			// The subscriber has lost what was the third, and the repaired one too.
			third := binary.BigEndian.Uint16(before[2][2:])
			repaired := binary.BigEndian.Uint16(before[9][2:])
			if repaired != third+3 {
				t.Fatalf("%d is not in the gap after %d", repaired, third)
			}
			b.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: 5000, Nacks: []rtcp.NackPair{{PacketID: third, LostPackets: 1 << 2}}})
			// Once more before the first answer can have arrived: no answer.
			b.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: 5000, Nacks: []rtcp.NackPair{{PacketID: third}}})
			again := b.got()
			if len(again) != 2 {
				t.Fatalf("%d packets again", len(again))
			}
			for i, old := range [][]byte{before[2], before[9]} {
				if !repair {
					if !bytes.Equal(again[i], old) {
						t.Fatal("the same number went out with other bytes")
					}
					continue
				}
				plain, err := b.in.DecryptRTP(nil, again[i], nil)
				if err != nil {
					t.Fatal(err)
				}
				first, err := b.in.DecryptRTP(nil, old, nil)
				if err != nil {
					t.Fatal(err)
				}
				var p, q rtp.Packet
				if p.Unmarshal(plain) != nil || q.Unmarshal(first) != nil {
					t.Fatal("not RTP")
				}
				if p.SSRC != 5001 || p.PayloadType != 121 || binary.BigEndian.Uint16(p.Payload) != q.SequenceNumber ||
					!bytes.Equal(p.Payload[2:], q.Payload) || p.Timestamp != q.Timestamp || p.Marker != q.Marker {
					t.Fatalf("%v repeats %v", p, q)
				}
				if bytes.Equal(p.GetExtension(rigTWCC), q.GetExtension(rigTWCC)) {
					t.Fatal("the transport-wide number was used twice")
				}
			}
		})
	}
}

// Whatever comes, in whatever order, again and again: no sequence number is ever sent with two contents, because a nonce
// used twice gives the key away (RFC 7714 §8.4).
func TestNoNumberGoesOutWithTwoContents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		a := r.connect(gcm)
		a.publish()
		subscribers := []*end{r.connect(gcm), r.connect(gcm)}
		seen := []map[[6]byte][]byte{{}, {}}
		next, ssrc, repairs, stamp := uint16(rapid.IntRange(0, 65535).Draw(rt, "first")), uint32(1000), uint16(0), uint32(0)
		var past []*rtp.Packet
		for i := range rapid.IntRange(1, 150).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"next", "next", "next", "next", "gap", "late", "repair", "other", "nack", "join", "tick"}).Draw(rt, "step") {
			case "gap":
				next += uint16(rapid.IntRange(1, 30).Draw(rt, "lost"))
				fallthrough
			case "next":
				stamp += 3000
				p := vp8(next, stamp, rapid.IntRange(0, 5).Draw(rt, "key") == 0, true, true)
				p.SSRC = ssrc
				next++
				past = append(past, p)
				a.send(p)
			case "late": // a packet that had been on its way
				if len(past) > 0 {
					p := *past[rapid.IntRange(0, len(past)-1).Draw(rt, "which")]
					p.SequenceNumber -= uint16(rapid.IntRange(0, 20).Draw(rt, "before"))
					p.SSRC = ssrc
					a.send(&p)
				}
			case "repair":
				if len(past) > 0 {
					repairs++
					p := *past[rapid.IntRange(0, len(past)-1).Draw(rt, "which")]
					p.SequenceNumber -= uint16(rapid.IntRange(0, 20).Draw(rt, "before"))
					p.Payload = append([]byte(nil), p.Payload...)
					p.Payload[50] = byte(i)
					a.send(rtx(&p, repairs))
				}
			case "other": // the publisher begins anew
				ssrc += 10
				next = uint16(rapid.IntRange(0, 65535).Draw(rt, "anew"))
			case "nack":
				for _, e := range subscribers {
					if len(e.link.downs) > 0 {
						last, _, _ := e.link.downs[0].mapper.Last()
						r.at(repeatPause, func() {})
						e.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: 5000, Nacks: []rtcp.NackPair{{PacketID: last - 20, LostPackets: 0xffff}, {PacketID: last - 3, LostPackets: 7}}})
					}
				}
			case "join":
				for i, e := range subscribers {
					if len(e.link.downs) == 0 {
						e.subscribe(a.track(Camera), 5000, i == 1)
						break
					}
				}
			case "tick":
				r.at(tickEvery, func() {
					for l := range r.links {
						l.tick()
					}
				})
			}
			for i, e := range subscribers {
				for _, b := range e.got() {
					if isRTCP(b) {
						continue
					}
					key := [6]byte(append(append([]byte(nil), b[8:12]...), b[2:4]...))
					if old := seen[i][key]; old != nil && !bytes.Equal(old, b) {
						rt.Fatalf("number %d of %d went out with two contents", binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:]))
					}
					seen[i][key] = b
				}
			}
		}
	})
}

func TestReportsTellTheTruth(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	b.subscribe(a.track(Microphone), 6000, false)
	// 100 packets of sound, of which every tenth is lost; the publisher's clock is 5 s slow.
	const slow = 5 * time.Second
	for n := range uint16(100) {
		if n%10 == 9 {
			r.at(20*time.Millisecond, func() {})
			continue
		}
		p := &rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: rigOpus, SSRC: 2000, SequenceNumber: n, Timestamp: uint32(n) * 960},
			Payload: []byte("sound"),
		}
		x := binary.BigEndian.AppendUint16(nil, n)
		if err := p.SetExtension(rigTWCC, x); err != nil {
			t.Fatal(err)
		}
		a.send(p)
		r.at(20*time.Millisecond, func() {})
	}
	there := r.ntp(r.now - slow)
	a.sendRTCP(&rtcp.SenderReport{SSRC: 2000, NTPTime: there, RTPTime: 96000})
	b.received()
	r.at(0, func() { a.link.tick(); b.link.tick() })

	_, reports := a.received()
	var rr *rtcp.ReceiverReport
	var cc *rtcp.TransportLayerCC
	for _, p := range reports {
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			rr = p
		case *rtcp.TransportLayerCC:
			cc = p
		}
	}
	if rr == nil || len(rr.Reports) != 1 {
		t.Fatalf("%+v", reports)
	}
	got := rr.Reports[0]
	if got.SSRC != 2000 || got.TotalLost != 9 || got.LastSequenceNumber != 98 || got.FractionLost != 9*256/99 || got.LastSenderReport != uint32(there>>16) || got.Delay != 0 {
		t.Fatalf("%+v", got)
	}
	if got.Jitter > 48 { // of packets that came like clockwork: at most a millisecond by rounding
		t.Fatalf("jitter %d", got.Jitter)
	}
	if cc == nil || cc.BaseSequenceNumber != 0 || cc.PacketStatusCount != 99 || len(cc.RecvDeltas) != 90 {
		t.Fatalf("%+v", cc)
	}

	_, reports = b.received()
	if len(reports) != 1 {
		t.Fatalf("%+v", reports)
	}
	sr := reports[0].(*rtcp.SenderReport)
	if sr.SSRC != 6000 || sr.PacketCount != 90 || sr.OctetCount != 90*5 || sr.NTPTime != r.ntp(r.now) || sr.RTPTime != 96000 {
		t.Fatalf("%+v, now is %d", sr, r.ntp(r.now))
	}
	// The subscriber answers after 40 ms, of which it took 30 itself.
	r.at(40*time.Millisecond, func() {})
	b.sendRTCP(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 6000, LastSenderReport: uint32(sr.NTPTime >> 16), Delay: 65536 * 30 / 1000}}})
	if d := b.link.rtt - 10*time.Millisecond; d < -time.Millisecond || d > time.Millisecond {
		t.Fatalf("round trip %v", b.link.rtt)
	}
}

func TestWhatIsNotOursIsThrownAwayAndCounted(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	b.subscribe(a.track(Camera), 5000, true)
	key := a.seal(vp8(1, 3000, true, true, true))
	a.deliver(key)
	if n := len(b.got()); n != 1 {
		t.Fatalf("%d packets", n)
	}
	a.deliver(key)
	if r.counts.replayed != 1 {
		t.Fatalf("%+v", r.counts)
	}
	forged := a.seal(vp8(2, 6000, true, true, true))
	forged[40] ^= 1
	a.deliver(forged)
	if r.counts.forged != 1 {
		t.Fatalf("%+v", r.counts)
	}
	other := r.connect(gcm)
	a.deliver(other.seal(vp8(3, 6000, true, true, true))) // somebody else's key
	if r.counts.forged != 2 {
		t.Fatalf("%+v", r.counts)
	}
	a.deliver([]byte("\x90\x60 not a header of RTP, as its extension is longer than it"))
	if r.counts.malformed != 1 {
		t.Fatalf("%+v", r.counts)
	}
	stranger := vp8(4, 6000, true, true, true)
	stranger.SSRC, stranger.PayloadType = 4711, 50
	a.send(stranger)
	if r.counts.unclaimed != 1 {
		t.Fatalf("%+v", r.counts)
	}
	if n := len(b.got()); n != 0 {
		t.Fatalf("%d of them went on", n)
	}
}

func TestAPublisherAt50MbitsHarmsNobody(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publish()
	big := vp8(1, 3000, true, true, true)
	big.Payload = make([]byte, 1200)
	sent := 0
	for r.counts.flooded == 0 && sent < 1000 {
		big.SequenceNumber++
		a.send(big)
		sent++
	}
	if bytes := sent * 1200; bytes < maxRate*9/10 || bytes > maxRate*11/10 {
		t.Fatalf("stopped after %d bytes in %v", bytes, floodWindow)
	}
	r.at(floodWindow, func() {})
	big.SequenceNumber++
	a.send(big)
	if r.counts.flooded != 1 {
		t.Fatal("it was not heard again afterwards")
	}
}

func TestANewcomerGetsTheLastKeyFrameAtOnce(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	for n := uint16(1); n <= 30; n++ {
		a.send(vp8(n, uint32(n)*3000, n == 10, true, true))
	}
	b.subscribe(a.track(Camera), 5000, true)
	a.send(vp8(31, 31*3000, false, true, true))
	media, _ := b.received()
	if len(media) != 22 {
		t.Fatalf("%d packets, want 10 to 31", len(media))
	}
	for i, p := range media {
		if p.Payload[3] != byte(10+i) || p.SequenceNumber != media[0].SequenceNumber+uint16(i) {
			t.Fatalf("packet %d is %d, numbered %d", i, p.Payload[3], p.SequenceNumber)
		}
	}
	if r.counts.keyFrames != 0 {
		t.Fatal("the publisher was asked for another")
	}
}

// fullLine is an ICE-TCP line whose buffer is full.
type fullLine struct {
	net.PacketConn
	full bool
	got  int
}

func (c *fullLine) WriteTo(b []byte, _ net.Addr) (int, error) {
	if c.full {
		return 0, errors.New("full")
	}
	c.got++
	return len(b), nil
}

func TestASlowReceiverSkipsToAKeyFrameAndHarmsNobody(t *testing.T) {
	r := newRig(t)
	a, slow, other := r.connect(gcm), r.connect(gcm), r.connect(gcm)
	a.publish()
	line := &fullLine{}
	slow.link.line = &linkTCPConn{line, slow.link}
	slow.subscribe(a.track(Camera), 5000, true)
	other.subscribe(a.track(Camera), 5000, true)
	asked := r.counts.keyFrames
	for n := uint16(1); n <= 40; n++ {
		line.full = n >= 10 && n < 20
		a.send(vp8(n, uint32(n)*3000, n == 1 || n == 30, true, true))
		if n == 15 {
			r.at(keyFramePause, slow.link.tick)
		}
	}
	if line.got != 9+11 {
		t.Fatalf("%d packets over the slow line: 1 to 9 and 30 to 40 would be right", line.got)
	}
	if r.counts.packetsLost != 1 || r.counts.keyFrames != asked+1 {
		t.Fatalf("%+v", r.counts)
	}
	if media, _ := other.received(); len(media) != 40 {
		t.Fatalf("the other got %d of 40", len(media))
	}
}

func TestLayersNameThemselves(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish("q", "h")
	send := func(rid string, ssrc uint32, n uint16) {
		p := vp8(n, uint32(n)*3000, true, true, true)
		p.SSRC = ssrc
		if rid != "" {
			if err := p.SetExtension(rigRID, []byte(rid)); err != nil {
				t.Fatal(err)
			}
		}
		a.send(p)
	}
	send("", 9000, 1) // nameless
	send("x", 9001, 1)
	if r.counts.unclaimed != 2 {
		t.Fatalf("%+v", r.counts)
	}
	send("h", 9002, 1)
	send("q", 9003, 50)
	u := a.track(Camera)
	if u.layers[0].ssrc != 9003 || u.layers[1].ssrc != 9002 {
		t.Fatalf("%d and %d", u.layers[0].ssrc, u.layers[1].ssrc)
	}
	b.subscribe(u, 5000, true)
	send("", 9003, 51) // known by now
	send("", 9002, 2)
	if media, _ := b.received(); len(media) == 0 {
		t.Fatal("nothing arrived")
	}
}

// A client declares one SSRC for its microphone and its camera, and sends sound under more SSRCs than are remembered: the camera's
// next is taken all the same.
func TestAnSSRCOfTwoTracksHarmsNobody(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publishAs(1000)
	for i := range uint32(maxFlows + 8) {
		p := sound(uint16(i), "sound")
		p.SSRC = 3000 + i
		a.send(p)
		r.at(time.Second, func() {})
	}
	p := vp8(1, 3000, true, true, true)
	p.SSRC = 9000
	a.send(p)
	if u := a.track(Camera); u.layers[0].ssrc != 9000 || u.layers[0].packets != 1 {
		t.Fatalf("the camera is %+v", u.layers[0])
	}
	if len(a.link.flows) > maxFlows {
		t.Fatalf("%d SSRCs are remembered", len(a.link.flows))
	}
}

// A client sends every packet under another SSRC, of the picture or of its repair. No more are remembered, or begin the picture anew, than a client
// needs; another's picture goes on, and so does the client's own when it sends under one SSRC again.
func TestAnSSRCAPacketHarmsNobody(t *testing.T) {
	for _, repair := range []bool{false, true} {
		r := newRig(t)
		a, honest, b := r.connect(gcm), r.connect(gcm), r.connect(gcm)
		a.publish()
		honest.publish()
		b.subscribe(honest.track(Camera), 5000, true)
		y := a.track(Camera).layers[0]
		send := func(ssrc uint32, n uint16) {
			p := vp8(n, 3000, true, true, true)
			if repair {
				p = rtx(p, n)
			}
			p.SSRC = ssrc
			a.send(p)
		}
		before, begun, last := y.cache, 0, uint16(0)
		for i := range uint32(20_000) {
			send(10_000+i, 1)
			if y.cache != before {
				before, begun = y.cache, begun+1
			}
			if i%1000 == 0 {
				last++
				honest.send(vp8(last, uint32(last)*3000, last == 1, true, true))
			}
			r.at(10*time.Millisecond, func() {})
		}
		if n := len(a.link.flows); n > maxFlows {
			t.Errorf("repair %v: %d SSRCs are remembered", repair, n)
		}
		if most := 21 * maxFound; begun > most {
			t.Errorf("the picture began %d times anew", begun)
		}
		if r.counts.unclaimed < 19_000 {
			t.Errorf("repair %v: %d packets were nobody's", repair, r.counts.unclaimed)
		}
		if media, _ := b.received(); len(media) != int(last) {
			t.Errorf("repair %v: %d of another's %d packets arrived", repair, len(media), last)
		}
		r.at(findWindow, func() {})
		for n := range uint16(3) {
			send(7, n+1)
		}
		if y.ssrc != 7 && y.repair != 7 {
			t.Errorf("repair %v: the picture is of %d, its repair of %d", repair, y.ssrc, y.repair)
		}
	}
}

// A client sends every packet in another codec than the one before.
func TestACodecAPacketHarmsNobody(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publish()
	before, begun := a.track(Camera), 0
	for n := range uint16(2_000) {
		p := vp8(n, 3000*uint32(n), true, true, true)
		if n%2 == 1 {
			p.PayloadType = rigAV1
		}
		a.send(p)
		if u := a.track(Camera); u != before {
			before, begun = u, begun+1
		}
	}
	if begun == 0 || begun > maxFound {
		t.Errorf("%d tracks in a moment", begun)
	}
}

// A client begins three layers with their repairs and its sound anew, several times in a row.
func TestAllStreamsMayBeginAnewSeveralTimes(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publish("q", "h", "f")
	for again := range uint32(4) {
		for i, rid := range []string{"q", "h", "f"} {
			p := vp8(1, 3000, true, true, true)
			p.SSRC = 10_000 + 100*again + uint32(i)
			if err := p.SetExtension(rigRID, []byte(rid)); err != nil {
				t.Fatal(err)
			}
			a.send(p)
			p = rtx(vp8(1, 3000, true, true, true), 1)
			p.SSRC = 20_000 + 100*again + uint32(i)
			if err := p.SetExtension(rigRRID, []byte(rid)); err != nil {
				t.Fatal(err)
			}
			a.send(p)
		}
		p := sound(1, "sound")
		p.SSRC = 30_000 + again
		a.send(p)
	}
	for i, y := range a.track(Camera).layers {
		if y.ssrc != 10_300+uint32(i) || y.repair != 20_300+uint32(i) {
			t.Errorf("layer %d is of %d, its repair of %d", i, y.ssrc, y.repair)
		}
	}
	if y := a.track(Microphone).layers[0]; y.ssrc != 30_003 {
		t.Errorf("the sound is of %d", y.ssrc)
	}
}

func TestAnSSRCIsDeclaredOnce(t *testing.T) {
	const declared = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ssrc:1 cname:x\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ssrc-group:FID 2 3\r\na=ssrc:2 cname:x\r\na=ssrc:3 cname:x\r\n"
	sources := map[string]Source{"0": Microphone, "1": Camera}
	for name, c := range map[string]struct {
		was, is string
		refused bool
	}{
		"two streams, one with repair":            {"", "", false},
		"the microphone's is the camera's":        {"a=ssrc:1 ", "a=ssrc:2 ", true},
		"the microphone's is the camera's repair": {"a=ssrc:1 ", "a=ssrc:3 ", true},
	} {
		t.Run(name, func(t *testing.T) {
			var offer sdp.SessionDescription
			if err := offer.UnmarshalString(strings.Replace(declared, c.was, c.is, 1)); err != nil {
				t.Fatal(err)
			}
			a, err := agree(&offer, &offer, sources)
			if c.refused != errors.Is(err, ErrBadDescription) || !c.refused && len(a.sections) != 2 {
				t.Fatalf("%+v %v", a, err)
			}
		})
	}
}

// What a subscriber may still ask for is kept: two round trips of the longest line, and no second more.
func TestTheCacheFitsTheLongestLine(t *testing.T) {
	r := newRig(t)
	a, near, far := r.connect(gcm), r.connect(gcm), r.connect(gcm)
	a.publish()
	up := a.track(Camera)
	y := up.layers[0]
	n := uint16(0)
	play := func() int { // 2 s of 100 packets/s of 1100 bytes
		for range 200 {
			p := vp8(n, uint32(n)*900, n == 0, true, true)
			p.Payload = append(p.Payload, make([]byte, 984)...)
			a.send(p)
			n++
			r.at(10*time.Millisecond, func() { a.link.tick() })
		}
		near.got()
		far.got()
		return y.cache.Size() / 1100
	}
	near.subscribe(up, 5000, true)
	if kept := play(); kept < 100 {
		t.Fatalf("%d packets are kept while the round trip is unknown", kept)
	}
	near.link.rtt = 20 * time.Millisecond
	if kept := play(); kept < 34 || kept > 65 {
		t.Fatalf("%d packets are kept for 20 ms", kept)
	}
	far.subscribe(up, 6000, true)
	far.link.rtt = 800 * time.Millisecond
	if kept := play(); kept < 190 || kept > 240 {
		t.Fatalf("%d packets are kept for 800 ms", kept)
	}
}
