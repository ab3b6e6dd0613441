package sfu

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/queue"
	"yuanzhen/signaling/sfu/rate"
)

// Limits of what a client may say (counted before pion parses it).
const (
	MaxSections   = 64  // m-lines of a session description
	MaxCandidates = 100 // of one connection since its last description
	MaxTracks     = 6   // published by one seat
	maxTasks      = 512 // waiting in a peer's queue: more than any client can cause by honest signalling
	gatherTime    = 3 * time.Second
)

// Side names one of a peer's two connections, seen from the client.
type Side string

// The client offers on Publish, the server offers on Subscribe: so offers never collide.
const (
	Publish   Side = "publish"
	Subscribe Side = "subscribe"
)

// Rights say what a peer may do; they come from the ticket and never change.
type Rights struct {
	Publish, Subscribe bool
	// Device also agrees on AES128_CM_HMAC_SHA1_80, the one SRTP profile that GStreamer and most instruments know, and is let begin
	// the handshake: GStreamer's key is RSA, which one of our ciphers has no use for when it is asked.
	Device bool
}

// Section tells what an m-line of a publish offer carries.
type Section struct {
	MID    string `json:"mid"`
	Source Source `json:"source"`
}

// OfferedTrack tells what an m-line of a subscribe offer carries, or will carry once its seat publishes that.
type OfferedTrack struct {
	MID    string `json:"mid"`
	ID     string `json:"id"`
	Seat   string `json:"seat"`
	Source Source `json:"source"`
	Kind   string `json:"kind"`
}

// Handler hears a peer, one call at a time. A call may lock what the caller of the peer's methods holds: the
// peer's methods never wait for a Handler.
type Handler interface {
	Answered(offer uint64, sdp string)
	Offered(offer uint64, sdp string, tracks []OfferedTrack)
	Published(*UpTrack)
	Unpublished(*UpTrack)
	// Data is what the client said on a channel.
	Data(c Channel, data []byte)
	// Speaking: somebody has begun or ended to speak into the peer's microphone.
	Speaking(on bool)
	// Wanted: of a track the peer publishes, other layers are wanted than before.
	Wanted(*UpTrack, Demand)
	// Rung: the line to the peer carries more or less than before.
	Rung(rate.Rung)
	// Broken: the client said what no client says, or its connection can't go on. The peer is of no more use.
	Broken(error)
}

// ErrRefused marks what the client has no right to do.
var ErrRefused = errors.New("not permitted for this seat")

// ErrBadDescription marks session descriptions and candidates that cannot be used.
var ErrBadDescription = errors.New("session description cannot be used")

var errFlood = errors.New("more signalling than can be worked off")

// Peer is the media of one admitted seat: a connection on which it publishes and one on which it subscribes. Its
// methods put work in a queue and return; run does it.
type Peer struct {
	// Set at construction.
	engine  *Engine
	shard   *shard
	name    string
	rights  Rights
	handler Handler
	tasks   *queue.Queue[func() error]
	done    chan struct{} // closed when run has ended and nothing of the peer is left

	pending atomic.Int64 // tasks in the queue
	closed  atomic.Bool  // run stops before the next task

	held bool       // owned by run: no media pass
	pub  publisher  // owned by run
	sub  subscriber // owned by run
}

// Seat is what a peer is made for.
type Seat struct {
	Room   string // only tracks of the same room can be subscribed to
	Name   string // of what it publishes, see TrackID
	Rights Rights // without the right to publish or subscribe that connection is not even made
	Held   bool   // not admitted yet: connections are made, but no media pass until Release
	Expect []OfferedTrack
}

// TrackID names the track of a source before it is there, so that others can keep an m-line ready for it.
func TrackID(name string, s Source) string { return name + "." + string(s) }

// NewPeer starts a peer.
func (e *Engine) NewPeer(s Seat, h Handler) *Peer {
	p := &Peer{
		engine: e, shard: e.shard(s.Room), name: s.Name, rights: s.Rights, handler: h, tasks: queue.New[func() error](), done: make(chan struct{}),
		held: s.Held,
	}
	if s.Rights.Subscribe {
		p.do(func() error { return p.startSubscriber(s.Expect) })
	}
	if !e.adopt(p) {
		p.Close()
	}
	go p.run()
	return p
}

