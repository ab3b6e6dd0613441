// Package signaltest is a client of the protocol on pion, for tests: it sends synthetic sound and pictures and
// counts what arrives.
package signaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
)

// Message is any message of the server; Type says which fields count.
type Message struct {
	Type     string             `json:"type"`
	Seat     json.RawMessage    `json:"seat"` // an object, in "gone" a string
	Session  string             `json:"session"`
	Resumed  bool               `json:"resumed"`
	Seats    []Seat             `json:"seats"`
	Sequence uint64             `json:"seq"`
	Reason   string             `json:"reason"`
	Offer    uint64             `json:"offer"`
	SDP      string             `json:"sdp"`
	Tracks   []sfu.OfferedTrack `json:"tracks"`
	Topic    string             `json:"topic"`
	From     control.Seat       `json:"from"`
	Data     json.RawMessage    `json:"data"`
	Page     string             `json:"page"`
	Number   uint64             `json:"number"`
	Code     string             `json:"code"`
	ZH       string             `json:"zh"`
	EN       string             `json:"en"`
	Fatal    bool               `json:"fatal"`
	Locked   bool               `json:"locked"`
	On       bool               `json:"on"`
	Source   sfu.Source         `json:"source"`
	Layers   []bool             `json:"layers"`
}

// Seat is a seat as the protocol shows it.
type Seat struct {
	Seat     control.Seat     `json:"seat"`
	Name     string           `json:"name"`
	Role     string           `json:"role"`
	Presence control.Presence `json:"presence"`
	Line     struct {
		Pictures bool   `json:"pictures"`
		Limit    string `json:"limit"`
		Light    string `json:"light"`
	} `json:"line"`
	Tracks []struct {
		ID     string     `json:"id"`
		Source sfu.Source `json:"source"`
		Kind   string     `json:"kind"`
		Muted  bool       `json:"muted"`
	} `json:"tracks"`
}

// View decodes the seat of a "joined" or "seat" message; the zero Seat when there is none.
func (m Message) View() Seat {
	var s Seat
	if json.Unmarshal(m.Seat, &s) != nil {
		return Seat{}
	}
	return s
}

// Options of a client.
type Options struct {
	URL        string // ws://…
	Ticket     string
	Session    string // of an earlier client
	ICEServers []webrtc.ICEServer
	RelayOnly  bool
	TCPOnly    bool
	// Video is the MIME type of pictures and Frame what each packet of them carries; VP8 of no picture when empty.
	Video string
	Frame []byte
}

// Client is one seat. Its methods may be called from one goroutine at a time.
type Client struct {
	options Options
	api     *webrtc.API
	pub     *webrtc.PeerConnection // nil until Publish
	sub     *webrtc.PeerConnection // nil until the server offers
	offers  uint64
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	readers sync.WaitGroup // of sockets; they may make sub
	work    sync.WaitGroup // of tracks and channels
	closed  bool           // guarded by mu: nothing more is added to work

	write  sync.Mutex
	socket *websocket.Conn // guarded by write

	mu       sync.Mutex
	changed  chan struct{} // closed and renewed when something below changes
	messages []Message     // guarded by mu: all that came on this socket
	read     error         // guarded by mu: why the socket ended
	session  string
	seen     uint64
	tracks   map[string]sfu.OfferedTrack // by m-line
	packets  map[string]*atomic.Int64    // received, by seat/source
	flows    map[string]*flow            // likewise
	pointers []string
}

// Dial connects and joins. It does not wait for the answer; see Await.
func Dial(ctx context.Context, o Options) (*Client, error) {
	api, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	c := &Client{
		options: o, api: api, session: o.Session, changed: make(chan struct{}),
		tracks: map[string]sfu.OfferedTrack{}, packets: map[string]*atomic.Int64{}, flows: map[string]*flow{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.connect(ctx, o.Ticket); err != nil {
		c.cancel()
		return nil, err
	}
	return c, nil
}

// levelURI names the header extension that tells how loud a packet of sound is (RFC 6464); ours is that of a voice.
const (
	levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	level    = 0x80 | 30
)

func newAPI(o Options) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: levelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if o.TCPOnly {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(s)), nil
}

func (c *Client) connect(ctx context.Context, ticket string) error {
	socket, resp, err := websocket.DefaultDialer.DialContext(ctx, c.options.URL, nil)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	resp.Body.Close()
	c.mu.Lock()
	c.messages, c.read = nil, nil
	join := map[string]any{"type": "join", "version": 1, "ticket": ticket, "session": c.session, "seen": c.seen}
	c.mu.Unlock()
	c.write.Lock()
	c.socket = socket
	c.write.Unlock()
	if err := c.Send(join); err != nil {
		return err
	}
	c.readers.Go(func() { c.receive(socket) })
	return nil
}

// Send sends any message.
func (c *Client) Send(message any) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.socket.WriteJSON(message)
}

