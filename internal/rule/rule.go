// Package rule holds the words in which every gate of the house answers:
// an outcome, and the ordered reasons for it, each with its citation.
package rule

import (
	"fmt"

	"yuanzhen/internal/fault"
)

// Outcome is how a gate answers; a later constant outweighs an earlier one.
type Outcome int

const (
	Allow           Outcome = iota
	AllowCond               // allowed with recorded conditions
	Require                 // curable now
	RedirectOffline         // must be seen in person
	Deny                    // barred
	Emergency               // stop and call 120
)

var outcomes = [...]string{"ALLOW", "ALLOW_COND", "REQUIRE", "REDIRECT_OFFLINE", "DENY", "EMERGENCY"}

func (o Outcome) String() string { return outcomes[o] }

func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func (o *Outcome) UnmarshalText(b []byte) error {
	for i, name := range outcomes {
		if name == string(b) {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("unknown outcome %q", b)
}

// Passes reports whether a gate with this outcome lets the person through.
func (o Outcome) Passes() bool { return o <= AllowCond }

// Reason is one rule that fired.
type Reason struct {
	Rule     string     `json:"rule"`     // e.g. "VIS-11", "EXC-05:FX-PILOT@1"
	Outcome  Outcome    `json:"outcome"`  // what this rule alone asks for
	Message  fault.Text `json:"message"`  // why, in plain words
	Remedy   fault.Text `json:"remedy"`   // what the person can do
	Citation string     `json:"citation"` // the law, with article
}

// Worst is the most severe outcome among the reasons, Allow if there is none.
func Worst(reasons []Reason) Outcome {
	worst := Allow
	for _, r := range reasons {
		worst = max(worst, r.Outcome)
	}
	return worst
}
