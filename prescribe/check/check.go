// Package check judges one draft prescription: given the knowledge and a case it says what a careful
// pharmacist would, with the row of data behind each word. It asks nothing and remembers nothing:
// the same case and the same knowledge give the same bytes.
//
// Each kind of check is a file. What the data can't judge is an alert of its own (not_checked), never silence;
// what the data leaves open on purpose stands in Result.NotCurated.
package check

import (
	"cmp"
	"slices"
	"strings"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// Severity of an alert; it sets the tier and, with the others, the decision.
type Severity = formulary.Severity

// Result of Run. Alerts are ordered by falling severity, then type, then ingredients; each Key is there once.
type Result struct {
	ID         string   `json:"id,omitempty"`
	Decision   string   `json:"decision" enum:"clean,info,override,block"`
	Alerts     []Alert  `json:"alerts"`
	Knowledge  string   `json:"knowledge" doc:"version of the data that was asked"`
	NotCurated []string `json:"not_curated,omitempty" doc:"what the data leaves open: ingredient and column"`
}

// Alert is one finding.
type Alert struct {
	Key      string     `json:"key" doc:"type and ingredients; names the alert in an override"`
	Type     string     `json:"type"`
	About    []string   `json:"about" doc:"ingredient ids, sorted; empty when it is about the whole prescription"`
	Severity Severity   `json:"severity" enum:"moderate,major,contraindicated"`
	Tier     string     `json:"tier" enum:"passive,interruptive,hard_stop"`
	Text     fault.Text `json:"text"`
	Remedy   fault.Text `json:"remedy"`
	Evidence []string   `json:"evidence" doc:"rows of the formulary, their sources and the values compared"`
}

// Decisions by the worst severity among the alerts.
var decisions = [...]string{"clean", "info", "override", "block"}

var tiers = [...]string{"", "passive", "interruptive", "hard_stop"}

// Run judges a valid case (Case.Validate).
func Run(kb *formulary.Knowledge, c Case) Result {
	r := prepare(kb, &c)
	for _, judge := range []func(*run){
		(*run).rules, (*run).allergies, (*run).interactions, (*run).pregnancy, (*run).lactation, (*run).ages,
		(*run).renal, (*run).contraindications, (*run).doses, (*run).durations, (*run).duplicates, (*run).gaps,
	} {
		judge(r)
	}
	return r.result()
}

// run is one judging: the case laid out by ingredient, and the alerts so far.
type run struct {
	kb         *formulary.Knowledge
	c          *Case
	months     int // lower bound of the age in whole months; -1 unknown
	conditions []string
	new        []*part
	active     []*part // without the entries that a renewal replaces
	replaced   []*part
	daily      []intake // of each ingredient: new and active systemic parts
	alerts     []Alert
	open       []string // NotCurated
	spare      []part   // a block to take parts from
}

// intake is what a patient takes of an ingredient in a day. What is known counts, even where more is unknown.
type intake struct {
	of    *formulary.Ingredient
	known formulary.Amount
	whole bool // no part is of unknown dose
}

// part is one ingredient of one item or one active medicine.
type part struct {
	*formulary.Ingredient
	item        int // the item or active medicine it belongs to
	route, form string
	where       string           // where a local route works; "" for all others, which share one site, the body
	reaches     bool             // the body, in a dose that matters: see systemic
	compound    bool             // one of several ingredients of a product
	strength    formulary.Amount // in one unit of a product
	single      formulary.Amount // in one administration of an item
	weekly      formulary.Decimal
	daily       formulary.Amount
	days        int
	remaining   int // days left of an active medicine
	aiGenerated bool
}

// systemic reports that the drug reaches the body in a dose that matters: every route but the local ones,
// and the local ones for drugs that are curated for them (timolol eye drops slow the heart).
func (p *part) systemic() bool { return p.reaches }

// site is where the drug works.
func (p *part) site() string { return p.where }

func (p *part) injected() bool {
	return p.form == "inj" || slices.Contains([]string{"iv", "im", "sc", "id"}, p.route)
}

// alert of a severity about ingredients; the list becomes the alert's.
func alert(kind string, severity Severity, text, remedy fault.Text, about []string, evidence ...string) Alert {
	key := kind
	switch len(about) {
	case 0:
		about = []string{}
	case 1:
		key += ":" + about[0]
	default:
		slices.Sort(about)
		key += ":" + strings.Join(about, "+")
	}
	return Alert{key, kind, about, severity, tiers[severity], text, remedy, evidence}
}

// add keeps the most severe alert of a key; equal ones are told by their words, so that the order of items
// never shows. Reasons of not_checked add up.
func (r *run) add(a Alert) {
	at := r.at(a.Key)
	if at < 0 {
		r.alerts = append(r.alerts, a)
		return
	}
	switch old := r.alerts[at]; {
	case a.Type == NotChecked:
		a.Evidence = append(a.Evidence, old.Evidence...)
		slices.Sort(a.Evidence)
		a.Evidence = slices.Compact(a.Evidence)
		if old.Text.EN < a.Text.EN {
			a.Text, a.Remedy = old.Text, old.Remedy
		}
	case a.Severity < old.Severity || a.Severity == old.Severity && a.Text.EN+strings.Join(a.Evidence, "") >= old.Text.EN+strings.Join(old.Evidence, ""):
		return
	}
	r.alerts[at] = a
}

// at is where the alert of a key stands, -1 where there is none. There are a few dozen; a map would cost more than it saves.
func (r *run) at(key string) int {
	for i := range r.alerts {
		if r.alerts[i].Key == key {
			return i
		}
	}
	return -1
}

// intakeOf an ingredient; the zero intake where nothing systemic is taken of it.
func (r *run) intakeOf(i *formulary.Ingredient) (n intake) {
	if at := r.taken(i); at >= 0 {
		n = r.daily[at]
	}
	return n
}

func (r *run) taken(i *formulary.Ingredient) int {
	for at := range r.daily {
		if r.daily[at].of == i {
			return at
		}
	}
	return -1
}

// NotChecked is the type of alert for what the data can't judge.
const NotChecked = "not_checked"

func (r *run) notChecked(p *formulary.Ingredient, why, remedy fault.Text, evidence ...string) {
	r.add(alert(NotChecked, formulary.Major,
		fault.Text{ZH: p.Name.ZH + "：未能核查，" + why.ZH, EN: p.Name.EN + ": not checked, " + why.EN}, remedy, []string{p.ID}, evidence...))
}

func (r *run) result() Result {
	worst := Severity(0)
	for i := range r.alerts {
		worst = max(worst, r.alerts[i].Severity)
	}
	// Alerts are large: their places are sorted, and then each moves once.
	order := make([]int, len(r.alerts))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, k int) int {
		a, b := &r.alerts[i], &r.alerts[k]
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(a.Key, b.Key))
	})
	for to, from := range order {
		for from < to { // it has moved: follow it
			from = order[from]
		}
		r.alerts[to], r.alerts[from] = r.alerts[from], r.alerts[to]
	}
	slices.Sort(r.open)
	return Result{ID: r.c.ID, Decision: decisions[worst], Alerts: r.alerts, Knowledge: r.kb.Version, NotCurated: slices.Compact(r.open)}
}

// under reports that the patient has a condition below one of the prefixes, and which.
func (r *run) under(prefixes []string) (string, bool) {
	for _, prefix := range prefixes {
		for _, code := range r.conditions {
			if formulary.HasPrefix(code, prefix) {
				return code, true
			}
		}
	}
	return "", false
}

// child is under 18; a patient of unknown age is not known to be one.
func (r *run) child() bool { return r.months >= 0 && r.months < 18*12 }
