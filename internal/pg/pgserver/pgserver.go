// Package pgserver starts, supervises and stops a private PostgreSQL cluster on
// loopback: what a first run and the tests use. Production names an outside one.
package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/child"
)

// Server is a running cluster. Made by Start or Attach.
type Server struct {
	// URL reaches the database "yuanzhen" as its owner.
	URL string
	// Kind says which binaries run, for the boot screen: "embedded 15.18 (/usr/lib/…)".
	Kind string

	process *child.Process // nil when attached to somebody else's
}

// Options of a cluster.
type Options struct {
	Dir       string   // the cluster lives in Dir/pg-<major>; never deleted
	NPM       []string // folders that may hold @embedded-postgres binaries
	Temporary bool     // no fsync: for tests, whose data nobody will miss
}

// ErrNoBinaries says that no PostgreSQL server was found and how to get one.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries found: install the package postgresql, " +
	"run `make postgres`, set YUANZHEN_PG_BIN to their folder, or set YUANZHEN_DATABASE_URL to a running server")

// Find returns the folder of the server binaries: YUANZHEN_PG_BIN, then the
// distribution's newest of version 15 to 18, then the npm package.
func Find(npm []string) (string, error) {
	if dir := os.Getenv("YUANZHEN_PG_BIN"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			return "", fmt.Errorf("YUANZHEN_PG_BIN: no initdb in %s", dir)
		}
		return dir, nil
	}
	for _, major := range []string{"18", "17", "16", "15"} {
		dir := filepath.Join("/usr/lib/postgresql", major, "bin")
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	for _, root := range npm {
		found, _ := filepath.Glob(filepath.Join(root, "@embedded-postgres", "linux-*", "native", "bin"))
		if len(found) > 0 {
			return found[0], linkLibraries(filepath.Dir(found[0]))
		}
	}
	return "", ErrNoBinaries
}

// linkLibraries makes the symbolic links of the npm package's libraries, which its
// install script makes only where npm is allowed to run scripts.
func linkLibraries(native string) error {
	text, err := os.ReadFile(filepath.Join(native, "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		link := filepath.Join(filepath.Dir(native), l.Target)
		target, err := filepath.Rel(filepath.Dir(link), filepath.Join(filepath.Dir(native), l.Source))
		if err != nil {
			return err
		}
		if err := os.Symlink(target, link); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// Start brings the cluster up, making it at the first run, and waits until it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := Find(o.NPM)
	if err != nil {
		return nil, err
	}
	version, major, err := versionOf(bin)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, "pg-"+major)
	data, secret := filepath.Join(dir, "data"), filepath.Join(dir, "password")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); os.IsNotExist(err) {
		if err := refuseOtherMajor(o.Dir, major); err != nil {
			return nil, err
		}
		if err := initialise(ctx, bin, dir, data, secret); err != nil {
			return nil, err
		}
	}
	if err := waitForPredecessor(ctx, data); err != nil {
		return nil, err
	}
	password, err := os.ReadFile(secret)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "", "-c", "max_connections=200", "-c", "log_min_messages=warning"}
	if o.Temporary {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	}
	log, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, ownUser()
	process, err := child.Start(cmd, syscall.SIGINT) // fast shutdown when we die
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL (as root it runs in a user namespace): %w", err)
	}
	s := &Server{process: process, Kind: "embedded " + version, URL: address(string(password), port, "yuanzhen")}
	if err := s.waitReady(ctx, address(string(password), port, "postgres")); err != nil {
		s.Stop()
		return nil, fmt.Errorf("PostgreSQL in %s: %w (see %s)", dir, err, log.Name())
	}
	return s, nil
}

// Attach finds the cluster that another process of ours keeps running in dir.
// It returns nil if none runs there.
func Attach(dir string) (*Server, error) {
	found, _ := filepath.Glob(filepath.Join(dir, "pg-*", "data", "postmaster.pid"))
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(text), "\n") // pid, data folder, start time, port, …
		if len(lines) < 4 {
			continue
		}
		port, err := strconv.Atoi(lines[3])
		if err != nil {
			continue
		}
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", lines[3]), time.Second)
		if err != nil {
			continue // a file left by a crash
		}
		conn.Close()
		cluster := filepath.Dir(filepath.Dir(file))
		password, err := os.ReadFile(filepath.Join(cluster, "password"))
		if err != nil {
			return nil, err
		}
		return &Server{URL: address(string(password), port, "yuanzhen"), Kind: "embedded"}, nil
	}
	return nil, nil
}

// Stop ends the cluster by fast shutdown and waits for it. An attached one goes on.
func (s *Server) Stop() {
	if s.process != nil {
		s.process.Stop(syscall.SIGINT, syscall.SIGQUIT)
	}
}

// farewell is how long a server of the life before may take to end: after a kill -9
// of ours it shuts down by itself (internal/child), and may have much to write.
const farewell = 20 * time.Second

// waitForPredecessor waits until the server that last held the data folder has ended.
func waitForPredecessor(ctx context.Context, data string) error {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for {
		text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
		if err != nil {
			return nil
		}
		pid, _, _ := strings.Cut(string(text), "\n")
		name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if err != nil || strings.TrimSpace(string(name)) != "postgres" {
			return nil // left by a crash; the server sees that too
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another platform is running on the data in %s (process %s): stop it first, or choose another --data", data, pid)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) waitReady(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second) // crash recovery may take a while
	defer cancel()
	var last error
	for {
		conn, err := pgx.Connect(ctx, admin)
		if err == nil {
			defer conn.Close(ctx)
			var there bool
			if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'yuanzhen')`).Scan(&there); err != nil {
				return err
			}
			if !there {
				_, err = conn.Exec(ctx, `CREATE DATABASE yuanzhen`)
			}
			return err
		}
		last = err
		select {
		case <-s.process.Done():
			return fmt.Errorf("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func initialise(ctx context.Context, bin, dir, data, secret string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	// Made beside and moved into place: a cluster that was cut off half-made is never taken for one.
	draft := data + ".new"
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", draft, "-U", "yuanzhen", "--pwfile", secret,
		"--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums")
	cmd.SysProcAttr = ownUser()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.Rename(draft, data)
}

// ownUser lets root run the server: initdb refuses uid 0, so it gets a user
// namespace in which we are uid 1000 and the files stay ours.
func ownUser() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
	}
}

func versionOf(bin string) (version, major string, err error) {
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output() // postgres (PostgreSQL) 15.18 (Debian …)
	if err != nil {
		return "", "", fmt.Errorf("%s/postgres --version: %w", bin, err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return "", "", fmt.Errorf("%s/postgres --version said %q", bin, out)
	}
	major, _, _ = strings.Cut(words[2], ".")
	return "PostgreSQL " + words[2], major, nil
}

func refuseOtherMajor(dir, major string) error {
	found, _ := filepath.Glob(filepath.Join(dir, "pg-*", "data", "PG_VERSION"))
	if len(found) == 0 {
		return nil
	}
	other := slices.Max(found)
	return fmt.Errorf("the data in %s is of another major version than the PostgreSQL %s found here: "+
		"install that version, or move the data with pg_upgrade; nothing was changed", filepath.Dir(filepath.Dir(other)), major)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func address(password string, port int, database string) string {
	return fmt.Sprintf("postgres://yuanzhen:%s@127.0.0.1:%d/%s?sslmode=disable", password, port, database)
}
