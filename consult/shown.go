package consult

import (
	"context"
	"math"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging"
)

// Shown is what a presenter had on the screen from a moment on, until the next one: an image, where it was looked at
// and in which window. Sent by the presenter's own page in batches, kept until the opinion is signed, never changed.
type Shown struct {
	At     time.Time `json:"at,omitzero" readOnly:"true"`
	By     Doctor    `json:"by,omitzero" readOnly:"true"`
	Ago    int       `json:"ago,omitempty" minimum:"0" maximum:"600000" doc:"Milliseconds since it was shown, as it is sent: clocks of screens are not asked"`
	Study  string    `json:"study" pattern:"^[0-9.]{1,64}$"`
	Series string    `json:"series" pattern:"^[0-9.]{1,64}$"`
	SOP    string    `json:"sop" pattern:"^[0-9.]{1,64}$"`
	Frame  int       `json:"frame" minimum:"1"`
	Zoom   float64   `json:"zoom" minimum:"0"`
	X      float64   `json:"x" doc:"What stands in the middle, in columns of the image"`
	Y      float64   `json:"y" doc:"… and in rows"`
	VOI    *Window   `json:"voi,omitempty" doc:"None: the image's own window"`
}

// Window is a linear VOI LUT (PS3.3 C.11.2.1.2).
type Window struct {
	Center float64 `json:"center"`
	Width  float64 `json:"width"`
}

const (
	maxShownBatch = 100
	maxShown      = 1000 // batches of one teleconsult: more than an hour of talk that never rests
)

var shownFull = fault.New(fault.TooLarge, "shown_full", "讲解太长，后面的不再记录。", "The talk is too long; what follows is not recorded.").
	WithRemedy("会诊照常进行，只是重放到这里为止。", "The consult goes on; only the replay ends here.")

func (v Shown) valid() bool {
	fits := func(v float64) bool { return math.Abs(v) <= farPoint } // false for NaN
	return v.Zoom > 0 && fits(v.Zoom) && fits(v.X) && fits(v.Y) && (v.VOI == nil || fits(v.VOI.Center) && v.VOI.Width > 0 && fits(v.VOI.Width))
}

// KeepShown keeps what the asker, one of the consult's doctors, has presented of its studies. Returns how many.
func (s *Teleconsults) KeepShown(ctx context.Context, id ids.Teleconsult, states []Shown) (int, error) {
	doctor := authz.SubjectFrom(ctx).Practitioner
	if len(states) == 0 || len(states) > maxShownBatch || slices.ContainsFunc(states, func(v Shown) bool { return !v.valid() }) {
		return 0, fault.New(fault.Invalid, "bad_shown", "讲解的记录不对，没有存下来。", "What was shown is not well formed and was not kept.").
			WithRemedy("请刷新页面再讲。", "Please reload the page and present again.")
	}
	return len(states), s.inTx(ctx, func(tx tx) error {
		t, err := s.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if doctor.IsZero() || doctor != t.Inviter.Practitioner.ID && (t.Expert == nil || doctor != t.Expert.Practitioner.ID) && !t.hasFurther(doctor) {
			return fault.Missing()
		}
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		for i, v := range states {
			states[i].At, states[i].By = time.Time{}, Doctor{} // ours to say
			if !slices.ContainsFunc(t.Studies, func(one imaging.Study) bool { return one.UID == v.Study }) {
				return fault.Missing()
			}
		}
		if kept, err := insertShown(ctx, tx, id, doctor, s.Now(), states); err != nil {
			return err
		} else if !kept {
			return shownFull
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "teleconsult/" + id.String(), Person: t.Person.ID,
			Place: t.Inviter.Institution.ID, Reason: "presented"})
	})
}

// AllShown is the talk over the images from its beginning, for who may read the consult.
func (s *Teleconsults) AllShown(ctx context.Context, id ids.Teleconsult) (all []Shown, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if _, err := s.teleconsult(ctx, tx, id); err != nil {
			return err
		}
		all, err = selectShown(ctx, tx, id)
		return err
	})
	return all, err
}
