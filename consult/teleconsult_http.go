package consult

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Routes adds the deeds of a teleconsult.
func (s *Teleconsults) Routes(api *httpapi.API) {
	const base = "/api/v1/teleconsults"
	s.roomRoutes(api, s.consultRooms())
	s.markRoutes(api)
	s.shownRoutes(api)
	s.agreementRoutes(api)
	s.overdueRoutes(api)
	s.limitRoutes(api)
	s.countersignRoutes(api)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/patients/search", Action: "patient.search",
		Summary: "Patients whose chart the own hospital keeps, by name, which stands in no address"}, s.findPatients)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base, Action: "teleconsult.request", Status: 201,
		Summary: "Begin a request for an expert consult"}, s.request)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: "teleconsult.read", Summary: "Consults, by whose move it is"}, s.list)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base + "/{id}", Action: "teleconsult.read", Summary: "One consult"}, s.read)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: base + "/{id}", Action: "teleconsult.request", Summary: "Change a draft"}, s.rewrite)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/studies", Action: "teleconsult.request",
		Summary: "Attach a study after comparing its patient"}, s.attach)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/consent", Action: "teleconsult.consent",
		Summary: "Record the patient's written consent (TCR-03)"}, s.consent)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/consent/withdraw", Action: "teleconsult.consent",
		Summary: "The patient agrees no longer: the consult ends, and every grant at once"}, withReason(s.WithdrawConsent))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/submit", Action: "teleconsult.request", Summary: "Hand the request to the invited hospital"}, plain(s.Submit))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/take-back", Action: "teleconsult.request",
		Summary: "Take a request back from the own medical office, as a draft"}, plain(s.TakeBack))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/again", Action: "teleconsult.request", Status: 201,
		Summary: "Take a declined request to another hospital"}, s.again)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/needs", Action: "teleconsult.assign",
		Summary: "Send the request back for what is missing; its clock stands"}, withReason(s.AskForMore))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/answer", Action: "teleconsult.request",
		Summary: "Say what was added; the clock goes on"}, withReason(s.AnswerNeeds))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/triage", Action: "teleconsult.assign",
		Summary: "Take the request on, with department, urgency and kind; a reason for what is changed"}, s.triage)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/escalate", Action: "teleconsult.escalate",
		Summary: "The patient has got worse: make it an emergency and tell the heads"}, withReason(s.Escalate))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/hand-over", Action: "teleconsult.assign",
		Summary: "Give it to experts who answer in writing"}, s.handOver)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/experts/{expert}/release", Action: "teleconsult.assign",
		Summary: "Let an expert go who has not signed, with a reason; a successor in place of the first"}, s.releaseExpert)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/withdraw", Action: "teleconsult.opine", Status: 204,
		Summary: "Leave the consult before signing, with a reason"}, s.withdraw)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/live", Action: "teleconsult.live",
		Summary: "Turn an answer in writing live, or back"}, s.live)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base + "/{id}/steps", Action: "teleconsult.read", Summary: "What has happened, in order"}, s.steps)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/critical", Action: "teleconsult.opine",
		Summary: "Tell the asking side of a critical value"}, withReason(s.CallBack))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/critical/{value}/read-back", Action: "teleconsult.request",
		Summary: "Read a critical value back with what is done"}, s.readBack)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/addenda", Action: "teleconsult.opine",
		Summary: "Add to a signed opinion, within 7 days"}, s.addend)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/opinion-phrases", Action: "teleconsult.phrase", Summary: "The doctor's own phrases"}, s.phrases)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/opinion-phrases", Action: "teleconsult.phrase", Summary: "Keep the doctor's own phrases"}, s.keepPhrases)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base + "/{id}/packages", Action: "teleconsult.package",
		Summary: "Receipts of the package as both hospitals keep it (TCR-11)"}, s.packages)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: base + "/{id}/package", Action: "teleconsult.package",
		Summary: "The own hospital's copy of the package"}, s.servePackage)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: base + "/{id}/report.pdf", Action: "teleconsult.read",
		Summary: "The report of a decided consult, on paper for the patient"}, s.serveReport)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/cancel", Action: "teleconsult.request", Summary: "Take the request back"}, withReason(s.Cancel))
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base + "/{id}/experts", Action: "teleconsult.assign", Summary: "Physicians who may be assigned (TCR-05)"}, s.experts)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base + "/{id}/times", Action: "teleconsult.assign",
		Summary: "Times free for expert and asking doctor at all their places"}, s.times)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/experts", Action: "teleconsult.assign",
		Summary: "Physicians by the beginning of their name, with the places where they practise"}, s.findExperts)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/common-times", Action: "teleconsult.assign",
		Summary: "Ranked times that suit all experts, the asking doctor, the county's room and the patient, or why there is none"}, s.commonTimes)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/assign", Action: "teleconsult.assign", Summary: "Set expert and time"}, s.assign)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/decline", Action: "teleconsult.assign", Summary: "Refuse with a reason"}, withReason(s.Decline))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/invite-patient", Action: "teleconsult.invite",
		Summary: "Let the patient into the room and to its images"}, plain(s.InvitePatient))
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/ticket", Action: "teleconsult.enter", Summary: "A ticket to the consult's room"}, s.enter)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: base + "/{id}/opinion", Action: "teleconsult.opine", Summary: "Write the opinion"}, s.opine)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/opinion/sign", Action: "teleconsult.opine", Summary: "Sign the opinion (TCR-08)"}, s.signOpinion)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/decision", Action: "teleconsult.request", Summary: "Record and sign the own decision (TCR-09)"}, s.decide)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/close", Action: "teleconsult.request", Summary: "Close; the expert's right to the images ends"}, plain(s.Close))
}

