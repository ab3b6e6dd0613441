package rate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"pgregory.net/rapid"

	"yuanzhen/signaling/sfu/rate"
)

func TestFeedbackIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recorder := twcc.NewRecorder(1)
		sequence := rapid.Uint16().Draw(t, "sequence")
		at := int64(rapid.Int32Range(64_000, 1<<30).Draw(t, "begin"))
		want := map[uint16]int64{}
		first := sequence
		for range rapid.IntRange(1, 60).Draw(t, "packets") {
			recorder.Record(2, sequence, at)
			want[sequence] = at
			sequence += rapid.Uint16Range(1, 30).Draw(t, "gap")
			at += int64(rapid.IntRange(0, 70_000).Draw(t, "later"))
		}
		got := 0
		for _, p := range recorder.BuildFeedbackPacket() {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := rate.ReadFeedback(raw, func(s uint16, received bool, arrival time.Duration) {
				us, ok := want[s]
				if ok != received {
					t.Fatalf("packet %d received: %v, want %v", s-first, received, ok)
				}
				if received {
					got++
					if d := arrival.Microseconds() - us; d > 250 || d < -250 {
						t.Fatalf("packet %d arrived at %d µs, want %d", s-first, arrival.Microseconds(), us)
					}
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		if got != len(want) {
			t.Fatalf("%d of %d packets", got, len(want))
		}
	})
}

func FuzzFeedback(f *testing.F) {
	recorder := twcc.NewRecorder(1)
	for i := range uint16(40) {
		recorder.Record(2, i*i, int64(i)*9000)
	}
	for _, p := range recorder.BuildFeedbackPacket() {
		raw, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := rate.NewEstimator(100_000)
		for i := range uint16(200) {
			e.Sent(i, 1000, time.Duration(i)*time.Millisecond)
		}
		calls := 0
		err := rate.ReadFeedback(raw, func(uint16, bool, time.Duration) { calls++ })
		if err != nil && calls > 0 {
			t.Fatal("a broken feedback was half read")
		}
		if (e.Feedback(raw, time.Second) == nil) != (err == nil) {
			t.Fatal("the estimator reads otherwise")
		}
		if n := e.Estimate(); n < rate.Least || n > rate.Most {
			t.Fatal(n)
		}
	})
}

// line is a simulated way to a receiver: a queue before a thin pipe, delay, random loss.
type line struct {
	bits  float64       // a second; 0 is without limit
	queue time.Duration // longest wait before packets are dropped
	delay time.Duration // one way
	loss  float64
	busy  time.Duration
	rand  *rand.Rand
}

// carry gives when a packet arrives.
func (l *line) carry(size int, now time.Duration) (time.Duration, bool) {
	l.busy = max(l.busy, now)
	if l.busy-now > l.queue {
		return 0, false
	}
	l.busy += time.Duration(float64((size+28)*8) / l.bits * float64(time.Second))
	return l.busy + l.delay, l.rand.Float64() >= l.loss
}

// visit sends sound and picture over a line, by the ladder, and hears feedback as a browser sends it.
type visit struct {
	line     *line
	e        *rate.Estimator
	ladder   *rate.Ladder
	sequence uint16
	recorder *twcc.Recorder
	flying   []arrival // on their way, in order of sending
	late     int       // sound packets that came too late or were dropped by the queue
	sounds   int
	probe    int
	until    time.Duration
	debt     float64
	forced   float64       // bit/s that are sent whatever is known
	stalled  time.Duration // until then who hears reads nothing, and from then on a few packets at a time
	clock    time.Duration // what who hears has on it at the beginning
	trickles bool          // while stalled it reads a packet now and then
	rungs    map[rate.Rung]time.Duration
}

type arrival struct {
	sequence uint16
	at       time.Duration
	feedback []byte
}

const tick = 5 * time.Millisecond

func newVisit(l *line) *visit {
	return &visit{line: l, e: rate.NewEstimator(150_000), ladder: rate.NewLadder(rate.Alone, rate.Low, 0), recorder: twcc.NewRecorder(1), clock: time.Minute, rungs: map[rate.Rung]time.Duration{}}
}

