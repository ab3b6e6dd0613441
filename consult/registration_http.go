package consult

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) registrationRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/filings", Action: "filing.make", Status: 201, MaxBytes: maxEvidence*4/3 + 64<<10,
		Summary: "Apply to practise at an institution"}, s.file)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/filings", Action: "filing.read",
		Summary: "Applications within reach, the open ones first"}, s.listFilings)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/filings/{id}/document", Action: "filing.read", Summary: "The paper of an application",
		Params: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}}}, s.filingDocument)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/filings/{id}/settle", Action: "filing.settle",
		Summary: "Confirm or refuse an application to the own institution"}, s.settleFilingIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/filings/{id}/withdraw", Action: "filing.make",
		Summary: "Take an own application back"}, s.withdrawFilingIn)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/registrations", Action: "filing.read",
		Summary: "Where doctors may work, until when"}, s.listRegistrations)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/registrations/{id}/end", Action: "registration.end",
		Summary: "End a registration early; what was opened past its end is blocked, patients are told"}, s.endRegistrationIn)
}

// Once is the Idempotency-Key of a deed; exported because huma reads embedded fields of exported types only.
type Once struct {
	Key string `header:"Idempotency-Key" required:"true" format:"uuid" doc:"The same deed sent twice is done once"`
}

type fileIn struct {
	Once
	Body NewFiling
}

type filingOut struct{ Body Filing }

func (s *Service) file(ctx context.Context, in *fileIn) (*filingOut, error) {
	f, err := s.File(ctx, in.Body, in.Key)
	return &filingOut{f}, err
}

type filingsOut struct{ Body []Filing }

func (s *Service) listFilings(ctx context.Context, _ *struct{}) (*filingsOut, error) {
	list, err := s.Filings(ctx)
	return &filingsOut{list}, err
}

func (s *Service) filingDocument(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Filing](r.PathValue("id"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	f, file, err := s.FilingDocument(r.Context(), id)
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", f.ContentType)
	_, err = io.Copy(w, file)
	return err
}

// FilingPath names the filing.
type FilingPath struct {
	ID ids.Filing `path:"id"`
}

type settleFilingIn struct {
	Once
	FilingPath
	Body struct {
		Result string `json:"result" enum:"confirmed,refused"`
		Note   string `json:"note" maxLength:"500" required:"false"`
	}
}

func (s *Service) settleFilingIn(ctx context.Context, in *settleFilingIn) (*filingOut, error) {
	f, err := s.SettleFiling(ctx, in.ID, FilingAnswer(in.Body), in.Key)
	return &filingOut{f}, err
}

type withdrawFilingIn struct {
	Once
	FilingPath
}

func (s *Service) withdrawFilingIn(ctx context.Context, in *withdrawFilingIn) (*filingOut, error) {
	f, err := s.SettleFiling(ctx, in.ID, FilingAnswer{Result: string(FilingWithdrawn)}, in.Key)
	return &filingOut{f}, err
}

type registrationsOut struct{ Body []Registration }

func (s *Service) listRegistrations(ctx context.Context, _ *struct{}) (*registrationsOut, error) {
	list, err := s.Registrations(ctx)
	return &registrationsOut{list}, err
}

type endRegistrationIn struct {
	Once
	ID   ids.Registration `path:"id"`
	Body EndingRegistration
}

type clearedOut struct{ Body Cleared }

func (s *Service) endRegistrationIn(ctx context.Context, in *endRegistrationIn) (*clearedOut, error) {
	done, err := s.EndRegistration(ctx, in.ID, in.Body, in.Key)
	return &clearedOut{done}, err
}
