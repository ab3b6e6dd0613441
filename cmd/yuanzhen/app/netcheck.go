package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"yuanzhen/consult"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/signaling/control"
)

// A network check is a room of its own with two seats for one and the same device, which sends itself sound and pictures over
// one path after the other. Anybody may ask, since whoever looks after a hospital's network has no account here; so it is
// short and there are few at a time.
const (
	checkLife  = 2 * time.Minute // five paths of 19 s at most, and throughput; tickets last as long
	maxChecks  = 16
	maxProbe   = 2 << 20 // bytes of one throughput probe
	checkSeats = 2
)

type networkChecks struct {
	desk  consult.Desk
	rooms control.Rooms

	mu      sync.Mutex
	running []time.Time // guarded by mu: when they began
}

// NetworkCheck is what a check needs: a ticket a seat, and the relay's addresses.
type NetworkCheck struct {
	Socket  string         `json:"socket"`
	Seats   []control.Pass `json:"seats"`
	Expires time.Time      `json:"expires"`
}

func (n *networkChecks) routes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/netcheck", Action: "public", Status: 201,
		Summary: "A room for a device to hear itself, to check a network"}, n.begin)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/netcheck/bytes", Action: "public",
		Summary: "Bytes without meaning, to measure throughput; the query's n says how many"}, n.send)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/netcheck/bytes", Action: "public", MaxBytes: maxProbe, Timeout: time.Minute,
		Summary: "Takes bytes and forgets them, to measure throughput"}, n.receive)
}

type networkCheckOut struct{ Body NetworkCheck }

func (n *networkChecks) begin(context.Context, *struct{}) (*networkCheckOut, error) {
	if !n.take(time.Now()) {
		return nil, fault.New(fault.Limited, "too_many_checks", "现在测网络的人太多了。", "Too many networks are being checked at the moment.").
			WithRemedy("请过两分钟再试。", "Please try again in two minutes.")
	}
	room := control.Room("n-" + rand.Text())
	out := NetworkCheck{Socket: "/signal", Expires: time.Now().Add(checkLife)}
	for i := range checkSeats {
		seat := control.Seat(string(rune('a' + i)))
		pass, err := n.desk.Issue(control.Claims{Room: room, Seat: seat, Name: string(seat), Role: "probe", Admitted: true, Publish: true, Subscribe: true})
		if err != nil {
			return nil, err
		}
		if pass.URL != "" {
			out.Socket = pass.URL
		}
		out.Seats = append(out.Seats, pass)
	}
	// Whoever would use the room to talk has two minutes; a closed room of a server that stops meanwhile harms nobody.
	time.AfterFunc(checkLife, func() { _ = n.rooms.Close(context.Background(), room) })
	return &networkCheckOut{out}, nil
}

func (n *networkChecks) take(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = slices.DeleteFunc(n.running, func(began time.Time) bool { return now.Sub(began) > checkLife })
	if len(n.running) >= maxChecks {
		return false
	}
	n.running = append(n.running, now)
	return true
}

func (n *networkChecks) send(w http.ResponseWriter, r *http.Request) error {
	size, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || size < 0 || size > maxProbe {
		return fault.New(fault.Invalid, "probe_size", "测试的大小不对。", "The size of the probe is not right.").
			WithRemedy("请从测网络的页面开始。", "Please start from the network page.")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	_, err = io.CopyN(w, rand.Reader, int64(size)) // random, so that no proxy on the way makes it smaller
	return err
}

func (n *networkChecks) receive(w http.ResponseWriter, r *http.Request) error {
	size, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]int64{"received": size})
}
