package signaling_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/load"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/signaltest"
)

// device is the ticket of an instrument or a wall display.
func device(seat string, publish bool) control.Claims {
	return control.Claims{
		Room: "room", Seat: control.Seat(seat), Name: seat, Role: "instrument", Admitted: true, Publish: publish, Subscribe: !publish, Direct: true,
	}
}

func (h *house) direct(c control.Claims) load.Target {
	h.t.Helper()
	return load.Target{Base: h.web(), Token: h.pass(c).Ticket}
}

// web serves WHIP and WHEP.
func (h *house) web() string {
	if h.http == nil {
		h.http = httptest.NewServer(h.server.WHIP())
		h.t.Cleanup(h.http.Close)
	}
	return h.http.URL
}

func factory(t *testing.T) *load.Factory {
	t.Helper()
	f, err := load.NewFactory()
	must(t, err)
	return f
}

func TestAnInstrumentSendsByWHIPAndIsSeenInTheRoomAndByWHEP(t *testing.T) {
	h, ctx, f := open(t), soon(t), factory(t)
	doctor := h.dial(ctx, host("doctor"))
	await(t, ctx, doctor, "joined", nil)
	probe, err := f.Publish(ctx, h.direct(device("probe", true)), "/whip/room/probe?source=ultrasound")
	must(t, err)
	await(t, ctx, doctor, "seat", func(m signaltest.Message) bool {
		v := m.View()
		return v.Seat == "probe" && v.Presence == control.Live && len(v.Tracks) == 2
	})
	must(t, doctor.AwaitPackets(ctx, "probe", sfu.Ultrasound, 50), doctor.AwaitPackets(ctx, "probe", sfu.Microphone, 20))

	wall, err := f.View(ctx, h.direct(device("wall", false)), "/whep/room/probe")
	must(t, err)
	await(t, ctx, doctor, "seat", func(m signaltest.Message) bool { return m.View().Seat == "wall~probe" })
	eventually(t, ctx, "pictures and sound at the viewer", func() bool { return wall.Packets.Load() > 200 && wall.Key.Load() > 0 })
	if wall.Lost.Load() != 0 {
		t.Errorf("%d packets lost on loopback", wall.Lost.Load())
	}

	must(t, probe.Delete(ctx))
	await(t, ctx, doctor, "gone", func(m signaltest.Message) bool {
		return strings.Contains(string(m.Seat), `"probe"`) && m.Reason == "left"
	})
	await(t, ctx, doctor, "gone", func(m signaltest.Message) bool { return strings.Contains(string(m.Seat), "wall~probe") })
	if err := probe.Delete(ctx); !errors.Is(err, load.ErrNotYet) {
		t.Errorf("a second DELETE: %v, want 404", err)
	}
	probe.Close()
	wall.Close()
}