func (v *visit) send(size int, now time.Duration, sound bool) {
	v.e.Sent(v.sequence, size, now)
	at, ok := v.line.carry(size, now)
	if ok {
		v.flying = append(v.flying, arrival{sequence: v.sequence, at: at})
	}
	if sound {
		v.sounds++
		if at == 0 || at-now > v.line.delay+400*time.Millisecond {
			v.late++
		}
	}
	v.sequence++
}

// lands lets the packet just sent arrive, and its feedback 200 ms later.
func (v *visit) lands(t testing.TB, at time.Duration) {
	v.recorder.Record(2, v.sequence, (at + v.clock).Microseconds())
	v.sequence++
	for _, p := range v.recorder.BuildFeedbackPacket() {
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.e.Feedback(raw, at+200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// run plays d. What is sent: 60 ms packets of sound, and pictures that take 85 % of their rung's need.
func (v *visit) run(t testing.TB, from, d time.Duration) {
	rung := v.ladder.Rung()
	var returning []arrival
	for now := from; now < from+d; now += tick {
		v.rungs[rung] += tick
		if rung > rate.Text && now%(60*time.Millisecond) == 0 {
			v.send(150, now, true)
		}
		bits := 0.0
		if rung > rate.Sound {
			bits = 0.85 * float64(rate.Alone[rung]-rate.Alone[rate.Sound])
		}
		if now < v.until {
			bits = max(bits, float64(v.probe))
		}
		bits = max(bits, v.forced)
		v.debt = min(v.debt+bits*tick.Seconds()/8, 6000)
		for v.debt >= 1000 {
			v.debt -= 1000
			v.send(1000, now, false)
		}
		kept, read := v.flying[:0], 0
		for _, a := range v.flying {
			most := 4
			if now < v.stalled {
				most = 0
				if v.trickles && now%(100*time.Millisecond) == 0 {
					most = 1
				}
			}
			if a.at <= now && read < most {
				read++
				if v.stalled > 0 {
					a.at = now
				}
				v.recorder.Record(2, a.sequence, (a.at + v.clock).Microseconds())
			} else {
				kept = append(kept, a)
			}
		}
		v.flying = kept
		if now%(100*time.Millisecond) == 0 && (v.trickles || now >= v.stalled) {
			for _, p := range v.recorder.BuildFeedbackPacket() {
				raw, err := p.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				returning = append(returning, arrival{at: now + v.line.delay, feedback: raw})
			}
		}
		if now%time.Second == 0 {
			v.e.Tick(now)
			rung = v.ladder.Step(v.e.Line(), now)
		}
		for len(returning) > 0 && returning[0].at <= now {
			if err := v.e.Feedback(returning[0].feedback, now); err != nil {
				t.Fatal(err)
			}
			returning = returning[1:]
			rung = v.ladder.Step(v.e.Line(), now)
			if bits, wanted := v.ladder.Probe(v.e.Line(), now); wanted {
				v.e.Probe(bits, rate.ProbeTime, now)
				v.probe, v.until = bits, now+rate.ProbeTime
			}
		}
	}
}

func TestVisitsOnSimulatedLines(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name        string
		line        line
		least, most rate.Rung // where it stands most of the time once it knows the line
	}{
		{"3 Mbit/s, 20 ms", line{bits: 3e6, delay: 20e6, queue: 300e6}, rate.High, rate.High},
		{"700 kbit/s, 40 ms", line{bits: 7e5, delay: 40e6, queue: 300e6}, rate.Medium, rate.Medium},
		{"200 kbit/s, 100 ms", line{bits: 2e5, delay: 100e6, queue: 500e6}, rate.Low, rate.Low},
		{"64 kbit/s", line{bits: 64e3, delay: 50e6, queue: 500e6}, rate.Stills, rate.Stills},
		{"64 kbit/s, 400 ms", line{bits: 64e3, delay: 400e6, queue: 1000e6}, rate.Stills, rate.Stills},
		{"64 kbit/s, 10 % loss", line{bits: 64e3, delay: 100e6, queue: 500e6, loss: 0.1}, rate.Sound, rate.Stills},
		{"32 kbit/s", line{bits: 32e3, delay: 50e6, queue: 500e6}, rate.Sound, rate.Sound},
		{"32 kbit/s, 400 ms, 20 % loss", line{bits: 32e3, delay: 400e6, queue: 1000e6, loss: 0.2}, rate.Sound, rate.Sound},
		{"1 Mbit/s, 5 % loss", line{bits: 1e6, delay: 50e6, queue: 300e6, loss: 0.05}, rate.Medium, rate.Medium},
		{"1 Mbit/s, 10 % loss", line{bits: 1e6, delay: 50e6, queue: 300e6, loss: 0.1}, rate.Low, rate.Medium},
		{"1 Mbit/s, 20 % loss, 400 ms", line{bits: 1e6, delay: 400e6, queue: 500e6, loss: 0.2}, rate.Low, rate.Medium},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				c.line.rand, c.line.busy = rand.New(rand.NewPCG(seed, 11)), 0
				v := newVisit(&c.line)
				v.run(t, 0, 30*second)
				clear(v.rungs)
				v.late, v.sounds = 0, 0
				v.run(t, 30*second, 120*second)
				var within time.Duration
				for r := c.least; r <= c.most; r++ {
					within += v.rungs[r]
				}
				late := float64(v.late) / float64(max(1, v.sounds))
				text := fmt.Sprintf("rungs %v, sound late or dropped %.1f %%, estimate %d", v.rungs, 100*late, v.e.Estimate())
				t.Log(text)
				if within < 96*second { // 80 % of the time
					t.Error("stands elsewhere: ", text)
				}
				if late > 0.03 {
					t.Error("sound pays for picture: ", text)
				}
			}
		})
	}
}

