package check

import (
	"fmt"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// duplicates: one ingredient in two items, or two ingredients of a class that does the same work. Eye drops
// beside tablets are no duplicate. A pair that interacts has been told already.
func (r *run) duplicates() {
	r.encounters(func(a, b *part) {
		switch {
		case a.site() != b.site():
		case a.ID == b.ID:
			r.add(alert("duplicate_ingredient", formulary.Major,
				fault.Text{ZH: a.Name.ZH + "重复：不止一种药含有它。", EN: a.Name.EN + " twice: more than one medicine contains it."},
				fault.Text{ZH: "保留其中一种。", EN: "Keep one of them."}, []string{a.ID}, "ingredients:"+a.ID))
		default:
			for _, class := range a.Twins[b.Ingredient] {
				r.duplicateClass(a, b, class)
			}
		}
	})
}

func (r *run) duplicateClass(a, b *part, class formulary.Duplicate) {
	if a.systemic() && b.systemic() && len(a.With[b.Ingredient]) > 0 {
		return
	}
	if b.ID < a.ID {
		a, b = b, a
	}
	evidence := []string{"duplicate_classes:" + class.Class}
	if class.Note != "" {
		evidence = append(evidence, class.Note)
	}
	r.add(alert("duplicate_class", class.Severity,
		fault.Text{ZH: fmt.Sprintf("%s与%s同属%s，作用重复。", a.Name.ZH, b.Name.ZH, class.Name.ZH),
			EN: fmt.Sprintf("%s and %s are both %s: the same effect twice.", a.Name.EN, b.Name.EN, class.Name.EN)},
		fault.Text{ZH: "保留其中一种，或写明换药计划。", EN: "Keep one of them, or write down the plan to change over."},
		[]string{a.ID, b.ID}, evidence...))
}
