package check

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// judges holds, for each row of rx_rules, the check that asks it. A test keeps the two lists equal.
var judges = map[string]func(*run, *formulary.Rule){
	"R_DAYS_GENERAL":      func(r *run, rule *formulary.Rule) { r.tooLong(rule, "general") },
	"R_DAYS_EMERGENCY":    func(r *run, rule *formulary.Rule) { r.tooLong(rule, "emergency") },
	"R_DAYS_LONG_MAX":     func(r *run, rule *formulary.Rule) { r.when(r.kind() == "long" && r.longest() > r.longMax(), rule) },
	"R_DAYS_LONG_DEFAULT": (*run).longDefault,
	"R_LONG_EXCLUDED":     (*run).longExcluded,
	"R_LINES_MAX":         func(r *run, rule *formulary.Rule) { r.when(len(r.c.Items) > rule.Limit, rule) },
	"R_VALIDITY":          func(r *run, rule *formulary.Rule) { r.when(int(r.c.Context.ValidDays) > rule.Limit, rule) },
	"R_DIAGNOSIS":         func(r *run, rule *formulary.Rule) { r.when(len(r.conditions) == 0, rule) },
	"R_CHILD_UNDER6":      (*run).childAlone,
	"R_CHILD_WEIGHT":      func(r *run, rule *formulary.Rule) { r.when(r.child() && r.c.Patient.WeightKg.IsZero(), rule) },
	"R_FOLLOWUP_ONLY": func(r *run, rule *formulary.Rule) {
		r.when(r.c.Context.Channel == "online" && r.c.Context.PriorRecord != nil && !*r.c.Context.PriorRecord, rule)
	},
	"R_CTRL_ONLINE": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return r.c.Context.Channel == "online" && among(rule, control(p)) })
	},
	"R_NETSALE_LAW61": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return r.c.Context.Fulfil == "online_retail" && among(rule, control(p)) })
	},
	"R_NETSALE_LIST": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return r.c.Context.Fulfil == "online_retail" && listed(p) })
	},
	// ATC A10: insulins and other antidiabetic injections are the exception.
	"R_NETSALE_INJECTION": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool {
			return r.c.Context.Fulfil == "online_retail" && p.injected() && !strings.HasPrefix(p.ATC, "A10")
		})
	},
	"R_FORM_CHANNEL": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return r.c.Context.Fulfil == "hospital_delivery" && control(p) != "" })
	},
	"R_ABX_SPECIAL": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return p.systemic() && p.Antibacterial == "special" })
	},
	"R_ABX_RESTRICTED": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool {
			return p.systemic() && p.Antibacterial == "restricted" && r.c.Context.PrescriberTitle == "resident"
		})
	},
	"R_TOXIC_2D": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool { return control(p) == "toxic" && p.days > rule.Limit })
	},
	"R_PSY2_7D": func(r *run, rule *formulary.Rule) {
		r.each(rule, func(p *part) bool {
			return r.c.Context.Channel == "offline" && control(p) == "psych2" && p.days > rule.Limit
		})
	},
	"R_EARLY_REFILL": (*run).earlyRefill,
	"R_NO_AI_RX": func(r *run, rule *formulary.Rule) {
		r.when(r.c.Context.Author == "ai" || slices.ContainsFunc(r.new, func(p *part) bool { return p.aiGenerated }), rule)
	},
	"R_NO_PROMOTION": func(r *run, rule *formulary.Rule) { r.when(r.c.Context.Promotion, rule) },
	"R_SINGLE_USE":   func(r *run, rule *formulary.Rule) { r.when(r.c.Context.TokenUsed, rule) },
	"R_APPROVED_DEALER": func(r *run, rule *formulary.Rule) {
		r.when(r.c.Context.PharmacyStatus != "" && r.c.Context.PharmacyStatus != "approved", rule)
	},
}

// elsewhere are the rows that another check asks, because they are about single drugs or about the review.
var elsewhere = map[string]string{
	"R_PREG_UNKNOWN":      "pregnancy.go, as pregnancy_unknown",
	"R_RENAL_UNKNOWN":     "renal.go",
	"R_PHARMACIST_REFUSE": "the pharmacist's review: no approval while an alert is contraindicated",
}

// judged are the rows that judges hold, in one order.
var judged = slices.Sorted(maps.Keys(judges))

func (r *run) rules() {
	for _, id := range judged {
		judges[id](r, r.kb.Rules[id])
	}
}

func (r *run) when(broken bool, rule *formulary.Rule) {
	if broken {
		r.rule(rule)
	}
}

func (r *run) each(rule *formulary.Rule, breaks func(*part) bool) {
	for _, p := range r.new {
		if breaks(p) {
			r.rule(rule, p.ID)
		}
	}
}

