package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

type prescribeCmd struct {
	Check  prescribeCheckCmd  `cmd:"" help:"Check a draft prescription against the formulary."`
	Verify prescribeVerifyCmd `cmd:"" help:"Verify a prescription's evidence code offline."`
}

type prescribeCheckCmd struct {
	Case string `required:"" placeholder:"FILE" help:"One case, or a file with a list of cases (YAML or JSON); - for standard input."`
	JSON bool   `name:"json" help:"Print one result a line as JSON."`
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
	_, cases, err := check.ReadCases(in)
	if err != nil {
		return err
	}
	kb, err := formulary.Default()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
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

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
