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
		Summary: "What was presented over the images, from the beginning, checked against the opinions signed over it"}, s.replay)
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

type replayOut struct{ Body Replay }

func (s *Teleconsults) replay(ctx context.Context, in *TeleconsultPath) (*replayOut, error) {
	r, err := s.Replay(ctx, in.ID)
	return &replayOut{r}, err
}
