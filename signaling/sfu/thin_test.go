package sfu

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// thin is a line that carries so much, as far as is known, on which one hears another's microphone.
func thin(r *rig, bits int, rung rate.Rung) (speaker, hearer *end, d *DownTrack) {
	speaker, hearer = r.connect(gcm), r.connect(gcm)
	speaker.publish()
	d = hearer.subscribe(speaker.track(Microphone), 6000, false)
	hearer.link.peer.handler = offers{}
	r.at(0, func() {
		d.bound.redKind = rigRED
		hearer.link.estimator, hearer.link.ladder = rate.NewEstimator(bits), rate.NewLadder(rate.Alone, rung, r.now)
		hearer.link.rung, hearer.link.pack = rung, rung
	})
	return speaker, hearer, d
}

// speak sends frames of 80 bytes every 20 ms: 32 kbit/s, 62 with all headers.
func (r *rig) speak(speaker *end, from, count int) {
	for n := range count {
		speaker.send(sound(uint16(from+n), fmt.Sprint(from+n)+strings.Repeat(".", 80-len(fmt.Sprint(from+n)))))
		r.at(20*time.Millisecond, func() {
			for l := range r.links {
				l.tick()
			}
		})
	}
}

// What a full line loses, repeats of sound would only add to.
func TestSoundIsRepeatedAsFarAsTheLineCarriesIt(t *testing.T) {
	for _, c := range []struct{ bits, want int }{{1_000_000, 2}, {160_000, 2}, {120_000, 1}, {80_000, 0}, {30_000, 0}} {
		r := newRig(t)
		speaker, hearer, d := thin(r, c.bits, rate.Stills)
		r.at(0, func() { d.bound.twcc, d.loss, d.protected = 0, 0.1, r.now })
		r.speak(speaker, 1, 30)
		media, _ := hearer.received()
		last := media[len(media)-1]
		got := 0
		if last.PayloadType == rigRED {
			blocks, _, ok := rtpmap.ReadRED(nil, last.Payload)
			if !ok {
				t.Fatalf("not RED: %q", last.Payload)
			}
			got = len(blocks)
		}
		if got != c.want {
			t.Errorf("a line of %d bit/s that loses a tenth: each packet repeats %d, want %d", c.bits, got, c.want)
		}
	}
}

// Who asks for more than the line carries gets no more than half of it.
func TestWhatIsAskedForAgainKeepsWithinTheLine(t *testing.T) {
	for _, c := range []struct{ bits, least, most int }{{64_000, 3, 12}, {10_000_000, 60, 64}} {
		r := newRig(t)
		a, b := r.connect(gcm), r.connect(gcm)
		a.publish()
		b.subscribe(a.track(Camera), 5000, true)
		r.at(0, func() { b.link.estimator = rate.NewEstimator(c.bits) })
		for n := range uint16(64) {
			a.send(vp8(n+1, 9000, n == 0, n == 0, n == 63))
		}
		first, _ := b.received()
		size := len(first[0].Payload)
		again, seconds := 0, 2
		for range seconds * 20 {
			for _, p := range first {
				b.sendRTCP(&rtcp.TransportLayerNack{MediaSSRC: 5000, Nacks: []rtcp.NackPair{{PacketID: p.SequenceNumber}}})
			}
			r.at(50*time.Millisecond, func() { b.link.tick() })
			media, _ := b.received()
			for _, p := range media {
				if p.SSRC == 5001 {
					again++
				}
			}
		}
		least, most := c.bits/2*seconds/2/8/(size+soundHeaders), c.bits/2*(4*seconds+3)/4/8/(size+soundHeaders)
		if c.bits > 1_000_000 { // what is asked for, not the line, is the limit: maxRepeats a tick
			least, most = seconds*20*maxRepeats/2, seconds*20*maxRepeats
		}
		if again < least || again > most {
			t.Errorf("%d bit/s: %d packets of %d bytes again in %d s, want %d to %d", c.bits, again, size, seconds, least, most)
		}
	}
}

// The sound of who speaks is made for the thinnest line that hears it: told at once when a line gets thin, after a while when it was.
func TestASpeakerIsToldOfTheThinnestLineThatHears(t *testing.T) {
	r := newRig(t)
	speaker, hearer, _ := thin(r, 5_000_000, rate.High)
	other := r.connect(gcm)
	other.subscribe(speaker.track(Microphone), 7000, false)
	speaker.link.peer.engine = r.engine
	tell(t, speaker.link.peer)
	told := func() (rungs []rate.Rung) {
		for _, d := range tell(t, speaker.link.peer).demands {
			rungs = append(rungs, d.Rung)
		}
		return rungs
	}
	stand := func(rung rate.Rung) {
		r.at(0, func() { hearer.link.ladder, hearer.link.rung = rate.NewLadder(rate.Alone, rung, r.now), rung })
	}
	r.speak(speaker, 1, 20)
	if got := told(); len(got) != 0 {
		t.Fatalf("all lines are good, and told %v", got)
	}
	stand(rate.Sound)
	r.speak(speaker, 21, 10)
	if got := told(); len(got) != 1 || got[0] != rate.Sound {
		t.Fatalf("200 ms after a line got thin: told %v", got)
	}
	stand(rate.High)
	r.speak(speaker, 31, 50)
	if got := told(); len(got) != 0 {
		t.Fatalf("one second after it got better: told %v", got)
	}
	r.speak(speaker, 81, 100)
	if got := told(); len(got) != 1 || got[0] != rate.High {
		t.Fatalf("three seconds after: told %v", got)
	}
}

