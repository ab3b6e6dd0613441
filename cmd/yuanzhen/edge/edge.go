// Package edge is the agent beside a hospital's modalities. They send it their images by C-STORE on the local network, as
// to any archive (dcmtk's storescp under our supervision, so no DIMSE reaches the Internet); it keeps them on disk and
// drips them to the platform over HTTPS, at the speed and in the hours that the line can spare.
//
// The disk is the state, so that a power cut at any moment loses nothing and sends nothing twice:
//
//	incoming/   what storescp writes; a file that reads to its end and rests is taken
//	packing/    a compressed copy while it is made and compared
//	queue/      named by its sha256, so the same bytes are one file; leaves when the platform says that it holds them
//	refused/    what the platform would not take or nobody can read, with the reason beside it, for a person to look at;
//	            put back into incoming/ it is tried again
//
// A file is deleted only after the platform has named its digest as one it holds; sending it is not enough.
package edge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"yuanzhen/internal/child"
	"yuanzhen/storage/imaging/dicom"
)

// Cmd runs the agent.
type Cmd struct {
	URL      string `arg:"" help:"Address of the platform, as browsers use it (https://visit.example.org)."`
	Token    string `required:"" type:"existingfile" env:"YUANZHEN_EDGE_TOKEN_FILE" placeholder:"FILE" help:"File with the token that the hospital's administrator made for this machine (Image room in the workspace)."`
	Data     string `default:"edge" env:"YUANZHEN_EDGE_DATA" placeholder:"DIR" help:"Folder of the queue, on a disk that survives a power cut."`
	DICOM    int    `name:"dicom-port" default:"11112" env:"YUANZHEN_EDGE_DICOM_PORT" help:"Port for C-STORE of the modalities."`
	AET      string `name:"aet" default:"YUANZHEN" env:"YUANZHEN_EDGE_AET" help:"Our application entity title."`
	StoreSCP string `name:"storescp" default:"storescp" env:"YUANZHEN_EDGE_STORESCP" placeholder:"FILE" help:"dcmtk's storescp (apt-get install dcmtk)."`
	Compress bool   `default:"true" negatable:"" env:"YUANZHEN_EDGE_COMPRESS" help:"Compress grey images by JPEG-LS without loss before they are sent (dcmtk's dcmcjpls)."`
	Page     string `default:"127.0.0.1:8043" env:"YUANZHEN_EDGE_PAGE" placeholder:"HOST:PORT" help:"Address of the page that shows how it stands; it names no patient."`
	Rate     int    `default:"0" env:"YUANZHEN_EDGE_RATE" placeholder:"KBIT" help:"Most kbit/s to send; 0 is as fast as the line."`
	Hours    string `env:"YUANZHEN_EDGE_HOURS" placeholder:"HH:MM-HH:MM" help:"When to send, by the local clock, over midnight as well (19:00-07:00). Default: always."`
}

const (
	look    = 500 * time.Millisecond // how often incoming and queue are looked through
	rested  = 2 * time.Second        // a file that has not grown for so long is whole, if it reads to its end
	retries = 5 * time.Second        // after a broken line; doubled up to retryMax
	atMost  = 2 * time.Minute

	hopeless = 10 * time.Minute // a file that can't be read and has not changed for so long won't get better: beyond every modality's pause

	heartbeat = time.Minute // how often the centre is told how it stands
)

// agent is one run. Fields are set at construction; state is guarded by mu.
type agent struct {
	Cmd
	from, until time.Duration // of the day; equal: always
	log         *slog.Logger
	platform    *platform

	unread map[string]unread // owned by take: of incoming, by name

	mu    sync.Mutex
	state State
}

// State is how the agent stands, without anything of a patient.
type State struct {
	Receiving  bool      `json:"receiving"`   // storescp runs
	Queued     int       `json:"queued"`      // files that wait
	Bytes      int64     `json:"bytes"`       // of them
	Unfinished int       `json:"unfinished"`  // in incoming, not to be read to the end
	Refused    int       `json:"refused"`     // a person has to look
	Refusal    string    `json:"refusal"`     // why the last of them since the start
	Sent       int       `json:"sent"`        // since the start
	LastSent   time.Time `json:"last_sent"`   // zero: nothing yet
	Online     bool      `json:"online"`      // the platform answered last time
	Resting    bool      `json:"resting"`     // outside the hours
	LastError  string    `json:"last_error"`  // of the line or the platform; empty when all is well
	Since      time.Time `json:"since"`       // start of the agent
	HoldsSince time.Time `json:"holds_since"` // the oldest file that waits
}

