package sfu

import (
	"fmt"

	"github.com/pion/webrtc/v4"
)

// publisher is the connection on which the client sends. The client offers.
type publisher struct {
	pc         *webrtc.PeerConnection // nil until the first offer
	link       *link
	ups        map[Source]*UpTrack
	candidates candidates
}

// Offer takes a publish offer; sections say what its m-lines carry. The answer comes by Handler.Answered with the same
// number. A repeated or newer offer replaces an unanswered one; an ICE restart is an ordinary offer.
func (p *Peer) Offer(number uint64, sdp string, sections []Section) {
	p.do(func() error {
		sources, err := p.checkSections(sections)
		if err != nil {
			return err
		}
		if err := CheckDescription(sdp); err != nil {
			return err
		}
		if p.pub.pc == nil {
			if err := p.startPublisher(); err != nil {
				return err
			}
		}
		offered := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}
		theirs, err := offered.Unmarshal()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		offered.SDP = withoutStreams(sdp)
		if err := p.pub.pc.SetRemoteDescription(offered); err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		p.pub.candidates.described(p.pub.pc)
		answer, err := p.pub.pc.CreateAnswer(nil)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		local, err := describe(p.pub.pc, answer)
		if err != nil {
			return err
		}
		answered := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: local}
		ours, err := answered.Unmarshal()
		if err != nil {
			return fmt.Errorf("read own answer: %w", err)
		}
		askForSilence(ours, sources)
		told, err := ours.Marshal()
		if err != nil {
			return fmt.Errorf("write own answer: %w", err)
		}
		agreed, err := agree(theirs, ours, sources)
		if err != nil {
			return err
		}
		for _, u := range p.pub.link.agree(agreed) {
			p.unpublish(u)
		}
		p.handler.Answered(number, string(told))
		return nil
	})
}

func (p *Peer) checkSections(sections []Section) (map[string]Source, error) {
	if !p.rights.Publish {
		return nil, fmt.Errorf("%w: publish", ErrRefused)
	}
	if len(sections) > MaxTracks {
		return nil, fmt.Errorf("%w: more than %d tracks", ErrBadDescription, MaxTracks)
	}
	sources, seen := map[string]Source{}, map[Source]bool{}
	for _, s := range sections {
		if s.Source.Kind() == "" || seen[s.Source] {
			return nil, fmt.Errorf("%w: source %q is unknown or named twice", ErrBadDescription, s.Source)
		}
		sources[s.MID], seen[s.Source] = s.Source, true
	}
	return sources, nil
}

func (p *Peer) startPublisher() error {
	l, pc, err := p.newLink()
	if err != nil {
		return err
	}
	p.pub.link, p.pub.pc = l, pc
	p.pub.ups = map[Source]*UpTrack{}
	return nil
}

// publish announces a track, whose first packet has come.
func (p *Peer) publish(up *UpTrack) {
	if old := p.pub.ups[up.Source]; old != nil {
		p.unpublish(old)
	}
	p.pub.ups[up.Source] = up
	p.engine.upCount.Add(1)
	p.handler.Published(up)
}

func (p *Peer) unpublish(up *UpTrack) {
	if p.pub.ups[up.Source] == up {
		delete(p.pub.ups, up.Source)
		p.engine.upCount.Add(-1)
		p.handler.Unpublished(up)
	}
}
