package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"yuanzhen/cmd/yuanzhen/embedded"
	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/dicom"
)

// ImagingCmd measures DICOMweb on a server of its own, a child with private engines and the demo's cast.
type ImagingCmd struct {
	Beside   string        `placeholder:"URL" help:"Another DICOMweb server to put the same questions to, in turn. Example: http://127.0.0.1:8042/dicom-web"`
	Slices   int           `default:"300" help:"Slices of the CT series, 512 x 512 x 16 bit."`
	Studies  int           `default:"10000" help:"Studies to search among."`
	Clients  int           `default:"4" help:"Who store at the same time."`
	Asked    int           `default:"200" help:"Questions of each kind."`
	MinIOBin string        `default:"bin/minio" name:"minio-bin" env:"MINIO_BIN" help:"The MinIO server that is asked for the raw figures (make minio)."`
	Settle   time.Duration `default:"70s" help:"Between storing the studies and searching: PostgreSQL counts anew once a minute."`
}

// archive is a DICOMweb server under measurement.
type archive struct {
	name   string
	base   string
	token  string
	client *http.Client
	pid    int // 0: not known
}

// Run measures and prints the table.
func (c *ImagingCmd) Run(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "yuanzhen-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	child, err := startAs(ctx, nil, "", "dev", "--data", folder)
	if err != nil {
		return err
	}
	defer child.process.Stop(syscall.SIGTERM)
	lines := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	ours := &archive{"ours", child.target.Base + "/dicomweb", "", lines, child.pid}
	if ours.token, err = countyDoctor(ctx, child.target.Base); err != nil {
		return err
	}
	all := []*archive{ours}
	if c.Beside != "" {
		all = append(all, &archive{"beside", strings.TrimSuffix(c.Beside, "/"), "", lines, 0})
	}
	fmt.Printf("%s\n%d slices of 512 x 512 x 16 bit, %d studies, %d clients\n\n", machine(), c.Slices, c.Studies, c.Clients)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	head := "measured\tours\tgoal\t"
	if c.Beside != "" {
		head += "beside\tours / beside\t"
	}
	fmt.Fprintln(table, head)
	row := func(what, goal, format string, values ...float64) {
		line := fmt.Sprintf("%s\t"+format+"\t%s\t", what, values[0], goal)
		if len(values) > 1 {
			line += fmt.Sprintf(format+"\t%.2f\t", values[1], values[0]/values[1])
		}
		fmt.Fprintln(table, line)
		table.Flush()
	}

	if _, err := os.Stat(c.MinIOBin); err != nil {
		fmt.Fprintf(table, "MinIO alone\tnot measured: there is no %s, run make minio\t\t\n", c.MinIOBin)
	} else {
		raw, err := c.rawStore(ctx)
		if err != nil {
			return fmt.Errorf("MinIO alone: %w", err)
		}
		row("MinIO alone: PUT of a slice, clients at once", "", "%.0f/s", raw.puts)
		row("MinIO alone: ranged read of a frame, p50", "", "%.2f ms", raw.read)
	}

	// One series stored slice by slice, in turns; another in one request.
	sets := make([][][]byte, 2)
	for i := range sets {
		if sets[i], err = ctSeries(fmt.Sprint(i+1), c.Slices); err != nil {
			return err
		}
	}
	rates := make([]float64, len(all))
	for n, a := range all {
		took, err := atOnce(c.Clients, c.Slices, func(i int) error { return a.stow(ctx, sets[0][i]) })
		if err != nil {
			return fmt.Errorf("%s: store: %w", a.name, err)
		}
		rates[n] = float64(c.Slices) / took.Seconds()
	}
	row("STOW, one slice a request, clients at once", ">= 0.8x beside", "%.0f/s", rates...)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", ours.pid), []byte("5"), 0); err != nil { // VmHWM begins anew (proc(5))
		return err
	}
	for n, a := range all {
		begin := time.Now()
		if err := a.stow(ctx, sets[1]...); err != nil {
			return fmt.Errorf("%s: store a series: %w", a.name, err)
		}
		rates[n] = time.Since(begin).Seconds()
	}
	row(fmt.Sprintf("STOW, %.0f MB in one request", float64(c.Slices*len(sets[1][0]))/1e6), "", "%.1f s", rates...)
	peak, err := peakMemory(ours.pid)
	if err != nil {
		return err
	}
	row("… peak memory of the server (the object store runs in it)", "< 150 MB", "%.0f MB", peak)

	series := "/studies/" + benchUID("1") + "/series/" + benchUID("1") + ".1"
	instance := func(i int) string {
		return fmt.Sprintf("%s/instances/%s.1.%d", series, benchUID("1"), i%c.Slices+1)
	}
	const turn = 25 // questions each, in turns: a machine that is slower for a moment is so for all
	ask := func(what, goal string, times int, p float64, path func(i int) string, accept string) error {
		values, spent := make([]float64, len(all)), make([][]time.Duration, len(all))
		for from := 0; from < times; from += turn {
			for n, a := range all {
				for i := from; i < min(from+turn, times); i++ {
					d, _, err := a.get(ctx, path(i), accept, "")
					if err != nil {
						return fmt.Errorf("%s: %s: %w", a.name, what, err)
					}
					spent[n] = append(spent[n], d)
				}
			}
		}
		for n := range all {
			values[n] = float64(percentile(spent[n], p)) / float64(time.Millisecond)
		}
		row(what, goal, "%.2f ms", values...)
		return nil
	}
	const octets = `multipart/related; type="application/octet-stream"; transfer-syntax=*`
	sizes := make([]float64, len(all))
	for n, a := range all {
		_, size, err := a.get(ctx, series+"/metadata", "application/dicom+json", "gzip")
		if err != nil {
			return err
		}
		sizes[n] = float64(size) / 1e3
	}
	row(fmt.Sprintf("metadata of %d slices, bytes on the wire", c.Slices), "<= 400 kB", "%.0f kB", sizes...)
	for _, q := range []struct {
		what, goal string
		times      int
		p          float64
		path       func(i int) string
		accept     string
	}{
		{fmt.Sprintf("metadata of %d slices, p50", c.Slices), "<= 60 ms, <= 1/4", 9, 0.5, func(int) string { return series + "/metadata" }, "application/dicom+json"},
		{"frame, p50", "<= 2.5x MinIO alone, <= beside", c.Asked, 0.5, func(i int) string { return instance(i) + "/frames/1" }, octets},
		{"drawn as JPEG, first time, p50", "<= 5 ms, <= beside", c.Slices, 0.5, func(i int) string { return instance(i) + "/rendered" }, "image/jpeg"},
		{"drawn as JPEG, again, p50", "<= 1.5 ms, <= 1/3", c.Slices, 0.5, func(i int) string { return instance(i) + "/rendered" }, "image/jpeg"},
	} {
		if err := ask(q.what, q.goal, q.times, q.p, q.path, q.accept); err != nil {
			return err
		}
	}

	county, err := lineTo(child.target.Base, countyRate, countyTrip/2)
	if err != nil {
		return err
	}
	defer county.Close()
	metadata, previews := viewerAsks("1", c.Slices)
	opened, err := county.opening(ctx, ours.token, metadata, previews)
	if err != nil {
		return fmt.Errorf("previews over a line: %w", err)
	}
	row("2 Mbit/s, 200 ms: metadata and the first preview", "<= 3 s", "%.2f s", opened.First.Seconds())
	row(fmt.Sprintf("2 Mbit/s, 200 ms: all %d previews", c.Slices), "<= 30 s", "%.1f s", opened.All.Seconds())
	part, err := ctSeries("3", max(c.Slices/15, 1))
	if err != nil {
		return err
	}
	again, cuts, err := county.cutEvery(ctx, 3*time.Second, ours.token, part)
	if err != nil {
		return fmt.Errorf("upload over a line that is cut: %w", err)
	}
	row(fmt.Sprintf("upload of %d slices, cut %d times, each after 3 s: sent again", len(part), cuts), "< 5 %", "%.1f %%", 100*again)

	const batch = 50
	for _, a := range all {
		if _, err := atOnce(c.Clients, c.Studies/batch, func(i int) error {
			var files [][]byte
			for j := range batch {
				file, err := smallStudy(i*batch + j)
				if err != nil {
					return err
				}
				files = append(files, file)
			}
			return a.stow(ctx, files...)
		}); err != nil {
			return fmt.Errorf("%s: seed studies: %w", a.name, err)
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(c.Settle):
	}
	for _, q := range []struct {
		what, goal, path string
		each             bool // the path names one study
	}{
		{"QIDO by PatientID, p95", "<= 5 ms", "/studies?PatientID=PID%07d", true},
		{"QIDO by AccessionNumber, p95", "<= 5 ms", "/studies?AccessionNumber=ACC%08d", true},
		{"QIDO by StudyInstanceUID, p95", "<= 5 ms", "/studies?StudyInstanceUID=2.25.9100%07d", true},
		{"QIDO PatientName=WANG*, 25, p95", "<= 10 ms", "/studies?PatientName=WANG*&limit=25", false},
		{"QIDO PatientName=王*, 25, p95", "<= 10 ms", "/studies?PatientName=" + url.QueryEscape("王*") + "&limit=25", false},
		{"QIDO fuzzy, PatientName=wang, 25, p95", "<= 10 ms", "/studies?PatientName=wang&fuzzymatching=true&limit=25", false},
		{"QIDO 7 days, CT, 25, p95", "<= 10 ms", "/studies?StudyDate=20210101-20210107&ModalitiesInStudy=CT&limit=25", false},
		{"QIDO 1 year, 25 from 500 on, p95", "<= 10 ms", "/studies?StudyDate=20210101-20211231&limit=25&offset=500", false},
		{"QIDO everything, 25, p95", "<= 10 ms", "/studies?limit=25", false},
		{"QIDO series of a study, p95", "<= 5 ms", "/studies/2.25.9100%07d/series", true},
	} {
		path := func(i int) string {
			if !q.each {
				return q.path
			}
			return fmt.Sprintf(q.path, (i*37+11)%(c.Studies/2))
		}
		if err := ask(q.what, q.goal+", <= 1/2", c.Asked, 0.95, path, "application/dicom+json"); err != nil {
			return err
		}
	}
	return nil
}

