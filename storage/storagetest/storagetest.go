// Package storagetest gives tests a real object store.
//
// While a store of Gateway is in use the working directory is the store's folder (see package folder): a test that also
// reads files embeds them or makes their paths absolute in a package variable.
package storagetest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/folder"
)

// New is a store on the gateway with a bucket and keys of its own.
func New(t testing.TB) *storage.Store {
	t.Helper()
	return storage.New(Gateway(t), NewKeys())
}

var lent struct {
	sync.Mutex
	users int
	open  *folder.Folder
	dir   string
	home  string // the working directory to go back to
}

// Gateway lends a fresh bucket of the process's one folder, which is open while at least one test uses it.
func Gateway(t testing.TB) storage.Bucket {
	t.Helper()
	g := &lent
	g.Lock()
	defer g.Unlock()
	if g.users == 0 {
		var err error
		if g.home, err = os.Getwd(); err != nil {
			t.Fatal(err)
		}
		if g.dir, err = os.MkdirTemp("", "yuanzhen-objects-"); err != nil {
			t.Fatal(err)
		}
		if g.open, err = folder.Open(g.dir); err != nil {
			t.Fatal(err)
		}
	}
	g.users++
	t.Cleanup(func() {
		g.Lock()
		defer g.Unlock()
		if g.users--; g.users > 0 {
			return
		}
		g.open.Close()
		if err := os.Chdir(g.home); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(g.dir); err != nil {
			t.Error(err)
		}
	})
	b, err := g.open.Bucket(t.Context(), bucket())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// S3 is the bucket of c.
func S3(t testing.TB, c storage.Config) storage.Bucket {
	t.Helper()
	b, err := storage.OpenS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// MinIO starts a MinIO server and names a fresh bucket of it. The binary is $MINIO_BIN, else bin/minio at the root
// of the repository.
func MinIO(t testing.TB) storage.Config {
	t.Helper()
	bin := os.Getenv("MINIO_BIN")
	if bin == "" {
		bin = filepath.Join(root, "bin", "minio")
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("no MinIO server at %s: run \"make minio\", or name one in MINIO_BIN", bin)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := storage.Config{Endpoint: "http://" + addr, AccessKey: rand.Text(), SecretKey: rand.Text(), Bucket: bucket()}
	var out strings.Builder
	cmd := exec.Command(bin, "server", "--address", addr, "--json", t.TempDir())
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+c.AccessKey, "MINIO_ROOT_PASSWORD="+c.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(30 * time.Second); ; {
		answer, err := http.Get(c.Endpoint + "/minio/health/ready")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return c
			}
		}
		select {
		case <-ended:
			t.Fatalf("MinIO ended at once:\n%s", out.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("MinIO did not answer within 30 s")
		}
	}
}

func bucket() string { return "test-" + strings.ToLower(rand.Text()) }

// root is the folder of go.mod, looked up before any folder changes the working directory.
var root = func() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
}()

// Keys wraps with a random key per institution that lives as long as the test.
type Keys struct{ master [32]byte }

// NewKeys draws the keys.
func NewKeys() *Keys {
	k := new(Keys)
	rand.Read(k.master[:])
	return k
}

func (k *Keys) aead(place ids.Institution) cipher.AEAD {
	own := sha256.Sum256(append(k.master[:], place[:]...))
	block, err := aes.NewCipher(own[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (k *Keys) Seal(_ context.Context, place ids.Institution, plain, aad []byte) ([]byte, error) {
	return k.aead(place).Seal(nil, nil, plain, aad), nil
}

func (k *Keys) Open(_ context.Context, place ids.Institution, sealed, aad []byte) ([]byte, error) {
	return k.aead(place).Open(nil, nil, sealed, aad)
}
