package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Service) recordRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/record", Action: "record.read",
		Summary: "The newest version of the visit's record"}, s.readRecord)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/visits/{id}/record", Action: "record.write",
		Summary: "Write the next version of the record"}, s.writeRecord)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/record/sign", Action: "record.sign",
		Summary: "Sign the newest version with the doctor's own key (Electronic Signature Law Art. 13)"}, s.signRecord)
}

type recordOut struct{ Body Record }

func (s *Service) readRecord(ctx context.Context, in *VisitPath) (*recordOut, error) {
	r, err := s.Record(ctx, in.ID)
	return &recordOut{r}, err
}

type writeRecordIn struct {
	VisitPath
	Body struct {
		RecordText
		Version int `json:"version" minimum:"0" doc:"The version that was seen; 0 for the first"`
	}
}

func (s *Service) writeRecord(ctx context.Context, in *writeRecordIn) (*recordOut, error) {
	r, err := s.WriteRecord(ctx, in.ID, in.Body.RecordText, in.Body.Version)
	return &recordOut{r}, err
}

type signRecordIn struct {
	VisitPath
	Body struct {
		SHA256     string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the bytes that were shown"`
		Passphrase string `json:"passphrase" maxLength:"200"`
	}
}

func (s *Service) signRecord(ctx context.Context, in *signRecordIn) (*recordOut, error) {
	r, err := s.SignRecord(ctx, in.ID, in.Body.SHA256, in.Body.Passphrase)
	return &recordOut{r}, err
}
