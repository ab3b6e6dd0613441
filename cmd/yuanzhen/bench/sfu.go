package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"yuanzhen/internal/child"
	"yuanzhen/signaling/load"
)

// SFUCmd measures the rooms' media: a server of its own as a child, loaded over WHIP and WHEP.
type SFUCmd struct {
	Rooms    []int         `default:"1,25" sep:"," help:"Visits of two at the same time, one measurement each."`
	Audience []int         `default:"50" sep:"," help:"Viewers of one publisher, one measurement each."`
	Window   time.Duration `default:"7s" help:"How long each is measured, after it has settled."`
}

// settle is how long a load runs before it is measured: estimates and key frames of the beginning are over.
const settle = 2 * time.Second

// arriveEvery is the pause between viewers, so that the time to the first packet is the server's and not that of a queue.
const arriveEvery = 20 * time.Millisecond

// Run measures and prints the table.
func (c *SFUCmd) Run(ctx context.Context) error {
	fmt.Printf("%s\nEach publisher sends 1.5 Mbit/s of VP8 and Opus, 210 packets/s. CPU is the server's own, user and kernel; loopback counts the receiver's half too.\n\n", machine())
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "load\tpackets/s out\tCPU µs/packet\tcores\tlost\tlatency p50 / p99\tfirst packet p50 / p99\tfirst key frame p50\tmemory")
	for _, n := range c.Rooms {
		if err := c.measure(ctx, table, fmt.Sprintf("%d visits of 2", n), n, 2, 0); err != nil {
			return err
		}
	}
	for _, n := range c.Audience {
		if err := c.measure(ctx, table, fmt.Sprintf("1 to %d", n), 1, 1, n); err != nil {
			return err
		}
	}
	return table.Flush()
}

// measure runs one load against a fresh server: rooms in which each of the people sends and sees the others, and viewers besides.
func (c *SFUCmd) measure(ctx context.Context, table *tabwriter.Writer, name string, rooms, people, viewers int) error {
	s, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer s.process.Stop(syscall.SIGTERM)
	f, err := load.NewFactory()
	if err != nil {
		return err
	}
	begin, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	crowd := &crowd{}
	defer crowd.close()
	for r := range rooms {
		for p := range people {
			crowd.publish(begin, f, s.target, fmt.Sprintf("/whip/r%d/p%d", r, p))
		}
	}
	crowd.work.Wait() // who watches comes when there is something to see, a few at a time
	for r := range rooms {
		for p := range people {
			for o := range people {
				if o != p {
					crowd.view(begin, f, s.target, fmt.Sprintf("/whep/r%d/p%d", r, o))
				}
			}
		}
		for range viewers {
			crowd.view(begin, f, s.target, fmt.Sprintf("/whep/r%d/p0", r))
		}
	}
	if err := crowd.ready(begin); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := wait(ctx, settle); err != nil {
		return err
	}
	crowd.count() // what came before does not count
	before, err := s.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := wait(ctx, c.Window); err != nil {
		return err
	}
	took := time.Since(start)
	after, err := s.cpu()
	if err != nil {
		return err
	}
	memory, err := s.memory()
	if err != nil {
		return err
	}
	got := crowd.count()
	if got.packets == 0 {
		return fmt.Errorf("%s: nothing arrived", name)
	}
	used := after - before
	fmt.Fprintf(table, "%s\t%.0f\t%.1f\t%.2f\t%.3f %%\t%s / %s\t%s / %s\t%s\t%d MB\n", name,
		float64(got.packets)/took.Seconds(), float64(used.Microseconds())/float64(got.packets), used.Seconds()/took.Seconds(),
		100*float64(got.lost)/float64(got.packets+got.lost), ms(load.Quantile(got.latency, .5)), ms(load.Quantile(got.latency, .99)),
		ms(load.Quantile(got.first, .5)), ms(load.Quantile(got.first, .99)), ms(load.Quantile(got.key, .5)), memory>>20)
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// crowd is all clients of one measurement.
type crowd struct {
	work sync.WaitGroup

	mu         sync.Mutex
	publishers []*load.Publisher // guarded by mu
	viewers    []*load.Viewer    // guarded by mu
	errs       []error           // guarded by mu

	before counted
}

type counted struct {
	packets, lost       int64
	latency, first, key []time.Duration
}

func (c *crowd) publish(ctx context.Context, f *load.Factory, t load.Target, path string) {
	c.work.Go(func() {
		p, err := f.Publish(ctx, t, path)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		c.publishers = append(c.publishers, p)
	})
}

func (c *crowd) view(ctx context.Context, f *load.Factory, t load.Target, path string) {
	_ = wait(ctx, arriveEvery)
	c.work.Go(func() {
		v, err := f.View(ctx, t, path)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		c.viewers = append(c.viewers, v)
	})
}

// ready waits until every viewer has seen a key frame.
func (c *crowd) ready(ctx context.Context) error {
	c.work.Wait()
	if err := errors.Join(c.errs...); err != nil {
		return err
	}
	for _, v := range c.viewers {
		for v.Key.Load() == 0 {
			if err := wait(ctx, 10*time.Millisecond); err != nil {
				return errors.New("a viewer saw no key frame")
			}
		}
	}
	return nil
}

// count gives what came since the last count.
func (c *crowd) count() counted {
	var all counted
	for _, v := range c.viewers {
		all.packets += v.Packets.Load()
		all.lost += v.Lost.Load()
		all.latency = append(all.latency, v.TakeLatency()...)
		all.first = append(all.first, time.Duration(v.First.Load()))
		all.key = append(all.key, time.Duration(v.Key.Load()))
	}
	since := all
	since.packets -= c.before.packets
	since.lost -= c.before.lost
	c.before = all
	return since
}

func (c *crowd) close() {
	c.work.Wait()
	var all sync.WaitGroup
	for _, v := range c.viewers {
		all.Go(v.Close)
	}
	for _, p := range c.publishers {
		all.Go(p.Close)
	}
	all.Wait()
}

// server is this program as a process of media alone.
type server struct {
	process *child.Process
	pid     int
	target  load.Target
}

func startServer(ctx context.Context) (*server, error) {
	secret := rand.Text()
	return startAs(ctx, []string{"YUANZHEN_BENCH_SECRET=" + secret}, secret, "serve", "--roles", "media")
}

// startAs starts the program with the arguments and environment, on a port of its own.
func startAs(ctx context.Context, env []string, secret string, args ...string) (*server, error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("the server's own time and memory are read from /proc: this runs on Linux")
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "yuanzhen-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	ready := filepath.Join(folder, "ready")
	cmd := exec.Command(program, append(args, "--listen", "127.0.0.1:0", "--ready-file", ready, "--log", "warn")...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	process, err := child.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	for {
		address, err := os.ReadFile(ready)
		if err == nil && strings.HasSuffix(string(address), "\n") {
			return &server{process, cmd.Process.Pid, load.Target{Base: strings.TrimSpace(string(address)), Token: secret}}, nil
		}
		select {
		case <-process.Done():
			return nil, errors.New("the server to be measured ended at once")
		case <-ctx.Done():
			process.Stop(syscall.SIGTERM)
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cpu is the time of the process in user space and kernel (proc(5), fields 14 and 15, in ticks of 10 ms).
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat could not be read")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory is what the process holds, in bytes.
func (s *server) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/statm could not be read")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
