package rate

import "time"

// Rung is what a receiver gets of a visit. More is higher.
type Rung uint8

// The rungs. Each has all sound and text of those below.
const (
	Text   Rung = iota // words, and the telephone number to call
	Sound              // no picture
	Stills             // a still picture every few seconds, by data channel
	Low                // 180p, few frames
	Medium             // 360p
	High               // 720p
)

var rungNames = [...]string{"text", "sound", "stills", "low", "medium", "high"}

func (r Rung) String() string {
	if int(r) < len(rungNames) {
		return rungNames[r]
	}
	return "unknown"
}

// Needs is what each rung takes in bit/s, sound and all headers included. They never fall with the rung.
type Needs [High + 1]int

// Alone are the needs of a visit of two. Sound: Opus at 16 kbit/s in packets of 60 ms with 60 bytes of headers. Stills: 6 kB every
// 5 s. Pictures: what browsers send at 5, 15 and 30 frames a second, with retransmissions.
var Alone = Needs{Text: 0, Sound: 24_000, Stills: 36_000, Low: 100_000, Medium: 400_000, High: 1_200_000}

// Track is one picture among several: what it takes on each rung, and the highest its place on the screen has use for.
type Track struct {
	Bits Needs
	Top  Rung
}

// Total adds up the needs of several pictures beside the sound of all.
func Total(sound int, tracks ...Track) Needs {
	var n Needs
	for r := Sound; r <= High; r++ {
		n[r] = sound
		for _, t := range tracks {
			n[r] += t.Bits[min(r, t.Top)]
		}
		n[r] = max(n[r], n[r-1])
	}
	return n
}

// Fit is the highest rung that an estimate carries.
func (n *Needs) Fit(estimate int) Rung {
	r := Text
	for r < High && n[r+1] <= estimate {
		r++
	}
	return r
}

const (
	// silence is how long sound must not get through before there is only text: a moment's gap is bridged better by waiting. It
	// does not get through on half of its need, or when a third is lost.
	silence = 5 * time.Second
	deaf    = 0.33
	// A step up must have been possible for so long; a step that had to be taken back doubles it.
	firstWait = 2 * time.Second
	lastWait  = time.Minute
	// A step that had to be taken back within trial was a mistake; one that stood so long was none.
	trial = 15 * time.Second
	// room is how much more than its need a line must carry before a rung is climbed to.
	room = 1.15
	// spoilt is the loss that our own sending causes from which on sound suffers.
	spoilt = 0.12
	// lossPause lets a step down show its effect.
	lossPause = time.Second
	// ProbeTime is how long a probe lasts: several feedbacks of 50 ms.
	ProbeTime = 250 * time.Millisecond
)

// Line is what is known of a receiver's line at a moment.
type Line struct {
	Estimate int     // bit/s
	Loss     float64 // share of packets lost by our own sending (Estimator.Loss)
	Judged   int     // how often that was found out
	Limited  bool    // the estimate is low because little is sent (Estimator.Limited)
}

// Ladder decides on which rung a receiver stands. It steps down at once, as far as it must; it steps up one rung at a time
// and only on evidence. Sound never pays for picture: no rung above Sound outlasts an estimate below its need.
type Ladder struct {
	needs Needs
	top   Rung // fixed by the person: nothing above

	rung     Rung
	since    time.Duration // of the rung
	enough   time.Duration // since when the next rung has had room
	ample    bool          // enough counts
	thin     time.Duration // since when not even sound gets through
	starved  bool          // thin counts
	wait     time.Duration
	climbed  time.Duration // the last step up
	onTrial  bool          // climbed was not long ago
	probed   time.Duration
	probing  bool // a probe has not led to a step yet
	lossStep time.Duration
	judged   int // the judgement of loss that was heeded last
}

// NewLadder starts on a rung: Low is a good first guess, for it shows a face within the first second.
func NewLadder(needs Needs, start Rung, now time.Duration) *Ladder {
	return &Ladder{needs: needs, top: High, rung: start, since: now, wait: firstWait, probed: now, lossStep: now}
}

// Rung is where the receiver stands.
func (l *Ladder) Rung() Rung { return l.rung }

// Fix sets the highest rung that the person wants ("nothing but sound"). Step heeds it.
func (l *Ladder) Fix(top Rung) { l.top = top }

// Need sets the needs anew, when tracks come, go or change their size.
func (l *Ladder) Need(n Needs) { l.needs = n }

// Step takes what is known now and says where the receiver stands. Call it with every feedback, and at least every second.
func (l *Ladder) Step(line Line, now time.Duration) Rung {
	if l.onTrial && now-l.climbed > trial {
		l.onTrial, l.wait = false, firstWait
	}
	fit := min(max(l.needs.Fit(line.Estimate), Sound), l.top)
	if l.mute(line, now) {
		fit = Text
	}
	switch {
	case fit < l.rung:
		l.down(fit, now)
	case line.Loss > spoilt && l.rung > Sound:
		if line.Judged != l.judged && now-l.lossStep >= lossPause { // one judgement is a reason for one step
			l.lossStep, l.judged = now, line.Judged
			l.down(l.rung-1, now)
		}
		l.ample = false
	default:
		l.up(line, now)
	}
	return l.rung
}

// mute says that not even sound gets through, and has not for a while.
func (l *Ladder) mute(line Line, now time.Duration) bool {
	if l.rung == Text || 2*line.Estimate >= l.needs[Sound] && line.Loss < deaf {
		l.starved = false
		return false
	}
	if !l.starved {
		l.starved, l.thin = true, now
	}
	return now-l.thin >= silence
}

func (l *Ladder) down(to Rung, now time.Duration) {
	if l.onTrial {
		l.wait = min(2*l.wait, lastWait)
		l.onTrial = false
	}
	l.rung, l.since, l.ample, l.probing = to, now, false, false
	l.probed = now
}

func (l *Ladder) up(line Line, now time.Duration) {
	// From text there is nothing to go by: sound is tried again after a while.
	blind := l.rung == Text && now-l.since >= l.wait
	if l.rung >= l.top || !blind && float64(line.Estimate) < room*float64(l.needs[l.rung+1]) {
		l.ample = false
		return
	}
	if !l.ample {
		l.ample, l.enough = true, now
	}
	// A probe that showed room is evidence of its own; without one, time is.
	if now-l.enough < l.wait && !l.probing && !blind {
		return
	}
	l.rung++
	l.since, l.climbed, l.onTrial, l.ample, l.probing = now, now, true, false, false
}

// Probe says whether padding should be sent now, for ProbeTime and up to a rate, to learn whether the next rung has room: when
// the estimate is only low because little is sent.
func (l *Ladder) Probe(line Line, now time.Duration) (bits int, wanted bool) {
	if l.rung >= l.top || !line.Limited || now-l.since < l.wait || now-l.probed < l.wait {
		return 0, false
	}
	if need := room * float64(l.needs[l.rung+1]); float64(line.Estimate) < need {
		if l.probing {
			l.wait = min(2*l.wait, lastWait) // the one before showed nothing
		}
		l.probed, l.probing = now, true
		return int(1.1 * need), true
	}
	return 0, false
}
