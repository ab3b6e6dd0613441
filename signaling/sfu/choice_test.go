package sfu

import (
	"testing"
	"time"

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

func newSimulcast(t *testing.T) *caster {
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
	c := newSimulcast(t)
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
	c := newSimulcast(t)
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