type teleconsultOut struct{ Body Teleconsult }

func answered(t Teleconsult, err error) (*teleconsultOut, error) { return &teleconsultOut{t}, err }

// TeleconsultPath is the part of the address that names the consult.
type TeleconsultPath struct {
	ID ids.Teleconsult `path:"id"`
}

// plain is a deed that needs nothing but the consult.
func plain(deed func(context.Context, ids.Teleconsult) (Teleconsult, error)) func(context.Context, *TeleconsultPath) (*teleconsultOut, error) {
	return func(ctx context.Context, in *TeleconsultPath) (*teleconsultOut, error) {
		return answered(deed(ctx, in.ID))
	}
}

type reasonIn struct {
	TeleconsultPath
	Body struct {
		Reason string `json:"reason" minLength:"2" maxLength:"500"`
	}
}

func withReason(deed func(context.Context, ids.Teleconsult, string) (Teleconsult, error)) func(context.Context, *reasonIn) (*teleconsultOut, error) {
	return func(ctx context.Context, in *reasonIn) (*teleconsultOut, error) {
		return answered(deed(ctx, in.ID, in.Body.Reason))
	}
}

type findPatientsIn struct {
	Body struct {
		Query string `json:"q" maxLength:"40"`
	}
}

type findPatientsOut struct{ Body []ChartPerson }

func (s *Teleconsults) findPatients(ctx context.Context, in *findPatientsIn) (*findPatientsOut, error) {
	list, err := s.PatientsOf(ctx, in.Body.Query)
	return &findPatientsOut{list}, err
}

type requestIn struct {
	RequestKey string `header:"Idempotency-Key" required:"true" format:"uuid"`
	Body       NewTeleconsult
}

func (s *Teleconsults) request(ctx context.Context, in *requestIn) (*teleconsultOut, error) {
	return answered(s.Request(ctx, in.Body, in.RequestKey))
}

type rewriteIn struct {
	TeleconsultPath
	Body NewTeleconsult
}

func (s *Teleconsults) rewrite(ctx context.Context, in *rewriteIn) (*teleconsultOut, error) {
	return answered(s.Rewrite(ctx, in.ID, in.Body))
}

type teleconsultsOut struct{ Body []Teleconsult }

func (s *Teleconsults) list(ctx context.Context, _ *struct{}) (*teleconsultsOut, error) {
	list, err := s.List(ctx)
	return &teleconsultsOut{list}, err
}

func (s *Teleconsults) read(ctx context.Context, in *TeleconsultPath) (*teleconsultOut, error) {
	return answered(s.Teleconsult(ctx, in.ID))
}

type attachIn struct {
	TeleconsultPath
	Body struct {
		StudyUID         string `json:"study_uid" pattern:"^[0-9.]{1,64}$"`
		PatientConfirmed bool   `json:"patient_confirmed" doc:"The doctor compared name, sex and birth date in the images"`
	}
}

func (s *Teleconsults) attach(ctx context.Context, in *attachIn) (*teleconsultOut, error) {
	return answered(s.Attach(ctx, in.ID, in.Body.StudyUID, in.Body.PatientConfirmed))
}

