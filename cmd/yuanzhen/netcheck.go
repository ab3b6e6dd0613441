package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"yuanzhen/signaling/netcheck"
)

type netcheckCmd struct {
	URL  string `arg:"" help:"Address of the platform, as browsers use it (https://visit.example.org)."`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

var errUnfit = errors.New("声音和画面都过不去，请照上面的建议办 nothing gets through; please see the advice above")

// Run sends sound over every path and prints what came, with what to do about it.
func (c *netcheckCmd) Run(ctx context.Context) error {
	r, lost := netcheck.Run(ctx, c.URL, func(p netcheck.Path) {
		if !c.JSON {
			fmt.Fprintf(os.Stderr, "%s …\n", p.Name)
		}
	})
	if lost != nil && len(r.Paths) == 0 {
		return lost
	}
	fit := false
	for _, p := range r.Paths {
		fit = fit || p.OK
	}
	var err error
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(struct {
			netcheck.Report
			Advice any `json:"advice"`
		}{r, r.Advice()})
	} else {
		err = c.print(r)
	}
	switch {
	case err != nil:
		return err
	case lost != nil: // on the way: what was found until then has been printed
		return lost
	case !fit:
		return errUnfit
	}
	return nil
}

func (c *netcheckCmd) print(r netcheck.Report) error {
	fmt.Printf("\n远诊网络检测 Network check of Yuanzhen\n%s  %s\n\n", r.Address, r.At.Format("2006-01-02 15:04:05 -07:00"))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "path\t\tconnect\tround trip\tjitter\tloss\t")
	for _, p := range r.Paths {
		if !p.OK {
			fmt.Fprintf(table, "%s\t不通 no\t\t\t\t\t %s\n", p.Name, p.Why)
			continue
		}
		fmt.Fprintf(table, "%s\t通 yes\t%.0f ms\t%.0f ms\t%.1f ms\t%.1f %%\t\n", p.Name, p.ConnectMs, p.RTTms, p.JitterMs, p.Loss*100)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n下行 down %.0f kbit/s   上行 up %.0f kbit/s\n\n", r.DownKbps, r.UpKbps)
	for _, a := range r.Advice() {
		fmt.Printf("• %s\n  %s\n", a.ZH, a.EN)
	}
	return nil
}
