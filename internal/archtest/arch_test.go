// Package archtest holds the house's import rules (docs/architecture.md): who may
// know whom, and which library is seen where.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, "yuanzhen/")
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

// under reports whether the package lies in one of the folders; "a/*" takes the
// folder's children but not the folder.
func under(p string, folders ...string) bool {
	for _, f := range folders {
		if inner, ok := strings.CutSuffix(f, "/*"); ok {
			if strings.HasPrefix(p, inner+"/") {
				return true
			}
		} else if p == f || strings.HasPrefix(p, f+"/") {
			return true
		}
	}
	return false
}

// pure packages: no SQL, no HTTP, no clock, no goroutine; only these may they know of ours.
var pure = map[string][]string{
	"internal/ids":           {},
	"internal/fault":         {},
	"internal/rule":          {"internal/fault"},
	"consult/eligibility":    {"internal/rule", "internal/fault", "internal/ids"},
	"consult/schedule":       {"internal/rule", "internal/fault", "internal/ids"},
	"prescribe/formulary":    {"internal/rule", "internal/fault", "internal/ids"},
	"prescribe/check":        {"internal/rule", "internal/fault", "internal/ids", "prescribe/formulary"},
	"prescribe/cds":          {"internal/fault", "prescribe/formulary", "prescribe/check"},
	"internal/sig":           {},
	"prescribe/qr":           {"internal/sig"},
	"prescribe/proof":        {"internal/sig", "prescribe/qr"},
	"storage/imaging/codec":  {},
	"storage/imaging/dicom":  {"internal/rule", "internal/fault", "internal/ids"},
	"signaling/sfu/rtpmap":   {},
	"signaling/sfu/rate":     {},
	"signaling/sfu/rtpcache": {},
}

// rooms may know these of ours; a room may always know its own parts.
var rooms = []struct {
	folder string
	may    []string
}{
	{"prescribe", []string{"consult", "storage", "internal"}},
	{"consult", []string{"storage/imaging", "signaling/control", "internal"}},
	{"storage", []string{"internal"}},
	{"signaling", []string{"internal/ids", "internal/fault"}},
	{"web", nil},
	{"migrations", nil},
	{"internal", []string{"migrations"}}, // pgtest runs them
}

func TestWhoMayKnowWhom(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasSuffix(p.ImportPath, "test") { // helpers of tests may know what they test with
			continue
		}
		for _, i := range p.Imports {
			known, ours := strings.CutPrefix(i, "yuanzhen/")
			if !ours {
				continue
			}
			if under(known, "cmd") && !under(p.ImportPath, "cmd") {
				t.Errorf("%s imports %s: nobody imports cmd", p.ImportPath, known)
			}
			if allowed, ok := pure[p.ImportPath]; ok && !under(known, allowed...) {
				t.Errorf("%s is pure and may not know %s", p.ImportPath, known)
			}
			for _, r := range rooms {
				if under(p.ImportPath, r.folder) && !under(known, append(r.may, r.folder)...) {
					t.Errorf("%s may not know %s", p.ImportPath, known)
				}
			}
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	forbidden := map[string]bool{"net": true, "net/http": true, "database/sql": true, "os": true, "os/exec": true}
	for _, p := range packages(t) {
		if _, ok := pure[p.ImportPath]; !ok {
			continue
		}
		for _, i := range p.Imports {
			if forbidden[i] || strings.HasPrefix(i, "github.com/jackc/pgx") {
				t.Errorf("%s is pure and imports %s", p.ImportPath, i)
			}
		}
	}
}

// libraries are seen only in these folders.
var libraries = map[string][]string{
	"github.com/pion/":              {"signaling"},
	"github.com/gorilla/websocket":  {"signaling"},
	"github.com/minio/minio-go":     {"storage"},
	"github.com/casbin/casbin":      {"internal/authz"},
	"github.com/riverqueue/river":   {"consult", "storage/imaging", "internal/jobs", "internal/notify", "migrations", "cmd/yuanzhen/app"},
	"github.com/versity/":           {"storage/folder"},
	"github.com/emmansun/gmsm":      {"internal/sig", "internal/keys"},
	"github.com/signintech/gopdf":   {"internal/paper"},
	"github.com/danielgtaylor/huma": {"cmd/yuanzhen/app", "internal/httpapi", "internal/authz", "storage/imaging", "consult", "prescribe"},
}

func TestLibrariesStayInTheirRoom(t *testing.T) {
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for lib, folders := range libraries {
				if strings.HasPrefix(i, lib) && !under(p.ImportPath, folders...) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, i, folders)
				}
			}
		}
	}
}

func TestSQLStaysInItsFiles(t *testing.T) {
	cmd := exec.Command("grep", "-rlE", `"github.com/jackc/pgx/v5|\b(Exec|Query|QueryRow)\(ctx, .(SELECT|INSERT|UPDATE|DELETE)`, "--include=*.go", "consult", "prescribe", "storage")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 1 { // 1: no file at all
		t.Fatal(err)
	}
	for _, file := range strings.Fields(string(out)) {
		base := path.Base(file)
		// A deed opens the transaction it commits (pgx.Tx); its statements live in _sql.go.
		if strings.HasSuffix(base, "_sql.go") || strings.HasSuffix(base, "_test.go") {
			continue
		}
		text, err := exec.Command("grep", "-nE", `\b(Exec|Query|QueryRow)\(ctx, .(SELECT|INSERT|UPDATE|DELETE)|pgx\.Collect`, "../../"+file).Output()
		if err == nil {
			t.Errorf("%s holds SQL, which belongs to a _sql.go beside it:\n%s", file, text)
		}
	}
}
