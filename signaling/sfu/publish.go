package sfu

import (
	"crypto/rand"
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// publisher is the connection on which the client sends. The client offers.
type publisher struct {
	pc         *webrtc.PeerConnection // nil until the first offer
	sources    map[string]Source      // by m-line, from the last offer
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
		p.pub.sources = sources
		if err := p.pub.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
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
		p.handler.Answered(number, local)
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
	pc, err := p.connection()
	if err != nil {
		return err
	}
	p.pub.pc = pc
	p.pub.ups = map[Source]*UpTrack{}
	// Called with the first packet of a track.
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.do(func() error { p.publish(remote, receiver); return nil })
	})
	return nil
}

// publish announces a track and starts to forward it. A track that the offer did not name is not read.
func (p *Peer) publish(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	source := p.sourceOf(receiver)
	if source.Kind() != remote.Kind().String() {
		return
	}
	pc := p.pub.pc
	up := &UpTrack{
		ID: rand.Text(), Source: source, remote: remote, counts: &p.engine.counts,
		ask: func(ssrc uint32) {
			// Fails only while the connection ends.
			_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
		},
	}
	if old := p.pub.ups[source]; old != nil {
		p.unpublish(old)
	}
	p.pub.ups[source] = up
	p.engine.counts.ups.Add(1)
	p.readers.Go(func() {
		up.run()
		p.engine.counts.ups.Add(-1)
		p.do(func() error { p.unpublish(up); return nil })
	})
	p.readers.Go(func() { // drives the interceptors that count and report what arrives
		buf := make([]byte, maxPacket)
		for {
			if _, _, err := receiver.Read(buf); err != nil {
				return
			}
		}
	})
	p.handler.Published(up)
}

func (p *Peer) unpublish(up *UpTrack) {
	if p.pub.ups[up.Source] == up {
		delete(p.pub.ups, up.Source)
		p.handler.Unpublished(up)
	}
}

func (p *Peer) sourceOf(r *webrtc.RTPReceiver) Source {
	for _, t := range p.pub.pc.GetTransceivers() {
		if t.Receiver() == r {
			return p.pub.sources[t.Mid()]
		}
	}
	return ""
}
