package recorder

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"math"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"yuanzhen/signaling"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf keeps parts as a store would; away makes it refuse.
type shelf struct {
	mu    sync.Mutex
	parts map[int][]control.Part
	away  error
	ended []error
}

func (s *shelf) keep(p control.Part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	switch have := s.parts[p.Take]; {
	case p.Number == 0 && len(have) > 0:
		have[0] = p
	case p.Number != len(have):
		return errors.New("parts out of order")
	default:
		s.parts[p.Take] = append(have, p)
	}
	return nil
}

func (s *shelf) over(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, err)
}

// files are the takes put together, with what is in them.
func (s *shelf) files(t *testing.T) map[control.Seat]Content {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[control.Seat]Content{}
	for _, parts := range s.parts {
		var file []byte
		for _, p := range parts {
			file = append(file, p.Data...)
		}
		c, err := Inspect(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		all[parts[0].Seat] = c
	}
	return all
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

type studio struct {
	*shelf
	server *signaling.Server
	desk   control.Desk
	url    string
}

func open(t *testing.T) *studio {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	server := signaling.New(signaling.Options{UDP: loopback, TCP: loopback, TicketKey: pub})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	return &studio{shelf: &shelf{parts: map[int][]control.Part{}}, server: server,
		desk: control.Desk{Key: priv, Now: time.Now}, url: "ws" + strings.TrimPrefix(web.URL, "http") + "/signal"}
}

func (s *studio) ticket(t *testing.T, seat control.Seat, role string, publish bool) string {
	t.Helper()
	p, err := s.desk.Issue(control.Claims{Room: "r", Seat: seat, Name: string(seat), Role: role, Admitted: true, Publish: publish, Subscribe: true})
	if err != nil {
		t.Fatal(err)
	}
	return p.Ticket
}

func (s *studio) speak(t *testing.T, ctx context.Context, seat control.Seat) *signaltest.Client {
	t.Helper()
	c, err := signaltest.Dial(ctx, signaltest.Options{URL: s.url, Ticket: s.ticket(t, seat, "guest", true)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have closed it before
	if err := c.Publish(ctx, sfu.Microphone); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *studio) record(t *testing.T, ctx context.Context, allowed ...control.Seat) control.Recording {
	t.Helper()
	r, err := (&Recorder{}).Record(ctx, s.url, func() (string, error) { return s.ticket(t, "recorder", "recorder", false), nil }, 0,
		func(seat control.Seat) bool {
			for _, a := range allowed {
				if a == seat {
					return true
				}
			}
			return false
		}, s.keep, s.over)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatTwoPeopleSayIsKeptInPartsThatPlay(t *testing.T) {
	s, ctx := open(t), t.Context()
	patient := s.speak(t, ctx, "patient")
	s.speak(t, ctx, "doctor")
	s.speak(t, ctx, "neighbour") // has not agreed
	r := s.record(t, ctx, "patient", "doctor")
	// The recorder is a seat like any other: everybody sees it.
	if _, err := patient.Await(ctx, "seat", func(m signaltest.Message) bool { return m.View().Role == "recorder" }); err != nil {
		t.Fatal(err)
	}
	until(t, "two parts of both", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.parts[0]) > 2 && len(s.parts[1]) > 2 // after the head
	})
	// What is on the shelf now is what a crash would leave.
	before := s.files(t)
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	files := s.files(t)
	if len(files) != 2 || files["neighbour"].Audio > 0 {
		t.Fatalf("files %+v", files)
	}
	for _, seat := range []control.Seat{"patient", "doctor"} {
		f := files[seat]
		if before[seat].Audio < 150 || f.Audio < before[seat].Audio || f.Length < 3*time.Second || f.Video != 0 {
			t.Fatalf("%s: %+v, and before the end %+v", seat, f, before[seat])
		}
		if lag := f.Length - time.Duration(f.Audio)*20*time.Millisecond; lag.Abs() > time.Second {
			t.Fatalf("%s: %d frames of 20 ms last %s", seat, f.Audio, f.Length)
		}
	}
	if len(s.ended) != 0 {
		t.Fatalf("ended by itself: %v", s.ended)
	}
}

// Pictures of each codec that the server relays are kept as a player takes them.
func TestPicturesOfEveryCodecAreKept(t *testing.T) {
	vp8 := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 1, 2}
	vp9 := []byte{0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 1, 2} // 640 × 360
	sps, pps, idr := []byte{0x67, 0x42, 0xe0, 0x1f, 1}, []byte{0x68, 0xce}, []byte{0x65, 1, 2}
	for _, c := range []struct {
		mime   string
		packet []byte
		codec  string
		frame  []byte
		kind   string
	}{
		{webrtc.MimeTypeVP8, append([]byte{0x10}, vp8...), "V_VP8", vp8, "video/webm"},
		{webrtc.MimeTypeVP9, append([]byte{0x9c, 5}, vp9...), "V_VP9", vp9, "video/webm"},
		{webrtc.MimeTypeAV1, slices.Concat([]byte{0x28, byte(len(sequence) - 1), sequence[0] &^ 2}, sequence[2:], []byte{0x30, 9, 9}), "V_AV1",
			slices.Concat(sequence, []byte{0x32, 2, 9, 9}), "video/webm"},
		{webrtc.MimeTypeH264, slices.Concat([]byte{0x78, 0, 5}, sps, []byte{0, 2}, pps, []byte{0, 3}, idr), "V_MPEG4/ISO/AVC",
			slices.Concat([]byte{0, 0, 0, 5}, sps, []byte{0, 0, 0, 2}, pps, []byte{0, 0, 0, 3}, idr), "video/x-matroska"},
	} {
		t.Run(c.mime, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			patient, err := signaltest.Dial(ctx, signaltest.Options{URL: s.url, Ticket: s.ticket(t, "patient", "guest", true), Video: c.mime, Frame: c.packet})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = patient.Close() })
			if err := patient.Publish(ctx, sfu.Microphone, sfu.Camera); err != nil {
				t.Fatal(err)
			}
			r := s.record(t, ctx, "patient")
			until(t, "a part with pictures", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, parts := range s.parts {
					if len(parts) > 1 && parts[0].Type == c.kind {
						return true
					}
				}
				return false
			})
			if err := r.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			if f := s.files(t)["patient"]; f.Video < 10 || f.Audio < 10 {
				t.Fatalf("%+v", f)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, parts := range s.parts {
				if parts[0].Type != c.kind {
					continue // of sound alone, from before the first picture
				}
				if !bytes.Contains(parts[0].Data, []byte(c.codec)) || !bytes.Contains(parts[1].Data, []byte{0x80 | videoTrack, 0}) || !bytes.Contains(parts[1].Data, c.frame) {
					t.Fatalf("% x … % x", parts[0].Data, parts[1].Data[:200])
				}
			}
		})
	}
}

