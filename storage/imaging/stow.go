package imaging

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

const (
	maxRequest = 4 << 30 // bytes of one STOW request
	maxParts   = 5000
	atOnce     = 3 // objects of one request on their way to the store while the next is read
	silence    = 30 * time.Second
)

var errTooLarge = fault.New(fault.TooLarge, "object_too_large", "单个影像文件超过 1 GB。", "One object is larger than 1 GB.").
	WithRemedy("请分卷导出后再传。", "Please export it in parts and send those.")

// storeInstances is STOW-RS (PS3.18 §10.5). Each part is an object of its own: what is wrong with one harms no other.
func (s *Service) storeInstances(w http.ResponseWriter, r *http.Request) error {
	study := r.PathValue("study")
	if study != "" && !dicom.ValidUID(study) {
		return badUID
	}
	place, err := storingPlace(r)
	if err != nil {
		return err
	}
	m := parseMedia(r.Header.Get("Content-Type"))
	kind, ok := m.multipart()
	if !ok || m.params["boundary"] == "" {
		return fault.New(fault.Malformed, "not_multipart", "请求不是 multipart/related。", "The request is not multipart/related.").
			WithRemedy("请按 DICOMweb STOW-RS 发送。", "Please send by DICOMweb STOW-RS.")
	}
	if !covers(kind, dicomType) {
		return notDICOM
	}
	body := newPatient(w, r)
	receipts, err := s.takeParts(r.Context(), place, study, multipart.NewReader(body, m.params["boundary"]))
	if err != nil {
		return err
	}
	if len(receipts) > maxParts { // who is still sending reads no answer
		if _, err := io.Copy(io.Discard, body); err != nil {
			return broken(err)
		}
	}
	stored, full := 0, 0
	for _, p := range receipts {
		if p.Stored {
			stored++
		}
		if p.Full {
			full++
		}
	}
	status := http.StatusOK
	switch {
	case full == len(receipts):
		status = http.StatusInsufficientStorage // RFC 4918 §11.5: nothing is wrong with the objects, send them later
	case stored == 0:
		status = http.StatusConflict
	case stored < len(receipts):
		status = http.StatusAccepted
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(storeAnswer(s.base(r), receipts))
}

var (
	badUID = fault.New(fault.Malformed, "bad_uid", "检查、序列或影像的编号不合规。", "The study, series or instance UID is not a valid one.").
		WithRemedy("请从列表里重新打开。", "Please open it again from the list.")
	notDICOM = fault.New(fault.Unsupported, "not_dicom", "只接受 application/dicom。", "Only application/dicom is taken.").
			WithRemedy("请发送 DICOM 文件。", "Please send DICOM files.")
)

// tooMany stands for the first part beyond maxParts and all behind it, which are not looked at.
var tooMany = Receipt{Reason: outOfResources, Say: fault.Text{
	ZH: fmt.Sprintf("一次最多收 %d 个文件，从这个起都没有收；请再发一次请求传这些。", maxParts),
	EN: fmt.Sprintf("At most %d objects are taken in one request; from this one on none was. Please send these in another request.", maxParts)}}

// takeParts stores part n while n+1 arrives. A line that breaks ends the request with an error; what was stored stays,
// and sending the same again writes nothing twice.
func (s *Service) takeParts(ctx context.Context, place ids.Institution, study string, parts *multipart.Reader) ([]*Receipt, error) {
	var (
		receipts []*Receipt
		working  sync.WaitGroup
		slots    = make(chan struct{}, atOnce)
		mu       sync.Mutex
		failed   error // guarded by mu: ours, not a file's
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil {
			failed = err
		}
	}
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			fail(broken(err))
			break
		}
		receipt := new(Receipt)
		receipts = append(receipts, receipt)
		if len(receipts) > maxParts {
			*receipt = tooMany
			break
		}
		if kind := parseMedia(part.Header.Get("Content-Type")).kind; kind != "" && kind != dicomType {
			*receipt = Receipt{Reason: notUnderstood, Say: fault.Text{ZH: "不是 application/dicom。", EN: "not application/dicom"}}
			continue
		}
		file, err := spooled(part)
		if errors.Is(err, errTooLarge) {
			*receipt = Receipt{Reason: outOfResources, Say: errTooLarge.Say}
			continue
		}
		if err != nil {
			fail(broken(err))
			break
		}
		slots <- struct{}{}
		working.Go(func() {
			defer func() { file.Close(); <-slots }()
			var err error
			if *receipt, err = s.store(ctx, place, study, file); err != nil {
				fail(err)
			}
		})
	}
	working.Wait()
	if failed == nil && len(receipts) == 0 {
		failed = broken(io.ErrUnexpectedEOF)
	}
	return receipts, failed
}