// SendRaw sends bytes as they are.
func (c *Client) SendRaw(raw []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.socket.WriteMessage(websocket.TextMessage, raw)
}

func (c *Client) receive(socket *websocket.Conn) {
	for {
		var m Message
		err := socket.ReadJSON(&m)
		c.mu.Lock()
		if err != nil {
			c.read = err
			c.notify()
			c.mu.Unlock()
			return
		}
		switch m.Type {
		case "joined":
			if !m.Resumed {
				c.seen = 0
			}
			c.session = m.Session
		case "app":
			c.seen = m.Sequence
		}
		c.messages = append(c.messages, m)
		c.notify()
		c.mu.Unlock()
		if m.Type == "subscribe" {
			if err := c.answer(m); err != nil {
				c.fail(err)
			}
		}
	}
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = err
	c.notify()
}

// notify is called with mu held.
func (c *Client) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Client) until(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := done()
		changed := c.changed
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond): // packet counts change without notice
		case <-ctx.Done():
			return fmt.Errorf("%s did not happen: %w", what, ctx.Err())
		}
	}
}

// Await waits for a message of this type that matches, among those that came on the present socket. A nil match takes any.
func (c *Client) Await(ctx context.Context, kind string, match func(Message) bool) (Message, error) {
	var found Message
	err := c.until(ctx, "message "+kind, func() (bool, error) {
		for _, m := range c.messages {
			if m.Type == kind && (match == nil || match(m)) {
				found = m
				return true, nil
			}
		}
		if c.read != nil {
			return false, fmt.Errorf("message %s: %w", kind, c.read)
		}
		return false, nil
	})
	return found, err
}

// AwaitEnd waits until the server has closed the socket.
func (c *Client) AwaitEnd(ctx context.Context) error {
	return c.until(ctx, "end of the socket", func() (bool, error) { return c.read != nil, nil })
}

// Messages are those that came on the present socket.
func (c *Client) Messages() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Message(nil), c.messages...)
}

func (c *Client) configuration() webrtc.Configuration {
	config := webrtc.Configuration{ICEServers: c.options.ICEServers}
	if c.options.RelayOnly {
		config.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return config
}

func (c *Client) trickle(pc *webrtc.PeerConnection, side sfu.Side) {
	pc.OnICECandidate(func(found *webrtc.ICECandidate) {
		if found != nil {
			init := found.ToJSON()
			// A lost socket loses candidates too; the test that drops it sees what follows.
			_ = c.Send(map[string]any{"type": "candidate", "side": side, "candidate": init})
		}
	})
}

// answer runs on the reading goroutine, which alone owns sub.
func (c *Client) answer(m Message) error {
	if c.sub == nil {
		pc, err := c.api.NewPeerConnection(c.configuration())
		if err != nil {
			return err
		}
		c.trickle(pc, sfu.Subscribe)
		pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { c.count(pc, t, r) })
		pc.OnDataChannel(func(ch *webrtc.DataChannel) {
			ch.OnMessage(func(m webrtc.DataChannelMessage) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.pointers = append(c.pointers, string(m.Data))
				c.notify()
			})
			ch.OnOpen(func() { c.open(ch) })
		})
		c.mu.Lock()
		c.sub = pc
		c.mu.Unlock()
	}
	c.mu.Lock()
	for _, t := range m.Tracks {
		c.tracks[t.MID] = t
	}
	c.mu.Unlock()
	if err := c.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP}); err != nil {
		return fmt.Errorf("subscribe offer: %w", err)
	}
	answer, err := c.sub.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := c.sub.SetLocalDescription(answer); err != nil {
		return err
	}
	return c.Send(map[string]any{"type": "answer", "offer": m.Offer, "sdp": answer.SDP})
}

func (c *Client) open(ch *webrtc.DataChannel) {
	c.spawn(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if ch.SendText("here") != nil {
					return
				}
			case <-c.ctx.Done():
				return
			}
		}
	})
}

// Flow is what came of a track: by sequence numbers how much, by times of arrival how evenly (RFC 3550 §6.4.1).
type Flow struct {
	Packets, Lost int64
	Jitter        time.Duration
	First, Last   time.Time // when packets came
}

// flow counts one track. It is guarded by the client's mu.
type flow struct {
	Flow
	first, last uint16 // sequence numbers; cycles are beyond a test's length
	timestamp   uint32
	begun       bool
}

