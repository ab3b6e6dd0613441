package imaging

import (
	"archive/zip"
	"bytes"
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
	"math"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/dicom"
)

const (
	dicomType = "application/dicom"
	jsonType  = "application/dicom+json"
	octets    = "application/octet-stream"
)

// pathOf reads the UIDs of the URL and refuses what can't be one, and the hospital whose copy is wanted.
func pathOf(r *http.Request) (path, error) {
	p := path{study: r.PathValue("study"), series: r.PathValue("series"), sop: r.PathValue("instance"), frames: []int{1, 2}, lean: true} // these two tell how frames lie
	for _, f := range strings.Split(r.PathValue("frames"), ",") {
		if n, err := strconv.Atoi(f); err == nil && n > 2 && n <= math.MaxInt32 && len(p.frames) < maxFrames+2 {
			p.frames = append(p.frames, n)
		}
	}
	if named := r.URL.Query().Get("institution"); named != "" {
		place, err := ids.Parse[ids.Institution](named)
		if err != nil {
			return p, fault.Missing()
		}
		p.place = place
	}
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
	h.Set("Vary", "Accept")
}

// unchanged answers 304 when the client has these bytes already. Each form of a resource has a tag of its own: browsers show the
// tag of one form when they ask for another.
func unchanged(w http.ResponseWriter, r *http.Request, etag string) bool {
	w.Header().Set("ETag", etag)
	if known := r.Header.Get("If-None-Match"); !strings.Contains(known, etag) && strings.TrimSpace(known) != "*" {
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
	if !takesJSON(r) {
		return notAcceptable(w, r, jsonType)
	}
	guard(w)
	if unchanged(w, r, etag(all, "metadata", r.Host)) {
		return nil
	}
	base := s.base(r)
	return writeJSON(w, r, func(out io.Writer) error {
		buffer := make([]byte, 64<<10)
		for n, i := range all {
			if _, err := io.WriteString(out, map[bool]string{true: "[", false: ","}[n == 0]); err != nil {
				return err
			}
			at := fmt.Sprintf("%s/studies/%s/series/%s/instances/%s/", base, i.Study, i.Series, i.SOP)
			if err := s.words(r.Context(), i, out, func(out io.Writer, packed []byte) error {
				return unpacked(packed, func(plain io.Reader) error { return rebased(out, plain, at, buffer) })
			}); err != nil {
				return err
			}
		}
		_, err := io.WriteString(out, "]")
		return err
	})
}

// unpackers are kept like packers; hasty ones pack what is sent and not kept.
var (
	unpackers    = sync.Pool{New: func() any { return new(gzip.Reader) }}
	hastyPackers = sync.Pool{New: func() any {
		z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic(err) // only for a level that isn't one
		}
		return z
	}}
)

// unpacked lets read have stored DICOM JSON.
func unpacked(packed []byte, read func(io.Reader) error) error {
	z := unpackers.Get().(*gzip.Reader)
	defer unpackers.Put(z)
	if err := z.Reset(bytes.NewReader(packed)); err != nil {
		return fmt.Errorf("stored DICOM JSON: %w", err)
	}
	return read(z)
}

