package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// small is the largest file that goes in one request; beyond it a cut line would cost too much (docs/imaging-api.md).
const small = 16 << 20

// platform is the far end. Only the sender uses it, but for skew.
type platform struct {
	base   string
	rate   int
	token  string // of the device, which is of one hospital
	client *http.Client
	behind atomic.Pointer[time.Duration] // how far our clock is behind the platform's; nil until it has answered
}

func newPlatform(c *Cmd) (*platform, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is no address of a platform, want https://…", c.URL)
	}
	p := &platform{base: strings.TrimSuffix(c.URL, "/"), rate: c.Rate,
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: 2 * time.Minute, TLSHandshakeTimeout: 30 * time.Second, IdleConnTimeout: time.Minute}}}
	token, err := os.ReadFile(c.Token)
	if err != nil {
		return nil, err
	}
	if p.token = strings.TrimSpace(string(token)); p.token == "" || strings.ContainsAny(p.token, " \r\n") {
		return nil, fmt.Errorf("%s holds no token: it is the one line that the administrator was shown", c.Token)
	}
	return p, nil
}

// skew is what to add to our clock to have the platform's: hours hold also where it is a day wrong.
func (p *platform) skew() time.Duration {
	if behind := p.behind.Load(); behind != nil {
		return *behind
	}
	return 0
}

// ask sends one request as the device that the token stands for.
func (p *platform) ask(ctx context.Context, method, path string, header map[string]string, body io.Reader, length int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, nil)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(slowly{body, ctx, p.rate}), length
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		behind := time.Until(at)
		p.behind.Store(&behind)
	}
	if answer.StatusCode == http.StatusUnauthorized {
		answer.Body.Close()
		return nil, errors.New("the platform doesn't know this token (any more): ask the hospital's administrator for a new one / 令牌无效或已停用，请找医院管理员另发")
	}
	return answer, nil
}

// says tells the centre how the agent stands, by the centre's clock.
func (p *platform) says(ctx context.Context, s State) error {
	says := struct {
		Queued     int        `json:"queued"`
		Bytes      int64      `json:"bytes"`
		Refused    int        `json:"refused"`
		HoldsSince *time.Time `json:"holds_since,omitempty"`
		LastError  string     `json:"last_error,omitempty"`
	}{s.Queued, s.Bytes, s.Refused, nil, ""}
	trouble := s.LastError
	if trouble == "" && s.Refused > 0 {
		trouble = s.Refusal
	}
	says.LastError = strings.ToValidUTF8(trouble[:min(len(trouble), 300)], "") // the platform takes 300 letters
	if !s.HoldsSince.IsZero() {
		since := s.HoldsSince.Add(p.skew())
		says.HoldsSince = &since
	}
	body, err := json.Marshal(says)
	if err != nil {
		return err
	}
	answer, err := p.ask(ctx, http.MethodPost, "/api/v1/imaging/devices/state", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		words, _ := said(answer)
		return fmt.Errorf("saying how it stands: %s", words)
	}
	return nil
}

// said is what a refusal says of itself, without the bytes of anybody; the code is the platform's own, "" from a proxy.
func said(answer *http.Response) (words, code string) {
	var problem struct {
		Code           string
		Detail, Remedy struct{ EN string }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&problem); err != nil || problem.Detail.EN == "" {
		return answer.Status, ""
	}
	return answer.Status + ": " + problem.Detail.EN + " " + problem.Remedy.EN, problem.Code
}

// declined tells a no to this one file, which would be said again, from one that may pass: a token, a busy or unknown address, a line
// that broke, a proxy out of order. A file that is too large is so to a proxy too.
func declined(doing string, answer *http.Response) (why string, err error) {
	words, code := said(answer)
	switch status := answer.StatusCode; {
	case status == http.StatusRequestEntityTooLarge:
		return words, nil
	case status < 400 || status >= 500 || code == "" || code == "upload_broken",
		slices.Contains([]int{http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests}, status):
		return "", fmt.Errorf("%s: %s", doing, words)
	}
	return words, nil
}

// instance is a file as the platform names it.
type instance struct {
	SOP string `json:"sop_uid"`
	Sum string `json:"sha256"`
}

// known is what the platform says of the files that it was asked for.
type known struct {
	Missing   []string   `json:"missing"`   // SOP Instance UIDs
	Conflicts []string   `json:"conflicts"` // taken by other bytes
	Held      []instance `json:"held"`
}

// have asks which files the platform holds. Any JSON that somebody on the way answers with is no answer: what it doesn't name would
// pass for held, and be deleted here.
func (p *platform) have(ctx context.Context, queue []item) (k known, err error) {
	var question struct {
		Instances []instance `json:"instances"`
	}
	for _, it := range queue {
		question.Instances = append(question.Instances, instance{it.sop, it.sum})
	}
	body, err := json.Marshal(question)
	if err != nil {
		return k, err
	}
	answer, err := p.ask(ctx, http.MethodPost, "/api/v1/imaging/uploads/have", map[string]string{"Content-Type": "application/json"}, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return k, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		words, _ := said(answer)
		return k, fmt.Errorf("what is missing: %s", words)
	}
	if err = json.NewDecoder(answer.Body).Decode(&k); err == nil && (k.Missing == nil || k.Conflicts == nil || k.Held == nil) {
		err = errors.New("what is missing: the answer is not the platform's, or of a platform too old for this agent / 回答不是平台的，或平台版本太旧")
	}
	return k, err
}

