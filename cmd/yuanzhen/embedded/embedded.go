// Package embedded brings up, supervises and ends the engines that a single machine
// needs and nobody named an outside one for: PostgreSQL, an S3 store, NATS. Each is
// reached through the same client as an outside one.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"yuanzhen/internal/child"
	"yuanzhen/storage"
)

// NATS is a bus inside the process: no port, no other machine.
type NATS struct{ server *server.Server }

// StartNATS brings the bus up.
func StartNATS() (*NATS, error) {
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(5 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the bus inside the process did not come up within 5 s")
	}
	return &NATS{s}, nil
}

// Connect is a client of the bus.
func (n *NATS) Connect() (*nats.Conn, error) {
	return nats.Connect(nats.DefaultURL, nats.InProcessServer(n.server))
}

// Stop ends the bus and waits for it.
func (n *NATS) Stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// MinIO is a MinIO server that runs as a process of its own, under our supervision.
type MinIO struct {
	Config  storage.Config
	process *child.Process
}

// StartMinIO runs the binary over dir/data; its credentials are made once and kept in dir.
func StartMinIO(ctx context.Context, bin, dir string) (*MinIO, error) {
	if _, err := os.Stat(bin); err != nil {
		return nil, fmt.Errorf("MINIO_BIN: no MinIO server at %s: run `make minio`, which builds it", bin)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	access, secret, err := credentials(filepath.Join(dir, "credentials.json"))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	log, err := os.OpenFile(filepath.Join(dir, "server.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(bin, "server", "--quiet", "--address", address, filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+access, "MINIO_ROOT_PASSWORD="+secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off")
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	m := &MinIO{Config: storage.Config{Endpoint: "http://" + address, AccessKey: access, SecretKey: secret, Bucket: "yuanzhen"}, process: process}
	if err := m.waitReady(ctx); err != nil {
		m.Stop()
		return nil, fmt.Errorf("MinIO: %w (see %s)", err, log.Name())
	}
	return m, nil
}

func (m *MinIO) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Config.Endpoint+"/minio/health/ready", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-m.process.Done():
			return errors.New("it ended at once")
		case <-ctx.Done():
			return errors.New("it did not answer within 30 s")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the server and waits for it.
func (m *MinIO) Stop() { m.process.Stop(syscall.SIGTERM) }

func credentials(file string) (access, secret string, err error) {
	var pair struct{ Access, Secret string }
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		pair.Access, pair.Secret = rand.Text()[:16], rand.Text()
		if text, err = json.Marshal(pair); err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		return pair.Access, pair.Secret, err
	}
	if err != nil {
		return "", "", err
	}
	if err := json.Unmarshal(text, &pair); err != nil {
		return "", "", fmt.Errorf("%s: %w", file, err)
	}
	return pair.Access, pair.Secret, nil
}
