package sfu

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"
)

var errLost = errors.New("the connection is lost")

// View takes an offer of a client that wants to receive and cannot be offered to (WHEP): each m-line gets the first of the tracks
// that has its kind and no m-line yet. The answer comes by Handler.Answered with the same number. A later offer may only
// restart ICE. The peer was made without rights.
func (p *Peer) View(number uint64, sdp string, ups []*UpTrack, seat string) {
	p.do(func() error {
		if err := CheckDescription(sdp); err != nil {
			return err
		}
		s, first := &p.sub, p.sub.pc == nil
		if first {
			var err error
			if s.link, s.pc, err = p.newLink(); err != nil {
				return err
			}
		}
		if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		s.candidates.described(s.pc)
		if first {
			if err := p.fill(ups, seat); err != nil {
				return err
			}
		}
		answer, err := s.pc.CreateAnswer(nil)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadDescription, err)
		}
		local, err := describe(s.pc, answer)
		if err != nil {
			return err
		}
		p.handler.Answered(number, local)
		return nil
	})
}

// fill gives the offered m-lines their tracks; those that get none are stopped.
func (p *Peer) fill(ups []*UpTrack, seat string) error {
	ups = slices.Clone(ups)
	var idle []*webrtc.RTPTransceiver
	for _, t := range p.sub.pc.GetTransceivers() {
		i := slices.IndexFunc(ups, func(up *UpTrack) bool { return up.Kind() == t.Kind().String() && up.link.shard == p.shard })
		if i < 0 || t.Direction() != webrtc.RTPTransceiverDirectionSendonly {
			idle = append(idle, t)
			continue
		}
		d := newDownTrack(ups[i], seat, p.sub.link)
		ups = slices.Delete(ups, i, i+1)
		if _, err := p.sub.pc.AddTrack(d); err != nil { // takes the first m-line of the kind without a track: t
			return fmt.Errorf("view: %w", err)
		}
		p.sub.downs = append(p.sub.downs, d)
		p.engine.downCount.Add(1)
		d.up.add(d)
	}
	for _, t := range idle {
		if err := t.Stop(); err != nil {
			return fmt.Errorf("view: %w", err)
		}
	}
	return nil
}

// EndWithConnection makes the peer break (Handler.Broken) when a connection of it fails or is closed by the client: for
// clients that have no socket whose loss would tell.
func (p *Peer) EndWithConnection() {
	p.do(func() error {
		for _, pc := range []*webrtc.PeerConnection{p.pub.pc, p.sub.pc} {
			if pc == nil {
				continue
			}
			pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
				if s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed {
					p.do(func() error { return errLost })
				}
			})
		}
		return nil
	})
}
