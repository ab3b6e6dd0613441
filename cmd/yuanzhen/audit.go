package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"yuanzhen/cmd/yuanzhen/app"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Hash every sealed entry anew and hold the tree against its signed heads."`
}

type auditVerifyCmd struct {
	app.Options `embed:""`
	JSON        bool `name:"json" help:"Print the report as JSON."`
}

// Run exits non-zero when the log was altered.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	log, stop, err := app.AuditLog(ctx, &c.Options)
	if err != nil {
		return err
	}
	defer stop()
	report, err := log.Verify(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d entries sealed under %d signed heads, %d not sealed yet\n", report.Sealed, report.Heads, report.Unsealed)
		for _, p := range report.Problems {
			fmt.Println("  !", p)
		}
	}
	if !report.Good() {
		return fmt.Errorf("the audit log was altered: %d problems", len(report.Problems))
	}
	return nil
}
