package check

import (
	"slices"

	"yuanzhen/prescribe/formulary"
)

// prepare expands items and active medicines to ingredients, drops the active entries that a renewal replaces
// and adds up the daily doses.
func prepare(kb *formulary.Knowledge, c *Case) *run {
	medicines := len(c.Items) + len(c.ActiveMeds) // a product with several ingredients makes the lists grow
	r := &run{kb: kb, c: c, months: -1, alerts: make([]Alert, 0, 2*medicines), at: make(map[string]int, 2*medicines), daily: make(map[string]intake, medicines),
		new: make([]*part, 0, len(c.Items)), active: make([]*part, 0, len(c.ActiveMeds))}
	if c.Patient.AgeYears != nil {
		r.months = int(*c.Patient.AgeYears) * 12
	}
	if c.Patient.AgeMonths != nil {
		r.months = int(*c.Patient.AgeMonths)
	}
	// Sorted, so that the order in which somebody typed the codes never shows in the words.
	r.conditions = slices.Concat(c.Patient.Conditions, c.Context.Diagnosis)
	slices.Sort(r.conditions)
	r.conditions = slices.Compact(r.conditions)

	for i, item := range c.Items {
		perDay := item.PerDay.Ratio()
		if item.PerDay.Sign() == 0 {
			perDay = item.PerWeek.Ratio().Over(formulary.NewRatio(7, 1))
		}
		for _, p := range r.parts(item.Ingredient, item.Product, item.Dose, item.Unit, item.Units, item.Route, item.Form) {
			p.item, p.days, p.weekly, p.aiGenerated = i, int(item.Days), item.PerWeek, item.Provenance == "ai_generated"
			p.daily = p.single.Times(perDay)
			r.new = append(r.new, p)
		}
	}
	for i, a := range c.ActiveMeds {
		for _, p := range r.parts(a.Ingredient, a.Product, a.DailyDose, a.Unit, a.Units, a.Route, a.Form) {
			p.item, p.remaining, p.daily = i, int(a.RemainingDays), p.single // an active ingredient states its daily dose
			if a.Product != "" {
				p.daily = p.single.Times(a.PerDay.Ratio())
				if a.PerDay.IsZero() {
					p.daily = formulary.Amount{}
				}
			}
			if c.Context.Renewal && slices.ContainsFunc(r.new, func(n *part) bool { return n.ID == p.ID && n.site() == p.site() }) {
				r.replaced = append(r.replaced, p)
			} else {
				r.active = append(r.active, p)
			}
		}
	}
	for _, list := range [][]*part{r.new, r.active} {
		for _, p := range list {
			r.takes(p)
		}
	}
	return r
}

// takes adds a part to what the patient takes of its ingredient in a day.
func (r *run) takes(p *part) {
	if !p.systemic() {
		return
	}
	total, there := r.daily[p.ID]
	if !there {
		total = intake{p.none(), true}
	}
	if sum := total.known.Plus(p.daily); !sum.IsZero() {
		total.known = sum
	} else {
		total.whole = false
	}
	r.daily[p.ID] = total
}

// none of the drug, in its unit.
func (p *part) none() formulary.Amount {
	none, _ := formulary.NewAmount(formulary.Decimal{}, p.Unit)
	return none
}

// parts of one medicine; single is what one administration holds, unstated if it was not said.
func (r *run) parts(ingredient, product string, dose formulary.Decimal, unit string, units formulary.Decimal, route, form string) []*part {
	if product == "" {
		i := r.kb.Ingredients[ingredient]
		p := &part{Ingredient: i, route: routeOf(i, route, form), form: formOf(i, route, form)}
		if !dose.IsZero() {
			p.single, _ = formulary.NewAmount(dose, unit) // the unit was validated
		}
		return []*part{p}
	}
	components := r.kb.Products[product].Components
	var parts []*part
	for _, c := range components {
		p := &part{Ingredient: c.Ingredient, route: routeOf(c.Ingredient, route, form), form: formOf(c.Ingredient, route, form), strength: c.Strength}
		p.compound = len(components) > 1 || r.kb.Products[product].Others != ""
		if !units.IsZero() {
			p.single = c.Strength.Times(units.Ratio())
		}
		parts = append(parts, p)
	}
	return parts
}

// routeOf is the route as written, else the one that the form implies, else the main one.
func routeOf(i *formulary.Ingredient, route, form string) string {
	if route != "" {
		return route
	}
	switch form {
	case "top", "oph", "ot", "nas", "vag", "inh", "sl":
		return form
	case "neb":
		return "inh"
	case "pat":
		return "td"
	case "sup":
		return "pr"
	case "inj":
		if i.MainRoute == "im" || i.MainRoute == "sc" {
			return i.MainRoute
		}
		return "iv"
	}
	return i.MainRoute
}

// formOf is the form as written, else the one that the route leaves no doubt about, else "".
func formOf(i *formulary.Ingredient, route, form string) string {
	switch r := routeOf(i, route, form); {
	case form != "":
		return form
	case slices.Contains([]string{"iv", "im", "sc", "id"}, r):
		return "inj"
	case r == "td":
		return "pat"
	case len(i.Forms) == 1:
		return i.Forms[0]
	}
	return ""
}
