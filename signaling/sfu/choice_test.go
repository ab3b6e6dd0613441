package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// caster publishes two sizes of a camera and keeps sending: every fifth picture a key frame.
type caster struct {
	r    *rig
	a    *end
	n    uint16
	only int // 0: both, else that many of them
}

func newCaster(t *testing.T) *caster {
	r := newRig(t)
	c := &caster{r: r, a: r.connect(gcm), only: 2}
	c.a.publish("q", "h")
	c.run(200 * time.Millisecond)
	return c
}

func (c *caster) run(d time.Duration) {
	for range d / (40 * time.Millisecond) {
		c.n++
		for i, rid := range []string{"q", "h"}[:c.only] {
			p := vp8(c.n, uint32(c.n)*3600+uint32(i)*1e6, c.n%5 == 1, true, true)
			p.SSRC = 9000 + uint32(i)
			p.Payload[20] = byte(i)
			if err := p.SetExtension(rigRID, []byte(rid)); err != nil {
				c.r.t.Fatal(err)
			}
			c.a.send(p)
		}
		for range 2 {
			c.r.at(tickEvery, func() {
				for l := range c.r.links {
					l.tick()
				}
			})
		}
	}
}

// gets is which layers arrived last, each once, in order; numbers must have no gap and time must not go back.
func (c *caster) gets(b *end) (layers []byte) {
	c.r.t.Helper()
	media, _ := b.received()
	for i, p := range media {
		if i > 0 {
			if p.SequenceNumber != media[i-1].SequenceNumber+1 {
				c.r.t.Fatalf("%d after %d", p.SequenceNumber, media[i-1].SequenceNumber)
			}
			if step := int32(p.Timestamp - media[i-1].Timestamp); step <= 0 || step > 9000 {
				c.r.t.Fatalf("time went on by %d", step)
			}
		}
		if layer := p.Payload[20]; len(layers) == 0 || layers[len(layers)-1] != layer {
			layers = append(layers, layer)
		}
	}
	return layers
}

func (c *caster) join() (*end, *DownTrack) {
	b := c.r.connect(gcm)
	d := b.subscribe(c.a.track(Camera), 5000, true)
	return b, d
}

func TestASubscriberGetsTheLayerItChooses(t *testing.T) {
	c := newCaster(t)
	b, d := c.join()
	c.run(time.Second)
	if got := c.gets(b); string(got) != "\x01" {
		t.Fatalf("at first %v", got)
	}
	choose := func(x Choice) {
		c.r.at(0, func() {
			d.choice = x
			d.decide()
		})
	}
	choose(Choice{Layer: rtpmap.Layer{Stream: 0, Spatial: rtpmap.Top, Temporal: rtpmap.Top}})
	c.run(time.Second)
	if got := c.gets(b); string(got) != "\x01\x00" && string(got) != "\x00" {
		t.Fatalf("after the choice of the smaller %v", got)
	}
	choose(Choice{Paused: true})
	c.run(time.Second)
	if got := c.gets(b); len(got) != 0 {
		t.Fatalf("paused, and yet %v", got)
	}
	choose(everything)
	c.run(time.Second)
	if got := c.gets(b); string(got) != "\x01" && string(got) != "\x00\x01" {
		t.Fatalf("after the pause %v", got)
	}
	c.only = 1 // the publisher's line has become worse
	c.run(2 * time.Second)
	if got := c.gets(b); got[len(got)-1] != 0 {
		t.Fatalf("the larger is no longer sent, and yet %v", got)
	}
}

// handled notes what a peer tells.
type handled struct {
	offers
	demands []Demand
	rungs   []rate.Rung
	speaks  []bool
}

func (h *handled) Wanted(_ *UpTrack, d Demand) { h.demands = append(h.demands, d) }
func (h *handled) Rung(r rate.Rung)            { h.rungs = append(h.rungs, r) }
func (h *handled) Speaking(on bool)            { h.speaks = append(h.speaks, on) }