type consentIn struct {
	TeleconsultPath
	Body struct {
		Method   string `json:"method" enum:"paper,patient_device,head_approval"`
		SignedBy string `json:"signed_by" minLength:"2" maxLength:"40"`
		Relation string `json:"relation" minLength:"1" maxLength:"20" doc:"Of the signer to the patient: 本人, 配偶 …"`
		Version  string `json:"text_version,omitempty" maxLength:"64" doc:"Of consent_asked, as it was read on the patient's device"`
	}
}

func (s *Teleconsults) consent(ctx context.Context, in *consentIn) (*teleconsultOut, error) {
	given := GivenConsent{Method: in.Body.Method, SignedBy: in.Body.SignedBy, Relation: in.Body.Relation}
	if in.Body.Version != "" {
		given.Text = &ConsentText{Version: in.Body.Version}
	}
	return answered(s.Consent(ctx, in.ID, given))
}

type expertsOut struct{ Body []Expert }

func (s *Teleconsults) experts(ctx context.Context, in *TeleconsultPath) (*expertsOut, error) {
	list, err := s.Experts(ctx, in.ID)
	return &expertsOut{list}, err
}

type timesIn struct {
	TeleconsultPath
	Expert ids.Practitioner `query:"practitioner_id" required:"true"`
}

type timesOut struct{ Body []Proposal }

func (s *Teleconsults) times(ctx context.Context, in *timesIn) (*timesOut, error) {
	list, err := s.Times(ctx, in.ID, in.Expert)
	return &timesOut{list}, err
}

type assignIn struct {
	TeleconsultPath
	Body struct {
		Expert  ids.Practitioner `json:"practitioner_id"`
		Start   time.Time        `json:"start"`
		End     time.Time        `json:"end"`
		Further []Invitee        `json:"further" required:"false" maxItems:"11" doc:"Further experts of an MDT"`
	}
}

func (s *Teleconsults) assign(ctx context.Context, in *assignIn) (*teleconsultOut, error) {
	return answered(s.Assign(ctx, in.ID, in.Body.Expert, in.Body.Start, in.Body.End, in.Body.Further...))
}

type enterOut struct{ Body Ticket }

func (s *Teleconsults) enter(ctx context.Context, in *TeleconsultPath) (*enterOut, error) {
	ticket, err := s.Enter(ctx, in.ID)
	return &enterOut{ticket}, err
}

type opineIn struct {
	TeleconsultPath
	Body Opinion
}

func (s *Teleconsults) opine(ctx context.Context, in *opineIn) (*teleconsultOut, error) {
	return answered(s.WriteOpinion(ctx, in.ID, in.Body))
}

type signOpinionIn struct {
	TeleconsultPath
	Body struct {
		SHA256     string `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"Of the text that was shown"`
		Passphrase string `json:"passphrase" maxLength:"200"`
	}
}

func (s *Teleconsults) signOpinion(ctx context.Context, in *signOpinionIn) (*teleconsultOut, error) {
	return answered(s.SignOpinion(ctx, in.ID, in.Body.SHA256, in.Body.Passphrase))
}

type decideIn struct {
	TeleconsultPath
	Body struct {
		Adopt      string `json:"adopt" enum:"full,partial,none"`
		Plan       string `json:"plan" minLength:"1" maxLength:"8000"`
		Passphrase string `json:"passphrase" maxLength:"200"`
	}
}

func (s *Teleconsults) decide(ctx context.Context, in *decideIn) (*teleconsultOut, error) {
	return answered(s.Decide(ctx, in.ID, in.Body.Adopt, in.Body.Plan, in.Body.Passphrase))
}

type findExpertsIn struct {
	Q string `query:"q" minLength:"1" maxLength:"50"`
}

type candidatesOut struct{ Body []Candidate }

func (s *Teleconsults) findExperts(ctx context.Context, in *findExpertsIn) (*candidatesOut, error) {
	list, err := s.Candidates(ctx, in.Q)
	return &candidatesOut{list}, err
}

type commonTimesIn struct {
	TeleconsultPath
	Body MeetingWish
}

type commonTimesOut struct{ Body MeetingFinding }

func (s *Teleconsults) commonTimes(ctx context.Context, in *commonTimesIn) (*commonTimesOut, error) {
	f, err := s.CommonTimes(ctx, in.ID, in.Body)
	return &commonTimesOut{f}, err
}

type againIn struct {
	TeleconsultPath
	RequestKey string `header:"Idempotency-Key" required:"true" format:"uuid"`
}

