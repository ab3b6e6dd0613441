package sfu

import (
	"bytes"
	"testing"

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

// Who takes no RED gets the sound without its redundancy; and so does whom the same format has another number.
func TestREDIsTakenOffForWhoTakesNone(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publish()
	red := append([]byte{0x80 | rigOpus, 0, 960 & 0x3f << 2, 3, rigOpus}, "oldnew sound"...)
	for name, c := range map[string]struct {
		kind, red uint8
		want      []byte
	}{
		"takes none":              {rigOpus, 0, []byte("new sound")},
		"takes it":                {rigOpus, rigRED, red},
		"under another number so": {109, rigRED, []byte("new sound")},
	} {
		b := r.connect(gcm)
		d := b.subscribe(a.track(Microphone), 6000, false)
		r.at(0, func() { d.bound.kind, d.bound.redKind = c.kind, c.red })
		a.send(&rtp.Packet{
			Header:  rtp.Header{Version: 2, PayloadType: rigRED, SSRC: 2000, SequenceNumber: uint16(r.keys), Timestamp: 960 * uint32(r.keys)},
			Payload: red,
		})
		media, _ := b.received()
		if len(media) != 1 || !bytes.Equal(media[0].Payload, c.want) {
			t.Fatalf("who %s got %v", name, media)
		}
		want := c.kind
		if len(c.want) == len(red) {
			want = c.red
		}
		if media[0].PayloadType != want {
			t.Fatalf("who %s got it as %d", name, media[0].PayloadType)
		}
	}
}