func eventually(t *testing.T, ctx context.Context, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestAWHIPSessionTricklesAndRestartsICE(t *testing.T) {
	h, ctx, f := open(t), soon(t), factory(t)
	p, err := f.Publish(ctx, h.direct(device("probe", true)), "/whip/room/probe")
	must(t, err)
	t.Cleanup(p.Close)
	if !strings.HasPrefix(p.Location, "/whip/sessions/") || !strings.HasPrefix(p.Tag, `"`) || p.Header.Get("Content-Type") != "application/sdp" {
		t.Errorf("Location %q, ETag %q, type %q", p.Location, p.Tag, p.Header.Get("Content-Type"))
	}
	if links := p.Header.Values("Link"); len(links) == 0 || !strings.Contains(strings.Join(links, " "), `rel="ice-server"; username="`) {
		t.Errorf("Link %q", links)
	}
	first := p.Tag
	ufrag := between(p.PC.LocalDescription().SDP, "a=ice-ufrag:", "\r\n")
	trickle := "a=ice-ufrag:" + ufrag + "\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
	for _, c := range []struct {
		match string
		want  int
	}{{"", http.StatusPreconditionRequired}, {`"old"`, http.StatusPreconditionFailed}, {first, http.StatusNoContent}, {"*", http.StatusNoContent}} {
		if _, err := p.Patch(ctx, c.match, trickle, c.want); err != nil {
			t.Errorf("If-Match %q: %v", c.match, err)
		}
	}

	offer, err := p.PC.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(p.PC)
	must(t, p.PC.SetLocalDescription(offer))
	<-gathered
	local := p.PC.LocalDescription().SDP
	fragment := "a=ice-ufrag:" + between(local, "a=ice-ufrag:", "\r\n") + "\r\na=ice-pwd:" + between(local, "a=ice-pwd:", "\r\n") + "\r\na=mid:0\r\n"
	for line := range strings.Lines(local) {
		if strings.HasPrefix(line, "a=candidate:") {
			fragment += line
		}
	}
	if _, err := p.Patch(ctx, first, fragment, http.StatusPreconditionFailed); err != nil {
		t.Errorf("a restart of a named ICE session: %v", err)
	}
	answer, err := p.Patch(ctx, "*", fragment, http.StatusOK)
	must(t, err)
	if p.Tag == first || !strings.Contains(answer, "a=candidate:") {
		t.Errorf("ETag %s, was %s; answer %q", p.Tag, first, answer)
	}
	remote := p.PC.RemoteDescription().SDP
	for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:"} {
		was, is := between(remote, key, "\r\n"), between(answer, key, "\r\n")
		if was == is {
			t.Errorf("%s%s was not renewed", key, is)
		}
		remote = strings.ReplaceAll(remote, key+was, key+is)
	}
	must(t, p.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: remote}))
	wall, err := f.View(ctx, h.direct(device("wall", false)), "/whep/room/probe")
	must(t, err)
	t.Cleanup(wall.Close)
	eventually(t, ctx, "media after the restart", func() bool { return wall.Packets.Load() > 100 })
	if _, err := p.Patch(ctx, first, trickle, http.StatusPreconditionFailed); err != nil {
		t.Errorf("candidates of the ICE session before: %v", err)
	}
}

func between(s, from, to string) string {
	_, after, _ := strings.Cut(s, from)
	value, _, _ := strings.Cut(after, to)
	return value
}

// webrtcbin is GStreamer 1.22's offer of pictures in that encoding: a single section in no BUNDLE group.
func webrtcbin(encoding string) string {
	return strings.Join([]string{
		"v=0", "o=- 4138307883103102722 0 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=ice-options:trickle", "m=video 9 UDP/TLS/RTP/SAVPF 96",
		"c=IN IP4 0.0.0.0", "a=setup:actpass", "a=ice-ufrag:QjWS8vB1c9dI2QR78I/uEell370SJakn", "a=ice-pwd:G9LzDkRnsWDMdtEBsQPqBkH+20g397iG",
		"a=rtcp-mux", "a=rtcp-rsize", "a=sendonly", "a=rtpmap:96 " + encoding + "/90000", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 ccm fir",
		"a=rtcp-fb:96 transport-cc", "a=framerate:15", "a=ssrc:2 msid:user365193704@host-ffe207cc webrtctransceiver0",
		"a=ssrc:2 cname:user365193704@host-ffe207cc", "a=mid:video0",
		"a=fingerprint:sha-256 24:30:D9:95:9D:5F:74:DF:93:4D:2F:23:C7:DE:6C:D2:5E:9D:42:78:26:FA:5D:67:17:02:D0:DD:D9:74:FC:CF",
		"a=rtcp-mux-only", "",
	}, "\r\n")
}

// withSound adds Opus to an offer of webrtcbin's.
func withSound(offer string) string {
	head, video, _ := strings.Cut(offer, "m=video")
	sound := strings.NewReplacer("96 VP8/90000", "111 OPUS/48000/2", "SAVPF 96", "SAVPF 111", "96 nack pli", "111 nack", "96 ccm fir", "111 nack pli",
		"96 transport-cc", "111 transport-cc", "ssrc:2", "ssrc:3", "video0", "audio1", "transceiver0", "transceiver1")
	_, again, _ := strings.Cut(webrtcbin("VP8"), "m=video")
	return head + "a=group:BUNDLE video0 audio1\r\nm=video" + video + "m=audio" + sound.Replace(again)
}

