package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"yuanzhen/cmd/yuanzhen/demo"
	"yuanzhen/migrations"
	"yuanzhen/signaling/cluster"
)

// App is the running house. Made by New, which starts nothing that serves; Start
// opens the doors, Stop closes them.
type App struct {
	options  *Options
	engines  *engines
	house    *house
	log      *slog.Logger
	server   *http.Server
	listener net.Listener
	home     cluster.House // of a process of media alone: the house it works for
	draining atomic.Bool
	closing  context.Context // ends event streams; requests go on to their end
	hangUp   context.CancelFunc
	served   chan error

	formularyVersion string
	formularyLost    error // why nothing is prescribed
}

// New brings up the engines and puts the rooms together.
func New(ctx context.Context, o *Options) (*App, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	a := &App{options: o, log: newLog(o)}
	a.closing, a.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	lines := net.ListenConfig{Control: thinStreams}
	listener, err := lines.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		a.hangUp()
		return nil, fmt.Errorf("YUANZHEN_LISTEN: %w (choose another port, or port 0 for a free one)", err)
	}
	a.listener = listener
	if a.engines, err = startEngines(ctx, o); err == nil {
		if o.mediaAlone() {
			a.house, err = a.wireMedia(ctx)
		} else {
			a.house, err = a.wire(ctx)
		}
	}
	if err != nil {
		a.hangUp()
		listener.Close()
		if a.engines != nil {
			a.engines.stop()
		}
		return nil, err
	}
	return a, nil
}

// Start serves until Stop.
func (a *App) Start(ctx context.Context) error {
	if a.options.has("worker") {
		if err := a.house.queue.Start(ctx); err != nil {
			return err
		}
	}
	base := context.WithoutCancel(ctx)
	a.server = &http.Server{
		Handler: a.house.handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.served = make(chan error, 1)
	go func() { a.served <- a.server.Serve(a.listener) }()
	return nil
}

// Addr is where the house is reached: http://127.0.0.1:8080.
func (a *App) Addr() string {
	if a.options.Public != "" {
		return a.options.Public
	}
	return "http://" + a.listener.Addr().String()
}

// Engines says which database, store and bus are in use.
func (a *App) Engines() (database, store, bus string) {
	return a.engines.databaseKind, a.engines.storeKind, a.engines.busKind
}

// Stop closes in order: unready, event streams told to come back, rooms moved to
// other nodes while the door is open, requests finished, rooms, jobs, engines.
// Requests get until ctx ends.
func (a *App) Stop(ctx context.Context) error {
	a.draining.Store(true)
	a.hangUp()
	errs := []error{a.house.move(ctx)}
	if a.server != nil {
		if err := a.server.Shutdown(ctx); err != nil {
			errs = append(errs, err, a.server.Close())
		}
		if err := <-a.served; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	} else {
		a.listener.Close()
	}
	errs = append(errs, a.house.stop(ctx))
	a.engines.stop()
	return errors.Join(errs...)
}

// ready answers /readyz: each engine with its kind and the time it took to answer.
func (a *App) ready(ctx context.Context) (map[string]any, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	good := !a.draining.Load()
	probe := func(kind string, ask func() error) map[string]any {
		start := time.Now()
		err := ask()
		state := map[string]any{"kind": kind, "ok": err == nil, "ms": time.Since(start).Milliseconds()}
		good = good && err == nil
		return state
	}
	e := a.engines
	state := map[string]any{"version": a.options.Version, "draining": a.draining.Load()}
	if e.db != nil {
		state["database"] = probe(e.databaseKind, func() error { return e.db.Ping(ctx) })
		state["store"] = probe(e.storeKind, func() error { return e.store.Ready(ctx) })
	}
	if e.bus != nil {
		state["bus"] = probe(e.busKind, func() error {
			if !e.bus.IsConnected() {
				return errors.New("not connected")
			}
			return nil
		})
	}
	if a.house.media != nil {
		state["media"] = a.house.media.Snapshot()
	}
	if a.options.has("api") { // its loss stops prescribing alone, so it does not make the house unready
		state["formulary"] = map[string]any{"version": a.formularyVersion, "ok": a.formularyLost == nil}
	}
	state["ready"] = good
	return state, good
}

// Migrate takes the database of these options to a version without serving.
func Migrate(ctx context.Context, o *Options, version int32) (from, to int32, err error) {
	url, stop, err := Database(ctx, o)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	return migrations.Run(ctx, url, version)
}

func newLog(o *Options) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn}[o.Log]
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// Cast lists the demo's people; empty outside demo mode.
func (a *App) Cast(ctx context.Context) ([]demo.Person, error) {
	if a.house.stage == nil {
		return nil, nil
	}
	return a.house.stage.Cast(ctx)
}