func TestALineThatGetsThinnerAndWiderAgain(t *testing.T) {
	const second = time.Second
	l := line{bits: 3e6, delay: 40e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))}
	v := newVisit(&l)
	v.run(t, 0, 30*second)
	if r := v.ladder.Rung(); r != rate.High {
		t.Fatalf("before: %v", r)
	}
	l.bits = 64e3
	v.run(t, 30*second, 5*second)
	if r := v.ladder.Rung(); r > rate.Stills {
		t.Fatalf("5 s on 64 kbit/s: %v", r)
	}
	clear(v.rungs)
	v.late, v.sounds = 0, 0
	v.run(t, 35*second, 60*second)
	if v.rungs[rate.Sound]+v.rungs[rate.Stills] < 55*second || v.late > v.sounds/30 {
		t.Fatalf("on 64 kbit/s: %v, %d of %d sound packets late", v.rungs, v.late, v.sounds)
	}
	l.bits = 3e6
	v.run(t, 95*second, 90*second)
	if r := v.ladder.Rung(); r < rate.Medium {
		t.Fatalf("90 s after the line recovered: %v", r)
	}
}

// Sound is sent whatever the line carries, until its speaker knows: meanwhile the loss is not taken for the line's own, and the
// estimate stays at what gets through.
func TestALineThatIsOverfullForAWhile(t *testing.T) {
	const second = time.Second
	l := line{bits: 64e3, delay: 200e6, queue: 600e6, loss: 0.05, rand: rand.New(rand.NewPCG(1, 1))}
	v := newVisit(&l)
	v.e = rate.NewEstimator(1_000_000)
	v.forced = 130_000
	v.run(t, 0, 10*second)
	if n := v.e.Estimate(); n < 35_000 || n > 64_000 {
		t.Errorf("overfull twice over: estimate %d", n)
	}
	v.forced = 0
	v.run(t, 10*second, 5*second)
	if n := v.e.Estimate(); n < 32_000 || n > 70_000 {
		t.Errorf("a moment later: estimate %d", n)
	}
	v.run(t, 15*second, 15*second)
	clear(v.rungs)
	v.late, v.sounds = 0, 0
	v.run(t, 30*second, 60*second)
	if all, ours := v.e.Loss(); all > 0.15 || ours > 0.1 {
		t.Errorf("loss %.2f, %.2f of it ours", all, ours)
	}
	if v.late > v.sounds/33 {
		t.Errorf("%d of %d of sound late, rungs %v", v.late, v.sounds, v.rungs)
	}
}

