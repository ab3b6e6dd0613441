package sfu

import (
	"time"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// Choice is what a subscriber wants of a track, at most: its line may carry less.
type Choice struct {
	Paused bool
	Layer  rtpmap.Layer
}

// everything is the choice of who has made none.
var everything = Choice{Layer: rtpmap.Layer{Stream: rtpmap.Top, Spatial: rtpmap.Top, Temporal: rtpmap.Top}}

// Demand is what the subscribers together want of a track, so that a sender need not make what nobody sees.
type Demand struct {
	Layers []bool // of simulcast, the smallest first; without it the track itself
	// Rung is how much of it is of use: of a picture the highest of theirs, of sound the lowest, for all hear the same.
	Rung rate.Rung
}

func (d Demand) equal(o Demand) bool {
	if len(d.Layers) != len(o.Layers) || d.Rung != o.Rung {
		return false
	}
	for i := range d.Layers {
		if d.Layers[i] != o.Layers[i] {
			return false
		}
	}
	return true
}

const (
	// decideEvery is how often layers are chosen anew without a reason.
	decideEvery = 100 * time.Millisecond
	// aliveFor is how long a layer without packets is still taken to be sent.
	aliveFor = time.Second
	// demandPause is how long nobody must have wanted a layer before its sender is told: who comes back at once finds it there.
	demandPause = 2 * time.Second
)

// Choose says what the peer gets of a track.
func (p *Peer) Choose(up *UpTrack, c Choice) {
	p.shard.lock()
	defer p.shard.unlock()
	for _, d := range up.downs {
		if d.link.peer == p {
			d.choice = c
			d.decide()
		}
	}
}

// SetLimit fixes the highest rung that the person wants: Sound is "nothing but sound".
func (p *Peer) SetLimit(top rate.Rung) {
	p.do(func() error {
		if l := p.sub.link; l != nil {
			p.shard.lock()
			defer p.shard.unlock()
			l.limit = top
			l.climb()
		}
		return nil
	})
}

// climb asks the ladder where the line stands now.
func (l *link) climb() {
	if l.ladder == nil {
		return
	}
	s := l.shard
	l.ladder.Fix(l.limit)
	l.ladder.Need(l.needs())
	line := l.estimator.Line()
	before := l.rung
	l.rung = l.ladder.Step(line, s.now)
	if bits, wanted := l.ladder.Probe(line, s.now); wanted {
		l.estimator.Probe(bits, rate.ProbeTime, s.now)
		l.probing, l.probeBits = s.now+rate.ProbeTime, bits
	}
	if l.rung == before {
		return
	}
	for _, d := range l.downs {
		d.decide()
	}
	p, rung := l.peer, l.rung
	p.do(func() error { p.handler.Rung(rung); return nil })
}

// needs adds up what each rung takes of what the peer has chosen.
func (l *link) needs() rate.Needs {
	sound := 0
	var tracks []rate.Track
	for _, d := range l.downs {
		switch {
		case d.choice.Paused:
		case d.up.kind == "audio":
			sound += rate.Alone[rate.Sound]
		default:
			tracks = append(tracks, d.needs())
		}
	}
	if len(tracks) == 0 { // what the line would carry if there were one
		tracks = append(tracks, rate.Track{Bits: pictureAlone, Top: rate.High})
	}
	return rate.Total(max(sound, rate.Alone[rate.Sound]), tracks...)
}

// pictureAlone is what the picture takes of a visit of two.
var pictureAlone = func() (n rate.Needs) {
	for r := rate.Stills; r <= rate.High; r++ {
		n[r] = rate.Alone[r] - rate.Alone[rate.Sound]
	}
	return n
}()

// needs of one picture: what its layers take where there are several, else what a sender makes that heeds the demand.
func (d *DownTrack) needs() rate.Track {
	t := rate.Track{Bits: pictureAlone, Top: rate.High}
	if len(d.up.layers) > 1 {
		for r := rate.Low; r <= rate.High; r++ {
			if bits := d.up.layers[min(int(layerOf[r].Stream), len(d.up.layers)-1)].rate; bits > 0 {
				t.Bits[r] = bits
			}
		}
	}
	if d.choice.Layer.Stream < rtpmap.Top && len(d.up.layers) > 1 {
		t.Top = min(rate.Low+rate.Rung(d.choice.Layer.Stream), rate.High)
	}
	return t
}

// layerOf is what a rung shows.
var layerOf = [rate.High + 1]rtpmap.Layer{
	rate.Low:    {Stream: 0, Spatial: 0, Temporal: 0},
	rate.Medium: {Stream: 1, Spatial: 1, Temporal: rtpmap.Top},
	rate.High:   {Stream: rtpmap.Top, Spatial: rtpmap.Top, Temporal: rtpmap.Top},
}

// decide chooses, and asks for the key frame that the choice needs.
func (d *DownTrack) decide() {
	if !d.on {
		return
	}
	d.choose()
	if stream, needed := d.mapper.NeedsKey(); needed {
		d.up.layers[min(int(stream), len(d.up.layers)-1)].ask()
	}
}

// choose takes the best layer that is wanted, that the line carries, and that is sent.
func (d *DownTrack) choose() {
	want, paused := d.choice.Layer, d.choice.Paused
	if d.up.kind == "video" && d.link.ladder != nil {
		paused = paused || d.link.rung < rate.Low
		top := layerOf[d.link.rung]
		want = rtpmap.Layer{Stream: min(want.Stream, top.Stream), Spatial: min(want.Spatial, top.Spatial), Temporal: min(want.Temporal, top.Temporal)}
	}
	if d.paused = paused; paused {
		d.going = false
		d.mapper.Pause()
		return
	}
	d.wanted = uint8(min(int(want.Stream), len(d.up.layers)-1))
	want.Stream = d.alive(d.wanted)
	if want != d.mapper.Wanted() || !d.going {
		d.going = true
		d.mapper.Want(want)
	}
}

// alive gives the layer that is sent and nearest to the one wanted, below it first.
func (d *DownTrack) alive(wanted uint8) uint8 {
	now := d.link.shard.now
	sent := func(i int) bool { return d.up.layers[i].began && now-d.up.layers[i].heard < aliveFor }
	for i := int(wanted); i >= 0; i-- {
		if sent(i) {
			return uint8(i)
		}
	}
	for i := int(wanted) + 1; i < len(d.up.layers); i++ {
		if sent(i) {
			return uint8(i)
		}
	}
	return wanted
}

// demand looks what the subscribers want, and tells the publisher when it has changed: more at once, less after a while.
func (u *UpTrack) demand() {
	s, p := u.link.shard, u.link.peer
	if !u.announced {
		return
	}
	now := Demand{Layers: make([]bool, len(u.layers))}
	more := func(a, b rate.Rung) rate.Rung { return max(a, b) }
	if u.kind == "audio" {
		now.Rung = rate.High
		more = func(a, b rate.Rung) rate.Rung { return min(a, b) }
	}
	for _, d := range u.downs {
		if d.choice.Paused {
			continue
		}
		if d.link.ladder != nil { // of whose line something is known
			rung := d.link.rung
			if u.kind == "audio" {
				rung = d.link.pack
			}
			now.Rung = more(now.Rung, rung)
		}
		if !d.paused {
			now.Layers[d.wanted] = true
		}
		if d.on {
			if at, on := d.mapper.Now(); on { // until the other one has begun
				now.Layers[min(int(at.Stream), len(now.Layers)-1)] = true
			}
		}
	}
	if now.equal(u.told) {
		u.changed = 0
		return
	}
	if u.changed == 0 {
		u.changed = s.now
	}
	if s.now-u.changed < demandPause && u.told.Layers != nil { // for the present, what is wanted in addition, or sound for a thinner line
		now.Rung = more(now.Rung, u.told.Rung)
		for i, told := range u.told.Layers {
			now.Layers[i] = now.Layers[i] || told
		}
		if now.equal(u.told) {
			return
		}
	} else {
		u.changed = 0
	}
	u.told = now
	p.do(func() error { p.handler.Wanted(u, now); return nil })
}

// pad sends what a probe takes: RTX packets with nothing in them (RFC 4588 §4), which a receiver counts and throws away.
func (l *link) pad() {
	s := l.shard
	if s.now >= l.probing {
		return
	}
	var d *DownTrack
	for _, x := range l.downs {
		if x.on && x.bound.repairSSRC != 0 && x.bound.twcc != 0 {
			d = x
			break
		}
	}
	if d == nil {
		return
	}
	const padding = 255
	timestamp := uint32(0)
	if _, stamp, sent := d.mapper.Last(); sent {
		timestamp = stamp
	}
	for left := l.probeBits / 8 / int(time.Second/tickEvery); left > 0; left -= padding + 60 {
		e := sent{timestamp: timestamp, number: l.number}
		l.number++
		p := packet{kind: d.bound.repairKind, ssrc: d.bound.repairSSRC, number: d.repair}
		d.repair++
		room := d.header(s.socket.next(), p, &e, nil)
		room[0] |= 0x20
		at := len(room)
		room = room[:at+padding]
		clear(room[at:])
		room[at+padding-1] = padding
		d.seal(room, at, p, &e)
	}
}
