package consult

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) calendarRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/calendar-feed", Action: "calendar.feed", Status: 201,
		Summary: "A new secret address of the doctor's calendar; the old one ends"}, s.openFeedIn)
	httpapi.Register(api, httpapi.Op{Method: "DELETE", Path: "/api/v1/calendar-feed", Action: "calendar.feed", Status: 204,
		Summary: "End the secret address"}, s.closeFeedIn)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/calendars/{token}", Action: "calendar.ics", Summary: "The calendar behind a secret address (RFC 5545)",
		Params: []*huma.Param{{Name: "token", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}}}, s.ics)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/rosters/{id}/csv/{place}", Action: "roster.plan", Summary: "The weekly sessions at a place as CSV",
		Params: []*huma.Param{uuidIn("id"), uuidIn("place")}}, s.exportCSV)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/rosters/{id}/csv/{place}", Action: "roster.plan", MaxBytes: maxRoster*4/3 + 4096,
		Summary: "Add the weekly sessions of a CSV file, all or none; dry_run says what would happen"}, s.importCSV)
}

func uuidIn(name string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}
}

type feedOut struct{ Body Feed }

func (s *Service) openFeedIn(ctx context.Context, _ *onceIn) (*feedOut, error) {
	f, err := s.OpenFeed(ctx)
	return &feedOut{f}, err
}

func (s *Service) closeFeedIn(ctx context.Context, _ *onceIn) (*struct{}, error) {
	return nil, s.CloseFeed(ctx)
}

func (s *Service) ics(w http.ResponseWriter, r *http.Request) error {
	token, ok := strings.CutSuffix(r.PathValue("token"), ".ics")
	if !ok {
		return fault.Missing()
	}
	doc, err := s.ICS(r.Context(), token)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	_, err = w.Write(doc)
	return err
}

func (s *Service) exportCSV(w http.ResponseWriter, r *http.Request) error {
	doctor, err := ids.Parse[ids.Practitioner](r.PathValue("id"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	at, err := ids.Parse[ids.Institution](r.PathValue("place"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	file, err := s.ExportRoster(r.Context(), doctor, at)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="roster.csv"`)
	_, err = w.Write(file)
	return err
}

type importCSVIn struct {
	Once
	DoctorPath
	Place ids.Institution `path:"place"`
	Body  struct {
		File   []byte `json:"file" contentEncoding:"base64" doc:"UTF-8, with or without byte order mark, or GB 18030"`
		DryRun bool   `json:"dry_run"`
	}
}

type importOut struct{ Body Import }

func (s *Service) importCSV(ctx context.Context, in *importCSVIn) (*importOut, error) {
	done, err := s.ImportRoster(ctx, in.ID, in.Place, in.Body.File, in.Body.DryRun, in.Key)
	return &importOut{done}, err
}