// On the thinnest lines one packet in three is told of, with the size of all three: what arrives is counted over so long that this
// is no burst.
func TestAFewLargePacketsAreNoBurst(t *testing.T) {
	v := newVisit(&line{bits: 32e3, delay: 200e6, queue: 600e6, rand: rand.New(rand.NewPCG(1, 1))})
	v.e = rate.NewEstimator(30_000)
	const each, size = 360 * time.Millisecond, 1000 // with UDP's headers 22.8 kbit/s
	for at := time.Duration(0); at < 60*time.Second; at += each {
		v.e.Sent(v.sequence, size, at)
		arrives, _ := v.line.carry(size, at)
		v.lands(t, arrives)
		if n := v.e.Received(); at > 3*time.Second && (n < 20_000 || n > 26_000) {
			t.Fatalf("after %v: %d bit/s", at, n)
		}
	}
	if n := v.e.Estimate(); n < 22_000 || n > 60_000 {
		t.Errorf("estimate %d", n)
	}
}

func TestALineThatSaysNothing(t *testing.T) {
	l := line{bits: 3e6, delay: 40e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))}
	v := newVisit(&l)
	v.run(t, 0, 20*time.Second)
	before := v.e.Estimate()
	l.loss = 1
	v.run(t, 20*time.Second, 10*time.Second)
	if now := v.e.Estimate(); now > before/50 || v.ladder.Rung() > rate.Sound {
		t.Fatalf("estimate %d of %d, rung %v", now, before, v.ladder.Rung())
	}
}

// An old phone that is busy with itself reads nothing for a moment, and then all that has come.
func TestWhoStallsHasNoThinLine(t *testing.T) {
	for _, until := range []time.Duration{300, 400, 500, 700} {
		v := newVisit(&line{bits: 3e6, delay: 20e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))})
		const begin = 20*time.Second + tick // all before has been told of
		v.run(t, 0, begin)
		clear(v.rungs)
		v.stalled = 20*time.Second + until*time.Millisecond - tick // a few packets later it says what has arrived
		v.run(t, begin, 5*time.Second)
		if v.rungs[rate.High] < 5*time.Second {
			t.Errorf("stalled for %v: estimate %d, rungs %v", v.stalled-begin, v.e.Estimate(), v.rungs)
		}
	}
}

// The receiver's clock has run since its machine was switched on: after half of its 12 days the reference counts as negative.
func TestAMachineThatIsOnForDays(t *testing.T) {
	const unit = 64 * time.Millisecond
	for _, on := range []time.Duration{unit<<23 - 20*time.Second, 8 * 24 * time.Hour, unit<<24 - 20*time.Second, 40 * 24 * time.Hour} {
		v := newVisit(&line{bits: 3e6, delay: 40e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))})
		v.clock = on
		v.run(t, 0, 30*time.Second)
		clear(v.rungs)
		v.run(t, 30*time.Second, 10*time.Second)
		if v.rungs[rate.High] < 10*time.Second || v.e.Received() < 900_000 {
			t.Errorf("on for %v: estimate %d, received %d, rungs %v", on, v.e.Estimate(), v.e.Received(), v.rungs)
		}
	}
}

// One that is too busy for pictures goes on reading a packet now and then, and tells of it: the picture may get smaller, but stays.
func TestWhoIsBusyHasNoThread(t *testing.T) {
	for _, until := range []time.Duration{300, 400, 500} {
		v := newVisit(&line{bits: 3e6, delay: 20e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))})
		v.run(t, 0, 20*time.Second)
		clear(v.rungs)
		v.trickles, v.stalled = true, 20*time.Second+until*time.Millisecond
		v.run(t, 20*time.Second, 10*time.Second)
		if v.rungs[rate.High]+v.rungs[rate.Medium]+v.rungs[rate.Low] < 10*time.Second {
			t.Errorf("busy for %v: estimate %d, rungs %v", until*time.Millisecond, v.e.Estimate(), v.rungs)
		}
	}
}

