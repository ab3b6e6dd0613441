// Package httpapi is the edge: it registers operations with the OpenAPI document,
// finds out who asks, lets the access table decide, and turns faults into RFC 9457
// answers. Every operation names its action (x-action); one that the access table
// does not know stops the program at start.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/pg"
)

// Sessions resolves a session token to its subject; nil for an unknown, ended or
// revoked one.
type Sessions interface {
	Resolve(ctx context.Context, token string) (*authz.Subject, error)
}

// API collects the operations of the house. Made once, before the server listens.
type API struct {
	Huma     huma.API
	mux      *http.ServeMux
	policy   *authz.Policy
	sessions Sessions
	db       *pg.Pool
	log      *slog.Logger
	actions  map[string]bool
}

// Op describes one operation.
type Op struct {
	Method   string
	Path     string // ServeMux pattern: /api/v1/visits/{id}
	Action   string // a line of internal/authz/policy.csv
	Summary  string
	Status   int           // of success; 200 by default
	MaxBytes int64         // of the body; 1 MiB by default
	Timeout  time.Duration // to read the body; 15 s by default
	Params   []*huma.Param // for Raw: what the document says of them
}

// defaultMaxBytes is generous for JSON: the longest record is some 20 kB.
const defaultMaxBytes = 1 << 20

// New makes an API that keeps its operations on mux.
func New(mux *http.ServeMux, version string, policy *authz.Policy, sessions Sessions, db *pg.Pool, log *slog.Logger) *API {
	huma.DefaultArrayNullable = false
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return problemOf(ctx.Context(), validation(status, msg, errs))
	}
	config := huma.DefaultConfig("Yuanzhen 远诊", version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", "", nil
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Info.Description = "Every operation carries the name of its action as x-action; who may do it stands in the access table."
	return &API{Huma: humago.New(mux, config), mux: mux, policy: policy, sessions: sessions, db: db, log: log, actions: map[string]bool{}}
}

// schemaName keeps types of the same name in different packages apart: consult.Visit is ConsultVisit.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if pkg := path.Base(t.PkgPath()); t.PkgPath() != "" {
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}

// Register adds a typed operation: the document, validation and encoding come from I and O.
func Register[I, O any](a *API, op Op, deed func(context.Context, *I) (*O, error)) {
	o := a.operation(op)
	o.Middlewares = huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
		ctx, err := a.admit(hc.Context(), op, hc.URL().Path)
		if err != nil {
			writeProblem(hc, problemOf(hc.Context(), err))
			return
		}
		next(huma.WithContext(hc, ctx))
	}}
	huma.Register(a.Huma, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := deed(ctx, in)
		if err != nil {
			return nil, a.refuse(ctx, op, err)
		}
		return out, nil
	})
	a.holdPath(op)
}

// holdPath stops the program when a part of the path has no field to go to: the deed
// would see it empty.
func (a *API) holdPath(op Op) {
	item := a.Huma.OpenAPI().Paths[op.Path]
	registered := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete, "PATCH": item.Patch}[op.Method]
	for _, part := range strings.Split(op.Path, "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if !slices.ContainsFunc(registered.Parameters, func(p *huma.Param) bool { return p.In == "path" && p.Name == name }) {
			panic(fmt.Sprintf("%s %s: no field takes {%s} (an embedded struct must have an exported name)", op.Method, op.Path, name))
		}
	}
}

// Raw adds an operation that speaks its own format: pictures, DICOMweb, events,
// sockets. A returned error is answered as a problem if nothing was written yet.
func Raw(a *API, op Op, serve func(http.ResponseWriter, *http.Request) error) {
	o := a.operation(op)
	o.Parameters = op.Params
	o.Responses = map[string]*huma.Response{fmt.Sprint(o.DefaultStatus): {Description: http.StatusText(o.DefaultStatus)}}
	a.Huma.OpenAPI().AddOperation(&o)
	a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, o.MaxBodyBytes)
		ctx, err := a.admit(r.Context(), op, r.URL.Path)
		if err == nil {
			err = serve(w, r.WithContext(ctx))
			if err != nil {
				err = a.refuse(ctx, op, err)
			}
		} else {
			err = problemOf(r.Context(), err)
		}
		var p *Problem
		if errors.As(err, &p) && !written(w) {
			p.write(w)
		}
	})
}