// tell works off a peer's queue, which in the rig nobody does.
func tell(t *testing.T, p *Peer) *handled {
	t.Helper()
	h := &handled{}
	p.handler = h
	p.pub.ups = map[Source]*UpTrack{}
	p.do(func() error { return nil })
	for _, task := range p.tasks.Take() {
		if err := task(); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestWhatNobodyWatchesNeedNotBeSent(t *testing.T) {
	c := newCaster(t)
	c.a.link.peer.engine = c.r.engine
	p := c.a.link.peer
	if h := tell(t, p); len(h.demands) != 0 {
		t.Fatalf("told at once: %+v", h.demands)
	}
	c.run(demandPause + time.Second)
	h := tell(t, p)
	if len(h.demands) != 1 || h.demands[0].Layers[0] || h.demands[0].Layers[1] {
		t.Fatalf("nobody is there, and told %+v", h.demands)
	}
	_, d := c.join()
	c.run(200 * time.Millisecond)
	if h = tell(t, p); len(h.demands) != 1 || h.demands[0].Layers[0] || !h.demands[0].Layers[1] {
		t.Fatalf("somebody is there, and told %+v", h.demands)
	}
	c.r.at(0, func() {
		d.choice.Layer.Stream = 0
		d.decide()
	})
	c.run(demandPause + time.Second)
	if h = tell(t, p); len(h.demands) != 2 || !h.demands[1].Layers[0] || h.demands[1].Layers[1] {
		t.Fatalf("the smaller is enough, and told %+v", h.demands)
	}
}

func TestWhoSpeaksIsHeard(t *testing.T) {
	r := newRig(t)
	a := r.connect(gcm)
	a.publish()
	a.link.agreed.extensions.level = 1
	n := uint16(0)
	say := func(level byte, packets int) {
		for range packets {
			n++
			p := &rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: rigOpus, SSRC: 2000, SequenceNumber: n, Timestamp: uint32(n) * 960},
				Payload: []byte("sound"),
			}
			if err := p.SetExtension(1, []byte{0x80 | level}); err != nil {
				t.Fatal(err)
			}
			a.send(p)
			r.at(20*time.Millisecond, a.link.tick)
		}
	}
	p := a.link.peer
	p.engine = r.engine
	heard := func() []bool { return tell(t, p).speaks }
	say(70, 50)
	if got := heard(); len(got) != 0 {
		t.Fatalf("a quiet room: %v", got)
	}
	say(20, 3) // a cough
	say(70, 60)
	if got := heard(); len(got) != 0 {
		t.Fatalf("a cough: %v", got)
	}
	for range 10 { // words with pauses between them
		say(30, 15)
		say(70, 10)
	}
	if got := heard(); len(got) != 1 || !got[0] {
		t.Fatalf("a sentence: %v", got)
	}
	say(70, 60)
	if got := heard(); len(got) != 1 || got[0] {
		t.Fatalf("silence after it: %v", got)
	}
}

// Without room for picture, sound goes on.
func TestSoundNeverPaysForPicture(t *testing.T) {
	c := newCaster(t)
	b, d := c.join()
	sound := b.subscribe(c.a.track(Microphone), 6000, false)
	c.r.at(0, func() {
		b.link.estimator = rate.NewEstimator(firstEstimate)
		b.link.ladder = rate.NewLadder(rate.Alone, rate.Low, c.r.now)
		b.link.rung = rate.Low
	})
	b.link.peer.handler = offers{}
	b.sendRTCP(&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 40_000, SSRCs: []uint32{5000}})
	c.run(2 * time.Second)
	b.got()
	if b.link.rung != rate.Stills || !d.paused || sound.paused {
		t.Fatalf("at 40 kbit/s: %v, picture paused %v, sound paused %v", b.link.rung, d.paused, sound.paused)
	}
	b.sendRTCP(&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 5_000_000, SSRCs: []uint32{5000}})
	c.r.at(0, func() { b.link.estimator = rate.NewEstimator(5_000_000) })
	c.run(30 * time.Second)
	if b.link.rung != rate.High || d.paused {
		t.Fatalf("at 5 Mbit/s: %v, picture paused %v", b.link.rung, d.paused)
	}
	c.r.at(0, func() {
		b.link.limit = rate.Sound
		b.link.climb()
	})
	if !d.paused || sound.paused {
		t.Fatal("nothing but sound was wanted")
	}
}
