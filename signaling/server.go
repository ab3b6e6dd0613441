// Package signaling brings people together in rooms: a WebSocket for words (PROTOCOL.md), an SFU for sound and
// pictures, a relay for networks that let little through. It knows rooms, seats and signed tickets, and stores nothing;
// who may enter and why is the business of whoever sells the tickets (signaling/control).
package signaling

import (
	"container/list"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/logging"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/queue"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/turn"
	"yuanzhen/signaling/whip"
)

const (
	joinTime  = 10 * time.Second // for the ticket to arrive
	tidyEvery = time.Second
	// maxStrangers is how many sockets may be without a ticket: all of a node that has lost its network and comes back, twice over.
	// When there are more the oldest goes: who has a ticket shows it at once.
	maxStrangers = 4096
)

// Options configure a server. All ports may be 0.
type Options struct {
	UDP netip.AddrPort // media
	// Shards is how many UDP sockets media have, on ports that follow one another; 0 is one. See sfu.Options.
	Shards int
	TCP    netip.AddrPort // media for networks without UDP; not listened on when invalid
	// PublicIPs are announced to clients instead of the addresses listened on.
	PublicIPs []netip.Addr
	Relay     RelayOptions
	// TicketKey is the public half of the key that tickets are signed with.
	TicketKey ed25519.PublicKey
	// AllowedOrigins are the web origins (scheme://host[:port]) whose pages may connect; the server's own always may.
	AllowedOrigins []string
	// SHA1Profile admits browsers from before 2022, see sfu.Options.
	SHA1Profile bool
	// BenchSecret, when not empty, is a bearer token for any seat in any room over WHIP and WHEP. For measuring only.
	BenchSecret string
	Events      control.Events // nil: nobody listens
	Logger      *slog.Logger   // nil is silent. Neither tickets nor names nor addresses are logged.
	Logs        logging.LoggerFactory
	Now         func() time.Time // time.Now when nil
}

// RelayOptions say whether a TURN relay runs in this process or elsewhere.
type RelayOptions struct {
	UDP, TCP netip.AddrPort // of the relay in this process; none runs when UDP is invalid
	TLS      netip.AddrPort // not listened on when invalid
	// Certificate of TLS, for the name in Host; self-made when nil.
	Certificate *tls.Certificate
	// Host is how clients reach the relay: the first of PublicIPs or the address listened on when empty.
	Host string
	// URLs of an outside relay that shares Secret (coturn's use-auth-secret); nothing is started then.
	URLs   []string
	Secret string
}

// Server is the whole of signaling. New, Start, then serve Handler; Stop ends it.
type Server struct {
	options  Options
	log      *slog.Logger
	upgrader websocket.Upgrader
	refused  atomic.Uint64 // tickets
	missing  atomic.Uint64 // those that never came

	// Set by Start.
	hub    *hub
	engine *sfu.Engine
	relay  *turn.Server // nil when none runs here
	whip   *whip.Handler
	stop   chan struct{}
	work   sync.WaitGroup // the sweep and the events

	mu        sync.Mutex
	sockets   map[*websocket.Conn]*list.Element // guarded by mu: with their places among the strangers, nil for who has joined
	strangers list.List                         // guarded by mu: of *websocket.Conn, the oldest first
	stopping  bool                              // guarded by mu
	handlers  sync.WaitGroup                    // one per socket
}

// New makes a server that is not started.
func New(o Options) *Server {
	s := &Server{options: o, log: o.Logger, sockets: map[*websocket.Conn]*list.Element{}, stop: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.options.Now == nil {
		s.options.Now = time.Now
	}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: joinTime,
		// Small buffers, shared for writing: sockets without a ticket must stay cheap.
		ReadBufferSize: 1024, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{},
		CheckOrigin: s.originAllowed,
		// A session description is a third as long then, which on a thin line is a second. No context is kept between messages.
		EnableCompression: true,
	}
	return s
}

