package sfu

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

const (
	// handshakeTime bounds ICE-TCP and DTLS handshakes that never finish.
	handshakeTime = 10 * time.Second

	// A lost path is noticed within 4 s and given up after 15 s; checks keep NAT bindings open (RFC 7675 asks
	// for consent every 5 s at least).
	iceDisconnected = 4 * time.Second
	iceFailed       = 15 * time.Second
	iceKeepalive    = 2 * time.Second
)

// register lists what is relayed. Every browser has Opus, VP8 and constrained baseline H264; nothing is
// transcoded, so a codec that one seat lacks must not be offered to another. VP8 is first: decoding it in
// software is cheap on old phones.
func register(m *webrtc.MediaEngine) error {
	opus := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			// In-band FEC rebuilds a lost frame from the next one (RFC 7587 §7).
			SDPFmtpLine:  "minptime=10;useinbandfec=1",
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "transport-cc"}},
		},
		PayloadType: 111,
	}
	if err := m.RegisterCodec(opus, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	for _, c := range []struct {
		mime, fmtp string
		pt, rtx    webrtc.PayloadType
		apt        string
	}{
		{webrtc.MimeTypeVP8, "", 96, 97, "apt=96"},
		{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 98, 99, "apt=98"},
		{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f", 100, 101, "apt=100"},
	} {
		feedback := []webrtc.RTCPFeedback{
			{Type: "transport-cc"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: c.mime, ClockRate: 90000, SDPFmtpLine: c.fmtp, RTCPFeedback: feedback,
			},
			PayloadType: c.pt,
		}, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: c.apt},
			PayloadType:        c.rtx,
		}, webrtc.RTPCodecTypeVideo); err != nil {
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
