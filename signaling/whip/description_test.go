package whip

import (
	"errors"
	"strings"
	"testing"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
)

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-ufrag:abcd\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\na=end-of-candidates\r\n"

func TestAnOfferNamesItsSoundAndItsPicture(t *testing.T) {
	got, err := sectionsOf(offer, sfu.Endoscope)
	if err != nil || len(got) != 2 || got[0] != (sfu.Section{MID: "0", Source: sfu.Microphone}) || got[1] != (sfu.Section{MID: "1", Source: sfu.Endoscope}) {
		t.Fatalf("%v %v", got, err)
	}
}

func TestAnOfferOfTwoPicturesIsRefused(t *testing.T) {
	second := strings.Replace(offer[strings.Index(offer, "m=video"):], "a=mid:1", "a=mid:2", 1)
	if _, err := sectionsOf(offer+second, sfu.Endoscope); !errors.Is(err, errTwice) {
		t.Errorf("two pictures: %v", err)
	}
	if got, err := sectionsOf(offer+strings.Replace(second, "sendrecv", "recvonly", 1), sfu.Endoscope); err != nil || len(got) != 2 {
		t.Errorf("a second one that is only received: %v %v", got, err)
	}
}

func TestAnAnswerTakesAllOrIsNotWhole(t *testing.T) {
	for change, want := range map[[2]string]bool{
		{"", ""}:                     true,
		{"m=video 9", "m=video 0"}:   false,
		{"m=audio 9", "m=audio 0"}:   false,
		{"a=sendrecv", "a=inactive"}: false,
	} {
		if got := whole(offer, strings.Replace(offer, change[0], change[1], 1)); got != want {
			t.Errorf("%s -> %s: %v", change[0], change[1], got)
		}
	}
	unheard := strings.Replace(offer, "a=sendonly", "a=recvonly", 1)
	if !whole(unheard, strings.Replace(unheard, "m=audio 9", "m=audio 0", 1)) {
		t.Error("sound that is not sent may be refused")
	}
}

func TestAnOfferOfOneSectionNeedsNoBundle(t *testing.T) {
	head, media, _ := strings.Cut(offer, "a=group:BUNDLE 0 1\r\n")
	video := media[strings.Index(media, "m=video"):]
	alone := head + video
	if got, want := bundled(alone), head+"a=group:BUNDLE 1\r\n"+video; got != want {
		t.Fatalf("%q\nwant %q", got, want)
	}
	if got := unbundled(bundled(alone)); got != alone {
		t.Fatalf("%q\nwant %q", got, alone)
	}
	if got := bundled(offer); got != offer {
		t.Fatalf("%q", got)
	}
	if _, err := sectionsOf(alone, sfu.Ultrasound); err != nil {
		t.Fatal(err)
	}
	if _, err := sectionsOf(head+media, sfu.Ultrasound); !errors.Is(err, errUnfit) {
		t.Fatalf("two sections on two transports: %v", err)
	}
}

func TestARestartedOfferHasTheNewCredentialsAlone(t *testing.T) {
	got := restarted(offer, fragment{ufrag: "new1", pwd: "new2"})
	want := strings.NewReplacer("a=ice-ufrag:abcd", "a=ice-ufrag:new1", "a=ice-pwd:0123456789012345678901", "a=ice-pwd:new2",
		"a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n", "", "a=end-of-candidates\r\n", "").Replace(offer)
	if got != want {
		t.Fatalf("%q\nwant %q", got, want)
	}
	if f := fragmentOf(offer); strings.Contains(f, "m=video") || !strings.Contains(f, "a=candidate:1") || strings.Contains(f, "sendonly") {
		t.Fatalf("%q", f)
	}
}

func TestLinksQuoteWhatTheyCarry(t *testing.T) {
	got := links([]control.ICEServer{{URLs: []string{"stun:a"}}, {URLs: []string{"turn:b?transport=udp"}, Username: `u"\`, Credential: "c"}})
	if len(got) != 2 || got[0] != `<stun:a>; rel="ice-server"` ||
		got[1] != `<turn:b?transport=udp>; rel="ice-server"; username="u\"\\"; credential="c"; credential-type="password"` {
		t.Fatalf("%q", got)
	}
}

// FuzzBodies reads any body as each of the three kinds: what is refused is refused with a problem for the client.
func FuzzBodies(f *testing.F) {
	f.Add(offer)
	f.Add("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		var p *Problem
		if sections, err := sectionsOf(body, sfu.Ultrasound); err != nil && !errors.As(err, &p) || len(sections) > 2 || err == nil && len(sections) == 0 {
			t.Fatal(sections, err)
		}
		if kinds, err := kindsOf(body); err != nil && !errors.As(err, &p) || err == nil && len(kinds) == 0 {
			t.Fatal(kinds, err)
		}
		got, err := readFragment(body)
		switch {
		case err != nil:
			if !errors.As(err, &p) {
				t.Fatal(err)
			}
		case len(got.candidates) > sfu.MaxCandidates:
			t.Fatal("too many candidates")
		case strings.ContainsAny(got.ufrag+got.pwd, "\n"):
			t.Fatal("credentials of two lines")
		default:
			restarted(body, got)
		}
		fragmentOf(body)
	})
}