// Run receives, keeps and sends until ctx ends.
func (c *Cmd) Run(ctx context.Context) error {
	a, err := c.prepare()
	if err != nil {
		return err
	}
	page, err := net.Listen("tcp", c.Page)
	if err != nil {
		return fmt.Errorf("page of the agent: %w", err)
	}
	server := &http.Server{Handler: a.pages(), ReadHeaderTimeout: 10 * time.Second}
	fmt.Printf("edge: C-STORE on port %d as %s, page http://%s, to %s\n", c.DICOM, c.AET, page.Addr(), c.URL)
	var parts sync.WaitGroup
	parts.Go(func() { server.Serve(page) })
	parts.Go(func() { a.receive(ctx) })
	parts.Go(func() { a.every(ctx, a.take) })
	parts.Go(func() { a.send(ctx) })
	<-ctx.Done()
	server.Close()
	parts.Wait()
	return nil
}

func (c *Cmd) prepare() (*agent, error) {
	a := &agent{Cmd: *c, log: slog.Default(), state: State{Since: time.Now()}}
	var err error
	if a.from, a.until, err = hours(c.Hours); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath(c.StoreSCP); err != nil {
		return nil, fmt.Errorf("storescp is missing, install it (apt-get install dcmtk) or name it with --storescp: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(c.Data, "packing")); err != nil { // what a power cut left half made
		return nil, err
	}
	for _, folder := range []string{"incoming", "packing", "queue", "refused"} {
		if err := os.MkdirAll(filepath.Join(c.Data, folder), 0o700); err != nil {
			return nil, err
		}
	}
	a.platform, err = newPlatform(c)
	return a, err
}

// hours reads "19:00-07:00" as two times of the day; nothing is always.
func hours(s string) (from, until time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(s, "-")
	for i, part := range []string{a, b} {
		at, bad := time.Parse("15:04", part)
		if bad != nil || !ok {
			return 0, 0, fmt.Errorf("--hours %q: want HH:MM-HH:MM, as 19:00-07:00", s)
		}
		d := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
		if i == 0 {
			from = d
		} else {
			until = d
		}
	}
	return from, until, nil
}

// open reports whether the hour is one to send in.
func (a *agent) open(now time.Time) bool {
	if a.from == a.until {
		return true
	}
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute
	if a.from < a.until {
		return at >= a.from && at < a.until
	}
	return at >= a.from || at < a.until
}

// receive keeps storescp running. It writes each object under a name of its own, as it came.
func (a *agent) receive(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		cmd := exec.Command(a.StoreSCP, "--fork", "--accept-all", "--promiscuous", "--bit-preserving", "--unique-filenames", "--aetitle", a.AET,
			"--output-directory", filepath.Join(a.Data, "incoming"), fmt.Sprint(a.DICOM))
		cmd.Env = append(os.Environ(), "TCP_NODELAY=1") // else 48 ms an object are lost to delayed acknowledgements
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		process, err := child.Start(cmd, syscall.SIGTERM)
		if err == nil {
			began := time.Now()
			a.set(func(s *State) { s.Receiving = true })
			select {
			case <-process.Done():
				err = errors.New("storescp has ended; is the port taken?")
			case <-ctx.Done():
				process.Stop(syscall.SIGTERM)
				return
			}
			if time.Since(began) > time.Minute {
				pause = time.Second
			}
		}
		a.set(func(s *State) { s.Receiving = false; s.LastError = err.Error() })
		a.log.Warn("not receiving", "error", err, "again", pause)
		sleep(ctx, pause)
	}
}

// unread is a file that couldn't be read, as it was then: it is read again once it has changed.
type unread struct {
	size    int64
	changed time.Time
	since   time.Time // by our clock: the file's own may be wrong
	why     string
}

