package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yuanzhen/prescribe/cds"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

type prescribeCmd struct {
	Check  prescribeCheckCmd  `cmd:"" help:"Check a draft prescription against the formulary."`
	Verify prescribeVerifyCmd `cmd:"" help:"Verify a prescription's evidence code offline."`
	Prove  prescribeProveCmd  `cmd:"" help:"Prove an issued prescription from its proof file, offline and years later: text, signatures, seal, times. Example: yuanzhen prescribe prove RX….proof.json --keys keys.json --ca ca.pem"`
	Import prescribeImportCmd `cmd:"" help:"Lay a hospital's own rows over the drug knowledge: report every difference, then keep the result."`
}

type prescribeCheckCmd struct {
	Case string `required:"" placeholder:"FILE" help:"One case, or a file with a list of cases (YAML or JSON); - for standard input."`
	JSON bool   `name:"json" help:"Print one result a line as JSON."`
	Hook string `enum:",order-select,order-sign" default:"" help:"Don't check: print each case as the CDS Hooks request that asks the same, to POST to /cds-services/yuanzhen-<hook>."`
	knowledgeFlag
}

// knowledgeFlag says with which knowledge: a folder made by 'prescribe import', else what ships.
type knowledgeFlag struct {
	Formulary string `env:"YUANZHEN_FORMULARY" placeholder:"DIR" help:"Drug knowledge, a folder made by 'yuanzhen prescribe import'. Default: what ships with the program."`
}

func (f knowledgeFlag) knowledge() (*formulary.Knowledge, error) {
	if f.Formulary == "" {
		return formulary.Default()
	}
	return formulary.Open(os.DirFS(f.Formulary))
}

func (c *prescribeCheckCmd) Run(context.Context) error {
	in := os.Stdin
	if c.Case != "-" {
		file, err := os.Open(c.Case)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	kb, err := c.knowledge()
	if err != nil {
		return err
	}
	_, cases, err := check.ReadCases(kb, in)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if c.Hook != "" {
		for _, one := range cases {
			if err := out.Encode(cds.RequestOf(kb, one, c.Hook, time.Now())); err != nil {
				return err
			}
		}
		return nil
	}
	for _, one := range cases {
		result := check.Run(kb, one)
		if c.JSON {
			if err := out.Encode(result); err != nil {
				return err
			}
			continue
		}
		fmt.Println(result.ID, result.Decision)
		for _, a := range result.Alerts {
			fmt.Printf("  %-16s %-20s %v  %s / %s\n", a.Severity, a.Type, a.About, a.Text.ZH, a.Text.EN)
		}
	}
	return nil
}

type prescribeImportCmd struct {
	knowledgeFlag
	From string `required:"" placeholder:"DIR" help:"Tables to lay over it (interactions.csv, dose_limits.csv, …): a row with a known key replaces that row, another is added."`
	Into string `placeholder:"DIR" help:"Where the result is kept, for YUANZHEN_FORMULARY; what is there stays beside it as DIR.before. Without it nothing is written."`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Run reports what the new rows change, refuses tables of which one reference does not resolve, and writes all or nothing.
func (c *prescribeImportCmd) Run(context.Context) error {
	was, err := formulary.Shipped()
	if c.Formulary != "" {
		was, err = formulary.Load(os.DirFS(c.Formulary))
	}
	if err != nil {
		return err
	}
	is, err := was.Lay(os.DirFS(c.From))
	if err != nil {
		return fmt.Errorf("%s: %w", c.From, err)
	}
	kb, err := is.Read()
	if err != nil {
		return err
	}
	changes, err := was.Diff(is)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{"knowledge": kb.Version, "changes": changes})
	} else {
		for _, change := range changes {
			fmt.Printf("%-8s %s %s  (%s)\n", change.What, change.Table, change.Key, change.Source)
			for _, f := range change.Fields {
				fmt.Printf("           %s: %q, was %q\n", f.Column, f.Is, f.Was)
			}
		}
		fmt.Printf("%d changes; version %s\n", len(changes), kb.Version)
	}
	if err != nil || c.Into == "" {
		return err
	}
	return keep(c.Into, is.Files())
}

// keep writes a folder beside its place and swaps it in, so that a reader finds the old or the new, never half of it.
func keep(dir string, files map[string][]byte) error {
	fresh := strings.TrimRight(dir, "/") + ".new"
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return err
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), raw, 0o644); err != nil {
			return err
		}
	}
	before := strings.TrimRight(dir, "/") + ".before"
	if err := os.RemoveAll(before); err != nil {
		return err
	}
	if err := os.Rename(dir, before); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, dir)
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
