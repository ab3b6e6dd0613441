// Command yuanzhen is the whole platform: the house, its tools and its demo.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/cmd/yuanzhen/bench"
	"yuanzhen/cmd/yuanzhen/edge"
)

// version is set at build time: -ldflags "-X main.version=v1.2.3".
var version = "dev"

// commands is the table of subcommands; each lives in a file of its own.
type commands struct {
	Dev         devCmd         `cmd:"" help:"Run the whole platform on this machine with its demo cast. Example: yuanzhen dev --listen 127.0.0.1:8080"`
	Serve       serveCmd       `cmd:"" help:"Run the platform in production: outside engines, no demo, no simulators."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database to the newest version, or to another one."`
	Seed        seedCmd        `cmd:"" help:"Put the demo cast into an empty database."`
	Eligibility eligibilityCmd `cmd:"" help:"May this visit go online? Example: yuanzhen eligibility check --facts f.json --policies dir --json"`
	Prescribe   prescribeCmd   `cmd:"" help:"Check a prescription, verify its code. Example: yuanzhen prescribe check --case case.yaml --json"`
	Audit       auditCmd       `cmd:"" help:"Prove that the audit log is whole. Example: yuanzhen audit verify --data var"`
	Netcheck    netcheckCmd    `cmd:"" help:"Does this network carry visits? Paths, loss, jitter, throughput, remedies. Example: yuanzhen netcheck https://visit.example.org"`
	Edge        edge.Cmd       `cmd:"" help:"Beside the modalities of a hospital: receives C-STORE, keeps, and sends to the platform. Example: yuanzhen edge https://visit.example.org --token token --rate 1500 --hours 19:00-07:00"`
	Demo        demoCmd        `cmd:"" help:"Ask a running demo for its people and rooms. Example: yuanzhen demo cast --addr http://127.0.0.1:8080 --json"`
	Bench       bench.Cmd      `cmd:"" help:"Measure this machine. Example: yuanzhen bench booking"`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	Completion  completionCmd  `cmd:"" help:"Print a completion script. Example: source <(yuanzhen completion bash)"`
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	var table commands
	parser := kong.Must(&table, kong.Name("yuanzhen"),
		kong.Description("Yuanzhen (远诊): the Internet hospital's teleconsultation platform.\n\nEvery setting is a flag or an environment variable; see 'yuanzhen dev --help'."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)))
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := parsed.Run(parser); err != nil {
		fmt.Fprintln(os.Stderr, "yuanzhen:", err)
		os.Exit(1)
	}
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("yuanzhen", version)
	return err
}

type migrateCmd struct {
	app.Options `embed:""`
	To          int32 `default:"-1" help:"Version to go to, down as well; -1 is the newest."`
}

func (c *migrateCmd) Run(ctx context.Context) error {
	from, to, err := app.Migrate(ctx, &c.Options, c.To)
	if err == nil {
		fmt.Printf("database: version %d (was %d)\n", to, from)
	}
	return err
}
