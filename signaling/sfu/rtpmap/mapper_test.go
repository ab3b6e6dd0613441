package rtpmap_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"yuanzhen/signaling/sfu/rtpmap"
)

// camera is a simulated publisher of VP8 with three temporal layers (pattern 0 2 1 2) in up to three streams.
type camera struct {
	stream    uint8
	sequence  uint16
	timestamp uint32
	picture   uint16
	tl0       uint8
	position  int
}

type packet struct {
	rtpmap.Packet
	frame int // number of the picture in its stream
}

// frame makes the packets of the next picture.
func (c *camera) frame(number, packets int, key bool) []packet {
	if key {
		c.position = 0
	}
	temporal := []uint8{0, 2, 1, 2}[c.position%4]
	sync := c.position%4 == 1 || c.position%4 == 2
	if temporal == 0 {
		c.tl0++
	}
	c.position++
	c.picture = (c.picture + 1) & 0x7fff
	c.timestamp += 3000
	var out []packet
	for i := range packets {
		last := i == packets-1
		out = append(out, packet{rtpmap.Packet{Stream: c.stream, Sequence: c.sequence, Timestamp: c.timestamp, Look: &rtpmap.Look{
			Media: true, Key: key && i == 0, Start: i == 0, End: last, Marker: last, Temporal: temporal, Switch: temporal == 0 || sync,
			Picture: c.picture, PictureAt: 2, PictureLen: 2, TL0: c.tl0, TL0At: 4,
		}}, number})
		c.sequence++
	}
	return out
}

type sent struct {
	packet
	rtpmap.Out
}

func TestWithoutLossTheReceiverSeesOneUnbrokenStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cams := make([]*camera, 3)
		for i := range cams {
			cams[i] = &camera{
				stream: uint8(i), sequence: rapid.Uint16().Draw(t, "sequence"), timestamp: rapid.Uint32().Draw(t, "timestamp"),
				picture: rapid.Uint16Max(0x7fff).Draw(t, "picture"), tl0: rapid.Uint8().Draw(t, "tl0"),
			}
		}
		first := rapid.Uint16().Draw(t, "first")
		m := rtpmap.New(rtpmap.VP8, first)
		var got []sent
		pause, on := false, false
		for n := range rapid.IntRange(1, 200).Draw(t, "pictures") {
			if rapid.IntRange(0, 9).Draw(t, "change") == 0 {
				if pause = rapid.IntRange(0, 3).Draw(t, "pause") == 0; pause {
					m.Pause()
				} else {
					m.Want(rtpmap.Layer{Stream: rapid.Uint8Max(2).Draw(t, "stream"), Temporal: rapid.Uint8Max(2).Draw(t, "temporal")})
				}
				on = on || !pause
			}
			wanted, needed := m.NeedsKey()
			if needed && (pause || !on) {
				t.Fatal("a paused mapper asks for a key frame")
			}
			for _, c := range cams {
				key := n == 0 || needed && c.stream == wanted
				for _, p := range c.frame(n, rapid.IntRange(1, 4).Draw(t, "packets"), key) {
					p.At = m.Elapsed(3000)
					out, verdict := m.Map(p.Packet)
					switch {
					case verdict == rtpmap.Fill:
						t.Fatal("nothing was late")
					case verdict == rtpmap.Forward && pause:
						t.Fatal("forwarded while paused")
					case verdict == rtpmap.Forward:
						got = append(got, sent{p, out})
					}
				}
			}
			if now, on := m.Now(); on && now.Temporal > m.Wanted().Temporal && now.Stream == m.Wanted().Stream {
				t.Fatalf("still %+v, want %+v", now, m.Wanted())
			}
			if !pause && on {
				if now, on := m.Now(); needed && (!on || now.Stream != wanted) {
					t.Fatal("the key frame asked for was not taken")
				}
			}
		}
		for i, s := range got {
			if s.Out.Sequence != first+uint16(i) {
				t.Fatalf("packet %d has number %d, want %d", i, s.Out.Sequence, first+uint16(i))
			}
			stream, source, ok := m.Source(s.Out.Sequence)
			if len(got)-i < 100 && (!ok || stream != s.Stream || source != s.packet.Sequence) {
				t.Fatalf("number %d comes from %d/%d, not %d/%d (%v)", s.Out.Sequence, s.Stream, s.packet.Sequence, stream, source, ok)
			}
			if i == 0 {
				if !s.Look.Key {
					t.Fatal("began without a key frame")
				}
				continue
			}
			checkStep(t, got[i-1], s)
		}
	})
}

