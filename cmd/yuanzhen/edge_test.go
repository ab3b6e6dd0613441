package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"yuanzhen/cmd/yuanzhen/edge"
	"yuanzhen/storage/imaging/dicom"
)

// beside is the agent of a hospital, with what belongs to it: its folder and its port survive a restart.
type beside struct {
	t      *testing.T
	data   string
	token  string
	dicom  int
	page   string
	finish func()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (b *beside) start(platform, hours string) {
	b.t.Helper()
	b.page = fmt.Sprintf("127.0.0.1:%d", freePort(b.t))
	cmd := exec.Command(os.Args[0], "edge", platform, "--token", b.token, "--data", b.data, "--dicom-port", fmt.Sprint(b.dicom), "--page", b.page, "--no-compress", "--hours", hours)
	cmd.Env = append(os.Environ(), "YUANZHEN_BE_THE_PROGRAM=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.finish = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			b.t.Errorf("the agent: %v", err)
		}
	})
	b.t.Cleanup(b.finish)
	b.wait("it receives", func(s edge.State) bool { return s.Receiving })
}

func (b *beside) wait(what string, fits func(edge.State) bool) edge.State {
	b.t.Helper()
	var s edge.State
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if a, err := http.Get("http://" + b.page + "/state.json"); err == nil {
			s = edge.State{}
			err = json.NewDecoder(a.Body).Decode(&s)
			a.Body.Close()
			if err == nil && fits(s) {
				return s
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("not reached: %s; it stands at %+v", what, s)
		}
	}
}

// sends is a modality that repeats what was not confirmed.
func (b *beside) sends(files ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := exec.Command("storescu", append([]string{"-aec", "YUANZHEN", "127.0.0.1", fmt.Sprint(b.dicom)}, files...)...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("storescu: %v %s", err, out)
		}
	}
}