// unpackJSON is stored DICOM JSON.
func unpackJSON(packed []byte) (plain []byte, err error) {
	err = unpacked(packed, func(in io.Reader) error {
		b := bytes.NewBuffer(make([]byte, 0, unpackedSize(packed)+bytes.MinRead)) // so that it doesn't grow
		if _, err := b.ReadFrom(in); err != nil {
			return fmt.Errorf("stored DICOM JSON: %w", err)
		}
		plain = b.Bytes()
		return nil
	})
	return plain, err
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
	z := hastyPackers.Get().(*gzip.Writer)
	defer hastyPackers.Put(z)
	z.Reset(w)
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
		if !parts && m.takes(m.kind, zipType) && m.kind != "*/*" {
			if unchanged(w, r, etag(all, zipType)) {
				return nil
			}
			return s.objectArchive(w, r, all)
		}
		if !m.takes(kind, dicomType) || len(all) > 1 && !parts && kind != "*/*" {
			continue
		}
		for n := range all {
			switch all[n].TransferSyntax {
			case dicom.DeflatedLE: // who names no syntax wants one that everybody reads
				all[n].explicit = syntax == dicom.ExplicitLE || syntax == "" && m.kind != "*/*"
			case dicom.ImplicitLE:
				all[n].explicit = syntax == dicom.ExplicitLE
			}
		}
		if syntax != "" && syntax != "*" && slices.ContainsFunc(all, func(i instance) bool { return i.servedSyntax() != syntax }) {
			continue // others are served as stored
		}
		served := syntax
		if syntax == "" && m.kind == "*/*" {
			served = "*"
		}
		parts = parts || m.kind == "*/*"
		if unchanged(w, r, etag(all, served, fmt.Sprint(parts))) {
			return nil
		}
		if parts {
			return s.objectParts(w, r, all)
		}
		return s.object(w, r, all[0])
	}
	return notAcceptable(w, r, `multipart/related; type="application/dicom"`, dicomType, zipType)
}

const zipType = "application/zip"

// servedSyntax is the transfer syntax that the object is sent in.
func (i instance) servedSyntax() string {
	if i.explicit {
		return dicom.ExplicitLE
	}
	return i.TransferSyntax
}

// object sends one object, or the range of it that was asked for.
func (s *Service) object(w http.ResponseWriter, r *http.Request, i instance) error {
	w.Header().Set("Content-Type", dicomType+"; transfer-syntax="+i.servedSyntax())
	w.Header().Set("Content-Disposition", "attachment")
	if i.explicit {
		file, err := aside(func(out io.Writer) error { return s.copyObject(r.Context(), out, i) })
		if err != nil {
			return err
		}
		defer file.Close()
		http.ServeContent(w, r, "", time.Time{}, file)
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
			if !i.explicit {
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
	return archive(w, all, func(out io.Writer, i instance) error { return s.copyObject(r.Context(), out, i) })
}

// archive writes one object after the other into a zip archive, each by write.
func archive(w io.Writer, all []instance, write func(io.Writer, instance) error) error {
	z := zip.NewWriter(w)
	for n, i := range all {
		out, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%06d.dcm", n+1), Method: zip.Store})
		if err != nil {
			return err
		}
		if err := write(out, i); err != nil {
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
	body, err := s.Objects.Get(ctx, i.ObjectKey, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	in := io.TeeReader(body, sum)
	switch {
	case !i.explicit:
		if _, err := io.CopyN(io.Discard, in, preamble); err != nil {
			return err
		}
		if _, err := w.Write(make([]byte, preamble)); err != nil {
			return err
		}
		_, err = io.Copy(w, in)
	case i.TransferSyntax == dicom.DeflatedLE:
		err = dicom.Undeflate(w, in)
	default:
		err = i.spellOut(w, in)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in) // what stands behind
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), i.SHA256) {
		return fmt.Errorf("object of instance %s is not what was stored", i.SOP)
	}
	return nil
}

// spellOut copies an implicit object as explicit little endian: another head, the same pixels. What stands behind them is left out.
func (i instance) spellOut(w io.Writer, in io.Reader) error {
	head := in
	if i.Head > 0 {
		head = io.LimitReader(in, i.Head)
	}
	file, err := dicom.Read(head)
	if err != nil {
		return err
	}
	var pixels dicom.Tag
	var length uint32
	if i.Head > 0 {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return err
		}
		pixels = dicom.Tag(binary.LittleEndian.Uint16(b[:]))<<16 | dicom.Tag(binary.LittleEndian.Uint16(b[2:]))
		length = binary.LittleEndian.Uint32(b[4:])
	}
	begin, err := file.Explicit(pixels, length)
	if err != nil {
		return err
	}
	if _, err := w.Write(begin); err != nil {
		return err
	}
	_, err = io.CopyN(w, in, int64(length))
	return err
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
