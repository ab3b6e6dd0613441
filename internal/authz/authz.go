// Package authz answers who may do what, where.
//
// One reviewed file, policy.csv, says which role may do which action and how far
// it reaches: to one's own matters, to patients in a care relation, to all of the
// place of practice, or to everything. The route names its action; casbin decides
// (role × action × reach with the place as domain) from the memberships that the
// session's subject holds at this moment in Postgres. What it grants becomes a
// Scope, and each SQL statement keeps to the scope by its named arguments, so that
// "is this my patient" is asked where the patient is read.
package authz

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

// Roles. Anonymous is everybody, signed in or not.
const (
	Anonymous     = "anonymous"
	Patient       = "patient"
	Doctor        = "doctor"
	Pharmacist    = "pharmacist"
	Coordinator   = "coordinator"
	Administrator = "administrator"
	Regulator     = "regulator"
	Device        = "device" // a machine of a hospital that hands images in
)

// Roles lists those of people in the order of the access table.
var Roles = []string{Anonymous, Patient, Doctor, Pharmacist, Coordinator, Administrator, Regulator}

// Membership is a role at a place of practice; the place of the roles anonymous
// and patient is the zero institution.
type Membership struct {
	Role  string
	Place ids.Institution
}

// Subject is who asks. Made from the session at each request; nil is nobody.
type Subject struct {
	Session      ids.Session
	Account      ids.Account
	Practitioner ids.Practitioner // zero unless physician or pharmacist
	Name         string
	SecondFactor bool
	Memberships  []Membership
}

// Holds reports whether the subject has the role at the place.
func (s *Subject) Holds(role string, place ids.Institution) bool {
	if role == Anonymous {
		return place.IsZero()
	}
	if s == nil {
		return false
	}
	for _, m := range s.Memberships {
		if m.Role == role && m.Place == place {
			return true
		}
	}
	return false
}

// Scope is how far an action reaches for a subject. The zero scope reaches
// nothing: an empty filter never means "all".
type Scope struct {
	Subject *Subject
	Action  string
	own     bool
	care    bool
	all     bool
	places  []ids.Institution
	link    string
}

// Args are the named arguments that every statement on patients' matters filters by:
//
//	@scope_account       the account, for matters of the persons it may act for; else NULL
//	@scope_practitioner  the practitioner, for patients in a care relation; else NULL
//	@scope_places        institutions whose matters are all open; may be empty
//	@scope_all           everything is open (regulator)
//	@scope_link          the share link that the asker has opened; else NULL
func (s Scope) Args() pgx.NamedArgs {
	args := pgx.NamedArgs{"scope_account": nil, "scope_practitioner": nil, "scope_places": []string{}, "scope_all": s.all, "scope_link": nil}
	if s.own {
		args["scope_account"] = s.Subject.Account.String()
	}
	if s.care && !s.Subject.Practitioner.IsZero() {
		args["scope_practitioner"] = s.Subject.Practitioner.String()
	}
	if s.link != "" {
		args["scope_link"] = s.link
	}
	places := make([]string, len(s.places))
	for i, p := range s.places {
		places[i] = p.String()
	}
	args["scope_places"] = places
	return args
}

// With adds a statement's own arguments to the scope's.
func (s Scope) With(more pgx.NamedArgs) pgx.NamedArgs {
	args := s.Args()
	for k, v := range more {
		args[k] = v
	}
	return args
}

// Places are the institutions that the action covers as a whole.
func (s Scope) Places() []ids.Institution { return s.places }

// ByLink is the scope of somebody without an account who has opened a share link: what the link shows, nothing else.
func ByLink(action, link string) Scope { return Scope{Action: action, link: link} }

// Link is the share link of ByLink, else "".
func (s Scope) Link() string { return s.link }

// Empty reports whether the action is granted nowhere.
func (s Scope) Empty() bool { return !s.own && !s.care && !s.all && len(s.places) == 0 && s.link == "" }

