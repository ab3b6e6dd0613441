package imaging

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/codec/worker"
	"yuanzhen/storage/imaging/dicom"
)

const (
	dicomType = "application/dicom"
	jsonType  = "application/dicom+json"
	octets    = "application/octet-stream"
)

// pathOf reads the UIDs of the URL and refuses what can't be one.
func pathOf(r *http.Request) (path, error) {
	p := path{r.PathValue("study"), r.PathValue("series"), r.PathValue("instance")}
	for _, uid := range []string{p.study, p.series, p.sop} {
		if uid != "" && !dicom.ValidUID(uid) {
			return p, badUID
		}
	}
	return p, nil
}

// base is the absolute address of /dicomweb, or of what a share link opens.
func (s *Service) base(r *http.Request) string {
	at := "/dicomweb"
	if strings.HasPrefix(r.URL.Path, shared) {
		at = shared + at
	}
	if s.Public != "" {
		return strings.TrimSuffix(s.Public, "/") + at
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + at
}

// guard sets what every answer with patient's bytes carries: nothing in it is ever run, framed or kept past the right
// to see it. no-cache lets browsers keep a copy but makes them ask each time, so that a lapsed grant ends it.
func guard(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache")
}

// unchanged answers 304 when the client has these bytes already.
func unchanged(w http.ResponseWriter, r *http.Request, etag string) bool {
	w.Header().Set("ETag", etag)
	if !strings.Contains(r.Header.Get("If-None-Match"), etag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

func etag(all []instance, more ...string) string {
	sum := sha256.New()
	for _, i := range all {
		sum.Write(i.SHA256)
	}
	io.WriteString(sum, strings.Join(more, "\x00"))
	return `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
}

// notAcceptable is HTTP's own answer to an Accept header that can't be met (RFC 9110 §15.5.7).
func notAcceptable(w http.ResponseWriter, r *http.Request, have ...string) error {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotAcceptable)
	return json.NewEncoder(w).Encode(httpapi.Problem{Type: "about:blank", Title: "Not Acceptable", Status: http.StatusNotAcceptable, Code: "not_acceptable",
		Detail:    fault.Text{ZH: "没有您要的格式。", EN: "There is no such form of it."},
		Remedy:    fault.Text{ZH: "可用：" + strings.Join(have, "、"), EN: "Available: " + strings.Join(have, ", ")},
		RequestID: audit.RequestID(r.Context())})
}

// serveMetadata is WADO-RS metadata of a study, series or instance (PS3.18 §10.4.1.1.2), from Postgres alone.
func (s *Service) serveMetadata(w http.ResponseWriter, r *http.Request) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	all, err := s.read(r.Context(), p, false)
	if err != nil {
		return err
	}
	guard(w)
	if unchanged(w, r, etag(all, "metadata", r.Host)) {
		return nil
	}
	base := s.base(r)
	return writeJSON(w, r, func(out io.Writer) error {
		for n, i := range all {
			doc, err := unpackJSON(i.DICOMJSON, fmt.Sprintf("%s/studies/%s/series/%s/instances/%s/", base, i.Study, i.Series, i.SOP))
			if err == nil {
				_, err = io.WriteString(out, map[bool]string{true: "[", false: ","}[n == 0])
			}
			if err == nil {
				_, err = out.Write(doc)
			}
			if err != nil {
				return err
			}
		}
		_, err := io.WriteString(out, "]")
		return err
	})
}

// unpackJSON inflates stored DICOM JSON and makes its BulkDataURIs absolute. The quotes around the name can't occur
// inside a JSON string, so no text of a patient is touched.
func unpackJSON(doc []byte, at string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(doc))
	if err != nil {
		return nil, fmt.Errorf("stored DICOM JSON: %w", err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("stored DICOM JSON: %w", err)
	}
	return bytes.ReplaceAll(plain, []byte(`"BulkDataURI":"`+dicom.BulkPrefix), []byte(`"BulkDataURI":"`+at+dicom.BulkPrefix)), nil
}

// writeJSON sends what write makes, packed where the client takes it. The fastest level: texts of one series repeat
// each other so much that a slower one saves no second on any line.
func writeJSON(w http.ResponseWriter, r *http.Request, write func(io.Writer) error) error {
	guard(w)
	w.Header().Set("Content-Type", jsonType)
	w.Header().Add("Vary", "Accept-Encoding")
	if r.Method == http.MethodHead {
		return nil
	}
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return write(w)
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := write(z); err != nil {
		return err
	}
	return z.Close()
}

// serveObjects is WADO-RS of whole objects: one by one in a multipart body, in a zip archive, or a single one alone.
func (s *Service) serveObjects(w http.ResponseWriter, r *http.Request) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	all, err := s.read(r.Context(), p, false)
	if err != nil {
		return err
	}
	guard(w)
	for _, m := range accepted(r) {
		kind, parts := m.multipart()
		syntax := m.params["transfer-syntax"]
		if !parts && covers(m.kind, zipType) && m.kind != "*/*" {
			if unchanged(w, r, etag(all, zipType)) {
				return nil
			}
			return s.objectArchive(w, r, all)
		}
		if !covers(kind, dicomType) || len(all) > 1 && !parts && kind != "*/*" {
			continue
		}
		if syntax == dicom.ExplicitLE || syntax == "" && m.kind != "*/*" {
			for n := range all { // who names no syntax wants one that everybody reads
				all[n].inflate = all[n].TransferSyntax == dicom.DeflatedLE
			}
		}
		if syntax != "" && syntax != "*" && syntax != all[0].servedSyntax() {
			continue // objects are served as stored
		}
		if unchanged(w, r, etag(all, all[0].servedSyntax())) {
			return nil
		}
		if parts || m.kind == "*/*" {
			return s.objectParts(w, r, all)
		}
		return s.object(w, r, all[0])
	}
	return notAcceptable(w, r, `multipart/related; type="application/dicom"`, dicomType, zipType)
}

const zipType = "application/zip"

// servedSyntax is the transfer syntax that the object is sent in.
func (i instance) servedSyntax() string {
	if i.inflate {
		return dicom.ExplicitLE
	}
	return i.TransferSyntax
}

// object sends one object, or the range of it that was asked for.
func (s *Service) object(w http.ResponseWriter, r *http.Request, i instance) error {
	w.Header().Set("Content-Type", dicomType+"; transfer-syntax="+i.servedSyntax())
	w.Header().Set("Content-Disposition", "attachment")
	if i.inflate {
		b, err := inflatedObject(r.Context(), s.Objects, i)
		if err != nil {
			return err
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		return nil
	}
	if r.Header.Get("Range") != "" {
		return s.stretch(w, r, i, dicom.Span{Length: i.Size})
	}
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Length", strconv.FormatInt(i.Size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	return s.copyObject(r.Context(), w, i)
}

// stretch sends a run of an object's bytes, or the range of it that was asked for.
func (s *Service) stretch(w http.ResponseWriter, r *http.Request, i instance, at dicom.Span) error {
	t := &stretch{ctx: r.Context(), objects: s.Objects, key: i.ObjectKey, Span: at}
	defer t.Close()
	http.ServeContent(w, r, "", time.Time{}, t)
	return t.err
}

func (s *Service) objectParts(w http.ResponseWriter, r *http.Request, all []instance) error {
	return inParts(w, r, dicomType, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
		for _, i := range all {
			header := textproto.MIMEHeader{"Content-Type": {dicomType + "; transfer-syntax=" + i.servedSyntax()}}
			if !i.inflate {
				header.Set("Content-Length", strconv.FormatInt(i.Size, 10))
			}
			out, err := part(header)
			if err != nil {
				return err
			}
			if err := s.copyObject(r.Context(), out, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// objectArchive sends the objects as stored in a zip archive, named by number. Files of a CD are named so too, and no
// name says whose they are.
func (s *Service) objectArchive(w http.ResponseWriter, r *http.Request, all []instance) error {
	w.Header().Set("Content-Type", zipType)
	w.Header().Set("Content-Disposition", `attachment; filename="images.zip"`)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := unhurried(w); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for n, i := range all {
		out, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%06d.dcm", n+1), Method: zip.Store})
		if err != nil {
			return err
		}
		if err := s.copyObject(r.Context(), out, i); err != nil {
			return err
		}
	}
	return z.Close()
}

// unhurried gives a large answer on a slow line its time.
func unhurried(w http.ResponseWriter) error {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// inParts writes a multipart/related body. An error in the middle leaves out the closing boundary, which tells the
// client that something is missing.
func inParts(w http.ResponseWriter, r *http.Request, kind string, write func(part func(textproto.MIMEHeader) (io.Writer, error)) error) error {
	m := multipart.NewWriter(w)
	if err := m.SetBoundary("yz" + rand.Text()); err != nil {
		return err
	}
	w.Header().Set("Content-Type", fmt.Sprintf(`multipart/related; type=%q; boundary=%s`, kind, m.Boundary()))
	if r.Method == http.MethodHead {
		return nil
	}
	if err := unhurried(w); err != nil {
		return err
	}
	if err := write(m.CreatePart); err != nil {
		return err
	}
	return m.Close()
}

// copyObject sends the stored bytes with the preamble zeroed: 128 bytes in which an executable or a web page could
// hide (PS3.10 §7.5). The digest is that of the bytes as they came.
func (s *Service) copyObject(ctx context.Context, w io.Writer, i instance) error {
	if i.inflate {
		b, err := inflatedObject(ctx, s.Objects, i)
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	body, err := s.Objects.Get(ctx, i.ObjectKey, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	in := io.TeeReader(body, sum)
	if _, err := io.CopyN(io.Discard, in, preamble); err != nil {
		return err
	}
	if _, err := w.Write(make([]byte, preamble)); err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), i.SHA256) {
		return fmt.Errorf("object of instance %s is not what was stored", i.SOP)
	}
	return nil
}

// inflatedObject is a deflated object in explicit little endian, for viewers that don't inflate.
func inflatedObject(ctx context.Context, objects storage.Objects, i instance) ([]byte, error) {
	body, err := objects.Get(ctx, i.ObjectKey, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	clear(raw[:preamble])
	return dicom.Undeflate(raw)
}

// stretch is a run of an object's bytes that can be read from anywhere, for ranges. Each chunk is authenticated by the
// store. It is closed by who made it.
type stretch struct {
	ctx     context.Context // of the one request that reads
	objects storage.Objects
	key     storage.Key
	dicom.Span
	at   int64 // from the beginning of the run
	body io.ReadCloser
	err  error // why reading failed, as http.ServeContent doesn't say
}

func (t *stretch) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += t.at
	case io.SeekEnd:
		off += t.Length
	}
	if off != t.at {
		t.Close()
		t.at, t.body = off, nil
	}
	return off, nil
}

func (t *stretch) Read(b []byte) (n int, err error) {
	if t.at >= t.Length {
		return 0, io.EOF
	}
	if t.body == nil {
		if t.body, t.err = t.objects.Get(t.ctx, t.key, t.Offset+t.at, t.Length-t.at); t.err != nil {
			return 0, t.err
		}
	}
	n, err = t.body.Read(b)
	for i := t.Offset + t.at; i < preamble && i < t.Offset+t.at+int64(n); i++ {
		b[i-t.Offset-t.at] = 0
	}
	t.at += int64(n)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

func (t *stretch) Close() error {
	if t.body == nil {
		return nil
	}
	return t.body.Close()
}

const preamble = 128

// maxFrames bounds one answer of frames, which is put together in memory frame by frame.
const maxFrames = 1000

// serveFrames is WADO-RS of frames, as stored or (native and RLE) as little endian samples.
func (s *Service) serveFrames(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r, true)
	if err != nil {
		return err
	}
	wanted, err := frameList(r.PathValue("frames"), len(i.FrameIndex))
	if err != nil {
		return err
	}
	guard(w)
	for _, m := range accepted(r) {
		form, ok := i.formOf(m)
		if !ok || !form.parts && len(wanted) > 1 {
			continue
		}
		if unchanged(w, r, etag([]instance{i}, append([]string{form.kind, form.syntax}, r.PathValue("frames"))...)) {
			return nil
		}
		frames, err := s.opened(r.Context(), i)
		if err != nil {
			return err
		}
		contentType := form.kind + "; transfer-syntax=" + form.syntax
		if !form.parts {
			b, err := frames.in(form, wanted[0])
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", contentType)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
			return nil
		}
		return inParts(w, r, form.kind, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
			for _, n := range wanted {
				b, err := frames.in(form, n)
				if err != nil {
					return err
				}
				out, err := part(textproto.MIMEHeader{"Content-Type": {contentType}, "Content-Length": {strconv.Itoa(len(b))}})
				if err != nil {
					return err
				}
				if _, err := out.Write(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return notAcceptable(w, r, `multipart/related; type="application/octet-stream"; transfer-syntax=*`, dicom.FrameType(i.TransferSyntax))
}

// one finds the single object of the URL; glance is for a picture of it.
func (s *Service) one(r *http.Request, glance bool) (instance, error) {
	p, err := pathOf(r)
	if err != nil {
		return instance{}, err
	}
	all, err := s.read(r.Context(), p, glance)
	if err != nil {
		return instance{}, err
	}
	return all[0], nil
}

// frameList reads "1,3,4" and refuses what isn't there: the same answer as for any missing thing.
func frameList(s string, have int) ([]int, error) {
	var all []int
	for _, f := range strings.Split(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || len(all) == maxFrames {
			return nil, fault.New(fault.Malformed, "bad_frames", "帧号不合规。", "The list of frames is not a valid one.").
				WithRemedy("请用从 1 开始的帧号，以逗号分隔，最多 1000 个。", "Please use frame numbers from 1, separated by commas, at most 1000.")
		}
		if n < 1 || n > have {
			return nil, fault.Missing()
		}
		all = append(all, n-1)
	}
	return all, nil
}

// form is how a frame is sent.
type form struct {
	kind, syntax string
	parts        bool
	native       bool // as little endian samples
}

// formOf decides whether an alternative of the Accept header can be met (PS3.18 §8.7.3).
func (i instance) formOf(m media) (form, bool) {
	kind, parts := m.multipart()
	if m.kind == "*/*" {
		parts = true // the default of this resource
	}
	syntax, stored := m.params["transfer-syntax"], i.TransferSyntax
	kind = cmp.Or(map[string]string{"image/x-jls": "image/jls", "image/j2c": "image/jphc"}[kind], kind)
	isNative, decodes := dicom.Native(stored), stored == dicom.RLE || codec.Knows(stored)
	switch {
	case isNative, decodes && kind == octets && (syntax == "" || syntax == dicom.ExplicitLE):
		fits := syntax == "" || syntax == "*" || syntax == dicom.ExplicitLE
		return form{octets, dicom.ExplicitLE, parts, true}, fits && covers(kind, octets)
	case kind == octets: // "as it is", for clients that decode by the syntax
		return form{octets, stored, parts, false}, syntax == "*" || syntax == stored
	}
	of := dicom.FrameType(stored)
	return form{of, stored, parts, false}, covers(kind, of) && (syntax == "" || syntax == "*" || syntax == stored)
}

// frames reads single frames of one object.
type frames struct {
	instance
	ctx      context.Context // of the one request that reads
	decoder  *worker.Pool
	objects  func(off, n int64) (io.ReadCloser, error)
	inflated []byte      // the whole file, where it lies deflated
	begin    []byte      // of the file, where it was worth reading at once
	file     *dicom.File // its head, when it was needed
}

// opened prepares an object's frames. A deflated one has to be read as a whole.
func (s *Service) opened(ctx context.Context, i instance) (*frames, error) {
	f := &frames{instance: i, ctx: ctx, decoder: s.Decoder, objects: func(off, n int64) (io.ReadCloser, error) { return s.Objects.Get(ctx, i.ObjectKey, off, n) }}
	if i.TransferSyntax != dicom.DeflatedLE {
		return f, nil
	}
	raw, err := f.bytes(0, -1)
	if err != nil {
		return nil, err
	}
	if f.file, err = dicom.Read(bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	f.inflated, err = dicom.Inflate(raw)
	return f, err
}

func (f *frames) bytes(off, n int64) ([]byte, error) {
	if f.inflated != nil {
		return f.inflated[off:][:n], nil
	}
	if n >= 0 && off+n <= int64(len(f.begin)) {
		return f.begin[off:][:n], nil
	}
	body, err := f.objects(off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if n < 0 {
		return io.ReadAll(body)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(body, b)
	return b, err
}

// copy sends a run of bytes that may be too large for memory.
func (f *frames) copy(w io.Writer, at dicom.Span) error {
	if f.inflated != nil {
		_, err := w.Write(f.inflated[at.Offset:][:at.Length])
		return err
	}
	body, err := f.objects(at.Offset, at.Length)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// maxFrame bounds a frame that is held in memory: 4096 x 4096 in 16-bit colour.
const maxFrame = 96 << 20

// stored is frame n as it lies.
func (f *frames) stored(n int) ([]byte, error) {
	var b []byte
	for _, run := range f.FrameIndex[n] {
		if int64(len(b))+run.Length > maxFrame {
			return nil, unreadableFrame
		}
		part, err := f.bytes(run.Offset, run.Length)
		if err != nil {
			return nil, err
		}
		b = append(b, part...)
	}
	return b, nil
}

func (f *frames) in(form form, n int) ([]byte, error) {
	b, err := f.stored(n)
	if err != nil || !form.native || f.TransferSyntax == dicom.ExplicitLE || f.TransferSyntax == dicom.ImplicitLE {
		return b, err // as it lies is as it is wanted
	}
	head, err := f.head()
	if err != nil {
		return nil, err
	}
	if codec.Knows(f.TransferSyntax) {
		return f.decoded(head, b)
	}
	return head.LittleEndian(b)
}

// decoded is a compressed frame as little endian samples of Bits Allocated, colour by pixel.
func (f *frames) decoded(head *dicom.File, b []byte) ([]byte, error) {
	columns, rows, samples, allocated, err := head.Shape()
	if err != nil {
		return nil, unreadableFrame.Because(err)
	}
	p, err := f.decoder.Decode(f.ctx, f.TransferSyntax, b)
	if err == nil && (p.Width != columns || p.Height != rows || p.Components != samples || p.Bits > allocated) {
		err = fmt.Errorf("a frame of %d x %d x %d in an object of %d x %d x %d", p.Width, p.Height, p.Components, columns, rows, samples)
	}
	if err != nil {
		return nil, unreadableFrame.Because(err)
	}
	if allocated == 8 {
		out := make([]byte, len(p.Pix))
		for i, v := range p.Pix {
			out[i] = byte(v)
		}
		return out, nil
	}
	out := make([]byte, 0, 2*len(p.Pix))
	for _, v := range p.Pix {
		out = binary.LittleEndian.AppendUint16(out, v)
	}
	return out, nil
}

var unreadableFrame = fault.New(fault.Invalid, "frame_unreadable", "这一帧的内容已损坏或过大，无法解码。", "This frame is broken or too large to be decoded.").
	WithRemedy("请下载原文件，或请上传方重新导出。", "Please fetch the object as it is stored, or ask the sender to export it again.")

// head is the data set before the pixels.
func (f *frames) head() (*dicom.File, error) {
	if f.file != nil {
		return f.file, nil
	}
	b, err := f.bytes(0, f.Head)
	if err != nil {
		return nil, err
	}
	f.file, err = dicom.Read(bytes.NewReader(b))
	return f.file, err
}

// serveBulk is the large values that metadata names by BulkDataURI.
func (s *Service) serveBulk(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r, false)
	if err != nil {
		return err
	}
	tags := r.PathValue("tags")
	at, ok := i.BulkIndex[tags]
	if !ok && tags == dicom.PixelData.String() && len(i.FrameIndex) > 0 && dicom.Native(i.TransferSyntax) {
		last := i.FrameIndex[len(i.FrameIndex)-1][0]
		at, ok = dicom.Span{Offset: i.FrameIndex[0][0].Offset}, true
		at.Length = last.Offset + last.Length - at.Offset
	}
	if !ok {
		return fault.Missing()
	}
	guard(w)
	if unchanged(w, r, etag([]instance{i}, tags)) {
		return nil
	}
	of, err := i.bulkType(tags)
	if err != nil {
		return err
	}
	for _, m := range accepted(r) {
		kind, parts := m.multipart()
		send := of
		if !covers(kind, of) {
			if send = octets; !covers(kind, octets) {
				continue
			}
		}
		f, err := s.opened(r.Context(), i)
		if err != nil {
			return err
		}
		if parts || m.kind == "*/*" && of == octets {
			return inParts(w, r, send, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
				out, err := part(textproto.MIMEHeader{"Content-Type": {send}, "Content-Length": {strconv.FormatInt(at.Length, 10)}})
				if err != nil {
					return err
				}
				return f.copy(out, at)
			})
		}
		w.Header().Set("Content-Type", send)
		w.Header().Set("Content-Disposition", "attachment")
		if f.inflated != nil {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.inflated[at.Offset:][:at.Length]))
			return nil
		}
		return s.stretch(w, r, i, at)
	}
	return notAcceptable(w, r, of, octets)
}

// bulkType is the media type of a large value: a document says its own, of which only PDF is believed, since nothing
// else is ever shown by a browser.
func (i instance) bulkType(tags string) (string, error) {
	if tags != dicom.EncapsulatedDocument.String() {
		return octets, nil
	}
	doc, err := unpackJSON(i.DICOMJSON, "")
	if err != nil {
		return "", err
	}
	var said map[string]struct{ Value []json.RawMessage }
	if err := json.Unmarshal(doc, &said); err != nil {
		return "", fmt.Errorf("stored DICOM JSON: %w", err)
	}
	if v := said[dicom.MIMETypeOfDocument.String()].Value; len(v) == 1 && string(v[0]) == `"application/pdf"` {
		return "application/pdf", nil
	}
	return octets, nil
}
