package sfu

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"
)

// Source says what a track shows. A seat publishes at most one track of each.
type Source string

// The sources.
const (
	Microphone  Source = "microphone"
	Camera      Source = "camera"
	Screen      Source = "screen"
	ScreenAudio Source = "screen_audio"
)

// Kind is the media kind a source must have, or "" for an unknown source.
func (s Source) Kind() string {
	switch s {
	case Microphone, ScreenAudio:
		return "audio"
	case Camera, Screen:
		return "video"
	}
	return ""
}

// UpTrack is a track that a seat publishes. The shard makes it with the first packet of its m-line; others subscribe and leave.
type UpTrack struct {
	// Set at construction.
	ID     string
	Source Source
	kind   string
	link   *link

	format *format // set before the track is announced, by the first packet

	// Owned by the shard.
	section   *mediaSection
	layers    []*layer // the smallest first; never empty
	downs     []*DownTrack
	announced bool
	ended     bool
}

func newUpTrack(l *link, section *mediaSection) *UpTrack {
	u := &UpTrack{ID: rand.Text(), Source: section.source, kind: section.kind, link: l, section: section, format: &format{}}
	for i := range max(len(section.rids), 1) {
		u.layers = append(u.layers, newLayer(u, i))
	}
	return u
}

// Kind is "audio" or "video".
func (u *UpTrack) Kind() string { return u.kind }

// codec is known once the first packet has arrived, which is when a peer announces the track.
func (u *UpTrack) codec() webrtc.RTPCodecCapability { return u.format.RTPCodecCapability }

// speaks says whether packets of the format belong to the track. The first announces it; another codec ends it, and the
// next packet begins a new one.
func (u *UpTrack) speaks(f *format) bool {
	p := u.link.peer
	switch {
	case u.ended:
		return false
	case !u.announced:
		u.announced, u.format = true, f
		p.do(func() error { p.publish(u); return nil })
		return true
	case u.format == f || strings.EqualFold(u.format.MimeType, f.MimeType):
		return true
	}
	l, section := u.link, u.section
	l.drop(u)
	l.declare(section)
	p.do(func() error { p.unpublish(u); return nil })
	return false
}

// end stops forwarding for good.
func (u *UpTrack) end() { u.ended = true }

// RequestKeyFrame asks the publisher for a key frame. Requests that come together become one.
func (u *UpTrack) RequestKeyFrame() {
	s := u.link.shard
	s.lock()
	defer s.unlock()
	u.askAll()
}

func (u *UpTrack) askAll() {
	for _, y := range u.layers {
		y.ask()
	}
}

func (u *UpTrack) add(d *DownTrack) {
	s := u.link.shard
	s.lock()
	defer s.unlock()
	u.downs = append(u.downs, d)
	u.askAll() // now rather than when the subscriber has answered: it needs a round trip too
}

func (u *UpTrack) remove(d *DownTrack) {
	s := u.link.shard
	s.lock()
	defer s.unlock()
	u.downs = slices.DeleteFunc(u.downs, func(x *DownTrack) bool { return x == d })
	d.stop()
}
