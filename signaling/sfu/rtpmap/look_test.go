package rtpmap_test

import (
	"bytes"
	"testing"

	"yuanzhen/signaling/sfu/rtpmap"
)

func TestLooks(t *testing.T) {
	for name, c := range map[string]struct {
		codec   rtpmap.Codec
		payload []byte
		marker  bool
		want    rtpmap.Look
	}{
		"Opus stands alone": {rtpmap.Opus, []byte{0x78, 1, 2}, true,
			rtpmap.Look{Media: true, Key: true, Start: true, End: true, Marker: true}},
		"nothing but padding": {rtpmap.VP8, nil, false, rtpmap.Look{}},
		"VP8 key frame with the least descriptor": {rtpmap.VP8, []byte{0x10, 0x00, 0, 0}, false,
			rtpmap.Look{Media: true, Key: true, Start: true, Switch: true}},
		"VP8 inter frame": {rtpmap.VP8, []byte{0x10, 0x01, 0, 0}, true,
			rtpmap.Look{Media: true, Start: true, End: true, Marker: true, Switch: true}},
		"VP8 second partition starts no frame": {rtpmap.VP8, []byte{0x11, 0x00}, false,
			rtpmap.Look{Media: true, Switch: true}},
		"VP8 with 15 bit picture id, TL0PICIDX and layer 2, not a switching point": {rtpmap.VP8,
			[]byte{0x90, 0xe0, 0x92, 0x34, 0x56, 0x80, 0x01, 0}, false,
			rtpmap.Look{Media: true, Start: true, Temporal: 2, Picture: 0x1234, PictureAt: 2, PictureLen: 2, TL0: 0x56, TL0At: 4}},
		"VP8 with 7 bit picture id, layer 1 that is a switching point": {rtpmap.VP8,
			[]byte{0x90, 0xa0, 0x12, 0x60, 0x01}, false,
			rtpmap.Look{Media: true, Start: true, Temporal: 1, Switch: true, Picture: 0x12, PictureAt: 2, PictureLen: 1}},
		"VP8 descriptor that ends early":        {rtpmap.VP8, []byte{0x90, 0xe0, 0x92, 0x34, 0x56}, false, rtpmap.Look{}},
		"VP8 descriptor without a frame behind": {rtpmap.VP8, []byte{0x10}, false, rtpmap.Look{}},
		"VP9 key picture, base layer": {rtpmap.VP9, []byte{0xac, 0x81, 0x02, 0x01, 0x07, 0xff}, false,
			rtpmap.Look{Media: true, Key: true, Start: true, End: true, Switch: true, Picture: 0x102, PictureAt: 1, PictureLen: 2, TL0: 7, TL0At: 4}},
		"VP9 key picture, second spatial layer": {rtpmap.VP9, []byte{0xa8, 0x05, 0x03, 0x07, 0xff}, false,
			rtpmap.Look{Media: true, Start: true, Switch: true, Spatial: 1, Picture: 5, PictureAt: 1, PictureLen: 1, TL0: 7, TL0At: 3}},
		"VP9 inter picture of temporal layer 2 with switching point, flexible mode": {rtpmap.VP9, []byte{0xf4, 0x05, 0x50, 0x02, 0xff}, true,
			rtpmap.Look{Media: true, End: true, Marker: true, Switch: true, Temporal: 2, Picture: 5, PictureAt: 1, PictureLen: 1}},
		"VP9 without its layer byte": {rtpmap.VP9, []byte{0xa8, 0x05}, false, rtpmap.Look{}},
		"H264 IDR slice":             {rtpmap.H264, []byte{0x65, 1}, true, rtpmap.Look{Media: true, Key: true, Start: true, End: true, Marker: true, Switch: true}},
		"H264 inter slice":           {rtpmap.H264, []byte{0x41, 1}, false, rtpmap.Look{Media: true, Start: true, Switch: true}},
		"H264 STAP-A with parameter sets": {rtpmap.H264, []byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1}, false,
			rtpmap.Look{Media: true, Key: true, Start: true, Switch: true}},
		"H264 STAP-A that lies about a size": {rtpmap.H264, []byte{0x78, 0, 9, 0x67}, false, rtpmap.Look{}},
		"H264 FU-A that begins an IDR":       {rtpmap.H264, []byte{0x7c, 0x85, 1}, false, rtpmap.Look{Media: true, Key: true, Start: true, Switch: true}},
		"H264 FU-A that goes on":             {rtpmap.H264, []byte{0x7c, 0x05, 1}, false, rtpmap.Look{Media: true, Switch: true}},
		"AV1 new sequence":                   {rtpmap.AV1, []byte{0x18, 1}, false, rtpmap.Look{Media: true, Key: true, Start: true, Switch: true}},
		"AV1 continued unit":                 {rtpmap.AV1, []byte{0x90, 1}, true, rtpmap.Look{Media: true, End: true, Marker: true, Switch: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.codec.Look(c.payload, c.marker); got != c.want {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRewriteTouchesTheNumbersAlone(t *testing.T) {
	p := []byte{0x90, 0xe0, 0x92, 0x34, 0x56, 0x80, 0x01, 9}
	l := rtpmap.VP8.Look(p, false)
	l.Rewrite(p, 0x4321, 0x99)
	if want := []byte{0x90, 0xe0, 0xc3, 0x21, 0x99, 0x80, 0x01, 9}; !bytes.Equal(p, want) {
		t.Errorf("got % x want % x", p, want)
	}
	l.Rewrite(p[:3], 1, 1) // shorter than what was read: left as it is
}

// What was put into RED comes out of it, and what is cut short is refused.
func TestREDGivesBackItsBlocks(t *testing.T) {
	older := []rtpmap.Block{{Age: 1920, Data: []byte("older")}, {Age: 960, Data: []byte("old")}}
	red := rtpmap.AppendRED(nil, 111, older, []byte("new"))
	blocks, primary, ok := rtpmap.ReadRED(nil, red)
	if !ok || string(primary) != "new" || len(blocks) != 2 {
		t.Fatalf("%v %q %v", blocks, primary, ok)
	}
	for i, b := range blocks {
		if b.Age != older[i].Age || string(b.Data) != string(older[i].Data) {
			t.Fatalf("block %d: %v", i, b)
		}
	}
	for n := range len(red) - len("new") + 1 {
		if _, _, ok := rtpmap.ReadRED(nil, red[:n]); ok {
			t.Fatalf("%d of %d bytes are taken for RED", n, len(red))
		}
	}
	many := make([]rtpmap.Block, rtpmap.MaxBlocks+3)
	for i := range many {
		many[i] = rtpmap.Block{Age: uint32(len(many) - i), Data: []byte{byte(i)}}
	}
	blocks, _, ok = rtpmap.ReadRED(nil, rtpmap.AppendRED(nil, 111, many, []byte("new")))
	if !ok || len(blocks) != rtpmap.MaxBlocks || blocks[0].Data[0] != 3 {
		t.Fatalf("%v %v", blocks, ok)
	}
}

// pack writes fields of (value, bits).
func pack(fields ...[2]uint32) []byte {
	var out []byte
	n := 0
	for _, f := range fields {
		for i := int(f[1]) - 1; i >= 0; i-- {
			if n%8 == 0 {
				out = append(out, 0)
			}
			out[n/8] |= byte(f[0]>>i&1) << (7 - n%8)
			n++
		}
	}
	return out
}

// l1t2 is a structure of one spatial and two temporal layers: template 0 is T0, template 1 is T1.
func l1t2(start, template uint32) []byte {
	return pack([2]uint32{start, 1}, [2]uint32{1, 1}, [2]uint32{template, 6}, [2]uint32{7, 16},
		[2]uint32{0b10000, 5},            // a structure follows
		[2]uint32{5, 6}, [2]uint32{1, 5}, // template_id_offset 5, 2 targets
		[2]uint32{1, 2}, [2]uint32{3, 2}, // next temporal, end
		[2]uint32{0b1010, 4}, [2]uint32{0b0010, 4}, // T0 in both as switch; T1 in the second as switch (target order 0, 1)
		[2]uint32{0, 1}, [2]uint32{0b1_0000_0, 6}, // fdiffs
		[2]uint32{0, 1}, [2]uint32{0, 1}, // chains 0 of ns(3), no resolutions
	)
}

func TestDependencyDescriptor(t *testing.T) {
	var d rtpmap.Descriptor
	l := rtpmap.Look{Media: true}
	short := func(start, end, template uint32) []byte {
		return pack([2]uint32{start, 1}, [2]uint32{end, 1}, [2]uint32{template, 6}, [2]uint32{8, 16})
	}
	if d.Read(short(1, 1, 5), &l) {
		t.Fatal("a frame was understood before its structure came")
	}
	if !d.Read(l1t2(1, 5), &l) || !l.Key || !l.Start || !l.End || l.Temporal != 0 || !l.Switch {
		t.Fatalf("key frame: %+v", l)
	}
	if !d.Read(short(1, 0, 6), &l) || l.Key || !l.Start || l.End || l.Temporal != 1 || !l.Switch {
		t.Fatalf("frame of T1: %+v", l)
	}
	if d.Read(short(1, 1, 9), &l) {
		t.Fatal("an unknown template was understood")
	}
	custom := pack([2]uint32{1, 1}, [2]uint32{1, 1}, [2]uint32{6, 6}, [2]uint32{9, 16}, [2]uint32{0b00100, 5}, [2]uint32{0b0011, 4})
	if !d.Read(custom, &l) || l.Temporal != 1 || l.Switch {
		t.Fatalf("frame with its own DTIs: %+v", l)
	}
	whole := l1t2(1, 5)
	for n := range len(whole) - 1 {
		before := l
		if n > 3 && d.Read(whole[:n], &l) {
			t.Fatalf("%d of %d bytes were understood", n, len(whole))
		}
		if n > 3 && l != before {
			t.Fatal("a broken descriptor changed the look")
		}
	}
	if !d.Read(short(1, 1, 6), &l) {
		t.Fatal("broken structures made the good one forgotten")
	}
}

func FuzzLook(f *testing.F) {
	f.Add(uint8(rtpmap.VP8), []byte{0x90, 0xe0, 0x92, 0x34, 0x56, 0x80, 0x01, 0}, l1t2(1, 5), true)
	f.Add(uint8(rtpmap.VP9), []byte{0xac, 0x81, 0x02, 0x01, 0x07, 0xff}, []byte{0xc0, 0, 1}, false)
	f.Add(uint8(rtpmap.H264), []byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1}, []byte{}, false)
	f.Add(uint8(rtpmap.AV1), []byte{0x18, 1}, l1t2(0, 6), true)
	f.Fuzz(func(t *testing.T, codec uint8, payload, extension []byte, marker bool) {
		c := rtpmap.Codec(codec % 6)
		l := c.Look(payload, marker)
		if l.Key && !(l.Media && l.Start) {
			t.Fatalf("a key frame that does not start: %+v", l)
		}
		own := bytes.Clone(payload)
		l.Rewrite(own, l.Picture, l.TL0)
		if !bytes.Equal(own, payload) {
			t.Fatalf("writing the same numbers changed % x to % x", payload, own)
		}
		l.Rewrite(own, l.Picture+1, l.TL0+1)
		if again := c.Look(own, marker); again.Key != l.Key || again.Temporal != l.Temporal || again.PictureAt != l.PictureAt {
			t.Fatalf("new numbers changed what the packet is: %+v, was %+v", again, l)
		}
		rtpmap.ReadRED(nil, payload)
		var d rtpmap.Descriptor
		if d.Read(extension, &l) {
			if l.Spatial > 3 || l.Temporal > 7 {
				t.Fatalf("layers out of range: %+v", l)
			}
			d.Read(payload, &l)
		}
	})
}
