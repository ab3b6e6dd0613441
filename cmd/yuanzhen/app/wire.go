package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/riverqueue/river"

	"yuanzhen/cmd/yuanzhen/demo"
	"yuanzhen/consult"
	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/identity"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/notify"
	"yuanzhen/prescribe"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/signaling"
	"yuanzhen/signaling/cluster"
	"yuanzhen/signaling/control"
	"yuanzhen/signaling/recorder"
	"yuanzhen/storage/imaging"
	"yuanzhen/storage/imaging/codec/worker"
	"yuanzhen/web"
)

// house is every room, wired to its neighbours.
type house struct {
	handler      http.Handler
	api          *httpapi.API
	queue        *jobs.Queue
	scripts      *prescribe.Service
	identity     *identity.Service
	audit        *audit.Log
	media        *signaling.Server
	rooms        control.Rooms
	desk         consult.Desk
	consult      *consult.Service
	teleconsults *consult.Teleconsults
	stage        *demo.Stage // nil outside demo mode
	stops        []func(context.Context) error
	node         *cluster.Node // nil where rooms have nowhere else to go, and once they went
}

// sealEvery is how long an audit entry may stand outside the sealed log.
const sealEvery = 2 * time.Second

// wire is the only place that knows which room stands beside which.
// After an error nothing is left running.
func (a *App) wire(ctx context.Context) (_ *house, err error) {
	o, e := a.options, a.engines
	h := &house{}
	defer func() {
		if err != nil {
			h.stop(ctx)
		}
	}()
	if h.audit, err = audit.NewLog(e.db, e.vault.Signer("audit")); err != nil {
		return nil, err
	}

	workers := river.NewWorkers()
	simulator := &notify.Simulator{DB: e.db, Vault: e.vault}
	sms := &notify.SMS{Vault: e.vault, Sender: simulator}
	if o.SMSURL != "" {
		sms.Sender = smsGateway{newGateway(o.SMSURL)}
	}
	sms.Register(workers)
	river.AddWorker(workers, &sealer{log: h.audit})
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[consult.Reminder]) error {
		return h.consult.Remind(ctx, job.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[consult.OfferLapse]) error {
		return h.consult.PassOn(ctx, job.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[lapseArgs]) error {
		_, err := h.consult.BlockLapsed(ctx)
		return errors.Join(err, h.consult.WarnEnding(ctx))
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[consult.RecordingEnd]) error {
		return h.consult.EndRecordings(ctx)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, job *river.Job[consult.KeepMarks]) error {
		return h.teleconsults.KeepMarks(ctx, job.Args)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[consult.TeleconsultEscalation]) error {
		return h.teleconsults.EscalateOverdue(ctx)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[prescribe.Escalation]) error {
		return h.scripts.Escalate(ctx)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[prescribe.Reminding]) error {
		return h.scripts.Remind(ctx)
	}))
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[prescribe.Rechecking]) error {
		return h.scripts.RemindOfRechecks(ctx)
	}))
	rejudger := &consult.Rejudger{}
	river.AddWorker(workers, rejudger)
	taker := &imaging.Taker{}
	river.AddWorker(workers, taker)
	river.AddWorker(workers, &tidier{taker: taker})
	if h.queue, err = jobs.New(e.db, a.log, workers, jobs.Periodic{Every: sealEvery, Args: sealArgs{}}, jobs.Periodic{Every: lapseEvery, Args: lapseArgs{}},
		jobs.Periodic{Every: tidyEvery, Args: tidyArgs{}}, jobs.Periodic{Every: prescribe.EscalateEvery, Args: prescribe.Escalation{}},
		jobs.Periodic{Every: prescribe.RemindEvery, Args: prescribe.Reminding{}}, jobs.Periodic{Every: prescribe.RecheckEvery, Args: prescribe.Rechecking{}},
		jobs.Periodic{Every: consult.EscalateEvery, Args: consult.TeleconsultEscalation{}},
		jobs.Periodic{Every: consult.RecordingEndEvery, Args: consult.RecordingEnd{}}); err != nil {
		return nil, err
	}
	h.onStop(func(ctx context.Context) error { return sealAll(ctx, h.audit) }) // nothing stays outside the log
	h.onStop(h.queue.Stop)

	h.identity = &identity.Service{DB: e.db, Now: time.Now, Vault: e.vault, Queue: h.queue, SMS: sms, RealName: realNameSimulator{}, Secure: o.Public != ""}
	if o.RealNameURL != "" {
		h.identity.RealName = realNameGateway{newGateway(o.RealNameURL)}
	}
	authority, err := o.authority(e.vault)
	if err != nil {
		return nil, err
	}
	signing := &keys.Service{DB: e.db, Now: time.Now, CA: authority, Vault: e.vault, Alg: o.SigningAlg}
	bus := &live.Bus{Conn: e.bus, Log: a.log, Closing: a.closing.Done()}

	policy, err := authz.Load()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	h.api = httpapi.New(mux, o.Version, policy, h.identity, e.db, a.log)
	h.identity.Routes(h.api)
	bus.Routes(h.api)
	if err := a.openRooms(ctx, h); err != nil {
		return nil, err
	}
	a.mediaRoutes(h)
	rules, err := Rules(o.RuleDirs)
	if err != nil {
		return nil, err
	}
	h.consult = &consult.Service{DB: e.db, Now: time.Now, Log: a.log, Rules: rules, Signer: e.vault.Signer("decision"), Keys: signing,
		Rooms: h.rooms, Desk: h.desk, Files: files{e.store}, Live: bus, Vault: e.vault, Public: a.Addr(), Notices: h.identity, Jobs: h.queue}
	rejudger.Consult = h.consult
	if err := h.consult.KeepLaw(ctx); err != nil {
		return nil, err
	}
	if err := a.importPolicies(ctx, h.consult); err != nil {
		return nil, fmt.Errorf("YUANZHEN_POLICIES: %w", err)
	}
	h.consult.Tapes = &consult.Tapes{Recorder: &recorder.Recorder{Log: a.log}, URL: a.socketURL, Inspect: inspectRecording}
	h.onStop(h.consult.Tapes.Close)
	h.consult.KeepTapes()
	images := &imaging.Service{DB: e.db, Objects: e.store, Now: time.Now, Log: a.log, Public: o.Public, Signer: e.vault.Signer("image receipt"), Jobs: h.queue, Quota: o.ImageQuota * 1e9}
	jpeg2000, err := exec.LookPath(worker.Tool)
	if err != nil {
		o.say("JPEG 2000 不绘制，原样收发 is kept and sent as it is, but not drawn: 请装 please install libopenjp2-tools (%v)", err)
	}
	images.Decoder = worker.New(runtime.GOMAXPROCS(0), jpeg2000)
	h.onStop(func(context.Context) error { images.Decoder.Close(); return nil })
	taker.Images = images
	h.teleconsults = &consult.Teleconsults{Service: h.consult, Images: images}
	knowledge := a.knowledge()
	scripts := &prescribe.Service{DB: e.db, Now: time.Now, Visits: h.consult, Keys: signing, Live: bus, Knowledge: knowledge, VerifyURL: a.Addr() + "/verify#", Log: h.audit}
	scripts.Notices, scripts.Files, h.scripts = h.identity, files{e.store}, scripts
	h.consult.Scripts = scripts
	for _, room := range []interface{ Routes(*httpapi.API) }{signing, h.consult, h.teleconsults, images, scripts} {
		room.Routes(h.api)
	}
	if o.Demo {
		seeder := &demo.Seeder{DB: e.db, Vault: e.vault, Keys: signing, Now: time.Now}
		seeded, err := seeder.Seed(ctx)
		if err != nil {
			return nil, fmt.Errorf("demo cast: %w", err)
		}
		if seeded {
			o.say("演示人物 demo cast: seeded")
		}
		if err := seeder.Seals(ctx); err != nil {
			return nil, fmt.Errorf("demo seals: %w", err)
		}
		if err := seeder.Agreements(ctx); err != nil {
			return nil, fmt.Errorf("demo agreements: %w", err)
		}
		if err := seeder.Roster(ctx, h.consult); err != nil {
			return nil, fmt.Errorf("demo roster: %w", err)
		}
		stage := &demo.Stage{Seeder: seeder, Identity: h.identity, Inbox: simulator, Desk: h.desk}
		stage.Routes(h.api)
		h.stage = stage
	}

	metrics := newMetrics(h.media)
	a.operations(mux, metrics)
	if o.has("api") {
		a.pages(mux, h)
	}
	h.handler = h.api.Edge(metrics, mux)
	return h, nil
}