// countyDoctor opens a session for the doctor of the cast who stores images.
func countyDoctor(ctx context.Context, base string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", base+"/api/v1/demo/cast?sessions=true", nil)
	if err != nil {
		return "", err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	var cast []struct{ Name, Session string }
	if err := json.NewDecoder(a.Body).Decode(&cast); err != nil {
		return "", err
	}
	for _, p := range cast {
		if p.Name == "赵志远" {
			return p.Session, nil
		}
	}
	return "", errors.New("the demo's county doctor is missing")
}

type rawFigures struct{ puts, read float64 }

// rawStore is what a MinIO server does alone: bytes that nobody seals, asks leave for or writes down.
func (c *ImagingCmd) rawStore(ctx context.Context) (f rawFigures, err error) {
	dir, err := os.MkdirTemp("", "yuanzhen-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	server, err := embedded.StartMinIO(ctx, c.MinIOBin, dir)
	if err != nil {
		return f, err
	}
	defer server.Stop()
	bucket, err := storage.OpenS3(ctx, server.Config)
	if err != nil {
		return f, err
	}
	defer bucket.Close()
	slice := make([]byte, 531_000)
	rand.Read(slice)
	place := ids.New[ids.Institution]()
	names := make([]storage.Key, c.Slices)
	took, err := atOnce(c.Clients, c.Slices, func(i int) error {
		names[i] = storage.NewKey(place)
		return bucket.Put(ctx, names[i], bytes.NewReader(slice), int64(len(slice)), "no key")
	})
	if err != nil {
		return f, err
	}
	f.puts = float64(c.Slices) / took.Seconds()
	var spent []time.Duration
	for _, name := range names {
		begin := time.Now()
		body, _, _, err := bucket.Get(ctx, name, 2000, 512*512*2)
		if err != nil {
			return f, err
		}
		_, err = io.Copy(io.Discard, body)
		body.Close()
		if err != nil {
			return f, err
		}
		spent = append(spent, time.Since(begin))
	}
	f.read = float64(percentile(spent, 0.5)) / float64(time.Millisecond)
	return f, nil
}

func (a *archive) do(r *http.Request) (*http.Response, error) {
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.client.Do(r)
}

func (a *archive) stow(ctx context.Context, files ...[]byte) error {
	var body bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&body, "--bench\r\nContent-Type: application/dicom\r\n\r\n%s\r\n", f)
	}
	body.WriteString("--bench--\r\n")
	r, err := http.NewRequestWithContext(ctx, "POST", a.base+"/studies", &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", `multipart/related; type="application/dicom"; boundary=bench`)
	r.Header.Set("Accept", "application/dicom+json")
	answer, err := a.do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", answer.StatusCode, text)
	}
	return err
}

