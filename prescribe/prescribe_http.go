package prescribe

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/formulary"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// Routes adds prescribing, review and verification.
func (s *Service) Routes(api *httpapi.API) {
	s.askRoutes(api)
	s.dispenseRoutes(api)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/formulary", Action: "formulary.search",
		Summary: "Medicines by Chinese generic or trade name, INN, ATC code or pinyin (aldp, anlvdiping)"}, s.searchFormulary)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/favourites", Action: "prescription.write",
		Summary: "The doctor's own lines to begin from"}, s.listFavourites)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/favourites", Action: "prescription.write", Status: 204,
		Summary: "Keep a line; the same line is kept once"}, s.keepFavourite)
	httpapi.Register(api, httpapi.Op{Method: "DELETE", Path: "/api/v1/favourites/{id}", Action: "prescription.write", Status: 204,
		Summary: "Remove one of the own lines"}, s.dropFavourite)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{visit_id}/prescriptions", Action: "prescription.write", Status: 201,
		Summary: "Write a draft, checked at once"}, s.writePrescription)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/prescriptions/{id}", Action: "prescription.write",
		Summary: "Write a draft anew, or the next version of a returned prescription"}, s.savePrescription)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/sign", Action: "prescription.sign",
		Summary: "Sign exactly what was shown"}, s.signPrescription)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/cancel", Action: "prescription.write",
		Summary: "Make a prescription void"}, s.cancelPrescription)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions/{id}", Action: "prescription.read",
		Summary: "One prescription"}, s.readPrescription)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions", Action: "prescription.read",
		Summary: "A person's prescriptions, all versions, newest first"}, s.listPrescriptions)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions/{id}/qr.png", Action: "prescription.read",
		Summary: "QR of the evidence code (PNG)"}, s.drawQR)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions/{id}/sheet.pdf", Action: "prescription.read",
		Summary: "An issued prescription on paper (PDF, A5)"}, func(w http.ResponseWriter, r *http.Request) error {
		id, err := ids.Parse[ids.Prescription](r.PathValue("id"))
		if err != nil {
			return fault.Missing()
		}
		pdf, no, err := s.Sheet(r.Context(), id)
		return giveSheet(w, pdf, no, err)
	})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/review/queue", Action: "prescription.review",
		Summary: "What waits for the pharmacist: risk first, then age"}, s.reviewQueue)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/review/limits", Action: "review.limit",
		Summary: "How long a prescription may wait for review, and who is asked then, by institution"}, s.listLimits)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/review/limits/{id}", Action: "review.limit",
		Summary: "Set them for one institution"}, s.setLimits)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/review", Action: "prescription.review",
		Summary: "Record the three checks and pass, return or refuse"}, s.reviewPrescription)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/verify/keys", Action: "prescription.verify",
		Summary: "Public keys to verify evidence codes with, also offline"}, s.listKeys)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/verify/ca.pem", Action: "prescription.verify",
		Summary: "Certificate of the authority above the keys (PEM)"}, s.giveRoot)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/verify", Action: "prescription.verify",
		Summary: "Is this evidence code genuine, and does it still hold?"}, s.verifyCode)
	httpapi.Raw(api, httpapi.Op{Method: "POST", Path: "/api/v1/verify/proof", Action: "prescription.verify", MaxBytes: maxProof,
		Summary: "What does this proof file (JSON) prove, and does it still hold? Faults are named; nothing is kept"}, s.verifyProof)
}

type prescriptionIn struct {
	ID ids.Prescription `path:"id"`
}

type prescriptionOut struct{ Body Prescription }

func answer(p Prescription, err error) (*prescriptionOut, error) {
	if err != nil {
		return nil, err
	}
	return &prescriptionOut{p}, nil
}

type writeIn struct {
	VisitID    ids.Visit `path:"visit_id"`
	RequestKey string    `header:"Idempotency-Key" required:"true" format:"uuid"`
	Body       Order
}

func (s *Service) writePrescription(ctx context.Context, in *writeIn) (*prescriptionOut, error) {
	return answer(s.Write(ctx, in.VisitID, in.Body, in.RequestKey))
}

