package consult

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/storage/imaging"
)

// Shown is what a presenter had on the screen from a moment on, until the next one: an image and, where two stood side
// by side, the other one. Sent by the presenter's own page in batches, kept until the opinion is signed, which is signed
// over all of them; never changed.
type Shown struct {
	At  time.Time `json:"at,omitzero" readOnly:"true"`
	By  Doctor    `json:"by,omitzero" readOnly:"true"`
	Ago int       `json:"ago,omitempty" minimum:"0" maximum:"600000" doc:"Milliseconds since it was shown, as it is sent: clocks of screens are not asked"`
	Seen
	Beside *Beside `json:"beside,omitempty" doc:"The other of two side by side, mostly an earlier study"`
}

// Seen is an image of the consult's studies, where it was looked at and in which window.
type Seen struct {
	Study  string  `json:"study" pattern:"^[0-9.]{1,64}$"`
	Series string  `json:"series" pattern:"^[0-9.]{1,64}$"`
	SOP    string  `json:"sop" pattern:"^[0-9.]{1,64}$"`
	Frame  int     `json:"frame" minimum:"1"`
	Zoom   float64 `json:"zoom" minimum:"0"`
	X      float64 `json:"x" doc:"What stands in the middle, in columns of the image"`
	Y      float64 `json:"y" doc:"… and in rows"`
	VOI    *Window `json:"voi,omitempty" doc:"None: the image's own window"`
}

// Beside is an image beside another, and how it goes along with that one.
type Beside struct {
	Seen
	Scroll bool `json:"scroll" doc:"Both are scrolled as one"`
	Window bool `json:"window" doc:"A window that is set is set for both"`
	Way    Tie  `json:"way"`
}

// Tie is how slices of two series belong together.
type Tie struct {
	By     string  `json:"by" enum:"position,offset,slices,none" doc:"By where they lie in the patient, by a distance kept, by a number of slices, or not at all"`
	MM     float64 `json:"mm,omitempty" doc:"By offset: how far the second stands from the first, along the normal of the first"`
	Slices int     `json:"slices,omitempty" doc:"By slices: the same, counted"`
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
	return v.Seen.valid() && (v.Beside == nil || v.Beside.Seen.valid() && math.Abs(v.Beside.Way.MM) <= farPoint)
}

func (v Seen) valid() bool {
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
			ours := func(study string) bool {
				return slices.ContainsFunc(t.Studies, func(one imaging.Study) bool { return one.UID == study })
			}
			if !ours(v.Study) || v.Beside != nil && !ours(v.Beside.Study) {
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

// Talk names what has been shown up to a batch: an opinion is signed over it, so that no step of the talk can be changed,
// left out or put in afterwards.
type Talk struct {
	Batches int    `json:"batches"`
	SHA256  string `json:"sha256"` // of the RFC 8785 bytes of talkBytes
}

// talkBytes is what a Talk is the digest of.
type talkBytes struct {
	Type        string          `json:"type"` // "teleconsult.shown"
	Teleconsult ids.Teleconsult `json:"teleconsult"`
	Batches     []shownBatch    `json:"batches"`
}

// shownBatch is a batch as it is stored.
type shownBatch struct {
	N      int              `json:"n"`
	By     ids.Practitioner `json:"by"`
	At     time.Time        `json:"at"`
	States json.RawMessage  `json:"states"`
}

// talk is what has been shown up to batch n, or up to now.
func talk(ctx context.Context, tx tx, id ids.Teleconsult, n int) (t Talk, err error) {
	batches, err := selectShownBatches(ctx, tx, id, n)
	if err != nil {
		return t, err
	}
	t.Batches = len(batches)
	_, t.SHA256, err = canonicalBytes(talkBytes{"teleconsult.shown", id, batches})
	return t, err
}

// asSigned refuses a signature over an opinion while more has been shown than its text names.
func asSigned(ctx context.Context, tx tx, id ids.Teleconsult, canonical string) error {
	var said struct{ Shown Talk }
	if err := json.Unmarshal([]byte(canonical), &said); err != nil {
		return err
	}
	if now, err := talk(ctx, tx, id, maxShown); err != nil {
		return err
	} else if now != said.Shown {
		return fault.New(fault.Conflict, "talk_went_on", "保存意见以后又讲解了影像，要签的内容没有包括它。", "Images were presented after the opinion was saved; the text to sign doesn't hold that.").
			WithRemedy("请再保存一次，看过全文再签。", "Save it once more, read the whole text, then sign.")
	}
	return nil
}

// What a signature over the talk says today.
const (
	talkHolds   = "holds"   // the signature is good, and every step is as it was signed
	talkChanged = "changed" // it isn't
	talkUnbound = "unbound" // the opinion was signed without it
)

// Bound is an opinion that was signed over the talk.
type Bound struct {
	By       Doctor    `json:"by"`
	SignedAt time.Time `json:"signed_at"`
	Batches  int       `json:"batches" doc:"How much of the talk it was signed over"`
	Verdict  string    `json:"verdict" enum:"holds,changed,unbound" doc:"Checked at this moment: signature and every step"`
}

// Replay is the talk over the images from its beginning, with what became of its signatures.
type Replay struct {
	States []Shown `json:"states"`
	Bound  []Bound `json:"bound"`
}

// boundOpinion is what is needed to check one.
type boundOpinion struct {
	Bound
	canonical, signature []byte
	key                  keys.PublicKey
}

// check says what the signature says.
func (o *boundOpinion) check(ctx context.Context, tx tx, id ids.Teleconsult) (Bound, error) {
	var said struct{ Shown *Talk }
	if keys.Verify(o.key, o.canonical, o.signature) != nil || json.Unmarshal(o.canonical, &said) != nil {
		o.Verdict = talkChanged
		return o.Bound, nil
	}
	if said.Shown == nil {
		o.Verdict = talkUnbound
		return o.Bound, nil
	}
	now, err := talk(ctx, tx, id, said.Shown.Batches)
	o.Batches, o.Verdict = said.Shown.Batches, talkChanged
	if now == *said.Shown {
		o.Verdict = talkHolds
	}
	return o.Bound, err
}

// Replay is for who may look at the images.
func (s *Teleconsults) Replay(ctx context.Context, id ids.Teleconsult) (r Replay, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if err := s.looked(ctx, tx, id); err != nil {
			return err
		}
		if r.States, err = selectShown(ctx, tx, id); err != nil {
			return err
		}
		signed, err := selectBoundOpinions(ctx, tx, id)
		if err != nil {
			return err
		}
		r.Bound = []Bound{}
		for _, o := range signed {
			b, err := o.check(ctx, tx, id)
			if err != nil {
				return err
			}
			r.Bound = append(r.Bound, b)
		}
		return nil
	})
	return r, err
}
