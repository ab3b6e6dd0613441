package sfu

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// maxData is the longest message on a data channel, in bytes.
	maxData = 1024
	// dataLag is how many bytes may wait on a channel for a slow line before messages are dropped: the next one is newer anyway.
	dataLag = 8 << 10
	// dripLag is that of a line that carries sound alone: pieces of a still that were lost are on their way again. Each is no longer
	// than dripSize: what holds such a line up for longer takes words.
	dripLag, dripSize = 2 << 10, 640
	// insisted times a word goes out that must not wait for the socket, so long apart: losses in a row rarely take all.
	insisted    = 3
	insistPause = 200 * time.Millisecond
	// maxSpares m-lines are kept ready: what a visit or a consult of a few needs.
	maxSpares = 8
)

// Channel is the label of one of a peer's data channels.
type Channel string

// The channels: unordered both, and what is lost on the first is lost.
const (
	PointerChannel  Channel = "pointer"
	ReliableChannel Channel = "reliable"
)

// subscriber is the connection on which the client receives. The server offers: at once, so that the transport is up
// before there is something to hear, and again whenever tracks change. At most one offer is unanswered.
type subscriber struct {
	pc         *webrtc.PeerConnection // nil without the right to subscribe
	link       *link
	channels   map[Channel]*webrtc.DataChannel
	downs      []*DownTrack
	offer      uint64 // number of the last offer
	told       string // the offer as the client was told it
	waiting    bool   // for its answer
	stale      bool   // tracks changed meanwhile: offer again after the answer
	tracks     []OfferedTrack
	spares     []*spare // m-lines that carry nothing now
	candidates candidates
}

// spare is an m-line for a track that a seat has not published yet, or no more. When it does, packets go out at once: on a bad line
// an offer and its answer take many seconds. It has an SSRC of its own, on which nothing was ever sent.
type spare struct {
	OfferedTrack // without ID: for any track of its kind
	line         *webrtc.RTPTransceiver
}

// placeholder is what pion sees on a spare line. It never changes: pion reads it whenever it likes.
type placeholder struct{ id, stream, kind string }

func placeholderFor(t OfferedTrack) placeholder {
	return placeholder{t.ID, streamOf(t.Seat, t.Source), t.Kind}
}

// Bind is called by pion when the subscriber has answered.
func (p placeholder) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	if len(t.CodecParameters()) == 0 {
		return webrtc.RTPCodecParameters{}, errNoCodec
	}
	return t.CodecParameters()[0], nil
}

// Unbind is called by pion when the track takes its place.
func (p placeholder) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID is that of the track.
func (p placeholder) ID() string { return p.id }

// RID is empty, as a DownTrack's.
func (p placeholder) RID() string { return "" }

// StreamID is that of the track.
func (p placeholder) StreamID() string { return p.stream }

// Kind is audio or video.
func (p placeholder) Kind() webrtc.RTPCodecType { return webrtc.NewRTPCodecType(p.kind) }

// Expect keeps m-lines ready for tracks of which only seat and source are known.
func (p *Peer) Expect(tracks []OfferedTrack) {
	p.do(func() error {
		if p.sub.pc == nil {
			return nil
		}
		changed, err := p.expect(tracks)
		if err != nil || !changed {
			return err
		}
		return p.negotiate()
	})
}

func (p *Peer) expect(tracks []OfferedTrack) (changed bool, err error) {
	s := &p.sub
	for _, t := range tracks {
		known := s.spareFor(func(x *spare) bool { return x.OfferedTrack.ID == t.ID }) != nil ||
			slices.ContainsFunc(s.downs, func(d *DownTrack) bool { return d.up.ID == t.ID })
		if known {
			continue
		}
		if x := s.spareFor(func(x *spare) bool { return x.OfferedTrack.ID == "" && x.OfferedTrack.Kind == t.Kind }); x != nil {
			x.OfferedTrack, changed = t, true
			if err = p.renew(x.line, placeholderFor(t)); err != nil {
				return changed, fmt.Errorf("expect: %w", err)
			}
			continue
		}
		if len(s.spares) >= maxSpares {
			continue
		}
		x := &spare{OfferedTrack: t}
		if x.line, err = s.pc.AddTransceiverFromTrack(placeholderFor(t), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return changed, fmt.Errorf("expect: %w", err)
		}
		s.spares, changed = append(s.spares, x), true
	}
	return changed, nil
}

