package prescribe

import (
	"context"
	"net/http"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) dispenseRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/ask-second", Action: "prescription.write",
		Summary: "Put a draft with clinical hard stops before a second person"},
		func(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
			return answer(s.AskSecond(ctx, in.ID))
		})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/seconds", Action: "prescription.second",
		Summary: "Drafts that ask for a second person"},
		func(ctx context.Context, _ *struct{}) (*listOut, error) {
			list, err := s.Seconds(ctx)
			return &listOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/second", Action: "prescription.second",
		Summary: "Agree or disagree as the second person, with a reason, signed"},
		func(ctx context.Context, in *secondIn) (*prescriptionOut, error) {
			return answer(s.GiveSecond(ctx, in.ID, in.Body))
		})

	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions/{id}/proof", Action: "prescription.read",
		Summary: "Hold every stored field against what was signed; the proof file of an issued prescription"},
		func(ctx context.Context, in *prescriptionIn) (*proofOut, error) {
			p, err := s.ProofOf(ctx, in.ID)
			return &proofOut{p}, err
		})

	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/confirm-plan", Action: "prescription.collect",
		Summary: "The patient confirms a plan above 28 days"},
		func(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
			return answer(s.ConfirmPlan(ctx, in.ID))
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/check-in", Action: "prescription.collect",
		Summary: "The patient's answers before a later part; a red one pauses the plan"},
		func(ctx context.Context, in *checkInIn) (*prescriptionOut, error) {
			return answer(s.CheckInPart(ctx, in.ID, in.Body))
		})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/plans/paused", Action: "prescription.write",
		Summary: "The prescriber's own plans that a red answer paused"},
		func(ctx context.Context, _ *struct{}) (*listOut, error) {
			list, err := s.PausedPlans(ctx)
			return &listOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/go-on", Action: "prescription.write",
		Summary: "The prescriber lets a paused plan go on"},
		func(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
			return answer(s.GoOn(ctx, in.ID))
		})
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/prescriptions/{id}/reminder", Action: "prescription.collect",
		Summary: "Be reminded of the medicines at these times of the day"},
		func(ctx context.Context, in *reminderIn) (*prescriptionOut, error) {
			return answer(s.SetReminder(ctx, in.ID, in.Body.Times))
		})
	httpapi.Register(api, httpapi.Op{Method: "DELETE", Path: "/api/v1/prescriptions/{id}/reminder", Action: "prescription.collect",
		Summary: "End the reminders"},
		func(ctx context.Context, in *prescriptionIn) (*prescriptionOut, error) {
			return answer(s.DropReminder(ctx, in.ID))
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/prescriptions/{id}/code", Action: "prescription.collect",
		Summary: "A claim code for one part, shown once; the one before ends"},
		func(ctx context.Context, in *codeIn) (*codeOut, error) {
			code, err := s.NewCode(ctx, in.ID, in.Body.Part)
			return &codeOut{code}, err
		})

	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/claims", Action: "prescription.claim",
		Summary: "Claim a part by its code: one pharmacy wins, the next is told who"},
		func(ctx context.Context, in *claimIn) (*claimOut, error) {
			c, err := s.ClaimPart(ctx, in.Body)
			return &claimOut{c}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/claims", Action: "prescription.claim", Summary: "What this pharmacy holds now"},
		func(ctx context.Context, _ *struct{}) (*claimsOut, error) {
			list, err := s.Claims(ctx)
			return &claimsOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/claims/{part_id}/dispense", Action: "prescription.claim",
		Summary: "Hand over lines, with lot and trace codes"},
		func(ctx context.Context, in *dispenseIn) (*claimOut, error) {
			c, err := s.Dispense(ctx, in.PartID, in.Body)
			return &claimOut{c}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/claims/{part_id}/release", Action: "prescription.claim", Status: 204,
		Summary: "Give a part back: the same code works elsewhere"},
		func(ctx context.Context, in *partIn) (*struct{}, error) { return nil, s.Release(ctx, in.PartID) })
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/claims/{part_id}/sheet.pdf", Action: "prescription.claim",
		Summary: "The prescription this pharmacy holds a part of, on paper (PDF, A5)"}, func(w http.ResponseWriter, r *http.Request) error {
		part, err := ids.Parse[ids.Part](r.PathValue("part_id"))
		if err != nil {
			return fault.Missing()
		}
		pdf, no, err := s.ClaimSheet(r.Context(), part)
		return giveSheet(w, pdf, no, err)
	})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/claims/{part_id}/proof", Action: "prescription.claim",
		Summary: "Proof and proof file of the prescription this pharmacy holds a part of"},
		func(ctx context.Context, in *partIn) (*proofOut, error) {
			p, err := s.ClaimProof(ctx, in.PartID)
			return &proofOut{p}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/recalls", Action: "prescription.recall", Summary: "Call a lot back"},
		func(ctx context.Context, in *recallIn) (*recallOut, error) {
			packs, err := s.Recall(ctx, Recalled(in.Body))
			out := &recallOut{}
			out.Body.Packs = packs
			return out, err
		})

	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/pharmacies", Action: "prescription.verify",
		Summary: "Approved pharmacies, by name: the patient chooses freely"},
		func(ctx context.Context, _ *struct{}) (*openOut, error) {
			list, err := s.OpenPharmacies(ctx)
			return &openOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/pharmacies/registry", Action: "pharmacy.read", Summary: "The whole registry"},
		func(ctx context.Context, _ *struct{}) (*registryOut, error) {
			list, err := s.Pharmacies(ctx)
			return &registryOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/pharmacies", Action: "pharmacy.apply", Status: 201, Summary: "Enter a pharmacy; two others approve it"},
		func(ctx context.Context, in *applyIn) (*pharmacyOut, error) {
			ph, err := s.Apply(ctx, in.Body)
			return &pharmacyOut{ph}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/pharmacies/{id}/approve", Action: "pharmacy.approve", Summary: "One of two approvals"},
		func(ctx context.Context, in *pharmacyIn) (*pharmacyOut, error) {
			ph, err := s.ApprovePharmacy(ctx, in.ID)
			return &pharmacyOut{ph}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/pharmacies/{id}/recheck", Action: "pharmacy.approve",
		Summary: "Record that its papers were read again, six months on"},
		func(ctx context.Context, in *notedIn) (*pharmacyOut, error) {
			ph, err := s.RecheckPharmacy(ctx, in.ID, in.Body.Note)
			return &pharmacyOut{ph}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/pharmacies/{id}/close", Action: "pharmacy.close", Summary: "Refuse an application, or suspend at once"},
		func(ctx context.Context, in *notedIn) (*pharmacyOut, error) {
			ph, err := s.ClosePharmacy(ctx, in.ID, in.Body.Note)
			return &pharmacyOut{ph}, err
		})
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/pharmacies/{id}/papers/{sha256}", Action: "pharmacy.read",
		Summary: "A paper of a pharmacy's application"}, func(w http.ResponseWriter, r *http.Request) error {
		id, err := ids.Parse[ids.Institution](r.PathValue("id"))
		if err != nil {
			return fault.Missing()
		}
		kept, file, err := s.PharmacyPaper(r.Context(), id, r.PathValue("sha256"))
		return givePaper(w, kept, file, err)
	})
	s.longDocumentRoutes(api)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/prescriptions/quality", Action: "prescription.quality",
		Summary: "Quality figures of the last 30 days, and prescriptions that were written in seconds"},
		func(ctx context.Context, _ *struct{}) (*qualityOut, error) {
			q, err := s.Quality(ctx)
			return &qualityOut{q}, err
		})
}

