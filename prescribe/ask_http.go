package prescribe

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/prescribe/cds"
	"yuanzhen/prescribe/check"
)

// askRoutes adds the checks as a question of other systems: a case in our own format, and CDS Hooks. The case says
// everything; nobody's chart is read, and nothing is kept.
func (s *Service) askRoutes(api *httpapi.API) {
	const most = 1 << 20 // bytes: a prescription with a long chart is 20 kB
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/check", Action: "prescription.check", MaxBytes: most,
		Summary: "Check a case (JSON or YAML) as 'yuanzhen prescribe check' does; a list under cases is answered in its order"}, s.askCheck)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/cds-services", Action: "prescription.verify",
		Summary: "CDS Hooks 2.0: what is served"}, func(w http.ResponseWriter, _ *http.Request) error { return tell(w, cds.Discover()) })
	for _, hook := range cds.Hooks {
		httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/cds-services/" + cds.ServiceID(hook), Action: "prescription.check", MaxBytes: most,
			Summary: "CDS Hooks 2.0: " + hook}, func(w http.ResponseWriter, r *http.Request) error { return s.askHook(w, r, hook) })
	}
}

func tell(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(body)
}

// unreadable refuses what nobody can judge; too long a body is its own answer.
func unreadable(err error) error {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return fault.New(fault.TooLarge, "too_large", "内容太大。", "That is too large.").WithRemedy("请分几次提交。", "Please send it in parts.")
	}
	return fault.New(fault.Invalid, "case_unreadable", "处方用例读不懂："+err.Error()+"。", "The case can't be read: "+err.Error()+".").
		WithRemedy("请更正所指的字段；没有核查。", "Correct the field that is named; nothing was checked.")
}

func (s *Service) askCheck(w http.ResponseWriter, r *http.Request) error {
	kb, err := s.knowledge()
	if err != nil {
		return err
	}
	single, cases, err := check.ReadCases(kb, r.Body)
	if err != nil {
		return unreadable(err)
	}
	results := make([]check.Result, len(cases))
	for i, c := range cases {
		results[i] = check.Run(kb, c)
	}
	if single {
		return tell(w, results[0])
	}
	return tell(w, map[string][]check.Result{"results": results})
}

// askHook answers with cards, also when the question can't be judged: a client that shows cards then shows that.
func (s *Service) askHook(w http.ResponseWriter, r *http.Request, hook string) error {
	var asked cds.Request
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(raw, &asked)
	}
	if err == nil && asked.Hook != hook {
		err = errors.New("hook: this service answers " + hook)
	}
	if err != nil {
		return unreadable(err)
	}
	kb, err := s.knowledge()
	if err != nil {
		return tell(w, cds.Unanswered(asked.HookInstance, "", err))
	}
	if asked.Elsewhere() {
		return tell(w, cds.Elsewhere(kb.Version))
	}
	c, err := asked.Case(kb, s.Now())
	if err != nil {
		return tell(w, cds.Unanswered(asked.HookInstance, kb.Version, err))
	}
	return tell(w, cds.Answer(check.Run(kb, c)))
}