// take moves what has wholly arrived into the queue. A file that can't be read to its end stays where it is and is counted, until
// there is no hope for it; one that no archive can name is put aside at once.
func (a *agent) take(ctx context.Context) error {
	files, err := os.ReadDir(filepath.Join(a.Data, "incoming"))
	if err != nil {
		return err
	}
	unfinished, still := 0, map[string]unread{}
	for _, f := range files {
		path := filepath.Join(a.Data, "incoming", f.Name())
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if age := time.Since(info.ModTime()); age >= 0 && age < rested { // a clock set back makes it negative: old enough
			continue
		}
		if u, ok := a.unread[f.Name()]; ok && u.size == info.Size() && u.changed.Equal(info.ModTime()) {
			if time.Since(u.since) < hopeless {
				still[f.Name()] = u
				unfinished++
			} else if err := a.refuse(path, f.Name(), u.why); err != nil {
				return err
			}
			continue
		}
		_, sum, err := whole(path)
		if errors.Is(err, errUID) {
			if err := a.refuse(path, f.Name(), unfit(err)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			if why := unfit(err); why != "" {
				still[f.Name()] = unread{info.Size(), info.ModTime(), time.Now(), why}
			}
			unfinished++
			continue
		}
		from := path
		if a.Compress {
			if from, sum, err = a.pack(ctx, path, sum, info.ModTime()); err != nil {
				return err
			}
		}
		if err := os.Rename(from, filepath.Join(a.Data, "queue", sum+".dcm")); err != nil {
			return err
		}
		if err := syncDir(filepath.Join(a.Data, "queue")); err != nil {
			return err
		}
		if from != path { // compressed, compared, and on the disk: now the original may go
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	a.unread = still
	a.set(func(s *State) { s.Unfinished = unfinished })
	_, err = a.waiting() // counted here too: on a slow line a batch takes long
	return err
}

// errUID is of a file without a number that the platform could be asked for.
var errUID = errors.New("its SOP Instance UID is missing or not valid")

// whole reads the file to its end, sees to it that it is on the disk, and returns its SOP Instance UID and digest. Errors that unfit
// names are the file's own.
func whole(path string) (sop, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	read, err := dicom.Read(f)
	if err != nil {
		return "", "", err
	}
	if sop = read.Data.Text(dicom.SOPInstanceUID); !dicom.ValidUID(sop) {
		return "", "", errUID
	}
	return sop, hex.EncodeToString(read.SHA256[:]), f.Sync()
}

// unfit says what a person can do about a file that can't go out as it is; "" where the file is not to blame.
func unfit(err error) string {
	if errors.Is(err, errUID) {
		return "A900: " + err.Error() + "; mend it at the source and send again / 影像号（SOP Instance UID）缺失或不合规，请在设备或 PACS 改正后重发"
	}
	switch p, _ := errors.AsType[*dicom.Problem](err); {
	case p == nil:
		return ""
	case p.Reason == dicom.NotUnderstood:
		return fmt.Sprintf("%04X: %v; send again from the modality, and if it stays so, export it again / 文件不完整或已损坏，请在设备上重发；仍是这样请重新导出", uint16(p.Reason), p)
	default:
		return fmt.Sprintf("%04X: %v; sending again won't help, export it otherwise (smaller, or in a registered transfer syntax) / 平台收不了这种文件，重发没有用，请换一种方式导出（分小，或换标准的压缩格式）", uint16(p.Reason), p)
	}
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// item is a file of the queue.
type item struct {
	path, sum string
	sop       string
	size      int64
	since     time.Time
}

// waiting lists the queue, oldest first.
func (a *agent) waiting() ([]item, error) {
	files, err := os.ReadDir(filepath.Join(a.Data, "queue"))
	if err != nil {
		return nil, err
	}
	var all []item
	var bytes int64
	for _, f := range files {
		info, err := f.Info()
		sum, ok := strings.CutSuffix(f.Name(), ".dcm")
		if err != nil || !ok {
			continue
		}
		all = append(all, item{path: filepath.Join(a.Data, "queue", f.Name()), sum: sum, size: info.Size(), since: info.ModTime()})
		bytes += info.Size()
	}
	slices.SortFunc(all, func(x, y item) int { return x.since.Compare(y.since) })
	refused, err := filepath.Glob(filepath.Join(a.Data, "refused", "*.dcm"))
	a.set(func(s *State) {
		s.Queued, s.Bytes, s.Refused, s.HoldsSince = len(all), bytes, len(refused), time.Time{}
		if len(all) > 0 {
			s.HoldsSince = all[0].since
		}
	})
	return all, err
}

const batch = 16 // files whose digests are asked for at once; what was sent leaves the queue with the next question

// send empties the queue, in its hours, as long as the platform answers; after an error it waits and goes on.
func (a *agent) send(ctx context.Context) {
	pause, told := retries, time.Time{}
	for ctx.Err() == nil {
		queue, err := a.waiting()
		if now := time.Now(); err == nil && now.Sub(told) > heartbeat {
			met := a.platform.behind.Load() != nil // before, our times were our own: they are said again
			if err = a.platform.says(ctx, a.State()); err == nil {
				if met {
					told = now
				}
				a.set(func(s *State) { s.Online, s.LastError = true, "" })
			}
		}
		open := a.open(time.Now().Add(a.platform.skew()))
		a.set(func(s *State) { s.Resting = !open })
		if err == nil && len(queue) > 0 && open {
			err = a.sendBatch(ctx, queue[:min(batch, len(queue))])
		}
		if err != nil && ctx.Err() == nil {
			a.set(func(s *State) { s.Online, s.LastError = false, err.Error() })
			a.log.Warn("not sending", "error", err, "again", pause)
			sleep(ctx, pause)
			pause = min(2*pause, atMost)
			continue
		}
		pause = retries
		if len(queue) == 0 || !open {
			sleep(ctx, look)
		}
	}
}

// sendBatch asks which files the platform holds, lets go of those, and sends the others.
func (a *agent) sendBatch(ctx context.Context, queue []item) error {
	began := time.Now()
	var asked []item
	for _, it := range queue {
		sop, _, err := whole(it.path)
		switch why := unfit(err); {
		case why != "": // one that the platform can't be asked for would hold up all
			if err := a.refuse(it.path, it.sum, why); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("queue: %w", err)
		case !slices.ContainsFunc(asked, func(other item) bool { return other.sop == sop }): // else after it: the answer goes by UID
			it.sop = sop
			asked = append(asked, it)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	known, err := a.platform.have(ctx, asked)
	if err != nil {
		return err
	}
	a.set(func(s *State) { s.Online, s.LastError = true, "" })
	for _, it := range asked {
		switch {
		case slices.Contains(known.Conflicts, it.sop):
			if err := a.refuse(it.path, it.sum, "0111: this UID is taken by other bytes / 同一影像号已有不同内容"); err != nil {
				return err
			}
		case slices.Contains(known.Missing, it.sop):
			why, err := a.platform.store(ctx, it)
			if err != nil {
				return err
			}
			if why != "" {
				if err := a.refuse(it.path, it.sum, why); err != nil {
					return err
				}
			} // else it stays until the platform names it
		case slices.Contains(known.Held, instance{it.sop, it.sum}):
			if err := os.Remove(it.path); err != nil {
				return err
			}
			a.set(func(s *State) { s.Sent++; s.LastSent = time.Now() })
		default:
			return errors.New("the platform was asked for a file and says nothing of it / 平台没有说明有没有这个文件")
		}
		if now := time.Now(); !a.open(now.Add(a.platform.skew())) || now.Sub(began) > heartbeat {
			return nil // the platform wants to hear how it stands; the rest is asked for again
		}
	}
	return nil
}

// refuse puts a file aside with the reason beside it.
func (a *agent) refuse(path, name, why string) error {
	to := filepath.Join(a.Data, "refused", strings.TrimSuffix(name, ".dcm"))
	if err := os.WriteFile(to+".txt", []byte(why+"\n"), 0o600); err != nil {
		return err
	}
	a.set(func(s *State) { s.Refusal = why })
	return os.Rename(path, to+".dcm")
}

func (a *agent) every(ctx context.Context, do func(context.Context) error) {
	for ctx.Err() == nil {
		if err := do(ctx); err != nil {
			a.set(func(s *State) { s.LastError = err.Error() })
			a.log.Error("queue", "error", err)
		}
		sleep(ctx, look)
	}
}

func (a *agent) set(change func(*State)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.state)
}

// State is a copy of how it stands.
func (a *agent) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// slowly lets through rate kbit/s.
type slowly struct {
	io.Reader
	ctx  context.Context
	rate int
}

func (s slowly) Read(b []byte) (int, error) {
	if s.rate <= 0 {
		return s.Reader.Read(b)
	}
	n, err := s.Reader.Read(b[:min(len(b), max(512, s.rate*1000/8/20))]) // a twentieth of a second
	sleep(s.ctx, time.Duration(n)*8*time.Second/time.Duration(s.rate*1000))
	return n, err
}