// objects writes n objects of one study, the first of them too large for one request, and returns where they lie.
func objects(t *testing.T, study string, n int) (files []string) {
	t.Helper()
	us := func(v uint16) string { return string(binary.LittleEndian.AppendUint16(nil, v)) }
	for i := range n {
		side, frames := 64, 1
		if i == 0 {
			side, frames = 1024, 17
		}
		raw, err := dicom.Compose(map[dicom.Tag]string{dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.3.1", dicom.StudyInstanceUID: study, dicom.SeriesInstanceUID: study + ".1",
			dicom.SOPInstanceUID: fmt.Sprintf("%s.1.%d", study, i+1), dicom.Modality: "US", dicom.NumberOfFrames: fmt.Sprint(frames), dicom.Rows: us(uint16(side)), dicom.Columns: us(uint16(side)),
			0x00280002: us(1), 0x00280004: "MONOCHROME2", 0x00280100: us(8), 0x00280101: us(8), 0x00280102: us(7), 0x00280103: us(0)}, bytes.Repeat([]byte{byte(i)}, side*side*frames))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "one.dcm")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

// proxy is the way to the platform; while it is cut, whoever comes is hung up on.
func proxy(t *testing.T, to *url.URL, back func(*http.Response) error, cut *atomic.Bool) string {
	t.Helper()
	forward := httputil.NewSingleHostReverseProxy(to)
	forward.ModifyResponse = back
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// An agent may be without its platform for a day, and its machine's clock may be a day wrong either way. All that it knows of
// the platform's clock is what the platform's answers say, so the answers are moved on their way.
func TestAnAgentOfflineForADayOrADayWrong(t *testing.T) {
	server := start(t, t.TempDir())
	get := func(session, path string, out any) {
		t.Helper()
		_, b, err := server.call(t.Context(), session, "GET", path, nil)
		if err == nil {
			err = json.Unmarshal(b, out)
		}
		if err != nil {
			t.Fatalf("%s: %v %s", path, err, b)
		}
	}
	var cast []struct{ Name, Session string }
	get("", "/api/v1/demo/cast?sessions=true", &cast)
	session := map[string]string{}
	for _, p := range cast {
		session[p.Name] = p.Session
	}
	var made struct{ Token string }
	if _, b, err := server.call(t.Context(), session["周莉"], "POST", "/api/v1/imaging/devices", strings.NewReader(`{"name":"CT"}`), "Content-Type", "application/json"); err != nil || json.Unmarshal(b, &made) != nil || made.Token == "" {
		t.Fatalf("no token: %v %s", err, b)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(made.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	// holds is what the platform has of a study, which its receipt must prove.
	holds := func(study string) int {
		t.Helper()
		_, b, err := server.call(t.Context(), session["赵志远"], "GET", "/api/v1/imaging/studies/"+study+"/receipt", nil)
		if err != nil {
			t.Fatal(err)
		}
		var signed struct {
			Receipt   string
			Signature struct{ Sig string }
		}
		var receipt struct {
			IssuedAt  time.Time `json:"issued_at"`
			Instances []struct {
				SOP      string    `json:"sop_uid"`
				StoredAt time.Time `json:"stored_at"`
			}
		}
		if json.Unmarshal(b, &signed) != nil || signed.Receipt == "" {
			return 0
		}
		var key struct {
			Public string `json:"public_key"`
		}
		get("", "/api/v1/imaging/receipt-key", &key)
		public, err := base64.StdEncoding.DecodeString(key.Public)
		sig, bad := base64.StdEncoding.DecodeString(signed.Signature.Sig)
		if err != nil || bad != nil || !ed25519.Verify(public, []byte(signed.Receipt), sig) {
			t.Errorf("the receipt of %s is not signed", study)
		}
		if err := json.Unmarshal([]byte(signed.Receipt), &receipt); err != nil {
			t.Fatal(err)
		}
		for _, at := range append([]time.Time{receipt.IssuedAt}, receipt.Instances[0].StoredAt) {
			if d := time.Since(at).Abs(); d > time.Hour {
				t.Errorf("the receipt of %s is of %v", study, at)
			}
		}
		once := map[string]bool{}
		for _, i := range receipt.Instances {
			once[i.SOP] = true
		}
		if len(once) != len(receipt.Instances) {
			t.Errorf("%d objects are %d", len(once), len(receipt.Instances))
		}
		return len(receipt.Instances)
	}
	// holdsSince is since when the agent's oldest image waits, as the administrator is told.
	holdsSince := func() (at time.Time) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); at.IsZero(); time.Sleep(50 * time.Millisecond) {
			var devices []struct {
				State struct {
					Since time.Time `json:"holds_since"`
				}
			}
			get(session["周莉"], "/api/v1/imaging/devices", &devices)
			at = devices[0].State.Since
			if at.IsZero() && time.Now().After(deadline) {
				t.Fatal("the administrator is not told")
			}
		}
		return at
	}
	away, err := url.Parse(server.base)
	if err != nil {
		t.Fatal(err)
	}
	const n = 4

	t.Run("a day without the platform", func(t *testing.T) {
		var cut atomic.Bool
		platform := proxy(t, away, nil, &cut)
		agent := &beside{t: t, data: t.TempDir(), token: token, dicom: freePort(t)}
		cut.Store(true)
		agent.start(platform, "")
		agent.sends(objects(t, "1.2.901", n)...)
		agent.wait("all wait", func(s edge.State) bool { return s.Queued == n && !s.Online && s.LastError != "" })
		agent.finish()

		// A day passes, the machine is switched off in between; an upload was begun before and is long forgotten there.
		yesterday := time.Now().Add(-25 * time.Hour)
		files, err := filepath.Glob(filepath.Join(agent.data, "queue", "*.dcm"))
		if err != nil || len(files) != n {
			t.Fatalf("%d files wait, %v", len(files), err)
		}
		for _, file := range files {
			if err := os.Chtimes(file, yesterday, yesterday); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(file); err == nil && info.Size() > 16<<20 {
				note := strings.TrimSuffix(file, ".dcm") + ".tus"
				if err := os.WriteFile(note, []byte("/api/v1/imaging/uploads/00000000-0000-4000-8000-000000000000"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		cut.Store(false)
		now := time.Now().Add(time.Hour).Format("15:04") // closed: first it is seen what the administrator is told
		agent.start(platform, now+"-"+time.Now().Add(2*time.Hour).Format("15:04"))
		agent.wait("it rests", func(s edge.State) bool { return s.Resting && s.Online && s.Queued == n })
		if at := holdsSince(); at.Sub(yesterday).Abs() > time.Minute {
			t.Errorf("waits since %v, want %v", at, yesterday)
		}
		agent.finish()
		agent.start(platform, "")
		s := agent.wait("all are sent", func(s edge.State) bool { return s.Queued == 0 && s.Sent == n })
		agent.finish()
		if left, err := os.ReadDir(filepath.Join(agent.data, "queue")); holds("1.2.901") != n || s.Refused != 0 || err != nil || len(left) != 0 {
			t.Errorf("%d held, %+v, %d left, %v", holds("1.2.901"), s, len(left), err)
		}
	})

	for name, c := range map[string]struct {
		study string
		off   time.Duration // the platform's clock beside ours
	}{"a day and seven hours behind": {"1.2.902", 31 * time.Hour}, "a day and seven hours ahead": {"1.2.903", -31 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			platform := proxy(t, away, func(a *http.Response) error {
				a.Header.Set("Date", time.Now().Add(c.off).UTC().Format(http.TimeFormat))
				return nil
			}, new(atomic.Bool))
			around := func(at time.Time) string {
				return at.Add(-time.Hour).Format("15:04") + "-" + at.Add(time.Hour).Format("15:04")
			}
			agent := &beside{t: t, data: t.TempDir(), token: token, dicom: freePort(t)}
			agent.start(platform, around(time.Now())) // open by its own clock alone
			before := time.Now()
			agent.sends(objects(t, c.study, n)...)
			agent.wait("all wait", func(s edge.State) bool { return s.Queued == n && s.Resting && s.Online })
			agent.finish()
			if held := holds(c.study); held != 0 {
				t.Errorf("%d were sent outside the hours", held)
			}
			agent.start(platform, around(time.Now().Add(2*time.Hour))) // closed by both: what is said of it is by the platform's clock
			for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
				at := holdsSince()
				if d := at.Sub(before.Add(c.off)); d > -time.Minute && d < 5*time.Minute {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("waits since %v, want %v", at, before.Add(c.off))
				}
			}
			agent.finish()
			agent.start(platform, around(time.Now().Add(c.off))) // open by the platform's clock alone
			s := agent.wait("all are sent", func(s edge.State) bool { return s.Queued == 0 && s.Sent == n })
			agent.finish()
			if held := holds(c.study); held != n || s.Refused != 0 {
				t.Errorf("%d held, %+v", held, s)
			}
		})
	}
}
