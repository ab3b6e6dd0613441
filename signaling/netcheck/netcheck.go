// Package netcheck tells whether a network carries visits: a device sends itself sound through the real rooms, over each
// path by itself, and what came is counted. A county hospital's engineer runs it before the first patient does.
package netcheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"yuanzhen/internal/fault"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

const (
	measure = 4 * time.Second  // of sound over each path: 200 packets, so that a loss of 1 % shows
	connect = 12 * time.Second // until the first packet; a path that takes longer is none
	probe   = 512 << 10        // bytes up and down
)

// Path is one way of sound and picture through the network.
type Path struct {
	Name      string  `json:"name"` // "udp", "tcp", "turn-udp", "turn-tcp", "turn-tls"
	OK        bool    `json:"ok"`
	ConnectMs float64 `json:"connect_ms"` // from the press to the first packet
	RTTms     float64 `json:"rtt_ms"`
	JitterMs  float64 `json:"jitter_ms"`
	Loss      float64 `json:"loss"` // part of 1
	Why       string  `json:"why,omitempty"`
}

// Report is what was found.
type Report struct {
	Address  string    `json:"address"`
	At       time.Time `json:"at"`
	Paths    []Path    `json:"paths"`
	DownKbps float64   `json:"down_kbps"`
	UpKbps   float64   `json:"up_kbps"`
}

// names in the order of preference: each next one costs more or carries less.
var names = []string{"udp", "tcp", "turn-udp", "turn-tcp", "turn-tls"}

type offer struct {
	Socket string         `json:"socket"`
	Seats  []control.Pass `json:"seats"`
}

// Run checks the house at the address, telling each finished path to found. The error is of the address itself: a
// network that lets nothing through is a report. What was found until an error is in the report.
func Run(ctx context.Context, address string, found func(Path)) (Report, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return Report{}, fmt.Errorf("%q 不是网址，请写成 is no address: want https://visit.example.org", address)
	}
	r := Report{Address: base.Scheme + "://" + base.Host, At: time.Now()}
	lines := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer lines.CloseIdleConnections()
	client := &http.Client{Timeout: time.Minute, Transport: lines}
	var o offer // one for all paths: it lasts longer than they take
	if err := ask(ctx, client, http.MethodPost, r.Address+"/api/v1/netcheck", strings.NewReader("{}"), &o); err != nil {
		return r, err
	}
	if len(o.Seats) < 2 {
		return r, fmt.Errorf("%s 不提供网络检测，请核对地址 does not offer network checks: please check the address", r.Address)
	}
	socket, err := (&url.URL{Scheme: "ws" + strings.TrimPrefix(base.Scheme, "http"), Host: base.Host}).Parse(o.Socket) // a media node's is absolute
	if err != nil {
		return r, fmt.Errorf("the socket of the rooms: %w", err)
	}
	for _, name := range names {
		p, err := check(ctx, o, socket.String(), name)
		if err != nil {
			return r, err
		}
		r.Paths = append(r.Paths, p)
		found(p)
	}
	r.DownKbps, r.UpKbps, err = throughput(ctx, client, r.Address)
	return r, err
}

// check takes both seats over one path and counts the sound from one to the other.
func check(ctx context.Context, o offer, socket, name string) (Path, error) {
	p := Path{Name: name}
	options := signaltest.Options{URL: socket, TCPOnly: name == "tcp"}
	var dialled [2]*signaltest.Client
	defer func() {
		for _, c := range dialled {
			if c != nil {
				_ = c.Close() // what it would say has been counted
			}
		}
	}()
	start := time.Now()
	fail := func(err error) (Path, error) {
		p.Why = err.Error()
		return p, ctx.Err() // of the caller only: a path that does not come up is a finding
	}
	within, cancel := context.WithTimeout(ctx, connect)
	defer cancel()
	for i := range dialled {
		options.Ticket = o.Seats[i].Ticket
		if relay, ok := strings.CutPrefix(name, "turn-"); ok {
			options.RelayOnly, options.ICEServers = true, servers(o.Seats[i].ICEServers, relay)
			if len(options.ICEServers) == 0 {
				p.Why = "not offered"
				return p, nil
			}
		}
		c, err := signaltest.Dial(within, options)
		if err != nil {
			return fail(err)
		}
		dialled[i] = c
	}
	from, to := dialled[0], dialled[1]
	if err := errors.Join(from.Publish(within, sfu.Microphone), to.AwaitPackets(within, "a", sfu.Microphone, 1)); err != nil {
		return fail(err)
	}
	p.OK, p.ConnectMs = true, float64(time.Since(start).Milliseconds())
	select {
	case <-time.After(measure):
	case <-ctx.Done():
		return p, ctx.Err()
	}
	flow := to.FlowOf("a", sfu.Microphone)
	p.Loss = float64(flow.Lost) / float64(max(1, flow.Lost+flow.Packets))
	p.JitterMs = float64(flow.Jitter.Microseconds()) / 1000
	p.RTTms = float64(to.RoundTrip().Microseconds()) / 1000
	return p, nil
}