type (
	secondIn struct {
		ID   ids.Prescription `path:"id"`
		Body Seconding
	}
	checkInIn struct {
		ID   ids.Prescription `path:"id"`
		Body CheckIn
	}
	reminderIn struct {
		ID   ids.Prescription `path:"id"`
		Body struct {
			Times []string `json:"times" minItems:"1" maxItems:"6" doc:"HH:MM in China"`
		}
	}
	codeIn struct {
		ID   ids.Prescription `path:"id"`
		Body struct {
			Part int `json:"part" minimum:"1" maximum:"3"`
		}
	}
	codeOut    struct{ Body Code }
	claimIn    struct{ Body Claiming }
	claimOut   struct{ Body Claim }
	claimsOut  struct{ Body []Claim }
	dispenseIn struct {
		PartID ids.Part `path:"part_id"`
		Body   Dispensing
	}
	partIn struct {
		PartID ids.Part `path:"part_id"`
	}
	recallIn struct {
		Body struct {
			Lot    string `json:"lot" minLength:"1" maxLength:"60"`
			Reason string `json:"reason" minLength:"1" maxLength:"300"`
		}
	}
	recallOut struct {
		Body struct {
			Packs int `json:"packs" doc:"packs of the lot that were handed out"`
		}
	}
	openOut     struct{ Body []PublicPharmacy }
	registryOut struct{ Body []Pharmacy }
	applyIn     struct{ Body Application }
	pharmacyOut struct{ Body Pharmacy }
	pharmacyIn  struct {
		ID ids.Institution `path:"id"`
	}
	notedIn struct {
		ID   ids.Institution `path:"id"`
		Body struct {
			Note string `json:"note" minLength:"1" maxLength:"300"`
		}
	}
	qualityOut struct{ Body Quality }
	proofOut   struct{ Body Proof }
)
