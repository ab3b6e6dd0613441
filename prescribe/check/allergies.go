package check

import (
	"slices"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// allergies are checked on every route. One alert for each drug and type: the most severe; a crossing is told only
// where it is worse than the shared group.
func (r *run) allergies() {
	for _, p := range r.new {
		var shared, crossed Alert
		for _, a := range r.c.Allergies {
			if found := r.sharedAllergy(p, a); found.Severity > shared.Severity {
				shared = found
			}
			if found := r.crossedAllergy(p, a); found.Severity > crossed.Severity {
				crossed = found
			}
		}
		switch {
		case shared.Severity == 0 && crossed.Severity == 0:
		case crossed.Severity > shared.Severity:
			r.add(crossed)
		default:
			r.add(shared)
		}
	}
}

// severe reactions make every relation of the drug forbidden ground; one that nobody described counts as severe.
func (a Allergy) severe() bool { return a.Severity == "severe" || a.Severity == "" }

func (r *run) groupsOf(a Allergy) []string {
	if a.Group != "" {
		return []string{a.Group}
	}
	return r.kb.Ingredients[a.Ingredient].Groups
}

var chooseOther = fault.Text{ZH: "换用结构无关的药物，或更正过敏记录。", EN: "Choose an unrelated drug, or correct the allergy record."}

func (r *run) sharedAllergy(p *part, a Allergy) Alert {
	if a.Ingredient == p.ID {
		return alert("allergy", formulary.Contraindicated,
			fault.Text{ZH: "患者对" + p.Name.ZH + "过敏。", EN: "The patient is allergic to " + p.Name.EN + "."}, chooseOther, []string{p.ID}, "ingredients:"+p.ID)
	}
	for _, g := range r.groupsOf(a) {
		if !slices.Contains(p.Groups, g) {
			continue
		}
		severity := formulary.Major
		if a.severe() {
			severity = formulary.Contraindicated
		}
		name := r.kb.Groups[g].Name
		return alert("allergy", severity,
			fault.Text{ZH: "患者对" + name.ZH + "过敏，" + p.Name.ZH + "属于此类。", EN: "The patient is allergic to " + name.EN + "; " + p.Name.EN + " is one of them."},
			chooseOther, []string{p.ID}, "allergy_groups:"+g)
	}
	return Alert{}
}

func (r *run) crossedAllergy(p *part, a Allergy) Alert {
	var worst Alert
	for _, from := range r.groupsOf(a) {
		for _, to := range p.Groups {
			crossing, known := r.kb.Crossing(from, to)
			if !known {
				continue
			}
			severity := crossing.Severity
			if severity == formulary.Moderate && a.severe() {
				severity = formulary.Major
			}
			if severity <= worst.Severity {
				continue
			}
			name := r.kb.Groups[from].Name
			worst = alert("allergy_cross", severity,
				fault.Text{ZH: "患者对" + name.ZH + "过敏，可能对" + p.Name.ZH + "交叉过敏。", EN: "An allergy to " + name.EN + " may reach " + p.Name.EN + "."},
				fault.Text{ZH: "换药，或在可处置过敏反应的地方首次用药。", EN: "Choose another drug, or give the first dose where a reaction can be treated."},
				[]string{p.ID}, crossing.Row, crossing.Basis)
		}
	}
	return worst
}
