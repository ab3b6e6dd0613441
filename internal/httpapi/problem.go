package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/pg"
)

// Problem is the answer to whatever went wrong (RFC 9457), with the sentence and
// the remedy in both languages.
type Problem struct {
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Code      string     `json:"code"`
	Detail    fault.Text `json:"detail"`
	Remedy    fault.Text `json:"remedy"`
	RequestID string     `json:"request_id"`
	Fields    []Field    `json:"fields,omitempty"`
	Data      any        `json:"data,omitempty"`
}

// Field is one thing wrong in the request.
type Field struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

func (p *Problem) Error() string             { return p.Code + ": " + p.Detail.EN }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

func writeProblem(hc huma.Context, p *Problem) {
	hc.SetHeader("Content-Type", "application/problem+json")
	hc.SetHeader("Cache-Control", "no-store")
	hc.SetStatus(p.Status)
	json.NewEncoder(hc.BodyWriter()).Encode(p)
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Malformed: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
	fault.Conflict: 409, fault.Gone: 410, fault.TooLarge: 413, fault.Unsupported: 415, fault.Invalid: 422, fault.Refused: 422,
	fault.Limited: 429, fault.Unavailable: 503, fault.Full: 507,
}

func problemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	var f *fault.Error
	switch {
	case errors.As(err, &f):
	case errors.As(err, &tooLarge):
		f = fault.New(fault.TooLarge, "too_large", "内容太大了。", "This is too large.").
			WithRemedy("请减小后再传。", "Please make it smaller and send it again.")
	case pg.Unfit(err):
		f = fault.New(fault.Malformed, "malformed", "内容里有存不了的字符、数字或日期。", "This holds a character, number or date that can't be stored.").
			WithRemedy("请改正后再提交。", "Please correct it and send it again.").Because(err)
	case pg.Away(err):
		f = fault.New(fault.Unavailable, "database_away", "暂时连不上数据库，您填的都在。", "The database is away for a moment; your answers are safe.").
			WithRemedy("请过几秒再试。", "Please try again in a few seconds.").Because(err)
	default:
		f = fault.As(err)
	}
	status := statuses[f.Kind]
	p = &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: f.Code,
		Detail: f.Say, Remedy: f.Remedy, RequestID: audit.RequestID(ctx), Data: f.Detail}
	if fields, ok := f.Detail.([]Field); ok {
		p.Fields, p.Data = fields, nil
	}
	return p
}

// validation words what huma found wrong before the deed was asked.
func validation(status int, msg string, errs []error) error {
	var fields []Field
	for _, err := range errs {
		var d huma.ErrorDetailer
		var p *Problem
		switch {
		case errors.As(err, &p):
			return p
		case errors.As(err, &d):
			fields = append(fields, Field{Path: d.ErrorDetail().Location, Message: d.ErrorDetail().Message})
		case err != nil:
			fields = append(fields, Field{Message: err.Error()})
		}
	}
	var f *fault.Error
	switch {
	case status == http.StatusRequestEntityTooLarge:
		f = fault.New(fault.TooLarge, "too_large", "内容太大了。", "This is too large.").WithRemedy("请减小后再传。", "Please make it smaller and send it again.")
	case status == http.StatusUnsupportedMediaType:
		f = fault.New(fault.Unsupported, "unsupported_type", "不支持这种内容类型。", "This content type is not supported.").
			WithRemedy("请用 application/json 提交。", "Please send application/json.")
	case status == http.StatusUnprocessableEntity:
		f = fault.New(fault.Invalid, "invalid", "有些内容不对。", "Some of this is not right.").WithRemedy("请改正标出的各项再提交。", "Please correct the marked fields and send it again.")
	case status >= 500:
		f = fault.As(errors.New(msg))
	default:
		f = fault.New(fault.Malformed, "malformed", "内容读不懂。", "This can't be read: "+msg+".").WithRemedy("请检查格式后再提交。", "Please check the format and send it again.")
	}
	if len(fields) > 0 {
		return f.With(fields)
	}
	return f
}
