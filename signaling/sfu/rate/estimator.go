package rate

import (
	"math"
	"time"
)

// Bounds of every estimate in bit/s.
const (
	Least = 10_000
	Most  = 20_000_000
)

const (
	// What is in flight is remembered until a line that is badly overfull has let it through, as far as that is not more than
	// history packets: 1 s at 10 Mbit/s.
	history, historyLeast = 1024, 64
	remembered            = 10 * time.Second

	burst       = 5 * time.Millisecond // packets sent within it are one group
	rateWindow  = 50 * time.Millisecond
	rateWindows = 10
	// What arrives is counted over rateWindows, or, while that is fewer than rateCount packets, over at most rateWindowsMost.
	rateCount, rateWindowsMost = 8, 60

	// A window of loss has many packets, or on a line with sound alone at least a few; the first one, which says with how much repeating to
	// begin, does not wait for them. It is judged when what was overtaken in it has been told of: who hears and is busy reads the sound of
	// a moment first and the picture with the next feedback but one.
	lossWindow     = 700 * time.Millisecond
	lossWindowLong = 3 * time.Second
	overtaken      = 300 * time.Millisecond
	fewPackets     = 50
	leastPackets   = 10
	mostNatural    = 0.3 // a line that loses more by itself carries no visit

	// Nothing for so many windows, after a stream of so many packets in rateWindows, is a moment in which who hears was busy with
	// itself, or its radio changed cells: a line that is too thin lets what it carries through all the time.
	stallWindows, stream = 4, 20

	// standing is a queue that no line with room has, whatever its trend: full from the first packet on, it does not grow.
	// Of one that grows, something is there: the trend of a few packets is often chance.
	standing, growing = 250 * time.Millisecond, 15 * time.Millisecond
	// A way without a queue is remembered for one to two of these; one that seems so much longer is another way, or clock.
	leastWay = 30 * time.Second
	otherWay = 10 * time.Second

	// oneMore is how much more than arrives is tried at least: a sound, or once more the frames of one.
	oneMore = 20_000
	// soundAlone: below it nothing but sound is sent, whatever the estimate; how much of it arrives is known.
	soundAlone = 40_000

	// wide is a line that does not become a thread from one feedback to the next: it takes a few. Who hears and was busy tells of the
	// first few packets then, and of the rest in the next.
	wide = 500_000

	// silentAfter a round trip and this without feedback, the line is taken to be stuck.
	silentAfter = 500 * time.Millisecond
)

// Estimator estimates what the line to one receiver carries, in the manner of draft-ietf-rmcat-gcc-02: the trend of queueing
// delay and the loss each give a rate; the lower one holds. It goes beyond the draft in three things. A queue that stands is a full line like one that grows. Loss that does
// not become less when the rate does is the line's own and no reason to send less still. And what is sent is often less than the
// line carries, so the rate is raised by probes (Probe), not by hope.
type Estimator struct {
	sent  []record // ring by sequence number
	clock clock
	trend trend
	way   way

	estimate float64 // of both
	delay    float64 // by delay
	lossy    float64 // by loss
	ceiling  float64 // by the receiver (REMB), 0 when it said none
	changed  time.Duration
	reduced  time.Duration // when delay last made it less
	capacity float64       // what arrived when the line was last full, 0 while unknown
	hold     bool          // the line is, or was a moment ago, full

	open     bool          // a packet has left since the newest feedback
	since    time.Duration // when the first of them did, or the last time silence was punished
	received [rateWindowsMost]window
	rtt      time.Duration
	lost     losses
	probe    probe
}

type record struct {
	at       time.Duration
	size     uint16
	sequence uint16
	used     bool  // nothing has told of its arrival
	missed   uint8 // the window of loss in which it was told of as lost; 0 none
}

// clock makes one time of a receiver's, whose 24 bits of 64 ms begin anywhere and wrap every 12 days: it begins after some hours, so that
// nothing arrives before its beginning.
type clock struct {
	raw, now time.Duration
	known    bool
}

func (c *clock) read(raw time.Duration) time.Duration {
	const round, half = referenceUnit << 24, referenceUnit << 23
	if !c.known {
		*c = clock{raw: raw, now: 10 * time.Hour, known: true}
	}
	later := (raw - c.raw) % round
	switch {
	case later >= half:
		later -= round
	case later < -half:
		later += round
	}
	c.raw, c.now = raw, c.now+later
	return c.now
}