func (f *flow) add(h *rtp.Header, clock uint32, now time.Time) {
	f.Packets++
	if !f.begun {
		f.begun, f.first, f.last, f.First = true, h.SequenceNumber, h.SequenceNumber, now
	} else {
		if int16(h.SequenceNumber-f.last) > 0 {
			f.last = h.SequenceNumber
		}
		apart := time.Duration(int64(int32(h.Timestamp-f.timestamp)) * int64(time.Second) / int64(clock))
		f.Jitter += ((now.Sub(f.Last) - apart).Abs() - f.Jitter) / 16
	}
	f.timestamp, f.Last = h.Timestamp, now
	f.Lost = max(0, int64(f.last-f.first)+1-f.Packets)
}

// count reads a track to its end.
func (c *Client) count(pc *webrtc.PeerConnection, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	var key string
	c.mu.Lock()
	for _, tr := range pc.GetTransceivers() {
		if tr.Receiver() == r {
			offered := c.tracks[tr.Mid()]
			key = offered.Seat + "/" + string(offered.Source)
		}
	}
	n := c.packets[key]
	if n == nil {
		n = &atomic.Int64{}
		c.packets[key] = n
	}
	flow := &flow{}
	c.flows[key] = flow
	c.mu.Unlock()
	c.spawn(func() {
		buf := make([]byte, 1500)
		for {
			size, _, err := t.Read(buf)
			if err != nil {
				return
			}
			n.Add(1)
			var h rtp.Header
			if _, err := h.Unmarshal(buf[:size]); err == nil {
				c.mu.Lock()
				flow.add(&h, t.Codec().ClockRate, time.Now())
				c.mu.Unlock()
			}
		}
	})
}

// FlowOf is what came of a seat's source so far.
func (c *Client) FlowOf(seat control.Seat, source sfu.Source) Flow {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flows[string(seat)+"/"+string(source)]; f != nil {
		return f.Flow
	}
	return Flow{}
}

// RoundTrip is the newest measured by ICE on the receiving connection; 0 when there is none yet.
func (c *Client) RoundTrip() time.Duration {
	c.mu.Lock()
	pc := c.sub
	c.mu.Unlock()
	if pc == nil {
		return 0
	}
	for _, s := range pc.GetStats() {
		if pair, ok := s.(webrtc.ICECandidatePairStats); ok && pair.Nominated && pair.State == webrtc.StatsICECandidatePairStateSucceeded {
			return time.Duration(pair.CurrentRoundTripTime * float64(time.Second))
		}
	}
	return 0
}

// Received counts packets of a seat's source.
func (c *Client) Received(seat control.Seat, source sfu.Source) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.packets[string(seat)+"/"+string(source)]; n != nil {
		return n.Load()
	}
	return 0
}

// ReceivedAll counts packets of all tracks.
func (c *Client) ReceivedAll() (packets int64, tracks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.packets {
		packets += n.Load()
	}
	return packets, len(c.packets)
}

// AwaitPackets waits until at least n packets of a seat's source have arrived.
func (c *Client) AwaitPackets(ctx context.Context, seat control.Seat, source sfu.Source, n int64) error {
	return c.until(ctx, fmt.Sprintf("%d packets of %s/%s", n, seat, source), func() (bool, error) {
		got := c.packets[string(seat)+"/"+string(source)]
		return got != nil && got.Load() >= n, nil
	})
}

// AwaitPointer waits for a pointer message of that seat.
func (c *Client) AwaitPointer(ctx context.Context, seat control.Seat) error {
	want := fmt.Sprintf(`{"seat":%q,"data":"here"}`, seat)
	return c.until(ctx, "pointer of "+string(seat), func() (bool, error) {
		for _, p := range c.pointers {
			if p == want {
				return true, nil
			}
		}
		return false, nil
	})
}

// AwaitAdmission waits for the word of admission on a data channel.
func (c *Client) AwaitAdmission(ctx context.Context) error {
	return c.until(ctx, "admission beside the socket", func() (bool, error) {
		return slices.ContainsFunc(c.pointers, func(p string) bool { return strings.HasPrefix(p, `{"type":"admitted","seats":[{`) }), nil
	})
}

// Publish offers tracks and starts to send them: sound at 50 packets a second, pictures at 30 frames of one packet. It
// returns when the server has answered.
func (c *Client) Publish(ctx context.Context, sources ...sfu.Source) error {
	if c.pub == nil {
		pc, err := c.api.NewPeerConnection(c.configuration())
		if err != nil {
			return err
		}
		c.pub = pc // its candidates are in the offer: both manners are tested
	}
	for _, source := range sources {
		if err := c.addTrack(source); err != nil {
			return err
		}
	}
	return c.offer(ctx, false)
}