// Start opens the sockets. After an error nothing is left open.
func (s *Server) Start() error {
	if len(s.options.TicketKey) != ed25519.PublicKeySize {
		return errors.New("signaling: TicketKey is not an Ed25519 public key")
	}
	var err error
	s.engine, err = sfu.New(sfu.Options{
		UDP: s.options.UDP, Shards: s.options.Shards, TCP: s.options.TCP, PublicIPs: s.options.PublicIPs,
		SHA1Profile: s.options.SHA1Profile, Logs: s.options.Logs,
	})
	if err != nil {
		return fmt.Errorf("signaling: %w", err)
	}
	if s.options.Relay.UDP.IsValid() && len(s.options.Relay.URLs) == 0 {
		if err := s.startRelay(); err != nil {
			return errors.Join(fmt.Errorf("signaling: %w", err), s.engine.Close())
		}
	}
	s.hub = &hub{
		engine: s.engine, now: s.options.Now, log: s.log, events: queue.New[control.Event](), rooms: map[control.Room]*room{},
	}
	s.whip = whip.New(direct{s}, s.log)
	s.work.Go(s.sweep)
	s.work.Go(s.report)
	return nil
}

func (s *Server) startRelay() error {
	o := turn.Options{
		UDP: s.options.Relay.UDP, TCP: s.options.Relay.TCP, TLS: s.options.Relay.TLS, Certificate: s.options.Relay.Certificate, Secret: s.options.Relay.Secret,
		Logger: s.log, Logs: s.options.Logs, Peers: s.mediaSockets(),
	}
	if len(s.options.PublicIPs) > 0 {
		o.PublicIP = s.options.PublicIPs[0]
	} else if o.UDP.Addr().IsUnspecified() {
		o.PublicIP = firstAddress()
	}
	var err error
	s.relay, err = turn.Start(o)
	return err
}

// mediaSockets are the addresses at which the SFU is announced, with those at which the relay reaches it.
func (s *Server) mediaSockets() []turn.Peer {
	var peers []turn.Peer
	for _, at := range s.engine.UDPAddrs() {
		actual := at
		if at.Addr().IsUnspecified() {
			actual = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
		}
		announced := s.options.PublicIPs
		if len(announced) == 0 && at.Addr().IsUnspecified() {
			announced = addresses()
		} else if len(announced) == 0 {
			announced = []netip.Addr{at.Addr()}
		}
		for _, ip := range announced {
			peers = append(peers, turn.Peer{Announced: netip.AddrPortFrom(ip, at.Port()), Actual: actual})
		}
	}
	return peers
}

// Stop says to all clients that they should come back, closes everything and waits for every goroutine.
func (s *Server) Stop() error {
	s.mu.Lock()
	s.stopping = true
	for e := s.strangers.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*websocket.Conn).Close() // ends its handler
	}
	s.mu.Unlock()
	for _, r := range s.hub.all() {
		r.mu.Lock()
		r.each(func(seat *seat) {
			if seat.conn != nil {
				seat.conn.end(errGoingAway.message())
			}
		})
		r.mu.Unlock()
	}
	s.whip.Close()
	s.handlers.Wait()
	close(s.stop)
	s.hub.events.Close()
	s.work.Wait()
	errs := []error{s.engine.Close()}
	s.whip.Wait()
	if s.relay != nil {
		errs = append(errs, s.relay.Close())
	}
	return errors.Join(errs...)
}

func (s *Server) sweep() {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.hub.tidy()
		case <-s.stop:
			return
		}
	}
}

func (s *Server) report() {
	for events := s.hub.events.Take(); events != nil; events = s.hub.events.Take() {
		for _, e := range events {
			if s.options.Events != nil {
				s.options.Events(e)
			}
		}
	}
}

// Rooms are the deeds of the house on this server.
func (s *Server) Rooms() control.Rooms { return s.hub }

// Occupied lists the rooms in which a seat is taken, and how many seats that are.
func (s *Server) Occupied() (rooms []control.Room, seats int) { return s.hub.occupied() }

// Evict tells everybody in a room to come back: it lives on another node now.
func (s *Server) Evict(room control.Room) { s.hub.evict(room) }

// Memory is what a room remembers, whether it is here, and whether somebody sits in it.
func (s *Server) Memory(room control.Room) (m control.Memory, here, occupied bool) {
	return s.hub.memory(room)
}

// Remember makes a room with what it remembered elsewhere, unless somebody sits in it here.
func (s *Server) Remember(room control.Room, m control.Memory) { s.hub.remember(room, m) }

// Changed lists the rooms whose memory has changed since it was asked last.
func (s *Server) Changed() []control.Room { return s.hub.changed() }

// MediaUDP is where media arrives.
func (s *Server) MediaUDP() netip.AddrPort { return s.engine.UDPAddrs()[0] }