// way is how long packets take: the clocks differ by what nobody knows, so only differences count.
type way struct {
	least  [2]time.Duration // in this span and the one before
	since  time.Duration
	queued time.Duration // how much longer than that the quickest packet of the last feedback took
	known  bool
}

func (w *way) add(took, now time.Duration) {
	switch {
	case !w.known || took-min(w.least[0], w.least[1]) > otherWay:
		*w = way{least: [2]time.Duration{took, took}, since: now, known: true}
	case now-w.since > leastWay:
		w.least, w.since = [2]time.Duration{took, w.least[0]}, now
	default:
		w.least[0] = min(w.least[0], took)
	}
	w.queued = took - min(w.least[0], w.least[1])
}

type window struct {
	index   int64
	packets int
	bytes   int
}

type probe struct {
	from, to time.Duration // of sending
	bits     float64
	bytes    int
	first    time.Duration // arrival
	last     time.Duration
	on       bool
}

// NewEstimator begins with an assumption in bit/s.
func NewEstimator(start int) *Estimator {
	s := float64(start)
	return &Estimator{sent: make([]record, historyLeast), trend: newTrend(), estimate: s, delay: s, lossy: Most}
}

// Estimate is what may be sent, in bit/s with all headers.
func (e *Estimator) Estimate() int { return int(e.estimate) }

// RTT is the smoothed round trip; 0 while unknown.
func (e *Estimator) RTT() time.Duration { return e.rtt }

// Loss is the share of packets that do not arrive: all of them, and those that sending less would save.
func (e *Estimator) Loss() (all, ours float64) {
	return e.lost.share, e.lost.ours()
}

// Line is what the ladder is to know of the line.
func (e *Estimator) Line() Line {
	return Line{Estimate: e.Estimate(), Loss: e.lost.ours(), Judged: e.lost.judged, Limited: e.Limited()}
}

// Received is what arrives, in bit/s.
func (e *Estimator) Received() int {
	newest := e.newest()
	// The size of a packet stands for the time before it, so the first one only starts the watch.
	packets, bytes, oldest, first := 0, 0, newest, 0
	for i := newest; i > newest-rateWindowsMost && (i > newest-rateWindows || packets < rateCount); i-- {
		if w := e.window(i); w.index == i && w.packets > 0 {
			packets += w.packets
			bytes += w.bytes
			oldest, first = i, w.bytes
		}
	}
	span := rateWindows * rateWindow
	if oldest < newest {
		bytes, span = bytes-first, time.Duration(newest-oldest)*rateWindow
	}
	return int(float64(bytes*8) / span.Seconds())
}

// stalled says that arrivals have only just begun again: how many there are says nothing of the line yet.
func (e *Estimator) stalled() bool {
	newest := e.newest()
	last := newest
	for i := newest - 1; i > newest-rateWindowsMost && last > newest-rateWindows; i-- {
		if w := e.window(i); w.index != i || w.packets == 0 {
			continue
		}
		if last-i > stallWindows {
			before := 0
			for n := i; n > i-rateWindows && n > newest-rateWindowsMost; n-- {
				if w := e.window(n); w.index == n {
					before += w.packets
				}
			}
			return before >= stream
		}
		last = i
	}
	return false
}

// newest is the last window in which something arrived.
func (e *Estimator) newest() (index int64) {
	for _, w := range e.received {
		index = max(index, w.index)
	}
	return index
}

// window is where the arrivals of that time are counted.
func (e *Estimator) window(index int64) *window {
	return &e.received[((index%rateWindowsMost)+rateWindowsMost)%rateWindowsMost]
}

// Full says that a queue stands or grows, or did a moment ago.
func (e *Estimator) Full() bool { return e.hold }

// Limited says that the estimate is held down by how little is sent, not by the line.
func (e *Estimator) Limited() bool {
	return !e.hold && float64(e.Received())*1.2 < e.estimate
}

// Sent notes a packet that leaves with a transport-wide sequence number; size is with all headers.
func (e *Estimator) Sent(sequence uint16, size int, now time.Duration) {
	if r := e.record(sequence); r.used && now-r.at < remembered && len(e.sent) < history {
		e.grow()
	}
	*e.record(sequence) = record{at: now, size: uint16(min(size, 1<<16-1)), sequence: sequence, used: true}
	if !e.open {
		e.open, e.since = true, now
	}
}

// record is where a packet is remembered.
func (e *Estimator) record(sequence uint16) *record { return &e.sent[int(sequence)%len(e.sent)] }