func (s *subscriber) spareFor(is func(*spare) bool) *spare {
	if i := slices.IndexFunc(s.spares, is); i >= 0 {
		return s.spares[i]
	}
	return nil
}

// Forget keeps nothing ready any more for a seat that has left.
func (p *Peer) Forget(seat string) {
	p.do(func() error {
		for _, x := range p.sub.spares {
			if x.Seat == seat {
				x.OfferedTrack = OfferedTrack{Kind: x.OfferedTrack.Kind}
			}
		}
		return nil
	})
}

func (p *Peer) startSubscriber(expected []OfferedTrack) error {
	l, pc, err := p.newLink()
	if err != nil {
		return err
	}
	p.sub.link, p.sub.pc = l, pc
	ordered, once := false, uint16(0)
	p.sub.channels = map[Channel]*webrtc.DataChannel{}
	for c, repeats := range map[Channel]*uint16{PointerChannel: &once, ReliableChannel: nil} {
		ch, err := pc.CreateDataChannel(string(c), &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: repeats})
		if err != nil {
			return fmt.Errorf("make channel %s: %w", c, err)
		}
		p.sub.channels[c] = ch
		ch.OnMessage(func(m webrtc.DataChannelMessage) {
			if p.rights.Publish && m.IsString && len(m.Data) <= maxData {
				p.do(func() error { p.handler.Data(c, m.Data); return nil })
			}
		})
	}
	if _, err := p.expect(expected); err != nil {
		return err
	}
	return p.negotiate()
}

// Subscribe adds a track of another seat.
func (p *Peer) Subscribe(up *UpTrack, seat string) {
	p.do(func() error {
		if p.sub.pc == nil {
			return nil
		}
		if up.link.shard != p.shard {
			return fmt.Errorf("subscribe: %w: the track is of another room", ErrRefused)
		}
		d := newDownTrack(up, seat, p.sub.link)
		ready, err := p.attach(d)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		p.sub.downs = append(p.sub.downs, d)
		p.engine.downCount.Add(1)
		up.add(d)
		if ready {
			return nil
		}
		return p.negotiate()
	})
}