// run owns both connections until the peer is closed.
func (p *Peer) run() {
	defer func() {
		p.closeConnections()
		p.engine.disown(p)
		close(p.done)
	}()
	for tasks := p.tasks.Take(); tasks != nil; tasks = p.tasks.Take() {
		for _, task := range tasks {
			flooded := p.pending.Add(-1) > maxTasks
			if p.closed.Load() {
				return
			}
			err := task()
			if flooded {
				err = errFlood
			}
			if err != nil {
				p.handler.Broken(err)
				return
			}
		}
	}
}

func (p *Peer) do(task func() error) {
	p.pending.Add(1)
	p.tasks.Put(task)
}

// Release lets media pass a peer that was prepared.
func (p *Peer) Release() {
	p.do(func() error {
		p.held = false
		p.shard.lock()
		defer p.shard.unlock()
		for _, l := range []*link{p.pub.link, p.sub.link} {
			if l != nil {
				l.held = false
				l.begin()
			}
		}
		return nil
	})
}

// Close ends both connections; it does not wait, see Done.
func (p *Peer) Close() {
	p.closed.Store(true)
	p.tasks.Close()
}

// Done is closed when the transports are closed and the peer's goroutines have ended.
func (p *Peer) Done() <-chan struct{} { return p.done }

func (p *Peer) closeConnections() {
	p.tasks.Close()
	for _, pc := range []*webrtc.PeerConnection{p.pub.pc, p.sub.pc} {
		if pc != nil {
			// An error says that some part was closed already.
			_ = pc.GracefulClose()
		}
	}
	for _, d := range p.sub.downs {
		p.drop(d)
	}
	for _, l := range []*link{p.pub.link, p.sub.link} {
		if l != nil {
			l.close()
		}
	}
	p.engine.upCount.Add(-int64(len(p.pub.ups)))
}

// Candidate adds a remote ICE candidate. Those that make no sense are passed over: a browser may know kinds
// of candidates that we do not.
func (p *Peer) Candidate(side Side, c webrtc.ICECandidateInit) {
	p.do(func() error {
		if side == Subscribe {
			return p.sub.candidates.add(p.sub.pc, c)
		}
		return p.pub.candidates.add(p.pub.pc, c)
	})
}

// candidates keeps those that came before their description and counts all of them.
type candidates struct {
	early []webrtc.ICECandidateInit
	count int
}

func (cs *candidates) add(pc *webrtc.PeerConnection, c webrtc.ICECandidateInit) error {
	if cs.count++; cs.count > MaxCandidates {
		return fmt.Errorf("%w: more than %d candidates", ErrBadDescription, MaxCandidates)
	}
	if pc == nil || pc.RemoteDescription() == nil {
		cs.early = append(cs.early, c)
		return nil
	}
	_ = pc.AddICECandidate(c)
	return nil
}

// described is called when pc has its remote description.
func (cs *candidates) described(pc *webrtc.PeerConnection) {
	for _, c := range cs.early {
		_ = pc.AddICECandidate(c)
	}
	cs.early, cs.count = nil, 0
}

// CheckDescription refuses session descriptions that would cost too much to parse.
func CheckDescription(sdp string) error {
	sections, cands := 0, 0
	for line := range strings.Lines(sdp) {
		switch {
		case strings.HasPrefix(line, "m="):
			sections++
		case strings.HasPrefix(line, "a=candidate"):
			cands++
		}
	}
	switch {
	case sections == 0:
		return fmt.Errorf("%w: it has no media section", ErrBadDescription)
	case sections > MaxSections:
		return fmt.Errorf("%w: more than %d media sections", ErrBadDescription, MaxSections)
	case cands > MaxCandidates:
		return fmt.Errorf("%w: more than %d candidates", ErrBadDescription, MaxCandidates)
	}
	return nil
}

// describe sets the local description and waits for its candidates: with fixed ports they are known at once, so the
// server sends them inside and does not trickle.
func describe(pc *webrtc.PeerConnection, d webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("set local description: %w", err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherTime):
		return "", errors.New("local addresses were not found in time")
	}
	return pc.LocalDescription().SDP, nil
}