// grow makes room for twice as many packets.
func (e *Estimator) grow() {
	old := e.sent
	e.sent = make([]record, 2*len(old))
	for _, r := range old {
		if r.used {
			*e.record(r.sequence) = r
		}
	}
}

// Tick is called about every second: without feedback although packets leave, the line is stuck, and less must be
// sent into it.
func (e *Estimator) Tick(now time.Duration) {
	if e.rtt > 0 && e.open && now-e.since > silentAfter+e.rtt {
		e.since = now
		e.delay = max(Least, min(e.delay, e.estimate)/2)
		e.settle()
	}
}

// Probe notes that from now on for d padding is sent to make up the rate, which the feedback will judge.
func (e *Estimator) Probe(bits int, d, now time.Duration) {
	e.probe = probe{from: now, to: now + d, bits: float64(bits), on: true}
}

// Feedback takes a transport-wide feedback as it came.
func (e *Estimator) Feedback(raw []byte, now time.Duration) error {
	var newest time.Duration
	took, over := time.Duration(math.MaxInt64), false
	err := ReadFeedback(raw, func(sequence uint16, received bool, arrival time.Duration) {
		r := e.record(sequence)
		if !r.used || r.sequence != sequence {
			return
		}
		if r.missed = e.lost.add(received, r.missed, now); !received {
			return // it may be told of again
		}
		r.used = false
		arrival = e.clock.read(arrival)
		newest, took = max(newest, r.at), min(took, arrival-r.at)
		e.arrived(int(r.size), arrival)
		e.probe.arrived(*r, arrival)
		e.trend.add(r.at, arrival)
		over = over || e.trend.state == overused
	})
	if err != nil {
		return err
	}
	if newest == 0 {
		return nil
	}
	e.smooth(now - newest)
	e.open = false
	e.way.add(took, now)
	over = e.way.queued > standing || over && e.way.queued > growing
	e.judgeDelay(over, now)
	if e.lost.judge(now) {
		e.applyLoss()
	}
	e.judgeProbe(newest, over, now)
	e.settle()
	return nil
}

func (e *Estimator) smooth(rtt time.Duration) {
	if e.rtt == 0 {
		e.rtt = rtt
	}
	e.rtt += (rtt - e.rtt) / 8
}

func (e *Estimator) arrived(size int, arrival time.Duration) {
	index := int64(arrival / rateWindow)
	w := e.window(index)
	if w.index != index {
		*w = window{index: index}
	}
	w.packets++
	w.bytes += size + UDPHeaders
}

// UDPHeaders are IP's and UDP's of a packet, in bytes, which the line carries too.
const UDPHeaders = 28

// Report takes the loss and round trip of a receiver report, for receivers without transport-wide feedback. Lost is the
// fraction since the last report, 0 to 1.
func (e *Estimator) Report(lost float64, rtt time.Duration) {
	if rtt > 0 {
		e.smooth(rtt)
	}
	if e.lossy >= Most {
		e.lossy = e.estimate
	}
	e.delay = Most // nothing is known of it
	e.lost.set(lost, fewPackets)
	e.applyLoss()
	e.settle()
}

// REMB takes the receiver's own estimate (draft-alvestrand-rmcat-remb-03); it holds until the next.
func (e *Estimator) REMB(bits int) {
	e.ceiling = float64(bits)
	e.settle()
}

func (e *Estimator) settle() {
	e.estimate = min(e.delay, e.lossy)
	if e.ceiling > 0 {
		e.estimate = min(e.estimate, e.ceiling)
	}
	e.estimate = min(max(e.estimate, Least), Most)
}

// judgeDelay is §5.5 of the draft: less at once when a queue grows, more while it does not.
func (e *Estimator) judgeDelay(over bool, now time.Duration) {
	dt := min(now-e.changed, time.Second).Seconds()
	e.changed = now
	arriving := float64(e.Received())
	switch {
	case over:
		if now-e.reduced < e.rtt && arriving > e.delay/2 {
			return
		}
		if e.hold = true; e.stalled() {
			return
		}
		e.capacity = arriving
		less := max(Least, min(0.85*arriving, max(e.delay, soundAlone)))
		if e.delay > wide {
			less = max(less, e.delay/2)
		}
		e.delay, e.reduced = less, now
	case e.trend.state == underused:
		e.hold = true // the queue drains: wait
	default:
		e.hold = false
		limit := 1.5*arriving + oneMore
		if e.delay >= limit {
			return
		}
		up := max(4000, e.delay*0.08) * dt
		if e.capacity > 0 && arriving > 0.7*e.capacity && arriving < 1.3*e.capacity {
			// Near the rate at which it was full: one packet more a response time, as careful as TCP.
			response := (e.rtt + 100*time.Millisecond).Seconds()
			up = max(4000, 1200*8/response*min(1, e.delay/300_000)) * dt
		}
		e.delay = min(max(e.delay+up, 0.85*arriving), limit)
	}
}

