package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Teleconsults) shownRoutes(api *httpapi.API) {
	const path = "/api/v1/teleconsults/{id}/shown"
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: path, Action: "teleconsult.mark",
		Summary: "Keep what the asker presents, to be seen again with the opinion"}, s.keepShown)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: path, Action: "teleconsult.read",
		Summary: "What was presented over the images, from the beginning"}, s.listShown)
}

type keepShownIn struct {
	TeleconsultPath
	Body struct {
		States []Shown `json:"states" minItems:"1" maxItems:"100" doc:"Oldest first"`
	}
}

type keepShownOut struct {
	Body struct {
		Kept int `json:"kept"`
	}
}

func (s *Teleconsults) keepShown(ctx context.Context, in *keepShownIn) (*keepShownOut, error) {
	out := &keepShownOut{}
	var err error
	out.Body.Kept, err = s.KeepShown(ctx, in.ID, in.Body.States)
	return out, err
}

type shownOut struct{ Body []Shown }

func (s *Teleconsults) listShown(ctx context.Context, in *TeleconsultPath) (*shownOut, error) {
	all, err := s.AllShown(ctx, in.ID)
	return &shownOut{all}, err
}
