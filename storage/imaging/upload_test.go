package imaging

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

const uploads = "/api/v1/imaging/uploads"

// begin opens an upload and returns its address.
func (h *house) begin(who string, length int) string {
	h.t.Helper()
	a := h.call(who, "POST", uploads, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": fmt.Sprint(length)}, nil)
	if a.status != 201 {
		h.t.Fatalf("begin: %d %s", a.status, a.body)
	}
	return a.header.Get("Location")
}

func (h *house) patch(who, at string, offset int, body io.Reader) answer {
	h.t.Helper()
	return h.call(who, "PATCH", at, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": fmt.Sprint(offset), "Content-Type": "application/offset+octet-stream"}, body)
}

func (h *house) head(who, at string) answer {
	h.t.Helper()
	return h.call(who, "HEAD", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil)
}

type uploadState struct {
	State    string
	Received int64
	Outcome
}

// taken waits until the upload's objects are in the archive.
func (h *house) taken(who, at string) uploadState {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var s uploadState
		if err := json.Unmarshal(h.get(who, at, "").body, &s); err != nil {
			h.t.Fatal(err)
		}
		if s.State == "done" {
			return s
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("upload is still %s", s.State)
		}
	}
}

// sent uploads the whole file in one go.
func (h *house) sent(who string, file []byte) uploadState {
	h.t.Helper()
	at := h.begin(who, len(file))
	if a := h.patch(who, at, 0, bytes.NewReader(file)); a.status != 204 {
		h.t.Fatalf("append: %d %s", a.status, a.body)
	}
	return h.taken(who, at)
}

// lying counts the objects in the store.
func (h *house) lying() int32 { return h.objects.put.Load() - h.objects.deleted.Load() }

func archiveOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, f := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnUploadThatBreaksGoesOn(t *testing.T) {
	h := open(t, storagetest.New(t))
	file := files["ct-series-3/01.dcm"]
	_, _, sop := uidsOf(t, file)
	at := h.begin("county", len(file))

	t.Run("a line that breaks leaves what came by it, byte for byte", func(t *testing.T) {
		// the sender's line breaks in the middle of a request that announced the whole file
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", h.url+at, io.MultiReader(bytes.NewReader(file[:170_001]), iotest.ErrReader(errors.New("line cut"))))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = int64(len(file))
		for k, v := range map[string]string{"Authorization": "Bearer county", "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
			r.Header.Set(k, v)
		}
		if _, err := http.DefaultClient.Do(r); err == nil {
			t.Fatal("the line held")
		}
		for deadline := time.Now().Add(time.Minute); h.head("county", at).header.Get("Upload-Offset") != "170001"; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("offset %s, want 170001", h.head("county", at).header.Get("Upload-Offset"))
			}
		}
	})
	t.Run("whoever asks to go on is told of all that came, though the line before seems to live", func(t *testing.T) {
		line, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		fmt.Fprintf(line, "PATCH %s HTTP/1.1\r\nHost: house\r\nAuthorization: Bearer county\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 170001\r\n"+
			"Content-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n%s", at, len(file)-170_001, file[170_001:200_002])
		for deadline := time.Now().Add(time.Minute); !h.service.appends.any(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the request is not there")
			}
		}
		if got := h.head("county", at).header.Get("Upload-Offset"); got != "200002" {
			t.Errorf("offset %s, want 200002", got)
		}
		if a, err := http.ReadResponse(bufio.NewReader(line), nil); err != nil || a.StatusCode != http.StatusBadRequest {
			t.Errorf("the request before: %v, %v", a, err)
		}
	})
	t.Run("who looks on while bytes come leaves the line alone", func(t *testing.T) {
		in, out := io.Pipe()
		sent := make(chan answer)
		go func() { sent <- h.patch("county", at, 200_002, in) }()
		looked := make(chan answer)
		for i := range 50 {
			if i == 5 {
				go func() { looked <- h.head("county", at) }()
			}
			if _, err := out.Write(file[200_002+i : 200_003+i]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Millisecond)
		}
		out.Close()
		if a := <-looked; a.status != 200 {
			t.Errorf("HEAD: %d", a.status)
		}
		if a := <-sent; a.status != 204 || a.header.Get("Upload-Offset") != "200052" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("another offset than the upload's is refused and moves nothing", func(t *testing.T) {
		for _, offset := range []int{0, 170_001, 200_000, 200_053} {
			if a := h.patch("county", at, offset, bytes.NewReader(file[offset:])); a.status != 409 {
				t.Errorf("from %d: %d %s", offset, a.status, a.body)
			}
		}
		if got := h.head("county", at).header.Get("Upload-Offset"); got != "200052" {
			t.Errorf("offset is now %s", got)
		}
	})
	t.Run("nobody else sees it, and it is as if it never was", func(t *testing.T) {
		unknown := uploads + "/" + ids.New[uploadID]().String()
		for _, who := range []string{"expert", "colleague"} {
			for name, call := range map[string]func(string) answer{
				"state": func(at string) answer { return h.get(who, at, "") },
				"head":  func(at string) answer { return h.head(who, at) },
				"patch": func(at string) answer { return h.patch(who, at, 200_052, strings.NewReader("x")) },
				"delete": func(at string) answer {
					return h.call(who, "DELETE", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil)
				},
			} {
				a, b := call(at), call(unknown)
				if a.status != 404 || b.status != 404 || problem(a).Code != problem(b).Code {
					t.Errorf("%s by %s: %d, unknown %d", name, who, a.status, b.status)
				}
			}
		}
	})
	t.Run("it goes on and ends in the archive; a lost last answer is found by HEAD", func(t *testing.T) {
		if a := h.patch("county", at, 200_052, bytes.NewReader(file[200_052:])); a.status != 204 || a.header.Get("Upload-Offset") != fmt.Sprint(len(file)) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		state := h.taken("county", at)
		if state.Stored != 1 || len(state.Refused) != 0 || len(state.Studies) != 1 {
			t.Errorf("%+v", state)
		}
		if a := h.head("county", at); a.status != 200 || a.header.Get("Upload-Offset") != fmt.Sprint(len(file)) {
			t.Errorf("HEAD afterwards: %d %v", a.status, a.header)
		}
		study, ser, _ := uidsOf(t, file)
		if a := h.get("county", "/dicomweb/studies/"+study+"/series/"+ser+"/instances/"+sop, dicomType); !bytes.Equal(a.body[128:], file[128:]) {
			t.Errorf("not the bytes that were sent: %d", a.status)
		}
	})
	t.Run("its pieces are gone from the store, the object is there once", func(t *testing.T) {
		if err := h.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.lying() != 1 {
			t.Errorf("%d objects lie there", h.lying())
		}
	})
	t.Run("sent again: success, nothing written twice", func(t *testing.T) {
		if state := h.sent("county", file); state.Stored != 1 {
			t.Errorf("%+v", state)
		}
		if err := h.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.lying() != 1 {
			t.Errorf("%d objects lie there", h.lying())
		}
	})
	t.Run("ended by its sender, nothing is left", func(t *testing.T) {
		at := h.begin("county", 1000)
		h.patch("county", at, 0, strings.NewReader("some"))
		if a := h.call("county", "DELETE", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil); a.status != 204 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := h.head("county", at); a.status != 404 || h.lying() != 1 {
			t.Errorf("HEAD %d, %d objects", a.status, h.lying())
		}
	})
	t.Run("forgotten by its sender, it is cleared after days", func(t *testing.T) {
		at := h.begin("county", 1000)
		h.patch("county", at, 0, strings.NewReader("some"))
		h.now = h.now.Add(uploadLife + time.Second)
		if err := h.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := h.head("county", at); a.status != 404 || h.lying() != 1 {
			t.Errorf("HEAD %d, %d objects", a.status, h.lying())
		}
	})
	t.Run("an archive too large for any archive, no length, another version of tus", func(t *testing.T) {
		for want, header := range map[int]map[string]string{
			413: {"Tus-Resumable": "1.0.0", "Upload-Length": fmt.Sprint(maxUpload + 1)},
			400: {"Tus-Resumable": "1.0.0"},
			412: {"Tus-Resumable": "0.2.2", "Upload-Length": "5"},
		} {
			if a := h.call("county", "POST", uploads, header, nil); a.status != want {
				t.Errorf("%v: %d, want %d", header, a.status, want)
			}
		}
	})
	t.Run("an empty file is told to be one", func(t *testing.T) {
		a := h.call("county", "POST", uploads, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "0"}, nil)
		if p := problem(a); a.status != 422 || p.Code != "upload_empty" || !strings.Contains(p.Detail.EN, "0 bytes") || p.Remedy.ZH == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("more than was announced is told to be that, and not kept, whether its size is said or not", func(t *testing.T) {
		for name, body := range map[string]io.Reader{"said": strings.NewReader("123456"), "not said": io.MultiReader(strings.NewReader("123456"))} {
			at := h.begin("county", 5)
			a := h.patch("county", at, 0, body)
			if p := problem(a); a.status != 413 || p.Code != "upload_surplus" || !strings.Contains(p.Detail.EN, "Upload-Length") || p.Remedy.EN == "" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// A taker that was killed leaves its upload taken and its objects half stored.
func TestAnUploadWhoseTakerWasKilledIsTakenByAnother(t *testing.T) {
	h := open(t, storagetest.New(t))
	file := archiveOf(t, map[string][]byte{"a": files["transfer-syntaxes/CT_small.dcm"], "b": files["transfer-syntaxes/MR_small.dcm"]})
	at := h.begin("county", len(file))
	// what a killed process leaves behind: all bytes there, no job, one object stored already, a piece never finished
	id, err := ids.Parse[uploadID](strings.TrimPrefix(at, uploads+"/"))
	if err != nil {
		t.Fatal(err)
	}
	h.patch("county", at, 0, bytes.NewReader(file[:len(file)-1]))
	h.stow("county", files["transfer-syntaxes/CT_small.dcm"])
	u, _, err := h.service.wholeUpload(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	uncounted := piece{Key: storage.NewKey(h.county), Begins: u.Received, Size: 1}
	if err := h.service.insertPiece(t.Context(), id, uncounted); err != nil {
		t.Fatal(err)
	}
	if err := h.objects.Put(t.Context(), uncounted.Key, strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	last, err := h.service.Append(t.Context(), u, u.Received, bytes.NewReader(file[len(file)-1:]))
	if err != nil || last.State != "taking" {
		t.Fatal(err, last.State)
	}
	exec(t, h.service.DB, `DELETE FROM river_job`)
	exec(t, h.service.DB, `UPDATE image_upload SET touched_at = $1 WHERE state = 'taking'`, h.now.Add(-2*takerLife))
	if err := h.service.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state := h.taken("county", at); state.Stored != 2 || h.lying() != 2 {
		t.Errorf("%+v, %d objects", state, h.lying())
	}
}

func TestArchives(t *testing.T) {
	h := open(t, storagetest.New(t))
	above := t.TempDir()
	spool := filepath.Join(above, "a", "b", "c") // what is made on the disk from here on is made here, or above it
	if err := os.MkdirAll(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", spool)
	written := func() (files []string) {
		t.Helper()
		if err := filepath.WalkDir(above, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return files
	}
	ct, mr := files["transfer-syntaxes/CT_small.dcm"], files["transfer-syntaxes/MR_small.dcm"]

	t.Run("files without preamble or file meta information are taken, whole; an archive inside is named", func(t *testing.T) {
		big, implicit := files["corrupt/ExplVR_BigEndNoMeta.dcm"], files["corrupt/rtstruct.dcm"]
		state := h.sent("county", archiveOf(t, map[string][]byte{"big": big, "implicit": implicit,
			"without preamble": files["transfer-syntaxes/JPEG2000.dcm"][128:], "without the mark": files["transfer-syntaxes/JPEG-LL.dcm"][132:],
			"CT.zip": archiveOf(t, map[string][]byte{"ct": ct}), "no image": append([]byte("\x08\x00\x05\x00"), bytes.Repeat([]byte{0xFF}, 500)...)}))
		if state.Stored != 4 || state.Skipped != 1 || len(state.Refused) != 1 || !strings.Contains(state.Refused[0].Detail.EN, "unpack it first") || !strings.Contains(state.Refused[0].Detail.ZH, "解开") {
			t.Fatalf("%+v", state)
		}
		for name, raw := range map[string][]byte{"big": big, "implicit": implicit} {
			lead := dicom.Lead(raw[:min(len(raw), 4096)])
			study, ser, sop := uidsOf(t, append(lead, raw...))
			a := h.get("county", "/dicomweb/studies/"+study+"/series/"+ser+"/instances/"+sop, dicomType)
			if a.status != 200 || !bytes.Equal(a.body, append(lead, raw...)) {
				t.Errorf("%s: %d, %d bytes, not the file behind its new head", name, a.status, len(a.body))
			}
		}
	})
	t.Run("a CD: images are taken, programs and the table of contents skipped, a broken image named", func(t *testing.T) {
		directory := append(make([]byte, 128), "DICM\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"...)
		state := h.sent("county", archiveOf(t, map[string][]byte{"IMAGES/1": ct, "IMAGES/2": mr[:len(mr)-1000], "AUTORUN.EXE": bytes.Repeat([]byte("MZ"), 5000),
			"DICOMDIR": directory, "../../../etc/cron.d/x": mr, "readme.txt": []byte("hi")}))
		if state.Stored != 2 || state.Skipped != 3 || len(state.Refused) != 1 || state.Refused[0].Reason != "C000" || len(state.Studies) != 2 {
			t.Errorf("%+v", state)
		}
		if files := written(); len(files) != 0 {
			t.Errorf("written beside the archive: %v", files)
		}
	})
	t.Run("no archive, half an archive, an archive of nothing", func(t *testing.T) {
		whole := archiveOf(t, map[string][]byte{"a": ct})
		for name, file := range map[string][]byte{"half": whole[:len(whole)/2], "no DICOM": []byte("hello"), "lies": []byte("PK\x05\x06 and nothing of the kind")} {
			if state := h.sent("county", file); state.Stored != 0 || len(state.Refused) != 1 || state.Refused[0].Detail.ZH == "" {
				t.Errorf("%s: %+v", name, state)
			}
		}
		if state := h.sent("county", archiveOf(t, nil)); state.Stored != 0 || len(state.Refused) != 0 {
			t.Errorf("empty: %+v", state)
		}
	})
	t.Run("bombs are refused at once and leave nothing", func(t *testing.T) {
		before := h.lying()
		blank := append(bytes.Clone(ct[:132]), make([]byte, 256<<20)...)
		for name, file := range map[string][]byte{
			"256 MiB of nothing":          archiveOf(t, map[string][]byte{"bomb": blank, "good": ct}),
			"one file two thousand times": overlapping(blank[:16<<20], 2000),
			"a table of 200 000 files":    listing(200_000),
			"256 MiB of no image":         archiveOf(t, map[string][]byte{"bomb": blank[132:], "good": ct}),
		} {
			state := h.sent("county", file)
			if strings.Contains(name, "no image") && (state.Skipped != 1 || state.Stored != 1) || !strings.Contains(name, "no image") && (len(state.Refused) == 0 || state.Refused[0].Reason != "A700") {
				t.Errorf("%s: %+v", name, state)
			}
		}
		if err := h.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.lying() != before {
			t.Errorf("%d objects lie there, before it were %d", h.lying(), before)
		}
		if files := written(); len(files) != 0 {
			t.Errorf("left on the disk: %v", files)
		}
	})
}

// What a bomb costs is what is inflated of it before it is given up, whatever the machine.
func TestBombsAreGivenUpBeforeTheyBurst(t *testing.T) {
	h := open(t, storagetest.New(t))
	blank := append(bytes.Clone(files["transfer-syntaxes/CT_small.dcm"][:132]), make([]byte, 256<<20)...)
	for name, c := range map[string]struct {
		file []byte
		most int64 // bytes, beside what the archive's own size explains
	}{
		"256 MiB of nothing":          {archiveOf(t, map[string][]byte{"bomb": blank}), 2 << 20},
		"one file two thousand times": {overlapping(blank[:16<<20], 2000), freelyInflated + 1<<20},
		"256 MiB of no image":         {archiveOf(t, map[string][]byte{"bomb": blank[132:]}), 1 << 16},
	} {
		z, err := zip.NewReader(bytes.NewReader(c.file), int64(len(c.file)))
		if err != nil {
			t.Fatal(err)
		}
		start := freelyInflated + dicom.MaxRatio*int64(len(c.file))
		left := start
		for _, f := range z.File {
			if _, err := h.service.takeMember(t.Context(), h.county, f, &left); !errors.Is(err, errBomb) && !errors.Is(err, errNotDICOM) {
				t.Fatalf("%s: %v", name, err)
			}
			if left < 0 { // as takeArchive has it
				break
			}
		}
		if inflated := start - left; inflated > c.most+map[bool]int64{true: dicom.MaxRatio * int64(len(c.file))}[len(z.File) > 1] {
			t.Errorf("%s: %d bytes were inflated of %d", name, inflated, len(c.file))
		}
	}
}

// overlapping is an archive whose table names one deflated file n times.
func overlapping(file []byte, n int) []byte {
	var one bytes.Buffer
	z := zip.NewWriter(&one)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "a", Method: zip.Deflate})
	if err == nil {
		_, err = w.Write(file)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err)
	}
	b := one.Bytes()
	end := b[len(b)-22:]
	at := binary.LittleEndian.Uint32(end[16:])
	entry := bytes.Clone(b[at : len(b)-22])
	binary.LittleEndian.PutUint16(end[8:], uint16(n))
	binary.LittleEndian.PutUint16(end[10:], uint16(n))
	binary.LittleEndian.PutUint32(end[12:], uint32(n*len(entry)))
	return append(append(bytes.Clone(b[:at]), bytes.Repeat(entry, n)...), end...)
}

// listing is a table of n empty files, with the first there.
func listing(n int) []byte {
	b := overlapping(nil, n)
	binary.LittleEndian.PutUint32(b[14:], crc32.ChecksumIEEE(nil))
	return b
}

func TestTheReceiptProvesWhatIsHeld(t *testing.T) {
	h := open(t, storagetest.New(t))
	ct := series("ct-series-3")
	h.stow("county", ct...)
	study, _, _ := uidsOf(t, ct[0])
	a := h.get("county", "/api/v1/imaging/studies/"+study+"/receipt", "")
	var out struct {
		Receipt   string
		Signature receiptSignature
	}
	var key struct {
		KeyID  string `json:"key_id"`
		Public []byte `json:"public_key"`
	}
	if err := errors.Join(json.Unmarshal(a.body, &out), json.Unmarshal(h.get("", "/api/v1/imaging/receipt-key", "").body, &key)); err != nil {
		t.Fatal(err)
	}
	if out.Signature.KeyID != key.KeyID || !ed25519.Verify(key.Public, []byte(out.Receipt), out.Signature.Sig) {
		t.Error("the signature doesn't fit")
	}
	var r holding
	if err := json.Unmarshal([]byte(out.Receipt), &r); err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, i := range r.Instances {
		held[i.SOP] = i.SHA256
	}
	for _, f := range ct {
		_, _, sop := uidsOf(t, f)
		if sum := sha256.Sum256(f); held[sop] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %s", sop, held[sop])
		}
	}
	if r.Study != study || len(r.Instances) != 3 || r.Institution != h.county {
		t.Errorf("%+v", r)
	}
	for _, who := range []string{"expert", "colleague"} {
		a, b := h.get(who, "/api/v1/imaging/studies/"+study+"/receipt", ""), h.get(who, "/api/v1/imaging/studies/1.2.3/receipt", "")
		if a.status != 404 || problem(a).Detail != problem(b).Detail {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
}

func TestAStoreThatIsAwayLosesNoUpload(t *testing.T) {
	h := open(t, storagetest.New(t))
	file := files["transfer-syntaxes/CT_small.dcm"]
	at := h.begin("county", len(file))
	h.objects.fail = fault.New(fault.Unavailable, "object_store_away", "", "")
	if a := h.patch("county", at, 0, bytes.NewReader(file)); a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.objects.fail = nil
	if got := h.head("county", at).header.Get("Upload-Offset"); got != "0" {
		t.Errorf("offset %s", got)
	}
	if a := h.patch("county", at, 0, bytes.NewReader(file)); a.status != 204 {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	if state := h.taken("county", at); state.Stored != 1 {
		t.Errorf("%+v", state)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(overlapping([]byte("hello"), 2))
	f.Add(listing(3))
	f.Fuzz(func(t *testing.T, raw []byte) {
		z, err := zip.NewReader(&budget{r: bytes.NewReader(raw), left: maxContents}, int64(len(raw)))
		if err != nil {
			return
		}
		left := int64(1 << 20)
		for _, one := range z.File {
			in, err := one.OpenRaw()
			if err != nil || one.Method != zip.Store {
				continue
			}
			m := &member{in: in, left: &left, crc: one.CRC32}
			m.out = m.counted()
			n, err := io.Copy(io.Discard, m)
			if err == nil && n > int64(len(raw)) {
				t.Fatalf("%d bytes out of %d", n, len(raw))
			}
		}
	})
}

func (a *appends) any() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.by) > 0
}

// A piece that reaches the store when its upload is gone would lie there for good.
func TestNothingIsLeftOfAnUploadThatEndsWhileAPieceComes(t *testing.T) {
	h := open(t, storagetest.New(t))
	at := h.begin("county", 1000)
	ended := 0
	h.service.Objects = meanwhile{h.objects, func() {
		ended = h.call("county", "DELETE", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil).status
	}}
	if a := h.patch("county", at, 0, bytes.NewReader(make([]byte, 500))); a.status != 409 || ended != 204 {
		t.Fatalf("sent: %d %s, ended: %d", a.status, a.body, ended)
	}
	if h.objects.put.Load() != 1 {
		t.Errorf("%d pieces reached the store", h.objects.put.Load())
	}
	h.objects.there.Range(func(key, _ any) bool {
		t.Errorf("%s is left in the store", key)
		return true
	})
	var rows int
	if err := h.service.DB.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM image_upload_piece) + (SELECT count(*) FROM image_upload)`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are left, %v", rows, err)
	}
}

// meanwhile is a store before which something else happens.
type meanwhile struct {
	storage.Objects
	before func()
}

func (m meanwhile) Put(ctx context.Context, key storage.Key, body io.Reader, size int64) error {
	m.before()
	return m.Objects.Put(ctx, key, body, size)
}