type saveIn struct {
	ID   ids.Prescription `path:"id"`
	Body Order
}

func (s *Service) savePrescription(ctx context.Context, in *saveIn) (*prescriptionOut, error) {
	return answer(s.Save(ctx, in.ID, in.Body))
}

type signIn struct {
	ID   ids.Prescription `path:"id"`
	Body Signing
}

func (s *Service) signPrescription(ctx context.Context, in *signIn) (*prescriptionOut, error) {
	return answer(s.Sign(ctx, in.ID, in.Body))
}

func (s *Service) cancelPrescription(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
	return answer(s.Cancel(ctx, in.ID))
}

func (s *Service) readPrescription(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
	return answer(s.Prescription(ctx, in.ID))
}

type listIn struct {
	PersonID ids.Person `query:"person_id" required:"true"`
}

type listOut struct{ Body []Prescription }

func (s *Service) listPrescriptions(ctx context.Context, in *listIn) (*listOut, error) {
	list, err := s.Prescriptions(ctx, in.PersonID)
	if err != nil {
		return nil, err
	}
	return &listOut{list}, nil
}

func (s *Service) drawQR(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Prescription](r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	png, err := s.QR(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, err = w.Write(png)
	return err
}

func giveSheet(w http.ResponseWriter, pdf []byte, no string, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/pdf")
	w.Header().Set("Content-Disposition", `inline; filename="`+no+`.pdf"`)
	_, err = w.Write(pdf)
	return err
}

type queueOut struct{ Body []Waiting }

func (s *Service) reviewQueue(ctx context.Context, _ *struct{}) (*queueOut, error) {
	queue, err := s.Queue(ctx)
	if err != nil {
		return nil, err
	}
	return &queueOut{queue}, nil
}

type limitsOut struct{ Body []Limits }

func (s *Service) listLimits(ctx context.Context, _ *struct{}) (*limitsOut, error) {
	list, err := s.ReviewLimits(ctx)
	return &limitsOut{list}, err
}

type limitOut struct{ Body Limits }

func (s *Service) setLimits(ctx context.Context, in *struct {
	ID   ids.Institution `path:"id"`
	Body NewLimits
}) (*limitOut, error) {
	set, err := s.SetLimits(ctx, in.ID, in.Body)
	return &limitOut{set}, err
}

type reviewIn struct {
	ID   ids.Prescription `path:"id"`
	Body Reviewing
}

func (s *Service) reviewPrescription(ctx context.Context, in *reviewIn) (*prescriptionOut, error) {
	return answer(s.Review(ctx, in.ID, in.Body))
}

type keysOut struct{ Body []qr.Key }

func (s *Service) listKeys(ctx context.Context, _ *struct{}) (*keysOut, error) {
	list, err := s.VerificationKeys(ctx)
	if err != nil {
		return nil, err
	}
	return &keysOut{list}, nil
}

func (s *Service) giveRoot(w http.ResponseWriter, _ *http.Request) error {
	if s.Keys.CA == nil {
		return fault.Missing()
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	return pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: s.Keys.CA.Root()})
}

const maxProof = 512 << 10 // a file of five lines and three signatures is 20 kB

func (s *Service) verifyProof(w http.ResponseWriter, r *http.Request) error {
	file, err := proof.Read(r.Body)
	if err != nil {
		return unreadableProof(err)
	}
	v, err := s.VerifyProof(r.Context(), file)
	if err != nil {
		return err
	}
	return tell(w, v)
}

func unreadableProof(err error) error {
	if long := (*http.MaxBytesError)(nil); errors.As(err, &long) {
		return long
	}
	return fault.New(fault.Invalid, "proof_unreadable", "这不是处方的证明文件。", "This is no proof file of a prescription.").
		WithRemedy("请选择医院给的 .proof.json 文件。", "Choose the .proof.json file that the hospital gave.").Because(err)
}

type verifyIn struct {
	Body struct {
		Code string `json:"code" maxLength:"4096"`
	}
}

type verifyOut struct{ Body Verification }

