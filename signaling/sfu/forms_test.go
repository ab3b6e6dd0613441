package sfu

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"yuanzhen/signaling/sfu/rtpmap"
)

// A dependency descriptor goes on beside the transport-wide number, whatever its length.
func TestADescriptorGoesWithItsPacket(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	d := b.subscribe(a.track(Camera), 5000, true)
	r.at(0, func() {
		d.mapper = rtpmap.New(rtpmap.AV1, 100)
		d.going = false
		d.bound.descriptor = rigDescriptor
		d.decide()
	})
	for n, size := range []int{3, 16, 17, 80} {
		descriptor := append([]byte{0xc0, 0, byte(n)}, make([]byte, size-3)...)
		p := &rtp.Packet{
			Header: rtp.Header{
				Version: 2, PayloadType: rigAV1, SSRC: 1000, SequenceNumber: uint16(n), Timestamp: uint32(n) * 3000, Marker: true,
				ExtensionProfile: rtp.ExtensionProfileTwoByte, Extension: true,
			},
			Payload: []byte{0x18, 1, 2, 3},
		}
		if err := p.SetExtension(rigDescriptor, descriptor); err != nil {
			t.Fatal(err)
		}
		a.send(p)
		media, _ := b.received()
		if len(media) != 1 {
			t.Fatalf("%d bytes: %d packets", size, len(media))
		}
		if got := media[0].GetExtension(rigDescriptor); !bytes.Equal(got, descriptor) {
			t.Fatalf("% x, want % x", got, descriptor)
		}
		if got := media[0].GetExtension(rigTWCC); len(got) != 2 || got[1] != byte(n) {
			t.Fatalf("number % x", got)
		}
		if !bytes.Equal(media[0].Payload, p.Payload) {
			t.Fatalf("payload % x", media[0].Payload)
		}
	}
}

// sound is a packet of a microphone; older frames, the oldest first, stand before its own in RED.
func sound(sequence uint16, frame string, older ...string) *rtp.Packet {
	p := &rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: rigOpus, SSRC: 2000, SequenceNumber: sequence, Timestamp: 960 * uint32(sequence)},
		Payload: []byte(frame),
	}
	if len(older) == 0 {
		return p
	}
	var blocks []rtpmap.Block
	for i, f := range older {
		blocks = append(blocks, rtpmap.Block{Age: 960 * uint32(len(older)-i), Data: []byte(f)})
	}
	p.PayloadType = rigRED
	p.Payload = rtpmap.AppendRED(nil, rigOpus, blocks, []byte(frame))
	return p
}

// What comes in RED goes on plain, and the packets that did not come are taken out of it, in their order.
func TestREDMendsItsGapsAndGoesOnPlain(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	b.subscribe(a.track(Microphone), 6000, false)
	a.send(sound(10, "ten", "nine"))
	a.send(sound(11, "eleven", "ten"))
	a.send(sound(14, "fourteen", "twelve", "thirteen"))
	a.send(sound(14, "fourteen", "twelve", "thirteen"))
	a.send(sound(13, "thirteen", "twelve"))
	media, _ := b.received()
	want := []string{"ten", "eleven", "twelve", "thirteen", "fourteen"}
	if len(media) != len(want) {
		t.Fatalf("%d packets: %v", len(media), media)
	}
	for i, p := range media {
		if string(p.Payload) != want[i] || p.PayloadType != 120 {
			t.Fatalf("packet %d: %q as %d", i, p.Payload, p.PayloadType)
		}
		if i > 0 && (p.SequenceNumber != media[0].SequenceNumber+uint16(i) || p.Timestamp != media[0].Timestamp+960*uint32(i)) {
			t.Fatalf("packet %d: number %d, time %d", i, p.SequenceNumber, p.Timestamp)
		}
	}
	r.at(0, func() {
		if r.counts.restored != 2 {
			t.Fatalf("%d restored", r.counts.restored)
		}
	})
}

