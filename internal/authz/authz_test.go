package authz

import (
	"testing"

	"yuanzhen/internal/ids"
)

func TestScope(t *testing.T) {
	policy, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	here, there := ids.New[ids.Institution](), ids.New[ids.Institution]()
	patient := &Subject{Account: ids.New[ids.Account](), Memberships: []Membership{{Role: Patient}}}
	doctor := &Subject{Account: ids.New[ids.Account](), Practitioner: ids.New[ids.Practitioner](), Memberships: []Membership{{Doctor, here}, {Doctor, there}}}
	for _, c := range []struct {
		name   string
		sub    *Subject
		action string
		empty  bool
		places int
	}{
		{"a patient reaches the own persons", patient, "person.read", false, 0},
		{"a doctor does not act as a patient", doctor, "person.read", true, 0},
		{"nobody reaches nothing", nil, "person.read", true, 0},
		{"a doctor's own page reaches both places", doctor, "me", false, 2},
		{"everybody may sign in", nil, "session.open", false, 0},
		{"an action without a line is granted to nobody", doctor, "no.such", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := policy.Scope(c.sub, c.action)
			if err != nil {
				t.Fatal(err)
			}
			if s.Empty() != c.empty || len(s.Places()) != c.places {
				t.Fatalf("empty %v, %d places; want %v, %d", s.Empty(), len(s.Places()), c.empty, c.places)
			}
		})
	}
}

func TestZeroScopeReachesNothing(t *testing.T) {
	args := Scope{}.Args()
	if args["scope_account"] != nil || args["scope_practitioner"] != nil || args["scope_all"] != false || len(args["scope_places"].([]string)) != 0 {
		t.Fatalf("%v", args)
	}
}
