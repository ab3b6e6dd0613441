package s3gateway_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/s3gateway"
	"yuanzhen/storage/storagetest"
)

// home is the working directory, which a gateway takes away.
func home(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chdir(dir); err != nil {
			t.Error(err)
		}
	})
}

func TestAFolderOutlivesItsGateway(t *testing.T) {
	for name, files := range map[string]bool{"attributes in the file system": false, "attributes in files": true} {
		t.Run(name, func(t *testing.T) {
			home(t)
			dir := t.TempDir()
			if files { // a folder that was begun where the file system had no attributes
				if err := os.Mkdir(filepath.Join(dir, "attributes"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			keys, key := storagetest.NewKeys(), storage.NewKey(ids.New[ids.Institution]())
			run := func(use func(*storage.Store)) {
				t.Helper()
				g, err := s3gateway.Start(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				store, err := storage.Open(t.Context(), g.Config(), keys)
				if err != nil {
					t.Fatal(err)
				}
				use(store)
				store.Close()
				if err := g.Stop(); err != nil {
					t.Error(err)
				}
			}
			run(func(s *storage.Store) {
				if err := s.Put(t.Context(), key, strings.NewReader("what the doctor saw"), 19); err != nil {
					t.Fatal(err)
				}
			})
			run(func(s *storage.Store) {
				body, err := s.Get(t.Context(), key, 9, -1)
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				if b, err := io.ReadAll(body); err != nil || string(b) != "doctor saw" {
					t.Errorf("%q, %v", b, err)
				}
			})
			err := filepath.WalkDir(filepath.Join(dir, "objects", "yuanzhen"), func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s is open to others: %v", path, info.Mode())
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestARelativeFolderIsRefused(t *testing.T) {
	if _, err := s3gateway.Start(t.Context(), "var/objects"); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Error(err)
	}
}

func TestNothingRunsAfterStop(t *testing.T) {
	before := goleak.IgnoreCurrent()
	home(t)
	g, err := s3gateway.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
	// fasthttp's cleaner of idle workers sleeps for 10 s before it sees that it was stopped; its clock for the Date
	// header is one for the process and never stops.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}