// rule reports a broken rule about the whole prescription, or about ingredients.
func (r *run) rule(rule *formulary.Rule, about ...string) {
	text := rule.Name
	for _, id := range about {
		name := r.kb.Ingredients[id].Name
		text = fault.Text{ZH: name.ZH + "：" + text.ZH, EN: name.EN + ": " + text.EN}
	}
	remedy := fault.Text{ZH: "修改处方，或写明理由。", EN: "Change the prescription, or state the reason."}
	if rule.Severity == formulary.Contraindicated {
		remedy = fault.Text{ZH: "修改处方；此条不可跳过。", EN: "Change the prescription; this rule can't be passed."}
	}
	r.add(alert(rule.ID, rule.Severity, text, remedy, about, "rx_rules:"+rule.ID, rule.Source))
}

func (r *run) kind() string {
	if r.c.Context.Type == "" {
		return "general"
	}
	return r.c.Context.Type
}

func (r *run) longest() int {
	days := 0
	for _, item := range r.c.Items {
		days = max(days, int(item.Days))
	}
	return days
}

func (r *run) tooLong(rule *formulary.Rule, kind string) {
	r.when(r.kind() == kind && r.longest() > rule.Limit, rule)
}

// longMax is the most days of a long prescription: the national norm's, or more by a local document on file.
func (r *run) longMax() int {
	return max(r.kb.Rules["R_DAYS_LONG_MAX"].Limit, int(r.c.Context.LocalDays))
}

// longDefault: over four weeks needs an assessment. Where the patient's conditions allow still less, the evidence says so.
func (r *run) longDefault(rule *formulary.Rule) {
	days := r.longest()
	if r.kind() != "long" || days <= rule.Limit || days > r.longMax() {
		return
	}
	r.rule(rule)
	if national := r.kb.Rules["R_DAYS_LONG_MAX"].Limit; days > national {
		a := &r.alerts[r.at(rule.ID)]
		a.Evidence = append(a.Evidence, "context.local_days:"+strconv.Itoa(days)+" d > "+strconv.Itoa(national)+" d")
	}
	var most formulary.Chronic
	for _, c := range r.kb.Chronic {
		if _, has := r.under([]string{c.ICD10}); has && c.MaxDays > most.MaxDays {
			most = c
		}
	}
	if most.MaxDays > 0 && days > most.MaxDays {
		a := &r.alerts[r.at(rule.ID)]
		a.Evidence = append(a.Evidence, "chronic_conditions:"+most.ICD10+":"+strconv.Itoa(most.MaxDays)+" d")
	}
}

// longExcluded: controlled drugs, and antimicrobials except those for chronic infections (tuberculosis, hepatitis B, HIV).
func (r *run) longExcluded(rule *formulary.Rule) {
	if r.kind() != "long" {
		return
	}
	r.each(rule, func(p *part) bool { return control(p) != "" || p.systemic() && antimicrobial(p) && !p.Chronic })
}

func antimicrobial(p *part) bool {
	return p.Antibacterial != "" || slices.ContainsFunc([]string{"J01", "J02", "J04", "J05"}, func(group string) bool { return strings.HasPrefix(p.ATC, group) })
}

// childAlone: under six a guardian must be there, and a doctor of the matching specialty where that is known.
func (r *run) childAlone(rule *formulary.Rule) {
	x := r.c.Context
	young := r.months >= 0 && r.months < rule.Limit*12
	r.when(x.Channel == "online" && young && (!x.GuardianPresent || x.Paediatrician != nil && !*x.Paediatrician), rule)
}

func (r *run) earlyRefill(rule *formulary.Rule) {
	for _, p := range r.replaced {
		if p.remaining > rule.Limit {
			r.rule(rule, p.ID)
		}
	}
}

// among reports that a control class stands in the rule's list.
func among(rule *formulary.Rule, class string) bool {
	return class != "" && slices.Contains(strings.Split(rule.Value, ";"), class)
}

// control is the class under which this presentation is specially managed, "" if it is not. A row for a form or
// for compounds is stricter knowledge than a row for any presentation.
func control(p *part) string {
	class, best := "", 0
	formRow := slices.ContainsFunc(p.Control, func(c formulary.Control) bool { return c.Scope == "form_"+p.form })
	for _, c := range p.Control {
		covers, rank := false, 2
		switch c.Scope {
		case "any":
			covers, rank = true, 1
		case "single":
			covers = !p.compound
		case "compound":
			covers = p.compound
		case "compound_oral_liquid":
			covers = p.compound && p.form == "sol"
		case "compound_oral_le_5mg":
			covers = p.compound && p.route == "po" && !p.strength.Over(fiveMilligrams)
		case "other_forms":
			covers = !formRow
		default:
			covers = c.Scope == "form_"+p.form
		}
		if covers && rank > best {
			class, best = c.Class, rank
		}
	}
	return class
}

var fiveMilligrams = func() formulary.Amount {
	five, _ := formulary.ParseDecimal("5")
	a, _ := formulary.NewAmount(five, "mg")
	return a
}()

// listed reports that online retail of this presentation is banned by the list of 2022. What Article 61 bans is
// R_NETSALE_LAW61's affair.
func listed(p *part) bool {
	return slices.ContainsFunc(p.RetailBans, func(b formulary.RetailBan) bool {
		switch b.Reason {
		case "list2022", "anabolic_catalogue":
			return true
		case "ephedrine_compound", "narcotic_compound":
			return p.compound
		}
		return false
	})
}
