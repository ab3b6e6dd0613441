package consult

import (
	"context"
	"slices"
	"sync"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// Limit is how long the invited hospital has, from the submission, to arrange and to finish (TCR-07). Of days counts those on
// which people work.
type Limit struct {
	Kind       string `json:"kind" enum:"consult,imaging,pathology,ecg"`
	Urgency    string `json:"urgency" enum:"routine,urgent,emergency"`
	ArrangeMin int    `json:"arrange_min" minimum:"5" maximum:"10080" doc:"Minutes, at most a week"`
	FinishMin  int    `json:"finish_min" minimum:"0" maximum:"43200" doc:"Minutes, at most 30 days; 0: in working days"`
	FinishDays int    `json:"finish_days" minimum:"0" maximum:"15" doc:"Working days, instead of minutes"`
}

var (
	limitKinds     = []string{"consult", "imaging", "pathology", "ecg"}
	limitUrgencies = []string{"routine", "urgent", "emergency"} // each no slower than the one before
)

var serviceWords = map[string]string{"consult": "专家会诊", "imaging": "影像诊断", "pathology": "病理诊断", "ecg": "心电诊断"}

const anHour, aDay = 60, 24 * 60 // minutes

// customary are the limits of a hospital that has set none. Those of a consult are custom (TCR-07); those of readings are what
// reading centres promise: an ECG in an emergency within half an hour, a slide within days. An emergency is never slower.
var customary = []Limit{
	{"consult", "routine", 48 * anHour, 0, 3}, {"consult", "urgent", 24 * anHour, 24 * anHour, 0}, {"consult", "emergency", 12 * anHour, 12 * anHour, 0},
	{"imaging", "routine", 12 * anHour, 24 * anHour, 0}, {"imaging", "urgent", 2 * anHour, 6 * anHour, 0}, {"imaging", "emergency", 30, anHour, 0},
	{"pathology", "routine", 48 * anHour, 0, 5}, {"pathology", "urgent", 24 * anHour, 48 * anHour, 0}, {"pathology", "emergency", anHour, 2 * anHour, 0},
	{"ecg", "routine", 2 * anHour, 24 * anHour, 0}, {"ecg", "urgent", 30, 2 * anHour, 0}, {"ecg", "emergency", 10, 30, 0},
}

func limitOf(list []Limit, kind, urgency string) (Limit, bool) {
	i := slices.IndexFunc(list, func(l Limit) bool { return l.Kind == kind && l.Urgency == urgency })
	if i < 0 {
		return Limit{}, false
	}
	return list[i], true
}

func (l Limit) arrange(from time.Time) time.Time {
	return from.Add(time.Duration(l.ArrangeMin) * time.Minute)
}

func (l Limit) finish(from time.Time) time.Time {
	if l.FinishDays == 0 {
		return from.Add(time.Duration(l.FinishMin) * time.Minute)
	}
	at, calendar := from.In(china), workdays()
	for n := 0; n < l.FinishDays; {
		at = at.AddDate(0, 0, 1)
		rule := calendar[at.Format(schedule.DayFormat)]
		if rule.Kind == "workday" || rule.Kind != "holiday" && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
			n++
		}
	}
	return at
}

var workdays = sync.OnceValue(schedule.China)

// anew is when to have arranged what was due at another time: counted from when the clock began to run; if that is past, from now,
// but no later than it was. since is when the clock is taken to have begun from then on.
func (l Limit) anew(from, was, now time.Time) (due, since time.Time) {
	if due = l.arrange(from); due.After(now) {
		return due, from
	}
	if due = l.arrange(now); due.Before(was) {
		return due, now
	}
	return was, now
}

// atMost reports whether the limit is nowhere slower than the other; a working day counts as a day.
func (l Limit) atMost(o Limit) bool {
	return l.ArrangeMin <= o.ArrangeMin && l.FinishMin+l.FinishDays*aDay <= o.FinishMin+o.FinishDays*aDay
}

