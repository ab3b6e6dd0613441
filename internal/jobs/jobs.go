// Package jobs is the queue in the database (River): what must leave the house, a
// text message or an upload, is inserted in the transaction of the deed and worked
// after it was committed, again and again until it is done.
package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"yuanzhen/internal/pg"
)

// Queue inserts and works jobs. Start works them until Stop.
type Queue struct{ client *river.Client[pgx.Tx] }

// Args is a job as it is stored.
type Args = river.JobArgs

// Periodic is a duty of the house that comes round by itself.
type Periodic struct {
	Every time.Duration
	Args  river.JobArgs
}

// New makes the queue with everybody's workers; without any it only inserts.
func New(db *pg.Pool, log *slog.Logger, workers *river.Workers, duties ...Periodic) (*Queue, error) {
	config := &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}}, Workers: workers,
		Logger: slog.New(quiet{log.Handler()}), FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 500 * time.Millisecond,
	}
	if workers == nil {
		config.Queues = nil
	}
	for _, d := range duties {
		config.PeriodicJobs = append(config.PeriodicJobs, river.NewPeriodicJob(river.PeriodicInterval(d.Every),
			func() (river.JobArgs, *river.InsertOpts) {
				return d.Args, &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: d.Every}}
			}, &river.PeriodicJobOpts{RunOnStart: true}))
	}
	client, err := river.NewClient(riverpgxv5.New(db.Pool), config)
	if err != nil {
		return nil, err
	}
	return &Queue{client}, nil
}

// Insert adds a job to the deed's transaction.
func (q *Queue) Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs) error {
	_, err := q.client.InsertTx(ctx, tx, args, nil)
	return err
}

// InsertAt adds a job that is worked at each of the times.
func (q *Queue) InsertAt(ctx context.Context, tx pgx.Tx, args river.JobArgs, at ...time.Time) error {
	list := make([]river.InsertManyParams, len(at))
	for i, when := range at {
		list[i] = river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{ScheduledAt: when}}
	}
	_, err := q.client.InsertManyTx(ctx, tx, list) // one prepared statement; the COPY of InsertManyFastTx is three messages
	return err
}

// Start begins to work jobs.
func (q *Queue) Start(ctx context.Context) error { return q.client.Start(ctx) }

// Stop lets running jobs end, and cancels them when ctx ends first.
func (q *Queue) Stop(ctx context.Context) error {
	if err := q.client.Stop(ctx); err != nil {
		return q.client.StopAndCancel(context.WithoutCancel(ctx))
	}
	return nil
}

// quiet keeps River's own chatter out of the log; its warnings stay.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(g string) slog.Handler      { return quiet{q.Handler.WithGroup(g)} }
