package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Teleconsults) markRoutes(api *httpapi.API) {
	const base = "/api/v1/teleconsults/{id}/marks"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: "teleconsult.read",
		Summary: "What was drawn on the images, and the key images"}, s.listMarks)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: base + "/{mark}", Action: "teleconsult.mark",
		Summary: "Draw, or change from a version: 409 carries the current one"}, s.putMark)
	httpapi.Register(api, httpapi.Op{Method: "DELETE", Path: base + "/{mark}", Action: "teleconsult.mark",
		Summary: "Remove, if rev is the newest version"}, s.removeMark)
}

type marksOut struct{ Body []Mark }

func (s *Teleconsults) listMarks(ctx context.Context, in *TeleconsultPath) (*marksOut, error) {
	list, err := s.Marks(ctx, in.ID)
	return &marksOut{list}, err
}

// MarkPath names a mark of a consult.
type MarkPath struct {
	TeleconsultPath
	Mark ids.Mark `path:"mark"`
}

type markOut struct{ Body Mark }

type putMarkIn struct {
	MarkPath
	Body Mark
}

func (s *Teleconsults) putMark(ctx context.Context, in *putMarkIn) (*markOut, error) {
	in.Body.ID = in.Mark
	m, err := s.PutMark(ctx, in.ID, in.Body)
	return &markOut{m}, err
}

type removeMarkIn struct {
	MarkPath
	Rev int `query:"rev" required:"true" minimum:"1"`
}

func (s *Teleconsults) removeMark(ctx context.Context, in *removeMarkIn) (*markOut, error) {
	m, err := s.RemoveMark(ctx, in.ID, in.Mark, in.Rev)
	return &markOut{m}, err
}
