package consult

import (
	"context"
	"encoding/json"
	"io"
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
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/evidence/{id}/verify", Action: "evidence.verify",
		Summary: "Settle a record with what stands on the paper"}, s.verifyEvidence)
}

// uploadEvidence reads the form part by part: the whole body is bounded, and nothing is spooled to disk.
func (s *Service) uploadEvidence(w http.ResponseWriter, r *http.Request) error {
	unreadable := fault.New(fault.Malformed, "malformed", "上传的内容读不懂。", "The upload can't be read.").
		WithRemedy("请重新选择文件再上传。", "Please choose the file again and upload it.")
	key, err := uuid.Parse(r.Header.Get("Idempotency-Key"))
	if err != nil {
		return unreadable.Because(err)
	}
	form, err := r.MultipartReader()
	if err != nil {
		return unreadable.Because(err)
	}
	n := NewEvidence{RequestKey: key.String()}
	fields := map[string]*string{"icd10": &n.ICD10, "dx_date": &n.DxDate, "institution_name": &n.InstitutionName, "doc_type": &n.DocType}
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return tooLargeOr(err, unreadable)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return tooLargeOr(err, unreadable)
		}
		switch name := part.FormName(); {
		case name == "file":
			n.File, n.FileName = content, filepath.Base(part.FileName())
		case name == "person_id":
			if n.Person, err = ids.Parse[ids.Person](string(content)); err != nil {
				return fault.Missing().Because(err)
			}
		case fields[name] != nil:
			*fields[name] = string(content)
		}
	}
	e, err := s.AddEvidence(r.Context(), n)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(e)
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
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", e.ContentType)
	h.Set("Content-Length", strconv.FormatInt(e.Size, 10))
	_, err = io.Copy(w, file)
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