// The sound to a line that loses packets repeats what went before, the more the more it loses; to other lines it is plain.
func TestSoundIsRepeatedForALineThatLoses(t *testing.T) {
	r := newRig(t)
	a, b, c := r.connect(gcm), r.connect(gcm), r.connect(gcm)
	a.publish()
	mic := a.track(Microphone)
	down := b.subscribe(mic, 6000, false)
	deaf := c.subscribe(mic, 7000, false)
	r.at(0, func() { down.bound.redKind, down.bound.twcc, deaf.bound.twcc = rigRED, 0, 0 })
	number := uint16(0)
	frames := func(loss uint8) (kind uint8, blocks []rtpmap.Block, primary []byte) {
		report := &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 6000, FractionLost: loss}}}
		b.sendRTCP(report)
		report.Reports[0].SSRC = 7000
		c.sendRTCP(report)
		r.at(lossFades, func() { b.link.tick(); c.link.tick() })
		for range 5 {
			number++
			a.send(sound(number, fmt.Sprint(number)))
		}
		plain, _ := c.received()
		for _, p := range plain {
			if p.PayloadType != 120 {
				t.Fatalf("who takes no RED got %d", p.PayloadType)
			}
		}
		media, _ := b.received()
		last := media[len(media)-1]
		if last.PayloadType != rigRED {
			return last.PayloadType, nil, last.Payload
		}
		blocks, primary, ok := rtpmap.ReadRED(nil, last.Payload)
		if !ok {
			t.Fatalf("not RED: %q", last.Payload)
		}
		return last.PayloadType, blocks, primary
	}
	for _, x := range []struct {
		loss uint8 // of 256
		want int
	}{{0, 0}, {5, 1}, {26, 2}, {100, 3}, {26, 2}, {0, 0}} {
		kind, blocks, primary := frames(x.loss)
		if len(blocks) != x.want || (kind == rigRED) != (x.want > 0) || string(primary) != fmt.Sprint(number) {
			t.Fatalf("loss %d of 256: kind %d, %v before %q, want %d", x.loss, kind, blocks, primary, x.want)
		}
		for i, block := range blocks {
			ago := x.want - i
			if want := fmt.Sprint(int(number) - ago); string(block.Data) != want || block.Age != 960*uint32(ago) {
				t.Fatalf("loss %d: block %d is %q, %d old", x.loss, i, block.Data, block.Age)
			}
		}
	}
}

// One number goes out with one content: what is repeated stays as it was, though the line's loss has changed meanwhile.
func TestARepeatedPacketOfREDIsTheSame(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	d := b.subscribe(a.track(Microphone), 6000, false)
	r.at(0, func() { d.bound.redKind = rigRED })
	for n := range uint16(6) {
		r.at(0, func() { d.repeats = 2 })
		a.send(sound(n+1, fmt.Sprint(n)))
	}
	first := b.got()
	for _, repeats := range []uint8{0, 3} {
		r.at(time.Second, func() { d.repeats = repeats })
		b.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: 6000, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{d.place(uint16(d.number)).sequence})})
		again := b.got()
		if len(again) != 1 || !bytes.Equal(again[0], first[len(first)-1]) {
			t.Fatalf("with %d: %x, first %x", repeats, again, first[len(first)-1])
		}
	}
}

// A burst that is larger than the cache goes out whole: what would fall out of the cache is sent on before.
func TestABurstLargerThanTheCacheGoesOutWhole(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(gcm), r.connect(gcm)
	a.publish()
	b.subscribe(a.track(Camera), 5000, true)
	const burst = 150
	r.at(0, func() {
		for n := range uint16(burst) {
			p := vp8(n, 3000, n == 0, n == 0, n == burst-1)
			p.Payload = append(p.Payload, make([]byte, 1000)...)
			a.link.receive(a.seal(p))
		}
	})
	if n := r.counts.packetsOut; n != burst { // more than the other end's kernel keeps for it
		t.Fatalf("%d of %d went out", n, burst)
	}
}