func TestAPictureThatDoesNotFitItsFileBeginsAnother(t *testing.T) {
	c := &recording{takes: map[control.Seat]*take{}}
	if c.takeFor("patient", nil) != nil {
		t.Fatal("a file may begin without a key frame")
	}
	first := c.takeFor("patient", &Video{Codec: "V_VP8"})
	if first == nil || c.takeFor("patient", nil) != first || c.takeFor("patient", &Video{Codec: "V_VP8"}) != first {
		t.Fatal("pictures of one codec are in two files")
	}
	second := c.takeFor("patient", &Video{Codec: "V_AV1"})
	if second == first || !first.ended || second.number != first.number+1 || first.video.Codec != "V_VP8" || second.video.Codec != "V_AV1" {
		t.Fatalf("%+v, %+v", first, second)
	}
	sound := c.takeOf("doctor")
	sound.headed = true
	if third := c.takeFor("doctor", &Video{Codec: "V_VP9"}); third == sound || !sound.ended {
		t.Fatal("a file that says it has sound alone got a picture")
	}
}

func TestARecordingEndsWithItsRoomAndWithItsStore(t *testing.T) {
	t.Run("the room closes", func(t *testing.T) {
		s, ctx := open(t), t.Context()
		s.speak(t, ctx, "patient")
		s.record(t, ctx, "patient")
		until(t, "a part", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.parts[0]) > 0 })
		if err := s.server.Rooms().Close(ctx, "r"); err != nil {
			t.Fatal(err)
		}
		until(t, "the end", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.ended) == 1 })
		if s.ended[0] != nil {
			t.Fatalf("ended %v", s.ended)
		}
	})
	t.Run("the store is away", func(t *testing.T) {
		s, ctx := open(t), t.Context()
		patient := s.speak(t, ctx, "patient")
		s.away = errors.New("store away")
		s.record(t, ctx, "patient")
		until(t, "the end", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.ended) == 1 })
		if !errors.Is(s.ended[0], s.away) {
			t.Fatalf("ended %v", s.ended)
		}
		// Its light goes out on every screen.
		if _, err := patient.Await(ctx, "seat", func(m signaltest.Message) bool {
			v := m.View()
			return v.Role == "recorder" && v.Presence == control.Reconnecting
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFileCutAnywherePlaysToItsLastWholeCluster(t *testing.T) {
	file, _ := header(&Video{Codec: "V_VP8", Width: 640, Height: 480}, nil)
	ends := []int{len(file)}
	for n := range 5 {
		at := time.Duration(n) * 3 * time.Second
		file = append(file, cluster([]frame{{audioTrack, at, true, []byte("opus")}, {videoTrack, at + time.Second, n == 0, bytes.Repeat([]byte("v"), 900)}})...)
		ends = append(ends, len(file))
	}
	for cut := ends[0]; cut <= len(file); cut += 37 {
		whole := 0
		for _, end := range ends[1:] {
			if cut >= end {
				whole++
			}
		}
		c, err := Inspect(bytes.NewReader(file[:cut]))
		if err != nil || c.Audio != whole || c.Video != whole {
			t.Fatalf("cut at %d: %+v %v, want %d clusters", cut, c, err, whole)
		}
	}
	if _, err := Inspect(strings.NewReader("GIF89a")); err == nil {
		t.Fatal("a picture passed for a recording")
	}
}

// A take of pictures with a key frame every other part, and one of sound alone: at the end the head tells the length and where
// the index is, and the index leads to clusters that hold the frame.
func TestAPlayerMayJumpInAFileThatCameToItsEnd(t *testing.T) {
	for _, video := range []*Video{{Codec: "V_VP8", Width: 640, Height: 480}, nil} {
		k := &take{seat: "patient", begun: time.Now(), video: video}
		var file [][]byte
		for n := range 6 {
			at := time.Duration(n) * 3 * time.Second
			k.add(frame{audioTrack, at + 500*time.Millisecond, true, []byte("opus")})
			if video != nil {
				k.add(frame{videoTrack, at + 400*time.Millisecond, n%2 == 0, []byte("picture")})
			}
			for _, p := range k.flush(n == 5) {
				if p.Number == 0 && len(file) > 0 {
					if len(p.Data) != len(file[0]) || bytes.Equal(p.Data, file[0]) {
						t.Fatal("the head is not the same head, filled in")
					}
					file[0] = p.Data
				} else {
					file = append(file, p.Data)
				}
			}
		}
		whole := bytes.Join(file, nil)
		if c, err := Inspect(bytes.NewReader(whole)); err != nil || c.Audio != 6 || c.Length != 15500*time.Millisecond {
			t.Fatalf("%+v %v", c, err)
		}
		top := children(t, whole)
		segment := top[len(top)-1]
		if segment.id != idSegment || segment.size != uint64(len(segment.content)) {
			t.Fatalf("a segment of %d, and there are %d bytes", segment.size, len(segment.content))
		}
		parts := children(t, segment.content)
		at := map[uint64]found{}
		for _, p := range parts {
			at[p.at] = p
		}
		if parts[0].id != idSeekHead || at[seek(t, parts[0].content)].id != idCues {
			t.Fatal("the head does not lead to the index")
		}
		info := children(t, parts[1].content)
		if length := math.Float64frombits(binary.BigEndian.Uint64(info[1].content)); info[1].id != idDuration || length != 15500 {
			t.Fatalf("length %v", length)
		}
		points, want := children(t, parts[len(parts)-1].content), 6
		if video != nil {
			want = 3
		}
		if len(points) != want {
			t.Fatalf("%d points, want %d", len(points), want)
		}
		for n, point := range points {
			when, where := children(t, point.content)[0], children(t, children(t, point.content)[1].content)[1]
			c := at[binary.BigEndian.Uint64(where.content)]
			wanted := uint64(n*3000 + 500)
			if video != nil {
				wanted = uint64(n*6000 + 400)
			}
			if got := binary.BigEndian.Uint64(when.content); got != wanted || c.id != idCluster {
				t.Fatalf("point %d at %d ms leads to %x", n, got, c.id)
			}
			if begin := binary.BigEndian.Uint64(children(t, c.content)[0].content); begin > wanted || wanted-begin > 3000 {
				t.Fatalf("point %d leads to a cluster of %d ms", n, begin)
			}
		}
	}
}

// What the writer would have put at the end, a reader can: its index and its head are the same to the byte. Who closes the file may be killed
// as well, before the head is kept or after it.
func TestAFileWhoseWriterWasKilledIsClosedByAnother(t *testing.T) {
	for _, video := range []*Video{{Codec: "V_VP8", Width: 640, Height: 480}, {Codec: "V_MPEG4/ISO/AVC", Private: []byte{1, 2, 3}, Width: 640, Height: 480}, nil} {
		k := &take{seat: "patient", begun: time.Now(), video: video}
		var file []byte
		for n := range 6 {
			at := time.Duration(n) * 3 * time.Second
			k.add(frame{audioTrack, at + 500*time.Millisecond, true, []byte("opus")})
			if video != nil {
				k.add(frame{videoTrack, at + 400*time.Millisecond, n%2 == 0, []byte("picture")})
			}
			for _, p := range k.flush(false) {
				file = append(file, p.Data...)
			}
		}
		c, err := Inspect(bytes.NewReader(file))
		if err != nil || c.Audio != 6 {
			t.Fatalf("%+v %v", c, err)
		}
		last := k.flush(true)
		if !bytes.Equal(c.Index, last[0].Data) || !bytes.Equal(c.Head, last[1].Data) {
			t.Fatal("another closes the file otherwise than its writer")
		}
		indexed := append(slices.Clone(file), c.Index...)
		half, err := Inspect(bytes.NewReader(indexed))
		if err != nil || half.Index != nil || !bytes.Equal(half.Head, c.Head) {
			t.Fatalf("without the head: %v", err)
		}
		whole := append(slices.Clone(c.Head), indexed[len(c.Head):]...)
		if again, err := Inspect(bytes.NewReader(whole)); err != nil || again.Index != nil || again.Head != nil || again.Audio != 6 {
			t.Fatalf("closed twice: %v", err)
		}
		if cut, err := Inspect(bytes.NewReader(file[:len(file)-5])); err != nil || cut.Index != nil || cut.Audio != 5 {
			t.Fatalf("a file that is not all there was closed: %v", err)
		}
	}
}

// The picture pauses for 50 s while sound goes on. Its last frame before the pause comes with the first one after it, as build gives them.
func TestWhatIsSaidWhileAPicturePausesStaysWhereItWasSaid(t *testing.T) {
	k := &take{seat: "patient", begun: time.Now(), video: &Video{Codec: "V_VP8", Width: 640, Height: 480}}
	const pause, resume, end = 10 * time.Second, 60 * time.Second, 110 * time.Second
	add := func(track byte, at time.Duration, key bool) {
		k.add(frame{track, at, key, binary.BigEndian.AppendUint64(nil, uint64(at.Milliseconds()))}) // each frame says when it was
	}
	var file []byte
	last, put := control.Part{}, 0
	for at := time.Duration(0); at <= end; at += 20 * time.Millisecond {
		switch {
		case at == resume:
			add(videoTrack, pause, true)
			add(videoTrack, at, true)
		case at%(100*time.Millisecond) == 0 && (at < pause || at > resume):
			add(videoTrack, at, at%(5*time.Second) == 0)
		}
		add(audioTrack, at, true)
		if at%partEvery == 0 || at == end {
			for _, p := range k.flush(false) {
				file, last, put = append(file, p.Data...), p, put+1
			}
		}
	}
	if last.End.Sub(last.Start) != end || put > int(end/partEvery)+3 {
		t.Errorf("%d parts, the last one ends after %s", put, last.End.Sub(last.Start))
	}
	c, err := Inspect(bytes.NewReader(file))
	if err != nil || c.Length != end || c.Audio != int(end/(20*time.Millisecond))+1 || c.Video != 100+1+501 {
		t.Fatalf("%+v %v", c, err)
	}
	over := k.flush(true)
	if !bytes.Equal(c.Index, over[0].Data) || !bytes.Equal(c.Head, over[1].Data) {
		t.Error("another closes the file otherwise than its writer")
	}
	top := children(t, slices.Concat(c.Head, file[len(c.Head):], c.Index))
	clusters := map[uint64]found{}
	for _, c := range children(t, top[len(top)-1].content) {
		switch c.id {
		case idCluster:
			clusters[c.at] = c
			parts := children(t, c.content)
			begin := int64(binary.BigEndian.Uint64(parts[0].content))
			for _, b := range parts[1:] {
				at := begin + int64(int16(binary.BigEndian.Uint16(b.content[1:])))
				if was := int64(binary.BigEndian.Uint64(b.content[4:])); at != was {
					t.Fatalf("what was at %d ms stands at %d ms", was, at)
				}
			}
		case idCues:
			before := uint64(0)
			for n, point := range children(t, c.content) {
				parts := children(t, point.content)
				when, where := binary.BigEndian.Uint64(parts[0].content), binary.BigEndian.Uint64(children(t, parts[1].content)[1].content)
				if n > 0 && when <= before || clusters[where].id != idCluster {
					t.Fatalf("point %d at %d ms, the one before at %d ms", n, when, before)
				}
				first := int64(binary.BigEndian.Uint64(children(t, clusters[where].content)[0].content))
				if int64(when) < first || int64(when)-first > clusterTime.Milliseconds() {
					t.Fatalf("point %d at %d ms leads to a cluster of %d ms", n, when, first)
				}
				before = when
			}
		}
	}
}

// Timestamps go around while the take goes on, those of pictures more than once a day; before that they look as if they went back.
func TestAClockGoesOnForLongerThanItsNumbers(t *testing.T) {
	for _, rate := range []uint32{48000, 90000} {
		k, c := &take{begun: time.Now()}, clock{rate: rate}
		stamp := ^uint32(0) - 5*rate
		from := c.at(k, stamp)
		for n := 1; n <= 30*60; n++ { // 30 hours
			stamp += 60 * rate
			if at := c.at(k, stamp); at-from != time.Duration(n)*time.Minute {
				t.Fatalf("%d Hz: after %d minutes it is %s", rate, n, at-from)
			}
		}
		if at := c.at(k, stamp-rate); at-from != 30*time.Hour-time.Second {
			t.Fatalf("%d Hz: a frame of a second before is at %s", rate, at-from)
		}
	}
}

// A picture of four frames a second loses a packet for good: what follows comes after two seconds, not after so many packets.
func TestAHoleInASlowPictureIsNotWaitedForLong(t *testing.T) {
	b := build(lateVideo, &codecs.VP8Packet{}, 90000)
	const each, lost = 90000 / 4, 5
	newest := -1
	for n := range uint16(60) {
		if n == lost {
			continue
		}
		b.Push(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * each, Marker: true}, Payload: []byte{0x10, 1, 2, 3}})
		for s := b.Pop(); s != nil; s = b.Pop() {
			newest = int(s.PacketTimestamp / each)
			if hole := s.PrevDroppedPackets > 0; hole != (newest == lost+1) {
				t.Fatalf("before frame %d a hole: %v", newest, hole)
			}
		}
		if (n < lost || n > lost+10) && newest != int(n)-1 { // the frame before the newest
			t.Fatalf("with packet %d there is frame %d", n, newest)
		}
	}
}

