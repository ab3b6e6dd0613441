package folder_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/folder"
	"yuanzhen/storage/storagetest"
)

// home is the working directory, which a folder takes away.
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

func TestAFolderOutlivesItsProcess(t *testing.T) {
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
				f, err := folder.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				b, err := f.Bucket(t.Context(), "yuanzhen")
				if err != nil {
					t.Fatal(err)
				}
				use(storage.New(b, keys))
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
	if _, err := folder.Open("var/objects"); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Error(err)
	}
}
