package imaging

import (
	"context"
	"encoding/hex"
	"net/http"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/httpapi"
	"yuanzhen/storage/imaging/dicom"
)

// shared is where the same questions are answered to who comes by a share link.
const shared = "/shared"

// Routes adds DICOMweb and the calls of our own (docs/imaging-api.md).
func (s *Service) Routes(api *httpapi.API) {
	const study, series, instance = "/dicomweb/studies/{study}", "/series/{series}", "/instances/{instance}"
	raw := func(path, summary string, serve func(http.ResponseWriter, *http.Request) error) {
		httpapi.Raw(api, httpapi.Op{Method: "GET", Path: path, Action: "imaging.read", Summary: summary}, serve)
		httpapi.Raw(api, httpapi.Op{Method: "GET", Path: shared + path, Action: "imaging.shared", Summary: summary + ", by share link"}, s.byLink(serve))
	}
	for _, path := range []string{"/dicomweb/studies", study} {
		httpapi.Raw(api, httpapi.Op{Method: "POST", Path: path, Action: "imaging.store", MaxBytes: maxRequest,
			Summary: "Store DICOM objects (STOW-RS)"}, s.storeInstances)
	}
	raw("/dicomweb/studies", "Search studies (QIDO-RS)", s.search(studies))
	raw("/dicomweb/series", "Search series (QIDO-RS)", s.search(seriesLevel))
	raw("/dicomweb/instances", "Search instances (QIDO-RS)", s.search(instances))
	raw(study+"/series", "Series of a study (QIDO-RS)", s.search(seriesLevel))
	raw(study+"/instances", "Instances of a study (QIDO-RS)", s.search(instances))
	raw(study+series+"/instances", "Instances of a series (QIDO-RS)", s.search(instances))
	for _, path := range []string{study, study + series, study + series + instance} {
		raw(path, "Whole objects (WADO-RS)", s.serveObjects)
		raw(path+"/metadata", "Metadata as DICOM JSON (WADO-RS)", s.serveMetadata)
		raw(path+"/thumbnail", "A small picture of it (WADO-RS)", s.serveThumbnail)
	}
	raw(study+series+instance+"/frames/{frames}", "Frames (WADO-RS)", s.serveFrames)
	raw(study+series+instance+"/rendered", "The first frame as JPEG or PNG (WADO-RS)", s.serveRendered)
	raw(study+series+instance+"/frames/{frames}/rendered", "A frame as JPEG or PNG (WADO-RS)", s.serveRendered)
	raw(study+series+instance+"/frames/{frames}/thumbnail", "A small picture of a frame (WADO-RS)", s.serveThumbnail)
	raw(study+series+instance+"/bulkdata/{tags}", "A large value (WADO-RS)", s.serveBulk)

	const uploads = "/api/v1/imaging/uploads"
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: uploads + "/have", Action: "imaging.store",
		Summary: "Which of these objects are still missing"}, s.have)
	tus := func(method, path, summary string, status int, serve func(http.ResponseWriter, *http.Request) error) {
		httpapi.Raw(api, httpapi.Op{Method: method, Path: path, Action: "imaging.store", Summary: summary, Status: status, MaxBytes: maxUpload + 1}, serve)
	}
	tus("OPTIONS", uploads, "What resumable uploads can do (tus 1.0)", http.StatusNoContent, s.tusAbilities)
	tus("POST", uploads, "Begin a resumable upload (tus 1.0)", http.StatusCreated, s.tusBegin)
	tus("GET", uploads+"/{id}", "How far an upload is; HEAD by tus 1.0", http.StatusOK, s.tusState)
	tus("PATCH", uploads+"/{id}", "Send on from an offset (tus 1.0)", http.StatusNoContent, s.tusAppend)
	tus("DELETE", uploads+"/{id}", "End an upload (tus 1.0)", http.StatusNoContent, s.tusAbandon)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/imaging/studies/{study}/receipt", Action: "imaging.store",
		Summary: "What the hospital holds of a study, signed"}, s.receipt)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/imaging/receipt-key", Action: "imaging.verify",
		Summary: "The public key of receipts"}, s.receiptKey)
	s.linkRoutes(api)
	s.teachingRoutes(api)
	s.holdingRoutes(api)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/imaging/studies", Action: "imaging.read",
		Summary: "Studies that the asker may see, newest first"}, s.listStudies)
}

type haveIn struct {
	Institution string `query:"institution" doc:"for which institution, where the asker practises at several"`
	Body        struct {
		Instances []struct {
			SOPUID string `json:"sop_uid" maxLength:"64"`
			SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$"`
		} `json:"instances" maxItems:"5000"`
	}
}

type haveOut struct {
	Body struct {
		Missing   []string `json:"missing" doc:"to be sent"`
		Conflicts []string `json:"conflicts" doc:"known with other bytes: they would be refused"`
		Held      []Held   `json:"held" doc:"here with these bytes: who sends may let go of its own"`
	}
}

// Held is an object that the institution holds.
type Held struct {
	SOPUID string `json:"sop_uid"`
	SHA256 string `json:"sha256" doc:"of the bytes as they lie in the archive"`
}

func (s *Service) have(ctx context.Context, in *haveIn) (*haveOut, error) {
	place, err := placeOf(authz.ScopeFrom(ctx), in.Institution)
	if err != nil {
		return nil, err
	}
	var sops []string
	var sums [][]byte
	for _, i := range in.Body.Instances {
		sum, err := hex.DecodeString(i.SHA256)
		if err != nil || !dicom.ValidUID(i.SOPUID) {
			return nil, badUID
		}
		sops, sums = append(sops, i.SOPUID), append(sums, sum)
	}
	out := &haveOut{}
	out.Body.Missing, out.Body.Conflicts, out.Body.Held, err = s.Missing(ctx, place, sops, sums)
	return out, err
}

type listOut struct{ Body []Study }

func (s *Service) listStudies(ctx context.Context, _ *struct{}) (*listOut, error) {
	all, err := s.list(ctx)
	return &listOut{all}, err
}
