package imaging

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/codec/worker"
	"yuanzhen/storage/imaging/dicom"
)

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
	return s.framesOf(w, r, i, r.PathValue("frames"), wanted)
}

// framesOf sends the wanted frames, which the request calls named.
func (s *Service) framesOf(w http.ResponseWriter, r *http.Request, i instance, named string, wanted []int) error {
	guard(w)
	for _, m := range accepted(r) {
		form, ok := s.formOf(i, m)
		if !ok || !form.parts && len(wanted) > 1 {
			continue
		}
		if unchanged(w, r, etag([]instance{i}, form.kind, form.syntax, named, fmt.Sprint(form.parts))) {
			return nil
		}
		frames, err := s.opened(r.Context(), i)
		if err != nil {
			return err
		}
		defer frames.Close()
		contentType := form.kind + "; transfer-syntax=" + form.syntax
		if !form.parts {
			if run := i.FrameIndex[wanted[0]]; frames.lies(form) && len(run) == 1 && frames.inflated == nil {
				w.Header().Set("Content-Type", contentType)
				return s.stretch(w, r, i, run[0])
			}
			b, _, err := frames.ready(form, wanted[0])
			if err != nil {
				return err
			}
			defer b.Close()
			w.Header().Set("Content-Type", contentType)
			http.ServeContent(w, r, "", time.Time{}, b)
			return nil
		}
		return inParts(w, r, form.kind, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
			for _, n := range wanted {
				if err := frames.send(form, n, func(length int64) (io.Writer, error) {
					return part(textproto.MIMEHeader{"Content-Type": {contentType}, "Content-Length": {strconv.FormatInt(length, 10)}})
				}); err != nil {
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

func everyFrame(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// form is how a frame is sent.
type form struct {
	kind, syntax string
	parts        bool
	native       bool // as little endian samples
}

// formOf decides whether an alternative of the Accept header can be met (PS3.18 §8.7.3).
func (s *Service) formOf(i instance, m media) (form, bool) {
	kind, parts := m.multipart()
	if m.kind == "*/*" {
		parts = true // the default of this resource
	}
	syntax, stored := m.params["transfer-syntax"], i.TransferSyntax
	kind = cmp.Or(map[string]string{"image/x-jls": "image/jls", "image/j2c": "image/jphc"}[kind], kind)
	isNative := dicom.Native(stored)
	switch {
	case isNative, s.decodes(stored) && kind == octets && (syntax == "" || syntax == dicom.ExplicitLE):
		fits := syntax == "" || syntax == "*" || syntax == dicom.ExplicitLE
		return form{octets, dicom.ExplicitLE, parts, true}, fits && m.takes(kind, octets)
	case kind == octets: // "as it is", for clients that decode by the syntax
		return form{octets, stored, parts, false}, syntax == "*" || syntax == stored
	}
	of := dicom.FrameType(stored)
	return form{of, stored, parts, false}, m.takes(kind, of) && (syntax == "" || syntax == "*" || syntax == stored)
}

// decodes reports whether frames in the transfer syntax can be sent as samples.
func (s *Service) decodes(syntax string) bool {
	return syntax == dicom.RLE || syntax == dicom.JPEG || s.Decoder.Knows(syntax)
}

// frames reads single frames of one object.
type frames struct {
	instance
	ctx      context.Context // of the one request that reads
	decoder  *worker.Pool
	objects  func(off, n int64) (io.ReadCloser, error)
	inflated *os.File    // the whole file, where it lies deflated
	begin    []byte      // of the file, where it was worth reading at once
	file     *dicom.File // its head, when it was needed
}

// opened prepares an object's frames, to be closed. A deflated one is inflated on the disk: it has to be read as a whole.
func (s *Service) opened(ctx context.Context, i instance) (*frames, error) {
	f := &frames{instance: i, ctx: ctx, decoder: s.Decoder, objects: func(off, n int64) (io.ReadCloser, error) { return s.Objects.Get(ctx, i.ObjectKey, off, n) }}
	if !dicom.Deflated(i.TransferSyntax) {
		return f, nil
	}
	body, err := f.objects(0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := spooled(body)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if f.file, err = dicom.Read(raw); err != nil {
		return nil, err
	}
	if _, err := raw.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	f.inflated, err = aside(func(out io.Writer) error { return dicom.Inflate(out, raw) })
	return f, err
}

func (f *frames) Close() error {
	if f.inflated == nil {
		return nil
	}
	return f.inflated.Close()
}

func (f *frames) bytes(off, n int64) ([]byte, error) {
	if f.inflated != nil {
		b := make([]byte, n)
		_, err := f.inflated.ReadAt(b, off)
		return b, err
	}
	if n >= 0 && off+n <= int64(len(f.begin)) {
		return f.begin[off:][:n], nil
	}
	body, err := f.objects(off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b := make([]byte, n)
	_, err = io.ReadFull(body, b)
	return b, err
}

// maxFrame bounds a frame that is held in memory: 4096 x 4096 in 16-bit colour.
const maxFrame = 96 << 20

// stored is frame n as it lies.
func (f *frames) stored(n int) ([]byte, error) {
	if runs := f.FrameIndex[n]; len(runs) == 1 && runs[0].Length <= maxFrame {
		return f.bytes(runs[0].Offset, runs[0].Length)
	}
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

// lies reports whether frames are wanted as they lie.
func (f *frames) lies(form form) bool {
	if !form.native {
		return true
	}
	if i := f.FrameIndex; len(i) > 1 && dicom.Native(f.TransferSyntax) && i[1][0].Offset < i[0][0].Offset+i[0][0].Length {
		return false // 1-bit frames that share a byte
	}
	return dicom.Native(f.TransferSyntax) && f.TransferSyntax != dicom.ExplicitBE
}

// send writes frame n to where out opens, which is asked when the store has answered: what fails before is still an
// answer of its own. As it lies it is never held as a whole.
func (f *frames) send(form form, n int, out func(length int64) (io.Writer, error)) error {
	var body io.Reader
	var length int64
	if runs := f.FrameIndex[n]; f.lies(form) && len(runs) == 1 && f.inflated == nil {
		stored, err := f.objects(runs[0].Offset, runs[0].Length)
		if err != nil {
			return err
		}
		defer stored.Close()
		body, length = stored, runs[0].Length
	} else {
		b, n, err := f.ready(form, n)
		if err != nil {
			return err
		}
		defer b.Close()
		body, length = b, n
	}
	w, err := out(length)
	if err == nil {
		_, err = io.Copy(w, body)
	}
	return err
}

// ready is frame n in the form. A large one is worked on while there is room for it, and then waits on the disk for a slow line.
func (f *frames) ready(form form, n int) (*spool, int64, error) {
	need := int64(0)
	for _, run := range f.FrameIndex[n] {
		need += run.Length
	}
	if !f.lies(form) {
		head, err := f.head()
		if err != nil {
			return nil, 0, err
		}
		need += weight(head, f.decoder.Knows(f.TransferSyntax))
	}
	if need <= largeThing {
		b, err := f.in(form, n)
		return &spool{ReadSeeker: bytes.NewReader(b)}, int64(len(b)), err
	}
	giveBack, err := makeRoom(f.ctx, need)
	if err != nil {
		return nil, 0, err
	}
	defer giveBack()
	b, err := f.in(form, n)
	if err != nil {
		return nil, 0, err
	}
	file, err := aside(func(out io.Writer) error {
		_, err := out.Write(b)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return &spool{ReadSeeker: file, file: file}, int64(len(b)), nil
}

// weight is how many bytes the samples of a frame take once it is decoded: a decoder's have 16 bits first.
func weight(head *dicom.File, decoded bool) int64 {
	columns, rows, samples, allocated, err := head.Shape()
	if err != nil {
		return 0 // it isn't decoded
	}
	n := int64(columns) * int64(rows) * int64(samples)
	bytes := n * int64(max(allocated, 8)) / 8
	if decoded {
		bytes += 2 * n
	}
	return bytes
}

func (f *frames) in(form form, n int) ([]byte, error) {
	b, err := f.stored(n)
	if err != nil || f.lies(form) {
		return b, err
	}
	head, err := f.head()
	if err != nil {
		return nil, err
	}
	switch {
	case f.TransferSyntax == dicom.JPEG, f.TransferSyntax == dicom.JPEGExt && head.Data.Int(dicom.BitsAllocated, 16) == 8:
		if b, err = head.Samples(b); err != nil {
			return nil, unreadableFrame.Because(err)
		}
		return b, nil
	case f.decoder.Knows(f.TransferSyntax):
		return f.decoded(head, b)
	}
	if b, err = head.LittleEndian(n, b); err != nil {
		return nil, unreadableFrame.Because(err)
	}
	return b, nil
}

// decoded is a compressed frame as little endian samples of Bits Allocated, colour by pixel.
func (f *frames) decoded(head *dicom.File, b []byte) ([]byte, error) {
	columns, rows, samples, allocated, err := head.Shape()
	if err != nil {
		return nil, unreadableFrame.Because(err)
	}
	p, err := f.decoder.Decode(f.ctx, f.TransferSyntax, b, codec.Shape{Width: columns, Height: rows, Components: samples})
	if err == nil && p.Bits > allocated {
		err = fmt.Errorf("a frame of %d bits in an object of %d", p.Bits, allocated)
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

// head is the data set before the pixels; of an object that has none, all of it.
func (f *frames) head() (*dicom.File, error) {
	if f.file != nil {
		return f.file, nil
	}
	if f.Head == 0 {
		return f.all()
	}
	b, err := f.bytes(0, f.Head)
	if err != nil {
		return nil, err
	}
	if f.file, err = dicom.Read(bytes.NewReader(b)); err != nil || f.TransferSyntax != dicom.ExplicitBE {
		return f.file, err
	}
	if b, err = f.bytes(f.Head, 6); err != nil { // the tag and, which tells how big endian pixels lie, the type
		return nil, err
	}
	f.file.Pixels = &dicom.Pixels{Element: f.Head, VR: string(b[4:])}
	return f.file, nil
}

// all reads the data set of an object without pixels, as Store has read it.
func (f *frames) all() (*dicom.File, error) {
	body, err := f.objects(0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	giveBack := func() {}
	defer func() { giveBack() }()
	file, err := dicom.ReadAsking(body, func() error {
		back, err := makeRoom(f.ctx, room)
		if err == nil {
			giveBack = back
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.file = file
	return file, nil
}

// serveBulk is the large values that metadata names by BulkDataURI.
func (s *Service) serveBulk(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r, false)
	if err != nil {
		return err
	}
	tags := r.PathValue("tags")
	at, ok := i.BulkIndex[tags]
	if tags == dicom.PixelData.String() && len(i.FrameIndex) > 0 { // PS3.18 §8.7.3: compressed pixels are their frames
		if !dicom.Native(i.TransferSyntax) {
			return s.framesOf(w, r, i, tags, everyFrame(len(i.FrameIndex)))
		}
		if !ok { // stored before the index named the pixels
			last := i.FrameIndex[len(i.FrameIndex)-1][0]
			at, ok = dicom.Span{Offset: i.FrameIndex[0][0].Offset}, true
			at.Length = last.Offset + last.Length - at.Offset
		}
	}
	if !ok {
		return fault.Missing()
	}
	guard(w)
	f, err := s.opened(r.Context(), i)
	if err != nil {
		return err
	}
	defer f.Close()
	of, word, err := s.bulkForm(f, tags)
	if err != nil {
		return err
	}
	stored := &stretch{ctx: r.Context(), objects: s.Objects, key: i.ObjectKey, Span: at}
	defer stored.Close()
	var value io.ReadSeeker = stored
	switch {
	case f.inflated != nil:
		value = io.NewSectionReader(f.inflated, at.Offset, at.Length)
	case word > 1:
		value = &turned{in: stored, word: word}
	}
	for _, m := range accepted(r) {
		kind, parts := m.multipart()
		send := of
		if !m.takes(kind, of) {
			if send = octets; !m.takes(kind, octets) {
				continue
			}
		}
		parts = parts || m.kind == "*/*" && of == octets
		if unchanged(w, r, etag([]instance{i}, tags, send, fmt.Sprint(parts))) {
			return nil
		}
		if parts {
			return inParts(w, r, send, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
				out, err := part(textproto.MIMEHeader{"Content-Type": {send}, "Content-Length": {strconv.FormatInt(at.Length, 10)}})
				if err != nil {
					return err
				}
				_, err = io.Copy(out, value)
				return err
			})
		}
		w.Header().Set("Content-Type", send)
		w.Header().Set("Content-Disposition", "attachment")
		http.ServeContent(w, r, "", time.Time{}, value)
		return stored.err
	}
	return notAcceptable(w, r, of, octets)
}

// bulkForm is the media type of a large value and the size of its words, 1 where they lie as they are sent: bulk data are
// little endian whatever the object is (PS3.18 §8.7.3.3). A document says its own type, of which only PDF is believed,
// since nothing else is ever shown by a browser.
func (s *Service) bulkForm(f *frames, tags string) (kind string, word int, err error) {
	if tags == dicom.PixelData.String() {
		if !dicom.Native(f.TransferSyntax) {
			return dicom.FrameType(f.TransferSyntax), 1, nil
		}
		if f.TransferSyntax != dicom.ExplicitBE {
			return octets, 1, nil
		}
		head, err := f.head()
		if err != nil {
			return "", 0, err
		}
		return octets, head.PixelWord(), nil
	}
	if tags != dicom.EncapsulatedDocument.String() && f.TransferSyntax != dicom.ExplicitBE {
		return octets, 1, nil
	}
	err = s.words(f.ctx, f.instance, io.Discard, func(_ io.Writer, packed []byte) (err error) {
		kind, word, err = formIn(packed, tags)
		return err
	})
	if f.TransferSyntax != dicom.ExplicitBE {
		word = 1
	}
	return kind, word, err
}

// formIn finds a large value's media type and the size of its words in packed DICOM JSON.
func formIn(packed []byte, tags string) (kind string, word int, err error) {
	doc, err := unpackJSON(packed)
	if err != nil {
		return "", 0, err
	}
	type attributes map[string]struct {
		VR    string
		Value []json.RawMessage
	}
	var in attributes
	for path := tags; ; { // tag, item, tag, …
		if err := json.Unmarshal(doc, &in); err != nil {
			return "", 0, fmt.Errorf("stored DICOM JSON: %w", err)
		}
		name, rest, nested := strings.Cut(path, ".")
		if !nested {
			word = dicom.WordOf(in[name].VR)
			break
		}
		number, after, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(in[name].Value) {
			return "", 0, fault.Missing()
		}
		doc, path, in = in[name].Value[n-1], after, nil
	}
	if v := in[dicom.MIMETypeOfDocument.String()].Value; tags == dicom.EncapsulatedDocument.String() && len(v) == 1 && string(v[0]) == `"application/pdf"` {
		return "application/pdf", word, nil
	}
	return octets, word, nil
}

// turned reads a big endian value as little endian.
type turned struct {
	in   io.ReadSeeker
	word int
	at   int64
}

func (t *turned) Seek(off int64, whence int) (int64, error) {
	at, err := t.in.Seek(off, whence)
	if whence == io.SeekCurrent {
		at, err = t.at+off, nil
	}
	t.at = at
	return at, err
}

func (t *turned) Read(b []byte) (int, error) {
	begin := t.at - t.at%int64(t.word)
	if _, err := t.in.Seek(begin, io.SeekStart); err != nil {
		return 0, err
	}
	words := make([]byte, max(min(len(b), 64<<10)/t.word, 1)*t.word)
	n, err := io.ReadFull(t.in, words)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	if words = words[:n]; err != nil || int64(n) <= t.at-begin {
		return 0, cmp.Or(err, io.EOF)
	}
	dicom.Swap(words, t.word)
	n = copy(b, words[t.at-begin:])
	t.at += int64(n)
	return n, nil
}
