package whip

import (
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
)

// parse reads an offer, whose size and number of parts are bounded first.
func parse(offer string) (*sdp.SessionDescription, error) {
	if err := sfu.CheckDescription(offer); err != nil {
		return nil, errBadOffer.because(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return nil, errBadOffer.because(err)
	}
	if len(d.MediaDescriptions) > 1 && !isBundled(offer) { // one transport carries all, RFC 9725 §4.4.1
		return nil, errUnfit
	}
	return &d, nil
}

const bundle = "a=group:BUNDLE "

func isBundled(description string) bool { return strings.Contains(description, "\n"+bundle) }

// bundled is an offer with a BUNDLE group: pion refuses a section that is in none, and a client with a single section may leave the
// group out (RFC 9143 §7.2).
func bundled(offer string) string {
	head, section, one := strings.Cut(offer, "\nm=")
	_, mid, named := strings.Cut(section, "\na=mid:")
	if !one || !named || isBundled(offer) {
		return offer
	}
	mid, _, _ = strings.Cut(mid, "\n")
	return head + "\n" + bundle + strings.TrimRight(mid, "\r") + "\r\nm=" + section
}

// unbundled is an answer to an offer that had no BUNDLE group: it may not have one either (RFC 9143 §7.3).
func unbundled(answer string) string {
	head, rest, ok := strings.Cut(answer, "\n"+bundle)
	if !ok {
		return answer
	}
	_, rest, _ = strings.Cut(rest, "\n")
	return head + "\n" + rest
}

// sectionsOf names what a WHIP offer sends: its sound is the microphone, its picture the source. More than one of a kind is refused
// (RFC 9725 §4.4.2).
func sectionsOf(offer string, source sfu.Source) ([]sfu.Section, error) {
	if source.Kind() != "video" {
		return nil, errSource
	}
	d, err := parse(offer)
	if err != nil {
		return nil, err
	}
	var sections []sfu.Section
	seen := map[string]bool{}
	for _, m := range d.MediaDescriptions {
		kind := m.MediaName.Media
		if !sends(m) {
			continue
		}
		mid, named := m.Attribute("mid")
		switch {
		case !named:
			return nil, errUnfit
		case seen[kind]:
			return nil, errTwice
		}
		seen[kind] = true
		is := sfu.Microphone
		if kind == "video" {
			is = source
		}
		sections = append(sections, sfu.Section{MID: mid, Source: is})
	}
	if len(sections) == 0 {
		return nil, errUnfit
	}
	return sections, nil
}

// sends says whether a section of an offer sends sound or picture.
func sends(m *sdp.MediaDescription) bool {
	kind := m.MediaName.Media
	return (kind == "audio" || kind == "video") && !has(m, "recvonly") && !has(m, "inactive")
}

// whole says whether an answer takes all that its offer sends: a session that sends in part would mislead who stands at the device
// (RFC 9725 §4.4.3).
func whole(offer, answer string) bool {
	var asked, got sdp.SessionDescription
	if asked.UnmarshalString(offer) != nil || got.UnmarshalString(answer) != nil || len(asked.MediaDescriptions) != len(got.MediaDescriptions) {
		return false
	}
	for i, m := range asked.MediaDescriptions {
		if sends(m) && (got.MediaDescriptions[i].MediaName.Port.Value == 0 || has(got.MediaDescriptions[i], "inactive")) {
			return false
		}
	}
	return true
}

// kindsOf lists what a WHEP offer would receive.
func kindsOf(offer string) ([]string, error) {
	d, err := parse(offer)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, m := range d.MediaDescriptions {
		kind := m.MediaName.Media
		if kind != "audio" && kind != "video" || has(m, "inactive") {
			continue
		}
		if _, named := m.Attribute("mid"); !named || !has(m, "recvonly") {
			return nil, errUnfit
		}
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		return nil, errUnfit
	}
	return kinds, nil
}

func has(m *sdp.MediaDescription, key string) bool {
	_, ok := m.Attribute(key)
	return ok
}

// fragment is a body of trickle ICE (RFC 8840 §9).
type fragment struct {
	ufrag, pwd string
	candidates []webrtc.ICECandidateInit
}

func readFragment(body string) (fragment, error) {
	var f fragment
	var mid *string
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "a=ice-ufrag":
			if f.ufrag != "" && f.ufrag != value { // one transport carries all
				return f, errFragment
			}
			f.ufrag = value
		case "a=ice-pwd":
			f.pwd = value
		case "a=mid":
			mid = &value
		case "a=candidate":
			if len(f.candidates) == sfu.MaxCandidates {
				return f, errFragment
			}
			f.candidates = append(f.candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + value, SDPMid: mid})
		}
	}
	// RFC 8839 §5.4: 4 and 22 characters at least.
	if f.ufrag == "" && len(f.candidates) == 0 || f.ufrag != "" && (len(f.ufrag) < 4 || len(f.ufrag) > 256) || f.pwd != "" && (len(f.pwd) < 22 || len(f.pwd) > 256) {
		return f, errFragment
	}
	return f, nil
}

// ufragOf finds the ICE user fragment of a description.
func ufragOf(description string) string {
	_, after, _ := strings.Cut(description, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(after, "\n")
	return strings.TrimRight(ufrag, "\r")
}

// restarted is an offer with new ICE credentials and without the candidates of the old ones.
func restarted(offer string, f fragment) string {
	var b strings.Builder
	for line := range strings.Lines(offer) {
		switch key, _, _ := strings.Cut(line, ":"); strings.TrimRight(key, "\r\n") {
		case "a=ice-ufrag":
			b.WriteString("a=ice-ufrag:" + f.ufrag + "\r\n")
		case "a=ice-pwd":
			b.WriteString("a=ice-pwd:" + f.pwd + "\r\n")
		case "a=candidate", "a=end-of-candidates":
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// fragmentOf takes from an answer what concerns ICE: of the first section, for all are bundled.
func fragmentOf(answer string) string {
	var b strings.Builder
	sections := 0
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "m=") {
			if sections++; sections == 2 {
				break
			}
			b.WriteString(line)
			continue
		}
		switch key, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); key {
		case "a=ice-lite", "a=ice-options", "a=group", "a=mid", "a=ice-ufrag", "a=ice-pwd", "a=candidate", "a=end-of-candidates":
			b.WriteString(line)
		}
	}
	return b.String()
}

// links writes ICE servers as RFC 9725 §4.6 wants them.
func links(servers []control.ICEServer) []string {
	var all []string
	for _, s := range servers {
		for _, url := range s.URLs {
			link := "<" + url + `>; rel="ice-server"`
			if s.Username != "" {
				link += "; username=" + quoted(s.Username) + "; credential=" + quoted(s.Credential) + `; credential-type="password"`
			}
			all = append(all, link)
		}
	}
	return all
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted is a quoted-string of RFC 9110 §5.6.4.
func quoted(s string) string { return `"` + escapes.Replace(s) + `"` }