func (a *API) operation(op Op) huma.Operation {
	if !a.policy.Known(op.Action) {
		panic(fmt.Sprintf("%s %s: the access table has no line for the action %q", op.Method, op.Path, op.Action))
	}
	a.actions[op.Action] = true
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	if op.MaxBytes == 0 {
		op.MaxBytes = defaultMaxBytes
	}
	if op.Timeout == 0 {
		op.Timeout = 15 * time.Second
	}
	o := huma.Operation{
		OperationID: operationID(op), Method: op.Method, Path: op.Path, Summary: op.Summary,
		DefaultStatus: op.Status, MaxBodyBytes: op.MaxBytes, BodyReadTimeout: op.Timeout,
		Extensions: map[string]any{"x-action": op.Action},
		Tags:       []string{strings.SplitN(op.Action, ".", 2)[0]},
	}
	if !a.policy.Public(op.Action) {
		o.Security = []map[string][]string{{"session": {}}}
	}
	return o
}

func operationID(op Op) string {
	id := strings.NewReplacer("/api/v1/", "", "/", "-", "{", "", "}", "", ".", "-").Replace(strings.ToLower(op.Method) + "-" + op.Path)
	return strings.Trim(strings.ReplaceAll(id, "--", "-"), "-")
}

// admit asks the access table and puts the scope into the context.
func (a *API) admit(ctx context.Context, op Op, urlPath string) (context.Context, error) {
	subject := authz.SubjectFrom(ctx)
	scope, err := a.policy.Scope(subject, op.Action)
	if err != nil {
		return ctx, err
	}
	if scope.Empty() {
		if subject == nil {
			return ctx, fault.New(fault.Unauthenticated, "sign_in_first", "请先登录。", "Please sign in first.").
				WithRemedy("登录后会回到这里。", "You will come back here afterwards.")
		}
		a.denied(ctx, op, urlPath, "role")
		return ctx, fault.New(fault.Forbidden, "not_your_role", "您的角色不能做这件事。", "Your role may not do this.").
			WithRemedy("如果您应该能做，请联系医院管理员。", "If you should be able to, ask your hospital's administrator.")
	}
	ctx = authz.WithScope(ctx, scope)
	return context.WithValue(ctx, pathKey{}, urlPath), nil
}

type pathKey struct{}

// refuse turns a deed's error into the answer, logs what is ours to mend, and
// records attempts at what is not the person's.
func (a *API) refuse(ctx context.Context, op Op, err error) error {
	if kind := fault.KindOf(err); authz.SubjectFrom(ctx) != nil && (kind == fault.NotFound || kind == fault.Forbidden) {
		urlPath, _ := ctx.Value(pathKey{}).(string)
		a.denied(ctx, op, urlPath, "scope")
	}
	p := problemOf(ctx, err)
	if p.Status >= 500 && ctx.Err() == nil { // who hung up in the middle is no failure of ours
		a.log.ErrorContext(ctx, "operation failed", "action", op.Action, "error", err.Error(), "request", p.RequestID)
	}
	return p
}

func (a *API) denied(ctx context.Context, op Op, urlPath, reason string) {
	entry := audit.Entry{Action: op.Action, Object: strings.TrimPrefix(urlPath, "/api/v1/"), Reason: reason}
	if err := audit.Denied(context.WithoutCancel(ctx), a.db, entry); err != nil {
		a.log.ErrorContext(ctx, "denied attempt not recorded", "action", op.Action, "error", err.Error())
	}
}

// Document is the OpenAPI 3.1 document as JSON.
func (a *API) Document() ([]byte, error) {
	doc := a.Huma.OpenAPI()
	if doc.Components.SecuritySchemes == nil {
		doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
			"session": {Type: "http", Scheme: "bearer", Description: "A session token; browsers send it as the cookie " + CookieName + "."},
		}
	}
	return json.MarshalIndent(doc, "", "  ")
}
