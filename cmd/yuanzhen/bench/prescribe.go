package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing/fstest"
	"text/tabwriter"
	"time"

	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/check"
	"yuanzhen/prescribe/formulary"
)

// PrescribeCmd measures the checks, in memory on one core and over HTTP, the claims of pharmacies, signatures and paper.
type PrescribeCmd struct {
	DatabaseURL string `env:"YUANZHEN_BENCH_DATABASE_URL" placeholder:"URL" help:"An empty database to use and fill; without it a private PostgreSQL with safe settings (fsync on) in a temporary folder."`
	Checks      int    `default:"20000" help:"Checks a measurement."`
	Seconds     int    `default:"10" help:"How long checks are asked over HTTP."`
	Races       int    `default:"100000" help:"Races of two pharmacies for one prescription."`
	Signatures  int    `default:"2000" help:"Signatures to make and store."`
	Clients     int    `default:"8" help:"Who sign at the same time."`
}

// verdict is one line of the table.
type verdict func(what, result, goal string, met bool)

// chronic is a full day in a chronic clinic: five new lines beside eight active medicines.
const chronic = `{context: {channel: online, rx_type: long}, patient: {age_years: 72, sex: M, conditions: [I10, E11, I50, I48, N18.4], creatinine_umol_l: 150},
active_meds: [{ingredient: warfarin, daily_dose: 3, unit: mg}, {ingredient: amlodipine, daily_dose: 5, unit: mg}, {ingredient: metformin, daily_dose: 1000, unit: mg},
  {ingredient: digoxin, daily_dose: 0.125, unit: mg}, {ingredient: furosemide, daily_dose: 20, unit: mg}, {ingredient: spironolactone, daily_dose: 20, unit: mg},
  {ingredient: omeprazole, daily_dose: 20, unit: mg}, {ingredient: citalopram, daily_dose: 20, unit: mg}],
items: [{ingredient: simvastatin, dose: 40, unit: mg, per_day: 1, days: 28}, {ingredient: ibuprofen, dose: 300, unit: mg, per_day: 2, days: 7},
  {ingredient: clarithromycin, dose: 500, unit: mg, per_day: 2, days: 7}, {ingredient: valsartan, dose: 80, unit: mg, per_day: 1, days: 28},
  {ingredient: allopurinol, dose: 100, unit: mg, per_day: 1, days: 28}]}`

// Run measures and prints the table.
func (c *PrescribeCmd) Run(ctx context.Context) error {
	kb, err := formulary.Default()
	if err != nil {
		return err
	}
	fmt.Printf("%s\n5 new lines, 8 active medicines\n\n", machine())
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "measured\tresult\tgoal\t")
	line := func(what, result, goal string, met bool) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", what, result, goal, map[bool]string{true: "met", false: "MISSED"}[met])
	}
	if err := c.engine(kb, line); err != nil {
		return err
	}
	if err := c.desk(ctx, kb, line); err != nil {
		return err
	}
	return c.signRows(ctx, line, func(what, result string) { fmt.Fprintf(table, "%s\t%s\t\t\n", what, result) })
}

// engine: checks in memory, on one core with its garbage collection.
func (c *PrescribeCmd) engine(kb *formulary.Knowledge, line verdict) error {
	tenfold, rows, err := grown(kb)
	if err != nil {
		return err
	}
	_, cases, err := check.ReadCases(kb, strings.NewReader(chronic))
	if err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c.run(kb, cases[0]) // warm
	rate, p99, alerts := c.run(kb, cases[0])
	line(fmt.Sprintf("checks a second on one core, with %d findings explained", alerts), fmt.Sprintf("%.0f/s", rate), ">= 20000/s", rate >= 20000)
	line("… p99", fmt.Sprintf("%.3f ms", float64(p99)/float64(time.Millisecond)), "< 1 ms", p99 < time.Millisecond)
	slower, _, _ := c.run(tenfold, cases[0])
	line(fmt.Sprintf("… with %d rows of interactions, ten times as many", rows), fmt.Sprintf("%.2f x slower", rate/slower), "<= 2 x", rate/slower <= 2)
	return c.paperRow(line)
}

// desk: checks over HTTP with what they read and write in the database, and claims.
func (c *PrescribeCmd) desk(ctx context.Context, kb *formulary.Knowledge, line verdict) error {
	url, stop, err := database(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer stop()
	db, err := pg.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	w, err := openWard(ctx, db, kb)
	if err != nil {
		return err
	}
	p95, err := w.overHTTP(kb, c.Seconds)
	if err != nil {
		return err
	}
	line(fmt.Sprintf("checks over HTTP, chart read and draft written, %d/s, p95", httpRate), ms(p95), "< 60 ms", p95 < 60*time.Millisecond)
	rate, err := w.claims(ctx)
	if err != nil {
		return err
	}
	line("claims a second", fmt.Sprintf("%.0f/s", rate), ">= 1000/s", rate >= 1000)
	double, err := w.races(ctx, c.Races)
	if err != nil {
		return err
	}
	line(fmt.Sprintf("double claims in %d races of two pharmacies", c.Races), fmt.Sprint(double), "0", double == 0)
	return nil
}

func (c *PrescribeCmd) run(kb *formulary.Knowledge, one check.Case) (rate float64, p99 time.Duration, alerts int) {
	spent := make([]time.Duration, c.Checks)
	begin := time.Now()
	for i := range spent {
		at := time.Now()
		alerts = len(check.Run(kb, one).Alerts)
		spent[i] = time.Since(at)
	}
	rate = float64(c.Checks) / time.Since(begin).Seconds()
	return rate, percentile(spent, 0.99), alerts
}

// grown is the knowledge with ten times its rows of interactions, among pairs of ingredients that had none.
func grown(kb *formulary.Knowledge) (*formulary.Knowledge, int, error) {
	tables, err := formulary.Shipped()
	if err != nil {
		return nil, 0, err
	}
	header, rest, _ := strings.Cut(string(tables["interactions"]), "\n")
	have := strings.Count(rest, "\n")
	columns := strings.Split(header, ",")
	var names []string
	for id := range kb.Ingredients {
		names = append(names, id)
	}
	slices.Sort(names)
	first, _, _ := strings.Cut(rest, "\n")
	values := strings.Split(first, ",")
	mechanism := values[slices.Index(columns, "mechanism")]
	effect, management := values[slices.Index(columns, "effect")], values[slices.Index(columns, "management")]
	more, rows := header+"\n", have
	for i := range names {
		for k := i + 1; k < len(names) && rows < 10*have; k++ {
			if len(kb.Ingredients[names[i]].With[kb.Ingredients[names[k]]]) > 0 {
				continue
			}
			rows++
			row := map[string]string{"id": fmt.Sprint("bench", rows), "a_type": "ingredient", "a": names[i], "b_type": "ingredient", "b": names[k],
				"severity": "moderate", "tier": "passive", "mechanism": mechanism, "effect": effect, "management": management, "src": "BENCH"}
			cells := make([]string, len(columns))
			for n, column := range columns {
				cells[n] = row[column]
			}
			more += strings.Join(cells, ",") + "\n"
		}
	}
	over, err := tables.Lay(fstest.MapFS{"interactions.csv": &fstest.MapFile{Data: []byte(more)}})
	if err != nil {
		return nil, 0, err
	}
	large, err := over.Read()
	return large, rows, err
}
