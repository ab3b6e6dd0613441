package app

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"yuanzhen/internal/identity"
	"yuanzhen/internal/keys"
)

// gateway speaks to an outside party through the hospital's own small adapter: one
// POST of JSON, any 2xx is success.
type gateway struct {
	url    string
	client http.Client
}

func newGateway(url string) *gateway {
	return &gateway{url: url, client: http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (g *gateway) post(ctx context.Context, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := g.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("gateway answered %s", response.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(answer)
}

// smsGateway is notify.Sender over the gateway.
type smsGateway struct{ *gateway }

func (g smsGateway) Send(ctx context.Context, phone, body string) error {
	return g.post(ctx, map[string]string{"phone": phone, "body": body}, nil)
}

// realNameGateway is identity.RealName over the gateway.
type realNameGateway struct{ *gateway }

func (g realNameGateway) Matches(ctx context.Context, name string, id identity.ResidentID) (bool, error) {
	var answer struct{ Matches bool }
	err := g.post(ctx, map[string]string{"name": name, "id_no": id.Number}, &answer)
	return answer.Matches, err
}

// realNameSimulator believes every name: for the demo, where the page says so.
type realNameSimulator struct{}

func (realNameSimulator) Matches(context.Context, string, identity.ResidentID) (bool, error) {
	return true, nil
}

// caGateway is keys.CA over the gateway.
type caGateway struct {
	*gateway
	root []byte
}

func (g caGateway) Certify(ctx context.Context, request []byte, from, until time.Time) ([]byte, error) {
	var answer struct{ Certificate []byte }
	err := g.post(ctx, map[string]any{"certify": request, "from": from, "until": until}, &answer)
	return answer.Certificate, err
}

func (g caGateway) Revoke(ctx context.Context, certificate []byte, reason string) error {
	return g.post(ctx, map[string]any{"revoke": certificate, "reason": reason}, nil)
}

func (g caGateway) Root() []byte { return g.root }

// authority is the hospital's provider of certificates, or in the demo a simulator.
func (o *Options) authority(vault *keys.Vault) (keys.CA, error) {
	if o.CAURL == "" {
		return keys.NewSimulatedCA(vault)
	}
	text, err := os.ReadFile(o.CARoot)
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_CA_ROOT: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || keys.CheckRoot(block.Bytes) != nil {
		return nil, fmt.Errorf("YUANZHEN_CA_ROOT %s: want the authority's certificate in PEM", o.CARoot)
	}
	return caGateway{newGateway(o.CAURL), block.Bytes}, nil
}
