package consult

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
)

func (s *Service) recordingRoutes(api *httpapi.API, d doorway) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/recording", Action: d.ask,
		Summary: "Ask everybody in the room whether it may be recorded"}, found(d, s.AskRecording))
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/recording", Action: d.watch,
		Summary: "The room's recording: who was asked, whether it runs, what can be played"}, found(d, s.ReadRecording))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/recording/answer", Action: d.answer,
		Summary: "Agree to the recording, refuse it, or stop it"}, func(ctx context.Context, in *answerIn) (*bodyOut[Recording], error) {
		r, err := s.AnswerRecording(ctx, d.door(in.ID), in.Body.Agree, in.Body.Version)
		return &bodyOut[Recording]{r}, err
	})
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/recording/{take}", Action: d.watch,
		Summary: "One take of the recording, WebM or Matroska",
		Params:  []*huma.Param{uuidParam("id"), {Name: "take", In: "path", Required: true, Schema: &huma.Schema{Type: "integer"}}}}, s.play(d))
}

func (s *Service) seatRecordingRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/recording", Action: "link.use",
		Summary: "Whether the room is recorded, for who came by link"}, func(ctx context.Context, in *SeatToken) (*bodyOut[Recording], error) {
		r, err := s.ReadRecording(ctx, s.BySeat(in.Token))
		return &bodyOut[Recording]{r}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/recording/answer", Action: "link.use",
		Summary: "Agree to the recording, refuse it, or stop it, for who came by link"}, func(ctx context.Context, in *seatAnswerIn) (*bodyOut[Recording], error) {
		r, err := s.AnswerRecording(ctx, s.BySeat(in.Token), in.Body.Agree, in.Body.Version)
		return &bodyOut[Recording]{r}, err
	})
}

// Answer is somebody's word; exported because huma reads embedded fields of exported types only.
type Answer struct {
	Body struct {
		Agree   bool   `json:"agree"`
		Version string `json:"text_version" maxLength:"40" doc:"Of the text that was read"`
	}
}

type answerIn struct {
	RoomPath
	Answer
}

type seatAnswerIn struct {
	SeatToken
	Answer
}

// play sends a take, or the range of it that a player asks for. The reading is recorded where it begins.
func (s *Service) play(d doorway) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := d.inPath(r)
		if err != nil {
			return err
		}
		take, err := strconv.Atoi(r.PathValue("take"))
		if err != nil {
			return fault.Missing().Because(err)
		}
		asked := r.Header.Get("Range")
		t, file, err := s.Play(r.Context(), in, take, asked == "" || strings.HasPrefix(asked, "bytes=0-"))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", t.Type)
		http.ServeContent(w, r, "", time.Time{}, file)
		return nil
	}
}
