package prescribe

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

type (
	longDocumentOut  struct{ Body LongDocument }
	longDocumentsOut struct{ Body []LongDocument }
	longDocumentIn   struct {
		ID ids.LongDocument `path:"id"`
	}
)

// longDocumentRoutes adds the local documents. Their papers are uploaded as those of policies are.
func (s *Service) longDocumentRoutes(api *httpapi.API) {
	const path, action = "/api/v1/long-documents", "long_document.keep"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: path, Action: action, Summary: "Local documents that permit more than 84 days"},
		func(ctx context.Context, _ *struct{}) (*longDocumentsOut, error) {
			list, err := s.LongDocuments(ctx)
			return &longDocumentsOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: path, Action: action, Status: 201, Summary: "File one; another administrator approves it"},
		func(ctx context.Context, in *struct{ Body NewLongDocument }) (*longDocumentOut, error) {
			d, err := s.FileLongDocument(ctx, in.Body)
			return &longDocumentOut{d}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: path + "/{id}/approve", Action: action, Summary: "The second person's approval"},
		func(ctx context.Context, in *longDocumentIn) (*longDocumentOut, error) {
			d, err := s.ApproveLongDocument(ctx, in.ID)
			return &longDocumentOut{d}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: path + "/{id}/withdraw", Action: action, Summary: "End one at once"},
		func(ctx context.Context, in *longDocumentIn) (*longDocumentOut, error) {
			d, err := s.WithdrawLongDocument(ctx, in.ID)
			return &longDocumentOut{d}, err
		})
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: path + "/{id}/paper", Action: action, Summary: "The paper itself"},
		func(w http.ResponseWriter, r *http.Request) error {
			id, err := ids.Parse[ids.LongDocument](r.PathValue("id"))
			if err != nil {
				return fault.Missing()
			}
			kept, file, err := s.LongDocumentPaper(r.Context(), id)
			return givePaper(w, kept, file, err)
		})
}

func givePaper(w http.ResponseWriter, kept keptPaper, file io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", kept.ContentType)
	w.Header().Set("Content-Length", strconv.FormatInt(kept.Size, 10))
	_, err = io.Copy(w, file)
	return err
}