// store sends one file. why is the platform's reason to refuse it for good; an error may pass.
func (p *platform) store(ctx context.Context, it item) (why string, err error) {
	f, err := os.Open(it.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if it.size > small {
		return p.resume(ctx, it, f)
	}
	boundary := multipart.NewWriter(io.Discard).Boundary() // 240 random bits: no pixels hold them
	head, tail := "--"+boundary+"\r\nContent-Type: application/dicom\r\n\r\n", "\r\n--"+boundary+"--\r\n"
	answer, err := p.ask(ctx, http.MethodPost, "/dicomweb/studies",
		map[string]string{"Content-Type": `multipart/related; type="application/dicom"; boundary=` + boundary, "Accept": "application/dicom+json"},
		io.MultiReader(strings.NewReader(head), io.NewSectionReader(f, 0, it.size), strings.NewReader(tail)), int64(len(head)+len(tail))+it.size)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	full := answer.StatusCode == http.StatusInsufficientStorage && answer.Header.Get("Content-Type") == "application/dicom+json"
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusConflict && !full {
		return declined("storing", answer)
	}
	var told map[string]struct {
		Value []map[string]struct{ Value []any }
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&told); err != nil && answer.StatusCode == http.StatusConflict {
		return "", err
	}
	if failed := told["00081198"].Value; full && len(failed) > 0 { // the file is good and waits
		return "", fmt.Errorf("no room at the platform: %v", failed[0]["00000902"].Value)
	} else if len(failed) > 0 {
		return fmt.Sprint(failed[0]["00081197"].Value, " ", failed[0]["00000902"].Value), nil
	}
	return "", nil
}

// resume sends a large file by tus 1.0, from where the platform stands. The upload's address lies beside the file.
func (p *platform) resume(ctx context.Context, it item, f io.ReaderAt) (string, error) {
	note := strings.TrimSuffix(it.path, ".dcm") + ".tus"
	tus := map[string]string{"Tus-Resumable": "1.0.0"}
	where, offset := "", int64(0)
	if b, err := os.ReadFile(note); err == nil {
		answer, err := p.ask(ctx, http.MethodHead, string(b), tus, nil, 0)
		if err != nil {
			return "", err
		}
		answer.Body.Close()
		if n, err := strconv.ParseInt(answer.Header.Get("Upload-Offset"), 10, 64); err == nil && answer.StatusCode == http.StatusOK {
			where, offset = string(b), n
		}
	}
	if where == "" {
		answer, err := p.ask(ctx, http.MethodPost, "/api/v1/imaging/uploads",
			map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": strconv.FormatInt(it.size, 10)}, nil, 0)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		where = answer.Header.Get("Location")
		if answer.StatusCode != http.StatusCreated || !strings.HasPrefix(where, "/api/v1/imaging/uploads/") {
			return declined("beginning an upload", answer)
		}
		if err := os.WriteFile(note, []byte(where), 0o600); err != nil {
			return "", err
		}
	}
	if offset < it.size {
		answer, err := p.ask(ctx, http.MethodPatch, where, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": strconv.FormatInt(offset, 10),
			"Content-Type": "application/offset+octet-stream"}, io.NewSectionReader(f, offset, it.size-offset), it.size-offset)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusNoContent {
			why, err := declined("going on with an upload", answer)
			if why != "" {
				err = os.Remove(note)
			}
			return why, err
		}
	}
	for ctx.Err() == nil { // the bytes are there; now they are read
		answer, err := p.ask(ctx, http.MethodGet, where, nil, nil, 0)
		if err != nil {
			return "", err
		}
		var state struct {
			State   string
			Refused []struct {
				Reason string
				Detail struct{ ZH, EN string }
				Full   bool
			}
		}
		err = json.NewDecoder(answer.Body).Decode(&state)
		answer.Body.Close()
		switch {
		case err != nil || answer.StatusCode != http.StatusOK:
			return "", errors.Join(err, fmt.Errorf("state of an upload: %s", answer.Status))
		case state.State == "done":
			why := ""
			if len(state.Refused) > 0 && state.Refused[0].Full { // the file is good and waits; its next try is another upload
				return "", errors.Join(fmt.Errorf("no room at the platform: %s", state.Refused[0].Detail.EN), os.Remove(note))
			} else if len(state.Refused) > 0 {
				why = state.Refused[0].Reason + ": " + state.Refused[0].Detail.EN + " / " + state.Refused[0].Detail.ZH
			}
			return why, os.Remove(note)
		}
		sleep(ctx, time.Second)
	}
	return "", ctx.Err()
}
