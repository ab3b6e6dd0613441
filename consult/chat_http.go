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

func (s *Service) chatRoutes(api *httpapi.API) {
	key := &huma.Param{Name: "Idempotency-Key", In: "header", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}
	id := func(name string) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}
	}
	seat := &huma.Param{Name: "Yuanzhen-Seat", In: "header", Required: true, Schema: &huma.Schema{Type: "string"}}
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/messages", Action: "visit.chat",
		Summary: "What was said and shown in the room"}, s.readMessages)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/messages", Action: "visit.chat", Status: 201,
		Summary: "Say something in the room, in writing"}, s.say)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/files", Action: "visit.chat", Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Show a photo or paper in the room (multipart: file)", Params: []*huma.Param{id("id"), key}}, s.share(s.visitDoor))
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/visits/{id}/files/{message}", Action: "visit.chat",
		Summary: "A file that was shown in the room", Params: []*huma.Param{id("id"), id("message")}}, s.sharedFile(s.visitDoor))
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/messages", Action: "link.use",
		Summary: "What was said and shown in the room, for who came by link"}, s.seatMessages)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/messages", Action: "link.use", Status: 201,
		Summary: "Say something in the room, for who came by link"}, s.seatSay)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/seat/files", Action: "link.use", Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Show a photo or paper in the room, for who came by link (multipart: file)", Params: []*huma.Param{seat, key}}, s.share(s.seatDoor))
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/seat/files/{message}", Action: "link.use",
		Summary: "A file that was shown in the room, for who came by link", Params: []*huma.Param{seat, id("message")}}, s.sharedFile(s.seatDoor))
}

func (s *Service) visitDoor(r *http.Request) (Door, error) {
	id, err := ids.Parse[ids.Visit](r.PathValue("id"))
	if err != nil {
		return nil, fault.Missing().Because(err)
	}
	return s.ByVisit(id), nil
}

func (s *Service) seatDoor(r *http.Request) (Door, error) {
	return s.BySeat(r.Header.Get("Yuanzhen-Seat")), nil
}

type messagesOut struct{ Body []Message }

func (s *Service) readMessages(ctx context.Context, in *VisitPath) (*messagesOut, error) {
	list, err := s.Messages(ctx, s.ByVisit(in.ID))
	return &messagesOut{list}, err
}

func (s *Service) seatMessages(ctx context.Context, in *SeatToken) (*messagesOut, error) {
	list, err := s.Messages(ctx, s.BySeat(in.Token))
	return &messagesOut{list}, err
}

// Words is what somebody says in writing; exported because huma reads embedded fields of exported types only.
type Words struct {
	Key  string `header:"Idempotency-Key" required:"true" format:"uuid" doc:"The same message sent twice is one"`
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"8000"`
	}
}

type sayIn struct {
	VisitPath
	Words
}

type messageOut struct{ Body Message }

func (s *Service) say(ctx context.Context, in *sayIn) (*messageOut, error) {
	m, err := s.Say(ctx, s.ByVisit(in.ID), in.Body.Text, in.Key)
	return &messageOut{m}, err
}

type seatSayIn struct {
	SeatToken
	Words
}

func (s *Service) seatSay(ctx context.Context, in *seatSayIn) (*messageOut, error) {
	m, err := s.Say(ctx, s.BySeat(in.Token), in.Body.Text, in.Key)
	return &messageOut{m}, err
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
