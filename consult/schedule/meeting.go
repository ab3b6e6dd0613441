package schedule

import (
	"slices"
	"time"
)

// Barred is a stretch in which somebody may not take part, whatever their calendar says.
type Barred struct {
	Span
	Why string // what the caller knows it by; handed back in Blocker
}

// Party is one who has to be there: an expert, the asking doctor, a room, the patient.
type Party struct {
	Name   string
	Hours  []Span // when the party can meet at all
	Busy   []Span
	Buffer time.Duration // kept free before and after what is busy
	Barred []Barred
}

// free is when the party could meet.
func (p Party) free() []Span {
	barred := make([]Span, len(p.Barred))
	for i, b := range p.Barred {
		barred[i] = b.Span
	}
	return Free(Free(p.Hours, p.Busy, p.Buffer), barred, 0)
}

// Proposal is a time that suits everybody; the lower the cost, the better.
type Proposal struct {
	Span
	Cost  time.Duration // waiting from the window's start, and what is awkward on top
	Tight []string      // who comes from, or goes on to, something else within half an hour
}

// Blocker says who stands in the way, and what would be possible without them.
type Blocker struct {
	Names   []string
	Why     string    // "barred", "busy": no time at all of their own; "" : free, but never together with the others
	Barred  string    // the Why of what bars them
	Until   time.Time // when that ends; zero if not within the window
	Without *Span     // the first time without them
}

// Finding is the answer: times, best first, or else why there is none.
type Finding struct {
	Times    []Proposal
	Blockers []Blocker
}

// Meeting is the wish: a length within a window, and how many proposals.
type Meeting struct {
	Window Span
	Length time.Duration
	Step   time.Duration // between starts that are tried
	N      int
	Zone   *time.Location // whose noon and evening are avoided
}

const tight = 30 * time.Minute

// Find ranks the common times of all parties. If there is none, it leaves out one party after another, then
// two, and says whose absence would help; those without any free time of their own are named first.
func Find(m Meeting, parties []Party) Finding {
	free := make([][]Span, len(parties))
	window := []Span{m.Window}
	for i, p := range parties {
		free[i] = Common(window, p.free())
	}
	var found Finding
	for _, span := range starts(Common(free...), m) {
		p := Proposal{Span: span, Cost: span.Start.Sub(m.Window.Start) + awkward(span, m.Zone)}
		for _, party := range parties {
			near := Span{span.Start.Add(-tight), span.End.Add(tight)}
			if slices.ContainsFunc(party.Busy, near.Overlaps) {
				p.Tight = append(p.Tight, party.Name)
				p.Cost += 4 * time.Hour
			}
		}
		found.Times = append(found.Times, p)
	}
	slices.SortStableFunc(found.Times, func(a, b Proposal) int { return int(max(-1, min(1, a.Cost-b.Cost))) })
	found.Times = apart(found.Times, m.N)
	if len(found.Times) == 0 {
		found.Blockers = blockers(m, parties, free)
	}
	return found
}

// starts cuts free time into meetings, on the step's grid from midnight.
func starts(free []Span, m Meeting) []Span {
	var list []Span
	for _, f := range free {
		at := f.Start.Truncate(m.Step)
		if at.Before(f.Start) {
			at = at.Add(m.Step)
		}
		for ; !at.Add(m.Length).After(f.End); at = at.Add(m.Step) {
			list = append(list, Span{at, at.Add(m.Length)})
		}
	}
	return list
}

// awkward is what noon, early morning and evening cost: a meeting in good hours may be half a day later.
func awkward(s Span, zone *time.Location) time.Duration {
	start, end := s.Start.In(zone), s.End.In(zone)
	minute := start.Hour()*60 + start.Minute()
	last := minute + int(end.Sub(start)/time.Minute)
	switch {
	case minute < 8*60 || last > 18*60:
		return 12 * time.Hour
	case minute < 14*60 && last > 12*60:
		return 6 * time.Hour
	}
	return 0
}

// apart keeps the n best that don't overlap: three proposals five minutes apart are one.
func apart(ranked []Proposal, n int) []Proposal {
	var kept []Proposal
	for _, p := range ranked {
		if len(kept) == n {
			break
		}
		if !slices.ContainsFunc(kept, func(k Proposal) bool { return k.Overlaps(p.Span) }) {
			kept = append(kept, p)
		}
	}
	return kept
}

func blockers(m Meeting, parties []Party, free [][]Span) []Blocker {
	first := func(out ...int) *Span {
		var rest [][]Span
		for i := range free {
			if !slices.Contains(out, i) {
				rest = append(rest, free[i])
			}
		}
		if list := starts(Common(rest...), m); len(list) > 0 {
			return &list[0]
		}
		return nil
	}
	var list []Blocker
	helps := false
	for i, p := range parties {
		b := Blocker{Names: []string{p.Name}, Without: first(i)}
		if len(starts(free[i], m)) == 0 {
			b.Why = "busy"
			for _, bar := range p.Barred {
				if bar.Overlaps(m.Window) {
					b.Why, b.Barred = "barred", bar.Why
					if bar.End.Before(m.Window.End) {
						b.Until = bar.End
					}
				}
			}
		}
		if b.Why != "" || b.Without != nil {
			list = append(list, b)
		}
		helps = helps || b.Without != nil
	}
	if !helps { // no one alone: which two?
		for i := range parties {
			for j := range i {
				if without := first(i, j); without != nil && len(parties) > 2 {
					list = append(list, Blocker{Names: []string{parties[j].Name, parties[i].Name}, Without: without})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Blocker) int { // who can't at all first, then whose absence helps soonest
		switch {
		case (a.Why != "") != (b.Why != ""):
			return map[bool]int{true: -1, false: 1}[a.Why != ""]
		case (a.Without == nil) != (b.Without == nil):
			return map[bool]int{true: 1, false: -1}[a.Without == nil]
		case a.Without != nil:
			return a.Without.Start.Compare(b.Without.Start)
		}
		return 0
	})
	return list
}

// Crowd is the wish that the speed of Find is measured by: six experts over four weeks with twelve engagements a day each, and a room. Their
// last expert is free on the last day alone.
func Crowd() (Meeting, []Party) {
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	m := Meeting{Window: Span{start, start.AddDate(0, 0, 28)}, Length: 30 * time.Minute, Step: 10 * time.Minute, N: 6, Zone: time.UTC}
	parties := make([]Party, 7)
	for i := range parties {
		p := &parties[i]
		p.Name, p.Buffer = string(rune('a'+i)), Buffer
		for day := range 28 {
			at := start.AddDate(0, 0, day)
			p.Hours = append(p.Hours, Span{at.Add(8 * time.Hour), at.Add(20 * time.Hour)})
			for n := range 12 {
				begin := at.Add(8*time.Hour + time.Duration(n*55+i*5)*time.Minute)
				if day < 27 {
					p.Busy = append(p.Busy, Span{begin, begin.Add(15 * time.Minute)})
				}
			}
		}
	}
	return m, parties
}