// servers picks the relay's addresses of one transport.
func servers(all []control.ICEServer, transport string) (picked []webrtc.ICEServer) {
	scheme, over := "turn:", "transport="+transport
	if transport == "tls" {
		scheme, over = "turns:", "transport=tcp"
	}
	for _, s := range all {
		for _, u := range s.URLs {
			if strings.HasPrefix(u, scheme) && strings.HasSuffix(u, over) {
				picked = append(picked, webrtc.ICEServer{URLs: []string{u}, Username: s.Username, Credential: s.Credential})
			}
		}
	}
	return picked
}

func throughput(ctx context.Context, client *http.Client, address string) (down, up float64, err error) {
	start := time.Now()
	if err := ask(ctx, client, http.MethodGet, fmt.Sprintf("%s/api/v1/netcheck/bytes?n=%d", address, probe), nil, nil); err != nil {
		return 0, 0, err
	}
	kbps := func() float64 { return probe * 8 / 1000 / time.Since(start).Seconds() }
	down = kbps()
	body := make([]byte, probe)
	rand.Read(body)
	start = time.Now()
	err = ask(ctx, client, http.MethodPost, address+"/api/v1/netcheck/bytes", bytes.NewReader(body), nil)
	return down, kbps(), err
}

// ask sends a request and reads the answer to its end.
func ask(ctx context.Context, client *http.Client, method, address string, body io.Reader, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("连不上，请核对地址、代理和防火墙 not reached, please check the address, the proxy and the firewall: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		var problem struct{ Detail, Remedy fault.Text }
		if json.Unmarshal(content, &problem) == nil && problem.Detail.EN != "" {
			return fmt.Errorf("%s%s %s %s", problem.Detail.ZH, problem.Remedy.ZH, problem.Detail.EN, problem.Remedy.EN)
		}
		return fmt.Errorf("%s %s: %s: 请核对地址 please check the address", method, request.URL.Path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(content, into)
}

// Advice is what to do, the most urgent first; one sentence that all is well when there is nothing to do.
func (r Report) Advice() []fault.Text {
	ok := map[string]Path{}
	for _, p := range r.Paths {
		if p.OK {
			ok[p.Name] = p
		}
	}
	has := func(name string) bool { _, yes := ok[name]; return yes }
	var advice []fault.Text
	say := func(zh, en string) { advice = append(advice, fault.Text{ZH: zh, EN: en}) }
	if len(r.Paths) < len(names) { // what was not tried is not blocked
		say("没有测完，请再测一次。", "The check was not finished: please run it again.")
		return advice
	}
	switch {
	case len(ok) == 0:
		say("声音和画面完全过不去：请网管放行本站的 TCP 443（TURN/TLS）和音视频 UDP 端口。",
			"Neither sound nor picture gets through: have TCP 443 (TURN/TLS) and the media's UDP port to this house opened.")
	case !has("udp") && !has("turn-udp"):
		say("UDP 被挡，只能走 TCP，网络差时会卡：请网管放行到本站音视频端口的 UDP。",
			"UDP is blocked, so calls go over TCP and stall on a bad line: have UDP to the media port of this house opened.")
	case !has("udp"):
		say("直连的 UDP 被挡，要经过中继，多一段路：请网管放行到本站音视频端口的 UDP。",
			"Direct UDP is blocked and calls take the longer way over the relay: have UDP to the media port opened.")
	}
	if len(ok) > 0 && !has("turn-tls") {
		say("TURN/TLS 走不通：严格的防火墙后面会接不通。请检查 443 端口，以及中继的证书是否受信任。",
			"TURN over TLS does not work: behind strict firewalls there will be no call. Check port 443 and whether the relay's certificate is trusted.")
	}
	for _, name := range names {
		p, yes := ok[name]
		if !yes {
			continue
		}
		if p.Loss > 0.03 {
			say(fmt.Sprintf("丢包 %.0f%%：换网线或另一条线路，关掉占带宽的下载。", p.Loss*100),
				fmt.Sprintf("%.0f%% of the packets are lost: use a cable or another line, stop large downloads.", p.Loss*100))
		}
		if p.RTTms > 300 {
			say(fmt.Sprintf("往返 %.0f 毫秒，说话会抢：换一条线路，或避开绕行的代理。", p.RTTms),
				fmt.Sprintf("A round trip of %.0f ms makes people talk over each other: use another line, avoid a proxy far away.", p.RTTms))
		}
		if p.JitterMs > 50 {
			say(fmt.Sprintf("抖动 %.0f 毫秒：用网线代替无线，给音视频优先。", p.JitterMs),
				fmt.Sprintf("Jitter of %.0f ms: use a cable instead of Wi-Fi, give media priority.", p.JitterMs))
		}
		break // of the path that calls will take
	}
	if slow := min(r.DownKbps, r.UpKbps); slow > 0 && slow < 1500 {
		say(fmt.Sprintf("带宽约 %.0f kbit/s：画面会降低，声音先保住。要清晰画面，上下行都要 2 Mbit/s 以上。", slow),
			fmt.Sprintf("About %.0f kbit/s: the picture is reduced, sound comes first. A sharp picture needs 2 Mbit/s each way.", slow))
	}
	if r.DownKbps == 0 || r.UpKbps == 0 {
		say("带宽没有测成，不能算合格，请再测一次。", "Throughput could not be measured, so this is no pass: please run it again.")
	}
	if len(advice) == 0 {
		say("网络合格，可以看病。", "The network is fit for visits.")
	}
	return advice
}