func (a *archive) get(ctx context.Context, path, accept, encoding string) (time.Duration, int64, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", a.base+path, nil)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Accept", accept)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	begin := time.Now()
	answer, err := a.do(r)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("%s: status %d", path, answer.StatusCode)
	}
	return time.Since(begin), n, err
}

// peakMemory is VmHWM of proc(5), in MB.
func peakMemory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			return kb / 1000, nil
		}
	}
	return 0, errors.New("/proc names no VmHWM")
}

// benchUID is drawn anew each run, so that a server beside may be asked again.
var benchRun = func() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}()

func benchUID(n string) string { return fmt.Sprintf("2.25.%d.%s", benchRun, n) }

// ctSeries is a body in a table: ellipses of tissue and bone with the noise that makes CT hard to compress.
func ctSeries(n string, slices int) ([][]byte, error) {
	noise := mathrand.New(mathrand.NewPCG(1, 2))
	us := func(v uint16) string { return string(binary.LittleEndian.AppendUint16(nil, v)) }
	files := make([][]byte, slices)
	for i := range files {
		pixels := make([]byte, 0, 512*512*2)
		for y := range 512 {
			for x := range 512 {
				dx, dy := float64(x-256)/200, float64(y-256)/(150+float64(i)/10)
				v := 24.0
				switch r := dx*dx + dy*dy; {
				case math.Hypot(float64(x-256)/30, float64(y-380)/25) < 1:
					v = 1900
				case r < 0.9:
					v = 1060
				case r < 1:
					v = 950
				}
				pixels = binary.LittleEndian.AppendUint16(pixels, uint16(max(v+12*noise.NormFloat64(), 0)))
			}
		}
		var err error
		files[i], err = dicom.Compose(map[dicom.Tag]string{
			dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.2", dicom.SOPInstanceUID: fmt.Sprintf("%s.1.%d", benchUID(n), i+1),
			dicom.StudyInstanceUID: benchUID(n), dicom.SeriesInstanceUID: benchUID(n) + ".1", dicom.StudyDate: "20260101", dicom.Modality: "CT",
			dicom.PatientName: "BENCH^CT=测^试", dicom.PatientID: "BENCH" + n, dicom.SeriesNumber: "1", dicom.InstanceNumber: fmt.Sprint(i + 1),
			dicom.Rows: us(512), dicom.Columns: us(512), 0x00280002: us(1), 0x00280004: "MONOCHROME2", 0x00280100: us(16), 0x00280101: us(12),
			0x00280102: us(11), 0x00280103: us(0), 0x00281050: "40", 0x00281051: "400", 0x00281052: "-1024", 0x00281053: "1",
			0x00200032: fmt.Sprintf(`-250\-250\%d`, i), 0x00200037: `1\0\0\0\1\0`, 0x00280030: `0.9\0.9`, 0x00180050: "1"}, pixels)
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

var benchFamilies = []string{"WANG", "LI", "ZHANG", "LIU", "CHEN", "YANG", "HUANG", "ZHAO", "WU", "ZHOU", "XU", "SUN", "MA", "ZHU", "HU", "GUO", "HE", "LIN", "GAO", "LUO"}
var benchHan = []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗")
var benchModalities = []string{"CT", "MR", "DX", "US", "ECG", "SM", "CR", "XA"}

// smallStudy is a study of one object without a picture.
func smallStudy(i int) ([]byte, error) {
	return dicom.Compose(map[dicom.Tag]string{
		dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.7", dicom.SOPInstanceUID: fmt.Sprintf("2.25.9100%07d.1.1", i),
		dicom.StudyInstanceUID: fmt.Sprintf("2.25.9100%07d", i), dicom.SeriesInstanceUID: fmt.Sprintf("2.25.9100%07d.1", i),
		dicom.StudyDate: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i%1800).Format("20060102"),
		dicom.StudyTime: fmt.Sprintf("%02d%02d00", i%24, i%60), dicom.AccessionNumber: fmt.Sprintf("ACC%08d", i),
		dicom.Modality: benchModalities[i%8], dicom.ReferringPhysician: fmt.Sprint("REF^DR", i%50), dicom.StudyDescription: fmt.Sprint("STUDY ", i%37),
		dicom.PatientName: fmt.Sprintf("%s^P%05d=%c^测试", benchFamilies[i%20], i, benchHan[i%20]), dicom.PatientID: fmt.Sprintf("PID%07d", i/2),
		dicom.PatientBirthDate: "19600101", dicom.PatientSex: "O", dicom.SeriesNumber: "1", dicom.InstanceNumber: "1"}, nil)
}
