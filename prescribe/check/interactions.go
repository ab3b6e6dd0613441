package check

import (
	"cmp"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// encounters calls meet for every pair of parts that this prescription brings together: new with new and new
// with active; never two active medicines, never two parts of one product.
func (r *run) encounters(meet func(a, b *part)) {
	for i, a := range r.new {
		for _, b := range r.new[i+1:] {
			if a.item != b.item {
				meet(a, b)
			}
		}
		for _, b := range r.active {
			meet(a, b)
		}
	}
}

// interactions: one alert for each pair of ingredients, of the most severe row, an ingredient's row before a class's.
func (r *run) interactions() {
	r.encounters(func(a, b *part) {
		if a.ID == b.ID || !a.systemic() || !b.systemic() {
			return
		}
		if row := r.worst(a, b); row.Interaction != nil {
			r.add(r.interaction(a, b, row))
		}
	})
}

type weighed struct {
	*formulary.Interaction
	severity Severity
	cap      string // the comparison with the cap, if there is one
}

func (r *run) worst(a, b *part) (worst weighed) {
	for _, row := range a.With[b.Ingredient] {
		w := r.weigh(row)
		if worst.Interaction == nil || cmp.Or(cmp.Compare(w.severity, worst.severity), cmp.Compare(w.Specific, worst.Specific), cmp.Compare(worst.Row, w.Row)) > 0 {
			worst = w
		}
	}
	return worst
}

// weigh applies a dose cap: up to it the pair is tolerable (moderate), above it at least major.
func (r *run) weigh(row *formulary.Interaction) weighed {
	w := weighed{row, row.Severity, ""}
	if row.CapOf == nil {
		return w
	}
	total := r.intakeOf(row.CapOf)
	is, may := total.known.In(row.CapOf.Unit)+"/d", row.Cap.In(row.CapOf.Unit)+"/d"
	switch {
	case total.known.Over(row.Cap):
		w.severity, w.cap = max(row.Severity, formulary.Major), is+" > "+may
	case !total.whole:
		r.unknownDose(row.CapOf, row.Row)
	default:
		w.severity, w.cap = formulary.Moderate, is+" ≤ "+may
	}
	return w
}

func (r *run) interaction(a, b *part, row weighed) Alert {
	if b.ID < a.ID {
		a, b = b, a
	}
	evidence := row.Evidence
	text := fault.Text{ZH: a.Name.ZH + "与" + b.Name.ZH + row.Because.ZH, EN: a.Name.EN + " with " + b.Name.EN + row.Because.EN}
	remedy := row.Remedy
	if row.CapOf != nil {
		limit := row.Cap.In(row.CapOf.Unit)
		remedy = fault.Text{ZH: row.CapOf.Name.ZH + "日剂量不超过" + limit + "。", EN: "At most " + limit + " of " + row.CapOf.Name.EN + " a day."}
	}
	for _, more := range []string{row.cap, row.Qualifier} {
		if more != "" {
			evidence = append(evidence, more) // a copy: the row's own has no room
		}
	}
	return alert("ddi", row.severity, text, remedy, []string{a.ID, b.ID}, evidence...)
}