// Sound is often told of before the picture that was sent before it: that is in the next feedback, and counts as arrived.
func TestWhatIsOvertakenIsNotLost(t *testing.T) {
	e, recorder := rate.NewEstimator(1_000_000), twcc.NewRecorder(1)
	const together, each = 10, 10 * time.Millisecond
	tell := func(sequence uint16) {
		recorder.Record(2, sequence, (time.Minute + time.Duration(sequence)*each).Microseconds())
	}
	for n := uint16(0); n < 1000; n += together {
		for i := range uint16(together) {
			e.Sent(n+i, 1000, time.Duration(n+i)*each)
		}
		for i := range uint16(together - 2) {
			if n > 0 {
				tell(n - together + 1 + i)
			}
		}
		tell(n)
		tell(n + together - 1)
		for _, p := range recorder.BuildFeedbackPacket() {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Feedback(raw, time.Duration(n+together)*each+50*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all, ours := e.Loss(); all > 0.08 || ours > 0 {
		t.Errorf("loss %.2f, %.2f of it ours", all, ours)
	}
}

// Who is busy reads a moment's sound, and all of its picture later: whenever a window of loss ends, none of it is lost, neither of the
// first packets of all.
func TestWhoReadsThePictureLaterHasLostNothing(t *testing.T) {
	const round, each = 50, 2 * time.Millisecond // packets a feedback
	for offset := range 10 {
		e, recorder := rate.NewEstimator(1_000_000), twcc.NewRecorder(1)
		begin := time.Hour + time.Duration(offset)*25*time.Millisecond
		at := func(n int) time.Duration { return begin + time.Duration(n)*each }
		worst := 0.0
		for n := 0; n < 60*round; n += round {
			for i := n; i < n+round; i++ {
				e.Sent(uint16(i), 1000, at(i))
			}
			for i := max(0, n-round); i < n+round; i++ { // two of three of the last round were not read yet
				if sound := i%3 == 0; sound == (i >= n) {
					recorder.Record(2, uint16(i), at(n+round).Microseconds())
				}
			}
			for _, p := range recorder.BuildFeedbackPacket() {
				raw, err := p.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Feedback(raw, at(n+round)+time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			all, _ := e.Loss()
			worst = max(worst, all)
		}
		if worst > 0 || e.Line().Judged < 5 {
			t.Errorf("loss %.2f at worst, judged %d times", worst, e.Line().Judged)
		}
	}
}

// A picture that is gone leaves few packets to judge by: what was lost with it is no reason for the next step.
func TestOneLossIsAReasonForOneStep(t *testing.T) {
	l := rate.NewLadder(rate.Alone, rate.Low, 0)
	line := rate.Line{Estimate: 1_000_000, Loss: 0.3, Judged: 1}
	for now := time.Second; now < 4*time.Second; now += 100 * time.Millisecond {
		if r := l.Step(line, now); r != rate.Stills {
			t.Fatalf("%v after %v", r, now)
		}
	}
	line.Judged++
	if r := l.Step(line, 4*time.Second); r != rate.Sound {
		t.Fatalf("lost again, and %v", r)
	}
}

// Who is silent sends a packet now and then: none of them is late, and the line is as good as it was.
func TestAPauseIsNoSilenceOfTheLine(t *testing.T) {
	l := line{bits: 3e6, delay: 200e6, queue: 400e6, rand: rand.New(rand.NewPCG(1, 1))}
	v := newVisit(&l)
	v.run(t, 0, 20*time.Second)
	before := v.e.Estimate()
	for at := 20 * time.Second; at < 60*time.Second; at += 1300 * time.Millisecond {
		v.e.Sent(v.sequence, 100, at)
		v.e.Tick(at + 100*time.Millisecond) // before it can have been answered
		v.lands(t, at+200*time.Millisecond)
		v.e.Tick(at + 1100*time.Millisecond)
	}
	if now := v.e.Estimate(); now < before*9/10 {
		t.Errorf("estimate %d, before the pause %d", now, before)
	}
}

func TestReceiversWithoutTransportWideFeedback(t *testing.T) {
	e := rate.NewEstimator(500_000)
	for range 60 {
		e.Report(0, 50*time.Millisecond)
	}
	grown := e.Estimate()
	if grown < 1_000_000 || e.RTT() != 50*time.Millisecond {
		t.Fatalf("without loss the estimate became %d, round trip %v", grown, e.RTT())
	}
	for range 5 {
		e.Report(0.4, 50*time.Millisecond)
	}
	if e.Estimate() > grown*3/4 {
		t.Fatalf("with 40 %% loss it became %d", e.Estimate())
	}
	e.REMB(123_000)
	if e.Estimate() != 123_000 {
		t.Fatalf("the receiver said 123000, the estimate is %d", e.Estimate())
	}
}

// steps draws a history of what a line might say.
func steps(t *rapid.T) []rate.Line {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rate.Line {
		return rate.Line{
			Estimate: rapid.IntRange(0, 3_000_000).Draw(t, "estimate"), Limited: rapid.Bool().Draw(t, "limited"),
			Loss: rapid.Float64Range(0, 0.5).Draw(t, "loss") * float64(rapid.IntRange(0, 1).Draw(t, "lossy")), Judged: rapid.IntRange(0, 9).Draw(t, "judged"),
		}
	}), 1, 200).Draw(t, "line")
}

func TestTheLadder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rate.NewLadder(rate.Alone, rate.Low, 0), rate.NewLadder(rate.Alone, rate.Low, 0)
		var now time.Duration
		before, top := rate.Low, rate.High
		for _, line := range steps(t) {
			now += time.Duration(rapid.IntRange(20, 3000).Draw(t, "later")) * time.Millisecond
			if rapid.IntRange(0, 20).Draw(t, "fix") == 0 {
				top = rate.Rung(rapid.IntRange(int(rate.Sound), int(rate.High)).Draw(t, "top"))
				a.Fix(top)
				b.Fix(top)
			}
			less := line
			less.Estimate = rapid.IntRange(0, line.Estimate).Draw(t, "less")
			copied := *b
			lower := copied.Step(less, now)
			b.Step(line, now)
			r := a.Step(line, now)
			switch {
			case lower > r:
				t.Fatalf("%v on %d, but %v on %d", r, line.Estimate, lower, less.Estimate)
			case r > top:
				t.Fatalf("%v above the %v that the person wants", r, top)
			case r > rate.Sound && rate.Alone[r] > line.Estimate:
				t.Fatalf("%v needs %d, the line carries %d", r, rate.Alone[r], line.Estimate)
			case r > before+1:
				t.Fatalf("from %v to %v at once", before, r)
			}
			if bits, wanted := a.Probe(line, now); wanted && (r >= top || bits < rate.Alone[r+1] || !line.Limited) {
				t.Fatalf("a probe of %d on %v", bits, r)
			}
			b.Probe(line, now)
			before = r
		}
	})
}

