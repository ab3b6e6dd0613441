package check

import (
	"slices"

	"yuanzhen/prescribe/formulary"
)

// prepare expands items and active medicines to ingredients, drops the active entries that a renewal replaces
// and adds up the daily doses.
func prepare(kb *formulary.Knowledge, c *Case) *run {
	medicines := len(c.Items) + len(c.ActiveMeds) // a product with several ingredients makes the lists grow
	r := &run{kb: kb, c: c, months: -1, alerts: make([]Alert, 0, 2*medicines), daily: make([]intake, 0, medicines),
		new: make([]*part, 0, len(c.Items)), active: make([]*part, 0, len(c.ActiveMeds)), spare: make([]part, medicines)}
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
		r.parts(item.Ingredient, item.Product, item.Dose, item.Unit, item.Units, item.Route, item.Form, func(p *part) {
			p.item, p.days, p.weekly, p.aiGenerated = i, int(item.Days), item.PerWeek, item.Provenance == "ai_generated"
			p.daily = p.single.Times(perDay)
			r.new = append(r.new, p)
		})
	}
	for i, a := range c.ActiveMeds {
		r.parts(a.Ingredient, a.Product, a.DailyDose, a.Unit, a.Units, a.Route, a.Form, func(p *part) {
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
		})
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
	at := r.taken(p.Ingredient)
	if at < 0 {
		at = len(r.daily)
		r.daily = append(r.daily, intake{p.Ingredient, p.None, true})
	}
	total := &r.daily[at]
	if sum := total.known.Plus(p.daily); !sum.IsZero() {
		total.known = sum
	} else {
		total.whole = false
	}
}

// part takes one from the block.
func (r *run) part(of part) *part {
	if len(r.spare) == 0 {
		r.spare = make([]part, 8)
	}
	p := &r.spare[0]
	r.spare = r.spare[1:]
	*p = of
	local := slices.Contains(formulary.LocalRoutes, p.route)
	if local {
		p.where = p.route
	}
	p.reaches = !local || p.route == p.MainRoute
	return p
}

// parts gives each part of one medicine; single is what one administration holds, unstated if it was not said.
func (r *run) parts(ingredient, product string, dose formulary.Decimal, unit string, units formulary.Decimal, route, form string, give func(*part)) {
	if product == "" {
		i := r.kb.Ingredients[ingredient]
		p := r.part(part{Ingredient: i, route: routeOf(i, route, form), form: formOf(i, route, form)})
		if !dose.IsZero() {
			p.single, _ = formulary.NewAmount(dose, unit) // the unit was validated
		}
		give(p)
		return
	}
	components := r.kb.Products[product].Components
	for _, c := range components {
		p := r.part(part{Ingredient: c.Ingredient, route: routeOf(c.Ingredient, route, form), form: formOf(c.Ingredient, route, form), strength: c.Strength})
		p.compound = len(components) > 1 || r.kb.Products[product].Others != ""
		if !units.IsZero() {
			p.single = c.Strength.Times(units.Ratio())
		}
		give(p)
	}
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