// MediaTCP is where media arrives over TCP; invalid when not listened on.
func (s *Server) MediaTCP() netip.AddrPort { return s.engine.TCPAddr() }

// RelayUDP is where the relay listens; invalid when none runs here.
func (s *Server) RelayUDP() netip.AddrPort {
	if s.relay == nil {
		return netip.AddrPort{}
	}
	return s.relay.UDPAddr()
}

// ICEServers gives one seat the relay's URLs (control.Desk takes it). Each URL has a credential of its own: a browser opens
// an allocation for each connection on each network of the device, and one credential allows turn.MaxAllocations.
func (s *Server) ICEServers(room control.Room, seat control.Seat) []control.ICEServer {
	var servers []control.ICEServer
	urls, secret := s.options.Relay.URLs, s.options.Relay.Secret
	if s.relay != nil {
		var stun []string
		stun, urls = s.relay.URLs(s.relayHost())
		secret = s.relay.Secret()
		servers = append(servers, control.ICEServer{URLs: stun})
	}
	// The seat's own name, that tells a reader of the relay's log nothing.
	holder := sha256.Sum256([]byte(string(room) + "/" + string(seat)))
	for _, u := range urls {
		user, password, err := turn.Credential(secret, hex.EncodeToString(holder[:8])+"-"+rand.Text()[:8])
		if err != nil {
			s.log.Error("no relay credential could be made", "error", err)
			continue
		}
		servers = append(servers, control.ICEServer{URLs: []string{u}, Username: user, Credential: password})
	}
	return servers
}

func (s *Server) relayHost() string {
	switch {
	case s.options.Relay.Host != "":
		return s.options.Relay.Host
	case len(s.options.PublicIPs) > 0:
		return s.options.PublicIPs[0].String()
	case s.relay.UDPAddr().Addr().IsUnspecified():
		return firstAddress().String()
	}
	return s.relay.UDPAddr().Addr().String()
}

// Snapshot counts what the server carries now, without names.
type Snapshot struct {
	Sockets, Strangers                  int // connections, and those of them without a ticket
	Rooms, Seats, Waiting, Reconnecting int
	TicketsRefused, TicketsMissing      uint64
	Relays                              int    // TURN allocations
	RelayLines                          int    // connections to the relay over TCP and TLS
	RelayLinesRefused                   uint64 // too many, or no allocation on them in time
	Media                               sfu.Snapshot
}

// Snapshot reads the counters.
func (s *Server) Snapshot() Snapshot {
	s.mu.Lock()
	snap := Snapshot{Sockets: len(s.sockets), Strangers: s.strangers.Len()}
	s.mu.Unlock()
	snap.TicketsRefused, snap.TicketsMissing, snap.Media = s.refused.Load(), s.missing.Load(), s.engine.Snapshot()
	if s.relay != nil {
		snap.Relays = s.relay.Allocations()
		snap.RelayLines, snap.RelayLinesRefused = s.relay.Connections()
	}
	for _, r := range s.hub.all() {
		r.mu.Lock()
		if len(r.seats) > 0 {
			snap.Rooms++
		}
		r.each(func(seat *seat) {
			snap.Seats++
			switch seat.presence() {
			case control.Waiting:
				snap.Waiting++
			case control.Reconnecting:
				snap.Reconnecting++
			}
		})
		r.mu.Unlock()
	}
	return snap
}

// Handler serves the WebSocket; mount it at /signal.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.accept) }

// accept hands the socket to a goroutine of its own, which Stop awaits: what the HTTP server holds for a request, half of
// the memory of an idle socket, is freed.
func (s *Server) accept(w http.ResponseWriter, req *http.Request) {
	ws, err := s.upgrader.Upgrade(w, req, nil)
	if err != nil {
		return // the upgrader has answered
	}
	if !s.track(ws) {
		_ = ws.Close()
		return
	}
	go s.serve(ws)
}

func (s *Server) serve(ws *websocket.Conn) {
	defer s.untrack(ws)
	defer ws.Close()
	ws.SetReadLimit(maxMessage)
	if ws.SetReadDeadline(time.Now().Add(joinTime)) != nil {
		return
	}
	m, claims, refusal := s.readJoin(ws)
	if refusal != nil {
		if refusal == errNoTicket {
			s.missing.Add(1)
		} else {
			s.refused.Add(1)
		}
		_ = ws.SetWriteDeadline(time.Now().Add(writeTime))
		_ = ws.WriteJSON(refusal.message())
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
		linger(ws)
		return
	}
	s.sit(ws, m, claims)
}

