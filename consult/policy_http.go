package consult

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) policyRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/eligibility/rules", Action: "policy.read",
		Summary: "The rules in force here, in the order of evaluation, with citations and stories"}, s.readRules)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/eligibility/rules/simulations", Action: "policy.simulate", Status: 201, MaxBytes: maxCheck,
		Summary: "Replay the own stored decisions under a draft rule pack; a pack comes into force only after that"}, s.tryRules)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/eligibility/rules/simulations", Action: "policy.read",
		Summary: "Simulations of draft rule packs, the newest first"}, s.listTrials)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/policies", Action: "policy.read",
		Summary: "First-visit policies, every version, the newest first"}, s.listPolicies)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/policies/doctors", Action: "policy.draft",
		Summary: "Doctors of the own places that a whitelist could name"}, s.listPolicyDoctors)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/files", Action: "policy.draft", Status: 201, MaxBytes: maxEvidence + 64<<10,
		Summary: "Keep an approval document (multipart: file); sent again it is the same"}, s.keepPolicyFile)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/policies/{id}/file", Action: "policy.read",
		Summary: "The approval document of a version",
		Params:  []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: "string", Format: "uuid"}}}}, s.readPolicyFile)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/policies/{id}", Action: "policy.read",
		Summary: "One version of a policy with its life"}, s.readPolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies", Action: "policy.draft", Status: 201,
		Summary: "Draft a policy, or the next version of one"}, s.draftPolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/simulate", Action: "policy.simulate",
		Summary: "Replay the stored decisions of the last days under this version"}, s.simulatePolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/approve", Action: "policy.approve",
		Summary: "One of two approvals, by others than the author"}, s.approvePolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/activate", Action: "policy.activate",
		Summary: "Bring an approved version into force"}, s.activatePolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/suspend", Action: "policy.suspend",
		Summary: "The kill switch: no new visits from now on, booked ones are judged again"}, s.suspendPolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/revoke", Action: "policy.suspend",
		Summary: "End a version for good"}, s.revokePolicy)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/policies/{id}/reject", Action: "policy.draft",
		Summary: "Drop a version that is not in force"}, s.rejectPolicy)
}

// RuleBook is the rule set in force.
type RuleBook struct {
	Version string              `json:"version"`
	SHA256  string              `json:"sha256"`
	Rules   []*eligibility.Rule `json:"rules"`
}

type rulesOut struct{ Body RuleBook }

func (s *Service) readRules(context.Context, *struct{}) (*rulesOut, error) {
	return &rulesOut{RuleBook{s.Rules.Version(), s.Rules.Hash(), s.Rules.Rules()}}, nil
}

type tryRulesIn struct {
	Body struct {
		Name  string            `json:"name" pattern:"^[a-z0-9-]{2,40}$" doc:"Of the pack, which is the name of its folder"`
		Files map[string]string `json:"files" doc:"Text by file name: one rule a file, VIS-10.yaml"`
		Days  int               `json:"days" minimum:"1" maximum:"366" doc:"How far back"`
	}
}

type trialOut struct{ Body RuleTrial }

func (s *Service) tryRules(ctx context.Context, in *tryRulesIn) (*trialOut, error) {
	t, err := s.TryRules(ctx, eligibility.Pack{Name: in.Body.Name, Files: in.Body.Files}, in.Body.Days)
	return &trialOut{t}, err
}

type trialsOut struct{ Body []RuleTrial }

func (s *Service) listTrials(ctx context.Context, _ *struct{}) (*trialsOut, error) {
	list, err := s.RuleTrials(ctx)
	return &trialsOut{list}, err
}

type policiesOut struct{ Body []Policy }

func (s *Service) listPolicies(ctx context.Context, _ *struct{}) (*policiesOut, error) {
	list, err := s.Policies(ctx)
	return &policiesOut{list}, err
}

// PolicyPath names the version; exported because huma reads embedded fields of exported types only.
type PolicyPath struct {
	ID ids.Policy `path:"id"`
}

type policyOut struct{ Body Policy }

func (s *Service) readPolicy(ctx context.Context, in *PolicyPath) (*policyOut, error) {
	p, err := s.Policy(ctx, in.ID)
	return &policyOut{p}, err
}

type policyDoctorsIn struct {
	Name string `query:"name" maxLength:"50"`
}

type policyDoctorsOut struct{ Body []ListedDoctor }

func (s *Service) listPolicyDoctors(ctx context.Context, in *policyDoctorsIn) (*policyDoctorsOut, error) {
	list, err := s.PolicyDoctors(ctx, strings.TrimSpace(in.Name))
	return &policyDoctorsOut{list}, err
}

func (s *Service) keepPolicyFile(w http.ResponseWriter, r *http.Request) error {
	_, name, file, err := readUpload(r)
	if err != nil {
		return err
	}
	kept, err := s.KeepPolicyFile(r.Context(), name, file)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(kept)
}

func (s *Service) readPolicyFile(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Policy](r.PathValue("id"))
	if err != nil {
		return fault.Missing().Because(err)
	}
	f, file, err := s.PolicyFile(r.Context(), id)
	if err != nil {
		return err
	}
	return sendFile(w, f.ContentType, f.Size, file)
}

type draftPolicyIn struct{ Body eligibility.Policy }

func (s *Service) draftPolicy(ctx context.Context, in *draftPolicyIn) (*policyOut, error) {
	p, err := s.DraftPolicy(ctx, in.Body)
	return &policyOut{p}, err
}

type simulatePolicyIn struct {
	PolicyPath
	Body struct {
		Days int `json:"days" minimum:"1" maximum:"366" doc:"How far back"`
	}
}

func (s *Service) simulatePolicy(ctx context.Context, in *simulatePolicyIn) (*policyOut, error) {
	p, err := s.SimulatePolicy(ctx, in.ID, in.Body.Days)
	return &policyOut{p}, err
}

type approvePolicyIn struct {
	PolicyPath
	Body struct {
		SHA256 string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the words that were read"`
	}
}

func (s *Service) approvePolicy(ctx context.Context, in *approvePolicyIn) (*policyOut, error) {
	p, err := s.ApprovePolicy(ctx, in.ID, in.Body.SHA256)
	return &policyOut{p}, err
}

func (s *Service) activatePolicy(ctx context.Context, in *PolicyPath) (*policyOut, error) {
	p, err := s.ActivatePolicy(ctx, in.ID)
	return &policyOut{p}, err
}

type endPolicyIn struct {
	PolicyPath
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500"`
	}
}

func (s *Service) suspendPolicy(ctx context.Context, in *endPolicyIn) (*policyOut, error) {
	return s.endPolicy(ctx, in, "suspend")
}

func (s *Service) revokePolicy(ctx context.Context, in *endPolicyIn) (*policyOut, error) {
	return s.endPolicy(ctx, in, "revoke")
}

func (s *Service) rejectPolicy(ctx context.Context, in *endPolicyIn) (*policyOut, error) {
	return s.endPolicy(ctx, in, "reject")
}

func (s *Service) endPolicy(ctx context.Context, in *endPolicyIn, deed string) (*policyOut, error) {
	p, err := s.EndPolicy(ctx, in.ID, deed, in.Body.Reason)
	return &policyOut{p}, err
}
