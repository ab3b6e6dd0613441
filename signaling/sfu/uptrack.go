package sfu

import (
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/sfu/rate"
)

// Source says what a track shows. A seat publishes at most one track of each.
type Source string

// The sources.
const (
	Microphone  Source = "microphone"
	Camera      Source = "camera"
	Screen      Source = "screen"
	ScreenAudio Source = "screen_audio"
	// Instruments, which come by WHIP.
	Ultrasound Source = "ultrasound"
	Otoscope   Source = "otoscope"
	Endoscope  Source = "endoscope"
	RoomCamera Source = "room_camera"
)

// Kind is the media kind a source must have, or "" for an unknown source.
func (s Source) Kind() string {
	switch s {
	case Microphone, ScreenAudio:
		return "audio"
	case Camera, Screen, Ultrasound, Otoscope, Endoscope, RoomCamera:
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

	told    Demand        // what the publisher knows is wanted; at first all
	changed time.Duration // since when something else is wanted; 0 if it is not

	voices   int           // packets with a voice in a row, others forgiven
	voiced   time.Duration // the last of them
	speaking bool
}

const (
	// voice is the level, in dB below the loudest, from which sound is taken for somebody speaking: a quiet voice at arm's length
	// has 40 to 45, a room's noise 60.
	voice = 50
	// speaksAfter so many packets of 20 ms somebody speaks; a cough does not. Who is silent for quietAfter has ended.
	speaksAfter = 10
	quietAfter  = 800 * time.Millisecond
)

// hear takes the level of a packet of sound (RFC 6464).
func (u *UpTrack) hear(level uint8) {
	now := u.link.shard.now
	if level > voice {
		u.voices = max(u.voices-1, 0)
		return
	}
	u.voiced = now
	u.voices = min(u.voices+1, speaksAfter)
	if u.voices == speaksAfter && !u.speaking && u.Source == Microphone {
		u.speak(true)
	}
}

func (u *UpTrack) speak(on bool) {
	p := u.link.peer
	u.speaking = on
	p.do(func() error { p.handler.Speaking(on); return nil })
}

// tick looks after what subscribers want and who has fallen silent.
func (u *UpTrack) tick() {
	if u.speaking && u.link.shard.now-u.voiced > quietAfter {
		u.speak(false)
	}
	u.demand()
}

func newUpTrack(l *link, section *mediaSection) *UpTrack {
	u := &UpTrack{ID: TrackID(l.peer.name, section.source), Source: section.source, kind: section.kind, link: l, section: section, format: &format{}}
	u.told.Rung = rate.High
	for i := range max(len(section.rids), 1) {
		u.layers = append(u.layers, newLayer(u, i))
		u.told.Layers = append(u.told.Layers, true)
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
	case !u.link.mayFind():
		return false
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
