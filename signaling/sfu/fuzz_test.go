package sfu

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/stun/v3"
)

// FuzzRTP: what our reader of headers accepts, it reads as pion's does; and nothing makes it or what comes after it fail.
func FuzzRTP(f *testing.F) {
	p := vp8(1, 2, true, true, true)
	_ = p.SetExtension(rigTWCC, []byte{1, 2})
	one, _ := p.Marshal()
	f.Add(one)
	p.Extensions, p.ExtensionProfile = nil, rtp.ExtensionProfileTwoByte
	_ = p.SetExtension(rigRID, bytes.Repeat([]byte{7}, 40))
	two, _ := p.Marshal()
	f.Add(two)
	p.Extension, p.Extensions, p.Padding, p.PaddingSize, p.CSRC = false, nil, true, 9, []uint32{1, 2}
	padded, _ := p.Marshal()
	f.Add(padded)
	f.Fuzz(func(t *testing.T, b []byte) {
		var h rtpHeader
		ok := h.parse(b)
		var theirs rtp.Header
		n, err := theirs.Unmarshal(b)
		if ok && err == nil && b[0]>>6 == 2 {
			if h.payload != n || h.marker != theirs.Marker || h.kind != theirs.PayloadType || h.sequence != theirs.SequenceNumber ||
				h.timestamp != theirs.Timestamp || h.ssrc != theirs.SSRC {
				t.Fatalf("%+v, pion reads %+v", h, theirs)
			}
		}
		if !ok || !h.unpad(b) {
			return
		}
		if h.payload > h.end || h.end > len(b) {
			t.Fatalf("payload from %d to %d of %d", h.payload, h.end, len(b))
		}
		for id := range uint8(20) {
			h.extension(b, id)
		}
		// Through the whole way, as what an authentic publisher sends.
		r := newRig(t)
		a, s := r.connect(gcm), r.connect(gcm)
		a.publish("q", "h")
		s.subscribe(a.track(Microphone), 5000, false)
		if sealed, err := a.out.EncryptRTP(nil, b, nil); err == nil {
			a.deliver(sealed)
			r.at(time.Second, func() { a.link.tick(); s.link.tick() })
		}
		// From one who has declared an SSRC twice, under more SSRCs than are remembered, as sound and as a picture.
		twice := r.connect(gcm)
		twice.publishAs(1000)
		for i := range uint32(maxFlows + 8) {
			b := append([]byte(nil), b...)
			b[1] = b[1]&0x80 | rigOpus
			if i > maxFlows {
				b[1] = b[1]&0x80 | rigVP8
			}
			binary.BigEndian.PutUint32(b[8:], 3000+i)
			if sealed, err := twice.out.EncryptRTP(nil, b, nil); err == nil {
				twice.deliver(sealed)
			}
		}
	})
}

// FuzzRTCP: nothing that a client with keys can report makes us fail.
func FuzzRTCP(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.TransportLayerNack{MediaSSRC: 5000, Nacks: []rtcp.NackPair{{PacketID: 100, LostPackets: 3}}},
		&rtcp.PictureLossIndication{MediaSSRC: 5000},
		&rtcp.FullIntraRequest{MediaSSRC: 5000, FIR: []rtcp.FIREntry{{SSRC: 5000, SequenceNumber: 1}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1e6, SSRCs: []uint32{5000}},
		&rtcp.SenderReport{SSRC: 1000, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 5000, FractionLost: 9}}},
		&rtcp.ReceiverReport{SSRC: 1000, Reports: []rtcp.ReceptionReport{{SSRC: 5000}}},
		&rtcp.Goodbye{Sources: []uint32{1000}},
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(append((&arrivalsSeed{}).report(), 0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0x13, 0x88))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRig(t)
		a := r.connect(gcm)
		a.publish()
		s := r.connect(gcm)
		s.subscribe(a.track(Camera), 5000, true)
		a.send(vp8(1, 3000, true, true, true))
		if len(b) < 8 {
			return
		}
		for _, e := range []*end{a, s} {
			if sealed, err := e.out.EncryptRTCP(nil, append([]byte(nil), b...), nil); err == nil {
				e.deliver(sealed)
				r.at(time.Second, e.link.tick)
			}
		}
	})
}

type arrivalsSeed struct{ arrivals }

func (a *arrivalsSeed) report() []byte {
	for i, n := range []uint16{0, 1, 2, 5, 6, 30} {
		a.record(n, time.Duration(i)*30*time.Millisecond)
	}
	return a.arrivals.report(nil, 1, 5000)
}

// FuzzSTUN: who bears a name of ours is let through to pion and nobody else, and what pion can read we read alike.
func FuzzSTUN(f *testing.F) {
	for _, user := range []string{"ours:theirs", "other:theirs", ":", ""} {
		m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(user), stun.Fingerprint)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Raw)
	}
	f.Add([]byte{1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	s := &shard{paths: map[address]path{}, ufrags: map[string]struct{}{"ours": {}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		classify(b)
		m := &stun.Message{Raw: append([]byte(nil), b...)}
		user, err := []byte(nil), m.Decode()
		if err == nil && m.Type == stun.BindingRequest {
			user, _ = m.Get(stun.AttrUsername)
		}
		name, _, _ := bytes.Cut(user, []byte(":"))
		got := s.admits(b, address{})
		if got && string(stunUser(b)) != "ours" {
			t.Fatal("a stranger was let in")
		}
		if err == nil && string(name) == "ours" && !got && len(b) == 20+int(m.Length) {
			t.Fatal("one of ours was kept out")
		}
	})
}

// A server's hello is read from the line before its sender is known.
func FuzzHello(f *testing.F) {
	suite := uint16(cipherSuite)
	m := &handshake.MessageServerHello{Version: protocol.Version1_2, CipherSuiteID: &suite, CompressionMethod: &protocol.CompressionMethod{},
		Extensions: []extension.Extension{&extension.UseSRTP{ProtectionProfiles: []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM}}}}
	m.Random.RandomBytes[0] = 9
	record := &recordlayer.RecordLayer{Header: recordlayer.Header{Version: protocol.Version1_2}, Content: &handshake.Handshake{Message: m}}
	hello, err := record.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Add(hello[:len(hello)-3])
	pieces := bytes.Clone(hello)
	pieces[24]-- // the length of this piece
	f.Add(pieces)
	f.Fuzz(func(t *testing.T, b []byte) {
		k := &keyTap{}
		k.heard(b)
		if bytes.Equal(b, hello) != (k.profile != 0) && bytes.HasPrefix(hello, b) {
			t.Fatalf("of %d bytes the profile %d is read", len(b), k.profile)
		}
		if k.serving || k.profile != 0 && !bytes.Contains(b, k.server[4:]) {
			t.Fatalf("%+v of % x", k.server, b)
		}
	})
}
