package consult

import (
	"context"
	"encoding/json"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) decisionRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/eligibility", Action: "eligibility.ask",
		Summary: "May this visit go online, now, with this doctor? The answer is kept"}, s.askEligibility)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/decisions/{id}", Action: "decision.read",
		Summary: "A decision with all it rests on, proved and judged again (PIPL Art. 24)"}, s.readDecision)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/decisions", Action: "decision.read",
		Summary: "Decisions within reach, the newest first; without names"}, s.listDecisions)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/decisions/{id}/dossier", Action: "decision.read",
		Summary: "The decision as a file that 'yuanzhen eligibility verify' proves offline"}, s.readDossier)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/eligibility/keys", Action: "decision.verify",
		Summary: "Public keys that decisions are or were signed with"}, s.readDecisionKeys)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/eligibility/check", Action: "eligibility.check", MaxBytes: maxCheck,
		Summary: "Judge a facts document with policies, as 'yuanzhen eligibility check' does; nothing is kept"}, s.checkFacts)
}

// maxCheck is a facts document with a few hundred records and policies.
const maxCheck = 1 << 20

type checkFactsIn struct {
	Body struct {
		Facts    json.RawMessage   `json:"facts" doc:"The facts document; it is judged byte for byte"`
		Policies []json.RawMessage `json:"policies" required:"false" doc:"Policy files: each the file's text, or an object of the same form. Without: those that the house knows now"`
	}
}

type checkFactsOut struct{ Body eligibility.Answer }

func (s *Service) checkFacts(ctx context.Context, in *checkFactsIn) (*checkFactsOut, error) {
	d, err := s.CheckFacts(ctx, in.Body.Facts, in.Body.Policies)
	return &checkFactsOut{d.Answer()}, err
}

type listDecisionsIn struct {
	Verdict string    `query:"verdict" enum:",ALLOW,ALLOW_COND,REQUIRE,REDIRECT_OFFLINE,DENY,EMERGENCY"`
	Rule    string    `query:"rule" maxLength:"80" doc:"Beginning of a rule that fired, such as EXC-05"`
	Before  time.Time `query:"before" required:"false" doc:"Only earlier ones"`
}

type decisionsOut struct{ Body []ListedDecision }

func (s *Service) listDecisions(ctx context.Context, in *listDecisionsIn) (*decisionsOut, error) {
	list, err := s.Decisions(ctx, DecisionFilter(*in))
	return &decisionsOut{list}, err
}

type dossierOut struct {
	Disposition string `header:"Content-Disposition"`
	Body        eligibility.Dossier
}

func (s *Service) readDossier(ctx context.Context, in *decisionIn) (*dossierOut, error) {
	d, err := s.Dossier(ctx, in.ID)
	return &dossierOut{`attachment; filename="decision-` + in.ID.String() + `.json"`, d}, err
}

type decisionKeysOut struct{ Body []DecisionKey }

func (s *Service) readDecisionKeys(ctx context.Context, _ *struct{}) (*decisionKeysOut, error) {
	list, err := s.DecisionKeys(ctx)
	return &decisionKeysOut{list}, err
}

type askIn struct {
	Body struct {
		Question
		Department     string           `json:"department" maxLength:"100"`
		PractitionerID ids.Practitioner `json:"practitioner_id" required:"false"`
		SlotID         ids.Slot         `json:"slot_id" required:"false"`
	}
}

type decisionOut struct{ Body Decision }

func (s *Service) askEligibility(ctx context.Context, in *askIn) (*decisionOut, error) {
	a := in.Body.ask()
	a.Department, a.Doctor, a.Slot = in.Body.Department, in.Body.PractitionerID, in.Body.SlotID
	d, err := s.Eligibility(ctx, a)
	d.Facts = nil
	return &decisionOut{d}, err
}

type decisionIn struct {
	ID ids.Decision `path:"id"`
}

type decisionRecordOut struct{ Body DecisionRecord }

func (s *Service) readDecision(ctx context.Context, in *decisionIn) (*decisionRecordOut, error) {
	d, err := s.Decision(ctx, in.ID)
	return &decisionRecordOut{d}, err
}
