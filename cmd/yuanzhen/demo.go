package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"yuanzhen/cmd/yuanzhen/demo"
)

type demoCmd struct {
	Cast demoCastCmd `cmd:"" help:"List the people of a running demo, how they sign in, and a session token each."`
	Room demoRoomCmd `cmd:"" help:"Open a room on a running demo and print a ticket a seat."`
}

type demoCastCmd struct {
	Addr string `default:"http://127.0.0.1:8080" help:"Base address of the demo."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (c *demoCastCmd) Run(ctx context.Context) error {
	var people []demo.Person
	if err := ask(ctx, http.MethodGet, c.Addr+"/api/v1/demo/cast?sessions=true", nil, &people); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(people)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range people {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s%s\t%s\n", p.Name, p.Role, p.Place, p.SignIn.Login, p.SignIn.Phone, p.SignIn.TOTPNow)
	}
	return table.Flush()
}

type demoRoomCmd struct {
	Addr  string `default:"http://127.0.0.1:8080" help:"Base address of the demo."`
	Seats int    `default:"2" help:"How many seats, 1 to 16."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

func (c *demoRoomCmd) Run(ctx context.Context) error {
	var room demo.Room
	if err := ask(ctx, http.MethodPost, c.Addr+"/api/v1/demo/room", map[string]int{"seats": c.Seats}, &room); err != nil {
		return err
	}
	room.Socket = strings.Replace(strings.TrimSuffix(c.Addr, "/"), "http", "ws", 1) + room.Socket
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(room)
	}
	fmt.Println(room.Socket, room.Room)
	for _, s := range room.Seats {
		fmt.Println(s.Seat, s.Ticket)
	}
	return nil
}

// ask puts one question to a running demo.
func ask(ctx context.Context, method, url string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no demo answers there: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %.300s", url, response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