// readJoin reads the first message and judges its ticket.
func (s *Server) readJoin(ws *websocket.Conn) (fromClient, control.Claims, *refusal) {
	kind, raw, err := read(ws)
	if err != nil {
		return fromClient{}, control.Claims{}, errNoTicket
	}
	m, err := decode(raw)
	switch {
	case err != nil || kind != websocket.TextMessage || m.Type != "join":
		return m, control.Claims{}, errMalformed
	case m.Version != Version:
		return m, control.Claims{}, errVersion
	}
	claims, err := control.Check(s.options.TicketKey, m.Ticket, s.options.Now())
	switch {
	case errors.Is(err, control.ErrExpired):
		return m, claims, errOldTicket
	case err != nil:
		return m, claims, errBadTicket
	}
	return m, claims, nil
}

// sit seats the connection and serves it until it ends.
func (s *Server) sit(ws *websocket.Conn, m fromClient, claims control.Claims) {
	cn := newConn(ws)
	go cn.write()
	defer cn.linger()
	s.joined(ws)
	var seat *seat
	s.hub.in(claims.Room, func(r *room) {
		var last any
		if seat, last = r.enter(claims, m, cn, s.options.Now()); last != nil {
			cn.end(last)
		}
	})
	if seat == nil {
		return
	}
	defer func() {
		cn.end(nil)
		seat.room.disconnected(seat, cn, s.options.Now())
	}()
	if s.isStopping() { // Stop may have said goodbye to the seats before this one was there
		cn.end(errGoingAway.message())
		return
	}
	ws.SetPongHandler(func(string) error { return cn.listen() })
	rate := newBucket(maxRate, time.Now())
	for cn.listen() == nil {
		kind, raw, err := read(ws)
		if err != nil {
			return
		}
		if refusal := judge(kind, raw, rate, seat, s.options.Now()); refusal != nil {
			if refusal.fatal {
				cn.end(refusal.message())
				return
			}
			cn.send(refusal.message())
		}
	}
}

// read takes one message. The socket's own limit counts what comes over the wire, which may be compressed.
func read(ws *websocket.Conn) (kind int, raw []byte, err error) {
	kind, r, err := ws.NextReader()
	if err != nil {
		return kind, nil, err
	}
	raw, err = io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err == nil && len(raw) > maxMessage {
		err = websocket.ErrReadLimit
	}
	return kind, raw, err
}

func judge(kind int, raw []byte, rate *bucket, seat *seat, now time.Time) *refusal {
	if !rate.take(time.Now()) {
		return errTooFast
	}
	m, err := decode(raw)
	if err != nil || kind != websocket.TextMessage {
		return errMalformed
	}
	return seat.handle(m, now)
}

func (s *Server) track(ws *websocket.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if s.strangers.Len() >= maxStrangers {
		oldest := s.strangers.Front().Value.(*websocket.Conn)
		s.known(oldest)
		_ = oldest.Close() // ends its handler
	}
	s.sockets[ws] = s.strangers.PushBack(ws)
	s.handlers.Add(1)
	return true
}

// known takes a socket off the strangers. Called with mu held.
func (s *Server) known(ws *websocket.Conn) {
	if e := s.sockets[ws]; e != nil {
		s.strangers.Remove(e)
		s.sockets[ws] = nil
	}
}

func (s *Server) joined(ws *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known(ws)
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Server) untrack(ws *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known(ws)
	delete(s.sockets, ws)
	s.handlers.Done()
}

// originAllowed lets in the own origin, the listed ones, and programs, which send none: a page cannot leave it out.
func (s *Server) originAllowed(req *http.Request) bool {
	origin := req.Header.Get("Origin")
	if origin == "" || slices.Contains(s.options.AllowedOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == req.Host
}

// addresses are this machine's, loopback left out.
func addresses() []netip.Addr {
	var ips []netip.Addr
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			ips = append(ips, p.Addr().Unmap())
		}
	}
	return ips
}

func firstAddress() netip.Addr {
	for _, ip := range addresses() {
		if ip.Is4() {
			return ip
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