// checkStep holds two packets that follow each other to what a VP8 receiver counts.
func checkStep(t *rapid.T, before, s sent) {
	same := before.Stream == s.Stream && before.frame == s.frame
	step := int32(s.Out.Timestamp - before.Out.Timestamp)
	if same != (step == 0) || step < 0 {
		t.Fatalf("timestamps step by %d within a picture: %v", step, same)
	}
	want := before.Out.Picture
	if !same {
		want = (want + 1) & 0x7fff
	}
	if s.Out.Picture != want {
		t.Fatalf("picture %d after %d (same picture: %v)", s.Out.Picture, before.Out.Picture, same)
	}
	if d := s.TL0 - before.TL0; !same && (s.Look.Temporal == 0) != (d == 1) || d > 1 {
		t.Fatalf("TL0PICIDX steps by %d at a picture of layer %d", d, s.Look.Temporal)
	}
	if s.Switched && !s.Look.Key {
		t.Fatal("changed streams without a key frame")
	}
	if s.Look.Temporal > 0 && !same && !s.Look.Switch && before.frame+3 < s.frame {
		t.Fatal("a picture goes out whose reference did not")
	}
}

func TestLossAndReorderingKeepNumbersApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 1))
		c := &camera{sequence: rapid.Uint16().Draw(t, "sequence"), timestamp: rapid.Uint32().Draw(t, "timestamp"), picture: 0x7ff0}
		m := rtpmap.New(rtpmap.VP8, rapid.Uint16().Draw(t, "first"))
		m.Want(rtpmap.Layer{Temporal: rapid.Uint8Max(2).Draw(t, "temporal")})
		var line []packet
		for n := range 150 {
			line = append(line, c.frame(n, 1+r.IntN(4), n == 0)...)
		}
		for i := range line { // up to ten packets late; the first key frame is in order
			if j := i + r.IntN(10); i > 20 && j < len(line) && r.IntN(4) == 0 {
				late := line[i]
				copy(line[i:], line[i+1:j+1])
				line[j] = late
			}
		}
		seen := map[uint16]packet{}
		pictures := map[uint16]int{}
		for i, p := range line {
			if i > 20 && r.IntN(10) == 0 {
				continue // lost
			}
			if r.IntN(40) == 0 {
				m.Want(rtpmap.Layer{Temporal: uint8(r.IntN(3))})
			}
			out, verdict := m.Map(p.Packet)
			if verdict == rtpmap.Drop {
				continue
			}
			if was, ok := seen[out.Sequence]; ok {
				t.Fatalf("number %d went out for %d and for %d", out.Sequence, was.Sequence, p.Sequence)
			}
			seen[out.Sequence] = p
			if stream, source, ok := m.Source(out.Sequence); !ok || stream != p.Stream || source != p.Sequence {
				t.Fatalf("number %d of %d is said to come from %d (%v)", out.Sequence, p.Sequence, source, ok)
			}
			if again, ok := m.Again(out.Sequence, p.Packet); !ok || again.Sequence != out.Sequence || again.Timestamp != out.Timestamp || again.Picture != out.Picture {
				t.Fatalf("again %+v, was %+v", again, out)
			}
			if verdict != rtpmap.Forward {
				continue
			}
			if frame, ok := pictures[out.Picture]; ok && frame != p.frame {
				t.Fatalf("picture number %d for pictures %d and %d", out.Picture, frame, p.frame)
			}
			pictures[out.Picture] = p.frame
		}
	})
}

