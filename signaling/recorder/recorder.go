// Package recorder is a member of a room that writes down what it receives: a seat that everybody sees, over the same
// protocol as everybody (PROTOCOL.md), so that nothing is recorded behind anybody's back and the media server needs to know
// nothing of it. Frames are not transcoded; they leave in parts of a few seconds, so that a crash loses no more.
package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/control"
)

const (
	// partEvery is how much a crash may lose, less the time to store a part.
	partEvery = 3 * time.Second
	joinTime  = 15 * time.Second
	stopTime  = 20 * time.Second // for the last parts to be kept
	maxRead   = 1 << 20          // bytes of a message of the server
)

// Recorder makes recordings. The zero value is ready.
type Recorder struct {
	Log *slog.Logger // nil is silent
}

var _ control.Recorder = (*Recorder)(nil)

// recording is one stay in a room. Its goroutines are started by Record and run, and awaited by run's end.
type recording struct {
	log     *slog.Logger
	api     *webrtc.API
	socket  *websocket.Conn
	allowed func(control.Seat) bool
	keep    func(control.Part) error
	ctx     context.Context // ends the work
	cancel  context.CancelFunc
	done    chan struct{}  // closed when everything was kept
	work    sync.WaitGroup // readers of tracks

	write sync.Mutex // of the socket

	mu     sync.Mutex
	sub    *webrtc.PeerConnection // guarded by mu; nil until the server offers
	offers map[string]offered     // guarded by mu: by m-line
	takes  map[control.Seat]*take // guarded by mu: the running ones
	next   int                    // guarded by mu: number of the next take
	failed error                  // guarded by mu: why parts could not be kept
	left   bool                   // guarded by mu: Stop was called
}

type offered struct {
	Mid    string       `json:"mid"`
	ID     string       `json:"id"`
	Seat   control.Seat `json:"seat"`
	Source string       `json:"source"`
	Kind   string       `json:"kind"`
}

// Record implements control.Recorder.
func (r *Recorder) Record(ctx context.Context, url string, ticket func() (string, error), firstTake int, allowed func(control.Seat) bool,
	keep func(control.Part) error, ended func(error)) (control.Recording, error) {
	api, err := newAPI()
	if err != nil {
		return nil, err
	}
	pass, err := ticket()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	socket, response, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	response.Body.Close()
	socket.SetReadLimit(maxRead)
	c := &recording{log: r.Log, api: api, socket: socket, allowed: allowed, keep: keep, done: make(chan struct{}),
		offers: map[string]offered{}, takes: map[control.Seat]*take{}, next: firstTake}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.join(ctx, pass); err != nil {
		c.cancel()
		return nil, errors.Join(fmt.Errorf("record: %w", err), socket.Close())
	}
	go c.run(ended)
	return c, nil
}

func newAPI() (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{} // asks for lost packets, reports, as any receiver
	if err := webrtc.RegisterDefaultInterceptors(media, registry); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s)), nil
}

// message is any message of the server; Type says which fields count.
type message struct {
	Type   string          `json:"type"`
	Seat   json.RawMessage `json:"seat"` // an object, in "gone" a string
	Offer  uint64          `json:"offer"`
	SDP    string          `json:"sdp"`
	Tracks []offered       `json:"tracks"`
	Code   string          `json:"code"`
}

func (c *recording) join(ctx context.Context, ticket string) error {
	if err := c.send(map[string]any{"type": "join", "version": 1, "ticket": ticket}); err != nil {
		return err
	}
	if until, ok := ctx.Deadline(); ok {
		if err := c.socket.SetReadDeadline(until); err != nil {
			return err
		}
	}
	m, err := c.read()
	if err == nil && m.Type != "joined" {
		err = fmt.Errorf("the room answered %s %s", m.Type, m.Code)
	}
	if err != nil {
		return err
	}
	return c.socket.SetReadDeadline(time.Time{})
}

