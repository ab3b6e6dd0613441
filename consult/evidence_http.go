package consult

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) evidenceRoutes(api *httpapi.API) {
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/evidence", Action: "evidence.add", Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Upload the record of an earlier diagnosis (multipart: person_id, icd10, dx_date, institution_name, doc_type, file)",
		Params:  []*huma.Param{{Name: "Idempotency-Key", In: "header", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}}},
		s.uploadEvidence)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/evidence", Action: "evidence.read",
		Summary: "Records of earlier diagnoses of a person"}, s.listEvidence)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/evidence/{id}/file", Action: "evidence.read",
		Summary: "The file of a record",
		Params:  []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}}}, s.evidenceFile)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/evidence/queue", Action: "evidence.verify",
		Summary: "Records that wait for their check"}, s.listEvidenceQueue)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/evidence/records", Action: "evidence.take_in", MaxBytes: maxRecordFile,
		Summary: "Take the hospital's own signed records in (multipart: file, CSV; institution_id where one works for several); all lines or none"}, s.takeInRecords)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/evidence/{id}/verify", Action: "evidence.verify",
		Summary: "Settle a record with what stands on the paper"}, s.verifyEvidence)
}

// readUpload reads a form part by part: the whole body is bounded, and nothing is spooled to disk.
func readUpload(r *http.Request) (fields map[string]string, name string, file []byte, err error) {
	unreadable := fault.New(fault.Malformed, "malformed", "上传的内容读不懂。", "The upload can't be read.").
		WithRemedy("请重新选择文件再上传。", "Please choose the file again and upload it.")
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, "", nil, unreadable.Because(err)
	}
	body := &formEnd{body: r.Body, line: []byte("--" + params["boundary"] + "--")}
	form := multipart.NewReader(body, params["boundary"])
	fields = map[string]string{}
	for {
		part, err := form.NextPart()
		if err == io.EOF { // also told of a form that breaks off in the head of a part
			if !body.seen {
				return nil, "", nil, unreadable.Because(io.ErrUnexpectedEOF)
			}
			return fields, name, file, nil
		}
		if err != nil {
			return nil, "", nil, tooLargeOr(err, unreadable)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, "", nil, tooLargeOr(err, unreadable)
		}
		if part.FormName() == "file" {
			file, name = content, filepath.Base(part.FileName())
		} else {
			fields[part.FormName()] = string(content)
		}
	}
}

// formEnd looks out for the line that ends a form.
type formEnd struct {
	body io.Reader
	line []byte
	last []byte // of what was read: the line may lie across two reads
	seen bool
}

func (e *formEnd) Read(p []byte) (int, error) {
	n, err := e.body.Read(p)
	e.last = append(e.last, p[:n]...)
	e.seen = e.seen || bytes.Contains(e.last, e.line)
	e.last = append(e.last[:0], e.last[max(0, len(e.last)-len(e.line)):]...)
	return n, err
}

func (s *Service) uploadEvidence(w http.ResponseWriter, r *http.Request) error {
	key, err := uuid.Parse(r.Header.Get("Idempotency-Key"))
	if err != nil {
		return fault.New(fault.Malformed, "malformed", "上传的内容读不懂。", "The upload can't be read.").
			WithRemedy("请重新选择文件再上传。", "Please choose the file again and upload it.").Because(err)
	}
	fields, name, file, err := readUpload(r)
	if err != nil {
		return err
	}
	n := NewEvidence{ICD10: fields["icd10"], DxDate: fields["dx_date"], InstitutionName: fields["institution_name"], DocType: fields["doc_type"],
		FileName: name, File: file, RequestKey: key.String()}
	if n.Person, err = ids.Parse[ids.Person](fields["person_id"]); err != nil {
		return fault.Missing().Because(err)
	}
	e, err := s.AddEvidence(r.Context(), n)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(e)
}

func (s *Service) takeInRecords(w http.ResponseWriter, r *http.Request) error {
	fields, _, file, err := readUpload(r)
	if err != nil {
		return err
	}
	var place ids.Institution
	if at := fields["institution_id"]; at != "" {
		if place, err = ids.Parse[ids.Institution](at); err != nil {
			return fault.Missing().Because(err)
		}
	}
	done, err := s.TakeInRecords(r.Context(), place, file)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(done)
}

// tooLargeOr passes a body over its limit on to the edge, which says so.
func tooLargeOr(err error, other *fault.Error) error {
	if _, large := err.(*http.MaxBytesError); large {
		return err
	}
	return other.Because(err)
}

// evidenceFile sends the file. It is a picture or PDF by its own bytes, and the edge forbids browsers to guess otherwise.
func (s *Service) evidenceFile(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Evidence](r.PathValue("id"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	e, file, err := s.EvidenceFile(r.Context(), id)
	if err != nil {
		return err
	}
	return sendFile(w, e.ContentType, e.Size, file)
}

func sendFile(w http.ResponseWriter, kind string, size int64, file io.ReadCloser) error {
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	_, err := io.Copy(w, file)
	return err
}

type evidenceIn struct {
	PersonID ids.Person `query:"person_id" required:"true"`
}

type evidenceListOut struct{ Body []Evidence }

func (s *Service) listEvidence(ctx context.Context, in *evidenceIn) (*evidenceListOut, error) {
	list, err := s.Evidence(ctx, in.PersonID)
	return &evidenceListOut{list}, err
}

type evidenceQueueOut struct{ Body []QueuedEvidence }

func (s *Service) listEvidenceQueue(ctx context.Context, _ *struct{}) (*evidenceQueueOut, error) {
	list, err := s.EvidenceQueue(ctx)
	return &evidenceQueueOut{list}, err
}

type verifyEvidenceIn struct {
	ID   ids.Evidence `path:"id"`
	Body EvidenceCheck
}

type evidenceOut struct{ Body Evidence }

func (s *Service) verifyEvidence(ctx context.Context, in *verifyEvidenceIn) (*evidenceOut, error) {
	e, err := s.VerifyEvidence(ctx, in.ID, in.Body)
	return &evidenceOut{e}, err
}