type found struct {
	id      uint32
	size    uint64 // as it is told
	at      uint64 // of its first byte, in what holds it
	content []byte
}

// children reads the elements that b holds, with sizes of eight bytes as this package writes them.
func children(t *testing.T, b []byte) (list []found) {
	t.Helper()
	for at := 0; at < len(b); {
		r := bytes.NewReader(b[at:])
		id, size, err := parser{r: r}.element()
		if err != nil {
			t.Fatal(err)
		}
		content := b[len(b)-r.Len():]
		if size > uint64(len(content)) {
			t.Fatalf("%x of %d bytes, and there are %d", id, size, len(content))
		}
		list = append(list, found{id, size, uint64(at), content[:size]})
		at = len(b) - r.Len() + int(size)
	}
	return list
}

func seek(t *testing.T, head []byte) uint64 {
	t.Helper()
	return binary.BigEndian.Uint64(children(t, children(t, head)[0].content)[1].content)
}

func TestKeyFramesAreFound(t *testing.T) {
	vp8 := []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, 0, 0}
	if v, key := lookVP8(vp8); !key || v.Width != 640 || v.Height != 360 {
		t.Fatalf("%+v %v", v, key)
	}
	if _, key := lookVP8([]byte{0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0}); key {
		t.Fatal("an inter frame passed for a key frame")
	}
	unit := func(b ...byte) []byte { return append([]byte{0, 0, 0, byte(len(b))}, b...) }
	sps, pps, idr := unit(0x67, 0x42, 0xe0, 0x1f, 1), unit(0x68, 0xce), unit(0x65, 1, 2)
	v, key := lookH264(bytes.Join([][]byte{sps, pps, idr}, nil))
	want := []byte{1, 0x42, 0xe0, 0x1f, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xe0, 0x1f, 1, 1, 0, 2, 0x68, 0xce}
	if !key || !bytes.Equal(v.Private, want) {
		t.Fatalf("%x %v", v.Private, key)
	}
	if v, key := lookH264(unit(0x41, 1)); v != nil || key {
		t.Fatal("an inter frame passed for a key frame")
	}
	lookH264([]byte{0xff, 0xff, 0xff, 0xff, 1}) // a length beyond the frame

	if v, key := lookVP9([]byte{0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70}); !key || v.Width != 640 || v.Height != 360 {
		t.Fatalf("%+v %v", v, key)
	}
	for _, b := range [][]byte{nil, {0x86, 0, 0}, {0x88}, {0x82, 0x49}} { // an inter frame, one shown again, one cut short
		if v, key := lookVP9(b); v != nil || key {
			t.Fatalf("% x passed for a key frame", b)
		}
	}
	delimiter := []byte{0x12, 0}
	v, key = lookAV1(slices.Concat(delimiter, sequence, []byte{0x32, 1, 9}))
	if want := append([]byte{0x81, 1, 0x0c, 0}, sequence...); !key || v.Width != 640 || v.Height != 360 || !bytes.Equal(v.Private, want) {
		t.Fatalf("%+v %v", v, key)
	}
	if v, key := lookAV1([]byte{0x0a, 1, 0x1d}); !key || v.Private[1] != 20 { // a still picture's, cut short
		t.Fatalf("%+v %v", v, key)
	}
	if v, key := lookAV1([]byte{0x0a, 1, 0x04}); !key || v.Private[1] != 31 || v.Width != 640 { // one that tells times
		t.Fatalf("%+v %v", v, key)
	}
	for _, b := range [][]byte{nil, {0x32, 1, 9}, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x0a, 9, 1}, {0x08, 1}, {0x0e, 1}} {
		if v, key := lookAV1(b); v != nil || key {
			t.Fatalf("% x passed for a key frame", b)
		}
	}
	var p vp9Packet
	for range 9 { // each with three references
		if b, err := p.Unmarshal([]byte{0xdc, 5, 3, 5, 6, 0x86}); err != nil || len(b) != 1 {
			t.Fatalf("% x %v", b, err)
		}
	}
}

// sequence is a sequence header as libaom writes it for 640 × 360 (level 2.1).
var sequence = []byte{0x0a, 0x09, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x00, 0x00}

func FuzzInspect(f *testing.F) {
	head, _ := header(nil, nil)
	f.Add(append(head, cluster([]frame{{audioTrack, 0, true, []byte("x")}})...))
	index := cues(audioTrack, []cue{{0, 1}})
	whole, _ := header(nil, &ending{cues: 1, size: 2, length: time.Second})
	f.Add(append(append(whole, cluster([]frame{{audioTrack, 0, true, []byte("x")}})...), index...))
	f.Add([]byte{0x1a, 0x45, 0xdf, 0xa3})
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Inspect(bytes.NewReader(b)) })
}
