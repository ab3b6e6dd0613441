package load

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// What a publisher sends: VP8-like pictures of 1.5 Mbit/s, two packets every 12.5 ms as browsers pace them, and Opus-like sound.
const (
	VideoPackets = 160 // a second
	AudioPackets = 50
	videoSize    = 1170
	audioSize    = 80

	videoEvery = 2 * time.Second / VideoPackets
	audioEvery = time.Second / AudioPackets
	perFrame   = 4 // packets, with a key frame where one is asked for

	// Each payload ends with a mark, its number and when it was sent; servers change the front.
	mark    = 0x597a6d6b
	tailLen = 20
	// keyPause is the least time between key frames, as an encoder has it.
	keyPause = 300 * time.Millisecond
)

// Factory makes clients.
type Factory struct {
	api   *webrtc.API
	start time.Time // of the clock that senders and receivers share
}

// NewFactory makes one.
func NewFactory() (*Factory, error) {
	api, err := newAPI()
	return &Factory{api: api, start: time.Now()}, err
}

func (f *Factory) now() time.Duration { return time.Since(f.start) }

// Publisher sends sound and pictures until closed.
type Publisher struct {
	*Session
	Sent atomic.Int64 // packets
	key  atomic.Bool  // asked for
	stop context.CancelFunc
	work sync.WaitGroup
}

// Publish begins a WHIP session at path and sends once it is connected.
func (f *Factory) Publish(ctx context.Context, t Target, path string) (*Publisher, error) {
	pc, err := f.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	p := &Publisher{}
	up := make(chan struct{}, 1)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			select {
			case up <- struct{}{}:
			default: // again, after an ICE restart
			}
		}
	})
	tracks := map[string]*webrtc.TrackLocalStaticRTP{}
	for kind, mime := range map[string]string{"audio": webrtc.MimeTypeOpus, "video": webrtc.MimeTypeVP8} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "load")
		if err != nil {
			return nil, errors.Join(err, pc.Close())
		}
		transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return nil, errors.Join(err, pc.Close())
		}
		tracks[kind] = track
		p.work.Go(func() { p.listen(transceiver.Sender()) })
	}
	if p.Session, err = t.Begin(ctx, pc, path); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	select {
	case <-up:
	case <-ctx.Done():
		p.Session.Close()
		return nil, ctx.Err()
	}
	run, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.work.Go(func() { p.pictures(run, f, tracks["video"]) })
	p.work.Go(func() { p.sound(run, f, tracks["audio"]) })
	return p, nil
}

// Close ends it and waits for its goroutines.
func (p *Publisher) Close() {
	p.stop()
	p.Session.Close()
	p.work.Wait()
}

func (p *Publisher) listen(s *webrtc.RTPSender) {
	for {
		packets, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.key.Store(true)
			}
		}
	}
}

func (p *Publisher) pictures(ctx context.Context, f *Factory, track *webrtc.TrackLocalStaticRTP) {
	payload := make([]byte, videoSize)
	header := rtp.Header{Version: 2, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32()}
	last := 0 // when a key frame was sent
	pace(ctx, videoEvery, func(n int) {
		began := false
		if n%(perFrame/2) == 0 { // a frame begins
			began = true
			header.Timestamp += uint32(perFrame / 2 * videoEvery * 90000 / time.Second)
		}
		inter := byte(1) // P of the VP8 frame header
		if began && (n == 0 || p.key.Load() && time.Duration(n-last)*videoEvery >= keyPause) {
			p.key.Store(false)
			inter, last = 0, n
		}
		for i := range 2 {
			payload[0], payload[1] = 0, inter
			if began && i == 0 {
				payload[0] = 0x10
			}
			header.Marker = !began && i == 1
			p.send(f, track, &header, payload)
		}
	})
}