func (s *Service) verifyCode(ctx context.Context, in *verifyIn) (*verifyOut, error) {
	v, err := s.Verify(ctx, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return &verifyOut{v}, nil
}

type favouritesOut struct{ Body []Favourite }

func (s *Service) listFavourites(ctx context.Context, _ *struct{}) (*favouritesOut, error) {
	list, err := s.Favourites(ctx)
	return &favouritesOut{list}, err
}

func (s *Service) keepFavourite(ctx context.Context, in *struct{ Body Item }) (*struct{}, error) {
	return nil, s.KeepFavourite(ctx, in.Body)
}

func (s *Service) dropFavourite(ctx context.Context, in *struct {
	ID ids.Favourite `path:"id"`
}) (*struct{}, error) {
	return nil, s.DropFavourite(ctx, in.ID)
}

type searchIn struct {
	Q string `query:"q" maxLength:"60"`
}

// FormularyRow is a medicine as the picker shows it. Doses are per day, in the unit of the row.
type FormularyRow struct {
	Ingredient string     `json:"ingredient,omitempty"`
	Product    string     `json:"product,omitempty"`
	Name       fault.Text `json:"name"`
	ATC        string     `json:"atc"`
	Forms      []string   `json:"forms"`
	Route      string     `json:"route"`
	Unit       string     `json:"unit" doc:"UCUM; of a product 1: tablets, sachets, puffs"`
	DailyLow   string     `json:"daily_low,omitempty"`
	DailyHigh  string     `json:"daily_high,omitempty"`
	MaxDaily   string     `json:"max_daily,omitempty" doc:"an alert ceiling for adults"`
	Contains   []string   `json:"contains,omitempty" doc:"of a product: ingredient and strength"`
	As         fault.Text `json:"as,omitzero" required:"false" doc:"the trade name by which it was found"`
	Usual      []UsualUse `json:"usual,omitempty" doc:"usual uses of an adult, to choose from; nothing is filled in by itself"`
}

// UsualUse is dose and frequency as a line has them.
type UsualUse struct {
	Dose    string `json:"dose,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Units   string `json:"units,omitempty"`
	PerDay  int    `json:"per_day,omitempty"`
	PerWeek int    `json:"per_week,omitempty"`
	Source  string `json:"source" doc:"of the row; S_CURATOR: from knowledge, held against no label"`
}

type searchOut struct{ Body []FormularyRow }

func (s *Service) searchFormulary(_ context.Context, in *searchIn) (*searchOut, error) {
	kb, err := s.knowledge()
	if err != nil {
		return nil, err
	}
	out := &searchOut{Body: []FormularyRow{}}
	for _, found := range kb.Search(in.Q, 20) {
		out.Body = append(out.Body, formularyRow(kb, found))
	}
	return out, nil
}

func formularyRow(kb *formulary.Knowledge, f formulary.Found) FormularyRow {
	if p := f.Product; p != nil {
		row := FormularyRow{Product: p.ID, As: f.As, Name: p.Name, Forms: []string{}, Route: p.Components[0].Ingredient.MainRoute, Unit: "1"}
		for _, c := range p.Components {
			row.Contains = append(row.Contains, c.Ingredient.Name.ZH+" "+c.Strength.In(c.Ingredient.Unit))
		}
		for _, u := range kb.Usual(p.ID) {
			row.Usual = append(row.Usual, UsualUse{Units: u.Dose, PerDay: u.PerDay, PerWeek: u.PerWeek, Source: u.Source})
		}
		return row
	}
	i := f.Ingredient
	row := FormularyRow{Ingredient: i.ID, As: f.As, Name: i.Name, ATC: i.ATC, Forms: i.Forms, Route: i.MainRoute, Unit: i.Unit}
	for into, amount := range map[*string]formulary.Amount{&row.DailyLow: i.UsualLow, &row.DailyHigh: i.UsualHigh, &row.MaxDaily: i.DailyMax} {
		if !amount.IsZero() {
			*into = amount.In(i.Unit)
		}
	}
	for _, u := range kb.Usual(i.ID) {
		row.Usual = append(row.Usual, UsualUse{Dose: u.Dose, Unit: u.Unit, PerDay: u.PerDay, PerWeek: u.PerWeek, Source: u.Source})
	}
	return row
}
