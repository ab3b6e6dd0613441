package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

type prescribeProveCmd struct {
	File string    `arg:"" placeholder:"FILE" help:"Proof file of an issued prescription (its page hands it out; GET /api/v1/prescriptions/{id}/proof)."`
	Keys string    `required:"" placeholder:"FILE" help:"List of public keys: curl $ADDR/api/v1/verify/keys > keys.json"`
	CA   string    `name:"ca" placeholder:"FILE" help:"Certificate of the certification authority (PEM): curl $ADDR/api/v1/verify/ca.pem > ca.pem. Without it, the list of keys is believed as it is."`
	At   time.Time `help:"Judge at this time (RFC 3339). Default: now."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run exits non-zero and names every fault unless the file proves its prescription.
func (c *prescribeProveCmd) Run(context.Context) error {
	trust := proof.Trust{At: c.At}
	if trust.At.IsZero() {
		trust.At = time.Now()
	}
	list, err := os.Open(c.Keys)
	if err != nil {
		return err
	}
	defer list.Close()
	if trust.Keys, err = qr.ReadKeys(list); err != nil {
		return err
	}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return fmt.Errorf("%s: want a certificate in PEM", c.CA)
		}
		trust.Root = block.Bytes
	}
	in, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := proof.Read(in)
	if err != nil {
		return err
	}
	e, found := trust.Check(file)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(map[string]any{"genuine": len(found.Faults) == 0, "no": e.No, "institution": e.Institution.Name,
			"issued_at": e.IssuedAt, "faults": found.Faults, "notes": found.Notes})
		if err != nil {
			return err
		}
	} else {
		fmt.Printf("%s  %s  %s\n", e.No, e.Institution.Name, e.IssuedAt.Format(time.RFC3339))
		for _, s := range e.Signed {
			fmt.Printf("  %-9s %s  %s\n", s.What, s.Alg, s.At.Format(time.RFC3339))
		}
		for _, line := range found.Notes {
			fmt.Println("  注意 note: ", line)
		}
		for _, line := range found.Faults {
			fmt.Println("  不符 fault:", line)
		}
	}
	if n := len(found.Faults); n > 0 {
		return fmt.Errorf("not proved: %d faults", n)
	}
	return nil
}