// attach gives the track an m-line: the one that was kept ready for it, which needs no offer, else one that is free, else a new one.
func (p *Peer) attach(d *DownTrack) (ready bool, err error) {
	s := &p.sub
	x := s.spareFor(func(x *spare) bool { return x.OfferedTrack.ID == d.up.ID })
	ready = x != nil
	if !ready {
		x = s.spareFor(func(x *spare) bool { return x.OfferedTrack.ID == "" && x.OfferedTrack.Kind == d.up.kind })
	}
	if x != nil {
		s.spares = slices.DeleteFunc(s.spares, func(y *spare) bool { return y == x })
		d.line = x.line
		if ready {
			return true, x.line.Sender().ReplaceTrack(d)
		}
		return false, p.renew(x.line, d)
	}
	d.line, err = s.pc.AddTransceiverFromTrack(d, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	return false, err
}

// Unsubscribe takes a track away.
func (p *Peer) Unsubscribe(up *UpTrack) {
	p.do(func() error {
		i := slices.IndexFunc(p.sub.downs, func(d *DownTrack) bool { return d.up == up })
		if i < 0 {
			return nil
		}
		d := p.sub.downs[i]
		p.sub.downs = slices.Delete(p.sub.downs, i, i+1)
		p.drop(d)
		if err := p.spareAgain(d); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		return p.negotiate()
	})
}

// spareAgain keeps the m-line of a track that has ended, should it begin anew.
func (p *Peer) spareAgain(d *DownTrack) error {
	x := &spare{OfferedTrack{ID: d.up.ID, Seat: d.seat, Source: d.up.Source, Kind: d.up.kind}, d.line}
	p.sub.spares = append(p.sub.spares, x)
	return p.renew(x.line, placeholderFor(x.OfferedTrack))
}

// renew puts another track on an m-line, with an SSRC that the client learns with the track's name: so it takes no packet for
// another's, and no number goes out twice.
func (p *Peer) renew(line *webrtc.RTPTransceiver, track webrtc.TrackLocal) error {
	if err := line.Sender().Stop(); err != nil {
		return err
	}
	sender, err := p.sub.link.api.NewRTPSender(track, p.sub.pc.SCTP().Transport())
	if err != nil {
		return err
	}
	return line.SetSender(sender, track)
}

func (p *Peer) drop(d *DownTrack) {
	d.up.remove(d)
	p.engine.downCount.Add(-1)
}

func (p *Peer) negotiate() error {
	if p.sub.waiting {
		p.sub.stale = true
		return nil
	}
	return p.offer(false)
}

func (p *Peer) offer(restart bool) error {
	s := &p.sub
	d, err := s.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	local, err := describe(s.pc, d)
	if err != nil {
		return err
	}
	s.tracks = s.tracks[:0:0]
	for _, d := range s.downs {
		s.tracks = append(s.tracks, OfferedTrack{MID: d.line.Mid(), ID: d.up.ID, Seat: d.seat, Source: d.up.Source, Kind: d.up.kind})
	}
	for _, x := range s.spares {
		if x.OfferedTrack.ID != "" {
			t := x.OfferedTrack
			t.MID = x.line.Mid()
			s.tracks = append(s.tracks, t)
		}
	}
	s.offer++
	s.told = strings.ReplaceAll(local, "a=setup:actpass", "a=setup:active") // see handshakeAgain
	s.waiting, s.stale = true, false
	p.tell()
	return nil
}

// tell sends the last offer.
func (p *Peer) tell() { p.handler.Offered(p.sub.offer, p.sub.told, p.sub.tracks) }

// Answer takes the client's answer to the offer of that number. Answers to older offers are passed over.
func (p *Peer) Answer(number uint64, sdp string) {
	p.do(func() error {
		s := &p.sub
		if s.pc == nil || !s.waiting || number != s.offer {
			return nil
		}
		if err := CheckDescription(sdp); err != nil {
			return err
		}
		if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		s.candidates.described(s.pc)
		s.waiting = false
		if s.stale {
			return p.offer(false)
		}
		return nil
	})
}

// Repeat sends the unanswered offer again; the socket it was sent on may have been lost.
func (p *Peer) Repeat() {
	p.do(func() error {
		if p.sub.waiting {
			p.tell()
		}
		return nil
	})
}

// RestartICE looks for a new path to the client, whose network has changed. While an offer is unanswered it repeats
// that one: the client asks again when it does not help.
func (p *Peer) RestartICE() {
	p.do(func() error {
		switch {
		case p.sub.pc == nil:
			return nil
		case p.sub.waiting:
			p.tell()
			return nil
		}
		return p.offer(true)
	})
}

// Send sends on a data channel, or drops when the line lags. It may be called from any goroutine.
func (p *Peer) Send(c Channel, text string) {
	p.do(func() error {
		ch := p.sub.channels[c]
		if ch == nil || ch.ReadyState() != webrtc.DataChannelStateOpen {
			p.engine.dataDropped.Add(1)
			return nil
		}
		lag := dataLag
		if c == ReliableChannel {
			if lag = p.sub.link.lag(); lag < dataLag && len(text) > dripSize {
				lag = -1
			}
		}
		if int(ch.BufferedAmount()) > lag || ch.SendText(text) != nil {
			p.engine.dataDropped.Add(1)
			return nil
		}
		p.engine.data.Add(1)
		return nil
	})
}

// Insist sends a word on the pointer channel several times, for a client that takes the first to come. A word too long for a packet is not sent.
func (p *Peer) Insist(text string) {
	if len(text) > maxData {
		return
	}
	for i := range insisted {
		time.AfterFunc(time.Duration(i)*insistPause, func() { p.Send(PointerChannel, text) })
	}
}