// Sound that the line loses has to be so small that its repeats fit too; and it does not change to and fro.
func TestSoundIsAsSmallAsItsRepeatsNeed(t *testing.T) {
	l := &link{}
	for _, c := range []struct {
		rung                 rate.Rung
		budget, heard, asked int
		want                 rate.Rung
	}{
		{rate.High, 0, 1, 3, rate.High},
		{rate.Stills, 100_000, 1, 0, rate.Stills},
		{rate.Stills, 100_000, 1, 3, rate.Stills},
		{rate.Stills, 60_000, 1, 1, rate.Stills}, // 40.5 and the stills
		{rate.Stills, 50_000, 1, 1, rate.Sound},
		{rate.Stills, 55_000, 1, 1, rate.Sound}, // not at once again
		{rate.Stills, 61_000, 1, 1, rate.Stills},
		{rate.Sound, 30_000, 1, 0, rate.Sound},
		{rate.Sound, 30_000, 1, 1, rate.Text},
		{rate.Sound, 35_000, 1, 1, rate.Text},
		{rate.Sound, 40_000, 1, 1, rate.Sound},
		{rate.Sound, 40_000, 2, 0, rate.Text},
		{rate.Text, 1_000_000, 1, 0, rate.Text},
	} {
		l.rung = c.rung
		if l.pack = l.packing(c.budget, c.heard, c.asked); l.pack != c.want {
			t.Fatalf("%+v: %v", c, l.pack)
		}
	}
}

// A browser answers each packet that has a transport-wide number by a report; on a thin line few have one.
func TestOnAThinLineFewPacketsOfSoundAreReportedOn(t *testing.T) {
	for rung, want := range map[rate.Rung]int{rate.Sound: 10, rate.Stills: 10, rate.Low: 30} {
		r := newRig(t)
		speaker, hearer, _ := thin(r, 1_000_000, rung)
		for n := range uint16(30) {
			speaker.send(sound(n+1, fmt.Sprint(n)))
		}
		media, _ := hearer.received()
		numbers := []uint16{}
		for _, p := range media {
			if x := p.GetExtension(rigTWCC); len(x) == 2 {
				numbers = append(numbers, uint16(x[0])<<8|uint16(x[1]))
			}
		}
		if len(media) != 30 || len(numbers) != want {
			t.Fatalf("%v: %d of %d packets have a number, want %d", rung, len(numbers), len(media), want)
		}
		for i, n := range numbers {
			if n != uint16(i) {
				t.Fatalf("%v: numbers %v", rung, numbers)
			}
		}
	}
}

// Words that fill a line for a moment bring its estimate down for many seconds; small sound is repeated as soon as the queue is gone.
func TestAFallenEstimateDoesNotTakeTheRepeatsOfSmallSound(t *testing.T) {
	r := newRig(t)
	speaker, hearer, d := thin(r, rate.Least, rate.Sound)
	r.at(0, func() { d.loss, d.protected = 0.2, r.now })
	told := func(took time.Duration) {
		e := hearer.link.estimator
		e.Sent(0, 100, r.now)
		var a arrivals
		a.record(0, r.now+took)
		if err := e.Feedback(a.report(nil, 1, 2), r.now+took); err != nil {
			t.Fatal(err)
		}
	}
	next := uint16(1)
	repeats := func() uint8 {
		for range 20 { // as small as sound gets: 60 bytes every 120 ms
			speaker.send(sound(next, strings.Repeat(".", 60)))
			next++
			r.at(120*time.Millisecond, func() { hearer.link.tick(); speaker.link.tick() })
		}
		return d.repeats
	}
	r.at(0, func() { told(200 * time.Millisecond) })
	if got := repeats(); got != 2 {
		t.Errorf("a line without a queue, believed to carry %d bit/s: each packet repeats %d, want 2", rate.Least, got)
	}
	r.at(0, func() { told(600 * time.Millisecond) })
	if got := repeats(); got != 0 {
		t.Errorf("while a queue stands each packet repeats %d, want none", got)
	}
}

// What a line has no room for beside sound waits, and that is little.
func TestHowManyStillsWaitForALine(t *testing.T) {
	r := newRig(t)
	for rung, want := range map[rate.Rung]int{rate.Text: -1, rate.Sound: dripLag, rate.Stills: dataLag, rate.High: dataLag} {
		if _, hearer, _ := thin(r, 64_000, rung); hearer.link.lag() != want {
			t.Errorf("%v: %d, want %d", rung, hearer.link.lag(), want)
		}
	}
}

// Words for a seat that has no connection yet are dropped.
func TestWhoIsNotConnectedMissesWords(t *testing.T) {
	e := engine(t, Options{})
	a := sit(t, e, Rights{Publish: true})
	for _, c := range []Channel{PointerChannel, ReliableChannel} {
		a.peer.Send(c, "still:1:0:1:AA")
	}
	for e.dataDropped.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
}