func broken(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "request_too_large", "一次上传的内容太大。", "This upload is too large.").
			WithRemedy("请分几次上传。", "Please upload in several requests.").Because(tooLarge)
	}
	return fault.New(fault.Malformed, "upload_broken", "上传中断或格式不完整；已收到的影像都在。", "The upload broke off or is malformed; what had arrived is kept.").
		WithRemedy("请再传一次，已存的不会重复。", "Please upload again; nothing is stored twice.").Because(err)
}

// storingPlace is the institution that the request stores for: the only one where the asker may, or the one named by
// the institution parameter.
func storingPlace(r *http.Request) (ids.Institution, error) {
	return placeOf(authz.ScopeFrom(r.Context()), r.URL.Query().Get("institution"))
}

func placeOf(scope authz.Scope, named string) (ids.Institution, error) {
	places := scope.Places()
	if named == "" && len(places) == 1 {
		return places[0], nil
	}
	for _, p := range places {
		if p.String() == named {
			return p, nil
		}
	}
	if named != "" {
		return ids.Institution{}, fault.Missing()
	}
	return ids.Institution{}, fault.New(fault.Malformed, "which_institution", "您在多家机构执业，请选明为哪一家上传。", "You practise at several institutions; please say for which one you store.").
		WithRemedy("请在地址里加 institution 参数。", "Please add the parameter institution to the address.")
}

// patient gives a slow line time as long as something arrives. It reads in pieces of 64 KiB, where package multipart
// would ask the line for 4.
type patient struct {
	*bufio.Reader
	body *patientBody
}

func newPatient(w http.ResponseWriter, r *http.Request) patient {
	body := &patientBody{Reader: r.Body, line: http.NewResponseController(w), heard: time.Now()}
	return patient{bufio.NewReaderSize(body, 64<<10), body}
}

// hangUp ends the reading when what has arrived is read.
func (p patient) hangUp() {
	p.body.mu.Lock()
	defer p.body.mu.Unlock()
	p.body.gone = true
	_ = p.body.line.SetReadDeadline(time.Now().Add(arrived)) // a line that knows no deadline ends by itself
}

// quiet is how long nothing has come.
func (p patient) quiet() time.Duration {
	p.body.mu.Lock()
	defer p.body.mu.Unlock()
	return time.Since(p.body.heard)
}

// arrived is how long bytes that are there already take to be read.
const arrived = 50 * time.Millisecond

type patientBody struct {
	io.Reader
	line  *http.ResponseController
	mu    sync.Mutex
	gone  bool      // guarded by mu: the deadline stays as it is
	heard time.Time // guarded by mu
}

func (p *patientBody) Read(b []byte) (int, error) {
	if err := p.wait(); err != nil {
		return 0, err
	}
	n, err := p.Reader.Read(b)
	if n > 0 {
		p.mu.Lock()
		p.heard = time.Now()
		p.mu.Unlock()
	}
	return n, err
}

func (p *patientBody) wait() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return nil
	}
	if err := p.line.SetReadDeadline(time.Now().Add(silence)); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// attribute is a value of the DICOM JSON model, for the little that is written by hand.
type attribute struct {
	VR    string `json:"vr"`
	Value []any  `json:"Value,omitempty"`
}

type dataset map[string]attribute

// storeAnswer is the response of PS3.18 table 10.5.3-1: what was stored (0008,1199), and what was not and why
// (0008,1198), each part by its number where no UID could be read.
func storeAnswer(base string, receipts []*Receipt) dataset {
	var stored, failed []any
	study := ""
	for n, p := range receipts {
		item := dataset{}
		for tag, uid := range map[string]string{"00081150": p.Class, "00081155": p.SOP} {
			if uid != "" {
				item[tag] = attribute{"UI", []any{uid}}
			}
		}
		if p.Stored {
			study = p.Study
			item["00081190"] = attribute{"UR", []any{strings.Join([]string{base, "studies", p.Study, "series", p.Series, "instances", p.SOP}, "/")}}
			if p.Doubt { // B007: data set does not match (PS3.18 table I.2-1); equipment that copies objects leaves old headers
				item["00081196"] = attribute{"US", []any{0xB007}}
				item["00000902"] = attribute{"LO", []any{fmt.Sprintf("第 %d 个文件：文件头写着另一个影像号，已按内容里的号保存。 / Part %d: its file meta information names another SOP Instance UID; kept under the data set's own.", n+1, n+1)}}
			}
			stored = append(stored, item)
			continue
		}
		item["00081197"] = attribute{"US", []any{p.Reason}}
		item["00000902"] = attribute{"LO", []any{fmt.Sprintf("第 %d 个文件：%s / Part %d: %s", n+1, p.Say.ZH, n+1, p.Say.EN)}}
		failed = append(failed, item)
	}
	answer := dataset{}
	if stored != nil {
		answer["00081190"] = attribute{"UR", []any{base + "/studies/" + study}}
		answer["00081199"] = attribute{"SQ", stored}
	}
	if failed != nil {
		answer["00081198"] = attribute{"SQ", failed}
	}
	return answer
}
