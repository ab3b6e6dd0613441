// Package load is a client of WHIP and WHEP that sends synthetic sound and pictures and measures what arrives: for
// `yuanzhen bench sfu`, and for the tests of signaling.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Target is a server and the token that opens it.
type Target struct {
	Base  string // http://127.0.0.1:8080
	Token string
}

// Session is a WHIP or WHEP session as its client sees it.
type Session struct {
	PC       *webrtc.PeerConnection
	Location string
	Tag      string // the last ETag
	Header   http.Header
	target   Target
}

// ErrNotYet says that what is asked for is not there yet: 404, 409 or 503.
var ErrNotYet = errors.New("not there yet")

// Refused is any other answer that is not what was hoped for.
type Refused struct {
	Status int
	Body   string
}

func (r *Refused) Error() string { return fmt.Sprintf("answered %d: %.300s", r.Status, r.Body) }

// newAPI makes connections over loopback with the codecs that are sent.
func newAPI() (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "transport-cc"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	for kind, codec := range map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
		webrtc.RTPCodecTypeVideo: {RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: feedback}, PayloadType: 96},
		webrtc.RTPCodecTypeAudio: {RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1", RTCPFeedback: feedback[:1]}, PayloadType: 111},
	} {
		if err := media.RegisterCodec(codec, kind); err != nil {
			return nil, err
		}
	}
	chain := &interceptor.Registry{}
	if err := webrtc.ConfigureNack(media, chain); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(chain); err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, kind); err != nil {
			return nil, err
		}
	}
	// Silent: it complains of every connection that closes while a report is due.
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	feedbacks, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(quiet))
	if err != nil {
		return nil, err
	}
	chain.Add(feedbacks)
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	s.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(chain), webrtc.WithSettingEngine(s)), nil
}

// Begin offers what pc has and takes the answer. path is /whip/… or /whep/…
func (t Target) Begin(ctx context.Context, pc *webrtc.PeerConnection, path string) (*Session, error) {
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s := &Session{PC: pc, target: t}
	answer, header, err := t.do(ctx, http.MethodPost, path, "application/sdp", "", pc.LocalDescription().SDP, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	s.Location, s.Tag, s.Header = header.Get("Location"), header.Get("ETag"), header
	return s, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// Patch sends a fragment of trickle ICE and gives the answer's body.
func (s *Session) Patch(ctx context.Context, match, fragment string, want int) (string, error) {
	body, header, err := s.target.do(ctx, http.MethodPatch, s.Location, "application/trickle-ice-sdpfrag", match, fragment, want)
	if err == nil && header.Get("ETag") != "" {
		s.Tag = header.Get("ETag")
	}
	return body, err
}

// Delete ends the session on the server.
func (s *Session) Delete(ctx context.Context) error {
	_, _, err := s.target.do(ctx, http.MethodDelete, s.Location, "", "", "", http.StatusOK)
	return err
}

// Close ends the session on both sides. The server may have ended it before.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.PC.GracefulClose()
	_ = s.Delete(ctx)
}

func (t Target) do(ctx context.Context, method, path, contentType, match, body string, want int) (string, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.Base+path, strings.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	request.Header.Set("Authorization", "Bearer "+t.Token)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if match != "" {
		request.Header.Set("If-Match", match)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case err != nil:
		return "", nil, err
	case response.StatusCode == want:
		return string(answer), response.Header, nil
	case response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusConflict, response.StatusCode == http.StatusServiceUnavailable:
		return "", nil, fmt.Errorf("%w: %s", ErrNotYet, answer)
	}
	return "", nil, &Refused{response.StatusCode, string(answer)}
}