const casbinModel = `
[request_definition]
r = sub, dom, act, reach
[policy_definition]
p = role, act, reach
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && r.reach == p.reach && holds(r.sub, p.role, r.dom)
`

//go:embed policy.csv
var policyFile string

// Policy is the loaded access table. Safe for use by many.
type Policy struct {
	actions map[string]*casbin.SyncedEnforcer // each holds the lines of its action alone: casbin tries every line it holds
}

// Line is one line of the access table.
type Line struct{ Role, Action, Reach string }

// Load reads the access table that is compiled in.
func Load() (*Policy, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return nil, err
	}
	p := &Policy{actions: map[string]*casbin.SyncedEnforcer{}}
	lines, err := Lines()
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		e := p.actions[l.Action]
		if e == nil {
			if e, err = casbin.NewSyncedEnforcer(m.Copy()); err != nil {
				return nil, err
			}
			e.AddFunction("holds", func(args ...any) (any, error) {
				return args[0].(*Subject).Holds(args[1].(string), args[2].(ids.Institution)), nil
			})
			p.actions[l.Action] = e
		}
		if _, err := e.AddPolicy(l.Role, l.Action, l.Reach); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Lines parses policy.csv: p, role, action, reach.
func Lines() ([]Line, error) {
	r := csv.NewReader(strings.NewReader(policyFile))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, 4
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("policy.csv: %w", err)
	}
	var lines []Line
	for _, row := range rows {
		l := Line{Role: row[1], Action: row[2], Reach: row[3]}
		if row[0] != "p" || !known(l.Role, append([]string{Device}, Roles...)) || !known(l.Reach, []string{"own", "care", "place", "all"}) {
			return nil, fmt.Errorf("policy.csv: can't read %q", strings.Join(row, ", "))
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// Known reports whether the access table has a line for the action.
func (p *Policy) Known(action string) bool { return p.actions[action] != nil }

// Public reports whether everybody may do it, signed in or not.
func (p *Policy) Public(action string) bool {
	e := p.actions[action]
	if e == nil {
		return false
	}
	lines, err := e.GetFilteredPolicy(0, Anonymous)
	return err == nil && len(lines) > 0
}

// Scope asks how far the action reaches for the subject.
func (p *Policy) Scope(sub *Subject, action string) (Scope, error) {
	scope := Scope{Subject: sub, Action: action}
	e := p.actions[action]
	if e == nil {
		return scope, nil
	}
	domains := []ids.Institution{{}}
	if sub != nil {
		for _, m := range sub.Memberships {
			if !known(m.Place, domains) {
				domains = append(domains, m.Place)
			}
		}
	}
	for _, dom := range domains {
		for _, reach := range []string{"own", "care", "place", "all"} {
			ok, err := e.Enforce(sub, dom, action, reach)
			if err != nil {
				return Scope{}, err
			}
			if !ok {
				continue
			}
			switch reach {
			case "own":
				scope.own = sub != nil
			case "care":
				scope.care = true
			case "place":
				scope.places = append(scope.places, dom)
			case "all":
				scope.all = true
			}
		}
	}
	return scope, nil
}

func known[T comparable](x T, all []T) bool {
	for _, y := range all {
		if x == y {
			return true
		}
	}
	return false
}

type subjectKey struct{}
type scopeKey struct{}

// WithSubject puts the session's subject into the request's context.
func WithSubject(ctx context.Context, s *Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// SubjectFrom is who asks, nil for nobody.
func SubjectFrom(ctx context.Context) *Subject {
	s, _ := ctx.Value(subjectKey{}).(*Subject)
	return s
}

// WithScope puts what was granted into the request's context.
func WithScope(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// ScopeFrom is what the route's action was granted; the zero scope outside a request.
func ScopeFrom(ctx context.Context) Scope {
	s, _ := ctx.Value(scopeKey{}).(Scope)
	return s
}

// System is the scope of the house's own work (jobs, start-up): everything.
func System(action string) Scope { return Scope{Action: action, all: true} }