// Limits are those of a hospital, and how they came about.
type Limits struct {
	Place     Named[ids.Institution] `json:"place"`
	Version   int                    `json:"version" doc:"0: customary, the hospital has set none"`
	Limits    []Limit                `json:"limits"`
	Customary []Limit                `json:"customary"`
	History   []LimitsVersion        `json:"history" doc:"The newest first"`
}

// LimitsVersion says who set a version, when and why.
type LimitsVersion struct {
	Version int       `json:"version"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// SetLimits is a new version in place of the one that was shown.
type SetLimits struct {
	Version int     `json:"version" minimum:"0" doc:"The one that was shown"`
	Reason  string  `json:"reason" minLength:"2" maxLength:"500"`
	Limits  []Limit `json:"limits" minItems:"12" maxItems:"12"`
}

// limitsOf are those in force at the invited hospital when the request was handed in, for its kind and urgency.
func (s *Teleconsults) limitsOf(ctx context.Context, tx tx, t Teleconsult) (Limit, error) {
	l, found, err := selectLimit(ctx, tx, t, s.Now())
	if err != nil || found {
		return l, err
	}
	l, _ = limitOf(customary, t.Kind, t.Urgency)
	return l, nil
}

// LimitsOf lists the hospitals of the scope.
func (s *Teleconsults) LimitsOf(ctx context.Context) (list []Limits, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectLimits(ctx, tx, authz.ScopeFrom(ctx), ids.Institution{})
		return err
	})
	return list, err
}

// SetLimits sets a hospital's own. Clocks that run go on as they were promised.
func (s *Teleconsults) SetLimits(ctx context.Context, place ids.Institution, set SetLimits) (l Limits, err error) {
	if err := fitLimits(set.Limits); err != nil {
		return l, err
	}
	moved := fault.New(fault.Conflict, "limits_moved_on", "别人先改了时限。", "Somebody else has changed the limits first.").
		WithRemedy("请看现在的，再改。", "Look at them as they are now, then change them.")
	err = s.inTx(ctx, func(tx tx) error {
		if place.IsZero() { // would filter nothing
			return fault.Missing()
		}
		list, err := selectLimits(ctx, tx, authz.ScopeFrom(ctx), place)
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return fault.Missing()
		case list[0].Version != set.Version:
			return moved
		}
		if err := insertLimits(ctx, tx, place, set, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		if list, err = selectLimits(ctx, tx, authz.ScopeFrom(ctx), place); err != nil {
			return err
		}
		l = list[0]
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "institution/" + place.String(), Place: place, Reason: set.Reason})
	})
	if pg.Violates(err, "teleconsult_limits_pkey") { // at the same moment
		return l, moved
	}
	return l, err
}

// fitLimits refuses what makes no sense: a kind or urgency that is not there, arranged after it is finished, the urgent slower than
// the routine, an emergency slower than is customary.
func fitLimits(list []Limit) error {
	for _, kind := range limitKinds {
		var before Limit
		for i, urgency := range limitUrgencies {
			l, found := limitOf(list, kind, urgency)
			usual, _ := limitOf(customary, kind, urgency)
			var zh, en string
			switch {
			case !found:
				zh, en = "缺这一项", "is missing"
			case (l.FinishMin == 0) == (l.FinishDays == 0):
				zh, en = "完成时限要么按分钟，要么按工作日", "the time to finish is in minutes or in working days, one of the two"
			case l.ArrangeMin > l.FinishMin+l.FinishDays*aDay:
				zh, en = "安排时限不能长于完成时限", "the time to arrange can't be longer than to finish"
			case urgency == "emergency" && (l.FinishDays > 0 || !l.atMost(usual)):
				zh, en = "急诊不能比默认时限慢", "an emergency can't be slower than the default"
			case i > 0 && !l.atMost(before):
				zh, en = "越急的时限不能越长", "the more urgent can't be slower"
			}
			if zh != "" {
				return fault.New(fault.Invalid, "limit_wrong", serviceWords[kind]+"（"+urgencyWords[urgency]+"）："+zh+"。", kind+", "+urgency+": "+en+".").
					WithRemedy("请改这一项再存。", "Please correct it, then save.").With(map[string]string{"kind": kind, "urgency": urgency})
			}
			before = l
		}
	}
	return nil
}
