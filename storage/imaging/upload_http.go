package imaging

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// tus 1.0.0: core, creation and termination (https://tus.io/protocols/resumable-upload).

const tusVersion = "1.0.0"

func badTus(header string) error {
	return fault.New(fault.Malformed, "bad_tus", "续传请求的头部不合规。", "A header of the resumable upload is missing or not valid.").
		WithRemedy("请按 tus 1.0 发送。", "Please send by tus 1.0.").With(map[string]string{"header": header})
}

// speaksTus answers 412 to who speaks another version.
func speaksTus(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Tus-Resumable", tusVersion)
	if r.Header.Get("Tus-Resumable") == tusVersion {
		return true
	}
	w.Header().Set("Tus-Version", tusVersion)
	w.WriteHeader(http.StatusPreconditionFailed)
	return false
}

func (s *Service) tusAbilities(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", "creation,termination")
	h.Set("Tus-Max-Size", fmt.Sprint(maxUpload))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) tusBegin(w http.ResponseWriter, r *http.Request) error {
	if !speaksTus(w, r) {
		return nil
	}
	place, err := storingPlace(r)
	if err != nil {
		return err
	}
	length, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	if err != nil {
		return badTus("Upload-Length")
	}
	u, err := s.Begin(r.Context(), place, length)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/imaging/uploads/"+u.ID.String())
	w.WriteHeader(http.StatusCreated)
	return nil
}

// uploadOf finds the upload of the path.
func (s *Service) uploadOf(r *http.Request) (Upload, error) {
	id, err := ids.Parse[uploadID](r.PathValue("id"))
	if err != nil {
		return Upload{}, fault.Missing()
	}
	return s.upload(r.Context(), id)
}

// settled finds the upload of the path when no request brings bytes of it any more, or one plainly does. Who asks how far it
// is, to go on from there, has lost the line of the one before: its end may not be known here, nor its last bytes be stored, and
// they would all be sent again.
func (s *Service) settled(r *http.Request) (Upload, error) {
	u, err := s.uploadOf(r)
	if err == nil && s.appends.end(u.ID) {
		u, err = s.uploadOf(r)
	}
	return u, err
}

// tusState is HEAD for tus clients, GET for who shows how far it is.
func (s *Service) tusState(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead && !speaksTus(w, r) {
		return nil
	}
	find := s.uploadOf
	if r.Method == http.MethodHead {
		find = s.settled
	}
	u, err := find(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Upload-Offset", fmt.Sprint(u.Received))
		w.Header().Set("Upload-Length", fmt.Sprint(u.Length))
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if u.Outcome.Studies == nil {
		u.Outcome.Studies, u.Outcome.Refused = []string{}, []Refusal{}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(struct {
		ID       uploadID `json:"id"`
		State    string   `json:"state"`
		Length   int64    `json:"length"`
		Received int64    `json:"received"`
		Outcome
	}{u.ID, u.State, u.Length, u.Received, u.Outcome})
}

func (s *Service) tusAppend(w http.ResponseWriter, r *http.Request) error {
	if !speaksTus(w, r) {
		return nil
	}
	if r.Header.Get("Content-Type") != "application/offset+octet-stream" {
		return fault.New(fault.Unsupported, "unsupported_type", "不支持这种内容类型。", "This content type is not supported.").
			WithRemedy("请用 application/offset+octet-stream 发送。", "Please send application/offset+octet-stream.")
	}
	offset, err := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 {
		return badTus("Upload-Offset")
	}
	u, err := s.uploadOf(r)
	if err != nil {
		return err
	}
	if r.ContentLength > u.Length-offset {
		return uploadSurplus
	}
	body := newPatient(w, r)
	defer s.appends.begin(u.ID, body)()
	if u, err = s.Append(r.Context(), u, offset, body); err != nil {
		return err
	}
	w.Header().Set("Upload-Offset", fmt.Sprint(u.Received))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) tusAbandon(w http.ResponseWriter, r *http.Request) error {
	if !speaksTus(w, r) {
		return nil
	}
	u, err := s.uploadOf(r)
	if err == nil {
		err = s.Abandon(r.Context(), u)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// appends are the requests that bring bytes of uploads to this node.
type appends struct {
	mu sync.Mutex
	by map[uploadID]*appending // guarded by mu; of two at once the later: the database lets one of them win
}

type appending struct {
	patient
	done chan struct{}
}

// begin notes one, until ended is called.
func (a *appends) begin(id uploadID, body patient) (ended func()) {
	this := &appending{body, make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[uploadID]*appending{}
	}
	a.by[id] = this
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.by[id] == this {
			delete(a.by, id)
		}
		close(this.done)
	}
}

const (
	lost    = 250 * time.Millisecond // a line by which nothing came as long is taken for one that is cut
	living  = time.Second            // and one by which something came all the while for one that is not
	storing = 5 * time.Second        // how long who asks waits for the last piece to be on the disk
)

// end waits until what the request has brought is stored, and hangs it up when its line is quiet; false where there is none.
// While bytes go on to come it is left alone: who asks looks on.
func (a *appends) end(id uploadID) bool {
	a.mu.Lock()
	last := a.by[id]
	a.mu.Unlock()
	if last == nil {
		return false
	}
	for asked := time.Now(); ; {
		quiet := last.quiet()
		if quiet >= lost {
			break
		}
		if time.Since(asked) >= living {
			return true
		}
		select {
		case <-last.done:
			return true
		case <-time.After(lost - quiet):
		}
	}
	last.hangUp()
	select {
	case <-last.done:
	case <-time.After(storing):
	}
	return true
}
