package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
)

func (s *Teleconsults) agreementRoutes(api *httpapi.API) {
	const base = "/api/v1/agreements"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: base, Action: "agreement.read", Summary: "Cooperation agreements of the own hospitals (TCR-02)"}, s.agreements)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base, Action: "agreement.sign", Status: 201, Summary: "Sign an agreement for one side"}, s.offerAgreement)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/accept", Action: "agreement.sign", Summary: "Sign it for the other side"}, s.acceptAgreement)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: base + "/{id}/end", Action: "agreement.sign", Summary: "End it now"}, s.endAgreement)
}

type agreementsOut struct{ Body []Agreement }

func (s *Teleconsults) agreements(ctx context.Context, _ *struct{}) (*agreementsOut, error) {
	list, err := s.Agreements(ctx)
	return &agreementsOut{list}, err
}

type agreementOut struct{ Body Agreement }

type offerAgreementIn struct{ Body NewAgreement }

func (s *Teleconsults) offerAgreement(ctx context.Context, in *offerAgreementIn) (*agreementOut, error) {
	a, err := s.OfferAgreement(ctx, in.Body)
	return &agreementOut{a}, err
}

type agreementIn struct {
	ID agreementID `path:"id"`
}

func (s *Teleconsults) acceptAgreement(ctx context.Context, in *agreementIn) (*agreementOut, error) {
	a, err := s.AcceptAgreement(ctx, in.ID)
	return &agreementOut{a}, err
}

func (s *Teleconsults) endAgreement(ctx context.Context, in *agreementIn) (*agreementOut, error) {
	a, err := s.EndAgreement(ctx, in.ID)
	return &agreementOut{a}, err
}
