// Package notify reaches people outside the page: text messages today.
package notify

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"yuanzhen/internal/jobs"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
)

// Sender is a provider of text messages. A port, because each hospital has its own.
type Sender interface {
	Send(ctx context.Context, phone, body string) error
}

// sms is the job; number and text are sealed, since jobs stay in the database.
type sms struct {
	Phone []byte `json:"phone"`
	Body  []byte `json:"body"`
}

func (sms) Kind() string { return "sms" }

// SMS inserts messages and works them.
type SMS struct {
	river.WorkerDefaults[sms]
	Vault  *keys.Vault
	Sender Sender
}

// Queue sends the message after the deed was committed.
func (s *SMS) Queue(ctx context.Context, tx pgx.Tx, q *jobs.Queue, phone, body string) error {
	return q.Insert(ctx, tx, sms{s.Vault.Seal("house", "sms.phone", []byte(phone)), s.Vault.Seal("house", "sms.body", []byte(body))})
}

// Register adds the worker.
func (s *SMS) Register(workers *river.Workers) { river.AddWorker(workers, s) }

// Work sends one message.
func (s *SMS) Work(ctx context.Context, job *river.Job[sms]) error {
	phone, err := s.Vault.Open("house", "sms.phone", job.Args.Phone)
	if err != nil {
		return err
	}
	body, err := s.Vault.Open("house", "sms.body", job.Args.Body)
	if err != nil {
		return err
	}
	return s.Sender.Send(ctx, string(phone), string(body))
}

// Simulator is a provider for the demo: it sends nothing and shows the messages on
// screen, where they are labelled. Production refuses to start with it.
type Simulator struct {
	DB    *pg.Pool
	Vault *keys.Vault
}

// Send keeps the message for the inbox.
func (s *Simulator) Send(ctx context.Context, phone, body string) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO simulated_sms (phone_lookup, body) VALUES ($1, $2)`, s.Vault.Lookup("phone", phone), body)
	return err
}

// Message is one simulated text message.
type Message struct {
	At        time.Time `json:"at"`
	Text      string    `json:"text"`
	Simulated bool      `json:"simulated"`
}

// Inbox lists the last messages to a phone, newest first.
func (s *Simulator) Inbox(ctx context.Context, phone string) ([]Message, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT at, body AS text, true AS simulated FROM simulated_sms WHERE phone_lookup = $1 ORDER BY id DESC LIMIT 10`,
		s.Vault.Lookup("phone", phone))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Message])
}

// Simulated marks the provider as a simulator on screen.
func (s *Simulator) Simulated() {}
