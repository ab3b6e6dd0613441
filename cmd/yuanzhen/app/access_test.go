package app_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"yuanzhen/internal/authz"
)

// actors is one person of the cast a role; anonymous has no session.
var actors = map[string]string{authz.Anonymous: "", authz.Patient: "李强", authz.Doctor: "陈慧", authz.Pharmacist: "刘芳",
	authz.Coordinator: "孙丽", authz.Administrator: "钱进", authz.Regulator: "吴监"}

type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	Action     string `json:"x-action"`
	Parameters []struct {
		Name, In string
		Required bool
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Format     string
	Pattern    string
	Enum       []any
	Minimum    float64
	MinLength  int
	MinItems   int
	Items      *schema
	Properties map[string]schema
	Required   []string
}

// sample is a value that fits the schema and belongs to nobody.
func (d *document) sample(name string, s schema) any {
	if s.Ref != "" {
		s = d.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	switch s.Type {
	case "object":
		o := object{}
		for _, name := range s.Required {
			o[name] = d.sample(name, s.Properties[name])
		}
		return o
	case "array":
		list := []any{}
		for range s.MinItems {
			list = append(list, d.sample(name, *s.Items))
		}
		return list
	case "integer", "number":
		return max(s.Minimum, 1)
	case "boolean":
		return true
	}
	switch {
	case name == "id" || strings.HasSuffix(name, "_id"):
		return uuid.NewString()
	case s.Format == "date-time":
		return "2030-01-01T10:00:00+08:00"
	case s.Format == "date" || name == "dx_date":
		return "2026-01-01"
	case s.Pattern == "^[0-9a-f]{64}$":
		return strings.Repeat("0", 64)
	case s.Pattern == "^[0-9]{6}$":
		return "000000"
	case strings.HasPrefix(s.Pattern, "^[0-9.]"):
		return "1.2.3"
	}
	return strings.Repeat("一", max(s.MinLength, 2))
}

var pathValues = map[string]string{"study": "1.2.3", "series": "1.2.3.4", "instance": "1.2.3.4.5", "frames": "1", "tags": "7FE00010"}

// made is a request of the operation with made-up ids, whole enough to be understood.
func (d *document) made(method, path string, o operation) request {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if name = strings.TrimSuffix(name, "}"); pathValues[name] != "" {
				parts[i] = pathValues[name]
			} else {
				parts[i] = uuid.NewString()
			}
		}
	}
	r := request{method: strings.ToUpper(method), path: strings.Join(parts, "/")}
	query := []string{}
	for _, p := range o.Parameters {
		if p.In == "query" && p.Required {
			query = append(query, fmt.Sprintf("%s=%v", p.Name, d.sample(p.Name, p.Schema)))
		}
	}
	if query != nil {
		r.path = strings.TrimSuffix(r.path+"?"+strings.Join(query, "&"), "?")
	}
	if content, ok := o.RequestBody.Content["application/json"]; ok {
		r.contentType = "application/json"
		r.body, _ = json.Marshal(d.sample("", content.Schema))
	}
	return r
}

// The access table: every operation × every role, as it answers. It must be the reviewed file, and what
// internal/authz/policy.csv says. Write it anew: go test ./cmd/yuanzhen/app -run House/access -update.
func (b *building) testAccess(t *testing.T) {
	b.t = t
	var d document
	if err := json.Unmarshal(b.sendAs("", request{method: "GET", path: "/api/openapi.json"}).body, &d); err != nil {
		t.Fatal(err)
	}
	policy := map[[2]string]bool{}
	lines, err := authz.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		policy[[2]string{l.Role, l.Action}] = true
	}
	rows := []string{}
	for path, operations := range d.Paths {
		for method, o := range operations {
			if o.Action == "" {
				t.Errorf("%s %s has no x-action", method, path)
			}
			row := fmt.Sprintf("%-5s%-92s%-22s", strings.ToUpper(method), path, o.Action)
			for _, role := range authz.Roles {
				allowed := b.asked(t, d.made(method, path, o), role)
				if want := policy[[2]string{role, o.Action}] || policy[[2]string{authz.Anonymous, o.Action}]; allowed != want {
					t.Errorf("%s %s by %s: allowed %v, policy.csv says %v", method, path, role, allowed, want)
				}
				row += fmt.Sprintf("%-14s", map[bool]string{true: "allowed", false: "-"}[allowed])
			}
			rows = append(rows, strings.TrimRight(row, " "))
		}
	}
	slices.SortFunc(rows, func(a, b string) int { return cmp.Or(strings.Compare(a[5:], b[5:]), strings.Compare(a, b)) })
	head := fmt.Sprintf("%-97s%-22s", "# operation", "action")
	for _, role := range authz.Roles {
		head += fmt.Sprintf("%-14s", role)
	}
	table := strings.TrimRight(head, " ") + "\n" + strings.Join(rows, "\n") + "\n"
	if *update {
		if err := os.WriteFile(filepath.Join(here, "testdata", "access.txt"), []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reviewed := strings.Split(string(file(t, "testdata", "access.txt")), "\n")
	for _, row := range strings.Split(table, "\n") {
		if !slices.Contains(reviewed, row) {
			t.Errorf("not in the reviewed table: %s", row)
		}
	}
	for _, row := range reviewed {
		if !strings.Contains(table, row) {
			t.Errorf("in the reviewed table, but it does not answer so: %s", row)
		}
	}
}

// asked reports whether the role may do it at all. What comes after the door must never be our failure.
func (b *building) asked(t *testing.T, r request, role string) bool {
	r.who = actors[role]
	a := b.send(r)
	if a.status == 401 || a.status == 403 {
		switch p := a.problem(); p.Code {
		case "sign_in_first":
			if role != authz.Anonymous {
				t.Errorf("%s %s: %s is asked to sign in", r.method, r.path, role)
			}
			return false
		case "not_your_role":
			return false
		}
	}
	if a.status >= 500 || a.status == 403 {
		t.Errorf("%s %s by %s: %d %s", r.method, r.path, role, a.status, a.body)
	}
	return true
}
