package consult

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

var (
	onceParam = &huma.Param{Name: "Idempotency-Key", In: "header", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}
	seatParam = &huma.Param{Name: "Yuanzhen-Seat", In: "header", Required: true, Schema: &huma.Schema{Type: "string"}}
)

func (s *Service) chatRoutes(api *httpapi.API, d doorway) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/messages", Action: d.chat,
		Summary: "What was said and shown in the room"}, found(d, s.Messages))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/messages", Action: d.chat, Status: 201,
		Summary: "Say something in the room, in writing"}, func(ctx context.Context, in *sayIn) (*bodyOut[Message], error) {
		m, err := s.Say(ctx, d.door(in.ID), in.Body.Text, in.Key)
		return &bodyOut[Message]{m}, err
	})
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: d.base + "/{id}/files", Action: d.chat, Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Show a photo or paper in the room (multipart: file)", Params: []*huma.Param{uuidParam("id"), onceParam}}, s.share(d.inPath))
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: d.base + "/{id}/files/{message}", Action: d.chat,
		Summary: "A file that was shown in the room", Params: []*huma.Param{uuidParam("id"), uuidParam("message")}}, s.sharedFile(d.inPath))
}

func (s *Service) seatChatRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/messages", Action: "link.use",
		Summary: "What was said and shown in the room, for who came by link"}, func(ctx context.Context, in *SeatToken) (*bodyOut[[]Message], error) {
		list, err := s.Messages(ctx, s.BySeat(in.Token))
		return &bodyOut[[]Message]{list}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/messages", Action: "link.use", Status: 201,
		Summary: "Say something in the room, for who came by link"}, func(ctx context.Context, in *seatSayIn) (*bodyOut[Message], error) {
		m, err := s.Say(ctx, s.BySeat(in.Token), in.Body.Text, in.Key)
		return &bodyOut[Message]{m}, err
	})
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/files", Action: "link.use", Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Show a photo or paper in the room, for who came by link (multipart: file)", Params: []*huma.Param{seatParam, onceParam}}, s.share(s.inSeat))
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/files/{message}", Action: "link.use",
		Summary: "A file that was shown in the room, for who came by link", Params: []*huma.Param{seatParam, uuidParam("message")}}, s.sharedFile(s.inSeat))
}

// Words is what somebody says in writing; exported because huma reads embedded fields of exported types only.
type Words struct {
	Key  string `header:"Idempotency-Key" required:"true" format:"uuid" doc:"The same message sent twice is one"`
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"8000"`
	}
}

type sayIn struct {
	RoomPath
	Words
}

type seatSayIn struct {
	SeatToken
	Words
}

// share reads the one part "file"; the whole body is bounded, and nothing is spooled to disk.
func (s *Service) share(door func(*http.Request) (Door, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		unreadable := fault.New(fault.Malformed, "malformed", "上传的内容读不懂。", "The upload can't be read.").
			WithRemedy("请重新选择文件再上传。", "Please choose the file again and upload it.")
		in, err := door(r)
		if err != nil {
			return err
		}
		key, err := uuid.Parse(r.Header.Get("Idempotency-Key"))
		if err != nil {
			return unreadable.Because(err)
		}
		form, err := r.MultipartReader()
		if err != nil {
			return unreadable.Because(err)
		}
		part, err := form.NextPart()
		if err != nil || part.FormName() != "file" {
			return tooLargeOr(err, unreadable)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return tooLargeOr(err, unreadable)
		}
		m, err := s.Share(r.Context(), in, filepath.Base(part.FileName()), content, key.String())
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		return json.NewEncoder(w).Encode(m)
	}
}

// sharedFile sends a file. It is a picture or PDF by its own bytes, and the edge forbids browsers to guess otherwise.
func (s *Service) sharedFile(door func(*http.Request) (Door, error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := door(r)
		if err != nil {
			return err
		}
		id, err := ids.Parse[ids.Message](r.PathValue("message"))
		if err != nil {
			return fault.Missing().Because(err)
		}
		f, file, err := s.Shared(r.Context(), in, id)
		if err != nil {
			return err
		}
		defer file.Close()
		h := w.Header()
		h.Set("Content-Type", f.ContentType)
		h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
		_, err = io.Copy(w, file)
		return err
	}
}