func (c *recording) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.socket.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	return c.socket.WriteJSON(v)
}

func (c *recording) read() (m message, err error) {
	_, raw, err := c.socket.ReadMessage()
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(raw, &m)
}

// run hears the room until it ends or Stop was called; then it stops the media and keeps what is left.
func (c *recording) run(ended func(error)) {
	defer close(c.done)
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		c.flushEvery()
	}()
	why := c.hear()
	c.cancel()
	c.mu.Lock()
	sub := c.sub
	c.mu.Unlock()
	if sub != nil {
		if err := sub.Close(); err != nil {
			c.log.Debug("recorder's connection did not close well", "error", err)
		}
	}
	c.work.Wait()
	<-flushed
	c.flush(true)
	if err := c.socket.Close(); err != nil {
		c.log.Debug("recorder's socket did not close well", "error", err)
	}
	c.mu.Lock()
	left, failed := c.left, c.failed
	c.mu.Unlock()
	if !left || failed != nil {
		ended(errors.Join(failed, why))
	}
}

// hear handles messages until the room is over for us; nil means that it closed.
func (c *recording) hear() error {
	for {
		m, err := c.read()
		if err != nil {
			return err
		}
		switch m.Type {
		case "subscribe":
			if err := c.answer(m); err != nil {
				return fmt.Errorf("answer: %w", err)
			}
		case "gone":
			var seat control.Seat
			if json.Unmarshal(m.Seat, &seat) == nil {
				c.endTake(seat)
			}
		case "closed", "removed":
			return nil
		case "error":
			return fmt.Errorf("the room said %s", m.Code)
		}
	}
}

func (c *recording) answer(m message) error {
	c.mu.Lock()
	for _, t := range m.Tracks {
		c.offers[t.Mid] = t
	}
	sub := c.sub
	c.mu.Unlock()
	if sub == nil {
		var err error
		if sub, err = c.api.NewPeerConnection(webrtc.Configuration{}); err != nil {
			return err
		}
		sub.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { c.receive(sub, t, r) })
		c.mu.Lock()
		c.sub = sub
		c.mu.Unlock()
	}
	if err := sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP}); err != nil {
		return err
	}
	answer, err := sub.CreateAnswer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(sub)
	if err := sub.SetLocalDescription(answer); err != nil {
		return err
	}
	select {
	case <-gathered:
	case <-time.After(joinTime):
	}
	return c.send(map[string]any{"type": "answer", "offer": m.Offer, "sdp": sub.LocalDescription().SDP})
}

// Stop implements control.Recording.
func (c *recording) Stop(ctx context.Context) error {
	c.mu.Lock()
	c.left = true
	c.mu.Unlock()
	if err := c.send(map[string]any{"type": "leave"}); err != nil {
		c.log.Debug("the room did not hear that the recorder leaves", "error", err)
	}
	// The server closes the socket after "leave"; if it does not, we do.
	timer := time.AfterFunc(time.Second, func() { _ = c.socket.Close() })
	defer timer.Stop()
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *recording) flushEvery() {
	tick := time.NewTicker(partEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.flush(false)
		case <-c.ctx.Done():
			return
		}
	}
}

// flush keeps what the takes have; last also ends them. It is called by one goroutine at a time.
func (c *recording) flush(last bool) {
	c.mu.Lock()
	var parts []control.Part
	for seat, t := range c.takes {
		parts = append(parts, t.flush(last)...)
		if t.ended {
			delete(c.takes, seat)
		}
	}
	failed := c.failed
	c.mu.Unlock()
	for _, p := range parts {
		if failed == nil {
			failed = c.keep(p)
		}
	}
	if failed == nil {
		return
	}
	c.mu.Lock()
	first := c.failed == nil
	c.failed = failed
	c.mu.Unlock()
	if first {
		c.log.Warn("a part of a recording was not kept", "error", failed)
		_ = c.socket.Close() // ends hear, and with it the light on every screen
	}
}
