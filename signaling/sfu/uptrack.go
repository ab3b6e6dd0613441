package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// keyFramePause is the least time between two key frame requests to one publisher: a key frame is five to ten
// times a normal one, and a weak line can't send more of them.
const keyFramePause = 500 * time.Millisecond

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

// UpTrack is a track that a seat publishes. Its peer makes it and starts run; others subscribe and leave.
type UpTrack struct {
	// Set at construction.
	ID     string
	Source Source
	remote *webrtc.TrackRemote
	ask    func(ssrc uint32) // sends a PLI to the publisher
	counts *counts

	wanted atomic.Bool  // a key frame is asked for and the request not yet sent
	asked  atomic.Int64 // Unix nanoseconds of the last request sent

	mu    sync.Mutex // guards changes of downs
	downs atomic.Pointer[[]*DownTrack]
}

// Kind is "audio" or "video".
func (u *UpTrack) Kind() string { return u.remote.Kind().String() }

// codec is known once the first packet has arrived, which is when a peer announces the track.
func (u *UpTrack) codec() webrtc.RTPCodecCapability { return u.remote.Codec().RTPCodecCapability }

// run reads the track until it ends and forwards each packet. It is the only reader and owns header and buffer.
func (u *UpTrack) run() {
	buf := make([]byte, maxPacket)
	var header rtp.Header
	for {
		n, _, err := u.remote.Read(buf)
		if err != nil {
			return
		}
		header = rtp.Header{CSRC: header.CSRC[:0], Extensions: header.Extensions[:0]}
		at, err := header.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		payload := buf[at:n]
		if header.Padding && len(payload) > 0 {
			pad := int(payload[len(payload)-1])
			if pad == 0 || pad > len(payload) {
				continue
			}
			header.PaddingSize = byte(pad)
			payload = payload[:len(payload)-pad]
		}
		u.counts.packetsIn.Add(1)
		u.counts.bytesIn.Add(uint64(n))
		u.forward(header, payload)
		if u.wanted.Load() {
			u.requestKeyFrame()
		}
	}
}

func (u *UpTrack) forward(header rtp.Header, payload []byte) {
	// Extension ids are agreed per connection; those of the publisher mean nothing to a subscriber.
	header.Extension, header.ExtensionProfile, header.Extensions = false, 0, nil
	downs := u.downs.Load()
	if downs == nil {
		return
	}
	for _, d := range *downs {
		d.write(header, payload)
	}
}

// RequestKeyFrame asks the publisher for a key frame. Requests that come together become one.
func (u *UpTrack) RequestKeyFrame() {
	if u.Kind() != "video" {
		return
	}
	u.wanted.Store(true)
	u.requestKeyFrame()
}

func (u *UpTrack) requestKeyFrame() {
	now, last := time.Now().UnixNano(), u.asked.Load()
	if now-last < int64(keyFramePause) || !u.asked.CompareAndSwap(last, now) {
		return // run asks again with a later packet
	}
	u.wanted.Store(false)
	u.counts.keyFrames.Add(1)
	u.ask(uint32(u.remote.SSRC()))
}

func (u *UpTrack) add(d *DownTrack) {
	u.change(func(s []*DownTrack) []*DownTrack { return append(slices.Clip(s), d) })
}

func (u *UpTrack) remove(d *DownTrack) {
	u.change(func(s []*DownTrack) []*DownTrack {
		return slices.DeleteFunc(slices.Clone(s), func(x *DownTrack) bool { return x == d })
	})
}

func (u *UpTrack) change(f func([]*DownTrack) []*DownTrack) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var now []*DownTrack
	if p := u.downs.Load(); p != nil {
		now = *p
	}
	next := f(now)
	u.downs.Store(&next)
}
