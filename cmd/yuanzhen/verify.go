package main

import (
	"context"
	"errors"
)

type prescribeVerifyCmd struct {
	Code string `required:"" help:"Evidence code, as the QR holds it."`
	Keys string `required:"" placeholder:"FILE" help:"Public keys, as /api/v1/verify/keys gives them (JSON)."`
}

func (c *prescribeVerifyCmd) Run(context.Context) error {
	return errors.New("unreachable")
}
