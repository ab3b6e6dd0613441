package imaging

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
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

// base is the absolute address of /dicomweb.
func (s *Service) base(r *http.Request) string {
	if s.Public != "" {
		return strings.TrimSuffix(s.Public, "/") + "/dicomweb"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/dicomweb"
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
	docs := make([]json.RawMessage, len(all))
	for n, i := range all {
		at := fmt.Sprintf("%s/studies/%s/series/%s/instances/%s/", s.base(r), i.Study, i.Series, i.SOP)
		if docs[n], err = unpackJSON(i.DICOMJSON, at); err != nil {
			return err
		}
	}
	return writeJSON(w, r, func(enc *json.Encoder) error { return enc.Encode(docs) })
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

func writeJSON(w http.ResponseWriter, r *http.Request, encode func(*json.Encoder) error) error {
	guard(w)
	w.Header().Set("Content-Type", jsonType)
	w.Header().Add("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return encode(json.NewEncoder(w))
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	if err := encode(json.NewEncoder(z)); err != nil {
		return err
	}
	return z.Close()
}

// serveObjects is WADO-RS of whole objects: one by one in a multipart body, or a single one alone.
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
		if !covers(kind, dicomType) || len(all) > 1 && !parts && kind != "*/*" {
			continue
		}
		if syntax != "" && syntax != "*" && syntax != all[0].TransferSyntax {
			continue // objects are served as stored
		}
		if unchanged(w, r, etag(all)) {
			return nil
		}
		if parts || m.kind == "*/*" {
			return s.objectParts(w, r, all)
		}
		return s.object(w, r, all[0])
	}
	return notAcceptable(w, r, `multipart/related; type="application/dicom"`, dicomType)
}

func (s *Service) object(w http.ResponseWriter, r *http.Request, i instance) error {
	w.Header().Set("Content-Type", dicomType)
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("Content-Length", strconv.FormatInt(i.Size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	return s.copyObject(r.Context(), w, i)
}

func (s *Service) objectParts(w http.ResponseWriter, r *http.Request, all []instance) error {
	return inParts(w, r, dicomType, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
		for _, i := range all {
			out, err := part(textproto.MIMEHeader{
				"Content-Type":   {dicomType + "; transfer-syntax=" + i.TransferSyntax},
				"Content-Length": {strconv.FormatInt(i.Size, 10)}})
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
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Minute)); err != nil && !errors.Is(err, http.ErrNotSupported) {
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

const preamble = 128

// maxFrames bounds one answer of frames, which is put together in memory frame by frame.
const maxFrames = 1000

// serveFrames is WADO-RS of frames, as stored or (native and RLE) as little endian samples.
func (s *Service) serveFrames(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r)
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

// one finds the single object of the URL, for a picture of it.
func (s *Service) one(r *http.Request) (instance, error) {
	p, err := pathOf(r)
	if err != nil {
		return instance{}, err
	}
	all, err := s.read(r.Context(), p, true)
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
	isNative, decodes := dicom.Native(stored), stored == dicom.RLE
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
	objects  func(off, n int64) (io.ReadCloser, error)
	inflated []byte      // the whole file, where it lies deflated
	file     *dicom.File // its head, when it was needed
}

// opened prepares an object's frames. A deflated one has to be read as a whole.
func (s *Service) opened(ctx context.Context, i instance) (*frames, error) {
	f := &frames{instance: i, objects: func(off, n int64) (io.ReadCloser, error) { return s.Objects.Get(ctx, i.ObjectKey, off, n) }}
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
	body, err := f.objects(off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// stored is frame n as it lies.
func (f *frames) stored(n int) ([]byte, error) {
	var b []byte
	for _, run := range f.FrameIndex[n] {
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
	return head.LittleEndian(b)
}

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

// serveRendered draws a frame for plain <img>: the first without a number.
func (s *Service) serveRendered(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r)
	if err != nil {
		return err
	}
	wanted, err := frameList(cmp.Or(r.PathValue("frames"), "1"), len(i.FrameIndex))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	window, err := parseWindow(q.Get("window"))
	if err != nil {
		return err
	}
	quality, err := strconv.Atoi(cmp.Or(q.Get("quality"), "90"))
	if err != nil || quality < 1 || quality > 100 {
		return badDrawing
	}
	guard(w)
	for _, m := range accepted(r) {
		kind := "image/jpeg"
		if !covers(m.kind, kind) {
			if kind = "image/png"; m.kind != kind {
				continue
			}
		}
		if unchanged(w, r, etag([]instance{i}, kind, r.PathValue("frames"), q.Get("window"), q.Get("quality"))) {
			return nil
		}
		f, err := s.opened(r.Context(), i)
		if err != nil {
			return err
		}
		head, err := f.head()
		if err != nil {
			return err
		}
		data, err := f.stored(wanted[0])
		if err != nil {
			return err
		}
		img, err := head.Render(wanted[0], data, window)
		if errors.Is(err, dicom.ErrNotDrawn) {
			return notAcceptable(w, r, dicom.FrameType(i.TransferSyntax))
		}
		if err != nil {
			return fmt.Errorf("draw frame: %w", err)
		}
		var out bytes.Buffer
		if kind == "image/png" {
			err = png.Encode(&out, img)
		} else {
			err = jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
		}
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", kind)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(out.Bytes()))
		return nil
	}
	return notAcceptable(w, r, "image/jpeg", "image/png")
}

var badDrawing = fault.New(fault.Malformed, "bad_drawing", "窗宽窗位或质量参数不合规。", "The parameters window or quality are not valid.").
	WithRemedy("window=窗位,窗宽,linear；quality=1 到 100。", "window=center,width,linear; quality from 1 to 100.")

// parseWindow reads "center,width[,function]" (PS3.18 §8.3.5.1.4); only the linear function is drawn.
func parseWindow(s string) (*dicom.Window, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && !strings.EqualFold(parts[2], "linear") {
		return nil, badDrawing
	}
	c, err1 := strconv.ParseFloat(parts[0], 64)
	width, err2 := strconv.ParseFloat(parts[1], 64)
	if err1 != nil || err2 != nil || !(width >= 1 && width < 1e9) || !(c > -1e9 && c < 1e9) {
		return nil, badDrawing
	}
	return &dicom.Window{Center: c, Width: width}, nil
}

// serveBulk is the large values that metadata names by BulkDataURI.
func (s *Service) serveBulk(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r)
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
	f, err := s.opened(r.Context(), i)
	if err != nil {
		return err
	}
	for _, m := range accepted(r) {
		kind, parts := m.multipart()
		if !covers(kind, octets) {
			continue
		}
		b, err := f.bytes(at.Offset, at.Length)
		if err != nil {
			return err
		}
		if parts || m.kind == "*/*" {
			return inParts(w, r, octets, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
				out, err := part(textproto.MIMEHeader{"Content-Type": {octets}, "Content-Length": {strconv.Itoa(len(b))}})
				if err != nil {
					return err
				}
				_, err = out.Write(b)
				return err
			})
		}
		w.Header().Set("Content-Type", octets)
		w.Header().Set("Content-Disposition", "attachment")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		return nil
	}
	return notAcceptable(w, r, octets)
}