// RestartICE offers anew with fresh ICE credentials and asks the server to do the same.
func (c *Client) RestartICE(ctx context.Context) error {
	if err := c.Send(map[string]any{"type": "restart", "side": sfu.Subscribe}); err != nil {
		return err
	}
	return c.offer(ctx, true)
}

func (c *Client) offer(ctx context.Context, restart bool) error {
	offer, err := c.pub.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return err
	}
	c.offers++
	number := c.offers
	gathered := webrtc.GatheringCompletePromise(c.pub)
	if err := c.pub.SetLocalDescription(offer); err != nil {
		return err
	}
	if err := c.until(ctx, "the end of gathering", func() (bool, error) {
		select {
		case <-gathered:
			return true, nil
		default: // never, when the server has ended the connection meanwhile
			return false, c.read
		}
	}); err != nil {
		return err
	}
	var sections []sfu.Section
	for _, t := range c.pub.GetTransceivers() {
		if t.Sender() != nil && t.Sender().Track() != nil {
			sections = append(sections, sfu.Section{MID: t.Mid(), Source: sfu.Source(t.Sender().Track().ID())})
		}
	}
	if err := c.Send(map[string]any{
		"type": "publish", "offer": number, "sdp": c.pub.LocalDescription().SDP, "sections": sections,
	}); err != nil {
		return err
	}
	m, err := c.Await(ctx, "published", func(m Message) bool { return m.Offer == number })
	if err != nil {
		return err
	}
	return c.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.SDP})
}

func (c *Client) addTrack(source sfu.Source) error {
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	every, step := 20*time.Millisecond, uint32(960)
	payload := make([]byte, 80)
	if source.Kind() == "video" {
		codec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
		every, step = 33*time.Millisecond, 3000
		payload = make([]byte, 1100)
		payload[0] = 0x10 // start of a partition
		if c.options.Video != "" {
			codec.MimeType, payload = c.options.Video, c.options.Frame
		}
	}
	track, err := webrtc.NewTrackLocalStaticRTP(codec, string(source), "s")
	if err != nil {
		return err
	}
	sender, err := c.pub.AddTrack(track)
	if err != nil {
		return err
	}
	c.spawn(func() {
		for {
			if _, _, err := sender.ReadRTCP(); err != nil {
				return
			}
		}
	})
	c.spawn(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		p := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true}, Payload: payload}
		for {
			select {
			case <-tick.C:
				p.SequenceNumber++
				p.Timestamp += step
				for _, x := range sender.GetParameters().HeaderExtensions {
					if x.URI == levelURI && source == sfu.Microphone {
						_ = p.SetExtension(uint8(x.ID), []byte{level})
					}
				}
				_ = track.WriteRTP(p) // before the connection is up it goes nowhere
			case <-c.ctx.Done():
				return
			}
		}
	})
	return nil
}

// RequestKeyFrames sends n PLIs for every video track received.
func (c *Client) RequestKeyFrames(n int) error {
	c.mu.Lock()
	pc := c.sub
	c.mu.Unlock()
	if pc == nil {
		return errors.New("nothing is received")
	}
	for _, r := range pc.GetReceivers() {
		for range n {
			if t := r.Track(); t != nil && t.Kind() == webrtc.RTPCodecTypeVideo {
				if err := pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Drop cuts the socket as a lost network does; the media connections stay.
func (c *Client) Drop(ctx context.Context) error {
	c.write.Lock()
	err := c.socket.NetConn().Close()
	c.write.Unlock()
	return errors.Join(err, c.AwaitEnd(ctx))
}

// Resume connects again with a new ticket and says that it is the same page.
func (c *Client) Resume(ctx context.Context, ticket string) error { return c.connect(ctx, ticket) }

// MediaState is the state of the two connections.
func (c *Client) MediaState() (publish, subscribe webrtc.PeerConnectionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pub != nil {
		publish = c.pub.ConnectionState()
	}
	if c.sub != nil {
		subscribe = c.sub.ConnectionState()
	}
	return publish, subscribe
}

// Close ends everything and waits for the client's goroutines.
func (c *Client) Close() error {
	c.cancel()
	c.write.Lock()
	err := c.socket.Close()
	c.write.Unlock()
	c.readers.Wait()
	for _, pc := range []*webrtc.PeerConnection{c.pub, c.sub} {
		if pc != nil {
			err = errors.Join(err, pc.GracefulClose())
		}
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.work.Wait()
	return err
}

// spawn does something beside until the client is closed. pion tells of a track or a channel in a goroutine that closing doesn't wait for.
func (c *Client) spawn(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.work.Go(f)
	}
}
