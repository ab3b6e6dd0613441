package sfu

import (
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"
)

const (
	// PointerChannel is the label of the lossy data channel: unordered, never repeated.
	PointerChannel = "pointer"
	// maxPointer is the longest pointer message, in bytes.
	maxPointer = 1024
	// pointerLag is how many bytes may wait for a slow line before pointer messages are dropped: the next one is newer anyway.
	pointerLag = 8 << 10
)

// subscriber is the connection on which the client receives. The server offers: at once, so that the transport is up
// before there is something to hear, and again whenever tracks change. At most one offer is unanswered.
type subscriber struct {
	pc         *webrtc.PeerConnection // nil without the right to subscribe
	link       *link
	pointer    *webrtc.DataChannel
	downs      []*DownTrack
	offer      uint64 // number of the last offer
	waiting    bool   // for its answer
	stale      bool   // tracks changed meanwhile: offer again after the answer
	tracks     []OfferedTrack
	freed      []*webrtc.RTPTransceiver // m-lines whose track ended since the last offer
	offered    []*webrtc.RTPTransceiver // of those, offered as inactive
	free       []*webrtc.RTPTransceiver // of those, agreed: may carry another track
	candidates candidates
}

func (p *Peer) startSubscriber() error {
	l, pc, err := p.newLink()
	if err != nil {
		return err
	}
	p.sub.link, p.sub.pc = l, pc
	ordered, repeats := false, uint16(0)
	p.sub.pointer, err = pc.CreateDataChannel(PointerChannel, &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: &repeats})
	if err != nil {
		return fmt.Errorf("make pointer channel: %w", err)
	}
	p.sub.pointer.OnMessage(func(m webrtc.DataChannelMessage) {
		if p.rights.Publish && m.IsString && len(m.Data) <= maxPointer {
			p.do(func() error { p.handler.Pointer(m.Data); return nil })
		}
	})
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
		if err := p.attach(d); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		p.sub.downs = append(p.sub.downs, d)
		p.engine.downCount.Add(1)
		up.add(d)
		return p.negotiate()
	})
}

// attach gives the track an m-line: one that is free, else a new one.
func (p *Peer) attach(d *DownTrack) error {
	for i, t := range p.sub.free {
		if t.Kind() != d.Kind() {
			continue
		}
		sender, err := p.sub.link.api.NewRTPSender(d, p.sub.pc.SCTP().Transport())
		if err != nil {
			return err
		}
		d.sender = sender
		p.sub.free = slices.Delete(p.sub.free, i, i+1)
		return t.SetSender(sender, d)
	}
	t, err := p.sub.pc.AddTransceiverFromTrack(d, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	d.sender = t.Sender()
	return nil
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
		for _, t := range p.sub.pc.GetTransceivers() {
			if t.Sender() == d.sender {
				p.sub.freed = append(p.sub.freed, t)
			}
		}
		if err := p.sub.pc.RemoveTrack(d.sender); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		return p.negotiate()
	})
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
	for _, t := range s.pc.GetTransceivers() {
		i := slices.IndexFunc(s.downs, func(d *DownTrack) bool { return d.sender == t.Sender() })
		if i >= 0 {
			d := s.downs[i]
			s.tracks = append(s.tracks, OfferedTrack{MID: t.Mid(), ID: d.up.ID, Seat: d.seat, Source: d.up.Source, Kind: d.up.Kind()})
		}
	}
	s.offered, s.freed = append(s.offered, s.freed...), nil
	s.offer++
	s.waiting, s.stale = true, false
	p.handler.Offered(s.offer, local, s.tracks)
	return nil
}

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
		s.free, s.offered = append(s.free, s.offered...), nil
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
			p.handler.Offered(p.sub.offer, p.sub.pc.LocalDescription().SDP, p.sub.tracks)
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
			p.handler.Offered(p.sub.offer, p.sub.pc.LocalDescription().SDP, p.sub.tracks)
			return nil
		}
		return p.offer(true)
	})
}

// SendPointer sends on the lossy channel, or drops when the line lags. It may be called from any goroutine.
func (p *Peer) SendPointer(text string) {
	p.do(func() error {
		ch := p.sub.pointer
		if ch == nil || ch.ReadyState() != webrtc.DataChannelStateOpen || ch.BufferedAmount() > pointerLag {
			p.engine.pointersDropped.Add(1)
			return nil
		}
		if err := ch.SendText(text); err != nil {
			p.engine.pointersDropped.Add(1)
			return nil
		}
		p.engine.pointers.Add(1)
		return nil
	})
}