// request asks a house over HTTP as no library would; the body of the answer is read.
func (h *house) request(ctx context.Context, method, path, token, contentType, match, body string) (*http.Response, string) {
	h.t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, h.web()+path, strings.NewReader(body))
	must(h.t, err)
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": contentType, "If-Match": match} {
		if value != "" && value != "Bearer " {
			q.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(q)
	must(h.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(h.t, err)
	return response, string(answer)
}

func TestADeviceThatOffersASectionInNoGroupIsTaken(t *testing.T) {
	h, ctx := open(t), soon(t)
	response, answer := h.request(ctx, "POST", "/whip/room/probe?source=ultrasound", h.pass(device("probe", true)).Ticket, "application/sdp", "", webrtcbin("VP8"))
	if response.StatusCode != http.StatusCreated || !strings.Contains(answer, "m=video 9 ") || strings.Contains(answer, "a=group") {
		t.Errorf("%d\n%s", response.StatusCode, answer)
	}
}

func TestAnOfferIsTakenAsAWholeOrRefusedWithARemedy(t *testing.T) {
	h, ctx := open(t), soon(t)
	token := h.pass(device("probe", true)).Ticket
	two := withSound(webrtcbin("VP8"))
	_, second, _ := strings.Cut(two, "m=video")
	second, _, _ = strings.Cut(second, "m=audio")
	for name, c := range map[string]struct {
		offer, code string
		want        int
	}{
		"pictures and sound": {two, "", 201},
		"two pictures": {strings.Replace(two, "BUNDLE video0 audio1", "BUNDLE video0 audio1 video2", 1) +
			"m=video" + strings.NewReplacer("video0", "video2", "ssrc:2", "ssrc:4").Replace(second), "two_of_a_kind", 422},
		"pictures that nobody decodes, and sound": {withSound(webrtcbin("H265")), "no_common_codec", 422},
		"pictures that nobody decodes":            {webrtcbin("H265"), "no_common_codec", 422},
	} {
		response, answer := h.request(ctx, "POST", "/whip/room/probe", token, "application/sdp", "", c.offer)
		if response.StatusCode != c.want || c.code != "" && (!strings.Contains(answer, `"`+c.code+`"`) || strings.Contains(answer, `"remedy":{"zh":""`)) {
			t.Errorf("%s: %d %s", name, response.StatusCode, answer)
		}
		if c.want == 201 {
			h.request(ctx, "DELETE", response.Header.Get("Location"), token, "", "", "")
		}
	}
	if seats, err := h.server.Rooms().Seats(ctx, "room"); err != nil || len(seats) != 0 {
		t.Errorf("who was refused sits: %v %v", seats, err)
	}
}

func TestASessionOverHTTP(t *testing.T) {
	h, ctx := open(t), soon(t)
	const sdp, fragment = "application/sdp", "application/trickle-ice-sdpfrag"
	token, other := h.pass(device("probe", true)).Ticket, h.pass(device("otoscope", true)).Ticket
	created, _ := h.request(ctx, "POST", "/whip/room/probe", token, sdp, "", webrtcbin("VP8"))
	at, tag := created.Header.Get("Location"), created.Header.Get("ETag")
	if created.StatusCode != 201 || created.Header.Get("Accept-Patch") != fragment {
		t.Fatalf("%d %v", created.StatusCode, created.Header)
	}
	candidates := "a=ice-ufrag:QjWS8vB1c9dI2QR78I/uEell370SJakn\r\na=mid:video0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
	for _, c := range []struct {
		name, method, path, token, kind, match, body string
		want                                         int
		header, value                                string
	}{
		{"GET of the endpoint", "GET", "/whip/room/probe", "", "", "", "", 204, "", ""},
		{"HEAD of the endpoint", "HEAD", "/whip/room/probe", "", "", "", "", 204, "", ""},
		{"GET of a WHEP endpoint", "GET", "/whep/room/probe", "", "", "", "", 200, "Content-Type", sdp},
		{"HEAD of a WHEP endpoint", "HEAD", "/whep/room/probe", "", "", "", "", 200, "Content-Type", sdp},
		{"OPTIONS of the endpoint", "OPTIONS", "/whip/room/probe", "", "", "", "", 200, "Accept-Post", sdp},
		{"OPTIONS of the session", "OPTIONS", at, "", "", "", "", 200, "Accept-Patch", fragment},
		{"GET of the session", "GET", at, token, "", "", "", 204, "", ""},
		{"HEAD of the session", "HEAD", at, token, "", "", "", 204, "", ""},
		{"GET of the session by another", "GET", at, other, "", "", "", 404, "", ""},
		{"POST to the session", "POST", at, token, sdp, "", "", 405, "Allow", "GET, HEAD, PATCH, DELETE, OPTIONS"},
		{"an offer of another type", "POST", "/whip/room/probe", token, "text/plain", "", "v=0", 415, "Accept-Post", sdp},
		{"candidates of another type", "PATCH", at, token, sdp, tag, candidates, 415, "Accept-Patch", fragment},
		{"candidates without a ticket", "PATCH", at, "", fragment, tag, candidates, 401, "WWW-Authenticate", "Bearer"},
		{"candidates by another", "PATCH", at, other, fragment, tag, candidates, 404, "", ""},
		{"candidates for no ICE session", "PATCH", at, token, fragment, "", candidates, 428, "", ""},
		{"candidates for another ICE session", "PATCH", at, token, fragment, `"old"`, candidates, 412, "", ""},
		{"more than 64 KB of candidates", "PATCH", at, token, fragment, tag, strings.Repeat("a", 65<<10), 413, "", ""},
		{"what is no fragment", "PATCH", at, token, fragment, tag, "hello", 400, "", ""},
		{"candidates", "PATCH", at, token, fragment, tag, candidates, 204, "", ""},
		{"the end of candidates", "PATCH", at, token, fragment, tag, candidates[:strings.Index(candidates, "a=cand")] + "a=end-of-candidates\r\n", 204, "", ""},
		{"the end without a ticket", "DELETE", at, "", "", "", "", 401, "WWW-Authenticate", "Bearer"},
		{"the end by another", "DELETE", at, other, "", "", "", 404, "", ""},
		{"the end, whatever it matches", "DELETE", at, token, "", `"old"`, "", 200, "", ""},
		{"the end again", "DELETE", at, token, "", "", "", 404, "", ""},
		{"candidates after the end", "PATCH", at, token, fragment, tag, candidates, 404, "", ""},
	} {
		response, body := h.request(ctx, c.method, c.path, c.token, c.kind, c.match, c.body)
		if response.StatusCode != c.want || c.header != "" && response.Header.Get(c.header) != c.value {
			t.Errorf("%s: %d %v %s", c.name, response.StatusCode, response.Header, body)
		}
		if c.method == "GET" && c.want < 300 && body != "" {
			t.Errorf("%s: content %q", c.name, body)
		}
	}
}

func TestWHIPRequestsThatAreRefused(t *testing.T) {
	h, ctx := open(t), soon(t)
	ticket := func(c control.Claims) string { return h.pass(c).Ticket }
	waits := device("probe", true)
	waits.Admitted = false
	person := host("probe")
	good := ticket(device("probe", true))
	offer := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
	const sdp, fragment = "application/sdp", "application/trickle-ice-sdpfrag"
	for name, c := range map[string]struct {
		method, path, token, kind, body string
		want                            int
	}{
		"no ticket":                     {"POST", "/whip/room/probe", "", sdp, offer, 401},
		"a ticket that is none":         {"POST", "/whip/room/probe", "yz1.a.b", sdp, offer, 401},
		"a ticket of another room":      {"POST", "/whip/other/probe", good, sdp, offer, 401},
		"a ticket of another seat":      {"POST", "/whip/room/doctor", good, sdp, offer, 401},
		"a person's ticket":             {"POST", "/whip/room/probe", ticket(person), sdp, offer, 403},
		"a ticket that waits":           {"POST", "/whip/room/probe", ticket(waits), sdp, offer, 403},
		"a viewer that sends":           {"POST", "/whip/room/wall", ticket(device("wall", false)), sdp, offer, 403},
		"a publisher that watches":      {"POST", "/whep/room/probe", good, sdp, offer, 403},
		"another content type":          {"POST", "/whip/room/probe", good, "application/json", "{}", 415},
		"no content type":               {"POST", "/whip/room/probe", good, "", offer, 415},
		"a body of more than 64 KB":     {"POST", "/whip/room/probe", good, sdp, strings.Repeat("a", 65<<10), 413},
		"a body that is no description": {"POST", "/whip/room/probe", good, sdp, "v=0", 400},
		"too many sections":             {"POST", "/whip/room/probe", good, sdp, offer + strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 65), 400},
		"an offer without ICE":          {"POST", "/whip/room/probe", good, sdp, offer, 400},
		"an offer to receive":           {"POST", "/whip/room/probe", good, sdp, strings.Replace(offer, "sendonly", "recvonly", 1), 422},
		"an offer without names":        {"POST", "/whip/room/probe", good, sdp, strings.Replace(offer, "a=mid:0\r\n", "", 1), 422},
		"two sections in no group":      {"POST", "/whip/room/probe", good, sdp, offer + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendonly\r\n", 422},
		"an unknown instrument":         {"POST", "/whip/room/probe?source=xray", good, sdp, offer, 422},
		"sound as picture":              {"POST", "/whip/room/probe?source=microphone", good, sdp, offer, 422},
		"WHEP that offers to send":      {"POST", "/whep/room/probe", ticket(device("wall", false)), sdp, offer, 422},
		"WHEP of an empty seat":         {"POST", "/whep/room/probe", ticket(device("wall", false)), sdp, strings.Replace(offer, "sendonly", "recvonly", 1), 404},
		"PUT of an endpoint":            {"PUT", "/whip/room/probe", good, sdp, offer, 405},
		"PUT of a session":              {"PUT", "/whep/sessions/x", good, sdp, offer, 405},
		"PATCH of no session":           {"PATCH", "/whip/sessions/x", good, fragment, "a=ice-ufrag:abcd\r\n", 404},
		"DELETE of no session":          {"DELETE", "/whip/sessions/x", good, "", "", 404},
		"what is neither":               {"POST", "/whip/room", good, sdp, offer, 404},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(ctx, c.method, h.web()+c.path, strings.NewReader(c.body))
			must(t, err)
			if c.token != "" {
				request.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.kind != "" {
				request.Header.Set("Content-Type", c.kind)
			}
			response, err := http.DefaultClient.Do(request)
			must(t, err)
			defer response.Body.Close()
			if response.StatusCode != c.want || response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s, want %d as a problem", response.StatusCode, response.Header.Get("Content-Type"), c.want)
			}
			if (c.want == 401) != (response.Header.Get("WWW-Authenticate") != "") || (c.want == 405) != (response.Header.Get("Allow") != "") {
				t.Errorf("headers %v", response.Header)
			}
		})
	}
	if seats, err := h.server.Rooms().Seats(ctx, "room"); err != nil || len(seats) != 0 {
		t.Errorf("who was refused sits: %v %v", seats, err)
	}
}

func TestARemovedInstrumentAndAClosedRoomEndTheirSessions(t *testing.T) {
	h, ctx, f := open(t), soon(t), factory(t)
	target := h.direct(device("probe", true))
	p, err := f.Publish(ctx, target, "/whip/room/probe")
	must(t, err)
	wall, err := f.View(ctx, h.direct(device("wall", false)), "/whep/room/probe")
	must(t, err)
	must(t, h.server.Rooms().Remove(ctx, "room", "wall"))
	if err := wall.Delete(ctx); !errors.Is(err, load.ErrNotYet) {
		t.Errorf("the removed viewer's session: %v, want 404", err)
	}
	if p.Delete(ctx) != nil {
		t.Error("the instrument went with the viewer")
	}
	p.Close()
	wall.Close()
	if p, err = f.Publish(ctx, target, "/whip/room/probe"); err != nil {
		t.Fatalf("an instrument that left comes back with its ticket: %v", err)
	}
	must(t, h.server.Rooms().Close(ctx, "room"))
	p.Close()
	var refused *load.Refused
	if _, err := f.Publish(ctx, target, "/whip/room/probe"); !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("with a ticket from before the room was closed: %v, want 403", err)
	}
}
