package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/consult"
	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/pg"
)

type eligibilityCmd struct {
	Check    eligibilityCheckCmd    `cmd:"" help:"Judge one facts document. Exit 0 with a verdict, non-zero when facts or policies are unusable."`
	Verify   eligibilityVerifyCmd   `cmd:"" help:"Prove a stored decision and judge it again, offline."`
	Simulate eligibilitySimulateCmd `cmd:"" help:"Replay past decisions under a draft policy or draft rules: who would newly pass or fail."`
	Rules    eligibilityRulesCmd    `cmd:"" help:"List the rules, show one, check a pack."`
}

type eligibilityCheckCmd struct {
	Facts    string   `required:"" placeholder:"FILE" help:"Facts document (JSON), or - for standard input."`
	Policies string   `required:"" placeholder:"DIR" help:"Folder of first-visit policies (YAML)."`
	Rules    []string `placeholder:"DIR" help:"Local rule packs over the national rules, a folder each."`
	JSON     bool     `name:"json" help:"Print the decision as JSON."`
}

func (c *eligibilityCheckCmd) Run(context.Context) error {
	facts, err := readFile(c.Facts)
	if err != nil {
		return err
	}
	rules, err := app.Rules(c.Rules)
	if err != nil {
		return err
	}
	decision, err := rules.Judge(facts, eligibility.LoadPolicies(os.DirFS(c.Policies)))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(decision)
	}
	fmt.Println(decision.Verdict)
	for _, r := range decision.Reasons {
		fmt.Printf("  %-16s %s / %s\n  %16s %s\n", r.Rule, r.Message.ZH, r.Message.EN, "", r.Citation)
	}
	for _, w := range decision.Ways {
		fmt.Printf("  → %s / %s\n", w.Title.ZH, w.Title.EN)
	}
	if p := decision.Prospect; p != nil {
		for _, change := range p.Changes {
			fmt.Printf("  + %-14s %s / %s\n", change.Rule, change.Do.ZH, change.Do.EN)
		}
		fmt.Printf("  = %s\n", p.Then)
	}
	return nil
}

