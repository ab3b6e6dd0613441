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
	"yuanzhen/internal/ids"
)

func (s *Service) recordingRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/recording", Action: "recording.ask",
		Summary: "Ask everybody in the room whether it may be recorded"}, s.askRecordingIn)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/recording", Action: "recording.read",
		Summary: "The visit's recording: who was asked, whether it runs, what can be played"}, s.readRecordingIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/recording/answer", Action: "recording.answer",
		Summary: "Agree to the recording, refuse it, or stop it"}, s.answerRecordingIn)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/recording/{take}", Action: "recording.read",
		Summary: "One take of the recording, WebM or Matroska",
		Params: []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}},
			{Name: "take", In: "path", Required: true, Schema: &huma.Schema{Type: "integer"}}}}, s.play)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/recording", Action: "link.use",
		Summary: "Whether the room is recorded, for who came by link"}, s.seatRecording)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/recording/answer", Action: "link.use",
		Summary: "Agree to the recording, refuse it, or stop it, for who came by link"}, s.seatAnswer)
}

type recordingOut struct{ Body Recording }

func (s *Service) askRecordingIn(ctx context.Context, in *VisitPath) (*recordingOut, error) {
	r, err := s.AskRecording(ctx, in.ID)
	return &recordingOut{r}, err
}

func (s *Service) readRecordingIn(ctx context.Context, in *VisitPath) (*recordingOut, error) {
	r, err := s.ReadRecording(ctx, s.ByVisit(in.ID))
	return &recordingOut{r}, err
}

func (s *Service) seatRecording(ctx context.Context, in *SeatToken) (*recordingOut, error) {
	r, err := s.ReadRecording(ctx, s.BySeat(in.Token))
	return &recordingOut{r}, err
}

// Answer is somebody's word; exported because huma reads embedded fields of exported types only.
type Answer struct {
	Body struct {
		Agree   bool   `json:"agree"`
		Version string `json:"text_version" maxLength:"40" doc:"Of the text that was read"`
	}
}

type answerIn struct {
	VisitPath
	Answer
}

func (s *Service) answerRecordingIn(ctx context.Context, in *answerIn) (*recordingOut, error) {
	r, err := s.AnswerRecording(ctx, s.ByVisit(in.ID), in.Body.Agree, in.Body.Version)
	return &recordingOut{r}, err
}

type seatAnswerIn struct {
	SeatToken
	Answer
}

func (s *Service) seatAnswer(ctx context.Context, in *seatAnswerIn) (*recordingOut, error) {
	r, err := s.AnswerRecording(ctx, s.BySeat(in.Token), in.Body.Agree, in.Body.Version)
	return &recordingOut{r}, err
}

// play sends a take, or the range of it that a player asks for. The reading is recorded where it begins.
func (s *Service) play(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Visit](r.PathValue("id"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	take, err := strconv.Atoi(r.PathValue("take"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	asked := r.Header.Get("Range")
	t, file, err := s.Play(r.Context(), id, take, asked == "" || strings.HasPrefix(asked, "bytes=0-"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", t.Type)
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}
