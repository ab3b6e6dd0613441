package sfu

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

const (
	// handshakeTime bounds ICE-TCP handshakes that never finish.
	handshakeTime = 10 * time.Second
	// dtlsTime bounds those of DTLS, in which we have the first word wherever we are let: a browser's is two packets, of which a
	// thin line often loses one, and what it says it says again only after up to 3, 9 and 21 s; ours is one, said again after
	// handshakeAgain, twice and four times that. Nobody tells it that we have given up: it finds out when its path has failed, half
	// a minute later.
	dtlsTime       = 40 * time.Second
	handshakeAgain = 500 * time.Millisecond

	// A lost path is noticed within 4 s and given up after 15 s; checks keep NAT bindings open (RFC 7675 asks
	// for consent every 5 s at least).
	iceDisconnected = 4 * time.Second
	iceFailed       = 15 * time.Second
	iceKeepalive    = 2 * time.Second
)

// register lists what is relayed. Every browser has Opus, VP8 and constrained baseline H264; nothing is transcoded, so who
// sends what another seat lacks is not seen there. VP8 is first: decoding it in software is cheap on old phones.
func register(m *webrtc.MediaEngine) error {
	sound := []webrtc.RTCPFeedback{{Type: "transport-cc"}, {Type: "nack"}}
	picture := []webrtc.RTCPFeedback{
		{Type: "transport-cc"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
	}
	for _, c := range []struct {
		mime     string
		fmtp     string
		kind     webrtc.PayloadType
		repair   webrtc.PayloadType // of RTX for it
		rate     uint32
		channels uint16
	}{
		// In-band FEC rebuilds a lost frame from the next one (RFC 7587 §7); RED repeats it whole, for who prefers it.
		{webrtc.MimeTypeOpus, "minptime=10;useinbandfec=1", 111, 0, 48000, 2},
		{mimeRED, "111/111", 63, 0, 48000, 2},
		{webrtc.MimeTypeVP8, "", 96, 97, 90000, 0},
		{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 98, 99, 90000, 0},
		{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f", 100, 101, 90000, 0},
		{webrtc.MimeTypeVP9, "profile-id=0", 102, 103, 90000, 0},
		{webrtc.MimeTypeAV1, "level-idx=5;profile=0;tier=0", 104, 105, 90000, 0},
	} {
		kind, feedback := webrtc.RTPCodecTypeVideo, picture
		if c.channels > 0 {
			kind, feedback = webrtc.RTPCodecTypeAudio, sound
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: c.mime, ClockRate: c.rate, Channels: c.channels, SDPFmtpLine: c.fmtp, RTCPFeedback: feedback,
			},
			PayloadType: c.kind,
		}, kind); err != nil {
			return err
		}
		if c.repair == 0 {
			continue
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeRTX, ClockRate: c.rate, SDPFmtpLine: fmt.Sprintf("apt=%d", c.kind),
			},
			PayloadType: c.repair,
		}, kind); err != nil {
			return err
		}
	}
	return registerExtensions(m)
}

// registerExtensions lists the header extensions. The names of m-lines and layers are only received: our own streams are known
// by the SSRCs of the offer.
func registerExtensions(m *webrtc.MediaEngine) error {
	const receive, send = webrtc.RTPTransceiverDirectionRecvonly, webrtc.RTPTransceiverDirectionSendonly
	for _, x := range []struct {
		uri        string
		kinds      []webrtc.RTPCodecType
		directions []webrtc.RTPTransceiverDirection
	}{
		{uriMID, []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo}, []webrtc.RTPTransceiverDirection{receive}},
		{uriTWCC, []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo}, []webrtc.RTPTransceiverDirection{receive, send}},
		{uriAudioLevel, []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio}, []webrtc.RTPTransceiverDirection{receive}},
		{uriRID, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}, []webrtc.RTPTransceiverDirection{receive}},
		{uriDescriptor, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}, []webrtc.RTPTransceiverDirection{receive, send}},
		{uriRepairRID, []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}, []webrtc.RTPTransceiverDirection{receive}},
	} {
		for _, kind := range x.kinds {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: x.uri}, kind, x.directions...); err != nil {
				return err
			}
		}
	}
	return nil
}

// mimeRED is redundant audio (RFC 2198).
const mimeRED = "audio/red"

// newCertificate makes the one DTLS certificate of this process.
func newCertificate() (webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, err
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, err
	}
	return *cert, nil
}

// silent is a logger that says nothing: pion's words at the default level may hold addresses of persons.
type silent struct{}

func (silent) NewLogger(string) logging.LeveledLogger { return silent{} }
func (silent) Trace(string)                           {}
func (silent) Tracef(string, ...any)                  {}
func (silent) Debug(string)                           {}
func (silent) Debugf(string, ...any)                  {}
func (silent) Info(string)                            {}
func (silent) Infof(string, ...any)                   {}
func (silent) Warn(string)                            {}
func (silent) Warnf(string, ...any)                   {}
func (silent) Error(string)                           {}
func (silent) Errorf(string, ...any)                  {}

func logger(f logging.LoggerFactory, scope string) logging.LeveledLogger {
	if f == nil {
		return silent{}
	}
	return f.NewLogger(scope)
}