func (p *Publisher) sound(ctx context.Context, f *Factory, track *webrtc.TrackLocalStaticRTP) {
	payload := make([]byte, audioSize)
	header := rtp.Header{Version: 2, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32()}
	pace(ctx, audioEvery, func(int) {
		payload[0] = 0x78
		header.Timestamp += 960
		p.send(f, track, &header, payload)
	})
}

func (p *Publisher) send(f *Factory, track *webrtc.TrackLocalStaticRTP, header *rtp.Header, payload []byte) {
	header.SequenceNumber++
	tail := payload[len(payload)-tailLen:]
	binary.BigEndian.PutUint32(tail, mark)
	binary.BigEndian.PutUint64(tail[4:], uint64(p.Sent.Add(1)))
	binary.BigEndian.PutUint64(tail[12:], uint64(f.now()))
	_ = track.WriteRTP(&rtp.Packet{Header: *header, Payload: payload}) // fails only while the connection ends
}

// pace calls step on a steady beat; a beat that came late is made up for.
func pace(ctx context.Context, every time.Duration, step func(n int)) {
	start := time.Now().Add(time.Duration(rand.Int64N(int64(every))))
	for n := 0; ; n++ {
		wait := time.NewTimer(time.Until(start.Add(time.Duration(n) * every)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		step(n)
	}
}

// Viewer receives what a seat publishes.
type Viewer struct {
	*Session
	factory *Factory
	asked   time.Duration
	work    sync.WaitGroup

	Packets    atomic.Int64
	Lost       atomic.Int64 // by gaps in sequence numbers that were not filled
	First, Key atomic.Int64 // nanoseconds from asking to the first packet, and to the first key frame; 0 until then

	mu      sync.Mutex
	latency []time.Duration // guarded by mu
}

// View asks for a seat until it is there, and receives.
func (f *Factory) View(ctx context.Context, t Target, path string) (*Viewer, error) {
	v := &Viewer{factory: f, asked: f.now()}
	for {
		pc, err := f.api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			return nil, err
		}
		pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
			v.work.Go(func() { v.receive(track) })
		})
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				return nil, errors.Join(err, pc.Close())
			}
		}
		if v.Session, err = t.Begin(ctx, pc, path); err == nil {
			return v, nil
		}
		err = errors.Join(err, pc.Close())
		if !errors.Is(err, ErrNotYet) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (v *Viewer) receive(track *webrtc.TrackRemote) {
	buf := make([]byte, 1500)
	var packet rtp.Packet
	var newest uint16
	begun := false
	for {
		n, _, err := track.Read(buf)
		if err != nil {
			return
		}
		if packet.Unmarshal(buf[:n]) != nil || len(packet.Payload) < tailLen {
			continue
		}
		tail := packet.Payload[len(packet.Payload)-tailLen:]
		if binary.BigEndian.Uint32(tail) != mark {
			continue
		}
		now := v.factory.now()
		v.First.CompareAndSwap(0, int64(now-v.asked))
		video := track.Kind() == webrtc.RTPCodecTypeVideo
		if video && packet.Payload[0]&0x10 != 0 && packet.Payload[1]&1 == 0 {
			v.Key.CompareAndSwap(0, int64(now-v.asked))
		}
		switch ahead := int16(packet.SequenceNumber - newest); {
		case !begun:
			begun, newest = true, packet.SequenceNumber
		case ahead > 0:
			v.Lost.Add(int64(ahead) - 1)
			newest = packet.SequenceNumber
		default:
			v.Lost.Add(-1) // it came late, but it came
		}
		v.Packets.Add(1)
		if video {
			v.mu.Lock()
			v.latency = append(v.latency, now-time.Duration(binary.BigEndian.Uint64(tail[12:])))
			v.mu.Unlock()
		}
	}
}

// TakeLatency gives the delays of pictures since the last call.
func (v *Viewer) TakeLatency() []time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := v.latency
	v.latency = nil
	return all
}

// Close ends it and waits for its goroutines.
func (v *Viewer) Close() {
	v.Session.Close()
	v.work.Wait()
}

// Quantile of durations; 0 of none. It sorts them.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}