// Rules is the law of the country with local rule packs laid over it, each a folder; its name is the pack's.
func Rules(dirs []string) (*eligibility.RuleSet, error) {
	if len(dirs) == 0 {
		return eligibility.National()
	}
	var local []eligibility.Pack
	for _, dir := range dirs {
		pack, err := eligibility.ReadPack(filepath.Base(filepath.Clean(dir)), os.DirFS(dir))
		if err != nil {
			return nil, fmt.Errorf("YUANZHEN_RULES: %w", err)
		}
		local = append(local, pack)
	}
	rules, err := eligibility.LoadRules(eligibility.NationalPack(), local...)
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_RULES: %w", err)
	}
	return rules, nil
}

// knowledge is what prescriptions are checked with. Where it can't be read the house opens all the same, says so, and
// nothing is prescribed (prescribe.Service.Knowledge).
func (a *App) knowledge() *formulary.Knowledge {
	load := formulary.Default
	if dir := a.options.FormularyDir; dir != "" {
		load = func() (*formulary.Knowledge, error) { return formulary.Open(os.DirFS(dir)) }
	}
	kb, err := load()
	if err != nil {
		a.formularyLost = err
		a.log.Error("the drug knowledge can't be read: prescribing is stopped", "error", err.Error())
		a.options.say("处方集读不出，暂停开方 the formulary can't be read, prescribing is stopped: %v", err)
		return nil
	}
	a.formularyVersion = kb.Version
	return kb
}

