package app

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"yuanzhen/internal/httpapi"
	"yuanzhen/signaling"
	"yuanzhen/signaling/cluster"
	"yuanzhen/signaling/control"
)

// houseTime is how long a media node waits for a process with the role api to announce itself.
const houseTime = 30 * time.Second

// openRooms makes the media server of this process, if it has that role, and the desk that sells tickets. On a bus of several
// processes, rooms are placed on the media nodes there.
func (a *App) openRooms(ctx context.Context, h *house) error {
	key := a.engines.vault.Signer("ticket")
	tickets := key.Public().(ed25519.PublicKey)
	heard := func(e control.Event) { h.consult.Heard(context.Background(), e) }
	sells := control.Desk{Key: key, Now: time.Now}
	alone := a.options.NATSURL == ""
	if a.options.has("media") {
		var node *cluster.Node
		told := heard
		if !alone {
			told = func(e control.Event) { node.Event(e) } // nothing happens in rooms before Start
		}
		if err := a.startMedia(h, tickets, hex.EncodeToString(a.engines.vault.Secret("turn")), told); err != nil {
			return err
		}
		if !alone {
			var err error
			if node, err = a.join(ctx, h); err != nil {
				return err
			}
		}
	}
	if alone {
		sells.ICEServers = h.media.ICEServers
		h.rooms, h.desk = h.media.Rooms(), sells
		return nil
	}
	desk, err := cluster.Open(ctx, a.engines.bus, sells, heard, a.log)
	if err != nil {
		return fmt.Errorf("YUANZHEN_NATS_URL: %w", err)
	}
	h.onStop(func(context.Context) error { desk.Close(); return nil })
	if err := desk.Announce(ctx, cluster.House{TicketKey: tickets, Origins: []string{a.Addr()}}); err != nil {
		return fmt.Errorf("YUANZHEN_NATS_URL: %w", err)
	}
	h.rooms, h.desk = desk.Rooms(), desk
	return nil
}

// join makes this process a media node.
func (a *App) join(ctx context.Context, h *house) (*cluster.Node, error) {
	at := a.options.MediaURL
	if at == "" {
		at = a.Addr()
	}
	node, err := cluster.Join(ctx, a.engines.bus, h.media, "ws"+strings.TrimPrefix(strings.TrimSuffix(at, "/"), "http")+"/signal", a.log)
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_NATS_URL: %w", err)
	}
	h.node = node
	h.stops[len(h.stops)-1] = h.move // in place of the media server's own
	return node, nil
}

// mediaSources are the addresses of media nodes that pages may connect to, by socket or, observers, by WHEP: below the site's own name,
// or on this machine.
func (a *App) mediaSources() string {
	site, err := url.Parse(a.Addr())
	switch {
	case a.options.NATSURL == "" || err != nil:
		return ""
	case site.Scheme == "https":
		return "wss://*." + site.Host + " https://*." + site.Host
	}
	return "ws://" + site.Hostname() + ":* http://" + site.Hostname() + ":*"
}

// startMedia starts the media server of this process.
func (a *App) startMedia(h *house, tickets ed25519.PublicKey, relaySecret string, events control.Events) error {
	o := a.options
	host, _, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return err
	}
	port := func(setting, value string) netip.AddrPort {
		if value == "" {
			value = net.JoinHostPort(host, "0")
		}
		address, parseErr := netip.ParseAddrPort(value)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("%s %q: want an IP address and a port", setting, value)
		}
		return address
	}
	makeRoom(o.MediaShards)
	options := signaling.Options{UDP: port("YUANZHEN_MEDIA_UDP", o.MediaUDP), TCP: port("YUANZHEN_MEDIA_TCP", o.MediaTCP),
		Shards: o.MediaShards, TicketKey: tickets, BenchSecret: o.BenchSecret, Logger: a.log, Events: events}
	for _, s := range o.MediaIPs {
		ip, parseErr := netip.ParseAddr(s)
		if parseErr != nil {
			return fmt.Errorf("YUANZHEN_MEDIA_IPS: %w", parseErr)
		}
		options.PublicIPs = append(options.PublicIPs, ip)
	}
	if err != nil {
		return err
	}
	if o.TURNURL != "" {
		options.Relay = signaling.RelayOptions{URLs: relayURLs(o.TURNURL), Secret: o.TURNSecret}
	} else {
		beside := func(setting, value string) netip.AddrPort { // by default at the address of the media
			if value == "" {
				return netip.AddrPortFrom(options.UDP.Addr(), 0)
			}
			return port(setting, value)
		}
		options.Relay = signaling.RelayOptions{UDP: beside("YUANZHEN_TURN_UDP", o.TURNUDP), TCP: beside("YUANZHEN_TURN_TCP", o.TURNTCP),
			TLS: beside("YUANZHEN_TURN_TLS", o.TURNTLS), Host: o.TURNHost, Secret: relaySecret}
		if o.TURNCert != "" {
			pair, loadErr := tls.LoadX509KeyPair(o.TURNCert, o.TURNKey)
			if loadErr != nil {
				return fmt.Errorf("YUANZHEN_TURN_CERT, YUANZHEN_TURN_KEY: %w", loadErr)
			}
			options.Relay.Certificate = &pair
		}
	}
	if err != nil {
		return err
	}
	options.AllowedOrigins = a.home.Origins
	if o.Public != "" {
		options.AllowedOrigins = append(options.AllowedOrigins, strings.TrimSuffix(o.Public, "/"))
	}
	h.media = signaling.New(options)
	if err := h.media.Start(); err != nil {
		return fmt.Errorf("YUANZHEN_MEDIA_UDP, YUANZHEN_MEDIA_TCP: %w", err)
	}
	h.onStop(func(context.Context) error { return h.media.Stop() })
	return nil
}

