// Package live tells open screens that something changed, after it was committed.
//
// Events carry a kind and an id, never the thing itself: a screen asks again and
// sees what it may see. They travel over NATS and may be lost; a screen that
// reconnects asks anew, so nothing depends on one arriving.
package live

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Event says that the thing ID of this kind changed, and who is concerned.
type Event struct {
	Kind string // "visit.changed", "queue.changed", "message.added", "evidence.changed", "prescription.changed", "teleconsult.changed", "teleconsult.marked"
	ID   string

	Accounts      []ids.Account
	Practitioners []ids.Practitioner
	Places        []ids.Institution // every member of staff there
}

type message struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Bus publishes events and streams them to browsers.
type Bus struct {
	Conn    *nats.Conn
	Log     *slog.Logger
	Closing <-chan struct{} // closed when the house stops: streams end, browsers come back
}

// Publish sends the event to everybody concerned. It never fails a deed.
func (b *Bus) Publish(e Event) {
	body, err := json.Marshal(message{e.Kind, e.ID})
	if err != nil {
		panic(err) // two strings
	}
	var subjects []string
	for _, a := range e.Accounts {
		subjects = append(subjects, "live.account."+a.String())
	}
	for _, p := range e.Practitioners {
		subjects = append(subjects, "live.practitioner."+p.String())
	}
	for _, p := range e.Places {
		subjects = append(subjects, "live.place."+p.String())
	}
	for _, s := range subjects {
		if err := b.Conn.Publish(s, body); err != nil {
			b.Log.Warn("event not sent", "kind", e.Kind, "error", err)
		}
	}
}

// heartbeat keeps proxies from closing a quiet stream and shows the browser that
// the line is alive (a list is stale after 30 s without one).
const heartbeat = 15 * time.Second

// Routes adds the event stream.
func (b *Bus) Routes(api *httpapi.API) {
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/events", Action: "me",
		Summary: "Stream of changes that concern the signed-in person (server-sent events)"}, b.stream)
}

func (b *Bus) stream(w http.ResponseWriter, r *http.Request) error {
	sub := authz.SubjectFrom(r.Context())
	subjects := []string{"live.account." + sub.Account.String()}
	if !sub.Practitioner.IsZero() {
		subjects = append(subjects, "live.practitioner."+sub.Practitioner.String())
	}
	for _, m := range sub.Memberships {
		if !m.Place.IsZero() {
			subjects = append(subjects, "live.place."+m.Place.String())
		}
	}
	inbox := make(chan *nats.Msg, 64)
	for _, s := range subjects {
		subscription, err := b.Conn.ChanSubscribe(s, inbox)
		if err != nil {
			return err
		}
		defer subscription.Unsubscribe()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.SetWriteDeadline(time.Time{})
	fmt.Fprint(w, "retry: 1000\nevent: hello\ndata: {}\n\n")
	if err := out.Flush(); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case m := <-inbox:
			fmt.Fprintf(w, "event: change\ndata: %s\n\n", m.Data)
		case <-beat.C:
			fmt.Fprint(w, "event: heartbeat\ndata: {}\n\n")
		case <-r.Context().Done():
			return nil
		case <-b.Closing:
			return nil
		}
		if err := out.Flush(); err != nil {
			return nil // the browser left
		}
	}
}
