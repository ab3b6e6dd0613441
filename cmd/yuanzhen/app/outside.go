package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"yuanzhen/internal/identity"
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