func (s *Teleconsults) again(ctx context.Context, in *againIn) (*teleconsultOut, error) {
	return answered(s.Again(ctx, in.ID, in.RequestKey))
}

type triageIn struct {
	TeleconsultPath
	Body Triaging
}

func (s *Teleconsults) triage(ctx context.Context, in *triageIn) (*teleconsultOut, error) {
	return answered(s.Triage(ctx, in.ID, in.Body))
}

type handOverIn struct {
	TeleconsultPath
	Body struct {
		Expert  ids.Practitioner `json:"practitioner_id"`
		Further []Invitee        `json:"further" required:"false" maxItems:"11" doc:"Further experts of an MDT"`
	}
}

func (s *Teleconsults) handOver(ctx context.Context, in *handOverIn) (*teleconsultOut, error) {
	return answered(s.HandOver(ctx, in.ID, in.Body.Expert, in.Body.Further...))
}

type releaseIn struct {
	TeleconsultPath
	Expert ids.Practitioner `path:"expert"`
	Body   Release
}

func (s *Teleconsults) releaseExpert(ctx context.Context, in *releaseIn) (*teleconsultOut, error) {
	return answered(s.ReleaseExpert(ctx, in.ID, in.Expert, in.Body))
}

type withdrawIn struct {
	TeleconsultPath
	Body struct {
		Reason string `json:"reason" enum:"unwell,away,conflict,other_field,other"`
		Note   string `json:"note,omitempty" maxLength:"500"`
	}
}

func (s *Teleconsults) withdraw(ctx context.Context, in *withdrawIn) (*struct{}, error) {
	return nil, s.Withdraw(ctx, in.ID, Release{Reason: in.Body.Reason, Note: in.Body.Note})
}

type liveIn struct {
	TeleconsultPath
	Body struct {
		On bool `json:"on"`
	}
}

func (s *Teleconsults) live(ctx context.Context, in *liveIn) (*teleconsultOut, error) {
	return answered(s.GoLive(ctx, in.ID, in.Body.On))
}

type stepsOut struct{ Body []Step }

func (s *Teleconsults) steps(ctx context.Context, in *TeleconsultPath) (*stepsOut, error) {
	list, err := s.Steps(ctx, in.ID)
	return &stepsOut{list}, err
}

type readBackIn struct {
	TeleconsultPath
	Value criticalID `path:"value"`
	Body  struct {
		Words string `json:"words" minLength:"2" maxLength:"2000" doc:"The value in the own words, and what is done"`
	}
}

func (s *Teleconsults) readBack(ctx context.Context, in *readBackIn) (*teleconsultOut, error) {
	return answered(s.ReadBack(ctx, in.ID, in.Value, in.Body.Words))
}

type addendIn struct {
	TeleconsultPath
	Body struct {
		Text       string `json:"text" minLength:"1" maxLength:"8000"`
		Passphrase string `json:"passphrase" maxLength:"200"`
	}
}

func (s *Teleconsults) addend(ctx context.Context, in *addendIn) (*teleconsultOut, error) {
	return answered(s.Addend(ctx, in.ID, in.Body.Text, in.Body.Passphrase))
}

type phrasesOut struct{ Body Phrases }

func (s *Teleconsults) phrases(ctx context.Context, _ *struct{}) (*phrasesOut, error) {
	p, err := s.Phrases(ctx)
	return &phrasesOut{p}, err
}

type phrasesIn struct{ Body Phrases }

func (s *Teleconsults) keepPhrases(ctx context.Context, in *phrasesIn) (*phrasesOut, error) {
	p, err := s.KeepPhrases(ctx, in.Body)
	return &phrasesOut{p}, err
}

type packagesOut struct{ Body []KeptPackage }

func (s *Teleconsults) packages(ctx context.Context, in *TeleconsultPath) (*packagesOut, error) {
	list, err := s.Packages(ctx, in.ID)
	return &packagesOut{list}, err
}

func (s *Teleconsults) servePackage(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Teleconsult](r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	parcel, err := s.OpenPackage(r.Context(), id)
	if err != nil {
		return err
	}
	return download(w, "application/json", "consult.json", parcel)
}

func (s *Teleconsults) serveReport(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Teleconsult](r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	page, err := s.Report(r.Context(), id)
	if err != nil {
		return err
	}
	return download(w, "application/pdf", "consult.pdf", page)
}

// download sends a file that nobody keeps on the way, under a name that says nothing of the patient.
func download(w http.ResponseWriter, kind, name string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}