// mediaRoutes adds the ways into the rooms to the API.
func (a *App) mediaRoutes(h *house) {
	(&networkChecks{desk: h.desk, rooms: h.rooms}).routes(h.api)
	if h.media == nil {
		return
	}
	socket, direct := h.media.Handler(), h.media.WHIP()
	for _, r := range []struct {
		method, path, summary string
		status                int
		to                    http.Handler
	}{
		{"GET", "/signal", "WebSocket of the rooms; the first message brings the ticket (signaling/PROTOCOL.md)", http.StatusSwitchingProtocols, socket},
		{"POST", "/whip/{room}/{seat}", "An instrument offers to send (WHIP, RFC 9725); the bearer token is its ticket", http.StatusCreated, direct},
		{"POST", "/whep/{room}/{seat}", "A display offers to receive what a seat publishes (WHEP); the bearer token is its ticket", http.StatusCreated, direct},
	} {
		httpapi.Raw(h.api, httpapi.Op{Method: r.method, Path: r.path, Action: "room.enter", Status: r.status, Summary: r.summary},
			func(w http.ResponseWriter, request *http.Request) error {
				r.to.ServeHTTP(w, request)
				return nil
			})
	}
}

// wireMedia is the house of a process that has the role media alone: rooms, and what operators ask for.
func (a *App) wireMedia(ctx context.Context) (_ *house, err error) {
	h := &house{}
	defer func() {
		if err != nil {
			h.stop(ctx)
		}
	}()
	key, _, err := ed25519.GenerateKey(nil) // without a house nobody has the other half: only the bench secret opens a room
	if err != nil {
		return nil, err
	}
	var node *cluster.Node
	events := control.Events(nil)
	if a.engines.bus != nil {
		find, cancel := context.WithTimeout(ctx, houseTime)
		defer cancel()
		if a.home, err = cluster.Find(find, a.engines.bus); err != nil {
			return nil, fmt.Errorf("YUANZHEN_NATS_URL: %w", err)
		}
		key = a.home.TicketKey
		events = func(e control.Event) { node.Event(e) } // nothing happens in rooms before Start
	}
	if err := a.startMedia(h, key, rand.Text(), events); err != nil {
		return nil, err
	}
	if a.engines.bus != nil {
		if node, err = a.join(ctx, h); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /signal", h.media.Handler())
	direct := httpapi.AnyOrigin(h.media.WHIP())
	mux.Handle("/whip/", direct)
	mux.Handle("/whep/", direct)
	a.operations(mux, newMetrics(h.media))
	h.handler = mux
	lean, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); a.stayLean(lean) }()
	h.onStop(func(context.Context) error { stop(); <-done; return nil })
	return h, nil
}

// relayURLs are the ways to outside TURN servers (RFC 7065), given with commas between: where one names no transport, those that it has.
func relayURLs(setting string) (urls []string) {
	for url := range strings.SplitSeq(setting, ",") {
		url = strings.TrimSpace(url)
		switch {
		case strings.Contains(url, "?transport="):
			urls = append(urls, url)
		case strings.HasPrefix(url, "turns:"):
			urls = append(urls, url+"?transport=tcp")
		default:
			urls = append(urls, url+"?transport=udp", url+"?transport=tcp")
		}
	}
	return urls
}