type eligibilityVerifyCmd struct {
	Decision string `arg:"" placeholder:"FILE" help:"Decision as the platform gives it out (JSON), or - for standard input."`
	Keys     string `placeholder:"FILE" help:"The house's public keys: curl $ADDR/api/v1/eligibility/keys > keys.json. Without them only the key in the file is known."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run asks nobody. It exits non-zero unless signature, facts, rules, policies and verdict all hold.
func (c *eligibilityVerifyCmd) Run(context.Context) error {
	text, err := readFile(c.Decision)
	if err != nil {
		return err
	}
	var dossier eligibility.Dossier
	if err := json.Unmarshal(text, &dossier); err != nil {
		return fmt.Errorf("%s is not a decision: %w", c.Decision, err)
	}
	found := dossier.Check()
	key := "unconfirmed"
	if c.Keys != "" {
		key = "confirmed"
		if err := confirmed(c.Keys, dossier.Signature); err != nil {
			key = "unknown"
			found.Problems = append(found.Problems, err.Error())
		}
	}
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(struct {
			Good bool   `json:"good"`
			Key  string `json:"key"`
			eligibility.Finding
		}{found.Good() && key != "unknown", key, found}); err != nil {
			return err
		}
	} else {
		word := map[bool]string{true: "ok", false: "NOT PROVED"}
		fmt.Printf("%s  %s  %v  %s\n", found.Ruling.ID, found.Ruling.At.Format(time.RFC3339), found.Ruling.Verdict, strings.Join(found.Ruling.Reasons, ", "))
		for _, line := range []struct {
			zh, en string
			ok     bool
		}{{"签名", "signature", found.Signature}, {"事实", "facts", found.Facts}, {"规则 " + found.Ruling.RuleSet, "rules", found.Rules},
			{"政策", "policies", found.Policies}, {"重新判定", "judged again", found.Verdict}} {
			fmt.Printf("  %s %s: %s\n", line.zh, line.en, word[line.ok])
		}
		fmt.Printf("  公钥 key %s: %s\n", dossier.Signature.KeyID, map[string]string{"confirmed": "in the house's list", "unknown": "NOT in the house's list",
			"unconfirmed": "not compared with the house's list (give --keys)"}[key])
		for _, p := range found.Problems {
			fmt.Println("  !", p)
		}
	}
	if !found.Good() || key == "unknown" {
		return errors.New("the decision is not proved")
	}
	return nil
}

// confirmed reports whether the key stands in the house's list.
func confirmed(file string, signature eligibility.Signature) error {
	text, err := readFile(file)
	if err != nil {
		return err
	}
	var list []consult.DecisionKey
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("%s is not a list of keys: %w", file, err)
	}
	for _, k := range list {
		if k.KeyID == signature.KeyID && bytes.Equal(k.Public, signature.PublicKey) {
			return nil
		}
	}
	return fmt.Errorf("key %s is not in %s", signature.KeyID, file)
}

type eligibilitySimulateCmd struct {
	app.Options `embed:""`
	Decisions   string `placeholder:"FILE" help:"Past decisions as JSON lines ({id, facts, doctor}, or decisions as the platform gives them out), - for standard input. Default: those of the house's database."`
	Days        int    `default:"90" help:"How far back, in the database."`
	Draft       string `placeholder:"FILE" help:"Policy to try (YAML or JSON), as if it were in force all the time."`
	DraftRules  string `placeholder:"DIR" help:"Rule pack to try."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

func (c *eligibilitySimulateCmd) Run(ctx context.Context) error {
	before, err := app.Rules(c.RuleDirs)
	if err != nil {
		return err
	}
	change, pack, err := c.change(before)
	if err != nil {
		return err
	}
	var result eligibility.Simulated
	if c.Decisions != "" {
		result, err = c.replayFile(before, change)
	} else {
		result, err = c.replayHouse(ctx, before, change, pack)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	fmt.Println(result)
	for _, group := range []struct {
		name   string
		shifts []eligibility.Shift
	}{{"病种 disease", result.Diseases}, {"区县 county", result.Counties}, {"医生 doctor", result.Doctors}} {
		for _, s := range group.shifts[:min(len(group.shifts), 10)] {
			fmt.Printf("  %-14s %-38s +%d -%d\n", group.name, s.Key, s.Passes, s.Fails)
		}
	}
	for _, e := range result.Examples {
		fmt.Printf("  例 example %s: %s, %d, %s: %v %v → %v %v\n", e.Decision, e.Disease, e.Age, e.County, e.Before.Verdict, e.Before.Reasons, e.After.Verdict, e.After.Reasons)
	}
	return nil
}

// change is what is tried, with the rule pack of it if there is one.
func (c *eligibilitySimulateCmd) change(rules *eligibility.RuleSet) (_ func(eligibility.Law) eligibility.Law, draftPack *eligibility.Pack, _ error) {
	if c.Draft == "" && c.DraftRules == "" {
		return nil, nil, errors.New("nothing to try: give --draft FILE or --draft-rules DIR")
	}
	var draft *eligibility.Policy
	if c.Draft != "" {
		text, err := readFile(c.Draft)
		if err != nil {
			return nil, nil, err
		}
		if draft, err = eligibility.ParsePolicy(text, "draft"); err != nil {
			return nil, nil, fmt.Errorf("policy %s: %w", c.Draft, err)
		}
	}
	if c.DraftRules != "" {
		pack, err := eligibility.ReadPack(filepath.Base(filepath.Clean(c.DraftRules)), os.DirFS(c.DraftRules))
		if err != nil {
			return nil, nil, err
		}
		if rules, err = rules.With(pack); err != nil {
			return nil, nil, err
		}
		draftPack = &pack
	}
	return func(law eligibility.Law) eligibility.Law {
		after := eligibility.Law{Rules: rules, Policies: law.Policies}
		if draft != nil {
			after.Policies = after.Policies.Replacing(draft.Assumed())
		}
		return after
	}, draftPack, nil
}

// replayFile reads one decision a line; a line may be as long as a decision with its rule set.
func (c *eligibilitySimulateCmd) replayFile(rules *eligibility.RuleSet, change func(eligibility.Law) eligibility.Law) (eligibility.Simulated, error) {
	before := eligibility.Law{Rules: rules}
	if c.PolicyDir != "" {
		before.Policies = eligibility.LoadPolicies(os.DirFS(c.PolicyDir))
	}
	after := change(before)
	if err := errors.Join(before.Policies.Err(), after.Policies.Err()); err != nil {
		return eligibility.Simulated{}, err
	}
	in := io.Reader(os.Stdin)
	if c.Decisions != "-" {
		file, err := os.Open(c.Decisions)
		if err != nil {
			return eligibility.Simulated{}, err
		}
		defer file.Close()
		in = file
	}
	sim := eligibility.Simulate(before, after)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		var past struct {
			ID     string
			Doctor string
			Facts  json.RawMessage
			Ruling struct{ ID string }
		}
		if err := json.Unmarshal(lines.Bytes(), &past); err != nil || past.Facts == nil {
			return eligibility.Simulated{}, fmt.Errorf("line %d of %s has no facts", n, c.Decisions)
		}
		sim.Add(eligibility.Past{ID: past.ID + past.Ruling.ID, Facts: past.Facts, Doctor: past.Doctor})
	}
	return sim.Result(), lines.Err()
}

// replayHouse reads the decisions of the house, running or not, and judges under the policies it knows. That a rule pack alone was
// tried is recorded: it may come into force then.
func (c *eligibilitySimulateCmd) replayHouse(ctx context.Context, rules *eligibility.RuleSet, change func(eligibility.Law) eligibility.Law, pack *eligibility.Pack) (eligibility.Simulated, error) {
	url, stop, err := app.Database(ctx, &c.Options)
	if err != nil {
		return eligibility.Simulated{}, err
	}
	defer stop()
	db, err := pg.Open(ctx, url)
	if err != nil {
		return eligibility.Simulated{}, err
	}
	defer db.Close()
	house := &consult.Service{DB: db, Now: time.Now, Rules: rules}
	began := time.Now()
	result, err := house.Replay(ctx, c.Days, change)
	if err != nil || pack == nil || c.Draft != "" {
		return result, err
	}
	return result, house.KeepTrial(ctx, *pack, change(eligibility.Law{Rules: rules}).Rules, c.Days, result, time.Since(began))
}

type eligibilityRulesCmd struct {
	List rulesListCmd `cmd:"" help:"Every rule in the order of evaluation, with its citation."`
	Show rulesShowCmd `cmd:"" help:"One rule as it is written. Example: yuanzhen eligibility rules show VIS-11"`
	Lint rulesLintCmd `cmd:"" help:"Load the rules and tell their stories. Exit 0 if all hold."`
}

type rulesListCmd struct {
	Rules []string `placeholder:"DIR" help:"Local rule packs, a folder each."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

func (c *rulesListCmd) Run(context.Context) error {
	rules, err := app.Rules(c.Rules)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(rules.Rules())
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rules.Rules() {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%v\t%s\t%s\n", r.Phase, r.ID, r.Pack, r.Jurisdiction, r.Outcome, r.Message.ZH, r.Citation)
	}
	fmt.Fprintln(table, rules.Version())
	return table.Flush()
}

type rulesShowCmd struct {
	ID    string   `arg:"" help:"Rule, such as VIS-11."`
	Rules []string `placeholder:"DIR" help:"Local rule packs, a folder each."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

func (c *rulesShowCmd) Run(context.Context) error {
	rules, err := app.Rules(c.Rules)
	if err != nil {
		return err
	}
	shown := 0
	for _, r := range rules.Rules() {
		if r.ID != strings.ToUpper(c.ID) {
			continue
		}
		shown++
		if c.JSON {
			if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
				return err
			}
			continue
		}
		for _, pack := range rules.Packs() {
			if pack.Name == r.Pack {
				fmt.Printf("# %s/%s.yaml\n%s", pack.Name, r.ID, pack.Files[r.ID+".yaml"])
			}
		}
	}
	if shown == 0 {
		return fmt.Errorf("there is no rule %s; see: yuanzhen eligibility rules list", c.ID)
	}
	return nil
}

type rulesLintCmd struct {
	Rules []string `placeholder:"DIR" help:"Local rule packs, a folder each."`
}

func (c *rulesLintCmd) Run(context.Context) error {
	rules, err := app.Rules(c.Rules)
	if err != nil {
		return err
	}
	found, stories := rules.Lint(), 0
	for _, r := range rules.Rules() {
		stories += len(r.Cases)
	}
	fmt.Printf("%s: %d rules, %d stories told\n", rules.Version(), len(rules.Rules()), stories)
	for _, f := range found {
		fmt.Println("  !", f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d stories do not hold", len(found))
	}
	return nil
}
