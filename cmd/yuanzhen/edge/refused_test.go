package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"yuanzhen/storage/imaging/dicom"
)

// slice is a CT slice under this SOP Instance UID.
func slice(t *testing.T, sop string) []byte {
	t.Helper()
	raw, err := dicom.Rewrite(loaded(t, "transfer-syntaxes/CT_small.dcm"), map[dicom.Tag]string{dicom.SOPInstanceUID: sop})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// lay puts a file into incoming as it came an hour ago.
func (a *agent) lay(t *testing.T, name string, raw []byte, at time.Time) {
	t.Helper()
	path := filepath.Join(a.Data, "incoming", name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// setAside reads the reasons in refused/.
func (a *agent) setAside(t *testing.T) (why []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(a.Data, "refused", "*.dcm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		text, err := os.ReadFile(strings.TrimSuffix(path, ".dcm") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		why = append(why, string(text))
	}
	return why
}

// far is a platform that keeps what it gets and answers to some files with a status of their own.
type far struct {
	mu    sync.Mutex
	kept  map[string][]byte // by SOP Instance UID
	says  map[string]int
	plain bool   // the answers are a proxy's
	have  string // answered in its place
	last  string
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	no := func(status int) {
		if f.plain {
			http.Error(w, "<html>", status)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"code":"no","detail":{"en":"Not this one."},"remedy":{"en":"Ask."}}`)
	}
	switch r.URL.Path {
	case "/api/v1/imaging/uploads/have":
		var in struct {
			Instances []struct {
				SOP string `json:"sop_uid"`
				Sum string `json:"sha256"`
			}
		}
		json.NewDecoder(r.Body).Decode(&in)
		out := known{[]string{}, []string{}, []instance{}}
		for _, one := range in.Instances {
			if !dicom.ValidUID(one.SOP) {
				no(http.StatusBadRequest)
				return
			}
			if kept := f.kept[one.SOP]; kept == nil {
				out.Missing = append(out.Missing, one.SOP)
			} else if sum := sumOf(kept); sum == one.Sum {
				out.Held = append(out.Held, instance{one.SOP, sum})
			} else {
				out.Conflicts = append(out.Conflicts, one.SOP)
			}
		}
		if f.have != "" {
			fmt.Fprint(w, f.have)
			return
		}
		json.NewEncoder(w).Encode(out)
	case "/dicomweb/studies":
		_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil {
			no(http.StatusBadRequest)
			return
		}
		part, err := multipart.NewReader(r.Body, params["boundary"]).NextPart()
		if err != nil {
			no(http.StatusBadRequest)
			return
		}
		raw, _ := io.ReadAll(part)
		file, err := dicom.Read(bytes.NewReader(raw))
		if err != nil {
			no(http.StatusBadRequest)
			return
		}
		sop := file.Data.Text(dicom.SOPInstanceUID)
		if status := f.says[sop]; status != 0 {
			no(status)
			return
		}
		f.kept[sop] = raw
		fmt.Fprint(w, `{}`)
	case "/api/v1/imaging/devices/state":
		var in struct {
			LastError string `json:"last_error"`
		}
		json.NewDecoder(r.Body).Decode(&in)
		f.last = in.LastError
		w.WriteHeader(http.StatusNoContent)
	}
}

func sumOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func reaching(t *testing.T, f *far) *agent {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	a := packer(t)
	a.Compress = false
	a.platform = &platform{base: server.URL, client: server.Client()}
	return a
}

func (a *agent) sendAll(t *testing.T) error {
	t.Helper()
	for range 6 {
		queue, err := a.waiting()
		if err != nil {
			t.Fatal(err)
		}
		if len(queue) == 0 {
			return nil
		}
		if err := a.sendBatch(t.Context(), queue[:min(batch, len(queue))]); err != nil {
			return err
		}
	}
	return nil
}

func TestOneFileNeverHoldsUpTheOthers(t *testing.T) {
	hour := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name    string
		sop     string
		status  int
		plain   bool
		refused string // or "": it waits
	}{
		{name: "a number that no archive can be asked for", sop: "1.2.CT-7", refused: "A900"},
		{name: "no number", sop: "", refused: "A900"},
		{name: "too large for the platform", sop: "1.2.7", status: 413, refused: "413"},
		{name: "too large for the proxy before it", sop: "1.2.7", status: 413, plain: true, refused: "413"},
		{name: "of a kind that the platform doesn't take", sop: "1.2.7", status: 415, refused: "Not this one. Ask."},
		{name: "malformed to the platform", sop: "1.2.7", status: 400, refused: "400"},
		{name: "a proxy that is out of order", sop: "1.2.7", status: 400, plain: true},
		{name: "not allowed at the moment", sop: "1.2.7", status: 403},
		{name: "another request under way", sop: "1.2.7", status: 409, plain: true},
		{name: "too often", sop: "1.2.7", status: 429},
		{name: "a platform that is ill", sop: "1.2.7", status: 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &far{kept: map[string][]byte{}, says: map[string]int{c.sop: c.status}, plain: c.plain}
			a := reaching(t, f)
			a.lay(t, "first", slice(t, c.sop), hour)
			for n := range 3 {
				a.lay(t, fmt.Sprint(n), slice(t, fmt.Sprint("1.2.8.", n)), hour.Add(time.Minute))
			}
			if err := a.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := a.sendAll(t)
			queue, _ := a.waiting()
			why := a.setAside(t)
			if c.refused == "" {
				if err == nil || len(queue) != 4 || len(why) != 0 {
					t.Fatalf("error %v, %d wait, refused %q", err, len(queue), why)
				}
				return
			}
			if err != nil || len(queue) != 0 || len(f.kept) != 3 || len(why) != 1 || !strings.Contains(why[0], c.refused) {
				t.Fatalf("error %v, %d wait, %d arrived, refused %q", err, len(queue), len(f.kept), why)
			}
			// Both pages say it, without a name or number of anybody.
			if err := a.platform.says(t.Context(), a.State()); err != nil || !strings.Contains(f.last, c.refused) || strings.Contains(f.last, "1.2.") {
				t.Errorf("the centre hears %q, %v", f.last, err)
			}
			shown := httptest.NewRecorder()
			a.pages().ServeHTTP(shown, httptest.NewRequest("GET", "/", nil))
			if !strings.Contains(shown.Body.String(), c.refused) {
				t.Errorf("the page shows %s", shown.Body)
			}
		})
	}
}

// An agent of before may have such files in its queue already, and a disk may lose bytes of one.
func TestWhatLiesInTheQueueIsHeldToTheSame(t *testing.T) {
	f := &far{kept: map[string][]byte{}}
	a := reaching(t, f)
	good := slice(t, "1.2.8")
	for _, raw := range [][]byte{slice(t, "1.2.bad"), good[:len(good)/2], good, append(good[:len(good):len(good)], 0, 0)} {
		if err := os.WriteFile(filepath.Join(a.Data, "queue", sumOf(raw)+".dcm"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.sendAll(t); err != nil {
		t.Fatal(err)
	}
	if queue, _ := a.waiting(); len(queue) != 0 || len(f.kept) != 1 || len(a.setAside(t)) != 3 {
		t.Errorf("%d wait, %d arrived, refused %q", len(queue), len(f.kept), a.setAside(t))
	}
}

// Only what the platform names as held, with the same digest, leaves the hospital's disk.
func TestAFileLeavesOnlyOnThePlatformsWord(t *testing.T) {
	raw := slice(t, "1.2.8")
	for _, c := range []struct {
		name, answer string
		goes         bool
	}{
		{"held with the same bytes", `{"missing":[],"conflicts":[],"held":[{"sop_uid":"1.2.8","sha256":"` + sumOf(raw) + `"}]}`, true},
		{"held with other bytes", `{"missing":[],"conflicts":[],"held":[{"sop_uid":"1.2.8","sha256":"` + sumOf(nil) + `"}]}`, false},
		{"no word of the file", `{"missing":[],"conflicts":[],"held":[]}`, false},
		{"no word of what is held", `{"missing":[],"conflicts":[]}`, false},
		{"somebody else's answer", `{"status":"ok"}`, false},
		{"nothing", `null`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := reaching(t, &far{have: c.answer})
			a.lay(t, "one", raw, time.Now().Add(-time.Hour))
			if err := a.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := a.sendAll(t)
			if queue, _ := a.waiting(); (err == nil) != c.goes || (len(queue) == 0) != c.goes || len(a.setAside(t)) != 0 {
				t.Errorf("%d wait, %v", len(queue), err)
			}
		})
	}
}

func TestAFileThatNeverEndsIsPutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, raw := packer(t), slice(t, "1.2.9")
		a.Compress = false
		ruined := slices.Clone(raw)
		copy(ruined[128:], "XXXX")
		hour := time.Now().Add(-time.Hour)
		a.lay(t, "cut off", raw[:len(raw)/2], hour)
		a.lay(t, "ruined", ruined, hour)
		look := func() State {
			t.Helper()
			if err := a.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			return a.State()
		}
		if s := look(); s.Unfinished != 2 || s.Refused != 0 {
			t.Fatalf("at first: %+v", s)
		}
		a.lay(t, "ruined", raw, hour) // as good as any, but it says that it has not changed
		time.Sleep(hopeless - time.Second)
		if s := look(); s.Unfinished != 2 || s.Queued != 0 {
			t.Errorf("a file that has not changed was read again: %+v", s)
		}
		a.lay(t, "ruined", raw, hour.Add(time.Minute)) // its rest has come
		if s := look(); s.Unfinished != 1 || s.Queued != 1 {
			t.Errorf("a file that has changed was not read: %+v", s)
		}
		time.Sleep(time.Second)
		if s, why := look(), a.setAside(t); s.Unfinished != 0 || s.Refused != 1 || len(why) != 1 || !strings.Contains(why[0], "C000") || !strings.Contains(why[0], "重发") {
			t.Errorf("%+v, refused %q", s, why)
		}
	})
}

func TestPixelsMayHoldWhateverEndsAPart(t *testing.T) {
	f := &far{kept: map[string][]byte{}}
	a := reaching(t, f)
	raw := slice(t, "1.2.9")
	copy(raw[len(raw)-100:], "\r\n--yz\r\n\r\n--yz--\r\n")
	a.lay(t, "one", raw, time.Now().Add(-time.Hour))
	if err := a.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.sendAll(t); err != nil || !bytes.Equal(f.kept["1.2.9"], raw) {
		t.Errorf("%d of %d bytes arrived, refused %q, %v", len(f.kept["1.2.9"]), len(raw), a.setAside(t), err)
	}
}

// Against dcmtk's own storescp and storescu.
func TestAModalitySendsWhatItLikes(t *testing.T) {
	port := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}()
	f := &far{kept: map[string][]byte{}}
	a := reaching(t, f)
	a.log, a.DICOM, a.AET, a.StoreSCP = slog.New(slog.DiscardHandler), port, "YUANZHEN", "storescp"
	var receiving sync.WaitGroup
	ctx := t.Context() // ends before the cleanup
	receiving.Go(func() { a.receive(ctx) })
	t.Cleanup(receiving.Wait)
	line := func() (c net.Conn) {
		for c == nil {
			c, _ = net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
			time.Sleep(20 * time.Millisecond)
		}
		return c
	}
	line().Close()

	t.Run("a SOP class that is its maker's own, or that dcmtk has not heard of", func(t *testing.T) {
		c := line()
		defer c.Close()
		if _, err := c.Write(association("1.2.840.113619.4.26")); err != nil {
			t.Fatal(err)
		}
		if result, err := resultOf(c); err != nil || result != 0 { // PS3.8 §9.3.3.2: 3 is "abstract syntax not supported"
			t.Errorf("result %d, %v", result, err)
		}
	})
	t.Run("an image whose number is none, among others", func(t *testing.T) {
		folder, args := t.TempDir(), []string{"-aec", "YUANZHEN", "127.0.0.1", fmt.Sprint(port)}
		for n, sop := range []string{"1.2.CT-7", "1.2.8.1", "1.2.8.2"} {
			path := filepath.Join(folder, fmt.Sprint(n))
			if err := os.WriteFile(path, slice(t, sop), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
		if out, err := exec.CommandContext(t.Context(), "storescu", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for a.State().Queued+len(a.setAside(t)) < 3 {
			if err := a.take(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := a.sendAll(t); err != nil || len(f.kept) != 2 || len(a.setAside(t)) != 1 {
			t.Errorf("%d arrived, refused %q, %v", len(f.kept), a.setAside(t), err)
		}
	})
}

// association is an A-ASSOCIATE-RQ that asks for one SOP class in implicit little endian (PS3.8 §9.3.2).
func association(class string) []byte {
	item := func(kind byte, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append(binary.BigEndian.AppendUint16([]byte{kind, 0}, uint16(len(body))), body...)
	}
	body := bytes.Join([][]byte{
		{0, 1, 0, 0}, fmt.Appendf(nil, "%-16s%-16s", "YUANZHEN", "CT"), make([]byte, 32),
		item(0x10, []byte("1.2.840.10008.3.1.1.1")),
		item(0x20, []byte{1, 0, 0, 0}, item(0x30, []byte(class)), item(0x40, []byte("1.2.840.10008.1.2"))),
		item(0x50, item(0x51, []byte{0, 0, 64, 0}), item(0x52, []byte("1.2.9"))),
	}, nil)
	return append(binary.BigEndian.AppendUint32([]byte{1, 0}, uint32(len(body))), body...)
}

// resultOf reads what an A-ASSOCIATE-AC says of the first SOP class (PS3.8 §9.3.3).
func resultOf(r io.Reader) (byte, error) {
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head); err != nil || head[0] != 2 {
		return 0, fmt.Errorf("PDU % x: %v", head, err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[2:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, err
	}
	for rest := body[68:]; len(rest) >= 4; {
		size := int(binary.BigEndian.Uint16(rest[2:]))
		if rest[0] == 0x21 {
			return rest[6], nil
		}
		rest = rest[4+size:]
	}
	return 0, fmt.Errorf("no SOP class in % x", body)
}
