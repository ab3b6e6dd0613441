// Package schedule finds times: free = roster − busy − buffer, the common free time of several
// people or places, and the slots nearest to a wish.
//
// All spans are half-open, [Start, End). Results are in order, without overlap and never empty spans.
package schedule

import (
	"slices"
	"time"
)

// Buffer is the time a practitioner needs between two places of practice (MPP-05).
const Buffer = 15 * time.Minute

// Span is a stretch of time, [Start, End).
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func (s Span) Overlaps(o Span) bool { return s.Start.Before(o.End) && o.Start.Before(s.End) }

// Length is zero or negative if the span is empty.
func (s Span) Length() time.Duration { return s.End.Sub(s.Start) }

// Free is the roster without what is busy, and without the buffer before and after it.
func Free(roster, busy []Span, buffer time.Duration) []Span {
	taken := make([]Span, 0, len(busy))
	for _, b := range busy {
		taken = appendSpan(taken, Span{b.Start.Add(-buffer), b.End.Add(buffer)})
	}
	taken = merge(taken)
	var free []Span
	for _, f := range merge(roster) {
		for len(taken) > 0 && !taken[0].End.After(f.Start) {
			taken = taken[1:]
		}
		at := f.Start
		for _, b := range taken {
			if !b.Start.Before(f.End) {
				break
			}
			free = appendSpan(free, Span{at, b.Start})
			at = b.End
		}
		free = appendSpan(free, Span{at, f.End})
	}
	return free
}

// Common is when everybody is free. Of nobody it is nothing.
func Common(people ...[]Span) []Span {
	if len(people) == 0 {
		return nil
	}
	common := merge(people[0])
	for _, person := range people[1:] {
		var both []Span
		for a, b := common, merge(person); len(a) > 0 && len(b) > 0; {
			both = appendSpan(both, Span{latest(a[0].Start, b[0].Start), earliest(a[0].End, b[0].End)})
			if a[0].End.Before(b[0].End) {
				a = a[1:]
			} else {
				b = b[1:]
			}
		}
		common = both
	}
	return common
}

// Cut divides free time into slots of one length, each span from its start. What is left over stays free.
func Cut(free []Span, length time.Duration) []Span {
	var slots []Span
	if length <= 0 {
		return nil
	}
	for _, f := range free {
		for at := f.Start; !at.Add(length).After(f.End); at = at.Add(length) {
			slots = append(slots, Span{at, at.Add(length)})
		}
	}
	return slots
}

// Nearest orders the slots by how far they begin from the wish, the earlier of two equals
// first, and keeps n of them.
func Nearest(slots []Span, wish time.Time, n int) []Span {
	order := slices.Clone(slots)
	slices.SortStableFunc(order, func(a, b Span) int {
		if d := a.Start.Sub(wish).Abs() - b.Start.Sub(wish).Abs(); d != 0 {
			return int(max(-1, min(1, d)))
		}
		return a.Start.Compare(b.Start)
	})
	return order[:min(n, len(order))]
}

// merge sorts spans, drops empty ones and joins those that touch.
func merge(spans []Span) []Span {
	order := slices.Clone(spans)
	slices.SortFunc(order, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var merged []Span
	for _, s := range order {
		if last := len(merged) - 1; last >= 0 && !s.Start.After(merged[last].End) {
			merged[last].End = latest(merged[last].End, s.End)
			continue
		}
		merged = appendSpan(merged, s)
	}
	return merged
}

func appendSpan(spans []Span, s Span) []Span {
	if s.Length() <= 0 {
		return spans
	}
	return append(spans, s)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