// losses counts in windows.
type losses struct {
	open    tally
	closed  tally // that waits to be judged
	turn    uint8 // of the open one, never 0 once it has begun
	judged  int   // windows
	share   float64
	natural float64 // the line's own
	doubt   float64 // of share, for it comes from few packets
}

type tally struct {
	since        time.Duration // it is open, or closed
	packets, bad int
}

// ours is the loss beyond the line's own, as far as it is more than chance.
func (l *losses) ours() float64 { return max(0, l.share-l.natural-l.doubt) }

// add counts a packet once, whatever is told of it at first: one that was missed, and in which window, may only have been overtaken.
// It gives in which window it is missed now.
func (l *losses) add(received bool, missed uint8, now time.Duration) uint8 {
	if l.turn == 0 {
		l.turn, l.open.since = 1, now
	}
	switch {
	case missed == 0:
		l.open.packets++
		if received {
			return 0
		}
		l.open.bad++
		return l.turn
	case !received:
		return missed
	case missed == l.turn:
		l.open.bad--
	case missed == turnBefore(l.turn) && l.closed.packets > 0:
		l.closed.bad--
	}
	return 0
}

func turnBefore(turn uint8) uint8 {
	if turn--; turn == 0 {
		turn--
	}
	return turn
}

// judge ends a window when it says enough, and says whether one was judged.
func (l *losses) judge(now time.Duration) (judged bool) {
	if w := l.closed; w.packets > 0 && now-w.since >= overtaken {
		l.set(float64(w.bad)/float64(w.packets), w.packets)
		l.closed = tally{}
		judged = true
	}
	age, long := now-l.open.since, lossWindowLong
	if l.judged == 0 {
		long = lossWindow
	}
	if l.closed.packets == 0 && age >= lossWindow && (l.open.packets >= fewPackets || age >= long && l.open.packets >= leastPackets) {
		l.closed, l.open = l.open, tally{since: now}
		l.closed.since = now
		if l.turn++; l.turn == 0 {
			l.turn++
		}
	}
	return judged
}

func (l *losses) set(share float64, packets int) {
	l.share, l.doubt = share, 1.5*math.Sqrt(share*(1-share)/float64(packets))
	l.judged++
}

// learn takes the loss for the line's own bit by bit while no queue grows; less of it is believed sooner. The rate falls faster than
// this learns, so what stays in spite of a lower rate was not caused by it.
func (l *losses) learn(quiet bool) {
	switch {
	case l.share < l.natural:
		l.natural += (l.share - l.natural) / 3
	case quiet:
		l.natural = min(l.natural+(l.share-l.natural)/5, mostNatural)
	}
}

// applyLoss is §6 of the draft, for the loss that is not the line's own.
func (e *Estimator) applyLoss() {
	ours := e.lost.ours()
	e.lost.learn(!e.hold && e.trend.state == normal && e.way.queued < standing/2)
	carried := 0.85 * float64(e.Received()) // whatever was lost, this was not
	switch {
	case ours > 0.10:
		e.lossy = max(Least, carried, min(e.lossy, e.estimate)*(1-0.5*ours))
	case ours < 0.02:
		e.lossy = min(max(e.lossy*1.05, carried, soundAlone), Most)
	default:
		e.lossy = min(e.lossy*1.01, Most)
	}
}

func (p *probe) arrived(r record, arrival time.Duration) {
	if !p.on || r.at < p.from || r.at > p.to {
		return
	}
	if p.bytes == 0 {
		p.first = arrival
	} else {
		p.bytes += int(r.size) + UDPHeaders
	}
	if p.bytes == 0 {
		p.bytes = 1 // the first packet only starts the watch
	}
	p.last = max(p.last, arrival)
}

// judgeProbe raises the estimate to what a probe showed to arrive.
func (e *Estimator) judgeProbe(newest time.Duration, over bool, now time.Duration) {
	p := &e.probe
	if !p.on || newest <= p.to && now < p.to+max(time.Second, 2*e.rtt) {
		return
	}
	p.on = false
	span := (p.last - p.first).Seconds()
	if over || p.bytes < 1000 || span <= 0 {
		return
	}
	shown := min(float64(p.bytes*8)/max(span, (p.to-p.from).Seconds()*0.5), p.bits)
	_, ours := e.Loss()
	if ours > 0.10 {
		return
	}
	e.delay = max(e.delay, 0.95*shown)
	e.lossy = max(e.lossy, 0.95*shown)
}

