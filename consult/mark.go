package consult

import (
	"context"
	"math"
	"slices"
	"unicode/utf8"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
)

// Mark is what a doctor has drawn on an image of a teleconsult, or an image marked as key. Any of its doctors may make
// and change one until the opinion is signed. Versions are in the order in which the database took them: a change
// names the version it was made from, and of two changes of one version the second is refused with the first's result,
// so that nothing is overwritten unseen.
type Mark struct {
	ID     ids.Mark `json:"id"`
	Rev    int      `json:"rev" minimum:"0" doc:"Counts the versions from 1; in a change, the version it was made from, 0 for a new mark"`
	Study  string   `json:"study" pattern:"^[0-9.]{1,64}$"`
	Series string   `json:"series" pattern:"^[0-9.]{1,64}$"`
	SOP    string   `json:"sop" pattern:"^[0-9.]{1,64}$"`
	Frame  int      `json:"frame" minimum:"1"`
	Tool   string   `json:"tool" enum:"length,angle,ellipse,rectangle,arrow,key"`
	Points []Point  `json:"points" maxItems:"3" doc:"A key image has none; of a slide the two corners of what was seen, in the object whose frame stands in the middle"`
	Text   string   `json:"text" maxLength:"500"`
	Found  *Found   `json:"found,omitempty"`
	Author *Doctor  `json:"author,omitempty" readOnly:"true"`
	Gone   bool     `json:"gone,omitempty" readOnly:"true"`
}

// Point of an image, in columns and rows counted from the corner of the first pixel (as SCOORD, PS3.3 C.18.6).
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Found is what the pixels inside a region say, in the unit of the modality.
type Found struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	Unit string  `json:"unit" maxLength:"16"`
}

// pointsOf says how many points each tool sets.
var pointsOf = map[string]int{"length": 2, "angle": 3, "ellipse": 2, "rectangle": 2, "arrow": 2, "key": 0}

const (
	maxMarks = 500   // of one teleconsult
	farPoint = 1e6   // columns or rows: beyond any image
	maxFound = 1e300 // what JSON and Postgres hold alike
)

func (m Mark) valid() bool {
	finite := func(v, limit float64) bool { return math.Abs(v) <= limit } // false for NaN
	n, known := pointsOf[m.Tool]
	return known && (len(m.Points) == n || m.Tool == "key" && len(m.Points) == 2) && utf8.ValidString(m.Text) &&
		!slices.ContainsFunc(m.Points, func(p Point) bool { return !finite(p.X, farPoint) || !finite(p.Y, farPoint) }) &&
		(m.Found == nil || finite(m.Found.Mean, maxFound) && finite(m.Found.SD, maxFound))
}

// same reports whether two versions say the same, whoever made them.
func (m Mark) same(o Mark) bool {
	found := m.Found == o.Found || m.Found != nil && o.Found != nil && *m.Found == *o.Found
	return found && m.Study == o.Study && m.Series == o.Series && m.SOP == o.SOP && m.Frame == o.Frame && m.Tool == o.Tool &&
		slices.Equal(m.Points, o.Points) && m.Text == o.Text && m.Gone == o.Gone
}

// Marks lists all of a teleconsult, those that were removed with their last version, so that a screen that missed
// something is whole again. For who may look at the images.
func (s *Teleconsults) Marks(ctx context.Context, id ids.Teleconsult) (list []Mark, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if err := s.looked(ctx, tx, id); err != nil {
			return err
		}
		list, err = selectMarks(ctx, tx, id)
		return err
	})
	return list, err
}

// PutMark stores the version after m.Rev. The same again, after a lost answer, is a success.
func (s *Teleconsults) PutMark(ctx context.Context, id ids.Teleconsult, m Mark) (Mark, error) {
	m.Gone = false
	if !m.valid() {
		return m, fault.New(fault.Invalid, "bad_mark", "这个标记的点不对。", "The points of this mark don't fit its tool.").
			WithRemedy("请重新画一次。", "Please draw it again.")
	}
	return s.mark(ctx, id, m)
}

// RemoveMark takes a mark away, if rev is its newest version.
func (s *Teleconsults) RemoveMark(ctx context.Context, id ids.Teleconsult, mark ids.Mark, rev int) (Mark, error) {
	return s.mark(ctx, id, Mark{ID: mark, Rev: rev, Gone: true})
}

func (s *Teleconsults) mark(ctx context.Context, id ids.Teleconsult, m Mark) (stored Mark, err error) {
	doctor := authz.SubjectFrom(ctx).Practitioner
	var t Teleconsult
	err = s.inTx(ctx, func(tx tx) error {
		if t, err = s.find(ctx, tx, id); err != nil {
			return err
		}
		if doctor.IsZero() || doctor != t.Inviter.Practitioner.ID && (t.Expert == nil || doctor != t.Expert.Practitioner.ID) && !t.hasFurther(doctor) {
			return fault.Missing()
		}
		if err := t.mustBe(Scheduled, InProgress); err != nil {
			return err
		}
		if !m.Gone {
			there, err := imageAttached(ctx, tx, id, t.Inviter.Institution.ID, m)
			if err != nil {
				return err
			}
			if !there {
				return fault.Missing()
			}
		}
		done, err := putMark(ctx, tx, id, m, doctor, s.Now())
		if err != nil {
			return err
		}
		if stored, err = selectMark(ctx, tx, id, m.ID); err != nil {
			return err
		}
		if !done {
			again := m
			if m.Gone { // what is removed keeps its last shape
				again = stored
				again.Gone = true
			}
			if stored.Rev == m.Rev+1 && stored.Author.ID == doctor && stored.same(again) {
				return nil // sent twice
			}
			return fault.New(fault.Conflict, "mark_changed", "别人先改了这个标记。", "Somebody else changed this mark first.").
				WithRemedy("请看现在的样子，再决定用谁的。", "Look at it as it is now, then decide which one stays.").
				With(map[string]Mark{"current": stored})
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "mark/" + m.ID.String(), Person: t.Person.ID, Place: t.Inviter.Institution.ID})
	})
	if err == nil {
		e := live.Event{Kind: "teleconsult.marked", ID: id.String(), Practitioners: []ids.Practitioner{t.Inviter.Practitioner.ID}}
		if t.Expert != nil {
			e.Practitioners = append(e.Practitioners, t.Expert.Practitioner.ID)
		}
		for _, one := range t.Further {
			e.Practitioners = append(e.Practitioners, one.ID)
		}
		s.Live.Publish(e)
	}
	return stored, err
}