func TestSteppingUpNeedsEvidenceAndMoreOfItAfterAMistake(t *testing.T) {
	l := rate.NewLadder(rate.Alone, rate.Low, 0)
	climb := func(from time.Duration) time.Duration {
		for now := from; now < from+5*time.Minute; now += 100 * time.Millisecond {
			if l.Step(rate.Line{Estimate: 600_000}, now) == rate.Medium {
				return now
			}
		}
		t.Fatal("never climbed")
		return 0
	}
	now := climb(0)
	if now < 2*time.Second {
		t.Fatalf("climbed after %v", now)
	}
	waited := now
	for range 3 {
		now += time.Second
		if r := l.Step(rate.Line{Estimate: 110_000}, now); r != rate.Low {
			t.Fatalf("%v on 110 kbit/s", r)
		}
		at := climb(now)
		if at-now < 2*waited-200*time.Millisecond {
			t.Fatalf("climbed again after %v, before it was %v", at-now, waited)
		}
		waited, now = at-now, at
	}
}

func TestNeedsOfSeveralPictures(t *testing.T) {
	picture := rate.Needs{rate.Stills: 10, rate.Low: 60, rate.Medium: 350, rate.High: 1000}
	n := rate.Total(40, rate.Track{Bits: picture, Top: rate.High}, rate.Track{Bits: picture, Top: rate.Low})
	if want := (rate.Needs{rate.Sound: 40, rate.Stills: 60, rate.Low: 160, rate.Medium: 450, rate.High: 1100}); n != want {
		t.Fatalf("%v, want %v", n, want)
	}
	if n.Fit(450) != rate.Medium || n.Fit(39) != rate.Text {
		t.Fatal("fit")
	}
}

func BenchmarkFeedback(b *testing.B) {
	recorder := twcc.NewRecorder(1)
	for i := range uint16(20) {
		recorder.Record(2, i, int64(time.Minute.Microseconds())+int64(i)*5000)
	}
	raw, err := recorder.BuildFeedbackPacket()[0].Marshal()
	if err != nil {
		b.Fatal(err)
	}
	e := rate.NewEstimator(1_000_000)
	b.ReportAllocs()
	var now time.Duration
	for b.Loop() {
		for i := range uint16(20) {
			now += 5 * time.Millisecond
			e.Sent(i, 1000, now)
		}
		if err := e.Feedback(raw, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20, "ns/packet")
}