// usage is what the delay says of the line.
type usage uint8

const (
	normal usage = iota
	underused
	overused
)

const (
	trendPoints  = 20
	trendGain    = 4
	smoothing    = 0.9
	overTime     = 10 * time.Millisecond
	leastLimit   = 6.0
	mostLimit    = 600.0
	firstLimit   = 12.5
	limitUp      = 0.0087
	limitDown    = 0.039
	outlier      = 15.0
	mostSamples  = 60
	groupTimeout = time.Second // a silence after which the trend begins anew
)

// trend watches the one-way delay between groups of packets: a line that is fuller than it can be lets it grow. It fits a
// straight line through the last points and compares its slope with a limit that adapts (§5.3 and §5.4 of the draft,
// with a regression instead of the Kalman filter).
type trend struct {
	group, before group
	have          int // groups seen, up to 2

	points  [trendPoints]point
	count   int
	begin   time.Duration
	sum     float64 // ms of delay gathered
	smooth  float64
	limit   float64
	last    float64
	updated time.Duration
	over    time.Duration
	times   int
	state   usage
}

type group struct{ firstSent, lastSent, lastArrived time.Duration }

type point struct{ at, delay float64 }

func newTrend() trend { return trend{limit: firstLimit} }

func (t *trend) add(sent, arrival time.Duration) {
	switch {
	case t.have == 0:
		t.group, t.have = group{sent, sent, arrival}, 1
		return
	case sent < t.group.firstSent:
		return // overtaken
	case sent-t.group.firstSent <= burst, arrival-t.group.lastArrived <= burst && arrival-t.group.lastArrived < sent-t.group.lastSent && sent-t.group.firstSent < 100*time.Millisecond:
		t.group.lastSent = max(t.group.lastSent, sent)
		t.group.lastArrived = max(t.group.lastArrived, arrival)
		return
	}
	if t.have == 2 {
		t.step(t.group.lastSent-t.before.lastSent, t.group.lastArrived-t.before.lastArrived, t.group.lastArrived)
	}
	t.before, t.have = t.group, 2
	t.group = group{sent, sent, arrival}
}

// step takes how far apart two groups were sent and arrived.
func (t *trend) step(sent, arrived, at time.Duration) {
	if arrived < 0 || arrived > groupTimeout || sent > groupTimeout {
		limit := t.limit
		*t = newTrend()
		t.limit = limit
		return
	}
	if t.count == 0 {
		t.begin = at
	}
	t.sum += float64(arrived-sent) / float64(time.Millisecond)
	t.smooth = smoothing*t.smooth + (1-smoothing)*t.sum
	t.points[t.count%trendPoints] = point{float64(at-t.begin) / float64(time.Millisecond), t.smooth}
	t.count++
	if t.count < trendPoints {
		return
	}
	t.judge(float64(min(t.count, mostSamples))*t.slope()*trendGain, sent, at)
}

// slope is that of the least squares line through the points.
func (t *trend) slope() float64 {
	var x, y float64
	for _, p := range t.points {
		x += p.at
		y += p.delay
	}
	x /= trendPoints
	y /= trendPoints
	var above, below float64
	for _, p := range t.points {
		above += (p.at - x) * (p.delay - y)
		below += (p.at - x) * (p.at - x)
	}
	if below == 0 {
		return 0
	}
	return above / below
}

func (t *trend) judge(value float64, sent, at time.Duration) {
	switch {
	case value > t.limit:
		t.over += sent
		t.times++
		if t.over > overTime && t.times > 1 && value >= t.last {
			t.over, t.times, t.state = 0, 0, overused
		}
	case value < -t.limit:
		t.over, t.times, t.state = 0, 0, underused
	default:
		t.over, t.times, t.state = 0, 0, normal
	}
	t.last = value
	size := max(value, -value)
	dt := min(float64(at-t.updated)/float64(time.Millisecond), 100)
	t.updated = at
	if size > t.limit+outlier || dt < 0 {
		return
	}
	k := limitUp
	if size < t.limit {
		k = limitDown
	}
	t.limit = min(max(t.limit+k*(size-t.limit)*dt, leastLimit), mostLimit)
}