// importPolicies takes the operator's folder in, if there is one.
func (a *App) importPolicies(ctx context.Context, house *consult.Service) error {
	if a.options.PolicyDir == "" {
		return nil
	}
	list, err := eligibility.ReadPolicies(os.DirFS(a.options.PolicyDir))
	if err != nil {
		return err
	}
	drafts, err := house.ImportPolicies(ctx, list)
	if len(drafts) > 0 {
		a.options.say("首诊政策 first-visit policies: %s wait as drafts, an administrator has to take them up", strings.Join(drafts, ", "))
	}
	return err
}

// operations adds what operators and machines ask for.
func (a *App) operations(mux *http.ServeMux, metrics *prometheus.Registry) {
	answer := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"ok": true, "version": a.options.Version})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		state, good := a.ready(r.Context())
		status := http.StatusOK
		if !good {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, state)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
}

// pages adds the API's description and the pages.
func (a *App) pages(mux *http.ServeMux, h *house) {
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		document, err := h.api.Document()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(document)
	})
	if h.media != nil {
		mux.Handle("/whip/", h.media.WHIP())
		mux.Handle("/whep/", h.media.WHIP())
	}
	mux.HandleFunc("/api/", h.api.NoSuch)
	for _, at := range []string{"/dicomweb/", "/shared/dicomweb/"} {
		mux.HandleFunc("OPTIONS "+at, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // what a browser asks first
		mux.HandleFunc(at, h.api.NoSuch)
	}
	mux.Handle("/", web.Handler(a.mediaSources()))
}

func (h *house) onStop(stop func(context.Context) error) { h.stops = append(h.stops, stop) }

// move lets the rooms go to other nodes, where there are some. Nobody is placed here any more, recorders end before their rooms, and
// who sits here is told to come back.
func (h *house) move(ctx context.Context) error {
	if h.node == nil {
		return nil
	}
	errs := []error{h.node.Drain()}
	if h.consult != nil && h.consult.Tapes != nil {
		errs = append(errs, h.consult.Tapes.Close(ctx))
	}
	errs = append(errs, h.media.Stop())
	h.node.Leave()
	h.node = nil
	return errors.Join(errs...)
}

func (h *house) stop(ctx context.Context) error {
	var first error
	for i := len(h.stops) - 1; i >= 0; i-- {
		if err := h.stops[i](ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// tidyEvery is how soon a whole upload is taken in whose taker was killed.
const tidyEvery = 30 * time.Second

type tidyArgs struct{}

func (tidyArgs) Kind() string { return "image_tidy" }

// tidier works it.
type tidier struct {
	river.WorkerDefaults[tidyArgs]
	taker *imaging.Taker
}

// Timeout is the taker's: what it had no time for is taken here.
func (t *tidier) Timeout(*river.Job[tidyArgs]) time.Duration { return t.taker.Timeout(nil) }

func (t *tidier) Work(ctx context.Context, _ *river.Job[tidyArgs]) error {
	return t.taker.Images.Tidy(ctx)
}

// sealArgs is the duty of folding fresh audit entries into the log.
// lapseEvery is how soon slots past the end of a registration or licence are blocked, wherever the end came from (MPP-08 says daily).
const lapseEvery = time.Hour

type lapseArgs struct{}

func (lapseArgs) Kind() string { return "registration_lapse" }

type sealArgs struct{}

func (sealArgs) Kind() string { return "audit_seal" }

type sealer struct {
	river.WorkerDefaults[sealArgs]
	log *audit.Log
}

func (s *sealer) Work(ctx context.Context, _ *river.Job[sealArgs]) error { return sealAll(ctx, s.log) }

func sealAll(ctx context.Context, log *audit.Log) error {
	for {
		if n, err := log.Seal(ctx); err != nil || n == 0 {
			return err
		}
	}
}
