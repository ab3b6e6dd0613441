package sfu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/sfu/rtpmap"
)

// agreement is what a publish offer and its answer agreed on, as far as packets are concerned. It is made by the peer and
// handed to the shard, where nothing of it changes.
type agreement struct {
	formats    [128]*format // by payload type
	extensions rtpExtensions
	sections   []*mediaSection // those that send
}

// format is what a payload type stands for.
type format struct {
	webrtc.RTPCodecCapability
	codec  rtpmap.Codec
	kind   string
	repair bool  // RTX: it repeats packets of format apt
	red    bool  // RED around format apt
	nack   bool  // lost packets may be asked for
	apt    uint8 // of RTX and RED
}

// mediaSection is an m-line on which the client sends a track.
type mediaSection struct {
	mid    string
	source Source
	kind   string
	flows  []flow   // declared with a=ssrc
	rids   []string // simulcast, the smallest first
	kinds  []uint8  // payload types agreed
}

// flow is a stream with what repairs it (0 if nothing).
type flow struct{ ssrc, repair uint32 }

// agree reads what was agreed. Both were parsed by pion before, so what cannot be read is left out. A stream declared on two
// m-lines is refused (RFC 3550 §8: an SSRC names one source).
func agree(offer, answer *sdp.SessionDescription, sources map[string]Source) (*agreement, error) {
	a := &agreement{}
	declared := map[uint32]bool{}
	for i, m := range answer.MediaDescriptions {
		if i >= len(offer.MediaDescriptions) || m.MediaName.Port.Value == 0 && !has(m, "bundle-only") {
			continue
		}
		kind := m.MediaName.Media
		if kind != "audio" && kind != "video" {
			continue
		}
		theirs := offer.MediaDescriptions[i]
		mid, _ := m.Attribute("mid")
		s := &mediaSection{mid: mid, source: sources[mid], kind: kind}
		for _, attribute := range m.Attributes {
			a.read(s, attribute.Key, attribute.Value)
		}
		if s.source.Kind() != kind || has(theirs, "recvonly") || has(theirs, "inactive") || has(m, "inactive") {
			continue
		}
		s.flows, s.rids = flows(theirs)
		for _, f := range s.flows {
			for _, ssrc := range []uint32{f.ssrc, f.repair} {
				if ssrc != 0 && declared[ssrc] {
					return nil, fmt.Errorf("%w: SSRC %d is declared for two streams", ErrBadDescription, ssrc)
				}
				declared[ssrc] = true
			}
		}
		a.sections = append(a.sections, s)
	}
	return a, nil
}

func has(m *sdp.MediaDescription, key string) bool {
	_, ok := m.Attribute(key)
	return ok
}

func (a *agreement) read(s *mediaSection, key, value string) {
	number, rest, _ := strings.Cut(value, " ")
	switch key {
	case "rtpmap":
		n, err := strconv.ParseUint(number, 10, 7)
		if err != nil {
			return
		}
		f := a.format(uint8(n))
		words := strings.Split(rest, "/")
		f.kind, f.MimeType = s.kind, s.kind+"/"+words[0]
		if len(words) > 1 {
			rate, _ := strconv.ParseUint(words[1], 10, 32)
			f.ClockRate = uint32(rate)
		}
		f.codec = rtpmap.CodecOf(f.MimeType)
		f.repair = strings.EqualFold(words[0], "rtx")
		f.red = strings.EqualFold(f.MimeType, mimeRED)
		s.kinds = append(s.kinds, uint8(n))
	case "fmtp":
		n, err := strconv.ParseUint(number, 10, 7)
		if err != nil {
			return
		}
		f := a.format(uint8(n))
		f.SDPFmtpLine = rest
		for word := range strings.SplitSeq(rest, ";") {
			apt, isAPT := strings.CutPrefix(strings.TrimSpace(word), "apt=")
			if !isAPT { // RED names its formats with strokes between (RFC 2198 §5)
				apt, _, _ = strings.Cut(word, "/")
			}
			if n, err := strconv.ParseUint(apt, 10, 7); err == nil {
				f.apt = uint8(n)
			}
		}
	case "rtcp-fb":
		if n, err := strconv.ParseUint(number, 10, 7); err == nil && rest == "nack" {
			a.format(uint8(n)).nack = true
		}
	case "extmap":
		id, _, _ := strings.Cut(number, "/")
		if n, err := strconv.Atoi(id); err == nil {
			uri, _, _ := strings.Cut(rest, " ")
			a.extensions.set(uri, n)
		}
	}
}

func (a *agreement) format(n uint8) *format {
	if a.formats[n] == nil {
		a.formats[n] = &format{}
	}
	return a.formats[n]
}

// flows reads the streams of an m-line: those declared, or the names of those that will name themselves.
func flows(m *sdp.MediaDescription) (fs []flow, rids []string) {
	repairs := map[uint32]uint32{} // what repairs a stream
	var ssrcs, repairing []uint32
	for _, attribute := range m.Attributes {
		words := strings.Fields(attribute.Value)
		switch {
		case attribute.Key == "ssrc-group" && len(words) == 3 && words[0] == "FID":
			a, err1 := strconv.ParseUint(words[1], 10, 32)
			b, err2 := strconv.ParseUint(words[2], 10, 32)
			if err1 == nil && err2 == nil {
				repairs[uint32(a)] = uint32(b)
				repairing = append(repairing, uint32(b))
			}
		case attribute.Key == "ssrc" && len(words) > 0:
			n, err := strconv.ParseUint(words[0], 10, 32)
			if err == nil && !slices.Contains(ssrcs, uint32(n)) && len(ssrcs) < 2*maxLayers {
				ssrcs = append(ssrcs, uint32(n))
			}
		case attribute.Key == "simulcast":
			rids = simulcast(words)
		}
	}
	for _, ssrc := range ssrcs {
		if !slices.Contains(repairing, ssrc) && len(fs) < 1 { // without names there is one stream
			fs = append(fs, flow{ssrc, repairs[ssrc]})
		}
	}
	if len(rids) > 0 {
		fs = nil
	}
	return fs, rids
}

// simulcast reads the names that are sent (RFC 8853 §5.1); of alternatives the first.
func simulcast(words []string) []string {
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] != "send" {
			continue
		}
		var rids []string
		for alternatives := range strings.SplitSeq(words[i+1], ";") {
			rid, _, _ := strings.Cut(alternatives, ",")
			if len(rids) < maxLayers {
				rids = append(rids, strings.TrimPrefix(rid, "~"))
			}
		}
		return rids
	}
	return nil
}

// askForSilence asks microphones for DTX (RFC 7587 §7.1: usedtx in what the receiver says): while nobody speaks, nearly nothing
// is sent. Sound of a screen may be music, which it would chop.
func askForSilence(answer *sdp.SessionDescription, sources map[string]Source) {
	for _, m := range answer.MediaDescriptions {
		if mid, _ := m.Attribute("mid"); sources[mid] != Microphone {
			continue
		}
		for i, a := range m.Attributes {
			if a.Key == "fmtp" && strings.Contains(a.Value, "useinbandfec") && !strings.Contains(a.Value, "usedtx") {
				m.Attributes[i].Value += ";usedtx=1"
			}
		}
	}
}

// withoutStreams takes the a=ssrc lines out of an offer: pion would open a stream for each that never hears anything,
// because packets do not come to it.
func withoutStreams(offer string) string {
	var b strings.Builder
	b.Grow(len(offer))
	for line := range strings.Lines(offer) {
		if !strings.HasPrefix(line, "a=ssrc") {
			b.WriteString(line)
		}
	}
	return b.String()
}