// svc makes a VP9 picture of three spatial layers with two packets each.
func svc(sequence *uint16, timestamp uint32, picture uint16, key bool) []rtpmap.Packet {
	var out []rtpmap.Packet
	for spatial := range uint8(3) {
		for i := range 2 {
			out = append(out, rtpmap.Packet{Sequence: *sequence, Timestamp: timestamp, Look: &rtpmap.Look{
				Media: true, Key: key && spatial == 0 && i == 0, Start: i == 0, End: i == 1, Marker: i == 1 && spatial == 2, Spatial: spatial,
				Switch: true, Picture: picture, PictureAt: 1, PictureLen: 2,
			}})
			*sequence++
		}
	}
	return out
}

func TestSpatialLayers(t *testing.T) {
	m := rtpmap.New(rtpmap.VP9, 1)
	sequence, timestamp, picture := uint16(65530), uint32(1<<32-9000), uint16(0x7ffd)
	next := uint16(1)
	step := func(name string, want int, key bool) {
		t.Helper()
		var got []rtpmap.Out
		for _, p := range svc(&sequence, timestamp, picture, key) {
			if out, verdict := m.Map(p); verdict == rtpmap.Forward {
				got = append(got, out)
			}
		}
		timestamp += 3000
		picture = (picture + 1) & 0x7fff
		if len(got) != 2*want {
			t.Fatalf("%s: %d packets, want %d", name, len(got), 2*want)
		}
		for i, out := range got {
			if out.Sequence != next || out.Marker != (i == len(got)-1) || out.Rewritten {
				t.Fatalf("%s: packet %d: %+v, want number %d", name, i, out, next)
			}
			next++
		}
	}
	m.Want(rtpmap.Layer{Spatial: rtpmap.Top})
	step("nothing before a key picture", 0, false)
	step("a key picture begins with all layers", 3, true)
	m.Want(rtpmap.Layer{Spatial: 1})
	step("down with the next picture", 2, false)
	m.Want(rtpmap.Layer{})
	step("further down", 1, false)
	m.Want(rtpmap.Layer{Spatial: 2})
	step("not up without a switching point", 1, false)
	if stream, needed := m.NeedsKey(); !needed || stream != 0 {
		t.Fatal("a key picture is needed to go up")
	}
	m.Want(rtpmap.Layer{Spatial: 1})
	step("up with a key picture", 2, true)
	if _, needed := m.NeedsKey(); needed {
		t.Fatal("a key picture is still asked for")
	}
}

func TestPaddingIsLeftOutAndLatePaddingFills(t *testing.T) {
	m := rtpmap.New(rtpmap.Opus, 100)
	m.Want(rtpmap.Layer{})
	look, padding := &rtpmap.Look{Media: true, Key: true, Start: true, End: true}, &rtpmap.Look{}
	var got []uint16
	for _, p := range []struct {
		sequence uint16
		look     *rtpmap.Look
		verdict  rtpmap.Verdict
	}{
		{10, look, rtpmap.Forward}, {11, padding, rtpmap.Drop}, {12, look, rtpmap.Forward},
		{14, look, rtpmap.Forward}, {13, padding, rtpmap.Fill}, {9, look, rtpmap.Drop}, {11, padding, rtpmap.Drop},
	} {
		out, verdict := m.Map(rtpmap.Packet{Sequence: p.sequence, Timestamp: uint32(p.sequence) * 960, Look: p.look})
		if verdict != p.verdict {
			t.Fatalf("%d: %v, want %v", p.sequence, verdict, p.verdict)
		}
		if verdict != rtpmap.Drop {
			got = append(got, out.Sequence)
		}
	}
	if !slices.Equal(got, []uint16{100, 101, 103, 102}) {
		t.Fatal(got)
	}
}

