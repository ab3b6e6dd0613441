package consult_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"yuanzhen/consult"
)

var update = flag.Bool("update", false, "write the diagrams of docs/states.md")

// docs/states.md shows the moves as they are in the code: go test ./consult -run Drawn -update.
func TestStatesAreDrawn(t *testing.T) {
	const file = "../docs/states.md"
	page, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	want := string(page)
	if want == "" {
		want = "# States\n\nGenerated from the tables of moves in the code; whatever is not drawn is refused.\n"
	}
	want = section(want, "visit", "Visit 就诊 (consult/visit.go)", consult.VisitMoves)
	want = section(want, "teleconsult", "Teleconsult 会诊 (consult/teleconsult.go)", consult.TeleconsultMoves)
	want = section(want, "policy", "First-visit policy 首诊政策 (consult/policy.go)", consult.PolicyMoves)
	want = section(want, "filing", "Filing 备案申请 (consult/registration.go)", consult.FilingMoves)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Error("docs/states.md is not what the code says: go test ./consult -run Drawn -update")
	}
}

// section replaces the part of the page between its marks, or adds it at the end.
func section(page, name, title string, moves []consult.Move) string {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n```mermaid\nstateDiagram-v2\n", title)
	leaves := map[consult.State]bool{}
	for _, m := range moves {
		if m.From == nil {
			fmt.Fprintf(&b, "    [*] --> %s: %s\n", m.To, m.Deed)
		}
		for _, from := range m.From {
			leaves[from] = true
			fmt.Fprintf(&b, "    %s --> %s: %s\n", from, m.To, m.Deed)
		}
	}
	ended := map[consult.State]bool{}
	for _, m := range moves {
		if !leaves[m.To] && !ended[m.To] {
			ended[m.To] = true
			fmt.Fprintf(&b, "    %s --> [*]\n", m.To)
		}
	}
	fmt.Fprintf(&b, "```\n\n| deed | who | guard | recorded |\n|---|---|---|---|\n")
	for _, m := range moves {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Deed, m.Who, m.Guard, m.Do)
	}
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		before, after = page+"\n", ""
	}
	return before + begin + b.String() + end + after
}
