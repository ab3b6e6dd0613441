package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"yuanzhen/prescribe/qr"
)

type prescribeVerifyCmd struct {
	Code string    `required:"" help:"Evidence code, as the QR holds it (the part after #, or the whole address)."`
	Keys string    `required:"" placeholder:"FILE" help:"List of public keys: curl $ADDR/api/v1/verify/keys > keys.json"`
	At   time.Time `help:"Judge validity at this time (RFC 3339). Default: now."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run proves origin and integrity without asking anybody; that a prescription was not
// used since, only its hospital can say. It exits non-zero unless the code is genuine.
func (c *prescribeVerifyCmd) Run(context.Context) error {
	file, err := os.Open(c.Keys)
	if err != nil {
		return err
	}
	defer file.Close()
	list, err := qr.ReadKeys(file)
	if err != nil {
		return err
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	code := c.Code[strings.LastIndex(c.Code, "#")+1:]
	evidence, result := qr.Verify(code, list, c.At)
	shown := map[string]any{"result": result, "offline": true}
	if result != qr.Forged && result != qr.UnknownKey {
		shown["evidence"] = evidence
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(shown)
	} else {
		_, err = fmt.Println(result, "(签名真伪; 没联网, 不知用没用过 / signature only: offline nobody knows whether it was used)")
	}
	if err == nil && result != qr.Genuine {
		err = fmt.Errorf("the code is %s", result)
	}
	return err
}