func TestAPauseLeavesNoGapAndKeepsTime(t *testing.T) {
	m := rtpmap.New(rtpmap.Opus, 7)
	look := &rtpmap.Look{Media: true, Key: true, Start: true, End: true}
	at := func(sequence uint16, timestamp uint32) (rtpmap.Out, rtpmap.Verdict) {
		return m.Map(rtpmap.Packet{Sequence: sequence, Timestamp: timestamp, Look: look, At: m.Elapsed(48000)})
	}
	if _, verdict := at(1, 1000); verdict != rtpmap.Drop {
		t.Fatal("forwarded before it was wanted")
	}
	m.Want(rtpmap.Layer{})
	at(2, 1960)
	m.Pause()
	at(3, 2920)
	m.Want(rtpmap.Layer{})
	out, verdict := at(60000, 5)
	if verdict != rtpmap.Forward || !out.Switched || out.Sequence != 8 || out.Timestamp != 1960+48000 {
		t.Fatalf("%v %+v", verdict, out)
	}
	if delta, on := m.TimestampDelta(); !on || 5-delta != out.Timestamp {
		t.Fatal("the delta does not lead from source to receiver")
	}
}

func TestOffsetBetweenClocks(t *testing.T) {
	a := rtpmap.Report{NTP: 100<<32 + 1<<31, RTP: 9000}
	b := rtpmap.Report{NTP: 102 << 32, RTP: 500}
	if got := rtpmap.Offset(a, b, 90000); 500+got != 9000+135000 {
		t.Fatal(got)
	}
	if got := rtpmap.Offset(b, a, 90000); 9000+got+135000 != 500 {
		t.Fatal(got)
	}
}

// FuzzMapper drives a mapper with any packets: numbers that go out never repeat while packets do not.
func FuzzMapper(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0x0f, 2, 0, 0x07, 0x80, 0, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := rtpmap.New(rtpmap.VP8, 65000)
		m.Want(rtpmap.Layer{Stream: 2, Temporal: 2})
		used := map[[2]uint16]bool{}
		out := map[uint16]bool{}
		sequence := [3]uint16{65500, 100, 7}
		for ; len(ops) >= 3; ops = ops[3:] {
			switch ops[0] & 0xc0 {
			case 0x40:
				m.Pause()
				continue
			case 0x80:
				m.Want(rtpmap.Layer{Stream: ops[1] % 3, Temporal: ops[2] % 3, Spatial: ops[2] >> 6})
				continue
			}
			stream := uint16(ops[0]&3) % 3
			s := sequence[stream] + uint16(ops[1]) - 32
			if used[[2]uint16{stream, s}] {
				continue
			}
			used[[2]uint16{stream, s}] = true
			sequence[stream] = max(s, sequence[stream])
			o, verdict := m.Map(rtpmap.Packet{Stream: uint8(stream), Sequence: s, Timestamp: uint32(s/3) * 3000, Look: &rtpmap.Look{
				Media: ops[2]&1 != 0, Key: ops[2]&3 == 3, Start: ops[2]&2 != 0, Temporal: ops[2] >> 6, Switch: ops[2]&4 != 0, PictureAt: 1, PictureLen: 1,
			}})
			if verdict != rtpmap.Drop {
				if out[o.Sequence] {
					t.Fatalf("%d went out twice", o.Sequence)
				}
				out[o.Sequence] = true
			}
		}
	})
}

func BenchmarkMap(b *testing.B) {
	for name, want := range map[string]rtpmap.Layer{"all": {Temporal: 2}, "half": {Temporal: 1}} {
		b.Run(name, func(b *testing.B) {
			c := &camera{}
			frames := make([][]packet, 64)
			for i := range frames {
				frames[i] = c.frame(i, 4, i == 0)
			}
			m := rtpmap.New(rtpmap.VP8, 1)
			m.Want(want)
			for _, p := range frames[0] {
				m.Map(p.Packet)
			}
			b.ReportAllocs()
			b.ResetTimer()
			sequence, timestamp, i := c.sequence, c.timestamp, 0
			for b.Loop() {
				p := frames[1+i/4%63][i%4].Packet
				p.Sequence, p.Timestamp = sequence, timestamp+uint32(i/4)*3000
				m.Map(p)
				sequence++
				i++
			}
		})
	}
}

func BenchmarkLook(b *testing.B) {
	payload := append([]byte{0x90, 0xe0, 0x92, 0x34, 0x56, 0x80, 0x01}, make([]byte, 1100)...)
	b.ReportAllocs()
	for b.Loop() {
		if l := rtpmap.VP8.Look(payload, false); !l.Media {
			b.Fatal("no media")
		}
	}
}
